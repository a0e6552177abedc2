/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * failing.c: loaded before a program, lets calls fail once its main has begun: calls $FAIL_AT (from 1) to $FAIL_TO of those that count; the
 * first that does makes the file $FAIL_NOTE. Programs that it starts are spared. $FAIL_IN: allocations count, of files whose names begin
 * so, separated by colons; what the C library allocates is for whom it was called by. $FAIL_ERROR: calls of the system about files count,
 * and this is the number of the error. $FAIL_LOCKS: every lock of a file fails, as on a file system that has none.
 */
#undef _FILE_OFFSET_BITS /* each name of a function is its own */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

enum { DEPTH = 12 };

static atomic_long calls;
static const char *names, *note;
static long first, last;
static int error; /* of calls of the system */
static _Bool lockless;
static _Thread_local _Bool looking;

static const char *file_of(const void *address) {
    Dl_info about;
    if (!dladdr(address, &about) || !about.dli_fname) return "";
    const char *slash = strrchr(about.dli_fname, '/');
    return slash ? slash + 1 : about.dli_fname;
}

static _Bool begins(const char *file, const char *name, size_t length) { return length > 0 && strncmp(file, name, length) == 0; }

static _Bool is_named(const char *file) {
    for (const char *name = names; *name;) {
        size_t length = strcspn(name, ":");
        if (begins(file, name, length)) return 1;
        name += length + (name[length] == ':');
    }
    return 0;
}

/* Says whether a file is named that called the C library, which was called back from address. */
static _Bool is_named_behind(const void *address) {
    void *frames[DEPTH];
    const char *file = "";
    looking = 1;
    int n = backtrace(frames, DEPTH), at = 0;
    looking = 0;
    while (at < n && frames[at] != address) at++;
    while (at < n && begins(file = file_of(frames[at]), "libc.so", 7)) at++;
    return is_named(file);
}

/* Says whether the file that called is named, behind the C library; what it said of an address it remembers. */
static _Bool is_wanted(const void *address) {
    enum { PLACES = 4096, NO = 0, YES, BEHIND };
    static _Thread_local struct {
        const void *address;
        int answer;
    } known[PLACES];
    __typeof__(&known[0]) place = &known[(uintptr_t)address % PLACES];
    if (place->address != address) {
        const char *file = file_of(address);
        place->address = address, place->answer = begins(file, "libc.so", 7) ? BEHIND : is_named(file) ? YES : NO;
    }
    return place->answer == BEHIND ? is_named_behind(address) : place->answer == YES;
}

/* Counts a call, and says whether it is to fail. */
static _Bool fails_now(int number) {
    long call = atomic_fetch_add(&calls, 1) + 1;
    if (call < first || call > last) return 0;
    if (call == first && note) syscall(SYS_close, syscall(SYS_open, note, O_WRONLY | O_CREAT, 0666));
    errno = number;
    return 1;
}

static _Bool fails(const void *caller) { return names && !looking && is_wanted(caller) && fails_now(ENOMEM); }

void *malloc(size_t size) { return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size); }
void *calloc(size_t n, size_t size) { return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(n, size); }
void *realloc(void *p, size_t size) { return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(p, size); }
void *memalign(size_t alignment, size_t size) { return fails(__builtin_return_address(0)) ? NULL : __libc_memalign(alignment, size); }
void *aligned_alloc(size_t alignment, size_t size) { return fails(__builtin_return_address(0)) ? NULL : __libc_memalign(alignment, size); }
int posix_memalign(void **out, size_t alignment, size_t size) {
    if (fails(__builtin_return_address(0))) return ENOMEM;
    return (*out = __libc_memalign(alignment, size)) ? 0 : ENOMEM;
}

/* ---- calls of the system ---- */

static _Bool fails_on(int fd) { return error && fd > 2 && fails_now(error); }
static _Bool fails_at(void) { return error && fails_now(error); }

static int opened(int folder, const char *path, int flags, va_list rest) {
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
    return fails_at() ? -1 : (int)syscall(SYS_openat, folder, path, flags, mode);
}
int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    int fd = opened(AT_FDCWD, path, flags, rest);
    va_end(rest);
    return fd;
}
int openat(int folder, const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    int fd = opened(folder, path, flags, rest);
    va_end(rest);
    return fd;
}
ssize_t read(int fd, void *to, size_t n) { return fails_on(fd) ? -1 : syscall(SYS_read, fd, to, n); }
ssize_t write(int fd, const void *from, size_t n) { return fails_on(fd) ? -1 : syscall(SYS_write, fd, from, n); }
ssize_t pread(int fd, void *to, size_t n, off_t at) { return fails_on(fd) ? -1 : syscall(SYS_pread64, fd, to, n, at); }
ssize_t pwrite(int fd, const void *from, size_t n, off_t at) { return fails_on(fd) ? -1 : syscall(SYS_pwrite64, fd, from, n, at); }
int ftruncate(int fd, off_t size) { return fails_on(fd) ? -1 : (int)syscall(SYS_ftruncate, fd, size); }
int fsync(int fd) { return fails_on(fd) ? -1 : (int)syscall(SYS_fsync, fd); }
int rename(const char *from, const char *to) { return fails_at() ? -1 : (int)syscall(SYS_rename, from, to); }
int mkdir(const char *path, mode_t mode) { return fails_at() ? -1 : (int)syscall(SYS_mkdir, path, mode); }
int close(int fd) {
    int status = (int)syscall(SYS_close, fd);
    return fails_on(fd) ? -1 : status;
}
FILE *fopen(const char *path, const char *mode) {
    __typeof__(&fopen) next = __extension__(__typeof__(&fopen)) dlsym(RTLD_NEXT, "fopen");
    return fails_at() ? NULL : next(path, mode);
}
int fclose(FILE *file) {
    __typeof__(&fclose) next = __extension__(__typeof__(&fclose)) dlsym(RTLD_NEXT, "fclose");
    int fd = fileno(file), status = next(file);
    return fails_on(fd) ? EOF : status;
}
int flock(int fd, int how) {
    if (!lockless) return (int)syscall(SYS_flock, fd, how);
    errno = ENOLCK;
    return -1;
}
int fcntl(int fd, int command, ...) {
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    if (!lockless || (command != F_SETLK && command != F_OFD_SETLK)) return (int)syscall(SYS_fcntl, fd, command, argument);
    errno = ENOLCK;
    return -1;
}
#define TWIN(name) __attribute__((alias(name)))
int open64(const char *path, int flags, ...) TWIN("open");
int openat64(int folder, const char *path, int flags, ...) TWIN("openat");
ssize_t pread64(int fd, void *to, size_t n, off64_t at) TWIN("pread");
ssize_t pwrite64(int fd, const void *from, size_t n, off64_t at) TWIN("pwrite");
int ftruncate64(int fd, off64_t size) TWIN("ftruncate");
int fcntl64(int fd, int command, ...) TWIN("fcntl");
FILE *fopen64(const char *path, const char *mode) TWIN("fopen");

/* ---- beginning ---- */

static int (*begin)(int argc, char **argv, char **environment);

static int begun(int argc, char **argv, char **environment) {
    void *frame;
    backtrace(&frame, 1); /* loads what it needs */
    first = getenv("FAIL_AT") ? atol(getenv("FAIL_AT")) : 0;
    last = getenv("FAIL_TO") ? atol(getenv("FAIL_TO")) : first;
    note = getenv("FAIL_NOTE");
    names = getenv("FAIL_IN");
    error = getenv("FAIL_ERROR") ? atoi(getenv("FAIL_ERROR")) : 0;
    lockless = getenv("FAIL_LOCKS") != NULL;
    unsetenv("LD_PRELOAD");
    return begin(argc, argv, environment);
}

typedef int start(int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void), void (*)(void), void *);
start __libc_start_main;
int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv, void (*init)(void), void (*end)(void),
                      void (*linker)(void), void *stack) {
    start *next = __extension__(start *) dlsym(RTLD_NEXT, "__libc_start_main");
    begin = main;
    return next(begun, argc, argv, init, end, linker, stack);
}
