/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_schemas.c: what the columns of a file mean, ids and weights of rows, in data files, run files and predictions.
 */
#include "files.h"

#include <bnn/store.h>
#include <hdf5.h>
#include <hdf5_hl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a table of which every field is used ---- */

static char **texts(int n, const char *const *from) {
    char **to = calloc((size_t)n, sizeof *to);
    for (int i = 0; i < n; i++) to[i] = strdup(from[i]);
    return to;
}

static bnn_schema *schema_new(void) {
    static const char *const colours[] = {"blue", "red, or not", ""}, *const sizes[] = {"-1", "2.50"};
    const bnn_schema_column columns[] = {
        {.name = "code", .role = BNN_COLUMN_ID, .kind = BNN_COLUMN_TEXT},
        {.name = "length", .kind = BNN_COLUMN_NUMBER, .indicator = true, .fill = 0.1 + 0.2, .unit = "m", .place = 7},
        {.name = "colour", .kind = BNN_COLUMN_LEVELS, .n_levels = 3, .level = (char **)colours},
        {.name = "size", .kind = BNN_COLUMN_LEVELS, .n_levels = 2, .level = (char **)sizes, .by_size = true},
        {.name = "w", .role = BNN_COLUMN_WEIGHT},
        {.name = "y", .role = BNN_COLUMN_TARGET, .unit = "kg\xC2\xB2"}};
    const bnn_schema all = {.n = 6,
                            .column = (bnn_schema_column *)columns,
                            .decimal = ',',
                            .thousands = '.',
                            .na = "none,-999",
                            .delimiter = ';',
                            .comment = "%",
                            .header = BNN_HEADER_YES,
                            .missing = BNN_MISSING_MEAN,
                            .cols = 8};
    bnn_schema *copy;
    OK(bnn_schema_copy(&all, &copy));
    return copy;
}

enum { ROWS = 9, WIDTH = 7, IDS = 2 };

static bnn_table *sorted_table(int n) {
    static const char *const x[] = {"length", "length=missing", "colour=blue", "colour=red, or not", "colour=", "size=-1", "size=2.50"};
    bnn_table *t;
    OK(bnn_table_new(n, bnn_shape_vector(WIDTH), 1, 0, &t));
    t->schema = schema_new();
    t->x_names = texts(WIDTH, x), t->y_names = texts(1, (const char *const[]){"y"});
    t->n_ids = IDS, t->id_names = texts(IDS, (const char *const[]){"code", "caf\xC3\xA9"});
    t->ids = calloc((size_t)(IDS * n), sizeof *t->ids), t->weight = calloc((size_t)n, sizeof *t->weight);
    for (int i = 0; i < n; i++) {
        char id[32];
        snprintf(id, sizeof id, "A-%05d", i);
        t->ids[i] = strdup(id), t->ids[n + i] = strdup(i % 2 ? "x,\"y\"\n" : "");
        for (int k = 0; k < WIDTH; k++) t->x[i * WIDTH + k] = sin(i + 3 * k);
        t->y[i] = t->x[i * WIDTH], t->weight[i] = 0.25 * (i % 3);
    }
    return t;
}

static void assert_text(const char *a, const char *b) {
    ck_assert_int_eq(!a, !b);
    if (a) ck_assert_str_eq(a, b);
}

static void assert_equal_schemas(const bnn_schema *a, const bnn_schema *b) {
    ck_assert_ptr_nonnull(b);
    ck_assert_int_eq(a->n, b->n);
    ck_assert_int_eq(a->decimal, b->decimal);
    ck_assert_int_eq(a->thousands, b->thousands);
    assert_text(a->na, b->na);
    assert_text(a->comment, b->comment);
    ck_assert_int_eq(a->delimiter, b->delimiter);
    ck_assert_int_eq(a->header, b->header);
    ck_assert_int_eq(a->missing, b->missing);
    ck_assert_int_eq(a->cols, b->cols);
    for (int c = 0; c < a->n; c++) {
        const bnn_schema_column *p = &a->column[c], *q = &b->column[c];
        ck_assert_str_eq(p->name, q->name);
        assert_text(p->unit, q->unit);
        ck_assert_int_eq(p->role, q->role);
        ck_assert_int_eq(p->kind, q->kind);
        ck_assert_int_eq(p->by_size, q->by_size);
        ck_assert_int_eq(p->indicator, q->indicator);
        ck_assert_double_eq(p->fill, q->fill);
        ck_assert_int_eq(p->place, q->place);
        ck_assert_int_eq(p->n_levels, q->n_levels);
        for (int l = 0; l < p->n_levels; l++) ck_assert_str_eq(p->level[l], q->level[l]);
    }
}

static void assert_no_findings(const char *path) {
    bnn_lint *lint;
    OK(bnn_file_lint(path, &lint));
    ck_assert_msg(lint->n_findings == 0, "%s", lint->n_findings ? lint->finding[0] : "");
    bnn_lint_free(lint);
}

/* ---- data files ---- */

static void table_round_trip(const bnn_table *t) {
    bnn_table *back;
    size_t n = (size_t)t->n;
    OK(bnn_table_save(t, files_path("a.h5")));
    assert_no_findings(files_path("a.h5"));
    OK(bnn_table_load(files_path("a.h5"), &back));
    assert_equal_schemas(t->schema, back->schema);
    ck_assert_int_eq(back->n_ids, IDS);
    for (int k = 0; k < IDS; k++) ck_assert_str_eq(t->id_names[k], back->id_names[k]);
    for (size_t i = 0; i < IDS * n; i++) ck_assert_str_eq(t->ids[i], back->ids[i]);
    ck_assert_mem_eq(t->weight, back->weight, n * sizeof *t->weight);
    OK(bnn_table_save(back, files_path("b.h5")));
    ck_assert(files_equal(files_path("a.h5"), files_path("b.h5")));
    bnn_table_free(back);
}

START_TEST(a_table_keeps_schema_ids_and_weights) {
    bnn_table *t = sorted_table(ROWS), *many = sorted_table(30000); /* attributes of more than 64 KiB */
    table_round_trip(t);
    table_round_trip(many);
    bnn_table_free(t), bnn_table_free(many);
    files_remove();
}
END_TEST

START_TEST(a_table_without_them_has_none) {
    bnn_table *t = table_new(5, 2, 0, 1), *back;
    t->y_names = texts(1, (const char *const[]){"y"});
    OK(bnn_table_save(t, files_path("a.h5")));
    OK(bnn_table_load(files_path("a.h5"), &back));
    ck_assert_ptr_null(back->schema);
    ck_assert_ptr_null(back->ids);
    ck_assert_ptr_null(back->weight);
    ck_assert_int_eq(back->n_ids, 0);
    bnn_table_free(t), bnn_table_free(back);
    files_remove();
}
END_TEST

/* ---- damage ---- */

static void set_number(const char *path, const char *object, int at, double value) {
    files_unseal(path);
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), id = H5Dopen2(file, object, H5P_DEFAULT), room = H5Dget_space(id);
    hid_t one = H5Screate(H5S_SCALAR);
    H5Sselect_elements(room, H5S_SELECT_SET, 1, &(hsize_t){(hsize_t)at});
    ck_assert_int_ge(H5Dwrite(id, H5T_NATIVE_DOUBLE, one, room, H5P_DEFAULT, &value), 0);
    H5Sclose(one), H5Sclose(room), H5Dclose(id), H5Fclose(file);
}

START_TEST(a_damaged_schema_is_refused) {
    static const struct {
        const char *object;
        int at;
        double value;
        const char *sentence;
    } harm[] = {
        {"/schema/role", 1, 4, "a.h5: entry 1 of /schema/role is not one that a column can have"},
        {"/schema/kind", 5, -1, "a.h5: entry 5 of /schema/kind is not one that a column can have"},
        {"/schema/kind", 2, 0, "a.h5: entry 2 of /schema/n_levels is not one that a column can have"},
        {"/schema/n_levels", 2, 9, "a.h5: entry 2 of /schema/n_levels is not one that a column can have"},
        {"/schema/n_levels", 2, 2, "a.h5: /schema/n_levels has 4 levels, /schema/level 5"},
        {"/schema/place", 1, 9, "a.h5: entry 1 of /schema/place is not one that a column can have"},
        {"/schema/fill", 0, INFINITY, "a.h5: entry 0 of /schema/fill is not one that a column can have"},
        {"/schema/indicator", 1, 0, "a.h5: /schema makes 6 columns of features, the file has 7"},
        {"/weight", 3, -1, "a.h5: entry 3 of /weight is -1, not a number from 0 on"},
    };
    bnn_table *t = sorted_table(ROWS), *back;
    for (size_t i = 0; i < sizeof harm / sizeof *harm; i++) {
        OK(bnn_table_save(t, files_path("a.h5")));
        set_number(files_path("a.h5"), harm[i].object, harm[i].at, harm[i].value);
        REFUSED(bnn_table_load(files_path("a.h5"), &back), harm[i].sentence);
    }
    bnn_table_free(t);
    files_remove();
}
END_TEST

/* ---- runs and predictions ---- */

START_TEST(a_run_keeps_the_schema_of_its_table) {
    bnn_table *t = sorted_table(ROWS);
    bnn_data *data;
    bnn_run *run, *back;
    OK(bnn_data_split(t, -1, BNN_TRAIN, NULL, &data));
    OK(bnn_fit(&(bnn_config){.net = "dense", .engine = "map:epochs=2"}, data, &run));
    assert_equal_schemas(t->schema, run->schema);
    OK(bnn_run_save(run, NULL, NULL, files_path("run.h5")));
    assert_no_findings(files_path("run.h5"));
    OK(bnn_run_load(files_path("run.h5"), &back, NULL));
    assert_equal_schemas(t->schema, back->schema);
    OK(bnn_run_save(back, NULL, NULL, files_path("again.h5")));
    ck_assert(files_equal(files_path("run.h5"), files_path("again.h5")));
    bnn_run_free(run), bnn_run_free(back), bnn_data_free(data), bnn_table_free(t);
    files_remove();
}
END_TEST

static bool stop_at_once(void *context, double share) {
    (void)context, (void)share;
    return true;
}

START_TEST(a_run_goes_on_with_columns_read_as_they_were) {
    bnn_table *t = sorted_table(ROWS);
    bnn_data *data;
    bnn_run *run;
    bnn_config config = {.net = "dense", .engine = "map:epochs=9", .progress = stop_at_once};
    OK(bnn_data_split(t, -1, BNN_TRAIN, NULL, &data));
    OK(bnn_fit(&config, data, &run));
    OK(bnn_run_save(run, NULL, NULL, files_path("part.h5")));
    bnn_run_free(run);
    OK(bnn_run_resume(files_path("part.h5"), &config, data, NULL, &run));
    bnn_run_free(run);
    const char *sentence = "part.h5: was begun with the columns read in another way: ask for the same targets and options";
    t->schema->na[0] = 'N';
    REFUSED(bnn_run_resume(files_path("part.h5"), &config, data, NULL, &run), sentence);
    t->schema->na[0] = 'n', t->schema->missing = BNN_MISSING_DROP;
    REFUSED(bnn_run_resume(files_path("part.h5"), &config, data, NULL, &run), sentence);
    t->schema->missing = BNN_MISSING_MEAN, t->schema->column[2].level[0][0] = 'B';
    REFUSED(bnn_run_resume(files_path("part.h5"), &config, data, NULL, &run), sentence);
    bnn_data_free(data), bnn_table_free(t);
    files_remove();
}
END_TEST

START_TEST(a_schema_is_loaded_alone) {
    bnn_table *t = sorted_table(ROWS), *plain = table_new(5, 2, 0, 1);
    bnn_schema *schema;
    plain->y_names = texts(1, (const char *const[]){"y"});
    OK(bnn_table_save(t, files_path("a.h5")));
    OK(bnn_schema_load(files_path("a.h5"), &schema));
    assert_equal_schemas(t->schema, schema);
    bnn_schema_free(schema);
    OK(bnn_table_save(plain, files_path("a.h5")));
    REFUSED(bnn_schema_load(files_path("a.h5"), &schema),
            "a.h5: does not say what columns of text mean: it was made of other data, or by an older bnn");
    bnn_table_free(t), bnn_table_free(plain);
    files_remove();
}
END_TEST

START_TEST(predictions_name_their_rows) {
    bnn_table *t = sorted_table(ROWS);
    bnn_data *all, *some;
    bnn_run *run;
    bnn_prediction *p;
    char *id[2];
    OK(bnn_data_split(t, -1, BNN_TRAIN, NULL, &all));
    OK(bnn_fit(&(bnn_config){.net = "dense", .engine = "map:epochs=2"}, all, &run));
    OK(bnn_data_new(t, 2, (const int[]){7, 3}, bnn_run_scaling(run), &some));
    OK(bnn_predict(run->engine, some, NULL, &p));
    OK(bnn_prediction_save(run, &(bnn_results){.data = some, .prediction = p}, NULL, files_path("p.h5")));
    assert_no_findings(files_path("p.h5"));
    hid_t file = H5Fopen(files_path("p.h5"), H5F_ACC_RDONLY, H5P_DEFAULT), at = H5Dopen2(file, "/prediction/id_0", H5P_DEFAULT);
    hid_t type = H5Dget_type(at);
    ck_assert_int_ge(H5Dread(at, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, id), 0);
    ck_assert_str_eq(id[0], "A-00007");
    ck_assert_str_eq(id[1], "A-00003");
    free(id[0]), free(id[1]);
    H5Tclose(type), H5Dclose(at), H5Fclose(file);
    bnn_prediction_free(p), bnn_run_free(run), bnn_data_free(some), bnn_data_free(all), bnn_table_free(t);
    files_remove();
}
END_TEST

int main(void) {
    const TTest *const tests[] = {a_table_keeps_schema_ids_and_weights,
                                  a_table_without_them_has_none,
                                  a_damaged_schema_is_refused,
                                  a_run_keeps_the_schema_of_its_table,
                                  a_run_goes_on_with_columns_read_as_they_were,
                                  a_schema_is_loaded_alone,
                                  predictions_name_their_rows,
                                  NULL};
    return run_tests("schemas", tests);
}
