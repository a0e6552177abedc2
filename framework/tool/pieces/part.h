/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * part.h: numbered parts of a command's work, which other processes and machines do, and `bnn merge` joins.
 */
#ifndef BNN_TOOL_PART_H
#define BNN_TOOL_PART_H

#include <bnn/status.h>
#include <stdbool.h>
#include <stdio.h>

/* The i-th of n parts, from 1; n 0: all of the work. */
typedef struct {
    int i, n;
} tool_part;

/* "2/7"; prints the sentence and leaves the program where the text is none. */
tool_part tool_part_parse(const char *text);
/* Parts are joined where all know that they had the same rows: refuses data that no checksum tells, as those of standard input. */
bnn_status tool_part_check(const char *data, const char *sha256);
/* The pieces [from, end) of all numbered pieces of the work that are the part's: neighbours, as many as in any other part, to one. */
void tool_part_range(tool_part part, int pieces, int *from, int *end);
/* The part that piece number k is in, of n. */
int tool_part_of(int n, int pieces, int k);

/* Writes a command line, as provenance keeps it, without -o and the long options that `without` lists: "--part=" takes an argument,
 * "--submit" none; NULL ends the list. */
void tool_part_command(FILE *out, const char *line, const char *const *without);
/* The name of part i's file beside that of part `of`, owned: its number in the name is replaced, or i put before the ending. */
char *tool_part_name(const char *path, int of, int i);

#endif
