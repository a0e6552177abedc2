/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Blundell et al. 2015, Weight Uncertainty in Neural Networks, section 5.3 and figure 6: which mushrooms to eat.
 *
 *   at every step: see a mushroom; eat it (5 if it is good, else 5 or -35, each half of the time) or leave it (0); learn from what it
 * brought
 *
 * Bayes by Backprop with the scale mixture eats what is best under the mean of two draws of its weights, and with it, here, the same
 * network with exact Bayesian linear regression in its last layer (Riquelme, Tucker & Snoek 2018: the strongest plain agent). Against them:
 * epsilon-greedy with 5, 1 and 0 % of steps by chance. Two layers of 100 units; contexts and rewards are the same for all agents.
 *
 * Theirs fits 64 minibatches of 64 at every step, to the last 4096; here two of 128 a step, for every agent, to all. Steps are of size
 * .001 and end small in each fit (settle). The noise of rewards has sd 1: where it is learned, the coins that pay for bad mushrooms make it
 * 3, weights go back to their prior, and Bayes by Backprop tries the more the longer it is fitted.
 *
 *   published: a figure without numbers; the regret of Bayes by Backprop stays below that of epsilon-greedy, of which 5 % is worst
 *   by chance: 4.91 a step, 2.455e5 in 50,000
 *   ours, three runs of 20,000 steps on other seeds (301 to 303), means (standard errors): 0 % 8897 (3532), of which one run has 15920;
 *   1 % 8740 (1268); Bayes by Backprop 6580 (854), the last layer 6628 (598), both in each run less than 1 %, and in one and two of them
 *   more than 0 %
 *
 * What greedy agents lose depends on how they are fitted, and by chance: with one minibatch a step of size .003, 0 % lost 9640 (2033) on
 * the same seeds, but without settling 5623 (444), less than any agent here: weights that jitter explore.
 *
 * A whole run takes about 17 s of one core for epsilon, 90 for Bayes by Backprop, five minutes for the last layer.
 *
 * usage: blundell2015_bandit [--smoke | MUSHROOM.h5 [RUNS [STEPS]]]     (10 runs of 50,000 steps)
 *        MUSHROOM.h5: bnn import csv agaricus-lepiota.data --no-header --target 1 -o MUSHROOM.h5, with --missing mean or "?" as a kind
 */
#include <bnn/bandit.h>
#include <bnn/data.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RANDOM, EPSILON_5, EPSILON_1, EPSILON_0, BAYES_BY_BACKPROP, LAST_LAYER, AGENTS };

static const char *const name[AGENTS] = {"random", "epsilon_5", "epsilon_1", "epsilon_0", "bayes_by_backprop", "last_layer"};

static bnn_bandit_config agent(int k) {
    bnn_bandit_config how = {sizeof how, .net = "dense:100; relu; dense:100; relu; dense", .engine = "map:lr=0.001", .seed = 2015};
    how.likelihood = "gaussian:tau=1", how.budget = 2, how.settle = true;
    if (k == RANDOM) how.policy = BNN_POLICY_RANDOM;
    if (k >= EPSILON_5 && k <= EPSILON_0) how.policy = BNN_POLICY_EPSILON, how.epsilon = (const double[]){0.05, 0.01, 0}[k - EPSILON_5];
    if (k == BAYES_BY_BACKPROP) how.engine = "bayes_by_backprop:lr=0.001", how.prior = "scale_mixture", how.draws = 2;
    if (k == LAST_LAYER) how.head = "last_layer";
    return how;
}

/* Kinds of four marks, of which the first two together make a mushroom bad. */
static bnn_status make_mushrooms(bnn_table **out) {
    const int rows = 200, marks = 4, kinds = 3;
    double u[200 * 4];
    BNN_TRY(bnn_table_new(rows, bnn_shape_vector(marks * kinds), 1, 2, out));
    BNN_TRY(bnn_stream_uniform(bnn_stream_seed(2015), rows, marks, u));
    for (int r = 0; r < rows; r++) {
        for (int k = 0; k < marks; k++) (*out)->x[(r * marks + k) * kinds + (int)(u[r * marks + k] * kinds)] = 1;
        (*out)->y[r] = (u[r * marks] < 0.5) == (u[r * marks + 1] < 0.5);
    }
    return BNN_OK;
}

static bnn_status play(const bnn_environment *world, int k, int runs, int steps, double *last, double *gradients) {
    bnn_bandit_config how = agent(k);
    bnn_regret *regret;
    double se;
    how.runs = runs, how.steps = steps;
    BNN_TRY(bnn_bandit(world, &how, &regret));
    *last = bnn_regret_mean(regret, regret->n_points - 1, &se);
    printf("%s %.1f\n", name[k], *last);
    if (runs > 1) printf("%s_se %.1f\n", name[k], se);
    printf("%s_last_tenth %.1f\n", name[k], *last - bnn_regret_mean(regret, regret->n_points * 9 / 10 - 1, &se));
    for (int r = 0; r < runs; r++) *gradients += regret->gradients[r];
    fflush(stdout);
    bnn_regret_free(regret);
    return BNN_OK;
}

static bnn_status experiment(const char *path, int runs, int steps) {
    bnn_table *table;
    bnn_environment world;
    double last[AGENTS], gradients = 0;
    BNN_TRY(path ? bnn_table_load(path, &table) : make_mushrooms(&table));
    bnn_mushrooms mushrooms = {table, 0};
    BNN_TRY(bnn_mushrooms_open(&mushrooms, &world));
    for (int k = 0; k < AGENTS; k++) BNN_TRY(play(&world, k, runs, steps, &last[k], &gradients));
    double best = fmin(last[EPSILON_0], fmin(last[EPSILON_1], last[EPSILON_5]));
    printf("ratio_bayes_by_backprop %.4f\nratio_last_layer %.4f\n", last[BAYES_BY_BACKPROP] / best, last[LAST_LAYER] / best);
    printf("gradients %.0f\n", gradients);
    bnn_table_free(table);
    return BNN_OK;
}

int main(int argc, char **argv) {
    const char usage[] = "usage: blundell2015_bandit [--smoke | MUSHROOM.h5 [RUNS [STEPS]]]";
    bool smoke = argc == 2 && strcmp(argv[1], "--smoke") == 0;
    int runs = argc > 2 ? atoi(argv[2]) : smoke ? 2 : 10, steps = argc > 3 ? atoi(argv[3]) : smoke ? 200 : 50000;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) return puts(usage), 0;
    if (argc < 2 || argc > 4 || runs < 1 || steps < 10) return fprintf(stderr, "%s\n", usage), 2;
    if (experiment(smoke ? NULL : argv[1], runs, steps) == BNN_OK) return 0;
    fprintf(stderr, "%s\n", bnn_error());
    return 2;
}
