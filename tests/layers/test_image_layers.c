/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_image_layers.c: what layers of images compute, by hand and by plain loops. What the contract promises of every layer is in conform.c.
 */
#include "helpers.h"

#include <stdio.h>

/* The pass of the last node of a net whose other node is the input, over one row that holds x; dy is 1, 2, 3, ... and all gradients are
 * taken. */
typedef struct {
    bnn_spec_net t;
    bnn_layer_pass p;
} image;

static void image_open(const char *net, const double *x, image *out) {
    test_net_open(net, &out->t);
    layer_pass_open(out->t.net, 1, 1, BNN_MEAN, bnn_rng_seed(30), &out->p);
    bnn_net_init(out->t.net, bnn_rng_seed(30), out->p.theta);
    for (size_t i = 0; x && i < out->p.d_in[0]; i++) out->p.x[0][i] = (bnn_real)x[i];
    for (size_t i = 0; i < out->p.d_out; i++) out->p.c[i] = (bnn_real)(i + 1);
    bnn_layer_pass_gradient(&out->p);
}

static void image_close(image *a) {
    layer_pass_close(&a->p);
    bnn_spec_net_close(&a->t);
}

static void holds(const char *net, const char *what, const bnn_real *is, size_t n, const double *should) {
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(fabs((double)is[i] - should[i]) <= ROUNDING * (1 + fabs(should[i])), "%s: %s[%zu] is %.9g, not %.9g", net, what, i,
                      (double)is[i], should[i]);
}

/* ---------------------------------------------------------------- windows */

/* In a tie the first has the gradient, row by row; pixels beyond the border are never the largest. */
START_TEST(layers_compute_what_they_say) {
    enum { MOST = 16 };
    const struct {
        const char *net;
        double x[MOST], y[MOST], dx[MOST];
    } known[] = {
        {"input:1x2x4; maxpool2d", {1, 5, 3, 3, 5, 2, 3, 3}, {5, 3}, {0, 1, 2, 0, 0, 0, 0, 0}},
        {"input:1x3x3; maxpool2d", {1, 2, 9, 4, 3, 9, 9, 9, 9}, {4}, {0, 0, 0, 1}},
        {"input:1x2x2; maxpool2d:2,padding=1", {-1, -2, -3, -4}, {-1, -2, -3, -4}, {1, 2, 3, 4}},
        {"input:2x1x3; maxpool2d:0", {-3, -1, -2, 7, 7, 0}, {-1, 7}, {0, 1, 0, 2}},
        {"input:1x1x4; maxpool2d:2,stride=1,padding=1", {1, 4, 2, 3}, {1, 4, 4, 3, 3, 1, 4, 4, 3, 3}, {7, 20, 0, 28}},
        {"input:1x2x4; avgpool2d", {1, 5, 3, 3, 5, 2, 3, 3}, {3.25, 3}, {.25, .25, .5, .5, .25, .25, .5, .5}},
        {"input:1x2x2; avgpool2d:3,stride=2,padding=1", {1, 2, 3, 4}, {2.5}, {.25, .25, .25, .25}},
        {"input:2x1x3; avgpool2d:0", {1, 2, 6, 0, 0, 3}, {3, 1}, {1. / 3, 1. / 3, 1. / 3, 2. / 3, 2. / 3, 2. / 3}},
        {"input:1x1x2; upsample2d", {3, 7}, {3, 3, 7, 7, 3, 3, 7, 7}, {1 + 2 + 5 + 6, 3 + 4 + 7 + 8}},
        {"input:1x1x2; upsample2d:kind=bilinear", {0, 4}, {0, 1, 3, 4, 0, 1, 3, 4}, {6 * 1 + 8 * .75 + 10 * .25, 8 * .25 + 10 * .75 + 12}},
        {"input:1x2x1; upsample2d:3,bilinear", {0, 3}, {0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3}, {48, 123}},
        {"input:3; sigmoid", {0, -800, log(3)}, {.5, 0, .75}, {.25, 0, 3 * .1875}},
        {"input:3; gelu", {0, 1, -40}, {0, 0.84134474606854293, 0}, {.5, 2 * (0.84134474606854293 + 0.24197072451914337)}},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        image a;
        image_open(known[i].net, known[i].x, &a);
        holds(known[i].net, "y", a.p.y, a.p.d_out < MOST ? a.p.d_out : MOST, known[i].y);
        holds(known[i].net, "dx", a.p.dx[0], a.p.d_in[0], known[i].dx);
        image_close(&a);
    }
}
END_TEST

/* Largest and mean of the pixels of window (v,u) of a plane [H,W]. */
static void look_through(const bnn_real *x, int height, int width, int top, int left, int size, double *largest, double *mean) {
    int n = 0;
    *largest = -INFINITY, *mean = 0;
    for (int i = top; i < top + size; i++)
        for (int j = left; j < left + size; j++) {
            if (i < 0 || i >= height || j < 0 || j >= width) continue;
            *largest = fmax(*largest, (double)x[i * width + j]);
            *mean += (double)x[i * width + j], n++;
        }
    *mean /= n;
}

/* Every window that fits, on images of two channels. */
static void compare_windows(int height, int width, int size, int stride, int padding) {
    for (int kind = 0; kind < 2; kind++) {
        char net[96];
        image a;
        snprintf(net, sizeof net, "input:2x%dx%d; %s:%d,%d,%d", height, width, kind ? "avgpool2d" : "maxpool2d", size, stride, padding);
        image_open(net, NULL, &a);
        const bnn_shape out = a.p.l->plan.out;
        ck_assert_msg(
            bnn_shape_equal(out, bnn_shape_image(2, (height + 2 * padding - size) / stride + 1, (width + 2 * padding - size) / stride + 1)),
            "%s has %d rows and %d columns", net, out.d[1], out.d[2]);
        for (int i = 0; i < bnn_shape_size(out); i++) {
            int channel = i / (out.d[1] * out.d[2]), v = i / out.d[2] % out.d[1], u = i % out.d[2];
            double y[2];
            look_through(a.p.x[0] + channel * height * width, height, width, v * stride - padding, u * stride - padding, size, &y[0],
                         &y[1]);
            holds(net, "y", a.p.y + i, 1, &y[kind]);
        }
        image_close(&a);
    }
}

START_TEST(windows_are_those_of_plain_loops) {
    for (int height = 1; height <= 4; height++)
        for (int width = 1; width <= 9; width += 4)
            for (int size = 1; size <= 4; size++)
                for (int stride = 1; stride <= 3; stride++)
                    for (int padding = 0; padding < size; padding++)
                        if (size <= height + 2 * padding && size <= width + 2 * padding)
                            compare_windows(height, width, size, stride, padding);
}
END_TEST

/* ---------------------------------------------------------------- norms */

enum { CHANNELS = 4, PLANE = 6, IMAGES = 5 };

/* (x - mean) / sqrt(v + eps) of a plane of x, with moments over these channels of all rows from .. to. */
static void normalise(const bnn_layer_pass *p, int from, int to, int channel, int share, bool centre, double eps, double *mean,
                      double *var) {
    double n = 0;
    *mean = *var = 0;
    for (int second = 0; second < 2; second++) {
        n = 0;
        for (int r = from; r < to; r++)
            for (int i = channel / share * share * PLANE; i < (channel / share + 1) * share * PLANE; i++, n++) {
                double x = (double)p->x[0][r * CHANNELS * PLANE + i];
                *(second ? var : mean) += second ? (x - *mean) * (x - *mean) : centre ? x : 0;
            }
        *(second ? var : mean) /= n;
    }
    *var += eps;
}

/* Plain loops in double: groups of `share` channels within an image, or channels over the batch. */
START_TEST(norms_are_those_of_plain_loops) {
    static const struct {
        const char *options;
        int share;
        bool centre, batch;
        double eps;
    } norms[] = {{"norm2d", 1, true, false, 1e-5},
                 {"norm2d:2", 2, true, false, 1e-5},
                 {"norm2d:1,eps=0.1", 4, true, false, 0.1},
                 {"norm2d:centre=no", 1, false, false, 1e-5},
                 {"batchnorm2d", 1, true, true, 1e-5}};
    for (size_t k = 0; k < sizeof norms / sizeof *norms; k++) {
        char net[64];
        bnn_spec_net t;
        bnn_layer_pass p;
        snprintf(net, sizeof net, "input:%dx2x3; %s", CHANNELS, norms[k].options);
        test_net_open(net, &t);
        layer_pass_open(t.net, 1, IMAGES, BNN_MEAN, bnn_rng_seed(31), &p);
        for (int i = 0; i < IMAGES * CHANNELS * PLANE; i++) p.x[0][i] += 3;
        bnn_layer_pass_forward(&p, IMAGES);
        for (int i = 0; i < IMAGES * CHANNELS * PLANE; i++) {
            int r = i / (CHANNELS * PLANE), c = i / PLANE % CHANNELS;
            double mean, var;
            normalise(&p, norms[k].batch ? 0 : r, norms[k].batch ? IMAGES : r + 1, c, norms[k].share, norms[k].centre, norms[k].eps, &mean,
                      &var);
            double y = (double)p.theta[c] * ((double)p.x[0][i] - mean) / sqrt(var) + (double)p.theta[CHANNELS + c];
            holds(net, "y", p.y + i, 1, &y);
        }
        layer_pass_close(&p);
        bnn_spec_net_close(&t);
    }
}
END_TEST

/* Out of training a batch norm is the factor and the shift that channel_affine documents. */
START_TEST(a_frozen_batch_norm_is_a_channel_affine) {
    bnn_spec_net t, u;
    bnn_layer_pass norm, affine;
    test_net_open("input:4x2x3; batchnorm2d:eps=0.25", &t);
    test_net_open("input:4x2x3; channel_affine", &u);
    layer_pass_open(t.net, 1, IMAGES, BNN_MEAN, bnn_rng_seed(32), &norm);
    layer_pass_open(u.net, 1, IMAGES, BNN_MEAN, bnn_rng_seed(32), &affine);
    norm.io.train = false;
    for (int c = 0; c < CHANNELS; c++) {
        const bnn_real *theta = norm.theta + c;
        affine.theta[c] = (bnn_real)((double)theta[0] / sqrt(fmax((double)theta[3 * CHANNELS], 0) + 0.25));
        affine.theta[CHANNELS + c] = theta[CHANNELS] - affine.theta[c] * theta[2 * CHANNELS];
    }
    bnn_layer_pass_gradient(&norm);
    bnn_layer_pass_gradient(&affine);
    for (int i = 0; i < IMAGES * CHANNELS * PLANE; i++) {
        ck_assert_double_eq_tol((double)norm.y[i], (double)affine.y[i], 10 * ROUNDING);
        ck_assert_double_eq_tol((double)norm.dx[0][i], (double)affine.dx[0][i], 10 * ROUNDING);
    }
    layer_pass_close(&norm), layer_pass_close(&affine);
    bnn_spec_net_close(&t), bnn_spec_net_close(&u);
}
END_TEST

/* Images of noise with real targets. */
static bnn_data *images_new(bnn_table **table) {
    enum { N = 12 };
    bnn_real x[N * CHANNELS * PLANE];
    ck_assert_int_eq(bnn_table_new(N, bnn_shape_image(CHANNELS, 2, 3), 1, 0, table), BNN_OK);
    bnn_rng_normal(bnn_rng_seed(33), 0, N, CHANNELS * PLANE, x);
    for (int i = 0; i < N * CHANNELS * PLANE; i++) (*table)->x[i] = (double)x[i];
    for (int i = 0; i < N; i++) (*table)->y[i] = (double)x[i];
    return data_new(*table);
}

/* Point and dropout engines train it; each engine that samples names it. */
START_TEST(samplers_refuse_a_batch_norm) {
    static const char *const trained[] = {"map:epochs=2", "mc_dropout:epochs=2", "ensemble:engine=map{epochs=1},members=2"},
                             *const refused[] = {"hmc", "nuts", "sgld", "sghmc", "svgd"};
    bnn_table *table;
    bnn_data *data = images_new(&table);
    bnn_config config = {.net = "batchnorm2d; flatten; dense", .seed = 3};
    bnn_run *run;
    for (size_t i = 0; i < sizeof trained / sizeof *trained; i++) {
        config.engine = trained[i];
        ck_assert_msg(bnn_fit(&config, data, &run) == BNN_OK, "%s", bnn_error());
        bnn_run_free(run);
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        config.engine = refused[i];
        SAYS(bnn_fit(&config, data, &run), "does not train layers that remember batches: leave out 'batchnorm2d_1' (batchnorm2d)");
    }
    bnn_data_free(data);
    bnn_table_free(table);
}
END_TEST

/* Gates for each pixel whose p is fixed, gates that a dense layer reads, and those of channels. */
START_TEST(other_gates_may_stand_before_a_convolution) {
    static const char *const taken[] = {"input:2x4x4; dropout; conv2d:2", "input:2x4x4; spatial_concrete_dropout; conv2d:2",
                                        "input:2x1x1; concrete_dropout; conv2d:2,kernel=1",
                                        "input:2x4x4; conv2d:3; concrete_dropout; flatten; dense:2"};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        bnn_spec_net t;
        test_net_open(taken[i], &t);
        bnn_spec_net_close(&t);
    }
}
END_TEST

START_TEST(misfits_are_refused_in_a_sentence) {
    static const struct {
        const char *net, *sentence;
    } refused[] = {
        {"input:12; maxpool2d", "node 'maxpool2d_1' (maxpool2d): takes images [channels x height x width], but its input has shape [12]"},
        {"input:1x2x3x2; upsample2d", "(upsample2d): takes images [channels x height x width], but its input has shape [1x2x3x2]"},
        {"input:3x2x8; a = avgpool2d:3",
         "node 'a' (avgpool2d): has windows of 3x3, which do not fit into its input of shape [3x2x8] with a padding of 0"},
        {"input:3x8x8; maxpool2d:2,padding=2", "has a padding of 2, which must be less than the size of the windows, 2"},
        {"input:2x4x3; concrete_dropout; conv2d:2",
         "node 'conv2d_1' (conv2d): reads node 'concrete_dropout_1' (concrete_dropout), which learns p by the entropy of a gate for each "
         "of the "
         "24 numbers of an image, where a convolution needs one for each of the 2 channels: put 'spatial_concrete_dropout' in its place"},
        {"a = input:2x4x4; b = concrete_dropout; relu; c = maxpool2d:1; concat(a, c); norm2d; d = conv2d:2",
         "node 'd' (conv2d): reads node 'b' (concrete_dropout)"},
        {"input:4x2x2; norm2d:3", "(norm2d): has 3 groups, into which the 4 channels of its input of shape [4x2x2] cannot be divided"},
        {"input:6x1x1; norm2d", "(norm2d): has groups of one number on its input of shape [6x1x1]"},
        {"input:6; batchnorm2d", "(batchnorm2d): takes images [channels x height x width], but its input has shape [6]"},
        {"input:3x8x8; maxpool2d:0,stride=1", "has one window, size 0, which is all of its input of shape [3x8x8]: leave out 'stride'"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        test_net_refused(refused[i].net);
        ck_assert_msg(strstr(bnn_error(), refused[i].sentence), "'%s' is refused with: %s", refused[i].net, bnn_error());
    }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {layers_compute_what_they_say,      windows_are_those_of_plain_loops,
                                  norms_are_those_of_plain_loops,    a_frozen_batch_norm_is_a_channel_affine,
                                  samplers_refuse_a_batch_norm,      other_gates_may_stand_before_a_convolution,
                                  misfits_are_refused_in_a_sentence, NULL};
    return run_tests("image_layers", tests);
}
