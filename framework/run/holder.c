/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/memory.h"

#include <bnn/holder.h>
#include <bnn/metrics.h>

#include <stdlib.h>
#include <string.h>

static const char *const validations[] = {"shuffled", "last", NULL};

const bnn_option bnn_holdout_options[] = {
    BNN_OPT_CHOICE(bnn_holdout_conf, validation, "shuffled", validations,
                   "training rows that are scored: drawn by the seed, of each class its share; or the last ones"),
    BNN_OPT_REAL(bnn_holdout_conf, share, "0.2", 0.01, 0.99, "of the training rows that are scored"),
    {0}};

/* 0 for all rows where there are no classes to keep apart, as of real targets and of maps. */
static int class_of(const bnn_data *data, int row) { return data->n_classes > 0 && data->y_dim == 1 ? (int)data->y[row] + 1 : 0; }

/* Marks (int)(share n) rows. In the drawn order, class after class, every (1/share)-th is one: so each class has its share, to one row. */
static bnn_status draw_rows(const bnn_data *data, double share, bnn_rng rng, bool *held) {
    int *order = malloc((size_t)data->n * sizeof *order), *place = calloc((size_t)data->n_classes + 2, sizeof *place);
    if (order && place) {
        bnn_rng_permutation(rng, data->n, order);
        for (int i = 0; i < data->n; i++) place[class_of(data, i) + 1]++; /* then the place of a class's next row */
        for (int c = 0; c <= data->n_classes; c++) place[c + 1] += place[c];
        for (int i = 0; i < data->n; i++) {
            int at = place[class_of(data, order[i])]++;
            held[order[i]] = (int)(share * (at + 1)) > (int)(share * at);
        }
    }
    bnn_status s = order && place ? BNN_OK : bnn_oom("validation rows");
    free(order), free(place);
    return s;
}

bnn_status bnn_holdout_order(const bnn_data *data, const bnn_holdout_conf *conf, bnn_rng rng, int *kept, int *order) {
    *kept = data->n - (int)(conf->share * data->n);
    if (*kept < 1 || *kept >= data->n)
        return bnn_fail(BNN_ERR_DATA, "%d training rows cannot be cut into a part to fit and a part to score", data->n);
    bool *held = calloc((size_t)data->n, sizeof *held);
    if (!held) return bnn_oom("validation rows");
    for (int i = *kept; i < data->n; i++) held[i] = conf->validation == BNN_VALIDATION_LAST;
    bnn_status s = conf->validation == BNN_VALIDATION_LAST ? BNN_OK : draw_rows(data, conf->share, rng, held);
    for (int i = 0, at[2] = {0, *kept}; s == BNN_OK && i < data->n; i++) order[at[held[i]]++] = i;
    free(held);
    return s;
}

bnn_status bnn_holdout_open(const bnn_data *data, const bnn_holdout_conf *conf, bnn_rng rng, bnn_holdout *out) {
    int kept, *rows = malloc((size_t)data->n * sizeof *rows);
    bnn_status s = rows ? bnn_holdout_order(data, conf, rng, &kept, rows) : bnn_oom("validation rows");
    for (int i = 0; s == BNN_OK && i < data->n; i++) rows[i] = data->rows[rows[i]];
    if (s == BNN_OK) s = bnn_data_new(data->table, kept, rows, NULL, &out->fit);
    if (s == BNN_OK) s = bnn_data_new(data->table, data->n - kept, rows + kept, &out->fit->scaling, &out->score);
    free(rows);
    return s;
}

void bnn_holdout_close(bnn_holdout *holdout) {
    bnn_data_free(holdout->fit);
    bnn_data_free(holdout->score);
}

bnn_status bnn_holder_open_text(const char *spec, const bnn_texts *texts, const bnn_data *data, bnn_rng rng, int together,
                                bnn_engine **out) {
    double before;
    BNN_TRY(bnn_memory_enter(together, &before));
    bnn_status s = bnn_engine_new(spec, texts, data, rng, out);
    bnn_memory_leave(before);
    return s;
}

void bnn_holder_count(bnn_engine *outer, const bnn_engine *inner, const bnn_cost *before) {
    outer->cost.gradients += inner->cost.gradients - before->gradients;
    outer->cost.forwards += inner->cost.forwards - before->forwards;
    outer->cost.flops += inner->cost.flops - before->flops;
}

bnn_status bnn_holder_step(bnn_engine *outer, bnn_engine *inner, const bnn_data *data, bnn_step *out) {
    bnn_cost before = inner->cost;
    BNN_TRY(bnn_engine_step(inner, data, out));
    bnn_holder_count(outer, inner, &before);
    return BNN_OK;
}

bnn_status bnn_holder_score(bnn_engine *inner, const bnn_data *rows, int samples, uint64_t seed, double *ll) {
    const bool maps = bnn_is_map(rows->y_shape); /* whose scores are made on the way */
    const bnn_taker nobody = {0};
    bnn_predict_options how = {sizeof how, .samples = samples, .seed = seed, .taker = maps ? &nobody : NULL};
    bnn_prediction *prediction;
    bnn_metrics metrics;
    BNN_TRY(bnn_predict(inner, rows, &how, &prediction));
    bnn_status s = bnn_metrics_compute(prediction, rows, &metrics);
    inner->cost.forwards += prediction->cost.forwards;
    inner->cost.flops += prediction->cost.flops;
    bnn_prediction_free(prediction);
    *ll = s == BNN_OK ? metrics.ll : 0;
    return s;
}

bnn_status bnn_holder_mode(const bnn_engine *outer, const bnn_engine *inner, const bnn_real *theta, bnn_real *to) {
    const bnn_engine *fitted = bnn_engine_fitted(inner);
    const char *name = inner->object.type->name;
    if (!theta || !fitted) return bnn_fail(BNN_ERR_STATE, "engine '%s' has no parameters at its end", name);
    if (strcmp(fitted->texts.net, outer->texts.net) != 0 || strcmp(fitted->texts.likelihood, outer->texts.likelihood) != 0)
        return bnn_fail(BNN_ERR_STATE, "engine '%s' chose another network or likelihood: search around %s, not inside it", name,
                        outer->object.type->name);
    memcpy(to, theta, (size_t)outer->model->n_theta * sizeof *theta);
    return BNN_OK;
}

enum { PIECE = 256 }; /* rows at a time */

bnn_status bnn_holder_look(const bnn_engine *outer, const bnn_data *data, const bnn_real *theta, bnn_step *out) {
    const bnn_model *m = outer->model;
    size_t y_dim = (size_t)data->y_dim;
    bnn_workspace *ws;
    bnn_real *room = bnn_reals_new(bnn_data_room(data, PIECE));
    if (!room) return bnn_oom("%d rows", PIECE);
    bnn_status s = bnn_workspace_new(m->net, PIECE, BNN_FORWARD, &ws);
    if (s < 0) return free(room), s;
    for (int i = 0; i < data->n; i += PIECE) {
        int n = data->n - i < PIECE ? data->n - i : PIECE;
        bnn_objective u = {.n_total = n, .kl_weight = 1, .mode = BNN_MEAN, .weight = data->weight ? data->weight + i : NULL};
        bnn_terms terms = bnn_model_u(m, ws, &u, outer->rng, theta, n, bnn_data_take(data, i, n, room), data->y + (size_t)i * y_dim, NULL);
        terms.nll += out->terms.nll;
        out->terms = terms;
    }
    bnn_workspace_free(ws);
    free(room);
    out->progress = 1;
    out->done = true;
    return BNN_OK;
}

bnn_status bnn_holder_adapt(const bnn_object *inner, bnn_netspec *net) {
    const bnn_engine_type *type = (const bnn_engine_type *)inner->type;
    return type->adapt ? type->adapt(inner->conf, net) : BNN_OK;
}

bnn_status bnn_holder_open(const bnn_engine *outer, const bnn_object *inner, const bnn_data *data, bnn_rng rng, int together,
                           bnn_engine **out) {
    bnn_texts texts = {.net = outer->plain_net, .likelihood = outer->texts.likelihood, .prior = outer->texts.prior};
    char *spec = bnn_object_print(inner, false);
    bnn_status s = spec ? bnn_holder_open_text(spec, &texts, data, rng, together, out) : bnn_oom("an engine");
    free(spec);
    return s;
}
