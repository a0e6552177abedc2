/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "parts.h"

#include <bnn/kernels.h>
#include <math.h>
#include <stdlib.h>

/* Arrays of mean_dim numbers a row. */
static size_t wide_arrays(const bnn_likelihood *l) { return l->n_classes == 0 ? 4 : l->sites == 1 ? 2 : 1; }

size_t bnn_tally_numbers(const bnn_likelihood *l) { return wide_arrays(l) * (size_t)l->mean_dim + 3 * (size_t)l->sites; }

bnn_status bnn_tally_open(bnn_tally *t, const bnn_likelihood *l, size_t rows) {
    const size_t wide = rows * (size_t)l->mean_dim, narrow = rows * (size_t)l->sites, arrays = wide_arrays(l);
    t->memory = calloc(rows * bnn_tally_numbers(l), sizeof *t->memory);
    if (!t->memory) return bnn_oom("prediction");
    double *at = t->memory + arrays * wide;
    t->mean = t->memory;
    t->m2 = arrays > 1 ? t->memory + wide : NULL;
    t->var = arrays > 2 ? t->memory + 2 * wide : NULL;
    t->pit = arrays > 2 ? t->memory + 3 * wide : NULL;
    t->top = at, t->sum = at + narrow, t->entropy = at + 2 * narrow;
    return BNN_OK;
}

BNN_LOOP static void add_moments(size_t n, double share, const bnn_real *restrict mean, double *restrict m, double *restrict m2) {
    for (size_t i = 0; i < n; i++) {
        double delta = (double)mean[i] - m[i];
        m[i] += delta * share;
        m2[i] += delta * ((double)mean[i] - m[i]);
    }
}

BNN_LOOP static void add_shares(size_t n, double share, const bnn_real *restrict mean, double *restrict m) {
    for (size_t i = 0; i < n; i++) m[i] += ((double)mean[i] - m[i]) * share;
}

BNN_LOOP static void add(size_t n, const bnn_real *restrict x, double *restrict sum) {
    for (size_t i = 0; i < n; i++) sum[i] += (double)x[i];
}

/* Adds one draw's means from number `from` on to the running moments. */
static void add_means(bnn_tally *t, size_t from, size_t n, const bnn_real *mean, const bnn_real *var) {
    if (t->m2)
        add_moments(n, 1.0 / t->draws, mean, t->mean + from, t->m2 + from);
    else
        add_shares(n, 1.0 / t->draws, mean, t->mean + from);
    if (t->var) add(n, var, t->var + from);
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

enum { LANES = 128 };

BNN_LOOP static void above_zero(size_t n, const bnn_real *restrict p, bnn_real *restrict to) {
    const bnn_real least = (bnn_real)1e-37; /* 0 log 0 = 0 */
    for (size_t i = 0; i < n; i++) to[i] = p[i] > least ? p[i] : least;
}

BNN_LOOP static void subtract_products(size_t n, const bnn_real *restrict p, const bnn_real *restrict log_p, double *restrict h) {
    for (size_t i = 0; i < n; i++) h[i] -= (double)p[i] * (double)log_p[i];
}

/* Adds the entropies of the pixels of a map, p[k, sites], to h[sites]. */
static void add_map_entropies(size_t k, size_t sites, const bnn_real *p, double *h) {
    bnn_real log_p[LANES];
    for (size_t from = 0; from < sites; from += LANES) {
        size_t n = sites - from < LANES ? sites - from : LANES;
        for (size_t c = 0; c < k; c++) {
            above_zero(n, p + c * sites + from, log_p);
            bnn_vec_log(n, log_p, log_p);
            subtract_products(n, p + c * sites + from, log_p, h + from);
        }
    }
}

void bnn_tally_add(bnn_tally *t, size_t from, int n, const bnn_likelihood *l, const bnn_observation *seen) {
    const size_t k = (size_t)l->mean_dim, sites = (size_t)l->sites, rows = (size_t)n;
    add_means(t, from * k, rows * k, seen->mean, seen->var);
    if (seen->logp) add_logp(t, from * sites, rows * sites, seen->logp);
    if (seen->pit) add(rows * k, seen->pit, t->pit + from * k);
    for (size_t i = 0; l->n_classes > 0 && i < rows; i++)
        if (sites == 1)
            t->entropy[from + i] += entropy_of(k, seen->mean + i * k);
        else
            add_map_entropies(k / sites, sites, seen->mean + i * k, t->entropy + (from + i) * sites);
}

/* a += b, for the moments by Chan, Golub & LeVeque 1983, eq. 1.5. */
void bnn_tally_merge(bnn_tally *a, const bnn_tally *b, const bnn_likelihood *l, size_t rows) {
    const size_t wide = rows * (size_t)l->mean_dim, narrow = rows * (size_t)l->sites;
    double n = a->draws + b->draws, share = b->draws / n, cross = (double)a->draws * b->draws / n;
    for (size_t i = 0; i < wide; i++) {
        double delta = b->mean[i] - a->mean[i];
        a->mean[i] += delta * share;
        if (a->m2) a->m2[i] += b->m2[i] + delta * delta * cross;
        if (a->var) a->var[i] += b->var[i];
        if (a->pit) a->pit[i] += b->pit[i];
    }
    for (size_t i = 0; i < narrow; i++) {
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
        if (!t->m2) continue;
        p->var_epistemic[to] = t->m2[i] / S * sd * sd;
        if (t->var) p->var_aleatoric[to] = t->var[i] / S * sd * sd;
        p->mean_mcse[to] = p->samples > 1 ? sqrt(p->var_epistemic[to] / (S - 1)) : 0;
        if (p->pit) p->pit[to] = t->pit[i] / S;
    }
    for (size_t i = 0; i < rows * (size_t)p->sites; i++) {
        size_t to = at * (size_t)p->sites + i;
        if (p->logp) p->logp[to] = t->top[i] + log(t->sum[i]) - log(S) - log_unit;
        if (p->is_class) p->expected_entropy[to] = t->entropy[i] / S;
    }
}
