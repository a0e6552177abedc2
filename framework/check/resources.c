/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * resources.c: the rules that hold of types of every kind: memory that is given back and written before it is read, and a process that is
 * left as it was. A suite has an exercise for them: it makes objects of the type, calls their hooks, and frees them.
 */
#include "resources.h"

#include "numeric.h"
#include "statics.h"
#include "type.h"
#include <fcntl.h>
#include <float.h>
#include <omp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---------------------------------------------------------------- memory */

/* Objects with options within their ranges and at the ends, and with other inputs: bind may refuse any of them. */
static bnn_status attempt_all(bnn_checker *c, const bnn_suite *suite, const char *spec) {
    bnn_option o;
    char text[BNN_NUMBER_TEXT];
    for (int i = 0; bnn_options_at(c->type->options, i, &o); i++) {
        for (int v = 0; v < BNN_MOST_VALUES; v++) {
            const char *value = bnn_option_value(&o, v, text);
            if (value) BNN_TRY(suite->attempt(c, suite, spec, o.name, value));
        }
        for (int above = 0; o.kind == BNN_OPTION_REAL && above < 2; above++)
            if (isfinite(above ? o.max : o.min)) BNN_TRY(suite->attempt(c, suite, spec, o.name, bnn_number_print(above ? o.max : o.min, text)));
    }
    return suite->attempt(c, suite, spec, NULL, NULL);
}

/* The first time may set up what stays. */
static bnn_status returned(bnn_checker *c, const bnn_suite *suite, const char *spec) {
    enum { TIMES = 4 };
    int64_t live[TIMES];
    uint64_t digest;
    if (!c->options->live) {
        bnn_checker_skip(c, "allocations are not counted in this program");
        return BNN_OK;
    }
    for (int refused = 0; refused <= (suite->attempt != NULL) && !bnn_checker_broken(c); refused++) {
        for (int i = 0; i < TIMES; i++) {
            BNN_TRY(refused ? attempt_all(c, suite, spec) : suite->exercise(c, spec, 0, &digest));
            live[i] = c->options->live();
        }
        int64_t first = live[2] - live[1], second = live[3] - live[2];
        if (first > 0 && second > 0)
            bnn_checker_break(
                c, "%lld allocation%s of it are live once all is closed%s, and %lld more the next time: does close free all of them?",
                (long long)first, first == 1 ? "" : "s", refused ? ", where other options and inputs are refused" : "", (long long)second);
    }
    return BNN_OK;
}

static bnn_status fresh(bnn_checker *c, const bnn_suite *suite, const char *spec) {
    static const int bytes[] = {0x00, 0xff}; /* 0 and NaN */
    uint64_t digest[2];
    bnn_status s = BNN_OK;
    if (!c->options->poison) {
        bnn_checker_skip(c, "fresh memory cannot be filled in this program");
        return BNN_OK;
    }
    for (int i = 0; i < 2 && s == BNN_OK; i++) {
        c->options->poison(bytes[i]);
        s = suite->exercise(c, spec, 0, &digest[i]);
        c->options->poison(-1);
    }
    if (s == BNN_OK && digest[0] != digest[1])
        bnn_checker_break(c,
                          "the results are others where fresh memory holds bytes of 0xff than where it holds 0: is something read that was "
                          "allocated and not written?");
    return s;
}

/* ---------------------------------------------------------------- static memory */

/* The first time may set up what stays. */
static bnn_status take_turns(bnn_checker *c, bnn_exercise *exercise, const char *spec, bnn_statics *statics) {
    enum { SETTING_UP = 1 };
    uint64_t digest;
    for (int i = 0; i < SETTING_UP + BNN_STATICS_TAKEN; i++) {
        BNN_TRY(exercise(c, spec, 1 + i % 2, &digest));
        if (i >= SETTING_UP) BNN_TRY(bnn_statics_take(statics, i - SETTING_UP));
    }
    return BNN_OK;
}

/* The program's own types share its static memory with others. */
static bnn_status look_at_statics(bnn_checker *c, const bnn_suite *suite, const char *spec, bool *looked) {
    bnn_statics of;
    char name[96] = "";
    *looked = bnn_statics_find(c->type, &of);
    if (!*looked) return BNN_OK;
    bnn_status s = take_turns(c, suite->exercise, spec, &of);
    size_t n = s == BNN_OK ? bnn_statics_changed(&of, name, sizeof name) : 0;
    if (n > 0)
        bnn_checker_break(c,
                          "%zu byte%s of static memory, the first in %s, hold other numbers after other inputs: hooks that run at once in "
                          "two threads write there over each other",
                          n, n == 1 ? "" : "s", name);
    bnn_statics_free(&of);
    return s;
}

static bnn_status statics(bnn_checker *c, const bnn_suite *suite, const char *spec) {
    bool looked;
    BNN_TRY(look_at_statics(c, suite, spec, &looked));
    if (c->options->list && !bnn_checker_broken(c)) {
        bnn_status s = suite->share(c, spec);
        c->options->list(true), c->options->list(false); /* nothing is listed any more */
        return s;
    }
    if (!looked) bnn_checker_skip(c, "it is the program's own type, and not the only one that writes to its static memory");
    return BNN_OK;
}

/* ---------------------------------------------------------------- the process */

enum { FILES = 256 };

static int count_files(void) {
    int n = 0;
    for (int i = 0; i < FILES; i++) n += fcntl(i, F_GETFD) >= 0;
    return n;
}

static uint64_t digest_environment(void) {
    uint64_t digest = BNN_DIGEST;
    for (char **text = environ; text && *text; text++) bnn_digest_add(&digest, *text, strlen(*text) + 1);
    return digest;
}

/* Numbers below FLT_MIN are there, unless the processor was told to leave them out. */
static bool has_subnormals(void) {
    volatile float least = FLT_MIN;
    return least / 4 > 0;
}

void bnn_surroundings_take(bnn_surroundings *s) {
    *s = (bnn_surroundings){
        .rounding = fegetround(), .traps = fegetexcept(), .subnormals = has_subnormals(), .environment = digest_environment()};
    for (int i = 1; i < BNN_SIGNALS; i++) {
        struct sigaction action;
        if (sigaction(i, NULL, &action) == 0) s->handler[i] = (void *)(uintptr_t)action.sa_handler;
    }
    pthread_sigmask(SIG_BLOCK, NULL, &s->blocked);
    snprintf(s->locale, sizeof s->locale, "%s", setlocale(LC_ALL, NULL));
    if (!getcwd(s->folder, sizeof s->folder)) *s->folder = '\0';
    s->of_thread = uselocale((locale_t)0);
    s->threads = omp_get_max_threads();
    getitimer(ITIMER_REAL, &s->alarm);
}

static void compare(bnn_checker *c, const bnn_surroundings *a, const bnn_surroundings *b) {
    if (a->rounding != b->rounding)
        bnn_checker_break(c, "the rounding of numbers is another than before: who calls fesetround puts it back");
    if (a->traps != b->traps) bnn_checker_break(c, "floating-point exceptions are signals, which they were not before (feenableexcept)");
    if (!b->subnormals)
        bnn_checker_break(c, "numbers below %.3g become 0, in the whole program: is the plugin linked with -ffast-math?", (double)FLT_MIN);
    for (int i = 1; i < BNN_SIGNALS; i++)
        if (a->handler[i] != b->handler[i])
            bnn_checker_break(c, "the signal '%s' has another handler than before: it is the program's", strsignal(i));
    if (memcmp(&a->blocked, &b->blocked, sizeof a->blocked) != 0) bnn_checker_break(c, "other signals are blocked than before");
    if (strcmp(a->locale, b->locale) != 0 || a->of_thread != b->of_thread)
        bnn_checker_break(c, "the locale is '%s', it was '%s': numbers of the whole program are printed and read by it", b->locale,
                          a->locale);
    if (strcmp(a->folder, b->folder) != 0) bnn_checker_break(c, "the working folder is '%s', it was '%s'", b->folder, a->folder);
    if (a->environment != b->environment) bnn_checker_break(c, "the environment is another than before (setenv, putenv)");
    if (a->threads != b->threads) bnn_checker_break(c, "OpenMP takes %d threads, it took %d", b->threads, a->threads);
    if (a->alarm.it_value.tv_sec == 0 && b->alarm.it_value.tv_sec > 0) bnn_checker_break(c, "an alarm is set, which is the program's");
}

static bnn_status process(bnn_checker *c, const bnn_suite *suite, const char *spec) {
    bnn_surroundings now;
    uint64_t digest;
    BNN_TRY(suite->exercise(c, spec, 0, &digest));
    int files = count_files();
    BNN_TRY(suite->exercise(c, spec, 0, &digest));
    if (count_files() > files) bnn_checker_break(c, "a file stays open once all is closed, each time");
    bnn_surroundings_take(&now);
    compare(c, &c->before, &now);
    const char *noticed = c->options->noticed ? c->options->noticed(c->options->context) : NULL;
    if (noticed) bnn_checker_break(c, "%s", noticed);
    return BNN_OK;
}

/* ---------------------------------------------------------------- the rules */

static const struct {
    bnn_rule rule;
    bnn_status (*run)(bnn_checker *c, const bnn_suite *suite, const char *spec);
} rules[] = {
    {{"returned", "what is allocated is free again once all is closed"}, returned},
    {{"fresh", "nothing depends on what fresh memory holds"}, fresh},
    {{"statics", "hooks leave nothing of their inputs in static memory or in their object, which all threads share"}, statics},
    {{"process", "handlers of signals, locale, environment, folder, files and the mode of floating-point numbers stay; nothing is printed"},
     process},
};

enum { N_RULES = sizeof rules / sizeof *rules };

const bnn_rule *bnn_resource_rule(int i) { return i >= 0 && i < N_RULES ? &rules[i].rule : NULL; }

/* Specs that are refused are left out: metadata tells of them. */
static bnn_status run_on(bnn_checker *c, int i, const bnn_suite *suite, const char *spec) {
    bnn_checker_begin(c, &rules[i].rule, spec, "");
    bnn_status s = rules[i].run(c, suite, spec);
    return s == BNN_ERR_MEMORY ? s : s < 0 ? BNN_OK : bnn_checker_end(c);
}

bnn_status bnn_resources_run(bnn_checker *c, const bnn_suite *suite) {
    for (int i = 0; i < N_RULES; i++)
        for (int s = 0; bnn_checker_wants(c, &rules[i].rule) && c->type->checks[s]; s++) BNN_TRY(run_on(c, i, suite, c->type->checks[s]));
    return BNN_OK;
}
