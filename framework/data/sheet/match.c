/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * match.c: makes a new sheet fit the schema that it is to be read by: names for its columns, what is too many of them, rows to leave out.
 */
#include "data/sheet.h"

#include <bnn/remark.h>
#include <stdlib.h>
#include <string.h>

static bool is_in(const bnn_schema *schema, const char *name) {
    for (int k = 0; k < schema->n; k++)
        if (strcmp(schema->column[k].name, name) == 0) return true;
    return false;
}

/* ---- columns without names ---- */

/* Which columns of the schema a file without names has. */
typedef enum { ALL, ALL_BUT_TARGETS, FEATURES, OTHERS } presence;

static bool is_present(const bnn_schema_column *c, presence which) {
    return which == ALL || c->role == BNN_COLUMN_FEATURE || (which == ALL_BUT_TARGETS && c->role != BNN_COLUMN_TARGET);
}

static int count_present(const bnn_schema *s, presence which) {
    int n = 0;
    for (int k = 0; k < s->n; k++) n += is_present(&s->column[k], which);
    return n;
}

/* Says what follows from the number of columns. */
static presence find_presence(const bnn_sheet *s, const bnn_schema *schema) {
    if (s->cols == schema->cols) return ALL;
    if (s->cols == count_present(schema, ALL_BUT_TARGETS)) return ALL_BUT_TARGETS;
    return s->cols == count_present(schema, FEATURES) ? FEATURES : OTHERS;
}

static bool rename_column(bnn_sheet *s, int c, const char *name) {
    free(s->name[c]);
    return (s->name[c] = strdup(name));
}

/* Calls the columns as those of the schema, by their place in its file or, where targets are not there, in order. */
static bnn_status name_by_place(bnn_sheet *s, const bnn_schema *schema, presence which, bnn_remarks *remarks) {
    bool done = true;
    int next = 0;
    for (int k = 0; done && k < schema->n; k++) {
        const bnn_schema_column *c = &schema->column[k];
        if (is_present(c, which)) done = rename_column(s, which == ALL ? c->place - 1 : next++, c->name);
    }
    if (!done) return bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for %d columns", s->path, s->cols);
    char names[512] = "";
    for (int c = 0; c < s->cols; c++) bnn_list_add(names, sizeof names, s->name[c]);
    return bnn_remarks_add(remarks, BNN_REMARK_WARNING, "by_place", "%s does not name its columns: they are taken for %s", s->path, names);
}

static bnn_status name_columns(bnn_sheet *s, const bnn_schema *schema, bnn_remarks *remarks) {
    presence which = find_presence(s, schema);
    if (s->named || which == OTHERS) return BNN_OK;
    for (int c = 0; c < s->cols; c++)
        if (is_in(schema, s->name[c])) return BNN_OK; /* the other file had no names either */
    return name_by_place(s, schema, which, remarks);
}

/* ---- further ids ---- */

typedef struct {
    bnn_schema *schema;
    const bnn_sheet *sheet;
} addition;

static bnn_status add_id(void *context, int column) {
    const addition *a = context;
    bnn_schema *s = a->schema;
    const char *name = a->sheet->name[column];
    for (int k = 0; k < s->n; k++)
        if (strcmp(s->column[k].name, name) == 0)
            return s->column[k].role == BNN_COLUMN_ID
                       ? BNN_OK
                       : bnn_fail(BNN_ERR_NAME, "%s: column '%s' is one that was fitted: it is no id", a->sheet->path, name);
    bnn_schema_column *more = realloc(s->column, (size_t)(s->n + 1) * sizeof *more);
    if (!more) return bnn_oom("the columns of a schema");
    s->column = more;
    more[s->n] = (bnn_schema_column){.name = strdup(name), .role = BNN_COLUMN_ID, .kind = BNN_COLUMN_TEXT};
    return more[s->n++].name ? BNN_OK : bnn_oom("the columns of a schema");
}

bnn_status bnn_schema_with_ids(const bnn_schema *schema, const bnn_sheet *sheet, const char *ids, bnn_schema **out) {
    BNN_TRY(bnn_schema_copy(schema, out));
    bnn_status s = bnn_sheet_columns(sheet, ids, add_id, &(addition){*out, sheet});
    if (s < 0) bnn_schema_free(*out), *out = NULL;
    return s;
}

/* ---- columns too many ---- */

static bnn_status check_twins(const bnn_sheet *s, const bnn_schema *schema) {
    for (int c = 0; c < s->cols; c++)
        if (s->twin[c] >= 0 && is_in(schema, s->name[c]) && !is_in(schema, s->name[s->twin[c]]))
            return bnn_fail(BNN_ERR_NAME, "%s: columns %d and %d are both called '%s'", s->path, c + 1, s->twin[c] + 1, s->name[c]);
    return BNN_OK;
}

typedef struct {
    const bnn_schema *schema;
    const bnn_sheet *sheet;
} fitted;

static bnn_status check_dropped(void *context, int column) {
    const fitted *f = context;
    const char *name = f->sheet->name[column];
    for (int k = 0; k < f->schema->n; k++)
        if (f->schema->column[k].role != BNN_COLUMN_ID && strcmp(f->schema->column[k].name, name) == 0)
            return bnn_fail(BNN_ERR_NAME, "%s: column '%s' is one that was fitted: it cannot be left out%s", f->sheet->path, name,
                            f->schema->column[k].role == BNN_COLUMN_TARGET ? " but by --target none" : "");
    return BNN_OK;
}

static bnn_status remark_others(const bnn_sheet *s, const bnn_schema *schema, bnn_remarks *remarks) {
    char names[512] = "";
    for (int c = 0; c < s->cols; c++)
        if (!is_in(schema, s->name[c])) bnn_list_add(names, sizeof names, s->name[c]);
    return *names ? bnn_remarks_add(remarks, BNN_REMARK_NOTE, "other_columns", "columns that the fit did not have, left out: %s", names)
                  : BNN_OK;
}

/* ---- rows that lack a value ---- */

/* Says whether a missing value of this column makes its row go. */
static bool must_be_there(const bnn_schema_column *c, bool targets) {
    return c->role != BNN_COLUMN_ID && !c->indicator && (targets || c->role != BNN_COLUMN_TARGET);
}

static bnn_status leave_rows_out(bnn_sheet *s, const bnn_schema *schema, const bnn_csv_options *how) {
    const char *na = how->na ? how->na : schema->na;
    bool targets = !how->targets, *needed = calloc((size_t)s->cols + 1, sizeof *needed);
    if (!needed) return bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for %d columns", s->path, s->cols);
    for (int k = 0; k < schema->n; k++) {
        int c = bnn_sheet_find(s, schema->column[k].name);
        bool target = schema->column[k].role == BNN_COLUMN_TARGET;
        if (c >= 0) needed[c] = must_be_there(&schema->column[k], targets) && !(target && bnn_sheet_empty(s, c, na));
    }
    bnn_status status = bnn_sheet_drop_rows(s, needed, na, how->remarks);
    free(needed);
    return status;
}

bnn_status bnn_sheet_match(bnn_sheet *sheet, const bnn_schema *schema, const bnn_csv_options *how) {
    BNN_TRY(name_columns(sheet, schema, how->remarks));
    BNN_TRY(check_twins(sheet, schema));
    BNN_TRY(bnn_sheet_columns(sheet, how->drop, check_dropped, &(fitted){schema, sheet}));
    BNN_TRY(remark_others(sheet, schema, how->remarks));
    return how->missing == BNN_MISSING_DROP ? leave_rows_out(sheet, schema, how) : BNN_OK;
}
