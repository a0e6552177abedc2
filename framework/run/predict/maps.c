/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maps.h"

#include <bnn/jobs.h>
#include <math.h>

int bnn_map_level(double entropy, int classes) {
    int level = (int)(entropy / log(classes) * BNN_MAP_LEVELS);
    return level < 0 ? 0 : level < BNN_MAP_LEVELS ? level : BNN_MAP_LEVELS - 1;
}

int bnn_map_class_of(const double *p, int classes, int step) {
    int best = 0;
    for (int c = 1; c < classes; c++)
        if (p[(size_t)c * (size_t)step] > p[(size_t)best * (size_t)step]) best = c;
    return best;
}

/* One pixel, number i of all pixels of one, whose class is y. */
static void add_pixel(const bnn_prediction *one, int i, int y, bnn_map_sums *s) {
    const size_t step = (size_t)one->sites;
    const double *q = one->mean + (size_t)(i / one->sites) * (size_t)one->mean_dim + (size_t)(i % one->sites);
    const int classes = one->mean_dim / one->sites, best = bnn_map_class_of(q, classes, one->sites);
    for (int c = 0; c < classes; c++) {
        double error = q[(size_t)c * step] - (c == y);
        s->brier += error * error;
    }
    double top = q[(size_t)best * step], entropy = bnn_prediction_entropy(one, i);
    int bin = (int)(top * BNN_ECE_BINS), right = best == y;
    double *of_bin = s->bin[bin < BNN_ECE_BINS ? bin : BNN_ECE_BINS - 1];
    of_bin[0]++, of_bin[1] += top, of_bin[2] += right;
    s->level[bnn_map_level(entropy, classes)][right]++;
    s->pixels++, s->right += right, s->ll += one->logp[i], s->entropy += entropy;
    s->information += fmax(0, entropy - one->expected_entropy[i]);
    s->of[y].is++, s->of[best].called++, s->of[y].both += right, s->of[best].confidence += top;
}

typedef struct {
    const bnn_prediction *one;
    const bnn_data *data;
    int from;
    double *sums;
} adding;

static bnn_status add_image(void *context, int row) {
    const adding *a = context;
    const int sites = a->one->sites;
    const bnn_real *y = a->data->y + (size_t)(a->from + row) * (size_t)sites;
    bnn_map_sums *s = (bnn_map_sums *)(a->sums + (size_t)row * bnn_map_sums_length(a->one->mean_dim / sites));
    for (int i = 0; i < sites; i++)
        if (y[i] >= 0) add_pixel(a->one, row * sites + i, (int)y[i], s);
    return BNN_OK;
}

bnn_status bnn_map_sums_add(const bnn_prediction *one, const bnn_data *data, int from, bnn_prediction *p) {
    adding a = {one, data, from, p->map_sums + (size_t)from * bnn_map_sums_length(p->mean_dim / p->sites)};
    return bnn_jobs_run(one->n, add_image, &a);
}
