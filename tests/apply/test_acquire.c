/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_acquire.c: scores of rows against their definitions, and what a batch says together against all cases of its targets and
 * determinants.
 */
#include "files.h"

#include <bnn/acquire.h>
#include <bnn/fit.h>
#include <bnn/predict.h>
#include <gsl/gsl_linalg.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>

enum { ROWS = 30, IN = 2, S = 20, MOST = 12 };

typedef struct {
    bnn_table *table;
    bnn_data *data;
    bnn_run *run;
} fitted;

/* The second half of the pool is the first once more, where asked. */
static fitted fit(const char *engine, const char *net, int n_classes, bool twins) {
    fitted f = {.table = table_new(ROWS, IN, n_classes, 1)};
    for (int i = ROWS / 2 * IN; twins && i < ROWS * IN; i++) f.table->x[i] = f.table->x[i - ROWS / 2 * IN];
    f.data = data_new(f.table);
    OK(bnn_fit(&(bnn_config){.net = net, .engine = engine, .likelihood = n_classes ? NULL : "gaussian:tau=2", .seed = 1}, f.data, &f.run));
    return f;
}

static void fitted_free(fitted *f) {
    bnn_run_free(f->run);
    bnn_data_free(f->data);
    bnn_table_free(f->table);
}

#define CHAIN "sghmc:burnin=20,thin=1,samples=20,chains=1,batch=30"

static void acquire(const fitted *f, bnn_acquire_rule rule, int n, int *chosen, double *score) {
    OK(bnn_acquire(f->run, f->data, &(bnn_acquire_options){sizeof(bnn_acquire_options), .rule = rule, .samples = S, .seed = 3}, n, chosen,
                   score));
}

START_TEST(single_rows_have_the_largest_scores) {
    fitted f = fit(CHAIN, "dense:4; tanh; dense", 3, false);
    bnn_prediction *p;
    OK(bnn_run_predict(f.run, f.data, &(bnn_predict_options){sizeof(bnn_predict_options), .samples = S, .mode = BNN_DRAW, .seed = 3}, &p));
    for (int rule = BNN_ACQUIRE_ENTROPY; rule <= BNN_ACQUIRE_VARIANCE; rule++) {
        int chosen[ROWS], above = 0;
        double score[ROWS];
        acquire(&f, (bnn_acquire_rule)rule, ROWS, chosen, score);
        bool seen[ROWS] = {false};
        for (int k = 0; k < ROWS; k++) {
            int i = chosen[k];
            double want = rule == BNN_ACQUIRE_ENTROPY ? bnn_prediction_entropy(p, i) : bnn_prediction_mutual_information(p, i);
            for (int c = 0; c < 3 && rule == BNN_ACQUIRE_VARIANCE; c++) want = (c ? want : 0) + p->var_epistemic[3 * i + c];
            ck_assert_double_eq_tol(score[k], want, 1e-9);
            ck_assert(!seen[i] && (k == 0 || score[k] <= score[k - 1]));
            seen[i] = true, above += score[k] > score[ROWS - 1];
        }
        ck_assert_int_gt(above, ROWS / 2);
    }
    bnn_prediction_free(p);
    fitted_free(&f);
}
END_TEST

/* p[ROWS, S, dim] of the stored draws, or means in units of the noise's sd. */
static double *draws_of(const fitted *f, int dim) {
    const bnn_model *m = f->run->engine->model;
    double *p = malloc(ROWS * S * (size_t)dim * sizeof *p);
    bnn_real *theta = reals_new((size_t)m->n_theta), mean[ROWS * 3], var[ROWS * 3];
    bnn_workspace *ws;
    OK(bnn_workspace_new(m->net, ROWS, BNN_FORWARD, &ws));
    for (int s = 0; s < S; s++) {
        OK(bnn_engine_draw(f->run->engine, s, bnn_rng_seed(0), theta));
        bnn_net_prepare(m->net, ws, theta, BNN_DRAW, false, bnn_rng_seed(0));
        const bnn_real *out = bnn_net_forward(m->net, ws, ROWS, 0, f->data->x);
        bnn_likelihood_vtable(&m->likelihood)
            ->observe(&m->likelihood, ROWS, out, NULL, bnn_model_noise(m, theta), &(bnn_observation){.mean = mean, .var = var});
        for (int i = 0; i < ROWS; i++)
            for (int c = 0; c < dim; c++) p[(i * S + s) * dim + c] = (double)mean[i * dim + c] / (dim == 1 ? sqrt((double)var[i]) : 1);
    }
    bnn_workspace_free(ws);
    reals_free(theta);
    return p;
}

/* Information of a batch of rows, by all cases of their targets. */
static double by_cases(const double *p, int n, const int *rows) {
    double sum = 0;
    int cases = 1;
    for (int k = 0; k < n; k++) cases *= 3;
    for (int q = 0; q < cases; q++) {
        double both = 0;
        for (int s = 0; s < S; s++) {
            double product = 1;
            for (int k = 0, rest = q; k < n; k++, rest /= 3) product *= p[(rows[k] * S + s) * 3 + rest % 3];
            both += product / S;
        }
        sum -= both * log(both);
    }
    for (int k = 0; k < n; k++)
        for (int s = 0; s < S; s++)
            for (int c = 0; c < 3; c++) sum += p[(rows[k] * S + s) * 3 + c] * log(p[(rows[k] * S + s) * 3 + c]) / S;
    return sum;
}

/* Up to six rows have no more than BNN_ACQUIRE_CASES cases; each adds more than any other would. Behind them cases are drawn. */
START_TEST(a_batch_of_classes_says_what_all_its_cases_say) {
    fitted f = fit(CHAIN, "dense:4; tanh; dense", 3, false);
    double *p = draws_of(&f, 3), score[MOST];
    int chosen[MOST];
    acquire(&f, BNN_ACQUIRE_BATCHBALD, 10, chosen, score);
    for (int k = 0; k < 10; k++) {
        double want = by_cases(p, k + 1, chosen);
        ck_assert_msg(fabs(score[k] - want) < (k < 7 ? 1e-5 : 0.05 * want), "%d rows: %g, not %g", k + 1, score[k], want);
        int other[MOST];
        memcpy(other, chosen, sizeof other);
        for (other[k] = 0; k < 4 && other[k] < ROWS; other[k]++) {
            bool in = false;
            for (int b = 0; b < k; b++) in = in || chosen[b] == other[k];
            if (!in) ck_assert_double_le(by_cases(p, k + 1, other), want + 1e-6);
        }
    }
    free(p);
    fitted_free(&f);
}
END_TEST

/* Of rows that are the same, bald takes both: a batch has more to ask. */
START_TEST(a_batch_does_not_ask_twice) {
    fitted f = fit("mc_dropout:p=0.5,epochs=200", "dense:20; tanh; dense", 3, true);
    int one[6], batch[6], twins[2] = {0};
    double a[6], b[6];
    acquire(&f, BNN_ACQUIRE_BALD, 6, one, a), acquire(&f, BNN_ACQUIRE_BATCHBALD, 6, batch, b);
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < i; j++)
            twins[0] += one[i] % (ROWS / 2) == one[j] % (ROWS / 2), twins[1] += batch[i] % (ROWS / 2) == batch[j] % (ROWS / 2);
    ck_assert_int_eq(twins[0], 3);
    ck_assert_int_lt(twins[1], 3);
    ck_assert_int_eq(one[0], batch[0]);
    ck_assert_double_eq_tol(a[0], b[0], 1e-6);
    fitted_free(&f);
}
END_TEST

static double log_det(const double *p, int n, const int *rows) {
    gsl_matrix *m = gsl_matrix_alloc((size_t)n, (size_t)n);
    for (int a = 0; a < n; a++)
        for (int b = 0; b < n; b++) {
            double sum = 0, mean_a = 0, mean_b = 0;
            for (int s = 0; s < S; s++) mean_a += p[rows[a] * S + s] / S, mean_b += p[rows[b] * S + s] / S;
            for (int s = 0; s < S; s++) sum += (p[rows[a] * S + s] - mean_a) * (p[rows[b] * S + s] - mean_b) / S;
            gsl_matrix_set(m, (size_t)a, (size_t)b, sum + (a == b));
        }
    gsl_linalg_cholesky_decomp1(m);
    double value = 0;
    for (int a = 0; a < n; a++) value += log(gsl_matrix_get(m, (size_t)a, (size_t)a));
    gsl_matrix_free(m);
    return value;
}

START_TEST(a_batch_of_a_real_target_has_its_determinant) {
    fitted f = fit(CHAIN, "dense:4; tanh; dense", 0, false);
    double *p = draws_of(&f, 1), score[MOST];
    int chosen[MOST];
    acquire(&f, BNN_ACQUIRE_BATCHBALD, MOST, chosen, score);
    for (int k = 0; k < MOST; k++) {
        ck_assert_double_eq_tol(score[k], log_det(p, k + 1, chosen), 1e-5);
        int other[MOST];
        memcpy(other, chosen, sizeof other);
        for (other[k] = 0; other[k] < ROWS; other[k]++) {
            bool in = false;
            for (int b = 0; b < k; b++) in = in || chosen[b] == other[k];
            if (!in) ck_assert_double_le(log_det(p, k + 1, other), score[k] + 1e-5);
        }
    }
    int one[1];
    double information;
    acquire(&f, BNN_ACQUIRE_BALD, 1, one, &information);
    ck_assert_int_eq(one[0], chosen[0]);
    ck_assert_double_eq_tol(information, score[0], 1e-5);
    acquire(&f, BNN_ACQUIRE_VARIANCE, 1, one, NULL);
    ck_assert_int_eq(one[0], chosen[0]); /* noise is the same everywhere */
    free(p);
    fitted_free(&f);
}
END_TEST

START_TEST(any_engine_and_number_of_threads) {
    static const char *const engines[] = {"mc_dropout:p=0.2,epochs=20", "ensemble:engine=map{epochs=20},members=3",
                                          "last_layer:engine=map{epochs=20}", "map:epochs=20", "bayes_by_backprop:epochs=20"};
    for (size_t k = 0; k < sizeof engines / sizeof *engines; k++)
        for (int rule = BNN_ACQUIRE_BALD; rule <= BNN_ACQUIRE_RANDOM; rule++) {
            fitted f = fit(engines[k], "dense:4; tanh; dense", 0, false);
            int one[5], four[5];
            double a[5], b[5];
            omp_set_num_threads(1);
            acquire(&f, (bnn_acquire_rule)rule, 5, one, a);
            omp_set_num_threads(4);
            acquire(&f, (bnn_acquire_rule)rule, 5, four, b);
            ck_assert_mem_eq(one, four, sizeof one);
            ck_assert_mem_eq(a, b, sizeof a);
            ck_assert_msg(rule == BNN_ACQUIRE_RANDOM || k == 3 || a[4] > 0, "%s by %s: %g", engines[k], bnn_acquire_rule_names[rule], a[4]);
            fitted_free(&f);
        }
}
END_TEST

START_TEST(what_makes_no_sense_is_refused) {
    fitted f = fit("map:epochs=2", "dense", 0, false);
    int chosen[ROWS + 1];
    const bnn_acquire_options how = {.size = sizeof how};
    SAYS(bnn_acquire(f.run, f.data, &how, 1, chosen, NULL), "real targets have no entropy to choose by: take bald or variance");
    SAYS(bnn_acquire(f.run, f.data, &how, ROWS + 1, chosen, NULL), "31 rows cannot be taken from a pool of 30");
    SAYS(bnn_acquire(f.run, f.data, &how, 0, chosen, NULL), "0 rows cannot be taken");
    SAYS(bnn_acquire(f.run, f.data, &(bnn_acquire_options){sizeof how, .rule = (bnn_acquire_rule)9}, 1, chosen, NULL),
         "there is no such rule");
    fitted_free(&f);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {single_rows_have_the_largest_scores,
                                  a_batch_of_classes_says_what_all_its_cases_say,
                                  a_batch_does_not_ask_twice,
                                  a_batch_of_a_real_target_has_its_determinant,
                                  any_engine_and_number_of_threads,
                                  what_makes_no_sense_is_refused,
                                  NULL};
    return run_tests("acquire", tests);
}
