/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool/tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    tool_rerun rerun;
    const char *out;
    bnn_mode noise;
    unsigned keep;
} request;

enum { NOISE = 256, KEEP };

static const struct argp_option options[] = {
    {"noise", NOISE, "draw|rows", 0, "one draw shared by all rows (default), or fresh noise for every row", 0},
    {"keep", KEEP, "WHAT", 0, "keep the draws, in file.h5: posterior (weights), predictive, or posterior,predictive", 0},
    {"output", 'o', "FILE", 0, "file.h5 or file.csv (default: CSV to standard output)", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
    request *r = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &r->rerun; return 0;
    case 'o': r->out = arg; return 0;
    case KEEP: r->keep = tool_keep_parse(arg); return 0;
    case NOISE:
        if (strcmp(arg, "draw") != 0 && strcmp(arg, "rows") != 0) tool_misuse(state, "--noise: '%s' is neither draw nor rows", arg);
        r->noise = strcmp(arg, "rows") == 0 ? BNN_ROWS : BNN_DRAW;
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* Names target or class k as the run was fitted to it; without names "y", or "y1", "y2", ... of several, and the number of the class. */
static const char *name_of(const bnn_prediction *p, const bnn_names *known, int k, char made[16]) {
    char *const *names = p->is_class ? known->classes : known->y;
    if (names) return names[k];
    snprintf(made, 16, p->is_class ? "%d" : p->mean_dim > 1 ? "y%d" : "y", p->is_class ? k : k + 1);
    return made;
}

static void write_names(FILE *out, const bnn_prediction *p, const bnn_names *known) {
    fputs("row", out);
    for (int k = 0; k < p->mean_dim; k++) {
        char made[16];
        const char *name = name_of(p, known, k, made);
        if (p->is_class)
            fprintf(out, ",p_%s", name);
        else
            fprintf(out, ",mean_%s,var_epistemic_%s,var_aleatoric_%s,var_total_%s,mcse_%s", name, name, name, name, name);
    }
    fputs(p->is_class ? ",entropy,mutual_information\n" : "\n", out);
}

static void write_rows(FILE *out, const bnn_prediction *p, const bnn_data *d) {
    for (int i = 0; i < p->n; i++) {
        fprintf(out, "%d", d->rows[i]);
        for (int k = 0; k < p->mean_dim; k++) {
            int at = i * p->mean_dim + k;
            if (p->is_class)
                fprintf(out, ",%.9g", p->mean[at]);
            else
                fprintf(out, ",%.9g,%.9g,%.9g,%.9g,%.9g", p->mean[at], p->var_epistemic[at], p->var_aleatoric[at], bnn_var_total(p, at),
                        p->mean_mcse[at]);
        }
        if (p->is_class) fprintf(out, ",%.9g,%.9g", bnn_prediction_entropy(p, i), bnn_prediction_mutual_information(p, i));
        fputc('\n', out);
    }
}

static bnn_status write_csv(const bnn_prediction *p, const tool_rerun *r, const char *path) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out) return bnn_oom("predictions");
    write_names(out, p, &r->run->names);
    write_rows(out, p, r->rows);
    bnn_status s = fclose(out) == 0 ? tool_save(text, size, path) : bnn_oom("predictions");
    free(text);
    return s;
}

static bool ends_with(const char *text, const char *end) {
    return strlen(text) >= strlen(end) && strcmp(text + strlen(text) - strlen(end), end) == 0;
}

static bool is_csv(const request *r) { return !r->out || ends_with(r->out, ".csv"); }

static bnn_status write_text(const request *r, const bnn_prediction *p) {
    if (r->out) return write_csv(p, &r->rerun, r->out);
    write_names(stdout, p, &r->rerun.run->names);
    write_rows(stdout, p, r->rerun.rows);
    return BNN_OK;
}

static bnn_status write_file(const request *r, const bnn_results *results) {
    const tool_rerun *rerun = &r->rerun;
    bnn_provenance provenance = tool_provenance(&rerun->job, rerun->table, rerun->split_used);
    provenance.run_path = rerun->run_path, provenance.run_sha256 = rerun->run_sha256;
    return bnn_prediction_save(rerun->run, results, &provenance, r->out);
}

/* Predicts and writes. Draws that are kept go to the file on the way. */
static bnn_status predict_rows(const request *r, bnn_prediction **p) {
    const tool_rerun *rerun = &r->rerun;
    bnn_predict_options how = {.samples = rerun->job.samples, .seed = rerun->job.seed, .mode = r->noise};
    bnn_draws *draws = NULL;
    if (r->keep) BNN_TRY(bnn_draws_open(r->out, r->keep, rerun->run->engine, rerun->rows, &how, &draws));
    bnn_status s = tool_rerun_predict(rerun, r->noise, bnn_draws_sink(draws), p);
    if (s == BNN_OK)
        s = is_csv(r) ? write_text(r, *p) : write_file(r, &(bnn_results){.data = rerun->rows, .prediction = *p, .draws = draws});
    else
        bnn_draws_free(draws);
    return s;
}

static bnn_status predict(request *r) {
    bnn_prediction *p = NULL;
    if (r->keep && is_csv(r)) return bnn_fail(BNN_ERR_OPTION, "--keep: draws go to an HDF5 file: name one with -o FILE.h5");
    if (r->out) BNN_TRY(tool_output_ready(r->out));
    BNN_TRY(tool_output_apart(r->out, r->rerun.run_path, "the run file"));
    BNN_TRY(tool_rerun_open(&r->rerun));
    bnn_status s = tool_output_apart(r->out, r->rerun.data_used, "the data file");
    if (s == BNN_OK) s = predict_rows(r, &p);
    if (s == BNN_OK && r->out && p->samples > 0) printf("predicted %d rows with %d draws, wrote %s\n", p->n, p->samples, r->out);
    if (s == BNN_OK && r->out && p->samples == 0) printf("predicted %d rows in closed form, wrote %s\n", p->n, r->out);
    bnn_prediction_free(p);
    tool_rerun_close(&r->rerun);
    return s;
}

static int run(int argc, char **argv) {
    static const struct argp_child children[] = {{&tool_rerun_argp, 0, NULL, 0}, {0}};
    const struct argp argp = {
        .options = options,
        .parser = parse,
        .children = children,
        .args_doc = "RUN.h5",
        .doc = "Predicts rows with a fitted run: mean, epistemic, aleatoric and total variance in the units of the target, or class "
               "probabilities with entropy "
               "and mutual information.\v"
               "Rows whose target is not known come by `bnn import csv FILE --target none`.\n\n"
               "Examples:\n  bnn predict run.h5 -o pred.csv\n  bnn predict run.h5 --data new.h5 --samples 10000 -o pred.h5"};
    request r = {.noise = BNN_DRAW};
    tool_job_open(&r.rerun.job, argc, argv);
    tool_parse(&argp, argc, argv, &r);
    return predict(&r) < 0 ? tool_fail() : 0;
}

const command command_predict = {.name = "predict", .summary = "predict rows with a fitted run", .run = run};
