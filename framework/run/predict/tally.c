/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "parts.h"

#include <bnn/kernels.h>
#include <math.h>
#include <stdlib.h>

bnn_status bnn_tally_open(bnn_tally *t, size_t rows, size_t k) {
    t->memory = calloc(4 * rows * k + 3 * rows, sizeof *t->memory);
    if (!t->memory) return bnn_oom("prediction");
    double *at = t->memory;
    t->mean = at;
    t->m2 = at += rows * k;
    t->var = at += rows * k;
    t->pit = at += rows * k;
    t->top = at += rows * k;
    t->sum = at += rows;
    t->entropy = at + rows;
    return BNN_OK;
}

BNN_LOOP static void add_moments(size_t n, double share, const bnn_real *restrict mean, const bnn_real *restrict var, double *restrict m,
                                 double *restrict m2, double *restrict sum_var) {
    for (size_t i = 0; i < n; i++) {
        double delta = (double)mean[i] - m[i];
        m[i] += delta * share;
        m2[i] += delta * ((double)mean[i] - m[i]);
        sum_var[i] += (double)var[i];
    }
}

/* Adds one draw's means of the rows [row, row+n) to the running moments. */
static void add_means(bnn_tally *t, size_t from, size_t n, const bnn_real *mean, const bnn_real *var) {
    add_moments(n, 1.0 / t->draws, mean, var, t->mean + from, t->m2 + from, t->var + from);
}

static void add_logp(bnn_tally *t, size_t from, size_t n, const double *logp) {
    for (size_t i = 0; i < n; i++) {
        double *top = &t->top[from + i], *sum = &t->sum[from + i];
        if (t->draws == 1 || logp[i] > *top) {
            *sum = t->draws == 1 ? 1 : *sum * exp(*top - logp[i]) + 1;
            *top = logp[i];
        } else if (logp[i] != -INFINITY) { /* which adds nothing, also where there is nothing yet */
            *sum += exp(logp[i] - *top);
        }
    }
}

static double entropy_of(size_t k, const bnn_real *p) {
    double h = 0;
    for (size_t c = 0; c < k; c++)
        if (p[c] > 0) h -= (double)p[c] * log((double)p[c]);
    return h;
}

void bnn_tally_add(bnn_tally *t, size_t from, int n, const bnn_likelihood *l, const bnn_observation *seen) {
    size_t k = (size_t)l->mean_dim;
    add_means(t, from * k, (size_t)n * k, seen->mean, seen->var);
    if (seen->logp) add_logp(t, from, (size_t)n, seen->logp);
    for (size_t i = 0; seen->pit && i < (size_t)n * k; i++) t->pit[from * k + i] += (double)seen->pit[i];
    for (size_t i = 0; l->n_classes > 0 && i < (size_t)n; i++) t->entropy[from + i] += entropy_of(k, seen->mean + i * k);
}

/* a += b, for the moments by Chan, Golub & LeVeque 1983, eq. 1.5. */
void bnn_tally_merge(bnn_tally *a, const bnn_tally *b, size_t rows, size_t k) {
    double n = a->draws + b->draws, share = b->draws / n, cross = (double)a->draws * b->draws / n;
    for (size_t i = 0; i < rows * k; i++) {
        double delta = b->mean[i] - a->mean[i];
        a->mean[i] += delta * share;
        a->m2[i] += b->m2[i] + delta * delta * cross;
        a->var[i] += b->var[i];
        a->pit[i] += b->pit[i];
    }
    for (size_t i = 0; i < rows; i++) {
        double top = fmax(a->top[i], b->top[i]);
        if (isfinite(top)) a->sum[i] = a->sum[i] * exp(a->top[i] - top) + b->sum[i] * exp(b->top[i] - top);
        a->top[i] = top;
        a->entropy[i] += b->entropy[i];
    }
    a->draws += b->draws;
}

void bnn_tally_finish(const bnn_tally *t, const bnn_scaling *scaling, size_t rows, size_t at, bnn_prediction *p) {
    double S = p->samples, log_unit = bnn_prediction_log_unit(p, scaling);
    size_t k = (size_t)p->mean_dim;
    for (size_t i = 0; i < rows * k; i++) {
        double sd = p->is_class ? 1 : scaling->y_sd[i % k], shift = p->is_class ? 0 : scaling->y_mean[i % k];
        size_t to = at * k + i;
        p->mean[to] = t->mean[i] * sd + shift;
        p->var_epistemic[to] = t->m2[i] / S * sd * sd;
        p->var_aleatoric[to] = t->var[i] / S * sd * sd;
        p->mean_mcse[to] = p->samples > 1 ? sqrt(p->var_epistemic[to] / (S - 1)) : 0;
        if (p->pit) p->pit[to] = t->pit[i] / S;
    }
    for (size_t i = 0; i < rows; i++) {
        if (p->logp) p->logp[at + i] = t->top[i] + log(t->sum[i]) - log(S) - log_unit;
        if (p->is_class) p->expected_entropy[at + i] = t->entropy[i] / S;
    }
}
