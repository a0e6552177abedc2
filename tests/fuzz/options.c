/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * options.c: texts of a fit, as the command line takes them, out of the option tables of all types: what a hostile user would set. A run
 * that opens is printed, and opens again from what it printed; no step is made (fits.c).
 * Input: a byte (kind of rows), then an engine, layers of a network, a likelihood and a prior. Each is a byte (which type), and for each of
 * its options a byte: left out, an end of its range, its preset, a choice, a nested type, or the bytes up to a form feed.
 */
#include "helpers.h"
#include "target.h"

#include <bnn/fit.h>
#include <bnn/number.h>
#include <bnn/registry.h>
#include <bnn/spec_json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Members are opened one by one, and wide layers are drawn weight by weight: what takes time and memory that are there is no fault. */
enum { ROWS = 12, DEEPEST = 3, MOST_LAYERS = 3, MOST_MEMBERS = 5, WIDEST = 64 };

static void write_object(FILE *out, target_input *in, bnn_kind kind, int depth);

static const bnn_type *type_of(bnn_kind kind, unsigned which) {
    const bnn_type *type = NULL;
    for (unsigned i = 0; i <= which; i++)
        if (!(type = bnn_type_next(kind, type))) type = bnn_type_next(kind, NULL);
    return type;
}

static void write_end(FILE *out, bnn_kind kind, const bnn_option *o, double end) {
    char text[BNN_NUMBER_TEXT];
    if (kind == BNN_LAYER && o->kind == BNN_OPTION_INT && end > WIDEST) end = WIDEST;
    if (strcmp(o->name, "members") == 0 && end > MOST_MEMBERS) end = MOST_MEMBERS;
    fputs(bnn_number_print(end, text), out);
}

static void write_value(FILE *out, target_input *in, bnn_kind kind, const bnn_option *o, unsigned how, int depth) {
    bool number = o->kind == BNN_OPTION_INT || o->kind == BNN_OPTION_REAL;
    int n = 0;
    while (o->choices && o->choices[n]) n++;
    if (how % 4 == 0)
        fputs(o->preset, out);
    else if (number && how % 4 < 3)
        write_end(out, kind, o, how % 4 == 1 ? o->min : o->max);
    else if (n > 0 && how % 4 < 3)
        fputs(o->choices[how / 4 % (unsigned)n], out);
    else if (o->kind == BNN_OPTION_SPEC && depth < DEEPEST && how % 4 < 3)
        write_object(out, in, o->of, depth + 1);
    else {
        char *text = target_text(in);
        fputs(text, out);
        free(text);
    }
}

static void write_object(FILE *out, target_input *in, bnn_kind kind, int depth) {
    const bnn_type *type = type_of(kind, target_byte(in) % 64);
    bnn_option o;
    const char *mark = depth > 0 ? "{" : ":";
    fputs(type->name, out);
    for (int i = 0; bnn_options_at(type->options, i, &o); i++) {
        unsigned how = target_byte(in);
        if (how < 128) continue;
        fprintf(out, "%s%s=", mark, o.name);
        write_value(out, in, kind, &o, how, depth);
        mark = ",";
    }
    if (depth > 0 && *mark == ',') fputs("}", out);
}

static char *object_of(target_input *in, bnn_kind kind) {
    char *text;
    FILE *out = open_memstream(&text, &(size_t){0});
    write_object(out, in, kind, 0);
    fclose(out);
    return text;
}

static char *net_of(target_input *in) {
    char *text;
    FILE *out = open_memstream(&text, &(size_t){0});
    for (unsigned n = target_byte(in) % (MOST_LAYERS + 1); n > 0; n--) write_object(out, in, BNN_LAYER, 0), fputs("; ", out);
    fputs("flatten; dense", out);
    fclose(out);
    return text;
}

static void try_run(const bnn_config *config, const bnn_data *rows) {
    bnn_run *run, *again;
    if (!target_told(bnn_run_new(config, rows, &run))) return;
    free(bnn_spec_json(run->engine));
    const bnn_config printed = {.net = bnn_run_net(run),
                                .engine = bnn_run_engine(run),
                                .likelihood = bnn_run_likelihood(run),
                                .prior = bnn_run_prior(run),
                                .seed = 1};
    if (bnn_run_new(&printed, rows, &again) < 0 || strcmp(bnn_run_net(again), printed.net) != 0 ||
        strcmp(bnn_run_engine(again), printed.engine) != 0) {
        fprintf(stderr, "'%s' on '%s' does not open again: %s\n", printed.engine, printed.net, bnn_error());
        abort();
    }
    bnn_run_free(again), bnn_run_free(run);
}

static bnn_data *rows_new(unsigned how) {
    bnn_table *t = table_new(ROWS, how & 1 ? 32 : 3, how & 2 ? 3 : 0, 1);
    if (how & 1) t->x_shape = (bnn_shape){.rank = 3, .d = {2, 4, 4}};
    return data_new(t); /* which borrows the table for ever */
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    static bnn_data *rows[4];
    target_input in = {bytes, n};
    unsigned how = target_byte(&in) % 4;
    if (!rows[how]) rows[how] = rows_new(how);
    char *engine = object_of(&in, BNN_ENGINE), *net = net_of(&in);
    char *likelihood = object_of(&in, BNN_LIKELIHOOD), *prior = object_of(&in, BNN_PRIOR);
    try_run(&(bnn_config){.net = net, .engine = engine, .likelihood = likelihood, .prior = prior, .seed = 1}, rows[how]);
    free(net), free(engine), free(likelihood), free(prior);
    return 0;
}
