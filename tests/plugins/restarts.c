/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * restarts: another engine, run several times from different beginnings; the run whose last objective is least predicts.
 *
 * One run after the other: the best one so far is kept, and what it has counted counts for all.
 */
#include <bnn/holder.h>

#include <math.h>
#include <stdlib.h>

typedef struct {
    bnn_object engine;
    int count;
} conf;

static const bnn_option options[] = {BNN_OPT_SPEC(conf, engine, BNN_ENGINE, "map", "the engine to run, as name or name{options}"),
                                     BNN_OPT_INT(conf, count, "3", 1, 1000, "number of runs"),
                                     {0}};

enum { RUNS, BEST, N_COUNTERS }; /* runs that are over; the number of the best one */

typedef struct {
    bnn_engine *best, *now; /* NULL: none yet; none, since all are over */
    uint64_t counter[N_COUNTERS];
    double objective; /* U at the last step of the best run */
} state;

static bnn_status adapt(const void *options_set, bnn_netspec *net) { return bnn_holder_adapt(&((const conf *)options_set)->engine, net); }

static bnn_status open_run(const bnn_engine *e, const bnn_data *data, uint64_t number, bnn_engine **out) {
    bnn_rng rng = bnn_rng_split(bnn_rng_split(e->rng, BNN_STREAM_INNER), number);
    return bnn_holder_open(e, &((const conf *)e->object.conf)->engine, data, rng, 1, out);
}

static bnn_status open(bnn_engine *e, const bnn_data *data) {
    state *s = e->state;
    s->objective = INFINITY;
    return open_run(e, data, 0, &s->now);
}

static bnn_status step(bnn_engine *e, const bnn_data *data, bnn_step *out) {
    state *s = e->state;
    uint64_t count = (uint64_t)((const conf *)e->object.conf)->count;
    BNN_TRY(bnn_holder_step(e, s->now, data, out));
    out->progress = ((double)s->counter[RUNS] + out->progress) / (double)count;
    out->theta = NULL; /* several runs have no course in common */
    if (!out->done) return BNN_OK;
    double u = bnn_terms_u(out->terms);
    bool better = !s->best || u < s->objective;
    bnn_engine_free(better ? s->best : s->now);
    if (better) s->best = s->now, s->objective = u, s->counter[BEST] = s->counter[RUNS];
    s->now = NULL;
    out->done = ++s->counter[RUNS] == count;
    return out->done ? BNN_OK : open_run(e, data, s->counter[RUNS], &s->now);
}

static void close(bnn_engine *e) {
    state *s = e->state;
    bnn_engine_free(s->best);
    bnn_engine_free(s->now);
}

static const bnn_engine *fitted(const bnn_engine *e) { return ((const state *)e->state)->best; }

static int blocks(bnn_engine *e, bnn_block *out) {
    state *s = e->state;
    out[0] = (bnn_block){.name = "counter", .kind = BNN_BLOCK_U64, .data = s->counter, .length = N_COUNTERS};
    out[1] = (bnn_block){.name = "objective", .kind = BNN_BLOCK_DOUBLE, .data = &s->objective, .length = 1};
    return 2;
}

static bnn_engine *held(bnn_engine *e, int i, const bnn_data **rows) {
    state *s = e->state;
    (void)rows;
    bnn_engine *all[] = {s->best ? s->best : s->now, s->best ? s->now : NULL};
    return i < 2 ? all[i] : NULL;
}

static bnn_status resume(bnn_engine *e, const bnn_data *data) {
    state *s = e->state;
    uint64_t runs = s->counter[RUNS];
    if (runs >= (uint64_t)((const conf *)e->object.conf)->count || (runs > 0 && s->counter[BEST] >= runs))
        return bnn_fail(BNN_ERR_FORMAT, "run %d of %d is no run to go on with", (int)s->counter[BEST], (int)runs);
    if (runs == 0) return BNN_OK;
    bnn_engine_free(s->now);
    s->now = NULL;
    BNN_TRY(open_run(e, data, s->counter[BEST], &s->best));
    return open_run(e, data, runs, &s->now);
}

static const char *const checks[] = {"restarts:engine=map{epochs=20,batch=16},count=2", NULL};

const bnn_engine_type bnn_engine_restarts = {
    .type = {BNN_TYPE(bnn_engine_type), .name = "restarts",
             .summary = "another engine from several beginnings; the least objective predicts", .conf_size = sizeof(conf),
             .options = options, .checks = checks},
    .state_size = sizeof(state),
    .open = open,
    .step = step,
    .close = close,
    .blocks = blocks,
    .adapt = adapt,
    .fitted = fitted,
    .held = held,
    .resume = resume,
};

BNN_ENGINE_PLUGIN(bnn_engine_restarts)
