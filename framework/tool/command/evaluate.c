/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool/print/json.h"
#include "tool/apply/series.h"
#include "tool/report/scores.h"
#include "tool/tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    tool_rerun rerun;
    tool_referral referral;
    const char **also; /* [n_also] files */
    int n_also;
    const char *plot; /* to be written, or NULL */
    tool_series series;
    bool json, strict;
    bnn_prediction *prediction;
    bnn_metrics metrics;
    bnn_remarks *verdicts;
} request;

enum { JSON = 256, STRICT, ALSO, PLOT, REFERRAL, REFERRAL_RISK, REFERRAL_BY };

static const struct argp_option options[] = {
    {"json", JSON, NULL, 0, "print one JSON object", 0},
    {"strict", STRICT, NULL, 0, "end with status 1 where a verdict is bad", 0},
    {"also", ALSO, "FILE", 0,
     "score this file, too, such as one of `bnn shift`: all rows, or the same test rows, where it has the same splits; may be given again",
     0},
    {"plot", PLOT, "FILE.html", 0,
     "write a page: of --also each score against the strength of the shift, of --referral the risk against the share that is kept (needs "
     "gnuplot)",
     0},
    {"referral", REFERRAL, "SHARE", 0, "score the others, too, where this share of the rows is referred, the least certain (0.2)", 0},
    {"referral-risk", REFERRAL_RISK, "RISK", 0, "of classes: refer so many that a risk below this can be promised of the others", 0},
    {"referral-by", REFERRAL_BY, "SCORE", 0,
     "what is least certain: max_probability (default), entropy, mutual_information, expected_entropy or variance; of real targets "
     "variance (default) or epistemic_variance",
     0},
    {0}};

static double parse_share(const struct argp_state *state, const char *option, const char *text) {
    double share;
    if (!bnn_number_parse(text, &share) || !(share > 0 && share < 1))
        tool_misuse(state, "%s: '%s' is no number between 0 and 1", option, text);
    return share;
}

static error_t parse_referral(int key, const char *arg, const struct argp_state *state, tool_referral *r) {
    r->wanted = true;
    if (key == REFERRAL) r->share = parse_share(state, "--referral", arg);
    if (key == REFERRAL_RISK) r->risk = parse_share(state, "--referral-risk", arg);
    if (r->share > 0 && r->risk > 0) tool_misuse(state, "--referral and --referral-risk are apart: the one gives the other");
    if (key == REFERRAL_BY) r->by = arg;
    if (key == REFERRAL_BY && !bnn_row_score_find(arg, &r->score)) tool_misuse(state, "--referral-by: there is no score '%s'", arg);
    return 0;
}

static void add_file(request *r, const char *file) {
    const char **more = realloc(r->also, (size_t)(r->n_also + 1) * sizeof *more);
    if (!more) bnn_fail(BNN_ERR_MEMORY, "out of memory"), tool_leave(tool_fail());
    r->also = more;
    r->also[r->n_also++] = file;
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    request *r = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &r->rerun; return 0;
    case JSON: r->json = true; return 0;
    case STRICT: r->strict = true; return 0;
    case ALSO: add_file(r, arg); return 0;
    case PLOT: r->plot = arg; return 0;
    case ARGP_KEY_END:
        if (r->plot && r->n_also == 0 && !r->referral.wanted)
            tool_misuse(state, "--plot: of one file alone there is no course to draw: --also names others, --referral refers rows of it");
        return 0;
    case REFERRAL:
    case REFERRAL_RISK:
    case REFERRAL_BY: return parse_referral(key, arg, state, &r->referral);
    default: return ARGP_ERR_UNKNOWN;
    }
}

static bnn_status print_json(const request *r) {
    const bnn_prediction *p = r->prediction;
    json_t *o = json_object();
    tool_json_set(o, "engine", json_string(r->rerun.run->engine_text));
    tool_json_set(o, "samples", json_integer(p->samples));
    tool_json_set(o, "split", json_integer(r->rerun.split_used));
    tool_json_set(o, "fitted", json_integer(r->rerun.fitted));
    bnn_status s = tool_scores_set(o, r->rerun.kind, p, r->rerun.rows, &r->metrics);
    tool_referral_set(o, &r->referral, p);
    if (s == BNN_OK) s = tool_calibration_set(o, bnn_run_calibration(r->rerun.run), p, r->rerun.rows);
    if (r->series.n > 0) tool_json_set(o, "series", tool_series_json(&r->series));
    tool_json_set(o, "verdicts", tool_json_verdicts(r->verdicts));
    bnn_cost cost = r->rerun.run->cost;
    bnn_cost_add(&cost, &p->cost);
    tool_json_set(o, "cost", tool_json_cost(&cost));
    if (s == BNN_OK) return tool_json_answer(o);
    json_decref(o);
    return s;
}

/* Scores of rows that were fitted say nothing of others, and nor would verdicts on them. */
static bnn_status judge(request *r) {
    const tool_rerun *rerun = &r->rerun;
    int n = 0;
    const bnn_calibration *c = bnn_run_calibration(rerun->run);
    BNN_TRY(bnn_remarks_new(&r->verdicts));
    if (c && *c->data_sha256 && strcmp(c->data_sha256, rerun->table->sha256) == 0 && c->split == rerun->split_used)
        BNN_TRY(
            bnn_remarks_add(r->verdicts, BNN_REMARK_WARNING, "calibrated_here",
                            "the run was calibrated on these rows: its scores promise little of others; score rows that it has not seen"));
    if (rerun->fitted > 0)
        return bnn_remarks_add(r->verdicts, BNN_REMARK_WARNING, "in_sample",
                               "%d of the %d rows were fitted: their scores promise nothing of others; score rows that were held out",
                               rerun->fitted, rerun->rows->n);
    if (rerun->table->n_splits > 0 && rerun->split_used >= 0) n = bnn_table_count(rerun->table, rerun->split_used, BNN_TRAIN);
    return bnn_run_judge(rerun->run, NULL, n, r->prediction, rerun->rows, r->verdicts);
}

/* Scores the other files, too. */
static bnn_status score_series(request *r) {
    if (r->n_also == 0) return BNN_OK;
    BNN_TRY(tool_series_take(&r->series, r->rerun.data_used, r->rerun.table, &r->metrics));
    for (int i = 0; i < r->n_also; i++) BNN_TRY(tool_series_add(&r->series, &r->rerun, r->also[i]));
    return BNN_OK;
}

static bnn_status draw(const request *r) {
    tool_curve curve[TOOL_SERIES_CURVES + 1];
    double *numbers = NULL;
    int n = 0;
    if (!r->plot) return BNN_OK;
    if (r->series.n > 0) BNN_TRY(tool_series_curves(&r->series, curve, &n, &numbers));
    const bnn_selection *s = r->referral.selection;
    if (s) curve[n++] = (tool_curve){"risk", "share that is kept", true, s->n_points, s->coverage, s->risk};
    bnn_status status = tool_curves_page("Scores of a run", r->rerun.run_path, n, curve, r->plot);
    free(numbers);
    return status;
}

static bnn_status answer(const request *r) {
    const tool_rerun *rerun = &r->rerun;
    const bnn_prediction *p = r->prediction;
    tool_rerun_say(rerun, r->json ? stderr : stdout);
    if (r->json) return print_json(r);
    BNN_TRY(tool_scores_print(rerun->kind, p, rerun->rows, &r->metrics));
    BNN_TRY(tool_calibration_print(bnn_run_calibration(rerun->run), p, rerun->rows));
    tool_referral_print(&r->referral, p);
    if (r->series.n > 0) tool_series_print(&r->series);
    tool_print_verdicts(r->verdicts);
    tool_print_cost("fit", &rerun->run->cost);
    tool_print_cost("prediction", &p->cost);
    return BNN_OK;
}

static bnn_status evaluate(request *r) {
    BNN_TRY(tool_rerun_apart(&r->rerun, r->plot));
    if (r->plot) BNN_TRY(tool_output_ready(r->plot));
    if (r->plot) BNN_TRY(tool_output_claim(r->plot, NULL, NULL, NULL));
    BNN_TRY(tool_rerun_open(&r->rerun));
    BNN_TRY(tool_rerun_score(&r->rerun, &r->prediction, &r->metrics));
    BNN_TRY(tool_referral_open(&r->referral, r->prediction, r->rerun.rows));
    BNN_TRY(score_series(r));
    BNN_TRY(judge(r));
    BNN_TRY(answer(r));
    return draw(r); /* last: nothing fails once the page is there */
}

static int run(int argc, char **argv) {
    const struct argp argp = {
        .options = options,
        .parser = parse,
        .children = tool_rerun_children,
        .args_doc = "RUN.h5",
        .doc = "Scores a fitted run on rows with known targets: log-likelihood and coverage, and of each target in its "
               "units rmse, mae, r2 and crps; of classes accuracy, auc, Brier score, calibration error and entropies, "
               "and of each class precision, recall and f1; with what fit and prediction cost. Rows that the run "
               "was fitted to are called training rows: their scores promise nothing of others.\v"
               "Examples:\n  bnn evaluate run.h5\n  bnn evaluate run.h5 --samples 10000 --json\n  bnn "
               "evaluate run.h5 --referral 0.2\n  bnn evaluate run.h5 --data test.h5 --also rotated15.h5 --also rotated30.h5"};
    request r = {.json = false};
    tool_job_open(&r.rerun.job, argc, argv);
    tool_parse(&argp, argc, argv, &r);
    bnn_status s = evaluate(&r);
    int bad = tool_count_bad(r.verdicts);
    bnn_prediction_free(r.prediction);
    bnn_selection_free(r.referral.selection);
    bnn_remarks_free(r.verdicts);
    free(r.series.of), free(r.also);
    tool_rerun_close(&r.rerun);
    return s < 0 ? tool_fail() : r.strict && bad > 0;
}

const command command_evaluate = {.name = "evaluate", .summary = "score a fitted run on test rows", .run = run};
