/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * identities.c: samplers on posteriors that have no closed form, by what holds of each: E[dU/dx] = 0 and E[(x - c) dU/dx] = 1 for every
 * parameter x and constant c (Stein 1972, by parts). dU/dx is the model's.
 */
#include "engine.h"
#include "check/numeric.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 25, DRAWS = 4000, FITS = 2 };

/* ---------------------------------------------------------------- worlds */

static const struct world {
    const char *what;
    bnn_texts texts;
    int targets, classes;
} worlds[] = {
    {"with a noise and scales that are learned", {"dense", "gaussian:sd=0.7,shape=3", "hierarchical:sd=0.7,bias_sd=0.7,shape=3"}, 1, 0},
    {"on three targets of unlike sd with noises that are learned",
     {"dense", "gaussian:sd=0.7,shape=3", "scale_mixture:pi=0.4,sd1=1.5,sd2=0.4"},
     3,
     0},
    {"on four classes", {"dense", "categorical", "gauss:sd=0.6,bias_sd=2"}, 1, 4},
};

/* ---------------------------------------------------------------- draws and gradients */

/* out[draws, n]: dU/dx at every draw. */
static bnn_status slopes(const bnn_case_sample *d, const bnn_data *data, double *out) {
    const bnn_model *m = bnn_engine_fitted(d->e)->model;
    const bnn_objective u = {.n_total = data->n, .scale = 1, .kl_weight = 1, .mode = BNN_MEAN};
    size_t n = (size_t)d->n;
    bnn_workspace *ws;
    bnn_real *grad = calloc(n + 1, sizeof *grad);
    bnn_status s = grad ? bnn_workspace_new(m->net, data->n, BNN_TO_THETA, &ws) : bnn_oom("a rule");
    if (s == BNN_OK) {
        for (size_t i = 0; i < (size_t)d->draws; i++) {
            bnn_model_u(m, ws, &u, bnn_rng_seed(0), d->theta + i * n, data->n, data->x, data->y, grad);
            for (size_t j = 0; j < n; j++) out[i * n + j] = (double)grad[j];
        }
        bnn_workspace_free(ws);
    }
    free(grad);
    return s;
}

/* "kernel of dense_1[3]" of parameter i. */
static void name_of(const bnn_model *m, int i, char *text, size_t size) {
    bnn_block_info b;
    for (int k = 0; bnn_model_block(m, k, &b); k++)
        if ((size_t)i >= b.offset && (size_t)i < b.offset + b.length)
            snprintf(text, size, "%s of %s[%zu]", b.name, b.node, (size_t)i - b.offset);
}

/* ---------------------------------------------------------------- judgement */

static double mean_of(int n, const double *x) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += x[i];
    return sum / n;
}

static void judge_parameter(bnn_checker *c, const bnn_case_sample *d, const double *slope, int i, double error, double *values) {
    char name[96] = "";
    double x = 0, squares = 0;
    for (int s = 0; s < d->draws; s++) {
        values[s] = (double)d->theta[(size_t)s * (size_t)d->n + (size_t)i];
        squares += pow(slope[s * d->n + i], 2) / d->draws;
    }
    x = mean_of(d->draws, values);
    for (int s = 0; s < d->draws; s++) values[s] = slope[s * d->n + i];
    bnn_case_estimate flat = bnn_case_mean(d->chains, d->draws, values);
    for (int s = 0; s < d->draws; s++) values[s] = ((double)d->theta[(size_t)s * (size_t)d->n + (size_t)i] - x) * slope[s * d->n + i];
    bnn_case_estimate one = bnn_case_mean(d->chains, d->draws, values);
    name_of(bnn_engine_fitted(d->e)->model, i, name, sizeof name);
    if (!(fabs(one.mean - 1) <= 2 * error + one.chance))
        bnn_checker_break(c, "of x, the %s, E[(x - mean) dU/dx] is %.4g +- %.2g, where 1 is right of every posterior (ratio %.4g)%s", name,
                          one.mean, one.error, one.mean, fabs(one.mean) < 1e-3 ? ": it does not move" : "");
    if (!(fabs(flat.mean) <= error * sqrt(squares) + flat.chance))
        bnn_checker_break(c, "of x, the %s, E[dU/dx] is %.4g +- %.2g, where 0 is right of every posterior", name, flat.mean, flat.error);
    if (one.error > 0.25)
        bnn_checker_break(c, "of x, the %s, E[(x - mean) dU/dx] is %.4g +- %.2g: the draws are too few, do not move, or run away", name,
                          one.mean, one.error);
}

static bnn_status judge(bnn_checker *c, const bnn_engine_case *k, const bnn_case_sample *d, const bnn_data *data) {
    double *slope = calloc((size_t)d->draws * (size_t)d->n + 1, sizeof *slope), *values = calloc((size_t)d->draws + 1, sizeof *values);
    bnn_status s = slope && values ? slopes(d, data, slope) : bnn_oom("a rule");
    for (int i = 0; i < d->n && s == BNN_OK; i++) judge_parameter(c, d, slope, i, k->claim->error, values);
    free(slope), free(values);
    return s;
}

static bnn_status judge_world(bnn_checker *c, const bnn_engine_case *k, const struct world *w) {
    bnn_case_rows rows;
    bnn_case_sample d;
    BNN_TRY(bnn_case_targets_open(ROWS, w->targets, w->classes, 1, &rows));
    bnn_status s = bnn_case_sample_open(k->spec, &w->texts, rows.data, k->claim->error < 0.05 ? FITS : 1, DRAWS, &d);
    if (s == BNN_OK) {
        c->note = w->what;
        s = judge(c, k, &d, rows.data);
        c->note = NULL;
        bnn_case_sample_close(&d);
    }
    bnn_case_rows_close(&rows);
    return s;
}

bnn_status bnn_rule_identities(bnn_checker *c, const bnn_engine_case *k) {
    if (k->claim->finds != BNN_FINDS_POSTERIOR) {
        bnn_checker_skip(c, "does not claim posteriors of other shapes than a Gaussian's");
        return BNN_OK;
    }
    for (size_t i = 0; i < sizeof worlds / sizeof *worlds && !bnn_checker_broken(c); i++) BNN_TRY(judge_world(c, k, &worlds[i]));
    return BNN_OK;
}
