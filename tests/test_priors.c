/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_priors.c: every registered prior with every one of its check specs; then the extremes of the mixture.
 */
#include "helpers.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_randist.h>
#include <math.h>
#include <stdlib.h>

typedef struct {
    bnn_prior prior;
    const bnn_prior_type *type;
    bool weight;
    bnn_real mean, sd; /* of q, where there is one */
} prior_case;

enum { FAN_IN = 9 };

static void for_all_cases(void (*property)(prior_case *)) {
    for (const bnn_type *t = NULL; (t = bnn_type_next(BNN_PRIOR, t));)
        for (int s = 0; t->checks[s]; s++)
            for (int weight = 0; weight <= 1; weight++) {
                prior_case k = {.weight = weight};
                ck_assert_msg(bnn_prior_new(t->checks[s], &k.prior) == BNN_OK, "%s: %s", t->checks[s], bnn_error());
                k.type = bnn_prior_vtable(&k.prior);
                property(&k);
                bnn_prior_free(&k.prior);
            }
}

#define ASSERT_CASE(condition, k, format, ...)                                                                \
    do {                                                                                                      \
        char *text_ = bnn_object_print(&(k)->prior.object, false);                                            \
        ck_assert_msg(condition, "%s of a %s: " format, text_, (k)->weight ? "weight" : "bias", __VA_ARGS__); \
        free(text_);                                                                                          \
    } while (0)

static double logp(double w, void *of) {
    prior_case *k = of;
    bnn_real here = (bnn_real)w;
    return k->type->logp(&k->prior, k->weight, FAN_IN, 1, &here, NULL);
}

static double density(double w, void *of) { return exp(logp(w, of)); }
static double square(double w, void *of) { return w * w * exp(logp(w, of)); }
static double entropy(double w, void *of) {
    double l = logp(w, of);
    return l > -700 ? -l * exp(l) : 0;
}

static void has_mass_one(prior_case *k) {
    double mass = bnn_integral(density, k, -64, 64);
    ASSERT_CASE(fabs(mass - 1) < ROUNDING, k, "the mass is %.12g", mass);
}

START_TEST(densities_integrate_to_one) { for_all_cases(has_mass_one); }
END_TEST

/* Points away from the narrow component of a mixture, which has scales below the step of the differences. */
static const bnn_real points[] = {(bnn_real)-2.5, -1, (bnn_real)-0.4, (bnn_real)-0.15, (bnn_real)0.2, (bnn_real)0.7, 1, 3};
enum { POINTS = sizeof points / sizeof *points };

static double logp_of_point(void *of) {
    prior_case *k = of;
    return logp((double)k->mean, k);
}

static void has_right_gradient(prior_case *k) {
    bnn_real dw[POINTS];
    double sum = 0, together = k->type->logp(&k->prior, k->weight, FAN_IN, POINTS, points, dw);
    for (int i = 0; i < POINTS; i++) {
        k->mean = points[i];
        double slope = bnn_difference(logp_of_point, k, &k->mean, NULL);
        ASSERT_CASE(fabs((double)dw[i] - slope) < GRADIENT_TOLERANCE * (1 + fabs(slope)), k, "gradient %.9g at %g, differences %.9g",
                    (double)dw[i], (double)points[i], slope);
        sum += logp((double)points[i], k);
    }
    ASSERT_CASE(fabs(together - sum) < ROUNDING * fabs(sum), k, "%d weights have %.12g, one by one %.12g", POINTS, together, sum);
}

START_TEST(gradients_are_those_of_differences) { for_all_cases(has_right_gradient); }
END_TEST

/* Draws have the second moment and the mean log density of the density. */
static void draws_from_itself(prior_case *k) {
    enum { N = 100000 };
    bnn_real *w = reals_new(N);
    moments squares = {0}, surprise = {0};
    k->type->draw(&k->prior, k->weight, FAN_IN, bnn_rng_seed(1), N, w);
    for (int i = 0; i < N; i++) {
        moments_add(&squares, (double)w[i] * (double)w[i]);
        moments_add(&surprise, -logp((double)w[i], k));
    }
    double z_square = moments_z(&squares, bnn_integral(square, k, -64, 64)),
           z_entropy = moments_z(&surprise, bnn_integral(entropy, k, -64, 64));
    ASSERT_CASE(fabs(z_square) < MOST_Z && fabs(z_entropy) < MOST_Z, k, "z of the second moment %g, of the entropy %g", z_square,
                z_entropy);
    reals_free(w);
}

START_TEST(draws_follow_the_density) { for_all_cases(draws_from_itself); }
END_TEST

/* The density at 0 of a Gaussian is 1 / (sd sqrt(2 pi)), which tells the sd that a text means. */
START_TEST(texts_mean_their_sd) {
    static const struct {
        const char *spec;
        bool weight;
        double sd;
    } cases[] = {{"gauss:sd=2,bias_sd=5", true, 2},
                 {"gauss:sd=2,bias_sd=5", false, 5},
                 {"gauss:sd=2,bias_sd=5,scale=fan_in", true, 2 / 3.}, /* sqrt(FAN_IN) is 3 */
                 {"gauss:sd=2,bias_sd=5,scale=fan_in", false, 5},
                 {"scale_mixture:pi=1,sd1=0.7", true, 0.7},
                 {"scale_mixture:pi=0,sd2=0.2", true, 0.2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        prior_case k = {.weight = cases[i].weight};
        ck_assert_int_eq(bnn_prior_new(cases[i].spec, &k.prior), BNN_OK);
        k.type = bnn_prior_vtable(&k.prior);
        double sd = exp(-logp(0, &k)) / sqrt(2 * M_PI);
        ASSERT_CASE(fabs(sd / cases[i].sd - 1) < ROUNDING, &k, "sd %.9g, not %.9g", sd, cases[i].sd);
        ASSERT_CASE(!k.type->sd || k.type->sd(&k.prior, k.weight, FAN_IN) == cases[i].sd, &k, "the hook sd says %.9g",
                    k.type->sd(&k.prior, k.weight, FAN_IN));
        bnn_prior_free(&k.prior);
    }
}
END_TEST

/* ---------------------------------------------------------------- scales */

static const bnn_param blocks[] = {{.name = "kernel", .role = BNN_WEIGHT, .rows = 4, .cols = 3, .fan_in = 4},
                                   {.name = "bias", .role = BNN_BIAS, .cols = 5, .fan_in = 4}};

typedef struct {
    const bnn_prior *prior;
    const bnn_param *block;
    double w;
} scale_case;

static void for_all_scales(void (*property)(const scale_case *)) {
    int n = 0;
    for (const bnn_type *t = NULL; (t = bnn_type_next(BNN_PRIOR, t));)
        for (int s = 0; ((const bnn_prior_type *)t)->n_scales && t->checks[s]; s++)
            for (int b = 0; b < 2; b++, n++) {
                bnn_prior prior;
                ck_assert_msg(bnn_prior_new(t->checks[s], &prior) == BNN_OK, "%s: %s", t->checks[s], bnn_error());
                ck_assert_int_eq(bnn_param_size(&blocks[b]) % bnn_prior_vtable(&prior)->n_scales(&prior, &blocks[b]), 0);
                property(&(scale_case){.prior = &prior, .block = &blocks[b]});
                bnn_prior_free(&prior);
            }
    ck_assert_int_gt(n, 0);
}

static double logp_of_scale(double s, void *of) {
    const scale_case *k = of;
    double slope;
    return bnn_prior_vtable(k->prior)->logp_scale(k->prior, k->block, s, &slope);
}

static void has_slope_of_scale(const scale_case *k) {
    for (double s = -12; s <= 12; s += 1.5) {
        double h = 1e-4, slope, by_differences = (logp_of_scale(s + h, (void *)k) - logp_of_scale(s - h, (void *)k)) / (2 * h);
        bnn_prior_vtable(k->prior)->logp_scale(k->prior, k->block, s, &slope);
        ck_assert_msg(fabs(slope - by_differences) < 1e-5 * (1 + fabs(slope)), "%s at %g: slope %.9g, differences %.9g",
                      k->prior->object.type->name, s, slope, by_differences);
    }
}

START_TEST(slopes_of_scales_are_those_of_differences) { for_all_scales(has_slope_of_scale); }
END_TEST

static double density_of_scale(double s, void *of) { return exp(logp_of_scale(s, of)); }

/* The probability that a log variance lies in an interval is that of its precision, e^-s, in a Gamma distribution. */
START_TEST(precisions_are_gamma_distributed) {
    static const struct {
        const char *spec;
        int block;
        double sd, shape;
    } cases[] = {{"hierarchical", 0, 0.05 / 2, 0.25},
                 {"hierarchical", 1, 0.05, 0.25},
                 {"hierarchical:sd=0.5,bias_sd=2,shape=3,scale=none", 0, 0.5, 3},
                 {"hierarchical:sd=0.5,bias_sd=2,shape=3,scale=none", 1, 2, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bnn_prior prior;
        ck_assert_int_eq(bnn_prior_new(cases[i].spec, &prior), BNN_OK);
        scale_case k = {.prior = &prior, .block = &blocks[cases[i].block]};
        double scale = 1 / (cases[i].shape * cases[i].sd * cases[i].sd), total = 0;
        for (double s = -32; s < 32; s += 4) {
            double p = bnn_integral(density_of_scale, &k, s, s + 4),
                   exact = gsl_cdf_gamma_P(exp(-s), cases[i].shape, scale) - gsl_cdf_gamma_P(exp(-s - 4), cases[i].shape, scale);
            ck_assert_msg(fabs(p - exact) < ROUNDING, "%s: P(%g < s < %g) is %.12g, not %.12g", cases[i].spec, s, s + 4, p, exact);
            total += p;
        }
        ck_assert_double_gt(total, 0.999);
        bnn_prior_free(&prior);
    }
}
END_TEST

static double joint(double s, void *of) {
    const scale_case *k = of;
    bnn_real z = (bnn_real)(k->w * exp(-0.5 * s));
    return exp(bnn_prior_vtable(k->prior)->logp(k->prior, k->block->role == BNN_WEIGHT, k->block->fan_in, 1, &z, NULL) - 0.5 * s +
               logp_of_scale(s, of));
}

/* With its scale integrated out a weight alone is Student's t with 2 shape degrees of freedom. */
START_TEST(marginals_are_student_t) {
    bnn_prior prior;
    ck_assert_int_eq(bnn_prior_new("hierarchical:sd=0.5,shape=1.5,scale=none", &prior), BNN_OK);
    for (double w = -4; w <= 4; w += 0.5) {
        scale_case k = {.prior = &prior, .block = &blocks[0], .w = w};
        double p = bnn_integral(joint, &k, -64, 64), exact = gsl_ran_tdist_pdf(w / 0.5, 3) / 0.5;
        ck_assert_msg(fabs(p - exact) < ROUNDING, "p(%g) is %.12g, not %.12g", w, p, exact);
    }
    bnn_prior_free(&prior);
}
END_TEST

START_TEST(groups_are_kernels_or_their_inputs) {
    static const struct {
        const char *spec;
        int n[2];
    } cases[] = {{"hierarchical", {1, 1}}, {"hierarchical:groups=inputs", {4, 1}}};
    for (size_t i = 0; i < 2; i++) {
        bnn_prior prior;
        ck_assert_int_eq(bnn_prior_new(cases[i].spec, &prior), BNN_OK);
        for (int b = 0; b < 2; b++) ck_assert_int_eq(bnn_prior_vtable(&prior)->n_scales(&prior, &blocks[b]), cases[i].n[b]);
        bnn_prior_free(&prior);
    }
}
END_TEST

/* ---------------------------------------------------------------- KL */

static double kl_integrand(double w, void *of) {
    prior_case *k = of;
    double z = (w - (double)k->mean) / (double)k->sd, log_q = -0.5 * z * z - log((double)k->sd) - 0.91893853320467274178;
    return exp(log_q) * (log_q - logp(w, k));
}

static double kl_value(void *of) {
    prior_case *k = of;
    return k->type->kl_gaussian(&k->prior, k->weight, FAN_IN, 1, &k->mean, &k->sd, NULL, NULL);
}

static void kl_by_monte_carlo(prior_case *k, double closed) {
    enum { N = 20000 };
    bnn_real *eps = reals_new(N);
    moments kl = {0};
    bnn_rng_normal(bnn_rng_seed(2), 0, 1, N, eps);
    for (int i = 0; i < N; i++) {
        double z = (double)eps[i], w = (double)k->mean + (double)k->sd * z;
        moments_add(&kl, -0.5 * z * z - log((double)k->sd) - 0.91893853320467274178 - logp(w, k));
    }
    ASSERT_CASE(fabs(moments_z(&kl, closed)) < MOST_Z, k, "KL %g, by Monte Carlo %g", closed, kl.mean);
    reals_free(eps);
}

static void has_right_kl(prior_case *k) {
    static const double qs[][2] = {{0, 0.9}, {0.7, 0.05}, {-2, 0.5}, {1, 2}};
    if (!k->type->kl_gaussian) return;
    for (size_t i = 0; i < sizeof qs / sizeof *qs; i++) {
        bnn_real dmean, dsd;
        k->mean = (bnn_real)qs[i][0], k->sd = (bnn_real)qs[i][1];
        double closed = k->type->kl_gaussian(&k->prior, k->weight, FAN_IN, 1, &k->mean, &k->sd, &dmean, &dsd),
               exact = bnn_integral(kl_integrand, k, -64, 64);
        ASSERT_CASE(closed >= -ROUNDING && fabs(closed - exact) < 10 * ROUNDING * (1 + exact), k, "KL %.12g, by quadrature %.12g", closed,
                    exact);
        kl_by_monte_carlo(k, closed);
        double slope_mean = bnn_difference(kl_value, k, &k->mean, NULL), slope_sd = bnn_difference(kl_value, k, &k->sd, NULL);
        ASSERT_CASE(fabs((double)dmean - slope_mean) < GRADIENT_TOLERANCE * (1 + fabs(slope_mean)), k, "dmean %.9g, differences %.9g",
                    (double)dmean, slope_mean);
        ASSERT_CASE(fabs((double)dsd - slope_sd) < GRADIENT_TOLERANCE * (1 + fabs(slope_sd)), k, "dsd %.9g, differences %.9g", (double)dsd,
                    slope_sd);
    }
}

START_TEST(closed_kl_is_that_of_quadrature) { for_all_cases(has_right_kl); }
END_TEST

START_TEST(kl_from_a_gaussian_to_itself_is_zero) {
    bnn_prior prior;
    bnn_real mean = 0, sd = 2, dmean, dsd;
    ck_assert_int_eq(bnn_prior_new("gauss:sd=2", &prior), BNN_OK);
    ck_assert_double_eq_tol(bnn_prior_vtable(&prior)->kl_gaussian(&prior, true, 1, 1, &mean, &sd, &dmean, &dsd), 0, 1e-15);
    ck_assert(dmean == 0 && dsd == 0);
    bnn_prior_free(&prior);
}
END_TEST

static void prints_to_the_same(prior_case *k) {
    bnn_prior again;
    char *once = bnn_object_print(&k->prior.object, true), *twice;
    ck_assert_msg(bnn_prior_new(once, &again) == BNN_OK, "%s: %s", once, bnn_error());
    twice = bnn_object_print(&again.object, true);
    ck_assert_str_eq(once, twice);
    free(once);
    free(twice);
    bnn_prior_free(&again);
}

START_TEST(printing_parses_to_the_same) { for_all_cases(prints_to_the_same); }
END_TEST

/* The mixture by direct summation in long double, whose exponents reach as far as |w| = 150. */
static long double mixture_sum(long double w, long double *slope) {
    const long double share[] = {0.25L, 0.75L}, sd[] = {1, 0.0025L}, root = 2.50662827463100050242L;
    long double sum = 0, weighted = 0;
    for (int c = 0; c < 2; c++) {
        long double part = share[c] / (sd[c] * root) * expl(-w * w / (2 * sd[c] * sd[c]));
        sum += part;
        weighted -= part * w / (sd[c] * sd[c]);
    }
    *slope = weighted / sum;
    return logl(sum);
}

START_TEST(mixtures_are_exact_at_all_scales) {
    bnn_prior prior;
    ck_assert_int_eq(bnn_prior_new("scale_mixture:pi=0.25,sd1=1,sd2=0.0025", &prior), BNN_OK);
    for (double at = 1e-30; at < 140; at *= 1.05) {
        bnn_real w = (bnn_real)at, dw;
        long double slope, exact = mixture_sum(w, &slope);
        double l = bnn_prior_vtable(&prior)->logp(&prior, true, 1, 1, &w, &dw);
        ck_assert_msg(fabs(l - (double)exact) <= ROUNDING * (1 + fabs((double)exact)), "log p(%g) is %.12g, not %.12Lg", at, l, exact);
        ck_assert_msg(fabs((double)(dw - slope)) <= 10 * ROUNDING * fabs((double)slope), "d log p(%g) is %.12g, not %.12Lg", at, (double)dw,
                      slope);
    }
    for (double at = 1e3; at < 1e18; at *= 10) { /* the wide component alone */
        bnn_real w = (bnn_real)at, dw;
        double l = bnn_prior_vtable(&prior)->logp(&prior, true, 1, 1, &w, &dw);
        ck_assert_msg(isfinite(l) && fabs(l / (-0.5 * (double)w * (double)w) - 1) < 1e-4 && fabs((double)dw / -(double)w - 1) < ROUNDING,
                      "log p(%g) is %g, slope %g", at, l, (double)dw);
    }
    bnn_prior_free(&prior);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {densities_integrate_to_one,
                                  gradients_are_those_of_differences,
                                  draws_follow_the_density,
                                  texts_mean_their_sd,
                                  slopes_of_scales_are_those_of_differences,
                                  precisions_are_gamma_distributed,
                                  marginals_are_student_t,
                                  groups_are_kernels_or_their_inputs,
                                  closed_kl_is_that_of_quadrature,
                                  kl_from_a_gaussian_to_itself_is_zero,
                                  printing_parses_to_the_same,
                                  mixtures_are_exact_at_all_scales,
                                  NULL};
    return run_tests("priors", tests);
}
