/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool/print/json.h"
#include "tool/tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    tool_rerun rerun;
    bnn_calibrate_options how;
    const char *method, *out;
    bool json;
    bnn_remarks *remarks; /* doubts about the rows that it was calibrated on */
} request;

enum { ON = 256, METHOD, LEVEL, PENALTY, RANK, JSON };

static const struct argp_option options[] = {
    {"on", ON, "SPLIT|FILE", 0,
     "rows that were not fitted: the test rows of a split of the run's data, or another file (default: its split)", 0},
    {"method", METHOD, "NAME", 0,
     "of classes temperature (default), vector, isotonic, or conformal sets lac, aps, raps; of real targets variance (default), or "
     "conformal "
     "intervals split, normalised, cqr",
     0},
    {"level", LEVEL, "P", 0, "probability with which conformal intervals and sets hold the target (default: 0.9)", 0},
    {"penalty", PENALTY, "X", 0, "of raps: for each rank beyond --rank (default: 0.1)", 0},
    {"rank", RANK, "N", 0, "of raps: ranks that are free (default: 1)", 0},
    {"json", JSON, NULL, 0, "print one JSON object", 0},
    {"output", 'o', "FILE.h5", 0, "the calibrated run (required)", 0},
    {0}};

static double parse_number(const struct argp_state *state, const char *option, const char *text, double below) {
    double x;
    if (!bnn_number_parse(text, &x) || !(x > 0 && x < below))
        tool_misuse(state, below == 1 ? "%s: '%s' is no number between 0 and 1" : "%s: '%s' is no number above 0", option, text);
    return x;
}

static bool is_number(const char *text) { return *text && text[strspn(text, "0123456789")] == '\0'; }

static error_t parse(int key, char *arg, struct argp_state *state) {
    request *r = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &r->rerun; return 0;
    case ON: *(is_number(arg) ? &r->rerun.split : &r->rerun.data) = arg; return 0;
    case METHOD:
        r->method = arg;
        if (!bnn_calibration_find(arg, &r->how.method)) tool_misuse(state, "--method: there is no method '%s'", arg);
        return 0;
    case LEVEL: r->how.level = parse_number(state, "--level", arg, 1); return 0;
    case PENALTY: r->how.penalty = parse_number(state, "--penalty", arg, 1e9); return 0;
    case RANK: r->how.rank = (int)tool_number("--rank", arg, 0, 1000000); return 0;
    case JSON: r->json = true; return 0;
    case 'o': r->out = arg; return 0;
    case ARGP_KEY_END:
        if (!r->out) tool_misuse(state, "-o: the calibrated run needs a name");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static bnn_status check_output(const request *r) {
    BNN_TRY(tool_output_hdf5(r->out));
    return tool_rerun_apart(&r->rerun, r->out);
}

static bnn_status check_rows(const request *r) {
    const tool_rerun *rerun = &r->rerun;
    if (!bnn_run_complete(rerun->run))
        return bnn_fail(BNN_ERR_STATE, "%s: was stopped on its way: calibrate a run that is complete", rerun->run_path);
    if (!rerun->rows->y) return bnn_fail(BNN_ERR_DATA, "%s: has no targets to calibrate on", rerun->data_used);
    if (rerun->fitted == 0) return BNN_OK;
    return bnn_fail(BNN_ERR_DATA, "%s: %d of the %d rows were fitted, and say nothing of others: calibrate on rows that were held out",
                    rerun->data_used, rerun->fitted, rerun->rows->n);
}

/* The run's own origin stays: its data are those that it was fitted to. */
static bnn_status save(const request *r, const bnn_origin *origin) {
    bnn_provenance made = tool_rerun_provenance(&r->rerun);
    made.split = origin->split;
    made.data_path = origin->data_path, made.data_sha256 = origin->data_sha256;
    made.weights_sha256 = origin->weights_sha256;
    BNN_TRY(tool_output_claim(r->out, "bnn-run", tool_output_same_command, &made));
    return bnn_run_save(r->rerun.run, NULL, &made, r->out);
}

static bnn_status calibrate_rows(request *r) {
    const tool_rerun *rerun = &r->rerun;
    bnn_calibration *c;
    bool classes = bnn_table_classes(rerun->table) > 0;
    if (!r->method) r->how.method = classes ? BNN_CALIBRATE_TEMPERATURE : BNN_CALIBRATE_VARIANCE;
    r->how.size = sizeof r->how, r->how.samples = rerun->job.samples, r->how.seed = rerun->job.seed;
    bnn_status s = bnn_calibrate(rerun->run, rerun->rows, &r->how, &c);
    if (s < 0) return bnn_note(s, "%s", rerun->data_used);
    snprintf(c->data_sha256, sizeof c->data_sha256, "%s", rerun->table->sha256);
    c->split = rerun->split_used;
    bnn_run_set_calibration(rerun->run, c);
    return BNN_OK;
}

static bnn_status print_json(const request *r, const bnn_calibration *c) {
    json_t *o = json_object();
    tool_json_set(o, "engine", tool_json_text(bnn_run_engine(r->rerun.run)));
    tool_json_set(o, "calibration", tool_json_calibration(c));
    tool_json_set(o, "on", tool_json_text(r->rerun.data_used));
    tool_json_set(o, "split", json_integer(r->rerun.split_used));
    tool_json_set(o, "output", tool_json_text(r->out));
    tool_json_set(o, "remarks", tool_json_verdicts(r->remarks));
    return tool_json_answer(o);
}

static bnn_status calibrate(request *r) {
    char text[160];
    bnn_outline outline;
    BNN_TRY(check_output(r));
    BNN_TRY(tool_rerun_open(&r->rerun));
    BNN_TRY(tool_rerun_apart(&r->rerun, r->out));
    BNN_TRY(check_rows(r));
    BNN_TRY(calibrate_rows(r));
    tool_rerun_say(&r->rerun, r->json ? stderr : stdout);
    const bnn_calibration *c = bnn_run_calibration(r->rerun.run);
    BNN_TRY(bnn_remarks_new(&r->remarks));
    BNN_TRY(bnn_calibration_remark(c, r->rerun.rows, r->remarks));
    if (r->json) BNN_TRY(print_json(r, c)); /* what can fail comes before the file */
    BNN_TRY(bnn_outline_load(r->rerun.run_path, &outline));
    bnn_status s = save(r, &outline.origin);
    bnn_outline_free(&outline);
    if (s < 0 || r->json) return s;
    printf("calibrated by %s of %s, wrote %s\n", bnn_calibration_print(c, text), tool_line(r->rerun.data_used), tool_line(r->out));
    tool_print_verdicts(bnn_remarks_count(r->remarks) > 0 ? r->remarks : NULL);
    return BNN_OK;
}

static int run(int argc, char **argv) {
    const struct argp argp = {
        .options = options,
        .parser = parse,
        .children = tool_rerun_children,
        .args_doc = "RUN.h5",
        .doc =
            "Puts the predictions of a fitted run right by rows that were not fitted, and writes a run that predicts so: predict and "
            "evaluate "
            "take it as any other.\v"
            "temperature, vector, isotonic and variance change the predictive distribution. The others leave it alone and give intervals "
            "(lo90 and hi90 of predict are then those) or sets of classes (columns in90_LEVEL) that hold a new target with probability "
            "--level at "
            "least, if new rows are like these. Score a calibrated run on rows that are neither fitted nor calibrated on.\n\n"
            "Examples:\n  bnn calibrate run.h5 --on 0 -o better.h5\n  bnn calibrate run.h5 --on held_out.csv --method cqr --level 0.8 -o "
            "better.h5"};
    request r = {.how = {.penalty = 0.1, .rank = 1}};
    tool_job_open(&r.rerun.job, argc, argv);
    tool_parse(&argp, argc, argv, &r);
    bnn_status s = calibrate(&r);
    bnn_remarks_free(r.remarks);
    tool_rerun_close(&r.rerun);
    return s < 0 ? tool_fail() : 0;
}

const command command_calibrate = {.name = "calibrate", .summary = "put predictions right by rows that were held out", .run = run};
