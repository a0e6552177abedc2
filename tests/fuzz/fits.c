/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * fits.c: texts of a whole fit, which makes steps and predicts on a few rows, or images: kernels, layers, likelihoods and engines on sizes
 * that nobody thought of. Input: a byte (whether rows are images, and whether targets are classes), then network, engine, likelihood and
 * prior with form feeds between them.
 */
#include "helpers.h"
#include "target.h"

#include <bnn/fit.h>
#include <bnn/predict.h>
#include <stdlib.h>

enum { ROWS = 12, STEPS = 2 };

static bnn_data *rows_new(unsigned how) {
    bnn_table *t = table_new(ROWS, how & 1 ? 32 : 3, how & 2 ? 3 : 0, 1);
    if (how & 1) t->x_shape = (bnn_shape){.rank = 3, .d = {2, 4, 4}};
    return data_new(t); /* which borrows the table for ever */
}

static void try_run(const bnn_config *config, const bnn_data *rows) {
    bnn_run *run;
    bnn_prediction *p;
    double share;
    if (!target_told(bnn_run_new(config, rows, &run))) return;
    bnn_status s = BNN_OK;
    for (int i = 0; s == BNN_OK && i < STEPS && !run->complete; i++) s = bnn_run_step(run, rows, &share);
    if (target_told(s) && target_told(bnn_run_predict(run, rows, &(bnn_predict_options){.samples = 2, .seed = 1}, &p)))
        bnn_prediction_free(p);
    bnn_run_free(run);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    static bnn_data *rows[4];
    target_input in = {bytes, n};
    unsigned how = target_byte(&in) % 4;
    if (!rows[how]) rows[how] = rows_new(how);
    char *net = target_text(&in), *engine = target_text(&in), *likelihood = target_text(&in), *prior = target_text(&in);
    bnn_config config = {
        .net = net, .engine = engine, .likelihood = *likelihood ? likelihood : NULL, .prior = *prior ? prior : NULL, .seed = 1};
    try_run(&config, rows[how]);
    free(net), free(engine), free(likelihood), free(prior);
    return 0;
}
