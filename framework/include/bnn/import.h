/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * import.h: tables from the files that data come in. Every value is checked: what is missing or no number is refused by row (counted from
 * 1, a header not counted) and column.
 */
#ifndef BNN_IMPORT_H
#define BNN_IMPORT_H

#include <bnn/data.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a file does not say about itself; NULL: the file's name, "", "". */
typedef struct {
    const char *title;   /* what the data are */
    const char *source;  /* where they are from: a paper, an address */
    const char *license; /* of the data */
} bnn_import_about;

/* Whether the first line names the columns. */
typedef enum {
    BNN_HEADER_GUESS, /* it does where a field of it is no number, though those below are */
    BNN_HEADER_YES,   /* it does */
    BNN_HEADER_NO     /* it does not */
} bnn_header;

/* How a CSV file is read; all zeros: guess, the last column is the target. */
typedef struct {
    const char *targets; /* names or numbers (from 1) of columns, separated by commas; NULL: the last column;
                            "none": rows to predict, whose target is not known (a column of this name goes by its number) */
    const char *drop;    /* columns to leave out, written likewise; NULL: none */
    bool classes;        /* the target is a class even if it looks like a number; a text always is one */
    bnn_header header;   /* whether there is one */
} bnn_csv_options;

/* Text separated by commas, semicolons, tabs or blanks, which is guessed; fields may be quoted. Text features become one column for each
 * value, "name=value", values sorted; classes are numbered in the order of their names (numbers: of size). */
bnn_status bnn_import_csv(const char *path, const bnn_csv_options *options, const bnn_import_about *about, bnn_table **out);

/* A folder of the published UCI layout: data.txt, index_features.txt, index_target.txt, and index_train_K.txt, index_test_K.txt for K = 0,
 * 1, ... */
bnn_status bnn_import_uci(const char *folder, const bnn_import_about *about, bnn_table **out);

/* Images and labels in IDX (MNIST's format), plain or gzipped. The second pair (both NULL: none) are test rows and make one split. */
typedef struct {
    const char *images, *labels;           /* paths */
    const char *test_images, *test_labels; /* paths, or NULL */
} bnn_idx_files;
/* Pixels are features 0..255, scaled by BNN_SCALE_RANGE. */
bnn_status bnn_import_idx(const bnn_idx_files *files, const bnn_import_about *about, bnn_table **out);

#ifdef __cplusplus
}
#endif

#endif
