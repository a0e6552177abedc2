/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "import.h"

#include <bnn/cost.h>
#include <bnn/remark.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* One IDX file of unsigned bytes: two zeros, the type 0x08, the rank, big-endian extents, the bytes. */
typedef struct {
    const char *path;
    int rank, extent[4];
    size_t bytes; /* of one row */
    uint8_t *v;   /* [extent[0], bytes] */
} idx;

static bnn_status cut_short(const idx *f, size_t wanted) {
    return bnn_fail(BNN_ERR_FORMAT, "%s: is truncated: it ends before the %zu bytes that its header announces", f->path, wanted);
}

static bnn_status read_header(idx *f, gzFile file) {
    uint8_t head[4], extents[16];
    if (gzread(file, head, 4) != 4 || head[0] || head[1])
        return bnn_fail(BNN_ERR_FORMAT, "%s: is not an IDX file: it does not begin with two zero bytes", f->path);
    if (head[2] != 0x08)
        return bnn_fail(BNN_ERR_FORMAT, "%s: holds IDX type 0x%02x, only unsigned bytes (0x08) are read", f->path, head[2]);
    if (head[3] < 1 || head[3] > 4) return bnn_fail(BNN_ERR_FORMAT, "%s: has %d dimensions, expected 1 to 4", f->path, head[3]);
    f->rank = head[3], f->bytes = 1;
    if (gzread(file, extents, 4u * (unsigned)f->rank) != 4 * f->rank) return cut_short(f, 4 + 4 * (size_t)f->rank);
    for (int i = 0; i < f->rank; i++) {
        const uint8_t *e = extents + 4 * i;
        uint32_t extent = (uint32_t)e[0] << 24 | (uint32_t)e[1] << 16 | (uint32_t)e[2] << 8 | e[3];
        if (extent == 0 || extent > INT32_MAX) return bnn_fail(BNN_ERR_FORMAT, "%s: has extent %u in dimension %d", f->path, extent, i + 1);
        f->extent[i] = (int)extent;
        if (i > 0) f->bytes *= extent;
        if (f->bytes > INT32_MAX) return bnn_fail(BNN_ERR_FORMAT, "%s: has rows of more than 2 GB", f->path);
    }
    return BNN_OK;
}

static bnn_status read_bytes(idx *f, gzFile file) {
    size_t total = (size_t)f->extent[0] * f->bytes, used = 0;
    BNN_TRY(bnn_memory_check((double)total, f->path, "take a smaller file"));
    f->v = malloc(total);
    if (!f->v) return bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for its %zu bytes", f->path, total);
    while (used < total) {
        size_t left = total - used;
        int n = gzread(file, f->v + used, left < 1 << 20 ? (unsigned)left : 1u << 20);
        if (n <= 0) return cut_short(f, total);
        used += (size_t)n;
    }
    char more;
    return gzread(file, &more, 1) == 0
               ? BNN_OK
               : bnn_fail(BNN_ERR_FORMAT, "%s: goes on behind the %zu bytes that its header announces", f->path, total);
}

static bnn_status read_idx(const char *path, idx *f) {
    f->path = path;
    gzFile file = gzopen(path, "rb"); /* reads plain files too */
    if (!file) return bnn_fail(BNN_ERR_FILE, "%s: %s", path, strerror(errno));
    bnn_status s = read_header(f, file);
    if (s == BNN_OK) s = read_bytes(f, file);
    gzclose_r(file);
    return s;
}

typedef struct {
    idx images, labels;
} pair;

static void pair_free(pair *p) { free(p->images.v), free(p->labels.v); }

static bnn_status read_pair(const char *images, const char *labels, bool has_void, pair *p) {
    BNN_TRY(read_idx(images, &p->images));
    BNN_TRY(read_idx(labels, &p->labels));
    if (p->images.rank < 3)
        return bnn_fail(BNN_ERR_FORMAT, "%s: has %d dimension(s), images have 3 (or 4 with channels)", images, p->images.rank);
    if (p->labels.rank != 1 && p->labels.rank != 3)
        return bnn_fail(BNN_ERR_FORMAT, "%s: has %d dimensions, labels have 1, or 3 with one for each pixel", labels, p->labels.rank);
    if (p->images.extent[0] != p->labels.extent[0])
        return bnn_fail(BNN_ERR_FORMAT, "%s: holds %d labels for the %d images of %s", labels, p->labels.extent[0], p->images.extent[0],
                        images);
    if (p->labels.rank == 1 && has_void)
        return bnn_fail(BNN_ERR_OPTION, "%s: has one label for each image, and pixels alone can be void", labels);
    const int *of = p->labels.extent + 1, *pixels = p->images.extent + p->images.rank - 2;
    if (p->labels.rank == 3 && (of[0] != pixels[0] || of[1] != pixels[1]))
        return bnn_fail(BNN_ERR_SHAPE, "%s: has labels of %dx%d pixels, the images of %s have %dx%d", labels, of[0], of[1], images,
                        pixels[0], pixels[1]);
    return BNN_OK;
}

static bnn_shape image_shape(const idx *f) {
    const int *e = f->extent;
    return f->rank == 4 ? (bnn_shape){.rank = 3, .d = {e[1], e[2], e[3]}} : (bnn_shape){.rank = 3, .d = {1, e[1], e[2]}};
}

/* The label of pixels that nobody knows; -1: there is none. */
static int void_of(const bnn_idx_files *files) { return files->has_void ? files->void_label : -1; }

/* Counts each label, apart from void; returns the largest. */
static int count_labels(const idx *f, int void_label, size_t seen[256]) {
    int largest = 0;
    for (size_t i = 0; i < (size_t)f->extent[0] * f->bytes; i++) {
        if (f->v[i] == void_label) continue;
        seen[f->v[i]]++;
        if (f->v[i] > largest) largest = f->v[i];
    }
    return largest;
}

/* A class that no row is of is learned all the same, which is seldom meant where labels begin with 1. */
static bnn_status say_labels(const size_t seen[256], int largest, bnn_remarks *remarks) {
    int least = 0, gap = 0;
    while (least < largest && seen[least] == 0) least++;
    for (int c = least; c < largest && gap == 0; c++) gap = seen[c] == 0 ? c : 0;
    if (least > 0)
        BNN_TRY(bnn_remarks_add(remarks, BNN_REMARK_WARNING, "labels_from",
                                "labels: from %d to %d, and classes are counted from 0: there are %d, of which the first %d are never seen",
                                least, largest, largest + 1, least));
    if (gap == 0) return BNN_OK;
    return bnn_remarks_add(remarks, BNN_REMARK_WARNING, "labels_missing", "labels: from %d to %d, and none is %d", least, largest, gap);
}

static void copy_rows(const pair *p, int void_label, int from, bnn_table *t) {
    const size_t width = p->images.bytes, n = (size_t)p->images.extent[0], labels = p->labels.bytes;
    memcpy(t->pixels + (size_t)from * width, p->images.v, n * width);
    for (size_t i = 0; i < n * labels; i++) {
        const int label = p->labels.v[i];
        t->y[(size_t)from * labels + i] = label == void_label ? -1 : label;
    }
}

static bnn_status name_classes(bnn_table *t) {
    const bool map = bnn_is_map(t->y_shape);
    t->y_names = map ? NULL : calloc(1, sizeof *t->y_names), t->class_names = calloc((size_t)t->n_classes, sizeof *t->class_names);
    bool done = t->class_names && (map || (t->y_names && (t->y_names[0] = strdup("label"))));
    for (int c = 0; done && c < t->n_classes; c++) done = asprintf(&t->class_names[c], "%d", c) >= 0;
    return done ? BNN_OK : bnn_oom("class names");
}

/* One split: the first pair trains, the second tests. */
static bnn_status set_split(bnn_table *t, int n_train) {
    int *order = malloc((size_t)t->n * sizeof *order);
    int8_t *role = malloc((size_t)t->n);
    bnn_status s = order && role ? BNN_OK : bnn_oom("a split");
    for (int i = 0; s == BNN_OK && i < t->n; i++) order[i] = i, role[i] = i < n_train ? BNN_TRAIN : BNN_TEST;
    if (s == BNN_OK) s = bnn_table_set_splits(t, 1, order, role, "published");
    if (s < 0) free(order), free(role);
    return s;
}

static bnn_status check_alike(const pair *train, const pair *test) {
    const bnn_shape shape = image_shape(&train->images);
    char a[BNN_SHAPE_TEXT], b[BNN_SHAPE_TEXT];
    if (!bnn_shape_equal(shape, image_shape(&test->images)))
        return bnn_fail(BNN_ERR_SHAPE, "%s: its images are %s, those of %s are %s", test->images.path,
                        bnn_shape_print(image_shape(&test->images), a), train->images.path, bnn_shape_print(shape, b));
    if (test->labels.rank != train->labels.rank)
        return bnn_fail(BNN_ERR_SHAPE, "%s: has %d dimension(s), %s has %d", test->labels.path, test->labels.rank, train->labels.path,
                        train->labels.rank);
    return test->images.extent[0] <= INT32_MAX - train->images.extent[0] ? BNN_OK
                                                                         : bnn_fail(BNN_ERR_DATA, "%s: too many images", test->images.path);
}

static bnn_status make_table(const bnn_idx_files *files, const pair *train, const pair *test, bnn_table **out) {
    const int n_train = train->images.extent[0], n_test = test->images.v ? test->images.extent[0] : 0, void_label = void_of(files);
    const bnn_shape map = {.rank = 2, .d = {train->labels.extent[1], train->labels.extent[2]}};
    size_t seen[256] = {0}, tested[256] = {0};
    const int largest = count_labels(&train->labels, void_label, seen);
    if (n_test) BNN_TRY(check_alike(train, test));
    if (n_test && count_labels(&test->labels, void_label, tested) > largest)
        return bnn_fail(BNN_ERR_DATA, "%s: has label %d, the training labels end at %d", test->labels.path,
                        count_labels(&test->labels, void_label, tested), largest);
    BNN_TRY(say_labels(seen, largest, files->remarks));
    BNN_TRY(bnn_table_new_images(n_train + n_test, image_shape(&train->images), train->labels.rank == 3 ? map : bnn_shape_vector(1),
                                 largest + 1, out));
    (*out)->scale = BNN_SCALE_RANGE, (*out)->range = 255;
    copy_rows(train, void_label, 0, *out);
    if (n_test) copy_rows(test, void_label, n_train, *out);
    BNN_TRY(name_classes(*out));
    return n_test ? set_split(*out, n_train) : BNN_OK;
}

bnn_status bnn_import_idx(const bnn_idx_files *files, const bnn_import_about *about, bnn_table **out) {
    *out = NULL;
    pair train = {0}, test = {0};
    bnn_table *t = NULL;
    bnn_status s = read_pair(files->images, files->labels, files->has_void, &train);
    if (s == BNN_OK && files->test_images) s = read_pair(files->test_images, files->test_labels, files->has_void, &test);
    if (s == BNN_OK) s = make_table(files, &train, &test, &t);
    if (s == BNN_OK) s = bnn_import_describe(t, about, files->images);
    pair_free(&train), pair_free(&test);
    if (s < 0)
        bnn_table_free(t);
    else
        *out = t;
    return s;
}
