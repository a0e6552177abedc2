/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * exercise.c: a fit from beginning to end, for the rules of every kind.
 */
#include "engine.h"
#include "check/numeric.h"
#include "check/statics.h"

#include <math.h>
#include <stdlib.h>

enum { ROWS = 24, DRAWS = 3 };

static void add_blocks(bnn_engine *e, uint64_t *digest) {
    bnn_block block[BNN_MAX_BLOCKS];
    int n = bnn_engine_vtable(e)->blocks(e, block);
    for (int i = 0; i < n; i++)
        bnn_digest_add(digest, block[i].data, block[i].length * (block[i].kind == BNN_BLOCK_REAL ? sizeof(bnn_real) : sizeof(uint64_t)));
}

static bnn_status add_draws(const bnn_engine *e, uint64_t *digest) {
    int n = e->model->n_theta, draws = bnn_case_draws(e, DRAWS);
    bnn_real *theta = calloc((size_t)n + 1, sizeof *theta);
    bnn_status s = theta ? BNN_OK : bnn_oom("a draw");
    for (int i = 0; i < draws && i < DRAWS && s == BNN_OK; i++) {
        s = bnn_engine_draw(e, i, bnn_case_stream(i), theta);
        bnn_digest_add(digest, theta, (size_t)n * sizeof *theta);
    }
    free(theta);
    return s;
}

/* Other turns than 0 need the first steps alone, of those that take many. */
static bnn_status fit(const char *spec, const bnn_texts *texts, const bnn_data *data, int turn, bnn_engine **out, bool *ended) {
    enum { STEPS = 64 };
    bnn_step step = {0};
    *ended = true;
    if (turn == 0) return bnn_case_fit(spec, texts, data, 1, out);
    BNN_TRY(bnn_engine_new(spec, texts, data, bnn_rng_seed((uint64_t)(1 + turn)), out));
    bnn_status s = BNN_OK;
    for (int i = 0; i < STEPS && !step.done && s == BNN_OK; i++) s = bnn_engine_step(*out, data, &step);
    *ended = step.done;
    if (s < 0) bnn_engine_free(*out);
    return s;
}

/* Opened on labels, which it may refuse, and on targets that are NaN, on which steps fail: what is allocated up to there is freed, too. */
static bnn_status fail(const char *spec, bool labels) {
    enum { STEPS = 3 };
    const bnn_texts texts = {.net = "dense", .likelihood = labels ? "categorical" : "gaussian", .prior = "gauss"};
    bnn_case_rows rows;
    bnn_engine *e = NULL;
    bnn_step step = {0};
    BNN_TRY(bnn_case_targets_open(ROWS, 1, labels ? 4 : 0, 1, &rows));
    for (int i = 0; i < ROWS && !labels; i++) rows.data->y[i] = (bnn_real)NAN;
    bnn_status s = bnn_engine_new(spec, &texts, rows.data, bnn_rng_seed(1), &e);
    for (int i = 0; i < STEPS && s == BNN_OK && !step.done && !labels; i++) s = bnn_engine_step(e, rows.data, &step);
    bnn_engine_free(e);
    bnn_case_rows_close(&rows);
    return s == BNN_ERR_MEMORY ? s : BNN_OK;
}

bnn_status bnn_exercise_engine(bnn_checker *c, const char *spec, int turn, uint64_t *digest) {
    bnn_case_rows rows;
    bnn_engine *e;
    bnn_texts texts = bnn_case_texts((const bnn_engine_type *)c->type, false);
    *digest = BNN_DIGEST;
    for (int labels = 0; labels < 2 && turn == 0; labels++) BNN_TRY(fail(spec, labels));
    BNN_TRY(bnn_case_rows_open(ROWS, 1, 0.3 * turn, &rows));
    bool ended;
    bnn_status s = fit(spec, &texts, rows.data, turn, &e, &ended);
    if (s == BNN_OK) {
        add_blocks(e, digest);
        if (ended) s = add_draws(bnn_engine_fitted(e), digest);
        bnn_engine_free(e);
    }
    bnn_case_rows_close(&rows);
    return s;
}

/* ---------------------------------------------------------------- what draw leaves behind */

static bnn_status call_draws(void *of, int turn) {
    const bnn_engine *e = of;
    int n = bnn_case_draws(e, 2 * DRAWS * (turn + 1));
    bnn_real *theta = calloc((size_t)e->model->n_theta + 1, sizeof *theta);
    bnn_status s = theta ? BNN_OK : bnn_oom("a draw");
    for (int i = 0; i < DRAWS && s == BNN_OK; i++) s = bnn_engine_draw(e, (DRAWS * turn + i) % n, bnn_case_stream(DRAWS * turn + i), theta);
    free(theta);
    return s;
}

bnn_status bnn_share_engine(bnn_checker *c, const char *spec) {
    bnn_case_rows rows;
    bnn_owned owned;
    bnn_engine *e;
    bnn_texts texts = bnn_case_texts((const bnn_engine_type *)c->type, false);
    BNN_TRY(bnn_case_rows_open(ROWS, 1, 0, &rows));
    bnn_owned_begin(c);
    bnn_status s = bnn_case_fit(spec, &texts, rows.data, 1, &e);
    if (s == BNN_OK) {
        s = bnn_owned_made(c, &owned);
        if (s == BNN_OK) {
            s = bnn_owned_watch(c, &owned, call_draws, (void *)bnn_engine_fitted(e));
            bnn_owned_free(&owned);
        }
        bnn_engine_free(e);
    }
    bnn_case_rows_close(&rows);
    return s;
}
