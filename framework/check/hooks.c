/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hooks.h"
#include "statics.h"
#include "type.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- rules in a table */

bnn_status bnn_run_case(bnn_checker *c, const bnn_table_rule *rule, const char *spec, const char *mode, void *k) {
    bnn_checker_begin(c, &rule->rule, spec, mode);
    BNN_TRY(rule->once ? rule->once(c) : rule->on_case(c, k));
    return bnn_checker_end(c);
}

bnn_status bnn_run_table(bnn_checker *c, int n, const bnn_table_rule rules[],
                         bnn_status (*cases)(bnn_checker *c, const bnn_table_rule *rule)) {
    for (int i = 0; i < n; i++)
        if (bnn_checker_wants(c, &rules[i].rule)) BNN_TRY(rules[i].once ? bnn_run_case(c, &rules[i], "", "", NULL) : cases(c, &rules[i]));
    return BNN_OK;
}

/* ---------------------------------------------------------------- objects and their texts */

bnn_status bnn_object_rule_metadata(bnn_checker *c, uint32_t caps) {
    bnn_check_head(c, caps);
    for (int s = 0; c->type->checks[s] && !bnn_checker_broken(c); s++) {
        bnn_object object;
        if (bnn_object_parse(c->kind, c->type->checks[s], &object) < 0)
            bnn_checker_break(c, "the check spec '%s' is refused: %s", c->type->checks[s], bnn_error());
        else
            bnn_object_free(&object);
    }
    return BNN_OK;
}

/* An object with a wrong option is refused with type and option named. */
static bnn_status is_named(bnn_checker *c, const char *key, const char *value) {
    bnn_object object;
    char *text, type[96], option[96];
    snprintf(type, sizeof type, "%s '%s'", bnn_kind_name(c->kind), c->type->name);
    snprintf(option, sizeof option, "option '%s'", key);
    if (asprintf(&text, "%s:%s=%s", c->type->name, key, value) < 0) return bnn_oom("a rule");
    if (bnn_object_parse(c->kind, text, &object) == BNN_OK) {
        bnn_checker_break(c, "'%s' is taken", text);
        bnn_object_free(&object);
    } else if (!strstr(bnn_error(), type) || !strstr(bnn_error(), option)) {
        bnn_checker_break(c, "'%s' is refused without type and option: %s", text, bnn_error());
    }
    free(text);
    return BNN_OK;
}

bnn_status bnn_object_rule_options(bnn_checker *c) { return bnn_check_option_table(c, is_named); }

/* The text of a new object that is made of this one; NULL: refused, or out of memory. */
static char *print_again(bnn_kind kind, const char *text) {
    bnn_object object;
    if (bnn_object_parse(kind, text, &object) < 0) return NULL;
    char *again = bnn_object_print(&object, false);
    bnn_object_free(&object);
    return again;
}

bnn_status bnn_object_rule_print(bnn_checker *c, const bnn_object *object) {
    char *once = bnn_object_print(object, false), *given = print_again(c->kind, c->now.spec),
         *twice = once ? print_again(c->kind, once) : NULL;
    if (once && !twice)
        bnn_checker_break(c, "prints as '%s', which is refused: %s", once, bnn_error());
    else if (once && given && strcmp(once, given) != 0)
        bnn_checker_break(c, "prints as '%s', but was given as '%s': does bind change an option?", once, given);
    else if (once && strcmp(once, twice) != 0)
        bnn_checker_break(c, "prints as '%s', which prints as '%s'", once, twice);
    bool ok = once && given;
    free(once), free(given), free(twice);
    return ok ? BNN_OK : bnn_oom("a text");
}

/* The check spec with an option; the caller frees it. */
static bnn_status spec_with(const char *spec, const char *key, const char *value, char **text) {
    return asprintf(text, "%s%c%s=%s", spec, strchr(spec, ':') ? ',' : ':', key, value) < 0 ? bnn_oom("a rule") : BNN_OK;
}

static bnn_status at_value(bnn_checker *c, const char *spec, const bnn_option *o, const char *value,
                           bnn_status (*run)(bnn_checker *c, const char *spec, void *of), void *of) {
    char *text, note[128];
    BNN_TRY(spec_with(spec, o->name, value, &text));
    snprintf(note, sizeof note, "with option '%s' at %s", o->name, value);
    c->note = note;
    bnn_status s = run(c, text, of);
    c->note = NULL;
    free(text);
    return s;
}

/* What the hooks make of all check specs with an option at some values. */
typedef struct {
    bnn_exercise *exercise;
    uint64_t preset;
    int taken;
    bool matters;
} effect;

static bnn_status compare_with_preset(bnn_checker *c, const char *spec, void *of) {
    effect *e = of;
    uint64_t here;
    bnn_status s = e->exercise(c, spec, 0, &here);
    if (s == BNN_OK) e->taken++, e->matters |= here != e->preset;
    return s == BNN_ERR_MEMORY ? s : BNN_OK;
}

/* Numbers are asked; a choice may be for what the exercise has none of. */
static bnn_status look_for_effect(bnn_checker *c, const bnn_option *o, bnn_exercise *exercise) {
    effect e = {.exercise = exercise};
    char text[BNN_NUMBER_TEXT];
    if (o->kind != BNN_OPTION_REAL) return BNN_OK;
    for (int i = 0; c->type->checks[i] && !e.matters; i++) {
        if (exercise(c, c->type->checks[i], 0, &e.preset) < 0) continue;
        for (int v = 0; v < BNN_MOST_VALUES; v++) {
            const char *value = bnn_option_value(o, v, text);
            if (value) BNN_TRY(at_value(c, c->type->checks[i], o, value, compare_with_preset, &e));
        }
    }
    if (e.taken > 1 && !e.matters) bnn_checker_break(c, "option '%s' changes nothing at any of %d values: is it read?", o->name, e.taken);
    return BNN_OK;
}

bnn_status bnn_object_attempt(bnn_checker *c, const bnn_suite *suite, const char *spec, const char *key, const char *value) {
    uint64_t unused;
    char *text;
    if (!key) return BNN_OK;
    BNN_TRY(spec_with(spec, key, value, &text));
    bnn_status s = suite->exercise(c, text, 0, &unused);
    free(text);
    return s == BNN_ERR_MEMORY ? s : BNN_OK;
}

bnn_status bnn_object_rule_values(bnn_checker *c, bnn_exercise *exercise, bnn_status (*run)(bnn_checker *c, const char *spec, void *of),
                                  void *of) {
    char text[BNN_NUMBER_TEXT];
    bnn_option o;
    if (!bnn_options_at(c->type->options, 0, &o)) bnn_checker_skip(c, "there are no options");
    for (int i = 0; bnn_options_at(c->type->options, i, &o) && !bnn_checker_broken(c); i++) {
        for (int v = 0; v < BNN_MOST_VALUES && !bnn_checker_broken(c); v++) {
            const char *value = bnn_option_value(&o, v, text);
            if (value) BNN_TRY(at_value(c, c->type->checks[0], &o, value, run, of));
        }
        if (!bnn_checker_broken(c)) BNN_TRY(look_for_effect(c, &o, exercise));
    }
    return BNN_OK;
}

/* ---------------------------------------------------------------- draws */

/* Small errors are told with their standard error, large ones by quartiles. */
static const char *small_error(const bnn_fit_of_draws *fit, char text[160]) {
    *text = '\0';
    if (fabs(fit->spread.value - 1) > 0.15 || fabs(fit->shift.value) > 0.15) return text;
    if (fabs(fit->spread.z) > MOST_Z)
        bnn_print(text, 160, "are spread %.4g times as wide as the density (standard error %.2g)", fit->spread.value, fit->spread.error);
    else if (fabs(fit->shift.z) > MOST_Z)
        bnn_print(text, 160, "are shifted by %.3g of their sd (standard error %.2g)", fit->shift.value, fit->shift.error);
    else if (fabs(fit->tails.z) > MOST_Z)
        bnn_print(text, 160, "have %.3g times the tails of the density beyond 3 sd (standard error %.2g)", fit->tails.value,
                  fit->tails.error);
    return text;
}

void bnn_check_draws(bnn_checker *c, double (*density)(double x, void *of), void *of, int fan_in, int n, double *x) {
    char guess[BNN_GUESS_TEXT], small[160];
    double quartile[2][3];
    if (bnn_checker_broken(c)) return;
    bnn_fit_of_draws fit = bnn_draws_fit(density, of, n, x);
    if (*small_error(&fit, small)) bnn_checker_break(c, "%d draws %s", n, small);
    if (fit.p >= 1e-6 || bnn_checker_broken(c)) return;
    for (int q = 0; q < 3; q++) {
        quartile[0][q] = x[fit.first + (q + 1) * (n - fit.first) / 4];
        quartile[1][q] = bnn_density_quantile(density, of, 0.25 * (q + 1));
    }
    static const double sd_of_range = 1.3489795; /* quartiles of a Gaussian are so many sd apart */
    double is = (quartile[0][2] - quartile[0][0]) / sd_of_range, should = (quartile[1][2] - quartile[1][0]) / sd_of_range;
    bnn_checker_break(c,
                      "the quartiles of %d draws are %.4g, %.4g, %.4g, those of the density %.4g, %.4g, %.4g (chi-square %.4g, p = %.2g)%s",
                      n, quartile[0][0], quartile[0][1], quartile[0][2], quartile[1][0], quartile[1][1], quartile[1][2], fit.chi_square,
                      fit.p, bnn_spread_guess(is, should, fan_in, 0.05, guess));
}

/* Numbers a[n] and their squares about the mean, which b holds then. */
void bnn_check_neighbours(bnn_checker *c, const char *what, int n, const double *a, double *b) {
    double mean = 0;
    for (int i = 0; i < n; i++) mean += a[i] / n;
    for (int i = 0; i < n; i++) b[i] = (a[i] - mean) * (a[i] - mean);
    for (int squares = 0; squares < 2; squares++) {
        bnn_neighbours most = bnn_neighbours_of(n, squares ? b : a);
        if (fabs(most.z) > bnn_most_z((size_t)n / 4))
            bnn_checker_break(c, "%s and the ones %d later have %sthe correlation %.3g (standard error %.2g): is noise shared?", what,
                              most.lag, squares ? "squares with " : "", most.correlation, 1 / sqrt(n));
    }
}

/* ---------------------------------------------------------------- arrays */

static size_t reals_of(const bnn_array *a) { return a->n * (a->doubles ? sizeof(double) / sizeof(bnn_real) : 1); }

static bnn_real *add_array(bnn_hooks *h, bnn_array a) {
    a.at = h->n_arrays < BNN_MOST_ARRAYS ? bnn_guarded_new(reals_of(&a)) : NULL;
    h->out_of_memory |= a.at == NULL;
    if (a.at) h->array[h->n_arrays++] = a;
    return a.at;
}

bnn_real *bnn_hooks_reals(bnn_hooks *h, const char *name, size_t n, bool lent) {
    return add_array(h, (bnn_array){.name = name, .n = n, .lent = lent});
}

double *bnn_hooks_doubles(bnn_hooks *h, const char *name, size_t n) {
    return (double *)(void *)add_array(h, (bnn_array){.name = name, .n = n, .doubles = true});
}

void bnn_hooks_free(bnn_hooks *h) {
    for (int i = 0; i < h->n_arrays; i++) bnn_guarded_free(h->array[i].at);
}

bnn_status bnn_contents_keep(const bnn_hooks *h, bnn_contents *out) {
    *out = (bnn_contents){0};
    for (int i = 0; i < h->n_arrays; i++) {
        size_t bytes = reals_of(&h->array[i]) * sizeof(bnn_real);
        if (!(out->kept[i] = malloc(bytes + 1))) {
            bnn_contents_free(out);
            return bnn_oom("a rule");
        }
        memcpy(out->kept[i], h->array[i].at, bytes);
    }
    return BNN_OK;
}

void bnn_contents_put_back(const bnn_hooks *h, const bnn_contents *contents) {
    for (int i = 0; i < h->n_arrays; i++) memcpy(h->array[i].at, contents->kept[i], reals_of(&h->array[i]) * sizeof(bnn_real));
}

void bnn_contents_free(bnn_contents *contents) {
    for (int i = 0; i < BNN_MOST_ARRAYS; i++) free(contents->kept[i]);
}

static double entry(const bnn_array *a, const bnn_real *at, size_t i) {
    return a->doubles ? ((const double *)(const void *)at)[i] : (double)at[i];
}

/* The first entry where an array differs from what was kept; -1: none. */
static int first_difference(const bnn_array *a, const bnn_real *kept) {
    size_t size = a->doubles ? sizeof(double) : sizeof(bnn_real);
    for (size_t i = 0; i < a->n; i++)
        if (memcmp((const char *)a->at + i * size, (const char *)kept + i * size, size) != 0) return (int)i;
    return -1;
}

/* ---------------------------------------------------------------- what holds of every hook */

/* After each hook that there is, `look`. */
static bnn_status for_all_hooks(bnn_checker *c, bnn_hooks *h,
                                void (*look)(bnn_checker *c, bnn_hooks *h, int hook, const bnn_contents *before)) {
    bnn_contents before;
    BNN_TRY(bnn_contents_keep(h, &before));
    for (int hook = 0; h->name[hook]; hook++) {
        if (h->call(h->of, hook)) look(c, h, hook, &before);
        bnn_contents_put_back(h, &before);
    }
    bnn_contents_free(&before);
    return BNN_OK;
}

static void look_for_writes(bnn_checker *c, bnn_hooks *h, int hook, const bnn_contents *before) {
    for (int i = 0; i < h->n_arrays; i++) {
        const bnn_array *a = &h->array[i];
        int at = a->lent ? first_difference(a, before->kept[i]) : -1;
        if (!bnn_guarded_intact(a->at)) bnn_checker_break(c, "%s writes outside %s [%zu]", h->name[hook], a->name, a->n);
        if (at >= 0)
            bnn_checker_break(c, "%s changes %s[%d] from %.6g to %.6g", h->name[hook], a->name, at, entry(a, before->kept[i], (size_t)at),
                              entry(a, a->at, (size_t)at));
    }
}

bnn_status bnn_hooks_stay_in_bounds(bnn_checker *c, bnn_hooks *h) { return for_all_hooks(c, h, look_for_writes); }

static void count_allocations(bnn_checker *c, bnn_hooks *h, int hook, const bnn_contents *before) {
    bnn_contents_put_back(h, before);
    uint64_t from = c->options->allocations();
    h->call(h->of, hook);
    uint64_t n = c->options->allocations() - from;
    if (n > 0) bnn_checker_break(c, "%s allocates: %llu time%s in one call", h->name[hook], (unsigned long long)n, n == 1 ? "" : "s");
}

bnn_status bnn_hooks_allocate_nothing(bnn_checker *c, bnn_hooks *h) {
    if (c->options->allocations) return for_all_hooks(c, h, count_allocations);
    bnn_checker_skip(c, "allocations are not counted in this program");
    return BNN_OK;
}

static void look_at_values(bnn_checker *c, bnn_hooks *h, int hook, const bnn_contents *before) {
    (void)before;
    if (!isfinite(h->value)) bnn_checker_break(c, "%s returns %g", h->name[hook], h->value);
    for (int i = 0; i < h->n_arrays; i++)
        for (size_t j = 0; j < h->array[i].n; j++)
            if (!h->array[i].unbounded && !isfinite(entry(&h->array[i], h->array[i].at, j)))
                bnn_checker_break(c, "%s makes %s[%zu] %g", h->name[hook], h->array[i].name, j, entry(&h->array[i], h->array[i].at, j));
}

bnn_status bnn_hooks_stay_finite(bnn_checker *c, bnn_hooks *h, const char *when) {
    c->note = when;
    bnn_status s = for_all_hooks(c, h, look_at_values);
    c->note = NULL;
    return s;
}

void bnn_hooks_turn(bnn_hooks *h, int entries) {
    for (int i = 0; i < h->n_arrays; i++) {
        const bnn_array *a = &h->array[i];
        for (int k = 0; k < entries && a->lent && !a->doubles && a->n > 1; k++) {
            bnn_real first = a->at[0];
            memmove(a->at, a->at + 1, (a->n - 1) * sizeof *a->at);
            a->at[a->n - 1] = first;
        }
    }
}

bnn_status bnn_hooks_digest(bnn_hooks *h, uint64_t *digest) {
    bnn_contents before;
    BNN_TRY(bnn_contents_keep(h, &before));
    for (int hook = 0; h->name[hook]; hook++) {
        h->value = 0;
        h->call(h->of, hook);
        bnn_digest_add(digest, &h->value, sizeof h->value);
        for (int i = 0; i < h->n_arrays; i++) bnn_digest_add(digest, h->array[i].at, reals_of(&h->array[i]) * sizeof(bnn_real));
        bnn_contents_put_back(h, &before);
    }
    bnn_contents_free(&before);
    return BNN_OK;
}

static bnn_status call_turned(void *of, int turn) {
    uint64_t unused = BNN_DIGEST;
    (void)turn;
    bnn_hooks_turn(of, 1);
    return bnn_hooks_digest(of, &unused);
}

bnn_status bnn_hooks_share(bnn_checker *c, bnn_hooks *h) {
    bnn_owned owned;
    BNN_TRY(bnn_owned_made(c, &owned));
    for (int i = 0; i < h->n_arrays; i++) bnn_owned_leave(&owned, h->array[i].at);
    bnn_status s = bnn_owned_watch(c, &owned, call_turned, h);
    bnn_owned_free(&owned);
    return s;
}

/* ---------------------------------------------------------------- the same call again */

bnn_status bnn_record_take(bnn_hooks *h, bnn_record *out) {
    bnn_contents before;
    *out = (bnn_record){0};
    BNN_TRY(bnn_contents_keep(h, &before));
    bnn_status s = BNN_OK;
    for (int hook = 0; h->name[hook] && s == BNN_OK; hook++) {
        if (h->call(h->of, hook)) s = bnn_contents_keep(h, &out->after[hook]);
        out->value[hook] = h->value;
        bnn_contents_put_back(h, &before);
    }
    bnn_contents_free(&before);
    return s;
}

void bnn_record_free(bnn_record *r) {
    for (int hook = 0; hook < BNN_MOST_HOOKS; hook++) bnn_contents_free(&r->after[hook]);
}

static void compare(bnn_checker *c, const bnn_hooks *h, const bnn_record *r, int hook, const char *when) {
    if (memcmp(&h->value, &r->value[hook], sizeof h->value) != 0)
        bnn_checker_break(c, "%s returns %.9g, and %.9g %s: is something kept in a static?", h->name[hook], r->value[hook], h->value, when);
    for (int i = 0; i < h->n_arrays; i++) {
        const bnn_array *a = &h->array[i];
        int at = first_difference(a, r->after[hook].kept[i]);
        if (at >= 0)
            bnn_checker_break(c, "%s makes %s[%d] %.9g, and %.9g %s: is something kept in a static?", h->name[hook], a->name, at,
                              entry(a, r->after[hook].kept[i], (size_t)at), entry(a, a->at, (size_t)at), when);
    }
}

bnn_status bnn_record_compare(bnn_checker *c, bnn_hooks *h, const bnn_record *r, bnn_hooks *other) {
    bnn_contents before, others = {0};
    BNN_TRY(bnn_contents_keep(h, &before));
    bnn_status s = other ? bnn_contents_keep(other, &others) : BNN_OK;
    for (int hook = 0; h->name[hook] && s == BNN_OK; hook++) {
        for (int i = 0; other && other->name[i]; i++) {
            other->call(other->of, i);
            bnn_contents_put_back(other, &others);
        }
        if (h->call(h->of, hook)) compare(c, h, r, hook, other ? "after the calls of another object" : "the second time");
        bnn_contents_put_back(h, &before);
    }
    bnn_contents_free(&before), bnn_contents_free(&others);
    return s;
}
