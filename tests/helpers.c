/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "helpers.h"

#include <gsl/gsl_linalg.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int run_suite(Suite *suite) {
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}

int run_tests(const char *name, const TTest *const tests[]) {
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, 120);
    for (int i = 0; tests[i]; i++) tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

/* ---------------------------------------------------------------- arrays */

bnn_real *reals_new(size_t n) {
    bnn_real *a = bnn_guarded_new(n);
    ck_assert_ptr_nonnull(a);
    return a;
}

void reals_free(bnn_real *a) {
    ck_assert_msg(bnn_guarded_intact(a), "something wrote outside an array");
    bnn_guarded_free(a);
}

/* ---------------------------------------------------------------- data */

static double class_of(double y, int n_classes) { return fmin(fmax(floor(n_classes * (0.5 + (y - 10) / 15)), 0), n_classes - 1); }

bnn_table *table_new(int n, int d, int n_classes, uint64_t seed) {
    bnn_table *t;
    bnn_real *noise = reals_new((size_t)n * (size_t)(d + 1));
    ck_assert_msg(bnn_table_new(n, bnn_shape_vector(d), 1, n_classes, &t) == BNN_OK, "%s", bnn_error());
    bnn_rng_normal(bnn_rng_seed(seed), 0, n, d + 1, noise);
    for (int i = 0; i < n; i++) {
        const bnn_real *e = noise + (size_t)i * (size_t)(d + 1);
        double sum = 0.4 * (double)e[d];
        for (int k = 0; k < d; k++) {
            t->x[i * d + k] = (double)e[k];
            sum += (k % 2 ? -1 : 1) * (double)e[k] / (k + 1);
        }
        t->y[i] = n_classes > 0 ? class_of(10 + 3 * sum, n_classes) : 10 + 3 * sum;
    }
    reals_free(noise);
    return t;
}

bnn_data *data_new(const bnn_table *table) {
    bnn_data *d;
    ck_assert_msg(bnn_data_split(table, -1, BNN_TRAIN, NULL, &d) == BNN_OK, "%s", bnn_error());
    return d;
}

test_rows test_rows_new(int n, int d, int n_classes) {
    test_rows r = {.table = table_new(n, d, n_classes, 1)};
    r.data = data_new(r.table);
    return r;
}

void test_rows_free(test_rows *r) {
    bnn_data_free(r->data);
    bnn_table_free(r->table);
}

void linear_posterior_of(const bnn_data *data, double tau, double weight, double bias, double more, linear_posterior *out) {
    enum { W = LINEAR, IN = W - 1 };
    double *factor = out->cov;
    *out = (linear_posterior){.precision = {0}};
    for (int i = 0; i < W; i++) out->precision[i * W + i] = i < IN ? weight : bias;
    for (int r = 0; r < data->n; r++)
        for (int i = 0; i < W; i++) {
            double xi = i < IN ? (double)data->x[r * IN + i] : 1;
            out->mean[i] += tau * xi * (double)data->y[r];
            for (int j = 0; j < W; j++) out->precision[i * W + j] += tau * xi * (j < IN ? (double)data->x[r * IN + j] : 1);
            if (i < IN) out->precision[i * W + i] += more * tau * xi * xi;
        }
    memcpy(factor, out->precision, sizeof out->cov);
    gsl_matrix_view a = gsl_matrix_view_array(factor, W, W);
    gsl_vector_view x = gsl_vector_view_array(out->mean, W);
    ck_assert_int_eq(gsl_linalg_cholesky_decomp1(&a.matrix), 0);
    gsl_linalg_cholesky_svx(&a.matrix, &x.vector);
    gsl_linalg_cholesky_invert(&a.matrix);
}

/* ---------------------------------------------------------------- nets and layers */

void test_net_open(const char *text, bnn_spec_net *out) {
    ck_assert_msg(bnn_spec_net_open(text, out) == BNN_OK, "%s: %s", text, bnn_error());
}

bnn_status test_net_refused(const char *text) {
    bnn_spec_net t;
    bnn_status s = bnn_spec_net_open(text, &t);
    ck_assert_msg(s < 0, "'%s' is taken", text);
    return s;
}

void layer_pass_open(const bnn_net *net, int node, int n, bnn_mode mode, bnn_rng rng, bnn_layer_pass *out) {
    ck_assert_msg(bnn_layer_pass_open(net, node, n, mode, rng, out) == BNN_OK, "%s", bnn_error());
    out->guarded = true;
}

void layer_pass_close(bnn_layer_pass *p) {
    ck_assert_msg(!*p->overrun, "%s", p->overrun);
    bnn_layer_pass_close(p);
}
