/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_damage.c: files of every kind, with wrong bytes, cut short, or with wrong contents: each call on them ends, with what it was asked
 * for or with a sentence that names the file. Every case runs in a process of its own, with bounds on time and memory.
 */
#include "files.h"
#include "fuzz/kinds.h"
#include "fuzz/places.h"

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

int main(void) {
    return run_tests("damage", (const TTest *const[]){wrong_bytes_are_found, cut_files_are_refused, wrong_contents_are_told, NULL});
}
