/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * convergence.c: R-hat, effective numbers of draws and Monte Carlo errors of one quantity; no engine and no network in sight.
 */
#include <bnn/diagnose.h>

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_fft_halfcomplex.h>
#include <gsl/gsl_fft_real.h>
#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Arrays for chains of n draws, all of them S. */
typedef struct {
    size_t padded;     /* a power of 2, at least 2 n: correlations do not wrap around */
    double *wave;      /* [padded] */
    double *rho;       /* [n] */
    double *mean, *of; /* [chains], [S] the chains that are looked at */
    double *sorted;    /* [S] */
    size_t *order;     /* [S] */
    double *memory;
} room;

static bnn_status open_room(room *r, size_t chains, size_t n) {
    size_t all = chains * n;
    for (r->padded = 1; r->padded < 2 * n; r->padded *= 2) continue;
    r->memory = malloc((r->padded + n + chains + 2 * all) * sizeof *r->memory);
    r->order = malloc(all * sizeof *r->order);
    if (!r->memory || !r->order) {
        free(r->memory), free(r->order);
        return bnn_oom("diagnostics");
    }
    r->wave = r->memory;
    r->rho = r->wave + r->padded;
    r->mean = r->rho + n;
    r->of = r->mean + chains;
    r->sorted = r->of + all;
    return BNN_OK;
}

static void close_room(room *r) { free(r->memory), free(r->order); }

static bool is_constant(size_t n, const double *x) {
    for (size_t i = 1; i < n; i++)
        if (x[i] != x[0]) return false;
    return true;
}

static bool is_finite(size_t n, const double *x) {
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i])) return false;
    return true;
}

/* ---------------------------------------------------------------- effective number */

/* Adds the autocovariances of one chain, divisor n, to rho: by the theorem of Wiener and Khinchin. */
static void add_autocovariance(const room *r, size_t n, const double *x, double mean) {
    for (size_t i = 0; i < r->padded; i++) r->wave[i] = i < n ? x[i] - mean : 0;
    gsl_fft_real_radix2_transform(r->wave, 1, r->padded);
    r->wave[0] *= r->wave[0];
    r->wave[r->padded / 2] *= r->wave[r->padded / 2];
    for (size_t k = 1; k < r->padded / 2; k++) { /* real part at k, imaginary part at padded - k */
        double *re = &r->wave[k], *im = &r->wave[r->padded - k];
        *re = *re * *re + *im * *im;
        *im = 0;
    }
    gsl_fft_halfcomplex_radix2_inverse(r->wave, 1, r->padded);
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

/* Counts the effective draws in x[chains, n], which is not constant. */
static double effective(const room *r, size_t chains, size_t n, const double *x) {
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

bnn_status bnn_ess(int chains, int n, const double *x, double *out) {
    size_t all = (size_t)chains * (size_t)n;
    room r;
    *out = NAN;
    if (n < BNN_FEWEST_DRAWS / 2 || !is_finite(all, x) || is_constant(all, x)) return BNN_OK;
    BNN_TRY(open_room(&r, (size_t)chains, (size_t)n));
    *out = effective(&r, (size_t)chains, (size_t)n, x);
    close_room(&r);
    return BNN_OK;
}

/* ---------------------------------------------------------------- R-hat */

/* Normal scores of x[n] in place (Blom's offset, as in the paper); equal ones share the mean of their ranks. */
static void rank_normalise(const room *r, size_t n, double *x) {
    gsl_sort_index(r->order, x, 1, n);
    for (size_t from = 0, to; from < n; from = to) {
        double value = x[r->order[from]];
        for (to = from + 1; to < n && x[r->order[to]] == value; to++) continue;
        double rank = 0.5 * (double)(from + 1 + to), z = gsl_cdf_ugaussian_Pinv((rank - 0.375) / ((double)n + 0.25));
        for (size_t i = from; i < to; i++) r->sorted[r->order[i]] = z;
    }
    memcpy(x, r->sorted, n * sizeof *x);
}

static double potential_reduction(const room *r, size_t chains, size_t n, const double *x) {
    double within = 0;
    for (size_t k = 0; k < chains; k++) {
        r->mean[k] = gsl_stats_mean(x + k * n, 1, n);
        within += gsl_stats_variance_m(x + k * n, 1, n, r->mean[k]) / (double)chains;
    }
    return sqrt((gsl_stats_variance(r->mean, 1, chains) * (double)n / within + (double)n - 1) / (double)n);
}

/* ---------------------------------------------------------------- one quantity */

/* The two halves of every chain as chains of their own; of an odd number the draw in the middle is left out. */
static void split(size_t chains, size_t n, const double *x, double *to) {
    size_t half = n / 2;
    for (size_t k = 0; k < chains; k++) {
        memcpy(to + 2 * k * half, x + k * n, half * sizeof *to);
        memcpy(to + (2 * k + 1) * half, x + (k + 1) * n - half, half * sizeof *to);
    }
}

/* The effective number of the indicator x <= q. */
static double effective_below(const room *r, size_t chains, size_t n, const double *x, double q) {
    size_t half = n / 2, all = 2 * chains * half;
    split(chains, n, x, r->of);
    for (size_t i = 0; i < all; i++) r->of[i] = r->of[i] <= q;
    return is_constant(all, r->of) ? NAN : effective(r, 2 * chains, half, r->of);
}

static void measure(room *r, size_t chains, size_t n, const double *x, bnn_convergence *out) {
    size_t half = n / 2, halves = 2 * chains, all = chains * n, kept = halves * half;
    out->mean = gsl_stats_mean(x, 1, all);
    out->sd = gsl_stats_sd_m(x, 1, all, out->mean);
    split(chains, n, x, r->of);
    out->mcse_mean = out->sd / sqrt(effective(r, halves, half, r->of));
    rank_normalise(r, kept, r->of);
    out->ess_bulk = effective(r, halves, half, r->of);
    out->rhat = potential_reduction(r, halves, half, r->of);
    memcpy(r->sorted, x, all * sizeof *x);
    gsl_sort(r->sorted, 1, all);
    double median = gsl_stats_median_from_sorted_data(r->sorted, 1, all);
    double low = gsl_stats_quantile_from_sorted_data(r->sorted, 1, all, 0.05);
    double high = gsl_stats_quantile_from_sorted_data(r->sorted, 1, all, 0.95);
    out->ess_tail = fmin(effective_below(r, chains, n, x, low), effective_below(r, chains, n, x, high));
    split(chains, n, x, r->of);
    for (size_t i = 0; i < kept; i++) r->of[i] = fabs(r->of[i] - median);
    rank_normalise(r, kept, r->of);
    out->rhat = fmax(out->rhat, potential_reduction(r, halves, half, r->of));
}

bnn_status bnn_convergence_of(int chains, int n, const double *draws, bnn_convergence *out) {
    size_t all = (size_t)chains * (size_t)n;
    room r;
    if (n < BNN_FEWEST_DRAWS) return bnn_fail(BNN_ERR_DATA, "chains of %d draws say nothing: %d are needed", n, BNN_FEWEST_DRAWS);
    *out = (bnn_convergence){NAN, NAN, NAN, NAN, NAN, NAN};
    if (!is_finite(all, draws)) return BNN_OK;
    if (is_constant(all, draws)) {
        out->mean = draws[0], out->sd = 0;
        return BNN_OK;
    }
    BNN_TRY(open_room(&r, 2 * (size_t)chains, (size_t)n / 2 + 1));
    measure(&r, (size_t)chains, (size_t)n, draws, out);
    close_room(&r);
    return BNN_OK;
}
