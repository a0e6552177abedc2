/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * detection.c: files of schema "bnn-detection".
 */
#include "base/word.h"
#include "store/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Numbers that are known of each score, beside its curves. */
static const struct {
    const char *name, *meaning;
    size_t offset;
} numbers[] = {
    {"auroc", "area under the curve of tpr against fpr", offsetof(bnn_detection, auroc)},
    {"auroc_se", "standard error of auroc (DeLong, DeLong & Clarke-Pearson 1988)", offsetof(bnn_detection, auroc_se)},
    {"average_precision", "mean precision over the rise in tpr; rows out are positive", offsetof(bnn_detection, average_precision)},
    {"fpr_95", "share of rows in above a threshold that 95 % of the rows out reach", offsetof(bnn_detection, fpr_95)},
};
enum { N_NUMBERS = sizeof numbers / sizeof *numbers };

static const char group[] = "/detection";

static void curve_group(char name[BNN_H5_PATH], const char *score) { snprintf(name, BNN_H5_PATH, "/curve_%s", score); }

static void put_rows(bnn_h5_writer *w, const char *kind, const bnn_data *rows, const bnn_row_scores *scores) {
    bnn_h5_group(w, kind);
    bnn_h5_dim(w, kind, "obs_id", rows->n, BNN_H5_INT, rows->rows);
    bnn_store_put_ids(w, kind, rows->table, rows->n, rows->rows);
    for (int k = 0; k < BNN_ROW_SCORES; k++)
        if (scores->of[k]) bnn_h5_put(w, kind, bnn_row_score_name((bnn_row_score)k), BNN_H5_DOUBLE, scores->of[k], "obs_id");
}

static void put_curve(bnn_h5_writer *w, const char *score, const bnn_detection *d) {
    char name[BNN_H5_PATH];
    curve_group(name, score);
    bnn_h5_group(w, name);
    bnn_h5_dim(w, name, "point", d->n_points, BNN_H5_INT, NULL);
    bnn_h5_put(w, name, "threshold", BNN_H5_DOUBLE, d->threshold, "point");
    bnn_h5_put(w, name, "fpr", BNN_H5_DOUBLE, d->fpr, "point");
    bnn_h5_put(w, name, "tpr", BNN_H5_DOUBLE, d->tpr, "point");
    bnn_h5_put(w, name, "precision", BNN_H5_DOUBLE, d->precision, "point");
}

static void put_numbers(bnn_h5_writer *w, bnn_detection *const of[BNN_ROW_SCORES]) {
    char path[BNN_H5_PATH], *label[BNN_ROW_SCORES];
    const bnn_detection *d[BNN_ROW_SCORES];
    int n = 0;
    for (int k = 0; k < BNN_ROW_SCORES; k++)
        if (of[k]) label[n] = (char *)bnn_row_score_name((bnn_row_score)k), d[n++] = of[k];
    if (n == 0) {
        bnn_h5_refuse(w, bnn_fail(BNN_ERR_STATE, "%s: no score has been measured", w->path));
        return;
    }
    bnn_h5_group(w, group);
    bnn_h5_ints(w, group, "rows_in", 1, &d[0]->n_in);
    bnn_h5_ints(w, group, "rows_out", 1, &d[0]->n_out);
    bnn_h5_dim(w, group, "score", n, BNN_H5_INT, NULL);
    bnn_h5_texts(w, bnn_h5_join(path, group, "score"), "labels", n, label);
    for (int k = 0; k < N_NUMBERS; k++) {
        double v[BNN_ROW_SCORES];
        for (int i = 0; i < n; i++) memcpy(&v[i], (const char *)d[i] + numbers[k].offset, sizeof *v);
        bnn_h5_put(w, group, numbers[k].name, BNN_H5_DOUBLE, v, "score");
        bnn_h5_text(w, bnn_h5_join(path, group, numbers[k].name), "long_name", numbers[k].meaning);
    }
    for (int i = 0; i < n; i++) put_curve(w, label[i], d[i]);
}

bnn_status bnn_detections_save(const bnn_detections *detections, const bnn_provenance *provenance, const char *path) {
    bnn_h5_writer w;
    bnn_h5_create(&w, path);
    bnn_h5_schema(&w, "bnn-detection");
    bnn_store_put_provenance(&w, provenance);
    put_numbers(&w, detections->of);
    put_rows(&w, "/in", detections->in, detections->in_scores);
    put_rows(&w, "/out", detections->out, detections->out_scores);
    return bnn_h5_commit(&w);
}

/* ---- reading ---- */

static double *get_points(bnn_h5_reader *r, const char *curve, const char *name, int n) {
    char path[BNN_H5_PATH];
    double *v = bnn_h5_room(r, (size_t)n, sizeof *v);
    if (v) bnn_h5_get(r, bnn_h5_join(path, curve, name), BNN_H5_DOUBLE, (size_t)n, v);
    return v;
}

static bnn_detection *get_detection(bnn_h5_reader *r, const char *score) {
    static const char *const names[] = {"threshold", "fpr", "tpr", "precision"};
    char curve[BNN_H5_PATH], path[BNN_H5_PATH];
    curve_group(curve, score);
    int n = bnn_h5_length(r, bnn_h5_join(path, curve, "point"));
    bnn_detection *d = bnn_h5_room(r, 1, sizeof *d);
    double *points = bnn_h5_room(r, 4 * (size_t)n, sizeof *points);
    if (!d || !points) {
        free(d), free(points);
        return NULL;
    }
    *d = (bnn_detection){.n_points = n, .threshold = points, .fpr = points + n, .tpr = points + 2 * n, .precision = points + 3 * n};
    for (int k = 0; k < 4; k++) {
        double *v = get_points(r, curve, names[k], n);
        if (v) memcpy(points + (size_t)k * (size_t)n, v, (size_t)n * sizeof *v);
        free(v);
    }
    d->n_in = bnn_h5_get_int(r, group, "rows_in"), d->n_out = bnn_h5_get_int(r, group, "rows_out");
    return d;
}

static void get_numbers(bnn_h5_reader *r, int n, char *const *label, bnn_detection *of[BNN_ROW_SCORES]) {
    char path[BNN_H5_PATH];
    for (int k = 0; k < N_NUMBERS && r->status == BNN_OK; k++) {
        double v[BNN_ROW_SCORES] = {0};
        bnn_h5_get(r, bnn_h5_join(path, group, numbers[k].name), BNN_H5_DOUBLE, (size_t)n, v);
        for (int i = 0; i < n && r->status == BNN_OK; i++) {
            bnn_row_score score;
            if (bnn_row_score_find(label[i], &score) && of[score]) memcpy((char *)of[score] + numbers[k].offset, &v[i], sizeof *v);
        }
    }
}

bnn_status bnn_detections_load(const char *path, bnn_detection *of[BNN_ROW_SCORES]) {
    bnn_h5_reader r;
    for (int k = 0; k < BNN_ROW_SCORES; k++) of[k] = NULL;
    BNN_TRY(bnn_h5_open(&r, path, "bnn-detection"));
    int n = bnn_h5_length(&r, "/detection/score");
    if (r.status == BNN_OK && (n < 1 || n > BNN_ROW_SCORES))
        r.status = bnn_fail(BNN_ERR_FORMAT, "%s: has %d scores, not 1 to %d", path, n, BNN_ROW_SCORES);
    char **label = r.status == BNN_OK ? bnn_h5_get_texts(&r, "/detection/score", "labels", n) : NULL;
    for (int i = 0; label && i < n; i++) {
        bnn_row_score score;
        if (!bnn_row_score_find(label[i], &score) || of[score])
            r.status = bnn_fail(BNN_ERR_FORMAT, "%s: score '%s' is unknown, or there twice", path, label[i]);
        else
            of[score] = get_detection(&r, label[i]);
        if (r.status < 0) break;
    }
    if (label) get_numbers(&r, n, label, of);
    bnn_texts_free(label, n);
    bnn_status s = bnn_h5_close(&r);
    for (int k = 0; s < 0 && k < BNN_ROW_SCORES; k++) bnn_detection_free(of[k]), of[k] = NULL;
    return s;
}
