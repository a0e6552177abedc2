/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "simulate.h"
#include <bnn/jobs.h>

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Draws of the prior, the marginal-conditional simulator, in blocks that are made in parallel. */
enum { BLOCKS = 64, A_BLOCK = 256, MARGINAL = BLOCKS * A_BLOCK };

typedef struct {
    bnn_simulator s;
    bnn_geweke *g;
    double *sorted;             /* [n, MARGINAL] quantities of prior draws */
    double *sum_u, *sum_square; /* [n, chains] means over the transitions of u, of (u - 1/2)^2 */
} work;

/* ---------------------------------------------------------------- the prior */

static bnn_status draw_block(const work *w, bnn_world *world, double *now, int b) {
    for (int i = b * A_BLOCK; i < (b + 1) * A_BLOCK; i++) {
        bnn_rng rng = bnn_rng_split(bnn_rng_split(w->s.rng, BNN_SIMULATE_PRIOR), (uint64_t)i);
        BNN_TRY(bnn_world_draw_theta(&w->s, world, bnn_rng_split(rng, BNN_WORLD_THETA)));
        bnn_world_draw_y(&w->s, world, bnn_rng_split(rng, BNN_WORLD_Y));
        bnn_world_measure(&w->s, world, now);
        for (int q = 0; q < w->s.n; q++) w->sorted[(size_t)q * MARGINAL + (size_t)i] = now[q];
    }
    return BNN_OK;
}

/* Runs one job in a world of its own, with room for the quantities. */
static bnn_status in_a_world(const work *w, bnn_status (*job)(const work *, bnn_world *, double *, int), int i) {
    bnn_world world;
    bnn_status s = bnn_world_open(&w->s, &world);
    double *now = malloc((size_t)w->s.n * sizeof *now);
    if (s == BNN_OK) s = now ? job(w, &world, now, i) : bnn_oom("Geweke's test");
    free(now);
    bnn_world_close(&world);
    return s;
}

static bnn_status prior_job(void *context, int b) { return in_a_world(context, draw_block, b); }

static bnn_status sort_job(void *context, int q) {
    gsl_sort(((const work *)context)->sorted + (size_t)q * MARGINAL, 1, MARGINAL);
    return BNN_OK;
}

/* Numbers in sorted[n] below x, or up to it. */
static size_t count(const double *sorted, size_t n, double x, bool up_to) {
    size_t from = 0;
    while (n > from) {
        size_t middle = from + (n - from) / 2;
        if (sorted[middle] < x || (up_to && sorted[middle] == x))
            from = middle + 1;
        else
            n = middle;
    }
    return from;
}

/* ---------------------------------------------------------------- one chain */

static bnn_status walk(const work *w, bnn_world *world, bnn_engine *e, bnn_rng rng, double *now, int chain) {
    const bnn_sbc_config *c = w->s.config;
    size_t n = (size_t)w->s.model->n_theta;
    for (int t = 0; t < c->transitions; t++) {
        bnn_step step;
        BNN_TRY(bnn_engine_vtable(e)->place(e, world->theta));
        BNN_TRY(bnn_engine_step(e, world->rows, &step));
        memcpy(world->theta, step.theta, n * sizeof *world->theta);
        bnn_world_draw_y(&w->s, world, bnn_rng_split(rng, (uint64_t)t));
        bnn_world_measure(&w->s, world, now);
        for (int q = 0; q < w->s.n; q++) {
            const double *sorted = w->sorted + (size_t)q * MARGINAL;
            double below = (double)count(sorted, MARGINAL, now[q], false), up_to = (double)count(sorted, MARGINAL, now[q], true);
            double u = 0.5 * (below + up_to) / MARGINAL;
            w->sum_u[q * c->replications + chain] += u / c->transitions;
            w->sum_square[q * c->replications + chain] += (u - 0.5) * (u - 0.5) / c->transitions;
        }
        if (c->progress) c->progress(c->context, chain, (t + 1.0) / c->transitions);
    }
    return BNN_OK;
}

static bnn_status run_chain(const work *w, bnn_world *world, double *now, int chain) {
    bnn_rng rng = bnn_rng_split(bnn_rng_split(w->s.rng, BNN_SIMULATE_WORLD), (uint64_t)chain);
    bnn_engine *e;
    BNN_TRY(bnn_world_draw_theta(&w->s, world, bnn_rng_split(rng, BNN_WORLD_THETA)));
    bnn_world_draw_y(&w->s, world, bnn_rng_split(rng, BNN_WORLD_TIES));
    BNN_TRY(bnn_engine_new(w->g->engine, &w->s.texts, world->rows, bnn_rng_split(rng, BNN_WORLD_ENGINE), &e));
    bnn_status s = walk(w, world, e, bnn_rng_split(rng, BNN_WORLD_Y), now, chain);
    bnn_engine_free(e);
    return s;
}

static bnn_status chain_job(void *context, int chain) {
    bnn_status s = in_a_world(context, run_chain, chain);
    return s < 0 ? bnn_note(s, "chain %d", chain + 1) : BNN_OK;
}

/* ---------------------------------------------------------------- the test */

/* From the means of independent chains; var is the variance of the number itself under the prior, of which MARGINAL draws say what is
 * expected. */
static double z_of(const double *mean, int chains, double expected, double var) {
    double between = gsl_stats_variance(mean, 1, (size_t)chains);
    return (gsl_stats_mean(mean, 1, (size_t)chains) - expected) / sqrt(between / chains + var / MARGINAL);
}

static void test(const work *w, int i) {
    bnn_geweke_quantity *q = &w->g->quantity[i];
    int chains = w->g->chains;
    bnn_simulator_name(&w->s, i, q->name);
    q->z_mean = z_of(w->sum_u + i * chains, chains, 0.5, 1.0 / 12);
    q->z_square = z_of(w->sum_square + i * chains, chains, 1.0 / 12, 1.0 / 180);
    q->p = fmin(1, 4 * gsl_cdf_tdist_Q(fmax(fabs(q->z_mean), fabs(q->z_square)), chains - 1));
    w->g->p = fmin(w->g->p, w->g->n * q->p);
}

/* The engine's text with one chain and no warm-up. */
static bnn_status make_text(const bnn_sbc_config *c, char **out) {
    char transitions[16];
    snprintf(transitions, sizeof transitions, "%d", c->transitions);
    const char *const set[][2] = {{"chains", "1"}, {"warmup", "0"}, {"thin", "1"}, {"samples", transitions}};
    bnn_object o;
    bnn_option found;
    BNN_TRY(bnn_object_parse(BNN_ENGINE, c->engine, &o));
    bnn_status s = BNN_OK;
    if (!((const bnn_engine_type *)o.type)->place)
        s = bnn_fail(BNN_ERR_OPTION, "engine '%s' has no transition that could be tested: it is no Markov chain that can be placed",
                     o.type->name);
    for (size_t i = 0; s == BNN_OK && i < sizeof set / sizeof *set; i++)
        if (bnn_options_find(o.type->options, set[i][0], &found)) s = bnn_options_set(o.type->options, o.conf, set[i][0], set[i][1]);
    if (s == BNN_OK && !(*out = bnn_object_print(&o, false))) s = bnn_oom("Geweke's test");
    bnn_object_free(&o);
    return s;
}

static bnn_status open_results(work *w) {
    size_t n = (size_t)w->s.n, chains = (size_t)w->s.config->replications;
    w->g->chains = (int)chains, w->g->n = (int)n, w->g->transitions = w->s.config->transitions, w->g->p = 1;
    if (w->g->transitions < 1) return bnn_fail(BNN_ERR_OPTION, "a chain needs a transition");
    w->g->quantity = calloc(n, sizeof *w->g->quantity);
    w->sorted = calloc(n * MARGINAL, sizeof *w->sorted);
    w->sum_u = calloc(n * chains, sizeof *w->sum_u);
    w->sum_square = calloc(n * chains, sizeof *w->sum_square);
    return w->g->quantity && w->sorted && w->sum_u && w->sum_square ? BNN_OK : bnn_oom("Geweke's test");
}

bnn_status bnn_geweke_run(const bnn_sbc_config *config, bnn_geweke **out) {
    work w = {.g = calloc(1, sizeof *w.g)};
    if (!w.g) return bnn_oom("Geweke's test");
    bnn_status s = bnn_simulator_open(config, &w.s);
    if (s == BNN_OK) s = make_text(config, &w.g->engine);
    if (s == BNN_OK) s = open_results(&w);
    if (s == BNN_OK) s = bnn_jobs_run(BLOCKS, prior_job, &w);
    if (s == BNN_OK) s = bnn_jobs_run(w.s.n, sort_job, &w);
    if (s == BNN_OK) s = bnn_jobs_run(config->replications, chain_job, &w);
    for (int q = 0; s == BNN_OK && q < w.s.n; q++) test(&w, q);
    free(w.sorted), free(w.sum_u), free(w.sum_square);
    bnn_simulator_close(&w.s);
    if (s < 0)
        bnn_geweke_free(w.g);
    else
        *out = w.g;
    return s;
}

void bnn_geweke_free(bnn_geweke *geweke) {
    if (!geweke) return;
    free(geweke->engine);
    free(geweke->quantity);
    free(geweke);
}
