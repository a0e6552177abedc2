/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <bnn/evidence.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const bnn_prec_sharing_names[] = {"prior", "global", "layer", "group", NULL};

static const double half_log_2pi = 0.91893853320467274178;

/* ---------------------------------------------------------------- terms */

enum { PIECE = 256 }; /* rows at a time */

/* nll at theta; squares, by d nll / d log var_k = (rows - squares_k) / 2 of every target. */
static bnn_status measure_data(bnn_evidence *e, const bnn_real *theta, const bnn_data *data) {
    const bnn_model *m = e->curvature->model;
    const bnn_likelihood *l = &m->likelihood;
    bool noise = l->n_theta > 0 && l->object.type->caps & BNN_LOG_VARIANCE;
    size_t in = (size_t)bnn_shape_size(m->x_shape);
    bnn_workspace *ws;
    bnn_real *slope = calloc((size_t)l->n_theta + 1, sizeof *slope);
    if (!slope) return bnn_oom("the evidence");
    bnn_status s = bnn_workspace_new(m->net, PIECE, BNN_FORWARD, &ws);
    if (s == BNN_OK) bnn_net_prepare(m->net, ws, theta, BNN_MEAN, false, (bnn_rng){0});
    double rows = bnn_data_weight(data);
    e->noisy = noise ? rows * l->n_theta : 0;
    e->squares = e->noisy;
    for (int i = 0; s == BNN_OK && i < data->n; i += PIECE) {
        int n = data->n - i < PIECE ? data->n - i : PIECE;
        const bnn_real *f = bnn_net_forward(m->net, ws, n, (uint64_t)i, data->x + (size_t)i * in);
        memset(slope, 0, (size_t)l->n_theta * sizeof *slope);
        e->nll += bnn_likelihood_nll(l, n, data->weight ? data->weight + i : NULL, f, data->y + (size_t)i * (size_t)data->y_dim,
                                     bnn_model_noise(m, theta), 1, NULL, slope);
        for (int k = 0; noise && k < l->n_theta; k++) e->squares -= 2 * (double)slope[k];
    }
    if (s == BNN_OK) bnn_workspace_free(ws);
    free(slope);
    for (int k = 0; l->n_classes == 0 && k < data->y_dim; k++) e->log_unit += rows * log(m->scaling.y_sd[k]);
    return s;
}

static bnn_status take_noise(bnn_evidence *e, const bnn_real *theta) {
    const bnn_model *m = e->curvature->model;
    size_t n = (size_t)m->likelihood.n_theta;
    e->noise = calloc(3 * n + 1, sizeof *e->noise);
    if (e->noise && n > 0) memcpy(e->noise, bnn_model_noise(m, theta), n * sizeof *e->noise);
    return e->noise ? BNN_OK : bnn_oom("the evidence");
}

/* Log density of the noise with a factor on its variance, and the slope in the logarithm of that factor. */
static double noise_logp(const bnn_evidence *e, double log_var, double *slope) {
    const bnn_likelihood *l = &e->curvature->model->likelihood;
    size_t n = (size_t)l->n_theta;
    bnn_real *moved = e->noise + n, *along = moved + n;
    *slope = 0;
    if (e->noisy == 0 || !bnn_likelihood_vtable(l)->logp) return 0;
    for (size_t k = 0; k < n; k++) moved[k] = e->noise[k] + (bnn_real)log_var, along[k] = 0;
    double logp = bnn_likelihood_vtable(l)->logp(l, moved, 1, along);
    for (size_t k = 0; k < n; k++) *slope += (double)along[k];
    return logp;
}

bnn_status bnn_evidence_check(const bnn_curvature *curvature, const bnn_real *theta, bnn_prec_sharing sharing) {
    for (int b = 0; sharing == BNN_PREC_PRIOR && b < curvature->n_blocks; b++) {
        double prec = bnn_model_prior_prec(curvature->model, curvature->block[b].number, theta);
        if (isnan(prec))
            return bnn_fail(BNN_ERR_OPTION, "prior '%s' is not Gaussian: use gauss, or let the evidence choose precisions",
                            curvature->model->prior.object.type->name);
        if (prec == 0 && curvature->structure == BNN_KRON)
            return bnn_fail(BNN_ERR_OPTION, "structure=kron needs a prior with a scale, but that of '%s' of node '%s' is flat",
                            curvature->block[b].info.name, curvature->block[b].info.node);
    }
    return BNN_OK;
}

static void measure_blocks(bnn_evidence *e, const bnn_real *theta, bnn_prec_sharing sharing) {
    const bnn_curvature *c = e->curvature;
    for (int b = 0; b < c->n_blocks; b++) {
        const bnn_block_info *info = &c->block[b].info;
        for (size_t i = info->offset; i < info->offset + info->length; i++) e->norm2[b] += (double)theta[i] * (double)theta[i];
        e->prec[b] = bnn_model_prior_prec(c->model, c->block[b].number, theta);
        bool same = b > 0 && (sharing == BNN_PREC_GLOBAL || (sharing == BNN_PREC_LAYER && c->block[b - 1].info.index == info->index));
        e->group[b] = same ? e->group[b - 1] : e->n_groups++;
        if (sharing != BNN_PREC_PRIOR && !(e->prec[b] > 0)) e->prec[b] = 1;
        if (sharing != BNN_PREC_PRIOR && same) e->prec[b] = e->prec[b - 1];
    }
    if (sharing == BNN_PREC_PRIOR) e->n_groups = 0;
}

bnn_status bnn_evidence_open(bnn_curvature *curvature, const bnn_real *theta, const bnn_data *data, bnn_prec_sharing sharing,
                             bnn_evidence *out) {
    size_t n = (size_t)curvature->n_blocks + 1;
    *out = (bnn_evidence){.curvature = curvature, .var = 1};
    out->norm2 = calloc(n, sizeof *out->norm2);
    out->prec = calloc(n, sizeof *out->prec);
    out->determined = calloc(n, sizeof *out->determined);
    out->group = calloc(n, sizeof *out->group);
    bnn_status s = out->norm2 && out->prec && out->determined && out->group ? BNN_OK : bnn_oom("the evidence");
    if (s == BNN_OK) s = take_noise(out, theta);
    if (s == BNN_OK) s = bnn_evidence_check(curvature, theta, sharing);
    if (s == BNN_OK) measure_blocks(out, theta, sharing);
    if (s == BNN_OK) s = measure_data(out, theta, data);
    if (s < 0) bnn_evidence_close(out);
    return s;
}

void bnn_evidence_close(bnn_evidence *e) {
    free(e->norm2);
    free(e->prec);
    free(e->determined);
    free(e->group);
    free(e->noise);
    *e = (bnn_evidence){0};
}

bnn_status bnn_evidence_evaluate(bnn_evidence *e) {
    const bnn_curvature *c = e->curvature;
    double log_det;
    e->evaluations++;
    BNN_TRY(bnn_curvature_posterior(e->curvature, e->var, e->prec, &log_det, e->determined));
    e->value = -e->nll - e->log_unit - 0.5 * (e->squares * (1 / e->var - 1) + e->noisy * log(e->var) + log_det);
    for (int b = 0; b < c->n_blocks; b++) {
        double length = (double)c->block[b].info.length;
        /* a flat prior has density 1: nothing cancels */
        e->value += e->prec[b] > 0 ? 0.5 * (length * log(e->prec[b]) - e->prec[b] * e->norm2[b]) : length * half_log_2pi;
    }
    e->log_noise = noise_logp(e, log(e->var), &(double){0});
    return isfinite(e->value + e->log_noise) ? BNN_OK : bnn_fail(BNN_ERR_NUMERIC, "the evidence is not finite");
}

/* ---------------------------------------------------------------- maximum
 *
 * MacKay's re-estimation in the logarithms x of the precisions and of var, as Newton steps with a bound in place of the second derivative:
 *   d value / d log prec_g = (determined - prec |w|^2) / 2            -d2 <= (prec |w|^2 + min(determined, length - determined)) / 2
 *   d value / d log var    = (squares/var - noisy + determined) / 2   -d2 <= (squares/var + min(determined, P - determined)) / 2
 * since with the eigenvalues h of S H/var determined = sum h, and its own derivatives are at most sum h (1-h). To the second comes what the
 * density of the noise has, its curvature by a difference of slopes. A step is halved until the value does not fall. */

typedef struct {
    double slope, bound;
} direction;

static const double longest = 3, farthest = 30; /* of a step; of x, where an evidence that rises for ever stops */
static const double enough = 1e-6;              /* nats that the next step can still win */
enum { MOST_STEPS = 200, MOST_HALVINGS = 10 };

static void add_noise(const bnn_evidence *e, direction *to) {
    const double apart = 0.125;
    double slope, further;
    noise_logp(e, log(e->var), &slope);
    noise_logp(e, log(e->var) + apart, &further);
    to->slope += slope;
    to->bound += fmax((slope - further) / apart, 0);
}

/* Finds the directions of the groups, then that of var; returns how much steps to the bounds' maxima win. */
static double find_directions(const bnn_evidence *e, direction *d) {
    double all = 0, length = 0, gain = 0;
    for (int g = 0; g <= e->n_groups; g++) d[g] = (direction){0};
    for (int b = 0; b < e->curvature->n_blocks; b++) {
        double known = e->determined[b], rest = (double)e->curvature->block[b].info.length - known, pull = e->prec[b] * e->norm2[b];
        direction *to = &d[e->group[b]];
        all += known, length += known + rest;
        if (e->n_groups == 0) continue;
        to->slope += 0.5 * (known - pull);
        to->bound += 0.5 * (pull + fmin(known, rest));
    }
    if (e->noisy > 0) {
        d[e->n_groups].slope = 0.5 * (e->squares / e->var - e->noisy + all);
        d[e->n_groups].bound = 0.5 * (e->squares / e->var + fmin(all, length - all));
        add_noise(e, &d[e->n_groups]);
    }
    for (int g = 0; g <= e->n_groups; g++) gain += d[g].bound > 0 ? 0.5 * d[g].slope * d[g].slope / d[g].bound : 0;
    return gain;
}

static double sought(const bnn_evidence *e) { return e->value + e->log_noise; }

/* x moved along d, by `share` of the way. */
static double moved(double x, direction d, double share) {
    double way = d.bound > 0 ? d.slope / d.bound : 0, to = log(x) + share * fmin(fmax(way, -longest), longest);
    return exp(fmin(fmax(to, -farthest), farthest));
}

/* from [n_blocks] precisions and, last, var. */
static bnn_status step(bnn_evidence *e, const direction *d, double *from) {
    int n = e->curvature->n_blocks;
    double before = sought(e), share = 1;
    memcpy(from, e->prec, (size_t)n * sizeof *from);
    from[n] = e->var;
    for (int k = 0; k <= MOST_HALVINGS; k++, share /= 2) {
        for (int b = 0; e->n_groups > 0 && b < n; b++) e->prec[b] = moved(from[b], d[e->group[b]], share);
        if (e->noisy > 0) e->var = moved(from[n], d[e->n_groups], share);
        BNN_TRY(bnn_evidence_evaluate(e));
        if (sought(e) >= before) return BNN_OK;
    }
    memcpy(e->prec, from, (size_t)n * sizeof *from); /* rounding is reached */
    e->var = from[n];
    return bnn_evidence_evaluate(e);
}

bnn_status bnn_evidence_maximise(bnn_evidence *e) {
    direction *d = calloc((size_t)e->curvature->n_blocks + 1, sizeof *d);
    double *from = calloc((size_t)e->curvature->n_blocks + 1, sizeof *from);
    bnn_status s = d && from ? bnn_evidence_evaluate(e) : bnn_oom("the evidence");
    for (int k = 0; s == BNN_OK && k < MOST_STEPS && find_directions(e, d) > enough; k++) {
        double before = sought(e);
        s = step(e, d, from);
        if (s == BNN_OK && !(sought(e) > before)) break;
    }
    free(d), free(from);
    return s;
}

/* ---------------------------------------------------------------- mode of a linear model
 *
 * U is quadratic: its minimum is w + m with m = -S (slope/var + prec w). There slope/var = -prec (w + m), and since slopes change in
 * proportion to the way, nll changes by the mean of both slopes times m. */

bnn_status bnn_evidence_settle(bnn_evidence *e, double *w, double *slope) {
    const bnn_curvature *c = e->curvature;
    double *way = malloc((c->n + 1) * sizeof *way), change = 0;
    if (!way) return bnn_oom("the evidence");
    for (int b = 0; b < c->n_blocks; b++)
        for (size_t i = c->block[b].at; i < c->block[b].at + c->block[b].info.length; i++)
            way[i] = -slope[i] / e->var - c->block[b].prec * w[i];
    bnn_curvature_solve(c, way);
    for (int b = 0; b < c->n_blocks; b++) {
        e->norm2[b] = 0;
        for (size_t i = c->block[b].at; i < c->block[b].at + c->block[b].info.length; i++) {
            double before = slope[i];
            w[i] += way[i];
            slope[i] = -e->var * c->block[b].prec * w[i];
            change += 0.5 * (before + slope[i]) * way[i];
            e->norm2[b] += w[i] * w[i];
        }
    }
    free(way);
    e->nll += change;
    if (e->noisy > 0) e->squares += 2 * change;
    return bnn_evidence_evaluate(e);
}
