/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * score.c: the score d log q(noise | theta)/dtheta of what a layer draws: by the two identities that every score obeys,
 *
 *   E[score] = 0,   E[(f - b) score] = dE[f]/dtheta,        f = sum(c y), b its value in MEAN; the right side along the path
 *
 * and, of Gaussian weights, by their density.
 */
#include "layer.h"

#include <stdlib.h>
#include <string.h>

enum { DRAWS = 4000 };

static double value(const bnn_layer_pass *p) {
    double f = 0;
    for (size_t i = 0; i < p->d_out; i++) f += (double)p->c[i] * (double)p->y[i];
    return f;
}

/* One row in this mode with draw s; returns f. */
static double draw(bnn_layer_pass *p, bnn_mode mode, uint64_t s) {
    p->io.mode = mode;
    p->io.rng = bnn_rng_split(bnn_rng_seed(107), s);
    bnn_layer_pass_zero_gradients(p);
    bnn_layer_pass_start(p, true);
    bnn_layer_pass_rows(p, 0, 1, false);
    return value(p);
}

/* ---------------------------------------------------------------- one draw */

/* Checks that the hook adds weight times the score to what was there. */
static void adds_up(bnn_checker *c, bnn_layer_pass *p, bnn_real *once) {
    size_t n = (size_t)p->l->n_theta;
    double largest = 0;
    draw(p, BNN_DRAW, 0);
    bnn_layer_pass_score(p, 1);
    memcpy(once, p->dtheta, n * sizeof *once);
    for (size_t i = 0; i < n; i++) largest = fmax(largest, fabs((double)once[i]));
    for (size_t i = 0; i < n; i++) p->dtheta[i] = 2;
    bnn_layer_pass_score(p, 0.5);
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)p->dtheta[i] - 2 - 0.5 * (double)once[i]) <= 10 * ROUNDING * (2 + largest)))
            bnn_checker_break(c, "score with weight 0.5 leaves %.6g in dtheta[%zu], which held 2; half the score is %.6g",
                              (double)p->dtheta[i], i, 0.5 * (double)once[i]);
}

const bnn_real *bnn_drawn_of(const bnn_layer_pass *p, const bnn_param *mu) {
    const bnn_plan *plan = &p->l->plan;
    size_t length = strlen(mu->name) - 3;
    for (int b = 0; b < plan->n_drawn; b++)
        if (strlen(plan->drawn[b].name) == length && strncmp(plan->drawn[b].name, mu->name, length) == 0)
            return p->pass + plan->drawn_at[b];
    return NULL;
}

/* d log N(w; mu, sd^2): ((w - mu)/sd^2, ((w - mu)^2/sd^2 - 1)/sd dsd/drho). e = (w - mu)/sd is known to the rounding of w over sd, sd to a
 * floor of 1e-12. */
static void compare_block(bnn_checker *c, const bnn_layer_pass *p, const bnn_param *block, int at, int rho, const bnn_real *score) {
    const bnn_real *w = bnn_drawn_of(p, block);
    char guess[BNN_GUESS_TEXT];
    for (int i = 0; w && i < bnn_param_size(block); i++) {
        double raw = (double)p->theta[rho + i], sd = bnn_softplus(raw), e = ((double)w[i] - (double)p->theta[at + i]) / sd;
        double off = (20 * REAL_EPSILON * (1 + fabs((double)w[i]) / sd) + 4e-12 / sd) * (1 + fabs(e)), slope = bnn_sigmoid(raw);
        double dmu = e / sd, drho = (e * e - 1) / sd * slope;
        if (!(fabs((double)score[at + i] - dmu) <= off / sd))
            bnn_checker_break(c, "the score of %s[%d] is %.5g, that of its density is %.5g%s", block->name, i, (double)score[at + i], dmu,
                              bnn_ratio_guess((double)score[at + i], dmu, NAN, 0, guess));
        if (!(fabs((double)score[rho + i] - drho) <= 3 * off * (1 + fabs(e)) / sd))
            bnn_checker_break(c, "the score of the rho of %s[%d] is %.5g, that of its density is %.5g%s", block->name, i,
                              (double)score[rho + i], drho, bnn_ratio_guess((double)score[rho + i], drho, NAN, 0, guess));
    }
}

static void compare_densities(bnn_checker *c, const bnn_layer_pass *p, const bnn_real *score) {
    const bnn_plan *plan = &p->l->plan;
    for (int b = 0, at = 0; b < plan->n_params; at += bnn_param_size(&plan->param[b++]))
        if (bnn_rho_of(p->l, b) >= 0) compare_block(c, p, &plan->param[b], at, bnn_rho_of(p->l, b), score);
}

/* ---------------------------------------------------------------- many draws */

/* mean, path, weighted [n]: moments of the score, of the gradient along the path, of (f - b) score; the last two of other draws. */
static void sample(bnn_layer_pass *p, moments *mean, moments *path, moments *weighted) {
    size_t n = (size_t)p->l->n_theta;
    double b = draw(p, BNN_MEAN, 0);
    for (uint64_t s = 0; s < DRAWS; s++) {
        draw(p, BNN_DRAW, 2 * s);
        bnn_layer_pass_rows(p, 0, 1, true);
        bnn_layer_pass_finish(p);
        for (size_t i = 0; i < n; i++) moments_add(&path[i], (double)p->dtheta[i]);
        double f = draw(p, BNN_DRAW, 2 * s + 1);
        bnn_layer_pass_score(p, 1);
        for (size_t i = 0; i < n; i++) {
            moments_add(&mean[i], (double)p->dtheta[i]);
            moments_add(&weighted[i], (f - b) * (double)p->dtheta[i]);
        }
    }
}

static void compare_means(bnn_checker *c, bnn_layer_pass *p, moments *m) {
    size_t n = (size_t)p->l->n_theta;
    moments *mean = m, *path = m + n, *weighted = m + 2 * n;
    sample(p, mean, path, weighted);
    for (size_t i = 0; i < n; i++) {
        char guess[BNN_GUESS_TEXT];
        if (mean[i].squares > 0 && !(fabs(moments_z(&mean[i], 0)) <= bnn_most_z(2 * n)))
            bnn_checker_break(c, "the score of theta[%zu] has the mean %.4g, %.1f standard errors from 0", i, mean[i].mean,
                              fabs(moments_z(&mean[i], 0)));
        if (!(fabs(bnn_moments_z_between(&path[i], &weighted[i])) <= bnn_most_z(2 * n)))
            bnn_checker_break(c, "y times the score of theta[%zu] is %.4g on average, the gradient of y is %.4g%s", i, weighted[i].mean,
                              path[i].mean, bnn_ratio_guess(weighted[i].mean, path[i].mean, NAN, 0, guess));
    }
}

bnn_status bnn_rule_score(bnn_checker *c, const bnn_layer_case *k) {
    bnn_layer_pass p;
    if (!k->type->score) {
        bnn_checker_skip(c, "there is no score hook");
        return BNN_OK;
    }
    BNN_TRY(bnn_case_open(k, 1, 107, &p));
    size_t n = (size_t)p.l->n_theta;
    bnn_real *once = calloc(n + 1, sizeof *once);
    moments *m = calloc(3 * n + 1, sizeof *m);
    if (once && m) {
        adds_up(c, &p, once);
        compare_densities(c, &p, once);
        compare_means(c, &p, m);
    }
    bnn_status s = once && m ? BNN_OK : bnn_oom("a rule");
    free(once);
    free(m);
    bnn_layer_pass_close(&p);
    return s;
}
