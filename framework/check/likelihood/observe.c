/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * observe.c: observe, draw, noise_sd and marginal against the density that nll is the logarithm of.
 */
#include "likelihood.h"

#include <gsl/gsl_cdf.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- log p, and what is wanted */

static void compare_alone(bnn_checker *c, const char *name, size_t bytes, const void *alone, const void *kept) {
    if (memcmp(alone, kept, bytes) != 0) bnn_checker_break(c, "observe makes another %s where that alone is wanted", name);
}

/* Each output alone, without y where it may be missing: the same bits. */
static bnn_status each_alone(bnn_checker *c, bnn_likelihood_case *k) {
    size_t n = (size_t)k->n, dim = n * (size_t)k->dim, pit = n * (size_t)k->l.pit_dim;
    double *logp = malloc(n * sizeof *logp);
    bnn_real *all = malloc((2 * dim + pit) * sizeof *all), *mean = all, *var = all + dim;
    if (logp && all) {
        memcpy(mean, k->mean, dim * sizeof *all), memcpy(var, k->var, dim * sizeof *all), memcpy(logp, k->logp, n * sizeof *logp);
        if (pit) memcpy(var + dim, k->pit, pit * sizeof *all);
        k->type->observe(&k->l, k->n, k->f, NULL, k->theta, &(bnn_observation){.mean = k->mean});
        k->type->observe(&k->l, k->n, k->f, NULL, k->theta, &(bnn_observation){.var = k->var});
        k->type->observe(&k->l, k->n, k->f, k->y, k->theta, &(bnn_observation){.logp = k->logp});
        compare_alone(c, "mean", dim * sizeof *all, k->mean, mean);
        compare_alone(c, "var", dim * sizeof *all, k->var, var);
        compare_alone(c, "logp", n * sizeof *logp, k->logp, logp);
        if (pit) k->type->observe(&k->l, k->n, k->f, k->y, k->theta, &(bnn_observation){.pit = k->pit});
        if (pit) compare_alone(c, "pit", pit * sizeof *all, k->pit, var + dim);
    }
    bool ok = logp && all;
    free(logp), free(all);
    return ok ? BNN_OK : bnn_oom("a rule");
}

bnn_status bnn_likelihood_observe(bnn_checker *c, void *of) {
    bnn_likelihood_case *k = of;
    bnn_likelihood_call(k, BNN_OBSERVE);
    for (int i = 0; i < k->n; i++) {
        double logp = bnn_case_logp(k, i, k->y + i * k->l.y_dim);
        char guess[BNN_GUESS_TEXT];
        if (!(fabs(k->logp[i] - logp) <= 10 * ROUNDING * (1 + fabs(logp))))
            bnn_checker_break(c, "observe makes logp[%d] %.6g, nll says %.6g%s", i, k->logp[i], logp,
                              bnn_ratio_guess(k->logp[i], logp, NAN, k->l.y_dim, guess));
    }
    return each_alone(c, k);
}

/* ---------------------------------------------------------------- moments */

/* Power of the distance of one target from a centre. */
typedef struct {
    bnn_target target;
    double centre;
    int power;
} moment;

static double moment_at(double y, void *of) {
    moment *m = of;
    double p = bnn_target_density(y, &m->target);
    return p > 0 ? p * pow(y - m->centre, m->power) : 0;
}

static double moment_of(bnn_target target, double centre, int power) {
    return bnn_integral_line(moment_at, &(moment){target, centre, power}, -INFINITY, INFINITY);
}

/* The second moment within +-10^power, or with a first power the mean of |y|. */
typedef struct {
    bnn_target target;
    int power;
} absolute;

static double absolute_at(double y, void *of) {
    absolute *m = of;
    double p = bnn_target_density(y, &m->target);
    return p > 0 ? p * pow(fabs(y), m->power) : 0;
}

static bool grows(bnn_target target, int power) {
    absolute m = {target, power};
    double part[2] = {0};
    for (int i = 0; i < 2; i++) {
        double from = i ? 1e5 : 1e4, to = 10 * from;
        part[i] = bnn_integral_line(absolute_at, &m, from, to) + bnn_integral_line(absolute_at, &m, -to, -from);
    }
    return part[1] > 0.99 * part[0] && part[1] > 1e-6;
}

/* Returns that of the density. */
static double compare_mean(bnn_checker *c, const bnn_likelihood_case *k, bnn_target target) {
    double mean = moment_of(target, 0, 1), is = (double)k->mean[target.d];
    char guess[BNN_GUESS_TEXT];
    if (!(fabs(is - mean) <= 10 * ROUNDING * (1 + fabs(mean))))
        bnn_checker_break(c, "observe makes mean[%d] %.6g, the density has %.6g%s", target.d, is, mean,
                          bnn_ratio_guess(is, mean, NAN, 0, guess));
    return mean;
}

/* A variance of inf or NaN promises that the density has none; the mean is then asked for where there is one. */
static void check_promise(bnn_checker *c, const bnn_likelihood_case *k, int d) {
    bnn_target target = {k, d};
    if (!grows(target, 2)) bnn_checker_break(c, "observe makes var[%d] %g, but the density has a variance", d, (double)k->var[d]);
    if (!isfinite((double)k->mean[d])) bnn_checker_break(c, "observe makes mean[%d] %g", d, (double)k->mean[d]);
    if (grows(target, 1)) return;
    compare_mean(c, k, target);
}

static void compare_with_density(bnn_checker *c, const bnn_likelihood_case *k, int d) {
    char guess[BNN_GUESS_TEXT];
    bnn_target target = {k, d};
    if (!isfinite((double)k->var[d])) {
        check_promise(c, k, d);
        return;
    }
    double mean = compare_mean(c, k, target), var = moment_of(target, mean, 2);
    if (!(fabs((double)k->var[d] - var) <= 10 * ROUNDING * (1 + var)))
        bnn_checker_break(c, "observe makes var[%d] %.6g, the density has the variance %.6g%s", d, (double)k->var[d], var,
                          bnn_spread_guess((double)k->var[d], var, 0, 1e-3, guess));
}

static void compare_with_class(bnn_checker *c, const bnn_likelihood_case *k, int y) {
    double p = bnn_class_probability(k, y);
    if (!(fabs((double)k->mean[y] - p) <= 10 * ROUNDING))
        bnn_checker_break(c, "observe makes the probability of class %d %.6g, exp(-nll) is %.6g", y, (double)k->mean[y], p);
    if (k->var[y] != 0) bnn_checker_break(c, "observe makes var[%d] %.6g: there is none of class probabilities", y, (double)k->var[y]);
}

/* Of many targets the means and variances of draws, where there are any. */
static bnn_status compare_with_draws(bnn_checker *c, const bnn_likelihood_case *k) {
    enum { N = 40000 };
    int dim = k->l.y_dim;
    bnn_real *y = bnn_guarded_new((size_t)N * (size_t)dim);
    bnn_status s = y ? bnn_case_draw_many(k, 4, N, y) : bnn_oom("a rule");
    for (int d = 0; s == BNN_OK && d < dim && isfinite((double)k->var[d]); d++) {
        moments m = {0}, m2 = {0};
        char guess[BNN_GUESS_TEXT];
        for (int i = 0; i < N; i++) {
            double away = (double)y[i * dim + d] - (double)k->mean[d];
            moments_add(&m, away), moments_add(&m2, away * away);
        }
        if (!(fabs(moments_z(&m, 0)) <= MOST_Z))
            bnn_checker_break(c, "observe makes mean[%d] %.6g, %d draws have %.6g (standard error %.2g)", d, (double)k->mean[d], N,
                              (double)k->mean[d] + m.mean, sqrt(moments_var(&m) / N));
        if (!(fabs(moments_z(&m2, (double)k->var[d])) <= MOST_Z))
            bnn_checker_break(c, "observe makes var[%d] %.6g, %d draws have %.6g (standard error %.2g)%s", d, (double)k->var[d], N, m2.mean,
                              sqrt(moments_var(&m2) / N), bnn_ratio_guess((double)k->var[d], m2.mean, NAN, 0, guess));
    }
    bnn_guarded_free(y);
    return s;
}

bnn_status bnn_likelihood_moments(bnn_checker *c, void *of) {
    bnn_likelihood_case *k = of;
    k->type->observe(&k->l, 1, k->f, NULL, k->theta, &(bnn_observation){.mean = k->mean, .var = k->var});
    if (k->l.y_dim > 2) return compare_with_draws(c, k);
    for (int d = 0; d < k->dim; d++) (k->is_class ? compare_with_class : compare_with_density)(c, k, d);
    return BNN_OK;
}

/* ---------------------------------------------------------------- pit */

bnn_status bnn_likelihood_pit(bnn_checker *c, void *of) {
    bnn_likelihood_case *k = of;
    if (k->l.pit_dim == 0) {
        bnn_checker_skip(c, "there is no continuous distribution function: pit_dim is 0");
        return BNN_OK;
    }
    if (k->l.y_dim > 2) {
        bnn_checker_skip(c, "more than two targets");
        return BNN_OK;
    }
    k->type->draw(&k->l, 1, k->f, k->theta, bnn_rng_seed(4), 0, k->drawn);
    k->type->observe(&k->l, 1, k->f, k->drawn, k->theta, &(bnn_observation){.pit = k->pit});
    for (int d = 0; d < k->l.pit_dim; d++) {
        double is = k->pit[d], should = bnn_integral_line(bnn_target_density, &(bnn_target){k, d}, -INFINITY, (double)k->drawn[d]);
        if (!(fabs(is - should) <= 10 * ROUNDING))
            bnn_checker_break(c, "pit[%d] is %.6g, the probability of a smaller y is %.6g%s", d, is, should,
                              fabs(1 - is - should) <= 10 * ROUNDING ? " (the other tail?)" : "");
    }
    return BNN_OK;
}

/* ---------------------------------------------------------------- draws */

static void count_classes(bnn_checker *c, bnn_likelihood_case *k, int n, const double *x) {
    double chi_square = 0;
    for (int y = 0; y < k->l.n_classes; y++) {
        double expected = n * bnn_class_probability(k, y), seen = 0;
        for (int s = 0; s < n; s++) seen += x[s] == y;
        chi_square += pow(seen - expected, 2) / fmax(expected, 1);
    }
    double p = gsl_cdf_chisq_Q(chi_square, k->l.n_classes - 1);
    if (!(p >= 1e-6))
        bnn_checker_break(c, "%d draws of the classes do not follow exp(-nll): chi-square is %.4g with %d degrees of freedom (p = %.2g)", n,
                          chi_square, k->l.n_classes - 1, p);
}

bnn_status bnn_likelihood_draws(bnn_checker *c, void *of) {
    bnn_likelihood_case *k = of;
    int dim = k->l.y_dim, n = dim == 1 ? 100000 : 20000; /* of two targets the density is an integral */
    if (dim > 2) {
        bnn_checker_skip(c, "more than two targets: `together` asks for their draws");
        return BNN_OK;
    }
    double *x = malloc((size_t)n * sizeof *x);
    bnn_real *y = bnn_guarded_new((size_t)n * (size_t)dim);
    bnn_status s = x && y ? bnn_case_draw_many(k, 0, n, y) : bnn_oom("a rule");
    for (int d = 0; s == BNN_OK && d < dim; d++) {
        for (int i = 0; i < n; i++) x[i] = (double)y[i * dim + d];
        if (k->is_class)
            count_classes(c, k, n, x);
        else
            bnn_check_draws(c, bnn_target_density, &(bnn_target){k, d}, 0, n, x);
    }
    free(x), bnn_guarded_free(y);
    return s;
}

/* ---------------------------------------------------------------- noise */

bnn_status bnn_likelihood_noise(bnn_checker *c, void *of) {
    bnn_likelihood_case *k = of;
    bool log_var = k->type->type.caps & BNN_LOG_VARIANCE && k->l.n_theta > 0;
    double sd = k->type->noise_sd ? k->type->noise_sd(&k->l, k->theta) : NAN;
    char guess[BNN_GUESS_TEXT];
    if (isnan(sd) && !log_var) {
        bnn_checker_skip(c, "there is no noise_sd that is one number, and no LOG_VARIANCE");
        return BNN_OK;
    }
    k->type->observe(&k->l, 1, k->f, NULL, k->theta, &(bnn_observation){.mean = k->mean, .var = k->var});
    for (int d = 0; d < k->dim; d++) {
        double var = k->var[d], own = log_var ? exp((double)k->theta[d]) : var;
        if (!isnan(sd) && !(fabs(sd - sqrt(var)) <= 10 * ROUNDING * (1 + sd)))
            bnn_checker_break(c, "noise_sd is %.6g, the sd of y[%d] %.6g%s", sd, d, sqrt(var),
                              bnn_spread_guess(sd, sqrt(var), 0, 1e-3, guess));
        if (!(fabs(own - var) <= 10 * ROUNDING * (1 + var)))
            bnn_checker_break(c, "LOG_VARIANCE, but exp(theta[%d]) is %.6g where the variance is %.6g%s", d, own, var,
                              bnn_spread_guess(own, var, 0, 1e-3, guess));
        if (log_var && k->mean[d] != k->f[d])
            bnn_checker_break(c, "LOG_VARIANCE, but the mean %.6g is not the output %.6g", (double)k->mean[d], (double)k->f[d]);
    }
    return BNN_OK;
}

/* ---------------------------------------------------------------- averages over f */

enum { MEAN, EPISTEMIC, ALEATORIC, PIT, LOGP, N_AVERAGES };
static const char *const average_names[] = {"mean", "var_epistemic", "var_aleatoric", "pit", "logp"};

/* Reads the answer of `marginal` to row i, target or class d. */
static double said(const bnn_likelihood_case *k, int what, int i, int d) {
    size_t all = (size_t)(k->n * k->dim);
    return what == LOGP ? k->averages[4 * all + (size_t)i] : k->averages[(size_t)what * all + (size_t)(i * k->dim + d)];
}

/* f[n, out] ~ N(mean, cov): by Cholesky, one row after the other. */
static void draw_outputs(const bnn_likelihood_case *k, const double *mean, const double *root, bnn_rng rng, bnn_real *f) {
    int out = k->out;
    bnn_rng_normal(rng, 0, k->n, out, f);
    for (int i = 0; i < k->n; i++)
        for (int a = out - 1; a >= 0; a--) {
            double sum = mean[i * out + a];
            for (int b = 0; b <= a; b++) sum += root[(i * out + a) * out + b] * (double)f[i * out + b];
            f[i * out + a] = (bnn_real)sum;
        }
}

/* The lower root of each cov[out, out], in place. */
static void take_roots(const bnn_likelihood_case *k, double *cov) {
    int out = k->out;
    for (int i = 0; i < k->n; i++, cov += out * out)
        for (int a = 0; a < out; a++)
            for (int b = 0; b <= a; b++) {
                double sum = cov[a * out + b];
                for (int j = 0; j < b; j++) sum -= cov[a * out + j] * cov[b * out + j];
                cov[a * out + b] = a == b ? sqrt(sum) : sum / cov[b * out + b];
            }
}

/* Moments for every row and target: p(y | f), E[y | f] and Var[y | f], pit, over draws of f. */
typedef struct {
    moments density, mean, squares, var, pit;
} averaged;

static void sample_outputs(bnn_likelihood_case *k, const double *mean, const double *root, const double *centre, averaged *a) {
    enum { SAMPLES = 4000 };
    for (uint64_t s = 0; s < SAMPLES; s++) {
        draw_outputs(k, mean, root, bnn_rng_split(bnn_rng_seed(12), s), k->f);
        bnn_likelihood_call(k, BNN_OBSERVE);
        for (int i = 0; i < k->n * k->dim; i++) {
            moments_add(&a[i].density, exp(k->logp[i / k->dim]));
            moments_add(&a[i].mean, (double)k->mean[i]);
            moments_add(&a[i].squares, pow((double)k->mean[i] - centre[i], 2));
            moments_add(&a[i].var, (double)k->var[i]);
            if (k->l.pit_dim > 0) moments_add(&a[i].pit, (double)k->pit[i]);
        }
    }
}

/* A mean over draws of f against what marginal says; a constant has no standard error. */
static void compare_average(bnn_checker *c, const char *name, int i, double is, const moments *m) {
    double error = sqrt(moments_var(m) / m->n), tolerance = bnn_most_z(100) * error + 10 * ROUNDING * (1 + fabs(m->mean));
    char guess[BNN_GUESS_TEXT];
    if (!(fabs(is - m->mean) <= tolerance))
        bnn_checker_break(c, "marginal makes %s[%d] %.6g, the average over f is %.6g (standard error %.2g)%s", name, i, is, m->mean, error,
                          bnn_ratio_guess(is, m->mean, NAN, 0, guess));
}

static void compare_averages(bnn_checker *c, const bnn_likelihood_case *k, const averaged *a) {
    static const double probit_error = 0.025;
    for (int i = 0; i < k->n; i++)
        for (int d = 0; d < k->dim; d++) {
            int at = i * k->dim + d;
            if (k->is_class) {
                if (!(fabs(said(k, MEAN, i, d) - a[at].mean.mean) <= probit_error))
                    bnn_checker_break(c, "marginal makes the probability of class %d in row %d %.4g, the average over f is %.4g", d, i,
                                      said(k, MEAN, i, d), a[at].mean.mean);
                continue;
            }
            compare_average(c, average_names[MEAN], at, said(k, MEAN, i, d), &a[at].mean);
            compare_average(c, average_names[EPISTEMIC], at, said(k, EPISTEMIC, i, d), &a[at].squares);
            compare_average(c, average_names[ALEATORIC], at, said(k, ALEATORIC, i, d), &a[at].var);
            if (k->l.pit_dim > 0) compare_average(c, average_names[PIT], at, said(k, PIT, i, d), &a[at].pit);
            if (d == 0) compare_average(c, "exp(logp)", i, exp(said(k, LOGP, i, d)), &a[at].density);
        }
}

/* log p is that of the class probabilities, which sum to 1. */
static void compare_probabilities(bnn_checker *c, const bnn_likelihood_case *k) {
    for (int i = 0; k->is_class && i < k->n; i++) {
        double sum = 0, logp = log(said(k, MEAN, i, (int)k->y[i]));
        for (int d = 0; d < k->dim; d++) sum += said(k, MEAN, i, d);
        if (!(fabs(sum - 1) <= 10 * ROUNDING)) bnn_checker_break(c, "marginal makes the probabilities of row %d sum to %.6g", i, sum);
        if (!(fabs(said(k, LOGP, i, 0) - logp) <= 10 * ROUNDING * (1 + fabs(logp))))
            bnn_checker_break(c, "marginal makes logp[%d] %.6g, the probability of its class %.6g", i, said(k, LOGP, i, 0), logp);
    }
}

/* p(y | f) N(f; mean, cov) of one row, to be integrated over e of f = mean + root e, for one or two outputs. */
typedef struct {
    bnn_likelihood_case *k;
    int row;
    const double *mean, *root; /* [out], [out, out] lower */
    double e[2];
} smoothed;

static double at_noise(const smoothed *s) {
    int out = s->k->out;
    double squares = 0;
    for (int a = 0; a < out; a++) {
        double f = s->mean[a];
        for (int b = 0; b <= a; b++) f += s->root[a * out + b] * s->e[b];
        s->k->f[s->row * out + a] = (bnn_real)f;
        squares += s->e[a] * s->e[a];
    }
    return exp(bnn_case_logp(s->k, s->row, s->k->y + s->row * s->k->l.y_dim) - 0.5 * squares - out * 0.91893853320467274178);
}

static double along_last(double e, void *of) {
    smoothed *s = of;
    s->e[s->k->out - 1] = e;
    return at_noise(s);
}

static double along_first(double e, void *of) {
    smoothed *s = of;
    s->e[0] = e;
    return bnn_integral(along_last, s, -12, 12);
}

static void compare_quadrature(bnn_checker *c, bnn_likelihood_case *k, const double *mean, const double *root) {
    int out = k->out;
    int rows = k->is_class || out > 2 ? 0 : out == 2 ? 1 : k->n; /* a row of two outputs takes as long as a hundred of one */
    for (int i = 0; i < rows; i++) {
        smoothed s = {.k = k, .row = i, .mean = mean + i * out, .root = root + i * out * out};
        double is = said(k, LOGP, i, 0), exact = log(bnn_integral(out == 1 ? along_last : along_first, &s, -12, 12));
        if (!(fabs(is - exact) <= 10 * ROUNDING * (1 + fabs(exact))))
            bnn_checker_break(c, "marginal makes logp[%d] %.6g, quadrature over f says %.6g%s", i, is, exact,
                              fabs(is - k->logp[i]) <= 10 * ROUNDING * (1 + fabs(is)) ? " (that of f at its mean: is cov used?)" : "");
    }
}

/* Without variance of f marginal is observe. */
static void compare_limit(bnn_checker *c, bnn_likelihood_case *k) {
    for (int i = 0; i < k->n * k->out; i++) k->f_mean[i] = (double)k->f[i];
    memset(k->f_cov, 0, (size_t)(k->n * k->out * k->out) * sizeof *k->f_cov);
    bnn_likelihood_call(k, BNN_MARGINAL), bnn_likelihood_call(k, BNN_OBSERVE);
    for (int i = 0; i < k->n * k->dim; i++) {
        const double is[] = {said(k, MEAN, i / k->dim, i % k->dim), said(k, LOGP, i / k->dim, 0)};
        const double should[] = {(double)k->mean[i], k->logp[i / k->dim]};
        for (int j = 0; j < 2; j++)
            if (!(fabs(is[j] - should[j]) <= 10 * ROUNDING * (1 + fabs(should[j]))))
                bnn_checker_break(c, "marginal without variance of f makes %s[%d] %.6g, observe %.6g", j ? "logp" : "mean",
                                  j ? i / k->dim : i, is[j], should[j]);
    }
}

bnn_status bnn_likelihood_marginal(bnn_checker *c, void *of) {
    bnn_likelihood_case *k = of;
    size_t outputs = (size_t)(k->n * k->out);
    if (!k->type->marginal) {
        bnn_checker_skip(c, "there is no marginal hook");
        return BNN_OK;
    }
    double *mean = malloc((1 + (size_t)k->out) * outputs * sizeof *mean), *root = mean + outputs;
    averaged *a = calloc((size_t)(k->n * k->dim), sizeof *a);
    bnn_status s = mean && a ? BNN_OK : bnn_oom("a rule");
    if (s == BNN_OK) {
        compare_limit(c, k);
        bnn_case_fill_outputs(k);
        memcpy(mean, k->f_mean, outputs * sizeof *mean);
        memcpy(root, k->f_cov, outputs * (size_t)k->out * sizeof *root);
        take_roots(k, root);
        bnn_likelihood_call(k, BNN_MARGINAL);
        compare_probabilities(c, k);
        compare_quadrature(c, k, mean, root);
        sample_outputs(k, mean, root, k->averages, a);
        compare_averages(c, k, a);
    }
    free(mean), free(a);
    return s;
}
