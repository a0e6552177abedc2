/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * ridge: a Gaussian prior. MUTANT 0 is right, each other one has one fault.
 *
 *   log p(w) = sum_i -w_i^2 / (2 s^2) - log s - log(2 pi)/2        s = sd, of weights divided by sqrt(fan_in) under scale=fan_in
 *   KL( N(m, v^2) || N(0, s^2) ) = sum_i log(s/v_i) + (v_i^2 + m_i^2) / (2 s^2) - 1/2
 */
#include <bnn/prior.h>

#include <math.h>
#include <stdlib.h>

typedef struct {
    double sd;
    int scale;
    double unused;
} conf;

enum { NONE, FAN_IN };
static const char *const scales[] = {"none", "fan_in", NULL};

#if MUTANT == 16
#define UNUSED_AT offsetof(conf, sd)
#else
#define UNUSED_AT offsetof(conf, unused)
#endif

static const bnn_option options[] = {{.name = "sd",
                                      .kind = BNN_OPTION_REAL,
                                      .offset = offsetof(conf, sd),
                                      .preset = "1",
                                      .min = 1e-6,
                                      .max = 1e6,
                                      .help = "standard deviation of a weight or bias"},
                                     {.name = "scale",
                                      .kind = BNN_OPTION_CHOICE,
                                      .offset = offsetof(conf, scale),
                                      .preset = "none",
                                      .choices = scales,
                                      .help = "fan_in divides that of a weight by the square root of the inputs of a unit"},
#if MUTANT == 16 || MUTANT == 17
                                     {.name = MUTANT == 17 ? "sd" : "unused",
                                      .kind = BNN_OPTION_REAL,
                                      .offset = UNUSED_AT,
                                      .preset = "3",
                                      .min = 1e-6,
                                      .max = 1e6,
                                      .help = "nothing"},
#endif
                                     {0}};

static double sd_of(const bnn_prior *p, const bnn_prior_block *block) {
    const conf *c = p->object.conf;
#if MUTANT == 19
    return block->weight && c->scale == FAN_IN ? c->sd / block->fan_in : c->sd;
#else
    return block->weight && c->scale == FAN_IN ? c->sd / sqrt(block->fan_in) : c->sd;
#endif
}

static const double half_log_2pi = MUTANT == 2 ? 0 : 0.91893853320467274178;

static double logp(const bnn_prior *p, const bnn_prior_block *block, int n, const bnn_real *w, bnn_real *dw) {
    double sd = sd_of(p, block), total = 0;
#if MUTANT == 14
    void *volatile room = malloc(8);
    free(room);
#endif
    for (int i = 0; i < n; i++) {
        double z = (double)w[i] / sd;
#if MUTANT == 21
        const double end = 20, from = fabs(z) - end;
        if (from > 0) {
            total -= end * end / 2 + end * from + log(sd) + half_log_2pi;
            if (dw) dw[i] = (bnn_real)copysign(end / sd, -z);
            continue;
        }
#endif
#if MUTANT == 15
        total += log(exp(-0.5 * z * z - log(sd) - half_log_2pi));
#else
        total -= 0.5 * z * z + log(sd) + half_log_2pi;
#endif
#if MUTANT == 1
        if (dw) dw[i] = (bnn_real)(z / sd);
#elif MUTANT == 4
        if (dw) dw[i] += (bnn_real)(-z / sd);
#else
        if (dw) dw[i] = (bnn_real)(-z / sd);
#endif
    }
#if MUTANT == 12
    if (dw) dw[n] = 0;
#elif MUTANT == 10
    total /= n;
#endif
    return total;
}

static void draw(const bnn_prior *p, const bnn_prior_block *block, bnn_rng rng, int n, bnn_real *out) {
    double sd = sd_of(p, block);
#if MUTANT == 3
    sd *= sd;
#elif MUTANT == 7
    sd = sd_of(p, &(bnn_prior_block){.weight = block->weight, .fan_in = 1});
#elif MUTANT == 13
    static uint64_t calls;
    rng = bnn_rng_split(rng, calls++);
#elif MUTANT == 20
    rng = bnn_rng_seed(1);
#endif
    bnn_rng_normal(rng, 0, 1, n, out);
#if MUTANT == 11
    for (int i = 1; i < n; i++) out[i] = out[0];
#endif
    for (int i = 0; i < n; i++) out[i] *= (bnn_real)sd;
}

#if MUTANT != 21
static double kl_gaussian(const bnn_prior *p, const bnn_prior_block *block, int n, const bnn_real *mean, const bnn_real *sd,
                          bnn_real *dmean, bnn_real *dsd) {
    double s = sd_of(p, block), total = 0;
    for (int i = 0; i < n; i++) {
        double m = mean[i], v = sd[i];
#if MUTANT == 6
        total += log(v / s) + (s * s + m * m) / (2 * v * v) - 0.5;
#else
        total += log(s / v) + (v * v + m * m) / (2 * s * s) - 0.5;
#endif
        if (dmean) dmean[i] = (bnn_real)(m / (s * s));
#if MUTANT == 8
        if (dsd) dsd[i] = (bnn_real)(v / (s * s));
#else
        if (dsd) dsd[i] = (bnn_real)(v / (s * s) - 1 / v);
#endif
    }
#if MUTANT == 5
    return 1.1 * total;
#else
    return total;
#endif
}
#endif

static double sd_hook(const bnn_prior *p, const bnn_prior_block *block) {
#if MUTANT == 9
    return pow(sd_of(p, block), 2);
#else
    return sd_of(p, block);
#endif
}

static const char *const checks[] = {MUTANT_NAME ":sd=0.6", MUTANT_NAME ":2,scale=fan_in", NULL};

static const bnn_prior_type mutant = {
    .type =
        {
            BNN_TYPE(bnn_prior_type),
            .name = MUTANT_NAME,
            .summary = "a Gaussian prior",
            .conf_size = sizeof(conf),
            .options = options,
            .checks = checks,
#if MUTANT == 18
            .caps = 1,
#endif
        },
    .logp = logp,
    .draw = draw,
#if MUTANT != 21
    .kl_gaussian = kl_gaussian,
#endif
    .sd = sd_hook,
};

BNN_PRIOR_PLUGIN(mutant)
