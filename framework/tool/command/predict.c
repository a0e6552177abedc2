/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/word.h"
#include "tool/pieces/part.h"
#include "tool/tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LEVELS = 32 };

typedef struct {
    tool_rerun rerun;
    const char *out; /* NULL: standard output */
    bnn_mode noise;
    unsigned keep;
    bool probabilities;
    int n_intervals, n_quantiles, n_levels, drawn;
    double interval[MOST_LEVELS], quantile[MOST_LEVELS], level[3 * MOST_LEVELS]; /* level: the ends of the intervals, then the quantiles */
    bool named;                                                                  /* intervals or quantiles were asked for by name */
    tool_part part;                                                              /* of the rows */
    double deadline;                                                             /* of --max-time */
} request;

enum { NOISE = 256, KEEP, INTERVAL, QUANTILES, DRAWS, PROBABILITIES, PART, MAX_TIME };

static const struct argp_option options[] = {
    {"noise", NOISE, "draw|rows", 0, "one draw shared by all rows (default), or fresh noise for every row", 0},
    {"keep", KEEP, "WHAT", 0, "keep the draws, in file.h5: posterior (weights), predictive, or posterior,predictive", 0},
    {"interval", INTERVAL, "P,...", 0, "central intervals with these probabilities (default: 0.9, columns lo90 and hi90)", 0},
    {"quantiles", QUANTILES, "LEVEL,...", 0, "quantiles at these levels, too: 0.05 is column q05", 0},
    {"draws", DRAWS, "N", 0, "N draws of the target for each row, too: columns draw1, draw2, ... of a CSV", 0},
    {"probabilities", PROBABILITIES, NULL, 0, "of maps of classes the probability of every class, too", 0},
    {"part", PART, "I/N", 0, "predict the I-th of N parts of the rows, into file.h5: `bnn merge` joins the files of all parts", 0},
    {"max-time", MAX_TIME, "TIME", 0,
     "end before so much time has passed, such as 55min, with exit status 2 and nothing written where the prediction is not made by then: "
     "--part makes it piece by piece",
     0},
    {"output", 'o', "FILE", 0, "file.h5 (or .hdf5, .nc) or file.csv; - is CSV to standard output (default)", 0},
    {0}};

/* Numbers between 0 and 1 with commas between them; returns how many. */
static int parse_levels(const struct argp_state *state, const char *option, const char *text, double level[MOST_LEVELS]) {
    char *copy = strdup(text), *rest = copy, *word;
    int n = 0;
    while (copy && (word = strsep(&rest, ","))) {
        if (n == MOST_LEVELS) tool_misuse(state, "--%s: more than %d numbers", option, MOST_LEVELS);
        if (!bnn_number_parse(word, &level[n]) || !(level[n] > 0 && level[n] < 1))
            tool_misuse(state, "--%s: '%s' is no number between 0 and 1", option, word);
        for (int k = 0; k < n; k++)
            if (level[k] == level[n]) tool_misuse(state, "--%s: %s is there twice", option, word);
        n++;
    }
    free(copy);
    return n;
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    request *r = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &r->rerun; return 0;
    case 'o': r->out = strcmp(arg, "-") == 0 ? NULL : arg; return 0;
    case INTERVAL: r->n_intervals = parse_levels(state, "interval", arg, r->interval), r->named = true; return 0;
    case QUANTILES: r->n_quantiles = parse_levels(state, "quantiles", arg, r->quantile), r->named = true; return 0;
    case DRAWS: r->drawn = (int)tool_number("--draws", arg, 1, 1000000); return 0;
    case KEEP: r->keep = tool_keep_parse(arg); return 0;
    case PART: r->part = tool_part_parse(arg); return 0;
    case MAX_TIME: r->deadline = tool_deadline_parse("--max-time", arg); return 0;
    case PROBABILITIES: r->probabilities = true; return 0;
    case NOISE:
        if (strcmp(arg, "draw") != 0 && strcmp(arg, "rows") != 0) tool_misuse(state, "--noise: '%s' is neither draw nor rows", arg);
        r->noise = strcmp(arg, "rows") == 0 ? BNN_ROWS : BNN_DRAW;
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static bool is_csv(const request *r) { return !r->out || bnn_ends_with(r->out, ".csv"); }

/* A CSV does not say what made it: one that is there stays without --force. */
static bnn_status claim_output(const request *r) {
    bnn_provenance provenance = tool_rerun_provenance(&r->rerun);
    if (!r->out) return BNN_OK;
    if (is_csv(r)) return tool_output_claim(r->out, NULL, NULL, NULL);
    return tool_output_claim(r->out, "bnn-prediction", tool_output_same_command, &provenance);
}

static bnn_status write_file(const request *r, const bnn_results *results) {
    bnn_provenance provenance = tool_rerun_provenance(&r->rerun);
    return bnn_prediction_save(r->rerun.run, results, &provenance, r->out);
}

static bnn_status write_csv(const request *r, const bnn_prediction *p) {
    const tool_answer answer = {.rerun = &r->rerun,
                                .p = p,
                                .n_intervals = p->n_levels > 0 ? r->n_intervals : 0,
                                .interval = r->interval,
                                .n_quantiles = p->n_levels > 0 ? r->n_quantiles : 0,
                                .quantile = r->quantile};
    return tool_answer_write(&answer, r->out);
}

/* A run with conformal intervals has those of one level. */
static bnn_status take_level(request *r) {
    const bnn_calibration *c = bnn_run_calibration(r->rerun.run);
    double ends[2];
    char text[160];
    if (!c || !bnn_calibration_ends(c, ends)) return BNN_OK;
    if (!r->named) r->interval[0] = c->level;
    for (int i = 0; i < r->n_intervals; i++)
        if (r->interval[i] != c->level)
            return bnn_fail(BNN_ERR_OPTION, "--interval %g: the run is calibrated by %s, and has intervals of that level alone",
                            r->interval[i], bnn_calibration_print(c, text));
    return BNN_OK;
}

/* The levels that are asked for; none where they were not named and the likelihood has no distribution function. */
static bnn_status find_levels(request *r) {
    const bnn_likelihood *l = &bnn_engine_fitted(r->rerun.run->engine)->model->likelihood;
    BNN_TRY(take_level(r));
    if (l->n_classes > 0 && r->named) return bnn_fail(BNN_ERR_OPTION, "--interval and --quantiles: classes have probabilities, not these");
    if (l->pit_dim == 0 && !r->named) r->n_intervals = 0;
    for (int i = 0; i < r->n_intervals; i++) {
        r->level[r->n_levels++] = 0.5 * (1 - r->interval[i]);
        r->level[r->n_levels++] = 0.5 * (1 + r->interval[i]);
    }
    for (int i = 0; i < r->n_quantiles; i++) r->level[r->n_levels++] = r->quantile[i];
    return BNN_OK;
}

/* Maps of classes go to an HDF5 file as they are finished. */
static bnn_status find_maps(request *r) {
    if (bnn_engine_fitted(r->rerun.run->engine)->model->likelihood.sites == 1)
        return !r->probabilities
                   ? BNN_OK
                   : bnn_fail(BNN_ERR_OPTION, "--probabilities: are asked for of maps of classes; of other classes they are always there");
    if (is_csv(r)) return bnn_fail(BNN_ERR_OPTION, "maps of classes do not fit into a CSV: name an HDF5 file with -o FILE.h5");
    r->keep |= r->probabilities ? BNN_KEEP_MAPS | BNN_KEEP_PROBABILITIES : BNN_KEEP_MAPS;
    return BNN_OK;
}

/* A prediction that is to end in time. */
typedef struct {
    double deadline;
    const bnn_sink *next; /* takes the draws, or NULL */
} hourglass;

/* Hands a draw on as long as there is time. */
static bnn_status take_in_time(void *context, const bnn_drawn *drawn) {
    const hourglass *h = context;
    if (tool_seconds() >= h->deadline)
        return bnn_fail(BNN_ERR_STATE,
                        "the time of --max-time is over before the prediction is made, and nothing is written: give it more, "
                        "fewer draws, or pieces by --part");
    return h->next ? h->next->take(h->next->context, drawn) : BNN_OK;
}

/* Predicts and writes. Draws that are kept go to the file on the way. */
static bnn_status predict_rows(request *r, bnn_prediction **p) {
    const tool_rerun *rerun = &r->rerun;
    bnn_predict_options how = {sizeof how, .samples = rerun->job.samples, .seed = rerun->job.seed, .mode = r->noise};
    bnn_draws *draws = NULL;
    BNN_TRY(find_maps(r));
    BNN_TRY(find_levels(r));
    how.n_levels = r->n_levels, how.levels = r->level, how.drawn = r->drawn, how.crps = !is_csv(r);
    if (r->keep) BNN_TRY(bnn_draws_open(r->out, r->keep, rerun->run->engine, rerun->rows, &how, &draws));
    hourglass in_time = {r->deadline, bnn_draws_sink(draws)};
    const bnn_sink watched = {take_in_time, &in_time};
    how.sink = r->deadline > 0 ? &watched : in_time.next, how.taker = bnn_draws_taker(draws);
    bnn_status s = claim_output(r);
    if (s == BNN_OK) s = tool_rerun_ask(rerun, &how, p);
    if (s == BNN_OK)
        s = is_csv(r)
                ? write_csv(r, *p)
                : write_file(r, &(bnn_results){.data = rerun->rows, .prediction = *p, .draws = draws, .part = {r->part.i, r->part.n}});
    else
        bnn_draws_free(draws);
    return s;
}

static void say_written(const request *r, const bnn_prediction *p) {
    printf("predicted %d row%s ", p->n, p->n == 1 ? "" : "s");
    if (p->samples > 0)
        printf("with %d draw%s", p->samples, p->samples == 1 ? "" : "s");
    else
        printf("in closed form");
    printf(", wrote %s\n", tool_line(r->out));
}

static bnn_status check_output(const request *r) {
    if (r->out) BNN_TRY(tool_output_ready(r->out));
    if (!is_csv(r) && !tool_output_is_hdf5(r->out)) return bnn_fail(BNN_ERR_OPTION, "%s: neither .csv nor .h5 (or .hdf5, .nc)", r->out);
    if (r->keep && is_csv(r)) return bnn_fail(BNN_ERR_OPTION, "--keep: draws go to an HDF5 file: name one with -o FILE.h5");
    if (r->part.n && (is_csv(r) || r->keep || r->noise == BNN_ROWS))
        return bnn_fail(
            BNN_ERR_OPTION,
            "--part: goes to file.h5, without --keep and without fresh noise for every row, which is by its place among the rows");
    if (r->drawn > 0 && !is_csv(r)) return bnn_fail(BNN_ERR_OPTION, "--draws: an HDF5 file keeps draws with --keep predictive");
    return BNN_OK;
}

/* The rows of the part take the place of all. */
static bnn_status cut_rows(const request *r, tool_rerun *rerun) {
    const bnn_data *all = rerun->rows;
    bnn_data *part;
    int from, end;
    if (!r->part.n) return BNN_OK;
    BNN_TRY(tool_part_check(rerun->data_used, rerun->table->sha256));
    const bnn_calibration *c = bnn_run_calibration(rerun->run);
    if (c && bnn_calibration_is_conformal(c->method) && all->n_classes > 0)
        return bnn_fail(BNN_ERR_OPTION, "--part: conformal sets are drawn by the place of a row among the rows: predict all of them");
    if (r->part.n > all->n) return bnn_fail(BNN_ERR_OPTION, "--part: %d parts of %d rows cannot be made", r->part.n, all->n);
    tool_part_range(r->part, all->n, &from, &end);
    BNN_TRY(bnn_data_new(rerun->table, end - from, all->rows + from, &all->scaling, &part));
    bnn_data_free(rerun->rows);
    rerun->rows = part;
    return BNN_OK;
}

static void say_calibration(const request *r, FILE *notes) {
    const bnn_calibration *c = bnn_run_calibration(r->rerun.run);
    char text[160];
    double ends[2];
    if (!c) return;
    const char *what = bnn_calibration_ends(c, ends) ? "intervals" : bnn_calibration_is_conformal(c->method) ? "sets" : "predictions";
    fprintf(notes, "%s are calibrated by %s\n", what, bnn_calibration_print(c, text));
}

static bnn_status predict(request *r) {
    bnn_prediction *p = NULL;
    BNN_TRY(check_output(r));
    BNN_TRY(tool_rerun_apart(&r->rerun, r->out));
    BNN_TRY(tool_rerun_open(&r->rerun));
    bnn_status s = tool_rerun_apart(&r->rerun, r->out);
    if (s == BNN_OK) s = cut_rows(r, &r->rerun);
    if (s == BNN_OK) s = predict_rows(r, &p);
    if (s == BNN_OK) tool_rerun_say(&r->rerun, r->out ? stdout : stderr);
    if (s == BNN_OK) say_calibration(r, r->out ? stdout : stderr);
    if (s == BNN_OK && r->out) say_written(r, p);
    bnn_prediction_free(p);
    tool_rerun_close(&r->rerun);
    return s;
}

static int run(int argc, char **argv) {
    const struct argp argp = {
        .options = options,
        .parser = parse,
        .children = tool_rerun_children,
        .args_doc = "RUN.h5",
        .doc =
            "Predicts rows with a fitted run: mean, standard deviation and interval of each target, its epistemic and aleatoric variance "
            "and the Monte Carlo error of the mean; or class probabilities, the most probable class, entropy and mutual information.\v"
            "Intervals and quantiles are those of the predictive distribution itself, not of a Gaussian. Columns of a CSV: the id columns "
            "of the data (called id_NAME where NAME is a column of the answer), or the number of the row; mean_T, sd_T, lo90_T, hi90_T, "
            "var_epistemic_T, var_aleatoric_T, mcse_T of target T and "
            "y_T where it is known; p_LEVEL of each class, class, entropy, mutual_information. Maps of classes go to a file.h5: class, "
            "entropy and mutual information of each pixel. Of a calibrated run (bnn calibrate) probabilities, or intervals, "
            "are the calibrated ones, and of conformal sets in90_LEVEL is 1 where the class is in the set of level 0.9.\n\n"
            "SIGUSR1 has it say how far it is. What must end within a time, as on a cluster, is predicted in parts: --part, each with its "
            "--max-time.\n\n"
            "New rows come as a table of texts or as a data file. Columns are found by name, in any order; others are left out. Their "
            "target may be there or not. What the fit did not know is refused by row and column; --unknown-level takes a level that it "
            "knew for those that it did not.\n\n"
            "Examples:\n  bnn predict run.h5 -d new.csv -o answer.csv\n  bnn predict run.h5 --data new.h5 --samples 10000 -o pred.h5\n  "
            "bnn predict "
            "run.h5 "
            "--interval 0.5,0.95 --quantiles 0.1,0.9 -o pred.csv"};
    request r = {.noise = BNN_DRAW, .n_intervals = 1, .interval = {0.9}};
    tool_job_open(&r.rerun.job, argc, argv);
    tool_parse(&argp, argc, argv, &r);
    return predict(&r) < 0 ? tool_fail() : 0;
}

const command command_predict = {.name = "predict", .summary = "predict rows with a fitted run", .run = run};
