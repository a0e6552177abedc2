/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * spread.c: samplers on linear regression once more, in as many draws as it takes to find a variance that is 5 % off: over all parameters
 * and several fits at once. And the chains of a fit against each other.
 */
#include "linear.h"
#include "check/hooks.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_linalg.h>
#include <stdlib.h>
#include <string.h>

enum { W = BNN_LINE, FITS = 12, DRAWS = 30000, FEW_FITS = 1, FEW_DRAWS = 4000 };

/* ---------------------------------------------------------------- standard normal numbers */

/* z of draw s: (line - mean) by the inverse of the covariance's factor. */
static void whiten(const bnn_lines *l, const bnn_line_truth *t, const gsl_matrix *factor, int s, double z[W]) {
    gsl_vector_view v = gsl_vector_view_array(z, W);
    for (int i = 0; i < W; i++) z[i] = l->line[s * W + i] - t->mean[i];
    gsl_blas_dtrsv(CblasLower, CblasNoTrans, CblasNonUnit, factor, &v.vector);
}

/* z[draws, W], which should be independent standard normal numbers; must be freed. */
static double *whitened(const bnn_lines *l) {
    bnn_line_truth t;
    double *z = calloc((size_t)l->draws * W + 1, sizeof *z);
    bnn_lines_expect(l, 1, &t);
    gsl_matrix_view factor = gsl_matrix_view_array(t.cov, W, W);
    gsl_linalg_cholesky_decomp1(&factor.matrix);
    for (int s = 0; z && s < l->draws; s++) whiten(l, &t, &factor.matrix, s, z + s * W);
    return z;
}

static double square_of(const double z[W]) {
    double sum = 0;
    for (int i = 0; i < W; i++) sum += z[i] * z[i];
    return sum;
}

/* ---------------------------------------------------------------- spread */

static void judge_square(bnn_checker *c, const bnn_lines *l, const double *z) {
    double error = l->k->claim->error;
    for (int s = 0; s < l->draws; s++) l->values[s] = square_of(z + s * W) / W;
    bnn_case_estimate is = bnn_case_mean(l->chains, l->draws, l->values);
    if (!(fabs(is.mean - 1) <= 2 * error + 2 * error * error + is.chance + 10 * ROUNDING))
        bnn_checker_break(
            c, "in %d draws the squared distance from the mean, in sds, is %.4g +- %.2g for each parameter, where 1 is right (ratio %.4g)",
            l->draws, is.mean, is.error, is.mean);
}

/* The share of draws that lie farther out, or nearer, than what so many do. */
static void judge_tail(bnn_checker *c, const bnn_lines *l, const double *z, double share, bool far) {
    double at = far ? gsl_cdf_chisq_Qinv(share, W) : gsl_cdf_chisq_Pinv(share, W), error = l->k->claim->error;
    for (int s = 0; s < l->draws; s++) l->values[s] = far == (square_of(z + s * W) > at);
    bnn_case_estimate is = bnn_case_mean(l->chains, l->draws, l->values);
    double most = far ? gsl_cdf_chisq_Q(at / pow(1 + error, 2), W) - share : gsl_cdf_chisq_P(at * pow(1 + error, 2), W) - share;
    if (!(fabs(is.mean - share) <= 2 * most + is.chance))
        bnn_checker_break(c, "in %d draws a share of %.4g +- %.2g lies %s than %.4g sds, where %.4g is right (ratio %.4g)", l->draws,
                          is.mean, is.error, far ? "farther" : "nearer", sqrt(at), share, is.mean / share);
}

bnn_status bnn_rule_spread(bnn_checker *c, const bnn_engine_case *k) {
    bnn_lines l;
    if (k->claim->finds == BNN_FINDS_MODE || k->claim->finds == BNN_FINDS_GATED) {
        bnn_checker_skip(c, "it claims no spread of weights of its own");
        return BNN_OK;
    }
    bool sharp = k->claim->error < 0.05, stores = k->type->n_draws != NULL;
    BNN_TRY(bnn_lines_open(k, &bnn_line_plain, sharp && stores ? FITS : 1, sharp ? DRAWS : FEW_DRAWS, &l));
    double *z = whitened(&l);
    if (z) {
        bnn_line_truth t;
        bnn_lines_expect(&l, 1, &t);
        judge_square(c, &l, z);
        judge_tail(c, &l, z, 0.05, false);
        judge_tail(c, &l, z, 0.05, true);
        judge_tail(c, &l, z, 0.0027, true);
        bnn_lines_judge(c, &l, &t);
    }
    free(z);
    bnn_lines_close(&l);
    return z ? BNN_OK : bnn_oom("a rule");
}

/* ---------------------------------------------------------------- chains */

/* Over the pairs of chains `apart` from each other, of the mean of z z' where the second one is looked at `lag` draws later. */
static moments of_pairs(const bnn_lines *l, const double *z, int chains, int apart, int lag) {
    moments m = {0};
    int length = l->length / chains, n = length - abs(lag);
    for (int k = 0; k + apart < l->chains; k++) {
        if (k % chains + apart >= chains) continue;
        const double *a = z + (size_t)(k * length + (lag < 0 ? -lag : 0)) * W,
                     *b = z + (size_t)((k + apart) * length + (lag > 0 ? lag : 0)) * W;
        double sum = 0;
        for (int i = 0; i < n * W; i++) sum += a[i] * b[i];
        moments_add(&m, sum / (n * W));
    }
    return m;
}

static void judge_pairs(bnn_checker *c, const bnn_lines *l, const double *z, int chains) {
    double error = l->k->claim->error;
    for (int apart = 1; apart < chains; apart *= 2)
        for (int lag = -1; lag <= 1; lag++) {
            moments m = of_pairs(l, z, chains, apart, lag);
            if (m.n < 3) return;
            double se = sqrt(moments_var(&m) / m.n), chance = gsl_cdf_tdist_Qinv(0.5e-7, m.n - 1) * se;
            if (!(fabs(m.mean) <= chance + 0.02 + error * error))
                bnn_checker_break(c, "chains that are %d apart%s have the correlation %.4g +- %.2g: do they share their noise?", apart,
                                  lag == 0 ? "" : ", one looked at a draw later,", m.mean, se);
        }
}

/* Each draw that is not stored has noise of its own. */
static bnn_status judge_draws(bnn_checker *c, const bnn_lines *l, const double *z) {
    double *one = malloc(2 * (size_t)l->draws * sizeof *one + 1);
    if (!one) return bnn_oom("a rule");
    for (int i = 0; i < W && !bnn_checker_broken(c); i++) {
        for (int s = 0; s < l->draws; s++) one[s] = tanh(z[s * W + i]);
        bnn_check_neighbours(c, "draws", l->draws, one, one + l->draws);
    }
    free(one);
    return BNN_OK;
}

/* (sum z)^2 / chains at one draw of all chains, over stretches of draws: 1 on average. */
static void judge_sum(bnn_checker *c, const bnn_lines *l, const double *z, int chains) {
    enum { STRETCHES = 20 };
    int length = l->length / chains;
    moments m = {0};
    for (int f = 0; f < l->fits; f++)
        for (int j = 0; j < STRETCHES; j++) {
            moments part = {0};
            for (int s = j * length / STRETCHES; s < (j + 1) * length / STRETCHES; s++)
                for (int i = 0; i < W; i++) {
                    double sum = 0;
                    for (int k = 0; k < chains; k++) sum += z[(size_t)((f * chains + k) * length + s) * W + (size_t)i];
                    moments_add(&part, sum * sum / chains);
                }
            if (part.n > 0) moments_add(&m, part.mean);
        }
    double error = l->k->claim->error, se = sqrt(moments_var(&m) / m.n), chance = gsl_cdf_tdist_Qinv(0.5e-7, m.n - 1) * se;
    if (!(fabs(m.mean - 1) <= chance + 3 * error + chains * error * error))
        bnn_checker_break(
            c, "the mean over %d chains has %.4g +- %.2g times the variance that it has over independent ones: do they share their noise?",
            chains, m.mean, se);
}

static void judge_copies(bnn_checker *c, const bnn_lines *l, int chains) {
    int length = l->length / chains;
    for (int k = 0; k < chains; k++)
        for (int j = 0; j < k; j++)
            if (memcmp(l->line + (size_t)((k + 1) * length - 1) * W, l->line + (size_t)((j + 1) * length - 1) * W, W * sizeof *l->line) ==
                0)
                bnn_checker_break(c, "chains %d and %d end with the same draw", j + 1, k + 1);
}

/* Those that a mixture takes from its members in turn are not asked. */
static bnn_status judge_independence(bnn_checker *c, const bnn_lines *l) {
    const bnn_engine_type *fitted = bnn_engine_vtable(bnn_engine_fitted(l->e));
    int chains = fitted->n_draws ? bnn_case_chains(l->e) : 1;
    bool spread = l->k->claim->finds != BNN_FINDS_MODE && l->k->claim->finds != BNN_FINDS_GATED && !fitted->member;
    if (!spread || (chains == 1 && fitted->n_draws)) {
        bnn_checker_skip(c, "there are no chains side by side, and no draws that are made one by one");
        return BNN_OK;
    }
    double *z = whitened(l);
    bnn_status s = z ? BNN_OK : bnn_oom("a rule");
    if (z && chains > 1) {
        judge_copies(c, l, chains);
        judge_pairs(c, l, z, chains);
        judge_sum(c, l, z, chains);
    } else if (z) {
        s = judge_draws(c, l, z);
    }
    free(z);
    return s;
}

bnn_status bnn_rule_chains(bnn_checker *c, const bnn_engine_case *k) {
    bnn_lines l;
    BNN_TRY(bnn_lines_open(k, &bnn_line_plain, FEW_FITS, FEW_DRAWS, &l));
    bnn_status s = judge_independence(c, &l);
    bnn_lines_close(&l);
    return s;
}
