/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report.h"

#include <math.h>
#include <stdlib.h>

enum { GROUPS = 10, FEWEST_ROWS = 5, SHARES = 20, NAMED_GATES = 12 };

/* ---------------------------------------------------------------- test rows by their sd */

typedef struct {
    double sd, error;
    int row;
} point;

static int by_sd(const void *a, const void *b) {
    const point *p = a, *q = b;
    return p->sd != q->sd ? (p->sd > q->sd) - (p->sd < q->sd) : (p->row > q->row) - (p->row < q->row);
}

/* The finite rows, the surest first; owned. */
static bnn_status sort_points(const bnn_contestant *who, point **out, int *n) {
    *n = 0;
    *out = malloc(((size_t)who->n_points + 1) * sizeof **out);
    if (!*out) return bnn_oom("a figure");
    for (int i = 0; i < who->n_points; i++)
        if (isfinite(who->sd[i]) && isfinite(who->error[i])) (*out)[(*n)++] = (point){who->sd[i], who->error[i], i};
    qsort(*out, (size_t)*n, sizeof **out, by_sd);
    return BNN_OK;
}

/* Scores points: targets by the root mean squared error, classes, whose errors are 0 and 1, by the accuracy. */
static double score(const point *p, int n, bool is_class) {
    double squares = 0;
    for (int i = 0; i < n; i++) squares += p[i].error * p[i].error / n;
    return is_class ? 1 - squares : sqrt(squares);
}

/* Groups points: targets by tenths of the rows, classes by bins of equal width in confidence, those of the expected calibration error. */
static int group_of(const point *p, int i, int n, bool is_class) {
    return is_class ? (int)fmin(BNN_ECE_BINS - 1, BNN_ECE_BINS * (1 - p[i].sd)) : (int)((int64_t)i * GROUPS / n);
}

/* Rows of one sd belong together, since nothing says which is the surer: many engines have but one sd. */
static bool same_sd(const point *p, int i) { return p[i].sd <= p[i - 1].sd * (1 + 1e-9); }

static void group_points(const bnn_comparison *c, const point *p, int n, report_plot *plot) {
    for (int from = 0, to; from < n; from = to) {
        double sd = 0;
        for (to = from + 1; to < n && (same_sd(p, to) || group_of(p, to, n, c->is_class) == group_of(p, from, n, c->is_class));) to++;
        for (int i = from; i < to; i++) sd += p[i].sd / (to - from);
        if (c->is_class && to - from < FEWEST_ROWS) continue;
        report_plot_point(plot, c->is_class ? 1 - sd : sd, score(p + from, to - from, c->is_class), 0);
    }
}

static void keep_surest(const bnn_comparison *c, const point *p, int n, report_plot *plot) {
    for (int k = 0; n > 0 && k < SHARES; k++) {
        int kept = n - (int)((int64_t)n * k / SHARES);
        double risk = score(p, kept, c->is_class);
        if (kept == n || !same_sd(p, kept)) report_plot_point(plot, 100.0 * kept / n, c->is_class ? 1 - risk : risk, 0);
    }
}

static bnn_status draw_points(const bnn_comparison *c, report_plot *plot,
                              void (*draw)(const bnn_comparison *, const point *, int, report_plot *)) {
    char letter[8];
    point *p;
    int n;
    for (int e = 0; e < c->n_engines; e++) {
        BNN_TRY(sort_points(&c->engine[e], &p, &n));
        report_plot_curve(plot, e, 0, REPORT_LINE, report_letter(e, letter));
        draw(c, p, n, plot);
        free(p);
    }
    return BNN_OK;
}

static bnn_status draw_groups(const void *context, report_plot *plot) { return draw_points(context, plot, group_points); }

static bnn_status draw_risk(const void *context, report_plot *plot) { return draw_points(context, plot, keep_surest); }

/* ---------------------------------------------------------------- means over splits */

static bnn_status draw_coverage(const void *context, report_plot *plot) {
    const bnn_comparison *c = context;
    char letter[8];
    for (int e = 0; e < c->n_engines; e++) {
        if (c->engine[e].n_points == 0) continue;
        report_plot_curve(plot, e, 0, REPORT_LINE, report_letter(e, letter));
        report_plot_point(plot, 0, 0, 0);
        for (int i = 0; i < BNN_CALIBRATION_LEVELS; i++) {
            report_quantity share = {REPORT_METRIC, offsetof(bnn_metrics, coverage) + (size_t)i * sizeof(double), 0};
            report_plot_point(plot, bnn_calibration_level(i), report_mean(c, e, share, NULL), 0);
        }
        report_plot_point(plot, 1, 1, 0);
    }
    return BNN_OK;
}

static int by_value(const void *a, const void *b) {
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

/* Mean log-likelihoods below this one would press all others flat: they lie below the best by a nat and more, and by six times what
 * the middle engine does. */
static bnn_status lowest_shown(const bnn_comparison *c, report_quantity ll, double *out) {
    double *mean = malloc((size_t)c->n_engines * sizeof *mean);
    int n = 0;
    if (!mean) return bnn_oom("a figure");
    for (int e = 0; e < c->n_engines; e++)
        if (isfinite(mean[n] = report_mean(c, e, ll, NULL))) n++;
    qsort(mean, (size_t)n, sizeof *mean, by_value);
    *out = n > 0 ? mean[n - 1] - fmax(1, 6 * (mean[n - 1] - mean[n / 2])) : -INFINITY;
    free(mean);
    return BNN_OK;
}

/* Engines of the same cost would hide each other: they are moved a little aside. One point would say no more than the table. */
static bnn_status draw_cost(const void *context, report_plot *plot) {
    const bnn_comparison *c = context;
    const report_quantity ll = {REPORT_METRIC, offsetof(bnn_metrics, ll), 0}, gradients = {REPORT_GRADIENTS, 0, 0};
    char letter[8], title[64];
    BNN_TRY(lowest_shown(c, ll, &plot->least_y));
    for (int e = 0; c->n_engines > 1 && e < c->n_engines; e++) {
        double se, mean = report_mean(c, e, ll, &se), cost = fmax(1, report_mean(c, e, gradients, NULL));
        bool below = !(mean >= plot->least_y);
        snprintf(title, sizeof title, below ? "%s (%.3g)" : "%s", report_letter(e, letter), mean);
        report_plot_curve(plot, e, 0, below ? REPORT_BELOW : REPORT_BARS, title);
        report_plot_point(plot, cost * pow(1.4, (e + 0.5) / c->n_engines - 0.5), below ? plot->least_y : mean, below ? 0 : se);
    }
    return BNN_OK;
}

/* ---------------------------------------------------------------- the course of training */

/* The first tenth is far above the rest, which it would press flat. */
static bnn_status draw_training(const void *context, report_plot *plot) {
    const bnn_comparison *c = context;
    char letter[8];
    for (int e = 0; e < c->n_engines; e++) {
        const bnn_history *h = &c->engine[e].history;
        report_plot_curve(plot, e, 0, REPORT_LINE, report_letter(e, letter));
        for (int i = h->n / 10; i < h->n; i++)
            report_plot_point(plot, 100.0 * h->epoch[i] / h->epoch[h->n - 1], h->nll[i] + h->prior[i] + h->kl[i], 0);
    }
    return BNN_OK;
}

/* One curve for each layer of each engine. Where there are many, the legend has room for the engines alone. */
static bnn_status draw_gates(const void *context, report_plot *plot) {
    const bnn_comparison *c = context;
    char letter[8], title[64];
    int n_curves = 0;
    for (int e = 0; e < c->n_engines; e++) n_curves += c->engine[e].history.n_gates;
    for (int e = 0; e < c->n_engines; e++) {
        const bnn_history *h = &c->engine[e].history;
        for (int g = 0; g < h->n_gates; g++) {
            snprintf(title, sizeof title, n_curves <= NAMED_GATES ? "%s %s" : "%s", report_letter(e, letter), h->gate[g]);
            report_plot_curve(plot, e, g, REPORT_LINE, g == 0 || n_curves <= NAMED_GATES ? title : "");
            for (int i = 0; i < h->n; i++) report_plot_point(plot, h->epoch[i], h->p[i * h->n_gates + g], 0);
        }
    }
    return BNN_OK;
}

/* ---------------------------------------------------------------- all figures */

enum { TARGETS = 1, CLASSES = 2, BOTH = 3 };

typedef struct {
    int what;
    const char *title, *caption, *x, *y;
    bool log_x, diagonal, from_zero;
    report_draw *draw; /* of a bnn_comparison */
} figure;

static const figure figures[] = {
    {TARGETS, "Predicted against measured",
     "Test rows (of many, those spread evenly), with bars of 1.64 predictive sd to each side, which hold 90 % where the distribution is "
     "Gaussian: points on the diagonal are right, and a bar should reach it nine times of ten.",
     "measured", "predicted", false, true, false, report_draw_measured},
    {TARGETS, "Where the targets fall in their distributions",
     "Histogram of P(Y <= y) in ten bins, 1 where as many rows fall into a bin as should: a hill in the middle is caution, walls at the "
     "ends are overconfidence, a slope is bias.",
     "P(Y <= y)", "rows over those expected", false, false, true, report_draw_pit},
    {TARGETS, "Errors in predictive sd",
     "Error of each row, divided by its predictive sd, against the prediction: a cloud without shape around 0, one of twenty beyond 2, is "
     "right; a bend is something the network has not learned.",
     "predicted", "error / sd", false, false, false, report_draw_residuals},
    {TARGETS, "Calibration",
     "Share of the test targets inside the central predictive interval against the share it promises, mean over splits: below the diagonal "
     "an engine is overconfident, above it too cautious.",
     "nominal coverage", "observed coverage", false, true, false, draw_coverage},
    {TARGETS, "Predictive sd against error",
     "Test rows of all splits in ten groups of rising sd: on the diagonal an engine states the error it makes, a rising line tells hard "
     "rows from easy ones, and few points mean that many rows share one sd.",
     "mean predictive sd", "root mean squared error", false, true, false, draw_groups},
    {CLASSES, "Reliability",
     "Test rows of all splits in 15 bins of confidence, those of fewer than 5 rows left out: below the diagonal an engine is surer than it "
     "is right, above it too cautious.",
     "mean confidence", "accuracy", false, true, false, draw_groups},
    {TARGETS, "Risk against coverage",
     "Error of the rows that are kept when those of the largest sd are put aside: the further a curve falls to the left, the better the sd "
     "finds the rows that go wrong, and few points mean that many rows share one sd.",
     "rows kept, %", "root mean squared error", false, false, false, draw_risk},
    {CLASSES, "Risk against coverage",
     "Share of wrong classes among the rows that are kept when those of the least confidence are put aside: the further a curve falls to "
     "the left, the better the confidence finds the rows that go wrong.",
     "rows kept, %", "error rate", false, false, true, draw_risk},
    {BOTH, "Score against cost",
     "Mean log-likelihood over splits, with its standard error, against the gradients of one split, engines of like cost moved a little "
     "apart: better is up, cheaper is left. An arrow down is an engine that lies far below, with its score in brackets.",
     "gradients", "log-likelihood per row", true, false, false, draw_cost},
    {BOTH, "Training",
     "U = nll + prior + kl over the whole training set on the first split, after the first tenth of the fit: a curve that still falls "
     "at the end has not finished, and heights compare only where U has the same parts.",
     "share of the fit, %", "U, nats", false, false, false, draw_training},
    {BOTH, "Probability of dropping, by layer",
     "p of each layer on the first split: level lines are set, moving ones are learned, and those should have come to rest at the end.",
     "epoch", "p", false, false, true, draw_gates},
};

bnn_status report_figure(FILE *html, const char *title, const report_frame *frame, report_draw *draw, const void *context) {
    report_plot plot;
    BNN_TRY(report_plot_open(&plot));
    bnn_status s = draw(context, &plot);
    if (s == BNN_OK && !report_plot_empty(&plot)) {
        if (plot.owner < 0)
            fputs("<figure>\n<h3>", html);
        else
            fprintf(html, "<figure class=\"of e%d\">\n<h3>", plot.owner);
        report_text(html, title);
        fputs("</h3>\n", html);
        s = report_plot_draw(&plot, frame, html);
        fprintf(html, "<figcaption>%s</figcaption>\n</figure>\n", frame->alt);
    }
    report_plot_close(&plot);
    return s;
}

bnn_status report_figures(FILE *html, const bnn_comparison *c, int number) {
    char id[32];
    fputs("<div class=\"figures\">\n", html);
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        if (!(figures[i].what & (c->is_class ? CLASSES : TARGETS))) continue;
        snprintf(id, sizeof id, "f%d-%zu", number, i + 1);
        const figure *f = &figures[i];
        const report_frame frame = {
            .id = id, .x = f->x, .y = f->y, .alt = f->caption, .log_x = f->log_x, .diagonal = f->diagonal, .from_zero = f->from_zero};
        BNN_TRY(report_figure(html, f->title, &frame, f->draw, c));
    }
    fputs("</div>\n", html);
    return BNN_OK;
}
