/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * describe.c: what is in a file, as JSON: what `bnn info` prints for people.
 */
#include "tool/print/json.h"
#include "tool/report/scores.h"
#include "tool/tool.h"

#include <math.h>
#include <string.h>

static void put_text(json_t *o, const char *name, const char *text) { tool_json_set(o, name, tool_json_text(text)); }

static void put_number(json_t *o, const char *name, double x) { tool_json_set(o, name, tool_json_number(x)); }

static void put_whole(json_t *o, const char *name, long long x) { tool_json_set(o, name, json_integer(x)); }

/* ---- columns ---- */

const char *tool_column_role(bnn_column_role role) {
    static const char *const names[] = {"feature", "target", "id", "weight"};
    return names[role];
}

/* A column with its role, kind, levels, and whether its values may be missing. */
static json_t *column_of(const bnn_schema_column *c) {
    static const char *const kind[] = {"number", "levels", "text"};
    json_t *o = json_object(), *levels = json_array();
    for (int l = 0; l < c->n_levels; l++) tool_json_append(levels, tool_json_text(c->level[l]));
    put_text(o, "name", c->name);
    put_text(o, "role", tool_column_role(c->role));
    put_text(o, "kind", kind[c->kind]);
    put_text(o, "unit", c->unit);
    tool_json_set(o, "levels", levels);
    tool_json_set(o, "may_be_missing", json_boolean(c->indicator));
    return o;
}

/* Columns that new rows are read by; null where they had no names. */
static json_t *columns_of(const bnn_schema *s) {
    if (!s) return json_null();
    json_t *list = json_array();
    for (int k = 0; k < s->n; k++) tool_json_append(list, column_of(&s->column[k]));
    return list;
}

/* ---- data ---- */

tool_column tool_column_describe(const bnn_table *t, int i) {
    size_t width = (size_t)bnn_shape_size(t->x_shape);
    double sum = 0, squares = 0;
    tool_column c = {.min = INFINITY, .max = -INFINITY};
    for (int row = 0; row < t->n; row++) {
        double v = t->x[(size_t)row * width + (size_t)i];
        sum += v, c.min = fmin(c.min, v), c.max = fmax(c.max, v);
    }
    c.mean = sum / t->n;
    for (int row = 0; row < t->n; row++) {
        double d = t->x[(size_t)row * width + (size_t)i] - c.mean;
        squares += d * d;
    }
    c.sd = sqrt(squares / t->n);
    return c;
}

static json_t *features_of(const bnn_table *t) {
    json_t *list = json_array();
    for (int i = 0; t->x_names && i < bnn_shape_size(t->x_shape); i++) {
        tool_column c = tool_column_describe(t, i);
        json_t *one = json_object();
        put_text(one, "name", t->x_names[i]);
        put_number(one, "mean", c.mean);
        put_number(one, "sd", c.sd);
        put_number(one, "min", c.min);
        put_number(one, "max", c.max);
        tool_json_append(list, one);
    }
    return list;
}

double tool_table_weight(const bnn_table *t) {
    double sum = t->weight ? 0 : t->n;
    for (int row = 0; t->weight && row < t->n; row++) sum += t->weight[row];
    return sum;
}

long long tool_class_count(const bnn_table *t, int class) {
    long long n = 0;
    for (size_t i = 0; i < (size_t)t->n * (size_t)t->y_dim; i++) n += (int)t->y[i] == class;
    return n;
}

static json_t *classes_of(const bnn_table *t) {
    json_t *list = json_array();
    for (int i = 0; i < t->n_classes; i++) {
        json_t *one = json_object();
        put_text(one, "name", t->class_names ? t->class_names[i] : NULL);
        put_whole(one, bnn_is_map(t->y_shape) ? "pixels" : "rows", tool_class_count(t, i));
        tool_json_append(list, one);
    }
    return list;
}

static json_t *splits_of(const bnn_table *t) {
    json_t *list = json_array();
    for (int k = 0; k < t->n_splits; k++) {
        json_t *one = json_object();
        put_whole(one, "train", bnn_table_count(t, k, BNN_TRAIN));
        put_whole(one, "validation", bnn_table_count(t, k, BNN_VALIDATION));
        put_whole(one, "test", bnn_table_count(t, k, BNN_TEST));
        tool_json_append(list, one);
    }
    return list;
}

static bnn_status describe_data(const char *path, json_t *o) {
    bnn_table *t;
    BNN_TRY(bnn_table_load(path, &t));
    json_t *shape = json_array(), *targets = json_array(), *ids = json_array();
    for (int i = 0; i < t->x_shape.rank; i++) tool_json_append(shape, json_integer(t->x_shape.d[i]));
    for (int j = 0; t->y_shape.rank == 1 && j < t->y_dim; j++) tool_json_append(targets, tool_json_text(t->y_names ? t->y_names[j] : NULL));
    for (int k = 0; k < t->n_ids; k++) tool_json_append(ids, tool_json_text(t->id_names[k]));
    put_text(o, "task", t->y_dim == 0 ? "none" : t->n_classes ? "classification" : "regression");
    put_whole(o, "rows", t->n);
    tool_json_set(o, "shape", shape);
    tool_json_set(o, "targets", targets);
    tool_json_set(o, "ids", ids);
    put_number(o, "weight", tool_table_weight(t));
    put_text(o, "title", t->title);
    put_text(o, "source", t->source);
    put_text(o, "license", t->license);
    put_text(o, "sha256", t->sha256);
    put_text(o, "raw_sha256", t->raw_sha256);
    put_text(o, "split_origin", t->split_origin);
    tool_json_set(o, "columns", columns_of(t->schema));
    tool_json_set(o, "splits", splits_of(t));
    tool_json_set(o, "classes", classes_of(t));
    tool_json_set(o, "features", features_of(t));
    bnn_table_free(t);
    return BNN_OK;
}

/* ---- runs and predictions ---- */

static json_t *plugins_of(const bnn_outline *outline) {
    json_t *list = json_array();
    for (int i = 0; i < outline->n_plugins; i++) {
        const bnn_plugin_record *p = &outline->plugin[i];
        json_t *one = json_object();
        put_text(one, "name", p->name);
        put_text(one, "version", p->version);
        put_text(one, "types", p->types);
        put_text(one, "path", p->path);
        put_text(one, "sha256", p->sha256);
        tool_json_append(list, one);
    }
    return list;
}

static void put_outline(json_t *o, const bnn_outline *outline) {
    json_t *kept = json_array();
    if (outline->kept & BNN_KEEP_POSTERIOR) tool_json_append(kept, json_string("posterior"));
    if (outline->kept & BNN_KEEP_PREDICTIVE) tool_json_append(kept, json_string("predictive"));
    put_text(o, "engine", outline->engine);
    put_text(o, "net", outline->net);
    put_text(o, "likelihood", outline->likelihood);
    put_text(o, "prior", outline->prior);
    put_whole(o, "seed", (long long)outline->seed);
    put_text(o, "data", outline->origin.data_path);
    put_text(o, "data_sha256", outline->origin.data_sha256);
    put_whole(o, "split", outline->origin.split);
    put_whole(o, "rows", outline->rows);
    put_whole(o, "samples", outline->samples);
    tool_json_set(o, "kept", kept);
    tool_json_set(o, "plugins", plugins_of(outline));
}

static json_t *history_of(const bnn_history *h) {
    if (h->n == 0) return json_null();
    int last = h->n - 1;
    json_t *o = json_object();
    put_whole(o, "epochs", h->epoch[last]);
    put_number(o, "nll", h->nll[last]);
    put_number(o, "prior", h->prior[last]);
    put_number(o, "kl", h->kl[last]);
    put_number(o, "noise_sd", h->noise_sd[last]);
    return o;
}

static void put_fitted(json_t *o, const bnn_run *run) {
    put_whole(o, "parameters", run->engine->model->n_theta);
    put_text(o, "remark", run->remark);
    tool_json_set(o, "columns", columns_of(run->schema));
    tool_json_set(o, "calibration", tool_json_calibration(bnn_run_calibration(run)));
    tool_json_set(o, "history", history_of(&run->history));
    tool_json_set(o, "cost", tool_json_cost(&run->cost));
}

static bnn_status put_scores(json_t *o, const char *path) {
    bnn_comparison *scores;
    BNN_TRY(bnn_comparison_load(path, &scores));
    const bnn_metrics *m = &scores->engine[0].metrics[0];
    if (m->n > 0) tool_json_set(o, "scores", tool_json_scores(m)); /* else it has predicted no test rows */
    tool_json_set(o, "verdicts", tool_json_verdicts(scores->engine[0].verdicts));
    bnn_comparison_free(scores);
    return BNN_OK;
}

static bnn_status describe_run(const char *path, json_t *o) {
    bnn_outline outline;
    bnn_run *run = NULL;
    BNN_TRY(bnn_outline_load(path, &outline));
    bnn_status s = outline.predicts ? bnn_run_load(path, &run, NULL) : BNN_OK;
    put_text(o, "status", outline.complete ? "complete" : "partial");
    put_whole(o, "steps", outline.steps);
    put_number(o, "progress", outline.progress);
    put_outline(o, &outline);
    if (s == BNN_ERR_PLUGIN) put_text(o, "missing", bnn_error()), s = BNN_OK;
    if (run) put_fitted(o, run);
    if (run && outline.complete) s = put_scores(o, path);
    bnn_run_free(run);
    bnn_outline_free(&outline);
    return s;
}

static bnn_status describe_prediction(const char *path, json_t *o) {
    bnn_outline outline;
    BNN_TRY(bnn_outline_load(path, &outline));
    put_outline(o, &outline);
    put_text(o, "run_sha256", outline.origin.run_sha256);
    bnn_outline_free(&outline);
    return BNN_OK;
}

/* ---- comparisons ---- */

/* Scores of each target, or of each class, of one fit. */
static json_t *each_of(const bnn_comparison *c, const bnn_metrics *each) {
    json_t *list = json_array();
    for (int t = 0; t < c->n_targets; t++) tool_json_append(list, tool_scores_of_one(c->target ? c->target[t] : NULL, &each[t]));
    return list;
}

static json_t *fit_of(const bnn_comparison *c, const bnn_contestant *who, int k) {
    json_t *o = tool_json_scores(&who->metrics[k]);
    put_whole(o, "split", c->split[k]);
    tool_json_set(o, "cost", tool_json_cost(&who->cost[k]));
    if (c->n_targets > 0 && who->target)
        tool_json_set(o, c->is_class ? "classes" : "targets", each_of(c, who->target + (size_t)k * (size_t)c->n_targets));
    if (!who->distance) return o;
    put_number(o, c->is_class ? "agreement" : "wasserstein", c->is_class ? who->distance[k].agreement : who->distance[k].wasserstein);
    if (c->is_class) put_number(o, "total_variation", who->distance[k].total_variation);
    return o;
}

void tool_json_comparison(json_t *o, const bnn_comparison *c) {
    json_t *engines = json_array();
    put_text(o, "status", c->partial ? "partial" : "complete");
    put_text(o, "task", c->is_class ? "classification" : "regression");
    put_text(o, "title", c->title);
    put_text(o, "data", c->data_path);
    put_text(o, "data_sha256", c->data_sha256);
    put_text(o, "net", c->net);
    put_text(o, "likelihood", c->likelihood);
    put_text(o, "prior", c->prior);
    put_whole(o, "seed", (long long)c->seed);
    put_whole(o, "samples", c->samples);
    put_text(o, "reference", c->engine[0].distance ? c->engine[c->reference].label : NULL);
    for (int e = 0; e < c->n_engines; e++) {
        json_t *one = json_object(), *fits = json_array();
        put_text(one, "engine", c->engine[e].label);
        put_text(one, "remark", c->engine[e].remark);
        tool_json_set(one, "verdicts", tool_json_verdicts(c->engine[e].verdicts));
        for (int k = 0; k < c->n_splits; k++)
            if (c->engine[e].metrics[k].n > 0) tool_json_append(fits, fit_of(c, &c->engine[e], k));
        tool_json_set(one, "fits", fits);
        tool_json_append(engines, one);
    }
    tool_json_set(o, "engines", engines);
}

static bnn_status describe_comparison(const char *path, json_t *o) {
    bnn_comparison *c;
    BNN_TRY(bnn_comparison_load(path, &c));
    tool_json_comparison(o, c);
    bnn_comparison_free(c);
    return BNN_OK;
}

static bnn_status describe_detections(const char *path, json_t *o) {
    bnn_detection *of[BNN_ROW_SCORES];
    BNN_TRY(bnn_detections_load(path, of));
    tool_json_set(o, "scores", tool_json_detections(of));
    for (int k = 0; k < BNN_ROW_SCORES; k++) {
        if (of[k]) put_whole(o, "rows_in", of[k]->n_in), put_whole(o, "rows_out", of[k]->n_out);
        bnn_detection_free(of[k]);
    }
    return BNN_OK;
}

static bnn_status describe_played(const char *path, json_t *o) {
    bnn_played *p;
    BNN_TRY(bnn_played_load(path, &p));
    tool_json_played(o, p);
    bnn_played_free(p);
    return BNN_OK;
}

static bnn_status describe_acquisition(const char *path, json_t *o) {
    bnn_acquisition *a;
    BNN_TRY(bnn_acquisition_load(path, &a));
    tool_json_acquisition(o, a);
    bnn_acquisition_free(a);
    return BNN_OK;
}

bnn_status tool_describe(const char *path, json_t **out) {
    static const struct {
        const char *schema;
        bnn_status (*describe)(const char *path, json_t *o);
    } kinds[] = {{"bnn-data", describe_data},
                 {"bnn-run", describe_run},
                 {"bnn-model", describe_run},
                 {"bnn-prediction", describe_prediction},
                 {"bnn-detection", describe_detections},
                 {"bnn-regret", describe_played},
                 {"bnn-acquisition", describe_acquisition},
                 {"bnn-comparison", describe_comparison}};
    char schema[32];
    BNN_TRY(bnn_file_schema(path, schema));
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].schema, schema) != 0) continue;
        json_t *o = json_object();
        put_text(o, "file", path);
        put_text(o, "schema", schema);
        bnn_status s = kinds[i].describe(path, o);
        if (s < 0) return json_decref(o), s;
        *out = o;
        return BNN_OK;
    }
    return bnn_fail(BNN_ERR_FORMAT, "%s: has the schema '%s', which this bnn does not know", path, schema);
}
