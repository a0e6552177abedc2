/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * calls.c: one call against others: earlier ones, interleaved ones, ones in other threads, and the same rows in other pieces.
 */
#include "layer.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

static bool same_bits(const bnn_real *a, const bnn_real *b, size_t n) { return n == 0 || memcmp(a, b, n * sizeof *a) == 0; }

const char *bnn_difference_of_passes(const bnn_layer_pass *a, const bnn_layer_pass *b) {
    size_t n = (size_t)a->n;
    if (!same_bits(a->y, b->y, n * a->d_out)) return "y";
    for (int i = 0; i < a->l->n_in; i++)
        if (!same_bits(a->dx[i], b->dx[i], n * a->d_in[i])) return "dx";
    if (!same_bits(a->dtheta, b->dtheta, (size_t)a->l->n_theta)) return "dtheta";
    return memcmp(&a->penalty, &b->penalty, sizeof a->penalty) != 0 ? "the penalty" : NULL;
}

/* ---------------------------------------------------------------- earlier and interleaved calls */

/* The next check spec with a node of the type: other options and sizes. */
static const char *other_spec(const bnn_layer_case *k) {
    const char *const *checks = k->type->type.checks;
    int i = 0;
    while (checks[i] != k->spec) i++;
    return checks[i + 1] ? checks[i + 1] : checks[0];
}

/* Both passes hook by hook in turns. */
static void interleave(bnn_layer_pass *a, bnn_layer_pass *b) {
    bnn_layer_pass_start(a, true), bnn_layer_pass_start(b, true);
    bnn_layer_pass_rows(a, 0, a->n, false), bnn_layer_pass_rows(b, 0, b->n, false);
    bnn_layer_pass_rows(a, 0, a->n, true), bnn_layer_pass_rows(b, 0, b->n, true);
    bnn_layer_pass_finish(a), bnn_layer_pass_finish(b);
    bnn_layer_pass_penalty(a), bnn_layer_pass_penalty(b);
}

/* Backward twice after one forward, as the curvature of several outputs is made: the second time leaves what a first one does. */
static void repeat_backward(bnn_layer_pass *p) {
    bnn_layer_pass_start(p, true);
    bnn_layer_pass_rows(p, 0, p->n, false);
    bnn_layer_pass_rows(p, 0, p->n, true);
    bnn_layer_pass_zero_gradients(p);
    bnn_layer_pass_rows(p, 0, p->n, true);
    bnn_layer_pass_finish(p);
    bnn_layer_pass_penalty(p);
}

/* A alone, then A and another node B in turns, then A again: the same bits. */
static void compare_calls(bnn_checker *c, bnn_layer_pass *first, bnn_layer_pass *again, bnn_layer_pass *other) {
    const char *what;
    bnn_layer_pass_gradient(first);
    bnn_layer_pass_gradient(again);
    if ((what = bnn_difference_of_passes(first, again))) bnn_checker_break(c, "the same call gives another %s the second time", what);
    bnn_layer_pass_zero_gradients(again);
    interleave(again, other);
    if ((what = bnn_difference_of_passes(first, again)))
        bnn_checker_break(c, "%s depends on the calls of another node in between: is something kept in a static?", what);
    bnn_layer_pass_gradient(other);
    bnn_layer_pass_zero_gradients(again);
    bnn_layer_pass_gradient(again);
    if ((what = bnn_difference_of_passes(first, again))) bnn_checker_break(c, "%s depends on the calls before", what);
    repeat_backward(again);
    if ((what = bnn_difference_of_passes(first, again)))
        bnn_checker_break(c, "a second backward after one forward leaves another %s: does backward spoil its cache?", what);
}

static bnn_status with_other(bnn_checker *c, const bnn_layer_case *k, const bnn_layer_case *other) {
    bnn_layer_pass p[3];
    int open = 0;
    bnn_status s = BNN_OK;
    for (int i = 0; i < 3 && s == BNN_OK; i++) {
        s = bnn_case_open(i < 2 ? k : other, BNN_CASE_ROWS, i < 2 ? 50 : 51, &p[i]);
        open += s == BNN_OK;
    }
    if (s == BNN_OK) compare_calls(c, &p[0], &p[1], &p[2]);
    while (open > 0) bnn_layer_pass_close(&p[--open]);
    return s;
}

bnn_status bnn_rule_state(bnn_checker *c, const bnn_layer_case *k) {
    bnn_spec_net net;
    bnn_layer_case other = *k;
    if (bnn_spec_net_open(other_spec(k), &net) < 0) return with_other(c, k, k);
    other.net = &net;
    other.node = bnn_first_node(net.net, k->type);
    bnn_status s = with_other(c, k, other.node < 0 ? k : &other);
    bnn_spec_net_close(&net);
    return s;
}

/* ---------------------------------------------------------------- threads */

enum { MOST_THREADS = BNN_MOST_AT_ONCE, FEWEST_REPEATS = 3, REPEATS = 100 };

typedef struct {
    bnn_layer_pass alone, now;
    int repeats;      /* passes */
    int wrong;        /* those with other bits */
    const char *what; /* differed in the last of them */
} worker;

/* Between hooks the others have their turn, so that what is kept there is spoilt on one processor, too. */
static void *work(void *of) {
    worker *w = of;
    bnn_layer_pass *p = &w->now;
    for (int i = 0; i < w->repeats; i++) {
        bnn_layer_pass_zero_gradients(p);
        bnn_layer_pass_start(p, true), sched_yield();
        bnn_layer_pass_rows(p, 0, p->n, false), sched_yield();
        bnn_layer_pass_rows(p, 0, p->n, true), sched_yield();
        bnn_layer_pass_finish(p), sched_yield();
        bnn_layer_pass_penalty(p);
        const char *what = bnn_difference_of_passes(&w->alone, &w->now);
        if (what) w->what = what, w->wrong++;
    }
    return NULL;
}

static bnn_status run_at_once(bnn_checker *c, worker *w, int threads) {
    BNN_TRY(bnn_checker_at_once(threads, work, w, sizeof *w));
    for (int t = 0; t < threads; t++)
        if (w[t].wrong > 0)
            bnn_checker_break(c, "with %d threads at once %s differs in %d of %d passes: is something kept in a static?", threads,
                              w[t].what, w[t].wrong, w[t].repeats);
    return BNN_OK;
}

static bnn_status threads_over(bnn_checker *c, const bnn_layer_case *k, int rows) {
    worker *w = calloc(MOST_THREADS, sizeof *w);
    bnn_status s = w ? BNN_OK : bnn_oom("a rule");
    int open = 0;
    for (; open < 2 * MOST_THREADS && s == BNN_OK; open += s == BNN_OK) {
        worker *here = &w[open / 2];
        s = bnn_case_open(k, rows, (uint64_t)(60 + open / 2), open % 2 ? &here->now : &here->alone);
        here->repeats = bnn_case_times(bnn_case_layer(k), 3 * rows, FEWEST_REPEATS, rows > 64 ? REPEATS / 10 : REPEATS);
        if (s == BNN_OK && open % 2 == 0) bnn_layer_pass_gradient(&here->alone);
    }
    for (int threads = 1; threads <= MOST_THREADS && s == BNN_OK; threads *= 2) s = run_at_once(c, w, threads);
    while (open-- > 0) bnn_layer_pass_close(open % 2 ? &w[open / 2].now : &w[open / 2].alone);
    free(w);
    return s;
}

/* Many rows, too: a buffer that is shared may be for those alone that a small one has no room for. */
bnn_status bnn_rule_threads(bnn_checker *c, const bnn_layer_case *k) {
    enum { FEW_ROWS = 16, LEAST = 66, MOST = 130 };
    const int rows[] = {FEW_ROWS, bnn_case_times(bnn_case_layer(k), 7 * FEWEST_REPEATS, LEAST, MOST)};
    for (int i = 0; i < 2 && !bnn_checker_broken(c); i++) BNN_TRY(threads_over(c, k, rows[i]));
    return BNN_OK;
}

/* ---------------------------------------------------------------- rows */

bnn_status bnn_rule_function(bnn_checker *c, const bnn_layer_case *k) {
    bnn_layer_pass p;
    if (bnn_case_is_coupled(k)) {
        bnn_checker_skip(c, "COUPLED: the rows interact in training");
        return BNN_OK;
    }
    BNN_TRY(bnn_case_open(k, BNN_CASE_ROWS, 70, &p));
    for (int i = 0; i < p.l->n_in; i++)
        for (size_t r = 1; r < BNN_CASE_ROWS; r++) memcpy(p.x[i] + r * p.d_in[i], p.x[i], p.d_in[i] * sizeof(bnn_real));
    bnn_layer_pass_forward(&p, BNN_CASE_ROWS);
    for (size_t r = 1; r < BNN_CASE_ROWS; r++)
        for (size_t j = 0; j < p.d_out && !bnn_checker_broken(c); j++)
            if (!same_bits(p.y + r * p.d_out + j, p.y + j, 1))
                bnn_checker_break(c, "equal rows 0 and %zu have outputs %.9g and %.9g (unit %zu): does each row get its own noise?", r,
                                  (double)p.y[j], (double)p.y[r * p.d_out + j], j);
    bnn_layer_pass_close(&p);
    return BNN_OK;
}

/* The first row where two passes over n rows differ in a [n, d]; -1: none. */
static int first_difference(const bnn_real *a, const bnn_real *b, int n, size_t d) {
    for (int r = 0; r < n; r++)
        if (!same_bits(a + (size_t)r * d, b + (size_t)r * d, d)) return r;
    return -1;
}

/* Both passes: the second piece first if `swapped`. */
static void run_pieces(bnn_layer_pass *p, int at, bool swapped) {
    bnn_layer_pass_zero_gradients(p);
    bnn_layer_pass_start(p, true);
    for (int backward = 0; backward < 2; backward++)
        for (int i = 0; i < 2; i++) {
            bool second = (i == 1) != swapped;
            bnn_layer_pass_rows(p, second ? at : 0, second ? p->n : at, backward);
        }
    bnn_layer_pass_finish(p);
    bnn_layer_pass_penalty(p);
}

/* Sums over rows are added piece by piece, so dtheta may differ by rounding. */
static void compare_sums(bnn_checker *c, const bnn_layer_pass *whole, const bnn_layer_pass *cut, int at) {
    double largest = 0;
    for (int i = 0; i < whole->l->n_theta; i++) largest = fmax(largest, fabs((double)whole->dtheta[i]));
    for (int i = 0; i < whole->l->n_theta; i++) {
        double is = cut->dtheta[i], should = whole->dtheta[i];
        char guess[BNN_GUESS_TEXT];
        if (!(fabs(is - should) <= 10 * ROUNDING * (1 + largest)))
            bnn_checker_break(c, "%d rows cut at row %d sum up to dtheta[%d] = %.6g, uncut to %.6g%s", whole->n, at, i, is, should,
                              bnn_ratio_guess(is, should, NAN, whole->n, guess));
    }
}

static void compare_cut(bnn_checker *c, const bnn_layer_pass *whole, bnn_layer_pass *cut, int at, bool swapped) {
    const char *order = swapped ? ", the second piece first," : "";
    run_pieces(cut, at, swapped);
    int row = first_difference(whole->y, cut->y, whole->n, whole->d_out);
    if (row >= 0)
        bnn_checker_break(c, "%d rows cut at row %d%s give other bits in row %d: is the noise that of row0 + row?", whole->n, at, order,
                          row);
    for (int i = 0; i < whole->l->n_in; i++) {
        row = first_difference(whole->dx[i], cut->dx[i], whole->n, whole->d_in[i]);
        if (row >= 0) bnn_checker_break(c, "%d rows cut at row %d%s give other bits of dx in row %d", whole->n, at, order, row);
    }
    compare_sums(c, whole, cut, at);
}

bnn_status bnn_rule_rows(bnn_checker *c, const bnn_layer_case *k) {
    enum { N = 19, FEWEST = 5 };
    const int cuts = bnn_case_times(bnn_case_layer(k), 6 * N, FEWEST, N + 1);
    bnn_layer_pass whole, cut;
    if (bnn_case_is_coupled(k)) {
        bnn_checker_skip(c, "COUPLED: the rows interact in training");
        return BNN_OK;
    }
    BNN_TRY(bnn_case_open_both(k, N, 71, &whole, &cut));
    bnn_layer_pass_gradient(&whole);
    for (int i = 0; i < cuts; i++)
        for (int swapped = 0; swapped < 2; swapped++) compare_cut(c, &whole, &cut, bnn_case_pick(i, cuts, N + 1), swapped);
    bnn_layer_pass_close(&cut), bnn_layer_pass_close(&whole);
    return BNN_OK;
}

/* Rows of many blocks against those of the same numbers plus 2^32. Gates drop rarely: only blocks that differ among themselves tell. */
bnn_status bnn_rule_row_number(bnn_checker *c, const bnn_layer_case *k) {
    enum { N = 16, BLOCKS = 16 };
    bnn_layer_pass p;
    BNN_TRY(bnn_case_open(k, N, 72, &p));
    size_t n = N * p.d_out;
    bnn_real *first = bnn_guarded_new(n), *low = bnn_guarded_new(n);
    bool same = true, alike = true, ok = first && low;
    for (uint64_t b = 0; ok && b < BLOCKS; b++) {
        p.row0 = b * N;
        bnn_layer_pass_forward(&p, N);
        memcpy(low, p.y, n * sizeof *low);
        if (b == 0) memcpy(first, low, n * sizeof *first);
        p.row0 += (uint64_t)1 << 32;
        bnn_layer_pass_forward(&p, N);
        same &= same_bits(low, p.y, n);
        alike &= same_bits(low, first, n);
    }
    if (alike)
        bnn_checker_skip(c, "no noise is drawn for each row");
    else if (same)
        bnn_checker_break(c, "rows 0.. and rows 2^32.. have the same noise: is row0 cut to 32 bits?");
    bnn_guarded_free(first);
    bnn_guarded_free(low);
    bnn_layer_pass_close(&p);
    return ok ? BNN_OK : bnn_oom("a rule");
}
