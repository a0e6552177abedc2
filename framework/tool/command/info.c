/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool/print/json.h"
#include "tool/report/scores.h"
#include "tool/tool.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void print_text(const char *name, const char *text) {
    if (text && *text) printf("  %-11s %s\n", name, tool_line(text));
}

/* ---- data ---- */

static void print_columns(const bnn_table *t) {
    enum { MOST = 50 };
    int width = bnn_shape_size(t->x_shape);
    printf("  %-24s %12s %12s %12s %12s\n", "feature", "mean", "sd", "min", "max");
    for (int i = 0; i < width && i < MOST; i++) {
        tool_column c = tool_column_describe(t, i);
        printf("  %-24s %12.5g %12.5g %12.5g %12.5g\n", tool_line(t->x_names[i]), c.mean, c.sd, c.min, c.max);
    }
    if (width > MOST) printf("  ... and %d more\n", width - MOST);
}

static void print_classes(const bnn_table *t) {
    for (int c = 0; c < t->n_classes; c++)
        printf("  class %-5d %-24s %lld %s\n", c, t->class_names ? tool_line(t->class_names[c]) : "", tool_class_count(t, c),
               bnn_is_map(t->y_shape) ? "pixels" : "rows");
}

static bnn_status print_data(const char *path) {
    bnn_table *t;
    char shape[BNN_SHAPE_TEXT];
    BNN_TRY(bnn_table_load(path, &t));
    const char *task = t->y_dim == 0            ? "no targets"
                       : bnn_is_map(t->y_shape) ? "maps of classes"
                       : t->n_classes           ? "classification"
                                                : "regression";
    printf("%s: data, %d row%s, features %s, %s\n", tool_line(path), t->n, t->n == 1 ? "" : "s", bnn_shape_print(t->x_shape, shape), task);
    print_text("title", t->title);
    print_text("source", t->source);
    print_text("license", t->license);
    print_text("sha256", t->sha256);
    for (int j = 0; t->y_names && j < t->y_dim; j++) print_text("target", t->y_names[j]);
    for (int k = 0; k < t->n_ids; k++) print_text("id", t->id_names[k]);
    if (t->weight) printf("  %-11s %.6g, the sum over the rows\n", "weight", tool_table_weight(t));
    if (t->n_splits)
        printf("  %-11s %d (%s): %d train, %d validation, %d test rows in the first\n", "splits", t->n_splits, tool_line(t->split_origin),
               bnn_table_count(t, 0, BNN_TRAIN), bnn_table_count(t, 0, BNN_VALIDATION), bnn_table_count(t, 0, BNN_TEST));
    if (t->n_classes) print_classes(t);
    if (t->x_names && t->n) print_columns(t);
    bnn_table_free(t);
    return BNN_OK;
}

/* ---- runs and comparisons ---- */

static void print_history(const bnn_history *h) {
    if (h->n == 0) return;
    int last = h->n - 1;
    printf("  %-11s %d epochs; at the end nll %.6g, -log prior %.6g, kl %.6g", "history", h->epoch[last], h->nll[last], h->prior[last],
           h->kl[last]);
    if (isfinite(h->noise_sd[last])) printf(", noise sd %.4g (standardised)", h->noise_sd[last]);
    for (int g = 0; g < h->n_gates; g++) printf(", p_%s %.4g", tool_line(h->gate[g]), h->p[last * h->n_gates + g]);
    printf("\n");
}

static void print_scores(const bnn_metrics *m) {
    printf("  %-11s %d rows, log-likelihood %.4f, ", "predicted", m->n, m->ll);
    if (m->is_class)
        printf("accuracy %.4f, brier %.4f\n", m->accuracy, m->brier);
    else if (m->of & BNN_SCORE_TARGET)
        printf("rmse %.4g, crps %.4g\n", m->rmse, m->crps);
    else
        printf("calibration error %.4f\n", m->calibration_error);
}

static void print_plugins(const bnn_outline *o) {
    for (int i = 0; i < o->n_plugins; i++) {
        const bnn_plugin_record *p = &o->plugin[i];
        printf("  %-11s %s %s (%s), %s, sha256 %s\n", "plugin", tool_line(p->name), tool_line(p->version), tool_line(p->types),
               tool_line(p->path), tool_line(p->sha256));
    }
}

static void print_outline(const bnn_outline *o) {
    print_text("engine", o->engine);
    print_text("net", o->net);
    print_text("likelihood", o->likelihood);
    print_text("prior", o->prior);
    if (o->engine) printf("  %-11s %llu\n", "seed", (unsigned long long)o->seed);
    print_text("data", o->origin.data_path);
    print_text("data sha256", o->origin.data_sha256);
    if (o->origin.split >= 0) printf("  %-11s %d\n", "split", o->origin.split);
    print_plugins(o);
}

static void print_kept(const bnn_outline *o) {
    static const char *const what[] = {"", "posterior", "predictive", "posterior, predictive"};
    if (o->kept) printf("  %-11s %s (%d)\n", "draws kept", what[o->kept], o->samples);
}

/* Prints how far a run is. A step differs between engines, and how many some will take is not known: hence "about". */
static void print_state(const char *path, const bnn_outline *o) {
    if (o->complete)
        printf("%s: run", tool_line(path));
    else if (o->progress > 0)
        printf("%s: checkpoint after step %d of about %.0f (%.0f %%)", tool_line(path), o->steps, o->steps / o->progress,
               100 * o->progress);
    else
        printf("%s: checkpoint after step %d", tool_line(path), o->steps);
}

/* Says what new rows are read by: a column a line, with its levels and whether its values may be missing. */
static void print_schema(const bnn_schema *s) {
    enum { MOST = 20, MOST_FEATURES = 50 };
    int features = 0;
    for (int k = 0; s && k < s->n; k++) {
        const bnn_schema_column *c = &s->column[k];
        if (c->role == BNN_COLUMN_FEATURE && ++features > MOST_FEATURES) continue;
        printf("  %-11s %s", tool_column_role(c->role), tool_line(c->name));
        for (int l = 0; l < c->n_levels && l < MOST; l++) printf("%s%s", l == 0 ? ": " : ", ", tool_line(c->level[l]));
        if (c->n_levels > MOST) printf(", ... and %d more", c->n_levels - MOST);
        printf("%s\n", c->indicator ? " (may be missing)" : "");
    }
    if (features > MOST_FEATURES) printf("  ... and %d features more\n", features - MOST_FEATURES);
}

static void print_course(const bnn_run *run) {
    print_schema(run->schema);
    char calibration[160];
    print_text("remark", run->remark);
    if (run->calibration) print_text("calibration", bnn_calibration_print(run->calibration, calibration));
    print_history(&run->history);
    tool_print_cost("cost", &run->cost);
}

/* run NULL: the file holds none that predicts, or (missing) its plugins are not there. scores NULL: it holds none. */
static void print_fitted(const char *path, const bnn_outline *o, const bnn_run *run, const char *missing, const bnn_comparison *scores) {
    print_state(path, o);
    if (run)
        printf(", %d parameters\n", run->engine->model->n_theta);
    else
        printf(missing ? ", whose plugin is missing\n" : ", before anything was fitted that predicts\n");
    print_outline(o);
    print_text("missing", missing);
    if (run) print_course(run);
    if (scores && scores->engine[0].metrics[0].n > 0) print_scores(&scores->engine[0].metrics[0]);
    print_kept(o);
    tool_print_verdicts(o->verdicts);
}

static bnn_status print_run(const char *path) {
    bnn_outline o;
    bnn_run *run = NULL;
    bnn_comparison *scores = NULL;
    char *missing = NULL;
    BNN_TRY(bnn_outline_load(path, &o));
    bnn_status s = o.predicts ? bnn_run_load(path, &run, NULL) : BNN_OK;
    if (s == BNN_ERR_PLUGIN && (missing = strdup(bnn_error()))) s = BNN_OK;
    tool_plugins_compare(path);
    if (s == BNN_OK && (run || missing) && o.complete) s = bnn_comparison_load(path, &scores);
    if (s == BNN_OK) print_fitted(path, &o, run, missing, scores);
    bnn_comparison_free(scores);
    free(missing);
    bnn_run_free(run);
    bnn_outline_free(&o);
    return s;
}

static bnn_status print_prediction(const char *path) {
    bnn_outline o;
    BNN_TRY(bnn_outline_load(path, &o));
    printf("%s: predictions of %d rows ", tool_line(path), o.rows);
    if (o.samples == 0)
        printf("in closed form\n");
    else
        printf("with %d draw%s\n", o.samples, o.samples == 1 ? "" : "s");
    print_outline(&o);
    print_kept(&o);
    bnn_outline_free(&o);
    return BNN_OK;
}

static int count_fits(const bnn_comparison *c, int e) {
    int n = 0;
    for (int k = 0; k < c->n_splits; k++) n += c->engine[e].metrics[k].n > 0;
    return n;
}

/* Mean over the splits that are done of one score; NaN: none is. */
static double mean_over_splits(const bnn_comparison *c, int e, const bnn_score *score) {
    double sum = 0;
    for (int k = 0; k < c->n_splits; k++)
        if (c->engine[e].metrics[k].n > 0) sum += bnn_score_value(score, &c->engine[e].metrics[k]);
    return sum / count_fits(c, e);
}

static bnn_status print_comparison(const char *path) {
    bnn_comparison *c;
    BNN_TRY(bnn_comparison_load(path, &c));
    printf("%s: comparison of %d engines on %d splits, %s\n", tool_line(path), c->n_engines, c->n_splits,
           c->is_class ? "classification" : "regression");
    int done = 0;
    for (int e = 0; e < c->n_engines; e++) done += count_fits(c, e);
    if (c->partial) printf("  %-11s after %d of %d fits\n", "stopped", done, c->n_engines * c->n_splits);
    print_text("title", c->title);
    print_text("net", c->net);
    print_text("likelihood", c->likelihood);
    print_text("prior", c->prior);
    print_text("data", c->data_path);
    const bnn_score *first = tool_scores_first(&c->engine[0].metrics[0]), *ll = bnn_score_find("ll");
    printf("  %17s %12s  engine\n", first->name, ll->name);
    for (int e = 0; e < c->n_engines; e++)
        printf("  %17.5g %12.5g  %s\n", mean_over_splits(c, e, first), mean_over_splits(c, e, ll), tool_line(c->engine[e].label));
    bnn_comparison_free(c);
    return BNN_OK;
}

static bnn_status print_detections(const char *path) {
    bnn_detection *of[BNN_ROW_SCORES];
    BNN_TRY(bnn_detections_load(path, of));
    for (int k = 0, said = 0; k < BNN_ROW_SCORES; k++)
        if (of[k] && !said++) printf("%s: detection of %d rows out among %d rows in\n", tool_line(path), of[k]->n_out, of[k]->n_in);
    tool_print_detections(of);
    for (int k = 0; k < BNN_ROW_SCORES; k++) bnn_detection_free(of[k]);
    return BNN_OK;
}

static bnn_status print_played(const char *path) {
    bnn_played *p;
    BNN_TRY(bnn_played_load(path, &p));
    printf("%s: ", tool_line(path));
    tool_print_played(p);
    bnn_played_free(p);
    return BNN_OK;
}

static bnn_status print_acquisition(const char *path) {
    bnn_acquisition *a;
    BNN_TRY(bnn_acquisition_load(path, &a));
    printf("%s: %d rows chosen of %d by %s\n  %8s %12s\n", tool_line(path), a->n, a->pool, tool_line(a->by), "row", "score");
    for (int k = 0; k < a->n; k++) printf("  %8d %12.6g\n", a->row[k] + 1, a->score[k]);
    bnn_acquisition_free(a);
    return BNN_OK;
}

static bnn_status print_file(const char *path) {
    char schema[32];
    BNN_TRY(bnn_file_schema(path, schema));
    if (strcmp(schema, "bnn-data") == 0) return print_data(path);
    if (strcmp(schema, "bnn-run") == 0 || strcmp(schema, "bnn-model") == 0) return print_run(path);
    if (strcmp(schema, "bnn-comparison") == 0) return print_comparison(path);
    if (strcmp(schema, "bnn-prediction") == 0) return print_prediction(path);
    if (strcmp(schema, "bnn-detection") == 0) return print_detections(path);
    if (strcmp(schema, "bnn-regret") == 0) return print_played(path);
    if (strcmp(schema, "bnn-acquisition") == 0) return print_acquisition(path);
    return bnn_fail(BNN_ERR_FORMAT, "%s: has the schema '%s', which this bnn does not know", path, schema);
}

/* ---- rules ---- */

/* Returns the exit status: 1 if there are findings, 2 if the file cannot be read. */
static int lint_file(const char *path) {
    bnn_lint *lint;
    if (bnn_file_lint(path, &lint) < 0) return tool_fail();
    for (int i = 0; i < lint->n_findings; i++) printf("%s: %s\n", tool_line(path), lint->finding[i]);
    if (lint->n_findings == 0) printf("%s: %d objects, %d rules, no findings\n", tool_line(path), lint->n_objects, lint->n_rules);
    int status = lint->n_findings > 0;
    bnn_lint_free(lint);
    return status;
}

/* HDF5 itself crashes on some damaged files, or goes through them without an end: in a process of its own that is one more failure. */
static int lint_apart(const char *path) {
    enum { DONE = 64, SECONDS = 10 }; /* to tell a status from those that a dying program leaves; of processor time */
    int end;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_CPU, &(struct rlimit){SECONDS, SECONDS});
        int status = lint_file(path);
        _exit(DONE + (fflush(stdout) == 0 ? status : tool_refuse("standard output cannot be written: %s", strerror(errno))));
    }
    if (child < 0 || waitpid(child, &end, 0) < 0) return tool_refuse("%s: there is no process for its lint: %s", path, strerror(errno));
    int status = WIFEXITED(end) ? WEXITSTATUS(end) - DONE : -1;
    return status >= 0 && status <= 2 ? status : tool_refuse("%s: is damaged: HDF5 crashes on it or comes to no end", path);
}

/* ---- the command ---- */

typedef struct {
    char **file; /* borrowed from argv */
    int n;
    bool lint, json;
} request;

enum { LINT = 256, JSON };

static const struct argp_option options[] = {
    {"lint", LINT, NULL, 0, "look whether the file keeps to the rules that let other tools open it; exit status 1: a line for each breach",
     0},
    {"json", JSON, NULL, 0, "print JSON: an object, of several files a list of them", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
    request *r = state->input;
    (void)arg;
    switch (key) {
    case LINT: r->lint = true; return 0;
    case JSON: r->json = true; return 0;
    case ARGP_KEY_END:
        if (r->lint && r->json) tool_misuse(state, "--lint and --json are apart: a line of --lint is a finding");
        return 0;
    case ARGP_KEY_ARGS:
        r->file = state->argv + state->next;
        r->n = state->argc - state->next;
        return 0;
    case ARGP_KEY_NO_ARGS: tool_misuse(state, "which file?"); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static bnn_status print_json(const request *r) {
    json_t *list = json_array(), *one = NULL;
    bnn_status s = BNN_OK;
    for (int i = 0; s == BNN_OK && i < r->n; i++)
        if ((s = tool_describe(r->file[i], &one)) == BNN_OK) tool_json_append(list, one);
    json_t *what = r->n == 1 ? json_incref(json_array_get(list, 0)) : json_incref(list);
    json_decref(list);
    if (s == BNN_OK) return tool_json_answer(what);
    json_decref(what);
    return s;
}

static int run(int argc, char **argv) {
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "FILE.h5...",
        .doc = "Says what is in a file of bnn: data, a run, predictions, a detection, a regret, an acquisition or a comparison.\v"
               "The files are HDF5: h5ls, h5dump, ncdump, xarray and h5py open them, too.\n\nExamples:\n  bnn "
               "info boston.h5\n  bnn info run.h5\n  bnn info --lint boston.h5 run.h5\n  bnn info --json run.h5"};
    request r = {0};
    int status = 0;
    tool_parse(&argp, argc, argv, &r);
    for (int i = 0; r.lint && i < r.n; i++) {
        int found = lint_apart(r.file[i]);
        if (found > status) status = found;
    }
    if (r.lint) return status;
    if (r.json) return print_json(&r) < 0 ? tool_fail() : 0;
    for (int i = 0; i < r.n; i++)
        if (print_file(r.file[i]) < 0) return tool_fail();
    return 0;
}

const command command_info = {.name = "info", .summary = "say what is in a file", .run = run};
