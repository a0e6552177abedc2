/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * data.h: a table of data as it was measured, and the standardised rows of it that a fit or a prediction sees.
 */
#ifndef BNN_DATA_H
#define BNN_DATA_H

#include <bnn/bnn.h>
#include <bnn/real.h>
#include <bnn/rng.h>
#include <bnn/schema.h>
#include <bnn/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How columns are brought to a common scale. */
typedef enum {
    BNN_SCALE_STANDARD, /* (v - mean) / sd of the training rows (divisor n; a constant column, of an sd up to n eps |mean|, keeps sd 1) */
    BNN_SCALE_RANGE,    /* features v / range, one number for all (images: 255); real targets as STANDARD */
    BNN_SCALE_CHANNEL   /* of images (v - mean) / sd of all pixels of a channel; real targets as STANDARD */
} bnn_scale_rule;

/* Features that stay in a file (bnn_table_open). */
typedef struct {
    void *context; /* handed to both */
    /* Sets x[n, size(x_shape)] of the rows [from, from+n) of the table; NULL: none stay there. Thread-safe. */
    bnn_status (*read)(void *context, int from, int n, double *x);
    void (*close)(void *context); /* frees context */
} bnn_x_file;

/* A table in the units it was measured in: what a bnn-data file holds. Owns everything. */
struct bnn_table {
    char *title, *source, *license; /* texts, never NULL */
    int n;                          /* rows */
    bnn_shape x_shape;              /* of one row: a vector of features, or channels x height x width */
    int y_dim;                      /* numbers of y in a row; 0: the targets are not known, the rows can only be predicted */
    int n_classes;                  /* 0: regression; else y holds indices 0..n_classes-1, in one column or a map, there -1 for void, too */
    double *x;                      /* [n, size(x_shape)]; NULL: the rows are in `pixels`, or stay in `x_file` */
    double *y;                      /* [n, y_dim], or NULL where y_dim is 0 */
    char **x_names;                 /* [size(x_shape)], or NULL for images */
    char **y_names;                 /* [y_dim], or NULL where y_dim is 0 and of maps */
    char **class_names;             /* [n_classes], or NULL */
    bnn_scale_rule scale;           /* rule for the columns of x and y */
    double range;                   /* of BNN_SCALE_RANGE */
    int n_splits;                   /* may be 0: no split yet, every row is a training row */
    int *order;          /* [n_splits, n] row numbers: first the training rows in their listed order, then validation, then test */
    int8_t *role;        /* [n_splits, n] bnn_split_role of each row */
    char *split_origin;  /* the rule and seed that made the splits, never NULL */
    char raw_sha256[65]; /* of the file it was imported from, "" if none: kept in the bnn-data file */
    char sha256[65];     /* of the bnn-data file it was loaded from, "" if none */
    bnn_schema *schema;  /* of the file it came from; NULL: it had none, such as images and arrays */
    int n_ids;           /* columns that are carried through */
    char **id_names;     /* [n_ids] */
    char **ids;          /* [n_ids, n] texts; or NULL */
    double *weight;      /* [n] weights of the rows, >= 0: a row of weight w is as w equal rows; NULL: every row weighs 1 */
    uint8_t *pixels;     /* [n, size(x_shape)] of images as bytes, in place of x; NULL: there is x */
    bnn_shape y_shape;   /* of one row of y: [y_dim], or [H,W] of a map of classes */
    bnn_x_file x_file;   /* of features that stay there, in place of x and pixels */
};

/* Number i of x[n, size(x_shape)], whether it is kept as a byte or not. */
static inline double bnn_table_value(const bnn_table *t, size_t i) { return t->pixels ? t->pixels[i] : t->x[i]; }

/* Says whether targets of this shape are maps of classes: no others have more than one dimension. */
static inline bool bnn_is_map(bnn_shape y_shape) { return y_shape.rank > 1; }

enum {
    BNN_MOST_CLASSES = 1000000 /* largest n_classes of a table */
};

/* A table of zeros with n rows; texts are "", names are NULL and allocated by the caller. Refuses what does not fit into memory, and more
 * than BNN_MOST_CLASSES. */
bnn_status bnn_table_new(int n, bnn_shape x_shape, int y_dim, int n_classes, bnn_table **out);

/* The same for images of bytes: x is NULL, and `pixels` are zeros. y_shape: [y_dim], or [H,W] where n_classes is above 0. */
bnn_status bnn_table_new_images(int n, bnn_shape x_shape, bnn_shape y_shape, int n_classes, bnn_table **out);

/* Makes numbers of bytes, x in the place of pixels, for those who change them. */
bnn_status bnn_table_numbers(bnn_table *table);

/* Refuses values that are not finite, class indices out of range and weights below 0, naming row (counted from 1) and column. */
bnn_status bnn_table_check(const bnn_table *table);

/* Gives rows the weights with which all classes weigh the same: n / (classes x rows of the class), n of all rows, or of the training rows
 * of the first split. Refuses real targets, maps, rows that have weights, and a class without rows. */
bnn_status bnn_table_balance(bnn_table *table);

/* Splits given by the rows' order [count, n] and roles [count, n], which become the table's (allocated by malloc); refuses what is no
 * permutation or not sorted by role. On failure both stay the caller's. */
bnn_status bnn_table_set_splits(bnn_table *table, int count, int *order, int8_t *role, const char *origin);

/* Means and standard deviations, of the training rows by their weights, in double. */
struct bnn_scaling {
    int x_size;            /* columns of x */
    int y_dim;             /* columns of y */
    double *x_mean, *x_sd; /* [x_size] */
    double *y_mean, *y_sd; /* [y_dim]; 0 and 1 for classes */
};

/* Standardised rows. Borrows the table; owns the rest. Rows of images stay the table's bytes, and are standardised when they are taken. */
struct bnn_data {
    const bnn_table *table; /* borrowed */
    int n;                  /* rows of this view */
    int *rows;              /* [n] rows of the table, in the listed order */
    bnn_shape x_shape;      /* of one row of x */
    int y_dim, n_classes;   /* as in the table */
    bnn_real *x;            /* [n, size(x_shape)] standardised; NULL: bytes to be taken, or a stretch; bnn_data_fill makes it */
    bnn_real *y;          /* [n, y_dim] standardised, or class indices; NULL, with y_dim = n_classes = 0, where the table has no targets */
    bnn_scaling scaling;  /* by which x and y were standardised */
    double *weight;       /* [n] of the rows; NULL: every row weighs 1 */
    bnn_shape y_shape;    /* of one row of y, as in the table */
    bnn_real *stretch;    /* [n_stretch, size(x_shape)] standardised rows from `first` on (bnn_data_spread); NULL: all are in x */
    int first, n_stretch; /* of the view; all of it where x holds all rows */
};

/* Numbers of room that bnn_data_take wants for so many rows: none where x is there. Neither is for data that hold a stretch alone. */
size_t bnn_data_room(const bnn_data *data, int rows);
/* x[n, in] of the rows [from, from+n), standardised: where they stand in x, else in room. Thread-safe. */
const bnn_real *bnn_data_take(const bnn_data *data, int from, int n, bnn_real *room);
/* Makes x of all rows, for those who read it; it stays until the data are freed. Thread-safe, also beside bnn_data_take. */
bnn_status bnn_data_fill(const bnn_data *data);

/* Weight of all rows: their sum, or n where each weighs 1. */
double bnn_data_weight(const bnn_data *data);

/* Mean 0 and sd 1 of every column: values stay as they are. */
bnn_status bnn_scaling_identity(int x_size, int y_dim, bnn_scaling *out);
bnn_status bnn_scaling_copy(const bnn_scaling *from, bnn_scaling *to); /* to is filled anew and owns its arrays */
void bnn_scaling_free(bnn_scaling *scaling);                           /* frees what is inside */

#ifdef __cplusplus
}
#endif

#endif
