/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool/tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Scaling of the numbers that the network was trained on. GUESS: FILE_SAYS where the file says it, else NONE. */
typedef enum { GUESS = -1, NONE, X, XY, FILE_SAYS } scaling_kind;
static const char *const scaling_names[] = {"none", "x", "xy", "file"};
enum { N_SCALINGS = sizeof scaling_names / sizeof *scaling_names };

typedef struct {
    tool_job job;
    tool_reading reading;
    const char *path, *engine, *out, *order;
    int split;
    bool split_given;
    scaling_kind scaling;
    bnn_weights *weights;
    bnn_table *rows, *made; /* --data; a table without rows where those have no targets */
} request;

enum { SCALING = 256, ORDER };

static const struct argp_option options[] = {
    {"scaling", SCALING, "none|x|xy|file", 0,
     "what the network was trained on: columns as they are (none), standardised by the training rows of --data (x), the target too (xy), "
     "or "
     "scaled as the file's group /scaling says (default: file where there is that group, else none)",
     0},
    {"order", ORDER, "NAME,NAME,...", 0,
     "the layers that hold weights, in their order in the network: where the file has none and several would fit; layers named here are "
     "dense ones, whatever their names say",
     0},
    {"split", 'k', "K", 0, "training rows: those of split K, or 'all' (default: split 0 where the data have splits)", 0},
    {"engine", 'e', "TEXT", 0, "how to predict (default: map); mc_dropout:p=0.1 puts gates before the dense layers", 0},
    {"output", 'o', "FILE", 0, "the run file to write", 0},
    {0}};

static scaling_kind parse_scaling(const char *arg, struct argp_state *state) {
    for (int k = 0; k < N_SCALINGS; k++)
        if (strcmp(arg, scaling_names[k]) == 0) return (scaling_kind)k;
    tool_misuse(state, "--scaling: '%s' is none of none, x, xy, file", arg);
}

static void check(const request *r, struct argp_state *state) {
    if (!r->path) tool_misuse(state, "which file of weights?");
    if (!r->job.net) tool_misuse(state, "--net is missing: the network that was trained, such as --net 'dense:50; relu; dense'");
    if (!r->out) tool_misuse(state, "-o is missing: the run file to write");
    if (!r->job.data && r->split_given) tool_misuse(state, "--split: there are no data to split: name them with --data");
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    request *r = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &r->job, state->child_inputs[1] = &r->reading; return 0;
    case ORDER: r->order = arg; return 0;
    case SCALING: r->scaling = parse_scaling(arg, state); return 0;
    case 'k':
        r->split = tool_split(arg);
        r->split_given = true;
        return 0;
    case 'e': r->engine = arg; return 0;
    case 'o': r->out = arg; return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) return ARGP_ERR_UNKNOWN;
        r->path = arg;
        return 0;
    case ARGP_KEY_END: check(r, state); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* ---------------------------------------------------------------- scaling */

static bnn_status standardised(const request *r, const bnn_table *t, bnn_scaling *out) {
    bnn_data *train;
    if (t->n == 0)
        return bnn_fail(BNN_ERR_OPTION, "--scaling %s: needs training rows with targets: name them with --data", scaling_names[r->scaling]);
    BNN_TRY(bnn_data_split(t, r->split, BNN_TRAIN, NULL, &train));
    bnn_status s = bnn_scaling_copy(&train->scaling, out);
    bnn_data_free(train);
    for (int j = 0; s == BNN_OK && r->scaling == X && j < t->y_dim; j++) out->y_mean[j] = 0, out->y_sd[j] = 1;
    return s;
}

static bnn_status find_scaling(request *r, const bnn_table *t, bnn_scaling *out) {
    if (r->scaling == GUESS) r->scaling = r->weights->scaling.x_size > 0 ? FILE_SAYS : NONE;
    if (r->scaling != FILE_SAYS && r->weights->normalization)
        return bnn_fail(BNN_ERR_OPTION, "--scaling %s: %s scales the inputs by its layer '%s': leave --scaling out",
                        scaling_names[r->scaling], r->path, r->weights->normalization);
    if (r->scaling == FILE_SAYS) return bnn_weights_scaling(r->weights, t, out);
    if (r->scaling == NONE) return bnn_scaling_identity(bnn_shape_size(t->x_shape), t->y_dim, out);
    return standardised(r, t, out);
}

static bnn_status remark_scaling(const request *r, bnn_run *run) {
    static const char *const texts[] = {
        [NONE] = "columns and target as they are",
        [X] = "columns standardised by the training rows, target as it is",
        [XY] = "columns and target standardised by the training rows",
        [FILE_SAYS] = "scaled as that file has it",
    };
    char *remark = NULL;
    if (asprintf(&remark, "%s; %s", run->remark, texts[r->scaling]) < 0) return bnn_fail(BNN_ERR_MEMORY, "out of memory");
    free(run->remark);
    run->remark = remark;
    return BNN_OK;
}

/* ---------------------------------------------------------------- the run */

static bnn_status run_from(request *r, const bnn_config *config, const bnn_table *t, const bnn_scaling *scaling) {
    bnn_data *train = NULL, *test = NULL, *blind = NULL;
    bnn_run *run = NULL;
    bnn_status s = tool_rows(t, r->split, scaling, &train, &test);
    if (s == BNN_OK && r->made && r->rows)
        s = bnn_data_split(r->rows, -1, BNN_TEST, scaling, &blind); /* whether they go with the weights */
    if (s < 0 && r->rows) bnn_note(s, "%s", r->job.data);
    if (s == BNN_OK) s = bnn_weights_run(r->weights, config, train, &run);
    if (s == BNN_OK) s = remark_scaling(r, run);
    bnn_provenance made = tool_provenance(&r->job, r->rows ? r->rows : t, r->split);
    if (s == BNN_OK) s = tool_output_claim(r->out, "bnn-run|bnn-model", tool_output_same_command, &made);
    int bad;
    if (s == BNN_OK) tool_reading_say(&r->reading, r->rows, stdout);
    if (s == BNN_OK) s = tool_finish(&r->job, r->rows ? r->rows : t, r->split, run, NULL, test, 0, r->out, &bad);
    bnn_run_free(run);
    bnn_data_free(train), bnn_data_free(test), bnn_data_free(blind);
    return s;
}

/* The table whose columns the network has; rows whose targets are not known tell no more than their file's name. */
static bnn_status open_table(request *r, const bnn_config *config, const bnn_table **out) {
    if (r->job.data) BNN_TRY(tool_reading_table(r->job.data, NULL, &r->reading, &r->rows));
    if (!r->rows || r->rows->y_dim == 0) BNN_TRY(bnn_weights_table(r->weights, config, &r->made));
    *out = r->made ? r->made : r->rows;
    if (!r->split_given) r->split = (*out)->n_splits > 0 ? 0 : -1;
    return r->made ? BNN_OK : tool_reading_split(&r->reading, r->rows, r->split);
}

static bnn_status import(request *r) {
    bnn_config config = {
        .net = r->job.net, .engine = r->engine, .likelihood = r->job.likelihood, .prior = r->job.prior, .seed = r->job.seed};
    const bnn_table *table;
    bnn_scaling scaling = {0};
    BNN_TRY(tool_output_apart(r->out, r->path, "the file of weights"));
    BNN_TRY(tool_output_apart(r->out, r->job.data, "the data file"));
    BNN_TRY(tool_output_hdf5(r->out));
    BNN_TRY(bnn_weights_load(r->path, &r->weights));
    r->job.weights = r->weights;
    bnn_status s = r->order ? bnn_weights_order(r->weights, r->order) : BNN_OK;
    if (s == BNN_OK) s = open_table(r, &config, &table);
    if (s == BNN_OK) s = find_scaling(r, table, &scaling);
    if (s == BNN_OK) s = run_from(r, &config, table, &scaling);
    bnn_scaling_free(&scaling);
    bnn_table_free(r->made), bnn_table_free(r->rows);
    bnn_remarks_free(r->reading.csv.remarks);
    bnn_weights_free(r->weights);
    return s;
}

static int run(int argc, char **argv) {
    const struct argp argp = {
        .options = options,
        .parser = parse,
        .children = tool_job_children,
        .args_doc = "WEIGHTS",
        .doc = "Makes a run of a network that was trained elsewhere, so that its uncertainty can be asked for: of Keras (.keras, .h5, "
               ".weights.h5, .weights.json with its shards), of NumPy (.npz), of safetensors (also .index.json with "
               "its shards) or HDF5 with arrays LAYER.weight [out, in] as PyTorch has them or LAYER/kernel [in, out], and LAYER.bias "
               "[out], or of a run of bnn. Layers go in order to those nodes of the network that have "
               "weights; activations are in its text only. A softmax or sigmoid at the end is left out: the likelihood has it.\v"
               "A learned noise is set to the residuals of the training rows where --data have targets; else it stays at 1 sd of y. Test "
               "rows of the split, if any, are predicted and scored. Without --data, width and targets are those of the weights; "
               "`--likelihood categorical` says that they are classes.\n\n"
               "Examples:\n"
               "  bnn import-weights keras.h5 -d boston.h5 --scaling xy --net 'dense:50; relu; dense' -o run.h5\n"
               "  bnn import-weights keras.h5 -d boston.h5 --scaling xy --net 'dense:50; relu; dense' --engine mc_dropout:p=0.1 -o run.h5\n"
               "  bnn import-weights torch.safetensors --net 'dense:64; tanh; dense' --likelihood categorical -o run.h5\n"
               "  bnn predict run.h5 --data new.h5 -o new.csv"};
    request r = {.engine = "map", .scaling = GUESS};
    tool_job_open(&r.job, argc, argv);
    tool_parse(&argp, argc, argv, &r);
    return import(&r) < 0 ? tool_fail() : 0;
}

const command command_import_weights = {.name = "import-weights", .summary = "make a run of a network trained elsewhere", .run = run};
