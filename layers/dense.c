/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * dense: an affine map.
 *
 *   y = x W + b                             x [n,D]  W [D,U]  b [U]  y [n,U]
 *   dx += dy W^T    dW += x^T dy    db += sum over rows of dy
 *
 * Parameters: kernel [D,U] WEIGHT, bias [U] BIAS.
 */
#include <bnn/layer.h>

#include <math.h>
#include <string.h>

typedef struct {
    int units, bias, init;
} conf;

enum { HE, GLOROT };
static const char *const no_yes[] = {"no", "yes", NULL}, *const inits[] = {"he", "glorot", NULL};

static const bnn_option options[] = {
    BNN_OPT_INT(conf, units, "0", 0, 1 << 24, "outputs; 0 at the end of a network: as many as the likelihood needs"),
    BNN_OPT_CHOICE(conf, bias, "yes", no_yes, "add a bias"),
    BNN_OPT_CHOICE(conf, init, "he", inits,
                   "he: N(0, 2/D) (He et al. 2015); glorot: U(-a,a), a^2 = 6/(D+U) (Glorot & Bengio 2010, eq. 16)"),
    {0}};

static bnn_status bind(bnn_layer *l) {
    const conf *c = l->object.conf;
    BNN_TRY(bnn_layer_needs_vector(l));
    int in = bnn_layer_size_in(l), out = c->units > 0 ? c->units : l->out_hint;
    if (out == 0) return bnn_fail(BNN_ERR_OPTION, "option 'units' may be left out only at the end of a network");
    l->plan = (bnn_plan){
        .out = bnn_shape_vector(out),
        .n_params = c->bias ? 2 : 1,
        .param = {{.name = "kernel", .role = BNN_WEIGHT, .rows = in, .cols = out, .fan_in = in},
                  {.name = "bias", .role = BNN_BIAS, .cols = out, .fan_in = in}},
        .flops_row = 2.0 * in * out,
        .back_flops_row = 4.0 * in * out,
    };
    return BNN_OK;
}

static void forward(const bnn_layer *l, bnn_io *io) {
    bnn_affine(io->n, bnn_layer_size_in(l), bnn_layer_size_out(l), io->x[0], io->theta, bnn_layer_bias(l, io->theta), io->y);
}

static void backward(const bnn_layer *l, bnn_io *io) {
    int in = bnn_layer_size_in(l), out = bnn_layer_size_out(l);
    if (io->dx[0]) bnn_affine_dx(io->n, in, out, io->dy, io->theta, io->dx[0]);
    if (io->dtheta) bnn_affine_dw(io->n, in, out, io->x[0], io->dy, io->dtheta, (bnn_real *)bnn_layer_bias(l, io->dtheta));
}

static void init(const bnn_layer *l, bnn_rng rng, bnn_real *theta) {
    const conf *c = l->object.conf;
    int in = bnn_layer_size_in(l), out = bnn_layer_size_out(l), n = in * out;
    double scale = c->init == HE ? sqrt(2.0 / in) : 2 * sqrt(6.0 / (in + out));
    if (c->init == HE)
        bnn_rng_normal(rng, 0, 1, n, theta);
    else
        bnn_rng_uniform(rng, 0, 1, n, theta);
    for (int i = 0; i < n; i++) theta[i] = (bnn_real)(scale * (c->init == HE ? theta[i] : theta[i] - 0.5));
    if (c->bias) memset(theta + n, 0, (size_t)out * sizeof *theta);
}

static const char *const checks[] = {"input:5; dense:3", "input:1; dense:70; dense:1", "input:4; dense:3,bias=no",
                                     "input:70; dense:5,init=glorot", NULL};

const bnn_layer_type bnn_layer_dense = {
    .type = {BNN_TYPE(bnn_layer_type), .name = "dense", .summary = "affine map x W + b", .caps = BNN_AFFINE, .conf_size = sizeof(conf),
             .options = options, .checks = checks},
    .min_in = 1,
    .max_in = 1,
    .bind = bind,
    .forward = forward,
    .backward = backward,
    .init = init,
};
