/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <bnn/descent.h>
#include <bnn/jobs.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const bnn_descent_schedules[] = {"constant", "cosine", NULL};

double bnn_descent_factor(int schedule, double progress) { return schedule == BNN_COSINE ? 0.5 * (1 + cos(M_PI * progress)) : 1; }

const bnn_option bnn_descent_options[] = {
    BNN_OPT_INT(bnn_descent_conf, epochs, "0", 0, 1e9, "passes over the training rows; 0: as many as `steps` take"),
    BNN_OPT_INT(bnn_descent_conf, steps, "20000", 1, 1e9, "minibatches, in no fewer than 20 epochs"),
    BNN_OPT_INT(bnn_descent_conf, batch, "128", 1, 1e9, "rows of a minibatch (at most the training rows)"),
    BNN_OPT_REAL(bnn_descent_conf, lr, "0.003", 0, 1e9, "step size on U/N"),
    BNN_OPT_REAL(bnn_descent_conf, lr_hyper, "0.01", 0, 1e9, "step size of dropout probabilities and of the scales of the prior"),
    BNN_OPT_REAL(bnn_descent_conf, lr_noise, "0.01", 0, 1e9, "step size of the noise"),
    BNN_OPT_CHOICE(bnn_descent_conf, schedule, "cosine", bnn_descent_schedules, "step size over the epochs: constant, or cosine down to 0"),
    BNN_OPT_INT(bnn_descent_conf, level, "0", 0, 1e9,
                "epochs of a window; ends where U is surely level, within 0.01 nats a row, from one to the next; 0: never"),
    BNN_OPT_SPEC(bnn_descent_conf, optimizer, BNN_OPTIMIZER, "adam", "an optimizer, as name or name{options}"),
    BNN_OPT_WORDS(bnn_descent_conf, augment, "none", bnn_augmentations,
                  "changes of images in every step: flip, crop, shift, or several: flip,crop"),
    {0}};

enum { EPOCHS, STEPS }; /* bnn_descent.counter */

static bool by_blocks(const bnn_descent *d) { return d->conf->optimizer.object.type->caps & BNN_OPTIMIZER_BY_BLOCKS; }

static double bytes_needed(const bnn_descent *d, const bnn_data *data) {
    const bnn_model *m = d->model;
    size_t theta = (size_t)m->n_theta * (size_t)(2 + bnn_optimizer_vtable(&d->conf->optimizer)->state_per_theta);
    int batch = d->conf->batch < data->n ? d->conf->batch : data->n;
    return (double)bnn_model_workspace_bytes(m, batch) + (double)theta * sizeof(bnn_real) + bnn_minibatch_bytes(data, batch);
}

static bnn_status allocate(bnn_descent *d, const bnn_data *data) {
    const bnn_model *m = d->model;
    size_t n = (size_t)m->n_theta, planes = (size_t)bnn_optimizer_vtable(&d->conf->optimizer)->state_per_theta;
    BNN_TRY(bnn_memory_check(bytes_needed(d, data), "training", "use a smaller batch or a smaller network"));
    d->theta = bnn_reals_new(n);
    d->grad = bnn_reals_new(n);
    d->moments = bnn_reals_new(planes * n);
    if (!d->theta || !d->grad || !d->moments) return bnn_oom("training");
    BNN_TRY(bnn_minibatch_open(data, d->conf->batch, &d->batch));
    BNN_TRY(bnn_minibatch_augment(&d->batch, data, d->conf->augment));
    BNN_TRY(bnn_model_ranges(m, by_blocks(d), &d->n_ranges, &d->range));
    if (data->n == 0) return BNN_OK;
    return d->estimator == BNN_SCORE_FUNCTION ? bnn_workspace_new(m->net, d->batch.rows, BNN_TO_THETA, &d->ws)
                                              : bnn_model_workspace_new(m, d->batch.rows, &d->ws);
}

bnn_status bnn_descent_open(bnn_engine *engine, const bnn_descent_conf *conf, const bnn_data *data, bnn_mode mode) {
    bnn_descent *d = engine->state;
    d->conf = conf;
    d->model = engine->model;
    d->rng = engine->rng;
    d->mode = mode;
    d->span = 1;
    if (conf->level > 0 && conf->level < BNN_LEAST_WINDOW)
        return bnn_fail(BNN_ERR_OPTION, "option 'level': windows of %d epochs tell nothing, %d are needed", conf->level, BNN_LEAST_WINDOW);
    BNN_TRY(allocate(d, data));
    d->epochs = conf->epochs > 0 ? conf->epochs : bnn_minibatch_epochs(&d->batch, data, conf->steps);
    bnn_model_init(d->model, bnn_rng_split(d->rng, BNN_STREAM_INIT), d->theta);
    if (data->n > 0 && conf->level == 0)
        bnn_engine_expect(engine, (double)d->epochs * bnn_minibatch_count(&d->batch, data), d->batch.rows, 0);
    return BNN_OK;
}

void bnn_descent_close(bnn_engine *engine) {
    bnn_descent *d = engine->state;
    bnn_workspace_free(d->ws);
    free(d->range);
    free(d->theta);
    free(d->grad);
    free(d->moments);
    bnn_minibatch_close(&d->batch);
}

/* progress: share of all steps that came before this one. */
static double step_size(const bnn_descent *d, const bnn_range *range, double progress) {
    double lr = range->noise ? d->conf->lr_noise : range->hyper ? d->conf->lr_hyper : d->conf->lr, end = d->end * lr;
    if (progress >= d->span) return end;
    return end + (lr - end) * bnn_descent_factor(d->conf->schedule, progress / d->span);
}

/* Share of KL and prior in minibatch i of B, times B: 1, or B 2^(B-i) / (2^B - 1) for i = 1..B. */
static double kl_weight(const bnn_descent *d, int i, int batches) {
    return d->geometric_kl ? batches * exp2(-(double)(i + 1)) / (1 - exp2(-(double)batches)) : 1;
}

enum { PART = 1 << 15 }; /* parameters at a time: large vectors are updated in parallel, unless the optimiser wants whole blocks */

typedef struct {
    bnn_descent *d;
    const bnn_range *range;
    double lr;
} sweep;

static void update_part(void *context, int first, int n) {
    const sweep *s = context;
    bnn_descent *d = s->d;
    size_t at = s->range->offset + (size_t)first;
    bnn_optimizer_vtable(&d->conf->optimizer)
        ->step(&d->conf->optimizer, s->lr, d->counter[STEPS], n, d->theta + at, d->grad + at, d->moments + at, (size_t)d->model->n_theta);
}

static void update(bnn_descent *d, double progress) {
    for (int r = 0; r < d->n_ranges; r++) {
        sweep s = {.d = d, .range = &d->range[r], .lr = step_size(d, &d->range[r], progress)};
        bnn_parts_run(s.range->length, by_blocks(d) ? s.range->length : PART, update_part, &s);
    }
}

/* The mean of past nll, the last ones first: it does not know the noise of this step, as a baseline must not. */
static double baseline(const bnn_descent *d) { return d->has_baseline && d->baseline[1] > 0 ? d->baseline[0] / d->baseline[1] : 0; }

static void follow(bnn_descent *d, double nll) {
    const double memory = 0.9;
    d->baseline[0] = memory * d->baseline[0] + (1 - memory) * nll;
    d->baseline[1] = memory * d->baseline[1] + (1 - memory);
}

static bnn_terms minibatch(bnn_engine *engine, const bnn_data *data, int i, int batches) {
    bnn_descent *d = engine->state;
    int m = bnn_minibatch_take(&d->batch, data, i);
    bnn_minibatch_change(&d->batch, data, i, bnn_rng_split(bnn_rng_split(d->rng, BNN_STREAM_AUGMENT), d->counter[STEPS]));
    bnn_objective objective = {.n_total = data->n,
                               .scale = 1 / d->batch.total,
                               .weight = d->batch.weight,
                               .kl_weight = kl_weight(d, i, batches),
                               .mode = d->mode,
                               .estimator = d->estimator,
                               .baseline = baseline(d)};
    bnn_rng noise = bnn_rng_split(bnn_rng_split(d->rng, BNN_STREAM_STEP), d->counter[STEPS]++);
    engine->cost.gradients++;
    engine->cost.flops += bnn_model_gradient_flops(d->model, m);
    bnn_terms terms = bnn_model_u(d->model, d->ws, &objective, noise, d->theta, m, d->batch.x, d->batch.y, d->grad);
    bnn_net_absorb(d->model->net, d->ws, d->theta);
    follow(d, terms.nll);
    return terms;
}

/* Takes U of one more epoch. True where a window is full and U, per row, is within BNN_LEVEL of that of the window before, by two standard
 * errors: a U that is too noisy to tell does not end anything. */
static bool is_level(bnn_descent *d, double u, double rows) {
    int n = d->conf->level;
    double *sum = &d->window[0], *squares = &d->window[1], *before = &d->window[2], *error = &d->window[3];
    if (n == 0) return false;
    *sum += u / rows, *squares += u / rows * (u / rows);
    if (d->counter[EPOCHS] % (uint64_t)n != 0) return false;
    double mean = *sum / n, var = fmax(0, *squares / n - mean * mean) / (n - 1);
    bool level = d->counter[EPOCHS] >= 2 * (uint64_t)n && fabs(*before - mean) + 2 * sqrt(var + *error) < BNN_LEVEL;
    *sum = *squares = 0, *before = mean, *error = var;
    return level;
}

bnn_status bnn_descent_step(bnn_engine *engine, const bnn_data *data, bnn_step *out) {
    bnn_descent *d = engine->state;
    int batches = bnn_minibatch_count(&d->batch, data);
    double steps = (double)d->epochs * batches;
    bnn_minibatch_shuffle(&d->batch, data, bnn_rng_split(bnn_rng_split(d->rng, BNN_STREAM_SHUFFLE), d->counter[EPOCHS]));
    for (int i = 0; i < batches; i++) {
        bnn_terms terms = minibatch(engine, data, i, batches);
        if (!isfinite(bnn_terms_u(terms)))
            return bnn_fail(BNN_ERR_NUMERIC,
                            "the objective is not finite in epoch %llu, step %d (nll %g, prior %g, kl %g): a smaller lr may help",
                            (unsigned long long)d->counter[EPOCHS] + 1, i + 1, terms.nll, terms.prior, terms.kl);
        update(d, (double)(d->counter[STEPS] - 1) / steps);
        out->terms.nll += terms.nll / batches;
        out->terms.prior += terms.prior / batches;
        out->terms.kl += terms.kl / batches;
    }
    d->counter[EPOCHS]++;
    out->theta = d->theta;
    out->done = is_level(d, bnn_terms_u(out->terms), bnn_data_weight(data)) || d->counter[EPOCHS] >= (uint64_t)d->epochs;
    out->progress = out->done ? 1 : (double)d->counter[EPOCHS] / d->epochs;
    return BNN_OK;
}

bnn_status bnn_descent_draw(const bnn_engine *engine, int s, bnn_rng rng, bnn_real *theta) {
    const bnn_descent *d = engine->state;
    (void)s, (void)rng; /* one parameter vector; the layers make the noise */
    memcpy(theta, d->theta, (size_t)d->model->n_theta * sizeof *theta);
    return BNN_OK;
}

int bnn_descent_blocks(bnn_engine *engine, bnn_block *out) {
    bnn_descent *d = engine->state;
    size_t n = (size_t)d->model->n_theta, planes = (size_t)bnn_optimizer_vtable(&d->conf->optimizer)->state_per_theta;
    out[0] = (bnn_block){.name = "theta", .kind = BNN_BLOCK_REAL, .data = d->theta, .length = n, .theta = true};
    out[1] = (bnn_block){.name = "moments", .kind = BNN_BLOCK_REAL, .data = d->moments, .length = planes * n};
    out[2] = (bnn_block){.name = "counter", .kind = BNN_BLOCK_U64, .data = d->counter, .length = 2};
    out[3] = (bnn_block){.name = "baseline", .kind = BNN_BLOCK_DOUBLE, .data = d->baseline, .length = 2};
    out[3 + d->has_baseline] = (bnn_block){.name = "window", .kind = BNN_BLOCK_DOUBLE, .data = d->window, .length = 4};
    return 3 + d->has_baseline + (d->conf->level > 0);
}
