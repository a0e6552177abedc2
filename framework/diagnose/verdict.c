/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * verdict.c: whether an answer should be believed, asked of every engine alike (diagnose.h has the codes; docs/verdicts.md the thresholds
 * and where they are from).
 */
#include "run/predict/maps.h"
#include <bnn/descent.h>
#include <bnn/diagnose.h>

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_randist.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---------------------------------------------------------------- the fit */

/* U of entry i of a history, nats. */
static double energy(const bnn_history *h, int i) { return h->nll[i] + h->prior[i] + h->kl[i]; }

/* Mean of U over the entries [from, to), and its squared standard error as if they were independent; 0 of one. */
static double level(const bnn_history *h, int from, int to, double *squared_error) {
    double mean = 0, squares = 0;
    int n = to - from;
    for (int i = from; i < to; i++) mean += energy(h, i) / n;
    for (int i = from; i < to; i++) squares += (energy(h, i) - mean) * (energy(h, i) - mean);
    *squared_error = n > 1 ? squares / (n - 1) / n : 0;
    return mean;
}

/* Gradients of the descent on minibatches that an engine is, or holds; 0: of none, or where its parameters were given. */
static uint64_t gradients_of(bnn_engine *engine) {
    const bnn_data *rows;
    while (engine && bnn_engine_vtable(engine)->held) engine = bnn_engine_vtable(engine)->held(engine, 0, &rows);
    return engine && bnn_engine_vtable(engine)->type.caps & BNN_TAKES ? engine->cost.gradients : 0;
}

/* Whether U was where it ended at half of the fit already, when no schedule had made steps small. */
static bool was_soon_level(const bnn_history *h, double rows) {
    double unused;
    int tenth = h->n / 10;
    return tenth > 1 && level(h, h->n / 2, h->n / 2 + tenth, &unused) - level(h, h->n - tenth, h->n, &unused) < BNN_LEVEL * rows;
}

/* U over the last tenth of the fit against a tenth before it. A schedule of the step size that ends makes the last steps small, so
 * neighbouring tenths at the end would always agree; and a short fit as a whole is made of small steps. */
static bnn_status judge_course(const bnn_run *run, double rows, bnn_remarks *out) {
    const bnn_history *h = &run->history;
    int tenth = h->n < 20 ? 1 : h->n / 10, from = (int)(BNN_FALL_FROM * h->n);
    bool stopped = bnn_engine_fitted(run->engine) != run->engine && !bnn_engine_vtable(run->engine)->member; /* by scores of rows held out
                                                                                                              */
    if (h->n > 0 && !isfinite(energy(h, h->n - 1)))
        return bnn_remarks_add(out, BNN_REMARK_BAD, "diverged", "U is not finite at the end: take a smaller step size (lr)");
    if (h->n < 1 || stopped || bnn_has_chains(run->engine)) return BNN_OK;
    double early, late, before = level(h, from, from + tenth, &early), end = level(h, h->n - tenth, h->n, &late);
    double fall = before - end, error = sqrt(early + late);
    if (fall >= BNN_MOST_FALL * rows && fall >= 3 * error && h->n > 1)
        return bnn_remarks_add(out, fall > 5 * BNN_MOST_FALL * rows ? BNN_REMARK_BAD : BNN_REMARK_WARNING, "not_converged",
                               "U still fell by %.2f nats a row over the last third of the fit: it has not converged; give it more steps",
                               fall / rows);
    uint64_t gradients = gradients_of(run->engine);
    if (gradients == 0 || gradients >= BNN_FEW_STEPS || was_soon_level(h, rows)) return BNN_OK;
    return bnn_remarks_add(out, BNN_REMARK_WARNING, "not_converged",
                           "%d steps are too few to take the weights far from where they began: give it more (steps, epochs), or smaller "
                           "minibatches (batch)",
                           (int)gradients);
}

/* A noise that has shrunk far below what the targets vary by, with parameters enough to pass through every row. */
static bnn_status judge_noise(const bnn_run *run, int rows, bnn_remarks *out) {
    const bnn_history *h = &run->history;
    double sd = h->n > 0 ? h->noise_sd[h->n - 1] : NAN;
    int parameters = bnn_run_n_theta(run);
    if (!(sd < BNN_LEAST_NOISE) || parameters <= rows) return BNN_OK;
    return bnn_remarks_add(out, BNN_REMARK_WARNING, "noise_small",
                           "the learned noise is %.2g of the targets' sd, with %d parameters on %d rows: trust it only where held-out rows "
                           "agree (bnn split, bnn evaluate)",
                           sd, parameters, rows);
}

/* ---------------------------------------------------------------- the posterior */

/* The likelihood's own parameters have no density: they may go anywhere at no price. */
static bool has_flat_noise(const bnn_likelihood *l, bnn_real *theta) {
    const bnn_likelihood_type *type = bnn_likelihood_vtable(l);
    double here = 0, there = 0;
    if (l->n_theta == 0) return false;
    if (type->logp) here = type->logp(l, theta, 1, NULL);
    for (int k = 0; k < l->n_theta; k++) theta[k] -= 8;
    if (type->logp) there = type->logp(l, theta, 1, NULL);
    return here == there;
}

/* Weights and biases that have a prior of the model's, and those of them for which it is flat. theta[n_theta] of zeros. */
static int count_weights(const bnn_model *m, const bnn_real *theta, int *flat) {
    bnn_block_info b;
    size_t all = 0;
    *flat = 0;
    for (int i = 0; bnn_model_block(m, i, &b); i++) {
        if (b.role != BNN_WEIGHT && b.role != BNN_BIAS) continue;
        all += b.length;
        if (bnn_model_prior_prec(m, i, theta) == 0) *flat += (int)b.length;
    }
    return (int)all;
}

/* Densities without an integral: a noise that may vanish at no price where the network can meet all targets, and more free weights than
 * rows can tie down. Chains then draw from nothing; a descent ends where it was stopped. */
static bnn_status judge_posterior(const bnn_run *run, int rows, bnn_remarks *out) {
    const bnn_engine *fitted = bnn_engine_fitted(run->engine);
    const bnn_model *m = fitted ? fitted->model : NULL;
    bnn_real *theta = m ? calloc((size_t)m->n_theta + 1, sizeof *theta) : NULL;
    if (!m) return BNN_OK;
    if (!theta) return bnn_oom("a verdict");
    int flat, weights = count_weights(m, theta, &flat);
    bool noise = has_flat_noise(&m->likelihood, theta + m->net->n_theta);
    bnn_severity severity = bnn_has_chains(run->engine) ? BNN_REMARK_BAD : BNN_REMARK_WARNING;
    free(theta);
    if (noise && weights > rows)
        return bnn_remarks_add(
            out, severity, "improper",
            "there is no posterior: the noise has a flat prior, and %d weights can meet all of %d rows, so it may vanish; "
            "give it a density (gaussian:shape=0.25)",
            weights, rows);
    if (flat > rows)
        return bnn_remarks_add(out, severity, "improper",
                               "there is no posterior: %d weights have a flat prior, and %d rows cannot tie them down; give them a width "
                               "(gauss:sd=1,bias_sd=1)",
                               flat, rows);
    return BNN_OK;
}

/* ---------------------------------------------------------------- the engine */

/* Asks the engine and those that it holds, down to the one that predicts. */
static bnn_status ask(const bnn_engine *engine, bnn_remarks *out) {
    const bnn_engine_type *type = bnn_engine_vtable(engine);
    if (type->doubts) BNN_TRY(type->doubts(engine, out));
    const bnn_engine *inner = type->fitted ? type->fitted(engine) : NULL;
    return inner ? ask(inner, out) : BNN_OK;
}

/* Classes of which a handful of rows were fitted; of maps it is pixels that count. */
static bnn_status judge_rare(const bnn_data *train, bnn_remarks *out) {
    enum { FEW = 5 };
    int classes = train->n_classes, rarest = 0, rare = 0;
    if (classes == 0 || train->y_dim > 1) return BNN_OK;
    int *rows = calloc((size_t)classes, sizeof *rows);
    if (!rows) return bnn_oom("rows of %d classes", classes);
    for (int i = 0; i < train->n; i++) rows[(int)train->y[i]]++;
    for (int c = 0; c < classes; c++) rare += rows[c] < FEW, rarest = rows[c] < rows[rarest] ? c : rarest;
    int least = rows[rarest];
    free(rows);
    if (rare == 0) return BNN_OK;
    char number[16];
    snprintf(number, sizeof number, "%d", rarest);
    const char *name = train->table->class_names ? train->table->class_names[rarest] : number;
    return bnn_remarks_add(
        out, BNN_REMARK_NOTE, "few_rows",
        "%d of %d classes have fewer than %d of the rows that were fitted, '%.40s' %d: what is said of such a class rests "
        "on the prior more than on the data",
        rare, classes, FEW, name, least);
}

bnn_status bnn_judge_fit(const bnn_run *run, const bnn_data *train, bnn_remarks *out) {
    BNN_TRY(ask(run->engine, out));
    BNN_TRY(judge_posterior(run, train->n, out));
    BNN_TRY(judge_course(run, bnn_data_weight(train), out));
    BNN_TRY(judge_noise(run, train->n, out));
    if (train->n < BNN_FEW_ROWS)
        BNN_TRY(bnn_remarks_add(out, BNN_REMARK_WARNING, "few_rows",
                                "%d rows were fitted: what is learned rests on the prior more than on the data", train->n));
    return judge_rare(train, out);
}

/* ---------------------------------------------------------------- chains */

/* The findings of a diagnosis are verdicts, too: what keeps the draws from being those of exp(-U) is bad, few draws are a warning. */
static bnn_status judge_findings(const bnn_diagnosis *d, bnn_remarks *out) {
    for (int i = 0; i < d->n_findings; i++) BNN_TRY(bnn_remarks_add(out, d->severity[i], d->code[i], "%s", d->finding[i]));
    return BNN_OK;
}

bnn_status bnn_judge_chains(const bnn_run *run, const bnn_data *data, bnn_remarks *out) {
    const bnn_engine *fitted = bnn_engine_fitted(run->engine);
    if (!fitted || !bnn_has_chains(run->engine) || data->n == 0) return BNN_OK;
    if (bnn_engine_vtable(fitted)->n_draws(fitted) / bnn_engine_vtable(fitted)->n_chains(fitted) < BNN_FEWEST_DRAWS)
        return bnn_remarks_add(out, BNN_REMARK_WARNING, "few_draws",
                               "the chains have fewer than %d draws each: nothing can be said of them", BNN_FEWEST_DRAWS);
    bnn_diagnosis *d;
    BNN_TRY(bnn_diagnose(run->engine, data, &(bnn_diagnose_options){.rows = BNN_JUDGED_ROWS}, &d));
    bnn_status s = judge_findings(d, out);
    bnn_diagnosis_free(d);
    return s;
}

/* ---------------------------------------------------------------- the prediction */

/* A row of weight w is as w equal rows. */
static double weight_of(const bnn_data *data, int row) { return data->weight ? data->weight[row] : 1; }

/* Sums over the rows of a difference: its mean and standard error. */
typedef struct {
    double weight, mean, m2;
} difference;

static void add(difference *d, double weight, double x) {
    if (weight == 0) return;
    double delta = x - d->mean;
    d->weight += weight;
    d->mean += delta * weight / d->weight;
    d->m2 += weight * delta * (x - d->mean);
}

static double error_of(const difference *d) { return d->weight > 1 ? sqrt(d->m2 / (d->weight - 1) / d->weight) : INFINITY; }

/* log p(y) of a row by the mean and sd of the training rows, or, for classes, by their shares in these rows. */
static double plain_logp(const bnn_data *data, const double *share, int row) {
    const bnn_real *y = data->y + (size_t)row * (size_t)data->y_dim;
    if (data->n_classes > 0) return log(share[(int)y[0]]);
    double logp = 0;
    for (int j = 0; j < data->y_dim; j++)
        logp += -0.5 * log(2 * M_PI) - log(data->scaling.y_sd[j]) - 0.5 * (double)y[j] * (double)y[j]; /* y is standardised */
    return logp;
}

/* Rows that lack a class have been chosen: shares of theirs would know more than those of the training rows, so all classes are alike. */
static bnn_status class_shares(const bnn_data *data, double **out) {
    bool lacks = false;
    size_t n = (size_t)data->n * (size_t)data->y_dim;
    double known = 0;
    double *share = calloc((size_t)data->n_classes + 1, sizeof *share);
    if (!share) return bnn_oom("the shares of classes");
    for (size_t i = 0; data->n_classes > 0 && i < n; i++) {
        double weight = data->y[i] >= 0 ? weight_of(data, (int)(i / (size_t)data->y_dim)) : 0;
        if (weight > 0) share[(int)data->y[i]] += weight, known += weight;
    }
    for (int c = 0; c < data->n_classes && known > 0; c++) share[c] /= known;
    for (int c = 0; c < data->n_classes; c++) lacks |= share[c] == 0;
    for (int c = 0; lacks && c < data->n_classes; c++) share[c] = 1.0 / data->n_classes;
    *out = share;
    return BNN_OK;
}

/* What an image's pixels gain on the average: they depend on each other. */
static void add_map(const bnn_prediction *p, const double *share, int row, double weight, difference *gain) {
    const int classes = bnn_prediction_width(p);
    const bnn_map_sums *s = (const bnn_map_sums *)(p->map_sums + (size_t)row * bnn_map_sums_length(classes));
    double plain = 0;
    for (int c = 0; c < classes; c++)
        if (s->of[c].is > 0) plain += s->of[c].is * log(share[c]);
    if (s->pixels > 0) add(gain, weight, (s->ll - plain) / s->pixels);
}

/* Nats a row by which chance sets the answer that does not look at x above another like it, 19 times of 20: twice the difference over all
 * rows is chi-squared, a degree for each number that was learned from the training rows. Shares of classes are those of the rows that are
 * scored, which vary, too. Of maps, whose pixels depend on each other, nothing is known. */
static double head_start(const bnn_prediction *p, const bnn_data *data, int training) {
    int learned = data->n_classes > 0 ? data->n_classes - 1 : 2 * data->y_dim; /* shares, or mean and sd */
    double variance = (training > 0 ? 1.0 / training : 0) + (data->n_classes > 0 ? 1 / bnn_data_weight(data) : 0);
    return learned > 0 && !p->map_sums ? gsl_cdf_chisq_Pinv(0.95, learned) / 2 * variance : 0;
}

/* The log density against that of an answer which does not look at x. */
static bnn_status judge_worth(const bnn_prediction *p, const bnn_data *data, int training, bnn_remarks *out) {
    double *share = NULL;
    difference gain = {0};
    BNN_TRY(class_shares(data, &share));
    for (int i = 0; i < p->n; i++)
        if (p->map_sums)
            add_map(p, share, i, weight_of(data, i), &gain);
        else
            add(&gain, weight_of(data, i), p->logp[i] - plain_logp(data, share, i));
    free(share);
    const char *unit = p->map_sums ? "pixel" : "row",
               *plain = p->is_class ? "the shares of the classes" : "the mean and sd of the training rows";
    if (!isfinite(gain.mean) || gain.mean < -BNN_FAR_BELOW)
        return bnn_remarks_add(out, BNN_REMARK_BAD, "diverged",
                               "the log-likelihood is %.3g nats a %s below that of %s: the fit has failed, or its %s", -gain.mean, unit,
                               plain, p->is_class ? "probabilities are far too sure" : "intervals are far too narrow, or too wide");
    if (gain.mean + 2 * error_of(&gain) + head_start(p, data, training) < 0)
        return bnn_remarks_add(
            out, BNN_REMARK_WARNING, "worse_than_mean",
            "the log-likelihood is %.2g nats a %s below that of %s: do not use it as it is; fit longer, or by another engine", -gain.mean,
            unit, plain);
    return BNN_OK;
}

/* Share of the targets in central intervals of a level against the level, in its standard errors. Its variance is that of a binomial and
 * that of a noise which was learned from n training rows, whose sd is off by 1/sqrt(2n): 2 z phi(z) / sqrt(2n) of coverage. */
static double coverage_error(double weight, int training, double level) {
    double z = gsl_cdf_ugaussian_Pinv(0.5 + 0.5 * level), slope = 2 * z * gsl_ran_ugaussian_pdf(z);
    return hypot(bnn_coverage_se(level, weight), training > 0 ? slope / sqrt(2.0 * training) : 0);
}

/* A share that leaves the range of a good answer, but not that of chance: only more rows could tell. */
static bnn_status note_coverage(int rows, double inside, double band, bnn_remarks *out) {
    if (inside >= BNN_LEAST_INSIDE && inside <= BNN_MOST_INSIDE) return BNN_OK;
    return bnn_remarks_add(out, BNN_REMARK_NOTE, inside < 0.9 ? "overconfident" : "underconfident",
                           "90 %% intervals hold %.0f %% of the targets in %d rows, and chance alone gives %.0f to %.0f %%: whether they "
                           "are too %s only more rows would tell",
                           100 * inside, rows, 100 * fmax(0.9 - band, 0), 100 * fmin(0.9 + band, 1), inside < 0.9 ? "narrow" : "wide");
}

static bnn_status judge_coverage(const bnn_prediction *p, const bnn_data *data, int training, bnn_remarks *out) {
    static const double levels[] = {0.9, 0.5};
    double share[2], error[2], off[2];
    for (int i = 0; i < 2; i++) {
        share[i] = bnn_metrics_coverage(p, data, levels[i]), error[i] = coverage_error(bnn_data_weight(data), training, levels[i]);
        off[i] = (share[i] - levels[i]) / error[i];
    }
    const int worst = fabs(off[1]) > fabs(off[0]);
    if (!(fabs(off[worst]) >= BNN_COVERAGE_ERRORS)) return note_coverage(p->n, share[0], BNN_COVERAGE_ERRORS * error[0], out);
    double level = levels[worst], inside = share[worst], band = BNN_COVERAGE_ERRORS * error[worst];
    bool far = level - inside > 0.2;
    return bnn_remarks_add(
        out, far ? BNN_REMARK_BAD : BNN_REMARK_WARNING, inside < level ? "overconfident" : "underconfident",
        "%.0f %% intervals hold %.0f %% of the targets in %d rows, where chance alone gives %.0f to %.0f %%: they are too "
        "%s; compare with another engine (bnn compare), hmc if it is within reach",
        100 * level, 100 * inside, p->n, 100 * fmax(level - band, 0), 100 * fmin(level + band, 1), inside < level ? "narrow" : "wide");
}

/* Rows whose class is not the called one against those that the probabilities of the called classes let expect. Their number has the
 * variance of independent trials, and that of probabilities which were learned from n training rows, at most the n-th part of a trial's in
 * their mean. Trials of which few fail are skew to the right: (z^2 - 1) / 6 is the next term of their quantile. */
static bnn_status judge_calls(const bnn_prediction *p, const bnn_data *data, int training, bnn_remarks *out) {
    double rows = bnn_data_weight(data), expected = 0, wrong = 0, variance = 0;
    for (int i = 0; i < p->n; i++) {
        const double *share = p->mean + (size_t)i * (size_t)p->mean_dim;
        int called = bnn_prediction_class(share, p->mean_dim);
        double doubt = fmax(1 - share[called], 0), weight = weight_of(data, i);
        expected += weight * doubt, variance += weight * doubt * (1 - doubt);
        wrong += weight * (called != (int)data->y[i]);
    }
    double z = BNN_COVERAGE_ERRORS, band = z * sqrt(variance * (training > 0 ? 1 + rows / training : 1)) + (z * z - 1) / 6;
    if (fabs(wrong - expected) <= band) return BNN_OK;
    bool over = wrong > expected, far = wrong - expected > 0.2 * rows;
    return bnn_remarks_add(
        out, far ? BNN_REMARK_BAD : BNN_REMARK_WARNING, over ? "overconfident" : "underconfident",
        "%.3g %% of %d rows are of another class than the one called, where their probabilities let expect %.3g %%, and "
        "chance alone gives %.3g to %.3g %%: the probabilities are too %s; mend them on rows held out (bnn calibrate), or "
        "compare with another engine (bnn compare)",
        100 * wrong / rows, p->n, 100 * expected / rows, 100 * fmax(expected - band, 0) / rows, 100 * fmin((expected + band) / rows, 1),
        over ? "sure" : "unsure");
}

/* The noise against what the mean is off by, both standardised. */
static bnn_status judge_collapse(const bnn_run *run, const bnn_prediction *p, const bnn_data *data, bnn_remarks *out) {
    const bnn_history *h = &run->history;
    double noise = h->n > 0 ? h->noise_sd[h->n - 1] : NAN, squares = 0;
    int n = p->n * p->mean_dim;
    for (int i = 0; i < n; i++) {
        int j = i % p->mean_dim;
        double z = (double)data->y[i] - (p->mean[i] - data->scaling.y_mean[j]) / data->scaling.y_sd[j];
        squares += weight_of(data, i / p->mean_dim) * z * z / bnn_data_weight(data) / p->mean_dim;
    }
    if (!(sqrt(squares) > BNN_COLLAPSE * noise) || bnn_metrics_coverage(p, data, 0.9) > 0.75) return BNN_OK;
    return bnn_remarks_add(
        out, BNN_REMARK_BAD, "noise_collapsed",
        "the noise that was learned is %.2g of the targets' sd, the mean is off by %.2g of it: the intervals are far too "
        "narrow; search the noise and p on held-out rows (grid_search), or take hmc",
        noise, sqrt(squares));
}

bnn_status bnn_judge_prediction(const bnn_run *run, const bnn_prediction *p, const bnn_data *data, int training, bnn_remarks *out) {
    if (!p->has_target || p->n == 0) return BNN_OK;
    BNN_TRY(judge_worth(p, data, training, out));
    if (p->n < BNN_FEW_ROWS)
        BNN_TRY(
            bnn_remarks_add(out, BNN_REMARK_NOTE, "few_rows", "%d rows were scored: another choice of them would give other scores", p->n));
    if (p->is_class) return p->map_sums ? BNN_OK : judge_calls(p, data, training, out); /* pixels depend on each other */
    BNN_TRY(judge_collapse(run, p, data, out));
    return judge_coverage(p, data, training, out);
}

bnn_status bnn_run_judge(const bnn_run *run, const bnn_data *train, int n_train, const bnn_prediction *prediction, const bnn_data *rows,
                         bnn_remarks *out) {
    if (train) BNN_TRY(bnn_judge_fit(run, train, out));
    if (rows || train) BNN_TRY(bnn_judge_chains(run, rows ? rows : train, out));
    return prediction ? bnn_judge_prediction(run, prediction, rows, n_train, out) : BNN_OK;
}
