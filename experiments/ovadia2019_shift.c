/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Ovadia et al. 2019, Can You Trust Your Model's Uncertainty?, section 4.1 and figure 1: LeNet on digits that are turned and rolled, and on
 * clothes that it was never shown.
 *
 *   convolutions to 32 and 64 by 3 x 3, pooling, dropout, 128 units, dropout, 10 classes; Adam
 *   fit on digits; for turns of 15 to 180 degrees and rolls of 2 to 26 pixels of the test rows: accuracy, log-likelihood, ECE (15 bins),
 * Brier, entropy AUROC of clothes against digits by entropy and mutual information
 *
 * Engines: vanilla (a point), dropout (p = .3), ensemble (ten points; theirs, too), svi (Bayes by Backprop). Theirs: 20 epochs with tuned
 * batches of 1100 to 2000 rows, five repetitions. published, in figures: ensembles are best under shift; svi is good on MNIST; all of them
 * get worse with the strength.
 *
 * usage: ovadia2019_shift [--smoke | MNIST.h5 FASHION.h5 [vanilla|dropout|ensemble|svi [EPOCHS [ROWS]]]]     (dropout, 20 epochs, 10,000
 * rows)
 */
#include "corners.h"

#include <bnn/detect.h>
#include <bnn/shift.h>

#include <stdio.h>
#include <string.h>

enum { TURNS = 4, ROLLS = 3, DRAWS = 30, ENGINES = 4 };
static const double turns[TURNS] = {15, 45, 90, 180}, rolls[ROLLS] = {2, 8, 14};
static const char *const engines[ENGINES][2] = {
    {"vanilla", "map:"}, {"dropout", "mc_dropout:p=0.3,"}, {"ensemble", "ensemble:members=10,engine=map{"}, {"svi", "bayes_by_backprop:"}};
static const bnn_predict_options draws = {sizeof draws, .samples = DRAWS, .seed = 1};

static bnn_status print_scores(const bnn_run *run, const bnn_data *rows, const char *name) {
    static const char *const scores[] = {"accuracy", "ll", "ece", "brier", "mean_entropy"};
    bnn_prediction *p;
    double value;
    BNN_TRY(bnn_run_predict(run, rows, &draws, &p));
    for (size_t i = 0; i < sizeof scores / sizeof *scores; i++) {
        BNN_TRY(bnn_prediction_score(p, rows, scores[i], &value));
        printf("%s_%s %.4f\n", scores[i], name, value);
    }
    fflush(stdout);
    bnn_prediction_free(p);
    return BNN_OK;
}

static bnn_status predict_shifted(const bnn_run *run, const bnn_data *test, bnn_shift_kind kind, double strength) {
    bnn_shift shift = {sizeof shift, .kind = kind, .strength = strength};
    char name[64];
    bnn_table *table;
    bnn_data *rows;
    BNN_TRY(bnn_data_table(test, &table));
    BNN_TRY(bnn_table_shift(table, &shift));
    BNN_TRY(bnn_data_split(table, -1, BNN_TRAIN, bnn_run_scaling(run), &rows));
    snprintf(name, sizeof name, "%s_%g", bnn_shift_names[kind], strength);
    BNN_TRY(print_scores(run, rows, name));
    bnn_data_free(rows), bnn_table_free(table);
    return BNN_OK;
}

/* How well the run tells images of another kind. */
static bnn_status detect(const bnn_run *run, const bnn_data *test, const bnn_data *other) {
    static const bnn_row_score scores[] = {BNN_ROW_MAX_PROBABILITY, BNN_ROW_ENTROPY, BNN_ROW_MUTUAL_INFORMATION};
    bnn_row_scores *in, *out;
    BNN_TRY(bnn_row_scores_new(run, test, NULL, &draws, &in));
    BNN_TRY(bnn_row_scores_new(run, other, NULL, &draws, &out));
    for (int i = 0; i < 3; i++) {
        const char *name = bnn_row_score_name(scores[i]);
        bnn_detection *d;
        if (!in->of[scores[i]]) continue;
        BNN_TRY(bnn_detect(in->n, in->of[scores[i]], out->n, out->of[scores[i]], &d));
        printf("auroc_%s %.4f\nauroc_%s_se %.4f\n", name, d->auroc, name, d->auroc_se);
        bnn_detection_free(d);
    }
    bnn_row_scores_free(in), bnn_row_scores_free(out);
    return BNN_OK;
}

static bnn_status first(const bnn_data *rows, int most, const bnn_scaling *scaling, bnn_data **out) {
    return bnn_data_slice(rows, 0, bnn_data_rows(rows) < most ? bnn_data_rows(rows) : most, scaling, out);
}

static bnn_status experiment(const char *digits, const char *clothes, int which, int epochs, int most) {
    char engine[160], net[200];
    int units = digits ? 32 : 6;
    bnn_table *table, *others;
    bnn_data *train, *all, *test, *all_others, *other, *unused;
    bnn_run *run;
    snprintf(engine, sizeof engine, "%sepochs=%d,batch=%d,lr=%g%s", engines[which][1], epochs, digits ? 128 : 20, digits ? 0.001 : 0.005,
             which == 2 ? "}" : "");
    snprintf(net, sizeof net, "conv2d:%d; relu; conv2d:%d; relu; maxpool2d; flatten; dense:%d; relu; dense", units, 2 * units, 4 * units);
    BNN_TRY(digits ? bnn_table_load(digits, &table) : corners_new(300, 4, 2019, &table));
    BNN_TRY(digits ? bnn_table_load(clothes, &others) : corners_new(300, 2, 1, &others));
    BNN_TRY(corners_parts(table, &train, &all));
    BNN_TRY(first(all, most, bnn_data_scaling(train), &test));
    BNN_TRY(corners_parts(others, &unused, &all_others));
    BNN_TRY(first(all_others, most, bnn_data_scaling(train), &other));
    bnn_config config = {sizeof config, .net = net, .engine = engine, .seed = 1};
    BNN_TRY(bnn_fit(&config, train, &run));
    BNN_TRY(print_scores(run, test, "as_it_is"));
    for (int k = 0; k < TURNS; k++) BNN_TRY(predict_shifted(run, test, BNN_SHIFT_ROTATE, turns[k]));
    for (int k = 0; k < ROLLS; k++) BNN_TRY(predict_shifted(run, test, BNN_SHIFT_ROLL, rolls[k]));
    BNN_TRY(detect(run, test, other));
    printf("gradients %.0f\n", bnn_run_cost(run, BNN_COST_GRADIENTS));
    bnn_run_free(run), bnn_data_free(other), bnn_data_free(all_others), bnn_data_free(unused), bnn_data_free(test), bnn_data_free(all);
    bnn_data_free(train), bnn_table_free(table), bnn_table_free(others);
    return BNN_OK;
}

int main(int argc, char **argv) {
    const char usage[] = "usage: ovadia2019_shift [--smoke | MNIST.h5 FASHION.h5 [vanilla|dropout|ensemble|svi [EPOCHS [ROWS]]]]";
    bool smoke = argc == 2 && strcmp(argv[1], "--smoke") == 0;
    int which = argc > 3 ? 0 : 1, epochs = argc > 4 ? atoi(argv[4]) : 20, most = argc > 5 ? atoi(argv[5]) : 10000;
    while (argc > 3 && which < ENGINES && strcmp(argv[3], engines[which][0]) != 0) which++;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) return puts(usage), 0;
    if ((argc < 3 && !smoke) || argc > 6 || which == ENGINES || epochs < 1 || most < 1) return fprintf(stderr, "%s\n", usage), 2;
    if (experiment(smoke ? NULL : argv[1], smoke ? NULL : argv[2], which, epochs, most) == BNN_OK) return 0;
    fprintf(stderr, "%s\n", bnn_error());
    return 2;
}
