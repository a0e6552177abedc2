/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool/report/scores.h"
#include "tool.h"

#include <stdio.h>

static void print_run(const bnn_run *run) {
    const bnn_engine *fitted = bnn_engine_fitted(run->engine);
    const char *remark = bnn_run_remark(run);
    const bnn_history *h = &run->history;
    printf("network  %s\nengine   %s\n", tool_line(fitted->texts.net), tool_line(run->engine_text));
    printf("likelihood  %s\nprior    %s\n", tool_line(fitted->texts.likelihood), tool_line(fitted->texts.prior));
    if (remark) printf("%s\n", tool_line(remark));
    for (int g = 0; g < h->n_gates; g++) printf("p of %-20s %.4f\n", tool_line(h->gate[g]), h->p[(h->n - 1) * h->n_gates + g]);
    tool_print_cost("fit", &run->cost);
}

/* Predicts the test rows; draws that are kept go to the file on the way. */
static bnn_status predict(const tool_job *job, const bnn_run *run, unsigned keep, const char *path, bnn_results *results,
                          bnn_prediction **prediction, bnn_metrics *metrics) {
    bnn_predict_options how = {sizeof how, .samples = job->samples, .seed = job->seed, .crps = true};
    if (keep) BNN_TRY(bnn_draws_open(path, keep, run->engine, results->data, &how, &results->draws));
    how.sink = bnn_draws_sink(results->draws);
    how.taker = tool_taker(run->engine);
    tool_progress progress = tool_progress_start("predicting");
    how.progress = tool_progress_take, how.context = &progress;
    bnn_status s = bnn_predict(run->engine, results->data, &how, prediction);
    tool_progress_end(&progress);
    if (s == BNN_OK) s = bnn_metrics_compute(*prediction, results->data, metrics);
    results->prediction = *prediction, results->metrics = metrics;
    return s;
}

bnn_status tool_finish(const tool_job *job, const bnn_table *table, int split, const bnn_run *run, const bnn_data *train,
                       const bnn_data *test, unsigned keep, const char *path, int *bad) {
    bnn_prediction *prediction = NULL;
    bnn_metrics metrics;
    bnn_results results = {.data = test};
    bnn_status s = test ? predict(job, run, keep, path, &results, &prediction, &metrics) : BNN_OK;
    bnn_provenance provenance = tool_provenance(job, table, split);
    bnn_remarks *verdicts = NULL;
    if (s == BNN_OK) s = bnn_remarks_new(&verdicts);
    if (s == BNN_OK) s = bnn_run_judge(run, train, train ? train->n : 0, prediction, test, verdicts);
    bnn_traces *traces = NULL;
    if (s == BNN_OK && (test || train)) s = bnn_traces_take(run->engine, test ? test : train, &traces);
    results.verdicts = verdicts, results.traces = traces;
    if (s == BNN_OK)
        s = bnn_run_save(run, &results, &provenance, path);
    else {
        bnn_draws_free(results.draws);
        if (bnn_run_save(run, NULL, &provenance, path) == BNN_OK) /* a fit is worth more than its predictions */
            bnn_note(s, "%s was written without predictions", path);
    }
    if (s == BNN_OK) {
        print_run(run);
        if (test && (s = tool_scores_print("test", prediction, test, &metrics)) < 0)
            bnn_note(s, "%s was written, its scores are not said", path);
        tool_print_verdicts(verdicts);
        tool_print_wrote(path);
    }
    *bad = tool_count_bad(verdicts);
    bnn_remarks_free(verdicts);
    bnn_traces_free(traces);
    bnn_prediction_free(prediction);
    return s;
}
