/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * course.c: the long part of `bnn fit`: steps, with progress, a log, checkpoints, and an end that can be asked for.
 */
#include "tool/print/json.h"
#include "tool.h"

#include "run/json.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- when to write ---- */

tool_interval tool_interval_parse(const char *option, const char *text) {
    static const struct {
        const char *unit;
        double seconds; /* 0: epochs */
    } units[] = {{"s", 1}, {"min", 60}, {"h", 3600}, {"epochs", 0}, {"epoch", 0}};
    char *unit;
    errno = 0;
    double value = strtod(text, &unit);
    if (!errno && isdigit((unsigned char)*text) && isfinite(value))
        for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
            if (strcmp(unit, units[i].unit) != 0) continue;
            if (units[i].seconds > 0) return (tool_interval){.seconds = value * units[i].seconds};
            if (value == floor(value) && value <= INT32_MAX) return (tool_interval){.epochs = (int)value};
        }
    exit(tool_refuse("%s: '%s' is not a time or a whole number of epochs, such as 30s, 5min, 10epochs; 0s is never", option, text));
}

double tool_deadline_parse(const char *option, const char *text) {
    double now = tool_seconds(), deadline = now + tool_interval_parse(option, text).seconds;
    if (deadline > now) return deadline;
    exit(tool_refuse("%s: '%s' is no time, such as 55min", option, text));
}

static bool is_due(const tool_interval *every, double now, double last, int steps) {
    if (every->epochs > 0) return steps % every->epochs == 0;
    return every->seconds > 0 && now - last >= every->seconds;
}

/* ---- the log ---- */

static bool put(json_t *line, const char *name, double x) { return json_object_set_new(line, name, tool_json_number(x)) == 0; }

/* Numbers a run by its work: FNV-1a of its texts, seed, data and split. */
static uint64_t number_of(const tool_course *c) {
    const bnn_texts *t = &c->run->engine->texts;
    char numbers[64];
    snprintf(numbers, sizeof numbers, "%llu %d", (unsigned long long)c->run->seed, c->split);
    const char *const texts[] = {c->run->engine_text, t->net, t->likelihood, t->prior, numbers, c->table->sha256};
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (size_t k = 0; k <= strlen(texts[i]); k++) hash = (hash ^ (unsigned char)texts[i][k]) * 0x100000001b3;
    return hash;
}

/* The number in hexadecimal. */
static void name_run(const tool_course *c, char name[17]) { snprintf(name, 17, "%016llx", (unsigned long long)number_of(c)); }

/* One line: the step, and, of a step with parameters, the terms of its epoch. */
static bool write_line(FILE *log, const tool_course *c, bool epoch) {
    const bnn_run *run = c->run;
    const bnn_history *h = &run->history;
    char name[17];
    name_run(c, name);
    json_t *line = json_pack("{s:i, s:f}", "step", run->steps, "share", run->progress);
    bool ok = line;
    if (epoch) {
        int last = h->n - 1;
        ok = ok && json_object_set_new(line, "epoch", json_integer(h->epoch[last])) == 0;
        ok = ok && put(line, "nll", h->nll[last]) && put(line, "prior", h->prior[last]) && put(line, "kl", h->kl[last]);
        ok = ok && put(line, "noise_sd", h->noise_sd[last]);
        for (int g = 0; g < h->n_gates; g++) {
            char gate[128];
            snprintf(gate, sizeof gate, "p_%s", h->gate[g]);
            ok = ok && put(line, gate, h->p[last * h->n_gates + g]);
        }
    }
    ok = ok && json_object_set_new(line, "run", json_string(name)) == 0;
    char *text = ok ? bnn_json_text(line, JSON_COMPACT) : NULL;
    ok = text && fprintf(log, "%s\n", text) > 0 && fflush(log) == 0;
    json_decref(line);
    free(text);
    return ok;
}

static bool is_plain_file(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && S_ISREG(about.st_mode);
}

/* Findings in an older log: where the steps that are done end in it, and whether all its whole lines are this run's. */
typedef struct {
    off_t end;
    bool own;
} older_log;

static older_log read_log(FILE *log, const tool_course *c) {
    static const char start[] = "{\"step\":";
    char name[17], *line = NULL;
    size_t size = 0;
    older_log found = {.own = true};
    bool done = true;
    name_run(c, name);
    for (ssize_t n; found.own && (n = getline(&line, &size, log)) > 0;) {
        if (line[n - 1] != '\n') { /* as a kill leaves it */
            found.own = strncmp(line, start, (size_t)n < strlen(start) ? (size_t)n : strlen(start)) == 0;
            break;
        }
        json_t *entry = json_loads(line, 0, NULL);
        const char *of = json_string_value(json_object_get(entry, "run"));
        found.own = of && strcmp(of, name) == 0;
        done = done && json_integer_value(json_object_get(entry, "step")) <= c->run->steps;
        if (done) found.end += n;
        json_decref(entry);
    }
    free(line);
    return found;
}

bnn_status tool_course_check_log(const tool_course *c) {
    if (!c->log || tool_output_forced() || !is_plain_file(c->log)) return BNN_OK;
    FILE *log = fopen(c->log, "r");
    if (!log) return bnn_fail(BNN_ERR_FILE, "%s: cannot be read: %s", c->log, strerror(errno));
    older_log found = read_log(log, c);
    fclose(log);
    return found.own ? BNN_OK : bnn_fail(BNN_ERR_STATE, "%s: is not a log of this run: --force begins it anew", c->log);
}

/* Cuts an older log after the steps that are done: what came after the last checkpoint is done again, and another run's log goes. The file
 * stays the same one for who follows it. */
static bnn_status keep_lines(const tool_course *c) {
    FILE *log = fopen(c->log, "r+");
    if (!log) return BNN_OK; /* what hinders it hinders the writing, too */
    older_log found = read_log(log, c);
    bool cut = ftruncate(fileno(log), found.own ? found.end : 0) == 0;
    bnn_status s = cut ? BNN_OK : bnn_fail(BNN_ERR_FILE, "%s: cannot be written: %s", c->log, strerror(errno));
    fclose(log);
    return s;
}

static bnn_status open_log(const tool_course *c, FILE **log) {
    *log = NULL;
    if (!c->log) return BNN_OK;
    if (is_plain_file(c->log)) BNN_TRY(keep_lines(c));
    *log = fopen(c->log, "a");
    return *log ? BNN_OK : bnn_fail(BNN_ERR_FILE, "%s: cannot be written: %s", c->log, strerror(errno));
}

/* ---- the course ---- */

/* The work is worth more than its checkpoint. */
void tool_checkpoint_failed(const char *what) {
    static char said[1024];
    if (strcmp(said, bnn_error()) == 0) return;
    snprintf(said, sizeof said, "%s", bnn_error());
    fprintf(stderr, "bnn: the checkpoint was not written, the %s goes on: %s\n", what, said);
}

static void checkpoint(const tool_course *c) {
    bnn_provenance provenance = tool_provenance(c->job, c->table, c->split);
    if (bnn_run_save(c->run, NULL, &provenance, c->path) < 0) tool_checkpoint_failed("fit");
}

/* The log goes on, or ends here: the run is worth more than it, too. */
static void log_step(const tool_course *c, FILE **log, bool epoch) {
    if (!*log || write_line(*log, c, epoch)) return;
    fprintf(stderr, "bnn: the log ends here, the fit goes on: %s: cannot be written: %s\n", tool_line(c->log), strerror(errno));
    fclose(*log);
    *log = NULL;
}

/* Says whether a checkpoint is due, or was asked for. */
static bool is_wanted(const tool_course *c, double last) {
    bool asked = tool_signals_asked();
    return tool_ranks_first() && (asked || is_due(&c->every, tool_seconds(), last, c->run->steps));
}

/* Says whether there is time for a step, and for the file, as the longest step, with its checkpoint, took it; a first step is always made,
 * so that who comes back often comes to the end. */
static bool has_time(const tool_course *c, double longest) {
    return c->deadline == 0 || longest == 0 || tool_seconds() + 2 * longest < c->deadline;
}

/* Says whether there is to be another step. Ranks go on or end together, and from the same state: a clock and signals are those of the
 * first one. */
static bnn_status look_on(const tool_course *c, double longest, bool *goes_on) {
    const bnn_run *run = c->run;
    const bnn_history *h = &run->history;
    *goes_on = !run->complete && !tool_signals_caught() && has_time(c, longest);
    if (run->complete || tool_ranks_count() == 1) return BNN_OK;
    const double state[] = {(double)(number_of(c) >> 12), run->steps, (double)run->cost.gradients, h->n > 0 ? h->nll[h->n - 1] : 0,
                            h->n > 0 ? h->prior[h->n - 1] : 0};
    return tool_ranks_agree(sizeof state / sizeof *state, state, goes_on);
}

bnn_status tool_course_run(const tool_course *c, const bnn_data *train) {
    bnn_run *run = c->run;
    FILE *log;
    tool_ranks_meet(); /* all have read what the first one is about to write */
    BNN_TRY(open_log(c, &log));
    tool_signals_listen();
    tool_progress progress = tool_progress_start("fit");
    if (!run->complete) tool_progress_expect(&progress, bnn_engine_seconds(run->engine) * (1 - run->progress));
    bnn_status s = BNN_OK;
    bool goes_on;
    double share, longest = 0, last = tool_seconds();
    while ((s = look_on(c, longest, &goes_on)) == BNN_OK && goes_on) {
        int epochs = run->history.epochs;
        double began = tool_seconds();
        if ((s = bnn_run_step(run, train, &share)) < 0) break;
        if (longest == 0) tool_ranks_doubt(run->engine->object.type->name);
        tool_progress_show(&progress, share);
        log_step(c, &log, run->history.epochs > epochs);
        if (!run->complete && is_wanted(c, last)) {
            checkpoint(c);
            last = tool_seconds();
        }
        longest = fmax(longest, tool_seconds() - began);
        tool_signals_wait(longest);
    }
    tool_signals_wait(INFINITY);
    tool_progress_end(&progress);
    if (log) fclose(log);
    return s;
}

bnn_status tool_course_stop(const tool_course *c) {
    bnn_provenance provenance = tool_provenance(c->job, c->table, c->split);
    BNN_TRY(bnn_run_save(c->run, NULL, &provenance, c->path));
    fprintf(stderr, "bnn: stopped after step %d; wrote %s (partial): the same command with --resume goes on\n", c->run->steps,
            tool_line(c->path));
    return BNN_OK;
}
