/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * referral.c: what is gained by referring the rows that are least certain, as text and as JSON.
 */
#include "tool/print/json.h"
#include "tool/tool.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { CONFIDENCE = 95 };

/* Takes over the risk's name: right classes are counted, errors have the unit of y. */
static double score_of(const bnn_prediction *p, double risk) { return p->is_class ? 1 - risk : sqrt(risk); }

static bnn_row_score score_by(const tool_referral *asked, const bnn_prediction *p) {
    return asked->by ? asked->score : p->is_class ? BNN_ROW_MAX_PROBABILITY : BNN_ROW_VARIANCE;
}

static bnn_status refer(const tool_referral *asked, const bnn_selection *s, bnn_referral *out) {
    const double confidence = CONFIDENCE / 100.0;
    return asked->risk > 0 ? bnn_refer_to_risk(s, asked->risk, confidence, out) : bnn_refer_share(s, asked->share, confidence, out);
}

bnn_status tool_referral_open(tool_referral *asked, const bnn_prediction *p, const bnn_data *data) {
    if (!asked->wanted) return BNN_OK;
    double *v = malloc(2 * (size_t)p->n * sizeof *v + 1), *loss = v + p->n;
    if (!v) return bnn_fail(BNN_ERR_MEMORY, "out of memory for risks of %d rows", p->n);
    bnn_status status = bnn_prediction_uncertainty(p, data, score_by(asked, p), v);
    if (status == BNN_OK) status = bnn_prediction_losses(p, data, loss);
    if (status == BNN_OK) status = bnn_selection_new(p->n, v, loss, &asked->selection);
    free(v);
    return status == BNN_OK ? refer(asked, asked->selection, &asked->found) : status;
}

/* Every picture of maps counts once, however many of its pixels are known. */
static const char *name_of(const bnn_prediction *p) {
    if (p->is_class) return p->sites > 1 ? "mean accuracy" : "accuracy";
    return p->mean_dim > 1 ? "rmse (in sd)" : "rmse";
}

void tool_referral_print(const tool_referral *asked, const bnn_prediction *p) {
    const bnn_selection *s = asked->selection;
    const bnn_referral *r = &asked->found;
    if (!asked->wanted) return;
    printf("  referral: %d of %d rows, the least certain by %s", s->n - r->kept, s->n, bnn_row_score_name(score_by(asked, p)));
    if (r->kept == 0)
        printf(": the risk can be promised of none");
    else
        printf("\n    %-14s %10.5g of the %d others (of all: %.5g)", name_of(p), score_of(p, r->risk), r->kept,
               score_of(p, s->risk[s->n_points - 1]));
    if (r->kept > 0 && !isnan(r->bound)) printf("; above %.4f of others like them, with %d %% confidence", 1 - r->bound, CONFIDENCE);
    printf("\n    aurc           %10.5g (of it excess %.5g)\n", s->aurc, s->excess);
}

void tool_referral_set(json_t *o, const tool_referral *asked, const bnn_prediction *p) {
    const bnn_selection *s = asked->selection;
    const bnn_referral *r = &asked->found;
    if (!asked->wanted) return;
    json_t *one = json_object(), *curve = json_object();
    tool_json_set(one, "by", json_string(bnn_row_score_name(score_by(asked, p))));
    tool_json_set(one, "rows", json_integer(s->n));
    tool_json_set(one, "referred", json_integer(s->n - r->kept));
    tool_json_set(one, "kept", json_integer(r->kept));
    tool_json_set(one, "threshold", tool_json_number(r->threshold));
    tool_json_set(one, p->is_class ? "accuracy" : "rmse", tool_json_number(score_of(p, r->risk)));
    tool_json_set(one, p->is_class ? "accuracy_of_all" : "rmse_of_all", tool_json_number(score_of(p, s->risk[s->n_points - 1])));
    tool_json_set(one, "risk", tool_json_number(r->risk));
    tool_json_set(one, "risk_bound", tool_json_number(r->bound));
    tool_json_set(one, "confidence", json_real(CONFIDENCE / 100.0));
    tool_json_set(one, "aurc", tool_json_number(s->aurc));
    tool_json_set(one, "excess_aurc", tool_json_number(s->excess));
    tool_json_set(curve, "threshold", tool_json_numbers(s->threshold, s->n_points));
    tool_json_set(curve, "coverage", tool_json_numbers(s->coverage, s->n_points));
    tool_json_set(curve, "risk", tool_json_numbers(s->risk, s->n_points));
    tool_json_set(one, "curve", curve);
    tool_json_set(o, "referral", one);
}
