/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool/print/json.h"
#include "tool/tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    tool_rerun in;
    bnn_acquire_options how;
    int n;
    const char *out, *scores; /* NULL: none */
    bool json;
    bnn_acquisition found;
} request;

enum { POOL = 256, BY, SCORES, JSON };

static const struct argp_option options[] = {
    {"pool", POOL, "FILE", 0, "rows to choose from, the same as --data; their targets, if any, are not looked at", 0},
    {"rows", 'n', "N", 0, "rows to choose (default: 10)", 0},
    {"by", BY, "RULE", 0, "entropy (of classes), bald (default), batchbald, variance or random", 0},
    {"scores", SCORES, "FILE.h5", 0, "write which rows were chosen, and what for, as a file that `bnn report` shows", 0},
    {"json", JSON, NULL, 0, "print one JSON object", 0},
    {"output", 'o', "FILE.h5", 0, "write the rows as a data file, in the order in which they were chosen", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
    request *r = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &r->in; return 0;
    case POOL: r->in.data = arg; return 0;
    case 'n': r->n = (int)tool_number("--rows", arg, 1, 100000000); return 0;
    case BY:
        for (int k = 0; bnn_acquire_rule_names[k]; k++)
            if (strcmp(arg, bnn_acquire_rule_names[k]) == 0) return r->how.rule = (bnn_acquire_rule)k, 0;
        tool_misuse(state, "--by: there is no rule '%s'", arg);
    case SCORES: r->scores = arg; return 0;
    case JSON: r->json = true; return 0;
    case 'o': r->out = arg; return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* The id columns of a row; NULL: there are none. */
static const char *id_of(const request *r, int k, int column) {
    const bnn_table *t = r->in.table;
    return column < t->n_ids ? t->ids[(size_t)column * (size_t)t->n + (size_t)r->found.row[k]] : NULL;
}

static void print_text(const request *r) {
    printf("%d of %d %s rows of %s, by %s\n  %8s %12s", r->n, r->in.rows->n, r->in.kind, tool_line(r->in.data_used),
           bnn_acquire_rule_names[r->how.rule], "row", r->how.rule == BNN_ACQUIRE_BATCHBALD ? "together" : "score");
    for (int c = 0; c < r->in.table->n_ids; c++) printf("  %s", tool_line(r->in.table->id_names[c]));
    for (int k = 0; k < r->n; k++) {
        printf("\n  %8d %12.6g", r->found.row[k] + 1, r->found.score[k]);
        for (int c = 0; id_of(r, k, c); c++) printf("  %s", tool_line(id_of(r, k, c)));
    }
    printf("\n");
}

void tool_json_acquisition(json_t *o, const bnn_acquisition *a) {
    json_t *rows = json_array();
    for (int k = 0; k < a->n; k++) tool_json_append(rows, json_integer(a->row[k] + 1));
    tool_json_set(o, "pool_rows", json_integer(a->pool));
    tool_json_set(o, "by", tool_json_text(a->by));
    tool_json_set(o, "rows", rows);
    tool_json_set(o, "scores", tool_json_numbers(a->score, a->n));
}

static bnn_status print_json(const request *r) {
    json_t *o = json_object();
    tool_json_set(o, "engine", tool_json_text(r->in.run->engine_text));
    tool_json_set(o, "pool", tool_json_text(r->in.data_used));
    tool_json_set(o, "fitted", json_integer(r->in.fitted));
    tool_json_acquisition(o, &r->found);
    return tool_json_answer(o);
}

static bnn_status save_rows(const request *r) {
    bnn_data *data = NULL;
    bnn_table *table = NULL;
    bnn_status s = bnn_data_new(r->in.table, r->n, r->found.row, bnn_run_scaling(r->in.run), &data);
    if (s == BNN_OK) s = bnn_data_table(data, &table);
    if (s == BNN_OK) s = tool_output_claim_table(r->out, table);
    if (s == BNN_OK) s = bnn_table_save(table, r->out);
    bnn_table_free(table);
    bnn_data_free(data);
    return s;
}

static bnn_status save_scores(const request *r) {
    bnn_provenance provenance = tool_rerun_provenance(&r->in);
    return bnn_acquisition_save(&r->found, r->in.table, &provenance, r->scores);
}

static bnn_status check_output(const request *r, const char *out) {
    if (!out) return BNN_OK;
    BNN_TRY(tool_output_hdf5(out));
    return tool_rerun_apart(&r->in, out);
}

static bnn_status choose(request *r) {
    bnn_acquisition *found = &r->found;
    if (r->n > r->in.rows->n)
        return bnn_fail(BNN_ERR_OPTION, "%s: %d rows cannot be taken from a pool of %d", r->in.data_used, r->n, r->in.rows->n);
    *found = (bnn_acquisition){.by = (char *)bnn_acquire_rule_names[r->how.rule], .pool = r->in.rows->n, .n = r->n};
    found->row = malloc((size_t)r->n * sizeof *found->row), found->score = malloc((size_t)r->n * sizeof *found->score);
    if (!found->row || !found->score) return bnn_oom("an acquisition");
    r->how.samples = r->in.job.samples, r->how.seed = r->in.job.seed;
    bnn_status s = bnn_acquire(r->in.run, r->in.rows, &r->how, r->n, found->row, found->score);
    if (s < 0) return bnn_note(s, "%s", r->in.data_used);
    for (int k = 0; k < r->n; k++) found->row[k] = r->in.rows->rows[found->row[k]];
    return BNN_OK;
}

static bnn_status acquire(request *r) {
    BNN_TRY(check_output(r, r->out));
    BNN_TRY(check_output(r, r->scores));
    BNN_TRY(tool_output_apart(r->scores, r->out, "the file of rows"));
    if (r->scores) BNN_TRY(tool_output_claim(r->scores, NULL, NULL, NULL));
    BNN_TRY(tool_rerun_open(&r->in));
    BNN_TRY(tool_rerun_apart(&r->in, r->out));
    BNN_TRY(tool_rerun_apart(&r->in, r->scores));
    BNN_TRY(choose(r));
    tool_rerun_say(&r->in, r->json ? stderr : stdout);
    if (r->json) BNN_TRY(print_json(r)); /* what can fail comes before the files */
    if (r->out) BNN_TRY(save_rows(r));
    if (r->scores) BNN_TRY(save_scores(r));
    if (r->json) return BNN_OK;
    print_text(r);
    tool_print_wrote(r->out);
    tool_print_wrote(r->scores);
    return BNN_OK;
}

static int run(int argc, char **argv) {
    const struct argp argp = {
        .options = options,
        .parser = parse,
        .children = tool_rerun_children,
        .args_doc = "RUN.h5",
        .doc =
            "Chooses the rows of a pool whose targets a fitted run would learn most from: active learning. Rows are counted from 1.\v"
            "entropy: where the run is least sure, whatever the reason. bald: where its draws disagree, which a target would settle. "
            "batchbald: the rows that say most together, so that no two say the same; with it, fewer draws do (--samples 100). variance: "
            "of the probabilities, or of the mean of real targets. random: what the others have to be better than.\n\n"
            "Examples:\n  bnn acquire run.h5 --pool unlabelled.csv -n 10\n  "
            "bnn acquire run.h5 --pool pool.h5 -n 20 --by batchbald --samples 100 -o ask.h5"};
    request r = {.n = 10, .how = {.size = sizeof r.how, .rule = BNN_ACQUIRE_BALD}};
    tool_job_open(&r.in.job, argc, argv);
    tool_parse(&argp, argc, argv, &r);
    bnn_status s = acquire(&r);
    free(r.found.row), free(r.found.score);
    tool_rerun_close(&r.in);
    return s < 0 ? tool_fail() : 0;
}

const command command_acquire = {.name = "acquire", .summary = "choose rows whose targets a run would learn most from", .run = run};
