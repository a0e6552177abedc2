/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool by_processor;

void bench_by_processor(void) { by_processor = true; }

static double spent_of(const bnn_cost *c) { return by_processor ? c->seconds_cpu : c->seconds_wall; }

double bench_since(bnn_stopwatch started) {
    bnn_cost spent = {0};
    bnn_stopwatch_stop(started, &spent);
    return spent_of(&spent);
}

/* Normal x; y = sin(x_0) + 0.1 e, or, with classes, c = row mod classes. */
static bnn_status make_vectors(const bench_job *j, int n, bnn_table **out) {
    BNN_TRY(bnn_table_new(n, bnn_shape_vector(j->d), 1, j->classes, out));
    bnn_real *x = malloc((size_t)n * (size_t)j->d * sizeof *x), *e = malloc((size_t)n * sizeof *e);
    bnn_status s = x && e ? BNN_OK : bnn_fail(BNN_ERR_MEMORY, "out of memory");
    if (s == BNN_OK) {
        bnn_rng_normal(bnn_rng_seed(1), 0, n, j->d, x);
        bnn_rng_normal(bnn_rng_seed(2), 0, 1, n, e);
        for (size_t i = 0; i < (size_t)n * (size_t)j->d; i++) (*out)->x[i] = (double)x[i];
        for (int i = 0; i < n; i++) (*out)->y[i] = j->classes ? i % j->classes : sin((double)x[i * j->d]) + 0.1 * (double)e[i];
    }
    free(x), free(e);
    return s;
}

/* Random bytes; the classes of pixels take turns. */
static bnn_status make_images(const bench_job *j, int n, bnn_table **out) {
    const bnn_shape x = {3, {j->d, j->height, j->width}}, y = {2, {j->height, j->width}};
    const size_t pixels = (size_t)n * (size_t)bnn_shape_size(y), bytes = pixels * (size_t)j->d;
    BNN_TRY(bnn_table_new_images(n, x, y, j->classes, out));
    bnn_rng_words(bnn_rng_seed(1), 0, 1, (int)(bytes / sizeof(uint32_t)), (uint32_t *)(void *)(*out)->pixels);
    for (size_t i = 0; i < pixels; i++) (*out)->y[i] = (double)(i % (size_t)j->classes);
    return BNN_OK;
}

static bnn_status make_rows(bench_case *c) {
    const bench_job *j = c->job;
    int n = j->n + j->n_new, *rows = malloc((size_t)n * sizeof *rows);
    if (!rows) return bnn_fail(BNN_ERR_MEMORY, "out of memory");
    for (int i = 0; i < n; i++) rows[i] = i;
    bnn_status s = bnn_data_new(c->table, j->n, rows, NULL, &c->train);
    c->table->y_dim = 0; /* the rows to predict have no targets: nothing but the predictive moments is computed */
    if (s == BNN_OK && j->n_new) s = bnn_data_new(c->table, j->n_new, rows + j->n, &c->train->scaling, &c->new_rows);
    c->table->y_dim = 1;
    free(rows);
    return s;
}

static bnn_status make_run(bench_case *c) {
    bnn_config config = {.net = c->job->net, .engine = c->job->engine, .likelihood = c->job->likelihood, .seed = 1};
    double share;
    bnn_run_free(c->run);
    c->run = NULL;
    BNN_TRY(bnn_run_new(&config, c->train, &c->run));
    return bnn_run_step(c->run, c->train, &share);
}

bnn_status bench_open(const bench_job *job, bench_case *out) {
    *out = (bench_case){.job = job};
    bnn_status s = (job->height > 0 ? make_images : make_vectors)(job, job->n + job->n_new, &out->table);
    if (s == BNN_OK) s = make_rows(out);
    if (s == BNN_OK) s = make_run(out);
    if (s < 0) bench_close(out);
    return s;
}

void bench_close(bench_case *c) {
    bnn_run_free(c->run);
    bnn_data_free(c->new_rows);
    bnn_data_free(c->train);
    bnn_table_free(c->table);
}

/* Operations of an evaluation that have to be made, all gates fixed: none of what comes before the first draw, and of an affine map those
 * with the units that the gates before and behind it keep. */
static double needed_flops(const bnn_net *net) {
    double flops = 0, behind = 1;
    for (int i = net->n_nodes - 1; i >= net->first_stochastic; i--) {
        const bnn_node *node = &net->node[i];
        if (!(node->layer.object.type->caps & BNN_AFFINE)) continue;
        const bnn_layer *gate = node->gate >= 0 ? &net->node[node->gate].layer : NULL;
        double keep = gate ? bnn_layer_vtable(gate)->keep(gate, NULL, NULL) : 1;
        flops += node->layer.plan.flops_row * keep * behind;
        behind = keep;
    }
    return flops;
}

static bnn_status predict_round(bench_case *c, double seconds, bench_rate *out) {
    bnn_predict_options how = {.samples = c->job->samples, .seed = 1};
    bnn_cost spent = {0};
    while (spent_of(&spent) < seconds) {
        bnn_prediction *p;
        BNN_TRY(bnn_predict(c->run->engine, c->new_rows, &how, &p));
        bnn_cost_add(&spent, &p->cost);
        bnn_prediction_free(p);
    }
    double n = (double)spent.forwards * c->job->n_new;
    *out = (bench_rate){.rate = n / spent_of(&spent), .flops = n * needed_flops(c->run->engine->model->net) / spent_of(&spent)};
    return BNN_OK;
}

static bnn_status fit_round(bench_case *c, double seconds, bench_rate *out) {
    BNN_TRY(make_run(c));
    bnn_cost before = c->run->cost, now = before;
    for (double share; spent_of(&now) - spent_of(&before) < seconds && !c->run->complete; now = c->run->cost)
        BNN_TRY(bnn_run_step(c->run, c->train, &share));
    double spent = spent_of(&now) - spent_of(&before);
    *out = (bench_rate){.rate = (double)(now.gradients - before.gradients) / spent, .flops = (now.flops - before.flops) / spent};
    return BNN_OK;
}

bnn_status bench_measure(bench_case *c, double seconds, bench_rate *out) {
    *out = (bench_rate){0};
    for (int round = 0; round < 3; round++) {
        bench_rate rate;
        BNN_TRY(c->job->n_new ? predict_round(c, seconds, &rate) : fit_round(c, seconds, &rate));
        if (rate.rate > out->rate) *out = rate;
    }
    return BNN_OK;
}

bnn_status bench_whole_fit(bench_case *c, double *seconds) {
    bnn_stopwatch started = bnn_stopwatch_start();
    BNN_TRY(make_run(c));
    for (double share; !c->run->complete;) BNN_TRY(bnn_run_step(c->run, c->train, &share));
    *seconds = bench_since(started);
    return BNN_OK;
}

double bench_peak(bool loading) {
    double best = 0;
    for (int round = 0; round < 5; round++) {
        bnn_stopwatch started = bnn_stopwatch_start();
        double flops = bnn_fma_flops(1 << 21, loading);
        best = fmax(best, flops / bench_since(started));
    }
    return best;
}

double bench_bandwidth(void) {
    const size_t bytes = (size_t)1 << 27; /* more than caches hold */
    char *block = malloc(2 * bytes);
    double best = 0;
    if (!block) return 0;
    memset(block, 1, 2 * bytes);
    for (int round = 0; round < 5; round++) {
        bnn_stopwatch started = bnn_stopwatch_start();
        memcpy(block + round % 2 * bytes, block + (1 - round % 2) * bytes, bytes);
        best = fmax(best, 2.0 * (double)bytes / bench_since(started));
    }
    free(block);
    return best;
}
