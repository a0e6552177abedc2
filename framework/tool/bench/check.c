/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * check.c: what a job computes, against plain loops in double.
 *
 *   prediction   draws 0 and 1 of the first rows: the network node by node, with the gates and weights that the pass drew
 *   fit          the gradient of U along a random direction, against a central difference of U
 */
#include "bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TOLERANCE (BNN_REAL_IS_DOUBLE ? 1e-9 : 2e-3) /* of the largest output */

/* ---- the network in plain loops ---- */

/* h[in] -> y[out]; w [in,out], b [out] */
static void plain_affine(int in, int out, const double *h, const bnn_real *w, const bnn_real *b, double *y) {
    for (int j = 0; j < out; j++) {
        y[j] = (double)b[j];
        for (int i = 0; i < in; i++) y[j] += h[i] * (double)w[i * out + j];
    }
}

static bool is_type(const bnn_layer *l, const char *name) { return strcmp(l->object.type->name, name) == 0; }

/* One node of a chain, on one row; false: this check does not know the layer. */
static bool plain_node(const bnn_node *node, const bnn_real *theta, const bnn_real *pass, const double *h, double *y) {
    const bnn_layer *l = &node->layer;
    const bnn_plan *plan = &l->plan;
    int in = bnn_layer_size_in(l), out = bnn_layer_size_out(l);
    if (is_type(l, "dense"))
        plain_affine(in, out, h, theta + node->theta, theta + node->theta + in * out, y);
    else if (is_type(l, "gaussian_dense"))
        plain_affine(in, out, h, pass + plan->drawn_at[0], pass + plan->drawn_at[1], y);
    else if (plan->n_drawn == 1)
        for (int i = 0; i < in; i++) y[i] = h[i] * (double)pass[i];
    else if (is_type(l, "relu"))
        for (int i = 0; i < in; i++) y[i] = fmax(h[i], 0);
    else
        return false;
    return true;
}

typedef struct {
    const bnn_model *model;
    const bnn_data *rows;
    double *h, *y; /* room for one row of any node */
    double worst, largest;
    bool known;
} plain;

static void plain_row(plain *p, const bnn_drawn *drawn, int row) {
    const bnn_net *net = p->model->net;
    int width = bnn_shape_size(p->model->x_shape), out = p->model->likelihood.out_dim;
    for (int i = 0; i < width; i++) p->h[i] = (double)p->rows->x[(size_t)(drawn->row + row) * (size_t)width + (size_t)i];
    for (int i = 1; i < net->n_nodes && p->known; i++) {
        p->known = plain_node(&net->node[i], drawn->theta, bnn_workspace_pass(drawn->ws, i), p->h, p->y);
        double *swap = p->h;
        p->h = p->y, p->y = swap;
    }
    double total = 0; /* of classes the mean is softmax(h) */
    bool is_class = p->model->likelihood.n_classes > 0;
    for (int k = 0; k < out; k++) total += exp(p->h[k]);
    for (int k = 0; k < p->model->likelihood.mean_dim; k++) {
        double mean = is_class ? exp(p->h[k]) / total : p->h[k];
        p->worst = fmax(p->worst, fabs(mean - (double)drawn->mean[row * p->model->likelihood.mean_dim + k]));
        p->largest = fmax(p->largest, fabs(mean));
    }
}

static bnn_status take(void *context, const bnn_drawn *drawn) {
    for (int row = 0; row < 4 && row < drawn->n; row++) plain_row(context, drawn, row);
    return BNN_OK;
}

static int widest(const bnn_net *net) {
    int most = 0;
    for (int i = 0; i < net->n_nodes; i++)
        if (bnn_layer_size_out(&net->node[i].layer) > most) most = bnn_layer_size_out(&net->node[i].layer);
    return most;
}

static bnn_status check_prediction(const bench_case *c) {
    const bnn_model *m = bnn_engine_fitted(c->run->engine)->model;
    size_t width = (size_t)widest(m->net);
    plain p = {.model = m, .rows = c->new_rows, .known = true};
    p.h = malloc(width * sizeof *p.h), p.y = malloc(width * sizeof *p.y);
    bnn_sink sink = {.take = take, .context = &p};
    bnn_prediction *prediction = NULL;
    bnn_status s = p.h && p.y ? BNN_OK : bnn_fail(BNN_ERR_MEMORY, "out of memory");
    int threads = tool_threads(1); /* one row at a time goes through p */
    if (s == BNN_OK)
        s = bnn_predict(c->run->engine, c->new_rows, &(bnn_predict_options){.samples = 2, .seed = 1, .sink = &sink}, &prediction);
    tool_threads(threads);
    bnn_prediction_free(prediction);
    free(p.h), free(p.y);
    BNN_TRY(s);
    if (!p.known) return bnn_fail(BNN_ERR_STATE, "the plain loops do not know a layer of '%s'", c->job->net);
    return p.worst <= TOLERANCE * p.largest
               ? BNN_OK
               : bnn_fail(BNN_ERR_NUMERIC, "predictions differ from plain loops by %g, the largest being %g", p.worst, p.largest);
}

/* ---- the gradient ---- */

typedef struct {
    const bnn_model *model;
    const bnn_data *data;
    bnn_workspace *ws;
    bnn_real *theta, *at, *direction, *grad;
    int rows;
} slope;

/* U(theta + h direction) on the first rows, noise as in training. */
static double u_at(const slope *s, double h, bnn_real *grad) {
    for (int i = 0; i < s->model->n_theta; i++) s->at[i] = s->theta[i] + (bnn_real)h * s->direction[i];
    bnn_objective objective = {.n_total = s->rows, .scale = 1, .kl_weight = 1, .mode = BNN_ROWS};
    return bnn_terms_u(bnn_model_u(s->model, s->ws, &objective, bnn_rng_seed(3), s->at, s->rows, s->data->x, s->data->y, grad));
}

static bnn_status compare_slopes(const slope *s) {
    double along = 0, h = BNN_REAL_IS_DOUBLE ? 1e-5 : 3e-3, u = u_at(s, 0, s->grad);
    for (int i = 0; i < s->model->n_theta; i++) along += (double)s->grad[i] * (double)s->direction[i];
    double difference = (u_at(s, h, NULL) - u_at(s, -h, NULL)) / (2 * h), rounding = (BNN_REAL_IS_DOUBLE ? 1e-15 : 1e-6) * fabs(u) / h;
    if (fabs(along - difference) <= 5e-2 * fabs(along) + rounding) return BNN_OK; /* kinks of relu and rounding are in the difference */
    return bnn_fail(BNN_ERR_NUMERIC, "the gradient along a direction is %g, the difference of U says %g", along, difference);
}

static bnn_status check_fit(const bench_case *c) {
    const bnn_engine *e = c->run->engine; /* one that holds others may not have chosen yet: its model is like theirs */
    size_t n = (size_t)e->model->n_theta;
    slope s = {.model = e->model, .data = c->train, .rows = c->train->n < 64 ? c->train->n : 64};
    bnn_real *room = malloc(4 * n * sizeof *room);
    if (!room) return bnn_fail(BNN_ERR_MEMORY, "out of memory");
    s.theta = room, s.at = room + n, s.direction = room + 2 * n, s.grad = room + 3 * n;
    bnn_model_init(e->model, bnn_rng_seed(1), s.theta);
    bnn_rng_normal(bnn_rng_seed(4), 0, 1, (int)n, s.direction);
    double norm = 0;
    for (size_t i = 0; i < n; i++) norm += (double)s.direction[i] * (double)s.direction[i];
    for (size_t i = 0; i < n; i++) s.direction[i] = (bnn_real)((double)s.direction[i] / sqrt(norm));
    bnn_status status = bnn_workspace_new(e->model->net, s.rows, BNN_TO_THETA, &s.ws);
    if (status == BNN_OK) status = compare_slopes(&s);
    bnn_workspace_free(s.ws);
    free(room);
    return status;
}

bnn_status bench_check(const bench_case *c) {
    BNN_TRY(bnn_data_fill(c->job->n_new ? c->new_rows : c->train));
    bnn_status s = c->job->n_new ? check_prediction(c) : check_fit(c);
    return s < 0 ? bnn_note(s, "%s", c->job->name) : BNN_OK;
}
