/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * kinds.h: a small file of every kind that bnn writes, and every call that reads files, for tests that damage them.
 */
#ifndef KINDS_H
#define KINDS_H

#include <bnn/fit.h>

enum {
    DATA,
    CLASSES,
    IMAGES,
    RUN,
    DRAWS,
    PART,
    SEARCH,
    REFIT,
    PREDICTION,
    COMPARISON,
    CALIBRATED,
    DETECTION,
    REGRET,
    ACQUISITION,
    N_KINDS
};
extern const char *const kinds[N_KINDS]; /* names of files, for files_path */

typedef struct {
    bnn_table *table, *classes;
    bnn_data *rows;
} basis;

basis kinds_open(void); /* writes the files; from here on OpenMP has one thread */
void kinds_close(basis *b);

/* Every call on one file, which is, or was, of this kind, as far as it goes: also predictions and steps of a run that can be read. Returns
 * how many calls took the file; aborts where one fails without a sentence that begins with the file's path. */
int kinds_try(const char *path, int kind, const basis *b);

#endif
