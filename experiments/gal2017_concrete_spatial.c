/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Gal, Hron & Kendall 2017, Concrete Dropout: the authors' notebook of gates for channels (spatial-concrete-dropout-keras), on images of
 * which one pixel tells. Epistemic uncertainty should fall with the number of rows N, the noise (sd 1) should be found, p should fall.
 *
 *   y = 2 x + 8 + e,   x, e ~ N(0, 1),   x stands in pixel (0,0) of an image of 7 x 7 zeros
 *   three times: gates of channels (t = 2/3), convolution to 128 channels by 3 x 3, relu; then mean and log variance without gates
 *   p(w) = N(0, 1e8), the notebook's l = 1e-4 (its loss is 2 U/N); Adam 1e-3, minibatches of 20 rows; 20 draws; 3 repetitions
 *
 *   N                             10     25     50     100    1000   10000
 *   rmse, published              1.424  1.293  1.088  1.101  1.117  1.092
 *   ours, 1 repetition         1.247  1.169  1.221  1.103  1.102  1.048
 *   p of the second gates         .403   .402   .320   .229   .114   .081
 *   ours                        .404   .403   .325   .232   .113   .080
 *   epistemic sd                  .686   .699   .639   .624   .513   .471
 *   ours                        .513   .631   .569   .545   .517   .483
 *   aleatoric sd                  .876  1.115  1.166  1.200  1.104  1.155
 *   ours                        .679  1.017  1.033  1.208  1.181  1.263
 *
 * Adam moves a logit by its step size at most, so the published p of N <= 100 tell of the number of steps (2000, 1000, 500, 200 epochs),
 * not of the data; LR_P is the step size of p, 0.001 in the notebook. Ours by `0.001 1`, 155 s of cpu.
 *
 * usage: gal2017_concrete_spatial [--smoke | LR_P [REPETITIONS]]
 */
#include <bnn/bnn.h>
#include <bnn/fit.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 7, N_TEST = 1000, SIZES = 6, GATES = 3 };

static const struct { int rows, epochs; } sizes[SIZES] = {{10, 2000}, {25, 1000}, {50, 500}, {100, 200}, {1000, 20}, {10000, 2}};

typedef struct {
    bool smoke;
    double lr_p;
    int repeats;
    double mse, epistemic, aleatoric, p[GATES]; /* sums over the repetitions of one size */
} study;

/* Training rows first, then those of the test. */
static bnn_status make_table(int n, uint64_t repeat, bnn_table **out) {
    uint64_t stream = bnn_stream_split(bnn_stream_seed(2017), repeat);
    double *noise = malloc((size_t)(n + N_TEST) * 2 * sizeof *noise);
    if (!noise) return bnn_fail(BNN_ERR_MEMORY, "out of memory");
    BNN_TRY(bnn_table_new(n + N_TEST, bnn_shape_image(1, SIDE, SIDE), 1, 0, out));
    BNN_TRY(bnn_stream_normal(stream, n + N_TEST, 2, noise));
    for (int i = 0; i < n + N_TEST; i++) {
        (*out)->x[i * SIDE * SIDE] = noise[2 * i];
        (*out)->y[i] = 2 * noise[2 * i] + 8 + noise[2 * i + 1];
    }
    free(noise);
    return BNN_OK;
}

static bnn_status fit(const study *s, int size, uint64_t repeat, const bnn_data *train, bnn_run **out) {
    char net[256], engine[128];
    int units = s->smoke ? 16 : 128, epochs = s->smoke ? sizes[size].epochs / 4 : sizes[size].epochs;
    snprintf(
        net, sizeof net,
        "spatial_concrete_dropout; conv2d:%d; relu; spatial_concrete_dropout; conv2d:%d; relu; spatial_concrete_dropout; conv2d:%d; relu; "
        "dropout:0; flatten; dense",
        units, units, units);
    snprintf(engine, sizeof engine, "mc_dropout:epochs=%d,batch=20,lr=%g,lr_hyper=%g,schedule=constant", epochs, s->smoke ? 0.005 : 0.001,
             s->lr_p);
    bnn_config config = {sizeof config, .net = net, .engine = engine, .likelihood = "heteroscedastic", .prior = "gauss:sd=1e4,bias_sd=inf",
                         .seed = repeat};
    return bnn_fit(&config, train, out);
}

static void add_moments(study *s, const bnn_prediction *p, const double *y) {
    for (int i = 0; i < N_TEST; i++) {
        s->mse += pow(bnn_prediction_mean(p)[i] - y[i], 2) / N_TEST / s->repeats;
        s->epistemic += bnn_prediction_var_epistemic(p)[i] / N_TEST / s->repeats;
        s->aleatoric += bnn_prediction_var_aleatoric(p)[i] / N_TEST / s->repeats;
    }
}

static bnn_status repetition(study *s, int size, uint64_t repeat) {
    int n = sizes[size].rows;
    bnn_predict_options how = {sizeof how, .samples = 20, .mode = BNN_ROWS, .seed = 1};
    bnn_table *table;
    bnn_data *train, *test;
    bnn_run *run;
    bnn_prediction *prediction;
    BNN_TRY(make_table(n, repeat, &table));
    BNN_TRY(bnn_data_unscaled(table, 0, n, &train));
    BNN_TRY(bnn_data_unscaled(table, n, n + N_TEST, &test));
    BNN_TRY(fit(s, size, repeat, train, &run));
    BNN_TRY(bnn_run_predict(run, test, &how, &prediction));
    add_moments(s, prediction, bnn_table_y(table) + n);
    const double *last = bnn_run_gate_p(run) + (bnn_run_history_rows(run) - 1) * bnn_run_gates(run);
    for (int k = 0; k < GATES; k++) s->p[k] += last[k] / s->repeats;
    bnn_prediction_free(prediction), bnn_run_free(run);
    bnn_data_free(test), bnn_data_free(train), bnn_table_free(table);
    return BNN_OK;
}

static bnn_status experiment(study s) {
    for (int size = 0; size < SIZES; size++) {
        if (s.smoke && size % 4 != 0) continue; /* N = 10 and 1000 */
        study here = s;
        for (int r = 0; r < s.repeats; r++) BNN_TRY(repetition(&here, size, 1 + (uint64_t)r));
        int n = sizes[size].rows;
        printf("rmse_%d %.4f\nepistemic_sd_%d %.4f\naleatoric_sd_%d %.4f\n", n, sqrt(here.mse), n, sqrt(here.epistemic), n,
               sqrt(here.aleatoric));
        for (int k = 0; k < GATES; k++) printf("p%d_%d %.4f\n", k + 1, n, here.p[k]);
        fflush(stdout);
    }
    return BNN_OK;
}

int main(int argc, char **argv) {
    const char usage[] = "usage: gal2017_concrete_spatial [--smoke | LR_P [REPETITIONS]]";
    bool smoke = argc == 2 && strcmp(argv[1], "--smoke") == 0;
    study s = {.smoke = smoke, .lr_p = smoke || argc < 2 ? 0.001 : atof(argv[1]), .repeats = smoke ? 1 : argc > 2 ? atoi(argv[2]) : 3};
    if (argc == 2 && strcmp(argv[1], "--help") == 0) return puts(usage), 0;
    if (argc > 3 || !(s.lr_p > 0) || s.repeats < 1) return fprintf(stderr, "%s\n", usage), 2;
    if (experiment(s) == BNN_OK) return 0;
    fprintf(stderr, "%s\n", bnn_error());
    return 2;
}
