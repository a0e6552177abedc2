/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * kl.c: the value of the penalty, where it is known from elsewhere: KL of Gaussian weights, entropy of gates.
 */
#include "layer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- Gaussian weights */

/* Says whether `name` is STEM_ending for the stem of block mu, whose name ends with "_mu". */
static bool belongs(const char *name, const char *mu, const char *ending) {
    size_t stem = strlen(mu) - strlen("_mu");
    return strncmp(name, mu, stem) == 0 && strcmp(name + stem, ending) == 0;
}

int bnn_rho_of(const bnn_layer *l, int b) {
    const bnn_param *mu = &l->plan.param[b];
    size_t length = strlen(mu->name);
    int at = 0;
    if (mu->role != BNN_VARIATIONAL || length <= 3 || strcmp(mu->name + length - 3, "_mu") != 0) return -1;
    for (int k = 0; k < l->plan.n_params; at += bnn_param_size(&l->plan.param[k++]))
        if (belongs(l->plan.param[k].name, mu->name, "_rho") && bnn_param_size(&l->plan.param[k]) == bnn_param_size(mu)) return at;
    return -1;
}

/* One block of weights w ~ N(mu, sd^2). */
typedef struct {
    const bnn_prior *prior;
    bnn_prior_block block;
    int n;
    bnn_real *mu, *rho; /* [n] in theta */
} weights;

enum { MOST_BLOCKS = BNN_MAX_PARAMS / 2 };

static int find_weights(const bnn_layer_pass *p, const bnn_prior *prior, weights w[MOST_BLOCKS]) {
    const bnn_plan *plan = &p->l->plan;
    int n = 0;
    for (int b = 0, at = 0; b < plan->n_params; at += bnn_param_size(&plan->param[b++])) {
        int rho = bnn_rho_of(p->l, b);
        if (rho < 0 || n == MOST_BLOCKS) continue;
        const bnn_param *mu = &plan->param[b];
        bnn_prior_block block = bnn_layer_prior_block(p->l, mu);
        block.weight = strncmp(mu->name, "bias", 4) != 0;
        w[n++] = (weights){prior, block, bnn_param_size(mu), p->theta + at, p->theta + rho};
    }
    return n;
}

static double logp(const weights *w, double at) {
    const bnn_real here = (bnn_real)at;
    return bnn_prior_vtable(w->prior)->logp(w->prior, &w->block, 1, &here, NULL);
}

/* log q - log p at w = mu + sd e, times the density of e. */
typedef struct {
    const weights *w;
    double mu, sd;
} point;

static const double half_log_2pi = 0.91893853320467274178;

static double kl_integrand(double e, void *of) {
    const point *at = of;
    double log_e = -0.5 * e * e - half_log_2pi;
    return exp(log_e) * (log_e - log(at->sd) - logp(at->w, at->mu + at->sd * e));
}

/* Pairs of mu and sd, over the weights in turns: so many integrals for a block. The second four are far from the start. */
enum { PAIRS = 4, PLACES = 2 };
static const double pair_mu[PLACES][PAIRS] = {{0.3, -0.8, 0.05, 1.2}, {20, -7, 0, 3}},
                    pair_sd[PLACES][PAIRS] = {{0.1, 0.5, 1, 0.03}, {0.3, 10, 5, 1e-3}};

static void set_pairs(weights *w, int place) {
    for (int i = 0; i < w->n; i++) {
        w->mu[i] = (bnn_real)pair_mu[place][i % PAIRS];
        w->rho[i] = (bnn_real)bnn_softplus_inverse(pair_sd[place][i % PAIRS]);
    }
}

/* KL of a block, and the sum of its terms' sizes. */
static double quadrature(const weights *w, double *size) {
    double sum = 0;
    for (int i = 0; i < PAIRS && i < w->n; i++) {
        point at = {w, (double)w->mu[i], bnn_softplus((double)w->rho[i])};
        double kl = bnn_integral(kl_integrand, &at, -12, 12);
        int times = (w->n - i + PAIRS - 1) / PAIRS;
        sum += times * kl;
        *size += times * (1 + fabs(kl));
    }
    return sum;
}

/* sum log q - log p at one draw of all weights. */
static double at_one_draw(const weights *w, bnn_rng rng) {
    double sum = 0;
    for (int i = 0; i < w->n; i++) {
        bnn_real e;
        bnn_rng_normal(rng, (uint64_t)i, 1, 1, &e);
        double sd = bnn_softplus((double)w->rho[i]);
        sum += -0.5 * (double)e * (double)e - half_log_2pi - log(sd) - logp(w, (double)w->mu[i] + sd * (double)e);
    }
    return sum;
}

static double penalty_of(bnn_layer_pass *p, uint64_t seed) {
    p->io.rng = bnn_rng_split(bnn_rng_seed(90), seed);
    bnn_layer_pass_forward(p, p->n);
    return p->penalty;
}

enum { DRAWS = 1000 };

/* Exactly, or, if the penalty is itself sampled, on average. */
static void compare_with(bnn_checker *c, bnn_layer_pass *p, const char *what, double exact, double tolerance, const moments *sampled) {
    moments penalty = {0};
    char guess[BNN_GUESS_TEXT];
    bool random = penalty_of(p, 0) != penalty_of(p, 1);
    for (uint64_t s = 0; s < (random ? DRAWS : 1); s++) moments_add(&penalty, penalty_of(p, s));
    double sd = sqrt((random ? moments_var(&penalty) / DRAWS : 0) + (sampled ? moments_var(sampled) / sampled->n : 0));
    if (!(fabs(penalty.mean - exact) <= MOST_Z * sd + tolerance))
        bnn_checker_break(c, "the penalty is %.6g%s, %s says %.6g%s", penalty.mean, random ? " on average" : "", what, exact,
                          bnn_ratio_guess(penalty.mean, exact, NAN, 0, guess));
}

/* The sd of a Gaussian prior of mean 0, from three values of its density; 0: it is none. */
static double sd_of_prior(const weights *w) {
    double l0 = logp(w, 0), l1 = logp(w, 0.5), l2 = logp(w, 1), sd = sqrt(0.125 / (l0 - l1));
    bool gaussian =
        fabs(l0 - l2 - 4 * (l0 - l1)) <= ROUNDING * (1 + fabs(l0 - l2)) && fabs(l0 + log(sd) + half_log_2pi) <= ROUNDING * (1 + fabs(l0));
    return isfinite(sd) && gaussian ? sd : 0;
}

/* q = prior: KL is 0. */
static void check_zero(bnn_checker *c, bnn_layer_pass *p, const weights *w, int blocks) {
    double n = 0;
    for (int b = 0; b < blocks; b++) {
        double sd = sd_of_prior(&w[b]);
        if (sd == 0) return;
        for (int i = 0; i < w[b].n; i++) w[b].mu[i] = 0, w[b].rho[i] = (bnn_real)bnn_softplus_inverse(sd);
        n += w[b].n;
    }
    double kl = penalty_of(p, 0);
    if (kl == penalty_of(p, 1) && fabs(kl) > 10 * ROUNDING * n)
        bnn_checker_break(c, "the penalty is %.6g where q is the prior: KL is 0 there", kl);
}

/* The prior that the layer's option names, else the model's. */
static const bnn_prior *prior_of(const bnn_layer *l) {
    bnn_option o;
    if (!bnn_options_find(l->object.type->options, "prior", &o) || o.kind != BNN_OPTION_SPEC || o.of != BNN_PRIOR) return l->prior;
    const bnn_prior *own = (const bnn_prior *)((const char *)l->object.conf + o.offset);
    return own->object.type ? own : l->prior;
}

static double set_and_integrate(weights *w, int blocks, int place, double *size) {
    double exact = 0;
    *size = 0;
    for (int b = 0; b < blocks; b++) {
        set_pairs(&w[b], place);
        exact += quadrature(&w[b], size);
    }
    return exact;
}

/* Quadrature over so wide a range is good to ten digits. */
static void check_far(bnn_checker *c, bnn_layer_pass *p, weights *w, int blocks) {
    double size, exact = set_and_integrate(w, blocks, 1, &size);
    compare_with(c, p, "far from the start quadrature", exact, fmax(1e-10, 10 * ROUNDING) * size, NULL);
}

static void check_kl(bnn_checker *c, bnn_layer_pass *p, weights *w, int blocks) {
    double size, exact = set_and_integrate(w, blocks, 0, &size);
    moments sampled = {0};
    for (uint64_t s = 0; s < DRAWS; s++) {
        double sum = 0;
        for (int b = 0; b < blocks; b++) sum += at_one_draw(&w[b], bnn_rng_split(bnn_rng_split(bnn_rng_seed(91), s), (uint64_t)b));
        moments_add(&sampled, sum);
    }
    compare_with(c, p, "quadrature", exact, 10 * ROUNDING * size, NULL);
    compare_with(c, p, "Monte Carlo", sampled.mean, 10 * ROUNDING * size, &sampled);
    check_zero(c, p, w, blocks);
}

bnn_status bnn_check_kl_by_quadrature(bnn_checker *c, const bnn_layer_case *k) {
    bnn_layer_pass p;
    weights w[MOST_BLOCKS];
    BNN_TRY(bnn_layer_pass_open(k->net->net, k->node, 1, BNN_ROWS, bnn_rng_seed(92), &p));
    int blocks = find_weights(&p, prior_of(p.l), w);
    if (blocks > 0 && k->type->penalty) {
        double size, exact = set_and_integrate(w, blocks, 0, &size);
        compare_with(c, &p, "quadrature", exact, 10 * ROUNDING * size, NULL);
        check_zero(c, &p, w, blocks);
        check_far(c, &p, w, blocks);
    }
    bnn_layer_pass_close(&p);
    return BNN_OK;
}

/* The same layer under another prior of the model; one that bind refuses is left out. */
static bnn_status under_prior(bnn_checker *c, const bnn_layer_case *k, const char *prior) {
    bnn_spec_net net;
    bnn_layer_case there = *k;
    char note[80];
    bnn_status s = bnn_spec_net_open_with(k->spec, prior, &net);
    if (s < 0) return s == BNN_ERR_MEMORY ? s : BNN_OK;
    there.net = &net;
    snprintf(note, sizeof note, "under the prior %s", prior);
    c->note = note;
    s = bnn_check_kl_by_quadrature(c, &there);
    c->note = NULL;
    bnn_spec_net_close(&net);
    return s;
}

static const char *const other_priors[] = {"gauss:sd=0.3,bias_sd=2", "gauss:sd=3,scale=fan_in", "scale_mixture"};

static bnn_status under_other_priors(bnn_checker *c, const bnn_layer_case *k) {
    for (size_t i = 0; i < sizeof other_priors / sizeof *other_priors && !bnn_checker_broken(c); i++)
        BNN_TRY(under_prior(c, k, other_priors[i]));
    return BNN_OK;
}

/* ---------------------------------------------------------------- weights of any other law */

/* The block of theta that is called after a drawn one: NAME_... of role VARIATIONAL for NAME. NULL: there is none. */
static const bnn_param *origin_of(const bnn_plan *plan, const bnn_param *drawn) {
    size_t length = strlen(drawn->name);
    for (int b = 0; b < plan->n_params; b++) {
        const bnn_param *block = &plan->param[b];
        if (block->role == BNN_VARIATIONAL && strncmp(block->name, drawn->name, length) == 0 && block->name[length] == '_') return block;
    }
    return NULL;
}

/* Says whether every VARIATIONAL block is called after a drawn one, so that what is drawn is all that has a prior. */
static bool draws_all(const bnn_plan *plan) {
    int variational = 0, called = 0;
    for (int b = 0; b < plan->n_params; b++) {
        const bnn_param *block = &plan->param[b];
        if (block->role != BNN_VARIATIONAL) continue;
        variational++;
        for (int d = 0, found = 0; d < plan->n_drawn && !found; d++) {
            size_t length = strlen(plan->drawn[d].name);
            called += found = strncmp(block->name, plan->drawn[d].name, length) == 0 && block->name[length] == '_';
        }
    }
    return variational > 0 && called == variational;
}

/* log p of what the pass has drawn. */
static double logp_of_draw(const bnn_layer_pass *p, const bnn_prior *prior) {
    const bnn_plan *plan = &p->l->plan;
    double sum = 0;
    for (int d = 0; d < plan->n_drawn; d++) {
        const bnn_param *origin = origin_of(plan, &plan->drawn[d]);
        if (!origin) continue;
        bnn_prior_block block = bnn_layer_prior_block(p->l, origin);
        block.weight = strncmp(plan->drawn[d].name, "bias", 4) != 0;
        block.name = plan->drawn[d].name;
        sum += bnn_prior_vtable(prior)->logp(prior, &block, bnn_param_size(&plan->drawn[d]), p->pass + plan->drawn_at[d], NULL);
    }
    return sum;
}

static double mean_penalty(bnn_layer_pass *p, double *error) {
    moments m = {0};
    bool random = penalty_of(p, 0) != penalty_of(p, 1);
    for (uint64_t s = 0; s < (random ? DRAWS : 1); s++) moments_add(&m, penalty_of(p, s));
    *error = random ? moments_var(&m) / DRAWS : 0;
    return m.mean;
}

/* KL from one prior less that from another is E[log p - log p'] of what is drawn, whatever q is. A penalty that no prior moves is that of
 * a prior of the layer's own. */
static void compare_priors(bnn_checker *c, bnn_layer_pass *p, bnn_layer_pass *other) {
    double error[2], change = mean_penalty(other, &error[1]) - mean_penalty(p, &error[0]);
    moments m = {0};
    char guess[BNN_GUESS_TEXT];
    for (uint64_t s = 0; s < DRAWS; s++) {
        p->io.rng = bnn_rng_split(bnn_rng_seed(95), s);
        bnn_layer_pass_start(p, false);
        moments_add(&m, logp_of_draw(p, p->l->prior) - logp_of_draw(p, other->l->prior));
    }
    double sd = sqrt(moments_var(&m) / m.n + error[0] + error[1]);
    if (change == 0 || fabs(change - m.mean) <= MOST_Z * sd + 100 * ROUNDING * (1 + fabs(m.mean))) return;
    bnn_checker_break(c, "the penalty is %.6g more than under the prior gauss, by what is drawn it should be %.6g more%s", change, m.mean,
                      bnn_ratio_guess(change, m.mean, NAN, 0, guess));
}

static bnn_status move_prior(bnn_checker *c, const bnn_layer_case *k, const char *prior) {
    bnn_spec_net net;
    bnn_layer_pass p, other;
    char note[80];
    bnn_status s = bnn_spec_net_open_with(k->spec, prior, &net);
    if (s < 0) return s == BNN_ERR_MEMORY ? s : BNN_OK;
    snprintf(note, sizeof note, "under the prior %s", prior);
    c->note = note;
    s = bnn_layer_pass_open(k->net->net, k->node, 1, BNN_DRAW, bnn_rng_seed(96), &p);
    if (s == BNN_OK && (s = bnn_layer_pass_open(net.net, k->node, 1, BNN_DRAW, bnn_rng_seed(96), &other)) < 0) bnn_layer_pass_close(&p);
    if (s == BNN_OK) {
        memcpy(other.theta, p.theta, (size_t)p.l->n_theta * sizeof *p.theta);
        compare_priors(c, &p, &other);
        bnn_layer_pass_close(&other), bnn_layer_pass_close(&p);
    }
    c->note = NULL;
    bnn_spec_net_close(&net);
    return s;
}

/* Of weights whose law is not known: how the penalty moves with the prior. */
static bnn_status of_other_law(bnn_checker *c, const bnn_layer_case *k) {
    const bnn_layer *l = bnn_case_layer(k);
    if (!k->type->penalty || !draws_all(&l->plan) || prior_of(l) != l->prior || !l->prior) {
        bnn_checker_skip(c, "there are no VARIATIONAL blocks NAME_mu and NAME_rho, nor others whose weights are drawn as NAME");
        return BNN_OK;
    }
    for (size_t i = 0; i < sizeof other_priors / sizeof *other_priors && !bnn_checker_broken(c); i++)
        BNN_TRY(move_prior(c, k, other_priors[i]));
    return BNN_OK;
}

bnn_status bnn_rule_kl(bnn_checker *c, const bnn_layer_case *k) {
    bnn_layer_pass p;
    weights w[MOST_BLOCKS];
    BNN_TRY(bnn_case_open(k, 1, 92, &p));
    int blocks = find_weights(&p, prior_of(p.l), w);
    if (blocks > 0 && !k->type->penalty)
        bnn_checker_break(c, "there are Gaussian weights, but no penalty hook to tell their KL");
    else if (blocks > 0)
        check_kl(c, &p, w, blocks), check_far(c, &p, w, blocks);
    bnn_layer_pass_close(&p);
    if (blocks == 0) return of_other_law(c, k);
    return !bnn_checker_broken(c) ? under_other_priors(c, k) : BNN_OK;
}

/* ---------------------------------------------------------------- gates */

/* -H(p) for a probability p of dropping. */
static double minus_entropy(double keep) {
    double p = 1 - keep;
    return (p > 0 ? p * log(p) : 0) + (keep > 0 ? keep * log(keep) : 0);
}

/* At these parameters; *gates is K, found at the first. */
static void check_entropy(bnn_checker *c, bnn_layer_pass *p, double *gates) {
    bnn_real unused[BNN_MAX_GATE_THETA];
    double keep = bnn_layer_vtable(p->l)->keep(p->l, p->theta, unused), h = minus_entropy(keep), is = penalty_of(p, 0);
    char guess[BNN_GUESS_TEXT];
    if (*gates == 0 && h != 0) {
        *gates = nearbyint(is / h);
        if (!(*gates >= 1 && *gates <= (double)p->d_out && fabs(is / h - *gates) <= 1e-4 * *gates))
            bnn_checker_break(
                c, "the penalty is %.6g, with keep %.4g that is minus the entropy of %.4g gates: a whole number from 1 to %zu is possible",
                is, keep, is / h, p->d_out);
    }
    if (fabs(is - *gates * h) > 10 * ROUNDING * (1 + fabs(is)))
        bnn_checker_break(c, "the penalty is %.6g, with keep %.4g minus the entropy of %g gates is %.6g%s", is, keep, *gates, *gates * h,
                          bnn_ratio_guess(is, *gates * h, 1 - keep, 0, guess));
}

/* Gates among the units of a row: units with the same factor in every row share one. 0: not to be told, since they drop too rarely. */
static bnn_status count_gates(const bnn_layer_case *k, int *distinct) {
    enum { N = 2000 };
    bnn_layer_pass p;
    bnn_real unused[BNN_MAX_GATE_THETA];
    *distinct = 0;
    BNN_TRY(bnn_layer_pass_open(k->net->net, k->node, N, BNN_ROWS, bnn_rng_seed(94), &p));
    for (size_t i = 0; i < N * p.d_in[0]; i++) p.x[0][i] = 1;
    bnn_layer_pass_forward(&p, N);
    double keep = k->type->keep(p.l, p.theta, unused), alike = pow(1 - 2 * keep * (1 - keep), N); /* two gates in every row, by chance */
    for (size_t i = 0; i < p.d_out && alike < 1e-9; i++) {
        bool known = false;
        for (size_t j = 0; j < i && !known; j++) {
            size_t r = 0;
            while (r < N && p.y[r * p.d_out + i] == p.y[r * p.d_out + j]) r++;
            known = r == N;
        }
        *distinct += !known;
    }
    bnn_layer_pass_close(&p);
    return BNN_OK;
}

bnn_status bnn_rule_entropy(bnn_checker *c, const bnn_layer_case *k) {
    static const double places[] = {-2, -1, 0, 1, 2, -12, -6, 6, 12}; /* of the parameters: the last ones where few gates drop, or stay */
    bnn_layer_pass p;
    double gates = 0;
    int distinct = 0;
    if (!k->type->keep || !k->type->penalty) {
        bnn_checker_skip(c, "there is no penalty hook beside a keep hook");
        return BNN_OK;
    }
    BNN_TRY(bnn_case_open(k, 1, 93, &p));
    check_entropy(c, &p, &gates);
    for (size_t j = 0; j < sizeof places / sizeof *places; j++) {
        for (int i = 0; i < p.l->n_theta; i++) p.theta[i] = (bnn_real)places[j];
        check_entropy(c, &p, &gates);
    }
    bnn_status s = p.d_in[0] == p.d_out ? count_gates(k, &distinct) : BNN_OK;
    if (gates > 0 && distinct > 0 && gates != distinct)
        bnn_checker_break(
            c, "the penalty is minus the entropy of %g gates, but the %zu units of a row share %d: is one for each channel meant?", gates,
            p.d_out, distinct);
    bnn_layer_pass_close(&p);
    return s;
}
