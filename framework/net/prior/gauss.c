/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * gauss: independent Gaussian prior.
 *
 *   log p(w) = sum_i -w_i^2 / (2 s^2) - log s - log(2 pi)/2
 *   KL( N(m, v^2) || N(0, s^2) ) = sum_i log(s/v_i) + (v_i^2 + m_i^2) / (2 s^2) - 1/2
 *
 * s = sd for weights, divided by sqrt(fan_in) under scale=fan_in (the width scaling of Neal 1996); s = bias_sd for biases. An infinite
 * bias_sd is the flat prior, density 1 (improper).
 */
#include <bnn/kernels.h>
#include <bnn/prior.h>

#include <math.h>
#include <string.h>

typedef struct {
    double sd, bias_sd;
    int scale;
} conf;

enum { NONE, FAN_IN };
static const char *const scales[] = {"none", "fan_in", NULL};

static const bnn_option options[] = {
    BNN_OPT_REAL(conf, sd, "1", 1e-12, 1e12, "standard deviation of a weight"),
    BNN_OPT_REAL(conf, bias_sd, "1", 1e-12, INFINITY, "standard deviation of a bias; inf: flat"),
    BNN_OPT_CHOICE(conf, scale, "none", scales, "fan_in divides sd by the square root of the inputs of a unit"),
    {0}};

static double sd_of(const bnn_prior *p, const bnn_prior_block *block) {
    const conf *c = p->object.conf;
    if (!block->weight) return c->bias_sd;
    return c->scale == FAN_IN ? c->sd / sqrt(block->fan_in) : c->sd;
}

static const double half_log_2pi = 0.91893853320467274178;

BNN_LOOP static void multiply(int n, const bnn_real *restrict w, bnn_real factor, bnn_real *restrict out) {
    for (int i = 0; i < n; i++) out[i] = w[i] * factor;
}

/* sd prec - 1/sd */
BNN_LOOP static void slope_of_sd(int n, const bnn_real *restrict sd, bnn_real prec, bnn_real *restrict out) {
    for (int i = 0; i < n; i++) out[i] = sd[i] * prec - 1 / sd[i];
}

static double logp(const bnn_prior *p, const bnn_prior_block *block, int n, const bnn_real *w, bnn_real *dw) {
    double sd = sd_of(p, block);
    if (isinf(sd)) {
        if (dw) memset(dw, 0, (size_t)n * sizeof *dw);
        return 0;
    }
    if (dw) multiply(n, w, -(bnn_real)(1 / (sd * sd)), dw);
    return -bnn_sum_squares((size_t)n, w) / (2 * sd * sd) - n * (log(sd) + half_log_2pi);
}

static void draw(const bnn_prior *p, const bnn_prior_block *block, bnn_rng rng, int n, bnn_real *out) {
    double sd = sd_of(p, block);
    bnn_rng_normal(rng, 0, 1, n, out);
    for (int i = 0; i < n; i++) out[i] = isinf(sd) ? 0 : (bnn_real)sd * out[i]; /* the flat prior has no draws: its centre stands in */
}

/* A logarithm of a product for every DEPTH numbers: in double nothing between 1e-19 and 1e19 can leave the range. */
enum { LANES = 8, DEPTH = 16 };

BNN_LOOP static void multiply_lanes(const bnn_real *v, double product[LANES]) {
    for (int j = 0; j < LANES; j++) product[j] = 1;
    for (int i = 0; i < DEPTH; i++)
        for (int j = 0; j < LANES; j++) product[j] *= (double)v[i * LANES + j];
}

static double sum_log(int n, const bnn_real *v) {
    double product[LANES], sum = 0;
    int i = 0;
    for (; i + LANES * DEPTH <= n; i += LANES * DEPTH) {
        multiply_lanes(v + i, product);
        for (int j = 0; j < LANES; j++) sum += log(product[j]);
    }
    for (; i < n; i++) sum += log((double)v[i]);
    return sum;
}

/* KL of N(m, v^2): sum of log s - log v - 1/2 + (v^2 + m^2) / (2 s^2). With a flat prior minus the entropy is all there is. */
static double kl_gaussian(const bnn_prior *p, const bnn_prior_block *block, int n, const bnn_real *mean, const bnn_real *sd, bnn_real *dmean,
                          bnn_real *dsd) {
    double s = sd_of(p, block), prec = isinf(s) ? 0 : 1 / (s * s), constant = isinf(s) ? -half_log_2pi - 0.5 : log(s) - 0.5;
    double squares = prec > 0 ? bnn_sum_squares((size_t)n, sd) + bnn_sum_squares((size_t)n, mean) : 0;
    if (dmean) multiply(n, mean, (bnn_real)prec, dmean);
    if (dsd) slope_of_sd(n, sd, (bnn_real)prec, dsd);
    return n * constant - sum_log(n, sd) + 0.5 * prec * squares;
}

static const char *const checks[] = {"gauss", "gauss:sd=0.3,bias_sd=2", "gauss:sd=2,scale=fan_in", NULL};

const bnn_prior_type bnn_prior_gauss = {
    .type = {BNN_TYPE(bnn_prior_type), .name = "gauss", .summary = "independent Gaussian weights", .reference = "Neal 1996",
             .conf_size = sizeof(conf), .options = options, .checks = checks},
    .logp = logp,
    .draw = draw,
    .kl_gaussian = kl_gaussian,
    .sd = sd_of,
};
