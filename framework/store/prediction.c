/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * prediction.c: predictions, in /prediction, with the scores of each target or class and the targets that were seen; of maps of classes
 * maps.c.
 */
#include "parts.h"

#include <stdlib.h>
#include <string.h>

/* Targets in the units they were measured in. */
static void put_targets(bnn_h5_writer *w, const char *group, const bnn_data *data) {
    size_t n = (size_t)data->n, width = (size_t)data->y_dim;
    double *y = malloc((n * width + 1) * sizeof *y);
    if (!y) {
        bnn_h5_refuse(w, bnn_fail(BNN_ERR_MEMORY, "%s: out of memory", w->path));
        return;
    }
    for (size_t i = 0; i < n; i++) memcpy(y + i * width, data->table->y + (size_t)data->rows[i] * width, width * sizeof *y);
    if (data->n_classes > 0)
        bnn_h5_put(w, group, "y", BNN_H5_CLASSES, y, "obs_id");
    else
        bnn_h5_put(w, group, "y", BNN_H5_DOUBLE, y, "obs_id output");
    free(y);
}

/* The group of that name of InferenceData. */
static void put_observed(bnn_h5_writer *w, const bnn_data *data) {
    bnn_h5_group(w, "/observed_data");
    bnn_h5_dim(w, "/observed_data", "obs_id", data->n, BNN_H5_INT, data->rows);
    if (data->n_classes == 0) bnn_store_put_output_dim(w, "/observed_data", false, data->y_dim, data);
    put_targets(w, "/observed_data", data);
}

void bnn_store_put_each(bnn_h5_writer *w, const bnn_prediction *p, const bnn_data *data) {
    const char *group = p->is_class ? "/class_scores" : "/target_scores";
    bnn_metrics *each;
    if (!p->has_target || (!p->is_class && p->mean_dim == 1)) return;
    if (bnn_metrics_each(p, data, &each) < 0) {
        bnn_h5_refuse(w, bnn_note(BNN_ERR_MEMORY, "%s", w->path));
        return;
    }
    bnn_h5_group(w, group);
    bnn_store_put_output_dim(w, group, p->is_class, bnn_prediction_width(p), data);
    bnn_store_put_metrics(w, group, bnn_prediction_width(p), each, p->is_class ? "class_id" : "output");
    free(each);
}

void bnn_store_put_prediction(bnn_h5_writer *w, const bnn_prediction *p, const bnn_data *data, const bnn_likelihood *l) {
    static const char *const modes[] = {[BNN_MEAN] = "mean", [BNN_ROWS] = "rows", [BNN_DRAW] = "draw"}, group[] = "/prediction";
    const char *on = p->is_class ? "obs_id class_id" : "obs_id output";
    if (data->n != p->n) bnn_h5_refuse(w, bnn_fail(BNN_ERR_SHAPE, "%s: %d rows were predicted, the data have %d", w->path, p->n, data->n));
    const bool taken = bnn_h5_dim_size(w, group, "obs_id") >= 0, maps = p->sites > 1 && !p->taken, begun = taken || maps;
    if (maps) bnn_store_open_maps(w, data, l, true), bnn_store_put_maps(w, 0, p, data, true);
    if (!begun) bnn_h5_group(w, group);
    bnn_h5_ints(w, group, "samples", 1, &p->samples);
    bnn_h5_text(w, group, "noise", modes[p->mode]);
    bnn_h5_u64(w, group, "seed", p->seed);
    if (!begun) bnn_h5_dim(w, group, "obs_id", p->n, BNN_H5_INT, data->rows);
    if (!begun) bnn_store_put_ids(w, group, data->table, p->n, data->rows);
    if (p->map_sums) bnn_store_put_images(w, p);
    if (p->sites > 1) return;
    bnn_store_put_output_dim(w, group, p->is_class, p->mean_dim, data);
    bnn_h5_put(w, group, "mean", BNN_H5_DOUBLE, p->mean, on);
    bnn_h5_put(w, group, "var_epistemic", BNN_H5_DOUBLE, p->var_epistemic, on);
    bnn_h5_put(w, group, "var_aleatoric", BNN_H5_DOUBLE, p->var_aleatoric, on);
    bnn_h5_put(w, group, "mean_mcse", BNN_H5_DOUBLE, p->mean_mcse, on);
    if (p->is_class) bnn_h5_put(w, group, "expected_entropy", BNN_H5_DOUBLE, p->expected_entropy, "obs_id");
    if (p->set) bnn_h5_put(w, group, "set", BNN_H5_CODE, p->set, on);
    if (p->n_levels > 0) bnn_h5_dim(w, group, "level", p->n_levels, BNN_H5_DOUBLE, p->levels);
    if (p->n_levels > 0) bnn_h5_put(w, group, "quantile", BNN_H5_DOUBLE, p->quantile, "obs_id output level");
    if (!p->has_target) return;
    bnn_h5_put(w, group, "logp", BNN_H5_DOUBLE, p->logp, "obs_id");
    if (!p->is_class && p->pit) bnn_h5_put(w, group, "pit", BNN_H5_DOUBLE, p->pit, on);
    if (p->crps) bnn_h5_put(w, group, "crps", BNN_H5_DOUBLE, p->crps, on);
    put_targets(w, group, data);
    put_observed(w, data);
}
