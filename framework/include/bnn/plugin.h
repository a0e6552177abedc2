/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * plugin.h: types from shared libraries that are loaded at run time, of all five kinds (docs/plugins.md).
 *
 * The author's side is one line at the end of the source; every contract header (layer.h, engine.h, ...) brings it:
 *
 *   BNN_LAYER_PLUGIN(bnn_layer_swish)
 *
 * In the tree of bnn, where the type is in the library's own list, that line is empty: the same source is both.
 */
#ifndef BNN_PLUGIN_H
#define BNN_PLUGIN_H

#include <bnn/bnn.h>
#include <bnn/registry.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- for authors ---- */

/* Descriptor of a plugin. */
typedef struct {
    uint32_t abi;           /* BNN_ABI; the first three fields are the same in every ABI */
    uint32_t real_size;     /* sizeof(bnn_real) */
    uint32_t size;          /* of this struct: fields are appended only */
    int n;                  /* number of types */
    const bnn_entry *types; /* [n] */
    const char *name;       /* a word; NULL: that of the first type */
    const char *version;    /* printable, without blanks; NULL: see BNN_PLUGIN_VERSION */
} bnn_plugin_descriptor;

/* Names what the plugin computes: #define it before the headers, or give -DBNN_PLUGIN_VERSION='"1.2"', and change it whenever results
 * change. A run is only loaded with the version that it was made with. Without it, the version is the beginning of the file's SHA-256. */
#ifndef BNN_PLUGIN_VERSION
#define BNN_PLUGIN_VERSION NULL
#endif

/* For the list of BNN_PLUGIN, a vtable of this kind; one of another kind does not compile: */
#define BNN_LAYER_ENTRY(vtable) BNN_ENTRY(BNN_LAYER, bnn_layer_type, vtable)
#define BNN_ENGINE_ENTRY(vtable) BNN_ENTRY(BNN_ENGINE, bnn_engine_type, vtable)
#define BNN_LIKELIHOOD_ENTRY(vtable) BNN_ENTRY(BNN_LIKELIHOOD, bnn_likelihood_type, vtable)
#define BNN_PRIOR_ENTRY(vtable) BNN_ENTRY(BNN_PRIOR, bnn_prior_type, vtable)
#define BNN_OPTIMIZER_ENTRY(vtable) BNN_ENTRY(BNN_OPTIMIZER, bnn_optimizer_type, vtable)

/* A vtable of any kind as a bnn_entry. */
#define BNN_ENTRY(kind, vtable_type, vtable) \
    { kind, &_Generic(&(vtable), vtable_type * : (vtable), const vtable_type * : (vtable)).type }

/* A plugin of several types, of any kinds:
 *   BNN_PLUGIN("zoo", BNN_LAYER_ENTRY(bnn_layer_swish), BNN_PRIOR_ENTRY(bnn_prior_horseshoe))
 * Its one symbol for the framework is a function that returns the descriptor. */
#ifdef BNN_BUILT_IN
#define BNN_PLUGIN(name_, ...)
#else
#define BNN_PLUGIN(name_, ...)                                                                     \
    __attribute__((visibility("default"))) const bnn_plugin_descriptor *bnn_plugin_describe(void); \
    const bnn_plugin_descriptor *bnn_plugin_describe(void) {                                       \
        static const bnn_entry types[] = {__VA_ARGS__};                                            \
        static const bnn_plugin_descriptor descriptor = {.abi = BNN_ABI,                           \
                                                         .real_size = sizeof(bnn_real),            \
                                                         .size = sizeof descriptor,                \
                                                         .n = sizeof types / sizeof *types,        \
                                                         .types = types,                           \
                                                         .name = name_,                            \
                                                         .version = BNN_PLUGIN_VERSION};           \
        return &descriptor;                                                                        \
    }
#endif

/* A plugin of one type of this kind: */
#define BNN_LAYER_PLUGIN(vtable) BNN_PLUGIN(NULL, BNN_LAYER_ENTRY(vtable))
#define BNN_ENGINE_PLUGIN(vtable) BNN_PLUGIN(NULL, BNN_ENGINE_ENTRY(vtable))
#define BNN_LIKELIHOOD_PLUGIN(vtable) BNN_PLUGIN(NULL, BNN_LIKELIHOOD_ENTRY(vtable))
#define BNN_PRIOR_PLUGIN(vtable) BNN_PLUGIN(NULL, BNN_PRIOR_ENTRY(vtable))
#define BNN_OPTIMIZER_PLUGIN(vtable) BNN_PLUGIN(NULL, BNN_OPTIMIZER_ENTRY(vtable))

/* ---- for programs ---- */

/* A loaded plugin. It is never unloaded; all texts live as long as the process. */
struct bnn_plugin {
    const char *path;       /* as it was given */
    const char *name;       /* what the plugin calls itself, or its first type */
    const char *version;    /* what the author says (BNN_PLUGIN_VERSION), or the beginning of sha256 */
    char sha256[65];        /* of the file */
    int n;                  /* number of types */
    const bnn_entry *types; /* [n] as they stand in the registry */
};

/* Loads the files of a list "FILE:FOLDER:..."; of a folder all that end in ".so", by name. What cannot be a library without a look inside
 * (a pipe, a folder in a folder, a file that may not be read or has over 1 GiB) is passed over, with a remark; remarks may be NULL. The
 * first failure ends it; what was loaded before stays. The library does not look at the environment: the program passes BNN_PLUGIN_PATH
 * here. */
bnn_status bnn_plugin_load_path(const char *paths, bnn_remarks *remarks);
/* Calls `file` with each of them instead, up to its first failure. */
bnn_status bnn_plugin_files(const char *paths, bnn_status (*file)(void *context, const char *path), void *context, bnn_remarks *remarks);

/* As bnn_plugin_load (bnn.h), but a type takes the place of one of its name, which is not found any more: for programs that look at a
 * plugin alone, such as one that checks it. */
bnn_status bnn_plugin_load_in_place(const char *path, const bnn_plugin **out);

const bnn_plugin *bnn_plugin_at(int i); /* in the order of loading; NULL behind the last */

/* The plugin that a registered type came with; NULL: it is the library's own, or was added by the program. */
const bnn_plugin *bnn_plugin_of(const bnn_type *type);

#ifdef __cplusplus
}
#endif

#endif
