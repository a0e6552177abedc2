/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * answer.c: a prediction as CSV, RFC 4180: texts are quoted where they need it, numbers are the shortest ones that read back exactly.
 */
#include "tool/tool.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME = 16 };

/* Two texts behind each other as one field. Blanks at an end and '#' mean something to who reads. */
static void put_text(FILE *out, const char *head, const char *tail) {
    bool plain = *head || *tail;
    for (int k = 0; k < 2; k++) {
        const char *text = k ? tail : head;
        plain &= text[strcspn(text, ",;\t\"\r\n#")] == '\0' && *text != ' ' && (*text == '\0' || text[strlen(text) - 1] != ' ');
    }
    if (plain) {
        fprintf(out, "%s%s", head, tail);
        return;
    }
    fputc('"', out);
    for (int k = 0; k < 2; k++)
        for (const char *c = k ? tail : head; *c; c++) fputs(*c == '"' ? "\"\"" : (char[]){*c, '\0'}, out);
    fputc('"', out);
}

static void put_number(FILE *out, double x) {
    char text[BNN_NUMBER_TEXT];
    fprintf(out, ",%s", bnn_number_print(x, text));
}

static void put_name(FILE *out, const char *head, const char *tail) {
    fputc(',', out);
    put_text(out, head, tail);
}

/* A level in percent, with two digits at least before the point: "05", "97.5". */
static void put_level(FILE *out, const char *what, double level, const char *name) {
    char head[64];
    double percent = 100 * level;
    bnn_print(head, sizeof head, "%s%s%.10g_", what, percent < 10 ? "0" : "", percent);
    put_name(out, head, name);
}

/* Names target k as the run was fitted to it; without names "y", or "y1", "y2", ... of several. */
static const char *target_name(const tool_answer *a, int k, char made[NAME]) {
    char *const *names = a->rerun->run->names.y;
    if (names) return names[k];
    snprintf(made, NAME, !a->p->is_class && a->p->mean_dim > 1 ? "y%d" : "y", k + 1);
    return made;
}

static const char *class_name(const tool_answer *a, int c, char made[NAME]) {
    char *const *names = a->rerun->run->names.classes;
    if (names) return names[c];
    snprintf(made, NAME, "%d", c);
    return made;
}

static void put_draw_names(FILE *out, const tool_answer *a, const char *name) {
    for (int j = 0; j < a->p->drawn; j++) {
        char head[NAME + 8];
        snprintf(head, sizeof head, "draw%d_", j + 1);
        put_name(out, head, name);
    }
}

static void put_real_names(FILE *out, const tool_answer *a) {
    static const char *const of[] = {"var_epistemic_", "var_aleatoric_", "mcse_"};
    for (int k = 0; k < a->p->mean_dim; k++) {
        char made[NAME];
        const char *name = target_name(a, k, made);
        put_name(out, "mean_", name), put_name(out, "sd_", name);
        for (int i = 0; i < a->n_intervals; i++) put_level(out, "lo", a->interval[i], name), put_level(out, "hi", a->interval[i], name);
        for (int i = 0; i < a->n_quantiles; i++) put_level(out, "q", a->quantile[i], name);
        for (int i = 0; i < 3; i++) put_name(out, of[i], name);
        if (a->p->has_target) put_name(out, "y_", name);
        put_draw_names(out, a, name);
    }
}

static void put_class_names(FILE *out, const tool_answer *a) {
    char made[NAME];
    for (int c = 0; c < a->p->mean_dim; c++) put_name(out, "p_", class_name(a, c, made));
    fputs(",class,entropy,mutual_information", out);
    for (int c = 0; a->p->set && c < a->p->mean_dim; c++)
        put_level(out, "in", bnn_run_calibration(a->rerun->run)->level, class_name(a, c, made));
    const char *name = target_name(a, 0, made);
    if (a->p->has_target) put_name(out, "y_", name);
    put_draw_names(out, a, name);
}

static void put_real(FILE *out, const tool_answer *a, int i) {
    const bnn_prediction *p = a->p;
    const bnn_table *t = a->rerun->table;
    for (int k = 0; k < p->mean_dim; k++) {
        int at = i * p->mean_dim + k;
        put_number(out, p->mean[at]), put_number(out, sqrt(bnn_var_total(p, at)));
        for (int l = 0; l < p->n_levels; l++) put_number(out, p->quantile[(size_t)at * (size_t)p->n_levels + (size_t)l]);
        put_number(out, p->var_epistemic[at]), put_number(out, p->var_aleatoric[at]), put_number(out, p->mean_mcse[at]);
        if (p->has_target) put_number(out, t->y[(size_t)a->rerun->rows->rows[i] * (size_t)t->y_dim + (size_t)k]);
        for (int j = 0; j < p->drawn; j++) put_number(out, p->y_drawn[(size_t)at * (size_t)p->drawn + (size_t)j]);
    }
}

static void put_class(FILE *out, const tool_answer *a, int i) {
    const bnn_prediction *p = a->p;
    const double *q = p->mean + (size_t)i * (size_t)p->mean_dim;
    char made[NAME];
    for (int c = 0; c < p->mean_dim; c++) put_number(out, q[c]);
    put_name(out, class_name(a, bnn_prediction_class(q, p->mean_dim), made), "");
    put_number(out, bnn_prediction_entropy(p, i)), put_number(out, bnn_prediction_mutual_information(p, i));
    for (int c = 0; p->set && c < p->mean_dim; c++) put_number(out, p->set[(size_t)i * (size_t)p->mean_dim + (size_t)c]);
    if (p->has_target) put_name(out, class_name(a, (int)a->rerun->rows->y[i], made), "");
    for (int j = 0; j < p->drawn; j++) put_name(out, class_name(a, (int)p->y_drawn[(size_t)i * (size_t)p->drawn + (size_t)j], made), "");
}

/* A field with a comma before it; of no name those of all columns behind the row's: ",mean_y,sd_y,...". Owned; NULL: out of memory. */
static char *written(const tool_answer *a, const char *head, const char *name) {
    char *text = NULL;
    FILE *out = bnn_text_open(&text, NULL);
    if (!out) return NULL;
    if (name)
        put_name(out, head, name);
    else
        (a->p->is_class ? put_class_names : put_real_names)(out, a);
    return bnn_text_close(out, &text);
}

/* Says whether one of the columns is called so. */
static bool has_column(const char *columns, const char *field) {
    size_t length = strlen(field);
    for (const char *at = columns; (at = strstr(at, field)); at++)
        if (at[length] == ',' || at[length] == '\0') return true;
    return false;
}

/* The names of what says which row it is: of the columns that were carried through, "id_NAME" where NAME is a column of the answer; or,
 * where there are none, "row". */
static bnn_status put_id_names(FILE *out, const tool_answer *a, const char *columns) {
    const bnn_table *t = a->rerun->table;
    if (t->n_ids == 0) fputs("row", out);
    for (int k = 0; k < t->n_ids; k++) {
        char *field = written(a, "", t->id_names[k]);
        if (field && has_column(columns, field)) free(field), field = written(a, "id_", t->id_names[k]);
        if (!field) return bnn_oom("predictions");
        fputs(field + (k == 0), out);
        free(field);
    }
    return BNN_OK;
}

static void put_ids(FILE *out, const tool_answer *a, int row) {
    const bnn_table *t = a->rerun->table;
    if (t->n_ids == 0) fprintf(out, "%d", row);
    for (int k = 0; k < t->n_ids; k++) {
        if (k > 0) fputc(',', out);
        put_text(out, t->ids[(size_t)k * (size_t)t->n + (size_t)row], "");
    }
}

static bnn_status put_all(FILE *out, const tool_answer *a) {
    char *columns = written(a, "", NULL);
    bnn_status s = columns ? put_id_names(out, a, columns) : bnn_oom("predictions");
    if (s == BNN_OK) fprintf(out, "%s\n", columns);
    free(columns);
    for (int i = 0; s == BNN_OK && i < a->p->n; i++) {
        put_ids(out, a, a->rerun->rows->rows[i]);
        (a->p->is_class ? put_class : put_real)(out, a, i);
        fputc('\n', out);
    }
    return s;
}

bnn_status tool_answer_write(const tool_answer *answer, const char *path) {
    char *text = NULL;
    size_t size = 0;
    if (!path) return put_all(stdout, answer);
    FILE *out = bnn_text_open(&text, &size);
    if (!out) return bnn_oom("predictions");
    bnn_status s = put_all(out, answer);
    if (!bnn_text_close(out, &text) && s == BNN_OK) s = bnn_oom("predictions");
    if (s == BNN_OK) s = tool_save(text, size, path);
    free(text);
    return s;
}
