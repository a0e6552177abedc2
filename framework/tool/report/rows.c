/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * rows.c: figures in which every test row has a point, the rows that surprise most, and which classes are taken for which.
 */
#include "report.h"

#include <math.h>
#include <stdlib.h>

enum { MOST_ROWS = 250, PIT_BINS = 10, SURPRISES = 10, MOST_CLASSES = 20 };

/* Row i of a contestant that has its target, or, of many, every so many. */
static bool is_drawn(const bnn_contestant *who, int i) {
    return who->n_points <= MOST_ROWS || (int64_t)i * MOST_ROWS / who->n_points != (int64_t)(i - 1) * MOST_ROWS / who->n_points || i == 0;
}

static bnn_status draw_rows(const bnn_comparison *c, report_plot *plot,
                            void (*draw)(report_plot *, const bnn_contestant *, int, const char *)) {
    char letter[8], name[160];
    for (int e = 0; e < c->n_engines; e++) {
        const bnn_contestant *who = &c->engine[e];
        report_plot_curve(plot, e, 0, REPORT_POINTS, report_letter(e, letter));
        for (int i = 0; who->y && i < who->n_points; i++) {
            if (!is_drawn(who, i)) continue;
            double mean = who->y[i] - who->error[i];
            snprintf(name, sizeof name, "%s, test row %d: measured %.4g, predicted %.4g, sd %.3g", letter, i + 1, who->y[i], mean,
                     who->sd[i]);
            draw(plot, who, i, name);
        }
    }
    return BNN_OK;
}

static void measured(report_plot *plot, const bnn_contestant *who, int i, const char *name) {
    report_plot_named(plot, who->y[i], who->y[i] - who->error[i], 1.645 * who->sd[i], name);
}

static void residual(report_plot *plot, const bnn_contestant *who, int i, const char *name) {
    report_plot_named(plot, who->y[i] - who->error[i], who->error[i] / who->sd[i], 0, name);
}

bnn_status report_draw_measured(const void *c, report_plot *plot) { return draw_rows(c, plot, measured); }

bnn_status report_draw_residuals(const void *c, report_plot *plot) { return draw_rows(c, plot, residual); }

bnn_status report_draw_pit(const void *context, report_plot *plot) {
    const bnn_comparison *c = context;
    char letter[8];
    for (int e = 0; e < c->n_engines; e++) {
        const bnn_contestant *who = &c->engine[e];
        double share[PIT_BINS + 1] = {0};
        report_plot_curve(plot, e, 0, REPORT_STEPS, report_letter(e, letter));
        for (int i = 0; who->pit && i < who->n_points; i++)
            if (isfinite(who->pit[i])) share[(int)fmin(PIT_BINS - 1, who->pit[i] * PIT_BINS)] += (double)PIT_BINS / who->n_points;
        share[PIT_BINS] = share[PIT_BINS - 1]; /* a step ends where the next one begins */
        for (int b = 0; who->pit && b <= PIT_BINS; b++) report_plot_point(plot, (double)b / PIT_BINS, share[b], 0);
    }
    return BNN_OK;
}

/* ---------------------------------------------------------------- surprises */

typedef struct {
    double size; /* error in sd; of a wrong class the confidence in it */
    int row;
} surprise;

static int by_size(const void *a, const void *b) {
    const surprise *p = a, *q = b;
    return p->size != q->size ? (p->size < q->size) - (p->size > q->size) : (p->row > q->row) - (p->row < q->row);
}

/* "setosa", or "2" where classes have no names. */
static void write_class(FILE *html, const bnn_comparison *c, double number) {
    if (c->class_name && number >= 0 && number < c->n_classes)
        report_text(html, c->class_name[(int)number]);
    else
        fprintf(html, "%.0f", number);
}

static void write_surprise(FILE *html, const bnn_comparison *c, const bnn_contestant *who, const surprise *s) {
    int i = s->row, decimals = report_decimals(fabs(who->y[i]));
    fprintf(html, "<tr><th scope=\"row\">%d</th><td>", i + 1);
    if (c->is_class) {
        write_class(html, c, who->y[i]);
        fputs("</td><td>", html);
        write_class(html, c, who->called[i]);
        fputs("</td><td>", html);
        report_number(html, s->size, 3);
    } else {
        const double cells[] = {who->y[i], who->y[i] - who->error[i], who->sd[i]};
        for (int k = 0; k < 3; k++) {
            report_number(html, cells[k], decimals);
            fputs("</td><td>", html);
        }
        report_number(html, who->error[i] / who->sd[i], 2);
    }
    fputs("</td></tr>\n", html);
}

/* The rows that an engine was furthest off in; of classes wrong ones, by its confidence in them. */
static bnn_status write_surprises(FILE *html, const bnn_comparison *c, int e) {
    const bnn_contestant *who = &c->engine[e];
    surprise *s = malloc(((size_t)who->n_points + 1) * sizeof *s);
    int n = 0;
    if (!s) return bnn_oom("rows of a report");
    for (int i = 0; i < who->n_points; i++) {
        double size = c->is_class ? 1 - who->sd[i] : fabs(who->error[i] / who->sd[i]);
        if (isfinite(size) && (!c->is_class || who->error[i] != 0)) s[n++] = (surprise){size, i};
    }
    if (n > 0) {
        qsort(s, (size_t)n, sizeof *s, by_size);
        fputs("<h3>Rows that surprise ", html);
        report_chip(html, e);
        fprintf(
            html,
            " most</h3>\n<div class=\"wide\"><table>\n<thead><tr><th scope=\"col\" class=\"who\">test row</th>%s</tr></thead>\n<tbody>\n",
            c->is_class ? "<th scope=\"col\">is</th><th scope=\"col\">was called</th><th scope=\"col\">with confidence</th>"
                        : "<th scope=\"col\">measured</th><th scope=\"col\">predicted</th><th scope=\"col\">sd</th>"
                          "<th scope=\"col\">error / sd</th>");
        for (int i = 0; i < n && i < SURPRISES; i++) write_surprise(html, c, who, &s[i]);
        fputs("</tbody></table></div>\n", html);
    }
    free(s);
    return BNN_OK;
}

/* ---------------------------------------------------------------- classes */

/* How many rows of each class were called each: count[n, n]. */
static double *count_classes(const bnn_contestant *who, int n) {
    double *count = calloc((size_t)n * (size_t)n, sizeof *count);
    for (int i = 0; count && i < who->n_points; i++)
        if (who->y[i] >= 0 && who->y[i] < n && who->called[i] >= 0 && who->called[i] < n) count[(int)who->y[i] * n + (int)who->called[i]]++;
    return count;
}

static bnn_status write_confusion(FILE *html, const bnn_comparison *c, int e) {
    int n = c->n_classes;
    double *count = count_classes(&c->engine[e], n);
    if (!count) return bnn_oom("classes of a report");
    fprintf(html, "<figure class=\"of e%d\">\n<h3>Confusion, ", e);
    report_chip(html, e);
    fputs("</h3>\n<div class=\"wide\"><table class=\"confusion\">\n<thead><tr><th scope=\"col\" class=\"who\">is \\ called</th>", html);
    for (int k = 0; k < n; k++) fputs("<th scope=\"col\">", html), write_class(html, c, k), fputs("</th>", html);
    fputs("</tr></thead>\n<tbody>\n", html);
    for (int i = 0; i < n; i++) {
        double all = 0;
        for (int k = 0; k < n; k++) all += count[i * n + k];
        fputs("<tr><th scope=\"row\">", html), write_class(html, c, i), fputs("</th>", html);
        for (int k = 0; k < n; k++)
            fprintf(html, "<td style=\"--v:%.0f%%\">%.0f</td>", all > 0 ? 60 * count[i * n + k] / all : 0, count[i * n + k]);
        fputs("</tr>\n", html);
    }
    fputs("</tbody></table></div>\n<figcaption>Test rows of all splits: each line is a class, each column what its rows were called; the "
          "shade is the share of the line.</figcaption>\n</figure>\n",
          html);
    free(count);
    return BNN_OK;
}

bnn_status report_rows(FILE *html, const bnn_comparison *c) {
    int best = report_best(c);
    if (c->engine[best].metrics->of & BNN_SCORE_MAPS) return BNN_OK; /* an image has not one class */
    if (c->engine[best].y && (!c->is_class || c->engine[best].called)) BNN_TRY(write_surprises(html, c, best));
    if (c->n_classes > MOST_CLASSES)
        fprintf(html,
                "<p class=\"note\">Which of the %d classes are taken for which is not drawn: `bnn evaluate --json` has the scores of "
                "each.</p>\n",
                c->n_classes);
    if (!c->is_class || c->n_classes > MOST_CLASSES) return BNN_OK;
    fputs("<div class=\"figures\">\n", html);
    for (int e = 0; e < c->n_engines; e++)
        if (c->engine[e].called && c->engine[e].y) BNN_TRY(write_confusion(html, c, e));
    fputs("</div>\n", html);
    return BNN_OK;
}
