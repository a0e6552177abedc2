/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * table.c: option tables with groups, read as one flat list.
 */
#include <bnn/option.h>

#include <string.h>

size_t bnn_option_size(bnn_option_kind kind) {
    switch (kind) {
    case BNN_OPTION_INT:
    case BNN_OPTION_CHOICE: return sizeof(int);
    case BNN_OPTION_REAL: return sizeof(double);
    case BNN_OPTION_TEXT: return sizeof(char *);
    case BNN_OPTION_SHAPE: return sizeof(bnn_shape);
    case BNN_OPTION_SPEC: return sizeof(bnn_object);
    case BNN_OPTION_GROUP: break;
    }
    return 0;
}

/* Lets an option of a group stand in the conf that holds the group. */
static void enter_group(const bnn_option *group, bnn_option *o) {
    o->offset += group->offset;
    for (const char *const *own = group->group_preset; own && own[0]; own += 2)
        if (strcmp(own[0], o->name) == 0) o->preset = own[1];
}

/* As bnn_options_at; *i falls by the options that were passed. */
static bool take(const bnn_option *table, int *i, bnn_option *out) {
    for (const bnn_option *o = table; o && o->name; o++) {
        if (o->kind == BNN_OPTION_GROUP) {
            if (!take(o->group, i, out)) continue;
            enter_group(o, out);
            return true;
        }
        if ((*i)-- > 0) continue;
        *out = *o;
        return true;
    }
    return false;
}

bool bnn_options_at(const bnn_option *table, int i, bnn_option *out) { return take(table, &i, out); }

bool bnn_options_find(const bnn_option *table, const char *name, bnn_option *out) {
    for (int i = 0; bnn_options_at(table, i, out); i++)
        if (strcmp(out->name, name) == 0) return true;
    return false;
}
