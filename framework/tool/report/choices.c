/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * choices.c: the pages of what `bnn bandit` and `bnn acquire` found: the regret of agents, a figure for each game with a curve for each
 * agent; and the rows that were chosen from pools, a figure and a table for each file.
 */
#include "report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BARS = 10, MOST_ROWS = 50 };

/* ---- agents ---- */

typedef struct {
    bnn_played **of; /* [n] one of each file */
    int n;
    const char *game; /* that is drawn */
} agents;

static bool plays(const agents *all, int i) { return strcmp(all->of[i]->game, all->game) == 0; }

/* A curve for each agent, and standard errors where there are runs enough. */
static bnn_status draw_regret(const void *context, report_plot *plot) {
    const agents *all = context;
    char letter[8];
    double se;
    for (int i = 0; i < all->n; i++) {
        const bnn_regret *g = all->of[i]->regret;
        if (!plays(all, i)) continue;
        report_letter(i, letter);
        report_plot_curve(plot, i, 0, g->runs > 1 ? REPORT_PLAIN : REPORT_LINE, g->runs > 1 ? "" : letter);
        for (int k = 0; k < g->n_points; k++) report_plot_point(plot, g->step[k], bnn_regret_mean(g, k, &se), 0);
        if (g->runs < 2) continue;
        report_plot_curve(plot, i, 0, REPORT_BARS, letter);
        for (int b = 1; b <= BARS; b++) {
            int k = (int)((int64_t)g->n_points * b / BARS) - 1;
            if (k < 0) continue;
            double mean = bnn_regret_mean(g, k, &se);
            report_plot_point(plot, g->step[k], mean, se);
        }
    }
    return BNN_OK;
}

static void write_name(FILE *html, const bnn_played *p) {
    report_text(html, p->policy);
    if (!isnan(p->epsilon)) fprintf(html, " %g", p->epsilon);
    if (*p->engine) fputs(", ", html), report_text(html, p->engine);
    if (*p->head) fputs(", head ", html), report_text(html, p->head);
}

static void write_cell(FILE *html, double x, int decimals) {
    fputs("<td>", html);
    if (isfinite(x)) report_number(html, x, decimals);
    fputs("</td>", html);
}

static void write_agent(FILE *html, const bnn_played *p, int i) {
    const bnn_regret *g = p->regret;
    double se, before_se, regret = bnn_regret_mean(g, g->n_points - 1, &se);
    int tenth = (int)((int64_t)g->n_points * 9 / 10) - 1;
    double reward = 0, gradients = 0;
    for (int r = 0; r < g->runs; r++) reward += g->reward[r] / g->runs, gradients += g->gradients[r] / g->runs;
    fprintf(html, "<tr class=\"e%d\"><th scope=\"row\" class=\"who\">", i);
    report_chip(html, i);
    fputs("<span class=\"name\">", html);
    write_name(html, p);
    fputs("</span></th>", html);
    write_cell(html, g->runs, REPORT_THOUSANDS), write_cell(html, g->step[g->n_points - 1], REPORT_THOUSANDS);
    write_cell(html, regret, 1), write_cell(html, se, 1);
    write_cell(html, tenth < 0 ? NAN : regret - bnn_regret_mean(g, tenth, &before_se), 1);
    write_cell(html, reward, 1), write_cell(html, gradients, REPORT_THOUSANDS);
    fputs("</tr>\n", html);
}

static bnn_status write_game(FILE *html, const agents *all, int number) {
    char id[32];
    snprintf(id, sizeof id, "g%d", number);
    const report_frame frame = {.id = id,
                                .x = "step",
                                .y = "regret",
                                .alt = "Lower is better: the expected reward of the best actions less that of those taken, summed. "
                                       "Bars are standard errors over runs.",
                                .from_zero = true};
    fputs("<section>\n<h2>", html);
    report_text(html, all->game);
    fputs("</h2>\n<div class=\"wide\"><table>\n<thead><tr><th scope=\"col\" class=\"who\">agent</th><th scope=\"col\">runs</th><th "
          "scope=\"col\">steps</th><th scope=\"col\">regret</th><th scope=\"col\">standard error</th><th scope=\"col\">in the last "
          "tenth</th><th scope=\"col\">reward</th><th scope=\"col\">gradients a run</th></tr></thead>\n<tbody>\n",
          html);
    for (int i = 0; i < all->n; i++)
        if (plays(all, i)) write_agent(html, all->of[i], i);
    fputs("</tbody>\n</table></div>\n<div class=\"figures\">\n", html);
    BNN_TRY(report_figure(html, "Regret", &frame, draw_regret, all));
    fputs("</div>\n</section>\n", html);
    return BNN_OK;
}

static bool is_first_of_its_game(const agents *all, int i) {
    for (int k = 0; k < i; k++)
        if (strcmp(all->of[k]->game, all->of[i]->game) == 0) return false;
    return true;
}

static bnn_status write_games(FILE *html, agents *all) {
    bnn_status s = BNN_OK;
    for (int i = 0; s == BNN_OK && i < all->n; i++) {
        all->game = all->of[i]->game;
        if (is_first_of_its_game(all, i)) s = write_game(html, all, i + 1);
    }
    return s;
}

bnn_status report_regrets(FILE *html, char *const *file, int n) {
    static const char *const title = "Regret of agents";
    agents all = {.of = calloc((size_t)n, sizeof *all.of), .n = n};
    bnn_status s = all.of ? BNN_OK : bnn_oom("a report");
    for (int i = 0; s == BNN_OK && i < n; i++) s = bnn_played_load(file[i], &all.of[i]);
    report_head(html, &title, 1);
    fprintf(html, "<h1>%s</h1>\n", title);
    if (s == BNN_OK) s = write_games(html, &all);
    report_foot(html);
    for (int i = 0; all.of && i < n; i++) bnn_played_free(all.of[i]);
    free(all.of);
    return s;
}

/* ---- chosen rows ---- */

static bnn_status draw_scores(const void *context, report_plot *plot) {
    const bnn_acquisition *a = context;
    report_plot_curve(plot, 0, 0, REPORT_LINE, "");
    for (int k = 0; k < a->n; k++) report_plot_point(plot, k + 1, a->score[k], 0);
    return BNN_OK;
}

static bnn_status write_acquisition(FILE *html, const bnn_acquisition *a, const char *path, int number) {
    char id[32];
    snprintf(id, sizeof id, "a%d", number);
    const report_frame frame = {
        .id = id, .x = "rows taken", .y = "score", .alt = "What each row was taken for, in their order.", .from_zero = true};
    fputs("<section>\n<h2>", html);
    report_text(html, path);
    fprintf(html, "</h2>\n<p>%d of %d rows, by ", a->n, a->pool);
    report_text(html, a->by);
    fputs(strcmp(a->by, "batchbald") == 0 ? "; scores are those of all rows up to there.</p>\n" : ".</p>\n", html);
    fputs("<div class=\"wide\"><table>\n<thead><tr><th scope=\"col\" class=\"who\">taken</th><th scope=\"col\">row</th><th "
          "scope=\"col\">score</th></tr></thead>\n<tbody>\n",
          html);
    for (int k = 0; k < a->n && k < MOST_ROWS; k++)
        fprintf(html, "<tr><th scope=\"row\">%d</th><td>%d</td><td>%.6g</td></tr>\n", k + 1, a->row[k] + 1, a->score[k]);
    fputs("</tbody>\n</table></div>\n", html);
    if (a->n > MOST_ROWS) fprintf(html, "<p>The other %d rows are in the file.</p>\n", a->n - MOST_ROWS);
    fputs("<div class=\"figures\">\n", html);
    BNN_TRY(report_figure(html, "Scores", &frame, draw_scores, a));
    fputs("</div>\n</section>\n", html);
    return BNN_OK;
}

static bnn_status write_chosen(FILE *html, const char *path, int number) {
    bnn_acquisition *a;
    BNN_TRY(bnn_acquisition_load(path, &a));
    bnn_status s = write_acquisition(html, a, path, number);
    bnn_acquisition_free(a);
    return s;
}

bnn_status report_acquisitions(FILE *html, char *const *file, int n) {
    return report_sections(html, "Rows that are worth a target", file, n, write_chosen);
}
