/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_like.c: new rows read by the schema of others: from files, tables and columns in memory.
 */
#include "files.h"

#include <bnn/import.h>
#include <bnn/remark.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a table that was fitted to ---- */

static const char fitted[] = "id,length,colour,y\n"
                             "r1,0.1,red,1.5\n"
                             "r2,0.2,blue,2\n"
                             "r3,,green,3\n"
                             "r4,-4e-7,blue,4\n";

static bnn_table *table_of(const char *text, bnn_csv_options how) {
    bnn_table *t;
    how.size = sizeof how;
    OK(bnn_import_csv(files_write("fitted.csv", text), &how, NULL, &t));
    return t;
}

static bnn_table *fitted_table(void) { return table_of(fitted, (bnn_csv_options){.id = "id", .missing = BNN_MISSING_MEAN}); }

/* x of the table above: length, length=missing, colour=blue, colour=green, colour=red. */
enum { WIDTH = 5 };

static bnn_status read_like(const char *text, const bnn_table *like, const bnn_csv_options *how, bnn_table **out) {
    return bnn_import_like(files_write("new.csv", text), like->schema, how, NULL, out);
}

static void has_rows(const bnn_table *t, int n, const double *x) {
    ck_assert_int_eq(t->n, n);
    ck_assert_int_eq(bnn_shape_size(t->x_shape), WIDTH);
    for (int i = 0; i < n * WIDTH; i++) ck_assert_double_eq(t->x[i], x[i]);
}

#define FILL ((0.1 + 0.2 - 4e-7) / 3)

/* ---- files ---- */

START_TEST(columns_are_found_by_name) {
    static const struct {
        const char *text;
        bool y;
    } files[] = {{"id,length,colour,y\na,7,red,1\nb,NA,blue,2\n", true},
                 {"y,colour,length,id\n1,red,7,a\n2,blue,?,b\n", true},
                 {"z,colour,length,more\n1,red,7,a\n2,blue,,b\n", false},
                 {"length;colour\n7;red\n;blue\n", false},
                 {"\"colour\"\t\"length\"\nred\t7\nblue\tnan\n", false}};
    bnn_table *like = fitted_table(), *t;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        OK(read_like(files[i].text, like, NULL, &t));
        has_rows(t, 2, (const double[]){7, 0, 0, 0, 1, FILL, 1, 1, 0, 0});
        ck_assert_int_eq(t->y_dim, files[i].y);
        if (t->y_dim) ck_assert_double_eq(t->y[1], 2);
        for (int k = 0; k < WIDTH; k++) ck_assert_str_eq(t->x_names[k], like->x_names[k]);
        ck_assert_int_eq(t->schema->n, like->schema->n);
        bnn_table_free(t);
    }
    bnn_table_free(like);
    files_remove();
}
END_TEST

START_TEST(rows_without_anything_are_counted) {
    static const struct {
        const char *text;
        int left_out;
    } files[] = {{"a\n5\n\n\n6\n\n", 2}, {"a\n\n5\n\n\n", 1}, {"a,b\n5,1\n\n6,2\n,\n", 1}, {"a,b\n5,1\n\n6,2\n", 0}};
    bnn_table *like = table_of("a,y\n1,2\n2,3\n", (bnn_csv_options){.size = 0}), *t;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        bnn_remarks *remarks;
        char sentence[40];
        OK(bnn_remarks_new(&remarks));
        OK(read_like(files[i].text, like, &(bnn_csv_options){.size = sizeof(bnn_csv_options), .remarks = remarks}, &t));
        int last = bnn_remarks_count(remarks);
        bool told = last > 0 && strcmp(bnn_remark_code(remarks, 0), "blank_rows") == 0;
        ck_assert_int_eq(told, files[i].left_out > 0);
        sprintf(sentence, "blank rows: %d left out", files[i].left_out);
        if (told) ck_assert_str_eq(bnn_remark_sentence(remarks, 0), sentence);
        bnn_table_free(t), bnn_remarks_free(remarks);
    }
    bnn_table_free(like);
    files_remove();
}
END_TEST

START_TEST(codes_without_their_zeros_are_told) {
    bnn_table *like = table_of("zip,y\n00501,2\n90210,3\n", (bnn_csv_options){.levels = "zip"}), *t;
    REFUSED(read_like("zip\n501\n", like, NULL, &t),
            "new.csv: row 1, column 'zip': '501' is an unknown level, but '00501' is known, which differs in the zeros before it");
    REFUSED(read_like("zip\n502\n", like, NULL, &t), "new.csv: row 1, column 'zip': '502' is an unknown level: there are 00501, 90210");
    bnn_table_free(like);
    files_remove();
}
END_TEST

START_TEST(ids_are_carried_through) {
    bnn_table *like = fitted_table(), *t, *other;
    ck_assert_int_eq(like->n_ids, 1);
    ck_assert_str_eq(like->ids[3], "r4");
    OK(read_like("colour,id,length\nred,\"a,b\",1\n", like, NULL, &t));
    ck_assert_int_eq(t->n_ids, 1);
    ck_assert_str_eq(t->id_names[0], "id");
    ck_assert_str_eq(t->ids[0], "a,b");
    bnn_table_free(t);
    OK(read_like("colour,length\nred,1\n", like, NULL, &t));
    ck_assert_int_eq(t->n_ids, 0);
    bnn_table_free(t);
    OK(read_like("colour,length,day\nred,1,mon\n", like, &(bnn_csv_options){sizeof(bnn_csv_options), .id = "day"}, &t));
    ck_assert_int_eq(t->n_ids, 1);
    ck_assert_str_eq(t->id_names[0], "day");
    ck_assert_str_eq(t->ids[0], "mon");
    REFUSED(read_like("colour,length\nred,1\n", like, &(bnn_csv_options){sizeof(bnn_csv_options), .id = "length"}, &other),
            "new.csv: column 'length' is one that was fitted: it is no id");
    REFUSED(read_like("colour,length\nred,1\n", like, &(bnn_csv_options){sizeof(bnn_csv_options), .drop = "length"}, &other),
            "new.csv: column 'length' is one that was fitted: it cannot be left out");
    REFUSED(read_like("colour,length,y\nred,1,2\n", like, &(bnn_csv_options){sizeof(bnn_csv_options), .drop = "y"}, &other),
            "new.csv: column 'y' is one that was fitted: it cannot be left out but by --target none");
    bnn_table_free(t), bnn_table_free(like);
    files_remove();
}
END_TEST

START_TEST(what_does_not_fit_is_refused) {
    static const struct {
        const char *text, *sentence;
    } files[] = {
        {"length,y\n1,2\n", "new.csv: has no column 'colour': there are length, y"},
        {"length,colour\n1,red\n2,violet\n", "new.csv: row 2, column 'colour': 'violet' is an unknown level: there are blue, green, red"},
        {"length,colour\n1,red\n2,\n",
         "new.csv: row 2, column 'colour': value is missing, and the fit knew of none there: its row can be left out (--missing drop)"},
        {"length,colour\n1,red\n1m,red\n", "new.csv: row 2, column 'length': '1m' is not a number"},
        {"length,colour\n1,red\n1e999,red\n", "new.csv: row 2, column 'length': '1e999' is not a finite number"},
        {"length,colour,y\n1,red,\n2,red,5\n",
         "new.csv: row 1, column 'y': value is missing: the targets can be left out (--target none), or the row (--missing drop)"},
        {"length,colour,length\n1,red,2\n", "new.csv: columns 1 and 3 are both called 'length'"}};
    bnn_table *like = fitted_table(), *t;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) REFUSED(read_like(files[i].text, like, NULL, &t), files[i].sentence);
    REFUSED(bnn_import_like(files_path("new.csv"), NULL, NULL, NULL, &t),
            "there is no schema to read by: the columns that were fitted to have no names");
    REFUSED(read_like("length,colour\n1,red\n", like, &(bnn_csv_options){.targets = "length"}, &t),
            "targets, weights, classes and levels are those of the fit: only 'none' can be asked for as target");
    bnn_table_free(like);
    files_remove();
}
END_TEST

START_TEST(unknown_levels_are_read_as_another_if_asked) {
    bnn_table *like = fitted_table(), *t;
    bnn_remarks *remarks;
    OK(bnn_remarks_new(&remarks));
    bnn_csv_options how = {sizeof how, .other = "green", .remarks = remarks};
    OK(read_like("length,colour\n1,violet\n1,red\n1,pink\n", like, &how, &t));
    has_rows(t, 3, (const double[]){1, 0, 0, 1, 0, 1, 0, 0, 0, 1, 1, 0, 0, 1, 0});
    ck_assert_int_eq(bnn_remarks_count(remarks), 2);
    ck_assert_str_eq(bnn_remark_code(remarks, 0), "no_id");
    ck_assert_str_eq(bnn_remark_sentence(remarks, 1), "column 'colour': 2 unknown levels read as 'green'");
    bnn_table_free(t);
    how.other = "grey";
    REFUSED(read_like("length,colour\n1,violet\n", like, &how, &t),
            "new.csv: row 1, column 'colour': 'violet' is an unknown level, and 'grey' is none of the known ones: blue, green, red");
    bnn_remarks_free(remarks), bnn_table_free(like);
    files_remove();
}
END_TEST

START_TEST(rows_without_a_value_are_left_out_if_asked) {
    bnn_table *like = fitted_table(), *t;
    bnn_csv_options how = {sizeof how, .missing = BNN_MISSING_DROP};
    OK(read_like("length,colour,y\n,red,1\n2,,1\n3,blue,\n4,blue,1\n", like, &how, &t)); /* of a missing length the fit knows */
    has_rows(t, 2, (const double[]){FILL, 1, 0, 0, 1, 4, 0, 1, 0, 0});
    bnn_table_free(t);
    REFUSED(read_like("length,colour,y\n1,,1\n1,violet,1\n", like, &how, &t),
            "new.csv: row 1 (line 3), column 'colour': 'violet' is an unknown level: there are blue, green, red");
    how.targets = "none";
    OK(read_like("length,colour,y\n,red,1\n2,,1\n3,blue,\n", like, &how, &t));
    has_rows(t, 2, (const double[]){FILL, 1, 0, 0, 1, 3, 0, 1, 0, 0});
    bnn_table_free(t), bnn_table_free(like);
    files_remove();
}
END_TEST

START_TEST(targets_are_there_or_not) {
    bnn_table *like = table_of("a,u,v\n1,2,3\n2,3,4\n", (bnn_csv_options){.targets = "u,v"}), *t;
    OK(read_like("v,u,a\n3,2,1\n", like, NULL, &t));
    ck_assert_double_eq(t->y[0], 2);
    ck_assert_double_eq(t->y[1], 3);
    bnn_table_free(t);
    OK(read_like("v,u,a\n?,,1\n", like, &(bnn_csv_options){.targets = "none"}, &t));
    ck_assert_int_eq(t->y_dim, 0);
    bnn_table_free(t);
    OK(read_like("v,a\n3,1\n", like, NULL, &t));
    ck_assert_int_eq(t->y_dim, 0);
    bnn_table_free(t);
    for (int missing = 0; missing < 3; missing++) { /* columns without a value are those of rows to predict */
        OK(read_like("v,u,a\n,,1\nNA,,2\n", like, &(bnn_csv_options){sizeof(bnn_csv_options), .missing = (bnn_missing)missing}, &t));
        ck_assert(t->y_dim == 0 && t->n == 2);
        bnn_table_free(t);
    }
    REFUSED(read_like("v,u,a\n,1,1\n3,,2\n", like, NULL, &t), "new.csv: row 1, column 'v': value is missing: the targets can be left out "
                                                              "(--target none), or the row (--missing drop)");
    bnn_table_free(like);
    files_remove();
}
END_TEST

START_TEST(classes_have_the_place_they_had) {
    bnn_table *like = table_of("a,k\n1,dog\n2,cat\n3,emu\n", (bnn_csv_options){0}), *t;
    OK(read_like("a,k\n1,emu\n1,cat\n", like, NULL, &t));
    ck_assert_int_eq(t->n_classes, 3);
    ck_assert_double_eq(t->y[0], 2);
    ck_assert_double_eq(t->y[1], 0);
    ck_assert_str_eq(t->class_names[1], "dog");
    bnn_table_free(t);
    REFUSED(read_like("a,k\n1,emu\n1,cow\n", like, NULL, &t),
            "new.csv: row 2, column 'k': 'cow' is an unknown class: there are cat, dog, emu");
    bnn_table_free(like);
    like = table_of("a,k\n1,10\n2,9\n3,1.50\n", (bnn_csv_options){.classes = true});
    OK(read_like("a,k\n1,9.0\n1,1e1\n1,1.5\n", like, NULL, &t));
    ck_assert_double_eq(t->y[0], 1);
    ck_assert_double_eq(t->y[1], 2);
    ck_assert_double_eq(t->y[2], 0);
    bnn_table_free(t), bnn_table_free(like);
    files_remove();
}
END_TEST

START_TEST(names_are_told_from_values) {
    bnn_table *like = table_of("name,colour,y\nann,red,1\nbob,blue,2\nann,blue,3\n", (bnn_csv_options){0}), *t;
    OK(read_like("bob,red\n", like, NULL, &t)); /* one row, all texts, no names */
    ck_assert_int_eq(t->n, 1);
    ck_assert_double_eq(t->x[1], 1);
    ck_assert_double_eq(t->x[3], 1);
    bnn_table_free(t);
    OK(read_like("colour,name\nred,bob\n", like, NULL, &t)); /* all texts, with names */
    ck_assert_int_eq(t->n, 1);
    ck_assert_double_eq(t->x[1], 1);
    bnn_table_free(t), bnn_table_free(like);
    like = table_of("1,2,3\n4,5,6\n7,8,10\n", (bnn_csv_options){.header = BNN_HEADER_YES});
    OK(read_like("2,1\n8,7\n", like, &(bnn_csv_options){.header = BNN_HEADER_YES}, &t)); /* names that are numbers */
    ck_assert_double_eq(t->x[0], 7);
    bnn_table_free(t), bnn_table_free(like);
    files_remove();
}
END_TEST

START_TEST(columns_without_names_go_by_their_place) {
    bnn_table *like = table_of("y,a,colour,z\n1,2,red,0\n2,3,blue,0\n", (bnn_csv_options){.targets = "y", .drop = "z"}), *t;
    bnn_remarks *remarks;
    OK(bnn_remarks_new(&remarks));
    bnn_csv_options how = {sizeof how, .remarks = remarks};
    OK(read_like("5,7,red,0\n6,8,blue,0\n", like, &how, &t)); /* as many as the file had */
    ck_assert_double_eq(t->x[0], 7);
    ck_assert_double_eq(t->y[1], 6);
    bnn_table_free(t);
    ck_assert_str_eq(bnn_remark_code(remarks, 0), "by_place");
    OK(read_like("7,red\n8,blue\n", like, NULL, &t)); /* as many as it takes without targets */
    ck_assert_double_eq(t->x[0], 7);
    ck_assert_int_eq(t->y_dim, 0);
    bnn_table_free(t);
    REFUSED(read_like("7,red,0\n8,blue,1\n", like, NULL, &t),
            "new.csv: has no column 'a': there are column1, column2, column3; the first line does not name them");
    bnn_table_free(like);
    like = fitted_table();
    OK(read_like("7,red\n8,blue\n", like, NULL, &t)); /* features alone */
    has_rows(t, 2, (const double[]){7, 0, 0, 0, 1, 8, 0, 1, 0, 0});
    ck_assert_int_eq(t->n_ids, 0);
    bnn_table_free(t), bnn_table_free(like);
    like = table_of("1,2,3\n2,3,5\n", (bnn_csv_options){0}); /* that had no names either */
    OK(read_like("1,2\n", like, NULL, &t));
    ck_assert_int_eq(t->y_dim, 0);
    bnn_table_free(t), bnn_table_free(like);
    bnn_remarks_free(remarks);
    files_remove();
}
END_TEST

START_TEST(marks_are_those_of_the_fit_unless_others_are_asked_for) {
    bnn_csv_options how = {sizeof how, .decimal = ',', .thousands = '.', .delimiter = '|', .na = "-999"};
    bnn_table *like = table_of("a|y\n1.000,5|1\n2|2\n", how), *t;
    OK(read_like("y|a\n3|2.000,25\n", like, NULL, &t));
    ck_assert_double_eq(t->x[0], 2000.25);
    bnn_table_free(t);
    OK(read_like("y,a\n3,2.5\n", like, &(bnn_csv_options){sizeof how, .decimal = '.', .delimiter = ','}, &t));
    ck_assert_double_eq(t->x[0], 2.5);
    bnn_table_free(t);
    REFUSED(read_like("y|a\n3|-999\n", like, NULL, &t),
            "new.csv: row 1, column 'a': value is missing, and the fit knew of none there: its row can be left out (--missing drop)");
    bnn_table_free(like);
    files_remove();
}
END_TEST

START_TEST(sparse_rows_have_the_columns_of_the_fit) {
    bnn_table *like = table_of("1 1:0.5 4:2\n-1 2:3\n", (bnn_csv_options){0}), *t;
    OK(read_like("0 2:7\n", like, NULL, &t));
    ck_assert_int_eq(bnn_shape_size(t->x_shape), 4);
    ck_assert_double_eq(t->x[1], 7);
    ck_assert_double_eq(t->x[3], 0);
    bnn_table_free(t), bnn_table_free(like);
    files_remove();
}
END_TEST

/* ---- tables ---- */

START_TEST(sparse_rows_need_no_labels) {
    bnn_table *like = table_of("1 1:.5 3:2\n2 2:1\n", (bnn_csv_options){.size = 0}), *t;
    OK(read_like("1:7\n3:9\n", like, NULL, &t));
    ck_assert_int_eq(t->y_dim, 0);
    for (int i = 0; i < 6; i++) ck_assert_double_eq(t->x[i], ((double[]){7, 0, 0, 0, 0, 9})[i]);
    bnn_table_free(t);
    REFUSED(read_like("1:7\n5 3:9\n", like, NULL, &t), "new.csv: row 1 (line 1), column 'y': value is missing: the targets can be left out "
                                                       "(--target none), or the row (--missing drop)");
    bnn_table_free(like);
    like = table_of("a,y\n1,2\n2,3\n", (bnn_csv_options){.size = 0});
    REFUSED(read_like("1:7\n3:9\n", like, NULL, &t), "new.csv: has no column 'a': there are 1:7");
    bnn_table_free(like);
    files_remove();
}
END_TEST

START_TEST(numbers_in_another_notation_are_refused_with_the_way_out) {
    bnn_csv_options comma = {.size = sizeof comma, .decimal = ',', .thousands = '.', .delimiter = ';'};
    bnn_table *like = table_of("a;b;y\n1.000,5;2;3\n4;5;6\n", comma), *t;
    static const char *const points[] = {"a,b\n1.234,2\n", "b\ta\n2\t1.5\n", "a;b\n1.5;2\n"};
    static const char *const cells[] = {"1.234", "1.5", "1.5"};
    for (int i = 0; i < 3; i++) {
        char sentence[200];
        sprintf(sentence,
                "new.csv: row 1, column 'a': '%s' has a decimal point, but numbers are to have a decimal comma: --decimal . reads it",
                cells[i]);
        REFUSED(read_like(points[i], like, NULL, &t), sentence);
    }
    OK(read_like("a,b\n\"1.234,5\",2\n", like, NULL, &t)); /* quoted, in the notation of the fit */
    ck_assert_double_eq(t->x[0], 1234.5);
    bnn_table_free(t);
    OK(read_like(points[0], like, &(bnn_csv_options){sizeof comma, .decimal = '.'}, &t));
    ck_assert_double_eq(t->x[0], 1.234);
    bnn_table_free(t);
    comma.delimiter = ',';
    OK(read_like("a,b\n\"1.234,5\",2\n", like, &comma, &t)); /* the word of the caller */
    bnn_table_free(t);
    bnn_table_free(like);
    like = table_of("a,b,y\n1.5,2,3\n4,5,6\n", (bnn_csv_options){.size = 0});
    REFUSED(read_like("a;b\n1,5;2\n", like, NULL, &t), "new.csv: row 1, column 'a': '1,5' is 1.5 with --decimal ,");
    bnn_table_free(like);
    files_remove();
}
END_TEST

START_TEST(tables_are_read_by_name) {
    bnn_table *like = fitted_table(), *other, *t;
    OK(bnn_import_csv(files_write("other.csv", "extra,colour,y,length\n1,red,3,0.1\n2,blue,4,0.30000000000000004\n3,red,5,5e-324\n"),
                      &(bnn_csv_options){.targets = "y"}, &(bnn_import_about){.title = "others", .license = "CC0-1.0"}, &other));
    OK(bnn_table_split(other, BNN_SPLIT_HOLDOUT, 2, 1));
    OK(bnn_table_like(other, like->schema, NULL, &t));
    has_rows(t, 3, (const double[]){0.1, 0, 0, 0, 1, 0.30000000000000004, 0, 1, 0, 0, 5e-324, 0, 0, 0, 1});
    ck_assert_mem_eq(t->y, other->y, 3 * sizeof *t->y);
    ck_assert_str_eq(t->title, "others");
    ck_assert_str_eq(t->license, "CC0-1.0");
    ck_assert_int_eq(t->n_splits, 2);
    ck_assert_mem_eq(t->order, other->order, 6 * sizeof *t->order);
    bnn_table_free(t);
    OK(bnn_table_like(other, like->schema, &(bnn_csv_options){.size = sizeof(bnn_csv_options), .na = "0.1", .missing = BNN_MISSING_MEAN},
                      &t));
    has_rows(t, 3, (const double[]){FILL, 1, 0, 0, 1, 0.30000000000000004, 0, 1, 0, 0, 5e-324, 0, 0, 0, 1}); /* by the texts of numbers */
    bnn_table_free(t);
    OK(bnn_table_like(like, like->schema, NULL, &t)); /* missing values are known again */
    has_rows(t, 4, like->x);
    ck_assert_str_eq(t->ids[2], "r3");
    bnn_table_free(t), bnn_table_free(other), bnn_table_free(like);
    files_remove();
}
END_TEST

START_TEST(tables_that_do_not_fit_are_refused) {
    bnn_table *like = fitted_table(), *other = table_of("colour,y\nviolet,1\nred,2\n", (bnn_csv_options){0}), *t;
    REFUSED(bnn_table_like(other, like->schema, NULL, &t), "the table: has no column 'length': there are colour, y");
    bnn_table_free(other);
    other = table_of("colour,length,y\nred,1,1\nviolet,1,1\n", (bnn_csv_options){0});
    REFUSED(bnn_table_like(other, like->schema, NULL, &t),
            "the table: row 2, column 'colour': 'violet' is an unknown level: there are blue, green, red");
    bnn_table_free(other);
    other = table_new(3, WIDTH, 0, 1);
    REFUSED(bnn_table_like(other, like->schema, NULL, &t),
            "the columns of the table have no names: they cannot be matched to those of a schema");
    bnn_table_free(other), bnn_table_free(like);
    files_remove();
}
END_TEST

/* ---- columns in memory ---- */

static const char *const names[] = {"colour", "length"};
static const char *const colours[] = {"red", "blue"};
static const double lengths[] = {7, NAN};

START_TEST(columns_of_a_program_are_read_by_name) {
    bnn_table *like = fitted_table(), *t;
    bnn_columns c = {sizeof c,
                     .n = 2,
                     .n_columns = 2,
                     .names = names,
                     .numbers = (const double *const[]){NULL, lengths},
                     .texts = (const char *const *const[]){colours, NULL}};
    OK(bnn_columns_like(&c, like->schema, NULL, &t));
    has_rows(t, 2, (const double[]){7, 0, 0, 0, 1, FILL, 1, 1, 0, 0});
    bnn_table_free(t);
    c.n_columns = 1;
    REFUSED(bnn_columns_like(&c, like->schema, NULL, &t), "the columns: has no column 'length': there are colour");
    c.texts = NULL;
    REFUSED(bnn_columns_like(&c, like->schema, NULL, &t),
            "column 'colour' has neither numbers nor texts: it must have either numbers or texts");
    c.n = 0;
    REFUSED(bnn_columns_like(&c, like->schema, NULL, &t), "0 rows of 1 columns make no table");
    bnn_table_free(like);
    files_remove();
}
END_TEST

START_TEST(columns_of_a_program_make_a_table) {
    bnn_table *t;
    bnn_columns c = {sizeof c,
                     .n = 2,
                     .n_columns = 2,
                     .names = names,
                     .numbers = (const double *const[]){NULL, (const double[]){0.30000000000000004, 1e300}},
                     .texts = (const char *const *const[]){colours, NULL}};
    OK(bnn_import_columns(&c, &(bnn_csv_options){.targets = "length"}, &t));
    ck_assert_int_eq(bnn_shape_size(t->x_shape), 2);
    ck_assert_str_eq(t->x_names[1], "colour=red");
    ck_assert_double_eq(t->x[1], 1);
    ck_assert_double_eq(t->y[0], 0.30000000000000004);
    ck_assert_double_eq(t->y[1], 1e300);
    ck_assert_int_eq(t->schema->n, 2);
    bnn_table_free(t);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {columns_are_found_by_name,
                                  codes_without_their_zeros_are_told,
                                  rows_without_anything_are_counted,
                                  ids_are_carried_through,
                                  what_does_not_fit_is_refused,
                                  unknown_levels_are_read_as_another_if_asked,
                                  rows_without_a_value_are_left_out_if_asked,
                                  targets_are_there_or_not,
                                  classes_have_the_place_they_had,
                                  names_are_told_from_values,
                                  columns_without_names_go_by_their_place,
                                  marks_are_those_of_the_fit_unless_others_are_asked_for,
                                  sparse_rows_have_the_columns_of_the_fit,
                                  sparse_rows_need_no_labels,
                                  numbers_in_another_notation_are_refused_with_the_way_out,
                                  tables_are_read_by_name,
                                  tables_that_do_not_fit_are_refused,
                                  columns_of_a_program_are_read_by_name,
                                  columns_of_a_program_make_a_table,
                                  NULL};
    return run_tests("like", tests);
}
