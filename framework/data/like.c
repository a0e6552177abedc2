/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * like.c: new rows, read by the schema of others: files of text, tables and columns in memory -> cells -> table. So names and levels are
 * matched in one place (sheet/match.c and sheet/fill.c), whatever the rows come from.
 */
#include "base/sized.h"
#include "import.h"
#include "sheet.h"

#include <bnn/file.h>
#include <bnn/number.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- cells ---- */

/* Where the cells of one column come from. */
typedef struct {
    const char *name;
    bnn_sheet_numbers numbers;
    const char *(*text)(const void *context, int column, int row); /* where there are no numbers; NULL is a missing value */
} source;

typedef struct {
    const char *path;
    int rows, cols;
    const source *source; /* [cols] */
    const void *context;
    char decimal;
    bool as_numbers; /* numbers are read as they are: nothing is asked of their texts */
} origin;

/* The texts of all numbers, each with NUL at its end, row by row; owned, NULL: there is no memory. */
static char *print_numbers(const origin *o) {
    char *text = NULL;
    FILE *out = bnn_text_open(&text, NULL);
    if (!out) return NULL;
    for (int row = 0; row < o->rows && !o->as_numbers; row++)
        for (int c = 0; c < o->cols; c++) {
            char number[BNN_NUMBER_TEXT];
            if (!o->source[c].numbers.number) continue;
            fputs(bnn_sheet_print(&o->source[c].numbers, row, o->decimal, number), out);
            fputc('\0', out);
        }
    return bnn_text_close(out, &text);
}

static void set_cells(const origin *o, bnn_sheet *s) {
    char *number = s->text, **cell = s->cell;
    for (int row = 0; row < o->rows; row++) {
        s->line[row] = row + 2; /* behind one of names */
        for (int c = 0; c < o->cols; c++, cell++) {
            bool is_number = o->source[c].numbers.number;
            const char *text = is_number ? NULL : o->source[c].text(o->context, c, row);
            if (!is_number)
                *cell = (char *)(text ? text : "");
            else if (!o->as_numbers)
                *cell = number, number += strlen(number) + 1;
        }
    }
}

static bool set_names(const origin *o, bnn_sheet *s) {
    for (int c = 0; c < o->cols; c++) {
        s->twin[c] = -1;
        if (!(s->name[c] = strdup(o->source[c].name))) return false;
    }
    return true;
}

/* The numbers of all columns; false: there is no memory. */
static bool set_numbers(const origin *o, bnn_sheet *s) {
    bnn_sheet_numbers *numbers = o->as_numbers ? malloc(((size_t)o->cols + 1) * sizeof *numbers) : NULL;
    for (int c = 0; numbers && c < o->cols; c++) numbers[c] = o->source[c].numbers;
    s->numbers = numbers;
    return numbers || !o->as_numbers;
}

/* A sheet whose cells borrow the texts and numbers of the origin. */
static bnn_status make_sheet(const origin *o, bnn_sheet *s) {
    size_t rows = (size_t)o->rows, cols = (size_t)o->cols;
    *s = (bnn_sheet){.path = o->path, .rows = o->rows, .cols = o->cols, .named = true, .text = print_numbers(o)};
    s->name = calloc(cols + 1, sizeof *s->name), s->twin = malloc((cols + 1) * sizeof *s->twin);
    s->cell = calloc(rows * cols + 1, sizeof *s->cell), s->line = malloc((rows + 1) * sizeof *s->line);
    if (s->text && s->name && s->twin && s->cell && s->line && set_names(o, s) && set_numbers(o, s)) {
        set_cells(o, s);
        return BNN_OK;
    }
    bnn_sheet_free(s);
    return bnn_oom("%d rows of %d columns", o->rows, o->cols);
}

/* Says whether numbers of a program may be read as they are: no text stands for a missing value, and no row is to go. */
static bool takes_numbers(const bnn_schema *like, const bnn_csv_options *how) {
    return !how->na && !like->na && how->missing != BNN_MISSING_DROP;
}

/* ---- files ---- */

static bnn_status apply(bnn_sheet *sheet, const bnn_schema *like, const bnn_csv_options *how, bnn_table **out) {
    bnn_schema *schema;
    BNN_TRY(bnn_schema_with_ids(like, sheet, how->id, &schema));
    bnn_status s = bnn_sheet_match(sheet, schema, how);
    if (s == BNN_OK) s = bnn_schema_apply(schema, sheet, how, out);
    bnn_schema_free(schema);
    return s;
}

static bnn_status read_options(const bnn_csv_options *options, bnn_csv_options *how) {
    return bnn_sized_read("bnn_csv_options", how, sizeof *how, BNN_UP_TO(bnn_csv_options, header), options);
}

/* Reads the options of rows whose columns a schema has told the meaning of. */
static bnn_status open_options(const bnn_schema *like, const bnn_csv_options *options, bnn_csv_options *how) {
    if (!like) return bnn_fail(BNN_ERR_STATE, "there is no schema to read by: the columns that were fitted to have no names");
    BNN_TRY(read_options(options, how));
    bool none = how->targets && strcmp(how->targets, "none") == 0;
    if ((how->targets && !none) || how->weight || how->classes || how->levels)
        return bnn_fail(BNN_ERR_OPTION,
                        "targets, weights, classes and levels are those of the fit: only 'none' can be asked for as target");
    return BNN_OK;
}

/* Says whether any cell has a mark in it. */
static bool has_mark(const bnn_sheet *s, char mark) {
    for (size_t i = 0; i < (size_t)s->rows * (size_t)s->cols; i++)
        if (strchr(s->cell[i], mark)) return true;
    return false;
}

static bnn_status import_text(const char *path, const bnn_schema *like, const bnn_csv_options *how, bnn_table **out) {
    bnn_csv_options reading = *how;
    bnn_sheet sheet;
    if (!reading.decimal) reading.decimal = like->decimal;
    if (!how->decimal && !reading.thousands) reading.thousands = like->thousands;
    if (!reading.comment) reading.comment = like->comment;
    if (!reading.na) reading.na = like->na;
    if (reading.header == BNN_HEADER_GUESS) reading.header = like->header;
    reading.remarks = NULL; /* what is guessed is held against the schema */
    BNN_TRY(bnn_sheet_read(path, &reading, like, &sheet));
    reading.remarks = how->remarks;
    if (!how->decimal && sheet.delimiter == reading.decimal && !has_mark(&sheet, reading.decimal))
        reading.thousands = '\0'; /* the mark of decimals parts the fields: the numbers are written in another way than those of the fit */
    bnn_status s = bnn_sheet_tell_blanks(&sheet, how->remarks);
    if (s == BNN_OK) s = apply(&sheet, like, &reading, out);
    bnn_sheet_free(&sheet);
    return s;
}

bnn_status bnn_import_like(const char *path, const bnn_schema *like, const bnn_csv_options *options, const bnn_import_about *about,
                           bnn_table **out) {
    bnn_csv_options how;
    *out = NULL;
    BNN_TRY(open_options(like, options, &how));
    BNN_TRY(import_text(path, like, &how, out));
    bnn_status s = bnn_import_describe(*out, about, path);
    if (s < 0) bnn_table_free(*out), *out = NULL;
    return s;
}

/* ---- tables ---- */

/* A table and where its columns stand in it. */
typedef struct {
    const bnn_table *table;
    const bnn_schema *schema;
    source *source; /* [cols] */
    int *place;     /* [cols] in x, y or the ids */
    int *field;     /* [cols] the column of the schema */
    int cols;
} layout;

static const char *text_of_table(const void *context, int column, int row) {
    const layout *l = context;
    const bnn_table *t = l->table;
    const bnn_schema_column *c = &l->schema->column[l->field[column]];
    int place = l->place[column];
    if (c->role == BNN_COLUMN_ID) return t->ids[(size_t)place * (size_t)t->n + (size_t)row];
    if (c->role == BNN_COLUMN_TARGET) return c->level[(int)t->y[row]];
    const double *x = t->x + (size_t)row * (size_t)bnn_shape_size(t->x_shape) + place;
    for (int i = 0; i < c->n_levels; i++)
        if (x[i] > 0) return c->level[i];
    return NULL;
}

/* Numbers of a column: `width` to a row, the column's own at `place`. */
static void take_numbers(source *to, const bnn_schema_column *c, const double *numbers, int width, int place) {
    to->numbers = (bnn_sheet_numbers){numbers + place, c->indicator ? numbers + place + 1 : NULL, (size_t)width};
}

static void add_column(layout *l, int field, int place) {
    const bnn_table *t = l->table;
    const bnn_schema_column *c = &l->schema->column[field];
    source *to = &l->source[l->cols];
    *to = (source){.name = c->name, .text = text_of_table};
    l->field[l->cols] = field, l->place[l->cols++] = place;
    if (c->role == BNN_COLUMN_WEIGHT)
        take_numbers(to, c, t->weight, 1, 0);
    else if (c->kind == BNN_COLUMN_NUMBER && c->role == BNN_COLUMN_FEATURE)
        take_numbers(to, c, t->x, bnn_shape_size(t->x_shape), place);
    else if (c->kind == BNN_COLUMN_NUMBER)
        take_numbers(to, c, t->y, t->y_dim, place);
}

/* Says whether the table has this column of its schema: targets may not be known. */
static bool is_there(const bnn_table *t, const bnn_schema_column *c, int place) {
    if (c->role == BNN_COLUMN_TARGET) return place < t->y_dim && (c->kind != BNN_COLUMN_LEVELS || c->n_levels == t->n_classes);
    if (c->role == BNN_COLUMN_ID) return place < t->n_ids;
    return c->role == BNN_COLUMN_FEATURE || t->weight;
}

static bnn_status lay_out(layout *l) {
    int next[] = {[BNN_COLUMN_FEATURE] = 0, [BNN_COLUMN_TARGET] = 0, [BNN_COLUMN_ID] = 0, [BNN_COLUMN_WEIGHT] = 0};
    size_t n = (size_t)l->schema->n + 1;
    l->source = malloc(n * sizeof *l->source), l->place = malloc(n * sizeof *l->place), l->field = malloc(n * sizeof *l->field);
    if (!l->source || !l->place || !l->field) return bnn_oom("%d columns", l->schema->n);
    for (int k = 0; k < l->schema->n; k++) {
        const bnn_schema_column *c = &l->schema->column[k];
        int place = next[c->role];
        next[c->role] += bnn_schema_column_width(c);
        if (is_there(l->table, c, place)) add_column(l, k, place);
    }
    return BNN_OK;
}

/* The cells of a table, which borrow texts of its schema; path names it in sentences. Both are to be freed, whatever comes back. */
static bnn_status open_table(const bnn_table *t, const char *path, char decimal, bool as_numbers, bnn_schema **schema, bnn_sheet *sheet) {
    *sheet = (bnn_sheet){0};
    BNN_TRY(bnn_schema_of(t, schema));
    if (!*schema) return bnn_fail(BNN_ERR_DATA, "the columns of %s have no names: they cannot be matched to those of a schema", path);
    layout l = {.table = t, .schema = *schema};
    bnn_status s = lay_out(&l);
    origin o = {
        .path = path, .rows = t->n, .cols = l.cols, .source = l.source, .context = &l, .decimal = decimal, .as_numbers = as_numbers};
    if (s == BNN_OK) s = make_sheet(&o, sheet);
    free(l.source), free(l.place), free(l.field);
    return s;
}

static void close_table(bnn_schema *schema, bnn_sheet *sheet) {
    bnn_sheet_free(sheet);
    bnn_schema_free(schema);
}

static bnn_status read_table(const bnn_table *t, const bnn_schema *like, const bnn_csv_options *how, bnn_table **out) {
    bnn_schema *schema;
    bnn_sheet sheet;
    bnn_status s = open_table(t, "the table", like->decimal, takes_numbers(like, how), &schema, &sheet);
    if (s == BNN_OK) s = apply(&sheet, like, how, out);
    close_table(schema, &sheet);
    return s;
}

static bool set_text(char **to, const char *text) {
    free(*to);
    return (*to = strdup(text));
}

/* Copies what is known of a table's rows beside their values. */
static bnn_status copy_rest(const bnn_table *from, bnn_table *to) {
    size_t cells = (size_t)from->n_splits * (size_t)from->n;
    if (!set_text(&to->title, from->title) || !set_text(&to->source, from->source) || !set_text(&to->license, from->license))
        return bnn_oom("a table");
    memcpy(to->raw_sha256, from->raw_sha256, sizeof to->raw_sha256), memcpy(to->sha256, from->sha256, sizeof to->sha256);
    to->scale = from->scale, to->range = from->range;
    if (cells == 0) return BNN_OK;
    int *order = malloc(cells * sizeof *order);
    int8_t *role = malloc(cells);
    if (order) memcpy(order, from->order, cells * sizeof *order);
    if (role) memcpy(role, from->role, cells);
    bnn_status s = order && role ? bnn_table_set_splits(to, from->n_splits, order, role, from->split_origin) : bnn_oom("splits");
    if (s < 0) free(order), free(role);
    return s;
}

/* The names of a table's targets as a list, each in quotes; owned, NULL: there is no memory. */
static char *target_list(const bnn_table *t) {
    char *list = NULL;
    FILE *out = bnn_text_open(&list, NULL);
    if (!out) return NULL;
    for (int j = 0; j < t->y_dim; j++) fprintf(out, "%s\"%s\"", j > 0 ? "," : "", t->y_names[j]);
    return bnn_text_close(out, &list);
}

bnn_status bnn_table_doubt(const bnn_table *t, const char *path, bnn_remarks *remarks) {
    char *targets = target_list(t);
    bnn_csv_options how = {.size = sizeof how, .targets = targets, .remarks = remarks};
    bnn_schema *schema = NULL, *inferred = NULL;
    bnn_sheet sheet = {0};
    bnn_status s = targets ? open_table(t, path, '.', false, &schema, &sheet) : bnn_oom("the names of a table");
    sheet.listed = true;
    if (s == BNN_OK) s = bnn_schema_infer(&sheet, &how, &inferred);
    bnn_schema_free(inferred);
    close_table(schema, &sheet);
    free(targets);
    return s;
}

bnn_status bnn_table_like(const bnn_table *table, const bnn_schema *like, const bnn_csv_options *options, bnn_table **out) {
    bnn_csv_options how;
    *out = NULL;
    BNN_TRY(open_options(like, options, &how));
    BNN_TRY(read_table(table, like, &how, out));
    bnn_status s = copy_rest(table, *out);
    if (s < 0) bnn_table_free(*out), *out = NULL;
    return s;
}

/* ---- columns of a program ---- */

static const char *text_of_columns(const void *context, int column, int row) {
    const bnn_columns *c = context;
    return c->texts[column][row];
}

static bnn_status read_columns(const bnn_columns *given, bnn_columns *c) {
    BNN_TRY(bnn_sized_read("bnn_columns", c, sizeof *c, BNN_UP_TO(bnn_columns, texts), given));
    if (c->n < 1 || c->n_columns < 1) return bnn_fail(BNN_ERR_SHAPE, "%d rows of %d columns make no table", c->n, c->n_columns);
    if (!c->names) return bnn_fail(BNN_ERR_DATA, "the array of names is NULL");
    for (int k = 0; k < c->n_columns; k++) {
        bool numbers = c->numbers && c->numbers[k], texts = c->texts && c->texts[k];
        if (!c->names[k]) return bnn_fail(BNN_ERR_DATA, "column %d has no name", k + 1);
        if (numbers == texts)
            return bnn_fail(BNN_ERR_DATA, "column '%s' has %s: it must have either numbers or texts", c->names[k],
                            texts ? "numbers and texts" : "neither numbers nor texts");
    }
    return BNN_OK;
}

static source *sources_of(const bnn_columns *c) {
    source *list = calloc((size_t)c->n_columns, sizeof *list);
    for (int k = 0; list && k < c->n_columns; k++)
        list[k] = (source){.name = c->names[k], .numbers = {c->numbers ? c->numbers[k] : NULL, NULL, 1}, .text = text_of_columns};
    return list;
}

static bnn_status fill_sheet(const bnn_columns *c, char decimal, bool as_numbers, bnn_sheet *sheet) {
    source *list = sources_of(c);
    origin o = {.path = "the columns",
                .rows = c->n,
                .cols = c->n_columns,
                .source = list,
                .context = c,
                .decimal = decimal,
                .as_numbers = as_numbers};
    bnn_status s = list ? make_sheet(&o, sheet) : bnn_oom("%d columns", c->n_columns);
    free(list);
    return s;
}

bnn_status bnn_columns_like(const bnn_columns *columns, const bnn_schema *like, const bnn_csv_options *options, bnn_table **out) {
    bnn_csv_options how;
    bnn_columns c;
    bnn_sheet sheet;
    *out = NULL;
    BNN_TRY(open_options(like, options, &how));
    BNN_TRY(read_columns(columns, &c));
    BNN_TRY(fill_sheet(&c, like->decimal, takes_numbers(like, &how), &sheet));
    bnn_status s = apply(&sheet, like, &how, out);
    bnn_sheet_free(&sheet);
    return s;
}

bnn_status bnn_import_columns(const bnn_columns *columns, const bnn_csv_options *options, bnn_table **out) {
    bnn_csv_options how;
    bnn_columns c;
    bnn_sheet sheet;
    bnn_schema *schema = NULL;
    *out = NULL;
    BNN_TRY(read_options(options, &how));
    BNN_TRY(read_columns(columns, &c));
    how.decimal = '.', how.thousands = '\0';
    BNN_TRY(fill_sheet(&c, '.', false, &sheet));
    bnn_status s = bnn_schema_infer(&sheet, &how, &schema);
    if (s == BNN_OK) s = bnn_schema_apply(schema, &sheet, &how, out);
    bnn_schema_free(schema);
    bnn_sheet_free(&sheet);
    return s;
}
