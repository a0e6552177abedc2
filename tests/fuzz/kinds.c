/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kinds.h"

#include "files.h"

#include <bnn/calibrate.h>
#include <bnn/diagnose.h>
#include <bnn/store.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NET "dense:5; tanh; dense"
#define NESTED "grid_search:engine=early_stopping{engine=mc_dropout{epochs=60,batch=16},every=4},grid={patience=2|5},samples=5"
#define STOPPER "early_stopping:engine=mc_dropout{gates=concrete,epochs=20,batch=16},every=2,samples=5"

/* ---- files of every kind ---- */

const char *const kinds[N_KINDS] = {"data.h5",       "classes.h5",   "images.h5", "run.h5",        "draws.h5",
                                    "part.h5",       "search.h5",    "refit.h5",  "prediction.h5", "comparison.h5",
                                    "calibrated.h5", "detection.h5", "regret.h5", "acquisition.h5"};
static const char *const begun[N_KINDS] = {[PART] = "map:epochs=30", [SEARCH] = NESTED, [REFIT] = STOPPER};
static const int stopped[N_KINDS] = {[PART] = 3, [SEARCH] = 1, [REFIT] = 20};

static bnn_config config_of(const char *engine) { return (bnn_config){.net = NET, .engine = engine, .seed = 7}; }

static char **names(char first, int n) {
    char **made = calloc((size_t)n, sizeof *made);
    for (int i = 0; i < n; i++) ck_assert_int_gt(asprintf(&made[i], "%c", first + i), 0);
    return made;
}

static bnn_table *named_table(int n, int d, int n_classes) {
    bnn_table *t = table_new(n, d, n_classes, 1);
    t->x_names = names('a', d), t->y_names = names('y', 1);
    if (n_classes) t->class_names = names('A', n_classes);
    return t;
}

static void make_tables(basis *b) {
    bnn_table *images;
    b->classes = named_table(30, 2, 3);
    b->table = named_table(40, 3, 0);
    OK(bnn_table_split(b->table, BNN_SPLIT_KFOLD, 2, 0));
    OK(bnn_table_save(b->table, files_path(kinds[DATA])));
    OK(bnn_table_save(b->classes, files_path(kinds[CLASSES])));
    OK(bnn_table_new(4, (bnn_shape){.rank = 3, .d = {1, 2, 3}}, 0, 0, &images));
    OK(bnn_table_save(images, files_path(kinds[IMAGES])));
    bnn_table_free(images);
    b->rows = data_new(b->table);
}

static void make_run(const basis *b) {
    bnn_run *run;
    bnn_metrics metrics;
    bnn_draws *draws;
    bnn_results results = {.data = b->rows, .metrics = &metrics};
    bnn_prediction *p;
    bnn_predict_options how = {.samples = 4, .seed = 1};
    bnn_config config = config_of("mc_dropout:gates=concrete,epochs=4,batch=16");
    OK(bnn_fit(&config, b->rows, &run));
    OK(bnn_predict(run->engine, b->rows, &how, &p));
    OK(bnn_metrics_compute(p, b->rows, &metrics));
    results.prediction = p;
    OK(bnn_run_save(run, &results, NULL, files_path(kinds[RUN])));
    OK(bnn_prediction_save(run, &results, NULL, files_path(kinds[PREDICTION])));
    bnn_prediction_free(p);
    OK(bnn_draws_open(files_path(kinds[DRAWS]), BNN_KEEP_POSTERIOR | BNN_KEEP_PREDICTIVE, run->engine, b->rows, &how, &draws));
    how.sink = bnn_draws_sink(draws);
    OK(bnn_predict(run->engine, b->rows, &how, &p));
    OK(bnn_run_save(run, &(bnn_results){.data = b->rows, .prediction = p, .metrics = &metrics, .draws = draws}, NULL,
                    files_path(kinds[DRAWS])));
    bnn_prediction_free(p), bnn_run_free(run);
}

static void make_checkpoints(const basis *b) {
    for (int k = 0; k < N_KINDS; k++) {
        bnn_run *run;
        double share;
        bnn_config config = config_of(begun[k]);
        if (!begun[k]) continue;
        OK(bnn_run_new(&config, b->rows, &run));
        while (run->steps < stopped[k]) OK(bnn_run_step(run, b->rows, &share));
        ck_assert(!run->complete);
        OK(bnn_run_save(run, NULL, NULL, files_path(kinds[k])));
        bnn_run_free(run);
    }
}

static void make_comparison(void) {
    bnn_comparison *c;
    OK(bnn_comparison_load(files_path(kinds[RUN]), &c));
    OK(bnn_comparison_save(c, NULL, files_path(kinds[COMPARISON])));
    bnn_comparison_free(c);
}

/* A run whose calibration has numbers that say how many others follow, and what it makes of its rows. */
static void make_calibrated(const basis *b) {
    bnn_run *run;
    bnn_calibration *c;
    bnn_row_scores *scores;
    bnn_data *rows = data_new(b->classes);
    bnn_config config = config_of("map:epochs=4");
    bnn_detections found = {.in = rows, .out = rows};
    OK(bnn_fit(&config, rows, &run));
    OK(bnn_calibrate(run, rows, &(bnn_calibrate_options){.method = BNN_CALIBRATE_ISOTONIC, .samples = 1}, &c));
    bnn_run_set_calibration(run, c);
    OK(bnn_run_save(run, NULL, NULL, files_path(kinds[CALIBRATED])));
    OK(bnn_row_scores_new(run, rows, NULL, &(bnn_predict_options){.samples = 1}, &scores));
    found.in_scores = found.out_scores = scores;
    OK(bnn_detect(rows->n, scores->of[0], rows->n, scores->of[0], &found.of[0]));
    OK(bnn_detect(rows->n, scores->of[1], rows->n, scores->of[1], &found.of[1]));
    OK(bnn_detections_save(&found, NULL, files_path(kinds[DETECTION])));
    bnn_detection_free(found.of[0]), bnn_detection_free(found.of[1]);
    bnn_row_scores_free(scores);
    bnn_run_free(run);
    bnn_data_free(rows);
}

static void make_choices(const basis *b) {
    int step[2] = {5, 10}, row[2] = {3, 0};
    double curves[4] = {1, 2, 1, 4}, ends[2] = {0, 1};
    bnn_regret regret = {.runs = 2, .n_points = 2, .step = step, .regret = curves, .reward = ends, .gradients = ends};
    char rule[] = "greedy", none[] = "";
    bnn_played played = {.game = rule, .policy = rule, .epsilon = NAN, .engine = none, .head = none, .seed = 1, .regret = &regret};
    bnn_acquisition chosen = {.by = rule, .pool = 9, .n = 2, .row = row, .score = ends};
    OK(bnn_played_save(&played, NULL, files_path(kinds[REGRET])));
    OK(bnn_acquisition_save(&chosen, b->table, NULL, files_path(kinds[ACQUISITION])));
}

basis kinds_open(void) {
    basis b;
    omp_set_num_threads(1); /* a team of threads does not survive a fork */
    make_tables(&b);
    make_run(&b);
    make_checkpoints(&b);
    make_comparison();
    make_calibrated(&b);
    make_choices(&b);
    return b;
}

void kinds_close(basis *b) {
    bnn_data_free(b->rows), bnn_table_free(b->table), bnn_table_free(b->classes);
    files_remove();
}

/* ---- every call on one file ---- */

/* Whether it succeeded; a failure has to say which file it is about. */
static bool told(bnn_status s, const char *path) {
    if (s == BNN_OK) return true;
    if (strncmp(bnn_error(), path, strlen(path)) == 0 && strlen(bnn_error()) > strlen(path) + 5) return false;
    fprintf(stderr, "failure without the file's name: %s\n", bnn_error());
    abort();
}

/* What can be done with a run, once it was read. */
static void use(bnn_run *run, const basis *b) {
    bnn_data *rows;
    bnn_prediction *p;
    const bnn_table *table = bnn_engine_fitted(run->engine)->model->likelihood.n_classes > 0 ? b->classes : b->table;
    if (bnn_run_check_names(run, table) < 0 ||
        bnn_data_split(table, -1, BNN_TEST, &bnn_engine_fitted(run->engine)->model->scaling, &rows) < 0)
        return;
    if (bnn_run_predict(run, rows, &(bnn_predict_options){.samples = 2, .seed = 1}, &p) == BNN_OK) bnn_prediction_free(p);
    bnn_data_free(rows);
}

static void go_on(bnn_run *run, const basis *b) {
    double share;
    for (int i = 0; i < 30 && !run->complete; i++)
        if (bnn_run_step(run, b->rows, &share) < 0) return;
}

int kinds_try(const char *path, int kind, const basis *b) {
    char schema[32], where[256];
    bool same;
    bnn_table *t;
    bnn_run *run;
    bnn_outline outline;
    bnn_weights *weights;
    bnn_lint *lint;
    bnn_comparison *c;
    bnn_detection *of[BNN_ROW_SCORES];
    bnn_played *played;
    bnn_acquisition *chosen;
    int taken = told(bnn_file_schema(path, schema), path);
    if (told(bnn_table_load(path, &t), path)) taken++, bnn_table_free(t);
    if (told(bnn_outline_load(path, &outline), path)) taken++, bnn_outline_free(&outline);
    if (told(bnn_weights_load(path, &weights), path)) taken++, bnn_weights_free(weights);
    if (told(bnn_file_lint(path, &lint), path)) taken++, bnn_lint_free(lint);
    if (told(bnn_run_load(path, &run, NULL), path)) taken++, use(run, b), bnn_run_free(run);
    if (told(bnn_comparison_load(path, &c), path)) taken++, bnn_comparison_free(c);
    if (told(bnn_detections_load(path, of), path))
        for (int k = 0; k < BNN_ROW_SCORES; k++) taken += of[k] != NULL, bnn_detection_free(of[k]);
    if (told(bnn_played_load(path, &played), path)) taken++, bnn_played_free(played);
    if (told(bnn_acquisition_load(path, &chosen), path)) taken++, bnn_acquisition_free(chosen);
    if (told(bnn_file_diff(path, files_path(kinds[kind]), &same, where, sizeof where), path)) taken++;
    bnn_config config = config_of(begun[kind] ? begun[kind] : "map");
    if (told(bnn_run_resume(path, &config, b->rows, &(bnn_origin){.split = -1}, &run), path)) taken++, go_on(run, b), bnn_run_free(run);
    return taken;
}
