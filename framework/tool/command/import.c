/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool/tool.h"

#include <bnn/import.h>
#include <stdio.h>
#include <string.h>

#define MOST_FILES 5 /* the format, and up to four files */

typedef struct {
    const char *arg[MOST_FILES], *out;
    int n_args;
    tool_reading reading;
    const char *like;
    bnn_picture_folders pictures;
    bool balance;
    const char *of_pictures; /* the first option of images that was given; NULL: none was */
    bnn_import_about about;
} request;

enum {
    LIKE = 256,
    TITLE,
    SOURCE,
    LICENSE,
    BALANCE,
    SIZE,
    PAD,
    GREY,
    COLOUR,
    RANGE,
    ANNOTATIONS,
    VOID,
    CLASS_NAMES,
    VALIDATION,
    VALIDATION_ANNOTATIONS,
    TEST,
    TEST_ANNOTATIONS
};

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0, "the data file to write (required)", 0},
    {NULL, 't', "COLUMNS", OPTION_HIDDEN, "--target", 0},
    {"like", LIKE, "FILE.h5", 0,
     "of csv: read new rows as those of a run or a data file were read: columns are found by name, "
     "levels and classes have the place they had there",
     0},
    {"balance", BALANCE, NULL, 0, "rows weigh so that all classes weigh the same, in the fit and in its scores", 0},
    {NULL, 0, NULL, 0, "Of images:", 1},
    {"size", SIZE, "WxH", 0,
     "bring pictures to this size: by the mean of areas, or straight lines where they grow; label maps by the nearest pixel", 1},
    {"pad", PAD, "WxH", 0, "put them into the middle of a black frame of this size, void in label maps", 1},
    {"grey", GREY, NULL, 0, "in grey, also where they have colours (default: in colour if any has colours)", 1},
    {"colour", COLOUR, NULL, 0, "in colour, also where all are grey", 1},
    {"range", RANGE, NULL, 0, "scale them as v / 255 (default: by mean and sd of each channel over the training rows)", 1},
    {"annotations", ANNOTATIONS, "FOLDER", 0, "label maps: a PNG called like each picture, with the number of a class for each pixel", 1},
    {"void", VOID, "N", 0, "the number of pixels whose class nobody knows: they count nowhere", 1},
    {"class-names", CLASS_NAMES, "A,B,...", 0, "names of the classes of label maps (default: 0,1,...)", 1},
    {"validation", VALIDATION, "FOLDER", 0, "pictures like those of FOLDER that validate, in one split", 1},
    {"validation-annotations", VALIDATION_ANNOTATIONS, "FOLDER", 0, "their label maps", 1},
    {"test", TEST, "FOLDER", 0, "pictures that test, in the same split", 1},
    {"test-annotations", TEST_ANNOTATIONS, "FOLDER", 0, "their label maps", 1},
    {NULL, 0, NULL, 0, "Kept in the file:", 2},
    {"title", TITLE, "TEXT", 0, "(default: the file's name)", 2},
    {"source", SOURCE, "TEXT", 0, "where the data come from", 2},
    {"license", LICENSE, "TEXT", 0, "SPDX name of their licence", 2},
    {0}};

static bool is_images(const char *format) { return strcmp(format, "images") == 0; }

static bool is_text(const char *format) { return strcmp(format, "csv") == 0 || strcmp(format, "libsvm") == 0; }

static bool fits(const request *r) {
    if (strcmp(r->arg[0], "idx") == 0) return r->n_args == 3 || r->n_args == 5;
    return r->n_args == 2;
}

static void check(const request *r, struct argp_state *state) {
    if (r->n_args == 0) tool_misuse(state, "which format: csv, libsvm, uci, idx or images?");
    const char *format = r->arg[0];
    if (!is_text(format) && !is_images(format) && strcmp(format, "uci") != 0 && strcmp(format, "idx") != 0)
        tool_misuse(state, "'%s' is none of the formats csv, libsvm, uci, idx, images", format);
    if (!fits(r))
        tool_misuse(state, "%s takes %s", format,
                    strcmp(format, "idx") == 0                        ? "two files, or four"
                    : strcmp(format, "uci") == 0 || is_images(format) ? "one folder"
                                                                      : "one file");
    const bool void_alone = r->of_pictures && strcmp(r->of_pictures, "void") == 0 && strcmp(format, "idx") == 0;
    if (r->of_pictures && !is_images(format) && !void_alone) tool_misuse(state, "--%s is for images, not for %s", r->of_pictures, format);
    if (r->reading.used && !is_text(format)) tool_misuse(state, "%s is for csv, not for %s", r->reading.used, format);
    if (r->like && !is_text(format)) tool_misuse(state, "--like is for csv, not for %s", format);
    if (!r->out) tool_misuse(state, "--output: where shall the data file go?");
}

/* The word libsvm says what the text is; csv leaves it to be guessed. */
static void set_format(request *r) {
    if (strcmp(r->arg[0], "libsvm") == 0) r->reading.csv.format = BNN_TEXT_LIBSVM;
}

/* "64x48" */
static void parse_size(const char *option, const char *text, int *width, int *height, const struct argp_state *state) {
    int end = 0;
    bool read = sscanf(text, "%5dx%5d%n", width, height, &end) == 2 && text[end] == '\0';
    if (!read || *width < 1 || *height < 1) tool_misuse(state, "--%s: '%s' is no size such as 64x48, width and height", option, text);
}

/* The name of an option of images. */
static const char *name_of(int key) {
    int i = 0;
    while (options[i].key != key) i++;
    return options[i].name;
}

static error_t parse_pictures(int key, char *arg, struct argp_state *state, request *r) {
    bnn_picture_folders *p = &r->pictures;
    switch (key) {
    case SIZE: parse_size("size", arg, &p->width, &p->height, state); break;
    case PAD: parse_size("pad", arg, &p->frame_width, &p->frame_height, state); break;
    case GREY: p->channels = 1; break;
    case COLOUR: p->channels = 3; break;
    case RANGE: p->range = true; break;
    case ANNOTATIONS: p->annotations = arg; break;
    case VOID: p->void_label = (int)tool_number("--void", arg, 0, 255), p->has_void = true; break;
    case CLASS_NAMES: p->class_names = arg; break;
    case VALIDATION: p->validation = arg; break;
    case VALIDATION_ANNOTATIONS: p->validation_annotations = arg; break;
    case TEST: p->test = arg; break;
    case TEST_ANNOTATIONS: p->test_annotations = arg; break;
    default: return ARGP_ERR_UNKNOWN;
    }
    if (!r->of_pictures) r->of_pictures = name_of(key);
    return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    request *r = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &r->reading, r->about.size = sizeof r->about; return 0;
    case 'o': r->out = arg; return 0;
    case 't': r->reading.csv.targets = arg, r->reading.used = "--target"; return 0;
    case LIKE: r->like = arg; return 0;
    case BALANCE: r->balance = true; return 0;
    case TITLE: r->about.title = arg; return 0;
    case SOURCE: r->about.source = arg; return 0;
    case LICENSE: r->about.license = arg; return 0;
    case ARGP_KEY_ARG:
        if (r->n_args == MOST_FILES) return ARGP_ERR_UNKNOWN;
        r->arg[r->n_args++] = arg;
        return 0;
    case ARGP_KEY_END: check(r, state); return 0;
    default: return parse_pictures(key, arg, state, r);
    }
}

static bnn_status read_like(const request *r, bnn_table **out) {
    bnn_schema *schema;
    BNN_TRY(bnn_schema_load(r->like, &schema));
    bnn_status s = bnn_import_like(r->arg[1], schema, &r->reading.csv, &r->about, out);
    bnn_schema_free(schema);
    return s;
}

static bnn_status read_table(const request *r, bnn_table **out) {
    if (r->like) return read_like(r, out);
    if (is_text(r->arg[0])) return bnn_import_csv(r->arg[1], &r->reading.csv, &r->about, out);
    if (strcmp(r->arg[0], "uci") == 0) return bnn_import_uci(r->arg[1], &r->about, out);
    if (is_images(r->arg[0])) return bnn_import_pictures(&r->pictures, &r->about, out);
    bnn_idx_files files = {.images = r->arg[1],
                           .labels = r->arg[2],
                           .test_images = r->arg[3],
                           .test_labels = r->arg[4],
                           .void_label = r->pictures.void_label,
                           .has_void = r->pictures.has_void,
                           .remarks = r->pictures.remarks};
    return bnn_import_idx(&files, &r->about, out);
}

static bnn_status import(request *r) {
    bnn_table *table = NULL;
    bnn_remarks *remarks;
    for (int i = 1; i < r->n_args; i++) BNN_TRY(tool_output_apart(r->out, r->arg[i], "what is imported"));
    BNN_TRY(tool_output_hdf5(r->out));
    BNN_TRY(bnn_remarks_new(&remarks));
    r->reading.csv.remarks = r->about.remarks = r->pictures.remarks = remarks;
    set_format(r);
    r->pictures.size = sizeof r->pictures, r->pictures.folder = r->arg[1];
    bnn_status s = read_table(r, &table);
    if (s == BNN_OK && r->balance && (s = bnn_table_balance(table)) < 0) bnn_note(s, "--balance");
    if (s == BNN_OK) s = tool_output_claim_table(r->out, table);
    if (s == BNN_OK) s = bnn_table_save(table, r->out);
    if (s == BNN_OK) tool_print_remarks(remarks, stdout), tool_print_table(stdout, "wrote", r->out, table);
    bnn_table_free(table);
    bnn_remarks_free(remarks);
    return s;
}

static int run(int argc, char **argv) {
    static const struct argp_child children[] = {{&tool_reading_argp, 0, NULL, 0}, {&tool_output_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .children = children,
        .args_doc = "csv FILE -o OUT.h5\nlibsvm FILE -o OUT.h5\nuci FOLDER -o OUT.h5\nidx IMAGES LABELS [TEST_IMAGES TEST_LABELS] -o "
                    "OUT.h5\nimages FOLDER -o OUT.h5",
        .doc =
            "Makes a data file out of a table of texts (csv, libsvm), a folder of the published UCI sets (uci), images in IDX (plain or "
            "gzipped), or pictures in PNG and JPEG: folders of classes, or pictures with label maps (images).\v"
            "csv: plain or gzipped, - is standard input; in UTF-8, UTF-16 or Latin-1. Fields are separated by commas, semicolons, tabs, | "
            "or "
            "blanks, which is guessed, and may be quoted. What was guessed is printed, what looks wrong is a warning. A column of texts "
            "becomes one column for each value, a target of texts becomes classes in the order of their names. Missing values are refused "
            "unless --missing says otherwise, and so are dates and numbers with marks, such as 1,234 or 12%: by row and column, where rows "
            "are counted from 1, without the header. New rows for a fit are read by its columns' names (--like), or by `bnn predict` "
            "itself.\n\n"
            "Examples:\n  bnn import csv boston.csv --target medv -o boston.h5\n  bnn import csv iris.csv --target species -o iris.h5\n"
            "  bnn import csv umsatz.csv --decimal , --thousands . --missing mean --id Kunde -o umsatz.h5\n"
            "  bnn import csv new.csv --like run.h5 -o new.h5\n"
            "  bnn import uci UCI_Datasets/yacht/data -o yacht.h5\n"
            "  bnn import idx train-images-idx3-ubyte.gz train-labels-idx1-ubyte.gz t10k-images-idx3-ubyte.gz t10k-labels-idx1-ubyte.gz "
            "-o mnist.h5\n"
            "  bnn import images dogs/train --test dogs/val --size 64x64 -o dogs.h5\n"
            "  bnn import images camvid/train --annotations camvid/trainannot --validation camvid/val --validation-annotations "
            "camvid/valannot --void 11 --size 120x90 --pad 120x96 -o camvid.h5"};
    request r = {0};
    tool_parse(&argp, argc, argv, &r);
    return import(&r) < 0 ? tool_fail() : 0;
}

const command command_import = {
    .name = "import", .summary = "make a data file out of csv, libsvm, uci or idx files, or of pictures", .run = run};
