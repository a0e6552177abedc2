/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * allocations.c: stands before malloc and its relatives and passes on to those that come next: the C library's, or those of a library that
 * the user loads before it. Once it is asked to watch, it counts, and fills what is new.
 */
#include "allocations.h"

#include <dlfcn.h>
#include <malloc.h>
#include <stddef.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif

bool *tool_out_of_memory;

#ifdef SANITIZED

uint64_t (*const tool_allocations)(void) = NULL;
int64_t (*const tool_live)(void) = NULL;
void (*const tool_poison)(int byte) = NULL;
void (*const tool_list)(bool on) = NULL;
bool (*const tool_listed)(int i, const void **at, size_t *size) = NULL;

void tool_watch_allocations(void) {}

#else

static bool watched;

static _Thread_local uint64_t count;
static int64_t live;    /* of all threads */
static int poison = -1; /* what fresh memory holds; -1: whatever it does */

static uint64_t counted(void) { return count; }
static int64_t alive(void) { return __atomic_load_n(&live, __ATOMIC_RELAXED); }
static void set_poison(int byte) { __atomic_store_n(&poison, byte, __ATOMIC_RELAXED); }

uint64_t (*const tool_allocations)(void) = counted;
int64_t (*const tool_live)(void) = alive;
void (*const tool_poison)(int byte) = set_poison;

/* Blocks that were allocated while the list was open; those that find no room are left out. */
enum { MOST_LISTED = 4096 };
static struct {
    const void *at;
    size_t size;
} listed[MOST_LISTED];
static int n_listed; /* read without the lock where nothing is listed */
static bool listing, locked;

static void lock(void) {
    while (__atomic_test_and_set(&locked, __ATOMIC_ACQUIRE)) {
    }
}
static void unlock(void) { __atomic_clear(&locked, __ATOMIC_RELEASE); }

static void put_on_list(const void *at, size_t size) {
    if (!__atomic_load_n(&listing, __ATOMIC_RELAXED)) return;
    lock();
    if (n_listed < MOST_LISTED) listed[n_listed].at = at, listed[n_listed].size = size, n_listed++;
    unlock();
}

static void take_off_list(const void *at) {
    if (__atomic_load_n(&n_listed, __ATOMIC_RELAXED) == 0) return;
    lock();
    for (int i = n_listed - 1; i >= 0; i--)
        if (listed[i].at == at) {
            listed[i] = listed[--n_listed];
            break;
        }
    unlock();
}

static void set_listing(bool on) {
    lock();
    if (on) n_listed = 0;
    __atomic_store_n(&listing, on, __ATOMIC_RELAXED);
    unlock();
}

static bool on_list(int i, const void **at, size_t *size) {
    if (i >= n_listed) return false;
    *at = listed[i].at, *size = listed[i].size;
    return true;
}

void (*const tool_list)(bool on) = set_listing;
bool (*const tool_listed)(int i, const void **at, size_t *size) = on_list;

void tool_watch_allocations(void) { __atomic_store_n(&watched, true, __ATOMIC_RELAXED); }

/* Says whether a call is not watched: it is passed on by a jump, so that who comes next sees who called. */
static bool passes_on(void) { return !__atomic_load_n(&watched, __ATOMIC_RELAXED); }

/* Finds the next definition of a function, once; a pointer read or written by several threads at once is the same one. */
static void *next(void **found, const char *name) {
    void *here = __atomic_load_n(found, __ATOMIC_RELAXED);
    if (!here) __atomic_store_n(found, here = dlsym(RTLD_NEXT, name), __ATOMIC_RELAXED);
    return here;
}

/* Counts what has come of an allocation, and fills what is new of it: from byte `from` on. */
static void *made(void *memory, size_t from, size_t size) {
    int byte = __atomic_load_n(&poison, __ATOMIC_RELAXED);
    count++;
    if (!memory) {
        if (size > 0 && tool_out_of_memory) *tool_out_of_memory = true;
        return NULL;
    }
    __atomic_add_fetch(&live, 1, __ATOMIC_RELAXED);
    put_on_list(memory, size);
    if (byte >= 0 && from < size) memset((char *)memory + from, byte, size - from);
    return memory;
}

void *malloc(size_t size);
void *calloc(size_t n, size_t size);
void *realloc(void *old, size_t size);
void free(void *memory);
void *aligned_alloc(size_t alignment, size_t size);
void *memalign(size_t alignment, size_t size);
int posix_memalign(void **out, size_t alignment, size_t size);

void *malloc(size_t size) {
    static void *found;
    void *(*pass)(size_t) = __extension__(void *(*)(size_t)) next(&found, "malloc");
    if (passes_on()) return pass(size);
    return made(pass(size), 0, size);
}

void *calloc(size_t n, size_t size) {
    static void *found;
    void *(*pass)(size_t, size_t) = __extension__(void *(*)(size_t, size_t)) next(&found, "calloc");
    if (passes_on()) return pass(n, size);
    return made(pass(n, size), SIZE_MAX, n * size);
}

void *realloc(void *old, size_t size) {
    static void *found;
    void *(*pass)(void *, size_t) = __extension__(void *(*)(void *, size_t)) next(&found, "realloc");
    if (passes_on()) return pass(old, size);
    size_t held = old ? malloc_usable_size(old) : 0;
    if (old) take_off_list(old);
    void *memory = made(pass(old, size), held, size);
    if (old && (memory || size == 0)) __atomic_sub_fetch(&live, 1, __ATOMIC_RELAXED);
    return memory;
}

void free(void *memory) {
    static void *found;
    void (*pass)(void *) = __extension__(void (*)(void *)) next(&found, "free");
    if (passes_on()) {
        pass(memory);
        return;
    }
    if (memory) take_off_list(memory), __atomic_sub_fetch(&live, 1, __ATOMIC_RELAXED);
    pass(memory);
}

void *aligned_alloc(size_t alignment, size_t size) {
    static void *found;
    void *(*pass)(size_t, size_t) = __extension__(void *(*)(size_t, size_t)) next(&found, "aligned_alloc");
    if (passes_on()) return pass(alignment, size);
    return made(pass(alignment, size), 0, size);
}

void *memalign(size_t alignment, size_t size) {
    static void *found;
    void *(*pass)(size_t, size_t) = __extension__(void *(*)(size_t, size_t)) next(&found, "memalign");
    if (passes_on()) return pass(alignment, size);
    return made(pass(alignment, size), 0, size);
}

int posix_memalign(void **out, size_t alignment, size_t size) {
    static void *found;
    int (*pass)(void **, size_t, size_t) = __extension__(int (*)(void **, size_t, size_t)) next(&found, "posix_memalign");
    if (passes_on()) return pass(out, alignment, size);
    int failure = pass(out, alignment, size);
    made(failure ? NULL : *out, 0, size);
    return failure;
}

#endif
