/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * calibration.c: calibrations as objects, and the predictions of a calibrated run.
 */
#include "calibration.h"

#include "base/sized.h"
#include "run/predict/change.h"
#include <bnn/diagnose.h>
#include <bnn/fit.h>
#include <bnn/number.h>
#include <bnn/remark.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const bnn_calibrator *const calibrators[BNN_CALIBRATIONS] = {
    [BNN_CALIBRATE_TEMPERATURE] = &bnn_calibrator_temperature,
    [BNN_CALIBRATE_VECTOR] = &bnn_calibrator_vector,
    [BNN_CALIBRATE_ISOTONIC] = &bnn_calibrator_isotonic,
    [BNN_CALIBRATE_VARIANCE] = &bnn_calibrator_variance,
    [BNN_CALIBRATE_SPLIT] = &bnn_calibrator_split,
    [BNN_CALIBRATE_NORMALISED] = &bnn_calibrator_normalised,
    [BNN_CALIBRATE_CQR] = &bnn_calibrator_cqr,
    [BNN_CALIBRATE_LAC] = &bnn_calibrator_lac,
    [BNN_CALIBRATE_APS] = &bnn_calibrator_aps,
    [BNN_CALIBRATE_RAPS] = &bnn_calibrator_raps,
};

const char *bnn_calibration_name(bnn_calibration_method method) { return calibrators[method]->name; }
bool bnn_calibration_is_conformal(bnn_calibration_method method) { return calibrators[method]->conformal; }

bool bnn_calibration_find(const char *name, bnn_calibration_method *out) {
    for (int k = 0; k < BNN_CALIBRATIONS; k++)
        if (strcmp(calibrators[k]->name, name) == 0) return *out = (bnn_calibration_method)k, true;
    return false;
}

const char *bnn_calibration_print(const bnn_calibration *c, char text[160]) {
    enum { LENGTH = 160 };
    if (calibrators[c->method]->conformal)
        bnn_print(text, LENGTH, "%s at level %g on %d rows", calibrators[c->method]->name, c->level, c->rows);
    else if (c->n == 1)
        bnn_print(text, LENGTH, "%s %.4g on %d rows", calibrators[c->method]->name, c->value[0], c->rows);
    else
        bnn_print(text, LENGTH, "%s on %d rows", calibrators[c->method]->name, c->rows);
    return text;
}

/* ---- making one ---- */

static bnn_status read_options(const bnn_calibrate_options *asked, bnn_calibrate_options *o) {
    BNN_TRY(bnn_sized_read("bnn_calibrate_options", o, sizeof *o, BNN_UP_TO(bnn_calibrate_options, rank), asked));
    if (o->method < 0 || (int)o->method >= (int)BNN_CALIBRATIONS) return bnn_fail(BNN_ERR_OPTION, "calibration %d is none", (int)o->method);
    if (o->level == 0) o->level = 0.9;
    if (!(o->level > 0 && o->level < 1)) return bnn_fail(BNN_ERR_OPTION, "a level of %g: it is between 0 and 1", o->level);
    if (!(o->penalty >= 0 && o->penalty < INFINITY) || o->rank < 0)
        return bnn_fail(BNN_ERR_OPTION, "a penalty of %g beyond rank %d: both are 0 or more", o->penalty, o->rank);
    return BNN_OK;
}

static bnn_status check_kind(const bnn_calibrator *by, bool classes) {
    if (by->classes == classes) return BNN_OK;
    return bnn_fail(BNN_ERR_OPTION, "'%s' calibrates %s, and these are %s", by->name, by->classes ? "classes" : "real targets",
                    classes ? "classes" : "real targets");
}

/* Few numbers stand for all pixels. What conformal sets promise holds of exchangeable rows, which pixels of a picture are not, and isotonic
 * regression has a step for as many of them as there are. */
static bnn_status check_maps(const bnn_calibrator *by, const bnn_prediction *p) {
    char what[64];
    if (by == &bnn_calibrator_temperature || by == &bnn_calibrator_vector) return BNN_OK;
    snprintf(what, sizeof what, "calibration by '%s' is", by->name);
    return bnn_refuse_maps(p->sites, what);
}

/* The weight of all rows, or of the pixels of maps whose class is known. */
static double known_weight(const bnn_data *rows) {
    double sum = 0;
    for (size_t i = 0; i < (size_t)rows->n * (size_t)rows->y_dim; i++)
        if (rows->n_classes == 0 || rows->y[i] >= 0) sum += bnn_row_weight(rows, (int)(i / (size_t)rows->y_dim));
    return sum;
}

static bnn_status check_rows(const bnn_prediction *p, const bnn_data *rows) {
    if (!p->has_target || !rows->y) return bnn_fail(BNN_ERR_DATA, "rows to calibrate on need their targets");
    if (p->n != rows->n) return bnn_fail(BNN_ERR_SHAPE, "%d rows were predicted, the data have %d", p->n, rows->n);
    if (known_weight(rows) > 0) return BNN_OK;
    return bnn_fail(BNN_ERR_DATA, p->sites > 1 ? "calibration needs pixels whose class is known, and there is none"
                                               : "calibration needs at least one row with a weight above 0");
}

bnn_status bnn_calibration_new(int n, bnn_calibration **out) {
    bnn_calibration *c = calloc(1, sizeof *c + (size_t)n * sizeof *c->value);
    *out = c;
    if (!c) return bnn_oom("a calibration of %d numbers", n);
    c->value = (double *)(c + 1), c->n = n, c->split = -1;
    return BNN_OK;
}

bnn_status bnn_calibration_fit(const bnn_prediction *p, const bnn_data *rows, const bnn_calibrate_options *options, bnn_calibration **out) {
    bnn_calibrate_options o;
    *out = NULL;
    BNN_TRY(read_options(options, &o));
    const bnn_calibrator *by = calibrators[o.method];
    BNN_TRY(check_kind(by, p->is_class));
    BNN_TRY(check_maps(by, p));
    BNN_TRY(check_rows(p, rows));
    size_t most = by->most(p);
    if (most > INT32_MAX) return bnn_fail(BNN_ERR_DATA, "%d rows of %d classes are too many to calibrate on", p->n, p->mean_dim);
    bnn_calibration *c;
    BNN_TRY(bnn_calibration_new((int)most, &c));
    c->method = o.method, c->dim = bnn_prediction_width(p), c->rows = p->n;
    if (by->conformal) c->level = o.level, c->seed = o.seed, c->penalty = o.penalty, c->rank = o.rank;
    bnn_status s = by->fit(p, rows, c);
    if (s < 0)
        free(c);
    else
        *out = c;
    return s;
}

bnn_status bnn_calibrate(const bnn_run *run, const bnn_data *rows, const bnn_calibrate_options *options, bnn_calibration **out) {
    bnn_calibrate_options o;
    char text[160];
    bnn_prediction *p;
    *out = NULL;
    BNN_TRY(read_options(options, &o));
    if (run->calibration)
        return bnn_fail(BNN_ERR_STATE, "the run is calibrated already (%s): calibrate the one that it was made of",
                        bnn_calibration_print(run->calibration, text));
    bnn_calibration asked = {.method = o.method, .level = o.level};
    double ends[2];
    bnn_predict_options how = {sizeof how, .samples = o.samples, .mode = BNN_DRAW, .seed = o.seed};
    if (bnn_calibration_ends(&asked, ends) && o.method == BNN_CALIBRATE_CQR) how.n_levels = 2, how.levels = ends;
    BNN_TRY(bnn_predict(run->engine, rows, &how, &p));
    bnn_status s = bnn_calibration_fit(p, rows, &o, out);
    bnn_prediction_free(p);
    return s;
}

/* ---- doubts ---- */

static bnn_status doubt_temperature(double temperature, bnn_remarks *remarks) {
    bool hot = temperature > 1;
    if (fabs(log(temperature)) < log(BNN_HOTTEST) - 1e-6) return BNN_OK;
    return bnn_remarks_add(remarks, BNN_REMARK_WARNING, "temperature_at_end", "the temperature ended at %g, the %s that is looked at: %s",
                           temperature, hot ? "highest" : "lowest",
                           hot ? "the probabilities say nothing of the classes of these rows"
                               : "every row is right, and too few of them say how sure the run may be");
}

bnn_status bnn_calibration_remark(const bnn_calibration *c, const bnn_data *rows, bnn_remarks *remarks) {
    int absent = 0, first = -1;
    if (rows->n < BNN_FEW_ROWS && !bnn_is_map(rows->y_shape)) /* of maps pixels count, not rows */
        BNN_TRY(bnn_remarks_add(remarks, BNN_REMARK_WARNING, "few_rows",
                                "calibrated on %d rows: another choice of them would give another calibration", rows->n));
    if (!calibrators[c->method]->classes) return BNN_OK;
    if (c->method == BNN_CALIBRATE_TEMPERATURE) BNN_TRY(doubt_temperature(c->value[0], remarks));
    for (int k = c->dim - 1; k >= 0; k--) {
        bool any = false;
        for (size_t i = 0; i < (size_t)rows->n * (size_t)rows->y_dim && !any; i++) any = (int)rows->y[i] == k;
        if (!any) absent++, first = k;
    }
    if (absent == 0) return BNN_OK;
    char **name = rows->table ? rows->table->class_names : NULL;
    char number[16];
    bnn_print(number, sizeof number, "%d", first);
    return bnn_remarks_add(remarks, BNN_REMARK_WARNING, "absent_class",
                           "%d of %d classes, the first of them '%s', have no row to calibrate on: what is said of them is a guess", absent,
                           c->dim, name ? name[first] : number);
}

/* ---- what a file may hold ---- */

static bool has_right_length(const bnn_calibration *c) {
    double left = c->n - c->dim;
    switch (c->method) {
    case BNN_CALIBRATE_VECTOR: return c->n == 2 * c->dim;
    case BNN_CALIBRATE_VARIANCE:
    case BNN_CALIBRATE_SPLIT:
    case BNN_CALIBRATE_NORMALISED:
    case BNN_CALIBRATE_CQR: return c->n == c->dim;
    case BNN_CALIBRATE_ISOTONIC:
        for (int k = 0; left >= 0 && k < c->dim; k++) {
            if (!(c->value[k] >= 1 && c->value[k] <= left && c->value[k] == floor(c->value[k]))) return false;
            left -= 2 * c->value[k];
        }
        return left == 0;
    case BNN_CALIBRATE_TEMPERATURE:
    case BNN_CALIBRATE_LAC:
    case BNN_CALIBRATE_APS:
    case BNN_CALIBRATE_RAPS: return c->n == 1;
    }
    return false;
}

bnn_status bnn_calibration_check(const bnn_calibration *c) {
    bool scales = c->method == BNN_CALIBRATE_TEMPERATURE || c->method == BNN_CALIBRATE_VARIANCE;
    bool fits = c->dim >= 1 && c->rows >= 1 && has_right_length(c);
    for (int i = 0; fits && i < c->n; i++) fits = isfinite(c->value[i]) && (c->value[i] > 0 || !scales);
    if (fits && calibrators[c->method]->conformal) fits = c->level > 0 && c->level < 1 && c->penalty >= 0 && c->rank >= 0;
    return fits ? BNN_OK : bnn_fail(BNN_ERR_FORMAT, "its numbers cannot be those of the calibration '%s'", calibrators[c->method]->name);
}

/* ---- predictions ---- */

void bnn_run_set_calibration(bnn_run *run, bnn_calibration *calibration) {
    free(run->calibration);
    run->calibration = calibration;
}

const bnn_calibration *bnn_run_calibration(const bnn_run *run) { return run->calibration; }

bnn_status bnn_calibration_apply(const bnn_calibration *c, const bnn_data *rows, bnn_prediction *p) {
    BNN_TRY(check_kind(calibrators[c->method], p->is_class));
    BNN_TRY(check_maps(calibrators[c->method], p));
    if (c->dim != bnn_prediction_width(p))
        return bnn_fail(BNN_ERR_SHAPE, "the calibration is of %d targets or classes, the prediction of %d", c->dim,
                        bnn_prediction_width(p));
    return calibrators[c->method]->apply(c, rows, p);
}

const int8_t *bnn_prediction_set(const bnn_prediction *p) { return p->set; }

/* Rows whose targets stand where they would in the distribution before it was stretched. Borrows all but y. */
static bnn_status pull_back(const bnn_calibration *c, const bnn_prediction *p, const bnn_data *rows, bnn_data *out) {
    const bnn_scaling *scaling = &rows->scaling;
    *out = *rows;
    out->y = malloc(((size_t)rows->n * (size_t)rows->y_dim + 1) * sizeof *out->y);
    if (!out->y) return bnn_oom("targets of %d rows", rows->n);
    for (int i = 0; i < rows->n * rows->y_dim; i++) {
        int k = i % rows->y_dim;
        double y = p->mean[i] + (bnn_target_at(rows, i / rows->y_dim, k) - p->mean[i]) / c->value[k];
        out->y[i] = (bnn_real)((y - scaling->y_mean[k]) / scaling->y_sd[k]);
    }
    return BNN_OK;
}

/* Scores of a stretched distribution: F'(y) = F(m + (y - m)/s), so that its density is 1/s of that there, and its crps s times. */
static void take_scores(const bnn_calibration *c, const bnn_prediction *before, bnn_prediction *p) {
    double log_stretch = 0;
    for (int k = 0; k < c->dim; k++) log_stretch += log(c->value[k]);
    for (int i = 0; i < p->n; i++) p->logp[i] = before->logp[i] - log_stretch;
    for (int i = 0; i < p->n * p->mean_dim; i++) {
        if (p->pit) p->pit[i] = before->pit[i];
        if (p->crps) p->crps[i] = before->crps[i] * c->value[i % p->mean_dim];
    }
    bnn_cost_add(&p->cost, &before->cost);
}

static bnn_status score_stretched(const bnn_run *run, const bnn_data *rows, const bnn_predict_options *options, bnn_prediction *p) {
    bnn_data there;
    bnn_prediction *before;
    bnn_predict_options how = *options;
    how.sink = NULL, how.n_levels = 0, how.drawn = 0, how.progress = NULL;
    BNN_TRY(pull_back(run->calibration, p, rows, &there));
    bnn_status s = bnn_predict(run->engine, &there, &how, &before);
    free(there.y);
    if (s < 0) return s;
    take_scores(run->calibration, before, p);
    bnn_prediction_free(before);
    return BNN_OK;
}

typedef struct {
    const bnn_calibration *calibration;
    const bnn_data *data;
} applying;

static bnn_status apply_to_maps(void *context, int from, bnn_prediction *maps) {
    const applying *a = context;
    bnn_data rows = *a->data;
    rows.n = maps->n;
    if (rows.y) rows.y += (size_t)from * (size_t)rows.y_dim;
    return bnn_calibration_apply(a->calibration, &rows, maps);
}

/* Maps are calibrated as they are predicted, some at a time: their scores are summed then, and all of them are seldom kept. */
static bnn_status predict_maps(const bnn_run *run, const bnn_data *data, const bnn_predict_options *options, bnn_prediction **out) {
    applying a = {run->calibration, data};
    return bnn_predict_changed(run->engine, data, options, &(bnn_changer){apply_to_maps, &a}, out);
}

bnn_status bnn_run_predict(const bnn_run *run, const bnn_data *data, const bnn_predict_options *options, bnn_prediction **out) {
    bnn_predict_options how;
    *out = NULL;
    if (!run->calibration) return bnn_predict(run->engine, data, options, out);
    BNN_TRY(bnn_sized_read("bnn_predict_options", &how, sizeof how, BNN_UP_TO(bnn_predict_options, sink), options));
    const bnn_engine *fitted = bnn_engine_fitted(run->engine);
    if (fitted && fitted->model->likelihood.sites > 1) return predict_maps(run, data, &how, out);
    bnn_prediction *p;
    if (how.taker) return bnn_fail(BNN_ERR_OPTION, "a calibrated run is predicted as a whole: ask without a taker");
    BNN_TRY(bnn_predict(run->engine, data, &how, &p));
    bnn_status s = BNN_OK;
    if (run->calibration->method == BNN_CALIBRATE_VARIANCE && p->has_target) s = score_stretched(run, data, &how, p);
    if (s == BNN_OK) s = bnn_calibration_apply(run->calibration, data, p);
    if (s < 0)
        bnn_prediction_free(p);
    else
        *out = p;
    return s;
}
