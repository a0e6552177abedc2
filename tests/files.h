/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * files.h: what the tests of files share: a folder that is removed, small files, and sentences.
 */
#ifndef FILES_H
#define FILES_H

#include "helpers.h"

#include <stdio.h>

#define OK(call) ck_assert_msg((call) == BNN_OK, "%s", bnn_error())

/* The call fails, and its sentence, without the folder of the test, is this one. */
#define REFUSED(call, sentence)                       \
    do {                                              \
        ck_assert_int_lt((call), 0);                  \
        ck_assert_str_eq(files_sentence(), sentence); \
    } while (0)

const char *files_sentence(void); /* bnn_error() without the name of the folder */

/* A path in the test's own folder, which is made at the first call and emptied by files_remove; 8 paths are valid at a time. */
const char *files_path(const char *name);
const char *files_write(const char *name, const char *text);                  /* returns its path */
const char *files_write_bytes(const char *name, const void *bytes, size_t n); /* returns its path */
void files_unseal(const char *path); /* cuts off the checksum, so that HDF5 sees what else is wrong with the file */
bool files_equal(const char *a, const char *b);
int files_count(void); /* in the folder */
void files_remove(void);

FILE *files_beside(const char *name); /* a file of the folder that the test's source stands in, for reading */

#endif
