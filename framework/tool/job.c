/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---------------------------------------------------------------- options */

static const struct argp_option options[] = {
    {"data", 'd', "FILE", 0,
     "a table of texts (CSV; - is standard input), a picture or a folder of them, or a data file made by `bnn import`", 1},
    {"net", 'n', "TEXT", 0, "the network, such as 'dense:50; relu; dense'; every engine takes the same plain text (fit: default auto)", 1},
    {"likelihood", 'l', "TEXT", 0, "observation model (default: gaussian with learned noise, or categorical for classes)", 1},
    {"prior", 'p', "TEXT", 0, "prior over weights (default: gauss)", 1},
    {"samples", 'S', "S", 0, "draws of the predictive distribution (default: 1000)", 2},
    {"seed", 's', "N", 0, "seed of all randomness (default: 1); the same seed gives the same bits at any number of threads", 2},
    {"threads", 't', "N", 0, "threads (default: all cores)", 2},
    {0}};

int tool_threads(int n) {
    int before = omp_get_max_threads();
    omp_set_num_threads(n);
    return before;
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    tool_job *job = state->input;
    switch (key) {
    case 'd': job->data = arg; return 0;
    case 'n': job->net = arg; return 0;
    case 'l': job->likelihood = arg; return 0;
    case 'p': job->prior = arg; return 0;
    case 'S': job->samples = (int)tool_number("--samples", arg, 1, 1000000000); return 0;
    case 's': job->seed = (uint64_t)tool_number("--seed", arg, 0, INT64_MAX); return 0;
    case 't':
        job->threads = (int)tool_number("--threads", arg, 1, 4096);
        job->threads_given = true;
        tool_threads(job->threads);
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

const struct argp tool_job_argp = {.options = options, .parser = parse};
const struct argp_child tool_job_children[] = {
    {&tool_job_argp, 0, NULL, 0}, {&tool_reading_argp, 0, NULL, 0}, {&tool_output_argp, 0, NULL, 0}, {0}};

enum { TIME_TEXT = 32 };

static const char *time_text(char text[TIME_TEXT]) {
    time_t t = time(NULL);
    strftime(text, TIME_TEXT, "%Y-%m-%dT%H:%M:%SZ", gmtime(&t));
    return text;
}

void tool_argument_write(FILE *out, const char *text) {
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@%+=,./_-";
    if (*text && text[strspn(text, plain)] == '\0') {
        fputs(text, out);
        return;
    }
    fputc('\'', out);
    for (; *text; text++) fputs(*text == '\'' ? "'\\''" : (const char[]){*text, '\0'}, out);
    fputc('\'', out);
}

/* Joins the words of a command line of any length; argv[0] is "bnn NAME". The text lives as long as the program; NULL: out of memory. */
static const char *command_line(int argc, char **argv) {
    static char *line;
    FILE *out = bnn_text_open(&line, NULL);
    if (!out) return NULL;
    fputs(argv[0], out);
    for (int i = 1; i < argc; i++) fputc(' ', out), tool_argument_write(out, argv[i]);
    return bnn_text_close(out, &line);
}

void tool_job_open(tool_job *job, int argc, char **argv) {
    static char started[TIME_TEXT];
    tool_signals_tell(argv[0]);
    *job = (tool_job){.seed = 1,
                      .samples = 1000,
                      .threads = omp_get_max_threads(),
                      .started_at = time_text(started),
                      .command = command_line(argc, argv)};
}

bnn_provenance tool_provenance(const tool_job *job, const bnn_table *table, int split) {
    static char finished[TIME_TEXT];
    return (bnn_provenance){.command = job->command,
                            .data_path = job->data,
                            .data_sha256 = table ? table->sha256 : NULL,
                            .weights_path = job->weights ? job->weights->path : NULL,
                            .weights_sha256 = job->weights ? job->weights->sha256 : NULL,
                            .split = split,
                            .threads = job->threads,
                            .started_at = job->started_at,
                            .finished_at = time_text(finished)};
}

int tool_split(const char *text) { return strcmp(text, "all") == 0 ? -1 : (int)tool_number("--split", text, 0, 1000000); }

bnn_status tool_table(const char *path, const bnn_run *like, tool_reading *reading, bnn_table **table) {
    BNN_TRY(tool_reading_table(path, like, reading, table));
    if ((*table)->y_dim > 0) return BNN_OK;
    bnn_table_free(*table);
    *table = NULL;
    return bnn_fail(BNN_ERR_DATA, "%s: has no targets: its rows can be predicted with a fitted run, not fitted", path);
}

/* Where there are texts in a they are those of b. */
static bool has_no_more_texts(char *const *a, char *const *b, size_t n) {
    if (a && !b) return n == 0;
    for (size_t i = 0; a && i < n; i++)
        if (strcmp(a[i], b[i]) != 0) return false;
    return true;
}

/* Names, ids and weights of a, if it has any, are those of b, which has as many rows and columns. */
static bool says_no_more(const bnn_table *a, const bnn_table *b) {
    size_t n = (size_t)a->n, ids = (size_t)a->n_ids;
    return has_no_more_texts(a->x_names, b->x_names, (size_t)bnn_shape_size(a->x_shape)) &&
           (!a->y_names || has_no_more_texts(a->y_names, b->y_names, (size_t)a->y_dim)) &&
           has_no_more_texts(a->class_names, b->class_names, (size_t)a->n_classes) &&
           (ids == 0 ||
            (a->n_ids == b->n_ids && has_no_more_texts(a->id_names, b->id_names, ids) && has_no_more_texts(a->ids, b->ids, ids * n))) &&
           (!a->weight || (b->weight && memcmp(a->weight, b->weight, n * sizeof *a->weight) == 0));
}

static bool has_same_x(const bnn_table *a, const bnn_table *b) {
    size_t cells = (size_t)a->n * (size_t)bnn_shape_size(a->x_shape);
    if (!a->pixels != !b->pixels) return false;
    return a->pixels ? memcmp(a->pixels, b->pixels, cells) == 0 : memcmp(a->x, b->x, cells * sizeof *a->x) == 0;
}

/* The rows of a and its splits, if it has any, are those of b. */
static bool has_no_more(const bnn_table *a, const bnn_table *b) {
    size_t n = (size_t)a->n, cells = (size_t)a->n_splits * n;
    bool rows = a->n == b->n && bnn_shape_size(a->x_shape) == bnn_shape_size(b->x_shape) && a->y_dim == b->y_dim &&
                a->n_classes == b->n_classes && has_same_x(a, b) &&
                (a->y_dim == 0 || memcmp(a->y, b->y, n * (size_t)a->y_dim * sizeof *a->y) == 0);
    return rows && says_no_more(a, b) &&
           (a->n_splits == 0 || (a->n_splits == b->n_splits && memcmp(a->order, b->order, cells * sizeof *a->order) == 0 &&
                                 memcmp(a->role, b->role, cells * sizeof *a->role) == 0));
}

static bnn_status loses_nothing(const void *context, const char *path) {
    bnn_table *there;
    BNN_TRY(bnn_table_load(path, &there));
    bnn_status s = BNN_OK;
    if (!has_no_more(there, context) && there->n_splits > 0)
        s = bnn_fail(BNN_ERR_STATE, "%s: holds data with %d splits (%s)", path, there->n_splits, there->split_origin);
    else if (!has_no_more(there, context))
        s = bnn_fail(BNN_ERR_STATE, "%s: holds other data: %d rows", path, there->n);
    bnn_table_free(there);
    return s;
}

bnn_status tool_output_claim_table(const char *path, const bnn_table *table) {
    return tool_output_claim(path, "bnn-data", loses_nothing, table);
}

bnn_status tool_rows(const bnn_table *table, int split, const bnn_scaling *scaling, bnn_data **train, bnn_data **test) {
    *train = *test = NULL;
    if (split >= table->n_splits)
        return bnn_fail(BNN_ERR_OPTION, "split %d was asked for, but the data have %d: `bnn split` makes more", split, table->n_splits);
    BNN_TRY(bnn_data_spread(table, split, scaling, train));
    if (split < 0 || !tool_ranks_first()) return BNN_OK;
    bnn_status s = bnn_data_split(table, split, BNN_TEST, &(*train)->scaling, test);
    if (s == BNN_OK && (*test)->n == 0) {
        bnn_data_free(*test);
        *test = NULL;
    }
    if (s < 0) bnn_data_free(*train), *train = NULL;
    return s;
}

unsigned tool_keep_parse(const char *text) {
    static const char *const name[] = {"posterior", "predictive"};
    static const unsigned bit[] = {BNN_KEEP_POSTERIOR, BNN_KEEP_PREDICTIVE};
    unsigned keep = 0;
    for (const char *at = text; *at || at == text; at += strspn(at, ",")) {
        size_t length = strcspn(at, ",");
        unsigned found = 0;
        for (int i = 0; i < 2; i++)
            if (length == strlen(name[i]) && strncmp(at, name[i], length) == 0) found = bit[i];
        if (!found) exit(tool_refuse("--keep: '%s' is not posterior, predictive or posterior,predictive", text));
        keep |= found;
        at += length;
    }
    return keep;
}

/* ---------------------------------------------------------------- what it cost */

void tool_print_cost(const char *what, const bnn_cost *cost) {
    printf("%s: %llu gradients, %llu forward passes, %.3g GFLOP, %.2f s (%.2f s of cpu), %.0f MB at most\n", what,
           (unsigned long long)cost->gradients, (unsigned long long)cost->forwards, cost->flops / 1e9, cost->seconds_wall,
           cost->seconds_cpu, (double)cost->peak_bytes / 1e6);
}
