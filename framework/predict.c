/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <bnn/jobs.h>
#include <bnn/predict.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Draws are cut into this many blocks at most, rows into stretches and pieces: all by the size of the problem, never by threads. Every
 * block streams over its draws; blocks are merged in order. */
enum { MOST_BLOCKS = 16, PIECE = 256, SHORTEST_STRETCH = 256, LONGEST_STRETCH = 8192, MOST_PREFIX_BYTES = 1 << 28 };

/* What one block of draws has seen of one stretch of rows. k = mean_dim. */
typedef struct {
    int draws;
    double *mean, *m2; /* [rows, k] of the predictive means: running mean and sum of squared deviations (Welford 1962) */
    double *var;       /* [rows, k] sum of noise variances */
    double *top, *sum; /* [rows] log p(y | f_s): largest, and sum of exp(. - largest) */
    double *pit;       /* [rows, k] sum */
    double *entropy;   /* [rows] sum of H[p_s] */
    double *memory;
} tally;

typedef struct {
    const bnn_engine *engine;
    const bnn_data *data;
    bnn_prediction *p;
    bnn_rng noise, draws, targets; /* of the layers, of the engine's draws, of y given f: split by draw */
    const bnn_sink *sink;
    int blocks;
    int from, rows; /* the stretch */
    tally *block;   /* [blocks] */
    size_t prefix_size;
    bnn_real *prefix; /* [rows, prefix_size] of the stretch: what does not depend on the draw; NULL: there is nothing to keep */
} work;

static bnn_status out_of_memory(void) { return bnn_fail(BNN_ERR_MEMORY, "out of memory for prediction"); }

static bnn_status open_tally(tally *t, size_t rows, size_t k) {
    t->memory = calloc(4 * rows * k + 3 * rows, sizeof *t->memory);
    if (!t->memory) return out_of_memory();
    double *at = t->memory;
    t->mean = at;
    t->m2 = at += rows * k;
    t->var = at += rows * k;
    t->pit = at += rows * k;
    t->top = at += rows * k;
    t->sum = at += rows;
    t->entropy = at + rows;
    return BNN_OK;
}

/* Adds one draw's means of the rows [row, row+n) to the running moments. */
static void add_means(tally *t, size_t from, size_t n, const bnn_real *mean, const bnn_real *var) {
    const double share = 1.0 / t->draws;
    for (size_t i = 0; i < n; i++) {
        double delta = (double)mean[i] - t->mean[from + i];
        t->mean[from + i] += delta * share;
        t->m2[from + i] += delta * ((double)mean[i] - t->mean[from + i]);
        t->var[from + i] += (double)var[i];
    }
}

static void add_logp(tally *t, size_t from, size_t n, const double *logp) {
    for (size_t i = 0; i < n; i++) {
        double *top = &t->top[from + i], *sum = &t->sum[from + i];
        if (t->draws == 1 || logp[i] > *top) {
            *sum = t->draws == 1 ? 1 : *sum * exp(*top - logp[i]) + 1;
            *top = logp[i];
        } else if (logp[i] != -INFINITY) { /* which adds nothing, also where there is nothing yet */
            *sum += exp(logp[i] - *top);
        }
    }
}

static double entropy_of(size_t k, const bnn_real *p) {
    double h = 0;
    for (size_t c = 0; c < k; c++)
        if (p[c] > 0) h -= (double)p[c] * log((double)p[c]);
    return h;
}

/* The buffers of one block: one piece of rows under one draw. */
typedef struct {
    bnn_workspace *ws;
    bnn_real *theta, *mean, *var, *pit, *y;
    double *logp;
} desk;

static void close_desk(desk *d) {
    bnn_workspace_free(d->ws);
    free(d->theta);
    free(d->mean);
    free(d->var);
    free(d->pit);
    free(d->y);
    free(d->logp);
}

static bnn_status open_desk(const work *w, desk *d) {
    size_t k = (size_t)w->p->mean_dim;
    int rows = w->rows < PIECE ? w->rows : PIECE;
    d->theta = malloc(((size_t)w->engine->model->n_theta + 1) * sizeof *d->theta);
    d->mean = malloc((size_t)rows * k * sizeof *d->mean);
    d->var = malloc((size_t)rows * k * sizeof *d->var);
    d->pit = malloc((size_t)rows * k * sizeof *d->pit);
    d->y = malloc((size_t)rows * (size_t)w->engine->model->likelihood.y_dim * sizeof *d->y);
    d->logp = malloc((size_t)rows * sizeof *d->logp);
    if (!d->theta || !d->mean || !d->var || !d->pit || !d->y || !d->logp) return out_of_memory();
    return bnn_workspace_new(w->engine->model->net, rows, false, &d->ws);
}

/* Hands out one draw of some rows, with a y of its own. */
static bnn_status hand_out(const work *w, const desk *d, int s, const bnn_real *f, bnn_drawn drawn) {
    const bnn_likelihood *l = &w->engine->model->likelihood;
    bnn_likelihood_vtable(l)->draw(l, drawn.n, f, bnn_model_noise(w->engine->model, d->theta), bnn_rng_split(w->targets, (uint64_t)s),
                                   (uint64_t)drawn.row, d->y);
    return w->sink->take(w->sink->context, &drawn);
}

/* One draw over the rows [at, at+n) of the stretch. */
static bnn_status add_piece(const work *w, const desk *d, tally *t, int s, int at, int n) {
    const bnn_model *m = w->engine->model;
    const bnn_prediction *p = w->p;
    size_t k = (size_t)p->mean_dim, row = (size_t)(w->from + at), from = (size_t)at;
    const bnn_real *y = p->has_target ? w->data->y + row * (size_t)w->data->y_dim : NULL;
    const bnn_real *x = w->data->x + row * (size_t)bnn_shape_size(m->x_shape);
    const bnn_real *f = w->prefix ? bnn_net_forward_after(m->net, d->ws, n, row, x, w->prefix + from * w->prefix_size)
                                  : bnn_net_forward(m->net, d->ws, n, row, x);
    bnn_observation seen = {.mean = d->mean, .var = d->var, .logp = y ? d->logp : NULL, .pit = p->pit ? d->pit : NULL};
    bnn_likelihood_vtable(&m->likelihood)->observe(&m->likelihood, n, f, y, bnn_model_noise(m, d->theta), &seen);
    add_means(t, from * k, (size_t)n * k, d->mean, d->var);
    if (y) add_logp(t, from, (size_t)n, d->logp);
    for (size_t i = 0; p->pit && i < (size_t)n * k; i++) t->pit[from * k + i] += (double)d->pit[i];
    for (size_t i = 0; p->is_class && i < (size_t)n; i++) t->entropy[from + i] += entropy_of(k, d->mean + i * k);
    if (!w->sink) return BNN_OK;
    bnn_drawn drawn = {.s = s, .row = (int)row, .n = n, .theta = d->theta, .ws = d->ws, .mean = d->mean, .y = d->y, .logp = seen.logp};
    return hand_out(w, d, s, f, drawn);
}

/* Which of the engine's stored draws prediction draw s is: evenly spaced within each chain. */
static int stored_draw(const bnn_engine *e, int s, int samples) {
    const bnn_engine_type *type = bnn_engine_vtable(e);
    if (!type->n_draws) return s;
    int chains = type->n_chains ? type->n_chains(e) : 1, length = type->n_draws(e) / chains, taken = samples / chains;
    return s / taken * length + (int)((int64_t)(s % taken) * length / taken);
}

static bnn_status add_draws(const work *w, int b, const desk *d) {
    int first = (int)((int64_t)w->p->samples * b / w->blocks), end = (int)((int64_t)w->p->samples * (b + 1) / w->blocks);
    tally *t = &w->block[b];
    for (int s = first; s < end; s++) {
        int stored = stored_draw(w->engine, s, w->p->samples);
        BNN_TRY(bnn_engine_draw(w->engine, stored, bnn_rng_split(w->draws, (uint64_t)s), d->theta));
        bnn_net_prepare(w->engine->model->net, d->ws, d->theta, w->p->mode, false, bnn_rng_split(w->noise, (uint64_t)s));
        t->draws++;
        for (int at = 0; at < w->rows; at += PIECE) BNN_TRY(add_piece(w, d, t, s, at, w->rows - at < PIECE ? w->rows - at : PIECE));
    }
    return BNN_OK;
}

static bnn_status run_block(void *context, int b) {
    const work *w = context;
    desk d = {0};
    bnn_status s = open_desk(w, &d);
    if (s == BNN_OK) s = open_tally(&w->block[b], (size_t)w->rows, (size_t)w->p->mean_dim);
    if (s == BNN_OK) s = add_draws(w, b, &d);
    close_desk(&d);
    return s;
}

/* a += b, for the moments by Chan, Golub & LeVeque 1983, eq. 1.5. */
static void merge(tally *a, const tally *b, size_t rows, size_t k) {
    double n = a->draws + b->draws, share = b->draws / n, cross = (double)a->draws * b->draws / n;
    for (size_t i = 0; i < rows * k; i++) {
        double delta = b->mean[i] - a->mean[i];
        a->mean[i] += delta * share;
        a->m2[i] += b->m2[i] + delta * delta * cross;
        a->var[i] += b->var[i];
        a->pit[i] += b->pit[i];
    }
    for (size_t i = 0; i < rows; i++) {
        double top = fmax(a->top[i], b->top[i]);
        if (isfinite(top)) a->sum[i] = a->sum[i] * exp(a->top[i] - top) + b->sum[i] * exp(b->top[i] - top);
        a->top[i] = top;
        a->entropy[i] += b->entropy[i];
    }
    a->draws += b->draws;
}

/* From sums over draws of standardised y to averages in the units of y. */
static void finish(const work *w) {
    bnn_prediction *p = w->p;
    const tally *t = &w->block[0];
    const bnn_scaling *scaling = &w->engine->model->scaling;
    double S = p->samples, log_unit = 0;
    size_t k = (size_t)p->mean_dim, from = (size_t)w->from;
    for (int j = 0; !p->is_class && j < scaling->y_dim; j++) log_unit += log(scaling->y_sd[j]);
    for (size_t i = 0; i < (size_t)w->rows * k; i++) {
        double sd = p->is_class ? 1 : scaling->y_sd[i % k], shift = p->is_class ? 0 : scaling->y_mean[i % k];
        size_t at = from * k + i;
        p->mean[at] = t->mean[i] * sd + shift;
        p->var_epistemic[at] = t->m2[i] / S * sd * sd;
        p->var_aleatoric[at] = t->var[i] / S * sd * sd;
        p->mean_mcse[at] = p->samples > 1 ? sqrt(p->var_epistemic[at] / (S - 1)) : 0;
        if (p->pit) p->pit[at] = t->pit[i] / S;
    }
    for (size_t i = 0; i < (size_t)w->rows; i++) {
        if (p->logp) p->logp[from + i] = t->top[i] + log(t->sum[i]) - log(S) - log_unit;
        if (p->is_class) p->expected_entropy[from + i] = t->entropy[i] / S;
    }
}

/* ---- what does not depend on the draw ---- */

static bnn_status prefix_piece(void *context, int piece) {
    const work *w = context;
    const bnn_model *m = w->engine->model;
    int at = piece * PIECE, n = w->rows - at < PIECE ? w->rows - at : PIECE;
    size_t row = (size_t)(w->from + at);
    desk d = {0};
    bnn_status s = open_desk(w, &d);
    if (s == BNN_OK) s = bnn_engine_draw(w->engine, 0, w->draws, d.theta);
    if (s == BNN_OK) {
        bnn_net_prepare(m->net, d.ws, d.theta, w->p->mode, false, w->noise);
        bnn_net_prefix(m->net, d.ws, n, row, w->data->x + row * (size_t)bnn_shape_size(m->x_shape),
                       w->prefix + (size_t)at * w->prefix_size);
    }
    close_desk(&d);
    return s;
}

/* Computed once for a stretch where every draw has the same parameters, and it fits into memory. */
static bnn_status make_prefix(work *w) {
    size_t size = bnn_net_prefix_size(w->engine->model->net), bytes = size * (size_t)w->rows * sizeof *w->prefix;
    bool same = bnn_engine_vtable(w->engine)->type.caps & BNN_ONE_THETA;
    if (!same || size == 0 || w->p->samples < 2 || bytes > MOST_PREFIX_BYTES) return BNN_OK;
    w->prefix_size = size;
    w->prefix = malloc(bytes);
    return w->prefix ? bnn_jobs_run((w->rows + PIECE - 1) / PIECE, prefix_piece, w) : out_of_memory();
}

static bnn_status run_stretch(work *w) {
    w->prefix = NULL;
    w->block = calloc((size_t)w->blocks, sizeof *w->block);
    bnn_status s = w->block ? make_prefix(w) : out_of_memory();
    if (s == BNN_OK) s = bnn_jobs_run(w->blocks, run_block, w);
    for (int b = 1; s == BNN_OK && b < w->blocks; b++) merge(&w->block[0], &w->block[b], (size_t)w->rows, (size_t)w->p->mean_dim);
    if (s == BNN_OK) finish(w);
    for (int b = 0; w->block && b < w->blocks; b++) free(w->block[b].memory);
    free(w->block);
    free(w->prefix);
    return s;
}

/* Rows at a time, so that the tallies of all blocks stay within 64 MB. */
static int stretch_rows(size_t k) {
    size_t rows = (64u << 20) / (MOST_BLOCKS * sizeof(double) * (4 * k + 3));
    return rows < SHORTEST_STRETCH ? SHORTEST_STRETCH : rows > LONGEST_STRETCH ? LONGEST_STRETCH : (int)rows;
}

static bnn_status new_prediction(const bnn_model *m, const bnn_data *data, int samples, bnn_mode mode, bnn_prediction **out) {
    bnn_prediction *p = calloc(1, sizeof *p);
    if (!p) return out_of_memory();
    *out = p;
    p->n = data->n;
    p->samples = samples;
    p->mean_dim = m->likelihood.mean_dim;
    p->mode = mode;
    p->has_target = data->y != NULL;
    p->is_class = m->likelihood.n_classes > 0;
    size_t n = (size_t)p->n + 1, k = (size_t)p->mean_dim;
    BNN_TRY(bnn_memory_check((double)n * (double)(5 * k + 2) * sizeof(double), "the prediction", "predict fewer rows at a time"));
    p->mean = calloc(n * k, sizeof *p->mean);
    p->var_epistemic = calloc(n * k, sizeof *p->mean);
    p->var_aleatoric = calloc(n * k, sizeof *p->mean);
    p->mean_mcse = calloc(n * k, sizeof *p->mean);
    p->logp = p->has_target ? calloc(n, sizeof *p->logp) : NULL;
    p->pit = p->has_target && !p->is_class ? calloc(n * k, sizeof *p->pit) : NULL;
    p->expected_entropy = p->is_class ? calloc(n, sizeof *p->expected_entropy) : NULL;
    bool ok = p->mean && p->var_epistemic && p->var_aleatoric && p->mean_mcse && (p->logp || !p->has_target) &&
              (p->expected_entropy || !p->is_class);
    return ok && (p->pit || !p->has_target || p->is_class) ? BNN_OK : out_of_memory();
}

void bnn_prediction_free(bnn_prediction *prediction) {
    if (!prediction) return;
    free(prediction->mean);
    free(prediction->var_epistemic);
    free(prediction->var_aleatoric);
    free(prediction->mean_mcse);
    free(prediction->logp);
    free(prediction->pit);
    free(prediction->expected_entropy);
    free(prediction);
}

static bnn_status check_fit(const bnn_model *m, const bnn_data *data) {
    char want[BNN_SHAPE_TEXT], have[BNN_SHAPE_TEXT];
    if (!bnn_shape_equal(m->x_shape, data->x_shape))
        return bnn_fail(BNN_ERR_SHAPE, "the data's rows have shape %s, the model was fitted to %s", bnn_shape_print(data->x_shape, have),
                        bnn_shape_print(m->x_shape, want));
    if (!data->y) return BNN_OK; /* new rows fit any model */
    if (m->likelihood.n_classes != data->n_classes)
        return bnn_fail(BNN_ERR_SHAPE, "the data have %d classes, the model was fitted to %d (0: real targets)", data->n_classes,
                        m->likelihood.n_classes);
    if (m->likelihood.y_dim != data->y_dim)
        return bnn_fail(BNN_ERR_SHAPE, "the data have %d target columns, the model was fitted to %d", data->y_dim, m->likelihood.y_dim);
    return BNN_OK;
}

int bnn_predict_samples(const bnn_engine *engine, int samples) {
    const bnn_engine_type *type = bnn_engine_vtable(engine);
    if (type->type.caps & BNN_POINT) return 1;
    if (!type->n_draws) return samples;
    int chains = type->n_chains ? type->n_chains(engine) : 1, stored = type->n_draws(engine);
    if (stored < samples) samples = stored;
    return samples / chains * chains;
}

bnn_status bnn_predict(const bnn_engine *engine, const bnn_data *data, const bnn_predict_options *options, bnn_prediction **out) {
    const bnn_engine *fitted = bnn_engine_fitted(engine);
    if (!fitted) return bnn_fail(BNN_ERR_STATE, "engine '%s' has not been fitted yet", engine->object.type->name);
    const bnn_engine_type *type = bnn_engine_vtable(fitted);
    bool point = type->type.caps & BNN_POINT;
    if (!point && options->samples < 1)
        return bnn_fail(BNN_ERR_OPTION, "%d samples were asked for: at least 1 is needed", options->samples);
    if (type->n_draws && type->n_draws(fitted) < 1) return bnn_fail(BNN_ERR_STATE, "engine '%s' has no draws yet", type->type.name);
    int samples = bnn_predict_samples(fitted, options->samples);
    if (samples < 1) return bnn_fail(BNN_ERR_OPTION, "%d samples do not make one for each chain", options->samples);
    BNN_TRY(check_fit(fitted->model, data));
    bnn_stopwatch since = bnn_stopwatch_start();
    bnn_prediction *p = NULL;
    bnn_status s = new_prediction(fitted->model, data, samples, point ? BNN_MEAN : options->mode == BNN_ROWS ? BNN_ROWS : BNN_DRAW, &p);
    bnn_rng root = bnn_rng_seed(options->seed);
    work w = {.engine = fitted, .data = data, .p = p, .sink = options->sink, .blocks = samples < MOST_BLOCKS ? samples : MOST_BLOCKS};
    w.noise = bnn_rng_split(root, BNN_STREAM_PREDICT);
    w.draws = bnn_rng_split(root, BNN_STREAM_DRAW);
    w.targets = bnn_rng_split(root, BNN_STREAM_TARGET);
    int stretch = s == BNN_OK ? stretch_rows((size_t)p->mean_dim) : 1;
    for (w.from = 0; s == BNN_OK && w.from < data->n; w.from += stretch) {
        w.rows = data->n - w.from < stretch ? data->n - w.from : stretch;
        s = run_stretch(&w);
    }
    if (s < 0) {
        bnn_prediction_free(p);
        return s;
    }
    p->cost = (bnn_cost){.forwards = (uint64_t)samples, .flops = samples * bnn_model_forward_flops(fitted->model, data->n)};
    bnn_stopwatch_stop(since, &p->cost);
    *out = p;
    return BNN_OK;
}

double bnn_prediction_entropy(const bnn_prediction *p, int row) {
    double h = 0;
    for (int c = 0; c < p->mean_dim; c++) {
        double q = p->mean[(size_t)row * (size_t)p->mean_dim + (size_t)c];
        if (q > 0) h -= q * log(q);
    }
    return h;
}

double bnn_prediction_mutual_information(const bnn_prediction *p, int row) {
    return fmax(0, bnn_prediction_entropy(p, row) - p->expected_entropy[row]); /* >= 0 by Jensen; rounding may say otherwise */
}
