/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * played.c: files of schema "bnn-regret".
 */
#include "store/parts.h"

#include <stdlib.h>

static const char group[] = "/regret";

static void put_curve(bnn_h5_writer *w, const char *name, const double *values, const char *dims, const char *meaning) {
    char path[BNN_H5_PATH];
    bnn_h5_put(w, group, name, BNN_H5_DOUBLE, values, dims);
    bnn_h5_text(w, bnn_h5_join(path, group, name), "long_name", meaning);
}

static void put_regret(bnn_h5_writer *w, const bnn_regret *g) {
    double *mean = malloc((size_t)g->n_points * sizeof *mean), *se = malloc((size_t)g->n_points * sizeof *se);
    if (!mean || !se) bnn_h5_refuse(w, bnn_oom("regret"));
    bnn_h5_group(w, group);
    bnn_h5_dim(w, group, "run", g->runs, BNN_H5_INT, NULL);
    bnn_h5_dim(w, group, "step", g->n_points, BNN_H5_INT, g->step);
    for (int k = 0; mean && se && k < g->n_points; k++) mean[k] = bnn_regret_mean(g, k, &se[k]);
    put_curve(w, "regret", g->regret, "run step", "expected reward of the best actions less that of those taken, up to this step");
    put_curve(w, "mean", mean, "step", "mean regret of the runs");
    put_curve(w, "se", se, "step", "standard error of the mean; NaN of one run");
    put_curve(w, "reward", g->reward, "run", "in all, as it was paid");
    put_curve(w, "gradients", g->gradients, "run", "gradients of minibatches that fits took");
    free(mean), free(se);
}

bnn_status bnn_played_save(const bnn_played *played, const bnn_provenance *provenance, const char *path) {
    bnn_h5_writer w;
    bnn_h5_create(&w, path);
    bnn_h5_schema(&w, "bnn-regret");
    bnn_h5_text(&w, "/", "game", played->game);
    bnn_h5_text(&w, "/", "policy", played->policy);
    bnn_h5_number(&w, "/", "epsilon", played->epsilon);
    bnn_h5_text(&w, "/", "engine", played->engine);
    bnn_h5_text(&w, "/", "head", played->head);
    bnn_h5_u64(&w, "/", "seed", played->seed);
    bnn_store_put_provenance(&w, provenance);
    put_regret(&w, played->regret);
    return bnn_h5_commit(&w);
}

/* ---- reading ---- */

static bnn_regret *get_regret(bnn_h5_reader *r) {
    int runs = bnn_h5_length(r, "/regret/run"), points = bnn_h5_length(r, "/regret/step");
    if (r->status == BNN_OK && (runs < 1 || points < 1))
        r->status = bnn_fail(BNN_ERR_FORMAT, "%s: has %d runs of %d points, not 1 or more of both", r->path, runs, points);
    bnn_regret *g = bnn_h5_room(r, 1, sizeof *g);
    if (!g) return NULL;
    *g = (bnn_regret){.runs = runs, .n_points = points};
    g->step = bnn_h5_room(r, (size_t)points, sizeof *g->step);
    g->regret = bnn_h5_room(r, (size_t)runs * (size_t)points, sizeof *g->regret);
    g->reward = bnn_h5_room(r, (size_t)runs, sizeof *g->reward);
    g->gradients = bnn_h5_room(r, (size_t)runs, sizeof *g->gradients);
    bnn_h5_get(r, "/regret/step", BNN_H5_INT, (size_t)points, g->step);
    bnn_h5_get(r, "/regret/regret", BNN_H5_DOUBLE, (size_t)runs * (size_t)points, g->regret);
    bnn_h5_get(r, "/regret/reward", BNN_H5_DOUBLE, (size_t)runs, g->reward);
    bnn_h5_get(r, "/regret/gradients", BNN_H5_DOUBLE, (size_t)runs, g->gradients);
    return g;
}

bnn_status bnn_played_load(const char *path, bnn_played **out) {
    bnn_h5_reader r;
    *out = NULL;
    BNN_TRY(bnn_h5_open(&r, path, "bnn-regret"));
    bnn_played *p = bnn_h5_room(&r, 1, sizeof *p);
    if (p) {
        p->game = bnn_h5_get_text(&r, "/", "game");
        p->policy = bnn_h5_get_text(&r, "/", "policy");
        p->epsilon = bnn_h5_get_number(&r, "/", "epsilon");
        p->engine = bnn_h5_get_text(&r, "/", "engine");
        p->head = bnn_h5_get_text(&r, "/", "head");
        p->seed = bnn_h5_get_u64(&r, "/", "seed");
        p->regret = get_regret(&r);
    }
    bnn_status s = bnn_h5_close(&r);
    if (s == BNN_OK)
        *out = p;
    else
        bnn_played_free(p);
    return s;
}

void bnn_played_free(bnn_played *p) {
    if (!p) return;
    free(p->game), free(p->policy), free(p->engine), free(p->head);
    bnn_regret_free(p->regret);
    free(p);
}
