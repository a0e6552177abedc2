/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_metrics.c: scores against their definitions, nominal values and tables made by hand.
 */
#include "files.h"

#include <bnn/metrics.h>
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>

/* A prediction of n rows whose numbers a test fills in, and the data it is of: y[n, y_dim] as given. */
typedef struct {
    bnn_table *table;
    bnn_data *data;
    bnn_prediction p;
} forecast;

static void forecast_open(int n, int y_dim, int n_classes, const double *y, forecast *f) {
    size_t k = (size_t)(n_classes ? n_classes : y_dim), all = (size_t)n * k + 1;
    *f = (forecast){.p = {.n = n, .samples = 2, .mean_dim = (int)k, .has_target = true, .is_class = n_classes > 0}};
    OK(bnn_table_new(n, bnn_shape_vector(1), y_dim, n_classes, &f->table));
    for (int i = 0; i < n * y_dim; i++) f->table->y[i] = y[i];
    f->data = data_new(f->table);
    f->p.mean = calloc(all, sizeof(double)), f->p.var_epistemic = calloc(all, sizeof(double)),
    f->p.var_aleatoric = calloc(all, sizeof(double));
    f->p.logp = calloc((size_t)n + 1, sizeof(double));
    if (n_classes)
        f->p.expected_entropy = calloc((size_t)n + 1, sizeof(double));
    else
        f->p.pit = calloc(all, sizeof(double));
}

static void forecast_close(forecast *f) {
    free(f->p.mean), free(f->p.var_epistemic), free(f->p.var_aleatoric), free(f->p.logp), free(f->p.pit), free(f->p.expected_entropy);
    bnn_data_free(f->data);
    bnn_table_free(f->table);
}

static bnn_metrics measure(const forecast *f) {
    bnn_metrics m;
    OK(bnn_metrics_compute(&f->p, f->data, &m));
    return m;
}

/* ---------------------------------------------------------------- regression */

typedef struct {
    double y, mean, sd;
} point;

static double below(double x, void *of) {
    const point *p = of;
    double cdf = gsl_cdf_ugaussian_P((x - p->mean) / p->sd);
    return cdf * cdf;
}

static double above(double x, void *of) {
    const point *p = of;
    double tail = gsl_cdf_ugaussian_Q((x - p->mean) / p->sd);
    return tail * tail;
}

/* integral (P(Y <= x) - [y <= x])^2 dx */
START_TEST(crps_is_the_integral_that_defines_it) {
    static const point points[] = {{0, 0, 1}, {1.3, 0.2, 0.7}, {-2, 1, 0.25}, {4, 0, 3}, {0.1, 0.1, 0.02}, {-0.5, 0.5, 5}};
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        point p = points[i];
        double defined = bnn_integral(below, &p, -64, p.y) + bnn_integral(above, &p, p.y, 64),
               closed = bnn_crps_gaussian(p.y, p.mean, p.sd);
        ck_assert_msg(fabs(closed - defined) < 10 * ROUNDING, "crps of y=%g under N(%g, %g^2) is %.12g, by quadrature %.12g", p.y, p.mean,
                      p.sd, closed, defined);
    }
}
END_TEST

START_TEST(crps_has_its_limits) {
    ck_assert(bnn_crps_gaussian(3, 1, 0) == 2 && bnn_crps_gaussian(1, 3, 0) == 2 && bnn_crps_gaussian(1, 1, 0) == 0);
    ck_assert_double_eq_tol(bnn_crps_gaussian(3, 1, 1e-9), 2, 1e-8);
    ck_assert_double_eq_tol(bnn_crps_gaussian(1e6, 0, 1), 1e6 - 1 / sqrt(M_PI), 1e-6);
    ck_assert_double_eq_tol(bnn_crps_gaussian(7 * 0.4 + 2, 7 * 0.1 + 2, 7 * 0.5), 7 * bnn_crps_gaussian(0.4, 0.1, 0.5), 1e-12);
    ck_assert_double_eq_tol(bnn_crps_gaussian(0, 0, 1), (sqrt(2) - 1) / sqrt(M_PI), 1e-12);
}
END_TEST

/* y ~ N(m, s^2), forecast N(m, (width s)^2): a central interval of level q covers P(|Z| < width z_q). */
static void covers(double width) {
    enum { N = 4000 };
    static double y[N];
    bnn_real *e = reals_new(N);
    double error = 0;
    forecast f;
    bnn_rng_normal(bnn_rng_seed(1), 0, 1, N, e);
    for (int i = 0; i < N; i++) y[i] = i % 7 + (1 + i % 3) * (double)e[i];
    forecast_open(N, 1, 0, y, &f);
    for (int i = 0; i < N; i++) f.p.pit[i] = gsl_cdf_ugaussian_P((double)e[i] / width);
    bnn_metrics m = measure(&f);
    for (int i = 0; i < BNN_CALIBRATION_LEVELS; i++) {
        double level = bnn_calibration_level(i), share = 2 * gsl_cdf_ugaussian_P(width * gsl_cdf_ugaussian_Pinv(0.5 + 0.5 * level)) - 1;
        ck_assert_msg(fabs(m.coverage[i] - share) < MOST_Z * sqrt(share * (1 - share) / N), "width %g: level %g covers %g, not %g", width,
                      level, m.coverage[i], share);
        ck_assert(m.coverage[i] == bnn_metrics_coverage(&f.p, level));
        error += fabs(m.coverage[i] - level) / BNN_CALIBRATION_LEVELS;
    }
    ck_assert_double_eq_tol(m.calibration_error, error, 1e-12);
    ck_assert(width != 1 || error < MOST_Z * 0.5 / sqrt(N));
    reals_free(e);
    forecast_close(&f);
}

START_TEST(exact_forecasts_cover_what_they_say) {
    covers(1);
    covers(0.5);
    covers(2);
    for (int i = 0; i < BNN_CALIBRATION_LEVELS; i++) ck_assert_double_eq_tol(bnn_calibration_level(i), (5 * i + 5) / 100.0, 1e-15);
}
END_TEST

/* Two targets of different scale: errors 1, -2, 3, 0 of y = (10, -200; 30, 100). */
START_TEST(regression_scores_are_those_by_hand) {
    static const double y[] = {10, -200, 30, 100}, error[] = {1, -2, 3, 0}, epistemic[] = {1, 4, 0, 3}, aleatoric[] = {3, 5, 4, 0},
                        pit[] = {0.5, 0.02, 0.69, 0.99};
    forecast f;
    double crps = 0;
    forecast_open(2, 2, 0, y, &f);
    for (int i = 0; i < 4; i++) {
        f.p.mean[i] = y[i] - error[i], f.p.var_epistemic[i] = epistemic[i], f.p.var_aleatoric[i] = aleatoric[i], f.p.pit[i] = pit[i];
        crps += bnn_crps_gaussian(y[i], y[i] - error[i], sqrt(epistemic[i] + aleatoric[i])) / 4;
    }
    f.p.logp[0] = -1.5, f.p.logp[1] = -4.5;
    bnn_metrics m = measure(&f);
    ck_assert(!m.is_class && m.n == 2);
    ck_assert_double_eq(m.ll, -3);
    ck_assert_double_eq_tol(m.ll_se, 1.5, 1e-12); /* sd sqrt(4.5), over sqrt 2 */
    ck_assert_double_eq_tol(m.rmse, sqrt(14.0 / 4), 100 * ROUNDING);
    ck_assert_double_eq_tol(m.crps, crps, 100 * ROUNDING);
    ck_assert_double_eq_tol(m.sd_epistemic, sqrt(2), 1e-12);
    ck_assert_double_eq_tol(m.sd_aleatoric, sqrt(3), 1e-12);
    for (int i = 0; i < BNN_CALIBRATION_LEVELS - 1; i++)
        ck_assert_double_eq(m.coverage[i], i < 7 ? 0.25 : 0.5); /* |0.69 - 1/2| 2 = 0.38 joins at 0.4 */
    ck_assert_double_eq(bnn_metrics_coverage(&f.p, 0.97), 0.75);
    ck_assert_double_eq(bnn_metrics_coverage(&f.p, 1), 1);
    forecast_close(&f);
}
END_TEST

START_TEST(one_row_and_none) {
    static const double y[] = {5};
    forecast f;
    bnn_metrics m;
    forecast_open(1, 1, 0, y, &f);
    f.p.mean[0] = 3, f.p.logp[0] = -2, f.p.pit[0] = 1;
    m = measure(&f);
    ck_assert(m.ll == -2 && m.ll_se == 0 && m.sd_epistemic == 0 && m.sd_aleatoric == 0);
    ck_assert_double_eq(m.rmse, 2); /* sd = 0: the forecast is a point, and its crps the absolute error */
    ck_assert_double_eq(m.crps, 2);
    ck_assert(m.coverage[0] == 0 && m.coverage[BNN_CALIBRATION_LEVELS - 1] == 0);
    f.p.has_target = false;
    SAYS(bnn_metrics_compute(&f.p, f.data, &m), "metrics need targets, but the prediction was made without them");
    f.p.has_target = true, f.p.n = 0;
    SAYS(bnn_metrics_compute(&f.p, f.data, &m), "metrics need at least one row");
    forecast_close(&f);
}
END_TEST

/* ---------------------------------------------------------------- classes */

/* Confidences .72 right and .71 wrong in one bin, .62 wrong, .82 right, 1 wrong and .95 right in the last bin. */
START_TEST(class_scores_are_those_by_hand) {
    enum { N = 6, C = 3 };
    static const double y[N] = {0, 1, 2, 2, 2, 0},
                        p[N][C] = {{0.72, 0.2, 0.08}, {0.71, 0.29, 0}, {0.2, 0.62, 0.18}, {0.1, 0.08, 0.82}, {0, 1, 0}, {0.95, 0.03, 0.02}},
                        expected[N] = {0.7, 0.6, 0.9, 0.1, 0, 0}, logp[N] = {-1, -2, -3, -4, -5, -6};
    forecast f;
    double entropy = 0, information = 0;
    forecast_open(N, 1, C, y, &f);
    for (int i = 0; i < N; i++) {
        double h = 0;
        for (int c = 0; c < C; c++) {
            f.p.mean[i * C + c] = p[i][c];
            h -= p[i][c] > 0 ? p[i][c] * log(p[i][c]) : 0;
        }
        f.p.logp[i] = logp[i], f.p.expected_entropy[i] = expected[i];
        entropy += h / N, information += fmax(0, h - expected[i]) / N;
    }
    bnn_metrics m = measure(&f);
    ck_assert(m.is_class && m.n == N);
    ck_assert_double_eq_tol(m.accuracy, 3.0 / 6, 1e-12);
    /* .0784+.04+.0064, .5041+.5041, .04+.3844+.6724, .01+.0064+.0324, 2, .0025+.0009+.0004 */
    ck_assert_double_eq_tol(m.brier, (0.1248 + 1.0082 + 1.0968 + 0.0488 + 2 + 0.0038) / 6, 1e-12);
    ck_assert_double_eq_tol(m.ece, (fabs(0.72 + 0.71 - 1) + 0.62 + (1 - 0.82) + fabs(1 + 0.95 - 1)) / 6, 1e-12);
    ck_assert_double_eq_tol(m.ll, -3.5, 1e-12);
    ck_assert_double_eq_tol(m.mean_entropy, entropy, 1e-12);
    ck_assert_double_eq_tol(m.mean_mutual_information, information, 1e-12);
    forecast_close(&f);
}
END_TEST

START_TEST(equal_probabilities_are_the_first_class) {
    static const double y[] = {0, 0};
    forecast f;
    forecast_open(2, 1, 2, y, &f);
    for (int i = 0; i < 4; i++) f.p.mean[i] = 0.5;
    for (int i = 0; i < 2; i++) f.p.logp[i] = f.p.expected_entropy[i] = -log(2);
    bnn_metrics m = measure(&f);
    ck_assert(m.accuracy == 1 && m.ece == 0.5 && m.brier == 0.5);
    ck_assert(m.ll == -log(2) && m.ll_se == 0);
    forecast_close(&f);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {crps_is_the_integral_that_defines_it,
                                  crps_has_its_limits,
                                  exact_forecasts_cover_what_they_say,
                                  regression_scores_are_those_by_hand,
                                  one_row_and_none,
                                  class_scores_are_those_by_hand,
                                  equal_probabilities_are_the_first_class,
                                  NULL};
    return run_tests("metrics", tests);
}
