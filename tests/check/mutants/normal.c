/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * normal: real targets with Gaussian noise. MUTANT 0 is right, each other one has one fault.
 *
 *   -log p(y | f) = sum_k (y_k - f_k)^2 e^-s_k / 2 + s_k / 2 + log(2 pi) / 2             f, y [n, y_dim]
 *
 * s is the log variance of standardised y: of the fixed sd, which is in the units of y, or, with sd = 0, theta, whose prior is N(0,
 * width^2).
 */
#include <bnn/likelihood.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    double sd, width;
} conf;

#if MUTANT == 25
#define WIDTH_AT offsetof(conf, sd)
#else
#define WIDTH_AT offsetof(conf, width)
#endif

static const bnn_option options[] = {{.name = "sd",
                                      .kind = BNN_OPTION_REAL,
                                      .offset = offsetof(conf, sd),
                                      .preset = "0",
                                      .min = 0,
                                      .max = 1e6,
                                      .help = "of the noise, in the units of y; 0: learned"},
                                     {.name = "width",
                                      .kind = BNN_OPTION_REAL,
                                      .offset = WIDTH_AT,
                                      .preset = "2",
                                      .min = 1e-3,
                                      .max = 1e3,
                                      .help = "of the prior of a learned log variance"},
                                     {0}};

static const double half_log_2pi = 0.91893853320467274178;

static bnn_status bind(bnn_likelihood *l) {
    conf *c = l->object.conf;
#if MUTANT == 28
    if (l->n_classes > 0) return BNN_ERR_SHAPE;
#else
    if (l->n_classes > 0) return bnn_fail(BNN_ERR_SHAPE, "needs real targets, but the data have %d classes", l->n_classes);
#endif
    if (l->y_dim > 4) return bnn_fail(BNN_ERR_SHAPE, "takes up to 4 targets, but the data have %d", l->y_dim);
    l->out_dim = l->mean_dim = l->pit_dim = l->y_dim;
    l->n_theta = c->sd > 0 ? 0 : l->y_dim;
#if MUTANT == 26
    c->width *= 2;
#elif MUTANT == 27
    l->mean_dim = 1;
#endif
    for (int k = 0; k < l->y_dim; k++)
#if MUTANT == 6
        l->data[k] = 2 * log(c->sd);
#elif MUTANT == 7
        l->data[k] = 2 * log(c->sd) - log(l->y_sd[k]);
#elif MUTANT == 8
        l->data[k] = c->sd > 0 ? 2 * log(c->sd / l->y_sd[k]) : -2 * log(l->y_sd[k]);
#else
        l->data[k] = 2 * log(c->sd / l->y_sd[k]);
#endif
    return BNN_OK;
}

static double log_var(const bnn_likelihood *l, const bnn_real *theta, int k) {
#if MUTANT == 8
    return l->n_theta ? (double)theta[k] + l->data[k] : l->data[k];
#elif MUTANT == 18
    static double kept[4];
    if (kept[k] == 0) kept[k] = l->n_theta ? theta[k] : l->data[k];
    double s = kept[k];
    kept[k] = l->n_theta ? theta[k] : l->data[k];
    return s;
#elif MUTANT == 30
    return l->n_theta ? 2 * (double)theta[k] : l->data[k];
#else
    return l->n_theta ? theta[k] : l->data[k];
#endif
}

/* -log p of one target. */
static double surprise(double e, double s) {
#if MUTANT == 1
    return 0.5 * (e * e * exp(-s) + s);
#elif MUTANT == 29
    return -log(exp(-0.5 * (e * e * exp(-s) + s) - half_log_2pi));
#else
    return 0.5 * (e * e * exp(-s) + s) + half_log_2pi;
#endif
}

static double nll(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta, double scale, bnn_real *df,
                  bnn_real *dtheta) {
    int d = l->y_dim;
    double total = 0, own[4] = {0};
#if MUTANT == 30
    const double inner = 2;
#else
    const double inner = 1;
#endif
#if MUTANT == 19
    void *volatile room = malloc(8);
    free(room);
#endif
    for (int i = 0; i < n * d; i++) {
        double s = log_var(l, theta, i % d), e = (double)f[i] - (double)y[i], slope = e * exp(-s);
        total += surprise(e, s);
#if MUTANT == 15
        own[i % d] += inner * (1 - e * slope);
#else
        own[i % d] += inner * 0.5 * (1 - e * slope);
#endif
        if (!df) continue;
#if MUTANT == 3
        df[i] = (bnn_real)slope;
#elif MUTANT == 5
        df[i] += (bnn_real)(scale * slope);
#else
        df[i] = (bnn_real)(scale * slope);
#endif
    }
#if MUTANT == 17
    if (df) df[n * d] = 0;
#endif
    for (int k = 0; dtheta && k < l->n_theta; k++)
#if MUTANT == 4
        dtheta[k] = (bnn_real)(scale * own[k]);
#else
        dtheta[k] += (bnn_real)(scale * own[k]);
#endif
#if MUTANT == 21
    return n > 0 ? total / n : 0;
#else
    return total;
#endif
}

static void observe(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta,
                    const bnn_observation *out) {
    int d = l->y_dim;
    for (int i = 0; out->logp && i < n; i++) out->logp[i] = 0;
    for (int i = 0; i < n * d; i++) {
        double s = log_var(l, theta, i % d), e = y ? (double)y[i] - (double)f[i] : 0;
        if (out->mean) out->mean[i] = f[i];
#if MUTANT == 2
        if (out->var) out->var[i] = (bnn_real)exp(0.5 * s);
#else
        if (out->var) out->var[i] = (bnn_real)exp(s);
#endif
#if MUTANT == 16
        if (out->logp) out->logp[i / d] -= surprise(e, s) / d;
#else
        if (out->logp) out->logp[i / d] -= surprise(e, s);
#endif
#if MUTANT == 9
        if (out->pit) out->pit[i] = (bnn_real)(0.5 * erfc(e * exp(-0.5 * s) / sqrt(2)));
#else
        if (out->pit) out->pit[i] = (bnn_real)(0.5 * erfc(-e * exp(-0.5 * s) / sqrt(2)));
#endif
    }
}

static void draw(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *theta, bnn_rng rng, uint64_t row0, bnn_real *y) {
    int d = l->y_dim;
#if MUTANT == 11
    row0 = 0;
#elif MUTANT == 12
    row0 = (uint32_t)row0;
#endif
    bnn_rng_normal(rng, row0, n, d, y);
#if MUTANT == 10
    for (int i = 0; i < n * d; i++) y[i] = f[i] + (bnn_real)exp(log_var(l, theta, i % d)) * y[i];
#else
    for (int i = 0; i < n * d; i++) y[i] = f[i] + (bnn_real)exp(0.5 * log_var(l, theta, i % d)) * y[i];
#endif
}

static void init(const bnn_likelihood *l, bnn_real *theta) {
#if MUTANT == 20
    if (l->n_theta > 0) theta[0] = -1;
#else
    for (int k = 0; k < l->n_theta; k++) theta[k] = -1;
#endif
}

static double noise_sd(const bnn_likelihood *l, const bnn_real *theta) {
#if MUTANT == 22
    return l->y_dim == 1 ? exp(log_var(l, theta, 0)) : NAN;
#else
    return l->y_dim == 1 ? exp(0.5 * log_var(l, theta, 0)) : NAN;
#endif
}

static double logp(const bnn_likelihood *l, const bnn_real *theta, double scale, bnn_real *dtheta) {
    const conf *c = l->object.conf;
    double total = 0;
    for (int k = 0; k < l->n_theta; k++) {
        double z = (double)theta[k] / c->width;
#if MUTANT == 23
        if (dtheta) dtheta[k] += (bnn_real)(scale * z / c->width);
#else
        if (dtheta) dtheta[k] -= (bnn_real)(scale * z / c->width);
#endif
#if MUTANT == 24
        total -= 0.5 * z * z;
#else
        total -= 0.5 * z * z + log(c->width) + half_log_2pi;
#endif
    }
    return total;
}

static void curvature(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *theta, bnn_real *root) {
    int d = l->y_dim;
    (void)f;
    memset(root, 0, (size_t)n * (size_t)(d * d) * sizeof *root);
    for (int i = 0; i < n * d; i++)
#if MUTANT == 14
        root[i * d + i % d] = (bnn_real)sqrt(0.5 * exp(-log_var(l, theta, i % d)));
#else
        root[i * d + i % d] = (bnn_real)exp(-0.5 * log_var(l, theta, i % d));
#endif
}

/* y ~ N(mean, cov + diag noise), target by target given those before it. */
static void marginal(const bnn_likelihood *l, int n, double *mean, double *cov, const bnn_real *y, const bnn_real *theta,
                     const bnn_marginal *out) {
    int d = l->y_dim;
    for (int at = 0; at < n * d; at++) {
        int k = at % d;
        double noise = exp(log_var(l, theta, k)), *C = cov + at / d * d * d, *m = mean + at / d * d;
#if MUTANT == 13
        memset(C, 0, (size_t)(d * d) * sizeof *C);
#endif
        out->mean[at] = m[k];
        if (out->var_epistemic) out->var_epistemic[at] = C[k * d + k];
        if (out->var_aleatoric) out->var_aleatoric[at] = noise;
        if (out->pit) out->pit[at] = 0.5 * erfc((m[k] - (double)y[at]) / sqrt(2 * (C[k * d + k] + noise)));
    }
    for (int i = 0; out->logp && i < n; i++, mean += d, cov += d * d, y += d) {
        out->logp[i] = 0;
        for (int k = 0; k < d; k++) {
            double var = cov[k * d + k] + exp(log_var(l, theta, k)), e = (double)y[k] - mean[k];
            out->logp[i] -= 0.5 * (e * e / var + log(var)) + half_log_2pi;
            for (int j = k + 1; j < d; j++) {
                mean[j] += cov[j * d + k] / var * e;
                for (int b = k + 1; b < d; b++) cov[j * d + b] -= cov[j * d + k] * cov[k * d + b] / var;
            }
        }
    }
}

/* By the inverse of the distribution function, summed up over a grid of log variances. */
static double draw_log_var(double width, int n, double squares, double u) {
    enum { GRID = 1 << 11 };
    const double from = -16, step = 32.0 / GRID;
    double p[2] = {0}, most = -INFINITY;
    for (int pass = 0; pass < 3; pass++) /* the largest log density, the sum, the way to u */
        for (int i = 0; i < GRID; i++) {
            double s = from + (i + 0.5) * step, logp = -0.5 * (squares * exp(-s) + n * s);
#if MUTANT == 31
            (void)width;
#else
            logp -= 0.5 * s * s / (width * width);
#endif
            if (pass == 0) most = fmax(most, logp);
            if (pass > 0) p[pass - 1] += exp(logp - most);
            if (pass == 2 && p[1] > u * p[0]) return s + step * ((u * p[0] - p[1]) / exp(logp - most) + 0.5);
        }
    return from + GRID * step;
}

static void draw_theta_given(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, bnn_rng rng, bnn_real *theta) {
    const conf *c = l->object.conf;
    int d = l->y_dim;
    for (int k = 0; k < l->n_theta; k++) {
        double squares = 0;
        bnn_real u;
        for (int i = k; i < n * d; i += d) squares += ((double)f[i] - (double)y[i]) * ((double)f[i] - (double)y[i]);
        bnn_rng_uniform(rng, (uint64_t)k, 1, 1, &u);
        theta[k] = (bnn_real)draw_log_var(c->width, n, squares, (double)u);
    }
}

static const char *const checks[] = {MUTANT_NAME, MUTANT_NAME ":sd=0.8", NULL};

static const bnn_likelihood_type mutant = {
    .type = {BNN_TYPE(bnn_likelihood_type), .name = MUTANT_NAME, .summary = "real targets with Gaussian noise", .caps = BNN_LOG_VARIANCE,
             .conf_size = sizeof(conf), .options = options, .checks = checks},
    .bind = bind,
    .nll = nll,
    .observe = observe,
    .draw = draw,
    .init = init,
    .noise_sd = noise_sd,
    .logp = logp,
    .curvature = curvature,
    .marginal = marginal,
    .draw_theta_given = draw_theta_given,
};

BNN_LIKELIHOOD_PLUGIN(mutant)
