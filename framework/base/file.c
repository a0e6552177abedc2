/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <bnn/file.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <nettle/sha2.h>
#include <stdbool.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Says whether `name` is that of a temporary file of `base` whose process is no more, or is this one. */
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

static bnn_status cannot(const char *path) { return bnn_fail(BNN_ERR_FILE, "%s: cannot be written: %s", path, strerror(errno)); }

/* Syncs a file or the names in a folder; true: it will be there after a loss of power. */
static bool sync_path(const char *path, int flags) {
    int fd = open(path, flags | O_CLOEXEC);
    bool done = fd >= 0 && fsync(fd) == 0;
    return fd >= 0 && close(fd) == 0 && done;
}

/* A file system that cannot sync a folder is no failure. */
static void sync_folder(const char *path) {
    char *copy = strdup(path);
    if (copy) sync_path(dirname(copy), O_RDONLY);
    free(copy);
}

bnn_status bnn_file_commit(const char *temporary, const char *path) {
    if (!sync_path(temporary, O_RDWR) || rename(temporary, path) < 0) return cannot(path);
    sync_folder(path);
    return BNN_OK;
}

bnn_status bnn_file_replace(const char *path, bnn_status (*write)(void *context, const char *temporary), void *context) {
    char *temporary = bnn_file_temporary(path);
    if (!temporary) return bnn_fail(BNN_ERR_MEMORY, "%s: out of memory", path);
    bnn_status s = write(context, temporary);
    if (s == BNN_OK) s = bnn_file_commit(temporary, path);
    if (s < 0) unlink(temporary);
    free(temporary);
    return s;
}

typedef struct {
    const char *path;
    const void *data;
    size_t size;
} bytes;

static bnn_status write_bytes(void *context, const char *temporary) {
    const bytes *b = context;
    FILE *out = fopen(temporary, "wx");
    bool ok = out && fwrite(b->data, 1, b->size, out) == b->size;
    ok = out && fclose(out) == 0 && ok;
    return ok ? BNN_OK : cannot(b->path);
}

bnn_status bnn_file_save(const char *path, const void *data, size_t size) {
    return bnn_file_replace(path, write_bytes, &(bytes){path, data, size});
}

bnn_status bnn_file_sha256(const char *path, char hex[65]) {
    hex[0] = '\0';
    FILE *f = fopen(path, "rb");
    if (!f) return bnn_fail(BNN_ERR_FILE, "%s: %s", path, strerror(errno));
    struct sha256_ctx context;
    uint8_t buffer[1 << 16], digest[SHA256_DIGEST_SIZE];
    sha256_init(&context);
    for (size_t n; (n = fread(buffer, 1, sizeof buffer, f)) > 0;) sha256_update(&context, n, buffer);
    bool failed = ferror(f);
    int code = errno;
    fclose(f);
    if (failed) return bnn_fail(BNN_ERR_FILE, "%s: %s", path, strerror(code));
    sha256_digest(&context, sizeof digest, digest);
    for (int i = 0; i < SHA256_DIGEST_SIZE; i++) snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    return BNN_OK;
}
