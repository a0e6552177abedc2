/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "archives.h"

#include "files.h"

#include <hdf5.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

static void put(fuzz_content *c, uint32_t number, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) fuzz_append(c, &(unsigned char){(unsigned char)(number >> 8 * i)}, 1);
}

/* What a local header and a directory's entry have in common, from the flags to the length of the extra field. */
static void put_about(fuzz_content *c, const fuzz_content *entry, const char *name) {
    put(c, 0, 2), put(c, 0, 2), put(c, 0, 2), put(c, 33, 2); /* stored, on the first of 1980 */
    put(c, (uint32_t)crc32(0, (const unsigned char *)entry->bytes, (unsigned)entry->n), 4);
    put(c, (uint32_t)entry->n, 4), put(c, (uint32_t)entry->n, 4), put(c, (uint32_t)strlen(name), 2), put(c, 0, 2);
}

void archives_zip(fuzz_content *c, int n, const fuzz_content *entries, const char *const *names) {
    uint32_t at[4];
    c->n = 0;
    for (int i = 0; i < n; i++) {
        at[i] = (uint32_t)c->n;
        fuzz_append(c, "PK\3\4", 4), put(c, 20, 2), put_about(c, &entries[i], names[i]);
        fuzz_append(c, names[i], strlen(names[i])), fuzz_append(c, entries[i].bytes, entries[i].n);
    }
    uint32_t directory = (uint32_t)c->n;
    for (int i = 0; i < n; i++) {
        fuzz_append(c, "PK\1\2", 4), put(c, 20, 2), put(c, 20, 2), put_about(c, &entries[i], names[i]);
        put(c, 0, 2), put(c, 0, 2), put(c, 0, 2), put(c, 0, 4), put(c, at[i], 4), fuzz_append(c, names[i], strlen(names[i]));
    }
    uint32_t size = (uint32_t)c->n - directory;
    fuzz_append(c, "PK\5\6", 4), put(c, 0, 4), put(c, (uint32_t)n, 2), put(c, (uint32_t)n, 2), put(c, size, 4), put(c, directory, 4),
        put(c, 0, 2);
}

void archives_npy(fuzz_content *c, const char *type, const char *turned, const char *shape, int bytes) {
    static const char zeros[256];
    char head[128];
    int n = snprintf(head, sizeof head, "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }", type, turned, shape);
    fuzz_set(c, "\x93NUMPY\1", 8); /* with the 0 of the minor version */
    put(c, (uint32_t)n, 2);
    fuzz_append(c, head, (size_t)n), fuzz_append(c, zeros, (size_t)bytes);
}

static void put_array(hid_t file, const char *path, int rank, const hsize_t *extent) {
    static const float values[16] = {0.5F, 1, -1};
    hid_t list = H5Pcreate(H5P_LINK_CREATE), space = H5Screate_simple(rank, extent, NULL);
    H5Pset_create_intermediate_group(list, 1);
    hid_t d = H5Dcreate2(file, path, H5T_IEEE_F32LE, space, list, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert_int_ge(H5Dwrite(d, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), 0);
    H5Dclose(d), H5Sclose(space), H5Pclose(list);
}

void archives_keras(fuzz_content *c) {
    const char *path = files_path("keras.h5");
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    put_array(file, "/layers/dense/vars/0", 2, (const hsize_t[]){2, 3});
    put_array(file, "/layers/dense/vars/1", 1, (const hsize_t[]){3});
    put_array(file, "/layers/sequential/layers/dense/vars/0", 2, (const hsize_t[]){3, 1});
    H5Fclose(file);
    FILE *in = fopen(path, "rb");
    c->n = fread(c->bytes, 1, FUZZ_ROOM, in);
    fclose(in);
}
