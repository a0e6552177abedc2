/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * weights.c: weights from elsewhere.
 * Input: a byte (which form), then an archive as it is (0), an array of NumPy or the description of a model of Keras in an archive whose
 * checksums are right (1, 2), a list of shards, beside which there is one (3), or safetensors as they are (4).
 */
#include "archives.h"
#include "files.h"
#include "target.h"

#include <bnn/fit.h>
#include <bnn/store.h>

static double total; /* of all numbers, which makes each of them be read */

static void try_weights(const char *path) {
    bnn_weights *w;
    bnn_table *t;
    if (!target_told(bnn_weights_load(path, &w))) return;
    for (int l = 0; l < w->n; l++)
        for (int k = 0; k < w->layer[l].n; k++)
            for (int e = 0; e < bnn_shape_size(w->layer[l].weight[k].shape); e++) total += w->layer[l].weight[k].value[e];
    if (target_told(bnn_weights_table(w, &(bnn_config){.net = "dense:3; dense"}, &t))) bnn_table_free(t);
    (void)bnn_weights_order(w, w->layer[0].name);
    bnn_weights_free(w);
}

static fuzz_content entries[3], archive;

static const char *archive_of(const char *name, int n, const char *const *names) {
    archives_zip(&archive, n, entries, names);
    return files_write_bytes(name, archive.bytes, archive.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    static fuzz_content keras;
    target_input in = {bytes, n};
    if (!keras.n) archives_keras(&keras);
    unsigned form = target_byte(&in) % 5;
    if (form == 0) return try_weights(target_file("net.npz", &in)), 0;
    if (form == 3) return try_weights(target_file("net.weights.json", &in)), 0;
    if (form == 4) return try_weights(target_file("net.safetensors", &in)), 0;
    fuzz_set(&entries[0], in.at, in.n < FUZZ_ROOM ? in.n : FUZZ_ROOM);
    if (form == 1) {
        archives_npy(&entries[1], ">f2", "False", "(3,)", 6);
        try_weights(archive_of("net.npz", 2, (const char *const[]){"fc1.weight.npy", "fc1.bias.npy"}));
    } else {
        entries[1] = keras;
        try_weights(archive_of("net.keras", 2, (const char *const[]){"config.json", "model.weights.h5"}));
    }
    return 0;
}
