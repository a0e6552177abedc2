/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * allocations.c: stands before malloc and its relatives, counts, and passes on to those that come next: the C library's, or those of a
 * library that the user loads before it. What is allocated is theirs, so free needs no place here.
 */
#include "allocations.h"

#include <dlfcn.h>
#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif

#ifdef SANITIZED

uint64_t (*const tool_allocations)(void) = NULL;

#else

static _Thread_local uint64_t count;

static uint64_t counted(void) { return count; }

uint64_t (*const tool_allocations)(void) = counted;

/* Finds the next definition of a function, once; a pointer read or written by several threads at once is the same one. */
static void *next(void **found, const char *name) {
    void *here = __atomic_load_n(found, __ATOMIC_RELAXED);
    if (!here) __atomic_store_n(found, here = dlsym(RTLD_NEXT, name), __ATOMIC_RELAXED);
    count++;
    return here;
}

void *malloc(size_t size);
void *calloc(size_t n, size_t size);
void *realloc(void *old, size_t size);
void *aligned_alloc(size_t alignment, size_t size);
void *memalign(size_t alignment, size_t size);
int posix_memalign(void **out, size_t alignment, size_t size);

void *malloc(size_t size) {
    static void *found;
    return (__extension__(void *(*)(size_t)) next(&found, "malloc"))(size);
}

void *calloc(size_t n, size_t size) {
    static void *found;
    return (__extension__(void *(*)(size_t, size_t)) next(&found, "calloc"))(n, size);
}

void *realloc(void *old, size_t size) {
    static void *found;
    return (__extension__(void *(*)(void *, size_t)) next(&found, "realloc"))(old, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    static void *found;
    return (__extension__(void *(*)(size_t, size_t)) next(&found, "aligned_alloc"))(alignment, size);
}

void *memalign(size_t alignment, size_t size) {
    static void *found;
    return (__extension__(void *(*)(size_t, size_t)) next(&found, "memalign"))(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size) {
    static void *found;
    return (__extension__(int (*)(void **, size_t, size_t)) next(&found, "posix_memalign"))(out, alignment, size);
}

#endif
