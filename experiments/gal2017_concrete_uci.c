/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Gal, Hron & Kendall 2017, Concrete Dropout, on the UCI regression sets of section 4.2: is the grid search over dropout probabilities
 * needed?
 *
 *   baseline:  grid search over p and tau as in Gal & Ghahramani 2016 (12 fits on 80 % of the training rows, then a refit)
 *   concrete:  p of every layer learned by gradient with the weights and the noise; one fit, stopped where the last 20 % of the training
 * rows are predicted best, then a refit
 *
 * Reported for both: RMSE, log-likelihood and gradient evaluations on the published splits; for concrete gates the learned p as well.
 *
 * usage: gal2017_concrete_uci DATA.h5 TAU|TAU|TAU [FIRST-LAST]
 *        gal2017_concrete_uci --smoke BOSTON.csv
 */
#include <bnn/bnn.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] = "usage: gal2017_concrete_uci --smoke BOSTON.csv | DATA.h5 'TAU|TAU|TAU' [FIRST-LAST]";

enum { MOST_SPLITS = 20, GRID = 0, CONCRETE = 1, LAYERS = 2 };

typedef struct {
    bnn_table *table;
    int first, n_splits;
    char engine[2][256];
    double rmse[2][MOST_SPLITS], ll[2][MOST_SPLITS], gradients[2][MOST_SPLITS], p[LAYERS][MOST_SPLITS];
} study;

static bnn_status fit_and_test(study *s, int which, int i, const bnn_data *train, const bnn_data *test) {
    bnn_config config = {sizeof config, .net = "dense:50; relu; dense", .engine = s->engine[which], .likelihood = "gaussian:shape=0",
                         .seed = 1 + (uint64_t)i};
    bnn_run *run;
    bnn_prediction *prediction = NULL;
    BNN_TRY(bnn_fit(&config, train, &run));
    bnn_status status =
        bnn_run_predict(run, test, &(bnn_predict_options){sizeof(bnn_predict_options), .samples = 1000, .seed = 1}, &prediction);
    if (status == BNN_OK) status = bnn_prediction_score(prediction, test, "rmse", &s->rmse[which][i]);
    if (status == BNN_OK) status = bnn_prediction_score(prediction, test, "ll", &s->ll[which][i]);
    const double *last = bnn_run_gate_p(run) + (bnn_run_history_rows(run) - 1) * bnn_run_gates(run);
    s->gradients[which][i] = bnn_run_cost(run, BNN_COST_GRADIENTS);
    for (int l = 0; which == CONCRETE && l < LAYERS; l++) s->p[l][i] = last[l];
    bnn_prediction_free(prediction);
    bnn_run_free(run);
    return status;
}

static bnn_status run_task(void *context, int task) {
    study *s = context;
    int which = task / s->n_splits, i = task % s->n_splits;
    bnn_data *train, *test;
    BNN_TRY(bnn_data_split(s->table, s->first + i, BNN_TRAIN, NULL, &train));
    BNN_TRY(bnn_data_split(s->table, s->first + i, BNN_TEST, bnn_data_scaling(train), &test));
    BNN_TRY(fit_and_test(s, which, i, train, test));
    bnn_data_free(test);
    bnn_data_free(train);
    return BNN_OK;
}

static double mean(int n, const double *x, double *se) {
    double m = 0, squares = 0;
    for (int i = 0; i < n; i++) m += x[i] / n;
    for (int i = 0; i < n; i++) squares += (x[i] - m) * (x[i] - m);
    *se = n > 1 ? sqrt(squares / (n - 1) / n) : 0;
    return m;
}

static void report(const study *s) {
    static const char *const name[] = {"grid", "concrete"};
    double se, gradients[2];
    for (int which = GRID; which <= CONCRETE; which++) {
        printf("rmse_%s %.5g\n", name[which], mean(s->n_splits, s->rmse[which], &se));
        printf("rmse_%s_se %.2g\n", name[which], se);
        printf("ll_%s %.5g\n", name[which], mean(s->n_splits, s->ll[which], &se));
        printf("ll_%s_se %.2g\n", name[which], se);
        gradients[which] = mean(s->n_splits, s->gradients[which], &se);
        printf("gradients_%s %.0f\n", name[which], gradients[which]);
    }
    printf("cost_ratio %.4f\n", gradients[CONCRETE] / gradients[GRID]);
    for (int l = 0; l < LAYERS; l++) printf("p%d %.4f\n", l + 1, mean(s->n_splits, s->p[l], &se));
}

static bnn_status open_study(int argc, char **argv, study *s) {
    bool smoke = argc == 3 && strcmp(argv[1], "--smoke") == 0;
    if (argc < 3) return bnn_fail(BNN_ERR_OPTION, "%s", usage);
    snprintf(s->engine[GRID], sizeof s->engine[GRID],
             "grid_search:validation=last,engine=mc_dropout{epochs=%d,lr=0.001,schedule=constant},grid={p=0.005|0.01|0.05|0.1,likelihood."
             "tau=%s}",
             smoke ? 100 : 4000, smoke ? "0.1|0.15|0.2" : argv[2]);
    snprintf(s->engine[CONCRETE], sizeof s->engine[CONCRETE],
             "early_stopping:validation=last,engine=mc_dropout{gates=concrete,p=0.1,lr=0.005,lr_hyper=0.0004,lr_noise=0.0004,schedule="
             "constant,epochs=%d},every=20,patience=100",
             smoke ? 60 : 2000);
    if (smoke) {
        bnn_csv_options target = {sizeof target, .targets = "medv"};
        BNN_TRY(bnn_import_csv(argv[2], &target, NULL, &s->table));
        s->n_splits = 1;
        return bnn_table_split(s->table, BNN_SPLIT_PBP, 1, 1);
    }
    BNN_TRY(bnn_table_load(argv[1], &s->table));
    int last = bnn_table_splits(s->table) - 1;
    if (argc > 3) sscanf(argv[3], "%d-%d", &s->first, &last);
    s->n_splits = last - s->first + 1;
    if (s->first < 0 || s->n_splits < 1 || s->n_splits > MOST_SPLITS || last >= bnn_table_splits(s->table))
        return bnn_fail(BNN_ERR_OPTION, "%s has splits 0 to %d, at most %d at a time", argv[1], bnn_table_splits(s->table) - 1,
                        MOST_SPLITS);
    return BNN_OK;
}

int main(int argc, char **argv) {
    static study s;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) return puts(usage), 0;
    if (open_study(argc, argv, &s) < 0 || bnn_jobs_run(2 * s.n_splits, run_task, &s) < 0) {
        fprintf(stderr, "%s\n", bnn_error());
        return 2;
    }
    report(&s);
    bnn_table_free(s.table);
    return 0;
}
