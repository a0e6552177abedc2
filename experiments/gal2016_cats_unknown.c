/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Gal 2016, Uncertainty in Deep Learning (thesis), section 1.2: a network that tells breeds of dogs is shown a cat. It has to name a breed;
 * does it at least say that it does not know?
 *
 *   fit a plain network and a Bayesian one to breeds; score the test dogs and all cats, none of which was fitted, by entropy, mutual
 *   information and largest probability; AUROC of cats against dogs, with DeLong's standard error, and the mean of each score
 *
 * pictures of 64 x 64, halved; convolutions to 24, 48, 64 and 96 by 3 x 3, each normalised over the batch and pooled, mean over pixels;
 * pictures are mirrored and moved in the fit of both. Bayesian: an ensemble of five, with MC dropout in each (p = .1 of channels before the
 * last convolution, .3 before the last layer). No figures are published of these pictures (Tiny ImageNet).
 *
 *   ours, AUROC (standard error), plain and Bayesian, six breeds: entropy .671 (.017) and .668 (.017), mutual information .404 (.017);
 *   three breeds: .648 (.024) and .613 (.025), mutual information .457 (.026). So a network says in each draw that it does not know a
 *   cat, and draws differ less on cats than on dogs (which, as a guess, lie nearer the borders between breeds)
 *   before, without normalisation and with 40 epochs: AUROC at most .569
 *
 * usage: gal2016_cats_unknown [--smoke | DOGS.h5 CATS.h5 [EPOCHS [MEMBERS]]]     (12 epochs, 5 members)
 *        DOGS.h5, CATS.h5: bnn import images FOLDER --test FOLDER, with a folder for each breed or kind
 */
#include "corners.h"

#include <bnn/detect.h>

#include <stdio.h>
#include <string.h>

enum { DRAWS = 50, SCORES = 3, ENGINES = 2 };
static const bnn_row_score scores[SCORES] = {BNN_ROW_ENTROPY, BNN_ROW_MUTUAL_INFORMATION, BNN_ROW_MAX_PROBABILITY};
static const char *const names[ENGINES] = {"plain", "bayesian"};

static double mean_of(int n, const double *v) {
    double mean = 0;
    for (int i = 0; i < n; i++) mean += v[i] / n;
    return mean;
}

static bnn_status compare(const bnn_run *run, const bnn_data *dogs, const bnn_data *cats, const char *engine) {
    bnn_predict_options draws = {sizeof draws, .samples = DRAWS, .seed = 1};
    bnn_prediction *p;
    bnn_row_scores *dog, *cat;
    double accuracy;
    BNN_TRY(bnn_run_predict(run, dogs, &draws, &p));
    BNN_TRY(bnn_prediction_score(p, dogs, "accuracy", &accuracy));
    printf("accuracy_%s %.4f\n", engine, accuracy);
    BNN_TRY(bnn_row_scores_new(run, dogs, NULL, &draws, &dog));
    BNN_TRY(bnn_row_scores_new(run, cats, NULL, &draws, &cat));
    for (int i = 0; i < SCORES; i++) {
        const char *name = bnn_row_score_name(scores[i]);
        const double *in = dog->of[scores[i]], *out = cat->of[scores[i]];
        bnn_detection *d;
        if (!in) continue;
        BNN_TRY(bnn_detect(dog->n, in, cat->n, out, &d));
        printf("%s_dogs_%s %.4f\n%s_cats_%s %.4f\n", name, engine, mean_of(dog->n, in), name, engine, mean_of(cat->n, out));
        printf("auroc_%s_%s %.4f\nauroc_%s_%s_se %.4f\n", name, engine, d->auroc, name, engine, d->auroc_se);
        bnn_detection_free(d);
    }
    fflush(stdout);
    bnn_row_scores_free(dog), bnn_row_scores_free(cat), bnn_prediction_free(p);
    return BNN_OK;
}

/* A member or a point, by what it is made of. */
static void write_engine(char text[320], bool bayesian, bool smoke, int epochs, int members) {
    char descent[128];
    snprintf(descent, sizeof descent, "epochs=%d,batch=32,lr=%g%s", epochs, smoke ? 0.005 : 0.003, smoke ? "" : ",augment={flip,shift}");
    if (bayesian)
        snprintf(text, 320, "ensemble:members=%d,engine=mc_dropout{p=%g,%s}", members, smoke ? 0.1 : 0.01, descent);
    else
        snprintf(text, 320, "map:%s", descent);
}

static const char *network(bool bayesian, bool smoke) {
    if (smoke) return "conv2d:6; relu; maxpool2d; flatten; dense:16; relu; dense";
#define CONVOLVED                                                                                                       \
    "avgpool2d; conv2d:24,padding=1; batchnorm2d; relu; maxpool2d; conv2d:48,padding=1; batchnorm2d; relu; maxpool2d; " \
    "conv2d:64,padding=1; batchnorm2d; relu; maxpool2d; "
#define LAST "conv2d:96,padding=1; batchnorm2d; relu; avgpool2d:0; flatten; "
    return bayesian ? CONVOLVED "spatial_dropout:0.1; " LAST "dropout:0.3; dense" : CONVOLVED LAST "dense";
}

static bnn_status experiment(const char *dogs, const char *cats, int epochs, int members) {
    bnn_table *breeds, *kinds;
    bnn_data *train, *test, *others;
    double gradients = 0;
    BNN_TRY(dogs ? bnn_table_load(dogs, &breeds) : corners_new(300, 3, 2016, &breeds));
    BNN_TRY(dogs ? bnn_table_load(cats, &kinds) : corners_new(300, 4, 1, &kinds));
    BNN_TRY(corners_parts(breeds, &train, &test));
    BNN_TRY(bnn_data_range(kinds, 0, bnn_table_rows(kinds), bnn_data_scaling(train), &others));
    for (int k = 0; k < ENGINES; k++) {
        char engine[320];
        bnn_config config = {sizeof config, .net = network(k == 1, !dogs), .engine = engine, .seed = 1};
        bnn_run *run;
        write_engine(engine, k == 1, !dogs, epochs, members);
        BNN_TRY(bnn_fit(&config, train, &run));
        BNN_TRY(compare(run, test, others, names[k]));
        gradients += bnn_run_cost(run, BNN_COST_GRADIENTS);
        bnn_run_free(run);
    }
    printf("gradients %.0f\n", gradients);
    bnn_data_free(train), bnn_data_free(test), bnn_data_free(others), bnn_table_free(breeds), bnn_table_free(kinds);
    return BNN_OK;
}

int main(int argc, char **argv) {
    const char usage[] = "usage: gal2016_cats_unknown [--smoke | DOGS.h5 CATS.h5 [EPOCHS [MEMBERS]]]";
    bool smoke = argc == 2 && strcmp(argv[1], "--smoke") == 0;
    int epochs = argc > 3 ? atoi(argv[3]) : smoke ? 30 : 12, members = argc > 4 ? atoi(argv[4]) : smoke ? 2 : 5;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) return puts(usage), 0;
    if ((argc < 3 && !smoke) || argc > 5 || epochs < 1 || members < 2) return fprintf(stderr, "%s\n", usage), 2;
    if (experiment(smoke ? NULL : argv[1], smoke ? NULL : argv[2], epochs, members) == BNN_OK) return 0;
    fprintf(stderr, "%s\n", bnn_error());
    return 2;
}
