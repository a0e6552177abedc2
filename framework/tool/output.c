/* SPDX-License-Identifier: GPL-3.0-or-later */
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
    enum { ENDING = sizeof ".tmp.4194304" };
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    errno = !*path ? ENOENT : !*name ? EISDIR : strlen(name) + ENDING > NAME_MAX ? ENAMETOOLONG : 0;
    return errno == 0;
}

bnn_status tool_output_ready(const char *path) {
    struct stat about;
    if (!can_be_named(path)) return cannot(path);
    if (lstat(path, &about) == 0 && !S_ISREG(about.st_mode)) return bnn_fail(BNN_ERR_FILE, "%s: is not a plain file, and stays", path);
    char *copy = strdup(path);
    if (!copy) return bnn_fail(BNN_ERR_MEMORY, "out of memory");
    const char *folder = dirname(copy);
    bool found = stat(folder, &about) == 0;
    if (found && !S_ISDIR(about.st_mode)) errno = ENOTDIR, found = false; /* access says less */
    bnn_status s = found && access(folder, W_OK | X_OK) == 0 ? BNN_OK : cannot(path);
    free(copy);
    return s;
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

bnn_status tool_save(const char *bytes, size_t size, const char *path) {
    BNN_TRY(tool_output_ready(path));
    return bnn_file_save(path, bytes, size);
}
