/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_damage.c: files of every kind, with wrong bytes, cut short, or with wrong contents: each call on them ends, with what it was asked
 * for or with a sentence that names the file. Every case runs in a process of its own, with bounds on time and memory.
 */
#include "files.h"
#include "fuzz/kinds.h"
#include "fuzz/places.h"

#include <bnn/store.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void bound(void) {
#ifndef __SANITIZE_ADDRESS__ /* which takes all addresses there are */
    setrlimit(RLIMIT_AS, &(struct rlimit){2000000000, 2000000000});
#endif
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    alarm(20);
}

/* In a process of its own; returns the number of calls that took the file. */
static int survives(const char *path, int kind, const basis *b, const char *what) {
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        bound();
        exit(100 + kinds_try(path, kind, b)); /* not _exit: the leak sanitizer looks, too */
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) >= 100, "%s, %s: %s %d", kinds[kind], what,
                  WIFEXITED(status) ? "exit status" : "ended by signal", WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    return WEXITSTATUS(status) - 100;
}

/* ---- bytes ---- */

typedef struct {
    unsigned char *v;
    size_t n;
} bytes;

static bytes read_bytes(const char *path) {
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    fseek(f, 0, SEEK_END);
    bytes b = {.n = (size_t)ftell(f)};
    b.v = malloc(b.n);
    rewind(f);
    ck_assert_uint_eq(fread(b.v, 1, b.n, f), b.n);
    fclose(f);
    return b;
}

static size_t below(bnn_rng rng, uint64_t draw, size_t n) {
    uint32_t word;
    bnn_rng_words(rng, draw, 1, 1, &word);
    return word % n;
}

/* Case i of one file: one byte wrong, or, every third time, up to 16. */
static void flip(bytes *b, const bytes *good, bnn_rng rng, char what[64]) {
    size_t n = below(rng, 0, 3) == 0 ? 2 + below(rng, 1, 15) : 1, at = 0;
    memcpy(b->v, good->v, good->n);
    for (size_t k = 0; k < n; k++) {
        at = below(rng, 2 + 2 * k, good->n);
        b->v[at] ^= (unsigned char)(1 + below(rng, 3 + 2 * k, 255));
    }
    snprintf(what, 64, "%zu bytes, the last at %zu", n, at);
}

static int count_of(const char *variable, int usual) { return getenv(variable) ? atoi(getenv(variable)) : usual; }

START_TEST(wrong_bytes_are_found) {
    basis b = kinds_open();
    for (int kind = 0; kind < N_KINDS; kind++) {
        bytes good = read_bytes(files_path(kinds[kind])), bad = {.v = malloc(good.n), .n = good.n};
        for (int i = 0; i < count_of("BNN_FLIPS", 40); i++) {
            char what[64];
            flip(&bad, &good, bnn_rng_split(bnn_rng_seed((uint64_t)kind), (uint64_t)i), what);
            if (memcmp(bad.v, good.v, good.n) == 0) continue; /* the same byte twice */
            const char *path = files_write_bytes("bad.h5", bad.v, bad.n);
            ck_assert_msg(survives(path, kind, &b, what) == 0, "%s with wrong bytes was read (%s)", kinds[kind], what);
        }
        free(good.v), free(bad.v);
    }
    kinds_close(&b);
}
END_TEST

START_TEST(cut_files_are_refused) {
    basis b = kinds_open();
    enum { CUTS = 20 };
    for (int kind = 0; kind < N_KINDS; kind++) {
        bytes good = read_bytes(files_path(kinds[kind]));
        for (size_t i = 0; i < CUTS; i++) {
            char what[64];
            size_t n = i < 3 ? good.n - 1 - i * 20 : i * good.n / CUTS;
            snprintf(what, sizeof what, "cut to %zu bytes", n);
            ck_assert_msg(survives(files_write_bytes("bad.h5", good.v, n), kind, &b, what) == 0, "%s was read, %s", kinds[kind], what);
        }
        files_unseal(files_write_bytes("bad.h5", good.v, good.n));
        ck_assert_int_gt(survives(files_path("bad.h5"), kind, &b, "whole but for its seal"), 0);
        ck_assert_int_gt(survives(files_path(kinds[kind]), kind, &b, "whole"), 0);
        free(good.v);
    }
    kinds_close(&b);
}
END_TEST

/* ---- contents ---- */

/* Every BNN_EVERY-th of all changes of all places; with 1 it takes minutes. */
START_TEST(wrong_contents_are_told) {
    basis b = kinds_open();
    int every = count_of("BNN_EVERY", 40), k = 0;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    for (int kind = 0; kind < N_KINDS; kind++) {
        bytes good = read_bytes(files_path(kinds[kind]));
        places found = places_find(files_path(kinds[kind]));
        for (int i = 0; i < found.n; i++)
            for (int which = 0; which < 32; which++) {
                char what[256];
                if (k++ % every) continue;
                const char *path = files_write_bytes("bad.h5", good.v, good.n);
                if (!places_change(path, &found.at[i], which)) break;
                snprintf(what, sizeof what, "%s %s change %d", found.at[i].object, found.at[i].name, which);
                survives(path, kind, &b, what);
            }
        free(found.at), free(good.v);
    }
    kinds_close(&b);
}
END_TEST

/* ---- what leads out of a file ---- */

static hid_t list_of(int which) {
    hid_t list = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(1, (const hsize_t[]){3}, NULL);
    if (which == 4) H5Pset_chunk(list, 1, (const hsize_t[]){3});
    if (which == 2) H5Pset_external(list, "/etc/passwd", 0, 24);
    if (which == 3) H5Pset_virtual(list, space, "/etc/passwd", "x", space);
    if (which == 4) H5Pset_filter(list, 32015, H5Z_FLAG_OPTIONAL, 0, NULL); /* zstd */
    H5Sclose(space);
    return list;
}

/* Adds something that leads out, in this way, to a file. */
static void lead_out(const char *path, int which) {
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    if (which == 0) H5Lcreate_external("/etc/passwd", "/", file, "/out", H5P_DEFAULT, H5P_DEFAULT);
    if (which == 1) H5Lcreate_soft("/no such", file, "/out", H5P_DEFAULT, H5P_DEFAULT);
    if (which >= 2) {
        hid_t space = H5Screate_simple(1, (const hsize_t[]){3}, NULL), list = list_of(which);
        ck_assert_int_ge(H5Dclose(H5Dcreate2(file, "/out", H5T_IEEE_F64LE, space, H5P_DEFAULT, list, H5P_DEFAULT)), 0);
        H5Pclose(list), H5Sclose(space);
    }
    H5Fclose(file);
}

START_TEST(nothing_leads_out_of_a_file) {
    static const char *const sentences[] = {
        "bad.h5: /out is a link to another file, which is not followed: put what it leads to into this one", NULL, /* a path in the
                                                                                                                             file, which
                                                                                                                             leads nowhere
                                                                                                                           */
        "bad.h5: dataset /out keeps its numbers in another file, which is not followed: write them into this one",
        "bad.h5: dataset /out is put together of datasets elsewhere, which are not followed: write its numbers themselves",
        "bad.h5: dataset /out is compressed by a filter that HDF5 would load as a plugin, which it may not: compress it with gzip"};
    bnn_table *t = table_new(4, 2, 0, 1), *read;
    unsigned before, after;
    t->x_names = calloc(2, sizeof *t->x_names);
    for (int k = 0; k < 2; k++) t->x_names[k] = strdup(k ? "a" : "b");
    t->y_names = calloc(1, sizeof *t->y_names), t->y_names[0] = strdup("y");
    OK(bnn_table_save(t, files_path("good.h5")));
    bytes good = read_bytes(files_path("good.h5"));
    H5PLget_loading_state(&before);
    for (int which = 0; which < 5; which++) {
        lead_out(files_write_bytes("bad.h5", good.v, good.n), which);
        bnn_status s = bnn_table_load(files_path("bad.h5"), &read);
        ck_assert_str_eq(s < 0 ? files_sentence() : "", sentences[which] ? sentences[which] : "");
        if (s == BNN_OK) bnn_table_free(read);
    }
    H5PLget_loading_state(&after);
    ck_assert_uint_eq(before, after);
    free(good.v), bnn_table_free(t), files_remove();
}
END_TEST

int main(void) {
    return run_tests("damage", (const TTest *const[]){wrong_bytes_are_found, cut_files_are_refused, wrong_contents_are_told,
                                                      nothing_leads_out_of_a_file, NULL});
}
