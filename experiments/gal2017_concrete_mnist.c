/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Gal, Hron & Kendall 2017, Concrete Dropout, section 4.2, figures 3 and 4: the p that four gates learn on digits. More rows need less of
 * it, wider layers allow more, and the network is as good as one whose p were tuned by hand.
 *
 *   gates, 512 relu, three times; gates, 10 classes; pixels / 255
 *   loss = mean cross entropy + l^2/N ||W||^2/(1-p) - 2/N K H(p) for each layer, l = 1e-4; Adam 1e-3, minibatches of 150 rows, 500 epochs
 *
 * U/N has 1/N K H(p). As the authors have 2, every row weighs 1/2 here, and p(w) = N(0, 1e8): 2 U/N is then their loss. `right` has whole
 * rows. SHARE is that of the 60,000 training rows, from the first on. Learned p of the four layers, one repetition:
 *
 *   SHARE 1/32   published   .435   .44    .492   .495      1/16   published   .395   .40    .491   .498
 *                ours        .438   .434   .477   .491             ours        .398   .397   .472   .492
 *
 * 88 and 180 s of cpu, growing with the rows.
 *
 * usage: gal2017_concrete_mnist --smoke BOSTON.csv | MNIST.h5 [SHARE [UNITS [EPOCHS [REPETITIONS [right]]]]]      1 512 500 3
 */
#include <bnn/bnn.h>
#include <bnn/data.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GATES = 4, DRAWS = 20, MOST_REPEATS = 10 };

typedef struct {
    double p[GATES], accuracy, accuracy_draws, ll_draws, gradients;
} outcome;

typedef struct {
    const bnn_data *train, *test;
    int units, batch, epochs, repeats;
    outcome out[MOST_REPEATS];
} study;

/* The first share of the training rows, and the test rows; each training row weighs `weight`. */
static bnn_status make_data(bnn_table *table, double share, double weight, bool pixels, bnn_data **train, bnn_data **test) {
    bnn_scaling scaling;
    bnn_data *all;
    if (bnn_table_splits(table) < 1 || bnn_table_classes(table) < 2) return bnn_fail(BNN_ERR_SHAPE, "wants classes, and test rows");
    free(table->weight);
    if (!(table->weight = malloc((size_t)table->n * sizeof *table->weight))) return bnn_fail(BNN_ERR_MEMORY, "out of memory");
    for (int i = 0; i < table->n; i++) table->weight[i] = weight;
    BNN_TRY(bnn_scaling_identity(bnn_table_features(table), 1, &scaling));
    for (int i = 0; i < scaling.x_size; i++) scaling.x_sd[i] = 255;
    BNN_TRY(bnn_data_split(table, 0, BNN_TRAIN, pixels ? &scaling : NULL, &all));
    BNN_TRY(bnn_data_slice(all, 0, (int)fmax(1, share * bnn_data_rows(all)), bnn_data_scaling(all), train));
    BNN_TRY(bnn_data_split(table, 0, BNN_TEST, bnn_data_scaling(all), test));
    bnn_data_free(all);
    bnn_scaling_free(&scaling);
    return BNN_OK;
}

static bnn_status score(const study *s, const bnn_run *run, int draws, double *accuracy, double *ll) {
    bnn_predict_options how = {sizeof how, .samples = draws, .mode = BNN_ROWS, .seed = 1};
    bnn_prediction *p;
    BNN_TRY(bnn_run_predict(run, s->test, &how, &p));
    BNN_TRY(bnn_prediction_score(p, s->test, "accuracy", accuracy));
    BNN_TRY(bnn_prediction_score(p, s->test, "ll", ll));
    bnn_prediction_free(p);
    return BNN_OK;
}

static bnn_status repetition(void *context, int i) {
    study *s = context;
    outcome *o = &s->out[i];
    char net[256], engine[128];
    double ll;
    bnn_run *run;
    snprintf(net, sizeof net,
             "flatten; concrete_dropout; dense:%d; relu; concrete_dropout; dense:%d; relu; concrete_dropout; dense:%d; relu; "
             "concrete_dropout; dense",
             s->units, s->units, s->units);
    snprintf(engine, sizeof engine, "mc_dropout:epochs=%d,batch=%d,lr=0.001,lr_hyper=0.001,schedule=constant", s->epochs, s->batch);
    bnn_config config = {sizeof config, .net = net, .engine = engine, .prior = "gauss:sd=1e4,bias_sd=inf", .seed = 1 + (uint64_t)i};
    BNN_TRY(bnn_fit(&config, s->train, &run));
    const double *last = bnn_run_gate_p(run) + (bnn_run_history_rows(run) - 1) * bnn_run_gates(run);
    for (int k = 0; k < GATES; k++) o->p[k] = last[k];
    BNN_TRY(score(s, run, 1, &o->accuracy, &ll));
    BNN_TRY(score(s, run, DRAWS, &o->accuracy_draws, &o->ll_draws));
    o->gradients = bnn_run_cost(run, BNN_COST_GRADIENTS);
    bnn_run_free(run);
    return BNN_OK;
}

/* Mean over the repetitions, with its standard error where there are several. */
static void print(const study *s, const char *name, size_t offset) {
    double mean = 0, squares = 0;
    int n = s->repeats;
    for (int i = 0; i < n; i++) mean += *(const double *)((const char *)&s->out[i] + offset) / n;
    for (int i = 0; i < n; i++) squares += pow(*(const double *)((const char *)&s->out[i] + offset) - mean, 2);
    printf("%s %.4f\n", name, mean);
    if (n > 1) printf("%s_se %.4f\n", name, sqrt(squares / (n - 1) / n));
}

static bnn_status experiment(const char *path, bool smoke, double share, double weight, study *s) {
    bnn_table *table;
    bnn_data *train, *test;
    BNN_TRY(smoke ? bnn_import_csv(path, &(bnn_csv_options){.targets = "chas", .classes = true}, NULL, &table)
                  : bnn_table_load(path, &table));
    if (smoke) BNN_TRY(bnn_table_split(table, BNN_SPLIT_HOLDOUT, 2, 1));
    BNN_TRY(make_data(table, share, weight, !smoke, &train, &test));
    s->train = train, s->test = test;
    BNN_TRY(bnn_jobs_run(s->repeats, repetition, s));
    for (int k = 0; k < GATES; k++)
        print(s, (const char *[]){"p1", "p2", "p3", "p4"}[k], offsetof(outcome, p) + (size_t)k * sizeof(double));
    print(s, "accuracy", offsetof(outcome, accuracy));
    print(s, "accuracy_draws", offsetof(outcome, accuracy_draws));
    print(s, "ll_draws", offsetof(outcome, ll_draws));
    printf("gradients %.0f\n", s->repeats * s->out[0].gradients);
    bnn_data_free(test), bnn_data_free(train), bnn_table_free(table);
    return BNN_OK;
}

int main(int argc, char **argv) {
    const char usage[] = "usage: gal2017_concrete_mnist --smoke BOSTON.csv | MNIST.h5 [SHARE [UNITS [EPOCHS [REPETITIONS [right]]]]]";
    bool smoke = argc == 3 && strcmp(argv[1], "--smoke") == 0, right = argc == 7 && strcmp(argv[6], "right") == 0;
    study s = {.units = 512, .batch = 150, .epochs = 500, .repeats = 3};
    double share = argc > 2 && !smoke ? atof(argv[2]) : 1;
    if (argc > 3) s.units = atoi(argv[3]);
    if (argc > 4) s.epochs = atoi(argv[4]);
    if (argc > 5) s.repeats = atoi(argv[5]);
    if (smoke) s = (study){.units = 16, .batch = 50, .epochs = 300, .repeats = 2};
    if (argc == 2 && strcmp(argv[1], "--help") == 0) return puts(usage), 0;
    if (argc < 2 || argc > 6 + right || !(share > 0 && share <= 1) || s.units < 1 || s.epochs < 1 || s.repeats < 1 ||
        s.repeats > MOST_REPEATS)
        return fprintf(stderr, "%s\n", usage), 2;
    return experiment(argv[1 + smoke], smoke, share, right ? 1 : 0.5, &s) < 0 ? fprintf(stderr, "%s\n", bnn_error()), 2 : 0;
}
