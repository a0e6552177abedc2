/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ess.h"
#include "lags.h"

#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bnn_status bnn_ess_room_open(size_t chains, size_t n, bnn_ess_room *r) {
    for (r->padded = 1; r->padded < 2 * n; r->padded *= 2) continue;
    r->wave = malloc((r->padded + n + chains) * sizeof *r->wave);
    if (!r->wave) return bnn_oom("effective numbers of draws");
    r->rho = r->wave + r->padded;
    r->mean = r->rho + n;
    return BNN_OK;
}

void bnn_ess_room_close(bnn_ess_room *r) { free(r->wave); }

bool bnn_ess_is_constant(size_t n, const double *x) {
    for (size_t i = 1; i < n; i++)
        if (x[i] != x[0]) return false;
    return true;
}

bool bnn_ess_is_finite(size_t n, const double *x) {
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i])) return false;
    return true;
}

/* Adds the autocovariances of one chain, divisor n, to rho. */
static void add_autocovariance(const bnn_ess_room *r, size_t n, const double *x, double mean) {
    for (size_t i = 0; i < r->padded; i++) r->wave[i] = i < n ? x[i] - mean : 0;
    bnn_lag_products(r->padded, r->wave);
    for (size_t t = 0; t < n; t++) r->rho[t] += r->wave[t] / (double)n;
}

/* Geyer 1992: sums of neighbouring pairs are positive and fall; where they cease to, there is only noise. rho[n] is overwritten; returns
 * 1 + 2 sum of the correlations up to there. */
static double correlation_time(size_t n, double *rho) {
    size_t last = 0;
    double even = 1, odd = rho[1];
    while (last + 5 < n && even + odd > 0) {
        last += 2;
        even = rho[last], odd = rho[last + 1];
    }
    if (even + odd < 0) rho[last] = fmax(even, 0); /* half of the pair that broke off: less variance where draws alternate */
    double sum = rho[last] - 1, before = rho[0] + rho[1];
    for (size_t t = 0; t < last; t += 2) {
        double pair = fmin(rho[t] + rho[t + 1], before);
        sum += 2 * pair;
        before = pair;
    }
    return sum;
}

double bnn_ess_effective(const bnn_ess_room *r, size_t chains, size_t n, const double *x) {
    double S = (double)(chains * n), between = 0;
    memset(r->rho, 0, n * sizeof *r->rho);
    for (size_t k = 0; k < chains; k++) {
        r->mean[k] = gsl_stats_mean(x + k * n, 1, n);
        add_autocovariance(r, n, x + k * n, r->mean[k]);
    }
    if (chains > 1) between = gsl_stats_variance(r->mean, 1, chains);
    double within = r->rho[0] / (double)chains, all = within + between, unbiased = within * (double)n / ((double)n - 1);
    for (size_t t = 0; t < n; t++) r->rho[t] = t == 0 ? 1 : 1 - (unbiased - r->rho[t] / (double)chains) / all;
    return S / fmax(correlation_time(n, r->rho), 1 / log10(S));
}

void bnn_ess_split(size_t chains, size_t n, const double *x, double *to) {
    size_t half = n / 2;
    for (size_t k = 0; k < chains; k++) {
        memcpy(to + 2 * k * half, x + k * n, half * sizeof *to);
        memcpy(to + (2 * k + 1) * half, x + (k + 1) * n - half, half * sizeof *to);
    }
}

double bnn_ess_mcse(const bnn_ess_room *r, size_t chains, size_t n, const double *x, double *halves) {
    bnn_ess_split(chains, n, x, halves);
    double mean = gsl_stats_mean(x, 1, chains * n), sd = gsl_stats_sd_m(x, 1, chains * n, mean);
    return sd / sqrt(bnn_ess_effective(r, 2 * chains, n / 2, halves));
}
