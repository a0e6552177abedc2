/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "type.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool bnn_is_name(const char *name) {
    return *name >= 'a' && *name <= 'z' && name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

void bnn_check_head(bnn_checker *c, uint32_t caps) {
    const bnn_type *t = c->type;
    if (!bnn_is_name(t->name)) bnn_checker_break(c, "the name '%s' is not made of small letters, digits and _", t->name);
    if (!*t->summary) bnn_checker_break(c, "the summary is empty");
    if (t->caps & ~caps) bnn_checker_break(c, "capability bits %#x are unknown", t->caps & ~caps);
    if (!t->checks[0]) bnn_checker_break(c, "there is no check spec");
}

/* ---------------------------------------------------------------- options */

static bool is_limited(const bnn_option *o) {
    return (o->kind == BNN_OPTION_INT || o->kind == BNN_OPTION_REAL) && (o->min != 0 || o->max != 0);
}

/* A value just outside of a range: below its lower end or above its upper one; false if there is no such end. */
static bool beyond(const bnn_option *o, bool above, double *value) {
    double end = above ? o->max : o->min, step = o->kind == BNN_OPTION_INT ? 1 : 0.01 * fmax(fabs(end), 1e-3);
    *value = end + (above ? step : -step);
    return is_limited(o) && isfinite(end);
}

static void takes(bnn_checker *c, const bnn_option *o, void *conf, const char *value, const char *what) {
    if (bnn_options_set(c->type->options, conf, o->name, value) < 0)
        bnn_checker_break(c, "option '%s' refuses its %s: %s", o->name, what, bnn_error());
}

static void refuses(bnn_checker *c, const bnn_option *o, void *conf, const char *value) {
    char named[96];
    snprintf(named, sizeof named, "option '%s'", o->name);
    if (bnn_options_set(c->type->options, conf, o->name, value) == BNN_OK)
        bnn_checker_break(c, "option '%s' takes '%s', which is outside of what it says", o->name, value);
    else if (!strstr(bnn_error(), named))
        bnn_checker_break(c, "option '%s' refuses '%s' without its name: %s", o->name, value, bnn_error());
}

/* The field of one option moves, the fields of the others stay. */
static void leaves_others(bnn_checker *c, const bnn_option *o, void *conf, const char *value) {
    const bnn_option *table = c->type->options;
    bnn_option other;
    size_t size = c->type->conf_size;
    char *old = malloc(size);
    if (!old) return;
    memcpy(old, conf, size);
    if (bnn_options_set(table, conf, o->name, value) == BNN_OK)
        for (int i = 0; bnn_options_at(table, i, &other); i++)
            if (strcmp(other.name, o->name) != 0 &&
                memcmp(old + other.offset, (char *)conf + other.offset, bnn_option_size(other.kind)) != 0)
                bnn_checker_break(c, "setting option '%s' changes option '%s': do they share a field of conf?", o->name, other.name);
    free(old);
}

static void check_option(bnn_checker *c, const bnn_option *o, void *conf) {
    char text[BNN_NUMBER_TEXT];
    double value;
    if (!o->help || !*o->help) bnn_checker_break(c, "option '%s' has no help", o->name);
    takes(c, o, conf, o->preset, "preset");
    for (int i = 0; o->kind == BNN_OPTION_CHOICE && o->choices[i]; i++) {
        takes(c, o, conf, o->choices[i], "own choice");
        leaves_others(c, o, conf, o->choices[i]);
    }
    for (int above = 0; above < 2; above++) {
        if (is_limited(o)) {
            leaves_others(c, o, conf, bnn_number_print(above ? o->max : o->min, text));
            takes(c, o, conf, text, above ? "maximum" : "minimum");
        }
        if (beyond(o, above, &value)) refuses(c, o, conf, bnn_number_print(value, text));
    }
    if (o->kind == BNN_OPTION_CHOICE) refuses(c, o, conf, "no_such_choice");
    if (o->kind == BNN_OPTION_SPEC) refuses(c, o, conf, "no_such_type");
}

bnn_status bnn_check_option_table(bnn_checker *c, bnn_refusal *is_named) {
    const bnn_type *t = c->type;
    bnn_option o;
    for (int i = 0; bnn_options_at(t->options, i, &o); i++)
        if (o.offset + bnn_option_size(o.kind) > t->conf_size)
            bnn_checker_break(c, "option '%s' ends at byte %zu of conf, which has %zu", o.name, o.offset + bnn_option_size(o.kind),
                              t->conf_size);
    void *conf = calloc(1, t->conf_size + 1);
    bnn_status s = conf ? BNN_OK : bnn_oom("options");
    if (s < 0) return s;
    if (!bnn_checker_broken(c) && bnn_options_parse(t->options, "", conf) < 0) bnn_checker_break(c, "a preset is refused: %s", bnn_error());
    for (int i = 0; !bnn_checker_broken(c) && bnn_options_at(t->options, i, &o); i++) {
        char text[BNN_NUMBER_TEXT];
        double value;
        check_option(c, &o, conf);
        if (!bnn_checker_broken(c) && s == BNN_OK && beyond(&o, false, &value)) s = is_named(c, o.name, bnn_number_print(value, text));
    }
    if (!bnn_checker_broken(c) && s == BNN_OK) s = is_named(c, "no_such_option", "1");
    bnn_options_free(t->options, conf);
    free(conf);
    return s;
}

/* ---------------------------------------------------------------- values within a range */

static double inner_real(const bnn_option *o, int i) {
    static const double shares[BNN_MOST_VALUES] = {0.1, 0.5, 0.9}, factors[BNN_MOST_VALUES] = {0.4, 1.5, 2.5},
                        numbers[BNN_MOST_VALUES] = {0.3, 0.9, 2};
    double preset = 0;
    if (is_limited(o) && o->max - o->min <= 10) return o->min + shares[i] * (o->max - o->min);
    if (!bnn_number_parse(o->preset, &preset) || !isfinite(preset) || preset == 0) return numbers[i];
    return factors[i] * preset;
}

const char *bnn_option_value(const bnn_option *o, int i, char text[BNN_NUMBER_TEXT]) {
    static const double whole[BNN_MOST_VALUES] = {1, 2, 5};
    int n_choices = 0;
    while (o->choices && o->choices[n_choices]) n_choices++;
    if (o->kind == BNN_OPTION_CHOICE) return i < n_choices ? o->choices[n_choices - 1 - i] : NULL;
    if (o->kind == BNN_OPTION_SPEC && o->of == BNN_PRIOR) return i == 0 ? "gauss{sd=0.5}" : NULL;
    if (o->kind != BNN_OPTION_INT && o->kind != BNN_OPTION_REAL) return NULL;
    double value = o->kind == BNN_OPTION_INT ? whole[i] : inner_real(o, i);
    if (is_limited(o) && !(value >= o->min && value <= o->max)) return NULL;
    return bnn_number_print(value, text);
}
