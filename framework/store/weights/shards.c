/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * shards.c: weights that are cut over several files. Keras's NAME.weights.json lists them in weight_map, {group: file or [files]}; where it
 * lists none they are NAME_00000.weights.h5, NAME_00001.weights.h5, ... beside it. NAME.safetensors.index.json has {array: file} there.
 */
#include "base/word.h"
#include "weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_SHARDS = 100000 };

typedef struct {
    const char *index; /* path of the list */
    int n;
    char **path; /* [n] */
} shards;

/* Adds the file of this name, beside the list, once. */
static bnn_status add(shards *list, const char *name) {
    const char *slash = strrchr(list->index, '/');
    int folder = slash ? (int)(slash - list->index) + 1 : 0;
    char *path, **all;
    if (!*name || strchr(name, '/'))
        return bnn_fail(BNN_ERR_FORMAT, "%s: names the shard '%s', expected a file beside it", list->index, name);
    if (asprintf(&path, "%.*s%s", folder, list->index, name) < 0) return bnn_oom("the shards of %s", list->index);
    for (int i = 0; i < list->n; i++)
        if (strcmp(list->path[i], path) == 0) return free(path), BNN_OK;
    if (!(all = realloc(list->path, ((size_t)list->n + 1) * sizeof *all))) return free(path), bnn_oom("the shards of %s", list->index);
    list->path = all, all[list->n++] = path;
    return BNN_OK;
}

static bnn_status add_entry(shards *list, const json_t *files) {
    if (json_is_string(files)) return add(list, json_string_value(files));
    for (size_t i = 0; i < json_array_size(files); i++) {
        const char *name = json_string_value(json_array_get(files, i));
        if (name) BNN_TRY(add(list, name));
    }
    return BNN_OK;
}

/* NAME_00000.weights.h5, ... as far as they are there. */
static bnn_status find_numbered(shards *list) {
    const char *slash = strrchr(list->index, '/'), *name = slash ? slash + 1 : list->index;
    for (int i = 0; i < MOST_SHARDS; i++) {
        char *shard;
        if (asprintf(&shard, "%.*s_%05d.weights.h5", (int)strcspn(name, "."), name, i) < 0) return bnn_oom("the shards of %s", list->index);
        bnn_status s = add(list, shard);
        free(shard);
        if (s < 0) return s;
        if (access(list->path[list->n - 1], F_OK) == 0) continue;
        free(list->path[--list->n]);
        break;
    }
    return BNN_OK;
}

static bnn_status find_shards(shards *list, const json_t *map) {
    const char *group;
    json_t *files;
    json_object_foreach((json_t *)map, group, files) BNN_TRY(add_entry(list, files));
    if (list->n == 0) BNN_TRY(find_numbered(list));
    return list->n > 0 ? BNN_OK
                       : bnn_fail(BNN_ERR_FORMAT, "%s: lists shards of weights, but names none, and none are beside it", list->index);
}

bnn_status bnn_weights_read_shards(bnn_weights *w, const char *path) {
    shards list = {.index = path};
    json_t *index = json_load_file(path, 0, NULL), *map = json_object_get(index, "weight_map");
    bnn_status s = json_is_object(map) ? find_shards(&list, map)
                                       : bnn_fail(BNN_ERR_FORMAT, "%s: is %s", path,
                                                  index ? "JSON, but no list of weights: it lacks 'weight_map'"
                                                        : "no file of weights: it begins as JSON, but cannot be read as such");
    for (int i = 0; s == BNN_OK && i < list.n; i++)
        s = bnn_ends_with(list.path[i], ".safetensors") ? bnn_weights_read_tensors(w, list.path[i])
                                                        : bnn_weights_read_hdf5(w, list.path[i], NULL, 0, NULL);
    w->by_name = true;
    for (int i = 0; i < list.n; i++) free(list.path[i]);
    free(list.path);
    json_decref(index);
    return s;
}
