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
    bnn_status s = bnn_table_new(4, (bnn_shape){.rank = 1, .d = {1}}, 1, 0, &table);
    for (int i = 0; s == BNN_OK && i < table->n; i++) table->x[i] = i, table->y[i] = 2 * i;
    if (s == BNN_OK) s = bnn_data_split(table, -1, BNN_TRAIN, NULL, &train);
    if (s == BNN_OK) s = bnn_fit(&(bnn_config){.net = "dense", .engine = "mc_dropout:p=0.01,epochs=2000,lr=0.01", .seed = 1}, train, &run);
    if (s == BNN_OK) s = bnn_predict(run->engine, train, &(bnn_predict_options){.samples = 200, .seed = 1}, &p);
    for (int i = 0; s == BNN_OK && i < p->n; i++) printf("%g %.2f\n", table->x[i], p->mean[i]);
    if (s < 0) fprintf(stderr, "%s\n", bnn_error());
    bnn_prediction_free(p);
    bnn_run_free(run);
    bnn_data_free(train);
    bnn_table_free(table);
    return s < 0;
}
