/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * hooks.c: hooks that some engines have (begin, place), what an engine counts of its own work, and a noise that is learned.
 */
#include "check/numeric.h"
#include "engine.h"

#include <gsl/gsl_cdf.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 24 };

/* ---------------------------------------------------------------- cost */

/* A likelihood that counts the rows that it is asked for; `type` is a copy of the real one with another nll. */
typedef struct {
    bnn_likelihood_type type;
    const bnn_likelihood_type *real;
    int all;                         /* rows of the data */
    _Atomic uint64_t rows[2], calls; /* without and with a gradient; gradients asked for */
    _Atomic bool parts;              /* some call was for fewer than all rows */
} counter;

static double counted_nll(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta, double scale,
                          bnn_real *df, bnn_real *dtheta) {
    counter *k = (counter *)(void *)l->object.type; /* its first member */
    k->rows[df != NULL] += (uint64_t)n;
    k->calls += df != NULL;
    if (n != k->all) k->parts = true;
    return k->real->nll(l, n, f, y, theta, scale, df, dtheta);
}

static void judge_cost(bnn_checker *c, const bnn_engine *e, const counter *k, const bnn_cost *before) {
    double n = k->all, gradients = (double)(e->cost.gradients - before->gradients),
           forwards = (double)(e->cost.forwards - before->forwards);
    double rows = (double)k->rows[1], others = (double)k->rows[0], flops = e->cost.flops - before->flops;
    double least = (rows * bnn_model_gradient_flops(e->model, k->all) + others * bnn_model_forward_flops(e->model, k->all)) / n;
    if (gradients * n < rows)
        bnn_checker_break(c, "%.0f gradients are counted, but the likelihood was asked for those of %.0f rows, %.5g times all %d",
                          gradients, rows, rows / n, k->all);
    if (e->object.type->caps & BNN_EXACT && !k->parts && gradients != (double)k->calls)
        bnn_checker_break(c, "%.0f gradients are counted, but %.0f were asked for (ratio %.4g)", gradients, (double)k->calls,
                          gradients / (double)k->calls);
    if (forwards * n < others)
        bnn_checker_break(c, "%.0f forward passes are counted, but the likelihood was asked for %.0f rows without a gradient", forwards,
                          others);
    if (!(flops >= 0.9 * least))
        bnn_checker_break(c, "%.5g operations are counted, where at least %.5g were made (ratio %.4g)", flops, least, flops / least);
}

bnn_status bnn_rule_cost(bnn_checker *c, const bnn_engine_case *k) {
    bnn_case_rows rows;
    bnn_engine *e;
    bnn_texts texts = bnn_case_texts(k->type, false);
    if (k->type->held || k->type->fitted || k->type->member) {
        bnn_checker_skip(c, "others that it holds do the work");
        return BNN_OK;
    }
    texts.likelihood = "gaussian:tau=0.1"; /* nothing of its own to fit without the network */
    BNN_TRY(bnn_case_rows_open(ROWS, 1, 0, &rows));
    bnn_status s = bnn_engine_new(k->spec, &texts, rows.data, bnn_rng_seed(5), &e);
    if (s == BNN_OK) {
        bnn_step first = {0};
        s = bnn_engine_step(e, rows.data, &first); /* what is worked out anew wherever a run goes on is not counted */
        const bnn_type **type = &e->model->likelihood.object.type, *real = *type;
        counter count = {.type = *(const bnn_likelihood_type *)real, .real = (const bnn_likelihood_type *)real, .all = ROWS};
        const bnn_cost before = e->cost;
        count.type.nll = counted_nll;
        *type = &count.type.type;
        if (s == BNN_OK && !first.done) s = bnn_case_finish(e, rows.data);
        *type = real;
        if (s == BNN_OK) judge_cost(c, e, &count, &before);
        bnn_engine_free(e);
    }
    bnn_case_rows_close(&rows);
    return s;
}

/* ---------------------------------------------------------------- begun elsewhere */

enum { GIVEN, AGAIN, OTHER, LOUDER, N_BEGUN };

/* What another run is to have ended with: two parameter vectors, and the first with another noise. */
static void give(const bnn_model *m, int which, bnn_real *theta) {
    bnn_model_init(m, bnn_rng_split(bnn_rng_seed(21), which == OTHER), theta);
    for (int i = 0; i < m->n_theta; i++) theta[i] += (bnn_real)0.25;
    for (int i = 0; which == LOUDER && i < m->likelihood.n_theta; i++) theta[m->net->n_theta + i] += 1;
}

static bnn_status begin_one(bnn_checker *c, bnn_engine *e, int which) {
    size_t n = (size_t)e->model->n_theta;
    bnn_real *theta = calloc(2 * n + 1, sizeof *theta);
    if (!theta) return bnn_oom("a rule");
    give(e->model, which, theta), give(e->model, which, theta + n);
    bnn_status s = bnn_engine_vtable(e)->begin(e, theta);
    if (memcmp(theta, theta + n, n * sizeof *theta) != 0) bnn_checker_break(c, "begin changes the parameters that it is given");
    free(theta);
    return s;
}

static bnn_status compare_begun(bnn_checker *c, bnn_engine *e[N_BEGUN], const bnn_data *data) {
    char where[BNN_DIFFERENCE_TEXT];
    bnn_case_difference(e[GIVEN], e[OTHER], where);
    if (!*where) bnn_checker_break(c, "begun with other parameters it holds the same: are they taken?");
    bnn_case_difference(e[GIVEN], e[LOUDER], where);
    if (!*where) bnn_checker_break(c, "begun with another noise of the likelihood it holds the same: are its parameters taken, too?");
    if (bnn_checker_broken(c)) return BNN_OK;
    BNN_TRY(bnn_case_copy_state(e[GIVEN], e[AGAIN], data));
    BNN_TRY(bnn_case_finish(e[GIVEN], data));
    BNN_TRY(bnn_case_finish(e[AGAIN], data));
    bnn_case_difference(e[GIVEN], e[AGAIN], where);
    if (*where)
        bnn_checker_break(c, "begun, and stopped and gone on with before its first step, %s: is it in a block that it was begun?", where);
    return BNN_OK;
}

bnn_status bnn_rule_begin(bnn_checker *c, const bnn_engine_case *k) {
    bnn_case_rows rows;
    bnn_engine *e[N_BEGUN] = {0};
    bnn_texts texts = bnn_case_texts(k->type, false);
    if (!k->type->begin) {
        bnn_checker_skip(c, "it cannot begin where another has ended");
        return BNN_OK;
    }
    BNN_TRY(bnn_case_rows_open(ROWS, 1, 0, &rows));
    bnn_status s = BNN_OK;
    for (int i = 0; i < N_BEGUN && s == BNN_OK; i++) {
        s = bnn_engine_new(k->spec, &texts, rows.data, bnn_rng_seed(5), &e[i]);
        if (s == BNN_OK && i != AGAIN) s = begin_one(c, e[i], i);
    }
    if (s == BNN_OK) s = compare_begun(c, e, rows.data);
    for (int i = 0; i < N_BEGUN; i++) bnn_engine_free(e[i]);
    bnn_case_rows_close(&rows);
    return s;
}

/* ---------------------------------------------------------------- placed */

/* A chain behind its warm-up, which is placed twice: somewhere, and where it is compared. */
typedef struct {
    const bnn_engine_case *k;
    bnn_texts texts;
    bnn_case_rows rows, turned; /* turned: with y the other way round */
    bnn_engine *e;
} placed;

/* theta away from everything: U is the larger the larger `size` is. */
static bnn_status place_at(bnn_engine *e, double size, uint64_t seed) {
    int n = e->model->n_theta;
    bnn_real *theta = calloc((size_t)n + 1, sizeof *theta);
    if (!theta) return bnn_oom("a rule");
    bnn_rng_normal(bnn_rng_seed(seed), 0, 1, n, theta);
    for (int i = 0; i < n; i++) theta[i] *= (bnn_real)size;
    bnn_status s = bnn_engine_vtable(e)->place(e, theta);
    free(theta);
    return s;
}

/* The state of p->e with a history of its own: a transition from `size` on these rows; then placed at `last`. */
static bnn_status place_twice(const placed *p, double size, const bnn_data *data, double last, bnn_engine **out) {
    bnn_step step;
    BNN_TRY(bnn_engine_new(p->k->spec, &p->texts, p->rows.data, bnn_rng_seed(5), out));
    BNN_TRY(bnn_case_copy_state(p->e, *out, p->rows.data));
    BNN_TRY(place_at(*out, size, 31));
    BNN_TRY(bnn_engine_step(*out, data, &step));
    BNN_TRY(place_at(*out, last, 32));
    return bnn_engine_step(*out, p->rows.data, &step);
}

/* The first chain whose newest draws differ; -1: none. */
static bnn_status first_apart(const bnn_engine *a, const bnn_engine *b, int *chain) {
    const bnn_engine_type *type = bnn_engine_vtable(a);
    int chains = bnn_engine_chains(a), length = type->n_draws(a) / chains;
    size_t n = (size_t)a->model->n_theta;
    bnn_real *x = calloc(2 * n + 1, sizeof *x), *y = x + n;
    bnn_status s = x ? BNN_OK : bnn_oom("a rule");
    *chain = -1;
    for (int k = 0; k < chains && s == BNN_OK && *chain < 0; k++) {
        s = type->draw(a, (k + 1) * length - 1, bnn_case_stream(0), x);
        if (s == BNN_OK) s = type->draw(b, (k + 1) * length - 1, bnn_case_stream(0), y);
        if (s == BNN_OK && memcmp(x, y, n * sizeof *x) != 0) *chain = k;
    }
    free(x);
    return s;
}

/* From two histories to one place: the same transition. */
static bnn_status compare_histories(bnn_checker *c, const placed *p, double size, const bnn_data *data, double last, const char *what) {
    bnn_engine *a = NULL, *b = NULL;
    int apart = -1;
    bnn_status s = place_twice(p, 0.1, p->rows.data, last, &a);
    if (s == BNN_OK) s = place_twice(p, size, data, last, &b);
    if (s == BNN_OK) s = first_apart(a, b, &apart);
    if (apart >= 0)
        bnn_checker_break(
            c,
            "placed at the same theta, after %s, chain %d makes another transition: is place for every chain and parameter, and is "
            "something kept of where it stood?",
            what, apart + 1);
    bnn_engine_free(a), bnn_engine_free(b);
    return s;
}

static bnn_status compare_placed(bnn_checker *c, const placed *p) {
    static const double last[] = {0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1, 1.5}; /* where U is about as large as in the histories, and elsewhere */
    bnn_engine *a = NULL, *b = NULL;
    int apart = -1;
    bnn_status s = place_twice(p, 0.1, p->rows.data, 0.5, &a);
    if (s == BNN_OK) s = place_twice(p, 0.1, p->rows.data, 1, &b);
    if (s == BNN_OK) s = first_apart(a, b, &apart);
    if (s == BNN_OK && apart < 0) bnn_checker_break(c, "placed at another theta it makes the same transition");
    bnn_engine_free(a), bnn_engine_free(b);
    for (size_t i = 0; i < sizeof last / sizeof *last && s == BNN_OK && !bnn_checker_broken(c); i++) {
        s = compare_histories(c, p, 0.5, p->rows.data, last[i], "it was elsewhere");
        if (s == BNN_OK) s = compare_histories(c, p, 3, p->rows.data, last[i], "it was far away");
        if (s == BNN_OK) s = compare_histories(c, p, 0.1, p->turned.data, last[i], "a step on other rows");
    }
    return s;
}

static void turn(const bnn_data *data) {
    for (int i = 0; i < data->n / 2; i++) {
        bnn_real first = data->y[i];
        data->y[i] = data->y[data->n - 1 - i], data->y[data->n - 1 - i] = first;
    }
}

/* On to where draws are kept, so that no tuning has a history. */
static bnn_status warm(placed *p) {
    bnn_step step = {0};
    while (!step.done && p->k->type->n_draws(p->e) == 0) BNN_TRY(bnn_engine_step(p->e, p->rows.data, &step));
    return BNN_OK;
}

bnn_status bnn_rule_place(bnn_checker *c, const bnn_engine_case *k) {
    placed p = {.k = k, .texts = bnn_case_texts(k->type, false)};
    if (!k->type->place || !k->type->n_draws) {
        bnn_checker_skip(c, "its chains cannot be placed");
        return BNN_OK;
    }
    bnn_status s = bnn_case_rows_open(ROWS, 1, 0, &p.rows);
    if (s == BNN_OK) s = bnn_case_rows_open(ROWS, 1, 0, &p.turned);
    if (s == BNN_OK) {
        turn(p.turned.data);
        s = bnn_engine_new(k->spec, &p.texts, p.rows.data, bnn_rng_seed(5), &p.e);
    }
    if (s == BNN_OK) s = warm(&p);
    if (s == BNN_OK) s = compare_placed(c, &p);
    bnn_engine_free(p.e);
    bnn_case_rows_close(&p.rows), bnn_case_rows_close(&p.turned);
    return s;
}

/* ---------------------------------------------------------------- a noise that is learned */

enum { PASSES = 1000 };

/* Mean and spread over draws of dU/ds for the first noise parameter s, moved by `off`. */
static bnn_status noise_slope(const bnn_engine *e, const bnn_data *data, double off, moments *out) {
    const bnn_model *m = e->model;
    const bnn_objective u = {.n_total = data->n, .scale = 1, .kl_weight = 1, .mode = BNN_DRAW};
    size_t n = (size_t)m->n_theta, at = (size_t)m->net->n_theta;
    bnn_workspace *ws;
    bnn_real *theta = calloc(2 * n + 1, sizeof *theta);
    bnn_status s = theta ? bnn_workspace_new(m->net, data->n, BNN_TO_THETA, &ws) : bnn_oom("a rule");
    *out = (moments){0};
    if (s == BNN_OK) {
        for (int i = 0; i < PASSES && s == BNN_OK; i++) {
            s = bnn_engine_draw(e, i, bnn_case_stream(i), theta);
            theta[at] += (bnn_real)off;
            bnn_model_u(m, ws, &u, bnn_rng_split(bnn_case_stream(i), 1), theta, data->n, data->x, data->y, theta + n);
            moments_add(out, (double)theta[n + at]);
        }
        bnn_workspace_free(ws);
    }
    free(theta);
    return s;
}

static bnn_status judge_noise(bnn_checker *c, const bnn_engine_case *k, const bnn_engine *e, const bnn_data *data) {
    static const double h = 0.1;
    moments here, low, high;
    BNN_TRY(noise_slope(e, data, 0, &here));
    BNN_TRY(noise_slope(e, data, -h, &low));
    BNN_TRY(noise_slope(e, data, h, &high));
    double curvature = (high.mean - low.mean) / (2 * h), sd = 1 / sqrt(curvature), se = sqrt(moments_var(&here) / here.n);
    double off = here.mean / curvature, chance = gsl_cdf_tdist_Qinv(0.5e-7, PASSES - 1) * se / curvature;
    if (!(fabs(off) <= (k->claim->error + 0.05) * sd + chance))
        bnn_checker_break(
            c, "the log variance of the noise is %.4g +- %.2g off the place where E[U] is least (its sd is %.4g): is it learned?", off,
            se / curvature, sd);
    return BNN_OK;
}

bnn_status bnn_rule_learned_noise(bnn_checker *c, const bnn_engine_case *k) {
    bnn_case_rows rows;
    bnn_engine *e;
    const bnn_texts texts = {.net = "dense", .likelihood = "gaussian:sd=0.3,shape=2", .prior = "gauss:sd=0.7"};
    int finds = k->claim->finds;
    bool variational = finds == BNN_FINDS_MEAN_FIELD && !k->type->held; /* around the mode of another it need not be */
    if (finds != BNN_FINDS_MODE && finds != BNN_FINDS_GATED && !variational) {
        bnn_checker_skip(c, "what it claims of a noise is asked by identities, if at all");
        return BNN_OK;
    }
    BNN_TRY(bnn_case_rows_open(ROWS, 1, 0, &rows));
    bnn_status s = bnn_case_fit(k->spec, &texts, rows.data, 9, &e);
    if (s == BNN_OK) {
        s = judge_noise(c, k, bnn_engine_fitted(e), rows.data);
        bnn_engine_free(e);
    }
    bnn_case_rows_close(&rows);
    return s;
}
