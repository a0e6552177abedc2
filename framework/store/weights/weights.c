/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * weights.c: weights that others wrote, told apart by their first bytes: HDF5 (hdf5.c), zip archives (zip.c) with arrays of NumPy (npy.c),
 * safetensors (tensors.c), lists of shards (shards.c), and without names of layers (unnamed.c). Others that are known are refused with the
 * way out.
 */
#include "weights.h"

#include "run/order.h"
#include <bnn/file.h>
#include <bnn/store.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---------------------------------------------------------------- names */

static bool ends_with(const char *text, size_t n, const char *word) {
    size_t m = strlen(word);
    return n >= m && strncmp(text + n - m, word, m) == 0 && (n == m || text[n - m - 1] == '_');
}

/* Says whether a name is that of a class of Keras, or of one made of it: "dense", "my_dense_2"; but not of another that ends so. */
static bool is_of_class(const char *name, const char *class, const char *other) {
    if (!name) return false;
    const char *slash = strrchr(name, '/'), *last = slash ? slash + 1 : name;
    size_t n = strlen(last);
    while (n > 0 && last[n - 1] >= '0' && last[n - 1] <= '9') n--;
    if (n > 0 && last[n] && last[n - 1] == '_') n--;
    return ends_with(last, n, class) && !ends_with(last, n, other);
}

/* Says whether arrays that are only numbered are a kernel and a bias. */
static bool has_kernel(const char *name) {
    return is_of_class(name, "dense", "einsum_dense") || is_of_class(name, "conv2d_transpose", "-") ||
           (is_of_class(name, "conv2d", "depthwise_conv2d") && is_of_class(name, "conv2d", "separable_conv2d"));
}

/* Names what dense layers and convolutions only number. */
static bnn_status complete(bnn_weights *w) {
    if (w->n == 0)
        return bnn_fail(BNN_ERR_FORMAT,
                        "%s: holds no weights: expected Keras's attribute 'layer_names', or layers with arrays kernel [in, out] or weight "
                        "[out, in], and bias",
                        w->path);
    for (int i = 0; i < w->n; i++)
        if (has_kernel(w->layer[i].name) || has_kernel(w->layer[i].given)) BNN_TRY(bnn_weights_layer_dense(&w->layer[i]));
    return BNN_OK;
}

/* ---------------------------------------------------------------- files */

/* Reads the first bytes of a plain file; what cannot be read has none. */
static void read_head(const char *path, unsigned char head[16]) {
    struct stat about;
    memset(head, 0, 16);
    FILE *file = stat(path, &about) == 0 && S_ISREG(about.st_mode) ? fopen(path, "rb") : NULL;
    if (file && fread(head, 1, 16, file) == 0) memset(head, 0, 16);
    if (file) fclose(file);
}

static bnn_status read_file(bnn_weights *w) {
    static const char npz[] = "save the arrays by name: np.savez(\"net.npz\", **{k: v.numpy() for k, v in model.state_dict().items()})";
    unsigned char head[16];
    struct stat about;
    if (stat(w->path, &about) == 0 && S_ISDIR(about.st_mode))
        return bnn_fail(BNN_ERR_FORMAT, "%s: is a folder, such as TensorFlow's: save the model in one file, with model.save(\"net.keras\")",
                        w->path);
    read_head(w->path, head);
    if (memcmp(head, "PK", 2) == 0) return bnn_weights_read_zip(w, w->path);
    if (memcmp(head, "\x93NUMPY", 6) == 0)
        return bnn_fail(BNN_ERR_FORMAT, "%s: is one array of NumPy without a name: save all of them by name, with np.savez", w->path);
    if (head[0] == 0x80 && head[1] > 0 && head[1] < 6) return bnn_fail(BNN_ERR_FORMAT, "%s: is a pickle of Python: %s", w->path, npz);
    if (head[8] == '{' && memcmp(head + 4, "\0\0\0", 4) == 0) return bnn_weights_read_tensors(w, w->path);
    if (head[0] == 8 && head[2] == 0x12) /* its version, and who has made it */
        return bnn_fail(BNN_ERR_FORMAT, "%s: is a file of ONNX: %s", w->path, npz);
    if (head[0] == '{') return bnn_weights_read_shards(w, w->path);
    return bnn_weights_read_hdf5(w, w->path, NULL, 0, NULL);
}

bnn_status bnn_weights_load(const char *path, bnn_weights **out) {
    *out = NULL;
    bnn_weights *w = calloc(1, sizeof *w);
    if (!w || !(w->path = strdup(path))) return free(w), bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for weights", path);
    bnn_status s = read_file(w);
    if (s == BNN_OK) s = bnn_weights_pair(w);
    if (s == BNN_OK) s = bnn_weights_normalize(w);
    if (s == BNN_OK) s = bnn_weights_name_norms(w);
    if (s == BNN_OK) s = complete(w);
    if (s == BNN_OK) s = bnn_file_sha256(path, w->sha256);
    if (s < 0 && strncmp(bnn_error(), path, strlen(path)) != 0) bnn_note(s, "%s", path);
    if (s < 0)
        bnn_weights_free(w);
    else
        *out = w;
    return s;
}
