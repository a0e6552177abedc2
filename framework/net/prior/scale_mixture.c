/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * scale_mixture: a wide and a narrow Gaussian (Blundell et al. 2015, eq. 7); weights and biases alike.
 *
 *   log p(w) = sum_i log( pi N(w_i; 0, s1^2) + (1-pi) N(w_i; 0, s2^2) )
 *
 * By log-sum-exp: with the two logarithms l1, l2 and d = l1 - l2, log p = max(l1, l2) + softplus(-|d|); d/dw = -w (sigmoid(d)/s1^2 +
 * sigmoid(-d)/s2^2).
 */
#include <bnn/kernels.h>
#include <bnn/prior.h>

#include <math.h>

typedef struct {
    double pi, sd1, sd2;
} conf;

static const bnn_option options[] = {BNN_OPT_REAL(conf, pi, "0.5", 0, 1, "share of the first component"),
                                     BNN_OPT_REAL(conf, sd1, "1", 1e-12, 1e12, "standard deviation of the first component"),
                                     BNN_OPT_REAL(conf, sd2, "0.0025", 1e-12, 1e12, "standard deviation of the second component"),
                                     {0}};

static const double half_log_2pi = 0.91893853320467274178;

enum { PIECE = 512 }; /* weights at a time, on the stack */

/* At most PIECE weights. */
static double logp_piece(const conf *c, int n, const bnn_real *w, bnn_real *dw) {
    const double top1 = log(c->pi) - log(c->sd1) - half_log_2pi, top2 = log1p(-c->pi) - log(c->sd2) - half_log_2pi;
    const double prec1 = 1 / (c->sd1 * c->sd1), prec2 = 1 / (c->sd2 * c->sd2);
    bnn_real d[PIECE], small[PIECE] = {0};
    double total = 0;
    for (int i = 0; i < n; i++) {
        double w2 = 0.5 * (double)w[i] * (double)w[i], l1 = top1 - w2 * prec1, l2 = top2 - w2 * prec2;
        total += fmax(l1, l2);
        d[i] = (bnn_real)(l1 - l2);
        small[i] = (bnn_real)-fabs(l1 - l2);
    }
    bnn_vec_softplus((size_t)n, small, small);
    for (int i = 0; i < n; i++) total += (double)small[i];
    if (!dw) return total;
    bnn_vec_sigmoid((size_t)n, d, small);
    for (int i = 0; i < n; i++) d[i] = -d[i];
    bnn_vec_sigmoid((size_t)n, d, d);
    for (int i = 0; i < n; i++) dw[i] = (bnn_real)(-(double)w[i] * (prec1 * (double)small[i] + prec2 * (double)d[i]));
    return total;
}

static double logp(const bnn_prior *p, const bnn_prior_block *block, int n, const bnn_real *w, bnn_real *dw) {
    double total = 0;
    (void)block;
    for (int from = 0; from < n; from += PIECE)
        total += logp_piece(p->object.conf, n - from < PIECE ? n - from : PIECE, w + from, dw ? dw + from : NULL);
    return total;
}

static void draw(const bnn_prior *p, const bnn_prior_block *block, bnn_rng rng, int n, bnn_real *out) {
    const conf *c = p->object.conf;
    bnn_real narrow[PIECE];
    (void)block;
    bnn_rng_normal(bnn_rng_split(rng, 0), 0, 1, n, out);
    for (int from = 0; from < n; from += PIECE) {
        int m = n - from < PIECE ? n - from : PIECE;
        bnn_rng_mask(bnn_rng_split(rng, 1), (uint64_t)from, 1, m, c->pi, 1, narrow);
        for (int i = 0; i < m; i++) out[from + i] *= (bnn_real)(narrow[i] > 0 ? c->sd2 : c->sd1);
    }
}

static const char *const checks[] = {"scale_mixture", "scale_mixture:pi=0.25,sd1=2,sd2=0.3", "scale_mixture:pi=1,sd1=0.7", NULL};

const bnn_prior_type bnn_prior_scale_mixture = {
    .type = {BNN_TYPE(bnn_prior_type), .name = "scale_mixture", .summary = "a wide and a narrow Gaussian",
             .reference = "Blundell et al. 2015, eq. 7", .conf_size = sizeof(conf), .options = options, .checks = checks},
    .logp = logp,
    .draw = draw,
};
