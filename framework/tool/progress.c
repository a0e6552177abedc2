/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * progress.c: how far a command is: a line on a terminal, a sentence where the end is hours away, and answers to signals.
 */
#include "tool.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

double tool_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- signals ---- */

static volatile sig_atomic_t caught, asked; /* to end; how far it is, or to write what there is */
static volatile sig_atomic_t permille = -1; /* of the work that are done; -1: it does not say */

static void note_request(int number) { asked = number; }

enum { GRACE = 20 };                           /* seconds: schedulers kill after 30 */
static volatile sig_atomic_t patience = GRACE; /* seconds from a signal to the end, whatever is on its way; 0: there is no hurry */

static void catch_signal(int number) {
    caught = number;
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    alarm((unsigned)patience);
}

/* A step that would not end is not waited for. */
static void give_up(int number) {
    static const char text[] = "bnn: stopped within a step that would not end: what was written before it stays\n";
    (void)number;
    if (!caught || patience == 0 || write(STDERR_FILENO, text, sizeof text - 1) < 0) return;
    raise(caught);
}

void tool_signals_wait(double longest) {
    patience = longest < INT32_MAX / 4 ? GRACE + (int)(2 * longest) : 0;
    if (patience == 0) alarm(0);
}

static void listen_to(int number, void (*handler)(int)) {
    sigaction(number, &(struct sigaction){.sa_handler = handler, .sa_flags = SA_RESTART}, NULL);
}

void tool_signals_listen(void) {
    listen_to(SIGINT, catch_signal);
    listen_to(SIGTERM, catch_signal);
    listen_to(SIGUSR1, note_request);
    listen_to(SIGALRM, give_up);
}

bool tool_signals_caught(void) { return caught != 0; }

bool tool_signals_asked(void) {
    bool was = asked != 0;
    asked = 0;
    return was;
}

void tool_signals_obey(void) {
    if (!caught) return;
    fflush(stdout);
    tool_output_release();
    raise(caught); /* its handler is the system's again */
}

/* A line that a handler of signals writes: printf may not be called there. */
typedef struct {
    char text[256];
    size_t n;
} line;

static void add(line *l, const char *text) {
    while (*text && l->n < sizeof l->text) l->text[l->n++] = *text++;
}

static void add_number(line *l, long long number) {
    if (number > 9) add_number(l, number / 10);
    add(l, (const char[]){(char)('0' + number % 10), '\0'});
}

static const char *teller; /* "bnn NAME" */
static double began;

static void tell(int number) {
    line l = {0};
    add(&l, teller);
    add(&l, number == SIGTERM ? ": stopped after " : ": goes on after ");
    add_number(&l, (long long)(tool_seconds() - began));
    add(&l, " s");
    if (permille >= 0) add(&l, ", "), add_number(&l, permille / 10), add(&l, "."), add_number(&l, permille % 10), add(&l, " % done");
    add(&l, number == SIGTERM ? "; what was not written is lost\n" : "\n");
    if (write(STDERR_FILENO, l.text, l.n) < 0) return;
    if (number != SIGTERM) return;
    signal(SIGTERM, SIG_DFL);
    raise(SIGTERM); /* once this handler is left */
}

void tool_signals_tell(const char *name) {
    teller = name, began = tool_seconds();
    listen_to(SIGTERM, tell);
    listen_to(SIGUSR1, tell);
}

/* ---- progress ---- */

tool_progress tool_progress_start(const char *what) { return (tool_progress){.what = what, .started = tool_seconds()}; }

/* A line that is written again and again. */
static void show_line(tool_progress *progress, double share, double now, double left) {
    char text[128];
    if (now - progress->shown <= 0.1) return;
    progress->shown = now;
    int length = snprintf(text, sizeof text, "%s  %3.0f %%  %.3g %%/s  %.0f:%02.0f left", progress->what, 100 * share,
                          100 * share / (now - progress->started), floor(left / 60), floor(fmod(left, 60)));
    if (length > progress->length) progress->length = length; /* the longest so far: blanks wipe what a longer line left */
    fprintf(stderr, "\r%-*s", progress->length, text);
    fflush(stderr);
}

enum { PACE_SHOWS = 5 }; /* seconds: who was kept from the processor for a moment is not slow for good */

/* Whom an hour or more awaits is told once. */
static void announce(tool_progress *progress, double seconds, const char *how) {
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"years", 365.25 * 86400}, {"days", 86400}, {"hours", 3600}};
    size_t u = 0;
    if (progress->announced || seconds < units[2].seconds) return;
    while (u < 2 && seconds < 2 * units[u].seconds) u++;
    progress->announced = true;
    fprintf(stderr, "bnn: %s: about %.3g %s %s\n", progress->what, seconds / units[u].seconds, units[u].name, how);
}

void tool_progress_expect(tool_progress *progress, double seconds) {
    announce(progress, seconds, "of one core, by the count of its operations");
}

void tool_progress_left(tool_progress *progress, double share, double left) {
#pragma omp critical(tool_progress)
    {
        permille = (sig_atomic_t)(1000 * share);
        double now = tool_seconds();
        if (isatty(STDERR_FILENO))
            show_line(progress, share, now, left);
        else if (now - progress->started > PACE_SHOWS)
            announce(progress, left, "are left at this pace");
    }
}

void tool_progress_show(tool_progress *progress, double share) {
    if (share > 0) tool_progress_left(progress, share, (tool_seconds() - progress->started) / share * (1 - share));
}

void tool_progress_take(void *progress, double share) { tool_progress_show(progress, share); }

void tool_progress_end(tool_progress *progress) {
    if (progress->length > 0) fprintf(stderr, "\r%*s\r", progress->length, "");
    progress->length = 0;
}
