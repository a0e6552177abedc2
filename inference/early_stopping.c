/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * early_stopping: another engine, stopped where its validation log-likelihood was best, then refitted on all training rows for the same
 * share of its whole length: as many epochs where the engine's length is told in epochs, as many minibatches where it is told in those.
 *
 * Learned dropout probabilities drift to 0 on small data, because the variational family has no width but the gates' (the weights are
 * points) and a learned noise follows the training residuals down. On the way there they pass every p: one run, scored as it goes, is a
 * search along that path for the price of one fit where a grid pays one fit for each cell. For that path to be searched well p must move
 * slowly against the weights: a small lr_hyper beside a large lr. The noise follows at a step size of its own, lr_noise.
 */
#include <bnn/holder.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    bnn_object engine;
    bnn_holdout_conf holdout;
    int every, samples, patience;
} conf;

static const bnn_option options[] = {BNN_OPT_SPEC(conf, engine, BNN_ENGINE,
                                                  "mc_dropout{gates=concrete,p=0.1,lr_hyper=0.0004,schedule=constant,steps=40000}",
                                                  "the engine to stop, as name or name{options}"),
                                     BNN_HOLDOUT_OPTIONS(conf, holdout),
                                     BNN_OPT_INT(conf, every, "5", 1, 1e9, "steps of the engine (epochs) between scores"),
                                     BNN_OPT_INT(conf, samples, "100", 1, 1e9, "draws of the predictive distribution for a score"),
                                     BNN_OPT_INT(conf, patience, "400", 1, 1e9, "scores without a new best after which the first run ends"),
                                     {0}};

/* stopper.counter: steps of the probe so far; of it when its score was best; scores; whether the probe is over; steps of the refit. */
enum { STEPS, BEST, SCORES, PROBED, REFITTED, N_COUNTERS };
enum { LL, SHARE, N_BEST }; /* stopper.best: the best score; the share of its whole work that the probe had done then */

typedef struct {
    bnn_holdout rows;
    bnn_engine *probe, *chosen; /* the scored run, until it is over; the refit, from then on */
    uint64_t counter[N_COUNTERS];
    double best[N_BEST];
    double *score_step, *score_ll; /* [SCORES] */
    char *remark;
} stopper;

enum { PROBE, REFIT }; /* tags of the streams */

static bnn_status open_inner(const bnn_engine *e, const bnn_data *data, uint64_t tag, bnn_engine **out) {
    bnn_rng rng = bnn_rng_split(bnn_rng_split(e->rng, BNN_STREAM_INNER), tag);
    return bnn_holder_open(e, &((const conf *)e->object.conf)->engine, data, rng, 1, out);
}

static bnn_status adapt(const void *options_set, bnn_netspec *net) { return bnn_holder_adapt(&((const conf *)options_set)->engine, net); }

static bnn_status open(bnn_engine *e, const bnn_data *data) {
    stopper *s = e->state;
    s->best[LL] = -INFINITY;
    BNN_TRY(bnn_holdout_open(data, &((const conf *)e->object.conf)->holdout, bnn_rng_split(e->rng, BNN_STREAM_HOLDOUT), &s->rows));
    BNN_TRY(open_inner(e, s->rows.fit, PROBE, &s->probe));
    if (!bnn_engine_vtable(s->probe)->fitted) return BNN_OK;
    return bnn_fail(BNN_ERR_OPTION,
                    "option 'engine': '%s' cannot be scored on its way, since it has nothing to predict with before its end",
                    s->probe->object.type->name);
}

static bool score_room(stopper *s, size_t n) {
    if (n >= INT32_MAX) return false;
    double *step = realloc(s->score_step, (n + 1) * sizeof *step);
    if (step) s->score_step = step;
    double *ll = realloc(s->score_ll, (n + 1) * sizeof *ll);
    if (ll) s->score_ll = ll;
    return step && ll;
}

static bnn_status keep_score(stopper *s, double ll) {
    uint64_t *scores = &s->counter[SCORES];
    if (!score_room(s, *scores + 1)) return bnn_oom("scores");
    s->score_step[*scores] = (double)s->counter[STEPS];
    s->score_ll[(*scores)++] = ll;
    return BNN_OK;
}

static bnn_status begin_refit(bnn_engine *e, const bnn_data *data) {
    stopper *s = e->state;
    bnn_engine_free(s->probe);
    s->probe = NULL;
    char remark[160];
    bnn_print(remark, sizeof remark, "stopped after %d steps: validation log-likelihood %.4f was best at step %d of %d",
              (int)s->counter[BEST], s->best[LL], (int)s->counter[BEST], (int)s->counter[STEPS]);
    s->remark = strdup(remark);
    if (!s->remark) return bnn_fail(BNN_ERR_MEMORY, "out of memory");
    return open_inner(e, data, REFIT, &s->chosen);
}

static bnn_status finish_probe(bnn_engine *e, stopper *s, const bnn_data *data) {
    if (!isfinite(s->best[LL])) return bnn_fail(BNN_ERR_NUMERIC, "the validation log-likelihood was never finite");
    s->counter[PROBED] = 1;
    return begin_refit(e, data);
}

static bnn_status advance_probe(bnn_engine *e, stopper *s, const bnn_data *data, bnn_step *out) {
    const conf *c = e->object.conf;
    bnn_step step;
    double ll;
    bnn_status status = bnn_holder_step(e, s->probe, s->rows.fit, &step);
    if (status == BNN_ERR_NUMERIC && isfinite(s->best[LL])) return finish_probe(e, s, data); /* it left the finite numbers after its best */
    BNN_TRY(status);
    out->progress = step.progress / 2;
    uint64_t steps = ++s->counter[STEPS];
    if (steps % (uint64_t)c->every != 0 && !step.done) return BNN_OK;
    bnn_cost before = s->probe->cost;
    BNN_TRY(bnn_holder_score(s->probe, s->rows.score, c->samples, e->rng.key, &ll));
    bnn_holder_count(e, s->probe, &before);
    BNN_TRY(keep_score(s, ll));
    if (ll > s->best[LL]) {
        s->best[LL] = ll;
        s->best[SHARE] = step.progress;
        s->counter[BEST] = steps;
    }
    bool tired = steps - s->counter[BEST] >= (uint64_t)c->patience * (uint64_t)c->every;
    return step.done || tired ? finish_probe(e, s, data) : BNN_OK;
}

static bnn_status step(bnn_engine *e, const bnn_data *data, bnn_step *out) {
    stopper *s = e->state;
    if (!s->chosen) return advance_probe(e, s, data, out);
    BNN_TRY(bnn_holder_step(e, s->chosen, data, out));
    s->counter[REFITTED]++;
    double share = out->progress / s->best[SHARE];
    out->done |= share >= 1;
    out->progress = out->done ? 1 : 0.5 + 0.5 * share;
    return BNN_OK;
}

static void close(bnn_engine *e) {
    stopper *s = e->state;
    bnn_holdout_close(&s->rows);
    bnn_engine_free(s->probe);
    bnn_engine_free(s->chosen);
    free(s->score_step);
    free(s->score_ll);
    free(s->remark);
}

static const bnn_engine *fitted(const bnn_engine *e) { return ((const stopper *)e->state)->chosen; }

static int columns(const bnn_engine *e, bnn_column *out) {
    const stopper *s = e->state;
    int n = (int)s->counter[SCORES];
    out[0] = (bnn_column){.name = "step", .data = s->score_step, .length = n};
    out[1] = (bnn_column){.name = "validation_ll", .data = s->score_ll, .length = n};
    return 2;
}

static int blocks(bnn_engine *e, bnn_block *out) {
    stopper *s = e->state;
    size_t n = s->counter[SCORES];
    bool room = score_room(s, n);
    out[0] = (bnn_block){.name = "counter", .kind = BNN_BLOCK_U64, .data = s->counter, .length = N_COUNTERS};
    out[1] = (bnn_block){.name = "best", .kind = BNN_BLOCK_DOUBLE, .data = s->best, .length = N_BEST};
    out[2] = (bnn_block){.name = "score_step", .kind = BNN_BLOCK_DOUBLE, .data = room ? s->score_step : NULL, .length = n};
    out[3] = (bnn_block){.name = "score_ll", .kind = BNN_BLOCK_DOUBLE, .data = room ? s->score_ll : NULL, .length = n};
    return 4;
}

static bnn_engine *held(bnn_engine *e, int i, const bnn_data **rows) {
    stopper *s = e->state;
    if (i > 0) return NULL;
    if (!s->chosen) *rows = s->rows.fit;
    return s->chosen ? s->chosen : s->probe;
}

static bnn_status resume(bnn_engine *e, const bnn_data *data) {
    const uint64_t *n = ((const stopper *)e->state)->counter;
    bool fits = n[SCORES] <= n[STEPS] && n[BEST] <= n[STEPS] && (n[PROBED] || n[REFITTED] == 0);
    if (!fits) return bnn_fail(BNN_ERR_FORMAT, "the counts of the scored run and of the refit contradict each other");
    return n[PROBED] ? begin_refit(e, data) : BNN_OK;
}

/* The best score was the last one: it might have gone on rising. */
static bnn_status doubts(const bnn_engine *e, bnn_remarks *verdicts) {
    const stopper *s = e->state;
    if (!s->remark || s->counter[BEST] < s->counter[STEPS]) return BNN_OK;
    return bnn_remarks_add(verdicts, BNN_REMARK_WARNING, "cap_reached",
                           "the validation log-likelihood was best at the last of %d steps: give the engine inside more",
                           (int)s->counter[STEPS]);
}

static const char *remark(const bnn_engine *e) { return ((const stopper *)e->state)->remark; }

static const char *const checks[] = {"early_stopping:engine=mc_dropout{gates=concrete,epochs=20,batch=16},every=2", NULL};

const bnn_engine_type bnn_engine_early_stopping = {
    .type = {BNN_TYPE(bnn_engine_type), .name = "early_stopping",
             .summary = "another engine, stopped at its best validation log-likelihood, then refitted",
             .reference = "Prechelt 1998; Goodfellow, Bengio & Courville 2016, algorithm 7.2", .conf_size = sizeof(conf),
             .options = options, .checks = checks},
    .state_size = sizeof(stopper),
    .open = open,
    .step = step,
    .close = close,
    .blocks = blocks,
    .adapt = adapt,
    .fitted = fitted,
    .columns = columns,
    .remark = remark,
    .doubts = doubts,
    .held = held,
    .resume = resume,
    .fails = "where a run stops depends on few rows; p is that of the stopping time, not of any optimum. Seen as: two seeds differ.",
};
