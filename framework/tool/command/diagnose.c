/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool/print/json.h"
#include "tool/tool.h"

#include <math.h>
#include <stdio.h>

typedef struct {
    tool_rerun rerun;
    bnn_diagnose_options how;
    bool json;
} request;

enum { JSON = 256, ROWS, WEIGHTS };

static const struct argp_option options[] = {
    {"data", 'd', "FILE", 0, "table of texts or data file whose rows are predicted (default: the one the run was fitted to)", 0},
    {"split", 'k', "K", 0, "test rows of split K, or 'all' (default: the run's own split; all rows of another file)", 0},
    {"rows", ROWS, "N", 0, "rows to predict, evenly spaced (default: 500 at most)", 0},
    {"weights", WEIGHTS, NULL, 0,
     "single weights, too; units can be swapped without a change of the network, so chains need not agree on them", 0},
    {"json", JSON, NULL, 0, "print one JSON object", 0},
    {"threads", 't', "N", 0, "threads (default: all cores)", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
    request *r = state->input;
    struct argp_state inner = *state;
    inner.input = &r->rerun;
    switch (key) {
    case ROWS: r->how.rows = (int)tool_number("--rows", arg, 1, 1000000000); return 0;
    case WEIGHTS: r->how.weights = true; return 0;
    case JSON: r->json = true; return 0;
    default: return tool_rerun_argp.parser(key, arg, &inner);
    }
}

/* ---------------------------------------------------------------- text */

static const char *const kinds[BNN_N_OF] = {"predictions", "norms and scales", "single weights"};

static bnn_status print_kind(const bnn_diagnosis *d, bnn_quantity_of of) {
    bnn_spread rhat, bulk, tail;
    BNN_TRY(bnn_diagnosis_spread(d, of, offsetof(bnn_convergence, rhat), &rhat));
    BNN_TRY(bnn_diagnosis_spread(d, of, offsetof(bnn_convergence, ess_bulk), &bulk));
    BNN_TRY(bnn_diagnosis_spread(d, of, offsetof(bnn_convergence, ess_tail), &tail));
    if (rhat.n + rhat.constant == 0) return BNN_OK;
    printf("  %-18s %7d", kinds[of], rhat.n);
    if (rhat.n > 0)
        printf(" %10.4f %8.4f %10.0f %7.0f %10.0f %7.0f  %s", rhat.median, rhat.most, bulk.median, bulk.least, tail.median, tail.least,
               d->quantity[rhat.at_most].name);
    if (rhat.constant > 0) printf("  (%d more are the same in every draw)", rhat.constant);
    putchar('\n');
    return BNN_OK;
}

static void print_parameters(const bnn_diagnosis *d) {
    printf("\n  %-46s %10s %10s %10s %8s %8s %8s\n", "", "mean", "sd", "mcse", "R-hat", "bulk ESS", "tail ESS");
    for (int i = 0; i < d->n; i++) {
        const bnn_convergence *c = &d->quantity[i].is;
        if (d->quantity[i].of == BNN_OF_PARAMETERS)
            printf("  %-46s %10.4g %10.3g %10.2g %8.4f %8.0f %8.0f\n", tool_line(d->quantity[i].name), c->mean, c->sd, c->mcse_mean,
                   c->rhat, c->ess_bulk, c->ess_tail);
    }
}

static bnn_status print_text(const request *r, const bnn_diagnosis *d) {
    printf("%s: %s\n%d chains of %d draws, predictions of %d rows of %s\n\n", tool_line(r->rerun.run_path),
           tool_line(r->rerun.run->engine_text), d->chains, d->draws, d->rows, tool_line(r->rerun.data_used));
    printf("  %-18s %7s %10s %8s %10s %7s %10s\n", "", "", "R-hat", "", "bulk ESS", "", "tail ESS");
    printf("  %-18s %7s %10s %8s %10s %7s %10s %7s  %s\n", "", "number", "median", "worst", "median", "least", "median", "least",
           "worst R-hat");
    for (int of = 0; of < BNN_N_OF; of++) BNN_TRY(print_kind(d, (bnn_quantity_of)of));
    print_parameters(d);
    if (!isnan(d->divergences))
        printf("\n  %.0f divergence%s, E-BFMI %.2f or more", d->divergences, d->divergences == 1 ? "" : "s", d->least_e_bfmi);
    if (!isnan(d->saturated)) printf(", %.1f %% of the trajectories at max_depth", 100 * d->saturated);
    printf("%s\n%s\n", isnan(d->divergences) ? "" : "\n", d->n_findings ? "not good:" : "good: nothing speaks against these draws");
    for (int i = 0; i < d->n_findings; i++) printf("- %s\n", tool_line(d->finding[i]));
    return BNN_OK;
}

/* ---------------------------------------------------------------- JSON */

static void add(json_t *o, const char *name, double x) { tool_json_set(o, name, tool_json_number(x)); }

static json_t *quantity_object(const bnn_quantity *q) {
    json_t *o = json_object();
    tool_json_set(o, "of", json_string(kinds[q->of]));
    tool_json_set(o, "name", tool_json_text(q->name));
    add(o, "mean", q->is.mean);
    add(o, "sd", q->is.sd);
    add(o, "rhat", q->is.rhat);
    add(o, "ess_bulk", q->is.ess_bulk);
    add(o, "ess_tail", q->is.ess_tail);
    add(o, "mcse_mean", q->is.mcse_mean);
    return o;
}

static bnn_status print_json(const request *r, const bnn_diagnosis *d) {
    json_t *o = json_object(), *quantities = json_array(), *findings = json_array();
    tool_json_set(o, "engine", tool_json_text(r->rerun.run->engine_text));
    tool_json_set(o, "chains", json_integer(d->chains));
    tool_json_set(o, "draws", json_integer(d->draws));
    tool_json_set(o, "rows", json_integer(d->rows));
    tool_json_set(o, "good", json_boolean(d->n_findings == 0));
    for (int i = 0; i < d->n_findings; i++) tool_json_append(findings, tool_json_text(d->finding[i]));
    tool_json_set(o, "findings", findings);
    add(o, "divergences", d->divergences);
    add(o, "least_e_bfmi", d->least_e_bfmi);
    add(o, "share_at_max_depth", d->saturated);
    for (int i = 0; i < d->n; i++) tool_json_append(quantities, quantity_object(&d->quantity[i]));
    tool_json_set(o, "quantities", quantities);
    return tool_json_answer(o);
}

/* Without chains there is no verdict. */
static bnn_status say_nothing_to_diagnose(const request *r) {
    if (r->json) {
        json_t *o = json_object();
        tool_json_set(o, "engine", tool_json_text(r->rerun.run->engine_text));
        tool_json_set(o, "chains", json_integer(0));
        return tool_json_answer(o);
    }
    printf("%s: engine '%s' runs no Markov chains, so there is nothing to diagnose: `bnn info` shows the course of its fit, `bnn "
           "evaluate` "
           "what its predictions are worth\n",
           tool_line(r->rerun.run_path), r->rerun.run->engine->object.type->name);
    return BNN_OK;
}

/* ---------------------------------------------------------------- the command */

static bnn_status diagnose(request *r, bool *good) {
    bnn_diagnosis *d = NULL;
    BNN_TRY(tool_rerun_open(&r->rerun));
    bnn_status s = BNN_OK;
    if (!bnn_has_chains(r->rerun.run->engine))
        s = say_nothing_to_diagnose(r);
    else if ((s = bnn_diagnose(r->rerun.run->engine, r->rerun.rows, &r->how, &d)) < 0)
        bnn_note(s, "%s", r->rerun.run_path);
    else if (r->json)
        s = print_json(r, d);
    else
        s = print_text(r, d);
    if (s == BNN_OK) tool_rerun_say(&r->rerun, stderr);
    *good = !d || d->n_findings == 0;
    bnn_diagnosis_free(d);
    tool_rerun_close(&r->rerun);
    return s;
}

static int run(int argc, char **argv) {
    static const struct argp_child children[] = {{&tool_reading_argp, 0, NULL, 0}, {0}};
    const struct argp argp = {.options = options,
                              .parser = parse,
                              .children = children,
                              .args_doc = "RUN.h5",
                              .doc = "Says whether the Markov chains of a run have met, and how many independent draws theirs are worth: "
                                     "rank-normalised split R-hat, "
                                     "bulk and tail effective sample size of the predictions, of the norms of weights by layers, and of "
                                     "scales; divergences, E-BFMI and "
                                     "the depth of trajectories. Ends with a verdict, and what to do. Exit status 0: good, or an engine "
                                     "without chains, 1: not good, 2: "
                                     "a failure.\v"
                                     "Examples:\n  bnn diagnose run.h5\n  bnn diagnose run.h5 --data new.h5 --weights --json"};
    request r = {.how = {.rows = 500}};
    bool good;
    tool_job_open(&r.rerun.job, argc, argv);
    tool_parse(&argp, argc, argv, &r);
    return diagnose(&r, &good) < 0 ? tool_fail() : !good;
}

const command command_diagnose = {.name = "diagnose", .summary = "say whether the chains of a run have met", .run = run};
