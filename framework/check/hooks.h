/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * hooks.h (private): what the suites of likelihoods, priors and optimisers share. Their hooks are plain functions of arrays, so that
 * a case (one object on one kind of data) is a set of guarded arrays and a way to call each hook on them; what holds of every such function
 * (bounds, no state, no allocations, finite values) is asked of it here.
 */
#ifndef BNN_CHECK_HOOKS_H
#define BNN_CHECK_HOOKS_H

#include "numeric.h"
#include "checker.h"

/* ---------------------------------------------------------------- rules in a table */

/* A rule is run once for the type, or on every case of every check spec. */
typedef struct {
    bnn_rule rule;
    bnn_status (*once)(bnn_checker *c);
    bnn_status (*on_case)(bnn_checker *c, void *k);
} bnn_table_rule;

/* Runs the rules; cases: runs one of them on each case. */
bnn_status bnn_run_table(bnn_checker *c, int n, const bnn_table_rule rules[],
                         bnn_status (*cases)(bnn_checker *c, const bnn_table_rule *rule));
/* One rule on one case, with its verdict. */
bnn_status bnn_run_case(bnn_checker *c, const bnn_table_rule *rule, const char *spec, const char *mode, void *k);

/* ---------------------------------------------------------------- objects and their texts */

/* The head, and that the check specs are taken: of types whose objects are made from their texts alone. */
bnn_status bnn_object_rule_metadata(bnn_checker *c, uint32_t caps);
bnn_status bnn_object_rule_options(bnn_checker *c); /* the rule `options` */
/* The rule `values`: run is asked at the first check spec with each option at values within its range; those that are refused it leaves
 * out. Of numbers some value has to change what the exercise makes of some check spec. */
bnn_status bnn_object_rule_values(bnn_checker *c, bnn_exercise *exercise, bnn_status (*run)(bnn_checker *c, const char *spec, void *of),
                                  void *of);
/* The rule `print`, of an object that was made of the check spec and bound. */
bnn_status bnn_object_rule_print(bnn_checker *c, const bnn_object *object);

/* An attempt of suites whose objects are made from their texts: the exercise on the spec with key=value. */
bnn_attempt bnn_object_attempt;

/* Breaks the verdict unless draws x[n], which are sorted, follow a density; fan_in: of weights, 0 where there is none. */
void bnn_check_draws(bnn_checker *c, double (*density)(double x, void *of), void *of, int fan_in, int n, double *x);

/* Breaks the verdict where numbers a[n] of independent noise, or their squares, are correlated with those some places later. b[n]: room. */
void bnn_check_neighbours(bnn_checker *c, const char *what, int n, const double *a, double *b);

/* ---------------------------------------------------------------- hooks on arrays */

enum { BNN_MOST_ARRAYS = 16, BNN_MOST_HOOKS = 9 };

typedef struct {
    const char *name;
    bnn_real *at; /* guarded; doubles stand in it as they are */
    size_t n;     /* entries */
    bool lent;    /* hooks may read it only */
    bool doubles;
    bool unbounded; /* may hold numbers that are not finite */
} bnn_array;

typedef struct {
    int n_arrays;
    bnn_array array[BNN_MOST_ARRAYS];
    bool out_of_memory;
    const char *const *name;          /* of the hooks, NULL-terminated */
    bool (*call)(void *of, int hook); /* false: the type has no such hook */
    void *of;
    double value; /* that the last hook returned, else 0 */
} bnn_hooks;

/* One more array of n zeros; NULL when out of memory. */
bnn_real *bnn_hooks_reals(bnn_hooks *h, const char *name, size_t n, bool lent);
double *bnn_hooks_doubles(bnn_hooks *h, const char *name, size_t n);
void bnn_hooks_free(bnn_hooks *h);

/* Contents of all arrays; must be freed. */
typedef struct {
    bnn_real *kept[BNN_MOST_ARRAYS];
} bnn_contents;
bnn_status bnn_contents_keep(const bnn_hooks *h, bnn_contents *out);
void bnn_contents_put_back(const bnn_hooks *h, const bnn_contents *contents);
void bnn_contents_free(bnn_contents *contents);

/* Every hook is called on the arrays as they are, which are put back after it. */
bnn_status bnn_hooks_stay_in_bounds(bnn_checker *c, bnn_hooks *h);
bnn_status bnn_hooks_allocate_nothing(bnn_checker *c, bnn_hooks *h);
bnn_status bnn_hooks_stay_finite(bnn_checker *c, bnn_hooks *h, const char *when);

/* Turns what is lent of reals by so many entries: other numbers, as possible as they were. */
void bnn_hooks_turn(bnn_hooks *h, int entries);
/* The rule `statics` on an object whose memory, with the arrays, was allocated since bnn_owned_begin. */
bnn_status bnn_hooks_share(bnn_checker *c, bnn_hooks *h);
/* Adds what every hook returns and leaves in the arrays. */
bnn_status bnn_hooks_digest(bnn_hooks *h, uint64_t *digest);

/* Record of the values that every hook returned and left in the arrays. */
typedef struct {
    bnn_contents after[BNN_MOST_HOOKS];
    double value[BNN_MOST_HOOKS];
} bnn_record;
bnn_status bnn_record_take(bnn_hooks *h, bnn_record *out);
void bnn_record_free(bnn_record *r);
/* Breaks the verdict unless every hook does again what is recorded, after each hook of `other` (NULL: after nothing). */
bnn_status bnn_record_compare(bnn_checker *c, bnn_hooks *h, const bnn_record *r, bnn_hooks *other);

#endif
