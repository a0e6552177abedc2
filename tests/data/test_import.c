/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_import.c: csv, the published UCI layout, and IDX.
 */
#include "files.h"

#include <bnn/import.h>
#include <bnn/remark.h>
#include <bnn/store.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

static const bnn_import_about nothing;

static bnn_status read_csv(const char *text, const bnn_csv_options *options, bnn_table **out) {
    return bnn_import_csv(files_write("data.csv", text), options, &nothing, out);
}

static bnn_table *csv(const char *text, const bnn_csv_options *options) {
    bnn_table *t = NULL;
    OK(read_csv(text, options, &t));
    OK(bnn_table_check(t));
    files_remove();
    return t;
}

static void assert_numbers(const double *v, int n, const double *expected) {
    for (int i = 0; i < n; i++) ck_assert_double_eq(v[i], expected[i]);
}
#define NUMBERS(v, ...) assert_numbers(v, (int)(sizeof(double[]){__VA_ARGS__} / sizeof(double)), (const double[]){__VA_ARGS__})

/* ---- csv ---- */

START_TEST(every_separator_is_guessed) {
    static const char *const texts[] = {"a,b,c\n1,2,3\n4,5,6e1\n",
                                        "a;b;c\r\n1;2;3\r\n4;5;60\r\n",
                                        "a\tb\tc\n1\t2\t3\n4\t5\t60\n",
                                        "a b  c\n 1 2 3 \n4 5\t60",
                                        "\"a\",\"b\",\"c\"\n1,2,3\n\n4,5,60\n\n",
                                        "\xEF\xBB\xBF\x61,b,c\n1, 2 ,3\n4,5,60",
                                        "# a comment, with commas\n# two\na,b,c\n1,2,3\n4,5,60\n",
                                        "a , \"b\" ,c\n1,\"2\",3\n\"4\" ,5,60\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        bnn_table *t = csv(texts[i], &(bnn_csv_options){0});
        ck_assert_int_eq(t->n, 2);
        ck_assert_int_eq(t->n_classes, 0);
        NUMBERS(t->x, 1, 2, 4, 5);
        NUMBERS(t->y, 3, 60);
        ck_assert_str_eq(t->x_names[0], "a");
        ck_assert_str_eq(t->x_names[1], "b");
        ck_assert_str_eq(t->y_names[0], "c");
        ck_assert_str_eq(t->title, "data");
        ck_assert_uint_eq(strlen(t->raw_sha256), 64);
        bnn_table_free(t);
    }
}
END_TEST

START_TEST(quoted_fields_hold_anything) {
    bnn_table *t = csv("\"a, b\",\"c\"\"d\",y\n1,\"x\ny\",1\n2,\"x, y\",2\n", &(bnn_csv_options){0});
    ck_assert_str_eq(t->x_names[0], "a, b");
    ck_assert_str_eq(t->x_names[1], "c\"d=x\ny");
    ck_assert_str_eq(t->x_names[2], "c\"d=x, y");
    bnn_table_free(t);
}
END_TEST

START_TEST(headers_are_guessed) {
    bnn_table *t = csv("1,2\n3,4\n", &(bnn_csv_options){0}); /* numbers: none */
    ck_assert_int_eq(t->n, 2);
    ck_assert_str_eq(t->x_names[0], "column1");
    bnn_table_free(t);
    t = csv("p,x,x\ne,x,y\np,z,y\n", &(bnn_csv_options){.targets = "1"}); /* texts, one of them twice: none */
    ck_assert_int_eq(t->n, 3);
    bnn_table_free(t);
    t = csv("p,x,q\ne,x,y\np,z,y\n", &(bnn_csv_options){.targets = "p"}); /* texts, all different: names */
    ck_assert_int_eq(t->n, 2);
    bnn_table_free(t);
    t = csv("p,x,q\ne,x,y\np,z,y\n", &(bnn_csv_options){.targets = "1", .header = BNN_HEADER_NO});
    ck_assert_int_eq(t->n, 3);
    bnn_table_free(t);
    t = csv("7,8\n1,2\n", &(bnn_csv_options){.targets = "7", .header = BNN_HEADER_YES}); /* a name before a number */
    ck_assert_str_eq(t->y_names[0], "7");
    NUMBERS(t->y, 1);
    bnn_table_free(t);
    t = csv(",a,b\nr1,1,2\nr2,2,3\n", &(bnn_csv_options){.drop = "1"}); /* R's row names */
    ck_assert_int_eq(bnn_shape_size(t->x_shape), 1);
    bnn_table_free(t);
}
END_TEST

START_TEST(texts_become_columns) {
    bnn_table *t = csv("size,colour,price\n1,red,10\n2,blue,20\n3,red,30\n", &(bnn_csv_options){0});
    ck_assert_int_eq(bnn_shape_size(t->x_shape), 3);
    ck_assert_str_eq(t->x_names[0], "size");
    ck_assert_str_eq(t->x_names[1], "colour=blue");
    ck_assert_str_eq(t->x_names[2], "colour=red");
    NUMBERS(t->x, 1, 0, 1, 2, 1, 0, 3, 0, 1);
    bnn_table_free(t);
}
END_TEST

START_TEST(classes_are_numbered_by_name) {
    bnn_table *t = csv("a,species\n1,virginica\n2,setosa\n3,virginica\n", &(bnn_csv_options){0});
    ck_assert_int_eq(t->n_classes, 2);
    ck_assert_str_eq(t->class_names[0], "setosa");
    NUMBERS(t->y, 1, 0, 1);
    bnn_table_free(t);
    t = csv("a,digit\n1,10\n2,9\n3,9.0\n", &(bnn_csv_options){.classes = true}); /* numbers by size, equal ones once */
    ck_assert_int_eq(t->n_classes, 2);
    ck_assert_str_eq(t->class_names[1], "10");
    NUMBERS(t->y, 1, 0, 0);
    bnn_table_free(t);
}
END_TEST

START_TEST(targets_come_in_the_order_asked_for) {
    bnn_table *t = csv("a,b,c,d\n1,2,3,4\n5,6,7,8\n", &(bnn_csv_options){.targets = "c,1", .drop = "d"});
    ck_assert_int_eq(t->y_dim, 2);
    ck_assert_str_eq(t->y_names[0], "c");
    NUMBERS(t->y, 3, 1, 7, 5);
    NUMBERS(t->x, 2, 6);
    bnn_table_free(t);
}
END_TEST

START_TEST(rows_to_predict_have_no_target) {
    bnn_table *t = csv("a,colour,y\n1,red,5\n2,blue,6\n", &(bnn_csv_options){.targets = "none", .drop = "y"});
    ck_assert(t->y_dim == 0 && t->n_classes == 0 && !t->y && !t->y_names && !t->class_names);
    ck_assert_int_eq(bnn_shape_size(t->x_shape), 3);
    NUMBERS(t->x, 1, 0, 1, 2, 1, 0);
    bnn_table_free(t);
    t = csv("a\n1\n2\n", &(bnn_csv_options){.targets = "none"}); /* one column is enough */
    ck_assert_int_eq(t->n, 2);
    NUMBERS(t->x, 1, 2);
    bnn_table_free(t);
}
END_TEST

START_TEST(one_row_is_a_table) {
    bnn_table *t = csv("a,b\n1,2\n", &(bnn_csv_options){0});
    ck_assert_int_eq(t->n, 1);
    bnn_table_free(t);
}
END_TEST

static void refused(const char *text, const bnn_csv_options *options, const char *sentence) {
    bnn_table *t;
    REFUSED(read_csv(text, options, &t), sentence);
    ck_assert_ptr_null(t);
    files_remove();
}

START_TEST(csv_is_refused) {
    static const bnn_csv_options usual;
    bnn_table *t;
    REFUSED(bnn_import_csv("/nowhere/x.csv", &usual, &nothing, &t), "/nowhere/x.csv: No such file or directory");
    ck_assert_int_lt(bnn_import_csv("/tmp", &usual, &nothing, &t), 0);
    ck_assert_str_eq(bnn_error(), "/tmp: Is a directory");
    REFUSED(bnn_import_csv(files_write_bytes("data.csv", "a,b\n1,\0\n", 8), &usual, &nothing, &t), "data.csv: is not a text file");
    refused("", &usual, "data.csv: is empty");
    refused("\n \n", &usual, "data.csv: holds no data");
    refused("a,b\n", &usual, "data.csv: has a header and no rows");
    refused("a\n1\n", &usual, "data.csv: has one column, a table needs features and a target: say what ends a field (--delimiter)");
    refused("a,b\n1,2\n3\n", &usual, "data.csv: line 3 has 1 field, the lines before have 2");
    refused("a,b\n1,2\n3,4,5\n", &usual, "data.csv: line 3 has 3 fields, the lines before have 2");
    refused("a,b\n\"1\n\",2\n3\n", &usual, "data.csv: line 4 has 1 field, the lines before have 2");
    refused("a,b\n1,\"2\n3,4\n", &usual, "data.csv: line 2: a quoted field has no closing quote");
    refused("a,b\n1,\"2\"x\n", &usual,
            "data.csv: line 2: a quoted field goes on behind its closing quote; a quote within it is written twice");
    refused(
        "a,b\n1,2\n,4\n", &usual,
        "data.csv: row 2, column 'a': value is missing: its row can be left out (--missing drop) or the mean put there (--missing mean)");
    refused("a,b\n1,2\n1,NA\n", &usual, "data.csv: row 2, column 'b': value is missing (NA): its row can be left out (--missing drop)");
    refused("a,b\n?,2\n1,3\n", &usual,
            "data.csv: row 1, column 'a': value is missing (?): its row can be left out (--missing drop) or the mean put there (--missing "
            "mean)");
    refused("a,b\n1,2\n1,NaN\n", &usual, "data.csv: row 2, column 'b': value is missing (NaN): its row can be left out (--missing drop)");
    refused("a,b\n1,2\ninf,3\n", &usual, "data.csv: row 2, column 'a': 'inf' is not a finite number");
    refused("a,b\n1,2\n3,1e999\n", &usual, "data.csv: row 2, column 'b': '1e999' is not a finite number");
    refused("a,b\n1,2\n3,4\n5o,6\n", &usual, "data.csv: row 3, column 'a': '5o' is not a number");
    refused("a;b\n1,5;2\n3;4\n", &usual, "data.csv: row 1, column 'a': '1,5' is 1.5 with --decimal ,");
    refused("a,b\n1,2\n", &(bnn_csv_options){.targets = "z"}, "data.csv: has no column 'z': there are a, b");
    refused("a,b\n1,2\n", &(bnn_csv_options){.targets = "3"}, "data.csv: has no column '3': there are a, b");
    refused("a,b\n1,2\n", &(bnn_csv_options){.targets = "a,b"}, "data.csv: no column is left as a feature");
    refused("a,b\n1,2\n", &(bnn_csv_options){.targets = "none", .drop = "a,b"}, "data.csv: no column is left as a feature");
    refused("a,b\n1,2\n", &(bnn_csv_options){.targets = "b", .drop = "b"},
            "data.csv: column 'b' is named twice: among left-out and target columns");
    refused("a,b,c\n1,x,2\n3,y,4\n", &(bnn_csv_options){.targets = "b,c"},
            "data.csv: column 'b' holds classes: it must be the only target");
    refused("a,b\n1,x\n2,x\n", &usual, "data.csv: column 'b' holds a single class, 'x'");
}
END_TEST

START_TEST(identifiers_are_refused) {
    char text[200 * 16] = "name,y\n";
    for (int i = 0; i < 150; i++) sprintf(text + strlen(text), "n%d,%d\n", i, i);
    refused(text, &(bnn_csv_options){0},
            "data.csv: column 'name' has 150 different values in 150 rows: leave it out (--drop), carry it through (--id), or make it a "
            "number");
}
END_TEST

/* ---- uci ---- */

static void write_uci(void) {
    files_write("data.txt", "1 2\t3 \n4 5 6\n\n 7 8 9\n");
    files_write("index_features.txt", "0\n2\n");
    files_write("index_target.txt", "1\n");
    files_write("index_train_0.txt", "2\n0\n");
    files_write("index_test_0.txt", "1\n");
}

START_TEST(uci_folders_are_read) {
    bnn_table *t;
    write_uci();
    OK(bnn_import_uci(files_path(""), &(bnn_import_about){.title = "three", .license = "CC0-1.0"}, &t));
    ck_assert_int_eq(t->n, 3);
    NUMBERS(t->x, 1, 3, 4, 6, 7, 9);
    NUMBERS(t->y, 2, 5, 8);
    ck_assert_str_eq(t->title, "three");
    ck_assert_str_eq(t->license, "CC0-1.0");
    ck_assert_str_eq(t->x_names[1], "x2");
    ck_assert_str_eq(t->y_names[0], "y");
    ck_assert_int_eq(t->n_splits, 1);
    ck_assert_mem_eq(t->order, ((const int[]){2, 0, 1}), 3 * sizeof(int));
    ck_assert_int_eq(t->role[1], BNN_TEST);
    bnn_table_free(t);
    files_remove();
}
END_TEST

START_TEST(uci_folders_are_doubted_like_texts) {
    static const char *const said[] = {
        "looks_like_index: column 'x1' looks like an index or row numbers, and is a feature: leave it out of index_features.txt",
        "constant: constant columns, of which nothing can be learned: x4",
        "duplicate_columns: columns that hold the same values: 'x2' and 'x3'",
        "few_values: the target 'y' holds only the whole numbers 0, 2: they are taken as numbers (regression); for classes import data.txt "
        "as "
        "csv with --classes"};
    bnn_remarks *remarks;
    bnn_table *t;
    files_write("data.txt", "1 .5 .5 7 0\n2 .25 .25 7 2\n3 .5 .5 7 0\n4 .1 .1 7 2\n");
    files_write("index_features.txt", "0\n1\n2\n3\n");
    files_write("index_target.txt", "4\n");
    OK(bnn_remarks_new(&remarks));
    OK(bnn_import_uci(files_path(""), &(bnn_import_about){.size = sizeof(bnn_import_about), .remarks = remarks}, &t));
    ck_assert_int_eq(bnn_remarks_count(remarks), 4);
    for (int i = 0; i < 4; i++) {
        char text[300];
        sprintf(text, "%s: %s", bnn_remark_code(remarks, i), bnn_remark_sentence(remarks, i));
        ck_assert_str_eq(text, said[i]);
    }
    ck_assert_ptr_null(t->schema);
    bnn_table_free(t);
    bnn_remarks_free(remarks);
    files_remove();
}
END_TEST

static void uci_refused(const char *name, const char *text, const char *sentence) {
    bnn_table *t;
    char folder[256];
    write_uci();
    if (text)
        files_write(name, text);
    else
        ck_assert_int_eq(remove(files_path(name)), 0);
    strcpy(folder, files_path(""));
    folder[strlen(folder) - 1] = '\0';
    REFUSED(bnn_import_uci(folder, &nothing, &t), sentence);
    ck_assert_ptr_null(t);
    files_remove();
}

START_TEST(uci_is_refused) {
    uci_refused("data.txt", NULL, "data.txt: No such file or directory");
    uci_refused("data.txt", "1 2 3\n4 5\n", "data.txt: line 2 has 2 numbers, the lines before have 3");
    uci_refused("data.txt", "1 2 3\n4 x 6\n", "data.txt: line 2, column 2: 'x' is not a finite number");
    uci_refused("data.txt", "1 2 nan\n", "data.txt: line 1, column 3: 'nan' is not a finite number");
    uci_refused("data.txt", " \n", "data.txt: holds no numbers");
    uci_refused("index_target.txt", NULL, "index_target.txt: No such file or directory");
    uci_refused("index_features.txt", "0\n3\n", "index_features.txt: 3 is not an index from 0 to 2");
    uci_refused("index_train_0.txt", "0.5\n", "index_train_0.txt: 0.5 is not an index from 0 to 2");
    uci_refused("index_test_0.txt", NULL, "index_test_0.txt: No such file or directory");
    uci_refused("index_test_0.txt", "1\n0\n", ": split 0 lists 2 training and 2 test rows, the data have 3 rows");
    uci_refused("index_test_0.txt", "0\n", ": split 0: row 0 is listed twice");
    uci_refused("index_features.txt", "0\n1\n", ": the target, column 1, is among the features");
    uci_refused("data.txt", "1 2 2\n4 5 5\n9 7 7\n",
                ": the target is among the features: columns 'x2' and 'y' hold the same values: leave one out");
    uci_refused("index_features.txt", "0\n2\n0\n", ": index_features.txt lists column 0 twice");
    uci_refused("index_train_2.txt", "2\n0\n", ": there is index_train_2.txt, but no index_train_1.txt");
    uci_refused("index_test_1.txt", "1\n", ": there is index_test_1.txt, but no index_train_1.txt");
    uci_refused("n_splits.txt", "20\n", ": n_splits.txt tells 20 splits, but there are files of 1");
}
END_TEST

/* ---- idx ---- */

static const uint8_t two_images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 10, 20, 30, 255};
static const uint8_t two_labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 1, 0};
static const uint8_t one_image[] = {0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2};
static const uint8_t one_label[] = {0, 0, 8, 1, 0, 0, 0, 1, 1};

#define BYTES(name, bytes) files_write_bytes(name, bytes, sizeof(bytes))

START_TEST(idx_pairs_are_read) {
    bnn_table *t, *plain;
    gzFile gz = gzopen(files_path("images.gz"), "wb");
    ck_assert_int_eq(gzwrite(gz, two_images, sizeof two_images), sizeof two_images);
    gzclose(gz);
    bnn_idx_files both = {.images = files_path("images.gz"),
                          .labels = BYTES("labels", two_labels),
                          .test_images = BYTES("test", one_image),
                          .test_labels = BYTES("test_labels", one_label)};
    OK(bnn_import_idx(&both, &nothing, &t));
    ck_assert_int_eq(t->n, 3);
    ck_assert(bnn_shape_equal(t->x_shape, (bnn_shape){.rank = 3, .d = {1, 1, 2}}));
    ck_assert_mem_eq(t->pixels, ((uint8_t[]){10, 20, 30, 255, 1, 2}), 6);
    NUMBERS(t->y, 1, 0, 1);
    ck_assert_int_eq(t->n_classes, 2);
    ck_assert_str_eq(t->class_names[1], "1");
    ck_assert_int_eq(t->scale, BNN_SCALE_RANGE);
    ck_assert_int_eq(t->n_splits, 1);
    ck_assert_str_eq(t->split_origin, "published");
    ck_assert_int_eq(bnn_table_count(t, 0, BNN_TEST), 1);
    OK(bnn_import_idx(&(bnn_idx_files){.images = BYTES("images", two_images), .labels = both.labels}, &nothing, &plain));
    ck_assert_int_eq(plain->n, 2);
    ck_assert_int_eq(plain->n_splits, 0);
    ck_assert_mem_eq(plain->pixels, t->pixels, 4);
    bnn_table_free(t), bnn_table_free(plain);
    files_remove();
}
END_TEST

/* Byte `at` of the images (or labels) becomes `value`, and the file is cut to n bytes. */
static void idx_refused(bool labels, size_t at, uint8_t value, size_t n, const char *sentence) {
    uint8_t images[sizeof two_images + 1], marks[sizeof two_labels + 1];
    bnn_table *t;
    memcpy(images, two_images, sizeof two_images), memcpy(marks, two_labels, sizeof two_labels);
    (labels ? marks : images)[at] = value;
    bnn_idx_files files = {.images = files_write_bytes("images", images, labels ? sizeof two_images : n),
                           .labels = files_write_bytes("labels", marks, labels ? n : sizeof two_labels)};
    REFUSED(bnn_import_idx(&files, &nothing, &t), sentence);
    ck_assert_ptr_null(t);
    files_remove();
}

START_TEST(idx_is_refused) {
    bnn_table *t;
    const uint8_t flat[] = {0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 1, 5, 6};
    size_t n = sizeof two_images, m = sizeof two_labels;
    REFUSED(bnn_import_idx(&(bnn_idx_files){.images = "/nowhere/i", .labels = "l"}, &nothing, &t), "/nowhere/i: No such file or directory");
    idx_refused(false, 0, 'P', n, "images: is not an IDX file: it does not begin with two zero bytes");
    idx_refused(false, 2, 0x0d, n, "images: holds IDX type 0x0d, only unsigned bytes (0x08) are read");
    idx_refused(false, 3, 5, n, "images: has 5 dimensions, expected 1 to 4");
    idx_refused(false, 3, 2, n, "images: goes on behind the 2 bytes that its header announces");
    idx_refused(false, 3, 3, n - 1, "images: is truncated: it ends before the 4 bytes that its header announces");
    idx_refused(false, 3, 3, 9, "images: is truncated: it ends before the 16 bytes that its header announces");
    idx_refused(false, 20, 9, n + 1, "images: goes on behind the 4 bytes that its header announces");
    idx_refused(false, 7, 0, n, "images: has extent 0 in dimension 1");
    idx_refused(true, 7, 1, m - 1, "labels: holds 1 labels for the 2 images of images");
    REFUSED(bnn_import_idx(&(bnn_idx_files){.images = BYTES("images", two_images), .labels = BYTES("l", flat)}, &nothing, &t),
            "l: has 2 dimensions, labels have 1, or 3 with one for each pixel");
    REFUSED(bnn_import_idx(&(bnn_idx_files){.images = BYTES("i", two_labels), .labels = BYTES("l", two_labels)}, &nothing, &t),
            "i: has 1 dimension(s), images have 3 (or 4 with channels)");
    uint8_t wide[sizeof one_image + 1], high[sizeof one_label];
    memcpy(wide, one_image, sizeof one_image), memcpy(high, one_label, sizeof one_label);
    wide[15] = 3, high[8] = 2;
    bnn_idx_files files = {.images = BYTES("images", two_images),
                           .labels = BYTES("labels", two_labels),
                           .test_images = BYTES("test", wide),
                           .test_labels = BYTES("marks", one_label)};
    REFUSED(bnn_import_idx(&files, &nothing, &t), "test: its images are [1x1x3], those of images are [1x1x2]");
    BYTES("test", one_image), BYTES("marks", high);
    REFUSED(bnn_import_idx(&files, &nothing, &t), "marks: has label 2, the training labels end at 1");
    files_remove();
}
END_TEST

/* Two images of 1x2 pixels, with a label for each, of which 9 is void. */
START_TEST(idx_has_labels_of_pixels) {
    const uint8_t labels[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 1, 9, 3, 1};
    const uint8_t tall[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 1, 1, 9, 3, 1};
    bnn_remarks *r;
    bnn_table *t;
    OK(bnn_remarks_new(&r));
    bnn_idx_files files = {
        .images = BYTES("images", two_images), .labels = BYTES("labels", labels), .has_void = true, .void_label = 9, .remarks = r};
    OK(bnn_import_idx(&files, &nothing, &t));
    ck_assert(bnn_shape_equal(t->y_shape, (bnn_shape){.rank = 2, .d = {1, 2}}));
    ck_assert_int_eq(t->n_classes, 4);
    NUMBERS(t->y, 1, -1, 3, 1);
    OK(bnn_table_check(t));
    ck_assert_int_eq(bnn_remarks_count(r), 2);
    ck_assert_str_eq(bnn_remark_code(r, 0), "labels_from");
    ck_assert_str_eq(bnn_remark_sentence(r, 0),
                     "labels: from 1 to 3, and classes are counted from 0: there are 4, of which the first 1 are never seen");
    ck_assert_str_eq(bnn_remark_sentence(r, 1), "labels: from 1 to 3, and none is 2");
    bnn_table_free(t);
    BYTES("labels", tall);
    REFUSED(bnn_import_idx(&files, &nothing, &t), "labels: has labels of 2x1 pixels, the images of images have 1x2");
    BYTES("labels", two_labels);
    REFUSED(bnn_import_idx(&files, &nothing, &t), "labels: has one label for each image, and pixels alone can be void");
    bnn_remarks_free(r);
    files_remove();
}
END_TEST

int main(void) {
    return run_tests("import",
                     (const TTest *const[]){every_separator_is_guessed, quoted_fields_hold_anything, headers_are_guessed,
                                            texts_become_columns, classes_are_numbered_by_name, targets_come_in_the_order_asked_for,
                                            rows_to_predict_have_no_target, one_row_is_a_table, csv_is_refused, identifiers_are_refused,
                                            uci_folders_are_read, uci_folders_are_doubted_like_texts, uci_is_refused, idx_pairs_are_read,
                                            idx_is_refused, idx_has_labels_of_pixels, NULL});
}
