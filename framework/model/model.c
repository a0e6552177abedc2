/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "shards.h"

#include <bnn/jobs.h>
#include <bnn/model.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_covered(const bnn_param *p) { return p->role == BNN_WEIGHT || p->role == BNN_BIAS; }

static bnn_status add_scales(bnn_model *m, const bnn_layer *l, const bnn_param *p) {
    const bnn_prior_block block = bnn_layer_prior_block(l, p);
    int n = bnn_prior_vtable(&m->prior)->n_scales(&m->prior, &block);
    if (n == 0) return BNN_OK;
    bnn_scaled *more = realloc(m->scaled, (size_t)(m->n_scaled + 1) * sizeof *more);
    if (!more) return bnn_oom("a model");
    m->scaled = more;
    more[m->n_scaled] = (bnn_scaled){.param = p, .offset = (size_t)m->n_theta, .n = n};
    if (asprintf(&more[m->n_scaled].name, "%s_%s", l->label, p->name) < 0) return bnn_oom("a model");
    m->n_scaled++;
    m->n_theta += n;
    return BNN_OK;
}

static const bnn_scaled *scales_of(const bnn_model *m, const bnn_param *p) {
    for (int i = 0; i < m->n_scaled; i++)
        if (m->scaled[i].param == p) return &m->scaled[i];
    return NULL;
}

static bnn_status find_scales(bnn_model *m) {
    if (!bnn_prior_vtable(&m->prior)->n_scales) return BNN_OK;
    for (int i = 0; i < m->net->n_nodes; i++) {
        const bnn_layer *l = &m->net->node[i].layer;
        for (int b = 0; b < l->plan.n_params; b++)
            if (is_covered(&l->plan.param[b])) BNN_TRY(add_scales(m, l, &l->plan.param[b]));
    }
    return BNN_OK;
}

static bnn_status bind(bnn_model *m, const bnn_texts *texts, const bnn_data *data) {
    BNN_TRY(bnn_scaling_copy(&data->scaling, &m->scaling));
    BNN_TRY(bnn_prior_new(texts->prior, &m->prior));
    bnn_targets y = {data->y_shape, data->n_classes, m->scaling.y_mean, m->scaling.y_sd};
    BNN_TRY(bnn_likelihood_new_for(texts->likelihood, &y, data->y ? data->n : 0, data->y, data->weight, &m->likelihood));
    bnn_net_env env = {.x_shape = data->x_shape, .out = m->likelihood.out, .prior = &m->prior};
    BNN_TRY(bnn_net_new(texts->net, &env, &m->net));
    m->x_shape = data->x_shape;
    m->n_theta = m->net->n_theta + m->likelihood.n_theta;
    return find_scales(m);
}

bnn_status bnn_model_new(const bnn_texts *texts, const bnn_data *data, bnn_model **out) {
    bnn_model *m = calloc(1, sizeof *m);
    if (!m) return bnn_oom("a model");
    bnn_status s = bind(m, texts, data);
    if (s < 0)
        bnn_model_free(m);
    else
        *out = m;
    return s;
}

void bnn_model_free(bnn_model *model) {
    if (!model) return;
    if (model->likelihood.object.type) bnn_likelihood_free(&model->likelihood);
    if (model->prior.object.type) bnn_prior_free(&model->prior);
    for (int b = 0; model->block_prior && b < model->net->n_blocks; b++) bnn_prior_free(&model->block_prior[b]);
    free(model->block_prior);
    bnn_net_free(model->net);
    bnn_scaling_free(&model->scaling);
    for (int i = 0; i < model->n_scaled; i++) free(model->scaled[i].name);
    free(model->scaled);
    free(model);
}

void bnn_model_init(const bnn_model *model, bnn_rng rng, bnn_real *theta) {
    const bnn_likelihood_type *likelihood = bnn_likelihood_vtable(&model->likelihood);
    bnn_real *noise = theta + model->net->n_theta;
    bnn_net_init(model->net, rng, theta);
    memset(noise, 0, (size_t)model->likelihood.n_theta * sizeof *noise);
    if (likelihood->init) likelihood->init(&model->likelihood, noise);
    for (int i = 0; i < model->n_scaled; i++) /* the input of a unit begins at order one */
        for (int k = 0; k < model->scaled[i].n; k++)
            theta[model->scaled[i].offset + (size_t)k] = -(bnn_real)log(model->scaled[i].param->fan_in);
}

/* Streams of a draw. */
enum { OF_SCALES, OF_WEIGHTS, OF_LIKELIHOOD };

/* Draws one block of a node from the prior, each run of it with its own scale, if it has one. */
static bnn_status draw_block(const bnn_model *m, const bnn_block_info *b, const bnn_param *p, int number, bnn_rng rng, bnn_real *theta) {
    const bnn_prior_type *type = bnn_prior_vtable(&m->prior);
    const bnn_prior_block block = bnn_layer_prior_block(&m->net->node[b->index].layer, p);
    bnn_real *w = theta + b->offset;
    if (type->sd && isinf(type->sd(&m->prior, &block)))
        return bnn_fail(BNN_ERR_OPTION, "prior '%s' of %s %s is flat: nothing can be drawn from it", m->prior.object.type->name, b->node,
                        b->name);
    type->draw(&m->prior, &block, bnn_rng_split(bnn_rng_split(rng, OF_WEIGHTS), (uint64_t)number), (int)b->length, w);
    const bnn_scaled *scaled = scales_of(m, p);
    int n = scaled ? (int)b->length / scaled->n : 0;
    if (scaled && !type->draw_scale) return bnn_fail(BNN_ERR_OPTION, "prior '%s' cannot draw its scales", m->prior.object.type->name);
    for (int r = 0; scaled && r < scaled->n; r++) {
        double s =
            type->draw_scale(&m->prior, &block, bnn_rng_split(bnn_rng_split(bnn_rng_split(rng, OF_SCALES), (uint64_t)number), (uint64_t)r));
        theta[scaled->offset + (size_t)r] = (bnn_real)s;
        for (int i = r * n; i < (r + 1) * n; i++) w[i] *= (bnn_real)exp(0.5 * s);
    }
    return BNN_OK;
}

bnn_status bnn_model_draw(const bnn_model *model, bnn_rng rng, bnn_real *theta) {
    const bnn_net *net = model->net;
    const bnn_likelihood_type *likelihood = bnn_likelihood_vtable(&model->likelihood);
    bnn_block_info b;
    if (net->first_stochastic < net->n_nodes)
        return bnn_fail(BNN_ERR_OPTION, "layer '%s' has noise of its own: weights can be drawn from the prior of a network without",
                        net->node[net->first_stochastic].layer.label);
    for (int i = 0; bnn_model_block(model, i, &b) && b.index >= 0; i++) {
        const bnn_plan *plan = &net->node[b.index].layer.plan;
        int k = 0;
        while (strcmp(plan->param[k].name, b.name) != 0) k++;
        if (!is_covered(&plan->param[k])) return bnn_fail(BNN_ERR_OPTION, "%s %s has no prior to draw from", b.node, b.name);
        BNN_TRY(draw_block(model, &b, &plan->param[k], i, rng, theta));
    }
    if (model->likelihood.n_theta == 0) return BNN_OK;
    if (!likelihood->draw_theta)
        return bnn_fail(BNN_ERR_OPTION, "likelihood '%s' has no density of its own parameters to draw from",
                        model->likelihood.object.type->name);
    bnn_status s = likelihood->draw_theta(&model->likelihood, bnn_rng_split(rng, OF_LIKELIHOOD), theta + net->n_theta);
    return s < 0 ? bnn_note(s, "likelihood '%s'", model->likelihood.object.type->name) : BNN_OK;
}

/* f[n, out] of all rows, in pieces. */
static bnn_status outputs(const bnn_model *m, const bnn_data *data, const bnn_real *theta, bnn_real *f) {
    enum { ROWS = 256 };
    size_t out = (size_t)m->likelihood.out_dim;
    bnn_workspace *ws;
    BNN_TRY(bnn_workspace_new(m->net, ROWS, BNN_FORWARD, &ws));
    bnn_real *room = bnn_reals_new(bnn_data_room(data, ROWS));
    bnn_net_prepare(m->net, ws, theta, BNN_MEAN, false, bnn_rng_seed(0));
    for (int from = 0; room && from < data->n; from += ROWS) {
        int n = data->n - from < ROWS ? data->n - from : ROWS;
        const bnn_real *x = bnn_data_take(data, from, n, room);
        memcpy(f + (size_t)from * out, bnn_net_forward(m->net, ws, n, (uint64_t)from, x), (size_t)n * out * sizeof *f);
    }
    bnn_workspace_free(ws);
    if (!room) return bnn_oom("%d images", ROWS);
    free(room);
    return BNN_OK;
}

bnn_status bnn_model_fit_likelihood(const bnn_model *model, const bnn_data *data, bnn_real *theta, bnn_cost *cost) {
    size_t reals = (size_t)data->n * (size_t)model->likelihood.out_dim;
    BNN_TRY(bnn_memory_check((double)reals * sizeof(bnn_real), "the output of the network", "take fewer rows"));
    bnn_stopwatch since = bnn_stopwatch_start();
    bnn_real *f = malloc((reals + 1) * sizeof *f);
    bnn_status s = f ? outputs(model, data, theta, f) : bnn_oom("the output of the network");
    if (s == BNN_OK) s = bnn_likelihood_fit(&model->likelihood, data->n, data->weight, f, data->y, theta + model->net->n_theta);
    free(f);
    cost->forwards++;
    cost->flops += bnn_model_forward_flops(model, data->n);
    bnn_stopwatch_stop(since, cost);
    return s;
}

/* The node of block b, which is of a node: the last one that does not begin behind it. */
static int node_of_block(const bnn_net *net, int b) {
    int low = 0, high = net->n_nodes - 1;
    while (low < high) {
        int middle = low + (high - low + 1) / 2;
        if (net->node[middle].first_block <= b)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

static bnn_block_info block_of_node(const bnn_net *net, int b) {
    int i = node_of_block(net, b), last = b - net->node[i].first_block;
    const bnn_node *node = &net->node[i];
    const bnn_param *p = node->layer.plan.param;
    size_t offset = node->theta;
    for (int k = 0; k < last; k++) offset += (size_t)bnn_param_size(p++);
    return (bnn_block_info){.node = node->layer.label,
                            .name = p->name,
                            .role = p->role,
                            .rows = p->rows,
                            .cols = p->cols,
                            .offset = offset,
                            .length = (size_t)bnn_param_size(p),
                            .index = i};
}

bool bnn_model_block(const bnn_model *model, int b, bnn_block_info *out) {
    if (b < model->net->n_blocks) {
        *out = block_of_node(model->net, b);
        return true;
    }
    b -= model->net->n_blocks;
    int n = model->likelihood.n_theta;
    *out = (bnn_block_info){.node = "likelihood",
                            .name = "hyper",
                            .role = BNN_HYPER,
                            .cols = n,
                            .offset = (size_t)model->net->n_theta,
                            .length = (size_t)n,
                            .index = -1};
    if (n > 0 && b-- == 0) return true;
    if (b >= model->n_scaled) return false;
    const bnn_scaled *scaled = &model->scaled[b];
    *out = (bnn_block_info){.node = "prior",
                            .name = scaled->name,
                            .role = BNN_HYPER,
                            .cols = scaled->n,
                            .offset = scaled->offset,
                            .length = (size_t)scaled->n,
                            .index = -1};
    return true;
}

bnn_status bnn_model_ranges(const bnn_model *model, bool by_block, int *n, bnn_range **out) {
    bnn_block_info info;
    *n = 0, *out = NULL;
    for (int b = 0; bnn_model_block(model, b, &info); b++) {
        bool hyper = info.role == BNN_HYPER, noise = model->likelihood.n_theta > 0 && info.offset == (size_t)model->net->n_theta;
        bnn_range *last = *n > 0 ? &(*out)[*n - 1] : NULL;
        if (info.role == BNN_STATE) continue;
        if (last && !by_block && last->hyper == hyper && last->noise == noise && last->offset + (size_t)last->length == info.offset) {
            last->length += (int)info.length;
            continue;
        }
        bnn_range *more = realloc(*out, (size_t)(*n + 1) * sizeof *more);
        if (!more) return bnn_fail(BNN_ERR_MEMORY, "out of memory");
        *out = more;
        more[(*n)++] = (bnn_range){.offset = info.offset, .length = (int)info.length, .hyper = hyper, .noise = noise};
    }
    return BNN_OK;
}

/* ---------------------------------------------------------------- U */

/* Longest block at a time that the prior sees: its copies live on the stack. */
enum { PIECE = 512 };

BNN_LOOP static void divide(int n, const bnn_real *restrict w, bnn_real unit, bnn_real *restrict out) {
    for (int i = 0; i < n; i++) out[i] = w[i] / unit;
}

BNN_LOOP static void begin(int n, bnn_real scale, const bnn_real *restrict slope, bnn_real *restrict grad) {
    for (int i = 0; i < n; i++) grad[i] = -scale * slope[i];
}

/* One run of parameters with variance sd^2 (1: no scale) behind a gate that keeps with probability keep (1: no gate). It is cut into parts
 * of a length that follows from its own: large ones are worked on in parallel, and their sums added in order. */
enum { MOST_PARTS = 64, SHORTEST_PART = 64 * PIECE };
typedef struct {
    const bnn_prior *prior;
    const bnn_prior_block *block;
    const bnn_real *w;
    bnn_real *grad; /* NULL: not wanted */
    double keep, sd, scale;
    double at_zero;                                                   /* of gated: log p(0) of a whole piece */
    int n, length;                                                    /* of the run, of a part */
    double total[MOST_PARTS], along[MOST_PARTS], surplus[MOST_PARTS]; /* of parts; see below */
} prior_work;

/* log p(0) of m weights. */
static double logp_zero(const prior_work *p, int m) {
    static const bnn_real zero[PIECE];
    return bnn_prior_vtable(p->prior)->logp(p->prior, p->block, m, zero, NULL);
}

/* -log prior of weights from .. from+m, gradients times scale. With z = w / (k sd), L = log p(z) and L_0 = log p(0), both without the - m
 * log sd of the change of variable: k (-L) + (1-k) (-L_0);   d/dw = -L' / sd;   d/dk = L_0 - L + z L';   d/d(log sd) = k z L' *surplus +=
 * L_0 - L, *along += z L'. */
static double prior_piece(const prior_work *p, int from, int m, double *surplus, double *along) {
    const bnn_prior_type *type = bnn_prior_vtable(p->prior);
    bool gated = p->keep < 1, changed = gated || p->sd != 1;
    bnn_real divided[PIECE], slope[PIECE];
    const bnn_real *z = p->w + from;
    if (changed) divide(m, z, (bnn_real)(p->keep * p->sd), divided), z = divided;
    double logp = type->logp(p->prior, p->block, m, z, p->grad || changed ? slope : NULL);
    if (p->grad) begin(m, (bnn_real)(p->scale / p->sd), slope, p->grad + from);
    if (changed) *along += bnn_sum_products((size_t)m, slope, z);
    if (!gated) return -logp;
    double at_zero = m == PIECE ? p->at_zero : logp_zero(p, m);
    *surplus += at_zero - logp;
    return -p->keep * logp - (1 - p->keep) * at_zero;
}

static void prior_part(void *context, int first, int n) {
    prior_work *p = context;
    int part = first / p->length, end = first + n;
    p->total[part] = p->along[part] = p->surplus[part] = 0;
    for (int from = first; from < end; from += PIECE)
        p->total[part] += prior_piece(p, from, end - from < PIECE ? end - from : PIECE, &p->surplus[part], &p->along[part]);
}

/* *dkeep, *dlog_sd +=, unscaled. */
static double prior_run(prior_work *p, double *dkeep, double *dlog_sd) {
    p->length = (p->n + MOST_PARTS - 1) / MOST_PARTS;
    p->length = p->length < SHORTEST_PART ? SHORTEST_PART : (p->length + PIECE - 1) / PIECE * PIECE;
    int parts = (p->n + p->length - 1) / p->length;
    double total = p->n * log(p->sd), along = 0;
    if (p->keep < 1 && p->n >= PIECE) p->at_zero = logp_zero(p, PIECE);
    bnn_parts_run(p->n, p->length, prior_part, p);
    for (int i = 0; i < parts; i++) total += p->total[i], along += p->along[i];
    for (int i = 0; p->keep < 1 && i < parts; i++) *dkeep += p->surplus[i] + p->along[i];
    *dlog_sd += p->n + p->keep * along;
    return total;
}

/* -log prior of one block and of its scales, which get their gradient times scale. */
static double prior_block(const bnn_model *m, const bnn_prior *prior, const bnn_layer *l, const bnn_param *p, size_t offset, double keep,
                          const bnn_real *theta, double scale, bnn_real *grad, double *dkeep) {
    const bnn_prior_block block = bnn_layer_prior_block(l, p);
    const bnn_scaled *scaled = prior == &m->prior ? scales_of(m, p) : NULL;
    int runs = scaled ? scaled->n : 1, n = bnn_param_size(p) / runs;
    double total = 0;
    for (int r = 0; r < runs; r++) {
        size_t at = offset + (size_t)(r * n);
        double s = scaled ? (double)theta[scaled->offset + (size_t)r] : 0, dlog_sd = 0, ds;
        prior_work run = {.prior = prior, .block = &block, .w = theta + at, .grad = grad ? grad + at : NULL, .scale = scale, .n = n};
        run.keep = keep;
        run.sd = exp(0.5 * s);
        total += prior_run(&run, dkeep, &dlog_sd);
        if (!scaled) continue;
        total -= bnn_prior_vtable(&m->prior)->logp_scale(&m->prior, &block, s, &ds);
        if (grad) grad[scaled->offset + (size_t)r] += (bnn_real)(scale * (0.5 * dlog_sd - ds));
    }
    return total;
}

/* The probability of keeping the units that the weights of a node read; slope: its gradient. */
static double keep_of(const bnn_model *m, const bnn_node *node, const bnn_real *theta, bnn_real slope[BNN_MAX_GATE_THETA]) {
    const bnn_node *gate = node->gate >= 0 ? &m->net->node[node->gate] : NULL;
    return gate ? bnn_layer_vtable(&gate->layer)->keep(&gate->layer, theta + gate->theta, slope) : 1;
}

/* The prior of a block. */
static const bnn_prior *prior_of(const bnn_model *m, int b) {
    return m->block_prior && m->block_prior[b].object.type ? &m->block_prior[b] : &m->prior;
}

static void clear_part(void *a, int from, int n) { memset((bnn_real *)a + from, 0, (size_t)n * sizeof(bnn_real)); }

static void clear(int n, bnn_real *a) { bnn_parts_run(n, SHORTEST_PART, clear_part, a); }

/* -log prior of the weights and biases of one node; the gate's parameters get their share of the gradient. */
static double prior_node(const bnn_model *m, const bnn_node *node, const bnn_real *theta, double scale, bnn_real *grad) {
    const bnn_node *gate = node->gate >= 0 ? &m->net->node[node->gate] : NULL;
    bnn_real slope[BNN_MAX_GATE_THETA] = {0};
    double keep = keep_of(m, node, theta, slope), dkeep = 0, total = 0;
    size_t offset = node->theta;
    for (int b = 0; b < node->layer.plan.n_params; b++) {
        const bnn_param *p = &node->layer.plan.param[b];
        double k = p->role == BNN_WEIGHT ? keep : 1;
        if (is_covered(p))
            total += prior_block(m, prior_of(m, node->first_block + b), &node->layer, p, offset, k, theta, scale, grad, &dkeep);
        else if (grad)
            clear(bnn_param_size(p), grad + offset);
        offset += (size_t)bnn_param_size(p);
    }
    for (int i = 0; grad && gate && i < gate->layer.n_theta; i++) grad[gate->theta + (size_t)i] += (bnn_real)(scale * dkeep) * slope[i];
    return total;
}

/* -log prior of everything. The gradient begins with it: whatever stood there is gone, without a sweep to clear it. A gate stands before
 * the nodes whose weights give it a share. */
static double prior_all(const bnn_model *m, const bnn_real *theta, double scale, bnn_real *grad) {
    const bnn_likelihood_type *likelihood = bnn_likelihood_vtable(&m->likelihood);
    bnn_real *dnoise = grad ? grad + m->net->n_theta : NULL;
    if (grad) memset(dnoise, 0, (size_t)(m->n_theta - m->net->n_theta) * sizeof *grad);
    double total = likelihood->logp ? -likelihood->logp(&m->likelihood, bnn_model_noise(m, theta), -scale, dnoise) : 0;
    for (int i = 0; i < m->net->n_nodes; i++) total += prior_node(m, &m->net->node[i], theta, scale, grad);
    return total;
}

/* Block b, which is of a node, and the probability that its weights are kept with. */
static bnn_prior_block find_block(const bnn_model *m, int b, const bnn_real *theta, double *keep) {
    const bnn_node *node = &m->net->node[node_of_block(m->net, b)];
    const bnn_param *p = &node->layer.plan.param[b - node->first_block];
    bnn_real slope[BNN_MAX_GATE_THETA];
    *keep = p->role == BNN_WEIGHT ? keep_of(m, node, theta, slope) : 1;
    return bnn_layer_prior_block(&node->layer, p);
}

double bnn_model_prior_prec(const bnn_model *model, int b, const bnn_real *theta) {
    const bnn_prior *prior = prior_of(model, b);
    double keep;
    const bnn_prior_block block = find_block(model, b, theta, &keep);
    if (!bnn_prior_vtable(prior)->sd) return NAN;
    double sd = bnn_prior_vtable(prior)->sd(prior, &block);
    return 1 / (keep * sd * sd);
}

bnn_status bnn_model_set_prior_prec(bnn_model *model, int b, const bnn_real *theta, double prec) {
    bnn_prior prior;
    double keep;
    char sd[BNN_NUMBER_TEXT], text[2 * BNN_NUMBER_TEXT + 32];
    find_block(model, b, theta, &keep);
    bnn_number_print(1 / sqrt(prec * keep), sd);
    snprintf(text, sizeof text, "gauss:sd=%s,bias_sd=%s", sd, sd);
    if (!model->block_prior) model->block_prior = calloc((size_t)model->net->n_blocks, sizeof *model->block_prior);
    if (!model->block_prior) return bnn_oom("priors");
    BNN_TRY(bnn_prior_new(text, &prior));
    bnn_prior_free(&model->block_prior[b]);
    model->block_prior[b] = prior;
    return BNN_OK;
}

/* Rows that go through the network together. A batch whose activations fit neither the first cache nor half of a second one goes in pieces
 * that fit the first; so only of networks that are narrow enough, and of layers that take rows one by one and remember none. */
static int rows_together(const bnn_net *net, int m) {
    enum { FIRST = 40 << 10, HALF_SECOND = 256 << 10, UNIT = 24 }; /* bytes; rows: a multiple of the tiles of kernels.c */
    size_t row = bnn_workspace_bytes(net, UNIT, BNN_TO_THETA) / UNIT;
    int rows = (int)(FIRST / (row + 1)) / UNIT * UNIT;
    if (!bnn_shards_may_cut(net)) return m;
    return rows == 0 || (size_t)m * row <= HALF_SECOND ? m : rows;
}

/* Rows that go side by side, each in a lane, where one is much work on few parameters, as of a network of convolutions; 0: they do not. As
 * many as have room, all rounds alike. */
static int lanes_of(const bnn_model *m, int rows) {
    enum { LEAST = 256 << 10, ROOM = 512 << 20, MOST = 16, TIMES = 4 }; /* bytes; times the parameters */
    size_t row = bnn_workspace_bytes(m->net, 1, BNN_TO_THETA);
    if (rows < 2 || row < LEAST || row < TIMES * (size_t)m->n_theta * sizeof(bnn_real) || !bnn_shards_may_cut(m->net)) return 0;
    int most = row < ROOM / MOST ? MOST : row < ROOM ? (int)(ROOM / row) : 1, rounds = (rows + most - 1) / most;
    return (rows + rounds - 1) / rounds;
}

bnn_status bnn_model_workspace_new(const bnn_model *model, int rows, bnn_workspace **out) {
    int lanes = lanes_of(model, rows);
    if (lanes == 0) return bnn_shards_workspace_new(model, rows, out);
    bnn_workspace *ws;
    BNN_TRY(bnn_workspace_new_lanes(model->net, lanes, (size_t)model->n_theta, &ws));
    BNN_TRY(bnn_shards_open(model, rows, &ws));
    *out = ws;
    return BNN_OK;
}

size_t bnn_model_workspace_bytes(const bnn_model *model, int rows) {
    int lanes = lanes_of(model, rows);
    return lanes > 0 ? bnn_workspace_lanes_bytes(model->net, lanes, (size_t)model->n_theta) + bnn_shards_bytes(model, rows)
                     : bnn_shards_workspace_bytes(model, rows);
}

/* The rows of a batch on their way through the network. */
typedef struct {
    const bnn_model *model;
    bnn_workspace *ws;
    const bnn_objective *objective;
    const bnn_real *theta, *x, *y;
    int origin;     /* x begins with this row, y with the first one */
    double per_row; /* weight of a row's nll in U */
    bool wanted;    /* gradients are */
    int first;      /* row in lane 0 */
    double *nll;    /* of the rows in the lanes */
} batch;

/* nll of n rows from `from` on, forward and, into grad (NULL: not wanted), backward. */
static double run_rows(const batch *b, bnn_workspace *ws, int from, int n, bool back, bnn_real *grad) {
    const bnn_model *m = b->model;
    const size_t in = (size_t)bnn_shape_size(m->x_shape), y_dim = (size_t)m->likelihood.y_dim;
    const bnn_real *f = bnn_net_forward(m->net, ws, n, (uint64_t)from, b->x + (size_t)(from - b->origin) * in);
    const double *weight = b->objective->weight ? b->objective->weight + from : NULL;
    double nll =
        bnn_likelihood_nll(&m->likelihood, n, weight, f, b->y + (size_t)from * y_dim, bnn_model_noise(m, b->theta),
                           b->objective->scale * b->per_row, grad ? bnn_net_df(m->net, ws) : NULL, grad ? grad + m->net->n_theta : NULL);
    if (back) bnn_net_backward(m->net, ws, grad);
    return nll;
}

static void run_lanes(void *context, int first, int n) {
    const batch *b = context;
    for (int k = first; k < first + n; k++) {
        bnn_real *grad;
        bnn_workspace *lane = bnn_workspace_lane(b->model->net, b->ws, k, &grad);
        b->nll[k] = run_rows(b, lane, b->first + k, 1, b->wanted, b->wanted ? grad : NULL);
    }
}

/* m rows from `from` on, in rounds of as many as there are lanes. */
static double run_rounds(const batch *of, int from, int m, bnn_real *grad) {
    enum { MOST = 16 };
    double nll[MOST], total = 0;
    batch b = *of;
    const int lanes = bnn_workspace_lanes(b.ws);
    b.nll = nll;
    for (b.first = from; b.first < from + m; b.first += lanes) {
        int left = from + m - b.first, n = left < lanes ? left : lanes;
        bnn_parts_run(n, 1, run_lanes, &b);
        for (int k = 0; k < n; k++) total += b.per_row * nll[k];
        if (grad) bnn_workspace_gather(b.model->net, b.ws, n, grad);
    }
    return total;
}

/* m rows from `from` on, through the batch's workspace or one beside it. The score function takes the nll of all rows before any goes back.
 */
static double run_stretch(const void *context, bnn_workspace *ws, int from, int m, bnn_real *grad) {
    const batch *b = context;
    const bool score = grad && b->objective->estimator == BNN_SCORE_FUNCTION;
    double total = 0;
    if (bnn_workspace_lanes(ws) > 0) return run_rounds(b, from, m, grad);
    for (int first = from, piece = score ? m : rows_together(b->model->net, m); first < from + m; first += piece) {
        int left = from + m - first;
        total += b->per_row * run_rows(b, ws, first, left < piece ? left : piece, grad && !score, grad);
    }
    return total;
}

/* U on m rows of which the batch says where they stand. */
static bnn_terms sum_up(batch *b, bnn_rng rng, int m, bnn_real *grad) {
    const bnn_model *model = b->model;
    const bnn_objective *objective = b->objective;
    const bnn_net *net = model->net;
    bnn_workspace *ws = b->ws;
    double scale = objective->scale, share = scale * objective->kl_weight;
    bnn_terms terms = {0};
    b->per_row = m > 0 ? (double)objective->n_total / m : 0, b->wanted = grad;
    terms.prior = objective->kl_weight * prior_all(model, b->theta, share, grad);
    bnn_net_prepare(net, ws, b->theta, objective->mode, true, rng);
    const bool score = grad && objective->estimator == BNN_SCORE_FUNCTION;
    terms.nll = bnn_shards_cut(ws, m) ? bnn_shards_sum(model, ws, m, run_stretch, b, grad) : run_stretch(b, ws, 0, m, grad);
    if (score) bnn_net_score(net, ws, scale * (terms.nll - objective->baseline), grad);
    terms.kl = objective->kl_weight * bnn_net_penalty(net, ws, share, grad);
    return terms;
}

bnn_terms bnn_model_u(const bnn_model *model, bnn_workspace *ws, const bnn_objective *objective, bnn_rng rng, const bnn_real *theta, int m,
                      const bnn_real *x, const bnn_real *y, bnn_real *grad) {
    return sum_up(&(batch){.model = model, .ws = ws, .objective = objective, .theta = theta, .x = x, .y = y}, rng, m, grad);
}

bnn_terms bnn_model_u_data(const bnn_model *model, bnn_workspace *ws, const bnn_objective *objective, bnn_rng rng, const bnn_real *theta,
                           const bnn_data *data, bnn_real *grad) {
    batch b = {.model = model, .ws = ws, .objective = objective, .theta = theta, .x = data->x, .y = data->y};
    if (!data->x) b.x = data->stretch, b.origin = data->first;
    return sum_up(&b, rng, data->n, grad);
}

double bnn_model_input_gradient(const bnn_model *model, bnn_workspace *ws, bnn_mode mode, bnn_rng rng, const bnn_real *theta, int n,
                                const bnn_real *x, const bnn_real *y, bnn_real *dx) {
    const bnn_net *net = model->net;
    bnn_net_prepare(net, ws, theta, mode, false, rng);
    const bnn_real *f = bnn_net_forward(net, ws, n, 0, x);
    double nll = bnn_likelihood_vtable(&model->likelihood)
                     ->nll(&model->likelihood, n, f, y, bnn_model_noise(model, theta), 1, bnn_net_df(net, ws), NULL);
    bnn_net_backward(net, ws, NULL);
    memcpy(dx, bnn_net_dx(net, ws), (size_t)n * (size_t)bnn_shape_size(model->x_shape) * sizeof *dx);
    return nll;
}

/* Begins anew with each row what is summed over rows in pass. */
void bnn_model_row_gradients(const bnn_model *model, bnn_workspace *ws, bnn_mode mode, bnn_rng rng, const bnn_real *theta, int n,
                             const bnn_real *x, const bnn_real *y, bnn_real *grad) {
    const bnn_net *net = model->net;
    size_t in = (size_t)bnn_shape_size(model->x_shape), y_dim = (size_t)model->likelihood.y_dim;
    memset(grad, 0, (size_t)n * (size_t)model->n_theta * sizeof *grad);
    for (size_t i = 0; i < (size_t)n; i++, grad += model->n_theta) {
        bnn_net_prepare(net, ws, theta, mode, false, rng);
        const bnn_real *f = bnn_net_forward(net, ws, 1, i, x + i * in);
        bnn_likelihood_vtable(&model->likelihood)
            ->nll(&model->likelihood, 1, f, y + i * y_dim, bnn_model_noise(model, theta), 1, bnn_net_df(net, ws), grad + net->n_theta);
        bnn_net_backward(net, ws, grad);
        bnn_net_penalty(net, ws, 0, grad);
    }
}

double bnn_model_forward_flops(const bnn_model *model, int m) { return model->net->flops_pass + m * model->net->flops_row; }

double bnn_model_gradient_flops(const bnn_model *model, int m) {
    return bnn_model_forward_flops(model, m) + model->net->back_flops_pass + m * model->net->back_flops_row;
}
