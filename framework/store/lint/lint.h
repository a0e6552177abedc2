/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * lint.h: what the rules of bnn_file_lint see of a file, and how they say what they find. A rule is a sentence that tells what is
 * expected, and a function that looks whether it is so. Damaged files are looked at, too: nothing that stands in them is trusted.
 */
#ifndef BNN_STORE_LINT_H
#define BNN_STORE_LINT_H

#include "store/hdf5.h"

#include <bnn/store.h>

/* One link and what it leads to. The first is the root; the members of a group stand one after the other. */
typedef struct {
    char *path;          /* owned */
    const char *name;    /* its end */
    int group;           /* where the link stands; of the root -1 */
    int first, members;  /* of a group: its own links; 0 where the group was met before */
    const char *trouble; /* what cannot be read, NULL: nothing */
    H5L_type_t link;
    hid_t id, creation, type; /* < 0: none */
    H5I_type_t kind;          /* H5I_BADID: cannot be opened */
    H5O_info_t info;
    bool is_scale;
    int dimid;                    /* the attribute _Netcdf4Dimid; -1: none */
    int rank;                     /* of a dataset; -1: it has a null dataspace */
    hsize_t extent[H5S_MAX_RANK]; /* [rank] */
    int n_scales[H5S_MAX_RANK];   /* [rank] -1: its scales cannot be found */
    int scale[H5S_MAX_RANK];      /* [rank] the object in the own group or one above; -1: none there */
} bnn_lint_object;

typedef struct {
    const char *name;
    hid_t id, type;
    int rank;
    hsize_t n; /* entries */
} bnn_lint_attribute;

typedef struct bnn_lint_rule bnn_lint_rule;

typedef struct {
    const char *file;
    int n_objects;
    bnn_lint_object *object;   /* [n_objects] */
    const bnn_lint_rule *rule; /* at work */
    const char *where;         /* the object or attribute that it looks at */
    bnn_lint *lint;
    bnn_status status;
} bnn_lint_walk;

typedef enum {
    BNN_LINT_FILE, /* once, at the root */
    BNN_LINT_LINK, /* of any kind, the root included */
    BNN_LINT_OBJECT,
    BNN_LINT_GROUP,
    BNN_LINT_DATASET,
    BNN_LINT_DIMENSION, /* a dataset that is a scale */
    BNN_LINT_VARIABLE,  /* a dataset that is none */
    BNN_LINT_ATTRIBUTE
} bnn_lint_subject;

struct bnn_lint_rule {
    bnn_lint_subject of;
    const char *text; /* what is expected */
    void (*check)(bnn_lint_walk *, const bnn_lint_object *);
    void (*check_attribute)(bnn_lint_walk *, const bnn_lint_object *, const bnn_lint_attribute *);
};

typedef struct {
    const bnn_lint_rule *rule;
    int n;
} bnn_lint_rules;

extern const bnn_lint_rules bnn_lint_layout;        /* the file, its links, groups and dimensions */
extern const bnn_lint_rules bnn_lint_values;        /* types, storage and attributes */
extern const bnn_lint_rules bnn_lint_inferencedata; /* the groups of ArviZ's InferenceData */

/* For rules: what was found, a predicate such as "is of type f16", becomes "<where>: <found>: <text of the rule>". */
void bnn_lint_find(bnn_lint_walk *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Says whether there is no room, which ends the walk. */
bool bnn_lint_lacks(bnn_lint_walk *w, const void *room);
/* Opens an attribute, to be closed; false: what it holds cannot be read, and nothing is open. */
bool bnn_lint_open(hid_t object, const char *name, bnn_lint_attribute *a);
void bnn_lint_close(bnn_lint_attribute *a);

/* The text of an attribute of one entry, of fixed or variable length; owned, NULL: there is none. */
char *bnn_lint_text(bnn_lint_walk *w, hid_t object, const char *attribute);
/* The whole number of an attribute of one entry; -1: there is none. */
int bnn_lint_int(hid_t object, const char *attribute);
/* A member of a group (an index of objects), -1: none. */
int bnn_lint_member(const bnn_lint_walk *w, int group, const char *name);
/* Says whether two dimensions agree in extent and values; of more than 2^24 values only the extents are compared. */
bool bnn_lint_same_dimension(const bnn_lint_object *a, const bnn_lint_object *b);

#endif
