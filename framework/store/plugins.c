/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * plugins.c: which plugins a run was made with: attributes of /provenance, one entry for each plugin.
 *
 * A plugin counts as used if a type of it makes the run: a node, the likelihood, the prior, an engine, the engines that it holds, and what
 * an option of one of these names (engine=..., optimizer=...).
 */
#include "types/spec.h"
#include "parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char group[] = "/provenance";

/* ---- which ones ---- */

static int count_plugins(void) {
    int n = 0;
    while (bnn_plugin_at(n)) n++;
    return n;
}

static int number_of(const bnn_plugin *p) {
    int i = 0;
    while (bnn_plugin_at(i) != p) i++;
    return i;
}

static void use_type(const bnn_type *type, bool *used) {
    const bnn_plugin *of = bnn_plugin_of(type);
    if (of) used[number_of(of)] = true;
}

static void use_object(const bnn_object *object, bool *used) {
    bnn_option o;
    if (!object->type) return;
    use_type(object->type, used);
    for (int i = 0; bnn_options_at(object->type->options, i, &o); i++)
        if (o.kind == BNN_OPTION_SPEC) use_object((const bnn_object *)((const char *)object->conf + o.offset), used);
}

static void use_engine(const bnn_engine *engine, bool *used) {
    const bnn_engine_type *type = bnn_engine_vtable(engine);
    const bnn_model *m = engine->model;
    use_object(&engine->object, used);
    use_object(&m->likelihood.object, used);
    use_object(&m->prior.object, used);
    for (int i = 0; i < m->net->n_nodes; i++) use_object(&m->net->node[i].layer.object, used);
    const bnn_engine *inner = type->fitted ? type->fitted(engine) : NULL;
    if (inner) use_engine(inner, used);
    for (int i = 0; type->held && (inner = type->held((bnn_engine *)engine, i, &(const bnn_data *){NULL})); i++) /* only read here */
        use_engine(inner, used);
}

/* ---- writing ---- */

/* "layer swish, prior horseshoe"; owned. */
static char *types_text(const bnn_plugin *p) {
    char *text = NULL;
    FILE *out = bnn_text_open(&text, NULL);
    if (!out) return NULL;
    for (int k = 0; k < p->n; k++) fprintf(out, "%s%s %s", k ? ", " : "", bnn_kind_name(p->types[k].kind), p->types[k].type->name);
    return bnn_text_close(out, &text);
}

enum { NAME, VERSION, PATH, SHA256, TYPES, N_COLUMNS };
static const char *const column[N_COLUMNS] = {"plugin_names", "plugin_versions", "plugin_paths", "plugin_sha256", "plugin_types"};

static void put_plugin(bnn_h5_writer *w, const bnn_plugin *p, char *text[N_COLUMNS]) {
    text[NAME] = (char *)p->name, text[VERSION] = (char *)p->version, text[PATH] = (char *)p->path, text[SHA256] = (char *)p->sha256;
    text[TYPES] = types_text(p);
    if (!text[TYPES]) bnn_h5_refuse(w, bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for the names of plugins", w->path));
}

void bnn_store_put_plugins(bnn_h5_writer *w, const bnn_engine *engine) {
    const bnn_plugin *p;
    int n = count_plugins(), n_used = 0;
    bool *used = calloc((size_t)n + 1, sizeof *used);
    char **text = calloc((size_t)n + 1, sizeof *text * N_COLUMNS); /* [N_COLUMNS, n] */
    if (!used || !text) bnn_h5_refuse(w, bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for the names of plugins", w->path));
    if (used && text) use_engine(engine, used);
    for (int i = 0; used && text && (p = bnn_plugin_at(i)); i++) {
        char *row[N_COLUMNS];
        if (!used[i]) continue;
        put_plugin(w, p, row);
        for (int c = 0; c < N_COLUMNS; c++) text[c * n + n_used] = row[c];
        n_used++;
    }
    for (int c = 0; n_used > 0 && c < N_COLUMNS; c++) bnn_h5_texts(w, group, column[c], n_used, text + c * n);
    for (int i = 0; i < n_used; i++) free(text[TYPES * n + i]);
    free(text), free(used);
}

/* ---- reading ---- */

void bnn_store_get_plugins(bnn_h5_reader *r, bnn_outline *o) {
    char **text[N_COLUMNS] = {0};
    int n = bnn_h5_has_attribute(r, group, column[NAME]) ? bnn_h5_count_attribute(r, group, column[NAME]) : 0;
    if (n == 0) return;
    for (int c = 0; c < N_COLUMNS; c++) text[c] = bnn_h5_get_texts(r, group, column[c], n);
    o->plugin = bnn_h5_room(r, (size_t)n, sizeof *o->plugin);
    bool all = o->plugin;
    for (int c = 0; c < N_COLUMNS; c++) all &= text[c] != NULL;
    if (all) o->n_plugins = n;
    for (int i = 0; all && i < n; i++)
        o->plugin[i] = (bnn_plugin_record){text[NAME][i], text[VERSION][i], text[PATH][i], text[SHA256][i], text[TYPES][i]};
    for (int c = 0; c < N_COLUMNS; c++) {
        for (int i = 0; !all && text[c] && i < n; i++) free(text[c][i]);
        free(text[c]);
    }
}

/* The next "kind name" of a list, cut off in place; false at its end. */
static bool next_type(char **rest, int *kind, const char **name) {
    char *item = strsep(rest, ",");
    if (!item) return false;
    item += strspn(item, " ");
    *name = strchr(item, ' ') ? strchr(item, ' ') + 1 : "";
    for (*kind = 0; *kind < BNN_N_KINDS; ++*kind) {
        size_t length = strlen(bnn_kind_name((bnn_kind)*kind));
        if (strncmp(item, bnn_kind_name((bnn_kind)*kind), length) == 0 && item[length] == ' ') break;
    }
    return true;
}

/* A type that is looked for in the texts of a run. */
typedef struct {
    bnn_kind kind;
    const char *name;
    bool found;
} wanted;

static void compare_name(void *context, bnn_kind kind, const char *name) {
    wanted *w = context;
    w->found |= kind == w->kind && strcmp(name, w->name) == 0;
}

static bnn_status look_in_statement(const bnn_statement *statement, wanted *w) {
    char *text;
    if (asprintf(&text, "%s:%s", statement->type, statement->options) < 0) return bnn_oom("a layer");
    bnn_status s = bnn_spec_walk(BNN_LAYER, text, compare_name, w);
    free(text);
    return s;
}

static bnn_status look_in_net(const char *net, wanted *w) {
    bnn_netspec spec;
    BNN_TRY(bnn_netspec_parse(net, &spec));
    bnn_status s = BNN_OK;
    for (int i = 0; s == BNN_OK && i < spec.n; i++) s = look_in_statement(&spec.s[i], w);
    bnn_netspec_free(&spec);
    return s;
}

/* Says whether a run made of these texts uses a type; every one without texts. */
static bnn_status is_named(const char *engine, const bnn_texts *texts, bnn_kind kind, const char *name, bool *named) {
    wanted w = {.kind = kind, .name = name, .found = !texts};
    if (texts) {
        BNN_TRY(bnn_spec_walk(BNN_ENGINE, engine, compare_name, &w));
        BNN_TRY(bnn_spec_walk(BNN_LIKELIHOOD, texts->likelihood, compare_name, &w));
        BNN_TRY(bnn_spec_walk(BNN_PRIOR, texts->prior, compare_name, &w));
        BNN_TRY(look_in_net(texts->net, &w));
    }
    *named = w.found;
    return BNN_OK;
}

static bnn_status check_type(const char *path, const bnn_plugin_record *p, bnn_kind kind, const char *name) {
    const bnn_type *type;
    if (bnn_type_find(kind, name, &type) < 0)
        return bnn_fail(BNN_ERR_PLUGIN,
                        "%s: was made with the %s '%s' of plugin %s %s, which is not loaded: load %s (SHA-256 %s), with --plugin or "
                        "BNN_PLUGIN_PATH",
                        path, bnn_kind_name(kind), name, p->name, p->version, p->path, p->sha256);
    const bnn_plugin *now = bnn_plugin_of(type);
    if (!now || (strcmp(now->name, p->name) == 0 && strcmp(now->version, p->version) == 0)) return BNN_OK;
    return bnn_fail(
        BNN_ERR_PLUGIN,
        "%s: was made with the %s '%s' of plugin %s %s, loaded is that of %s %s (%s), which may compute something else: load %s "
        "(SHA-256 %s)",
        path, bnn_kind_name(kind), name, p->name, p->version, now->name, now->version, now->path, p->path, p->sha256);
}

static bnn_status check_plugin(const char *path, const bnn_plugin_record *p, const char *engine, const bnn_texts *texts) {
    char *copy = strdup(p->types), *rest = copy;
    const char *name;
    int kind;
    bool named = false;
    bnn_status s = copy ? BNN_OK : bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for the names of plugins", path);
    while (s == BNN_OK && next_type(&rest, &kind, &name)) {
        if (kind == BNN_N_KINDS)
            s = bnn_fail(BNN_ERR_FORMAT, "%s: '%s' is no list of types of a plugin", path, p->types);
        else if ((s = is_named(engine, texts, (bnn_kind)kind, name, &named)) == BNN_OK && named)
            s = check_type(path, p, (bnn_kind)kind, name);
    }
    free(copy);
    return s;
}

void bnn_store_need_plugins(bnn_h5_reader *r, const char *engine, const bnn_texts *texts) {
    bnn_outline o = {0};
    bnn_store_get_plugins(r, &o);
    for (int i = 0; r->status == BNN_OK && i < o.n_plugins; i++) r->status = check_plugin(r->path, &o.plugin[i], engine, texts);
    bnn_store_free_plugins(&o);
}

void bnn_store_free_plugins(bnn_outline *o) {
    for (int i = 0; i < o->n_plugins; i++) {
        bnn_plugin_record *p = &o->plugin[i];
        free(p->name), free(p->version), free(p->path), free(p->sha256), free(p->types);
    }
    free(o->plugin);
}
