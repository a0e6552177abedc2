/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool/print/json.h"
#include "tool/tool.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    tool_rerun in;
    const char *out, *out_split; /* as given; out_split may be NULL: all rows */
    const char *score;           /* NULL: all */
    const char *file;            /* to be written, or NULL */
    bool json;
    bnn_row_score only; /* of --score */
    tool_reading reading;
    bnn_table *out_table, *own_table;
    bnn_data *out_rows, *train; /* train NULL: no distance */
    bnn_row_scores *in_scores, *out_scores;
    bnn_detection *of[BNN_ROW_SCORES];
    bnn_remarks *remarks;
} request;

enum { IN = 256, OUT, OUT_SPLIT, SCORE, JSON };

static const struct argp_option options[] = {
    {"in", IN, "FILE", 0, "rows of the usual kind, the same as --data (default: the test rows of the run's own split)", 0},
    {"out", OUT, "FILE", 0, "rows of another kind: a table of texts or a data file; targets are not looked at", 0},
    {"out-split", OUT_SPLIT, "K", 0, "of these, the test rows of split K (default: all)", 0},
    {"score", SCORE, "NAME", 0,
     "all (default), max_probability, entropy, mutual_information, expected_entropy, variance, epistemic_variance, energy or distance", 0},
    {"json", JSON, NULL, 0, "print one JSON object, with the curves", 0},
    {"output", 'o', "FILE.h5", 0, "write scores of all rows, measures and curves", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
    request *r = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &r->in; return 0;
    case IN: r->in.data = arg; return 0;
    case OUT: r->out = arg; return 0;
    case OUT_SPLIT: r->out_split = arg; return 0;
    case SCORE: r->score = strcmp(arg, "all") == 0 ? NULL : arg; return 0;
    case JSON: r->json = true; return 0;
    case 'o': r->file = arg; return 0;
    case ARGP_KEY_END:
        if (!r->out) tool_misuse(state, "--out: rows of another kind are needed");
        if (r->score && !bnn_row_score_find(r->score, &r->only)) tool_misuse(state, "--score: there is no score '%s'", r->score);
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static bool is_wanted(const request *r, bnn_row_score score) { return !r->score || r->only == score; }

/* ---- the rows ---- */

static bnn_status open_out(request *r) {
    const bnn_run *run = r->in.run;
    r->reading.csv = r->in.reading.csv;
    r->reading.csv.remarks = NULL;
    r->reading.csv.targets = "none";
    r->reading.any_class = true;
    BNN_TRY(tool_reading_table(r->out, run, &r->reading, &r->out_table));
    int split = r->out_split ? tool_split(r->out_split) : -1;
    BNN_TRY(tool_reading_split(&r->reading, r->out_table, split));
    if (split >= r->out_table->n_splits && split >= 0)
        return bnn_fail(BNN_ERR_OPTION, "%s: split %d was asked for, but the data have %d", r->out, split, r->out_table->n_splits);
    bnn_table features = *r->out_table; /* borrows all but what it knows of targets */
    features.y_dim = features.n_classes = 0;
    bnn_status s = bnn_run_check_names(run, &features);
    if (s == BNN_OK) s = bnn_data_split(r->out_table, split, BNN_TEST, bnn_run_scaling(run), &r->out_rows);
    if (s < 0) return bnn_note(s, "%s", r->out);
    return r->out_rows->n > 0 ? BNN_OK : bnn_fail(BNN_ERR_DATA, "%s: there are no rows to tell apart from the others", r->out);
}

/* Distances are left out of maps, and where the training rows are gone, unless they were asked for by name. */
static bnn_status open_training(request *r) {
    const bool maps = tool_taker(r->in.run->engine) != NULL;
    if (!is_wanted(r, BNN_ROW_DISTANCE) || maps) return BNN_OK;
    bnn_status s = tool_rerun_training(&r->in, &r->own_table, &r->train);
    if (s == BNN_OK || r->score || s == BNN_ERR_MEMORY) return s;
    return bnn_remarks_add(r->remarks, BNN_REMARK_WARNING, "no_distance", "no distance to the training rows: %s", bnn_error());
}

static bnn_status open_rows(request *r) {
    BNN_TRY(bnn_remarks_new(&r->remarks));
    BNN_TRY(tool_rerun_open(&r->in));
    BNN_TRY(tool_rerun_apart(&r->in, r->file));
    BNN_TRY(open_out(r));
    BNN_TRY(open_training(r));
    if (r->in.fitted == 0) return BNN_OK;
    return bnn_remarks_add(r->remarks, BNN_REMARK_WARNING, "in_sample",
                           "%d of the %d rows in were fitted, of which the run knows more than of new ones of their kind: take others",
                           r->in.fitted, r->in.rows->n);
}

/* ---- the measures ---- */

static bnn_status measure(request *r) {
    const bnn_predict_options how = {sizeof how, .samples = r->in.job.samples, .mode = BNN_DRAW, .seed = r->in.job.seed};
    bnn_status s = bnn_row_scores_new(r->in.run, r->in.rows, r->train, &how, &r->in_scores);
    if (s < 0) return bnn_note(s, "%s", r->in.data_used);
    s = bnn_row_scores_new(r->in.run, r->out_rows, r->train, &how, &r->out_scores);
    if (s < 0) return bnn_note(s, "%s", r->out);
    for (int k = 0; k < BNN_ROW_SCORES; k++) {
        const double *in = r->in_scores->of[k], *out = r->out_scores->of[k];
        if (in && is_wanted(r, (bnn_row_score)k)) BNN_TRY(bnn_detect(r->in_scores->n, in, r->out_scores->n, out, &r->of[k]));
    }
    if (!r->score || r->of[r->only]) return BNN_OK;
    return bnn_fail(BNN_ERR_OPTION, "--score: '%s' is not defined for this run: its likelihood is '%s'", r->score,
                    bnn_run_likelihood(r->in.run));
}

static void print_text(const request *r) {
    printf("in: %d %s rows of %s; out: %d rows of %s; larger scores say out\n", r->in_scores->n, r->in.kind, tool_line(r->in.data_used),
           r->out_scores->n, tool_line(r->out));
    tool_print_detections(r->of);
}

static bnn_status print_json(const request *r) {
    json_t *o = json_object();
    tool_json_set(o, "engine", tool_json_text(r->in.run->engine_text));
    tool_json_set(o, "in", tool_json_text(r->in.data_used));
    tool_json_set(o, "rows_in", json_integer(r->in_scores->n));
    tool_json_set(o, "fitted", json_integer(r->in.fitted));
    tool_json_set(o, "out", tool_json_text(r->out));
    tool_json_set(o, "rows_out", json_integer(r->out_scores->n));
    tool_json_set(o, "scores", tool_json_detections(r->of));
    tool_json_set(o, "remarks", tool_json_verdicts(r->remarks));
    return tool_json_answer(o);
}

/* ---- the file ---- */

static bnn_status save(const request *r) {
    bnn_provenance provenance = tool_rerun_provenance(&r->in);
    bnn_detections all = {.in = r->in.rows, .out = r->out_rows, .in_scores = r->in_scores, .out_scores = r->out_scores};
    memcpy(all.of, r->of, sizeof all.of);
    return bnn_detections_save(&all, &provenance, r->file);
}

static void close_request(request *r) {
    for (int k = 0; k < BNN_ROW_SCORES; k++) bnn_detection_free(r->of[k]);
    bnn_row_scores_free(r->in_scores), bnn_row_scores_free(r->out_scores);
    bnn_data_free(r->train), bnn_data_free(r->out_rows);
    bnn_table_free(r->own_table), bnn_table_free(r->out_table);
    bnn_remarks_free(r->reading.csv.remarks), bnn_remarks_free(r->remarks);
    tool_rerun_close(&r->in);
}

static bnn_status check_output(const request *r) {
    if (!r->file) return BNN_OK;
    BNN_TRY(tool_output_hdf5(r->file));
    BNN_TRY(tool_rerun_apart(&r->in, r->file));
    BNN_TRY(tool_output_apart(r->file, r->out, "the data file"));
    return tool_output_claim(r->file, NULL, NULL, NULL);
}

static bnn_status detect(request *r) {
    FILE *notes = r->json ? stderr : stdout;
    BNN_TRY(check_output(r));
    BNN_TRY(open_rows(r));
    BNN_TRY(measure(r));
    tool_rerun_say(&r->in, notes);
    tool_print_remarks(r->reading.csv.remarks, notes);
    if (r->json) BNN_TRY(print_json(r)); /* what can fail comes before the file */
    if (r->file) BNN_TRY(save(r));
    if (r->json) return BNN_OK;
    print_text(r);
    tool_print_verdicts(bnn_remarks_count(r->remarks) > 0 ? r->remarks : NULL);
    tool_print_wrote(r->file);
    return BNN_OK;
}

static int run(int argc, char **argv) {
    const struct argp argp = {
        .options = options,
        .parser = parse,
        .children = tool_rerun_children,
        .args_doc = "RUN.h5",
        .doc = "Says how well a fitted run tells rows of another kind from those of its own, by what it does not know: area under the ROC "
               "curve with DeLong's standard error, average precision, and the share of its own rows that are called out where 95 % of the "
               "others are.\v"
               "Of classes: max_probability (1 - the largest), entropy, mutual_information, expected_entropy, variance (of the "
               "probabilities over draws), energy. Of real targets: variance and epistemic_variance, in units of the variance of y in "
               "training. Of both: distance, Mahalanobis's to the training rows in what the last layer sees. Of maps of "
               "classes: the means over pixels of probabilities and entropies.\n\n"
               "Examples:\n  bnn ood run.h5 --out other.csv\n  bnn ood run.h5 --in test.h5 --out other.h5 --score entropy --json"};
    request r = {.json = false};
    tool_job_open(&r.in.job, argc, argv);
    tool_parse(&argp, argc, argv, &r);
    bnn_status s = detect(&r);
    close_request(&r);
    return s < 0 ? tool_fail() : 0;
}

const command command_ood = {.name = "ood", .summary = "tell rows of another kind from those of a run", .run = run};
