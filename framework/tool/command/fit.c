/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool/tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    tool_job job;
    tool_reading reading;
    const char *engine, *out, *from;
    int split;
    bool split_given, resume;
    tool_interval every;
    double deadline; /* of --max-time */
    bool partial;    /* it came, or a signal, before the fit was complete */
    unsigned keep;
    const char *log;
    double budget; /* seconds; 0: as usual */
    bool strict;
    int bad;             /* verdicts */
    bnn_run *origin;     /* of --from, or NULL */
    char started_at[32]; /* of a run that goes on */
    const tool_course *course;
} request;

enum { EVERY = 256, RESUME, LOG, KEEP, FROM, BUDGET, STRICT, MAX_TIME };

static const struct argp_option options[] = {
    {"split", 'k', "K", 0,
     "rows to train on: those of split K, or 'all' (default: split 0 where the data have splits; all rows of text, of which split K holds "
     "a tenth out)",
     0},
    {"engine", 'e', "TEXT", 0,
     "how to infer, such as mc_dropout:gates=concrete (`bnn list engines`; default: auto, by rows, columns and budget)", 0},
    {"budget", BUDGET, "SECONDS", 0, "time of one core that an engine is chosen for by auto (default: 60)", 0},
    {"from", FROM, "RUN.h5", 0,
     "begin with the parameters, the scaling and the texts of a run, such as an imported one: laplace puts its Gaussian around them", 0},
    {"output", 'o', "FILE", 0, "the run file to write", 0},
    {"checkpoint-every", EVERY, "TIME", 0,
     "write the run so far to FILE this often: 30s, 5min, 10epochs, which are steps of a search (default: 5min; 0s: never)", 3},
    {"max-time", MAX_TIME, "TIME", 0,
     "end before so much time has passed, such as 55min; a fit that is not complete then is in FILE so far, the exit status is 1, and the "
     "same command with --resume goes on",
     3},
    {"resume", RESUME, NULL, 0, "go on with the run that FILE holds, if it is there", 3},
    {"strict", STRICT, NULL, 0, "end with status 1 where a verdict is bad", 3},
    {"log", LOG, "FILE", 0, "write a line of JSON for every step", 3},
    {"keep", KEEP, "WHAT", 0, "keep the draws for the test rows: posterior (weights), predictive, or posterior,predictive", 3},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
    request *r = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &r->job, state->child_inputs[1] = &r->reading; return 0;
    case 'k':
        r->split = tool_split(arg);
        r->split_given = true;
        return 0;
    case 'e': r->engine = arg; return 0;
    case 'o': r->out = arg; return 0;
    case EVERY: r->every = tool_interval_parse("--checkpoint-every", arg); return 0;
    case MAX_TIME: r->deadline = tool_deadline_parse("--max-time", arg); return 0;
    case RESUME: r->resume = true; return 0;
    case LOG: r->log = arg; return 0;
    case KEEP: r->keep = tool_keep_parse(arg); return 0;
    case FROM: r->from = arg; return 0;
    case STRICT: r->strict = true; return 0;
    case BUDGET: r->budget = (double)tool_number("--budget", arg, 1, 1000000000); return 0;
    case ARGP_KEY_END:
        if (!r->job.data) tool_misuse(state, "--data is missing");
        if (!r->out) tool_misuse(state, "-o is missing: the run file to write");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* A run that goes on began when its first process did. */
static bnn_status get_start(request *r) {
    bnn_outline o;
    BNN_TRY(bnn_outline_load(r->out, &o));
    if (o.origin.started_at) snprintf(r->started_at, sizeof r->started_at, "%s", o.origin.started_at), r->job.started_at = r->started_at;
    bnn_outline_free(&o);
    return BNN_OK;
}

/* A new run, or the one that the output file holds. */
static bnn_status open_run(request *r, const bnn_table *table, const bnn_data *train, bnn_run **out) {
    bnn_config config = {.net = r->job.net,
                         .engine = r->engine,
                         .likelihood = r->job.likelihood,
                         .prior = r->job.prior,
                         .seed = r->job.seed,
                         .size = sizeof config,
                         .budget = r->budget};
    bnn_origin origin = {.data_sha256 = (char *)table->sha256, .split = r->split};
    if (r->resume && access(r->out, F_OK) == 0) {
        tool_plugins_compare(r->out);
        BNN_TRY(get_start(r));
        return bnn_run_resume(r->out, &config, train, &origin, out);
    }
    bnn_status s = bnn_run_new(&config, train, out);
    if (s < 0) return s == BNN_ERR_DATA ? bnn_note(s, "%s", r->job.data) : s;
    s = r->origin ? bnn_run_begin(*out, r->origin) : BNN_OK;
    if (s == BNN_OK) return BNN_OK;
    bnn_run_free(*out);
    return bnn_note(s, "%s", r->from);
}

/* Texts that were not given are those of the other run. */
static bnn_status open_origin(request *r, const bnn_scaling **scaling) {
    BNN_TRY(bnn_run_load(r->from, &r->origin, NULL));
    tool_plugins_compare(r->from);
    const bnn_engine *fitted = bnn_engine_fitted(r->origin->engine);
    if (!r->job.net) r->job.net = fitted->texts.net;
    if (!r->job.likelihood) r->job.likelihood = fitted->texts.likelihood;
    if (!r->job.prior) r->job.prior = fitted->texts.prior;
    *scaling = &fitted->model->scaling;
    return BNN_OK;
}

static void say_found(request *r, const bnn_table *table, const bnn_run *run) {
    tool_reading_say(&r->reading, table, stdout);
    if (run->choice)
        printf("chose %s on '%s', prior %s: %s\n", run->engine_text, run->engine->plain_net, run->engine->texts.prior, run->choice);
}

static void say_unscored(const request *r) {
    printf("every row was a training row, so nothing is scored: %s\n",
           r->reading.text ? "--split 0 holds out a tenth of them" : "`bnn split` holds some out");
}

/* The run that the file holds is the one asked for, and complete: it may be made again. */
static bnn_status is_same(const void *context, const char *path) {
    const request *r = context;
    const tool_course *c = r->course;
    bnn_outline there;
    BNN_TRY(bnn_run_same_work(path, c->run, &(bnn_origin){.data_sha256 = (char *)c->table->sha256, .split = c->split}));
    BNN_TRY(bnn_outline_load(path, &there));
    bool goes_on = c->run->steps > 0, complete = there.complete;
    int steps = there.steps;
    bnn_outline_free(&there);
    if (r->from && !goes_on) { /* the parameters that it began with are not among the texts */
        bnn_provenance now = tool_provenance(c->job, c->table, c->split);
        BNN_TRY(tool_output_same_command(&now, path));
    }
    if (complete || goes_on) return BNN_OK;
    return bnn_fail(BNN_ERR_STATE, "%s: holds this run, stopped after step %d: --resume goes on with it", path, steps);
}

/* Writes the run as far as it has come, and says what it is. */
static bnn_status end_fit(request *r, bool was_complete, const bnn_data *train, const bnn_data *test) {
    const tool_course *c = r->course;
    if (!c->run->complete) return tool_course_stop(c);
    if (was_complete)
        printf("%s: is complete%s\n", tool_line(r->out), r->keep ? "; draws that it does not hold are made by `bnn predict --keep`" : "");
    else
        BNN_TRY(tool_finish(&r->job, c->table, r->split, c->run, train, test, r->keep, r->out, &r->bad));
    if (!was_complete && !test) say_unscored(r);
    return BNN_OK;
}

static bnn_status fit_rows(request *r, const bnn_table *table, const bnn_data *train, const bnn_data *test) {
    bnn_run *run;
    const bool writes = tool_ranks_first();
    BNN_TRY(open_run(r, table, train, &run));
    tool_course course = {.job = &r->job,
                          .table = table,
                          .split = r->split,
                          .path = r->out,
                          .log = writes ? r->log : NULL,
                          .every = r->every,
                          .deadline = r->deadline,
                          .run = run};
    bool was_complete = run->complete;
    bnn_status s = r->keep ? bnn_predict_keeps(run->engine) : BNN_OK;
    if (s == BNN_OK) s = tool_course_check_log(&course);
    r->course = &course;
    if (s == BNN_OK && writes) s = tool_output_claim(r->out, "bnn-run|bnn-model", is_same, r);
    if (s == BNN_OK && course.log) s = tool_output_claim_log(r->log);
    if (s == BNN_OK) s = bnn_run_doubt(run, train, r->reading.csv.remarks);
    if (s == BNN_OK) say_found(r, table, run);
    if (s == BNN_OK) s = tool_course_run(&course, train);
    tool_ranks_share(false);
    if (s == BNN_OK && writes) s = end_fit(r, was_complete, train, test);
    r->partial = !run->complete;
    bnn_run_free(run);
    return s;
}

static bnn_status check_outputs(const request *r) {
    BNN_TRY(tool_output_apart(r->out, r->job.data, "the data file"));
    BNN_TRY(tool_output_apart(r->out, r->from, "the run that is begun from"));
    BNN_TRY(tool_output_apart(r->log, r->job.data, "the data file"));
    BNN_TRY(tool_output_apart(r->log, r->from, "the run that is begun from"));
    BNN_TRY(tool_output_apart(r->log, r->out, "the run file"));
    if (r->log) BNN_TRY(tool_output_appends(r->log));
    return tool_output_hdf5(r->out);
}

static bnn_status open_table(request *r, bnn_table **table) {
    if (tool_ranks_count() > 1 && strcmp(r->job.data, "-") == 0)
        return bnn_fail(BNN_ERR_OPTION, "--data -: standard input comes to one of %d ranks alone: write the rows to a file",
                        tool_ranks_count());
    r->reading.stays = tool_ranks_count() > 1 && !r->keep;
    BNN_TRY(tool_table(r->job.data, r->origin, &r->reading, table));
    if (!r->split_given) r->split = (*table)->n_splits > 0 ? 0 : -1;
    if (r->resume && !*(*table)->sha256)
        return bnn_fail(BNN_ERR_OPTION, "--resume: whether %s gives the same rows again cannot be told: write them to a file", r->job.data);
    return tool_reading_split(&r->reading, *table, r->split);
}

static bnn_status fit(request *r) {
    bnn_table *table = NULL;
    bnn_data *train = NULL, *test = NULL;
    const bnn_scaling *scaling = NULL;
    BNN_TRY(check_outputs(r));
    if (r->from) BNN_TRY(open_origin(r, &scaling));
    bnn_status s = open_table(r, &table);
    if (s == BNN_OK && r->origin) s = bnn_run_check_names(r->origin, table);
    tool_ranks_share(true);
    if (s == BNN_OK) s = tool_ranks_agree_on_data(table);
    if (s == BNN_OK && (s = tool_rows(table, r->split, scaling, &train, &test)) < 0) bnn_note(s, "%s", r->job.data);
    if (s == BNN_OK && r->keep && !test && tool_ranks_first()) s = bnn_fail(BNN_ERR_OPTION, "--keep: there are no test rows to predict");
    if (s == BNN_OK) s = fit_rows(r, table, train, test);
    bnn_data_free(test);
    bnn_data_free(train);
    bnn_table_free(table);
    bnn_run_free(r->origin);
    bnn_remarks_free(r->reading.csv.remarks);
    return s;
}

static int run(int argc, char **argv) {
    const struct argp argp = {
        .options = options,
        .parser = parse,
        .children = tool_job_children,
        .doc =
            "Fits a network to a table of data and writes a run file; test rows of the split, if any, are predicted and scored.\v"
            "Text is read as `bnn import csv` reads it, and the run keeps what its columns mean: `bnn predict` reads new rows by that.\n"
            "Built with MPI, `mpirun -n N bnn fit ...` shares sums over more than 4224 rows, or chains, among N ranks, bit for bit.\n\n"
            "Examples:\n"
            "  bnn fit -d boston.csv --target medv -o run.h5\n"
            "  bnn fit -d patients.csv --target outcome --id name --missing mean --split 0 -o run.h5\n"
            "  bnn fit -d boston.h5 --net 'dense:50; relu; dense' --engine mc_dropout -o run.h5\n"
            "  bnn fit -d boston.h5 --split 3 --net 'dense:50; relu; dense' --engine held_out_dropout -o run.h5\n"
            "  bnn fit -d boston.h5 --net 'dense:50; relu; dense' --engine 'grid_search:engine=mc_dropout,grid={p=0.01|0.1}' -o run.h5\n"
            "  bnn fit -d boston.h5 --net 'dense:50; relu; dense' --engine mc_dropout --resume --keep posterior,predictive -o run.h5\n"
            "  bnn fit -d boston.h5 --from imported.h5 --engine laplace:structure=full -o run.h5"};
    request r = {.every = {.seconds = 300}};
    tool_job_open(&r.job, argc, argv);
    tool_parse(&argp, argc, argv, &r);
    if (fit(&r) < 0) return tool_fail();
    tool_signals_obey();
    return r.partial || (r.strict && r.bad > 0);
}

const command command_fit = {.name = "fit", .summary = "fit a network by an engine and write a run file", .run = run, .over_ranks = true};
