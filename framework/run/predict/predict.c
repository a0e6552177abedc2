/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "change.h"
#include "maps.h"
#include "parts.h"

#include "base/sized.h"
#include <stdlib.h>
#include <string.h>

/* Draws are cut into this many blocks at most, rows into stretches and pieces: all by the size of the problem, never by threads. Every
 * block streams over its draws; blocks are merged in order. */
enum { MOST_BLOCKS = 16, FEWEST_BLOCKS = 4, PIECE = 64, WIDE = 1 << 18, LONGEST_STRETCH = 8192 };
enum { MOST_TALLY_BYTES = 1 << 26, MOST_KEPT_BYTES = 1 << 26, MOST_TAKEN_BYTES = 1 << 24, MOST_WORKSPACE_BYTES = 1 << 25 };

/* Rows of a piece. Kernels that fit no first cache are read, and copied, for every piece: more rows share it; but no more than fit into a
 * small workspace. Bits of rows do not depend on that. */
static int piece_of(const bnn_model *m, int rows) {
    int most = m->n_theta > WIDE ? 2 * PIECE : PIECE;
    while (most > 1 && bnn_workspace_bytes(m->net, most, BNN_FORWARD) > MOST_WORKSPACE_BYTES) most /= 2;
    return rows < most && rows > 0 ? rows : most;
}

/* Blocks of draws: fewer where the tallies of one row are large. */
static int blocks_of(const bnn_model *m, int samples) {
    size_t most = MOST_TALLY_BYTES / sizeof(double) / bnn_tally_numbers(&m->likelihood);
    int blocks = most < FEWEST_BLOCKS ? FEWEST_BLOCKS : most < MOST_BLOCKS ? (int)most : MOST_BLOCKS;
    return samples < blocks ? samples : blocks;
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

bnn_status bnn_predict_keeps(const bnn_engine *engine) {
    const bnn_engine *fitted = bnn_engine_fitted(engine);
    for (int k = 0; fitted && bnn_engine_member(fitted, k); k++) BNN_TRY(bnn_predict_keeps(bnn_engine_member(fitted, k)));
    if (!fitted || bnn_predict_how(fitted).by == BNN_BY_THETA) return BNN_OK;
    return bnn_fail(BNN_ERR_OPTION, "engine '%s' as it is set predicts without draws of parameters: there are none to keep",
                    fitted->object.type->name);
}

static bnn_status check_samples(const bnn_engine *fitted, const bnn_predict_options *options) {
    const bnn_engine_type *type = bnn_engine_vtable(fitted);
    if (bnn_predict_is_closed(fitted)) return BNN_OK;
    if (!(type->type.caps & BNN_POINT) && options->samples < 1)
        return bnn_fail(BNN_ERR_OPTION, "%d samples were asked for: at least 1 is needed", options->samples);
    if (type->n_draws && type->n_draws(fitted) < 1) return bnn_fail(BNN_ERR_STATE, "engine '%s' has no draws yet", type->type.name);
    return BNN_OK;
}

/* Draws over all rows; and, for Gaussian outputs, as many backward passes over them as there are outputs. */
static bnn_cost cost_of(const bnn_model *m, const bnn_prediction *p, const bnn_work *w) {
    double one = w->how.by == BNN_BY_THETA ? bnn_model_forward_flops(m, p->n) : 0;
    uint64_t passes = w->how.by == BNN_BY_THETA ? 0 : (uint64_t)m->likelihood.out_dim;
    return (bnn_cost){.gradients = passes,
                      .forwards = w->how.by == BNN_BY_THETA ? (uint64_t)p->samples : 0,
                      .flops = p->samples * one + (double)passes * bnn_model_gradient_flops(m, p->n)};
}

/* Rows at a time, so that the tallies of all blocks, and covariances of outputs, stay within 64 MB; at least one. */
static int stretch_rows(const bnn_work *w) {
    const bnn_likelihood *l = &w->engine->model->likelihood;
    size_t blocks = (size_t)(w->blocks > 0 ? w->blocks : 1), out = w->how.by == BNN_BY_THETA ? 0 : (size_t)l->out_dim;
    size_t rows = MOST_TALLY_BYTES / (sizeof(double) * (blocks * bnn_tally_numbers(l) + 2 * out * out + out));
    return rows < 1 ? 1 : rows > LONGEST_STRETCH ? LONGEST_STRETCH : (int)rows;
}

/* The range, stretch by stretch. */
static bnn_status run(bnn_work *w, int end) {
    bnn_status s = BNN_OK;
    int stretch = stretch_rows(w);
    for (w->from = w->base; s == BNN_OK && w->from < end; w->from += stretch) {
        w->rows = end - w->from < stretch ? end - w->from : stretch;
        s = w->how.by == BNN_BY_THETA ? bnn_work_run_draws(w) : bnn_work_run_outputs(w);
    }
    if (s == BNN_OK && w->kept && bnn_kept_is_chains(w->engine, w->p->samples)) s = bnn_kept_mcse(w->kept, w->p);
    w->p->cost = cost_of(w->engine->model, w->p, w);
    return s;
}

/* Makes the place for what is kept: among the range's, or, where draws of chains serve the Monte Carlo error alone, `own`. */
static bnn_status open_kept(bnn_work *w, const bnn_predict_part *range, bnn_kept_part *own) {
    int S = w->p->samples, rows = range->end - range->from;
    if (!range->kept && !bnn_kept_is_chains(w->engine, S)) return BNN_OK;
    BNN_TRY(bnn_kept_part_open(w->engine, S, rows, range->weight, own));
    w->kept = own;
    if (!range->kept) return BNN_OK;
    bnn_kept_part *more = realloc(range->kept->part, (size_t)(range->kept->n + 1) * sizeof *more);
    if (!more) return bnn_oom("prediction");
    range->kept->part = more;
    more[range->kept->n++] = *own;
    *own = (bnn_kept_part){0};
    w->kept = &more[range->kept->n - 1];
    return BNN_OK;
}

/* By an engine that is fitted and no mixture. */
static bnn_status predict_one(const bnn_engine *fitted, const bnn_data *data, const bnn_predict_options *options,
                              const bnn_predict_part *range, bnn_prediction **out) {
    int samples = bnn_predict_samples(fitted, options->samples);
    bnn_rng root = bnn_rng_seed(options->seed);
    bnn_work w = {.engine = fitted,
                  .data = data,
                  .base = range->from,
                  .noise = bnn_rng_split(root, BNN_STREAM_PREDICT),
                  .draws = bnn_rng_split(root, BNN_STREAM_DRAW),
                  .targets = bnn_rng_split(root, BNN_STREAM_TARGET),
                  .sink = options->sink,
                  .pace = range->pace,
                  .desks = {.lock = PTHREAD_MUTEX_INITIALIZER},
                  .blocks = blocks_of(fitted->model, samples),
                  .piece = piece_of(fitted->model, range->end - range->from),
                  .how = bnn_predict_how(fitted)};
    bool no_noise = fitted->object.type->caps & BNN_POINT || w.how.by != BNN_BY_THETA;
    bnn_kept_part own = {0};
    BNN_TRY(check_samples(fitted, options));
    bnn_status s = bnn_prediction_new(fitted->model, range->end - range->from, data->y != NULL, NULL, &w.p);
    if (s == BNN_OK) {
        w.p->samples = samples;
        w.p->seed = options->seed;
        w.p->mode = no_noise ? BNN_MEAN : options->mode == BNN_ROWS ? BNN_ROWS : BNN_DRAW;
        s = open_kept(&w, range, &own);
    }
    if (s == BNN_OK) s = run(&w, range->end);
    bnn_work_close(&w);
    bnn_kept_part_close(&own);
    if (s < 0)
        bnn_prediction_free(w.p);
    else
        *out = w.p;
    return s;
}

bnn_status bnn_predict_range(const bnn_engine *fitted, const bnn_data *data, const bnn_predict_options *options,
                             const bnn_predict_part *range, bnn_prediction **out) {
    return bnn_engine_vtable(fitted)->member ? bnn_predict_mixture(fitted, data, options, range, out)
                                             : predict_one(fitted, data, options, range, out);
}

/* ---------------------------------------------------------------- ranges */

static bnn_status check_asked(const bnn_model *m, const bnn_predict_options *options) {
    bool real = m->likelihood.n_classes == 0;
    for (int i = 0; i < options->n_levels; i++)
        if (!(options->levels[i] > 0 && options->levels[i] < 1))
            return bnn_fail(BNN_ERR_OPTION, "a quantile of level %g was asked for: levels are between 0 and 1", options->levels[i]);
    if (options->n_levels > 0 && real && m->likelihood.pit_dim == 0)
        return bnn_fail(BNN_ERR_OPTION, "likelihood '%s' has no distribution function that could be asked for quantiles: ask for draws",
                        m->likelihood.object.type->name);
    bool whole = options->drawn > 0 || (real && (options->n_levels > 0 || (options->crps && m->likelihood.pit_dim > 0)));
    if (options->taker && whole)
        return bnn_fail(BNN_ERR_OPTION, "quantiles, crps and draws of y are of the whole prediction: ask for them without a taker");
    return BNN_OK;
}

/* Says whether there is something to answer that all draws of a row are needed for. */
static bool is_asked(const bnn_prediction *p) { return p->n_levels > 0 || p->crps || p->drawn > 0; }

/* Bytes of outputs that a row keeps. */
static double kept_bytes(const bnn_engine *engine, int samples, bool asked) {
    double sum = 0;
    for (int k = 0; bnn_engine_member(engine, k); k++)
        sum += kept_bytes(bnn_engine_member(engine, k), bnn_predict_share(engine, samples), asked);
    if (bnn_engine_vtable(engine)->member) return sum;
    int S = bnn_predict_samples(engine, samples);
    return asked || bnn_kept_is_chains(engine, S) ? bnn_kept_bytes(engine, S) : 0;
}

/* Rows of a range: what they keep stays within 64 MB, and so does their share of the prediction, within 16 MB where it is taken. */
static int range_rows(const bnn_engine *fitted, const bnn_predict_options *options, const bnn_prediction *p) {
    double moments = (double)bnn_prediction_numbers(p) * sizeof(double), kept = kept_bytes(fitted, options->samples, is_asked(p));
    double rows = (p->taken ? MOST_TAKEN_BYTES : MOST_KEPT_BYTES) / (kept > moments ? kept : moments);
    return rows < 1 ? 1 : rows < p->n ? (int)rows : p->n;
}

static bnn_status answer(const bnn_kept *kept, const bnn_data *data, const bnn_predict_options *options, int from, bnn_prediction *p) {
    const bnn_real *y = data->y ? data->y + (size_t)from * (size_t)data->y_dim : NULL;
    if (p->n_levels > 0 || p->crps) BNN_TRY(bnn_curve_answer(kept, y, from, p));
    return p->drawn > 0 ? bnn_kept_draw(kept, options->seed, from, p) : BNN_OK;
}

/* Predicts the rows [from, end) into p. */
static bnn_status predict_range(const bnn_engine *fitted, const bnn_data *data, const bnn_predict_options *options,
                                const bnn_changer *changer, int from, int end, bnn_pace *pace, bnn_prediction *p) {
    bnn_kept kept = {0};
    bnn_predict_part range = {.from = from, .end = end, .kept = is_asked(p) ? &kept : NULL, .weight = 1, .pace = pace};
    bnn_prediction *one = NULL;
    bnn_status s = bnn_predict_range(fitted, data, options, &range, &one);
    if (s == BNN_OK && changer) s = changer->change(changer->context, from, one);
    if (s == BNN_OK) bnn_prediction_place(p, from, one);
    if (s == BNN_OK && range.kept) s = answer(&kept, data, options, from, p);
    if (s == BNN_OK && p->map_sums) s = bnn_map_sums_add(one, data, from, p);
    if (s == BNN_OK && p->taken && options->taker->take) s = options->taker->take(options->taker->context, from, one);
    bnn_prediction_free(one);
    for (int i = 0; i < kept.n; i++) bnn_kept_part_close(&kept.part[i]);
    free(kept.part);
    return s;
}

static bnn_status predict_ranges(const bnn_engine *fitted, const bnn_data *data, const bnn_predict_options *options,
                                 const bnn_changer *changer, bnn_prediction *p) {
    bnn_pace pace = {
        .all = (double)bnn_predict_samples(fitted, options->samples) * data->n, .progress = options->progress, .context = options->context};
    double seconds = pace.all * bnn_model_forward_flops(fitted->model, 1) / BNN_FLOPS_A_SECOND;
    int rows = range_rows(fitted, options, p), from = 0;
    BNN_TRY(bnn_time_check(seconds, "the prediction", "take fewer draws, or fewer rows"));
    do {
        int end = data->n - from < rows ? data->n : from + rows;
        BNN_TRY(predict_range(fitted, data, options, changer, from, end, &pace, p));
        from = end;
    } while (from < data->n);
    return BNN_OK;
}

bnn_status bnn_predict_changed(const bnn_engine *engine, const bnn_data *data, const bnn_predict_options *options,
                               const bnn_changer *changer, bnn_prediction **out) {
    bnn_predict_options how;
    bnn_prediction *p = NULL;
    BNN_TRY(bnn_sized_read("bnn_predict_options", &how, sizeof how, BNN_UP_TO(bnn_predict_options, sink), options));
    const bnn_engine *fitted = bnn_engine_fitted(engine);
    if (!fitted) return bnn_fail(BNN_ERR_STATE, "engine '%s' has not been fitted yet", engine->object.type->name);
    BNN_TRY(check_asked(fitted->model, &how));
    BNN_TRY(check_fit(fitted->model, data));
    bnn_stopwatch since = bnn_stopwatch_start();
    bnn_status s = bnn_prediction_new(fitted->model, data->n, data->y != NULL, &how, &p);
    if (s == BNN_OK) s = predict_ranges(fitted, data, &how, changer, p);
    if (s < 0) {
        bnn_prediction_free(p);
        return s;
    }
    bnn_stopwatch_stop(since, &p->cost);
    *out = p;
    return BNN_OK;
}

bnn_status bnn_predict(const bnn_engine *engine, const bnn_data *data, const bnn_predict_options *options, bnn_prediction **out) {
    return bnn_predict_changed(engine, data, options, NULL, out);
}
