/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_images.c: what layers of images compute, by hand and by plain loops. What the contract promises of every layer is in conform.c.
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

START_TEST(misfits_are_refused_in_a_sentence) {
    static const struct {
        const char *net, *sentence;
    } refused[] = {
        {"input:12; maxpool2d", "node 'maxpool2d_1' (maxpool2d): takes images [channels x height x width], but its input has shape [12]"},
        {"input:1x2x3x2; upsample2d", "(upsample2d): takes images [channels x height x width], but its input has shape [1x2x3x2]"},
        {"input:3x2x8; a = avgpool2d:3",
         "node 'a' (avgpool2d): has windows of 3x3, which do not fit into its input of shape [3x2x8] with a padding of 0"},
        {"input:3x8x8; maxpool2d:2,padding=2", "has a padding of 2, which must be less than the size of the windows, 2"},
        {"input:3x8x8; maxpool2d:0,stride=1", "has one window, size 0, which is all of its input of shape [3x8x8]: leave out 'stride'"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        test_net_refused(refused[i].net);
        ck_assert_msg(strstr(bnn_error(), refused[i].sentence), "'%s' is refused with: %s", refused[i].net, bnn_error());
    }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {layers_compute_what_they_say, windows_are_those_of_plain_loops, misfits_are_refused_in_a_sentence, NULL};
    return run_tests("images", tests);
}
