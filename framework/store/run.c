/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * run.c: files of schema "bnn-run", "bnn-model" and "bnn-prediction".
 *
 * What predicts is saved: the fitted engine with its network as adapted. A run on its way also saves what it goes on from.
 */
#include "parts.h"

#include "data/sheet.h"

#include <bnn/calibrate.h>
#include <bnn/spec_json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const precision = sizeof(bnn_real) == sizeof(double) ? "double" : "float";

/* ---- saving a run ---- */

/* Writes the canonical texts of a run. */
static void put_work(bnn_h5_writer *w, const bnn_run *run, const bnn_engine *fitted, const bnn_provenance *p) {
    int split = p ? p->split : -1;
    char *engine = bnn_object_print(&fitted->object, false), *json = bnn_spec_json(fitted);
    bnn_h5_text(w, "/", "engine", run->engine_text);
    bnn_h5_text(w, "/", "engine_fitted", engine);
    bnn_h5_text(w, "/", "net", fitted->texts.net);
    bnn_h5_text(w, "/", "net_plain", fitted->plain_net);
    bnn_h5_text(w, "/", "likelihood", fitted->texts.likelihood);
    bnn_h5_text(w, "/", "prior", fitted->texts.prior);
    bnn_h5_u64(w, "/", "seed", run->seed);
    bnn_h5_ints(w, "/", "split", 1, &split);
    bnn_h5_text(w, "/", "model_spec_json", json);
    bnn_h5_text(w, "/", "precision", precision);
    if (!engine || !json) bnn_h5_refuse(w, bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for texts", w->path));
    free(engine), free(json);
}

/* How far it is. */
static void put_state(bnn_h5_writer *w, const bnn_run *run) {
    bnn_h5_ints(w, "/", "steps", 1, &run->steps);
    bnn_h5_number(w, "/", "progress", run->progress);
    bnn_h5_text(w, "/", "status", run->complete ? "complete" : "partial");
    bnn_h5_text(w, "/", "remark", bnn_run_remark(run));
}

static void put_scaling(bnn_h5_writer *w, const bnn_model *m) {
    bnn_h5_group(w, "/scaling");
    bnn_h5_ints(w, "/scaling", "x_shape", m->x_shape.rank, m->x_shape.d);
    if (bnn_is_map(m->likelihood.y_shape)) bnn_h5_ints(w, "/scaling", "y_shape", m->likelihood.y_shape.rank, m->likelihood.y_shape.d);
    bnn_h5_ints(w, "/scaling", "n_classes", 1, &m->likelihood.n_classes);
    bnn_h5_text(w, "/scaling", "formula", "(value - mean) / sd, over the training rows, divisor n");
    bnn_h5_dim(w, "/scaling", "feature", m->scaling.x_size, BNN_H5_INT, NULL);
    bnn_h5_dim(w, "/scaling", "output", m->scaling.y_dim, BNN_H5_INT, NULL);
    bnn_h5_put(w, "/scaling", "x_mean", BNN_H5_DOUBLE, m->scaling.x_mean, "feature");
    bnn_h5_put(w, "/scaling", "x_sd", BNN_H5_DOUBLE, m->scaling.x_sd, "feature");
    bnn_h5_put(w, "/scaling", "y_mean", BNN_H5_DOUBLE, m->scaling.y_mean, "output");
    bnn_h5_put(w, "/scaling", "y_sd", BNN_H5_DOUBLE, m->scaling.y_sd, "output");
}

/* The stored draws that a file has statistics of: all, or, where it keeps draws, those. */
typedef struct {
    int chains, stored, n; /* stored and n: of each chain */
    const int *number;     /* [n] within a chain; NULL: all */
} selection;

static selection select_draws(const bnn_engine *engine, const bnn_column *c, const bnn_draws *draws) {
    int chains = bnn_engine_chains(engine), n = c->length / chains;
    selection s = {.chains = chains, .stored = n, .n = n};
    if (draws) s.number = bnn_draws_numbers(draws, &s.n);
    return s;
}

/* As xarray marks truth values. */
static void put_truth(bnn_h5_writer *w, const char *group, const char *name, size_t n, const double *v, const char *dims) {
    char path[BNN_H5_PATH];
    int8_t *code = malloc(n);
    if (!code) {
        bnn_h5_refuse(w, bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for %s", w->path, name));
        return;
    }
    for (size_t i = 0; i < n; i++) code[i] = v[i] != 0;
    bnn_h5_put(w, group, name, BNN_H5_CODE, code, dims);
    bnn_h5_text(w, bnn_h5_join(path, group, name), "dtype", "bool");
    free(code);
}

/* A column on stored draws to the group of that name of InferenceData, whose groups all have the same draws. */
static void put_statistic(bnn_h5_writer *w, const bnn_column *c, const selection *s) {
    static const char group[] = "/sample_stats", dims[] = "chain draw";
    size_t n = (size_t)s->chains * (size_t)s->n;
    double *v = malloc((n + 1) * sizeof *v);
    if (!v) {
        bnn_h5_refuse(w, bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for %s", w->path, c->name));
        return;
    }
    for (size_t i = 0; i < n; i++) {
        size_t chain = i / (size_t)s->n, draw = i % (size_t)s->n;
        v[i] = c->data[chain * (size_t)s->stored + (s->number ? (size_t)s->number[draw] : draw)];
    }
    if (bnn_h5_dim_size(w, group, "draw") < 0) {
        bnn_h5_group(w, group);
        bnn_h5_dim(w, group, "chain", s->chains, BNN_H5_INT, NULL);
        bnn_h5_dim(w, group, "draw", s->n, BNN_H5_INT, s->number);
    }
    if (c->truth)
        put_truth(w, group, c->name, n, v, dims);
    else
        bnn_h5_put(w, group, c->name, BNN_H5_DOUBLE, v, dims);
    free(v);
}

/* A column on cells or on chains; no engine has both. */
static void put_other(bnn_h5_writer *w, const bnn_column *c) {
    static const char group[] = "/engine_columns";
    const char *dim = c->on == BNN_CELLS ? "cell" : "chain";
    if (bnn_h5_dim_size(w, group, dim) < 0) {
        bnn_h5_group(w, group);
        bnn_h5_dim(w, group, dim, c->length, BNN_H5_INT, NULL);
    }
    bnn_h5_put(w, group, c->name, BNN_H5_DOUBLE, c->data, dim);
}

/* draws: those that the file keeps, or NULL. */
static void put_columns(bnn_h5_writer *w, const bnn_engine *engine, const bnn_draws *draws) {
    const bnn_engine_type *type = bnn_engine_vtable(engine);
    bnn_column column[BNN_MAX_COLUMNS];
    int n = type->columns ? type->columns(engine, column) : 0;
    for (int i = 0; i < n; i++) {
        if (column[i].length == 0) continue;
        if (column[i].on != BNN_DRAWS) {
            put_other(w, &column[i]);
            continue;
        }
        selection s = select_draws(engine, &column[i], draws);
        put_statistic(w, &column[i], &s);
    }
}

static void put_names(bnn_h5_writer *w, const bnn_names *names) {
    if (names->x) bnn_h5_texts(w, "/scaling/feature", "labels", names->n_x, names->x);
    if (names->y) bnn_h5_texts(w, "/scaling/output", "labels", names->n_y, names->y);
    if (names->classes) bnn_h5_texts(w, "/scaling", "classes", names->n_classes, names->classes);
}

static void put_calibration(bnn_h5_writer *w, const bnn_calibration *c) {
    static const char group[] = "/calibration";
    char text[160];
    if (!c) return;
    bnn_h5_group(w, group);
    bnn_h5_text(w, group, "method", bnn_calibration_name(c->method));
    bnn_h5_text(w, group, "summary", bnn_calibration_print(c, text));
    bnn_h5_ints(w, group, "dim", 1, &c->dim);
    bnn_h5_ints(w, group, "rows", 1, &c->rows);
    bnn_h5_number(w, group, "level", c->level);
    bnn_h5_number(w, group, "penalty", c->penalty);
    bnn_h5_ints(w, group, "rank", 1, &c->rank);
    bnn_h5_u64(w, group, "seed", c->seed);
    bnn_h5_text(w, group, "data_sha256", c->data_sha256);
    bnn_h5_ints(w, group, "split", 1, &c->split);
    bnn_h5_dim(w, group, "entry", c->n, BNN_H5_INT, NULL);
    bnn_h5_put(w, group, "value", BNN_H5_DOUBLE, c->value, "entry");
}

/* Predictions of a calibrated run say so. */
static void put_prediction(bnn_h5_writer *w, const bnn_run *run, const bnn_results *results) {
    char text[160];
    bnn_store_put_prediction(w, results->prediction, results->data, &bnn_engine_fitted(run->engine)->model->likelihood);
    if (run->calibration) bnn_h5_text(w, "/prediction", "calibration", bnn_calibration_print(run->calibration, text));
}

/* Writes what a run predicts with; if its engine is still on its way also the state that it goes on from. */
static void put_run(bnn_h5_writer *w, const bnn_run *run, const bnn_draws *draws, const bnn_provenance *provenance) {
    const bnn_engine *fitted = bnn_engine_fitted(run->engine), *shown = fitted ? fitted : run->engine;
    put_work(w, run, shown, provenance);
    put_state(w, run);
    put_scaling(w, shown->model);
    put_names(w, &run->names);
    put_calibration(w, run->calibration);
    bnn_store_put_schema(w, run->schema);
    if (fitted) bnn_store_put_engine(w, fitted);
    if (!run->complete) bnn_store_put_held(w, run->engine);
    put_columns(w, run->engine, draws);
    bnn_store_put_history(w, "/metrics", &run->history);
    bnn_store_put_provenance(w, provenance);
    bnn_store_put_plugins(w, run->engine);
    bnn_h5_group(w, "/cost");
    bnn_store_put_cost(w, "/cost", "/provenance", 1, &run->cost, "");
}

/* Starts a file, or goes on with the one that draws have begun. */
static bnn_h5_writer *begin(bnn_h5_writer *own, const bnn_results *results, const char *path, const char *schema) {
    bnn_h5_writer *w = results && results->draws ? bnn_draws_writer(results->draws) : own;
    if (w == own) bnn_h5_create(w, path);
    bnn_h5_schema(w, schema);
    return w;
}

static bnn_status end(bnn_h5_writer *w, const bnn_results *results) {
    bnn_status s = bnn_h5_commit(w);
    if (results && results->draws) bnn_draws_end(results->draws);
    return s;
}

bnn_status bnn_run_save(const bnn_run *run, const bnn_results *results, const bnn_provenance *provenance, const char *path) {
    bnn_h5_writer own, *w = begin(&own, results, path, run->complete ? "bnn-run" : "bnn-model");
    put_run(w, run, results ? results->draws : NULL, provenance);
    if (results && results->metrics) {
        bnn_h5_group(w, "/summary");
        bnn_store_put_metrics(w, "/summary", 1, results->metrics, "");
        bnn_store_put_each(w, results->prediction, results->data);
    }
    if (results && results->prediction) put_prediction(w, run, results);
    if (results) bnn_store_put_verdicts(w, "/verdicts", results->verdicts);
    if (results) bnn_store_put_traces(w, "/traces", results->traces);
    return end(w, results);
}

bnn_status bnn_prediction_save(const bnn_run *run, const bnn_results *results, const bnn_provenance *provenance, const char *path) {
    bnn_h5_writer own, *w = begin(&own, results, path, "bnn-prediction");
    put_work(w, run, bnn_engine_fitted(run->engine), provenance);
    if (results->part[1] > 0) bnn_h5_ints(w, "/", "part", 2, results->part);
    bnn_store_put_provenance(w, provenance);
    bnn_store_put_plugins(w, bnn_engine_fitted(run->engine));
    bnn_h5_group(w, "/cost");
    bnn_store_put_cost(w, "/cost", "/provenance", 1, &results->prediction->cost, "");
    put_prediction(w, run, results);
    return end(w, results);
}

/* ---- loading a run ---- */

/* Texts that a run is rebuilt from. */
typedef struct {
    char *engine, *fitted, *net, *plain, *likelihood, *prior;
    bnn_data data; /* without rows */
} recipe;

static void recipe_free(recipe *c) {
    free(c->engine), free(c->fitted), free(c->net), free(c->plain), free(c->likelihood), free(c->prior);
    free(c->data.scaling.x_mean), free(c->data.scaling.x_sd), free(c->data.scaling.y_mean), free(c->data.scaling.y_sd);
}

static double *get_scale(bnn_h5_reader *r, const char *object, int n, bool is_sd) {
    double *v = bnn_h5_room(r, (size_t)n, sizeof *v);
    if (v) bnn_h5_get(r, object, BNN_H5_DOUBLE, (size_t)n, v);
    for (int i = 0; r->status == BNN_OK && i < n; i++)
        if (!isfinite(v[i]) || (is_sd && !(v[i] > 0)))
            r->status = bnn_fail(BNN_ERR_FORMAT, "%s: entry %d of %s is %g, not a %s number", r->path, i, object, v[i],
                                 is_sd ? "positive" : "finite");
    return v;
}

static void get_scaling(bnn_h5_reader *r, bnn_data *d) {
    int x = bnn_h5_length(r, "/scaling/feature"), y = bnn_h5_length(r, "/scaling/output");
    bnn_store_get_shape(r, "/scaling", "x_shape", x, &d->x_shape);
    d->n_classes = bnn_store_get_n_classes(r, "/scaling");
    d->y_dim = y, d->y_shape = bnn_shape_vector(y);
    if (bnn_h5_has_attribute(r, "/scaling", "y_shape")) bnn_store_get_shape(r, "/scaling", "y_shape", y, &d->y_shape);
    d->scaling = (bnn_scaling){.x_size = x,
                               .y_dim = y,
                               .x_mean = get_scale(r, "/scaling/x_mean", x, false),
                               .x_sd = get_scale(r, "/scaling/x_sd", x, true),
                               .y_mean = get_scale(r, "/scaling/y_mean", y, false),
                               .y_sd = get_scale(r, "/scaling/y_sd", y, true)};
}

static void get_recipe(bnn_h5_reader *r, recipe *c) {
    c->engine = bnn_h5_get_text(r, "/", "engine");
    c->fitted = bnn_h5_get_text(r, "/", "engine_fitted");
    c->net = bnn_h5_get_text(r, "/", "net");
    c->plain = bnn_h5_get_text(r, "/", "net_plain");
    c->likelihood = bnn_h5_get_text(r, "/", "likelihood");
    c->prior = bnn_h5_get_text(r, "/", "prior");
    get_scaling(r, &c->data);
}

/* The texts move into the run. */
static void set_texts(bnn_run *run, recipe *c) {
    free(run->engine_text), free(run->engine->plain_net);
    run->engine_text = c->engine, run->engine->plain_net = c->plain;
    c->engine = c->plain = NULL;
}

static bnn_run *make_run(bnn_h5_reader *r, recipe *c) {
    bnn_run *run = NULL;
    uint64_t seed = bnn_h5_get_u64(r, "/", "seed");
    bnn_config config = {.net = c->net, .engine = c->fitted, .likelihood = c->likelihood, .prior = c->prior, .seed = seed};
    bnn_texts texts = {.net = c->net, .likelihood = c->likelihood, .prior = c->prior};
    if (r->status == BNN_OK) bnn_store_need_plugins(r, c->fitted, &texts);
    if (r->status == BNN_OK && (r->status = bnn_run_new(&config, &c->data, &run)) < 0) bnn_note(r->status, "%s", r->path);
    if (r->status < 0) return NULL;
    set_texts(run, c);
    return run;
}

static void get_course(bnn_h5_reader *r, bnn_run *run) {
    run->complete = bnn_store_is_complete(r);
    run->steps = bnn_h5_get_int(r, "/", "steps");
    run->progress = bnn_h5_get_number(r, "/", "progress");
    bnn_store_get_history(r, "/metrics", &run->history);
    if (r->status == BNN_OK && (run->steps < run->history.epochs || run->steps == INT32_MAX))
        r->status = bnn_fail(BNN_ERR_FORMAT, "%s: has %d steps for the %d epochs of /metrics", r->path, run->steps, run->history.epochs);
    bnn_store_get_cost(r, "/cost", "/provenance", 1, &run->cost);
    run->engine->cost = run->cost;
}

/* The n names of an attribute; NULL, and *known 0, where there are none. */
static char **get_labels(bnn_h5_reader *r, const char *object, const char *name, int n, int *known) {
    char **texts = bnn_h5_has_attribute(r, object, name) ? bnn_h5_get_texts(r, object, name, n) : NULL;
    *known = texts ? n : 0;
    return texts;
}

static void get_names(bnn_h5_reader *r, const bnn_model *m, bnn_names *names) {
    names->x = get_labels(r, "/scaling/feature", "labels", m->scaling.x_size, &names->n_x);
    names->y = get_labels(r, "/scaling/output", "labels", m->scaling.y_dim, &names->n_y);
    names->classes = get_labels(r, "/scaling", "classes", m->likelihood.n_classes, &names->n_classes);
}

/* Files of older versions have names alone. */
static void get_schema(bnn_h5_reader *r, bnn_run *run) {
    const bnn_names *names = &run->names;
    const bnn_table named = {.x_shape = bnn_shape_vector(names->n_x),
                             .y_dim = names->n_y,
                             .n_classes = run->engine->model->likelihood.n_classes,
                             .x_names = names->x,
                             .y_names = names->y,
                             .class_names = names->classes};
    run->schema = bnn_store_get_schema(r, run->engine->model->scaling.x_size);
    if (r->status == BNN_OK && !run->schema) r->status = bnn_schema_of(&named, &run->schema);
}

static void get_remark(bnn_h5_reader *r, bnn_run *run) {
    run->remark = bnn_h5_get_text(r, "/", "remark");
    if (run->remark && !*run->remark) free(run->remark), run->remark = NULL;
}

static void get_calibration(bnn_h5_reader *r, bnn_run *run) {
    static const char group[] = "/calibration";
    if (!bnn_h5_has(r, group)) return;
    int n = bnn_h5_length(r, "/calibration/entry");
    char *method = bnn_h5_get_text(r, group, "method"), *sha256 = bnn_h5_get_text(r, group, "data_sha256");
    bnn_calibration *c = NULL;
    if (r->status == BNN_OK) r->status = bnn_calibration_new(n, &c);
    if (c && !bnn_calibration_find(method, &c->method))
        r->status = bnn_fail(BNN_ERR_FORMAT, "%s: its calibration is '%s', which this bnn does not know", r->path, method);
    if (c) {
        c->dim = bnn_h5_get_int(r, group, "dim"), c->rows = bnn_h5_get_int(r, group, "rows");
        c->level = bnn_h5_get_number(r, group, "level"), c->penalty = bnn_h5_get_number(r, group, "penalty");
        c->rank = bnn_h5_get_int(r, group, "rank"), c->seed = bnn_h5_get_u64(r, group, "seed");
        c->split = bnn_h5_get_int(r, group, "split");
        snprintf(c->data_sha256, sizeof c->data_sha256, "%s", sha256 ? sha256 : "");
        bnn_h5_get(r, "/calibration/value", BNN_H5_DOUBLE, (size_t)n, c->value);
    }
    if (r->status == BNN_OK && (r->status = bnn_calibration_check(c)) < 0) bnn_note(r->status, "%s", r->path);
    free(method), free(sha256);
    bnn_run_set_calibration(run, c);
}

/* Closes the file; *run is the caller's if all went well. */
static bnn_status close_run(bnn_h5_reader *r, bnn_run *run, bnn_run **out) {
    bnn_status s = bnn_h5_close(r);
    if (s < 0)
        bnn_run_free(run);
    else
        *out = run;
    return s;
}

static const char *const run_schemas = "bnn-run|bnn-model";

bnn_status bnn_run_load(const char *path, bnn_run **out, bnn_origin *origin) {
    *out = NULL;
    if (origin) *origin = (bnn_origin){.split = -1};
    bnn_h5_reader r;
    BNN_TRY(bnn_h5_open(&r, path, run_schemas));
    if (!bnn_store_predicts(&r))
        r.status = bnn_fail(BNN_ERR_STATE, "%s: was stopped before its engine had fitted anything that predicts", path);
    recipe c = {0};
    get_recipe(&r, &c);
    bnn_run *run = make_run(&r, &c);
    if (run) bnn_store_get_engine(&r, run->engine);
    if (run) get_course(&r, run);
    if (run) get_names(&r, run->engine->model, &run->names);
    if (run) get_schema(&r, run);
    if (run) get_remark(&r, run);
    if (run) get_calibration(&r, run);
    if (origin && r.status == BNN_OK) bnn_store_get_origin(&r, origin);
    recipe_free(&c);
    bnn_status s = close_run(&r, run, out);
    if (s < 0 && origin) bnn_origin_free(origin);
    return s;
}

/* ---- going on with a run ---- */

/* A name that ends in _text is that of a number. */
static void must_be(bnn_h5_reader *r, const char *object, const char *what, const char *now) {
    char *then = bnn_h5_get_text(r, object, what);
    const char *suffix = strstr(what, "_text");
    if (then && strcmp(then, now ? now : "") != 0)
        r->status = bnn_fail(BNN_ERR_STATE, "%s: was begun with %.*s '%s', now '%s' is asked for", r->path,
                             suffix ? (int)(suffix - what) : (int)strlen(what), what, then, now ? now : "");
    free(then);
}

/* The columns mean what they meant. A text can be read in many ways. */
static void check_schema(bnn_h5_reader *r, const bnn_run *run) {
    bnn_schema *then = bnn_store_get_schema(r, bnn_h5_length(r, "/scaling/feature"));
    if (r->status == BNN_OK && then && !bnn_schema_same(then, run->schema))
        r->status =
            bnn_fail(BNN_ERR_STATE, "%s: was begun with the columns read in another way: ask for the same targets and options", r->path);
    bnn_schema_free(then);
}

/* The file's work is the one asked for. */
static void check_same_work(bnn_h5_reader *r, const bnn_run *run, const bnn_origin *origin) {
    static const bnn_origin none = {.split = -1};
    const bnn_texts *texts = &run->engine->texts;
    const char *asked = bnn_h5_has(r, "/resume_0") ? "/resume_0" : "/";
    char then[32], now[32];
    if (!origin) origin = &none;
    must_be(r, "/", "engine", run->engine_text);
    if (!bnn_engine_vtable(run->engine)->fitted || !bnn_store_is_complete(r)) { /* of a complete search only the chosen cell's texts are
                                                                                   kept */
        must_be(r, asked, "net", texts->net);
        must_be(r, asked, "likelihood", texts->likelihood);
        must_be(r, asked, "prior", texts->prior);
    }
    must_be(r, "/", "precision", precision);
    must_be(r, "/provenance", "data_sha256", origin->data_sha256);
    check_schema(r, run);
    snprintf(now, sizeof now, "%llu", (unsigned long long)run->seed);
    must_be(r, "/", "seed_text", now);
    snprintf(then, sizeof then, "%d", bnn_h5_get_int(r, "/", "split"));
    snprintf(now, sizeof now, "%d", origin->split);
    if (r->status == BNN_OK && strcmp(then, now) != 0)
        r->status = bnn_fail(BNN_ERR_STATE, "%s: was begun with split %s, now %s is asked for", r->path, then, now);
}

/* The history is that of the engine as it was restored: no other could go on with it. */
static void check_history(bnn_h5_reader *r, const bnn_run *run) {
    const bnn_engine *fitted = bnn_engine_fitted(run->engine);
    if (r->status < 0 || run->complete || !run->history.epoch || (fitted && run->history.n_gates == bnn_net_gates(fitted->model->net)))
        return;
    r->status = bnn_fail(BNN_ERR_FORMAT, "%s: /metrics has %d gates, which are not those of the engine", r->path, run->history.n_gates);
}

bnn_status bnn_run_same_work(const char *path, const bnn_run *run, const bnn_origin *origin) {
    bnn_h5_reader r;
    BNN_TRY(bnn_h5_open(&r, path, run_schemas));
    check_same_work(&r, run, origin);
    return bnn_h5_close(&r);
}

/* A run that is complete comes as it is read to predict: nothing is left to go on with. */
bnn_status bnn_run_resume(const char *path, const bnn_config *config, const bnn_data *train, const bnn_origin *origin, bnn_run **out) {
    *out = NULL;
    bnn_h5_reader r;
    BNN_TRY(bnn_h5_open(&r, path, run_schemas));
    bnn_run *run = NULL;
    bnn_store_need_plugins(&r, NULL, NULL);
    if (r.status == BNN_OK) r.status = bnn_run_new(config, train, &run);
    if (run) check_same_work(&r, run, origin);
    const bool complete = bnn_store_is_complete(&r);
    if (run && r.status == BNN_OK && !complete) bnn_store_get_resumed(&r, run->engine, train);
    if (run && !complete) get_course(&r, run), check_history(&r, run);
    BNN_TRY(close_run(&r, run, out));
    if (!complete) return BNN_OK;
    bnn_run_free(run);
    return bnn_run_load(path, out, NULL);
}
