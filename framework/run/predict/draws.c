/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "parts.h"

#include <bnn/jobs.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* A prefix is kept up to this size. */
enum { MOST_PREFIX_BYTES = 1 << 28 };

int bnn_work_rows(const bnn_work *w, int at) { return w->rows - at < w->piece ? w->rows - at : w->piece; }
int bnn_work_pieces(const bnn_work *w) { return (w->rows + w->piece - 1) / w->piece; }

static void free_desk(bnn_desk *d) {
    if (!d) return;
    bnn_workspace_free(d->ws);
    free(d->theta);
    free(d->mean);
    free(d->var);
    free(d->pit);
    free(d->y);
    free(d->z);
    free(d->f);
    free(d->x);
    free(d->logp);
    free(d);
}

static bnn_status fill_desk(const bnn_work *w, bnn_desk *d) {
    const bnn_likelihood *l = &w->engine->model->likelihood;
    const size_t rows = (size_t)w->piece, k = (size_t)w->p->mean_dim, real = l->n_classes == 0 ? rows * k : 0;
    const size_t outputs = (w->how.by == BNN_BY_THETA ? 0 : rows * (size_t)l->out_dim) + 1;
    d->theta = malloc(((size_t)w->engine->model->n_theta + 1) * sizeof *d->theta);
    d->mean = malloc(rows * k * sizeof *d->mean);
    d->y = malloc(rows * (size_t)l->y_dim * sizeof *d->y);
    d->z = malloc(outputs * sizeof *d->z);
    d->f = malloc(outputs * sizeof *d->f);
    d->x = bnn_reals_new(bnn_data_room(w->data, w->piece));
    d->logp = malloc(rows * (size_t)l->sites * sizeof *d->logp);
    if (real > 0) d->var = malloc(real * sizeof *d->var), d->pit = malloc(real * sizeof *d->pit);
    if (!d->theta || !d->mean || !d->y || !d->z || !d->f || !d->x || !d->logp || (real > 0 && (!d->var || !d->pit)))
        return bnn_oom("prediction");
    return bnn_workspace_new(w->engine->model->net, w->piece, BNN_FORWARD, &d->ws);
}

/* Sits down at a desk that nobody sits at, or at a new one. */
static bnn_status sit_down(bnn_work *w, bnn_desk **out) {
    pthread_mutex_lock(&w->desks.lock);
    bnn_desk *d = w->desks.free;
    if (d) w->desks.free = d->next;
    pthread_mutex_unlock(&w->desks.lock);
    bnn_status s = BNN_OK;
    if (!d) s = (d = calloc(1, sizeof *d)) ? fill_desk(w, d) : bnn_oom("prediction");
    if (s == BNN_OK)
        *out = d;
    else
        free_desk(d);
    return s;
}

static void stand_up(bnn_work *w, bnn_desk *d) {
    pthread_mutex_lock(&w->desks.lock);
    d->next = w->desks.free;
    w->desks.free = d;
    pthread_mutex_unlock(&w->desks.lock);
}

void bnn_work_close(bnn_work *w) {
    for (bnn_desk *d = w->desks.free, *next; d; d = next) {
        next = d->next;
        free_desk(d);
    }
    w->desks.free = NULL;
}

/* Hands out one draw of some rows, with a y of its own. */
static bnn_status hand_out(const bnn_work *w, const bnn_desk *d, int s, const bnn_real *f, bnn_drawn drawn) {
    const bnn_likelihood *l = &w->engine->model->likelihood;
    bnn_likelihood_vtable(l)->draw(l, drawn.n, f, bnn_model_noise(w->engine->model, d->theta), bnn_rng_split(w->targets, (uint64_t)s),
                                   (uint64_t)drawn.row, d->y);
    return w->sink->take(w->sink->context, &drawn);
}

/* f = mean + root z, z ~ N(0, I), of the rows [at, at+n) of the stretch, under draw s. z and f are [n, out]; returns f. */
static const bnn_real *draw_outputs(const bnn_work *w, int s, int at, int n, bnn_real *z, bnn_real *f) {
    size_t out = (size_t)w->engine->model->likelihood.out_dim;
    bnn_rng_normal(bnn_rng_split(w->draws, (uint64_t)s), (uint64_t)(w->from + at), n, (int)out, z);
    for (size_t i = 0; i < (size_t)n; i++) {
        const double *mean = w->f + ((size_t)at + i) * out, *root = w->root + ((size_t)at + i) * out * out;
        for (size_t k = 0; k < out; k++) {
            double sum = mean[k];
            for (size_t j = 0; j <= k; j++) sum += root[k * out + j] * (double)z[i * out + j];
            f[i * out + k] = (bnn_real)sum;
        }
    }
    return f;
}

/* One draw over the rows [at, at+n) of the stretch. */
static bnn_status add_piece(const bnn_work *w, const bnn_desk *d, bnn_tally *t, int s, int at, int n) {
    const bnn_model *m = w->engine->model;
    const bnn_prediction *p = w->p;
    size_t row = (size_t)(w->from + at), from = (size_t)at;
    const bnn_real *y = p->has_target ? w->data->y + row * (size_t)w->data->y_dim : NULL;
    const bnn_real *x = bnn_data_take(w->data, (int)row, n, d->x);
    const bnn_real *f = w->how.by != BNN_BY_THETA ? draw_outputs(w, s, at, n, d->z, d->f)
                        : w->prefix               ? bnn_net_forward_after(m->net, d->ws, n, row, x, w->prefix + from * w->prefix_size)
                                                  : bnn_net_forward(m->net, d->ws, n, row, x);
    bnn_observation seen = {.mean = d->mean, .var = d->var, .logp = y ? d->logp : NULL, .pit = p->pit ? d->pit : NULL};
    bnn_likelihood_vtable(&m->likelihood)->observe(&m->likelihood, n, f, y, bnn_model_noise(m, d->theta), &seen);
    bnn_tally_add(t, from, n, &m->likelihood, &seen);
    if (w->kept) bnn_kept_take(w->kept, s, w->from - w->base + at, n, f, bnn_model_noise(m, d->theta));
    if (!w->sink) return BNN_OK;
    bnn_drawn drawn = {
        .s = s, .row = (int)row, .n = n, .theta = d->theta, .ws = d->ws, .f = f, .mean = d->mean, .y = d->y, .logp = seen.logp};
    return hand_out(w, d, s, f, drawn);
}

static bool has_one_theta(const bnn_work *w) { return bnn_engine_vtable(w->engine)->type.caps & BNN_ONE_THETA; }

/* first: of the block. */
static bnn_status draw_theta(const bnn_work *w, const bnn_desk *d, int s, bool first) {
    int stored = bnn_predict_stored(w->engine, s, w->p->samples);
    if (first || !has_one_theta(w)) BNN_TRY(bnn_engine_draw(w->engine, stored, bnn_rng_split(w->draws, (uint64_t)s), d->theta));
    bnn_net_prepare(w->engine->model->net, d->ws, d->theta, w->p->mode, false, bnn_rng_split(w->noise, (uint64_t)s));
    return BNN_OK;
}

/* A draw of so many rows is done; thread-safe. */
static void keep_pace(bnn_pace *pace, int rows) {
    if (pace->progress) pace->progress(pace->context, (double)(atomic_fetch_add(&pace->done, rows) + rows) / pace->all);
}

static bnn_status add_draws(const bnn_work *w, int b, const bnn_desk *d) {
    int first = (int)((int64_t)w->p->samples * b / w->blocks), end = (int)((int64_t)w->p->samples * (b + 1) / w->blocks);
    bnn_tally *t = &w->block[b];
    for (int s = first; s < end; s++) {
        if (w->how.by == BNN_BY_THETA) BNN_TRY(draw_theta(w, d, s, s == first));
        t->draws++;
        for (int at = 0; at < w->rows; at += w->piece) BNN_TRY(add_piece(w, d, t, s, at, bnn_work_rows(w, at)));
        keep_pace(w->pace, w->rows);
    }
    return BNN_OK;
}

static bnn_status run_block(void *context, int b) {
    bnn_work *w = context;
    bnn_desk *d;
    BNN_TRY(sit_down(w, &d));
    if (w->how.theta) memcpy(d->theta, w->how.theta, (size_t)w->engine->model->n_theta * sizeof *d->theta);
    bnn_status s = bnn_tally_open(&w->block[b], &w->engine->model->likelihood, (size_t)w->rows);
    if (s == BNN_OK) s = add_draws(w, b, d);
    stand_up(w, d);
    return s;
}

/* ---- what does not depend on the draw ---- */

static bnn_status prefix_piece(void *context, int piece) {
    bnn_work *w = context;
    const bnn_model *m = w->engine->model;
    int at = piece * w->piece, n = bnn_work_rows(w, at);
    size_t row = (size_t)(w->from + at);
    bnn_desk *d;
    BNN_TRY(sit_down(w, &d));
    bnn_status s = bnn_engine_draw(w->engine, 0, w->draws, d->theta);
    if (s == BNN_OK) {
        bnn_net_prepare(m->net, d->ws, d->theta, w->p->mode, false, w->noise);
        bnn_net_prefix(m->net, d->ws, n, row, bnn_data_take(w->data, (int)row, n, d->x), w->prefix + (size_t)at * w->prefix_size);
    }
    stand_up(w, d);
    return s;
}

/* Computed once for a stretch where every draw has the same parameters, and it fits into memory. */
static bnn_status make_prefix(bnn_work *w) {
    size_t size = bnn_net_prefix_size(w->engine->model->net), bytes = size * (size_t)w->rows * sizeof *w->prefix;
    if (!has_one_theta(w) || size == 0 || w->p->samples < 2 || bytes > MOST_PREFIX_BYTES) return BNN_OK;
    w->prefix_size = size;
    w->prefix = malloc(bytes);
    return w->prefix ? bnn_jobs_run(bnn_work_pieces(w), prefix_piece, w) : bnn_oom("prediction");
}

bnn_status bnn_work_run_draws(bnn_work *w) {
    w->prefix = NULL;
    w->block = calloc((size_t)w->blocks, sizeof *w->block);
    bnn_status s = w->block ? make_prefix(w) : bnn_oom("prediction");
    if (s == BNN_OK) s = bnn_jobs_run(w->blocks, run_block, w);
    const bnn_likelihood *l = &w->engine->model->likelihood;
    for (int b = 1; s == BNN_OK && b < w->blocks; b++) bnn_tally_merge(&w->block[0], &w->block[b], l, (size_t)w->rows);
    if (s == BNN_OK) bnn_tally_finish(&w->block[0], &w->engine->model->scaling, (size_t)w->rows, (size_t)(w->from - w->base), w->p);
    for (int b = 0; w->block && b < w->blocks; b++) free(w->block[b].memory);
    free(w->block);
    free(w->prefix);
    return s;
}
