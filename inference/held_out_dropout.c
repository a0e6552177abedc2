/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * held_out_dropout: concrete gates whose p, and the noise, follow rows held out; the weights follow U on the others.
 *
 *   V(a, s) = mean over rows i held out of log (1/S) sum_k p(y_i | f(x_i; theta*(a), z_k), s)        S draws of the gates z
 *
 * a [gates] are logits of p, s the log variances of the noise, theta*(a) the weights that descent on U comes to under a. The bound of Gal,
 * Hron & Kendall 2017 lets a fall for ever on few rows and a learned noise with it, since both are judged by rows that the weights have
 * seen (docs/decisions/0010). The slope of V at fixed weights is not enough: it holds gates for a noise and has p rise to where they fit
 * nothing. So it is taken along theta*(a), by differences. In a cycle two runs go on from the same theta under a + delta e and a - delta
 * e, e_g = 1 or -1 at random (simultaneous perturbation: Spall 1992), for some steps on the same minibatches, with gates from the same
 * uniform numbers; then
 *
 *   g = e (V+ - V-) / (2 delta)    a += lr_hyper (1 - 0.8 t) g / (sqrt(m) + 0.01)    theta = (theta+ + theta-) / 2
 *
 * m [gates] is the running mean of g^2, t the share of the search that is done. s is where V is greatest, with the likelihood's log prior,
 * given all else: Fisher scoring, s += 2 dV/ds (the information of a log variance is 1/2 a row), for both runs; theirs are averaged.
 *
 * The search takes 0.7 of the steps (gradients; the first fifth of it, in which weights find their place, with one run and p as it is).
 * Step sizes go down a cosine to 0. Then a and s are their means over the last ten cycles or so, and the same weights go on on all rows,
 * with step sizes from 0.4 lr down to 0.
 *
 * Without learned gates s is all that rows held out decide, without log variances (classes, a fixed noise) a is. Parameters of a likelihood
 * that are no log variances, and scales of a prior, follow U. Everything is standardised by all training rows.
 */
#include <bnn/holder.h>
#include <bnn/jobs.h>
#include <bnn/minibatch.h>
#include <bnn/optimizer.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    double p, temperature, lr, lr_hyper, delta;
    int steps, cycle, draws, batch;
    bnn_optimizer optimizer;
    bnn_holdout_conf holdout;
} conf;

static const bnn_option options[] = {
    BNN_OPT_REAL(conf, p, "0.01", 1e-6, 0.999, "probability of dropping a unit, initially"),
    BNN_OPT_REAL(conf, temperature, "0.1", 0.01, 10, "of the relaxation of the gates"),
    BNN_OPT_INT(conf, steps, "8000", 1, 1e9, "gradients, of both runs of the search and of the refit, in no fewer than 8 epochs"),
    BNN_OPT_INT(conf, batch, "128", 1, 1e9, "rows of a minibatch (at most the rows to fit)"),
    BNN_OPT_REAL(conf, lr, "0.02", 0, 1e9, "step size on U/N"),
    BNN_OPT_REAL(conf, lr_hyper, "0.4", 0, 10, "step size of the logits of p, for each cycle"),
    BNN_OPT_REAL(conf, delta, "0.5", 1e-3, 10, "by which these differ between the runs, up and down"),
    BNN_OPT_INT(conf, cycle, "20", 1, 1e9, "minibatches after which the runs are compared"),
    BNN_OPT_INT(conf, draws, "16", 2, 1e6, "S of the comparison"),
    BNN_OPT_SPEC(conf, optimizer, BNN_OPTIMIZER, "adam", "an optimizer, as name or name{options}"),
    BNN_HOLDOUT_OPTIONS(conf, holdout),
    {0}};

static const double search_share = 0.7, alone_share = 0.2, refit_lr = 0.4;
enum { HELD_ROWS = 256, LEAST_HELD = 20 }; /* rows held out: of one comparison, at most; of a small table */
enum { LEAST_EPOCHS = 8, SCORINGS = 8 };   /* gradients for each minibatch of all rows; steps of Fisher scoring in a comparison */

/* One of the two runs of a cycle, with all that it writes to. */
typedef struct {
    bnn_workspace *ws;
    bnn_minibatch fit, held;
    bnn_real *theta, *grad, *moments; /* as those of the engine */
    bnn_real *f;                      /* [draws, rows, out] */
    double *share;                    /* [draws, rows, sites] log p, then the draw's share in the likelihood of its observation */
    double v;                         /* V under the noise that the cycle began with */
    bnn_terms terms;                  /* mean over the cycle */
    bnn_cost cost;
} run;

enum { CYCLES, STEPS, GRADIENTS, N_COUNTERS };

typedef struct {
    bnn_data all, fit, held; /* borrowed: the training rows; those to fit, those held out */
    int kept, *order;        /* [rows] the rows to fit, then those held out */
    bool search;             /* the current cycle is of the search, not of the refit */
    int n_runs, length;      /* of the current cycle */
    int steps;               /* gradients in all */
    bnn_minibatch every;     /* of all rows */
    run run[2];
    int n_ranges, n_gates, n_noise;
    bnn_range *range;         /* [n_ranges] parameters that follow U */
    size_t *gate;             /* [n_gates] where the parameters of gates stand in theta */
    bnn_real *theta;          /* [n_theta] */
    bnn_real *moments;        /* [state_per_theta, n_theta] of the optimiser */
    double *squares;          /* [n_gates] m */
    double *mean, mean_share; /* [n_gates + n_noise + 1] running sums of a, s and V, and of their weights */
    uint64_t counter[N_COUNTERS];
    char *remark;
} state;

/* Uses of streams. */
enum { FIT, HELD, ALL };        /* below BNN_STREAM_SHUFFLE */
enum { WEIGHTS, GATES, SIGNS }; /* below BNN_STREAM_STEP */

/* The two parts are data but for their number of rows: which rows those are is in order. */
static void lend_rows(state *s, const bnn_data *data) {
    s->fit = s->held = s->all = *data;
    s->fit.n = s->kept;
    s->held.n = data->n - s->kept;
}

static bnn_rng stream(const bnn_engine *e, uint64_t purpose, uint64_t use, uint64_t number) {
    return bnn_rng_split(bnn_rng_split(bnn_rng_split(e->rng, purpose), use), number);
}

static bnn_real *noise_of(const bnn_engine *e, bnn_real *theta) { return theta + e->model->net->n_theta; }

/* Gradients that the search may take. */
static double search_of(const state *s) { return search_share * s->steps; }

static bool searching(const state *s) { return (double)s->counter[GRADIENTS] < search_of(s); }

/* ---------------------------------------------------------------- opening */

static bnn_status adapt(const void *options_set, bnn_netspec *net) {
    const conf *c = options_set;
    char number[BNN_NUMBER_TEXT], p[64], relaxed[128];
    snprintf(p, sizeof p, "p=%s", bnn_number_print(c->p, number));
    snprintf(relaxed, sizeof relaxed, "%s,temperature=%s", p, bnn_number_print(c->temperature, number));
    BNN_TRY(bnn_netspec_gate(net, "concrete_dropout", relaxed));
    return bnn_netspec_gate_images(net, "spatial_concrete_dropout", p);
}

/* Holds out a share of the rows, of small tables more: up to LEAST_HELD rows, but no more than half. */
static bnn_status cut_rows(bnn_engine *e, const bnn_data *data) {
    state *s = e->state;
    bnn_holdout_conf how = ((const conf *)e->object.conf)->holdout;
    how.share = fmax(how.share, fmin(0.5, (double)LEAST_HELD / data->n));
    s->order = malloc((size_t)data->n * sizeof *s->order);
    if (!s->order) return bnn_oom("rows");
    BNN_TRY(bnn_holdout_order(data, &how, bnn_rng_split(e->rng, BNN_STREAM_HOLDOUT), &s->kept, s->order));
    lend_rows(s, data);
    return BNN_OK;
}

/* Sorts the parameters: those of gates and log variances follow rows held out, the others U. A range of HYPER may reach over all kinds. */
static bnn_status sort_parameters(const bnn_engine *e, state *s) {
    const bnn_model *m = e->model;
    const bnn_type *likelihood = m->likelihood.object.type, *optimizer = ((const conf *)e->object.conf)->optimizer.object.type;
    s->n_noise = likelihood->caps & BNN_LOG_VARIANCE ? m->likelihood.n_theta : 0;
    size_t net = (size_t)m->net->n_theta, behind = net + (size_t)s->n_noise;
    int kept = 0;
    BNN_TRY(bnn_model_ranges(m, optimizer->caps & BNN_OPTIMIZER_BY_BLOCKS, &s->n_ranges, &s->range));
    s->gate = calloc(net + 1, sizeof *s->gate);
    if (!s->gate) return bnn_oom("gates");
    for (int r = 0; r < s->n_ranges; r++) {
        bnn_range range = s->range[r];
        size_t end = range.offset + (size_t)range.length;
        for (size_t at = range.offset; range.hyper && at < end && at < net; at++) s->gate[s->n_gates++] = at;
        if (range.hyper && range.offset < behind) range.length = end > behind ? (int)(end - behind) : 0, range.offset = behind;
        if (range.length > 0) s->range[kept++] = range;
    }
    s->n_ranges = kept;
    return BNN_OK;
}

static int held_rows(const state *s) {
    int parts = (s->held.n + HELD_ROWS - 1) / HELD_ROWS;
    return (s->held.n + parts - 1) / parts;
}

static size_t moments_of(const bnn_engine *e) {
    return (size_t)bnn_optimizer_vtable(&((const conf *)e->object.conf)->optimizer)->state_per_theta * (size_t)e->model->n_theta;
}

static bnn_status open_run(bnn_engine *e, run *r) {
    const conf *c = e->object.conf;
    const state *s = e->state;
    const bnn_model *m = e->model;
    size_t n = (size_t)m->n_theta, seen = (size_t)c->draws * (size_t)held_rows(s);
    BNN_TRY(bnn_minibatch_open(&s->fit, c->batch, &r->fit));
    BNN_TRY(bnn_minibatch_open(&s->held, held_rows(s), &r->held));
    r->theta = bnn_reals_new(n);
    r->grad = bnn_reals_new(n);
    r->moments = bnn_reals_new(moments_of(e));
    r->f = bnn_reals_new(seen * (size_t)m->likelihood.out_dim);
    r->share = calloc(seen * (size_t)m->likelihood.sites, sizeof *r->share);
    if (!r->theta || !r->grad || !r->moments || !r->f || !r->share) return bnn_oom("a search");
    return bnn_workspace_new(m->net, s->every.rows > r->held.rows ? s->every.rows : r->held.rows, BNN_TO_THETA, &r->ws);
}

static double bytes_needed(const bnn_engine *e, const bnn_data *data) {
    const conf *c = e->object.conf;
    const bnn_model *m = e->model;
    int held = held_rows(e->state), batch = c->batch < data->n ? c->batch : data->n;
    double theta = (2.0 * m->n_theta + (double)moments_of(e)) * sizeof(bnn_real);
    double seen =
        (double)c->draws * held * (double)((size_t)m->likelihood.out_dim * sizeof(bnn_real) + (size_t)m->likelihood.sites * sizeof(double));
    return 2 * ((double)bnn_workspace_bytes(m->net, batch > held ? batch : held, BNN_TO_THETA) + theta + seen);
}

static bnn_status open(bnn_engine *e, const bnn_data *data) {
    const conf *c = e->object.conf;
    state *s = e->state;
    BNN_TRY(sort_parameters(e, s));
    s->theta = bnn_reals_new((size_t)e->model->n_theta);
    s->moments = bnn_reals_new(moments_of(e));
    s->squares = calloc((size_t)s->n_gates + 1, sizeof *s->squares);
    s->mean = calloc((size_t)(s->n_gates + s->n_noise) + 1, sizeof *s->mean);
    if (!s->theta || !s->moments || !s->squares || !s->mean) return bnn_oom("a search");
    bnn_model_init(e->model, bnn_rng_split(e->rng, BNN_STREAM_INIT), s->theta);
    if (data->n == 0) return BNN_OK;
    BNN_TRY(cut_rows(e, data));
    BNN_TRY(bnn_memory_check(bytes_needed(e, data), "training", "use a smaller batch or a smaller network"));
    BNN_TRY(bnn_minibatch_open(data, c->batch, &s->every));
    int least = LEAST_EPOCHS * bnn_minibatch_count(&s->every, data);
    s->steps = c->steps > least ? c->steps : least;
    bnn_engine_expect(e, s->steps, s->every.rows, (double)s->steps / c->cycle * c->draws * bnn_model_forward_flops(e->model, held_rows(s)));
    BNN_TRY(open_run(e, &s->run[0]));
    return open_run(e, &s->run[1]);
}

static void close_run(run *r) {
    bnn_workspace_free(r->ws);
    bnn_minibatch_close(&r->fit);
    bnn_minibatch_close(&r->held);
    free(r->theta);
    free(r->grad);
    free(r->moments);
    free(r->f);
    free(r->share);
}

static void close(bnn_engine *e) {
    state *s = e->state;
    close_run(&s->run[0]);
    close_run(&s->run[1]);
    bnn_minibatch_close(&s->every);
    free(s->order);
    free(s->range);
    free(s->gate);
    free(s->theta);
    free(s->moments);
    free(s->squares);
    free(s->mean);
    free(s->remark);
}

/* ---------------------------------------------------------------- weights: descent on U */

/* Of the i-th minibatch of the current cycle. */
static double step_size(const bnn_engine *e, int i) {
    const conf *c = e->object.conf;
    const state *s = e->state;
    double search = search_of(s), at = (double)s->counter[GRADIENTS] + (double)i * s->n_runs;
    double progress = s->search ? at / search : (at - search) / (s->steps - search);
    return (s->search ? c->lr : refit_lr * c->lr) * 0.5 * (1 + cos(M_PI * fmin(progress, 1)));
}

/* Sets the order of an epoch; rows[n]: where the rows of this part stand, NULL: it is all of them. */
static void shuffle(bnn_minibatch *batch, const bnn_data *data, const int *rows, bnn_rng rng) {
    bnn_minibatch_shuffle(batch, data, rng);
    for (int i = 0; rows && i < data->n; i++) batch->order[i] = rows[batch->order[i]];
}

static bnn_status descend(const bnn_engine *e, run *r, bnn_minibatch *batch, int i) {
    const conf *c = e->object.conf;
    const state *s = e->state;
    const bnn_model *model = e->model;
    const bnn_data *rows = s->search ? &s->fit : &s->all;
    uint64_t t = s->counter[STEPS] + (uint64_t)i, count = (uint64_t)bnn_minibatch_count(batch, rows);
    if (i == 0 || t % count == 0)
        shuffle(batch, rows, s->search ? s->order : NULL, stream(e, BNN_STREAM_SHUFFLE, s->search ? FIT : ALL, t / count));
    int m = bnn_minibatch_take(batch, rows, (int)(t % count));
    const bnn_objective u = {.n_total = rows->n, .scale = 1.0 / rows->n, .kl_weight = 1, .mode = BNN_ROWS};
    bnn_terms terms = bnn_model_u(model, r->ws, &u, stream(e, BNN_STREAM_STEP, WEIGHTS, t), r->theta, m, batch->x, batch->y, r->grad);
    bnn_net_absorb(model->net, r->ws, r->theta);
    if (!isfinite(bnn_terms_u(terms)))
        return bnn_fail(BNN_ERR_NUMERIC, "the objective is not finite in step %llu (nll %g, prior %g, kl %g): a smaller lr may help",
                        (unsigned long long)t + 1, terms.nll, terms.prior, terms.kl);
    r->terms.nll += terms.nll / s->length, r->terms.prior += terms.prior / s->length, r->terms.kl += terms.kl / s->length;
    r->cost.gradients++;
    r->cost.flops += bnn_model_gradient_flops(model, m);
    for (int k = 0; k < s->n_ranges; k++) {
        size_t at = s->range[k].offset;
        bnn_optimizer_vtable(&c->optimizer)
            ->step(&c->optimizer, step_size(e, i), t + 1, s->range[k].length, r->theta + at, r->grad + at, r->moments + at,
                   (size_t)model->n_theta);
    }
    return BNN_OK;
}

/* ---------------------------------------------------------------- rows held out */

/* Sets V of one observation under S draws, log p of draw k at share[k stride], which becomes the share of the draw. NaN: it is void. */
static double mix(int draws, size_t stride, double *share) {
    double top = -INFINITY, sum = 0;
    for (int k = 0; k < draws; k++) top = fmax(top, share[(size_t)k * stride]);
    for (int k = 0; k < draws; k++) sum += share[(size_t)k * stride] = exp(share[(size_t)k * stride] - top);
    for (int k = 0; k < draws; k++) share[(size_t)k * stride] /= sum;
    return top + log(sum / draws);
}

/* V of m rows under the noise in theta, and the shares of the draws. */
static double mixture(const bnn_engine *e, run *r, int m) {
    const bnn_likelihood *l = &e->model->likelihood;
    int draws = ((const conf *)e->object.conf)->draws, seen = 0;
    size_t stride = (size_t)m * (size_t)l->sites;
    double sum = 0;
    for (int k = 0; k < draws; k++)
        bnn_likelihood_vtable(l)->observe(l, m, r->f + (size_t)k * (size_t)(m * l->out_dim), r->held.y, noise_of(e, r->theta),
                                          &(bnn_observation){.logp = r->share + (size_t)k * stride});
    for (size_t i = 0; i < stride; i++) {
        if (isnan(r->share[i])) continue;
        sum += mix(draws, stride, r->share + i);
        seen++;
    }
    return seen > 0 ? sum / seen : 0;
}

/* One step of Fisher scoring, by at most 1 for each log variance. */
static void score_noise(const bnn_engine *e, run *r, int m) {
    const bnn_likelihood *l = &e->model->likelihood;
    const state *s = e->state;
    int draws = ((const conf *)e->object.conf)->draws, d = s->n_noise;
    bnn_real *noise = noise_of(e, r->theta), *slope = noise_of(e, r->grad);
    memset(slope, 0, (size_t)d * sizeof *slope);
    if (bnn_likelihood_vtable(l)->logp) bnn_likelihood_vtable(l)->logp(l, noise, 1.0 / s->held.n, slope);
    for (int k = 0; k < d; k++) {
        double squares = 0;
        for (int i = 0; i < draws * m; i++) {
            double error = (double)r->f[i * d + k] - (double)r->held.y[i % m * d + k];
            squares += r->share[i] * error * error;
        }
        double dv = 0.5 * (squares / m * exp(-(double)noise[k]) - 1) + (double)slope[k];
        noise[k] += (bnn_real)fmin(fmax(2 * dv, -1), 1);
    }
}

static void compare(const bnn_engine *e, run *r) {
    const conf *c = e->object.conf;
    const state *s = e->state;
    const bnn_model *model = e->model;
    uint64_t count = (uint64_t)bnn_minibatch_count(&r->held, &s->held), cycle = s->counter[CYCLES];
    shuffle(&r->held, &s->held, s->order + s->kept, stream(e, BNN_STREAM_SHUFFLE, HELD, cycle / count));
    int m = bnn_minibatch_take(&r->held, &s->held, (int)(cycle % count));
    size_t size = (size_t)m * (size_t)model->likelihood.out_dim;
    bnn_rng gates = stream(e, BNN_STREAM_STEP, GATES, cycle);
    for (int k = 0; k < c->draws; k++) {
        bnn_net_prepare(model->net, r->ws, r->theta, BNN_ROWS, false, bnn_rng_split(gates, (uint64_t)k));
        memcpy(r->f + (size_t)k * size, bnn_net_forward(model->net, r->ws, m, 0, r->held.x), size * sizeof *r->f);
    }
    r->cost.forwards += (uint64_t)c->draws;
    r->cost.flops += c->draws * bnn_model_forward_flops(model, m);
    r->v = mixture(e, r, m);
    for (int i = 0; s->n_noise > 0 && i < SCORINGS; i++) {
        score_noise(e, r, m);
        mixture(e, r, m);
    }
}

/* ---------------------------------------------------------------- a cycle */

static bnn_status advance(void *context, int k) {
    bnn_engine *e = context;
    state *s = e->state;
    run *r = &s->run[k];
    for (int i = 0; i < s->length; i++) BNN_TRY(descend(e, r, s->search ? &r->fit : &s->every, i));
    if (s->search) compare(e, r);
    return BNN_OK;
}

/* e_g of this cycle. */
static double sign_of(const bnn_engine *e, int g) {
    uint32_t word;
    bnn_rng_words(stream(e, BNN_STREAM_STEP, SIGNS, ((const state *)e->state)->counter[CYCLES]), (uint64_t)g, 1, 1, &word);
    return word & 1 ? 1 : -1;
}

static void part(const bnn_engine *e, state *s) {
    const conf *c = e->object.conf;
    int left = (s->steps - (int)s->counter[GRADIENTS]) / s->n_runs;
    s->length = left < 1 ? 1 : left < c->cycle ? left : c->cycle;
    for (int k = 0; k < s->n_runs; k++) {
        run *r = &s->run[k];
        r->terms = (bnn_terms){0};
        r->cost = (bnn_cost){0};
        memcpy(r->theta, s->theta, (size_t)e->model->n_theta * sizeof *r->theta);
        memcpy(r->moments, s->moments, moments_of(e) * sizeof *r->moments);
        for (int g = 0; s->n_runs == 2 && g < s->n_gates; g++) r->theta[s->gate[g]] += (bnn_real)((k ? -1 : 1) * c->delta * sign_of(e, g));
    }
}

static void average(size_t n, int n_runs, const bnn_real *a, const bnn_real *b, bnn_real *out) {
    for (size_t i = 0; i < n; i++) out[i] = n_runs == 2 ? (a[i] + b[i]) / 2 : a[i];
}

/* The runs become one. */
static void join(bnn_engine *e, state *s) {
    average((size_t)e->model->n_theta, s->n_runs, s->run[0].theta, s->run[1].theta, s->theta);
    average(moments_of(e), s->n_runs, s->run[0].moments, s->run[1].moments, s->moments);
    for (int k = 0; k < s->n_runs; k++) {
        bnn_cost_add(&e->cost, &s->run[k].cost);
        s->counter[GRADIENTS] += (uint64_t)s->length;
    }
    s->counter[STEPS] += (uint64_t)s->length;
}

/* done: share of the search before this cycle. */
static void move_gates(const bnn_engine *e, state *s, double done) {
    const conf *c = e->object.conf;
    double rise = (s->run[0].v - s->run[1].v) / (2 * c->delta);
    for (int g = 0; isfinite(rise) && g < s->n_gates; g++) {
        double slope = sign_of(e, g) * rise, *m = &s->squares[g];
        *m = *m > 0 ? 0.7 * *m + 0.3 * slope * slope : slope * slope;
        s->theta[s->gate[g]] += (bnn_real)(c->lr_hyper * (1 - 0.8 * done) * slope / (sqrt(*m) + 0.01));
    }
}

/* Keeps running means of what is learned on rows held out. */
static void follow(const bnn_engine *e, state *s) {
    const double memory = 0.9;
    int n = s->n_gates + s->n_noise;
    for (int i = 0; i <= n; i++) {
        double now = i < s->n_gates ? (double)s->theta[s->gate[i]]
                     : i < n        ? (double)noise_of(e, s->theta)[i - s->n_gates]
                                    : (s->run[0].v + s->run[s->n_runs - 1].v) / 2;
        s->mean[i] = memory * s->mean[i] + (1 - memory) * now;
    }
    s->mean_share = memory * s->mean_share + (1 - memory);
}

/* Says what rows held out have decided, and how well they are predicted, in the units of y. */
static bnn_status write_remark(const bnn_engine *e, state *s) {
    const bnn_model *m = e->model;
    double v = s->mean[s->n_gates + s->n_noise] / s->mean_share;
    for (int k = 0; m->likelihood.n_classes == 0 && k < m->likelihood.y_dim; k++) v -= log(m->likelihood.y_sd[k]);
    char text[200];
    const char *what = s->n_gates == 0 ? (s->n_noise == 0 ? "nothing" : "noise") : s->n_noise == 0 ? "p" : "p and noise";
    bnn_print(text, sizeof text, "%s learned on %d rows held out of %d, in %d cycles: log-likelihood there %.4f", what, s->held.n, s->all.n,
              (int)s->counter[CYCLES], v);
    free(s->remark);
    s->remark = strdup(text);
    return s->remark ? BNN_OK : bnn_oom("a remark");
}

/* The search is over. */
static bnn_status settle(const bnn_engine *e, state *s) {
    for (int g = 0; g < s->n_gates; g++) s->theta[s->gate[g]] = (bnn_real)(s->mean[g] / s->mean_share);
    for (int k = 0; k < s->n_noise; k++) noise_of(e, s->theta)[k] = (bnn_real)(s->mean[s->n_gates + k] / s->mean_share);
    return write_remark(e, s);
}

static bnn_status search_step(bnn_engine *e, state *s) {
    double done = (double)s->counter[GRADIENTS] / search_of(s);
    s->search = true;
    s->n_runs = s->n_gates > 0 && done >= alone_share ? 2 : 1;
    part(e, s);
    BNN_TRY(bnn_jobs_run(s->n_runs, advance, e));
    join(e, s);
    if (s->n_runs == 2) move_gates(e, s, done);
    follow(e, s);
    s->counter[CYCLES]++;
    return searching(s) ? BNN_OK : settle(e, s);
}

static bnn_status refit_step(bnn_engine *e, state *s) {
    s->search = false;
    s->n_runs = 1;
    part(e, s);
    BNN_TRY(advance(e, 0));
    join(e, s);
    return BNN_OK;
}

static bnn_status step(bnn_engine *e, const bnn_data *data, bnn_step *out) {
    state *s = e->state;
    lend_rows(s, data);
    BNN_TRY(searching(s) ? search_step(e, s) : refit_step(e, s));
    out->theta = s->theta;
    out->terms = s->run[0].terms;
    out->done = s->counter[GRADIENTS] >= (uint64_t)s->steps;
    out->progress = out->done ? 1 : (double)s->counter[GRADIENTS] / s->steps;
    return BNN_OK;
}

static bnn_status draw(const bnn_engine *e, int number, bnn_rng rng, bnn_real *theta) {
    (void)number, (void)rng; /* one parameter vector; the gates make the noise */
    memcpy(theta, ((const state *)e->state)->theta, (size_t)e->model->n_theta * sizeof *theta);
    return BNN_OK;
}

static int blocks(bnn_engine *e, bnn_block *out) {
    state *s = e->state;
    size_t means = (size_t)(s->n_gates + s->n_noise) + 1;
    out[0] = (bnn_block){.name = "theta", .kind = BNN_BLOCK_REAL, .data = s->theta, .length = (size_t)e->model->n_theta, .theta = true};
    out[1] = (bnn_block){.name = "moments", .kind = BNN_BLOCK_REAL, .data = s->moments, .length = moments_of(e)};
    out[2] = (bnn_block){.name = "squares", .kind = BNN_BLOCK_DOUBLE, .data = s->squares, .length = (size_t)s->n_gates};
    out[3] = (bnn_block){.name = "mean", .kind = BNN_BLOCK_DOUBLE, .data = s->mean, .length = means};
    out[4] = (bnn_block){.name = "mean_share", .kind = BNN_BLOCK_DOUBLE, .data = &s->mean_share, .length = 1};
    out[5] = (bnn_block){.name = "counter", .kind = BNN_BLOCK_U64, .data = s->counter, .length = N_COUNTERS};
    return 6;
}

static bnn_status resume(bnn_engine *e, const bnn_data *data) {
    state *s = e->state;
    const uint64_t *n = s->counter;
    (void)data;
    if (n[STEPS] > n[GRADIENTS] || n[CYCLES] > n[STEPS])
        return bnn_fail(BNN_ERR_FORMAT, "the counts of cycles, steps and gradients contradict each other");
    return searching(s) ? BNN_OK : write_remark(e, s);
}

static const char *remark(const bnn_engine *e) { return ((const state *)e->state)->remark; }

static const char *const checks[] = {"held_out_dropout:steps=60,batch=8,cycle=4", "held_out_dropout:steps=40,cycle=3,draws=4,optimizer=sgd",
                                     NULL};

const bnn_engine_type bnn_engine_held_out_dropout = {
    .type = {BNN_TYPE(bnn_engine_type), .name = "held_out_dropout",
             .summary = "dropout whose p and noise are learned on rows held out, then a refit",
             .reference = "Gal, Hron & Kendall 2017 (gates); Spall 1992 (differences)", .caps = BNN_ONE_THETA | BNN_ABSORBS | BNN_TAKES,
             .conf_size = sizeof(conf), .options = options, .checks = checks},
    .state_size = sizeof(state),
    .open = open,
    .step = step,
    .close = close,
    .draw = draw,
    .blocks = blocks,
    .adapt = adapt,
    .remark = remark,
    .resume = resume,
    .fails = "a fifth of the rows decides: on a few dozen of them p is a guess; a tail heavier than Gaussian noise widens all "
             "intervals. Seen as: its remark says how many rows; underconfident.",
};
