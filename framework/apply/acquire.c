/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/sized.h"
#include <bnn/acquire.h>
#include <bnn/detect.h>
#include <bnn/fit.h>
#include <bnn/jobs.h>
#include <bnn/predict.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const bnn_acquire_rule_names[] = {"entropy", "bald", "variance", "batchbald", "random", NULL};

enum { USUAL_SAMPLES = 100, PIECE = 256 };

/* ---------------------------------------------------------------- rows one by one */

/* Rows as they are taken. */
typedef struct {
    int pool, n, k; /* rows there are, that are wanted, and that are taken */
    bool *taken;    /* [pool] */
    int *chosen;    /* [n] */
    double *of;     /* [n] what they were taken for */
} choice;

/* Takes the row with the largest of score[pool], the first one of equals; returns it. */
static int take_best(choice *c, const double *score) {
    int best = -1;
    for (int i = 0; i < c->pool; i++)
        if (!c->taken[i] && (best < 0 || score[i] > score[best])) best = i;
    c->taken[best] = true;
    c->of[c->k] = score[best];
    c->chosen[c->k++] = best;
    return best;
}

/* score[pool] of real targets: the information of a Gaussian. */
static bnn_status gaussian_information(const bnn_run *run, const bnn_data *pool, const bnn_predict_options *how, double *score) {
    bnn_prediction *p;
    BNN_TRY(bnn_run_predict(run, pool, how, &p));
    for (int i = 0; i < pool->n; i++) {
        score[i] = 0;
        for (int k = i * p->mean_dim; k < (i + 1) * p->mean_dim; k++) score[i] += 0.5 * log1p(p->var_epistemic[k] / p->var_aleatoric[k]);
    }
    bnn_prediction_free(p);
    return BNN_OK;
}

static bnn_status take_by_score(const bnn_run *run, const bnn_data *pool, const bnn_acquire_options *options, choice *wanted) {
    const bnn_predict_options how = {sizeof how, .samples = options->samples, .mode = BNN_DRAW, .seed = options->seed};
    bool classes = bnn_engine_fitted(run->engine)->model->likelihood.n_classes > 0;
    const bnn_row_score which[] = {BNN_ROW_ENTROPY, BNN_ROW_MUTUAL_INFORMATION, classes ? BNN_ROW_VARIANCE : BNN_ROW_EPISTEMIC_VARIANCE};
    bnn_row_scores *scores = NULL;
    double *own = NULL;
    bnn_status s = BNN_OK;
    if (!classes && options->rule == BNN_ACQUIRE_BALD) {
        own = malloc(((size_t)pool->n + 1) * sizeof *own);
        s = own ? gaussian_information(run, pool, &how, own) : bnn_oom("a pool");
    } else
        s = bnn_row_scores_new(run, pool, NULL, &how, &scores);
    const double *score = own ? own : s == BNN_OK ? scores->of[which[options->rule]] : NULL;
    if (s == BNN_OK && !score) s = bnn_fail(BNN_ERR_OPTION, "real targets have no entropy to choose by: take bald or variance");
    while (s == BNN_OK && wanted->k < wanted->n) take_best(wanted, score);
    bnn_row_scores_free(scores);
    free(own);
    return s;
}

static bnn_status take_any(uint64_t seed, choice *c) {
    int *order = malloc(((size_t)c->pool + 1) * sizeof *order);
    if (!order) return bnn_oom("a pool");
    bnn_rng_permutation(bnn_rng_seed(seed), c->pool, order);
    for (; c->k < c->n; c->k++) c->chosen[c->k] = order[c->k], c->of[c->k] = 0;
    free(order);
    return BNN_OK;
}

/* ---------------------------------------------------------------- rows together */

/* Draws of all rows: the same function of parameters for every row of a draw. */
typedef struct {
    const bnn_engine *engine;
    const bnn_data *pool;
    int S, dim; /* draws; classes, or 1 */
    bnn_rng rng;
    double *mean; /* [pool, dim, S] probabilities, or means in units of the noise's sd */
} joint;

static bnn_status draw_all(const joint *j, int s, bnn_workspace *ws, bnn_real *theta, bnn_real *room, bnn_real *mean, bnn_real *var) {
    const bnn_model *m = j->engine->model;
    const bnn_likelihood *l = &m->likelihood;
    bnn_rng rng = bnn_rng_split(bnn_rng_split(j->rng, BNN_STREAM_DRAW), (uint64_t)s),
            noise = bnn_rng_split(bnn_rng_split(j->rng, BNN_STREAM_PREDICT), (uint64_t)s);
    size_t dim = (size_t)j->dim;
    /* the draws of a mixture fall on its members in turn */
    BNN_TRY(bnn_engine_draw(j->engine, bnn_engine_vtable(j->engine)->member ? s : bnn_predict_stored(j->engine, s, j->S), rng, theta));
    bool point = j->engine->object.type->caps & BNN_POINT;
    bnn_net_prepare(m->net, ws, theta, point ? BNN_MEAN : BNN_DRAW, false, noise);
    for (int from = 0; from < j->pool->n; from += PIECE) {
        int n = j->pool->n - from < PIECE ? j->pool->n - from : PIECE;
        const bnn_real *f = bnn_net_forward(m->net, ws, n, (uint64_t)from, bnn_data_take(j->pool, from, n, room));
        bnn_likelihood_vtable(l)->observe(l, n, f, NULL, bnn_model_noise(m, theta), &(bnn_observation){.mean = mean, .var = var});
        for (size_t i = 0; i < (size_t)n * dim; i++)
            j->mean[((size_t)from * dim + i) * (size_t)j->S + (size_t)s] =
                l->n_classes > 0 ? (double)mean[i] : (double)mean[i] / sqrt((double)var[i]);
    }
    return BNN_OK;
}

static bnn_status draw_job(void *context, int s) {
    const joint *j = context;
    const bnn_model *m = j->engine->model;
    bnn_workspace *ws = NULL;
    bnn_real *theta = malloc(((size_t)m->n_theta + 1) * sizeof *theta), *mean = malloc(2 * PIECE * (size_t)j->dim * sizeof *mean);
    bnn_real *room = bnn_reals_new(bnn_data_room(j->pool, PIECE));
    bnn_status status = theta && mean && room ? bnn_workspace_new(m->net, PIECE, BNN_FORWARD, &ws) : bnn_oom("a pool");
    if (status == BNN_OK) status = draw_all(j, s, ws, theta, room, mean, mean + PIECE * j->dim);
    bnn_workspace_free(ws);
    free(theta), free(mean), free(room);
    return status;
}

static bnn_status joint_open(const bnn_run *run, const bnn_data *pool, const bnn_acquire_options *options, joint *j) {
    const bnn_engine *e = bnn_engine_fitted(run->engine);
    const bnn_likelihood *l = &e->model->likelihood;
    int draws = bnn_predict_samples(e, options->samples);
    *j = (joint){
        .engine = e, .pool = pool, .S = draws > 0 ? draws : options->samples, .dim = l->mean_dim, .rng = bnn_rng_seed(options->seed)};
    if (l->n_classes == 0 && l->y_dim != 1) return bnn_fail(BNN_ERR_OPTION, "batchbald takes one real target, not %d", l->y_dim);
    double bytes = (double)pool->n * j->dim * j->S * sizeof *j->mean;
    BNN_TRY(bnn_memory_check(bytes, "the draws of all rows of the pool", "take fewer draws"));
    j->mean = malloc((size_t)bytes + 1);
    return j->mean ? bnn_jobs_run(j->S, draw_job, j) : bnn_oom("a pool");
}

static const double *row_of(const joint *j, int i) { return j->mean + (size_t)i * (size_t)j->dim * (size_t)j->S; }

/* ---- classes ---- */

/* Cases of the targets of the rows so far: all of them, or, once they are too many, some that are drawn and stand for all. */
typedef struct {
    const joint *j;
    int n;                  /* cases */
    bool drawn;             /* they are a sample of p, which is then over some factor of the case */
    double *p, *room;       /* [cases, S] probability of a case under each draw */
    double *within, *score; /* [pool] E_s H[p_s]; information of the batch with this row added */
    double information;     /* of the rows so far */
} batch;

/* H[y_i | cases]: sum over cases q of p(q) H[p(y_i | q)], or, where q is a sample of p(q), the mean. */
static double entropy_given(const batch *b, int i) {
    const joint *j = b->j;
    double sum = 0;
    for (int m = 0; m < b->n; m++) {
        const double *p = b->p + (size_t)m * (size_t)j->S, *q = row_of(j, i);
        double all = 0, part = 0;
        for (int c = 0; c < j->dim; c++, q += j->S) {
            double both = 0;
            for (int s = 0; s < j->S; s++) both += p[s] * q[s] / j->S;
            all += both;
            if (both > 0) part -= both * log(both);
        }
        if (all > 0) part = part / all + log(all);
        sum += part * (b->drawn ? 1.0 / b->n : all);
    }
    return sum;
}

static void measure_rows(void *context, int from, int count) {
    batch *b = context;
    for (int i = from; i < from + count; i++) b->score[i] = b->information + entropy_given(b, i) - b->within[i];
}

static double entropy_within(const joint *j, int i) {
    const double *q = row_of(j, i);
    double sum = 0;
    for (int k = 0; k < j->dim * j->S; k++) sum -= q[k] > 0 ? q[k] * log(q[k]) : 0;
    return sum / j->S;
}

/* Every case with every class of row i. */
static void multiply(batch *b, int i) {
    const joint *j = b->j;
    double *to = b->room;
    for (int m = 0; m < b->n; m++)
        for (int k = 0; k < j->dim * j->S; k++) *to++ = b->p[(size_t)m * (size_t)j->S + (size_t)(k % j->S)] * row_of(j, i)[k];
    b->room = b->p, b->p = to - (size_t)b->n * (size_t)(j->dim * j->S);
    b->n *= j->dim;
}

/* A case of all rows so far: a draw of the parameters is drawn, then the classes by its probabilities. */
static void draw_case(batch *b, int m, bnn_rng rng, const int *chosen, int rows) {
    const joint *j = b->j;
    double *p = b->p + (size_t)m * (size_t)j->S;
    bnn_real u;
    bnn_rng_uniform(rng, 0, 1, 1, &u);
    int by = (int)((double)u * j->S);
    for (int s = 0; s < j->S; s++) p[s] = 1;
    for (int r = 0; r < rows; r++) {
        const double *q = row_of(j, chosen[r]);
        bnn_rng_uniform(rng, 1 + (uint64_t)r, 1, 1, &u);
        double sum = q[by], most = 0;
        int c = 0;
        while (c + 1 < j->dim && (double)u >= sum) sum += q[++c * j->S + by];
        for (int s = 0; s < j->S; s++) p[s] *= q[c * j->S + s], most = fmax(most, p[s]);
        for (int s = 0; s < j->S; s++) p[s] /= most;
    }
}

/* Adds the last of the rows that are chosen. */
static void extend(batch *b, const int *chosen, int rows) {
    b->information = b->score[chosen[rows - 1]];
    if (!b->drawn && b->n * b->j->dim <= BNN_ACQUIRE_CASES) {
        multiply(b, chosen[rows - 1]);
        return;
    }
    bnn_rng rng = bnn_rng_split(bnn_rng_split(b->j->rng, BNN_STREAM_TARGET), (uint64_t)rows);
    b->drawn = true, b->n = BNN_ACQUIRE_CASES;
    for (int m = 0; m < b->n; m++) draw_case(b, m, bnn_rng_split(rng, (uint64_t)m), chosen, rows);
}

static bnn_status take_classes(const joint *j, choice *c) {
    enum { ROWS_A_PART = 8 };
    size_t cases = BNN_ACQUIRE_CASES, pool = (size_t)j->pool->n;
    double *all = calloc(2 * cases * (size_t)j->S + 2 * pool, sizeof *all);
    if (!all) return bnn_oom("a pool");
    batch b = {.j = j, .n = 1, .p = all, .room = all + cases * (size_t)j->S, .within = all + 2 * cases * (size_t)j->S};
    b.score = b.within + pool;
    for (int s = 0; s < j->S; s++) b.p[s] = 1;
    for (int i = 0; i < j->pool->n; i++) b.within[i] = entropy_within(j, i);
    while (c->k < c->n) {
        bnn_parts_run(j->pool->n, ROWS_A_PART, measure_rows, &b);
        take_best(c, b.score);
        extend(&b, c->chosen, c->k);
    }
    free(all);
    return BNN_OK;
}

/* ---- a real target ---- */

/* Row after row of a Cholesky factor of 1 + K: v_i is the variance of row i given those that are taken. */
static bnn_status take_real(joint *j, choice *wanted) {
    size_t pool = (size_t)j->pool->n, S = (size_t)j->S;
    double *v = calloc(pool, sizeof *v), *factor = calloc((size_t)wanted->n * pool, sizeof *factor), information = 0;
    for (size_t i = 0; v && factor && i < pool; i++) {
        double *z = j->mean + i * S, mean = 0;
        for (size_t s = 0; s < S; s++) mean += z[s] / (double)S;
        for (size_t s = 0; s < S; s++) z[s] = (z[s] - mean) / sqrt((double)S), v[i] += z[s] * z[s];
    }
    while (v && factor && wanted->k < wanted->n) {
        int c = take_best(wanted, v), k = wanted->k - 1;
        double on = 1 + v[c];
        wanted->of[k] = information += 0.5 * log(on);
        for (size_t i = 0; i < pool; i++) {
            double covariance = 0;
            for (size_t s = 0; s < S; s++) covariance += j->mean[i * S + s] * j->mean[(size_t)c * S + s];
            for (int a = 0; a < k; a++) covariance -= factor[(size_t)a * pool + i] * factor[(size_t)a * pool + (size_t)c];
            factor[(size_t)k * pool + i] = covariance / sqrt(on);
        }
        for (size_t i = 0; i < pool; i++) v[i] = fmax(v[i] - factor[(size_t)k * pool + i] * factor[(size_t)k * pool + i], 0);
    }
    bnn_status status = v && factor ? BNN_OK : bnn_oom("a pool");
    free(v), free(factor);
    return status;
}

static bnn_status take_batch(const bnn_run *run, const bnn_data *pool, const bnn_acquire_options *options, choice *c) {
    joint j;
    bnn_status s = joint_open(run, pool, options, &j);
    if (s == BNN_OK) s = j.engine->model->likelihood.n_classes > 0 ? take_classes(&j, c) : take_real(&j, c);
    free(j.mean);
    return s;
}

/* ---------------------------------------------------------------- all rules */

static bnn_status check(const bnn_run *run, const bnn_data *pool, const bnn_acquire_options *how, int n) {
    if ((int)how->rule < BNN_ACQUIRE_ENTROPY || how->rule > BNN_ACQUIRE_RANDOM) return bnn_fail(BNN_ERR_OPTION, "there is no such rule");
    if (how->samples < 0) return bnn_fail(BNN_ERR_OPTION, "samples are 0 or more, not %d", how->samples);
    if (n < 1 || n > pool->n) return bnn_fail(BNN_ERR_OPTION, "%d rows cannot be taken from a pool of %d", n, pool->n);
    if (!bnn_engine_fitted(run->engine)) return bnn_fail(BNN_ERR_STATE, "nothing has been fitted yet that could choose rows");
    return BNN_OK;
}

bnn_status bnn_acquire(const bnn_run *run, const bnn_data *pool, const bnn_acquire_options *options, int n, int *chosen, double *score) {
    bnn_acquire_options how;
    BNN_TRY(bnn_sized_read("bnn_acquire_options", &how, sizeof how, BNN_UP_TO(bnn_acquire_options, seed), options));
    BNN_TRY(check(run, pool, &how, n));
    if (how.samples == 0) how.samples = USUAL_SAMPLES;
    choice c = {.pool = pool->n, .n = n, .chosen = chosen};
    c.taken = calloc((size_t)pool->n, sizeof *c.taken), c.of = malloc((size_t)n * sizeof *c.of);
    bnn_status s = !c.taken || !c.of                   ? bnn_oom("a pool")
                   : how.rule == BNN_ACQUIRE_RANDOM    ? take_any(how.seed, &c)
                   : how.rule == BNN_ACQUIRE_BATCHBALD ? take_batch(run, pool, &how, &c)
                                                       : take_by_score(run, pool, &how, &c);
    if (s == BNN_OK && score) memcpy(score, c.of, (size_t)n * sizeof *c.of);
    free(c.taken), free(c.of);
    return s;
}
