/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * fall: the weights behind gates of a fixed p, by gradient descent with momentum; p = 0: the mode. MUTANT 0 is right, each other one has
 * one fault.
 *
 *   v = 0.9 v - lr dU/dtheta / N,   theta += v          over minibatches, lr falling to 0
 */
#include <bnn/engine.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    double p, lr;
    int epochs, batch;
} conf;

static const bnn_option options[] = {
    {.name = "p",
     .kind = BNN_OPTION_REAL,
     .offset = offsetof(conf, p),
     .preset = "0.3",
     .min = 0,
     .max = 0.9,
     .help = "probability of dropping"},
    {.name = "lr",
     .kind = BNN_OPTION_REAL,
     .offset = offsetof(conf, lr),
     .preset = "0.02",
     .min = 0,
     .max = 10,
     .help = "step size on U/N"},
    {.name = "epochs", .kind = BNN_OPTION_INT, .offset = offsetof(conf, epochs), .preset = "100", .min = 1, .max = 1e9, .help = "epochs"},
    {.name = "batch",
     .kind = BNN_OPTION_INT,
     .offset = offsetof(conf, batch),
     .preset = "8",
     .min = 1,
     .max = 1e9,
     .help = "rows of a minibatch"},
    {0}};

typedef struct {
    bnn_workspace *ws;
    bnn_real *theta, *grad, *velocity; /* [n] */
    bnn_real *x, *y;                   /* [batch, in], [batch, y_dim] */
    int *order;                        /* [rows] */
    uint64_t epochs;
} state;

static bnn_status adapt(const void *of, bnn_netspec *net) {
    char p[BNN_NUMBER_TEXT], gate[64];
    snprintf(gate, sizeof gate, "p=%s", bnn_number_print(((const conf *)of)->p, p));
    for (int i = 0; i < net->n; i++)
#if MUTANT == 4
        if (bnn_netspec_affine(net, i)) BNN_TRY(bnn_netspec_insert(net, i++, "dropout", gate));
#else
        if (bnn_netspec_affine(net, i) && !bnn_netspec_gated(net, i)) BNN_TRY(bnn_netspec_insert(net, i++, "dropout", gate));
#endif
    return BNN_OK;
}

static int batch_of(const bnn_engine *e, const bnn_data *data) {
    int batch = ((const conf *)e->object.conf)->batch;
    return batch < data->n ? batch : data->n;
}

static bnn_status open(bnn_engine *e, const bnn_data *data) {
    state *s = e->state;
    size_t n = (size_t)e->model->n_theta, batch = (size_t)batch_of(e, data);
    s->theta = calloc(n, sizeof *s->theta);
    s->grad = calloc(n, sizeof *s->grad);
    s->velocity = calloc(n, sizeof *s->velocity);
    s->x = calloc(batch * (size_t)bnn_shape_size(data->x_shape) + 1, sizeof *s->x);
    s->y = calloc(batch * (size_t)data->y_dim + 1, sizeof *s->y);
    s->order = calloc((size_t)data->n + 1, sizeof *s->order);
    if (!s->theta || !s->grad || !s->velocity || !s->x || !s->y || !s->order) return bnn_fail(BNN_ERR_MEMORY, "out of memory");
#if MUTANT == 9
    if (data->n == 0) return bnn_fail(BNN_ERR_DATA, "there are no rows");
#endif
    bnn_model_init(e->model, bnn_rng_split(e->rng, BNN_STREAM_INIT), s->theta);
    return data->n > 0 ? bnn_workspace_new(e->model->net, (int)batch, BNN_TO_THETA, &s->ws) : BNN_OK;
}

static void gather(state *s, const bnn_data *data, int from, int m) {
    size_t in = (size_t)bnn_shape_size(data->x_shape), out = (size_t)data->y_dim;
    for (int i = 0; i < m; i++) {
        memcpy(s->x + (size_t)i * in, data->x + (size_t)s->order[from + i] * in, in * sizeof *s->x);
        memcpy(s->y + (size_t)i * out, data->y + (size_t)s->order[from + i] * out, out * sizeof *s->y);
    }
}

static bnn_terms minibatch(bnn_engine *e, const bnn_data *data, int i, int batches) {
    state *s = e->state;
    int from = i * batch_of(e, data), m = data->n - from < batch_of(e, data) ? data->n - from : batch_of(e, data);
    bnn_objective u = {.n_total = data->n, .scale = 1.0 / data->n, .kl_weight = 1, .mode = BNN_ROWS};
#if MUTANT == 1
    u.kl_weight = batches;
#elif MUTANT == 2
    u.kl_weight = 0;
#elif MUTANT == 3
    u.n_total = m;
#elif MUTANT == 15
    u.n_total = data->n * m / batch_of(e, data);
#endif
    gather(s, data, from, m);
    bnn_rng noise = bnn_rng_split(bnn_rng_split(e->rng, BNN_STREAM_STEP), s->epochs * (uint64_t)batches + (uint64_t)i);
    e->cost.gradients++;
    e->cost.flops += bnn_model_gradient_flops(e->model, MUTANT == 16 ? 1 : m);
    return bnn_model_u(e->model, s->ws, &u, noise, s->theta, m, s->x, s->y, s->grad);
}

static void update(bnn_engine *e) {
    const conf *c = e->object.conf;
    state *s = e->state;
    double lr = c->lr * (1 - (double)s->epochs / c->epochs);
    int n = MUTANT == 14 ? e->model->net->n_theta : e->model->n_theta;
    for (int i = 0; i < n; i++) {
        s->velocity[i] = (bnn_real)(0.9 * (double)s->velocity[i] - lr * (double)s->grad[i]);
        s->theta[i] += s->velocity[i];
    }
}

static bnn_status step(bnn_engine *e, const bnn_data *data, bnn_step *out) {
    const conf *c = e->object.conf;
    state *s = e->state;
    int batches = (data->n + batch_of(e, data) - 1) / batch_of(e, data);
    uint64_t epoch = s->epochs;
#if MUTANT == 7
    static uint64_t calls;
    epoch = calls++;
#endif
    bnn_rng_permutation(bnn_rng_split(bnn_rng_split(e->rng, BNN_STREAM_SHUFFLE), epoch), data->n, s->order);
    for (int i = 0; i < batches; i++) {
        bnn_terms t = minibatch(e, data, i, batches);
#if MUTANT != 13
        if (!isfinite(bnn_terms_u(t))) return bnn_fail(BNN_ERR_NUMERIC, "the objective is not finite");
#endif
        update(e);
        double share = 1.0 / batches;
#if MUTANT == 10
        share /= data->n;
#endif
        out->terms.nll += t.nll * share, out->terms.prior += t.prior * share, out->terms.kl += t.kl * share;
    }
    s->epochs++;
    out->theta = s->theta;
    out->progress = (double)s->epochs / c->epochs;
    out->done = s->epochs >= (uint64_t)c->epochs;
#if MUTANT == 11
    out->progress /= 2;
#endif
    return BNN_OK;
}

static bnn_status draw(const bnn_engine *e, int i, bnn_rng rng, bnn_real *theta) {
    const state *s = e->state;
    size_t n = (size_t)e->model->n_theta;
    (void)i, (void)rng; /* one parameter vector; the gates make the noise */
#if MUTANT == 5
    bnn_rng_normal(rng, 0, 1, (int)n, theta);
    for (size_t k = 0; k < n; k++) theta[k] = s->theta[k] + (bnn_real)0.01 * theta[k];
#else
    memcpy(theta, s->theta, n * sizeof *theta);
#endif
    return BNN_OK;
}

static int blocks(bnn_engine *e, bnn_block *out) {
    state *s = e->state;
    size_t n = (size_t)e->model->n_theta;
    out[0] = (bnn_block){.name = "theta", .kind = BNN_BLOCK_REAL, .data = s->theta, .length = n, .theta = true};
    out[1] = (bnn_block){.name = "epochs", .kind = BNN_BLOCK_U64, .data = &s->epochs, .length = 1};
#if MUTANT == 8
    return 2;
#else
    out[2] = (bnn_block){.name = "velocity", .kind = BNN_BLOCK_REAL, .data = s->velocity, .length = n};
    return 3;
#endif
}

static void close(bnn_engine *e) {
    state *s = e->state;
    bnn_workspace_free(s->ws);
    free(s->theta);
    free(s->grad);
    free(s->velocity);
    free(s->x);
    free(s->y);
    free(s->order);
}

#if MUTANT == 6
enum { CAPS = BNN_POINT };
#elif MUTANT == 12
enum { CAPS = 0 };
#else
enum { CAPS = BNN_ONE_THETA };
#endif

static const char *const checks[] = {MUTANT_NAME ":epochs=20", NULL};

static const bnn_claim claims[] = {
    {MUTANT_NAME ":epochs=6000", BNN_FINDS_GATED, 0.1}, {MUTANT_NAME ":epochs=4000,p=0", BNN_FINDS_MODE, 0.03}, {NULL, 0, 0}};

static const bnn_engine_type mutant = {
    .type = {BNN_TYPE(bnn_engine_type), .name = MUTANT_NAME, .summary = "descent behind gates", .caps = CAPS, .conf_size = sizeof(conf),
             .options = options, .checks = checks},
    .state_size = sizeof(state),
    .open = open,
    .step = step,
    .close = close,
    .draw = draw,
    .blocks = blocks,
    .adapt = adapt,
    .claims = claims,
};

BNN_ENGINE_PLUGIN(mutant)
