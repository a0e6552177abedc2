/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_data.c: tables, splits, standardisation.
 */
#include "files.h"

#include <bnn/import.h>
#include <bnn/minibatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* x = (row, 7), y = row squared. */
static bnn_table *squares(int n) {
    bnn_table *t;
    OK(bnn_table_new(n, bnn_shape_vector(2), 1, 0, &t));
    t->x_names = calloc(2, sizeof *t->x_names), t->y_names = calloc(1, sizeof *t->y_names);
    t->x_names[0] = strdup("a"), t->x_names[1] = strdup("b"), t->y_names[0] = strdup("y");
    for (int i = 0; i < n; i++) t->x[2 * i] = i, t->x[2 * i + 1] = 7, t->y[i] = (double)i * i;
    return t;
}

START_TEST(pbp_is_numpy) {
    /* numpy.random.RandomState(1).choice(n, n, replace=False), again and again */
    static const int ten[2][10] = {{2, 9, 6, 4, 0, 3, 1, 7, 8, 5}, {9, 5, 3, 0, 8, 4, 2, 1, 6, 7}};
    static const int boston[3][9] = {{307, 343, 47, 67, 362, 132, 396, 235, 37},
                                     {457, 234, 329, 349, 206, 133, 209, 122, 176},
                                     {53, 486, 324, 86, 290, 48, 437, 264, 187}};
    bnn_table *t = squares(10), *b = squares(506);
    OK(bnn_table_split(t, BNN_SPLIT_PBP, 2, 0));
    ck_assert_mem_eq(t->order, ten, sizeof ten);
    ck_assert_int_eq(bnn_table_count(t, 0, BNN_TEST), 1);
    ck_assert_int_eq(t->role[5], BNN_TEST);
    OK(bnn_table_split(b, BNN_SPLIT_PBP, 3, 0));
    ck_assert_int_eq(bnn_table_count(b, 2, BNN_TRAIN), 455);
    for (int k = 0; k < 3; k++) {
        ck_assert_mem_eq(b->order + k * 506, boston[k], 6 * sizeof(int));
        ck_assert_mem_eq(b->order + k * 506 + 503, boston[k] + 6, 3 * sizeof(int));
    }
    bnn_table *eleven = squares(11); /* 0.9 n is 9.9 */
    OK(bnn_table_split(eleven, BNN_SPLIT_PBP, 1, 0));
    ck_assert_int_eq(bnn_table_count(eleven, 0, BNN_TRAIN), 10);
    bnn_table_free(t), bnn_table_free(b), bnn_table_free(eleven);
}
END_TEST

/* All splits of all sets of a folder with the published index files, where BNN_UCI names one. */
START_TEST(pbp_is_published) {
    static const char *const sets[] = {"bostonHousing", "concrete", "energy", "naval-propulsion-plant", "power-plant", "wine-quality-red"};
    const char *folder = getenv("BNN_UCI");
    for (size_t i = 0; folder && i < sizeof sets / sizeof *sets; i++) {
        char path[4096];
        bnn_table *t;
        snprintf(path, sizeof path, "%s/%s", folder, sets[i]);
        OK(bnn_import_uci(path, &(bnn_import_about){0}, &t));
        size_t cells = (size_t)t->n_splits * (size_t)t->n;
        ck_assert_int_eq(t->n_splits, 20);
        int *order = malloc(cells * sizeof *order);
        int8_t *role = malloc(cells);
        memcpy(order, t->order, cells * sizeof *order), memcpy(role, t->role, cells);
        OK(bnn_table_split(t, BNN_SPLIT_PBP, 20, 0));
        ck_assert_mem_eq(t->order, order, cells * sizeof *order);
        ck_assert_mem_eq(t->role, role, cells);
        free(order), free(role);
        bnn_table_free(t);
    }
}
END_TEST

static bool is_permutation(const bnn_table *t, int split) {
    int seen = 0;
    for (int row = 0; row < t->n; row++)
        for (int i = 0; i < t->n; i++) seen += t->order[split * t->n + i] == row;
    return seen == t->n;
}

START_TEST(folds_are_a_partition) {
    bnn_table *t = squares(11);
    OK(bnn_table_split(t, BNN_SPLIT_KFOLD, 4, 3));
    for (int row = 0; row < 11; row++) {
        int tested = 0;
        for (int k = 0; k < 4; k++) tested += t->role[k * 11 + row] == BNN_TEST;
        ck_assert_int_eq(tested, 1);
    }
    for (int k = 0; k < 4; k++) {
        ck_assert(is_permutation(t, k));
        ck_assert_int_ge(bnn_table_count(t, k, BNN_TEST), 2);
        ck_assert_int_le(bnn_table_count(t, k, BNN_TEST), 3);
    }
    ck_assert_str_eq(t->split_origin, "kfold: 4 folds, seed 3");
    bnn_table_free(t);
}
END_TEST

START_TEST(holdout_follows_the_seed) {
    bnn_table *a = squares(40), *b = squares(40), *c = squares(40);
    OK(bnn_table_split(a, BNN_SPLIT_HOLDOUT, 2, 5));
    OK(bnn_table_split(b, BNN_SPLIT_HOLDOUT, 2, 5));
    OK(bnn_table_split(c, BNN_SPLIT_HOLDOUT, 2, 6));
    ck_assert_mem_eq(a->order, b->order, 80 * sizeof(int));
    ck_assert_mem_ne(a->order, c->order, 80 * sizeof(int));
    ck_assert_mem_ne(a->order, a->order + 40, 40 * sizeof(int));
    ck_assert_int_eq(bnn_table_count(a, 1, BNN_TEST), 4);
    ck_assert(is_permutation(a, 0) && is_permutation(a, 1));
    bnn_table *two = squares(2);
    OK(bnn_table_split(two, BNN_SPLIT_HOLDOUT, 1, 0));
    ck_assert_int_eq(bnn_table_count(two, 0, BNN_TEST), 1);
    bnn_table_free(a), bnn_table_free(b), bnn_table_free(c), bnn_table_free(two);
}
END_TEST

START_TEST(splits_are_refused) {
    bnn_table *one = squares(1), *t = squares(5);
    REFUSED(bnn_table_split(one, BNN_SPLIT_HOLDOUT, 1, 0), "a split needs at least 2 rows, the table has 1");
    REFUSED(bnn_table_split(t, BNN_SPLIT_KFOLD, 6, 0), "6 folds: there can be 2 to 5, the number of rows");
    REFUSED(bnn_table_split(t, BNN_SPLIT_KFOLD, 1, 0), "1 folds: there can be 2 to 5, the number of rows");
    REFUSED(bnn_table_split(t, BNN_SPLIT_HOLDOUT, 0, 0), "0 splits: there must be at least 1");
    REFUSED(bnn_table_split(t, BNN_SPLIT_PBP, 1, 0), "pbp leaves no test row of 5: it needs at least 6 rows");
    int order[5] = {0, 1, 2, 3, 3};
    int8_t role[5] = {0, 0, 0, 2, 2};
    REFUSED(bnn_table_set_splits(t, 1, order, role, ""), "split 0: row 3 is listed twice");
    order[4] = 5;
    REFUSED(bnn_table_set_splits(t, 1, order, role, ""), "split 0: row number 5 is not from 0 to 4");
    order[4] = 4, role[4] = 3;
    REFUSED(bnn_table_set_splits(t, 1, order, role, ""), "split 0: row 4 has role 3, not 0, 1 or 2");
    role[4] = 1;
    REFUSED(bnn_table_set_splits(t, 1, order, role, ""), "split 0: its order is not sorted by role");
    ck_assert_int_eq(t->n_splits, 0);
    bnn_data *d;
    REFUSED(bnn_data_split(t, 0, BNN_TRAIN, NULL, &d), "there is no split 0: the data have no splits yet");
    OK(bnn_table_split(t, BNN_SPLIT_KFOLD, 2, 0));
    REFUSED(bnn_data_split(t, 2, BNN_TRAIN, NULL, &d), "there is no split 2: the data have splits 0 to 1");
    bnn_table_free(one), bnn_table_free(t);
}
END_TEST

START_TEST(rows_are_standardised) {
    bnn_table *t = squares(4); /* a: 0 1 2 3, mean 1.5, variance 1.25; y: 0 1 4 9, mean 3.5, variance 12.25 */
    bnn_data *d, *part;
    OK(bnn_data_split(t, -1, BNN_TRAIN, NULL, &d));
    ck_assert_int_eq(d->n, 4);
    ck_assert_double_eq(d->scaling.x_mean[0], 1.5);
    ck_assert_double_eq_tol(d->scaling.x_sd[0], sqrt(1.25), 1e-15);
    ck_assert_double_eq(d->scaling.x_mean[1], 7);
    ck_assert_double_eq(d->scaling.x_sd[1], 1); /* constant */
    ck_assert_double_eq(d->scaling.y_sd[0], 3.5);
    ck_assert_double_eq_tol((double)d->x[2], -0.5 / sqrt(1.25), 1e-7);
    ck_assert_double_eq((double)d->x[3], 0);
    ck_assert_double_eq((double)d->y[0], -1);
    OK(bnn_data_slice(d, 2, 4, &d->scaling, &part));
    ck_assert_int_eq(part->rows[1], 3);
    ck_assert_mem_eq(part->x, d->x + 4, 4 * sizeof *d->x);
    bnn_data_free(part);
    OK(bnn_data_slice(d, 2, 4, NULL, &part));
    ck_assert_double_eq(part->scaling.x_mean[0], 2.5);
    bnn_data_free(part), bnn_data_free(d);
    bnn_table_free(t);
}
END_TEST

/* The mean of 0.1 over 10 rows is not 0.1 in doubles: the sd is 1 all the same. */
START_TEST(constant_column_keeps_sd_1) {
    bnn_table *t = squares(10);
    bnn_data *d;
    for (int i = 0; i < 10; i++) t->x[2 * i + 1] = 0.1;
    OK(bnn_data_split(t, -1, BNN_TRAIN, NULL, &d));
    ck_assert_double_eq(d->scaling.x_sd[1], 1);
    for (int i = 0; i < 10; i++) ck_assert_double_eq((double)d->x[2 * i + 1], 0);
    bnn_data_free(d);
    for (int i = 0; i < 10; i++) t->x[2 * i + 1] = i % 2 ? 0.3 : 0.1 + 0.2; /* one rounding apart */
    OK(bnn_data_split(t, -1, BNN_TRAIN, NULL, &d));
    ck_assert_double_eq(d->scaling.x_sd[1], 1);
    bnn_data_free(d);
    for (int i = 0; i < 10; i++) t->x[2 * i + 1] = 1e6 + 1e-6 * i; /* not constant */
    OK(bnn_data_split(t, -1, BNN_TRAIN, NULL, &d));
    ck_assert_double_lt(d->scaling.x_sd[1], 1e-5);
    bnn_data_free(d);
    OK(bnn_data_new(t, 1, (const int[]){3}, NULL, &d)); /* one row */
    ck_assert_double_eq(d->scaling.y_mean[0], 9);
    ck_assert_double_eq((double)d->y[0], 0);
    bnn_data_free(d), bnn_table_free(t);
}
END_TEST

START_TEST(roles_keep_their_order) {
    bnn_table *t = squares(5);
    int *order = malloc(5 * sizeof *order);
    int8_t *role = malloc(5);
    memcpy(order, (const int[]){4, 2, 1, 0, 3}, 5 * sizeof *order);
    memcpy(role, (const int8_t[]){1, 0, 0, 2, 0}, 5); /* of row 0, 1, ...: train 4 2 1, validation 0, test 3 */
    OK(bnn_table_set_splits(t, 1, order, role, "by hand"));
    bnn_data *train, *validation, *test;
    OK(bnn_data_split(t, 0, BNN_TRAIN, NULL, &train));
    OK(bnn_data_split(t, 0, BNN_VALIDATION, &train->scaling, &validation));
    OK(bnn_data_split(t, 0, BNN_TEST, &train->scaling, &test));
    ck_assert_mem_eq(train->rows, order, 3 * sizeof *order);
    ck_assert_int_eq(validation->n, 1);
    ck_assert_int_eq(validation->rows[0], 0);
    ck_assert_int_eq(test->rows[0], 3);
    ck_assert_double_eq(test->scaling.y_mean[0], 7); /* of rows 4 2 1 */
    bnn_data_free(train), bnn_data_free(validation), bnn_data_free(test), bnn_table_free(t);
}
END_TEST

START_TEST(classes_and_images_keep_their_values) {
    bnn_table *t;
    bnn_data *d;
    OK(bnn_table_new(2, (bnn_shape){.rank = 3, .d = {1, 2, 2}}, 1, 3, &t));
    t->scale = BNN_SCALE_RANGE, t->range = 255, t->x[0] = 255, t->y[0] = 2;
    OK(bnn_table_check(t));
    OK(bnn_data_split(t, -1, BNN_TRAIN, NULL, &d));
    ck_assert_double_eq((double)d->x[0], 1);
    ck_assert_double_eq((double)d->x[1], 0);
    ck_assert_double_eq((double)d->y[0], 2);
    ck_assert_int_eq(d->n_classes, 3);
    t->y[1] = 3;
    REFUSED(bnn_table_check(t), "row 2, column 'target': 3 is not a class from 0 to 2");
    t->y[1] = 0.5;
    REFUSED(bnn_table_check(t), "row 2, column 'target': 0.5 is not a class from 0 to 2");
    t->y[1] = 0, t->x[7] = NAN;
    REFUSED(bnn_table_check(t), "row 2, column [0,1,1]: nan is not a finite number");
    bnn_data_free(d), bnn_table_free(t);
}
END_TEST

START_TEST(numbers_are_refused) {
    bnn_table *t = squares(3), *none;
    bnn_data *d, *empty;
    t->x[2] = INFINITY;
    REFUSED(bnn_table_check(t), "row 2, column 'a': inf is not a finite number");
    t->x[2] = 1, t->y[2] = NAN;
    REFUSED(bnn_table_check(t), "row 3, column 'y': nan is not a finite number");
    t->y[2] = 1e308, t->y[1] = 1e308, t->y[0] = -1e308;
    REFUSED(bnn_data_split(t, -1, BNN_TRAIN, NULL, &d), "column 'y': its values are too large to be standardised");
    t->y[0] = 0, t->y[1] = 1, t->y[2] = 2;
    OK(bnn_data_new(t, 2, (const int[]){0, 1}, NULL, &d));
    t->x[4] = 1e308, d->scaling.x_sd[0] = 1e-9;
    REFUSED(bnn_data_new(t, 1, (const int[]){2}, &d->scaling, &empty), "row 3, column 'a': 1e+308 is not finite once standardised");
    REFUSED(bnn_data_new(t, 0, NULL, NULL, &empty), "no rows to take means and standard deviations from");
    REFUSED(bnn_data_new(t, 1, (const int[]){3}, NULL, &empty), "row number 3 is not from 0 to 2");
    REFUSED(bnn_data_slice(d, 1, 3, NULL, &empty), "rows 1 to 3 are not among the 2 rows of the data");
    OK(bnn_data_new(t, 0, NULL, &d->scaling, &empty));
    ck_assert_int_eq(empty->n, 0);
    d->scaling.x_size = 3;
    bnn_data *other;
    REFUSED(bnn_data_new(t, 0, NULL, &d->scaling, &other), "the data have 2 feature and 1 target columns, the scaling has 3 and 1");
    REFUSED(bnn_table_new(1, bnn_shape_vector(1), 2, 3, &none), "a table of classes has one target column, not 2");
    REFUSED(bnn_table_new(1, (bnn_shape){.rank = 0}, 1, 0, &none), "a table needs at least one feature");
    REFUSED(bnn_table_new(1, bnn_shape_vector(1), 0, 3, &none), "a table of classes has one target column, not 0");
    REFUSED(bnn_table_new(1, bnn_shape_vector(1), 1, 1000001, &none), "a table has 1000000 classes at most, not 1000001");
    ck_assert_int_eq(bnn_table_new(2000000000, bnn_shape_vector(2000000000), 1, 0, &none), BNN_ERR_MEMORY);
    ck_assert_ptr_nonnull(strstr(bnn_error(), "take fewer rows"));
    bnn_data_free(d), bnn_data_free(empty), bnn_table_free(t);
}
END_TEST

START_TEST(rows_without_targets_need_a_scaling) {
    bnn_table *known = squares(4), *t;
    bnn_data *fitted, *d, *part;
    OK(bnn_data_split(known, -1, BNN_TRAIN, NULL, &fitted));
    OK(bnn_table_new(3, bnn_shape_vector(2), 0, 0, &t));
    ck_assert_ptr_null(t->y);
    memcpy(t->x, known->x, 6 * sizeof *t->x);
    OK(bnn_table_check(t));
    REFUSED(bnn_data_split(t, -1, BNN_TEST, NULL, &d),
            "the rows have no targets, so they can only be predicted with the scaling of a fitted run");
    OK(bnn_data_split(t, -1, BNN_TEST, &fitted->scaling, &d));
    ck_assert(d->n == 3 && d->y_dim == 0 && d->n_classes == 0 && !d->y);
    ck_assert_mem_eq(d->x, fitted->x, 6 * sizeof *d->x);
    ck_assert_int_eq(d->scaling.y_dim, 1); /* that of the fit */
    OK(bnn_data_slice(d, 1, 3, &d->scaling, &part));
    ck_assert(!part->y);
    ck_assert_mem_eq(part->x, d->x + 2, 4 * sizeof *d->x);
    fitted->scaling.x_size = 3;
    bnn_data *none;
    REFUSED(bnn_data_split(t, -1, BNN_TEST, &fitted->scaling, &none), "the data have 2 feature columns, those of the fit had 3");
    fitted->scaling.x_size = 2;
    REFUSED(bnn_table_split(t, BNN_SPLIT_HOLDOUT, 1, 0), "the table has no targets: there is nothing to train on or to test");
    t->x[3] = NAN;
    REFUSED(bnn_table_check(t), "row 2, column 2: nan is not a finite number");
    bnn_data_free(d), bnn_data_free(part), bnn_data_free(fitted), bnn_table_free(known), bnn_table_free(t);
}
END_TEST

/* Long rows are copied in pieces. */
START_TEST(minibatches_are_rows_of_the_epoch) {
    enum { N = 100, D = 700, BATCH = 60 };
    bnn_table *t = table_new(N, D, 0, 1);
    bnn_data *d = data_new(t);
    bnn_minibatch b;
    bool seen[N] = {false};
    OK(bnn_minibatch_open(d, BATCH, &b));
    ck_assert_int_eq(bnn_minibatch_count(&b, d), 2);
    bnn_minibatch_shuffle(&b, d, bnn_rng_seed(1));
    for (int i = 0; i < 2; i++) {
        int m = bnn_minibatch_take(&b, d, i);
        ck_assert_int_eq(m, i ? N - BATCH : BATCH);
        for (int k = 0; k < m; k++) {
            int row = b.order[i * BATCH + k];
            ck_assert(!seen[row]);
            seen[row] = true;
            ck_assert_mem_eq(b.x + k * D, d->x + row * D, D * sizeof *d->x);
            ck_assert(b.y[k] == d->y[row]);
        }
    }
    bnn_minibatch_close(&b);
    bnn_data_free(d), bnn_table_free(t);
}
END_TEST

enum { PICTURES = 5, WIDTH = 2 * 3 * 4 };

/* Two channels of 3x4 pixels, and a class of each pixel, of which every fifth is void. */
static bnn_table *pictures(void) {
    bnn_table *t;
    OK(bnn_table_new_images(PICTURES, (bnn_shape){.rank = 3, .d = {2, 3, 4}}, (bnn_shape){.rank = 2, .d = {3, 4}}, 4, &t));
    for (int i = 0; i < PICTURES * WIDTH; i++) t->pixels[i] = (uint8_t)(i * 37);
    for (int i = 0; i < PICTURES * t->y_dim; i++) t->y[i] = i % 5 - 1;
    return t;
}

/* The same pictures as numbers. */
static bnn_table *numbers_of(const bnn_table *t) {
    bnn_table *numbers;
    OK(bnn_table_new(t->n, t->x_shape, 1, 2, &numbers));
    for (int i = 0; i < PICTURES * WIDTH; i++) numbers->x[i] = t->pixels[i];
    numbers->scale = t->scale, numbers->range = t->range;
    return numbers;
}

START_TEST(bytes_have_the_bits_of_numbers) {
    static const bnn_scale_rule rules[] = {BNN_SCALE_STANDARD, BNN_SCALE_RANGE, BNN_SCALE_CHANNEL};
    bnn_real room[WIDTH * PICTURES];
    for (int k = 0; k < 3; k++) {
        bnn_table *bytes = pictures(), *numbers;
        bnn_data *a, *b;
        bnn_minibatch batch;
        bytes->scale = rules[k], bytes->range = 255, numbers = numbers_of(bytes);
        OK(bnn_data_new(bytes, 4, (const int[]){3, 0, 4, 1}, NULL, &a));
        OK(bnn_data_new(numbers, 4, (const int[]){3, 0, 4, 1}, NULL, &b));
        ck_assert_ptr_null(a->x);
        ck_assert_ptr_eq(bnn_data_take(b, 1, 2, NULL), b->x + WIDTH);
        ck_assert_uint_eq(bnn_data_room(a, 2), 2 * WIDTH);
        ck_assert_uint_eq(bnn_data_room(b, 2), 0);
        ck_assert_mem_eq(bnn_data_take(a, 1, 2, room), b->x + WIDTH, 2 * WIDTH * sizeof *b->x);
        OK(bnn_minibatch_open(a, 4, &batch));
        for (int i = 0; i < 4; i++) batch.order[i] = i;
        bnn_minibatch_take(&batch, a, 0);
        ck_assert_mem_eq(batch.x, b->x, 4 * WIDTH * sizeof *b->x);
        OK(bnn_data_fill(a));
        ck_assert_mem_eq(a->x, b->x, 4 * WIDTH * sizeof *b->x);
        bnn_minibatch_close(&batch), bnn_data_free(a), bnn_data_free(b), bnn_table_free(bytes), bnn_table_free(numbers);
    }
}
END_TEST

START_TEST(a_channel_has_one_mean_and_one_sd) {
    bnn_table *t = pictures(), *rows;
    bnn_data *d;
    t->scale = BNN_SCALE_CHANNEL, t->weight = calloc(PICTURES, sizeof *t->weight);
    t->weight[1] = 1, t->weight[2] = 3;
    OK(bnn_data_split(t, -1, BNN_TRAIN, NULL, &d));
    for (int c = 0; c < 2; c++) {
        double sum = 0, squares = 0;
        for (int i = 12 * c; i < 12 * (c + 1); i++) sum += t->pixels[WIDTH + i] + 3.0 * t->pixels[2 * WIDTH + i];
        double mean = sum / 48;
        for (int i = 12 * c; i < 12 * (c + 1); i++)
            squares += pow(t->pixels[WIDTH + i] - mean, 2) + 3 * pow(t->pixels[2 * WIDTH + i] - mean, 2);
        for (int i = 12 * c; i < 12 * (c + 1); i++) {
            ck_assert_double_eq_tol(d->scaling.x_mean[i], mean, 1e-9);
            ck_assert_double_eq_tol(d->scaling.x_sd[i], sqrt(squares / 48), 1e-9);
        }
    }
    OK(bnn_table_new(2, bnn_shape_vector(3), 1, 0, &rows));
    rows->scale = BNN_SCALE_CHANNEL;
    bnn_data_free(d);
    REFUSED(bnn_data_split(rows, -1, BNN_TRAIN, NULL, &d), "the scale rule 'channel' is for images, and a row is a vector");
    bnn_table_free(t), bnn_table_free(rows);
}
END_TEST

START_TEST(void_is_for_maps) {
    bnn_table *map = pictures(), *one;
    bnn_data *d;
    OK(bnn_table_check(map));
    OK(bnn_data_split(map, -1, BNN_TRAIN, NULL, &d));
    ck_assert_int_eq(d->y_shape.rank, 2);
    ck_assert(d->y[0] == -1 && d->y[1] == 0 && d->y[4] == 3);
    map->y[7] = 4;
    REFUSED(bnn_table_check(map), "row 1, column 'target': 4 is not a class from 0 to 3");
    map->y[7] = -2;
    REFUSED(bnn_table_check(map), "row 1, column 'target': -2 is not a class from 0 to 3");
    OK(bnn_table_new_images(1, map->x_shape, bnn_shape_vector(1), 4, &one));
    one->y[0] = -1;
    REFUSED(bnn_table_check(one), "row 1, column 'target': -1 is not a class from 0 to 3");
    bnn_table *real;
    REFUSED(bnn_table_new_images(1, map->x_shape, map->y_shape, 0, &real), "a map is of classes, and there are none");
    bnn_data_free(d), bnn_table_free(map), bnn_table_free(one);
}
END_TEST

START_TEST(classes_may_weigh_the_same) {
    static const double y[] = {0, 1, 1, 1, 1, 2, 2, 0};
    int *order = malloc(8 * sizeof *order);
    int8_t *role = calloc(8, 1);
    bnn_table *t, *map = pictures(), *real = squares(3);
    OK(bnn_table_new(8, bnn_shape_vector(1), 1, 3, &t));
    memcpy(t->y, y, sizeof y);
    OK(bnn_table_balance(t));
    for (int i = 0; i < 8; i++) ck_assert_double_eq(t->weight[i], y[i] == 1 ? 8 / 12.0 : 8 / 6.0);
    REFUSED(bnn_table_balance(t), "the rows have weights already");
    free(t->weight), t->weight = NULL;
    for (int i = 0; i < 8; i++) order[i] = i;
    role[7] = BNN_TEST; /* counts nowhere, and weighs as its class */
    OK(bnn_table_set_splits(t, 1, order, role, "by hand"));
    OK(bnn_table_balance(t));
    for (int i = 0; i < 8; i++) ck_assert_double_eq(t->weight[i], 7 / (3.0 * (y[i] == 0 ? 1 : y[i] == 1 ? 4 : 2)));
    free(t->weight), t->weight = NULL;
    t->y[0] = 1;
    REFUSED(bnn_table_balance(t), "class 0 (without a name) has no training rows, which could weigh as much as those of another");
    ck_assert_ptr_null(t->weight);
    REFUSED(bnn_table_balance(map), "rows have weights, and pixels have none: let classes of maps weigh the same in the fit (--likelihood "
                                    "categorical:weights=balanced)");
    REFUSED(bnn_table_balance(real), "the targets are no classes, which could weigh the same");
    bnn_table_free(t), bnn_table_free(map), bnn_table_free(real);
}
END_TEST

/* Rows of 8x16 pixels whose numbers rise by 1 along a row of pixels and by 20 from one to the next, and labels that say the same. */
enum { SCENES = 40, HIGH = 8, WIDE = 16, SCENE = HIGH * WIDE };
static bnn_table *scenes(void) {
    bnn_table *t;
    OK(bnn_table_new_images(SCENES, (bnn_shape){.rank = 3, .d = {1, HIGH, WIDE}}, (bnn_shape){.rank = 2, .d = {HIGH, WIDE}}, SCENE, &t));
    t->scale = BNN_SCALE_RANGE, t->range = 1;
    for (int i = 0; i < SCENES * SCENE; i++) t->pixels[i] = (uint8_t)(i % SCENE / WIDE * 20 + i % WIDE), t->y[i] = i % SCENE;
    return t;
}

/* All scenes in minibatches of so many, changed in this way by stream 7: x and y [SCENES, SCENE]. */
static void changed(const bnn_data *d, const char *how, int rows, bnn_real *x, bnn_real *y) {
    bnn_minibatch b;
    OK(bnn_minibatch_open(d, rows, &b));
    OK(bnn_minibatch_augment(&b, d, how));
    bnn_minibatch_shuffle(&b, d, bnn_rng_seed((uint64_t)rows));
    for (int i = 0; i < bnn_minibatch_count(&b, d); i++) {
        int m = bnn_minibatch_take(&b, d, i);
        bnn_minibatch_change(&b, d, i, bnn_rng_seed(7));
        for (int k = 0; k < m; k++) {
            memcpy(x + b.order[i * rows + k] * SCENE, b.x + k * SCENE, SCENE * sizeof *x);
            memcpy(y + b.order[i * rows + k] * SCENE, b.y + k * SCENE, SCENE * sizeof *y);
        }
    }
    bnn_minibatch_close(&b);
}

static double number_of(int label) { return label / WIDE * 20 + label % WIDE; }

START_TEST(images_are_changed_with_their_labels) {
    static bnn_real x[SCENES * SCENE], y[SCENES * SCENE], other_x[SCENES * SCENE], other_y[SCENES * SCENE];
    bnn_table *t = scenes();
    bnn_data *d = data_new(t);
    changed(d, "none", 7, x, y);
    ck_assert_mem_eq(x, bnn_data_take(d, 0, SCENES, other_x), sizeof x);
    ck_assert_mem_eq(y, d->y, sizeof y);
    int flipped = 0, shifted = 0, voids = 0;
    changed(d, "flip", 7, x, y);
    for (int k = 0; k < SCENES; k++) {
        const bool is = x[k * SCENE] != 0;
        flipped += is;
        for (int i = 0; i < SCENE; i++) {
            const int from = is ? i / WIDE * WIDE + WIDE - 1 - i % WIDE : i;
            ck_assert((double)x[k * SCENE + i] == number_of(from) && y[k * SCENE + i] == (bnn_real)from);
        }
    }
    ck_assert(flipped > SCENES / 4 && flipped < SCENES * 3 / 4);
    changed(d, "shift", 7, x, y);
    for (int k = 0; k < SCENES; k++) { /* by one row of pixels and two columns at most: those in the middle tell by how many */
        const int by = (int)x[k * SCENE + 4 * WIDE + 8] - (int)number_of(4 * WIDE + 8), rows = by > 9 ? 1 : by < -9 ? -1 : 0;
        shifted += by != 0;
        for (int i = 0; i < SCENE; i++) {
            const int r = i / WIDE + rows, c = i % WIDE + by - 20 * rows;
            const int in_r = r < 0 ? 0 : r >= HIGH ? HIGH - 1 : r, in_c = c < 0 ? 0 : c >= WIDE ? WIDE - 1 : c;
            ck_assert(x[k * SCENE + i] == (bnn_real)number_of(in_r * WIDE + in_c));
            ck_assert(y[k * SCENE + i] == (bnn_real)(r == in_r && c == in_c ? r * WIDE + c : -1));
            voids += y[k * SCENE + i] < 0;
        }
        ck_assert(by - 20 * rows >= -2 && by - 20 * rows <= 2);
    }
    ck_assert(shifted > SCENES / 2 && voids > 0);
    changed(d, "{flip,crop,shift}", 7, x, y), changed(d, "flip,crop,shift", 40, other_x, other_y);
    ck_assert_mem_eq(x, other_x, sizeof x); /* whatever minibatch a row is in */
    ck_assert_mem_eq(y, other_y, sizeof y);
    bnn_data_free(d), bnn_table_free(t);
}
END_TEST

/* What is linear stays so, less steep by the share that is left. */
START_TEST(crops_are_part_of_an_image) {
    static bnn_real x[SCENES * SCENE], y[SCENES * SCENE];
    bnn_table *t = scenes();
    bnn_data *d = data_new(t);
    double least = 1, most = 0;
    changed(d, "crop", 40, x, y);
    for (int k = 0; k < SCENES; k++) {
        const bnn_real *v = x + k * SCENE;
        const double across = (double)(v[WIDE - 4] - v[3]) / (WIDE - 7),
                     down = (double)(v[(HIGH - 3) * WIDE + 5] - v[2 * WIDE + 5]) / (HIGH - 5);
        ck_assert_double_eq_tol(20 * across, down, 1e-4);
        ck_assert(across >= 0.75 - 1e-5 && across <= 1 + 1e-5);
        least = fmin(least, across), most = fmax(most, across);
        for (int i = 0; i < SCENE; i++)
            ck_assert(fabs(number_of((int)y[k * SCENE + i]) - (double)v[i]) <= 10.5 + 1e-4); /* half a pixel each way */
    }
    ck_assert(least < 0.8 && most > 0.95);
    bnn_data_free(d), bnn_table_free(t);
}
END_TEST

START_TEST(changes_that_make_no_sense_are_refused) {
    bnn_table *t = squares(4), *images = scenes();
    bnn_data *d = data_new(t), *e = data_new(images);
    bnn_minibatch b, c;
    OK(bnn_minibatch_open(d, 2, &b));
    OK(bnn_minibatch_open(e, 2, &c));
    OK(bnn_minibatch_augment(&b, d, "none"));
    REFUSED(bnn_minibatch_augment(&b, d, "flip"), "augment=flip is for images, and a row is a vector");
    REFUSED(bnn_minibatch_augment(&c, e, "flip,none"), "augment: 'none' does not go with others");
    REFUSED(bnn_minibatch_augment(&c, e, "flips"), "augment: 'flips' is none of none, flip, crop, shift");
    bnn_minibatch_close(&b), bnn_minibatch_close(&c);
    bnn_data_free(d), bnn_data_free(e), bnn_table_free(t), bnn_table_free(images);
}
END_TEST

int main(void) {
    return run_tests("data", (const TTest *const[]){pbp_is_numpy,
                                                    pbp_is_published,
                                                    folds_are_a_partition,
                                                    holdout_follows_the_seed,
                                                    splits_are_refused,
                                                    rows_are_standardised,
                                                    constant_column_keeps_sd_1,
                                                    roles_keep_their_order,
                                                    classes_and_images_keep_their_values,
                                                    numbers_are_refused,
                                                    rows_without_targets_need_a_scaling,
                                                    minibatches_are_rows_of_the_epoch,
                                                    bytes_have_the_bits_of_numbers,
                                                    a_channel_has_one_mean_and_one_sd,
                                                    void_is_for_maps,
                                                    classes_may_weigh_the_same,
                                                    images_are_changed_with_their_labels,
                                                    crops_are_part_of_an_image,
                                                    changes_that_make_no_sense_are_refused,
                                                    NULL});
}
