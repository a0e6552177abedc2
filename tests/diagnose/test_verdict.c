/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_verdict.c: verdicts on worlds whose truth is known: good fits get none, and each fault gets its own.
 */
#include "files.h"

#include <bnn/diagnose.h>
#include <bnn/rng.h>
#include <math.h>
#include <stdlib.h>

enum { FEATURES = 3, TRAIN_ROWS = 60, ROWS = 160 };

/* y = x_0 - x_1/2 + x_2/4 + sd e, but for the rows from `from` on, where the noise is `wider` times as large. */
static bnn_table *world(uint64_t seed, double sd, int from, double wider) {
    bnn_rng rng = bnn_rng_seed(seed);
    bnn_real e[ROWS * (FEATURES + 1)];
    double x[ROWS * FEATURES], y[ROWS];
    bnn_rng_normal(rng, 0, ROWS, FEATURES + 1, e);
    for (int i = 0; i < ROWS; i++) {
        y[i] = sd * (i < from ? 1 : wider) * (double)e[i * (FEATURES + 1) + FEATURES];
        for (int k = 0; k < FEATURES; k++) {
            x[i * FEATURES + k] = (double)e[i * (FEATURES + 1) + k];
            y[i] += x[i * FEATURES + k] * pow(-0.5, k);
        }
    }
    bnn_table *t;
    OK(bnn_table_from(&(bnn_arrays){.size = sizeof(bnn_arrays), .n = ROWS, .x_size = FEATURES, .y_dim = 1, .x = x, .y = y}, &t));
    return t;
}

/* The verdicts on a fit to the first rows of a world and its prediction of the others. */
static bnn_remarks *judge(const char *engine, const char *likelihood, const bnn_table *t) {
    bnn_data *train, *rest;
    bnn_run *run;
    bnn_prediction *p;
    bnn_remarks *out;
    OK(bnn_data_range(t, 0, TRAIN_ROWS, NULL, &train));
    OK(bnn_data_range(t, TRAIN_ROWS, ROWS, bnn_data_scaling(train), &rest));
    OK(bnn_fit(&(bnn_config){.size = sizeof(bnn_config), .net = "dense", .engine = engine, .likelihood = likelihood, .seed = 1}, train,
               &run));
    OK(bnn_run_predict(run, rest, &(bnn_predict_options){.size = sizeof(bnn_predict_options), .samples = 200, .seed = 1}, &p));
    OK(bnn_remarks_new(&out));
    OK(bnn_run_judge(run, train, TRAIN_ROWS, p, rest, out));
    bnn_prediction_free(p), bnn_run_free(run), bnn_data_free(rest), bnn_data_free(train);
    return out;
}

static int alarms(const bnn_remarks *r) {
    int n = 0;
    for (int i = 0; i < bnn_remarks_count(r); i++) n += bnn_remark_severity(r, i) != BNN_REMARK_NOTE;
    return n;
}

static bool says(const bnn_remarks *r, const char *code) {
    for (int i = 0; i < bnn_remarks_count(r); i++)
        if (strcmp(bnn_remark_code(r, i), code) == 0) return true;
    return false;
}

#define EXACT "laplace:structure=full,engine=map{epochs=2000}"

START_TEST(good_fits_get_no_verdict) {
    enum { WORLDS = 100 };
    int wrong = 0;
    for (uint64_t seed = 0; seed < WORLDS; seed++) {
        bnn_table *t = world(seed, 0.3, ROWS, 1);
        bnn_remarks *r = judge(EXACT, "gaussian", t);
        wrong += alarms(r) > 0;
        bnn_remarks_free(r), bnn_table_free(t);
    }
    ck_assert_msg(wrong <= WORLDS / 20, "%d of %d good fits have a verdict", wrong, WORLDS);
}
END_TEST

START_TEST(each_fault_gets_its_verdict) {
    static const struct {
        const char *code, *engine, *likelihood;
        double sd, wider;
    } fault[] = {
        {"not_converged", "map:epochs=220,lr=0.005,schedule=constant", "gaussian", 0.1, 1},
        {"overconfident", EXACT, "gaussian", 0.3, 3},
        {"underconfident", EXACT, "gaussian", 0.3, 0.3},
        {"noise_collapsed", EXACT, "gaussian", 0.1, 12},
        {"diverged", EXACT, "gaussian", 0.3, 1000},
        {"worse_than_mean", "map:epochs=400", "gaussian:tau=0.03", 3, 1},
        {"chains_apart", "sgld:samples=20,burnin=1,lr=1e-7", "gaussian", 0.3, 1},
    };
    for (size_t i = 0; i < sizeof fault / sizeof *fault; i++) {
        bnn_table *t = world(7, fault[i].sd, TRAIN_ROWS, fault[i].wider);
        bnn_remarks *r = judge(fault[i].engine, fault[i].likelihood, t);
        ck_assert_msg(says(r, fault[i].code), "%s was not said of %s", fault[i].code, fault[i].engine);
        bnn_remarks_free(r), bnn_table_free(t);
    }
}
END_TEST

/* The last rows, all of one class, are predicted as this class: no better by their own shares, of which that class has all. */
START_TEST(rows_of_one_class_are_no_sample_of_all) {
    enum { ROWS_OF_CLASSES = 60, TRAIN = 40 };
    double x[ROWS_OF_CLASSES], y[ROWS_OF_CLASSES];
    bnn_table *t;
    bnn_data *train, *rest;
    bnn_run *run;
    bnn_prediction *p;
    bnn_remarks *out;
    for (int i = 0; i < ROWS_OF_CLASSES; i++) y[i] = i < TRAIN && i % 2, x[i] = 2 * y[i] + 0.01 * i;
    OK(bnn_table_from(
        &(bnn_arrays){.size = sizeof(bnn_arrays), .n = ROWS_OF_CLASSES, .x_size = 1, .y_dim = 1, .n_classes = 2, .x = x, .y = y}, &t));
    OK(bnn_data_range(t, 0, TRAIN, NULL, &train));
    OK(bnn_data_range(t, TRAIN, ROWS_OF_CLASSES, bnn_data_scaling(train), &rest));
    OK(bnn_fit(&(bnn_config){.size = sizeof(bnn_config), .net = "dense", .engine = "map:epochs=400", .seed = 1}, train, &run));
    OK(bnn_run_predict(run, rest, &(bnn_predict_options){.size = sizeof(bnn_predict_options), .seed = 1}, &p));
    OK(bnn_remarks_new(&out));
    OK(bnn_run_judge(run, train, TRAIN, p, rest, out));
    ck_assert_msg(!says(out, "worse_than_mean"), "a fit that tells the classes apart is called no better than their shares");
    bnn_remarks_free(out), bnn_prediction_free(p), bnn_run_free(run), bnn_data_free(rest), bnn_data_free(train), bnn_table_free(t);
}
END_TEST

int main(void) {
    return run_tests("verdict", (const TTest *const[]){good_fits_get_no_verdict, each_fault_gets_its_verdict,
                                                       rows_of_one_class_are_no_sample_of_all, NULL});
}
