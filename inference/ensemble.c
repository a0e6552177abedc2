/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * ensemble: several fits of another engine, which differ by their streams, predicting as a mixture in equal parts (Lakshminarayanan,
 * Pritzel & Blundell 2017).
 *
 *   p(y | x) = (1/K) sum_k p_k(y | x)          p_k: the predictive distribution of member k, in closed form where it has one
 *
 * Of map these are deep ensembles (without adversarial training), of swag multi-SWAG (Wilson & Izmailov 2020), of laplace a mixture of
 * Laplace approximations (Eschenhagen et al. 2021). All members are fitted to all rows: initial values, minibatches and noise make them
 * differ. A member that has no width of its own, as map, takes its own residuals for the noise, and five such make no honest mixture on few
 * rows: the preset's are held_out_dropout, whose noise rests on rows held out. That one does not know weights of rows; laplace does.
 */
#include <bnn/holder.h>
#include <bnn/jobs.h>

#include <stdlib.h>
#include <string.h>

typedef struct {
    bnn_object engine;
    int members;
} conf;

static const bnn_option options[] = {
    BNN_OPT_SPEC(conf, engine, BNN_ENGINE, "held_out_dropout{steps=6000}", "the engine of every member, as name or name{options}"),
    BNN_OPT_INT(conf, members, "5", 1, 1e5, "fits of it"),
    {0}};

typedef struct {
    bnn_engine **member; /* [members]; NULL until a file puts them there, where the engine was opened without rows */
    uint64_t *done;      /* [members] whether its fit is over */
    double *share;       /* [members] progress of it */
    bnn_step *step;      /* [members] the last one of this round */
    const bnn_data *data;
} state;

static bnn_status adapt(const void *options_set, bnn_netspec *net) { return bnn_holder_adapt(&((const conf *)options_set)->engine, net); }

static bnn_status open(bnn_engine *e, const bnn_data *data) {
    const conf *c = e->object.conf;
    state *s = e->state;
    size_t n = (size_t)c->members;
    s->member = calloc(n, sizeof *s->member);
    s->done = calloc(n, sizeof *s->done);
    s->share = calloc(n, sizeof *s->share);
    s->step = calloc(n, sizeof *s->step);
    if (!s->member || !s->done || !s->share || !s->step) return bnn_oom("an ensemble");
    bnn_rng inner = bnn_rng_split(e->rng, BNN_STREAM_INNER);
    for (int k = 0; data->n > 0 && k < c->members; k++)
        BNN_TRY(bnn_holder_open(e, &c->engine, data, bnn_rng_split(inner, (uint64_t)k), k == 0 ? c->members : 0, &s->member[k]));
    return BNN_OK;
}

enum { STEPS_AT_ONCE = 16 }; /* threads meet between rounds: not after every short epoch */

static bnn_status advance(void *context, int k) {
    state *s = context;
    s->step[k] = (bnn_step){0};
    for (int i = 0; i < STEPS_AT_ONCE && !s->done[k]; i++) {
        bnn_status status = bnn_engine_step(s->member[k], s->data, &s->step[k]);
        if (status < 0) return bnn_note(status, "member %d", k + 1);
        s->done[k] = s->step[k].done;
        s->share[k] = s->step[k].progress;
    }
    return BNN_OK;
}

/* Terms are means over the members that are still at work; theta is the first's of them, if it is one of this engine's network. */
static void report(const bnn_engine *e, const uint64_t *over, bnn_step *out) {
    const state *s = e->state;
    int members = ((const conf *)e->object.conf)->members, at_work = 0;
    bool fitted = bnn_engine_fitted(e) != NULL;
    for (int k = 0; k < members; k++) {
        const bnn_step *step = &s->step[k];
        if (over[k]) continue;
        double n = ++at_work;
        out->terms.nll += (step->terms.nll - out->terms.nll) / n;
        out->terms.prior += (step->terms.prior - out->terms.prior) / n;
        out->terms.kl += (step->terms.kl - out->terms.kl) / n;
        if (fitted && !out->theta && strcmp(bnn_engine_member(e, k)->texts.net, e->texts.net) == 0) out->theta = step->theta;
    }
}

static bnn_status step(bnn_engine *e, const bnn_data *data, bnn_step *out) {
    state *s = e->state;
    int members = ((const conf *)e->object.conf)->members;
    bnn_cost *before = calloc((size_t)members, sizeof *before);
    uint64_t *over = calloc((size_t)members, sizeof *over);
    bnn_status status = before && over ? BNN_OK : bnn_oom("an ensemble");
    for (int k = 0; status == BNN_OK && k < members; k++) before[k] = s->member[k]->cost, over[k] = s->done[k];
    s->data = data;
    if (status == BNN_OK) status = bnn_jobs_run(members, advance, s);
    out->done = true;
    for (int k = 0; status == BNN_OK && k < members; k++) {
        bnn_holder_count(e, s->member[k], &before[k]);
        out->done &= s->done[k] != 0;
        out->progress += s->share[k] / members;
    }
    if (status == BNN_OK) report(e, over, out);
    if (out->done) out->progress = 1; /* not the sum of rounded shares */
    free(before), free(over);
    return status;
}

static void close(bnn_engine *e) {
    state *s = e->state;
    for (int k = 0; s->member && k < ((const conf *)e->object.conf)->members; k++) bnn_engine_free(s->member[k]);
    free(s->member);
    free(s->done);
    free(s->share);
    free(s->step);
}

static int blocks(bnn_engine *e, bnn_block *out) {
    state *s = e->state;
    size_t n = (size_t)((const conf *)e->object.conf)->members;
    out[0] = (bnn_block){.name = "done", .kind = BNN_BLOCK_U64, .data = s->done, .length = n};
    out[1] = (bnn_block){.name = "share", .kind = BNN_BLOCK_DOUBLE, .data = s->share, .length = n};
    return 2;
}

static bnn_engine **member(const bnn_engine *e, int k) {
    return k < ((const conf *)e->object.conf)->members ? &((const state *)e->state)->member[k] : NULL;
}

static bnn_engine *held(bnn_engine *e, int i, const bnn_data **rows) {
    (void)rows; /* the same */
    bnn_engine **place = member(e, i);
    return place ? *place : NULL;
}

static const char *const checks[] = {"ensemble:engine=map{epochs=20,batch=16},members=3",
                                     "ensemble:engine=mc_dropout{epochs=20,batch=16},members=2", NULL};

static const bnn_claim claims[] = {
    {"ensemble:engine=map{epochs=2000,lr=0.05,optimizer=sgd{momentum=0.9}},members=3", BNN_FINDS_MODE, 0.002}, {NULL, 0, 0}};

const bnn_engine_type bnn_engine_ensemble = {
    .type = {BNN_TYPE(bnn_engine_type), .name = "ensemble", .summary = "several fits of another engine, predicting as a mixture",
             .reference = "Lakshminarayanan, Pritzel & Blundell 2017", .conf_size = sizeof(conf), .options = options, .checks = checks},
    .state_size = sizeof(state),
    .open = open,
    .step = step,
    .close = close,
    .blocks = blocks,
    .adapt = adapt,
    .held = held,
    .member = member,
    .claims = claims,
    .fails = "members agree where all are wrong in the same way; a member that is overconfident stays so within itself. Seen as: "
             "overconfident.",
};
