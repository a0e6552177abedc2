/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "import.h"
#include "sheet.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_SPLITS 1000

/* Numbers separated by blanks, in lines of equal length. */
typedef struct {
    char path[4096];
    int rows, cols;
    double *v; /* [rows, cols] */
} matrix;

static bnn_status grow(matrix *m, size_t used, size_t *room) {
    if (used < *room) return BNN_OK;
    *room = *room ? 2 * *room : 1024;
    double *more = realloc(m->v, *room * sizeof *more);
    if (!more) return bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for %zu numbers", m->path, *room);
    m->v = more;
    return BNN_OK;
}

static bnn_status read_line(matrix *m, char *line, int number, size_t *used, size_t *room) {
    int cols = 0;
    char *rest, *word = strtok_r(line, " \t", &rest);
    for (; word; word = strtok_r(NULL, " \t", &rest)) {
        BNN_TRY(grow(m, *used, room));
        if (!bnn_import_number(word, &m->v[*used]) || !isfinite(m->v[*used]))
            return bnn_fail(BNN_ERR_DATA, "%s: line %d, column %d: '%.40s' is not a finite number", m->path, number, cols + 1, word);
        ++*used, cols++;
    }
    if (cols == 0) return BNN_OK;
    if (m->rows > 0 && cols != m->cols)
        return bnn_fail(BNN_ERR_FORMAT, "%s: line %d has %d numbers, the lines before have %d", m->path, number, cols, m->cols);
    m->cols = cols, m->rows++;
    return BNN_OK;
}

static bnn_status read_lines(matrix *m, char *text) {
    size_t used = 0, room = 0;
    int number = 0;
    for (char *line; (line = strsep(&text, "\n"));) BNN_TRY(read_line(m, line, ++number, &used, &room));
    return m->rows ? BNN_OK : bnn_fail(BNN_ERR_FORMAT, "%s: holds no numbers", m->path);
}

static bnn_status read_matrix(const char *folder, const char *name, matrix *m) {
    *m = (matrix){.rows = 0};
    if (snprintf(m->path, sizeof m->path, "%s/%s", folder, name) >= (int)sizeof m->path)
        return bnn_fail(BNN_ERR_FILE, "%s: the path is too long", folder);
    char *text;
    BNN_TRY(bnn_text_read(m->path, NULL, &text));
    bnn_status s = read_lines(m, text);
    free(text);
    if (s < 0) free(m->v), m->v = NULL;
    return s;
}

/* A file of whole numbers from 0 to below limit, in one list. */
static bnn_status read_indices(const char *folder, const char *name, int limit, int *count, int **out) {
    matrix m;
    *out = NULL, *count = 0;
    BNN_TRY(read_matrix(folder, name, &m));
    int n = m.rows * m.cols;
    bnn_status s = (*out = malloc((size_t)n * sizeof **out)) ? BNN_OK : bnn_fail(BNN_ERR_MEMORY, "%s: out of memory", m.path);
    for (int i = 0; s == BNN_OK && i < n; i++) {
        if (!(m.v[i] >= 0 && m.v[i] < limit && m.v[i] == floor(m.v[i])))
            s = bnn_fail(BNN_ERR_DATA, "%s: %g is not an index from 0 to %d", m.path, m.v[i], limit - 1);
        else
            (*out)[i] = (int)m.v[i];
    }
    *count = n;
    free(m.v);
    if (s < 0) free(*out), *out = NULL;
    return s;
}

/* ---- splits ---- */

typedef struct {
    int count;
    int *order;
    int8_t *role;
} splits;

static bnn_status read_split(const char *folder, int k, int n, int *order, int8_t *role) {
    char train_name[40], test_name[40];
    snprintf(train_name, sizeof train_name, "index_train_%d.txt", k);
    snprintf(test_name, sizeof test_name, "index_test_%d.txt", k);
    int n_train, n_test, *train, *test = NULL;
    BNN_TRY(read_indices(folder, train_name, n, &n_train, &train));
    bnn_status s = read_indices(folder, test_name, n, &n_test, &test);
    if (s == BNN_OK && n_train + n_test != n)
        s = bnn_fail(BNN_ERR_DATA, "%s: split %d lists %d training and %d test rows, the data have %d rows", folder, k, n_train, n_test, n);
    for (int i = 0; s == BNN_OK && i < n; i++) {
        order[i] = i < n_train ? train[i] : test[i - n_train];
        role[order[i]] = i < n_train ? BNN_TRAIN : BNN_TEST;
    }
    free(train), free(test);
    return s;
}

static bool has_split(const char *folder, int k) {
    char path[4096];
    snprintf(path, sizeof path, "%s/index_train_%d.txt", folder, k);
    return access(path, F_OK) == 0;
}

/* The number in "index_train_7.txt" and "index_test_7.txt"; -1: the name is another. */
static int number_in(const char *name) {
    static const char *const begins[] = {"index_train_", "index_test_"};
    for (size_t i = 0; i < 2; i++) {
        size_t n = strlen(begins[i]), digits = strncmp(name, begins[i], n) == 0 ? strspn(name + n, "0123456789") : 0;
        if (digits > 0 && digits < 10 && strcmp(name + n + digits, ".txt") == 0) return atoi(name + n);
    }
    return -1;
}

/* Refuses a file of a split behind the last one: those before it are not all there. */
static bnn_status check_gaps(const char *folder, int count) {
    DIR *files = opendir(folder);
    if (!files) return bnn_fail(BNN_ERR_FILE, "%s: %s", folder, strerror(errno));
    bnn_status s = BNN_OK;
    for (struct dirent *file; s == BNN_OK && (file = readdir(files));)
        if (number_in(file->d_name) >= count)
            s = bnn_fail(BNN_ERR_DATA, "%s: there is %s, but no index_train_%d.txt", folder, file->d_name, count);
    closedir(files);
    return s;
}

/* Refuses another number of splits than n_splits.txt tells, where there is one. */
static bnn_status check_number(const char *folder, int count) {
    matrix m;
    char path[4096];
    snprintf(path, sizeof path, "%s/n_splits.txt", folder);
    if (access(path, F_OK) != 0) return BNN_OK;
    BNN_TRY(read_matrix(folder, "n_splits.txt", &m));
    double told = m.v[0];
    free(m.v);
    if (told == count) return BNN_OK;
    return bnn_fail(BNN_ERR_DATA, "%s: n_splits.txt tells %g splits, but there are files of %d", folder, told, count);
}

static bnn_status read_splits(const char *folder, bnn_table *t) {
    splits p = {0};
    size_t n = (size_t)t->n;
    while (p.count < MOST_SPLITS && has_split(folder, p.count)) p.count++;
    BNN_TRY(check_gaps(folder, p.count));
    BNN_TRY(check_number(folder, p.count));
    if (p.count == 0) return BNN_OK;
    p.order = malloc((size_t)p.count * n * sizeof *p.order), p.role = malloc((size_t)p.count * n);
    bnn_status s = p.order && p.role ? BNN_OK : bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for %d splits", folder, p.count);
    for (int k = 0; s == BNN_OK && k < p.count; k++) s = read_split(folder, k, t->n, p.order + (size_t)k * n, p.role + (size_t)k * n);
    if (s == BNN_OK && (s = bnn_table_set_splits(t, p.count, p.order, p.role, "published: index_train_K.txt and index_test_K.txt")) < 0)
        bnn_note(s, "%s", folder);
    if (s < 0) free(p.order), free(p.role);
    return s;
}

/* ---- the table ---- */

/* "x1", "x2", ...; a single one is "x". */
static bool name(char ***names, const char *prefix, int n) {
    *names = calloc((size_t)n, sizeof **names);
    bool done = *names;
    for (int i = 0; done && i < n; i++) done = asprintf(&(*names)[i], n > 1 ? "%s%d" : "%s", prefix, i + 1) >= 0;
    return done;
}

typedef struct {
    matrix data;
    int n_features, n_targets, *feature, *target;
} folder_files;

static bnn_status make_table(const folder_files *f, bnn_table **out) {
    const matrix *m = &f->data;
    bnn_table *t;
    BNN_TRY(bnn_table_new(m->rows, bnn_shape_vector(f->n_features), f->n_targets, 0, &t));
    *out = t;
    if (!name(&t->x_names, "x", f->n_features) || !name(&t->y_names, "y", f->n_targets))
        return bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for names", m->path);
    for (int i = 0; i < m->rows; i++) {
        const double *row = m->v + (size_t)i * (size_t)m->cols;
        for (int k = 0; k < f->n_features; k++) t->x[(size_t)i * (size_t)f->n_features + (size_t)k] = row[f->feature[k]];
        for (int k = 0; k < f->n_targets; k++) t->y[(size_t)i * (size_t)f->n_targets + (size_t)k] = row[f->target[k]];
    }
    return BNN_OK;
}

/* Refuses a column that is listed twice, as a feature, a target or both. */
static bnn_status check_columns(const char *folder, const folder_files *f) {
    for (int i = 0; i < f->n_features + f->n_targets; i++)
        for (int k = 0; k < i; k++) {
            bool target_i = i >= f->n_features, target_k = k >= f->n_features;
            int a = target_i ? f->target[i - f->n_features] : f->feature[i], b = target_k ? f->target[k - f->n_features] : f->feature[k];
            if (a != b) continue;
            if (target_i != target_k) return bnn_fail(BNN_ERR_DATA, "%s: the target, column %d, is among the features", folder, a);
            return bnn_fail(BNN_ERR_DATA, "%s: index_%s.txt lists column %d twice", folder, target_i ? "target" : "features", a);
        }
    return BNN_OK;
}

static bnn_status read_folder(const char *folder, folder_files *f) {
    BNN_TRY(read_matrix(folder, "data.txt", &f->data));
    BNN_TRY(read_indices(folder, "index_features.txt", f->data.cols, &f->n_features, &f->feature));
    BNN_TRY(read_indices(folder, "index_target.txt", f->data.cols, &f->n_targets, &f->target));
    return check_columns(folder, f);
}

bnn_status bnn_import_uci(const char *folder, const bnn_import_about *about, bnn_table **out) {
    *out = NULL;
    folder_files f = {0};
    bnn_table *t = NULL;
    bnn_import_about described;
    BNN_TRY(bnn_import_read_about(about, &described));
    const char *slash = strrchr(folder, '/');
    if (!described.title) described.title = slash && slash[1] ? slash + 1 : folder;
    bnn_status s = read_folder(folder, &f);
    if (s == BNN_OK) s = make_table(&f, &t);
    if (s == BNN_OK) s = bnn_table_doubt(t, folder, described.remarks);
    if (s == BNN_OK) s = read_splits(folder, t);
    if (s == BNN_OK) s = bnn_import_describe(t, &described, f.data.path);
    free(f.data.v), free(f.feature), free(f.target);
    if (s < 0)
        bnn_table_free(t);
    else
        *out = t;
    return s;
}
