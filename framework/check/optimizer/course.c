/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * course.c: rules of optimisers on a course of steps: gradients that stay the same, mirror images, long vectors, quadratics; and what each
 * option does to a course.
 */
#include "optimizer.h"

#include <stdlib.h>
#include <string.h>

enum { N = BNN_OPTIMIZER_CASE };

/* ---------------------------------------------------------------- cases */

static bool call(void *of, int hook) {
    (void)hook;
    bnn_optimizer_case_step(of);
    return true;
}

void bnn_optimizer_case_close(bnn_optimizer_case *k) {
    bnn_hooks_free(&k->hooks);
    bnn_optimizer_free(&k->o);
}

/* How much is lost of 1 in a first step without a gradient. There is room for types that write where they should not. */
static double lost(const bnn_optimizer_case *k) {
    enum { ROOM = 64 };
    bnn_real theta[ROOM] = {1}, g[ROOM] = {0}, *state = calloc((size_t)(k->planes + 1) * ROOM, sizeof *state);
    if (state) k->type->step(&k->o, 0.1, 1, 1, theta, g, state, ROOM);
    free(state);
    return 1 - (double)theta[0];
}

/* One that shrinks theta whatever its options are does so by mistake. */
static bool decays(const bnn_optimizer_case *k) {
    const bnn_type *t = &k->type->type;
    bnn_option o;
    bool off = false;
    if (bnn_optimizer_case_says(k, BNN_OPTIMIZER_DECAYS)) return true;
    for (int i = 0; lost(k) > 0 && !off && bnn_options_at(t->options, i, &o); i++) {
        double *value = (double *)((char *)k->o.object.conf + o.offset), is = o.kind == BNN_OPTION_REAL ? *value : 0;
        if (is == 0) continue;
        if (bnn_options_set(t->options, k->o.object.conf, o.name, "0") == BNN_OK) off = lost(k) == 0;
        *value = is;
    }
    return off;
}

static void repeat_seven(int n, bnn_real *x) {
    for (int i = N; i < n; i++) x[i] = x[i - N];
}

void bnn_optimizer_case_gradient(bnn_optimizer_case *k) {
    bnn_rng_normal(bnn_rng_seed(2), k->t, 1, N < k->n ? N : k->n, k->g);
    repeat_seven(k->n, k->g);
}

bnn_status bnn_optimizer_case_sized(const bnn_optimizer_type *type, const char *spec, int n, int stride, bnn_optimizer_case *k) {
    static const char *const hook_names[] = {"step", NULL};
    *k = (bnn_optimizer_case){.type = type, .lr = 0.01, .t = 1, .planes = type->state_per_theta, .n = n, .stride = stride};
    k->hooks = (bnn_hooks){.name = hook_names, .call = call, .of = k};
    BNN_TRY(bnn_optimizer_new(spec, &k->o));
    k->theta = bnn_hooks_reals(&k->hooks, "theta", (size_t)n, false), k->g = bnn_hooks_reals(&k->hooks, "g", (size_t)n, true);
    k->state = bnn_hooks_reals(&k->hooks, "state", (size_t)k->planes * (size_t)stride, false);
    if (k->hooks.out_of_memory) {
        bnn_optimizer_case_close(k);
        return bnn_oom("a case");
    }
    bnn_rng_normal(bnn_rng_seed(1), 0, 1, N < n ? N : n, k->theta);
    bnn_rng_normal(bnn_rng_seed(1), 1, 1, N < n ? N : n, k->g);
    repeat_seven(n, k->theta), repeat_seven(n, k->g);
    k->decays = k->planes >= 0 && decays(k);
    return BNN_OK;
}

void bnn_optimizer_case_restart(bnn_optimizer_case *k) {
    memset(k->state, 0, (size_t)k->planes * (size_t)k->stride * sizeof *k->state);
    k->t = 1;
}

/* ---------------------------------------------------------------- two courses */

enum { COURSE = 30 };

/* Both are stepped with the gradients of `of`, which *other gets times `sign`. */
static void step_both(bnn_optimizer_case *of, bnn_optimizer_case *other, double sign) {
    bnn_optimizer_case_gradient(of);
    for (int i = 0; i < of->n; i++) other->g[i] = (bnn_real)sign * of->g[i];
    bnn_optimizer_case_step(of), bnn_optimizer_case_step(other);
    of->t++, other->t++;
}

/* From theta and from 0 with the same gradients: what lies between is theta times the decay of every step. */
static void compare_decay(bnn_checker *c, bnn_optimizer_case *k, bnn_optimizer_case *from_0) {
    double apart[N], factor = 1;
    for (int i = 0; i < N; i++) apart[i] = (double)k->theta[i], from_0->theta[i] = 0;
    k->lr = from_0->lr = 0.05;
    for (int t = 1; t <= COURSE && !bnn_checker_broken(c); t++) {
        step_both(k, from_0, 1);
        if (t == 1 && k->decays) factor = ((double)k->theta[0] - (double)from_0->theta[0]) / apart[0];
        for (int i = 0; i < N; i++) {
            double is = (double)k->theta[i] - (double)from_0->theta[i];
            apart[i] *= factor;
            if (!(fabs(is - apart[i]) <= 10 * ROUNDING * (1 + fabs((double)k->theta[i]))))
                bnn_checker_break(
                    c, "after step %d with the same gradients theta[%d] from %.6g and from 0 lie %.6g apart in place of %.6g: %s", t, i,
                    (double)k->theta[i], is, apart[i],
                    k->decays ? "does decay go through the moments?" : "if the step shrinks theta, BNN_OPTIMIZER_DECAYS says it");
        }
    }
}

bnn_status bnn_rule_decoupled(bnn_checker *c, void *of) {
    bnn_optimizer_case *k = of, other;
    if (bnn_optimizer_case_says(k, BNN_OPTIMIZER_BY_BLOCKS)) {
        bnn_checker_skip(c, "it takes norms of blocks");
        return BNN_OK;
    }
    BNN_TRY(bnn_optimizer_case_open(k->type, c->now.spec, &other));
    compare_decay(c, k, &other);
    bnn_optimizer_case_close(&other);
    return BNN_OK;
}

bnn_status bnn_rule_mirror(bnn_checker *c, void *of) {
    bnn_optimizer_case *k = of, other;
    BNN_TRY(bnn_optimizer_case_open(k->type, c->now.spec, &other));
    for (int i = 0; i < N; i++) other.theta[i] = -k->theta[i];
    while (k->t <= COURSE && !bnn_checker_broken(c)) {
        step_both(k, &other, -1);
        for (int i = 0; i < N; i++)
            if (!(fabs((double)k->theta[i] + (double)other.theta[i]) <= 10 * ROUNDING * (1 + fabs((double)k->theta[i]))))
                bnn_checker_break(c, "after step %d theta[%d] is %.6g, and where all signs are turned %.6g", (int)k->t - 1, i,
                                  (double)k->theta[i], (double)other.theta[i]);
    }
    bnn_optimizer_case_close(&other);
    return BNN_OK;
}

/* ---------------------------------------------------------------- long vectors */

/* Entries of equal theta and gradients, in one call and in one of seven, move alike. */
static void compare_entries(bnn_checker *c, bnn_optimizer_case *k, bnn_optimizer_case *seven) {
    enum { STEPS = 3 };
    bool blocks = bnn_optimizer_case_says(k, BNN_OPTIMIZER_BY_BLOCKS);
    for (; k->t <= STEPS && !bnn_checker_broken(c); k->t++, seven->t++) {
        bnn_optimizer_case_gradient(k), bnn_optimizer_case_gradient(seven);
        bnn_optimizer_case_step(k), bnn_optimizer_case_step(seven);
        for (int i = 0; i < k->n; i++) {
            double is = (double)k->theta[i], should = (double)(blocks ? k->theta : seven->theta)[i % N];
            if (!(fabs(is - should) <= ROUNDING * (1 + fabs(should))))
                bnn_checker_break(c, "of %d parameters theta[%d] is %.9g after step %d, and theta[%d], with the same gradients, %.9g%s",
                                  k->n, i, is, (int)k->t, i % N, should, blocks ? "" : " of 7");
        }
    }
}

bnn_status bnn_rule_tails(bnn_checker *c, void *of) {
    static const int sizes[] = {1, 8, 13, 65, 1031};
    bnn_optimizer_case *seven = of, k;
    bnn_contents from;
    BNN_TRY(bnn_contents_keep(&seven->hooks, &from));
    bnn_status s = BNN_OK;
    for (size_t j = 0; j < sizeof sizes / sizeof *sizes && s == BNN_OK && !bnn_checker_broken(c); j++) {
        bnn_contents_put_back(&seven->hooks, &from);
        seven->t = 1;
        if ((s = bnn_optimizer_case_sized(seven->type, c->now.spec, sizes[j], sizes[j] + 9, &k)) < 0) break;
        compare_entries(c, &k, seven);
        for (int i = 0; i < k.hooks.n_arrays; i++)
            if (!bnn_guarded_intact(k.hooks.array[i].at))
                bnn_checker_break(c, "step writes outside %s [%zu]", k.hooks.array[i].name, k.hooks.array[i].n);
        bnn_optimizer_case_close(&k);
    }
    bnn_contents_free(&from);
    return s;
}

/* ---------------------------------------------------------------- a gradient that stays */

enum { LONG = 8000 };

/* A step from 0, where decay has nothing to do: its length downhill, in step sizes, where the gradient is +-size in turns. */
static double step_length(bnn_optimizer_case *k, double size, int i) {
    for (int j = 0; j < k->n; j++) k->g[j] = (bnn_real)(j % 2 ? -size : size), k->theta[j] = 0;
    bnn_optimizer_case_step(k);
    k->t++;
    return (double)k->theta[i] * (i % 2 ? 1 : -1) / k->lr;
}

/* Shape of the lengths of a course. */
typedef struct {
    double first, half, last, least, most; /* of all; half: in the middle of the course */
    double total[N];                       /* of each entry, in step sizes */
    double top, fall;                      /* the length that a rise of 5 % ended with, and the shortest one after it */
    double high, low;                      /* from LATE on: the longest step, and the shortest behind it */
    int again;                             /* number of the first step that is longer again than that, 0: none */
    int uphill;                            /* number of the first step uphill, 0: none */
    bool scale_free;                       /* as long where the gradient is 1024 times as large */
} course;

static void follow(course *r, double *low, double length, int t) {
    if (t == 1) r->first = r->least = r->most = *low = length;
    if (t == LONG / 2) r->half = length;
    r->last = length;
    r->least = fmin(r->least, length), r->most = fmax(r->most, length);
    if (!(length > 0) && !r->uphill) r->uphill = t;
    *low = fmin(*low, length);
    if (r->top == 0 && length > 1.05 * *low) r->top = r->fall = length;
    if (r->top > 0 && length > r->top && r->fall > 0.95 * r->top) r->top = r->fall = length;
    if (r->top > 0) r->fall = fmin(r->fall, length);
}

/* Where all moments have come to rest: steps that shrink and grow again. */
static void follow_late(course *r, double length, int t) {
    enum { LATE = 1000 };
    if (t < LATE) return;
    if (length > r->high) r->high = r->low = length;
    r->low = fmin(r->low, length);
    if (r->low < 0.95 * r->high && length > 1.05 * r->low && !r->again) r->again = t;
}

static course walk(bnn_optimizer_case *k, bnn_optimizer_case *large) {
    course r = {.scale_free = true};
    double low = 0;
    bnn_optimizer_case_restart(k), bnn_optimizer_case_restart(large);
    for (int t = 1; t <= LONG; t++) {
        double length = step_length(k, 1, 0), other = step_length(large, 1024, 0);
        follow(&r, &low, length, t);
        follow_late(&r, length, t);
        for (int i = 0; i < N; i++) r.total[i] += (double)k->theta[i] * (i % 2 ? 1 : -1) / k->lr;
        r.scale_free &= fabs(other - length) <= 0.02 * fabs(length);
    }
    return r;
}

static void judge_course(bnn_checker *c, const bnn_optimizer_case *k, const course *r) {
    if (bnn_optimizer_case_says(k, BNN_OPTIMIZER_EVEN) && !(r->least >= 0.99 && r->most <= 1.01))
        bnn_checker_break(c,
                          "EVEN, but step along a gradient that stays 1 moves by %.4g to %.4g step sizes, first by %.4g, at last by %.4g",
                          r->least, r->most, r->first, r->last);
    for (int i = 0; i < N; i++)
        if (!(r->total[i] > 0)) bnn_checker_break(c, "%d steps along a gradient that stays the same move theta[%d] uphill", LONG, i);
    if (bnn_optimizer_case_says(k, BNN_OPTIMIZER_UNEVEN)) return;
    if (r->uphill) bnn_checker_break(c, "step %d along a gradient that stays the same does not go downhill", r->uphill);
    if (r->top > 0 && r->fall < 0.95 * r->top)
        bnn_checker_break(
            c,
            "along a gradient that stays 1 the first step is %.4g step sizes long, a later one %.4g, and after that one %.4g (ratio "
            "%.4g): are all moments corrected for their start at 0? if that is meant, BNN_OPTIMIZER_UNEVEN says it",
            r->first, r->top, r->fall, r->fall / r->top);
    if (r->again)
        bnn_checker_break(
            c,
            "along a gradient that stays 1 steps shrink from %.4g to %.4g step sizes, and from step %d on they grow again: does "
            "a correction begin anew? if that is meant, BNN_OPTIMIZER_UNEVEN says it",
            r->high, r->low, r->again);
    bool rests = r->scale_free && fabs(r->last - r->half) <= 1e-3 * r->last;
    if (rests && !(fabs(r->last - 1) <= 0.02))
        bnn_checker_break(
            c,
            "steps along a gradient that stays the same, of any size, end with %.4g of the step size: is a factor missing in a mean? "
            "if that is meant, BNN_OPTIMIZER_UNEVEN says it",
            r->last);
    if (rests && r->first < 0.97 * r->last)
        bnn_checker_break(
            c,
            "steps along a gradient that stays the same, of any size, end with the length of the step size, but begin with %.4g of it "
            "(ratio %.4g): does the correction of a moment begin with t = 1? if that is meant, BNN_OPTIMIZER_UNEVEN says it",
            r->first, r->first / r->last);
}

bnn_status bnn_rule_constant(bnn_checker *c, void *of) {
    bnn_optimizer_case *k = of, large;
    if (bnn_optimizer_case_says(k, BNN_OPTIMIZER_BY_BLOCKS)) {
        bnn_checker_skip(c, "it takes norms of blocks");
        return BNN_OK;
    }
    BNN_TRY(bnn_optimizer_case_open(k->type, c->now.spec, &large));
    course r = walk(k, &large);
    judge_course(c, k, &r);
    bnn_optimizer_case_close(&large);
    return BNN_OK;
}

/* ---------------------------------------------------------------- small gradients */

/* The length of the last of 50 steps. */
static double length_at(bnn_optimizer_case *k, double size) {
    enum { STEPS = 50 };
    double length = 0;
    bnn_optimizer_case_restart(k);
    for (int t = 1; t <= STEPS; t++) length = step_length(k, size, 0);
    return length;
}

/* Says whether a plane of state grows with the square of the gradient. */
static bool holds_squares(bnn_optimizer_case *k) {
    bool found = false;
    double once[64] = {0};
    length_at(k, 1);
    for (int p = 0; p < k->planes; p++) once[p] = (double)k->state[p * k->stride];
    length_at(k, 4);
    for (int p = 0; p < k->planes; p++) found |= once[p] > 0 && fabs((double)k->state[p * k->stride] / once[p] - 16) < 0.1;
    return found;
}

bnn_status bnn_rule_small(bnn_checker *c, void *of) {
    bnn_optimizer_case *k = of;
    if (!holds_squares(k)) {
        bnn_checker_skip(c, "no plane of its state holds squares of gradients");
        return BNN_OK;
    }
    double size = bnn_optimizer_case_says(k, BNN_OPTIMIZER_EVEN) ? 1e-4 : 1e-2, is = length_at(k, size), should = length_at(k, 1);
    if (!(is >= 0.9 * should))
        bnn_checker_break(
            c,
            "its state holds squares of gradients, but step with gradients of %g moves by %.4g step sizes, with gradients of 1 by "
            "%.4g (ratio %.4g): is what is added to their root too large?",
            size, is, should, is / should);
    return BNN_OK;
}

/* ---------------------------------------------------------------- quadratics */

double bnn_optimizer_case_quadratic(bnn_optimizer_case *k, double least) {
    double u = 0;
    for (int i = 0; i < N; i++) {
        double a = least * pow(2 / least, i / (N - 1.0));
        double away = (double)k->theta[i] - (k->decays ? 0 : i);
        u += 0.5 * a * away * away;
        k->g[i] = (bnn_real)(a * away);
    }
    return u;
}

/* The share of a quadratic that is left. Step size 0.3, which falls in the second half so that every method comes to rest. */
static double left_after(bnn_optimizer_case *k, double least, int steps) {
    double first = bnn_optimizer_case_quadratic(k, least);
    for (k->t = 1; k->t <= (uint64_t)steps; k->t++) {
        double behind = (double)k->t / steps - 0.5;
        k->lr = 0.3 * (behind <= 0 ? 1 : exp(-20 * behind));
        bnn_optimizer_case_quadratic(k, least);
        bnn_optimizer_case_step(k);
    }
    return bnn_optimizer_case_quadratic(k, least) / first;
}

bnn_status bnn_rule_converges(bnn_checker *c, void *of) {
    enum { STEPS = 4000, SLOW = 10 };
    static const double least[] = {0.5, 0.02};
    bnn_optimizer_case *k = of;
    bnn_contents from;
    BNN_TRY(bnn_contents_keep(&k->hooks, &from));
    for (int j = 0; j < 2; j++) {
        bnn_contents_put_back(&k->hooks, &from);
        double left = left_after(k, least[j], STEPS);
        if (left <= 1e-6) continue;
        bnn_contents_put_back(&k->hooks, &from);
        left = left_after(k, least[j], SLOW * STEPS);
        if (!(left <= 1e-6))
            bnn_checker_break(c, "%d steps leave %.3g of a quadratic of condition %g: 1e-6 of it is demanded", SLOW * STEPS, left,
                              2 / least[j]);
    }
    bnn_contents_free(&from);
    return BNN_OK;
}

/* ---------------------------------------------------------------- options */

/* A course over gradients of many sizes from here on, 0 among them. */
static void wander(bnn_optimizer_case *k) {
    static const double sizes[] = {1, 1e-4, 1e3, 1e-9, 0};
    for (; k->t <= COURSE; k->t++) {
        bnn_optimizer_case_gradient(k);
        for (int i = 0; i < N; i++) k->g[i] *= (bnn_real)sizes[k->t % 5];
        bnn_optimizer_case_step(k);
    }
}

/* The first step from 0 with this value goes downhill, and the state stays finite. *differs: the course is another one than *preset. */
static bnn_status try_value(bnn_checker *c, const bnn_optimizer_case *preset, const char *spec, const char *option, const char *value,
                            bool *differs) {
    bnn_optimizer_case k;
    BNN_TRY(bnn_optimizer_case_open(preset->type, spec, &k));
    bnn_status s = bnn_options_set(k.type->type.options, k.o.object.conf, option, value);
    if (s < 0) bnn_checker_break(c, "option '%s' refuses '%s': %s", option, value, bnn_error());
    if (s == BNN_OK && !(step_length(&k, 1, 0) > 0))
        bnn_checker_break(c, "with %s=%s the first step does not go downhill: it moves from 0 to %g with a gradient of 1", option, value,
                          (double)k.theta[0]);
    if (s == BNN_OK) {
        bnn_optimizer_case_restart(&k);
        for (int i = 0; i < N; i++) k.theta[i] = 1;
        wander(&k);
        *differs |= memcmp(k.theta, preset->theta, N * sizeof *k.theta) != 0 ||
                    memcmp(k.state, preset->state, (size_t)(k.planes * k.stride) * sizeof *k.state) != 0;
    }
    bnn_optimizer_case_close(&k);
    return s == BNN_ERR_MEMORY ? s : BNN_OK;
}

/* Ends and middle of a range, or each choice. */
static bnn_status try_values(bnn_checker *c, const bnn_optimizer_case *preset, const char *spec, const bnn_option *o, bool *differs) {
    const double values[] = {o->min, 0.5 * (o->min + o->max), o->max};
    char text[BNN_NUMBER_TEXT];
    for (int i = 0; o->kind == BNN_OPTION_CHOICE && o->choices[i]; i++)
        BNN_TRY(try_value(c, preset, spec, o->name, o->choices[i], differs));
    for (int i = 0; o->kind != BNN_OPTION_CHOICE && i < 3; i++) {
        double value = o->kind == BNN_OPTION_INT ? floor(values[i]) : values[i];
        BNN_TRY(try_value(c, preset, spec, o->name, bnn_number_print(value, text), differs));
    }
    return BNN_OK;
}

static bnn_status try_on_spec(bnn_checker *c, const char *spec, const bnn_option *o, bool *differs) {
    bnn_optimizer_case preset;
    bnn_status s = bnn_optimizer_case_open((const bnn_optimizer_type *)c->type, spec, &preset);
    if (s < 0) return s == BNN_ERR_MEMORY ? s : BNN_OK;
    for (int i = 0; i < N; i++) preset.theta[i] = 1;
    wander(&preset);
    s = try_values(c, &preset, spec, o, differs);
    bnn_optimizer_case_close(&preset);
    return s;
}

/* Of an option without ends. */
static bnn_status try_others(bnn_checker *c, const char *spec, const bnn_option *o, bool *differs) {
    static const char *const values[] = {"1e-3", "0.7", "30", "1e4"};
    bnn_optimizer_case preset, k;
    bnn_status s = bnn_optimizer_case_open((const bnn_optimizer_type *)c->type, spec, &preset);
    if (s < 0) return s == BNN_ERR_MEMORY ? s : BNN_OK;
    wander(&preset);
    for (size_t i = 0; i < sizeof values / sizeof *values && s == BNN_OK; i++) {
        if ((s = bnn_optimizer_case_open(preset.type, spec, &k)) < 0) break;
        if (bnn_options_set(k.type->type.options, k.o.object.conf, o->name, values[i]) == BNN_OK) {
            wander(&k);
            *differs |= memcmp(k.theta, preset.theta, N * sizeof *k.theta) != 0;
        }
        bnn_optimizer_case_close(&k);
    }
    bnn_optimizer_case_close(&preset);
    return s;
}

bnn_status bnn_rule_effect(bnn_checker *c) {
    bnn_option o;
    for (int i = 0; bnn_options_at(c->type->options, i, &o) && !bnn_checker_broken(c); i++) {
        bool number = o.kind == BNN_OPTION_INT || o.kind == BNN_OPTION_REAL, limited = isfinite(o.min) && isfinite(o.max) && o.min < o.max;
        bool differs = false;
        if (!(o.kind == BNN_OPTION_CHOICE || (number && limited) || o.kind == BNN_OPTION_REAL)) continue;
        for (int s = 0; c->type->checks[s]; s++)
            BNN_TRY((o.kind == BNN_OPTION_REAL && !limited ? try_others : try_on_spec)(c, c->type->checks[s], &o, &differs));
        if (!differs) bnn_checker_break(c, "option '%s' changes no step, whatever its value: is it read?", o.name);
    }
    return BNN_OK;
}
