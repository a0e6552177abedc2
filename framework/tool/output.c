/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bnn_status cannot(const char *path) { return bnn_fail(BNN_ERR_FILE, "%s: cannot be written: %s", path, strerror(errno)); }

bnn_status tool_output_ready(const char *path) {
    struct stat about;
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

bnn_status tool_save(const char *bytes, size_t size, const char *path) {
    char temporary[4096];
    BNN_TRY(tool_output_ready(path));
    snprintf(temporary, sizeof temporary, "%s.tmp.%d", path, (int)getpid());
    FILE *out = fopen(temporary, "w");
    if (!out) return cannot(path);
    bool ok = fwrite(bytes, 1, size, out) == size && fflush(out) == 0 && fsync(fileno(out)) == 0;
    ok = fclose(out) == 0 && ok && rename(temporary, path) == 0;
    if (ok) return BNN_OK;
    bnn_status s = cannot(path);
    remove(temporary);
    return s;
}
