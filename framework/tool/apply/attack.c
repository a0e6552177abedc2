/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool/apply/curves.h"
#include "tool/print/json.h"
#include "tool/tool.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_EPS = 64 };

typedef struct {
    tool_rerun in;
    bnn_attack_options how;
    const char *towards, *out, *plot; /* as given; NULL: none */
    bool json;
    int n_eps;
    double eps[MOST_EPS];
    bnn_attack_effect effect[MOST_EPS];
    bnn_metrics before, after[MOST_EPS];
    bnn_table *attacked; /* by the last eps */
} request;

enum { METHOD = 256, NORM, EPS, UNIT, STEP, ITERATIONS, MOMENTUM, TOWARDS, POINT, SLOPES, PLOT, JSON };

static const struct argp_option options[] = {
    {"method", METHOD, "NAME", 0, "fgm (default), bim, pgd, mim, or noise, which is drawn", 0},
    {"norm", NORM, "linf|l2", 0, "of the way: the largest feature's (default), or Euclidean", 0},
    {"eps", EPS, "E,...", 0, "lengths of the way; a row of the answer for each", 0},
    {"unit", UNIT, "range|measured", 0, "of lengths: shares of the range of each column, of images 255 (default), or the units of the data",
     0},
    {"step", STEP, "A", 0, "of an iteration (default: eps / iterations; of pgd 2.5 times that)", 0},
    {"iterations", ITERATIONS, "T", 0, "of bim, pgd and mim (default: 10)", 0},
    {"momentum", MOMENTUM, "M", 0, "of mim (default: 1)", 0},
    {"towards", TOWARDS, "CLASS", 0, "lead rows to this class, or value of the target (default: away from their own)", 0},
    {"point", POINT, NULL, 0, "slopes of one point, without noise (default: the mean over draws)", 0},
    {"slopes", SLOPES, "S", 0, "draws that slopes are a mean of (default: 20)", 0},
    {"plot", PLOT, "FILE.html", 0, "write a page with each score against the length (needs gnuplot)", 0},
    {"json", JSON, NULL, 0, "print one JSON object", 0},
    {"output", 'o', "FILE.h5", 0, "write the attacked rows, of one eps, as a data file", 0},
    {0}};

static double number(const struct argp_state *state, const char *option, const char *text) {
    double x;
    if (!bnn_number_parse(text, &x) || !(x >= 0) || !isfinite(x)) tool_misuse(state, "--%s: '%s' is no number from 0 on", option, text);
    return x;
}

static int one_of(const struct argp_state *state, const char *option, const char *text, const char *const *names) {
    for (int i = 0; names[i]; i++)
        if (strcmp(text, names[i]) == 0) return i;
    tool_misuse(state, "--%s: there is no '%s'", option, text);
}

static void parse_eps(request *r, const struct argp_state *state, const char *text) {
    char *copy = strdup(text), *rest = copy, *word;
    for (r->n_eps = 0; copy && (word = strsep(&rest, ","));) {
        if (r->n_eps == MOST_EPS) tool_misuse(state, "--eps: more than %d lengths", MOST_EPS);
        r->eps[r->n_eps++] = number(state, "eps", word);
    }
    free(copy);
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    static const char *const norms[] = {"linf", "l2", NULL}, *const units[] = {"range", "measured", NULL};
    request *r = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &r->in; return 0;
    case METHOD: r->how.method = (bnn_attack_method)one_of(state, "method", arg, bnn_attack_method_names); return 0;
    case NORM: r->how.euclidean = one_of(state, "norm", arg, norms) == 1; return 0;
    case EPS: parse_eps(r, state, arg); return 0;
    case UNIT: r->how.as_measured = one_of(state, "unit", arg, units) == 1; return 0;
    case STEP: r->how.step = number(state, "step", arg); return 0;
    case ITERATIONS: r->how.iterations = (int)tool_number("--iterations", arg, 1, 1000000); return 0;
    case MOMENTUM: r->how.momentum = number(state, "momentum", arg); return 0;
    case TOWARDS: r->towards = arg; return 0;
    case POINT: r->how.point = true; return 0;
    case SLOPES: r->how.samples = (int)tool_number("--slopes", arg, 1, 1000000); return 0;
    case PLOT: r->plot = arg; return 0;
    case JSON: r->json = true; return 0;
    case 'o': r->out = arg; return 0;
    case ARGP_KEY_END:
        if (r->n_eps == 0) tool_misuse(state, "--eps: how far may a row be moved?");
        if (r->out && r->plot) tool_misuse(state, "--plot: a page has many lengths, and --output one: ask for one of both");
        if (r->out && r->n_eps > 1) tool_misuse(state, "--output: a file holds the rows of one eps, not of %d", r->n_eps);
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* A class by its name, else by its number; a value of a real target. */
static bnn_status find_towards(request *r) {
    const bnn_table *t = r->in.table;
    r->how.targeted = r->towards != NULL;
    if (!r->towards) return BNN_OK;
    for (int c = 0; c < t->n_classes; c++)
        if (t->class_names && strcmp(t->class_names[c], r->towards) == 0) return r->how.towards = c, BNN_OK;
    if (bnn_number_parse(r->towards, &r->how.towards)) return BNN_OK;
    return bnn_fail(BNN_ERR_OPTION, "--towards: '%s' is %s", r->towards, t->n_classes > 0 ? "none of the classes" : "not a number");
}

static bnn_status predict(const request *r, const bnn_data *rows, bnn_prediction **p, bnn_metrics *m) {
    const bnn_predict_options how = {sizeof how, .samples = r->in.job.samples, .mode = BNN_DRAW, .seed = r->in.job.seed};
    BNN_TRY(bnn_run_predict(r->in.run, rows, &how, p));
    return bnn_metrics_compute(*p, rows, m);
}

static bnn_status attack_once(request *r, int k, const bnn_prediction *before) {
    bnn_data *rows = NULL;
    bnn_prediction *after = NULL;
    r->how.eps = r->eps[k];
    bnn_table_free(r->attacked);
    BNN_TRY(bnn_attack(r->in.run, r->in.rows, &r->how, &r->attacked));
    bnn_status s = bnn_data_range(r->attacked, 0, r->attacked->n, bnn_run_scaling(r->in.run), &rows);
    if (s == BNN_OK) s = predict(r, rows, &after, &r->after[k]);
    if (s == BNN_OK) s = bnn_attack_measure(r->in.rows, r->attacked, before, after, &r->how, &r->effect[k]);
    bnn_prediction_free(after);
    bnn_data_free(rows);
    return s;
}

static bnn_status attack_rows(request *r) {
    bnn_prediction *before = NULL;
    if (!r->in.rows->y) return bnn_fail(BNN_ERR_DATA, "%s: has no targets: what an attack does would not be seen", r->in.data_used);
    BNN_TRY(find_towards(r));
    bnn_status s = predict(r, r->in.rows, &before, &r->before);
    for (int k = 0; s == BNN_OK && k < r->n_eps; k++) s = attack_once(r, k, before);
    bnn_prediction_free(before);
    return s < 0 ? bnn_note(s, "%s", r->in.data_used) : BNN_OK;
}

/* ---- the answer ---- */

static const char *unit_of(const request *r) { return r->how.as_measured ? "units of the data" : "share of each column's range"; }
static const char *norm_of(const request *r) { return r->how.euclidean ? "l2" : "linf"; }

static void print_row(const request *r, double eps, const bnn_attack_effect *e, const bnn_metrics *m, double score) {
    char success[32] = "";
    if (r->before.is_class && e && !isnan(e->success)) bnn_print(success, sizeof success, "%.4f", e->success);
    printf("  %-8.4g %9.4f %9s %9.4f", eps, score, success, m->ll);
    if (m->is_class) printf(" %9.4f %9.4f", m->mean_entropy, m->mean_mutual_information);
    printf(" %9.4g\n", e ? e->moved : 0);
}

static void print_text(const request *r) {
    bool is_class = r->before.is_class;
    printf("%s, %s, eps in: %s; %d %s rows of %s", bnn_attack_method_names[r->how.method], norm_of(r), unit_of(r), r->in.rows->n,
           r->in.kind, tool_line(r->in.data_used));
    if (r->towards) printf("; towards %s", tool_line(r->towards));
    printf("\n  %-8s %9s %9s %9s", "eps", is_class ? "accuracy" : "rmse / sd", is_class ? "success" : "", "ll");
    printf("%s %9s\n", is_class ? "   entropy        mi" : "", "moved");
    print_row(r, 0, NULL, &r->before, r->effect[0].before);
    for (int k = 0; k < r->n_eps; k++) print_row(r, r->eps[k], &r->effect[k], &r->after[k], r->effect[k].after);
    if (is_class && r->before.pixels > 0)
        printf("%d of %.0f pixels could be lost; success is the share of them that are\n", r->effect[0].tried, r->before.pixels);
    else if (is_class)
        printf("%d of %d rows could be lost; success is the share of them that are\n", r->effect[0].tried, r->in.rows->n);
}

static json_t *object_of(double eps, const bnn_attack_effect *e, const bnn_metrics *m, double score) {
    json_t *o = json_object();
    tool_json_set(o, "eps", tool_json_number(eps));
    tool_json_set(o, m->is_class ? "accuracy" : "rmse_sd", tool_json_number(score));
    if (m->is_class) tool_json_set(o, "success", e ? tool_json_number(e->success) : json_null());
    tool_json_set(o, "ll", tool_json_number(m->ll));
    if (m->is_class) tool_json_set(o, "entropy", tool_json_number(m->mean_entropy));
    if (m->is_class) tool_json_set(o, "mutual_information", tool_json_number(m->mean_mutual_information));
    tool_json_set(o, "moved", tool_json_number(e ? e->moved : 0));
    return o;
}

static bnn_status print_json(const request *r) {
    json_t *o = json_object(), *list = json_array();
    tool_json_set(o, "engine", tool_json_text(r->in.run->engine_text));
    tool_json_set(o, "data", tool_json_text(r->in.data_used));
    tool_json_set(o, "rows", json_integer(r->in.rows->n));
    tool_json_set(o, "fitted", json_integer(r->in.fitted));
    tool_json_set(o, "method", json_string(bnn_attack_method_names[r->how.method]));
    tool_json_set(o, "norm", json_string(norm_of(r)));
    tool_json_set(o, "unit", json_string(r->how.as_measured ? "measured" : "range"));
    tool_json_set(o, "towards", tool_json_text(r->towards));
    tool_json_set(o, "could_be_lost", json_integer(r->effect[0].tried));
    tool_json_append(list, object_of(0, NULL, &r->before, r->effect[0].before));
    for (int k = 0; k < r->n_eps; k++) tool_json_append(list, object_of(r->eps[k], &r->effect[k], &r->after[k], r->effect[k].after));
    tool_json_set(o, "lengths", list);
    return tool_json_answer(o);
}

/* Rows as they were stand at 0. */
static bnn_status draw(const request *r) {
    enum { SCORE, SUCCESS, NLL, ENTROPY, INFORMATION, CURVES };
    const bool is_class = r->before.is_class;
    const char *const name[CURVES] = {is_class ? "accuracy" : "rmse_sd", "success", "nll", "entropy", "mutual_information"};
    double at[1 + MOST_EPS] = {0}, value[CURVES][1 + MOST_EPS];
    tool_curve curve[CURVES];
    int n = 0;
    for (int k = 0; k <= r->n_eps; k++) {
        const bnn_metrics *m = k ? &r->after[k - 1] : &r->before;
        if (k) at[k] = r->eps[k - 1];
        value[SCORE][k] = k ? r->effect[k - 1].after : r->effect[0].before, value[SUCCESS][k] = k ? r->effect[k - 1].success : 0;
        value[NLL][k] = -m->ll, value[ENTROPY][k] = m->mean_entropy, value[INFORMATION][k] = m->mean_mutual_information;
    }
    for (int c = 0; c < CURVES; c++)
        if (is_class || c == SCORE || c == NLL) curve[n++] = (tool_curve){name[c], "eps", c != NLL, 1 + r->n_eps, at, value[c]};
    return tool_curves_page("Attacks of a run", r->in.run_path, n, curve, r->plot);
}

static bnn_status save(const request *r) {
    bnn_table *t = r->attacked;
    char *title;
    if (asprintf(&title, "%s, attacked by %s, %s, eps %g (%s)", t->title, bnn_attack_method_names[r->how.method], norm_of(r), r->eps[0],
                 unit_of(r)) < 0)
        return bnn_fail(BNN_ERR_MEMORY, "out of memory");
    free(t->title);
    t->title = title;
    BNN_TRY(tool_output_claim_table(r->out, t));
    return bnn_table_save(t, r->out);
}

static bnn_status attack(request *r) {
    if (r->out) BNN_TRY(tool_output_hdf5(r->out));
    BNN_TRY(tool_rerun_apart(&r->in, r->out ? r->out : r->plot));
    if (r->plot) BNN_TRY(tool_output_ready(r->plot));
    if (r->plot) BNN_TRY(tool_output_claim(r->plot, NULL, NULL, NULL));
    BNN_TRY(tool_rerun_open(&r->in));
    BNN_TRY(tool_rerun_apart(&r->in, r->out ? r->out : r->plot));
    r->how.seed = r->in.job.seed;
    BNN_TRY(attack_rows(r));
    tool_rerun_say(&r->in, r->json ? stderr : stdout);
    if (r->json) BNN_TRY(print_json(r)); /* what can fail comes before the files */
    if (r->plot) BNN_TRY(draw(r));
    if (r->out) BNN_TRY(save(r));
    if (r->json) return BNN_OK;
    print_text(r);
    tool_print_wrote(r->out);
    return BNN_OK;
}

static int run(int argc, char **argv) {
    const struct argp argp = {
        .options = options,
        .parser = parse,
        .children = tool_rerun_children,
        .args_doc = "RUN.h5",
        .doc =
            "Moves rows with known targets a little, within a length and within the range of their columns, so that a fitted run predicts "
            "them badly: by the slope of -log p in the features, averaged over draws of the run. Says how much accuracy and "
            "log-likelihood that takes, and what the run says of its own uncertainty there.\v"
            "fgm is one step along the sign of the slope (l2: along the slope); bim takes ten smaller ones; pgd begins at a random place; "
            "mim keeps some of its way from step to step; noise goes a random way of the same length. Engines in closed form (laplace, "
            "last_layer) are attacked at their point.\n\n"
            "Examples:\n  bnn attack run.h5 --method bim --eps 0.01,0.03,0.1\n  "
            "bnn attack run.h5 --data test.h5 --eps 0.03 -o adv.h5\n  bnn ood run.h5 --in test.h5 --out adv.h5"};
    request r = {.how = {.size = sizeof r.how}};
    tool_job_open(&r.in.job, argc, argv);
    tool_parse(&argp, argc, argv, &r);
    bnn_status s = attack(&r);
    bnn_table_free(r.attacked);
    tool_rerun_close(&r.in);
    return s < 0 ? tool_fail() : 0;
}

const command command_attack = {.name = "attack", .summary = "move rows a little so that a run predicts them badly", .run = run};
