/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * fit.c: what the rules of engines are run on, and how.
 */
#include "engine.h"
#include "check/numeric.h"

#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- rows */

static void fill(bnn_table *t, int n, double correlation, const bnn_real *noise) {
    for (int i = 0; i < t->n; i++) {
        const bnn_real *e = noise + (size_t)(i % n) * (BNN_CASE_IN + 1);
        double *x = t->x + (size_t)i * BNN_CASE_IN;
        for (int k = 0; k < BNN_CASE_IN; k++) x[k] = (double)e[k];
        x[1] = correlation * x[0] + sqrt(1 - correlation * correlation) * x[1];
        t->y[i] = 10 + 3 * (x[0] - x[1] / 2 + x[2] / 3 + 0.8 * (double)e[BNN_CASE_IN]);
    }
}

bnn_status bnn_case_rows_open(int n, int copies, double correlation, bnn_case_rows *out) {
    *out = (bnn_case_rows){0};
    bnn_real *noise = calloc((size_t)n * (BNN_CASE_IN + 1), sizeof *noise);
    bnn_status s = noise ? bnn_table_new(n * copies, bnn_shape_vector(BNN_CASE_IN), 1, 0, &out->table) : bnn_oom("a rule");
    if (s == BNN_OK) {
        bnn_rng_normal(bnn_rng_seed(71), 0, n, BNN_CASE_IN + 1, noise);
        fill(out->table, n, correlation, noise);
        s = bnn_data_split(out->table, -1, BNN_TRAIN, NULL, &out->data);
    }
    free(noise);
    if (s < 0) bnn_case_rows_close(out);
    return s;
}

bnn_status bnn_case_targets_open(int n, int targets, int classes, double unit, bnn_case_rows *out) {
    enum { MOST = 8, NUMBERS = BNN_CASE_IN + MOST };
    *out = (bnn_case_rows){0};
    bnn_real *noise = calloc((size_t)n * NUMBERS, sizeof *noise);
    bnn_status s = noise ? bnn_table_new(n, bnn_shape_vector(BNN_CASE_IN), targets, classes, &out->table) : bnn_oom("a rule");
    if (s == BNN_OK) {
        bnn_rng_normal(bnn_rng_seed(73), 0, n, NUMBERS, noise);
        for (int i = 0; i < n; i++) {
            const bnn_real *e = noise + i * NUMBERS;
            double scale = 3;
            for (int k = 0; k < BNN_CASE_IN; k++) out->table->x[i * BNN_CASE_IN + k] = (double)e[k];
            for (int t = 0; t < targets; t++, scale *= unit * (t == 1 ? 4 : 0.0625))
                out->table->y[i * targets + t] = classes ? (e[0] > 0) + 2 * (e[1] + e[BNN_CASE_IN] > 0)
                                                         : scale * (3 + (double)e[t % BNN_CASE_IN] + 0.8 * (double)e[BNN_CASE_IN + t]);
        }
        s = bnn_data_split(out->table, -1, BNN_TRAIN, NULL, &out->data);
    }
    free(noise);
    if (s < 0) bnn_case_rows_close(out);
    return s;
}

void bnn_case_rows_close(bnn_case_rows *rows) {
    bnn_data_free(rows->data);
    bnn_table_free(rows->table);
    *rows = (bnn_case_rows){0};
}

/* ---------------------------------------------------------------- runs */

bnn_texts bnn_case_texts(const bnn_engine_type *type, bool larger) {
    const char *wide = type->type.caps & BNN_EXACT ? "dense:70; relu; dense" : "concrete_dropout; dense:70; relu; dense";
    return (bnn_texts){.net = larger ? wide : "dense:4; tanh; dense", .likelihood = "gaussian", .prior = "gauss"};
}

enum { MOST_STEPS = 1000000 };

bnn_status bnn_case_finish(bnn_engine *engine, const bnn_data *data) {
    bnn_step step = {0};
    for (int i = 0; i < MOST_STEPS && !step.done; i++) BNN_TRY(bnn_engine_step(engine, data, &step));
    if (!step.done) return bnn_fail(BNN_ERR_STATE, "is not done after %d steps, at progress %g", MOST_STEPS, step.progress);
    const bnn_engine *fitted = bnn_engine_fitted(engine);
    if (!fitted) return bnn_fail(BNN_ERR_STATE, "is done, but holds no engine that predicts");
    const bnn_engine_type *type = bnn_engine_vtable(fitted);
    if (type->n_draws && type->n_draws(fitted) < 1) return bnn_fail(BNN_ERR_STATE, "is done, but has %d draws", type->n_draws(fitted));
    return BNN_OK;
}

bnn_status bnn_case_fit(const char *spec, const bnn_texts *texts, const bnn_data *data, uint64_t seed, bnn_engine **out) {
    bnn_engine *e;
    BNN_TRY(bnn_engine_new(spec, texts, data, bnn_rng_seed(seed), &e));
    bnn_status s = bnn_case_finish(e, data);
    if (s < 0)
        bnn_engine_free(e);
    else
        *out = e;
    return s;
}

int bnn_case_draws(const bnn_engine *engine, int most) {
    const bnn_engine *fitted = bnn_engine_fitted(engine);
    const bnn_engine_type *type = bnn_engine_vtable(fitted);
    if (type->type.caps & BNN_POINT) return 1;
    return type->n_draws ? type->n_draws(fitted) : most;
}

/* ---------------------------------------------------------------- means over draws */

enum { STRETCHES = 20 };

int bnn_case_chains(const bnn_engine *engine) {
    const bnn_engine *fitted = bnn_engine_fitted(engine);
    const bnn_engine_type *type = bnn_engine_vtable(fitted);
    return type->n_draws && type->n_chains ? type->n_chains(fitted) : 1;
}

bnn_case_estimate bnn_case_mean(int chains, int draws, const double *values) {
    int length = draws / chains;
    int cuts = chains < STRETCHES ? (STRETCHES + chains - 1) / chains : 1;
    moments of_stretches = {0};
    for (int k = 0; k < chains; k++)
        for (int i = 0; i < cuts; i++) {
            int from = i * length / cuts, to = (i + 1) * length / cuts;
            double sum = 0;
            for (int s = from; s < to; s++) sum += values[k * length + s];
            if (to > from) moments_add(&of_stretches, sum / (to - from));
        }
    if (of_stretches.n < 2) return (bnn_case_estimate){.mean = of_stretches.mean};
    double error = sqrt(moments_var(&of_stretches) / of_stretches.n);
    return (bnn_case_estimate){of_stretches.mean, error, gsl_cdf_tdist_Qinv(0.5e-7, of_stretches.n - 1) * error};
}

const double *bnn_case_evidence(bnn_engine *e) {
    bnn_block block[BNN_MAX_BLOCKS];
    int n = bnn_engine_vtable(e)->blocks(e, block);
    for (int i = 0; i < n; i++)
        if (strcmp(block[i].name, "log_evidence") == 0 && block[i].kind == BNN_BLOCK_DOUBLE && block[i].length == 1) return block[i].data;
    return NULL;
}

/* ---------------------------------------------------------------- several fits */

enum { FIRST_SEED = 9 };

static bnn_status take_draws(bnn_case_sample *s, int from, int draws) {
    for (int i = 0; i < draws; i++)
        BNN_TRY(bnn_engine_draw(s->e, i, bnn_rng_split(bnn_case_stream(i), (uint64_t)from), s->theta + (size_t)(from + i) * (size_t)s->n));
    return BNN_OK;
}

static bnn_status add_fit(const char *spec, const bnn_texts *texts, const bnn_data *data, uint64_t seed, int fits, int most,
                          bnn_case_sample *s) {
    bnn_engine_free(s->e);
    s->e = NULL;
    BNN_TRY(bnn_case_fit(spec, texts, data, seed, &s->e));
    int draws = bnn_case_draws(s->e, most);
    s->n = bnn_engine_fitted(s->e)->model->n_theta;
    if (!s->theta) s->theta = calloc((size_t)fits * (size_t)draws * (size_t)s->n + 1, sizeof *s->theta);
    if (!s->theta) return bnn_oom("a rule");
    BNN_TRY(take_draws(s, s->draws, draws));
    s->draws += draws, s->chains += bnn_case_chains(s->e);
    return BNN_OK;
}

bnn_status bnn_case_sample_open(const char *spec, const bnn_texts *texts, const bnn_data *data, int fits, int most, bnn_case_sample *out) {
    bnn_status s = BNN_OK;
    *out = (bnn_case_sample){0};
    for (int i = 0; i < fits && s == BNN_OK; i++) s = add_fit(spec, texts, data, (uint64_t)(FIRST_SEED + i), fits, most, out);
    if (s < 0) bnn_case_sample_close(out);
    return s;
}

void bnn_case_sample_close(bnn_case_sample *sample) {
    bnn_engine_free(sample->e);
    free(sample->theta);
    *sample = (bnn_case_sample){0};
}

/* ---------------------------------------------------------------- states */

static size_t size_of(const bnn_block *b) {
    return b->kind == BNN_BLOCK_REAL ? sizeof(bnn_real) : b->kind == BNN_BLOCK_DOUBLE ? sizeof(double) : sizeof(uint64_t);
}

static double value_of(const bnn_block *b, size_t i) {
    if (b->kind == BNN_BLOCK_REAL) return (double)((const bnn_real *)b->data)[i];
    return b->kind == BNN_BLOCK_DOUBLE ? ((const double *)b->data)[i] : (double)((const uint64_t *)b->data)[i];
}

static void compare_blocks(const bnn_block *a, const bnn_block *b, char *text) {
    size_t size = size_of(a);
    if (a->length != b->length) snprintf(text, BNN_DIFFERENCE_TEXT, "block '%s' has %zu numbers and %zu", a->name, a->length, b->length);
    for (size_t i = 0; !*text && i < a->length; i++)
        if (memcmp((const char *)a->data + i * size, (const char *)b->data + i * size, size) != 0)
            bnn_print(text, BNN_DIFFERENCE_TEXT, "block '%s'[%zu] is %.9g and %.9g", a->name, i, value_of(a, i), value_of(b, i));
}

static bnn_engine *held_by(bnn_engine *e, int i) {
    const bnn_engine_type *type = bnn_engine_vtable(e);
    return type->held ? type->held(e, i, &(const bnn_data *){NULL}) : NULL;
}

static void compare_engines(bnn_engine *a, bnn_engine *b, char *text) {
    bnn_block of_a[BNN_MAX_BLOCKS], of_b[BNN_MAX_BLOCKS];
    int n = bnn_engine_vtable(a)->blocks(a, of_a), m = bnn_engine_vtable(b)->blocks(b, of_b);
    if (n != m) snprintf(text, BNN_DIFFERENCE_TEXT, "there are %d blocks and %d", n, m);
    for (int i = 0; !*text && i < n; i++) compare_blocks(&of_a[i], &of_b[i], text);
    if (!*text && (a->cost.gradients != b->cost.gradients || a->cost.forwards != b->cost.forwards))
        snprintf(text, BNN_DIFFERENCE_TEXT, "%llu gradients and %llu forward passes are counted, and %llu and %llu",
                 (unsigned long long)a->cost.gradients, (unsigned long long)a->cost.forwards, (unsigned long long)b->cost.gradients,
                 (unsigned long long)b->cost.forwards);
    bnn_engine *x, *y;
    for (int i = 0; !*text && (x = held_by(a, i), y = held_by(b, i), x || y); i++)
        if (x && y)
            compare_engines(x, y, text);
        else
            snprintf(text, BNN_DIFFERENCE_TEXT, "one holds %d engines, the other more", i);
}

void bnn_case_difference(bnn_engine *a, bnn_engine *b, char text[BNN_DIFFERENCE_TEXT]) {
    *text = '\0';
    compare_engines(a, b, text);
    const bnn_engine *x = bnn_engine_fitted(a), *y = bnn_engine_fitted(b);
    if (!*text && x && y && x != a) compare_engines((bnn_engine *)x, (bnn_engine *)y, text); /* only read */
}
