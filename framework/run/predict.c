/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <bnn/jobs.h>
#include <bnn/predict.h>

#include "base/sized.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Draws are cut into this many blocks at most, rows into stretches and pieces: all by the size of the problem, never by threads. Every
 * block streams over its draws; blocks are merged in order. */
enum { MOST_BLOCKS = 16, PIECE = 64, WIDE = 1 << 18, SHORTEST_STRETCH = 256, LONGEST_STRETCH = 8192, MOST_PREFIX_BYTES = 1 << 28 };

/* Sums of one block of draws over one stretch of rows. k = mean_dim. */
typedef struct {
    int draws;
    double *mean, *m2; /* [rows, k] of the predictive means: running mean and sum of squared deviations (Welford 1962) */
    double *var;       /* [rows, k] sum of noise variances */
    double *top, *sum; /* [rows] log p(y | f_s): largest, and sum of exp(. - largest) */
    double *pit;       /* [rows, k] sum */
    double *entropy;   /* [rows] sum of H[p_s] */
    double *memory;
} tally;

typedef struct {
    const bnn_engine *engine;
    const bnn_data *data;
    bnn_prediction *p;
    bnn_rng noise, draws, targets; /* of the layers, of the engine's draws, of y given f: split by draw */
    const bnn_sink *sink;
    int blocks, piece; /* rows of a piece */
    int from, rows; /* the stretch */
    tally *block;   /* [blocks] */
    size_t prefix_size;
    bnn_real *prefix; /* [rows, prefix_size] of the stretch: what does not depend on the draw; NULL: there is nothing to keep */
    bnn_predictive how;
    double *f, *cov, *root; /* where outputs are Gaussian: [rows, out], [rows, out, out]; root root^T = cov, for draws */
} work;

static int rows_of(const work *w, int at) { return w->rows - at < w->piece ? w->rows - at : w->piece; }
static int count_pieces(const work *w) { return (w->rows + w->piece - 1) / w->piece; }

/* Kernels that fit no first cache are read, and copied, for every piece: more rows share it. Bits of rows do not depend on that. */
static int piece_of(const bnn_model *m) { return m->n_theta > WIDE ? 2 * PIECE : PIECE; }

static bnn_status open_tally(tally *t, size_t rows, size_t k) {
    t->memory = calloc(4 * rows * k + 3 * rows, sizeof *t->memory);
    if (!t->memory) return bnn_oom("prediction");
    double *at = t->memory;
    t->mean = at;
    t->m2 = at += rows * k;
    t->var = at += rows * k;
    t->pit = at += rows * k;
    t->top = at += rows * k;
    t->sum = at += rows;
    t->entropy = at + rows;
    return BNN_OK;
}

BNN_LOOP static void add_moments(size_t n, double share, const bnn_real *restrict mean, const bnn_real *restrict var, double *restrict m,
                                 double *restrict m2, double *restrict sum_var) {
    for (size_t i = 0; i < n; i++) {
        double delta = (double)mean[i] - m[i];
        m[i] += delta * share;
        m2[i] += delta * ((double)mean[i] - m[i]);
        sum_var[i] += (double)var[i];
    }
}

/* Adds one draw's means of the rows [row, row+n) to the running moments. */
static void add_means(tally *t, size_t from, size_t n, const bnn_real *mean, const bnn_real *var) {
    add_moments(n, 1.0 / t->draws, mean, var, t->mean + from, t->m2 + from, t->var + from);
}

static void add_logp(tally *t, size_t from, size_t n, const double *logp) {
    for (size_t i = 0; i < n; i++) {
        double *top = &t->top[from + i], *sum = &t->sum[from + i];
        if (t->draws == 1 || logp[i] > *top) {
            *sum = t->draws == 1 ? 1 : *sum * exp(*top - logp[i]) + 1;
            *top = logp[i];
        } else if (logp[i] != -INFINITY) { /* which adds nothing, also where there is nothing yet */
            *sum += exp(logp[i] - *top);
        }
    }
}

static double entropy_of(size_t k, const bnn_real *p) {
    double h = 0;
    for (size_t c = 0; c < k; c++)
        if (p[c] > 0) h -= (double)p[c] * log((double)p[c]);
    return h;
}

/* Draws of each member of a mixture. */
static int share_of(const bnn_engine *engine, int samples) {
    int members = 0;
    while (bnn_engine_member(engine, members)) members++;
    return samples < members ? 1 : samples / members;
}

/* The buffers of one block: one piece of rows under one draw. */
typedef struct {
    bnn_workspace *ws;
    bnn_real *theta, *mean, *var, *pit, *y;
    bnn_real *z, *f; /* [rows, out] where outputs are drawn */
    double *logp;
} desk;

static void close_desk(desk *d) {
    bnn_workspace_free(d->ws);
    free(d->theta);
    free(d->mean);
    free(d->var);
    free(d->pit);
    free(d->y);
    free(d->z);
    free(d->f);
    free(d->logp);
}

static bnn_status open_desk(const work *w, desk *d) {
    const bnn_likelihood *l = &w->engine->model->likelihood;
    size_t k = (size_t)w->p->mean_dim;
    int rows = rows_of(w, 0);
    size_t outputs = (w->how.by == BNN_BY_THETA ? 0 : (size_t)rows * (size_t)l->out_dim) + 1;
    d->theta = malloc(((size_t)w->engine->model->n_theta + 1) * sizeof *d->theta);
    d->mean = malloc((size_t)rows * k * sizeof *d->mean);
    d->var = malloc((size_t)rows * k * sizeof *d->var);
    d->pit = malloc((size_t)rows * k * sizeof *d->pit);
    d->y = malloc((size_t)rows * (size_t)l->y_dim * sizeof *d->y);
    d->z = malloc(outputs * sizeof *d->z);
    d->f = malloc(outputs * sizeof *d->f);
    d->logp = malloc((size_t)rows * sizeof *d->logp);
    if (!d->theta || !d->mean || !d->var || !d->pit || !d->y || !d->z || !d->f || !d->logp) return bnn_oom("prediction");
    return bnn_workspace_new(w->engine->model->net, rows, BNN_FORWARD, &d->ws);
}

/* Hands out one draw of some rows, with a y of its own. */
static bnn_status hand_out(const work *w, const desk *d, int s, const bnn_real *f, bnn_drawn drawn) {
    const bnn_likelihood *l = &w->engine->model->likelihood;
    bnn_likelihood_vtable(l)->draw(l, drawn.n, f, bnn_model_noise(w->engine->model, d->theta), bnn_rng_split(w->targets, (uint64_t)s),
                                   (uint64_t)drawn.row, d->y);
    return w->sink->take(w->sink->context, &drawn);
}

/* Lower triangle root[n,n] of a covariance that may be singular: a variance that rounding cannot tell from 0 is 0. */
static void take_root(size_t n, const double *cov, double *root) {
    memset(root, 0, n * n * sizeof *root);
    for (size_t j = 0; j < n; j++)
        for (size_t i = j; i < n; i++) {
            double left = cov[i * n + j];
            for (size_t k = 0; k < j; k++) left -= root[i * n + k] * root[j * n + k];
            if (i == j)
                root[j * n + j] = left > 1e-14 * cov[j * n + j] ? sqrt(left) : 0;
            else if (root[j * n + j] > 0)
                root[i * n + j] = left / root[j * n + j];
        }
}

/* f = mean + root z, z ~ N(0, I), of n rows. */
static const bnn_real *draw_outputs(const work *w, const desk *d, int s, int at, int n) {
    size_t out = (size_t)w->engine->model->likelihood.out_dim;
    bnn_rng_normal(bnn_rng_split(w->draws, (uint64_t)s), (uint64_t)(w->from + at), n, (int)out, d->z);
    for (size_t i = 0; i < (size_t)n; i++) {
        const double *mean = w->f + ((size_t)at + i) * out, *root = w->root + ((size_t)at + i) * out * out;
        for (size_t k = 0; k < out; k++) {
            double f = mean[k];
            for (size_t j = 0; j <= k; j++) f += root[k * out + j] * (double)d->z[i * out + j];
            d->f[i * out + k] = (bnn_real)f;
        }
    }
    return d->f;
}

/* One draw over the rows [at, at+n) of the stretch. */
static bnn_status add_piece(const work *w, const desk *d, tally *t, int s, int at, int n) {
    const bnn_model *m = w->engine->model;
    const bnn_prediction *p = w->p;
    size_t k = (size_t)p->mean_dim, row = (size_t)(w->from + at), from = (size_t)at;
    const bnn_real *y = p->has_target ? w->data->y + row * (size_t)w->data->y_dim : NULL;
    const bnn_real *x = w->data->x + row * (size_t)bnn_shape_size(m->x_shape);
    const bnn_real *f = w->how.by != BNN_BY_THETA ? draw_outputs(w, d, s, at, n)
                        : w->prefix               ? bnn_net_forward_after(m->net, d->ws, n, row, x, w->prefix + from * w->prefix_size)
                                                  : bnn_net_forward(m->net, d->ws, n, row, x);
    bnn_observation seen = {.mean = d->mean, .var = d->var, .logp = y ? d->logp : NULL, .pit = p->pit ? d->pit : NULL};
    bnn_likelihood_vtable(&m->likelihood)->observe(&m->likelihood, n, f, y, bnn_model_noise(m, d->theta), &seen);
    add_means(t, from * k, (size_t)n * k, d->mean, d->var);
    if (y) add_logp(t, from, (size_t)n, d->logp);
    for (size_t i = 0; p->pit && i < (size_t)n * k; i++) t->pit[from * k + i] += (double)d->pit[i];
    for (size_t i = 0; p->is_class && i < (size_t)n; i++) t->entropy[from + i] += entropy_of(k, d->mean + i * k);
    if (!w->sink) return BNN_OK;
    bnn_drawn drawn = {
        .s = s, .row = (int)row, .n = n, .theta = d->theta, .ws = d->ws, .f = f, .mean = d->mean, .y = d->y, .logp = seen.logp};
    return hand_out(w, d, s, f, drawn);
}

int bnn_predict_stored(const bnn_engine *engine, int s, int samples) {
    const bnn_engine_type *type = bnn_engine_vtable(engine);
    for (int k = 0; type->member; k++) { /* members stand behind each other */
        int taken = bnn_predict_samples(bnn_engine_member(engine, k), share_of(engine, samples));
        if (s < taken) return bnn_predict_stored(bnn_engine_member(engine, k), s, taken);
        s -= taken;
    }
    if (!type->n_draws) return s;
    int chains = type->n_chains ? type->n_chains(engine) : 1, length = type->n_draws(engine) / chains, taken = samples / chains;
    return s / taken * length + (int)((int64_t)(s % taken) * length / taken);
}

static bool has_one_theta(const work *w) { return bnn_engine_vtable(w->engine)->type.caps & BNN_ONE_THETA; }

/* first: of the block. */
static bnn_status draw_theta(const work *w, const desk *d, int s, bool first) {
    int stored = bnn_predict_stored(w->engine, s, w->p->samples);
    if (first || !has_one_theta(w)) BNN_TRY(bnn_engine_draw(w->engine, stored, bnn_rng_split(w->draws, (uint64_t)s), d->theta));
    bnn_net_prepare(w->engine->model->net, d->ws, d->theta, w->p->mode, false, bnn_rng_split(w->noise, (uint64_t)s));
    return BNN_OK;
}

static bnn_status add_draws(const work *w, int b, const desk *d) {
    int first = (int)((int64_t)w->p->samples * b / w->blocks), end = (int)((int64_t)w->p->samples * (b + 1) / w->blocks);
    tally *t = &w->block[b];
    for (int s = first; s < end; s++) {
        if (w->how.by == BNN_BY_THETA) BNN_TRY(draw_theta(w, d, s, s == first));
        t->draws++;
        for (int at = 0; at < w->rows; at += w->piece) BNN_TRY(add_piece(w, d, t, s, at, rows_of(w, at)));
    }
    return BNN_OK;
}

static bnn_status run_block(void *context, int b) {
    const work *w = context;
    desk d = {0};
    bnn_status s = open_desk(w, &d);
    if (s == BNN_OK && w->how.theta) memcpy(d.theta, w->how.theta, (size_t)w->engine->model->n_theta * sizeof *d.theta);
    if (s == BNN_OK) s = open_tally(&w->block[b], (size_t)w->rows, (size_t)w->p->mean_dim);
    if (s == BNN_OK) s = add_draws(w, b, &d);
    close_desk(&d);
    return s;
}

/* a += b, for the moments by Chan, Golub & LeVeque 1983, eq. 1.5. */
static void merge(tally *a, const tally *b, size_t rows, size_t k) {
    double n = a->draws + b->draws, share = b->draws / n, cross = (double)a->draws * b->draws / n;
    for (size_t i = 0; i < rows * k; i++) {
        double delta = b->mean[i] - a->mean[i];
        a->mean[i] += delta * share;
        a->m2[i] += b->m2[i] + delta * delta * cross;
        a->var[i] += b->var[i];
        a->pit[i] += b->pit[i];
    }
    for (size_t i = 0; i < rows; i++) {
        double top = fmax(a->top[i], b->top[i]);
        if (isfinite(top)) a->sum[i] = a->sum[i] * exp(a->top[i] - top) + b->sum[i] * exp(b->top[i] - top);
        a->top[i] = top;
        a->entropy[i] += b->entropy[i];
    }
    a->draws += b->draws;
}

/* Difference that standardising makes to a log density. */
static double log_unit(const work *w) {
    const bnn_scaling *scaling = &w->engine->model->scaling;
    double sum = 0;
    for (int j = 0; !w->p->is_class && j < scaling->y_dim; j++) sum += log(scaling->y_sd[j]);
    return sum;
}

/* From sums over draws of standardised y to averages in the units of y. */
static void finish(const work *w) {
    bnn_prediction *p = w->p;
    const tally *t = &w->block[0];
    const bnn_scaling *scaling = &w->engine->model->scaling;
    double S = p->samples;
    size_t k = (size_t)p->mean_dim, from = (size_t)w->from;
    for (size_t i = 0; i < (size_t)w->rows * k; i++) {
        double sd = p->is_class ? 1 : scaling->y_sd[i % k], shift = p->is_class ? 0 : scaling->y_mean[i % k];
        size_t at = from * k + i;
        p->mean[at] = t->mean[i] * sd + shift;
        p->var_epistemic[at] = t->m2[i] / S * sd * sd;
        p->var_aleatoric[at] = t->var[i] / S * sd * sd;
        p->mean_mcse[at] = p->samples > 1 ? sqrt(p->var_epistemic[at] / (S - 1)) : 0;
        if (p->pit) p->pit[at] = t->pit[i] / S;
    }
    for (size_t i = 0; i < (size_t)w->rows; i++) {
        if (p->logp) p->logp[from + i] = t->top[i] + log(t->sum[i]) - log(S) - log_unit(w);
        if (p->is_class) p->expected_entropy[from + i] = t->entropy[i] / S;
    }
}

/* ---- what does not depend on the draw ---- */

static bnn_status prefix_piece(void *context, int piece) {
    const work *w = context;
    const bnn_model *m = w->engine->model;
    int at = piece * w->piece, n = rows_of(w, at);
    size_t row = (size_t)(w->from + at);
    desk d = {0};
    bnn_status s = open_desk(w, &d);
    if (s == BNN_OK) s = bnn_engine_draw(w->engine, 0, w->draws, d.theta);
    if (s == BNN_OK) {
        bnn_net_prepare(m->net, d.ws, d.theta, w->p->mode, false, w->noise);
        bnn_net_prefix(m->net, d.ws, n, row, w->data->x + row * (size_t)bnn_shape_size(m->x_shape),
                       w->prefix + (size_t)at * w->prefix_size);
    }
    close_desk(&d);
    return s;
}

/* Computed once for a stretch where every draw has the same parameters, and it fits into memory. */
static bnn_status make_prefix(work *w) {
    size_t size = bnn_net_prefix_size(w->engine->model->net), bytes = size * (size_t)w->rows * sizeof *w->prefix;
    if (!has_one_theta(w) || size == 0 || w->p->samples < 2 || bytes > MOST_PREFIX_BYTES) return BNN_OK;
    w->prefix_size = size;
    w->prefix = malloc(bytes);
    return w->prefix ? bnn_jobs_run(count_pieces(w), prefix_piece, w) : bnn_oom("prediction");
}

static bnn_status run_draws(work *w) {
    w->prefix = NULL;
    w->block = calloc((size_t)w->blocks, sizeof *w->block);
    bnn_status s = w->block ? make_prefix(w) : bnn_oom("prediction");
    if (s == BNN_OK) s = bnn_jobs_run(w->blocks, run_block, w);
    for (int b = 1; s == BNN_OK && b < w->blocks; b++) merge(&w->block[0], &w->block[b], (size_t)w->rows, (size_t)w->p->mean_dim);
    if (s == BNN_OK) finish(w);
    for (int b = 0; w->block && b < w->blocks; b++) free(w->block[b].memory);
    free(w->block);
    free(w->prefix);
    return s;
}

/* ---------------------------------------------------------------- Gaussian outputs */

/* Outputs of one piece of the stretch. */
static bnn_status run_outputs(void *context, int piece) {
    const work *w = context;
    const bnn_model *m = w->engine->model;
    size_t out = (size_t)m->likelihood.out_dim, at = (size_t)(piece * w->piece), row = (size_t)w->from + at;
    int n = rows_of(w, (int)at);
    bnn_workspace *ws;
    BNN_TRY(bnn_workspace_new(m->net, n, BNN_TO_THETA, &ws));
    bnn_status s = bnn_engine_vtable(w->engine)->outputs(w->engine, ws, n, w->data->x + row * (size_t)bnn_shape_size(m->x_shape),
                                                         w->f + at * out, w->cov + at * out * out);
    for (size_t i = at; s == BNN_OK && w->root && i < at + (size_t)n; i++) take_root(out, w->cov + i * out * out, w->root + i * out * out);
    bnn_workspace_free(ws);
    return s;
}

/* The likelihood's marginal takes the place of what draws have said of the mean and of log p, of real y of everything. */
static void run_marginal(const work *w) {
    const bnn_likelihood *l = &w->engine->model->likelihood;
    const bnn_scaling *scaling = &w->engine->model->scaling;
    bnn_prediction *p = w->p;
    size_t k = (size_t)p->mean_dim, row = (size_t)w->from;
    bnn_marginal to = {.mean = p->mean + row * k,
                       .var_epistemic = p->is_class ? NULL : p->var_epistemic + row * k,
                       .var_aleatoric = p->is_class ? NULL : p->var_aleatoric + row * k,
                       .logp = p->logp ? p->logp + row : NULL,
                       .pit = p->pit ? p->pit + row * k : NULL};
    const bnn_real *y = p->has_target ? w->data->y + row * (size_t)w->data->y_dim : NULL;
    bnn_likelihood_vtable(l)->marginal(l, w->rows, w->f, w->cov, y, bnn_model_noise(w->engine->model, w->how.theta), &to);
    for (size_t i = 0; i < (size_t)w->rows * k; i++) {
        p->mean_mcse[row * k + i] = 0;
        if (p->is_class) continue;
        double sd = scaling->y_sd[i % k];
        to.mean[i] = to.mean[i] * sd + scaling->y_mean[i % k];
        to.var_epistemic[i] *= sd * sd;
        to.var_aleatoric[i] *= sd * sd;
    }
    for (int i = 0; to.logp && i < w->rows; i++) to.logp[i] -= log_unit(w);
}

static bnn_status run_stretch(work *w) {
    if (w->how.by == BNN_BY_THETA) return run_draws(w);
    size_t out = (size_t)w->engine->model->likelihood.out_dim, rows = (size_t)w->rows;
    w->f = malloc(rows * out * sizeof *w->f);
    w->cov = malloc(rows * out * out * sizeof *w->cov);
    w->root = w->p->samples > 0 ? malloc(rows * out * out * sizeof *w->root) : NULL;
    bnn_status s = w->f && w->cov && (w->root || w->p->samples == 0) ? BNN_OK : bnn_oom("prediction");
    if (s == BNN_OK) s = bnn_jobs_run(count_pieces(w), run_outputs, w);
    if (s == BNN_OK && w->p->samples > 0) s = run_draws(w);
    if (s == BNN_OK && w->how.by == BNN_BY_MARGINAL) run_marginal(w);
    free(w->f), free(w->cov), free(w->root);
    return s;
}

/* Rows at a time, so that the tallies of all blocks, and covariances of outputs, stay within 64 MB. */
static int stretch_rows(const work *w) {
    size_t k = (size_t)w->p->mean_dim, out = w->how.by == BNN_BY_THETA ? 0 : (size_t)w->engine->model->likelihood.out_dim;
    size_t rows = (64u << 20) / (sizeof(double) * (MOST_BLOCKS * (4 * k + 3) + 2 * out * out + out));
    return rows < SHORTEST_STRETCH ? SHORTEST_STRETCH : rows > LONGEST_STRETCH ? LONGEST_STRETCH : (int)rows;
}

static bnn_status new_prediction(const bnn_model *m, const bnn_data *data, int samples, bnn_mode mode, bnn_prediction **out) {
    bnn_prediction *p = calloc(1, sizeof *p);
    if (!p) return bnn_oom("prediction");
    *out = p;
    p->n = data->n;
    p->samples = samples;
    p->mean_dim = m->likelihood.mean_dim;
    p->mode = mode;
    p->has_target = data->y != NULL;
    p->is_class = m->likelihood.n_classes > 0;
    size_t n = (size_t)p->n + 1, k = (size_t)p->mean_dim;
    BNN_TRY(bnn_memory_check((double)n * (double)(5 * k + 2) * sizeof(double), "the prediction", "predict fewer rows at a time"));
    p->mean = calloc(n * k, sizeof *p->mean);
    p->var_epistemic = calloc(n * k, sizeof *p->mean);
    p->var_aleatoric = calloc(n * k, sizeof *p->mean);
    p->mean_mcse = calloc(n * k, sizeof *p->mean);
    p->logp = p->has_target ? calloc(n, sizeof *p->logp) : NULL;
    p->pit = p->has_target && !p->is_class ? calloc(n * k, sizeof *p->pit) : NULL;
    p->expected_entropy = p->is_class ? calloc(n, sizeof *p->expected_entropy) : NULL;
    bool ok = p->mean && p->var_epistemic && p->var_aleatoric && p->mean_mcse && (p->logp || !p->has_target) &&
              (p->expected_entropy || !p->is_class);
    return ok && (p->pit || !p->has_target || p->is_class) ? BNN_OK : bnn_oom("prediction");
}

void bnn_prediction_free(bnn_prediction *prediction) {
    if (!prediction) return;
    free(prediction->mean);
    free(prediction->var_epistemic);
    free(prediction->var_aleatoric);
    free(prediction->mean_mcse);
    free(prediction->logp);
    free(prediction->pit);
    free(prediction->expected_entropy);
    free(prediction->crps);
    free(prediction);
}

static bnn_status check_fit(const bnn_model *m, const bnn_data *data) {
    char want[BNN_SHAPE_TEXT], have[BNN_SHAPE_TEXT];
    if (!bnn_shape_equal(m->x_shape, data->x_shape))
        return bnn_fail(BNN_ERR_SHAPE, "the data's rows have shape %s, the model was fitted to %s", bnn_shape_print(data->x_shape, have),
                        bnn_shape_print(m->x_shape, want));
    if (!data->y) return BNN_OK; /* new rows fit any model */
    if (m->likelihood.n_classes != data->n_classes)
        return bnn_fail(BNN_ERR_SHAPE, "the data have %d classes, the model was fitted to %d (0: real targets)", data->n_classes,
                        m->likelihood.n_classes);
    if (m->likelihood.y_dim != data->y_dim)
        return bnn_fail(BNN_ERR_SHAPE, "the data have %d target columns, the model was fitted to %d", data->y_dim, m->likelihood.y_dim);
    return BNN_OK;
}

static bnn_predictive how_of(const bnn_engine *engine) {
    const bnn_engine_type *type = bnn_engine_vtable(engine);
    bnn_predictive how = type->predictive ? type->predictive(engine) : (bnn_predictive){.by = BNN_BY_THETA};
    if (how.by == BNN_BY_MARGINAL && !bnn_likelihood_vtable(&engine->model->likelihood)->marginal) how.by = BNN_BY_OUTPUTS;
    return how;
}

/* No draws at all: of classes they are still wanted for the entropies. */
static bool is_closed(const bnn_engine *engine) { return how_of(engine).by == BNN_BY_MARGINAL && engine->model->likelihood.n_classes == 0; }

int bnn_predict_samples(const bnn_engine *engine, int samples) {
    const bnn_engine_type *type = bnn_engine_vtable(engine);
    int sum = 0;
    for (int k = 0; bnn_engine_member(engine, k); k++) sum += bnn_predict_samples(bnn_engine_member(engine, k), share_of(engine, samples));
    if (type->member) return sum;
    if (type->type.caps & BNN_POINT) return 1;
    if (is_closed(engine)) return 0;
    if (!type->n_draws) return samples;
    int chains = type->n_chains ? type->n_chains(engine) : 1, stored = type->n_draws(engine);
    if (stored < samples) samples = stored;
    return samples < chains ? chains : samples / chains * chains;
}

bnn_status bnn_predict_keeps(const bnn_engine *engine) {
    const bnn_engine *fitted = bnn_engine_fitted(engine);
    for (int k = 0; fitted && bnn_engine_member(fitted, k); k++) BNN_TRY(bnn_predict_keeps(bnn_engine_member(fitted, k)));
    if (!fitted || how_of(fitted).by == BNN_BY_THETA) return BNN_OK;
    return bnn_fail(BNN_ERR_OPTION, "engine '%s' as it is set predicts without draws of parameters: there are none to keep",
                    fitted->object.type->name);
}

static bnn_status check_samples(const bnn_engine *fitted, const bnn_predict_options *options) {
    const bnn_engine_type *type = bnn_engine_vtable(fitted);
    if (is_closed(fitted)) return BNN_OK;
    if (!(type->type.caps & BNN_POINT) && options->samples < 1)
        return bnn_fail(BNN_ERR_OPTION, "%d samples were asked for: at least 1 is needed", options->samples);
    if (type->n_draws && type->n_draws(fitted) < 1) return bnn_fail(BNN_ERR_STATE, "engine '%s' has no draws yet", type->type.name);
    return BNN_OK;
}

/* Draws over all rows; and, for Gaussian outputs, as many backward passes over them as there are outputs. */
static bnn_cost cost_of(const bnn_model *m, const bnn_prediction *p, const work *w) {
    double one = w->how.by == BNN_BY_THETA ? bnn_model_forward_flops(m, p->n) : 0;
    uint64_t passes = w->how.by == BNN_BY_THETA ? 0 : (uint64_t)m->likelihood.out_dim;
    return (bnn_cost){.gradients = passes,
                      .forwards = w->how.by == BNN_BY_THETA ? (uint64_t)p->samples : 0,
                      .flops = p->samples * one + (double)passes * bnn_model_gradient_flops(m, p->n)};
}

/* By an engine that is fitted and no mixture. */
static bnn_status predict_one(const bnn_engine *fitted, const bnn_data *data, const bnn_predict_options *options, bnn_prediction **out) {
    bool point = fitted->object.type->caps & BNN_POINT;
    int samples = bnn_predict_samples(fitted, options->samples);
    BNN_TRY(check_samples(fitted, options));
    if (fitted->model->likelihood.sites > 1)
        return bnn_fail(BNN_ERR_SHAPE, "a row of y has %d sites: only rows of one can be predicted", fitted->model->likelihood.sites);
    BNN_TRY(check_fit(fitted->model, data));
    bnn_stopwatch since = bnn_stopwatch_start();
    bnn_prediction *p = NULL;
    bnn_rng root = bnn_rng_seed(options->seed);
    work w = {.engine = fitted, .data = data, .sink = options->sink, .blocks = samples < MOST_BLOCKS ? samples : MOST_BLOCKS};
    w.how = how_of(fitted);
    w.piece = piece_of(fitted->model);
    bnn_mode mode = point || w.how.by != BNN_BY_THETA ? BNN_MEAN : options->mode == BNN_ROWS ? BNN_ROWS : BNN_DRAW;
    bnn_status s = new_prediction(fitted->model, data, samples, mode, &p);
    w.p = p;
    if (p) p->seed = options->seed;
    w.noise = bnn_rng_split(root, BNN_STREAM_PREDICT);
    w.draws = bnn_rng_split(root, BNN_STREAM_DRAW);
    w.targets = bnn_rng_split(root, BNN_STREAM_TARGET);
    int stretch = s == BNN_OK ? stretch_rows(&w) : 1;
    for (w.from = 0; s == BNN_OK && w.from < data->n; w.from += stretch) {
        w.rows = data->n - w.from < stretch ? data->n - w.from : stretch;
        s = run_stretch(&w);
    }
    if (s < 0) {
        bnn_prediction_free(p);
        return s;
    }
    p->cost = cost_of(fitted->model, p, &w);
    bnn_stopwatch_stop(since, &p->cost);
    *out = p;
    return BNN_OK;
}

/* ---------------------------------------------------------------- mixtures */

/* Numbers the draws of a member behind those of the members before it. */
typedef struct {
    const bnn_sink *sink;
    int before;
} behind;

static bnn_status take_behind(void *context, const bnn_drawn *drawn) {
    const behind *b = context;
    bnn_drawn numbered = *drawn;
    numbered.s += b->before;
    return b->sink->take(b->sink->context, &numbered);
}

static double log_of_sum(double a, double b) {
    double top = fmax(a, b);
    return isfinite(top) ? top + log(exp(a - top) + exp(b - top)) : top;
}

/* Adds member k (from 0) to the sums of those before it. The variance of the mixture is the mean of the members' variances and the variance
 * of their means; the latter is epistemic. */
static void add_member(bnn_prediction *p, const bnn_prediction *one, int k) {
    size_t n = (size_t)p->n, all = n * (size_t)p->mean_dim;
    for (size_t i = 0; i < all; i++) {
        double delta = one->mean[i] - p->mean[i];
        p->mean[i] += delta / (k + 1);
        p->var_epistemic[i] += one->var_epistemic[i] + delta * (one->mean[i] - p->mean[i]);
        p->var_aleatoric[i] += one->var_aleatoric[i];
        p->mean_mcse[i] = hypot(p->mean_mcse[i], one->mean_mcse[i]);
        if (p->pit) p->pit[i] += one->pit[i];
    }
    for (size_t i = 0; i < n; i++) {
        if (p->logp) p->logp[i] = k == 0 ? one->logp[i] : log_of_sum(p->logp[i], one->logp[i]);
        if (p->is_class) p->expected_entropy[i] += one->expected_entropy[i];
    }
    p->samples += one->samples;
    p->mode = one->mode;
    bnn_cost_add(&p->cost, &one->cost);
}

static void finish_mixture(bnn_prediction *p, int members) {
    size_t n = (size_t)p->n, all = n * (size_t)p->mean_dim;
    for (size_t i = 0; i < all; i++) {
        p->var_epistemic[i] /= members;
        p->var_aleatoric[i] /= members;
        p->mean_mcse[i] /= members;
        if (p->pit) p->pit[i] /= members;
    }
    for (size_t i = 0; i < n; i++) {
        if (p->logp) p->logp[i] -= log(members);
        if (p->is_class) p->expected_entropy[i] /= members;
    }
}

/* Members one after the other: each is parallel inside, and only one prediction beside the sums is there at a time. */
static bnn_status predict_mixture(const bnn_engine *e, const bnn_data *data, const bnn_predict_options *options, bnn_prediction **out) {
    const bnn_engine *member;
    bnn_prediction *p = NULL;
    int members = 0;
    if (options->samples < 1) return bnn_fail(BNN_ERR_OPTION, "%d samples were asked for: at least 1 is needed", options->samples);
    BNN_TRY(check_fit(e->model, data));
    bnn_status s = new_prediction(e->model, data, 0, BNN_MEAN, &p);
    for (; s == BNN_OK && (member = bnn_engine_member(e, members)); members++) {
        behind numbers = {options->sink, p->samples};
        bnn_sink sink = {take_behind, &numbers};
        bnn_predict_options how = *options;
        bnn_prediction *one;
        how.samples = share_of(e, options->samples);
        how.seed = bnn_rng_split(bnn_rng_seed(options->seed), (uint64_t)members).key;
        if (options->sink) how.sink = &sink;
        if ((s = bnn_predict(member, data, &how, &one)) < 0) break;
        add_member(p, one, members);
        bnn_prediction_free(one);
    }
    if (s < 0) {
        bnn_prediction_free(p);
        return s;
    }
    finish_mixture(p, members);
    *out = p;
    return BNN_OK;
}

bnn_status bnn_predict(const bnn_engine *engine, const bnn_data *data, const bnn_predict_options *options, bnn_prediction **out) {
    bnn_predict_options how;
    BNN_TRY(bnn_sized_read("bnn_predict_options", &how, sizeof how, BNN_UP_TO(bnn_predict_options, sink), options));
    const bnn_engine *fitted = bnn_engine_fitted(engine);
    if (!fitted) return bnn_fail(BNN_ERR_STATE, "engine '%s' has not been fitted yet", engine->object.type->name);
    return bnn_engine_vtable(fitted)->member ? predict_mixture(fitted, data, &how, out) : predict_one(fitted, data, &how, out);
}

double bnn_prediction_entropy(const bnn_prediction *p, int row) {
    double h = 0;
    for (int c = 0; c < p->mean_dim; c++) {
        double q = p->mean[(size_t)row * (size_t)p->mean_dim + (size_t)c];
        if (q > 0) h -= q * log(q);
    }
    return h;
}

double bnn_prediction_mutual_information(const bnn_prediction *p, int row) {
    return fmax(0, bnn_prediction_entropy(p, row) - p->expected_entropy[row]); /* >= 0 by Jensen; rounding may say otherwise */
}
