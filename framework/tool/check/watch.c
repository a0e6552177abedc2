/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * watch.c: a child loads the plugins, checks the types, and tells of every step through a pipe. Where it ends before it has said that it is
 * done, the rule that it was at has its verdict, and another child goes on behind it. What plugins print goes nowhere near the answers.
 */
#include "tool/allocations.h"
#include "watch.h"

#include <bnn/escape.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { MOST_PRINTED = 16 << 20, MOST_COSTLY = 2, LOOK = 100 /* milliseconds between two looks at a child */ };
static const double most_memory = 2.0 * (1 << 30), most_of_thread = 16 << 20; /* bytes that a child may write to */

/* ---------------------------------------------------------------- what children say */

/* Steps of a child. Behind LOADS comes REFUSED, CLASHES or the next step; behind DONE nothing but its end. */
typedef struct {
    enum { LOADS, CLASHES, STARTS, CHECKS, RUNS, FINDS, REFUSED, DONE } step;
    bnn_kind kind;
    int number;      /* of types, of the type, of the rule */
    char name[1024]; /* path, type or spec */
    char mode[32];
    bnn_outcome outcome;
    char sentence[sizeof((bnn_verdict *)NULL)->sentence];
} event;
_Static_assert(sizeof(event) <= 4096, "what fits into a pipe at once is written whole");

typedef struct {
    tool_hooks hooks; /* texts of the program */
    bool forks;       /* the child has forked */
    bool starved;     /* an allocation has failed */
    bool mute;        /* the child could not say what it was at */
    pid_t pid;        /* of the child: what it forks says nothing */
} shared_state;

static shared_state *shared; /* by parent and children */
static int telling = -1;     /* the end of the pipe that a child writes to */

static void tell(const event *e) {
    if (getpid() != shared->pid) _exit(2);
    shared->mute = write(telling, e, sizeof *e) != sizeof *e;
    if (shared->mute) _exit(2);
}

static void put(char *text, size_t size, const char *from) { snprintf(text, size, "%s", from); }

static void tell_name(int step, bnn_kind kind, int number, const char *name) {
    event e = {.step = step, .kind = kind, .number = number};
    put(e.name, sizeof e.name, name);
    tell(&e);
}

static void tell_failure(int step) {
    event e = {.step = step};
    put(e.sentence, sizeof e.sentence, bnn_error());
    tell(&e);
}

/* ---------------------------------------------------------------- what a child says of its rules */

typedef struct {
    bnn_kind kind;
    const tool_checked *before; /* what other children found of this type; NULL: nothing */
} checking;

static int number_of(bnn_kind kind, const bnn_rule *rule) {
    int i = 0;
    while (bnn_check_rule(kind, i) != rule) i++;
    return i;
}

static bool has_verdict(void *context, const bnn_rule *rule) {
    const checking *k = context;
    return k->before && bnn_verdicts_of(&k->before->verdicts, rule);
}

static void begun(void *context, const bnn_rule *rule, const char *spec, const char *mode) {
    const checking *k = context;
    event e = {.step = RUNS, .kind = k->kind, .number = number_of(k->kind, rule)};
    put(e.name, sizeof e.name, spec), put(e.mode, sizeof e.mode, mode);
    tell(&e);
}

static void found(void *context, const bnn_verdict *v) {
    const checking *k = context;
    event e = {.step = FINDS, .kind = k->kind, .number = number_of(k->kind, v->rule), .outcome = v->outcome};
    put(e.name, sizeof e.name, v->spec), put(e.mode, sizeof e.mode, v->mode), put(e.sentence, sizeof e.sentence, v->sentence);
    tell(&e);
}

/* ---------------------------------------------------------------- which types */

bool tool_is_file(const char *name) { return name && strpbrk(name, "./"); }

static bool is_asked_for(const tool_request *r, const bnn_plugin *file, int kind, const bnn_type *t) {
    bool named = file ? bnn_plugin_of(t) == file : !r->name || strcmp(r->name, t->name) == 0;
    return named && (r->kind < 0 || r->kind == kind);
}

static bool has_rule(bnn_kind kind, const char *name) {
    for (int i = 0; bnn_check_rule(kind, i); i++)
        if (!name || strcmp(bnn_check_rule(kind, i)->name, name) == 0) return true;
    return false;
}

/* The types of the kinds that have the rules; n counts them. */
static bnn_entry *find_types(const tool_request *r, const bnn_plugin *file, int *n) {
    bnn_entry *list = NULL;
    *n = 0;
    for (int kind = 0; kind < BNN_N_KINDS; kind++)
        for (const bnn_type *t = NULL; has_rule((bnn_kind)kind, r->rule) && (t = bnn_type_next((bnn_kind)kind, t));) {
            if (!is_asked_for(r, file, kind, t)) continue;
            bnn_entry *more = realloc(list, (size_t)(*n + 1) * sizeof *more);
            if (!more) return free(list), bnn_oom("a list of types"), NULL;
            list = more;
            list[(*n)++] = (bnn_entry){(bnn_kind)kind, t};
        }
    return list;
}

/* Nothing can be checked: the library says why the first type that was asked for cannot be, or there is none. */
static bnn_status none_found(const tool_request *r, const bnn_plugin *file) {
    bnn_verdicts unused;
    for (int kind = 0; kind < BNN_N_KINDS; kind++)
        for (const bnn_type *t = NULL; (t = bnn_type_next((bnn_kind)kind, t));)
            if (is_asked_for(r, file, kind, t)) return bnn_check((bnn_kind)kind, t, &(bnn_check_options){.rule = r->rule}, &unused);
    const char *what = r->kind < 0 ? "type" : bnn_kind_name((bnn_kind)r->kind);
    if (file) return bnn_fail(BNN_ERR_NAME, "%s: has no %s", r->name, what);
    return bnn_fail(BNN_ERR_NAME, "check: there is no %s '%s': `bnn list` prints those there are", what, r->name);
}

/* ---------------------------------------------------------------- the child */

static off_t printed_before; /* by other children */

/* The first line of what has been printed since the child began; "" if nothing. */
static void read_printed(int file, off_t from, char *line, size_t size) {
    char text[80];
    ssize_t n = pread(file, text, sizeof text - 1, from);
    text[n > 0 ? n : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    bnn_escape(text, line, size);
}

static const char *noticed(void *context) {
    static char sentence[200], line[160];
    (void)context;
    fflush(NULL);
    read_printed(STDOUT_FILENO, printed_before, line, sizeof line);
    snprintf(sentence, sizeof sentence, "prints: \"%s\"", line);
    return shared->forks ? "forks: a second process with what the first one holds" : *line ? sentence : NULL;
}

static void loads(const char *path) {
    if (path) tell_name(LOADS, 0, 0, path);
}

static bnn_status check_type(const tool_request *r, bnn_entry entry, int number, const tool_findings *before) {
    checking k = {.kind = entry.kind, .before = number < before->n ? &before->type[number] : NULL};
    bnn_check_options options = {.rule = r->rule,
                                 .allocations = tool_allocations,
                                 .live = tool_live,
                                 .poison = tool_poison,
                                 .noticed = noticed,
                                 .skips = has_verdict,
                                 .begun = begun,
                                 .found = found,
                                 .context = &k,
                                 .list = tool_list,
                                 .listed = tool_listed};
    bnn_verdicts unused;
    tell_name(CHECKS, entry.kind, number, entry.type->name);
    BNN_TRY(bnn_check(entry.kind, tool_trace(entry.kind, entry.type, &shared->hooks), &options, &unused));
    bnn_verdicts_free(&unused);
    return BNN_OK;
}

/* The file that is to be checked: its types, whatever names there are already. */
static bnn_status load_file(const char *path, const bnn_plugin **file) {
    loads(path);
    bnn_status s = bnn_plugin_load(path, file);
    if (s != BNN_ERR_NAME) return s;
    tell_failure(CLASHES);
    loads(path);
    return bnn_plugin_load_in_place(path, file);
}

static bnn_status check_types(const tool_request *r, const tool_findings *before, int from) {
    const bnn_plugin *file = NULL;
    int n;
    BNN_TRY(tool_plugins_load(r->plugins, loads));
    if (tool_is_file(r->name)) BNN_TRY(load_file(r->name, &file));
    bnn_entry *types = find_types(r, file, &n);
    bnn_status s = n > 0 ? BNN_OK : none_found(r, file);
    if (s == BNN_OK) tell_name(STARTS, 0, n, "");
    for (int i = from; s == BNN_OK && i < n; i++) s = check_type(r, types[i], i, before);
    free(types);
    return s;
}

static void note_fork(void) { shared->forks = true; }
static void stop_at_once(void) { _exit(0); }

static bool shut; /* this process is a child */

/* Stands before that of the C library: a child is told that it prints to a terminal, so that what hooks print there alone is seen. */
int isatty(int file) {
    struct termios unused;
    return (shut && (file == STDOUT_FILENO || file == STDERR_FILENO)) || tcgetattr(file, &unused) == 0;
}

/* Its own session, so that what it forks ends with it, and that it has no terminal; no more memory than a small type needs. */
static void shut_in(int printed) {
    int nothing = open("/dev/null", O_RDONLY);
    shut = true;
    setsid();
    pthread_atfork(note_fork, NULL, stop_at_once);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(nothing, STDIN_FILENO), dup2(printed, STDOUT_FILENO), dup2(printed, STDERR_FILENO);
    close(nothing);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){MOST_PRINTED, MOST_PRINTED});
    rlim_t memory = (rlim_t)(most_memory + most_of_thread * (double)sysconf(_SC_NPROCESSORS_ONLN));
    if (tool_allocations) setrlimit(RLIMIT_DATA, &(struct rlimit){memory, memory}); /* sanitizers map more */
}

_Noreturn static void be_child(const tool_request *r, const tool_findings *before, int from, int printed) {
    shut_in(printed);
    printed_before = lseek(printed, 0, SEEK_END);
    shared->pid = getpid();
    tool_watch_allocations();
    tool_out_of_memory = &shared->starved;
    if (check_types(r, before, from) < 0)
        tell_failure(REFUSED);
    else
        tell_name(DONE, 0, 0, "");
    exit(0);
}

/* ---------------------------------------------------------------- the parent */

typedef struct {
    const tool_request *request;
    tool_findings *out;
    tool_progress progress;
    int types;     /* that there are to check; 0: not known yet */
    int from;      /* the type that the next child begins with */
    int printed;   /* file of what children print */
    pid_t pid;     /* of the child that runs */
    int pipe;      /* what it says; -1: it has closed it */
    event at;      /* its last step */
    event run;     /* the rule that it is at; its step is RUNS where there is one */
    double spent;  /* seconds at that step: of processors, and of waiting for nothing */
    double cpu;    /* seconds of processors that it has used so far */
    double looked; /* when that was */
    int status;    /* as waitpid says */
    bool overtime;
} watcher;

static double cpu_of(pid_t pid) {
    clockid_t clock;
    struct timespec t;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0) return 0;
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Time counts where the child works, or does nothing at all; not where other work keeps it from the processor, nor for longer than one
 * look waits: what is more, the whole machine or its share of processors stood still. */
static void count_time(watcher *w) {
    double now = tool_seconds(), cpu = cpu_of(w->pid), passed = fmin(now - w->looked, 1e-3 * LOOK);
    w->spent += cpu - w->cpu > 0.01 * passed ? cpu - w->cpu : passed;
    w->cpu = cpu;
    w->looked = now;
    if (w->spent < w->request->limit || w->overtime) return;
    w->overtime = true;
    kill(w->pid, SIGKILL);
}

static bnn_status start(watcher *w) {
    int ends[2];
    fflush(NULL);
    if (pipe(ends) < 0) return bnn_fail(BNN_ERR_STATE, "check: no pipe to a child: %s", strerror(errno));
    *shared = (shared_state){0};
    w->pid = fork();
    if (w->pid == 0) {
        close(ends[0]);
        telling = ends[1];
        be_child(w->request, w->out, w->from, w->printed);
    }
    close(ends[1]);
    if (w->pid < 0) return close(ends[0]), bnn_fail(BNN_ERR_STATE, "check: no child: %s", strerror(errno));
    w->pipe = ends[0];
    w->at = w->run = (event){.step = STARTS};
    w->spent = w->cpu = 0, w->looked = tool_seconds(), w->overtime = false;
    return BNN_OK;
}

/* A verdict with texts of its own. */
static bnn_status add_verdict(tool_checked *type, const event *e, bnn_outcome outcome, const char *sentence) {
    bnn_verdict *more = realloc(type->verdicts.v, (size_t)(type->verdicts.n + 1) * sizeof *more);
    if (!more) return bnn_oom("a verdict");
    type->verdicts.v = more;
    bnn_verdict *v = &more[type->verdicts.n];
    *v = (bnn_verdict){.rule = bnn_check_rule(type->kind, e->number), .spec = strdup(e->name), .mode = strdup(e->mode), .outcome = outcome};
    put(v->sentence, sizeof v->sentence, sentence);
    type->verdicts.n++;
    return v->spec && v->mode ? BNN_OK : bnn_oom("a verdict");
}

static bnn_status add_type(tool_findings *out, const event *e) {
    if (e->number < out->n) return BNN_OK;
    tool_checked *more = realloc(out->type, (size_t)(out->n + 1) * sizeof *more);
    if (!more) return bnn_oom("a type");
    out->type = more;
    more[out->n] = (tool_checked){.kind = e->kind, .name = strdup(e->name)};
    return more[out->n++].name ? BNN_OK : bnn_oom("a type");
}

static void show(watcher *w) {
    int rules = 0;
    const tool_checked *type = &w->out->type[w->from];
    while (bnn_check_rule(type->kind, rules)) rules++;
    if (w->types > 0) tool_progress_show(&w->progress, (w->from + (double)w->run.number / rules) / w->types);
}

static bnn_status hear(watcher *w, const event *e) {
    w->at = *e;
    w->spent = 0;
    switch (e->step) {
    case CLASHES: put(w->out->clash, sizeof w->out->clash, e->sentence); return BNN_OK;
    case STARTS: w->types = e->number; return BNN_OK;
    case CHECKS: w->from = e->number, w->run.step = CHECKS; return add_type(w->out, e);
    case RUNS: w->run = *e, show(w); return BNN_OK;
    case FINDS: return add_verdict(&w->out->type[w->from], e, e->outcome, e->sentence);
    default: return BNN_OK;
    }
}

/* Hears a child to its end. */
static bnn_status attend(watcher *w) {
    bnn_status s = BNN_OK;
    event e;
    bool ended = false;
    while (!ended || w->pipe >= 0) {
        struct pollfd end = {.fd = w->pipe, .events = POLLIN};
        if (!ended && waitpid(w->pid, &w->status, WNOHANG) == w->pid) ended = true;
        int ready = poll(&end, 1, ended ? 0 : w->pipe >= 0 ? LOOK : 1);
        ssize_t got = ready > 0 ? read(w->pipe, &e, sizeof e) : 0;
        if (got == sizeof e && s == BNN_OK) {
            if ((s = hear(w, &e)) < 0) kill(w->pid, SIGKILL);
        } else if (w->pipe >= 0 && (ready > 0 || ended)) {
            close(w->pipe);
            w->pipe = -1;
        }
        if (!ended) count_time(w);
    }
    kill(-w->pid, SIGKILL); /* what it has left behind */
    return s;
}

/* "crashes: Segmentation fault", and other ends. */
static void print_end(const watcher *w, char *text, size_t size) {
    if (w->overtime)
        snprintf(text, size, "does not come back: it has had %g s (--limit)", w->request->limit);
    else if (WIFSIGNALED(w->status))
        snprintf(text, size, "crashes: %s", strsignal(WTERMSIG(w->status)));
    else
        snprintf(text, size, "ends the process, with exit status %d", WEXITSTATUS(w->status));
}

/* The verdict on the rule that the child has ended in. */
static bnn_status judge_end(const watcher *w, tool_checked *type) {
    char end[128], sentence[sizeof w->at.sentence];
    const tool_hooks *hooks = &shared->hooks;
    print_end(w, end, sizeof end);
    if (w->at.step == REFUSED)
        snprintf(sentence, sizeof sentence, "cannot be gone on with: %.400s", w->at.sentence);
    else if (shared->mute)
        snprintf(sentence, sizeof sentence, "a hook has closed files that are not its own; the last that ran is %s", hooks->last);
    else if (hooks->now)
        snprintf(sentence, sizeof sentence, "%s %s", hooks->now, end);
    else
        snprintf(sentence, sizeof sentence, "outside of hooks it %s; the last that ran is %s: has one spoilt memory?", end,
                 hooks->last ? hooks->last : "none");
    if (shared->starved) bnn_list_add(sentence, sizeof sentence, "after it has used up the memory that it may have");
    type->ended++;
    type->costly += w->overtime || shared->starved;
    return add_verdict(type, &w->run, BNN_BROKEN, sentence);
}

/* Rules behind those that took long to end are left. */
static bnn_status leave_out(const tool_request *r, tool_checked *type) {
    event e = {.step = FINDS};
    for (; bnn_check_rule(type->kind, e.number); e.number++) {
        const bnn_rule *rule = bnn_check_rule(type->kind, e.number);
        if (bnn_verdicts_of(&type->verdicts, rule) || (r->rule && strcmp(r->rule, rule->name) != 0)) continue;
        BNN_TRY(add_verdict(type, &e, BNN_NOT_APPLICABLE, "not run, since rules before it took all the time or memory that they may"));
    }
    return BNN_OK;
}

/* Says what became of a child; *over: there is nothing left to do. */
static bnn_status judge(watcher *w, bool *over) {
    char end[128];
    const tool_request *r = w->request;
    print_end(w, end, sizeof end);
    *over = w->at.step == DONE;
    if (*over && (w->overtime || w->status != 0))
        snprintf(w->out->unloaded, sizeof w->out->unloaded, "%s: as it is unloaded it %s", tool_is_file(r->name) ? r->name : "a plugin",
                 end);
    if (*over) return BNN_OK;
    if (w->run.step == RUNS) {
        tool_checked *type = &w->out->type[w->from];
        BNN_TRY(judge_end(w, type));
        if (type->costly < MOST_COSTLY) return BNN_OK;
        w->from++;
        return leave_out(r, type);
    }
    if (w->at.step == REFUSED) return bnn_fail(BNN_ERR_PLUGIN, "%s", w->at.sentence);
    if (w->at.step == LOADS) return bnn_fail(BNN_ERR_PLUGIN, "%s: as it is loaded it %s", w->at.name, end);
    return bnn_fail(BNN_ERR_PLUGIN, "%s: before a rule is run it %s", *w->at.name ? w->at.name : "check", end);
}

bnn_status tool_watch(const tool_request *request, tool_findings *out) {
    bnn_status s = BNN_OK;
    bool over = false;
    *out = (tool_findings){0};
    watcher w = {.request = request, .out = out, .progress = tool_progress_start("check"), .printed = memfd_create("printed", MFD_CLOEXEC)};
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || w.printed < 0) return bnn_oom("children");
    while (s == BNN_OK && !over) {
        s = start(&w);
        if (s == BNN_OK) s = attend(&w);
        if (s == BNN_OK) s = judge(&w, &over);
    }
    tool_progress_end(&w.progress);
    read_printed(w.printed, 0, out->printed, sizeof out->printed);
    close(w.printed);
    munmap(shared, sizeof *shared);
    return s;
}

void tool_findings_free(tool_findings *findings) {
    for (int i = 0; i < findings->n; i++) {
        tool_checked *type = &findings->type[i];
        for (int k = 0; k < type->verdicts.n; k++) free((char *)type->verdicts.v[k].spec), free((char *)type->verdicts.v[k].mode);
        bnn_verdicts_free(&type->verdicts);
        free(type->name);
    }
    free(findings->type);
}
