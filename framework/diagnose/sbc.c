/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "simulate.h"
#include <bnn/diagnose.h>
#include <bnn/jobs.h>
#include <bnn/predict.h>

#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bnn_sbc_config bnn_sbc_preset(void) {
    return (bnn_sbc_config){
        .rows = 20, .inputs = 2, .points = 3, .replications = 200, .draws = 99, .bins = 10, .transitions = 100, .seed = 1};
}

typedef struct {
    bnn_simulator s;
    bnn_sbc *sbc;
    bool whole;      /* draws are joint ones of the network's outputs: the log likelihood is one of theirs, too */
    bool parameters; /* draws are parameters of the plain network */
    int *dependent;  /* [replications] 0 or 1 */
} work;

/* ---------------------------------------------------------------- one replication */

/* Draws of one fit on their way into values[n, S]. */
typedef struct {
    const work *w;
    int S;
    double *values;
} sheet;

static bnn_status take(void *context, const bnn_drawn *drawn) {
    const sheet *h = context;
    const bnn_simulator *s = &h->w->s;
    int rows = s->config->rows, means = s->config->points * s->per_point, mean_dim = s->model->likelihood.mean_dim;
    double *value = h->values + drawn->s;
    size_t stride = (size_t)h->S;
    for (int i = 0; i < drawn->n; i++) {
        int row = drawn->row + i;
        for (int k = 0; row >= rows && k < s->per_point; k++)
            value[(size_t)((row - rows) * s->per_point + k) * stride] = (double)drawn->mean[i * mean_dim + k];
        if (row < rows && h->w->whole) value[(size_t)means * stride] += drawn->logp[i];
    }
    if (drawn->row == 0 && h->w->parameters) bnn_summary_take(s->model, drawn->theta, value + (size_t)(means + 1) * stride, stride);
    return BNN_OK;
}

static bnn_status fit(const work *w, bnn_world *world, int i, bnn_rng rng, bnn_engine **out) {
    const bnn_sbc_config *c = w->s.config;
    BNN_TRY(bnn_engine_new(c->engine, &w->s.texts, world->rows, rng, out));
    bnn_step step = {0};
    for (bnn_status s; !step.done;) {
        if ((s = bnn_engine_step(*out, world->rows, &step)) < 0) {
            bnn_engine_free(*out);
            return s;
        }
        if (c->progress) c->progress(c->context, i, step.progress);
    }
    return BNN_OK;
}

/* Draws that the engine has made, or those that are wanted; an engine with too few has been refused. */
static bnn_status count_draws(const work *w, const bnn_engine *fitted, int *S) {
    const bnn_engine_type *type = bnn_engine_vtable(fitted);
    int stored = type->n_draws ? type->n_draws(fitted) : type->member ? 2 * w->sbc->draws : w->sbc->draws; /* members share them */
    *S = bnn_predict_samples(fitted, stored);
    if (*S >= w->sbc->draws) return BNN_OK;
    return bnn_fail(BNN_ERR_OPTION, "engine '%s' makes %d draws, and ranks are asked for among %d%s", fitted->object.type->name, *S,
                    w->sbc->draws, *S > 1 ? ": let it make more, or ask for fewer (--draws)" : "");
}

/* Equal values, as of probabilities rounded to 1, are put in order by chance. */
static int rank_of(double truth, const double *value, int S, int R, double chance) {
    int less = 0, equal = 0;
    for (int i = 0; i < R; i++) {
        double x = value[(int64_t)(2 * i + 1) * S / (2 * R)];
        less += x < truth;
        equal += x == truth;
    }
    return less + (int)(chance * (equal + 1));
}

static bnn_status rank_all(const work *w, const bnn_engine *fitted, const sheet *h, const double *truth, int i, bnn_rng ties) {
    bnn_sbc *sbc = w->sbc;
    const bnn_engine_type *type = bnn_engine_vtable(fitted);
    int chains = type->n_chains ? type->n_chains(fitted) : 0;
    for (int q = 0; q < sbc->n; q++) {
        const double *value = h->values + (size_t)q * (size_t)h->S;
        bnn_real chance;
        bnn_rng_uniform(ties, (uint64_t)q, 1, 1, &chance);
        sbc->quantity[q].rank[i] = rank_of(truth[q], value, h->S, sbc->draws, (double)chance);
        bnn_convergence is = {.ess_bulk = NAN};
        if (chains == 0) continue;
        if (h->S / chains >= BNN_FEWEST_DRAWS) BNN_TRY(bnn_convergence_of(chains, h->S / chains, value, &is));
        if (!(is.ess_bulk >= sbc->draws)) w->dependent[i] = 1;
    }
    return BNN_OK;
}

static bnn_status predict_and_rank(const work *w, bnn_world *world, const bnn_engine *engine, const double *truth, int i, bnn_rng rng) {
    const bnn_engine *fitted = bnn_engine_fitted(engine);
    sheet h = {.w = w};
    if (w->whole) BNN_TRY(bnn_predict_keeps(engine)); /* of a holder this is known only now */
    BNN_TRY(count_draws(w, fitted, &h.S));
    const bnn_sink sink = {take, &h};
    bnn_predict_options how = {.samples = h.S, .seed = bnn_rng_split(rng, BNN_WORLD_PREDICT).key, .sink = &sink};
    bnn_prediction *p;
    h.values = calloc((size_t)w->s.n * (size_t)h.S, sizeof *h.values);
    bnn_status s = h.values ? bnn_predict(engine, world->all, &how, &p) : bnn_oom("simulation-based calibration");
    if (s == BNN_OK) {
        bnn_prediction_free(p);
        s = rank_all(w, fitted, &h, truth, i, bnn_rng_split(rng, BNN_WORLD_TIES));
    }
    free(h.values);
    return s;
}

static bnn_status replicate_in(const work *w, bnn_world *world, double *truth, int i) {
    bnn_rng rng = bnn_rng_split(bnn_rng_split(w->s.rng, BNN_SIMULATE_WORLD), (uint64_t)i);
    bnn_engine *engine;
    BNN_TRY(bnn_world_draw_theta(&w->s, world, bnn_rng_split(rng, BNN_WORLD_THETA)));
    bnn_world_draw_y(&w->s, world, bnn_rng_split(rng, BNN_WORLD_Y));
    bnn_world_measure(&w->s, world, truth);
    BNN_TRY(fit(w, world, i, bnn_rng_split(rng, BNN_WORLD_ENGINE), &engine));
    bnn_status s = predict_and_rank(w, world, engine, truth, i, rng);
    bnn_engine_free(engine);
    return s;
}

static bnn_status replicate(void *context, int i) {
    const work *w = context;
    bnn_world world;
    bnn_status s = bnn_world_open(&w->s, &world);
    double *truth = malloc((size_t)w->s.n * sizeof *truth);
    if (s == BNN_OK) s = truth ? replicate_in(w, &world, truth, i) : bnn_oom("simulation-based calibration");
    free(truth);
    bnn_world_close(&world);
    return s < 0 ? bnn_note(s, "replication %d", i + 1) : BNN_OK;
}

/* ---------------------------------------------------------------- the test */

static void test(const bnn_sbc *sbc, bnn_sbc_quantity *q) {
    double L = sbc->replications, R = sbc->draws, expected = L / sbc->bins, sum = 0, squares = 0, var = R * (R + 2) / 12;
    for (int i = 0; i < sbc->replications; i++) {
        double off = q->rank[i] - R / 2;
        q->count[q->rank[i] / ((sbc->draws + 1) / sbc->bins)]++;
        sum += off, squares += off * off;
    }
    for (int b = 0; b < sbc->bins; b++) q->chi2 += (q->count[b] - expected) * (q->count[b] - expected) / expected;
    q->p = gsl_cdf_chisq_Q(q->chi2, sbc->bins - 1);
    q->low = sum / sqrt(L * var);
    q->spread = (squares - sum * sum / L) / ((L - 1) * var);
}

/* Learns the quantities of the engine's draws from an engine that is not fitted yet. */
static bnn_status look_at_engine(work *w) {
    bnn_world world;
    bnn_engine *e = NULL;
    bnn_status s = bnn_world_open(&w->s, &world);
    if (s == BNN_OK) s = bnn_world_draw_theta(&w->s, &world, w->s.rng); /* refuses priors without draws before the work */
    if (s == BNN_OK) s = bnn_engine_new(w->s.config->engine, &w->s.texts, world.rows, w->s.rng, &e);
    char *plain = s == BNN_OK ? bnn_net_print(w->s.model->net) : NULL;
    if (s == BNN_OK && !plain) s = bnn_oom("simulation-based calibration");
    if (s == BNN_OK && e->object.type->caps & BNN_POINT)
        s = bnn_fail(BNN_ERR_OPTION, "engine '%s' has one parameter vector and no draws to rank among", e->object.type->name);
    if (s == BNN_OK) {
        w->whole = !bnn_engine_vtable(e)->predictive;
        w->parameters = w->whole && strcmp(plain, e->texts.net) == 0;
    }
    free(plain);
    bnn_engine_free(e);
    bnn_world_close(&world);
    return s;
}

static bnn_status open_results(work *w) {
    const bnn_sbc_config *c = w->s.config;
    bnn_sbc *sbc = w->sbc;
    if (c->draws < 1 || c->bins < 2 || (c->draws + 1) % c->bins != 0)
        return bnn_fail(BNN_ERR_OPTION, "%d ranks (0 to %d) cannot be put into %d equal bins", c->draws + 1, c->draws, c->bins);
    int n = w->parameters ? w->s.n : c->points * w->s.per_point + w->whole;
    *sbc = (bnn_sbc){.replications = c->replications, .draws = c->draws, .bins = c->bins};
    sbc->quantity = calloc((size_t)n + 1, sizeof *sbc->quantity);
    w->dependent = calloc((size_t)c->replications, sizeof *w->dependent);
    if (!sbc->quantity || !w->dependent) return bnn_oom("simulation-based calibration");
    for (; sbc->n < n; sbc->n++) {
        bnn_sbc_quantity *q = &sbc->quantity[sbc->n];
        bnn_simulator_name(&w->s, sbc->n, q->name);
        q->rank = calloc((size_t)c->replications, sizeof *q->rank);
        q->count = calloc((size_t)c->bins, sizeof *q->count);
        if (!q->rank || !q->count) return sbc->n++, bnn_oom("simulation-based calibration");
    }
    return n > 0 ? BNN_OK : bnn_fail(BNN_ERR_OPTION, "there is nothing to rank: this engine is asked for new rows (--points)");
}

bnn_status bnn_sbc_run(const bnn_sbc_config *config, bnn_sbc **out) {
    work w = {.sbc = calloc(1, sizeof *w.sbc)};
    if (!w.sbc) return bnn_oom("simulation-based calibration");
    bnn_status s = bnn_simulator_open(config, &w.s);
    if (s == BNN_OK) s = look_at_engine(&w);
    if (s == BNN_OK) s = open_results(&w);
    if (s == BNN_OK) s = bnn_jobs_run(config->replications, replicate, &w);
    w.sbc->p = 1;
    for (int q = 0; s == BNN_OK && q < w.sbc->n; q++) {
        test(w.sbc, &w.sbc->quantity[q]);
        w.sbc->p = fmin(w.sbc->p, w.sbc->n * w.sbc->quantity[q].p);
    }
    for (int i = 0; s == BNN_OK && i < config->replications; i++) w.sbc->dependent += w.dependent[i];
    free(w.dependent);
    bnn_simulator_close(&w.s);
    if (s < 0)
        bnn_sbc_free(w.sbc);
    else
        *out = w.sbc;
    return s;
}

void bnn_sbc_free(bnn_sbc *sbc) {
    if (!sbc) return;
    for (int q = 0; q < sbc->n; q++) free(sbc->quantity[q].rank), free(sbc->quantity[q].count);
    free(sbc->quantity);
    free(sbc);
}
