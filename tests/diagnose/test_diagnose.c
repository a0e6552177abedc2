/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_diagnose.c: R-hat and effective numbers of draws against another implementation and against what is known of the chains; then the
 * diagnosis of engines.
 */
#include "files.h"

#include <bnn/diagnose.h>
#include <bnn/fit.h>
#include <bnn/sampler.h>
#include <bnn/store.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

static bnn_convergence convergence(int chains, int n, const double *x) {
    bnn_convergence c;
    OK(bnn_convergence_of(chains, n, x, &c));
    return c;
}

/* ---------------------------------------------------------------- another implementation */

enum { MOST_DRAWS = 1000, MOST_LINE = 20000 };

/* The chains of one case, chain after chain; returns their number. */
static int read_case(const char *name, double *x, int *n) {
    static char line[MOST_LINE];
    FILE *f = files_beside("diagnose_draws.csv");
    int chains = 0, all = 0;
    size_t length = strlen(name);
    while (fgets(line, sizeof line, f)) {
        if (strncmp(line, name, length) != 0 || line[length] != ',') continue;
        for (char *at = line + length; *at == ','; all++) x[all] = strtod(at + 1, &at);
        chains++;
    }
    fclose(f);
    ck_assert_int_gt(chains, 0);
    *n = all / chains;
    return chains;
}

static void close_to(const char *name, const char *what, double is, double reference) {
    ck_assert_msg(fabs(is - reference) <= 1e-9 * fmax(1, fabs(reference)), "%s of '%s' is %.12g, of posterior %.12g", what, name, is,
                  reference);
}

/* tests/diagnose_reference.R made both files. */
START_TEST(numbers_are_those_of_the_package_posterior) {
    static char line[MOST_LINE];
    static double x[MOST_DRAWS];
    FILE *f = files_beside("diagnose_reference.csv");
    int cases = 0;
    ck_assert(fgets(line, sizeof line, f) != NULL);
    for (; fgets(line, sizeof line, f); cases++) {
        char name[32];
        double r[6];
        int n;
        ck_assert_int_eq(sscanf(line, "%31[^,],%lf,%lf,%lf,%lf,%lf,%lf", name, r, r + 1, r + 2, r + 3, r + 4, r + 5), 7);
        int chains = read_case(name, x, &n);
        bnn_convergence c = convergence(chains, n, x);
        close_to(name, "mean", c.mean, r[0]), close_to(name, "sd", c.sd, r[1]), close_to(name, "R-hat", c.rhat, r[2]);
        close_to(name, "bulk ESS", c.ess_bulk, r[3]), close_to(name, "tail ESS", c.ess_tail, r[4]);
        close_to(name, "MCSE", c.mcse_mean, r[5]);
    }
    fclose(f);
    ck_assert_int_eq(cases, 11);
}
END_TEST

/* ---------------------------------------------------------------- known chains */

enum { CHAINS = 4, LENGTH = 2000, REPEATS = 40 };

/* x_t = r x_{t-1} + sqrt(1 - r^2) e_t, from its stationary distribution N(0, 1). */
static void autoregressive(double r, uint64_t seed, double *x) {
    bnn_real *e = reals_new(CHAINS * LENGTH);
    bnn_rng_normal(bnn_rng_seed(seed), 0, CHAINS, LENGTH, e);
    for (int k = 0; k < CHAINS; k++)
        for (int t = 0; t < LENGTH; t++) {
            int at = k * LENGTH + t;
            x[at] = t == 0 ? (double)e[at] : r * x[at - 1] + sqrt(1 - r * r) * (double)e[at];
        }
    reals_free(e);
}

/* S (1 - r) / (1 + r) draws count. The mean over repeats has to be that, within their spread and 2 % for where the sum of correlations is
 * cut off; and the MCSE has to be the spread of the means of repeats. */
static void counts(double r) {
    static double x[CHAINS * LENGTH];
    double S = CHAINS * LENGTH, known = S * (1 - r) / (1 + r), sum = 0, squares = 0, means = 0, mcse = 0;
    for (int i = 0; i < REPEATS; i++) {
        autoregressive(r, 100 + (uint64_t)i, x);
        bnn_convergence c = convergence(CHAINS, LENGTH, x);
        ck_assert_msg(fabs(c.rhat - 1) < 0.02 / (1 - r), "r = %g: R-hat is %g", r, c.rhat);
        sum += c.ess_bulk / known, squares += c.ess_bulk / known * (c.ess_bulk / known);
        means += c.mean * c.mean, mcse += c.mcse_mean * c.mcse_mean / REPEATS;
    }
    double mean = sum / REPEATS, se = sqrt((squares / REPEATS - mean * mean) / (REPEATS - 1));
    ck_assert_msg(fabs(mean - 1) < MOST_Z * se + 0.02, "r = %g: %.1f %% (se %.1f %%) of the %g draws that count are found", r, 100 * mean,
                  100 * se, known);
    ck_assert_msg(fabs(mcse * known - 1) < 0.1, "r = %g: the mean squared MCSE is %g, not %g", r, mcse, 1 / known);
    ck_assert_msg(fabs(means * known / REPEATS - 1) < MOST_Z * sqrt(2.0 / REPEATS), "r = %g: this test's own chains are wrong", r);
}

START_TEST(draws_count_as_they_correlate) {
    counts(0);
    counts(0.5);
    counts(0.9);
    counts(-0.4);
}
END_TEST

START_TEST(chains_apart_are_seen) {
    static double x[CHAINS * LENGTH], y[CHAINS * LENGTH];
    autoregressive(0, 1, x);
    bnn_convergence together = convergence(CHAINS, LENGTH, x);
    ck_assert_double_lt(together.rhat, 1.005);
    ck_assert(together.ess_bulk > 0.8 * CHAINS * LENGTH && together.ess_tail > 0.7 * CHAINS * LENGTH);

    memcpy(y, x, sizeof x);
    for (int t = 0; t < LENGTH; t++) y[LENGTH + t] += 0.5; /* one chain elsewhere */
    bnn_convergence shifted = convergence(CHAINS, LENGTH, y);
    ck_assert_double_gt(shifted.rhat, 1.02);
    ck_assert_double_lt(shifted.ess_bulk, 200);

    memcpy(y, x, sizeof x);
    for (int t = 0; t < LENGTH; t++) y[LENGTH + t] *= 2; /* one chain wider: about the same place, seen by the folded draws only */
    bnn_convergence wider = convergence(CHAINS, LENGTH, y);
    ck_assert_double_gt(wider.rhat, 1.02);
    ck_assert_double_gt(wider.ess_bulk, 5000);
    ck_assert_double_lt(wider.ess_tail, 500);

    for (int i = 0; i < CHAINS * LENGTH; i++) y[i] = x[i] + 2 * (i % LENGTH) / (double)LENGTH; /* all drift alike */
    ck_assert_double_gt(convergence(CHAINS, LENGTH, y).rhat, 1.05);
}
END_TEST

START_TEST(ranks_bear_heavy_tails_and_other_scales) {
    static double x[CHAINS * LENGTH], y[CHAINS * LENGTH];
    autoregressive(0.3, 2, x);
    bnn_convergence of_x = convergence(CHAINS, LENGTH, x);
    for (int i = 0; i < CHAINS * LENGTH; i++)
        y[i] = sinh(8 * x[i]); /* odd and increasing: neither ranks nor distances from 0 change order */
    bnn_convergence heavy = convergence(CHAINS, LENGTH, y);
    ck_assert_double_eq_tol(heavy.ess_bulk, of_x.ess_bulk, 1e-9 * of_x.ess_bulk);
    ck_assert_double_eq_tol(heavy.ess_tail, of_x.ess_tail, 1e-9 * of_x.ess_tail);
    ck_assert_double_lt(heavy.rhat, 1.01);
    for (int i = 0; i < CHAINS * LENGTH; i++) y[i] = 3 - 1e-6 * x[i];
    bnn_convergence scaled = convergence(CHAINS, LENGTH, y);
    ck_assert_double_eq_tol(scaled.rhat, of_x.rhat, 1e-7);
    ck_assert_double_eq_tol(scaled.ess_bulk, of_x.ess_bulk, 1e-6 * of_x.ess_bulk);
    ck_assert_double_eq_tol(scaled.mcse_mean, 1e-6 * of_x.mcse_mean, 1e-12);
}
END_TEST

START_TEST(what_has_no_answer_is_nan) {
    double x[2 * BNN_FEWEST_DRAWS] = {0}, ess;
    bnn_convergence c = convergence(2, BNN_FEWEST_DRAWS, x);
    ck_assert(c.mean == 0 && c.sd == 0 && isnan(c.rhat) && isnan(c.ess_bulk) && isnan(c.ess_tail) && isnan(c.mcse_mean));
    OK(bnn_ess(2, BNN_FEWEST_DRAWS, x, &ess));
    ck_assert(isnan(ess));
    for (int i = 0; i < 2 * BNN_FEWEST_DRAWS; i++) x[i] = i * 37 % 11;
    ck_assert(isfinite(convergence(2, BNN_FEWEST_DRAWS, x).rhat));
    x[3] = INFINITY;
    ck_assert(isnan(convergence(2, BNN_FEWEST_DRAWS, x).rhat));
    SAYS(bnn_convergence_of(2, BNN_FEWEST_DRAWS - 1, x, &c), "chains of 15 draws say nothing: 16 are needed");
}
END_TEST

/* ---------------------------------------------------------------- engines */

static bnn_run *fit(const char *engine, const char *net, const bnn_data *train) {
    bnn_run *run;
    OK(bnn_fit(&(bnn_config){.net = net, .engine = engine, .likelihood = "gaussian:sd=0.3,shape=2", .seed = 3}, train, &run));
    return run;
}

static bnn_diagnosis *diagnose(const bnn_run *run, const bnn_data *rows, bnn_diagnose_options how) {
    bnn_diagnosis *d;
    OK(bnn_diagnose(run->engine, rows, &how, &d));
    return d;
}

static bool finds(const bnn_diagnosis *d, const char *part) {
    for (int i = 0; i < d->n_findings; i++)
        if (strstr(d->finding[i], part)) return true;
    return false;
}

static const bnn_quantity *quantity_of(const bnn_diagnosis *d, const char *name) {
    for (int i = 0; i < d->n; i++)
        if (strcmp(d->quantity[i].name, name) == 0) return &d->quantity[i];
    ck_abort_msg("there is no quantity '%s'", name);
    return NULL;
}

static void same_diagnosis(const bnn_diagnosis *a, const bnn_diagnosis *b) {
    ck_assert(a->n == b->n && a->n_findings == b->n_findings);
    for (int i = 0; i < a->n; i++) {
        ck_assert_str_eq(a->quantity[i].name, b->quantity[i].name);
        ck_assert(memcmp(&a->quantity[i].is, &b->quantity[i].is, sizeof a->quantity[i].is) == 0);
    }
}

static const char *const good = "hmc:steps=20,chains=4,samples=1500,warmup=300";

/* Every number of the diagnosis, from the draws of a linear model, whose predictions are done by hand. */
START_TEST(quantities_are_of_the_draws) {
    enum { D = 3, S = 6000, THETA = D + 2 };
    bnn_table *table = table_new(40, D, 0, 5);
    bnn_data *data = data_new(table);
    bnn_run *run = fit(good, "dense", data);
    bnn_diagnosis *d = diagnose(run, data, (bnn_diagnose_options){.rows = 7, .weights = true});
    static double x[THETA + 2][S];
    ck_assert(d->chains == 4 && d->draws == 1500 && d->rows == 7 && d->n == 7 + 4 + THETA);
    for (int s = 0; s < S; s++) {
        bnn_real theta[THETA];
        OK(bnn_engine_draw(run->engine, s, (bnn_rng){0}, theta));
        double f = (double)theta[D], squares = 0;
        int row = 2 * 40 / 7;
        for (int i = 0; i < D; i++) f += (double)(theta[i] * data->x[row * D + i]), squares += (double)theta[i] * (double)theta[i];
        for (int i = 0; i < THETA; i++) x[i][s] = (double)theta[i];
        x[THETA][s] = f * data->scaling.y_sd[0] + data->scaling.y_mean[0], x[THETA + 1][s] = sqrt(squares);
    }
    bnn_convergence f = convergence(4, 1500, x[THETA]), norm = convergence(4, 1500, x[THETA + 1]);
    const bnn_convergence *row = &quantity_of(d, "row 11")->is, *kernel = &quantity_of(d, "dense_1 kernel (norm)")->is;
    ck_assert_double_eq_tol(row->mean, f.mean, 1e-5 * data->scaling.y_sd[0]);
    ck_assert_double_eq_tol(row->sd, f.sd, 1e-5 * data->scaling.y_sd[0]);
    ck_assert_double_eq_tol(row->rhat, f.rhat, 1e-3);
    ck_assert_double_eq_tol(row->ess_bulk, f.ess_bulk, 0.01 * f.ess_bulk);
    ck_assert_double_eq_tol(kernel->rhat, norm.rhat, 1e-9);
    ck_assert_double_eq_tol(kernel->mean, norm.mean, 1e-9);
    static const char *const names[THETA] = {"dense_1 kernel[0,0]", "dense_1 kernel[1,0]", "dense_1 kernel[2,0]", "dense_1 bias[0]",
                                             "likelihood hyper[0]"};
    for (int i = 0; i < THETA; i++) ck_assert_double_eq(quantity_of(d, names[i])->is.ess_bulk, convergence(4, 1500, x[i]).ess_bulk);
    ck_assert_double_eq(quantity_of(d, "noise: log variance 1")->is.rhat, convergence(4, 1500, x[D + 1]).rhat);
    ck_assert_double_eq(quantity_of(d, "dense_1 bias")->is.mean, convergence(4, 1500, x[D]).mean);
    const bnn_chains *c = &((const bnn_sampler *)run->engine->state)->chains;
    ck_assert_double_eq(quantity_of(d, "log density")->is.rhat, convergence(4, 1500, c->stored.stat).rhat);
    double least = INFINITY;
    for (int k = 0; k < 4; k++) least = fmin(least, bnn_chain_bfmi(&c->chain[k]));
    ck_assert(d->least_e_bfmi == least && d->divergences == 0 && isnan(d->saturated));
    bnn_spread rhat;
    OK(bnn_diagnosis_spread(d, BNN_OF_WEIGHTS, offsetof(bnn_convergence, rhat), &rhat));
    ck_assert(rhat.n == THETA && rhat.constant == 0 && rhat.least <= rhat.median && rhat.median <= rhat.most);
    ck_assert(d->quantity[rhat.at_most].is.rhat == rhat.most && d->quantity[rhat.at_least].is.rhat == rhat.least);
    bnn_diagnosis_free(d), bnn_run_free(run), bnn_data_free(data), bnn_table_free(table);
}
END_TEST

/* A mean and its Monte Carlo error have one value each, here and in a prediction from all draws. Independent draws would be worth more. */
START_TEST(a_prediction_has_the_errors_of_its_chains) {
    static const struct {
        const char *engine;
        int n_classes, S;
    } cases[] = {{"hmc:steps=2,chains=2,samples=200,warmup=50", 0, 400},
                 {"sgld:chains=2,samples=100,burnin=20", 0, 200},
                 {"hmc:steps=2,chains=3,samples=50,warmup=50", 3, 150}};
    for (int i = 0; i < 3; i++) {
        bnn_table *table = table_new(40, 3, cases[i].n_classes, 5);
        bnn_data *data = data_new(table);
        bnn_run *run;
        bnn_prediction *p;
        double independent = 0, dependent = 0;
        OK(bnn_fit(&(bnn_config){.net = "dense:4; tanh; dense", .engine = cases[i].engine, .seed = 3}, data, &run));
        OK(bnn_predict(run->engine, data, &(bnn_predict_options){.samples = 100000}, &p));
        bnn_diagnosis *d = diagnose(run, data, (bnn_diagnose_options){0});
        ck_assert_int_eq(p->samples, cases[i].S);
        for (int k = 0; k < p->n * p->mean_dim; k++) {
            ck_assert_double_eq_tol(d->quantity[k].is.mean, p->mean[k], 1e-10 * (1 + fabs(p->mean[k])));
            ck_assert_double_eq(d->quantity[k].is.mcse_mean, p->mean_mcse[k]);
            independent += p->var_epistemic[k] / (p->samples - 1), dependent += p->mean_mcse[k] * p->mean_mcse[k];
        }
        ck_assert_double_gt(dependent, 2 * independent);
        bnn_diagnosis_free(d), bnn_prediction_free(p), bnn_run_free(run), bnn_data_free(data), bnn_table_free(table);
    }
}
END_TEST

START_TEST(good_chains_are_good_at_any_number_of_threads_and_from_a_file) {
    bnn_table *table = table_new(40, 3, 0, 5);
    bnn_data *data = data_new(table);
    bnn_run *run = fit(good, "dense", data), *loaded;
    int threads = omp_get_max_threads();
    bnn_diagnosis *d[4];
    for (int i = 0; i < 3; i++) {
        omp_set_num_threads(1 << i);
        d[i] = diagnose(run, data, (bnn_diagnose_options){.rows = 0});
    }
    omp_set_num_threads(threads);
    ck_assert_msg(d[0]->n_findings == 0, "good chains: %s", d[0]->finding[0]);
    ck_assert(d[0]->rows == 40 && d[0]->n == 44);
    OK(bnn_run_save(run, NULL, NULL, files_path("run.h5")));
    OK(bnn_run_load(files_path("run.h5"), &loaded, NULL));
    d[3] = diagnose(loaded, data, (bnn_diagnose_options){.rows = 0});
    ck_assert_double_eq(d[3]->least_e_bfmi, d[0]->least_e_bfmi);
    for (int i = 1; i < 4; i++) same_diagnosis(d[0], d[i]);
    for (int i = 0; i < 4; i++) bnn_diagnosis_free(d[i]);
    bnn_run_free(loaded), bnn_run_free(run), bnn_data_free(data), bnn_table_free(table);
    files_remove();
}
END_TEST

static void shows(const char *engine, const char *net, const bnn_data *data, const char *finding) {
    bnn_run *run = fit(engine, net, data);
    bnn_diagnosis *d = diagnose(run, data, (bnn_diagnose_options){.rows = 20});
    ck_assert_msg(finds(d, finding), "%s: '%s' is not found: %s", engine, finding, d->n_findings ? d->finding[0] : "nothing is");
    bnn_diagnosis_free(d), bnn_run_free(run);
}

START_TEST(bad_chains_are_said_to_be) {
    bnn_table *table = table_new(40, 3, 0, 5), *classes = table_new(30, 2, 3, 6);
    bnn_data *data = data_new(table), *of_classes = data_new(classes);
    shows("hmc:steps=2,chains=4,samples=50,warmup=0,step=0.001", "dense", data,
          "the chains have not met, or are too short to show it: R-hat of 20 of 20 predictions");
    shows("hmc:steps=2,chains=4,samples=50,warmup=0,step=0.001", "dense", data, "of 4 norms and scales is above 1.01");
    shows("hmc:steps=10,chains=1,samples=500,warmup=100", "dense", data, "one chain cannot show");
    shows("hmc:steps=3,chains=2,samples=20,warmup=0,step=100", "dense", data, "the chains do not move: all 20 predictions");
    shows("hmc:steps=3,chains=2,samples=20,warmup=0,step=100", "dense", data, "40 transitions diverged");
    shows("nuts:max_depth=1,chains=2,samples=50,warmup=50", "dense", data, " % of the trajectories ended at max_depth");
    bnn_run *run;
    OK(bnn_fit(
        &(bnn_config){
            .net = "dense:3; tanh; dense", .engine = "hmc:steps=5,chains=2,samples=20,warmup=20", .prior = "hierarchical", .seed = 3},
        of_classes, &run));
    bnn_diagnosis *d = diagnose(run, of_classes, (bnn_diagnose_options){.rows = 10});
    ck_assert_int_eq(d->n, 10 * 3 + 4 + 4 + 1);
    quantity_of(d, "row 27, class 2");
    quantity_of(d, "prior: log variance of dense_1_kernel");
    bnn_diagnosis_free(d), bnn_run_free(run);
    bnn_data_free(data), bnn_table_free(table), bnn_data_free(of_classes), bnn_table_free(classes);
}
END_TEST

/* An engine whose draws are written by the test: of a model that is a bias alone, in two chains. */
enum { MADE = 400 };
static double made[2 * MADE], made_bfmi[2] = {0.9, 0.9}, made_divergences[2];

static bnn_status made_open(bnn_engine *e, const bnn_data *data) { return (void)e, (void)data, BNN_OK; }
static bnn_status made_step(bnn_engine *e, const bnn_data *data, bnn_step *out) { return (void)e, (void)data, out->done = true, BNN_OK; }
static void made_close(bnn_engine *e) { (void)e; }
static int made_blocks(bnn_engine *e, bnn_block *out) { return (void)e, (void)out, 0; }
static int made_n_draws(const bnn_engine *e) { return (void)e, 2 * MADE; }
static int made_n_chains(const bnn_engine *e) { return (void)e, 2; }
static bnn_status made_draw(const bnn_engine *e, int s, bnn_rng rng, bnn_real *theta) {
    (void)rng;
    for (int i = 0; i < e->model->n_theta; i++) theta[i] = i == 1 ? (bnn_real)made[s] : 0;
    return BNN_OK;
}
static int made_columns(const bnn_engine *e, bnn_column *out) {
    (void)e;
    out[0] = (bnn_column){.name = "divergences", .on = BNN_CHAINS, .data = made_divergences, .length = 2};
    out[1] = (bnn_column){.name = "e_bfmi", .on = BNN_CHAINS, .data = made_bfmi, .length = 2};
    return 2;
}

static const char *const made_checks[] = {"made", NULL};
static const bnn_engine_type made_type = {
    .type = {BNN_TYPE(bnn_engine_type), .name = "made", .summary = "draws of a test", .reference = "none", .checks = made_checks},
    .state_size = 1,
    .open = made_open,
    .step = made_step,
    .close = made_close,
    .blocks = made_blocks,
    .draw = made_draw,
    .n_draws = made_n_draws,
    .n_chains = made_n_chains,
    .columns = made_columns,
};

static bnn_diagnosis *diagnose_made(const bnn_data *data) {
    bnn_run *run;
    OK(bnn_fit(&(bnn_config){.net = "dense", .engine = "made", .likelihood = "gaussian:tau=1"}, data, &run));
    bnn_diagnosis *d = diagnose(run, data, (bnn_diagnose_options){.rows = 5});
    bnn_run_free(run);
    return d;
}

/* Independent draws, but for `stay` of every 200 in a row, far out. */
static void make_draws(int stay) {
    bnn_real *e = reals_new(2 * MADE);
    bnn_rng_normal(bnn_rng_seed(4), 0, 1, 2 * MADE, e);
    for (int i = 0; i < 2 * MADE; i++) made[i] = (double)e[i] + (i % 200 < stay ? 6 : 0);
    reals_free(e);
}

START_TEST(each_finding_is_made_alone) {
    bnn_table *table = table_new(20, 1, 0, 5);
    bnn_data *data = data_new(table);
    bnn_diagnosis *d;
    OK(bnn_type_add(BNN_ENGINE, &made_type.type));
    make_draws(0);
    d = diagnose_made(data);
    ck_assert_msg(d->n_findings == 0, "independent draws: %s", d->finding[0]);
    ck_assert_int_eq(d->n, 5 + 2);
    bnn_diagnosis_free(d);
    made_bfmi[1] = 0.2;
    d = diagnose_made(data);
    ck_assert(d->n_findings == 1 && finds(d, "E-BFMI of a chain is 0.20, below 0.3"));
    bnn_diagnosis_free(d);
    made_bfmi[1] = 0.9, made_divergences[0] = 2; /* of 800, of which one in a hundred may, and by chance twice as many */
    for (int k = 0; k < 3; k++) {
        made_divergences[1] = k == 0 ? 1 : k == 1 ? 14 : 15;
        d = diagnose_made(data);
        ck_assert(d->n_findings == 1 && finds(d, k == 0 ? "3 transitions diverged" : "transitions diverged"));
        ck_assert_int_eq(d->severity[0], k == 2 ? BNN_REMARK_WARNING : BNN_REMARK_NOTE);
        bnn_diagnosis_free(d);
    }
    made_divergences[0] = made_divergences[1] = 0;
    make_draws(12);
    d = diagnose_made(data);
    ck_assert_msg(d->n_findings == 2 && finds(d, "few draws count: the tail ESS of predictions") &&
                      finds(d, "few draws count: the tail ESS of norms and scales"),
                  "chains that stay in a tail: %s", d->n_findings ? d->finding[0] : "nothing is found");
    bnn_diagnosis_free(d), bnn_data_free(data), bnn_table_free(table);
}
END_TEST

/* The log density first, then predictions from the largest R-hat on; each with the draws that its numbers are of. */
START_TEST(traces_are_of_the_worst_quantities) {
    bnn_table *table = table_new(40, 3, 0, 5);
    bnn_data *data = data_new(table);
    bnn_run *run = fit("hmc:steps=3,chains=3,samples=40,warmup=60", "dense:3; tanh; dense", data),
            *map = fit("map:epochs=2", "dense", data);
    bnn_diagnosis *d = diagnose(run, data, (bnn_diagnose_options){.rows = BNN_JUDGED_ROWS});
    bnn_traces *t, *none;
    OK(bnn_traces_take(run->engine, data, &t));
    OK(bnn_traces_take(map->engine, data, &none));
    ck_assert(t && !none && t->n == BNN_TRACED && t->chains == 3 && t->draws == 40 && t->of == BNN_JUDGED_ROWS + 1);
    ck_assert_str_eq(t->quantity[0].name, "log density");
    int worse = 0;
    for (int i = 0; i < d->n; i++) worse += d->quantity[i].of == BNN_OF_PREDICTIONS && d->quantity[i].is.rhat > t->quantity[5].is.rhat;
    ck_assert_int_eq(worse, BNN_TRACED - 2);
    for (int i = 0; i < t->n; i++) {
        static double x[120];
        for (int s = 0; s < 120; s++) x[s] = (double)t->x[i * 120 + s];
        ck_assert(i < 2 || t->quantity[i].is.rhat <= t->quantity[i - 1].is.rhat);
        ck_assert_double_eq(t->quantity[i].is.rhat, quantity_of(d, t->quantity[i].name)->is.rhat);
        ck_assert_double_eq_tol(convergence(3, 40, x).rhat, t->quantity[i].is.rhat, 1e-3);
    }
    bnn_traces_free(t), bnn_diagnosis_free(d), bnn_run_free(run), bnn_run_free(map), bnn_data_free(data), bnn_table_free(table);
}
END_TEST

START_TEST(what_cannot_be_diagnosed_is_refused) {
    bnn_table *table = table_new(20, 2, 0, 5);
    bnn_data *data = data_new(table), *none;
    bnn_diagnosis *d;
    bnn_run *map = fit("map:epochs=2", "dense", data), *brief = fit("hmc:steps=2,chains=2,samples=15,warmup=2", "dense", data);
    bnn_run *run = fit("hmc:steps=2,chains=2,samples=20,warmup=2", "dense", data);
    ck_assert(!bnn_has_chains(map->engine) && bnn_has_chains(run->engine));
    SAYS(bnn_diagnose(map->engine, data, &(bnn_diagnose_options){0}, &d),
         "engine 'map' runs no Markov chains: there is nothing to diagnose");
    SAYS(bnn_diagnose(brief->engine, data, &(bnn_diagnose_options){0}, &d), "the chains have 15 draws each, diagnostics need 16");
    OK(bnn_data_slice(data, 0, 0, &data->scaling, &none));
    SAYS(bnn_diagnose(run->engine, none, &(bnn_diagnose_options){0}, &d), "there are no rows to predict");
    bnn_run_free(map), bnn_run_free(brief), bnn_run_free(run);
    bnn_data_free(none), bnn_data_free(data), bnn_table_free(table);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {numbers_are_those_of_the_package_posterior,
                                  draws_count_as_they_correlate,
                                  chains_apart_are_seen,
                                  ranks_bear_heavy_tails_and_other_scales,
                                  what_has_no_answer_is_nan,
                                  quantities_are_of_the_draws,
                                  traces_are_of_the_worst_quantities,
                                  a_prediction_has_the_errors_of_its_chains,
                                  good_chains_are_good_at_any_number_of_threads_and_from_a_file,
                                  bad_chains_are_said_to_be,
                                  each_finding_is_made_alone,
                                  what_cannot_be_diagnosed_is_refused,
                                  NULL};
    omp_set_num_threads(1); /* on models this small threads would wait for each other, not work */
    return run_tests("diagnose", tests);
}
