/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/word.h"
#include "parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool out_of_memory(bnn_h5_writer *w, const void *room) {
    if (!room) bnn_h5_refuse(w, bnn_fail(BNN_ERR_MEMORY, "%s: out of memory", w->path));
    return !room;
}

/* ---- sizes ---- */

void bnn_store_get_shape(bnn_h5_reader *r, const char *object, const char *name, int size, bnn_shape *shape) {
    int rank = bnn_h5_count_attribute(r, object, name), d[BNN_MAX_RANK], left = size;
    bool fits = rank >= 1 && rank <= BNN_MAX_RANK;
    if (fits) bnn_h5_get_ints(r, object, name, rank, d);
    for (int i = 0; fits && i < rank && r->status == BNN_OK; i++) {
        fits = d[i] > 0 && left % d[i] == 0;
        if (fits) left /= d[i];
    }
    if (r->status == BNN_OK && !(fits && left == 1))
        r->status = bnn_fail(BNN_ERR_FORMAT, "%s: attribute '%s' of %s does not make %d numbers", r->path, name, object, size);
    if (r->status < 0) return;
    shape->rank = rank;
    memcpy(shape->d, d, (size_t)rank * sizeof *d);
}

int bnn_store_get_n_classes(bnn_h5_reader *r, const char *object) {
    int n = bnn_h5_get_int(r, object, "n_classes");
    if (r->status == BNN_OK && (n < 0 || n > BNN_MOST_CLASSES))
        r->status = bnn_fail(BNN_ERR_FORMAT, "%s: n_classes of %s is %d, not 0 to %d", r->path, object, n, BNN_MOST_CLASSES);
    return r->status == BNN_OK ? n : 0;
}

/* ---- history ---- */

/* Every width-th number from v on, in a column of its own. */
static void put_column(bnn_h5_writer *w, const char *group, const char *name, int n, const double *v, int width, const char *dims) {
    double *column = malloc((size_t)n * sizeof *column);
    if (out_of_memory(w, column)) return;
    for (int i = 0; i < n; i++) column[i] = v[(size_t)i * (size_t)width];
    bnn_h5_put(w, group, name, BNN_H5_DOUBLE, column, dims);
    free(column);
}

static void gate_name(char name[BNN_H5_PATH], const char *gate) { snprintf(name, BNN_H5_PATH, "p_%s", gate); }

void bnn_store_put_history(bnn_h5_writer *w, const char *group, const bnn_history *h) {
    if (h->n == 0) return;
    bnn_h5_group(w, group);
    bnn_h5_dim(w, group, "epoch", h->n, BNN_H5_INT, h->epoch);
    bnn_h5_put(w, group, "nll", BNN_H5_DOUBLE, h->nll, "epoch");
    bnn_h5_put(w, group, "prior", BNN_H5_DOUBLE, h->prior, "epoch");
    bnn_h5_put(w, group, "kl", BNN_H5_DOUBLE, h->kl, "epoch");
    bnn_h5_put(w, group, "noise_sd", BNN_H5_DOUBLE, h->noise_sd, "epoch");
    for (int g = 0; g < h->n_gates; g++) {
        char name[BNN_H5_PATH];
        gate_name(name, h->gate[g]);
        put_column(w, group, name, h->n, h->p + g, h->n_gates, "epoch");
    }
    if (h->n_gates) bnn_h5_texts(w, group, "gates", h->n_gates, h->gate);
    bnn_h5_ints(w, group, "epochs", 1, &h->epochs);
    bnn_h5_ints(w, group, "stride", 1, &h->stride);
}

static void get_gates(bnn_h5_reader *r, const char *group, bnn_history *h) {
    int n = bnn_h5_has_attribute(r, group, "gates") ? bnn_h5_count_attribute(r, group, "gates") : 0;
    if (n > 0 && !(h->gate = bnn_h5_get_texts(r, group, "gates", n))) return;
    h->n_gates = n;
    h->p = bnn_h5_room(r, (size_t)BNN_HISTORY_MOST * (size_t)n, sizeof(double));
    double *column = bnn_h5_room(r, (size_t)h->n, sizeof(double));
    for (int g = 0; h->p && column && g < n; g++) {
        char name[BNN_H5_PATH], path[BNN_H5_PATH];
        gate_name(name, h->gate[g]);
        bnn_h5_get(r, bnn_h5_join(path, group, name), BNN_H5_DOUBLE, (size_t)h->n, column);
        for (int i = 0; i < h->n; i++) h->p[i * n + g] = column[i];
    }
    free(column);
}

/* One owned column of n numbers, with room for `room`. */
static void *get_roomy(bnn_h5_reader *r, const char *group, const char *name, bnn_h5_kind kind, int n, int room) {
    char path[BNN_H5_PATH];
    void *column = bnn_h5_room(r, (size_t)room, kind == BNN_H5_INT ? sizeof(int) : sizeof(double));
    if (column) bnn_h5_get(r, bnn_h5_join(path, group, name), kind, (size_t)n, column);
    return column;
}

static void *get_column(bnn_h5_reader *r, const char *group, const char *name, bnn_h5_kind kind, int n) {
    return get_roomy(r, group, name, kind, n, n);
}

/* With the room that a fit which goes on needs. */
void bnn_store_get_history(bnn_h5_reader *r, const char *group, bnn_history *h) {
    if (!bnn_h5_has(r, group)) return;
    char path[BNN_H5_PATH];
    int n = bnn_h5_length(r, bnn_h5_join(path, group, "epoch")), most = BNN_HISTORY_MOST;
    if (n > most) r->status = bnn_fail(BNN_ERR_FORMAT, "%s: %s has %d epochs, at most %d are recorded", r->path, group, n, most);
    h->epoch = get_roomy(r, group, "epoch", BNN_H5_INT, n, most);
    h->nll = get_roomy(r, group, "nll", BNN_H5_DOUBLE, n, most);
    h->prior = get_roomy(r, group, "prior", BNN_H5_DOUBLE, n, most);
    h->kl = get_roomy(r, group, "kl", BNN_H5_DOUBLE, n, most);
    h->noise_sd = get_roomy(r, group, "noise_sd", BNN_H5_DOUBLE, n, most);
    if (r->status == BNN_OK) h->n = n;
    get_gates(r, group, h);
    h->epochs = bnn_h5_get_int(r, group, "epochs");
    h->stride = bnn_h5_get_int(r, group, "stride");
    if (r->status == BNN_OK && (h->stride < 1 || h->epochs < n))
        r->status =
            bnn_fail(BNN_ERR_FORMAT, "%s: %s has %d entries, for %d epochs with stride %d", r->path, group, n, h->epochs, h->stride);
}

/* ---- metrics ---- */

static const char *meaning(const bnn_score *score, const bnn_metrics *m) {
    bool of_moments = score->offset == offsetof(bnn_metrics, crps) && m->crps_gaussian;
    return of_moments ? "continuous ranked probability score of a Gaussian with the predictive moments, units of y" : score->meaning;
}

/* The first of n metrics that is of any rows: a comparison that was stopped lacks some. */
static const bnn_metrics *first_scored(int n, const bnn_metrics *m) {
    for (int i = 0; i < n; i++)
        if (m[i].of) return &m[i];
    return m;
}

static void put_scores(bnn_h5_writer *w, const char *group, int n, const bnn_metrics *m, const char *dims, double *v) {
    const bnn_score *score;
    const bnn_metrics *first = first_scored(n, m);
    char path[BNN_H5_PATH];
    for (int k = 0; (score = bnn_score_at(k)); k++) {
        if (!(score->of & first->of) || bnn_score_is_coverage(score)) continue;
        for (int i = 0; i < n; i++) v[i] = bnn_score_value(score, &m[i]);
        bnn_h5_put(w, group, score->name, BNN_H5_DOUBLE, v, dims);
        bnn_h5_text(w, bnn_h5_join(path, group, score->name), "long_name", meaning(score, first));
    }
    if (first->of & BNN_SCORE_TARGET) bnn_h5_text(w, group, "crps_of", first->crps_gaussian ? "gaussian" : "mixture");
}

static void put_coverage(bnn_h5_writer *w, const char *group, int n, const bnn_metrics *m, const char *dims, double *v) {
    double level[BNN_CALIBRATION_LEVELS];
    char on[64];
    snprintf(on, sizeof on, "%s level", dims);
    for (int l = 0; l < BNN_CALIBRATION_LEVELS; l++) level[l] = bnn_calibration_level(l);
    for (int i = 0; i < n; i++) memcpy(v + (size_t)i * BNN_CALIBRATION_LEVELS, m[i].coverage, sizeof level);
    bnn_h5_dim(w, group, "level", BNN_CALIBRATION_LEVELS, BNN_H5_DOUBLE, level);
    bnn_h5_put(w, group, "coverage", BNN_H5_DOUBLE, v, on + strspn(on, " "));
}

void bnn_store_put_metrics(bnn_h5_writer *w, const char *group, int n, const bnn_metrics *m, const char *dims) {
    double *v = malloc((size_t)n * BNN_CALIBRATION_LEVELS * sizeof *v);
    int *rows = malloc((size_t)n * sizeof *rows);
    if (!out_of_memory(w, v) && !out_of_memory(w, rows)) {
        for (int i = 0; i < n; i++) rows[i] = m[i].n;
        bnn_h5_put(w, group, "rows", BNN_H5_INT, rows, dims);
        put_scores(w, group, n, m, dims, v);
        if (!first_scored(n, m)->is_class) put_coverage(w, group, n, m, dims, v);
    }
    free(v), free(rows);
}

/* Tells what the scores of a group are of. */
static unsigned scores_of(bnn_h5_reader *r, const char *group) {
    char path[BNN_H5_PATH];
    bool maps = bnn_h5_has(r, bnn_h5_join(path, group, "iou"));
    if (maps) return bnn_h5_has(r, bnn_h5_join(path, group, "accuracy")) ? BNN_SCORE_MAPS : BNN_SCORE_MAP;
    if (bnn_h5_has(r, bnn_h5_join(path, group, "accuracy"))) return BNN_SCORE_CLASSES;
    if (bnn_h5_has(r, bnn_h5_join(path, group, "precision"))) return BNN_SCORE_CLASS;
    if (!bnn_h5_has(r, bnn_h5_join(path, group, "ll"))) return BNN_SCORE_TARGET;
    return bnn_h5_has(r, bnn_h5_join(path, group, "rmse")) ? BNN_SCORE_TARGETS | BNN_SCORE_TARGET : BNN_SCORE_TARGETS;
}

/* A score that a file of an older version does not have is NaN. */
static void get_score(bnn_h5_reader *r, const char *group, const bnn_score *score, int n, bnn_metrics *m) {
    char path[BNN_H5_PATH];
    bool known = bnn_h5_has(r, bnn_h5_join(path, group, score->name));
    double *v = known ? get_column(r, group, score->name, BNN_H5_DOUBLE, n) : NULL;
    for (int i = 0; (v || !known) && i < n; i++) *(double *)((char *)&m[i] + score->offset) = known ? v[i] : NAN;
    free(v);
}

static bool is_gaussian(bnn_h5_reader *r, const char *group) {
    char *of = bnn_h5_has_attribute(r, group, "crps_of") ? bnn_h5_get_text(r, group, "crps_of") : NULL;
    bool gaussian = !of || strcmp(of, "gaussian") == 0;
    free(of);
    return gaussian;
}

void bnn_store_get_metrics(bnn_h5_reader *r, const char *group, int n, bnn_metrics *m) {
    const bnn_score *score;
    unsigned of = scores_of(r, group);
    bool is_class = of & (BNN_SCORE_CLASSES | BNN_SCORE_CLASS | BNN_SCORE_MAPS | BNN_SCORE_MAP), gaussian = is_gaussian(r, group);
    int *rows = get_column(r, group, "rows", BNN_H5_INT, n);
    for (int i = 0; rows && i < n; i++) {
        m[i] = (bnn_metrics){.is_class = is_class, .of = of, .n = rows[i], .crps_gaussian = gaussian};
        if (r->status == BNN_OK && rows[i] < 0) r->status = bnn_fail(BNN_ERR_FORMAT, "%s: %s are of %d rows", r->path, group, rows[i]);
    }
    free(rows);
    for (int k = 0; (score = bnn_score_at(k)); k++)
        if ((score->of & of) && !bnn_score_is_coverage(score)) get_score(r, group, score, n, m);
    double *v = is_class ? NULL : get_column(r, group, "coverage", BNN_H5_DOUBLE, n * BNN_CALIBRATION_LEVELS);
    for (int i = 0; v && i < n; i++) memcpy(m[i].coverage, v + (size_t)i * BNN_CALIBRATION_LEVELS, sizeof m[i].coverage);
    free(v);
}

/* ---- cost ---- */

static const struct {
    const char *name;
    size_t offset;
    bnn_h5_kind kind;
    bool time; /* differs between equal runs */
} costs[] = {
#define COST(field, kind, time) \
    { #field, offsetof(bnn_cost, field), kind, time }
    COST(gradients, BNN_H5_COUNT, false),    COST(forwards, BNN_H5_COUNT, false),    COST(flops, BNN_H5_DOUBLE, false),
    COST(seconds_wall, BNN_H5_DOUBLE, true), COST(seconds_cpu, BNN_H5_DOUBLE, true), COST(peak_bytes, BNN_H5_COUNT, true),
#undef COST
};
enum { N_COSTS = sizeof costs / sizeof *costs };
_Static_assert(sizeof(double) == sizeof(uint64_t), "all fields of a cost have one size");

void bnn_store_put_cost(bnn_h5_writer *w, const char *group, const char *times, int n, const bnn_cost *c, const char *dims) {
    uint64_t *v = malloc((size_t)n * sizeof *v);
    if (out_of_memory(w, v)) return;
    for (int k = 0; k < N_COSTS; k++) {
        for (int i = 0; i < n; i++) memcpy(&v[i], (const char *)&c[i] + costs[k].offset, sizeof *v);
        bnn_h5_put(w, costs[k].time ? times : group, costs[k].name, costs[k].kind, v, dims);
    }
    free(v);
}

void bnn_store_get_cost(bnn_h5_reader *r, const char *group, const char *times, int n, bnn_cost *c) {
    for (int k = 0; k < N_COSTS; k++) {
        uint64_t *v = get_column(r, costs[k].time ? times : group, costs[k].name, costs[k].kind, n);
        for (int i = 0; v && i < n; i++) memcpy((char *)&c[i] + costs[k].offset, &v[i], sizeof *v);
        free(v);
    }
}

/* ---- dimensions ---- */

const char *bnn_store_put_row_dims(bnn_h5_writer *w, const char *group, const bnn_data *data) {
    static const char *const name[] = {"channel", "row", "column"};
    char path[BNN_H5_PATH];
    bool image = data->x_shape.rank == 3;
    bnn_h5_dim(w, group, "obs_id", data->n, BNN_H5_INT, data->rows);
    for (int i = 0; image && i < 3; i++) bnn_h5_dim(w, group, name[i], data->x_shape.d[i], BNN_H5_INT, NULL);
    if (image) return "obs_id channel row column";
    bnn_h5_dim(w, group, "feature", bnn_shape_size(data->x_shape), BNN_H5_INT, NULL);
    char *const *labels = data->table->x_names;
    if (labels) bnn_h5_texts(w, bnn_h5_join(path, group, "feature"), "labels", bnn_shape_size(data->x_shape), labels);
    return "obs_id feature";
}

void bnn_store_put_output_dim(bnn_h5_writer *w, const char *group, bool is_class, int size, const bnn_data *data) {
    const char *name = is_class ? "class_id" : "output";
    char *const *labels = !data->y ? NULL : is_class ? data->table->class_names : data->table->y_names;
    char path[BNN_H5_PATH];
    bnn_h5_dim(w, group, name, size, BNN_H5_INT, NULL);
    if (labels) bnn_h5_texts(w, bnn_h5_join(path, group, name), "labels", size, labels);
}

/* ---- verdicts ---- */

void bnn_store_put_verdicts(bnn_h5_writer *w, const char *group, const bnn_remarks *remarks) {
    int n = bnn_remarks_count(remarks);
    if (!remarks) return;
    bnn_h5_group(w, group);
    bnn_h5_ints(w, group, "count", 1, &n);
    if (n == 0) return;
    char **texts = calloc(3 * (size_t)n, sizeof *texts), **severity = texts + n, **sentence = severity + n;
    if (!texts) {
        bnn_h5_refuse(w, bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for verdicts", w->path));
        return;
    }
    for (int i = 0; i < n; i++) {
        texts[i] = (char *)bnn_remark_code(remarks, i);
        severity[i] = (char *)bnn_severity_name(bnn_remark_severity(remarks, i));
        sentence[i] = (char *)bnn_remark_sentence(remarks, i);
    }
    bnn_h5_texts(w, group, "code", n, texts);
    bnn_h5_texts(w, group, "severity", n, severity);
    bnn_h5_texts(w, group, "sentence", n, sentence);
    free(texts);
}

static void get_verdict(bnn_h5_reader *r, const char *code, const char *severity, const char *sentence, bnn_remarks *out) {
    int k = 0;
    while (k < 3 && strcmp(bnn_severity_name((bnn_severity)k), severity) != 0) k++;
    if (k == 3)
        r->status = bnn_fail(BNN_ERR_FORMAT, "%s: a verdict is '%s', not note, warning or bad", r->path, severity);
    else
        r->status = bnn_remarks_add(out, (bnn_severity)k, code, "%s", sentence);
}

bnn_remarks *bnn_store_get_verdicts(bnn_h5_reader *r, const char *group) {
    if (!bnn_h5_has(r, group)) return NULL;
    int n = bnn_h5_get_int(r, group, "count");
    bnn_remarks *out = NULL;
    if (r->status == BNN_OK) r->status = bnn_remarks_new(&out);
    char **code = n > 0 ? bnn_h5_get_texts(r, group, "code", n) : NULL,
         **severity = n > 0 ? bnn_h5_get_texts(r, group, "severity", n) : NULL,
         **sentence = n > 0 ? bnn_h5_get_texts(r, group, "sentence", n) : NULL;
    for (int i = 0; r->status == BNN_OK && i < n; i++) get_verdict(r, code[i], severity[i], sentence[i], out);
    bnn_texts_free(code, n), bnn_texts_free(severity, n), bnn_texts_free(sentence, n);
    if (r->status == BNN_OK) return out;
    bnn_remarks_free(out);
    return NULL;
}

/* ---- traces ---- */

/* Where in bnn_convergence they are. */
static const struct {
    const char *name;
    size_t offset;
} convergence[] = {{"rhat", offsetof(bnn_convergence, rhat)},
                   {"ess_bulk", offsetof(bnn_convergence, ess_bulk)},
                   {"ess_tail", offsetof(bnn_convergence, ess_tail)},
                   {"mean", offsetof(bnn_convergence, mean)},
                   {"sd", offsetof(bnn_convergence, sd)}};

static void put_convergence(bnn_h5_writer *w, const char *group, const char *name, const bnn_traces *t, size_t offset) {
    double v[BNN_TRACED];
    for (int i = 0; i < t->n; i++) v[i] = *(const double *)((const char *)&t->quantity[i].is + offset);
    bnn_h5_put(w, group, name, BNN_H5_DOUBLE, v, "quantity");
}

void bnn_store_put_traces(bnn_h5_writer *w, const char *group, const bnn_traces *t) {
    char *names[BNN_TRACED], path[BNN_H5_PATH];
    if (!t || t->n == 0) return;
    for (int i = 0; i < t->n; i++) names[i] = (char *)t->quantity[i].name;
    bnn_h5_group(w, group);
    bnn_h5_ints(w, group, "of", 1, &t->of);
    bnn_h5_dim(w, group, "quantity", t->n, BNN_H5_INT, NULL);
    bnn_h5_texts(w, bnn_h5_join(path, group, "quantity"), "labels", t->n, names);
    bnn_h5_dim(w, group, "chain", t->chains, BNN_H5_INT, NULL);
    bnn_h5_dim(w, group, "trace_draw", t->draws, BNN_H5_INT, NULL);
    bnn_h5_put(w, group, "value", BNN_H5_REAL, t->x, "quantity chain trace_draw");
    for (size_t i = 0; i < sizeof convergence / sizeof *convergence; i++)
        put_convergence(w, group, convergence[i].name, t, convergence[i].offset);
}

static void get_quantities(bnn_h5_reader *r, const char *group, bnn_traces *t) {
    char path[BNN_H5_PATH];
    double v[BNN_TRACED];
    char **names = bnn_h5_get_texts(r, bnn_h5_join(path, group, "quantity"), "labels", t->n);
    for (int i = 0; names && i < t->n; i++) snprintf(t->quantity[i].name, sizeof t->quantity[i].name, "%s", names[i]);
    bnn_texts_free(names, t->n);
    for (size_t k = 0; k < sizeof convergence / sizeof *convergence; k++) {
        bnn_h5_get(r, bnn_h5_join(path, group, convergence[k].name), BNN_H5_DOUBLE, (size_t)t->n, v);
        for (int i = 0; r->status == BNN_OK && i < t->n; i++) *(double *)((char *)&t->quantity[i].is + convergence[k].offset) = v[i];
    }
    t->of = bnn_h5_get_int(r, group, "of");
}

bnn_traces *bnn_store_get_traces(bnn_h5_reader *r, const char *group) {
    char path[BNN_H5_PATH];
    int extent[3];
    bnn_traces *t = NULL;
    if (!bnn_h5_has(r, group)) return NULL;
    bnn_h5_extents(r, bnn_h5_join(path, group, "value"), 3, extent);
    if (r->status == BNN_OK && (extent[0] > BNN_TRACED || extent[1] < 1 || extent[2] > INT32_MAX / BNN_TRACED / extent[1]))
        r->status =
            bnn_fail(BNN_ERR_FORMAT, "%s: %s has %d quantities of %d chains of %d draws", r->path, group, extent[0], extent[1], extent[2]);
    if (r->status == BNN_OK) r->status = bnn_traces_new(extent[1], extent[2], extent[0], &t);
    if (r->status < 0) return NULL;
    t->n = extent[0];
    bnn_h5_get(r, path, BNN_H5_REAL, (size_t)t->n * (size_t)t->chains * (size_t)t->draws, t->x);
    get_quantities(r, group, t);
    if (r->status == BNN_OK) return t;
    bnn_traces_free(t);
    return NULL;
}
