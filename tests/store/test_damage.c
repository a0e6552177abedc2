/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_damage.c: files of every kind, with wrong bytes, cut short, or with wrong contents: each call on them ends, with what it was asked
 * for or with a sentence that names the file. Every case runs in a process of its own, with bounds on time and memory.
 */
#include "files.h"

#include <bnn/calibrate.h>
#include <bnn/diagnose.h>
#include <bnn/store.h>
#include <hdf5.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define NET "dense:5; tanh; dense"
#define NESTED "grid_search:engine=early_stopping{engine=mc_dropout{epochs=60,batch=16},every=4},grid={patience=2|5},samples=5"
#define STOPPER "early_stopping:engine=mc_dropout{gates=concrete,epochs=20,batch=16},every=2,samples=5"

/* ---- files of every kind ---- */

enum {
    DATA,
    CLASSES,
    IMAGES,
    RUN,
    DRAWS,
    PART,
    SEARCH,
    REFIT,
    PREDICTION,
    COMPARISON,
    CALIBRATED,
    DETECTION,
    REGRET,
    ACQUISITION,
    N_KINDS
};
static const char *const kinds[N_KINDS] = {"data.h5",       "classes.h5",   "images.h5", "run.h5",        "draws.h5",
                                           "part.h5",       "search.h5",    "refit.h5",  "prediction.h5", "comparison.h5",
                                           "calibrated.h5", "detection.h5", "regret.h5", "acquisition.h5"};
static const char *const begun[N_KINDS] = {[PART] = "map:epochs=30", [SEARCH] = NESTED, [REFIT] = STOPPER};
static const int stopped[N_KINDS] = {[PART] = 3, [SEARCH] = 1, [REFIT] = 20};

typedef struct {
    bnn_table *table, *classes;
    bnn_data *rows;
} basis;

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

static basis files_open(void) {
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

static void files_close(basis *b) {
    bnn_data_free(b->rows), bnn_table_free(b->table), bnn_table_free(b->classes);
    files_remove();
}

/* ---- every call on one file ---- */

enum { SILENT = 3 }; /* exit status: a failure without a sentence about the file */

/* Whether it succeeded; a failure has to say which file it is about. */
static bool told(bnn_status s, const char *path) {
    if (s == BNN_OK) return true;
    if (strncmp(bnn_error(), path, strlen(path)) == 0 && strlen(bnn_error()) > strlen(path) + 5) return false;
    fprintf(stderr, "failure without the file's name: %s\n", bnn_error());
    _exit(SILENT);
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

/* Returns how many calls took the file. */
static int try_all(const char *path, int kind, const basis *b) {
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

static void bound(void) {
#ifndef __SANITIZE_ADDRESS__ /* which takes all addresses there are */
    setrlimit(RLIMIT_AS, &(struct rlimit){2000000000, 2000000000});
#endif
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    alarm(20);
}

/* In a process of its own; returns the number of calls that took the file. */
static int survives(const char *path, int kind, const basis *b, const char *what) {
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        bound();
        exit(100 + try_all(path, kind, b)); /* not _exit: the leak sanitizer looks, too */
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) >= 100, "%s, %s: %s %d", kinds[kind], what,
                  WIFEXITED(status) ? "exit status" : "ended by signal", WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    return WEXITSTATUS(status) - 100;
}

/* ---- bytes ---- */

typedef struct {
    unsigned char *v;
    size_t n;
} bytes;

static bytes read_bytes(const char *path) {
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    fseek(f, 0, SEEK_END);
    bytes b = {.n = (size_t)ftell(f)};
    b.v = malloc(b.n);
    rewind(f);
    ck_assert_uint_eq(fread(b.v, 1, b.n, f), b.n);
    fclose(f);
    return b;
}

static size_t below(bnn_rng rng, uint64_t draw, size_t n) {
    uint32_t word;
    bnn_rng_words(rng, draw, 1, 1, &word);
    return word % n;
}

/* Case i of one file: one byte wrong, or, every third time, up to 16. */
static void flip(bytes *b, const bytes *good, bnn_rng rng, char what[64]) {
    size_t n = below(rng, 0, 3) == 0 ? 2 + below(rng, 1, 15) : 1, at = 0;
    memcpy(b->v, good->v, good->n);
    for (size_t k = 0; k < n; k++) {
        at = below(rng, 2 + 2 * k, good->n);
        b->v[at] ^= (unsigned char)(1 + below(rng, 3 + 2 * k, 255));
    }
    snprintf(what, 64, "%zu bytes, the last at %zu", n, at);
}

static int count_of(const char *variable, int usual) { return getenv(variable) ? atoi(getenv(variable)) : usual; }

START_TEST(wrong_bytes_are_found) {
    basis b = files_open();
    for (int kind = 0; kind < N_KINDS; kind++) {
        bytes good = read_bytes(files_path(kinds[kind])), bad = {.v = malloc(good.n), .n = good.n};
        for (int i = 0; i < count_of("BNN_FLIPS", 40); i++) {
            char what[64];
            flip(&bad, &good, bnn_rng_split(bnn_rng_seed((uint64_t)kind), (uint64_t)i), what);
            if (memcmp(bad.v, good.v, good.n) == 0) continue; /* the same byte twice */
            const char *path = files_write_bytes("bad.h5", bad.v, bad.n);
            ck_assert_msg(survives(path, kind, &b, what) == 0, "%s with wrong bytes was read (%s)", kinds[kind], what);
        }
        free(good.v), free(bad.v);
    }
    files_close(&b);
}
END_TEST

START_TEST(cut_files_are_refused) {
    basis b = files_open();
    enum { CUTS = 20 };
    for (int kind = 0; kind < N_KINDS; kind++) {
        bytes good = read_bytes(files_path(kinds[kind]));
        for (size_t i = 0; i < CUTS; i++) {
            char what[64];
            size_t n = i < 3 ? good.n - 1 - i * 20 : i * good.n / CUTS;
            snprintf(what, sizeof what, "cut to %zu bytes", n);
            ck_assert_msg(survives(files_write_bytes("bad.h5", good.v, n), kind, &b, what) == 0, "%s was read, %s", kinds[kind], what);
        }
        files_unseal(files_write_bytes("bad.h5", good.v, good.n));
        ck_assert_int_gt(survives(files_path("bad.h5"), kind, &b, "whole but for its seal"), 0);
        ck_assert_int_gt(survives(files_path(kinds[kind]), kind, &b, "whole"), 0);
        free(good.v);
    }
    files_close(&b);
}
END_TEST

/* ---- contents, changed by HDF5 itself: no seal tells of them ---- */

/* One place of a file: an attribute (name) of an object, or, with name "", the object. */
typedef struct {
    char object[128], name[64];
} place;

typedef struct {
    place *at;
    int n;
} places;

static void add_place(places *p, const char *object, const char *name) {
    p->at = realloc(p->at, (size_t)(p->n + 1) * sizeof *p->at);
    place *last = &p->at[p->n++];
    snprintf(last->object, sizeof last->object, "%s%s", *object == '/' ? "" : "/", strcmp(object, ".") == 0 ? "" : object);
    snprintf(last->name, sizeof last->name, "%s", name);
}

typedef struct {
    places *found;
    const char *object;
} visitor;

static herr_t visit_attribute(hid_t object, const char *name, const H5A_info_t *info, void *context) {
    (void)object, (void)info;
    const visitor *v = context;
    /* what HDF5 keeps for itself */
    if (strcmp(name, "DIMENSION_LIST") != 0 && strcmp(name, "REFERENCE_LIST") != 0 && strcmp(name, "CLASS") != 0 &&
        strcmp(name, "NAME") != 0)
        add_place(v->found, v->object, name);
    return 0;
}

static herr_t visit_object(hid_t root, const char *name, const H5O_info_t *info, void *context) {
    (void)info;
    hid_t object = H5Oopen(root, name, H5P_DEFAULT);
    if (strcmp(name, ".") != 0) add_place(context, name, "");
    H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, NULL, visit_attribute, &(visitor){context, name});
    H5Oclose(object);
    return 0;
}

static places find_places(const char *path) {
    places found = {0};
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    ck_assert_int_ge(H5Ovisit(file, H5_INDEX_NAME, H5_ITER_INC, visit_object, &found), 0);
    H5Fclose(file);
    return found;
}

static hid_t text_type(void) {
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    return type;
}

static void new_attribute(hid_t file, const place *p, hid_t type, int n, const void *value) {
    H5Adelete_by_name(file, p->object, p->name, H5P_DEFAULT);
    hid_t space = n ? H5Screate_simple(1, (const hsize_t[]){(hsize_t)n}, NULL) : H5Screate(H5S_SCALAR);
    hid_t a = H5Acreate_by_name(file, p->object, p->name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert_int_ge(H5Awrite(a, type, value), 0);
    H5Aclose(a), H5Sclose(space);
}

static void new_number(hid_t file, const place *p, hid_t type, double value) {
    new_attribute(file, p, type, 0, H5Tequal(type, H5T_NATIVE_INT) ? (const void *)&(int){(int)value} : &value);
}

static void new_text(hid_t file, const place *p, const char *value) {
    hid_t type = text_type();
    new_attribute(file, p, type, 0, &value);
    H5Tclose(type);
}

/* Change `which` of an attribute; false: there are no more. */
static bool change_attribute(hid_t file, const place *p, int which) {
    static const double numbers[] = {-1, 0, 1, 2, 1000000, INT32_MAX, INT32_MIN};
    static const double reals[] = {NAN, INFINITY, -1, 0, 1e300};
    static const char *const texts[] = {"", "x", "map:epochs=0", "dense:3; tanh; dense", "a\xff", "categorical", "complete", "partial"};
    enum { INTS = sizeof numbers / sizeof *numbers, REALS = sizeof reals / sizeof *reals, TEXTS = sizeof texts / sizeof *texts };
    if (which == 0) return H5Adelete_by_name(file, p->object, p->name, H5P_DEFAULT) >= 0;
    if (which < 1 + INTS) return new_number(file, p, H5T_NATIVE_INT, numbers[which - 1]), true;
    if (which < 1 + INTS + REALS) return new_number(file, p, H5T_NATIVE_DOUBLE, reals[which - 1 - INTS]), true;
    if (which < 1 + INTS + REALS + TEXTS) return new_text(file, p, texts[which - 1 - INTS - REALS]), true;
    if (which > 1 + INTS + REALS + TEXTS) return false;
    return new_attribute(file, p, H5T_NATIVE_INT, 3, (const int[]){1, -3, 1 << 30}), true;
}

/* Every number of a dataset becomes this one, as far as its type can hold it. */
static void fill(hid_t file, const char *object, double value) {
    hid_t d = H5Dopen2(file, object, H5P_DEFAULT), space = H5Dget_space(d);
    size_t n = (size_t)H5Sget_simple_extent_npoints(space);
    double *v = malloc((n + 1) * sizeof *v);
    for (size_t i = 0; i < n; i++) v[i] = value;
    H5Dwrite(d, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, v);
    free(v);
    H5Sclose(space), H5Dclose(d);
}

/* Another dataset of this name, never written. */
static void replace(hid_t file, const char *object, hid_t type, int rank, const hsize_t *extent) {
    H5Ldelete(file, object, H5P_DEFAULT);
    hid_t space = rank ? H5Screate_simple(rank, extent, NULL) : H5Screate(H5S_SCALAR), list = H5Pcreate(H5P_DATASET_CREATE);
    if (rank) H5Pset_chunk(list, rank, (const hsize_t[]){1, 1, 1, 1});
    H5Dclose(H5Dcreate2(file, object, type, space, H5P_DEFAULT, list, H5P_DEFAULT));
    H5Sclose(space), H5Pclose(list);
}

static bool change_dataset(hid_t file, const char *object, int which) {
    static const double numbers[] = {NAN, INFINITY, -1, 0, 1, 1e300, -1e300, 1e9};
    static const struct {
        int rank;
        hsize_t extent[4];
    } sizes[] = {{0, {0}},
                 {1, {0}},
                 {1, {1}},
                 {1, {INT32_MAX}},
                 {1, {1ULL << 40}},
                 {2, {3, 0}},
                 {2, {1 << 20, 1 << 20}},
                 {2, {1ULL << 40, 1}},
                 {4, {1, 1 << 30, 1 << 30, 1 << 30}}};
    enum { NUMBERS = sizeof numbers / sizeof *numbers, SIZES = sizeof sizes / sizeof *sizes };
    if (which == 0) return H5Ldelete(file, object, H5P_DEFAULT) >= 0;
    if (which < 1 + NUMBERS) return fill(file, object, numbers[which - 1]), true;
    if (which < 1 + NUMBERS + SIZES)
        return replace(file, object, H5T_NATIVE_DOUBLE, sizes[which - 1 - NUMBERS].rank, sizes[which - 1 - NUMBERS].extent), true;
    if (which > 1 + NUMBERS + SIZES) return false;
    hid_t type = text_type();
    replace(file, object, type, 1, (const hsize_t[]){2});
    H5Tclose(type);
    return true;
}

/* A group goes, or leads back to its file's root. */
static bool change_group(hid_t file, const char *object, int which) {
    if (which > 1) return false;
    H5Ldelete(file, object, H5P_DEFAULT);
    if (which == 1) H5Lcreate_hard(file, "/", file, object, H5P_DEFAULT, H5P_DEFAULT);
    return true;
}

static bool change(const char *path, const place *p, int which) {
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), object = H5Oopen(file, p->object, H5P_DEFAULT);
    bool is_group = H5Iget_type(object) == H5I_GROUP;
    H5Oclose(object);
    bool changed = *p->name   ? change_attribute(file, p, which)
                   : is_group ? change_group(file, p->object, which)
                              : change_dataset(file, p->object, which);
    H5Fclose(file);
    return changed;
}

/* Every BNN_EVERY-th of all changes of all places; with 1 it takes minutes. */
START_TEST(wrong_contents_are_told) {
    basis b = files_open();
    int every = count_of("BNN_EVERY", 40), k = 0;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    for (int kind = 0; kind < N_KINDS; kind++) {
        bytes good = read_bytes(files_path(kinds[kind]));
        places found = find_places(files_path(kinds[kind]));
        for (int i = 0; i < found.n; i++)
            for (int which = 0; which < 32; which++) {
                char what[256];
                if (k++ % every) continue;
                const char *path = files_write_bytes("bad.h5", good.v, good.n);
                if (!change(path, &found.at[i], which)) break;
                snprintf(what, sizeof what, "%s %s change %d", found.at[i].object, found.at[i].name, which);
                survives(path, kind, &b, what);
            }
        free(found.at), free(good.v);
    }
    files_close(&b);
}
END_TEST

int main(void) {
    return run_tests("damage", (const TTest *const[]){wrong_bytes_are_found, cut_files_are_refused, wrong_contents_are_told, NULL});
}
