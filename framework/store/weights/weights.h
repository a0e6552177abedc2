/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * weights.h: the readers of weights that others wrote. Each adds the arrays it finds; layers come from the names of these.
 */
#ifndef BNN_STORE_WEIGHTS_H
#define BNN_STORE_WEIGHTS_H

#include <bnn/weights.h>
#include <jansson.h>

/* Cuts "fc1.weight", "block/fc1/kernel:0" into the name of a layer, owned, and that of an array, which begins in the same text; the layer
 * of a name without '/' and '.' is "/". NULL: out of memory. */
char *bnn_weights_cut(const char *path, const char **array);

/* Adds an array to the layer of this name, which is made where there is none. Takes over what the array owns, also after a failure. A
 * matrix `weight` is PyTorch's [out, in]: it becomes a kernel [in, out]. One of four dimensions becomes a kernel as it is, marked
 * transposed.
 */
bnn_status bnn_weights_add(bnn_weights *w, const char *layer, const char *given, bnn_weight *array);

/* Adds an array, which has its shape and its entries, by its path in the file. Takes them over, also after a failure. */
bnn_status bnn_weights_add_path(bnn_weights *w, const char *path, bnn_weight *array);

/* Room for the entries of an array, which has its shape; where is for the sentence. */
bnn_status bnn_weights_room(const char *where, bnn_weight *array);

/* Makes layers of arrays whose names are no layer's, where it can be told what they are. */
bnn_status bnn_weights_pair(bnn_weights *w);

/* Makes the scaling of the inputs of a layer of Keras's class Normalization. */
bnn_status bnn_weights_normalize(bnn_weights *w);

/* Calls what norms hold scale, shift, mean and var. */
bnn_status bnn_weights_name_norms(bnn_weights *w);

/* An HDF5 file, or one whose bytes are in memory (bytes NULL: it is read from path); architecture: Keras's description of the model, NULL:
 * none. */
bnn_status bnn_weights_read_hdf5(bnn_weights *w, const char *path, const void *bytes, size_t size, const json_t *architecture);

/* A zip archive: Keras's .keras, or NumPy's .npz. */
bnn_status bnn_weights_read_zip(bnn_weights *w, const char *path);

/* How a file of arrays holds a number. */
typedef struct {
    char kind; /* f: of IEEE 754; b: bfloat16, the upper half of a float; i, u: whole, with and without a sign */
    int bytes; /* 1, 2, 4 or 8 */
    bool big;  /* the first byte is the highest */
} bnn_weights_number;
double bnn_weights_number_at(bnn_weights_number type, const unsigned char *at);

/* The bytes of an .npy file; name is that of the array in the archive. */
bnn_status bnn_weights_read_npy(bnn_weights *w, const char *name, const unsigned char *bytes, size_t size);

/* A file of safetensors. */
bnn_status bnn_weights_read_tensors(bnn_weights *w, const char *path);

/* A list of shards: Keras's NAME.weights.json, or NAME.safetensors.index.json. */
bnn_status bnn_weights_read_shards(bnn_weights *w, const char *path);

#endif
