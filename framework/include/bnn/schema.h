/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * schema.h: what the columns of a table of texts mean: which are features, how their texts become numbers. A fit keeps the schema of its
 * table, so that new rows are read by it: columns are found by name, levels have the place they had.
 */
#ifndef BNN_SCHEMA_H
#define BNN_SCHEMA_H

#include <bnn/bnn.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The use of a column. */
typedef enum {
    BNN_COLUMN_FEATURE, /* part of x */
    BNN_COLUMN_TARGET,  /* part of y */
    BNN_COLUMN_ID,      /* carried through to predictions, as text */
    BNN_COLUMN_WEIGHT   /* weight of the row */
} bnn_column_role;

/* How its texts are read. */
typedef enum {
    BNN_COLUMN_NUMBER, /* one number */
    BNN_COLUMN_LEVELS, /* one of its levels: a feature becomes a column 0/1 for each, "name=level"; a target is a class */
    BNN_COLUMN_TEXT    /* as it stands: ids */
} bnn_column_kind;

/* One column of the file. Features stand in x in the order of the schema, targets in y. */
typedef struct {
    char *name;           /* as in the file; never NULL */
    bnn_column_role role; /* what it is for */
    bnn_column_kind kind; /* how it is read */
    int n_levels;         /* of BNN_COLUMN_LEVELS, else 0 */
    char **level;         /* [n_levels] in the order of their places; numbers (by_size) in that of size, texts by bytes */
    bool by_size;         /* levels are numbers: 1 and 1.0 are one level */
    bool indicator;       /* of a feature that may be missing: a column "name=missing" is 1 there, no level is, and a number is `fill` */
    double fill;          /* of a number: the mean of the values that were there */
    char *unit;           /* as the file gives it; NULL: it gives none */
    int place;            /* its number in the file, from 1; 0: it is not known */
} bnn_schema_column;

/* The columns that matter, those left out are not in it, and how their file was to be read: what new files are read by where nothing else
 * is asked for. Owns everything. */
struct bnn_schema {
    int n;                     /* columns */
    bnn_schema_column *column; /* [n] */
    char decimal;              /* mark of decimals in its numbers, '.' or ',' */
    char thousands;            /* mark between thousands; 0: none */
    char *na;                  /* texts for missing values beside the usual ones, separated by commas; NULL: none */
    char delimiter;            /* that ends a field; 0: it was guessed */
    char *comment;             /* that lines to be left out begin with; NULL: '#' before the header */
    bnn_header header;         /* whether there is one */
    bnn_missing missing;       /* what was done about missing values; new files are asked anew */
    int cols;                  /* columns of the file, also those left out; 0: it is not known */
};

void bnn_schema_free(bnn_schema *schema);                               /* NULL is allowed */
bnn_status bnn_schema_copy(const bnn_schema *schema, bnn_schema **out); /* NULL gives NULL */
int bnn_schema_width(const bnn_schema *schema, bnn_column_role role);   /* columns of x, or of y, that it makes */
int bnn_schema_column_width(const bnn_schema_column *column);           /* that one column of the file makes */

#ifdef __cplusplus
}
#endif

#endif
