/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * pairs.c: what engines differ by. They were fitted on the same splits, so their difference is known better than their scores are.
 */
#include "report.h"
#include "scores.h"

#include <math.h>
#include <stdlib.h>

enum { MOST_COLUMNS = 6 };

/* Engines, the one of the largest mean log-likelihood first. */
static void order_engines(const bnn_comparison *c, int *order) {
    const report_quantity ll = {REPORT_METRIC, offsetof(bnn_metrics, ll), 0};
    for (int e = 0; e < c->n_engines; e++) {
        int at = e;
        for (; at > 0 && report_mean(c, order[at - 1], ll, NULL) < report_mean(c, e, ll, NULL); at--) order[at] = order[at - 1];
        order[at] = e;
    }
}

static void write_cell(FILE *html, const bnn_comparison *c, int e, int other, report_quantity what) {
    double se, mean = report_difference(c, e, other, what, &se);
    if (e == other || !isfinite(mean)) {
        fputs("<td data-value=\"0\">–</td>", html);
        return;
    }
    bool clear = fabs(mean) > 2 * se;
    int decimals = report_decimals(fmax(fabs(mean), 2 * se)) - 1;
    fprintf(html, "<td data-value=\"%.17g\">%s%s", mean, clear ? "<b>" : "", mean > 0 ? "+" : "");
    report_number(html, mean, decimals < 0 ? 0 : decimals);
    fputs(clear ? "</b><small>± " : "<small>± ", html);
    report_number(html, 2 * se, decimals < 0 ? 0 : decimals);
    fputs("</small></td>", html);
}

static void write_matrix(FILE *html, const bnn_comparison *c, const int *order, const char *name, size_t offset) {
    const report_quantity what = {REPORT_METRIC, offset, 0};
    fprintf(html,
            "<h3>Differences in %s</h3>\n<div class=\"wide\"><table class=\"pairs\">\n<thead><tr><th scope=\"col\" class=\"who\">less</th>",
            name);
    for (int k = 0; k < c->n_engines && k < MOST_COLUMNS; k++) {
        fputs("<th scope=\"col\">", html);
        report_chip(html, order[k]);
        fputs("</th>", html);
    }
    fputs("</tr></thead>\n<tbody>\n", html);
    for (int i = 0; i < c->n_engines; i++) {
        fprintf(html, "<tr data-engine=\"e%d\"><th scope=\"row\">", order[i]);
        report_chip(html, order[i]);
        fputs("</th>", html);
        for (int k = 0; k < c->n_engines && k < MOST_COLUMNS; k++) write_cell(html, c, order[i], order[k], what);
        fputs("</tr>\n", html);
    }
    fputs("</tbody></table></div>\n", html);
}

bnn_status report_pairs(FILE *html, const bnn_comparison *c) {
    const bnn_score *first = tool_scores_first(c->engine[0].metrics);
    int *order = malloc((size_t)c->n_engines * sizeof *order);
    if (!order) return bnn_oom("pairs of a report");
    if (c->n_splits > 1 && c->n_engines > 1) {
        order_engines(c, order);
        write_matrix(html, c, order, "log-likelihood", offsetof(bnn_metrics, ll));
        write_matrix(html, c, order, first->name, first->offset);
        fprintf(html,
                "<p class=\"note\">Mean over splits of what the engine of a line has more than that of a column, ± two standard errors; "
                "bold where it is more than these. %sSplits share rows, so the errors are a little too small.</p>\n",
                c->n_engines > MOST_COLUMNS ? "Columns are the six best by log-likelihood. " : "");
    }
    free(order);
    return BNN_OK;
}
