/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * check.h: conformance: does a type keep the promises of its contract?
 *
 * A suite is a list of rules for one kind of type. Each rule is run on every check spec of the type, in every mode where it makes sense,
 * and gives a verdict each time. All is deterministic: the same type gets the same verdicts.
 */
#ifndef BNN_CHECK_H
#define BNN_CHECK_H

#include <bnn/registry.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One rule of a suite; static storage. */
typedef struct {
    const char *name;   /* one word, such as "gradient" */
    const char *demand; /* what it demands, a sentence without a full stop */
} bnn_rule;

/* How a rule came out. */
typedef enum {
    BNN_HOLDS,         /* as it demands */
    BNN_BROKEN,        /* the sentence says what is wrong */
    BNN_NOT_APPLICABLE /* the sentence says why */
} bnn_outcome;

/* One rule on one check spec in one mode. */
typedef struct {
    const bnn_rule *rule; /* that was asked */
    const char *spec;     /* check spec that it was run on, lent by the type; "": none in particular */
    const char *mode;     /* "MEAN", "ROWS", "DRAW"; "": none in particular */
    bnn_outcome outcome;  /* of it */
    char sentence[480];   /* what is wrong, with the measured numbers, or why the rule does not apply; "" where it holds */
} bnn_verdict;

/* All verdicts on a type. Owns them. */
typedef struct {
    int n;          /* verdicts */
    bnn_verdict *v; /* [n] in the order of the rules */
} bnn_verdicts;

/* Choices for a suite; all zeros: everything. */
typedef struct {
    const char *rule; /* only the rule of this name; NULL: all */
    /* The number of allocations that the calling thread has made so far. Only the program that owns malloc can know it; NULL: the rule on
     * allocations does not apply. */
    uint64_t (*allocations)(void);
    int64_t (*live)(void);    /* those of all threads that are not freed yet */
    void (*poison)(int byte); /* fills memory that is allocated from now on; below 0: not any more */
    /* What hooks have done that the program alone can see, such as to print, as a sentence; NULL: nothing. */
    const char *(*noticed)(void *context);
    /* For programs that run the suite in a process of its own, which a type may end, and begin another one where it ended: */
    bool (*skips)(void *context, const bnn_rule *rule); /* rules that are not run, so that they get no verdict; NULL: none */
    /* Called before a rule is run on a spec in a mode ("": on none in particular), also where its verdict is for the suite alone, as
     * whether others can be run after it; NULL: nobody asks. */
    void (*begun)(void *context, const bnn_rule *rule, const char *spec, const char *mode);
    void (*found)(void *context, const bnn_verdict *verdict); /* called with each verdict as soon as there is one; NULL: nobody asks */
    void *context;                                            /* of these calls */
    /* Of the program that owns malloc, both or none: the blocks of memory that are allocated, while this is on, are listed; on forgets
     * those listed before. */
    void (*list)(bool on);
    bool (*listed)(int i, const void **at, size_t *size); /* the i-th of them that is not freed; false: there are no more */
} bnn_check_options;

/* Rule i of a kind's suite; NULL behind the last one, and for every i if the kind has no suite. */
const bnn_rule *bnn_check_rule(bnn_kind kind, int i);

/* Runs the suite on a registered type. A broken rule is a verdict, not a failure of the call. options NULL: all presets. */
bnn_status bnn_check(bnn_kind kind, const bnn_type *type, const bnn_check_options *options, bnn_verdicts *out);
void bnn_verdicts_free(bnn_verdicts *verdicts); /* frees what is inside */

/* One rule over all specs and modes: the first broken verdict, else one that holds, else one that says why the rule does not apply; NULL if
 * the rule was not run. */
const bnn_verdict *bnn_verdicts_of(const bnn_verdicts *verdicts, const bnn_rule *rule);

#ifdef __cplusplus
}
#endif

#endif
