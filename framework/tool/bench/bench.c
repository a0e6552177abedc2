/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bench.h"
#include "tool/print/json.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <omp.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the jobs ---- */

#define MNIST "dense:400; relu; dropout:0.5; dense:400; relu; dropout:0.5; dense"
#define FOREVER "epochs=1000000000"

static const bench_job jobs[] = {
    {"mc_uci", 455, 13, 0, "dense:50; relu; dense", "mc_dropout:p=0.05", NULL, 1000, 1000, 0, 0},
    {"mc_mnist", 128, 784, 10, "dropout:0; " MNIST, "mc_dropout", NULL, 1000, 100, 0, 0},
    {"mc_wide", 128, 1024, 0, "dropout:0; dense:1024; relu; dense:1024; relu; dense", "mc_dropout:p=0.1", NULL, 1000, 100, 0, 0},
    {"train_uci", 455, 13, 0, "dense:50; relu; dense", "mc_dropout:p=0.05," FOREVER, NULL, 0, 0, 0, 0},
    {"train_mnist", 4096, 784, 10, "dropout:0; " MNIST, "mc_dropout:" FOREVER, NULL, 0, 0, 0, 0},
    {"train_cd", 1000, 1, 0, "dense:1024; relu; dense:1024; relu; dense:1024; relu; dense",
     "mc_dropout:gates=concrete,p=0.1,batch=20," FOREVER, "heteroscedastic", 0, 0, 0, 0},
    {"train_cd_uci", 455, 13, 0, "dense:50; relu; dense", "mc_dropout:gates=concrete,p=0.1," FOREVER, "heteroscedastic", 0, 0, 0, 0},
    {"train_bbb", 4096, 784, 10, "dense:400; relu; dense:400; relu; dense", "bayes_by_backprop:estimator=weight," FOREVER, NULL, 0, 0, 0,
     0},
    {"train_bbb_uci", 455, 13, 0, "dense:50; relu; dense", "bayes_by_backprop:estimator=weight," FOREVER, NULL, 0, 0, 0, 0},
    {"hmc_uci", 455, 13, 0, "dense:50; tanh; dense", "hmc:chains=2,warmup=0,step=0.001,thin=1000000", NULL, 0, 0, 0, 0},
    {"conv", 16, 3, 11, "conv2d:32,padding=1; relu; conv2d:32,padding=1; relu; conv2d:32,padding=1; relu; conv2d:kernel=1",
     "map:batch=16," FOREVER, NULL, 0, 0, 90, 120},
};

/* ---- the report ---- */

typedef struct {
    double seconds;   /* of a round */
    double peak;      /* multiply-adds of one core, 0: not measured yet */
    double bandwidth; /* bytes that it gets from memory, likewise */
    json_t *json;     /* an array, or NULL: lines are printed */
} report;

static double peak_of(report *r) {
    if (r->peak == 0) r->peak = bench_peak(false);
    return r->peak;
}

static double bandwidth_of(report *r) {
    if (r->bandwidth == 0) r->bandwidth = bench_bandwidth();
    return r->bandwidth;
}

/* The peak that the arithmetic of a job is held against. flops 0: it is not a matter of arithmetic. */
typedef struct {
    double flops; /* a second */
    int cores;    /* whose peak the share is of */
    double bytes; /* a second, that one core has to move at least; 0: not counted */
} effort;

static void put_json(const report *r, json_t *line, const effort *e, double roof) {
    if (e->flops > 0) tool_json_set(line, "gflops", json_real(e->flops / 1e9));
    if (e->flops > 0) tool_json_set(line, "share_of_peak", json_real(e->flops / (e->cores * r->peak)));
    if (e->bytes > 0) {
        tool_json_set(line, "flops_per_byte", json_real(e->flops / e->bytes));
        tool_json_set(line, "roof", json_string(roof < r->peak ? "memory" : "arithmetic"));
        tool_json_set(line, "share_of_roof", json_real(e->flops / roof));
    }
    tool_json_append(r->json, line);
}

/* The roof is what the job can reach by its flops a byte: the peak, or as many as come with the bytes that memory gives. */
static void put_effort(report *r, const char *job, const char *unit, double rate, const effort *e) {
    const double peak = e->flops > 0 ? peak_of(r) : 0, roof = e->bytes > 0 ? fmin(peak, e->flops / e->bytes * bandwidth_of(r)) : peak;
    if (r->json) {
        put_json(r, json_pack("{s:s, s:s, s:f}", "job", job, "unit", unit, "rate", rate), e, roof);
        return;
    }
    printf("%-28s %10.4g %-10s", job, rate, unit);
    if (e->flops > 0) printf(" %8.4g GFLOP/s %5.1f %% of peak", e->flops / 1e9, 100 * e->flops / (e->cores * peak));
    if (e->bytes > 0)
        printf(", %5.1f flops/byte: %5.1f %% of the roof (%s)", e->flops / e->bytes, 100 * e->flops / roof,
               roof < peak ? "memory" : "arithmetic");
    putchar('\n');
    fflush(stdout);
}

static void put(report *r, const char *job, const char *unit, double rate, double flops, int cores) {
    put_effort(r, job, unit, rate, &(effort){.flops = flops, .cores = cores});
}

/* ---- jobs on networks ---- */

static bnn_status run_job(report *r, const bench_job *job, const char *name) {
    bench_case c;
    bench_rate rate;
    BNN_TRY(bench_open(job, &c));
    bnn_status s = bench_check(&c);
    if (s == BNN_OK) s = bench_measure(&c, r->seconds, &rate);
    const char *unit = job->n_new ? "evals/s" : job->height ? "images/s" : "steps/s";
    if (s == BNN_OK) put(r, name, unit, rate.rate * (job->height ? job->n : 1), rate.flops, omp_get_max_threads());
    bench_close(&c);
    return s;
}

/* Fits that know nothing of each other, the best of three times all of them. */
static bnn_status independent_fits(report *r, const char *name) {
    enum { FITS = 12 };
    const bench_job job = {"fits", 455, 13, 0, "dense:50; relu; dense", "ensemble:members=12,engine=mc_dropout{p=0.05,epochs=500}", NULL,
                           0,      0,   0,  0};
    bench_case c;
    BNN_TRY(bench_open(&job, &c));
    bnn_status s = bench_check(&c);
    double best = 0, seconds;
    for (int round = 0; s == BNN_OK && round < 3; round++)
        if ((s = bench_whole_fit(&c, &seconds)) == BNN_OK) best = fmax(best, FITS / seconds);
    if (s == BNN_OK) put(r, name, "fits/s", best, 0, 1);
    bench_close(&c);
    return s;
}

static bnn_status scaling(report *r) {
    char name[64], net[64];
    int threads = tool_threads(1), most = threads < 2 ? 2 : threads;
    bnn_status s = BNN_OK;
    for (int t = 1; s == BNN_OK && t <= most; t *= 2) {
        tool_threads(t);
        snprintf(name, sizeof name, "scaling/threads=%d/mc_mnist", t);
        s = run_job(r, &jobs[1], name);
        snprintf(name, sizeof name, "scaling/threads=%d/fits", t);
        if (s == BNN_OK) s = independent_fits(r, name);
        for (int samples = 10; s == BNN_OK && samples <= 10000; samples *= 10) {
            bench_job job = jobs[0];
            job.samples = samples;
            snprintf(name, sizeof name, "scaling/threads=%d/S=%d", t, samples);
            s = run_job(r, &job, name);
        }
        for (int width = 64; s == BNN_OK && width <= 2048; width *= 2) {
            snprintf(net, sizeof net, "dense:%d; relu; dense:%d; relu; dense", width, width);
            bench_job job = {"scaling", 128, width, 0, net, "mc_dropout:p=0.1", NULL, 512, width > 512 ? 20 : 100, 0, 0};
            snprintf(name, sizeof name, "scaling/threads=%d/width=%d", t, width);
            s = run_job(r, &job, name);
        }
    }
    tool_threads(threads);
    return s;
}

/* The largest memory that the process has held, after predictions with more and more draws. */
static bnn_status memory(report *r) {
    char name[64];
    bnn_status s = BNN_OK;
    for (int samples = 100; s == BNN_OK && samples <= 100000; samples *= 10) {
        bench_job job = jobs[0];
        bench_case c;
        bnn_prediction *p = NULL;
        job.samples = samples;
        BNN_TRY(bench_open(&job, &c));
        s = bnn_predict(c.run->engine, c.new_rows, &(bnn_predict_options){.samples = samples, .seed = 1}, &p);
        snprintf(name, sizeof name, "memory/S=%d", samples);
        if (s == BNN_OK) put(r, name, "bytes", (double)p->cost.peak_bytes, 0, 1);
        bnn_prediction_free(p);
        bench_close(&c);
    }
    return s;
}

/* Starts of the program, which ends when it has listed its types. */
static bnn_status start(report *r) {
    char *const words[] = {"bnn", "list", NULL};
    posix_spawn_file_actions_t quiet;
    int starts = 0, status = 0, failure = posix_spawn_file_actions_init(&quiet);
    if (!failure) failure = posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    double started = tool_seconds(), spent = 0;
    for (; !failure && !status && spent < r->seconds; spent = tool_seconds() - started, starts++) {
        pid_t child;
        failure = posix_spawn(&child, "/proc/self/exe", &quiet, NULL, words, environ);
        if (!failure && waitpid(child, &status, 0) < 0) failure = errno;
    }
    posix_spawn_file_actions_destroy(&quiet);
    if (failure || status)
        return bnn_fail(BNN_ERR_STATE, "start: the program does not start: %s", failure ? strerror(failure) : "its exit status is not 0");
    put(r, "start", "starts/s", starts / spent, 0, 1);
    return BNN_OK;
}

/* ---- kernels ---- */

/* The best rate of work() in units of `amount` a second. */
static double best_rate(void (*work)(void *of), void *of, double amount, double seconds) {
    double best = 0;
    work(of);
    for (int round = 0; round < 3; round++) {
        bnn_stopwatch started = bnn_stopwatch_start();
        double spent, n = 0;
        do {
            work(of);
            n++;
        } while ((spent = bench_since(started)) < seconds);
        best = fmax(best, n * amount / spent);
    }
    return best;
}

typedef struct {
    int n, in, out;
    bnn_real *x, *w, *y;
} product;

static void multiply(void *of) {
    const product *p = of;
    bnn_affine(p->n, p->in, p->out, p->x, p->w, NULL, p->y);
}

/* The largest difference of some elements from plain sums, relative to the largest element. */
static double product_error(const product *p) {
    double worst = 0, largest = 0;
    for (int i = 0; i < p->n; i += 7)
        for (int j = 0; j < p->out; j += 5) {
            double sum = 0;
            for (int k = 0; k < p->in; k++) sum += (double)p->x[i * p->in + k] * (double)p->w[k * p->out + j];
            worst = fmax(worst, fabs(sum - (double)p->y[i * p->out + j]));
            largest = fmax(largest, fabs(sum));
        }
    return worst / largest;
}

static bnn_status gemm(report *r) {
    static const int sizes[][3] = {{64, 160, 48}, {128, 784, 400}, {256, 256, 256}, {512, 512, 512}, {1000, 400, 400}, {1024, 1024, 1024}};
    int threads = tool_threads(1);
    bnn_status s = BNN_OK;
    double most = bench_peak(true);
    put(r, "gemm/loads", "flops/s", most, most, 1);
    for (size_t i = 0; s == BNN_OK && i < sizeof sizes / sizeof *sizes; i++) {
        product p = {.n = sizes[i][0], .in = sizes[i][1], .out = sizes[i][2]};
        size_t x = ((size_t)p.n * (size_t)p.in + 15) / 16 * 16, w = (size_t)p.in * (size_t)p.out, y = (size_t)p.n * (size_t)p.out;
        char name[64];
        p.x = bnn_reals_new(x + w + y);
        if (!p.x) return bnn_fail(BNN_ERR_MEMORY, "out of memory");
        p.w = p.x + x, p.y = p.w + w;
        bnn_rng_normal(bnn_rng_seed(1), 0, 1, (int)(x + w), p.x);
        multiply(&p);
        snprintf(name, sizeof name, "gemm/%dx%dx%d", p.n, p.in, p.out);
        if (product_error(&p) > (BNN_REAL_IS_DOUBLE ? 1e-12 : 1e-4))
            s = bnn_fail(BNN_ERR_NUMERIC, "%s: differs from plain sums by %g of the largest", name, product_error(&p));
        double flops = 2.0 * p.n * p.in * p.out, rate = s == BNN_OK ? best_rate(multiply, &p, 1, r->seconds) : 0;
        if (s == BNN_OK) put(r, name, "products/s", rate, rate * flops, 1);
        free(p.x);
    }
    tool_threads(threads);
    return s;
}

/* Convolutions of one image, forward and the gradients. */
static bnn_status conv_shapes(report *r) {
    static const int shapes[][6] = {{1, 28, 28, 20, 5, 0},   {20, 12, 12, 50, 5, 0}, {32, 26, 26, 64, 3, 0},   {3, 90, 120, 48, 3, 1},
                                    {48, 90, 120, 16, 3, 1}, {96, 45, 60, 16, 3, 1}, {48, 180, 240, 16, 3, 1}, {24, 96, 120, 12, 3, 1},
                                    {100, 48, 60, 12, 3, 1}, {120, 48, 60, 60, 1, 0}};
    static const struct {
        const char *name;
        void (*run)(void *conv);
    } ways[] = {{"y", bench_conv_y}, {"dx", bench_conv_dx}, {"dw", bench_conv_dw}};
    if (bandwidth_of(r) == 0) return bnn_fail(BNN_ERR_MEMORY, "out of memory");
    put(r, "conv/memory", "bytes/s", bandwidth_of(r), 0, 1);
    int threads = tool_threads(1);
    bnn_status s = BNN_OK;
    for (size_t i = 0; s == BNN_OK && i < sizeof shapes / sizeof *shapes; i++) {
        const int *d = shapes[i];
        bench_conv c;
        char name[64];
        BNN_TRY(bench_conv_open(&(bnn_conv){d[0], d[1], d[2], d[3], d[4], 1, d[5], false}, &c));
        s = bench_conv_check(&c);
        for (int way = 0; s == BNN_OK && way < 3; way++) {
            double rate = best_rate(ways[way].run, &c, 1, r->seconds / 3);
            snprintf(name, sizeof name, "conv/%dx%dx%d-%d,%d/%s", d[0], d[1], d[2], d[3], d[4], ways[way].name);
            put_effort(r, name, "images/s", rate, &(effort){.flops = rate * c.flops, .cores = 1, .bytes = rate * c.bytes});
        }
        bench_conv_close(&c);
    }
    tool_threads(threads);
    return s;
}

enum { WORDS = 1 << 16 };
typedef struct {
    bnn_real *out;
    uint64_t row;
} fill;

static void normals(void *of) { bnn_rng_normal(bnn_rng_seed(1), ((fill *)of)->row++, 1, WORDS, ((fill *)of)->out); }
static void masks(void *of) { bnn_rng_mask(bnn_rng_seed(1), ((fill *)of)->row++, 1, WORDS, 0.5, 2, ((fill *)of)->out); }

static double mean_square(const bnn_real *v) {
    double sum = 0;
    for (int i = 0; i < WORDS; i++) sum += (double)v[i] * (double)v[i];
    return sum / WORDS;
}

/* Checked by the second moment, 1 and 2, to six standard errors. */
static bnn_status rng(report *r) {
    fill f = {.out = malloc(WORDS * sizeof *f.out)};
    if (!f.out) return bnn_fail(BNN_ERR_MEMORY, "out of memory");
    normals(&f);
    bool ok = fabs(mean_square(f.out) - 1) < 6 * sqrt(2.0 / WORDS);
    masks(&f);
    ok &= fabs(mean_square(f.out) - 2) < 6 * 2 / sqrt(WORDS);
    if (ok) put(r, "rng/normal", "normals/s", best_rate(normals, &f, WORDS, r->seconds), 0, 1);
    if (ok) put(r, "rng/mask", "words/s", best_rate(masks, &f, WORDS, r->seconds), 0, 1);
    free(f.out);
    return ok ? BNN_OK : bnn_fail(BNN_ERR_NUMERIC, "rng: the second moments are wrong");
}

/* ---- the command ---- */

static const struct {
    const char *name;
    bnn_status (*run)(report *);
} others[] = {{"gemm", gemm}, {"conv_shapes", conv_shapes}, {"rng", rng}, {"scaling", scaling}, {"memory", memory}, {"start", start}};

enum { N_JOBS = sizeof jobs / sizeof *jobs, N_OTHERS = sizeof others / sizeof *others };

static bnn_status run_named(report *r, const char *name) {
    for (int i = 0; i < N_JOBS; i++)
        if (strcmp(name, jobs[i].name) == 0) return run_job(r, &jobs[i], name);
    for (int i = 0; i < N_OTHERS; i++)
        if (strcmp(name, others[i].name) == 0) return others[i].run(r);
    char known[512] = "";
    for (int i = 0; i < N_JOBS + N_OTHERS; i++) bnn_list_add(known, sizeof known, i < N_JOBS ? jobs[i].name : others[i - N_JOBS].name);
    return bnn_fail(BNN_ERR_NAME, "unknown job '%s': there are %s", name, known);
}

static bnn_status run_all(report *r) {
    for (int i = 0; i < N_JOBS; i++) BNN_TRY(run_job(r, &jobs[i], jobs[i].name));
    for (int i = 0; i < N_OTHERS; i++) BNN_TRY(others[i].run(r));
    return BNN_OK;
}

typedef struct {
    char **name; /* borrowed from argv */
    int n;
    double seconds;
    bool json;
} request;

enum { JSON = 256, SECONDS, CPU };

static const struct argp_option options[] = {{"json", JSON, NULL, 0, "print one JSON array", 0},
                                             {"seconds", SECONDS, "X", 0, "length of a round, the best of three counts (default: 0.7)", 0},
                                             {"cpu", CPU, NULL, 0, "rates by the time of the processor, not of the clock", 0},
                                             {"threads", 't', "N", 0, "threads (default: all cores)", 0},
                                             {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
    request *r = state->input;
    switch (key) {
    case JSON: r->json = true; return 0;
    case SECONDS:
        if (!bnn_number_parse(arg, &r->seconds) || !(r->seconds > 0 && r->seconds < 1e6))
            tool_misuse(state, "--seconds: '%s' is not a positive number of seconds", arg);
        return 0;
    case CPU: bench_by_processor(); return 0;
    case 't': tool_threads((int)tool_number("--threads", arg, 1, 4096)); return 0;
    case ARGP_KEY_ARGS:
        r->name = state->argv + state->next;
        r->n = state->argc - state->next;
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static int run(int argc, char **argv) {
    static const struct argp argp = {.options = options,
                                     .parser = parse,
                                     .args_doc = "[JOB...]",
                                     .doc = "Measures how fast this machine runs bnn: best rate, and share of the peak of its fused "
                                            "multiply-adds; of convolutions of one image also the share of their roof, which is that peak, "
                                            "or less where memory does not give "
                                            "the bytes for it. Results are checked against plain loops before they are timed.\v"
                                            "Jobs: mc_uci, mc_mnist, mc_wide (prediction); train_uci, train_mnist, train_cd, train_cd_uci, "
                                            "train_bbb, train_bbb_uci, hmc_uci, conv (steps of a fit); gemm, conv_shapes, rng, scaling, "
                                            "memory, start.\n\nExamples:\n  bnn bench\n"
                                            "  bnn bench mc_uci train_uci --json"};
    request q = {.seconds = 0.7};
    tool_parse(&argp, argc, argv, &q);
    report r = {.seconds = q.seconds, .json = q.json ? json_array() : NULL};
    bnn_status s = BNN_OK;
    for (int i = 0; s == BNN_OK && i < q.n; i++) s = run_named(&r, q.name[i]);
    if (q.n == 0) s = run_all(&r);
    if (s == BNN_OK && r.json)
        s = tool_json_print(r.json, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
    else
        json_decref(r.json);
    return s < 0 ? tool_fail() : 0;
}

const command command_bench = {.name = "bench", .summary = "measure how fast this machine runs it", .run = run};
