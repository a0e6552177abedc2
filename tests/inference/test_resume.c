/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Stopped, saved, read back and gone on with is uninterrupted, bit for bit, for every engine and wherever it stops.
 */
#include "files.h"

#include <bnn/diagnose.h>
#include <bnn/store.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NET "dense:5; tanh; dense"

typedef struct {
    bnn_table *table;
    bnn_data *train;
} rows;

static rows rows_open(void) {
    rows r = {.table = table_new(40, 3, 0, 1)};
    r.train = data_new(r.table);
    return r;
}

static void rows_close(rows *r) {
    bnn_data_free(r->train);
    bnn_table_free(r->table);
    files_remove();
}

/* Where scales move in a way of their own there have to be some. */
static bnn_config config_of(const char *engine) {
    return (bnn_config){.net = NET, .engine = engine, .prior = strstr(engine, "scales=") ? "hierarchical" : NULL, .seed = 7};
}

static const bnn_origin nowhere = {.split = -1};

/* Steps a run until it is complete, or has made `most`. */
static void advance(bnn_run *run, const bnn_data *train, int most) {
    double share;
    while (!run->complete && run->steps < most) OK(bnn_run_step(run, train, &share));
}

static void save(const bnn_run *run, const char *path) { OK(bnn_run_save(run, NULL, &(bnn_provenance){.split = -1}, path)); }

static void assert_same_file(const char *a, const char *b, const char *spec, int stop) {
    bool same;
    char where[512];
    OK(bnn_file_diff(a, b, &same, where, sizeof where));
    ck_assert_msg(same, "%s, stopped after step %d: %s", spec, stop, where);
}

/* The file of an uninterrupted run, and how many steps it took. */
static int uninterrupted(const char *spec, const bnn_data *train, const char *path) {
    bnn_run *run;
    bnn_config config = config_of(spec);
    OK(bnn_run_new(&config, train, &run));
    advance(run, train, INT32_MAX);
    save(run, path);
    int steps = run->steps;
    bnn_run_free(run);
    return steps;
}

/* Stops after each of `by` steps, goes on from the file alone, and ends like the other. */
static void goes_on(const char *spec, const bnn_data *train, int by) {
    const char *whole = files_path("whole.h5"), *part = files_path("part.h5");
    bnn_config config = config_of(spec);
    int steps = uninterrupted(spec, train, whole), made = 0;
    for (bool complete = false; !complete; made += by) {
        bnn_run *run;
        if (made == 0)
            OK(bnn_run_new(&config, train, &run));
        else
            OK(bnn_run_resume(part, &config, train, &nowhere, &run));
        ck_assert_int_eq(run->steps, made); /* one that restores nothing begins anew */
        advance(run, train, made + by);
        complete = run->complete;
        if (complete) ck_assert_int_eq(run->steps, steps);
        save(run, part);
        bnn_run_free(run);
    }
    assert_same_file(whole, part, spec, by);
}

START_TEST(every_engine_goes_on) {
    rows r = rows_open();
    for (const bnn_type *t = NULL; (t = bnn_type_next(BNN_ENGINE, t));)
        for (int k = 0; t->checks[k]; k++) {
            goes_on(t->checks[k], r.train, 1);
            goes_on(t->checks[k], r.train, 7);
        }
    rows_close(&r);
}
END_TEST

START_TEST(scales_go_on) {
    rows r = rows_open();
    goes_on("hmc:steps=5,chains=2,samples=3,warmup=5,scales=gibbs", r.train, 1);
    goes_on("hmc:steps=5,chains=2,samples=3,warmup=5,scales=noncentred", r.train, 1);
    goes_on("nuts:max_depth=3,chains=2,samples=3,warmup=5,scales=noncentred", r.train, 3);
    rows_close(&r);
}
END_TEST

/* In the middle of the cells, in the middle of the probe, in the refit of each; one inside the other. */
START_TEST(engines_that_hold_others_go_on) {
    rows r = rows_open();
    goes_on("grid_search:engine=mc_dropout{epochs=70,batch=16},grid={p=0.05|0.2;likelihood.tau=0.5|2}", r.train, 1);
    goes_on("early_stopping:engine=mc_dropout{gates=concrete,epochs=60,batch=16},every=3,patience=4", r.train, 1);
    goes_on("ensemble:engine=early_stopping{engine=mc_dropout{epochs=300,batch=16,lr=0.01},every=1,patience=5},members=3", r.train, 1);
    goes_on("ensemble:engine=held_out_dropout{steps=300,batch=16},members=2", r.train, 1);
    goes_on("ensemble:engine=ensemble{engine=swag{epochs=60,batch=16},members=2},members=2", r.train, 2);
    goes_on("grid_search:engine=early_stopping{engine=mc_dropout{epochs=30,batch=16},every=4},grid={patience=2|5},samples=20", r.train, 1);
    rows_close(&r);
}
END_TEST

/* A history that was thinned before the stop goes on with its stride. */
START_TEST(a_long_course_goes_on) {
    rows r = rows_open();
    goes_on("map:epochs=1100", r.train, 300);
    rows_close(&r);
}
END_TEST

/* It predicts what it did, as it has nothing left to do. */
static void stays(const char *spec, const bnn_data *train) {
    const bnn_predict_options how = {.samples = 20, .seed = 3};
    bnn_config config = config_of(spec);
    bnn_run *run, *back;
    bnn_prediction *a, *b;
    OK(bnn_fit(&config, train, &run));
    save(run, files_path("run.h5"));
    OK(bnn_run_resume(files_path("run.h5"), &config, train, &nowhere, &back));
    ck_assert(back->complete && back->steps == run->steps);
    OK(bnn_predict(run->engine, train, &how, &a));
    OK(bnn_predict(back->engine, train, &how, &b));
    ck_assert_msg(memcmp(a->mean, b->mean, (size_t)a->n * sizeof *a->mean) == 0, "%s predicts otherwise once resumed", spec);
    bnn_prediction_free(a), bnn_prediction_free(b), bnn_run_free(run), bnn_run_free(back);
}

START_TEST(a_complete_run_stays) {
    rows r = rows_open();
    for (const bnn_type *t = NULL; (t = bnn_type_next(BNN_ENGINE, t));) stays(t->checks[0], r.train);
    rows_close(&r);
}
END_TEST

/* The file says that it is no whole run; what it can predict with, it gives. */
START_TEST(a_checkpoint_predicts_if_it_can) {
    rows r = rows_open();
    bnn_run *run, *back;
    char schema[32];
    bnn_config config = config_of("map:epochs=30");
    OK(bnn_run_new(&config, r.train, &run));
    advance(run, r.train, 3);
    save(run, files_path("part.h5"));
    OK(bnn_file_schema(files_path("part.h5"), schema));
    ck_assert_str_eq(schema, "bnn-model");
    OK(bnn_run_load(files_path("part.h5"), &back, NULL));
    ck_assert(!back->complete);
    bnn_prediction *a, *b;
    OK(bnn_predict(run->engine, r.train, &(bnn_predict_options){0}, &a));
    OK(bnn_predict(back->engine, r.train, &(bnn_predict_options){0}, &b));
    ck_assert_mem_eq(a->mean, b->mean, (size_t)a->n * sizeof *a->mean);
    bnn_prediction_free(a), bnn_prediction_free(b), bnn_run_free(run), bnn_run_free(back);
    config = config_of("grid_search:engine=map{epochs=100},grid={lr=0.01|0.1}");
    OK(bnn_run_new(&config, r.train, &run));
    advance(run, r.train, 1);
    save(run, files_path("part.h5"));
    REFUSED(bnn_run_load(files_path("part.h5"), &back, NULL), "part.h5: was stopped before its engine had fitted anything that predicts");
    bnn_run_free(run);
    rows_close(&r);
}
END_TEST

/* What a file says of itself, whether there is anything to load or not. */
START_TEST(a_checkpoint_says_what_it_is) {
    rows r = rows_open();
    bnn_run *run;
    bnn_outline o;
    bnn_config config = config_of("grid_search:engine=map{epochs=100},grid={lr=0.01|0.1}");
    OK(bnn_run_new(&config, r.train, &run));
    advance(run, r.train, 2);
    OK(bnn_run_save(run, NULL, &(bnn_provenance){.split = 2, .data_path = "d.h5"}, files_path("part.h5")));
    OK(bnn_outline_load(files_path("part.h5"), &o));
    ck_assert(!o.complete && !o.predicts && o.steps == 2 && o.seed == 7 && o.rows == 0 && o.kept == 0);
    ck_assert_str_eq(o.engine, run->engine_text);
    ck_assert_str_eq(o.origin.data_path, "d.h5");
    ck_assert_ptr_null(o.origin.data_sha256);
    ck_assert_int_eq(o.origin.split, 2);
    bnn_outline_free(&o);
    advance(run, r.train, INT32_MAX);
    save(run, files_path("run.h5"));
    OK(bnn_outline_load(files_path("run.h5"), &o));
    ck_assert(o.complete && o.predicts && o.steps == run->steps && o.origin.split == -1);
    bnn_outline_free(&o);
    REFUSED(bnn_outline_load(files_path("none.h5"), &o), "none.h5: No such file or directory");
    ck_assert_ptr_null(o.engine);
    bnn_run_free(run);
    rows_close(&r);
}
END_TEST

/* The scores of cells that have none yet are not there; what the cells are is known from the start. */
START_TEST(a_grid_on_its_way_has_no_scores) {
    rows r = rows_open();
    bnn_run *run;
    bnn_column c[BNN_MAX_COLUMNS];
    bnn_config config = config_of("grid_search:engine=map{epochs=100},grid={lr=0.01|0.1}");
    OK(bnn_run_new(&config, r.train, &run));
    advance(run, r.train, 1);
    ck_assert_int_eq(bnn_engine_vtable(run->engine)->columns(run->engine, c), 3);
    for (int i = 0; i < 2; i++) ck_assert(c[0].data[i] == (i ? 0.1 : 0.01) && isnan(c[1].data[i]) && isnan(c[2].data[i]));
    advance(run, r.train, INT32_MAX);
    for (int i = 0; i < 2; i++) ck_assert(c[0].data[i] == (i ? 0.1 : 0.01) && isfinite(c[1].data[i]) && c[2].data[i] == 100);
    bnn_run_free(run);
    rows_close(&r);
}
END_TEST

START_TEST(other_work_is_refused) {
    rows r = rows_open();
    bnn_run *run;
    bnn_config config = config_of("map:epochs=30"), other;
    OK(bnn_run_new(&config, r.train, &run));
    advance(run, r.train, 3);
    OK(bnn_run_save(run, NULL, &(bnn_provenance){.split = 2, .data_sha256 = "abc"}, files_path("part.h5")));
    bnn_run_free(run);
    const bnn_origin same = {.split = 2, .data_sha256 = (char[]){"abc"}};
    OK(bnn_run_resume(files_path("part.h5"), &config, r.train, &same, &run));
    bnn_run_free(run);
    other = config, other.engine = "map:optimizer=adam{eps=1e-8,beta2=0.999},epochs=30"; /* the same values in another order */
    OK(bnn_run_resume(files_path("part.h5"), &other, r.train, &same, &run));
    bnn_run_free(run);
    other = config, other.seed = 8;
    REFUSED(bnn_run_resume(files_path("part.h5"), &other, r.train, &same, &run),
            "part.h5: was begun with seed '7', now '8' is asked for");
    other = config, other.net = "dense:6; tanh; dense";
    SAYS(bnn_run_resume(files_path("part.h5"), &other, r.train, &same, &run), "was begun with net 'input; dense:units=5");
    other = config, other.engine = "map:epochs=31";
    SAYS(bnn_run_resume(files_path("part.h5"), &other, r.train, &same, &run), "was begun with engine 'map:epochs=30");
    other = config, other.prior = "gauss:2";
    SAYS(bnn_run_resume(files_path("part.h5"), &other, r.train, &same, &run), "was begun with prior 'gauss:");
    REFUSED(bnn_run_resume(files_path("part.h5"), &config, r.train, &(bnn_origin){.split = 1, .data_sha256 = (char[]){"abc"}}, &run),
            "part.h5: was begun with split 2, now 1 is asked for");
    REFUSED(bnn_run_resume(files_path("part.h5"), &config, r.train, &(bnn_origin){.split = 2, .data_sha256 = (char[]){"abd"}}, &run),
            "part.h5: was begun with data_sha256 'abc', now 'abd' is asked for");
    REFUSED(bnn_run_resume(files_write("text.h5", "text"), &config, r.train, &same, &run), "text.h5: is not an HDF5 file");
    rows_close(&r);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {every_engine_goes_on,
                                  scales_go_on,
                                  engines_that_hold_others_go_on,
                                  a_long_course_goes_on,
                                  a_complete_run_stays,
                                  a_checkpoint_predicts_if_it_can,
                                  a_checkpoint_says_what_it_is,
                                  a_grid_on_its_way_has_no_scores,
                                  other_work_is_refused,
                                  NULL};
    return run_tests("resume", tests);
}
