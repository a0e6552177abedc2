/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * trace.c: vtables that pass every call on to a type, and say which hook runs meanwhile.
 */
#include "watch.h"

#include <string.h>

/* Where a child ends no code of it can say so: the name is there before the hook is called. */
static tool_hooks *running;
static int inside;                     /* threads that are in a hook */
static _Thread_local const char *mine; /* the innermost hook that this thread is in */

static const char *enter(const char *hook) {
    const char *outer = mine;
    mine = hook;
    if (!outer) __atomic_add_fetch(&inside, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&running->now, hook, __ATOMIC_RELAXED);
    __atomic_store_n(&running->last, hook, __ATOMIC_RELAXED);
    return outer;
}

static void leave(const char *outer) {
    mine = outer;
    if (outer || __atomic_sub_fetch(&inside, 1, __ATOMIC_RELAXED) == 0) __atomic_store_n(&running->now, outer, __ATOMIC_RELAXED);
}

/* Hooks of each kind: those that return something, and those that do not. */
#define LAYER_HOOKS(VALUE, ACTION)                                                                        \
    VALUE(layer, bnn_status, bind, (bnn_layer * l), (l))                                                  \
    ACTION(layer, forward, (const bnn_layer *l, bnn_io *io), (l, io))                                     \
    ACTION(layer, backward, (const bnn_layer *l, bnn_io *io), (l, io))                                    \
    ACTION(layer, init, (const bnn_layer *l, bnn_rng rng, bnn_real *theta), (l, rng, theta))              \
    ACTION(layer, prepare, (const bnn_layer *l, bnn_io *io), (l, io))                                     \
    ACTION(layer, finish, (const bnn_layer *l, bnn_io *io), (l, io))                                      \
    VALUE(layer, double, penalty, (const bnn_layer *l, bnn_io *io, double scale), (l, io, scale))         \
    VALUE(layer, double, keep, (const bnn_layer *l, const bnn_real *theta, bnn_real *dk), (l, theta, dk)) \
    ACTION(layer, close, (bnn_layer * l), (l))                                                            \
    ACTION(layer, score, (const bnn_layer *l, bnn_io *io, double scale), (l, io, scale))                  \
    ACTION(layer, absorb, (const bnn_layer *l, const bnn_io *io, bnn_real *theta), (l, io, theta))

#define ENGINE_HOOKS(VALUE, ACTION)                                                                                              \
    VALUE(engine, bnn_status, open, (bnn_engine * e, const bnn_data *data), (e, data))                                           \
    VALUE(engine, bnn_status, step, (bnn_engine * e, const bnn_data *data, bnn_step *out), (e, data, out))                       \
    ACTION(engine, close, (bnn_engine * e), (e))                                                                                 \
    VALUE(engine, int, blocks, (bnn_engine * e, bnn_block * out), (e, out))                                                      \
    VALUE(engine, bnn_status, draw, (const bnn_engine *e, int s, bnn_rng rng, bnn_real *theta), (e, s, rng, theta))              \
    VALUE(engine, bnn_status, adapt, (const void *conf, bnn_netspec *net), (conf, net))                                          \
    VALUE(engine, int, n_draws, (const bnn_engine *e), (e))                                                                      \
    VALUE(engine, int, n_chains, (const bnn_engine *e), (e))                                                                     \
    VALUE(engine, const bnn_engine *, fitted, (const bnn_engine *e), (e))                                                        \
    VALUE(engine, int, columns, (const bnn_engine *e, bnn_column *out), (e, out))                                                \
    VALUE(engine, const char *, remark, (const bnn_engine *e), (e))                                                              \
    VALUE(engine, bnn_engine *, held, (bnn_engine * e, int i, const bnn_data **rows), (e, i, rows))                              \
    VALUE(engine, bnn_status, resume, (bnn_engine * e, const bnn_data *data), (e, data))                                         \
    VALUE(engine, bnn_status, begin, (bnn_engine * e, const bnn_real *theta), (e, theta))                                        \
    VALUE(engine, bnn_predictive, predictive, (const bnn_engine *e), (e))                                                        \
    VALUE(engine, bnn_status, outputs, (const bnn_engine *e, bnn_workspace *ws, int n, const bnn_real *x, double *m, double *c), \
          (e, ws, n, x, m, c))                                                                                                   \
    VALUE(engine, bnn_engine **, member, (const bnn_engine *e, int k), (e, k))                                                   \
    VALUE(engine, bnn_status, place, (bnn_engine * e, const bnn_real *theta), (e, theta))                                        \
    VALUE(engine, bnn_status, doubts, (const bnn_engine *e, bnn_remarks *out), (e, out))

#define LIKELIHOOD_HOOKS(VALUE, ACTION)                                                                                                    \
    VALUE(likelihood, bnn_status, bind, (bnn_likelihood * l), (l))                                                                         \
    VALUE(likelihood, double, nll,                                                                                                         \
          (const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta, double scale, bnn_real *df,        \
           bnn_real *dtheta),                                                                                                              \
          (l, n, f, y, theta, scale, df, dtheta))                                                                                          \
    ACTION(likelihood, observe,                                                                                                            \
           (const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta, const bnn_observation *out),      \
           (l, n, f, y, theta, out))                                                                                                       \
    ACTION(likelihood, draw,                                                                                                               \
           (const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *theta, bnn_rng rng, uint64_t row0, bnn_real *y),            \
           (l, n, f, theta, rng, row0, y))                                                                                                 \
    ACTION(likelihood, init, (const bnn_likelihood *l, bnn_real *theta), (l, theta))                                                       \
    VALUE(likelihood, double, noise_sd, (const bnn_likelihood *l, const bnn_real *theta), (l, theta))                                      \
    VALUE(likelihood, double, logp, (const bnn_likelihood *l, const bnn_real *theta, double scale, bnn_real *dtheta),                      \
          (l, theta, scale, dtheta))                                                                                                       \
    ACTION(likelihood, curvature, (const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *theta, bnn_real *root),              \
           (l, n, f, theta, root))                                                                                                         \
    ACTION(likelihood, marginal,                                                                                                           \
           (const bnn_likelihood *l, int n, double *mean, double *cov, const bnn_real *y, const bnn_real *theta, const bnn_marginal *out), \
           (l, n, mean, cov, y, theta, out))                                                                                               \
    VALUE(likelihood, bnn_status, draw_theta, (const bnn_likelihood *l, bnn_rng rng, bnn_real *theta), (l, rng, theta))                    \
    ACTION(likelihood, draw_theta_given,                                                                                                   \
           (const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, bnn_rng rng, bnn_real *theta), (l, n, f, y, rng, theta)) \
    ACTION(likelihood, close, (bnn_likelihood * l), (l))                                                                                   \
    ACTION(likelihood, draw_theta_weighted,                                                                                                \
           (const bnn_likelihood *l, int n, const double *weight, const bnn_real *f, const bnn_real *y, bnn_rng rng, bnn_real *theta),     \
           (l, n, weight, f, y, rng, theta))

#define PRIOR_HOOKS(VALUE, ACTION)                                                                                                         \
    VALUE(prior, double, logp, (const bnn_prior *p, const bnn_prior_block *b, int n, const bnn_real *w, bnn_real *dw), (p, b, n, w, dw))   \
    ACTION(prior, draw, (const bnn_prior *p, const bnn_prior_block *b, bnn_rng rng, int n, bnn_real *out), (p, b, rng, n, out))            \
    VALUE(prior, double, kl_gaussian,                                                                                                      \
          (const bnn_prior *p, const bnn_prior_block *b, int n, const bnn_real *mean, const bnn_real *sd, bnn_real *dmean, bnn_real *dsd), \
          (p, b, n, mean, sd, dmean, dsd))                                                                                                 \
    VALUE(prior, int, n_scales, (const bnn_prior *p, const bnn_prior_block *b), (p, b))                                                    \
    VALUE(prior, double, logp_scale, (const bnn_prior *p, const bnn_prior_block *b, double s, double *ds), (p, b, s, ds))                  \
    VALUE(prior, double, sd, (const bnn_prior *p, const bnn_prior_block *b), (p, b))                                                       \
    VALUE(prior, double, draw_scale, (const bnn_prior *p, const bnn_prior_block *b, bnn_rng rng), (p, b, rng))                             \
    VALUE(prior, double, draw_scale_given, (const bnn_prior *p, const bnn_prior_block *b, int n, const bnn_real *w, bnn_rng rng),          \
          (p, b, n, w, rng))

#define OPTIMIZER_HOOKS(VALUE, ACTION)                                                                                                 \
    ACTION(optimizer, step,                                                                                                            \
           (const bnn_optimizer *o, double lr, uint64_t t, int n, bnn_real *theta, const bnn_real *g, bnn_real *state, size_t stride), \
           (o, lr, t, n, theta, g, state, stride))

/* The type itself, and the vtable in its place. */
static const bnn_layer_type *layer;
static const bnn_engine_type *engine;
static const bnn_likelihood_type *likelihood;
static const bnn_prior_type *prior;
static const bnn_optimizer_type *optimizer;
static bnn_layer_type traced_layer;
static bnn_engine_type traced_engine;
static bnn_likelihood_type traced_likelihood;
static bnn_prior_type traced_prior;
static bnn_optimizer_type traced_optimizer;

#define TRACED_VALUE(kind, type, hook, parameters, arguments) \
    static type kind##_##hook parameters {                    \
        const char *outer = enter(#hook);                     \
        type returned = kind->hook arguments;                 \
        leave(outer);                                         \
        return returned;                                      \
    }
#define TRACED_ACTION(kind, hook, parameters, arguments) \
    static void kind##_##hook parameters {               \
        const char *outer = enter(#hook);                \
        kind->hook arguments;                            \
        leave(outer);                                    \
    }

LAYER_HOOKS(TRACED_VALUE, TRACED_ACTION)
ENGINE_HOOKS(TRACED_VALUE, TRACED_ACTION)
LIKELIHOOD_HOOKS(TRACED_VALUE, TRACED_ACTION)
PRIOR_HOOKS(TRACED_VALUE, TRACED_ACTION)
OPTIMIZER_HOOKS(TRACED_VALUE, TRACED_ACTION)

/* A hook that the type has not is none of the other's. */
#define PUT_VALUE(kind, type, hook, parameters, arguments) PUT_ACTION(kind, hook, parameters, arguments)
#define PUT_ACTION(kind, hook, parameters, arguments) \
    if (kind->hook) traced_##kind.hook = kind##_##hook;
#define TRACE(kind, hooks)     \
    kind = (const void *)type; \
    traced_##kind = *kind;     \
    hooks(PUT_VALUE, PUT_ACTION) return &traced_##kind.type

static const bnn_type *put_before(bnn_kind kind, const bnn_type *type) {
    switch (kind) {
    case BNN_LAYER: TRACE(layer, LAYER_HOOKS);
    case BNN_ENGINE: TRACE(engine, ENGINE_HOOKS);
    case BNN_LIKELIHOOD: TRACE(likelihood, LIKELIHOOD_HOOKS);
    case BNN_PRIOR: TRACE(prior, PRIOR_HOOKS);
    case BNN_OPTIMIZER: TRACE(optimizer, OPTIMIZER_HOOKS);
    default: return type;
    }
}

const bnn_type *tool_trace(bnn_kind kind, const bnn_type *type, tool_hooks *hooks) {
    running = hooks;
    const bnn_type *traced = put_before(kind, type);
    bnn_type_stand_in(kind, type, traced);
    return traced;
}
