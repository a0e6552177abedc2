/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "summary.h"
#include "traces.h"
#include <bnn/diagnose.h>
#include <bnn/jobs.h>
#include <bnn/predict.h>

#include <float.h>
#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Draws of so many quantities at a time: memory does not grow with the number of rows. */
enum { MOST_BYTES = 1 << 26 };

/* A sheet of draws on its way into quantities. */
typedef struct {
    const bnn_engine *engine;
    bnn_diagnosis *d;
    int S, n_parameters;
    size_t first, n;  /* quantities on the sheet: of the diagnosis, number */
    double *x;        /* [n, S] */
    double *of_theta; /* [n_parameters, S] or NULL: taken already */
    int width;        /* predictions of one row; of a map of classes one for each class */
} sheet;

bool bnn_has_chains(const bnn_engine *engine) {
    const bnn_engine *fitted = bnn_engine_fitted(engine);
    return fitted && bnn_engine_vtable(fitted)->n_chains;
}

/* ---------------------------------------------------------------- quantities */

static bnn_status measure_one(void *context, int i) {
    const sheet *s = context;
    bnn_diagnosis *d = s->d;
    return bnn_convergence_of(d->chains, d->draws, s->x + (size_t)i * (size_t)s->S, &d->quantity[s->first + (size_t)i].is);
}

static bnn_status measure_sheet(const sheet *s) { return bnn_jobs_run((int)s->n, measure_one, (void *)s); }

static size_t most_on_a_sheet(const sheet *s) {
    size_t most = (size_t)MOST_BYTES / ((size_t)s->S * sizeof *s->x);
    return most > 0 ? most : 1;
}

/* ---------------------------------------------------------------- predictions and parameters */

/* Takes the mean probabilities of a map of classes, mean[classes, sites]. */
static void take_map(const sheet *s, const bnn_real *mean, size_t sites, double *x) {
    for (size_t c = 0; c < (size_t)s->width; c++) {
        double sum = 0;
        for (size_t i = 0; i < sites; i++) sum += (double)mean[c * sites + i];
        x[c * (size_t)s->S] = sum / (double)sites;
    }
}

static bnn_status take(void *context, const bnn_drawn *drawn) {
    const sheet *s = context;
    const size_t sites = (size_t)s->engine->model->likelihood.sites;
    const bnn_scaling *scaling = &s->engine->model->scaling;
    bool is_class = s->engine->model->likelihood.n_classes > 0;
    size_t k = (size_t)s->width;
    for (size_t i = 0; sites > 1 && i < (size_t)drawn->n; i++)
        take_map(s, drawn->mean + i * k * sites, sites, s->x + ((size_t)drawn->row + i) * k * (size_t)s->S + (size_t)drawn->s);
    for (size_t i = 0; sites == 1 && i < (size_t)drawn->n * k; i++) {
        double mean = (double)drawn->mean[i];
        if (!is_class) mean = mean * scaling->y_sd[i % k] + scaling->y_mean[i % k];
        s->x[((size_t)drawn->row * k + i) * (size_t)s->S + (size_t)drawn->s] = mean;
    }
    if (drawn->row == 0 && s->of_theta) bnn_summary_take(s->engine->model, drawn->theta, s->of_theta + drawn->s, (size_t)s->S);
    return BNN_OK;
}

static void name_rows(sheet *s, const bnn_data *rows) {
    bnn_quantity *q = s->d->quantity + s->first;
    for (int i = 0; i < rows->n; i++)
        for (int k = 0; k < s->width; k++, q++) {
            const char *what = s->engine->model->likelihood.n_classes > 0 ? ", class" : ", target";
            q->of = BNN_OF_PREDICTIONS;
            int used = snprintf(q->name, sizeof q->name, "row %d", rows->rows[i]);
            if (s->width > 1) snprintf(q->name + used, sizeof q->name - (size_t)used, "%s %d", what, k + (*what == 't'));
        }
}

static bnn_status predict_rows(sheet *s, const bnn_data *rows) {
    const bnn_sink sink = {take, s};
    const bnn_taker nobody = {0};
    bnn_prediction *p;
    BNN_TRY(bnn_predict(s->engine, rows,
                        &(bnn_predict_options){sizeof(bnn_predict_options), .samples = s->S, .sink = &sink, .taker = &nobody}, &p));
    bnn_prediction_free(p);
    name_rows(s, rows);
    s->n = (size_t)rows->n * (size_t)s->width;
    BNN_TRY(measure_sheet(s));
    for (size_t i = 0; i < s->n; i++) bnn_traces_offer(s->d->traces, &s->d->quantity[s->first + i], s->x + i * (size_t)s->S);
    s->first += s->n;
    return BNN_OK;
}

/* Rows by the sheet; the first pass over the draws takes the parameters, too. */
static bnn_status diagnose_predictions(sheet *s, const bnn_data *rows) {
    size_t most = most_on_a_sheet(s) / (size_t)s->width;
    int length = most < 1 ? 1 : most > (size_t)rows->n ? rows->n : (int)most;
    s->x = malloc((size_t)length * (size_t)s->width * (size_t)s->S * sizeof *s->x);
    s->of_theta = malloc((size_t)s->n_parameters * (size_t)s->S * sizeof *s->of_theta);
    double *kept = s->of_theta;
    bnn_status status = s->x && kept ? BNN_OK : bnn_oom("diagnostics");
    for (int from = 0; status == BNN_OK && from < rows->n; from += length) {
        bnn_data *some;
        status = bnn_data_slice(rows, from, rows->n - from < length ? rows->n : from + length, &rows->scaling, &some);
        if (status < 0) break;
        status = predict_rows(s, some);
        bnn_data_free(some);
        s->of_theta = NULL;
    }
    free(s->x);
    s->x = kept, s->n = (size_t)s->n_parameters;
    if (status == BNN_OK) status = measure_sheet(s);
    for (int i = 0; status == BNN_OK && i < s->n_parameters; i++) {
        bnn_quantity *q = &s->d->quantity[s->first + (size_t)i];
        q->of = BNN_OF_PARAMETERS;
        bnn_summary_name(s->engine->model, i, q->name);
    }
    s->first += s->n;
    free(kept);
    s->x = NULL;
    return status;
}

/* ---------------------------------------------------------------- columns and weights */

static const bnn_column *find_column(const bnn_column *column, int n, const char *name) {
    for (int i = 0; i < n; i++)
        if (strcmp(column[i].name, name) == 0) return &column[i];
    return NULL;
}

static double saturated_share(const bnn_engine *engine, const bnn_column *depth) {
    bnn_option limit;
    int reached = 0;
    if (!depth || !bnn_options_find(engine->object.type->options, "max_depth", &limit)) return NAN;
    int most = *(const int *)((const char *)engine->object.conf + limit.offset);
    for (int i = 0; i < depth->length; i++) reached += depth->data[i] >= most;
    return (double)reached / depth->length;
}

/* Reads the columns that the engine keeps of its trajectories; the log density is a quantity. */
static bnn_status diagnose_columns(sheet *s) {
    const bnn_engine_type *type = bnn_engine_vtable(s->engine);
    bnn_diagnosis *d = s->d;
    bnn_column column[BNN_MAX_COLUMNS];
    int n = type->columns ? type->columns(s->engine, column) : 0;
    const bnn_column *lp = find_column(column, n, "lp"), *divergences = find_column(column, n, "divergences"),
                     *e_bfmi = find_column(column, n, "e_bfmi");
    d->saturated = saturated_share(s->engine, find_column(column, n, "tree_depth"));
    d->divergences = divergences ? 0 : NAN;
    d->least_e_bfmi = NAN;
    for (int k = 0; divergences && k < divergences->length; k++) d->divergences += divergences->data[k];
    for (int k = 0; e_bfmi && k < e_bfmi->length; k++) d->least_e_bfmi = fmin(d->least_e_bfmi, e_bfmi->data[k]);
    if (!lp || lp->length != s->S) return BNN_OK;
    bnn_quantity *q = &d->quantity[s->first++];
    q->of = BNN_OF_PARAMETERS;
    snprintf(q->name, sizeof q->name, "log density");
    BNN_TRY(bnn_convergence_of(d->chains, d->draws, lp->data, &q->is));
    bnn_traces_lead(d->traces, q, lp->data);
    return BNN_OK;
}

static void name_weights(const bnn_model *m, bnn_quantity *q) {
    bnn_block_info b;
    for (int i = 0; bnn_model_block(m, i, &b); i++)
        for (size_t k = 0; k < b.length; k++) {
            bnn_quantity *one = q + b.offset + k;
            one->of = BNN_OF_WEIGHTS;
            if (b.rows > 0)
                snprintf(one->name, sizeof one->name, "%.30s %.30s[%zu,%zu]", b.node, b.name, k / (size_t)b.cols, k % (size_t)b.cols);
            else
                snprintf(one->name, sizeof one->name, "%.30s %.30s[%zu]", b.node, b.name, k);
        }
}

static bnn_status gather_weights(sheet *s, size_t from, bnn_real *theta) {
    for (int draw = 0; draw < s->S; draw++) {
        BNN_TRY(bnn_engine_draw(s->engine, draw, (bnn_rng){0}, theta));
        for (size_t i = 0; i < s->n; i++) s->x[i * (size_t)s->S + (size_t)draw] = (double)theta[from + i];
    }
    return measure_sheet(s);
}

static bnn_status diagnose_weights(sheet *s) {
    size_t all = (size_t)s->engine->model->n_theta, most = most_on_a_sheet(s);
    if (most > all) most = all;
    bnn_real *theta = malloc(all * sizeof *theta);
    s->x = malloc(most * (size_t)s->S * sizeof *s->x);
    bnn_status status = theta && s->x ? BNN_OK : bnn_oom("diagnostics");
    name_weights(s->engine->model, s->d->quantity + s->first);
    for (size_t from = 0; status == BNN_OK && from < all; from += s->n) {
        s->n = all - from < most ? all - from : most;
        status = gather_weights(s, from, theta);
        s->first += s->n;
    }
    free(theta), free(s->x);
    s->x = NULL;
    return status;
}

/* ---------------------------------------------------------------- findings */

bnn_status bnn_diagnosis_spread(const bnn_diagnosis *d, bnn_quantity_of of, size_t offset, bnn_spread *out) {
    double *value = malloc(((size_t)d->n + 1) * sizeof *value);
    if (!value) return bnn_oom("diagnostics");
    *out = (bnn_spread){.least = NAN, .median = NAN, .most = NAN, .at_least = -1, .at_most = -1};
    for (int i = 0; i < d->n; i++) {
        double x = *(const double *)((const char *)&d->quantity[i].is + offset);
        if (d->quantity[i].of != of) continue;
        if (isnan(x)) {
            out->constant++;
            continue;
        }
        if (out->n == 0 || x < out->least) out->least = x, out->at_least = i;
        if (out->n == 0 || x > out->most) out->most = x, out->at_most = i;
        value[out->n++] = x;
    }
    gsl_sort(value, 1, (size_t)out->n);
    if (out->n > 0) out->median = gsl_stats_median_from_sorted_data(value, 1, (size_t)out->n);
    free(value);
    return BNN_OK;
}

__attribute__((format(printf, 4, 5))) static void find(bnn_diagnosis *d, bnn_severity severity, const char *code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    bnn_print_list(d->finding[d->n_findings], BNN_FINDING_TEXT, format, args);
    va_end(args);
    d->code[d->n_findings] = code, d->severity[d->n_findings++] = severity;
}

static int count_above(const bnn_diagnosis *d, bnn_quantity_of of, double limit) {
    int n = 0;
    for (int i = 0; i < d->n; i++) n += d->quantity[i].of == of && d->quantity[i].is.rhat > limit;
    return n;
}

/* Finds out whether chains have not met; then numbers of draws mean little. */
static bool find_rhat(bnn_diagnosis *d, bnn_quantity_of of, const bnn_spread *rhat, const char *what) {
    int above = count_above(d, of, BNN_MOST_RHAT);
    if (rhat->n == 0 || (above <= BNN_CHANCE * rhat->n && rhat->most <= BNN_WORST_RHAT)) return false;
    find(d, of == BNN_OF_PREDICTIONS && rhat->median > BNN_APART ? BNN_REMARK_WARNING : BNN_REMARK_NOTE, "chains_apart",
         "the chains have not met, or are too short to show it: R-hat of %d of %d %s is above %g, the worst %.3f (%s); run a longer "
         "warm-up and more draws, of hmc "
         "longer "
         "trajectories (steps)",
         above, rhat->n, what, BNN_MOST_RHAT, rhat->most, d->quantity[rhat->at_most].name);
    return true;
}

static void find_ess(bnn_diagnosis *d, const bnn_spread *bulk, const bnn_spread *tail, const char *what) {
    double wanted = BNN_LEAST_ESS * (double)d->chains;
    const bnn_spread *least = tail->n > 0 && tail->least < bulk->least ? tail : bulk;
    if (least->n == 0 || least->least >= wanted) return;
    find(d, least->least < BNN_LEAST_ESS ? BNN_REMARK_WARNING : BNN_REMARK_NOTE, "few_draws",
         "few draws count: the %s ESS of %s is as low as %.0f (%s), %.0f are wanted, %d for each chain; make more draws, or let more "
         "transitions "
         "pass between two (thin)",
         least == tail ? "tail" : "bulk", what, least->least, d->quantity[least->at_least].name, wanted, BNN_LEAST_ESS);
}

static bnn_status find_in(bnn_diagnosis *d, bnn_quantity_of of, const char *what) {
    bnn_spread rhat, bulk, tail;
    BNN_TRY(bnn_diagnosis_spread(d, of, offsetof(bnn_convergence, rhat), &rhat));
    BNN_TRY(bnn_diagnosis_spread(d, of, offsetof(bnn_convergence, ess_bulk), &bulk));
    BNN_TRY(bnn_diagnosis_spread(d, of, offsetof(bnn_convergence, ess_tail), &tail));
    int stuck = rhat.constant + count_above(d, of, DBL_MAX); /* each chain where it began: nothing varies within one */
    if (stuck > 0 && stuck == rhat.n + rhat.constant)
        find(d, BNN_REMARK_BAD, "chains_apart", "the chains do not move: all %d %s stay as they are in each; take a smaller step size",
             stuck, what);
    else if (!find_rhat(d, of, &rhat, what))
        find_ess(d, &bulk, &tail, what);
    return BNN_OK;
}

static bnn_status find_all(bnn_diagnosis *d) {
    if (d->chains == 1)
        find(d, BNN_REMARK_WARNING, "one_chain", "one chain cannot show that others would go elsewhere; run more (chains=4)");
    BNN_TRY(find_in(d, BNN_OF_PREDICTIONS, "predictions"));
    BNN_TRY(find_in(d, BNN_OF_PARAMETERS, "norms and scales"));
    double draws = (double)d->chains * d->draws, chance = 3 * sqrt(BNN_CHANCE * (1 - BNN_CHANCE) * draws);
    if (d->divergences > 0)
        find(d, d->divergences > BNN_CHANCE * draws + chance ? BNN_REMARK_WARNING : BNN_REMARK_NOTE, "divergent",
             "%.0f transition%s diverged: regions of high curvature were not entered; take a smaller step size (target_accept=0.95), or "
             "another prior or likelihood that has no such corners",
             d->divergences, d->divergences > 1 ? "s" : "");
    if (d->least_e_bfmi < BNN_LEAST_E_BFMI)
        find(d, BNN_REMARK_WARNING, "slow_energy",
             "E-BFMI of a chain is %.2f, below %g: momenta bring too little energy to reach the tails; make more draws, or take a prior "
             "with "
             "lighter tails, as hierarchical with a larger shape",
             d->least_e_bfmi, BNN_LEAST_E_BFMI);
    if (d->saturated > BNN_MOST_SATURATED)
        find(d, BNN_REMARK_WARNING, "saturated",
             "%.0f %% of the trajectories ended at max_depth before they turned back; raise max_depth, or scale the parameters alike by a "
             "longer warm-up",
             100 * d->saturated);
    return BNN_OK;
}

/* ---------------------------------------------------------------- diagnose */

static bnn_status check_chains(const bnn_engine *engine) {
    const bnn_engine *fitted = bnn_engine_fitted(engine);
    if (!fitted) return bnn_fail(BNN_ERR_STATE, "engine '%s' has not been fitted yet", engine->object.type->name);
    if (!bnn_has_chains(engine))
        return bnn_fail(BNN_ERR_STATE, "engine '%s' runs no Markov chains: there is nothing to diagnose", fitted->object.type->name);
    int chains = bnn_engine_vtable(fitted)->n_chains(fitted), draws = bnn_engine_vtable(fitted)->n_draws(fitted) / chains;
    if (draws < BNN_FEWEST_DRAWS)
        return bnn_fail(BNN_ERR_STATE, "the chains have %d draws each, diagnostics need %d", draws, BNN_FEWEST_DRAWS);
    return BNN_OK;
}

/* Rows that are looked at: so many of data, evenly spaced. */
static bnn_status choose_rows(const bnn_data *data, int most, bnn_data **out) {
    int n = most > 0 && most < data->n ? most : data->n, *rows = malloc(((size_t)n + 1) * sizeof *rows);
    if (!rows) return bnn_oom("diagnostics");
    for (int i = 0; i < n; i++) rows[i] = data->rows[(int64_t)i * data->n / n];
    bnn_status s = bnn_data_new(data->table, n, rows, &data->scaling, out);
    free(rows);
    return s;
}

static bnn_status run(sheet *s, const bnn_data *rows, bool weights) {
    size_t most = (size_t)rows->n * (size_t)s->width + (size_t)s->n_parameters + 1 + (weights ? (size_t)s->engine->model->n_theta : 0);
    BNN_TRY(bnn_memory_check((double)most * sizeof *s->d->quantity, "diagnosing", "look at fewer rows (--rows), or not at weights"));
    s->d->quantity = calloc(most, sizeof *s->d->quantity);
    if (!s->d->quantity) return bnn_oom("diagnostics");
    BNN_TRY(diagnose_predictions(s, rows));
    BNN_TRY(diagnose_columns(s));
    if (weights) BNN_TRY(diagnose_weights(s));
    s->d->n = (int)s->first;
    return find_all(s->d);
}

bnn_status bnn_diagnose(const bnn_engine *engine, const bnn_data *data, const bnn_diagnose_options *options, bnn_diagnosis **out) {
    BNN_TRY(check_chains(engine));
    if (data->n == 0) return bnn_fail(BNN_ERR_DATA, "there are no rows to predict");
    const bnn_engine *fitted = bnn_engine_fitted(engine);
    bnn_diagnosis *d = calloc(1, sizeof *d);
    if (!d) return bnn_oom("diagnostics");
    int S = bnn_engine_vtable(fitted)->n_draws(fitted);
    d->chains = bnn_engine_vtable(fitted)->n_chains(fitted);
    d->draws = S / d->chains;
    sheet s = {.engine = fitted,
               .d = d,
               .S = S,
               .n_parameters = bnn_summary_count(fitted->model),
               .width = fitted->model->likelihood.mean_dim / fitted->model->likelihood.sites};
    bnn_data *rows;
    bnn_status status = choose_rows(data, options->rows, &rows);
    if (status == BNN_OK && options->traces) status = bnn_traces_new(d->chains, d->draws, BNN_TRACED, &d->traces);
    if (status == BNN_OK) {
        d->rows = rows->n;
        status = run(&s, rows, options->weights);
        bnn_data_free(rows);
    }
    if (status < 0)
        bnn_diagnosis_free(d);
    else
        *out = d;
    return status;
}

void bnn_diagnosis_free(bnn_diagnosis *diagnosis) {
    if (!diagnosis) return;
    free(diagnosis->quantity);
    bnn_traces_free(diagnosis->traces);
    free(diagnosis);
}

bnn_status bnn_traces_take(const bnn_engine *engine, const bnn_data *data, bnn_traces **out) {
    const bnn_engine *fitted = bnn_engine_fitted(engine);
    *out = NULL;
    if (!fitted || !bnn_has_chains(engine) || data->n == 0) return BNN_OK;
    if (bnn_engine_vtable(fitted)->n_draws(fitted) / bnn_engine_vtable(fitted)->n_chains(fitted) < BNN_FEWEST_DRAWS) return BNN_OK;
    bnn_diagnosis *d;
    BNN_TRY(bnn_diagnose(engine, data, &(bnn_diagnose_options){.rows = BNN_JUDGED_ROWS, .traces = true}, &d));
    *out = d->traces;
    d->traces = NULL;
    bnn_diagnosis_free(d);
    return BNN_OK;
}
