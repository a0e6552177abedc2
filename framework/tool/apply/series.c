/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * series.c: scores of one run on several files, such as one that is shifted more and more: a table, JSON, and curves.
 */
#include "tool/apply/series.h"

#include "tool/print/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Scores that a series shows, by what they are of. */
static const struct {
    const char *name, *head;
    bool classes, targets;
    size_t at; /* in bnn_metrics */
} columns[] = {{"accuracy", "accuracy", true, false, offsetof(bnn_metrics, accuracy)},
               {"nll", "nll", true, true, offsetof(bnn_metrics, ll)},
               {"ece", "ece", true, false, offsetof(bnn_metrics, ece)},
               {"brier", "brier", true, false, offsetof(bnn_metrics, brier)},
               {"entropy", "entropy", true, false, offsetof(bnn_metrics, mean_entropy)},
               {"mutual_information", "mi", true, false, offsetof(bnn_metrics, mean_mutual_information)},
               {"calibration_error", "cal.err.", false, true, offsetof(bnn_metrics, calibration_error)},
               {"coverage_90", "cover 90", false, true, offsetof(bnn_metrics, coverage) + 17 * sizeof(double)},
               {"sd_epistemic", "sd epi.", false, true, offsetof(bnn_metrics, sd_epistemic)}};
enum { COLUMNS = sizeof columns / sizeof *columns };
_Static_assert((int)COLUMNS == TOOL_SERIES_CURVES, "a curve for each column");

bnn_status tool_series_take(tool_series *s, const char *file, const bnn_table *table, const bnn_metrics *metrics) {
    tool_series_row *more = realloc(s->of, (size_t)(s->n + 1) * sizeof *more), *row;
    if (!more) return bnn_fail(BNN_ERR_MEMORY, "out of memory");
    s->of = more, row = &s->of[s->n++];
    *row = (tool_series_row){.file = file, .metrics = *metrics};
    row->shifted = bnn_shift_of(table->title, &row->kind, &row->strength);
    return BNN_OK;
}

/* A file made of the rerun's own has its splits: then its test rows are asked for, as fitted rows stand in it, too. */
static bool shares_split(const tool_rerun *rerun, const bnn_table *other) {
    const bnn_table *own = rerun->table;
    return rerun->split_used >= 0 && rerun->split_used < other->n_splits && own->n == other->n &&
           strcmp(own->split_origin, other->split_origin) == 0;
}

static bnn_status open_other(const tool_rerun *rerun, const char *file, tool_rerun *other) {
    static char split[16]; /* is read as long as the rerun is open */
    *other = (tool_rerun){.job = rerun->job, .run_path = rerun->run_path, .data = file};
    other->reading.csv.size = sizeof other->reading.csv;
    BNN_TRY(tool_rerun_open(other));
    if (!shares_split(rerun, other->table)) return BNN_OK;
    tool_rerun_close(other);
    snprintf(split, sizeof split, "%d", rerun->split_used);
    other->split = split, other->fitted = 0;
    return tool_rerun_open(other);
}

bnn_status tool_series_add(tool_series *s, const tool_rerun *rerun, const char *file) {
    tool_rerun other;
    bnn_prediction *p = NULL;
    bnn_metrics metrics;
    BNN_TRY(open_other(rerun, file, &other));
    bnn_status status = tool_rerun_score(&other, &p, &metrics);
    if (status == BNN_OK) status = tool_series_take(s, file, other.table, &metrics);
    bnn_prediction_free(p);
    tool_rerun_close(&other);
    return status;
}

static bool has(const bnn_metrics *m, int k) { return m->is_class ? columns[k].classes : columns[k].targets; }

/* A score as the series says it: a likelihood with the sign that rises as it gets worse, like the others. */
static double score(const bnn_metrics *m, int k) {
    double value = *(const double *)((const char *)m + columns[k].at);
    return columns[k].at == offsetof(bnn_metrics, ll) ? -value : value;
}

static int width_of(const tool_series *s) {
    size_t width = 4;
    for (int i = 0; i < s->n; i++) width = strlen(tool_line(s->of[i].file)) > width ? strlen(tool_line(s->of[i].file)) : width;
    return (int)width;
}

/* "rotate 15", or nothing. */
static void shift_text(const tool_series_row *row, char text[40]) {
    text[0] = '\0';
    if (row->shifted) bnn_print(text, 40, "%s %g", bnn_shift_names[row->kind], row->strength);
}

void tool_series_print(const tool_series *s) {
    int width = width_of(s);
    char shift[40];
    printf("  %-*s  %-14s %7s", width, "file", "shift", "rows");
    for (int k = 0; k < COLUMNS; k++)
        if (has(&s->of[0].metrics, k)) printf(" %9s", columns[k].head);
    for (int i = 0; i < s->n; i++) {
        shift_text(&s->of[i], shift);
        printf("\n  %-*s  %-14s %7d", width, tool_line(s->of[i].file), shift, s->of[i].metrics.n);
        for (int k = 0; k < COLUMNS; k++)
            if (has(&s->of[i].metrics, k)) printf(" %9.4f", score(&s->of[i].metrics, k));
    }
    printf("\n");
}

json_t *tool_series_json(const tool_series *s) {
    json_t *list = json_array();
    for (int i = 0; i < s->n; i++) {
        const tool_series_row *row = &s->of[i];
        json_t *o = json_object();
        tool_json_set(o, "file", tool_json_text(row->file));
        tool_json_set(o, "shift", row->shifted ? json_string(bnn_shift_names[row->kind]) : json_null());
        tool_json_set(o, "strength", row->shifted ? tool_json_number(row->strength) : json_null());
        tool_json_set(o, "rows", json_integer(row->metrics.n));
        for (int k = 0; k < COLUMNS; k++)
            if (has(&row->metrics, k)) tool_json_set(o, columns[k].name, tool_json_number(score(&row->metrics, k)));
        tool_json_append(list, o);
    }
    return list;
}

/* ---- curves ---- */

/* The strength where all that are shifted are so in one way, and a file that is not stands at 0; else the number of the file. */
static bool is_by_strength(const tool_series *s, bnn_shift_kind *kind) {
    bool any = false;
    for (int i = 0; i < s->n; i++) {
        if (!s->of[i].shifted) continue;
        if (any && s->of[i].kind != *kind) return false;
        any = true, *kind = s->of[i].kind;
    }
    return any;
}

bnn_status tool_series_curves(const tool_series *s, tool_curve curve[TOOL_SERIES_CURVES], int *n, double **numbers) {
    bnn_shift_kind kind = BNN_SHIFT_ROTATE;
    bool by_strength = is_by_strength(s, &kind);
    double *at = *numbers = malloc((1 + COLUMNS) * (size_t)s->n * sizeof *at), *value = at + s->n;
    if (!at) return bnn_fail(BNN_ERR_MEMORY, "out of memory");
    for (int i = 0; i < s->n; i++) at[i] = !by_strength ? i + 1 : s->of[i].shifted ? s->of[i].strength : 0;
    for (int k = 0; k < COLUMNS; k++) {
        if (!has(&s->of[0].metrics, k)) continue;
        for (int i = 0; i < s->n; i++) value[i] = score(&s->of[i].metrics, k);
        curve[(*n)++] = (tool_curve){columns[k].name, by_strength ? bnn_shift_names[kind] : "file", columns[k].classes, s->n, at, value};
        value += s->n;
    }
    return BNN_OK;
}
