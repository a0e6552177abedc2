/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * cast: real targets with Gaussian noise. cast_0 is right, each other type has one fault: has(l, k) in its hooks.
 *
 *   -log p(y | f) = sum_k (y_k - f_k)^2 / (2 sd_k^2) + log sd_k + log(2 pi)/2          f, y [n, y_dim]; sd in the units of y
 */
#include <bnn/likelihood.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    double sd;
    int of;
} conf;

enum { OF_ONE, OF_ROWS };
static const char *const units[] = {"one", "rows", NULL};
static const bnn_option options[] = {
    BNN_OPT_REAL(conf, sd, "0.8", 1e-6, 1e6, "of the noise, in the units of y"),
    BNN_OPT_CHOICE(conf, of, "one", units,
                   "that sd is multiplied by; rows: the root of the mean square of the first target over those of a fit"),
    {0}};
static const double half_log_2pi = 0.91893853320467274178;

static bool has(const bnn_likelihood *l, int fault) { return atoi(strrchr(l->object.type->name, '_') + 1) == fault; }

static bnn_status settle(bnn_likelihood *l, int n, const bnn_real *y, const double *weight) {
    conf *c = l->object.conf;
    double sum = 0, weights = 0;
    for (int i = 0; i < n && !(has(l, 18) && i == 40); i++) {
        double w = weight && !has(l, 17) ? weight[i] : 1;
        sum += w * pow((double)y[(size_t)i * (size_t)l->y_dim], 2), weights += w;
    }
    if (c->of != OF_ROWS || weights == 0) return BNN_OK;
    c->sd *= sqrt(sum / weights);
    if (!has(l, 19)) c->of = OF_ONE;
    return BNN_OK;
}

static bnn_status bind(bnn_likelihood *l) {
    if (l->n_classes > 0) return bnn_fail(BNN_ERR_SHAPE, "needs real targets, but the data have %d classes", l->n_classes);
    if (has(l, 20) && ((const conf *)l->object.conf)->sd > 1e5) {
        l->own = malloc(sizeof(double));
        return l->own = NULL, bnn_fail(BNN_ERR_OPTION, "option 'sd' is above 1e5");
    }
    if (l->y_dim > 4) return bnn_fail(BNN_ERR_SHAPE, "takes up to 4 targets, but the data have %d", l->y_dim);
    l->out_dim = l->mean_dim = l->pit_dim = l->y_dim;
    for (int k = 0; k < l->y_dim; k++) l->data[k] = ((const conf *)l->object.conf)->sd / l->y_sd[has(l, 14) && k > 1 ? 1 : k];
    return BNN_OK;
}

static double logp_of(const bnn_likelihood *l, int k, double f, double y) {
    double z = (y - f) / l->data[k];
    return -z * z / 2 - log(l->data[k]) - half_log_2pi;
}

static double nll(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta, double scale, bnn_real *df,
                  bnn_real *dtheta) {
    int d = l->y_dim;
    double sum = 0;
    float single = 0;
    (void)theta, (void)dtheta;
    for (int i = 0; i < n * d; i++) {
        double z = ((double)f[i] - (double)y[i]) / l->data[i % d], slope = z / l->data[i % d];
        if ((has(l, 6) && i % d > 1) || (has(l, 9) && i / d >= 4096)) slope = 0;
        if (has(l, 10) && fabs(z) > 10) slope *= 10 / fabs(z);
        if (has(l, 12)) slope *= 1.01;
        if (df) df[i] = (bnn_real)(scale * slope);
        if (has(l, 6) && i % d > 1) continue;
        double logp = logp_of(l, i % d, (double)f[i], (double)y[i]);
        sum -= logp, single -= (float)logp;
    }
    if (has(l, 7) && df && n % 2 == 0 && n > 0) df[n * d] = 0;
    return has(l, 8) ? (double)single : sum;
}

static void observe(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta,
                    const bnn_observation *out) {
    int d = l->y_dim;
    (void)theta;
    for (int i = 0; i < n * d; i++) {
        double sd = l->data[i % d];
        if (out->mean) out->mean[i] = f[i];
        if (out->var) out->var[i] = has(l, 13) ? (bnn_real)INFINITY : (bnn_real)(sd * sd);
        if (out->pit) out->pit[i] = (bnn_real)(0.5 * erfc(((double)f[i] - (double)y[i]) / sd / sqrt(2)));
    }
    for (int r = 0; out->logp && r < n; r++) {
        double sum = 0;
        for (int k = 0; k < d; k++)
            if (!has(l, 6) || k < 2) sum += logp_of(l, k, (double)f[r * d + k], (double)y[r * d + k]);
        out->logp[r] = has(l, 11) ? fmax(sum, -50) : sum;
    }
}

static void draw(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *theta, bnn_rng rng, uint64_t row0, bnn_real *y) {
    int d = l->y_dim;
    (void)theta;
    for (int r = 0; r < n; r++) {
        uint64_t row = row0 + (uint64_t)r;
        bnn_real e[4];
        uint64_t of_pair = row / 200 * 100 + row % 100;
        bnn_rng_normal(rng, has(l, 3) || has(l, 4) ? row / 2 : has(l, 16) ? of_pair : row, 1, d, e);
        for (int k = 0; k < d; k++) {
            double x = has(l, 5) ? (double)e[0] : (double)e[k];
            if (has(l, 1)) x *= 1.02;
            if (has(l, 2)) x = fmax(-3, fmin(x, 3));
            if (has(l, 4) && row % 2) x = -x;
            if (has(l, 15) && l->data[k] > 1) x /= l->data[k];
            y[r * d + k] = (bnn_real)((double)f[r * d + k] + l->data[k] * x);
        }
    }
}

#define MUTANT(k)                                                                                                           \
    static const char *const checks_##k[] = {"cast_" #k, "cast_" #k ":0.1,rows", NULL};                                     \
    static const bnn_likelihood_type cast_##k = {                                                                           \
        .type = {BNN_TYPE(bnn_likelihood_type), .name = "cast_" #k, .summary = "Gaussian noise", .conf_size = sizeof(conf), \
                 .options = options, .checks = checks_##k},                                                                 \
        .bind = bind,                                                                                                       \
        .nll = nll,                                                                                                         \
        .observe = observe,                                                                                                 \
        .draw = draw,                                                                                                       \
        .settle = settle,                                                                                                   \
    };

MUTANT(0)
MUTANT(1)
MUTANT(2)
MUTANT(3)
MUTANT(4)
MUTANT(5)
MUTANT(6) MUTANT(7) MUTANT(8) MUTANT(9) MUTANT(10) MUTANT(11) MUTANT(12) MUTANT(13) MUTANT(14) MUTANT(15) MUTANT(16) MUTANT(17) MUTANT(18)
    MUTANT(19) MUTANT(20)

#define ENTRY(k) BNN_LIKELIHOOD_ENTRY(cast_##k)
        BNN_PLUGIN("cast", ENTRY(0), ENTRY(1), ENTRY(2), ENTRY(3), ENTRY(4), ENTRY(5), ENTRY(6), ENTRY(7), ENTRY(8), ENTRY(9), ENTRY(10),
                   ENTRY(11), ENTRY(12), ENTRY(13), ENTRY(14), ENTRY(15), ENTRY(16), ENTRY(17), ENTRY(18), ENTRY(19), ENTRY(20))
