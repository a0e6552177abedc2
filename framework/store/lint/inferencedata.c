/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * inferencedata.c: rules of ArviZ's InferenceData, for its groups where they are there. They stand at the top level.
 */
#include "lint.h"

#include <stdlib.h>
#include <string.h>

/* Groups of one family have the same draws. */
typedef enum { NONE, DATA, POSTERIOR, PRIOR, WARMUP } family;

static family family_of(const bnn_lint_object *group) {
    static const struct {
        const char *name;
        family family;
    } groups[] = {{"posterior", POSTERIOR},
                  {"sample_stats", POSTERIOR},
                  {"log_likelihood", POSTERIOR},
                  {"log_prior", POSTERIOR},
                  {"posterior_predictive", POSTERIOR},
                  {"predictions", POSTERIOR},
                  {"unconstrained_posterior", POSTERIOR},
                  {"prior", PRIOR},
                  {"prior_predictive", PRIOR},
                  {"sample_stats_prior", PRIOR},
                  {"observed_data", DATA},
                  {"constant_data", DATA},
                  {"predictions_constant_data", DATA}};
    const char *warmup = "warmup_";
    bool is_warmup = strncmp(group->name, warmup, strlen(warmup)) == 0;
    const char *name = group->name + (is_warmup ? strlen(warmup) : 0);
    for (size_t i = 0; group->group == 0 && i < sizeof groups / sizeof *groups; i++)
        if (strcmp(name, groups[i].name) == 0) return is_warmup ? WARMUP : groups[i].family;
    return NONE;
}

static family family_above(const bnn_lint_walk *w, const bnn_lint_object *o) {
    return o->group > 0 ? family_of(&w->object[o->group]) : NONE;
}

static bool has_draws(family f) { return f == POSTERIOR || f == PRIOR || f == WARMUP; }

static bool is_on(const bnn_lint_walk *w, const bnn_lint_object *o, int axis, const char *dimension) {
    return axis < o->rank && o->scale[axis] >= 0 && strcmp(w->object[o->scale[axis]].name, dimension) == 0;
}

/* Axes without a dimension are found by another rule. */
static bool is_unknown(const bnn_lint_object *o, int axis) { return axis < o->rank && o->scale[axis] < 0; }

static bool is_sample_stats(const bnn_lint_walk *w, const bnn_lint_object *o) {
    return has_draws(family_above(w, o)) && strstr(w->object[o->group].name, "sample_stats");
}

static void draws_first(bnn_lint_walk *w, const bnn_lint_object *o) {
    if (!has_draws(family_above(w, o)) || is_unknown(o, 0) || is_unknown(o, 1)) return;
    if (is_sample_stats(w, o) && strcmp(o->name, "inv_metric") == 0) return;
    if (!(is_on(w, o, 0, "chain") && is_on(w, o, 1, "draw")) && !is_on(w, o, 0, "sample"))
        bnn_lint_find(w, "does not begin with the dimensions chain, draw");
}

static bool is_draw_dimension(const char *name) {
    return strcmp(name, "chain") == 0 || strcmp(name, "draw") == 0 || strcmp(name, "sample") == 0;
}

static void same_draws(bnn_lint_walk *w, const bnn_lint_object *o) {
    family f = family_above(w, o);
    if (!has_draws(f) || !is_draw_dimension(o->name)) return;
    for (const bnn_lint_object *p = w->object; p < o; p++)
        if (p->is_scale && family_above(w, p) == f && strcmp(p->name, o->name) == 0) {
            if (!bnn_lint_same_dimension(p, o)) bnn_lint_find(w, "differs from %s", p->path);
            return;
        }
}

static void no_draws_of_data(bnn_lint_walk *w, const bnn_lint_object *o) {
    if (family_above(w, o) == DATA && is_draw_dimension(o->name)) bnn_lint_find(w, "is a dimension of draws in a group of data");
}

static void own_coordinates(bnn_lint_walk *w, const bnn_lint_object *o) {
    for (int i = 0; family_above(w, o) != NONE && i < o->rank; i++)
        if (o->scale[i] >= 0 && w->object[o->scale[i]].group != o->group)
            bnn_lint_find(w, "takes the dimension %s", w->object[o->scale[i]].path);
}

/* Offends where an observed variable has no draws and densities of the same name. */
static void same_variables(bnn_lint_walk *w, const bnn_lint_object *o) {
    static const char *const pairs[][2] = {
        {"observed_data", "posterior_predictive"}, {"observed_data", "log_likelihood"}, {"log_likelihood", "observed_data"}};
    for (size_t k = 0; o->group == 0 && k < sizeof pairs / sizeof *pairs; k++) {
        int other = strcmp(o->name, pairs[k][1]) == 0 ? bnn_lint_member(w, 0, pairs[k][0]) : -1;
        for (int i = 0; other >= 0 && i < w->object[other].members; i++) {
            const bnn_lint_object *v = &w->object[w->object[other].first + i];
            if (v->kind == H5I_DATASET && !v->is_scale && bnn_lint_member(w, (int)(o - w->object), v->name) < 0)
                bnn_lint_find(w, "lacks the variable '%s' of %s", v->name, w->object[other].path);
        }
    }
}

static void flags(bnn_lint_walk *w, const bnn_lint_object *o) {
    if (!is_sample_stats(w, o) || (strcmp(o->name, "diverging") != 0 && strcmp(o->name, "reached_max_treedepth") != 0)) return;
    char *text = bnn_lint_text(w, o->id, "dtype");
    if (!text || strcmp(text, "bool") != 0) bnn_lint_find(w, "is not marked as true or false");
    free(text);
}

static const bnn_lint_rule rules[] = {
    {BNN_LINT_VARIABLE, "what has draws is laid out on chain, draw (or sample), then its own dimensions", draws_first, NULL},
    {BNN_LINT_DIMENSION, "groups of draws have the same chains and draws", same_draws, NULL},
    {BNN_LINT_DIMENSION, "observed and constant data have no chain and draw", no_draws_of_data, NULL},
    {BNN_LINT_VARIABLE, "a group of InferenceData has all its coordinates in itself", own_coordinates, NULL},
    {BNN_LINT_GROUP, "posterior_predictive and log_likelihood have the variables of observed_data, log_likelihood no others",
     same_variables, NULL},
    {BNN_LINT_VARIABLE, "it is i8 with the attribute dtype 'bool'", flags, NULL},
};

const bnn_lint_rules bnn_lint_inferencedata = {.rule = rules, .n = sizeof rules / sizeof *rules};
