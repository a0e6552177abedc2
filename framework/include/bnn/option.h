/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * option.h: one table per type says what can be set, and yields parsing, printing, defaults, range checks and help.
 *
 * Grammar of an option text:  [value {',' value}] {',' key '=' value}
 * Values come in table order until the first key=value. A value may hold braces, {...}, inside which commas do not separate: a nested spec
 * is written name{options}, e.g. prior=gauss{sd=2}.
 */
#ifndef BNN_OPTION_H
#define BNN_OPTION_H

#include <bnn/number.h>
#include <bnn/real.h>
#include <bnn/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What an option is: in parentheses the type of its field. */
typedef enum {
    BNN_OPTION_INT,    /* int */
    BNN_OPTION_REAL,   /* double; "inf" is a number */
    BNN_OPTION_CHOICE, /* int, an index into choices */
    BNN_OPTION_TEXT,   /* char *, owned by the conf, never NULL after parsing */
    BNN_OPTION_SHAPE   /* bnn_shape, written 3x32x32 */
} bnn_option_kind;

/* One option of a type. */
typedef struct {
    const char *name;           /* key of key=value */
    bnn_option_kind kind;       /* of its value */
    size_t offset;              /* of the field in the conf struct */
    const char *preset;         /* the default, as text */
    double min, max;            /* closed range of INT and REAL; both 0: unlimited */
    const char *const *choices; /* of CHOICE, NULL-terminated */
    const char *help;           /* one line, with the unit */
} bnn_option;                   /* a table ends with a zeroed entry */

size_t bnn_option_size(bnn_option_kind kind); /* bytes of its field in the conf struct; 0 of an unknown kind */

/* Sets every field to its default, then reads text ("" or NULL: defaults). On failure conf holds nothing that needs freeing. Without a
 * table only an empty text is right. */
bnn_status bnn_options_parse(const bnn_option *table, const char *text, void *conf);

/* Sets one field; on failure conf is unchanged. */
bnn_status bnn_options_set(const bnn_option *table, void *conf, const char *name, const char *value);

const bnn_option *bnn_options_find(const bnn_option *table, const char *name); /* NULL if there is none */

/* All options as "key=value,key=value" (a shape that is not known is left out), numbers in the shortest decimals that read back exactly;
 * caller frees. NULL when out of memory. */
char *bnn_options_print(const bnn_option *table, const void *conf);

/* Frees the texts inside conf (not conf itself). */
void bnn_options_free(const bnn_option *table, void *conf);

#ifdef __cplusplus
}
#endif

#endif
