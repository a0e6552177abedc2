/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * helpers.h: what the tests share. Differences, quadrature, z-scores and layers under their hooks are those of the conformance suites
 * (check_numeric.h, check_pass.h); here they assert.
 */
#ifndef HELPERS_H
#define HELPERS_H

#include "check/pass.h"

#include "check/numeric.h"
#include <bnn/data.h>
#include <check.h>
#include <string.h>

/* The call fails, and its sentence holds this one. */
#define SAYS(call, part)                                                                        \
    do {                                                                                        \
        ck_assert_int_lt((call), 0);                                                            \
        ck_assert_msg(strstr(bnn_error(), (part)) != NULL, "the sentence is: %s", bnn_error()); \
    } while (0)

/* Runs a suite, or a NULL-terminated list of tests; the exit status of main. */
int run_suite(Suite *suite);
int run_tests(const char *name, const TTest *const tests[]);

/* Zeroed reals with sentinels behind them; reals_free asserts that they are intact. */
bnn_real *reals_new(size_t n);
void reals_free(bnn_real *a);

/* n rows of normal x [n,d]; y = 10 + 3 (x_0 - x_1/2 + x_2/3 - ... + 2/5 e), or, with classes, the interval of equal width that this falls
 * into. */
bnn_table *table_new(int n, int d, int n_classes, uint64_t seed);
/* All rows of a table, scaled by themselves. */
bnn_data *data_new(const bnn_table *table);

/* A table_new with seed 1, and all its rows. */
typedef struct {
    bnn_table *table;
    bnn_data *data;
} test_rows;
test_rows test_rows_new(int n, int d, int n_classes);
void test_rows_free(test_rows *r);

/* The posterior of linear regression on data of table_new with LINEAR - 1 features, weights and bias as theta of 'dense' has them: priors
 * with precisions `weight` and `bias`, noise precision tau (of standardised y), and `more` tau x_d^2 on top for each weight. */
enum { LINEAR = 4 };
typedef struct {
    double precision[LINEAR * LINEAR], mean[LINEAR], cov[LINEAR * LINEAR];
} linear_posterior;
void linear_posterior_of(const bnn_data *data, double tau, double weight, double bias, double more, linear_posterior *out);

void test_net_open(const char *text, bnn_spec_net *out);
/* The status of a text that should fail; bnn_error() has the sentence. */
bnn_status test_net_refused(const char *text);

void layer_pass_open(const bnn_net *net, int node, int n, bnn_mode mode, bnn_rng rng, bnn_layer_pass *out);
/* Asserts that no hook wrote outside its arrays. */
void layer_pass_close(bnn_layer_pass *p);

#endif
