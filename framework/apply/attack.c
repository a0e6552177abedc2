/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/sized.h"
#include "run/predict/maps.h"
#include <bnn/attack.h>
#include <bnn/fit.h>
#include <bnn/metrics.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const bnn_attack_method_names[] = {"fgm", "bim", "pgd", "mim", "noise", NULL};

enum { PIECE = 64, MAPS = 4 /* of a piece, whose rows are pictures */, USUAL_ITERATIONS = 10, USUAL_SAMPLES = 20 };

/* Splits of the seed. */
enum { OF_DRAWS, OF_NOISE, OF_STARTS };

/* An engine that predicts alone, or a member of a mixture. */
typedef struct {
    const bnn_engine *engine;
    int draws;             /* 1: one point without noise, or a single draw */
    bool point;            /* without noise */
    const bnn_real *theta; /* of a closed form; NULL: it is drawn */
    bnn_rng rng;           /* of its draws and their noise */
} source;

/* A space in which a column is 1 long, or as long as it was measured. */
typedef struct {
    double *low, *high, *unit; /* [D] in the units of the table */
} box;

typedef struct {
    const bnn_data *rows;
    bnn_attack_options how;
    double step;
    int piece; /* rows of a piece */
    int n_sources;
    source *source;
    box box;
    bnn_real *y; /* [n, y_dim] targets, standardised */
    double *out; /* [n, D] in the units of the table */
} attack;

/* ---------------------------------------------------------------- one piece of rows */

typedef struct {
    const attack *a;
    int from, n;
    size_t D;
    bnn_workspace **ws;                    /* [n_sources] */
    bnn_real *theta, *x, *dx;              /* [most n_theta], [n, D], [n, D] */
    double *at, *start, *slope, *momentum; /* [n, D] in the space of the box; momentum of mim alone */
} piece;

static void piece_close(piece *p) {
    for (int k = 0; p->ws && k < p->a->n_sources; k++) bnn_workspace_free(p->ws[k]);
    free(p->ws), free(p->theta), free(p->x), free(p->dx), free(p->at);
}

static bnn_status piece_open(const attack *a, int from, piece *p) {
    size_t n = (size_t)(a->rows->n - from < a->piece ? a->rows->n - from : a->piece), most = 0,
           D = (size_t)bnn_shape_size(a->rows->x_shape);
    *p = (piece){.a = a, .from = from, .n = (int)n, .D = D};
    for (int k = 0; k < a->n_sources; k++) {
        size_t n_theta = (size_t)a->source[k].engine->model->n_theta;
        most = n_theta > most ? n_theta : most;
    }
    p->ws = calloc((size_t)a->n_sources, sizeof *p->ws);
    p->theta = malloc((most + 1) * sizeof *p->theta);
    p->x = malloc(n * D * sizeof *p->x), p->dx = malloc(n * D * sizeof *p->dx);
    p->at = calloc(4 * n * D, sizeof *p->at);
    if (!p->ws || !p->theta || !p->x || !p->dx || !p->at) return bnn_oom("an attack");
    p->start = p->at + n * D, p->slope = p->start + n * D, p->momentum = p->slope + n * D;
    for (int k = 0; k < a->n_sources; k++) BNN_TRY(bnn_workspace_new(a->source[k].engine->model->net, (int)n, BNN_TO_X, &p->ws[k]));
    return BNN_OK;
}

/* Adds `share` times the slopes of the mean over the draws of a source. */
static bnn_status add_source(piece *p, int k, double share) {
    const attack *a = p->a;
    const source *s = &a->source[k];
    const bnn_model *m = s->engine->model;
    const bnn_scaling *scaling = &a->rows->scaling;
    const bnn_real *y = a->y + (size_t)p->from * (size_t)a->rows->y_dim;
    for (int d = 0; d < s->draws; d++) {
        bnn_rng rng = bnn_rng_split(s->rng, (uint64_t)d);
        const bnn_real *theta = s->theta ? s->theta : p->theta;
        if (!s->theta) BNN_TRY(bnn_engine_draw(s->engine, bnn_predict_stored(s->engine, d, s->draws), bnn_rng_split(rng, 0), p->theta));
        bnn_model_input_gradient(m, p->ws[k], s->point ? BNN_MEAN : BNN_DRAW, bnn_rng_split(rng, 1), theta, p->n, p->x, y, p->dx);
        for (size_t i = 0; i < (size_t)p->n * p->D; i++)
            p->slope[i] += share / s->draws * (double)p->dx[i] * a->box.unit[i % p->D] / scaling->x_sd[i % p->D];
    }
    return BNN_OK;
}

/* slope[n, D] at the place where the rows are, uphill. */
static bnn_status find_slopes(piece *p) {
    const attack *a = p->a;
    const bnn_scaling *scaling = &a->rows->scaling;
    double sign = a->how.targeted ? -1 : 1;
    for (size_t i = 0; i < (size_t)p->n * p->D; i++) {
        size_t j = i % p->D;
        p->x[i] = (bnn_real)((p->at[i] * a->box.unit[j] - scaling->x_mean[j]) / scaling->x_sd[j]);
        p->slope[i] = 0;
    }
    for (int k = 0; k < a->n_sources; k++) BNN_TRY(add_source(p, k, sign / a->n_sources));
    for (size_t i = 0; i < (size_t)p->n * p->D; i++)
        if (!isfinite(p->slope[i]))
            return bnn_fail(BNN_ERR_NUMERIC, "row %d: the slope in its features is not finite",
                            a->rows->rows[p->from + (int)(i / p->D)] + 1);
    return BNN_OK;
}

static double length_of(const double *v, size_t n, bool euclidean) {
    double squares = 0, most = 0;
    for (size_t i = 0; i < n; i++) squares += v[i] * v[i], most = fmax(most, fabs(v[i]));
    return euclidean ? sqrt(squares) : most;
}

/* at += step dir(v), of one row; where v is 0 there is no way. */
static void move(const piece *p, double *at, const double *v, double step) {
    bool euclidean = p->a->how.euclidean;
    double length = length_of(v, p->D, true);
    for (size_t j = 0; length > 0 && j < p->D; j++) at[j] += step * (euclidean ? v[j] / length : (v[j] > 0) - (v[j] < 0));
}

/* Back into the ball around start, then into the box, which start is in: that makes no way longer. */
static void put_back(const piece *p, double *at, const double *start) {
    const box *b = &p->a->box;
    double eps = p->a->how.eps, squares = 0;
    for (size_t j = 0; j < p->D; j++) squares += (at[j] - start[j]) * (at[j] - start[j]);
    double shrink = p->a->how.euclidean && squares > eps * eps ? eps / sqrt(squares) : 1;
    for (size_t j = 0; j < p->D; j++) {
        double way = shrink * (at[j] - start[j]);
        if (!p->a->how.euclidean) way = fmin(fmax(way, -eps), eps);
        at[j] = fmin(fmax(start[j] + way, b->low[j] / b->unit[j]), b->high[j] / b->unit[j]);
    }
}

/* m <- momentum m + slope / |slope|_1, of one row. */
static void gather(const piece *p, const double *slope, double *m) {
    double sum = 0;
    for (size_t j = 0; j < p->D; j++) sum += fabs(slope[j]);
    for (size_t j = 0; j < p->D; j++) m[j] = p->a->how.momentum * m[j] + (sum > 0 ? slope[j] / sum : 0);
}

/* Moves a row by what is drawn: way[D] for noise, of length eps; a place in the ball for pgd. */
static void draw_place(piece *p, int row, double *at) {
    const attack *a = p->a;
    bnn_rng rng = bnn_rng_split(bnn_rng_split(bnn_rng_seed(a->how.seed), a->how.method == BNN_ATTACK_NOISE ? OF_NOISE : OF_STARTS),
                                (uint64_t)(p->from + row));
    bool noise = a->how.method == BNN_ATTACK_NOISE;
    double *way = p->slope + (size_t)row * p->D, radius = a->how.eps;
    bnn_real u;
    if (a->how.euclidean || noise) {
        bnn_rng_normal(rng, 0, 1, (int)p->D, p->dx);
    } else {
        bnn_rng_uniform(rng, 0, 1, (int)p->D, p->dx);
    }
    bnn_rng_uniform(rng, 1, 1, 1, &u);
    if (a->how.euclidean && !noise) radius *= pow((double)u, 1.0 / (double)p->D);
    for (size_t j = 0; j < p->D; j++) way[j] = (double)p->dx[j];
    if (a->how.euclidean || noise)
        move(p, at, way, radius);
    else
        for (size_t j = 0; j < p->D; j++) at[j] += radius * (2 * way[j] - 1);
}

static bnn_status iterate(piece *p) {
    const bnn_attack_options *how = &p->a->how;
    BNN_TRY(find_slopes(p));
    for (int r = 0; r < p->n; r++) {
        double *at = p->at + (size_t)r * p->D, *way = p->slope + (size_t)r * p->D, *m = p->momentum + (size_t)r * p->D;
        if (how->method == BNN_ATTACK_MIM) gather(p, way, m), way = m;
        move(p, at, way, p->a->step);
        put_back(p, at, p->start + (size_t)r * p->D);
    }
    return BNN_OK;
}

static bnn_status run_piece(piece *p) {
    const attack *a = p->a;
    for (int r = 0; r < p->n; r++) {
        const size_t row = (size_t)a->rows->rows[p->from + r] * p->D;
        double *at = p->at + (size_t)r * p->D, *start = p->start + (size_t)r * p->D;
        for (size_t j = 0; j < p->D; j++) start[j] = at[j] = bnn_table_value(a->rows->table, row + j) / a->box.unit[j];
        if (a->how.method == BNN_ATTACK_PGD || a->how.method == BNN_ATTACK_NOISE) draw_place(p, r, at), put_back(p, at, start);
    }
    for (int k = 0; k < a->how.iterations; k++) BNN_TRY(iterate(p));
    double *out = a->out + (size_t)p->from * p->D;
    for (size_t i = 0; i < (size_t)p->n * p->D; i++) {
        size_t j = i % p->D;
        out[i] = p->at[i] == p->start[i] ? out[i] : fmin(fmax(p->at[i] * a->box.unit[j], a->box.low[j]), a->box.high[j]);
    }
    return BNN_OK;
}

static bnn_status attack_piece(void *context, int i) {
    const attack *a = context;
    piece p;
    bnn_status s = piece_open(a, i * a->piece, &p);
    if (s == BNN_OK) s = run_piece(&p);
    piece_close(&p);
    return s;
}

/* ---------------------------------------------------------------- what is attacked, and how */

static bnn_status add_engine(attack *a, const bnn_engine *e, int samples, bnn_rng rng) {
    int members = 0;
    while (bnn_engine_member(e, members)) members++;
    for (int k = 0; k < members; k++)
        BNN_TRY(add_engine(a, bnn_engine_member(e, k), (samples + members - 1) / members, bnn_rng_split(rng, (uint64_t)k)));
    if (members > 0) return BNN_OK;
    const bnn_engine_type *type = bnn_engine_vtable(e);
    source *more = realloc(a->source, (size_t)(a->n_sources + 1) * sizeof *more);
    if (!more) return bnn_oom("an attack");
    a->source = more;
    source *s = &a->source[a->n_sources++];
    bnn_predictive how = type->predictive ? type->predictive(e) : (bnn_predictive){.by = BNN_BY_THETA};
    *s = (source){.engine = e, .draws = 1, .point = a->how.point || type->type.caps & BNN_POINT || how.by != BNN_BY_THETA, .rng = rng};
    if (how.by != BNN_BY_THETA) s->theta = how.theta;
    if (!s->point) s->draws = bnn_predict_samples(e, samples);
    return BNN_OK;
}

static bnn_status open_box(attack *a) {
    const bnn_table *t = a->rows->table;
    size_t D = (size_t)bnn_shape_size(t->x_shape);
    double *all = malloc(3 * D * sizeof *all);
    if (!all) return bnn_oom("an attack");
    bool varies = false;
    a->box = (box){all, all + D, all + 2 * D};
    for (size_t j = 0; j < D; j++) {
        bool image = t->scale == BNN_SCALE_RANGE;
        double low = image ? 0 : INFINITY, high = image ? t->range : -INFINITY;
        for (size_t i = 0; i < (size_t)t->n; i++) {
            const double x = bnn_table_value(t, i * D + j);
            low = fmin(low, x), high = fmax(high, x);
        }
        double range = image ? t->range : high - low;
        a->box.low[j] = low, a->box.high[j] = high, a->box.unit[j] = a->how.as_measured || !(range > 0) ? 1 : range;
        varies |= high > low;
    }
    if (!varies)
        return bnn_fail(BNN_ERR_DATA, "no column of these rows varies, and none is to leave its range: attack them in a table with others");
    return BNN_OK;
}

/* Own targets, or the one that all rows are led to, and of maps all pixels but those that nobody knows. */
static bnn_status open_targets(attack *a, const bnn_model *m) {
    const bnn_data *rows = a->rows;
    double towards = a->how.towards;
    int classes = m->likelihood.n_classes;
    size_t n = (size_t)rows->n * (size_t)m->likelihood.y_dim;
    if (!a->how.targeted && !rows->y) return bnn_fail(BNN_ERR_DATA, "rows without targets can only be led to one: name it");
    if (a->how.targeted && m->likelihood.y_dim != m->likelihood.sites)
        return bnn_fail(BNN_ERR_OPTION, "one target cannot serve %d: rows can only be led away from their own", m->likelihood.y_dim);
    if (a->how.targeted && classes > 0 && !(towards >= 0 && towards < classes && towards == floor(towards)))
        return bnn_fail(BNN_ERR_OPTION, "%g is no class to be led to: there are %d, counted from 0", towards, classes);
    if (!isfinite(towards)) return bnn_fail(BNN_ERR_OPTION, "the target that rows are led to is not a finite number");
    if (!(a->y = malloc((n + 1) * sizeof *a->y))) return bnn_oom("an attack");
    if (!a->how.targeted) {
        memcpy(a->y, rows->y, n * sizeof *a->y);
        return BNN_OK;
    }
    if (classes == 0) towards = (towards - rows->scaling.y_mean[0]) / rows->scaling.y_sd[0];
    for (size_t i = 0; i < n; i++) a->y[i] = m->likelihood.sites > 1 && rows->y && rows->y[i] < 0 ? -1 : (bnn_real)towards;
    return BNN_OK;
}

static bnn_status check_number(const char *what, double x) {
    return x >= 0 && isfinite(x) ? BNN_OK : bnn_fail(BNN_ERR_OPTION, "an attack needs %s of 0 or more, not %g", what, x);
}

static bnn_status read_options(const bnn_attack_options *options, bnn_attack_options *how) {
    BNN_TRY(bnn_sized_read("bnn_attack_options", how, sizeof *how, BNN_UP_TO(bnn_attack_options, seed), options));
    if ((int)how->method < BNN_ATTACK_FGM || how->method > BNN_ATTACK_NOISE) return bnn_fail(BNN_ERR_OPTION, "there is no such attack");
    if (how->iterations < 0 || how->samples < 0) return bnn_fail(BNN_ERR_OPTION, "iterations and samples of an attack are 0 or more");
    BNN_TRY(check_number("a length eps", how->eps));
    BNN_TRY(check_number("a step", how->step));
    BNN_TRY(check_number("a momentum", how->momentum));
    how->samples = how->samples ? how->samples : USUAL_SAMPLES;
    how->momentum = how->momentum > 0 ? how->momentum : 1;
    how->iterations = how->method == BNN_ATTACK_FGM     ? 1
                      : how->method == BNN_ATTACK_NOISE ? 0
                      : how->iterations                 ? how->iterations
                                                        : USUAL_ITERATIONS;
    return BNN_OK;
}

static double step_of(const bnn_attack_options *how) {
    if (how->method == BNN_ATTACK_FGM) return how->eps;
    if (how->step > 0 || how->iterations == 0) return how->step;
    return (how->method == BNN_ATTACK_PGD ? 2.5 : 1) * how->eps / how->iterations;
}

static bnn_status open_attack(attack *a, const bnn_run *run) {
    const bnn_engine *fitted = bnn_engine_fitted(run->engine);
    if (!fitted) return bnn_fail(BNN_ERR_STATE, "nothing has been fitted yet that could be attacked");
    a->step = step_of(&a->how), a->piece = fitted->model->likelihood.sites > 1 ? MAPS : PIECE;
    BNN_TRY(open_targets(a, fitted->model));
    BNN_TRY(open_box(a));
    return add_engine(a, fitted, a->how.samples, bnn_rng_split(bnn_rng_seed(a->how.seed), OF_DRAWS));
}

bnn_status bnn_attack(const bnn_run *run, const bnn_data *rows, const bnn_attack_options *options, bnn_table **out) {
    attack a = {.rows = rows};
    bnn_table *t = NULL;
    *out = NULL;
    BNN_TRY(read_options(options, &a.how));
    bnn_status s = open_attack(&a, run);
    if (s == BNN_OK) s = bnn_data_table(rows, &t);
    if (s == BNN_OK) {
        a.out = t->x;
        s = bnn_jobs_run((rows->n + a.piece - 1) / a.piece, attack_piece, &a);
    }
    free(a.source), free(a.y), free(a.box.low);
    if (s == BNN_OK)
        *out = t;
    else
        bnn_table_free(t);
    return s;
}

/* ---------------------------------------------------------------- what it has done */

/* Observation i is a row, or of maps a pixel. */
static int class_of(const bnn_prediction *p, size_t i) {
    size_t sites = p->sites > 1 ? (size_t)p->sites : 1;
    return bnn_map_class_of(p->mean + i / sites * (size_t)p->mean_dim + i % sites, bnn_prediction_width(p), (int)sites);
}

static void measure_classes(const bnn_data *rows, const bnn_prediction *before, const bnn_prediction *after, const bnn_attack_options *how,
                            bnn_attack_effect *out) {
    double known = 0, lost = 0;
    int to = (int)how->towards;
    for (size_t i = 0; i < (size_t)rows->n * (size_t)rows->y_dim; i++) {
        int y = (int)rows->y[i];
        if (y < 0) continue; /* void */
        int was = class_of(before, i), is = class_of(after, i);
        bool tried = how->targeted ? y != to && was != to : was == y;
        known++, out->tried += tried;
        lost += tried && (how->targeted ? is == to : is != y);
        out->before += was == y, out->after += is == y;
    }
    out->before /= known, out->after /= known;
    out->success = out->tried > 0 ? lost / out->tried : NAN;
}

/* Root of the mean squared error over all targets, in sd of each. */
static double error_of(const bnn_data *rows, const bnn_prediction *p) {
    size_t n = (size_t)rows->n * (size_t)rows->y_dim;
    double squares = 0;
    for (size_t i = 0; i < n; i++) {
        size_t j = i % (size_t)rows->y_dim;
        double off = (p->mean[i] - rows->scaling.y_mean[j]) / rows->scaling.y_sd[j] - (double)rows->y[i];
        squares += off * off / (double)n;
    }
    return sqrt(squares);
}

bnn_status bnn_attack_measure(const bnn_data *rows, const bnn_table *attacked, const bnn_prediction *before, const bnn_prediction *after,
                              const bnn_attack_options *options, bnn_attack_effect *out) {
    attack a = {.rows = rows};
    size_t D = (size_t)bnn_shape_size(rows->x_shape);
    *out = (bnn_attack_effect){.success = NAN};
    BNN_TRY(read_options(options, &a.how));
    if (!rows->y) return bnn_fail(BNN_ERR_DATA, "what an attack has done is seen on rows with targets");
    double *way = malloc(D * sizeof *way);
    bnn_status s = way ? open_box(&a) : bnn_oom("an attack");
    for (int i = 0; s == BNN_OK && i < rows->n; i++) {
        const size_t from = (size_t)rows->rows[i] * D, to = (size_t)i * D;
        for (size_t j = 0; j < D; j++)
            way[j] = (bnn_table_value(attacked, to + j) - bnn_table_value(rows->table, from + j)) / a.box.unit[j];
        out->moved += length_of(way, D, a.how.euclidean) / rows->n;
    }
    free(way), free(a.box.low);
    if (s < 0) return s;
    if (rows->n_classes > 0)
        measure_classes(rows, before, after, &a.how, out);
    else
        out->before = error_of(rows, before), out->after = error_of(rows, after), out->tried = rows->n;
    return BNN_OK;
}
