/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * import.h: what the importers share.
 */
#ifndef BNN_IMPORT_PRIVATE_H
#define BNN_IMPORT_PRIVATE_H

#include <bnn/import.h>

/* A whole text file, plain or gzipped ("-": standard input), as UTF-8 with NUL at its end and '\n' behind lines, whatever it is encoded in;
 * refuses an empty one and one that is no text. Remarks on the encoding. Owned by the caller. */
bnn_status bnn_text_read(const char *path, bnn_remarks *remarks, char **text);

/* The name of a path in sentences: "-" is standard input. */
const char *bnn_text_name(const char *path);

/* A whole text as one number; false for anything else, also for hexadecimal numbers. "nan" and "inf" are numbers. */
bool bnn_import_number(const char *text, double *value);

/* Takes what a caller says of a file, who may know of fewer fields. */
bnn_status bnn_import_read_about(const bnn_import_about *about, bnn_import_about *out);

/* Sets title, source and license. */
bnn_status bnn_import_name(bnn_table *table, const bnn_import_about *about, const char *path);
/* The same, and raw_sha256 (of path, unless it is a pipe). */
bnn_status bnn_import_describe(bnn_table *table, const bnn_import_about *about, const char *path);

#endif
