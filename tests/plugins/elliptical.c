/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * elliptical: draws from the posterior by elliptical slice sampling (Murray, Adams & MacKay 2010).
 *
 *   exp(-U(theta)) = N(theta; m, V) L(theta)                    V diagonal
 *   nu ~ N(0, V),   log y = log L(theta) + log uniform(0, 1),   theta' = m + (theta - m) cos a + nu sin a
 *   a ~ uniform(0, 2 pi) at first; the bracket of a shrinks towards 0 until log L(theta') > log y
 *
 * There is no step size, no gradient and no rejection: what is tuned elsewhere is found anew in each transition (their figure 2). N is the
 * Gaussian prior of the weights, so that L is the likelihood. Any other Gaussian is right, too, with what is left in L (Nishihara, Murray &
 * Adams 2014): parameters without a Gaussian prior, such as a log variance, have the mean where they start, and the sd `width`.
 *
 * It takes all rows. It mixes well where the likelihood says little, and slowly where it is much narrower than the prior in many
 * directions.
 */
#include <bnn/engine.h>
#include <bnn/jobs.h>
#include <bnn/stored.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    int chains, samples, warmup, thin;
    double width;
} conf;

static const bnn_option options[] = {BNN_OPT_INT(conf, chains, "4", 1, 1e4, "independent chains"),
                                     BNN_OPT_INT(conf, samples, "500", 1, 1e8, "draws that are kept of each chain"),
                                     BNN_OPT_INT(conf, warmup, "500", 0, 1e8, "steps before them"),
                                     BNN_OPT_INT(conf, thin, "20", 1, 1e6, "transitions of a step, each of which gives a draw"),
                                     BNN_OPT_REAL(conf, width, "1", 1e-6, 1e6, "sd of the ellipse where the prior is no Gaussian"),
                                     {0}};

typedef struct {
    bnn_stored stored;    /* the draws, with lp of each */
    bnn_real *theta;      /* [chains, n] where the chains stand */
    bnn_real *nu, *there; /* [chains, n] the other axis of the ellipse; a point on it */
    bnn_real *mean, *sd;  /* [n] of N */
    uint64_t steps;       /* made by each chain */
    uint64_t *forwards;   /* [chains] evaluations in this step */
    bnn_workspace **ws;   /* [chains] */
    bnn_terms *terms;     /* [chains] the parts of U where the chains stand */
    const bnn_data *data; /* for the time of a step */
    bnn_engine *engine;
} state;

/* The Gaussian: the prior where it is one, else around the initial theta. */
static void set_gaussian(bnn_engine *e, double width) {
    state *s = e->state;
    bnn_block_info block;
    for (int b = 0; bnn_model_block(e->model, b, &block); b++) {
        double prec = block.role == BNN_WEIGHT || block.role == BNN_BIAS ? bnn_model_prior_prec(e->model, b, s->theta) : NAN;
        bool gaussian = isfinite(prec) && prec > 0;
        for (size_t i = block.offset; i < block.offset + block.length; i++) {
            s->mean[i] = gaussian ? 0 : s->theta[i];
            s->sd[i] = (bnn_real)(gaussian ? 1 / sqrt(prec) : width);
        }
    }
}

static bnn_status open(bnn_engine *e, const bnn_data *data) {
    const conf *c = e->object.conf;
    state *s = e->state;
    size_t n = (size_t)e->model->n_theta, chains = (size_t)c->chains;
    double bytes = bnn_stored_bytes(c->chains, c->samples, e->model->n_theta, 1);
    BNN_TRY(bnn_memory_check(bytes + (double)c->chains * (double)bnn_workspace_bytes(e->model->net, data->n, BNN_FORWARD), "sampling",
                             "keep fewer draws"));
    s->engine = e;
    s->theta = calloc((3 * chains + 2) * n + 1, sizeof *s->theta);
    s->forwards = calloc(chains, sizeof *s->forwards);
    s->ws = calloc(chains, sizeof *s->ws);
    s->terms = calloc(chains, sizeof *s->terms);
    if (!s->theta || !s->forwards || !s->ws || !s->terms) return bnn_fail(BNN_ERR_MEMORY, "out of memory for the chains");
    s->nu = s->theta + chains * n;
    s->there = s->nu + chains * n;
    s->mean = s->there + chains * n;
    s->sd = s->mean + n;
    for (size_t k = 0; k < chains; k++) {
        bnn_model_init(e->model, bnn_rng_split(bnn_rng_split(e->rng, BNN_STREAM_INIT), k), s->theta + k * n);
        if (data->n > 0) BNN_TRY(bnn_workspace_new(e->model->net, data->n, BNN_FORWARD, &s->ws[k]));
    }
    set_gaussian(e, c->width);
    return bnn_stored_open(&s->stored, c->chains, c->samples, e->model->n_theta, 1);
}

/* log L, and the parts of U on the way. */
static double log_l(state *s, size_t k, const bnn_real *theta, bnn_terms *terms) {
    const bnn_data *d = s->data;
    const bnn_objective whole = {.n_total = d->n, .scale = 1, .kl_weight = 1, .mode = BNN_MEAN};
    double squares = 0;
    s->forwards[k]++;
    *terms = bnn_model_u(s->engine->model, s->ws[k], &whole, (bnn_rng){0}, theta, d->n, d->x, d->y, NULL);
    for (int i = 0; i < s->engine->model->n_theta; i++) {
        double z = (double)(theta[i] - s->mean[i]) / (double)s->sd[i];
        squares += z * z;
    }
    return squares / 2 - bnn_terms_u(*terms);
}

static double uniform(bnn_rng rng, uint64_t number) {
    bnn_real u;
    bnn_rng_uniform(rng, number, 1, 1, &u);
    return (double)u;
}

enum { AXIS, HEIGHT, ANGLE };     /* streams */
enum { MOST_SHRINKINGS = 10000 }; /* by far: the bracket is empty long before */

/* One transition of chain k. */
static void move(state *s, size_t k, bnn_rng rng) {
    int n = s->engine->model->n_theta;
    bnn_real *theta = s->theta + k * (size_t)n, *nu = s->nu + k * (size_t)n, *there = s->there + k * (size_t)n;
    bnn_terms terms;
    double log_y = log_l(s, k, theta, &terms) + log(uniform(bnn_rng_split(rng, HEIGHT), 0));
    double a = 2 * M_PI * uniform(bnn_rng_split(rng, ANGLE), 0), low = a - 2 * M_PI, high = a;
    bnn_rng_normal(bnn_rng_split(rng, AXIS), 0, 1, n, nu);
    for (uint64_t t = 1; t < MOST_SHRINKINGS; t++) {
        for (int i = 0; i < n; i++)
            there[i] = (bnn_real)((double)s->mean[i] + (double)(theta[i] - s->mean[i]) * cos(a) + (double)(s->sd[i] * nu[i]) * sin(a));
        if (log_l(s, k, there, &terms) > log_y) break;
        if (a < 0)
            low = a;
        else
            high = a;
        a = low + (high - low) * uniform(bnn_rng_split(rng, ANGLE), t);
    }
    memcpy(theta, there, (size_t)n * sizeof *theta);
    s->terms[k] = terms;
}

/* `thin` transitions of chain k. */
static bnn_status advance(void *of, int chain) {
    state *s = of;
    const conf *c = s->engine->object.conf;
    size_t k = (size_t)chain, n = (size_t)s->engine->model->n_theta;
    bnn_rng rng = bnn_rng_split(bnn_rng_split(bnn_rng_split(s->engine->rng, BNN_STREAM_STEP), k), s->steps);
    double start = log_l(s, k, s->theta + k * n, &s->terms[k]);
    if (!isfinite(start)) return bnn_fail(BNN_ERR_NUMERIC, "U is %g where chain %d stands", bnn_terms_u(s->terms[k]), chain + 1);
    for (int t = 0; t < c->thin; t++) move(s, k, bnn_rng_split(rng, (uint64_t)t));
    if (s->steps < (uint64_t)c->warmup) return BNN_OK;
    int draw = (int)(s->steps - (uint64_t)c->warmup);
    double lp = -bnn_terms_u(s->terms[k]);
    memcpy(bnn_stored_at(&s->stored, chain, draw), s->theta + k * n, n * sizeof *s->theta);
    bnn_stored_note(&s->stored, chain, draw, &lp);
    return BNN_OK;
}

static bnn_status step(bnn_engine *e, const bnn_data *data, bnn_step *out) {
    const conf *c = e->object.conf;
    state *s = e->state;
    s->data = data;
    memset(s->forwards, 0, (size_t)c->chains * sizeof *s->forwards);
    BNN_TRY(bnn_jobs_run(c->chains, advance, s));
    for (int k = 0; k < c->chains; k++) {
        e->cost.forwards += s->forwards[k];
        e->cost.flops += (double)s->forwards[k] * bnn_model_forward_flops(e->model, data->n);
        out->terms.nll += s->terms[k].nll / c->chains;
        out->terms.prior += s->terms[k].prior / c->chains;
    }
    s->steps++;
    out->theta = s->theta;
    out->progress = (double)s->steps / ((double)c->warmup + c->samples);
    out->done = s->steps == (uint64_t)c->warmup + (uint64_t)c->samples;
    return BNN_OK;
}

static void close(bnn_engine *e) {
    state *s = e->state;
    for (int k = 0; s->ws && k < ((const conf *)e->object.conf)->chains; k++) bnn_workspace_free(s->ws[k]);
    bnn_stored_close(&s->stored);
    free(s->theta);
    free(s->forwards);
    free(s->ws);
    free(s->terms);
}

static int kept(const bnn_engine *e) {
    uint64_t warmup = (uint64_t)((const conf *)e->object.conf)->warmup, steps = ((const state *)e->state)->steps;
    return steps > warmup ? (int)(steps - warmup) : 0;
}

static bnn_status draw(const bnn_engine *e, int i, bnn_rng rng, bnn_real *theta) {
    (void)rng; /* the draws are stored */
    bnn_stored_draw(&((const state *)e->state)->stored, kept(e), i, theta);
    return BNN_OK;
}

static int blocks(bnn_engine *e, bnn_block *out) {
    state *s = e->state;
    size_t chains = (size_t)s->stored.chains, n = (size_t)s->stored.n;
    int k = bnn_stored_blocks(&s->stored, out);
    out[k++] = (bnn_block){.name = "position", .kind = BNN_BLOCK_REAL, .data = s->theta, .length = chains * n};
    out[k++] = (bnn_block){.name = "steps", .kind = BNN_BLOCK_U64, .data = &s->steps, .length = 1};
    return k;
}

static int n_draws(const bnn_engine *e) { return ((const conf *)e->object.conf)->chains * kept(e); }
static int n_chains(const bnn_engine *e) { return ((const conf *)e->object.conf)->chains; }

static int columns(const bnn_engine *e, bnn_column *out) {
    static const char *const names[] = {"lp"};
    const conf *c = e->object.conf;
    return kept(e) == c->samples ? bnn_stored_columns(&((const state *)e->state)->stored, names, out) : 0;
}

static bnn_status place(bnn_engine *e, const bnn_real *theta) {
    state *s = e->state;
    size_t n = (size_t)s->stored.n;
    for (int k = 0; k < s->stored.chains; k++) memcpy(s->theta + (size_t)k * n, theta, n * sizeof *theta);
    return BNN_OK;
}

static const char *const checks[] = {"elliptical:chains=3,samples=4,warmup=5,thin=3",
                                     "elliptical:chains=1,samples=3,warmup=0,thin=1,width=2", NULL};

static const bnn_claim claims[] = {{"elliptical:chains=32,samples=150,warmup=30,thin=5", BNN_FINDS_POSTERIOR, 0}, {NULL, 0, 0}};

const bnn_engine_type bnn_engine_elliptical = {
    .type = {BNN_TYPE(bnn_engine_type), .name = "elliptical", .summary = "draws from the posterior by elliptical slice sampling",
             .reference = "Murray, Adams & MacKay 2010; Nishihara, Murray & Adams 2014", .caps = BNN_EXACT, .conf_size = sizeof(conf),
             .options = options, .checks = checks},
    .state_size = sizeof(state),
    .open = open,
    .step = step,
    .close = close,
    .blocks = blocks,
    .draw = draw,
    .n_draws = n_draws,
    .n_chains = n_chains,
    .columns = columns,
    .claims = claims,
    .place = place,
};

BNN_ENGINE_PLUGIN(bnn_engine_elliptical)
