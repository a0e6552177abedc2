/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <bnn/file.h>

#include "word.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <nettle/sha2.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static bnn_status cannot(const char *path) { return bnn_fail(BNN_ERR_FILE, "%s: cannot be written: %s", path, strerror(errno)); }

/* ---- names ---- */

enum { DIGITS = 8, ENDING = sizeof ".tmp..", ATTEMPTS = 100 };

/* Names this boot of this kernel, in DIGITS characters: processes that share it see each other's locks. false: unknown. */
static bool name_machine(char text[DIGITS + 1]) {
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
    bool known = f && fread(text, 1, DIGITS, f) == DIGITS;
    if (f) fclose(f);
    text[known ? DIGITS : 0] = '\0';
    return known;
}

static void name_at_random(char text[DIGITS + 1]) {
    uint32_t number;
    if (getrandom(&number, sizeof number, 0) != sizeof number) number = (uint32_t)getpid();
    snprintf(text, DIGITS + 1, "%08" PRIx32, number);
}

/* Splits a path into its folder and the name in it; *copy is to be freed. false: out of memory. */
static bool split(const char *path, char **copy, const char **folder, const char **name) {
    const char *slash = strrchr(path, '/');
    *name = slash ? slash + 1 : path;
    *copy = strdup(path);
    *folder = *copy ? dirname(*copy) : NULL;
    return *copy;
}

/* ---- locks ---- */

/* Locks an open file, or a folder, without waiting: 0, or the number of the error. Locks of files are not those that HDF5 takes (flock). */
static int lock(int fd, bool folder) {
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return (folder ? flock(fd, LOCK_EX | LOCK_NB) : fcntl(fd, F_OFD_SETLK, &whole)) == 0 ? 0 : errno;
}

static bool is_held(int error) { return error == EAGAIN || error == EACCES; }

/* Says whether the open file still stands under this name. */
static bool stands_at(int fd, int folder, const char *name) {
    struct stat mine, there;
    return fstat(fd, &mine) == 0 && fstatat(folder, name, &there, AT_SYMLINK_NOFOLLOW) == 0 && mine.st_dev == there.st_dev &&
           mine.st_ino == there.st_ino;
}

/* ---- drafts ---- */

struct bnn_draft {
    char *path, *name; /* where it goes, and where it is */
    bool folder;
    int fd; /* holds the lock */
};

/* Opens a draft: what is no plain file or folder, or another user's, is none. */
static int open_draft(int folder, const char *name, bool *is_folder) {
    int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    *is_folder = fd >= 0;
    return fd >= 0 ? fd : openat(folder, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

/* Removes the files in a folder; also where no memory is left, which opendir takes. */
static void empty(int folder) {
    _Alignas(struct dirent64) char list[4096];
    for (ssize_t n; (n = getdents64(folder, list, sizeof list)) > 0;)
        for (ssize_t at = 0; at < n;) {
            const struct dirent64 *entry = (const void *)(list + at);
            if (entry->d_type != DT_DIR) unlinkat(folder, entry->d_name, 0);
            at += entry->d_reclen;
        }
}

/* Removes a folder with the files in it, or a file. */
static void remove_from(int parent, const char *name, bool folder) {
    int fd = folder ? openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    if (fd >= 0) empty(fd), close(fd);
    unlinkat(parent, name, folder ? AT_REMOVEDIR : 0);
}

/* Says whether this is the name of a draft of `base` that was made on this machine. */
static bool is_draft(const char *name, const char *base, const char *machine) {
    size_t length = strlen(base);
    char start[ENDING + DIGITS];
    int n = snprintf(start, sizeof start, ".tmp.%s.", machine);
    if (strncmp(name, base, length) != 0 || strncmp(name + length, start, (size_t)n) != 0) return false;
    const char *random = name + length + n;
    return strlen(random) == DIGITS && strspn(random, "0123456789abcdef") == DIGITS;
}

/* Whoever gets the lock of a draft is alone with it: its process is no more. */
static void remove_leftover(int parent, const char *name) {
    bool folder;
    int fd = open_draft(parent, name, &folder);
    if (fd < 0) return;
    if (lock(fd, folder) == 0 && stands_at(fd, parent, name)) remove_from(parent, name, folder);
    close(fd);
}

static void remove_leftovers(const char *path) {
    char *copy, machine[DIGITS + 1];
    const char *name, *where;
    if (!name_machine(machine)) return;
    DIR *folder = split(path, &copy, &where, &name) ? opendir(where) : NULL;
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        if (is_draft(entry->d_name, name, machine)) remove_leftover(dirfd(folder), entry->d_name);
    if (folder) closedir(folder);
    free(copy);
}

/* Makes and locks what d->name names: 0, or the number of the error; EEXIST also where a neighbour took it for a leftover. */
static int make(bnn_draft *d) {
    bool is_folder;
    if (d->folder ? mkdir(d->name, 0777) < 0 : (d->fd = open(d->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666)) < 0) return errno;
    if (d->folder && (d->fd = open_draft(AT_FDCWD, d->name, &is_folder)) < 0) {
        int error = errno == ENOENT ? EEXIST : errno;
        rmdir(d->name);
        return error;
    }
    int held = lock(d->fd, d->folder); /* without locks, nobody takes it for a leftover */
    return is_held(held) || !stands_at(d->fd, AT_FDCWD, d->name) ? EEXIST : 0;
}

static void free_draft(bnn_draft *d) {
    if (d->fd >= 0) close(d->fd);
    free(d->path), free(d->name), free(d);
}

static int name_and_make(bnn_draft *d) {
    char machine[DIGITS + 1], random[DIGITS + 1];
    name_machine(machine);
    for (int i = 0, error; i < ATTEMPTS; i++) {
        name_at_random(random);
        if (asprintf(&d->name, "%s.tmp.%s.%s", d->path, machine, random) < 0) return d->name = NULL, ENOMEM;
        if ((error = make(d)) != EEXIST) return error;
        if (d->fd >= 0) close(d->fd), d->fd = -1;
        free(d->name), d->name = NULL;
    }
    return EEXIST;
}

bnn_status bnn_draft_open(const char *path, bool folder, bnn_draft **out) {
    *out = NULL;
    remove_leftovers(path);
    bnn_draft *d = calloc(1, sizeof *d);
    if (!d) return bnn_oom("%s", path);
    *d = (bnn_draft){.path = strdup(path), .folder = folder, .fd = -1};
    errno = d->path ? name_and_make(d) : ENOMEM;
    if (errno) {
        bnn_status s = errno == ENOMEM ? bnn_oom("%s", path) : cannot(path);
        return free_draft(d), s;
    }
    *out = d;
    return BNN_OK;
}

const char *bnn_draft_name(const bnn_draft *draft) { return draft->name; }

void bnn_draft_drop(bnn_draft *draft) {
    if (!draft) return;
    remove_from(AT_FDCWD, draft->name, draft->folder);
    free_draft(draft);
}

/* ---- claims ---- */

typedef struct {
    dev_t device;
    ino_t number;
    off_t size;
    struct timespec changed; /* numbers of files that are gone are given again */
} identity;                  /* all 0: nothing is there */

typedef struct claim claim;
struct claim {
    claim *next;
    char *path, *lock_path;
    int fd; /* of the file that is locked, or -1 */
    identity there;
    char *beside; /* where this process writes since another one wrote the path; else NULL */
};

static pthread_mutex_t claims_lock = PTHREAD_MUTEX_INITIALIZER;
static claim *claims;

/* Opens the file, where it can: a network file system asks its server then. */
static identity look(const char *path) {
    struct stat about;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    bool seen = (fd >= 0 ? fstat(fd, &about) : stat(path, &about)) == 0;
    if (fd >= 0) close(fd);
    return seen ? (identity){about.st_dev, about.st_ino, about.st_size, about.st_mtim} : (identity){0};
}

static bool same(const identity *a, const identity *b) {
    return a->device == b->device && a->number == b->number && a->size == b->size && a->changed.tv_sec == b->changed.tv_sec &&
           a->changed.tv_nsec == b->changed.tv_nsec;
}

static claim **find(const char *path) {
    claim **at = &claims;
    while (*at && strcmp((*at)->path, path) != 0) at = &(*at)->next;
    return at;
}

/* Locks PATH.lock; false: another process has it. Where it cannot be made or locked the claim is one of the eye alone. */
static bool take_lock(claim *c) {
    for (int i = 0; i < ATTEMPTS; i++) {
        c->fd = open(c->lock_path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
        int error = c->fd < 0 ? errno : lock(c->fd, false);
        if (c->fd < 0 || (error == 0 && stands_at(c->fd, AT_FDCWD, c->lock_path))) return true;
        close(c->fd), c->fd = -1;
        if (is_held(error)) return false;
        if (error) return unlink(c->lock_path), true;
    }
    return true;
}

static void free_claim(claim *c) {
    if (c->fd >= 0) unlink(c->lock_path), close(c->fd);
    free(c->path), free(c->lock_path), free(c->beside), free(c);
}

static bnn_status make_claim(const char *path) {
    claim *c = calloc(1, sizeof *c);
    if (!c) return bnn_oom("%s", path);
    *c = (claim){.path = strdup(path), .fd = -1, .there = look(path)};
    if (asprintf(&c->lock_path, "%s.lock", path) < 0) c->lock_path = NULL;
    bool made = c->path && c->lock_path;
    if (made && take_lock(c)) {
        c->next = claims, claims = c;
        return BNN_OK;
    }
    free_claim(c);
    return made ? bnn_fail(BNN_ERR_FILE, "%s: another process is writing it", path) : bnn_oom("%s", path);
}

bnn_status bnn_file_claim(const char *path) {
    pthread_mutex_lock(&claims_lock);
    bnn_status s = *find(path) ? BNN_OK : make_claim(path);
    pthread_mutex_unlock(&claims_lock);
    return s;
}

void bnn_file_release(const char *path) {
    pthread_mutex_lock(&claims_lock);
    claim **at = find(path), *c = *at;
    if (c) *at = c->next, free_claim(c);
    pthread_mutex_unlock(&claims_lock);
}

/* ---- commits ---- */

/* Syncs the names in a folder. A file system that cannot is no failure. */
static void sync_folder(const char *path) {
    char *copy;
    const char *folder, *name;
    int fd = split(path, &copy, &folder, &name) ? open(folder, O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0) fsync(fd), close(fd);
    free(copy);
}

/* A name of this process's own beside a path, with the same suffix: RUN.1a2b3c4d.h5; NULL: out of memory. */
static char *name_beside(const char *path) {
    const char *ending = bnn_ending(path);
    char random[DIGITS + 1], *beside;
    name_at_random(random);
    return asprintf(&beside, "%.*s.%s%s", (int)(ending - path), path, random, ending) < 0 ? NULL : beside;
}

/* Leaves what another process wrote, and loses nothing of this one either. */
static bnn_status put_beside(const bnn_draft *d, claim *c) {
    if (!c->beside && !(c->beside = name_beside(d->path))) return bnn_oom("%s", d->path);
    if (rename(d->name, c->beside) < 0) return cannot(c->beside);
    return bnn_fail(BNN_ERR_FILE, "%s: another process has written it since this one began, and that stays: what this one made is %s",
                    d->path, c->beside);
}

/* Renames a draft, unless another process was here since the claim, if there is one, last looked. */
static bnn_status put_in_place(const bnn_draft *d, claim *c) {
    identity now = c ? look(d->path) : (identity){0};
    if (c && (c->beside || !same(&now, &c->there))) return put_beside(d, c);
    if (rename(d->name, d->path) < 0) return cannot(d->path);
    if (!c) return BNN_OK;
    now = look(d->path);
    c->there = stands_at(d->fd, AT_FDCWD, d->path) ? now : (identity){0}; /* another process may have been quicker than this look */
    return BNN_OK;
}

bnn_status bnn_draft_commit(bnn_draft *draft) {
    bnn_status s = fsync(draft->fd) < 0 ? cannot(draft->path) : BNN_OK;
    pthread_mutex_lock(&claims_lock);
    if (s == BNN_OK) s = put_in_place(draft, *find(draft->path));
    pthread_mutex_unlock(&claims_lock);
    if (s < 0) return bnn_draft_drop(draft), s;
    sync_folder(draft->path);
    free_draft(draft);
    return BNN_OK;
}

bnn_status bnn_file_replace(const char *path, bnn_status (*write)(void *context, const char *temporary), void *context) {
    bnn_draft *draft;
    BNN_TRY(bnn_draft_open(path, false, &draft));
    bnn_status s = write(context, draft->name);
    if (s == BNN_OK) return bnn_draft_commit(draft);
    bnn_draft_drop(draft);
    return s;
}

/* ---- bytes ---- */

typedef struct {
    const char *path;
    const void *data;
    size_t size;
} bytes;

static bnn_status write_bytes(void *context, const char *temporary) {
    const bytes *b = context;
    FILE *out = fopen(temporary, "we");
    bool ok = out && fwrite(b->data, 1, b->size, out) == b->size;
    ok = out && fclose(out) == 0 && ok;
    return ok ? BNN_OK : cannot(b->path);
}

bnn_status bnn_file_save(const char *path, const void *data, size_t size) {
    return bnn_file_replace(path, write_bytes, &(bytes){path, data, size});
}

/* ---- texts ---- */

typedef struct {
    char **text;
    size_t *size, used, room;
    bool lost; /* something could not be taken: what follows would stand in the wrong place */
} collector;

static ssize_t collect(void *cookie, const char *piece, size_t n) {
    collector *c = cookie;
    size_t room = c->used + n < c->room ? c->room : 2 * (c->used + n + 1);
    char *text = c->lost ? NULL : room == c->room ? *c->text : realloc(*c->text, room);
    c->lost = !text;
    if (c->lost) return 0;
    memcpy(text + c->used, piece, n);
    *c->text = text, c->room = room, c->used += n;
    text[c->used] = '\0';
    if (c->size) *c->size = c->used;
    return (ssize_t)n;
}

static int free_collector(void *cookie) {
    free(cookie);
    return 0;
}

FILE *bnn_text_open(char **text, size_t *size) {
    collector *c = calloc(1, sizeof *c);
    *text = calloc(1, 1);
    if (size) *size = 0;
    FILE *out = c && *text ? fopencookie(c, "w", (cookie_io_functions_t){.write = collect, .close = free_collector}) : NULL;
    if (!out) return free(c), free(*text), *text = NULL, NULL;
    *c = (collector){.text = text, .size = size, .room = 1};
    return out;
}

char *bnn_text_close(FILE *out, char **text) {
    bool whole = fflush(out) == 0 && !ferror(out);
    if (fclose(out) == 0 && whole) return *text;
    free(*text);
    return *text = NULL;
}

/* ---- sums ---- */

static void finish_sha256(struct sha256_ctx *context, char hex[65]) {
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_digest(context, sizeof digest, digest);
    for (int i = 0; i < SHA256_DIGEST_SIZE; i++) snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

bnn_status bnn_file_sha256(const char *path, char hex[65]) {
    hex[0] = '\0';
    FILE *f = fopen(path, "rb");
    if (!f) return bnn_fail(BNN_ERR_FILE, "%s: %s", path, strerror(errno));
    struct sha256_ctx context;
    uint8_t buffer[1 << 16];
    sha256_init(&context);
    for (size_t n; (n = fread(buffer, 1, sizeof buffer, f)) > 0;) sha256_update(&context, n, buffer);
    bool failed = ferror(f);
    int code = errno;
    fclose(f);
    if (failed) return bnn_fail(BNN_ERR_FILE, "%s: %s", path, strerror(code));
    finish_sha256(&context, hex);
    return BNN_OK;
}

bnn_status bnn_files_sha256(int n, const char *const *paths, const char *const *names, char hex[65]) {
    struct sha256_ctx context;
    sha256_init(&context);
    hex[0] = '\0';
    for (int i = 0; i < n; i++) {
        char one[65];
        BNN_TRY(bnn_file_sha256(paths[i], one));
        sha256_update(&context, 64, (const uint8_t *)one), sha256_update(&context, 2, (const uint8_t *)"  ");
        sha256_update(&context, strlen(names[i]), (const uint8_t *)names[i]), sha256_update(&context, 1, (const uint8_t *)"\n");
    }
    finish_sha256(&context, hex);
    return BNN_OK;
}
