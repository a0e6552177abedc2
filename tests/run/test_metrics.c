/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_metrics.c: scores against their definitions, nominal values and tables made by hand.
 */
#include "files.h"

#include <bnn/metrics.h>
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

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
        ck_assert(m.coverage[i] == bnn_metrics_coverage(&f.p, f.data, level));
        error += fabs(m.coverage[i] - level) / BNN_CALIBRATION_LEVELS;
    }
    ck_assert_double_eq_tol(m.calibration_error, error, 1e-12);
    ck_assert(width == 1 || (m.coverage_error > 0) == (width > 1)); /* too wide is above 0 */
    ck_assert(width == 1 || fabs(fabs(m.coverage_error) - error) < 1e-12);
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
    forecast_open(2, 2, 0, y, &f);
    for (int i = 0; i < 4; i++)
        f.p.mean[i] = y[i] - error[i], f.p.var_epistemic[i] = epistemic[i], f.p.var_aleatoric[i] = aleatoric[i], f.p.pit[i] = pit[i];
    f.p.logp[0] = -1.5, f.p.logp[1] = -4.5;
    bnn_metrics m = measure(&f);
    ck_assert(!m.is_class && m.n == 2);
    ck_assert_double_eq(m.ll, -3);
    ck_assert_double_eq_tol(m.ll_se, 1.5, 1e-12);                       /* sd sqrt(4.5), over sqrt 2 */
    ck_assert(m.of == BNN_SCORE_TARGETS && m.rmse == 0 && m.crps == 0); /* the units of the two may differ */
    bnn_metrics *each;
    OK(bnn_metrics_each(&f.p, f.data, &each));
    for (int k = 0; k < 2; k++) {
        double crps = 0;
        for (int i = k; i < 4; i += 2) crps += bnn_crps_gaussian(y[i], y[i] - error[i], sqrt(epistemic[i] + aleatoric[i])) / 2;
        ck_assert(each[k].of == BNN_SCORE_TARGET && each[k].n == 2 && each[k].crps_gaussian);
        ck_assert_double_eq_tol(each[k].rmse, sqrt(k ? 4.0 / 2 : 10.0 / 2), 1e-5);
        ck_assert_double_eq_tol(each[k].mae, k ? 1 : 2, 1e-5);
        ck_assert_double_eq_tol(each[k].r2, k ? 1 - 2 / 22500.0 : 1 - 5 / 100.0, 1e-6);
        ck_assert_double_eq_tol(each[k].crps, crps, 1e-5);
        ck_assert_double_eq_tol(each[k].sd_epistemic, sqrt(k ? 3.5 : 0.5), 1e-12);
        ck_assert_double_eq_tol(each[k].sd_aleatoric, sqrt(k ? 2.5 : 3.5), 1e-12);
        ck_assert_double_eq(each[k].coverage[9], k ? 0 : 1);
    }
    free(each);
    for (int i = 0; i < BNN_CALIBRATION_LEVELS - 1; i++)
        ck_assert_double_eq(m.coverage[i], i < 7 ? 0.25 : 0.5); /* |0.69 - 1/2| 2 = 0.38 joins at 0.4 */
    ck_assert_double_eq(bnn_metrics_coverage(&f.p, f.data, 0.97), 0.75);
    ck_assert_double_eq(bnn_metrics_coverage(&f.p, f.data, 1), 1);
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
    ck_assert(isnan(m.r2) && m.mae == 2); /* one y has no variance */
    ck_assert_double_eq(m.rmse, 2);       /* sd = 0: the forecast is a point, and its crps the absolute error */
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

/* ---------------------------------------------------------------- classes one by one, weights */

enum { ROWS = 8, CLASSES = 3 };
static const double of_rows[ROWS] = {0, 0, 1, 1, 2, 2, 2, 0}, weights[ROWS] = {1, 2, 1, 3, 1, 2, 1, 1},
                    sixteenths[ROWS][CLASSES] = {{8, 4, 4}, {4, 8, 4}, {4, 8, 4}, {2, 10, 4}, {4, 4, 8}, {8, 2, 6}, {2, 2, 12}, {10, 4, 2}};

static forecast sixteenths_open(void) {
    forecast f;
    forecast_open(ROWS, 1, CLASSES, of_rows, &f);
    for (int i = 0; i < ROWS * CLASSES; i++) f.p.mean[i] = sixteenths[i / CLASSES][i % CLASSES] / 16;
    for (int i = 0; i < ROWS; i++) f.p.logp[i] = log(f.p.mean[i * CLASSES + (int)of_rows[i]]);
    return f;
}

static void weigh(forecast *f, const double *weight) {
    f->data->weight = malloc((size_t)f->p.n * sizeof(double));
    for (int i = 0; i < f->p.n; i++) f->data->weight[i] = weight[i];
}

/* The numbers of scikit-learn 1.9.1 for these rows: roc_auc_score(multi_class="ovr", average="macro"), balanced_accuracy_score,
 * f1_score(average="macro") and precision_recall_fscore_support, without and with sample_weight. Some probabilities are tied. */
START_TEST(scores_of_classes_are_those_of_scikit_learn) {
    static const struct {
        double auc, balanced, f1, auc_of[CLASSES], precision[CLASSES], recall[CLASSES], f1_of[CLASSES], weight[CLASSES];
    } expected[2] = {{0.9305555555555555,
                      0.7777777777777777,
                      0.7555555555555555,
                      {0.8333333333333333, 0.9583333333333334, 1},
                      {2.0 / 3, 2.0 / 3, 1},
                      {2.0 / 3, 1, 2.0 / 3},
                      {2.0 / 3, 0.8, 0.8},
                      {3, 2, 3}},
                     {0.9166666666666666,
                      0.6666666666666666,
                      0.6555555555555556,
                      {0.78125, 0.96875, 1},
                      {0.5, 2.0 / 3, 1},
                      {0.5, 1, 0.5},
                      {0.5, 0.8, 2.0 / 3},
                      {4, 4, 4}}};
    for (int weighted = 0; weighted < 2; weighted++) {
        forecast f = sixteenths_open();
        bnn_metrics *each;
        if (weighted) weigh(&f, weights);
        bnn_metrics m = measure(&f);
        OK(bnn_metrics_each(&f.p, f.data, &each));
        ck_assert_double_eq_tol(m.auc, expected[weighted].auc, 1e-12);
        ck_assert_double_eq_tol(m.balanced_accuracy, expected[weighted].balanced, 1e-12);
        ck_assert_double_eq_tol(m.f1, expected[weighted].f1, 1e-12);
        for (int k = 0; k < CLASSES; k++) {
            ck_assert(each[k].of == BNN_SCORE_CLASS && each[k].n == (k == 1 ? 2 : 3));
            ck_assert_double_eq_tol(each[k].auc, expected[weighted].auc_of[k], 1e-12);
            ck_assert_double_eq_tol(each[k].precision, expected[weighted].precision[k], 1e-12);
            ck_assert_double_eq_tol(each[k].recall, expected[weighted].recall[k], 1e-12);
            ck_assert_double_eq_tol(each[k].f1, expected[weighted].f1_of[k], 1e-12);
            ck_assert_double_eq_tol(each[k].weight, expected[weighted].weight[k], 1e-12);
        }
        ck_assert_double_eq_tol(each[2].confidence, 10.0 / 16, 1e-12); /* called so with 8 and 12 sixteenths */
        free(each);
        forecast_close(&f);
    }
}
END_TEST

START_TEST(what_rows_do_not_define_is_nan) {
    static const double y[] = {0, 0};
    forecast f;
    bnn_metrics *each;
    forecast_open(2, 1, 3, y, &f);
    f.p.mean[0] = f.p.mean[3] = 1;
    OK(bnn_metrics_each(&f.p, f.data, &each));
    bnn_metrics m = measure(&f);
    ck_assert(isnan(each[0].auc) && each[0].f1 == 1 && isnan(each[1].precision) && isnan(each[1].recall) && isnan(each[1].f1));
    ck_assert(isnan(m.auc) && m.balanced_accuracy == 1 && m.f1 == 1);
    free(each);
    forecast_close(&f);
}
END_TEST

static void assert_like(double a, double b) {
    ck_assert_msg(fabs(a - b) <= 1e-9 * fmax(1, fabs(b)) || (isnan(a) && isnan(b)), "%.12g is not %.12g", a, b);
}

static void assert_same_scores(const bnn_metrics *a, const bnn_metrics *b) {
    const bnn_score *score;
    for (int i = 0; (score = bnn_score_at(i)); i++) assert_like(bnn_score_value(score, a), bnn_score_value(score, b));
    for (int i = 0; i < BNN_CALIBRATION_LEVELS; i++) assert_like(a->coverage[i], b->coverage[i]);
}

/* Rows with the whole weights w, and each row w times: every score is the same, its standard error, too. */
static void repeated(int n, int y_dim, int n_classes, const double *y, const double *weight) {
    forecast few, many;
    bnn_metrics *each, *each_of_many;
    int k = n_classes ? n_classes : y_dim, all = 0, at = 0;
    double *ys = calloc((size_t)(10 * n * y_dim), sizeof *ys);
    for (int i = 0; i < n; i++)
        for (int w = 0; w < (int)weight[i]; w++, all++) memcpy(ys + all * y_dim, y + i * y_dim, (size_t)y_dim * sizeof *y);
    forecast_open(n, y_dim, n_classes, y, &few), forecast_open(all, y_dim, n_classes, ys, &many);
    bnn_scaling_free(&few.data->scaling), bnn_scaling_free(&many.data->scaling); /* that of a fit would be the same of both */
    OK(bnn_scaling_identity(1, y_dim, &few.data->scaling)), OK(bnn_scaling_identity(1, y_dim, &many.data->scaling));
    for (int i = 0; i < n * k; i++) {
        few.p.mean[i] = n_classes ? (1 + (i * 7 + i / k) % 5) / 16.0 : sin(i), few.p.var_epistemic[i] = 0.1 * (i % 3);
        few.p.var_aleatoric[i] = n_classes ? 0 : 0.5;
        if (!n_classes) few.p.pit[i] = fmod(0.37 * i, 1);
    }
    for (int i = 0; i < n * y_dim; i++) few.data->y[i] = (bnn_real)y[i];
    for (int i = 0; i < n; i++) {
        few.p.logp[i] = -0.1 * i;
        if (n_classes) few.p.expected_entropy[i] = 0.01 * i;
    }
    for (int i = 0; i < n; i++)
        for (int w = 0; w < (int)weight[i]; w++, at++) {
            size_t row = (size_t)k * sizeof(double);
            memcpy(many.p.mean + at * k, few.p.mean + i * k, row);
            memcpy(many.p.var_epistemic + at * k, few.p.var_epistemic + i * k, row);
            memcpy(many.p.var_aleatoric + at * k, few.p.var_aleatoric + i * k, row);
            if (!n_classes) memcpy(many.p.pit + at * k, few.p.pit + i * k, row);
            if (n_classes) many.p.expected_entropy[at] = few.p.expected_entropy[i];
            many.p.logp[at] = few.p.logp[i];
            for (int j = 0; j < y_dim; j++) many.data->y[at * y_dim + j] = few.data->y[i * y_dim + j];
        }
    weigh(&few, weight);
    bnn_metrics a = measure(&few), b = measure(&many);
    assert_same_scores(&a, &b);
    ck_assert(a.n == n && b.n == all);
    OK(bnn_metrics_each(&few.p, few.data, &each)), OK(bnn_metrics_each(&many.p, many.data, &each_of_many));
    for (int j = 0; j < k; j++) assert_same_scores(&each[j], &each_of_many[j]);
    free(each), free(each_of_many), free(ys);
    forecast_close(&few), forecast_close(&many);
}

START_TEST(a_row_of_weight_w_is_w_rows) {
    static const double y[] = {0.5, 3, -1, 2, 0.25, 7, 1, 1, 0, -4}, heavy[] = {1, 3, 0, 2, 5};
    repeated(ROWS, 1, CLASSES, of_rows, weights);
    repeated(5, 1, 0, y, heavy);
    repeated(5, 2, 0, y, heavy);
    forecast f = sixteenths_open();
    bnn_metrics m;
    weigh(&f, (const double[ROWS]){0});
    SAYS(bnn_metrics_compute(&f.p, f.data, &m), "metrics need at least one row with a weight above 0");
    forecast_close(&f);
}
END_TEST

/* Means over many small sets of rows whose truth is `off` below the largest probability. */
static void chance_goes(double off) {
    enum { N = 150, WORLDS = 400 };
    static double y[N];
    bnn_real *u = reals_new(2 * N);
    double plain = 0, debiased = 0;
    for (int world = 0; world < WORLDS; world++) {
        forecast f;
        bnn_rng_uniform(bnn_rng_split(bnn_rng_seed(3), (uint64_t)world), 0, 1, 2 * N, u);
        for (int i = 0; i < N; i++) y[i] = (double)u[2 * i + 1] < 0.5 + 0.5 * (double)u[2 * i] - off;
        forecast_open(N, 1, 2, y, &f);
        for (int i = 0; i < N; i++) f.p.mean[2 * i + 1] = 0.5 + 0.5 * (double)u[2 * i], f.p.mean[2 * i] = 1 - f.p.mean[2 * i + 1];
        bnn_metrics m = measure(&f);
        plain += m.ece / WORLDS, debiased += m.ece_debiased / WORLDS;
        forecast_close(&f);
    }
    ck_assert_msg(plain > off + (off > 0 ? 0 : 0.05) && fabs(debiased - off) < 0.01, "%g off: plain %g, debiased %g", off, plain, debiased);
    reals_free(u);
}

START_TEST(a_debiased_calibration_error_leaves_chance_out) {
    chance_goes(0);
    chance_goes(0.2);
}
END_TEST

START_TEST(few_rows_for_the_bins_are_said) {
    forecast f = sixteenths_open();
    bnn_remarks *remarks;
    bnn_metrics m = measure(&f);
    OK(bnn_remarks_new(&remarks));
    OK(bnn_metrics_remark(&m, remarks));
    ck_assert_int_eq(bnn_remarks_count(remarks), 1);
    ck_assert_str_eq(bnn_remark_code(remarks, 0), "few_rows_for_ece");
    ck_assert_ptr_nonnull(strstr(bnn_remark_sentence(remarks, 0), "8 rows are few for the 15 bins of the ece"));
    m.weight = 300;
    OK(bnn_metrics_remark(&m, remarks));
    ck_assert_int_eq(bnn_remarks_count(remarks), 1);
    bnn_remarks_free(remarks);
    forecast_close(&f);
}
END_TEST

/* The score of the mixture goes before that of a Gaussian, where the prediction has it. */
START_TEST(crps_is_that_of_the_mixture_where_it_is_known) {
    static const double y[] = {1, 2};
    double crps[] = {0.25, 0.75};
    forecast f;
    forecast_open(2, 1, 0, y, &f);
    ck_assert(measure(&f).crps_gaussian);
    f.p.crps = crps;
    bnn_metrics m = measure(&f);
    ck_assert(m.crps == 0.5 && !m.crps_gaussian);
    forecast_close(&f);
}
END_TEST

/* ---------------------------------------------------------------- maps of classes */

/* Two images of four pixels, of which one is void; x are logits, 10 or 1 of the class that is called, so that the network may be none. */
enum { C = 3, SITES = 4, IMAGES = 2 };
static const int truth[IMAGES * SITES] = {0, 0, 1, -1, 1, 2, 2, 0}, called[IMAGES * SITES] = {0, 1, 1, 2, 1, 2, 0, 0};
static const double strength[IMAGES * SITES] = {10, 1, 10, 1, 1, 10, 10, 10};

/* Scores of some of the images, in that order, and of each class. */
static void score_images(int n, const int *image, double *weight, bool taken, bnn_metrics *all, bnn_metrics *each) {
    bnn_real x[4 * C * SITES] = {0}, y[4 * SITES];
    bnn_data data = {.n = n,
                     .x_shape = {.rank = 2, .d = {C, SITES}},
                     .y_dim = SITES,
                     .n_classes = C,
                     .x = x,
                     .y = y,
                     .y_shape = {.rank = 1, .d = {SITES}},
                     .weight = weight};
    bnn_engine *engine;
    bnn_prediction *p;
    bnn_metrics *of_class;
    bnn_taker nobody = {0};
    for (int i = 0; i < n * SITES; i++) {
        int pixel = image[i / SITES] * SITES + i % SITES;
        y[i] = (bnn_real)truth[pixel];
        x[(i / SITES * C + called[pixel]) * SITES + i % SITES] = (bnn_real)strength[pixel];
    }
    OK(bnn_scaling_identity(C * SITES, SITES, &data.scaling));
    OK(bnn_engine_new("map", &(bnn_texts){"concrete_dropout", "categorical", "gauss"}, &data, bnn_rng_seed(1), &engine));
    OK(bnn_predict(engine, &data, &(bnn_predict_options){sizeof(bnn_predict_options), .samples = 1, .taker = taken ? &nobody : NULL}, &p));
    OK(bnn_metrics_compute(p, &data, all));
    OK(bnn_metrics_each(p, &data, &of_class));
    ck_assert_int_eq(bnn_prediction_width(p), C);
    for (int c = 0; each && c < C; c++) each[c] = of_class[c];
    SAYS(bnn_prediction_score(p, &data, "auc", &(double){0}), "'auc' is a score of classes, the targets are maps of classes");
    free(of_class);
    bnn_prediction_free(p), bnn_engine_free(engine), bnn_scaling_free(&data.scaling);
}

/* Probability of the called class, and entropy, where its logit is this. */
static double top_of(double logit) { return exp(logit) / (exp(logit) + 2); }
static double entropy_of(double logit) {
    double p = top_of(logit), q = (1 - p) / 2;
    return -p * log(p) - 2 * q * log(q);
}

START_TEST(scores_of_maps_by_hand) {
    static const double iou[C] = {2. / 4, 2. / 3, 1. / 2}, recall[C] = {2. / 3, 1, 1. / 2}, precision[C] = {2. / 3, 2. / 3, 1};
    static const int both[] = {0, 1};
    bnn_metrics m, each[C];
    const double sure = top_of(10), unsure = top_of(1), tol = 20 * ROUNDING;
    for (int taken = 0; taken < 2; taken++) {
        score_images(IMAGES, both, NULL, taken, &m, each);
        for (int c = 0; c < C; c++) {
            ck_assert_double_eq_tol(each[c].iou, iou[c], tol);
            ck_assert_double_eq_tol(each[c].recall, recall[c], tol);
            ck_assert_double_eq_tol(each[c].precision, precision[c], tol);
        }
        ck_assert(m.of == BNN_SCORE_MAPS && m.is_class && m.n == IMAGES && m.pixels == 7);
        ck_assert_double_eq_tol(m.iou, (iou[0] + iou[1] + iou[2]) / 3, tol);
        ck_assert_double_eq_tol(m.accuracy, 5. / 7, tol);
        ck_assert_double_eq_tol(m.balanced_accuracy, (recall[0] + recall[1] + recall[2]) / 3, tol);
        double others = log((1 - unsure) / 2) + log((1 - sure) / 2); /* the two wrong pixels */
        ck_assert_double_eq_tol(m.ll, (4 * log(sure) + log(unsure) + others) / 7, 1e3 * tol);
        ck_assert_double_eq_tol(m.mean_entropy, (5 * entropy_of(10) + 2 * entropy_of(1)) / 7, tol);
        ck_assert_double_eq_tol(m.mean_mutual_information, 0, tol);
        double right = 4 * ((1 - sure) * (1 - sure) * 1.5) + (1 - unsure) * (1 - unsure) * 1.5;
        double wrong = sure * sure + pow((1 + sure) / 2, 2) + pow((1 - sure) / 2, 2) + unsure * unsure + pow((1 + unsure) / 2, 2) +
                       pow((1 - unsure) / 2, 2);
        ck_assert_double_eq_tol(m.brier, (right + wrong) / 7, tol);
        ck_assert_double_eq_tol(m.ece, (fabs(5 * sure - 4) + fabs(2 * unsure - 1)) / 7, tol);
        ck_assert_double_eq_tol(m.p_accurate_certain, 4. / 5, tol);
        ck_assert_double_eq_tol(m.p_uncertain_inaccurate, 1. / 2, tol);
        ck_assert_double_eq_tol(m.pavpu, 5. / 7, tol);
        ck_assert_double_eq_tol(m.accuracy_se, (3. / 4 - 2. / 3) / 2, tol); /* one image without the other */
        ck_assert_double_eq_tol(each[1].iou_se, (1 - 1. / 2) / 2, tol);
    }
}
END_TEST

START_TEST(an_image_of_weight_w_is_w_images) {
    static const int twice[] = {0, 0, 1}, once[] = {0, 1};
    bnn_metrics a, b;
    score_images(3, twice, NULL, false, &a, NULL);
    score_images(2, once, (double[]){2, 1}, false, &b, NULL);
    for (int i = 0; bnn_score_at(i); i++) {
        if (!(bnn_score_at(i)->of & BNN_SCORE_MAPS)) continue;
        double x = bnn_score_value(bnn_score_at(i), &a), y = bnn_score_value(bnn_score_at(i), &b);
        ck_assert_msg(fabs(x - y) <= 1e-12, "%s of an image that is there twice is %g, of one with weight 2 %g", bnn_score_at(i)->name, x,
                      y);
    }
    ck_assert(a.iou_se > 0 && a.ece_se > 0 && a.ll_se > 0 && a.pavpu_se > 0);
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
                                  scores_of_classes_are_those_of_scikit_learn,
                                  what_rows_do_not_define_is_nan,
                                  a_row_of_weight_w_is_w_rows,
                                  a_debiased_calibration_error_leaves_chance_out,
                                  few_rows_for_the_bins_are_said,
                                  crps_is_that_of_the_mixture_where_it_is_known,
                                  scores_of_maps_by_hand,
                                  an_image_of_weight_w_is_w_images,
                                  NULL};
    return run_tests("metrics", tests);
}
