/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * isotonic.c: probabilities by a rising function of each, by the rule of pooling adjacent violators.
 */
#include "calibration.h"

#include <math.h>
#include <stdlib.h>

/* Rows whose mean is one: from least to most. */
typedef struct {
    double least, most, sum, weight;
} pool;

static int by_least(const void *a, const void *b) {
    const pool *s = a, *t = b;
    return (s->least > t->least) - (s->least < t->least);
}

static bool violates(const pool *below, const pool *above) {
    return below->least == above->least || below->sum * above->weight >= above->sum * below->weight;
}

/* Pools n rows until their means rise; returns how many are left. */
static int pool_violators(pool *rows, int n) {
    int left = 0;
    qsort(rows, (size_t)n, sizeof *rows, by_least);
    for (int i = 0; i < n; i++) {
        rows[left++] = rows[i];
        for (; left > 1 && violates(&rows[left - 2], &rows[left - 1]); left--) {
            pool *a = &rows[left - 2], *b = &rows[left - 1];
            *a = (pool){a->least, b->most, a->sum + b->sum, a->weight + b->weight};
        }
    }
    return left;
}

static size_t most_knots(const bnn_prediction *p) { return (size_t)p->mean_dim * (1 + 4 * (size_t)p->n); }

/* Two knots for each pool, where it begins and where it ends, one where these are the same; returns the end of what is written. */
static double *put_knots(const pool *pools, int left, double edge, double *count, double *to) {
    for (int i = 0; i < left; i++) {
        double mean = fmin(fmax(pools[i].sum / pools[i].weight, edge), 1 - edge);
        *to++ = pools[i].least, *to++ = mean, *count += 1;
        if (pools[i].most > pools[i].least) *to++ = pools[i].most, *to++ = mean, *count += 1;
    }
    return to;
}

static bnn_status fit(const bnn_prediction *p, const bnn_data *rows, bnn_calibration *c) {
    double *to = c->value + p->mean_dim;
    pool *pools = malloc((size_t)p->n * sizeof *pools);
    if (!pools) return bnn_oom("isotonic regression of %d rows", p->n);
    for (int k = 0; k < p->mean_dim; k++) {
        int n = 0;
        for (int i = 0; i < p->n; i++) {
            double x = p->mean[(size_t)i * (size_t)p->mean_dim + (size_t)k], w = bnn_row_weight(rows, i);
            if (w > 0) pools[n++] = (pool){x, x, w * ((int)rows->y[i] == k), w};
        }
        c->value[k] = 0;
        to = put_knots(pools, pool_violators(pools, n), 0.5 / (p->n + 1), &c->value[k], to);
    }
    c->n = (int)(to - c->value);
    free(pools);
    return BNN_OK;
}

/* The function through knots[2 n] at x, constant beyond its ends. */
static double at(const double *knots, int n, double x) {
    int low = 0, high = n - 1;
    if (x <= knots[0]) return knots[1];
    if (x >= knots[2 * high]) return knots[2 * high + 1];
    while (high - low > 1) {
        int middle = low + (high - low) / 2;
        *(knots[2 * middle] <= x ? &low : &high) = middle;
    }
    double share = (x - knots[2 * low]) / (knots[2 * high] - knots[2 * low]);
    return knots[2 * low + 1] + share * (knots[2 * high + 1] - knots[2 * low + 1]);
}

static bnn_status apply(const bnn_calibration *c, const bnn_data *rows, bnn_prediction *p) {
    double *q = malloc((size_t)p->mean_dim * sizeof *q);
    for (int i = 0; q && i < p->n; i++) {
        const double *before = p->mean + (size_t)i * (size_t)p->mean_dim, *knots = c->value + p->mean_dim;
        double sum = 0;
        for (int k = 0; k < p->mean_dim; k++) {
            q[k] = at(knots, (int)c->value[k], before[k]);
            knots += 2 * (int)c->value[k], sum += q[k];
        }
        for (int k = 0; k < p->mean_dim; k++) q[k] /= sum;
        bnn_calibration_set(rows, p, (size_t)i, q);
    }
    free(q);
    return q ? BNN_OK : bnn_oom("probabilities");
}

const bnn_calibrator bnn_calibrator_isotonic = {"isotonic", true, false, most_knots, fit, apply};
