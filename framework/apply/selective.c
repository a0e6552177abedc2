/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * selective.c: risk against coverage, and answers that are withheld.
 */
#include "calibration.h"

#include <bnn/metrics.h>
#include <bnn/selective.h>
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>

typedef struct {
    double uncertainty, loss;
} row;

static int by_uncertainty(const void *a, const void *b) {
    const row *s = a, *t = b;
    return (s->uncertainty > t->uncertainty) - (s->uncertainty < t->uncertainty);
}

static bnn_status check(int n, const double *uncertainty, const double *loss) {
    if (n < 1) return bnn_fail(BNN_ERR_DATA, "risk against coverage needs at least one row");
    for (int i = 0; i < n; i++) {
        if (isnan(uncertainty[i])) return bnn_fail(BNN_ERR_NUMERIC, "the uncertainty of row %d is not a number", i);
        if (!(loss[i] >= 0 && loss[i] < INFINITY))
            return bnn_fail(BNN_ERR_NUMERIC, "the loss of row %d is %g, not finite and 0 or more", i, loss[i]);
    }
    return BNN_OK;
}

/* The sorted rows' mean risk over all coverages; where s has room for them, its points, too. */
static double walk(const row *rows, int n, bnn_selection *s) {
    double area = 0, before = 0;
    for (int from = 0, to; from < n; from = to) {
        double loss = 0;
        for (to = from; to < n && rows[to].uncertainty == rows[from].uncertainty; to++) loss += rows[to].loss;
        for (int k = from + 1; k <= to; k++) area += (before + loss * (k - from) / (to - from)) / k;
        before += loss;
        if (!s) continue;
        s->threshold[s->n_points] = rows[from].uncertainty;
        s->coverage[s->n_points] = (double)to / n;
        s->risk[s->n_points++] = before / to;
    }
    return area / n;
}

bnn_status bnn_selection_new(int n, const double *uncertainty, const double *loss, bnn_selection **out) {
    *out = NULL;
    BNN_TRY(check(n, uncertainty, loss));
    bnn_selection *s = calloc(1, sizeof *s);
    row *rows = malloc((size_t)n * sizeof *rows);
    double *points = malloc(3 * (size_t)n * sizeof *points);
    if (!s || !rows || !points) {
        free(s), free(rows), free(points);
        return bnn_oom("risks of %d rows", n);
    }
    *s = (bnn_selection){.n = n, .is_share = true, .threshold = points, .coverage = points + n, .risk = points + 2 * (size_t)n};
    for (int i = 0; i < n; i++) {
        rows[i] = (row){uncertainty[i], loss[i]};
        s->is_share &= loss[i] == 0 || loss[i] == 1;
    }
    qsort(rows, (size_t)n, sizeof *rows, by_uncertainty);
    s->aurc = walk(rows, n, s);
    for (int i = 0; i < n; i++) rows[i].uncertainty = rows[i].loss;
    qsort(rows, (size_t)n, sizeof *rows, by_uncertainty);
    s->excess = s->aurc - walk(rows, n, NULL);
    free(rows);
    *out = s;
    return BNN_OK;
}

void bnn_selection_free(bnn_selection *selection) {
    if (!selection) return;
    free(selection->threshold); /* the block that all points are in */
    free(selection);
}

/* ---- referral ---- */

double bnn_share_bound(double wrong, int n, double confidence) {
    return wrong >= n ? 1 : gsl_cdf_beta_Pinv(confidence, wrong + 1, n - wrong);
}

static int rows_up_to(const bnn_selection *s, int point) { return (int)lround(s->coverage[point] * s->n); }

static bnn_status check_confidence(double confidence) {
    if (confidence > 0 && confidence < 1) return BNN_OK;
    return bnn_fail(BNN_ERR_OPTION, "a confidence of %g: it is between 0 and 1", confidence);
}

bnn_status bnn_refer_share(const bnn_selection *s, double share, double confidence, bnn_referral *out) {
    BNN_TRY(check_confidence(confidence));
    if (!(share >= 0 && share < 1))
        return bnn_fail(BNN_ERR_OPTION, "a share of %g cannot be referred: it is 0 or more, and below 1", share);
    int kept = s->n - (int)floor(share * s->n + 1e-9), k = 0; /* 0.29 * 100 is a little below 29 */
    while (rows_up_to(s, k) < kept) k++;
    int from = k > 0 ? rows_up_to(s, k - 1) : 0, to = rows_up_to(s, k);
    double before = k > 0 ? s->risk[k - 1] * from : 0, wrong = before + (s->risk[k] * to - before) * (kept - from) / (to - from);
    *out = (bnn_referral){.kept = kept, .threshold = s->threshold[k], .risk = wrong / kept, .bound = NAN};
    if (s->is_share) out->bound = bnn_share_bound(wrong, kept, confidence);
    return BNN_OK;
}

bnn_status bnn_refer_to_risk(const bnn_selection *s, double risk, double confidence, bnn_referral *out) {
    BNN_TRY(check_confidence(confidence));
    if (!s->is_share) return bnn_fail(BNN_ERR_OPTION, "a risk can be promised of losses that are 0 or 1, such as wrong classes");
    if (!(risk > 0 && risk < 1)) return bnn_fail(BNN_ERR_OPTION, "a risk of %g cannot be promised: it is between 0 and 1", risk);
    int looks = (int)ceil(log2(s->n_points + 1)), low = -1, high = s->n_points; /* points up to low keep the promise, high breaks it */
    *out = (bnn_referral){.threshold = NAN, .risk = NAN, .bound = NAN};
    while (high - low > 1) {
        int k = low + (high - low) / 2, kept = rows_up_to(s, k);
        double bound = bnn_share_bound(round(s->risk[k] * kept), kept, 1 - (1 - confidence) / looks);
        if (bound > risk) {
            high = k;
            continue;
        }
        low = k;
        *out = (bnn_referral){.kept = kept, .threshold = s->threshold[k], .risk = s->risk[k], .bound = bound};
    }
    return BNN_OK;
}

/* ---- of a prediction ---- */

static double loss_of_class(const bnn_prediction *p, const bnn_data *data, int i) {
    return bnn_prediction_class(p->mean + (size_t)i * (size_t)p->mean_dim, p->mean_dim) != (int)data->y[i];
}

static double loss_of_reals(const bnn_prediction *p, const bnn_data *data, int i) {
    double sum = 0;
    for (int k = 0; k < p->mean_dim; k++) {
        double unit = p->mean_dim > 1 ? data->scaling.y_sd[k] : 1;
        sum += pow((bnn_target_at(data, i, k) - p->mean[(size_t)i * (size_t)p->mean_dim + (size_t)k]) / unit, 2) / p->mean_dim;
    }
    return sum;
}

static bnn_status losses_of_maps(const bnn_prediction *p, double *loss) {
    for (int i = 0; i < p->n; i++) {
        bnn_image_scores of;
        bnn_metrics_image(p, i, &of);
        if (of.pixels == 0) return bnn_fail(BNN_ERR_DATA, "the map of row %d has no pixel whose class is known: leave it out", i + 1);
        loss[i] = 1 - of.accuracy;
    }
    return BNN_OK;
}

bnn_status bnn_prediction_losses(const bnn_prediction *p, const bnn_data *data, double *loss) {
    if (!data->y || !p->has_target) return bnn_fail(BNN_ERR_DATA, "losses need targets");
    if (p->n != data->n) return bnn_fail(BNN_ERR_SHAPE, "%d rows were predicted, the data have %d", p->n, data->n);
    if (p->sites > 1) return losses_of_maps(p, loss);
    for (int i = 0; i < p->n; i++) loss[i] = (p->is_class ? loss_of_class : loss_of_reals)(p, data, i);
    return BNN_OK;
}
