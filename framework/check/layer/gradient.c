/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * gradient.c: gradients against differences, and how they are handed over.
 */
#include "layer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- differences */

/* A piece of what the objective depends on. */
typedef struct {
    const char *name; /* "theta" or "x[0]" */
    const char *block;
    int first, n; /* entries first .. of the array */
    bnn_real *at;
    const bnn_real *gradient;
} piece;

/* The probability of dropping, for guesses; NaN if the layer has none. */
static double drop_of(const bnn_layer_pass *p) {
    const bnn_layer_type *type = bnn_layer_vtable(p->l);
    bnn_real unused[BNN_MAX_GATE_THETA];
    return type->keep ? 1 - type->keep(p->l, p->theta, unused) : NAN;
}

/* What the differences are taken of: how far J is from where it was, entry by entry, so that outputs that do not move bring no rounding. */
typedef struct {
    bnn_layer_pass *p;
    bnn_real *before; /* [n, d_out] y where nothing is moved */
    double size;      /* sum of |c y| over outputs that some call found moved, far away over all and the penalty: rounding moves J by about
                       * epsilon times this */
    bool far;
} probe;

static double moved_j(void *of) {
    probe *at = of;
    const bnn_layer_pass *p = at->p;
    double j = 0, size = 0;
    bnn_layer_pass_forward(at->p, p->n);
    for (size_t i = 0; i < (size_t)p->n * p->d_out; i++) {
        double away = (double)p->y[i] - (double)at->before[i];
        j += (double)p->c[i] * away;
        size += away == 0 && !at->far ? 0 : fabs((double)p->c[i] * (double)p->y[i]);
    }
    if (at->far) size += fabs(p->scale * p->penalty);
    at->size = fmax(at->size, size);
    return p->scale * p->penalty + j;
}

static void break_gradient(bnn_checker *c, const bnn_layer_pass *p, const piece *of, int i, double slope) {
    char guess[BNN_GUESS_TEXT], block[80] = "";
    double is = of->gradient[i];
    if (of->block) snprintf(block, sizeof block, " \"%s\"", of->block);
    bnn_checker_break(c, "gradient of %s[%d]%s: backward says %.6g, differences say %.6g%s", of->name, of->first + i, block, is, slope,
                      bnn_ratio_guess(is, slope, drop_of(p), p->n, guess));
}

enum { FEWEST_ENTRIES = 24 };
static const double least_slope = 1e-30; /* slopes below it, of outputs that have all but vanished, are not told from 0 */

/* The entry that is furthest off, if one is off at all. Where a pass takes long only some are looked at. */
static bnn_status compare_piece(bnn_checker *c, const bnn_layer_case *k, bnn_layer_pass *p, const piece *of) {
    const int possible = bnn_case_times(p->l, p->n, FEWEST_ENTRIES, of->n);
    const int m = k->most_entries > 0 && k->most_entries < possible ? k->most_entries : possible;
    size_t outputs = (size_t)p->n * p->d_out;
    probe at = {.p = p, .far = k->far, .before = malloc((outputs + 1) * sizeof(bnn_real))};
    double *slope = calloc((size_t)m + 1, sizeof *slope), *floor = calloc((size_t)m + 1, sizeof *floor), largest = 0;
    bool *kinked = calloc((size_t)m + 1, sizeof *kinked), ok = at.before && slope && floor && kinked;
    int worst = -1;
    if (ok) bnn_layer_pass_forward(p, p->n), memcpy(at.before, p->y, outputs * sizeof *at.before);
    for (int j = 0; ok && j < m; j++) {
        at.size = 0;
        slope[j] = bnn_difference(moved_j, &at, &of->at[bnn_case_pick(j, m, of->n)], &kinked[j]);
        largest = fmax(largest, fabs(slope[j]));
        floor[j] = 4 * REAL_EPSILON * at.size / DIFFERENCE_STEP + least_slope;
    }
    for (int j = 0; ok && j < m; j++) {
        double off = fabs((double)of->gradient[bnn_case_pick(j, m, of->n)] - slope[j]);
        if (kinked[j] && (k->far || bnn_case_has_cap(k, BNN_KINKED))) continue;
        if (off <= ENTRY_TOLERANCE * fabs(slope[j]) + BLOCK_TOLERANCE * largest + floor[j]) continue;
        if (worst < 0 || !(off <= fabs((double)of->gradient[bnn_case_pick(worst, m, of->n)] - slope[worst]))) worst = j;
    }
    if (worst >= 0 && kinked[worst] && !bnn_case_has_cap(k, BNN_KINKED))
        bnn_checker_break(c, "%s[%d] stands at a kink, but the layer does not say KINKED", of->name,
                          of->first + bnn_case_pick(worst, m, of->n));
    else if (worst >= 0)
        break_gradient(c, p, of, bnn_case_pick(worst, m, of->n), slope[worst]);
    free(at.before), free(slope), free(floor), free(kinked);
    return ok ? BNN_OK : bnn_oom("a rule");
}

static bnn_status compare_theta(bnn_checker *c, const bnn_layer_case *k, bnn_layer_pass *p) {
    for (int b = 0, first = 0; b < p->l->plan.n_params; b++) {
        const bnn_param *block = &p->l->plan.param[b];
        int n = bnn_param_size(block);
        if (block->role != BNN_STATE)
            BNN_TRY(compare_piece(c, k, p, &(piece){"theta", block->name, first, n, p->theta + first, p->dtheta + first}));
        first += n;
    }
    return BNN_OK;
}

static bnn_status compare_inputs(bnn_checker *c, const bnn_layer_case *k, bnn_layer_pass *p) {
    for (int i = 0; i < p->l->n_in; i++) {
        char name[16];
        snprintf(name, sizeof name, "x[%d]", i);
        BNN_TRY(compare_piece(c, k, p, &(piece){name, NULL, 0, p->n * (int)p->d_in[i], p->x[i], p->dx[i]}));
    }
    return BNN_OK;
}

bnn_status bnn_check_differences(bnn_checker *c, const bnn_layer_case *k, bnn_layer_pass *p) {
    BNN_TRY(compare_theta(c, k, p));
    return compare_inputs(c, k, p);
}

enum { SOME = 12 }; /* entries of an array that are looked at far away */

static bnn_layer_case far_case(const bnn_layer_case *k) {
    bnn_layer_case far = *k;
    far.most_entries = k->most_entries > 0 && k->most_entries < SOME ? k->most_entries : SOME;
    far.far = true;
    return far;
}

/* At 10 times its inputs, beyond where tables, cuts and thresholds begin. */
static bnn_status far_inputs(bnn_checker *c, const bnn_layer_case *k) {
    bnn_layer_pass p;
    const bnn_layer_case far = far_case(k);
    const char *note = c->note;
    BNN_TRY(bnn_case_open(k, BNN_CASE_ROWS, 5, &p));
    for (int i = 0; i < p.l->n_in; i++)
        for (size_t j = 0; j < BNN_CASE_ROWS * p.d_in[i]; j++) p.x[i][j] *= 10;
    if (!note) c->note = "at 10 times the inputs";
    bnn_layer_pass_gradient(&p);
    bnn_status s = bnn_check_differences(c, &far, &p);
    c->note = note;
    bnn_layer_pass_close(&p);
    return s;
}

/* At `times` its own parameters; not where that leaves numbers too large for differences. */
static bnn_status far_gradient(bnn_checker *c, const bnn_layer_case *k, int times) {
    bnn_layer_pass p;
    const bnn_layer_case far = far_case(k);
    char note[64];
    BNN_TRY(bnn_case_open(k, BNN_CASE_ROWS, 2, &p));
    for (int b = 0, i = 0; b < p.l->plan.n_params; b++)
        for (int n = bnn_param_size(&p.l->plan.param[b]); n > 0; n--, i++)
            if (p.l->plan.param[b].role != BNN_STATE) p.theta[i] *= (bnn_real)times;
    snprintf(note, sizeof note, "at %d times the parameters", times);
    if (!c->note) c->note = note;
    bnn_layer_pass_gradient(&p);
    bnn_status s = compare_theta(c, &far, &p);
    if (c->note == note) c->note = NULL;
    bnn_layer_pass_close(&p);
    return s;
}

/* Where kinks like to be: an input is 0, and two that stand side by side are equal. Not a whole row of zeros, where sqrt(x^2 v) has one,
 * nor a whole line of equal ones, whose variance is 0. */
static void put_on_kinks(const bnn_shape *shape, size_t d, bnn_real *x) {
    enum { LINE = 3 };
    if (d > 1) x[d] = 0;
    if (shape->d[shape->rank - 1] >= LINE) x[2 * d] = x[2 * d + 1];
}

bnn_status bnn_rule_gradient(bnn_checker *c, const bnn_layer_case *k) {
    bnn_layer_pass p;
    BNN_TRY(bnn_case_open(k, BNN_CASE_ROWS, 1, &p));
    for (int i = 0; i < p.l->n_in; i++) put_on_kinks(&p.l->in[i], p.d_in[i], p.x[i]);
    bnn_layer_pass_gradient(&p);
    bnn_status s = bnn_check_differences(c, k, &p);
    for (int sign = -1; sign <= 1 && s == BNN_OK && p.l->n_theta > 0 && !bnn_checker_broken(c); sign += 2)
        s = far_gradient(c, k, 10 * sign);
    if (s == BNN_OK && !bnn_checker_broken(c) && k->most_entries == 0) s = far_inputs(c, k);
    bnn_layer_pass_close(&p);
    return s;
}

/* ---------------------------------------------------------------- sums */

static void prefill(bnn_real *a, size_t n) {
    for (size_t i = 0; i < n; i++) a[i] = 2;
}

/* b was filled with 2 before the hook, a with 0. */
static void compare_added(bnn_checker *c, const char *hook, const char *name, size_t n, const bnn_real *a, const bnn_real *b) {
    for (size_t i = 0; i < n; i++) {
        double added = a[i], is = b[i], rounding = 10 * ROUNDING * (2 + fabs(added));
        if (fabs(is - added - 2) <= rounding) continue;
        bnn_checker_break(c, "%s leaves %.6g in %s[%zu], which held 2 before, and should be %.6g%s", hook, is, name, i, added + 2,
                          fabs(is - added) <= rounding ? " ('=' in place of '+='?)" : "");
        return;
    }
}

static void compare_dtheta(bnn_checker *c, const char *hook, const bnn_layer_pass *p, const bnn_layer_pass *q) {
    compare_added(c, hook, "dtheta", (size_t)p->l->n_theta, p->dtheta, q->dtheta);
}

/* p starts from 0, q from 2 in all but dpass: finish would pass that on. */
static void compare_hooks(bnn_checker *c, bnn_layer_pass *p, bnn_layer_pass *q) {
    bnn_layer_pass *both[] = {p, q};
    prefill(q->dtheta, (size_t)q->l->n_theta);
    for (int i = 0; i < q->l->n_in; i++) prefill(q->dx[i], BNN_CASE_ROWS * q->d_in[i]);
    for (int i = 0; i < 2; i++) {
        bnn_layer_pass_start(both[i], true);
        bnn_layer_pass_rows(both[i], 0, BNN_CASE_ROWS, false);
        bnn_layer_pass_rows(both[i], 0, BNN_CASE_ROWS, true);
    }
    compare_dtheta(c, "backward", p, q);
    for (int i = 0; i < q->l->n_in; i++) compare_added(c, "backward", "dx", BNN_CASE_ROWS * q->d_in[i], p->dx[i], q->dx[i]);
    bnn_layer_pass_finish(p), bnn_layer_pass_finish(q);
    compare_dtheta(c, "finish", p, q);
    bnn_layer_pass_penalty(p), bnn_layer_pass_penalty(q);
    compare_dtheta(c, "penalty", p, q);
}

bnn_status bnn_rule_adds(bnn_checker *c, const bnn_layer_case *k) {
    bnn_layer_pass p, q;
    BNN_TRY(bnn_case_open_both(k, BNN_CASE_ROWS, 2, &p, &q));
    compare_hooks(c, &p, &q);
    bnn_layer_pass_zero_gradients(&q);
    prefill(q.dpass, (size_t)q.l->plan.dpass);
    bnn_layer_pass_start(&q, true);
    bnn_layer_pass_rows(&q, 0, BNN_CASE_ROWS, false);
    bnn_layer_pass_rows(&q, 0, BNN_CASE_ROWS, true);
    compare_added(c, "backward", "dpass", (size_t)q.l->plan.dpass, p.dpass, q.dpass);
    bnn_layer_pass_close(&q), bnn_layer_pass_close(&p);
    return BNN_OK;
}

/* ---------------------------------------------------------------- gradients that are not wanted */

static void compare_wanted(bnn_checker *c, const char *name, const char *unwanted, size_t n, const bnn_real *a, const bnn_real *b) {
    for (size_t i = 0; i < n; i++)
        if (fabs((double)a[i] - (double)b[i]) > 10 * ROUNDING * (1 + fabs((double)a[i])) || isnan(b[i]))
            bnn_checker_break(c, "%s[%zu] is %.6g, but %.6g where %s is not wanted", name, i, (double)a[i], (double)b[i], unwanted);
}

/* q without dx, then without dtheta; p with both. */
static void take_away(bnn_checker *c, bnn_layer_pass *p, bnn_layer_pass *q) {
    bnn_real *dx[BNN_MOST_INPUTS], *dtheta = q->dtheta;
    bnn_layer_pass_gradient(p);
    memcpy(dx, q->dx, sizeof dx);
    memset(q->dx, 0, sizeof q->dx);
    bnn_layer_pass_gradient(q);
    memcpy(q->dx, dx, sizeof dx);
    compare_wanted(c, "dtheta", "dx", (size_t)p->l->n_theta, p->dtheta, q->dtheta);
    q->dtheta = NULL;
    bnn_layer_pass_gradient(q);
    q->dtheta = dtheta;
    for (int i = 0; i < q->l->n_in; i++) compare_wanted(c, "dx", "dtheta", BNN_CASE_ROWS * q->d_in[i], p->dx[i], q->dx[i]);
    if (p->penalty != q->penalty && !(isnan(p->penalty) && isnan(q->penalty)))
        bnn_checker_break(c, "the penalty is %.9g, but %.9g where dtheta is not wanted", p->penalty, q->penalty);
}

/* Only some of several inputs wanted, as at the input of a net: the others are the same. */
static void take_one_away(bnn_checker *c, const bnn_layer_pass *p, bnn_layer_pass *q, int unwanted) {
    bnn_real *dx = q->dx[unwanted];
    bnn_layer_pass_zero_gradients(q);
    q->dx[unwanted] = NULL;
    bnn_layer_pass_gradient(q);
    q->dx[unwanted] = dx;
    compare_wanted(c, "dtheta", "one dx", (size_t)p->l->n_theta, p->dtheta, q->dtheta);
    for (int i = 0; i < q->l->n_in; i++)
        if (i != unwanted) compare_wanted(c, "dx", "another dx", BNN_CASE_ROWS * q->d_in[i], p->dx[i], q->dx[i]);
}

bnn_status bnn_rule_unwanted(bnn_checker *c, const bnn_layer_case *k) {
    bnn_layer_pass p, q;
    BNN_TRY(bnn_case_open_both(k, BNN_CASE_ROWS, 3, &p, &q));
    take_away(c, &p, &q);
    for (int i = 0; q.l->n_in > 1 && i < q.l->n_in; i++) take_one_away(c, &p, &q, i);
    bnn_layer_pass_close(&q), bnn_layer_pass_close(&p);
    return BNN_OK;
}

/* ---------------------------------------------------------------- penalty */

/* One pass with this scale and no other gradient than the penalty's. */
static double penalty_at(bnn_layer_pass *p, double scale) {
    p->scale = scale;
    bnn_layer_pass_zero_gradients(p);
    bnn_layer_pass_start(p, true);
    bnn_layer_pass_rows(p, 0, p->n, false);
    bnn_layer_pass_penalty(p);
    return p->penalty;
}

static void compare_scales(bnn_checker *c, const bnn_layer_pass *one, const bnn_layer_pass *other) {
    char guess[BNN_GUESS_TEXT];
    for (int i = 0; i < one->l->n_theta; i++) {
        double is = other->dtheta[i], should = other->scale * (double)one->dtheta[i];
        if (fabs(is - should) > 10 * ROUNDING * (1 + fabs(should)))
            bnn_checker_break(
                c, "gradient of the penalty to theta[%d] is %.6g at scale %g, and %.6g at scale 1: is it multiplied by scale once?", i, is,
                other->scale, (double)one->dtheta[i]);
    }
    if (fabs(other->penalty - one->penalty) > 10 * ROUNDING * (1 + fabs(one->penalty)))
        bnn_checker_break(c, "the penalty is %.6g at scale %g, and %.6g at scale 1%s: the value is never scaled", other->penalty,
                          other->scale, one->penalty, bnn_ratio_guess(other->penalty, one->penalty, NAN, 0, guess));
}

static double penalty_of_stream(bnn_layer_pass *p, bnn_mode mode, uint64_t stream) {
    p->io.mode = mode;
    p->io.rng = bnn_rng_split(bnn_rng_seed(6), stream);
    bnn_layer_pass_forward(p, p->n);
    return p->penalty;
}

/* A penalty that no noise moves is a function of theta alone, in every mode. */
static void compare_penalties(bnn_checker *c, const bnn_layer_case *k, bnn_layer_pass *p) {
    double is = penalty_of_stream(p, k->mode, 0), should = penalty_of_stream(p, BNN_ROWS, 0);
    bool random = is != penalty_of_stream(p, k->mode, 1) || should != penalty_of_stream(p, BNN_ROWS, 1);
    if (!random && !(fabs(is - should) <= 10 * ROUNDING * (1 + fabs(should))))
        bnn_checker_break(c, "the penalty is %.6g in %s and %.6g in ROWS", is, bnn_mode_names[k->mode], should);
}

bnn_status bnn_rule_penalty(bnn_checker *c, const bnn_layer_case *k) {
    bnn_layer_pass one, other;
    if (!k->type->penalty) {
        bnn_checker_skip(c, "there is no penalty hook");
        return BNN_OK;
    }
    BNN_TRY(bnn_case_open_both(k, BNN_CASE_ROWS, 4, &one, &other));
    memset(one.c, 0, BNN_CASE_ROWS * one.d_out * sizeof *one.c);
    penalty_at(&one, 1);
    penalty_at(&other, 0.3);
    compare_scales(c, &one, &other);
    bnn_status s = compare_theta(c, k, &one);
    compare_penalties(c, k, &one);
    bnn_layer_pass_close(&other), bnn_layer_pass_close(&one);
    return s;
}
