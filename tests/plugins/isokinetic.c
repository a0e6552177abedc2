/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * isokinetic: a plugin with microcanonical Langevin dynamics (Robnik, De Luca, Silverstein & Seljak 2023), which has no rejections.
 *
 *   |u| = 1,   dx = u dt,   du = -(1 - u u^T) dU/dx dt / (d - 1),   u = (u + nu e) / |u + nu e|,   nu^2 = (exp(2 dt / length) - 1) / d
 */
#include <bnn/engine.h>
#include <bnn/jobs.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    int chains, samples, warmup, thin;
    double step, length;
} conf;

static const bnn_option options[] = {BNN_OPT_INT(conf, chains, "4", 1, 1e4, "independent chains"),
                                     BNN_OPT_INT(conf, samples, "100", 1, 1e8, "draws kept of each"),
                                     BNN_OPT_INT(conf, warmup, "1000", 0, 1e8, "steps before them"),
                                     BNN_OPT_INT(conf, thin, "20", 1, 1e6, "steps for each draw"),
                                     BNN_OPT_REAL(conf, step, "0.05", 1e-9, 1e3, "length of a step"),
                                     BNN_OPT_REAL(conf, length, "1.5", 1e-9, 1e9, "way on which a direction is forgotten"),
                                     {0}};

typedef struct {
    bnn_workspace **ws; /* [chains] */
    double *x, *u;      /* [chains, n] */
    bnn_real *room;     /* [chains, 2 n] */
    bnn_real *draws;    /* [chains, samples, n] */
    uint64_t made;      /* draws of each chain, and those of the warm-up */
    const bnn_data *data;
    const bnn_engine *engine;
} state;

static const conf *conf_of(const bnn_engine *e) { return e->object.conf; }

static double norm(int n, const double *a) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += a[i] * a[i];
    return sqrt(sum);
}

/* u + size e, of length 1. */
static void turn(int n, double *u, double size, bnn_rng rng, bnn_real *room) {
    bnn_rng_normal(rng, 0, 1, n, room);
    for (int i = 0; i < n; i++) u[i] += size * (double)room[i];
    double length = norm(n, u);
    for (int i = 0; i < n; i++) u[i] /= length;
}

static bnn_status open(bnn_engine *e, const bnn_data *data) {
    const conf *c = conf_of(e);
    state *s = e->state;
    size_t n = (size_t)e->model->n_theta, chains = (size_t)c->chains;
    s->engine = e;
    s->ws = calloc(chains, sizeof *s->ws);
    s->x = calloc(2 * chains * n, sizeof *s->x);
    s->room = calloc(chains * 2 * n, sizeof *s->room);
    s->draws = calloc(chains * (size_t)c->samples * n, sizeof *s->draws);
    if (!s->ws || !s->x || !s->room || !s->draws) return bnn_fail(BNN_ERR_MEMORY, "out of memory");
    s->u = s->x + chains * n;
    for (size_t k = 0; k < chains; k++) {
        bnn_rng rng = bnn_rng_split(bnn_rng_split(e->rng, BNN_STREAM_INIT), k);
        bnn_real *theta = s->room + 2 * k * n;
        bnn_model_init(e->model, bnn_rng_split(rng, 0), theta);
        for (size_t i = 0; i < n; i++) s->x[k * n + i] = (double)theta[i];
        turn((int)n, s->u + k * n, 1, bnn_rng_split(rng, 1), theta);
        if (data->n > 0) BNN_TRY(bnn_workspace_new(e->model->net, data->n, BNN_TO_THETA, &s->ws[k]));
    }
    return BNN_OK;
}

/* The direction for `step` along the gradient g at one place, in closed form. */
static void kick(int n, double *u, double step, const bnn_real *g) {
    double size = 0, along = 0;
    for (int i = 0; i < n; i++) size += (double)g[i] * (double)g[i], along -= (double)g[i] * u[i];
    if (size == 0) return;
    size = sqrt(size), along /= size;
    double d = fmin(step * size / fmax(n - 1, 1), 50), length;
    for (int i = 0; i < n; i++) u[i] -= (double)g[i] / size * (sinh(d) + along * (cosh(d) - 1));
    length = norm(n, u);
    for (int i = 0; i < n; i++) u[i] /= length;
}

static double differentiate(const state *s, int k, const double *x, bnn_real *theta) {
    const bnn_data *d = s->data;
    const bnn_objective u = {.n_total = d->n, .scale = 1, .kl_weight = 1, .mode = BNN_MEAN};
    int n = s->engine->model->n_theta;
    for (int i = 0; i < n; i++) theta[i] = (bnn_real)x[i];
    return bnn_terms_u(bnn_model_u(s->engine->model, s->ws[k], &u, (bnn_rng){0}, theta, d->n, d->x, d->y, theta + n));
}

static bnn_status move(void *of, int k) {
    state *s = of;
    const conf *c = conf_of(s->engine);
    int n = s->engine->model->n_theta;
    double *x = s->x + (size_t)k * (size_t)n, *u = s->u + (size_t)k * (size_t)n, nu = sqrt(expm1(2 * c->step / c->length) / n);
    bnn_real *theta = s->room + 2 * (size_t)k * (size_t)n;
    bnn_rng rng = bnn_rng_split(bnn_rng_split(bnn_rng_split(s->engine->rng, BNN_STREAM_STEP), (uint64_t)k), s->made);
    double potential = differentiate(s, k, x, theta);
    for (int t = 0; t < c->thin; t++) {
        kick(n, u, 0.5 * c->step, theta + n);
        for (int i = 0; i < n; i++) x[i] += c->step * u[i];
        potential = differentiate(s, k, x, theta);
        kick(n, u, 0.5 * c->step, theta + n);
        turn(n, u, nu, bnn_rng_split(rng, (uint64_t)t), theta); /* set anew before it is read */
    }
    if (!isfinite(potential)) return bnn_fail(BNN_ERR_NUMERIC, "U is %g where chain %d stands", potential, k + 1);
    uint64_t warmup = (uint64_t)(c->warmup / c->thin);
    if (s->made < warmup) return BNN_OK;
    bnn_real *draw = s->draws + ((size_t)k * (size_t)c->samples + (size_t)(s->made - warmup)) * (size_t)n;
    for (int i = 0; i < n; i++) draw[i] = (bnn_real)x[i];
    return BNN_OK;
}

static bnn_status step(bnn_engine *e, const bnn_data *data, bnn_step *out) {
    const conf *c = conf_of(e);
    state *s = e->state;
    s->data = data;
    BNN_TRY(bnn_jobs_run(c->chains, move, s));
    uint64_t gradients = (uint64_t)c->chains * (uint64_t)(c->thin + 1);
    e->cost.gradients += gradients;
    e->cost.flops += (double)gradients * bnn_model_gradient_flops(e->model, data->n);
    s->made++;
    for (int i = 0; i < e->model->n_theta; i++) s->room[i] = (bnn_real)s->x[i];
    out->theta = s->room;
    out->progress = (double)s->made / (c->warmup / c->thin + c->samples);
    out->done = out->progress >= 1;
    return BNN_OK;
}

static int kept(const bnn_engine *e) {
    const state *s = e->state;
    uint64_t warmup = (uint64_t)(conf_of(e)->warmup / conf_of(e)->thin);
    return s->made > warmup ? (int)(s->made - warmup) : 0;
}

static int n_chains(const bnn_engine *e) { return conf_of(e)->chains; }
static int n_draws(const bnn_engine *e) { return n_chains(e) * kept(e); }

static bnn_status draw(const bnn_engine *e, int i, bnn_rng rng, bnn_real *theta) {
    const state *s = e->state;
    size_t n = (size_t)e->model->n_theta, length = (size_t)kept(e);
    (void)rng; /* the draws are stored */
    memcpy(theta, s->draws + ((size_t)i / length * (size_t)conf_of(e)->samples + (size_t)i % length) * n, n * sizeof *theta);
    return BNN_OK;
}

static int blocks(bnn_engine *e, bnn_block *out) {
    state *s = e->state;
    size_t n = (size_t)e->model->n_theta, chains = (size_t)n_chains(e);
    out[0] = (bnn_block){"draws", BNN_BLOCK_REAL, s->draws, chains * (size_t)conf_of(e)->samples * n, true};
    out[1] = (bnn_block){.name = "made", .kind = BNN_BLOCK_U64, .data = &s->made, .length = 1};
    out[2] = (bnn_block){.name = "phase", .kind = BNN_BLOCK_DOUBLE, .data = s->x, .length = 2 * chains * n};
    return 3;
}

static void close(bnn_engine *e) {
    state *s = e->state;
    for (int k = 0; s->ws && k < n_chains(e); k++) bnn_workspace_free(s->ws[k]);
    free(s->ws), free(s->x), free(s->room), free(s->draws);
}

static const char *const checks[] = {"isokinetic:chains=3,samples=4,warmup=10,thin=5", NULL};
static const bnn_claim claims[] = {{"isokinetic:chains=32,samples=150,warmup=400,thin=15,step=0.1", BNN_FINDS_POSTERIOR, 0.1},
                                   {NULL, 0, 0}};

static const bnn_engine_type isokinetic = {
    .type = {BNN_TYPE(bnn_engine_type), .name = "isokinetic", .summary = "draws by microcanonical Langevin dynamics",
             .reference = "Robnik et al. 2023", .caps = BNN_EXACT, .conf_size = sizeof(conf), .options = options, .checks = checks},
    .state_size = sizeof(state),
    .open = open,
    .step = step,
    .close = close,
    .draw = draw,
    .blocks = blocks,
    .n_draws = n_draws,
    .n_chains = n_chains,
    .claims = claims,
};

BNN_ENGINE_PLUGIN(isokinetic)
