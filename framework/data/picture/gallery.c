/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gallery.h"
#include "data/sheet.h"

#include "base/word.h"
#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A folder and its entries, sorted by bytes. */
typedef struct {
    const char *folder;
    int n;
    char **name;
} listing;

static int is_shown(const struct dirent *entry) { return entry->d_name[0] != '.'; }

static int by_bytes(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

static bnn_status list(const char *folder, listing *out) {
    struct dirent **entry;
    *out = (listing){.folder = folder};
    int n = scandir(folder, &entry, is_shown, by_bytes);
    if (n < 0) return bnn_fail(errno == ENOMEM ? BNN_ERR_MEMORY : BNN_ERR_FILE, "%s: %s", folder, strerror(errno));
    bool done = (out->name = calloc((size_t)n + 1, sizeof *out->name));
    for (int i = 0; i < n; i++) {
        if (done) done = (out->name[out->n++] = strdup(entry[i]->d_name));
        free(entry[i]);
    }
    free(entry);
    return done ? BNN_OK : bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for the names in it", folder);
}

static void forget(listing *l) { bnn_texts_free(l->name, l->n); }

static char *join(const char *folder, const char *name) {
    char *path;
    size_t length = strlen(folder);
    return asprintf(&path, "%s%s%s", folder, length > 0 && folder[length - 1] == '/' ? "" : "/", name) < 0 ? NULL : path;
}

static bool is_folder(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

/* Says whether a name ends like those of pictures, also of kinds that are not read: those are refused where they are opened. */
static bool is_called_picture(const char *name) {
    static const char *const ends[] = {"png",  "jpg",  "jpeg", "jpe",  "gif", "bmp", "tif",
                                       "tiff", "webp", "heic", "avif", "jp2", "ppm", "pgm"};
    const char *ending = bnn_ending(name);
    for (size_t i = 0; *ending && i < sizeof ends / sizeof *ends; i++)
        if (bnn_letters_compare(ending + 1, ends[i]) == 0) return true;
    return false;
}

/* The length of a name without its ending. */
static size_t stem(const char *name) { return (size_t)(bnn_ending(name) - name); }

static bnn_status skip(bnn_gallery *g, const char *folder, const char *name) {
    g->skipped++;
    if (!g->a_skipped) g->a_skipped = join(folder, name);
    return g->a_skipped ? BNN_OK : bnn_oom("the names of pictures");
}

/* Takes the exhibit's texts. */
static bnn_status add(bnn_gallery *g, bnn_exhibit one) {
    if (g->n == g->room) {
        int room = g->room ? 2 * g->room : 256;
        bnn_exhibit *more = realloc(g->picture, (size_t)room * sizeof *more);
        if (!more) {
            free(one.path), free(one.id), free(one.map);
            return bnn_oom("the names of pictures");
        }
        g->picture = more, g->room = room;
    }
    g->picture[g->n++] = one;
    return BNN_OK;
}

/* ---- maps of labels ---- */

/* The maps in a folder, in the order of their names without endings. */
typedef struct {
    listing in;
    bool *used; /* [in.n] */
} maps;

static int by_stem(const void *a, const void *b) {
    const char *one = *(char *const *)a, *other = *(char *const *)b;
    size_t n = stem(one), m = stem(other);
    int order = strncmp(one, other, n < m ? n : m);
    return order != 0 ? order : (n > m) - (n < m);
}

static bnn_status open_maps(const char *folder, maps *out) {
    listing l;
    *out = (maps){.in = {.folder = folder}};
    bnn_status s = list(folder, &l);
    out->in.name = calloc((size_t)l.n + 1, sizeof *out->in.name), out->used = calloc((size_t)l.n + 1, sizeof *out->used);
    if (s == BNN_OK && (!out->in.name || !out->used)) s = bnn_oom("the names of maps");
    for (int i = 0; s == BNN_OK && i < l.n; i++)
        if (is_called_picture(l.name[i])) out->in.name[out->in.n++] = l.name[i], l.name[i] = NULL;
    forget(&l);
    if (s == BNN_OK) qsort(out->in.name, (size_t)out->in.n, sizeof *out->in.name, by_stem);
    for (int i = 0; s == BNN_OK && i + 1 < out->in.n; i++)
        if (by_stem(&out->in.name[i], &out->in.name[i + 1]) == 0)
            s = bnn_fail(BNN_ERR_DATA, "%s: holds %s and %s: maps of labels are found by their names without endings", folder,
                         out->in.name[i], out->in.name[i + 1]);
    return s;
}

static void close_maps(maps *m) { forget(&m->in), free(m->used); }

/* The path of the map that is called like a picture. */
static bnn_status find_map(maps *m, const char *path, const char *name, char **out) {
    char **found = bsearch(&name, m->in.name, (size_t)m->in.n, sizeof *m->in.name, by_stem);
    if (!found) return bnn_fail(BNN_ERR_DATA, "%s: has no map of labels called %.*s.png in %s", path, (int)stem(name), name, m->in.folder);
    bool *used = &m->used[found - m->in.name];
    if (*used)
        return bnn_fail(BNN_ERR_DATA, "%s: another picture beside it is called so, with another ending: whose labels is %s?", path, *found);
    *used = true;
    *out = join(m->in.folder, *found);
    return *out ? BNN_OK : bnn_oom("the names of maps");
}

static bnn_status count_spare(bnn_gallery *g, const maps *m) {
    for (int i = 0; i < m->in.n; i++) {
        if (m->used[i]) continue;
        g->spare++;
        if (!g->a_spare && !(g->a_spare = join(m->in.folder, m->in.name[i]))) return bnn_oom("the names of maps");
    }
    return BNN_OK;
}

/* ---- folders ---- */

/* One folder that was named, and what stands before the ids of its pictures. */
typedef struct {
    const char *folder, *annotations;
    char *before; /* "" where there is one folder alone */
    bnn_split_role role;
} source;

static bnn_status add_picture(bnn_gallery *g, const source *from, const char *folder, const char *name, int class, maps *m) {
    const char *class_name = class < 0 ? "" : g->class_names[class];
    bnn_exhibit one = {.path = join(folder, name), .class = class, .role = from->role};
    bnn_status s = one.path && asprintf(&one.id, "%s%s%s%s", from->before, class_name, class < 0 ? "" : "/", name) >= 0
                       ? BNN_OK
                       : bnn_oom("the names of pictures");
    if (s == BNN_OK && m) s = find_map(m, one.path, name, &one.map);
    if (s == BNN_OK) return add(g, one);
    free(one.path), free(one.id), free(one.map);
    return s;
}

/* The pictures that lie in a folder; class -1: of none. */
static bnn_status add_pictures(bnn_gallery *g, const source *from, const listing *l, int class, maps *m) {
    const int before = g->n;
    for (int i = 0; i < l->n; i++) {
        char *path = join(l->folder, l->name[i]);
        bool folder = path && is_folder(path);
        bnn_status s = !path ? bnn_oom("the names of pictures") : BNN_OK;
        if (folder && class >= 0)
            s = bnn_fail(BNN_ERR_DATA,
                         "%s: is a folder in the folder of a class, '%s': name the folder whose folders hold the pictures, and others by "
                         "--validation and --test",
                         path, g->class_names[class]);
        else if (folder)
            s = bnn_fail(BNN_ERR_DATA, "%s: is a folder among pictures", path);
        else if (s == BNN_OK)
            s = is_called_picture(l->name[i]) ? add_picture(g, from, l->folder, l->name[i], class, m) : skip(g, l->folder, l->name[i]);
        free(path);
        BNN_TRY(s);
    }
    if (g->n > before || class >= 0) return BNN_OK;
    return bnn_fail(BNN_ERR_DATA, "%s: holds no PNG or JPEG, and no data.txt as folders of the UCI layout do", l->folder);
}

static bnn_status add_annotated(bnn_gallery *g, const source *from, const listing *l) {
    maps m;
    bnn_status s = open_maps(from->annotations, &m);
    if (s == BNN_OK) s = add_pictures(g, from, l, -1, &m);
    if (s == BNN_OK) s = count_spare(g, &m);
    close_maps(&m);
    return s;
}

/* The class that a folder is called by: those of the first folder are all that there are. */
static bnn_status find_class(bnn_gallery *g, const source *from, const char *name, const char *path, int *class) {
    for (*class = 0; *class < g->n_classes; ++*class)
        if (strcmp(g->class_names[*class], name) == 0) return BNN_OK;
    if (g->known) return bnn_fail(BNN_ERR_DATA, "%s: is of a class that the fit does not know", path);
    if (from->role != BNN_TRAIN) return bnn_fail(BNN_ERR_DATA, "%s: is of a class that the first folder does not have", path);
    char **more = realloc(g->class_names, (size_t)(g->n_classes + 1) * sizeof *more);
    if (more) g->class_names = more;
    if (!more || !(more[g->n_classes] = strdup(name))) return bnn_oom("the names of classes");
    g->n_classes++;
    return BNN_OK;
}

static bnn_status add_class(bnn_gallery *g, const source *from, const char *name, const char *path) {
    listing l;
    int class;
    BNN_TRY(find_class(g, from, name, path, &class));
    bnn_status s = list(path, &l);
    if (s == BNN_OK) s = add_pictures(g, from, &l, class, NULL);
    forget(&l);
    return s;
}

static bnn_status add_classes(bnn_gallery *g, const source *from, const listing *l) {
    for (int i = 0; i < l->n; i++) {
        char *path = join(l->folder, l->name[i]);
        bnn_status s = !path                           ? bnn_oom("the names of pictures")
                       : is_folder(path)               ? add_class(g, from, l->name[i], path)
                       : is_called_picture(l->name[i]) ? bnn_fail(BNN_ERR_DATA, "%s: is a picture beside the folders of classes", path)
                                                       : skip(g, l->folder, l->name[i]);
        free(path);
        BNN_TRY(s);
    }
    return BNN_OK;
}

static bool has_folders(const listing *l) {
    bool has = false;
    for (int i = 0; !has && i < l->n; i++) {
        char *path = join(l->folder, l->name[i]);
        has = path && is_folder(path);
        free(path);
    }
    return has;
}

/* A file in the place of a folder: one picture to predict. */
static bnn_status add_alone(bnn_gallery *g, const source *from) {
    const char *slash = strrchr(from->folder, '/');
    bnn_exhibit one = {.path = strdup(from->folder), .id = strdup(slash ? slash + 1 : from->folder), .class = -1, .role = from->role};
    if (one.path && one.id) return add(g, one);
    free(one.path), free(one.id);
    return bnn_oom("the names of pictures");
}

static bnn_status add_source(bnn_gallery *g, const source *from) {
    listing l;
    if (from->role == BNN_TRAIN && !from->annotations && bnn_import_is_picture(from->folder)) return add_alone(g, from);
    bnn_status s = list(from->folder, &l);
    bool classes = s == BNN_OK && !from->annotations && has_folders(&l);
    if (s == BNN_OK && from->role != BNN_TRAIN && !from->annotations && (classes ? g->n_classes == 0 : true))
        s = bnn_fail(BNN_ERR_DATA, "%s: holds %s, and the first folder does not: name folders that are alike", from->folder,
                     classes ? "folders of classes" : "no folders of classes");
    if (s == BNN_OK)
        s = from->annotations ? add_annotated(g, from, &l) : classes ? add_classes(g, from, &l) : add_pictures(g, from, &l, -1, NULL);
    forget(&l);
    return s;
}

/* "train/" of /data/camvid/train/. */
static char *last_name(const char *folder) {
    char *copy = strdup(folder), *name = copy ? basename(copy) : NULL, *out = NULL;
    if (name && asprintf(&out, "%s/", name) < 0) out = NULL;
    free(copy);
    return out;
}

static int by_id(const void *a, const void *b) {
    const bnn_exhibit *one = a, *other = b;
    return one->role != other->role ? (int)one->role - (int)other->role : strcmp(one->id, other->id);
}

static bnn_status take_classes(const bnn_picture_folders *f, bnn_gallery *g) {
    if (f->n_classes == 0 || !f->classes) return BNN_OK;
    g->class_names = calloc((size_t)f->n_classes, sizeof *g->class_names);
    for (; g->class_names && g->n_classes < f->n_classes; g->n_classes++)
        if (!(g->class_names[g->n_classes] = strdup(f->classes[g->n_classes]))) break;
    g->known = true;
    return g->n_classes == f->n_classes ? BNN_OK : bnn_oom("the names of classes");
}

bnn_status bnn_gallery_open(const bnn_picture_folders *f, bnn_gallery *out) {
    *out = (bnn_gallery){.n = 0};
    BNN_TRY(take_classes(f, out));
    source from[] = {{f->folder, f->annotations, NULL, BNN_TRAIN},
                     {f->validation, f->validation_annotations, NULL, BNN_VALIDATION},
                     {f->test, f->test_annotations, NULL, BNN_TEST}};
    const bool several = f->validation || f->test;
    for (int k = 0; k < 3; k++) {
        if (!from[k].folder && from[k].annotations)
            return bnn_fail(BNN_ERR_OPTION, "%s: are annotations of no pictures", from[k].annotations);
        if (from[k].folder && !from[k].annotations != !f->annotations)
            return bnn_fail(BNN_ERR_OPTION, "%s: all folders have annotations, or none", from[k].folder);
    }
    for (int k = 0; k < 3; k++) {
        if (!from[k].folder) continue;
        from[k].before = several ? last_name(from[k].folder) : strdup("");
        bnn_status s = from[k].before ? add_source(out, &from[k]) : bnn_oom("the names of pictures");
        free(from[k].before);
        BNN_TRY(s);
    }
    if (out->n == 0) return bnn_fail(BNN_ERR_DATA, "%s: its folders hold no PNG or JPEG", f->folder);
    qsort(out->picture, (size_t)out->n, sizeof *out->picture, by_id);
    return BNN_OK;
}

void bnn_gallery_close(bnn_gallery *g) {
    for (int i = 0; i < g->n; i++) free(g->picture[i].path), free(g->picture[i].id), free(g->picture[i].map);
    bnn_texts_free(g->class_names, g->n_classes);
    free(g->picture), free(g->a_skipped), free(g->a_spare);
    *g = (bnn_gallery){.n = 0};
}
