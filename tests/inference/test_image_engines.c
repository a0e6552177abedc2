/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_image_engines.c: what engines find in images that are kept as bytes is what they find in the same numbers, bit for bit.
 */
#include "files.h"

#include <bnn/attack.h>
#include <bnn/fit.h>
#include <bnn/predict.h>
#include <bnn/store.h>
#include <omp.h>

enum { IMAGES = 30, PIXELS = 2 * 3 * 2 };

/* Images as bytes, or as numbers, of three classes. */
static bnn_table *images(bool bytes) {
    const bnn_shape shape = {.rank = 3, .d = {2, 3, 2}};
    bnn_table *t;
    OK(bytes ? bnn_table_new_images(IMAGES, shape, bnn_shape_vector(1), 3, &t) : bnn_table_new(IMAGES, shape, 1, 3, &t));
    t->scale = BNN_SCALE_CHANNEL;
    for (int i = 0; i < IMAGES * PIXELS; i++) {
        int v = (i * 89 + i / PIXELS % 3 * 40) % 256;
        if (bytes)
            t->pixels[i] = (uint8_t)v;
        else
            t->x[i] = v;
    }
    for (int i = 0; i < IMAGES; i++) t->y[i] = i % 3;
    return t;
}

/* Predicts what it was fitted to. */
static bnn_prediction *fit(const bnn_table *t, const char *engine) {
    bnn_config config = {.net = "flatten; dense:4; tanh; dense", .engine = engine, .seed = 3};
    bnn_prediction *p;
    bnn_data *d;
    bnn_run *run;
    OK(bnn_data_split(t, -1, BNN_TRAIN, NULL, &d));
    OK(bnn_fit(&config, d, &run));
    OK(bnn_predict(run->engine, d, &(bnn_predict_options){.samples = 4, .seed = 2}, &p));
    bnn_run_free(run), bnn_data_free(d);
    return p;
}

START_TEST(bytes_are_numbers_to_every_engine) {
    static const char *const engines[] = {"map:epochs=3,batch=8",
                                          "mc_dropout:epochs=3,batch=8",
                                          "bayes_by_backprop:epochs=3,batch=8",
                                          "held_out_dropout:steps=20,batch=8",
                                          "ensemble:members=2,engine=map{epochs=3}",
                                          "early_stopping:engine=map{epochs=3},share=0.3",
                                          "swag:epochs=6,batch=8",
                                          "svgd:epochs=3,batch=8",
                                          "sgld:burnin=3,samples=6,chains=1",
                                          "sghmc:burnin=3,samples=6,chains=1",
                                          "hmc:warmup=3,samples=6,chains=1",
                                          "nuts:warmup=3,samples=6,chains=1",
                                          "laplace:engine=map{epochs=3}",
                                          "ensemble:members=3,engine=grid_search{engine=hmc{warmup=3,samples=6,chains=1},"
                                          "grid={steps=3|4},share=0.3,samples=2}",
                                          NULL};
    bnn_table *bytes = images(true), *numbers = images(false);
    for (int i = 0; engines[i]; i++) {
        bnn_prediction *a = fit(bytes, engines[i]), *b = fit(numbers, engines[i]);
        ck_assert_msg(memcmp(a->mean, b->mean, IMAGES * 3 * sizeof *a->mean) == 0, "%s: other means", engines[i]);
        ck_assert_msg(memcmp(a->logp, b->logp, IMAGES * sizeof *a->logp) == 0, "%s: other densities", engines[i]);
        bnn_prediction_free(a), bnn_prediction_free(b);
    }
    bnn_table_free(bytes), bnn_table_free(numbers);
}
END_TEST

/* So are they to who goes over rows without an engine: attacks, and the likelihood of all rows. */
START_TEST(bytes_are_numbers_to_attacks) {
    bnn_table *from[] = {images(true), images(false)}, *attacked[2];
    for (int k = 0; k < 2; k++) {
        bnn_config config = {.net = "flatten; dense:4; tanh; dense", .engine = "map:epochs=3,batch=8", .seed = 3};
        bnn_data *d;
        bnn_run *run;
        OK(bnn_data_split(from[k], -1, BNN_TRAIN, NULL, &d));
        OK(bnn_fit(&config, d, &run));
        OK(bnn_attack(run, d, &(bnn_attack_options){.size = sizeof(bnn_attack_options), .eps = 0.1}, &attacked[k]));
        bnn_run_free(run), bnn_data_free(d);
    }
    ck_assert_mem_eq(attacked[0]->x, attacked[1]->x, IMAGES * PIXELS * sizeof(double));
    int moved = 0;
    for (int i = 0; i < IMAGES * PIXELS; i++) moved += attacked[0]->x[i] != from[0]->pixels[i];
    ck_assert_int_gt(moved, IMAGES * PIXELS / 2);
    for (int k = 0; k < 2; k++) bnn_table_free(from[k]), bnn_table_free(attacked[k]);
}
END_TEST

/* Changes of images come from streams that threads do not see. */
START_TEST(changed_images_have_the_same_bits_at_any_number_of_threads) {
    const char *const engine = "map:epochs=3,batch=8,augment=flip,crop,shift";
    bnn_table *t = images(true);
    omp_set_num_threads(1);
    bnn_prediction *one = fit(t, engine), *plain = fit(t, "map:epochs=3,batch=8");
    omp_set_num_threads(3);
    bnn_prediction *three = fit(t, engine);
    ck_assert_mem_eq(one->mean, three->mean, IMAGES * 3 * sizeof *one->mean);
    ck_assert(memcmp(one->mean, plain->mean, IMAGES * 3 * sizeof *one->mean) != 0);
    bnn_prediction_free(one), bnn_prediction_free(three), bnn_prediction_free(plain), bnn_table_free(t);
}
END_TEST

/* The step is part of the address: what was stopped in between goes on with the same changes. */
START_TEST(changes_go_on_where_they_were_stopped) {
    bnn_config config = {.net = "flatten; dense:4; tanh; dense", .engine = "map:epochs=4,batch=8,augment=flip,crop,shift", .seed = 3};
    const bnn_origin nowhere = {.split = -1};
    bnn_table *t = images(true);
    bnn_data *d;
    bnn_run *run;
    double share;
    bool same;
    char where[512];
    OK(bnn_data_split(t, -1, BNN_TRAIN, NULL, &d));
    OK(bnn_fit(&config, d, &run));
    OK(bnn_run_save(run, NULL, &(bnn_provenance){.split = -1}, files_path("whole.h5")));
    bnn_run_free(run);
    OK(bnn_run_new(&config, d, &run));
    for (int k = 0; k < 4; k++) {
        OK(bnn_run_step(run, d, &share));
        OK(bnn_run_save(run, NULL, &(bnn_provenance){.split = -1}, files_path("part.h5")));
        bnn_run_free(run);
        OK(bnn_run_resume(files_path("part.h5"), &config, d, &nowhere, &run));
    }
    OK(bnn_file_diff(files_path("whole.h5"), files_path("part.h5"), &same, where, sizeof where));
    ck_assert_msg(same, "%s", where);
    bnn_run_free(run), bnn_data_free(d), bnn_table_free(t);
    files_remove();
}
END_TEST

START_TEST(a_network_is_chosen_where_one_would_do) {
    bnn_table *t = images(true), *maps;
    OK(bnn_table_new_images(4, (bnn_shape){.rank = 3, .d = {1, 2, 2}}, (bnn_shape){.rank = 2, .d = {2, 2}}, 3, &maps));
    bnn_config config = {.engine = "map:epochs=1", .seed = 1}, whole = {.seed = 1};
    bnn_data *d = data_new(t), *m = data_new(maps);
    bnn_run *run;
    OK(bnn_run_new(&config, d, &run));
    ck_assert_str_eq(run->engine->plain_net, "flatten; dense:50; relu; dense");
    bnn_run_free(run);
    SAYS(bnn_run_new(&config, m, &run), "no network is chosen for maps of classes: name one that keeps the");
    SAYS(bnn_run_new(&whole, m, &run), "no network is chosen for maps of classes");
    config.net = "conv2d:0,kernel=1";
    OK(bnn_run_new(&config, m, &run));
    bnn_run_free(run), bnn_data_free(d), bnn_data_free(m), bnn_table_free(t), bnn_table_free(maps);
}
END_TEST

/* Two poolings leave nothing of smaller ones. */
START_TEST(pictures_get_convolutions) {
    static const struct {
        int height, width;
        bool convolutions;
    } tried[] = {{12, 12, true}, {12, 40, true}, {11, 40, false}, {40, 11, false}};
    for (size_t i = 0; i < sizeof tried / sizeof *tried; i++) {
        bnn_table *t;
        bnn_run *run;
        const bnn_shape shape = {.rank = 3, .d = {1, tried[i].height, tried[i].width}};
        OK(bnn_table_new_images(4, shape, bnn_shape_vector(1), 2, &t));
        t->y[0] = 1;
        bnn_data *d = data_new(t);
        for (int named = 0; named < 2; named++) {
            OK(bnn_run_new(&(bnn_config){sizeof(bnn_config), .seed = 1, .engine = named ? "map" : "auto"}, d, &run));
            ck_assert_msg((strstr(bnn_run_net(run), "conv2d") != NULL) == tried[i].convolutions, "%dx%d: %s", tried[i].height,
                          tried[i].width, bnn_run_net(run));
            bnn_run_free(run);
        }
        bnn_data_free(d), bnn_table_free(t);
    }
}
END_TEST

int main(void) {
    return run_tests("images", (const TTest *const[]){bytes_are_numbers_to_every_engine, bytes_are_numbers_to_attacks,
                                                      changed_images_have_the_same_bits_at_any_number_of_threads,
                                                      changes_go_on_where_they_were_stopped, a_network_is_chosen_where_one_would_do,
                                                      pictures_get_convolutions, NULL});
}
