/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * new.c: `bnn new-layer` and its like, which write a folder to begin a plugin with. What is written stands in templates/.
 */
#include "tool/tool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Made by templates.awk: of each file its name, its lines and NULL; NULL behind the last file. */
extern const char *const tool_template_layer[],
    *const tool_template_engine[], *const tool_template_likelihood[], *const tool_template_prior[], *const tool_template_optimizer[];

typedef struct {
    const char *name;
    char *folder; /* without slashes at its end */
} request;

static const struct argp_option options[] = {{"output", 'o', "FOLDER", 0, "the folder to write (default: NAME)", 0}, {0}};

static char *without_slashes(const char *path) {
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') length--;
    return strndup(path, length);
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    request *r = state->input;
    switch (key) {
    case 'o':
        free(r->folder);
        r->folder = without_slashes(arg);
        return r->folder ? 0 : ENOMEM;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) return ARGP_ERR_UNKNOWN;
        r->name = arg;
        return 0;
    case ARGP_KEY_END:
        if (!r->name) tool_misuse(state, "which name?");
        if (!r->folder && !(r->folder = strdup(r->name))) return ENOMEM;
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static bnn_status out_of_memory(void) { return bnn_fail(BNN_ERR_MEMORY, "out of memory"); }

/* The name of a file, in two parts: "name.c" is called like the type. */
static bool is_named(const char *file) { return strncmp(file, "name.", strlen("name.")) == 0; }
static const char *head_of(const char *file, const char *name) { return is_named(file) ? name : ""; }
static const char *rest_of(const char *file) { return is_named(file) ? file + strlen("name") : file; }

static char *path_of(const char *folder, const char *file, const char *name) {
    char *path;
    return asprintf(&path, "%s/%s%s", folder, head_of(file, name), rest_of(file)) < 0 ? NULL : path;
}

static void put_line(FILE *out, const char *line, const char *name) {
    static const char mark[] = "@name@";
    for (const char *at; (at = strstr(line, mark)); line = at + strlen(mark)) fprintf(out, "%.*s%s", (int)(at - line), line, name);
    fputs(line, out);
}

static bnn_status save(const char *path, const char *const *lines, const char *name) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = bnn_text_open(&text, &size);
    if (!out) return out_of_memory();
    while (*lines) put_line(out, *lines++, name);
    bnn_status s = bnn_text_close(out, &text) ? tool_save(text, size, path) : out_of_memory();
    free(text);
    return s;
}

static bnn_status save_files(const char *folder, const char *const *template, const char *name) {
    bnn_status s = BNN_OK;
    while (s == BNN_OK && *template) {
        char *path = path_of(folder, *template, name);
        s = path ? save(path, template + 1, name) : out_of_memory();
        free(path);
        while (*template ++) continue;
    }
    return s;
}

/* Under another name first: the folder is there with all its files, or not at all. */
static bnn_status write_folder(const request *r, const char *const *template) {
    bnn_draft *draft;
    BNN_TRY(bnn_draft_open(r->folder, true, &draft));
    bnn_status s = save_files(bnn_draft_name(draft), template, r->name);
    if (s == BNN_OK) return bnn_draft_commit(draft);
    bnn_draft_drop(draft);
    return s;
}

static bnn_status make(bnn_kind kind, const request *r, const char *const *template) {
    const bnn_type *twin;
    struct stat about;
    const char *what = bnn_kind_name(kind);
    if (!bnn_is_word(r->name))
        return bnn_fail(BNN_ERR_NAME, "'%s' cannot be the name of a type: it takes letters, digits and _, and no digit first", r->name);
    if (bnn_type_find(kind, r->name, &twin) == BNN_OK) {
        const bnn_plugin *from = bnn_plugin_of(twin);
        return bnn_fail(BNN_ERR_NAME, "%s '%s' exists already%s%s", what, r->name, from ? ", in " : "", from ? from->path : "");
    }
    if (lstat(r->folder, &about) == 0)
        return bnn_fail(BNN_ERR_FILE, "%s: exists already, and stays: name another folder with -o", r->folder);
    BNN_TRY(tool_output_ready(r->folder));
    BNN_TRY(write_folder(r, template));
    printf("wrote %s:", tool_line(r->folder));
    for (const char *const *file = template; *file; file++) {
        printf(" %s%s", head_of(*file, r->name), rest_of(*file));
        while (*++file) continue;
    }
    fputs("\nnext: cd ", stdout);
    tool_argument_write(stdout, r->folder);
    puts(" && make check");
    return BNN_OK;
}

static int run(bnn_kind kind, const struct argp *argp, const char *const *template, int argc, char **argv) {
    request r = {0};
    tool_parse(argp, argc, argv, &r);
    int status = make(kind, &r, template) < 0 ? tool_fail() : 0;
    free(r.folder);
    return status;
}

static int run_layer(int argc, char **argv) {
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "NAME",
        .doc =
            "Writes a folder to begin a layer with: a plugin that builds, passes `bnn check` and trains as it is, its contract explained "
            "hook by hook; a Makefile and a meson.build that find bnn by pkg-config; a network text to try it with. Nothing is "
            "overwritten.\vExamples:\n  bnn new-layer swish\n  bnn new-layer swish -o work/swish"};
    return run(BNN_LAYER, &argp, tool_template_layer, argc, argv);
}

static int run_engine(int argc, char **argv) {
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "NAME",
        .doc =
            "Writes a folder to begin an inference engine with: a plugin that builds, passes `bnn check` and fits as it is, its contract "
            "explained hook by hook; a Makefile and a meson.build that find bnn by pkg-config; a network text to try it with. Nothing "
            "is overwritten.\vExamples:\n  bnn new-engine slice\n  bnn new-engine slice -o work/slice"};
    return run(BNN_ENGINE, &argp, tool_template_engine, argc, argv);
}

#define TERM_DOC(kind, name)                                                                                                      \
    "Writes a folder to begin " kind " with: a plugin that builds, passes `bnn check` and works in a fit as it is, its contract " \
    "explained hook by hook; a Makefile and a meson.build that find bnn by pkg-config; commands to try it with. Nothing is "      \
    "overwritten.\vExamples:\n  bnn new-" name

static int run_likelihood(int argc, char **argv) {
    static const struct argp argp = {
        .options = options, .parser = parse, .args_doc = "NAME", .doc = TERM_DOC("a likelihood", "likelihood huber")};
    return run(BNN_LIKELIHOOD, &argp, tool_template_likelihood, argc, argv);
}

static int run_prior(int argc, char **argv) {
    static const struct argp argp = {.options = options, .parser = parse, .args_doc = "NAME", .doc = TERM_DOC("a prior", "prior spike")};
    return run(BNN_PRIOR, &argp, tool_template_prior, argc, argv);
}

static int run_optimizer(int argc, char **argv) {
    static const struct argp argp = {
        .options = options, .parser = parse, .args_doc = "NAME", .doc = TERM_DOC("an optimiser", "optimizer nadam")};
    return run(BNN_OPTIMIZER, &argp, tool_template_optimizer, argc, argv);
}

const command command_new_layer = {.name = "new-layer", .summary = "write a folder to begin a layer of your own with", .run = run_layer};
const command command_new_engine = {
    .name = "new-engine", .summary = "write a folder to begin an engine of your own with", .run = run_engine};
const command command_new_likelihood = {
    .name = "new-likelihood", .summary = "write a folder to begin a likelihood of your own with", .run = run_likelihood};
const command command_new_prior = {.name = "new-prior", .summary = "write a folder to begin a prior of your own with", .run = run_prior};
const command command_new_optimizer = {
    .name = "new-optimizer", .summary = "write a folder to begin an optimiser of your own with", .run = run_optimizer};
