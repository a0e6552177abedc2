/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Passes that leave something out give what whole passes give.
 */
#include "helpers.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>

enum { ROWS = 37 };

/* A workspace without gradients may leave out what gates have dropped, one with gradients never does. */
static double largest_difference(const char *text, bnn_mode mode, uint64_t seed, bool *same_bits) {
    bnn_spec_net t;
    bnn_workspace *pruned, *whole;
    test_net_open(text, &t);
    size_t in = (size_t)bnn_layer_size_out(&t.net->node[0].layer), out = (size_t)bnn_layer_size_out(&t.net->node[t.net->n_nodes - 1].layer);
    bnn_real *x = reals_new(ROWS * in), *theta = reals_new((size_t)t.net->n_theta);
    bnn_rng_normal(bnn_rng_seed(seed), 0, ROWS, (int)in, x);
    bnn_rng_normal(bnn_rng_seed(seed + 100), 0, 1, t.net->n_theta, theta);
    ck_assert_int_eq(bnn_workspace_new(t.net, ROWS, BNN_FORWARD, &pruned), BNN_OK);
    ck_assert_int_eq(bnn_workspace_new(t.net, ROWS, BNN_TO_THETA, &whole), BNN_OK);
    bnn_net_prepare(t.net, pruned, theta, mode, false, bnn_rng_seed(seed));
    bnn_net_prepare(t.net, whole, theta, mode, false, bnn_rng_seed(seed));
    const bnn_real *a = bnn_net_forward(t.net, pruned, ROWS, 0, x), *b = bnn_net_forward(t.net, whole, ROWS, 0, x);
    double worst = 0, largest = 0;
    for (size_t i = 0; i < ROWS * out; i++) {
        worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
        largest = fmax(largest, fabs((double)b[i]));
    }
    ck_assert(largest > 0);
    *same_bits = memcmp(a, b, ROWS * out * sizeof *a) == 0;
    bnn_workspace_free(pruned), bnn_workspace_free(whole);
    reals_free(x), reals_free(theta);
    bnn_spec_net_close(&t);
    return worst / largest;
}

static const char *const nets[] = {
    "input:64; dropout:0.5; dense:64; relu; dropout:0.5; dense:64; tanh; dropout:0.3; dense:80",
    "input:100; dense:90; relu; dropout:0.5; dense:3",                                        /* columns alone: the last kernel is small */
    "input:64; dense:64; relu; dropout:0.4; dense:64; relu; softplus; dropout:0.4; dense:64", /* two elementwise layers */
    "input:64; dropout:0.5; dense:64; h = relu; d = dropout:0.5(h); e = dense:64(d); add(e, h)", /* h is read twice: it stays whole */
    "input:64; d = dropout:0.5; e = dense:64(d); add(e, d)",
    "input:64; a = dropout:0.5; b = dense:70(a); c = dense:70(a); add(b, c)", /* two readers of a gate */
    "input:64; a = dense:64; dropout:0.5(a); b = dense:64; c = relu(b); d = relu(a); e = dropout:0.5(d); f = dense:64(e); concat(c, f)",
    "input:64; concrete_dropout:p=0.5; dense:64; relu; concrete_dropout:p=0.5; dense:64",
    "input:64; gaussian_dropout; dense:64; relu; dropout:0.5; gaussian_dense:64",
    "input:8x8; dropout:0.5; flatten; dense:64; dropout:0.9; dense:64",
    "input:64; relu; dropout:0.5; dense:64,bias=no; dropout:0.02; dense:64", /* the second gate drops too little */
    "input:64; dropout:0.999; dense:64; dropout:0.999; dense:64",            /* nothing may be left */
    "input:13; dense:50; relu; dropout:0.05; dense:1",                       /* two zeros save a vector of a row */
};

START_TEST(what_gates_drop_is_left_out) {
    bool same;
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++)
        for (uint64_t seed = 1; seed <= 5; seed++) {
            double error = largest_difference(nets[i], BNN_DRAW, seed, &same);
            ck_assert_msg(error < 10 * ROUNDING, "%s, seed %d: differs by %g", nets[i], (int)seed, error);
            largest_difference(nets[i], BNN_ROWS, seed, &same);
            ck_assert_msg(same, "%s: fresh gates for every row leave nothing out", nets[i]);
        }
}
END_TEST

/* Products of less than a vector's width either way run in the same tiles: no bit changes. */
START_TEST(leaving_out_zeros_changes_no_bit) {
    bool same;
    largest_difference("input:64; dropout:0.5; dense:200; relu; dropout:0.5; dense:100", BNN_DRAW, 1, &same);
    ck_assert(same);
}
END_TEST

/* y and dU/dx of a pass on so many threads, in one array. */
static bnn_real *whole_pass(const char *text, int threads, size_t *size) {
    bnn_spec_net t;
    bnn_workspace *ws;
    test_net_open(text, &t);
    size_t in = (size_t)bnn_layer_size_out(&t.net->node[0].layer), out = (size_t)bnn_layer_size_out(&t.net->node[t.net->n_nodes - 1].layer);
    bnn_real *x = reals_new(ROWS * in), *both = reals_new(ROWS * (in + out));
    omp_set_num_threads(threads);
    bnn_rng_normal(bnn_rng_seed(3), 0, ROWS, (int)in, x);
    ck_assert_int_eq(bnn_workspace_new(t.net, ROWS, BNN_TO_X, &ws), BNN_OK);
    bnn_net_prepare(t.net, ws, NULL, BNN_ROWS, true, bnn_rng_seed(4));
    memcpy(both, bnn_net_forward(t.net, ws, ROWS, 0, x), ROWS * out * sizeof *both);
    bnn_rng_normal(bnn_rng_seed(5), 0, ROWS, (int)out, bnn_net_df(t.net, ws));
    bnn_net_backward(t.net, ws, NULL);
    memcpy(both + ROWS * out, bnn_net_dx(t.net, ws), ROWS * in * sizeof *both);
    omp_set_num_threads(omp_get_num_procs());
    bnn_workspace_free(ws);
    reals_free(x);
    bnn_spec_net_close(&t);
    *size = ROWS * (in + out) * sizeof *both;
    return both;
}

/* Rows that are cut into parts for all threads give what they give in one piece: pass by pass, since parts meet in time by chance. */
START_TEST(parts_of_rows_have_the_bits_of_the_whole) {
    static const char *const layers[] = {"maxpool2d:3,stride=1", "avgpool2d:3,stride=1", "upsample2d:2", "gelu", "dropout:0.5", NULL};
    for (int i = 0; layers[i]; i++) {
        char text[80];
        size_t size;
        snprintf(text, sizeof text, "input:8x32x32; %s", layers[i]);
        bnn_real *one = whole_pass(text, 1, &size);
        for (int again = 0; again < 20; again++) {
            bnn_real *three = whole_pass(text, 3, &size);
            ck_assert_msg(memcmp(one, three, size) == 0, "%s: three threads give other bits", text);
            reals_free(three);
        }
        reals_free(one);
    }
}
END_TEST

static void same_after_prefix(const char *text, bnn_mode mode, size_t size) {
    bnn_spec_net t;
    bnn_workspace *ws, *other;
    test_net_open(text, &t);
    size_t in = (size_t)bnn_layer_size_out(&t.net->node[0].layer), out = (size_t)bnn_layer_size_out(&t.net->node[t.net->n_nodes - 1].layer);
    bnn_real *x = reals_new(ROWS * in), *theta = reals_new((size_t)t.net->n_theta), *prefix = reals_new(ROWS * size);
    ck_assert_uint_eq(bnn_net_prefix_size(t.net), size);
    bnn_rng_normal(bnn_rng_seed(1), 0, ROWS, (int)in, x);
    bnn_net_init(t.net, bnn_rng_seed(2), theta);
    ck_assert_int_eq(bnn_workspace_new(t.net, ROWS, BNN_FORWARD, &ws), BNN_OK);
    ck_assert_int_eq(bnn_workspace_new(t.net, ROWS, BNN_FORWARD, &other), BNN_OK);
    bnn_net_prepare(t.net, other, theta, mode, false, bnn_rng_seed(7));
    bnn_net_prefix(t.net, other, ROWS, 0, x, prefix);
    for (uint64_t draw = 0; draw < 3; draw++) {
        bnn_net_prepare(t.net, ws, theta, mode, false, bnn_rng_seed(draw));
        bnn_net_prepare(t.net, other, theta, mode, false, bnn_rng_seed(draw));
        const bnn_real *a = bnn_net_forward(t.net, ws, ROWS, 5, x), *b = bnn_net_forward_after(t.net, other, ROWS, 5, x, prefix);
        ck_assert_msg(memcmp(a, b, ROWS * out * sizeof *a) == 0, "%s: draw %d after a prefix", text, (int)draw);
    }
    const bnn_real *a = bnn_net_forward(t.net, ws, ROWS, 5, x);
    for (size_t i = 0; i < ROWS * in; i++) x[i] = -x[i];
    bnn_net_forward(t.net, other, ROWS, 5, x); /* a whole pass on other rows leaves the prefix as it was */
    const bnn_real *b = bnn_net_forward_after(t.net, other, ROWS, 5, x, prefix);
    if (size > 0) ck_assert_msg(memcmp(a, b, ROWS * out * sizeof *a) == 0, "%s: a pass between two with the prefix", text);
    bnn_workspace_free(ws), bnn_workspace_free(other);
    reals_free(x), reals_free(theta), reals_free(prefix);
    bnn_spec_net_close(&t);
}

START_TEST(a_prefix_changes_no_bit) {
    for (int m = 0; m < 2; m++) {
        bnn_mode mode = m ? BNN_DRAW : BNN_ROWS;
        same_after_prefix("input:5; dense:9; relu; dropout:0.5; dense:3", mode, 9);
        same_after_prefix("input:5; dropout:0; dense:90; relu; dropout:0.5; dense:90; relu; dropout:0.3; dense:90", mode, 90);
        same_after_prefix("input:5; a = dense:4; b = tanh; c = dropout:0.5; concat(c, a)", mode, 8);
        same_after_prefix("input:5; dropout:0.5; dense:4", mode, 0);
        same_after_prefix("input:5; dense:4", mode, 0);
        same_after_prefix("input:64; a = dense:64; b = dropout:0.5; c = dense:64; d = relu(a); e = dropout:0.5(d); f = dense:64; add(c, f)",
                          mode, 64);
    }
}
END_TEST

/* Large batches are worked on in pieces: what comes out is what rows that come alone give. */
START_TEST(rows_in_pieces_are_rows) {
    enum { MANY = 80, IN = 600, OUT = 2 };
    bnn_spec_net t;
    bnn_workspace *all, *one;
    test_net_open("input:600; d = dense:600; dropout:0.5; dense:20; relu; dropout:0.3; dense:2", &t);
    size_t n = (size_t)t.net->n_theta;
    bnn_real *x = reals_new(MANY * IN), *theta = reals_new(n), *of_all = reals_new(n), *of_rows = reals_new(n);
    bnn_rng_normal(bnn_rng_seed(1), 0, MANY, IN, x);
    bnn_rng_normal(bnn_rng_seed(2), 0, 1, t.net->n_theta, theta);
    ck_assert_int_eq(bnn_workspace_new(t.net, MANY, BNN_TO_THETA, &all), BNN_OK);
    ck_assert_int_eq(bnn_workspace_new(t.net, 1, BNN_TO_THETA, &one), BNN_OK);
    bnn_net_prepare(t.net, all, theta, BNN_ROWS, true, bnn_rng_seed(3));
    bnn_net_prepare(t.net, one, theta, BNN_ROWS, true, bnn_rng_seed(3));
    const bnn_real *y = bnn_net_forward(t.net, all, MANY, 0, x);
    double most = 0;
    for (size_t i = 0; i < MANY * OUT; i++) bnn_net_df(t.net, all)[i] = 1;
    bnn_net_backward(t.net, all, of_all);
    for (int r = 0; r < MANY; r++) {
        const bnn_real *alone = bnn_net_forward(t.net, one, 1, (uint64_t)r, x + r * IN);
        ck_assert_mem_eq(alone, y + r * OUT, OUT * sizeof *y);
        for (size_t i = 0; i < OUT; i++) bnn_net_df(t.net, one)[i] = 1;
        bnn_net_backward(t.net, one, of_rows);
    }
    for (size_t i = 0; i < n; i++) most = fmax(most, fabs((double)of_rows[i]));
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(fabs((double)of_all[i] - (double)of_rows[i]) < 100 * ROUNDING * most, "gradient %zu: %g, of rows %g", i,
                      (double)of_all[i], (double)of_rows[i]);
    bnn_workspace_free(all), bnn_workspace_free(one);
    reals_free(x), reals_free(theta), reals_free(of_all), reals_free(of_rows);
    bnn_spec_net_close(&t);
}
END_TEST

/* The sum of c f over a pass, and what it depends on. */
typedef struct {
    const bnn_net *net;
    bnn_workspace *ws;
    bnn_mode mode;
    const bnn_real *theta, *c;
    bnn_real *x;
} projection;

enum { FEW = 3 };

static double project(void *of) {
    const projection *p = of;
    size_t out = (size_t)bnn_layer_size_out(&p->net->node[p->net->n_nodes - 1].layer);
    bnn_net_prepare(p->net, p->ws, p->theta, p->mode, false, bnn_rng_seed(5));
    const bnn_real *f = bnn_net_forward(p->net, p->ws, FEW, 0, p->x);
    double sum = 0;
    for (size_t i = 0; i < FEW * out; i++) sum += (double)p->c[i] * (double)f[i];
    return sum;
}

static void assert_dx(projection *p, const char *text, size_t in, size_t out) {
    double largest = 0, size = 0, *slope = calloc(FEW * in, sizeof *slope);
    bool *kinked = calloc(FEW * in, sizeof *kinked);
    for (size_t i = 0; i < FEW * in; i++) {
        slope[i] = bnn_difference(project, p, &p->x[i], &kinked[i]);
        largest = fmax(largest, fabs(slope[i]));
    }
    project(p);
    memcpy(bnn_net_df(p->net, p->ws), p->c, FEW * out * sizeof *p->c);
    bnn_net_backward(p->net, p->ws, NULL);
    const bnn_real *dx = bnn_net_dx(p->net, p->ws);
    for (size_t i = 0; i < FEW * out; i++) size += fabs((double)p->c[i]);
    for (size_t i = 0; i < FEW * in; i++)
        ck_assert_msg(kinked[i] || fabs((double)dx[i] - slope[i]) <=
                                       GRADIENT_TOLERANCE * largest + 16 * REAL_EPSILON * size * (1 + largest) / DIFFERENCE_STEP,
                      "%s, mode %d: dx[%zu] is %.9g, differences say %.9g", text, (int)p->mode, i, (double)dx[i], slope[i]);
    free(slope), free(kinked);
}

static void check_dx(const char *text, bnn_mode mode) {
    bnn_spec_net t;
    test_net_open(text, &t);
    size_t in = (size_t)bnn_layer_size_out(&t.net->node[0].layer), out = (size_t)bnn_layer_size_out(&t.net->node[t.net->n_nodes - 1].layer);
    bnn_real *x = reals_new(FEW * in), *c = reals_new(FEW * out), *theta = reals_new((size_t)t.net->n_theta);
    bnn_rng_normal(bnn_rng_seed(1), 0, FEW, (int)in, x);
    bnn_rng_normal(bnn_rng_seed(2), 0, FEW, (int)out, c);
    bnn_net_init(t.net, bnn_rng_seed(3), theta);
    projection p = {.net = t.net, .mode = mode, .theta = theta, .c = c, .x = x};
    ck_assert_int_eq(bnn_workspace_new(t.net, FEW, BNN_TO_X, &p.ws), BNN_OK);
    assert_dx(&p, text, in, out);
    bnn_workspace_free(p.ws);
    reals_free(x), reals_free(c), reals_free(theta);
    bnn_spec_net_close(&t);
}

/* Nets whose first layer has no parameters, whose inputs are read twice, or that are nothing but the input; then those of every layer. */
START_TEST(gradients_reach_the_inputs) {
    static const char *const more[] = {"input:4",
                                       "input:4; relu",
                                       "input:2x3; flatten; dense:3; tanh; dense:2",
                                       "input:6; dropout:0.4; dense:5; tanh",
                                       "x = input:3; a = dense:3; b = tanh; add(x, b)",
                                       "x = input:3; a = tanh; concat(x, a, x)"};
    for (int mode = BNN_MEAN; mode <= BNN_DRAW; mode++) {
        for (size_t i = 0; i < sizeof more / sizeof *more; i++) check_dx(more[i], (bnn_mode)mode);
        for (const bnn_type *t = NULL; (t = bnn_type_next(BNN_LAYER, t));)
            for (int i = 0; t->checks[i]; i++) check_dx(t->checks[i], (bnn_mode)mode);
    }
}
END_TEST

/* A workspace that reaches to theta alone has no gradient of x, and the same gradient of theta. */
START_TEST(the_way_to_x_changes_no_gradient_of_theta) {
    bnn_spec_net t;
    test_net_open("input:6; dropout:0.4; dense:5; tanh; dense:2", &t);
    size_t n = (size_t)t.net->n_theta;
    bnn_real *x = reals_new(FEW * 6), *theta = reals_new(n), *grad[2];
    bnn_rng_normal(bnn_rng_seed(1), 0, FEW, 6, x);
    bnn_net_init(t.net, bnn_rng_seed(3), theta);
    for (int k = 0; k < 2; k++) {
        bnn_workspace *ws;
        ck_assert_int_eq(bnn_workspace_new(t.net, FEW, k ? BNN_TO_X : BNN_TO_THETA, &ws), BNN_OK);
        bnn_net_prepare(t.net, ws, theta, BNN_ROWS, true, bnn_rng_seed(4));
        bnn_net_forward(t.net, ws, FEW, 0, x);
        for (int i = 0; i < FEW * 2; i++) bnn_net_df(t.net, ws)[i] = 1;
        bnn_net_backward(t.net, ws, grad[k] = reals_new(n));
        ck_assert_int_eq(bnn_net_dx(t.net, ws) != NULL, k);
        bnn_workspace_free(ws);
    }
    ck_assert_mem_eq(grad[0], grad[1], n * sizeof *theta);
    reals_free(x), reals_free(theta), reals_free(grad[0]), reals_free(grad[1]);
    bnn_spec_net_close(&t);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {what_gates_drop_is_left_out,
                                  leaving_out_zeros_changes_no_bit,
                                  parts_of_rows_have_the_bits_of_the_whole,
                                  a_prefix_changes_no_bit,
                                  rows_in_pieces_are_rows,
                                  gradients_reach_the_inputs,
                                  the_way_to_x_changes_no_gradient_of_theta,
                                  NULL};
    return run_tests("pass", tests);
}
