/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * radial: an affine map with a radial posterior over its weights (Farquhar, Osborne & Gal 2020).
 *
 *   y = x W + b                             x [n,D]  W [D,U]  b [U]  y [n,U];   w = [W | b], P = (D + 1) U
 *   w = mean + sd u,   u = r e / |e|        sd = softplus(spread);   e ~ N(0, I_P), r ~ N(0, 1), once for the layer
 *   dx += dy W^T   dw = [x^T dy | sum over rows of dy]
 *   dmean += dw    dspread += dw u sigmoid(spread)
 *
 * A Gaussian of P dimensions has nearly all of its mass at the distance sqrt(P) from its mean; here the distance is |r|. E[u] = 0 and
 * E[u u^T] = I/P, so a weight has the variance sd^2 / P.
 *
 * ROWS and DRAW: one w for the pass. MEAN: w = mean.
 * penalty: KL(q || prior) of a Gaussian prior N(0, s^2), which may be another one for the biases, in closed form:
 *
 *   KL = sum_i [ log s_i + log(2 pi)/2 + (mean_i^2 + sd_i^2 / P) / (2 s_i^2) - log sd_i ] - H(P)
 *   H(P) = 1/2 + log(pi/2)/2 + log S - (P - 1) (gamma + log 2)/2,   S = 2 pi^(P/2) / Gamma(P/2)
 *
 * H is the entropy of u: its density is that of |r|, which is half-normal, divided by the surface S |u|^(P-1) of the sphere that u lies on,
 * and E[log |r|] = -(gamma + log 2)/2. The paper leaves H out, a constant; P = 1 is a Gaussian.
 *
 * Parameters: kernel_mean [D,U], bias_mean [U], kernel_spread [D,U], bias_spread [U], all VARIATIONAL.
 */
#include <bnn/layer.h>

#include <limits.h>
#include <math.h>
#include <string.h>

typedef struct {
    int units;
    double sd0;
} conf;

static const bnn_option options[] = {
    BNN_OPT_INT(conf, units, "0", 0, 1 << 24, "outputs; 0 at the end of a network: as many as the likelihood needs"),
    BNN_OPT_REAL(conf, sd0, "0.1", 1e-9, 1e3, "initial standard deviation of a weight times sqrt(fan_in)"),
    {0}};

static const bnn_prior_type *prior_of(const bnn_layer *l) { return l->prior ? bnn_prior_vtable(l->prior) : NULL; }
static int n_kernel(const bnn_layer *l) { return bnn_param_size(&l->plan.param[0]); }
static int n_weights(const bnn_layer *l) { return l->n_theta / 2; } /* P */

static bnn_status bind(bnn_layer *l) {
    const conf *c = l->object.conf;
    BNN_TRY(bnn_layer_needs_vector(l));
    int in = bnn_layer_size_in(l), out = c->units > 0 ? c->units : l->out_hint;
    if (out == 0) return bnn_fail(BNN_ERR_OPTION, "option 'units' may be left out only at the end of a network");
    if ((in + 1.0) * out > INT_MAX / 4) return bnn_fail(BNN_ERR_MEMORY, "has %.3g weights: too many", (in + 1.0) * out);
    if (!prior_of(l) || !prior_of(l)->sd) return bnn_fail(BNN_ERR_OPTION, "needs a Gaussian prior, such as gauss: its KL is that from one");
    int p = (in + 1) * out;
    l->plan = (bnn_plan){
        .out = bnn_shape_vector(out),
        .n_params = 4,
        .param = {{.name = "kernel_mean", .role = BNN_VARIATIONAL, .rows = in, .cols = out, .fan_in = in},
                  {.name = "bias_mean", .role = BNN_VARIATIONAL, .cols = out, .fan_in = in},
                  {.name = "kernel_spread", .role = BNN_VARIATIONAL, .rows = in, .cols = out, .fan_in = in},
                  {.name = "bias_spread", .role = BNN_VARIATIONAL, .cols = out, .fan_in = in}},
        .pass = 3 * p, /* sd, u, w */
        .dpass = p,    /* of w */
        .n_drawn = 2,
        .drawn = {{.name = "kernel", .rows = in, .cols = out}, {.name = "bias", .cols = out}},
        .drawn_at = {2 * p, 2 * p + in * out},
        .flops_row = 2.0 * in * out,
        .flops_pass = 30.0 * p,
        .back_flops_row = 4.0 * in * out,
        .back_flops_pass = 30.0 * p,
    };
    return BNN_OK;
}

static void init(const bnn_layer *l, bnn_rng rng, bnn_real *theta) {
    const conf *c = l->object.conf;
    int p = n_weights(l), k = n_kernel(l), fan_in = l->plan.param[0].fan_in;
    const bnn_real scale = (bnn_real)sqrt(2.0 / fan_in), spread = (bnn_real)bnn_softplus_inverse(c->sd0 * sqrt((double)p / fan_in));
    bnn_rng_normal(rng, 0, 1, k, theta);
    for (int i = 0; i < p; i++) {
        theta[i] = i < k ? scale * theta[i] : 0;
        theta[p + i] = spread;
    }
}

enum { DIRECTION, DISTANCE }; /* streams */

static void prepare(const bnn_layer *l, bnn_io *io) {
    int p = n_weights(l);
    const bnn_real *mean = io->theta;
    bnn_real *sd = io->pass, *u = sd + p, *w = u + p, r;
    bnn_vec_softplus((size_t)p, mean + p, sd);
    for (int i = 0; i < p; i++) sd[i] += (bnn_real)1e-12; /* finite logarithms and quotients */
    if (io->mode == BNN_MEAN) return;
    bnn_rng_normal(bnn_rng_split(io->rng, DIRECTION), 0, 1, p, u);
    bnn_rng_normal(bnn_rng_split(io->rng, DISTANCE), 0, 1, 1, &r);
    const bnn_real stretch = (bnn_real)((double)r / sqrt(bnn_sum_squares((size_t)p, u)));
    for (int i = 0; i < p; i++) {
        u[i] *= stretch;
        w[i] = mean[i] + sd[i] * u[i];
    }
}

static const bnn_real *weights(const bnn_layer *l, const bnn_io *io) {
    return io->mode == BNN_MEAN ? io->theta : io->pass + 2 * n_weights(l);
}

static void forward(const bnn_layer *l, bnn_io *io) {
    const bnn_real *w = weights(l, io);
    bnn_affine(io->n, bnn_layer_size_in(l), bnn_layer_size_out(l), io->x[0], w, w + n_kernel(l), io->y);
}

static void backward(const bnn_layer *l, bnn_io *io) {
    int in = bnn_layer_size_in(l), out = bnn_layer_size_out(l);
    if (io->dx[0]) bnn_affine_dx(io->n, in, out, io->dy, weights(l, io), io->dx[0]);
    if (io->dtheta) bnn_affine_dw(io->n, in, out, io->x[0], io->dy, io->dpass, io->dpass + n_kernel(l));
}

static void finish(const bnn_layer *l, bnn_io *io) {
    int p = n_weights(l);
    const bnn_real *spread = io->theta + p, *u = io->pass + p, *dw = io->dpass;
    for (int i = 0; i < p; i++) {
        io->dtheta[i] += dw[i];
        if (io->mode != BNN_MEAN) io->dtheta[p + i] += dw[i] * u[i] * (bnn_real)bnn_sigmoid((double)spread[i]);
    }
}

/* H(p) */
static double entropy(double p) {
    const double gamma = 0.57721566490153286061, log_surface = log(2) + p / 2 * log(M_PI) - lgamma(p / 2);
    return 0.5 + log(M_PI / 2) / 2 + log_surface - (p - 1) * (gamma + log(2)) / 2;
}

static double penalty(const bnn_layer *l, bnn_io *io, double scale) {
    int p = n_weights(l);
    bnn_prior_block kernel = bnn_layer_prior_block(l, &l->plan.param[0]), bias = bnn_layer_prior_block(l, &l->plan.param[1]);
    const bnn_real *mean = io->theta, *spread = mean + p, *sds = io->pass;
    double kl = -entropy(p);
    kernel.weight = true; /* the means are of weights */
    for (int i = 0; i < p; i++) {
        double s = prior_of(l)->sd(l->prior, i < n_kernel(l) ? &kernel : &bias), prec = 1 / (s * s), m = (double)mean[i], sd = (double)sds[i];
        kl += (isinf(s) ? 0 : log(s) + log(2 * M_PI) / 2) + prec / 2 * (m * m + sd * sd / p) - log(sd);
        if (!io->dtheta) continue;
        io->dtheta[i] += (bnn_real)(scale * prec * m);
        io->dtheta[p + i] += (bnn_real)(scale * (prec * sd / p - 1 / sd) * bnn_sigmoid((double)spread[i]));
    }
    return kl;
}

static const char *const checks[] = {"input:5; radial:3", "input:4; radial:6; tanh; radial:1,sd0=1", "input:1; radial:1", NULL};

const bnn_layer_type bnn_layer_radial = {
    .type = {BNN_TYPE(bnn_layer_type), .name = "radial", .summary = "affine map with a radial posterior over its weights",
             .reference = "Farquhar, Osborne & Gal 2020", .caps = BNN_STOCHASTIC, .conf_size = sizeof(conf), .options = options,
             .checks = checks},
    .min_in = 1,
    .max_in = 1,
    .bind = bind,
    .forward = forward,
    .backward = backward,
    .init = init,
    .prepare = prepare,
    .finish = finish,
    .penalty = penalty,
};

BNN_LAYER_PLUGIN(bnn_layer_radial)
