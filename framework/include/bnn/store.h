/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * store.h: HDF5 files that stock tools open (docs/file_format.md). Every file is written under a temporary name, synced and renamed: a
 * failure or a kill leaves what was there before.
 */
#ifndef BNN_STORE_H
#define BNN_STORE_H

#include <bnn/bandit.h>
#include <bnn/detect.h>
#include <bnn/diagnose.h>
#include <bnn/distance.h>
#include <bnn/file.h>
#include <bnn/fit.h>
#include <bnn/metrics.h>
#include <bnn/remark.h>
#include <bnn/weights.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The programs and machines that files were made by which are joined into one. */
typedef struct bnn_makers bnn_makers;
const char *bnn_makers_command(const bnn_makers *makers); /* the command line of the first file; NULL: it does not say */
const char *bnn_makers_started(const bnn_makers *makers); /* when work on the earliest began, ISO 8601 */
void bnn_makers_free(bnn_makers *makers);                 /* NULL is allowed */

/* Who made a file, out of what: goes into its provenance group. Texts are borrowed and may be NULL. */
struct bnn_provenance {
    const char *command;                       /* the whole command line */
    const char *data_path;                     /* of the bnn-data file */
    const char *data_sha256;                   /* of it */
    const char *weights_path, *weights_sha256; /* of a run that was not fitted */
    const char *run_path, *run_sha256;         /* of predictions: the run that made them */
    int split;                                 /* -1: none */
    int threads;                               /* that worked */
    const char *started_at, *finished_at;      /* ISO 8601 with zone */
    const bnn_makers *makers;                  /* of a file that is joined of others; NULL: this program on this machine */
};

/* Parts of each draw that are kept, bits: */
enum {
    BNN_KEEP_POSTERIOR = 1,  /* weights: the group posterior of InferenceData */
    BNN_KEEP_PREDICTIVE = 2, /* predictions: posterior_predictive, log_likelihood, constant_data */
    /* Not of draws, but of maps of classes as they are finished: */
    BNN_KEEP_MAPS = 4,         /* class, entropy and mutual information of each pixel */
    BNN_KEEP_PROBABILITIES = 8 /* and the probability of each class */
};

/* Draws that go to a file as they are made, so that memory does not grow with their number. A prediction with options.sink =
 * bnn_draws_sink(draws) and options.taker = bnn_draws_taker(draws) fills the file, one of the saving calls completes it. */
typedef struct bnn_draws bnn_draws;

/* engine and data, the rows to predict, are borrowed until the end; options are those of the prediction that follows. Other files can be
 * used meanwhile, and another thread may save the draws or give them up. */
bnn_status bnn_draws_open(const char *path, unsigned keep, const bnn_engine *engine, const bnn_data *data,
                          const bnn_predict_options *options, bnn_draws **out);
/* Borrowed from draws; NULL where nothing of that kind is kept: */
const bnn_sink *bnn_draws_sink(const bnn_draws *draws);
const bnn_taker *bnn_draws_taker(const bnn_draws *draws);
void bnn_draws_free(bnn_draws *draws); /* gives the file up: what was at its path stays; NULL is allowed */

/* Results on some rows. draws, if there are any, belong to the same path and are freed, whether saving succeeds or not. */
struct bnn_results {
    const bnn_data *data;             /* the rows */
    const bnn_prediction *prediction; /* on them */
    const bnn_metrics *metrics;       /* may be NULL */
    bnn_draws *draws;                 /* may be NULL */
    const bnn_remarks *verdicts;      /* on run and prediction (diagnose.h); NULL: nobody has judged */
    const bnn_traces *traces;         /* of the run's chains; may be NULL */
    int part[2];                      /* {i, n}: the rows are the i-th of n parts of those that are to be predicted; n 0: all of them */
};

/* Where a run came from, read back; texts owned, NULL if absent. */
struct bnn_origin {
    char *command;        /* the whole command line of its last process */
    char *data_path;      /* of the bnn-data file */
    char *data_sha256;    /* of it */
    char *started_at;     /* of its first process */
    char *weights_sha256; /* of the weights that were not fitted */
    char *run_sha256;     /* of predictions: the run that made them */
    int split;            /* -1: none */
};
void bnn_origin_free(bnn_origin *origin); /* frees what is inside */

/* A plugin that a run was made with; texts owned. */
typedef struct {
    char *name, *version; /* as it was loaded then */
    char *path;           /* of its file */
    char *sha256;         /* of it */
    char *types;          /* "layer swish, prior horseshoe": all that it brought */
} bnn_plugin_record;

/* BNN_OK where the file at path is a run, stopped or not, of the same work as this one, on data of the same origin: engine, network,
 * likelihood, prior, seed, precision, data and split. Else a sentence says the first that differs. */
bnn_status bnn_run_same_work(const char *path, const bnn_run *run, const bnn_origin *origin);

/* Outline of a file of a run or of predictions: also of a run that was stopped before there was anything to load. */
typedef struct {
    char *engine, *net, *likelihood, *prior; /* owned; of predictions those of the run that made them */
    uint64_t seed;                           /* of the run */
    int steps;                               /* of the engine, so far */
    double progress;                         /* share of the whole work done, 0..1 */
    bool complete;                           /* the engine has made its last step */
    bool predicts;                           /* bnn_run_load gives a run, if the plugins are there */
    int n_plugins;                           /* that the run was made with */
    bnn_plugin_record *plugin;               /* [n_plugins] */
    bnn_origin origin;                       /* of the data */
    int rows;                                /* of the predictions inside; 0: there are none */
    int samples;                             /* their draws */
    unsigned kept;                           /* draws that are there, too: BNN_KEEP_... */
    bnn_remarks *verdicts;                   /* owned; NULL: nobody has judged */
} bnn_outline;
/* Reads no weights, and needs no plugin. Free out with bnn_outline_free. */
bnn_status bnn_outline_load(const char *path, bnn_outline *out);
void bnn_outline_free(bnn_outline *outline); /* frees what is inside */

/* Weights of Keras (.keras, .h5, .weights.h5, .weights.json with its shards), of NumPy (.npz) or HDF5 with arrays LAYER.weight [out, in] or
 * LAYER/kernel [in, out] and bias, or of a run of bnn. Layers without weights are left out. */
bnn_status bnn_weights_load(const char *path, bnn_weights **out);

/* Loads what the columns meant that a bnn-data, bnn-run or bnn-model holds or was fitted to, owned (bnn_schema_free); a file without names
 * of columns is refused. */
bnn_status bnn_schema_load(const char *path, bnn_schema **out);

/* Predictions alone: schema "bnn-prediction". run made them. */
bnn_status bnn_prediction_save(const bnn_run *run, const bnn_results *results, const bnn_provenance *provenance, const char *path);

enum { BNN_MOST_PARTS = 100000 }; /* that work is cut into */

/* Which of n files holds which part of a prediction: file[n_parts], owned, the number of the file of each, -1: none does. A part may be
 * there twice, as long as both files are equal; files of other cuts, programs or instruction sets are refused. */
bnn_status bnn_prediction_parts(int n, char *const *paths, int *n_parts, int **file, bnn_makers **makers);
/* Joins files of parts, in the order of their rows, into one at path. Of provenance command, times and makers are used. Files of another
 * run, of other data or other options are refused, with the names of both. */
bnn_status bnn_prediction_merge(int n, char *const *paths, const bnn_provenance *provenance, const char *path);

/* Maps of classes in a file of predictions. Owns its arrays. */
typedef struct {
    int n, height, width; /* images, and their pixels */
    int n_classes;        /* of a pixel */
    bool has_truth;       /* the classes are known */
    int *row;             /* [n] rows of the data file */
    double *entropy;      /* [n] mean over pixels of the entropy, nats */
    char **class_names;   /* [n_classes], or NULL */
} bnn_maps;
/* Looks at every pixel, one image at a time. A file of other predictions is refused. */
bnn_status bnn_maps_load(const char *path, bnn_maps **out);
void bnn_maps_free(bnn_maps *maps); /* frees it with all it owns; NULL is allowed */
/* One image of such a file, n = height width numbers each: most probable class, entropy and mutual information in nats, and the class that
 * is true, -1 where it is not known. */
bnn_status bnn_maps_image(const char *path, const bnn_maps *maps, int image, int *most_probable, double *entropy, double *information,
                          int *truth);

/* One engine of a comparison. Owns its arrays. */
typedef struct {
    char *label;               /* the engine text as it was asked for */
    bnn_metrics *metrics;      /* [n_splits] on the test rows */
    bnn_cost *cost;            /* [n_splits] of fit and prediction */
    bnn_history history;       /* of the first split */
    char *remark;              /* of the first split; "" if none */
    int n_points;              /* test rows of all splits, first target */
    double *sd, *error;        /* [n_points] sqrt(var_total), and y - mean; of classes: 1 - largest probability, and 0 or 1 for a wrong
                                  class; of maps an image is a point: means over pixels of the first, root of that of the second */
    double *y;                 /* [n_points] the target, of classes its number; NULL: not known */
    double *pit;               /* [n_points] P(Y <= y); NULL: not known, and of classes */
    double *called;            /* [n_points] the most probable class; NULL: not known, and of numbers */
    bnn_remarks *verdicts;     /* of the first split; NULL: nobody has judged */
    bnn_distance *distance;    /* [n_splits] from the engine that is the reference; NULL: none is */
    char *spec_json;           /* of the first split: network, engine, likelihood and prior as they were fitted (spec_json.h) */
    bnn_metrics *target;       /* [n_splits, n_targets] of each target, or class, alone; NULL: they are not known */
    bnn_traces *traces;        /* of its chains on the first split; NULL: it has none, or they are not known */
    bnn_marginals **marginals; /* [n_splits] those that a distance waits for; NULL: distances are not measured */
} bnn_contestant;

/* Findings of `bnn compare`, from which a report is drawn. */
typedef struct {
    char *title, *net, *likelihood, *prior, *data_path; /* never NULL */
    uint64_t seed;                                      /* of all fits */
    char *data_sha256;                                  /* of the bnn-data file; NULL or "": not known */
    int samples;                                        /* draws of each prediction, as it was asked for */
    bool is_class;                                      /* targets are classes */
    bool partial;                                       /* stopped: fits that are missing have 0 rows in their metrics */
    int n_engines;                                      /* that are compared */
    int n_splits;                                       /* on which they were fitted */
    int *split;                                         /* [n_splits] their numbers */
    bnn_contestant *engine;                             /* [n_engines] */
    int reference;                                      /* the engine that distances are from, where there are any */
    int n_targets;                                      /* real targets, where there are several, or classes; else 0 */
    char **target;                                      /* [n_targets] their names; NULL: they have none */
    int n_classes;                                      /* 0: not known, and of numbers */
    char **class_name;                                  /* [n_classes]; NULL: they have none */
    int part[2];                                        /* {i, n}: it is to have the i-th of n parts of the fits; n 0: all of them */
} bnn_comparison;

/* Schema "bnn-comparison". */
bnn_status bnn_comparison_save(const bnn_comparison *comparison, const bnn_provenance *provenance, const char *path);
/* From a comparison, or from a run (one engine, one split); one that has predicted no test rows has scores of no rows, NaN, and no points.
 */
bnn_status bnn_comparison_load(const char *path, bnn_comparison **out);
/* BNN_OK where a comparison, that of the file at path, is of the same work as the one that is asked for now: engines, network, likelihood,
 * prior, seed, samples, splits, reference and data. Else a sentence says the first that differs. */
bnn_status bnn_comparison_same_work(const char *path, const bnn_comparison *then, const bnn_comparison *now);
/* Joins files of the same work, in any order, into one comparison, owned, which is partial as long as fits are missing. A fit that is in
 * several files must be the same in all of them. Files of other work, other data, or another program or instruction set are refused, with
 * the names of both. */
bnn_status bnn_comparison_merge(int n, char *const *paths, bnn_comparison **out, bnn_makers **makers);
/* Measures the distances on split number k of the comparison that can be, and drops marginals that nobody waits for any more. An engine
 * whose metrics have no rows is still to come. */
void bnn_comparison_settle(bnn_comparison *comparison, int k);
void bnn_comparison_free(bnn_comparison *comparison); /* frees it with all it owns; NULL is allowed */

/* Scores of two kinds of rows, and how well each tells them apart. All is borrowed. */
typedef struct {
    const bnn_data *in, *out;                     /* the rows */
    const bnn_row_scores *in_scores, *out_scores; /* of them */
    bnn_detection *of[BNN_ROW_SCORES];            /* NULL: not measured */
} bnn_detections;

/* Schema "bnn-detection". */
bnn_status bnn_detections_save(const bnn_detections *detections, const bnn_provenance *provenance, const char *path);
/* Loads what such a file has of each score, owned (bnn_detection_free); NULL: it was not measured. */
bnn_status bnn_detections_load(const char *path, bnn_detection *of[BNN_ROW_SCORES]);

/* How an agent fared (bnn/bandit.h). Texts are never NULL where it is loaded; NULL is saved as "". */
typedef struct {
    char *game;          /* the world in which it acted */
    char *policy;        /* how it chose: a name of bnn_policy_names */
    double epsilon;      /* probability of an action at random; NaN: its policy has none */
    char *engine, *head; /* how it was fitted; "": not at all, and without a head */
    uint64_t seed;       /* of all that is random */
    bnn_regret *regret;  /* of its runs */
} bnn_played;

/* Schema "bnn-regret". */
bnn_status bnn_played_save(const bnn_played *played, const bnn_provenance *provenance, const char *path);
bnn_status bnn_played_load(const char *path, bnn_played **out); /* from such a file, owned */
void bnn_played_free(bnn_played *played);                       /* frees it with all it owns; NULL is allowed */

/* Rows that were chosen from a pool (bnn/acquire.h). */
typedef struct {
    char *by;      /* a name of bnn_acquire_rule_names */
    int pool, n;   /* rows of the pool, and of them chosen */
    int *row;      /* [n] their places in the pool's table, from 0, in the order in which they were taken */
    double *score; /* [n] what they were taken for, as bnn_acquire has it */
} bnn_acquisition;

/* Schema "bnn-acquisition". table: of the pool, whose id columns go along. */
bnn_status bnn_acquisition_save(const bnn_acquisition *acquisition, const bnn_table *table, const bnn_provenance *provenance,
                                const char *path);
bnn_status bnn_acquisition_load(const char *path, bnn_acquisition **out); /* from such a file, owned */
void bnn_acquisition_free(bnn_acquisition *acquisition);                  /* frees it with all it owns; NULL is allowed */

/* "bnn-data", "bnn-run", ... into schema[32], or a failure that says what the file is not. */
bnn_status bnn_file_schema(const char *path, char schema[32]);

/* Compares two files by value, leaving out the group provenance (who, when, how long) and the version of the writer. *same = false comes
 * with a sentence saying where, into where[size]. */
bnn_status bnn_file_diff(const char *a, const char *b, bool *same, char *where, size_t size);

/* Breaches, in one file, of the rules that let stock tools open it. */
typedef struct {
    int n_objects;  /* groups, datasets and other links that were looked at */
    int n_rules;    /* rules that were looked at */
    int n_findings; /* offences */
    char **finding; /* [n_findings] sentences: the object, what it is, and what was expected */
} bnn_lint;

/* Takes any HDF5 file, of bnn or not; findings are no failure. */
bnn_status bnn_file_lint(const char *path, bnn_lint **out);
void bnn_lint_free(bnn_lint *lint); /* frees it with all it owns; NULL is allowed */

#ifdef __cplusplus
}
#endif

#endif
