/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * hostile.c: types of the library under other names, one of whose hooks does what HOSTILE says, such as HOSTILE="crash forward". As hooks
 * count `constructor` and `destructor`, which run as the plugin is loaded and unloaded.
 */
#include <bnn/engine.h>
#include <bnn/layer.h>
#include <bnn/likelihood.h>
#include <bnn/optimizer.h>
#include <bnn/plugin.h>
#include <bnn/prior.h>

#include <fenv.h>
#include <locale.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static jmp_buf elsewhere;

static void use_up_the_stack(int depth) {
    volatile char here[4096];
    here[0] = 1;
    if (depth < 1 << 20) use_up_the_stack(depth + here[0]);
}

static void hang(void) {
    for (volatile unsigned i = 0;; i++) continue;
}

static void take_all_memory(void) {
    for (size_t size = 1 << 24;;) memset(malloc(size), 1, size);
}

static void free_twice(void) {
    char *volatile text = malloc(10);
    free(text);
    free(text);
}

static void fork_and_stay(void) {
    if (fork() == 0) hang();
}

static void leak(void) {
    char *volatile lost = malloc(10);
    lost[0] = 1;
}

static bnn_real added; /* to y */

static void read_fresh(void) {
    unsigned char *volatile text = malloc(1000);
    added = text[900];
    free(text);
}

static bool shares; /* a buffer of all threads for calls of many rows */
static void share(void) { shares = true; }

static bool remembers; /* what came out of a hook last, where all threads would put it */
static bnn_real remembered;
static void remember(void) { remembers = true; }
static void come_out(bnn_real number) {
    if (remembers) remembered = number;
}

static void nothing(int signal) { (void)signal; }
static void handle(void) { signal(SIGTERM, nothing); }
static void round_down(void) { fesetround(FE_DOWNWARD); }
static void trap(void) { feenableexcept(FE_DIVBYZERO); }
static void localise(void) { setlocale(LC_ALL, "C.UTF-8"); }
static void move(void) { (void)!chdir("/"); }
static void set(void) { setenv("OMP_NUM_THREADS", "1", 1); }
static void hold(void) { (void)!dup(0); }

static void shine(void) {
    if (isatty(STDERR_FILENO)) fputs("a line for a terminal\n", stderr);
}
static void print(void) { puts("a line of the plugin"), fputs("a complaint of the plugin\n", stderr); }

static void leave(void) { exit(0); }
static void leave_at_once(void) { _exit(0); }
static void divide(void) { raise(SIGFPE); }
static void jump(void) { longjmp(elsewhere, 1); }
static void sleep_long(void) { sleep(1000); }
/* Once: who watches stands still meanwhile, as on a machine that does. */
static void stand_still(void) {
    static bool stood;
    if (stood) return;
    stood = true;
    kill(getppid(), SIGSTOP);
    nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 500000000}, NULL);
    kill(getppid(), SIGCONT);
}
static void crash(void) { *(volatile int *)8 = 1; }
static void shut(void) {
    for (int i = 0; i < 64; i++) close(i);
}
static void kill_itself(void) { kill(getpid(), SIGKILL); }
static void overflow(void) { use_up_the_stack(0); }

static const struct {
    const char *name;
    void (*act)(void);
} deeds[] = {{"crash", crash},       {"abort", abort},
             {"exit", leave},        {"_exit", leave_at_once},
             {"hang", hang},         {"sleep", sleep_long},
             {"raise", divide},      {"jump", jump},
             {"overflow", overflow}, {"memory", take_all_memory},
             {"twice", free_twice},  {"fork", fork_and_stay},
             {"print", print},       {"shut", shut},
             {"kill", kill_itself},  {"share", share},
             {"leak", leak},         {"fresh", read_fresh},
             {"handle", handle},     {"round", round_down},
             {"trap", trap},         {"locale", localise},
             {"move", move},         {"set", set},
             {"hold", hold},         {"remember", remember},
             {"shine", shine},       {"still", stand_still}};

static void pass(const char *hook) {
    const char *what = getenv("HOSTILE"), *where = what ? strchr(what, ' ') : NULL;
    if (!where || strcmp(where + 1, hook) != 0) return;
    for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++)
        if (strncmp(what, deeds[i].name, (size_t)(where - what)) == 0 && strlen(deeds[i].name) == (size_t)(where - what)) deeds[i].act();
}

static const bnn_layer_type *layer;
static const bnn_engine_type *engine;
static const bnn_likelihood_type *likelihood;
static const bnn_prior_type *prior;
static const bnn_optimizer_type *optimizer;

static bnn_status bind(bnn_layer *l) { return pass("bind"), layer->bind(l); }
static void forward(const bnn_layer *l, bnn_io *io) {
    pass("forward"), layer->forward(l, io);
    if (io->n > 0) io->y[0] += added;
    static bnn_real shared[1024];
    size_t size = (size_t)io->n * 3 * sizeof *shared;
    if (!shares || io->n <= 64 || size > sizeof shared) return;
    memcpy(shared, io->y, size);
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); /* for others to write there, on a busy machine, too */
    memcpy(io->y, shared, size);
}
static void backward(const bnn_layer *l, bnn_io *io) { pass("backward"), layer->backward(l, io); }
static void init(const bnn_layer *l, bnn_rng rng, bnn_real *theta) {
    pass("init");
    if (layer->init) layer->init(l, rng, theta);
}
static void close_layer(bnn_layer *l) {
    pass("close");
    if (layer->close) layer->close(l);
}
static bnn_status open_engine(bnn_engine *e, const bnn_data *data) { return pass("open"), engine->open(e, data); }
static bnn_status step_engine(bnn_engine *e, const bnn_data *data, bnn_step *out) {
    bnn_status s = (pass("step"), engine->step(e, data, out));
    if (s == BNN_OK && out->theta) come_out(out->theta[0]);
    return s;
}
static void close_engine(bnn_engine *e) { pass("close"), engine->close(e); }
static int blocks(bnn_engine *e, bnn_block *out) { return pass("blocks"), engine->blocks(e, out); }
static void observe(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta,
                    const bnn_observation *out) {
    pass("observe"), likelihood->observe(l, n, f, y, theta, out);
    if (n > 0 && out->mean) come_out(out->mean[0]);
}
static void draw(const bnn_prior *p, const bnn_prior_block *b, bnn_rng rng, int n, bnn_real *out) {
    pass("draw"), prior->draw(p, b, rng, n, out);
    if (n > 0) come_out(out[0]);
}
static void step(const bnn_optimizer *o, double lr, uint64_t t, int n, bnn_real *theta, const bnn_real *g, bnn_real *state, size_t stride) {
    pass("step_optimizer"), optimizer->step(o, lr, t, n, theta, g, state, stride);
    if (n > 0) come_out(theta[0]);
}

static bnn_layer_type hostile_layer;
static bnn_engine_type hostile_engine;
static bnn_likelihood_type hostile_likelihood;
static bnn_prior_type hostile_prior;
static bnn_optimizer_type hostile_optimizer;
static const char *const layer_checks[] = {"input:5; hostile:3", NULL}, *const other_checks[] = {"hostile", NULL};

/* The type of this name, as it is, under another name. */
static const void *disguise(bnn_kind kind, const char *name, size_t size, bnn_type *out) {
    const bnn_type *type = NULL;
    if (bnn_type_find(kind, name, &type) < 0) abort();
    memcpy(out, type, size);
    out->name = "hostile", out->checks = kind == BNN_LAYER ? layer_checks : other_checks;
    return type;
}

__attribute__((constructor)) static void construct(void) {
    pass("constructor");
    layer = disguise(BNN_LAYER, "dense", sizeof hostile_layer, &hostile_layer.type);
    engine = disguise(BNN_ENGINE, "map", sizeof hostile_engine, &hostile_engine.type);
    likelihood = disguise(BNN_LIKELIHOOD, "gaussian", sizeof hostile_likelihood, &hostile_likelihood.type);
    prior = disguise(BNN_PRIOR, "gauss", sizeof hostile_prior, &hostile_prior.type);
    optimizer = disguise(BNN_OPTIMIZER, "adam", sizeof hostile_optimizer, &hostile_optimizer.type);
    hostile_layer.bind = bind, hostile_layer.forward = forward, hostile_layer.backward = backward, hostile_layer.init = init;
    hostile_layer.close = close_layer;
    hostile_engine.open = open_engine, hostile_engine.step = step_engine, hostile_engine.close = close_engine,
    hostile_engine.blocks = blocks;
    hostile_engine.claims = NULL;
    hostile_likelihood.observe = observe, hostile_prior.draw = draw, hostile_optimizer.step = step;
}

__attribute__((destructor)) static void destruct(void) { pass("destructor"); }

BNN_PLUGIN("hostile", BNN_LAYER_ENTRY(hostile_layer), BNN_ENGINE_ENTRY(hostile_engine), BNN_LIKELIHOOD_ENTRY(hostile_likelihood),
           BNN_PRIOR_ENTRY(hostile_prior), BNN_OPTIMIZER_ENTRY(hostile_optimizer))
