/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * walk: Hamiltonian Monte Carlo with unit masses, written out. MUTANT 0 is right, each other one has one fault.
 *
 *   p ~ N(0, 1);   `steps` leapfrogs of U(q) + p p / 2;   accept with probability min(1, exp(H before - H after))
 *
 * The step size is tuned to an acceptance of 0.8 in the warm-up, and stands still after it.
 */
#include <bnn/engine.h>
#include <bnn/jobs.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    int chains, samples, warmup, steps;
} conf;

#if MUTANT == 16
#define STEPS_FIELD warmup
#else
#define STEPS_FIELD steps
#endif

static const bnn_option options[] = {
    {.name = "chains", .kind = BNN_OPTION_INT, .offset = offsetof(conf, chains), .preset = "4", .min = 1, .max = 1e4, .help = "chains"},
    {.name = "samples",
     .kind = BNN_OPTION_INT,
     .offset = offsetof(conf, samples),
     .preset = "250",
     .min = 1,
     .max = 1e8,
     .help = "draws of each"},
    {.name = "warmup",
     .kind = BNN_OPTION_INT,
     .offset = offsetof(conf, warmup),
     .preset = "150",
     .min = 0,
     .max = 1e8,
     .help = "transitions before"},
    {.name = "steps",
     .kind = BNN_OPTION_INT,
     .offset = offsetof(conf, STEPS_FIELD),
     .preset = "10",
     .min = 1,
     .max = 1e6,
     .help = "leapfrogs"},
    {0}};

/* What one chain works with. */
typedef struct {
    bnn_workspace *ws;
    bnn_real *theta, *grad; /* [n] */
    double *q, *p, *old;    /* [n] */
    const double *scale;    /* [n] of steps; NULL: 1 */
} chain;

typedef struct {
    chain *chain;        /* [chains] */
    double *q, *p, *old; /* [chains, n] */
    bnn_real *real;      /* [chains, 2 n] */
    bnn_real *draws;     /* [chains, samples, n] */
    double *log_step;    /* [chains] */
    double *scale;       /* [n] of mutant 38 */
    bnn_real *last;      /* [n] of mutants 39 and 43 */
    uint64_t made;       /* transitions of each chain */
    const bnn_data *data;
    const bnn_engine *engine;
    int cursor;
} state;

#if MUTANT == 7
static bnn_rng root_of(const bnn_engine *e) { return (void)e, bnn_rng_seed(1); }
#else
static bnn_rng root_of(const bnn_engine *e) { return e->rng; }
#endif

static bnn_status open(bnn_engine *e, const bnn_data *data) {
    conf *c = e->object.conf;
    state *s = e->state;
#if MUTANT == 17
    c->samples = (c->samples + 9) / 10 * 10;
#endif
    size_t n = (size_t)e->model->n_theta, chains = (size_t)c->chains;
    s->engine = e;
    s->chain = calloc(chains, sizeof *s->chain);
    s->q = calloc(chains * n, sizeof *s->q);
    s->p = calloc(chains * n, sizeof *s->p);
    s->old = calloc(chains * n, sizeof *s->old);
    s->real = calloc(chains * 2 * n, sizeof *s->real);
    s->draws = calloc(chains * (size_t)c->samples * n, sizeof *s->draws);
    s->log_step = calloc(2 * chains, sizeof *s->log_step);
    s->scale = calloc(n, sizeof *s->scale);
    s->last = calloc(n, sizeof *s->last);
#if MUTANT == 42
    if (e->model->likelihood.n_classes > 0) {
        s->last = malloc(n * sizeof *s->last);
        return bnn_fail(BNN_ERR_SHAPE, "needs real targets, but the data have %d classes", e->model->likelihood.n_classes);
    }
#endif
    if (!s->scale || !s->last) return bnn_fail(BNN_ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < n; i++) s->scale[i] = 1;
    if (!s->chain || !s->q || !s->p || !s->old || !s->real || !s->draws || !s->log_step) return bnn_fail(BNN_ERR_MEMORY, "out of memory");
    for (size_t k = 0; k < chains; k++) {
        chain *h = &s->chain[k];
        *h = (chain){.theta = s->real + 2 * k * n,
                     .grad = s->real + (2 * k + 1) * n,
                     .q = s->q + k * n,
                     .p = s->p + k * n,
                     .old = s->old + k * n,
                     .scale = MUTANT == 38 ? s->scale : NULL};
        s->log_step[k] = log(0.05);
        bnn_model_init(e->model, bnn_rng_split(bnn_rng_split(root_of(e), BNN_STREAM_INIT), k), h->theta);
        for (size_t i = 0; i < n; i++) h->q[i] = (double)h->theta[i];
        if (data->n > 0) BNN_TRY(bnn_workspace_new(e->model->net, data->n, BNN_TO_THETA, &h->ws));
    }
    return BNN_OK;
}

static double potential(const state *s, chain *h) {
    const bnn_data *d = s->data;
    bnn_objective u = {.n_total = d->n, .scale = 1, .kl_weight = 1, .mode = BNN_MEAN};
    int rows = d->n;
#if MUTANT == 4
    u.kl_weight = 0;
#elif MUTANT == 10
    u.n_total = rows = (d->n + 1) / 2;
#endif
    for (int i = 0; i < s->engine->model->n_theta; i++) h->theta[i] = (bnn_real)h->q[i];
    return bnn_terms_u(bnn_model_u(s->engine->model, h->ws, &u, (bnn_rng){0}, h->theta, rows, d->x, d->y, h->grad));
}

static double kinetic(int n, const double *p) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += 0.5 * p[i] * p[i];
    return sum;
}

static double scale_of(const chain *h, int i) { return h->scale ? h->scale[i] : 1; }

static void kick(int n, chain *h, double step) {
    for (int i = 0; i < n; i++) h->p[i] -= step * scale_of(h, i) * (double)h->grad[i];
}

/* Says whether the likelihood's own parameters, too, are moved. */
static bool moves(const bnn_model *m, int i) {
#if MUTANT == 21
    return i < m->net->n_theta || m->n_scaled > 0;
#elif MUTANT == 22
    return i < m->net->n_theta + m->likelihood.n_theta;
#else
    return (void)m, (void)i, true;
#endif
}

/* The last of the potential's values. */
static double leapfrogs(const state *s, chain *h, int steps, double step) {
    int n = s->engine->model->n_theta;
    double u = 0;
    for (int t = 0; t < steps; t++) {
        kick(n, h, 0.5 * step);
        for (int i = 0; i < n; i++) h->q[i] += moves(s->engine->model, i) ? step * scale_of(h, i) * h->p[i] : 0;
        u = potential(s, h);
        kick(n, h, 0.5 * step);
    }
    return u;
}

static double uniform(bnn_rng rng) {
    bnn_real u;
    bnn_rng_uniform(rng, 0, 1, 1, &u);
    return (double)u;
}

#if MUTANT == 23
static const double sd_of_momentum = 1.03;
#else
static const double sd_of_momentum = 1;
#endif

static void refresh(state *s, chain *h, bnn_rng rng) {
    int n = s->engine->model->n_theta;
#if MUTANT == 2
    if (s->made > 0) return;
#endif
    bnn_rng_normal(bnn_rng_split(rng, 0), 0, 1, n, h->theta);
    for (int i = 0; i < n; i++) h->p[i] = sd_of_momentum * (double)h->theta[i];
#if MUTANT == 27
    bnn_rng_uniform(bnn_rng_split(rng, 0), 0, 1, n, h->theta);
    for (int i = 0; i < n; i++) h->p[i] = sqrt(3) * (2 * (double)h->theta[i] - 1);
#elif MUTANT == 25
    if ((h - s->chain) % 2 == 1)
        for (int i = 0; i < n; i++) h->p[i] = -h->p[i];
#endif
}

static double step_size(const state *s, int k, bnn_rng rng) {
    double step = exp(s->log_step[k]) * (0.8 + 0.4 * uniform(bnn_rng_split(rng, 1)));
#if MUTANT == 9
    step *= 1.7;
#endif
    return step;
}

static bnn_rng stream(const state *s, int k) {
    uint64_t t = s->made;
#if MUTANT == 5
    static uint64_t calls;
    t = calls++;
#elif MUTANT == 15
    static _Atomic uint64_t threads;
    static _Thread_local uint64_t calls __attribute__((tls_model("initial-exec"))); /* the leak sanitizer falls over others of plugins */
    if (calls == 0) calls = ++threads << 32;
    t = calls++;
#elif MUTANT == 24
    k = 0;
#elif MUTANT == 25
    k /= 2;
#elif MUTANT == 26
    t += (uint64_t)k, k = 0;
#elif MUTANT == 40
    k %= 32;
#endif
    return bnn_rng_split(bnn_rng_split(bnn_rng_split(root_of(s->engine), BNN_STREAM_STEP), (uint64_t)k), t);
}

/* A trajectory that diverges is rejected. */
static bool accepts(double before, double after, bnn_rng rng) {
    if (!(after - before < 1000)) return false;
#if MUTANT == 1
    return uniform(bnn_rng_split(rng, 2)) < exp(after - before);
#elif MUTANT == 9
    return (void)rng, true;
#else
    return uniform(bnn_rng_split(rng, 2)) < exp(before - after);
#endif
}

static bnn_status move(void *of, int k) {
    state *s = of;
    const conf *c = s->engine->object.conf;
    chain *h = &s->chain[k];
    int n = s->engine->model->n_theta;
    size_t bytes = (size_t)n * sizeof *h->q;
    bnn_rng rng = stream(s, k);
    refresh(s, h, rng);
    double before = potential(s, h), step = step_size(s, k, rng);
#if MUTANT == 41
    char *sentence = isfinite(before) ? NULL : strdup("U is not finite");
    if (sentence) return bnn_fail(BNN_ERR_NUMERIC, "%s", sentence);
#endif
#if MUTANT != 14
    if (!isfinite(before)) return bnn_fail(BNN_ERR_NUMERIC, "U is %g where chain %d stands", before, k + 1);
#endif
#if MUTANT == 36 /* U where the chain stood before */
    if (s->made > 0) before = s->log_step[c->chains + k];
#endif
    before += kinetic(n, h->p);
    memcpy(h->old, h->q, bytes);
    double after = leapfrogs(s, h, c->steps, step), accept;
#if MUTANT == 36
    double u = after;
#endif
    after += kinetic(n, h->p);
    accept = fmin(1, exp(before - after));
    bool moves_on = accepts(before, after, rng);
    if (!moves_on) memcpy(h->q, h->old, bytes);
    bool tunes = s->made < (uint64_t)c->warmup;
#if MUTANT == 28
    const bool goes_on = true;
#else
    const bool goes_on = tunes;
#endif
#if MUTANT == 36
    if (s->made == 0 || moves_on) s->log_step[c->chains + k] = moves_on ? u : before - kinetic(n, h->p);
#endif
    if (goes_on) s->log_step[k] += 2 * ((isnan(accept) ? 0 : accept) - 0.8) / sqrt((double)s->made + 1);
#if MUTANT == 3 /* at small U to small steps, at large U to large ones */
    if (!tunes) s->log_step[k] = log(0.3 * kinetic(n, h->q) + 0.03);
#endif
    if (tunes) return BNN_OK;
    bnn_real *draw = s->draws + ((size_t)k * (size_t)c->samples + (size_t)(s->made - (uint64_t)c->warmup)) * (size_t)n;
#if MUTANT == 29
    const double *q = k == c->chains - 1 ? h->old : h->q;
#else
    const double *q = h->q;
#endif
    for (int i = 0; i < n; i++) draw[i] = (bnn_real)q[i];
    return BNN_OK;
}

static bnn_status step(bnn_engine *e, const bnn_data *data, bnn_step *out) {
    const conf *c = e->object.conf;
    state *s = e->state;
    double all = c->warmup + c->samples;
    s->data = data;
#if MUTANT == 12
    data->y[0] += 1;
#endif
    BNN_TRY(bnn_jobs_run(c->chains, move, s));
    uint64_t gradients = (uint64_t)c->chains * (uint64_t)(c->steps + 1);
#if MUTANT == 20
    gradients = 0;
#elif MUTANT == 32
    gradients = (uint64_t)(c->chains * c->steps);
#elif MUTANT == 33
    e->cost.flops -= (double)(gradients - gradients / (uint64_t)c->chains) * bnn_model_gradient_flops(e->model, data->n);
#endif
    e->cost.gradients += gradients;
    e->cost.flops += (double)gradients * bnn_model_gradient_flops(e->model, data->n);
    s->made++;
#if MUTANT == 38 /* to where the chains are, ever on */
    for (int i = 0, n = e->model->n_theta; i < n; i++) {
        double size = 0;
        for (int k = 0; k < c->chains; k++) size += fabs(s->chain[k].q[i]) / c->chains;
        s->scale[i] = 0.95 * s->scale[i] + 0.05 * fmin(size, 1);
    }
#elif MUTANT == 39
    for (int i = 0; i < e->model->n_theta; i++) s->last[i] = (bnn_real)s->chain[0].old[i];
#endif
    for (int i = 0; i < e->model->n_theta; i++) s->chain[0].theta[i] = (bnn_real)s->chain[0].q[i];
    out->theta = MUTANT == 39 ? s->last : s->chain[0].theta;
    out->progress = (double)s->made / all;
    out->done = out->progress >= 1;
#if MUTANT == 13
    out->progress = (double)(s->made + 1) / all;
#endif
    return BNN_OK;
}

static int kept(const bnn_engine *e) {
    const state *s = e->state;
    uint64_t warmup = (uint64_t)((const conf *)e->object.conf)->warmup;
#if MUTANT == 30
    warmup++;
#endif
    return s->made > warmup ? (int)(s->made - warmup) : 0;
}

static int n_chains(const bnn_engine *e) { return ((const conf *)e->object.conf)->chains; }

#if MUTANT == 11
static int n_draws(const bnn_engine *e) { return n_chains(e) * kept(e) - 1; }
#else
static int n_draws(const bnn_engine *e) { return n_chains(e) * kept(e); }
#endif

static bnn_status draw(const bnn_engine *e, int i, bnn_rng rng, bnn_real *theta) {
    const state *s = e->state;
    size_t n = (size_t)e->model->n_theta, samples = (size_t)((const conf *)e->object.conf)->samples, length = (size_t)kept(e);
    (void)rng; /* the draws are stored */
#if MUTANT == 31
    if ((size_t)i / length + 1 == (size_t)n_chains(e)) i %= (int)length;
#elif MUTANT == 8
    i = (int)((size_t)((state *)e->state)->cursor++ % (length * (size_t)n_chains(e)));
#endif
    bnn_real *to = MUTANT == 43 ? s->last : theta;
    memcpy(to, s->draws + ((size_t)i / length * samples + (size_t)i % length) * n, n * sizeof *theta);
    if (to != theta) memcpy(theta, to, n * sizeof *theta);
    return BNN_OK;
}

static bnn_status place(bnn_engine *e, const bnn_real *theta) {
    state *s = e->state;
    int chains = n_chains(e), n = e->model->n_theta;
#if MUTANT == 34
    chains = 1;
#elif MUTANT == 35
    n = e->model->net->n_theta;
#endif
    for (int k = 0; k < chains; k++)
        for (int i = 0; i < n; i++) s->q[k * e->model->n_theta + i] = (double)theta[i];
    return BNN_OK;
}

static int blocks(bnn_engine *e, bnn_block *out) {
    const conf *c = e->object.conf;
    state *s = e->state;
    size_t n = (size_t)e->model->n_theta, chains = (size_t)c->chains;
    int count = 0;
    out[count++] =
        (bnn_block){.name = "draws", .kind = BNN_BLOCK_REAL, .data = s->draws, .length = chains * (size_t)c->samples * n, .theta = true};
    out[count++] = (bnn_block){.name = "made", .kind = BNN_BLOCK_U64, .data = &s->made, .length = 1};
    out[count++] = (bnn_block){.name = "position", .kind = BNN_BLOCK_DOUBLE, .data = s->q, .length = chains * n};
#if MUTANT == 38
    out[count++] = (bnn_block){.name = "scale", .kind = BNN_BLOCK_DOUBLE, .data = s->scale, .length = n};
#endif
#if MUTANT == 2
    out[count++] = (bnn_block){.name = "momentum", .kind = BNN_BLOCK_DOUBLE, .data = s->p, .length = chains * n};
#endif
#if MUTANT == 18
    out[count++] = (bnn_block){.name = "position", .kind = BNN_BLOCK_DOUBLE, .data = s->log_step, .length = chains};
#elif MUTANT != 6
    out[count++] = (bnn_block){.name = "log_step", .kind = BNN_BLOCK_DOUBLE, .data = s->log_step, .length = (1 + (MUTANT == 36)) * chains};
#endif
    return count;
}

static void close(bnn_engine *e) {
    state *s = e->state;
    for (int k = 0; s->chain && k < n_chains(e); k++) bnn_workspace_free(s->chain[k].ws);
    free(s->chain);
    free(s->q);
    free(s->p);
    free(s->old);
    free(s->real);
    free(s->draws);
    free(s->log_step);
    free(s->scale);
    free(s->last);
}

static const char *const checks[] = {MUTANT_NAME ":chains=3,samples=5,warmup=15,steps=4", NULL};

#if MUTANT != 19
static const bnn_claim claims[] = {{MUTANT_NAME ":chains=64,samples=120,warmup=60,steps=6", BNN_FINDS_POSTERIOR, 0}, {NULL, 0, 0}};
#endif

static const bnn_engine_type mutant = {
    .type = {BNN_TYPE(bnn_engine_type), .name = MUTANT_NAME, .summary = "Hamiltonian Monte Carlo",
             .caps = BNN_EXACT | (MUTANT == 37 ? BNN_WEIGHS : 0), .conf_size = sizeof(conf), .options = options, .checks = checks},
    .state_size = sizeof(state),
    .open = open,
    .step = step,
    .close = close,
    .draw = draw,
    .blocks = blocks,
    .n_draws = n_draws,
    .n_chains = n_chains,
    .place = place,
#if MUTANT != 19
    .claims = claims,
#endif
};

BNN_ENGINE_PLUGIN(mutant)
