/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * slab: Gaussian weights whose common log variance is learned, as a variance e^s with a Gamma prior of its inverse. slab_0 is right, each
 * other type has one fault: has(p, k) in its hooks.
 *
 *   log p(w) = sum_i -w_i^2 / (2 sd^2) - log sd - log(2 pi)/2,      sd of weights, divided by sqrt(fan_in) under scale=fan_in
 */
#include <bnn/prior.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    double sd;
    int scale;
    double shape; /* of the prior of the scale */
    double kept;  /* of fault 23 */
} conf;

enum { NONE, FAN_IN };
static const char *const scales[] = {"none", "fan_in", NULL};
static const bnn_option options[] = {BNN_OPT_REAL(conf, sd, "0.8", 1e-6, 1e6, "standard deviation"),
                                     BNN_OPT_CHOICE(conf, scale, "none", scales, "fan_in divides sd by the square root of the inputs"),
                                     BNN_OPT_REAL(conf, shape, "2", 1, 50, "of the distribution of the precision"),
                                     {0}};
static const double half_log_2pi = 0.91893853320467274178;

static bool has(const bnn_prior *p, int fault) { return atoi(strrchr(p->object.type->name, '_') + 1) == fault; }

static double shape_of(const bnn_prior *p) { return has(p, 25) ? 2 : ((const conf *)p->object.conf)->shape; }

/* Of fault 22 the last one is kept for the next call. */
static double root_of(const bnn_prior *p, int inputs) {
    static int known;
    static double root;
    if (has(p, 23)) return ((conf *)p->object.conf)->kept = sqrt(inputs);
    if (!has(p, 22)) return sqrt(inputs);
    if (known != inputs) known = inputs, root = sqrt(inputs);
    return root;
}

static double sd_of(const bnn_prior *p, const bnn_prior_block *block) {
    const conf *c = p->object.conf;
    int inputs = has(p, 12) && block->fan_in > 100 ? 100 : block->fan_in;
    return block->weight && c->scale == FAN_IN ? c->sd / root_of(p, inputs) : c->sd;
}

static double logp(const bnn_prior *p, const bnn_prior_block *block, int n, const bnn_real *w, bnn_real *dw) {
    double sd = sd_of(p, block), sum = 0;
    float single = 0;
    for (int i = 0; i < n; i++) {
        double z = (double)w[i] / sd, slope = -z / sd;
        bool cut = (has(p, 14) && fabs(z) > 10) || (has(p, 21) && fabs((double)w[i]) > 100);
        sum -= z * z / 2 + log(sd) + half_log_2pi;
        single -= (float)(z * z / 2 + log(sd) + half_log_2pi);
        if (dw) dw[i] = (bnn_real)(cut ? slope * 10 / fabs(z) : has(p, 18) ? 1.01 * slope : has(p, 9) && i >= 64 ? 0 : slope);
    }
    return has(p, 8) ? (double)single : sum;
}

static void draw(const bnn_prior *p, const bnn_prior_block *block, bnn_rng rng, int n, bnn_real *out) {
    bnn_prior_block of = *block;
    if (has(p, 20) && of.fan_in > 64) of.fan_in = 64;
    if (has(p, 19) && n > 4) n -= n % 4;
    double sd = sd_of(p, &of) * (has(p, 1) ? 1.02 : has(p, 13) && sd_of(p, block) > 1 ? 1 / sd_of(p, block) : 1);
    for (int i = 0; i < n; i++) {
        uint64_t row = (uint64_t)(has(p, 4) || has(p, 5) || has(p, 17) ? i / 2
                                  : has(p, 6)                          ? i % 64
                                  : has(p, 26)                         ? i / 200 * 100 + i % 100
                                                                       : i);
        bnn_real e;
        bnn_rng_normal(rng, row, 1, 1, &e);
        if (has(p, 17)) {
            bnn_real u;
            bnn_rng_uniform(bnn_rng_split(rng, 1), (uint64_t)i, 1, 1, &u);
            e = u < (bnn_real)0.5 ? e : -e;
        }
        double x = has(p, 5) && i % 2 ? -(double)e : has(p, 3) ? fmax(-3, fmin((double)e, 3)) : has(p, 2) ? (double)e + 0.03 : (double)e;
        out[i] = (bnn_real)(sd * x);
    }
    if (has(p, 7) && n % 2 == 1) out[n] = 0;
}

static double kl_gaussian(const bnn_prior *p, const bnn_prior_block *block, int n, const bnn_real *mean, const bnn_real *sd,
                          bnn_real *dmean, bnn_real *dsd) {
    double s = sd_of(p, block), sum = 0;
    for (int i = 0; i < n; i++) {
        double m = (double)mean[i] / s, v = (double)sd[i] / s, kl = (m * m + v * v - 1) / 2 - log(v);
        bool cut = has(p, 10) && kl > 100;
        sum += cut ? 100 : kl;
        if (dmean) dmean[i] = (bnn_real)(cut ? 0 : m / s);
        if (dsd) dsd[i] = (bnn_real)(cut ? 0 : has(p, 11) && v > 5 ? 1 / s : (v - 1 / v) / s);
    }
    return sum;
}

static int n_scales(const bnn_prior *p, const bnn_prior_block *block) { return (void)p, (void)block, 1; }

static double logp_scale(const bnn_prior *p, const bnn_prior_block *block, double s, double *ds) {
    (void)block;
    return bnn_log_var_logp(1, shape_of(p), s, ds);
}

static double draw_scale(const bnn_prior *p, const bnn_prior_block *block, bnn_rng rng) {
    return bnn_log_var_draw(has(p, 15) || (has(p, 24) && block->fan_in > 64) ? 1.1 : 1, shape_of(p), rng);
}

#define MUTANT(k)                                                                                                        \
    static const char *const checks_##k[] = {"slab_" #k, "slab_" #k ":0.8,fan_in", NULL};                                \
    static const bnn_prior_type slab_##k = {                                                                             \
        .type = {BNN_TYPE(bnn_prior_type), .name = "slab_" #k, .summary = "Gaussian weights", .conf_size = sizeof(conf), \
                 .options = options, .checks = checks_##k},                                                              \
        .logp = logp,                                                                                                    \
        .draw = draw,                                                                                                    \
        .kl_gaussian = kl_gaussian,                                                                                      \
        .n_scales = n_scales,                                                                                            \
        .logp_scale = logp_scale,                                                                                        \
        .draw_scale = draw_scale,                                                                                        \
    };

MUTANT(0)
MUTANT(1)
MUTANT(2)
MUTANT(3)
MUTANT(4) MUTANT(5) MUTANT(6) MUTANT(7) MUTANT(8) MUTANT(9) MUTANT(10) MUTANT(11) MUTANT(12) MUTANT(13) MUTANT(14) MUTANT(15) MUTANT(17)
    MUTANT(18) MUTANT(19) MUTANT(20) MUTANT(21) MUTANT(22) MUTANT(23) MUTANT(24) MUTANT(25) MUTANT(26)

#define ENTRY(k) BNN_PRIOR_ENTRY(slab_##k)
        BNN_PLUGIN("slab", ENTRY(0), ENTRY(1), ENTRY(2), ENTRY(3), ENTRY(4), ENTRY(5), ENTRY(6), ENTRY(7), ENTRY(8), ENTRY(9), ENTRY(10),
                   ENTRY(11), ENTRY(12), ENTRY(13), ENTRY(14), ENTRY(15), ENTRY(17), ENTRY(18), ENTRY(19), ENTRY(20), ENTRY(21), ENTRY(22),
                   ENTRY(23), ENTRY(24), ENTRY(25), ENTRY(26))
