/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * parts.h: the parts that several kinds of file have in common. Arrays of metrics and costs have n entries, laid out on `dims` (""
 * and n = 1: scalars).
 */
#ifndef BNN_STORE_PARTS_H
#define BNN_STORE_PARTS_H

#include "hdf5.h"

#include <bnn/diagnose.h>
#include <bnn/store.h>

/* An attribute of up to BNN_MAX_RANK extents that make `size` numbers. */
void bnn_store_get_shape(bnn_h5_reader *r, const char *object, const char *name, int size, bnn_shape *shape);
/* An attribute n_classes: 0, or 1 to BNN_MOST_CLASSES. */
int bnn_store_get_n_classes(bnn_h5_reader *r, const char *object);

/* Makes /schema; nothing where there is none. */
void bnn_store_put_schema(bnn_h5_writer *w, const bnn_schema *schema);
/* The schema of a file with x_size features, owned; NULL: it has none, or after a failure. */
bnn_schema *bnn_store_get_schema(bnn_h5_reader *r, int x_size);

/* The columns that rows are known by, as coordinates on the dimension obs_id: datasets id_0, id_1, ... with a text for each of the n rows
 * (NULL: all of the table), whose long_name is the column's. */
void bnn_store_put_ids(bnn_h5_writer *w, const char *group, const bnn_table *table, int n, const int *rows);
void bnn_store_get_ids(bnn_h5_reader *r, bnn_table *table);

/* Makes the group: columns on the dimension epoch. Nothing where the history is empty. */
void bnn_store_put_history(bnn_h5_writer *w, const char *group, const bnn_history *h);
void bnn_store_get_history(bnn_h5_reader *r, const char *group, bnn_history *h);

/* The scores of regression or of classes, together or one by one, into an existing group. */
void bnn_store_put_metrics(bnn_h5_writer *w, const char *group, int n, const bnn_metrics *m, const char *dims);
void bnn_store_get_metrics(bnn_h5_reader *r, const char *group, int n, bnn_metrics *m);

/* Verdicts as attributes code, severity and sentence of the group; an empty list is a group with `count` 0. remarks NULL: no group, nobody
 * has judged. */
void bnn_store_put_verdicts(bnn_h5_writer *w, const char *group, const bnn_remarks *remarks);
bnn_remarks *bnn_store_get_verdicts(bnn_h5_reader *r, const char *group); /* NULL where there is no group, and on a failure */

/* Makes the group: draws of some quantities, and what their chains say. Nothing where traces is NULL. */
void bnn_store_put_traces(bnn_h5_writer *w, const char *group, const bnn_traces *traces);
bnn_traces *bnn_store_get_traces(bnn_h5_reader *r, const char *group); /* NULL where there is no group, and on a failure */

/* Counts into `group`; times and memory, which are no result, into `times`. */
void bnn_store_put_cost(bnn_h5_writer *w, const char *group, const char *times, int n, const bnn_cost *c, const char *dims);
void bnn_store_get_cost(bnn_h5_reader *r, const char *group, const char *times, int n, bnn_cost *c);

/* BNN_OK where two comparisons are of one work, whatever parts of it they have. */
bnn_status bnn_comparison_go_together(const char *path, const bnn_comparison *a, const char *other, const bnn_comparison *b);

/* Makes /provenance. */
void bnn_store_put_provenance(bnn_h5_writer *w, const bnn_provenance *p);
/* Adds who made an open file to *makers, NULL before the first. Refuses other programs and instruction sets, whose bits may differ. */
void bnn_store_add_maker(bnn_h5_reader *r, bnn_makers **makers);
/* Files that are to be joined must be of one work: fails where the texts differ, with both names. */
bnn_status bnn_store_must_agree(const char *path, const char *other, const char *what, const char *a, const char *b);

/* Makes /prediction: moments, scores of each row, the targets; and /observed_data where there are targets. */
void bnn_store_put_prediction(bnn_h5_writer *w, const bnn_prediction *p, const bnn_data *data, const bnn_likelihood *likelihood);

/* Predictions of maps of classes (maps.c): makes /prediction, with room for all pixels of data, and fills that of the rows [from, from +
 * rows->n). */
void bnn_store_open_maps(bnn_h5_writer *w, const bnn_data *data, const bnn_likelihood *likelihood, bool probabilities);
void bnn_store_put_maps(bnn_h5_writer *w, int from, const bnn_prediction *rows, const bnn_data *data, bool probabilities);
/* Means of each image whose truth is known. */
void bnn_store_put_images(bnn_h5_writer *w, const bnn_prediction *p);

/* Makes /target_scores, where there are several targets, or /class_scores. */
void bnn_store_put_each(bnn_h5_writer *w, const bnn_prediction *p, const bnn_data *data);

/* The dimensions of rows and of one row's x, in a group; returns their list. */
const char *bnn_store_put_row_dims(bnn_h5_writer *w, const char *group, const bnn_data *data);
/* The dimension `output` or, of classes, `class_id`, with labels. */
void bnn_store_put_output_dim(bnn_h5_writer *w, const char *group, bool is_class, int size, const bnn_data *data);

/* The engine that predicts: /model_weights and /engine_state. */
void bnn_store_put_engine(bnn_h5_writer *w, const bnn_engine *engine);
void bnn_store_get_engine(bnn_h5_reader *r, bnn_engine *engine);

/* Writes, for an engine that holds others, its own state and theirs: /resume_0, /resume_1, ...; for another engine nothing. */
void bnn_store_put_held(bnn_h5_writer *w, const bnn_engine *engine);
/* The state of an opened engine, to go on with. */
void bnn_store_get_resumed(bnn_h5_reader *r, bnn_engine *engine, const bnn_data *data);

/* Questions to a file of a run: whether the run is complete, whether it holds an engine that predicts, where it came from. */
bool bnn_store_is_complete(bnn_h5_reader *r);
bool bnn_store_predicts(bnn_h5_reader *r);
void bnn_store_get_origin(bnn_h5_reader *r, bnn_origin *origin);

/* The plugins that make the engine and those that it holds, into /provenance; nothing where there are none. */
void bnn_store_put_plugins(bnn_h5_writer *w, const bnn_engine *engine);
void bnn_store_get_plugins(bnn_h5_reader *r, bnn_outline *o);
void bnn_store_free_plugins(bnn_outline *o);
/* Fails where a type that the file had from a plugin, and that the texts name (both NULL: any), is not there, or comes from another
 * version. */
void bnn_store_need_plugins(bnn_h5_reader *r, const char *engine, const bnn_texts *texts);

/* The writer of draws, with the lock that bnn_h5_commit gives back; and its end without the file's. */
bnn_h5_writer *bnn_draws_writer(bnn_draws *draws);
/* The numbers of the draws that are kept, among the stored ones of their chain: n of each. */
const int *bnn_draws_numbers(const bnn_draws *draws, int *n);
void bnn_draws_end(bnn_draws *draws);

#endif
