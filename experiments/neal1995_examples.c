/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Neal 1995, Bayesian Learning for Neural Networks: three examples of his software (Flexible Bayesian Modeling), on rows drawn anew.
 *   regression       y = 0.3 + 0.4 x + 0.5 sin(2.7 x) + 1.1 / (1 + x^2) + 0.1 e,  x, e ~ N(0, 1);          100 rows, 8 hidden units
 *   binary response  P(1) = exp(-((x_1 - 0.4)^2 + (x_2 + 0.3)^2)^2),  x ~ N(0, I);                         300 rows, 15
 *   three classes    u ~ U(0, 1)^4: 0 if |(u_1, u_2) - (0.4, 0.5)| < 0.35, else 1 if 0.8 u_1 + 1.8 u_2 < 0.6, else 2; x = u + 0.1 e; 400, 8
 *
 * The model is his: tanh units, a scale for each group of weights with precision Gamma(shape 1/4, mean 1/0.05^2), for each input in the
 * third example, where two do not matter; noise likewise. But inputs are standardised, and output biases have a scale.
 *
 *                        published   mean (sd)        25 % to 75 %        sets at or below the published figure
 *   regression        ll   0.830      0.755 (0.106)    0.762 to 0.816      34 of 40
 *                     mse  0.0187     0.0189 (0.0104)  0.0121 to 0.0208    28
 *   binary            ll  -0.237     -0.259 (0.018)   -0.271 to -0.247     34
 *                  error   0.104      0.115 (0.011)    0.107 to 0.124       8
 *   three classes  error   0.198      0.191 (0.011)    0.184 to 0.200      29
 *          squared error   0.274      0.270 (0.013)    0.260 to 0.280      25
 * Published is one set of rows; here are forty (SEED 1 to 40, 4 s each), whose sd is the error of one. docs/engines.md says more.
 * usage: neal1995_examples [--smoke | ENGINE [SEED]]
 */
#include <bnn/bnn.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 1400, N_TEST = 1000, MOST_IN = 4 };
static const bnn_predict_options most = {sizeof most, .samples = 1000000, .seed = 1};
static double square(double x) { return x * x; }

/* e: normal numbers, u: uniform ones, [MOST_IN + 1] each of this row. Returns log p(y | x), or 0 where that is an integral. */
static double regression(const double *e, const double *u, double *x, double *y) {
    (void)u, x[0] = e[0];
    *y = 0.3 + 0.4 * x[0] + 0.5 * sin(2.7 * x[0]) + 1.1 / (1 + x[0] * x[0]) + 0.1 * e[1];
    return -0.5 * square(e[1]) - log(0.1) - 0.5 * log(2 * M_PI);
}

static double binary(const double *e, const double *u, double *x, double *y) {
    x[0] = e[0], x[1] = e[1];
    double p = exp(-square(square(x[0] - 0.4) + square(x[1] + 0.3)));
    *y = u[0] < p;
    return log(*y > 0 ? p : 1 - p);
}

static double three_way(const double *e, const double *u, double *x, double *y) {
    double a = u[0], b = u[1];
    for (int k = 0; k < 4; k++) x[k] = u[k] + 0.1 * e[k];
    *y = square(a - 0.4) + square(b - 0.5) < square(0.35) ? 0 : 0.8 * a + 1.8 * b < 0.6 ? 1 : 2;
    return 0;
}

static const struct example {
    const char *name, *net, *likelihood, *prior;
    int n_train, d, n_classes;
    double (*row)(const double *e, const double *u, double *x, double *y);
} examples[] = {
    {"regression", "dense:8; tanh; dense", "gaussian:sd=0.05,shape=0.25", "hierarchical", 100, 1, 0, regression},
    {"binary", "dense:15; tanh; dense", "bernoulli", "hierarchical", 300, 2, 2, binary},
    {"three_way", "dense:8; tanh; dense", "categorical", "hierarchical:groups=inputs", 400, 4, 3, three_way},
};

static bnn_status make_data(int k, uint64_t seed, double *truth, bnn_table **table, bnn_data **train, bnn_data **test) {
    static double e[MOST * (MOST_IN + 1)], u[MOST * (MOST_IN + 1)], x[MOST * MOST_IN], y[MOST];
    const struct example *ex = &examples[k];
    uint64_t stream = bnn_stream_split(bnn_stream_seed(seed), (uint64_t)k);
    int n = ex->n_train + N_TEST;
    BNN_TRY(bnn_stream_normal(bnn_stream_split(stream, 0), n, MOST_IN + 1, e));
    BNN_TRY(bnn_stream_uniform(bnn_stream_split(stream, 1), n, MOST_IN + 1, u));
    for (int i = 0; i < n; i++) {
        double logp = ex->row(e + i * (MOST_IN + 1), u + i * (MOST_IN + 1), x + i * ex->d, y + i);
        if (i >= ex->n_train) *truth += logp / N_TEST;
    }
    BNN_TRY(bnn_table_from(&(bnn_arrays){sizeof(bnn_arrays), n, ex->d, 1, ex->n_classes, .x = x, .y = y}, table));
    BNN_TRY(bnn_data_range(*table, 0, ex->n_train, NULL, train));
    return bnn_data_range(*table, ex->n_train, n, bnn_data_scaling(*train), test);
}

/* Mean log variance of the weights of the two inputs that matter and of the others. */
static bnn_status print_scales(const bnn_run *run, int draws) {
    static double theta[4096];
    const char *node, *name;
    size_t offset = 0, length;
    double mean[2] = {0};
    for (int b = 0; bnn_run_block(run, b, &node, &name, &offset, &length) && strcmp(node, "prior") != 0; b++) continue;
    for (int s = 0; s < draws; s++) {
        BNN_TRY(bnn_run_draw(run, s, 0, theta));
        for (size_t i = 0; i < 4; i++) mean[i / 2] += theta[offset + i] / 2 / draws;
    }
    printf("log_var_relevant_inputs %.2f\nlog_var_irrelevant_inputs %.2f\n", mean[0], mean[1]);
    return BNN_OK;
}

/* Predictive mean, 1 % and 99 % at x = -3, 0 and 3: the places on a grid of y where its probability crosses them. */
static bnn_status print_quantiles(const bnn_run *run, const bnn_scaling *scaling) {
    enum { GRID = 1024, N = 3 * GRID };
    static double x[N], y[N];
    bnn_table *table;
    bnn_data *data;
    bnn_prediction *p;
    for (int i = 0; i < N; i++) x[i] = 3 * (i / GRID - 1), y[i] = 16.0 * (i % GRID) / GRID - 8;
    BNN_TRY(bnn_table_from(&(bnn_arrays){sizeof(bnn_arrays), .n = N, .x_size = 1, .y_dim = 1, .x = x, .y = y}, &table));
    BNN_TRY(bnn_data_range(table, 0, N, scaling, &data));
    BNN_TRY(bnn_run_predict(run, data, &most, &p));
    for (int k = 0, low, high; k < 3; k++) {
        for (low = k * GRID; bnn_prediction_pit(p)[low] < 0.01; low++) continue;
        for (high = low; bnn_prediction_pit(p)[high] < 0.99; high++) continue;
        printf("# at %.0f: mean %.2f, 1 %% to 99 %% %.2f to %.2f\n", x[low], bnn_prediction_mean(p)[low], y[low], y[high]);
    }
    bnn_prediction_free(p), bnn_data_free(data), bnn_table_free(table);
    return BNN_OK;
}

static double score(const bnn_prediction *p, const bnn_data *test, int k, const char *name) { /* of target k; below 0: of all together */
    double v;
    return (k < 0 ? bnn_prediction_score(p, test, name, &v) : bnn_prediction_score_of(p, test, k, name, &v)) < 0 ? NAN : v;
}

static bnn_status run_example(int k, const char *engine, uint64_t seed) {
    const struct example *ex = &examples[k];
    bnn_table *table;
    bnn_data *train, *test;
    bnn_run *run;
    bnn_prediction *p;
    double truth = 0, mse = 0;
    BNN_TRY(make_data(k, seed, &truth, &table, &train, &test));
    bnn_config config = {sizeof config, .net = ex->net, .engine = engine, .likelihood = ex->likelihood, .prior = ex->prior, .seed = 1};
    BNN_TRY(bnn_fit(&config, train, &run));
    BNN_TRY(bnn_run_predict(run, test, &most, &p));
    for (int t = 0; t < bnn_prediction_dim(p); t++) mse += square(score(p, test, t, "rmse")) / bnn_prediction_dim(p);
    printf("# %s: %s\n%s_ll %.4f\n", ex->name, bnn_run_remark(run), ex->name, score(p, test, -1, "ll"));
    if (ex->row != three_way) printf("%s_truth_ll %.4f\n", ex->name, truth);
    if (ex->n_classes > 0) printf("%s_error %.4f\n", ex->name, 1 - score(p, test, -1, "accuracy"));
    if (ex->n_classes > 0) printf("%s_squared_error %.4f\n", ex->name, score(p, test, -1, "brier"));
    if (ex->n_classes == 0) printf("%s_mse %.5f\n", ex->name, mse);
    if (ex->row == three_way) BNN_TRY(print_scales(run, bnn_prediction_samples(p)));
    if (ex->row == regression) BNN_TRY(print_quantiles(run, bnn_data_scaling(test)));
    bnn_prediction_free(p), bnn_run_free(run), bnn_data_free(test), bnn_data_free(train), bnn_table_free(table);
    return BNN_OK;
}

int main(int argc, char **argv) {
    const char *engine = "hmc:steps=100,samples=100,warmup=100,scales=noncentred,target_accept=0.9";
    if (argc > 1) engine = strcmp(argv[1], "--smoke") == 0 ? "hmc:steps=50,samples=50,warmup=150,scales=noncentred" : argv[1];
    if (argc == 2 && strcmp(argv[1], "--help") == 0) return puts("usage: neal1995_examples [--smoke | ENGINE [SEED]]"), 0;
    for (int k = 0; k < 3; k++)
        if (run_example(k, engine, argc > 2 ? strtoull(argv[2], NULL, 10) : 1995) < 0)
            return fprintf(stderr, "%s: %s\n", examples[k].name, bnn_error()), 2;
    return 0;
}
