/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How fast are the two jobs of a small table? The sizes are those of a Boston-like set, 455 x 13, and the network 13-50-1 with gates on
 * both inputs, p = 0.05.
 *
 *   train_uci   dropout training, Adam, batch 128                          steps per second, one fit
 *   mc_uci      MC-dropout prediction of 1000 rows with 1000 draws         network evaluations (rows x draws) per second
 *
 * Best of several rounds, through the calls that everybody uses.
 *
 * usage: speed_uci [--smoke]
 */
#include <bnn/bnn.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { N = 1455, D = 13, N_TRAIN = 455, N_NEW = 1000, DRAWS = 1000, ROUNDS = 7 };

static bnn_status make_table(bnn_table **out) {
    static bnn_real x[N * D], e[N];
    BNN_TRY(bnn_table_new(N, bnn_shape_vector(D), 1, 0, out));
    bnn_rng_normal(bnn_rng_seed(1), 0, N, D, x);
    bnn_rng_normal(bnn_rng_seed(2), 0, 1, N, e);
    for (int i = 0; i < N * D; i++) (*out)->x[i] = (double)x[i];
    for (int i = 0; i < N; i++) (*out)->y[i] = sin((double)x[i * D]) + 0.1 * (double)e[i];
    return BNN_OK;
}

static bnn_status train(const char *engine, const bnn_data *data, bnn_run **run, double *best) {
    bnn_config config = {.net = "dense:50; relu; dense", .engine = engine, .seed = 1};
    bnn_run_free(*run);
    *run = NULL;
    BNN_TRY(bnn_fit(&config, data, run));
    *best = fmax(*best, (double)(*run)->cost.gradients / (*run)->cost.seconds_wall);
    return BNN_OK;
}

static bnn_status predict(const bnn_run *run, const bnn_data *rows, double *best) {
    bnn_prediction *p;
    BNN_TRY(bnn_predict(run->engine, rows, &(bnn_predict_options){.samples = DRAWS, .seed = 1}, &p));
    *best = fmax(*best, (double)rows->n * DRAWS / p->cost.seconds_wall);
    bnn_prediction_free(p);
    return BNN_OK;
}

static bnn_status measure(bool smoke) {
    static int rows[N];
    bnn_table *table;
    bnn_data *data, *new_rows;
    bnn_run *run = NULL;
    double steps = 0, evaluations = 0;
    for (int i = 0; i < N; i++) rows[i] = i;
    BNN_TRY(make_table(&table));
    BNN_TRY(bnn_data_new(table, N_TRAIN, rows, NULL, &data));
    table->y_dim = 0; /* the rows to predict have no targets: nothing but the predictive moments is computed */
    BNN_TRY(bnn_data_new(table, N_NEW, rows + N_TRAIN, &data->scaling, &new_rows));
    for (int round = 0; round < (smoke ? 1 : ROUNDS); round++) {
        BNN_TRY(train(smoke ? "mc_dropout:p=0.05,epochs=50" : "mc_dropout:p=0.05,epochs=10000", data, &run, &steps));
        for (int k = 0; k < (smoke ? 1 : 10); k++) BNN_TRY(predict(run, new_rows, &evaluations));
    }
    printf("train_uci %.4g\nmc_uci %.4g\ngradients %.0f\n", steps, evaluations, (double)run->cost.gradients);
    table->y_dim = 1;
    bnn_run_free(run);
    bnn_data_free(new_rows);
    bnn_data_free(data);
    bnn_table_free(table);
    return BNN_OK;
}

int main(int argc, char **argv) {
    if (measure(argc > 1 && strcmp(argv[1], "--smoke") == 0) == BNN_OK) return 0;
    fprintf(stderr, "%s\n", bnn_error());
    return 2;
}
