/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/word.h"
#include "tool.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bnn_status cannot(const char *path) { return bnn_fail(BNN_ERR_FILE, "%s: cannot be written: %s", path, strerror(errno)); }

/* Says whether the name of path can be that of a file, also with the ending of a temporary one. */
static bool can_be_named(const char *path) {
    enum { ENDING = sizeof ".tmp.1a2b3c4d.1a2b3c4d" };
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    errno = !*path ? ENOENT : !*name ? EISDIR : strlen(name) + ENDING > NAME_MAX ? ENAMETOOLONG : 0;
    return errno == 0;
}

/* ---- before the work ---- */

static bool force;
static struct stat before; /* the output that was looked at last; st_ino 0: none was there */

static error_t parse(int key, char *arg, struct argp_state *state) {
    (void)arg, (void)state;
    if (key != 'f') return ARGP_ERR_UNKNOWN;
    force = true;
    return 0;
}

static const struct argp_option options[] = {
    {"force", 'f', NULL, 0, "replace a file that is there, whatever it holds (default: only what the same settings made)", 9}, {0}};
const struct argp tool_output_argp = {.options = options, .parser = parse};
const struct argp_child tool_output_children[] = {{&tool_output_argp, 0, NULL, 0}, {0}};

bool tool_output_forced(void) { return force; }

/* Looks whether a file can be made in the folder of path. */
static bnn_status folder_takes(const char *path) {
    struct stat about;
    char *copy = strdup(path);
    if (!copy) return bnn_fail(BNN_ERR_MEMORY, "out of memory");
    const char *folder = dirname(copy);
    bool found = stat(folder, &about) == 0;
    if (found && !S_ISDIR(about.st_mode)) errno = ENOTDIR, found = false; /* access says less */
    bnn_status s = found && access(folder, W_OK | X_OK) == 0 ? BNN_OK : cannot(path);
    free(copy);
    return s;
}

bnn_status tool_output_ready(const char *path) {
    if (!can_be_named(path)) return cannot(path);
    before = (struct stat){0};
    if (lstat(path, &before) == 0 && !S_ISREG(before.st_mode)) return bnn_fail(BNN_ERR_FILE, "%s: is not a plain file, and stays", path);
    return folder_takes(path);
}

bnn_status tool_output_appends(const char *path) {
    struct stat about;
    if (!can_be_named(path)) return cannot(path);
    if (stat(path, &about) < 0) return folder_takes(path);
    errno = S_ISDIR(about.st_mode) ? EISDIR : 0;
    return errno || access(path, W_OK) < 0 ? cannot(path) : BNN_OK;
}

bool tool_output_is_hdf5(const char *path) {
    static const char *const suffixes[] = {".h5", ".hdf5", ".nc"};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        if (bnn_ends_with(path, suffixes[i])) return true;
    return false;
}

bnn_status tool_output_hdf5(const char *path) {
    if (strcmp(path, "-") == 0) return bnn_fail(BNN_ERR_OPTION, "-o -: an HDF5 file cannot go to standard output: name a FILE.h5");
    BNN_TRY(tool_output_ready(path));
    if (tool_output_is_hdf5(path)) return BNN_OK;
    return bnn_fail(BNN_ERR_OPTION, "%s: is written as HDF5, and is to be named so: FILE.h5 (or .hdf5, .nc)", path);
}

/* The folder by its inode and the name in it: of a file that is not there yet. */
static bool same_name(const char *a, const char *b) {
    char *copy[2] = {strdup(a), strdup(b)};
    struct stat x, y;
    const char *slash_a = strrchr(a, '/'), *slash_b = strrchr(b, '/');
    bool same = strcmp(slash_a ? slash_a + 1 : a, slash_b ? slash_b + 1 : b) == 0 && copy[0] && copy[1] &&
                stat(dirname(copy[0]), &x) == 0 && stat(dirname(copy[1]), &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
    free(copy[0]), free(copy[1]);
    return same;
}

bnn_status tool_output_apart(const char *path, const char *other, const char *what) {
    struct stat a, b;
    if (!path || !other) return BNN_OK;
    bool both = stat(path, &a) == 0 && stat(other, &b) == 0;
    if (both ? a.st_dev != b.st_dev || a.st_ino != b.st_ino : !same_name(path, other)) return BNN_OK;
    return bnn_fail(BNN_ERR_OPTION, "%s: is %s, which would be overwritten: name another output", path, what);
}

/* ---- for the work ---- */

static const char *claimed[2]; /* an output and a log, as they are named in the command line */

/* Says whether the schema of a file is one of those that a command writes, separated by '|'. */
static bnn_status is_of(const char *path, const char *schemas) {
    char schema[32];
    BNN_TRY(bnn_file_schema(path, schema));
    size_t length = strlen(schema);
    for (const char *at = schemas; (at = strstr(at, schema)); at++)
        if (length > 0 && (at == schemas || at[-1] == '|') && (at[length] == '|' || !at[length])) return BNN_OK;
    return bnn_fail(BNN_ERR_STATE, "%s: holds '%s', where '%.*s' would be written", path, schema, (int)strcspn(schemas, "|"), schemas);
}

static bnn_status may_replace(const char *path, const char *schemas, bnn_status (*same)(const void *context, const char *path),
                              const void *context) {
    if (force || access(path, F_OK) < 0) return BNN_OK;
    bnn_status s = schemas ? is_of(path, schemas) : BNN_OK;
    if (s == BNN_OK) s = same ? same(context, path) : bnn_fail(BNN_ERR_STATE, "%s: is there already", path);
    return s < 0 && s != BNN_ERR_MEMORY ? bnn_fail(s, "%s: --force replaces it", bnn_error()) : s;
}

static bool equal(const char *a, const char *b) { return strcmp(a ? a : "", b ? b : "") == 0; }

bnn_status tool_output_same_command(const void *context, const char *path) {
    const bnn_provenance *now = context;
    bnn_outline there;
    BNN_TRY(bnn_outline_load(path, &there));
    const bnn_origin *then = &there.origin;
    bnn_status s = BNN_OK;
    if (!equal(then->command, now->command))
        s = bnn_fail(BNN_ERR_STATE, "%s: was written by another command", path);
    else if (!equal(then->data_sha256, now->data_sha256) || !equal(then->weights_sha256, now->weights_sha256) ||
             !equal(then->run_sha256, now->run_sha256))
        s = bnn_fail(BNN_ERR_STATE, "%s: was written by the same command, but of files that have changed since", path);
    bnn_outline_free(&there);
    return s;
}

static bool is_as_before(const char *path) {
    struct stat now;
    if (lstat(path, &now) < 0) return before.st_ino == 0;
    return now.st_ino == before.st_ino && now.st_size == before.st_size && now.st_mtim.tv_sec == before.st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == before.st_mtim.tv_nsec;
}

void tool_output_release(void) {
    for (int i = 0; i < 2; i++)
        if (claimed[i]) bnn_file_release(claimed[i]), claimed[i] = NULL;
}

static bnn_status claim(int at, const char *path) {
    BNN_TRY(bnn_file_claim(path));
    claimed[at] = path;
    atexit(tool_output_release); /* also where a mistake ends it */
    return BNN_OK;
}

bnn_status tool_output_claim_log(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && !S_ISREG(about.st_mode) ? BNN_OK : claim(1, path);
}

bnn_status tool_output_claim(const char *path, const char *schemas, bnn_status (*same)(const void *context, const char *path),
                             const void *context) {
    BNN_TRY(may_replace(path, schemas, same, context));
    BNN_TRY(claim(0, path));
    if (is_as_before(path)) return BNN_OK;
    tool_output_release();
    return bnn_fail(BNN_ERR_FILE, "%s: another process has written it since this one began", path);
}

void tool_print_wrote(const char *path) {
    if (path) printf("wrote %s\n", tool_line(path));
}

bnn_status tool_save(const char *bytes, size_t size, const char *path) {
    BNN_TRY(tool_output_ready(path));
    return bnn_file_save(path, bytes, size);
}
