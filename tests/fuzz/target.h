/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * target.h: what the fuzz targets share. A target takes bytes as its input says, calls a reader, and aborts where the reader breaks its
 * promise; what it reads or writes outside of an array, leaks or does without end is found by the sanitizers and by libFuzzer.
 */
#ifndef TARGET_H
#define TARGET_H

#include <bnn/data.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of an input that are not taken yet. */
typedef struct {
    const uint8_t *at;
    size_t n;
} target_input;

unsigned target_byte(target_input *in);                            /* the next one; 0 at the end */
target_input target_part(target_input *in);                        /* up to the next form feed, which is taken, too, or to the end */
char *target_text(target_input *in);                               /* such a part as a text, owned */
const char *target_file(const char *name, const target_input *in); /* writes what is left to a file of this name; its path (files.h) */

/* A call that failed has to say why, in one line; returns whether it was BNN_OK. */
int target_told(bnn_status s);

/* The same of a call that makes a table, which has to be without a fault, and is freed. */
void target_table(bnn_status s, bnn_table *t);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#endif
