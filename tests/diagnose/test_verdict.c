/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_verdict.c: verdicts on worlds whose truth is known: good fits get none, and each fault gets its own.
 */
#include "files.h"

#include <bnn/diagnose.h>
#include <bnn/rng.h>
#include <bnn/sbc.h>
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
static bnn_remarks *judge_by(const char *net, const char *engine, const char *likelihood, const char *prior, const bnn_table *t) {
    bnn_data *train, *rest;
    bnn_run *run;
    bnn_prediction *p;
    bnn_remarks *out;
    OK(bnn_data_range(t, 0, TRAIN_ROWS, NULL, &train));
    OK(bnn_data_range(t, TRAIN_ROWS, ROWS, bnn_data_scaling(train), &rest));
    OK(bnn_fit(&(bnn_config){.size = sizeof(bnn_config), .net = net, .engine = engine, .likelihood = likelihood, .prior = prior, .seed = 1},
               train, &run));
    OK(bnn_run_predict(run, rest, &(bnn_predict_options){.size = sizeof(bnn_predict_options), .samples = 200, .seed = 1}, &p));
    OK(bnn_remarks_new(&out));
    OK(bnn_run_judge(run, train, TRAIN_ROWS, p, rest, out));
    bnn_prediction_free(p), bnn_run_free(run), bnn_data_free(rest), bnn_data_free(train);
    return out;
}

static bnn_remarks *judge(const char *engine, const char *likelihood, const bnn_table *t) {
    return judge_by("dense", engine, likelihood, NULL, t);
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
        {"not_converged", "map:epochs=8,lr=0.05,schedule=constant", "gaussian", 0.1, 1},
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

/* All of eight targets are within intervals of 90 %, which are three times too wide; but of right ones they would be, too, now and then. */
START_TEST(a_share_that_chance_explains_is_noted) {
    enum { SCORED = 8 };
    bnn_table *t = world(7, 0.3, ROWS, 1);
    bnn_data *train, *rest;
    bnn_run *run;
    bnn_prediction *p;
    bnn_remarks *r;
    OK(bnn_data_range(t, 0, TRAIN_ROWS, NULL, &train));
    OK(bnn_data_range(t, TRAIN_ROWS, TRAIN_ROWS + SCORED, bnn_data_scaling(train), &rest));
    OK(bnn_fit(&(bnn_config){.size = sizeof(bnn_config), .net = "dense", .engine = EXACT, .likelihood = "gaussian:tau=1", .seed = 1}, train,
               &run));
    OK(bnn_run_predict(run, rest, &(bnn_predict_options){.size = sizeof(bnn_predict_options), .seed = 1}, &p));
    OK(bnn_remarks_new(&r));
    OK(bnn_judge_prediction(run, p, rest, TRAIN_ROWS, r));
    ck_assert_msg(says(r, "underconfident") && alarms(r) == 0, "eight of eight targets: %d verdicts, %d warnings", bnn_remarks_count(r),
                  alarms(r));
    bnn_remarks_free(r), bnn_prediction_free(p), bnn_run_free(run);
    bnn_data_free(rest), bnn_data_free(train), bnn_table_free(t);
}
END_TEST

/* A few dozen steps, of which the schedule makes the last ones small: U falls by little at the end of them, converged or not. They are
 * enough where U was level at half of them, as it is of so wide a noise that no weights matter. */
START_TEST(few_steps_are_said) {
    static const struct {
        const char *engine, *likelihood;
        bool said;
    } tried[] = {{"map:epochs=1", "gaussian", true},
                 {"map:epochs=30,lr=0.01", "gaussian", true},
                 {"ensemble:engine=map{epochs=60},members=2", "gaussian", true},
                 {"laplace:engine=map{epochs=30,lr=0.01}", "gaussian", true},
                 {"map:epochs=100", "gaussian", false},
                 {"map:epochs=90", "gaussian:tau=0.001", false}};
    bnn_table *t = world(7, 0.3, TRAIN_ROWS, 1);
    for (size_t i = 0; i < sizeof tried / sizeof *tried; i++) {
        bnn_remarks *r = judge(tried[i].engine, tried[i].likelihood, t);
        ck_assert_msg(says(r, "not_converged") == tried[i].said, "%s", tried[i].engine);
        bnn_remarks_free(r);
    }
    bnn_table_free(t);
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

/* Two classes, told by the sign of x but for one row in `wrong` of those that are fitted, and one in `later` of the others; 0: none. */
static bnn_table *world_of_classes(int wrong, int later) {
    double x[ROWS], y[ROWS];
    for (int i = 0; i < ROWS; i++) {
        int one_in = i < TRAIN_ROWS ? wrong : later;
        x[i] = i % 2 ? 1 : -1;
        y[i] = (x[i] > 0) != (one_in > 0 && i / 2 % one_in == 0);
    }
    bnn_table *t;
    OK(bnn_table_from(&(bnn_arrays){.size = sizeof(bnn_arrays), .n = ROWS, .x_size = 1, .y_dim = 1, .n_classes = 2, .x = x, .y = y}, &t));
    return t;
}

START_TEST(probabilities_are_held_against_the_classes) {
    static const struct {
        int wrong, later;
        const char *code;
        bnn_severity severity;
    } tried[] = {{10, 10, NULL, BNN_REMARK_NOTE},
                 {0, 50, NULL, BNN_REMARK_NOTE},
                 {0, 5, "overconfident", BNN_REMARK_WARNING},
                 {0, 2, "overconfident", BNN_REMARK_BAD},
                 {3, 0, "underconfident", BNN_REMARK_WARNING}};
    for (size_t i = 0; i < sizeof tried / sizeof *tried; i++) {
        bnn_table *t = world_of_classes(tried[i].wrong, tried[i].later);
        bnn_remarks *r = judge("map:steps=2000,lr=0.02", NULL, t);
        bool said = tried[i].code == NULL && alarms(r) == 0;
        for (int k = 0; tried[i].code && k < bnn_remarks_count(r); k++)
            said |= strcmp(bnn_remark_code(r, k), tried[i].code) == 0 && bnn_remark_severity(r, k) == tried[i].severity;
        ck_assert_msg(said, "one in %d, then one in %d: not %s", tried[i].wrong, tried[i].later, tried[i].code ? tried[i].code : "quiet");
        bnn_remarks_free(r), bnn_table_free(t);
    }
}
END_TEST

START_TEST(classes_that_are_all_called_wrongly_have_probabilities_not_intervals) {
    bnn_table *t = world_of_classes(0, 1);
    bnn_remarks *r = judge("map:steps=2000,lr=0.02", NULL, t);
    ck_assert_str_eq(bnn_remark_code(r, 0), "diverged");
    ck_assert_ptr_nonnull(strstr(bnn_remark_sentence(r, 0), "the fit has failed, or its probabilities are far too sure"));
    bnn_remarks_free(r), bnn_table_free(t);
}
END_TEST

START_TEST(classes_of_few_rows_are_said) {
    bnn_table *t = world_of_classes(0, 0);
    bnn_remarks *r = judge("map:steps=2000,lr=0.02", NULL, t);
    ck_assert(!says(r, "few_rows"));
    bnn_remarks_free(r);
    t->n_classes = 4, t->y[7] = 3;
    r = judge("map:steps=2000,lr=0.02", NULL, t);
    ck_assert_msg(says(r, "few_rows"), "a class of one row, and one of none, are fitted without a word");
    ck_assert_ptr_nonnull(strstr(bnn_remark_sentence(r, 0), "2 of 4 classes have fewer than 5 of the rows that were fitted, '2' 0:"));
    bnn_remarks_free(r), bnn_table_free(t);
}
END_TEST

/* 60 rows: a noise without a density has no posterior where 101 weights can meet them, nor have 62 biases without one. */
START_TEST(no_posterior_is_said) {
    static const struct {
        const char *net, *likelihood, *prior;
        bool improper;
    } model[] = {{"dense:20; tanh; dense", "gaussian:shape=0", "gauss", true},
                 {"dense:20; tanh; dense", "gaussian", "gauss:bias_sd=inf", false},
                 {"dense:10; tanh; dense", "gaussian:shape=0", "gauss", false},
                 {"dense:20; tanh; dense", "gaussian:tau=10", "gauss", false},
                 {"dense:61; tanh; dense", "gaussian", "gauss:bias_sd=inf", true},
                 {"dense:20; tanh; dense", "heteroscedastic", "hierarchical", false}};
    static const char *const engine[] = {"hmc:steps=2,samples=20,warmup=4,chains=2", "map:epochs=5"};
    bnn_table *t = world(3, 0.3, ROWS, 1);
    for (size_t i = 0; i < sizeof model / sizeof *model; i++)
        for (int e = 0; e < 2; e++) {
            bnn_remarks *r = judge_by(model[i].net, engine[e], model[i].likelihood, model[i].prior, t);
            ck_assert_msg(says(r, "improper") == model[i].improper, "%s, %s, %s by %s", model[i].net, model[i].likelihood, model[i].prior,
                          engine[e]);
            for (int k = 0; k < bnn_remarks_count(r); k++)
                if (strcmp(bnn_remark_code(r, k), "improper") == 0)
                    ck_assert(bnn_remark_severity(r, k) == (e == 0 ? BNN_REMARK_BAD : BNN_REMARK_WARNING));
            bnn_remarks_free(r);
        }
    bnn_table_free(t);
}
END_TEST

/* The last 50 rows are far off, and weigh nothing. */
START_TEST(rows_count_by_their_weight) {
    enum { FAR = ROWS - 50 };
    double weight[ROWS];
    for (int i = 0; i < ROWS; i++) weight[i] = i < FAR;
    bnn_table *t = world(7, 0.3, FAR, 300);
    bnn_remarks *r = judge(EXACT, "gaussian", t);
    ck_assert_msg(says(r, "diverged") && says(r, "noise_collapsed"), "rows that are far off are not seen");
    bnn_remarks_free(r);
    t->weight = malloc(sizeof weight);
    memcpy(t->weight, weight, sizeof weight);
    r = judge(EXACT, "gaussian", t);
    ck_assert_msg(alarms(r) == 0, "rows that weigh nothing raise %s", bnn_remark_code(r, 0));
    bnn_remarks_free(r), bnn_table_free(t);
}
END_TEST

/* Worlds of the engine's own model: one that is right is seldom alarmed, one that does not move always. */
START_TEST(worlds_tell_false_alarms_from_true_ones) {
    bnn_alarms a;
    bnn_sbc_config c = bnn_sbc_preset();
    c.net = "dense", c.likelihood = "gaussian:shape=2,sd=0.3", c.rows = c.points = 60, c.replications = 60, c.engine = "laplace";
    OK(bnn_alarms_run(&c, &a));
    ck_assert_msg(a.replications == 60 && a.alarmed <= 3, "%d of %d good fits are alarmed", a.alarmed, a.replications);
    c.replications = 5, c.engine = "sgld:samples=20,burnin=1,lr=1e-7";
    OK(bnn_alarms_run(&c, &a));
    int stuck = 0;
    for (int i = 0; i < a.n; i++)
        if (strcmp(a.alarm[i].code, "chains_apart") == 0) stuck = a.alarm[i].count[BNN_REMARK_BAD] + a.alarm[i].count[BNN_REMARK_WARNING];
    ck_assert(a.alarmed == 5 && stuck == 5);
    c.points = 0;
    SAYS(bnn_alarms_run(&c, &a), "verdicts need new rows to judge by (--points)");
}
END_TEST

/* Nothing can be learned from x but by chance: an answer that is right does as well as one that does not look at x, here a little better,
 * there a little worse, and many scored rows tell which. */
START_TEST(worlds_of_noise_are_no_alarm) {
    bnn_alarms a;
    bnn_sbc_config c = bnn_sbc_preset();
    c.net = "dense", c.prior = "gauss:sd=0.05,bias_sd=1", c.engine = "laplace:evidence=none,engine=map{steps=300,lr=0.05}";
    c.rows = 60, c.points = 600, c.replications = 60, c.draws = 100;
    for (c.classes = 0; c.classes < 3; c.classes += 2) {
        c.likelihood = c.classes ? "categorical" : "gaussian:shape=2,sd=1";
        OK(bnn_alarms_run(&c, &a));
        ck_assert_msg(a.alarmed <= 3, "%d of %d good fits of %d classes are alarmed, the first by %s", a.alarmed, a.replications, c.classes,
                      a.alarm[0].code);
    }
}
END_TEST

int main(void) {
    return run_tests("verdict", (const TTest *const[]){good_fits_get_no_verdict, worlds_of_noise_are_no_alarm, each_fault_gets_its_verdict,
                                                       a_share_that_chance_explains_is_noted, few_steps_are_said,
                                                       rows_of_one_class_are_no_sample_of_all, probabilities_are_held_against_the_classes,
                                                       classes_that_are_all_called_wrongly_have_probabilities_not_intervals,
                                                       classes_of_few_rows_are_said, no_posterior_is_said, rows_count_by_their_weight,
                                                       worlds_tell_false_alarms_from_true_ones, NULL});
}
