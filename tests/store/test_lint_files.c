/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_lint_files.c: every kind of file that bnn writes keeps to the rules of bnn_file_lint, and each rule, broken by HDF5 itself in an
 * otherwise good file, is found with its sentence and nothing else is. BNN_PROGRAM names the program, for damaged files.
 */
#include "files.h"

#include <bnn/diagnose.h>
#include <bnn/store.h>
#include <bnn/import.h>
#include <hdf5_hl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- good files ---- */

static bnn_table *small_table(const char *targets) {
    bnn_table *t;
    const char *path = files_write("small.csv", "a,colour,y\n1.5,red,10\n2.25,blue,20\n-3,red,0.1\n4,blue,40\n5,red,50\n6,blue,61\n");
    OK(bnn_import_csv(path, &(bnn_csv_options){.targets = targets, .drop = strcmp(targets, "none") == 0 ? "y" : NULL},
                      &(bnn_import_about){0}, &t));
    return t;
}

/* With predictions, scores and kept draws. */
static bnn_run *save_run(const bnn_data *data, const char *net, const char *engine, const char *path) {
    bnn_run *run;
    bnn_metrics m;
    bnn_draws *draws = NULL;
    bnn_results results = {.data = data, .metrics = &m};
    bnn_prediction *p;
    OK(bnn_fit(&(bnn_config){.net = net, .engine = engine}, data, &run));
    bnn_predict_options how = {.samples = 4};
    bool closed = bnn_predict_samples(bnn_engine_fitted(run->engine), how.samples) < 1; /* it has no draws */
    if (!closed) OK(bnn_draws_open(path, BNN_KEEP_POSTERIOR | BNN_KEEP_PREDICTIVE, run->engine, data, &how, &draws));
    how.sink = bnn_draws_sink(draws);
    OK(bnn_predict(run->engine, data, &how, &p));
    OK(bnn_metrics_compute(p, data, &m));
    results.prediction = p, results.draws = draws;
    OK(bnn_run_save(run, &results, &(bnn_provenance){.split = -1}, path));
    bnn_prediction_free(p);
    return run;
}

/* data.h5 and run.h5, from which the spoilt ones are made. */
static void make_files(void) {
    bnn_table *t = small_table("y");
    bnn_data *data;
    OK(bnn_table_split(t, BNN_SPLIT_KFOLD, 2, 0));
    OK(bnn_table_save(t, files_path("data.h5")));
    OK(bnn_data_split(t, -1, BNN_TRAIN, NULL, &data));
    bnn_run_free(save_run(data, "dense:3; tanh; dense", "mc_dropout:epochs=2", files_path("run.h5")));
    bnn_data_free(data), bnn_table_free(t);
}

/* The file has these findings, n of them. */
static void has(const char *path, int n, const char *const *finding) {
    bnn_lint *l;
    OK(bnn_file_lint(path, &l));
    ck_assert_msg(l->n_findings <= n, "%s: expected '%s', found '%s' and %d more", path, n ? finding[0] : "nothing", l->finding[n],
                  l->n_findings - n - 1);
    for (int i = 0; i < n; i++) {
        ck_assert_msg(l->n_findings > i, "%s: not found: '%s'", path, finding[i]);
        ck_assert_str_eq(l->finding[i], finding[i]);
    }
    bnn_lint_free(l);
}

static void is_clean(const char *path) { has(path, 0, NULL); }

START_TEST(data_files_are_clean) {
    bnn_table *t = small_table("y"), *blind = small_table("none"), *images, *maps;
    OK(bnn_table_save(t, files_path("a.h5")));
    OK(bnn_table_split(t, BNN_SPLIT_KFOLD, 3, 0));
    OK(bnn_table_save(t, files_path("b.h5")));
    OK(bnn_table_save(blind, files_path("c.h5")));
    OK(bnn_table_new(3000, (bnn_shape){.rank = 3, .d = {1, 20, 20}}, 1, 3, &images)); /* x is larger than a chunk */
    images->y_names = calloc(1, sizeof *images->y_names), images->y_names[0] = strdup("label");
    OK(bnn_table_save(images, files_path("d.h5")));
    images->x[5] = 0.5;
    OK(bnn_table_save(images, files_path("e.h5")));
    OK(bnn_table_new_images(3000, (bnn_shape){.rank = 3, .d = {1, 20, 20}}, (bnn_shape){.rank = 2, .d = {20, 20}}, 3, &maps));
    OK(bnn_table_save(maps, files_path("f.h5")));
    for (char name[] = "a.h5"; *name <= 'f'; (*name)++) is_clean(files_path(name));
    bnn_table_free(t), bnn_table_free(blind), bnn_table_free(images), bnn_table_free(maps);
    files_remove();
}
END_TEST

/* Bytes that are not UTF-8 are taken for ISO 8859-1. */
START_TEST(texts_become_utf8) {
    static const char text[] = "a,caf\xE9,\xE9,y\n1,2,3,4\n2,3,4,5\n3,5,7,9\n";
    bnn_table *t, *back;
    OK(bnn_import_csv(files_write("latin.csv", text), &(bnn_csv_options){0}, &(bnn_import_about){.title = "\xFF"}, &t));
    OK(bnn_table_save(t, files_path("latin.h5")));
    is_clean(files_path("latin.h5"));
    OK(bnn_table_load(files_path("latin.h5"), &back));
    ck_assert_str_eq(back->x_names[1], "caf\xC3\xA9");
    ck_assert_str_eq(back->x_names[2], "\xC3\xA9");
    ck_assert_str_eq(back->title, "\xC3\xBF");
    bnn_table_free(back), bnn_table_free(t);
    files_remove();
}
END_TEST

START_TEST(runs_of_every_engine_are_clean) {
    bnn_table *t = table_new(40, 3, 0, 1);
    bnn_data *data = data_new(t);
    for (const bnn_type *type = NULL; (type = bnn_type_next(BNN_ENGINE, type));)
        for (int k = 0; type->checks[k]; k++) {
            bnn_run *run;
            double share;
            OK(bnn_run_new(&(bnn_config){.net = "dense:5; tanh; dense", .engine = type->checks[k]}, data, &run));
            OK(bnn_run_step(run, data, &share));
            OK(bnn_run_save(run, NULL, &(bnn_provenance){.split = -1}, files_path("part.h5")));
            is_clean(files_path("part.h5"));
            bnn_run_free(run);
            bnn_run_free(save_run(data, "dense:5; tanh; dense", type->checks[k], files_path("run.h5")));
            is_clean(files_path("run.h5"));
        }
    bnn_data_free(data), bnn_table_free(t);
    files_remove();
}
END_TEST

/* Also a prediction alone, and a comparison. */
START_TEST(results_of_classes_and_reals_are_clean) {
    for (int classes = 0; classes <= 3; classes += 3) {
        bnn_table *t = table_new(40, 3, classes, 1);
        bnn_data *data = data_new(t);
        bnn_prediction *p;
        bnn_comparison *c;
        bnn_run *run = save_run(data, "dense:5; tanh; dense:6; relu; dense", "mc_dropout:gates=concrete,epochs=3", files_path("run.h5"));
        is_clean(files_path("run.h5"));
        OK(bnn_predict(run->engine, data, &(bnn_predict_options){.samples = 5}, &p));
        OK(bnn_prediction_save(run, &(bnn_results){.data = data, .prediction = p}, NULL, files_path("p.h5")));
        is_clean(files_path("p.h5"));
        OK(bnn_comparison_load(files_path("run.h5"), &c));
        OK(bnn_comparison_save(c, NULL, files_path("c.h5")));
        is_clean(files_path("c.h5"));
        bnn_comparison_free(c), bnn_prediction_free(p), bnn_run_free(run), bnn_data_free(data), bnn_table_free(t);
    }
    files_remove();
}
END_TEST

/* ---- pieces by HDF5 itself ---- */

static hid_t kept(hid_t class) {
    hid_t list = H5Pcreate(class);
    if (class != H5P_DATASET_CREATE) H5Pset_link_creation_order(list, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
    H5Pset_attr_creation_order(list, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
    H5Pset_obj_track_times(list, false);
    return list;
}

/* These take the property list away. */
static void make_group(hid_t f, const char *path, hid_t list) {
    hid_t id = H5Gcreate2(f, path, H5P_DEFAULT, list, H5P_DEFAULT);
    ck_assert_int_ge(id, 0);
    H5Gclose(id), H5Pclose(list);
}
static void make(hid_t f, const char *path, hid_t type, hid_t space, hid_t list) {
    hid_t id = H5Dcreate2(f, path, type, space, H5P_DEFAULT, list, H5P_DEFAULT);
    ck_assert_int_ge(id, 0);
    H5Dclose(id), H5Sclose(space), H5Pclose(list);
}

static void group(hid_t f, const char *path) { make_group(f, path, kept(H5P_GROUP_CREATE)); }
static void scalar(hid_t f, const char *path, hid_t type) { make(f, path, type, H5Screate(H5S_SCALAR), kept(H5P_DATASET_CREATE)); }
static void vector(hid_t f, const char *path, hid_t type, hsize_t n) {
    make(f, path, type, H5Screate_simple(1, &n, NULL), kept(H5P_DATASET_CREATE));
}
static void matrix(hid_t f, const char *path, hsize_t rows, hsize_t columns) {
    make(f, path, H5T_IEEE_F64LE, H5Screate_simple(2, (hsize_t[]){rows, columns}, NULL), kept(H5P_DATASET_CREATE));
}

/* An attribute; data NULL: not written. */
static void attribute(hid_t f, const char *object, const char *name, hid_t type, hid_t space, const void *data) {
    if (H5Aexists_by_name(f, object, name, H5P_DEFAULT) > 0) H5Adelete_by_name(f, object, name, H5P_DEFAULT);
    hid_t id = H5Acreate_by_name(f, object, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert_int_ge(id, 0);
    if (data) H5Awrite(id, type, data);
    H5Aclose(id), H5Sclose(space);
}
static hid_t text_type(size_t size, H5T_cset_t letters) {
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, size), H5Tset_cset(type, letters);
    return type;
}
static void text(hid_t f, const char *object, const char *name, const char *value) {
    hid_t type = text_type(H5T_VARIABLE, H5T_CSET_UTF8);
    attribute(f, object, name, type, H5Screate(H5S_SCALAR), &value);
    H5Tclose(type);
}
static void whole(hid_t f, const char *object, const char *name, int value) {
    attribute(f, object, name, H5T_STD_I32LE, H5Screate(H5S_SCALAR), &value);
}

static void as_scale(hid_t f, const char *path) {
    static int dimid = 1000;
    hid_t id = H5Dopen2(f, path, H5P_DEFAULT);
    ck_assert_int_ge(H5DSset_scale(id, strrchr(path, '/') + 1), 0);
    H5Dclose(id);
    whole(f, path, "_Netcdf4Dimid", dimid++);
}
static void fill(hid_t f, const char *path, const long long *values) {
    hid_t id = H5Dopen2(f, path, H5P_DEFAULT);
    H5Dwrite(id, H5T_NATIVE_LLONG, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    H5Dclose(id);
}
static void scale(hid_t f, const char *path, hsize_t n, long long first) {
    long long *values = malloc((n + 1) * sizeof *values);
    for (hsize_t i = 0; i < n; i++) values[i] = first + (long long)i;
    vector(f, path, H5T_STD_I64LE, n);
    fill(f, path, values);
    as_scale(f, path);
    free(values);
}
static void attach(hid_t f, const char *variable, const char *dimension, unsigned axis) {
    hid_t v = H5Dopen2(f, variable, H5P_DEFAULT), s = H5Dopen2(f, dimension, H5P_DEFAULT);
    ck_assert_int_ge(H5DSattach_scale(v, s, axis), 0);
    H5Dclose(s), H5Dclose(v);
}

/* A variable on a dimension of its own, stored as the list says. */
static void stored(hid_t f, hid_t type, hsize_t n, hid_t list) {
    scale(f, "/cost/d", n, 0);
    make(f, "/cost/v", type, H5Screate_simple(1, &n, NULL), list);
    attach(f, "/cost/v", "/cost/d", 0);
}
static hid_t chunked(hsize_t n) {
    hid_t list = kept(H5P_DATASET_CREATE);
    H5Pset_chunk(list, 1, &n);
    return list;
}

/* What the pieces make, and what else is allowed: dimensions shared by hard links, soft links, empty dimensions, true and false. */
static void add_allowed(hid_t f) {
    hid_t list = chunked(10000);
    H5Pset_shuffle(list), H5Pset_deflate(list, 1), H5Pset_fletcher32(list);
    stored(f, H5T_STD_I32LE, 10000, list);
    scale(f, "/cost/none", 0, 0);
    group(f, "/metrics/deeper"), group(f, "/shared"), group(f, "/sample_stats");
    vector(f, "/metrics/deeper/v", H5T_IEEE_F64LE, 2);
    attach(f, "/metrics/deeper/v", "/metrics/epoch", 0);
    H5Lcreate_hard(f, "/metrics/epoch", f, "/shared/epoch", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/metrics/nll", f, "/shared/nll", H5P_DEFAULT, H5P_DEFAULT);
    scale(f, "/sample_stats/metric", 3, 0), scale(f, "/sample_stats/chain", 1, 0), scale(f, "/sample_stats/draw", 4, 0);
    vector(f, "/sample_stats/inv_metric", H5T_IEEE_F64LE, 3);
    attach(f, "/sample_stats/inv_metric", "/sample_stats/metric", 0);
    make(f, "/sample_stats/diverging", H5T_STD_I8LE, H5Screate_simple(2, (hsize_t[]){1, 4}, NULL), kept(H5P_DATASET_CREATE));
    attach(f, "/sample_stats/diverging", "/sample_stats/chain", 0), attach(f, "/sample_stats/diverging", "/sample_stats/draw", 1);
    text(f, "/sample_stats/diverging", "dtype", "bool");
    text(f, "/cost/v", "units", "s"), text(f, "/cost/v", "empty", ""), text(f, "/cost/v", "letter", "\xC3\xA9");
    attribute(f, "/cost", "nothing", H5T_IEEE_F64LE, H5Screate(H5S_NULL), NULL);
    attribute(f, "/cost", "count", H5T_STD_U64LE, H5Screate(H5S_SCALAR), &(uint64_t){7});
    text(f, "/cost", "count_text", "7");
}

/* ---- spoilt files ---- */

static char *read_file(const char *path, size_t *n) {
    struct stat s;
    FILE *f = fopen(path, "rb");
    ck_assert(f && fstat(fileno(f), &s) == 0);
    char *bytes = malloc(*n = (size_t)s.st_size);
    ck_assert_uint_eq(fread(bytes, 1, *n, f), *n);
    fclose(f);
    return bytes;
}

static void copy_file(const char *from, const char *to) {
    size_t n;
    char *bytes = read_file(from, &n);
    files_write_bytes(to, bytes, n);
    free(bytes);
}

static void change(const char *base, void (*how)(hid_t f)) {
    copy_file(files_path(base), "bad.h5");
    hid_t f = H5Fopen(files_path("bad.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
    how(f);
    ck_assert_int_ge(H5Fclose(f), 0);
}

START_TEST(what_is_allowed_is_clean) {
    make_files();
    is_clean(files_path("data.h5"));
    is_clean(files_path("run.h5"));
    change("run.h5", add_allowed);
    is_clean(files_path("bad.h5"));
    files_remove();
}
END_TEST

/* A file that is spoilt by one change, and what is found. */
typedef struct {
    const char *base;
    void (*spoil)(hid_t f);
    const char *finding[2];
} spoilt;

static void find_all(size_t n, const spoilt *cases) {
    make_files();
    for (size_t i = 0; i < n; i++) {
        change(cases[i].base, cases[i].spoil);
        has(files_path("bad.h5"), cases[i].finding[1] ? 2 : 1, cases[i].finding);
    }
    files_remove();
}
#define FIND_ALL(cases) find_all(sizeof(cases) / sizeof *(cases), cases)

/* ---- the file, links and groups ---- */

/* A file of nothing but the root and its attributes. */
static void make_bare(hid_t creation, hid_t access) {
    hid_t f = H5Fcreate(files_path("bare.h5"), H5F_ACC_TRUNC, creation, access);
    text(f, "/", "schema", "bnn-run"), text(f, "/", "creation_library", "bnn"), text(f, "/", "creation_library_version", "0");
    whole(f, "/", "schema_version", 1);
    H5Fclose(f), H5Pclose(creation), H5Pclose(access);
}

START_TEST(the_file_itself) {
    hid_t creation = kept(H5P_FILE_CREATE), access = H5Pcreate(H5P_FILE_ACCESS);
    make_bare(creation, access);
    is_clean(files_path("bare.h5"));
    creation = kept(H5P_FILE_CREATE), access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    make_bare(creation, access);
    has(files_path("bare.h5"), 1,
        (const char *const[]){"/: has a superblock of version 3: version 0 is read by the oldest libraries and by jsfive"});
    creation = kept(H5P_FILE_CREATE), access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_userblock(creation, 512);
    make_bare(creation, access);
    has(files_path("bare.h5"), 1,
        (const char *const[]){"/: has a user block of 512 bytes: a file begins with its superblock, or jsfive does not find it"});
    files_remove();
}
END_TEST

static void no_schema(hid_t f) { H5Adelete(f, "schema"); }
static void other_schema(hid_t f) { text(f, "/", "schema", "cf"); }
static void no_version(hid_t f) { H5Adelete(f, "schema_version"); }
static void no_library(hid_t f) { H5Adelete(f, "creation_library"); }
static void no_library_version(hid_t f) { H5Adelete(f, "creation_library_version"); }
static void dangling(hid_t f) { H5Lcreate_soft("/nowhere", f, "/cost/l", H5P_DEFAULT, H5P_DEFAULT); }
static void dangling_outside(hid_t f) { H5Lcreate_external("none.h5", "/x", f, "/cost/l", H5P_DEFAULT, H5P_DEFAULT); }
static void outside(hid_t f) { H5Lcreate_external(files_path("data.h5"), "/x", f, "/cost/l", H5P_DEFAULT, H5P_DEFAULT); }
static hid_t follow_nowhere(const char *name, hid_t from, const void *data, size_t size, hid_t list, hid_t other) {
    (void)name, (void)from, (void)data, (void)size, (void)list, (void)other;
    return -1;
}
static void own_link(hid_t f) {
    const H5L_class_t class = {.version = H5L_LINK_CLASS_T_VERS, .id = (H5L_type_t)99, .comment = "test", .trav_func = follow_nowhere};
    H5Lregister(&class);
    ck_assert_int_ge(H5Lcreate_ud(f, "/cost/l", (H5L_type_t)99, "", 0, H5P_DEFAULT, H5P_DEFAULT), 0);
}
static void blank_name(hid_t f) { group(f, "/cost/a b"); }
static void foreign_name(hid_t f) { group(f, "/cost/\xC3\xA9"); }
static void line_in_name(hid_t f) { group(f, "/cost/a\nb"); }
static void committed(hid_t f) {
    hid_t type = H5Tcopy(H5T_IEEE_F64LE);
    H5Tcommit2(f, "/cost/t", type, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Tclose(type);
}
static void cycle(hid_t f) { H5Lcreate_hard(f, "/cost", f, "/cost/again", H5P_DEFAULT, H5P_DEFAULT); }
static void no_link_order(hid_t f) {
    hid_t list = kept(H5P_GROUP_CREATE);
    H5Pset_link_creation_order(list, 0);
    make_group(f, "/cost/g", list);
}
static void no_link_index(hid_t f) {
    hid_t list = kept(H5P_GROUP_CREATE);
    H5Pset_link_creation_order(list, H5P_CRT_ORDER_TRACKED);
    make_group(f, "/cost/g", list);
}
static void no_attribute_order(hid_t f) {
    hid_t list = kept(H5P_GROUP_CREATE);
    H5Pset_attr_creation_order(list, 0);
    make_group(f, "/cost/g", list);
}
static void no_attribute_order_of_data(hid_t f) {
    hid_t list = kept(H5P_DATASET_CREATE);
    H5Pset_attr_creation_order(list, 0);
    make(f, "/cost/v", H5T_IEEE_F64LE, H5Screate(H5S_SCALAR), list);
}
static void times(hid_t f) {
    hid_t list = kept(H5P_GROUP_CREATE);
    H5Pset_obj_track_times(list, true);
    make_group(f, "/cost/g", list);
}
static void times_of_data(hid_t f) {
    hid_t list = kept(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(list, true);
    make(f, "/cost/v", H5T_IEEE_F64LE, H5Screate(H5S_SCALAR), list);
}
static void group_map(hid_t f) { group(f, "/map"), group(f, "/cost/map"); }
static void group_values(hid_t f) { group(f, "/values"); }

#define SCHEMA ": schema (bnn-...), schema_version, creation_library and creation_library_version say what the file is"
#define LINK ": a link leads to an object of the same file"
#define NAME ": names are of A-Z a-z 0-9 _ . : alone, for hdf5r"
#define LINK_ORDER ": creation order is tracked and indexed, so that netCDF can append"
#define ATTRIBUTE_ORDER ": creation order is tracked and indexed, so that attributes may grow beyond 64 KiB"
#define TIMES ": has the time it was made in it: times are not tracked, so that equal content is equal bytes"
#define MEMBER ": is named like a member of ArviZ's InferenceData: ArviZ can set a top-level group as an attribute"

START_TEST(links_and_groups) {
    static const spoilt cases[] = {
        {"run.h5", no_schema, {"/: lacks the text 'schema'" SCHEMA}},
        {"run.h5", other_schema, {"/: is of the schema 'cf'" SCHEMA}},
        {"run.h5", no_version, {"/: lacks the number 'schema_version'" SCHEMA}},
        {"run.h5", no_library, {"/: lacks the text 'creation_library'" SCHEMA}},
        {"run.h5", no_library_version, {"/: lacks the text 'creation_library_version'" SCHEMA}},
        {"run.h5", dangling, {"/cost/l: is a soft link that leads nowhere" LINK}},
        {"run.h5", dangling_outside, {"/cost/l: is an external link" LINK}},
        {"run.h5", outside, {"/cost/l: is an external link" LINK}},
        {"run.h5", own_link, {"/cost/l: is a link of type 99, which only its maker knows" LINK}},
        {"run.h5", blank_name, {"/cost/a b: has other letters in its name, from ' b' on" NAME}},
        {"run.h5", foreign_name, {"/cost/\xC3\xA9: has other letters in its name, from '\xC3\xA9' on" NAME}},
        {"run.h5", line_in_name, {"/cost/a\\nb: has other letters in its name, from '\\nb' on" NAME}},
        {"run.h5", committed, {"/cost/t: is a committed datatype: objects are groups and datasets"}},
        {"run.h5",
         cycle,
         {"/cost/again: is the group /cost again, in which it stands: no group holds itself, which has no end for ncdump"}},
        {"run.h5", no_link_order, {"/cost/g: does not keep the order of its links" LINK_ORDER}},
        {"run.h5", no_link_index, {"/cost/g: does not keep the order of its links" LINK_ORDER}},
        {"run.h5", no_attribute_order, {"/cost/g: does not keep the order of its attributes" ATTRIBUTE_ORDER}},
        {"run.h5", no_attribute_order_of_data, {"/cost/v: does not keep the order of its attributes" ATTRIBUTE_ORDER}},
        {"run.h5", times, {"/cost/g" TIMES}},
        {"run.h5", times_of_data, {"/cost/v" TIMES}},
        {"run.h5", group_map, {"/map" MEMBER}},
        {"run.h5", group_values, {"/values" MEMBER}},
    };
    FIND_ALL(cases);
}
END_TEST

/* ---- dimensions ---- */

static void scale_named(hid_t f, const char *name) {
    hid_t type = text_type(strlen(name) + 1, H5T_CSET_ASCII);
    attribute(f, "/metrics/epoch", "NAME", type, H5Screate(H5S_SCALAR), name);
    H5Tclose(type);
}
static void other_scale_name(hid_t f) { scale_named(f, "step"); }
static void no_scale_name(hid_t f) { H5Adelete_by_name(f, "/metrics/epoch", "NAME", H5P_DEFAULT); }
static void no_values(hid_t f) { scale_named(f, "This is a netCDF dimension but not a netCDF variable.         2"); }
static void never_written(hid_t f) { vector(f, "/cost/d", H5T_STD_I64LE, 5), as_scale(f, "/cost/d"); }
static void square_scale(hid_t f) { matrix(f, "/cost/d", 2, 2), as_scale(f, "/cost/d"); }
static void short_scale(hid_t f) {
    vector(f, "/cost/d", H5T_STD_I32LE, 2), fill(f, "/cost/d", (const long long[]){0, 1}), as_scale(f, "/cost/d");
}
static void no_dimid(hid_t f) { H5Adelete_by_name(f, "/metrics/epoch", "_Netcdf4Dimid", H5P_DEFAULT); }
static void same_dimid(hid_t f) {
    scale(f, "/cost/a", 2, 0), scale(f, "/cost/b", 2, 0), whole(f, "/cost/a", "_Netcdf4Dimid", 7777),
        whole(f, "/cost/b", "_Netcdf4Dimid", 7777);
}
static void root_dimension(hid_t f) { scale(f, "/d", 2, 0); }
static void longer_below(hid_t f) { group(f, "/metrics/deeper"), scale(f, "/metrics/deeper/epoch", 3, 1); }
static void other_below(hid_t f) { group(f, "/metrics/deeper"), scale(f, "/metrics/deeper/epoch", 2, 5); }
static void named_like_dimension(hid_t f) { scalar(f, "/splits/feature", H5T_IEEE_F64LE); }

/* ---- axes ---- */

static void no_scales(hid_t f) { matrix(f, "/cost/v", 2, 3); }
static void some_scales(hid_t f) { scale(f, "/cost/d", 3, 0), matrix(f, "/cost/v", 2, 3), attach(f, "/cost/v", "/cost/d", 1); }
static void two_scales(hid_t f) {
    scale(f, "/cost/d", 3, 0), scale(f, "/cost/e", 3, 0), vector(f, "/cost/v", H5T_IEEE_F64LE, 3);
    attach(f, "/cost/v", "/cost/d", 0), attach(f, "/cost/v", "/cost/e", 0);
}
static void lost_scale(hid_t f) {
    scale(f, "/cost/d", 3, 0), vector(f, "/cost/v", H5T_IEEE_F64LE, 3), attach(f, "/cost/v", "/cost/d", 0);
    H5Ldelete(f, "/cost/d", H5P_DEFAULT);
}
static void wrong_list(hid_t f) {
    hid_t list = H5Tvlen_create(H5T_STD_REF_OBJ);
    vector(f, "/cost/v", H5T_IEEE_F64LE, 3);
    attribute(f, "/cost/v", "DIMENSION_LIST", list, H5Screate_simple(1, (hsize_t[]){2}, NULL), NULL);
    H5Tclose(list);
}
static void scale_elsewhere(hid_t f) {
    scale(f, "/cost/d", 3, 0), vector(f, "/summary/v", H5T_IEEE_F64LE, 3), attach(f, "/summary/v", "/cost/d", 0);
}
static void scale_below(hid_t f) {
    group(f, "/cost/g"), scale(f, "/cost/g/d", 3, 0), vector(f, "/cost/v", H5T_IEEE_F64LE, 3), attach(f, "/cost/v", "/cost/g/d", 0);
}
static void too_short(hid_t f) { scale(f, "/cost/d", 3, 0), vector(f, "/cost/v", H5T_IEEE_F64LE, 2), attach(f, "/cost/v", "/cost/d", 0); }
static void scale_twice(hid_t f) {
    scale(f, "/cost/d", 3, 0), matrix(f, "/cost/v", 3, 3), attach(f, "/cost/v", "/cost/d", 0), attach(f, "/cost/v", "/cost/d", 1);
}

#define SCALE_NAME ": the NAME of a dimension is that of its link"
#define COORDINATES ": a dimension is a list of coordinate values"
#define MEANING ": in a group and those above it a name means one dimension, or xarray cannot open the tree"
#define ONE_SCALE ": every axis has one dimension scale"
#define PLACE ": a dimension stands in the group of its dataset or in one above"

START_TEST(dimensions_and_axes) {
    static const spoilt cases[] = {
        {"run.h5", other_scale_name, {"/metrics/epoch: has the NAME 'step'" SCALE_NAME}},
        {"run.h5", no_scale_name, {"/metrics/epoch: has the NAME ''" SCALE_NAME}},
        {"run.h5", no_values, {"/metrics/epoch: is marked as one without values" COORDINATES}},
        {"run.h5", never_written, {"/cost/d: was never written" COORDINATES}},
        {"run.h5", square_scale, {"/cost/d: is of rank 2" COORDINATES}},
        {"run.h5", short_scale, {"/cost/d: is of integers of 4 bytes: the coordinates of a dimension are i64, or reals"}},
        {"run.h5",
         no_dimid,
         {"/metrics/epoch: has no _Netcdf4Dimid, and /constant_data/feature has one: all dimensions have one, or none"}},
        {"run.h5", same_dimid, {"/cost/b: has the _Netcdf4Dimid 7777, as /cost/a has: each has a number of its own"}},
        {"run.h5", root_dimension, {"/d: stands in the root of a file of schema 'bnn-run': only data files have dimensions there"}},
        {"run.h5", longer_below, {"/metrics/deeper/epoch: differs from /metrics/epoch" MEANING}},
        {"run.h5", other_below, {"/metrics/deeper/epoch: differs from /metrics/epoch" MEANING}},
        {"data.h5",
         named_like_dimension,
         {"/splits/feature: is named like the dimension /feature: no variable has the name of a dimension that is not its own"}},
        {"run.h5", no_scales, {"/cost/v: has 0 scales on axis 0" ONE_SCALE, "/cost/v: has 0 scales on axis 1" ONE_SCALE}},
        {"run.h5", some_scales, {"/cost/v: has 0 scales on axis 0" ONE_SCALE}},
        {"run.h5", two_scales, {"/cost/v: has 2 scales on axis 0" ONE_SCALE}},
        {"run.h5", lost_scale, {"/cost/v: has on axis 0 a scale that cannot be found" ONE_SCALE}},
        {"run.h5", wrong_list, {"/cost/v: has on axis 0 a scale that cannot be found" ONE_SCALE}},
        {"run.h5", scale_elsewhere, {"/summary/v: has on axis 0 a scale of another group" PLACE}},
        {"run.h5", scale_below, {"/cost/v: has on axis 0 a scale of another group" PLACE}},
        {"run.h5", too_short, {"/cost/v: extends over 2 on axis 0, and /cost/d over 3: a dataset extends as far as its dimensions"}},
        {"run.h5", scale_twice, {"/cost/v: has /cost/d on axes 0 and 1: a dimension is used once by a dataset"}},
    };
    FIND_ALL(cases);
}
END_TEST

/* ---- types ---- */

static hid_t long_double(void) { return H5Tcopy(H5T_NATIVE_LDOUBLE); }
static hid_t big_endian(void) { return H5Tcopy(H5T_IEEE_F64BE); }
static hid_t big_endian_int(void) { return H5Tcopy(H5T_STD_I32BE); }
static hid_t short_int(void) { return H5Tcopy(H5T_STD_I16LE); }
static hid_t reference(void) { return H5Tcopy(H5T_STD_REF_OBJ); }
static hid_t bit_field(void) { return H5Tcopy(H5T_STD_B8LE); }
static hid_t time_type(void) { return H5Tcopy(H5T_UNIX_D32LE); }
static hid_t opaque(void) { return H5Tcreate(H5T_OPAQUE, 4); }
static hid_t array(void) { return H5Tarray_create2(H5T_IEEE_F64LE, 1, (hsize_t[]){3}); }
static hid_t list(void) { return H5Tvlen_create(H5T_STD_I32LE); }
static hid_t half(void) {
    hid_t type = H5Tcopy(H5T_IEEE_F32LE);
    H5Tset_fields(type, 15, 10, 5, 0, 10), H5Tset_size(type, 2), H5Tset_ebias(type, 15);
    return type;
}
static hid_t compound(void) {
    hid_t type = H5Tcreate(H5T_COMPOUND, 16);
    H5Tinsert(type, "r", 0, H5T_IEEE_F64LE), H5Tinsert(type, "i", 8, H5T_IEEE_F64LE);
    return type;
}
static hid_t enumeration(void) {
    hid_t type = H5Tenum_create(H5T_STD_I8LE);
    H5Tenum_insert(type, "FALSE", &(int8_t){0}), H5Tenum_insert(type, "TRUE", &(int8_t){1});
    return type;
}
static hid_t fixed_text(void) { return text_type(8, H5T_CSET_UTF8); }
static hid_t any_text(void) { return text_type(H5T_VARIABLE, H5T_CSET_UTF8); }

static const struct {
    hid_t (*make)(void);
    const char *found;
} types[] = {
    {long_double, "long doubles, on which ncdump crashes"},
    {big_endian, "big-endian numbers"},
    {big_endian_int, "big-endian numbers"},
    {short_int, "numbers of another size"},
    {half, "f16, which h5wasm cannot read"},
    {reference, "references, which netCDF leaves out and h5netcdf refuses"},
    {bit_field, "bit fields, which netCDF leaves out"},
    {time_type, "times of HDF5, which no other tool reads"},
    {opaque, "opaque bytes, which netCDF leaves out"},
    {array, "arrays, which netCDF leaves out"},
    {list, "lists of any length, which netCDF leaves out"},
    {compound, "compounds, which netCDF leaves out"},
    {enumeration, "enumerations, which netCDF leaves out (true and false are i8 with dtype 'bool')"},
    {fixed_text, "texts of fixed length, on which ncdump crashes"},
    {any_text, "texts, at which Octave gives up"},
};
static hid_t type_at_work;
static void dataset_of_type(hid_t f) { scalar(f, "/cost/v", type_at_work); }
static void attribute_of_type(hid_t f) { attribute(f, "/cost", "a", type_at_work, H5Screate(H5S_SCALAR), NULL); }

START_TEST(types_of_numbers) {
    make_files();
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char sentence[256];
        type_at_work = types[i].make();
        change("run.h5", dataset_of_type);
        snprintf(sentence, sizeof sentence,
                 "/cost/v: holds %s: datasets hold f64, f32, i64, i32, i8, u8 or u64, little-endian, those of ids UTF-8 text",
                 types[i].found);
        has(files_path("bad.h5"), 1, (const char *const[]){sentence});
        snprintf(sentence, sizeof sentence,
                 "attribute 'a' of /cost: holds %s: attributes hold UTF-8 text, f64, f32, i64, i32, i8, u8 or u64, little-endian",
                 types[i].found);
        if (H5Tget_class(type_at_work) != H5T_STRING) {
            change("run.h5", attribute_of_type);
            has(files_path("bad.h5"), 1, (const char *const[]){sentence});
        }
        H5Tclose(type_at_work);
    }
    files_remove();
}
END_TEST

/* ---- storage ---- */

static void u64_result(hid_t f) { scalar(f, "/cost/v", H5T_STD_U64LE); }
static void null_space(hid_t f) { make(f, "/cost/v", H5T_IEEE_F64LE, H5Screate(H5S_NULL), kept(H5P_DATASET_CREATE)); }
static void compact(hid_t f) {
    hid_t list = kept(H5P_DATASET_CREATE);
    H5Pset_layout(list, H5D_COMPACT);
    stored(f, H5T_IEEE_F64LE, 10, list);
}
static void virtual_data(hid_t f) {
    hid_t list = kept(H5P_DATASET_CREATE), space = H5Screate_simple(1, (hsize_t[]){10}, NULL);
    H5Pset_virtual(list, space, "other.h5", "/x", space);
    stored(f, H5T_IEEE_F64LE, 10, list);
    H5Sclose(space);
}
static void external_data(hid_t f) {
    hid_t list = kept(H5P_DATASET_CREATE);
    H5Pset_external(list, files_path("raw"), 0, 80);
    stored(f, H5T_IEEE_F64LE, 10, list);
}
static void small_chunks(hid_t f) { stored(f, H5T_STD_I32LE, 4095, chunked(4095)); }
static void large_chunks(hid_t f) { stored(f, H5T_IEEE_F64LE, 131073, chunked(131073)); }
static void chunked_text(hid_t f) {
    hid_t type = text_type(H5T_VARIABLE, H5T_CSET_UTF8);
    stored(f, type, 5000, chunked(5000));
    H5Tclose(type);
}
static void other_filter(hid_t f) {
    hid_t list = chunked(10000);
    H5Pset_scaleoffset(list, H5Z_SO_INT, 0);
    stored(f, H5T_STD_I32LE, 10000, list);
}

#define STORAGE ": arrays stand in the file itself, contiguous, and chunked only from 16 KiB on"

START_TEST(storage) {
    static const spoilt cases[] = {
        {"run.h5", u64_result, {"/cost/v: holds u64: u64, which R cannot hold, is for the state of engines"}},
        {"run.h5", null_space, {"/cost/v: has a null dataspace: a dataset is a number or an array, or netCDF and h5netcdf fail"}},
        {"run.h5", compact, {"/cost/v: is compact" STORAGE}},
        {"run.h5", virtual_data, {"/cost/v: is virtual" STORAGE}},
        {"run.h5", external_data, {"/cost/v: is stored in other files" STORAGE}},
        {"run.h5", small_chunks, {"/cost/v: is cut into chunks, but has only 16380 bytes" STORAGE}},
        {"run.h5", large_chunks, {"/cost/v: has chunks of 1048584 bytes: chunks have 1 MiB at most"}},
        {"run.h5",
         chunked_text,
         {"/cost/v: holds texts, at which Octave gives up: datasets hold f64, f32, i64, i32, i8, u8 or u64, little-endian, those of ids "
          "UTF-8 text",
          "/cost/v: is cut into chunks, but holds pointers: texts and lists are contiguous: there is nothing in pointers to compress"}},
        {"run.h5",
         other_filter,
         {"/cost/v: goes through filter number 6: filters are shuffle, deflate and fletcher32, which every build of HDF5 has"}},
    };
    FIND_ALL(cases);
}
END_TEST

/* ---- attributes ---- */

static void square_attribute(hid_t f) { attribute(f, "/cost", "a", H5T_IEEE_F64LE, H5Screate_simple(2, (hsize_t[]){2, 2}, NULL), NULL); }
static void fixed_attribute(hid_t f) {
    hid_t type = fixed_text();
    attribute(f, "/cost", "a", type, H5Screate(H5S_SCALAR), "1234567");
    H5Tclose(type);
}
static void ascii_attribute(hid_t f) {
    hid_t type = text_type(H5T_VARIABLE, H5T_CSET_ASCII);
    attribute(f, "/cost", "a", type, H5Screate(H5S_SCALAR), &(const char *){"x"});
    H5Tclose(type);
}
static void fixed_class(hid_t f) {
    hid_t type = fixed_text();
    attribute(f, "/cost", "CLASS", type, H5Screate(H5S_SCALAR), "1234567");
    H5Tclose(type);
}
static void null_text(hid_t f) {
    hid_t type = any_text();
    attribute(f, "/cost", "a", type, H5Screate_simple(1, (hsize_t[]){2}, NULL), (const char *[]){"x", NULL});
    H5Tclose(type);
}
static void unwritten_text(hid_t f) {
    hid_t type = any_text();
    attribute(f, "/cost", "a", type, H5Screate(H5S_SCALAR), NULL);
    H5Tclose(type);
}
static void latin_text(hid_t f) { text(f, "/cost", "a", "caf\xE9"); }
static void cut_text(hid_t f) { text(f, "/cost", "a", "caf\xC3"); }
static void on_ll(hid_t f, const char *name) { attribute(f, "/summary/ll", name, H5T_IEEE_F64LE, H5Screate(H5S_SCALAR), &(double){1}); }
static void scale_factor(hid_t f) { on_ll(f, "scale_factor"); }
static void add_offset(hid_t f) { on_ll(f, "add_offset"); }
static void fill_value(hid_t f) { on_ll(f, "_FillValue"); }
static void missing_value(hid_t f) { on_ll(f, "missing_value"); }
static void unsigned_mark(hid_t f) { text(f, "/summary/ll", "_Unsigned", "true"); }
static void coordinates(hid_t f) { text(f, "/summary/ll", "coordinates", "level"); }
static void days(hid_t f) { text(f, "/summary/ll", "units", "days"); }
static void seconds(hid_t f) { text(f, "/summary/ll", "units", "seconds"); }
static void date(hid_t f) { text(f, "/summary/ll", "units", "days since 2000-01-01"); }
static void dtype_int(hid_t f) { text(f, "/summary/ll", "dtype", "int"); }
static void dtype_real(hid_t f) { text(f, "/summary/ll", "dtype", "bool"); }
static void u64_alone(hid_t f) { attribute(f, "/cost", "n", H5T_STD_U64LE, H5Screate(H5S_SCALAR), &(uint64_t){1}); }

#define TEXT ": texts are of variable length and marked as UTF-8"
#define CONTENTS ": texts are UTF-8, and \"\" where there is none"
#define DECODE " of /summary/ll: is there: xarray would decode the numbers by it"
#define UNITS ": xarray would make times of the numbers: seconds are 's'"

START_TEST(attributes) {
    static const spoilt cases[] = {
        {"run.h5", square_attribute, {"attribute 'a' of /cost: is of rank 2: netCDF cannot open attributes of more than one dimension"}},
        {"run.h5", fixed_attribute, {"attribute 'a' of /cost: is of fixed length" TEXT}},
        {"run.h5", ascii_attribute, {"attribute 'a' of /cost: is marked as ASCII" TEXT}},
        {"run.h5", fixed_class, {"attribute 'CLASS' of /cost: is of fixed length" TEXT}},
        {"run.h5", null_text, {"attribute 'a' of /cost: entry 1 is NULL" CONTENTS}},
        {"run.h5", unwritten_text, {"attribute 'a' of /cost: entry 0 is NULL" CONTENTS}},
        {"run.h5", latin_text, {"attribute 'a' of /cost: entry 0 is not UTF-8" CONTENTS}},
        {"run.h5", cut_text, {"attribute 'a' of /cost: entry 0 is not UTF-8" CONTENTS}},
        {"run.h5", scale_factor, {"attribute 'scale_factor'" DECODE}},
        {"run.h5", add_offset, {"attribute 'add_offset'" DECODE}},
        {"run.h5", fill_value, {"attribute '_FillValue'" DECODE}},
        {"run.h5", missing_value, {"attribute 'missing_value'" DECODE}},
        {"run.h5", unsigned_mark, {"attribute '_Unsigned'" DECODE}},
        {"run.h5", coordinates, {"attribute 'coordinates'" DECODE}},
        {"run.h5", days, {"attribute 'units' of /summary/ll: is 'days'" UNITS}},
        {"run.h5", seconds, {"attribute 'units' of /summary/ll: is 'seconds'" UNITS}},
        {"run.h5", date, {"attribute 'units' of /summary/ll: is 'days since 2000-01-01'" UNITS}},
        {"run.h5", dtype_int, {"attribute 'dtype' of /summary/ll: is 'int': dtype is 'bool', at i8"}},
        {"run.h5", dtype_real, {"attribute 'dtype' of /summary/ll: is at a dataset that is not i8: dtype is 'bool', at i8"}},
        {"run.h5",
         u64_alone,
         {"attribute 'n' of /cost: is u64, and there is no 'n_text': beside u64 stands the same number as text, for R"}},
    };
    FIND_ALL(cases);
}
END_TEST

/* ---- groups of InferenceData ---- */

static void draw_before_chain(hid_t f) {
    matrix(f, "/posterior/v", 4, 1), attach(f, "/posterior/v", "/posterior/draw", 0), attach(f, "/posterior/v", "/posterior/chain", 1);
}
static void no_draws(hid_t f) { scalar(f, "/posterior/v", H5T_IEEE_F64LE); }
static void more_draws(hid_t f) { group(f, "/unconstrained_posterior"), scale(f, "/unconstrained_posterior/draw", 5, 0); }
static void other_draws(hid_t f) { group(f, "/unconstrained_posterior"), scale(f, "/unconstrained_posterior/draw", 4, 1); }
static void more_chains(hid_t f) { group(f, "/sample_stats"), scale(f, "/sample_stats/chain", 2, 0); }
static void statistics_of_more(hid_t f) { group(f, "/sample_stats"), scale(f, "/sample_stats/draw", 5, 0); }
static void moments_as_draws(hid_t f) { group(f, "/predictions"), scalar(f, "/predictions/mean", H5T_IEEE_F64LE); }
static void draws_of_data(hid_t f) { scale(f, "/observed_data/draw", 4, 0); }
static void borrowed_coordinates(hid_t f) {
    group(f, "/constant_data"), vector(f, "/constant_data/v", H5T_IEEE_F64LE, 6), attach(f, "/constant_data/v", "/obs_id", 0);
}
static void observed_more(hid_t f) { scalar(f, "/observed_data/z", H5T_IEEE_F64LE); }
static void likelihood_of_other(hid_t f) { H5Lmove(f, "/log_likelihood/y", f, "/log_likelihood/z", H5P_DEFAULT, H5P_DEFAULT); }
static void plain_flag(hid_t f) {
    group(f, "/sample_stats"), scale(f, "/sample_stats/chain", 1, 0), scale(f, "/sample_stats/draw", 4, 0);
    matrix(f, "/sample_stats/diverging", 1, 4);
    attach(f, "/sample_stats/diverging", "/sample_stats/chain", 0), attach(f, "/sample_stats/diverging", "/sample_stats/draw", 1);
}

#define DRAWS_FIRST ": what has draws is laid out on chain, draw (or sample), then its own dimensions"
#define SAME_DRAWS ": groups of draws have the same chains and draws"
#define VARIABLES ": posterior_predictive and log_likelihood have the variables of observed_data, log_likelihood no others"

START_TEST(inference_data) {
    static const spoilt cases[] = {
        {"run.h5", draw_before_chain, {"/posterior/v: does not begin with the dimensions chain, draw" DRAWS_FIRST}},
        {"run.h5", no_draws, {"/posterior/v: does not begin with the dimensions chain, draw" DRAWS_FIRST}},
        {"run.h5", more_draws, {"/unconstrained_posterior/draw: differs from /log_likelihood/draw" SAME_DRAWS}},
        {"run.h5", other_draws, {"/unconstrained_posterior/draw: differs from /log_likelihood/draw" SAME_DRAWS}},
        {"run.h5", more_chains, {"/sample_stats/chain: differs from /log_likelihood/chain" SAME_DRAWS}},
        {"run.h5", statistics_of_more, {"/sample_stats/draw: differs from /log_likelihood/draw" SAME_DRAWS}},
        {"run.h5", moments_as_draws, {"/predictions/mean: does not begin with the dimensions chain, draw" DRAWS_FIRST}},
        {"run.h5",
         draws_of_data,
         {"/observed_data/draw: is a dimension of draws in a group of data: observed and constant data have no chain and draw"}},
        {"data.h5",
         borrowed_coordinates,
         {"/constant_data/v: takes the dimension /obs_id: a group of InferenceData has all its coordinates in itself"}},
        {"run.h5",
         observed_more,
         {"/log_likelihood: lacks the variable 'z' of /observed_data" VARIABLES,
          "/posterior_predictive: lacks the variable 'z' of /observed_data" VARIABLES}},
        {"run.h5",
         likelihood_of_other,
         {"/log_likelihood: lacks the variable 'y' of /observed_data" VARIABLES,
          "/observed_data: lacks the variable 'z' of /log_likelihood" VARIABLES}},
        {"run.h5", plain_flag, {"/sample_stats/diverging: is not marked as true or false: it is i8 with the attribute dtype 'bool'"}},
    };
    FIND_ALL(cases);
}
END_TEST

/* ---- damaged files ---- */

/* Writes over the file from this byte on. */
static void overwrite(const char *path, long at, const void *bytes, size_t n) {
    FILE *f = fopen(path, "r+b");
    ck_assert_ptr_nonnull(f);
    fseek(f, at, SEEK_SET);
    ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

START_TEST(a_damaged_object_is_found) {
    H5O_info_t info;
    make_files();
    hid_t f = H5Fopen(files_path("run.h5"), H5F_ACC_RDONLY, H5P_DEFAULT);
    H5Oget_info_by_name2(f, "/summary/ll", &info, H5O_INFO_BASIC, H5P_DEFAULT);
    H5Fclose(f);
    overwrite(files_path("run.h5"), (long)info.addr, "none", 4);
    files_unseal(files_path("run.h5"));
    has(files_path("run.h5"), 1, (const char *const[]){"/summary/ll: cannot be opened: all of a file can be read"});
    files_remove();
}
END_TEST

START_TEST(other_files_are_refused) {
    bnn_lint *l;
    make_files();
    REFUSED(bnn_file_lint(files_path("none.h5"), &l), "none.h5: No such file or directory");
    REFUSED(bnn_file_lint(files_write("text.h5", "a,b\n1,2\n"), &l), "text.h5: is not an HDF5 file");
    ck_assert_int_eq(truncate(files_path("run.h5"), 4000), 0);
    SAYS(bnn_file_lint(files_path("run.h5"), &l), "run.h5: is truncated, damaged or being written: it has 4000 bytes, by its head ");
    files_remove();
}
END_TEST

/* Exit status of `bnn info --lint` of a file, output thrown away; one that was killed has 128 and more. */
static int lint_by_program(const char *path) {
    char line[1024];
    snprintf(line, sizeof line, "%s info --lint %s >/dev/null 2>&1", getenv("BNN_PROGRAM"), path);
    return WEXITSTATUS(system(line));
}

static void assert_survives(const char *what, long place) {
    int status = lint_by_program(files_path("bad.h5"));
    ck_assert_msg(status <= 2, "%s at %ld: exit status %d", what, place, status);
}

/* HDF5 itself does not outlive every damage, least that of the heaps of texts and references, whose sizes it takes on trust. */
START_TEST(no_damage_ends_the_program) {
    enum { PLACES = 40, SIZE_IN_HEAP = 24 };
    size_t n;
    make_files();
    ck_assert_int_eq(lint_by_program(files_path("run.h5")), 0);
    files_unseal(files_path("run.h5")); /* as files of others are, whose damage HDF5 meets */
    char *bytes = read_file(files_path("run.h5"), &n), *heap = bytes;
    for (size_t i = 0; i < PLACES; i++) {
        copy_file(files_path("run.h5"), "bad.h5");
        overwrite(files_path("bad.h5"), (long)(n * i / PLACES), "\xFF\x00\xFF", 3);
        assert_survives("damage", (long)(n * i / PLACES));
    }
    while ((heap = memmem(heap, (size_t)(bytes + n - heap), "GCOL", 4))) {
        copy_file(files_path("run.h5"), "bad.h5");
        overwrite(files_path("bad.h5"), heap++ - bytes + SIZE_IN_HEAP, "\xFF\xFF\xFF\xFF", 4);
        assert_survives("damage of a heap", heap - bytes);
    }
    free(bytes);
    files_remove();
}
END_TEST

int main(void) {
    if (!getenv("BNN_PROGRAM")) return puts("skipped: BNN_PROGRAM does not name the program"), 77;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return run_tests("lint_files",
                     (const TTest *const[]){data_files_are_clean, texts_become_utf8, runs_of_every_engine_are_clean,
                                            results_of_classes_and_reals_are_clean, what_is_allowed_is_clean, the_file_itself,
                                            links_and_groups, dimensions_and_axes, types_of_numbers, storage, attributes, inference_data,
                                            a_damaged_object_is_found, other_files_are_refused, no_damage_ends_the_program, NULL});
}
