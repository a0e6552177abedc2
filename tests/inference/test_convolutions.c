/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_convolutions.c: every engine on a small convolutional classifier and on a small network that makes maps of classes: it fits,
 * predicts better than the shares of the classes, and has the same bits at one thread and at two; or it refuses in a sentence.
 */
#include "files.h"

#include <bnn/fit.h>
#include <bnn/metrics.h>
#include <bnn/predict.h>
#include <math.h>
#include <omp.h>

enum { IMAGES = 36, HEIGHT = 7, WIDTH = 9, PIXELS = HEIGHT * WIDTH, CLASSES = 3 };

static const char classifier[] = "conv2d:4,padding=1; relu; maxpool2d; flatten; dense",
                  segmenter[] = "conv2d:5,padding=1; relu; conv2d:kernel=1";

/* Images with three bands of grounds, the edges of which differ from row to row, or one ground: one class a row, or a map with some void.
 */
static bnn_table *images(bool maps) {
    bnn_table *t;
    OK(bnn_table_new_images(IMAGES, (bnn_shape){.rank = 3, .d = {2, HEIGHT, WIDTH}},
                            maps ? (bnn_shape){.rank = 2, .d = {HEIGHT, WIDTH}} : bnn_shape_vector(1), CLASSES, &t));
    t->scale = BNN_SCALE_CHANNEL;
    for (int i = 0; i < IMAGES; i++) {
        if (!maps) t->y[i] = i % CLASSES;
        for (int p = 0; p < PIXELS; p++) {
            int ground = maps ? (p % WIDTH + i) / 3 % CLASSES : i % CLASSES, noise = (i * 31 + p * p * 17) % 60;
            t->pixels[i * 2 * PIXELS + p] = (uint8_t)(40 + 70 * (ground == 1) + noise);
            t->pixels[i * 2 * PIXELS + PIXELS + p] = (uint8_t)(40 + 70 * (ground == 2) + noise);
            if (maps) t->y[i * PIXELS + p] = p % 10 == 3 ? -1 : ground;
        }
    }
    return t;
}

static bnn_status fit(const bnn_data *d, const char *net, const char *engine, bnn_run **run, bnn_prediction **p) {
    BNN_TRY(bnn_fit(&(bnn_config){sizeof(bnn_config), .net = net, .engine = engine, .seed = 3}, d, run));
    return bnn_predict((*run)->engine, d, &(bnn_predict_options){sizeof(bnn_predict_options), .samples = 6, .seed = 2}, p);
}

/* Fits at one thread and at two; a mean log probability above that of equal ones. */
static void try_engine(const bnn_data *d, const char *net, const char *engine) {
    bnn_prediction *p[2];
    bnn_metrics m;
    for (int k = 0; k < 2; k++) {
        bnn_run *run;
        omp_set_num_threads(k + 1);
        ck_assert_msg(fit(d, net, engine, &run, &p[k]) == BNN_OK, "%s: %s", engine, bnn_error());
        bnn_run_free(run);
    }
    size_t bytes = (size_t)p[0]->n * (size_t)p[0]->mean_dim * sizeof *p[0]->mean;
    ck_assert_msg(memcmp(p[0]->mean, p[1]->mean, bytes) == 0, "%s: two threads give other bits", engine);
    OK(bnn_metrics_compute(p[0], d, &m));
    ck_assert_msg(m.ll > -log(CLASSES), "%s: log-likelihood %g", engine, m.ll);
    bnn_prediction_free(p[0]), bnn_prediction_free(p[1]);
}

#define COMMON                                                                                                                \
    "map:epochs=60,lr=0.02", "mc_dropout:epochs=60,lr=0.02", "bayes_by_backprop:epochs=80,lr=0.03",                           \
        "ensemble:members=2,engine=map{epochs=40,lr=0.02}", "swag:epochs=60,lr=0.02", "sgld:burnin=20,samples=8,chains=1",    \
        "sghmc:burnin=20,samples=8,chains=1", "grid_search:engine=mc_dropout{epochs=40,lr=0.02},grid={p=0.05|0.2},samples=4", \
        "early_stopping:engine=map{epochs=60,lr=0.02}", "hmc:warmup=20,samples=8,chains=1,steps=5", "svgd:epochs=60,particles=4,lr=0.03"

static void try_all(bool maps, const char *net, const char *const *engines) {
    bnn_table *t = images(maps);
    bnn_data *d;
    OK(bnn_data_split(t, -1, BNN_TRAIN, NULL, &d));
    for (int i = 0; engines[i]; i++) try_engine(d, net, engines[i]);
    bnn_data_free(d), bnn_table_free(t);
}

START_TEST(engines_fit_a_convolutional_classifier) {
    static const char *const engines[] = {COMMON, "laplace:engine=map{epochs=60,lr=0.02}",
                                          "laplace:engine=map{epochs=60,lr=0.02},structure=diag",
                                          "laplace:engine=map{epochs=60,lr=0.02},structure=diag,subset=last_layer", NULL};
    try_all(false, classifier, engines);
}
END_TEST

START_TEST(engines_fit_maps_of_classes) {
    static const char *const engines[] = {COMMON, NULL};
    try_all(true, segmenter, engines);
}
END_TEST

START_TEST(the_curvature_of_maps_is_refused) {
    bnn_table *t = images(true);
    bnn_data *d;
    bnn_run *run;
    bnn_prediction *p;
    OK(bnn_data_split(t, -1, BNN_TRAIN, NULL, &d));
    SAYS(fit(d, segmenter, "laplace", &run, &p), "the curvature of maps of classes takes a backward pass for each of the 189 outputs of a "
                                                 "row: for maps take swag, mc_dropout or an ensemble");
    bnn_data_free(d), bnn_table_free(t);
}
END_TEST

/* Networks that are chosen end with a vector. */
START_TEST(no_network_is_chosen_for_maps) {
    bnn_table *t = images(true);
    bnn_data *d;
    bnn_run *run;
    OK(bnn_data_split(t, -1, BNN_TRAIN, NULL, &d));
    SAYS(bnn_fit(&(bnn_config){.size = sizeof(bnn_config)}, d, &run),
         "no network is chosen for maps of classes: name one that keeps the [7x9] pixels");
    bnn_data_free(d), bnn_table_free(t);
}
END_TEST

/* A run says of maps what it is worth by pixels that are not void, and chains are told by the mean probability of each class. */
START_TEST(runs_on_maps_are_judged) {
    bnn_table *t = images(true);
    bnn_data *d;
    bnn_run *run;
    bnn_prediction *p;
    bnn_remarks *verdicts;
    bool worse = false, short_chains = false;
    OK(bnn_data_split(t, -1, BNN_TRAIN, NULL, &d));
    OK(fit(d, segmenter, "sgld:burnin=1,samples=40,chains=2,lr=1e-9", &run, &p));
    OK(bnn_remarks_new(&verdicts));
    OK(bnn_run_judge(run, d, d->n, p, d, verdicts));
    for (int i = 0; i < bnn_remarks_count(verdicts); i++) {
        const char *code = bnn_remark_code(verdicts, i), *sentence = bnn_remark_sentence(verdicts, i);
        worse |= (strcmp(code, "worse_than_mean") == 0 || strcmp(code, "diverged") == 0) && strstr(sentence, "nats a pixel below that of");
        short_chains |= strcmp(code, "chains_apart") == 0 && strstr(sentence, "of 90 predictions"); /* of 30 rows, three classes each */
    }
    ck_assert_msg(worse && short_chains, "%d verdicts", bnn_remarks_count(verdicts));
    bnn_remarks_free(verdicts), bnn_prediction_free(p), bnn_run_free(run), bnn_data_free(d), bnn_table_free(t);
}
END_TEST

/* Where Kronecker factors would be chosen, a convolution, which has none, gets the diagonal; asked for by name they are refused. */
START_TEST(laplace_chooses_the_diagonal_of_convolutions) {
    static const char wide[] = "conv2d:20,padding=1; relu; conv2d:10; relu; flatten; dense";
    bnn_table *t = images(false);
    bnn_data *d;
    bnn_run *run;
    bnn_prediction *p;
    OK(bnn_data_split(t, -1, BNN_TRAIN, NULL, &d));
    OK(fit(d, wide, "laplace:engine=map{epochs=4}", &run, &p));
    bnn_prediction_free(p), bnn_run_free(run);
    SAYS(fit(d, wide, "laplace:engine=map{epochs=4},structure=kron", &run, &p), "structure=kron is for affine layers, but node 'conv2d_1'");
    bnn_data_free(d), bnn_table_free(t);
}
END_TEST

int main(void) {
    return run_tests("convolutions", (const TTest *const[]){engines_fit_a_convolutional_classifier, engines_fit_maps_of_classes,
                                                            the_curvature_of_maps_is_refused, no_network_is_chosen_for_maps,
                                                            runs_on_maps_are_judged, laplace_chooses_the_diagonal_of_convolutions, NULL});
}
