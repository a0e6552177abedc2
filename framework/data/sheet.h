/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * sheet.h: a table of texts on its way from a file to numbers: file -> sheet (cells) -> schema (what columns mean) -> table.
 */
#ifndef BNN_SHEET_H
#define BNN_SHEET_H

#include <bnn/number.h>
#include <bnn/schema.h>

/* Numbers in memory that are the cells of a column: every stride-th one, of which NaN is a missing value. */
typedef struct {
    const double *number; /* NULL: the cells are texts */
    const double *absent; /* likewise: not 0 where a value is missing; NULL: nowhere */
    size_t stride;
} bnn_sheet_numbers;

/* Cells as they stand in a file, blanks around them taken off, header apart. Owns everything. */
typedef struct {
    const char *path;                 /* borrowed; for sentences */
    int rows, cols;                   /* of data, the header not counted */
    int blanks;                       /* rows without anything that were left out */
    bool named;                       /* the file has a header; else names are column1, column2, ... */
    char delimiter;                   /* that ended its fields; 0: nothing did */
    bool listed;                      /* files of a folder list which column is what, no options */
    bool row_names;                   /* the header has no name for the first column, as R writes it; it is called "row_name" */
    char **name;                      /* [cols] all different: the second of two columns called a is "a.2" */
    int *twin;                        /* [cols] another column that the file calls by the same name; -1: there is none */
    char *text;                       /* what cells point into */
    char **cell;                      /* [rows, cols] */
    const bnn_sheet_numbers *numbers; /* [cols] cells that are read as they are, with no text; NULL: none */
    int *line;                        /* [rows] where a row begins in the file, counted from 1 */
} bnn_sheet;

/* Reads a file (plain or gzipped, "-" is standard input) as `how` says; what was guessed goes to how->remarks. A schema tells a line of
 * names from one of values; NULL: nobody knows the names. */
bnn_status bnn_sheet_read(const char *path, const bnn_csv_options *how, const bnn_schema *like, bnn_sheet *out);
void bnn_sheet_free(bnn_sheet *sheet);                                          /* what is inside */
bnn_status bnn_sheet_tell_blanks(const bnn_sheet *sheet, bnn_remarks *remarks); /* how many rows without anything were left out */

/* One cell as a number in the notation of the options or the schema. */
bool bnn_sheet_number(const char *text, char decimal, char thousands, double *value);

/* Says whether a cell is a missing value: empty, ?, NA, nan and the like, or one of `na` (a list with commas; NULL: none). */
bool bnn_sheet_missing(const char *text, const char *na);

/* Says whether a column has no values at all. */
bool bnn_sheet_empty(const bnn_sheet *sheet, int c, const char *na);

/* The text of a number of a column, which reads back as the same one; "" where it is missing. */
const char *bnn_sheet_print(const bnn_sheet_numbers *numbers, int row, char decimal, char text[BNN_NUMBER_TEXT]);

/* Order of two texts by their ASCII letters, large and small alike, whatever the locale. */
int bnn_letters_compare(const char *a, const char *b);

/* Fails with a sentence that begins with a cell, and tells its line where that does not follow from the row. */
bnn_status bnn_sheet_fail(const bnn_sheet *sheet, int row, int c, const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Fails with a cell that is no number of a column that was fitted to, and says in which notation it is one. */
bnn_status bnn_sheet_refuse_number(const bnn_sheet *sheet, int row, int c, const char *text);

/* Infers what the columns of a sheet mean: roles as asked for, kinds, levels. Refuses what is doubtful by its cell, remarks on what was
 * guessed. Rows that how->missing lets go are taken out of the sheet. */
bnn_status bnn_schema_infer(bnn_sheet *sheet, const bnn_csv_options *how, bnn_schema **out);

/* Remarks on what is doubtful in the columns of a table of numbers whose files list them, and refuses a feature that is a target again, as
 * where the table is made of texts. path names it in sentences. */
bnn_status bnn_table_doubt(const bnn_table *table, const char *path, bnn_remarks *remarks);

/* Makes a new sheet fit a schema. Columns without names get those of the schema, where their number is right; others than its own are
 * remarked on, and refused where one of them is called like one of its own; rows that how->missing lets go are taken out. */
bnn_status bnn_sheet_match(bnn_sheet *sheet, const bnn_schema *schema, const bnn_csv_options *how);

int bnn_sheet_find(const bnn_sheet *sheet, const char *name); /* a column; -1: there is none of this name */
/* Calls take(context, column) for each column of a list of names and numbers with commas, which may also be one name, commas and all; a
 * name with commas stands in quotes, as in the file. NULL: there is none. */
bnn_status bnn_sheet_columns(const bnn_sheet *sheet, const char *list, bnn_status (*take)(void *context, int column), void *context);

/* Takes the rows out that lack a value in a column that is needed[cols], and says how many. */
bnn_status bnn_sheet_drop_rows(bnn_sheet *sheet, const bool *needed, const char *na, bnn_remarks *remarks);

/* The schema with further ids, columns of the sheet in a list as above; owned. */
bnn_status bnn_schema_with_ids(const bnn_schema *schema, const bnn_sheet *sheet, const char *ids, bnn_schema **out);

/* The table's own schema, copied, or, where it has none, one made of its names; NULL where it has no names either. */
bnn_status bnn_schema_of(const bnn_table *table, bnn_schema **out);

/* Says whether two schemas, which may be NULL, make the same table of the same file. */
bool bnn_schema_same(const bnn_schema *a, const bnn_schema *b);

/* Makes the table that a schema says of a sheet: columns are found by name, whatever else there is. Marks of numbers and missing values are
 * those of `how`, else of the schema. Targets may be missing as a whole: the table has none then. */
bnn_status bnn_schema_apply(const bnn_schema *schema, const bnn_sheet *sheet, const bnn_csv_options *how, bnn_table **out);

#endif
