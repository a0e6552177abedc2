/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * data.h: a table of data as it was measured, and the standardised rows of it that a fit or a prediction sees.
 */
#ifndef BNN_DATA_H
#define BNN_DATA_H

#include <bnn/real.h>
#include <bnn/rng.h>
#include <bnn/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a row is for in a split. */
typedef enum {
    BNN_TRAIN = 0,      /* to fit */
    BNN_VALIDATION = 1, /* to choose options by */
    BNN_TEST = 2        /* to score the result on */
} bnn_split_role;

/* How columns are brought to a common scale. */
typedef enum {
    BNN_SCALE_STANDARD, /* (v - mean) / sd of the training rows (divisor n; a constant column keeps sd 1) */
    BNN_SCALE_RANGE     /* features v / range, one number for all (images: 255); real targets as STANDARD */
} bnn_scale_rule;

/* A table in the units it was measured in: what a bnn-data file holds. Owns everything. */
typedef struct {
    char *title, *source, *license; /* texts, never NULL */
    int n;                          /* rows */
    bnn_shape x_shape;              /* of one row: a vector of features, or channels x height x width */
    int y_dim;                      /* target columns; 0: the targets are not known, the rows can only be predicted */
    int n_classes;                  /* 0: regression; else y_dim = 1 and y holds indices 0..n_classes-1 */
    double *x;                      /* [n, size(x_shape)] */
    double *y;                      /* [n, y_dim], or NULL where y_dim is 0 */
    char **x_names;                 /* [size(x_shape)], or NULL for images */
    char **y_names;                 /* [y_dim], or NULL where y_dim is 0 */
    char **class_names;             /* [n_classes], or NULL */
    bnn_scale_rule scale;           /* rule for the columns of x and y */
    double range;                   /* of BNN_SCALE_RANGE */
    int n_splits;                   /* may be 0: no split yet, every row is a training row */
    int *order;          /* [n_splits, n] row numbers: first the training rows in their listed order, then validation, then test */
    int8_t *role;        /* [n_splits, n] bnn_split_role of each row */
    char *split_origin;  /* the rule and seed that made the splits, never NULL */
    char raw_sha256[65]; /* of the file it was imported from, "" if none: kept in the bnn-data file */
    char sha256[65];     /* of the bnn-data file it was loaded from, "" if none */
} bnn_table;

enum {
    BNN_MOST_CLASSES = 1000000 /* largest n_classes of a table */
};

/* A table of zeros with n rows; texts are "", names are NULL and allocated by the caller. Refuses what does not fit into memory, and more
 * than BNN_MOST_CLASSES. */
bnn_status bnn_table_new(int n, bnn_shape x_shape, int y_dim, int n_classes, bnn_table **out);
void bnn_table_free(bnn_table *table); /* frees it with all it owns; NULL is allowed */

/* Refuses values that are not finite and class indices out of range, naming row (counted from 1) and column. */
bnn_status bnn_table_check(const bnn_table *table);

/* How rows are split. */
typedef enum {
    BNN_SPLIT_HOLDOUT, /* count times 10 % (at least one row) test rows at random */
    BNN_SPLIT_KFOLD,   /* the folds (2..n) of one permutation */
    BNN_SPLIT_PBP /* the published splits of Hernandez-Lobato & Adams 2015: NumPy's RandomState(1) whatever the seed, one permutation of the
                     rows a split, the first round(0.9 n) train */
} bnn_split_kind;

/* Makes count splits, replacing those there are. Needs two rows, and targets; a failure leaves the table as it was. */
bnn_status bnn_table_split(bnn_table *table, bnn_split_kind kind, int count, uint64_t seed);

/* Splits given by the rows' order [count, n] and roles [count, n], which become the table's (allocated by malloc); refuses what is no
 * permutation or not sorted by role. On failure both stay the caller's. */
bnn_status bnn_table_set_splits(bnn_table *table, int count, int *order, int8_t *role, const char *origin);

/* Rows of a role in a split. */
int bnn_table_count(const bnn_table *table, int split, bnn_split_role role);

/* Means and standard deviations, of the training rows, in double. */
typedef struct {
    int x_size;            /* columns of x */
    int y_dim;             /* columns of y */
    double *x_mean, *x_sd; /* [x_size] */
    double *y_mean, *y_sd; /* [y_dim]; 0 and 1 for classes */
} bnn_scaling;

/* Standardised rows. Borrows the table; owns the rest. */
typedef struct {
    const bnn_table *table; /* borrowed */
    int n;                  /* rows of this view */
    int *rows;              /* [n] rows of the table, in the listed order */
    bnn_shape x_shape;      /* of one row of x */
    int y_dim, n_classes;   /* as in the table */
    bnn_real *x;            /* [n, size(x_shape)] standardised */
    bnn_real *y;         /* [n, y_dim] standardised, or class indices; NULL, with y_dim = n_classes = 0, where the table has no targets */
    bnn_scaling scaling; /* by which x and y were standardised */
} bnn_data;

/* The given rows of the table (rows[n], copied), scaled by `scaling`, or, where that is NULL, by their own mean and sd. n = 0 is allowed
 * with a scaling. Rows without targets need one: that of a fitted run, whatever its y_dim. */
bnn_status bnn_data_new(const bnn_table *table, int n, const int *rows, const bnn_scaling *scaling, bnn_data **out);

/* The rows of a role in one split (split < 0: every row of the table), in listed order. */
bnn_status bnn_data_split(const bnn_table *table, int split, bnn_split_role role, const bnn_scaling *scaling, bnn_data **out);

/* Rows [from, to) of another view, in order, scaled anew by their own statistics (scaling NULL) or by `scaling`. */
bnn_status bnn_data_slice(const bnn_data *data, int from, int to, const bnn_scaling *scaling, bnn_data **out);

void bnn_data_free(bnn_data *data); /* frees it, not the table; NULL is allowed */

/* Mean 0 and sd 1 of every column: values stay as they are. */
bnn_status bnn_scaling_identity(int x_size, int y_dim, bnn_scaling *out);
bnn_status bnn_scaling_copy(const bnn_scaling *from, bnn_scaling *to); /* to is filled anew and owns its arrays */
void bnn_scaling_free(bnn_scaling *scaling);                           /* frees what is inside */

#ifdef __cplusplus
}
#endif

#endif
