/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * shift.h: rows as they might come from another place or time (Ovadia et al. 2019), to see what a run says of them.
 */
#ifndef BNN_SHIFT_H
#define BNN_SHIFT_H

#include <bnn/bnn.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Kinds of shift. The first three are of images, channels x height x width; pixels between others are read by bilinear interpolation. */
typedef enum {
    BNN_SHIFT_ROTATE, /* strength: degrees, against the clock, around the middle; what comes in from outside is 0 */
    BNN_SHIFT_ROLL,   /* strength: pixels to the right, a whole number; what goes out comes in on the left */
    BNN_SHIFT_BLUR,   /* strength: sd of a Gaussian in pixels; at its edges an image goes on as its last pixel, to three sd */
    BNN_SHIFT_NOISE,  /* strength: sd of Gaussian noise. Of images a share of their range (255), in which they stay; of a table a share of
                         the sd of each column in it, of columns of 0 and 1 none */
    BNN_SHIFT_MISSING /* strength: share of the rows, drawn, that lack a column of a table: a number is its mean in the table, levels are
                         all 0, and a column "name=missing" is 1, where there is one, as --missing mean has it */
} bnn_shift_kind;
extern const char *const bnn_shift_names[]; /* rotate, roll, blur, noise, missing, NULL */

/* A shift. */
typedef struct {
    size_t size;         /* of this struct */
    bnn_shift_kind kind; /* which one */
    double strength;     /* how much; 0 changes nothing */
    const char *column;  /* of BNN_SHIFT_MISSING: its name, of levels that in front of "=" */
    uint64_t seed;       /* of what is drawn */
} bnn_shift;

/* Shifts all rows of a table in place, and says so at the end of its title: ", shifted by rotate 15". Refuses what the table cannot have,
 * and leaves it as it was. */
bnn_status bnn_table_shift(bnn_table *table, const bnn_shift *shift);

/* Reads kind and strength off such a title; false: it has none. */
bool bnn_shift_of(const char *title, bnn_shift_kind *kind, double *strength);

#ifdef __cplusplus
}
#endif

#endif
