/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * failing.c: loaded before a program, lets malloc fail for the library whose file name holds $FAIL_IN: calls $FAIL_AT (from 1) to $FAIL_TO.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);

static atomic_long calls;
static const char *library;
static long first, last;

__attribute__((constructor)) static void start(void) {
    if (getenv("FAIL_AT")) first = atol(getenv("FAIL_AT"));
    if (getenv("FAIL_TO")) last = atol(getenv("FAIL_TO"));
    library = getenv("FAIL_IN");
}

static _Bool fails(const void *caller) {
    Dl_info about;
    if (!library || !dladdr(caller, &about) || !about.dli_fname || !strstr(about.dli_fname, library)) return 0;
    long call = atomic_fetch_add(&calls, 1) + 1;
    if (call < first || call > last) return 0;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size) { return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size); }
void *calloc(size_t n, size_t size) { return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(n, size); }
void *realloc(void *p, size_t size) { return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(p, size); }
