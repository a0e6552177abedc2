/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_lanes.c: U of networks whose rows go side by side: the same as of rows in one workspace, in less memory, and the same bits at any
 * number of threads.
 */
#include "helpers.h"

#include <bnn/model.h>
#include <bnn/net.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 19, CHANNELS = 3, SIDE = 48, PIXELS = SIDE * SIDE, CLASSES = 4 };

/* Some images with maps of classes, and a model of them. */
typedef struct {
    bnn_table *table;
    bnn_data *data;
    bnn_model *model;
    bnn_real *x, *theta, *grad; /* grad: two */
} maps;

static void maps_open(const char *net, maps *out) {
    int row[ROWS];
    bnn_real noise[PIXELS];
    ck_assert_int_eq(bnn_table_new_images(ROWS, (bnn_shape){3, {CHANNELS, SIDE, SIDE}}, (bnn_shape){2, {SIDE, SIDE}}, CLASSES, &out->table),
                     0);
    for (int i = 0; i < ROWS * CHANNELS; i++) {
        bnn_rng_uniform(bnn_rng_seed(41), (uint64_t)i, 1, PIXELS, noise);
        for (int k = 0; k < PIXELS; k++) out->table->pixels[i * PIXELS + k] = (uint8_t)(256 * noise[k]);
    }
    for (int i = 0; i < ROWS; i++) row[i] = i;
    for (int i = 0; i < ROWS * PIXELS; i++) out->table->y[i] = i % (CLASSES + 1) - 1; /* void, too */
    ck_assert_int_eq(bnn_data_new(out->table, ROWS, row, NULL, &out->data), 0);
    const bnn_texts texts = {.net = net, .likelihood = "categorical", .prior = "gauss"};
    ck_assert_msg(bnn_model_new(&texts, out->data, &out->model) == 0, "%s", bnn_error());
    const size_t n = (size_t)out->model->n_theta;
    out->x = bnn_reals_new(bnn_data_room(out->data, ROWS)), out->theta = bnn_reals_new(n), out->grad = bnn_reals_new(2 * n);
    bnn_data_take(out->data, 0, ROWS, out->x);
    bnn_model_init(out->model, bnn_rng_seed(42), out->theta);
}

static void maps_close(maps *m) {
    free(m->x), free(m->theta), free(m->grad);
    bnn_model_free(m->model);
    bnn_data_free(m->data);
    bnn_table_free(m->table);
}

static bnn_terms u(const maps *m, bnn_workspace *ws, bnn_real *grad) {
    const bnn_objective objective = {.n_total = ROWS, .scale = 1, .kl_weight = 1, .mode = BNN_ROWS};
    return bnn_model_u(m->model, ws, &objective, bnn_rng_seed(43), m->theta, ROWS, m->x, m->data->y, grad);
}

static const char *const nets[] = {"conv2d:12,padding=1; relu; spatial_dropout:0.2; conv2d:kernel=1",
                                   "gaussian_conv2d:12,padding=1; relu; gaussian_conv2d:kernel=1,estimator=weight"};

START_TEST(lanes_are_rows_in_one_workspace) {
    maps m;
    bnn_workspace *lanes, *whole;
    maps_open(nets[_i], &m);
    const size_t n = (size_t)m.model->n_theta;
    ck_assert_int_eq(bnn_model_workspace_new(m.model, ROWS, &lanes), 0);
    ck_assert_int_eq(bnn_workspace_new(m.model->net, ROWS, BNN_TO_THETA, &whole), 0);
    ck_assert_int_eq(bnn_workspace_lanes(lanes), 10); /* two rounds, of at most 16 */
    ck_assert(bnn_model_workspace_bytes(m.model, ROWS) < bnn_workspace_bytes(m.model->net, ROWS, BNN_TO_THETA) * 2 / 3);
    bnn_terms a = u(&m, lanes, m.grad), b = u(&m, whole, m.grad + n);
    ck_assert_double_eq_tol(a.nll, b.nll, 10 * ROUNDING * b.nll);
    ck_assert(a.kl == b.kl && a.prior == b.prior);
    double size = 0, worst = 0;
    for (size_t i = 0; i < n; i++) {
        size = fmax(size, fabs((double)m.grad[n + i]));
        worst = fmax(worst, fabs((double)m.grad[i] - (double)m.grad[n + i]));
    }
    ck_assert_msg(worst <= 10 * ROUNDING * size, "gradients differ by %g of %g", worst, size);
    bnn_workspace_free(lanes), bnn_workspace_free(whole);
    maps_close(&m);
}
END_TEST

START_TEST(threads_do_not_change_bits) {
    maps m;
    bnn_workspace *ws;
    maps_open(nets[_i], &m);
    const size_t n = (size_t)m.model->n_theta;
    ck_assert_int_eq(bnn_model_workspace_new(m.model, ROWS, &ws), 0);
    omp_set_num_threads(1);
    const double alone = u(&m, ws, m.grad).nll;
    for (int threads = 2; threads <= 4; threads *= 2) {
        omp_set_num_threads(threads);
        ck_assert(u(&m, ws, m.grad + n).nll == alone);
        ck_assert_mem_eq(m.grad, m.grad + n, n * sizeof *m.grad);
    }
    bnn_workspace_free(ws);
    maps_close(&m);
}
END_TEST

/* Rows side by side are for large ones with few parameters, whose layers see one row at a time. */
START_TEST(others_go_together) {
    static const char *const together[] = {"conv2d:2,kernel=1; conv2d:kernel=1",
                                           "conv2d:300,5,padding=2,stride=48; conv_transpose2d:kernel=48,stride=48",
                                           "conv2d:12,padding=1; batchnorm2d; relu; conv2d:kernel=1"};
    maps m;
    bnn_workspace *ws;
    maps_open(together[_i], &m);
    ck_assert_int_eq(bnn_model_workspace_new(m.model, ROWS, &ws), 0);
    ck_assert_int_eq(bnn_workspace_lanes(ws), 0);
    bnn_workspace_free(ws);
    maps_close(&m);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("lanes");
    TCase *rows = tcase_create("rows");
    tcase_add_loop_test(rows, lanes_are_rows_in_one_workspace, 0, 2);
    tcase_add_loop_test(rows, threads_do_not_change_bits, 0, 2);
    tcase_add_loop_test(rows, others_go_together, 0, 3);
    tcase_set_timeout(rows, 120);
    suite_add_tcase(suite, rows);
    return run_suite(suite);
}
