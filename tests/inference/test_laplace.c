/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_laplace.c: curvature, evidence and the engine laplace against closed forms, differences, quadrature and draws.
 */
#include "files.h"

#include <bnn/evidence.h>
#include <bnn/store.h>
#include <gsl/gsl_blas.h>
#include <gsl/gsl_eigen.h>
#include <gsl/gsl_linalg.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 40, IN = 3, MOST_BLOCKS = 8 };

static const char prior_text[] = "gauss:sd=0.7,bias_sd=1.5", *const structures[] = {"diag", "kron", "full"};

/* A model at parameters that are no mode of anything, unless a test moves them there. */
typedef struct {
    bnn_table *table;
    bnn_data *data;
    bnn_model *model;
    bnn_workspace *ws;
    bnn_real *theta;
} place;

static place place_on(bnn_table *table, const char *net, const char *likelihood) {
    place p = {.table = table, .data = data_new(table)};
    OK(bnn_model_new(&(bnn_texts){net, likelihood, prior_text}, p.data, &p.model));
    OK(bnn_workspace_new(p.model->net, ROWS, BNN_TO_THETA, &p.ws));
    size_t n = (size_t)p.model->n_theta;
    p.theta = reals_new(n);
    bnn_rng_normal(bnn_rng_seed(3), 0, 1, (int)n, p.theta);
    for (size_t i = 0; i < n; i++) p.theta[i] *= (bnn_real)0.6;
    return p;
}

static place place_new(const char *net, const char *likelihood, int n_classes) {
    return place_on(table_new(ROWS, IN, n_classes, 1), net, likelihood);
}

static void place_free(place *p) {
    reals_free(p->theta);
    bnn_workspace_free(p->ws);
    bnn_model_free(p->model);
    bnn_data_free(p->data);
    bnn_table_free(p->table);
}

static bnn_curvature built(const place *p, bnn_structure structure, bool last_layer) {
    bnn_curvature c;
    bnn_cost cost = {0};
    OK(bnn_curvature_open(p->model, structure, last_layer, &c));
    OK(bnn_curvature_build(&c, p->theta, p->data, &cost));
    return c;
}

static double posterior(bnn_curvature *c, double var, const double *prec, double *determined) {
    double log_det;
    OK(bnn_curvature_posterior(c, var, prec, &log_det, determined));
    return log_det;
}

/* Unlike precisions for all blocks. */
static void fill_precs(double prec[MOST_BLOCKS]) {
    for (int b = 0; b < MOST_BLOCKS; b++) prec[b] = 0.4 + 0.3 * b;
}

/* ---------------------------------------------------------------- the matrix */

/* f[ROWS, out] at theta. */
static const bnn_real *outputs_at(const place *p) {
    bnn_net_prepare(p->model->net, p->ws, p->theta, BNN_MEAN, false, bnn_rng_seed(0));
    return bnn_net_forward(p->model->net, p->ws, ROWS, 0, p->data->x);
}

typedef struct {
    const place *p;
    size_t at;
} output;

static double output_value(void *of) {
    const output *o = of;
    return (double)outputs_at(o->p)[o->at];
}

/* J[ROWS out, P] by differences, in the order of the curvature's w. */
static double *jacobian(const place *p, const bnn_curvature *c) {
    size_t out = (size_t)p->model->likelihood.out_dim;
    double *J = calloc(ROWS * out * c->n, sizeof *J);
    for (int b = 0; b < c->n_blocks; b++)
        for (size_t i = 0; i < c->block[b].info.length; i++)
            for (size_t r = 0; r < ROWS * out; r++)
                J[r * c->n + c->block[b].at + i] =
                    bnn_difference(output_value, &(output){p, r}, &p->theta[c->block[b].info.offset + i], NULL);
    return J;
}

/* L[ROWS, out, out] of the likelihood, from its root (tests/test_likelihoods.c). */
static double *middle(const place *p) {
    const bnn_likelihood *l = &p->model->likelihood;
    size_t out = (size_t)l->out_dim;
    bnn_real *root = reals_new(ROWS * out * out);
    double *L = calloc(ROWS * out * out, sizeof *L);
    bnn_likelihood_vtable(l)->curvature(l, ROWS, outputs_at(p), bnn_model_noise(p->model, p->theta), root);
    for (size_t r = 0; r < ROWS; r++)
        for (size_t k = 0; k < out; k++)
            for (size_t a = 0; a < out; a++)
                for (size_t b = 0; b < out; b++)
                    L[(r * out + a) * out + b] += (double)root[(r * out + k) * out + a] * (double)root[(r * out + k) * out + b];
    reals_free(root);
    return L;
}

/* sum_i J_i^T L_i J_i [P, P] */
static double *gauss_newton(const place *p, const bnn_curvature *c, const double *J) {
    size_t out = (size_t)p->model->likelihood.out_dim, n = c->n;
    double *H = calloc(n * n, sizeof *H), *L = middle(p);
    for (size_t r = 0; r < ROWS; r++)
        for (size_t a = 0; a < out; a++)
            for (size_t b = 0; b < out; b++)
                for (size_t i = 0; i < n; i++)
                    for (size_t j = 0; j < n; j++)
                        H[i * n + j] += J[(r * out + a) * n + i] * L[(r * out + a) * out + b] * J[(r * out + b) * n + j];
    free(L);
    return H;
}

static double entry(const bnn_curvature *full, size_t i, size_t j) { return full->h[(i > j ? i : j) * full->n + (i > j ? j : i)]; }

static const struct {
    const char *net, *likelihood;
    int n_classes;
} cases[] = {
    {"dense:4; tanh; dense", "gaussian", 0},
    {"a = dense:3; tanh; b = dense:3,bias=no; add(a, b); dense", "gaussian:tau=0.4", 0},
    {"dense:4; tanh; dense", "heteroscedastic", 0},
    {"dense:4; tanh; dense", "categorical", 3},
    {"dropout:0.3; dense:4; tanh; concrete_dropout; dense", "bernoulli", 2},
};
enum { CASES = sizeof cases / sizeof *cases };

static place open_case(int i) { return place_new(cases[i].net, cases[i].likelihood, cases[i].n_classes); }

START_TEST(full_and_diag_are_gauss_newton) {
    for (int k = 0; k < CASES; k++) {
        place p = open_case(k);
        bnn_curvature full = built(&p, BNN_FULL, false), diag = built(&p, BNN_DIAG, false);
        double *J = jacobian(&p, &full), *H = gauss_newton(&p, &full, J), size = 0;
        for (size_t i = 0; i < full.n; i++) size = fmax(size, H[i * full.n + i]);
        for (size_t i = 0; i < full.n; i++) {
            for (size_t j = 0; j < full.n; j++)
                ck_assert_msg(fabs(entry(&full, i, j) - H[i * full.n + j]) < GRADIENT_TOLERANCE * size, "%s: H[%zu,%zu] is %g, not %g",
                              cases[k].net, i, j, entry(&full, i, j), H[i * full.n + j]);
            ck_assert_msg(fabs(diag.h[i] - entry(&full, i, i)) <= 1e-12 * size, "%s: diag[%zu]", cases[k].net, i);
        }
        free(J), free(H);
        bnn_curvature_close(&full), bnn_curvature_close(&diag);
        place_free(&p);
    }
}
END_TEST

START_TEST(gauss_newton_is_positive_semidefinite) {
    for (int k = 0; k < CASES; k++) {
        place p = open_case(k);
        bnn_curvature c = built(&p, BNN_FULL, false);
        gsl_matrix_view h = gsl_matrix_view_array(c.h, c.n, c.n);
        gsl_vector *values = gsl_vector_alloc(c.n);
        gsl_eigen_symm_workspace *room = gsl_eigen_symm_alloc(c.n);
        gsl_eigen_symm(&h.matrix, values, room);
        ck_assert_double_gt(gsl_vector_min(values), -1e-12 * gsl_vector_max(values));
        gsl_eigen_symm_free(room);
        gsl_vector_free(values);
        bnn_curvature_close(&c);
        place_free(&p);
    }
}
END_TEST

/* Gradient of the negative log-likelihood in one parameter. */
typedef struct {
    const place *p;
    size_t at;
} component;

static double component_value(void *of) {
    const component *k = of;
    const bnn_model *m = k->p->model;
    bnn_real *g = reals_new((size_t)m->n_theta);
    const bnn_likelihood *l = &m->likelihood;
    bnn_likelihood_vtable(l)->nll(l, ROWS, outputs_at(k->p), k->p->data->y, bnn_model_noise(m, k->p->theta), 1,
                                  bnn_net_df(m->net, k->p->ws), NULL);
    bnn_net_backward(m->net, k->p->ws, g);
    double value = (double)g[k->at];
    reals_free(g);
    return value;
}

/* Where the outputs are linear in theta, Gauss-Newton is the Hessian. */
START_TEST(a_linear_model_has_its_hessian) {
    static const char *const likelihoods[] = {"gaussian:tau=0.5", "bernoulli", "categorical"};
    static const int classes[] = {0, 2, 3};
    for (int k = 0; k < 3; k++) {
        place p = place_new("dense", likelihoods[k], classes[k]);
        bnn_curvature c = built(&p, BNN_FULL, false);
        for (size_t i = 0; i < c.n; i++)
            for (size_t j = 0; j < c.n; j++) {
                double slope = bnn_difference(component_value, &(component){&p, i}, &p.theta[j], NULL);
                ck_assert_msg(fabs(entry(&c, i, j) - slope) < GRADIENT_TOLERANCE * entry(&c, 0, 0), "%s: H[%zu,%zu] is %g, differences %g",
                              likelihoods[k], i, j, entry(&c, i, j), slope);
            }
        bnn_curvature_close(&c);
        place_free(&p);
    }
}
END_TEST

/* cov[ROWS, out, out] by a dense inverse: J (H/var + P)^-1 J^T, with the blocks between nodes left out where apart. */
static double *dense_cov(const place *p, const bnn_curvature *c, double var, const double *prec, bool apart) {
    size_t n = c->n, out = (size_t)p->model->likelihood.out_dim;
    double *J = jacobian(p, c), *S = gauss_newton(p, c, J), *cov = calloc(ROWS * out * out, sizeof *cov);
    for (int a = 0; a < c->n_blocks; a++)
        for (int b = 0; b < c->n_blocks; b++)
            for (size_t i = 0; i < c->block[a].info.length; i++)
                for (size_t j = 0; j < c->block[b].info.length; j++) {
                    double *s = &S[(c->block[a].at + i) * n + c->block[b].at + j];
                    *s = apart && c->block[a].info.index != c->block[b].info.index ? 0 : *s / var;
                    if (a == b && i == j) *s += prec[a];
                }
    gsl_matrix_view s = gsl_matrix_view_array(S, n, n);
    gsl_linalg_cholesky_decomp1(&s.matrix);
    gsl_linalg_cholesky_invert(&s.matrix);
    for (size_t r = 0; r < ROWS; r++)
        for (size_t a = 0; a < out; a++)
            for (size_t b = 0; b < out; b++)
                for (size_t i = 0; i < n; i++)
                    for (size_t j = 0; j < n; j++)
                        cov[(r * out + a) * out + b] += J[(r * out + a) * n + i] * S[i * n + j] * J[(r * out + b) * n + j];
    free(J), free(S);
    return cov;
}

static void assert_cov(const place *p, const bnn_curvature *c, const double *want, double tolerance, const char *what) {
    size_t out = (size_t)p->model->likelihood.out_dim;
    double mean[ROWS * 6], *cov = calloc(ROWS * out * out, sizeof *cov), size = 0;
    OK(bnn_curvature_outputs(c, p->ws, p->theta, ROWS, p->data->x, mean, cov));
    for (size_t i = 0; i < ROWS * out * out; i++) size = fmax(size, fabs(want[i]));
    for (size_t i = 0; i < ROWS * out * out; i++)
        ck_assert_msg(fabs(cov[i] - want[i]) < tolerance * size, "%s: cov[%zu] is %.9g, not %.9g", what, i, cov[i], want[i]);
    const bnn_real *f = outputs_at(p);
    for (size_t i = 0; i < ROWS * out; i++) ck_assert_msg(fabs(mean[i] - (double)f[i]) < ROUNDING * 10, "%s: mean[%zu]", what, i);
    free(cov);
}

START_TEST(outputs_have_the_covariance_of_the_inverse) {
    for (int k = 0; k < CASES; k++) {
        place p = open_case(k);
        double prec[MOST_BLOCKS];
        fill_precs(prec);
        bnn_curvature c = built(&p, BNN_FULL, false);
        posterior(&c, 1.7, prec, NULL);
        double *want = dense_cov(&p, &c, 1.7, prec, false);
        assert_cov(&p, &c, want, GRADIENT_TOLERANCE, cases[k].net);
        free(want);
        bnn_curvature_close(&c);
        place_free(&p);
    }
}
END_TEST

/* Where all rows are the same, what they have in common is all there is: kron is exact within a node. */
START_TEST(kron_is_exact_where_rows_are_equal) {
    for (int k = 0; k < CASES; k++) {
        bnn_table *t = table_new(ROWS, IN, cases[k].n_classes, 1);
        place p = place_on(t, cases[k].net, cases[k].likelihood);
        for (int i = IN; i < ROWS * IN; i++) p.data->x[i] = p.data->x[i % IN];
        double prec[MOST_BLOCKS];
        fill_precs(prec);
        bnn_curvature c = built(&p, BNN_KRON, false);
        posterior(&c, 0.8, prec, NULL);
        double *want = dense_cov(&p, &c, 0.8, prec, true);
        assert_cov(&p, &c, want, GRADIENT_TOLERANCE, cases[k].net);
        free(want);
        bnn_curvature_close(&c);
        place_free(&p);
    }
}
END_TEST

/* One affine map and one Gaussian output: g is the same in all rows, and A (x) B is H. */
START_TEST(kron_is_exact_for_linear_regression) {
    place p = place_new("dense", "gaussian:tau=0.5", 0);
    for (int i = 0; i < ROWS * IN; i++) p.data->x[i] += (bnn_real)0.7; /* inputs that the bias is not orthogonal to */
    double prec[MOST_BLOCKS] = {0.6, 2.5}, d_kron[2], d_full[2], cov[ROWS], mean[ROWS];
    bnn_curvature kron = built(&p, BNN_KRON, false), full = built(&p, BNN_FULL, false);
    double a = posterior(&kron, 1.3, prec, d_kron), b = posterior(&full, 1.3, prec, d_full);
    ck_assert_double_eq_tol(a, b, ROUNDING * fabs(b));
    for (int k = 0; k < 2; k++) ck_assert_double_eq_tol(d_kron[k], d_full[k], ROUNDING);
    OK(bnn_curvature_outputs(&full, p.ws, p.theta, ROWS, p.data->x, mean, cov));
    assert_cov(&p, &kron, cov, ROUNDING, "kron");
    bnn_curvature_close(&kron), bnn_curvature_close(&full);
    place_free(&p);
}
END_TEST

START_TEST(last_layer_is_the_last_block) {
    for (int k = 0; k < CASES; k++) {
        place p = open_case(k);
        bnn_curvature all = built(&p, BNN_FULL, false), last = built(&p, BNN_FULL, true);
        size_t from = all.n - last.n, units = (size_t)p.model->likelihood.out_dim * (k == 1 ? 4 : 5);
        ck_assert_uint_eq(last.n, units);
        for (size_t i = 0; i < last.n; i++)
            for (size_t j = 0; j <= i; j++) ck_assert_double_eq(entry(&last, i, j), entry(&all, from + i, from + j));
        bnn_curvature_close(&all), bnn_curvature_close(&last);
        place_free(&p);
    }
}
END_TEST

/* Without rows S is the prior's. */
START_TEST(no_rows_leave_the_prior) {
    for (int s = BNN_DIAG; s <= BNN_FULL; s++) {
        place p = place_new("dense:4; tanh; dense", "gaussian:tau=1", 0);
        bnn_curvature c;
        bnn_cost cost = {0};
        bnn_data none = *p.data;
        none.n = 0;
        double prec[MOST_BLOCKS], determined[MOST_BLOCKS], log_det = 0, want[ROWS] = {0};
        fill_precs(prec);
        OK(bnn_curvature_open(p.model, (bnn_structure)s, false, &c));
        OK(bnn_curvature_build(&c, p.theta, &none, &cost));
        double *J = jacobian(&p, &c);
        for (int b = 0; b < c.n_blocks; b++) {
            log_det += (double)c.block[b].info.length * log(prec[b]);
            for (size_t r = 0; r < ROWS; r++)
                for (size_t i = c.block[b].at; i < c.block[b].at + c.block[b].info.length; i++)
                    want[r] += J[r * c.n + i] * J[r * c.n + i] / prec[b];
        }
        ck_assert_double_eq_tol(posterior(&c, 1, prec, determined), log_det, 1e-10);
        for (int b = 0; b < c.n_blocks; b++) ck_assert_double_eq_tol(determined[b], 0, 1e-10);
        assert_cov(&p, &c, want, GRADIENT_TOLERANCE, structures[s]);
        free(J);
        bnn_curvature_close(&c);
        place_free(&p);
    }
}
END_TEST

/* d log det / d log prec_b = length - determined, d log det / d log var = -sum determined, for every structure. */
START_TEST(log_det_has_its_slopes) {
    enum { MORE = 5 };
    const double h = 1e-4;
    for (int k = 0; k < CASES; k++)
        for (int s = BNN_DIAG; s <= BNN_FULL; s++) {
            place p = open_case(k);
            bnn_curvature c = built(&p, (bnn_structure)s, false);
            double prec[MOST_BLOCKS], determined[MOST_BLOCKS], all = 0;
            fill_precs(prec);
            posterior(&c, 1.4, prec, determined);
            for (int b = 0; b < c.n_blocks; b++) {
                double at = prec[b], up, down, length = (double)c.block[b].info.length;
                prec[b] = at * exp(h), up = posterior(&c, 1.4, prec, NULL);
                prec[b] = at * exp(-h), down = posterior(&c, 1.4, prec, NULL);
                prec[b] = at, all += determined[b];
                ck_assert_msg(fabs((up - down) / (2 * h) - length + determined[b]) < 1e-5, "%s, %s: block %d has slope %g, not %g",
                              cases[k].net, structures[s], b, (up - down) / (2 * h), length - determined[b]);
            }
            double slope = (posterior(&c, 1.4 * exp(h), prec, NULL) - posterior(&c, 1.4 * exp(-h), prec, NULL)) / (2 * h);
            ck_assert_msg(fabs(slope + all) < 1e-5, "%s, %s: slope in var is %g, not %g", cases[k].net, structures[s], slope, -all);
            bnn_curvature_close(&c);
            place_free(&p);
        }
}
END_TEST

/* Of a linear model f moves with theta: over draws it has the covariance of outputs. */
START_TEST(draws_have_their_covariance) {
    enum { S = 4000 };
    for (int s = BNN_DIAG; s <= BNN_FULL; s++) {
        place p = place_new("dense", "categorical", 3);
        double prec[MOST_BLOCKS] = {0.6, 2.5}, mean[ROWS * 3], cov[ROWS * 9];
        bnn_curvature c = built(&p, (bnn_structure)s, false);
        posterior(&c, 1, prec, NULL);
        OK(bnn_curvature_outputs(&c, p.ws, p.theta, ROWS, p.data->x, mean, cov));
        moments f[9] = {0}, sum[3] = {0};
        for (uint64_t d = 0; d < S; d++) {
            place q = p;
            bnn_real theta[12];
            memcpy(theta, p.theta, sizeof theta);
            OK(bnn_curvature_draw(&c, bnn_rng_split(bnn_rng_seed(4), d), theta));
            q.theta = theta;
            const bnn_real *y = outputs_at(&q);
            for (int i = 0; i < 9; i++) moments_add(&f[i], (double)y[i]);
            for (int r = 0; r < 3; r++) moments_add(&sum[r], (double)(y[3 * r] + y[3 * r + 1]));
        }
        for (int i = 0; i < 9; i++)
            ck_assert_msg(fabs(moments_z(&f[i], mean[i])) < MOST_Z && fabs(moments_var_z(&f[i], cov[i / 3 * 9 + i % 3 * 4])) < MOST_Z,
                          "%s: output %d has z %g of the mean, %g of the variance", structures[s], i, moments_z(&f[i], mean[i]),
                          moments_var_z(&f[i], cov[i / 3 * 9 + i % 3 * 4]));
        for (int r = 0; r < 3; r++) {
            const double *v = cov + r * 9;
            ck_assert_msg(fabs(moments_var_z(&sum[r], v[0] + v[4] + 2 * v[1])) < MOST_Z, "%s: covariance of row %d", structures[s], r);
        }
        bnn_curvature_close(&c);
        place_free(&p);
    }
}
END_TEST

/* ---------------------------------------------------------------- evidence */

static bnn_evidence evidence_of(const place *p, bnn_curvature *c, bnn_prec_sharing sharing) {
    bnn_evidence e;
    OK(bnn_evidence_open(c, p->theta, p->data, sharing, &e));
    return e;
}

enum { W = IN + 1 };
static const double sd_w = 0.7, sd_b = 1.5, tau = 0.5; /* as the texts have them; tau in the units of y */

static double tau_of(const bnn_data *data) { return tau * data->scaling.y_sd[0] * data->scaling.y_sd[0]; }

static double input(const bnn_data *data, int row, int i) { return i < IN ? (double)data->x[row * IN + i] : 1; }

/* Mean and covariance of the weights and the bias in linear regression. */
typedef struct {
    double mean[W], cov[W * W];
} regression;

static regression regress(const bnn_data *data) {
    regression p = {.mean = {0}};
    double t = tau_of(data), right[W] = {0};
    for (int i = 0; i < W; i++) p.cov[i * W + i] = 1 / (i < IN ? sd_w * sd_w : sd_b * sd_b);
    for (int r = 0; r < data->n; r++)
        for (int i = 0; i < W; i++) {
            right[i] += t * input(data, r, i) * (double)data->y[r];
            for (int j = 0; j < W; j++) p.cov[i * W + j] += t * input(data, r, i) * input(data, r, j);
        }
    gsl_matrix_view s = gsl_matrix_view_array(p.cov, W, W);
    gsl_linalg_cholesky_decomp1(&s.matrix);
    gsl_linalg_cholesky_invert(&s.matrix);
    for (int i = 0; i < W; i++)
        for (int j = 0; j < W; j++) p.mean[i] += p.cov[i * W + j] * right[j];
    return p;
}

/* log N(y; 0, X diag(var) X^T + I/tau) of standardised y, in the units of y. */
static double regression_evidence(const bnn_data *data, double var_w, double var_b, double t) {
    double C[ROWS * ROWS], y[ROWS], value = 0;
    for (int r = 0; r < ROWS; r++) {
        y[r] = (double)data->y[r];
        for (int q = 0; q < ROWS; q++) {
            C[r * ROWS + q] = r == q ? 1 / t : 0;
            for (int i = 0; i < W; i++) C[r * ROWS + q] += input(data, r, i) * input(data, q, i) * (i < IN ? var_w : var_b);
        }
    }
    gsl_matrix_view c = gsl_matrix_view_array(C, ROWS, ROWS);
    gsl_vector_view v = gsl_vector_view_array(y, ROWS);
    gsl_linalg_cholesky_decomp1(&c.matrix);
    gsl_blas_dtrsv(CblasLower, CblasNoTrans, CblasNonUnit, &c.matrix, &v.vector);
    for (int r = 0; r < ROWS; r++) value -= 0.5 * (y[r] * y[r] + log(2 * M_PI)) + log(C[r * ROWS + r]) + log(data->scaling.y_sd[0]);
    return value;
}

START_TEST(linear_regression_has_its_evidence) {
    place p = place_new("dense", "gaussian:tau=0.5", 0);
    regression q = regress(p.data);
    for (int i = 0; i < W; i++) p.theta[i] = (bnn_real)q.mean[i];
    for (int s = BNN_KRON; s <= BNN_FULL; s++) { /* of which kron is exact here */
        bnn_curvature c = built(&p, (bnn_structure)s, false);
        bnn_evidence e = evidence_of(&p, &c, BNN_PREC_PRIOR);
        OK(bnn_evidence_evaluate(&e));
        ck_assert_double_eq_tol(e.value, regression_evidence(p.data, sd_w * sd_w, sd_b * sd_b, tau_of(p.data)), 10 * ROUNDING);
        bnn_evidence_close(&e);
        bnn_curvature_close(&c);
    }
    place_free(&p);
}
END_TEST

/* One logit without a bias, or with one: the joint density of weights and labels, which quadrature can integrate. */
typedef struct {
    const bnn_data *data;
    double w, top; /* the first weight, where the bias is integrated inside; what is taken from the logarithm */
    bool bias;
} logistic;

static double joint(const logistic *l, double w, double b) {
    double log_p = -0.5 * (w * w / (sd_w * sd_w) + log(2 * M_PI * sd_w * sd_w));
    if (l->bias) log_p -= 0.5 * (b * b / (sd_b * sd_b) + log(2 * M_PI * sd_b * sd_b));
    for (int r = 0; r < ROWS; r++) {
        double f = w * (double)l->data->x[r] + b;
        log_p -= bnn_softplus(l->data->y[r] > 0 ? -f : f);
    }
    return exp(log_p - l->top);
}

static double over_bias(double b, void *of) { return joint(of, ((const logistic *)of)->w, b); }

static double over_weight(double w, void *of) {
    logistic l = *(const logistic *)of;
    l.w = w;
    return l.bias ? bnn_integral(over_bias, &l, -16, 16) : joint(&l, w, 0);
}

/* Newton's method on U, with H + P from a curvature. */
static void climb(place *p) {
    const bnn_objective u = {.n_total = ROWS, .scale = 1, .kl_weight = 1, .mode = BNN_MEAN};
    for (int k = 0; k < 20; k++) {
        bnn_curvature c = built(p, BNN_FULL, false);
        double prec[MOST_BLOCKS] = {1 / (sd_w * sd_w), 1 / (sd_b * sd_b)}, g[W];
        bnn_real grad[W];
        posterior(&c, 1, prec, NULL);
        bnn_model_u(p->model, p->ws, &u, bnn_rng_seed(0), p->theta, ROWS, p->data->x, p->data->y, grad);
        for (size_t i = 0; i < c.n; i++) g[i] = (double)grad[i];
        gsl_matrix_view L = gsl_matrix_view_array(c.factor, c.n, c.n);
        gsl_vector_view v = gsl_vector_view_array(g, c.n);
        gsl_linalg_cholesky_svx(&L.matrix, &v.vector);
        for (size_t i = 0; i < c.n; i++) p->theta[i] -= (bnn_real)g[i];
        bnn_curvature_close(&c);
    }
}

START_TEST(logistic_regression_has_nearly_its_evidence) {
    for (int bias = 0; bias < 2; bias++) {
        bnn_table *t = table_new(ROWS, 1, 2, 1);
        place p = place_on(t, bias ? "dense" : "dense:bias=no", "bernoulli");
        climb(&p);
        bnn_curvature c = built(&p, BNN_FULL, false);
        bnn_evidence e = evidence_of(&p, &c, BNN_PREC_PRIOR);
        OK(bnn_evidence_evaluate(&e));
        logistic l = {.data = p.data, .top = e.value, .bias = bias};
        double error = log(bnn_integral(over_weight, &l, -16, 16));
        ck_assert_msg(fabs(error) < 0.02, "log evidence %g, by quadrature %g", e.value, e.value + error); /* of order 1/N */
        bnn_evidence_close(&e);
        bnn_curvature_close(&c);
        place_free(&p);
    }
}
END_TEST

static bnn_table *two_targets(void) {
    bnn_table *t;
    bnn_real e[ROWS * (IN + 2)];
    OK(bnn_table_new(ROWS, bnn_shape_vector(IN), 2, 0, &t));
    bnn_rng_normal(bnn_rng_seed(8), 0, 1, ROWS * (IN + 2), e);
    for (int i = 0; i < ROWS; i++) {
        for (int d = 0; d < IN; d++) t->x[i * IN + d] = (double)e[i * IN + d];
        for (int k = 0; k < 2; k++) t->y[2 * i + k] = t->x[i * IN + k] + (0.2 + k) * (double)e[ROWS * IN + 2 * i + k];
    }
    return t;
}

/* A factor on the variance of the noise is a change of the likelihood's parameters. */
START_TEST(a_factor_on_the_noise_is_another_noise) {
    for (int s = BNN_DIAG; s <= BNN_FULL; s++) {
        place p = place_on(two_targets(), "dense:4; tanh; dense", "gaussian");
        int n = p.model->net->n_theta;
        double value[2], determined[2];
        p.theta[n] = (bnn_real)-0.5, p.theta[n + 1] = (bnn_real)0.25;
        for (int k = 0; k < 2; k++) {
            bnn_curvature c = built(&p, (bnn_structure)s, false);
            bnn_evidence e = evidence_of(&p, &c, BNN_PREC_PRIOR);
            e.var = k == 0 ? 2.5 : 1;
            OK(bnn_evidence_evaluate(&e));
            value[k] = e.value, determined[k] = e.determined[0];
            bnn_evidence_close(&e);
            bnn_curvature_close(&c);
            p.theta[n] += (bnn_real)log(2.5), p.theta[n + 1] += (bnn_real)log(2.5);
        }
        ck_assert_double_eq_tol(value[0], value[1], 10 * ROUNDING * fabs(value[0]));
        ck_assert_double_eq_tol(determined[0], determined[1], 1000 * ROUNDING);
        place_free(&p);
    }
}
END_TEST

/* No step away from a maximum rises. */
static void is_maximum(bnn_evidence *e, const char *what) {
    double best = e->value + e->log_noise, var = e->var, prec[MOST_BLOCKS];
    int n = e->curvature->n_blocks;
    memcpy(prec, e->prec, (size_t)n * sizeof *prec);
    for (int g = 0; g <= e->n_groups; g++)
        for (int sign = -1; sign <= 1; sign += 2) {
            if (g == e->n_groups && e->noisy == 0) continue;
            for (int b = 0; b < n; b++) e->prec[b] = prec[b] * (g < e->n_groups && e->group[b] == g ? exp(0.03 * sign) : 1);
            e->var = var * (g == e->n_groups ? exp(0.03 * sign) : 1);
            OK(bnn_evidence_evaluate(e));
            double there = e->value + e->log_noise;
            ck_assert_msg(there < best, "%s: group %d, %+d: %.9g rises to %.9g", what, g, sign, best, there);
        }
}

START_TEST(the_evidence_is_maximised) {
    static const int groups[] = {0, 1, 2, 4};
    static const char *const likelihoods[] = {"gaussian:shape=0", "categorical", "gaussian:sd=0.2,shape=30"};
    for (int s = BNN_DIAG; s <= BNN_FULL; s++)
        for (int sharing = BNN_PREC_PRIOR; sharing <= BNN_PREC_GROUP; sharing++)
            for (int k = 0; k < 3; k++) {
                place p = place_new("dense:4; tanh; dense", likelihoods[k], k == 1 ? 3 : 0);
                bnn_curvature c = built(&p, (bnn_structure)s, false);
                bnn_evidence e = evidence_of(&p, &c, (bnn_prec_sharing)sharing);
                OK(bnn_evidence_evaluate(&e));
                double before = e.value + e.log_noise;
                OK(bnn_evidence_maximise(&e));
                ck_assert_int_eq(e.n_groups, groups[sharing]);
                if (e.n_groups > 0 || e.noisy > 0) ck_assert_double_gt(e.value + e.log_noise, before);
                is_maximum(&e, structures[s]);
                bnn_evidence_close(&e);
                bnn_curvature_close(&c);
                place_free(&p);
            }
}
END_TEST

/* Weights of 0 want an infinite precision: the search ends, at one that is finite. */
START_TEST(an_evidence_without_maximum_ends) {
    place p = place_new("dense:4; tanh; dense", "gaussian", 0);
    for (int i = 0; i < p.model->net->n_theta; i++) p.theta[i] = 0;
    bnn_curvature c = built(&p, BNN_FULL, false);
    bnn_evidence e = evidence_of(&p, &c, BNN_PREC_GROUP);
    OK(bnn_evidence_maximise(&e));
    ck_assert(isfinite(e.value) && e.determined[3] < 0.01 && isfinite(e.prec[3]));
    bnn_evidence_close(&e);
    bnn_curvature_close(&c);
    place_free(&p);
}
END_TEST

/* ---------------------------------------------------------------- the engine */

typedef struct {
    bnn_table *table;
    bnn_data *data;
    bnn_run *run;
} fitted;

static fitted fit_on(bnn_table *t, const char *engine, const char *net, const char *likelihood) {
    fitted f = {.table = t, .data = data_new(t)};
    OK(bnn_fit(&(bnn_config){.net = net, .engine = engine, .likelihood = likelihood, .prior = prior_text, .seed = 1}, f.data, &f.run));
    return f;
}

static void fitted_free(fitted *f) {
    bnn_run_free(f->run);
    bnn_data_free(f->data);
    bnn_table_free(f->table);
}

static bnn_prediction *predict(const bnn_engine *e, const bnn_data *data, int samples) {
    bnn_prediction *p;
    OK(bnn_predict(e, data, &(bnn_predict_options){.samples = samples, .seed = 5}, &p));
    return p;
}

#define MAP "engine=map{epochs=3000,lr=0.02,schedule=cosine}"

static const void *state_of(bnn_engine *e, const char *name) {
    bnn_block block[BNN_MAX_BLOCKS];
    int n = bnn_engine_vtable(e)->blocks(e, block);
    for (int i = 0; i < n; i++)
        if (strcmp(block[i].name, name) == 0) return block[i].data;
    ck_abort_msg("no block '%s'", name);
}

static double log_evidence(bnn_engine *e) { return *(const double *)state_of(e, "log_evidence"); }

/* Mean, both variances, log p and pit of Bayesian linear regression, in the units of y. */
START_TEST(linear_regression_is_predicted_in_closed_form) {
    fitted f = fit_on(table_new(ROWS, IN, 0, 1), "laplace:" MAP ",structure=full,evidence=none", "dense", "gaussian:tau=0.5");
    regression q = regress(f.data);
    bnn_prediction *p = predict(f.run->engine, f.data, 1);
    double sd = f.data->scaling.y_sd[0], shift = f.data->scaling.y_mean[0];
    ck_assert(p->samples == 0 && p->mode == BNN_MEAN);
    ck_assert_double_eq_tol(log_evidence(f.run->engine), regression_evidence(f.data, sd_w * sd_w, sd_b * sd_b, tau_of(f.data)), 1e-3);
    for (int r = 0; r < ROWS; r++) {
        double mean = 0, var = 0, y = (double)f.data->y[r] * sd + shift;
        for (int i = 0; i < W; i++) {
            mean += input(f.data, r, i) * q.mean[i];
            for (int j = 0; j < W; j++) var += input(f.data, r, i) * q.cov[i * W + j] * input(f.data, r, j);
        }
        mean = mean * sd + shift, var *= sd * sd;
        double total = var + 1 / tau, z = (y - mean) / sqrt(total);
        ck_assert_double_eq_tol(p->mean[r], mean, 1e-3);
        ck_assert_double_eq_tol(p->var_epistemic[r], var, 100 * ROUNDING);
        ck_assert_double_eq_tol(p->var_aleatoric[r], 1 / tau, 100 * ROUNDING);
        ck_assert_double_eq_tol(p->logp[r], -0.5 * (z * z + log(2 * M_PI * total)), 1e-3);
        ck_assert_double_eq_tol(p->pit[r], 0.5 * erfc(-z / sqrt(2)), 1e-3);
    }
    bnn_prediction_free(p);
    fitted_free(&f);
}
END_TEST

/* Without draws, too: one Gaussian has its quantiles, its score (Gneiting & Raftery 2007, eq. 21) and draws. */
START_TEST(closed_forms_have_quantiles_scores_and_draws) {
    enum { DRAWN = 4000 };
    const double levels[] = {0.001, 0.5, 0.95}, scores[] = {-3.0902323061678132, 0, 1.6448536269514722};
    fitted f = fit_on(table_new(ROWS, IN, 0, 1), "laplace:" MAP ",structure=full,evidence=none", "dense", "gaussian:tau=0.5");
    bnn_predict_options how = {sizeof how, .samples = 1, .seed = 5, .n_levels = 3, .levels = levels, .crps = true, .drawn = DRAWN};
    bnn_prediction *p;
    OK(bnn_predict(f.run->engine, f.data, &how, &p));
    for (int r = 0; r < ROWS; r++) {
        double sd = sqrt(bnn_var_total(p, r)), y = (double)f.data->y[r] * f.data->scaling.y_sd[0] + f.data->scaling.y_mean[0], sum = 0;
        for (int l = 0; l < 3; l++) ck_assert_double_eq_tol(p->quantile[3 * r + l], p->mean[r] + scores[l] * sd, 2e-6 * sd);
        ck_assert_double_eq_tol(p->crps[r], bnn_crps_gaussian(y, p->mean[r], sd), 1e-5 * sd);
        for (int j = 0; j < DRAWN; j++) sum += (p->y_drawn[r * DRAWN + j] - p->mean[r]) / sd;
        ck_assert_double_lt(fabs(sum) / sqrt(DRAWN), MOST_Z);
    }
    bnn_prediction_free(p);
    fitted_free(&f);
}
END_TEST

/* Precision and noise that move with the mode end where the evidence of the linear model, which is exact, has its maximum. */
START_TEST(online_finds_the_evidence_of_linear_regression) {
    fitted f = fit_on(table_new(ROWS, IN, 0, 1),
                      "laplace:engine=map{epochs=4000,lr=0.02,lr_hyper=0,schedule=cosine},structure=full,evidence=online,every=100",
                      "dense", "gaussian");
    const bnn_real *theta = state_of(f.run->engine, "theta");
    double var = 1 / *(const double *)state_of(f.run->engine, "prior_prec"), t = exp(-(double)theta[W]), step = exp(0.05);
    double best = regression_evidence(f.data, var, var, t);
    ck_assert_double_eq_tol(log_evidence(f.run->engine), best, 1e-3);
    ck_assert_double_gt(best, regression_evidence(f.data, var * step, var * step, t));
    ck_assert_double_gt(best, regression_evidence(f.data, var / step, var / step, t));
    ck_assert_double_gt(best, regression_evidence(f.data, var, var, t * step));
    ck_assert_double_gt(best, regression_evidence(f.data, var, var, t / step));
    fitted_free(&f);
}
END_TEST

/* A prior given to a block is that prior: U is that of the text, its second derivative what was asked for, behind a gate, too. */
START_TEST(blocks_take_their_own_priors) {
    const bnn_objective u = {.n_total = ROWS, .scale = 1, .kl_weight = 1, .mode = BNN_MEAN};
    place p = place_new("dropout:0.3; dense:4; tanh; dense", "gaussian", 0);
    bnn_model *other;
    bnn_real *g[2] = {reals_new((size_t)p.model->n_theta), reals_new((size_t)p.model->n_theta)};
    OK(bnn_model_new(&(bnn_texts){"dropout:0.3; dense:4; tanh; dense", "gaussian", "gauss:sd=0.4,bias_sd=2.5"}, p.data, &other));
    for (int b = 0; b < 4; b++) {
        double asked = 1 / (b % 2 ? 2.5 * 2.5 : 0.4 * 0.4 * (b == 0 ? 0.7 : 1)); /* keep = 0.7 before the first kernel */
        OK(bnn_model_set_prior_prec(p.model, b, p.theta, asked));
        ck_assert_double_eq_tol(bnn_model_prior_prec(p.model, b, p.theta) / asked, 1, ROUNDING);
        ck_assert_double_eq_tol(bnn_model_prior_prec(other, b, p.theta) / asked, 1, ROUNDING);
    }
    bnn_terms a = bnn_model_u(p.model, p.ws, &u, bnn_rng_seed(0), p.theta, ROWS, p.data->x, p.data->y, g[0]),
              b = bnn_model_u(other, p.ws, &u, bnn_rng_seed(0), p.theta, ROWS, p.data->x, p.data->y, g[1]);
    ck_assert_double_eq_tol(a.prior, b.prior, ROUNDING * fabs(b.prior));
    for (int i = 0; i < p.model->n_theta; i++) ck_assert_double_eq_tol((double)g[0][i], (double)g[1][i], ROUNDING * 100);
    bnn_real moved = p.theta[0], h = (bnn_real)0.125;
    bnn_terms up, down;
    p.theta[0] = moved + h, up = bnn_model_u(p.model, p.ws, &u, bnn_rng_seed(0), p.theta, ROWS, p.data->x, p.data->y, NULL);
    p.theta[0] = moved - h, down = bnn_model_u(p.model, p.ws, &u, bnn_rng_seed(0), p.theta, ROWS, p.data->x, p.data->y, NULL);
    double second = (up.prior + down.prior - 2 * a.prior) / ((double)h * (double)h);
    ck_assert_msg(fabs(second * 0.4 * 0.4 * 0.7 - 1) < 1e-3, "the second derivative is %g", second);
    bnn_model_free(other);
    reals_free(g[0]), reals_free(g[1]);
    place_free(&p);
}
END_TEST

/* A network that is linear predicts alike by draws. */
START_TEST(sampling_a_linear_model_is_its_closed_form) {
    enum { S = 4000 };
    for (int s = BNN_DIAG; s <= BNN_FULL; s++) {
        char spec[2][128];
        bnn_prediction *p[2];
        for (int k = 0; k < 2; k++) {
            snprintf(spec[k], sizeof spec[k], "laplace:engine=map{epochs=100},structure=%s,predictive=%s", structures[s],
                     k ? "sampling" : "linear");
            fitted f = fit_on(table_new(ROWS, IN, 0, 1), spec[k], "dense", "gaussian");
            p[k] = predict(f.run->engine, f.data, S);
            fitted_free(&f);
        }
        ck_assert_int_eq(p[1]->samples, S);
        for (int r = 0; r < ROWS; r++) {
            double z = (p[1]->mean[r] - p[0]->mean[r]) / p[1]->mean_mcse[r],
                   z_var = (p[1]->var_epistemic[r] / p[0]->var_epistemic[r] - 1) / sqrt(2.0 / S);
            ck_assert_msg(fabs(z) < MOST_Z && fabs(z_var) < MOST_Z, "%s: row %d has z %g, of the variance %g", structures[s], r, z, z_var);
            ck_assert_double_eq_tol(p[1]->var_aleatoric[r], p[0]->var_aleatoric[r], 1e-5);
            ck_assert_double_eq_tol(p[1]->logp[r], p[0]->logp[r], 0.1);
        }
        bnn_prediction_free(p[0]), bnn_prediction_free(p[1]);
    }
}
END_TEST

/* Classes: draws of the logits average to the integral, probit comes near it. */
static double logistic_normal(double f, void *of) {
    const double *m = of; /* mean, variance */
    return bnn_sigmoid(f) * exp(-0.5 * (f - m[0]) * (f - m[0]) / m[1]) / sqrt(2 * M_PI * m[1]);
}

START_TEST(classes_are_integrals_over_their_logits) {
    static const char *const predictives[] = {"linear", "probit"};
    for (int k = 0; k < 2; k++) {
        char spec[128];
        snprintf(spec, sizeof spec, "laplace:engine=map{epochs=300,lr=0.01},structure=full,predictive=%s", predictives[k]);
        fitted f = fit_on(table_new(ROWS, IN, 2, 1), spec, "dense:4; tanh; dense", "bernoulli");
        bnn_prediction *p = predict(f.run->engine, f.data, 2000);
        bnn_workspace *ws;
        double m[ROWS], v[ROWS];
        OK(bnn_workspace_new(f.run->engine->model->net, ROWS, BNN_TO_THETA, &ws));
        OK(bnn_engine_vtable(f.run->engine)->outputs(f.run->engine, ws, ROWS, f.data->x, m, v));
        for (int r = 0; r < ROWS; r++) {
            double exact = bnn_integral(logistic_normal, (double[]){m[r], v[r]}, -64, 64), got = p->mean[2 * r + 1];
            if (k == 0)
                ck_assert_msg(fabs(got - exact) < MOST_Z * p->mean_mcse[2 * r + 1], "row %d: %g, by quadrature %g", r, got, exact);
            else
                ck_assert_msg(fabs(got - exact) < 0.02, "probit, row %d: %g, by quadrature %g", r, got, exact);
            ck_assert_double_eq_tol(p->logp[r], log(f.data->y[r] > 0 ? got : p->mean[2 * r]), 1e-6);
            ck_assert_double_eq_tol(p->mean[2 * r] + got, 1, 1e-6);
            ck_assert(p->var_epistemic[2 * r] > 0 && bnn_prediction_mutual_information(p, r) >= 0);
        }
        bnn_workspace_free(ws);
        bnn_prediction_free(p);
        fitted_free(&f);
    }
}
END_TEST

static const struct {
    const char *options, *likelihood;
    int n_classes;
} whole[] = {
    {"structure=full", "gaussian", 0},
    {"structure=kron,precision=layer", "gaussian:tau=0.5", 0},
    {"structure=diag,predictive=sampling", "heteroscedastic", 0},
    {"structure=kron,subset=last_layer", "heteroscedastic", 0},
    {"structure=full,subset=last_layer,precision=group", "categorical", 3},
    {"structure=kron,predictive=probit", "categorical", 3},
    {"structure=diag,evidence=none,precision=prior", "bernoulli", 2},
    {"structure=kron,precision=group,evidence=online,every=7", "gaussian", 0},
};
enum { WHOLE = sizeof whole / sizeof *whole };

static fitted fit_whole(int k) {
    char spec[128];
    snprintf(spec, sizeof spec, "laplace:engine=map{epochs=30,batch=16},%s", whole[k].options);
    return fit_on(table_new(300, IN, whole[k].n_classes, 1), spec, "dense:6; tanh; dense", whole[k].likelihood); /* in pieces of 256 */
}

static void assert_same(const bnn_prediction *a, const bnn_prediction *b, int k) {
    size_t n = (size_t)a->n * (size_t)a->mean_dim;
    ck_assert_msg(memcmp(a->mean, b->mean, n * sizeof *a->mean) == 0, "%s: other means", whole[k].options);
    ck_assert_msg(memcmp(a->var_epistemic, b->var_epistemic, n * sizeof *a->mean) == 0, "%s: other variances", whole[k].options);
    ck_assert_msg(memcmp(a->logp, b->logp, (size_t)a->n * sizeof *a->logp) == 0, "%s: other log p", whole[k].options);
}

START_TEST(predictions_have_the_same_bits_at_any_number_of_threads) {
    for (int k = 0; k < WHOLE; k++) {
        bnn_prediction *p[3];
        for (int t = 0; t < 3; t++) {
            omp_set_num_threads(1 << t);
            fitted f = fit_whole(k);
            p[t] = predict(f.run->engine, f.data, 40);
            fitted_free(&f);
        }
        for (int t = 1; t < 3; t++) assert_same(p[0], p[t], k);
        for (int t = 0; t < 3; t++) bnn_prediction_free(p[t]);
    }
}
END_TEST

START_TEST(a_saved_gaussian_predicts_alike) {
    for (int k = 0; k < WHOLE; k++) {
        fitted f = fit_whole(k);
        bnn_run *back;
        const char *path = files_path("run.h5");
        OK(bnn_run_save(f.run, NULL, NULL, path));
        OK(bnn_run_load(path, &back, NULL));
        bnn_prediction *a = predict(f.run->engine, f.data, 40), *b = predict(back->engine, f.data, 40);
        assert_same(a, b, k);
        ck_assert(log_evidence(f.run->engine) == log_evidence(back->engine));
        bnn_prediction_free(a), bnn_prediction_free(b);
        bnn_run_free(back);
        fitted_free(&f);
    }
    files_remove();
}
END_TEST

/* Around the mode of another run, and around its own: the same Gaussian. */
START_TEST(a_run_begins_with_the_parameters_of_another) {
    enum { MANY = 300 }; /* in pieces of 256 */
    static const char spec[] = "laplace:engine=map{epochs=30},structure=full,evidence=none,precision=prior";
    const bnn_config config = {.net = "dense:4; tanh; dense", .engine = spec, .likelihood = "gaussian", .prior = prior_text, .seed = 2};
    fitted f = fit_on(table_new(MANY, IN, 0, 1), spec, "dense:4; tanh; dense", "gaussian");
    bnn_run *again, *other;
    double share;
    OK(bnn_run_new(&config, f.data, &again));
    OK(bnn_run_begin(again, f.run));
    OK(bnn_run_step(again, f.data, &share));
    ck_assert(again->complete && share == 1 && again->cost.gradients == 1);
    bnn_prediction *a = predict(f.run->engine, f.data, 1), *b = predict(again->engine, f.data, 1);
    ck_assert_mem_eq(a->mean, b->mean, MANY * sizeof *a->mean);
    ck_assert_mem_eq(a->var_epistemic, b->var_epistemic, MANY * sizeof *a->mean);
    ck_assert_mem_eq(a->logp, b->logp, MANY * sizeof *a->logp);
    const bnn_objective u = {.n_total = MANY, .scale = 1, .kl_weight = 1, .mode = BNN_MEAN};
    bnn_workspace *ws;
    OK(bnn_workspace_new(again->engine->model->net, MANY, BNN_FORWARD, &ws));
    bnn_terms terms =
        bnn_model_u(again->engine->model, ws, &u, bnn_rng_seed(0), state_of(again->engine, "theta"), MANY, f.data->x, f.data->y, NULL);
    ck_assert_double_eq_tol(again->history.nll[0], terms.nll, ROUNDING * fabs(terms.nll) * 10);
    ck_assert_double_eq_tol(again->history.prior[0], terms.prior, ROUNDING * fabs(terms.prior) * 10);
    bnn_workspace_free(ws);
    bnn_prediction_free(a), bnn_prediction_free(b);
    OK(bnn_run_new(&(bnn_config){.net = "dense:4; tanh; dense", .engine = "map", .likelihood = "gaussian:tau=0.5"}, f.data, &other));
    SAYS(bnn_run_begin(other, f.run), "engine 'map' cannot begin with the parameters of another run");
    SAYS(bnn_run_begin(again, other), "the likelihood is 'gaussian:tau=0,sd=0.05,shape=0.25', that of the other run 'gaussian:tau=0.5,");
    bnn_run_free(other), bnn_run_free(again);
    OK(bnn_run_new(&(bnn_config){.net = "dense:5; tanh; dense", .engine = "laplace"}, f.data, &other));
    SAYS(bnn_run_begin(other, f.run), "the network is 'input; dense:units=5,");
    bnn_run_free(other);
    fitted_free(&f);
}
END_TEST

/* Draws of correlated logits: their probabilities have the moments of draws by a Cholesky factor of GSL. */
START_TEST(outputs_are_drawn_with_their_covariance) {
    enum { S = 10000, C = 3 };
    fitted f = fit_on(table_new(ROWS, IN, C, 1), "laplace:engine=map{epochs=100},structure=full", "dense:4; tanh; dense", "categorical");
    bnn_prediction *p = predict(f.run->engine, f.data, S);
    bnn_workspace *ws;
    double mean[ROWS * C], cov[ROWS * C * C];
    OK(bnn_workspace_new(f.run->engine->model->net, ROWS, BNN_TO_THETA, &ws));
    OK(bnn_engine_vtable(f.run->engine)->outputs(f.run->engine, ws, ROWS, f.data->x, mean, cov));
    ck_assert_int_eq(p->samples, S);
    for (int r = 0; r < ROWS; r++) {
        gsl_matrix_view root = gsl_matrix_view_array(cov + r * C * C, C, C);
        moments seen[C] = {0};
        gsl_linalg_cholesky_decomp1(&root.matrix);
        for (uint64_t s = 0; s < S; s++) {
            bnn_real z[C];
            double logit[C];
            bnn_rng_normal(bnn_rng_split(bnn_rng_seed(77), s), (uint64_t)r, 1, C, z);
            for (int c = 0; c < C; c++) {
                logit[c] = mean[r * C + c];
                for (int k = 0; k <= c; k++) logit[c] += gsl_matrix_get(&root.matrix, (size_t)c, (size_t)k) * (double)z[k];
            }
            double all = bnn_logsumexp(C, logit);
            for (int c = 0; c < C; c++) moments_add(&seen[c], exp(logit[c] - all));
        }
        for (int c = 0; c < C; c++) {
            double z = (p->mean[r * C + c] - seen[c].mean) / (sqrt(2) * p->mean_mcse[r * C + c]),
                   ratio = p->var_epistemic[r * C + c] / moments_var(&seen[c]);
            ck_assert_msg(fabs(z) < MOST_Z && fabs(ratio - 1) < 0.12, "row %d, class %d: z %g, ratio of variances %g", r, c, z, ratio);
        }
    }
    bnn_workspace_free(ws);
    bnn_prediction_free(p);
    fitted_free(&f);
}
END_TEST

/* Without options a Gaussian over few parameters is full, one over many is not, and a file says which. */
START_TEST(a_structure_is_chosen_by_its_work) {
    static const struct {
        const char *net, *structure;
        int rows;
    } nets[] = {{"dense:4; tanh; dense", "full", 40}, {"dense:100; tanh; dense", "kron", 4000}, {"dense:200; tanh; dense", "kron", 40}};
    for (size_t k = 0; k < sizeof nets / sizeof *nets; k++) {
        char spec[96];
        snprintf(spec, sizeof spec, "laplace:engine=map{epochs=2},structure=%s", nets[k].structure);
        fitted by_itself = fit_on(table_new(nets[k].rows, IN, 0, 1), "laplace:engine=map{epochs=2}", nets[k].net, "gaussian");
        fitted told = fit_on(table_new(nets[k].rows, IN, 0, 1), spec, nets[k].net, "gaussian");
        bnn_run *back;
        OK(bnn_run_save(by_itself.run, NULL, &(bnn_provenance){.split = -1}, files_path("auto.h5")));
        OK(bnn_run_load(files_path("auto.h5"), &back, NULL));
        bnn_data *some;
        OK(bnn_data_slice(told.data, 0, 20, &told.data->scaling, &some));
        bnn_prediction *a = predict(by_itself.run->engine, some, 10), *b = predict(told.run->engine, some, 10),
                       *c = predict(back->engine, some, 10);
        for (int i = 0; i < 20; i++) {
            ck_assert_msg(a->var_epistemic[i] == b->var_epistemic[i], "%s on %d rows is not %s", nets[k].net, nets[k].rows,
                          nets[k].structure);
            ck_assert(a->var_epistemic[i] == c->var_epistemic[i]);
        }
        bnn_prediction_free(a), bnn_prediction_free(b), bnn_prediction_free(c);
        bnn_run_free(back), bnn_data_free(some);
        fitted_free(&by_itself), fitted_free(&told);
    }
    files_remove();
}
END_TEST

START_TEST(what_laplace_cannot_do_it_says) {
    static const struct {
        const char *engine, *net, *prior, *sentence;
    } refused[] = {
        {"laplace:evidence=none", "dense", "scale_mixture", "prior 'scale_mixture' is not Gaussian: use gauss, or let the evidence choose"},
        {"laplace:precision=prior,structure=kron", "dense", "gauss:bias_sd=inf",
         "structure=kron needs a prior with a scale, but that of 'bias' of node 'dense_1' is flat"},
        {"laplace:engine=map{epochs=2}", "gaussian_dense", "gauss", "the network has no weights with a prior of the model's"},
        {"laplace:structure=full", "dense:30000; dense:30000; dense", "gauss", "structure=full needs 1.94e+10 GB, "},
        {"laplace:structure=full", "dense:30000; dense:30000; dense", "gauss",
         " GB are free; structure=kron needs 93.6 GB, structure=diag 14.4 GB"},
        {"laplace:engine=grid_search{engine=map{epochs=2},grid={lr=1|2}},evidence=online", "dense", "gauss",
         "evidence=online needs an engine that fits from its first step, not 'grid_search'"},
        {"laplace:engine=grid_search{engine=map{epochs=2},grid={likelihood.tau=1|2}},evidence=post", "dense", "gauss",
         "engine 'grid_search' chose another network or likelihood: search around laplace, not inside it"},
    };
    bnn_table *t = table_new(ROWS, IN, 0, 1);
    bnn_data *d = data_new(t);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        bnn_run *run;
        SAYS(bnn_fit(&(bnn_config){.net = refused[i].net, .engine = refused[i].engine, .prior = refused[i].prior}, d, &run),
             refused[i].sentence);
    }
    bnn_engine *e;
    bnn_prediction *p;
    OK(bnn_engine_new("laplace", &(bnn_texts){"dense", "gaussian", "gauss"}, d, bnn_rng_seed(1), &e));
    SAYS(bnn_predict(e, d, &(bnn_predict_options){.samples = 1}, &p), "engine 'laplace' has no Gaussian before its fit is over");
    bnn_engine_free(e);
    bnn_data_free(d);
    bnn_table_free(t);
}
END_TEST

/* Two classes of a straight line: on either side of 0, or by the toss of a coin. */
static bnn_table *two_classes(bool sure, uint64_t seed) {
    enum { MANY = 120 };
    bnn_table *t;
    bnn_real e[2 * MANY];
    OK(bnn_table_new(MANY, bnn_shape_vector(1), 1, 2, &t));
    bnn_rng_normal(bnn_rng_seed(seed), 0, 1, 2 * MANY, e);
    for (int i = 0; i < MANY; i++) t->x[i] = (double)e[i], t->y[i] = e[sure ? i : MANY + i] > 0;
    return t;
}

/* Mean log p of rows that are not fitted. */
static double tell_classes(bool sure, const char *engine) {
    fitted f = fit_on(two_classes(sure, 1), engine, "dense:8; tanh; dense", "categorical");
    bnn_table *t = two_classes(sure, 2);
    bnn_data *data = data_new(t);
    bnn_prediction *p = predict(f.run->engine, data, 500);
    const char *remark = bnn_run_remark(f.run);
    double sum = 0;
    ck_assert_int_eq(remark && strstr(remark, "times 0.0009766"), remark && strstr(remark, "by the mode alone"));
    for (int i = 0; i < p->n; i++) sum += p->logp[i] / p->n;
    bnn_prediction_free(p);
    bnn_data_free(data);
    bnn_table_free(t);
    fitted_free(&f);
    return sum;
}

/* Where all rows are sure the curvature is next to 0, and the Gaussian as wide as the prior on the side where rows would be wrong, too. */
START_TEST(classes_are_as_sure_as_rows_left_out_are) {
    double map = tell_classes(true, "map:epochs=400,lr=0.02");
    for (int s = BNN_DIAG; s <= BNN_FULL; s++) {
        char spec[2][160];
        for (int k = 0; k < 2; k++)
            snprintf(spec[k], sizeof spec[k], "laplace:engine=map{epochs=400,lr=0.02},evidence=none,structure=%s,scale=%d", structures[s],
                     k);
        double chosen = tell_classes(true, spec[0]), untouched = tell_classes(true, spec[1]);
        ck_assert_msg(chosen > map - 0.01 && chosen > untouched, "%s: %.4f of sure classes, with the whole Gaussian %.4f, map %.4f",
                      structures[s], chosen, untouched, map);
        chosen = tell_classes(false, spec[0]), untouched = tell_classes(false, spec[1]);
        ck_assert_msg(chosen > untouched - 0.005, "%s: %.4f of coins, with the whole Gaussian %.4f", structures[s], chosen, untouched);
    }
}
END_TEST

START_TEST(the_covariance_has_its_factor) {
    for (int s = BNN_DIAG; s <= BNN_FULL; s++) {
        bnn_prediction *p[2];
        for (int k = 0; k < 2; k++) {
            char spec[128];
            snprintf(spec, sizeof spec, "laplace:engine=map{epochs=20},structure=%s,scale=%s", structures[s], k ? "0.25" : "0");
            fitted f = fit_on(table_new(ROWS, IN, 0, 1), spec, "dense:4; tanh; dense", "gaussian");
            p[k] = predict(f.run->engine, f.data, 0);
            fitted_free(&f);
        }
        for (int r = 0; r < ROWS; r++) {
            ck_assert_double_eq(p[0]->mean[r], p[1]->mean[r]);
            ck_assert_double_eq_tol(p[1]->var_epistemic[r] / p[0]->var_epistemic[r], 0.25, 1e-9);
            ck_assert_double_eq(p[0]->var_aleatoric[r], p[1]->var_aleatoric[r]);
        }
        bnn_prediction_free(p[0]), bnn_prediction_free(p[1]);
    }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {full_and_diag_are_gauss_newton,
                                  gauss_newton_is_positive_semidefinite,
                                  a_linear_model_has_its_hessian,
                                  outputs_have_the_covariance_of_the_inverse,
                                  kron_is_exact_where_rows_are_equal,
                                  kron_is_exact_for_linear_regression,
                                  last_layer_is_the_last_block,
                                  no_rows_leave_the_prior,
                                  log_det_has_its_slopes,
                                  draws_have_their_covariance,
                                  linear_regression_has_its_evidence,
                                  logistic_regression_has_nearly_its_evidence,
                                  a_factor_on_the_noise_is_another_noise,
                                  the_evidence_is_maximised,
                                  a_structure_is_chosen_by_its_work,
                                  an_evidence_without_maximum_ends,
                                  linear_regression_is_predicted_in_closed_form,
                                  closed_forms_have_quantiles_scores_and_draws,
                                  online_finds_the_evidence_of_linear_regression,
                                  blocks_take_their_own_priors,
                                  sampling_a_linear_model_is_its_closed_form,
                                  classes_are_integrals_over_their_logits,
                                  predictions_have_the_same_bits_at_any_number_of_threads,
                                  a_saved_gaussian_predicts_alike,
                                  a_run_begins_with_the_parameters_of_another,
                                  outputs_are_drawn_with_their_covariance,
                                  classes_are_as_sure_as_rows_left_out_are,
                                  the_covariance_has_its_factor,
                                  what_laplace_cannot_do_it_says,
                                  NULL};
    return run_tests("laplace", tests);
}
