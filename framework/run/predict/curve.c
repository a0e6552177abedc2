/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * curve.c: quantiles and the continuous ranked probability score (Gneiting & Raftery 2007, eq. 21) of mixtures, from their distribution
 * functions F at points of our choice, in standardised y.
 *
 *   F(q) = level        by the secant rule on the normal scores of F, which are straight where F is Gaussian, within a bracket that is
 *                       halved where the rule leaves it
 *   crps = E|Y - y| - integral of F (1 - F)                                            E|Y - y| = |E Y - y| + 2 T
 *                       T = integral of 1 - F from y on, for y below E Y of F up to y; both by the trapezoidal rule in a variable that
 *                       makes the integrand fade out at both ends, where the rule is exact up to exponentially small terms (Takahasi &
 *                       Mori 1974): t = E Y + sd sinh(v), and t = y +- sd exp(v - exp(-v))
 *
 * Every cell, a target of a row, stops by itself, so that it has the same bits in any company.
 */
#include "parts.h"

#include <bnn/jobs.h>
#include <float.h>
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>

enum {
    PIECE = 64,
    MOST_TURNS = 300, /* evaluations for a quantile; of smooth functions 4 or 5 are enough */
    SMOOTH_TURNS = 8, /* after so many every second one halves the bracket */
    MOST_HALVINGS = 8,
    FARTHEST = 40 /* of v */
};
static const double quantile_error = 1e-6, /* in predictive sd */
    crps_error = 1e-4, faded = 1e-6,       /* in predictive sd */
    real_error = sizeof(bnn_real) == sizeof(double) ? DBL_EPSILON : FLT_EPSILON;

/* A cell on its way to a quantile. */
typedef struct {
    double low, high;   /* bracket */
    double t, score;    /* where F was asked last, and its normal score there */
    double next, scale; /* next guess, in the end the answer; predictive sd */
    bool done;
} search;

/* A cell on its way to an integral. */
typedef struct {
    double origin, sd;  /* of the map from v to t */
    bool up;            /* the tail that is integrated */
    double sum, before; /* over the points so far; integral with half as many */
    bool faded, done;   /* in this direction; altogether */
} area;

/* Some rows at work. */
typedef struct {
    const bnn_kept *kept;
    bnn_kept_room room;
    int at, n, cells;      /* rows; n k */
    bnn_real *t;           /* [cells] where F is asked */
    double *F, *mean, *sd; /* [cells] */
    double *tail, *spread; /* [cells] */
    search *search;        /* [cells] */
    area *area;            /* [cells] */
} sheet;

static void ask(const sheet *s) { bnn_kept_cdf(s->kept, &s->room, s->at, s->n, s->t, s->F); }

/* ---------------------------------------------------------------- quantiles */

static double normal_score(double F) { return gsl_cdf_ugaussian_Pinv(fmin(fmax(F, DBL_MIN), 1 - DBL_EPSILON / 2)); }

/* The point between, or, where one end is not known yet, a step out that doubles. */
static double middle_of(const search *c, int turn) {
    if (isinf(c->low)) return c->high - ldexp(c->scale, turn);
    if (isinf(c->high)) return c->low + ldexp(c->scale, turn);
    return c->low + (c->high - c->low) / 2;
}

/* Takes F(t) and finds the next point, or the answer. */
static void narrow(search *c, double level, double target, double t, double F, int turn) {
    double score = normal_score(F), slope = turn == 0 ? 1 / c->scale : (score - c->score) / (t - c->t);
    double next = t + (target - score) / slope, error = fmax(quantile_error * c->scale, real_error * fabs(t));
    if (F < level)
        c->low = t;
    else
        c->high = t;
    c->t = t, c->score = score;
    c->done = isnan(F) || (slope > 0 && fabs(next - t) <= error);
    c->next = isnan(F) ? NAN : next;
    if (c->done) return;
    if (!(next > c->low && next < c->high) || (turn > SMOOTH_TURNS && turn % 2)) c->next = middle_of(c, turn);
    c->done = c->high - c->low <= error;
}

/* q[i * stride] = quantile of cell i. */
static void find_quantiles(const sheet *s, double level, double *q, size_t stride) {
    double target = gsl_cdf_ugaussian_Pinv(level);
    bool all = false;
    for (int i = 0; i < s->cells; i++)
        s->search[i] = (search){-INFINITY, INFINITY, 0, 0, s->mean[i] + target * s->sd[i], s->sd[i], !isfinite(s->mean[i])};
    for (int turn = 0; turn < MOST_TURNS && !all; turn++) {
        for (int i = 0; i < s->cells; i++) s->t[i] = (bnn_real)s->search[i].next;
        ask(s);
        all = true;
        for (int i = 0; i < s->cells; i++) {
            if (!s->search[i].done) narrow(&s->search[i], level, target, (double)s->t[i], s->F[i], turn);
            all &= s->search[i].done;
        }
    }
    for (int i = 0; i < s->cells; i++) q[(size_t)i * stride] = s->search[i].next;
}

/* ---------------------------------------------------------------- integrals */

/* A way to integrate: the points, their derivatives, and the integrand. */
typedef struct {
    double (*place)(const area *c, double v, double *slope);
    double (*of)(const area *c, double F);
    bool ends; /* in y, for v to minus infinity */
} rule;

static double place_middle(const area *c, double v, double *slope) {
    *slope = c->sd * cosh(v);
    return c->origin + c->sd * sinh(v);
}
static double spread_of(const area *c, double F) {
    (void)c;
    return F * (1 - F);
}

static double place_tail(const area *c, double v, double *slope) {
    double x = c->sd * exp(v - exp(-v));
    *slope = x * (1 + exp(-v));
    return c->up ? c->origin + x : c->origin - x;
}
static double tail_of(const area *c, double F) { return c->up ? 1 - F : F; }

/* Adds the points v = first, first + step, ... of every cell until its integrand has faded out; on the way back to y, the map's slope: a
 * distribution function may have a step there. */
static void walk(const sheet *s, const rule *r, double first, double step) {
    bool all = false;
    double slope;
    for (int i = 0; i < s->cells; i++) s->area[i].faded = s->area[i].done;
    for (double v = first; fabs(v) <= FARTHEST && !all; v += step) {
        for (int i = 0; i < s->cells; i++) s->t[i] = (bnn_real)r->place(&s->area[i], v, &slope);
        ask(s);
        all = true;
        for (int i = 0; i < s->cells; i++) {
            area *c = &s->area[i];
            if (c->faded) continue;
            r->place(c, v, &slope);
            double more = r->of(c, s->F[i]) * slope;
            c->sum += more;
            c->faded = !((r->ends && step < 0 ? slope : more) > faded * c->sd); /* also where it is not a number */
            all &= c->faded;
        }
    }
}

/* The trapezoidal rule with steps of 1, 1/2, 1/4, ... until two agree. */
static void integrate(const sheet *s, const rule *r, double *out) {
    double step = 1;
    bool all = false;
    walk(s, r, 0, step), walk(s, r, -step, -step);
    for (int i = 0; i < s->cells; i++) s->area[i].before = s->area[i].sum;
    for (int k = 0; k < MOST_HALVINGS && !all; k++) {
        double half = step / 2;
        walk(s, r, half, step), walk(s, r, -half, -step);
        step = half;
        all = true;
        for (int i = 0; i < s->cells; i++) {
            area *c = &s->area[i];
            if (c->done) continue;
            out[i] = c->sum * step;
            c->done = !(fabs(out[i] - c->before) > crps_error * c->sd);
            c->before = out[i];
            all &= c->done;
        }
    }
}

static void open_areas(const sheet *s, const bnn_real *y) {
    for (int i = 0; i < s->cells; i++)
        s->area[i] = (area){.origin = y ? (double)y[i] : s->mean[i], .sd = s->sd[i], .up = y && (double)y[i] >= s->mean[i]};
}

static void score(const sheet *s, const bnn_real *y, double *crps) {
    static const rule in_middle = {place_middle, spread_of, false}, in_tail = {place_tail, tail_of, true};
    open_areas(s, NULL);
    integrate(s, &in_middle, s->spread);
    open_areas(s, y);
    integrate(s, &in_tail, s->tail);
    for (int i = 0; i < s->cells; i++) crps[i] = fabs((double)y[i] - s->mean[i]) + 2 * s->tail[i] - s->spread[i];
}

/* ---------------------------------------------------------------- pieces */

typedef struct {
    const bnn_kept *kept;
    const bnn_real *y; /* [rows, k] or NULL */
    bnn_prediction *p;
    int base;
} question;

static void close_sheet(sheet *s) {
    bnn_kept_room_close(&s->room);
    free(s->t), free(s->F), free(s->search), free(s->area);
}

static bnn_status open_sheet(const question *q, int piece, sheet *s) {
    int rows = q->kept->part[0].rows, at = piece * PIECE, n = rows - at < PIECE ? rows - at : PIECE;
    size_t cells = (size_t)n * (size_t)q->p->mean_dim;
    *s = (sheet){.kept = q->kept, .at = at, .n = n, .cells = (int)cells};
    s->t = malloc(cells * sizeof *s->t);
    s->F = malloc(5 * cells * sizeof *s->F);
    s->search = malloc(cells * sizeof *s->search);
    s->area = malloc(cells * sizeof *s->area);
    if (!s->t || !s->F || !s->search || !s->area) return bnn_oom("prediction");
    s->mean = s->F + cells, s->sd = s->mean + cells, s->tail = s->sd + cells, s->spread = s->tail + cells;
    return bnn_kept_room_open(q->kept, n, &s->room);
}

static bnn_status answer_piece(void *context, int piece) {
    const question *q = context;
    const bnn_scaling *scaling = &q->kept->part[0].engine->model->scaling;
    bnn_prediction *p = q->p;
    sheet s;
    bnn_status status = open_sheet(q, piece, &s);
    size_t k = (size_t)p->mean_dim, from = (size_t)(q->base + piece * PIECE) * k, levels = (size_t)p->n_levels;
    for (size_t i = 0; status == BNN_OK && i < (size_t)s.cells; i++) {
        double sd = sqrt(p->var_epistemic[from + i] + p->var_aleatoric[from + i]) / scaling->y_sd[i % k];
        s.mean[i] = (p->mean[from + i] - scaling->y_mean[i % k]) / scaling->y_sd[i % k];
        s.sd[i] = sd > 0 && isfinite(sd) ? sd : 1;
    }
    if (status == BNN_OK && p->crps) score(&s, q->y + (size_t)s.at * k, p->crps + from);
    for (size_t l = 0; status == BNN_OK && l < levels; l++) find_quantiles(&s, p->levels[l], p->quantile + from * levels + l, levels);
    for (size_t i = 0; status == BNN_OK && i < (size_t)s.cells; i++) {
        if (p->crps) p->crps[from + i] *= scaling->y_sd[i % k];
        double *of = p->quantile + (from + i) * levels;
        for (size_t l = 0; l < levels; l++) of[l] = of[l] * scaling->y_sd[i % k] + scaling->y_mean[i % k];
    }
    close_sheet(&s);
    return status;
}

bnn_status bnn_curve_answer(const bnn_kept *kept, const bnn_real *y, int base, bnn_prediction *p) {
    question q = {.kept = kept, .y = y, .p = p, .base = base};
    return bnn_jobs_run((kept->part[0].rows + PIECE - 1) / PIECE, answer_piece, &q);
}
