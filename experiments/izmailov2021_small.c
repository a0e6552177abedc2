/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Izmailov, Vikram, Hoffman & Wilson 2021, What Are Bayesian Neural Network Posteriors Really Like?, section 7 and table 6: how far is the
 * predictive distribution of each engine from that of Hamiltonian Monte Carlo, which samples the posterior itself? Theirs are large
 * networks on 512 accelerators; here one hidden layer of 50 units on a table of a few hundred rows with classes.
 *
 *   agreement         share of test rows to which both give the same class
 *   total variation   mean over the rows of half the sum of |p - q|
 *
 * Published is an order: ensembles and chains on minibatches are nearer to HMC than mean-field variational inference. `hmc_again` has
 * another seed: no engine can be told from HMC below its distance. Engines have their presets; laplace's and held_out_dropout's choose the
 * prior or p by the data, so that their posterior is another one. Total variation, heart, two splits, 139 s of cpu:
 *
 *   hmc_again .027  nuts .026  sghmc .047  sgld .060  svgd .089  deep_ensemble .099  swag .128  map .138  bayes_by_backprop .194
 *
 * usage: izmailov2021_small --smoke BOSTON.csv | DATA.h5 [FIRST-LAST]      splits of a table with classes, such as heart.h5
 */
#include <bnn/bnn.h>
#include <bnn/distance.h>
#include <bnn/fit.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_SPLITS = 20, MOST_ENGINES = 20 };
typedef struct {
    const char *name, *text;
} entry;
static const entry whole[] = {{"hmc", "hmc"}, /* the reference */
                              {"hmc_again", "hmc"},
                              {"nuts", "nuts"},
                              {"sghmc", "sghmc"},
                              {"sgld", "sgld"},
                              {"svgd", "svgd"},
                              {"deep_ensemble", "ensemble:engine=map"},
                              {"ensemble", "ensemble"},
                              {"swag", "swag"},
                              {"multi_swag", "ensemble:engine=swag"},
                              {"laplace", "laplace"},
                              {"last_layer_laplace", "laplace:subset=last_layer"},
                              {"mc_dropout", "mc_dropout"},
                              {"held_out_dropout", "held_out_dropout"},
                              {"early_stopping", "early_stopping"},
                              {"bayes_by_backprop", "bayes_by_backprop"},
                              {"map", "map"},
                              {0}};
static const entry smoke[] = {{"hmc", "hmc:chains=2,warmup=40,samples=40,steps=10"},
                              {"hmc_again", "hmc:chains=2,warmup=40,samples=40,steps=10"},
                              {"deep_ensemble", "ensemble:engine=map{steps=400},members=2"},
                              {"sgld", "sgld:chains=2,burnin=200,samples=20,thin=5"},
                              {"bayes_by_backprop", "bayes_by_backprop:steps=400"},
                              {"map", "map:steps=400"},
                              {0}};

typedef struct {
    bnn_table *table;
    const entry *entries;
    int first, n_splits;
    struct {
        double agreement[MOST_SPLITS], variation[MOST_SPLITS], ll[MOST_SPLITS], accuracy[MOST_SPLITS], gradients[MOST_SPLITS];
    } of[MOST_ENGINES]; /* each engine, split by split */
} study;

/* Fits engine k and predicts the test rows. */
static bnn_status fit(study *s, int i, int k, const bnn_data *train, const bnn_data *test, bnn_marginals **out) {
    bnn_config config = {sizeof config, .net = "dense:50; relu; dense", .engine = s->entries[k].text, .seed = k == 1 ? 2 : 1};
    bnn_predict_options how = {sizeof how, .samples = 500, .mode = BNN_DRAW, .seed = 1};
    bnn_run *run;
    bnn_prediction *prediction;
    BNN_TRY(bnn_fit(&config, train, &run));
    BNN_TRY(bnn_marginals_open(run->engine, test, &how, out));
    BNN_TRY(bnn_run_predict(run, test, &how, &prediction));
    BNN_TRY(bnn_marginals_finish(*out, prediction));
    BNN_TRY(bnn_prediction_score(prediction, test, "ll", &s->of[k].ll[i]));
    BNN_TRY(bnn_prediction_score(prediction, test, "accuracy", &s->of[k].accuracy[i]));
    s->of[k].gradients[i] = bnn_run_cost(run, BNN_COST_GRADIENTS);
    bnn_prediction_free(prediction), bnn_run_free(run);
    return BNN_OK;
}

static bnn_status run_split(void *context, int i) {
    study *s = context;
    bnn_data *train, *test;
    bnn_marginals *reference, *other;
    BNN_TRY(bnn_data_split(s->table, s->first + i, BNN_TRAIN, NULL, &train));
    BNN_TRY(bnn_data_split(s->table, s->first + i, BNN_TEST, bnn_data_scaling(train), &test));
    BNN_TRY(fit(s, i, 0, train, test, &reference));
    for (int k = 1; s->entries[k].name; k++) {
        BNN_TRY(fit(s, i, k, train, test, &other));
        bnn_distance d = bnn_marginals_distance(other, reference);
        s->of[k].agreement[i] = d.agreement, s->of[k].variation[i] = d.total_variation;
        bnn_marginals_free(other);
    }
    bnn_marginals_free(reference), bnn_data_free(test), bnn_data_free(train);
    return BNN_OK;
}

static void print(const char *engine, const char *what, int n, const double *value) {
    double mean = 0, squares = 0;
    for (int i = 0; i < n; i++) mean += value[i] / n;
    for (int i = 0; i < n; i++) squares += pow(value[i] - mean, 2);
    printf("%s_%s %.4f\n", engine, what, mean);
    if (n > 1) printf("%s_%s_se %.4f\n", engine, what, sqrt(squares / (n - 1) / n));
}

/* Mean total variation of an engine by its name. */
static double variation(const study *s, const char *name) {
    double sum = 0;
    for (int k = 0; s->entries[k].name; k++)
        for (int i = 0; i < s->n_splits && strcmp(s->entries[k].name, name) == 0; i++) sum += s->of[k].variation[i];
    return sum / s->n_splits;
}

static bnn_status open_study(int argc, char **argv, study *s) {
    int last;
    *s = (study){.entries = whole};
    if (strcmp(argv[1], "--smoke") == 0) {
        s->entries = smoke, s->n_splits = 2;
        BNN_TRY(bnn_import_csv(argv[2], &(bnn_csv_options){.targets = "chas", .classes = true}, NULL, &s->table));
        return bnn_table_split(s->table, BNN_SPLIT_KFOLD, 5, 1);
    }
    BNN_TRY(bnn_table_load(argv[1], &s->table));
    last = bnn_table_splits(s->table) - 1;
    if (argc > 2 && sscanf(argv[2], "%d-%d", &s->first, &last) != 2) last = -1;
    s->n_splits = last - s->first + 1;
    if (s->first < 0 || s->n_splits < 1 || s->n_splits > MOST_SPLITS || last >= bnn_table_splits(s->table) || !bnn_table_classes(s->table))
        return bnn_fail(BNN_ERR_OPTION, "%s: wants classes and splits, at most %d at a time, as FIRST-LAST", argv[1], MOST_SPLITS);
    return BNN_OK;
}

int main(int argc, char **argv) {
    const char usage[] = "usage: izmailov2021_small --smoke BOSTON.csv | DATA.h5 [FIRST-LAST]";
    static study s;
    double gradients = 0;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) return puts(usage), 0;
    if (argc < 2 || argc > 3 || (argc == 2 && argv[1][0] == '-')) return fprintf(stderr, "%s\n", usage), 2;
    if (open_study(argc, argv, &s) < 0 || bnn_jobs_run(s.n_splits, run_split, &s) < 0) return fprintf(stderr, "%s\n", bnn_error()), 2;
    for (int k = 0; s.entries[k].name; k++) {
        if (k > 0) print(s.entries[k].name, "agreement", s.n_splits, s.of[k].agreement);
        if (k > 0) print(s.entries[k].name, "variation", s.n_splits, s.of[k].variation);
        print(s.entries[k].name, "ll", s.n_splits, s.of[k].ll);
        print(s.entries[k].name, "accuracy", s.n_splits, s.of[k].accuracy);
        for (int i = 0; i < s.n_splits; i++) gradients += s.of[k].gradients[i];
    }
    printf("mean_field_over_deep_ensemble %.3f\nmean_field_over_sgld %.3f\n",
           variation(&s, "bayes_by_backprop") / variation(&s, "deep_ensemble"), variation(&s, "bayes_by_backprop") / variation(&s, "sgld"));
    printf("gradients %.0f\n", gradients);
    return bnn_table_free(s.table), 0;
}
