/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * svgd: particles that descend on U together and keep each other apart (Stein variational gradient descent, Liu & Wang 2016).
 *
 *   phi(theta_i) = (1/P) sum_j [ -k(theta_j, theta_i) dU/dtheta_j + 2 (theta_i - theta_j) k(theta_j, theta_i) / h ]
 *   k(a, b) = exp(-|a - b|^2 / h),   h = bandwidth med^2 / log P, med the median distance of two particles    (algorithm 1, section 5,
 *                                                                                                           where bandwidth is 1)
 *
 * theta_i moves along phi / N by an optimiser; U on a minibatch, the same one for all particles, in nats over all N rows. One particle is
 * map.
 *
 * In many dimensions all distances are alike and the kernel hardly tells particles apart: they come out too close together (Zhuo et al.
 * 2018). A wider kernel has them push each other from farther away, and takes from each more of the others' gradients: on linear
 * regression with four weights twenty come to .69 of the posterior's sd with bandwidth 1, .86 with 2, .92 with 3, where networks fit worse.
 */
#include <bnn/descent.h>
#include <bnn/jobs.h>
#include <bnn/stored.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    int particles, epochs, steps, batch, schedule;
    double lr, lr_hyper, bandwidth;
    bnn_optimizer optimizer;
} conf;

static const bnn_option options[] = {
    BNN_OPT_INT(conf, particles, "20", 1, 1e4, "of them"),
    BNN_OPT_INT(conf, epochs, "0", 0, 1e9, "passes over the training rows; 0: as many as `steps` take"),
    BNN_OPT_INT(conf, steps, "4000", 1, 1e9, "minibatches, in no fewer than 20 epochs"),
    BNN_OPT_INT(conf, batch, "128", 1, 1e9, "rows of a minibatch (at most the training rows)"),
    BNN_OPT_REAL(conf, lr, "0.01", 0, 1e9, "step size along phi/N"),
    BNN_OPT_REAL(conf, lr_hyper, "0.01", 0, 1e9, "step size of the noise and of the scales of the prior"),
    BNN_OPT_REAL(conf, bandwidth, "2", 1e-9, 1e9, "factor on h (1 in the paper): the wider the kernel, the farther apart particles come to rest"),
    BNN_OPT_CHOICE(conf, schedule, "cosine", bnn_descent_schedules, "step size over the epochs: constant, or cosine down to 0"),
    BNN_OPT_SPEC(conf, optimizer, BNN_OPTIMIZER, "adam", "an optimizer, as name or name{options}"),
    {0}};

typedef struct {
    const bnn_model *model;
    const bnn_data *data;           /* set for the time of a step */
    int particles, epochs;          /* of the whole descent */
    int m;                          /* rows of this minibatch */
    const bnn_optimizer *optimizer; /* of the conf */
    bnn_minibatch batch;
    bnn_workspace **ws; /* [particles] */
    bnn_stored stored;  /* one chain: the particles */
    bnn_real *grad;     /* [particles, n_theta] of U/N */
    bnn_real *along;    /* [particles, n_theta] -phi/N */
    bnn_real *moments;  /* [state_per_theta, particles, n_theta] of the optimiser */
    double *square;     /* [particles, particles] distances squared */
    double *sorted;     /* [particles (particles - 1) / 2] */
    double h;
    bnn_terms *terms; /* [particles] of this minibatch */
    bnn_range *range;
    int n_ranges;
    uint64_t counter[2]; /* epochs done, steps done */
} state;

enum { EPOCHS, STEPS };

static bnn_status allocate(state *s, const conf *c, const bnn_data *data) {
    size_t P = (size_t)c->particles, n = (size_t)s->model->n_theta, planes = (size_t)bnn_optimizer_vtable(s->optimizer)->state_per_theta;
    int rows = c->batch < data->n ? c->batch : data->n;
    double each = (double)bnn_model_workspace_bytes(s->model, rows) + (double)((3 + planes) * n) * sizeof(bnn_real);
    double all = (double)P * each + 1.5 * (double)(P * P) * sizeof(double) + bnn_minibatch_bytes(data, rows);
    BNN_TRY(bnn_memory_check(all, "training", "take fewer particles or a smaller batch"));
    BNN_TRY(bnn_stored_open(&s->stored, 1, c->particles, s->model->n_theta, 0));
    s->ws = calloc(P, sizeof *s->ws);
    s->grad = bnn_reals_new(P * n);
    s->along = bnn_reals_new(P * n);
    s->moments = bnn_reals_new(planes * P * n);
    s->square = calloc(P * P, sizeof *s->square);
    s->sorted = calloc(P * P, sizeof *s->sorted);
    s->terms = calloc(P, sizeof *s->terms);
    if (!s->ws || !s->grad || !s->along || !s->moments || !s->square || !s->sorted || !s->terms) return bnn_oom("particles");
    BNN_TRY(bnn_minibatch_open(data, c->batch, &s->batch));
    for (size_t i = 0; data->n > 0 && i < P; i++) BNN_TRY(bnn_model_workspace_new(s->model, s->batch.rows, &s->ws[i]));
    return bnn_model_ranges(s->model, s->optimizer->object.type->caps & BNN_OPTIMIZER_BY_BLOCKS, &s->n_ranges, &s->range);
}

static bnn_real *particle(const state *s, int i) { return bnn_stored_at(&s->stored, 0, i); }

static bnn_status open(bnn_engine *e, const bnn_data *data) {
    const conf *c = e->object.conf;
    state *s = e->state;
    s->model = e->model;
    s->particles = c->particles;
    s->optimizer = &c->optimizer;
    BNN_TRY(allocate(s, c, data));
    s->epochs = c->epochs > 0 ? c->epochs : bnn_minibatch_epochs(&s->batch, data, c->steps);
    double steps = data->n > 0 ? (double)s->epochs * bnn_minibatch_count(&s->batch, data) : 0, pairs = (double)c->particles * c->particles;
    bnn_engine_expect(e, steps * c->particles, s->batch.rows, steps * pairs * (4.0 * e->model->n_theta + 10 * log2(pairs)));
    bnn_rng init = bnn_rng_split(e->rng, BNN_STREAM_INIT);
    for (int i = 0; i < c->particles; i++) bnn_model_init(e->model, bnn_rng_split(init, (uint64_t)i), particle(s, i));
    return BNN_OK;
}

static void close(bnn_engine *e) {
    state *s = e->state;
    for (int i = 0; s->ws && i < s->particles; i++) bnn_workspace_free(s->ws[i]);
    bnn_minibatch_close(&s->batch);
    bnn_stored_close(&s->stored);
    free(s->ws);
    free(s->grad);
    free(s->along);
    free(s->moments);
    free(s->square);
    free(s->sorted);
    free(s->terms);
    free(s->range);
}

/* ---------------------------------------------------------------- a step */

static bnn_status differentiate(void *context, int i) {
    state *s = context;
    const bnn_objective u = {
        .n_total = s->data->n, .scale = 1 / s->batch.total, .kl_weight = 1, .mode = BNN_MEAN, .weight = s->batch.weight};
    bnn_real *grad = s->grad + (size_t)i * (size_t)s->model->n_theta;
    s->terms[i] = bnn_model_u(s->model, s->ws[i], &u, (bnn_rng){0}, particle(s, i), s->m, s->batch.x, s->batch.y, grad);
    if (isfinite(bnn_terms_u(s->terms[i]))) return BNN_OK;
    return bnn_fail(BNN_ERR_NUMERIC, "the objective of particle %d is not finite in epoch %llu: a smaller lr may help", i + 1,
                    (unsigned long long)s->counter[EPOCHS] + 1);
}

/* From particle i to those before it. */
static bnn_status measure(void *context, int i) {
    state *s = context;
    const bnn_real *a = particle(s, i);
    for (int j = 0; j < i; j++) {
        const bnn_real *b = particle(s, j);
        double sum = 0;
        for (int k = 0; k < s->model->n_theta; k++) sum += ((double)a[k] - (double)b[k]) * ((double)a[k] - (double)b[k]);
        s->square[i * s->particles + j] = s->square[j * s->particles + i] = s->sorted[i * (i - 1) / 2 + j] = sum;
    }
    return BNN_OK;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double bandwidth(const state *s) {
    size_t pairs = (size_t)s->particles * (size_t)(s->particles - 1) / 2;
    if (pairs == 0) return 1;
    qsort(s->sorted, pairs, sizeof *s->sorted, ascending);
    double square = s->sorted[pairs / 2];
    return square > 0 ? square / log(s->particles) : 1;
}

static bnn_status combine(void *context, int i) {
    state *s = context;
    size_t n = (size_t)s->model->n_theta;
    const bnn_real *own = particle(s, i);
    bnn_real *out = s->along + (size_t)i * n;
    memset(out, 0, n * sizeof *out);
    for (int j = 0; j < s->particles; j++) {
        const bnn_real *other = particle(s, j), *grad = s->grad + (size_t)j * n;
        double kernel = exp(-s->square[i * s->particles + j] / s->h) / s->particles;
        bnn_real pull = (bnn_real)kernel, push = (bnn_real)(2 * kernel / (s->h * s->batch.total));
        for (size_t k = 0; k < n; k++) out[k] += pull * grad[k] - push * (own[k] - other[k]);
    }
    return BNN_OK;
}

typedef struct {
    state *s;
    const conf *c;
    double factor; /* of the step sizes */
} sweep;

static bnn_status move(void *context, int i) {
    const sweep *by = context;
    state *s = by->s;
    size_t first = (size_t)i * (size_t)s->model->n_theta, stride = (size_t)s->particles * (size_t)s->model->n_theta;
    for (int r = 0; r < s->n_ranges; r++) {
        const bnn_range *range = &s->range[r];
        size_t at = first + range->offset;
        bnn_optimizer_vtable(s->optimizer)
            ->step(s->optimizer, by->factor * (range->hyper ? by->c->lr_hyper : by->c->lr), s->counter[STEPS], range->length,
                   s->stored.theta + at, s->along + at, s->moments + at, stride);
    }
    return BNN_OK;
}

/* Step i of `batches` in an epoch. */
static bnn_status minibatch(bnn_engine *e, int i, int batches) {
    state *s = e->state;
    const conf *c = e->object.conf;
    double progress = ((double)s->counter[EPOCHS] + (double)i / batches) / s->epochs;
    sweep by = {.s = s, .c = c, .factor = bnn_descent_factor(c->schedule, progress)};
    s->m = bnn_minibatch_take(&s->batch, s->data, i);
    s->counter[STEPS]++;
    e->cost.gradients += (uint64_t)s->particles;
    e->cost.flops += s->particles * bnn_model_gradient_flops(e->model, s->m);
    BNN_TRY(bnn_jobs_run(s->particles, differentiate, s));
    bnn_jobs_run(s->particles, measure, s); /* which, as the next two, cannot fail */
    s->h = c->bandwidth * bandwidth(s);
    bnn_jobs_run(s->particles, combine, s);
    bnn_jobs_run(s->particles, move, &by);
    return BNN_OK;
}

static bnn_status step(bnn_engine *e, const bnn_data *data, bnn_step *out) {
    state *s = e->state;
    int batches = bnn_minibatch_count(&s->batch, data);
    double all = (double)batches * s->particles;
    s->data = data;
    bnn_minibatch_shuffle(&s->batch, data, bnn_rng_split(bnn_rng_split(e->rng, BNN_STREAM_SHUFFLE), s->counter[EPOCHS]));
    for (int i = 0; i < batches; i++) {
        BNN_TRY(minibatch(e, i, batches));
        for (int k = 0; k < s->particles; k++) {
            out->terms.nll += s->terms[k].nll / all;
            out->terms.prior += s->terms[k].prior / all;
            out->terms.kl += s->terms[k].kl / all;
        }
    }
    s->counter[EPOCHS]++;
    out->theta = particle(s, 0);
    out->progress = (double)s->counter[EPOCHS] / s->epochs;
    out->done = s->counter[EPOCHS] >= (uint64_t)s->epochs;
    return BNN_OK;
}

/* ---------------------------------------------------------------- what is kept */

static int n_draws(const bnn_engine *e) { return ((const state *)e->state)->particles; }

static bnn_status draw(const bnn_engine *e, int i, bnn_rng rng, bnn_real *theta) {
    const state *s = e->state;
    (void)rng; /* the particles are the draws */
    bnn_stored_draw(&s->stored, s->particles, i, theta);
    return BNN_OK;
}

static int blocks(bnn_engine *e, bnn_block *out) {
    state *s = e->state;
    size_t all = (size_t)s->particles * (size_t)e->model->n_theta, planes = (size_t)bnn_optimizer_vtable(s->optimizer)->state_per_theta;
    out[0] = (bnn_block){.name = "particles", .kind = BNN_BLOCK_REAL, .data = s->stored.theta, .length = all, .theta = true};
    out[1] = (bnn_block){.name = "moments", .kind = BNN_BLOCK_REAL, .data = s->moments, .length = planes * all};
    out[2] = (bnn_block){.name = "counter", .kind = BNN_BLOCK_U64, .data = s->counter, .length = 2};
    return 3;
}

static const char *const checks[] = {"svgd:particles=3,epochs=20,batch=16", "svgd:particles=1,epochs=20,batch=16,optimizer=sgd", NULL};

static const bnn_claim claims[] = {{"svgd:particles=40,batch=1000,epochs=3000,lr=0.3,optimizer=sgd{momentum=0.9}", BNN_FINDS_POSTERIOR, 0.1},
                                   {NULL, 0, 0}};

const bnn_engine_type bnn_engine_svgd = {
    .type = {BNN_TYPE(bnn_engine_type), .name = "svgd", .summary = "particles that descend together and keep each other apart",
             .reference = "Liu & Wang 2016", .caps = BNN_EXACT | BNN_WEIGHS | BNN_TAKES, .conf_size = sizeof(conf), .options = options,
             .checks = checks},
    .state_size = sizeof(state),
    .open = open,
    .step = step,
    .close = close,
    .blocks = blocks,
    .draw = draw,
    .n_draws = n_draws,
    .claims = claims,
    .fails = "twenty particles cannot fill hundreds of dimensions: their spread collapses. Seen as: overconfident.",
};
