/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Gal & Ghahramani 2016, Dropout as a Bayesian Approximation, section 5.4 and figure 6: an agent learns by deep Q-learning where to go
 * (world2d.h), and explores by a draw of its network (Thompson sampling, MC dropout with p = .1) or by chance (epsilon-greedy).
 *
 *   at every step: see the state s; take the action that is best under one pass of the network, or one by chance; see the reward r
 *       64 of the last 30,000 steps, drawn: y = r + .7 max_b Q(s', b) under one pass of the network as it stands; one step of SGD to these
 *
 * A batch is 200 steps, its reward the mean over the last 1000. The first 25 batches are by chance; epsilon then falls from 1 to .05 in
 * 195,000 steps. Two layers of 50 units, SGD 1e-3, as theirs; here the network reads state and action, theirs has an output for each
 * action.
 *
 *   batches, after those by chance, until the reward is above 1      Thompson sampling    epsilon-greedy    ratio
 *   published, figure 6, one run                                     25                   175               1/7
 *   ours, ten runs                                                   11.1 (2.1)           162 (15)          .069 (.015)
 *
 * 53 s of cpu. usage: gal2016_thompson [--smoke | RUNS [BATCHES]]      (10 runs; 600 batches, at most)
 */
#include "world2d.h"
#include <bnn/bnn.h>
#include <bnn/data.h>
#include <bnn/metrics.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
enum { INPUTS = STATE + ACTIONS, ROWS = 64, MEMORY = 30000, LEARNS = 1000, BATCH = 200, WINDOW = 1000, ANNEALED = 195000 };
enum { MOST_RUNS = 100, NUMBERS = 2 + WORLD_NUMBERS + ROWS, REWARD = 0, ACTION = 1 }; /* the last two: columns of y of the past */

typedef struct {
    bool thompson;
    bnn_table *past, *seen, *wanted; /* a row for each step; states with each action, to be valued; states and actions with their targets */
    bnn_run *run;
} agent;

typedef struct {
    int runs, chance, batches; /* batches by chance, and at most after them */
    /* Of runs of epsilon-greedy, then of Thompson sampling: batches, after those by chance, with a reward of at most 1; the last one. */
    double until[2 * MOST_RUNS], reward[2 * MOST_RUNS], gradients[2 * MOST_RUNS];
} experiment;

static void put(double x[INPUTS], const double state[STATE], int action) {
    for (int k = 0; k < INPUTS; k++) x[k] = k < STATE ? state[k] : k - STATE == action;
}

/* value[n, ACTIONS] of the states at steps[n] under one pass of the network. */
static bnn_status evaluate(agent *a, int n, const int *steps, uint64_t seed, double *value) {
    bnn_predict_options one_pass = {sizeof one_pass, .samples = 1, .seed = seed};
    bnn_data *rows;
    bnn_prediction *p;
    for (int i = 0; i < n * ACTIONS; i++) put(a->seen->x + i * INPUTS, a->past->x + (size_t)steps[i / ACTIONS] * STATE, i % ACTIONS);
    BNN_TRY(bnn_data_unscaled(a->seen, 0, n * ACTIONS, &rows));
    BNN_TRY(bnn_run_predict(a->run, rows, &one_pass, &p));
    memcpy(value, bnn_prediction_mean(p), (size_t)(n * ACTIONS) * sizeof *value);
    bnn_prediction_free(p), bnn_data_free(rows);
    return BNN_OK;
}

/* u[ROWS]: which of the steps before t are learned from. */
static bnn_status learn(agent *a, int t, const double u[ROWS], uint64_t seed) {
    double value[ROWS * ACTIONS], share;
    int next[ROWS];
    bnn_data *rows;
    for (int i = 0; i < ROWS; i++) next[i] = t - (int)(u[i] * (t < MEMORY ? t : MEMORY));
    BNN_TRY(evaluate(a, ROWS, next, seed, value));
    for (int i = 0; i < ROWS; i++) {
        const double *q = value + i * ACTIONS, *y = a->past->y + 2 * (next[i] - 1);
        put(a->wanted->x + i * INPUTS, a->past->x + (size_t)(next[i] - 1) * STATE, (int)y[ACTION]);
        a->wanted->y[i] = y[REWARD] + 0.7 * q[bnn_prediction_class(q, ACTIONS)];
    }
    BNN_TRY(bnn_data_unscaled(a->wanted, 0, ROWS, &rows));
    BNN_TRY(bnn_run_step(a->run, rows, &share));
    bnn_data_free(rows);
    return BNN_OK;
}

static bnn_status live(agent *a, const experiment *e, uint64_t stream, double *until, double *reward) {
    world w = {.x = 50, .y = 50};
    int chance = e->chance * BATCH;
    double u[NUMBERS], q[ACTIONS], place[ITEMS * 3], mean = 0;
    BNN_TRY(bnn_stream_uniform(bnn_stream_split(stream, 0), ITEMS, 3, place));
    for (int i = 0; i < ITEMS; i++) world_grow(&w, place + 3 * i);
    for (int t = 0; t < chance + e->batches * BATCH; t++) {
        double epsilon = t < chance ? 1 : a->thompson ? 0 : fmax(0.05, 1 - (double)(t - chance) / ANNEALED);
        uint64_t now = bnn_stream_split(stream, 1 + (uint64_t)t);
        BNN_TRY(bnn_stream_uniform(now, 1, NUMBERS, u));
        world_look(&w, a->past->x + (size_t)t * STATE);
        if (t > LEARNS) BNN_TRY(learn(a, t, u + 2 + WORLD_NUMBERS, bnn_stream_split(now, 0)));
        if (u[0] >= epsilon) BNN_TRY(evaluate(a, 1, &t, bnn_stream_split(now, 1), q));
        double *y = a->past->y + 2 * t;
        y[ACTION] = u[0] < epsilon ? (int)(u[1] * ACTIONS) : bnn_prediction_class(q, ACTIONS);
        y[REWARD] = world_act(&w, (int)y[ACTION], u + 2);
        mean += (y[REWARD] - (t < WINDOW ? 0 : y[REWARD - 2 * WINDOW])) / WINDOW;
        *reward = mean, *until = (t + 1 - chance) / BATCH;
        if ((t + 1) % BATCH == 0 && t > chance && mean > 1) break;
    }
    return BNN_OK;
}

static bnn_status run_one(void *context, int i) {
    experiment *e = context;
    int kind = i / e->runs, r = i % e->runs, steps = (e->chance + e->batches) * BATCH;
    const char *gated = "dropout:0; dense:50; relu; dropout:0.1; dense:50; relu; dropout:0.1; dense";
    char engine[128];
    agent a = {.thompson = kind == 1};
    bnn_data *rows;
    bnn_config config = {sizeof config, .engine = engine, .prior = "gauss:sd=31.6,bias_sd=inf", .seed = (uint64_t)r};
    config.likelihood = "gaussian:tau=1", config.net = a.thompson ? gated : "dense:50; relu; dense:50; relu; dense";
    snprintf(engine, sizeof engine, "%s:epochs=%d,batch=%d,lr=0.001,schedule=constant,optimizer=sgd{momentum=0}",
             a.thompson ? "mc_dropout" : "map", steps, ROWS);
    BNN_TRY(bnn_table_new(steps, bnn_shape_vector(STATE), 2, 0, &a.past));
    BNN_TRY(bnn_table_new(ROWS * ACTIONS, bnn_shape_vector(INPUTS), 1, 0, &a.seen));
    BNN_TRY(bnn_table_new(ROWS, bnn_shape_vector(INPUTS), 1, 0, &a.wanted));
    BNN_TRY(bnn_data_unscaled(a.wanted, 0, ROWS, &rows));
    BNN_TRY(bnn_run_new(&config, rows, &a.run));
    BNN_TRY(live(&a, e, bnn_stream_split(bnn_stream_seed(2016), (uint64_t)r), &e->until[i], &e->reward[i]));
    e->gradients[i] = bnn_run_cost(a.run, BNN_COST_GRADIENTS);
    bnn_run_free(a.run), bnn_data_free(rows), bnn_table_free(a.past), bnn_table_free(a.seen), bnn_table_free(a.wanted);
    return BNN_OK;
}

static double print_mean(const char *what, const char *who, int n, const double *v, double *se) {
    double mean = 0, squares = 0;
    for (int i = 0; i < n; i++) mean += v[i] / n;
    for (int i = 0; i < n; i++) squares += (v[i] - mean) * (v[i] - mean);
    *se = n > 1 ? sqrt(squares / (n - 1) / n) : 0;
    printf("%s_%s %.3f\n%s_%s_se %.3f\n", what, who, mean, what, who, *se);
    return mean;
}

int main(int argc, char **argv) {
    const char usage[] = "usage: gal2016_thompson [--smoke | RUNS [BATCHES]]";
    experiment e = {.runs = 10, .chance = 25, .batches = 600};
    double se[3], mean[2], gradients = 0;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) return puts(usage), 0;
    if (argc > 1) e.runs = atoi(argv[1]);
    if (argc > 2) e.batches = atoi(argv[2]);
    if (argc == 2 && strcmp(argv[1], "--smoke") == 0) e = (experiment){.runs = 1, .chance = 6, .batches = 4};
    if (argc > 3 || e.runs < 1 || e.runs > MOST_RUNS || e.batches < 1) return fprintf(stderr, "%s\n", usage), 2;
    if (bnn_jobs_run(2 * e.runs, run_one, &e) < 0) return fprintf(stderr, "%s\n", bnn_error()), 2;
    for (int r = 0; r < e.runs; r++) printf("# Thompson sampling %g, epsilon-greedy %g\n", e.until[e.runs + r], e.until[r]);
    for (int kind = 0; kind < 2; kind++) {
        mean[kind] = print_mean("batches", kind == 1 ? "thompson" : "epsilon", e.runs, e.until + kind * e.runs, &se[kind]);
        print_mean("reward", kind == 1 ? "thompson" : "epsilon", e.runs, e.reward + kind * e.runs, &se[2]);
    }
    for (int i = 0; i < 2 * e.runs; i++) gradients += e.gradients[i];
    printf("ratio %.4f\nratio_se %.4f\n", mean[1] / mean[0], hypot(se[1], mean[1] / mean[0] * se[0]) / mean[0]);
    printf("gradients %.0f\n", gradients);
    return 0;
}
