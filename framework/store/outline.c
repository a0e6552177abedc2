/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * outline.c: what a file of a run or of predictions says of itself, without building its network.
 */
#include "parts.h"

#include <stdlib.h>
#include <string.h>

bool bnn_store_is_complete(bnn_h5_reader *r) {
    char *status = bnn_h5_get_text(r, "/", "status");
    bool complete = status && strcmp(status, "complete") == 0;
    if (status && !complete && strcmp(status, "partial") != 0)
        r->status = bnn_fail(BNN_ERR_FORMAT, "%s: status is '%s', not complete or partial", r->path, status);
    free(status);
    return complete;
}

bool bnn_store_predicts(bnn_h5_reader *r) { return bnn_h5_has(r, "/engine_state"); }

/* NULL for "". */
static char *get_known(bnn_h5_reader *r, const char *object, const char *name) {
    char *text = bnn_h5_get_text(r, object, name);
    if (!text || *text) return text;
    free(text);
    return NULL;
}

static char *get_optional(bnn_h5_reader *r, const char *object, const char *name) {
    return bnn_h5_has_attribute(r, object, name) ? get_known(r, object, name) : NULL;
}

void bnn_store_get_origin(bnn_h5_reader *r, bnn_origin *o) {
    *o = (bnn_origin){.command = get_known(r, "/provenance", "command"),
                      .data_path = get_known(r, "/provenance", "data_path"),
                      .data_sha256 = get_known(r, "/provenance", "data_sha256"),
                      .started_at = get_known(r, "/provenance", "started_at"),
                      .weights_sha256 = get_optional(r, "/provenance", "weights_sha256"),
                      .run_sha256 = get_optional(r, "/provenance", "run_sha256"),
                      .split = bnn_h5_has_attribute(r, "/", "split") ? bnn_h5_get_int(r, "/", "split") : -1};
}

void bnn_origin_free(bnn_origin *o) {
    free(o->command), free(o->data_path), free(o->data_sha256), free(o->started_at), free(o->weights_sha256), free(o->run_sha256);
    *o = (bnn_origin){.split = -1};
}

static void get_work(bnn_h5_reader *r, bnn_outline *o) {
    o->engine = bnn_h5_get_text(r, "/", "engine");
    o->net = bnn_h5_get_text(r, "/", "net");
    o->likelihood = bnn_h5_get_text(r, "/", "likelihood");
    o->prior = bnn_h5_get_text(r, "/", "prior");
    o->seed = bnn_h5_get_u64(r, "/", "seed");
}

static void get_state(bnn_h5_reader *r, bnn_outline *o) {
    o->steps = bnn_h5_get_int(r, "/", "steps");
    o->progress = bnn_h5_get_number(r, "/", "progress");
    o->complete = bnn_store_is_complete(r);
    o->predicts = bnn_store_predicts(r);
}

static void get_predictions(bnn_h5_reader *r, bnn_outline *o) {
    if (!bnn_h5_has(r, "/prediction")) return;
    o->rows = bnn_h5_length(r, "/prediction/obs_id");
    o->samples = bnn_h5_get_int(r, "/prediction", "samples");
    if (bnn_h5_has(r, "/posterior")) o->kept |= BNN_KEEP_POSTERIOR;
    if (bnn_h5_has(r, "/posterior_predictive")) o->kept |= BNN_KEEP_PREDICTIVE;
}

bnn_status bnn_outline_load(const char *path, bnn_outline *out) {
    *out = (bnn_outline){.origin.split = -1};
    bnn_h5_reader r;
    BNN_TRY(bnn_h5_open(&r, path, "bnn-run|bnn-model|bnn-prediction"));
    char *schema = bnn_h5_get_text(&r, "/", "schema");
    get_work(&r, out);
    if (schema && strcmp(schema, "bnn-prediction") != 0) get_state(&r, out);
    free(schema);
    get_predictions(&r, out);
    bnn_store_get_plugins(&r, out);
    bnn_store_get_origin(&r, &out->origin);
    out->verdicts = bnn_store_get_verdicts(&r, "/verdicts");
    bnn_status s = bnn_h5_close(&r);
    if (s < 0) bnn_outline_free(out);
    return s;
}

void bnn_outline_free(bnn_outline *o) {
    free(o->engine), free(o->net), free(o->likelihood), free(o->prior);
    bnn_store_free_plugins(o);
    bnn_origin_free(&o->origin);
    bnn_remarks_free(o->verdicts);
    *o = (bnn_outline){.origin.split = -1};
}
