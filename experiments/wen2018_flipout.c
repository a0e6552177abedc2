/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Wen, Vicol, Ba, Tran & Grosse 2018, Flipout, figure 2: how the variance of a gradient falls with the rows of a minibatch. One w for all
 * rows leaves a floor; signs for each row make w as good as independent, for a pass that costs twice.
 *
 *   weight     one w for the minibatch           flipout    x mu + ((x s) sd e) r, signs s, r for each row, one e
 *   separate   one w for each row, the best there can be
 *
 * Gradients of mean -log p in the means of all weights, at random minibatches of made images with random classes, of a network of two dense
 * layers and of one with two convolutions and a dense layer, whose weights have sds nearly as large as their means. Published: against log
 * rows the log variance has slope -1 for flipout, as for separate w, within a few percent of it; for one w it is level from some size on.
 *
 *             slope: weight   flipout   separate   flipout over separate, 256 rows      (37 s of cpu)
 *   dense         -.91        -1.00      -1.00        1.00
 *   conv          -.71         -.99      -1.01        1.07   signs are those of channels, of which there are few
 *
 * usage: wen2018_flipout [--smoke]
 */
#include <bnn/bnn.h>
#include <bnn/fit.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHANNELS = 3, SIDE = 6, CLASSES = 3, ROWS = 4096, SIZES = 5, NETS = 2, WEIGHT = 0, FLIPOUT, SEPARATE, WAYS };
static const int sizes[SIZES] = {1, 4, 16, 64, 256};
static const char *const nets[NETS] = {"flatten; gaussian_dense:32,%s,sd0=1; relu; gaussian_dense:estimator=%s,sd0=1",
                                       "gaussian_conv2d:8,estimator=%s,sd0=1; relu; gaussian_conv2d:8,estimator=%s,sd0=1; relu; flatten; "
                                       "gaussian_dense:estimator=%s,sd0=1"};
static const char *const net_names[NETS] = {"dense", "conv"}, *const ways[WAYS] = {"weight", "flipout", "separate"};

/* Images of noise, whose classes are noise, too. */
static bnn_status make_table(bnn_table **out) {
    double at[ROWS];
    BNN_TRY(bnn_table_new(ROWS, bnn_shape_image(CHANNELS, SIDE, SIDE), 1, CLASSES, out));
    BNN_TRY(bnn_stream_normal(bnn_stream_seed(2018), ROWS, CHANNELS * SIDE * SIDE, (*out)->x));
    BNN_TRY(bnn_stream_uniform(bnn_stream_seed(2019), 1, ROWS, at));
    for (int r = 0; r < ROWS; r++) (*out)->y[r] = (int)(CLASSES * at[r]);
    return BNN_OK;
}

/* One gradient of a minibatch of n rows from row `from` on. */
static void gradient(const bnn_engine *e, bnn_workspace *ws, const bnn_data *data, const bnn_real *theta, int from, int n, bool separate,
                     bnn_rng noise, bnn_real *part, double *g) {
    int rows = separate ? 1 : n;
    bnn_objective u = {.n_total = rows, .scale = 1.0 / n, .mode = BNN_ROWS};
    memset(g, 0, (size_t)e->model->n_theta * sizeof *g);
    for (int r = from; r < from + n; r += rows) {
        bnn_model_u(e->model, ws, &u, bnn_rng_split(noise, (uint64_t)r), theta, rows, data->x + r * CHANNELS * SIDE * SIDE, data->y + r,
                    part);
        for (int i = 0; i < e->model->n_theta; i++) g[i] += (double)part[i];
    }
}

/* Sum over all means of the variance over minibatches and noise. */
static bnn_status measure(const bnn_engine *e, const bnn_data *data, const bnn_real *theta, int way, int rows, int draws, double *out) {
    size_t n = (size_t)e->model->n_theta;
    double *g = calloc(3 * n, sizeof *g), *mean = g + n, *var = g + 2 * n, *at = malloc((size_t)draws * sizeof *at);
    bnn_real *part = malloc(n * sizeof *part);
    bnn_workspace *ws;
    bnn_block_info b;
    if (!g || !at || !part) return bnn_fail(BNN_ERR_MEMORY, "out of memory");
    BNN_TRY(bnn_workspace_new(e->model->net, rows, BNN_TO_THETA, &ws));
    BNN_TRY(bnn_stream_uniform(bnn_stream_split(bnn_stream_seed(1), (uint64_t)rows), 1, draws, at));
    for (int d = 0; d < draws; d++) {
        bnn_rng noise = bnn_rng_split(bnn_rng_split(bnn_rng_seed(2 + (uint64_t)way), (uint64_t)rows), (uint64_t)d);
        gradient(e, ws, data, theta, (int)(at[d] * (ROWS - rows)), rows, way == SEPARATE, noise, part, g);
        for (size_t i = 0; i < n; i++) {
            double from_old = g[i] - mean[i];
            mean[i] += from_old / (d + 1), var[i] += from_old * (g[i] - mean[i]) / (draws - 1);
        }
    }
    *out = 0;
    for (int k = 0; bnn_model_block(e->model, k, &b); k++)
        for (size_t i = b.offset; strcmp(b.name, "kernel_mu") == 0 && i < b.offset + b.length; i++) *out += var[i];
    bnn_workspace_free(ws);
    free(part), free(at), free(g);
    return BNN_OK;
}

/* Of the line of least squares through log variance against log rows. */
static double slope(const double var[SIZES]) {
    double x = 0, y = 0, xx = 0, xy = 0;
    for (int i = 0; i < SIZES; i++) x += log(sizes[i]) / SIZES, y += log(var[i]) / SIZES;
    for (int i = 0; i < SIZES; i++) xx += pow(log(sizes[i]) - x, 2), xy += (log(sizes[i]) - x) * (log(var[i]) - y);
    return xy / xx;
}

static bnn_status compare(const bnn_data *data, int net, int draws) {
    double var[WAYS][SIZES];
    for (int way = 0; way < WAYS; way++) {
        char text[256];
        const char *estimator = way == FLIPOUT ? "flipout" : "weight";
        bnn_run *run;
        snprintf(text, sizeof text, nets[net], estimator, estimator, estimator);
        BNN_TRY(bnn_run_new(&(bnn_config){sizeof(bnn_config), .net = text, .engine = "bayes_by_backprop", .seed = 1}, data, &run));
        bnn_real *theta = malloc((size_t)run->engine->model->n_theta * sizeof *theta);
        if (!theta) return bnn_fail(BNN_ERR_MEMORY, "out of memory");
        BNN_TRY(bnn_engine_draw(run->engine, 0, bnn_rng_seed(0), theta));
        for (int i = 0; i < SIZES; i++) {
            BNN_TRY(measure(run->engine, data, theta, way, sizes[i], draws, &var[way][i]));
            printf("%s_%s_%d %.4g\n", net_names[net], ways[way], sizes[i], var[way][i]);
        }
        printf("%s_%s_slope %.3f\n", net_names[net], ways[way], slope(var[way]));
        free(theta);
        bnn_run_free(run);
    }
    printf("%s_flipout_over_separate %.3f\n", net_names[net], var[FLIPOUT][SIZES - 1] / var[SEPARATE][SIZES - 1]);
    return BNN_OK;
}

int main(int argc, char **argv) {
    const char usage[] = "usage: wen2018_flipout [--smoke]";
    bool smoke = argc == 2 && strcmp(argv[1], "--smoke") == 0;
    bnn_table *table;
    bnn_data *data;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) return puts(usage), 0;
    if (argc != 1 + smoke) return fprintf(stderr, "%s\n", usage), 2;
    bnn_status s = make_table(&table);
    if (s == BNN_OK) s = bnn_data_split(table, -1, BNN_TRAIN, NULL, &data);
    for (int net = 0; s == BNN_OK && net < NETS; net++) s = compare(data, net, smoke ? 40 : 2000);
    if (s < 0) return fprintf(stderr, "%s\n", bnn_error()), 2;
    bnn_data_free(data), bnn_table_free(table);
    return 0;
}
