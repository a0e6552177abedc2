/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * zip.c: archives of weights. Keras's .keras holds model.weights.h5 and config.json, the description of the model; NumPy's .npz holds an
 * .npy for each array, in the order of saving.
 */
#include "base/word.h"
#include "weights.h"

#include "run/order.h"
#include <bnn/cost.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

typedef struct {
    const char *path;
    zip_t *zip;
} archive;

/* The bytes of an entry, owned, with a 0 behind them. */
static bnn_status get_entry(const archive *a, zip_uint64_t i, char **bytes, size_t *size) {
    zip_stat_t about;
    *bytes = NULL;
    if (zip_stat_index(a->zip, i, 0, &about) < 0 || !(about.valid & ZIP_STAT_SIZE) || !(about.valid & ZIP_STAT_NAME))
        return bnn_fail(BNN_ERR_FORMAT, "%s: entry %d of the archive is damaged", a->path, (int)i);
    bnn_status s = bnn_memory_check((double)about.size, "an entry of the archive", "it is too large");
    if (s < 0) return bnn_note(s, "%s: %s", a->path, about.name);
    *size = (size_t)about.size;
    if (!(*bytes = malloc(*size + 1))) return bnn_oom("entry %s of %s", about.name, a->path);
    zip_file_t *file = zip_fopen_index(a->zip, i, 0);
    bool whole = file && zip_fread(file, *bytes, *size) == (zip_int64_t)*size && zip_fread(file, &(char){0}, 1) == 0; /* with its checksum
                                                                                                                       */
    if (file) zip_fclose(file);
    (*bytes)[*size] = '\0';
    if (whole) return BNN_OK;
    free(*bytes), *bytes = NULL;
    return bnn_fail(BNN_ERR_FORMAT, "%s: entry %s of the archive cannot be read: it is damaged, or locked with a password", a->path,
                    about.name);
}

static bnn_status read_keras(const archive *a, zip_uint64_t weights, bnn_weights *w) {
    char *bytes = NULL, *text = NULL;
    size_t size, text_size;
    zip_int64_t config = zip_name_locate(a->zip, "config.json", 0);
    bnn_status s = get_entry(a, weights, &bytes, &size);
    if (s == BNN_OK && config >= 0) s = get_entry(a, (zip_uint64_t)config, &text, &text_size);
    json_t *model = text ? json_loadb(text, text_size, 0, NULL) : NULL;
    if (s == BNN_OK && text && !model) s = bnn_fail(BNN_ERR_FORMAT, "%s: config.json in the archive is not JSON", a->path);
    const json_t *layers = json_object_get(model, "config");
    if (s == BNN_OK) s = bnn_weights_read_hdf5(w, a->path, bytes, size, json_object_get(layers, "layers") ? layers : NULL);
    json_decref(model);
    free(bytes), free(text);
    return s;
}

static bnn_status read_npz(const archive *a, bnn_weights *w) {
    bnn_status s = BNN_OK;
    for (zip_int64_t i = 0, n = zip_get_num_entries(a->zip, 0); s == BNN_OK && i < n; i++) {
        const char *entry = zip_get_name(a->zip, (zip_uint64_t)i, 0);
        char *bytes = NULL, *name = NULL;
        size_t size = 0;
        if (!entry || !bnn_ends_with(entry, ".npy")) continue;
        s = get_entry(a, (zip_uint64_t)i, &bytes, &size);
        if (s == BNN_OK && !(name = strndup(entry, strlen(entry) - 4))) s = bnn_oom("the name of an array");
        if (s == BNN_OK) s = bnn_weights_read_npy(w, name, (unsigned char *)bytes, size);
        free(bytes), free(name);
    }
    if (s == BNN_OK && !bnn_order_agrees(w)) w->by_name = true;
    return s;
}

/* Entries of PyTorch's files lie in a folder of the model's name. */
static bnn_status refuse(const archive *a) {
    bool torch = false;
    for (zip_int64_t i = 0, n = zip_get_num_entries(a->zip, 0); i < n; i++) {
        const char *name = zip_get_name(a->zip, (zip_uint64_t)i, 0);
        torch = torch || (name && bnn_ends_with(name, "/data.pkl"));
    }
    return bnn_fail(BNN_ERR_FORMAT, "%s: is %s", a->path,
                    torch ? "a file of torch.save, which only Python reads: save the arrays by name: np.savez(\"net.npz\", **{k: v.numpy() "
                            "for k, v in model.state_dict().items()})"
                          : "a zip archive without weights: expected Keras's model.weights.h5 or arrays of NumPy (.npy)");
}

static bool has_arrays(const archive *a) {
    for (zip_int64_t i = 0, n = zip_get_num_entries(a->zip, 0); i < n; i++) {
        const char *name = zip_get_name(a->zip, (zip_uint64_t)i, 0);
        if (name && bnn_ends_with(name, ".npy")) return true;
    }
    return false;
}

bnn_status bnn_weights_read_zip(bnn_weights *w, const char *path) {
    int code = 0;
    archive a = {path, zip_open(path, ZIP_RDONLY, &code)};
    if (!a.zip && code == ZIP_ER_MEMORY) return bnn_oom("the archive %s", path);
    if (!a.zip) return bnn_fail(BNN_ERR_FORMAT, "%s: begins as a zip archive, but cannot be read as one: it is truncated or damaged", path);
    zip_int64_t weights = zip_name_locate(a.zip, "model.weights.h5", 0);
    bnn_status s = weights >= 0 ? read_keras(&a, (zip_uint64_t)weights, w) : has_arrays(&a) ? read_npz(&a, w) : refuse(&a);
    zip_discard(a.zip);
    return s;
}
