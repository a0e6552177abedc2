/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * sheet.h: a table of texts on its way from a file to numbers: file -> sheet (cells) -> schema (what columns mean) -> table.
 */
#ifndef BNN_SHEET_H
#define BNN_SHEET_H

#include <bnn/schema.h>

/* Cells as they stand in a file, blanks around them taken off, header apart. Owns everything. */
typedef struct {
    const char *path; /* borrowed; for sentences */
    int rows, cols;   /* of data, the header not counted */
    bool named;       /* the file has a header; else names are column1, column2, ... */
    bool row_names;   /* the header has no name for the first column, as R writes it; it is called "row_name" */
    char **name;      /* [cols] all different: the second of two columns called a is "a.2" */
    int *twin;        /* [cols] another column that the file calls by the same name; -1: there is none */
    char *text;       /* what cells point into */
    char **cell;      /* [rows, cols] */
    int *line;        /* [rows] where a row begins in the file, counted from 1 */
} bnn_sheet;

/* Reads a file (plain or gzipped, "-" is standard input) as `how` says; what was guessed goes to how->remarks. */
bnn_status bnn_sheet_read(const char *path, const bnn_csv_options *how, bnn_sheet *out);
void bnn_sheet_free(bnn_sheet *sheet); /* what is inside */

/* One cell as a number in the notation of the options or the schema. */
bool bnn_sheet_number(const char *text, char decimal, char thousands, double *value);

/* Says whether a cell is a missing value: empty, ?, NA, nan and the like, or one of `na` (a list with commas; NULL: none). */
bool bnn_sheet_missing(const char *text, const char *na);

/* Order of two texts by their ASCII letters, large and small alike, whatever the locale. */
int bnn_letters_compare(const char *a, const char *b);

/* Infers what the columns of a sheet mean: roles as asked for, kinds, levels. Refuses what is doubtful by its cell, remarks on what was
 * guessed. Rows that how->missing lets go are taken out of the sheet. */
bnn_status bnn_schema_infer(bnn_sheet *sheet, const bnn_csv_options *how, bnn_schema **out);

/* Makes the table that a schema says of a sheet: columns are found by name (or, in a sheet without names, by place where their number is
 * right), others are left out and remarked on. Targets may be missing as a whole: the table has none then. */
bnn_status bnn_schema_apply(const bnn_schema *schema, const bnn_sheet *sheet, const bnn_csv_options *how, bnn_table **out);

#endif
