/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * convergence.c: R-hat, effective numbers of draws and Monte Carlo errors of one quantity; no engine and no network in sight.
 */
#include "run/predict/ess.h"
#include <bnn/diagnose.h>

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)BNN_FEWEST_DRAWS == (int)BNN_ESS_FEWEST, "what is diagnosed has a Monte Carlo error");

/* Arrays for chains of n draws, all of them S. */
typedef struct {
    bnn_ess_room ess;
    double *of;     /* [S] the chains that are looked at */
    double *sorted; /* [S] */
    size_t *order;  /* [S] */
} room;

static void close_room(room *r) {
    bnn_ess_room_close(&r->ess);
    free(r->of), free(r->sorted), free(r->order);
}

static bnn_status open_room(room *r, size_t chains, size_t n) {
    size_t all = chains * n;
    *r = (room){.of = malloc(all * sizeof *r->of), .sorted = malloc(all * sizeof *r->sorted), .order = malloc(all * sizeof *r->order)};
    bnn_status s = r->of && r->sorted && r->order ? bnn_ess_room_open(chains, n, &r->ess) : bnn_oom("diagnostics");
    if (s < 0) close_room(r);
    return s;
}

bnn_status bnn_ess(int chains, int n, const double *x, double *out) {
    size_t all = (size_t)chains * (size_t)n;
    bnn_ess_room r;
    *out = NAN;
    if (n < BNN_FEWEST_DRAWS / 2 || !bnn_ess_is_finite(all, x) || bnn_ess_is_constant(all, x)) return BNN_OK;
    BNN_TRY(bnn_ess_room_open((size_t)chains, (size_t)n, &r));
    *out = bnn_ess_effective(&r, (size_t)chains, (size_t)n, x);
    bnn_ess_room_close(&r);
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
        r->ess.mean[k] = gsl_stats_mean(x + k * n, 1, n);
        within += gsl_stats_variance_m(x + k * n, 1, n, r->ess.mean[k]) / (double)chains;
    }
    return sqrt((gsl_stats_variance(r->ess.mean, 1, chains) * (double)n / within + (double)n - 1) / (double)n);
}

/* ---------------------------------------------------------------- one quantity */

/* The effective number of the indicator x <= q. */
static double effective_below(const room *r, size_t chains, size_t n, const double *x, double q) {
    size_t half = n / 2, all = 2 * chains * half;
    bnn_ess_split(chains, n, x, r->of);
    for (size_t i = 0; i < all; i++) r->of[i] = r->of[i] <= q;
    return bnn_ess_is_constant(all, r->of) ? NAN : bnn_ess_effective(&r->ess, 2 * chains, half, r->of);
}

static void measure(room *r, size_t chains, size_t n, const double *x, bnn_convergence *out) {
    size_t half = n / 2, halves = 2 * chains, all = chains * n, kept = halves * half;
    out->mean = gsl_stats_mean(x, 1, all);
    out->sd = gsl_stats_sd_m(x, 1, all, out->mean);
    out->mcse_mean = bnn_ess_mcse(&r->ess, chains, n, x, r->of);
    rank_normalise(r, kept, r->of);
    out->ess_bulk = bnn_ess_effective(&r->ess, halves, half, r->of);
    out->rhat = potential_reduction(r, halves, half, r->of);
    memcpy(r->sorted, x, all * sizeof *x);
    gsl_sort(r->sorted, 1, all);
    double median = gsl_stats_median_from_sorted_data(r->sorted, 1, all);
    double low = gsl_stats_quantile_from_sorted_data(r->sorted, 1, all, 0.05);
    double high = gsl_stats_quantile_from_sorted_data(r->sorted, 1, all, 0.95);
    out->ess_tail = fmin(effective_below(r, chains, n, x, low), effective_below(r, chains, n, x, high));
    bnn_ess_split(chains, n, x, r->of);
    for (size_t i = 0; i < kept; i++) r->of[i] = fabs(r->of[i] - median);
    rank_normalise(r, kept, r->of);
    out->rhat = fmax(out->rhat, potential_reduction(r, halves, half, r->of));
}

bnn_status bnn_convergence_of(int chains, int n, const double *draws, bnn_convergence *out) {
    size_t all = (size_t)chains * (size_t)n;
    room r;
    if (n < BNN_FEWEST_DRAWS) return bnn_fail(BNN_ERR_DATA, "chains of %d draws say nothing: %d are needed", n, BNN_FEWEST_DRAWS);
    *out = (bnn_convergence){NAN, NAN, NAN, NAN, NAN, NAN};
    if (!bnn_ess_is_finite(all, draws)) return BNN_OK;
    if (bnn_ess_is_constant(all, draws)) {
        out->mean = draws[0], out->sd = 0;
        return BNN_OK;
    }
    BNN_TRY(open_room(&r, 2 * (size_t)chains, (size_t)n / 2 + 1));
    measure(&r, (size_t)chains, (size_t)n, draws, out);
    close_room(&r);
    return BNN_OK;
}
