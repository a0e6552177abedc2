/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "files.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[192];

static void make_folder(void) {
    if (*folder) return;
    const char *above = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/bnn-test-XXXXXX", above ? above : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

const char *files_path(const char *name) {
    static char path[8][256];
    static int next;
    make_folder();
    char *at = path[next++ % 8];
    snprintf(at, sizeof path[0], "%s/%s", folder, name);
    return at;
}

const char *files_write_bytes(const char *name, const void *bytes, size_t n) {
    const char *path = files_path(name);
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
    ck_assert_int_eq(fclose(f), 0);
    return path;
}

const char *files_write(const char *name, const char *text) { return files_write_bytes(name, text, strlen(text)); }

void files_unseal(const char *path) {
    enum { SEAL = sizeof "bnn-crc32=00000000" };
    char seal[SEAL];
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fseek(f, -SEAL, SEEK_END), 0);
    ck_assert_uint_eq(fread(seal, 1, SEAL, f), SEAL);
    ck_assert_int_eq(memcmp(seal, "bnn-crc32=", 10), 0);
    ck_assert_int_eq(truncate(path, ftell(f) - SEAL), 0);
    fclose(f);
}

const char *files_sentence(void) {
    static char text[1024];
    size_t length = strlen(folder), used = 0;
    for (const char *p = bnn_error(); *p && used < sizeof text - 1;) {
        if (length && strncmp(p, folder, length) == 0)
            p += length + (p[length] == '/');
        else
            text[used++] = *p++;
    }
    text[used] = '\0';
    return text;
}

bool files_equal(const char *a, const char *b) {
    FILE *f = fopen(a, "rb"), *g = fopen(b, "rb");
    ck_assert(f && g);
    int x, y;
    do x = fgetc(f), y = fgetc(g);
    while (x == y && x != EOF);
    fclose(f), fclose(g);
    return x == y;
}

static int erase_one(const char *path, const struct stat *about, int type, struct FTW *where) {
    (void)about, (void)type, (void)where;
    return remove(path);
}

/* Every entry of the folder but . and .. */
static int walk(bool erase) {
    int n = 0;
    DIR *d = *folder ? opendir(folder) : NULL;
    for (struct dirent *e; d && (e = readdir(d));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        n++;
        if (erase) nftw(files_path(e->d_name), erase_one, 8, FTW_DEPTH | FTW_PHYS);
    }
    if (d) closedir(d);
    return n;
}

int files_count(void) { return walk(false); }

void files_remove(void) {
    walk(true);
    rmdir(folder);
    *folder = '\0';
}

FILE *files_beside(const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", getenv("BNN_TESTS"), name);
    FILE *f = fopen(path, "r");
    ck_assert_msg(f != NULL, "%s cannot be opened", path);
    return f;
}
