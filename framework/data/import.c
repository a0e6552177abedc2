/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/sized.h"
#include "import.h"

#include <bnn/file.h>
#include <bnn/number.h>
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bnn_status read_all(FILE *f, const char *path, char **text, size_t *size) {
    size_t room = 1 << 16;
    *size = 0;
    *text = NULL;
    do {
        room *= 2;
        char *more = realloc(*text, room + 1);
        if (!more) return bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for its %zu bytes", path, room);
        *text = more;
        *size += fread(*text + *size, 1, room - *size, f);
    } while (*size == room);
    (*text)[*size] = '\0';
    return ferror(f) ? bnn_fail(BNN_ERR_FILE, "%s: %s", path, strerror(errno)) : BNN_OK;
}

bnn_status bnn_import_read(const char *path, char **text) {
    *text = NULL;
    size_t size;
    FILE *f = fopen(path, "rb");
    if (!f) return bnn_fail(BNN_ERR_FILE, "%s: %s", path, strerror(errno));
    bnn_status s = read_all(f, path, text, &size);
    fclose(f);
    if (s == BNN_OK && size == 0) s = bnn_fail(BNN_ERR_FORMAT, "%s: is empty", path);
    if (s == BNN_OK && strlen(*text) != size) s = bnn_fail(BNN_ERR_FORMAT, "%s: is not a text file", path);
    if (s == BNN_OK) return BNN_OK;
    free(*text);
    *text = NULL;
    return s;
}

bool bnn_import_number(const char *text, double *value) {
    char *end;
    if (!*text || strpbrk(text, "xX") || strchr(" \t\n\r", *text)) return false;
    *value = bnn_number_read(text, &end);
    return *end == '\0';
}

static bool set(char **to, const char *text) {
    char *copy = strdup(text ? text : "");
    if (!copy) return false;
    free(*to);
    *to = copy;
    return true;
}

/* The file's name without folders and ending. */
static bool set_title(bnn_table *t, const char *path) {
    char *copy = strdup(path);
    if (!copy) return false;
    char *name = basename(copy), *dot = strchr(name, '.');
    if (dot && dot != name) *dot = '\0';
    bool done = set(&t->title, name);
    free(copy);
    return done;
}

/* A pipe has been read, and cannot be read again. */
static bool is_pipe(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && S_ISFIFO(about.st_mode);
}

bnn_status bnn_import_read_about(const bnn_import_about *about, bnn_import_about *out) {
    return bnn_sized_read("bnn_import_about", out, sizeof *out, BNN_UP_TO(bnn_import_about, license), about);
}

bnn_status bnn_import_describe(bnn_table *t, const bnn_import_about *given, const char *path) {
    bnn_import_about about;
    BNN_TRY(bnn_import_read_about(given, &about));
    bool done = about.title ? set(&t->title, about.title) : set_title(t, path);
    if (!done || !set(&t->source, about.source) || !set(&t->license, about.license))
        return bnn_fail(BNN_ERR_MEMORY, "%s: out of memory", path);
    return is_pipe(path) ? BNN_OK : bnn_file_sha256(path, t->raw_sha256);
}
