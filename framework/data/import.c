/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/sized.h"
#include "import.h"
#include "sheet.h"

#include <bnn/file.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

static bool is_input(const char *path) { return strcmp(path, "-") == 0; }

bnn_status bnn_import_name(bnn_table *t, const bnn_import_about *given, const char *path) {
    bnn_import_about about;
    BNN_TRY(bnn_import_read_about(given, &about));
    bool done = about.title || is_input(path) ? set(&t->title, about.title ? about.title : "standard input") : set_title(t, path);
    bool all = done && set(&t->source, about.source) && set(&t->license, about.license);
    return all ? BNN_OK : bnn_fail(BNN_ERR_MEMORY, "%s: out of memory", path);
}

bnn_status bnn_import_describe(bnn_table *t, const bnn_import_about *about, const char *path) {
    BNN_TRY(bnn_import_name(t, about, path));
    return is_input(path) || is_pipe(path) ? BNN_OK : bnn_file_sha256(path, t->raw_sha256);
}

static bnn_status read_csv(const char *path, const bnn_csv_options *how, bnn_sheet *sheet, bnn_table **out) {
    bnn_schema *schema = NULL;
    BNN_TRY(bnn_sheet_read(path, how, NULL, sheet));
    bnn_status s = bnn_schema_infer(sheet, how, &schema);
    if (s == BNN_OK) s = bnn_schema_apply(schema, sheet, how, out);
    bnn_schema_free(schema);
    bnn_sheet_free(sheet);
    return s;
}

bnn_status bnn_import_csv(const char *path, const bnn_csv_options *options, const bnn_import_about *about, bnn_table **out) {
    bnn_csv_options how;
    bnn_sheet sheet;
    *out = NULL;
    BNN_TRY(bnn_sized_read("bnn_csv_options", &how, sizeof how, BNN_UP_TO(bnn_csv_options, header), options));
    BNN_TRY(read_csv(path, &how, &sheet, out));
    bnn_status s = bnn_import_describe(*out, about, path);
    if (s < 0) bnn_table_free(*out), *out = NULL;
    return s;
}
