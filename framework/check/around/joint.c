/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * joint.c: joint laws of the noise: rows among themselves, units among themselves, every bit of the stream; and the law of the output to
 * one percent of its spread, its fourth moment and its tails.
 */
#include "check/hooks.h"
#include "check/layer/layer.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_UNITS = 6 };

static int some_units(const bnn_layer_pass *p) { return p->d_out < MOST_UNITS ? (int)p->d_out : MOST_UNITS; }

/* ---------------------------------------------------------------- rows */

/* y[., u] over the rows. */
static void take_column(const bnn_layer_pass *p, int u, double *a) {
    for (size_t r = 0; r < (size_t)p->n; r++) a[r] = (double)p->y[r * p->d_out + (size_t)u];
}

/* Units of a gate share it or have nothing in common. */
static void compare_gates(bnn_checker *c, const bnn_layer_pass *p, double *a, double *b) {
    for (int u = 0; u + 1 < some_units(p); u++) {
        take_column(p, u, a), take_column(p, u + 1, b);
        bnn_neighbours found = bnn_correlation_of(p->n, a, b);
        if (fabs(found.z) > bnn_most_z(MOST_UNITS) && fabs(found.correlation) < 0.99)
            bnn_checker_break(c, "the gates of units %d and %d have the correlation %.3g (standard error %.2g): neither one gate nor two",
                              u, u + 1, found.correlation, 1 / sqrt(p->n));
    }
}

/* Rows of equal inputs in ROWS: given what they share for the pass, each has noise of its own. */
static bnn_status compare_rows(bnn_checker *c, const bnn_layer_case *k) {
    bnn_layer_pass p;
    BNN_TRY(bnn_case_open(k, bnn_case_times(bnn_case_layer(k), 1, 512, 8192), 150, &p));
    p.io.mode = BNN_ROWS;
    size_t n = (size_t)p.n;
    double *a = malloc(2 * n * sizeof *a);
    for (int i = 0; i < p.l->n_in; i++)
        for (size_t r = 1; r < n; r++) memcpy(p.x[i] + r * p.d_in[i], p.x[i], p.d_in[i] * sizeof(bnn_real));
    if (a) bnn_layer_pass_forward(&p, p.n);
    for (int u = 0; a && u < some_units(&p); u++) {
        take_column(&p, u, a);
        bnn_check_neighbours(c, "rows of equal inputs in ROWS", p.n, a, a + n);
    }
    if (a && k->type->keep) compare_gates(c, &p, a, a + n);
    free(a);
    bnn_layer_pass_close(&p);
    return a ? BNN_OK : bnn_oom("a rule");
}

/* ---------------------------------------------------------------- bits of the stream */

/* Says whether y is another where bit `bit` of the stream is; gates drop rarely, so of several streams. kept: room for y. */
static bool depends_on_bit(bnn_layer_pass *p, int bit, bnn_real *kept) {
    enum { STREAMS = 32 };
    size_t bytes = (size_t)p->n * p->d_out * sizeof *kept;
    for (uint64_t s = 0; s < STREAMS; s++) {
        p->io.rng = bnn_rng_split(bnn_rng_seed(151), s);
        bnn_layer_pass_forward(p, p->n);
        memcpy(kept, p->y, bytes);
        p->io.rng.key ^= (uint64_t)1 << bit;
        bnn_layer_pass_forward(p, p->n);
        if (memcmp(kept, p->y, bytes) != 0) return true;
    }
    return false;
}

static bnn_status compare_bits(bnn_checker *c, const bnn_layer_case *k, bnn_mode mode) {
    bnn_layer_pass p;
    bool any = false, missing = false;
    int first = -1;
    BNN_TRY(bnn_case_open(k, BNN_CASE_ROWS, 152, &p));
    p.io.mode = mode;
    bnn_real *kept = malloc((size_t)p.n * p.d_out * sizeof *kept);
    for (int bit = 0; kept && bit < 64; bit += 3) {
        bool depends = depends_on_bit(&p, bit, kept);
        any |= depends, missing |= !depends;
        if (!depends && first < 0) first = bit;
        if (!depends && !any && bit > 9) break; /* no noise at these options */
    }
    if (any && missing)
        bnn_checker_break(c, "in %s the noise does not depend on bit %d of the stream: is the stream cut?", bnn_mode_names[mode], first);
    free(kept);
    bnn_layer_pass_close(&p);
    return kept ? BNN_OK : bnn_oom("a rule");
}

/* ---------------------------------------------------------------- the law of one row */

/* What is measured of each draw. r: the distance of a unit from its y in MEAN, in sd, cut at 4, where a Gaussian has nothing to lose. */
enum { N_LAGS = 64 };
enum { SQUARE, FOURTH, TAIL, APART, PAIRS = APART + N_LAGS, N_MEASURED = PAIRS + MOST_UNITS - 1 };
static const double gaussian[] = {1, 3, 0.0026998};
static const char *const measured_names[] = {"mean square", "mean fourth power", "share beyond 3 sd"};

/* Centre and sd of each unit; correlations with the next, where they are known. */
typedef struct {
    const double *centre, *sd;
    moments m[N_MEASURED];
} law;

/* Distance i of units further apart than the next: every one where there are few units. */
static size_t lag_of(const bnn_layer_pass *p, int i) {
    enum { FEW = 131 };
    return p->d_out <= FEW ? (size_t)i + 2 : i < 8 ? (size_t)2 << i : p->d_out;
}

static double away(const bnn_layer_pass *p, const law *w, size_t u) {
    double r = w->sd[u] > 0 ? ((double)p->y[u] - w->centre[u]) / w->sd[u] : 0;
    return fmax(-4, fmin(r, 4));
}

static void add_draw(const bnn_layer_pass *p, law *w) {
    double sum[PAIRS] = {0}, last = 0, units = (double)p->d_out;
    for (size_t u = 0; u < p->d_out; u++) {
        double r = away(p, w, u);
        sum[SQUARE] += r * r / units, sum[FOURTH] += r * r * r * r / units, sum[TAIL] += (fabs(r) > 3) / units;
        if (u > 0 && u < MOST_UNITS) moments_add(&w->m[PAIRS + u - 1], last * r);
        last = r;
        for (int i = 0; i < N_LAGS && u >= lag_of(p, i); i++)
            sum[APART + i] += r * away(p, w, u - lag_of(p, i)) / (units - (double)lag_of(p, i));
    }
    for (int i = 0; i < PAIRS; i++) moments_add(&w->m[i], sum[i]);
}

static void draw_law(bnn_layer_pass *p, bnn_mode mode, int draws, law *w) {
    p->io.mode = mode;
    for (uint64_t s = 0; s < (uint64_t)draws; s++) {
        p->io.rng = bnn_rng_split(bnn_rng_seed(153 + (uint64_t)mode), s);
        bnn_layer_pass_start(p, false);
        bnn_layer_pass_rows(p, 0, 1, false);
        add_draw(p, w);
    }
}

/* Of a spread what is told is the sd. */
static void break_measure(bnn_checker *c, const bnn_layer_pass *p, int i, const char *mode, const moments *m, double should,
                          const char *of) {
    double error = sqrt(moments_var(m) / m->n);
    if (i == SQUARE)
        bnn_checker_break(c, "in %s y is spread %.4g times as wide as %s (standard error %.2g)", mode, sqrt(m->mean / should), of,
                          error / (2 * sqrt(m->mean * should)));
    else if (i >= APART && i < PAIRS)
        bnn_checker_break(c, "in %s units that are %zu apart have the correlation %.3g (standard error %.2g), of %s it is %.3g", mode,
                          lag_of(p, i - APART), m->mean, error, of, should);
    else if (i < PAIRS)
        bnn_checker_break(c, "in %s the %s of y - E[y] in sd is %.4g (standard error %.2g), of %s it is %.4g", mode, measured_names[i],
                          m->mean, error, of, should);
    else
        bnn_checker_break(c, "in %s units %d and %d have the correlation %.3g (standard error %.2g), of %s it is %.3g", mode, i - PAIRS,
                          i - PAIRS + 1, m->mean, error, of, should);
}

static void compare_with_gaussian(bnn_checker *c, const bnn_layer_pass *p, const law *w, const char *mode, const double *correlation,
                                  int pairs) {
    for (int i = 0; i < PAIRS + pairs; i++) {
        if (i >= APART && i < PAIRS) continue; /* compared with the other mode */
        double should = i < PAIRS ? gaussian[i] : correlation[i - PAIRS], off = fabs(w->m[i].mean - should);
        if (off > bnn_most_z(N_MEASURED) * sqrt(moments_var(&w->m[i]) / w->m[i].n) + 100 * ROUNDING)
            break_measure(c, p, i, mode, &w->m[i], should, "the sd of the weights imply");
    }
}

static void compare_modes(bnn_checker *c, const bnn_layer_pass *p, const law *rows, const law *draw, int pairs) {
    for (int i = 0; i < PAIRS + pairs; i++)
        if (fabs(bnn_moments_z_between(&rows->m[i], &draw->m[i])) > bnn_most_z(N_MEASURED))
            break_measure(c, p, i, "ROWS", &rows->m[i], draw->m[i].mean, "DRAW");
}

/* The spread of each unit where the weights do not tell it: over the first draws of DRAW. */
static void measure_spread(bnn_layer_pass *p, const double *centre, double *sd) {
    enum { FIRST = 500 };
    memset(sd, 0, p->d_out * sizeof *sd);
    p->io.mode = BNN_DRAW;
    for (uint64_t s = 0; s < FIRST; s++) {
        p->io.rng = bnn_rng_split(bnn_rng_seed(156), s);
        bnn_layer_pass_start(p, false);
        bnn_layer_pass_rows(p, 0, 1, false);
        for (size_t u = 0; u < p->d_out; u++) sd[u] += pow((double)p->y[u] - centre[u], 2) / FIRST;
    }
    for (size_t u = 0; u < p->d_out; u++) sd[u] = sqrt(sd[u]);
}

static void compare_laws(bnn_checker *c, bnn_layer_pass *p, double *centre, double *sd) {
    double correlation[MOST_UNITS] = {0};
    int pairs = some_units(p) - 1, units = p->d_out < 8 ? (int)p->d_out : 8, draws = bnn_case_times(p->l, 2, 1000, 60000 / units);
    p->io.mode = BNN_MEAN;
    bnn_layer_pass_forward(p, 1);
    for (size_t u = 0; u < p->d_out; u++) centre[u] = (double)p->y[u];
    bool known = bnn_implied_law(p, sd, pairs, correlation);
    if (!known) measure_spread(p, centre, sd);
    law rows = {.centre = centre, .sd = sd}, draw = rows;
    draw_law(p, BNN_ROWS, draws, &rows);
    draw_law(p, BNN_DRAW, draws, &draw);
    if (known) {
        compare_with_gaussian(c, p, &rows, "ROWS", correlation, pairs);
        compare_with_gaussian(c, p, &draw, "DRAW", correlation, pairs);
    }
    compare_modes(c, p, &rows, &draw, pairs);
}

static bnn_status compare_law(bnn_checker *c, const bnn_layer_case *k) {
    bnn_layer_pass p;
    BNN_TRY(bnn_case_open(k, 1, 154, &p));
    double *centre = calloc(2 * p.d_out, sizeof *centre);
    if (centre) compare_laws(c, &p, centre, centre + p.d_out);
    free(centre);
    bnn_layer_pass_close(&p);
    return centre ? BNN_OK : bnn_oom("a rule");
}

bnn_status bnn_rule_joint(bnn_checker *c, const bnn_layer_case *k) {
    if (!bnn_case_has_cap(k, BNN_STOCHASTIC) || bnn_case_is_coupled(k)) {
        bnn_checker_skip(c, bnn_case_is_coupled(k) ? "COUPLED: the rows interact in training" : "not STOCHASTIC");
        return BNN_OK;
    }
    BNN_TRY(compare_rows(c, k));
    for (bnn_mode mode = BNN_ROWS; mode <= BNN_DRAW && !bnn_checker_broken(c); mode++) BNN_TRY(compare_bits(c, k, mode));
    return bnn_checker_broken(c) ? BNN_OK : compare_law(c, k);
}
