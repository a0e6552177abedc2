/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * acquisition.c: files of schema "bnn-acquisition".
 */
#include "store/parts.h"

#include <stdlib.h>

static const char group[] = "/chosen";

bnn_status bnn_acquisition_save(const bnn_acquisition *a, const bnn_table *table, const bnn_provenance *provenance, const char *path) {
    bnn_h5_writer w;
    bnn_h5_create(&w, path);
    bnn_h5_schema(&w, "bnn-acquisition");
    bnn_h5_text(&w, "/", "by", a->by);
    bnn_h5_ints(&w, "/", "pool_rows", 1, &a->pool);
    bnn_store_put_provenance(&w, provenance);
    bnn_h5_group(&w, group);
    bnn_h5_dim(&w, group, "obs_id", a->n, BNN_H5_INT, a->row);
    bnn_store_put_ids(&w, group, table, a->n, a->row);
    bnn_h5_put(&w, group, "score", BNN_H5_DOUBLE, a->score, "obs_id");
    return bnn_h5_commit(&w);
}

bnn_status bnn_acquisition_load(const char *path, bnn_acquisition **out) {
    bnn_h5_reader r;
    *out = NULL;
    BNN_TRY(bnn_h5_open(&r, path, "bnn-acquisition"));
    bnn_acquisition *a = bnn_h5_room(&r, 1, sizeof *a);
    if (a) {
        a->by = bnn_h5_get_text(&r, "/", "by");
        a->pool = bnn_h5_get_int(&r, "/", "pool_rows");
        a->n = bnn_h5_length(&r, "/chosen/obs_id");
        a->row = bnn_h5_room(&r, (size_t)a->n, sizeof *a->row);
        a->score = bnn_h5_room(&r, (size_t)a->n, sizeof *a->score);
        bnn_h5_get(&r, "/chosen/obs_id", BNN_H5_INT, (size_t)a->n, a->row);
        bnn_h5_get(&r, "/chosen/score", BNN_H5_DOUBLE, (size_t)a->n, a->score);
    }
    bnn_status s = bnn_h5_close(&r);
    if (s == BNN_OK)
        *out = a;
    else
        bnn_acquisition_free(a);
    return s;
}

void bnn_acquisition_free(bnn_acquisition *a) {
    if (!a) return;
    free(a->by), free(a->row), free(a->score);
    free(a);
}
