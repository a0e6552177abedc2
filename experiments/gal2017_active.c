/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Gal, Islam & Ghahramani 2017, Deep Bayesian Active Learning with Image Data, section 5.1 and figure 1: digits whose label is asked for.
 *
 *   two labelled images of each class; then, round by round: fit MC dropout anew; take the ten rows of the pool with the largest score
 *       (bald, entropy) or any (random); ask for their labels; accuracy on 2000 test rows
 *
 * convolutions to 32 and 32 by 4 x 4, pooling, dropout .25, 128 units, dropout .5. The pool is 10,000 training rows, of which 2000 are
 * looked at in each round; theirs is all the rest, with weight decay by validation.
 *
 * published (table 1, from memory), images until the error is 10 and 5 %:      bald 145, 335      entropy 165, 355      random 255, 835
 *
 * usage: gal2017_active [--smoke | MNIST.h5 [bald|entropy|random [ROUNDS]]]     (bald, 98 rounds: 1000 images)
 */
#include "corners.h"

#include <bnn/acquire.h>

#include <stdio.h>
#include <string.h>

enum { POOL = 10000, LOOKED = 2000, SCORED = 2000, TAKEN = 10, OF_EACH = 2, DRAWS = 30, LEVELS = 2 };
static const double levels[LEVELS] = {0.90, 0.95};

typedef struct {
    bnn_table *table;
    const bnn_data *train;    /* its scaling is that of all */
    bnn_data *test;           /* rows that the accuracy is of */
    int pool[POOL], n_pool;   /* rows of the table that can be asked for */
    int known[POOL], n_known; /* rows whose label is known */
    int asked[LEVELS];        /* images until each level; 0: not yet */
    double gradients;
} loop;

static const char *const net = "spatial_dropout:0; conv2d:32,kernel=4; relu; spatial_dropout:0; conv2d:32,kernel=4; relu; maxpool2d; "
                               "spatial_dropout:0.25; flatten; dense:128; relu; dropout:0.5; dense";
static const char *const small_net =
    "spatial_dropout:0; conv2d:6; relu; maxpool2d; spatial_dropout:0; flatten; dense:16; relu; dropout:0.1; dense";

static bnn_status fit(loop *l, bool smoke, int round, bnn_run **run) {
    bnn_config config = {sizeof config, .net = smoke ? small_net : net, .seed = 1 + (uint64_t)round, .prior = "gauss:bias_sd=inf"};
    bnn_data *rows;
    config.engine = smoke ? "mc_dropout:steps=200,batch=16,lr=0.002" : "mc_dropout:steps=600,batch=64,lr=0.001";
    BNN_TRY(bnn_data_new(l->table, l->n_known, l->known, bnn_data_scaling(l->train), &rows));
    BNN_TRY(bnn_fit(&config, rows, run));
    l->gradients += bnn_run_cost(*run, BNN_COST_GRADIENTS);
    bnn_data_free(rows);
    return BNN_OK;
}

static bnn_status score(loop *l, const bnn_run *run, int round) {
    bnn_predict_options draws = {sizeof draws, .samples = DRAWS, .seed = 1};
    bnn_prediction *p;
    double accuracy;
    BNN_TRY(bnn_run_predict(run, l->test, &draws, &p));
    BNN_TRY(bnn_prediction_score(p, l->test, "accuracy", &accuracy));
    if (round % 3 == 0) printf("accuracy_%d %.4f\n", l->n_known, accuracy), fflush(stdout);
    for (int k = 0; k < LEVELS; k++)
        if (l->asked[k] == 0 && accuracy >= levels[k]) l->asked[k] = l->n_known;
    bnn_prediction_free(p);
    return BNN_OK;
}

/* Asks for the labels of rows that are chosen among some of the pool, which are drawn. */
static bnn_status ask(loop *l, const bnn_run *run, bnn_acquire_rule rule, int round) {
    int n = l->n_pool < LOOKED ? l->n_pool : LOOKED, chosen[TAKEN];
    double u[LOOKED];
    bnn_acquire_options how = {sizeof how, .rule = rule, .samples = DRAWS, .seed = 1 + (uint64_t)round};
    bnn_data *rows;
    BNN_TRY(bnn_stream_uniform(bnn_stream_split(bnn_stream_seed(2017), (uint64_t)round), n, 1, u));
    for (int i = 0; i < n; i++) {
        int k = i + (int)(u[i] * (l->n_pool - i)), row = l->pool[i];
        l->pool[i] = l->pool[k], l->pool[k] = row;
    }
    BNN_TRY(bnn_data_new(l->table, n, l->pool, bnn_data_scaling(l->train), &rows));
    BNN_TRY(bnn_acquire(run, rows, &how, TAKEN, chosen, NULL));
    for (int i = 0; i < TAKEN; i++) l->known[l->n_known++] = l->pool[chosen[i]], l->pool[chosen[i]] = -1;
    int kept = 0;
    for (int i = 0; i < l->n_pool; i++)
        if (l->pool[i] >= 0) l->pool[kept++] = l->pool[i];
    l->n_pool = kept;
    bnn_data_free(rows);
    return BNN_OK;
}

/* The first rows of each class are known, the others can be asked for. */
static void begin(loop *l) {
    int seen[256] = {0}, n = bnn_table_count(l->table, 0, BNN_TRAIN);
    for (int i = 0; i < n && l->n_pool < POOL; i++) {
        int row = l->table->order[i], class = (int)l->table->y[row];
        if (seen[class & 255]++ < OF_EACH)
            l->known[l->n_known++] = row;
        else
            l->pool[l->n_pool++] = row;
    }
}

static bnn_status experiment(const char *path, bnn_acquire_rule rule, int rounds) {
    static loop l; /* large */
    bnn_data *train, *test;
    BNN_TRY(path ? bnn_table_load(path, &l.table) : corners_new(300, 4, 2017, &l.table));
    BNN_TRY(corners_parts(l.table, &train, &test));
    BNN_TRY(bnn_data_slice(test, 0, bnn_data_rows(test) < SCORED ? bnn_data_rows(test) : SCORED, bnn_data_scaling(train), &l.test));
    l.train = train;
    begin(&l);
    if (l.n_pool < rounds * TAKEN)
        return bnn_fail(BNN_ERR_OPTION, "%d rounds need %d rows, there are %d", rounds, rounds * TAKEN, l.n_pool);
    for (int round = 0; round <= rounds; round++) {
        bnn_run *run;
        BNN_TRY(fit(&l, !path, round, &run));
        BNN_TRY(score(&l, run, round));
        if (round < rounds) BNN_TRY(ask(&l, run, rule, round));
        bnn_run_free(run);
    }
    for (int k = 0; k < LEVELS; k++) printf("images_to_%g %d\n", 100 * levels[k], l.asked[k] > 0 ? l.asked[k] : l.n_known + TAKEN);
    printf("gradients %.0f\n", l.gradients);
    bnn_data_free(l.test), bnn_data_free(test), bnn_data_free(train), bnn_table_free(l.table);
    return BNN_OK;
}

int main(int argc, char **argv) {
    const char usage[] = "usage: gal2017_active [--smoke | MNIST.h5 [bald|entropy|random [ROUNDS]]]";
    bool smoke = argc == 2 && strcmp(argv[1], "--smoke") == 0;
    int rule = argc > 2 ? 0 : BNN_ACQUIRE_BALD, rounds = argc > 3 ? atoi(argv[3]) : smoke ? 3 : 98;
    while (argc > 2 && bnn_acquire_rule_names[rule] && strcmp(argv[2], bnn_acquire_rule_names[rule]) != 0) rule++;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) return puts(usage), 0;
    if (argc < 2 || argc > 4 || !bnn_acquire_rule_names[rule] || rounds < 1) return fprintf(stderr, "%s\n", usage), 2;
    if (experiment(smoke ? NULL : argv[1], (bnn_acquire_rule)rule, rounds) == BNN_OK) return 0;
    fprintf(stderr, "%s\n", bnn_error());
    return 2;
}
