/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "vtable.h"

#include "base/word.h"

#include <bnn/file.h>
#include <bnn/plugin.h>
#include <bnn/remark.h>

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { VERSION_DIGITS = 12 }; /* of the SHA-256, where the author gives no version */

typedef struct {
    bnn_plugin plugin;
    void *handle;
    char version[VERSION_DIGITS + 1];
} loaded;

static loaded **list; /* [n_loaded] with the registry the only global state of the library */
static int n_loaded;

static bnn_status out_of_memory(const char *path) { return bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for a plugin", path); }

const bnn_plugin *bnn_plugin_at(int i) { return i < n_loaded ? &list[i]->plugin : NULL; }

const bnn_plugin *bnn_plugin_of(const bnn_type *type) {
    const bnn_plugin *p;
    for (int i = 0; (p = bnn_plugin_at(i)); i++)
        for (int k = 0; k < p->n; k++)
            if (p->types[k].type == type) return p;
    return NULL;
}

/* ---- opening ---- */

static const double most_bytes = 1 << 30; /* of a plugin */

static const char *kind_of(mode_t mode) {
    return S_ISDIR(mode)                    ? "a folder"
           : S_ISFIFO(mode)                 ? "a named pipe"
           : S_ISSOCK(mode)                 ? "a socket"
           : S_ISCHR(mode) || S_ISBLK(mode) ? "a device"
                                            : "no file";
}

/* Says why a file cannot be a library, without a look inside, which of a pipe or a device might never end; false: it may be one. */
static bool cannot_be_library(const char *path, char *why, size_t size) {
    struct stat about;
    if (stat(path, &about) != 0)
        snprintf(why, size, "%s", strerror(errno));
    else if (!S_ISREG(about.st_mode))
        snprintf(why, size, "is %s, not a shared library", kind_of(about.st_mode));
    else if ((double)about.st_size > most_bytes)
        snprintf(why, size, "has %lld bytes, more than a plugin may have (%d)", (long long)about.st_size, (int)most_bytes);
    else if (access(path, R_OK) != 0)
        snprintf(why, size, "%s", strerror(errno));
    else
        return false;
    return true;
}

/* The linker would say so, too, but in its own words. */
static bnn_status must_be_elf(const char *path) {
    char mark[4] = "", why[128];
    if (cannot_be_library(path, why, sizeof why)) return bnn_fail(BNN_ERR_FILE, "%s: %s", path, why);
    FILE *f = fopen(path, "rb");
    if (!f) return bnn_fail(BNN_ERR_FILE, "%s: %s", path, strerror(errno));
    bool is = fread(mark, 1, sizeof mark, f) == sizeof mark && memcmp(mark, "\177ELF", sizeof mark) == 0;
    fclose(f);
    return is ? BNN_OK : bnn_fail(BNN_ERR_FORMAT, "%s: is not a shared library", path);
}

/* A name without a slash would be looked for in other folders. */
static bnn_status open_library(const char *path, void **handle) {
    char *name = NULL;
    BNN_TRY(must_be_elf(path));
    if (asprintf(&name, "%s%s", strchr(path, '/') ? "" : "./", path) < 0) return out_of_memory(path);
    *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!*handle) {
        const char *why = dlerror();
        size_t named = strlen(name);
        if (strncmp(why, name, named) == 0 && strncmp(why + named, ": ", 2) == 0) why += named + 2;
        bnn_fail(BNN_ERR_FILE, "%s: cannot be loaded: %s", path, why);
    }
    free(name);
    return *handle ? BNN_OK : BNN_ERR_FILE;
}

/* ---- what it says of itself ---- */

static const char *real_name(size_t size) { return size == sizeof(float) ? "float" : size == sizeof(double) ? "double" : "other numbers"; }

static bool is_version(const char *text) {
    if (!*text) return false;
    for (; *text; text++)
        if (*text <= ' ' || *text > '~') return false;
    return true;
}

static bnn_status check_descriptor(const bnn_plugin_descriptor *d) {
    if (d->abi != BNN_ABI)
        return bnn_fail(BNN_ERR_ABI, "has ABI %u, this library has ABI %d: build it with this library's headers", d->abi, BNN_ABI);
    if (d->real_size != sizeof(bnn_real))
        return bnn_fail(BNN_ERR_ABI, "computes in %s, this library in %s: build it with this library's headers", real_name(d->real_size),
                        real_name(sizeof(bnn_real)));
    if (d->size < sizeof *d)
        return bnn_fail(BNN_ERR_ABI, "has a descriptor of %u bytes, expected %zu: is it made by BNN_PLUGIN?", d->size, sizeof *d);
    if (d->n < 1 || !d->types) return bnn_fail(BNN_ERR_ABI, "is a plugin without a type");
    if (d->name && !bnn_is_word(d->name))
        return bnn_fail(BNN_ERR_NAME, "'%s' cannot be the name of a plugin: it takes letters, digits and _", d->name);
    if (d->version && !is_version(d->version))
        return bnn_fail(BNN_ERR_NAME, "'%s' cannot be a version: it takes printable characters without blanks", d->version);
    return BNN_OK;
}

static bnn_status get_descriptor(void *handle, const bnn_plugin_descriptor **out) {
    const bnn_plugin_descriptor *(*describe)(void);
    *(void **)&describe = dlsym(handle, "bnn_plugin_describe");
    if (!describe)
        return bnn_fail(BNN_ERR_ABI,
                        "is a shared library, but no plugin: it has no bnn_plugin_describe, which BNN_PLUGIN and its like make");
    *out = describe();
    if (!*out) return bnn_fail(BNN_ERR_ABI, "describes nothing: is its bnn_plugin_describe made by BNN_PLUGIN?");
    return check_descriptor(*out);
}

/* ---- the list ---- */

static void free_loaded(loaded *l) {
    free((char *)l->plugin.path);
    free((bnn_entry *)l->plugin.types);
    free(l);
}

/* A record with room for all that the plugin says, and room for it in the list. */
static loaded *new_loaded(const char *path, int n) {
    loaded **more = realloc(list, (size_t)(n_loaded + 1) * sizeof *more), *l = calloc(1, sizeof *l);
    if (more) list = more;
    if (l) l->plugin = (bnn_plugin){.path = strdup(path), .types = calloc((size_t)n, sizeof(bnn_entry))};
    if (more && l && l->plugin.path && l->plugin.types) return l;
    if (l) free_loaded(l);
    return NULL;
}

/* After the types were registered: what is listed are those of the registry, which may be copies. */
static void describe(loaded *l, const bnn_plugin_descriptor *d) {
    bnn_entry *types = (bnn_entry *)l->plugin.types; /* owned */
    for (int i = 0; i < d->n; i++) {
        types[i].kind = d->types[i].kind;
        (void)bnn_type_find(types[i].kind, d->types[i].type->name, &types[i].type);
    }
    memcpy(l->version, l->plugin.sha256, VERSION_DIGITS);
    l->plugin.name = d->name ? d->name : types[0].type->name;
    l->plugin.version = d->version ? d->version : l->version;
    l->plugin.n = d->n;
}

static bnn_status add(const char *path, void *handle, bool in_place, loaded **out) {
    const bnn_plugin_descriptor *d = NULL;
    bnn_status s = get_descriptor(handle, &d);
    if (s < 0) return bnn_note(s, "%s", path);
    loaded *l = new_loaded(path, d->n);
    if (!l) return out_of_memory(path);
    s = bnn_file_sha256(path, l->plugin.sha256);
    if (s == BNN_OK && (s = bnn_types_add_from(l->plugin.path, in_place, d->n, d->types)) < 0) bnn_note(s, "%s", path);
    if (s < 0) {
        free_loaded(l);
        return s;
    }
    l->handle = handle;
    describe(l, d);
    *out = list[n_loaded++] = l;
    return BNN_OK;
}

static loaded *find_loaded(const void *handle) {
    for (int i = 0; i < n_loaded; i++)
        if (list[i]->handle == handle) return list[i];
    return NULL;
}

static bnn_status load(const char *path, bool in_place, const bnn_plugin **out) {
    void *handle = NULL;
    bnn_status s = BNN_OK;
    BNN_TRY(open_library(path, &handle));
    loaded *l = find_loaded(handle);
    bool was_there = l != NULL;
    if (!was_there) s = add(path, handle, in_place, &l);
    if (was_there || s < 0) dlclose(handle); /* it is counted how often a library was opened */
    if (s == BNN_OK && out) *out = &l->plugin;
    return s;
}

bnn_status bnn_plugin_load(const char *path, const bnn_plugin **out) { return load(path, false, out); }
bnn_status bnn_plugin_load_in_place(const char *path, const bnn_plugin **out) { return load(path, true, out); }

/* ---- folders and lists ---- */

static int is_library(const struct dirent *entry) { return strcmp(bnn_ending(entry->d_name), ".so") == 0; }

/* Sorts by bytes, whatever the locale. */
static int by_name(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

/* Who is called with each file, and who is told of those that are passed over. */
typedef struct {
    bnn_status (*file)(void *context, const char *path);
    void *context;
    bnn_remarks *remarks;
} walk;

static bnn_status visit(const walk *w, const char *path) {
    char why[128];
    if (!cannot_be_library(path, why, sizeof why)) return w->file(w->context, path);
    return bnn_remarks_add(w->remarks, BNN_REMARK_WARNING, "passed_over", "%s: is passed over: %s", path, why);
}

static bnn_status visit_in(const walk *w, const char *folder, const char *name) {
    char *path = NULL;
    if (asprintf(&path, "%s/%s", folder, name) < 0) return out_of_memory(folder);
    bnn_status s = visit(w, path);
    free(path);
    return s;
}

static bnn_status visit_folder(const walk *w, const char *folder) {
    struct dirent **entry;
    bnn_status s = BNN_OK;
    int n = scandir(folder, &entry, is_library, by_name);
    if (n < 0) return bnn_fail(BNN_ERR_FILE, "%s: %s", folder, strerror(errno));
    for (int i = 0; i < n; i++) {
        if (s == BNN_OK) s = visit_in(w, folder, entry[i]->d_name);
        free(entry[i]);
    }
    free(entry);
    return s;
}

bnn_status bnn_plugin_files(const char *paths, bnn_status (*file)(void *context, const char *path), void *context, bnn_remarks *remarks) {
    const walk w = {file, context, remarks};
    char *copy = strdup(paths), *rest = copy;
    if (!copy) return bnn_oom("a list of plugins");
    bnn_status s = BNN_OK;
    for (char *item; s == BNN_OK && (item = strsep(&rest, ":"));) {
        struct stat about;
        if (!*item) continue;
        if (stat(item, &about) != 0)
            s = bnn_fail(BNN_ERR_FILE, "%s: %s", item, strerror(errno));
        else
            s = S_ISDIR(about.st_mode) ? visit_folder(&w, item) : visit(&w, item);
    }
    free(copy);
    return s;
}

static bnn_status load_one(void *context, const char *path) {
    (void)context;
    return bnn_plugin_load(path, NULL);
}

bnn_status bnn_plugin_load_path(const char *paths, bnn_remarks *remarks) { return bnn_plugin_files(paths, load_one, NULL, remarks); }
