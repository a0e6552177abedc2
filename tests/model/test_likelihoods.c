/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_likelihoods.c: fits of own parameters, the limits of the probit approximation, and refusals. What every likelihood has to keep is
 * asked of it by conform.c.
 */
#include "helpers.h"

#include <bnn/kernels.h>
#include <bnn/likelihood.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 5, MOST = 64 };

typedef struct {
    bnn_likelihood l;
    const bnn_likelihood_type *type;
    const char *spec;
    bnn_real f[MOST], y[MOST], theta[8];
} likelihood_case;

static const double y_mean[] = {0.4, -1.3}, y_sd[] = {1.7, 0.6};
static const struct { int y_dim, n_classes; } kinds_of_data[] = {{1, 0}, {2, 0}, {1, 2}, {1, 3}};

/* A likelihood of columns or of one class. */
static bnn_status of_columns(const char *spec, int y_dim, int n_classes, bnn_likelihood *out) {
    return bnn_likelihood_new(spec, &(bnn_targets){bnn_shape_vector(y_dim), n_classes, y_mean, y_sd}, out);
}

static void fill(likelihood_case *k) {
    bnn_rng rng = bnn_rng_seed(1);
    bnn_rng_normal(rng, 0, ROWS, k->l.out_dim, k->f);
    bnn_rng_normal(rng, 100, ROWS, k->l.y_dim, k->y);
    bnn_rng_normal(rng, 200, 1, k->l.n_theta, k->theta);
    for (int i = 0; k->l.n_classes > 0 && i < ROWS; i++) k->y[i] = (bnn_real)(i % k->l.n_classes);
}

static void for_all_cases(void (*property)(likelihood_case *)) {
    for (const bnn_type *t = NULL; (t = bnn_type_next(BNN_LIKELIHOOD, t));)
        for (int s = 0; t->checks[s]; s++) {
            int taken = 0;
            for (size_t d = 0; d < sizeof kinds_of_data / sizeof *kinds_of_data; d++) {
                likelihood_case k = {.spec = t->checks[s]};
                if (of_columns(t->checks[s], kinds_of_data[d].y_dim, kinds_of_data[d].n_classes, &k.l) < 0) continue;
                k.type = bnn_likelihood_vtable(&k.l);
                fill(&k);
                property(&k);
                bnn_likelihood_free(&k.l);
                taken++;
            }
            ck_assert_msg(taken > 0, "'%s' takes no data: %s", t->checks[s], bnn_error());
        }
}

#define ASSERT_CASE(condition, k, format, ...) \
    ck_assert_msg(condition, "'%s' on %d targets, %d classes: " format, (k)->spec, (k)->l.y_dim, (k)->l.n_classes, __VA_ARGS__)

/* Without variance the marginal is the likelihood; two classes are one logit; a shift of all logits, shared by all draws, is nothing. */
START_TEST(probit_has_its_limits) {
    bnn_likelihood one, two, three;
    const bnn_real y[] = {1};
    double p[3][3], logp;
    of_columns("bernoulli", 1, 2, &one);
    of_columns("categorical", 1, 2, &two);
    of_columns("categorical", 1, 3, &three);
    bnn_likelihood_vtable(&one)->marginal(&one, 1, (double[]){0.8}, (double[]){2.0}, y, NULL, &(bnn_marginal){.mean = p[0], .logp = &logp});
    ck_assert_double_eq_tol(p[0][1], bnn_sigmoid(0.8 / sqrt(1 + M_PI / 4)), 1e-15);
    bnn_likelihood_vtable(&two)->marginal(&two, 1, (double[]){3, 3.8}, (double[]){5, 4, 4, 5}, y, NULL, &(bnn_marginal){.mean = p[1]});
    ck_assert_double_eq_tol(p[1][1], p[0][1], 1e-15);
    ck_assert_double_eq_tol(logp, log(p[0][1]), 1e-15);
    double flat[9] = {0}, shared[9];
    for (int i = 0; i < 9; i++) shared[i] = 100;
    for (int k = 0; k < 2; k++)
        bnn_likelihood_vtable(&three)->marginal(&three, 1, (double[]){k, k + 0.5, k - 1}, k ? shared : flat, y, NULL,
                                                &(bnn_marginal){.mean = p[k]});
    for (int c = 0; c < 3; c++) {
        double want = exp((double[]){0, 0.5, -1}[c]) / (1 + exp(0.5) + exp(-1));
        ck_assert(fabs(p[0][c] - want) < 1e-14 && fabs(p[1][c] - want) < 1e-14);
    }
    bnn_likelihood_free(&one), bnn_likelihood_free(&two), bnn_likelihood_free(&three);
}
END_TEST
/* The noise that explains the residuals best: log of their mean square, whatever the scales of the targets. */
START_TEST(own_parameters_are_fitted) {
    enum { N = 200 };
    static const double residual_sd[][2] = {{1, 1}, {1e-5, 1}, {1e6, 1e6}, {1e-5, 1e6}, {300, 0.01}};
    bnn_real f[2 * N], y[2 * N], e[2 * N], theta[2];
    bnn_likelihood l;
    ck_assert_int_eq(of_columns("gaussian:shape=0", 2, 0, &l), BNN_OK);
    bnn_rng_normal(bnn_rng_seed(3), 0, N, 2, e);
    for (size_t c = 0; c < sizeof residual_sd / sizeof *residual_sd; c++) {
        double squares[2] = {0};
        for (int i = 0; i < 2 * N; i++) {
            f[i] = (bnn_real)(0.01 * residual_sd[c][i % 2] * i), y[i] = f[i] + (bnn_real)residual_sd[c][i % 2] * e[i];
            squares[i % 2] += pow((double)(f[i] - y[i]), 2) / N;
        }
        ck_assert_msg(bnn_likelihood_fit(&l, N, NULL, f, y, theta) == BNN_OK, "%s", bnn_error());
        for (int k = 0; k < 2; k++)
            ck_assert_msg(fabs((double)theta[k] - log(squares[k])) < 1e-4, "log variance %.9g, not %.9g", (double)theta[k],
                          log(squares[k]));
    }
    ck_assert_int_eq(bnn_likelihood_fit(&l, N, NULL, f, f, theta), BNN_ERR_NUMERIC);
    ck_assert_str_eq(bnn_error(),
                     "likelihood 'gaussian': 200 rows do not tell its noise, as where the network fits them without error: fix it");
    bnn_likelihood_free(&l);
}
END_TEST

/* tau ~ Gamma(a, mean 1/v) makes the variance (squares + 2 a v) / (n + 2 a), also where there are no errors. */
START_TEST(own_parameters_have_their_prior) {
    const double a = 2, v = 0.09;
    bnn_real f[] = {0, 1, 2, 3}, y[] = {1, 1, 2, (bnn_real)3.5}, theta;
    bnn_likelihood l;
    ck_assert_int_eq(of_columns("gaussian:sd=0.3,shape=2", 1, 0, &l), BNN_OK);
    for (int exact = 0; exact < 2; exact++) {
        double squares = exact ? 0 : 1.25, expected = log((squares + 2 * a * v) / (4 + 2 * a));
        theta = (bnn_real)NAN; /* what it held does not matter */
        ck_assert_msg(bnn_likelihood_fit(&l, 4, NULL, f, exact ? f : y, &theta) == BNN_OK, "%s", bnn_error());
        ck_assert_msg(fabs((double)theta - expected) < 1e-4, "log variance %.9g, not %.9g", (double)theta, expected);
    }
    bnn_likelihood_free(&l);
}
END_TEST

/* At the fitted parameters of any likelihood nll - log prior has no slope. */
static void is_at_its_least(likelihood_case *k) {
    bnn_real slope[8] = {0};
    ASSERT_CASE(bnn_likelihood_fit(&k->l, ROWS, NULL, k->f, k->y, k->theta) == BNN_OK, k, "%s", bnn_error());
    k->type->nll(&k->l, ROWS, k->f, k->y, k->theta, 1.0 / ROWS, NULL, slope);
    if (k->type->logp) k->type->logp(&k->l, k->theta, -1.0 / ROWS, slope);
    for (int i = 0; i < k->l.n_theta; i++)
        ASSERT_CASE(fabs((double)slope[i]) < 1e-4, k, "the slope along theta[%d] is %g", i, (double)slope[i]);
}

START_TEST(fitted_parameters_are_at_the_least_nll) { for_all_cases(is_at_its_least); }
END_TEST

START_TEST(refusals_name_the_way_out) {
    static const struct {
        const char *spec;
        int y_dim, n_classes;
        const char *sentence;
    } refused[] = {
        {"gaussian", 1, 3, "likelihood 'gaussian': needs real targets, but the data have 3 classes: use categorical"},
        {"heteroscedastic", 1, 2, "likelihood 'heteroscedastic': needs real targets, but the data have 2 classes: use categorical"},
        {"categorical", 1, 0, "likelihood 'categorical': needs class indices as targets, but the data have real ones: use gaussian"},
        {"bernoulli", 1, 0, "likelihood 'bernoulli': needs class indices as targets, but the data have real ones: use gaussian"},
        {"bernoulli", 1, 3, "likelihood 'bernoulli': needs two classes, but the data have 3: use categorical"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        bnn_likelihood l;
        ck_assert_int_lt(of_columns(refused[i].spec, refused[i].y_dim, refused[i].n_classes, &l), 0);
        ck_assert_str_eq(bnn_error(), refused[i].sentence);
    }
}
END_TEST

/* ---------------------------------------------------------------- maps of classes */

enum { HEIGHT = 2, WIDTH = 3, SITES = HEIGHT * WIDTH, CLASSES = 3, MAPS = 2 };

/* A map of classes, and the same pixels as rows of their own: f[pixel, class] for f[map, class, pixel]. */
typedef struct {
    bnn_likelihood map, pixel;
    bnn_real f[MAPS * CLASSES * SITES], rows[MAPS * SITES * CLASSES], y[MAPS * SITES];
} maps;

static void maps_open(maps *m) {
    bnn_targets y = {{.rank = 2, .d = {HEIGHT, WIDTH}}, CLASSES, y_mean, y_sd};
    ck_assert_int_eq(bnn_likelihood_new("categorical", &y, &m->map), BNN_OK);
    ck_assert_int_eq(of_columns("categorical", 1, CLASSES, &m->pixel), BNN_OK);
    bnn_rng_normal(bnn_rng_seed(1), 0, MAPS, CLASSES * SITES, m->f);
    for (int i = 0; i < MAPS * SITES; i++) m->y[i] = (bnn_real)(i % CLASSES);
    for (int i = 0; i < MAPS * SITES * CLASSES; i++)
        m->rows[i] = m->f[i / (SITES * CLASSES) * SITES * CLASSES + i % CLASSES * SITES + i / CLASSES % SITES];
}

static void maps_close(maps *m) { bnn_likelihood_free(&m->map), bnn_likelihood_free(&m->pixel); }

/* What is said of f[map, class, pixel], where a pixel as a row says `of_row`[pixel, class]. */
static void assert_same_pixels(const bnn_real *of_map, const bnn_real *of_row, const char *what) {
    for (int i = 0; i < MAPS * SITES * CLASSES; i++) {
        int at = i / (SITES * CLASSES) * SITES * CLASSES + i % CLASSES * SITES + i / CLASSES % SITES;
        ck_assert_msg(of_map[at] == of_row[i], "%s of pixel %d, class %d is %g, and %g where it is a row", what, i / CLASSES, i % CLASSES,
                      (double)of_map[at], (double)of_row[i]);
    }
}

START_TEST(a_map_of_classes_is_its_pixels) {
    maps m;
    bnn_real df[2][MAPS * SITES * CLASSES], mean[2][MAPS * SITES * CLASSES], drawn[2][MAPS * SITES];
    double logp[2][MAPS * SITES];
    maps_open(&m);
    ck_assert_int_eq(m.map.sites, SITES);
    ck_assert(bnn_shape_equal(m.map.out, (bnn_shape){.rank = 3, .d = {CLASSES, HEIGHT, WIDTH}}));
    const bnn_likelihood_type *t = bnn_likelihood_vtable(&m.map);
    double whole = t->nll(&m.map, MAPS, m.f, m.y, NULL, 0.7, df[0], NULL);
    ck_assert_double_eq_tol(whole, t->nll(&m.pixel, MAPS * SITES, m.rows, m.y, NULL, 0.7, df[1], NULL), 10 * ROUNDING * whole);
    t->observe(&m.map, MAPS, m.f, m.y, NULL, &(bnn_observation){.mean = mean[0], .logp = logp[0]});
    t->observe(&m.pixel, MAPS * SITES, m.rows, m.y, NULL, &(bnn_observation){.mean = mean[1], .logp = logp[1]});
    assert_same_pixels(df[0], df[1], "gradient"), assert_same_pixels(mean[0], mean[1], "probability");
    ck_assert_mem_eq(logp[0], logp[1], sizeof logp[0]);
    t->draw(&m.map, MAPS, m.f, NULL, bnn_rng_seed(3), 5, drawn[0]);
    t->draw(&m.pixel, MAPS * SITES, m.rows, NULL, bnn_rng_seed(3), 5 * SITES, drawn[1]);
    ck_assert_mem_eq(drawn[0], drawn[1], sizeof drawn[0]);
    maps_close(&m);
}
END_TEST

/* Sum over c of root_ca root_cb of a map is that of the pixel, and 0 between pixels; the marginals are those of pixels. */
START_TEST(pixels_of_a_map_have_nothing_to_do_with_each_other) {
    enum { OUT = CLASSES * SITES };
    maps m;
    static bnn_real root[MAPS * OUT * OUT], small[MAPS * SITES * CLASSES * CLASSES];
    static double mean[MAPS * OUT], cov[MAPS * OUT * OUT], rows[MAPS * OUT], covs[MAPS * SITES * CLASSES * CLASSES], p[2][MAPS * OUT];
    maps_open(&m);
    const bnn_likelihood_type *t = bnn_likelihood_vtable(&m.map);
    t->curvature(&m.map, MAPS, m.f, NULL, root);
    t->curvature(&m.pixel, MAPS * SITES, m.rows, NULL, small);
    for (int i = 0; i < MAPS; i++)
        for (int a = 0; a < OUT; a++)
            for (int b = 0; b < OUT; b++) {
                double sum = 0, should = 0;
                bool same = a % SITES == b % SITES;
                const bnn_real *of_pixel = small + (i * SITES + a % SITES) * CLASSES * CLASSES;
                for (int c = 0; c < OUT; c++) sum += (double)root[(i * OUT + c) * OUT + a] * (double)root[(i * OUT + c) * OUT + b];
                for (int c = 0; same && c < CLASSES; c++)
                    should += (double)of_pixel[c * CLASSES + a / SITES] * (double)of_pixel[c * CLASSES + b / SITES];
                ck_assert_double_eq_tol(sum, should, 10 * ROUNDING);
                cov[(i * OUT + a) * OUT + b] = 0.1 * (a + b) + (a == b ? 3 : 0);
                if (same) covs[((i * SITES + a % SITES) * CLASSES + a / SITES) * CLASSES + b / SITES] = cov[(i * OUT + a) * OUT + b];
            }
    for (int i = 0; i < MAPS * OUT; i++) mean[i] = (double)m.f[i], rows[i] = (double)m.rows[i];
    t->marginal(&m.map, MAPS, mean, cov, m.y, NULL, &(bnn_marginal){.mean = p[0]});
    t->marginal(&m.pixel, MAPS * SITES, rows, covs, m.y, NULL, &(bnn_marginal){.mean = p[1]});
    for (int i = 0; i < MAPS * OUT; i++)
        ck_assert_double_eq_tol(p[0][i / OUT * OUT + i % CLASSES * SITES + i / CLASSES % SITES], p[1][i], 1e-12);
    maps_close(&m);
}
END_TEST

START_TEST(void_pixels_count_nowhere) {
    maps m;
    bnn_real df[MAPS * CLASSES * SITES];
    double logp[MAPS * SITES];
    maps_open(&m);
    const bnn_likelihood_type *t = bnn_likelihood_vtable(&m.map);
    double whole = t->nll(&m.map, MAPS, m.f, m.y, NULL, 1, NULL, NULL);
    t->observe(&m.map, MAPS, m.f, m.y, NULL, &(bnn_observation){.logp = logp});
    m.y[4] = -1;
    ck_assert_double_eq_tol(t->nll(&m.map, MAPS, m.f, m.y, NULL, 1, df, NULL), whole + logp[4], 10 * ROUNDING * whole);
    for (int c = 0; c < CLASSES; c++) ck_assert(df[c * SITES + 4] == 0 && df[c * SITES + 5] != 0);
    t->observe(&m.map, MAPS, m.f, m.y, NULL, &(bnn_observation){.logp = logp});
    for (int i = 0; i < MAPS * SITES; i++) ck_assert(isnan(logp[i]) == (i == 4));
    maps_close(&m);
}
END_TEST

/* A pixel of class c counts w_c times in nll and df, and void ones not at all; observe knows no weights. */
START_TEST(classes_have_weights) {
    static const double weight[CLASSES] = {0.5, 2, 7};
    maps m;
    bnn_likelihood weighted;
    bnn_targets y = {{.rank = 2, .d = {HEIGHT, WIDTH}}, CLASSES, y_mean, y_sd};
    bnn_real df[2][MAPS * CLASSES * SITES];
    double logp[2][MAPS * SITES], sum = 0;
    maps_open(&m);
    m.y[4] = -1;
    ck_assert_int_eq(bnn_likelihood_new("categorical:weights=0.5/2/7", &y, &weighted), BNN_OK);
    const bnn_likelihood_type *t = bnn_likelihood_vtable(&m.map);
    t->nll(&m.map, MAPS, m.f, m.y, NULL, 0.3, df[0], NULL);
    const double nll = t->nll(&weighted, MAPS, m.f, m.y, NULL, 0.3, df[1], NULL);
    t->observe(&m.map, MAPS, m.f, m.y, NULL, &(bnn_observation){.logp = logp[0]});
    t->observe(&weighted, MAPS, m.f, m.y, NULL, &(bnn_observation){.logp = logp[1]});
    for (int i = 0; i < MAPS * SITES; i++) {
        const double w = m.y[i] < 0 ? 0 : weight[(int)m.y[i]];
        if (w > 0) sum -= w * logp[0][i];
        ck_assert(isnan(logp[0][i]) ? isnan(logp[1][i]) : logp[0][i] == logp[1][i]);
        for (int c = 0; c < CLASSES; c++) {
            const int at = (i / SITES * CLASSES + c) * SITES + i % SITES;
            ck_assert_double_eq_tol((double)df[1][at], w * (double)df[0][at], 10 * ROUNDING * (1 + w));
        }
    }
    ck_assert_double_eq_tol(nll, sum, 10 * ROUNDING * sum);
    bnn_likelihood_free(&weighted), maps_close(&m);
}
END_TEST

/* Root C of one pixel: sum_c C[c,a] C[c,b] = (p . w) (diag(p) - p p^T), here of p = 1/3 each. */
START_TEST(weights_are_in_the_curvature) {
    bnn_likelihood l;
    bnn_real f[CLASSES] = {0}, root[CLASSES * CLASSES];
    ck_assert_int_eq(of_columns("categorical:weights=0.5/2/6.5", 1, CLASSES, &l), BNN_OK);
    bnn_likelihood_vtable(&l)->curvature(&l, 1, f, NULL, root);
    for (int a = 0; a < CLASSES; a++)
        for (int b = 0; b < CLASSES; b++) {
            double sum = 0;
            for (int c = 0; c < CLASSES; c++) sum += (double)root[c * CLASSES + a] * (double)root[c * CLASSES + b];
            ck_assert_double_eq_tol(sum, 3 * ((a == b) / 3.0 - 1 / 9.0), 100 * ROUNDING);
        }
    bnn_likelihood_free(&l);
}
END_TEST

/* Of 12 pixels two are void, seven of class 0 and three of class 2: 10 / (2 x 7) and 10 / (2 x 3), and 1 for the class without any; of the
 * first map alone 5 / (2 x 3) and 5 / (2 x 2). */
START_TEST(balanced_weights_are_those_of_the_rows) {
    bnn_likelihood l;
    bnn_targets of_map = {{.rank = 2, .d = {HEIGHT, WIDTH}}, CLASSES, y_mean, y_sd};
    const bnn_real y[MAPS * SITES] = {0, 0, -1, 0, 2, 2, 0, 0, 0, -1, 0, 2};
    ck_assert_int_eq(bnn_likelihood_new_for("categorical:weights=balanced", &of_map, MAPS, y, NULL, &l), BNN_OK);
    char *text = bnn_object_print(&l.object, false);
    ck_assert_str_eq(text, "categorical:weights=0.714286/1/1.66667");
    free(text), bnn_likelihood_free(&l);
    const double weight[MAPS] = {1, 0};
    ck_assert_int_eq(bnn_likelihood_new_for("categorical:weights=balanced", &of_map, MAPS, y, weight, &l), BNN_OK);
    text = bnn_object_print(&l.object, false);
    ck_assert_str_eq(text, "categorical:weights=0.833333/1/1.25");
    free(text), bnn_likelihood_free(&l);
}
END_TEST

START_TEST(wrong_weights_are_refused) {
    static const char *const wrong[] = {"balanced", "1/2", "1/2/3/4", "1/-2/3", "1/2/x", "1/2/inf", "", "1//2"};
    bnn_likelihood l;
    char spec[64];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(spec, sizeof spec, "categorical:weights=%s", wrong[i]);
        ck_assert_int_lt(of_columns(spec, 1, CLASSES, &l), 0);
        ck_assert_ptr_nonnull(strstr(bnn_error(), "numbers from 0 on with / between them"));
    }
}
END_TEST

START_TEST(maps_are_for_those_that_take_them) {
    bnn_likelihood l;
    bnn_targets y = {{.rank = 2, .d = {HEIGHT, WIDTH}}, 2, y_mean, y_sd};
    ck_assert_int_lt(bnn_likelihood_new("bernoulli", &y, &l), 0);
    ck_assert_str_eq(bnn_error(), "likelihood 'bernoulli': takes one class a row, but the data have 6");
}
END_TEST

int main(void) {
    const TTest *const tests[] = {own_parameters_are_fitted,
                                  own_parameters_have_their_prior,
                                  fitted_parameters_are_at_the_least_nll,
                                  probit_has_its_limits,
                                  a_map_of_classes_is_its_pixels,
                                  pixels_of_a_map_have_nothing_to_do_with_each_other,
                                  void_pixels_count_nowhere,
                                  classes_have_weights,
                                  weights_are_in_the_curvature,
                                  balanced_weights_are_those_of_the_rows,
                                  wrong_weights_are_refused,
                                  maps_are_for_those_that_take_them,
                                  refusals_name_the_way_out,
                                  NULL};
    return run_tests("likelihoods", tests);
}
