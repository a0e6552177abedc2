/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Gal 2016, Uncertainty in Deep Learning (thesis), section 1.2: a network that tells breeds of dogs is shown a cat. It has to name a breed;
 * does it at least say that it does not know?
 *
 *   fit a plain network and a Bayesian one to breeds; score the test dogs and as many kinds of cats as there are by entropy, mutual
 *   information and largest probability; AUROC of cats against dogs, with DeLong's standard error, and the mean of each score
 *
 * convolutions to 24, 48, 64 and 96 by 3 x 3, each pooled, mean over pixels; pictures of 64 x 64 are mirrored, cropped and moved in the fit
 * of both. Bayesian: an ensemble of five, with MC dropout (p = .1) in each. No figures are published of these pictures (Tiny ImageNet);
 * of a plain network found before: .42 right on six breeds, AUROC .52 to .63.
 *
 * usage: gal2016_cats_unknown [--smoke | DOGS.h5 CATS.h5 [EPOCHS [MEMBERS]]]     (40 epochs, 5 members)
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
    snprintf(descent, sizeof descent, "epochs=%d,batch=32,lr=%g%s", epochs, smoke ? 0.005 : 0.002,
             smoke ? "" : ",augment={flip,crop,shift}");
    if (bayesian)
        snprintf(text, 320, "ensemble:members=%d,engine=mc_dropout{p=0.1,%s}", members, descent);
    else
        snprintf(text, 320, "map:%s", descent);
}

static bnn_status experiment(const char *dogs, const char *cats, int epochs, int members) {
    const char *net =
        dogs ? "conv2d:24,padding=1; relu; maxpool2d; conv2d:48,padding=1; relu; maxpool2d; conv2d:64,padding=1; relu; maxpool2d; "
               "conv2d:96,padding=1; relu; avgpool2d:0; flatten; dense"
             : "conv2d:6; relu; maxpool2d; flatten; dense:16; relu; dense";
    bnn_table *breeds, *kinds;
    bnn_data *train, *test, *others, *unused;
    double gradients = 0;
    BNN_TRY(dogs ? bnn_table_load(dogs, &breeds) : corners_new(300, 3, 2016, &breeds));
    BNN_TRY(dogs ? bnn_table_load(cats, &kinds) : corners_new(300, 4, 1, &kinds));
    BNN_TRY(corners_parts(breeds, &train, &test));
    BNN_TRY(corners_parts(kinds, &unused, &others));
    bnn_data_free(unused), bnn_data_free(others);
    BNN_TRY(bnn_data_split(kinds, 0, BNN_TEST, bnn_data_scaling(train), &others));
    for (int k = 0; k < ENGINES; k++) {
        char engine[320];
        bnn_config config = {sizeof config, .net = net, .engine = engine, .seed = 1};
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
    int epochs = argc > 3 ? atoi(argv[3]) : smoke ? 30 : 40, members = argc > 4 ? atoi(argv[4]) : smoke ? 2 : 5;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) return puts(usage), 0;
    if ((argc < 3 && !smoke) || argc > 5 || epochs < 1 || members < 2) return fprintf(stderr, "%s\n", usage), 2;
    if (experiment(smoke ? NULL : argv[1], smoke ? NULL : argv[2], epochs, members) == BNN_OK) return 0;
    fprintf(stderr, "%s\n", bnn_error());
    return 2;
}
