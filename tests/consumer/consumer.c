/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * consumer.c: a project outside of bnn, built by `cc consumer.c $(pkg-config --cflags --libs bnn)`. Fits y = 2x and prints what it predicts
 * for x = 0 .. 3.
 */
#include <bnn/bnn.h>
#include <stdio.h>

int main(void) {
    bnn_table *table = NULL;
    bnn_data *train = NULL;
    bnn_run *run = NULL;
    bnn_prediction *p = NULL;
    const double x[4] = {0, 1, 2, 3}, y[4] = {0, 2, 4, 6};
    bnn_arrays arrays = {sizeof arrays, .n = 4, .x_size = 1, .y_dim = 1, .x = x, .y = y};
    bnn_config config = {sizeof config, .net = "dense", .engine = "mc_dropout:p=0.01,epochs=2000,lr=0.01", .seed = 1};
    bnn_predict_options how = {sizeof how, .samples = 200, .seed = 1};
    bnn_status s = bnn_table_from(&arrays, &table);
    if (s == BNN_OK) s = bnn_data_split(table, -1, BNN_TRAIN, NULL, &train);
    if (s == BNN_OK) s = bnn_fit(&config, train, &run);
    if (s == BNN_OK) s = bnn_run_predict(run, train, &how, &p);
    for (int i = 0; s == BNN_OK && i < bnn_prediction_rows(p); i++) printf("%g %.2f\n", x[i], bnn_prediction_mean(p)[i]);
    if (s < 0) fprintf(stderr, "%s\n", bnn_error());
    bnn_prediction_free(p);
    bnn_run_free(run);
    bnn_data_free(train);
    bnn_table_free(table);
    return s < 0;
}
