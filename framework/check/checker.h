/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * checker.h (private): what the suites of check.h are made with. A suite is a struct at the end of its file, listed in check.c by its kind.
 *
 * A suite's run opens a verdict for a rule, calls the code of the rule, which may break it or skip it, and files the verdict. A status < 0
 * means that the suite itself could not go on (no memory), never that the type is wrong.
 */
#ifndef BNN_CHECKER_H
#define BNN_CHECKER_H

#include <bnn/check.h>
#include <fenv.h>
#include <locale.h>
#include <signal.h>
#include <sys/time.h>

/* State of the process and of the thread that hooks have to leave as it is. */
enum { BNN_SIGNALS = 65 };
typedef struct {
    int rounding, traps, threads;
    bool subnormals;
    void *handler[BNN_SIGNALS];
    sigset_t blocked;
    char locale[256], folder[1024];
    locale_t of_thread;
    uint64_t environment;
    struct itimerval alarm;
} bnn_surroundings;
void bnn_surroundings_take(bnn_surroundings *s);

typedef struct {
    bnn_kind kind;
    const bnn_type *type;
    const bnn_check_options *options;
    bnn_verdicts *out;
    bnn_verdict now;         /* open from begin to end */
    const char *note;        /* stands before the sentences of bnn_checker_break; NULL: nothing */
    bnn_surroundings before; /* of the first hook */
    bool stopped;            /* a rule is broken that the others stand on */
    bool quiet;              /* the verdicts are for the suite alone */
    const char *left;        /* why rules are left without a verdict; a suite that stops early says it here */
} bnn_checker;

/* Makes objects of the type, calls their hooks and frees them; *digest: of all that came out, the same bits each time. turn 0: on a few
 * rows; other turns: on other numbers each, and of layers on many rows. */
typedef bnn_status bnn_exercise(bnn_checker *c, const char *spec, int turn, uint64_t *digest);

/* Makes objects of the type, calls the hooks that may not change them on other inputs each time, and breaks the verdict where their
 * memory has changed (statics.h). */
typedef bnn_status bnn_share(bnn_checker *c, const char *spec);

typedef struct bnn_suite bnn_suite;

/* Makes an object of the spec with key=value, or, without a key, with inputs of other shapes, and frees it; it may be refused. */
typedef bnn_status bnn_attempt(bnn_checker *c, const bnn_suite *suite, const char *spec, const char *key, const char *value);

struct bnn_suite {
    const bnn_rule *(*rule)(int i); /* NULL behind the last */
    bnn_status (*run)(bnn_checker *c);
    bnn_exercise *exercise; /* on one check spec */
    bnn_share *share;       /* likewise */
    bnn_attempt *attempt;   /* likewise; NULL: it takes too long */
};

extern const bnn_suite bnn_suite_engine;
extern const bnn_suite bnn_suite_layer;
extern const bnn_suite bnn_suite_likelihood;
extern const bnn_suite bnn_suite_prior;
extern const bnn_suite bnn_suite_optimizer;

/* Says whether the caller wants this rule left out. */
bool bnn_checker_skips(const bnn_checker *c, const bnn_rule *rule);
/* Says whether the caller asked for this rule. */
bool bnn_checker_wants(const bnn_checker *c, const bnn_rule *rule);
/* Says what comes next, before objects of the type are made for it. */
void bnn_checker_come_to(const bnn_checker *c, const bnn_rule *rule, const char *spec, const char *mode);
/* Opens a verdict, and says what comes next; spec and mode are borrowed, "" where there is none. */
void bnn_checker_begin(bnn_checker *c, const bnn_rule *rule, const char *spec, const char *mode);
/* The open verdict: broken; of several sentences the first stays. */
void bnn_checker_break(bnn_checker *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The open verdict: not applicable, unless it is broken. */
void bnn_checker_skip(bnn_checker *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline bool bnn_checker_broken(const bnn_checker *c) { return c->now.outcome == BNN_BROKEN; }
/* Files the open verdict. */
bnn_status bnn_checker_end(bnn_checker *c);
/* Says whether a rule holds that others stand on, without a verdict for the caller; run: runs it. One that the caller has left out is taken
 * to hold. */
bnn_status bnn_checker_holds(const bnn_checker *c, const bnn_rule *rule, bnn_status (*run)(bnn_checker *c), bool *holds);

enum { BNN_MOST_AT_ONCE = 4 };
/* Runs work on each of n workers, structs of `size` bytes side by side, in threads none of which begins before all are there. */
bnn_status bnn_checker_at_once(int n, void *(*work)(void *worker), void *workers, size_t size);

#endif
