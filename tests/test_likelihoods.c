/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_likelihoods.c: every registered likelihood with every one of its check specs, on every kind of data that it takes.
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

static const double y_sd[] = {1.7, 0.6};
static const struct { int y_dim, n_classes; } kinds_of_data[] = {{1, 0}, {2, 0}, {1, 2}, {1, 3}};

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
                if (bnn_likelihood_new(t->checks[s], kinds_of_data[d].y_dim, kinds_of_data[d].n_classes, y_sd, &k.l) < 0) continue;
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

static double nll(void *of) {
    likelihood_case *k = of;
    return k->type->nll(&k->l, ROWS, k->f, k->y, k->theta, 1, NULL, NULL);
}

static void compare(likelihood_case *k, const char *name, int n, bnn_real *at, const bnn_real *gradient, double scale) {
    for (int i = 0; i < n; i++) {
        double slope = scale * bnn_difference(nll, k, &at[i], NULL);
        ASSERT_CASE(fabs((double)gradient[i] - slope) < GRADIENT_TOLERANCE * (1 + fabs(slope)), k, "%s[%d] is %.9g, differences %.9g", name,
                    i, (double)gradient[i], slope);
    }
}

/* df is set, dtheta is added to; both scaled. */
static void has_right_gradients(likelihood_case *k) {
    const double scale = 2.5;
    bnn_real df[MOST], dtheta[8];
    for (int i = 0; i < MOST; i++) df[i] = (bnn_real)NAN;
    for (int i = 0; i < 8; i++) dtheta[i] = 3;
    double value = k->type->nll(&k->l, ROWS, k->f, k->y, k->theta, scale, df, dtheta);
    ASSERT_CASE(fabs(value - nll(k)) <= ROUNDING * fabs(value), k, "the value %g depends on the scale of the gradient", value);
    for (int i = 0; i < k->l.n_theta; i++) dtheta[i] -= 3;
    compare(k, "df", ROWS * k->l.out_dim, k->f, df, scale);
    compare(k, "dtheta", k->l.n_theta, k->theta, dtheta, scale);
}

START_TEST(gradients_are_those_of_differences) { for_all_cases(has_right_gradients); }
END_TEST

/* Draws for n copies of row 0, from row row0 of the stream on. */
static void draw_row(likelihood_case *k, int n, uint64_t row0, bnn_real *y) {
    size_t out = (size_t)k->l.out_dim;
    bnn_real *f = reals_new((size_t)n * out);
    for (size_t i = 0; i < (size_t)n; i++) memcpy(f + i * out, k->f, out * sizeof *f);
    k->type->draw(&k->l, n, f, k->theta, bnn_rng_seed(5), row0, y);
    reals_free(f);
}

/* Draws have the mean and the variance that observe states; of classes, each comes as often as its probability says. */
static void draws_from_itself(likelihood_case *k) {
    enum { N = 20000 };
    bnn_real mean[MOST], var[MOST], *y = reals_new(N * (size_t)k->l.y_dim);
    k->type->observe(&k->l, 1, k->f, NULL, k->theta, &(bnn_observation){.mean = mean, .var = var});
    draw_row(k, N, 0, y);
    for (int c = 0; c < k->l.mean_dim; c++) {
        moments m = {0};
        for (int i = 0; i < N; i++) moments_add(&m, k->l.n_classes ? y[i] == (bnn_real)c : (double)y[i * k->l.y_dim + c]);
        ASSERT_CASE(fabs(moments_z(&m, (double)mean[c])) < MOST_Z, k, "draws have mean[%d] %g, not %g", c, m.mean, (double)mean[c]);
        ASSERT_CASE(k->l.n_classes || fabs(moments_var_z(&m, (double)var[c])) < MOST_Z, k, "draws have variance[%d] %g, not %g", c,
                    moments_var(&m), (double)var[c]);
    }
    reals_free(y);
}

START_TEST(draws_follow_the_density) { for_all_cases(draws_from_itself); }
END_TEST

/* A row's draw is that of its number, whatever rows come with it. */
static void draws_by_row(likelihood_case *k) {
    enum { N = 64, FIRST = 20 };
    bnn_real whole[2 * N], part[2 * N];
    size_t d = (size_t)k->l.y_dim;
    draw_row(k, N, 0, whole);
    draw_row(k, N - FIRST, FIRST, part);
    ASSERT_CASE(memcmp(whole + FIRST * d, part, (N - FIRST) * d * sizeof *part) == 0, k,
                "draws of rows from %d on depend on the rows before", FIRST);
}

START_TEST(draws_belong_to_rows) { for_all_cases(draws_by_row); }
END_TEST

/* log p of row 0 with another y. */
static double logp(likelihood_case *k, double y) {
    bnn_real here = (bnn_real)y;
    return -k->type->nll(&k->l, 1, k->f, &here, k->theta, 1, NULL, NULL);
}

static double density(double y, void *of) { return exp(logp(of, y)); }
static double first_moment(double y, void *of) { return y * density(y, of); }
static double second_moment(double y, void *of) { return y * y * density(y, of); }

/* p(y) integrates to 1; mean, var, logp and pit are those of the density. */
static void observes_its_density(likelihood_case *k) {
    bnn_real mean[MOST], var[MOST], pit[MOST];
    double logps[ROWS], m = bnn_integral(first_moment, k, -64, 64), v = bnn_integral(second_moment, k, -64, 64) - m * m,
                        below = bnn_integral(density, k, -64, (double)k->y[0]);
    k->type->observe(&k->l, ROWS, k->f, k->y, k->theta, &(bnn_observation){mean, var, logps, pit});
    double mass = bnn_integral(density, k, -64, 64);
    ASSERT_CASE(fabs(mass - 1) < ROUNDING, k, "the mass is %.12g", mass);
    ASSERT_CASE(fabs((double)mean[0] - m) < 10 * ROUNDING && fabs((double)var[0] - v) < 10 * ROUNDING * (1 + v), k,
                "mean %g and variance %g, not %g and %g", (double)mean[0], (double)var[0], m, v);
    ASSERT_CASE(k->l.pit_dim == 1 && fabs((double)pit[0] - below) < 10 * ROUNDING, k, "pit %g, not %g", (double)pit[0], below);
}

static void observes_its_classes(likelihood_case *k) {
    bnn_real mean[MOST], var[MOST];
    double mass = 0;
    k->type->observe(&k->l, ROWS, k->f, NULL, k->theta, &(bnn_observation){.mean = mean, .var = var});
    ASSERT_CASE(k->l.mean_dim == k->l.n_classes && k->l.pit_dim == 0, k, "mean_dim %d", k->l.mean_dim);
    for (int c = 0; c < k->l.n_classes; c++) {
        double p = exp(logp(k, c));
        mass += p;
        ASSERT_CASE(fabs((double)mean[c] - p) < ROUNDING && var[c] == 0, k, "P(%d) is %g, not %g", c, (double)mean[c], p);
    }
    ASSERT_CASE(fabs(mass - 1) < ROUNDING, k, "the mass is %.12g", mass);
}

static void observes_itself(likelihood_case *k) {
    double logps[ROWS], sum = 0;
    if (k->l.n_classes > 0)
        observes_its_classes(k);
    else if (k->l.y_dim == 1)
        observes_its_density(k);
    k->type->observe(&k->l, ROWS, k->f, k->y, k->theta, &(bnn_observation){.logp = logps});
    for (int i = 0; i < ROWS; i++) sum += logps[i];
    ASSERT_CASE(fabs(sum + nll(k)) < ROUNDING * (1 + fabs(sum)), k, "observe has log p %.12g, nll %.12g", sum, nll(k));
}

START_TEST(observations_are_those_of_the_density) { for_all_cases(observes_itself); }
END_TEST

/* ---------------------------------------------------------------- curvature and marginal */

/* One entry of d(-log p)/df (x) d(-log p)/df, weighed with the density: over y it integrates to the Fisher information. */
typedef struct {
    likelihood_case *k;
    int a, b;
} product;

static double weighed(double y, void *of) {
    const product *p = of;
    bnn_real df[MOST], here = (bnn_real)y;
    double log_p = -p->k->type->nll(&p->k->l, 1, p->k->f, &here, p->k->theta, 1, df, NULL);
    return exp(log_p) * (double)df[p->a] * (double)df[p->b];
}

static double fisher(likelihood_case *k, int a, int b) {
    product p = {k, a, b};
    double sum = 0;
    if (k->l.n_classes == 0) return bnn_integral(weighed, &p, -64, 64);
    for (int c = 0; c < k->l.n_classes; c++) sum += weighed(c, &p);
    return sum;
}

static double slope_in(void *of) {
    const product *p = of;
    bnn_real df[MOST];
    p->k->type->nll(&p->k->l, ROWS, p->k->f, p->k->y, p->k->theta, 1, df, NULL);
    return (double)df[p->a];
}

/* The square of the root is the Fisher information; and the Hessian, where that does not depend on y. */
static void has_its_curvature(likelihood_case *k) {
    int out = k->l.out_dim;
    bnn_real root[MOST * 4];
    if (!k->type->curvature) return;
    k->type->curvature(&k->l, ROWS, k->f, k->theta, root);
    for (int i = 0; i < ROWS; i++)
        for (int a = 0; a < out; a++)
            for (int b = 0; b < out; b++) {
                double square = 0;
                for (int c = 0; c < out; c++) square += (double)root[(i * out + c) * out + a] * (double)root[(i * out + c) * out + b];
                bool hessian = strcmp(k->l.object.type->name, "heteroscedastic") != 0;
                product p = {k, i * out + a, 0};
                double slope = hessian ? bnn_difference(slope_in, &p, &k->f[i * out + b], NULL) : square,
                       expected = i == 0 && k->l.y_dim == 1 ? fisher(k, a, b) : square;
                ASSERT_CASE(fabs(square - slope) < GRADIENT_TOLERANCE * (1 + fabs(slope)), k, "[%d,%d,%d] is %g, differences %g", i, a, b,
                            square, slope);
                ASSERT_CASE(fabs(square - expected) < 100 * ROUNDING * (1 + fabs(expected)), k, "[%d,%d,%d] is %g, expected %g", i, a, b,
                            square, expected);
            }
}

START_TEST(curvature_is_fisher_information) { for_all_cases(has_its_curvature); }
END_TEST

/* Correlated outputs: means k->f, covariances c (I/5 + 3 u u^T), u_a = (a+1)/out, wider from row to row. */
static double width(int row) { return 0.3 * (row + 1); }

static void fill_cov(const likelihood_case *k, double *mean, double *cov) {
    int out = k->l.out_dim;
    for (int i = 0; i < ROWS * out; i++) mean[i] = (double)k->f[i];
    for (int i = 0; i < ROWS; i++)
        for (int a = 0; a < out; a++)
            for (int b = 0; b < out; b++)
                cov[(i * out + a) * out + b] = width(i) * (0.2 * (a == b) + 3.0 * (a + 1) * (b + 1) / (double)(out * out));
}

/* f[ROWS, out] of them; z[ROWS, out + 1] normal: the last one is what the outputs share. */
static void draw_f(const likelihood_case *k, const double *mean, const bnn_real *z, bnn_real *f) {
    int out = k->l.out_dim;
    for (int i = 0; i < ROWS; i++, z += out + 1)
        for (int a = 0; a < out; a++)
            f[i * out + a] =
                (bnn_real)(mean[i * out + a] + sqrt(width(i)) * (sqrt(0.2) * (double)z[a] + sqrt(3) * (a + 1) / out * (double)z[out]));
}

/* log N(y; mean, C) of one or two targets. */
static double log_normal(int d, const bnn_real *y, const double *mean, const double *C) {
    double a = (double)y[0] - mean[0], b = d > 1 ? (double)y[1] - mean[1] : 0;
    double det = d > 1 ? C[0] * C[3] - C[1] * C[2] : C[0];
    double squares = d > 1 ? (C[3] * a * a - 2 * C[1] * a * b + C[0] * b * b) / det : a * a / det;
    return -0.5 * (squares + log(det) + d * log(2 * M_PI));
}

/* p(y | f) over many draws of f. */
static void averages_to_its_marginal(likelihood_case *k) {
    enum { S = 20000 };
    int out = k->l.out_dim, dim = k->l.mean_dim;
    double mean[MOST], cov[MOST * 4], f_mean[MOST], f_cov[MOST * 4], epi[MOST], alea[MOST], logp[ROWS], pit[MOST];
    bool real = k->l.n_classes == 0;
    if (!k->type->marginal) return;
    fill_cov(k, f_mean, f_cov);
    k->type->marginal(&k->l, ROWS, f_mean, f_cov, k->y, k->theta,
                      &(bnn_marginal){mean, real ? epi : NULL, real ? alea : NULL, logp, real ? pit : NULL});
    fill_cov(k, f_mean, f_cov);
    memcpy(cov, f_cov, sizeof cov);
    moments below[MOST] = {0}, seen[MOST] = {0};
    bnn_real f[MOST], z[MOST], m[MOST], v[MOST], u[MOST];
    for (uint64_t s = 0; s < S; s++) {
        bnn_rng_normal(bnn_rng_split(bnn_rng_seed(6), s), 0, ROWS, out + 1, z);
        draw_f(k, f_mean, z, f);
        k->type->observe(&k->l, ROWS, f, k->y, k->theta, &(bnn_observation){.mean = m, .var = v, .pit = real ? u : NULL});
        for (int i = 0; i < ROWS * dim; i++) moments_add(&seen[i], (double)m[i]);
        for (int i = 0; real && i < ROWS * dim; i++) moments_add(&below[i], (double)u[i]);
    }
    for (int i = 0; i < ROWS * dim; i++) {
        if (real) {
            ASSERT_CASE(fabs(mean[i] - (double)k->f[i]) == 0 && fabs(epi[i] - cov[i / dim * dim * dim + i % dim * (dim + 1)]) == 0, k,
                        "mean %d", i);
            ASSERT_CASE(fabs(moments_z(&below[i], pit[i])) < MOST_Z, k, "pit[%d] has z %g", i, moments_z(&below[i], pit[i]));
            ASSERT_CASE(fabs(alea[i] - (double)v[i]) < ROUNDING * 10 * alea[i], k, "noise[%d]", i);
        } else
            ASSERT_CASE(fabs(mean[i] - seen[i].mean) < 0.025, k, "p[%d] is %g, by draws %g", i, mean[i], seen[i].mean); /* probit */
    }
    for (int i = 0; i < ROWS; i++) {
        double *C = cov + i * out * out;
        for (int a = 0; real && a < out; a++) C[a * out + a] += alea[i * out + a];
        double want = real ? log_normal(out, k->y + i * out, f_mean + i * out, C) : log(mean[i * dim + (int)k->y[i]]);
        ASSERT_CASE(fabs(logp[i] - want) < 1e-12 * (1 + fabs(want)), k, "log p of row %d is %g, not %g", i, logp[i], want);
    }
}

START_TEST(marginals_are_averages) { for_all_cases(averages_to_its_marginal); }
END_TEST

/* Without variance the marginal is the likelihood; two classes are one logit; a shift of all logits, shared by all draws, is nothing. */
START_TEST(probit_has_its_limits) {
    bnn_likelihood one, two, three;
    const bnn_real y[] = {1};
    double p[3][3], logp;
    bnn_likelihood_new("bernoulli", 1, 2, y_sd, &one);
    bnn_likelihood_new("categorical", 1, 2, y_sd, &two);
    bnn_likelihood_new("categorical", 1, 3, y_sd, &three);
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

static void stays_finite(likelihood_case *k) {
    bnn_real df[MOST], dtheta[8] = {0};
    for (int e = -1; e <= 1; e += 2) {
        for (int i = 0; i < ROWS * k->l.out_dim; i++) k->f[i] = (bnn_real)(i % 2 ? 1000 : e * 1000);
        double value = k->type->nll(&k->l, ROWS, k->f, k->y, k->theta, 1, df, dtheta);
        ASSERT_CASE(isfinite(value), k, "nll is %g at outputs of 1000", value);
        for (int i = 0; i < ROWS * k->l.out_dim; i++) ASSERT_CASE(isfinite(df[i]), k, "df[%d] is %g at outputs of 1000", i, (double)df[i]);
    }
}

START_TEST(extreme_outputs_stay_finite) { for_all_cases(stays_finite); }
END_TEST

/* The noise that explains the residuals best: log of their mean square, whatever the scales of the targets. */
START_TEST(own_parameters_are_fitted) {
    enum { N = 200 };
    static const double residual_sd[][2] = {{1, 1}, {1e-5, 1}, {1e6, 1e6}, {1e-5, 1e6}, {300, 0.01}};
    bnn_real f[2 * N], y[2 * N], e[2 * N], theta[2];
    bnn_likelihood l;
    ck_assert_int_eq(bnn_likelihood_new("gaussian", 2, 0, y_sd, &l), BNN_OK);
    bnn_rng_normal(bnn_rng_seed(3), 0, N, 2, e);
    for (size_t c = 0; c < sizeof residual_sd / sizeof *residual_sd; c++) {
        double squares[2] = {0};
        for (int i = 0; i < 2 * N; i++) {
            f[i] = (bnn_real)(0.01 * residual_sd[c][i % 2] * i), y[i] = f[i] + (bnn_real)residual_sd[c][i % 2] * e[i];
            squares[i % 2] += pow((double)(f[i] - y[i]), 2) / N;
        }
        ck_assert_msg(bnn_likelihood_fit(&l, N, f, y, theta) == BNN_OK, "%s", bnn_error());
        for (int k = 0; k < 2; k++)
            ck_assert_msg(fabs((double)theta[k] - log(squares[k])) < 1e-4, "log variance %.9g, not %.9g", (double)theta[k],
                          log(squares[k]));
    }
    ck_assert_int_eq(bnn_likelihood_fit(&l, N, f, f, theta), BNN_ERR_NUMERIC);
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
    ck_assert_int_eq(bnn_likelihood_new("gaussian:sd=0.3,shape=2", 1, 0, y_sd, &l), BNN_OK);
    for (int exact = 0; exact < 2; exact++) {
        double squares = exact ? 0 : 1.25, expected = log((squares + 2 * a * v) / (4 + 2 * a));
        theta = (bnn_real)NAN; /* what it held does not matter */
        ck_assert_msg(bnn_likelihood_fit(&l, 4, f, exact ? f : y, &theta) == BNN_OK, "%s", bnn_error());
        ck_assert_msg(fabs((double)theta - expected) < 1e-4, "log variance %.9g, not %.9g", (double)theta, expected);
    }
    bnn_likelihood_free(&l);
}
END_TEST

/* At the fitted parameters of any likelihood nll - log prior has no slope. */
static void is_at_its_least(likelihood_case *k) {
    bnn_real slope[8] = {0};
    ASSERT_CASE(bnn_likelihood_fit(&k->l, ROWS, k->f, k->y, k->theta) == BNN_OK, k, "%s", bnn_error());
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
        ck_assert_int_lt(bnn_likelihood_new(refused[i].spec, refused[i].y_dim, refused[i].n_classes, y_sd, &l), 0);
        ck_assert_str_eq(bnn_error(), refused[i].sentence);
    }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {gradients_are_those_of_differences,
                                  draws_follow_the_density,
                                  draws_belong_to_rows,
                                  observations_are_those_of_the_density,
                                  extreme_outputs_stay_finite,
                                  own_parameters_are_fitted,
                                  own_parameters_have_their_prior,
                                  fitted_parameters_are_at_the_least_nll,
                                  curvature_is_fisher_information,
                                  marginals_are_averages,
                                  probit_has_its_limits,
                                  refusals_name_the_way_out,
                                  NULL};
    return run_tests("likelihoods", tests);
}
