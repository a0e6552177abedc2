/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool.h"

#include <stdio.h>

static void print_run(const bnn_run *run) {
    const bnn_engine *fitted = bnn_engine_fitted(run->engine);
    const char *remark = bnn_run_remark(run);
    const bnn_history *h = &run->history;
    printf("network  %s\nengine   %s\n", fitted->texts.net, run->engine_text);
    printf("likelihood  %s\nprior    %s\n", fitted->texts.likelihood, fitted->texts.prior);
    if (remark) printf("%s\n", remark);
    for (int g = 0; g < h->n_gates; g++) printf("p of %-20s %.4f\n", h->gate[g], h->p[(h->n - 1) * h->n_gates + g]);
    tool_print_cost("fit", &run->cost);
}

bnn_status tool_finish(const tool_job *job, const bnn_table *table, int split, const bnn_run *run, const bnn_data *test, unsigned keep,
                       const char *path) {
    bnn_predict_options how = {.samples = job->samples, .seed = job->seed};
    bnn_prediction *prediction = NULL;
    bnn_draws *draws = NULL;
    bnn_metrics metrics;
    if (keep) BNN_TRY(bnn_draws_open(path, keep, run->engine, test, &how, &draws));
    how.sink = bnn_draws_sink(draws);
    bnn_status s = test ? bnn_predict(run->engine, test, &how, &prediction) : BNN_OK;
    if (s == BNN_OK && test) s = bnn_metrics_compute(prediction, test, &metrics);
    bnn_provenance provenance = tool_provenance(job, table, split);
    bnn_results results = {.data = test, .prediction = prediction, .metrics = &metrics, .draws = draws};
    if (s == BNN_OK)
        s = bnn_run_save(run, test ? &results : NULL, &provenance, path);
    else
        bnn_draws_free(draws);
    if (s == BNN_OK) {
        print_run(run);
        if (test) printf("test: ");
        if (test) tool_print_metrics(&metrics, prediction->samples);
        printf("wrote %s\n", path);
    }
    bnn_prediction_free(prediction);
    return s;
}
