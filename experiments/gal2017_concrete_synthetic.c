/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Gal, Hron & Kendall 2017, Concrete Dropout, section 4.1 and figure 2, in the authors' notebook (concrete-dropout-keras): on more rows the
 * epistemic uncertainty should fall, the noise (sd 1) should be found, and p should fall.
 *
 *   y = 2 x + 8 + e,   x, e ~ N(0, 1);   three layers of 1024 relu, then mean and log variance, concrete gates before each of the five
 *   p(w) = N(0, 1e8), the notebook's l = 1e-4 (its loss is 2 U/N); Adam 1e-3, minibatches of 20 rows; 20 draws; 3 repetitions
 *
 *   printed     the notebook's schedule: Adam moves the logit of p by 1e-3 a step, and there are 1000 to 2000 steps
 *   control     the same with rows that weigh nothing: whatever p does then tells of the schedule, not of the data
 *   converged   p moves thirty times as fast, the step size falls to 0, and there are as many steps for every N
 *
 *   N                                 10     25     50     100    1000   10000
 *   p of the second gates, published  .404   .404   .326   .236   .231   .137
 *   printed, 1 repetition             .404   .404   .325   .236   .232   .145     91 s of cpu
 *   control                           .4038  .4038  .3258  .2362  .2362  .2362
 *   epistemic sd, published           1.092  .820   .745   .668   .652   .542
 *   printed                           .722   .737   .904   .679   .615   .564
 * Up to 100 rows the published p are the control's. Converged: epistemic sd .58 at 10 rows, .32 at 10,000; figure 2 has .785 and .443.
 *
 * usage: gal2017_concrete_synthetic [--smoke | printed|control|converged [REPETITIONS [UNITS]]]
 */
#include <bnn/bnn.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_TEST = 1000, SIZES = 6, GATES = 5, MOST_REPEATS = 10 };

static const struct { int rows, epochs; } sizes[SIZES] = {{10, 2000}, {25, 1000}, {50, 500}, {100, 200}, {1000, 20}, {10000, 2}};

typedef enum { PRINTED, CONTROL, CONVERGED } kind;
static const char *const kinds[] = {"printed", "control", "converged"};

typedef struct {
    double rmse, epistemic, aleatoric, p[GATES], gradients; /* epistemic, aleatoric: mean variances */
} outcome;

typedef struct {
    kind kind;
    int units, repeats;
    outcome out[SIZES * MOST_REPEATS];
} study;

/* Training rows first, then those of the test. */
static bnn_status make_table(int n, uint64_t repeat, double weigh, bnn_table **out) {
    int all = n + N_TEST;
    uint64_t stream = bnn_stream_split(bnn_stream_seed(2017), repeat);
    double *x = malloc(4 * (size_t)all * sizeof *x), *y = x + all, *e = x + 2 * all, *weight = x + 3 * all;
    if (!x) return bnn_fail(BNN_ERR_MEMORY, "out of memory");
    bnn_status s = bnn_stream_normal(bnn_stream_split(stream, 0), 1, all, x);
    if (s == BNN_OK) s = bnn_stream_normal(bnn_stream_split(stream, 1), 1, all, e);
    for (int i = 0; s == BNN_OK && i < all; i++) y[i] = 2 * x[i] + 8 + e[i], weight[i] = i < n ? weigh : 1;
    bnn_arrays arrays = {sizeof arrays, .n = all, .x_size = 1, .y_dim = 1, .x = x, .y = y, .weight = weight};
    if (s == BNN_OK) s = bnn_table_from(&arrays, out);
    free(x);
    return s;
}

static bnn_status fit(const study *s, int size, uint64_t repeat, const bnn_data *train, bnn_run **out) {
    char net[512], engine[160];
    int u = s->units;
    snprintf(net, sizeof net,
             "concrete_dropout; dense:%d,init=glorot; relu; concrete_dropout; dense:%d,init=glorot; relu; concrete_dropout; "
             "dense:%d,init=glorot; top = relu; concrete_dropout(top); mean = dense:1,init=glorot; concrete_dropout(top); "
             "log_var = dense:1,init=glorot; concat(mean, log_var)",
             u, u, u);
    if (s->kind == CONVERGED)
        snprintf(engine, sizeof engine, "mc_dropout:steps=10000,batch=20,lr=0.001,lr_hyper=0.03");
    else
        snprintf(engine, sizeof engine, "mc_dropout:epochs=%d,batch=20,lr=0.001,lr_hyper=0.001,schedule=constant", sizes[size].epochs);
    bnn_config config = {sizeof config, .net = net, .engine = engine, .likelihood = "heteroscedastic", .prior = "gauss:sd=1e4,bias_sd=inf",
                         .seed = repeat};
    return bnn_fit(&config, train, out);
}

static bnn_status job(void *context, int i) {
    study *s = context;
    int size = SIZES - 1 - i / s->repeats, n = sizes[size].rows;
    uint64_t repeat = 1 + (uint64_t)(i % s->repeats);
    outcome *o = &s->out[size * MOST_REPEATS + i % s->repeats];
    bnn_predict_options how = {sizeof how, .samples = 20, .mode = BNN_ROWS, .seed = 1};
    bnn_table *table;
    bnn_data *train, *test;
    bnn_run *run;
    bnn_prediction *p;
    BNN_TRY(make_table(n, repeat, s->kind == CONTROL ? 1e-12 : 1, &table));
    BNN_TRY(bnn_data_unscaled(table, 0, n, &train));
    BNN_TRY(bnn_data_unscaled(table, n, n + N_TEST, &test));
    BNN_TRY(fit(s, size, repeat, train, &run));
    BNN_TRY(bnn_run_predict(run, test, &how, &p));
    BNN_TRY(bnn_prediction_score(p, test, "rmse", &o->rmse));
    for (int k = 0; k < N_TEST; k++) o->epistemic += bnn_prediction_var_epistemic(p)[k] / N_TEST;
    for (int k = 0; k < N_TEST; k++) o->aleatoric += bnn_prediction_var_aleatoric(p)[k] / N_TEST;
    const double *last = bnn_run_gate_p(run) + (bnn_run_history_rows(run) - 1) * bnn_run_gates(run);
    for (int k = 0; k < GATES; k++) o->p[k] = last[k];
    o->gradients = bnn_run_cost(run, BNN_COST_GRADIENTS);
    bnn_prediction_free(p), bnn_run_free(run);
    bnn_data_free(test), bnn_data_free(train), bnn_table_free(table);
    return BNN_OK;
}

static void print(const study *s, int size) {
    const outcome *o = &s->out[size * MOST_REPEATS];
    outcome mean = {0};
    double squares = 0;
    int n = sizes[size].rows, r = s->repeats;
    for (int i = 0; i < r; i++) {
        mean.rmse += o[i].rmse / r, mean.epistemic += o[i].epistemic / r, mean.aleatoric += o[i].aleatoric / r;
        for (int k = 0; k < GATES; k++) mean.p[k] += o[i].p[k] / r;
    }
    for (int i = 0; i < r; i++) squares += pow(o[i].rmse - mean.rmse, 2);
    for (int k = 0; k < GATES; k++) printf("p%d_%d %.4f\n", k + 1, n, mean.p[k]);
    if (s->kind == CONTROL) return; /* it knows no data */
    printf("rmse_%d %.4f\n", n, mean.rmse);
    if (r > 1) printf("rmse_%d_se %.4f\n", n, sqrt(squares / (r - 1) / r));
    printf("epistemic_sd_%d %.4f\naleatoric_sd_%d %.4f\n", n, sqrt(mean.epistemic), n, sqrt(mean.aleatoric));
}

/* How far the epistemic sd falls from the fewest to the most rows. */
static double ratio(const study *s) {
    double few = 0, many = 0;
    for (int i = 0; i < s->repeats; i++) few += s->out[i].epistemic, many += s->out[(SIZES - 1) * MOST_REPEATS + i].epistemic;
    return sqrt(few / many);
}

int main(int argc, char **argv) {
    const char usage[] = "usage: gal2017_concrete_synthetic [--smoke | printed|control|converged [REPETITIONS [UNITS]]]";
    bool smoke = argc == 2 && strcmp(argv[1], "--smoke") == 0;
    static study s = {.units = 1024, .repeats = 3};
    int named = 0;
    double gradients = 0;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) return puts(usage), 0;
    while (argc > 1 && named < 3 && strcmp(argv[1], kinds[named]) != 0) named++;
    s.kind = smoke ? CONVERGED : (kind)named;
    if (smoke) s.units = 32, s.repeats = 1;
    if (s.kind == CONTROL) s.units = 64, s.repeats = 1; /* the step of Adam does not depend on the size of a gradient */
    if (argc > 2) s.repeats = atoi(argv[2]);
    if (argc > 3) s.units = atoi(argv[3]);
    if (argc < 2 || argc > 4 || (named == 3 && !smoke) || s.repeats < 1 || s.repeats > MOST_REPEATS || s.units < 1)
        return fprintf(stderr, "%s\n", usage), 2;
    if (bnn_jobs_run(SIZES * s.repeats, job, &s) < 0) return fprintf(stderr, "%s\n", bnn_error()), 2;
    for (int size = 0; size < SIZES; size++) print(&s, size);
    for (int i = 0; i < SIZES * MOST_REPEATS; i++) gradients += s.out[i].gradients;
    if (s.kind != CONTROL) printf("epistemic_ratio %.3f\n", ratio(&s));
    printf("gradients %.0f\n", gradients);
    return 0;
}
