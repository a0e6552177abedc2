/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <bnn/chains.h>
#include <bnn/jobs.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const metrics[] = {"diagonal", "unit", NULL};

const bnn_option bnn_chains_options[] = {
    BNN_OPT_INT(bnn_chains_conf, chains, "4", 1, 1e4, "independent chains, each from its own start"),
    BNN_OPT_INT(bnn_chains_conf, samples, "250", 1, 1e8, "draws that are kept of each chain"),
    BNN_OPT_INT(bnn_chains_conf, warmup, "250", 0, 1e8, "transitions before them, in which step size and metric are tuned; 0: neither is"),
    BNN_OPT_INT(bnn_chains_conf, thin, "1", 1, 1e8, "transitions for each draw that is kept"),
    BNN_OPT_REAL(bnn_chains_conf, target_accept, "0.8", 0.01, 0.999, "mean probability of acceptance that the step size is tuned to"),
    BNN_OPT_REAL(bnn_chains_conf, step, "0.01", 1e-12, 1e6, "step size of the leapfrog before it is tuned"),
    BNN_OPT_REAL(bnn_chains_conf, jitter, "0", 0, 0.99,
                 "each transition's step size is multiplied by a uniform number from 1 - jitter to 1 + jitter"),
    BNN_OPT_CHOICE(bnn_chains_conf, metric, "diagonal", metrics,
                   "inverse masses: diagonal, tuned to the variances; unit, 1 for all parameters"),
    {0}};

/* Streams of a transition. */
enum { TRANSITION, SEARCH, JITTER, WINDOW, MOVE };

enum { MOST_TRIALS = 100 }; /* doublings or halvings of the first step size */

/* ---------------------------------------------------------------- opening */

double bnn_chains_bytes(const bnn_chains_conf *c, bnn_transition_rule rule, int n) {
    return bnn_stored_bytes(c->chains, c->samples, n, BNN_N_STATS) + c->chains * (6.0 * n + (double)rule.room) * sizeof(double) +
           2.0 * c->chains * n * sizeof(bnn_real);
}

bnn_status bnn_chains_open(bnn_chains *c, const bnn_chains_conf *conf, bnn_transition_rule rule, int n, bnn_rng rng) {
    size_t size = (size_t)n, chains = (size_t)conf->chains;
    *c = (bnn_chains){.conf = conf, .rule = rule, .n = n, .rng = rng};
    c->h = calloc(chains, sizeof *c->h);
    c->chain = calloc(chains, sizeof *c->chain);
    c->q = calloc(chains * size, sizeof *c->q);
    c->var = calloc(chains * size, sizeof *c->var);
    c->mean = calloc(chains * size, sizeof *c->mean);
    c->squares = calloc(chains * size, sizeof *c->squares);
    c->z = calloc(chains, sizeof *c->z);
    c->room = calloc(chains * (2 * size + rule.room), sizeof *c->room);
    c->scratch = calloc(chains * 2 * size, sizeof *c->scratch);
    if (!c->h || !c->chain || !c->q || !c->var || !c->mean || !c->squares || !c->z || !c->room || !c->scratch) return bnn_oom("sampling");
    BNN_TRY(bnn_stored_open(&c->stored, conf->chains, conf->samples, n, BNN_N_STATS));
    for (size_t i = 0; i < chains * size; i++) c->var[i] = 1;
    for (size_t k = 0; k < chains; k++) {
        bnn_real *scratch = c->scratch + k * 2 * size;
        double *room = c->room + k * (2 * size + rule.room);
        c->h[k] = (bnn_hamiltonian){.n = n, .var = c->var + k * size, .theta = scratch, .grad = scratch + size};
        c->z[k] = (bnn_phase){.q = c->q + k * size, .p = room, .g = room + size, .u = NAN};
        c->chain[k].step = conf->step;
    }
    return BNN_OK;
}

void bnn_chains_close(bnn_chains *c) {
    free(c->h);
    free(c->chain);
    free(c->q);
    free(c->var);
    free(c->mean);
    free(c->squares);
    bnn_stored_close(&c->stored);
    free(c->z);
    free(c->room);
    free(c->scratch);
}

/* ---------------------------------------------------------------- tuning */

static void start_averaging(bnn_chain_state *s) {
    s->anchor = log(10 * s->step);
    s->slack = s->log_mean = s->n_tuned = 0;
}

/* Hoffman & Gelman 2014, algorithm 4: doubles or halves the step until the acceptance of one leapfrog crosses 1/2. */
static void search_step(const bnn_chains *c, int k, bnn_rng rng) {
    bnn_hamiltonian *h = &c->h[k];
    bnn_phase *z = &c->z[k];
    double *step = &c->chain[k].step, *start = z->g + c->n; /* in the rule's room */
    size_t bytes = (size_t)c->n * sizeof *start;
    memcpy(start, z->q, bytes);
    for (int direction = 0, trial = 0; trial < MOST_TRIALS; trial++) {
        bnn_phase_momentum(h, bnn_rng_split(rng, (uint64_t)trial), z);
        double before = bnn_phase_energy(h, z);
        bnn_leapfrog(h, *step, z);
        int up = before - bnn_phase_energy(h, z) > log(0.5) ? 1 : -1;
        memcpy(z->q, start, bytes);
        bnn_phase_update(h, z);
        if (direction == 0) direction = up;
        if (up != direction) break;
        *step *= direction > 0 ? 2 : 0.5;
    }
    start_averaging(&c->chain[k]);
}

/* Hoffman & Gelman 2014, eq. 6, with their constants. */
static void average_step(bnn_chain_state *s, double target, double accept) {
    const double shrinkage = 0.05, delay = 10, forgetting = 0.75;
    double m = ++s->n_tuned;
    s->slack += (target - accept - s->slack) / (m + delay);
    double log_step = s->anchor - sqrt(m) / shrinkage * s->slack;
    s->log_mean += pow(m, -forgetting) * (log_step - s->log_mean);
    s->step = exp(log_step);
}

/* Stan's schedule: a first and a last stretch tune the step size alone; between them are windows, each twice as long as the one before, the
 * last one extended to where it would leave less than its double. Whether transition t (from 0) is in a window, and whether it ends one. */
static bool in_window(int warmup, uint64_t t, bool *ends) {
    uint64_t all = (uint64_t)warmup, first = all < 150 ? all * 15 / 100 : 75, last = all < 150 ? all / 10 : 50, end = all - last;
    *ends = false;
    if (t < first || t >= end) return false;
    for (uint64_t from = first, length = all < 150 ? end - first : 25; from < end; from += length, length *= 2) {
        if (from + 3 * length > end) length = end - from;
        *ends |= t + 1 == from + length;
    }
    return true;
}

static void add_position(const bnn_chains *c, int k) {
    size_t at = (size_t)k * (size_t)c->n;
    double n = ++c->chain[k].n_window;
    for (size_t i = at; i < at + (size_t)c->n; i++) {
        double delta = c->q[i] - c->mean[i];
        c->mean[i] += delta / n;
        c->squares[i] += delta * (c->q[i] - c->mean[i]);
    }
}

/* Variances shrunk towards a small one, as in Stan: few positions say little. */
static void set_metric(const bnn_chains *c, int k) {
    size_t at = (size_t)k * (size_t)c->n, bytes = (size_t)c->n * sizeof(double);
    double n = c->chain[k].n_window;
    for (size_t i = at; n > 1 && i < at + (size_t)c->n; i++) c->var[i] = n / (n + 5) * c->squares[i] / (n - 1) + 1e-3 * 5 / (n + 5);
    memset(c->mean + at, 0, bytes);
    memset(c->squares + at, 0, bytes);
    c->chain[k].n_window = 0;
}

static void tune(const bnn_chains *c, int k, bnn_rng rng, double accept) {
    bnn_chain_state *s = &c->chain[k];
    bool ends;
    average_step(s, c->conf->target_accept, accept);
    if (!c->move && c->conf->metric == BNN_METRIC_DIAGONAL && in_window(c->conf->warmup, c->transitions, &ends)) {
        add_position(c, k);
        if (ends) {
            set_metric(c, k);
            search_step(c, k, rng);
        }
    }
    if (c->transitions + 1 == (uint64_t)c->conf->warmup && s->n_tuned > 0) s->step = exp(s->log_mean);
}

/* ---------------------------------------------------------------- progress */

static uint64_t all_transitions(const bnn_chains_conf *conf) {
    return (uint64_t)conf->warmup + (uint64_t)conf->samples * (uint64_t)conf->thin;
}

bool bnn_chains_done(const bnn_chains *c) { return c->transitions >= all_transitions(c->conf); }

double bnn_chains_progress(const bnn_chains *c) { return (double)c->transitions / (double)all_transitions(c->conf); }

int bnn_chains_kept(const bnn_chains *c) {
    uint64_t warmup = (uint64_t)c->conf->warmup;
    return c->transitions > warmup ? (int)((c->transitions - warmup) / (uint64_t)c->conf->thin) : 0;
}

/* ---------------------------------------------------------------- transitions */

static void add_sums(bnn_chain_state *s, const bnn_transition *made) {
    double delta = made->energy - s->mean;
    s->accept += made->accept;
    s->leapfrogs += made->leapfrogs;
    s->divergences += made->diverging;
    if (s->n > 0) s->jumps += (made->energy - s->energy) * (made->energy - s->energy);
    s->energy = made->energy;
    s->mean += delta / ++s->n;
    s->squares += delta * (made->energy - s->mean);
}

double bnn_chain_bfmi(const bnn_chain_state *s) { return s->squares > 0 ? s->jumps / s->squares : NAN; }

static void keep(bnn_chains *c, int k, double step, const bnn_transition *made) {
    int draw = bnn_chains_kept(c);
    const double value[BNN_N_STATS] = {-c->z[k].u, made->energy, made->accept, made->diverging, step, made->leapfrogs, made->depth};
    bnn_real *theta = bnn_stored_at(&c->stored, k, draw);
    for (int i = 0; i < c->n; i++) theta[i] = (bnn_real)c->z[k].q[i];
    bnn_stored_note(&c->stored, k, draw, value);
}

/* The phase is updated where a chain stands, by the transition before, by its move or, uncounted, here: what a run counts does not depend
 * on whether it was stopped in between. */
static bnn_status begin(bnn_chains *c, int k, bnn_rng rng) {
    uint64_t warmup = (uint64_t)c->conf->warmup;
    if (c->move) BNN_TRY(c->move(c, k, bnn_rng_split(rng, MOVE), c->transitions < warmup ? (int)c->transitions : -1));
    if (isnan(c->z[k].u)) {
        bnn_phase_update(&c->h[k], &c->z[k]);
        c->h[k].evaluations--;
    }
    if (!isfinite(c->z[k].u))
        return bnn_fail(BNN_ERR_NUMERIC, "U is %g where chain %d starts transition %llu", c->z[k].u, k + 1,
                        (unsigned long long)c->transitions + 1);
    bool halfway = c->move && c->transitions == warmup / 2; /* what fits the first positions is forgotten, as at the end of a window */
    if (warmup > 0 && (c->transitions == 0 || halfway)) search_step(c, k, bnn_rng_split(rng, SEARCH));
    return BNN_OK;
}

static bnn_status advance(bnn_chains *c, int k) {
    uint64_t t = c->transitions, warmup = (uint64_t)c->conf->warmup, thin = (uint64_t)c->conf->thin;
    bnn_rng rng = bnn_rng_split(bnn_rng_split(c->rng, (uint64_t)k), t);
    bnn_transition made;
    bnn_real uniform;
    BNN_TRY(begin(c, k, rng));
    bnn_rng_uniform(bnn_rng_split(rng, JITTER), 0, 1, 1, &uniform);
    double step = c->chain[k].step * (1 + c->conf->jitter * (2 * (double)uniform - 1));
    c->rule.transition(c->rule.conf, &c->h[k], step, bnn_rng_split(rng, TRANSITION), &c->z[k], c->z[k].g + c->n, &made);
    if (c->after) c->after(c, k);
    bnn_phase_update(&c->h[k], &c->z[k]);
    if (t < warmup)
        tune(c, k, bnn_rng_split(rng, WINDOW), made.accept);
    else
        add_sums(&c->chain[k], &made);
    if (t >= warmup && (t + 1 - warmup) % thin == 0) keep(c, k, step, &made);
    return BNN_OK;
}

void bnn_chains_place(bnn_chains *c, const bnn_real *theta) {
    for (int k = 0; k < c->conf->chains; k++) {
        for (int i = 0; i < c->n; i++) c->z[k].q[i] = (double)theta[i];
        c->z[k].u = NAN;
    }
}

/* Chains of which each `every`-th moves. */
typedef struct {
    bnn_chains *c;
    int first, every;
} some;

static bnn_status advance_some(void *context, int i) {
    const some *s = context;
    return advance(s->c, s->first + i * s->every);
}

bnn_status bnn_chains_step_some(bnn_chains *c, int first, int every) {
    const int n = c->conf->chains > first ? (c->conf->chains - 1 - first) / every + 1 : 0;
    BNN_TRY(bnn_jobs_run(n, advance_some, &(some){c, first, every}));
    c->transitions++;
    return BNN_OK;
}

bnn_status bnn_chains_step(bnn_chains *c) { return bnn_chains_step_some(c, 0, 1); }
