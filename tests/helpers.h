/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * helpers.h: what the tests share: guarded arrays, one layer under its hooks, finite differences, z-scores.
 */
#ifndef HELPERS_H
#define HELPERS_H

#include <bnn/data.h>
#include <bnn/net.h>
#include <check.h>
#include <string.h>

#if BNN_REAL_IS_DOUBLE
#define GRADIENT_TOLERANCE 1e-7 /* relative to the largest entry */
#define DIFFERENCE_STEP 0x1p-12
#define ROUNDING 1e-12
#else
#define GRADIENT_TOLERANCE 2e-2
#define DIFFERENCE_STEP 0x1p-7
#define ROUNDING 2e-5
#endif

#define MOST_Z 5.0 /* of a deterministic stream: a correct program passes for ever */

/* The call fails, and its sentence holds this one. */
#define SAYS(call, part)                                                                        \
    do {                                                                                        \
        ck_assert_int_lt((call), 0);                                                            \
        ck_assert_msg(strstr(bnn_error(), (part)) != NULL, "the sentence is: %s", bnn_error()); \
    } while (0)

/* Runs a NULL-terminated list of tests; the exit status of main. */
int run_tests(const char *name, const TTest *const tests[]);

/* Zeroed reals with sentinels behind them; reals_free asserts that they are intact. */
bnn_real *reals_new(size_t n);
void reals_free(bnn_real *a);

/* df/dx by central differences of fourth order; *x is moved and put back. *kinked (may be NULL): the one-sided slopes differ. */
double difference(double (*f)(void *of), void *of, bnn_real *x, bool *kinked);

/* Of f from .. to, within [-64, 64]; the interval is cut at powers of ten and two around 0, where densities have their scales. Good to
 * about ROUNDING. */
double integral(double (*f)(double x, void *of), void *of, double from, double to);

/* Streaming mean and variance (Welford 1962). */
typedef struct {
    double n, mean, squares;
} moments;
void moments_add(moments *m, double x);
double moments_var(const moments *m);
double moments_z(const moments *m, double expected);     /* of the mean */
double moments_var_z(const moments *m, double expected); /* of the variance, for normal data */

/* n rows of normal x [n,d]; y = 10 + 3 (x_0 - x_1/2 + x_2/3 - ... + 2/5 e), or, with classes, the interval of equal width that this falls
 * into. */
bnn_table *table_new(int n, int d, int n_classes, uint64_t seed);
/* All rows of a table, scaled by themselves. */
bnn_data *data_new(const bnn_table *table);

/* The posterior of linear regression on data of table_new with LINEAR - 1 features, weights and bias as theta of 'dense' has them: priors
 * with precisions `weight` and `bias`, noise precision tau (of standardised y), and `more` tau x_d^2 on top for each weight. */
enum { LINEAR = 4 };
typedef struct {
    double precision[LINEAR * LINEAR], mean[LINEAR], cov[LINEAR * LINEAR];
} linear_posterior;
void linear_posterior_of(const bnn_data *data, double tau, double weight, double bias, double more, linear_posterior *out);

/* A net whose input is as its text says, with prior gauss and no likelihood. */
typedef struct {
    bnn_prior prior;
    bnn_net *net;
} test_net;
void test_net_open(const char *text, test_net *out);
void test_net_close(test_net *t);
/* The status of a text that should fail; bnn_error() has the sentence. */
bnn_status test_net_refused(const char *text);

/* One node of a net, driven hook by hook on n rows of normal x: J = sum(c y) + scale penalty. */
typedef struct {
    const bnn_layer *l;
    int n;
    size_t d_in[16], d_out;
    bnn_real *x[16], *dx[16], *theta, *dtheta, *y, *c, *pass, *dpass, *cache, *scratch;
    double scale, penalty;
    bnn_io io;
} layer_pass;
void layer_pass_open(const bnn_net *net, int node, int n, bnn_mode mode, bnn_rng rng, layer_pass *out);
void layer_pass_close(layer_pass *p);
/* prepare, forward in two pieces cut at row `cut`, and penalty without gradients; returns J. of: a layer_pass. */
double layer_pass_forward(layer_pass *p, int cut);
double layer_pass_value(void *of);
/* All hooks; gradients are added to what dx, dtheta and dpass hold. */
void layer_pass_gradient(layer_pass *p);
void layer_pass_zero_gradients(layer_pass *p);

#endif
