/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * infer.h: what is found out about the columns of a sheet on the way to its schema.
 */
#ifndef BNN_INFER_H
#define BNN_INFER_H

#include "data/sheet.h"

#include <stdint.h>

/* ---- header ---- */

/* Names the columns of a sheet by its first line, of `first` fields, which is still among its cells and taken off where it is a header. A
 * schema tells names from values; NULL: nobody knows the names. */
bnn_status bnn_sheet_name_columns(bnn_sheet *sheet, int first, const bnn_csv_options *how, const bnn_schema *like);

/* ---- sparse rows ---- */

/* Looks whether the first row is one of "label index:value ..."; for a schema of such rows the label may be left out. NULL: there is none.
 */
bool bnn_libsvm_recognise(const char *text, const bnn_schema *like);
/* Fills a sheet from its text; columns of `like` (NULL: none are known) are there even where no row names them. */
bnn_status bnn_libsvm_read(const bnn_schema *like, bnn_sheet *sheet);

/* ---- texts that people read as numbers or dates ---- */

/* The kind of a text that is no number in the notation asked for. */
typedef enum {
    BNN_MARK_NONE,     /* a text */
    BNN_MARK_NOTATION, /* a number in another notation, such as "1,234" */
    BNN_MARK_EXPONENT, /* "1.0D+02" */
    BNN_MARK_PERCENT,  /* "12%" */
    BNN_MARK_CURRENCY, /* "$12" */
    BNN_MARK_BRACKETS, /* "(12)", as accountants write -12 */
    BNN_MARK_QUOTES,   /* "'12'" */
    BNN_MARK_MINUS,    /* a minus that is not that of ASCII */
    BNN_MARK_HEX,      /* "0x1F" */
    BNN_MARK_FORMULA,  /* "=A1+1", ="012" */
    BNN_MARK_ERROR,    /* "5\u00B11" */
    BNN_MARK_BOUND,    /* "<0.5" */
    BNN_MARK_PARTS,    /* "5'11", "48\u00B051\u2032N" */
    BNN_MARK_DIGITS,   /* digits of another script */
    BNN_MARK_UNIT,     /* "12 kg" */
    BNN_MARK_DATE,     /* a date, a time, or both */
    BNN_MARK_ABSENT    /* "-", "none": what is often written for a missing value */
} bnn_mark_kind;

typedef struct {
    bnn_mark_kind kind;
    char decimal, thousands; /* that read it, of BNN_MARK_NOTATION */
    bool clear;              /* no other notation reads it as another number */
    char unit[16];           /* of BNN_MARK_UNIT */
    bool known_unit;         /* it is one, or stands behind a blank: "1st" has none, "12 xy" and "12kg" have one */
} bnn_mark;

bnn_mark bnn_mark_of(const char *text);

/* Says what is wrong with such a text and what to do, to stand behind it: "'12%' is a percentage: ...". */
void bnn_mark_advice(const bnn_mark *mark, const char *text, char *advice, size_t size);

/* ---- different texts ---- */

/* A set of texts, which it owns. All zeros is an empty one. */
typedef struct {
    char **slot;
    size_t size, used;
} bnn_text_set;
bool bnn_text_set_add(bnn_text_set *set, const char *text); /* false: there is no memory */
char **bnn_text_set_take(bnn_text_set *set, int *n);        /* its texts, in no order, [n], now the caller's; the set is empty */

/* ---- columns ---- */

enum {
    BNN_UNASKED = -1, /* a role beside those of bnn_column_role: nobody has asked for the column yet */
    BNN_LEFT_OUT = -2,
    BNN_FEW = 10 /* a target of no more whole numbers may be meant as classes */
};

/* The readings of a number beside that as a number. */
enum {
    BNN_DATE_DAY = 1,         /* 20200131 */
    BNN_DATE_MONTH = 2,       /* 202001 */
    BNN_DATE_SECONDS = 4,     /* since 1970, from 2000 on */
    BNN_DATE_MILLISECONDS = 8 /* likewise */
};

/* The findings of one pass over the rows in a column. */
typedef struct {
    int numbers, missing, texts;
    int first_text, first_missing, first_infinite; /* rows; -1: there is none */
    int first_code;                                /* row of a number that loses digits: 01234, or a long one; -1: there is none */
    int marked;                                    /* numbers that are such by the marks that were asked for */
    double sum, first, last, least, greatest;      /* of the numbers */
    double above;                                  /* the least number that is not `least`; infinite: there is none */
    bool whole;                                    /* all numbers are */
    bool steps;                                    /* each number is the one before and 1 */
    unsigned dates;                                /* what each number can be read as, of BNN_DATE_ */
    double few[BNN_FEW];                           /* different numbers */
    int n_few;                                     /* beyond BNN_FEW: there are more */
    uint64_t hash;                                 /* of the values in their order */
} bnn_column_facts;

typedef struct {
    bnn_sheet *sheet;
    const bnn_csv_options *how; /* decimal is set */
    int *role;                  /* [cols] a bnn_column_role, BNN_UNASKED or BNN_LEFT_OUT */
    int *target;                /* [n_targets] columns, in the order asked for */
    int n_targets;
    bool *levels;            /* [cols] its values are asked to be categories */
    bnn_column_facts *facts; /* [cols] */
    bnn_schema *schema;
} bnn_inference;

static inline char *bnn_sheet_cell(const bnn_sheet *s, int row, int c) { return s->cell[(size_t)row * (size_t)s->cols + (size_t)c]; }

/* Refuses a feature that is a target again; remarks on all that is doubtful in columns and on what became categories. */
bnn_status bnn_inference_doubts(const bnn_inference *in);

#endif
