/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <bnn/jobs.h>
#include <bnn/kernels.h>
#include <bnn/sgmcmc.h>

#include <stdlib.h>
#include <string.h>
#include <tgmath.h>

static const char *const preconditioners[] = {"none", "rmsprop", NULL};

const bnn_option bnn_sgmcmc_options[] = {
    BNN_OPT_INT(bnn_sgmcmc_conf, chains, "4", 1, 1e4, "independent chains, each from its own start"),
    BNN_OPT_INT(bnn_sgmcmc_conf, samples, "100", 1, 1e8, "draws that are kept of each chain"),
    BNN_OPT_INT(bnn_sgmcmc_conf, burnin, "-1", -1, 1e8,
                "epochs before the first of them; of every cycle; -1: as many as 10000 minibatches take"),
    BNN_OPT_INT(bnn_sgmcmc_conf, thin, "0", 0, 1e8, "epochs for each draw that is kept; 0: as many as 100 minibatches take"),
    BNN_OPT_INT(bnn_sgmcmc_conf, batch, "128", 1, 1e9, "rows of a minibatch (at most the training rows)"),
    BNN_OPT_REAL(bnn_sgmcmc_conf, lr, "0.001", 0, 1e9, "step size on U/N"),
    BNN_OPT_REAL(bnn_sgmcmc_conf, lr_hyper, "0.01", 0, 1e9, "step size of the noise and of the scales of the prior"),
    BNN_OPT_REAL(bnn_sgmcmc_conf, temperature, "1", 0, 1e9, "T of exp(-U/T); 0: gradient descent"),
    BNN_OPT_INT(bnn_sgmcmc_conf, cycles, "0", 0, 1e6, "cycles of a falling step size, with equal shares of the samples; 0: it is constant"),
    BNN_OPT_CHOICE(bnn_sgmcmc_conf, preconditioner, "rmsprop", preconditioners,
                   "step sizes of the parameters: none, all the same; rmsprop, by their mean squared gradients in burn-in"),
    BNN_OPT_REAL(bnn_sgmcmc_conf, decay, "0.99", 0, 0.999999, "of that mean, for each step"),
    BNN_OPT_REAL(bnn_sgmcmc_conf, eps, "1e-4", 1e-30, 1e9, "added to its root"),
    {0}};

enum { LP, STEP_SIZE, CONFIGURATIONAL, KINETIC, N_STATS };
enum { PLANES = 5 };
enum { DONE, BURNIN, THIN }; /* bnn_sgmcmc.epochs */

/* Langevin dynamics has no momentum. */
static bool has_momentum(const bnn_sgmcmc *s) { return s->friction < 1; }
static bool is_adaptive(const bnn_sgmcmc *s) { return s->conf->preconditioner == BNN_PRECONDITIONER_RMSPROP; }
static int n_stats(double friction) { return friction < 1 ? N_STATS : KINETIC; }

/* ---------------------------------------------------------------- the schedule */

static int cycles(const bnn_sgmcmc_conf *c) { return c->cycles > 0 ? c->cycles : 1; }

static uint64_t samples_of_cycle(const bnn_sgmcmc_conf *c) { return (uint64_t)(c->samples / cycles(c)); }

/* Epochs of a cycle; a constant step size is one long cycle. */
static uint64_t cycle_length(const bnn_sgmcmc *s) { return s->epochs[BURNIN] + samples_of_cycle(s->conf) * s->epochs[THIN]; }

static uint64_t all_epochs(const bnn_sgmcmc *s) { return (uint64_t)cycles(s->conf) * cycle_length(s); }

static bool burns_in(const bnn_sgmcmc *s) { return s->epochs[DONE] % cycle_length(s) < s->epochs[BURNIN]; }

/* Draws of each chain after so many epochs. */
static int kept_after(const bnn_sgmcmc *s, uint64_t epochs) {
    uint64_t length = cycle_length(s), into = epochs % length, burnin = s->epochs[BURNIN];
    uint64_t whole = epochs / length * samples_of_cycle(s->conf);
    return (int)(whole + (into > burnin ? (into - burnin) / s->epochs[THIN] : 0));
}

static int kept(const bnn_sgmcmc *s) { return kept_after(s, s->epochs[DONE]); }

/* Factor of the step sizes in step i of the `steps` of this epoch (Zhang et al. 2020, eq. 1). */
static double step_factor(const bnn_sgmcmc *s, int i, int steps) {
    double length = (double)cycle_length(s), into = (double)(s->epochs[DONE] % cycle_length(s));
    return s->conf->cycles > 0 ? 0.5 * (1 + cos(M_PI * (into + (double)i / steps) / length)) : 1;
}

/* ---------------------------------------------------------------- opening */

static bnn_status check(const bnn_sgmcmc_conf *c, double friction, double noise) {
    if (c->samples % cycles(c) != 0) return bnn_fail(BNN_ERR_OPTION, "%d samples do not fall evenly on %d cycles", c->samples, c->cycles);
    if (c->preconditioner != BNN_PRECONDITIONER_NONE && c->burnin == 0)
        return bnn_fail(BNN_ERR_OPTION, "the preconditioner is made during burn-in: burnin must be at least 1");
    if (noise >= friction) return bnn_fail(BNN_ERR_OPTION, "noise is %g, it must be below friction, which is %g", noise, friction);
    return BNN_OK;
}

static bnn_status allocate(bnn_sgmcmc *s, const bnn_data *data) {
    const bnn_sgmcmc_conf *c = s->conf;
    int n = s->model->n_theta, rows = c->batch < data->n ? c->batch : data->n;
    double each =
        (double)bnn_model_workspace_bytes(s->model, rows) + bnn_minibatch_bytes(data, rows) + PLANES * (double)n * sizeof(bnn_real);
    double draws = bnn_stored_bytes(c->chains, c->samples, n, N_STATS);
    BNN_TRY(bnn_memory_check(c->chains * each + draws, "sampling", "keep fewer draws, or run fewer chains"));
    s->chain = calloc((size_t)c->chains, sizeof *s->chain);
    s->memory = bnn_reals_new(PLANES * (size_t)c->chains * (size_t)n);
    if (!s->chain || !s->memory) return bnn_oom("sampling");
    BNN_TRY(bnn_stored_open(&s->stored, c->chains, c->samples, n, n_stats(s->friction)));
    return bnn_model_ranges(s->model, false, &s->n_ranges, &s->range);
}

static bnn_status open_chain(bnn_sgmcmc *s, int k, const bnn_data *data) {
    size_t n = (size_t)s->model->n_theta, plane = (size_t)s->conf->chains * n;
    bnn_sgmcmc_chain *c = &s->chain[k];
    c->theta = s->memory + (size_t)k * n;
    c->grad = c->theta + plane;
    c->v = c->grad + plane;
    c->squares = c->v + plane;
    c->z = c->squares + plane;
    for (size_t i = 0; i < n; i++) c->squares[i] = 1;
    bnn_model_init(s->model, bnn_rng_split(bnn_rng_split(s->rng, BNN_STREAM_INIT), (uint64_t)k), c->theta);
    BNN_TRY(bnn_minibatch_open(data, s->conf->batch, &c->batch));
    return data->n > 0 ? bnn_model_workspace_new(s->model, c->batch.rows, &c->ws) : BNN_OK;
}

/* The least of a thinning is one epoch: it spares time, and draws that are close to each other do no harm. */
static void set_lengths(bnn_sgmcmc *s, const bnn_data *data) {
    enum { BURNIN_STEPS = 10000, THIN_STEPS = 100 };
    const bnn_sgmcmc_conf *c = s->conf;
    int batches = data->n > 0 ? bnn_minibatch_count(&s->chain[0].batch, data) : 1;
    s->epochs[BURNIN] = (uint64_t)(c->burnin >= 0 ? c->burnin : bnn_minibatch_epochs(&s->chain[0].batch, data, BURNIN_STEPS));
    s->epochs[THIN] = (uint64_t)(c->thin > 0 ? c->thin : (THIN_STEPS + batches - 1) / batches);
}

bnn_status bnn_sgmcmc_open(bnn_engine *engine, const bnn_sgmcmc_conf *conf, double friction, double noise, const bnn_data *data) {
    bnn_sgmcmc *s = engine->state;
    s->conf = conf;
    s->friction = friction;
    s->noise = noise;
    s->model = engine->model;
    s->rng = engine->rng;
    BNN_TRY(check(conf, friction, noise));
    BNN_TRY(allocate(s, data));
    for (int k = 0; k < conf->chains; k++) BNN_TRY(open_chain(s, k, data));
    set_lengths(s, data);
    if (data->n > 0)
        bnn_engine_expect(engine, (double)all_epochs(s) * bnn_minibatch_count(&s->chain[0].batch, data) * conf->chains,
                          s->chain[0].batch.rows, 0);
    return BNN_OK;
}

void bnn_sgmcmc_close(bnn_engine *engine) {
    bnn_sgmcmc *s = engine->state;
    for (int k = 0; s->chain && k < s->conf->chains; k++) {
        bnn_minibatch_close(&s->chain[k].batch);
        bnn_workspace_free(s->chain[k].ws);
    }
    bnn_stored_close(&s->stored);
    free(s->chain);
    free(s->memory);
    free(s->range);
}

/* ---------------------------------------------------------------- one step of one chain */

enum { PART = 1 << 15 }; /* parameters at a time: large vectors are worked on in parallel */

typedef struct {
    bnn_sgmcmc_chain *chain;
    const bnn_range *range;
    bnn_rng rng;
    bool adapts;
    bnn_real decay, keep, lr, sd, eps; /* see move() */
} sweep;

BNN_LOOP static void adapt(int n, bnn_real decay, const bnn_real *restrict g, bnn_real *restrict squares) {
    const bnn_real one = 1;
    for (int i = 0; i < n; i++) squares[i] = decay * squares[i] + (one - decay) * g[i] * g[i];
}

BNN_LOOP static void move(int n, const sweep *by, const bnn_real *restrict g, const bnn_real *restrict squares, const bnn_real *restrict z,
                          bnn_real *restrict v, bnn_real *restrict theta) {
    const bnn_real one = 1, keep = by->keep, lr = by->lr, sd = by->sd, eps = by->eps;
    for (int i = 0; i < n; i++) {
        bnn_real metric = one / (eps + sqrt(squares[i]));
        v[i] = keep * v[i] - lr * metric * g[i] + sd * sqrt(metric) * z[i];
        theta[i] += v[i];
    }
}

static void sweep_part(void *context, int first, int n) {
    const sweep *by = context;
    bnn_sgmcmc_chain *c = by->chain;
    size_t at = by->range->offset + (size_t)first;
    if (by->sd > 0) bnn_rng_normal(by->rng, at, 1, n, c->z + at);
    if (by->adapts) adapt(n, by->decay, c->grad + at, c->squares + at);
    move(n, by, c->grad + at, c->squares + at, c->z + at, c->v + at, c->theta + at);
}

/* sum v^2 / G / lr over one range. */
static double kinetic(const bnn_sgmcmc_chain *c, const bnn_range *range, const sweep *by) {
    double sum = 0;
    for (size_t i = range->offset; i < range->offset + (size_t)range->length; i++)
        sum += (double)(c->v[i] * c->v[i]) * ((double)by->eps + sqrt((double)c->squares[i]));
    return sum / (double)by->lr;
}

/* Step i of `steps` in an epoch. */
static void update(const bnn_sgmcmc *s, bnn_sgmcmc_chain *c, bnn_rng rng, int i, int steps) {
    const bnn_sgmcmc_conf *conf = s->conf;
    double factor = step_factor(s, i, steps), rows = c->batch.total, n = s->model->n_theta;
    bool burnin = burns_in(s), noisy = !burnin || conf->cycles == 0 || is_adaptive(s);
    sweep by = {.chain = c, .rng = rng, .adapts = is_adaptive(s) && burnin, .decay = (bnn_real)conf->decay};
    by.keep = (bnn_real)(1 - s->friction);
    by.eps = is_adaptive(s) ? (bnn_real)conf->eps : 0;
    c->configurational += rows / n * bnn_sum_products((size_t)s->model->n_theta, c->theta, c->grad) / steps;
    for (int r = 0; r < s->n_ranges; r++) {
        double lr = factor * (s->range[r].hyper ? conf->lr_hyper : conf->lr);
        by.range = &s->range[r];
        by.lr = (bnn_real)lr;
        by.sd = noisy ? (bnn_real)sqrt(2 * (s->friction - s->noise) * lr * conf->temperature / rows) : 0;
        bnn_parts_run(by.range->length, PART, sweep_part, &by);
        if (has_momentum(s) && by.lr > 0) c->kinetic += rows / n * kinetic(c, by.range, &by) / steps;
    }
}

/* ---------------------------------------------------------------- epochs */

static void note(bnn_sgmcmc *s, int k) {
    const bnn_sgmcmc_chain *c = &s->chain[k];
    int draw = kept(s);
    const double value[N_STATS] = {[LP] = -bnn_terms_u(c->terms),
                                   [STEP_SIZE] = s->conf->lr * step_factor(s, 0, 1),
                                   [CONFIGURATIONAL] = c->configurational,
                                   [KINETIC] = c->kinetic};
    memcpy(bnn_stored_at(&s->stored, k, draw), c->theta, (size_t)s->model->n_theta * sizeof *c->theta);
    bnn_stored_note(&s->stored, k, draw, value);
}

static bnn_status epoch(void *context, int k) {
    bnn_sgmcmc *s = context;
    bnn_sgmcmc_chain *c = &s->chain[k];
    uint64_t t = s->epochs[DONE];
    int steps = bnn_minibatch_count(&c->batch, s->data);
    bnn_rng noise = bnn_rng_split(bnn_rng_split(bnn_rng_split(s->rng, BNN_STREAM_STEP), (uint64_t)k), t);
    const bnn_objective objective = {
        .n_total = s->data->n, .scale = 1 / c->batch.total, .kl_weight = 1, .mode = BNN_MEAN, .weight = c->batch.weight};
    bnn_minibatch_shuffle(&c->batch, s->data, bnn_rng_split(bnn_rng_split(bnn_rng_split(s->rng, BNN_STREAM_SHUFFLE), (uint64_t)k), t));
    c->terms = (bnn_terms){0};
    c->configurational = c->kinetic = 0;
    for (int i = 0; i < steps; i++) {
        int m = bnn_minibatch_take(&c->batch, s->data, i);
        bnn_terms terms = bnn_model_u(s->model, c->ws, &objective, (bnn_rng){0}, c->theta, m, c->batch.x, c->batch.y, c->grad);
        if (!isfinite(bnn_terms_u(terms)))
            return bnn_fail(BNN_ERR_NUMERIC,
                            "the objective of chain %d is not finite in epoch %llu, step %d (nll %g, prior %g): a smaller lr may help",
                            k + 1, (unsigned long long)t + 1, i + 1, terms.nll, terms.prior);
        c->terms.nll += terms.nll / steps;
        c->terms.prior += terms.prior / steps;
        c->terms.kl += terms.kl / steps;
        update(s, c, bnn_rng_split(noise, (uint64_t)i), i, steps);
    }
    if (kept_after(s, t + 1) > kept(s)) note(s, k);
    return BNN_OK;
}

static void write_remark(bnn_sgmcmc *s) {
    const bnn_sgmcmc_sums *sums = &s->sums;
    char moving[48] = "";
    if (has_momentum(s)) bnn_print(moving, sizeof moving, ", kinetic %.3f", sums->kinetic / sums->epochs);
    bnn_print(s->remark, sizeof s->remark, "%d chains of %d draws: configurational temperature %.3f%s, asked for %g", s->conf->chains,
              s->conf->samples, sums->configurational / sums->epochs, moving, s->conf->temperature);
}

bnn_status bnn_sgmcmc_doubts(const bnn_engine *engine, bnn_remarks *verdicts) {
    const bnn_sgmcmc *s = engine->state;
    double T = s->conf->temperature, configurational = s->sums.configurational / s->sums.epochs, kinetic = s->sums.kinetic / s->sums.epochs;
    bool hot = has_momentum(s) && kinetic > (1 + BNN_TEMPERATURE_OFF) * T;
    if (!(s->sums.epochs > 0) || T == 0 || (!hot && fabs(configurational / T - 1) <= BNN_TEMPERATURE_OFF)) return BNN_OK;
    const char *advice = hot || configurational > T ? "take a smaller lr, with more epochs" : "give it a longer burnin";
    return bnn_remarks_add(verdicts, BNN_REMARK_WARNING, "temperature_off",
                           "the chains ran at a temperature of %.2f%s%.2f, %g was asked for, so spreads are not those of exp(-U): %s",
                           configurational, hot ? " and moved at " : ", moved at ", has_momentum(s) ? kinetic : T, T, advice);
}

/* Tells how much an epoch of every chain took, and where it led. */
static void account(bnn_engine *e, bnn_step *out) {
    bnn_sgmcmc *s = e->state;
    int chains = s->conf->chains, rows = s->chain[0].batch.rows, steps = bnn_minibatch_count(&s->chain[0].batch, s->data);
    double flops = (steps - 1) * bnn_model_gradient_flops(s->model, rows);
    flops += bnn_model_gradient_flops(s->model, s->data->n - (steps - 1) * rows);
    e->cost.gradients += (uint64_t)(chains * steps);
    e->cost.flops += chains * flops;
    for (int k = 0; k < chains; k++) {
        const bnn_sgmcmc_chain *c = &s->chain[k];
        out->terms.nll += c->terms.nll / chains;
        out->terms.prior += c->terms.prior / chains;
        out->terms.kl += c->terms.kl / chains;
        if (burns_in(s)) continue;
        s->sums.epochs++;
        s->sums.configurational += c->configurational;
        s->sums.kinetic += c->kinetic;
    }
    out->theta = s->chain[0].theta;
}

bnn_status bnn_sgmcmc_step(bnn_engine *engine, const bnn_data *data, bnn_step *out) {
    bnn_sgmcmc *s = engine->state;
    s->data = data;
    BNN_TRY(bnn_jobs_run(s->conf->chains, epoch, s));
    account(engine, out);
    s->epochs[DONE]++;
    out->progress = (double)s->epochs[DONE] / (double)all_epochs(s);
    out->done = s->epochs[DONE] >= all_epochs(s);
    if (out->done) write_remark(s);
    return BNN_OK;
}

/* ---------------------------------------------------------------- what is kept */

int bnn_sgmcmc_n_draws(const bnn_engine *engine) {
    const bnn_sgmcmc *s = engine->state;
    return s->conf->chains * kept(s);
}

int bnn_sgmcmc_n_chains(const bnn_engine *engine) { return ((const bnn_sgmcmc *)engine->state)->conf->chains; }

bnn_status bnn_sgmcmc_draw(const bnn_engine *engine, int i, bnn_rng rng, bnn_real *theta) {
    const bnn_sgmcmc *s = engine->state;
    (void)rng; /* the draws are stored */
    bnn_stored_draw(&s->stored, kept(s), i, theta);
    return BNN_OK;
}

/* The draws first: they predict. */
int bnn_sgmcmc_blocks(bnn_engine *engine, bnn_block *out) {
    bnn_sgmcmc *s = engine->state;
    const bnn_sgmcmc_chain *first = &s->chain[0];
    size_t all = (size_t)s->conf->chains * (size_t)s->model->n_theta;
    int k = bnn_stored_blocks(&s->stored, out);
    out[k++] = (bnn_block){.name = "epochs", .kind = BNN_BLOCK_U64, .data = s->epochs, .length = sizeof s->epochs / sizeof *s->epochs};
    out[k++] = (bnn_block){.name = "sums", .kind = BNN_BLOCK_DOUBLE, .data = &s->sums, .length = sizeof s->sums / sizeof(double)};
    out[k++] = (bnn_block){.name = "position", .kind = BNN_BLOCK_REAL, .data = first->theta, .length = all};
    out[k++] = (bnn_block){.name = "momentum", .kind = BNN_BLOCK_REAL, .data = first->v, .length = has_momentum(s) ? all : 0};
    out[k++] = (bnn_block){.name = "squares", .kind = BNN_BLOCK_REAL, .data = first->squares, .length = is_adaptive(s) ? all : 0};
    return k;
}

/* lp: minus U, the mean over the minibatches of the epoch that ended in the draw. */
int bnn_sgmcmc_columns(const bnn_engine *engine, bnn_column *out) {
    static const char *const names[N_STATS] = {"lp", "step_size", "configurational_temperature", "kinetic_temperature"};
    const bnn_sgmcmc *s = engine->state;
    return s->epochs[DONE] < all_epochs(s) ? 0 : bnn_stored_columns(&s->stored, names, out);
}

const char *bnn_sgmcmc_remark(const bnn_engine *engine) {
    const bnn_sgmcmc *s = engine->state;
    return *s->remark ? s->remark : NULL;
}
