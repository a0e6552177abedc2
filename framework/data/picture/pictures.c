/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gallery.h"
#include "data/import.h"
#include "picture.h"
#include "data/sheet.h"

#include "base/sized.h"
#include <bnn/file.h>
#include <bnn/remark.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LABELS = 128 }; /* classes of a map, as files keep them */

/* Pictures on their way into a table. */
typedef struct {
    const bnn_picture_folders *how;
    bnn_gallery gallery;
    bnn_picture *head; /* [gallery.n] */
    bnn_picture_frame frame;
    bnn_table *table;
} work;

/* Pictures are all in folders of classes, or none is. */
static bool has_classes(const work *w) { return w->gallery.picture[0].class >= 0; }
static bool has_maps(const work *w) { return w->gallery.picture[0].map != NULL; }

/* ---- what pictures are like ---- */

static bnn_status look(void *context, int i) {
    const work *w = context;
    return bnn_picture_read(w->gallery.picture[i].path, BNN_PICTURE_HEAD, &w->head[i]);
}

/* The first picture of another size than the first; -1: they are of one. */
static int find_unlike(const work *w) {
    for (int i = 1; i < w->gallery.n; i++)
        if (w->head[i].width != w->head[0].width || w->head[i].height != w->head[0].height) return i;
    return -1;
}

static int count_grey(const work *w) {
    int n = 0;
    for (int i = 0; i < w->gallery.n; i++) n += w->head[i].channels == 1;
    return n;
}

/* The size and the colours that all are brought to. */
static bnn_status choose_frame(work *w) {
    const bnn_picture_folders *how = w->how;
    const int unlike = find_unlike(w);
    if (unlike >= 0 && how->width == 0)
        return bnn_fail(BNN_ERR_SHAPE,
                        "%s: is %dx%d, and %s is %dx%d: a size to bring all to has to be said (bnn import images --size %dx%d)",
                        w->gallery.picture[unlike].path, w->head[unlike].width, w->head[unlike].height, w->gallery.picture[0].path,
                        w->head[0].width, w->head[0].height, w->head[0].width, w->head[0].height);
    bnn_picture_frame f = {.width = how->width ? how->width : w->head[0].width, .height = how->height ? how->height : w->head[0].height};
    f.frame_width = how->frame_width ? how->frame_width : f.width, f.frame_height = how->frame_height ? how->frame_height : f.height;
    f.channels = how->channels ? how->channels : count_grey(w) == w->gallery.n ? 1 : 3;
    if (f.frame_width < f.width || f.frame_height < f.height)
        return bnn_fail(BNN_ERR_SHAPE, "pictures of %dx%d do not fit into a frame of %dx%d", f.width, f.height, f.frame_width,
                        f.frame_height);
    if ((double)f.frame_width * f.frame_height * f.channels > INT32_MAX)
        return bnn_fail(BNN_ERR_SHAPE, "pictures of %dx%d are too large", f.frame_width, f.frame_height);
    w->frame = f;
    return BNN_OK;
}

/* ---- reading ---- */

static bnn_status take_map(const work *w, int i, const bnn_picture *picture) {
    const char *path = w->gallery.picture[i].map;
    const int void_label = w->how->has_void ? w->how->void_label : -1;
    bnn_picture labels;
    BNN_TRY(bnn_picture_read(path, BNN_PICTURE_LABELS, &labels));
    bnn_status s = BNN_OK;
    if (labels.width != picture->width || labels.height != picture->height)
        s = bnn_fail(BNN_ERR_SHAPE, "%s: is %dx%d, and the picture that it labels, %s, is %dx%d", path, labels.width, labels.height,
                     w->gallery.picture[i].path, picture->width, picture->height);
    for (size_t k = 0; s == BNN_OK && k < (size_t)labels.width * (size_t)labels.height; k++)
        if (labels.v[k] >= MOST_LABELS && labels.v[k] != void_label)
            s = bnn_fail(BNN_ERR_DATA, "%s: has label %d, and classes are 0 to %d: if it stands for pixels that nobody knows, --void %d",
                         path, labels.v[k], MOST_LABELS - 1, labels.v[k]);
    if (s == BNN_OK) bnn_picture_fit_labels(&labels, &w->frame, void_label, w->table->y + (size_t)i * (size_t)w->table->y_dim);
    free(labels.v);
    return s;
}

static bnn_status take(void *context, int i) {
    const work *w = context;
    const bnn_exhibit *one = &w->gallery.picture[i];
    bnn_table *t = w->table;
    bnn_picture picture;
    BNN_TRY(bnn_picture_read(one->path, BNN_PICTURE_PIXELS, &picture));
    bnn_status s = bnn_picture_fit(&picture, &w->frame, t->pixels + (size_t)i * (size_t)bnn_shape_size(t->x_shape));
    if (s < 0) bnn_note(s, "%s", one->path);
    if (s == BNN_OK && one->map) s = take_map(w, i, &picture);
    if (one->class >= 0) t->y[i] = one->class;
    free(picture.v);
    return s;
}

/* ---- names ---- */

static bnn_status copy_ids(const bnn_gallery *g, bnn_table *t) {
    t->n_ids = 1, t->id_names = calloc(1, sizeof *t->id_names), t->ids = calloc((size_t)g->n, sizeof *t->ids);
    bool done = t->id_names && t->ids && (t->id_names[0] = strdup("path"));
    for (int i = 0; done && i < g->n; i++) done = (t->ids[i] = strdup(g->picture[i].id));
    return done ? BNN_OK : bnn_oom("the names of pictures");
}

/* The classes of folders move into the table. */
static bnn_status name_classes(bnn_gallery *g, bnn_table *t) {
    t->y_names = calloc(1, sizeof *t->y_names);
    if (!t->y_names || !(t->y_names[0] = strdup("class"))) return bnn_oom("the names of classes");
    t->class_names = g->class_names, g->class_names = NULL, g->n_classes = 0;
    return BNN_OK;
}

/* Names that are given, "sky,road", one for each label and maybe more. */
static bnn_status read_names(const char *text, int labels, bnn_table *t) {
    int n = 1;
    for (const char *p = text; *p; p++) n += *p == ',';
    if (n < labels) return bnn_fail(BNN_ERR_OPTION, "there are labels 0 to %d, and names of %d classes", labels - 1, n);
    if (n > MOST_LABELS) return bnn_fail(BNN_ERR_OPTION, "there are names of %d classes, and %d at most", n, MOST_LABELS);
    t->class_names = calloc((size_t)n, sizeof *t->class_names), t->n_classes = n;
    for (int c = 0; t->class_names && c < n; c++, text += strcspn(text, ",") + 1)
        if (!(t->class_names[c] = strndup(text, strcspn(text, ",")))) return bnn_oom("the names of classes");
    return t->class_names ? BNN_OK : bnn_oom("the names of classes");
}

/* Classes of pixels: as many as labels, from 0 to the largest one. */
static bnn_status count_labels(const work *w) {
    bnn_table *t = w->table;
    size_t cells = (size_t)t->n * (size_t)t->y_dim, known = 0, seen[MOST_LABELS] = {0};
    int labels = 0, unseen = -1;
    for (size_t i = 0; i < cells; i++) {
        if (t->y[i] < 0) continue;
        known++, seen[(int)t->y[i]]++;
        if (t->y[i] >= labels) labels = (int)t->y[i] + 1;
    }
    if (known == 0) return bnn_fail(BNN_ERR_DATA, "%s: all pixels are void", w->how->annotations);
    for (int c = labels - 1; c >= 0; c--)
        if (seen[c] == 0) unseen = c;
    t->n_classes = labels;
    char text[16];
    if (w->how->class_names) {
        BNN_TRY(read_names(w->how->class_names, labels, t));
    } else {
        t->class_names = calloc((size_t)labels, sizeof *t->class_names);
        for (int c = 0; t->class_names && c < labels; c++) snprintf(text, sizeof text, "%d", c), t->class_names[c] = strdup(text);
        if (!t->class_names || !t->class_names[labels - 1]) return bnn_oom("the names of classes");
    }
    if (unseen < 0) return BNN_OK;
    return bnn_remarks_add(w->how->remarks, BNN_REMARK_WARNING, "labels_missing",
                           "labels: from 0 to %d, and no pixel has %d: it is a class that nothing can be learned of", labels - 1, unseen);
}

/* ---- what is said ---- */

/* A picture that grows more one way than the other, by more than a pixel. */
static int find_bent(const work *w) {
    const bnn_picture_frame *f = &w->frame;
    for (int i = 0; i < w->gallery.n; i++) {
        const double across = (double)f->width / w->head[i].width, down = (double)f->height / w->head[i].height;
        if (fabs(across - down) * fmax(w->head[i].width, w->head[i].height) > 1) return i;
    }
    return -1;
}

static bnn_status say_sizes(const work *w) {
    int least = 0, most = 0;
    const int bent = find_bent(w);
    if (bent >= 0)
        BNN_TRY(bnn_remarks_add(w->how->remarks, BNN_REMARK_WARNING, "picture_bent",
                                "sizes: %s is %dx%d and becomes %dx%d, which changes its shape", w->gallery.picture[bent].path,
                                w->head[bent].width, w->head[bent].height, w->frame.width, w->frame.height));
    if (find_unlike(w) < 0) return BNN_OK;
    for (int i = 1; i < w->gallery.n; i++) {
        const bnn_picture *h = &w->head[i];
        if ((double)h->width * h->height < (double)w->head[least].width * w->head[least].height) least = i;
        if ((double)h->width * h->height > (double)w->head[most].width * w->head[most].height) most = i;
    }
    return bnn_remarks_add(w->how->remarks, BNN_REMARK_NOTE, "picture_sizes", "sizes: from %dx%d to %dx%d, all brought to %dx%d",
                           w->head[least].width, w->head[least].height, w->head[most].width, w->head[most].height, w->frame.width,
                           w->frame.height);
}

static bnn_status say_heads(const work *w) {
    int deep = 0, turned = 0, a_turned = 0;
    const int grey = count_grey(w);
    for (int i = 0; i < w->gallery.n; i++) {
        deep += w->head[i].deep;
        if (w->head[i].orientation != 1 && turned++ == 0) a_turned = i;
    }
    if (w->frame.channels == 3 && grey > 0)
        BNN_TRY(bnn_remarks_add(w->how->remarks, BNN_REMARK_NOTE, "pictures_grey",
                                "colours: pictures in grey, with the same in each channel: %d of %d", grey, w->gallery.n));
    if (deep > 0)
        BNN_TRY(bnn_remarks_add(w->how->remarks, BNN_REMARK_NOTE, "pictures_rounded",
                                "depth: pictures of 16 bits a number, rounded to 8: %d", deep));
    if (turned > 0)
        BNN_TRY(bnn_remarks_add(w->how->remarks, has_maps(w) ? BNN_REMARK_WARNING : BNN_REMARK_NOTE, "pictures_turned",
                                "orientation: pictures turned as they say (EXIF), such as %s: %d%s",
                                w->gallery.picture[a_turned].path, turned,
                                has_maps(w) ? "; their labels are taken for those of what is turned" : ""));
    return BNN_OK;
}

static bnn_status say_files(const work *w) {
    const bnn_gallery *g = &w->gallery;
    if (g->skipped > 0)
        BNN_TRY(bnn_remarks_add(w->how->remarks, BNN_REMARK_NOTE, "files_skipped",
                                "files: left out, since they are not called like pictures, such as %s: %d", g->a_skipped, g->skipped));
    if (g->spare > 0)
        BNN_TRY(bnn_remarks_add(w->how->remarks, BNN_REMARK_WARNING, "maps_without_picture",
                                "annotations: %d are of no picture, such as %s", g->spare, g->a_spare));
    if (!has_classes(w) && !has_maps(w) && !g->known)
        BNN_TRY(
            bnn_remarks_add(w->how->remarks, BNN_REMARK_NOTE, "no_classes", "classes: none, as pictures do not lie in folders of classes"));
    return BNN_OK;
}

/* Says whether a folder is called as parts of a set are. */
static bool is_part(const char *name) {
    static const char *const parts[] = {"train", "training", "val", "valid", "validation", "dev", "test"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (bnn_letters_compare(name, parts[i]) == 0) return true;
    return false;
}

/* Classes of folders, of which one may be empty. */
static bnn_status say_classes(const work *w) {
    const bnn_gallery *g = &w->gallery;
    for (int c = 0; !g->known && c < g->n_classes; c++) {
        if (is_part(g->class_names[c]))
            BNN_TRY(bnn_remarks_add(w->how->remarks, BNN_REMARK_WARNING, "class_is_part",
                                    "class '%s': is called like a part of a set: name that folder, and others by --validation and --test",
                                    g->class_names[c]));
        int n = 0;
        for (int i = 0; i < g->n; i++) n += g->picture[i].class == c && g->picture[i].role == BNN_TRAIN;
        if (n == 0)
            BNN_TRY(bnn_remarks_add(w->how->remarks, BNN_REMARK_WARNING, "class_empty", "class %s: has no pictures", g->class_names[c]));
    }
    return BNN_OK;
}

/* ---- the table ---- */

static bnn_status set_roles(const bnn_gallery *g, bnn_table *t) {
    int *order = malloc((size_t)g->n * sizeof *order);
    int8_t *role = malloc((size_t)g->n);
    bnn_status s = order && role ? BNN_OK : bnn_oom("a split");
    for (int i = 0; s == BNN_OK && i < g->n; i++) order[i] = i, role[i] = (int8_t)g->picture[i].role;
    if (s == BNN_OK) s = bnn_table_set_splits(t, 1, order, role, "published");
    if (s < 0) free(order), free(role);
    return s;
}

static bnn_status hash(const bnn_gallery *g, bnn_table *t) {
    const char **path = malloc(2 * (size_t)g->n * sizeof *path), **id = path + g->n;
    if (!path) return bnn_oom("the names of pictures");
    for (int i = 0; i < g->n; i++) path[i] = g->picture[i].path, id[i] = g->picture[i].id;
    bnn_status s = bnn_files_sha256(g->n, path, id, t->raw_sha256);
    free(path);
    return s;
}

static bnn_status make_table(work *w) {
    bnn_gallery *g = &w->gallery;
    const bnn_picture_frame *f = &w->frame;
    const bool maps = has_maps(w);
    const bnn_shape shape = {.rank = 3, .d = {f->channels, f->frame_height, f->frame_width}};
    const bnn_shape map = {.rank = 2, .d = {f->frame_height, f->frame_width}};
    BNN_TRY(bnn_table_new_images(g->n, shape, maps ? map : bnn_shape_vector(has_classes(w)),
                                 maps             ? 1
                                 : has_classes(w) ? g->n_classes
                                                  : 0,
                                 &w->table));
    bnn_table *t = w->table;
    t->scale = w->how->range ? BNN_SCALE_RANGE : BNN_SCALE_CHANNEL, t->range = w->how->range ? 255 : 1;
    BNN_TRY(bnn_jobs_run(g->n, take, w));
    BNN_TRY(copy_ids(g, t));
    BNN_TRY(say_sizes(w));
    BNN_TRY(say_heads(w));
    BNN_TRY(say_files(w));
    BNN_TRY(say_classes(w));
    if (maps) BNN_TRY(count_labels(w));
    if (has_classes(w)) BNN_TRY(name_classes(g, t));
    if (w->how->validation || w->how->test) BNN_TRY(set_roles(g, t));
    return hash(g, t);
}

static bnn_status run(work *w, const bnn_import_about *about) {
    BNN_TRY(bnn_gallery_open(w->how, &w->gallery));
    w->head = calloc((size_t)w->gallery.n, sizeof *w->head);
    if (!w->head) return bnn_oom("the heads of pictures");
    BNN_TRY(bnn_jobs_run(w->gallery.n, look, w));
    BNN_TRY(choose_frame(w));
    BNN_TRY(make_table(w));
    return bnn_import_name(w->table, about, w->how->folder);
}

bnn_status bnn_import_pictures(const bnn_picture_folders *folders, const bnn_import_about *about, bnn_table **out) {
    bnn_picture_folders how;
    *out = NULL;
    BNN_TRY(bnn_sized_read("bnn_picture_folders", &how, sizeof how, BNN_UP_TO(bnn_picture_folders, remarks), folders));
    work w = {.how = &how};
    bnn_status s = run(&w, about);
    bnn_gallery_close(&w.gallery);
    free(w.head);
    if (s < 0)
        bnn_table_free(w.table);
    else
        *out = w.table;
    return s;
}
