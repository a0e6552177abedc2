/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * maps.c: predictions of maps of classes, in /prediction: of each pixel its class, entropy and mutual information, and probabilities where
 * they are asked for, written as they are made; and of each image, where its truth is known, the means that its scores are made of.
 */
#include "base/word.h"
#include "parts.h"
#include "run/predict/maps.h"

#include <stddef.h>
#include <stdlib.h>

static const char group[] = "/prediction";

enum { MOST_OF_A_BYTE = 128 /* classes that a byte with a sign holds */ };

static bnn_h5_kind kind_of_classes(int classes) { return classes > MOST_OF_A_BYTE ? BNN_H5_CLASSES : BNN_H5_MAP; }

static void open_map(bnn_h5_writer *w, const char *name, bnn_h5_kind kind, const char *dims, const char *meaning) {
    char path[BNN_H5_PATH];
    bnn_h5_put_maps(w, group, name, kind, dims);
    bnn_h5_text(w, bnn_h5_join(path, group, name), "long_name", meaning);
}

/* A map of classes, with the values that they have. */
static void open_classes(bnn_h5_writer *w, const char *name, int classes, const char *dims, const char *meaning) {
    char path[BNN_H5_PATH];
    int8_t value[MOST_OF_A_BYTE];
    open_map(w, name, kind_of_classes(classes), dims, meaning);
    if (classes > MOST_OF_A_BYTE) return;
    for (int c = 0; c < classes; c++) value[c] = (int8_t)c;
    bnn_h5_codes(w, bnn_h5_join(path, group, name), "flag_values", classes, value);
}

void bnn_store_open_maps(bnn_h5_writer *w, const bnn_data *data, const bnn_likelihood *l, bool probabilities) {
    static const char dims[] = "obs_id row column";
    const int classes = l->n_classes, *size = l->y_shape.d, high = l->y_shape.rank == 2 ? size[0] : 1;
    bnn_h5_group(w, group);
    bnn_h5_dim(w, group, "obs_id", data->n, BNN_H5_INT, data->rows);
    bnn_store_put_ids(w, group, data->table, data->n, data->rows);
    bnn_store_put_output_dim(w, group, true, classes, data);
    bnn_h5_dim(w, group, "row", high, BNN_H5_INT, NULL);
    bnn_h5_dim(w, group, "column", l->sites / high, BNN_H5_INT, NULL);
    open_classes(w, "class", classes, dims, "most probable class");
    open_map(w, "entropy", BNN_H5_SINGLE, dims, "entropy of the predictive probabilities, nats");
    open_map(w, "mutual_information", BNN_H5_SINGLE, dims,
             "mutual information of class and parameters, nats: the epistemic part of the entropy");
    if (probabilities) open_map(w, "probability", BNN_H5_SINGLE, "obs_id class_id row column", "predictive probability");
    if (!data->y) return;
    open_classes(w, "y", classes, dims, "the class, where it is known");
    if (classes <= MOST_OF_A_BYTE) bnn_h5_codes(w, "/prediction/y", "_FillValue", 1, (const int8_t[]){-1});
}

/* The numbers to write of some rows, [rows, sites] each. */
typedef struct {
    double *class, *entropy, *information, *y;
} pixels;

static void fill(const bnn_prediction *p, const bnn_real *y, const pixels *to) {
    const size_t sites = (size_t)p->sites, all = (size_t)p->mean_dim;
    for (size_t i = 0; i < (size_t)p->n * sites; i++) {
        const double *q = p->mean + i / sites * all + i % sites;
        to->class[i] = bnn_map_class_of(q, bnn_prediction_width(p), p->sites);
        to->entropy[i] = bnn_prediction_entropy(p, (int)i);
        to->information[i] = bnn_prediction_mutual_information(p, (int)i);
        if (y) to->y[i] = (double)y[i];
    }
}

void bnn_store_put_maps(bnn_h5_writer *w, int from, const bnn_prediction *p, const bnn_data *data, bool probabilities) {
    const size_t n = (size_t)p->n * (size_t)p->sites;
    const int classes = bnn_prediction_width(p), columns = bnn_h5_dim_size(w, group, "column"), high = columns > 0 ? p->sites / columns : 0;
    const int start[4] = {from}, count[3] = {p->n, high, columns}, wide[4] = {p->n, classes, high, columns};
    double *room = malloc((4 * n + 1) * sizeof *room);
    if (!room) {
        bnn_h5_refuse(w, bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for %d maps", w->path, p->n));
        return;
    }
    const pixels to = {room, room + n, room + 2 * n, room + 3 * n};
    fill(p, data->y ? data->y + (size_t)from * (size_t)p->sites : NULL, &to);
    bnn_h5_put_part(w, group, "class", kind_of_classes(classes), 3, start, count, to.class);
    bnn_h5_put_part(w, group, "entropy", BNN_H5_SINGLE, 3, start, count, to.entropy);
    bnn_h5_put_part(w, group, "mutual_information", BNN_H5_SINGLE, 3, start, count, to.information);
    if (probabilities) bnn_h5_put_part(w, group, "probability", BNN_H5_SINGLE, 4, start, wide, p->mean);
    if (data->y) bnn_h5_put_part(w, group, "y", kind_of_classes(classes), 3, start, count, to.y);
    free(room);
}

/* ---- means of images ---- */

void bnn_store_put_images(bnn_h5_writer *w, const bnn_prediction *p) {
    static const struct {
        const char *name;
        size_t of;
    } mean[] = {
        {"pixels", offsetof(bnn_image_scores, pixels)},        {"ll", offsetof(bnn_image_scores, ll)},
        {"accuracy", offsetof(bnn_image_scores, accuracy)},    {"confidence", offsetof(bnn_image_scores, confidence)},
        {"mean_entropy", offsetof(bnn_image_scores, entropy)}, {"mean_mutual_information", offsetof(bnn_image_scores, mutual_information)}};
    bnn_image_scores *image = malloc(((size_t)p->n + 1) * sizeof *image);
    double *v = malloc(((size_t)p->n + 1) * sizeof *v);
    if (!image || !v) bnn_h5_refuse(w, bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for %d images", w->path, p->n));
    for (int i = 0; image && v && i < p->n; i++) bnn_metrics_image(p, i, &image[i]);
    for (size_t k = 0; image && v && k < sizeof mean / sizeof *mean; k++) {
        for (int i = 0; i < p->n; i++) v[i] = *(const double *)((const char *)&image[i] + mean[k].of);
        bnn_h5_put(w, group, mean[k].name, BNN_H5_DOUBLE, v, "obs_id");
    }
    free(image), free(v);
}

/* ---- reading ---- */

static double mean_entropy(bnn_h5_reader *r, const bnn_maps *m, int image, double *room) {
    const int start[3] = {image}, count[3] = {1, m->height, m->width}, n = m->height * m->width;
    double sum = 0;
    bnn_h5_get_part(r, "/prediction/entropy", BNN_H5_DOUBLE, 3, start, count, room);
    for (int i = 0; r->status == BNN_OK && i < n; i++) sum += room[i] / n;
    return sum;
}

static void get_maps(bnn_h5_reader *r, bnn_maps *m) {
    int extent[3], classes = bnn_h5_length(r, "/prediction/class_id");
    bnn_h5_extents(r, "/prediction/entropy", 3, extent);
    *m = (bnn_maps){.n = extent[0], .height = extent[1], .width = extent[2], .n_classes = classes};
    m->has_truth = bnn_h5_has(r, "/prediction/y");
    m->row = bnn_h5_room(r, (size_t)m->n, sizeof *m->row);
    m->entropy = bnn_h5_room(r, (size_t)m->n, sizeof *m->entropy);
    double *room = bnn_h5_room(r, (size_t)m->height * (size_t)m->width, sizeof *room);
    if (r->status == BNN_OK) bnn_h5_get(r, "/prediction/obs_id", BNN_H5_INT, (size_t)m->n, m->row);
    for (int i = 0; r->status == BNN_OK && i < m->n; i++) m->entropy[i] = mean_entropy(r, m, i, room);
    if (bnn_h5_has_attribute(r, "/prediction/class_id", "labels"))
        m->class_names = bnn_h5_get_texts(r, "/prediction/class_id", "labels", m->n_classes);
    free(room);
}

bnn_status bnn_maps_load(const char *path, bnn_maps **out) {
    bnn_h5_reader r;
    *out = NULL;
    BNN_TRY(bnn_h5_open(&r, path, "bnn-prediction"));
    if (!bnn_h5_has(&r, "/prediction/class"))
        r.status = bnn_fail(BNN_ERR_DATA, "%s: holds predictions, but no maps of classes: a run or a comparison can be shown", path);
    bnn_maps *m = bnn_h5_room(&r, 1, sizeof *m);
    if (m) get_maps(&r, m);
    bnn_status s = bnn_h5_close(&r);
    if (s < 0)
        bnn_maps_free(m);
    else
        *out = m;
    return s;
}

void bnn_maps_free(bnn_maps *m) {
    if (!m) return;
    bnn_texts_free(m->class_names, m->n_classes);
    free(m->row), free(m->entropy), free(m);
}

bnn_status bnn_maps_image(const char *path, const bnn_maps *m, int image, int *most_probable, double *entropy, double *information,
                          int *truth) {
    const int start[3] = {image}, count[3] = {1, m->height, m->width};
    bnn_h5_reader r;
    BNN_TRY(bnn_h5_open(&r, path, "bnn-prediction"));
    bnn_h5_get_part(&r, "/prediction/class", BNN_H5_INT, 3, start, count, most_probable);
    bnn_h5_get_part(&r, "/prediction/entropy", BNN_H5_DOUBLE, 3, start, count, entropy);
    bnn_h5_get_part(&r, "/prediction/mutual_information", BNN_H5_DOUBLE, 3, start, count, information);
    for (int i = 0; i < m->height * m->width; i++) truth[i] = -1;
    if (m->has_truth) bnn_h5_get_part(&r, "/prediction/y", BNN_H5_INT, 3, start, count, truth);
    return bnn_h5_close(&r);
}
