/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * moments.c: the distribution of the output and of the gradient, by plain sampling: ROWS against DRAW, and both against what
 * the parameters imply where that is known (Gaussian weights, gates).
 */
#include "layer.h"

#include <stdlib.h>
#include <string.h>

enum { DRAWS = 2000 };

/* DRAWS vectors of n numbers: their moments, and those of the squares of their distance from `centre`. */
typedef struct {
    size_t n;
    moments *m, *m2;  /* [n] */
    bnn_real *centre; /* [n] */
} sample;

static bnn_status sample_new(size_t n, sample *out) {
    *out = (sample){n, calloc(n + 1, sizeof *out->m), calloc(n + 1, sizeof *out->m2), calloc(n + 1, sizeof *out->centre)};
    return out->m && out->m2 && out->centre ? BNN_OK : bnn_oom("a rule");
}

static void sample_free(sample *s) { free(s->m), free(s->m2), free(s->centre); }

static void sample_add(sample *s, size_t at, size_t n, const bnn_real *a) {
    for (size_t i = 0; i < n; i++) {
        double away = (double)a[i] - (double)s->centre[at + i];
        moments_add(&s->m[at + i], (double)a[i]);
        moments_add(&s->m2[at + i], away * away);
    }
}

static void compare(bnn_checker *c, const char *what, const sample *rows, const sample *draw) {
    double most = bnn_most_z(2 * rows->n);
    for (size_t i = 0; i < rows->n; i++) {
        double z = bnn_moments_z_between(&rows->m[i], &draw->m[i]), z2 = bnn_moments_z_between(&rows->m2[i], &draw->m2[i]);
        double a = rows->m2[i].mean, b = draw->m2[i].mean;
        char guess[BNN_GUESS_TEXT];
        if (!(fabs(z) <= most))
            bnn_checker_break(c, "%s[%zu] has the mean %.4g in ROWS and %.4g in DRAW, %.1f standard errors apart", what, i, rows->m[i].mean,
                              draw->m[i].mean, fabs(z));
        if (!(fabs(z2) <= most))
            bnn_checker_break(c, "%s[%zu] has the variance %.4g in ROWS and %.4g in DRAW, %.1f standard errors apart%s", what, i, a, b,
                              fabs(z2), bnn_ratio_guess(a, b, NAN, 0, guess));
    }
}

static bool is_sampled(bnn_checker *c, const bnn_layer_case *k) {
    if (!bnn_case_has_cap(k, BNN_STOCHASTIC))
        bnn_checker_skip(c, "not STOCHASTIC");
    else if (bnn_case_is_coupled(k))
        bnn_checker_skip(c, "COUPLED: the rows interact in training");
    else
        return true;
    return false;
}

/* Streams of the draws of a mode. */
static bnn_rng stream(bnn_mode mode, uint64_t s) { return bnn_rng_split(bnn_rng_seed(100 + (uint64_t)mode), s); }

/* ---------------------------------------------------------------- outputs */

/* y of one row; their centre is the y of MEAN. */
static void draw_outputs(bnn_layer_pass *p, bnn_mode mode, sample *s) {
    p->io.mode = BNN_MEAN;
    bnn_layer_pass_forward(p, 1);
    memcpy(s->centre, p->y, s->n * sizeof *s->centre);
    p->io.mode = mode;
    for (uint64_t i = 0; i < DRAWS; i++) {
        p->io.rng = stream(mode, i);
        bnn_layer_pass_forward(p, 1);
        sample_add(s, 0, s->n, p->y);
    }
}

/* E[y] of a gate is the y of MEAN. Relaxed gates are a little off, so what is asked is which factor is the nearest: 1, or one that a wrong
 * convention brings, if that is far enough from 1. */
static void compare_gates(bnn_checker *c, const bnn_layer_pass *p, const sample *s) {
    bnn_real unused[BNN_MAX_GATE_THETA];
    double keep = bnn_layer_vtable(p->l)->keep(p->l, p->theta, unused), ratio = 0;
    const double wrong[] = {keep, 1 / keep, (1 - keep) / keep, keep * keep};
    char guess[BNN_GUESS_TEXT];
    for (size_t i = 0; i < s->n; i++) ratio += s->m[i].mean / (double)s->centre[i] / (double)s->n;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (fabs(wrong[i] - 1) > 0.1 && !(fabs(ratio - 1) <= fabs(ratio - wrong[i])))
            bnn_checker_break(c, "E[y] is %.4g times the y of MEAN, with keep %.4g%s", ratio, keep,
                              bnn_ratio_guess(ratio, 1, 1 - keep, 0, guess));
}

/* Its second difference along one direction vanishes. Leaves theta as it is. */
bool bnn_is_linear(bnn_layer_pass *p, const double *sd, bnn_real *theta) {
    size_t n = (size_t)p->l->n_theta;
    double bend = 0, size = 0;
    memcpy(theta, p->theta, n * sizeof *theta);
    for (int step = -1; step <= 1; step++) {
        for (size_t i = 0; i < n; i++) p->theta[i] = theta[i] + (bnn_real)(sd[i] > 0 ? step * (1 + (int)(i % 3)) : 0);
        double j = bnn_layer_pass_forward(p, 1) - p->scale * p->penalty;
        bend += step ? j : -2 * j;
        size += fabs(j);
    }
    memcpy(p->theta, theta, n * sizeof *theta);
    return fabs(bend) <= 10 * ROUNDING * (1 + size);
}

/* sd of the Gaussian weights at their means' places in theta, 0 elsewhere; whether there are any. */
static bool find_spread(const bnn_layer_pass *p, double *sd) {
    const bnn_plan *plan = &p->l->plan;
    bool found = false;
    for (int b = 0, at = 0; b < plan->n_params; at += bnn_param_size(&plan->param[b++])) {
        int rho = bnn_rho_of(p->l, b);
        for (int i = 0; rho >= 0 && i < bnn_param_size(&plan->param[b]); i++) sd[at + i] = bnn_softplus((double)p->theta[rho + i]);
        found |= rho >= 0;
    }
    return found;
}

/* Var y_u = sum_i (dy_u/dmu_i)^2 sd_i^2, for y linear in the weights. */
static double implied_var(bnn_layer_pass *p, size_t u, const double *sd) {
    double var = 0;
    for (size_t j = 0; j < p->d_out; j++) p->c[j] = j == u;
    bnn_layer_pass_zero_gradients(p);
    bnn_layer_pass_start(p, true);
    bnn_layer_pass_rows(p, 0, 1, false);
    bnn_layer_pass_rows(p, 0, 1, true);
    bnn_layer_pass_finish(p);
    for (int i = 0; i < p->l->n_theta; i++) var += pow((double)p->dtheta[i] * sd[i], 2);
    return var;
}

/* The gradient of unit u to the means of the weights, times their sd: in p->dtheta. */
static void weigh_unit(bnn_layer_pass *p, size_t u, const double *sd) {
    implied_var(p, u, sd);
    for (int i = 0; i < p->l->n_theta; i++) p->dtheta[i] *= (bnn_real)sd[i];
}

bool bnn_implied_law(bnn_layer_pass *p, double *y_sd, int pairs, double *correlation) {
    size_t n = (size_t)p->l->n_theta;
    double *sd = calloc(n + 1, sizeof *sd);
    bnn_real *kept = calloc(2 * n + 1, sizeof *kept);
    bool known = sd && kept && find_spread(p, sd) && bnn_is_linear(p, sd, kept);
    p->io.mode = BNN_MEAN;
    for (size_t u = 0; known && u < p->d_out; u++) {
        double product = 0;
        y_sd[u] = sqrt(implied_var(p, u, sd));
        weigh_unit(p, u, sd);
        for (size_t i = 0; i < n; i++) product += (double)kept[n + i] * (double)p->dtheta[i], kept[n + i] = p->dtheta[i];
        if (u > 0 && (int)u <= pairs) correlation[u - 1] = y_sd[u - 1] * y_sd[u] > 0 ? product / (y_sd[u - 1] * y_sd[u]) : 0;
    }
    free(sd), free(kept);
    return known;
}

static void compare_weights(bnn_checker *c, bnn_layer_pass *p, const sample *s, const char *mode, double *sd, bnn_real *theta) {
    double most = bnn_most_z(2 * s->n);
    p->io.mode = BNN_MEAN;
    if (!find_spread(p, sd) || !bnn_is_linear(p, sd, theta)) return;
    for (size_t u = 0; u < s->n; u++) {
        double mean = s->centre[u], var = implied_var(p, u, sd), z = moments_z(&s->m[u], mean), z2 = moments_z(&s->m2[u], var);
        char guess[BNN_GUESS_TEXT];
        if (!(fabs(z) <= most))
            bnn_checker_break(c, "y[%zu] has the mean %.4g in %s, the means of the weights imply %.4g, %.1f standard errors apart", u,
                              s->m[u].mean, mode, mean, fabs(z));
        if (!(fabs(z2) <= most))
            bnn_checker_break(c, "y[%zu] has the variance %.4g in %s, the sd of the weights imply %.4g%s", u, s->m2[u].mean, mode, var,
                              bnn_ratio_guess(s->m2[u].mean, var, NAN, 0, guess));
    }
}

/* Gaussian weights with other sd, from narrow to wide. false: there are none. */
static bool set_spreads(bnn_layer_pass *p) {
    static const double spreads[] = {4, 0.03, 0.5, 1.5};
    const bnn_plan *plan = &p->l->plan;
    bool found = false;
    for (int b = 0; b < plan->n_params; b++) {
        int rho = bnn_rho_of(p->l, b);
        for (int i = 0; rho >= 0 && i < bnn_param_size(&plan->param[b]); i++)
            p->theta[rho + i] = (bnn_real)bnn_softplus_inverse(spreads[i % 4]);
        found |= rho >= 0;
    }
    return found;
}

static void sample_clear(sample *s) { memset(s->m, 0, s->n * sizeof *s->m), memset(s->m2, 0, s->n * sizeof *s->m2); }

static void compare_all(bnn_checker *c, bnn_layer_pass *p, sample s[2], double *sd, bnn_real *theta) {
    draw_outputs(p, BNN_ROWS, &s[0]);
    draw_outputs(p, BNN_DRAW, &s[1]);
    compare(c, "y", &s[0], &s[1]);
    for (int i = 0; i < 2; i++) {
        if (bnn_layer_vtable(p->l)->keep) compare_gates(c, p, &s[i]);
        compare_weights(c, p, &s[i], bnn_mode_names[i ? BNN_DRAW : BNN_ROWS], sd, theta);
    }
}

bnn_status bnn_rule_moments(bnn_checker *c, const bnn_layer_case *k) {
    bnn_layer_pass p;
    sample s[2] = {{0}};
    if (!is_sampled(c, k)) return BNN_OK;
    BNN_TRY(bnn_case_open(k, 1, 105, &p));
    double *sd = calloc((size_t)p.l->n_theta + 1, sizeof *sd);
    bnn_real *theta = calloc((size_t)p.l->n_theta + 1, sizeof *theta);
    bnn_status status = sample_new(p.d_out, &s[0]);
    if (status == BNN_OK) status = sample_new(p.d_out, &s[1]);
    if (status == BNN_OK && (!sd || !theta)) status = bnn_oom("a rule");
    if (status == BNN_OK) compare_all(c, &p, s, sd, theta);
    if (status == BNN_OK && !bnn_checker_broken(c) && set_spreads(&p)) {
        sample_clear(&s[0]), sample_clear(&s[1]);
        const char *note = c->note;
        c->note = "with weights of sd 0.03 to 4";
        compare_all(c, &p, s, sd, theta);
        c->note = note;
    }
    free(sd);
    free(theta);
    sample_free(&s[0]);
    sample_free(&s[1]);
    bnn_layer_pass_close(&p);
    return status;
}

/* ---------------------------------------------------------------- gradients */

/* Gradients of y^2/2 of one row, so that the noise enters twice: theta, then the inputs. */
static void draw_gradients(bnn_layer_pass *p, bnn_mode mode, sample *s) {
    p->io.mode = mode;
    for (uint64_t i = 0; i < DRAWS; i++) {
        p->io.rng = stream(mode, i);
        bnn_layer_pass_zero_gradients(p);
        bnn_layer_pass_start(p, true);
        bnn_layer_pass_rows(p, 0, 1, false);
        memcpy(p->c, p->y, p->d_out * sizeof *p->c);
        bnn_layer_pass_rows(p, 0, 1, true);
        bnn_layer_pass_finish(p);
        size_t at = (size_t)p->l->n_theta;
        sample_add(s, 0, at, p->dtheta);
        for (int j = 0; j < p->l->n_in; at += p->d_in[j++]) sample_add(s, at, p->d_in[j], p->dx[j]);
    }
}

bnn_status bnn_rule_expected_gradient(bnn_checker *c, const bnn_layer_case *k) {
    bnn_layer_pass p;
    sample s[2] = {{0}};
    if (!is_sampled(c, k)) return BNN_OK;
    BNN_TRY(bnn_case_open(k, 1, 106, &p));
    size_t n = (size_t)p.l->n_theta;
    for (int j = 0; j < p.l->n_in; j++) n += p.d_in[j];
    bnn_status status = sample_new(n, &s[0]);
    if (status == BNN_OK) status = sample_new(n, &s[1]);
    if (status == BNN_OK) {
        draw_gradients(&p, BNN_ROWS, &s[0]);
        draw_gradients(&p, BNN_DRAW, &s[1]);
        for (size_t i = 0; i < n; i++) {
            double z = bnn_moments_z_between(&s[0].m[i], &s[1].m[i]);
            size_t theta = (size_t)p.l->n_theta;
            if (!(fabs(z) <= bnn_most_z(n)))
                bnn_checker_break(
                    c, "the gradient of y^2/2 to %s[%zu] is %.4g on average in ROWS and %.4g in DRAW, %.1f standard errors apart",
                    i < theta ? "theta" : "x", i < theta ? i : i - theta, s[0].m[i].mean, s[1].m[i].mean, fabs(z));
        }
    }
    sample_free(&s[0]);
    sample_free(&s[1]);
    bnn_layer_pass_close(&p);
    return status;
}
