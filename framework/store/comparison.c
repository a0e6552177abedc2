/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * comparison.c: files of schema "bnn-comparison".
 */
#include "base/word.h"
#include "parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void engine_group(char group[BNN_H5_PATH], int e) { snprintf(group, BNN_H5_PATH, "/engine_%d", e); }

static const char *marginals_group(char at[BNN_H5_PATH], const char *group, int split) {
    snprintf(at, BNN_H5_PATH, "%.*s/marginals_%d", BNN_H5_PATH / 2, group, split);
    return at;
}

/* ---- writing ---- */

/* The dimensions of a group of scores. */
static void put_engines(bnn_h5_writer *w, const char *group, const bnn_comparison *c) {
    char path[BNN_H5_PATH], **labels = calloc((size_t)c->n_engines, sizeof *labels);
    if (!labels) {
        bnn_h5_refuse(w, bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for labels", w->path));
        return;
    }
    for (int e = 0; e < c->n_engines; e++) labels[e] = c->engine[e].label;
    bnn_h5_dim(w, group, "engine", c->n_engines, BNN_H5_INT, NULL);
    bnn_h5_texts(w, bnn_h5_join(path, group, "engine"), "labels", c->n_engines, labels);
    bnn_h5_dim(w, group, "split", c->n_splits, BNN_H5_INT, c->split);
    free(labels);
}

/* Metrics and costs of all engines in one array each, [n_engines, n_splits]; times are provenance. */
static void put_scores(bnn_h5_writer *w, const bnn_comparison *c) {
    size_t splits = (size_t)c->n_splits, n = (size_t)c->n_engines * splits;
    bnn_metrics *metrics = malloc(n * sizeof *metrics);
    bnn_cost *cost = malloc(n * sizeof *cost);
    if (!metrics || !cost) bnn_h5_refuse(w, bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for %zu scores", w->path, n));
    for (int e = 0; metrics && cost && e < c->n_engines; e++) {
        memcpy(metrics + (size_t)e * splits, c->engine[e].metrics, splits * sizeof *metrics);
        memcpy(cost + (size_t)e * splits, c->engine[e].cost, splits * sizeof *cost);
    }
    bnn_h5_group(w, "/cost"), bnn_h5_group(w, "/scores");
    put_engines(w, "/provenance", c);
    put_engines(w, "/cost", c);
    put_engines(w, "/scores", c);
    if (metrics && cost && n > 0) {
        bnn_store_put_cost(w, "/cost", "/provenance", (int)n, cost, "engine split");
        bnn_store_put_metrics(w, "/scores", (int)n, metrics, "engine split");
    }
    free(metrics), free(cost);
}

/* Where scores of each target, or of each class, are, and the dimension that they lie on. */
static const char *group_of_each(bool is_class) { return is_class ? "/class_scores" : "/target_scores"; }
static const char *dim_of_each(bool is_class) { return is_class ? "class_id" : "output"; }

/* Scores of each of several targets, or of each class, [n_engines, n_splits, n_targets]. */
static void put_targets(bnn_h5_writer *w, const bnn_comparison *c) {
    const char *group = group_of_each(c->is_class), *dim = dim_of_each(c->is_class);
    size_t block = (size_t)c->n_splits * (size_t)c->n_targets, n = (size_t)c->n_engines * block;
    if (n == 0 || !c->engine[0].target) return;
    bnn_metrics *each = malloc(n * sizeof *each);
    char path[BNN_H5_PATH];
    if (!each) bnn_h5_refuse(w, bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for %zu scores", w->path, n));
    for (int e = 0; each && e < c->n_engines; e++) memcpy(each + (size_t)e * block, c->engine[e].target, block * sizeof *each);
    bnn_h5_group(w, group);
    put_engines(w, group, c);
    bnn_h5_dim(w, group, dim, c->n_targets, BNN_H5_INT, NULL);
    if (c->target) bnn_h5_texts(w, bnn_h5_join(path, group, dim), "labels", c->n_targets, c->target);
    if (each) bnn_store_put_metrics(w, group, (int)n, each, c->is_class ? "engine split class_id" : "engine split output");
    free(each);
}

/* Where in bnn_distance they are. */
static const struct {
    const char *name;
    size_t offset;
    bool of_classes;
} distances[] = {{"agreement", offsetof(bnn_distance, agreement), true},
                 {"total_variation", offsetof(bnn_distance, total_variation), true},
                 {"wasserstein", offsetof(bnn_distance, wasserstein), false}};
enum { N_DISTANCES = sizeof distances / sizeof *distances };

/* From the reference, [n_engines, n_splits] each. */
static void put_distances(bnn_h5_writer *w, const bnn_comparison *c) {
    size_t splits = (size_t)c->n_splits, n = (size_t)c->n_engines * splits;
    double *v = c->engine[0].distance ? malloc(n * sizeof *v) : NULL;
    if (!c->engine[0].distance) return;
    if (!v) bnn_h5_refuse(w, bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for %zu distances", w->path, n));
    bnn_h5_group(w, "/distance");
    put_engines(w, "/distance", c);
    bnn_h5_ints(w, "/distance", "reference", 1, &c->reference);
    for (int d = 0; v && d < N_DISTANCES; d++) {
        if (distances[d].of_classes != c->is_class) continue;
        for (size_t i = 0; i < n; i++)
            memcpy(&v[i], (const char *)&c->engine[i / splits].distance[i % splits] + distances[d].offset, sizeof *v);
        bnn_h5_put(w, "/distance", distances[d].name, BNN_H5_DOUBLE, v, "engine split");
    }
    free(v);
}

/* Marginals that a distance waits for, one group for each split that has some. */
static void put_marginals(bnn_h5_writer *w, const char *group, int split, const bnn_marginals *m) {
    char at[BNN_H5_PATH];
    bnn_marginals_shape shape = bnn_marginals_look(m);
    double *v = malloc((bnn_marginals_count(shape) + 1) * sizeof *v);
    if (!v) {
        bnn_h5_refuse(w, bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for predictive marginals", w->path));
        return;
    }
    bnn_marginals_copy(m, v);
    bnn_h5_group(w, marginals_group(at, group, split));
    bnn_h5_ints(w, at, "sites", 1, &shape.sites);
    bnn_h5_dim(w, at, "row", shape.n, BNN_H5_INT, NULL);
    bnn_h5_dim(w, at, "column", shape.width, BNN_H5_INT, NULL);
    if (shape.draws > 0) bnn_h5_dim(w, at, "sorted_draw", shape.draws, BNN_H5_INT, NULL);
    bnn_h5_put(w, at, "value", shape.draws > 0 ? BNN_H5_SINGLE : BNN_H5_DOUBLE, v,
               shape.draws > 0 ? "row column sorted_draw" : "row column");
    free(v);
}

static void put_contestant(bnn_h5_writer *w, const char *group, const bnn_contestant *c, int n_splits) {
    char history[BNN_H5_PATH], verdicts[BNN_H5_PATH], traces[BNN_H5_PATH];
    bnn_h5_group(w, group);
    bnn_h5_text(w, group, "label", c->label);
    bnn_h5_text(w, group, "remark", c->remark);
    bnn_h5_text(w, group, "model_spec_json", c->spec_json);
    if (c->n_points > 0) {
        bnn_h5_dim(w, group, "point", c->n_points, BNN_H5_INT, NULL);
        bnn_h5_put(w, group, "sd", BNN_H5_DOUBLE, c->sd, "point");
        bnn_h5_put(w, group, "error", BNN_H5_DOUBLE, c->error, "point");
        if (c->y) bnn_h5_put(w, group, "y", BNN_H5_DOUBLE, c->y, "point");
        if (c->pit) bnn_h5_put(w, group, "pit", BNN_H5_DOUBLE, c->pit, "point");
        if (c->called) bnn_h5_put(w, group, "called", BNN_H5_DOUBLE, c->called, "point");
    }
    bnn_store_put_verdicts(w, bnn_h5_join(verdicts, group, "verdicts"), c->verdicts);
    bnn_store_put_traces(w, bnn_h5_join(traces, group, "traces"), c->traces);
    bnn_store_put_history(w, bnn_h5_join(history, group, "metrics"), &c->history);
    for (int k = 0; c->marginals && k < n_splits; k++)
        if (c->marginals[k]) put_marginals(w, group, k, c->marginals[k]);
}

bnn_status bnn_comparison_save(const bnn_comparison *c, const bnn_provenance *provenance, const char *path) {
    if (c->n_engines < 1 || c->n_splits < 1) return bnn_fail(BNN_ERR_STATE, "%s: a comparison needs an engine and a split", path);
    bnn_h5_writer w;
    bnn_h5_create(&w, path);
    bnn_h5_schema(&w, "bnn-comparison");
    bnn_h5_text(&w, "/", "title", c->title);
    bnn_h5_text(&w, "/", "net", c->net);
    bnn_h5_text(&w, "/", "likelihood", c->likelihood);
    bnn_h5_text(&w, "/", "prior", c->prior);
    bnn_h5_u64(&w, "/", "seed", c->seed);
    bnn_h5_text(&w, "/", "task", c->is_class ? "classification" : "regression");
    if (c->is_class) bnn_h5_ints(&w, "/", "n_classes", 1, &c->n_classes);
    if (c->class_name) bnn_h5_texts(&w, "/", "classes", c->n_classes, c->class_name);
    bnn_h5_ints(&w, "/", "samples", 1, &c->samples);
    bnn_h5_text(&w, "/", "status", c->partial ? "partial" : "complete");
    bnn_h5_ints(&w, "/", "n_engines", 1, &c->n_engines);
    if (c->part[1] > 0) bnn_h5_ints(&w, "/", "part", 2, c->part);
    bnn_store_put_provenance(&w, provenance);
    put_scores(&w, c);
    put_targets(&w, c);
    put_distances(&w, c);
    for (int e = 0; e < c->n_engines; e++) {
        char group[BNN_H5_PATH];
        engine_group(group, e);
        put_contestant(&w, group, &c->engine[e], c->n_splits);
    }
    return bnn_h5_commit(&w);
}

/* ---- reading ---- */

void bnn_comparison_free(bnn_comparison *c) {
    if (!c) return;
    for (int e = 0; c->engine && e < c->n_engines; e++) {
        bnn_contestant *k = &c->engine[e];
        bnn_history_free(&k->history);
        free(k->label), free(k->metrics), free(k->cost), free(k->distance), free(k->remark), free(k->spec_json);
        free(k->sd), free(k->error), free(k->y), free(k->pit), free(k->called), free(k->target);
        for (int s = 0; k->marginals && s < c->n_splits; s++) bnn_marginals_free(k->marginals[s]);
        free(k->marginals);
        bnn_remarks_free(k->verdicts), bnn_traces_free(k->traces);
    }
    bnn_texts_free(c->target, c->n_targets);
    bnn_texts_free(c->class_name, c->n_classes);
    free(c->title), free(c->net), free(c->likelihood), free(c->prior), free(c->data_path), free(c->data_sha256);
    free(c->split), free(c->engine);
    free(c);
}

static void get_texts(bnn_h5_reader *r, bnn_comparison *c) {
    c->net = bnn_h5_get_text(r, "/", "net");
    c->likelihood = bnn_h5_get_text(r, "/", "likelihood");
    c->prior = bnn_h5_get_text(r, "/", "prior");
    c->seed = bnn_h5_get_u64(r, "/", "seed");
    c->data_path = bnn_h5_get_text(r, "/provenance", "data_path");
}

/* Room for this many engines and splits. */
static bool make_room(bnn_h5_reader *r, bnn_comparison *c, int engines, int splits) {
    if (r->status == BNN_OK && (engines < 1 || splits < 1 || engines > INT32_MAX / BNN_CALIBRATION_LEVELS / splits))
        r->status = bnn_fail(BNN_ERR_FORMAT, "%s: has %d engines and %d splits", r->path, engines, splits);
    if (r->status < 0) return false;
    c->n_splits = splits;
    c->split = bnn_h5_room(r, (size_t)splits, sizeof *c->split);
    c->engine = bnn_h5_room(r, (size_t)engines, sizeof *c->engine);
    if (c->engine) c->n_engines = engines;
    for (int e = 0; e < c->n_engines; e++) {
        c->engine[e].metrics = bnn_h5_room(r, (size_t)splits, sizeof(bnn_metrics));
        c->engine[e].cost = bnn_h5_room(r, (size_t)splits, sizeof(bnn_cost));
    }
    return r->status == BNN_OK;
}

static void get_scores(bnn_h5_reader *r, bnn_comparison *c) {
    size_t splits = (size_t)c->n_splits, n = (size_t)c->n_engines * splits;
    bnn_metrics *metrics = bnn_h5_room(r, n, sizeof *metrics);
    bnn_cost *cost = bnn_h5_room(r, n, sizeof *cost);
    bnn_h5_get(r, "/scores/split", BNN_H5_INT, splits, c->split);
    if (metrics && cost) {
        bnn_store_get_metrics(r, "/scores", (int)n, metrics);
        bnn_store_get_cost(r, "/cost", "/provenance", (int)n, cost);
    }
    for (int e = 0; r->status == BNN_OK && e < c->n_engines; e++) {
        memcpy(c->engine[e].metrics, metrics + (size_t)e * splits, splits * sizeof *metrics);
        memcpy(c->engine[e].cost, cost + (size_t)e * splits, splits * sizeof *cost);
    }
    free(metrics), free(cost);
}

/* The group has n_engines * n_splits scores of each target, or of each class. */
static void get_targets(bnn_h5_reader *r, bnn_comparison *c) {
    const char *group = group_of_each(c->is_class);
    char path[BNN_H5_PATH];
    if (r->status < 0 || !bnn_h5_has(r, group)) return;
    int n = bnn_h5_length(r, bnn_h5_join(path, group, dim_of_each(c->is_class)));
    if (r->status == BNN_OK && (n < 1 || n > INT32_MAX / BNN_CALIBRATION_LEVELS / c->n_engines / c->n_splits))
        r->status = bnn_fail(BNN_ERR_FORMAT, "%s: %s has %d targets", r->path, group, n);
    size_t block = (size_t)c->n_splits * (size_t)n, all = (size_t)c->n_engines * block;
    bnn_metrics *each = r->status == BNN_OK ? bnn_h5_room(r, all, sizeof *each) : NULL;
    if (!each) return;
    c->n_targets = n;
    if (bnn_h5_has_attribute(r, path, "labels")) c->target = bnn_h5_get_texts(r, path, "labels", n);
    bnn_store_get_metrics(r, group, (int)all, each);
    for (int e = 0; e < c->n_engines && (c->engine[e].target = bnn_h5_room(r, block, sizeof *each)); e++)
        memcpy(c->engine[e].target, each + (size_t)e * block, block * sizeof *each);
    free(each);
}

static void get_distances(bnn_h5_reader *r, bnn_comparison *c) {
    size_t splits = (size_t)c->n_splits, n = (size_t)c->n_engines * splits;
    char path[BNN_H5_PATH];
    if (r->status < 0 || !bnn_h5_has(r, "/distance")) return;
    c->reference = bnn_h5_get_int(r, "/distance", "reference");
    if (r->status == BNN_OK && (c->reference < 0 || c->reference >= c->n_engines))
        r->status = bnn_fail(BNN_ERR_FORMAT, "%s: /distance is from engine %d of %d", r->path, c->reference, c->n_engines);
    double *v = bnn_h5_room(r, n, sizeof *v);
    for (int e = 0; v && e < c->n_engines; e++) {
        c->engine[e].distance = bnn_h5_room(r, splits, sizeof(bnn_distance));
        c->engine[e].marginals = bnn_h5_room(r, splits, sizeof(bnn_marginals *));
    }
    for (int d = 0; d < N_DISTANCES; d++) {
        if (r->status == BNN_OK && distances[d].of_classes == c->is_class)
            bnn_h5_get(r, bnn_h5_join(path, "/distance", distances[d].name), BNN_H5_DOUBLE, n, v);
        for (size_t i = 0; r->status == BNN_OK && i < n; i++) {
            double x = distances[d].of_classes == c->is_class ? v[i] : NAN;
            memcpy((char *)&c->engine[i / splits].distance[i % splits] + distances[d].offset, &x, sizeof x);
        }
    }
    free(v);
}

/* Numbers on the points of a contestant; NULL where the file has none. */
static double *get_on_points(bnn_h5_reader *r, const char *group, const char *name, int n) {
    char path[BNN_H5_PATH];
    if (!bnn_h5_has(r, bnn_h5_join(path, group, name))) return NULL;
    double *v = bnn_h5_room(r, (size_t)n, sizeof *v);
    if (v) bnn_h5_get(r, path, BNN_H5_DOUBLE, (size_t)n, v);
    return v;
}

static bnn_marginals *get_marginals(bnn_h5_reader *r, const char *at, bool is_class) {
    char value[BNN_H5_PATH];
    int extent[3] = {0, 0, 1};
    bnn_marginals *m = NULL;
    if (!bnn_h5_has(r, at)) return NULL;
    bnn_h5_extents(r, bnn_h5_join(value, at, "value"), is_class ? 2 : 3, extent);
    bnn_marginals_shape shape = {
        .n = extent[0], .width = extent[1], .draws = is_class ? 0 : extent[2], .sites = bnn_h5_get_int(r, at, "sites")};
    if (r->status == BNN_OK && (shape.draws != (is_class ? 0 : BNN_MARGINAL_DRAWS) || shape.sites < 1 || shape.width % shape.sites != 0))
        r->status = bnn_fail(BNN_ERR_FORMAT, "%s: %s are no predictive marginals", r->path, at);
    double *v = r->status == BNN_OK ? bnn_h5_room(r, bnn_marginals_count(shape), sizeof *v) : NULL;
    if (v) bnn_h5_get(r, value, is_class ? BNN_H5_DOUBLE : BNN_H5_SINGLE, bnn_marginals_count(shape), v);
    if (r->status == BNN_OK) r->status = bnn_marginals_restore(shape, v, &m);
    free(v);
    return m;
}

static void get_contestant(bnn_h5_reader *r, const char *group, const bnn_comparison *of, bnn_contestant *c) {
    char path[BNN_H5_PATH];
    c->label = bnn_h5_get_text(r, group, "label");
    c->remark = bnn_h5_get_text(r, group, "remark");
    c->spec_json = bnn_h5_get_text(r, group, "model_spec_json");
    if (bnn_h5_has(r, bnn_h5_join(path, group, "point"))) c->n_points = bnn_h5_length(r, path);
    c->sd = bnn_h5_room(r, (size_t)c->n_points, sizeof(double));
    c->error = bnn_h5_room(r, (size_t)c->n_points, sizeof(double));
    if (c->n_points > 0) {
        bnn_h5_get(r, bnn_h5_join(path, group, "sd"), BNN_H5_DOUBLE, (size_t)c->n_points, c->sd);
        bnn_h5_get(r, bnn_h5_join(path, group, "error"), BNN_H5_DOUBLE, (size_t)c->n_points, c->error);
        c->y = get_on_points(r, group, "y", c->n_points);
        c->pit = get_on_points(r, group, "pit", c->n_points);
        c->called = get_on_points(r, group, "called", c->n_points);
    }
    c->verdicts = bnn_store_get_verdicts(r, bnn_h5_join(path, group, "verdicts"));
    c->traces = bnn_store_get_traces(r, bnn_h5_join(path, group, "traces"));
    bnn_store_get_history(r, bnn_h5_join(path, group, "metrics"), &c->history);
    for (int k = 0; c->marginals && k < of->n_splits; k++)
        c->marginals[k] = get_marginals(r, marginals_group(path, group, k), of->is_class);
}

/* How many classes an object knows, and what they are called. */
static void get_classes(bnn_h5_reader *r, const char *object, bnn_comparison *c) {
    if (bnn_h5_has_attribute(r, object, "n_classes")) c->n_classes = bnn_store_get_n_classes(r, object);
    if (c->n_classes > 0 && bnn_h5_has_attribute(r, object, "classes"))
        c->class_name = bnn_h5_get_texts(r, object, "classes", c->n_classes);
}

/* Files of earlier versions are complete, and do not know their samples. */
static void get_state(bnn_h5_reader *r, bnn_comparison *c) {
    c->data_sha256 = bnn_h5_get_text(r, "/provenance", "data_sha256");
    if (bnn_h5_has_attribute(r, "/", "samples")) c->samples = bnn_h5_get_int(r, "/", "samples");
    if (bnn_h5_has_attribute(r, "/", "status")) c->partial = !bnn_store_is_complete(r);
    if (bnn_h5_has_attribute(r, "/", "part")) bnn_h5_get_ints(r, "/", "part", 2, c->part);
}

static void get_comparison(bnn_h5_reader *r, bnn_comparison *c) {
    char *task = bnn_h5_get_text(r, "/", "task");
    c->is_class = task && strcmp(task, "classification") == 0;
    free(task);
    c->title = bnn_h5_get_text(r, "/", "title");
    get_texts(r, c);
    get_state(r, c);
    get_classes(r, "/", c);
    int extents[2];
    bnn_h5_extents(r, "/scores/ll", 2, extents);
    if (!make_room(r, c, extents[0], extents[1])) return;
    get_scores(r, c);
    get_targets(r, c);
    get_distances(r, c);
    for (int e = 0; r->status == BNN_OK && e < c->n_engines; e++) {
        char group[BNN_H5_PATH];
        engine_group(group, e);
        get_contestant(r, group, c, &c->engine[e]);
    }
}

/* ---- going on with a comparison ---- */

/* Where two comparisons are of other work. */
typedef struct {
    const char *what;
    char a[256], b[256];
} difference;

static bool differ(difference *d, const char *what, const char *a, const char *b) {
    d->what = what;
    snprintf(d->a, sizeof d->a, "%s", a ? a : ""), snprintf(d->b, sizeof d->b, "%s", b ? b : "");
    return strcmp(a ? a : "", b ? b : "") != 0;
}

static bool differ_by(difference *d, const char *what, unsigned long long a, unsigned long long b) {
    char x[24], y[24];
    snprintf(x, sizeof x, "%llu", a), snprintf(y, sizeof y, "%llu", b);
    return differ(d, what, x, y);
}

/* The engine that distances are from, from 1; 0: there are none. */
static unsigned long long reference_of(const bnn_comparison *c) { return c->engine[0].distance ? (unsigned)c->reference + 1 : 0; }

/* The first that differs. */
static bool differ_in_work(difference *d, const bnn_comparison *a, const bnn_comparison *b) {
    bool found = differ(d, "data_sha256", a->data_sha256, b->data_sha256) || differ(d, "net", a->net, b->net) ||
                 differ(d, "likelihood", a->likelihood, b->likelihood) || differ(d, "prior", a->prior, b->prior) ||
                 differ_by(d, "seed", a->seed, b->seed) || differ_by(d, "samples", (unsigned)a->samples, (unsigned)b->samples) ||
                 differ_by(d, "engines", (unsigned)a->n_engines, (unsigned)b->n_engines);
    for (int e = 0; !found && e < a->n_engines; e++) found = differ(d, "engine", a->engine[e].label, b->engine[e].label);
    found = found || differ_by(d, "splits", (unsigned)a->n_splits, (unsigned)b->n_splits);
    for (int k = 0; !found && k < a->n_splits; k++) found = differ_by(d, "split", (unsigned)a->split[k], (unsigned)b->split[k]);
    return found || differ_by(d, "reference", reference_of(a), reference_of(b));
}

static bool differ_in_part(difference *d, const bnn_comparison *a, const bnn_comparison *b) {
    char x[32], y[32];
    snprintf(x, sizeof x, "%d/%d", a->part[0], a->part[1]), snprintf(y, sizeof y, "%d/%d", b->part[0], b->part[1]);
    return differ(d, "part", a->part[1] ? x : "all", b->part[1] ? y : "all");
}

bnn_status bnn_comparison_same_work(const char *path, const bnn_comparison *then, const bnn_comparison *now) {
    difference d;
    if (!differ_in_work(&d, then, now) && !differ_in_part(&d, then, now)) return BNN_OK;
    return bnn_fail(BNN_ERR_STATE, "%s: was begun with %s '%s', now '%s' is asked for", path, d.what, d.a, d.b);
}

bnn_status bnn_comparison_go_together(const char *path, const bnn_comparison *a, const char *other, const bnn_comparison *b) {
    difference d;
    return differ_in_work(&d, a, b) ? bnn_store_must_agree(path, other, d.what, d.a, d.b) : BNN_OK;
}

void bnn_comparison_settle(bnn_comparison *c, int k) {
    bnn_contestant *reference = &c->engine[c->reference];
    if (!reference->marginals) return;
    bnn_marginals **from = &reference->marginals[k];
    int left = 0;
    for (int e = 0; e < c->n_engines; e++) {
        bnn_contestant *who = &c->engine[e];
        if (*from && who->marginals[k]) {
            who->distance[k] = bnn_marginals_distance(who->marginals[k], *from);
            if (e != c->reference) bnn_marginals_free(who->marginals[k]), who->marginals[k] = NULL;
        }
        left += who->metrics[k].n == 0;
    }
    if (*from && left == 0) bnn_marginals_free(*from), *from = NULL;
}

/* ---- a run as a comparison of one ---- */

static void regression_points(bnn_contestant *c, int width, const double *mean, const double *epistemic, const double *aleatoric,
                              const double *y) {
    for (int i = 0; i < c->n_points; i++) {
        c->sd[i] = sqrt(epistemic[i * width] + aleatoric[i * width]);
        c->error[i] = y[i * width] - mean[i * width];
        c->y[i] = y[i * width];
    }
}

static void class_points(bnn_contestant *c, int width, const double *mean, const double *y) {
    for (int i = 0; i < c->n_points; i++) {
        int best = bnn_prediction_class(mean + i * width, width);
        c->sd[i] = 1 - mean[i * width + best];
        c->error[i] = best != (int)y[i];
        c->y[i] = y[i], c->called[i] = best;
    }
}

static void get_points(bnn_h5_reader *r, bnn_comparison *c) {
    bnn_contestant *k = &c->engine[0];
    int extent[2];
    bnn_h5_extents(r, "/prediction/mean", 2, extent);
    size_t cells = (size_t)extent[0] * (size_t)extent[1], targets = c->is_class ? (size_t)extent[0] : cells;
    double *v = bnn_h5_room(r, 4 * cells, sizeof *v);
    if (!v) return;
    k->sd = bnn_h5_room(r, (size_t)extent[0], sizeof(double)), k->error = bnn_h5_room(r, (size_t)extent[0], sizeof(double));
    k->y = bnn_h5_room(r, (size_t)extent[0], sizeof(double));
    k->called = c->is_class ? bnn_h5_room(r, (size_t)extent[0], sizeof(double)) : NULL;
    bnn_h5_get(r, "/prediction/mean", BNN_H5_DOUBLE, cells, v);
    bnn_h5_get(r, "/prediction/var_epistemic", BNN_H5_DOUBLE, cells, v + cells);
    bnn_h5_get(r, "/prediction/var_aleatoric", BNN_H5_DOUBLE, cells, v + 2 * cells);
    bnn_h5_get(r, "/prediction/y", BNN_H5_DOUBLE, targets, v + 3 * cells);
    if (r->status == BNN_OK) {
        k->n_points = extent[0];
        if (c->is_class)
            class_points(k, extent[1], v, v + 3 * cells);
        else
            regression_points(k, extent[1], v, v + cells, v + 2 * cells, v + 3 * cells);
    }
    if (bnn_h5_has(r, "/prediction/pit") && (k->pit = bnn_h5_room(r, (size_t)extent[0], sizeof(double)))) {
        bnn_h5_get(r, "/prediction/pit", BNN_H5_DOUBLE, cells, v);
        for (int i = 0; r->status == BNN_OK && i < extent[0]; i++) k->pit[i] = v[i * extent[1]];
    }
    free(v);
}

/* A point of maps of classes is an image: the doubt of its pixels, and the root of the share of wrong ones, whose mean square is read. */
static void get_images(bnn_h5_reader *r, bnn_comparison *c) {
    bnn_contestant *k = &c->engine[0];
    int n = bnn_h5_length(r, "/prediction/confidence");
    k->sd = bnn_h5_room(r, (size_t)n, sizeof(double)), k->error = bnn_h5_room(r, (size_t)n, sizeof(double));
    if (r->status < 0) return;
    bnn_h5_get(r, "/prediction/confidence", BNN_H5_DOUBLE, (size_t)n, k->sd);
    bnn_h5_get(r, "/prediction/accuracy", BNN_H5_DOUBLE, (size_t)n, k->error);
    for (int i = 0; r->status == BNN_OK && i < n; i++) k->sd[i] = 1 - k->sd[i], k->error[i] = sqrt(1 - k->error[i]);
    if (r->status == BNN_OK) k->n_points = n;
}

/* Scores of a run that has predicted nothing. */
static bnn_metrics no_scores(bool is_class) {
    bnn_metrics m;
    double *v = (double *)&m;
    for (size_t i = 0; i < sizeof m / sizeof *v; i++) v[i] = NAN;
    m.is_class = is_class, m.n = 0;
    return m;
}

static void get_run(bnn_h5_reader *r, bnn_comparison *c) {
    bool maps = bnn_h5_has(r, "/prediction/confidence"), scored = (maps || bnn_h5_has(r, "/prediction/y")) && bnn_h5_has(r, "/summary");
    get_classes(r, "/scaling", c);
    c->is_class = c->n_classes > 0;
    c->title = bnn_h5_get_text(r, "/", "engine");
    get_texts(r, c);
    if (!make_room(r, c, 1, 1)) return;
    c->split[0] = bnn_h5_get_int(r, "/", "split");
    c->engine[0].label = bnn_h5_get_text(r, "/", "engine");
    c->engine[0].remark = bnn_h5_get_text(r, "/", "remark");
    c->engine[0].spec_json = bnn_h5_get_text(r, "/", "model_spec_json");
    if (scored)
        bnn_store_get_metrics(r, "/summary", 1, c->engine[0].metrics);
    else
        c->engine[0].metrics[0] = no_scores(c->is_class);
    if (scored) get_targets(r, c);
    bnn_store_get_cost(r, "/cost", "/provenance", 1, c->engine[0].cost);
    bnn_store_get_history(r, "/metrics", &c->engine[0].history);
    c->engine[0].verdicts = bnn_store_get_verdicts(r, "/verdicts");
    c->engine[0].traces = bnn_store_get_traces(r, "/traces");
    if (scored) maps ? get_images(r, c) : get_points(r, c);
}

bnn_status bnn_comparison_load(const char *path, bnn_comparison **out) {
    *out = NULL;
    char schema[32];
    bnn_h5_reader r;
    BNN_TRY(bnn_file_schema(path, schema));
    bool is_run = strcmp(schema, "bnn-run") == 0;
    BNN_TRY(bnn_h5_open(&r, path, is_run ? "bnn-run" : "bnn-comparison"));
    bnn_comparison *c = bnn_h5_room(&r, 1, sizeof *c);
    if (c && is_run)
        get_run(&r, c);
    else if (c)
        get_comparison(&r, c);
    bnn_status s = bnn_h5_close(&r);
    if (s < 0)
        bnn_comparison_free(c);
    else
        *out = c;
    return s;
}
