/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_facade.c: the whole way of a program that includes bnn.h and nothing else of the library; options of programs older and newer than
 * it.
 */
#include <bnn/bnn.h>

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OK(call) ck_assert_msg((call) == BNN_OK, "%s", bnn_error())
#define SAYS(call, part)                                                                        \
    do {                                                                                        \
        ck_assert_int_lt((call), 0);                                                            \
        ck_assert_msg(strstr(bnn_error(), (part)) != NULL, "the sentence is: %s", bnn_error()); \
    } while (0)

enum { N = 20 };
static const char *const x_names[] = {"slope", "noise"}, *const y_names[] = {"price"}, *const class_names[] = {"low", "high"};

/* y = 3 x_0, or whether that is above 0. */
static bnn_table *table_new(bool classes) {
    double x[2 * N], y[N];
    bnn_table *table;
    bnn_arrays arrays = {sizeof arrays, .n = N, .x_size = 2, .y_dim = 1, .n_classes = classes ? 2 : 0, .x = x, .y = y, .title = "line"};
    arrays.x_names = x_names, arrays.y_names = y_names, arrays.class_names = classes ? class_names : NULL;
    OK(bnn_stream_normal(bnn_stream_split(bnn_stream_seed(1), 2), N, 2, x));
    for (int i = 0; i < N; i++) y[i] = classes ? x[2 * i] > 0 : 3 * x[2 * i];
    OK(bnn_table_from(&arrays, &table));
    return table;
}

/* ---------------------------------------------------------------- tables and rows */

START_TEST(a_table_of_arrays_has_them) {
    bnn_table *table = table_new(true);
    ck_assert_int_eq(bnn_table_rows(table), N);
    ck_assert_int_eq(bnn_table_features(table), 2);
    ck_assert_int_eq(bnn_table_targets(table), 1);
    ck_assert_int_eq(bnn_table_classes(table), 2);
    ck_assert_str_eq(bnn_table_title(table), "line");
    ck_assert_str_eq(bnn_table_feature_name(table, 1), "noise");
    ck_assert_str_eq(bnn_table_target_name(table, 0), "price");
    ck_assert_str_eq(bnn_table_class_name(table, 1), "high");
    ck_assert_ptr_null(bnn_table_feature_name(table, 2));
    for (int i = 0; i < N; i++) ck_assert_double_eq(bnn_table_y(table)[i], bnn_table_x(table)[2 * i] > 0);
    OK(bnn_table_split(table, BNN_SPLIT_KFOLD, 4, 1));
    ck_assert_int_eq(bnn_table_splits(table), 4);
    ck_assert_int_eq(bnn_table_count(table, 0, BNN_TEST), N / 4);
    bnn_table_free(table);
}
END_TEST

START_TEST(arrays_that_make_no_table_are_refused) {
    double x[4] = {0, 1, 2, NAN}, y[4] = {0, 1, 2, 3};
    bnn_table *table;
    SAYS(bnn_table_from(&(bnn_arrays){.n = 0, .x_size = 1, .x = x}, &table), "arrays of 0 rows");
    SAYS(bnn_table_from(&(bnn_arrays){.n = 4, .x_size = 1, .y_dim = 2, .n_classes = 2, .x = x, .y = y}, &table), "classes are one target");
    SAYS(bnn_table_from(&(bnn_arrays){.n = 4, .x_size = 1, .y_dim = 1, .x = x}, &table), "the array of targets is NULL");
    SAYS(bnn_table_from(&(bnn_arrays){.n = 4, .x_size = 1, .y_dim = 1, .x = x, .y = y}, &table), "row 4, column 1: nan");
    ck_assert_ptr_null(table);
}
END_TEST

START_TEST(rows_are_scaled_or_not) {
    bnn_table *table = table_new(false);
    bnn_data *own, *as_they_are;
    OK(bnn_data_range(table, 5, N, NULL, &own));
    OK(bnn_data_unscaled(table, 0, 5, &as_they_are));
    ck_assert_int_eq(bnn_data_rows(own), N - 5);
    double mean = 0;
    for (int i = 5; i < N; i++) mean += bnn_table_y(table)[i] / (N - 5);
    ck_assert_double_eq_tol(bnn_scaling_y_mean(bnn_data_scaling(own))[0], mean, 1e-12);
    ck_assert_double_gt(bnn_scaling_y_sd(bnn_data_scaling(own))[0], 0);
    ck_assert_double_eq(bnn_scaling_x_mean(bnn_data_scaling(as_they_are))[1], 0);
    ck_assert_double_eq(bnn_scaling_x_sd(bnn_data_scaling(as_they_are))[1], 1);
    bnn_data_free(own), bnn_data_free(as_they_are);
    SAYS(bnn_data_range(table, 5, N + 1, NULL, &own), "rows [5, 21) were asked for of a table of 20");
    bnn_table_free(table);
}
END_TEST

/* ---------------------------------------------------------------- the whole way */

static bool stop_at_third(void *context, double share) {
    (void)share;
    return ++*(int *)context == 3;
}

START_TEST(a_run_is_stopped_saved_resumed_and_predicts) {
    char path[] = "/tmp/bnn_facade_XXXXXX";
    int calls = 0;
    bnn_table *table = table_new(false);
    bnn_data *train;
    bnn_run *run, *whole;
    bnn_prediction *p, *other;
    ck_assert_int_ge(close(mkstemp(path)), 0);
    bnn_config config = {sizeof config, .net = "dense:4; relu; dense", .engine = "mc_dropout:gates=concrete,epochs=9", .seed = 4};
    OK(bnn_data_split(table, -1, BNN_TRAIN, NULL, &train));
    OK(bnn_fit(&config, train, &whole));
    config.progress = stop_at_third, config.context = &calls;
    OK(bnn_fit(&config, train, &run));
    ck_assert(!bnn_run_complete(run));
    ck_assert_int_eq(bnn_run_steps(run), 3);
    OK(bnn_run_save(run, NULL, NULL, path));
    bnn_run_free(run);
    OK(bnn_run_resume(path, &config, train, NULL, &run));
    for (double share; !bnn_run_complete(run);) OK(bnn_run_step(run, train, &share));
    ck_assert_double_eq(bnn_run_progress(run), 1);
    bnn_predict_options how = {sizeof how, .samples = 30, .seed = 2};
    OK(bnn_run_predict(run, train, &how, &p));
    OK(bnn_run_predict(whole, train, &how, &other));
    ck_assert_int_eq(bnn_prediction_rows(p), N);
    ck_assert_int_eq(bnn_prediction_dim(p), 1);
    ck_assert_int_eq(bnn_prediction_samples(p), 30);
    ck_assert_mem_eq(bnn_prediction_mean(p), bnn_prediction_mean(other), N * sizeof(double));
    ck_assert_mem_eq(bnn_prediction_logp(p), bnn_prediction_logp(other), N * sizeof(double));
    bnn_prediction_free(p), bnn_prediction_free(other), bnn_run_free(run), bnn_run_free(whole);
    bnn_data_free(train), bnn_table_free(table), unlink(path);
}
END_TEST

/* ---------------------------------------------------------------- named columns */

static const char *const columns[] = {"colour", "size", "price"};
static const char *const colours[] = {"red", "blue", "red", "green", "blue", "green", "red", "blue"};
static const double sizes[] = {1, 2, 3, 4, 5, 6, 7, NAN}, prices[] = {1, 4, 3, 9, 7, 11, 7, 9};

/* A fit to prices by colour and size, of which one is missing. */
static bnn_run *priced_run(bnn_table **table, bnn_data **train) {
    bnn_run *run;
    bnn_columns all = {sizeof all, .n = 8, .n_columns = 3, .names = columns};
    all.texts = (const char *const *const[]){colours, NULL, NULL}, all.numbers = (const double *const[]){NULL, sizes, prices};
    OK(bnn_import_columns(&all, &(bnn_csv_options){sizeof(bnn_csv_options), .targets = "price", .missing = BNN_MISSING_MEAN}, table));
    OK(bnn_data_split(*table, -1, BNN_TRAIN, NULL, train));
    OK(bnn_fit(&(bnn_config){.net = "dense:4; relu; dense", .engine = "map:epochs=20"}, *train, &run));
    return run;
}

START_TEST(named_columns_are_predicted) {
    bnn_table *table, *new;
    bnn_data *train, *rows;
    bnn_prediction *fitted, *p;
    bnn_run *run = priced_run(&table, &train);
    OK(bnn_run_predict(run, train, NULL, &fitted));
    bnn_columns some = {sizeof some, .n = 2, .n_columns = 2, .names = (const char *const[]){"size", "colour"}};
    some.numbers = (const double *const[]){(const double[]){2, NAN}, NULL};
    some.texts = (const char *const *const[]){NULL, (const char *const[]){"blue", "blue"}};
    OK(bnn_columns_like(&some, bnn_run_schema(run), NULL, &new));
    ck_assert_int_eq(bnn_table_targets(new), 0);
    OK(bnn_data_range(new, 0, 2, bnn_run_scaling(run), &rows));
    OK(bnn_run_predict(run, rows, NULL, &p));
    ck_assert_double_eq_tol(bnn_prediction_mean(p)[0], bnn_prediction_mean(fitted)[1], 1e-5);
    ck_assert_double_eq_tol(bnn_prediction_mean(p)[1], bnn_prediction_mean(fitted)[7], 1e-5);
    bnn_prediction_free(p), bnn_data_free(rows), bnn_table_free(new);
    some.texts = (const char *const *const[]){NULL, (const char *const[]){"blue", "mauve"}};
    SAYS(bnn_columns_like(&some, bnn_run_schema(run), NULL, &new),
         "row 2, column 'colour': 'mauve' is an unknown level: there are blue, green, red");
    bnn_prediction_free(fitted), bnn_run_free(run), bnn_data_free(train), bnn_table_free(table);
}
END_TEST

START_TEST(files_are_read_like_the_table_of_a_run) {
    char path[] = "/tmp/bnn_facade_XXXXXX";
    static const char text[] = "size,more,colour\n3,x,green\n";
    bnn_table *table, *new, *again;
    bnn_data *train;
    bnn_run *run = priced_run(&table, &train), *back;
    int file = mkstemp(path);
    ck_assert_int_eq(write(file, text, sizeof text - 1), (ssize_t)sizeof text - 1);
    ck_assert_int_eq(close(file), 0);
    OK(bnn_import_like(path, bnn_run_schema(run), NULL, NULL, &new));
    ck_assert_int_eq(bnn_table_features(new), bnn_table_features(table));
    for (int i = 0; i < bnn_table_features(new); i++) { /* size stands behind blue, green and red, as in the program's columns */
        ck_assert_str_eq(bnn_table_feature_name(new, i), bnn_table_feature_name(table, i));
        ck_assert_double_eq(bnn_table_x(new)[i], i == 1 ? 1 : i == 3 ? 3 : 0);
    }
    OK(bnn_table_like(new, bnn_table_schema(table), NULL, &again));
    ck_assert_mem_eq(bnn_table_x(new), bnn_table_x(again), (size_t)bnn_table_features(new) * sizeof(double));
    OK(bnn_run_save(run, NULL, NULL, path));
    OK(bnn_run_load(path, &back, NULL));
    bnn_table_free(again);
    OK(bnn_table_like(new, bnn_run_schema(back), NULL, &again));
    ck_assert_mem_eq(bnn_table_x(new), bnn_table_x(again), (size_t)bnn_table_features(new) * sizeof(double));
    bnn_table_free(again), bnn_table_free(new), bnn_run_free(back), bnn_run_free(run), bnn_data_free(train), bnn_table_free(table);
    unlink(path);
}
END_TEST

START_TEST(a_run_of_arrays_knows_their_names) {
    bnn_table *table = table_new(true), *new;
    bnn_data *train;
    bnn_run *run;
    OK(bnn_data_split(table, -1, BNN_TRAIN, NULL, &train));
    OK(bnn_run_new(&(bnn_config){.net = "dense", .engine = "map:epochs=1"}, train, &run));
    bnn_columns some = {sizeof some, .n = 1, .n_columns = 3, .names = (const char *const[]){"price", "noise", "slope"}};
    some.numbers = (const double *const[]){NULL, (const double[]){-0.25}, (const double[]){4}};
    some.texts = (const char *const *const[]){(const char *const[]){"high"}, NULL, NULL};
    OK(bnn_columns_like(&some, bnn_run_schema(run), NULL, &new));
    ck_assert_double_eq(bnn_table_x(new)[0], 4);
    ck_assert_double_eq(bnn_table_x(new)[1], -0.25);
    ck_assert_double_eq(bnn_table_y(new)[0], 1);
    bnn_table_free(new), bnn_run_free(run), bnn_data_free(train), bnn_table_free(table);
}
END_TEST

START_TEST(a_run_says_what_it_is) {
    bnn_table *table = table_new(false);
    bnn_data *train;
    bnn_run *run;
    OK(bnn_data_split(table, -1, BNN_TRAIN, NULL, &train));
    OK(bnn_fit(&(bnn_config){.net = "dense:4; relu; dense", .engine = "mc_dropout:gates=concrete,epochs=9", .seed = 4}, train, &run));
    ck_assert_ptr_nonnull(strstr(bnn_run_net(run), "concrete_dropout"));
    ck_assert_ptr_nonnull(strstr(bnn_run_engine(run), "mc_dropout:"));
    ck_assert_ptr_nonnull(strstr(bnn_run_likelihood(run), "gaussian"));
    ck_assert_ptr_nonnull(strstr(bnn_run_prior(run), "gauss"));
    ck_assert_uint_eq(bnn_run_seed(run), 4);
    ck_assert_double_eq(bnn_run_cost(run, BNN_COST_GRADIENTS), 9);
    ck_assert_double_gt(bnn_run_cost(run, BNN_COST_FLOPS), 0);
    ck_assert_int_eq(bnn_run_history_rows(run), 9);
    ck_assert_int_eq(bnn_run_history_epochs(run)[8], 9);
    ck_assert_int_eq(bnn_run_gates(run), 2);
    ck_assert_ptr_nonnull(bnn_run_gate(run, 1));
    ck_assert_ptr_null(bnn_run_gate(run, 2));
    ck_assert_double_gt(bnn_run_gate_p(run)[17], 0);
    ck_assert_double_gt(bnn_run_history(run, BNN_HISTORY_NOISE_SD)[8], 0);
    ck_assert_double_eq(bnn_scaling_y_sd(bnn_run_scaling(run))[0], bnn_scaling_y_sd(bnn_data_scaling(train))[0]);
    OK(bnn_run_check_names(run, table));
    bnn_run_free(run), bnn_data_free(train), bnn_table_free(table);
}
END_TEST

START_TEST(parameters_are_set_before_the_first_step) {
    bnn_table *table = table_new(false);
    bnn_data *train;
    bnn_run *run;
    double theta[8], back[8], share;
    const char *node, *name;
    size_t offset, length, blocks = 0;
    bnn_config config = {sizeof config, .net = "dense", .engine = "map:epochs=5"};
    OK(bnn_data_split(table, -1, BNN_TRAIN, NULL, &train));
    OK(bnn_run_new(&config, train, &run));
    ck_assert_int_eq(bnn_run_n_theta(run), 4); /* two weights, a bias, the noise */
    OK(bnn_run_draw(run, 0, 0, theta));
    theta[0] = 0.5, theta[1] = -0.25, theta[2] = 2;
    OK(bnn_run_set_theta(run, theta));
    OK(bnn_run_draw(run, 0, 0, back));
    ck_assert_mem_eq(theta, back, 4 * sizeof(double));
    for (int b = 0; bnn_run_block(run, b, &node, &name, &offset, &length); b++) blocks += length;
    ck_assert_uint_eq(blocks, 4);
    ck_assert_uint_eq(bnn_run_state(run, "theta", 2, back), 4);
    ck_assert_double_eq(back[1], -0.25);
    ck_assert_uint_eq(bnn_run_state(run, "no such state", 2, back), 0);
    OK(bnn_run_step(run, train, &share));
    SAYS(bnn_run_set_theta(run, theta), "parameters can be set before the first step, not after 1");
    bnn_run_free(run);
    config.engine = "hmc";
    OK(bnn_run_new(&config, train, &run));
    SAYS(bnn_run_set_theta(run, theta), "engine 'hmc' does not work on one parameter vector");
    bnn_run_free(run), bnn_data_free(train), bnn_table_free(table);
}
END_TEST

START_TEST(scores_go_by_their_names) {
    for (int classes = 0; classes < 2; classes++) {
        bnn_table *table = table_new(classes);
        bnn_data *train;
        bnn_run *run;
        bnn_prediction *p;
        double score, logp = 0;
        OK(bnn_data_split(table, -1, BNN_TRAIN, NULL, &train));
        OK(bnn_fit(&(bnn_config){.net = "dense", .engine = "map:epochs=200"}, train, &run));
        OK(bnn_run_predict(run, train, NULL, &p));
        ck_assert(bnn_prediction_is_class(p) == classes);
        for (int i = 0; i < N; i++) logp += bnn_prediction_logp(p)[i] / N;
        OK(bnn_prediction_score(p, train, "ll", &score));
        ck_assert_double_eq_tol(score, logp, 1e-12);
        OK(bnn_prediction_score(p, train, classes ? "accuracy" : "rmse", &score));
        double by_hand = 0;
        for (int i = 0; i < N; i++) {
            const double *mean = bnn_prediction_mean(p), y = bnn_table_y(table)[i];
            by_hand += (classes ? (mean[2 * i + 1] > mean[2 * i]) == (y > 0) : (mean[i] - y) * (mean[i] - y)) / N;
        }
        ck_assert_double_eq_tol(classes ? score : score * score, by_hand, 1e-5);
        SAYS(bnn_prediction_score(p, train, classes ? "rmse" : "accuracy", &score),
             classes ? "'rmse' is a score of real targets" : "'accuracy' is a score of classes");
        double of_one;
        OK(bnn_prediction_score_of(p, train, classes, classes ? "recall" : "rmse", &of_one));
        ck_assert(classes ? of_one >= 0 && of_one <= 1 : of_one == score);
        SAYS(bnn_prediction_score_of(p, train, 2, "rmse", &score),
             classes ? "there is no class 2: they are 0 to 1" : "there is no target 2");
        SAYS(bnn_prediction_score_of(p, train, 0, "ll", &score), "'ll' is a score of all together, not of one");
        SAYS(bnn_prediction_score(p, train, "luck", &score), "there is no score 'luck'");
        ck_assert_str_eq(bnn_score_name(0), "ll");
        ck_assert_ptr_null(bnn_score_name(-1));
        bnn_prediction_free(p), bnn_run_free(run), bnn_data_free(train), bnn_table_free(table);
    }
}
END_TEST

/* A point's predictive distribution is one Gaussian: mean + z sd. */
START_TEST(quantiles_scores_and_draws_are_had_by_asking) {
    const double level[] = {0.05, 0.5}, z[] = {-1.6448536269514727, 0};
    bnn_table *table = table_new(false);
    bnn_data *train;
    bnn_run *run;
    bnn_prediction *p;
    double q[N];
    OK(bnn_data_split(table, -1, BNN_TRAIN, NULL, &train));
    OK(bnn_fit(&(bnn_config){.net = "dense", .engine = "map:epochs=200"}, train, &run));
    bnn_predict_options how = {sizeof how, .n_levels = 2, .levels = level, .crps = true, .drawn = 3};
    OK(bnn_run_predict(run, train, &how, &p));
    for (int l = 0; l < 2; l++) {
        OK(bnn_prediction_quantile(p, level[l], q));
        for (int i = 0; i < N; i++) {
            double sd = sqrt(bnn_prediction_var_epistemic(p)[i] + bnn_prediction_var_aleatoric(p)[i]);
            ck_assert_double_eq_tol(q[i], bnn_prediction_mean(p)[i] + z[l] * sd, 1e-5 * sd);
            ck_assert(bnn_prediction_crps(p)[i] > 0 && fabs(bnn_prediction_drawn(p)[3 * i + 1] - bnn_prediction_mean(p)[i]) < 6 * sd);
        }
    }
    SAYS(bnn_prediction_quantile(p, 0.1, q), "a quantile of level 0.1 was not asked for when the rows were predicted");
    bnn_prediction_free(p);
    OK(bnn_run_predict(run, train, NULL, &p));
    ck_assert(!bnn_prediction_crps(p) && !bnn_prediction_drawn(p));
    bnn_prediction_free(p), bnn_run_free(run), bnn_data_free(train), bnn_table_free(table);
}
END_TEST

/* ---------------------------------------------------------------- options */

/* As in a later edition of the header. */
typedef struct {
    bnn_config now;
    const char *later;
} longer_config;

START_TEST(options_of_other_editions) {
    bnn_table *table = table_new(false);
    bnn_data *train;
    bnn_run *run;
    longer_config config = {.now = {sizeof config, .net = "dense", .engine = "map:epochs=2"}};
    OK(bnn_data_split(table, -1, BNN_TRAIN, NULL, &train));
    OK(bnn_fit(&config.now, train, &run)); /* a newer program that does not use what is new */
    bnn_run_free(run);
    config.later = "x";
    SAYS(bnn_fit(&config.now, train, &run), "bnn_config sets an option behind its first");
    config.now.size = 8;
    SAYS(bnn_fit(&config.now, train, &run), "bnn_config has a size of 8 bytes");
    config.now.size = 0; /* the first edition */
    OK(bnn_fit(&config.now, train, &run));
    bnn_run_free(run), bnn_data_free(train), bnn_table_free(table);
}
END_TEST

/* Engines on 6000 rows: chains that arrive, fits of laplace, whose updates many features make dear, or dropout; where rows have weights,
 * those that know them. */
START_TEST(an_engine_is_chosen_by_the_rows) {
    enum { MANY = 6000, WIDE = 200 };
    static const struct {
        double budget;
        bool weighs;
        int features;
        const char *engine, *length;
    } chosen[] = {{1000, false, 1, "hmc", "steps=500"},
                  {20, false, 1, "ensemble:engine=laplace", "members=5"},
                  {10, false, 1, "ensemble:engine=laplace", "members=3"},
                  {3, false, 1, "laplace", "steps=50000"},
                  {1, false, 1, "held_out_dropout", "steps=40000"},
                  {0.1, false, 1, "held_out_dropout", "steps=8000"},
                  {60, false, WIDE, "laplace", "steps=50000"},
                  {30, false, WIDE, "held_out_dropout", "steps=8000"},
                  {20, true, 1, "ensemble:engine=laplace", "members=5"},
                  {0.1, true, 1, "laplace", "steps=50000"}};
    static double x[MANY * WIDE], y[MANY], weight[MANY];
    for (int i = 0; i < MANY * WIDE; i++) x[i] = i % 97;
    for (int i = 0; i < MANY; i++) y[i] = i % 89, weight[i] = 1 + i % 2;
    for (size_t i = 0; i < sizeof chosen / sizeof *chosen; i++) {
        bnn_table *t;
        bnn_data *rows;
        bnn_run *run;
        OK(bnn_table_from(&(bnn_arrays){.size = sizeof(bnn_arrays),
                                        .n = MANY,
                                        .x_size = chosen[i].features,
                                        .y_dim = 1,
                                        .x = x,
                                        .y = y,
                                        .weight = chosen[i].weighs ? weight : NULL},
                          &t));
        OK(bnn_data_range(t, 0, MANY, NULL, &rows));
        OK(bnn_run_new(&(bnn_config){sizeof(bnn_config), .seed = 1, .engine = "auto", .budget = chosen[i].budget}, rows, &run));
        ck_assert_msg(strncmp(bnn_run_engine(run), chosen[i].engine, strlen(chosen[i].engine)) == 0 &&
                          strstr(bnn_run_engine(run), chosen[i].length),
                      "%g s: %s, %s", chosen[i].budget, bnn_run_engine(run), bnn_run_choice(run));
        bnn_run_free(run), bnn_data_free(rows), bnn_table_free(t);
    }
}
END_TEST

START_TEST(an_engine_is_chosen_by_the_budget) {
    static const struct {
        double budget;
        const char *engine, *net;
    } chosen[] = {
        {0, "hmc:steps=500", "tanh"}, {3, "hmc:steps=250", "tanh"}, {0.3, "hmc:steps=100", "tanh"}, {1e-6, "held_out_dropout", "relu"}};
    bnn_table *table = table_new(false);
    bnn_data *rows;
    OK(bnn_data_range(table, 0, N, NULL, &rows));
    for (size_t i = 0; i < sizeof chosen / sizeof *chosen; i++) {
        bnn_run *run;
        OK(bnn_run_new(&(bnn_config){sizeof(bnn_config), .seed = 1, .engine = "auto", .budget = chosen[i].budget}, rows, &run));
        ck_assert_msg(strncmp(bnn_run_engine(run), chosen[i].engine, strlen(chosen[i].engine)) == 0, "%g s: %s", chosen[i].budget,
                      bnn_run_engine(run));
        ck_assert_ptr_nonnull(strstr(bnn_run_net(run), chosen[i].net));
        ck_assert_ptr_nonnull(strstr(bnn_run_choice(run), "20 rows of 2 features"));
        bnn_run_free(run);
    }
    bnn_run *run;
    OK(bnn_run_new(&(bnn_config){sizeof(bnn_config), .seed = 1, .engine = "map", .net = "dense"}, rows, &run));
    ck_assert_ptr_null(bnn_run_choice(run));
    bnn_run_free(run);
    SAYS(bnn_run_new(&(bnn_config){sizeof(bnn_config), .budget = -1}, rows, &run), "a budget of -1 seconds");
    bnn_data_free(rows), bnn_table_free(table);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {a_table_of_arrays_has_them,
                                  arrays_that_make_no_table_are_refused,
                                  rows_are_scaled_or_not,
                                  a_run_is_stopped_saved_resumed_and_predicts,
                                  a_run_says_what_it_is,
                                  parameters_are_set_before_the_first_step,
                                  scores_go_by_their_names,
                                  quantiles_scores_and_draws_are_had_by_asking,
                                  options_of_other_editions,
                                  an_engine_is_chosen_by_the_budget,
                                  an_engine_is_chosen_by_the_rows,
                                  named_columns_are_predicted,
                                  files_are_read_like_the_table_of_a_run,
                                  a_run_of_arrays_knows_their_names};
    TCase *cases = tcase_create("facade");
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) tcase_add_test(cases, tests[i]);
    Suite *suite = suite_create("facade");
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
