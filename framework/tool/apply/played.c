/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * played.c: how an agent fared in its runs, as text and as JSON.
 */
#include "tool/print/json.h"
#include "tool/tool.h"

#include <math.h>
#include <stdio.h>

enum { LINES = 10 };

static double mean_of(const double *values, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += values[i];
    return sum / n;
}

void tool_print_played(const bnn_played *p) {
    const bnn_regret *g = p->regret;
    printf("%s, %s", tool_line(p->game), tool_line(p->policy));
    if (!isnan(p->epsilon)) printf(" %g", p->epsilon);
    if (*p->engine) printf(", %s", tool_line(p->engine));
    printf("%s: regret in %d run%s\n  %8s %12s %10s\n", *p->head ? ", with a head" : "", g->runs, g->runs == 1 ? "" : "s", "steps",
           "regret", "se");
    for (int k = 0; k < g->n_points; k++) {
        if ((k + 1LL) * LINES % g->n_points >= LINES && k + 1 != g->n_points) continue;
        double se, mean = bnn_regret_mean(g, k, &se);
        printf("  %8d %12.1f", g->step[k], mean);
        if (isnan(se))
            printf(" %10s\n", "");
        else
            printf(" %10.1f\n", se);
    }
    printf("reward %.1f and %.0f gradients a run\n", mean_of(g->reward, g->runs), mean_of(g->gradients, g->runs));
}

static json_t *text_or_null(const char *text) { return tool_json_text(*text ? text : NULL); }

void tool_json_played(json_t *o, const bnn_played *p) {
    const bnn_regret *g = p->regret;
    json_t *step = json_array(), *mean = json_array(), *ses = json_array(), *curves = json_array();
    for (int k = 0; k < g->n_points; k++) {
        double se, m = bnn_regret_mean(g, k, &se);
        tool_json_append(step, json_integer(g->step[k]));
        tool_json_append(mean, tool_json_number(m));
        tool_json_append(ses, tool_json_number(se));
    }
    for (int i = 0; i < g->runs; i++) tool_json_append(curves, tool_json_numbers(g->regret + (size_t)i * (size_t)g->n_points, g->n_points));
    tool_json_set(o, "game", tool_json_text(p->game));
    tool_json_set(o, "policy", tool_json_text(p->policy));
    tool_json_set(o, "epsilon", tool_json_number(p->epsilon));
    tool_json_set(o, "engine", text_or_null(p->engine));
    tool_json_set(o, "head", text_or_null(p->head));
    tool_json_set(o, "runs", json_integer(g->runs));
    tool_json_set(o, "step", step);
    tool_json_set(o, "regret", mean);
    tool_json_set(o, "regret_se", ses);
    tool_json_set(o, "regret_of_runs", curves);
    tool_json_set(o, "reward_of_runs", tool_json_numbers(g->reward, g->runs));
    tool_json_set(o, "gradients_of_runs", tool_json_numbers(g->gradients, g->runs));
}
