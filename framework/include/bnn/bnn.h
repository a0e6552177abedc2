/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * bnn.h: all that programs and bindings need: tables, fits, predictions, files.
 *
 * Objects are handles whose inside no program sees, so that a new field breaks none; the headers of their rooms (data.h, fit.h, predict.h)
 * open them for who goes deeper. Getters lend: what they give lives as long as the object, or until its next step. Numbers are double,
 * whatever the precision of the library; matrices are row-major, their shape stands in brackets. What a _free frees may be NULL.
 *
 * Options are structs of the caller that begin with their own size: {sizeof(bnn_config), .net = "dense"}, all else 0. The library reads no
 * more than that, so fields are only ever appended. A size of 0 stands for the fields that interface number 2 began with. Texts are
 * borrowed for the call.
 */
#ifndef BNN_BNN_H
#define BNN_BNN_H

#include <bnn/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bnn_table bnn_table;           /* data in the units they were measured in: what a bnn-data file holds */
typedef struct bnn_data bnn_data;             /* rows of a table, standardised; the table must live as long */
typedef struct bnn_scaling bnn_scaling;       /* means and standard deviations of columns */
typedef struct bnn_run bnn_run;               /* a fit, on its way or complete */
typedef struct bnn_prediction bnn_prediction; /* a predictive distribution on some rows */
typedef struct bnn_sink bnn_sink;             /* takes the draws of a prediction (predict.h) */
typedef struct bnn_taker bnn_taker;           /* takes finished rows of a prediction (predict.h) */
typedef struct bnn_results bnn_results;       /* what is known of some rows (store.h) */
typedef struct bnn_provenance bnn_provenance; /* who made a file, out of what (store.h) */
typedef struct bnn_origin bnn_origin;         /* where a run came from (store.h) */
typedef struct bnn_plugin bnn_plugin;         /* types from a shared library (plugin.h) */
typedef struct bnn_remarks bnn_remarks;       /* what a caller should be told beside a result */
typedef struct bnn_schema bnn_schema;         /* what the columns of a file mean (schema.h) */
/* How predictions are put right after the fit (calibrate.h). */
typedef struct bnn_calibration bnn_calibration;

/* ---- remarks ---- */

/* How much a remark matters. */
typedef enum {
    BNN_REMARK_NOTE,    /* to be known, such as a guess that was made */
    BNN_REMARK_WARNING, /* to be looked at */
    BNN_REMARK_BAD      /* the answer should not be believed */
} bnn_severity;

bnn_status bnn_remarks_new(bnn_remarks **out);                       /* an empty list, which calls add to */
void bnn_remarks_free(bnn_remarks *remarks);                         /* with its sentences */
int bnn_remarks_count(const bnn_remarks *remarks);                   /* remarks so far; 0 of NULL */
bnn_severity bnn_remark_severity(const bnn_remarks *remarks, int i); /* of remark i */
const char *bnn_severity_name(bnn_severity severity);                /* "note", "warning", "bad" */
const char *bnn_remark_code(const bnn_remarks *remarks, int i);      /* a word, such as "looks_like_index"; NULL behind the last */
const char *bnn_remark_sentence(const bnn_remarks *remarks, int i);  /* what is the matter, and what to do */

/* ---- tables ---- */

/* Roles of a row in a split. */
typedef enum {
    BNN_TRAIN = 0,      /* to fit */
    BNN_VALIDATION = 1, /* to choose options by */
    BNN_TEST = 2        /* to score the result on */
} bnn_split_role;

/* How rows are split. */
typedef enum {
    BNN_SPLIT_HOLDOUT, /* count times 10 % (at least one row) test rows at random */
    BNN_SPLIT_KFOLD,   /* the folds (2..n) of one permutation */
    BNN_SPLIT_PBP /* the published splits of Hernandez-Lobato & Adams 2015: NumPy's RandomState(1) whatever the seed, one permutation of the
                     rows a split, the first round(0.9 n) train */
} bnn_split_kind;

/* A table in the memory of a program. Arrays are copied. */
typedef struct {
    size_t size;                                 /* of this struct */
    int n;                                       /* rows */
    int x_size;                                  /* features */
    int y_dim;                                   /* targets; 0: they are not known, the rows can only be predicted */
    int n_classes;                               /* 0: real targets; else y_dim is 1 and y holds 0..n_classes-1 */
    const double *x;                             /* [n, x_size] */
    const double *y;                             /* [n, y_dim] */
    const char *const *x_names, *const *y_names; /* [x_size], [y_dim] names of the columns; NULL: they have none */
    const char *const *class_names;              /* [n_classes]; NULL: they have none */
    const char *title;                           /* what the data are; NULL: "" */
    const double *weight;                        /* [n] of the rows, 0 or more; NULL: every row weighs 1 */
} bnn_arrays;

/* Refuses values that are not finite, classes out of range and weights below 0. */
bnn_status bnn_table_from(const bnn_arrays *arrays, bnn_table **out);
bnn_status bnn_table_load(const char *path, bnn_table **out); /* reads a bnn-data file, checked */
/* Likewise, but features that are vectors stay in the file, which is open until the table is freed: they are read, and checked, by those
 * who make rows of it (bnn_data_split, bnn_data_spread and the like). Such a table is to be fitted, not to be changed, saved or printed. */
bnn_status bnn_table_open(const char *path, bnn_table **out);
bnn_status bnn_table_save(const bnn_table *table, const char *path); /* writes one: whole, or not at all */
void bnn_table_free(bnn_table *table);                               /* with all it owns */

/* Facts that a file does not say about itself; NULL, in part or in whole: the file's name, "", "". */
typedef struct {
    size_t size;          /* of this struct */
    const char *title;    /* what the data are */
    const char *source;   /* where they are from: a paper, an address */
    const char *license;  /* of the data */
    bnn_remarks *remarks; /* takes what looks wrong in a folder of the UCI layout; NULL: nobody asks */
} bnn_import_about;

/* Says whether the first line names the columns. */
typedef enum {
    BNN_HEADER_GUESS, /* it does where a field of it is no number, though those below are */
    BNN_HEADER_YES,   /* it does */
    BNN_HEADER_NO     /* it does not */
} bnn_header;

/* The way of dealing with missing values. */
typedef enum {
    BNN_MISSING_REFUSE, /* they are refused, by their cell */
    BNN_MISSING_DROP,   /* rows with one are left out, and counted */
    BNN_MISSING_MEAN    /* a feature's is its mean, beside a column "name=missing" that is 1 there; a target's is refused */
} bnn_missing;

/* The format of a table of texts. */
typedef enum {
    BNN_TEXT_GUESS, /* rows of libsvm where it begins with one, else fields between delimiters */
    BNN_TEXT_CSV,   /* fields between delimiters */
    BNN_TEXT_LIBSVM /* rows "label index:value ..." */
} bnn_text_format;

/* How a CSV file is read; all zeros, or NULL: guess, the last column is the target. */
typedef struct {
    size_t size;            /* of this struct */
    const char *targets;    /* names or numbers (from 1) of columns, separated by commas; NULL: the last column;
                               "none": rows to predict, whose target is not known (a column of this name goes by its number) */
    const char *drop;       /* columns to leave out, written likewise; NULL: none */
    bool classes;           /* the target is a class even if it looks like a number; a text always is one */
    bnn_header header;      /* whether there is one */
    const char *id;         /* columns to carry through, written likewise, never features; NULL: none */
    const char *weight;     /* the column of the rows' weights; NULL: every row weighs 1 */
    char delimiter;         /* that ends a field; ' ' stands for any number of blanks; 0: guess */
    char decimal;           /* mark of decimals: '.' or ','; 0: '.' */
    char thousands;         /* mark between thousands in numbers; 0: none */
    const char *comment;    /* lines that begin with it are left out; NULL: '#' before the header */
    const char *na;         /* texts that stand for a missing value beside the usual ones, separated by commas; NULL: none */
    bnn_missing missing;    /* what is done about missing values */
    const char *other;      /* a level to read unknown levels of text features as, where a column has it; NULL: they are refused */
    bnn_remarks *remarks;   /* takes what was guessed; NULL: nobody asks */
    const char *levels;     /* features that are categories although they look like numbers, written as targets are; NULL: none */
    bnn_text_format format; /* what the text is */
} bnn_csv_options;

/* Text separated by commas, semicolons, tabs or blanks, which is guessed; fields may be quoted. Text features become one column for each
 * value, "name=value", values sorted; classes are numbered in the order of their names (numbers: of size). */
bnn_status bnn_import_csv(const char *path, const bnn_csv_options *options, const bnn_import_about *about, bnn_table **out);

/* New rows, read by the schema of others (bnn_run_schema, bnn_table_schema): columns are found by name, in any order, and others left out;
 * levels have the place they had. A column that is not there is refused by its name, an unknown level or class by row, column and text. Of
 * targets all are there, or the table has none. Options that are 0 are those of the schema's own file; targets may be "none" or NULL, id
 * names further columns to carry through, and weight, classes and levels are refused. like NULL is refused: columns that were fitted to had
 * no names. */
bnn_status bnn_import_like(const char *path, const bnn_schema *like, const bnn_csv_options *options, const bnn_import_about *about,
                           bnn_table **out);
/* The same for the rows of a table, whose splits the new one has, too. */
bnn_status bnn_table_like(const bnn_table *table, const bnn_schema *like, const bnn_csv_options *options, bnn_table **out);

/* Named columns in the memory of a program. */
typedef struct {
    size_t size;                     /* of this struct */
    int n;                           /* rows */
    int n_columns;                   /* columns */
    const char *const *names;        /* [n_columns] */
    const double *const *numbers;    /* [n_columns] of n numbers, of which NaN is a missing value; or NULL: the column has texts */
    const char *const *const *texts; /* [n_columns] of n texts, of which NULL is a missing value; or NULL: the column has numbers */
} bnn_columns;

/* A table of such columns, which are copied, as bnn_import_csv makes it of a file. */
bnn_status bnn_import_columns(const bnn_columns *columns, const bnn_csv_options *options, bnn_table **out);
/* The same as bnn_import_like makes it of one: new rows for a run are bnn_columns_like(&columns, bnn_run_schema(run), NULL, &table). */
bnn_status bnn_columns_like(const bnn_columns *columns, const bnn_schema *like, const bnn_csv_options *options, bnn_table **out);

/* A folder of the published UCI layout: data.txt, index_features.txt, index_target.txt, and index_train_K.txt, index_test_K.txt for K = 0,
 * 1, ... What looks wrong in the columns goes to the remarks of `about`; a feature with the values of a target is refused. */
bnn_status bnn_import_uci(const char *folder, const bnn_import_about *about, bnn_table **out);

/* Makes count splits, replacing those there are. Needs two rows, and targets; a failure leaves the table as it was. */
bnn_status bnn_table_split(bnn_table *table, bnn_split_kind kind, int count, uint64_t seed);

int bnn_table_count(const bnn_table *table, int split, bnn_split_role role); /* rows of a role in a split */
int bnn_table_splits(const bnn_table *table);                                /* number of splits; 0: every row is a training row */
int bnn_table_rows(const bnn_table *table);                                  /* n */
int bnn_table_features(const bnn_table *table);                              /* columns of x: of images, pixels times channels */
int bnn_table_targets(const bnn_table *table);                               /* numbers of y in a row: of maps of classes, pixels */
int bnn_table_classes(const bnn_table *table);                               /* number of classes; 0: real targets */
const char *bnn_table_title(const bnn_table *table);                         /* what the data are; never NULL */
const double *bnn_table_x(const bnn_table *table);                           /* [n, features]; NULL: there are pixels */
const uint8_t *bnn_table_pixels(const bnn_table *table);                     /* [n, features] of images as bytes; NULL: there is x */
const double *bnn_table_y(const bnn_table *table);                           /* [n, targets]; NULL: they are not known */
const bnn_schema *bnn_table_schema(const bnn_table *table);                  /* what its columns mean; NULL: they come from no text */
/* Name number i of a column, or of a class; NULL: it has none. */
const char *bnn_table_feature_name(const bnn_table *table, int i); /* of a feature */
const char *bnn_table_target_name(const bnn_table *table, int i);  /* of a target */
const char *bnn_table_class_name(const bnn_table *table, int i);   /* of a class */

/* ---- rows ---- */

/* The given rows of the table (rows[n], copied), scaled by `scaling`, or, where that is NULL, by their own mean and sd. n = 0 is allowed
 * with a scaling. Rows without targets need one: that of a fitted run, whatever its y_dim. */
bnn_status bnn_data_new(const bnn_table *table, int n, const int *rows, const bnn_scaling *scaling, bnn_data **out);

/* Rows [from, to) of the table, likewise. */
bnn_status bnn_data_range(const bnn_table *table, int from, int to, const bnn_scaling *scaling, bnn_data **out);

/* Rows [from, to) in the units of the table: by a scaling with mean 0 and sd 1. */
bnn_status bnn_data_unscaled(const bnn_table *table, int from, int to, bnn_data **out);

/* The rows of a role in one split (split < 0: every row of the table), in listed order. */
bnn_status bnn_data_split(const bnn_table *table, int split, bnn_split_role role, const bnn_scaling *scaling, bnn_data **out);

/* The training rows of a split to fit with other ranks (ranks.h, bnn_ranks_use), all of which call this: of a table from bnn_table_open
 * each rank keeps the features of the stretch of rows that it adds, and the targets of all rows; of any other, or where there are no more
 * rows than a shard has, all of them. Means and standard deviations have the bits of bnn_data_split. What an engine may need beyond its
 * stretch it has read: all but hmc and nuts do. */
bnn_status bnn_data_spread(const bnn_table *table, int split, const bnn_scaling *scaling, bnn_data **out);

/* Rows [from, to) of another view, in order, scaled anew by their own statistics (scaling NULL) or by `scaling`. */
bnn_status bnn_data_slice(const bnn_data *data, int from, int to, const bnn_scaling *scaling, bnn_data **out);

/* The rows as a table of their own, in their order, with all that is known of them but splits; images as numbers. */
bnn_status bnn_data_table(const bnn_data *data, bnn_table **out);

void bnn_data_free(bnn_data *data);                           /* frees it, not the table */
int bnn_data_rows(const bnn_data *data);                      /* n */
const bnn_scaling *bnn_data_scaling(const bnn_data *data);    /* by which x and y were standardised */
const double *bnn_scaling_x_mean(const bnn_scaling *scaling); /* [features] */
const double *bnn_scaling_x_sd(const bnn_scaling *scaling);   /* [features] */
const double *bnn_scaling_y_mean(const bnn_scaling *scaling); /* [targets]; 0 of classes */
const double *bnn_scaling_y_sd(const bnn_scaling *scaling);   /* [targets]; 1 of classes */

/* ---- fits ---- */

/* The texts and numbers that a run is made of. */
typedef struct {
    size_t size;            /* of this struct */
    const char *net;        /* layers; NULL or "auto": chosen by the size of the data and the budget (choose.h) */
    const char *engine;     /* how it is fitted; NULL or "auto": chosen likewise, with the prior and the likelihood that suit it */
    const char *likelihood; /* NULL: gaussian or categorical, as the data say */
    const char *prior;      /* NULL: gauss */
    uint64_t seed;          /* of all its randomness */
    /* Called after every step in the fitting thread, with the share done, 0..1; may be NULL. A return of true asks to stop: the run so far
     * is kept, and is not complete. */
    bool (*progress)(void *context, double share);
    void *context; /* handed to progress */
    double budget; /* seconds of one core that a fit may take whose engine is chosen; 0: 60 */
} bnn_config;

/* Steps a new run to its end. Refuses no rows, and rows without targets. */
bnn_status bnn_fit(const bnn_config *config, const bnn_data *train, bnn_run **out);
/* bnn_fit in pieces: a new run is opened but not stepped; with data that have no rows it can only be filled from a file (store.h). */
bnn_status bnn_run_new(const bnn_config *config, const bnn_data *data, bnn_run **out);
/* One step of the engine, an epoch or a transition; *share is how much of the work is done, 0..1. Rows may be others from step to step, as
 * where targets move (Q-learning): of engines that descend, no more than the run was opened with, of the same shape and scaling. */
bnn_status bnn_run_step(bnn_run *run, const bnn_data *train, double *share);
/* Before its first step: lets a run begin with the parameters that another one, complete or not, predicts with. Network and likelihood must
 * be the same, and the training rows scaled as those of the other. */
bnn_status bnn_run_begin(bnn_run *run, const bnn_run *from);
/* Before its first step: sets theta[n_theta] of an engine that works on one parameter vector; any other is refused. */
bnn_status bnn_run_set_theta(bnn_run *run, const double *theta);
void bnn_run_free(bnn_run *run); /* with all it owns */

/* Schema "bnn-run", or, of a run that is not complete, "bnn-model": weights by layer, state, history, cost, provenance; and the results on
 * test rows. results and provenance may be NULL. */
bnn_status bnn_run_save(const bnn_run *run, const bnn_results *results, const bnn_provenance *provenance, const char *path);
/* A fitted run ready to predict, complete or not. origin may be NULL. BNN_ERR_PLUGIN: a plugin that predicts
 * is not loaded, or in another version than it was then, which may compute something else. */
bnn_status bnn_run_load(const char *path, bnn_run **out, bnn_origin *origin);
/* A run to go on with, from a file that bnn_run_save wrote on the way: further steps give the same bits as if it had never stopped. The
 * file must have been begun with the same texts and seed, by a program of the same precision, on data with origin's split and SHA-256
 * (NULL: it was saved without provenance). A file whose run is complete gives a run that is complete. */
bnn_status bnn_run_resume(const char *path, const bnn_config *config, const bnn_data *train, const bnn_origin *origin, bnn_run **out);

bool bnn_run_complete(const bnn_run *run);              /* the engine has made its last step */
int bnn_run_steps(const bnn_run *run);                  /* of the engine, so far */
double bnn_run_progress(const bnn_run *run);            /* share of the whole work done after the last step, 0..1 */
uint64_t bnn_run_seed(const bnn_run *run);              /* of all its randomness */
const char *bnn_run_net(const bnn_run *run);            /* the network as its engine adapted it, all options written out */
const char *bnn_run_engine(const bnn_run *run);         /* the engine, likewise */
const char *bnn_run_likelihood(const bnn_run *run);     /* the likelihood */
const char *bnn_run_prior(const bnn_run *run);          /* the prior */
const char *bnn_run_remark(const bnn_run *run);         /* how it came to be, or what its engine found, in a sentence; NULL: nothing */
const char *bnn_run_choice(const bnn_run *run);         /* why its engine was chosen, with the predicted cost; NULL: it was named */
const bnn_scaling *bnn_run_scaling(const bnn_run *run); /* of its training rows: that of the rows it predicts */

const bnn_schema *bnn_run_schema(const bnn_run *run); /* what the columns meant that it was fitted to; NULL: they had no names */

/* Refuses rows whose columns, or classes, have other names than those the run was fitted to, or another order. */
bnn_status bnn_run_check_names(const bnn_run *run, const bnn_table *table);

/* Cost of a fit or a prediction. */
typedef enum {
    BNN_COST_GRADIENTS,    /* evaluations of U with its gradient, on one batch each */
    BNN_COST_FORWARDS,     /* evaluations without; of a prediction its draws, each over all rows */
    BNN_COST_FLOPS,        /* floating-point operations, counted from shapes */
    BNN_COST_SECONDS_WALL, /* elapsed */
    BNN_COST_SECONDS_CPU,  /* of the threads that did this work */
    BNN_COST_PEAK_BYTES    /* the largest memory the process has held */
} bnn_cost_item;
double bnn_run_cost(const bnn_run *run, bnn_cost_item item); /* of the fit so far */

/* Columns of the course of a fit. */
typedef enum {
    BNN_HISTORY_NLL,     /* -log likelihood, nats over the training set */
    BNN_HISTORY_PRIOR,   /* -log prior, nats */
    BNN_HISTORY_KL,      /* KL of the layers, nats */
    BNN_HISTORY_NOISE_SD /* of the likelihood in standardised y; NAN where it has none */
} bnn_history_item;
int bnn_run_history_rows(const bnn_run *run);                             /* recorded epochs, evenly spaced, the last one always */
const int *bnn_run_history_epochs(const bnn_run *run);                    /* [rows] counted from 1 */
const double *bnn_run_history(const bnn_run *run, bnn_history_item item); /* [rows] */
int bnn_run_gates(const bnn_run *run);                                    /* nodes with a probability of dropping */
const char *bnn_run_gate(const bnn_run *run, int gate);                   /* label of one; NULL behind the last */
const double *bnn_run_gate_p(const bnn_run *run);                         /* [rows, gates] probability of dropping */

/* ---- parameters ---- */

int bnn_run_n_theta(const bnn_run *run); /* parameters of what predicts; 0: nothing has been fitted yet */
int bnn_run_n_draws(const bnn_run *run); /* stored draws, chain after chain; 0: any number can be made */
/* theta[n_theta] of draw s; seed is of those that are made, not stored. Thread-safe. */
bnn_status bnn_run_draw(const bnn_run *run, int s, uint64_t seed, double *theta);
/* Block b of theta, counted from 0: label of its node ("likelihood" and "prior" for what is theirs), name, where it begins, numbers. False
 * behind the last. */
bool bnn_run_block(const bnn_run *run, int b, const char **node, const char **name, size_t *offset, size_t *length);
/* A number array of the engine's state by name, as in its files ("log_evidence" is log p(D) in nats): copies at most `most` numbers to out
 * and returns how many there are; 0: there is none of this name. */
size_t bnn_run_state(const bnn_run *run, const char *name, size_t most, double *out);

/* ---- predictions ---- */

/* Where the noise of a pass comes from. */
typedef enum {
    BNN_MEAN, /* no noise: every gate at its mean, every weight at its mean */
    BNN_ROWS, /* fresh noise for every row, as in training */
    BNN_DRAW  /* one draw shared by all rows: y is a function of x, equal rows give equal outputs */
} bnn_mode;

/* How a prediction is made. */
typedef struct {
    size_t size;          /* of this struct */
    int samples;          /* draws S; ignored for point engines */
    bnn_mode mode;        /* BNN_DRAW (default where 0 = BNN_MEAN is given) or BNN_ROWS */
    uint64_t seed;        /* of its draws */
    const bnn_sink *sink; /* may be NULL */
    int n_levels;         /* quantiles that are wanted of real targets */
    const double *levels; /* [n_levels] their levels, in (0,1) */
    bool crps;            /* the score of every row is wanted, where there are real targets to score against */
    int drawn;            /* draws of y that are wanted of each row */
    /* Takes the rows as they are finished, so that memory does not grow with their number: the prediction itself has scores and cost, no
     * arrays (its getters lend NULL). NULL: they stay. What all draws are kept for (quantiles, crps, draws of y) is refused with one. */
    const bnn_taker *taker;
    /* Called after every draw, from the threads that work, with the share of all draws that are done, 0..1; not where none are needed. May
     * be NULL. */
    void (*progress)(void *context, double share);
    void *context; /* handed to progress */
} bnn_predict_options;

/* data must be scaled by the run's scaling. Parallel over draws; the same bits at any number of threads. Of a calibrated run the prediction
 * is the calibrated one (calibrate.h). BNN_ERR_STATE: nothing has been fitted yet. */
bnn_status bnn_run_predict(const bnn_run *run, const bnn_data *data, const bnn_predict_options *options, bnn_prediction **out);
void bnn_prediction_free(bnn_prediction *prediction); /* with all it owns */

int bnn_prediction_rows(const bnn_prediction *prediction);           /* n */
int bnn_prediction_dim(const bnn_prediction *prediction);            /* targets, or classes; of maps times sites */
int bnn_prediction_samples(const bnn_prediction *prediction);        /* draws it was made of; 0: in closed form */
bool bnn_prediction_is_class(const bnn_prediction *prediction);      /* targets are classes */
int bnn_prediction_sites(const bnn_prediction *prediction);          /* pixels of a map of classes; of any other y 1 */
const double *bnn_prediction_mean(const bnn_prediction *prediction); /* [n, dim] in the units of y, or class probabilities */
/* Moments of real targets and of classes; of maps of classes, which are [n, classes, sites], these three are NULL: */
const double *bnn_prediction_var_epistemic(const bnn_prediction *prediction); /* [n, dim] variance of the mean over draws */
const double *bnn_prediction_var_aleatoric(const bnn_prediction *prediction); /* [n, dim] mean variance of the noise; 0 of classes */
const double *bnn_prediction_mean_mcse(const bnn_prediction *prediction);     /* [n, dim] Monte Carlo standard error of mean */
const double *bnn_prediction_logp(const bnn_prediction *prediction); /* [n, sites] log p(y), nats, NaN where y is void; NULL without targets
                                                                      */
const double *bnn_prediction_pit(const bnn_prediction *prediction);  /* [n, dim] P(Y <= y); NULL without targets, and of classes */
const double *bnn_prediction_crps(const bnn_prediction *prediction); /* [n, dim] score of each row; NULL where it was not asked for */
/* out[n, dim]: quantiles of the predictive distribution at a level that was asked for (bnn_predict_options), in the units of y. Refuses
 * other levels, and classes. */
bnn_status bnn_prediction_quantile(const bnn_prediction *prediction, double level, double *out);
const double *bnn_prediction_drawn(const bnn_prediction *prediction); /* [n, targets, drawn] draws of y; NULL where none were asked for */
/* Numbers of one row, or of one pixel of all pixels of all rows: */
double bnn_prediction_entropy(const bnn_prediction *prediction, int row);            /* of the mean probabilities, nats; classes only */
double bnn_prediction_mutual_information(const bnn_prediction *prediction, int row); /* entropy - expected entropy, nats, >= 0 */
double bnn_prediction_cost(const bnn_prediction *prediction, bnn_cost_item item);    /* of this prediction */

/* Adds to verdicts what speaks against a fit and, where prediction is not NULL, against what it predicts for rows that were not fitted: by
 * one rule for all engines (diagnose.h has the codes). train: its training rows, NULL where they are not at hand; n_train: their number, 0
 * where it is not known. No remark: nothing speaks against it. */
bnn_status bnn_run_judge(const bnn_run *run, const bnn_data *train, int n_train, const bnn_prediction *prediction, const bnn_data *rows,
                         bnn_remarks *verdicts);

/* A score of the prediction against the targets of its rows, by name (bnn_score_name; metrics.h says what they are). Refuses names that
 * there are not, scores of the other kind of target, and rows without targets; a score with a unit where there are several targets. crps
 * is that of the mixture where the prediction was asked for it (options.crps), else that of a Gaussian with its moments. */
bnn_status bnn_prediction_score(const bnn_prediction *prediction, const bnn_data *data, const char *name, double *out);
/* A score of target k, counted from 0, or of class k against the others: NaN where these rows do not define it. */
bnn_status bnn_prediction_score_of(const bnn_prediction *prediction, const bnn_data *data, int k, const char *name, double *out);
const char *bnn_score_name(int i); /* "ll", "rmse", "accuracy", ...; NULL behind the last */

/* ---- plugins, jobs, random numbers ---- */

/* Loads a shared library and registers its types: all, or none where anything is wrong with the file or with one of them. A library that
 * is loaded already stays as it is, and that is no failure. out may be NULL. Not thread-safe. */
bnn_status bnn_plugin_load(const char *path, const bnn_plugin **out);

/* Runs job(context, 0..n-1), each once, in parallel; a call from inside a job runs serially (the outermost cut wins). Jobs may not depend
 * on each other. All jobs are run; of those that fail, the one with the lowest index gives status and sentence, so the outcome is the same
 * at any number of threads. */
bnn_status bnn_jobs_run(int n, bnn_status (*job)(void *context, int i), void *context);

/* Streams of random numbers, which are functions of their address: nothing is advanced. rng.h says of which. */
uint64_t bnn_stream_seed(uint64_t seed);                  /* the root stream of a seed */
uint64_t bnn_stream_split(uint64_t stream, uint64_t tag); /* an independent stream for each tag */
/* Fills out[rows, n] from row 0 on: */
bnn_status bnn_stream_uniform(uint64_t stream, int rows, int n, double *out); /* uniform numbers in (0,1) */
bnn_status bnn_stream_normal(uint64_t stream, int rows, int n, double *out);  /* standard normal numbers */

#ifdef __cplusplus
}
#endif

#endif
