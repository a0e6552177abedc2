/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Gal & Ghahramani 2016, Dropout as a Bayesian Approximation, section 5.3, in the protocol of the authors' 2018 code:
 *
 *   for every published split:
 *       for every p and tau of the grid: train on the first 80 % of the training list, score log p(y | x) on the last 20 %
 *       train on the whole list with the best p and tau; report RMSE and log-likelihood of T passes on the test rows
 *
 * The code minimises MSE + l^2 (1-p)/(2 N tau) ||W||^2 with standardised y, tau in the units of y and free biases. That is U up to a
 * factor, under a prior of standard deviation sqrt(2) / (l (1-p) sd(y)) and flat biases: the loss here is exactly theirs.
 *
 * usage: gal2016_dropout_uci DATA.h5 TAU,TAU,TAU [FIRST-LAST [EPOCHS [T [UNITS [LAYERS [SEED]]]]]]
 *        published: all splits, 4000 epochs, T = 10000, 50 units; protein 2000 and 100. LAYERS: 1 or 2 of so many units.
 *        gal2016_dropout_uci --smoke BOSTON.csv
 */
#include <bnn/bnn.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: gal2016_dropout_uci --smoke BOSTON.csv | DATA.h5 TAU,TAU,TAU [FIRST-LAST [EPOCHS [T [UNITS [LAYERS [SEED]]]]]]";

enum { MOST_SPLITS = 20, MOST_TAUS = 8, N_P = 4 };
static const double grid_p[N_P] = {0.005, 0.01, 0.05, 0.1}, length_scale = 1e-2;

typedef struct {
    double rmse, ll;
} scores;

typedef struct {
    bnn_table *table;
    int first, n_splits, epochs, samples, n_tau, units, layers;
    uint64_t seed; /* that of split 0 */
    double tau[MOST_TAUS];
    double p_best[MOST_SPLITS], tau_best[MOST_SPLITS], gradients[MOST_SPLITS];
    scores test[MOST_SPLITS];
} protocol;

/* Trains on `train`, scores on `rows`. */
static bnn_status train_and_score(protocol *q, const bnn_data *train, const bnn_data *rows, double p, double tau, int split, scores *out) {
    char net[128], second[48] = "", engine[160], likelihood[64], prior[64];
    if (q->layers == 2) snprintf(second, sizeof second, "dense:%d,init=glorot; relu; ", q->units);
    snprintf(net, sizeof net, "dense:%d,init=glorot; relu; %sdense:1,init=glorot", q->units, second);
    snprintf(engine, sizeof engine, "mc_dropout:p=%g,epochs=%d,batch=128,lr=0.001,schedule=constant,optimizer=adam{eps=1e-7}", p,
             q->epochs);
    snprintf(likelihood, sizeof likelihood, "gaussian:tau=%g", tau);
    snprintf(prior, sizeof prior, "gauss:sd=%.17g,bias_sd=inf",
             sqrt(2) / (length_scale * (1 - p) * bnn_scaling_y_sd(bnn_data_scaling(train))[0]));
    bnn_config config = {
        sizeof config, .net = net, .engine = engine, .likelihood = likelihood, .prior = prior, .seed = q->seed + (uint64_t)split};
    bnn_predict_options passes = {sizeof passes, .samples = q->samples, .mode = BNN_ROWS, .seed = 1}; /* as the code: masks for each row */
    bnn_run *run;
    bnn_prediction *prediction = NULL;
    BNN_TRY(bnn_fit(&config, train, &run));
    bnn_status s = bnn_run_predict(run, rows, &passes, &prediction);
    if (s == BNN_OK) s = bnn_prediction_score(prediction, rows, "rmse", &out->rmse);
    if (s == BNN_OK) s = bnn_prediction_score(prediction, rows, "ll", &out->ll);
    q->gradients[split - q->first] += bnn_run_cost(run, BNN_COST_GRADIENTS);
    bnn_prediction_free(prediction);
    bnn_run_free(run);
    return s;
}

static bnn_status choose(protocol *q, const bnn_data *train, int split) {
    int kept = (int)(bnn_data_rows(train) * 0.8), i = split - q->first;
    double best = -INFINITY;
    bnn_data *part, *validation;
    BNN_TRY(bnn_data_slice(train, 0, kept, NULL, &part));
    BNN_TRY(bnn_data_slice(train, kept, bnn_data_rows(train), bnn_data_scaling(part), &validation));
    for (int a = 0; a < N_P; a++)
        for (int b = 0; b < q->n_tau; b++) {
            scores m;
            BNN_TRY(train_and_score(q, part, validation, grid_p[a], q->tau[b], split, &m));
            if (m.ll <= best) continue;
            best = m.ll;
            q->p_best[i] = grid_p[a];
            q->tau_best[i] = q->tau[b];
        }
    bnn_data_free(validation);
    bnn_data_free(part);
    return BNN_OK;
}

static bnn_status run_split(void *context, int i) {
    protocol *q = context;
    int split = q->first + i;
    bnn_data *train, *test;
    BNN_TRY(bnn_data_split(q->table, split, BNN_TRAIN, NULL, &train));
    BNN_TRY(bnn_data_split(q->table, split, BNN_TEST, bnn_data_scaling(train), &test));
    BNN_TRY(choose(q, train, split));
    BNN_TRY(train_and_score(q, train, test, q->p_best[i], q->tau_best[i], split, &q->test[i]));
    bnn_data_free(test);
    bnn_data_free(train);
    return BNN_OK;
}

static void print_mean(const char *name, const protocol *q, size_t offset) {
    double mean = 0, squares = 0;
    int n = q->n_splits;
    for (int i = 0; i < n; i++) mean += *(const double *)((const char *)&q->test[i] + offset) / n;
    for (int i = 0; i < n; i++) squares += pow(*(const double *)((const char *)&q->test[i] + offset) - mean, 2);
    printf("%s %.5g\n", name, mean);
    if (n > 1) printf("%s_se %.2g\n", name, sqrt(squares / (n - 1) / n));
}

static bnn_status open_protocol(int argc, char **argv, protocol *q) {
    int last;
    *q = (protocol){.epochs = 4000, .samples = 10000, .units = 50, .layers = 1, .seed = 1};
    if (argc > 6) q->units = atoi(argv[6]);
    if (argc > 7) q->layers = atoi(argv[7]);
    if (argc == 3 && strcmp(argv[1], "--smoke") == 0) {
        bnn_csv_options target = {sizeof target, .targets = "medv"};
        BNN_TRY(bnn_import_csv(argv[2], &target, NULL, &q->table));
        q->n_splits = 2, q->epochs = q->samples = 200, q->n_tau = 1, q->tau[0] = 0.15;
        return bnn_table_split(q->table, BNN_SPLIT_PBP, 2, 1);
    }
    if (argc < 3 || argc > 9 || q->units < 1 || q->layers < 1 || q->layers > 2) return bnn_fail(BNN_ERR_OPTION, "%s", usage);
    BNN_TRY(bnn_table_load(argv[1], &q->table));
    last = bnn_table_splits(q->table) - 1;
    for (char *at = strtok(argv[2], ","); at && q->n_tau < MOST_TAUS; at = strtok(NULL, ",")) q->tau[q->n_tau++] = atof(at);
    if (argc > 3) sscanf(argv[3], "%d-%d", &q->first, &last);
    if (argc > 4) q->epochs = atoi(argv[4]);
    if (argc > 5) q->samples = atoi(argv[5]);
    if (argc > 8) q->seed = strtoull(argv[8], NULL, 10);
    q->n_splits = last - q->first + 1;
    if (q->first < 0 || q->n_splits < 1 || q->n_splits > MOST_SPLITS || last >= bnn_table_splits(q->table))
        return bnn_fail(BNN_ERR_OPTION, "%s has splits 0 to %d, at most %d at a time", argv[1], bnn_table_splits(q->table) - 1,
                        MOST_SPLITS);
    return BNN_OK;
}

int main(int argc, char **argv) {
    protocol q;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) return puts(usage), 0;
    if (open_protocol(argc, argv, &q) < 0 || bnn_jobs_run(q.n_splits, run_split, &q) < 0) return fprintf(stderr, "%s\n", bnn_error()), 2;
    for (int i = 0; i < q.n_splits; i++)
        printf("# split %d: p %g, tau %g, rmse %.4f, ll %.4f\n", q.first + i, q.p_best[i], q.tau_best[i], q.test[i].rmse, q.test[i].ll);
    print_mean("rmse", &q, offsetof(scores, rmse));
    print_mean("ll", &q, offsetof(scores, ll));
    printf("gradients_per_split %.0f\n", q.gradients[0]);
    bnn_table_free(q.table);
    return 0;
}
