/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_fuzz_weights.c: readers of weights from elsewhere on files with mistakes: each is weights that a run can be asked of, or a sentence.
 */
#include "files.h"
#include "fuzz.h"
#include "fuzz/archives.h"

#include <bnn/store.h>
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const words[] = {
    "{",      "}",     "\"",     ",",     ":",        "(",       ")",     "'",     "<f4",           ">f8",  "|O",      "True",
    "0",      "99999", "layers", "vars",  "/",        ".",       "..",    "PK",    "null",          "[",    "weight",  "bias",
    "kernel", "dense", "-1",     "1e999", "\xFF\xFF", "\x89HDF", "shape", "descr", "normalization", "mean", "variance"};
enum { N_WORDS = sizeof words / sizeof *words };

static double total; /* of all numbers, which makes each of them be read */

/* The reader has weights whose arrays can all be read, and which can be ordered and made a table of; or it says what is wrong. */
static void check_reader(uint64_t i, const char *path) {
    bnn_weights *w;
    bnn_table *t;
    bnn_status s = bnn_weights_load(path, &w);
    if (s < 0) {
        ck_assert_msg(!w && strncmp(bnn_error(), path, strlen(path)) == 0, "file %llu: '%s'", (unsigned long long)i, bnn_error());
        return;
    }
    ck_assert_int_gt(w->n, 0);
    for (int l = 0; l < w->n; l++)
        for (int k = 0; k < w->layer[l].n; k++)
            for (int e = 0; e < bnn_shape_size(w->layer[l].weight[k].shape); e++) total += w->layer[l].weight[k].value[e];
    if (bnn_weights_table(w, &(bnn_config){.net = "dense:3; dense"}, &t) == BNN_OK) bnn_table_free(t);
    if (bnn_weights_order(w, w->layer[0].name) == BNN_OK) ck_assert(!w->by_name);
    bnn_weights_free(w);
}

/* ---------------------------------------------------------------- zip archives */

static fuzz_content entries[3], archive;

START_TEST(arrays_of_numpy) {
    static const char *const names[][3] = {{"fc1.weight.npy", "fc1.bias.npy", "out.weight.npy"}, {"arr_0.npy", "arr_1.npy", "arr_2.npy"}};
    for (fuzz_loop l = fuzz_start(3000); fuzz_next(&l);) {
        archives_npy(&entries[0], "<f4", "False", "(3, 2)", 24), archives_npy(&entries[1], ">f2", "False", "(3,)", 6),
            archives_npy(&entries[2], "<f8", "True", "(1, 3)", 24);
        if (fuzz_draw(2)) fuzz_mistakes(&entries[fuzz_draw(3)], words, N_WORDS);
        archives_zip(&archive, 3, entries, names[fuzz_draw(2)]);
        if (fuzz_draw(2)) fuzz_mistakes(&archive, words, N_WORDS);
        check_reader(l.i - 1, files_write_bytes("net.npz", archive.bytes, archive.n));
    }
    files_remove();
}
END_TEST

START_TEST(arrays_without_numbers) {
    bnn_weights *w;
    archives_npy(&entries[0], "<f4", "False", "(0, 2)", 0);
    archives_zip(&archive, 1, entries, (const char *const[]){"out.weight.npy"});
    REFUSED(bnn_weights_load(files_write_bytes("net.npz", archive.bytes, archive.n), &w),
            "net.npz: out.weight: holds no number, as one of its dimensions is 0");
    files_remove();
}
END_TEST

/* ---------------------------------------------------------------- safetensors */

START_TEST(tensors) {
    static const char head[] = "{\"__metadata__\": {\"format\": \"pt\"}, \"fc1.weight\": {\"dtype\": \"F32\", \"shape\": [3, 2], "
                               "\"data_offsets\": [0, 24]}, \"fc1.bias\": {\"dtype\": \"BF16\", \"shape\": [3], \"data_offsets\": "
                               "[24, 30]}, \"out.weight\": {\"dtype\": \"I16\", \"shape\": [1, 3], \"data_offsets\": [30, 36]}}";
    static const unsigned char numbers[36] = {1, 2, 3, 4};
    for (fuzz_loop l = fuzz_start(3000); fuzz_next(&l);) {
        fuzz_set(&entries[0], head, sizeof head - 1);
        if (fuzz_draw(2)) fuzz_mistakes(&entries[0], words, N_WORDS);
        unsigned char length[8] = {(unsigned char)entries[0].n, (unsigned char)(entries[0].n >> 8)};
        fuzz_set(&archive, length, sizeof length);
        fuzz_append(&archive, entries[0].bytes, entries[0].n), fuzz_append(&archive, numbers, sizeof numbers);
        if (fuzz_draw(2)) fuzz_mistakes(&archive, words, N_WORDS);
        check_reader(l.i - 1, files_write_bytes("net.safetensors", archive.bytes, archive.n));
    }
    files_remove();
}
END_TEST

/* ---------------------------------------------------------------- HDF5 */

static const char model[] = "{\"config\": {\"layers\": [{\"class_name\": \"Dense\"}, {\"class_name\": \"Sequential\", \"config\": "
                            "{\"layers\": [{\"class_name\": \"Dense\"}]}}]}}";

/* The description of the model has mistakes; HDF5's own bytes are test_damage.c's. */
START_TEST(archives_of_keras) {
    static const char *const names[] = {"config.json", "model.weights.h5"};
    archives_keras(&entries[1]);
    for (fuzz_loop l = fuzz_start(1000); fuzz_next(&l);) {
        fuzz_set(&entries[0], model, sizeof model - 1);
        fuzz_mistakes(&entries[0], words, N_WORDS);
        archives_zip(&archive, 2, entries, names);
        check_reader(l.i - 1, files_write_bytes("net.keras", archive.bytes, archive.n));
    }
    files_remove();
}
END_TEST

START_TEST(shards) {
    static const char index[] = "{\"metadata\": {}, \"weight_map\": {\"/layers/dense/vars\": \"keras.h5\", \"/layers/dense_1/vars\": "
                                "[\"keras.h5\", \"net_00000.weights.h5\"]}}";
    archives_keras(&entries[0]);
    for (fuzz_loop l = fuzz_start(1000); fuzz_next(&l);) {
        fuzz_set(&archive, index, sizeof index - 1);
        fuzz_mistakes(&archive, words, N_WORDS);
        check_reader(l.i - 1, files_write_bytes("net.weights.json", archive.bytes, archive.n));
    }
    files_remove();
}
END_TEST

/* Paths and names of groups, attributes and arrays. */
START_TEST(groups) {
    for (fuzz_loop l = fuzz_start(1000); fuzz_next(&l);) {
        const char *path = files_path("groups.h5");
        hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
        H5E_auto2_t printer;
        void *context;
        H5Eget_auto2(H5E_DEFAULT, &printer, &context), H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
        for (uint64_t k = fuzz_draw(6); k > 0; k--) {
            hid_t list = H5Pcreate(H5P_LINK_CREATE), space = H5Screate_simple(3, (const hsize_t[]){2, fuzz_draw(3), 1}, NULL);
            char name[256] = "";
            for (uint64_t part = 1 + fuzz_draw(5); part > 0; part--) strcat(strcat(name, "/"), words[fuzz_draw(N_WORDS)]);
            H5Pset_create_intermediate_group(list, 1);
            hid_t d = H5Dcreate2(file, name, fuzz_draw(4) ? H5T_IEEE_F32LE : H5T_C_S1, space, list, H5P_DEFAULT, H5P_DEFAULT);
            if (d >= 0) H5Dclose(d);
            if (fuzz_draw(3) == 0) H5Lcreate_hard(file, "/layers", file, name, list, H5P_DEFAULT);
            if (fuzz_draw(3) == 0) H5Lcreate_soft(name, file, "/weight", list, H5P_DEFAULT);
            H5Sclose(space), H5Pclose(list);
        }
        H5Eset_auto2(H5E_DEFAULT, printer, context);
        H5Fclose(file);
        check_reader(l.i - 1, path);
    }
    files_remove();
}
END_TEST

int main(void) {
    return run_tests("fuzz_weights",
                     (const TTest *const[]){arrays_of_numpy, arrays_without_numbers, tensors, archives_of_keras, shards, groups, NULL});
}
