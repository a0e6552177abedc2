/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Smith & Gal 2018, Understanding Measures of Uncertainty for Adversarial Example Detection: does mutual information tell images that were
 * moved to be misread from real ones, better than the entropy of the prediction?
 *
 *   fit MC dropout; for each attack and strength, |x' - x| <= eps in the maximum norm, along the mean slope over draws:
 *       x' of the test rows; scores of x and of x' by entropy and by mutual information; AUROC of x' against x (DeLong's standard error)
 *
 * convolutions to 32 and 64 by 3 x 3, pooling, dropout .25, 128 units, dropout .5, 10 classes; Adam in place of Adadelta. eps: 5 and 10 of
 * 255 as theirs, and 26 and 51 since digits withstand those. Steps of the iterated attacks: eps / 10, ten times.
 *
 * published: figures of cats and dogs, without numbers; mutual information is said to be at least as good as entropy.
 *
 * usage: smith2018_adversarial [--smoke | IMAGES.h5 [EPOCHS [ROWS]]]     (12 epochs, the first 1000 test rows)
 *        IMAGES.h5: mnist.h5, dogs6.h5 (bnn import idx, bnn import images)
 */
#include "corners.h"

#include <bnn/attack.h>
#include <bnn/detect.h>

#include <stdio.h>
#include <string.h>

enum { METHODS = 3, STRENGTHS = 4, DRAWS = 50 };
static const bnn_attack_method methods[METHODS] = {BNN_ATTACK_FGM, BNN_ATTACK_BIM, BNN_ATTACK_MIM};
static const int greys[STRENGTHS] = {5, 10, 26, 51};
static const bnn_predict_options draws = {sizeof draws, .samples = DRAWS, .seed = 1};

static bnn_status predict(const bnn_run *run, const bnn_data *rows, double *accuracy) {
    bnn_prediction *p;
    BNN_TRY(bnn_run_predict(run, rows, &draws, &p));
    BNN_TRY(bnn_prediction_score(p, rows, "accuracy", accuracy));
    bnn_prediction_free(p);
    return BNN_OK;
}

static bnn_status print_auroc(const bnn_row_scores *real, const bnn_row_scores *moved, bnn_row_score score, const char *name,
                              double *auroc) {
    bnn_detection *d;
    BNN_TRY(bnn_detect(real->n, real->of[score], moved->n, moved->of[score], &d));
    printf("auroc_%s %.4f\nauroc_%s_se %.4f\n", name, d->auroc, name, d->auroc_se);
    *auroc = d->auroc;
    bnn_detection_free(d);
    return BNN_OK;
}

static bnn_status attack(const bnn_run *run, const bnn_data *rows, const bnn_row_scores *real, bnn_attack_method method, int grey) {
    bnn_attack_options how = {sizeof how, .method = method, .eps = grey / 255.0, .samples = 10, .seed = 1};
    char name[64];
    bnn_table *table;
    bnn_data *moved;
    bnn_row_scores *scores;
    double accuracy, mi, entropy;
    BNN_TRY(bnn_attack(run, rows, &how, &table));
    BNN_TRY(bnn_data_split(table, -1, BNN_TRAIN, bnn_run_scaling(run), &moved));
    BNN_TRY(predict(run, moved, &accuracy));
    BNN_TRY(bnn_row_scores_new(run, moved, NULL, &draws, &scores));
    printf("accuracy_%s_%d %.4f\n", bnn_attack_method_names[method], grey, accuracy);
    snprintf(name, sizeof name, "mi_%s_%d", bnn_attack_method_names[method], grey);
    BNN_TRY(print_auroc(real, scores, BNN_ROW_MUTUAL_INFORMATION, name, &mi));
    snprintf(name, sizeof name, "entropy_%s_%d", bnn_attack_method_names[method], grey);
    BNN_TRY(print_auroc(real, scores, BNN_ROW_ENTROPY, name, &entropy));
    printf("advantage_of_mi_%s_%d %.4f\n", bnn_attack_method_names[method], grey, mi - entropy);
    fflush(stdout);
    bnn_row_scores_free(scores), bnn_data_free(moved), bnn_table_free(table);
    return BNN_OK;
}

static bnn_status experiment(const char *path, int epochs, int most) {
    char engine[128], net[256];
    int units = path ? 32 : 6;
    bnn_table *table;
    bnn_data *train, *test, *rows;
    bnn_run *run;
    bnn_row_scores *real;
    double accuracy;
    snprintf(engine, sizeof engine, "mc_dropout:epochs=%d,batch=%d,lr=%g", epochs, path ? 128 : 20, path ? 0.001 : 0.005);
    snprintf(net, sizeof net,
             "spatial_dropout:0; conv2d:%d; relu; spatial_dropout:0; conv2d:%d; relu; maxpool2d; spatial_dropout:0.25; flatten; dense:%d; "
             "relu; dropout:0.5; dense",
             units, 2 * units, 4 * units);
    BNN_TRY(path ? bnn_table_load(path, &table) : corners_new(300, 4, 2018, &table));
    BNN_TRY(corners_parts(table, &train, &test));
    BNN_TRY(bnn_data_slice(test, 0, bnn_data_rows(test) < most ? bnn_data_rows(test) : most, bnn_data_scaling(train), &rows));
    bnn_config config = {sizeof config, .net = net, .engine = engine, .seed = 1};
    BNN_TRY(bnn_fit(&config, train, &run));
    BNN_TRY(predict(run, rows, &accuracy));
    printf("accuracy %.4f\n", accuracy);
    BNN_TRY(bnn_row_scores_new(run, rows, NULL, &draws, &real));
    for (int m = 0; m < METHODS; m++)
        for (int k = 0; k < STRENGTHS; k++) BNN_TRY(attack(run, rows, real, methods[m], greys[k]));
    printf("gradients %.0f\n", bnn_run_cost(run, BNN_COST_GRADIENTS));
    bnn_row_scores_free(real), bnn_run_free(run), bnn_data_free(rows), bnn_data_free(test), bnn_data_free(train), bnn_table_free(table);
    return BNN_OK;
}

int main(int argc, char **argv) {
    const char usage[] = "usage: smith2018_adversarial [--smoke | IMAGES.h5 [EPOCHS [ROWS]]]";
    bool smoke = argc == 2 && strcmp(argv[1], "--smoke") == 0;
    int epochs = argc > 2 ? atoi(argv[2]) : smoke ? 8 : 12, most = argc > 3 ? atoi(argv[3]) : smoke ? 40 : 1000;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) return puts(usage), 0;
    if (argc < 2 || argc > 4 || epochs < 1 || most < 1) return fprintf(stderr, "%s\n", usage), 2;
    if (experiment(smoke ? NULL : argv[1], epochs, most) == BNN_OK) return 0;
    fprintf(stderr, "%s\n", bnn_error());
    return 2;
}
