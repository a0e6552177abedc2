/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool/print/json.h"
#include "tool/tool.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct {
    tool_job job;
    bnn_sbc_config c;
    bool geweke, verdicts, json;
    double *share; /* [replications] done */
    tool_progress progress;
} request;

enum { ROWS = 256, IN, CLASSES, POINTS, REPLICATIONS, DRAWS, BINS, GEWEKE, TRANSITIONS, VERDICTS, JSON };

static const struct argp_option options[] = {
    {"net", 'n', "TEXT", 0, "the network, such as 'dense:5; tanh; dense'", 1},
    {"engine", 'e', "TEXT", 0, "the engine that is tested", 1},
    {"likelihood", 'l', "TEXT", 0,
     "observation model (default: gaussian, or categorical with --classes); its own parameters need a density, as in gaussian:shape=2", 1},
    {"prior", 'p', "TEXT", 0, "prior over weights (default: gauss)", 1},
    {"rows", ROWS, "N", 0, "rows of the simulated data (default: 20)", 2},
    {"in", IN, "D", 0, "their inputs (default: 2)", 2},
    {"classes", CLASSES, "K", 0, "their classes (default: real y)", 2},
    {"points", POINTS, "N", 0, "new rows whose mean of y is ranked (default: 3)", 2},
    {"replications", REPLICATIONS, "L", 0, "simulated worlds; with --geweke chains (default: 200)", 3},
    {"draws", DRAWS, "R", 0, "draws that the truth is ranked among (default: 99)", 3},
    {"bins", BINS, "B", 0, "bins of the R + 1 ranks (default: 10)", 3},
    {"geweke", GEWEKE, NULL, 0, "Geweke's joint-distribution test of the engine's transition in place of ranks", 3},
    {"verdicts", VERDICTS, NULL, 0, "verdicts on the fits in place of ranks: on an engine that is right they are false alarms", 3},
    {"transitions", TRANSITIONS, "T", 0, "with --geweke: of each chain (default: 100)", 3},
    {"json", JSON, NULL, 0, "print one JSON object", 4},
    {"seed", 's', "N", 0, "seed (default: 1)", 4},
    {"threads", 't', "N", 0, "threads (default: all cores)", 4},
    {0}};

static int number(const char *option, const char *text, int least) { return (int)tool_number(option, text, least, 100000000); }

static error_t parse(int key, char *arg, struct argp_state *state) {
    request *r = state->input;
    switch (key) {
    case 'e': r->c.engine = arg; return 0;
    case ROWS: r->c.rows = number("--rows", arg, 1); return 0;
    case IN: r->c.inputs = number("--in", arg, 1); return 0;
    case CLASSES: r->c.classes = number("--classes", arg, 2); return 0;
    case POINTS: r->c.points = number("--points", arg, 0); return 0;
    case REPLICATIONS: r->c.replications = number("--replications", arg, 2); return 0;
    case DRAWS: r->c.draws = number("--draws", arg, 1); return 0;
    case BINS: r->c.bins = number("--bins", arg, 2); return 0;
    case GEWEKE: r->geweke = true; return 0;
    case VERDICTS: r->verdicts = true; return 0;
    case TRANSITIONS: r->c.transitions = number("--transitions", arg, 1); return 0;
    case JSON: r->json = true; return 0;
    case ARGP_KEY_END:
        if (!r->job.net) tool_misuse(state, "--net is missing, such as --net 'dense:5; tanh; dense'");
        if (!r->c.engine) tool_misuse(state, "--engine is missing: `bnn list engines` prints those there are");
        return 0;
    default: return tool_job_argp.parser(key, arg, &(struct argp_state){.input = &r->job});
    }
}

/* From the threads that work. */
static void show(void *context, int i, double share) {
    request *r = context;
    double sum = 0;
#pragma omp critical(sbc_share)
    {
        r->share[i] = share;
        for (int k = 0; k < r->c.replications; k++) sum += r->share[k];
    }
    tool_progress_show(&r->progress, sum / r->c.replications);
}

/* ---------------------------------------------------------------- text */

/* A bar for each bin; half the height is what is expected. */
static void print_histogram(const bnn_sbc *sbc, const bnn_sbc_quantity *q) {
    static const char *const bar[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    for (int b = 0; b < sbc->bins; b++) {
        int height = (int)(4.0 * q->count[b] * sbc->bins / sbc->replications + 0.5);
        fputs(bar[height > 8 ? 8 : height], stdout);
    }
}

static const char *shape(const bnn_sbc_quantity *q) {
    if (q->p >= BNN_SBC_LEVEL) return "";
    if (fabs(q->low) > 5) return q->low > 0 ? "  the draws are too low" : "  the draws are too high";
    if (q->spread > 1.2) return "  the draws are too narrow";
    return q->spread < 0.8 ? "  the draws are too wide" : "";
}

static void print_sbc(const request *r, const bnn_sbc *s) {
    printf("%s: %d replications, ranks among %d draws in %d bins\n\n", r->c.engine, s->replications, s->draws, s->bins);
    printf("  %-46s %-*s  %8s %8s %8s %8s\n", "", s->bins, "ranks", "chi2", "p", "shift/se", "var/unif");
    for (int i = 0; i < s->n; i++) {
        const bnn_sbc_quantity *q = &s->quantity[i];
        printf("  %-46s ", q->name);
        print_histogram(s, q);
        printf("  %8.2f %8.4f %8.2f %8.2f%s\n", q->chi2, q->p, q->low, q->spread, shape(q));
    }
    printf("\nof %d quantities the least p, times their number, is %.4f: %s\n", s->n, s->p,
           s->p < BNN_SBC_LEVEL ? "not uniform, the draws are not those of the posterior" : "uniform, as of an exact engine");
    if (s->dependent > 0)
        printf(
            "in %d replications the chains were worth fewer than %d independent draws: dependent ones crowd at the ends of the ranks; more "
            "samples, or thin, or a smaller --draws\n",
            s->dependent, s->draws);
}

static void print_geweke(const bnn_geweke *g) {
    printf("%s: %d chains of %d transitions from draws of the prior, with a new y after each\n\n", g->engine, g->chains, g->transitions);
    printf("  %-46s %10s %10s %10s\n", "", "z of u", "(u-1/2)^2", "p");
    for (int i = 0; i < g->n; i++)
        printf("  %-46s %10.2f %10.2f %10.4f\n", g->quantity[i].name, g->quantity[i].z_mean, g->quantity[i].z_square, g->quantity[i].p);
    printf("\nof %d quantities the least p, times their number, is %.4f: %s\n", g->n, g->p,
           g->p < BNN_SBC_LEVEL ? "the transition does not keep the posterior" : "nothing speaks against the transition");
}

/* The share of worlds with a warning or worse. */
static double share_of(const bnn_alarms *a) { return (double)a->alarmed / a->replications; }

static void print_alarms(const request *r, const bnn_alarms *a) {
    printf("%s: %d worlds, %d rows fitted and %d judged by in each\n\n", r->c.engine, a->replications, r->c.rows, r->c.points);
    for (int i = 0; i < a->n; i++)
        printf("  %-18s %4d bad %4d warnings %4d notes\n", a->alarm[i].code, a->alarm[i].count[BNN_REMARK_BAD],
               a->alarm[i].count[BNN_REMARK_WARNING], a->alarm[i].count[BNN_REMARK_NOTE]);
    printf("%s%d worlds of %d have a warning or worse, %.1f %%: %s\n", a->n ? "\n" : "", a->alarmed, a->replications, 100 * share_of(a),
           share_of(a) > BNN_FALSE_ALARMS ? "the engine does not find its posterior, or the verdicts cry wolf"
                                          : "few enough for an engine that is right");
}

/* ---------------------------------------------------------------- JSON */

static void add(json_t *o, const char *name, double x) { tool_json_set(o, name, tool_json_number(x)); }

static json_t *ints(const int *v, int n) {
    json_t *list = json_array();
    for (int i = 0; i < n; i++) tool_json_append(list, json_integer(v[i]));
    return list;
}

static bnn_status print_object(json_t *o, double p, json_t *quantities) {
    add(o, "p", p);
    tool_json_set(o, "good", json_boolean(p >= BNN_SBC_LEVEL));
    tool_json_set(o, "quantities", quantities);
    return tool_json_answer(o);
}

static bnn_status print_sbc_json(const request *r, const bnn_sbc *s) {
    json_t *list = json_array();
    for (int i = 0; i < s->n; i++) {
        const bnn_sbc_quantity *q = &s->quantity[i];
        json_t *o =
            json_pack("{s:s, s:f, s:f, s:f, s:f}", "name", q->name, "chi2", q->chi2, "p", q->p, "shift", q->low, "spread", q->spread);
        tool_json_set(o, "ranks", ints(q->rank, s->replications));
        tool_json_append(list, o);
    }
    return print_object(json_pack("{s:s, s:i, s:i, s:i, s:i}", "engine", r->c.engine, "replications", s->replications, "draws", s->draws,
                                  "bins", s->bins, "dependent", s->dependent),
                        s->p, list);
}

static bnn_status print_geweke_json(const bnn_geweke *g) {
    json_t *list = json_array();
    for (int i = 0; i < g->n; i++)
        tool_json_append(list, json_pack("{s:s, s:f, s:f, s:f}", "name", g->quantity[i].name, "z_mean", g->quantity[i].z_mean, "z_square",
                                         g->quantity[i].z_square, "p", g->quantity[i].p));
    return print_object(json_pack("{s:s, s:i, s:i}", "engine", g->engine, "chains", g->chains, "transitions", g->transitions), g->p, list);
}

static bnn_status print_alarms_json(const request *r, const bnn_alarms *a) {
    json_t *o = json_pack("{s:s, s:i, s:i}", "engine", r->c.engine, "worlds", a->replications, "alarmed", a->alarmed), *list = json_array();
    for (int i = 0; i < a->n; i++)
        tool_json_append(list, json_pack("{s:s, s:i, s:i, s:i}", "code", a->alarm[i].code, "bad", a->alarm[i].count[BNN_REMARK_BAD],
                                         "warning", a->alarm[i].count[BNN_REMARK_WARNING], "note", a->alarm[i].count[BNN_REMARK_NOTE]));
    tool_json_set(o, "good", json_boolean(share_of(a) <= BNN_FALSE_ALARMS));
    tool_json_set(o, "verdicts", list);
    return tool_json_answer(o);
}

/* ---------------------------------------------------------------- the command */

static bnn_status judge(request *r, bool *good) {
    bnn_alarms alarms;
    r->progress = tool_progress_start("sbc");
    bnn_status s = bnn_alarms_run(&r->c, &alarms);
    tool_progress_end(&r->progress);
    if (s < 0) return s;
    *good = share_of(&alarms) <= BNN_FALSE_ALARMS;
    if (r->json) return print_alarms_json(r, &alarms);
    print_alarms(r, &alarms);
    return BNN_OK;
}

static bnn_status simulate(request *r, bool *good) {
    bnn_sbc *sbc = NULL;
    bnn_geweke *geweke = NULL;
    r->progress = tool_progress_start("sbc");
    bnn_status s = r->geweke ? bnn_geweke_run(&r->c, &geweke) : bnn_sbc_run(&r->c, &sbc);
    tool_progress_end(&r->progress);
    if (s < 0) return s;
    *good = (sbc ? sbc->p : geweke->p) >= BNN_SBC_LEVEL;
    if (r->json)
        s = sbc ? print_sbc_json(r, sbc) : print_geweke_json(geweke);
    else
        sbc ? print_sbc(r, sbc) : print_geweke(geweke);
    bnn_sbc_free(sbc);
    bnn_geweke_free(geweke);
    return s;
}

static int run(int argc, char **argv) {
    const struct argp argp = {
        .options = options,
        .parser = parse,
        .doc =
            "Tests an engine on worlds drawn from the prior. Simulation-based calibration (Talts et al. 2018): among the draws of an exact "
            "engine the true value has a rank that is uniform; chi-square says whether it is. With --geweke the joint-distribution test of "
            "one transition (Geweke 2004), of hmc and nuts; the step size is that of the engine's text. With --verdicts each "
            "world is fitted as `bnn fit` does, predicted at its new rows and judged. Exit status 0: nothing speaks "
            "against the engine, 1: p is below 0.01, or more than one world of twenty has a warning, 2: a failure.\v"
            "Examples:\n  bnn sbc --net 'dense:3; tanh; dense' --engine nuts:chains=2,samples=200,warmup=200 --likelihood "
            "gaussian:shape=2\n"
            "  bnn sbc --net dense --engine hmc:steps=10,step=0.1 --likelihood gaussian:tau=4 --geweke\n"
            "  bnn sbc --net dense --engine laplace --likelihood gaussian:shape=2 --rows 100 --points 100 --verdicts"};
    request r = {.c = bnn_sbc_preset()};
    bool good = true;
    tool_job_open(&r.job, argc, argv);
    tool_parse(&argp, argc, argv, &r);
    r.c.net = r.job.net, r.c.likelihood = r.job.likelihood, r.c.prior = r.job.prior, r.c.seed = r.job.seed;
    r.c.progress = show, r.c.context = &r;
    r.share = calloc((size_t)r.c.replications, sizeof *r.share);
    if (!r.share) return tool_refuse("out of memory");
    bnn_status s = r.verdicts ? judge(&r, &good) : simulate(&r, &good);
    free(r.share);
    return s < 0 ? tool_fail() : !good;
}

const command command_sbc = {.name = "sbc", .summary = "test an engine on worlds drawn from the prior", .run = run};
