/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * calls.c: one run against others: with the same seed, in turns, on other numbers of threads; and one draw against others.
 */
#include "engine.h"

#include <bnn/predict.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 24, LARGER_ROWS = 40 };

/* ---------------------------------------------------------------- progress */

static void check_step(bnn_checker *c, const bnn_engine *e, const bnn_step *step, double before, int number) {
    const bnn_engine *fitted = bnn_engine_fitted(e);
    int n = fitted ? fitted->model->n_theta : 0;
    if (!(step->progress >= before - 1e-12 && step->progress <= 1 + 1e-12))
        bnn_checker_break(c, "progress goes from %g to %g in step %d", before, step->progress, number);
    if (!isfinite(bnn_terms_u(step->terms)))
        bnn_checker_break(c, "U is %g in step %d (nll %g, prior %g, kl %g)", bnn_terms_u(step->terms), number, step->terms.nll,
                          step->terms.prior, step->terms.kl);
    for (int i = 0; step->theta && i < n; i++)
        if (!isfinite(step->theta[i])) bnn_checker_break(c, "theta[%d] is %g after step %d", i, (double)step->theta[i], number);
}

static bnn_status walk(bnn_checker *c, bnn_engine *e, const bnn_data *data) {
    const bnn_engine_type *t = bnn_engine_vtable(e);
    bnn_prediction *p;
    bnn_step step = {0};
    if (t->fitted && bnn_predict(e, data, &(bnn_predict_options){.samples = 2}, &p) == BNN_OK) {
        bnn_checker_break(c, "predicts before its first step");
        bnn_prediction_free(p);
    }
    for (int i = 1; !step.done && !bnn_checker_broken(c); i++) {
        double before = step.progress;
        BNN_TRY(bnn_engine_step(e, data, &step));
        check_step(c, e, &step, before, i);
        if (!step.done && step.progress >= 1 - 1e-12) bnn_checker_break(c, "progress is 1 after step %d, but it is not done", i);
    }
    if (step.done && !(fabs(step.progress - 1) < 1e-9)) bnn_checker_break(c, "is done at progress %g", step.progress);
    return BNN_OK;
}

bnn_status bnn_rule_progress(bnn_checker *c, const bnn_engine_case *k) {
    bnn_case_rows rows;
    bnn_engine *e;
    bnn_texts texts = bnn_case_texts(k->type, false);
    BNN_TRY(bnn_case_rows_open(ROWS, 1, 0, &rows));
    bnn_status s = bnn_engine_new(k->spec, &texts, rows.data, bnn_rng_seed(1), &e);
    if (s == BNN_OK) {
        s = walk(c, e, rows.data);
        if (s == BNN_OK && e->cost.gradients + e->cost.forwards == 0)
            bnn_checker_break(c, "neither gradients nor forward passes are counted in its cost");
        bnn_engine_free(e);
    }
    bnn_case_rows_close(&rows);
    return s;
}

/* ---------------------------------------------------------------- seeds */

enum { FIRST, AGAIN, OTHER, IN_TURNS, BESIDE, N_RUNS };
static const uint64_t seeds[N_RUNS] = {5, 5, 6, 5, 6};

static bnn_status step_both(bnn_engine *a, bnn_engine *b, const bnn_data *data) {
    bnn_step of_a = {0}, of_b = {0};
    while (!of_a.done || !of_b.done) {
        if (!of_a.done) BNN_TRY(bnn_engine_step(a, data, &of_a));
        if (!of_b.done) BNN_TRY(bnn_engine_step(b, data, &of_b));
    }
    return BNN_OK;
}

/* Says whether the first draws of two engines differ, with one stream. */
static bnn_status draws_differ(const bnn_engine *a, const bnn_engine *b, bool *differ) {
    size_t n = (size_t)bnn_engine_fitted(a)->model->n_theta;
    bnn_real *x = calloc(2 * n + 1, sizeof *x), *y = x + n;
    bnn_status s = x ? bnn_engine_draw(a, 0, bnn_case_stream(0), x) : bnn_oom("a rule");
    if (s == BNN_OK) s = bnn_engine_draw(b, 0, bnn_case_stream(0), y);
    *differ = s == BNN_OK && memcmp(x, y, n * sizeof *x) != 0;
    free(x);
    return s;
}

static bnn_status fit_all(const char *spec, const bnn_texts *texts, const bnn_data *data, bnn_engine *e[N_RUNS]) {
    for (int i = 0; i < N_RUNS; i++) BNN_TRY(bnn_engine_new(spec, texts, data, bnn_rng_seed(seeds[i]), &e[i]));
    for (int i = 0; i < IN_TURNS; i++) BNN_TRY(bnn_case_finish(e[i], data));
    return step_both(e[IN_TURNS], e[BESIDE], data);
}

static bnn_status compare_runs(bnn_checker *c, bnn_engine *e[N_RUNS]) {
    char where[BNN_DIFFERENCE_TEXT];
    bool differ;
    bnn_case_difference(e[FIRST], e[AGAIN], where);
    if (*where) bnn_checker_break(c, "the same seed again gives other bits: %s: is something kept in a static?", where);
    bnn_case_difference(e[FIRST], e[IN_TURNS], where);
    if (*where) bnn_checker_break(c, "another run in between changes bits: %s: is something kept in a static?", where);
    bnn_case_difference(e[OTHER], e[BESIDE], where);
    if (*where) bnn_checker_break(c, "another run in between changes bits: %s: is something kept in a static?", where);
    BNN_TRY(draws_differ(e[FIRST], e[OTHER], &differ));
    if (!differ) bnn_checker_break(c, "another seed gives the same draw: does it come from the engine's rng?");
    return BNN_OK;
}

bnn_status bnn_rule_repeat(bnn_checker *c, const bnn_engine_case *k) {
    bnn_case_rows rows, untouched;
    bnn_engine *e[N_RUNS] = {0};
    bnn_texts texts = bnn_case_texts(k->type, false);
    BNN_TRY(bnn_case_rows_open(ROWS, 1, 0, &rows));
    bnn_status s = bnn_case_rows_open(ROWS, 1, 0, &untouched);
    if (s == BNN_OK) {
        s = fit_all(k->spec, &texts, rows.data, e);
        if (memcmp(rows.data->x, untouched.data->x, ROWS * BNN_CASE_IN * sizeof(bnn_real)) != 0)
            bnn_checker_break(c, "changes the data's x");
        if (memcmp(rows.data->y, untouched.data->y, ROWS * sizeof(bnn_real)) != 0) bnn_checker_break(c, "changes the data's y");
        if (s == BNN_OK) s = compare_runs(c, e);
        for (int i = 0; i < N_RUNS; i++) bnn_engine_free(e[i]);
        bnn_case_rows_close(&untouched);
    }
    bnn_case_rows_close(&rows);
    return s;
}

/* ---------------------------------------------------------------- threads */

enum { COUNTS = 3, SAMPLES = 33 };

static bnn_status fit_and_predict(const char *spec, const bnn_texts *texts, const bnn_data *data, int threads, bnn_engine **e,
                                  bnn_prediction **p) {
    int before = omp_get_max_threads();
    omp_set_num_threads(threads);
    bnn_status s = bnn_case_fit(spec, texts, data, 5, e);
    if (s == BNN_OK) s = bnn_predict(*e, data, &(bnn_predict_options){.samples = SAMPLES, .seed = 3}, p);
    omp_set_num_threads(before);
    return s;
}

static void compare_predictions(bnn_checker *c, const char *when, const bnn_prediction *a, const bnn_prediction *b) {
    const double *const of_a[] = {a->mean, a->var_epistemic, a->logp}, *const of_b[] = {b->mean, b->var_epistemic, b->logp};
    static const char *const names[] = {"mean", "epistemic variance", "log-likelihood"};
    for (int k = 0; k < 3; k++)
        for (int i = 0; of_a[k] && i < a->n; i++)
            if (memcmp(&of_a[k][i], &of_b[k][i], sizeof(double)) != 0)
                bnn_checker_break(c, "the predictive %s of row %d is %.17g, and %.17g %s", names[k], i, of_a[k][i], of_b[k][i], when);
}

bnn_status bnn_rule_engine_threads(bnn_checker *c, const bnn_engine_case *k) {
    bnn_case_rows rows;
    bnn_engine *e[COUNTS] = {0};
    bnn_prediction *p[COUNTS] = {0};
    bnn_texts texts = bnn_case_texts(k->type, true);
    char where[BNN_DIFFERENCE_TEXT], when[64];
    BNN_TRY(bnn_case_rows_open(LARGER_ROWS, 1, 0, &rows));
    bnn_status s = BNN_OK;
    for (int i = 0; i < COUNTS && s == BNN_OK; i++) {
        s = fit_and_predict(k->spec, &texts, rows.data, 1 << i, &e[i], &p[i]);
        if (s < 0 || i == 0) continue;
        bnn_case_difference(e[0], e[i], where);
        snprintf(when, sizeof when, "with %d threads", 1 << i);
        if (*where) bnn_checker_break(c, "with 1 and %d threads %s", 1 << i, where);
        compare_predictions(c, when, p[0], p[i]);
    }
    for (int i = 0; i < COUNTS; i++) {
        if (p[i]) bnn_prediction_free(p[i]);
        bnn_engine_free(e[i]);
    }
    bnn_case_rows_close(&rows);
    return s;
}

/* ---------------------------------------------------------------- draws */

enum { MOST_DRAWS = 12, WORKERS = BNN_MOST_AT_ONCE, REPEATS = 50 };

/* The first draws of a fitted engine, one after the other. */
typedef struct {
    const bnn_engine *engine;
    int n;
    size_t size;
    bnn_real *theta; /* [n, size] */
} taken;

typedef struct {
    const taken *first;
    bnn_real *theta;
    int number, wrong;
} worker;

static const bnn_real *draw_at(const taken *t, int s) { return t->theta + (size_t)s * t->size; }

static void check_numbers(bnn_checker *c, const bnn_engine *e) {
    const bnn_engine_type *t = bnn_engine_vtable(e);
    bnn_column column[BNN_MAX_COLUMNS];
    int draws = t->n_draws ? t->n_draws(e) : 0, chains = bnn_engine_chains(e), n = t->columns ? t->columns(e, column) : 0;
    if (chains < 1 || (t->n_draws && draws % chains != 0))
        bnn_checker_break(c, "%d draws do not fall into %d chains of equal length", draws, chains);
    if (n < 0 || n > BNN_MAX_COLUMNS) bnn_checker_break(c, "there are %d columns, 0 to %d are possible", n, BNN_MAX_COLUMNS);
    for (int i = 0; i < n && !bnn_checker_broken(c); i++)
        if (column[i].on == BNN_DRAWS && column[i].length != draws)
            bnn_checker_break(c, "column '%s' has %d numbers for %d draws", column[i].name, column[i].length, draws);
}

static void check_finite(bnn_checker *c, const taken *t) {
    for (int s = 0; s < t->n; s++)
        for (size_t i = 0; i < t->size; i++)
            if (!isfinite(draw_at(t, s)[i])) bnn_checker_break(c, "theta[%zu] of draw %d is %g", i, s, (double)draw_at(t, s)[i]);
}

/* Backwards, after other draws: the same. */
static bnn_status draw_backwards(bnn_checker *c, const taken *t, bnn_real *room) {
    for (int s = t->n - 1; s >= 0; s--) {
        BNN_TRY(bnn_engine_draw(t->engine, s, bnn_case_stream(s), room));
        if (memcmp(room, draw_at(t, s), t->size * sizeof *room) != 0)
            bnn_checker_break(c, "draw %d is another one where others were taken before it: does it depend on the order of the calls?", s);
    }
    return BNN_OK;
}

static void *draw_at_once(void *of) {
    worker *w = of;
    for (int i = 0; i < REPEATS; i++) {
        int s = (w->number + i) % w->first->n;
        if (bnn_engine_draw(w->first->engine, s, bnn_case_stream(s), w->theta) < 0 ||
            memcmp(w->theta, draw_at(w->first, s), w->first->size * sizeof *w->theta) != 0)
            w->wrong++;
    }
    return NULL;
}

static bnn_status draw_in_threads(bnn_checker *c, const taken *t, bnn_real *room) {
    worker w[WORKERS];
    int wrong = 0;
    for (int i = 0; i < WORKERS; i++) w[i] = (worker){.first = t, .theta = room + (size_t)i * t->size, .number = i};
    BNN_TRY(bnn_checker_at_once(WORKERS, draw_at_once, w, sizeof *w));
    for (int i = 0; i < WORKERS; i++) wrong += w[i].wrong;
    if (wrong > 0)
        bnn_checker_break(c, "with %d threads at once %d of %d draws are others: does draw write to its engine?", WORKERS, wrong,
                          WORKERS * REPEATS);
    return BNN_OK;
}

/* One theta is every draw, and what the first block holds; and where every draw is the same, the engine says so. */
static void check_caps(bnn_checker *c, const taken *t) {
    const bnn_engine_type *type = bnn_engine_vtable(t->engine);
    const char *said = type->type.caps & BNN_POINT ? "POINT" : type->type.caps & BNN_ONE_THETA ? "ONE_THETA" : NULL;
    bnn_block block[BNN_MAX_BLOCKS];
    size_t bytes = t->size * sizeof *t->theta;
    bool same = true;
    for (int s = 1; s < t->n; s++) same &= memcmp(draw_at(t, s), draw_at(t, 0), bytes) == 0;
    if (said && !same) bnn_checker_break(c, "%s, but not all draws are the same", said);
    if (!said && same && !type->n_draws) bnn_checker_break(c, "all draws are the same, but neither POINT nor ONE_THETA is said");
    if (!said) return;
    type->blocks((bnn_engine *)t->engine, block); /* only read */
    if (memcmp(block[0].data, draw_at(t, 0), bytes) != 0) bnn_checker_break(c, "%s, but a draw is not what the first block holds", said);
}

static bnn_status check_draws(bnn_checker *c, taken *t, bnn_real *room) {
    for (int s = 0; s < t->n; s++) BNN_TRY(bnn_engine_draw(t->engine, s, bnn_case_stream(s), t->theta + (size_t)s * t->size));
    check_numbers(c, t->engine);
    check_finite(c, t);
    BNN_TRY(draw_backwards(c, t, room));
    BNN_TRY(draw_in_threads(c, t, room));
    check_caps(c, t);
    return BNN_OK;
}

bnn_status bnn_rule_draws(bnn_checker *c, const bnn_engine_case *k) {
    bnn_case_rows rows;
    bnn_engine *e;
    bnn_texts texts = bnn_case_texts(k->type, false);
    BNN_TRY(bnn_case_rows_open(ROWS, 1, 0, &rows));
    bnn_status s = bnn_case_fit(k->spec, &texts, rows.data, 5, &e);
    if (s == BNN_OK) {
        taken t = {.engine = bnn_engine_fitted(e), .n = MOST_DRAWS};
        const bnn_engine_type *type = bnn_engine_vtable(t.engine);
        if (type->n_draws && type->n_draws(t.engine) < t.n) t.n = type->n_draws(t.engine);
        t.size = (size_t)t.engine->model->n_theta;
        bnn_real *room = calloc(WORKERS * t.size + 1, sizeof *room);
        t.theta = calloc((size_t)t.n * t.size + 1, sizeof *t.theta);
        s = room && t.theta ? check_draws(c, &t, room) : bnn_oom("a rule");
        free(room), free(t.theta);
        bnn_engine_free(e);
    }
    bnn_case_rows_close(&rows);
    return s;
}

/* ---------------------------------------------------------------- numbers that are none */

bnn_status bnn_rule_numeric(bnn_checker *c, const bnn_engine_case *k) {
    bnn_case_rows rows;
    bnn_engine *e;
    bnn_texts texts = bnn_case_texts(k->type, false);
    BNN_TRY(bnn_case_rows_open(ROWS, 1, 0, &rows));
    for (int i = 0; i < ROWS; i++) rows.data->y[i] = (bnn_real)NAN, rows.table->y[i] = NAN;
    bnn_status s = bnn_case_fit(k->spec, &texts, rows.data, 5, &e);
    if (s == BNN_OK) {
        bnn_checker_break(c, "is fitted to targets that are NaN without a word");
        bnn_engine_free(e);
    } else if (s != BNN_ERR_MEMORY) {
        bool holds = k->type->held; /* its rows are cut anew, which may be refused before */
        if (s != BNN_ERR_NUMERIC && !holds) bnn_checker_break(c, "targets that are NaN give '%s', which is no numeric error", bnn_error());
        s = BNN_OK;
    }
    bnn_case_rows_close(&rows);
    return s;
}

/* ---------------------------------------------------------------- other units */

enum { TARGETS = 3, UNIT_ROWS = 23 };

/* Standardised both rows are the same bits, since the unit is a power of two. */
static bnn_status compare_units(bnn_checker *c, bnn_engine *a, bnn_engine *b, double unit) {
    char where[BNN_DIFFERENCE_TEXT];
    bool differ;
    const double *of_a = bnn_case_evidence(a), *of_b = bnn_case_evidence(b);
    BNN_TRY(draws_differ(a, b, &differ));
    bnn_case_difference(a, b, where);
    if (differ)
        bnn_checker_break(c, "where three targets are told in units of 1, 1/%g and 1/%g the first draw is another one: %s", unit,
                          unit * unit, where);
    double should = -UNIT_ROWS * 3 * log(unit), is = of_a && of_b ? *of_b - *of_a : should;
    if (!(fabs(is - should) <= 1e-9 * fabs(should) + 1e-12 * fabs(*(of_a ? of_a : &should))))
        bnn_checker_break(
            c,
            "where three targets are told in units of 1, 1/%g and 1/%g the log evidence changes by %.6g, where %.6g is right (ratio %.4g): "
            "is y_sd of every target in it?",
            unit, unit * unit, is, should, is / should);
    return BNN_OK;
}

bnn_status bnn_rule_units(bnn_checker *c, const bnn_engine_case *k) {
    const double unit[] = {1, 8};
    bnn_case_rows rows[2] = {0};
    bnn_engine *e[2] = {0};
    bnn_texts texts = bnn_case_texts(k->type, false);
    bnn_status s = BNN_OK;
    for (int i = 0; i < 2 && s == BNN_OK; i++) {
        s = bnn_case_targets_open(UNIT_ROWS, TARGETS, 0, unit[i], &rows[i]);
        if (s == BNN_OK) s = bnn_case_fit(k->spec, &texts, rows[i].data, 5, &e[i]);
    }
    if (s == BNN_OK) s = compare_units(c, e[0], e[1], unit[1]);
    for (int i = 0; i < 2; i++) bnn_engine_free(e[i]), bnn_case_rows_close(&rows[i]);
    return s;
}
