/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Kingma, Salimans & Welling 2015, Variational Dropout and the Local Reparameterization Trick, table 1: the variance of the gradient of a
 * minibatch of 1000 digits, in a network with variational dropout, w = W (1 + sqrt(alpha) e), by how the noise is drawn.
 *
 *   single     one w for the minibatch          separate   one w for each row
 *   local      e for each row and unit          none       no noise: what minibatches add
 *
 * Three layers of relu; alpha = .25 before the first, 1 before the others (p = .2 and .5). Trained with that noise by Adam; then gradients
 * of mean -log p in W at random minibatches. Variance: mean over the weights of the first layer (bottom), of the last (top). Published:
 *                 top, 10 epochs   top, 100   bottom, 10   bottom, 100
 *   single/local     6.3             3.6         4.5           3.0
 *   separate/local   1.8             2.2         2.3           2.3
 *   ours             75, 1.9                     5.3, 1.7                    of 128 units, 53 s of cpu
 *
 * usage: kingma2015_variance --smoke BOSTON.csv | MNIST.h5 [UNITS [EPOCHS]]      measures after 10 epochs and after EPOCHS (100)
 */
#include <bnn/bnn.h>
#include <bnn/fit.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOCAL, SINGLE, NONE, SEPARATE, WAYS, LAYERS = 4, MIDDLE = 10, MOST_DRAWS = 100 };
static const char *const ways[WAYS] = {"local", "single", "none", "separate"};

typedef struct {
    bnn_data *train;
    bnn_run *run; /* the network that is trained with dropout */
    int units, epochs, batch, draws;
} study;

/* The means of the weights of layer k; behind them stand those of its biases, then the spreads of both. */
static bnn_block_info kernel(const bnn_model *q, int k) {
    bnn_block_info b = {0};
    for (int i = 0; bnn_model_block(q, i, &b) && (strcmp(b.name, "kernel_mu") != 0 || k-- > 0); i++) continue;
    return b;
}

/* q(w) = N(W, alpha W^2) from W = [kernel | bias] layer after layer: each becomes [mu | rho]. */
static void spread(const bnn_model *q, const double *trained, bnn_real *theta, double *tie) {
    for (int k = 0; k < LAYERS; k++) {
        bnn_block_info b = kernel(q, k);
        size_t n = b.length + (size_t)b.cols;
        for (size_t i = 0; i < n; i++) {
            double w = trained[b.offset / 2 + i], root = k == 0 ? 0.5 : 1, sd = fmax(root * fabs(w), 1e-8);
            theta[b.offset + i] = (bnn_real)w, theta[b.offset + n + i] = (bnn_real)log(expm1(sd));
            tie[b.offset + i] = copysign(root, w) / -expm1(-sd); /* sigmoid(rho) is 1 - exp(-sd) */
        }
    }
}

/* Adds the gradient in W, of the mean itself and of the spread by tie = d rho / d W. */
static void add_tied(bnn_block_info b, const double *tie, const bnn_real *part, double *g) {
    const bnn_real *spreads = part + b.length + b.cols;
    for (size_t i = b.offset; i < b.offset + b.length; i++) g[i] += (double)part[i] + tie[i] * (double)spreads[i];
}

/* Variance of the gradient of mean -log p over minibatches and noise, mean over the weights of the first and of the last layer. */
static bnn_status measure(const study *s, const bnn_model *q, int way, const bnn_real *theta, const double *tie, double out[2]) {
    int draws = way == SEPARATE ? s->draws / 5 : s->draws, rows = way == SEPARATE ? 1 : s->batch;
    size_t n = (size_t)q->n_theta, width = (size_t)bnn_shape_size(s->train->x_shape);
    bnn_objective u = {.n_total = rows, .scale = 1.0 / s->batch, .mode = way == NONE ? BNN_MEAN : BNN_ROWS};
    double *g = calloc(3 * n, sizeof *g), *mean = g + n, *var = g + 2 * n, at[MOST_DRAWS];
    bnn_real *part = malloc(n * sizeof *part), *room = malloc((1 + bnn_data_room(s->train, s->batch)) * sizeof *room);
    bnn_block_info weights[2] = {kernel(q, 0), kernel(q, LAYERS - 1)};
    bnn_workspace *ws;
    if (!g || !part || !room) return bnn_fail(BNN_ERR_MEMORY, "out of memory");
    BNN_TRY(bnn_workspace_new(q->net, rows, BNN_TO_THETA, &ws));
    BNN_TRY(bnn_stream_uniform(bnn_stream_seed(1), 1, draws, at));
    for (int d = 0; d < draws; d++) {
        int from = (int)(at[d] * (s->train->n - s->batch));
        const bnn_real *x = bnn_data_take(s->train, from, s->batch, room), *y = s->train->y + from;
        memset(g, 0, n * sizeof *g);
        for (int r = 0; r < s->batch; r += rows) {
            bnn_rng noise = bnn_rng_split(bnn_rng_split(bnn_rng_seed(2 + (uint64_t)way), (uint64_t)d), (uint64_t)r);
            bnn_model_u(q, ws, &u, noise, theta, rows, x + (size_t)r * width, y + r, part);
            for (int end = 0; end < 2; end++) add_tied(weights[end], tie, part, g);
        }
        for (size_t i = 0; i < n; i++) {
            double from_old = g[i] - mean[i];
            mean[i] += from_old / (d + 1), var[i] += from_old * (g[i] - mean[i]) / (draws - 1);
        }
    }
    for (int end = 0; end < 2; end++) {
        size_t first = weights[end].offset, length = weights[end].length;
        for (size_t i = first; i < first + length; i++) out[end] += var[i] / (double)length;
    }
    bnn_workspace_free(ws);
    free(room), free(part), free(g);
    return BNN_OK;
}

/* All ways at the weights of now. */
static bnn_status compare(const study *s, const char *when) {
    size_t n = (size_t)bnn_run_n_theta(s->run); /* the random network has two numbers for each of them */
    double *trained = calloc(3 * n, sizeof *trained), *tie = trained + n, var[WAYS][2] = {{0}};
    bnn_real *theta = calloc(2 * n, sizeof *theta);
    if (!trained || !theta) return bnn_fail(BNN_ERR_MEMORY, "out of memory");
    BNN_TRY(bnn_run_draw(s->run, 0, 0, trained));
    for (int way = 0; way < WAYS; way++) {
        char net[128], engine[64];
        bnn_run *run;
        snprintf(net, sizeof net, "flatten; dense:%d; relu; dense:%d; relu; dense:%d; relu; dense", s->units, s->units, s->units);
        snprintf(engine, sizeof engine, "bayes_by_backprop:%s", way == LOCAL ? "local" : "weight");
        BNN_TRY(bnn_run_new(&(bnn_config){sizeof(bnn_config), .net = net, .engine = engine}, s->train, &run));
        spread(run->engine->model, trained, theta, tie);
        BNN_TRY(measure(s, run->engine->model, way, theta, tie, var[way]));
        printf("%s_bottom_%s %.4g\n%s_top_%s %.4g\n", when, ways[way], var[way][0], when, ways[way], var[way][1]);
        bnn_run_free(run);
    }
    for (int end = 0; end < 2; end++)
        printf("%s_%s_single_over_local %.3f\n%s_%s_separate_over_local %.3f\n", when, end ? "top" : "bottom",
               var[SINGLE][end] / var[LOCAL][end], when, end ? "top" : "bottom", var[SEPARATE][end] / var[LOCAL][end]);
    free(theta), free(trained);
    return BNN_OK;
}

static bnn_status experiment(const char *path, bool smoke, study s) {
    char net[256], engine[96];
    bnn_table *table;
    BNN_TRY(smoke ? bnn_import_csv(path, &(bnn_csv_options){.targets = "medv"}, NULL, &table) : bnn_table_load(path, &table));
    BNN_TRY(bnn_data_split(table, smoke ? -1 : 0, BNN_TRAIN, NULL, &s.train));
    snprintf(net, sizeof net,
             "flatten; gaussian_dropout:0.25; dense:%d; relu; gaussian_dropout:1; dense:%d; relu; gaussian_dropout:1; dense:%d; relu; "
             "gaussian_dropout:1; dense",
             s.units, s.units, s.units);
    snprintf(engine, sizeof engine, "mc_dropout:epochs=%d,batch=100,lr=0.001,schedule=constant", s.epochs);
    BNN_TRY(bnn_run_new(&(bnn_config){sizeof(bnn_config), .net = net, .engine = engine, .seed = 1}, s.train, &s.run));
    for (double share; !bnn_run_complete(s.run);) {
        BNN_TRY(bnn_run_step(s.run, s.train, &share));
        if (bnn_run_steps(s.run) == MIDDLE) BNN_TRY(compare(&s, "early"));
    }
    BNN_TRY(compare(&s, "late"));
    return bnn_run_free(s.run), bnn_data_free(s.train), bnn_table_free(table), BNN_OK;
}

int main(int argc, char **argv) {
    const char usage[] = "usage: kingma2015_variance --smoke BOSTON.csv | MNIST.h5 [UNITS [EPOCHS]]";
    bool smoke = argc == 3 && strcmp(argv[1], "--smoke") == 0;
    study s = {.units = 256, .epochs = 100, .batch = 1000, .draws = MOST_DRAWS};
    if (smoke) s = (study){.units = 16, .epochs = 20, .batch = 100, .draws = 50};
    if (argc > 2 && !smoke) s.units = atoi(argv[2]);
    if (argc > 3) s.epochs = atoi(argv[3]);
    if (argc == 2 && strcmp(argv[1], "--help") == 0) return puts(usage), 0;
    if (argc < 2 || argc > 4 || s.units < 1 || s.epochs < MIDDLE) return fprintf(stderr, "%s\n", usage), 2;
    return experiment(argv[1 + smoke], smoke, s) < 0 ? fprintf(stderr, "%s\n", bnn_error()), 2 : 0;
}
