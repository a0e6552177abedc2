/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "memory.h"

#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The number behind `key`, which begins a line of the file ("" where the file is a number alone); infinite: there is none, as in "max". */
static double number_in(const char *folder, const char *file, const char *key) {
    char path[PATH_MAX], line[256], *end;
    double found = INFINITY;
    FILE *f = snprintf(path, sizeof path, "%s/%s", folder, file) < PATH_MAX ? fopen(path, "r") : NULL;
    while (f && isinf(found) && fgets(line, sizeof line, f)) {
        if (strncmp(line, key, strlen(key)) != 0) continue;
        unsigned long long number = strtoull(line + strlen(key), &end, 10);
        if (end > line + strlen(key)) found = (double)number;
    }
    if (f) fclose(f);
    return found;
}

/* The files of a hierarchy of control groups. Pages of files that nobody has read lately are given back before memory runs out. */
typedef struct {
    const char *mount, *limit, *used, *given_back;
} hierarchy;

static const hierarchy unified = {"/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file "};
static const hierarchy separate = {"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "};

static double left_in(const char *folder, const hierarchy *h) {
    double limit = number_in(folder, h->limit, ""), used = number_in(folder, h->used, "");
    double given_back = number_in(folder, "memory.stat", h->given_back);
    if (isinf(limit) || isinf(used)) return limit;
    return fmax(0, limit - fmax(0, used - (isinf(given_back) ? 0 : given_back)));
}

/* The least of what the group at this path and those that hold it leave. */
static double left_along(const char *root, const hierarchy *h, const char *path) {
    char folder[PATH_MAX], *slash;
    if (snprintf(folder, sizeof folder, "%s%s%s", root, h->mount, path) >= PATH_MAX) return INFINITY;
    char *inside = folder + strlen(root) + strlen(h->mount);
    double least = left_in(folder, h);
    while ((slash = strrchr(inside, '/'))) {
        *slash = '\0';
        least = fmin(least, left_in(folder, h));
    }
    return least;
}

/* "memory" between the commas of a line's list of controllers. */
static bool has_memory(char *controllers) {
    for (char *one; (one = strsep(&controllers, ","));)
        if (strcmp(one, "memory") == 0) return true;
    return false;
}

/* Each line is "number:controllers:path"; the unified hierarchy has no controllers there. */
static double left_in_groups(const char *root) {
    char path[PATH_MAX], line[PATH_MAX];
    double least = INFINITY;
    FILE *f = snprintf(path, sizeof path, "%s/proc/self/cgroup", root) < PATH_MAX ? fopen(path, "r") : NULL;
    while (f && fgets(line, sizeof line, f)) {
        char *rest = line, *controllers = (strsep(&rest, ":"), strsep(&rest, ":"));
        if (!rest) continue;
        rest[strcspn(rest, "\n")] = '\0';
        if (!*controllers)
            least = fmin(least, left_along(root, &unified, rest));
        else if (has_memory(controllers))
            least = fmin(least, left_along(root, &separate, rest));
    }
    if (f) fclose(f);
    return least;
}

double bnn_memory_available_in(const char *root) {
    char proc[PATH_MAX];
    snprintf(proc, sizeof proc, "%s/proc", root);
    return fmin(1024 * number_in(proc, "meminfo", "MemAvailable:"), left_in_groups(root));
}
