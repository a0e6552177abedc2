/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "checker.h"
#include "resources.h"

#include <assert.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const bnn_suite *const suites[BNN_N_KINDS] = {
    [BNN_LAYER] = &bnn_suite_layer, [BNN_ENGINE] = &bnn_suite_engine,       [BNN_LIKELIHOOD] = &bnn_suite_likelihood,
    [BNN_PRIOR] = &bnn_suite_prior, [BNN_OPTIMIZER] = &bnn_suite_optimizer,
};

/* Those of the kind, then those of every kind. */
const bnn_rule *bnn_check_rule(bnn_kind kind, int i) {
    int n = 0;
    if (!suites[kind]) return NULL;
    while (n <= i && suites[kind]->rule(n)) n++;
    return i < n ? suites[kind]->rule(i) : bnn_resource_rule(i - n);
}

bool bnn_checker_skips(const bnn_checker *c, const bnn_rule *rule) {
    return c->options->skips && c->options->skips(c->options->context, rule);
}

bool bnn_checker_wants(const bnn_checker *c, const bnn_rule *rule) {
    return (!c->options->rule || strcmp(c->options->rule, rule->name) == 0) && !bnn_checker_skips(c, rule);
}

void bnn_checker_come_to(const bnn_checker *c, const bnn_rule *rule, const char *spec, const char *mode) {
    if (c->options->begun) c->options->begun(c->options->context, rule, spec, mode);
}

void bnn_checker_begin(bnn_checker *c, const bnn_rule *rule, const char *spec, const char *mode) {
    c->now = (bnn_verdict){.rule = rule, .spec = spec, .mode = mode, .outcome = BNN_HOLDS};
    c->note = NULL;
    bnn_checker_come_to(c, rule, spec, mode);
}

void bnn_checker_break(bnn_checker *c, const char *format, ...) {
    char *text = c->now.sentence;
    size_t size = sizeof c->now.sentence, used = 0;
    va_list args;
    if (bnn_checker_broken(c)) return;
    c->now.outcome = BNN_BROKEN;
    if (c->note) used = (size_t)snprintf(text, size, "%.200s: ", c->note);
    va_start(args, format);
    bnn_print_list(text + used, size - used, format, args);
    va_end(args);
}

void bnn_checker_skip(bnn_checker *c, const char *format, ...) {
    va_list args;
    if (bnn_checker_broken(c)) return;
    c->now.outcome = BNN_NOT_APPLICABLE;
    va_start(args, format);
    bnn_print_list(c->now.sentence, sizeof c->now.sentence, format, args);
    va_end(args);
}

bnn_status bnn_checker_end(bnn_checker *c) {
    bnn_verdict *more = realloc(c->out->v, ((size_t)c->out->n + 1) * sizeof *more);
    if (!more) return bnn_oom("%d verdicts", c->out->n + 1);
    c->out->v = more;
    more[c->out->n++] = c->now;
    if (c->options->found && !c->quiet) c->options->found(c->options->context, &c->now);
    return BNN_OK;
}

bnn_status bnn_checker_holds(const bnn_checker *c, const bnn_rule *rule, bnn_status (*run)(bnn_checker *c), bool *holds) {
    bnn_verdicts verdicts = {0};
    bnn_checker quiet = *c;
    bnn_status s = BNN_OK;
    quiet.out = &verdicts;
    quiet.quiet = true;
    *holds = true;
    if (!bnn_checker_skips(c, rule)) s = run(&quiet);
    for (int i = 0; i < verdicts.n; i++) *holds &= verdicts.v[i].outcome != BNN_BROKEN;
    bnn_verdicts_free(&verdicts);
    return s;
}

/* Every rule that was asked for has a verdict. */
static bnn_status fill_up(bnn_checker *c) {
    const bnn_rule *rule;
    for (int i = 0; (rule = bnn_check_rule(c->kind, i)); i++) {
        if (!bnn_checker_wants(c, rule) || bnn_verdicts_of(c->out, rule)) continue;
        bnn_checker_begin(c, rule, "", "");
        bnn_checker_skip(c, "%s", c->left);
        BNN_TRY(bnn_checker_end(c));
    }
    return BNN_OK;
}

static bnn_status find_rule(bnn_kind kind, const char *name) {
    char known[1024] = "";
    for (int i = 0; bnn_check_rule(kind, i); i++) {
        const char *here = bnn_check_rule(kind, i)->name;
        if (strcmp(here, name) == 0) return BNN_OK;
        bnn_list_add(known, sizeof known, here);
    }
    return bnn_fail(BNN_ERR_NAME, "unknown rule '%s' for %ss: there are %s", name, bnn_kind_name(kind), known);
}

static bool is_registered(bnn_kind kind, const bnn_type *type) {
    for (const bnn_type *t = NULL; (t = bnn_type_next(kind, t));)
        if (t == type) return true;
    return false;
}

bnn_status bnn_check(bnn_kind kind, const bnn_type *type, const bnn_check_options *options, bnn_verdicts *out) {
    static const bnn_check_options presets = {0};
    const bnn_suite *suite = suites[kind];
    bnn_checker c = {
        .kind = kind, .type = type, .options = options ? options : &presets, .out = out, .left = "no check spec has a case for it"};
    if (!suite) return bnn_fail(BNN_ERR_STATE, "there are no rules for %ss yet", bnn_kind_name(kind));
    if (!is_registered(kind, type))
        return bnn_fail(BNN_ERR_STATE, "%s '%s' is not registered: its check specs cannot name it", bnn_kind_name(kind), type->name);
    if (c.options->rule) BNN_TRY(find_rule(kind, c.options->rule));
    *out = (bnn_verdicts){0};
    bnn_surroundings_take(&c.before);
    bnn_status s = suite->run(&c);
    if (s == BNN_OK && !c.stopped) s = bnn_resources_run(&c, suite);
    if (s == BNN_OK) s = fill_up(&c);
    if (s < 0) bnn_verdicts_free(out);
    return s;
}

/* ---- threads ---- */

typedef struct {
    pthread_mutex_t *gate;
    pthread_t id;
    void *(*work)(void *worker);
    void *worker;
} thread;

static void *pass_gate(void *of) {
    thread *t = of;
    pthread_mutex_lock(t->gate);
    pthread_mutex_unlock(t->gate);
    return t->work(t->worker);
}

bnn_status bnn_checker_at_once(int n, void *(*work)(void *worker), void *workers, size_t size) {
    assert(n <= BNN_MOST_AT_ONCE);
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    thread all[BNN_MOST_AT_ONCE];
    int running = 0;
    pthread_mutex_lock(&gate);
    for (; running < n; running++) {
        all[running] = (thread){.gate = &gate, .work = work, .worker = (char *)workers + (size_t)running * size};
        if (pthread_create(&all[running].id, NULL, pass_gate, &all[running]) != 0) break;
    }
    pthread_mutex_unlock(&gate);
    for (int i = 0; i < running; i++) pthread_join(all[i].id, NULL);
    return running == n ? BNN_OK : bnn_fail(BNN_ERR_STATE, "the system refuses %d threads", n);
}

/* ---- verdicts ---- */

void bnn_verdicts_free(bnn_verdicts *verdicts) {
    free(verdicts->v);
    *verdicts = (bnn_verdicts){0};
}

const bnn_verdict *bnn_verdicts_of(const bnn_verdicts *verdicts, const bnn_rule *rule) {
    static const bnn_outcome order[] = {BNN_BROKEN, BNN_HOLDS, BNN_NOT_APPLICABLE};
    for (size_t k = 0; k < sizeof order / sizeof *order; k++)
        for (int i = 0; i < verdicts->n; i++)
            if (verdicts->v[i].rule == rule && verdicts->v[i].outcome == order[k]) return &verdicts->v[i];
    return NULL;
}
