/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * optimizer.c: the suite of optimisers.
 */
#include "optimizer.h"
#include "check/statics.h"
#include "check/type.h"

#include <string.h>

enum { MOST_STATE = 64, N = BNN_OPTIMIZER_CASE, STRIDE = BNN_OPTIMIZER_STRIDE };

/* ---------------------------------------------------------------- the head */

/* Cases allocate by it. */
static bool is_usable(const bnn_type *type) {
    int planes = ((const bnn_optimizer_type *)type)->state_per_theta;
    return planes >= 0 && planes <= MOST_STATE;
}

static bnn_status metadata(bnn_checker *c) {
    if (!is_usable(c->type)) bnn_checker_break(c, "state_per_theta is below 0 or above %d", MOST_STATE);
    return bnn_object_rule_metadata(c, BNN_OPTIMIZER_DECAYS | BNN_OPTIMIZER_BY_BLOCKS | BNN_OPTIMIZER_EVEN | BNN_OPTIMIZER_UNEVEN);
}

static bnn_status print(bnn_checker *c, void *k) { return bnn_object_rule_print(c, &((bnn_optimizer_case *)k)->o.object); }

/* ---------------------------------------------------------------- calls */

/* Between the used parts of the planes is what belongs to other parameters. */
static bnn_status bounds(bnn_checker *c, void *of) {
    bnn_optimizer_case *k = of;
    BNN_TRY(bnn_hooks_stay_in_bounds(c, &k->hooks));
    for (int i = 0; i < k->planes * STRIDE; i++) k->state[i] = i % STRIDE < N ? 0 : 3;
    bnn_optimizer_case_step(k);
    for (int i = 0; i < k->planes * STRIDE; i++)
        if (i % STRIDE >= N && k->state[i] != 3)
            bnn_checker_break(c, "step on %d parameters changes entry %d of state plane %d: planes are `stride` apart", N, i % STRIDE,
                              i / STRIDE);
    return BNN_OK;
}

static bnn_status allocations(bnn_checker *c, void *k) { return bnn_hooks_allocate_nothing(c, &((bnn_optimizer_case *)k)->hooks); }

static bnn_status state(bnn_checker *c, void *of) {
    bnn_optimizer_case *k = of, other;
    bnn_record r;
    bnn_status s = bnn_record_take(&k->hooks, &r);
    if (s == BNN_OK) s = bnn_record_compare(c, &k->hooks, &r, NULL);
    if (s == BNN_OK) s = bnn_optimizer_case_open(k->type, c->now.spec, &other);
    if (s == BNN_OK) {
        other.t = 5, other.lr = 0.3;
        s = bnn_record_compare(c, &k->hooks, &r, &other.hooks);
        bnn_optimizer_case_close(&other);
    }
    bnn_record_free(&r);
    return s;
}

static bnn_status stays_finite(bnn_checker *c, void *of) {
    static const struct {
        const char *when;
        double g;
    } extremes[] = {{"with gradients of 0", 0}, {"with gradients of 1e-30", 1e-30}, {"with gradients of 1e15", 1e15}};
    bnn_optimizer_case *k = of;
    for (size_t e = 0; e < sizeof extremes / sizeof *extremes; e++) {
        for (int i = 0; i < N; i++) k->g[i] = (bnn_real)(i % 2 ? -extremes[e].g : extremes[e].g);
        BNN_TRY(bnn_hooks_stay_finite(c, &k->hooks, extremes[e].when));
    }
    return BNN_OK;
}

/* One sweep over all parameters, and two over parts of them: the same bits, step by step. */
static bnn_status parts(bnn_checker *c, void *of) {
    enum { STEPS = 20, FIRST = 3 };
    bnn_optimizer_case *k = of, cut;
    if (bnn_optimizer_case_says(k, BNN_OPTIMIZER_BY_BLOCKS)) {
        bnn_checker_skip(c, "it takes whole blocks");
        return BNN_OK;
    }
    BNN_TRY(bnn_optimizer_case_open(k->type, c->now.spec, &cut));
    for (k->t = 1; k->t <= STEPS; k->t++) {
        bnn_optimizer_case_gradient(k);
        bnn_optimizer_case_step(k);
        k->type->step(&cut.o, k->lr, k->t, FIRST, cut.theta, k->g, cut.state, STRIDE);
        k->type->step(&cut.o, k->lr, k->t, N - FIRST, cut.theta + FIRST, k->g + FIRST, cut.state + FIRST, STRIDE);
        for (int i = 0; i < N; i++)
            if (memcmp(&k->theta[i], &cut.theta[i], sizeof *k->theta) != 0)
                bnn_checker_break(c, "after step %d theta[%d] is %.9g, and %.9g where %d parameters were stepped before the other %d",
                                  (int)k->t, i, (double)k->theta[i], (double)cut.theta[i], FIRST, N - FIRST);
    }
    bnn_optimizer_case_close(&cut);
    return BNN_OK;
}

/* ---------------------------------------------------------------- one step */

/* Weight decay shrinks all parameters alike; returns the factor. */
static double check_decay(bnn_checker *c, const bnn_optimizer_case *k, const bnn_real *kept) {
    double factor = (double)k->theta[0] / (double)kept[0];
    if (!(factor > 0 && factor <= 1))
        bnn_checker_break(c, "a zero gradient takes theta[0] from %.6g to %.6g: decay makes it smaller", (double)kept[0],
                          (double)k->theta[0]);
    for (int i = 1; i < N; i++)
        if (fabs((double)k->theta[i] - factor * (double)kept[i]) > 10 * ROUNDING * fabs((double)kept[i]))
            bnn_checker_break(c, "a zero gradient takes theta[0] to %.6g of itself, and theta[%d] to %.6g", factor, i,
                              (double)k->theta[i] / (double)kept[i]);
    return factor;
}

/* Three steps without a gradient shrink by one factor; half the step size by half as much. */
static void decays_alike(bnn_checker *c, bnn_optimizer_case *k) {
    bnn_real kept[N];
    double share[4];
    for (int i = 0; i < 4; i++, k->t++) {
        k->lr = i < 3 ? 0.1 : 0.05;
        memcpy(kept, k->theta, sizeof kept);
        bnn_optimizer_case_step(k);
        share[i] = 1 - check_decay(c, k, kept);
    }
    for (int i = 1; i < 4; i++) {
        double should = i < 3 ? share[0] : 0.5 * share[0];
        if (!(fabs(share[i] - should) <= 0.01 * should + 10 * ROUNDING))
            bnn_checker_break(c, "a zero gradient shrinks theta by %.4g in the first step, and by %.4g (ratio %.4g) in step %d%s", share[0],
                              share[i], share[i] / share[0], i + 1, i < 3 ? "" : ", of half the size");
    }
}

static bnn_status zero(bnn_checker *c, void *of) {
    bnn_optimizer_case *k = of;
    bnn_real kept[N];
    memcpy(kept, k->theta, sizeof kept);
    memset(k->g, 0, N * sizeof *k->g);
    if (k->decays) {
        decays_alike(c, k);
        return BNN_OK;
    }
    for (k->t = 1; k->t <= 3; k->t++) {
        bnn_optimizer_case_step(k);
        for (int i = 0; i < N; i++)
            if (k->theta[i] != kept[i])
                bnn_checker_break(
                    c, "a zero gradient moves theta[%d] from %.6g to %.6g in step %d: if that is meant, BNN_OPTIMIZER_DECAYS says it", i,
                    (double)kept[i], (double)k->theta[i], (int)k->t);
    }
    return BNN_OK;
}

/* The move of theta[0] in one step with this step size, all else as it is. */
static double move_at(bnn_optimizer_case *k, double lr, const bnn_contents *from) {
    bnn_contents_put_back(&k->hooks, from);
    double before = k->theta[0];
    k->lr = lr;
    bnn_optimizer_case_step(k);
    return (double)k->theta[0] - before;
}

/* Decay, too, is multiplied by the step size. */
static void stays_without_size(bnn_checker *c, bnn_optimizer_case *k) {
    bnn_real kept[N];
    memcpy(kept, k->theta, sizeof kept);
    k->lr = 0;
    bnn_optimizer_case_step(k);
    for (int i = 0; i < N; i++)
        if (k->theta[i] != kept[i])
            bnn_checker_break(c, "a step size of 0 moves theta[%d] from %.6g to %.6g", i, (double)kept[i], (double)k->theta[i]);
}

static bnn_status step_size(bnn_checker *c, void *of) {
    bnn_optimizer_case *k = of;
    bnn_contents from;
    char guess[BNN_GUESS_TEXT];
    bnn_optimizer_case_step(k);
    k->t = 2;
    bnn_optimizer_case_gradient(k);
    stays_without_size(c, k);
    k->theta[0] = 0; /* so that its move is not rounded */
    BNN_TRY(bnn_contents_keep(&k->hooks, &from));
    double once = move_at(k, 0.01, &from), twice = move_at(k, 0.02, &from);
    if (!(fabs(twice - 2 * once) <= 10 * ROUNDING * fabs(twice)))
        bnn_checker_break(c, "twice the step size moves theta[0] by %.6g in place of %.6g%s", twice, 2 * once,
                          fabs(twice - 4 * once) <= 1e-3 * fabs(twice) ? " (ratio 2: is the step size squared?)"
                                                                       : bnn_ratio_guess(twice, 2 * once, NAN, 0, guess));
    bnn_contents_free(&from);
    return BNN_OK;
}

/* A step from zero state goes downhill whatever t says, unless UNEVEN says that it may look back, and is finite. */
static bnn_status count(bnn_checker *c, void *of) {
    static const uint64_t times[] = {1, 2, 1000, 1000000000000};
    bnn_optimizer_case *k = of;
    bnn_contents from;
    BNN_TRY(bnn_contents_keep(&k->hooks, &from));
    for (size_t j = 0; j < sizeof times / sizeof *times; j++) {
        k->t = times[j];
        double move = move_at(k, k->lr, &from), g = (double)k->g[0];
        if (!isfinite(move))
            bnn_checker_break(c, "the step with t = %.0f moves theta[0] by %g%s", (double)k->t, move,
                              k->t == 1 ? ": does it count from 0?" : "");
        else if (!(move * g < 0 || bnn_optimizer_case_says(k, BNN_OPTIMIZER_UNEVEN)))
            bnn_checker_break(c, "the step with t = %.0f moves theta[0] by %.4g with a gradient of %.4g", (double)k->t, move, g);
    }
    bnn_contents_free(&from);
    return BNN_OK;
}

/* ---------------------------------------------------------------- many steps */

static bnn_status descent(bnn_checker *c, void *of) {
    bnn_optimizer_case *k = of;
    double before = bnn_optimizer_case_quadratic(k, 0.5);
    k->lr = 1e-3;
    bnn_optimizer_case_step(k);
    double after = bnn_optimizer_case_quadratic(k, 0.5);
    if (!(after < before))
        bnn_checker_break(c, "a first step of size %g takes a quadratic from %.6g to %.6g%s", k->lr, before, after,
                          after > before ? ": the sign?" : "");
    return BNN_OK;
}

/* ---------------------------------------------------------------- the suite */

static const bnn_table_rule rules[] = {
    {{"metadata", "name, summary, hooks, state and check specs are there"}, .once = metadata},
    {{"options", "every option takes its preset and its ends, refuses what is beyond them by name, and leaves the others alone"},
     .once = bnn_object_rule_options},
    {{"print", "the printed options make the same optimiser"}, .on_case = print},
    {{"bounds", "step writes theta and its part of each plane of state, nothing else"}, .on_case = bounds},
    {{"allocations", "step does not allocate"}, .on_case = allocations},
    {{"state", "the same call gives the same bits: all that is kept is in the state"}, .on_case = state},
    {{"finite", "theta and state are finite with gradients of 0, 1e-30 and 1e15"}, .on_case = stays_finite},
    {{"parts", "the parameters may be stepped in parts, unless BY_BLOCKS says that they are not"}, .on_case = parts},
    {{"zero", "from zero state a zero gradient leaves theta where it is, or shrinks all of it alike, where DECAYS or an option says so"},
     .on_case = zero},
    {{"step_size", "a step size of 0 moves nothing, and twice the step size moves twice as far"}, .on_case = step_size},
    {{"count", "t counts from 1: the first step and very late ones go downhill"}, .on_case = count},
    {{"descent", "a small first step lowers a quadratic"}, .on_case = descent},
    {{"converges", "4000 steps take quadratics of condition 4 and 100 to a millionth, or ten times as many"},
     .on_case = bnn_rule_converges},
    {{"decoupled", "steps do not depend on where theta stands, but for the decay that DECAYS or an option says"},
     .on_case = bnn_rule_decoupled},
    {{"mirror", "where theta and its gradients have the other sign, so have the steps"}, .on_case = bnn_rule_mirror},
    {{"tails", "each of 1, 8, 13, 65 and 1031 parameters is stepped as one of seven"}, .on_case = bnn_rule_tails},
    {{"blocks",
      "under BY_BLOCKS a step is that of the same block in any order and of copies of it, grows no faster than the block, and leaves 0"},
     .on_case = bnn_rule_blocks},
    {{"constant",
      "steps along a gradient that stays the same go downhill and do not rise and fall, unless UNEVEN says it; of one length under EVEN"},
     .on_case = bnn_rule_constant},
    {{"small", "where squares of gradients are held, a gradient of 0.01 is answered as one of 1, under EVEN one of 1e-4"},
     .on_case = bnn_rule_small},
    {{"effect", "every option changes the steps, and at its ends and in its middle, where it has these, the first one goes downhill"},
     .once = bnn_rule_effect},
};

enum { N_RULES = sizeof rules / sizeof *rules };

static const bnn_rule *rule_at(int i) { return i >= 0 && i < N_RULES ? &rules[i].rule : NULL; }

static bnn_status cases(bnn_checker *c, const bnn_table_rule *rule) {
    for (int s = 0; c->type->checks[s]; s++) {
        bnn_optimizer_case k;
        bnn_checker_come_to(c, &rule->rule, c->type->checks[s], "");
        bnn_status status = bnn_optimizer_case_open((const bnn_optimizer_type *)c->type, c->type->checks[s], &k);
        if (status == BNN_ERR_MEMORY) return status;
        if (status < 0) continue;
        status = bnn_run_case(c, rule, c->type->checks[s], "", &k);
        bnn_optimizer_case_close(&k);
        if (status < 0) return status;
    }
    return BNN_OK;
}

static bnn_status run(bnn_checker *c) {
    if (is_usable(c->type)) return bnn_run_table(c, N_RULES, rules, cases);
    c->left = "not run, since metadata is broken";
    c->stopped = true;
    return bnn_run_table(c, 1, rules, cases);
}

static bnn_status exercise(bnn_checker *c, const char *spec, int turn, uint64_t *digest) {
    bnn_optimizer_case k;
    *digest = BNN_DIGEST;
    BNN_TRY(bnn_optimizer_case_open((const bnn_optimizer_type *)c->type, spec, &k));
    bnn_hooks_turn(&k.hooks, turn);
    bnn_status s = bnn_hooks_digest(&k.hooks, digest);
    bnn_optimizer_case_close(&k);
    return s;
}

static bool step_elsewhere(void *of, int hook) {
    bnn_optimizer_case *k = of;
    (void)hook;
    k->t++;
    bnn_optimizer_case_gradient(k);
    bnn_optimizer_case_step(k);
    return true;
}

static bnn_status share(bnn_checker *c, const char *spec) {
    bnn_optimizer_case k;
    bnn_owned_begin(c);
    BNN_TRY(bnn_optimizer_case_open((const bnn_optimizer_type *)c->type, spec, &k));
    k.hooks.call = step_elsewhere;
    bnn_status s = bnn_hooks_share(c, &k.hooks);
    bnn_optimizer_case_close(&k);
    return s;
}

const bnn_suite bnn_suite_optimizer = {.rule = rule_at, .run = run, .exercise = exercise, .share = share, .attempt = bnn_object_attempt};
