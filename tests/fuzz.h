/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * fuzz.h: files with mistakes of every kind, for the tests of readers. File number i is made of i alone, so that one that breaks a reader
 * can be made again: BNN_FUZZ_FROM=i. BNN_FUZZ_SECONDS lets each test go on for so long; without it as many files are tried as the test
 * says.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <bnn/import.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum { FUZZ_ROOM = 1 << 16 };

void fuzz_begin(uint64_t i);        /* file number i; fuzz_next does it */
uint64_t fuzz_draw(uint64_t below); /* the next random number of this file */

bnn_csv_options fuzz_csv_options(void); /* drawn by fuzz_draw */

/* Files to try next: i counts from where the caller says. */
typedef struct {
    uint64_t i, end;
    time_t stop; /* 0: the number ends it */
} fuzz_loop;
fuzz_loop fuzz_start(int files);
bool fuzz_next(fuzz_loop *loop);

typedef struct {
    size_t n;
    char bytes[FUZZ_ROOM + 1];
} fuzz_content;
void fuzz_set(fuzz_content *c, const void *bytes, size_t n);
void fuzz_append(fuzz_content *c, const void *bytes, size_t n); /* what does not fit is left out */

/* Up to 7 bytes changed, put in, taken out or copied, and words put in. */
void fuzz_mistakes(fuzz_content *c, const char *const *words, size_t n_words);

#endif
