/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * detection.c: how well a score tells two kinds of rows apart.
 */
#include <bnn/detect.h>

#include <math.h>
#include <stdlib.h>

typedef struct {
    double score;
    bool out;
} row;

static int by_falling_score(const void *a, const void *b) {
    const row *s = a, *t = b;
    return (s->score < t->score) - (s->score > t->score);
}

/* Squared deviations of what each row contributes to the area: the share of the other kind that it is in order with. */
typedef struct {
    double area, in, out;
} spread;

/* Rows of equal score, of which `in` and `out` there are so many, below `in_above` and `out_above` others. */
typedef struct {
    double in, out, in_above, out_above;
} tie;

static double share_of_out(const tie *t, const bnn_detection *d) { return (d->n_in - t->in_above - 0.5 * t->in) / d->n_in; }
static double share_of_in(const tie *t, const bnn_detection *d) { return (t->out_above + 0.5 * t->out) / d->n_out; }

/* The next rows of equal score from row `from` on; returns the first one behind them. */
static int next_tie(const row *rows, int n, int from, tie *t) {
    int to = from;
    t->in_above += t->in, t->out_above += t->out;
    t->in = t->out = 0;
    for (; to < n && rows[to].score == rows[from].score; to++) *(rows[to].out ? &t->out : &t->in) += 1;
    return to;
}

/* DeLong, DeLong & Clarke-Pearson 1988, by the ranks of Sun & Xu 2014. */
static void measure_area(const row *rows, bnn_detection *d) {
    int n = d->n_in + d->n_out;
    double in = 0, out = 0;
    tie t = {0};
    for (int at = 0; at < n;) at = next_tie(rows, n, at, &t), d->auroc += t.out * share_of_out(&t, d) / d->n_out;
    t = (tie){0};
    for (int at = 0; at < n;) {
        at = next_tie(rows, n, at, &t);
        out += t.out * pow(share_of_out(&t, d) - d->auroc, 2);
        in += t.in * pow(share_of_in(&t, d) - d->auroc, 2);
    }
    d->auroc_se = d->n_in > 1 && d->n_out > 1 ? sqrt(out / (d->n_out - 1.0) / d->n_out + in / (d->n_in - 1.0) / d->n_in) : NAN;
}

static void draw_curves(const row *rows, bnn_detection *d) {
    int n = d->n_in + d->n_out;
    tie t = {0};
    d->fpr_95 = NAN;
    d->threshold[0] = INFINITY, d->fpr[0] = d->tpr[0] = 0, d->precision[0] = 1;
    d->n_points = 1;
    for (int at = 0; at < n;) {
        int k = d->n_points++;
        d->threshold[k] = rows[at].score;
        at = next_tie(rows, n, at, &t);
        d->fpr[k] = (t.in_above + t.in) / d->n_in, d->tpr[k] = (t.out_above + t.out) / d->n_out;
        d->precision[k] = (t.out_above + t.out) / at;
        d->average_precision += (d->tpr[k] - d->tpr[k - 1]) * d->precision[k];
        if (isnan(d->fpr_95) && d->tpr[k] >= 0.95) d->fpr_95 = d->fpr[k];
    }
}

static bnn_status check(int n_in, const double *in, int n_out, const double *out) {
    if (n_in < 1 || n_out < 1)
        return bnn_fail(BNN_ERR_DATA, "%d rows in and %d rows out: detection is measured on rows of both kinds", n_in, n_out);
    for (int i = 0; i < n_in + n_out; i++)
        if (isnan(i < n_in ? in[i] : out[i - n_in]))
            return bnn_fail(BNN_ERR_NUMERIC, "the score of row %d of those %s is not a number", i < n_in ? i : i - n_in,
                            i < n_in ? "in" : "out");
    return BNN_OK;
}

bnn_status bnn_detect(int n_in, const double *in, int n_out, const double *out, bnn_detection **detection) {
    *detection = NULL;
    BNN_TRY(check(n_in, in, n_out, out));
    size_t n = (size_t)n_in + (size_t)n_out;
    bnn_detection *d = calloc(1, sizeof *d);
    row *rows = malloc(n * sizeof *rows);
    double *points = malloc(4 * (n + 1) * sizeof *points);
    if (!d || !rows || !points) {
        free(d), free(rows), free(points);
        return bnn_oom("a detection of %d rows", n_in + n_out);
    }
    *d = (bnn_detection){.n_in = n_in, .n_out = n_out, .threshold = points, .fpr = points + n + 1, .tpr = points + 2 * (n + 1)};
    d->precision = points + 3 * (n + 1);
    for (size_t i = 0; i < n; i++) rows[i] = i < (size_t)n_in ? (row){in[i], false} : (row){out[i - (size_t)n_in], true};
    qsort(rows, n, sizeof *rows, by_falling_score);
    measure_area(rows, d);
    draw_curves(rows, d);
    free(rows);
    *detection = d;
    return BNN_OK;
}

void bnn_detection_free(bnn_detection *detection) {
    if (!detection) return;
    free(detection->threshold); /* the block that all curves are in */
    free(detection);
}
