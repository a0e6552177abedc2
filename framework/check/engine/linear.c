/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * linear.c: engines on Bayesian linear regression, where all that they claim is known in closed form.
 *
 *   y = x w + b + e,   e ~ N(0, 1/tau),   w ~ N(0, sd^2);     L = prior precision + tau X^T X,   m = tau L^-1 X^T y,   exp(-U) = N(m, L^-1)
 *
 * Whatever network adapt has made, draws are judged by the line that they predict with: outputs at 0 and at the unit vectors, in one pass
 * with the noise of one draw. So a gate's factor, a weight drawn by its layer, and a parameter drawn by the engine are the same here.
 */
#include "linear.h"
#include "check/numeric.h"

#include <gsl/gsl_linalg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IN = BNN_CASE_IN, W = BNN_LINE, PROBES = W, DRAWS = 4000, INDEPENDENT = 100 };

typedef bnn_line_setting setting;
typedef bnn_line_truth truth;

/* Minibatches of eight do not divide the rows of the first. */
const bnn_line_setting bnn_line_plain = {20, 1, 0, 0.1, 0.2, 0.5, false};
static const setting tied = {24, 1, 0.95, 0.1, 1, 1, false}, thrice = {24, 3, 0, 0.1, 0.2, 0.5, false},
                     silent = {24, 1, 0, 1e-9, 0.2, 0.5, false}, weighed = {24, 1, 0, 0.1, 0.2, 0.5, true};

/* ---------------------------------------------------------------- what should be */

/* x_i of row r, or 1. */
static double input(const bnn_data *data, int r, int i) { return i < IN ? (double)data->x[r * IN + i] : 1; }

/* log N(y; 0, 1/tau + X X^T / prior) by m and L; of y in its own units. */
static double evidence_of(const bnn_data *data, double tau, const double prior[W], const double prec[W * W], const double *mean,
                          double log_det) {
    double value = data->n * (0.5 * log(tau / (2 * M_PI)) - log(data->scaling.y_sd[0])) - 0.5 * log_det;
    for (int r = 0; r < data->n; r++) value -= 0.5 * tau * (double)data->y[r] * (double)data->y[r];
    for (int i = 0; i < W; i++) {
        value += 0.5 * log(prior[i]);
        for (int j = 0; j < W; j++) value += 0.5 * mean[i] * prec[i * W + j] * mean[j];
    }
    return value;
}

/* Behind gates that drop with probability p the mean of U over them has more p/(1-p) tau x_i^2 w_i^2 / 2, and a prior of 1/(1-p) (model.h);
 * count: how often the prior is counted. */
static void solve(const setting *t, const bnn_data *data, double p, double count, double prec[W * W], truth *out) {
    double tau = t->tau * data->scaling.y_sd[0] * data->scaling.y_sd[0], prior[W], log_det = 0;
    *out = (truth){.mean = {0}};
    for (int i = 0; i < W; i++) prior[i] = count * (i < IN ? 1 / (t->weight_sd * t->weight_sd * (1 - p)) : 1 / (t->bias_sd * t->bias_sd));
    for (int i = 0; i < W * W; i++) prec[i] = i % (W + 1) == 0 ? prior[i / W] : 0;
    for (int r = 0; r < data->n; r++)
        for (int i = 0; i < W; i++) {
            double of_row = data->weight ? tau * data->weight[r] : tau;
            out->mean[i] += of_row * input(data, r, i) * (double)data->y[r];
            for (int j = 0; j < W; j++)
                prec[i * W + j] += of_row * input(data, r, i) * input(data, r, j) * (i == j && i < IN ? 1 + p / (1 - p) : 1);
        }
    memcpy(out->cov, prec, sizeof out->cov);
    gsl_matrix_view a = gsl_matrix_view_array(out->cov, W, W);
    gsl_vector_view x = gsl_vector_view_array(out->mean, W);
    gsl_linalg_cholesky_decomp1(&a.matrix);
    gsl_linalg_cholesky_svx(&a.matrix, &x.vector);
    for (int i = 0; i < W; i++) log_det += 2 * log(out->cov[i * W + i]);
    gsl_linalg_cholesky_invert(&a.matrix);
    for (int i = 0; i < W; i++) out->sd[i] = sqrt(out->cov[i * W + i]);
    out->log_evidence = evidence_of(data, tau, prior, prec, out->mean, log_det);
}

/* The probability of dropping of the first gate, 0 if there is none. */
static double gate_of(const bnn_engine *e) {
    const bnn_model *m = e->model;
    bnn_real unused[BNN_MAX_GATE_THETA];
    for (int i = 0; i < m->net->n_nodes; i++) {
        const bnn_layer *l = &m->net->node[i].layer;
        if (bnn_layer_vtable(l)->keep && l->n_theta == 0) return 1 - bnn_layer_vtable(l)->keep(l, NULL, unused);
    }
    return 0;
}

void bnn_lines_expect(const bnn_lines *l, double count, truth *out) {
    const bnn_claim *claim = l->k->claim;
    double prec[W * W], p = claim->finds == BNN_FINDS_GATED ? gate_of(bnn_engine_fitted(l->e)) : 0;
    solve(l->t, l->rows.data, p, count, prec, out);
    for (int i = 0; i < W * W; i++) {
        bool diagonal = i % (W + 1) == 0;
        double w = out->mean[i / W];
        if (claim->finds == BNN_FINDS_MODE) out->cov[i] = 0;
        if (claim->finds == BNN_FINDS_MEAN_FIELD) out->cov[i] = diagonal ? 1 / prec[i] : 0;
        if (claim->finds == BNN_FINDS_GATED) out->cov[i] = diagonal && i / W < IN ? w * w * p / (1 - p) : 0;
    }
}

/* ---------------------------------------------------------------- what is */

static void unit_vectors(bnn_real x[PROBES * IN]) {
    for (int i = 0; i < PROBES * IN; i++) x[i] = i / IN == i % IN; /* the last row is 0 */
}

static bnn_status take_line(const bnn_lines *l, bnn_workspace *ws, int s, bnn_real *theta, double *line) {
    const bnn_engine *e = bnn_engine_fitted(l->e);
    bnn_rng rng = bnn_case_stream(l->draws + s);
    bnn_real x[PROBES * IN];
    unit_vectors(x);
    BNN_TRY(bnn_engine_draw(e, s, bnn_rng_split(rng, 0), theta));
    bnn_net_prepare(e->model->net, ws, theta, BNN_DRAW, false, bnn_rng_split(rng, 1));
    const bnn_real *f = bnn_net_forward(e->model->net, ws, PROBES, 0, x);
    for (int i = 0; i < W; i++) line[i] = (double)f[i] - (i < IN ? (double)f[IN] : 0);
    return BNN_OK;
}

/* Those of the open engine, behind what is there. */
static bnn_status take_lines(bnn_lines *l, int most) {
    const bnn_engine *e = bnn_engine_fitted(l->e);
    bnn_workspace *ws;
    l->length = bnn_case_draws(e, most);
    size_t all = (size_t)(l->draws + l->length);
    double *line = realloc(l->line, (all + 1) * W * sizeof *line);
    if (line) l->line = line;
    double *values = realloc(l->values, (all + 1) * sizeof *values);
    if (values) l->values = values;
    bnn_real *theta = calloc((size_t)e->model->n_theta + 1, sizeof *theta);
    bnn_status s = line && values && theta ? bnn_workspace_new(e->model->net, PROBES, BNN_FORWARD, &ws) : bnn_oom("a rule");
    if (s == BNN_OK) {
        for (int i = 0; i < l->length && s == BNN_OK; i++) s = take_line(l, ws, i, theta, l->line + (size_t)(l->draws + i) * W);
        bnn_workspace_free(ws);
    }
    free(theta);
    l->draws = (int)all, l->fits++;
    l->chains += bnn_engine_vtable(e)->n_draws ? bnn_case_chains(e) : l->length % INDEPENDENT == 0 ? INDEPENDENT : 1;
    return s;
}

static bnn_status walk(bnn_lines *l) {
    const bnn_data *data = l->rows.data;
    do BNN_TRY(bnn_engine_step(l->e, data, &l->last));
    while (!l->last.done);
    return bnn_engine_fitted(l->e) ? BNN_OK : bnn_fail(BNN_ERR_STATE, "holds no engine that predicts at its end");
}

void bnn_lines_close(bnn_lines *l) {
    bnn_engine_free(l->e);
    bnn_case_rows_close(&l->rows);
    free(l->line), free(l->values);
}

/* A new engine, not yet fitted. */
static bnn_status next_engine(bnn_lines *l) {
    const setting *t = l->t;
    char likelihood[64], prior[64];
    bnn_print(likelihood, sizeof likelihood, "gaussian:tau=%g", t->tau);
    bnn_print(prior, sizeof prior, "gauss:sd=%g,bias_sd=%g", t->weight_sd, t->bias_sd);
    bnn_texts texts = {.net = "dense", .likelihood = likelihood, .prior = prior};
    bnn_engine_free(l->e);
    l->e = NULL;
    return bnn_engine_new(l->k->spec, &texts, l->rows.data, bnn_rng_seed((uint64_t)(9 + l->fits)), &l->e);
}

/* The rows anew, whose scaling is by their weights. */
static bnn_status weigh(bnn_case_rows *rows) {
    int n = rows->table->n;
    rows->table->weight = calloc((size_t)n, sizeof *rows->table->weight);
    if (!rows->table->weight) return bnn_oom("a rule");
    for (int i = 0; i < n; i++) rows->table->weight[i] = 1 + i % 5;
    bnn_data_free(rows->data);
    rows->data = NULL;
    return bnn_data_split(rows->table, -1, BNN_TRAIN, NULL, &rows->data);
}

static bnn_status lines_new(const bnn_engine_case *k, const setting *t, bnn_lines *out) {
    *out = (bnn_lines){.k = k, .t = t};
    bnn_status s = bnn_case_rows_open(t->rows, t->copies, t->correlation, &out->rows);
    if (s == BNN_OK && t->weighed) s = weigh(&out->rows);
    if (s == BNN_OK) s = next_engine(out);
    if (s < 0) bnn_lines_close(out);
    return s;
}

bnn_status bnn_lines_open(const bnn_engine_case *k, const setting *t, int fits, int most, bnn_lines *out) {
    BNN_TRY(lines_new(k, t, out));
    bnn_status s = BNN_OK;
    while (s == BNN_OK && out->fits < fits) {
        if (out->fits > 0) s = next_engine(out);
        if (s == BNN_OK) s = walk(out);
        if (s == BNN_OK) s = take_lines(out, most);
    }
    if (s < 0) bnn_lines_close(out);
    return s;
}

/* ---------------------------------------------------------------- guesses */

enum { GUESS = 160 };

/* Squared distance of the mean line from a truth, in these sds. */
static double distance(const double mean[W], const truth *t, const double sd[W]) {
    double sum = 0;
    for (int i = 0; i < W; i++) sum += pow((mean[i] - t->mean[i]) / sd[i], 2);
    return sum;
}

/* Guesses whether the means would be right if the prior counted more or less often. */
static const char *guess_count(const bnn_lines *l, const double mean[W], const double sd[W], char text[GUESS]) {
    double best = 1, least = INFINITY, here = 0;
    for (int i = -121; i <= 120; i++) {
        truth other;
        double count = i == -121 ? 1e-9 : exp2(i / 20.0), away;
        bnn_lines_expect(l, count, &other);
        away = distance(mean, &other, sd);
        if (i == 0) here = away;
        if (away < least) least = away, best = count;
    }
    *text = '\0';
    if (!(least < 0.1 * here)) return text;
    if (best < 0.02)
        snprintf(text, GUESS, " (without the prior it would be right: is its gradient left out?)");
    else
        bnn_print(text, GUESS, " (with the prior counted %.2g times it would be right: %s?)", best,
                  best > 1 ? "is the likelihood of a minibatch multiplied by N/M, are prior and KL counted once" : "is U that of all rows");
    return text;
}

/* Guesses whether it is n times too large; or all variances are what their squares should be: noise was multiplied by the variance. */
static const char *guess_spread(const truth *t, const double ratio[W], int i, int n, char text[GUESS]) {
    bool squared = true;
    for (int k = 0; k < W; k++) squared &= t->cov[k * W + k] > 0 && fabs(ratio[k] / t->cov[k * W + k] - 1) < 0.25;
    if (fabs(ratio[i] / n - 1) < 0.1)
        bnn_print(text, GUESS, " (ratio %.3g: is the curvature a mean over %d rows in place of their sum?)", ratio[i], n);
    else if (squared)
        bnn_print(text, GUESS, " (ratio %.3g: is noise multiplied by the variance in place of the standard deviation?)", ratio[i]);
    else if (ratio[i] < 0.05)
        bnn_print(text, GUESS, " (ratio %.2g)", ratio[i]);
    else
        bnn_ratio_guess(ratio[i], 1, NAN, 0, text);
    return text;
}

/* ---------------------------------------------------------------- judgement */

static const char *name_of(int i, char text[24]) {
    if (i < IN)
        snprintf(text, 24, "weight %d", i);
    else
        snprintf(text, 24, "the bias");
    return text;
}

static void judge_means(bnn_checker *c, const bnn_lines *l, const truth *t) {
    bnn_case_estimate found[W];
    double mean[W];
    char name[24], guess[GUESS];
    for (int i = 0; i < W; i++) {
        for (int s = 0; s < l->draws; s++) l->values[s] = l->line[s * W + i];
        found[i] = bnn_case_mean(l->chains, l->draws, l->values);
        mean[i] = found[i].mean;
    }
    for (int i = 0; i < W; i++) {
        double away = fabs(mean[i] - t->mean[i]), most = l->k->claim->error * t->sd[i] + found[i].chance + 10 * ROUNDING;
        if (!(away <= most))
            bnn_checker_break(c,
                              "%s is %.4g on average, where %.4g (sd %.4g) is right, and by the claim and by chance it may be %.2g off%s",
                              name_of(i, name), mean[i], t->mean[i], t->sd[i], most, guess_count(l, mean, t->sd, guess));
        if (found[i].error > 0.2 * t->sd[i])
            bnn_checker_break(c, "%s has the mean %.4g +- %.2g with an sd of %.4g: the draws are too few, do not move, or run away",
                              name_of(i, name), mean[i], found[i].error, t->sd[i]);
    }
}

/* The mean of d_i d_j about the right mean, in the claim's own sds (those of exp(-U) where it has none). */
static bnn_case_estimate product(const bnn_lines *l, const truth *t, int i, int j) {
    for (int s = 0; s < l->draws; s++) {
        const double *line = l->line + s * W;
        l->values[s] = (line[i] - t->mean[i]) * (line[j] - t->mean[j]);
    }
    return bnn_case_mean(l->chains, l->draws, l->values);
}

static void judge_spread(bnn_checker *c, const bnn_lines *l, const truth *t) {
    double ratio[W], error = l->k->claim->error;
    char name[24], other[24], guess[GUESS];
    for (int i = 0; i < W; i++) ratio[i] = product(l, t, i, i).mean / t->cov[i * W + i];
    for (int i = 0; i < W; i++)
        for (int j = 0; j <= i; j++) {
            bnn_case_estimate is = product(l, t, i, j);
            double should = t->cov[i * W + j], size = sqrt(t->cov[i * W + i] * t->cov[j * W + j]);
            double most = error * size + error * error * t->sd[i] * t->sd[j] + is.chance + 10 * ROUNDING * t->sd[i] * t->sd[j];
            if (fabs(is.mean - should) <= most) continue;
            if (i == j)
                bnn_checker_break(c, "%s has the variance %.4g, where %.4g is right, give or take %.2g%s", name_of(i, name), is.mean,
                                  should, most, should > 0 ? guess_spread(t, ratio, i, l->rows.data->n, guess) : "");
            else
                bnn_checker_break(c, "%s and %s have the covariance %.4g, where %.4g is right, give or take %.2g", name_of(j, other),
                                  name_of(i, name), is.mean, should, most);
        }
}

/* Outputs that the engine knows to be Gaussian are those of the lines. */
static bnn_status judge_outputs(bnn_checker *c, const bnn_lines *l, const truth *t) {
    const bnn_engine *e = bnn_engine_fitted(l->e);
    const bnn_engine_type *type = bnn_engine_vtable(e);
    bnn_workspace *ws;
    bnn_real x[PROBES * IN];
    double mean[PROBES], cov[PROBES], error = fmax(l->k->claim->error, 1e-3);
    if (!type->outputs) return BNN_OK;
    unit_vectors(x);
    BNN_TRY(bnn_workspace_new(e->model->net, PROBES, BNN_TO_THETA, &ws));
    bnn_status s = type->outputs(e, ws, PROBES, x, mean, cov);
    bnn_workspace_free(ws);
    for (int i = 0; s == BNN_OK && i < PROBES; i++) {
        double b = t->mean[IN], var = t->cov[W * W - 1], should = i < IN ? t->mean[i] + b : b;
        if (i < IN) var += t->cov[i * W + i] + 2 * t->cov[i * W + IN];
        if (!(fabs(mean[i] - should) <= error * sqrt(var) + 10 * ROUNDING))
            bnn_checker_break(c, "outputs says that row %d has the mean %.4g, where %.4g is right", i, mean[i], should);
        char guess[BNN_GUESS_TEXT];
        if (!(fabs(cov[i] - var) <= error * var))
            bnn_checker_break(c, "outputs says that row %d has the variance %.4g, where %.4g is right%s", i, cov[i], var,
                              bnn_ratio_guess(cov[i], var, NAN, 0, guess));
    }
    return s;
}

void bnn_lines_judge(bnn_checker *c, const bnn_lines *l, const truth *t) {
    judge_means(c, l, t);
    judge_spread(c, l, t);
}

static bnn_status judge(bnn_checker *c, const bnn_lines *l) {
    truth t;
    const bnn_engine *e = bnn_engine_fitted(l->e);
    if (l->k->claim->finds == BNN_FINDS_GATED && gate_of(e) == 0) {
        bnn_checker_break(c, "is to find the weights behind gates, but '%s' has no gate with a fixed p", e->texts.net);
        return BNN_OK;
    }
    bnn_lines_expect(l, 1, &t);
    bnn_lines_judge(c, l, &t);
    return judge_outputs(c, l, &t);
}

static bnn_status judge_setting(bnn_checker *c, const bnn_engine_case *k, const setting *t) {
    bnn_lines l;
    BNN_TRY(bnn_lines_open(k, t, 1, DRAWS, &l));
    bnn_status s = judge(c, &l);
    bnn_lines_close(&l);
    return s;
}

bnn_status bnn_rule_linear(bnn_checker *c, const bnn_engine_case *k) { return judge_setting(c, k, &bnn_line_plain); }
bnn_status bnn_rule_correlated(bnn_checker *c, const bnn_engine_case *k) { return judge_setting(c, k, &tied); }
bnn_status bnn_rule_prior(bnn_checker *c, const bnn_engine_case *k) { return judge_setting(c, k, &silent); }

/* ---------------------------------------------------------------- the units of U */

/* The parts of U that the last step tells of an engine with one theta, against those of the model there. At the end of a fit theta hardly
 * moves within a step; what has noise of its own, the likelihood of a network with noise, is not asked. */
static bnn_status judge_terms(bnn_checker *c, const bnn_lines *l) {
    const bnn_engine *e = bnn_engine_fitted(l->e);
    const bnn_data *data = l->rows.data;
    const bnn_objective u = {.n_total = data->n, .scale = 1, .kl_weight = 1, .mode = BNN_MEAN};
    bnn_workspace *ws;
    char guess[BNN_GUESS_TEXT];
    if (!(e->object.type->caps & (BNN_POINT | BNN_ONE_THETA)) || !l->last.theta) return BNN_OK;
    BNN_TRY(bnn_workspace_new(e->model->net, data->n, BNN_TO_THETA, &ws));
    bnn_terms t = bnn_model_u(e->model, ws, &u, bnn_rng_seed(0), l->last.theta, data->n, data->x, data->y, NULL);
    bnn_workspace_free(ws);
    double is = l->last.terms.prior + l->last.terms.kl, should = t.prior + t.kl;
    if (!(fabs(is - should) <= 0.05 * fabs(should) + 0.1))
        bnn_checker_break(c, "the last step tells of %.5g nats of prior and KL, the model of %.5g%s", is, should,
                          bnn_ratio_guess(is, should, NAN, data->n, guess));
    if (e->object.type->caps & BNN_POINT && !(fabs(l->last.terms.nll - t.nll) <= 0.05 * fabs(t.nll) + 0.1))
        bnn_checker_break(c, "the last step tells of %.5g nats of likelihood, the model of %.5g%s", l->last.terms.nll, t.nll,
                          bnn_ratio_guess(l->last.terms.nll, t.nll, NAN, data->n, guess));
    return BNN_OK;
}

bnn_status bnn_rule_objective(bnn_checker *c, const bnn_engine_case *k) {
    bnn_lines l;
    BNN_TRY(bnn_lines_open(k, &thrice, 1, DRAWS, &l));
    bnn_status s = judge(c, &l);
    if (s == BNN_OK) s = judge_terms(c, &l);
    bnn_lines_close(&l);
    if (s < 0 || bnn_checker_broken(c) || !(k->type->type.caps & BNN_WEIGHS)) return s;
    c->note = "with rows of weights 1 to 5";
    s = judge_setting(c, k, &weighed);
    c->note = NULL;
    return s;
}

/* ---------------------------------------------------------------- evidence */

static void judge_evidence(bnn_checker *c, const bnn_lines *l) {
    truth t;
    double prec[W * W], is = *bnn_case_evidence(l->e);
    solve(&bnn_line_plain, l->rows.data, 0, 1, prec, &t);
    double off = is - t.log_evidence;
    if (!(fabs(off) <= 1e-3 + l->k->claim->error))
        bnn_checker_break(c,
                          "the log evidence is told as %.5f, where %.5f is right: %+.4f (%+.4f for each of %d rows, %+.4f for each of %d "
                          "parameters)",
                          is, t.log_evidence, off, off / bnn_line_plain.rows, bnn_line_plain.rows, off / W, W);
}

bnn_status bnn_rule_evidence(bnn_checker *c, const bnn_engine_case *k) {
    bnn_lines l;
    if (k->claim->finds != BNN_FINDS_GAUSSIAN && k->claim->finds != BNN_FINDS_POSTERIOR) {
        bnn_checker_skip(c, "it does not claim the whole Gaussian, whose evidence this would be");
        return BNN_OK;
    }
    BNN_TRY(lines_new(k, &bnn_line_plain, &l));
    bnn_status s = BNN_OK;
    if (!bnn_case_evidence(l.e))
        bnn_checker_skip(c, "there is no block 'log_evidence'");
    else if ((s = bnn_case_finish(l.e, l.rows.data)) == BNN_OK)
        judge_evidence(c, &l);
    bnn_lines_close(&l);
    return s;
}
