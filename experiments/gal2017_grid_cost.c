/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Gal, Hron & Kendall 2017, Concrete Dropout, section 1: to search dropout probabilities by a grid is an immense waste. How immense?
 *
 *   networks of 1, 2, 3 and 4 layers with weights, a gate before each; 20 relu units
 *   grid       every combination of p = 0.005, 0.01, 0.05, 0.1 of each gate: 4^gates fits of STEPS minibatches on 80 % of the training
 *              rows, scored on the rest, and a refit
 *   shared     one p for all gates: 4 fits and a refit
 *   held_out   p of each gate learned on rows held out, 8000 minibatches, refit included (held_out_dropout)
 *   concrete   p of each gate learned with the weights, stopped where held-out rows are predicted best (early_stopping)
 *
 * Printed for each and each number of gates: gradients, seconds of cpu, log-likelihood of the test rows with its standard error over
 * splits; of the last three, how far they are above the grid on the same splits (gain).
 *
 * usage: gal2017_grid_cost [--smoke] BOSTON.csv [SPLITS [STEPS]]      preset: 5 published splits, 4000 steps
 */
#include <bnn/bnn.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SPLITS = 20, MOST_GATES = 4, WAYS = 4, GRID = 0 };
static const char *const names[WAYS] = {"grid", "shared", "held_out", "concrete"};

typedef struct {
    bnn_table *table;
    int n_splits, gates, steps;
    bool smoke;
    double all; /* gradients */
    double ll[WAYS][MOST_SPLITS], gradients[WAYS][MOST_SPLITS], seconds[WAYS][MOST_SPLITS];
} study;

/* Writes the network, with gates g1, g2, ... for the grid to name, and the grid over them. */
static void write_texts(int gates, bool named, char net[512], char grid[512]) {
    size_t n = 0, g = 0;
    for (int i = 1; i <= gates; i++) {
        if (named) n += (size_t)snprintf(net + n, 512 - n, "g%d = dropout:0.01; ", i);
        n += (size_t)snprintf(net + n, 512 - n, i < gates ? "dense:20; relu; " : "dense");
        g += (size_t)snprintf(grid + g, 512 - g, "%sg%d.p=0.005|0.01|0.05|0.1", i > 1 ? "," : "", i);
    }
}

static void write_engine(const study *s, int way, const char *grid, char engine[768]) {
    if (way <= 1)
        snprintf(engine, 768, "grid_search:engine=mc_dropout{steps=%d},grid={%s}", s->steps, way == GRID ? grid : "p=0.005|0.01|0.05|0.1");
    else if (way == 2)
        snprintf(engine, 768, "held_out_dropout:steps=%d", s->smoke ? s->steps : 8000);
    else
        snprintf(engine, 768, "early_stopping:engine=mc_dropout{gates=concrete,p=0.1,lr_hyper=0.0004,schedule=constant,steps=%d}",
                 s->smoke ? s->steps : 40000);
}

/* One way on one split. */
static bnn_status run_task(void *context, int task) {
    study *s = context;
    int way = task / s->n_splits, i = task % s->n_splits;
    char net[512], grid[512], engine[768];
    bnn_data *train, *test;
    bnn_run *run;
    bnn_prediction *p;
    write_texts(s->gates, way == GRID, net, grid);
    write_engine(s, way, grid, engine);
    bnn_config config = {sizeof config, .net = net, .engine = engine, .seed = 1 + (uint64_t)i};
    bnn_predict_options how = {sizeof how, .samples = 1000, .seed = 1};
    BNN_TRY(bnn_data_split(s->table, i, BNN_TRAIN, NULL, &train));
    BNN_TRY(bnn_data_split(s->table, i, BNN_TEST, bnn_data_scaling(train), &test));
    BNN_TRY(bnn_fit(&config, train, &run));
    BNN_TRY(bnn_run_predict(run, test, &how, &p));
    BNN_TRY(bnn_prediction_score(p, test, "ll", &s->ll[way][i]));
    s->gradients[way][i] = bnn_run_cost(run, BNN_COST_GRADIENTS);
    s->seconds[way][i] = bnn_run_cost(run, BNN_COST_SECONDS_CPU);
    bnn_prediction_free(p), bnn_run_free(run), bnn_data_free(test), bnn_data_free(train);
    return BNN_OK;
}

static double mean(int n, const double *x, const double *less, double *se) {
    double m = 0, squares = 0;
    for (int i = 0; i < n; i++) m += (x[i] - (less ? less[i] : 0)) / n;
    for (int i = 0; i < n; i++) squares += pow(x[i] - (less ? less[i] : 0) - m, 2);
    *se = n > 1 ? sqrt(squares / (n - 1) / n) : 0;
    return m;
}

static void print_mean(const char *what, const char *way, int gates, double m, double se) {
    printf("%s_%s_%d %.4f\n%s_%s_%d_se %.4f\n", what, way, gates, m, what, way, gates, se);
}

static void report(study *s) {
    double se;
    for (int way = 0; way < WAYS; way++) {
        double m = mean(s->n_splits, s->ll[way], NULL, &se), ll_se = se, gradients = mean(s->n_splits, s->gradients[way], NULL, &se);
        s->all += gradients * s->n_splits;
        print_mean("ll", names[way], s->gates, m, ll_se);
        if (way != GRID) m = mean(s->n_splits, s->ll[way], s->ll[GRID], &se), print_mean("gain", names[way], s->gates, m, se);
        printf("gradients_%s_%d %.0f\n", names[way], s->gates, gradients);
        if (!s->smoke) printf("seconds_%s_%d %.2f\n", names[way], s->gates, mean(s->n_splits, s->seconds[way], NULL, &se));
        if (way != GRID) printf("ratio_%s_%d %.2f\n", names[way], s->gates, mean(s->n_splits, s->gradients[GRID], NULL, &se) / gradients);
    }
    fflush(stdout);
}

int main(int argc, char **argv) {
    const char usage[] = "usage: gal2017_grid_cost [--smoke] BOSTON.csv [SPLITS [STEPS]]";
    bool smoke = argc > 1 && strcmp(argv[1], "--smoke") == 0;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) return puts(usage), 0;
    argc -= smoke, argv += smoke;
    study s = {.smoke = smoke, .n_splits = argc > 2 ? atoi(argv[2]) : smoke ? 1 : 5, .steps = argc > 3 ? atoi(argv[3]) : smoke ? 40 : 4000};
    if (argc < 2 || argc > 4 || s.n_splits < 1 || s.n_splits > MOST_SPLITS || s.steps < 1) return fprintf(stderr, "%s\n", usage), 2;
    bnn_csv_options target = {sizeof target, .targets = "medv"};
    bnn_status status = bnn_import_csv(argv[1], &target, NULL, &s.table);
    if (status == BNN_OK) status = bnn_table_split(s.table, BNN_SPLIT_PBP, s.n_splits, 1);
    for (s.gates = 1; status == BNN_OK && s.gates <= (smoke ? 2 : MOST_GATES); s.gates++) {
        status = bnn_jobs_run(WAYS * s.n_splits, run_task, &s);
        if (status == BNN_OK) report(&s);
    }
    if (status == BNN_OK) printf("gradients %.0f\n", s.all);
    if (status < 0) fprintf(stderr, "%s\n", bnn_error());
    bnn_table_free(s.table);
    return status < 0 ? 2 : 0;
}
