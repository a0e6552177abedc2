/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool.h"

#include <stdlib.h>
#include <string.h>

static const struct argp_option options[] = {
    {"data", 'd', "FILE", 0,
     "a table of texts (CSV; - is standard input), a picture or a folder of them, or a data file, matched by names of columns (default: "
     "that of the fit)",
     1},
    {"split", 'k', "K", 0, "test rows of split K, or 'all' (default: the run's own split; all rows of another file)", 1},
    {"samples", 'S', "S", 0, "draws of the predictive distribution (default: 1000)", 1},
    {"seed", 's', "N", 0, "seed (default: 1)", 1},
    {"threads", 't', "N", 0, "threads (default: all cores)", 1},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
    tool_rerun *r = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &r->reading; return 0;
    case 'd': r->data = arg; return 0;
    case 'k': r->split = arg; return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) return ARGP_ERR_UNKNOWN;
        r->run_path = arg;
        return 0;
    case ARGP_KEY_END:
        if (!r->run_path) tool_misuse(state, "a run file is needed");
        return 0;
    default: return tool_job_argp.parser(key, arg, &(struct argp_state){.input = &r->job});
    }
}

static const struct argp_child children[] = {{&tool_reading_argp, 0, NULL, 0}, {0}};
const struct argp tool_rerun_argp = {.options = options, .parser = parse, .children = children};
const struct argp_child tool_rerun_children[] = {{&tool_rerun_argp, 0, NULL, 0}, {&tool_output_argp, 0, NULL, 0}, {0}};

static bnn_status refuse_changed(const tool_rerun *r, const bnn_origin *origin) {
    return bnn_fail(BNN_ERR_DATA, "%s has changed since %s was fitted to it: name the data with --data", origin->data_path, r->run_path);
}

/* The data that the run was fitted to must still be the same file. Text is read as it was then, with the rows that were taken. */
static bnn_status find_own_data(tool_rerun *r, const bnn_origin *origin) {
    char now[65];
    if (!origin->data_path)
        return bnn_fail(BNN_ERR_STATE, "%s does not say which data it was fitted to: name them with --data", r->run_path);
    if (strcmp(origin->data_path, "-") == 0)
        return bnn_fail(BNN_ERR_STATE, "%s was fitted to standard input: name the data with --data", r->run_path);
    if (origin->data_sha256 && bnn_file_sha256(origin->data_path, now) == BNN_OK && strcmp(origin->data_sha256, now) != 0)
        return refuse_changed(r, origin);
    if (r->run->schema) r->reading.csv.missing = r->run->schema->missing;
    BNN_TRY(tool_reading_table(origin->data_path, r->run, &r->reading, &r->table));
    return !origin->data_sha256 || strcmp(origin->data_sha256, r->table->sha256) == 0 ? BNN_OK : refuse_changed(r, origin);
}

/* Finds which of the rows the run was fitted to: training rows of its split in the same file, or all, where it had no split. */
static void tell_kind(tool_rerun *r, const bnn_origin *origin) {
    const bnn_table *t = r->table;
    r->kind = "new";
    if (!origin->data_sha256 || !*t->sha256 || strcmp(origin->data_sha256, t->sha256) != 0) return;
    const int8_t *role = origin->split >= 0 && origin->split < t->n_splits ? t->role + (size_t)origin->split * (size_t)t->n : NULL;
    for (int i = 0; i < r->rows->n; i++) r->fitted += !role || role[r->rows->rows[i]] == BNN_TRAIN;
    r->kind = r->fitted > 0 ? "training" : "test";
}

static bnn_status open_with(tool_rerun *r, const bnn_origin *origin) {
    if (!r->run->schema && !r->reading.csv.targets) r->reading.csv.targets = "none"; /* which column it is cannot be told */
    BNN_TRY(r->data ? tool_reading_table(r->data, r->run, &r->reading, &r->table) : find_own_data(r, origin));
    r->data_used = r->data ? r->data : strdup(origin->data_path);
    if (!r->data_used) return bnn_fail(BNN_ERR_MEMORY, "out of memory");
    r->job.data = r->data_used; /* for the provenance of what is written */
    r->split_used = r->split ? tool_split(r->split) : r->data ? -1 : origin->split;
    BNN_TRY(tool_reading_split(&r->reading, r->table, r->split_used));
    if (r->split_used >= r->table->n_splits && r->split_used >= 0)
        return bnn_fail(BNN_ERR_OPTION, "%s: split %d was asked for, but the data have %d", r->data_used, r->split_used,
                        r->table->n_splits);
    bnn_status s = bnn_run_check_names(r->run, r->table);
    if (s == BNN_OK) s = bnn_data_split(r->table, r->split_used, BNN_TEST, &bnn_engine_fitted(r->run->engine)->model->scaling, &r->rows);
    if (s < 0) return bnn_note(s, "%s", r->data_used);
    tell_kind(r, origin);
    return r->rows->n > 0 ? BNN_OK : bnn_fail(BNN_ERR_DATA, "%s: split %d has no test rows", r->data_used, r->split_used);
}

bnn_status tool_rerun_open(tool_rerun *rerun) {
    bnn_origin origin = {0};
    BNN_TRY(bnn_run_load(rerun->run_path, &rerun->run, &origin));
    tool_plugins_compare(rerun->run_path);
    bnn_status s = bnn_file_sha256(rerun->run_path, rerun->run_sha256);
    if (s == BNN_OK) s = open_with(rerun, &origin);
    bnn_origin_free(&origin);
    if (s < 0) tool_rerun_close(rerun);
    return s;
}

bnn_status tool_rerun_training(const tool_rerun *rerun, bnn_table **table, bnn_data **train) {
    tool_rerun own = {.run_path = rerun->run_path, .run = rerun->run};
    bnn_outline outline;
    *table = NULL, *train = NULL;
    BNN_TRY(bnn_outline_load(rerun->run_path, &outline));
    bnn_status s = find_own_data(&own, &outline.origin);
    if (s == BNN_OK) s = tool_reading_split(&own.reading, own.table, outline.origin.split);
    if (s == BNN_OK)
        s = bnn_data_split(own.table, outline.origin.split, BNN_TRAIN, &bnn_engine_fitted(rerun->run->engine)->model->scaling, train);
    bnn_outline_free(&outline);
    bnn_remarks_free(own.reading.csv.remarks);
    if (s < 0)
        bnn_table_free(own.table);
    else
        *table = own.table;
    return s;
}

void tool_rerun_say(const tool_rerun *rerun, FILE *notes) { tool_print_remarks(rerun->reading.csv.remarks, notes); }

bnn_status tool_rerun_apart(const tool_rerun *rerun, const char *output) {
    BNN_TRY(tool_output_apart(output, rerun->run_path, "the run file"));
    return tool_output_apart(output, rerun->data_used ? rerun->data_used : rerun->data, "the data file");
}

bnn_provenance tool_rerun_provenance(const tool_rerun *rerun) {
    bnn_provenance provenance = tool_provenance(&rerun->job, rerun->table, rerun->split_used);
    provenance.run_path = rerun->run_path, provenance.run_sha256 = rerun->run_sha256;
    return provenance;
}

bnn_status tool_rerun_score(const tool_rerun *rerun, bnn_prediction **out, bnn_metrics *metrics) {
    bnn_predict_options how = {.mode = BNN_DRAW, .crps = true};
    const bnn_calibration *c = bnn_run_calibration(rerun->run);
    double ends[2];
    *out = NULL;
    if (!rerun->rows->y)
        return bnn_fail(BNN_ERR_DATA, "%s: has no targets: its rows can be predicted, not scored",
                        strcmp(rerun->data_used, "-") == 0 ? "standard input" : rerun->data_used);
    if (c && bnn_calibration_ends(c, ends)) how.n_levels = 2, how.levels = ends;
    BNN_TRY(tool_rerun_ask(rerun, &how, out));
    return bnn_metrics_compute(*out, rerun->rows, metrics);
}

const bnn_taker *tool_taker(const bnn_engine *engine) {
    static const bnn_taker nobody;
    const bnn_engine *fitted = bnn_engine_fitted(engine);
    return fitted && fitted->model->likelihood.sites > 1 ? &nobody : NULL;
}

bnn_status tool_rerun_ask(const tool_rerun *rerun, const bnn_predict_options *asked, bnn_prediction **out) {
    bnn_predict_options how = *asked;
    if (!how.taker) how.taker = tool_taker(rerun->run->engine);
    how.size = sizeof how, how.samples = rerun->job.samples, how.seed = rerun->job.seed;
    tool_progress progress = tool_progress_start("predicting");
    how.progress = tool_progress_take, how.context = &progress;
    bnn_status s = bnn_run_predict(rerun->run, rerun->rows, &how, out);
    tool_progress_end(&progress);
    return s < 0 && s != BNN_ERR_FILE ? bnn_note(s, "%s", rerun->data_used) : s; /* a file is that of the draws */
}

void tool_rerun_close(tool_rerun *rerun) {
    if (rerun->data_used != rerun->data) free((char *)rerun->data_used);
    rerun->data_used = NULL;
    bnn_remarks_free(rerun->reading.csv.remarks);
    bnn_data_free(rerun->rows);
    bnn_table_free(rerun->table);
    bnn_run_free(rerun->run);
    rerun->reading.csv.remarks = NULL;
    rerun->rows = NULL;
    rerun->table = NULL;
    rerun->run = NULL;
}
