/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Mohamed, Rosca, Figurnov & Mnih 2020, Monte Carlo Gradient Estimation in Machine Learning: which estimator of the gradient of E_q[nll]
 * has which variance on a real Bayesian network, and at what cost?
 *
 *   score            nll d log q(w)                     one w a pass (Williams 1992)
 *   score_baseline   (nll - mean nll) d log q(w)
 *   weight           along the path w = mu + sd e       one w a pass (Blundell et al. 2015)
 *   flipout          the same, signs for each row       (Wen et al. 2018)
 *   local            along the path of x w              for each row and unit (Kingma, Salimans & Welling 2015)
 *
 * For each: sum over the means of a layer's weights of Var[gradient] (of U/N), all at the same q, once where a fit begins and once where it
 * ends. All five estimate the same gradient: the program holds their means against that of `local`, in standard errors.
 *
 * U and its gradient are the inside of a run: fit.h opens it.
 *
 * usage: mohamed2020_gradients [--smoke] TABLE.csv
 */
#include <bnn/bnn.h>
#include <bnn/fit.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NET "dense:50; relu; dense"
enum { BATCH = 128 };

static const struct {
    const char *name, *layers;
    bnn_estimator estimator;
    bool baseline;
    bnn_mode mode;
} estimators[] = {{"score", "weight", BNN_SCORE_FUNCTION, false, BNN_DRAW},
                  {"score_baseline", "weight", BNN_SCORE_FUNCTION, true, BNN_DRAW},
                  {"weight", "weight", BNN_PATHWISE, false, BNN_ROWS},
                  {"flipout", "flipout", BNN_PATHWISE, false, BNN_ROWS},
                  {"local", "local", BNN_PATHWISE, false, BNN_ROWS}};
enum { ESTIMATORS = sizeof estimators / sizeof *estimators, LOCAL = ESTIMATORS - 1 };

/* Mean and variance of every entry of the gradient over `draws` passes. */
typedef struct {
    double *mean, *var; /* [n] */
    double seconds;     /* of cpu, for each gradient */
} spread;

static bnn_status measure(const bnn_engine *e, int k, const bnn_data *data, const bnn_real *theta, int draws, spread *out) {
    bnn_objective u = {.n_total = data->n, .scale = 1.0 / data->n, .mode = estimators[k].mode, .estimator = estimators[k].estimator};
    size_t n = (size_t)e->model->n_theta;
    bnn_real *g = malloc(n * sizeof *g);
    bnn_workspace *ws;
    double nll = 0;
    *out = (spread){calloc(n, sizeof(double)), calloc(n, sizeof(double)), 0};
    if (!g || !out->mean || !out->var) return bnn_fail(BNN_ERR_MEMORY, "out of memory");
    BNN_TRY(bnn_workspace_new(e->model->net, BATCH, BNN_TO_THETA, &ws));
    bnn_cost cost = {0};
    bnn_stopwatch since = bnn_stopwatch_start();
    for (int s = 0; s <= draws; s++) { /* the first one is for the baseline of the second only */
        if (estimators[k].baseline && s > 0) u.baseline = nll / s;
        nll +=
            bnn_model_u(e->model, ws, &u, bnn_rng_split(bnn_rng_seed(2020 + (uint64_t)k), (uint64_t)s), theta, BATCH, data->x, data->y, g)
                .nll;
        for (size_t i = 0; s > 0 && i < n; i++) {
            double from_old = (double)g[i] - out->mean[i];
            out->mean[i] += from_old / s;
            out->var[i] += from_old * ((double)g[i] - out->mean[i]) / (draws - 1);
        }
    }
    bnn_stopwatch_stop(since, &cost);
    out->seconds = cost.seconds_cpu / draws;
    bnn_workspace_free(ws);
    free(g);
    return BNN_OK;
}

/* Sum of the variances of the means of a layer's kernel. */
static double total(const bnn_model *m, const char *node, const double *var) {
    bnn_block_info b;
    double sum = 0;
    for (int k = 0; bnn_model_block(m, k, &b); k++)
        for (size_t i = b.offset; strcmp(b.node, node) == 0 && strcmp(b.name, "kernel_mu") == 0 && i < b.offset + b.length; i++)
            sum += var[i];
    return sum;
}

/* Root mean square of the differences of the means, in standard errors: 1 where both estimate the same. */
static double distance(size_t n, const spread *a, const spread *b, int draws) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        double var = (a->var[i] + b->var[i]) / draws, d = a->mean[i] - b->mean[i];
        sum += var > 0 ? d * d / var / (double)n : 0;
    }
    return sqrt(sum);
}

/* All estimators at the q of one run; estimators of layers do not change what theta means. */
static bnn_status compare(const char *when, const bnn_data *data, const bnn_real *theta, int draws) {
    spread s[ESTIMATORS];
    for (int k = LOCAL; k >= 0; k--) {
        char engine[64];
        bnn_run *run;
        snprintf(engine, sizeof engine, "bayes_by_backprop:%s", estimators[k].layers);
        BNN_TRY(bnn_run_new(&(bnn_config){.net = NET, .engine = engine, .likelihood = "gaussian:shape=0", .seed = 1}, data, &run));
        const bnn_model *m = run->engine->model;
        BNN_TRY(measure(run->engine, k, data, theta, draws, &s[k]));
        printf("%s_%s_first %.4g\n%s_%s_last %.4g\n", when, estimators[k].name, total(m, "gaussian_dense_1", s[k].var), when,
               estimators[k].name, total(m, "gaussian_dense_2", s[k].var));
        if (k < LOCAL) printf("%s_%s_distance %.3f\n", when, estimators[k].name, distance((size_t)m->n_theta, &s[k], &s[LOCAL], draws));
        printf("%s_%s_microseconds %.1f\n", when, estimators[k].name, 1e6 * s[k].seconds);
        bnn_run_free(run);
    }
    for (int k = 0; k < ESTIMATORS; k++) free(s[k].mean), free(s[k].var);
    return BNN_OK;
}

static bnn_status experiment(const char *path, bool smoke) {
    bnn_table *table;
    bnn_data *data;
    bnn_run *run;
    int draws = smoke ? 2000 : 100000;
    BNN_TRY(bnn_import_csv(path, &(bnn_csv_options){.targets = "medv"}, NULL, &table));
    BNN_TRY(bnn_data_split(table, -1, BNN_TRAIN, NULL, &data));
    bnn_real *theta;
    BNN_TRY(bnn_run_new(&(bnn_config){.net = NET, .engine = "bayes_by_backprop", .likelihood = "gaussian:shape=0", .seed = 1}, data, &run));
    theta = malloc((size_t)run->engine->model->n_theta * sizeof *theta);
    if (!theta) return bnn_fail(BNN_ERR_MEMORY, "out of memory");
    BNN_TRY(bnn_engine_draw(run->engine, 0, bnn_rng_seed(0), theta));
    BNN_TRY(compare("begin", data, theta, draws));
    bnn_run_free(run);
    BNN_TRY(bnn_fit(
        &(bnn_config){
            .net = NET, .engine = "bayes_by_backprop:epochs=1000,lr=0.001,schedule=constant", .likelihood = "gaussian:shape=0", .seed = 1},
        data, &run));
    BNN_TRY(bnn_engine_draw(run->engine, 0, bnn_rng_seed(0), theta));
    BNN_TRY(compare("end", data, theta, draws));
    free(theta);
    bnn_run_free(run), bnn_data_free(data), bnn_table_free(table);
    return BNN_OK;
}

int main(int argc, char **argv) {
    const char usage[] = "usage: mohamed2020_gradients [--smoke] TABLE.csv";
    bool smoke = argc > 1 && strcmp(argv[1], "--smoke") == 0;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) return puts(usage), 0;
    if (argc == 2 + smoke && experiment(argv[argc - 1], smoke) == BNN_OK) return 0;
    fprintf(stderr, "%s\n", argc == 2 + smoke ? bnn_error() : usage);
    return 2;
}
