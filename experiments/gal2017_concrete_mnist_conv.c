/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Gal, Hron & Kendall 2017, Concrete Dropout: the authors' notebook of a convolutional network on MNIST (spatial-concrete-dropout-keras).
 * Four learned p, one before each layer with weights, in place of the hand-tuned 0, 0, .25, .5 of the Keras example.
 *
 *   gates of channels, convolution to 32 by 3 x 3, relu; gates of channels, to 64, relu; pooling 2 x 2; gates, 128 units, relu; gates, 10
 *   loss = mean cross entropy + 1e-2/N ||W||^2/(1-p) - 2/N K H(p) for each layer; minibatches of 128 rows, 20 epochs
 *
 * U/N has 1/N K H(p), since cross entropy is -log p of one row, which the notebook's own text says as well. `notebook` therefore lets every
 * row weigh 1/2, and has p(w) = N(0, 10^2): 2 U/N is then its loss, term by term. `right` has whole rows and N(0, 50), the same decay.
 * Adam (1e-3, p 1e-2, both down to 0) in place of Adadelta.
 *
 *                             accuracy of one pass    p of the four layers
 *   published, 20 epochs      .9892                   .0121  .0386  .4776  .0550
 *   by hand                   .9898                   0      0      .25    .5
 *
 * usage: gal2017_concrete_mnist_conv [--smoke | MNIST.h5 [notebook|right [EPOCHS]]]
 *        MNIST.h5: bnn import idx TRAIN_IMAGES TRAIN_LABELS TEST_IMAGES TEST_LABELS -o MNIST.h5
 */
#include <bnn/bnn.h>
#include <bnn/fit.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GATES = 4, DRAWS = 50, SMOKE_ROWS = 600, SMOKE_SIDE = 12 };

/* Noise and, in one of four corners, a light square: which corner it is is the class. A third are test rows. */
static bnn_status make_corners(bnn_table **out) {
    int pixels = SMOKE_SIDE * SMOKE_SIDE, *order = malloc(SMOKE_ROWS * sizeof *order);
    int8_t *role = malloc(SMOKE_ROWS * sizeof *role);
    BNN_TRY(bnn_table_new(SMOKE_ROWS, bnn_shape_image(1, SMOKE_SIDE, SMOKE_SIDE), 1, 4, out));
    BNN_TRY(bnn_stream_normal(bnn_stream_seed(2017), SMOKE_ROWS, pixels, (*out)->x));
    for (int r = 0; r < SMOKE_ROWS && order && role; r++) {
        double *x = (*out)->x + r * pixels, *y = (*out)->y + r;
        *y = r % 4;
        for (int i = 2; i < 5; i++)
            for (int j = 2; j < 5; j++) x[(i + r / 2 % 2 * 5) * SMOKE_SIDE + j + r % 2 * 5] += 1.5;
        order[r] = r, role[r] = r < SMOKE_ROWS * 2 / 3 ? BNN_TRAIN : BNN_TEST;
    }
    return order && role ? bnn_table_set_splits(*out, 1, order, role, "the last third") : bnn_fail(BNN_ERR_MEMORY, "out of memory");
}

/* Every row weighs as much as `weight` rows. */
static bnn_status weigh(bnn_table *table, double weight) {
    table->weight = malloc((size_t)table->n * sizeof *table->weight);
    for (int i = 0; table->weight && i < table->n; i++) table->weight[i] = weight;
    return table->weight ? BNN_OK : bnn_fail(BNN_ERR_MEMORY, "out of memory");
}

static bnn_status predict(const bnn_run *run, const bnn_data *test, const char *name, int draws) {
    bnn_predict_options how = {sizeof how, .samples = draws, .mode = BNN_ROWS, .seed = 1};
    bnn_prediction *prediction;
    double accuracy, ll;
    BNN_TRY(bnn_run_predict(run, test, &how, &prediction));
    BNN_TRY(bnn_prediction_score(prediction, test, "accuracy", &accuracy));
    BNN_TRY(bnn_prediction_score(prediction, test, "ll", &ll));
    printf("accuracy_%s %.4f\nll_%s %.4f\n", name, accuracy, name, ll);
    bnn_prediction_free(prediction);
    return BNN_OK;
}

static bnn_status experiment(const char *path, bool notebook, int epochs) {
    char net[320], engine[128];
    int units = path ? 32 : 8;
    bnn_table *table;
    bnn_data *train, *test;
    bnn_run *run;
    snprintf(net, sizeof net,
             "spatial_concrete_dropout; conv2d:%d; relu; spatial_concrete_dropout; conv2d:%d; relu; maxpool2d; concrete_dropout; flatten; "
             "dense:%d; relu; concrete_dropout; dense",
             units, 2 * units, 4 * units);
    snprintf(engine, sizeof engine, "mc_dropout:epochs=%d,batch=%d,lr=%g,lr_hyper=0.01", epochs, path ? 128 : 20, path ? 0.001 : 0.005);
    BNN_TRY(path ? bnn_table_load(path, &table) : make_corners(&table));
    if (bnn_table_splits(table) < 1) return bnn_fail(BNN_ERR_OPTION, "%s: has no test rows: import them with the training rows", path);
    if (notebook) BNN_TRY(weigh(table, 0.5));
    BNN_TRY(bnn_data_split(table, 0, BNN_TRAIN, NULL, &train));
    BNN_TRY(bnn_data_split(table, 0, BNN_TEST, bnn_data_scaling(train), &test));
    bnn_config config = {sizeof config, .net = net, .engine = engine, .seed = 1,
                         .prior = notebook ? "gauss:sd=10,bias_sd=inf" : "gauss:sd=7.0710678,bias_sd=inf"};
    BNN_TRY(bnn_fit(&config, train, &run));
    BNN_TRY(predict(run, test, "one_pass", 1));
    BNN_TRY(predict(run, test, "50_draws", DRAWS));
    const double *last = bnn_run_gate_p(run) + (bnn_run_history_rows(run) - 1) * bnn_run_gates(run);
    for (int k = 0; k < GATES; k++) printf("p%d %.4f\n", k + 1, last[k]);
    printf("seconds %.1f\n", bnn_run_cost(run, BNN_COST_SECONDS_WALL));
    bnn_run_free(run), bnn_data_free(test), bnn_data_free(train), bnn_table_free(table);
    return BNN_OK;
}

int main(int argc, char **argv) {
    const char usage[] = "usage: gal2017_concrete_mnist_conv [--smoke | MNIST.h5 [notebook|right [EPOCHS]]]";
    bool smoke = argc == 2 && strcmp(argv[1], "--smoke") == 0, right = argc > 2 && strcmp(argv[2], "right") == 0;
    int epochs = argc > 3 ? atoi(argv[3]) : smoke ? 10 : 20;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) return puts(usage), 0;
    if (argc < 2 || argc > 4 || epochs < 1 || (argc > 2 && !right && strcmp(argv[2], "notebook") != 0))
        return fprintf(stderr, "%s\n", usage), 2;
    if (experiment(smoke ? NULL : argv[1], !right, epochs) == BNN_OK) return 0;
    fprintf(stderr, "%s\n", bnn_error());
    return 2;
}
