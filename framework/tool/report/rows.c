/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * rows.c: figures in which every test row has a point.
 */
#include "report.h"

#include <math.h>

enum { MOST_ROWS = 250, PIT_BINS = 10 };

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

bnn_status report_draw_measured(const bnn_comparison *c, report_plot *plot) { return draw_rows(c, plot, measured); }

bnn_status report_draw_residuals(const bnn_comparison *c, report_plot *plot) { return draw_rows(c, plot, residual); }

bnn_status report_draw_pit(const bnn_comparison *c, report_plot *plot) {
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
