/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * chains.c: whether Markov chains have met, in pictures: traces, and the ranks of each chain's draws among those of all (Vehtari et al.
 * 2021, section 5).
 */
#include "report.h"

#include <math.h>
#include <stdlib.h>

enum { PICTURED = 3, MOST_DRAWS = 200, MOST_BINS = 20, FEWEST_IN_A_BIN = 8, CHAINS_SHOWN = 8 };

/* One quantity of an engine. */
typedef struct {
    const bnn_traces *traces;
    int engine, quantity;
} chosen;

static const bnn_real *draws_of(const chosen *q, int chain) {
    return q->traces->x + ((size_t)q->quantity * (size_t)q->traces->chains + (size_t)chain) * (size_t)q->traces->draws;
}

static void start_chain(report_plot *plot, const chosen *q, int chain, report_curve_kind kind) {
    char title[32];
    snprintf(title, sizeof title, "chain %d", chain + 1);
    plot->owner = q->engine;
    report_plot_curve(plot, chain, 0, kind, title);
}

/* Chains by colours; of many the first, and of long ones every so many draws. */
static bnn_status draw_trace(const void *context, report_plot *plot) {
    const chosen *q = context;
    int n = q->traces->draws, every = (n + MOST_DRAWS - 1) / MOST_DRAWS;
    for (int k = 0; k < q->traces->chains && k < CHAINS_SHOWN; k++) {
        start_chain(plot, q, k, REPORT_PLAIN);
        for (int i = 0; i < n; i += every) report_plot_point(plot, i, (double)draws_of(q, k)[i], 0);
    }
    return BNN_OK;
}

typedef struct {
    bnn_real x;
    int chain;
} ranked;

static int by_x(const void *a, const void *b) {
    const ranked *p = a, *q = b;
    return p->x != q->x ? (p->x > q->x) - (p->x < q->x) : (p->chain > q->chain) - (p->chain < q->chain);
}

/* Histograms of the ranks that the draws of each chain have among all: level lines at 1 where chains have met. */
static bnn_status draw_ranks(const void *context, report_plot *plot) {
    const chosen *q = context;
    int chains = q->traces->chains, n = q->traces->draws, S = chains * n;
    int bins = (int)fmax(2, fmin(MOST_BINS, n / FEWEST_IN_A_BIN));
    ranked *all = malloc((size_t)S * sizeof *all);
    if (!all) return bnn_oom("a figure");
    for (int i = 0; i < S; i++) all[i] = (ranked){draws_of(q, 0)[i], i / n};
    qsort(all, (size_t)S, sizeof *all, by_x);
    for (int k = 0; k < chains && k < CHAINS_SHOWN; k++) {
        double share[MOST_BINS + 1] = {0};
        for (int i = 0; i < S; i++)
            if (all[i].chain == k) share[(int64_t)i * bins / S] += (double)bins / n;
        share[bins] = share[bins - 1]; /* a step ends where the next one begins */
        start_chain(plot, q, k, REPORT_STEPS);
        for (int b = 0; b <= bins; b++) report_plot_point(plot, (double)b / bins, share[b], 0);
    }
    free(all);
    return BNN_OK;
}

static void write_quantities(FILE *html, const bnn_traces *t) {
    fputs(
        "<div class=\"wide\"><table>\n<thead><tr><th scope=\"col\" class=\"who\">quantity</th><th scope=\"col\">mean</th>"
        "<th scope=\"col\">sd</th><th scope=\"col\">R-hat</th><th scope=\"col\">bulk ESS</th><th scope=\"col\">tail ESS</th></tr></thead>\n"
        "<tbody>\n",
        html);
    for (int i = 0; i < t->n; i++) {
        const bnn_convergence *is = &t->quantity[i].is;
        const double cells[] = {is->mean, is->sd, is->rhat, is->ess_bulk, is->ess_tail};
        const int decimals[] = {report_decimals(fabs(is->mean)), report_decimals(is->sd), 3, 0, 0};
        fputs("<tr><th scope=\"row\">", html);
        report_text(html, t->quantity[i].name);
        fputs("</th>", html);
        for (int k = 0; k < 5; k++) fputs("<td>", html), report_number(html, cells[k], decimals[k]), fputs("</td>", html);
        fputs("</tr>\n", html);
    }
    fprintf(
        html,
        "</tbody></table></div>\n<p class=\"note\">%d chains of %d draws. The log density, and of the predictions of some rows those that "
        "agree least, of %d quantities in all; R-hat is 1 where chains have met, 1.01 is the limit, and the effective number of draws "
        "(ESS) "
        "should be %d for each chain.</p>\n",
        t->chains, t->draws, t->of, BNN_LEAST_ESS);
}

static bnn_status write_pictures(FILE *html, const chosen *q, int number) {
    char id[48], title[192];
    const char *name = q->traces->quantity[q->quantity].name;
    snprintf(id, sizeof id, "t%d-%d-%d", number, q->engine, q->quantity);
    snprintf(title, sizeof title, "Trace: %s", name);
    BNN_TRY(report_figure(html, title,
                          &(report_frame){.id = id,
                                          .x = "draw",
                                          .y = "value",
                                          .alt = "Draws in their order, a colour for each chain: good ones lie over each other like a "
                                                 "hedge, and none drifts."},
                          draw_trace, q));
    snprintf(id, sizeof id, "r%d-%d-%d", number, q->engine, q->quantity);
    snprintf(title, sizeof title, "Ranks: %s", name);
    return report_figure(html, title,
                         &(report_frame){.id = id,
                                         .x = "rank among all draws, as a share",
                                         .y = "draws over those expected",
                                         .from_zero = true,
                                         .alt = "Where the draws of each chain stand among those of all: level lines at 1 are right, a "
                                                "slope is a chain that lies elsewhere."},
                         draw_ranks, q);
}

bnn_status report_chains(FILE *html, const bnn_comparison *c, int number) {
    for (int e = 0; e < c->n_engines; e++) {
        const bnn_traces *t = c->engine[e].traces;
        if (!t) continue;
        fprintf(html, "<div class=\"of e%d\">\n<h3>Chains of ", e);
        report_chip(html, e);
        fprintf(html, "%s</h3>\n", c->n_splits > 1 ? " on the first split" : "");
        write_quantities(html, t);
        fputs("<div class=\"figures\">\n", html);
        for (int i = 0; i < t->n && i < PICTURED; i++) BNN_TRY(write_pictures(html, &(chosen){t, e, i}, number));
        fputs("</div>\n</div>\n", html);
    }
    return BNN_OK;
}
