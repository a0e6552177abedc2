/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * absorb.c: what a layer remembers of batches: STATE blocks, and the hook that moves them.
 */
#include "layer.h"

#include <stdlib.h>
#include <string.h>

static bool has_state(const bnn_plan *plan) {
    for (int b = 0; b < plan->n_params; b++)
        if (plan->param[b].role == BNN_STATE) return true;
    return false;
}

/* Of a pass of training and of its gradient: a state gets none. */
static void check_gradient(bnn_checker *c, const bnn_layer_pass *p) {
    for (int b = 0, i = 0; b < p->l->plan.n_params; b++)
        for (int end = i + bnn_param_size(&p->l->plan.param[b]); i < end; i++)
            if (p->l->plan.param[b].role == BNN_STATE && p->dtheta[i] != 0)
                bnn_checker_break(c, "theta[%d] \"%s\" is a STATE, and gets a gradient of %.6g", i, p->l->plan.param[b].name,
                                  (double)p->dtheta[i]);
}

/* kept: theta before the hook. */
static void check_moves(bnn_checker *c, const bnn_layer_pass *p, const bnn_real *kept) {
    bool moved = false;
    for (int b = 0, i = 0; b < p->l->plan.n_params; b++)
        for (int end = i + bnn_param_size(&p->l->plan.param[b]); i < end; i++) {
            bool state = p->l->plan.param[b].role == BNN_STATE;
            if (!state && p->theta[i] != kept[i])
                bnn_checker_break(c, "absorb moves theta[%d] \"%s\", which is no STATE", i, p->l->plan.param[b].name);
            if (!isfinite((double)p->theta[i])) bnn_checker_break(c, "absorb makes theta[%d] %g", i, (double)p->theta[i]);
            moved |= p->theta[i] != kept[i];
        }
    if (!moved) bnn_checker_break(c, "absorb leaves every STATE as it was");
    if (!bnn_guarded_intact(p->theta)) bnn_checker_break(c, "absorb writes outside theta [%d]", p->l->n_theta);
}

static void run(bnn_checker *c, bnn_layer_pass *p, bnn_real *kept) {
    size_t bytes = (size_t)p->l->n_theta * sizeof *kept;
    bnn_layer_pass_gradient(p);
    check_gradient(c, p);
    memcpy(kept, p->theta, bytes);
    bnn_layer_pass_absorb(p, 0);
    if (memcmp(kept, p->theta, bytes) != 0) bnn_checker_break(c, "absorb of no rows moves theta");
    memcpy(p->theta, kept, bytes);
    bnn_layer_pass_absorb(p, p->n);
    check_moves(c, p, kept);
}

/* ---------------------------------------------------------------- what is remembered */

static void scale_row(bnn_layer_pass *p, int row, bnn_real by) {
    for (int k = 0; k < p->l->n_in; k++)
        for (size_t i = 0; i < p->d_in[k]; i++) p->x[k][(size_t)row * p->d_in[k] + i] *= by;
}

/* theta after one call. theta is put back. */
static void absorb_once(bnn_layer_pass *p, const bnn_real *kept, bnn_real *after) {
    size_t bytes = (size_t)p->l->n_theta * sizeof *kept;
    bnn_layer_pass_forward(p, p->n);
    bnn_layer_pass_absorb(p, p->n);
    memcpy(after, p->theta, bytes);
    memcpy(p->theta, kept, bytes);
}

/* Who looks at one row of a batch looks at all. */
static void every_row_counts(bnn_checker *c, bnn_layer_pass *p, const bnn_real *kept, bnn_real *room) {
    size_t bytes = (size_t)p->l->n_theta * sizeof *kept;
    bnn_real *still = room, *after = room + p->l->n_theta;
    int first = -1, missing = -1;
    absorb_once(p, kept, still);
    for (int j = 0; j < 4; j++) {
        int row = j * (p->n - 1) / 3;
        scale_row(p, row, 4);
        absorb_once(p, kept, after);
        scale_row(p, row, (bnn_real)0.25); /* powers of two leave no rounding behind */
        bool counts = memcmp(still, after, bytes) != 0;
        if (counts && first < 0) first = row;
        if (!counts && missing < 0) missing = row;
    }
    if (first >= 0 && missing >= 0) bnn_checker_break(c, "absorb looks at row %d of %d, and not at row %d", first, p->n, missing);
}

/* Absorbs the batch until nothing moves. */
static bool comes_to_rest(bnn_layer_pass *p, int times, bnn_real *before) {
    size_t n = (size_t)p->l->n_theta;
    bool rests = false;
    for (int t = 0; t < times && !rests; t++) {
        memcpy(before, p->theta, n * sizeof *before);
        bnn_layer_pass_forward(p, p->n);
        bnn_layer_pass_absorb(p, p->n);
        rests = true;
        for (size_t i = 0; i < n; i++) rests &= fabs((double)p->theta[i] - (double)before[i]) <= 1e-5 * (1 + fabs((double)before[i]));
    }
    return rests;
}

/* Mean and mean square of unit u over the rows. */
static void measure_unit(const bnn_layer_pass *p, size_t u, double *mean, double *square) {
    *mean = *square = 0;
    for (size_t r = 0; r < (size_t)p->n; r++) {
        double y = (double)p->y[r * p->d_out + u];
        *mean += y / p->n, *square += y * y / p->n;
    }
}

/* A layer that has seen one batch only does to it out of training nearly what it does in training, on average over its rows. */
static void compare_predictions(bnn_checker *c, bnn_layer_pass *p, double *mean, double *square) {
    const double off = 0.2;
    bnn_layer_pass_forward(p, p->n);
    for (size_t u = 0; u < p->d_out; u++) measure_unit(p, u, &mean[u], &square[u]);
    p->io.train = false;
    bnn_layer_pass_forward(p, p->n);
    p->io.train = true;
    for (size_t u = 0; u < p->d_out; u++) {
        double m, s, size = sqrt(square[u]);
        measure_unit(p, u, &m, &s);
        if (!(fabs(m - mean[u]) <= off * size + ROUNDING && fabs(sqrt(s) - size) <= off * size + ROUNDING))
            bnn_checker_break(c,
                              "once one batch alone is absorbed y[%zu] of it has the mean %.4g and the mean square %.4g without training, "
                              "in training %.4g and %.4g: is what is kept what is read?",
                              u, m, s, mean[u], square[u]);
    }
}

/* Many rows with a mean and a variance of their own; not where that takes long. */
static bnn_status remembers(bnn_checker *c, const bnn_layer_case *k) {
    enum { ROWS = 128, TIMES = 2000, FEWEST = 100 };
    const int times = bnn_case_times(bnn_case_layer(k), ROWS, 0, TIMES);
    bnn_layer_pass p;
    if (times < FEWEST) return BNN_OK;
    BNN_TRY(bnn_layer_pass_open(k->net->net, k->node, ROWS, BNN_MEAN, bnn_rng_seed(32), &p));
    size_t n = (size_t)p.l->n_theta;
    for (int i = 0; i < p.l->n_in; i++)
        for (size_t j = 0; j < ROWS * p.d_in[i]; j++) p.x[i][j] = 3 + 2 * p.x[i][j];
    bnn_real *room = calloc(3 * n, sizeof *room);
    double *measured = calloc(2 * p.d_out, sizeof *measured);
    bool ok = room && measured;
    if (ok) {
        memcpy(room, p.theta, n * sizeof *room);
        every_row_counts(c, &p, room, room + n);
        if (bnn_case_has_cap(k, BNN_COUPLED) && !bnn_checker_broken(c) && comes_to_rest(&p, times, room))
            compare_predictions(c, &p, measured, measured + p.d_out);
    }
    free(room), free(measured);
    bnn_layer_pass_close(&p);
    return ok ? BNN_OK : bnn_oom("a rule");
}

bnn_status bnn_rule_absorb(bnn_checker *c, const bnn_layer_case *k) {
    bool state = has_state(&bnn_case_layer(k)->plan);
    bnn_layer_pass p;
    if (!state && !k->type->absorb) {
        bnn_checker_skip(c, "there are no STATE blocks");
        return BNN_OK;
    }
    if (!state || !k->type->absorb) {
        bnn_checker_break(c, state ? "there are STATE blocks, but no absorb hook to move them"
                                   : "there is an absorb hook, but no STATE block");
        return BNN_OK;
    }
    BNN_TRY(bnn_case_open(k, BNN_CASE_ROWS, 30, &p));
    bnn_real *kept = bnn_guarded_new((size_t)p.l->n_theta);
    if (kept) run(c, &p, kept);
    bnn_status s = kept ? BNN_OK : bnn_oom("a rule");
    bnn_guarded_free(kept);
    bnn_layer_pass_close(&p);
    return s == BNN_OK && !bnn_checker_broken(c) ? remembers(c, k) : s;
}
