/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * course.c: the long part of `bnn fit`: steps, with progress, a log, checkpoints, and an end that can be asked for.
 */
#include "json.h"
#include "tool.h"

#include "run/json.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
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

static bool is_due(const tool_interval *every, double now, double last, int steps) {
    if (every->epochs > 0) return steps % every->epochs == 0;
    return every->seconds > 0 && now - last >= every->seconds;
}

/* ---- signals ---- */

static volatile sig_atomic_t caught;

/* The first signal ends the course after its step, a second one of either kind the program at once. */
static void catch_signal(int number) {
    caught = number;
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
}

static void listen(void) {
    struct sigaction action = {.sa_handler = catch_signal, .sa_flags = SA_RESTART};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* ---- the log ---- */

static bool put(json_t *line, const char *name, double x) { return json_object_set_new(line, name, tool_json_number(x)) == 0; }

/* One line: the step, and, of a step with parameters, the terms of its epoch. */
static bool write_line(FILE *log, const bnn_run *run, bool epoch) {
    const bnn_history *h = &run->history;
    json_t *line = json_pack("{s:i, s:f}", "step", run->steps, "share", run->progress);
    bool ok = line;
    if (epoch) {
        int last = h->n - 1;
        ok = ok && json_object_set_new(line, "epoch", json_integer(h->epoch[last])) == 0;
        ok = ok && put(line, "nll", h->nll[last]) && put(line, "prior", h->prior[last]) && put(line, "kl", h->kl[last]);
        ok = ok && put(line, "noise_sd", h->noise_sd[last]);
        for (int g = 0; g < h->n_gates; g++) {
            char name[128];
            snprintf(name, sizeof name, "p_%s", h->gate[g]);
            ok = ok && put(line, name, h->p[last * h->n_gates + g]);
        }
    }
    char *text = ok ? bnn_json_text(line, JSON_COMPACT) : NULL;
    ok = text && fprintf(log, "%s\n", text) > 0 && fflush(log) == 0;
    json_decref(line);
    free(text);
    return ok;
}

static bool is_done(const char *line, int steps) {
    json_t *entry = json_loads(line, 0, NULL);
    bool done = entry && json_integer_value(json_object_get(entry, "step")) <= steps;
    json_decref(entry);
    return done;
}

/* Cuts an older log after a step: what came after its last checkpoint is done again. The file stays the same one for who follows it. */
static bnn_status keep_lines(const char *path, int steps) {
    FILE *log = fopen(path, "r+");
    char *line = NULL;
    size_t size = 0;
    off_t end = 0;
    if (!log) return BNN_OK; /* what hinders it hinders the writing, too */
    for (ssize_t n; (n = getline(&line, &size, log)) > 0 && line[n - 1] == '\n' && is_done(line, steps);) end += n;
    free(line);
    bool cut = ftruncate(fileno(log), end) == 0;
    bnn_status s = cut ? BNN_OK : bnn_fail(BNN_ERR_FILE, "%s: cannot be written: %s", path, strerror(errno));
    fclose(log);
    return s;
}

static bool is_plain_file(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && S_ISREG(about.st_mode);
}

static bnn_status open_log(const tool_course *c, const bnn_run *run, FILE **log) {
    *log = NULL;
    if (!c->log) return BNN_OK;
    if (run->steps > 0 && is_plain_file(c->log)) BNN_TRY(keep_lines(c->log, run->steps));
    *log = fopen(c->log, run->steps > 0 ? "a" : "w");
    return *log ? BNN_OK : bnn_fail(BNN_ERR_FILE, "%s: cannot be written: %s", c->log, strerror(errno));
}

/* ---- the course ---- */

static void checkpoint(const tool_course *c, const bnn_run *run) {
    bnn_provenance provenance = tool_provenance(c->job, c->table, c->split);
    if (bnn_run_save(run, NULL, &provenance, c->path) < 0) /* the run is worth more than its checkpoint */
        fprintf(stderr, "bnn: the checkpoint was not written, the fit goes on: %s\n", bnn_error());
}

/* The log goes on, or ends here: the run is worth more than it, too. */
static void log_step(const tool_course *c, FILE **log, const bnn_run *run, bool epoch) {
    if (!*log || write_line(*log, run, epoch)) return;
    fprintf(stderr, "bnn: the log ends here, the fit goes on: %s: cannot be written: %s\n", tool_line(c->log), strerror(errno));
    fclose(*log);
    *log = NULL;
}

bnn_status tool_course_run(const tool_course *c, const bnn_data *train, bnn_run *run) {
    FILE *log;
    BNN_TRY(open_log(c, run, &log));
    listen();
    tool_progress progress = tool_progress_start("fit");
    bnn_status s = BNN_OK;
    double share, last = tool_seconds();
    while (s == BNN_OK && !run->complete && !caught) {
        int epochs = run->history.epochs;
        if ((s = bnn_run_step(run, train, &share)) < 0) break;
        tool_progress_show(&progress, share);
        log_step(c, &log, run, run->history.epochs > epochs);
        if (!run->complete && is_due(&c->every, tool_seconds(), last, run->steps)) {
            checkpoint(c, run);
            last = tool_seconds();
        }
    }
    tool_progress_end(&progress);
    if (log) fclose(log);
    return s;
}

bnn_status tool_course_stop(const tool_course *c, const bnn_run *run) {
    bnn_provenance provenance = tool_provenance(c->job, c->table, c->split);
    BNN_TRY(bnn_run_save(run, NULL, &provenance, c->path));
    fprintf(stderr, "bnn: stopped after step %d; wrote %s (partial): the same command with --resume goes on\n", run->steps,
            tool_line(c->path));
    return BNN_OK;
}

void tool_course_obey(void) {
    fflush(stdout);
    if (caught) raise(caught); /* its handler is the system's again */
}
