/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * ivon: a plugin with a variational engine whose spread is learned as the curvature of Newton's method is (Shen et al. 2024, algorithm 1).
 *
 *   theta = m + s e,   s^2 = 1 / h,   g = dU/dx at theta,   h' = g (theta - m) / s^2
 *   h = b h + (1-b) h' + (1-b)^2 (h - h')^2 / (2 h),   m -= rate g' / h,   g' a decaying mean of g, corrected
 *
 * U counts all rows here, so that h, its curvature, is the precision itself, with the prior's in it. The mean of the last half of m is
 * what predicts.
 */
#include <bnn/engine.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    int steps;
    double rate, decay;
} conf;

static const bnn_option options[] = {BNN_OPT_INT(conf, steps, "2000", 1, 1e9, "gradients"),
                                     BNN_OPT_REAL(conf, rate, "0.05", 1e-9, 1, "size of the first step"),
                                     BNN_OPT_REAL(conf, decay, "0.999", 0, 0.999999, "of the mean of curvatures"),
                                     {0}};

typedef struct {
    bnn_workspace *ws;
    bnn_real *mean;         /* [n] averaged */
    double *m, *g, *h;      /* [n] each, one behind the other */
    bnn_real *theta, *grad; /* [n] room */
    uint64_t made;
} state;

static bnn_status open(bnn_engine *e, const bnn_data *data) {
    state *s = e->state;
    size_t n = (size_t)e->model->n_theta;
    s->mean = calloc(3 * n, sizeof *s->mean);
    s->m = calloc(3 * n, sizeof *s->m);
    if (!s->mean || !s->m) return bnn_fail(BNN_ERR_MEMORY, "out of memory");
    s->theta = s->mean + n, s->grad = s->theta + n, s->g = s->m + n, s->h = s->g + n;
    bnn_model_init(e->model, bnn_rng_split(e->rng, BNN_STREAM_INIT), s->mean);
    for (size_t i = 0; i < n; i++) s->m[i] = (double)s->mean[i], s->h[i] = fmax(data->n, 1);
    return data->n > 0 ? bnn_workspace_new(e->model->net, data->n, BNN_TO_THETA, &s->ws) : BNN_OK;
}

static void learn(state *s, const conf *c, size_t i, double e) {
    const double b1 = 0.9, b2 = c->decay, progress = (double)s->made / c->steps;
    double curvature = (double)s->grad[i] * e * sqrt(s->h[i]), away = s->h[i] - curvature;
    s->g[i] = b1 * s->g[i] + (1 - b1) * (double)s->grad[i];
    s->h[i] = fmax(b2 * s->h[i] + (1 - b2) * curvature + 0.5 * (1 - b2) * (1 - b2) * away * away / s->h[i], 1e-6);
    s->m[i] -= c->rate * (1 - progress) * s->g[i] / (1 - pow(b1, (double)s->made + 1)) / s->h[i];
    double half = (double)(c->steps / 2), share = (double)s->made < half ? 1 : 1 / ((double)s->made - half + 1);
    s->mean[i] += (bnn_real)(share * (s->m[i] - (double)s->mean[i]));
}

static bnn_status step(bnn_engine *e, const bnn_data *data, bnn_step *out) {
    const conf *c = e->object.conf;
    state *s = e->state;
    int n = e->model->n_theta;
    const bnn_objective u = {.n_total = data->n, .scale = 1, .kl_weight = 1, .mode = BNN_DRAW};
    bnn_rng rng = bnn_rng_split(bnn_rng_split(e->rng, BNN_STREAM_STEP), s->made);
    bnn_rng_normal(bnn_rng_split(rng, 0), 0, 1, n, s->theta);
    for (int i = 0; i < n; i++) s->theta[i] = (bnn_real)(s->m[i] + (double)s->theta[i] / sqrt(s->h[i]));
    out->terms = bnn_model_u(e->model, s->ws, &u, bnn_rng_split(rng, 1), s->theta, data->n, data->x, data->y, s->grad);
    if (!isfinite(bnn_terms_u(out->terms))) return bnn_fail(BNN_ERR_NUMERIC, "the objective is not finite");
    for (int i = 0; i < n; i++) learn(s, c, (size_t)i, ((double)s->theta[i] - s->m[i]) * sqrt(s->h[i]));
    e->cost.gradients++;
    e->cost.flops += bnn_model_gradient_flops(e->model, data->n);
    s->made++;
    out->theta = s->mean;
    out->progress = (double)s->made / c->steps;
    out->done = s->made >= (uint64_t)c->steps;
    return BNN_OK;
}

static bnn_status draw(const bnn_engine *e, int i, bnn_rng rng, bnn_real *theta) {
    const state *s = e->state;
    (void)i;
    bnn_rng_normal(rng, 0, 1, e->model->n_theta, theta);
    for (int k = 0; k < e->model->n_theta; k++) theta[k] = s->mean[k] + (bnn_real)((double)theta[k] / sqrt(s->h[k]));
    return BNN_OK;
}

static int blocks(bnn_engine *e, bnn_block *out) {
    state *s = e->state;
    size_t n = (size_t)e->model->n_theta;
    out[0] = (bnn_block){.name = "mean", .kind = BNN_BLOCK_REAL, .data = s->mean, .length = n, .theta = true};
    out[1] = (bnn_block){.name = "moments", .kind = BNN_BLOCK_DOUBLE, .data = s->m, .length = 3 * n};
    out[2] = (bnn_block){.name = "made", .kind = BNN_BLOCK_U64, .data = &s->made, .length = 1};
    return 3;
}

static void close(bnn_engine *e) {
    state *s = e->state;
    bnn_workspace_free(s->ws);
    free(s->mean), free(s->m);
}

static const char *const checks[] = {"ivon:steps=30", NULL};
static const bnn_claim claims[] = {{"ivon:steps=60000,decay=0.9995,rate=0.03", BNN_FINDS_MEAN_FIELD, 0.1}, {NULL, 0, 0}};

static const bnn_engine_type ivon = {
    .type = {BNN_TYPE(bnn_engine_type), .name = "ivon", .summary = "independent Gaussians by an online Newton method",
             .reference = "Shen et al. 2024, algorithm 1", .conf_size = sizeof(conf), .options = options, .checks = checks},
    .state_size = sizeof(state),
    .open = open,
    .step = step,
    .close = close,
    .draw = draw,
    .blocks = blocks,
    .claims = claims,
};

BNN_ENGINE_PLUGIN(ivon)
