/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * grid_search: choose an engine's options by validation log-likelihood, then refit: how dropout probabilities are usually tuned, and the
 * baseline that learned probabilities save.
 *
 * Every cell of the grid is one whole fit on 1 - share of the training rows, scored by its mean predictive log-likelihood on the rest. The
 * seed draws that rest, of each class its share; validation=last takes the last rows, as the published UCI protocol does. All cells share
 * one noise stream: differences between them are differences of the options. The best cell is fitted again on all training rows.
 */
#include <bnn/file.h>
#include <bnn/holder.h>
#include <bnn/jobs.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    bnn_object engine;
    char *grid;
    bnn_holdout_conf holdout;
    int samples;
} conf;

static const bnn_option options[] = {
    BNN_OPT_SPEC(conf, engine, BNN_ENGINE, "mc_dropout", "the engine whose options are searched, as name or name{options}"),
    BNN_OPT_TEXT(conf, grid, "{p=0.001|0.005|0.01|0.05|0.1}",
                 "{key=value|value, ...}: key is an option of the engine, likelihood.OPTION, prior.OPTION, or LABEL.OPTION of a layer"),
    BNN_HOLDOUT_OPTIONS(conf, holdout),
    BNN_OPT_INT(conf, samples, "1000", 1, 1e9, "draws of the predictive distribution for a score"),
    {0}};

enum { MOST_KEYS = 8, MOST_CELLS = 100000 };

typedef struct {
    char *name;
    int n;
    char **value; /* [n] */
} key;

typedef struct {
    char *engine, *net, *likelihood, *prior; /* texts with this cell's values */
    bnn_engine *fit;
    double share; /* progress of the fit */
} cell;

enum { CHOSEN, BEST, N_COUNTERS }; /* search.counter: whether all cells are scored; which is best */

typedef struct {
    int n_keys, n_cells;
    uint64_t counter[N_COUNTERS];
    key key[MOST_KEYS];
    cell *cell;
    uint64_t *done; /* [n_cells] whether the cell's fit is over */
    double *ll;     /* [n_cells] its validation log-likelihood from then on */
    bnn_holdout rows;
    bnn_engine *chosen; /* the refit */
    double *column;     /* [n_keys + 2, n_cells] the keys' values, ll, gradients; the last two NaN until all cells are scored */
    char *remark;
} search;

/* ---------------------------------------------------------------- the grid */

static bnn_status add_value(key *k, const char *text) {
    double number;
    if (!bnn_number_parse(text, &number)) return bnn_fail(BNN_ERR_OPTION, "grid: value '%s' of '%s' is not a number", text, k->name);
    char **more = realloc(k->value, (size_t)(k->n + 1) * sizeof *more);
    if (!more) return bnn_oom("the grid");
    k->value = more;
    return (k->value[k->n++] = strdup(text)) ? BNN_OK : bnn_oom("the grid");
}

/* "key=value|value" */
static bnn_status read_key(char *text, key *k) {
    char *sign = strchr(text, '='), *rest = sign ? sign + 1 : NULL;
    if (!sign || sign == text) return bnn_fail(BNN_ERR_SYNTAX, "grid: '%s' is not of the form key=value|value", text);
    *sign = '\0';
    if (!(k->name = strdup(text))) return bnn_oom("the grid");
    for (char *value; (value = strsep(&rest, "|"));) BNN_TRY(add_value(k, value));
    return BNN_OK;
}

static bnn_status read_grid(const char *text, search *g) {
    size_t length = strlen(text);
    if (length < 2 || text[0] != '{' || text[length - 1] != '}')
        return bnn_fail(BNN_ERR_SYNTAX, "grid: '%s' is not of the form {key=value|value, ...}", text);
    char *copy = strndup(text + 1, length - 2), *rest = copy;
    bnn_status s = copy ? BNN_OK : bnn_oom("the grid");
    double cells = 1;
    for (char *item; s == BNN_OK && (item = strsep(&rest, ",;"));) {
        item += strspn(item, " ");
        if (g->n_keys == MOST_KEYS)
            s = bnn_fail(BNN_ERR_OPTION, "grid: more than %d keys", MOST_KEYS);
        else
            s = read_key(item, &g->key[g->n_keys++]);
        if (s == BNN_OK) cells *= g->key[g->n_keys - 1].n;
    }
    free(copy);
    BNN_TRY(s);
    if (cells > MOST_CELLS) return bnn_fail(BNN_ERR_OPTION, "grid: %g cells, at most %d are allowed", cells, MOST_CELLS);
    g->n_cells = (int)cells;
    return BNN_OK;
}

/* Which value of key k cell i has: the last key runs fastest. */
static int value_index(const search *g, int i, int k) {
    for (int j = g->n_keys - 1; j > k; j--) i /= g->key[j].n;
    return i % g->key[k].n;
}

static const char *value_of(const search *g, int i, int k) { return g->key[k].value[value_index(g, i, k)]; }

/* ---------------------------------------------------------------- the texts of a cell */

static bnn_status set_in_object(bnn_kind kind, char **text, const char *name, const char *value) {
    bnn_object object;
    BNN_TRY(bnn_object_parse(kind, *text, &object));
    bnn_status s = bnn_options_set(object.type->options, object.conf, name, value);
    if (s < 0) bnn_note(s, "grid: %s '%s'", bnn_kind_name(kind), object.type->name);
    char *new = s == BNN_OK ? bnn_object_print(&object, false) : NULL;
    bnn_object_free(&object);
    BNN_TRY(s);
    if (!new) return bnn_oom("the grid");
    free(*text);
    *text = new;
    return BNN_OK;
}

static bnn_status set_in_net(char **text, const char *label, const char *name, const char *value) {
    bnn_netspec spec;
    char *change = NULL, *new = NULL;
    BNN_TRY(bnn_netspec_parse(*text, &spec));
    bnn_status s = bnn_fail(BNN_ERR_NAME, "grid: '%s' is neither likelihood, prior nor the label of a layer", label);
    for (int i = 0; i < spec.n; i++) {
        if (!spec.s[i].label || strcmp(spec.s[i].label, label) != 0) continue;
        if (asprintf(&change, "%s=%s", name, value) < 0)
            s = bnn_oom("the grid");
        else
            s = bnn_netspec_convert(&spec, i, spec.s[i].type, change);
        free(change);
    }
    if (s == BNN_OK && !(new = bnn_netspec_print(&spec))) s = bnn_oom("the grid");
    bnn_netspec_free(&spec);
    BNN_TRY(s);
    free(*text);
    *text = new;
    return BNN_OK;
}

static bnn_status set_key(cell *c, const char *name, const char *value) {
    const char *dot = strchr(name, '.');
    char owner[64];
    if (!dot) return set_in_object(BNN_ENGINE, &c->engine, name, value);
    snprintf(owner, sizeof owner, "%.*s", (int)(dot - name), name);
    if (strcmp(owner, "likelihood") == 0) return set_in_object(BNN_LIKELIHOOD, &c->likelihood, dot + 1, value);
    if (strcmp(owner, "prior") == 0) return set_in_object(BNN_PRIOR, &c->prior, dot + 1, value);
    return set_in_net(&c->net, owner, dot + 1, value);
}

static bnn_status write_cell(const bnn_engine *e, search *g, int i) {
    cell *c = &g->cell[i];
    g->ll[i] = -INFINITY;
    for (int k = 0; k < g->n_keys; k++) g->column[k * g->n_cells + i] = bnn_number_read(value_of(g, i, k), NULL);
    for (int k = g->n_keys; k < g->n_keys + 2; k++) g->column[k * g->n_cells + i] = NAN;
    c->engine = bnn_object_print(&((const conf *)e->object.conf)->engine, false);
    c->net = strdup(e->plain_net);
    c->likelihood = strdup(e->texts.likelihood);
    c->prior = strdup(e->texts.prior);
    if (!c->engine || !c->net || !c->likelihood || !c->prior) return bnn_oom("the grid");
    for (int k = 0; k < g->n_keys; k++) BNN_TRY(set_key(c, g->key[k].name, value_of(g, i, k)));
    return BNN_OK;
}

static bnn_status open_cell(const bnn_engine *e, const cell *c, const bnn_data *data, uint64_t tag, int together, bnn_engine **out) {
    bnn_texts texts = {.net = c->net, .likelihood = c->likelihood, .prior = c->prior};
    return bnn_holder_open_text(c->engine, &texts, data, bnn_rng_split(bnn_rng_split(e->rng, BNN_STREAM_INNER), tag), together, out);
}

enum { CELLS, REFIT }; /* tags of the streams */

/* ---------------------------------------------------------------- hooks */

static bnn_status adapt(const void *options_set, bnn_netspec *net) { return bnn_holder_adapt(&((const conf *)options_set)->engine, net); }

static bnn_status open(bnn_engine *e, const bnn_data *data) {
    const conf *c = e->object.conf;
    search *g = e->state;
    BNN_TRY(read_grid(c->grid, g));
    BNN_TRY(bnn_holdout_open(data, &c->holdout, bnn_rng_split(e->rng, BNN_STREAM_HOLDOUT), &g->rows));
    g->cell = calloc((size_t)g->n_cells, sizeof *g->cell);
    g->done = calloc((size_t)g->n_cells, sizeof *g->done);
    g->ll = calloc((size_t)g->n_cells, sizeof *g->ll);
    g->column = calloc((size_t)(g->n_keys + 2) * (size_t)g->n_cells, sizeof *g->column);
    if (!g->cell || !g->done || !g->ll || !g->column) return bnn_oom("the grid");
    for (int i = 0; i < g->n_cells; i++) { /* cells may differ in size: those to come are taken to be like this one */
        BNN_TRY(write_cell(e, g, i));
        BNN_TRY(open_cell(e, &g->cell[i], g->rows.fit, CELLS, g->n_cells - i, &g->cell[i].fit));
    }
    return BNN_OK;
}

enum { STEPS_AT_ONCE = 16 }; /* threads meet between rounds: not after every short epoch */

/* Some steps of one cell; a cell that leaves the finite numbers is out of the race, not an end to it. */
static bnn_status advance_cell(void *context, int i) {
    bnn_engine *e = context;
    search *g = e->state;
    cell *c = &g->cell[i];
    if (g->done[i]) return BNN_OK;
    for (int k = 0; k < STEPS_AT_ONCE && !g->done[i]; k++) {
        bnn_step step;
        bnn_status s = bnn_engine_step(c->fit, g->rows.fit, &step);
        c->share = step.progress;
        g->done[i] = step.done || s == BNN_ERR_NUMERIC;
        if (s == BNN_ERR_NUMERIC) return BNN_OK;
        BNN_TRY(s);
    }
    if (!g->done[i]) return BNN_OK;
    BNN_TRY(bnn_holder_score(c->fit, g->rows.score, ((const conf *)e->object.conf)->samples, e->rng.key, &g->ll[i]));
    if (isnan(g->ll[i])) g->ll[i] = -INFINITY;
    return BNN_OK;
}

/* Writes the remark: the cells searched, the size of a search with one probability for each gate, and the choice. */
static bnn_status write_remark(bnn_engine *e, search *g) {
    FILE *out = bnn_text_open(&g->remark, NULL);
    if (!out) return bnn_oom("the grid");
    double full = 1;
    int gates = bnn_net_gates(e->model->net);
    fprintf(out, "searched %d cells:", g->n_cells);
    for (int k = 0; k < g->n_keys; k++) {
        bool probability = strcmp(g->key[k].name, "p") == 0;
        full *= probability ? pow(g->key[k].n, gates) : g->key[k].n;
        fprintf(out, "%s %s (%d)", k ? " x" : "", g->key[k].name, g->key[k].n);
        if (probability) fprintf(out, ", the same in all %d gates", gates);
    }
    if (full > g->n_cells) bnn_print_to(out, "; with one p for each gate there would be %.10g", full);
    fprintf(out, "; chose");
    int best = (int)g->counter[BEST];
    for (int k = 0; k < g->n_keys; k++) fprintf(out, " %s=%s", g->key[k].name, value_of(g, best, k));
    bnn_print_to(out, ", validation log-likelihood %.4f", g->ll[best]);
    return bnn_text_close(out, &g->remark) ? BNN_OK : bnn_oom("the grid");
}

static bnn_status begin_refit(bnn_engine *e, const bnn_data *data) {
    search *g = e->state;
    for (int i = 0; i < g->n_cells; i++) {
        bnn_engine_free(g->cell[i].fit);
        g->cell[i].fit = NULL;
    }
    BNN_TRY(write_remark(e, g));
    return open_cell(e, &g->cell[g->counter[BEST]], data, REFIT, 1, &g->chosen);
}

/* All cells are scored: keep the numbers, drop the fits, open the refit. */
static bnn_status choose(bnn_engine *e, search *g, const bnn_data *data) {
    uint64_t *best = &g->counter[BEST];
    for (int i = 0; i < g->n_cells; i++) {
        if (g->ll[i] > g->ll[*best]) *best = (uint64_t)i;
        g->column[g->n_keys * g->n_cells + i] = g->ll[i];
        g->column[(g->n_keys + 1) * g->n_cells + i] = (double)g->cell[i].fit->cost.gradients;
        bnn_holder_count(e, g->cell[i].fit, &(bnn_cost){0});
    }
    if (!isfinite(g->ll[*best])) return bnn_fail(BNN_ERR_NUMERIC, "no cell of the grid has a finite validation log-likelihood");
    g->counter[CHOSEN] = 1;
    return begin_refit(e, data);
}

static bnn_status step(bnn_engine *e, const bnn_data *data, bnn_step *out) {
    search *g = e->state;
    if (g->chosen) {
        BNN_TRY(bnn_holder_step(e, g->chosen, data, out));
        out->progress = (g->n_cells + out->progress) / (g->n_cells + 1);
        return BNN_OK;
    }
    BNN_TRY(bnn_jobs_run(g->n_cells, advance_cell, e));
    bool all = true;
    for (int i = 0; i < g->n_cells; i++) {
        all &= g->done[i] != 0;
        out->progress += (g->done[i] ? 1 : g->cell[i].share) / (g->n_cells + 1);
    }
    return all ? choose(e, g, data) : BNN_OK;
}

static void close(bnn_engine *e) {
    search *g = e->state;
    for (int i = 0; g->cell && i < g->n_cells; i++) {
        free(g->cell[i].engine);
        free(g->cell[i].net);
        free(g->cell[i].likelihood);
        free(g->cell[i].prior);
        bnn_engine_free(g->cell[i].fit);
    }
    for (int k = 0; k < g->n_keys; k++) {
        for (int j = 0; j < g->key[k].n; j++) free(g->key[k].value[j]);
        free(g->key[k].value);
        free(g->key[k].name);
    }
    free(g->cell);
    free(g->done);
    free(g->ll);
    free(g->column);
    free(g->remark);
    bnn_holdout_close(&g->rows);
    bnn_engine_free(g->chosen);
}

static const bnn_engine *fitted(const bnn_engine *e) { return ((const search *)e->state)->chosen; }

static int columns(const bnn_engine *e, bnn_column *out) {
    const search *g = e->state;
    for (int k = 0; k < g->n_keys + 2; k++)
        out[k] = (bnn_column){.name = k < g->n_keys    ? g->key[k].name
                                      : k == g->n_keys ? "validation_ll"
                                                       : "gradients",
                              .data = g->column + k * g->n_cells,
                              .length = g->n_cells};
    return g->n_keys + 2;
}

static int blocks(bnn_engine *e, bnn_block *out) {
    search *g = e->state;
    size_t n = (size_t)g->n_cells;
    out[0] = (bnn_block){.name = "counter", .kind = BNN_BLOCK_U64, .data = g->counter, .length = N_COUNTERS};
    out[1] = (bnn_block){.name = "done", .kind = BNN_BLOCK_U64, .data = g->done, .length = n};
    out[2] = (bnn_block){.name = "ll", .kind = BNN_BLOCK_DOUBLE, .data = g->ll, .length = n};
    out[3] = (bnn_block){.name = "columns", .kind = BNN_BLOCK_DOUBLE, .data = g->column, .length = (size_t)(g->n_keys + 2) * n};
    return 4;
}

static bnn_engine *held(bnn_engine *e, int i, const bnn_data **rows) {
    search *g = e->state;
    if (g->chosen) return i == 0 ? g->chosen : NULL;
    *rows = g->rows.fit;
    return i < g->n_cells ? g->cell[i].fit : NULL;
}

static bnn_status resume(bnn_engine *e, const bnn_data *data) {
    const search *g = e->state;
    if (g->counter[BEST] >= (uint64_t)g->n_cells) return bnn_fail(BNN_ERR_FORMAT, "the grid has no cell %d", (int)g->counter[BEST]);
    return g->counter[CHOSEN] ? begin_refit(e, data) : BNN_OK;
}

static const char *remark(const bnn_engine *e) { return ((const search *)e->state)->remark; }

static const char *const checks[] = {"grid_search:engine=mc_dropout{epochs=10,batch=16},grid={p=0.05|0.2}", NULL};

const bnn_engine_type bnn_engine_grid_search = {
    .type = {BNN_TYPE(bnn_engine_type), .name = "grid_search",
             .summary = "another engine's options chosen by validation log-likelihood, then a refit",
             .reference = "Gal & Ghahramani 2016, section 5.3 (the usual tuning)", .conf_size = sizeof(conf), .options = options,
             .checks = checks},
    .state_size = sizeof(search),
    .open = open,
    .step = step,
    .close = close,
    .blocks = blocks,
    .adapt = adapt,
    .fitted = fitted,
    .columns = columns,
    .remark = remark,
    .held = held,
    .resume = resume,
    .fails = "pays a fit for each cell, finds only what is in the grid, and stays a mc_dropout. Seen as: the best value lies at the "
             "end of the grid (bnn info).",
};
