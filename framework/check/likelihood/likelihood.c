/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * likelihood.c: the suite of likelihoods: its rules, the cases that they are run on, and how their hooks are called.
 */
#include "likelihood.h"
#include "check/statics.h"
#include "check/type.h"

#include <stdlib.h>
#include <string.h>

enum { ROWS = 5 };
static const double usual_y_mean[] = {0.4, -1.3, 20, 0.003}, usual_y_sd[] = {1.7, 0.6, 23, 0.04};
static const bnn_data_kind kinds_of_data[] = {{"1-D", 1, 0},       {"2-D", 2, 0},       {"3-D", 3, 0},      {"4-D", 4, 0},
                                              {"2 classes", 1, 2}, {"3 classes", 1, 3}, {"4 classes", 1, 4}};
enum { N_DATA = sizeof kinds_of_data / sizeof *kinds_of_data };

/* ---------------------------------------------------------------- cases */

static const char *const hook_names[] = {"nll",      "observe",          "draw", "init", "noise_sd", "logp", "curvature",
                                         "marginal", "draw_theta_given", NULL};

void bnn_case_fill_outputs(bnn_likelihood_case *k) {
    for (int i = 0; i < k->n * k->out; i++) k->f_mean[i] = (double)k->f[i];
    for (int i = 0; i < k->n; i++)
        for (int a = 0; a < k->out; a++)
            for (int b = 0; b < k->out; b++)
                k->f_cov[(i * k->out + a) * k->out + b] =
                    0.3 * (i + 1) * (0.2 * (a == b) + 3.0 * (a + 1) * (b + 1) / (double)(k->out * k->out));
}

static void fill(bnn_likelihood_case *k, bnn_rng rng) {
    bnn_rng_normal(rng, 0, k->n, k->out, k->f);
    bnn_rng_normal(rng, 100, k->n, k->l.y_dim, k->y);
    bnn_rng_normal(rng, 200, 1, k->l.n_theta, k->theta);
    for (int i = 0; k->is_class && i < k->n; i++) k->y[i] = (bnn_real)(i % k->l.n_classes);
    if (k->type->init) k->type->init(&k->l, k->initial);
    for (int i = 0; i < k->l.n_theta; i++) {
        k->theta[i] = (bnn_real)(0.5 * (double)k->theta[i] + (isfinite(k->initial[i]) ? (double)k->initial[i] : 0));
        k->initial[i] = 0;
    }
    bnn_case_fill_outputs(k);
}

static bnn_status add_arrays(bnn_likelihood_case *k) {
    bnn_hooks *h = &k->hooks;
    size_t n = (size_t)k->n, out = (size_t)k->out, dim = (size_t)k->dim, y_dim = (size_t)k->l.y_dim, own = (size_t)k->l.n_theta;
    k->f = bnn_hooks_reals(h, "f", n * out, true), k->y = bnn_hooks_reals(h, "y", n * y_dim, true);
    k->theta = bnn_hooks_reals(h, "theta", own, true), k->initial = bnn_hooks_reals(h, "initial theta", own, false);
    k->df = bnn_hooks_reals(h, "df", n * out, false), k->dtheta = bnn_hooks_reals(h, "dtheta", own, false);
    k->mean = bnn_hooks_reals(h, "mean", n * dim, false), k->var = bnn_hooks_reals(h, "var", n * dim, false);
    k->pit = bnn_hooks_reals(h, "pit", n * (size_t)k->l.pit_dim, false), k->logp = bnn_hooks_doubles(h, "logp", n);
    if (k->var && !h->out_of_memory) h->array[h->n_arrays - 3].unbounded = true; /* where the density has no variance */
    k->drawn = bnn_hooks_reals(h, "y", n * y_dim, false), k->root = bnn_hooks_reals(h, "root", n * out * out, false);
    k->f_mean = bnn_hooks_doubles(h, "mean of f", n * out), k->f_cov = bnn_hooks_doubles(h, "cov of f", n * out * out);
    k->averages = bnn_hooks_doubles(h, "averages", n * (4 * dim + 1));
    return h->out_of_memory ? bnn_oom("a case") : BNN_OK;
}

bnn_targets bnn_data_targets(const bnn_data_kind *data, const double *y_mean, const double *y_sd) {
    return (bnn_targets){bnn_shape_vector(data->y_dim), data->n_classes, y_mean, y_sd};
}

bnn_status bnn_likelihood_case_open(const bnn_likelihood_type *type, const char *spec, const bnn_data_kind *data,
                                    const double y_sd[BNN_MOST_TARGETS], uint64_t seed, bnn_likelihood_case *k) {
    *k = (bnn_likelihood_case){
        .type = type, .spec = spec, .data = data, .is_class = data->n_classes > 0, .n = ROWS, .to = ROWS, .scale = 0.7};
    memcpy(k->y_mean, usual_y_mean, sizeof k->y_mean);
    memcpy(k->y_sd, y_sd, sizeof k->y_sd);
    k->hooks = (bnn_hooks){.name = hook_names, .call = bnn_likelihood_call, .of = k};
    bnn_targets y = bnn_data_targets(data, k->y_mean, k->y_sd);
    BNN_TRY(bnn_likelihood_new(spec, &y, &k->l));
    k->out = k->l.out_dim, k->dim = k->l.mean_dim;
    bool possible = k->out > 0 && k->dim > 0 && k->l.n_theta >= 0 && k->l.pit_dim >= 0; /* metadata tells of it */
    bnn_status s = possible ? add_arrays(k) : bnn_fail(BNN_ERR_SHAPE, "bind makes impossible sizes");
    if (s == BNN_OK)
        fill(k, bnn_rng_seed(seed));
    else
        bnn_likelihood_case_close(k);
    return s;
}

void bnn_likelihood_case_close(bnn_likelihood_case *k) {
    bnn_hooks_free(&k->hooks);
    bnn_likelihood_free(&k->l);
}

bnn_marginal bnn_case_marginal(const bnn_likelihood_case *k) {
    size_t all = (size_t)k->n * (size_t)k->dim, at = (size_t)k->from * (size_t)k->dim;
    double *a = k->averages;
    bnn_marginal m = {.mean = a + at, .logp = a + 4 * all + k->from};
    if (!k->is_class) m.var_epistemic = a + all + at, m.var_aleatoric = a + 2 * all + at;
    if (k->l.pit_dim > 0) m.pit = a + 3 * all + at;
    return m;
}

static bool call_on_rows(bnn_likelihood_case *k, int hook) {
    const bnn_likelihood_type *t = k->type;
    const bnn_likelihood *l = &k->l;
    size_t row = (size_t)k->from, out = (size_t)k->out, at = row * (size_t)k->dim, target = row * (size_t)l->y_dim;
    int n = k->to - k->from;
    const bnn_real *f = k->f + row * out, *y = k->y + target;
    switch (hook) {
    case BNN_NLL: k->hooks.value = t->nll(l, n, f, y, k->theta, k->scale, k->df + row * out, k->dtheta); return true;
    case BNN_OBSERVE:
        t->observe(l, n, f, y, k->theta,
                   &(bnn_observation){.mean = k->mean + at,
                                      .var = k->var + at,
                                      .logp = k->logp + row,
                                      .pit = l->pit_dim ? k->pit + row * (size_t)l->pit_dim : NULL});
        return true;
    case BNN_DRAW_Y: t->draw(l, n, f, k->theta, bnn_rng_seed(7), k->row0 + row, k->drawn + target); return true;
    case BNN_CURVATURE:
        if (t->curvature) t->curvature(l, n, f, k->theta, k->root + row * out * out);
        return t->curvature != NULL;
    case BNN_MARGINAL:
        if (t->marginal) {
            bnn_marginal m = bnn_case_marginal(k);
            t->marginal(l, n, k->f_mean + row * out, k->f_cov + row * out * out, y, k->theta, &m);
        }
        return t->marginal != NULL;
    default: return false;
    }
}

bool bnn_likelihood_call(void *of, int hook) {
    bnn_likelihood_case *k = of;
    const bnn_likelihood_type *t = k->type;
    k->hooks.value = 0;
    switch (hook) {
    case BNN_INIT:
        if (t->init) t->init(&k->l, k->initial);
        return t->init != NULL;
    case BNN_NOISE_SD:
        if (t->noise_sd && k->l.y_dim == 1) k->hooks.value = t->noise_sd(&k->l, k->theta);
        return t->noise_sd != NULL;
    case BNN_LOGP:
        if (t->logp) k->hooks.value = t->logp(&k->l, k->theta, k->scale, k->dtheta);
        return t->logp != NULL;
    case BNN_DRAW_THETA: /* theta belongs to all rows together */
        if (t->draw_theta_given) t->draw_theta_given(&k->l, k->n, k->f, k->y, bnn_rng_seed(8), k->initial);
        return t->draw_theta_given != NULL;
    default: return call_on_rows(k, hook);
    }
}

double bnn_case_logp(const bnn_likelihood_case *k, int row, const bnn_real *y) {
    return -k->type->nll(&k->l, 1, k->f + row * k->out, y, k->theta, 1, NULL, NULL);
}

/* ---------------------------------------------------------------- the head, and what bind says */

static void check_bound(bnn_checker *c, const bnn_likelihood *l) {
    int means = l->n_classes > 0 ? l->n_classes : l->y_dim;
    if (l->out_dim < 1 || l->n_theta < 0) bnn_checker_break(c, "bind makes out_dim %d and n_theta %d", l->out_dim, l->n_theta);
    if (l->mean_dim != means)
        bnn_checker_break(c, "bind makes mean_dim %d with %d targets and %d classes: %d is meant", l->mean_dim, l->y_dim, l->n_classes,
                          means);
    if (l->pit_dim != 0 && (l->n_classes > 0 || l->pit_dim != l->y_dim))
        bnn_checker_break(c, "bind makes pit_dim %d: %s is meant", l->pit_dim, l->n_classes > 0 ? "0" : "0 or y_dim");
    if (l->object.type->caps & BNN_LOG_VARIANCE && l->n_theta != 0 && l->n_theta != l->out_dim)
        bnn_checker_break(c, "LOG_VARIANCE, but %d own parameters for %d outputs", l->n_theta, l->out_dim);
}

static void check_spec(bnn_checker *c, const char *spec) {
    bnn_likelihood l;
    int taken = 0;
    for (int d = 0; d < N_DATA; d++) {
        c->now.spec = spec, c->now.mode = kinds_of_data[d].name;
        bnn_targets y = bnn_data_targets(&kinds_of_data[d], usual_y_mean, usual_y_sd);
        if (bnn_likelihood_new(spec, &y, &l) < 0) continue;
        check_bound(c, &l);
        bnn_likelihood_free(&l);
        taken++;
        if (bnn_checker_broken(c)) return;
    }
    if (taken == 0) bnn_checker_break(c, "the check spec is refused: %s", bnn_error());
    c->now.spec = c->now.mode = "";
}

static bnn_status metadata(bnn_checker *c) {
    bnn_check_head(c, BNN_LOG_VARIANCE);
    for (int s = 0; c->type->checks[s] && !bnn_checker_broken(c); s++) check_spec(c, c->type->checks[s]);
    return BNN_OK;
}

/* Data that are refused are refused with a sentence of bind's own. */
static bnn_status data(bnn_checker *c) {
    static const char before[] = "no sentence";
    bnn_likelihood l;
    for (int s = 0; c->type->checks[s]; s++)
        for (int d = 0; d < N_DATA && !bnn_checker_broken(c); d++) {
            bnn_fail(BNN_ERR_STATE, before);
            c->now.spec = c->type->checks[s], c->now.mode = kinds_of_data[d].name;
            bnn_targets y = bnn_data_targets(&kinds_of_data[d], usual_y_mean, usual_y_sd);
            if (bnn_likelihood_new(c->now.spec, &y, &l) == BNN_OK)
                bnn_likelihood_free(&l);
            else if (strstr(bnn_error(), before))
                bnn_checker_break(c, "bind refuses these data without a sentence: it must end with bnn_fail");
        }
    if (!bnn_checker_broken(c)) c->now.spec = c->now.mode = "";
    return BNN_OK;
}

static bnn_status print(bnn_checker *c, void *of) { return bnn_object_rule_print(c, &((bnn_likelihood_case *)of)->l.object); }

static bnn_status init(bnn_checker *c, void *of) {
    bnn_likelihood_case *k = of;
    if (!k->type->init || k->l.n_theta == 0) {
        bnn_checker_skip(c, "there is no init hook, or no own parameter");
        return BNN_OK;
    }
    for (int i = 0; i < k->l.n_theta; i++) k->initial[i] = (bnn_real)NAN;
    k->type->init(&k->l, k->initial);
    for (int i = 0; i < k->l.n_theta; i++)
        if (!isfinite(k->initial[i])) bnn_checker_break(c, "theta[%d] is initially %g: is it set?", i, (double)k->initial[i]);
    return BNN_OK;
}

/* ---------------------------------------------------------------- calls */

static bnn_status bounds(bnn_checker *c, void *of) { return bnn_hooks_stay_in_bounds(c, &((bnn_likelihood_case *)of)->hooks); }
static bnn_status allocations(bnn_checker *c, void *of) { return bnn_hooks_allocate_nothing(c, &((bnn_likelihood_case *)of)->hooks); }

static bnn_status stays_finite(bnn_checker *c, void *of) {
    bnn_likelihood_case *k = of;
    BNN_TRY(bnn_hooks_stay_finite(c, &k->hooks, "usual outputs"));
    for (int sign = -1; sign <= 1; sign += 2) {
        for (int i = 0; i < k->n * k->out; i++) k->f[i] = (bnn_real)(i % 2 ? 1000 : sign * 1000);
        bnn_case_fill_outputs(k);
        BNN_TRY(bnn_hooks_stay_finite(c, &k->hooks, "with outputs of +-1000"));
    }
    return BNN_OK;
}

static bnn_status state(bnn_checker *c, void *of) {
    static const double other_y_sd[] = {0.3, 5, 1, 70};
    bnn_likelihood_case *k = of, other;
    bnn_record r;
    bnn_status s = bnn_record_take(&k->hooks, &r);
    if (s == BNN_OK) s = bnn_record_compare(c, &k->hooks, &r, NULL);
    if (s == BNN_OK) s = bnn_likelihood_case_open(k->type, k->spec, k->data, other_y_sd, 9, &other);
    if (s == BNN_OK) {
        s = bnn_record_compare(c, &k->hooks, &r, &other.hooks);
        bnn_likelihood_case_close(&other);
    }
    bnn_record_free(&r);
    return s;
}

/* Checks that outputs which are no sums over rows have the same bits when rows come in pieces. */
static void compare_pieces(bnn_checker *c, const bnn_likelihood_case *k, const bnn_record *whole, int hook, int at) {
    for (int i = 0; i < k->hooks.n_arrays; i++) {
        const bnn_array *a = &k->hooks.array[i];
        const bnn_real *kept = whole->after[hook].kept[i];
        for (size_t j = 0; a->at == k->dtheta && j < a->n; j++)
            if (!(fabs((double)a->at[j] - (double)kept[j]) <= 10 * ROUNDING * (1 + fabs((double)kept[j]))))
                bnn_checker_break(c, "%s of %d rows cut at row %d sums up to dtheta[%zu] = %.6g, uncut to %.6g", hook_names[hook], k->n, at,
                                  j, (double)a->at[j], (double)kept[j]);
        size_t bytes = a->n * (a->doubles ? sizeof(double) : sizeof(bnn_real));
        if (a->at != k->dtheta && memcmp(a->at, kept, bytes) != 0)
            bnn_checker_break(c, "%s of %d rows cut at row %d gives other bits of %s%s", hook_names[hook], k->n, at, a->name,
                              hook == BNN_DRAW_Y ? ": is the noise that of row0 + row?" : "");
    }
}

/* Each hook in two pieces, of which one may have no rows. */
static void run_pieces(bnn_checker *c, bnn_likelihood_case *k, const bnn_record *whole, int hook, int at) {
    char guess[BNN_GUESS_TEXT];
    double sum = 0;
    bool called = false;
    for (int piece = 0; piece < 2; piece++) {
        k->from = piece ? at : 0, k->to = piece ? k->n : at;
        called = call_on_rows(k, hook);
        sum += k->hooks.value;
    }
    k->from = 0, k->to = k->n;
    if (!called) return;
    if (hook == BNN_NLL && !(fabs(sum - whole->value[hook]) <= 10 * ROUNDING * (1 + fabs(sum))))
        bnn_checker_break(c, "nll of %d rows cut at row %d sums up to %.6g, uncut to %.6g%s", k->n, at, sum, whole->value[hook],
                          bnn_ratio_guess(whole->value[hook], sum, NAN, k->n, guess));
    compare_pieces(c, k, whole, hook, at);
}

static bnn_status rows(bnn_checker *c, void *of) {
    bnn_likelihood_case *k = of;
    bnn_record whole;
    bnn_contents before;
    BNN_TRY(bnn_contents_keep(&k->hooks, &before));
    bnn_status s = bnn_record_take(&k->hooks, &whole);
    for (int at = 0; at <= k->n && s == BNN_OK; at++)
        for (int hook = 0; hook_names[hook]; hook++) {
            run_pieces(c, k, &whole, hook, at);
            bnn_contents_put_back(&k->hooks, &before);
        }
    bnn_record_free(&whole);
    bnn_contents_free(&before);
    return s;
}

/* Draws of equal outputs: other noise in every row, and in rows whose number differs above its 32nd bit only. */
static bnn_status row_number(bnn_checker *c, void *of) {
    enum { N = 64 };
    bnn_likelihood_case *k = of;
    int d = k->l.y_dim;
    bnn_real first[BNN_MOST_TARGETS] = {0}, *y = k->drawn;
    bool alike = true, same = true;
    for (uint64_t r = 0; r < N; r++) {
        bnn_real low[BNN_MOST_TARGETS] = {0};
        k->type->draw(&k->l, 1, k->f, k->theta, bnn_rng_seed(8), r, y);
        memcpy(low, y, (size_t)d * sizeof *y);
        if (r == 0) memcpy(first, low, sizeof first);
        alike &= memcmp(first, low, sizeof first) == 0;
        k->type->draw(&k->l, 1, k->f, k->theta, bnn_rng_seed(8), r + ((uint64_t)1 << 32), y);
        same &= memcmp(low, y, (size_t)d * sizeof *y) == 0;
    }
    if (alike)
        bnn_checker_break(c, "the draws of %d rows with equal outputs are equal: is the noise that of row0 + row?", N);
    else if (same)
        bnn_checker_break(c, "rows 0.. and rows 2^32.. have the same noise: is row0 cut to 32 bits?");
    return BNN_OK;
}

/* ---------------------------------------------------------------- the suite */

/* The rules of numbers that hold whatever the options are. */
static bnn_status at_values(bnn_checker *c, bnn_likelihood_case *k) {
    static bnn_case_rule *const numbers[] = {bnn_likelihood_density, bnn_likelihood_gradient, bnn_likelihood_observe,
                                             bnn_likelihood_moments, bnn_likelihood_draws,    bnn_likelihood_units};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers && !bnn_checker_broken(c); i++) BNN_TRY(numbers[i](c, k));
    if (!bnn_checker_broken(c)) c->now.outcome = BNN_HOLDS;
    return BNN_OK;
}

static bnn_status values(bnn_checker *c);

static const bnn_table_rule rules[] = {
    {{"metadata", "name, summary, hooks, capabilities and check specs are there, and what bind makes is possible"}, .once = metadata},
    {{"options", "every option takes its preset and its ends, refuses what is beyond them by name, and leaves the others alone"},
     .once = bnn_object_rule_options},
    {{"values", "with each option at three values within its range the rules of its numbers hold"}, .once = values},
    {{"data", "bind refuses data that it cannot model with a sentence"}, .once = data},
    {{"print", "the printed options are those that were given, and make the same likelihood"}, .on_case = print},
    {{"bounds", "no hook writes outside its arrays or into what it is only lent"}, .on_case = bounds},
    {{"init", "initial parameters are all set and finite"}, .on_case = init},
    {{"allocations", "no hook but bind allocates"}, .on_case = allocations},
    {{"finite", "values and gradients are finite, at outputs of +-1000, too"}, .on_case = stays_finite},
    {{"state", "the same call gives the same bits, whatever was called in between"}, .on_case = state},
    {{"rows", "the rows may be cut anywhere, and nll is the sum over them"}, .on_case = rows},
    {{"row_number", "the noise of a draw belongs to all 64 bits of its row's number"}, .on_case = row_number},
    {{"density", "exp(-nll) integrates to 1 over y, or sums to 1 over the classes"}, .on_case = bnn_likelihood_density},
    {{"gradient", "the gradients of nll to f and theta are those of differences"}, .on_case = bnn_likelihood_gradient},
    {{"scale", "scale multiplies the gradients of nll, never its value; neither depends on which are wanted"},
     .on_case = bnn_likelihood_scale},
    {{"adds", "df is set, dtheta is added to"}, .on_case = bnn_likelihood_adds},
    {{"observe", "log p of each row is minus its nll, and what is not wanted does not change the rest"}, .on_case = bnn_likelihood_observe},
    {{"moments", "mean and variance are those of the density, which has none where inf or NaN is said"}, .on_case = bnn_likelihood_moments},
    {{"pit", "pit is the probability of a smaller y under the density"}, .on_case = bnn_likelihood_pit},
    {{"draws", "draws follow the density: their spread to one percent, and their tails"}, .on_case = bnn_likelihood_draws},
    {{"neighbours", "draws of rows, and of streams, have nothing in common"}, .on_case = bnn_likelihood_neighbours},
    {{"together", "several targets are drawn together as their density has them, whose mass is 1"}, .on_case = bnn_likelihood_together},
    {{"sizes", "of 1 to 100000 rows each is as alone, and nll their sum, in arrays that have no room for more"},
     .on_case = bnn_likelihood_sizes},
    {{"far", "gradients and log p hold far from the start: at ten times the outputs, with targets up to 60 sd away"},
     .on_case = bnn_likelihood_far},
    {{"outlying",
      "at other outputs and own parameters mass, mean square, draws, curvature and pit, at many places, are still those of one density"},
     .on_case = bnn_likelihood_outlying},
    {{"noise", "noise_sd is the sd of y given f, and own parameters are log variances where LOG_VARIANCE says so"},
     .on_case = bnn_likelihood_noise},
    {{"units", "options in the units of y are converted with y_mean and y_sd, and nothing else depends on them"},
     .on_case = bnn_likelihood_units},
    {{"hyperprior", "logp of the own parameters is a density or flat, with its gradient, scaled and added"},
     .on_case = bnn_likelihood_hyperprior},
    {{"theta_drawn", "draws of the own parameters follow their density"}, .on_case = bnn_likelihood_theta_drawn},
    {{"theta_given", "draws of the own parameters given rows, with weights or without, follow the density of both"},
     .on_case = bnn_likelihood_theta_given},
    {{"curvature", "the square of the root is the Fisher information"}, .on_case = bnn_likelihood_curvature},
    {{"marginal", "what is said where f is Gaussian is the average over f: exactly for real y, to the probit approximation for classes"},
     .on_case = bnn_likelihood_marginal},
    {{"settle",
      "what the rows of a fit decide does not depend on their order, counts a row by its weight, and stays when it is opened again"},
     .on_case = bnn_likelihood_settle},
    {{"maps", "a map of classes is its pixels, each a row, and a void one counts nowhere"}, .once = bnn_likelihood_maps},
};

enum { N_RULES = sizeof rules / sizeof *rules };

static const bnn_rule *rule_at(int i) { return i >= 0 && i < N_RULES ? &rules[i].rule : NULL; }

/* Data that are refused are left out: metadata and data tell of them. rule NULL: those of `values`. */
static bnn_status on_data(bnn_checker *c, const bnn_table_rule *rule, const char *spec, const bnn_data_kind *data) {
    bnn_likelihood_case k;
    if (rule) bnn_checker_come_to(c, &rule->rule, spec, data->name);
    bnn_status status = bnn_likelihood_case_open((const bnn_likelihood_type *)c->type, spec, data, usual_y_sd, 1, &k);
    if (status < 0) return status == BNN_ERR_MEMORY ? status : BNN_OK;
    status = rule ? bnn_run_case(c, rule, k.spec, k.data->name, &k) : at_values(c, &k);
    bnn_likelihood_case_close(&k);
    return status;
}

static bnn_status cases(bnn_checker *c, const bnn_table_rule *rule) {
    for (int s = 0; c->type->checks[s]; s++)
        for (int d = 0; d < N_DATA; d++) BNN_TRY(on_data(c, rule, c->type->checks[s], &kinds_of_data[d]));
    return BNN_OK;
}

static bnn_status at_option(bnn_checker *c, const char *spec, void *of) {
    (void)of;
    for (int d = 0; d < N_DATA && !bnn_checker_broken(c); d++)
        if (kinds_of_data[d].y_dim == 1) BNN_TRY(on_data(c, NULL, spec, &kinds_of_data[d]));
    return BNN_OK;
}

static bnn_status run(bnn_checker *c) { return bnn_run_table(c, N_RULES, rules, cases); }

/* On all data that it takes. */
static bnn_status exercise(bnn_checker *c, const char *spec, int turn, uint64_t *digest) {
    bnn_status s = BNN_OK;
    *digest = BNN_DIGEST;
    for (int d = 0; d < N_DATA && (s == BNN_OK || s != BNN_ERR_MEMORY); d++) {
        bnn_likelihood_case k;
        s = bnn_likelihood_case_open((const bnn_likelihood_type *)c->type, spec, &kinds_of_data[d], usual_y_sd, (uint64_t)(1 + turn), &k);
        if (s < 0) continue;
        s = bnn_hooks_digest(&k.hooks, digest);
        bnn_likelihood_case_close(&k);
    }
    return s == BNN_ERR_MEMORY ? s : BNN_OK;
}

static bnn_status values(bnn_checker *c) { return bnn_object_rule_values(c, exercise, at_option, NULL); }

static bnn_status share(bnn_checker *c, const char *spec) {
    bnn_status s = BNN_OK;
    for (int d = 0; d < N_DATA && s != BNN_ERR_MEMORY && !bnn_checker_broken(c); d++) {
        bnn_likelihood_case k;
        bnn_owned_begin(c);
        s = bnn_likelihood_case_open((const bnn_likelihood_type *)c->type, spec, &kinds_of_data[d], usual_y_sd, 1, &k);
        if (s < 0) continue;
        s = bnn_hooks_share(c, &k.hooks);
        bnn_likelihood_case_close(&k);
    }
    return s == BNN_ERR_MEMORY ? s : BNN_OK;
}

const bnn_suite bnn_suite_likelihood = {.rule = rule_at, .run = run, .exercise = exercise, .share = share, .attempt = bnn_object_attempt};
