/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * memory.c: what hooks read and write, and what stands in it afterwards.
 */
#include "layer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- what may be written */

/* Copies of what a hook is lent; compared after it. */
typedef struct {
    const char *name;
    const bnn_real *lent;
    bnn_real *kept;
    size_t n;
} loan;

static bool lend(loan *a, const char *name, const bnn_real *lent, size_t n) {
    *a = (loan){name, lent, malloc((n + 1) * sizeof(bnn_real)), n};
    if (a->kept && n > 0) memcpy(a->kept, lent, n * sizeof *lent);
    return a->kept != NULL;
}

static void take_back(bnn_checker *c, loan *a, const char *hook) {
    for (size_t i = 0; a->kept && i < a->n; i++)
        if (memcmp(&a->lent[i], &a->kept[i], sizeof *a->kept) != 0)
            bnn_checker_break(c, "%s changes %s[%zu] from %.6g to %.6g", hook, a->name, i, (double)a->kept[i], (double)a->lent[i]);
    free(a->kept);
}

enum { X, THETA = BNN_MOST_INPUTS, DY, PASS, Y, N_LOANS };

static bool lend_all(const bnn_layer_pass *p, bool backward, loan a[N_LOANS]) {
    size_t n = (size_t)p->n;
    bool ok = true;
    for (int k = 0; k < p->l->n_in; k++) ok &= lend(&a[X + k], "x", p->x[k], n * p->d_in[k]);
    ok &= lend(&a[THETA], "theta", p->theta, (size_t)p->l->n_theta);
    ok &= lend(&a[DY], "dy", p->c, n * p->d_out);
    ok &= lend(&a[PASS], "pass, which is prepare's", p->pass, (size_t)p->l->plan.pass);
    if (backward) ok &= lend(&a[Y], "y, which is forward's", p->y, n * p->d_out);
    return ok;
}

static bnn_status keeps_loans(bnn_checker *c, bnn_layer_pass *p, bool backward) {
    loan a[N_LOANS] = {{0}};
    bnn_status s = lend_all(p, backward, a) ? BNN_OK : bnn_oom("a rule");
    if (s == BNN_OK) bnn_layer_pass_rows(p, 0, p->n, backward);
    for (int i = 0; i < N_LOANS; i++) take_back(c, &a[i], backward ? "backward" : "forward");
    return s;
}

bnn_status bnn_rule_bounds(bnn_checker *c, const bnn_layer_case *k) {
    bnn_layer_pass p;
    BNN_TRY(bnn_case_open(k, BNN_CASE_ROWS, 40, &p));
    p.guarded = true;
    bnn_layer_pass_start(&p, true);
    bnn_status s = keeps_loans(c, &p, false);
    if (s == BNN_OK) s = keeps_loans(c, &p, true);
    if (s == BNN_OK) bnn_layer_pass_finish(&p), bnn_layer_pass_penalty(&p);
    if (*p.overrun) bnn_checker_break(c, "%s", p.overrun);
    bnn_layer_pass_close(&p);
    return s;
}

/* ---------------------------------------------------------------- what may be read */

static void same(bnn_checker *c, const char *name, size_t n, const bnn_real *a, const bnn_real *b) {
    for (size_t i = 0; i < n; i++)
        if (memcmp(&a[i], &b[i], sizeof *a) != 0) {
            bnn_checker_break(
                c,
                "%s[%zu] is %.6g or %.6g, depending on what scratch, cache, pass and y held before: something is read that was not written",
                name, i, (double)a[i], (double)b[i]);
            return;
        }
}

/* Two passes that differ in what the memory held before. */
bnn_status bnn_rule_undefined(bnn_checker *c, const bnn_layer_case *k) {
    bnn_layer_pass a, b;
    BNN_TRY(bnn_case_open_both(k, BNN_CASE_ROWS, 41, &a, &b));
    b.undefined = 7;
    bnn_layer_pass_gradient(&a);
    bnn_layer_pass_gradient(&b);
    same(c, "y", BNN_CASE_ROWS * a.d_out, b.y, a.y);
    for (int i = 0; i < a.l->n_in; i++) same(c, "dx", BNN_CASE_ROWS * a.d_in[i], b.dx[i], a.dx[i]);
    same(c, "dtheta", (size_t)a.l->n_theta, b.dtheta, a.dtheta);
    if (memcmp(&a.penalty, &b.penalty, sizeof a.penalty) != 0)
        bnn_checker_break(c, "the penalty is %.6g or %.6g, depending on what scratch and pass held before", b.penalty, a.penalty);
    bnn_layer_pass_close(&b), bnn_layer_pass_close(&a);
    return BNN_OK;
}

/* The first pass may set up what is set up once for all (threads of large products). */
bnn_status bnn_rule_allocations(bnn_checker *c, const bnn_layer_case *k) {
    bnn_layer_pass p;
    if (!c->options->allocations) {
        bnn_checker_skip(c, "allocations are not counted in this program");
        return BNN_OK;
    }
    BNN_TRY(bnn_case_open(k, BNN_CASE_ROWS, 42, &p));
    bnn_layer_pass_gradient(&p);
    p.allocations = c->options->allocations;
    bnn_layer_pass_gradient(&p);
    if (p.allocated > 0)
        bnn_checker_break(c, "%s allocates: %llu time%s in one pass", p.allocator, (unsigned long long)p.allocated,
                          p.allocated == 1 ? "" : "s");
    bnn_layer_pass_close(&p);
    return BNN_OK;
}

/* ---------------------------------------------------------------- what comes out */

static void all_finite(bnn_checker *c, const char *name, size_t n, const bnn_real *a, const char *when) {
    for (size_t i = 0; i < n; i++)
        if (!isfinite(a[i])) bnn_checker_break(c, "%s[%zu] is %g with %s", name, i, (double)a[i], when);
}

static void stays_finite(bnn_checker *c, bnn_layer_pass *p, const char *when) {
    bnn_layer_pass_gradient(p);
    all_finite(c, "y", (size_t)p->n * p->d_out, p->y, when);
    for (int i = 0; i < p->l->n_in; i++) all_finite(c, "dx", (size_t)p->n * p->d_in[i], p->dx[i], when);
    all_finite(c, "dtheta", (size_t)p->l->n_theta, p->dtheta, when);
    if (!isfinite(p->penalty)) bnn_checker_break(c, "the penalty is %g with %s", p->penalty, when);
}

static bnn_status one_row(bnn_checker *c, const bnn_layer_case *k) {
    bnn_layer_pass p;
    BNN_TRY(bnn_case_open(k, 1, 43, &p));
    stays_finite(c, &p, "one row");
    bnn_layer_pass_close(&p);
    return BNN_OK;
}

static bnn_status huge_inputs(bnn_checker *c, const bnn_layer_case *k) {
    bnn_layer_pass p;
    BNN_TRY(bnn_case_open(k, BNN_CASE_ROWS, 43, &p));
    for (int i = 0; i < p.l->n_in; i++)
        for (size_t j = 0; j < BNN_CASE_ROWS * p.d_in[i]; j++) p.x[i][j] = (bnn_real)(j % 2 ? -1e6 : 1e6);
    stays_finite(c, &p, "inputs of +-1e6");
    bnn_layer_pass_close(&p);
    return BNN_OK;
}

static bnn_status extreme_parameters(bnn_checker *c, const bnn_layer_case *k, double theta) {
    bnn_layer_pass p;
    char when[64];
    BNN_TRY(bnn_case_open(k, BNN_CASE_ROWS, 43, &p));
    for (int i = 0; i < p.l->n_theta; i++) p.theta[i] = (bnn_real)theta;
    for (int i = 0; i < p.l->n_in; i++) memset(p.x[i], 0, p.d_in[i] * sizeof(bnn_real)); /* a row that relu has emptied */
    bnn_print(when, sizeof when, "all own parameters at %g", theta);
    stays_finite(c, &p, when);
    bnn_layer_pass_close(&p);
    return BNN_OK;
}

bnn_status bnn_rule_finite(bnn_checker *c, const bnn_layer_case *k) {
    static const double thetas[] = {-1000, -30, 30, 1000};
    BNN_TRY(one_row(c, k));
    BNN_TRY(huge_inputs(c, k));
    for (size_t i = 0; i < sizeof thetas / sizeof *thetas; i++) BNN_TRY(extreme_parameters(c, k, thetas[i]));
    return BNN_OK;
}

/* No rows in the middle of others: nothing is written but scratch. */
bnn_status bnn_rule_empty(bnn_checker *c, const bnn_layer_case *k) {
    bnn_layer_pass p, before;
    BNN_TRY(bnn_case_open_both(k, BNN_CASE_ROWS, 44, &p, &before));
    bnn_layer_pass *both[] = {&p, &before};
    for (int i = 0; i < 2; i++) {
        bnn_layer_pass_start(both[i], true);
        bnn_layer_pass_rows(both[i], 0, BNN_CASE_ROWS, false);
        bnn_layer_pass_rows(both[i], 0, BNN_CASE_ROWS, true);
    }
    bnn_layer_pass_rows(&p, 2, 2, false);
    bnn_layer_pass_rows(&p, 2, 2, true);
    size_t rows = BNN_CASE_ROWS * sizeof(bnn_real), one = sizeof(bnn_real);
    if (memcmp(p.y, before.y, rows * p.d_out) != 0) bnn_checker_break(c, "forward over no rows changes y");
    if (memcmp(p.cache, before.cache, rows * (size_t)p.l->plan.cache_row) != 0)
        bnn_checker_break(c, "a call over no rows changes the cache");
    for (int i = 0; i < p.l->n_in; i++)
        if (memcmp(p.dx[i], before.dx[i], rows * p.d_in[i]) != 0) bnn_checker_break(c, "backward over no rows changes dx[%d]", i);
    if (memcmp(p.dtheta, before.dtheta, one * (size_t)p.l->n_theta) != 0) bnn_checker_break(c, "backward over no rows changes dtheta");
    if (memcmp(p.dpass, before.dpass, one * (size_t)p.l->plan.dpass) != 0) bnn_checker_break(c, "backward over no rows changes dpass");
    bnn_layer_pass_close(&before), bnn_layer_pass_close(&p);
    return BNN_OK;
}
