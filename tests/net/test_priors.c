/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_priors.c: closed forms of the hierarchical prior, and the extremes of the mixture. What every prior has to keep is asked of it by
 * conform.c.
 */
#include "helpers.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_randist.h>
#include <math.h>
#include <stdlib.h>

static const bnn_prior_block blocks[] = {{.name = "kernel", .weight = true, .rows = 4, .cols = 3, .fan_in = 4, .inputs = 4},
                                         {.name = "bias", .cols = 5, .fan_in = 4}};

typedef struct {
    const bnn_prior *prior;
    const bnn_prior_block *block;
    double w;
} scale_case;

static double logp_of_scale(double s, void *of) {
    const scale_case *k = of;
    double slope;
    return bnn_prior_vtable(k->prior)->logp_scale(k->prior, k->block, s, &slope);
}

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

static double entropy_of_scale(double s, void *of) {
    double l = logp_of_scale(s, of);
    return l > -700 ? -l * exp(l) : 0;
}

/* Draws have the mean log density of the density, and its mass below where that says something. */
static void draws_scales_from_itself(const scale_case *k) {
    enum { N = 20000, FROM = -8, TO = 8 };
    moments surprise = {0}, low[TO - FROM] = {{0}};
    int told = 0;
    for (int i = 0; i < N; i++) {
        double s = bnn_prior_vtable(k->prior)->draw_scale(k->prior, k->block, bnn_rng_split(bnn_rng_seed(3), (uint64_t)i));
        moments_add(&surprise, -logp_of_scale(s, (void *)k));
        for (int at = FROM; at < TO; at++) moments_add(&low[at - FROM], s < at);
    }
    double z = moments_z(&surprise, bnn_integral(entropy_of_scale, (void *)k, -64, 64));
    for (int at = FROM; fabs(z) < MOST_Z && at < TO; at++) {
        double p = bnn_integral(density_of_scale, (void *)k, -64, at);
        if (p < 0.01 || p > 0.99) continue;
        z = moments_z(&low[at - FROM], p);
        told++;
    }
    ck_assert_msg(fabs(z) < MOST_Z && told > 1, "%s of %s: z is %g, of %d shares", k->prior->object.type->name, k->block->name, z, told);
}

START_TEST(draws_of_scales_follow_their_density) {
    int n = 0;
    for (const bnn_type *t = NULL; (t = bnn_type_next(BNN_PRIOR, t));)
        for (int s = 0; ((const bnn_prior_type *)t)->draw_scale && t->checks[s]; s++)
            for (int b = 0; b < 2; b++, n++) {
                bnn_prior prior;
                ck_assert_msg(bnn_prior_new(t->checks[s], &prior) == BNN_OK, "%s: %s", t->checks[s], bnn_error());
                draws_scales_from_itself(&(scale_case){.prior = &prior, .block = &blocks[b]});
                bnn_prior_free(&prior);
            }
    ck_assert_int_gt(n, 0);
}
END_TEST

static double joint(double s, void *of) {
    const scale_case *k = of;
    bnn_real z = (bnn_real)(k->w * exp(-0.5 * s));
    return exp(bnn_prior_vtable(k->prior)->logp(k->prior, k->block, 1, &z, NULL) - 0.5 * s + logp_of_scale(s, of));
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
        double l = bnn_prior_vtable(&prior)->logp(&prior, &(bnn_prior_block){.weight = true, .fan_in = 1}, 1, &w, &dw);
        ck_assert_msg(fabs(l - (double)exact) <= ROUNDING * (1 + fabs((double)exact)), "log p(%g) is %.12g, not %.12Lg", at, l, exact);
        ck_assert_msg(fabs((double)(dw - slope)) <= 10 * ROUNDING * fabs((double)slope), "d log p(%g) is %.12g, not %.12Lg", at, (double)dw,
                      slope);
    }
    for (double at = 1e3; at < 1e18; at *= 10) { /* the wide component alone */
        bnn_real w = (bnn_real)at, dw;
        double l = bnn_prior_vtable(&prior)->logp(&prior, &(bnn_prior_block){.weight = true, .fan_in = 1}, 1, &w, &dw);
        ck_assert_msg(isfinite(l) && fabs(l / (-0.5 * (double)w * (double)w) - 1) < 1e-4 && fabs((double)dw / -(double)w - 1) < ROUNDING,
                      "log p(%g) is %g, slope %g", at, l, (double)dw);
    }
    bnn_prior_free(&prior);
}
END_TEST

/* The density at 0 of a Gaussian is 1 / (sd sqrt(2 pi)), which tells the sd that a text means. */
START_TEST(texts_mean_their_sd) {
    enum { FAN_IN = 9 };
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
        const bnn_real zero = 0;
        bnn_prior prior;
        ck_assert_int_eq(bnn_prior_new(cases[i].spec, &prior), BNN_OK);
        const bnn_prior_type *type = bnn_prior_vtable(&prior);
        const bnn_prior_block block = {.weight = cases[i].weight, .fan_in = FAN_IN};
        double sd = exp(-type->logp(&prior, &block, 1, &zero, NULL)) / sqrt(2 * M_PI);
        ck_assert_msg(fabs(sd / cases[i].sd - 1) < ROUNDING, "%s: sd %.9g, not %.9g", cases[i].spec, sd, cases[i].sd);
        ck_assert(!type->sd || type->sd(&prior, &block) == cases[i].sd);
        bnn_prior_free(&prior);
    }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {texts_mean_their_sd,
                                  precisions_are_gamma_distributed,
                                  draws_of_scales_follow_their_density,
                                  marginals_are_student_t,
                                  groups_are_kernels_or_their_inputs,
                                  mixtures_are_exact_at_all_scales,
                                  NULL};
    return run_tests("priors", tests);
}
