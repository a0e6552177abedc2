/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * scores.c: scores of single rows that say how little a run knows of them.
 */
#include "features.h"

#include <bnn/detect.h>
#include <bnn/fit.h>
#include <bnn/jobs.h>
#include <bnn/metrics.h>
#include <bnn/predict.h>
#include <bnn/selective.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { OF_CLASSES = 1, OF_REALS = 2, OF_MAPS = 4 };

/* Finds a score of row i in its prediction, of maps that of pixel i of all; NULL: it takes more than that. */
static double max_probability(const bnn_prediction *p, const bnn_scaling *scaling, int i) {
    (void)scaling;
    const int sites = p->sites > 1 ? p->sites : 1;
    const double *q = p->mean + (size_t)(i / sites) * (size_t)p->mean_dim + (size_t)(i % sites);
    double most = q[0];
    for (int c = sites; c < p->mean_dim; c += sites) most = q[c] > most || isnan(q[c]) ? q[c] : most;
    return 1 - most;
}

static double entropy(const bnn_prediction *p, const bnn_scaling *scaling, int i) {
    (void)scaling;
    return isnan(max_probability(p, NULL, i)) ? NAN : bnn_prediction_entropy(p, i); /* a sum of -p log p over p > 0 leaves NaN out */
}

static double mutual_information(const bnn_prediction *p, const bnn_scaling *scaling, int i) {
    return isnan(entropy(p, scaling, i)) ? NAN : bnn_prediction_mutual_information(p, i);
}

static double expected_entropy(const bnn_prediction *p, const bnn_scaling *scaling, int i) {
    (void)scaling;
    return p->expected_entropy[i];
}

static double epistemic_variance(const bnn_prediction *p, const bnn_scaling *scaling, int i) {
    double sum = 0;
    for (int k = 0; k < p->mean_dim; k++) {
        double sd = p->is_class ? 1 : scaling->y_sd[k];
        sum += p->var_epistemic[(size_t)i * (size_t)p->mean_dim + (size_t)k] / sd / sd;
    }
    return p->is_class ? sum : sum / p->mean_dim;
}

static double variance(const bnn_prediction *p, const bnn_scaling *scaling, int i) {
    double sum = epistemic_variance(p, scaling, i);
    for (int k = 0; !p->is_class && k < p->mean_dim; k++)
        sum += p->var_aleatoric[(size_t)i * (size_t)p->mean_dim + (size_t)k] / scaling->y_sd[k] / scaling->y_sd[k] / p->mean_dim;
    return sum;
}

static const struct {
    const char *name;
    unsigned of;
    double (*find)(const bnn_prediction *, const bnn_scaling *, int i);
} kinds[BNN_ROW_SCORES] = {
    [BNN_ROW_MAX_PROBABILITY] = {"max_probability", OF_CLASSES | OF_MAPS, max_probability},
    [BNN_ROW_ENTROPY] = {"entropy", OF_CLASSES | OF_MAPS, entropy},
    [BNN_ROW_MUTUAL_INFORMATION] = {"mutual_information", OF_CLASSES | OF_MAPS, mutual_information},
    [BNN_ROW_EXPECTED_ENTROPY] = {"expected_entropy", OF_CLASSES | OF_MAPS, expected_entropy},
    [BNN_ROW_VARIANCE] = {"variance", OF_CLASSES | OF_REALS, variance},
    [BNN_ROW_EPISTEMIC_VARIANCE] = {"epistemic_variance", OF_REALS, epistemic_variance},
    [BNN_ROW_ENERGY] = {"energy", 0, NULL},
    [BNN_ROW_DISTANCE] = {"distance", 0, NULL},
};

const char *bnn_row_score_name(bnn_row_score score) { return kinds[score].name; }

bool bnn_row_score_find(const char *name, bnn_row_score *out) {
    for (int k = 0; k < BNN_ROW_SCORES; k++)
        if (strcmp(kinds[k].name, name) == 0) return *out = (bnn_row_score)k, true;
    return false;
}

static unsigned kind_of(bool classes, int sites) { return !classes ? OF_REALS : sites > 1 ? OF_MAPS : OF_CLASSES; }

/* Means over the pixels whose class is known, which are left when a prediction has given its maps away. */
static bnn_status of_known_pixels(const bnn_prediction *p, bnn_row_score score, double *uncertainty) {
    if (!p->map_sums) return bnn_fail(BNN_ERR_DATA, "the uncertainty of a map is that of its pixels whose class is known, and none is");
    for (int i = 0; i < p->n; i++) {
        bnn_image_scores of;
        bnn_metrics_image(p, i, &of);
        uncertainty[i] = score == BNN_ROW_MAX_PROBABILITY      ? 1 - of.confidence
                         : score == BNN_ROW_ENTROPY            ? of.entropy
                         : score == BNN_ROW_MUTUAL_INFORMATION ? of.mutual_information
                                                               : of.entropy - of.mutual_information;
    }
    return BNN_OK;
}

bnn_status bnn_prediction_uncertainty(const bnn_prediction *p, const bnn_data *data, bnn_row_score score, double *uncertainty) {
    const char *what = !p->is_class ? "real targets" : p->sites > 1 ? "maps of classes" : "classes";
    if (!(kinds[score].of & kind_of(p->is_class, p->sites)))
        return bnn_fail(BNN_ERR_OPTION, "'%s' cannot be told of a prediction of %s", kinds[score].name, what);
    if (p->sites > 1) return of_known_pixels(p, score, uncertainty);
    for (int i = 0; i < p->n; i++) uncertainty[i] = kinds[score].find(p, &data->scaling, i);
    return BNN_OK;
}

/* ---- energy ---- */

/* Sums over draws, which come in any order and from several threads: in whole numbers of 2^-24 nats, whose sum has no order. */
typedef struct {
    int width;
    double most;          /* nats: energies of a larger size count as this, so that the sum over draws has room */
    _Atomic int64_t *sum; /* [rows] */
    _Atomic bool lost;    /* an energy was not a number */
} energies;

static const double UNIT = 1 << 24;

static double log_sum_exp(const bnn_real *f, int n) {
    double most = (double)f[0], sum = 0;
    for (int c = 1; c < n; c++) most = fmax(most, (double)f[c]);
    for (int c = 0; c < n; c++) sum += exp((double)f[c] - most);
    return most + log(sum);
}

static bnn_status take_energy(void *context, const bnn_drawn *drawn) {
    energies *e = context;
    for (int i = 0; i < drawn->n; i++) {
        double energy = -log_sum_exp(drawn->f + (size_t)i * (size_t)e->width, e->width);
        if (isnan(energy))
            e->lost = true;
        else
            e->sum[drawn->row + i] += llrint(fmin(fmax(energy, -e->most), e->most) * UNIT);
    }
    return BNN_OK;
}

static void finish_energy(const energies *e, const bnn_prediction *p, double *out) {
    for (int i = 0; i < p->n; i++) out[i] = e->lost ? NAN : (double)e->sum[i] / UNIT / p->samples;
}

/* ---- of maps ---- */

typedef struct {
    const bnn_prediction *rows;
    int from;
    bnn_row_scores *out;
} pictures;

static bnn_status score_picture(void *context, int row) {
    const pictures *of = context;
    const int sites = of->rows->sites;
    for (int k = 0; k < BNN_ROW_SCORES; k++) {
        double sum = 0;
        if (!of->out->of[k]) continue;
        for (int i = 0; i < sites; i++) sum += kinds[k].find(of->rows, NULL, row * sites + i);
        of->out->of[k][of->from + row] = sum / sites;
    }
    return BNN_OK;
}

/* Takes some rows of maps: the scores of a picture are the means over all of its pixels. */
static bnn_status take_pictures(void *context, int from, const bnn_prediction *rows) {
    pictures of = {rows, from, context};
    return bnn_jobs_run(rows->n, score_picture, &of);
}

/* ---- all of them ---- */

static bnn_status check(const bnn_row_scores *s) {
    for (int k = 0; k < BNN_ROW_SCORES; k++)
        for (int i = 0; s->of[k] && i < s->n; i++)
            if (isnan(s->of[k][i]))
                return bnn_fail(BNN_ERR_NUMERIC, "score '%s' of row %d is not a number: its prediction is not finite", kinds[k].name,
                                i + 1);
    return BNN_OK;
}

static bnn_status make_room(const bnn_model *m, bool distance, bnn_row_scores *s) {
    const bnn_likelihood *l = &m->likelihood;
    unsigned of = kind_of(l->n_classes > 0, l->sites);
    for (int k = 0; k < BNN_ROW_SCORES; k++) {
        bool wanted = k == BNN_ROW_DISTANCE ? distance && l->sites <= 1
                      : k == BNN_ROW_ENERGY ? l->n_classes > 1 && l->out_dim == l->n_classes && l->sites <= 1
                                            : kinds[k].of & of;
        if (wanted && !(s->of[k] = malloc(((size_t)s->n + 1) * sizeof(double)))) return bnn_oom("scores of %d rows", s->n);
    }
    return BNN_OK;
}

static bnn_status compute(const bnn_engine *fitted, const bnn_data *rows, const bnn_data *train, const bnn_predict_options *options,
                          bnn_row_scores *s) {
    const bnn_model *m = fitted->model;
    bnn_prediction *p = NULL;
    bnn_predict_options how = *options;
    energies e = {.width = m->likelihood.out_dim};
    bnn_sink sink = {take_energy, &e};
    bnn_taker taker = {take_pictures, s};
    const bool maps = m->likelihood.sites > 1;
    if (how.sink) return bnn_fail(BNN_ERR_OPTION, "scores of rows take the draws of their prediction: leave options.sink NULL");
    BNN_TRY(make_room(m, train != NULL, s));
    if (s->of[BNN_ROW_ENERGY]) {
        e.sum = calloc((size_t)s->n + 1, sizeof *e.sum);
        e.most = ldexp(1, 62) / UNIT / fmax(1, bnn_predict_samples(fitted, options->samples));
        if (!e.sum) return bnn_oom("energies of %d rows", s->n);
        how.sink = &sink;
    }
    if (maps) how.taker = &taker; /* all maps at once would take more memory than there may be */
    bnn_status status = bnn_predict(fitted, rows, &how, &p);
    for (int k = 0; status == BNN_OK && !maps && k < BNN_ROW_SCORES; k++)
        for (int i = 0; s->of[k] && kinds[k].find && i < s->n; i++) s->of[k][i] = kinds[k].find(p, &m->scaling, i);
    if (status == BNN_OK && e.sum) finish_energy(&e, p, s->of[BNN_ROW_ENERGY]);
    if (status == BNN_OK && s->of[BNN_ROW_DISTANCE])
        status = bnn_features_distance(fitted, rows, train, options->seed, s->of[BNN_ROW_DISTANCE]);
    free(e.sum);
    bnn_prediction_free(p);
    return status == BNN_OK ? check(s) : status;
}

/* Rows without their targets, which need not be of this run: those of other classes can still be predicted. Borrows all. */
static bnn_data without_targets(const bnn_data *rows) {
    bnn_data bare = *rows;
    bare.y = NULL, bare.y_dim = bare.n_classes = 0;
    return bare;
}

bnn_status bnn_row_scores_new(const bnn_run *run, const bnn_data *rows, const bnn_data *train, const bnn_predict_options *options,
                              bnn_row_scores **out) {
    *out = NULL;
    const bnn_engine *fitted = bnn_engine_fitted(run->engine);
    if (!fitted) return bnn_fail(BNN_ERR_STATE, "engine '%s' has not been fitted yet", run->engine->object.type->name);
    bnn_row_scores *s = calloc(1, sizeof *s);
    if (!s) return bnn_oom("scores of %d rows", rows->n);
    s->n = rows->n;
    bnn_data bare = without_targets(rows);
    bnn_status status = compute(fitted, &bare, train, options, s);
    if (status < 0)
        bnn_row_scores_free(s);
    else
        *out = s;
    return status;
}

void bnn_row_scores_free(bnn_row_scores *scores) {
    if (!scores) return;
    for (int k = 0; k < BNN_ROW_SCORES; k++) free(scores->of[k]);
    free(scores);
}
