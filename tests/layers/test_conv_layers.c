/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_conv_layers.c: what layers that convolve images promise by their mathematics. What the contract promises of every layer is in
 * conform.c, and what their kernels compute in test_conv.c.
 */
#include "helpers.h"

#include <bnn/convolution.h>
#include <math.h>
#include <string.h>

/* Node 1 of a net, with all arrays of a pass over some rows. */
typedef struct {
    bnn_spec_net net;
    bnn_layer_pass pass;
} node;

static void node_open(const char *text, int rows, bnn_mode mode, node *out) {
    test_net_open(text, &out->net);
    layer_pass_open(out->net.net, 1, rows, mode, bnn_rng_seed(31), &out->pass);
}

static void node_close(node *n) {
    layer_pass_close(&n->pass);
    bnn_spec_net_close(&n->net);
}

/* A transpose is the gradient in x of the convolution that goes back, bit for bit. */
START_TEST(a_transpose_is_a_gradient) {
    enum { IN = 3, OUT = 2, TAPS = 9, ROWS = 2 };
    node up, down;
    node_open("input:3x4x5; conv_transpose2d:2,kernel=3,stride=2,padding=1,bias=no", ROWS, BNN_MEAN, &up);
    node_open("input:2x7x9; conv2d:3,kernel=3,stride=2,padding=1,bias=no", ROWS, BNN_MEAN, &down);
    ck_assert_uint_eq(up.pass.d_out, down.pass.d_in[0]);
    for (int c = 0; c < IN; c++)
        for (int k = 0; k < OUT * TAPS; k++) down.pass.theta[k * IN + c] = up.pass.theta[c * OUT * TAPS + k];
    memcpy(down.pass.c, up.pass.x[0], ROWS * down.pass.d_out * sizeof(bnn_real));
    bnn_layer_pass_forward(&up.pass, ROWS);
    bnn_layer_pass_zero_gradients(&down.pass);
    bnn_layer_pass_gradient(&down.pass);
    ck_assert_mem_eq(up.pass.y, down.pass.dx[0], ROWS * up.pass.d_out * sizeof(bnn_real));
    node_close(&up), node_close(&down);
}
END_TEST

/* With a kernel of the size of the image Gaussian weights are those of gaussian_dense: the same KL, and the same mean but for rounding. */
START_TEST(one_pixel_is_gaussian_dense) {
    node conv, dense;
    node_open("input:2x3x3; gaussian_conv2d:4", 3, BNN_MEAN, &conv);
    node_open("a = input:18; gaussian_dense:4", 3, BNN_MEAN, &dense);
    const size_t n = (size_t)conv.pass.l->n_theta;
    ck_assert_int_eq(conv.pass.l->n_theta, dense.pass.l->n_theta);
    memcpy(dense.pass.theta, conv.pass.theta, n * sizeof(bnn_real));
    memcpy(dense.pass.x[0], conv.pass.x[0], 3 * conv.pass.d_in[0] * sizeof(bnn_real));
    memcpy(dense.pass.c, conv.pass.c, 3 * conv.pass.d_out * sizeof(bnn_real));
    bnn_layer_pass_gradient(&conv.pass), bnn_layer_pass_gradient(&dense.pass);
    ck_assert(conv.pass.penalty == dense.pass.penalty);
    for (size_t i = 0; i < 3 * conv.pass.d_out; i++)
        ck_assert_double_eq_tol((double)conv.pass.y[i], (double)dense.pass.y[i], ROUNDING);
    node_close(&conv), node_close(&dense);
}
END_TEST

/* The signs of flipout are those of channels: where all pixels are alike, all pixels of a result are. */
START_TEST(signs_are_those_of_channels) {
    enum { ROWS = 8, PIXELS = 12 };
    node n;
    node_open("input:2x3x4; gaussian_conv2d:3,kernel=1,sd0=1", ROWS, BNN_ROWS, &n);
    for (size_t i = 0; i < ROWS * n.pass.d_in[0]; i++) n.pass.x[0][i] = (bnn_real)1 + (bnn_real)(i / PIXELS);
    bnn_layer_pass_forward(&n.pass, ROWS);
    for (size_t i = 0; i < ROWS * n.pass.d_out; i++) ck_assert(n.pass.y[i] == n.pass.y[i / PIXELS * PIXELS]);
    node_close(&n);
}
END_TEST

/* With groups=inputs each channel of an image has a scale, whatever the kernel reads of it. */
START_TEST(inputs_are_channels) {
    static const struct {
        const char *net;
        int node, scales;
    } known[] = {{"input:5x6x7; conv2d:3", 1, 5}, {"input:5x6x7; conv_transpose2d:3", 1, 5}, {"input:5x6x7; flatten; dense:3", 2, 210}};
    bnn_prior prior;
    ck_assert_int_eq(bnn_prior_new("hierarchical:groups=inputs", &prior), BNN_OK);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        bnn_spec_net t;
        test_net_open(known[i].net, &t);
        const bnn_layer *l = &t.net->node[known[i].node].layer;
        const bnn_prior_block kernel = bnn_layer_prior_block(l, &l->plan.param[0]), bias = bnn_layer_prior_block(l, &l->plan.param[1]);
        ck_assert_int_eq(bnn_prior_vtable(&prior)->n_scales(&prior, &kernel), known[i].scales);
        ck_assert_int_eq(bnn_prior_vtable(&prior)->n_scales(&prior, &bias), 1);
        bnn_spec_net_close(&t);
    }
    bnn_prior_free(&prior);
}
END_TEST

START_TEST(misfits_are_refused_in_a_sentence) {
    static const struct {
        const char *net, *sentence;
    } refused[] = {
        {"input:12; conv2d:3", "node 'conv2d_1' (conv2d): takes images [channels x height x width], but its input has shape [12]"},
        {"input:2x3x8; conv2d:3,kernel=5,padding=0", "has kernel=5 and padding=0, which do not fit its input of shape [2x3x8]"},
        {"input:2x3x8; conv2d:3,kernel=3,padding=3", "padding=3 must be smaller than kernel=3"},
        {"input:2x3x8; conv2d; relu", "option 'channels' may be left out only at the end of a network"},
        {"input:2x1x1; conv_transpose2d:3,3,1,2", "has kernel=3 and padding=2, which leave nothing of its input of shape [2x1x1]"},
        {"input:2000x1x1; conv2d:1000000,kernel=1", "has 2e+09 weights: too many"},
        {"input:2x30000x30000; conv_transpose2d:1,kernel=1,stride=100", "has more than 2^30 parameters or units"},
        {"input:2x3x3; gaussian_conv2d:2,kernel=4", "node 'gaussian_conv2d_1' (gaussian_conv2d): has kernel=4 and padding=0"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        test_net_refused(refused[i].net);
        ck_assert_msg(strstr(bnn_error(), refused[i].sentence), "'%s' is refused with: %s", refused[i].net, bnn_error());
    }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {a_transpose_is_a_gradient, one_pixel_is_gaussian_dense,       signs_are_those_of_channels,
                                  inputs_are_channels,       misfits_are_refused_in_a_sentence, NULL};
    return run_tests("conv_layers", tests);
}
