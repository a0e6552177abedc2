/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * resume.c: the state of an engine, taken out by its blocks and put into a new one, as files do it (state.c).
 */
#include "engine.h"

#include <bnn/predict.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 24 };

/* ---------------------------------------------------------------- from blocks to blocks */

static size_t bytes_of(const bnn_block *b) {
    return b->length * (b->kind == BNN_BLOCK_REAL ? sizeof(bnn_real) : b->kind == BNN_BLOCK_DOUBLE ? sizeof(double) : sizeof(uint64_t));
}

/* The new engine is asked again before each block. */
static bnn_status copy_blocks(bnn_engine *from, bnn_engine *to) {
    bnn_block source[BNN_MAX_BLOCKS], target[BNN_MAX_BLOCKS];
    int n = bnn_engine_vtable(from)->blocks(from, source);
    for (int i = 0; i < n; i++) {
        int there = bnn_engine_vtable(to)->blocks(to, target);
        if (i >= there || strcmp(source[i].name, target[i].name) != 0 || source[i].kind != target[i].kind)
            return bnn_fail(BNN_ERR_STATE, "block '%s' is not there in a new engine, whose blocks before it are filled", source[i].name);
        if (source[i].length != target[i].length)
            return bnn_fail(BNN_ERR_STATE, "block '%s' has %zu numbers, and %zu in a new engine, whose blocks before it are filled",
                            source[i].name, source[i].length, target[i].length);
        if (source[i].length == 0) continue;
        if (!source[i].data || !target[i].data)
            return bnn_fail(BNN_ERR_STATE, "block '%s' has %zu numbers, but no memory for them", source[i].name, source[i].length);
        memcpy(target[i].data, source[i].data, bytes_of(&source[i]));
    }
    return BNN_OK;
}

bnn_status bnn_case_copy_state(bnn_engine *from, bnn_engine *to, const bnn_data *data) {
    const bnn_engine_type *type = bnn_engine_vtable(from);
    bnn_cost *cost = &to->cost;
    if (type != bnn_engine_vtable(to))
        return bnn_fail(BNN_ERR_STATE, "holds '%s' where it is gone on with, in place of '%s'", to->object.type->name, type->type.name);
    cost->gradients = from->cost.gradients, cost->forwards = from->cost.forwards, cost->flops = from->cost.flops;
    BNN_TRY(copy_blocks(from, to));
    if (type->resume) BNN_TRY(type->resume(to, data));
    for (int i = 0; type->held; i++) {
        const bnn_data *rows = data, *unused = data;
        bnn_engine *old = type->held(from, i, &unused), *new = type->held(to, i, &rows);
        if (!old && !new) break;
        if (!old || !new) return bnn_fail(BNN_ERR_STATE, "holds %s engines where it is gone on with", new ? "more" : "fewer");
        BNN_TRY(bnn_case_copy_state(old, new, rows));
    }
    return BNN_OK;
}

/* ---------------------------------------------------------------- stopped and gone on with */

typedef struct {
    const char *spec;
    bnn_texts texts;
    const bnn_data *data;
} work;

static bnn_status begin(const work *w, bnn_engine **out) { return bnn_engine_new(w->spec, &w->texts, w->data, bnn_rng_seed(5), out); }

/* *e is replaced by a new engine with its state. */
static bnn_status move_on(const work *w, bnn_engine **e) {
    bnn_engine *next;
    BNN_TRY(begin(w, &next));
    bnn_status s = bnn_case_copy_state(*e, next, w->data);
    bnn_engine_free(*e);
    *e = next;
    return s;
}

/* To the end, with a stop after each of `by` steps (0: none); *e is the last engine, *made its steps. */
static bnn_status walk(const work *w, int by, int *made, bnn_engine **e) {
    bnn_step step = {0};
    BNN_TRY(begin(w, e));
    for (*made = 0; !step.done;) {
        if (by > 0 && *made > 0 && *made % by == 0) BNN_TRY(move_on(w, e));
        BNN_TRY(bnn_engine_step(*e, w->data, &step));
        ++*made;
    }
    return BNN_OK;
}

static bnn_status compare(bnn_checker *c, const work *w, int by) {
    bnn_engine *whole = NULL, *part = NULL;
    int steps, made = 0;
    char where[BNN_DIFFERENCE_TEXT];
    bnn_status s = walk(w, 0, &steps, &whole);
    if (s == BNN_OK && (s = walk(w, by, &made, &part)) < 0 && s != BNN_ERR_MEMORY) {
        bnn_checker_break(c, "stopped after step %d: %s", made, bnn_error());
        s = BNN_OK;
    } else if (s == BNN_OK) {
        bnn_case_difference(whole, part, where);
        if (made != steps) bnn_checker_break(c, "takes %d steps, and %d when it is stopped after every %d", steps, made, by);
        if (*where) bnn_checker_break(c, "uninterrupted and stopped after every %d steps %s: is a block forgotten?", by, where);
    }
    bnn_engine_free(whole), bnn_engine_free(part);
    return s;
}

bnn_status bnn_rule_resume(bnn_checker *c, const bnn_engine_case *k) {
    bnn_case_rows rows;
    BNN_TRY(bnn_case_rows_open(ROWS, 1, 0, &rows));
    work w = {.spec = k->spec, .texts = bnn_case_texts(k->type, false), .data = rows.data};
    bnn_status s = compare(c, &w, 1);
    if (s == BNN_OK) s = compare(c, &w, 7);
    bnn_case_rows_close(&rows);
    return s;
}

/* ---------------------------------------------------------------- loaded to predict */

enum { DRAWS = 5 };

static bnn_status compare_draws(bnn_checker *c, const bnn_engine *a, const bnn_engine *b) {
    size_t n = (size_t)a->model->n_theta;
    bnn_real *x = calloc(2 * n + 1, sizeof *x), *y = x + n;
    bnn_status s = x ? BNN_OK : bnn_oom("a rule");
    for (int i = 0; s == BNN_OK && i < bnn_case_draws(a, DRAWS) && i < DRAWS; i++) {
        s = bnn_engine_draw(a, i, bnn_case_stream(i), x);
        if (s == BNN_OK) s = bnn_engine_draw(b, i, bnn_case_stream(i), y);
        if (s == BNN_OK && memcmp(x, y, n * sizeof *x) != 0)
            bnn_checker_break(c, "draw %d is another one after loading: is a block forgotten?", i);
    }
    free(x);
    return s;
}

static bnn_status compare_predictions(bnn_checker *c, const bnn_engine *a, const bnn_engine *b, const bnn_data *data) {
    bnn_prediction *p = NULL, *q = NULL;
    const bnn_predict_options how = {.samples = DRAWS, .seed = 3};
    bnn_status s = bnn_predict(a, data, &how, &p);
    if (s == BNN_OK) s = bnn_predict(b, data, &how, &q);
    for (int i = 0; s == BNN_OK && i < p->n; i++)
        if (p->mean[i] != q->mean[i] || p->var_epistemic[i] != q->var_epistemic[i])
            bnn_checker_break(c, "row %d is predicted as %.9g, and as %.9g after loading: is a block forgotten?", i, p->mean[i],
                              q->mean[i]);
    if (p) bnn_prediction_free(p);
    if (q) bnn_prediction_free(q);
    return s;
}

/* Opens the engine that predicts without rows and gives it its blocks; a mixture gets each member in its place, as from a file. */
static bnn_status open_empty(bnn_checker *c, const bnn_engine *fitted, const bnn_data *none, bnn_engine **out) {
    const bnn_engine_type *type = bnn_engine_vtable(fitted);
    char *spec = bnn_object_print(&fitted->object, false);
    if (!spec) return bnn_oom("a rule");
    bnn_status s = bnn_engine_new(spec, &fitted->texts, none, bnn_rng_seed(5), out);
    if (s < 0 && s != BNN_ERR_MEMORY) bnn_checker_break(c, "does not open without rows, to be restored: %s", bnn_error());
    free(spec);
    if (s == BNN_OK) s = copy_blocks((bnn_engine *)fitted, *out); /* only read */
    for (int k = 0; s == BNN_OK && type->member && type->member(*out, k); k++)
        s = open_empty(c, bnn_engine_member(fitted, k), none, type->member(*out, k));
    return s;
}

static bnn_status reopen(bnn_checker *c, const bnn_engine *fitted, const bnn_case_rows *rows) {
    bnn_data *none;
    bnn_engine *loaded = NULL;
    BNN_TRY(bnn_data_new(rows->table, 0, NULL, &rows->data->scaling, &none));
    bnn_status s = open_empty(c, fitted, none, &loaded);
    if (s == BNN_OK) s = compare_draws(c, fitted, loaded);
    if (s == BNN_OK) s = compare_predictions(c, fitted, loaded, rows->data);
    bnn_engine_free(loaded);
    bnn_data_free(none);
    return s;
}

bnn_status bnn_rule_load(bnn_checker *c, const bnn_engine_case *k) {
    bnn_case_rows rows;
    bnn_engine *e;
    bnn_texts texts = bnn_case_texts(k->type, false);
    BNN_TRY(bnn_case_rows_open(ROWS, 1, 0, &rows));
    bnn_status s = bnn_case_fit(k->spec, &texts, rows.data, 5, &e);
    if (s == BNN_OK) {
        s = reopen(c, bnn_engine_fitted(e), &rows);
        bnn_engine_free(e);
    }
    bnn_case_rows_close(&rows);
    return s;
}
