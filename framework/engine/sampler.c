/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gibbs.h"
#include "model/shards.h"
#include <bnn/ranks.h>
#include <bnn/sampler.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The learned curvature weighs transition t by t^2 or so: the first ones are far from where the chain will be. */
#define LEARNING 3.0

static const char *const scales_names[] = {"joint", "gibbs", "noncentred", NULL};

const bnn_option bnn_sampler_options[] = {
    BNN_OPT_GROUP(bnn_sampler_conf, chains, bnn_chains_options, NULL),
    BNN_OPT_CHOICE(bnn_sampler_conf, scales, "joint", scales_names,
                   "how scales of a hierarchical prior and noise move: joint, on one trajectory with the weights; gibbs, drawn before it "
                   "given the weights; noncentred, drawn so, and scales again on the trajectory, with weights in units of them"),
    {0}};

static double u(void *context, const bnn_real *q, bnn_real *grad) {
    bnn_posterior *p = context;
    const bnn_objective objective = {.n_total = p->data->n, .scale = 1, .kl_weight = 1, .mode = BNN_MEAN, .weight = p->data->weight};
    const bnn_real *theta = p->noncentred ? bnn_gibbs_theta(p->noncentred, q, p->theta) : q;
    p->terms = bnn_model_u_data(p->model, p->ws, &objective, (bnn_rng){0}, theta, p->data, grad);
    return bnn_terms_u(p->terms) + (p->noncentred ? bnn_gibbs_pull_back(p->noncentred, theta, grad) : 0);
}

static bnn_status open_posterior(bnn_engine *e, int k, const bnn_data *data) {
    bnn_sampler *s = e->state;
    bnn_chains *c = &s->chains;
    bnn_posterior *p = &s->posterior[k];
    *p = (bnn_posterior){.model = e->model};
    c->h[k].u = u;
    c->h[k].context = p;
    bnn_model_init(e->model, bnn_rng_split(bnn_rng_split(e->rng, BNN_STREAM_INIT), (uint64_t)k), s->theta);
    for (int i = 0; i < c->n; i++) c->z[k].q[i] = (double)s->theta[i];
    p->theta = calloc((size_t)c->n, sizeof *p->theta);
    if (!p->theta) return bnn_oom("sampling");
    return data->n > 0 ? bnn_shards_workspace_new(e->model, data->n, &p->ws) : BNN_OK;
}

/* Draws the scales given the weights, and lets the metric follow them. */
static bnn_status move(bnn_chains *c, int k, bnn_rng rng, int tuning) {
    bnn_sampler *s = c->context;
    bnn_posterior *p = &s->posterior[k];
    bnn_phase *z = &c->z[k];
    bnn_real *theta = c->h[k].theta;
    double *curvature = s->curvature + k * s->gibbs->n, *var = c->var + (size_t)k * (size_t)c->n;
    for (int i = 0; i < c->n; i++) theta[i] = (bnn_real)z->q[i];
    BNN_TRY(bnn_gibbs_draw(s->gibbs, p->ws, p->data, rng, theta));
    bnn_gibbs_place(s->gibbs, theta, z->q);
    if (s->gibbs->noncentred) bnn_gibbs_leave(s->gibbs, z->q), p->noncentred = s->gibbs;
    bnn_phase_update(&c->h[k], z);
    if (tuning >= 0) bnn_gibbs_learn(s->gibbs, LEARNING / (tuning + LEARNING), theta, z->g, curvature);
    bnn_gibbs_metric(s->gibbs, c->conf->metric == BNN_METRIC_DIAGONAL ? curvature : NULL, theta, var);
    return BNN_OK;
}

static void after(bnn_chains *c, int k) {
    bnn_sampler *s = c->context;
    bnn_gibbs_return(s->gibbs, c->z[k].q);
    s->posterior[k].noncentred = NULL;
}

static bnn_status open_gibbs(bnn_sampler *s, const bnn_model *m, const bnn_data *data, bool noncentred) {
    const bnn_likelihood_type *likelihood = bnn_likelihood_vtable(&m->likelihood);
    if (data->weight && likelihood->draw_theta_given && !likelihood->draw_theta_weighted)
        return bnn_fail(BNN_ERR_OPTION, "likelihood '%s' cannot draw its parameters given rows with weights: use scales=joint",
                        m->likelihood.object.type->name);
    BNN_TRY(bnn_data_fill(data)); /* draws given the rest see all rows */
    s->gibbs = calloc(1, sizeof *s->gibbs);
    if (!s->gibbs) return bnn_oom("sampling");
    BNN_TRY(bnn_gibbs_open(m, noncentred, s->gibbs));
    s->curvature = calloc((size_t)s->chains.conf->chains * (size_t)s->gibbs->n + 1, sizeof *s->curvature);
    if (!s->curvature) return bnn_oom("sampling");
    s->chains.move = move, s->chains.context = s;
    if (noncentred) s->chains.after = after;
    return BNN_OK;
}

bnn_status bnn_sampler_open(bnn_engine *engine, const bnn_sampler_conf *of, bnn_transition_rule rule, const bnn_data *data) {
    bnn_sampler *s = engine->state;
    const bnn_model *m = engine->model;
    const bnn_chains_conf *conf = &of->chains;
    size_t chains = (size_t)conf->chains;
    double outputs = of->scales != BNN_SCALES_JOINT ? (double)data->n * m->likelihood.out_dim : 0;
    double each = (double)bnn_shards_workspace_bytes(m, data->n) + (outputs + m->n_theta) * sizeof(bnn_real);
    BNN_TRY(bnn_memory_check(bnn_chains_bytes(conf, rule, m->n_theta) + conf->chains * each, "sampling",
                             "keep fewer draws, thin more, or run fewer chains"));
    BNN_TRY(bnn_chains_open(&s->chains, conf, rule, m->n_theta, bnn_rng_split(engine->rng, BNN_STREAM_STEP)));
    s->posterior = calloc(chains, sizeof *s->posterior);
    s->theta = calloc((size_t)m->n_theta, sizeof *s->theta);
    s->of_chain = calloc(2 * chains, sizeof *s->of_chain);
    if (!s->posterior || !s->theta || !s->of_chain) return bnn_oom("sampling");
    if (of->scales != BNN_SCALES_JOINT) BNN_TRY(open_gibbs(s, m, data, of->scales == BNN_SCALES_NONCENTRED));
    for (int k = 0; k < conf->chains; k++) BNN_TRY(open_posterior(engine, k, data));
    return BNN_OK;
}

void bnn_sampler_expect(bnn_engine *engine, const bnn_sampler_conf *of, double leapfrogs, const bnn_data *data) {
    const bnn_chains_conf *c = &of->chains;
    if (data->n > 0) bnn_engine_expect(engine, c->chains * (c->warmup + (double)c->samples * c->thin) * leapfrogs, data->n, 0);
}

void bnn_sampler_close(bnn_engine *engine) {
    bnn_sampler *s = engine->state;
    for (int k = 0; s->posterior && k < s->chains.conf->chains; k++) bnn_workspace_free(s->posterior[k].ws), free(s->posterior[k].theta);
    bnn_chains_close(&s->chains);
    free(s->posterior);
    free(s->theta);
    free(s->of_chain);
    if (s->gibbs) bnn_gibbs_close(s->gibbs);
    free(s->gibbs);
    free(s->curvature);
}

static uint64_t evaluations(const bnn_chains *c) {
    uint64_t sum = 0;
    for (int k = 0; k < c->conf->chains; k++) sum += c->h[k].evaluations;
    return sum;
}

static void write_remark(bnn_sampler *s) {
    const bnn_chains *c = &s->chains;
    double n = 0, accept = 0, leapfrogs = 0, divergences = 0, shortest = INFINITY, longest = 0, bfmi = INFINITY;
    for (int k = 0; k < c->conf->chains; k++) {
        const bnn_chain_state *chain = &c->chain[k];
        n += chain->n;
        accept += chain->accept;
        leapfrogs += chain->leapfrogs;
        divergences += chain->divergences;
        shortest = fmin(shortest, chain->step);
        longest = fmax(longest, chain->step);
        bfmi = fmin(bfmi, bnn_chain_bfmi(chain));
    }
    bnn_print(s->remark, sizeof s->remark,
              "%d chains: mean acceptance %.3f, %.0f divergences in %.0f transitions, step size %.3g to %.3g, %.1f leapfrogs a transition, "
              "E-BFMI %.2f or more",
              c->conf->chains, accept / n, divergences, n, shortest, longest, leapfrogs / n, bfmi);
}

/* ---- chains that ranks divide ---- */

enum { STATE = sizeof(bnn_chain_state) / sizeof(double), TERMS = 3, COUNTS = 1 };

/* Numbers of a chain: position, metric, both sums of a window, last draw, its statistics, state, terms of U, evaluations. */
static size_t length_of(const bnn_chains *c) { return 5 * (size_t)c->n + BNN_N_STATS + STATE + TERMS + COUNTS; }

/* The last draw that is kept of a chain, and its statistics; zeros where none is. */
static double *put_draw(const bnn_chains *c, int k, double *to) {
    const int draw = bnn_chains_kept(c) - 1;
    const bnn_stored *s = &c->stored;
    for (int i = 0; i < c->n; i++) *to++ = draw < 0 ? 0 : (double)bnn_stored_at(s, k, draw)[i];
    for (int i = 0; i < BNN_N_STATS; i++) *to++ = draw < 0 ? 0 : s->stat[((size_t)i * s->chains + k) * s->samples + draw];
    return to;
}

static const double *take_draw(bnn_chains *c, int k, const double *from) {
    const int draw = bnn_chains_kept(c) - 1;
    for (int i = 0; i < c->n && draw >= 0; i++) bnn_stored_at(&c->stored, k, draw)[i] = (bnn_real)from[i];
    if (draw >= 0) bnn_stored_note(&c->stored, k, draw, from + c->n);
    return from + c->n + BNN_N_STATS;
}

static void put(const bnn_sampler *s, int k, double *to) {
    const bnn_chains *c = &s->chains;
    const bnn_terms *terms = &s->posterior[k].terms;
    const double *const array[] = {c->q, c->var, c->mean, c->squares};
    const size_t n = (size_t)c->n;
    for (int i = 0; i < 4; i++, to += n) memcpy(to, array[i] + (size_t)k * n, n * sizeof *to);
    to = put_draw(c, k, to);
    memcpy(to, &c->chain[k], sizeof c->chain[k]);
    to += STATE;
    *to++ = terms->nll, *to++ = terms->prior, *to++ = terms->kl;
    *to = (double)c->h[k].evaluations;
}

/* The phase of a chain that another rank moves is not here. */
static void take(bnn_sampler *s, int k, const double *from) {
    bnn_chains *c = &s->chains;
    double *const array[] = {c->q, c->var, c->mean, c->squares};
    const size_t n = (size_t)c->n;
    for (int i = 0; i < 4; i++, from += n) memcpy(array[i] + (size_t)k * n, from, n * sizeof *from);
    from = take_draw(c, k, from);
    memcpy(&c->chain[k], from, sizeof c->chain[k]);
    from += STATE;
    s->posterior[k].terms = (bnn_terms){.nll = from[0], .prior = from[1], .kl = from[2]};
    c->h[k].evaluations = (uint64_t)from[TERMS];
    c->z[k].u = NAN;
}

/* The first rank gathers the numbers of all chains, and hands them to all. */
static void exchange(const bnn_ranks *ranks, int chains, size_t length, double *number) {
    for (int k = 0; k < chains; k++) {
        const int of = k % ranks->n;
        if (of > 0 && of == ranks->rank) ranks->send(ranks->context, 0, number + (size_t)k * length, length);
        if (of > 0 && ranks->rank == 0) ranks->receive(ranks->context, of, number + (size_t)k * length, length);
    }
    ranks->broadcast(ranks->context, number, (size_t)chains * length);
}

/* One transition of every chain: chain k by rank k % ranks, whose U shares no sums. All ranks end with positions, metrics, draws and counts
 * of all chains. */
static bnn_status divide(bnn_sampler *s) {
    const bnn_ranks *ranks = bnn_ranks_used();
    bnn_chains *c = &s->chains;
    const int chains = c->conf->chains;
    const size_t length = length_of(c);
    double *number = calloc((size_t)chains * length, sizeof *number);
    if (!number) return bnn_oom("chains of other ranks");
    bnn_status status = bnn_chains_step_some(c, ranks->rank, ranks->n);
    for (int k = ranks->rank; k < chains; k += ranks->n) put(s, k, number + (size_t)k * length);
    if (status == BNN_OK) exchange(ranks, chains, length, number);
    for (int k = 0; k < chains && status == BNN_OK; k++)
        if (k % ranks->n != ranks->rank) take(s, k, number + (size_t)k * length);
    free(number);
    return status;
}

/* Ranks divide the rows where these are many, else the chains. Draws of scales given the rest have more to hand on, and are made by all. */
static bool divides_chains(const bnn_sampler *s, const bnn_model *m, const bnn_data *data) {
    const bool divides_rows = data->n > BNN_SHARD_ROWS && bnn_shards_may_cut(m->net);
    return bnn_ranks_used()->n > 1 && s->chains.conf->chains > 1 && !divides_rows && !s->gibbs;
}

/* ---- steps ---- */

bnn_status bnn_sampler_step(bnn_engine *engine, const bnn_data *data, bnn_step *out) {
    bnn_sampler *s = engine->state;
    bnn_chains *c = &s->chains;
    int chains = c->conf->chains;
    uint64_t before = evaluations(c);
    for (int k = 0; k < chains; k++) s->posterior[k].data = data;
    BNN_TRY(divides_chains(s, engine->model, data) ? divide(s) : bnn_chains_step(c));
    uint64_t made = evaluations(c) - before;
    engine->cost.gradients += made;
    engine->cost.flops += (double)made * bnn_model_gradient_flops(engine->model, data->n);
    for (int k = 0; k < chains; k++) { /* a transition ends with an evaluation where the chain stands */
        out->terms.nll += s->posterior[k].terms.nll / chains;
        out->terms.prior += s->posterior[k].terms.prior / chains;
        out->terms.kl += s->posterior[k].terms.kl / chains;
    }
    for (int i = 0; i < c->n; i++) s->theta[i] = (bnn_real)c->z[0].q[i];
    out->theta = s->theta;
    out->done = bnn_chains_done(c);
    out->progress = bnn_chains_progress(c);
    if (out->done) write_remark(s);
    return BNN_OK;
}

bnn_status bnn_sampler_place(bnn_engine *engine, const bnn_real *theta) {
    bnn_chains_place(&((bnn_sampler *)engine->state)->chains, theta);
    return BNN_OK;
}

int bnn_sampler_n_draws(const bnn_engine *engine) {
    const bnn_chains *c = &((const bnn_sampler *)engine->state)->chains;
    return c->conf->chains * bnn_chains_kept(c);
}

int bnn_sampler_n_chains(const bnn_engine *engine) { return ((const bnn_sampler *)engine->state)->chains.conf->chains; }

bnn_status bnn_sampler_draw(const bnn_engine *engine, int s, bnn_rng rng, bnn_real *theta) {
    const bnn_chains *c = &((const bnn_sampler *)engine->state)->chains;
    (void)rng; /* the draws are stored */
    bnn_stored_draw(&c->stored, bnn_chains_kept(c), s, theta);
    return BNN_OK;
}

/* The draws first: they predict. */
int bnn_sampler_blocks(bnn_engine *engine, bnn_block *out) {
    bnn_sampler *s = engine->state;
    bnn_chains *c = &s->chains;
    size_t chains = (size_t)c->conf->chains, n = (size_t)c->n;
    int k = bnn_stored_blocks(&c->stored, out);
    out[k++] = (bnn_block){.name = "transitions", .kind = BNN_BLOCK_U64, .data = &c->transitions, .length = 1};
    out[k++] = (bnn_block){.name = "position", .kind = BNN_BLOCK_DOUBLE, .data = c->q, .length = chains * n};
    out[k++] = (bnn_block){.name = "metric", .kind = BNN_BLOCK_DOUBLE, .data = c->var, .length = chains * n};
    out[k++] = (bnn_block){.name = "window_mean", .kind = BNN_BLOCK_DOUBLE, .data = c->mean, .length = chains * n};
    out[k++] = (bnn_block){.name = "window_squares", .kind = BNN_BLOCK_DOUBLE, .data = c->squares, .length = chains * n};
    out[k++] =
        (bnn_block){.name = "chain", .kind = BNN_BLOCK_DOUBLE, .data = c->chain, .length = chains * sizeof *c->chain / sizeof(double)};
    if (s->gibbs)
        out[k++] = (bnn_block){.name = "curvature", .kind = BNN_BLOCK_DOUBLE, .data = s->curvature, .length = chains * (size_t)s->gibbs->n};
    return k;
}

/* Those on draws are named as in InferenceData. */
int bnn_sampler_columns(const bnn_engine *engine, bnn_column *out) {
    static const char *const names[BNN_N_STATS] = {"lp", "energy", "acceptance_rate", "diverging", "step_size", "n_steps", "tree_depth"};
    bnn_sampler *s = engine->state;
    const bnn_chains *c = &s->chains;
    int chains = c->conf->chains;
    if (!bnn_chains_done(c)) return 0;
    int n = bnn_stored_columns(&c->stored, names, out);
    out[BNN_STAT_DIVERGING].truth = true;
    for (int k = 0; k < chains; k++) s->of_chain[k] = c->chain[k].divergences, s->of_chain[chains + k] = bnn_chain_bfmi(&c->chain[k]);
    out[n++] = (bnn_column){.name = "divergences", .on = BNN_CHAINS, .data = s->of_chain, .length = chains};
    out[n++] = (bnn_column){.name = "e_bfmi", .on = BNN_CHAINS, .data = s->of_chain + chains, .length = chains};
    return n;
}

const char *bnn_sampler_remark(const bnn_engine *engine) {
    const bnn_sampler *s = engine->state;
    return *s->remark ? s->remark : NULL;
}
