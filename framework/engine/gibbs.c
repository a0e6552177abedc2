/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gibbs.h"
#include "model/shards.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- runs */

static const bnn_scaled *scales_of(const bnn_model *m, const bnn_param *p) {
    for (int i = 0; i < m->n_scaled; i++)
        if (m->scaled[i].param == p) return &m->scaled[i];
    return NULL;
}

static int count_runs(const bnn_model *m) {
    int n = m->likelihood.n_theta > 0;
    for (int i = 0; i < m->n_scaled; i++) n += m->scaled[i].n + 1;
    for (int i = 0; i < m->net->n_nodes; i++) n += m->net->node[i].layer.plan.n_params; /* also those with scales: more than enough */
    return n;
}

/* The runs of a block of weights; whether their scales can be drawn. Behind a gate weights have no density but an expected one: nothing is
 * drawn given them. */
static bool add_weights(bnn_gibbs *g, const bnn_node *node, const bnn_param *p, size_t offset) {
    const bnn_prior *prior = &g->model->prior;
    const bnn_prior_type *type = bnn_prior_vtable(prior);
    const bnn_scaled *scaled = scales_of(g->model, p);
    const bnn_prior_block block = bnn_layer_prior_block(&node->layer, p);
    bool covered = p->role == BNN_WEIGHT || p->role == BNN_BIAS, weight = p->role == BNN_WEIGHT;
    bool drawn = scaled && type->draw_scale_given && !(weight && node->gate >= 0);
    double sd = covered && !scaled && type->sd ? type->sd(prior, &block) : INFINITY;
    int n = scaled ? scaled->n : 1, length = bnn_param_size(p) / n;
    for (int r = 0; r < n; r++)
        g->run[g->n++] = (bnn_gibbs_run){.offset = offset + (size_t)(r * length),
                                         .scale = scaled ? scaled->offset + (size_t)r : 0,
                                         .length = length,
                                         .prec = 1 / (sd * sd),
                                         .drawn_given = drawn,
                                         .block = block};
    return drawn;
}

static void add_hyper(bnn_gibbs *g, size_t offset, int length, bool drawn) {
    if (length > 0) g->run[g->n++] = (bnn_gibbs_run){.offset = offset, .length = length, .drawn = drawn};
}

bnn_status bnn_gibbs_open(const bnn_model *model, bool noncentred, bnn_gibbs *out) {
    const bnn_net *net = model->net;
    *out = (bnn_gibbs){.model = model, .noncentred = noncentred, .run = calloc((size_t)count_runs(model) + 1, sizeof *out->run)};
    if (!out->run) return bnn_oom("sampling");
    add_hyper(out, net->n_theta, model->likelihood.n_theta, bnn_likelihood_vtable(&model->likelihood)->draw_theta_given != NULL);
    for (int i = 0; i < net->n_nodes; i++) {
        const bnn_plan *plan = &net->node[i].layer.plan;
        size_t at = net->node[i].theta;
        for (int k = 0; k < plan->n_params; at += (size_t)bnn_param_size(&plan->param[k++])) {
            bool drawn = add_weights(out, &net->node[i], &plan->param[k], at);
            const bnn_scaled *scaled = scales_of(model, &plan->param[k]);
            if (scaled) add_hyper(out, scaled->offset, scaled->n, drawn);
        }
    }
    return BNN_OK;
}

void bnn_gibbs_close(bnn_gibbs *g) { free(g->run); }

/* Hyper-parameters of the prior: behind those of the likelihood. */
static bool is_prior(const bnn_gibbs *g, const bnn_gibbs_run *r) {
    return r->offset >= g->model->net->n_theta + (size_t)g->model->likelihood.n_theta;
}

/* ---------------------------------------------------------------- draws */

/* f[n, out] of all rows, in the stretches in which they go through the network for U. */
static void outputs(const bnn_model *m, bnn_workspace *ws, const bnn_data *data, const bnn_real *theta, bnn_real *f) {
    const size_t in = (size_t)bnn_shape_size(m->x_shape), out = (size_t)m->likelihood.out_dim;
    bnn_net_prepare(m->net, ws, theta, BNN_MEAN, true, (bnn_rng){0});
    for (int from = 0, length = bnn_shards_stretch(m->net, data->n); from < data->n; from += length) {
        int n = data->n - from < length ? data->n - from : length;
        const bnn_real *y = bnn_net_forward(m->net, ws, n, (uint64_t)from, data->x + (size_t)from * in);
        memcpy(f + (size_t)from * out, y, (size_t)n * out * sizeof *f);
    }
}

static bnn_status draw_likelihood(const bnn_model *m, bnn_workspace *ws, const bnn_data *data, bnn_rng rng, bnn_real *theta) {
    const bnn_likelihood_type *likelihood = bnn_likelihood_vtable(&m->likelihood);
    bnn_real *f = malloc(((size_t)data->n * (size_t)m->likelihood.out_dim + 1) * sizeof *f), *own = theta + m->net->n_theta;
    if (!f) return bnn_oom("the output of the network");
    if (data->n > 0) outputs(m, ws, data, theta, f);
    if (data->weight)
        likelihood->draw_theta_weighted(&m->likelihood, data->n, data->weight, f, data->y, rng, own);
    else
        likelihood->draw_theta_given(&m->likelihood, data->n, f, data->y, rng, own);
    free(f);
    return BNN_OK;
}

bnn_status bnn_gibbs_draw(const bnn_gibbs *g, bnn_workspace *ws, const bnn_data *data, bnn_rng rng, bnn_real *theta) {
    const bnn_model *m = g->model;
    if (m->likelihood.n_theta > 0 && bnn_likelihood_vtable(&m->likelihood)->draw_theta_given)
        BNN_TRY(draw_likelihood(m, ws, data, bnn_rng_split(rng, 0), theta));
    for (int i = 0; i < g->n; i++) {
        const bnn_gibbs_run *r = &g->run[i];
        if (!r->drawn_given) continue;
        theta[r->scale] = (bnn_real)bnn_prior_vtable(&m->prior)->draw_scale_given(&m->prior, &r->block, r->length, theta + r->offset,
                                                                                  bnn_rng_split(rng, (uint64_t)i + 1));
    }
    return BNN_OK;
}

void bnn_gibbs_place(const bnn_gibbs *g, const bnn_real *theta, double *q) {
    for (int i = 0; i < g->n; i++)
        for (size_t k = g->run[i].offset; g->run[i].drawn && k < g->run[i].offset + (size_t)g->run[i].length; k++) q[k] = (double)theta[k];
}

/* ---------------------------------------------------------------- the metric */

static double prior_prec(const bnn_gibbs *g, const bnn_gibbs_run *r, const bnn_real *theta) {
    return !r->scale ? r->prec : g->noncentred ? 1 : exp(-(double)theta[r->scale]);
}

void bnn_gibbs_learn(const bnn_gibbs *g, double rate, const bnn_real *theta, const double *grad, double *c) {
    for (int i = 0; i < g->n; i++) {
        const bnn_gibbs_run *r = &g->run[i];
        double prec = prior_prec(g, r, theta), squares = 0;
        for (size_t k = r->offset; k < r->offset + (size_t)r->length; k++) {
            double slope = grad[k] - prec * (double)theta[k];
            squares += slope * slope;
        }
        c[i] += rate * (squares / r->length - c[i]);
    }
}

/* The trajectory moves scales with the weights that it moves in their units. */
static bool is_held(const bnn_gibbs *g, const bnn_gibbs_run *r) { return r->drawn && !(g->noncentred && is_prior(g, r)); }

void bnn_gibbs_metric(const bnn_gibbs *g, const double *c, const bnn_real *theta, double *var) {
    for (int i = 0; i < g->n; i++) {
        const bnn_gibbs_run *r = &g->run[i];
        double prec = c ? prior_prec(g, r, theta) + c[i] : 1, v = is_held(g, r) ? 0 : prec > 0 ? 1 / prec : 1;
        for (size_t k = r->offset; k < r->offset + (size_t)r->length; k++) var[k] = v;
    }
}

/* ---------------------------------------------------------------- weights in units of their sd */

/* w e^(power s) */
static void multiply(const bnn_gibbs *g, double power, double *q) {
    for (int i = 0; i < g->n; i++) {
        const bnn_gibbs_run *r = &g->run[i];
        double factor = r->scale ? exp(power * q[r->scale]) : 1;
        for (size_t k = r->offset; r->scale && k < r->offset + (size_t)r->length; k++) q[k] *= factor;
    }
}

void bnn_gibbs_leave(const bnn_gibbs *g, double *q) { multiply(g, -0.5, q); }
void bnn_gibbs_return(const bnn_gibbs *g, double *q) { multiply(g, 0.5, q); }

const bnn_real *bnn_gibbs_theta(const bnn_gibbs *g, const bnn_real *q, bnn_real *theta) {
    for (int i = 0; i < g->n; i++) {
        const bnn_gibbs_run *r = &g->run[i];
        bnn_real unit = r->scale ? (bnn_real)exp(0.5 * (double)q[r->scale]) : 1;
        for (size_t k = r->offset; k < r->offset + (size_t)r->length; k++) theta[k] = unit * q[k];
    }
    return theta;
}

double bnn_gibbs_pull_back(const bnn_gibbs *g, const bnn_real *theta, bnn_real *grad) {
    double more = 0;
    for (int i = 0; i < g->n; i++) {
        const bnn_gibbs_run *r = &g->run[i];
        if (!r->scale) continue;
        double s = (double)theta[r->scale], along = 0;
        bnn_real unit = (bnn_real)exp(0.5 * s);
        for (size_t k = r->offset; k < r->offset + (size_t)r->length; k++) {
            along += (double)grad[k] * (double)theta[k];
            grad[k] *= unit;
        }
        grad[r->scale] += (bnn_real)(0.5 * (along - r->length));
        more -= 0.5 * r->length * s;
    }
    return more;
}
