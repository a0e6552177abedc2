/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * density.c: nll as the logarithm of a density: its mass, its gradients, its units, and what follows from it.
 */
#include "likelihood.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- mass */

/* Two targets of row 0: one is held while the other is integrated over. */
typedef struct {
    const bnn_likelihood_case *k;
    int moving;
    bnn_real y[2];
} plane;

static double along(double y, void *of) {
    plane *p = of;
    p->y[p->moving] = (bnn_real)y;
    return exp(bnn_case_logp(p->k, 0, p->y));
}

double bnn_target_density(double y, void *of) {
    const bnn_target *t = of;
    plane p = {.k = t->k, .moving = 1 - t->d};
    p.y[t->d] = (bnn_real)y;
    return t->k->l.y_dim == 1 ? exp(bnn_case_logp(t->k, 0, p.y)) : bnn_integral_line(along, &p, -INFINITY, INFINITY);
}

static double mass_of(bnn_likelihood_case *k) {
    double sum = 0;
    if (!k->is_class) return bnn_integral_line(bnn_target_density, &(bnn_target){k, 0}, -INFINITY, INFINITY);
    for (int y = 0; y < k->l.n_classes; y++) sum += bnn_class_probability(k, y);
    return sum;
}

bnn_status bnn_likelihood_density(bnn_checker *c, void *of) {
    bnn_likelihood_case *k = of;
    if (k->l.y_dim > 2) {
        bnn_checker_skip(c, "more than two targets: `together` samples them");
        return BNN_OK;
    }
    double mass = mass_of(k);
    char guess[BNN_GUESS_TEXT];
    if (!(fabs(mass - 1) <= 10 * ROUNDING))
        bnn_checker_break(c, "exp(-nll) %s to %.6g%s", k->is_class ? "sums over the classes" : "integrates over y", mass,
                          bnn_mass_guess(mass, k->l.y_dim, guess));
    return BNN_OK;
}

/* ---------------------------------------------------------------- gradients */

static double nll_of(void *of) {
    bnn_likelihood_case *k = of;
    return k->type->nll(&k->l, k->n, k->f, k->y, k->theta, 1, NULL, NULL);
}

/* Of the row that k->from is at: others may be so much larger that its differences would be lost in their rounding. */
static double row_nll(void *of) {
    const bnn_likelihood_case *k = of;
    return -bnn_case_logp(k, k->from, k->y + k->from * k->l.y_dim);
}

static double logp_of(void *of) {
    bnn_likelihood_case *k = of;
    return k->type->logp(&k->l, k->theta, 1, NULL);
}

/* The entry that is furthest off, if one is off at all. hook: what the gradient is of. */
static void compare_slopes(bnn_checker *c, bnn_likelihood_case *k, const char *hook, double (*value)(void *of), const char *name, int n,
                           bnn_real *at, const bnn_real *gradient) {
    double worst = 0;
    for (int i = 0; i < n; i++) {
        char guess[BNN_GUESS_TEXT];
        bool bent;
        if (value == row_nll) k->from = i / k->out;
        double slope = bnn_difference(value, k, &at[i], &bent), is = gradient[i], off = fabs(is - slope) / (1 + fabs(slope));
        if (off <= SLOPE_TOLERANCE || off <= worst || (k->far && bent)) continue;
        worst = off;
        c->now.outcome = BNN_HOLDS;
        bnn_checker_break(c, "gradient of %s to %s[%d]: the hook says %.6g, differences say %.6g%s", hook, name, i, is, slope,
                          bnn_ratio_guess(is, slope, NAN, k->n, guess));
    }
    k->from = 0;
}

static double gradients_at(bnn_likelihood_case *k, double scale) {
    memset(k->df, 0, (size_t)(k->n * k->out) * sizeof *k->df);
    memset(k->dtheta, 0, (size_t)k->l.n_theta * sizeof *k->dtheta);
    return k->type->nll(&k->l, k->n, k->f, k->y, k->theta, scale, k->df, k->dtheta);
}

bnn_status bnn_likelihood_own_gradient(bnn_checker *c, void *of) {
    bnn_likelihood_case *k = of;
    gradients_at(k, 1);
    compare_slopes(c, k, "nll", nll_of, "theta", k->l.n_theta, k->theta, k->dtheta);
    return BNN_OK;
}

bnn_status bnn_likelihood_gradient(bnn_checker *c, void *of) {
    bnn_likelihood_case *k = of;
    gradients_at(k, 1);
    compare_slopes(c, k, "nll", row_nll, "f", k->n * k->out, k->f, k->df);
    return bnn_checker_broken(c) ? BNN_OK : bnn_likelihood_own_gradient(c, k);
}

/* Ten times the outputs, twice the own parameters, targets up to 60 sd away: gradients, and log p from both hooks. */
bnn_status bnn_likelihood_far(bnn_checker *c, void *of) {
    static const double away[] = {-20, 8, 60, -60, 20};
    bnn_likelihood_case *k = of;
    k->far = true;
    for (int i = 0; i < k->n * k->out; i++) k->f[i] *= 10;
    for (int i = 0; i < k->l.n_theta; i++) k->theta[i] *= 2;
    k->type->observe(&k->l, k->n, k->f, NULL, k->theta, &(bnn_observation){.mean = k->mean, .var = k->var});
    for (int i = 0; !k->is_class && i < k->n * k->l.y_dim; i++) {
        double var = (double)k->var[i];
        k->y[i] = (bnn_real)((double)k->mean[i] + away[i % 5] * (isfinite(var) ? sqrt(var) : 1));
    }
    BNN_TRY(bnn_likelihood_gradient(c, k));
    return bnn_checker_broken(c) ? BNN_OK : bnn_likelihood_observe(c, k);
}

/* a is at scale 1, b at this scale. */
static void compare_scaled(bnn_checker *c, const char *hook, const char *name, int n, const bnn_real *a, const bnn_real *b, double scale) {
    for (int i = 0; i < n; i++) {
        double is = b[i], should = scale * (double)a[i];
        if (!(fabs(is - should) <= 10 * ROUNDING * (1 + fabs(should))))
            bnn_checker_break(c, "%s makes %s[%d] %.6g at scale %g, and %.6g at scale 1: is it multiplied by scale once?", hook, name, i,
                              is, scale, (double)a[i]);
    }
}

/* Two of the gradients, at another scale; what else a pointer that is NULL may change. */
bnn_status bnn_likelihood_scale(bnn_checker *c, void *of) {
    bnn_likelihood_case *k = of;
    const double other = 2.5;
    int n = k->n * k->out, own = k->l.n_theta;
    bnn_contents one;
    double value = gradients_at(k, 1);
    BNN_TRY(bnn_contents_keep(&k->hooks, &one));
    const bnn_real *df = NULL, *dtheta = NULL;
    for (int i = 0; i < k->hooks.n_arrays; i++) {
        if (k->hooks.array[i].at == k->df) df = one.kept[i];
        if (k->hooks.array[i].at == k->dtheta) dtheta = one.kept[i];
    }
    double scaled = gradients_at(k, other);
    if (!(fabs(scaled - value) <= 10 * ROUNDING * (1 + fabs(value))))
        bnn_checker_break(c, "nll is %.6g at scale %g, and %.6g at scale 1: the value is never scaled", scaled, other, value);
    compare_scaled(c, "nll", "df", n, df, k->df, other);
    compare_scaled(c, "nll", "dtheta", own, dtheta, k->dtheta, other);
    double unwanted = k->type->nll(&k->l, k->n, k->f, k->y, k->theta, other, NULL, NULL);
    if (!(fabs(unwanted - value) <= 10 * ROUNDING * (1 + fabs(value))))
        bnn_checker_break(c, "nll is %.6g where no gradient is wanted, else %.6g", unwanted, value);
    memset(k->dtheta, 0, (size_t)own * sizeof *k->dtheta);
    k->type->nll(&k->l, k->n, k->f, k->y, k->theta, 1, NULL, k->dtheta);
    compare_scaled(c, "nll without df", "dtheta", own, dtheta, k->dtheta, 1);
    k->type->nll(&k->l, k->n, k->f, k->y, k->theta, 1, k->df, NULL);
    compare_scaled(c, "nll without dtheta", "df", n, df, k->df, 1);
    bnn_contents_free(&one);
    return BNN_OK;
}

static void compare_filled(bnn_checker *c, const char *name, int n, const bnn_real *a, const bnn_real *b, double kept,
                           const char *mistake) {
    for (int i = 0; i < n; i++) {
        double is = b[i], should = (double)a[i] + kept;
        if (!(fabs(is - should) <= 10 * ROUNDING * (2 + fabs(should))))
            bnn_checker_break(c, "nll leaves %.6g in %s[%d], which held 2 before, and should be %.6g%s", is, name, i, should,
                              fabs(is - should - (kept > 0 ? -2 : 2)) <= 10 * ROUNDING * (2 + fabs(should)) ? mistake : "");
    }
}

/* The first call begins with 0 in both, the second with 2. */
bnn_status bnn_likelihood_adds(bnn_checker *c, void *of) {
    bnn_likelihood_case *k = of;
    size_t n = (size_t)(k->n * k->out), own = (size_t)k->l.n_theta;
    bnn_real *df = malloc((n + own) * sizeof *df), *dtheta = df + n;
    if (!df) return bnn_oom("a rule");
    gradients_at(k, 1);
    memcpy(df, k->df, n * sizeof *df), memcpy(dtheta, k->dtheta, own * sizeof *df);
    for (size_t i = 0; i < n; i++) k->df[i] = 2;
    for (size_t i = 0; i < own; i++) k->dtheta[i] = 2;
    k->type->nll(&k->l, k->n, k->f, k->y, k->theta, 1, k->df, k->dtheta);
    compare_filled(c, "df", (int)n, df, k->df, 0, " ('+=' in place of '='?)");
    compare_filled(c, "dtheta", (int)own, dtheta, k->dtheta, 2, " ('=' in place of '+='?)");
    free(df);
    return BNN_OK;
}

/* ---------------------------------------------------------------- units */

enum { MOST_UNITS = 4 };
static const double factor = 2; /* between the units of two likelihoods */

/* Options of the case's spec that say they are in the units of y and are in use: another value gives another nll, or variance. */
typedef struct {
    int n;
    bnn_option option[MOST_UNITS];
    double power[MOST_UNITS]; /* such options scale with y to this power; NaN: not known */
} units;

static double *field(const bnn_likelihood *l, const bnn_option *o) { return (double *)(void *)((char *)l->object.conf + o->offset); }

/* nll of the case's rows with other options: the object is bound again. */
static double nll_bound_again(bnn_likelihood_case *k, double *var) {
    if (k->type->close) k->type->close(&k->l), k->l.own = NULL;
    if (k->type->bind(&k->l) < 0) return NAN;
    if (var) {
        k->type->observe(&k->l, 1, k->f, NULL, k->theta, &(bnn_observation){.mean = k->mean, .var = k->var});
        *var = (double)k->var[0];
    }
    return nll_of(k);
}

/* An option that scales with y^k makes the variance scale with option^(2/k). */
static double power_of(double var, double moved, double by) {
    double power = 2 * log(by) / log(moved / var);
    return fabs(power - nearbyint(power)) < 1e-3 && fabs(power) >= 0.5 && fabs(power) < 2.5 ? nearbyint(power) : NAN;
}

static void find_units(bnn_likelihood_case *k, units *u) {
    const double by = 1.25;
    double var, moved, nll = nll_bound_again(k, &var);
    bnn_option o;
    for (int i = 0; u->n < MOST_UNITS && bnn_options_at(k->type->type.options, i, &o); i++) {
        if (o.kind != BNN_OPTION_REAL || !strstr(o.help, "units of y")) continue;
        double *value = field(&k->l, &o), kept = *value;
        *value = kept * by;
        double there = nll_bound_again(k, &moved);
        if (kept != 0 && isfinite(there) && there != nll) u->option[u->n] = o, u->power[u->n++] = power_of(var, moved, by);
        *value = kept;
    }
    nll_bound_again(k, NULL);
}

/* Compares nll with that where y is measured in other units: y_mean and y_sd times factor, the options times its powers. */
static double nll_in_other_units(bnn_likelihood_case *k, const units *u, const double power[MOST_UNITS]) {
    double kept[MOST_UNITS], mean[BNN_MOST_TARGETS], sd[BNN_MOST_TARGETS];
    memcpy(mean, k->y_mean, sizeof mean), memcpy(sd, k->y_sd, sizeof sd);
    for (int i = 0; i < u->n; i++) {
        kept[i] = *field(&k->l, &u->option[i]);
        *field(&k->l, &u->option[i]) *= pow(factor, power[i]);
    }
    for (int i = 0; i < BNN_MOST_TARGETS; i++) k->y_mean[i] *= factor, k->y_sd[i] *= factor;
    double nll = nll_bound_again(k, NULL);
    for (int i = 0; i < u->n; i++) *field(&k->l, &u->option[i]) = kept[i];
    memcpy(k->y_mean, mean, sizeof mean);
    memcpy(k->y_sd, sd, sizeof sd);
    nll_bound_again(k, NULL);
    return nll;
}

/* Finds the nearest nll over all powers that may be meant. */
static double nearest_in_other_units(bnn_likelihood_case *k, const units *u, double nll) {
    static const double powers[] = {1, -1, 2, -2};
    double best = INFINITY, power[MOST_UNITS];
    for (int tried = 0; tried < 1 << 2 * u->n; tried++) {
        for (int i = 0; i < u->n; i++) power[i] = isnan(u->power[i]) ? powers[tried >> 2 * i & 3] : u->power[i];
        double there = nll_in_other_units(k, u, power);
        if (!(fabs(there - nll) >= fabs(best - nll))) best = there;
    }
    return best;
}

/* The variance of a target is not that of another one's unit. */
static void compare_other_targets(bnn_checker *c, bnn_likelihood_case *k) {
    double before[BNN_MOST_TARGETS], unused;
    nll_bound_again(k, &unused);
    for (int d = 0; d < k->l.y_dim; d++) before[d] = (double)k->var[d];
    for (int d = 0; d < k->l.y_dim && k->l.y_dim > 1; d++) {
        double kept = k->y_sd[d];
        k->y_sd[d] *= factor;
        nll_bound_again(k, &unused);
        k->y_sd[d] = kept;
        for (int e = 0; e < k->l.y_dim; e++)
            if (e != d && isfinite(before[e]) && (double)k->var[e] != before[e])
                bnn_checker_break(c,
                                  "the variance of target %d is %.6g, and %.6g with y_sd[%d] times %g: is it converted with its own y_sd?",
                                  e, before[e], (double)k->var[e], d, factor);
    }
    nll_bound_again(k, NULL);
}

bnn_status bnn_likelihood_units(bnn_checker *c, void *of) {
    bnn_likelihood_case *k = of;
    units u = {0};
    char names[128] = "";
    if (!k->is_class) compare_other_targets(c, k);
    double nll = nll_of(k), none[MOST_UNITS] = {0}, rounding = 10 * ROUNDING * (1 + fabs(nll));
    find_units(k, &u);
    for (int i = 0; i < u.n; i++) {
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s'%s'", i ? ", " : "", u.option[i].name);
    }
    double there = nearest_in_other_units(k, &u, nll), unmoved = u.n > 0 ? nll_in_other_units(k, &u, none) : NAN;
    if (fabs(there - nll) <= rounding) return BNN_OK;
    if (u.n == 0)
        bnn_checker_break(c,
                          "nll of standardised y is %.6g, and %.6g with y_sd times %g: no option in use says that it is in the units of y",
                          nll, there, factor);
    else
        bnn_checker_break(c, "nll of standardised y is %.6g, and %.6g where y, y_sd and %s are in units of 1/%g%s", nll, there, names,
                          factor,
                          fabs(unmoved - nll) <= rounding ? ": is the option converted with y_sd?" : ": is the right power of y_sd taken?");
    return BNN_OK;
}

/* ---------------------------------------------------------------- its own prior */

/* exp(logp) over theta[0], or over theta[0] and theta[1]. */
static double prior_along(double x, void *of) {
    bnn_likelihood_case *k = of;
    k->theta[k->l.n_theta - 1] = (bnn_real)x;
    return exp(logp_of(k));
}

static double prior_along_first(double x, void *of) {
    bnn_likelihood_case *k = of;
    k->theta[0] = (bnn_real)x;
    return bnn_integral_line(prior_along, k, -INFINITY, INFINITY);
}

static void check_prior_mass(bnn_checker *c, bnn_likelihood_case *k) {
    bnn_real kept[2];
    char guess[BNN_GUESS_TEXT];
    int n = k->l.n_theta;
    memcpy(kept, k->theta, (size_t)n * sizeof *kept);
    double here = logp_of(k), mass;
    k->theta[0] += 1;
    bool flat = logp_of(k) == here;
    mass = flat ? 1 : bnn_integral_line(n == 1 ? prior_along : prior_along_first, k, -INFINITY, INFINITY);
    memcpy(k->theta, kept, (size_t)n * sizeof *kept);
    if (!(fabs(mass - 1) <= 10 * ROUNDING))
        bnn_checker_break(c, "exp(logp) integrates over the own parameters to %.6g%s", mass, bnn_mass_guess(mass, n, guess));
}

bnn_status bnn_likelihood_hyperprior(bnn_checker *c, void *of) {
    bnn_likelihood_case *k = of;
    bnn_real one[2] = {0}, added[2] = {2, 2};
    int n = k->l.n_theta;
    if (!k->type->logp || n == 0 || n > 2) {
        bnn_checker_skip(c, "there is no logp hook, or no own parameter");
        return BNN_OK;
    }
    double value = k->type->logp(&k->l, k->theta, 1, one), scaled = k->type->logp(&k->l, k->theta, 2.5, added);
    if (!(fabs(scaled - value) <= 10 * ROUNDING * (1 + fabs(value))))
        bnn_checker_break(c, "logp is %.6g at scale 2.5, and %.6g at scale 1: the value is never scaled", scaled, value);
    compare_slopes(c, k, "logp", logp_of, "theta", n, k->theta, one);
    for (int i = 0; i < n && !bnn_checker_broken(c); i++)
        if (!(fabs((double)added[i] - 2 - 2.5 * (double)one[i]) <= 10 * ROUNDING * (2 + fabs((double)added[i]))))
            bnn_checker_break(c, "logp at scale 2.5 leaves %.6g in dtheta[%d], which held 2 before, and should be %.6g", (double)added[i],
                              i, 2 + 2.5 * (double)one[i]);
    check_prior_mass(c, k);
    return BNN_OK;
}

/* ---------------------------------------------------------------- draws of the own parameters */

/* Draws of a density p have E[g dlog p/dtheta_k + dg/dtheta_k] = 0 for every bounded g (Stein's identity): g = 1, and sine and cosine of
 * each parameter in units of its spread. */
enum { MOST_OWN = 4 };
typedef struct {
    double centre[MOST_OWN], scale[MOST_OWN];                     /* of each parameter, by the first draws */
    moments plain[MOST_OWN];                                      /* of dlog p/dtheta_k */
    moments sine[MOST_OWN][MOST_OWN], cosine[MOST_OWN][MOST_OWN]; /* [k][j], g of theta_j */
} stein;

/* Their density: that of logp, alone or given rows of these weights. */
enum { OWN_ALONE, OWN_GIVEN, OWN_WEIGHTED };
static const double row_weights[] = {0.25, 3, 1, 0.5, 6};

static bool has_own_draws(const bnn_likelihood_case *k, int given) {
    const bnn_likelihood_type *t = k->type;
    if (k->l.n_theta == 0 || k->l.n_theta > MOST_OWN) return false;
    return given == OWN_ALONE ? t->draw_theta != NULL : given == OWN_GIVEN ? t->draw_theta_given != NULL : t->draw_theta_weighted != NULL;
}

static bnn_status draw_own(const bnn_likelihood_case *k, int given, uint64_t number) {
    bnn_rng rng = bnn_rng_split(bnn_rng_seed(9), number);
    if (given == OWN_ALONE) return k->type->draw_theta(&k->l, rng, k->initial);
    if (given == OWN_GIVEN)
        k->type->draw_theta_given(&k->l, k->n, k->f, k->y, rng, k->initial);
    else
        k->type->draw_theta_weighted(&k->l, k->n, row_weights, k->f, k->y, rng, k->initial);
    return BNN_OK;
}

static void add_draw(const bnn_likelihood_case *k, int given, stein *st) {
    const double *weight = given == OWN_WEIGHTED ? row_weights : NULL;
    int p = k->l.n_theta;
    memset(k->dtheta, 0, (size_t)p * sizeof *k->dtheta);
    if (given != OWN_ALONE) bnn_likelihood_nll(&k->l, k->n, weight, k->f, k->y, k->initial, -1, NULL, k->dtheta);
    if (k->type->logp) k->type->logp(&k->l, k->initial, 1, k->dtheta);
    for (int i = 0; i < p; i++) {
        double score = (double)k->dtheta[i];
        moments_add(&st->plain[i], score);
        for (int j = 0; j < p; j++) {
            double x = ((double)k->initial[j] - st->centre[j]) / st->scale[j];
            moments_add(&st->sine[i][j], sin(x) * score + (i == j) * cos(x) / st->scale[j]);
            moments_add(&st->cosine[i][j], cos(x) * score - (i == j) * sin(x) / st->scale[j]);
        }
    }
}

static void compare_stein(bnn_checker *c, const moments *m, int p, int k, int given, const char *g) {
    static const char *const names[] = {"", " given the rows", " given rows with weights"};
    double z = moments_z(m, 0);
    if (!(fabs(z) <= bnn_most_z((size_t)(p + 2 * p * p))))
        bnn_checker_break(c,
                          "draws of the own parameters%s do not follow their density: E[g dlog p/dtheta[%d] + g'] is %.4g, "
                          "%.1f standard errors from 0, for g = %s",
                          names[given], k, m->mean, fabs(z), g);
}

static bnn_status find_spread(const bnn_likelihood_case *k, int given, stein *st) {
    enum { FIRST = 200 };
    moments m[MOST_OWN] = {{0}};
    for (int s = 0; s < FIRST; s++) {
        BNN_TRY(draw_own(k, given, (uint64_t)s));
        for (int i = 0; i < k->l.n_theta; i++) moments_add(&m[i], (double)k->initial[i]);
    }
    for (int i = 0; i < k->l.n_theta; i++) st->centre[i] = m[i].mean, st->scale[i] = fmax(sqrt(moments_var(&m[i])), 1e-6);
    return BNN_OK;
}

/* Fails where there are none: of a density that is flat. */
static bnn_status judge_own_draws(bnn_checker *c, const bnn_likelihood_case *k, int given, int n) {
    int p = k->l.n_theta;
    stein st = {0};
    BNN_TRY(find_spread(k, given, &st));
    for (int s = 0; s < n; s++) {
        BNN_TRY(draw_own(k, given, (uint64_t)s));
        add_draw(k, given, &st);
    }
    for (int i = 0; i < p; i++) {
        compare_stein(c, &st.plain[i], p, i, given, "1");
        for (int j = 0; j < p; j++)
            compare_stein(c, &st.sine[i][j], p, i, given, "sine"), compare_stein(c, &st.cosine[i][j], p, i, given, "cosine");
    }
    return BNN_OK;
}

bnn_status bnn_likelihood_theta_given(bnn_checker *c, void *of) {
    enum { GIVEN_DRAWS = 4000 };
    const bnn_likelihood_case *k = of;
    if (!has_own_draws(k, OWN_GIVEN) && !has_own_draws(k, OWN_WEIGHTED))
        bnn_checker_skip(c, "there is no draw_theta_given hook, or no own parameter, or too many");
    for (int given = OWN_GIVEN; given <= OWN_WEIGHTED; given++)
        if (has_own_draws(k, given)) BNN_TRY(judge_own_draws(c, k, given, GIVEN_DRAWS));
    return BNN_OK;
}

/* With logp beside it the density is none that is flat. */
bnn_status bnn_likelihood_theta_drawn(bnn_checker *c, void *of) {
    enum { OWN_DRAWS = 100000 };
    const bnn_likelihood_case *k = of;
    if (!has_own_draws(k, OWN_ALONE)) {
        bnn_checker_skip(c, "there is no draw_theta hook, or no own parameter, or too many");
        return BNN_OK;
    }
    if (draw_own(k, OWN_ALONE, 0) == BNN_OK) return judge_own_draws(c, k, OWN_ALONE, OWN_DRAWS);
    if (k->type->logp && k->type->logp(&k->l, k->theta, 1, NULL) != 0)
        bnn_checker_break(c, "there is a density of the own parameters, but no draw of them: %s", bnn_error());
    else
        bnn_checker_skip(c, "the density of the own parameters is flat");
    return BNN_OK;
}

/* ---------------------------------------------------------------- curvature */

double bnn_score_product_at(double y, void *of) {
    const bnn_score_product *p = of;
    const bnn_real here = (bnn_real)y;
    double logp = -p->k->type->nll(&p->k->l, 1, p->k->f, &here, p->k->theta, 1, p->k->df, NULL);
    return logp > -700 ? exp(logp) * (double)p->k->df[p->a] * (double)p->k->df[p->b] : 0;
}

static double fisher(const bnn_score_product *p) {
    double sum = 0;
    if (!p->k->is_class) return bnn_integral_line(bnn_score_product_at, (void *)p, -INFINITY, INFINITY);
    for (int y = 0; y < p->k->l.n_classes; y++) sum += bnn_score_product_at(y, (void *)p);
    return sum;
}

double bnn_square_of_root(const bnn_likelihood_case *k, int a, int b) {
    double sum = 0;
    for (int i = 0; i < k->out; i++) sum += (double)k->root[i * k->out + a] * (double)k->root[i * k->out + b];
    return sum;
}

/* Checks the curvature of several targets against the mean of the products over draws. */
static bnn_status sample_fisher(bnn_checker *c, bnn_likelihood_case *k) {
    enum { DRAWS = 5000 };
    int out = k->out;
    moments *m = calloc((size_t)(out * out), sizeof *m);
    if (!m) return bnn_oom("a rule");
    for (uint64_t s = 0; s < DRAWS; s++) {
        k->type->draw(&k->l, 1, k->f, k->theta, bnn_rng_seed(5), s, k->drawn);
        k->type->nll(&k->l, 1, k->f, k->drawn, k->theta, 1, k->df, NULL);
        for (int i = 0; i < out * out; i++) moments_add(&m[i], (double)k->df[i / out] * (double)k->df[i % out]);
    }
    for (int i = 0; i < out * out; i++) {
        char guess[BNN_GUESS_TEXT];
        double is = bnn_square_of_root(k, i / out, i % out), z = moments_z(&m[i], is);
        if (!(fabs(z) <= bnn_most_z((size_t)(out * out)) || fabs(m[i].mean - is) <= 100 * ROUNDING))
            bnn_checker_break(c, "the square of the root has %.4g at [%d,%d], draws have %.4g, %.1f standard errors away%s", is, i / out,
                              i % out, m[i].mean, fabs(z), bnn_ratio_guess(is, m[i].mean, NAN, 0, guess));
    }
    free(m);
    return BNN_OK;
}

bnn_status bnn_likelihood_curvature(bnn_checker *c, void *of) {
    bnn_likelihood_case *k = of;
    if (!k->type->curvature) {
        bnn_checker_skip(c, "there is no curvature hook");
        return BNN_OK;
    }
    k->type->curvature(&k->l, k->n, k->f, k->theta, k->root);
    if (!k->is_class && k->l.y_dim > 1) return sample_fisher(c, k);
    for (int a = 0; a < k->out; a++)
        for (int b = 0; b < k->out; b++) {
            char guess[BNN_GUESS_TEXT];
            double is = bnn_square_of_root(k, a, b), should = fisher(&(bnn_score_product){k, a, b});
            if (!(fabs(is - should) <= 100 * ROUNDING * (1 + fabs(should))))
                bnn_checker_break(c, "the square of the root has %.6g at [%d,%d], the Fisher information %.6g%s", is, a, b, should,
                                  bnn_ratio_guess(is, should, NAN, 0, guess));
        }
    return BNN_OK;
}
