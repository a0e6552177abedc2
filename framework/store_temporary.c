/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <bnn/store.h>

#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Whether `name` is that of a temporary file of `base` whose process is no more, or is this one. */
static bool is_leftover(const char *name, const char *base) {
    static const char infix[] = ".tmp.";
    size_t length = strlen(base);
    char *end;
    if (strncmp(name, base, length) != 0 || strncmp(name + length, infix, sizeof infix - 1) != 0) return false;
    long pid = strtol(name + length + sizeof infix - 1, &end, 10);
    return pid > 0 && !*end && (pid == getpid() || (kill((pid_t)pid, 0) < 0 && errno == ESRCH));
}

static void remove_leftovers(const char *path) {
    char *for_folder = strdup(path), *for_base = strdup(path);
    const char *base = for_base ? basename(for_base) : NULL;
    DIR *folder = for_folder && base ? opendir(dirname(for_folder)) : NULL;
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        if (is_leftover(entry->d_name, base)) unlinkat(dirfd(folder), entry->d_name, 0);
    if (folder) closedir(folder);
    free(for_folder), free(for_base);
}

char *bnn_file_temporary(const char *path) {
    char *name;
    remove_leftovers(path);
    return asprintf(&name, "%s.tmp.%ld", path, (long)getpid()) < 0 ? NULL : name;
}
