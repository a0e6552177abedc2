/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * prior.c: the suite of priors: weights and biases apart, since a prior may tell them apart.
 */
#include "hooks.h"
#include "statics.h"
#include "type.h"
#include <bnn/prior.h>

#include <stdlib.h>
#include <string.h>

enum { N = 8, FAN_IN = 25 };

enum { LOGP, DRAW, KL, N_SCALES, LOGP_SCALE, DRAW_SCALE, DRAW_SCALE_GIVEN, SD };
static const char *const hook_names[] = {"logp", "draw", "kl_gaussian", "n_scales", "logp_scale", "draw_scale", "draw_scale_given",
                                         "sd",   NULL};

static const double half_log_2pi = 0.91893853320467274178;

/* ---------------------------------------------------------------- cases */

typedef struct {
    const bnn_prior_type *type;
    bnn_prior prior;
    bool weight;
    bnn_prior_block block;   /* N reals */
    bnn_real *w, *mean, *sd; /* [N] lent */
    bnn_real *dw, *drawn;    /* [N] */
    bnn_real *dmean, *dsd;   /* [N] */
    double s;                /* log variance */
    uint64_t stream;         /* of draws */
    bnn_hooks hooks;
} prior_case;

static const bnn_prior_block blocks[] = {{"layer", "dense", "bias", false, 0, N, FAN_IN, 0},
                                         {"layer", "dense", "kernel", true, 4, N / 4, FAN_IN, 4}};

static double logp_of(const prior_case *k, int n, const bnn_real *w, bnn_real *dw) { return k->type->logp(&k->prior, &k->block, n, w, dw); }

static double kl_of(const prior_case *k, int n, bnn_real *dmean, bnn_real *dsd) {
    return k->type->kl_gaussian(&k->prior, &k->block, n, k->mean, k->sd, dmean, dsd);
}

static bool call(void *of, int hook) {
    prior_case *k = of;
    const bnn_prior_type *t = k->type;
    double ds;
    k->hooks.value = 0;
    switch (hook) {
    case LOGP: k->hooks.value = logp_of(k, N, k->w, k->dw); return true;
    case DRAW: t->draw(&k->prior, &k->block, bnn_rng_seed(k->stream), N, k->drawn); return true;
    case KL:
        if (t->kl_gaussian) k->hooks.value = kl_of(k, N, k->dmean, k->dsd);
        return t->kl_gaussian != NULL;
    case N_SCALES:
        if (t->n_scales) k->hooks.value = t->n_scales(&k->prior, &k->block);
        return t->n_scales != NULL;
    case LOGP_SCALE:
        if (t->logp_scale) k->hooks.value = t->logp_scale(&k->prior, &k->block, k->s, &ds) + ds;
        return t->logp_scale != NULL;
    case DRAW_SCALE:
        if (t->draw_scale) k->hooks.value = t->draw_scale(&k->prior, &k->block, bnn_rng_seed(k->stream));
        return t->draw_scale != NULL;
    case DRAW_SCALE_GIVEN:
        if (t->draw_scale_given) k->hooks.value = t->draw_scale_given(&k->prior, &k->block, N, k->w, bnn_rng_seed(k->stream));
        return t->draw_scale_given != NULL;
    default:
        if (t->sd) k->hooks.value = t->sd(&k->prior, &k->block);
        return t->sd != NULL;
    }
}

static void case_close(prior_case *k) {
    bnn_hooks_free(&k->hooks);
    bnn_prior_free(&k->prior);
}

/* Away from 0, where a mixture may have scales below the step of the differences. */
static bnn_status case_open(const bnn_prior_type *type, const char *spec, bool weight, prior_case *k) {
    static const double w[N] = {-2.5, -1, -0.4, -0.15, 0.2, 0.7, 1, 3}, mean[N] = {0, 0.7, -2, 1, 0.3, -0.8, 0.05, 1.2},
                        sd[N] = {0.9, 0.05, 0.5, 2, 0.1, 0.4, 1, 0.03};
    *k = (prior_case){.type = type, .weight = weight, .block = blocks[weight], .s = 0.3, .stream = 2};
    k->hooks = (bnn_hooks){.name = hook_names, .call = call, .of = k};
    BNN_TRY(bnn_prior_new(spec, &k->prior));
    bnn_hooks *h = &k->hooks;
    k->w = bnn_hooks_reals(h, "w", N, true), k->mean = bnn_hooks_reals(h, "mean", N, true), k->sd = bnn_hooks_reals(h, "sd", N, true);
    k->dw = bnn_hooks_reals(h, "dw", N, false), k->drawn = bnn_hooks_reals(h, "out", N, false);
    k->dmean = bnn_hooks_reals(h, "dmean", N, false), k->dsd = bnn_hooks_reals(h, "dsd", N, false);
    if (h->out_of_memory) {
        case_close(k);
        return bnn_oom("a case");
    }
    for (int i = 0; i < N; i++) k->w[i] = (bnn_real)w[i], k->mean[i] = (bnn_real)mean[i], k->sd[i] = (bnn_real)sd[i];
    return BNN_OK;
}

static double log_density(double w, const prior_case *k) {
    const bnn_real here = (bnn_real)w;
    return logp_of(k, 1, &here, NULL);
}

static double density(double w, void *of) { return exp(log_density(w, of)); }

/* Improper: the same everywhere. */
static bool is_flat(const prior_case *k) { return log_density(0, k) == log_density(1, k) && log_density(0, k) == log_density(100, k); }

/* ---------------------------------------------------------------- the head */

static bnn_status print(bnn_checker *c, void *k) { return bnn_object_rule_print(c, &((prior_case *)k)->prior.object); }

/* ---------------------------------------------------------------- calls */

static bnn_status bounds(bnn_checker *c, void *k) { return bnn_hooks_stay_in_bounds(c, &((prior_case *)k)->hooks); }
static bnn_status allocations(bnn_checker *c, void *k) { return bnn_hooks_allocate_nothing(c, &((prior_case *)k)->hooks); }

/* The same hooks of the other role, whose scale may be another. */
static bnn_status state(bnn_checker *c, void *of) {
    prior_case *k = of, other;
    bnn_record r;
    bnn_status s = bnn_record_take(&k->hooks, &r);
    if (s == BNN_OK) s = bnn_record_compare(c, &k->hooks, &r, NULL);
    if (s == BNN_OK) s = case_open(k->type, c->now.spec, !k->weight, &other);
    if (s == BNN_OK) {
        s = bnn_record_compare(c, &k->hooks, &r, &other.hooks);
        case_close(&other);
    }
    bnn_record_free(&r);
    return s;
}

static bnn_status stays_finite(bnn_checker *c, void *of) {
    static const struct {
        const char *when;
        double w, s;
    } extremes[] = {{"with weights of 0", 0, 0}, {"with weights of 1e-30", 1e-30, -30}, {"with weights of 1e6", 1e6, 30}};
    prior_case *k = of;
    for (size_t e = 0; e < sizeof extremes / sizeof *extremes; e++) {
        for (int i = 0; i < N; i++) k->w[i] = k->mean[i] = (bnn_real)(i % 2 ? -extremes[e].w : extremes[e].w);
        k->s = extremes[e].s;
        BNN_TRY(bnn_hooks_stay_finite(c, &k->hooks, extremes[e].when));
    }
    return BNN_OK;
}

/* The sum over all entries against each of them alone. */
static bnn_status entries(bnn_checker *c, void *of) {
    prior_case *k = of;
    double sum = 0, whole = logp_of(k, N, k->w, k->dw);
    char guess[BNN_GUESS_TEXT];
    for (int i = 0; i < N; i++) {
        bnn_real alone;
        sum += logp_of(k, 1, k->w + i, &alone);
        if (!(fabs((double)(alone - k->dw[i])) <= 10 * ROUNDING * (1 + fabs((double)alone))))
            bnn_checker_break(c, "dw[%d] of %d entries is %.6g, of the entry alone %.6g", i, N, (double)k->dw[i], (double)alone);
    }
    if (!(fabs(whole - sum) <= 10 * ROUNDING * (1 + fabs(sum))))
        bnn_checker_break(c, "logp of %d entries is %.6g, of each alone they sum up to %.6g%s", N, whole, sum,
                          bnn_ratio_guess(whole, sum, NAN, N, guess));
    return BNN_OK;
}

/* ---------------------------------------------------------------- density */

static bnn_status check_density(bnn_checker *c, void *k) {
    if (is_flat(k)) {
        bnn_checker_skip(c, "flat: there is no density");
        return BNN_OK;
    }
    char guess[BNN_GUESS_TEXT];
    double mass = bnn_integral_line(density, k, -INFINITY, INFINITY);
    if (!(fabs(mass - 1) <= 10 * ROUNDING))
        bnn_checker_break(c, "exp(logp) integrates over a weight to %.6g%s", mass, bnn_mass_guess(mass, 1, guess));
    return BNN_OK;
}

static double one_logp(void *of) {
    const prior_case *k = of;
    return logp_of(k, 1, k->w, NULL);
}

static bnn_status gradient(bnn_checker *c, void *of) {
    prior_case *k = of;
    logp_of(k, N, k->w, k->dw);
    for (int i = 0; i < N; i++) {
        prior_case at = *k;
        char guess[BNN_GUESS_TEXT];
        at.w = k->w + i;
        double is = k->dw[i], slope = bnn_difference(one_logp, &at, at.w, NULL);
        if (!(fabs(is - slope) <= SLOPE_TOLERANCE * (1 + fabs(slope))))
            bnn_checker_break(c, "gradient of logp to w = %.4g: dw says %.6g, differences say %.6g%s", (double)*at.w, is, slope,
                              bnn_ratio_guess(is, slope, NAN, N, guess));
    }
    return BNN_OK;
}

static void compare_set(bnn_checker *c, const char *hook, const char *name, const bnn_real *is, const bnn_real *should) {
    for (int i = 0; i < N; i++)
        if (is[i] != should[i])
            bnn_checker_break(c, "%s leaves %.6g in %s[%d], which held 2 before, and should be %.6g%s", hook, (double)is[i], name, i,
                              (double)should[i], fabs((double)is[i] - (double)should[i] - 2) < 1e-3 ? " ('+=' in place of '='?)" : "");
}

static void same_value(bnn_checker *c, const char *hook, double is, double should) {
    if (!(fabs(is - should) <= 10 * ROUNDING * (1 + fabs(should))))
        bnn_checker_break(c, "%s is %.6g where no gradient is wanted, else %.6g", hook, is, should);
}

/* Gradients into what held 0, and into what held 2; then without some of them. */
static bnn_status sets(bnn_checker *c, void *of) {
    prior_case *k = of;
    bnn_real twos[3][N];
    for (int i = 0; i < 3 * N; i++) twos[i / N][i % N] = 2;
    double logp = logp_of(k, N, k->w, k->dw);
    logp_of(k, N, k->w, twos[0]);
    compare_set(c, "logp", "dw", twos[0], k->dw);
    same_value(c, "logp", logp_of(k, N, k->w, NULL), logp);
    if (!k->type->kl_gaussian) return BNN_OK;
    double kl = kl_of(k, N, k->dmean, k->dsd);
    kl_of(k, N, twos[1], NULL), kl_of(k, N, NULL, twos[2]);
    compare_set(c, "kl_gaussian", "dmean", twos[1], k->dmean);
    compare_set(c, "kl_gaussian", "dsd", twos[2], k->dsd);
    same_value(c, "kl_gaussian", kl_of(k, N, NULL, NULL), kl);
    return BNN_OK;
}

/* Says where the density with this many inputs is that with one (alike), or that of an sd divided by the square root of their number. */
static void compare_fan_in(const prior_case *k, int inputs, bool *alike, bool *scaled) {
    prior_case one = *k, many = *k;
    one.block.fan_in = 1, many.block.fan_in = inputs;
    for (int i = 0; i < N; i++) {
        double w = k->w[i], here = log_density(w, &many), same = log_density(w, &one),
               wide = log_density(w * sqrt(inputs), &one) + 0.5 * log(inputs);
        *alike &= fabs(here - same) <= 10 * ROUNDING * (1 + fabs(same));
        *scaled &= fabs(here - wide) <= 10 * ROUNDING * (1 + fabs(wide));
    }
}

/* Which of both it is, an option `scale` with a choice fan_in says. */
static bnn_status fan_in(bnn_checker *c, void *of) {
    static const int inputs[] = {2, FAN_IN, 130, 2000};
    const prior_case *k = of;
    bnn_option o;
    const char *chosen = "";
    if (bnn_options_find(k->type->type.options, "scale", &o) && o.kind == BNN_OPTION_CHOICE)
        chosen = o.choices[*(const int *)(const void *)((const char *)k->prior.object.conf + o.offset)];
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        bool alike = true, scaled = true;
        compare_fan_in(k, inputs[i], &alike, &scaled);
        if (!alike && !scaled)
            bnn_checker_break(
                c, "with fan_in %d the density is neither that of fan_in 1 nor the one whose sd is divided by the square root of it",
                inputs[i]);
        else if (!alike && (!k->weight || strcmp(chosen, "none") == 0))
            bnn_checker_break(c, "the density depends on fan_in, %s",
                              k->weight ? "but scale=none says that it does not" : "which biases must not");
        else if (!scaled && k->weight && !k->type->n_scales && strcmp(chosen, "fan_in") == 0)
            bnn_checker_break(c, "the density does not depend on fan_in, but scale=fan_in says so");
    }
    return BNN_OK;
}

static bnn_status sd_hook(bnn_checker *c, void *of) {
    const prior_case *k = of;
    if (!k->type->sd) {
        bnn_checker_skip(c, "there is no sd hook");
        return BNN_OK;
    }
    double sd = k->type->sd(&k->prior, &k->block);
    if (isinf(sd) && !is_flat(k)) bnn_checker_break(c, "sd is inf, but the density is not flat");
    for (int i = 0; isfinite(sd) && i < 2 * N; i++) { /* the weights of the case, and those of so many sd */
        double w = i < N ? (double)k->w[i] : 20 * sd * (double)k->w[i - N], is = log_density(w, k),
               should = -0.5 * w * w / (sd * sd) - log(sd) - half_log_2pi;
        if (!(fabs(is - should) <= 10 * ROUNDING * (1 + fabs(should))))
            bnn_checker_break(c, "sd is %.6g, but logp(%.4g) is %.6g in place of %.6g, that of N(0, sd^2)", sd, w, is, should);
    }
    return BNN_OK;
}

/* ---------------------------------------------------------------- draws */

enum { DRAWS = 100000, FEWER_DRAWS = 20000, SCALE_DRAWS = 20000, BLOCK = 4096 };

/* x[n]: draws of blocks of BLOCK entries. */
static bnn_status draw_many(const prior_case *k, int n, double *x) {
    bnn_real *w = malloc(BLOCK * sizeof *w);
    if (!w) return bnn_oom("a rule");
    for (int s = 0; s < n; s++) {
        if (s % BLOCK == 0) k->type->draw(&k->prior, &k->block, bnn_rng_split(bnn_rng_seed(3), (uint64_t)(s / BLOCK)), BLOCK, w);
        x[s] = (double)w[s % BLOCK];
    }
    free(w);
    return BNN_OK;
}

/* The block as it is, and with more inputs. */
static bnn_status draws(bnn_checker *c, void *of) {
    static const int inputs[] = {FAN_IN, 130, 2000}, n[] = {DRAWS, FEWER_DRAWS, FEWER_DRAWS};
    prior_case k = *(const prior_case *)of;
    if (is_flat(&k)) {
        bnn_checker_skip(c, "flat: there is nothing to draw from");
        return BNN_OK;
    }
    double *x = malloc(DRAWS * sizeof *x);
    bnn_status status = x ? BNN_OK : bnn_oom("a rule");
    for (size_t i = 0; i < sizeof n / sizeof *n && status == BNN_OK && !bnn_checker_broken(c); i++) {
        k.block.fan_in = inputs[i];
        status = draw_many(&k, n[i], x);
        if (status == BNN_OK) bnn_check_draws(c, density, &k, k.weight ? inputs[i] : 0, n[i], x);
    }
    free(x);
    return status;
}

/* Entries of one draw, and of two streams, have nothing in common: neither they nor their squares. Heavy tails are drawn in. */
static bnn_status compare_entries(bnn_checker *c, const prior_case *k) {
    enum { N_DRAWN = 4 * BLOCK };
    double *x = malloc(3 * N_DRAWN * sizeof *x), *y = x + N_DRAWN, *squares = y + N_DRAWN, size = 0;
    bnn_status status = x ? draw_many(k, N_DRAWN, x) : bnn_oom("a rule");
    for (int i = 0; status == BNN_OK && i < N_DRAWN; i++) size += fabs(tanh(x[i])) / N_DRAWN;
    for (int i = 0; status == BNN_OK && i < N_DRAWN; i++) x[i] = tanh(x[i] / size);
    if (status == BNN_OK) bnn_check_neighbours(c, "entries of a draw", N_DRAWN, x, squares);
    for (int i = 0; status == BNN_OK && i < 3 * BLOCK; i++) y[i] = x[i + BLOCK];
    if (status == BNN_OK && fabs(bnn_correlation_of(3 * BLOCK, x, y).z) > bnn_most_z(1))
        bnn_checker_break(c, "draws of neighbouring streams have the correlation %.3g", bnn_correlation_of(3 * BLOCK, x, y).correlation);
    free(x);
    return status;
}

/* Two streams, and two entries of one stream, have nothing in common. */
static bnn_status stream(bnn_checker *c, void *of) {
    prior_case *k = of;
    int streams = 0, neighbours = 0;
    if (is_flat(k)) {
        bnn_checker_skip(c, "flat: there is nothing to draw from");
        return BNN_OK;
    }
    for (uint64_t s = 0; s < 16; s++) {
        bnn_real first[N];
        k->type->draw(&k->prior, &k->block, bnn_rng_split(bnn_rng_seed(4), s), N, k->drawn);
        memcpy(first, k->drawn, sizeof first);
        k->type->draw(&k->prior, &k->block, bnn_rng_split(bnn_rng_seed(5), s), N, k->drawn);
        for (int i = 0; i < N; i++) streams += first[i] == k->drawn[i], neighbours += i > 0 && first[i] == first[i - 1];
    }
    if (streams > 16 * N / 2) bnn_checker_break(c, "%d of %d entries are the same in two streams: is rng used?", streams, 16 * N);
    if (neighbours > 16 * N / 2)
        bnn_checker_break(c, "%d of %d neighbours in one draw are equal: is each entry drawn?", neighbours, 16 * (N - 1));
    return compare_entries(c, k);
}

/* ---------------------------------------------------------------- KL */

/* q = N(mean, sd^2) of one entry. */
typedef struct {
    const prior_case *k;
    double mean, sd;
} q_and_p;

static double log_q(double w, const q_and_p *q) {
    double z = (w - q->mean) / q->sd;
    return -0.5 * z * z - log(q->sd) - half_log_2pi;
}

/* w = mean + sd e */
static double kl_at(double e, void *of) {
    const q_and_p *q = of;
    double w = q->mean + q->sd * e;
    return exp(-0.5 * e * e - half_log_2pi) * (log_q(w, q) - log_density(w, q->k));
}

static double swapped_at(double w, void *of) {
    const q_and_p *q = of;
    double p = exp(log_density(w, q->k));
    return p > 0 ? p * (log_density(w, q->k) - log_q(w, q)) : 0;
}

static void compare_kl(bnn_checker *c, const prior_case *k, int i) {
    prior_case one = *k;
    q_and_p q = {k, (double)k->mean[i], (double)k->sd[i]};
    char guess[BNN_GUESS_TEXT];
    one.mean = k->mean + i, one.sd = k->sd + i;
    double is = kl_of(&one, 1, NULL, NULL), exact = bnn_integral(kl_at, &q, -12, 12);
    if (fabs(is - exact) <= 10 * ROUNDING * (1 + fabs(exact))) return;
    double swapped = bnn_integral_line(swapped_at, &q, -INFINITY, INFINITY);
    bnn_checker_break(c, "KL of N(%g, %g^2) from the prior is %.6g, quadrature says %.6g%s", q.mean, q.sd, is, exact,
                      fabs(is - swapped) <= 1e-3 * (1 + fabs(is)) ? " (that of the prior from it: are the two swapped?)"
                                                                  : bnn_ratio_guess(is, exact, NAN, 0, guess));
}

static bnn_status kl(bnn_checker *c, void *of) {
    prior_case *k = of;
    if (!k->type->kl_gaussian) {
        bnn_checker_skip(c, "there is no kl_gaussian hook: Monte Carlo takes its place");
        return BNN_OK;
    }
    double sum = 0, whole = kl_of(k, N, NULL, NULL), sd = k->type->sd ? k->type->sd(&k->prior, &k->block) : INFINITY;
    for (int i = 0; i < N; i++) {
        prior_case one = *k;
        one.mean = k->mean + i, one.sd = k->sd + i;
        sum += kl_of(&one, 1, NULL, NULL);
        compare_kl(c, k, i);
    }
    if (!(fabs(whole - sum) <= 10 * ROUNDING * (1 + fabs(sum))))
        bnn_checker_break(c, "KL of %d entries is %.6g, of each alone they sum up to %.6g", N, whole, sum);
    for (int i = 0; i < N; i++) k->mean[i] = 0, k->sd[i] = (bnn_real)sd;
    if (isfinite(sd) && !(fabs(kl_of(k, N, NULL, NULL)) <= 10 * ROUNDING * N))
        bnn_checker_break(c, "KL is %.6g where q is the prior: it is 0 there", kl_of(k, N, NULL, NULL));
    return BNN_OK;
}

static double one_kl(void *of) { return kl_of(of, 1, NULL, NULL); }

static bnn_status kl_gradient(bnn_checker *c, void *of) {
    prior_case *k = of;
    if (!k->type->kl_gaussian) {
        bnn_checker_skip(c, "there is no kl_gaussian hook: Monte Carlo takes its place");
        return BNN_OK;
    }
    for (int i = 0; i < N; i++) k->sd[i] = (bnn_real)fmax((double)k->sd[i], 0.1); /* log sd is straight over the step of the differences */
    kl_of(k, N, k->dmean, k->dsd);
    for (int i = 0; i < 2 * N; i++) {
        prior_case one = *k;
        bool is_sd = i >= N;
        char guess[BNN_GUESS_TEXT];
        one.mean = k->mean + i % N, one.sd = k->sd + i % N;
        double is = (is_sd ? k->dsd : k->dmean)[i % N], slope = bnn_difference(one_kl, &one, is_sd ? one.sd : one.mean, NULL);
        if (!(fabs(is - slope) <= SLOPE_TOLERANCE * (1 + fabs(slope))))
            bnn_checker_break(c, "gradient of KL of N(%g, %g^2) to the %s: the hook says %.6g, differences say %.6g%s", (double)*one.mean,
                              (double)*one.sd, is_sd ? "sd" : "mean", is, slope, bnn_ratio_guess(is, slope, NAN, N, guess));
    }
    return BNN_OK;
}

/* ---------------------------------------------------------------- scales */

/* The density of s, times e^(power s). */
typedef struct {
    const prior_case *k;
    double power;
} weighed_scale;

static double logp_scale(const prior_case *k, double s, double *ds) { return k->type->logp_scale(&k->prior, &k->block, s, ds); }

static double scale_density(double s, void *of) {
    const weighed_scale *w = of;
    double ds;
    return exp(logp_scale(w->k, s, &ds) + w->power * s);
}

static void check_scale_mass(bnn_checker *c, const prior_case *k) {
    static const struct {
        double power;
        const char *guess;
    } jacobians[] = {{-1, " (a density of the precision: is its Jacobian e^-s missing?)"},
                     {1, " (a density of the variance: is its Jacobian e^s missing?)"},
                     {0.5, " (a density of the sd: is its Jacobian e^(s/2) / 2 missing?)"}};
    double mass = bnn_integral_line(scale_density, &(weighed_scale){k, 0}, -INFINITY, INFINITY);
    if (fabs(mass - 1) <= 10 * ROUNDING) return;
    const char *guess = "";
    for (size_t i = 0; i < sizeof jacobians / sizeof *jacobians && !*guess; i++) {
        double with = bnn_integral_line(scale_density, &(weighed_scale){k, jacobians[i].power}, -INFINITY, INFINITY);
        if (fabs(with - 1) <= 1e-3 || fabs(with - 2) <= 1e-3) guess = jacobians[i].guess;
    }
    bnn_checker_break(c, "exp(logp_scale) integrates over s to %.6g%s", mass, guess);
}

static bnn_status scales(bnn_checker *c, void *of) {
    const prior_case *k = of;
    if (!k->type->n_scales) {
        bnn_checker_skip(c, "there is no n_scales hook");
        return BNN_OK;
    }
    int n = k->type->n_scales(&k->prior, &k->block);
    if (n < 1 || N % n != 0) bnn_checker_break(c, "n_scales cuts a block of %d reals into %d runs, which cannot be equal", N, n);
    for (double s = -30; s <= 30; s += 1.5) {
        const double h = 1e-4;
        double ds, unused, slope = (logp_scale(k, s + h, &unused) - logp_scale(k, s - h, &unused)) / (2 * h);
        char guess[BNN_GUESS_TEXT];
        logp_scale(k, s, &ds);
        if (!(fabs(ds - slope) <= 1e-5 * (1 + fabs(slope))))
            bnn_checker_break(c, "slope of logp_scale at s = %g: the hook says %.6g, differences say %.6g%s", s, ds, slope,
                              bnn_ratio_guess(ds, slope, NAN, 0, guess));
    }
    check_scale_mass(c, k);
    return BNN_OK;
}

enum { LONGEST_RUN = 131 };

/* s given n weights: its density up to a factor, which mass takes out. */
typedef struct {
    const prior_case *k;
    const bnn_real *w;
    int n;
    double most, mass; /* most: about the largest log density */
} scale_given;

static double log_given(double s, const scale_given *g) {
    bnn_real z[LONGEST_RUN];
    double ds;
    for (int i = 0; i < g->n; i++) z[i] = (bnn_real)((double)g->w[i] * exp(-0.5 * s));
    return logp_of(g->k, g->n, z, NULL) - 0.5 * g->n * s + logp_scale(g->k, s, &ds);
}

static double given_density(double s, void *of) {
    const scale_given *g = of;
    return exp(log_given(s, g) - g->most) / g->mass;
}

static void find_mass(scale_given *g) {
    g->most = -INFINITY, g->mass = 1;
    for (double s = -16; s <= 16; s += 0.25) g->most = fmax(g->most, log_given(s, g));
    g->mass = bnn_integral_line(given_density, g, -INFINITY, INFINITY);
}

static bnn_status scales_given(bnn_checker *c, void *of) {
    static const int runs[] = {1, N, LONGEST_RUN};
    const prior_case *k = of;
    bnn_real w[LONGEST_RUN];
    if (!k->type->draw_scale_given) {
        bnn_checker_skip(c, "there is no draw_scale_given hook");
        return BNN_OK;
    }
    double *x = malloc(SCALE_DRAWS * sizeof *x);
    if (!x) return bnn_oom("a rule");
    for (int i = 0; i < LONGEST_RUN; i++) w[i] = k->w[i % N];
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        scale_given g = {.k = k, .w = w, .n = runs[i]};
        find_mass(&g);
        for (int s = 0; s < SCALE_DRAWS; s++)
            x[s] = k->type->draw_scale_given(&k->prior, &k->block, runs[i], w, bnn_rng_split(bnn_rng_seed(6), (uint64_t)s));
        bnn_check_draws(c, given_density, &g, 0, SCALE_DRAWS, x);
    }
    free(x);
    return BNN_OK;
}

static bnn_status scale_draws(bnn_checker *c, void *of) {
    static const int inputs[] = {FAN_IN, 130};
    prior_case k = *(const prior_case *)of;
    if (!k.type->draw_scale) {
        bnn_checker_skip(c, "there is no draw_scale hook");
        return BNN_OK;
    }
    double *x = malloc(SCALE_DRAWS * sizeof *x);
    if (!x) return bnn_oom("a rule");
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        k.block.fan_in = inputs[i];
        for (int s = 0; s < SCALE_DRAWS; s++) x[s] = k.type->draw_scale(&k.prior, &k.block, bnn_rng_split(bnn_rng_seed(7), (uint64_t)s));
        bnn_check_draws(c, scale_density, &(weighed_scale){&k, 0}, 0, SCALE_DRAWS, x);
    }
    free(x);
    return BNN_OK;
}

/* ---------------------------------------------------------------- blocks of other sizes */

/* Random entries of one block in arrays that have no room for more, and what the hooks make of them. */
typedef struct {
    int n;
    bnn_real *w, *dw, *drawn, *mean, *sd, *dmean, *dsd;
} sized;

enum { SIZED_ARRAYS = 7 };

static bnn_status sized_new(int n, sized *out) {
    bnn_real *a[SIZED_ARRAYS];
    bool ok = true;
    for (int i = 0; i < SIZED_ARRAYS; i++) ok &= (a[i] = bnn_guarded_new((size_t)n)) != NULL;
    *out = (sized){n, a[0], a[1], a[2], a[3], a[4], a[5], a[6]};
    if (!ok) return bnn_oom("a rule");
    bnn_rng_normal(bnn_rng_seed(8), 0, 1, n, out->w);
    bnn_rng_normal(bnn_rng_seed(9), 0, 1, n, out->mean);
    for (int i = 0; i < n; i++) out->sd[i] = (bnn_real)(0.05 + fabs((double)out->w[i]));
    return BNN_OK;
}

static void sized_free(const sized *b) {
    bnn_real *const a[SIZED_ARRAYS] = {b->w, b->dw, b->drawn, b->mean, b->sd, b->dmean, b->dsd};
    for (int i = 0; i < SIZED_ARRAYS; i++) bnn_guarded_free(a[i]);
}

/* is: of n entries at once; should: the sum over them, alone. */
static void compare_size(bnn_checker *c, const char *what, int n, double is, double should, double size) {
    char guess[BNN_GUESS_TEXT];
    if (!(fabs(is - should) <= (BNN_REAL_IS_DOUBLE ? 1e-11 : 2e-6) * (1 + size)))
        bnn_checker_break(c, "%s of %d entries is %.9g, of each alone they sum up to %.9g%s", what, n, is, should,
                          bnn_ratio_guess(is, should, NAN, n, guess));
}

static void compare_entry(bnn_checker *c, const char *what, int i, int n, bnn_real is, bnn_real should) {
    if (!(fabs((double)is - (double)should) <= 10 * ROUNDING * (1 + fabs((double)should))))
        bnn_checker_break(c, "%s[%d] of %d entries is %.6g, of the entry alone %.6g", what, i, n, (double)is, (double)should);
}

static void compare_sized(bnn_checker *c, const prior_case *k, const sized *b) {
    const bnn_prior_type *t = k->type;
    double whole[2] = {t->logp(&k->prior, &k->block, b->n, b->w, b->dw)}, sum[2] = {0}, size[2] = {0};
    bnn_real d[3];
    if (t->kl_gaussian) whole[1] = t->kl_gaussian(&k->prior, &k->block, b->n, b->mean, b->sd, b->dmean, b->dsd);
    for (int i = 0; i < b->n; i++) b->drawn[i] = (bnn_real)NAN;
    if (!is_flat(k)) t->draw(&k->prior, &k->block, bnn_rng_seed(2), b->n, b->drawn);
    const bnn_real *const written[] = {b->dw, b->dmean, b->dsd, b->drawn};
    static const char *const names[] = {"logp writes outside dw", "kl_gaussian writes outside dmean", "kl_gaussian writes outside dsd",
                                        "draw writes outside out"};
    for (int a = 0; a < 4; a++)
        if (!bnn_guarded_intact(written[a])) bnn_checker_break(c, "%s [%d]", names[a], b->n);
    for (int i = 0; i < b->n; i++) {
        double one = t->logp(&k->prior, &k->block, 1, b->w + i, d);
        sum[0] += one, size[0] += fabs(one);
        compare_entry(c, "dw", i, b->n, b->dw[i], d[0]);
        if (!is_flat(k) && isnan(b->drawn[i])) bnn_checker_break(c, "draw leaves entry %d of %d as it was", i, b->n);
        if (!is_flat(k) && b->n > 8 && i > 0 && b->drawn[i] == b->drawn[i - 1] && b->drawn[i] == b->drawn[(i + b->n / 2) % b->n])
            bnn_checker_break(c, "entry %d of a draw of %d is equal to others: is each drawn?", i, b->n);
        if (!t->kl_gaussian) continue;
        one = t->kl_gaussian(&k->prior, &k->block, 1, b->mean + i, b->sd + i, d + 1, d + 2);
        sum[1] += one, size[1] += fabs(one);
        compare_entry(c, "dmean", i, b->n, b->dmean[i], d[1]), compare_entry(c, "dsd", i, b->n, b->dsd[i], d[2]);
    }
    compare_size(c, "logp", b->n, whole[0], sum[0], size[0]);
    if (t->kl_gaussian) compare_size(c, "KL", b->n, whole[1], sum[1], size[1]);
}

static bnn_status sizes(bnn_checker *c, void *of) {
    static const int numbers[] = {1, 3, 5, 7, 65, 1027, 100000};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers && !bnn_checker_broken(c); i++) {
        prior_case k = *(const prior_case *)of;
        sized b;
        k.block.rows = 0, k.block.cols = numbers[i];
        bnn_status s = sized_new(numbers[i], &b);
        if (s == BNN_OK) compare_sized(c, &k, &b);
        sized_free(&b);
        if (s < 0) return s;
    }
    return BNN_OK;
}

/* ---------------------------------------------------------------- far from the start */

static bnn_status far(bnn_checker *c, void *of) {
    static const double mean[N] = {20, -20, 7, -3, 0, 50, -12, 1}, sd[N] = {0.3, 2, 10, 5, 20, 1, 1e-3, 1e-2},
                        w[N] = {-60, -1000, -20, -6, 6, 12, 200, 3000};
    prior_case *k = of;
    for (int i = 0; i < N; i++) k->w[i] = (bnn_real)w[i], k->mean[i] = (bnn_real)mean[i], k->sd[i] = (bnn_real)sd[i];
    BNN_TRY(gradient(c, k));
    if (!k->type->kl_gaussian || bnn_checker_broken(c)) return BNN_OK;
    for (int i = 0; i < N; i++) compare_kl(c, k, i);
    return bnn_checker_broken(c) ? BNN_OK : kl_gradient(c, k);
}

/* ---------------------------------------------------------------- the suite */

static bnn_status metadata(bnn_checker *c) { return bnn_object_rule_metadata(c, 0); }

/* The rules of numbers that hold whatever the options are. */
static bnn_status at_values(bnn_checker *c, prior_case *k) {
    static bnn_status (*const rules_of_numbers[])(bnn_checker * c, void *k) = {check_density, gradient, fan_in, sd_hook, kl, draws};
    for (size_t i = 0; i < sizeof rules_of_numbers / sizeof *rules_of_numbers && !bnn_checker_broken(c); i++)
        BNN_TRY(rules_of_numbers[i](c, k));
    if (!bnn_checker_broken(c)) c->now.outcome = BNN_HOLDS;
    return BNN_OK;
}

static bnn_status values(bnn_checker *c);

static const bnn_table_rule rules[] = {
    {{"metadata", "name, summary, hooks and check specs are there"}, .once = metadata},
    {{"options", "every option takes its preset and its ends, refuses what is beyond them by name, and leaves the others alone"},
     .once = bnn_object_rule_options},
    {{"values", "with each option at three values within its range the rules of its numbers hold"}, .once = values},
    {{"print", "the printed options make the same prior"}, .on_case = print},
    {{"bounds", "no hook writes outside its arrays or into what it is only lent"}, .on_case = bounds},
    {{"allocations", "no hook allocates"}, .on_case = allocations},
    {{"state", "the same call gives the same bits, whatever was called in between"}, .on_case = state},
    {{"finite", "values and gradients are finite at weights of 0, 1e-30 and 1e6"}, .on_case = stays_finite},
    {{"entries", "the entries of a block are independent: logp is the sum over them"}, .on_case = entries},
    {{"density", "exp(logp) integrates to 1 over a weight, unless it is flat"}, .on_case = check_density},
    {{"gradient", "the gradient of logp is that of differences"}, .on_case = gradient},
    {{"sets", "gradients are set, not added to, and may be unwanted"}, .on_case = sets},
    {{"fan_in", "the density does not depend on fan_in, or its sd is divided by the square root of it, as the option scale says"},
     .on_case = fan_in},
    {{"sd", "the sd is that of the density N(0, sd^2)"}, .on_case = sd_hook},
    {{"draws", "draws follow the density: their spread to one percent, and their tails"}, .on_case = draws},
    {{"stream", "every entry of a draw has noise of its own, which is that of the stream and of no neighbour"}, .on_case = stream},
    {{"sizes", "blocks of 1 to 100000 entries are the sums of theirs, in arrays that have no room for more"}, .on_case = sizes},
    {{"kl", "KL of a Gaussian from the prior is that of quadrature, summed over the entries, and 0 at the prior"}, .on_case = kl},
    {{"kl_gradient", "the gradients of KL to mean and sd are those of differences"}, .on_case = kl_gradient},
    {{"far", "gradients and KL hold far from the start: at weights of 3000, means of 50, sd from 0.001 to 20"}, .on_case = far},
    {{"scales", "a block is cut into equal runs, and exp(logp_scale) integrates to 1 over the log variance, with its slope"},
     .on_case = scales},
    {{"scale_draws", "draws of a log variance follow its density"}, .on_case = scale_draws},
    {{"scales_given", "draws of a log variance given its weights follow their joint density"}, .on_case = scales_given},
};

enum { N_RULES = sizeof rules / sizeof *rules };

static const bnn_rule *rule_at(int i) { return i >= 0 && i < N_RULES ? &rules[i].rule : NULL; }

static bnn_status on_spec(bnn_checker *c, const bnn_table_rule *rule, const char *spec, bool *taken) {
    static const char *const roles[] = {"biases", "weights"};
    *taken = false;
    for (int weight = 1; weight >= 0; weight--) {
        prior_case k;
        if (rule) bnn_checker_come_to(c, &rule->rule, spec, roles[weight]);
        bnn_status status = case_open((const bnn_prior_type *)c->type, spec, weight, &k);
        if (status == BNN_ERR_MEMORY) return status;
        if (status < 0) continue;
        *taken = true;
        status = rule ? bnn_run_case(c, rule, spec, roles[weight], &k) : at_values(c, &k);
        case_close(&k);
        if (status < 0) return status;
    }
    return BNN_OK;
}

static bnn_status cases(bnn_checker *c, const bnn_table_rule *rule) {
    bool taken;
    for (int s = 0; c->type->checks[s]; s++) BNN_TRY(on_spec(c, rule, c->type->checks[s], &taken));
    return BNN_OK;
}

static bnn_status at_option(bnn_checker *c, const char *spec, void *of) {
    bool taken;
    (void)of;
    return on_spec(c, NULL, spec, &taken);
}

static bnn_status run(bnn_checker *c) { return bnn_run_table(c, N_RULES, rules, cases); }

static bnn_status exercise(bnn_checker *c, const char *spec, int turn, uint64_t *digest) {
    bnn_status s = BNN_OK;
    *digest = BNN_DIGEST;
    for (int weight = 0; weight < 2 && s == BNN_OK; weight++) {
        prior_case k;
        BNN_TRY(case_open((const bnn_prior_type *)c->type, spec, weight, &k));
        bnn_hooks_turn(&k.hooks, turn);
        k.s += turn, k.stream += (uint64_t)turn, k.block.fan_in += turn;
        s = bnn_hooks_digest(&k.hooks, digest);
        case_close(&k);
    }
    return s;
}

static bnn_status values(bnn_checker *c) { return bnn_object_rule_values(c, exercise, at_option, NULL); }

/* One prior is of many blocks. */
static bool call_on_blocks(void *of, int hook) {
    prior_case *k = of;
    k->block.fan_in++, k->s += 0.1, k->stream++;
    return call(k, hook);
}

static bnn_status share(bnn_checker *c, const char *spec) {
    bnn_status s = BNN_OK;
    for (int weight = 0; weight < 2 && s == BNN_OK; weight++) {
        prior_case k;
        bnn_owned_begin(c);
        BNN_TRY(case_open((const bnn_prior_type *)c->type, spec, weight, &k));
        k.hooks.call = call_on_blocks;
        s = bnn_hooks_share(c, &k.hooks);
        case_close(&k);
    }
    return s;
}

const bnn_suite bnn_suite_prior = {.rule = rule_at, .run = run, .exercise = exercise, .share = share, .attempt = bnn_object_attempt};
