/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool/pieces/part.h"
#include "tool/tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    tool_job job; /* command and times are used */
    const char *out;
    bool partial;
    char **path; /* [n] borrowed */
    int n;
} request;

enum { PARTIAL = 256 };

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0, "the file to write", 0},
    {"partial", PARTIAL, NULL, 0,
     "join what there is: the file can be gone on with by the command that made the parts, without --part, by --resume", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
    request *r = state->input;
    switch (key) {
    case 'o': r->out = arg; return 0;
    case PARTIAL: r->partial = true; return 0;
    case ARGP_KEY_ARGS: r->path = state->argv + state->next, r->n = state->argc - state->next; return 0;
    case ARGP_KEY_END:
        if (r->n == 0) tool_misuse(state, "which files are to be joined? Name those that --part has made");
        if (!r->out) tool_misuse(state, "-o is missing: the file to write");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* ---------------------------------------------------------------- what is missing */

/* The command that makes one part, as the makers of the first file gave it. */
static void print_command(const bnn_makers *makers, tool_part part, const char *path, int i) {
    static const char *const without[] = {"--part=", "--output=", NULL};
    char *name = tool_part_name(path, part.i, i);
    fputs("  ", stderr);
    tool_part_command(stderr, tool_line(bnn_makers_command(makers)), without);
    fprintf(stderr, " --part %d/%d -o ", i, part.n);
    tool_argument_write(stderr, name ? name : "FILE.h5");
    fputc('\n', stderr);
    free(name);
}

static void say_missing(int missing, int all, const char *what, bool known) {
    fprintf(stderr, "bnn: %d of %d %s are missing%s\n", missing, all, what, known ? "; these commands make them:" : "");
}

/* How the work went on, for the provenance of what is joined. */
static bnn_provenance provenance_of(const request *r, const bnn_makers *makers, const char *data, const char *sha256) {
    bnn_table about = {0};
    tool_job job = r->job;
    job.data = data;
    if (bnn_makers_started(makers)) job.started_at = bnn_makers_started(makers);
    bnn_provenance provenance = tool_provenance(&job, &about, -1);
    provenance.data_sha256 = sha256;
    provenance.makers = makers;
    return provenance;
}

static void say_joined(const request *r, const char *more) {
    printf("joined %d file%s, wrote %s%s\n", r->n, r->n == 1 ? "" : "s", tool_line(r->out), more);
}

/* ---------------------------------------------------------------- comparisons */

static bool is_missing(const bnn_comparison *c, int i) { return c->engine[i % c->n_engines].metrics[i / c->n_engines].n == 0; }

/* A file of a part: its number among how many. */
static bnn_status find_part(const request *r, tool_part *part, const char **path) {
    for (int i = 0; part->n == 0 && i < r->n; i++) {
        bnn_comparison *c;
        BNN_TRY(bnn_comparison_load(r->path[i], &c));
        *part = (tool_part){c->part[0], c->part[1]}, *path = r->path[i];
        bnn_comparison_free(c);
    }
    return BNN_OK;
}

static bnn_status say_missing_fits(const request *r, const bnn_comparison *c, const bnn_makers *makers) {
    tool_part part = {0};
    const char *path = NULL;
    int all = c->n_engines * c->n_splits, missing = 0, last = 0;
    BNN_TRY(find_part(r, &part, &path));
    for (int i = 0; i < all; i++) missing += is_missing(c, i);
    bool known = part.n > 0 && bnn_makers_command(makers);
    say_missing(missing, all, "fits", known);
    for (int i = 0; known && i < all; i++) {
        int of = tool_part_of(part.n, all, i);
        if (is_missing(c, i) && of != last) print_command(makers, part, path, last = of);
    }
    return BNN_OK;
}

/* The file that is there holds the same comparison, and no fit that would be lost. */
static bnn_status loses_no_fit(const void *context, const char *path) {
    const bnn_comparison *now = context;
    bnn_comparison *there;
    BNN_TRY(bnn_comparison_load(path, &there));
    bnn_status s = bnn_comparison_same_work(path, there, now);
    for (int i = 0; s == BNN_OK && i < now->n_engines * now->n_splits; i++)
        if (!is_missing(there, i) && is_missing(now, i)) s = bnn_fail(BNN_ERR_STATE, "%s: holds fits that would be lost", path);
    bnn_comparison_free(there);
    return s;
}

static bnn_status save_comparison(const request *r, const bnn_comparison *c, const bnn_makers *makers) {
    bnn_provenance provenance = provenance_of(r, makers, c->data_path, c->data_sha256);
    BNN_TRY(tool_output_claim(r->out, "bnn-comparison", loses_no_fit, c));
    BNN_TRY(bnn_comparison_save(c, &provenance, r->out));
    say_joined(r, c->partial ? " (partial): the command that made the parts, without --part, goes on with it by --resume" : "");
    return BNN_OK;
}

static bnn_status merge_comparisons(const request *r, bool *missing) {
    bnn_comparison *c;
    bnn_makers *makers;
    BNN_TRY(bnn_comparison_merge(r->n, r->path, &c, &makers));
    *missing = c->partial && !r->partial;
    bnn_status s = *missing ? say_missing_fits(r, c, makers) : save_comparison(r, c, makers);
    bnn_comparison_free(c);
    bnn_makers_free(makers);
    return s;
}

/* ---------------------------------------------------------------- predictions */

static bnn_status save_prediction(const request *r, const bnn_makers *makers, int n, char *const *path) {
    bnn_outline first;
    BNN_TRY(bnn_outline_load(path[0], &first));
    bnn_provenance provenance = provenance_of(r, makers, first.origin.data_path, first.origin.data_sha256);
    provenance.run_sha256 = first.origin.run_sha256;
    bnn_status s = tool_output_claim(r->out, "bnn-prediction", tool_output_same_command, &provenance);
    if (s == BNN_OK) s = bnn_prediction_merge(n, path, &provenance, r->out);
    if (s == BNN_OK) say_joined(r, "");
    bnn_outline_free(&first);
    return s;
}

static bnn_status merge_predictions(const request *r, bool *missing) {
    bnn_makers *makers;
    int n, *file, found = 0;
    BNN_TRY(bnn_prediction_parts(r->n, r->path, &n, &file, &makers));
    char **path = calloc((size_t)n, sizeof *path);
    bnn_status s = path ? BNN_OK : bnn_fail(BNN_ERR_MEMORY, "out of memory");
    for (int i = 0; path && i < n; i++)
        if (file[i] >= 0) path[found++] = r->path[file[i]];
    *missing = path && found < n && !r->partial;
    if (*missing) say_missing(n - found, n, "parts", bnn_makers_command(makers));
    for (int i = 0, first = 0; *missing && bnn_makers_command(makers) && i < n; i++) {
        while (file[first] < 0) first++;
        if (file[i] < 0) print_command(makers, (tool_part){first + 1, n}, r->path[file[first]], i + 1);
    }
    if (s == BNN_OK && !*missing) s = save_prediction(r, makers, found, path);
    free(path), free(file);
    bnn_makers_free(makers);
    return s;
}

/* ---------------------------------------------------------------- the command */

static bnn_status merge(const request *r, bool *missing) {
    char schema[32];
    BNN_TRY(tool_output_hdf5(r->out));
    for (int i = 0; i < r->n; i++) BNN_TRY(tool_output_apart(r->out, r->path[i], "one of the files to join"));
    BNN_TRY(bnn_file_schema(r->path[0], schema));
    return strcmp(schema, "bnn-prediction") == 0 ? merge_predictions(r, missing) : merge_comparisons(r, missing);
}

static int run(int argc, char **argv) {
    const struct argp argp = {
        .options = options,
        .parser = parse,
        .children = tool_output_children,
        .args_doc = "PART.h5...",
        .doc =
            "Joins files that --part has made, in any order, into the file that one process would have written. A part may be there twice. "
            "Files of other work, data or seeds, of another version or another instruction set are refused. Exit status 0: joined, "
            "1: parts are missing, and the commands that make them are printed, 2: a failure.\v"
            "Examples:\n"
            "  bnn compare -d boston.h5 --net 'dense:50; relu; dense' --engine hmc --engine laplace --part 1/2 -o far.1.h5\n"
            "  bnn compare -d boston.h5 --net 'dense:50; relu; dense' --engine hmc --engine laplace --part 2/2 -o far.2.h5\n"
            "  bnn merge far.1.h5 far.2.h5 -o far.h5"};
    request r = {0};
    bool missing = false;
    tool_job_open(&r.job, argc, argv);
    tool_parse(&argp, argc, argv, &r);
    if (merge(&r, &missing) < 0) return tool_fail();
    return missing;
}

const command command_merge = {.name = "merge", .summary = "join the files that --part has made", .run = run};
