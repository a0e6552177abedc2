/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * noise.c: where the output is random, how often gates drop, and what is left when the noise is turned down.
 */
#include "layer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- where there is noise */

/* Says whether y depends on the stream, over some rows; gates drop rarely, so over some streams, too. */
static bnn_status depends_on_noise(const bnn_layer_case *k, bool *depends) {
    enum { STREAMS = 32 };
    bnn_layer_pass a, b;
    BNN_TRY(bnn_case_open_both(k, BNN_CASE_ROWS, 80, &a, &b));
    bnn_layer_pass_forward(&a, BNN_CASE_ROWS);
    *depends = false;
    for (uint64_t i = 0; i < STREAMS && !*depends; i++) {
        b.io.rng = bnn_rng_split(bnn_rng_seed(81), i);
        bnn_layer_pass_forward(&b, BNN_CASE_ROWS);
        *depends = memcmp(a.y, b.y, BNN_CASE_ROWS * a.d_out * sizeof(bnn_real)) != 0;
    }
    bnn_layer_pass_close(&b), bnn_layer_pass_close(&a);
    return BNN_OK;
}

/* All nodes of the type in one net; notes the modes with noise. */
static bnn_status look_for_noise(bnn_checker *c, bnn_layer_case *k, bool seen[3]) {
    const bnn_net *net = k->net->net;
    for (k->node = 0; k->node < net->n_nodes; k->node++)
        for (k->mode = BNN_MEAN; k->mode <= BNN_DRAW; k->mode++) {
            bool depends;
            if (bnn_layer_vtable(bnn_case_layer(k)) != k->type || bnn_case_layer(k)->n_in == 0) continue;
            BNN_TRY(depends_on_noise(k, &depends));
            seen[k->mode] |= depends;
            if (!depends || bnn_checker_broken(c) || (k->mode != BNN_MEAN && bnn_case_has_cap(k, BNN_STOCHASTIC))) continue;
            c->now.spec = k->spec;
            c->now.mode = bnn_mode_names[k->mode];
            bnn_checker_break(c, "the output depends on the noise, %s",
                              k->mode == BNN_MEAN ? "which MEAN has none of" : "but the layer does not say STOCHASTIC");
        }
    return BNN_OK;
}

bnn_status bnn_rule_noise(bnn_checker *c, const bnn_layer_case *k) {
    bool seen[3] = {false};
    for (int i = 0; k->type->type.checks[i]; i++) {
        bnn_spec_net net;
        bnn_layer_case here = {.type = k->type, .spec = k->type->type.checks[i], .net = &net};
        if (bnn_spec_net_open(here.spec, &net) < 0) continue;
        bnn_status s = look_for_noise(c, &here, seen);
        bnn_spec_net_close(&net);
        if (s < 0) return s;
    }
    for (bnn_mode mode = BNN_ROWS; mode <= BNN_DRAW && bnn_case_has_cap(k, BNN_STOCHASTIC); mode++)
        if (!seen[mode])
            bnn_checker_break(c, "the layer says STOCHASTIC, but in %s no check spec has an output that depends on the noise",
                              bnn_mode_names[mode]);
    return BNN_OK;
}

/* ---------------------------------------------------------------- gates */

static double keep_of(const bnn_layer *l, const bnn_real *theta) {
    bnn_real unused[BNN_MAX_GATE_THETA];
    return bnn_layer_vtable(l)->keep(l, theta, unused);
}

static void check_keep_gradient(bnn_checker *c, const bnn_layer *l) {
    const double h = 1e-3;
    for (double at = -3; at <= 3; at += 1.5) {
        bnn_real theta[BNN_MAX_GATE_THETA], dkeep[BNN_MAX_GATE_THETA];
        for (int i = 0; i < l->n_theta; i++) theta[i] = (bnn_real)at;
        double keep = bnn_layer_vtable(l)->keep(l, theta, dkeep);
        if (!(keep > 0 && keep <= 1)) bnn_checker_break(c, "keep is %g at parameters %g: it lies in (0, 1]", keep, at);
        for (int i = 0; i < l->n_theta; i++) {
            char guess[BNN_GUESS_TEXT];
            theta[i] = (bnn_real)(at + h);
            double up = keep_of(l, theta), above = theta[i];
            theta[i] = (bnn_real)(at - h);
            double slope = (up - keep_of(l, theta)) / (above - (double)theta[i]), is = dkeep[i];
            theta[i] = (bnn_real)at;
            if (!(fabs(slope - is) < 1e-6)) /* h^2/6 */
                bnn_checker_break(c, "gradient of keep to theta[%d]: keep says %.6g, differences say %.6g%s", i, is, slope,
                                  bnn_ratio_guess(is, slope, 1 - keep, 0, guess));
        }
    }
}

/* z keep = y keep / x is 0 or 1, or between them where the gate is a relaxed one: those above 1/2 stay. Units of one row may share their
 * gates, so a row is one observation. false: factors outside of [0, 1] are no gates that drop. */
static bool share_that_stays(const bnn_layer_pass *p, double keep, moments *share) {
    for (size_t r = 0; r < (size_t)p->n; r++) {
        size_t stay = 0;
        for (size_t i = 0; i < p->d_out; i++) {
            double gate = keep * (double)p->y[r * p->d_out + i] / (double)p->x[0][r * p->d_out + i];
            if (!(gate > -1e-3 && gate < 1 + 1e-3)) return false;
            stay += gate > 0.5;
        }
        moments_add(share, (double)stay / (double)p->d_out);
    }
    return true;
}

/* At the parameters as they are. */
static void compare_share(bnn_checker *c, bnn_layer_pass *p) {
    moments share = {0};
    bnn_layer_pass_forward(p, p->n);
    double keep = keep_of(p->l, p->theta);
    if (p->l->n_in != 1 || p->d_in[0] != p->d_out || !share_that_stays(p, keep, &share)) return;
    char guess[BNN_GUESS_TEXT];
    double off = share.mean - keep, sd = sqrt(fmax(moments_var(&share), keep * (1 - keep) / (double)p->d_out) / p->n);
    if (fabs(off) > MOST_Z * sd + 10 * ROUNDING)
        bnn_checker_break(c, "keep says that %.4g of the units stay, %.4g of %d rows of %zu did (standard error %.2g)%s", keep, share.mean,
                          p->n, p->d_out, sd, bnn_ratio_guess(share.mean, keep, 1 - keep, 0, guess));
}

bnn_status bnn_rule_keep(bnn_checker *c, const bnn_layer_case *k) {
    const int rows = k->most_entries > 0 ? 5000 : bnn_case_times(bnn_case_layer(k), 1, 5000, 60000);
    bnn_layer_pass p;
    if (!k->type->keep) {
        bnn_checker_skip(c, "there is no keep hook");
        return BNN_OK;
    }
    check_keep_gradient(c, bnn_case_layer(k));
    BNN_TRY(bnn_layer_pass_open(k->net->net, k->node, rows, BNN_ROWS, bnn_rng_seed(82), &p));
    compare_share(c, &p);
    for (double at = -2; p.l->n_theta > 0 && at <= 2; at += 4) {
        for (int i = 0; i < p.l->n_theta; i++) p.theta[i] = (bnn_real)at;
        p.n = rows < 5000 ? rows : 5000;
        compare_share(c, &p);
    }
    p.n = rows;
    bnn_layer_pass_close(&p);
    return BNN_OK;
}

/* ---------------------------------------------------------------- no noise left */

static const double sd_floor = 1e-9; /* what a sum of weights with a small lowest sd may still have of noise */

/* The output in the case's mode is that of MEAN. */
static void compare_with_mean(bnn_checker *c, bnn_layer_pass *p, const char *how) {
    size_t n = (size_t)p->n * p->d_out;
    bnn_mode mode = p->io.mode;
    bnn_real *y = malloc((n + 1) * sizeof *y);
    if (!y) return;
    bnn_layer_pass_forward(p, p->n);
    memcpy(y, p->y, n * sizeof *y);
    p->io.mode = BNN_MEAN;
    bnn_layer_pass_forward(p, p->n);
    p->io.mode = mode;
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)y[i] - (double)p->y[i]) <= sd_floor + 10 * ROUNDING * (1 + fabs((double)p->y[i]))))
            bnn_checker_break(c, "with %s y[%zu] is %.6g, in MEAN %.6g", how, i, (double)y[i], (double)p->y[i]);
    free(y);
}

/* sd -> 0 of Gaussian weights: blocks NAME_rho at -1000. */
static bool without_spread(bnn_layer_pass *p) {
    bool found = false;
    int at = 0;
    for (int b = 0; b < p->l->plan.n_params; b++) {
        const bnn_param *block = &p->l->plan.param[b];
        size_t length = strlen(block->name);
        int n = bnn_param_size(block);
        bool rho = block->role == BNN_VARIATIONAL && length > 4 && strcmp(block->name + length - 4, "_rho") == 0;
        for (int i = 0; rho && i < n; i++) p->theta[at + i] = -1000;
        found |= rho;
        at += n;
    }
    return found;
}

static const double no_drop = 1 - 1e-9;

/* p -> 0 of learned gates: parameters at the end where keep is 1. */
static bool without_drops(bnn_layer_pass *p) {
    if (!bnn_layer_vtable(p->l)->keep) return false;
    for (double end = -1000; end <= 1000; end += 2000) {
        for (int i = 0; i < p->l->n_theta; i++) p->theta[i] = (bnn_real)end;
        if (p->l->n_theta > 0 && keep_of(p->l, p->theta) >= no_drop) return true;
    }
    return false;
}

/* The same net with one option at one end. Gates must then be those of MEAN if keep is 1, other layers if the output is no longer random.
 */
static bnn_status limit_of_option(bnn_checker *c, const bnn_layer_case *k, const bnn_option *o, double end, bool *found) {
    char *text, value[BNN_NUMBER_TEXT], how[128];
    bnn_spec_net net;
    bnn_layer_case there = *k;
    bnn_layer_pass p;
    BNN_TRY(bnn_spec_with_option(&k->type->type, k->spec, o->name, bnn_number_print(end, value), &text));
    bnn_status s = bnn_spec_net_open(text, &net);
    free(text);
    if (s < 0) return s == BNN_ERR_MEMORY ? s : BNN_OK;
    there.net = &net;
    bool silent = false, depends = true;
    s = bnn_case_open(&there, BNN_CASE_ROWS, 83, &p);
    if (s == BNN_OK) {
        if (k->type->keep)
            silent = keep_of(p.l, p.theta) >= no_drop;
        else if ((s = depends_on_noise(&there, &depends)) == BNN_OK)
            silent = !depends;
        snprintf(how, sizeof how, "option '%s' at %s", o->name, value);
        if (silent) compare_with_mean(c, &p, how);
        *found |= silent;
        bnn_layer_pass_close(&p);
    }
    bnn_spec_net_close(&net);
    return s;
}

bnn_status bnn_rule_limit(bnn_checker *c, const bnn_layer_case *k) {
    bnn_layer_pass p;
    bool found = false;
    if (!bnn_case_has_cap(k, BNN_STOCHASTIC)) {
        bnn_checker_skip(c, "not STOCHASTIC");
        return BNN_OK;
    }
    BNN_TRY(bnn_case_open(k, BNN_CASE_ROWS, 84, &p));
    if (without_spread(&p)) {
        compare_with_mean(c, &p, "every NAME_rho at -1000");
        found = true;
    }
    if (without_drops(&p)) {
        compare_with_mean(c, &p, "parameters where keep is 1");
        found = true;
    }
    bnn_layer_pass_close(&p);
    bnn_option o;
    for (int i = 0; bnn_options_at(k->type->type.options, i, &o); i++)
        for (int above = 0; o.kind == BNN_OPTION_REAL && above < 2; above++)
            if (isfinite(above ? o.max : o.min)) BNN_TRY(limit_of_option(c, k, &o, above ? o.max : o.min, &found));
    if (!found) bnn_checker_skip(c, "no parameter NAME_rho, no keep hook and no end of an option turns the noise off");
    return BNN_OK;
}
