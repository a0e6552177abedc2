/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool/pieces/launch.h"
#include "tool/pieces/part.h"
#include "tool/pieces/unfinished.h"
#include "tool/print/json.h"
#include "tool/report/report.h"
#include "tool/report/scores.h"
#include "tool/tool.h"

#include <bnn/jobs.h>
#include <bnn/spec_json.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_ENGINES = 32 };

typedef struct {
    tool_job job;
    tool_reading reading;
    const char *engine[MOST_ENGINES], *splits, *out, *reference;
    int n_engines;
    bool resume, json, partial; /* partial: it was stopped before all fits were done */
    tool_interval every;
    double deadline; /* of --max-time */
    tool_part part;  /* of the fits */
    tool_launch launch;
} request;

enum { RESUME = 256, JSON, EVERY, MAX_TIME, PART, SLURM, SUBMIT, PARALLEL };

static const struct argp_option options[] = {
    {"engine", 'e', "TEXT", 0, "an engine; once for each that is to be compared", 0},
    {"splits", 'k', "all|A-B|K", 0, "splits to run (default: all)", 0},
    {"reference", 'r', "ENGINE", 0,
     "the engine that distances are from, by its text or its name (default: hmc, else nuts, where "
     "one is compared)",
     0},
    {"output", 'o', "FILE", 0, "comparison file to write, for `bnn report`", 0},
    {"checkpoint-every", EVERY, "TIME", 0,
     "write the fits that are done to FILE, and those on their way to files beside it, FILE.fit.*, this often: 30s, 5min (default: 5min; "
     "0s: never)",
     3},
    {"max-time", MAX_TIME, "TIME", 0,
     "end before so much time has passed, such as 55min; the fits that are done then are in FILE, the others as far as they have come "
     "beside it, the exit status is 1, and the same command with --resume goes on",
     3},
    {"part", PART, "I/N", 0, "make the I-th of N parts of the fits and write them to FILE: `bnn merge` joins the files of all parts", 3},
    {"slurm", SLURM, "N", 0,
     "write FILE.slurm instead, named after FILE without its ending: an array job of N parts, and a job that joins them", 3},
    {"submit", SUBMIT, NULL, 0, "submit it, too", 3},
    {"parallel", PARALLEL, "HOSTS", 0,
     "print a line instead that makes each fit a part, by GNU parallel over ssh on the machines that the file HOSTS lists, and joins them",
     3},
    {"resume", RESUME, NULL, 0, "go on with the comparison that FILE holds, if it is there", 3},
    {"json", JSON, NULL, 0, "print JSON", 3},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
    request *r = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &r->job, state->child_inputs[1] = &r->reading; return 0;
    case 'e':
        if (r->n_engines == MOST_ENGINES) tool_misuse(state, "--engine: at most %d engines", MOST_ENGINES);
        r->engine[r->n_engines++] = arg;
        return 0;
    case 'k': r->splits = arg; return 0;
    case 'o': r->out = arg; return 0;
    case 'r': r->reference = arg; return 0;
    case RESUME: r->resume = true; return 0;
    case EVERY:
        r->every = tool_interval_parse("--checkpoint-every", arg);
        if (r->every.epochs > 0) tool_misuse(state, "--checkpoint-every: fits have no epochs in common: give a time, such as 30s");
        return 0;
    case MAX_TIME: r->deadline = tool_deadline_parse("--max-time", arg); return 0;
    case PART: r->part = tool_part_parse(arg); return 0;
    case SLURM: r->launch.slurm = (int)tool_number("--slurm", arg, 1, 100000); return 0;
    case SUBMIT: r->launch.submit = true; return 0;
    case PARALLEL: r->launch.hosts = arg; return 0;
    case JSON: r->json = true; return 0;
    case ARGP_KEY_END:
        if (!r->job.data) tool_misuse(state, "--data is missing");
        if (!r->job.net) tool_misuse(state, "--net is missing, such as --net 'dense:50; relu; dense'");
        if (r->launch.submit && !r->launch.slurm) tool_misuse(state, "--submit: which job? Make one by --slurm N");
        if ((r->launch.slurm != 0) + (r->launch.hosts != NULL) + (r->part.n != 0) > 1)
            tool_misuse(state, "--part, --slurm and --parallel: one at a time");
        if ((r->launch.slurm || r->launch.hosts) && !r->out)
            tool_misuse(state, "--slurm and --parallel: write it to which file? Name it with -o");
        if (r->part.n && !r->out) tool_misuse(state, "--part: write it to which file? Name it with -o");
        if (r->resume && !r->out) tool_misuse(state, "--resume: go on with which file? Name it with -o");
        if (r->n_engines == 0) tool_misuse(state, "--engine is missing: `bnn list engines` prints those there are");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* ---------------------------------------------------------------- work */

/* One fit: engine e on split number k of the comparison. */
typedef struct {
    int n;                         /* test rows */
    double *sd, *error, *y, *last; /* [n] as in bnn_contestant, in one piece; the last one pit, of classes called */
    double from, share, seconds;   /* done of the fit, by a process before this one and in all, and what this one took */
    bool done, restored;           /* restored: by a process before this one */
    bool elsewhere;                /* it belongs to another part */
    bool begun;                    /* it was stopped on its way, and kept */
} task;

/* The findings that a fit adds to the comparison at its end. */
typedef struct {
    bool made; /* it came to its end */
    bnn_metrics metrics;
    bnn_marginals *marginals; /* NULL: no distance is measured */
} finding;

typedef struct {
    const request *r;
    tool_reading *reading;
    const bnn_table *table;
    bnn_comparison *c;
    task *task; /* [n_engines, n_splits] */
    tool_progress progress;
    double saved;     /* when */
    double longest;   /* seconds that a step, or a prediction, took */
    atomic_int asked; /* how often a signal has asked for what there is */
} contest;

typedef struct {
    contest *contest;
    task *task;
    double began; /* the step */
    tool_unfinished unfinished;
    double saved; /* when it was */
    int asked;    /* how often that had been asked for then */
} watch;

/* Says whether nothing more is to be begun: a signal came, or there is no time for a step and for the file. A first step is always made, so
 * that who comes back often comes to the end. */
static bool is_over(const contest *c) {
    double longest;
#pragma omp critical(compare_share)
    longest = c->longest;
    return tool_signals_caught() || (c->r->deadline > 0 && longest > 0 && tool_seconds() + 2 * longest >= c->r->deadline);
}

static void save_asked(contest *c);

/* Seconds that the fits of an engine still take, at the pace of its slowest; 0 before one has begun. */
static double seconds_left(const task *t, int n) {
    double whole = 0, open = 0;
    for (int k = 0; k < n; k++) {
        if (t[k].restored || t[k].elsewhere) continue;
        open += 1 - t[k].share;
        if (t[k].share > t[k].from) whole = fmax(whole, t[k].seconds / (t[k].share - t[k].from));
    }
    return open * whole;
}

/* Shows a share that is done; says whether nothing more is to be begun. */
static bool show(watch *w, double share) {
    contest *c = w->contest;
    int n = c->c->n_engines * c->c->n_splits;
    double sum = 0, seconds = 0, now = tool_seconds();
    int left = 0;
#pragma omp critical(compare_share)
    {
        w->task->share = share, w->task->seconds += now - w->began;
        c->longest = fmax(c->longest, now - w->began), w->began = now;
        tool_signals_wait(c->longest);
        for (int e = 0; e < c->c->n_engines; e++) seconds += seconds_left(c->task + e * c->c->n_splits, c->c->n_splits);
        for (int i = 0; i < n; i++) sum += c->task[i].share, left += !c->task[i].restored && !c->task[i].elsewhere;
    }
    tool_progress_left(&c->progress, sum / left, seconds / fmin(c->r->job.threads, left));
    if (tool_signals_asked()) atomic_fetch_add(&c->asked, 1), save_asked(c);
    return is_over(c);
}

/* A point of maps of classes is an image: doubt, and the root of the share of wrong pixels, whose mean square is read. */
static void keep_images(task *t, const bnn_prediction *p) {
    for (int i = 0; i < p->n; i++) {
        bnn_image_scores image;
        bnn_metrics_image(p, i, &image);
        t->sd[i] = 1 - image.confidence, t->error[i] = sqrt(1 - image.accuracy), t->y[i] = t->last[i] = NAN;
    }
}

/* Points of the first target; of classes, doubt and whether the class is wrong. */
static bnn_status keep_points(task *t, const bnn_prediction *p, const bnn_data *test) {
    t->n = p->n;
    t->sd = malloc(4 * (size_t)p->n * sizeof *t->sd);
    if (!t->sd) return bnn_oom("predictions");
    t->error = t->sd + p->n, t->y = t->error + p->n, t->last = t->y + p->n;
    if (p->map_sums) keep_images(t, p);
    for (int i = 0; !p->map_sums && i < p->n; i++) {
        const double *mean = p->mean + (size_t)i * (size_t)p->mean_dim;
        int best = p->is_class ? bnn_prediction_class(mean, p->mean_dim) : 0;
        double y = p->is_class ? (double)test->y[i] : (double)test->y[i * test->y_dim] * test->scaling.y_sd[0] + test->scaling.y_mean[0];
        t->sd[i] = p->is_class ? 1 - mean[best] : sqrt(bnn_var_total(p, i * p->mean_dim));
        t->error[i] = p->is_class ? (int)y != best : y - mean[0];
        t->y[i] = y;
        t->last[i] = p->is_class ? best : p->pit ? p->pit[i * p->mean_dim] : NAN;
    }
    return BNN_OK;
}

/* Scores of each target, where there are several, or of each class. */
static bnn_status keep_targets(const bnn_comparison *c, bnn_contestant *who, int k, const bnn_prediction *p, const bnn_data *test) {
    bnn_metrics *each;
    if (c->n_targets == 0) return BNN_OK;
    BNN_TRY(bnn_metrics_each(p, test, &each));
    memcpy(who->target + (size_t)k * (size_t)c->n_targets, each, (size_t)c->n_targets * sizeof *each);
    free(each);
    return BNN_OK;
}

/* Keeps what is known of the first split alone. */
static bnn_status keep_first(bnn_contestant *who, bnn_run *run, const bnn_data *train, const bnn_prediction *p, const bnn_data *test) {
    const char *remark = bnn_run_remark(run);
    bnn_history_free(&who->history), free(who->remark), free(who->spec_json); /* empty ones, of a file */
    bnn_remarks_free(who->verdicts), bnn_traces_free(who->traces);
    who->history = (bnn_history){0}, who->remark = who->spec_json = NULL;
    BNN_TRY(bnn_remarks_new(&who->verdicts));
    BNN_TRY(bnn_run_judge(run, train, train->n, p, test, who->verdicts));
    BNN_TRY(bnn_traces_take(run->engine, test, &who->traces));
    who->history = run->history; /* moves */
    run->history = (bnn_history){0};
    who->remark = strdup(remark ? remark : "");
    who->spec_json = bnn_spec_json(bnn_engine_fitted(run->engine));
    return who->remark && who->spec_json ? BNN_OK : bnn_oom("a comparison");
}

static bnn_status keep(contest *c, int e, int k, bnn_run *run, const bnn_data *train, const bnn_prediction *p, const bnn_data *test,
                       bnn_metrics *metrics) {
    bnn_contestant *who = &c->c->engine[e];
    who->cost[k] = run->cost;
    bnn_cost_add(&who->cost[k], &p->cost);
    BNN_TRY(bnn_metrics_compute(p, test, metrics));
    BNN_TRY(keep_targets(c->c, who, k, p, test));
    if (k == 0) BNN_TRY(keep_first(who, run, train, p, test));
    return keep_points(&c->task[e * c->c->n_splits + k], p, test);
}

/* ---------------------------------------------------------------- distances */

static bnn_status predict(const bnn_contestant *who, const bnn_engine *engine, const bnn_data *test, bnn_predict_options how,
                          bnn_prediction **p, bnn_marginals **m) {
    bool wanted = who->distance != NULL;
    how.size = sizeof how, how.crps = true, how.taker = wanted ? NULL : tool_taker(engine); /* distances want the probabilities of all */
    if (wanted) {
        BNN_TRY(bnn_marginals_open(engine, test, &how, m));
        how.sink = bnn_marginals_sink(*m);
    }
    bnn_status s = bnn_predict(engine, test, &how, p);
    return s == BNN_OK && wanted ? bnn_marginals_finish(*m, *p) : s;
}

/* The name of the type in an engine's text is this one. */
static bool is_called(const char *label, const char *name) {
    size_t n = strcspn(label, ":{");
    return strlen(name) == n && strncmp(label, name, n) == 0;
}

static int find_engine(const bnn_comparison *c, const char *text) {
    for (int e = 0; e < c->n_engines; e++)
        if (strcmp(c->engine[e].label, text) == 0) return e;
    for (int e = 0; e < c->n_engines; e++)
        if (is_called(c->engine[e].label, text)) return e;
    return -1;
}

/* Room for distances where there is an engine that they can be from. */
static bnn_status open_distances(const request *r, bnn_comparison *c) {
    int from = find_engine(c, r->reference ? r->reference : "hmc");
    if (from < 0 && r->reference)
        return bnn_fail(BNN_ERR_OPTION, "--reference: '%s' is none of the engines that are compared", r->reference);
    if (from < 0) from = find_engine(c, "nuts");
    if (from < 0 || c->n_engines == 1) return BNN_OK;
    c->reference = from;
    for (int e = 0; e < c->n_engines; e++) {
        c->engine[e].distance = calloc((size_t)c->n_splits, sizeof *c->engine[e].distance);
        c->engine[e].marginals = calloc((size_t)c->n_splits, sizeof *c->engine[e].marginals);
        if (!c->engine[e].distance || !c->engine[e].marginals) return bnn_oom("a comparison");
    }
    return BNN_OK;
}

/* ---------------------------------------------------------------- one fit */

/* Keeps a fit on its way: now and then, where it is asked for, and where it stops. */
static void keep_unfinished(watch *w, const bnn_run *run, bool stops) {
    const contest *c = w->contest;
    int asked = atomic_load(&c->asked);
    bool due = c->r->every.seconds > 0 && tool_seconds() - w->saved >= c->r->every.seconds;
    if (run->complete || !(stops || due || asked != w->asked)) return;
    tool_unfinished_save(&w->unfinished, run);
    w->task->begun = true;
    w->asked = asked, w->saved = tool_seconds();
}

/* Steps a run, new or one that was stopped, until it is complete or time is over. */
static bnn_status fit(watch *w, const bnn_config *config, const bnn_data *train, bnn_run **out) {
    bnn_run *run;
    double share;
    BNN_TRY(tool_unfinished_open(&w->unfinished, w->contest->r->resume, config, train, &run));
#pragma omp critical(compare_share)
    w->task->from = run->progress;
    bnn_status s = BNN_OK;
    for (bool stops = false; s == BNN_OK && !run->complete && !stops;) {
        if ((s = bnn_run_step(run, train, &share)) < 0) break;
        stops = show(w, share);
        keep_unfinished(w, run, stops);
    }
    if (s < 0)
        bnn_run_free(run);
    else
        *out = run;
    return s;
}

static tool_unfinished unfinished(const contest *c, int e, int k) {
    return (tool_unfinished){.out = c->r->out, .engine = e, .split = c->c->split[k], .job = &c->r->job, .table = c->table};
}

static bnn_status fit_and_predict(contest *c, int e, int k, const bnn_data *train, const bnn_data *test, finding *found) {
    const tool_job *job = &c->r->job;
    double now = tool_seconds();
    watch w = {.contest = c,
               .task = &c->task[e * c->c->n_splits + k],
               .began = now,
               .unfinished = unfinished(c, e, k),
               .saved = now,
               .asked = atomic_load(&c->asked)};
    uint64_t seed = job->seed + (uint64_t)c->c->split[k]; /* the same for all engines of a split, another for every split: what chance adds
                                                             averages out */
    bnn_config config = {.net = job->net, .engine = c->r->engine[e], .likelihood = job->likelihood, .prior = job->prior, .seed = seed};
    bnn_predict_options how = {.samples = job->samples, .seed = seed};
    bnn_run *run;
    bnn_prediction *p = NULL;
    BNN_TRY(fit(&w, &config, train, &run));
    found->made = run->complete;
    bnn_status s = found->made ? predict(&c->c->engine[e], run->engine, test, how, &p, &found->marginals) : BNN_OK;
    if (s == BNN_OK && found->made) s = keep(c, e, k, run, train, p, test, &found->metrics);
    show(&w, w.task->share);
    bnn_prediction_free(p);
    bnn_run_free(run);
    return s;
}

/* ---------------------------------------------------------------- what is kept */

static bool is_done(const contest *c, int e, int k) { return c->task[e * c->c->n_splits + k].done; }

/* The columns of points of an engine. */
enum { COLUMNS = 4 };
typedef double **columns[COLUMNS];
#define COLUMNS_OF(c, who) \
    { &(who)->sd, &(who)->error, &(who)->y, (c)->c->is_class ? &(who)->called : &(who)->pit }

/* Puts the test rows of the splits that are done in one row; makes room for them, where there was none. */
static bnn_status join_points(const contest *c, int e, bnn_contestant *who) {
    const task *t = &c->task[e * c->c->n_splits];
    columns column = COLUMNS_OF(c, who);
    who->n_points = 0;
    for (int k = 0; k < c->c->n_splits; k++) who->n_points += t[k].done ? t[k].n : 0;
    for (int i = 0; i < COLUMNS; i++)
        if (!(*column[i] = malloc((size_t)who->n_points * sizeof(double) + 1))) return bnn_oom("predictions");
    for (int k = 0, at = 0; k < c->c->n_splits; k++) {
        if (!t[k].done) continue;
        for (int i = 0; i < COLUMNS; i++) memcpy(*column[i] + at, t[k].sd + (size_t)i * (size_t)t[k].n, (size_t)t[k].n * sizeof(double));
        at += t[k].n;
    }
    return BNN_OK;
}

static void free_points(bnn_contestant *who) {
    free(who->sd), free(who->error), free(who->y), free(who->pit), free(who->called);
    who->sd = who->error = who->y = who->pit = who->called = NULL;
}

/* Copies what is kept of an engine, as it stands; its texts and its course are those of the first split. */
static bnn_status keep_engine(const contest *c, int e, bnn_contestant *out) {
    const bnn_contestant *who = &c->c->engine[e];
    *out = *who;
    out->sd = out->error = out->y = out->pit = out->called = NULL;
    out->metrics = calloc((size_t)c->c->n_splits, sizeof *out->metrics);
    out->cost = calloc((size_t)c->c->n_splits, sizeof *out->cost);
    for (int k = 0; out->metrics && out->cost && k < c->c->n_splits; k++) {
        out->metrics[k].is_class = c->c->is_class;
        if (is_done(c, e, k)) out->metrics[k] = who->metrics[k], out->cost[k] = who->cost[k];
    }
    if (!is_done(c, e, 0)) out->history = (bnn_history){0}, out->remark = out->spec_json = NULL, out->verdicts = NULL, out->traces = NULL;
    bnn_status s = join_points(c, e, out);
    return out->metrics && out->cost ? s : bnn_oom("a comparison");
}

/* Fits that are done, and kept so, need their files no longer. */
static void clear_unfinished(const contest *c) {
    for (int e = 0; e < c->c->n_engines; e++)
        for (int k = 0; k < c->c->n_splits; k++)
            if (is_done(c, e, k)) tool_unfinished_clear(unfinished(c, e, k));
}

/* Writes the fits that are done. */
static bnn_status save_part(const contest *c) {
    bnn_comparison part = *c->c;
    part.partial = true;
    part.engine = calloc((size_t)part.n_engines, sizeof *part.engine);
    bnn_status s = part.engine ? BNN_OK : bnn_oom("a comparison");
    for (int e = 0; s == BNN_OK && e < part.n_engines; e++) s = keep_engine(c, e, &part.engine[e]);
    bnn_provenance provenance = tool_provenance(&c->r->job, c->table, -1);
    if (s == BNN_OK) s = bnn_comparison_save(&part, &provenance, c->r->out);
    if (s == BNN_OK) clear_unfinished(c);
    for (int e = 0; part.engine && e < part.n_engines; e++) {
        bnn_contestant *who = &part.engine[e];
        free(who->metrics), free(who->cost), free_points(who);
    }
    free(part.engine);
    return s;
}

/* Fits of this part, of which there are as many as of the whole where there are no parts. */
static int count_own(const contest *c) {
    int n = 0;
    for (int i = 0; i < c->c->n_engines * c->c->n_splits; i++) n += !c->task[i].elsewhere;
    return n;
}

static int count_done(const contest *c) {
    int n = 0;
    for (int i = 0; i < c->c->n_engines * c->c->n_splits; i++) n += c->task[i].done;
    return n;
}

/* Nothing is left to fit, nor to write: the last fit that is kept as one of some leaves a file that is still to be made whole. */
static bool is_complete(const contest *c) { return count_done(c) == count_own(c) && (c->r->part.n || !c->c->partial); }

static void save_done(contest *c) {
    if (save_part(c) < 0) tool_checkpoint_failed("comparison");
    c->saved = tool_seconds();
}

static void save_asked(contest *c) {
#pragma omp critical(compare_done)
    if (c->r->out && count_done(c) > 0) save_done(c);
}

/* One fit more is done. */
static void finish(contest *c, int e, int k, const finding *found) {
#pragma omp critical(compare_done)
    {
        bnn_contestant *who = &c->c->engine[e];
        who->metrics[k] = found->metrics;
        if (who->marginals) who->marginals[k] = found->marginals;
        bnn_comparison_settle(c->c, k);
        c->task[e * c->c->n_splits + k].done = true;
        bool due = c->r->every.seconds > 0 && tool_seconds() - c->saved >= c->r->every.seconds;
        if (c->r->out && due) save_done(c);
    }
}

/* ---------------------------------------------------------------- going on */

/* The points of the fits that a file holds, split by split. */
static bnn_status restore_points(contest *c) {
    int n = c->c->n_splits;
    for (int e = 0; e < c->c->n_engines; e++) {
        bnn_contestant *who = &c->c->engine[e];
        columns column = COLUMNS_OF(c, who);
        for (int k = 0, at = 0; k < n; k++) {
            task *t = &c->task[e * n + k];
            if (who->metrics[k].n == 0) continue;
            int rows = bnn_table_count(c->table, c->c->split[k], BNN_TEST);
            if (at + rows > who->n_points || !*column[COLUMNS - 1])
                return bnn_fail(BNN_ERR_FORMAT, "%s: lacks points of engine %d", c->r->out, e);
            t->n = rows, t->done = t->restored = true;
            if (!(t->sd = malloc(COLUMNS * (size_t)rows * sizeof *t->sd))) return bnn_oom("predictions");
            for (int i = 0; i < COLUMNS; i++) memcpy(t->sd + (size_t)i * (size_t)rows, *column[i] + at, (size_t)rows * sizeof *t->sd);
            at += rows;
        }
    }
    return BNN_OK;
}

/* The comparison that the output file holds takes the place of the empty one. */
static bnn_status restore(contest *c) {
    bnn_comparison *there;
    BNN_TRY(bnn_comparison_load(c->r->out, &there));
    bnn_status s = bnn_comparison_same_work(c->r->out, there, c->c);
    if (s < 0) return bnn_comparison_free(there), s;
    bnn_comparison_free(c->c);
    c->c = there;
    return restore_points(c);
}

/* The comparison that the file holds is the one asked for, and it is complete or goes on: it may be written again. */
static bnn_status is_same(const void *context, const char *path) {
    const contest *c = context;
    bnn_comparison *there;
    BNN_TRY(bnn_comparison_load(path, &there));
    bnn_status s = bnn_comparison_same_work(path, there, c->c);
    bool stopped = there->partial && !c->r->part.n;
    for (int i = 0; c->r->part.n && i < there->n_engines * there->n_splits; i++)
        stopped |= !c->task[i].elsewhere && there->engine[i / there->n_splits].metrics[i % there->n_splits].n == 0;
    if (s == BNN_OK && stopped && !c->r->resume)
        s = bnn_fail(BNN_ERR_STATE, "%s: holds this comparison, stopped: --resume goes on with it", path);
    bnn_comparison_free(there);
    return s;
}

/* Jobs run over the splits first, so that long engines start early on every split. */
static bnn_status run_task(void *context, int i) {
    contest *c = context;
    int e = i % c->c->n_engines, k = i / c->c->n_engines, split = c->c->split[k];
    bnn_data *train = NULL, *test = NULL;
    finding found = {0};
    if (c->task[e * c->c->n_splits + k].elsewhere || is_done(c, e, k) || is_over(c)) return BNN_OK;
    bnn_status s = tool_rows(c->table, split, NULL, &train, &test);
    if (s == BNN_OK && !test) s = bnn_fail(BNN_ERR_DATA, "there are no test rows");
    if (s == BNN_OK) s = fit_and_predict(c, e, k, train, test, &found);
    bnn_data_free(test);
    bnn_data_free(train);
    if (s == BNN_OK && found.made)
        finish(c, e, k, &found);
    else
        bnn_marginals_free(found.marginals);
    return s < 0 ? bnn_note(s, "%s, split %d", c->r->engine[e], split) : BNN_OK;
}

/* ---------------------------------------------------------------- the comparison */

static bnn_status read_splits(const char *text, int n, int *first, int *last) {
    char end;
    *first = 0;
    *last = n - 1;
    if (n == 0) return bnn_fail(BNN_ERR_DATA, "the data have no splits, and a comparison needs test rows: `bnn split` makes them");
    if (text && strcmp(text, "all") != 0) {
        int read = sscanf(text, "%d-%d%c", first, last, &end);
        if (sscanf(text, "%d%c", first, &end) == 1)
            *last = *first;
        else if (read != 2)
            return bnn_fail(BNN_ERR_OPTION, "--splits: '%s' is not all, K or A-B", text);
    }
    if (*first < 0 || *last < *first || *last >= n) return bnn_fail(BNN_ERR_OPTION, "--splits: %s is not within 0-%d", text, n - 1);
    return BNN_OK;
}

/* The last split that is asked for; of text that has none yet the first, where none is named. */
static int last_split(const char *text) {
    const char *dash = text ? strchr(text, '-') : NULL;
    int last = text ? atoi(dash ? dash + 1 : text) : 0;
    return last < 0 ? 0 : last;
}

static char *copy(const char *text) { return strdup(text ? text : ""); }

/* from NULL: they have no names. */
static bool copy_names(char *const *from, int n, char ***out) {
    if (!from) return true;
    *out = calloc((size_t)n + 1, sizeof **out);
    bool ok = *out != NULL;
    for (int i = 0; ok && i < n; i++) ok = ((*out)[i] = strdup(from[i])) != NULL;
    return ok;
}

static bnn_status open_comparison(const request *r, const bnn_table *table, int first, int last, bnn_comparison **out) {
    bnn_comparison *c = calloc(1, sizeof *c);
    if (!c) return bnn_oom("a comparison");
    *out = c;
    c->title = copy(table->title);
    c->net = copy(r->job.net);
    c->likelihood = copy(r->job.likelihood);
    c->prior = copy(r->job.prior);
    c->data_path = copy(r->job.data);
    c->data_sha256 = copy(table->sha256);
    c->seed = r->job.seed;
    c->samples = r->job.samples;
    c->part[0] = r->part.i, c->part[1] = r->part.n;
    c->is_class = table->n_classes > 0;
    c->n_classes = table->n_classes;
    c->n_splits = last - first + 1;
    c->split = calloc((size_t)c->n_splits, sizeof *c->split);
    c->engine = calloc((size_t)r->n_engines, sizeof *c->engine);
    char *const *names = c->is_class ? table->class_names : table->y_names;
    c->n_targets = c->is_class ? table->n_classes : table->y_dim > 1 ? table->y_dim : 0;
    bool ok = c->title && c->net && c->likelihood && c->prior && c->data_path && c->data_sha256 && c->split && c->engine;
    if (ok) ok = copy_names(names, c->n_targets, &c->target) && copy_names(table->class_names, c->n_classes, &c->class_name);
    for (int k = 0; ok && k < c->n_splits; k++) c->split[k] = first + k;
    for (int e = 0; ok && e < r->n_engines; e++, c->n_engines++) {
        bnn_contestant *who = &c->engine[e];
        who->label = copy(r->engine[e]);
        who->metrics = calloc((size_t)c->n_splits, sizeof *who->metrics);
        who->cost = calloc((size_t)c->n_splits, sizeof *who->cost);
        who->target = calloc((size_t)c->n_splits * (size_t)c->n_targets + 1, sizeof *who->target);
        ok = who->label && who->metrics && who->cost && who->target;
    }
    return ok ? open_distances(r, c) : bnn_oom("a comparison");
}

/* Parts are neighbours in the order of the jobs, so that most have all engines of a split. */
static bnn_status cut(const contest *c) {
    int engines = c->c->n_engines, splits = c->c->n_splits, from, end;
    if (c->r->part.n > engines * splits)
        return bnn_fail(BNN_ERR_OPTION, "--part: %d parts of %d fits cannot be made", c->r->part.n, engines * splits);
    tool_part_range(c->r->part, engines * splits, &from, &end);
    for (int i = 0; i < engines * splits; i++) c->task[i % engines * splits + i / engines].elsewhere = i < from || i >= end;
    return BNN_OK;
}

static bnn_status open_tasks(contest *c) {
    c->task = calloc((size_t)c->c->n_engines * (size_t)c->c->n_splits, sizeof *c->task);
    if (!c->task) return bnn_oom("a comparison");
    BNN_TRY(cut(c));
    return c->r->resume && access(c->r->out, F_OK) == 0 ? restore(c) : BNN_OK;
}

static void close_tasks(contest *c) {
    for (int i = 0; c->task && i < c->c->n_engines * c->c->n_splits; i++) free(c->task[i].sd);
    free(c->task);
}

/* Fits what is not done, until a signal or the deadline. */
static bnn_status work(contest *c) {
    tool_signals_listen();
    c->progress = tool_progress_start("compare");
    c->saved = tool_seconds();
    bnn_status s = bnn_jobs_run(c->c->n_engines * c->c->n_splits, run_task, c);
    tool_signals_wait(INFINITY);
    tool_progress_end(&c->progress);
    c->c->partial = count_done(c) < c->c->n_engines * c->c->n_splits;
    for (int e = 0; s == BNN_OK && !c->c->partial && e < c->c->n_engines; e++) {
        bnn_contestant *who = &c->c->engine[e];
        free_points(who);
        s = join_points(c, e, who);
    }
    return s;
}

/* Writes a comparison that was stopped, and says how to go on. */
static bnn_status stop(const contest *c) {
    int done = count_done(c), all = count_own(c), begun = 0;
    for (int i = 0; i < c->c->n_engines * c->c->n_splits; i++) begun += c->task[i].begun && !c->task[i].done;
    if (c->r->out && done > 0) BNN_TRY(save_part(c));
    fprintf(stderr, "bnn: stopped after %d of %d fits", done, all);
    if (!c->r->out)
        fprintf(stderr, "; without -o they are lost\n");
    else if (done > 0)
        fprintf(stderr, "; wrote %s (partial): the same command with --resume goes on\n", tool_line(c->r->out));
    else if (begun > 0)
        fprintf(stderr, "; of %d the beginning is beside %s: the same command with --resume goes on\n", begun, tool_line(c->r->out));
    else
        fprintf(stderr, "; there is nothing to write yet\n");
    return BNN_OK;
}

/* ---------------------------------------------------------------- table */

static double mean_of(const bnn_comparison *c, int e, size_t offset, double *se) {
    return report_mean(c, e, (report_quantity){REPORT_METRIC, offset, 0}, se);
}

static double gradients_of(const bnn_comparison *c, int e) { return report_mean(c, e, (report_quantity){.of = REPORT_GRADIENTS}, NULL); }

static void print_mean(double mean, double se) {
    if (isnan(se))
        printf(" %12.4f         ", mean); /* one split has no standard error */
    else
        printf(" %12.4f (%.4f)", mean, se);
}

static void print_distance(const bnn_comparison *c, int e) {
    report_quantity first = {REPORT_DISTANCE, c->is_class ? offsetof(bnn_distance, agreement) : offsetof(bnn_distance, wasserstein), 0};
    double se, mean = report_mean(c, e, first, &se);
    print_mean(mean, se);
    if (!c->is_class) return;
    mean = report_mean(c, e, (report_quantity){REPORT_DISTANCE, offsetof(bnn_distance, total_variation), 0}, &se);
    print_mean(mean, se);
}

/* One line of the table; grid: gradients of the grid search, 0 if there is none. */
static void print_engine(const bnn_comparison *c, int e, double grid) {
    double se, mean = mean_of(c, e, tool_scores_first(c->engine[0].metrics)->offset, &se);
    char letter[8];
    printf("%-3s", report_letter(e, letter));
    print_mean(mean, se);
    mean = mean_of(c, e, offsetof(bnn_metrics, ll), &se);
    print_mean(mean, se);
    printf(" %12.3f %12.0f %9.2f", mean_of(c, e, c->is_class ? offsetof(bnn_metrics, ece) : offsetof(bnn_metrics, coverage[17]), NULL),
           gradients_of(c, e), report_mean(c, e, (report_quantity){.of = REPORT_SECONDS}, NULL));
    if (grid > 0) printf(" %9.3f", gradients_of(c, e) / grid);
    if (c->engine[e].distance) print_distance(c, e);
    putchar('\n');
}

/* The scores that are shown of one target, of one class, and of one class of maps. */
enum { SHOWN = 3 };
typedef struct {
    const char *name;
    size_t offset;
} shown_score;
static const shown_score of_target[SHOWN] = {{"rmse", offsetof(bnn_metrics, rmse)},
                                             {"crps", offsetof(bnn_metrics, crps)},
                                             {"coverage_90", offsetof(bnn_metrics, coverage[17])}},
                         of_class[SHOWN] = {{"precision", offsetof(bnn_metrics, precision)},
                                            {"recall", offsetof(bnn_metrics, recall)},
                                            {"auc", offsetof(bnn_metrics, auc)}},
                         of_map[SHOWN] = {{"iou", offsetof(bnn_metrics, iou)},
                                          {"precision", offsetof(bnn_metrics, precision)},
                                          {"recall", offsetof(bnn_metrics, recall)}};

/* Scores of one of several targets, which have a unit, or of one class. */
static void print_one(const bnn_comparison *c, int one, const shown_score *score) {
    char letter[8];
    if (c->target)
        printf("%s\n", tool_line(c->target[one]));
    else
        printf(c->is_class ? "class %d\n" : "target %d\n", c->is_class ? one : one + 1);
    printf("   ");
    for (int i = 0; i < SHOWN; i++) printf(" %15s (se)%s", score[i].name, i < SHOWN - 1 ? " " : "\n");
    for (int e = 0; e < c->n_engines; e++) {
        printf("%-3s", report_letter(e, letter));
        for (int i = 0; i < SHOWN; i++) {
            double se, mean = report_mean(c, e, (report_quantity){REPORT_METRIC, score[i].offset, one + 1}, &se);
            print_mean(mean, se);
        }
        putchar('\n');
    }
    putchar('\n');
}

static void print_each(const bnn_comparison *c) {
    if (c->is_class && c->n_targets > TOOL_MOST_CLASSES)
        printf("scores of each of the %d classes: `bnn info --json` of the file, or --json here\n\n", c->n_targets);
    else
        for (int i = 0; i < c->n_targets; i++)
            print_one(c, i, !c->is_class ? of_target : c->engine[0].metrics->of & BNN_SCORE_MAPS ? of_map : of_class);
}

/* Says what speaks against an engine, notes left out, by its fit of the first split. */
static void print_doubts(const bnn_comparison *c, int e) {
    const bnn_remarks *verdicts = c->engine[e].verdicts;
    for (int i = 0; i < bnn_remarks_count(verdicts); i++)
        if (bnn_remark_severity(verdicts, i) != BNN_REMARK_NOTE)
            printf("    split %d: %s: %s: %s\n", c->split[0], bnn_severity_name(bnn_remark_severity(verdicts, i)),
                   bnn_remark_code(verdicts, i), bnn_remark_sentence(verdicts, i));
}

static bool has_met(const bnn_comparison *c, int e) {
    const bnn_remarks *verdicts = c->engine[e].verdicts;
    for (int i = 0; i < bnn_remarks_count(verdicts); i++)
        if (strcmp(bnn_remark_code(verdicts, i), "chains_apart") == 0) return false;
    return true;
}

static void print_table(const bnn_comparison *c) {
    double grid = 0;
    char letter[8];
    for (int e = c->n_engines - 1; e >= 0; e--)
        if (strncmp(c->engine[e].label, "grid_search", 11) == 0) grid = gradients_of(c, e);
    printf("%s, %d split%s, %s\n\n", tool_line(*c->title ? c->title : c->data_path), c->n_splits, c->n_splits == 1 ? "" : "s",
           tool_line(c->net));
    printf("%-3s %15s (se)  %20s  %12s %12s %9s%s", "", tool_scores_first(c->engine[0].metrics)->name, "ll (se)",
           c->is_class ? "ece" : "coverage_90", "gradients", "seconds", grid > 0 ? " cost/grid" : "");
    if (c->engine[0].distance) printf(c->is_class ? "       agreement (se)  total variation (se)" : "        distance (se)");
    putchar('\n');
    for (int e = 0; e < c->n_engines; e++) print_engine(c, e, grid);
    putchar('\n');
    print_each(c);
    for (int e = 0; e < c->n_engines; e++) {
        printf("%-3s %s\n", report_letter(e, letter), tool_line(c->engine[e].label));
        if (*c->engine[e].remark) printf("    split %d: %s\n", c->split[0], tool_line(c->engine[e].remark));
        print_doubts(c, e);
    }
    printf("\nmean over splits and its standard error; ll in nats per %s, in the units of the target; gradients and seconds of cpu per "
           "split, prediction included\n",
           c->engine[0].metrics->of & BNN_SCORE_MAPS ? "pixel" : "row");
    if (c->engine[0].distance)
        printf("%s from %s\n",
               c->is_class
                   ? "agreement (share of rows with the same most probable class) with, and total variation of the class probabilities"
               : c->n_targets > 0
                   ? "distance: Wasserstein's of order 1 of the predictive distributions of a row, in sd of each target, their mean,"
                   : "distance: Wasserstein's of order 1 of the predictive distributions of a row, in the units of the target,",
               report_letter(c->reference, letter));
    if (c->engine[0].distance && !has_met(c, c->reference))
        printf("the chains of %s have not met on split %d: it is no judge, and the distances are those from one approximation to another\n",
               report_letter(c->reference, letter), c->split[0]);
}

/* ---------------------------------------------------------------- the command */

static bnn_status print_json(const bnn_comparison *c) {
    json_t *o = json_object();
    tool_json_comparison(o, c);
    return tool_json_answer(o);
}

static bnn_status show_and_save(const contest *c, bool was_complete) {
    if (c->r->json) BNN_TRY(print_json(c->c));
    if (!c->r->json) print_table(c->c);
    if (!c->r->out || was_complete) return BNN_OK;
    bnn_provenance provenance = tool_provenance(&c->r->job, c->table, -1);
    BNN_TRY(bnn_comparison_save(c->c, &provenance, c->r->out));
    clear_unfinished(c);
    if (!c->r->json) tool_print_wrote(c->r->out);
    return BNN_OK;
}

/* A part has no table: its scores are those of some fits. */
static bnn_status save_piece(const contest *c, bool was_complete) {
    if (!was_complete) BNN_TRY(save_part(c));
    printf("%s %s: part %d of %d, %d of %d fits; `bnn merge` joins the parts\n", was_complete ? "there is" : "wrote", tool_line(c->r->out),
           c->r->part.i, c->r->part.n, count_own(c), c->c->n_engines * c->c->n_splits);
    return BNN_OK;
}

static bnn_status compare_on(contest *c, int first, int last) {
    const tool_launch *launch = &c->r->launch;
    if (c->r->part.n || launch->slurm || launch->hosts) BNN_TRY(tool_part_check(c->r->job.data, c->table->sha256));
    if (launch->slurm || launch->hosts)
        return tool_launch_start(launch, c->r->job.command, c->r->out, c->r->job.threads_given ? c->r->job.threads : 0,
                                 c->r->n_engines * (last - first + 1));
    BNN_TRY(open_comparison(c->r, c->table, first, last, &c->c));
    BNN_TRY(open_tasks(c));
    bool was_complete = is_complete(c);
    if (c->r->out) BNN_TRY(tool_output_claim(c->r->out, "bnn-comparison", is_same, c));
    BNN_TRY(work(c));
    tool_reading_say(c->reading, c->table, c->r->json ? stderr : stdout);
    if (count_done(c) < count_own(c)) return stop(c);
    return c->r->part.n ? save_piece(c, was_complete) : show_and_save(c, was_complete);
}

static bnn_status compare(request *r) {
    bnn_table *table;
    contest c = {.r = r, .reading = &r->reading};
    int first, last;
    BNN_TRY(tool_output_apart(r->out, r->job.data, "the data file"));
    if (r->out) BNN_TRY(tool_output_hdf5(r->out));
    bnn_status s = tool_table(r->job.data, NULL, &r->reading, &table);
    c.table = table;
    if (s == BNN_OK) s = tool_reading_split(&r->reading, table, last_split(r->splits));
    if (s == BNN_OK && (s = read_splits(r->splits, table->n_splits, &first, &last)) < 0) bnn_note(s, "%s", r->job.data);
    if (s == BNN_OK) s = compare_on(&c, first, last);
    r->partial = s == BNN_OK && c.task && count_done(&c) < count_own(&c);
    if (c.task) close_tasks(&c);
    bnn_comparison_free(c.c);
    bnn_table_free(table);
    bnn_remarks_free(r->reading.csv.remarks);
    return s;
}

static int run(int argc, char **argv) {
    const struct argp argp = {
        .options = options,
        .parser = parse,
        .children = tool_job_children,
        .doc = "Fits the same network by several engines on several splits of the data, and prints how good each is "
               "and what it costs. Split K takes the seed N + K, for every engine.\v"
               "Examples:\n"
               "  bnn compare -d boston.h5 --net 'dense:50; relu; dense' --engine map --engine mc_dropout --engine "
               "bayes_by_backprop --splits 0-4 -o cmp.h5\n"
               "  bnn compare -d boston.h5 --net 'dense:50; relu; dense' --engine hmc --engine laplace -o far.h5 --resume --json\n"
               "  bnn compare -d boston.h5 --net 'dense:50; relu; dense' --engine hmc --engine laplace --part 2/7 -o far.2.h5\n"
               "  bnn report cmp.h5 -o report.html"};
    request r = {.every = {.seconds = 300}};
    tool_job_open(&r.job, argc, argv);
    tool_parse(&argp, argc, argv, &r);
    if (compare(&r) < 0) return tool_fail();
    tool_signals_obey();
    return r.partial;
}

const command command_compare = {.name = "compare", .summary = "compare engines on the same network, data and splits", .run = run};
