/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * @name@: draws from the posterior by random-walk Metropolis (Metropolis et al. 1953).
 *
 *   proposal = theta + step z,   z ~ N(0, I);   accepted with probability min(1, exp(U(theta) - U(proposal)))
 *
 * U takes all rows and no gradient. The step size is tuned to an acceptance of 0.234 during warm-up (Roberts, Gelman & Gilks 1997), and
 * stands still after it, as a Markov chain must.
 *
 * Replace the mathematics, keep the shape of the file: options, state, hooks, checks, claims, vtable, plugin. <bnn/engine.h> is the whole
 * contract.
 */
#include <bnn/engine.h>
#include <bnn/jobs.h>
#include <bnn/stored.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Options, read from the engine text: `@name@:samples=500`. The framework parses, checks and prints them by this table. */
typedef struct {
    int chains, samples, warmup, thin;
    double step;
} conf;

static const bnn_option options[] = {BNN_OPT_INT(conf, chains, "4", 1, 1e4, "independent chains"),
                                     BNN_OPT_INT(conf, samples, "500", 1, 1e8, "draws that are kept of each chain"),
                                     BNN_OPT_INT(conf, warmup, "500", 0, 1e8, "steps before them, in which the step size is tuned"),
                                     BNN_OPT_INT(conf, thin, "50", 1, 1e6, "transitions of a step, each of which gives a draw"),
                                     BNN_OPT_REAL(conf, step, "0.1", 1e-12, 1e6, "sd of a proposal before it is tuned"),
                                     {0}};

/* State behind bnn_engine.state: zeroed when `open` is called. Everything that decides what comes next belongs into `blocks`, too. */
typedef struct {
    bnn_stored stored;    /* the draws, with lp of each */
    bnn_real *theta;      /* [chains, n] where the chains stand */
    bnn_real *proposal;   /* [chains, n] */
    double *log_step;     /* [chains] */
    uint64_t steps;       /* made by each chain */
    bnn_workspace **ws;   /* [chains] */
    bnn_terms *terms;     /* [chains] the parts of U where the chains stand */
    const bnn_data *data; /* for the time of a step */
    bnn_engine *engine;
} state;

/* open, REQUIRED: allocates and initialises. It may fail. `data` may have no rows: then the engine is only to be restored and to predict,
 * and needs no workspace. All random numbers follow from e->rng, split by purpose, then by number: nothing of them has to be saved. */
static bnn_status open(bnn_engine *e, const bnn_data *data) {
    const conf *c = e->object.conf;
    state *s = e->state;
    size_t n = (size_t)e->model->n_theta, chains = (size_t)c->chains;
    double bytes = bnn_stored_bytes(c->chains, c->samples, e->model->n_theta, 1);
    BNN_TRY(bnn_memory_check(bytes + (double)c->chains * (double)bnn_workspace_bytes(e->model->net, data->n, BNN_FORWARD), "sampling",
                             "keep fewer draws"));
    s->engine = e;
    s->theta = calloc(chains * n + 1, sizeof *s->theta);
    s->proposal = calloc(chains * n + 1, sizeof *s->proposal);
    s->log_step = calloc(chains, sizeof *s->log_step);
    s->ws = calloc(chains, sizeof *s->ws);
    s->terms = calloc(chains, sizeof *s->terms);
    if (!s->theta || !s->proposal || !s->log_step || !s->ws || !s->terms) return bnn_fail(BNN_ERR_MEMORY, "out of memory for the chains");
    for (size_t k = 0; k < chains; k++) {
        bnn_model_init(e->model, bnn_rng_split(bnn_rng_split(e->rng, BNN_STREAM_INIT), k), s->theta + k * n);
        s->log_step[k] = log(c->step);
        if (data->n > 0) BNN_TRY(bnn_workspace_new(e->model->net, data->n, BNN_FORWARD, &s->ws[k]));
    }
    return bnn_stored_open(&s->stored, c->chains, c->samples, e->model->n_theta, 1);
}

/* U = -log p(y | theta) - log prior(theta), in nats over all rows. For minibatches see bnn/minibatch.h: U multiplies their part by N/M.
 * With an array in place of NULL it would be set to the gradient of scale times U. */
static bnn_terms u(const state *s, bnn_workspace *ws, const bnn_real *theta) {
    const bnn_data *d = s->data;
    const bnn_objective whole = {.n_total = d->n, .scale = 1, .kl_weight = 1, .mode = BNN_MEAN, .weight = d->weight};
    return bnn_model_u(s->engine->model, ws, &whole, (bnn_rng){0}, theta, d->n, d->x, d->y, NULL);
}

static double uniform(bnn_rng rng) {
    bnn_real number;
    bnn_rng_uniform(rng, 0, 1, 1, &number);
    return (double)number;
}

/* One transition of chain k; returns the probability of acceptance. */
static double move(state *s, size_t k, bnn_rng rng) {
    int n = s->engine->model->n_theta;
    bnn_real *theta = s->theta + k * (size_t)n, *proposal = s->proposal + k * (size_t)n;
    const bnn_real step = (bnn_real)exp(s->log_step[k]);
    bnn_rng_normal(bnn_rng_split(rng, 0), 0, 1, n, proposal);
    for (int i = 0; i < n; i++) proposal[i] = theta[i] + step * proposal[i];
    bnn_terms there = u(s, s->ws[k], proposal);
    double gain = bnn_terms_u(s->terms[k]) - bnn_terms_u(there), accept = isnan(gain) ? 0 : exp(fmin(0, gain));
    if (uniform(bnn_rng_split(rng, 1)) < accept) {
        memcpy(theta, proposal, (size_t)n * sizeof *theta);
        s->terms[k] = there;
    }
    return accept;
}

/* `thin` transitions of chain k. U is asked for anew before them, so that no block has to hold it. */
static bnn_status advance(void *of, int chain) {
    state *s = of;
    const conf *c = s->engine->object.conf;
    size_t k = (size_t)chain, n = (size_t)s->engine->model->n_theta;
    bool tunes = s->steps < (uint64_t)c->warmup;
    bnn_rng rng = bnn_rng_split(bnn_rng_split(bnn_rng_split(s->engine->rng, BNN_STREAM_STEP), k), s->steps);
    s->terms[k] = u(s, s->ws[k], s->theta + k * n);
    if (!isfinite(bnn_terms_u(s->terms[k])))
        return bnn_fail(BNN_ERR_NUMERIC, "U is %g where chain %d stands", bnn_terms_u(s->terms[k]), chain + 1);
    for (int t = 0; t < c->thin; t++) {
        double accept = move(s, k, bnn_rng_split(rng, (uint64_t)t));
        if (tunes) s->log_step[k] += (accept - 0.234) / sqrt((double)s->steps + 1);
    }
    if (tunes) return BNN_OK;
    int draw = (int)(s->steps - (uint64_t)c->warmup);
    double lp = -bnn_terms_u(s->terms[k]);
    memcpy(bnn_stored_at(&s->stored, chain, draw), s->theta + k * n, n * sizeof *s->theta);
    bnn_stored_note(&s->stored, chain, draw, &lp);
    return BNN_OK;
}

/* step, REQUIRED: one epoch, or transition, of the whole engine. It counts what it evaluates in e->cost, and tells where it stands and how
 * far it is. bnn_jobs_run runs the chains on all cores: each writes to its own memory, so the bits do not depend on how many there are. */
static bnn_status step(bnn_engine *e, const bnn_data *data, bnn_step *out) {
    const conf *c = e->object.conf;
    state *s = e->state;
    s->data = data;
    BNN_TRY(bnn_jobs_run(c->chains, advance, s));
    uint64_t forwards = (uint64_t)c->chains * ((uint64_t)c->thin + 1);
    e->cost.forwards += forwards;
    e->cost.flops += (double)forwards * bnn_model_forward_flops(e->model, data->n);
    s->steps++;
    for (int k = 0; k < c->chains; k++) {
        out->terms.nll += s->terms[k].nll / c->chains;
        out->terms.prior += s->terms[k].prior / c->chains;
    }
    out->theta = s->theta;
    out->progress = (double)s->steps / ((double)c->warmup + c->samples);
    out->done = s->steps == (uint64_t)c->warmup + (uint64_t)c->samples;
    return BNN_OK;
}

/* close, REQUIRED: frees what hangs on the state; also after an `open` that failed half-way. */
static void close(bnn_engine *e) {
    state *s = e->state;
    for (int k = 0; s->ws && k < ((const conf *)e->object.conf)->chains; k++) bnn_workspace_free(s->ws[k]);
    bnn_stored_close(&s->stored);
    free(s->theta);
    free(s->proposal);
    free(s->log_step);
    free(s->ws);
    free(s->terms);
}

static int kept(const bnn_engine *e) {
    uint64_t warmup = (uint64_t)((const conf *)e->object.conf)->warmup, steps = ((const state *)e->state)->steps;
    return steps > warmup ? (int)(steps - warmup) : 0;
}

/* draw, REQUIRED: theta of draw i, for prediction; called from several threads at once. Draws that are made up here take `rng` for it. */
static bnn_status draw(const bnn_engine *e, int i, bnn_rng rng, bnn_real *theta) {
    (void)rng; /* the draws are stored */
    bnn_stored_draw(&((const state *)e->state)->stored, kept(e), i, theta);
    return BNN_OK;
}

/* blocks, REQUIRED: all state of its own, the parameter vectors that predict first. Files hold them: `bnn predict` starts from the file,
 * and `bnn fit --resume` goes on as if nothing had happened. */
static int blocks(bnn_engine *e, bnn_block *out) {
    state *s = e->state;
    size_t chains = (size_t)s->stored.chains, n = (size_t)s->stored.n;
    int k = bnn_stored_blocks(&s->stored, out);
    out[k++] = (bnn_block){.name = "position", .kind = BNN_BLOCK_REAL, .data = s->theta, .length = chains * n};
    out[k++] = (bnn_block){.name = "log_step", .kind = BNN_BLOCK_DOUBLE, .data = s->log_step, .length = chains};
    out[k++] = (bnn_block){.name = "steps", .kind = BNN_BLOCK_U64, .data = &s->steps, .length = 1};
    return k;
}

/* n_draws, n_chains, optional: of stored draws, how many there are, and into how many chains of equal length they fall, chain behind chain.
 */
static int n_draws(const bnn_engine *e) { return ((const conf *)e->object.conf)->chains * kept(e); }
static int n_chains(const bnn_engine *e) { return ((const conf *)e->object.conf)->chains; }

/* columns, optional: numbers kept beside the run; `bnn diagnose` looks at "lp". */
static int columns(const bnn_engine *e, bnn_column *out) {
    static const char *const names[] = {"lp"};
    const conf *c = e->object.conf;
    return kept(e) == c->samples ? bnn_stored_columns(&((const state *)e->state)->stored, names, out) : 0;
}

/* place, optional, of a chain whose transition keeps exp(-U): every chain stands at theta now. */
static bnn_status place(bnn_engine *e, const bnn_real *theta) {
    state *s = e->state;
    size_t n = (size_t)s->stored.n;
    for (int k = 0; k < s->stored.chains; k++) memcpy(s->theta + (size_t)k * n, theta, n * sizeof *theta);
    return BNN_OK;
}

/* Hooks that this engine does without:
 *   adapt                bnn_status (const void *conf, bnn_netspec *net)   edits the network, as mc_dropout puts gates in
 *   begin                bnn_status (bnn_engine *, const bnn_real *theta)  begins where another run has ended: `bnn fit --from`
 *   resume               bnn_status (bnn_engine *, const bnn_data *)       after the blocks were read: rebuilds what they imply
 *   remark               const char *(const bnn_engine *)                  one sentence for people
 *   predictive, outputs  Gaussian outputs in place of draws of theta
 *   fitted, held, member engines that hold others
 * Shared work: bnn/descent.h (gradient descent), bnn/sampler.h (Hamiltonian chains), bnn/sgmcmc.h (chains on minibatches). */

/* Texts that `bnn check` runs: short ones, for state, seeds, threads and files ... */
static const char *const checks[] = {"@name@:chains=3,samples=4,warmup=5,thin=3", "@name@:chains=1,samples=3,warmup=0,thin=1,step=0.01",
                                     NULL};

/* ... and what it holds against known answers: a text with the time that it needs, what it finds, and how far that may be off besides
 * chance. */
static const bnn_claim claims[] = {{"@name@:chains=32,samples=150,warmup=100,thin=25", BNN_FINDS_POSTERIOR, 0}, {NULL, 0, 0}};

/* caps: BNN_EXACT where draws follow exp(-U) itself, so that no layer may have noise; BNN_WEIGHS where U gets the weights of the rows;
 * BNN_POINT, BNN_ONE_THETA: engine.h. */
const bnn_engine_type bnn_engine_@name@ = {
    .type = {BNN_TYPE(bnn_engine_type), .name = "@name@", .summary = "draws from the posterior by random-walk Metropolis",
             .reference = "Metropolis et al. 1953", .caps = BNN_EXACT | BNN_WEIGHS, .conf_size = sizeof(conf), .options = options,
             .checks = checks},
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

BNN_ENGINE_PLUGIN(bnn_engine_@name@)
