/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * outliers: a plugin with a likelihood whose targets are at times of another origin (Box & Tiao 1968).
 *
 *   p(y | f) = (1 - share) N(y; f, e^(2 theta)) + share N(y; center, wide^2)       theta: log sd of each target, in standardised y
 *
 * center and wide are in the units of y, so that bind needs its mean and its sd; what it makes of them for each target is its own.
 */
#include <bnn/likelihood.h>

#include <math.h>
#include <stdlib.h>

typedef struct {
    double share, center, wide;
} conf;

static const bnn_option options[] = {{.name = "share",
                                      .kind = BNN_OPTION_REAL,
                                      .offset = offsetof(conf, share),
                                      .preset = "0.1",
                                      .min = 1e-6,
                                      .max = 0.999,
                                      .help = "of the targets that have nothing to do with x"},
                                     {.name = "center",
                                      .kind = BNN_OPTION_REAL,
                                      .offset = offsetof(conf, center),
                                      .preset = "1",
                                      .min = -1e12,
                                      .max = 1e12,
                                      .help = "mean of those, in the units of y"},
                                     {.name = "wide",
                                      .kind = BNN_OPTION_REAL,
                                      .offset = offsetof(conf, wide),
                                      .preset = "5",
                                      .min = 1e-6,
                                      .max = 1e12,
                                      .help = "standard deviation of those, in the units of y"},
                                     {0}};

/* The other origin of one target, in standardised y. */
typedef struct {
    double mean, sd;
} origin;

static double share_of(const bnn_likelihood *l) { return ((const conf *)l->object.conf)->share; }
static const origin *origin_of(const bnn_likelihood *l, int i) { return (const origin *)l->own + i % l->y_dim; }
static double sd_of(const bnn_likelihood *l, const bnn_real *theta, int i) { return exp((double)theta[i % l->y_dim]); }

static bnn_status bind(bnn_likelihood *l) {
    const conf *c = l->object.conf;
    if (l->n_classes > 0) return bnn_fail(BNN_ERR_SHAPE, "needs real targets, but the data have %d classes: use categorical", l->n_classes);
    l->out_dim = l->mean_dim = l->pit_dim = l->n_theta = l->y_dim;
    origin *other = malloc((size_t)l->y_dim * sizeof *other);
    if (!other) return bnn_fail(BNN_ERR_MEMORY, "out of memory for %d targets", l->y_dim);
    for (int k = 0; k < l->y_dim; k++) other[k] = (origin){(c->center - l->y_mean[k]) / l->y_sd[k], c->wide / l->y_sd[k]};
    l->own = other;
    return BNN_OK;
}

static void close(bnn_likelihood *l) { free(l->own); }

static double log_normal(double z, double sd) { return -0.5 * z * z - log(sd) - 0.91893853320467274178; }

/* log p of target i; *usual (NULL: not wanted) is the probability that it is of the usual origin. */
static double logp_of(const bnn_likelihood *l, int i, double f, double y, double sd, double *usual) {
    const origin *o = origin_of(l, i);
    double a = log1p(-share_of(l)) + log_normal((y - f) / sd, sd), b = log(share_of(l)) + log_normal((y - o->mean) / o->sd, o->sd);
    double top = fmax(a, b), sum = top + log(exp(a - top) + exp(b - top));
    if (usual) *usual = exp(a - sum);
    return sum;
}

static double nll(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta, double scale, bnn_real *df,
                  bnn_real *dtheta) {
    double total = 0;
    for (int i = 0; i < n * l->y_dim; i++) {
        double sd = sd_of(l, theta, i), usual, z = ((double)f[i] - (double)y[i]) / sd;
        total -= logp_of(l, i, (double)f[i], (double)y[i], sd, &usual);
        if (df) df[i] = (bnn_real)(scale * usual * z / sd);
        if (dtheta) dtheta[i % l->y_dim] += (bnn_real)(scale * usual * (1 - z * z));
    }
    return total;
}

static double cdf(double z) { return 0.5 * erfc(-z / sqrt(2)); }

static void observe(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta,
                    const bnn_observation *out) {
    double share = share_of(l);
    for (int i = 0; out->logp && i < n; i++) out->logp[i] = 0;
    for (int i = 0; i < n * l->y_dim; i++) {
        const origin *o = origin_of(l, i);
        double sd = sd_of(l, theta, i), here = (double)f[i], apart = here - o->mean;
        if (out->mean) out->mean[i] = (bnn_real)(here - share * apart);
        if (out->var) out->var[i] = (bnn_real)((1 - share) * sd * sd + share * o->sd * o->sd + share * (1 - share) * apart * apart);
        if (out->logp) out->logp[i / l->y_dim] += logp_of(l, i, here, (double)y[i], sd, NULL);
        if (out->pit)
            out->pit[i] = (bnn_real)((1 - share) * cdf(((double)y[i] - here) / sd) + share * cdf(((double)y[i] - o->mean) / o->sd));
    }
}

static void draw(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *theta, bnn_rng rng, uint64_t row0, bnn_real *y) {
    bnn_rng_normal(bnn_rng_split(rng, 0), row0, n, l->y_dim, y);
    for (int i = 0; i < n * l->y_dim; i++) {
        const origin *o = origin_of(l, i);
        bnn_real u;
        bnn_rng_uniform(bnn_rng_split(rng, 1), row0 * (uint64_t)l->y_dim + (uint64_t)i, 1, 1, &u);
        bool usual = (double)u >= share_of(l);
        y[i] = (bnn_real)(usual ? (double)f[i] + sd_of(l, theta, i) * (double)y[i] : o->mean + o->sd * (double)y[i]);
    }
}

static const char *const checks[] = {"outliers", "outliers:share=0.3,center=-2,wide=3", NULL};

static const bnn_likelihood_type likelihood = {
    .type = {BNN_TYPE(bnn_likelihood_type), .name = "outliers", .summary = "Gaussian noise, and now and then a target of another origin",
             .reference = "Box & Tiao 1968", .conf_size = sizeof(conf), .options = options, .checks = checks},
    .bind = bind,
    .nll = nll,
    .observe = observe,
    .draw = draw,
    .close = close,
};

BNN_PLUGIN("outliers", BNN_LIKELIHOOD_ENTRY(likelihood))
