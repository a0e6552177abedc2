/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * hierarchical: Gaussian weights whose scale is learned, group by group (Neal 1995; 1996, section 3.2).
 *
 *   w | s ~ N(0, e^s);   precision e^-s ~ Gamma of mean 1/sd^2 and this shape        s: one for each group, in theta with role HYPER
 *   log p(w, s) = sum_i -w_i^2 e^-s / 2 - n (s + log(2 pi)) / 2 + a log(a sd^2) - log Gamma(a) - a s - a sd^2 e^-s,   a = shape
 *
 * A group is the kernel or the bias of a layer; with groups=inputs each input of a layer has one for its own weights (automatic relevance
 * determination), of a convolution each channel. sd = sd for weights, divided by sqrt(fan_in) under scale=fan_in, which Neal gives to the
 * weights out of hidden units so that their number does not matter; bias_sd for biases. Neal writes 0.05:0.5 for sd 0.05 and shape 0.25:
 * scales of many sizes, and seldom less than sd. A group seen alone is Student's t with 2 shape degrees of freedom.
 *
 * This is for engines that sample (hmc, nuts). At the maximum of the joint density, which map looks for, a group with weak data collapses.
 */
#include <bnn/kernels.h>
#include <bnn/prior.h>

#include <math.h>

typedef struct {
    double sd, bias_sd, shape;
    int scale, groups;
} conf;

enum { NONE, FAN_IN };
static const char *const scales[] = {"none", "fan_in", NULL};
enum { BLOCK, INPUTS };
static const char *const groups[] = {"block", "inputs", NULL};

static const bnn_option options[] = {
    BNN_OPT_REAL(conf, sd, "0.05", 1e-6, 1e6, "standard deviation that belongs to the mean precision of a group of weights"),
    BNN_OPT_REAL(conf, bias_sd, "0.05", 1e-6, 1e6, "the same of a group of biases"),
    BNN_OPT_REAL(conf, shape, "0.25", 1e-3, 1e6, "of the Gamma distribution of a precision: large keeps it near its mean"),
    BNN_OPT_CHOICE(conf, scale, "fan_in", scales, "fan_in divides sd by the square root of the inputs of a unit"),
    BNN_OPT_CHOICE(conf, groups, "block", groups,
                   "what shares a scale: a whole kernel, or the weights of each input, of images of each channel"),
    {0}};

static const double half_log_2pi = 0.91893853320467274178;

static double logp(const bnn_prior *p, const bnn_prior_block *block, int n, const bnn_real *z, bnn_real *dz) {
    (void)p, (void)block; /* the scales have it all */
    for (int i = 0; dz && i < n; i++) dz[i] = -z[i];
    return -0.5 * bnn_sum_squares((size_t)n, z) - n * half_log_2pi;
}

static void draw(const bnn_prior *p, const bnn_prior_block *block, bnn_rng rng, int n, bnn_real *out) {
    (void)p, (void)block;
    bnn_rng_normal(rng, 0, 1, n, out);
}

static int n_scales(const bnn_prior *p, const bnn_prior_block *block) {
    return ((const conf *)p->object.conf)->groups == INPUTS && block->inputs > 0 ? block->inputs : 1;
}

static double sd_of(const conf *c, const bnn_prior_block *block) {
    return !block->weight ? c->bias_sd : c->scale == FAN_IN ? c->sd / sqrt(block->fan_in) : c->sd;
}

static double logp_scale(const bnn_prior *p, const bnn_prior_block *block, double s, double *ds) {
    const conf *c = p->object.conf;
    return bnn_log_var_logp(sd_of(c, block), c->shape, s, ds);
}

static double draw_scale(const bnn_prior *p, const bnn_prior_block *block, bnn_rng rng) {
    const conf *c = p->object.conf;
    return bnn_log_var_draw(sd_of(c, block), c->shape, rng);
}

static double draw_scale_given(const bnn_prior *p, const bnn_prior_block *block, int n, const bnn_real *w, bnn_rng rng) {
    const conf *c = p->object.conf;
    return bnn_log_var_draw_given(sd_of(c, block), c->shape, n, bnn_sum_squares((size_t)n, w), rng);
}

static const char *const checks[] = {"hierarchical", "hierarchical:sd=0.5,bias_sd=2,shape=3,scale=none", "hierarchical:groups=inputs",
                                     NULL};

const bnn_prior_type bnn_prior_hierarchical = {
    .type = {BNN_TYPE(bnn_prior_type), .name = "hierarchical", .summary = "Gaussian weights whose scales are learned, group by group",
             .reference = "Neal 1995; Neal 1996, section 3.2", .conf_size = sizeof(conf), .options = options, .checks = checks},
    .logp = logp,
    .draw = draw,
    .n_scales = n_scales,
    .logp_scale = logp_scale,
    .draw_scale = draw_scale,
    .draw_scale_given = draw_scale_given,
};
