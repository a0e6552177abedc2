/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * option.h: one table per type says what can be set, and yields parsing, printing, defaults, range checks and help.
 *
 * Grammar of an option text:  [value {',' value}] {',' key '=' value}
 * Values come in table order until the first key=value. A value may hold braces, {...}, inside which commas do not separate: a nested spec
 * is written name{options}, e.g. prior=gauss{sd=2}. Words of an option that takes several may stand without them: augment=flip,crop.
 *
 * A table is written by the macros BNN_OPT_..., a line for each option, and ends with {0}. Options that several types share stand in one
 * table of their own, which the tables of these types have as a group.
 */
#ifndef BNN_OPTION_H
#define BNN_OPTION_H

#include <bnn/number.h>
#include <bnn/real.h>
#include <bnn/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The kinds of type that bnn knows by name. */
typedef enum {
    BNN_LAYER,      /* layer.h */
    BNN_ENGINE,     /* engine.h */
    BNN_LIKELIHOOD, /* likelihood.h */
    BNN_PRIOR,      /* prior.h */
    BNN_OPTIMIZER,  /* optimizer.h */
    BNN_N_KINDS     /* their number */
} bnn_kind;

/* The head of every vtable: registry.h. */
typedef struct bnn_type bnn_type;

/* A type with its options set: the common base of every object that a spec text names. */
typedef struct {
    const bnn_type *type; /* borrowed, as all types are */
    void *conf;           /* conf_size bytes, owned */
} bnn_object;

/* Kinds of options: in parentheses the type of the field. */
typedef enum {
    BNN_OPTION_INT,    /* int */
    BNN_OPTION_REAL,   /* double; "inf" is a number */
    BNN_OPTION_CHOICE, /* int, an index into choices */
    BNN_OPTION_TEXT,   /* char *, owned by the conf, never NULL after parsing */
    BNN_OPTION_SHAPE,  /* bnn_shape, written 3x32x32 */
    BNN_OPTION_SPEC,   /* bnn_object, or a struct that begins with one; owned by the conf: a nested spec text, parsed */
    BNN_OPTION_GROUP   /* the struct that another table describes: no option itself, its place is taken by those of the table */
} bnn_option_kind;

/* One option of a type, or a group of them. */
typedef struct bnn_option {
    const char *name;                /* key of key=value; of a group the name of its field */
    bnn_option_kind kind;            /* of its value */
    size_t offset;                   /* of the field in the conf struct */
    const char *preset;              /* the default, as text; of SPEC "" says that the text may be empty, which is an object of zeros */
    double min, max;                 /* closed range of INT and REAL; both 0: unlimited */
    const char *const *choices;      /* of CHOICE, and of TEXT that is words, NULL-terminated */
    bnn_kind of;                     /* of SPEC: what it names */
    const struct bnn_option *group;  /* of GROUP: the table */
    const char *const *group_preset; /* of GROUP: name, preset, name, preset, ..., NULL: those that differ from the table's; may be NULL */
    const char *help;                /* one line, with the unit */
} bnn_option;                        /* a table ends with a zeroed entry */

/* Entries of a table for a field of a conf, which has the option's name; conf_type is the type of the conf: */
#define BNN_OPT_INT(conf_type, field, preset_text, least, most, help_text)                                                              \
    {                                                                                                                                   \
        .name = #field, .kind = BNN_OPTION_INT, .offset = offsetof(conf_type, field), .preset = preset_text, .min = least, .max = most, \
        .help = help_text                                                                                                               \
    }
#define BNN_OPT_REAL(conf_type, field, preset_text, least, most, help_text)                                                              \
    {                                                                                                                                    \
        .name = #field, .kind = BNN_OPTION_REAL, .offset = offsetof(conf_type, field), .preset = preset_text, .min = least, .max = most, \
        .help = help_text                                                                                                                \
    }
#define BNN_OPT_CHOICE(conf_type, field, preset_text, names, help_text)                                                           \
    {                                                                                                                             \
        .name = #field, .kind = BNN_OPTION_CHOICE, .offset = offsetof(conf_type, field), .preset = preset_text, .choices = names, \
        .help = help_text                                                                                                         \
    }
#define BNN_OPT_TEXT(conf_type, field, preset_text, help_text) \
    { .name = #field, .kind = BNN_OPTION_TEXT, .offset = offsetof(conf_type, field), .preset = preset_text, .help = help_text }
/* Words out of a list, NULL-terminated, with commas between them; the text holds them in braces where there are several. */
#define BNN_OPT_WORDS(conf_type, field, preset_text, words, help_text)                                                          \
    {                                                                                                                           \
        .name = #field, .kind = BNN_OPTION_TEXT, .offset = offsetof(conf_type, field), .preset = preset_text, .choices = words, \
        .help = help_text                                                                                                       \
    }
#define BNN_OPT_SHAPE(conf_type, field, preset_text, help_text) \
    { .name = #field, .kind = BNN_OPTION_SHAPE, .offset = offsetof(conf_type, field), .preset = preset_text, .help = help_text }
/* A nested spec text of a kind. */
#define BNN_OPT_SPEC(conf_type, field, kind_of_type, preset_text, help_text)                                                      \
    {                                                                                                                             \
        .name = #field, .kind = BNN_OPTION_SPEC, .offset = offsetof(conf_type, field), .preset = preset_text, .of = kind_of_type, \
        .help = help_text                                                                                                         \
    }
/* All options of a table, for the struct that stands in the field; presets: NULL, or BNN_PRESETS of those that differ. */
#define BNN_OPT_GROUP(conf_type, field, table, presets) \
    { .name = #field, .kind = BNN_OPTION_GROUP, .offset = offsetof(conf_type, field), .group = table, .group_preset = presets }
/* name, preset, name, preset, ... */
#define BNN_PRESETS(...) ((const char *const[]){__VA_ARGS__, NULL})

size_t bnn_option_size(bnn_option_kind kind); /* bytes of its field in the conf struct; 0 of a group and of an unknown kind */

/* Option i of a table, counted through its groups: its offset is that in the whole conf, its preset the one that holds there. false: there
 * are not that many. */
bool bnn_options_at(const bnn_option *table, int i, bnn_option *out);
/* The option of a name, likewise; false if there is none. */
bool bnn_options_find(const bnn_option *table, const char *name, bnn_option *out);

/* Sets every field to its default, then reads text ("" or NULL: defaults). On failure conf holds nothing that needs freeing. Without a
 * table only an empty text is right. */
bnn_status bnn_options_parse(const bnn_option *table, const char *text, void *conf);

/* Sets one field; on failure conf is unchanged. */
bnn_status bnn_options_set(const bnn_option *table, void *conf, const char *name, const char *value);

/* All options as "key=value,key=value" (a shape that is not known is left out), numbers in the shortest decimals that read back exactly,
 * nested specs with all of theirs; caller frees. NULL when out of memory. */
char *bnn_options_print(const bnn_option *table, const void *conf);

/* Frees the texts and objects inside conf (not conf itself). */
void bnn_options_free(const bnn_option *table, void *conf);

/* "name", "name:options" or "name{options}" -> object; free it with bnn_object_free. */
bnn_status bnn_object_parse(bnn_kind kind, const char *text, bnn_object *out);
/* The canonical text, all options written out; caller frees; NULL when out of memory. braces: name{options} instead of name:options. */
char *bnn_object_print(const bnn_object *object, bool braces);
void bnn_object_free(bnn_object *object); /* frees what is inside; an object of zeros is allowed */

#ifdef __cplusplus
}
#endif

#endif
