/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * draws.c: draws that go to a file as they are made, in the groups of InferenceData.
 *
 *   posterior               <node>_<block> (chain, draw, in, out): what differs between draws. Parameters of an engine with draws of its
 *                           own; weights drawn by a layer; a kernel behind gates, each row times its gate: W = diag(z) M
 *                           (Gal & Ghahramani 2016, eq. 4)
 *   posterior_predictive    y (chain, draw, obs_id, output; classes: chain, draw, obs_id), mean (..., output or class_id), in units of y
 *   log_likelihood          y (chain, draw, obs_id), nats in the units of y
 *   constant_data           x (obs_id, feature), as measured
 */
#include "parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where the numbers of a posterior variable come from. */
typedef enum { PARAMETER, DRAWN, GATED } source;

typedef struct {
    char name[BNN_H5_PATH];
    const char *owner; /* label of the node, "likelihood" or "prior" */
    source from;
    int node, gate; /* the node that drew it; of GATED the gate */
    int rows, cols; /* rows 0: a vector */
    size_t at;      /* of DRAWN within pass, else within theta */
} variable;

struct bnn_draws {
    bnn_h5_writer w;
    bnn_sink sink;
    bnn_taker taker;
    char *path, *failure; /* failure: the sentence of the first one */
    const bnn_engine *engine;
    const bnn_data *data;
    unsigned keep;
    int per_chain, n_chains;
    double log_unit; /* sum of log y_sd: log densities of standardised y are larger by this */
    int n_variables;
    variable *variable; /* [n_variables] */
    int *number;        /* [per_chain] of the draws, within a chain */
    double *room;       /* the largest array that is written at once */
    bnn_real *weights;
};

/* ---- what the posterior consists of ---- */

static bnn_status add(bnn_draws *d, const bnn_param *p, variable v, const char *node) {
    variable *more = realloc(d->variable, (size_t)(d->n_variables + 1) * sizeof *more);
    if (!more) return bnn_oom("draws");
    d->variable = more;
    v.rows = p->rows, v.cols = p->cols;
    v.owner = node;
    snprintf(v.name, sizeof v.name, "%.100s_%.100s", node, p->name);
    d->variable[d->n_variables++] = v;
    return BNN_OK;
}

/* Says whether the gate before this node multiplies the rows of this block. */
static bool is_gated(const bnn_net *net, const bnn_node *node, const bnn_param *p) {
    if (node->gate < 0 || p->role != BNN_WEIGHT) return false;
    const bnn_plan *gate = &net->node[node->gate].layer.plan;
    return gate->n_drawn == 1 && gate->drawn[0].cols == p->rows;
}

/* Says whether the gate is seen in every kernel that it is for. */
static bool is_seen(const bnn_net *net, int gate) {
    bool seen = false;
    for (int i = 0; i < net->n_nodes; i++)
        for (int k = 0; k < net->node[i].layer.plan.n_params; k++)
            seen |= net->node[i].gate == gate && is_gated(net, &net->node[i], &net->node[i].layer.plan.param[k]);
    return seen;
}

/* Parameters that belong to no layer. */
static bnn_status find_hyper(bnn_draws *d) {
    const bnn_model *m = d->engine->model;
    bnn_block_info b;
    for (int i = 0; bnn_model_block(m, i, &b); i++) {
        bnn_param block = {.name = b.name, .cols = b.cols};
        if (b.offset >= (size_t)m->net->n_theta) BNN_TRY(add(d, &block, (variable){.from = PARAMETER, .at = b.offset}, b.node));
    }
    return BNN_OK;
}

static bnn_status find_variables(bnn_draws *d) {
    const bnn_net *net = d->engine->model->net;
    const bnn_engine_type *type = bnn_engine_vtable(d->engine);
    bool all = !(type->type.caps & BNN_ONE_THETA); /* else the layers make all that differs between draws */
    for (int i = 0; i < net->n_nodes; i++) {
        const bnn_node *node = &net->node[i];
        const bnn_plan *plan = &node->layer.plan;
        size_t at = node->theta;
        for (int k = 0; k < plan->n_params; at += (size_t)bnn_param_size(&plan->param[k++])) {
            bool gated = is_gated(net, node, &plan->param[k]);
            variable v = {.from = gated ? GATED : PARAMETER, .node = i, .gate = node->gate, .at = at};
            if (all || gated) BNN_TRY(add(d, &plan->param[k], v, node->layer.label));
        }
        for (int k = 0; k < plan->n_drawn; k++)
            if (!is_seen(net, i))
                BNN_TRY(add(d, &plan->drawn[k], (variable){.from = DRAWN, .node = i, .at = (size_t)plan->drawn_at[k]}, node->layer.label));
    }
    return all ? find_hyper(d) : BNN_OK;
}

/* ---- making room in the file ---- */

/* Appends " <name>" to dims, a dimension of this size: `base`, or, where that has another size, one of the variable's own. */
static void use_dim(bnn_draws *d, const char *group, const char *base, const char *own, int size, char *dims, size_t room) {
    int known = bnn_h5_dim_size(&d->w, group, base);
    const char *name = known < 0 || known == size ? base : own;
    if (bnn_h5_dim_size(&d->w, group, name) < 0) bnn_h5_dim(&d->w, group, name, size, BNN_H5_INT, NULL);
    size_t used = strlen(dims);
    snprintf(dims + used, room - used, " %s", name);
}

/* Draws have the numbers that they have among the stored ones of their chain: those of sample_stats. */
static void open_group(bnn_draws *d, const char *group) {
    bnn_h5_group(&d->w, group);
    bnn_h5_dim(&d->w, group, "chain", d->n_chains, BNN_H5_INT, NULL);
    bnn_h5_dim(&d->w, group, "draw", d->per_chain, BNN_H5_INT, d->number);
}

static void open_posterior(bnn_draws *d) {
    open_group(d, "/posterior");
    for (int i = 0; i < d->n_variables; i++) {
        const variable *v = &d->variable[i];
        char dims[4 * BNN_H5_PATH] = "chain draw", base[BNN_H5_PATH + 8], own[BNN_H5_PATH + 8];
        if (v->rows > 0) {
            snprintf(base, sizeof base, "%.100s_in", v->owner), snprintf(own, sizeof own, "%s_in", v->name);
            use_dim(d, "/posterior", base, own, v->rows, dims, sizeof dims);
        }
        snprintf(base, sizeof base, "%.100s_out", v->owner), snprintf(own, sizeof own, "%s_out", v->name);
        use_dim(d, "/posterior", base, own, v->cols, dims, sizeof dims);
        bnn_h5_put(&d->w, "/posterior", v->name, BNN_H5_REAL, NULL, dims);
    }
}

static void put_constant(bnn_draws *d) {
    const bnn_table *t = d->data->table;
    size_t width = (size_t)bnn_shape_size(t->x_shape), n = (size_t)d->data->n, size = t->pixels ? 1 : sizeof *t->x;
    const char *from = t->pixels ? (const char *)t->pixels : (const char *)t->x;
    char *x = malloc((n * width + 1) * size);
    if (!x) {
        bnn_h5_refuse(&d->w, bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for features", d->w.path));
        return;
    }
    for (size_t i = 0; i < n; i++) memcpy(x + i * width * size, from + (size_t)d->data->rows[i] * width * size, width * size);
    bnn_h5_group(&d->w, "/constant_data");
    bnn_h5_put(&d->w, "/constant_data", "x", t->pixels ? BNN_H5_PIXELS : BNN_H5_DOUBLE, x,
               bnn_store_put_row_dims(&d->w, "/constant_data", d->data));
    free(x);
}

static void open_predictive(bnn_draws *d) {
    static const char group[] = "/posterior_predictive", likelihood[] = "/log_likelihood";
    const bnn_likelihood *l = &d->engine->model->likelihood;
    bool is_class = l->n_classes > 0;
    open_group(d, group);
    bnn_h5_dim(&d->w, group, "obs_id", d->data->n, BNN_H5_INT, d->data->rows);
    bnn_store_put_output_dim(&d->w, group, is_class, l->mean_dim, d->data);
    bnn_h5_put(&d->w, group, "y", is_class ? BNN_H5_CLASSES : BNN_H5_DOUBLE, NULL,
               is_class ? "chain draw obs_id" : "chain draw obs_id output");
    bnn_h5_put(&d->w, group, "mean", BNN_H5_DOUBLE, NULL, is_class ? "chain draw obs_id class_id" : "chain draw obs_id output");
    put_constant(d);
    if (!d->data->y) return;
    open_group(d, likelihood);
    bnn_h5_dim(&d->w, likelihood, "obs_id", d->data->n, BNN_H5_INT, d->data->rows);
    bnn_h5_put(&d->w, likelihood, "y", BNN_H5_DOUBLE, NULL, "chain draw obs_id");
}

/* ---- taking draws ---- */

/* The variable's numbers in this draw: where they stand, or in d->weights. */
static const bnn_real *weights_of(const bnn_draws *d, const variable *v, const bnn_drawn *drawn) {
    if (v->from == DRAWN) return bnn_workspace_pass(drawn->ws, v->node) + v->at;
    if (v->from == PARAMETER) return drawn->theta + v->at;
    const bnn_real *gate = bnn_workspace_pass(drawn->ws, v->gate), *mean = drawn->theta + v->at;
    for (int i = 0; i < v->rows; i++)
        for (int j = 0; j < v->cols; j++) d->weights[i * v->cols + j] = gate[i] * mean[i * v->cols + j];
    return d->weights;
}

static void take_posterior(bnn_draws *d, const bnn_drawn *drawn, int chain, int draw) {
    for (int i = 0; i < d->n_variables; i++) {
        const variable *v = &d->variable[i];
        int vector = v->rows == 0, start[4] = {chain, draw}, count[4] = {1, 1, v->rows, v->cols};
        if (vector) count[2] = v->cols;
        bnn_h5_put_part(&d->w, "/posterior", v->name, BNN_H5_REAL, vector ? 3 : 4, start, count, weights_of(d, v, drawn));
    }
}

/* v[n, width] of standardised y into d->room, in the units of y. */
static const double *in_units(const bnn_draws *d, const bnn_real *v, int n, int width, bool scaled) {
    const bnn_scaling *s = &d->engine->model->scaling;
    for (int i = 0; i < n * width; i++) d->room[i] = scaled ? (double)v[i] * s->y_sd[i % width] + s->y_mean[i % width] : (double)v[i];
    return d->room;
}

static void take_predictive(bnn_draws *d, const bnn_drawn *drawn, int chain, int draw) {
    static const char group[] = "/posterior_predictive";
    const bnn_likelihood *l = &d->engine->model->likelihood;
    bool is_class = l->n_classes > 0;
    int start[4] = {chain, draw, drawn->row}, count[4] = {1, 1, drawn->n, l->mean_dim};
    bnn_h5_put_part(&d->w, group, "mean", BNN_H5_DOUBLE, 4, start, count, in_units(d, drawn->mean, drawn->n, l->mean_dim, !is_class));
    count[3] = l->y_dim;
    bnn_h5_put_part(&d->w, group, "y", is_class ? BNN_H5_CLASSES : BNN_H5_DOUBLE, is_class ? 3 : 4, start, count,
                    in_units(d, drawn->y, drawn->n, l->y_dim, !is_class));
    if (!drawn->logp) return;
    for (int i = 0; i < drawn->n; i++) d->room[i] = drawn->logp[i] - d->log_unit;
    bnn_h5_put_part(&d->w, "/log_likelihood", "y", BNN_H5_DOUBLE, 3, start, count, d->room);
}

static bnn_status take(void *context, const bnn_drawn *drawn) {
    bnn_draws *d = context;
    int chain = drawn->s / d->per_chain, draw = drawn->s % d->per_chain;
    bnn_h5_begin(d->w.path); /* one of the threads that predict writes at a time */
    if (d->keep & BNN_KEEP_POSTERIOR && drawn->row == 0) take_posterior(d, drawn, chain, draw);
    if (d->keep & BNN_KEEP_PREDICTIVE) take_predictive(d, drawn, chain, draw);
    bnn_status s = d->w.status;
    if (s < 0 && !d->failure) d->failure = strdup(bnn_error());
    if (s < 0) bnn_fail(s, "%s", d->failure ? d->failure : ""); /* the sentence belonged to the thread that met the failure */
    bnn_h5_end();
    return s;
}

/* Maps that are finished come one after the other, but draws of others may be on their way. */
static bnn_status take_maps(void *context, int from, const bnn_prediction *rows) {
    bnn_draws *d = context;
    bnn_status s = bnn_h5_begin(d->w.path);
    bnn_h5_refuse(&d->w, s);
    bnn_store_put_maps(&d->w, from, rows, d->data, d->keep & BNN_KEEP_PROBABILITIES);
    s = d->w.status;
    bnn_h5_end();
    return s;
}

/* ---- opening and closing ---- */

enum { OF_DRAWS = BNN_KEEP_POSTERIOR | BNN_KEEP_PREDICTIVE, OF_MAPS = BNN_KEEP_MAPS | BNN_KEEP_PROBABILITIES };

static bnn_status allocate(bnn_draws *d) {
    const bnn_likelihood *l = &d->engine->model->likelihood;
    size_t width = (size_t)(l->mean_dim > l->y_dim ? l->mean_dim : l->y_dim), most = 1;
    for (int i = 0; i < d->n_variables; i++) {
        size_t size = (size_t)d->variable[i].rows * (size_t)d->variable[i].cols;
        if (size > most) most = size;
    }
    d->room = malloc((size_t)d->data->n * width * sizeof *d->room + 1);
    d->weights = malloc(most * sizeof *d->weights);
    d->number = malloc((size_t)d->per_chain * sizeof *d->number);
    for (int i = 0; d->number && i < d->per_chain; i++) d->number[i] = bnn_predict_stored(d->engine, i, d->per_chain * d->n_chains);
    for (int j = 0; l->n_classes == 0 && j < l->y_dim; j++) d->log_unit += log(d->engine->model->scaling.y_sd[j]);
    return d->room && d->weights && d->number ? BNN_OK : bnn_oom("draws");
}

/* The draws of a mixture fall into chains by its members. */
static bnn_status find_members(bnn_draws *d, int samples) {
    const bnn_engine *member;
    int all = bnn_predict_samples(d->engine, samples), n = 0;
    while (bnn_engine_member(d->engine, n)) n++;
    for (int k = 0; (member = bnn_engine_member(d->engine, k)); k++) {
        if (bnn_predict_samples(member, samples < n ? 1 : samples / n) * n != all)
            return bnn_fail(BNN_ERR_OPTION, "the members have different numbers of draws, which no file can keep");
        if (d->keep & BNN_KEEP_POSTERIOR && strcmp(member->texts.net, d->engine->texts.net) != 0)
            return bnn_fail(BNN_ERR_OPTION, "member %d has chosen another network: there is no one posterior to keep", k + 1);
    }
    if (n > 0) d->n_chains = n;
    return BNN_OK;
}

static bnn_status prepare(bnn_draws *d, const bnn_predict_options *options) {
    const bnn_engine_type *type = bnn_engine_vtable(d->engine);
    int samples = bnn_predict_samples(d->engine, options->samples);
    if (d->keep & OF_MAPS && d->engine->model->likelihood.sites == 1)
        return bnn_fail(BNN_ERR_OPTION, "maps are kept of maps of classes, and a row of y has one class, or none");
    if (!(d->keep & OF_DRAWS)) return BNN_OK;
    if (samples < 1) return bnn_fail(BNN_ERR_OPTION, "engine '%s' predicts without draws here: there are none to keep", type->type.name);
    if (d->keep & BNN_KEEP_PREDICTIVE && d->engine->model->likelihood.sites > 1)
        return bnn_fail(BNN_ERR_OPTION, "every draw of every map of classes would be too much to keep: keep the posterior alone");
    if (d->keep & BNN_KEEP_POSTERIOR && options->mode == BNN_ROWS)
        return bnn_fail(BNN_ERR_OPTION, "with fresh noise for every row there are no draws of the weights that could be kept");
    d->n_chains = bnn_engine_chains(d->engine);
    BNN_TRY(find_members(d, options->samples));
    d->per_chain = samples / d->n_chains;
    if (d->keep & BNN_KEEP_POSTERIOR) BNN_TRY(find_variables(d));
    return allocate(d);
}

bnn_status bnn_draws_open(const char *path, unsigned keep, const bnn_engine *engine, const bnn_data *data,
                          const bnn_predict_options *options, bnn_draws **out) {
    const bnn_engine *fitted = bnn_engine_fitted(engine);
    if (!fitted) return bnn_fail(BNN_ERR_STATE, "%s: engine '%s' has not been fitted yet", path, engine->object.type->name);
    if (keep & OF_DRAWS) BNN_TRY(bnn_predict_keeps(fitted));
    bnn_draws *d = calloc(1, sizeof *d);
    if (!d) return bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for draws", path);
    d->path = strdup(path);
    d->engine = fitted, d->data = data, d->keep = keep;
    d->sink = (bnn_sink){.take = take, .context = d};
    d->taker = (bnn_taker){.take = take_maps, .context = d};
    bnn_status s = d->path ? prepare(d, options) : bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for draws", path);
    if (s < 0) {
        bnn_draws_end(d);
        return s;
    }
    bnn_h5_create(&d->w, d->path);
    if (keep & BNN_KEEP_POSTERIOR) open_posterior(d);
    if (keep & BNN_KEEP_PREDICTIVE) open_predictive(d);
    if (keep & OF_MAPS) bnn_store_open_maps(&d->w, data, &fitted->model->likelihood, keep & BNN_KEEP_PROBABILITIES);
    s = d->w.status;
    bnn_h5_end();
    if (s < 0)
        bnn_draws_free(d);
    else
        *out = d;
    return s;
}

const bnn_sink *bnn_draws_sink(const bnn_draws *draws) { return draws && draws->keep & OF_DRAWS ? &draws->sink : NULL; }
const bnn_taker *bnn_draws_taker(const bnn_draws *draws) { return draws && draws->keep & OF_MAPS ? &draws->taker : NULL; }

bnn_h5_writer *bnn_draws_writer(bnn_draws *draws) {
    bnn_h5_refuse(&draws->w, bnn_h5_begin(draws->w.path));
    return &draws->w;
}

const int *bnn_draws_numbers(const bnn_draws *draws, int *n) {
    *n = draws->per_chain;
    return draws->number;
}

void bnn_draws_end(bnn_draws *draws) {
    free(draws->path);
    free(draws->failure);
    free(draws->variable);
    free(draws->room);
    free(draws->weights);
    free(draws->number);
    free(draws);
}

void bnn_draws_free(bnn_draws *draws) {
    if (!draws) return;
    bnn_h5_refuse(bnn_draws_writer(draws), BNN_ERR_STATE);
    bnn_h5_commit(&draws->w);
    bnn_draws_end(draws);
}
