/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/predict/maps.h"
#include <bnn/distance.h>
#include <bnn/metrics.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct bnn_marginals {
    const bnn_engine *engine;
    const bnn_data *rows;
    bnn_sink sink;
    bnn_rng noise;   /* split by the number of the draw of y */
    int n, width, S; /* rows; targets, or classes times sites; draws of the engine, 0 in closed form */
    int sites;       /* pixels of a map of classes, else 1 */
    bool is_class;
    float *y;  /* [n, width, BNN_MARGINAL_DRAWS] of real y, as in_units has it; sorted once finished */
    double *p; /* [n, width] of classes */
};

static float *draws_of(const bnn_marginals *m, size_t cell) { return m->y + cell * BNN_MARGINAL_DRAWS; }

/* A standardised y, in its units where there is one target: several may have several. */
static double in_units(const bnn_marginals *m, size_t cell, double y) {
    const bnn_scaling *scaling = &m->engine->model->scaling;
    return m->width > 1 ? y : y * scaling->y_sd[cell % (size_t)m->width] + scaling->y_mean[cell % (size_t)m->width];
}

/* The same of a y in its units. */
static double of_units(const bnn_marginals *m, size_t cell, double y) {
    const bnn_scaling *scaling = &m->engine->model->scaling;
    return m->width > 1 ? (y - scaling->y_mean[cell % (size_t)m->width]) / scaling->y_sd[cell % (size_t)m->width] : y;
}

/* Draws j of y that belong to draw s of the engine: those with floor(j S / 1000) = s. */
static bnn_status take(void *context, const bnn_drawn *drawn) {
    bnn_marginals *m = context;
    const bnn_model *model = m->engine->model;
    size_t count = (size_t)drawn->n * (size_t)m->width, first = (size_t)drawn->row * (size_t)m->width;
    int64_t all = BNN_MARGINAL_DRAWS, from = (drawn->s * all + m->S - 1) / m->S, end = ((drawn->s + 1) * all + m->S - 1) / m->S;
    if (from == end) return BNN_OK;
    bnn_real *y = malloc(count * sizeof *y);
    if (!y) return bnn_oom("predictive marginals");
    for (int64_t j = from; j < end; j++) {
        bnn_likelihood_vtable(&model->likelihood)
            ->draw(&model->likelihood, drawn->n, drawn->f, bnn_model_noise(model, drawn->theta), bnn_rng_split(m->noise, (uint64_t)j),
                   (uint64_t)drawn->row, y);
        for (size_t i = 0; i < count; i++) draws_of(m, first + i)[j] = (float)in_units(m, first + i, (double)y[i]);
    }
    free(y);
    return BNN_OK;
}

/* Frees m where there is none. */
static bnn_status make_room(bnn_marginals *m) {
    size_t cells = (size_t)m->n * (size_t)m->width;
    if (m->is_class)
        m->p = malloc((cells + 1) * sizeof *m->p);
    else
        m->y = malloc((cells * BNN_MARGINAL_DRAWS + 1) * sizeof *m->y);
    if (m->p || m->y) return BNN_OK;
    bnn_marginals_free(m);
    return bnn_oom("predictive marginals");
}

bnn_status bnn_marginals_open(const bnn_engine *engine, const bnn_data *rows, const bnn_predict_options *options, bnn_marginals **out) {
    const bnn_engine *fitted = bnn_engine_fitted(engine);
    if (!fitted) return bnn_fail(BNN_ERR_STATE, "engine '%s' has not been fitted yet", engine->object.type->name);
    const bnn_likelihood *l = &fitted->model->likelihood;
    bnn_marginals *m = calloc(1, sizeof *m);
    if (!m) return bnn_oom("predictive marginals");
    *m = (bnn_marginals){.engine = fitted,
                         .rows = rows,
                         .sink = {take, m},
                         .noise = bnn_rng_split(bnn_rng_seed(options->seed), BNN_STREAM_TARGET),
                         .n = rows->n,
                         .width = l->mean_dim,
                         .sites = l->sites,
                         .S = bnn_predict_samples(fitted, options->samples),
                         .is_class = l->n_classes > 0};
    BNN_TRY(make_room(m));
    *out = m;
    return BNN_OK;
}

const bnn_sink *bnn_marginals_sink(const bnn_marginals *m) { return m->is_class ? NULL : &m->sink; }

/* Draws j, from .. end of them, of y ~ N(mean, var) in closed form, with the noise that draws of the likelihood have. */
static bnn_status draw_gaussian(bnn_marginals *m, const bnn_prediction *p, int from, int end) {
    size_t cells = (size_t)m->n * (size_t)m->width;
    bnn_real *z = malloc((cells + 1) * sizeof *z);
    if (!z) return bnn_oom("predictive marginals");
    for (int j = from; j < end; j++) {
        bnn_rng_normal(bnn_rng_split(m->noise, (uint64_t)j), 0, m->n, m->width, z);
        for (size_t i = 0; i < cells; i++)
            draws_of(m, i)[j] = (float)of_units(m, i, p->mean[i] + sqrt(bnn_var_total(p, (int)i)) * (double)z[i]);
    }
    free(z);
    return BNN_OK;
}

/* A mixture of closed forms is none itself: each member has its share of the draws. */
static bnn_status draw_mixture(bnn_marginals *m) {
    int members = 0;
    while (bnn_engine_member(m->engine, members)) members++;
    for (int k = 0; k < members; k++) {
        bnn_prediction *one;
        BNN_TRY(bnn_predict(bnn_engine_member(m->engine, k), m->rows, &(bnn_predict_options){.samples = 1}, &one));
        bnn_status s = draw_gaussian(m, one, k * BNN_MARGINAL_DRAWS / members, (k + 1) * BNN_MARGINAL_DRAWS / members);
        bnn_prediction_free(one);
        if (s < 0) return s;
    }
    return BNN_OK;
}

static int compare(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

bnn_status bnn_marginals_finish(bnn_marginals *m, const bnn_prediction *p) {
    size_t cells = (size_t)m->n * (size_t)m->width;
    if (m->is_class) {
        memcpy(m->p, p->mean, cells * sizeof *m->p);
        return BNN_OK;
    }
    if (p->samples == 0) BNN_TRY(bnn_engine_vtable(m->engine)->member ? draw_mixture(m) : draw_gaussian(m, p, 0, BNN_MARGINAL_DRAWS));
    for (size_t i = 0; i < cells; i++) qsort(draws_of(m, i), BNN_MARGINAL_DRAWS, sizeof(float), compare);
    return BNN_OK;
}

bnn_marginals_shape bnn_marginals_look(const bnn_marginals *m) {
    return (bnn_marginals_shape){.n = m->n, .width = m->width, .draws = m->is_class ? 0 : BNN_MARGINAL_DRAWS, .sites = m->sites};
}

size_t bnn_marginals_count(bnn_marginals_shape s) { return (size_t)s.n * (size_t)s.width * (size_t)(s.draws > 0 ? s.draws : 1); }

void bnn_marginals_copy(const bnn_marginals *m, double *out) {
    size_t count = bnn_marginals_count(bnn_marginals_look(m));
    for (size_t i = 0; i < count; i++) out[i] = m->is_class ? m->p[i] : (double)m->y[i];
}

bnn_status bnn_marginals_restore(bnn_marginals_shape shape, const double *numbers, bnn_marginals **out) {
    bnn_marginals *m = calloc(1, sizeof *m);
    if (!m) return bnn_oom("predictive marginals");
    *m = (bnn_marginals){.n = shape.n, .width = shape.width, .sites = shape.sites, .is_class = shape.draws == 0};
    BNN_TRY(make_room(m));
    size_t count = bnn_marginals_count(shape);
    for (size_t i = 0; m->is_class && i < count; i++) m->p[i] = numbers[i];
    for (size_t i = 0; !m->is_class && i < count; i++) m->y[i] = (float)numbers[i];
    *out = m;
    return BNN_OK;
}

void bnn_marginals_free(bnn_marginals *m) {
    if (!m) return;
    free(m->y);
    free(m->p);
    free(m);
}

static bnn_distance of_classes(const bnn_marginals *a, const bnn_marginals *b) {
    int agree = 0;
    const int k = a->width, classes = k / a->sites;
    double sum = 0;
    for (int i = 0; i < a->n; i++) {
        const double *p = a->p + (size_t)i * (size_t)k, *q = b->p + (size_t)i * (size_t)k;
        for (int s = 0; s < a->sites; s++)
            agree += bnn_map_class_of(p + s, classes, a->sites) == bnn_map_class_of(q + s, classes, a->sites);
        for (int c = 0; c < k; c++) sum += 0.5 * fabs(p[c] - q[c]);
    }
    const double all = (double)a->n * a->sites;
    return (bnn_distance){.agreement = (double)agree / all, .total_variation = sum / all, .wasserstein = NAN};
}

bnn_distance bnn_marginals_distance(const bnn_marginals *a, const bnn_marginals *b) {
    if (a->is_class) return of_classes(a, b);
    size_t draws = (size_t)a->n * (size_t)a->width * BNN_MARGINAL_DRAWS;
    double sum = 0;
    for (size_t i = 0; i < draws; i++) sum += fabs((double)a->y[i] - (double)b->y[i]);
    return (bnn_distance){.agreement = NAN, .total_variation = NAN, .wasserstein = sum / (double)draws};
}
