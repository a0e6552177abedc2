/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * outlying.c: the density far from where the other rules ask for it: at other outputs and own parameters, and pit at many places of one
 * target. All is measured from the middle of draws, in units of their quartiles, so that a density far from 0 is found.
 */
#include "likelihood.h"

#include <bnn/number.h>
#include <stdlib.h>
#include <string.h>

enum { DRAWS = 20000 };

/* y = centre + scale z: the density of z. */
typedef struct {
    bnn_target target;
    double centre, scale;
} placed;

static double placed_density(double z, void *of) {
    placed *p = of;
    return p->scale * bnn_target_density(p->centre + p->scale * z, &p->target);
}

static double placed_square(double z, void *of) { return z * z * placed_density(z, of); }

/* Draws of row 0, as they are and as z. Not found where reals are too coarse for the width of the density, or its tails too heavy for
 * quadrature. */
static bnn_status find_place(const bnn_likelihood_case *k, placed *p, double *z, bool *found) {
    enum { COARSE = 1000 };
    bnn_real *y = bnn_guarded_new(DRAWS);
    bnn_status s = y ? bnn_case_draw_many(k, 5, DRAWS, y) : bnn_oom("a rule");
    if (s == BNN_OK) {
        *p = (placed){.target = {k, 0}};
        bnn_case_place(k, 0, DRAWS, y, z, &p->centre, &p->scale);
        for (int i = 0; i < DRAWS; i++) z[i] = ((double)y[i] - p->centre) / p->scale;
        const double far = 1e12;
        *found = isfinite(p->scale) && p->scale > COARSE * REAL_EPSILON * fabs(p->centre) &&
                 far * (placed_density(far, p) + placed_density(-far, p)) < 0.1 * ROUNDING;
    }
    bnn_guarded_free(y);
    return s;
}

/* ---------------------------------------------------------------- pit */

static void compare_pits(bnn_checker *c, const bnn_likelihood_case *k, placed *p) {
    static const double places[] = {-20, -6, -3, -1.5, -0.5, 0.3, 1, 2, 4, 9, 30};
    double below = 0, from = -INFINITY;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        bnn_real y = (bnn_real)(p->centre + p->scale * places[i]);
        double to = ((double)y - p->centre) / p->scale;
        below += bnn_integral_line(placed_density, p, from, to), from = to;
        k->type->observe(&k->l, 1, k->f, &y, k->theta, &(bnn_observation){.pit = k->pit});
        if (!(fabs((double)k->pit[0] - below) <= 10 * ROUNDING))
            bnn_checker_break(c, "pit[0] is %.6g at y = %.6g, the probability of a smaller y is %.6g%s", (double)k->pit[0], (double)y,
                              below, fabs(1 - (double)k->pit[0] - below) <= 10 * ROUNDING ? " (the other tail?)" : "");
    }
}

/* ---------------------------------------------------------------- curvature */

typedef struct {
    const placed *p;
    bnn_score_product product;
} placed_product;

static double placed_product_at(double z, void *of) {
    placed_product *q = of;
    return q->p->scale * bnn_score_product_at(q->p->centre + q->p->scale * z, &q->product);
}

static void compare_curvature(bnn_checker *c, bnn_likelihood_case *k, const placed *p) {
    k->type->curvature(&k->l, 1, k->f, k->theta, k->root);
    for (int i = 0; i < k->out * k->out; i++) {
        placed_product q = {p, {k, i / k->out, i % k->out}};
        char guess[BNN_GUESS_TEXT];
        double is = bnn_square_of_root(k, q.product.a, q.product.b),
               unit = sqrt(bnn_square_of_root(k, q.product.a, q.product.a) * bnn_square_of_root(k, q.product.b, q.product.b));
        double should = bnn_integral_line(placed_product_at, &q, -INFINITY, INFINITY);
        if (!(fabs(is - should) <= 100 * ROUNDING * fmax(unit, fabs(should)) + ROUNDING))
            bnn_checker_break(c, "the square of the root has %.6g at [%d,%d], the Fisher information %.6g%s", is, q.product.a, q.product.b,
                              should, bnn_ratio_guess(is, should, NAN, 0, guess));
    }
}

/* ---------------------------------------------------------------- one density */

static void compare_density(bnn_checker *c, bnn_likelihood_case *k, placed *p, double *z) {
    char guess[BNN_GUESS_TEXT];
    double mass = bnn_integral_line(placed_density, p, -INFINITY, INFINITY);
    if (!(fabs(mass - 1) <= 10 * ROUNDING))
        bnn_checker_break(c, "exp(-nll) integrates over y to %.6g%s", mass, bnn_mass_guess(mass, 1, guess));
    k->type->observe(&k->l, 1, k->f, NULL, k->theta, &(bnn_observation){.mean = k->mean, .var = k->var});
    double var = (double)k->var[0] / (p->scale * p->scale), away = ((double)k->mean[0] - p->centre) / p->scale;
    const double far = 1e12; /* where a tail that quadrature can square is next to nothing */
    bool light = far * far * far * (placed_density(far, p) + placed_density(-far, p)) < 0.1 * ROUNDING;
    double square = light && isfinite(var) && isfinite(away) ? bnn_integral_line(placed_square, p, -INFINITY, INFINITY) : NAN;
    if (isfinite(square) && !(fabs(var + away * away - square) <= 10 * ROUNDING * (1 + square)))
        bnn_checker_break(c, "observe makes the mean square of y - %.6g %.6g, the density has %.6g%s", p->centre,
                          p->scale * p->scale * (var + away * away), p->scale * p->scale * square,
                          bnn_ratio_guess(var + away * away, square, NAN, 0, guess));
    if (k->l.pit_dim > 0) compare_pits(c, k, p);
    if (k->type->curvature) compare_curvature(c, k, p);
    bnn_check_draws(c, placed_density, p, 0, DRAWS, z);
}

static bnn_status one_target(bnn_checker *c, bnn_likelihood_case *k) {
    placed p;
    bool found = false;
    double *z = malloc(DRAWS * sizeof *z);
    bnn_status s = z ? find_place(k, &p, z, &found) : bnn_oom("a rule");
    if (s == BNN_OK && found) compare_density(c, k, &p, z);
    free(z);
    return s;
}

static bnn_status classes(bnn_checker *c, bnn_likelihood_case *k) {
    BNN_TRY(bnn_likelihood_density(c, k));
    BNN_TRY(bnn_likelihood_moments(c, k));
    if (k->type->curvature) BNN_TRY(bnn_likelihood_curvature(c, k));
    return bnn_likelihood_draws(c, k);
}

/* ---------------------------------------------------------------- elsewhere */

/* Outputs of row 0, even and odd ones; own parameters moved. NaN: as they are. */
static const struct {
    double even, odd, off;
} elsewhere[] = {{NAN, NAN, 0}, {6, 6, 0}, {-6, -6, 0}, {-3, 9, 0}, {9, -3, 0}, {NAN, NAN, 3}, {NAN, NAN, -3}};

/* dnll/dtheta down to where own parameters are small and large; there outputs and targets are as usual. */
static bnn_status own_parameters(bnn_checker *c, bnn_likelihood_case *k) {
    static const double offs[] = {-12, -6, 6};
    for (size_t i = 0; i < sizeof offs / sizeof *offs && !bnn_checker_broken(c); i++) {
        for (int j = 0; j < k->l.n_theta; j++) k->theta[j] += (bnn_real)offs[i];
        BNN_TRY(bnn_likelihood_own_gradient(c, k));
        for (int j = 0; j < k->l.n_theta; j++) k->theta[j] -= (bnn_real)offs[i];
    }
    return BNN_OK;
}

static void move_to(bnn_likelihood_case *k, const bnn_real *usual, double even, double odd, double off) {
    for (int i = 0; i < k->out; i++) {
        double f = i % 2 ? odd : even;
        k->f[i] = isnan(f) ? usual[i] : (bnn_real)f;
    }
    for (int i = 0; i < k->l.n_theta; i++) k->theta[i] += (bnn_real)off;
}

static bnn_status at_all(bnn_checker *c, bnn_likelihood_case *k, const bnn_real *usual) {
    char note[96];
    bnn_status s = BNN_OK;
    for (size_t e = 0; e < sizeof elsewhere / sizeof *elsewhere && s == BNN_OK && !bnn_checker_broken(c); e++) {
        const double even = elsewhere[e].even, odd = elsewhere[e].odd, off = elsewhere[e].off;
        if (off != 0 && k->l.n_theta == 0) continue;
        if (isnan(even))
            bnn_print(note, sizeof note, "with own parameters moved by %g", off);
        else
            bnn_print(note, sizeof note, "with outputs of %g and %g in turns", even, odd);
        c->note = isnan(even) && off == 0 ? NULL : note;
        move_to(k, usual, even, odd, off);
        s = k->is_class ? classes(c, k) : one_target(c, k);
        move_to(k, usual, NAN, NAN, -off);
    }
    c->note = NULL;
    return s;
}

bnn_status bnn_likelihood_outlying(bnn_checker *c, void *of) {
    bnn_likelihood_case *k = of;
    if (k->l.y_dim > 1) {
        bnn_checker_skip(c, "several targets: one of them is asked alone");
        return BNN_OK;
    }
    bnn_real *usual = malloc((size_t)k->out * sizeof *usual);
    bnn_status s = usual ? own_parameters(c, k) : bnn_oom("a rule");
    if (s == BNN_OK) {
        memcpy(usual, k->f, (size_t)k->out * sizeof *usual);
        s = at_all(c, k, usual);
    }
    free(usual);
    return s;
}
