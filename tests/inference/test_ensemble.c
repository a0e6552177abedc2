/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_ensemble.c: an ensemble is its members, fitted one by one, and its prediction is the mixture of theirs, before and after a file.
 */
#include "files.h"

#include <bnn/store.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 40, IN = 3, MEMBERS = 3, SAMPLES = 31, SEED = 5 };

#define NET "dense_1 = dense:5; tanh; dense"

/* Inner engines of every kind: points, noise in the layers, an unlimited number of draws, stored ones, closed forms, searches. */
static const char *const inner[] = {"map{epochs=20,batch=16}",
                                    "mc_dropout{epochs=20,batch=16}",
                                    "swag{epochs=20,batch=16}",
                                    "sgld{chains=2,samples=5,burnin=5,thin=1}",
                                    "laplace{engine=map{epochs=20}}",
                                    "laplace{engine=map{epochs=20},predictive=sampling}",
                                    "grid_search{engine=mc_dropout{epochs=20},grid={p=0.1|0.2},samples=10}"};
enum { KINDS = sizeof inner / sizeof *inner, GRID = KINDS - 1, LAPLACE = 4, MAP = 0, SGLD = 3 };

static bnn_run *fit(const char *spec, const bnn_data *data) {
    bnn_run *run;
    OK(bnn_fit(&(bnn_config){.net = NET, .engine = spec, .seed = 1}, data, &run));
    ck_assert(run->complete);
    return run;
}

static bnn_run *fit_ensemble(const char *of, const bnn_data *data) {
    char spec[256];
    snprintf(spec, sizeof spec, "ensemble:engine=%s,members=%d", of, MEMBERS);
    return fit(spec, data);
}

static bnn_prediction *predict(const bnn_engine *e, const bnn_data *data, int samples, uint64_t seed) {
    bnn_prediction *p;
    OK(bnn_predict(e, data, &(bnn_predict_options){.samples = samples, .seed = seed}, &p));
    return p;
}

/* Member k as a fit of its own: "map{...}" is "map:..." outside of braces. */
static bnn_engine *member_by_hand(const char *of, const bnn_run *ensemble, const bnn_data *data, int k) {
    const bnn_engine *e = ensemble->engine;
    bnn_texts texts = {.net = e->plain_net, .likelihood = e->texts.likelihood, .prior = e->texts.prior};
    bnn_engine *one;
    bnn_step step = {0};
    OK(bnn_engine_new(of, &texts, data, bnn_rng_split(bnn_rng_split(bnn_rng_seed(1), BNN_STREAM_INNER), (uint64_t)k), &one));
    while (!step.done) OK(bnn_engine_step(one, data, &step));
    return one;
}

static void assert_near(const char *of, const char *what, int i, double is, double should) {
    ck_assert_msg(fabs(is - should) <= 1e-10 * (1 + fabs(should)), "%s: %s of row %d is %.15g, not %.15g", of, what, i, is, should);
}

/* Against sums written out: second moments, densities, probabilities. */
static void is_mixture(const char *of, const bnn_prediction *p, bnn_prediction *const one[MEMBERS]) {
    int dim = p->mean_dim, samples = 0;
    for (int k = 0; k < MEMBERS; k++) samples += one[k]->samples;
    ck_assert_int_eq(p->samples, samples);
    for (int i = 0; i < ROWS * dim; i++) {
        double mean = 0, square = 0, aleatoric = 0, pit = 0, error = 0;
        for (int k = 0; k < MEMBERS; k++) {
            mean += one[k]->mean[i] / MEMBERS;
            square += (one[k]->var_epistemic[i] + one[k]->mean[i] * one[k]->mean[i]) / MEMBERS;
            aleatoric += one[k]->var_aleatoric[i] / MEMBERS;
            error += one[k]->mean_mcse[i] * one[k]->mean_mcse[i] / (MEMBERS * MEMBERS);
            if (p->pit) pit += one[k]->pit[i] / MEMBERS;
        }
        assert_near(of, "mean", i, p->mean[i], mean);
        assert_near(of, "epistemic variance", i, p->var_epistemic[i] + mean * mean, square);
        assert_near(of, "aleatoric variance", i, p->var_aleatoric[i], aleatoric);
        assert_near(of, "Monte Carlo error", i, p->mean_mcse[i], sqrt(error));
        if (p->pit) assert_near(of, "pit", i, p->pit[i], pit);
    }
    for (int i = 0; i < ROWS; i++) {
        double density = 0, entropy = 0;
        for (int k = 0; k < MEMBERS; k++) {
            density += exp(one[k]->logp[i]) / MEMBERS;
            if (p->is_class) entropy += one[k]->expected_entropy[i] / MEMBERS;
        }
        assert_near(of, "log density", i, p->logp[i], log(density));
        if (p->is_class) assert_near(of, "entropy", i, p->expected_entropy[i], entropy);
    }
}

/* A target that stands where a quantile was has that level, by the mean of the members' distribution functions. */
static void quantiles_have_their_levels(const char *of, const bnn_engine *e, const bnn_data *data) {
    const double level = 0.3;
    bnn_prediction *p, *at;
    bnn_data *moved;
    OK(bnn_predict(e, data, &(bnn_predict_options){sizeof(bnn_predict_options), .samples = SAMPLES, .n_levels = 1, .levels = &level}, &p));
    OK(bnn_data_slice(data, 0, data->n, &data->scaling, &moved));
    for (int i = 0; i < ROWS; i++) moved->y[i] = (bnn_real)((p->quantile[i] - data->scaling.y_mean[0]) / data->scaling.y_sd[0]);
    OK(bnn_predict(e, moved, &(bnn_predict_options){.samples = SAMPLES}, &at));
    for (int i = 0; i < ROWS; i++)
        ck_assert_msg(fabs(at->pit[i] - level) < 1e-5, "%s: the quantile %g of row %d is one of %g", of, level, i, at->pit[i]);
    bnn_prediction_free(p), bnn_prediction_free(at);
    bnn_data_free(moved);
}

static void is_its_members(const char *of, const bnn_data *data) {
    char own[256];
    size_t brace = strcspn(of, "{");
    snprintf(own, sizeof own, "%.*s:%.*s", (int)brace, of, (int)(strlen(of) - brace - 2), of + brace + 1);
    bnn_run *run = fit_ensemble(of, data);
    bnn_prediction *p = predict(run->engine, data, SAMPLES, SEED), *one[MEMBERS];
    uint64_t gradients = 0;
    for (int k = 0; k < MEMBERS; k++) {
        bnn_engine *e = member_by_hand(own, run, data, k);
        one[k] = predict(e, data, SAMPLES / MEMBERS, bnn_rng_split(bnn_rng_seed(SEED), (uint64_t)k).key);
        gradients += e->cost.gradients;
        bnn_engine_free(e);
    }
    is_mixture(of, p, one);
    if (!p->is_class) quantiles_have_their_levels(of, run->engine, data);
    ck_assert_uint_eq(run->cost.gradients, gradients);
    ck_assert(p->var_epistemic[0] > 0);
    for (int k = 0; k < MEMBERS; k++) bnn_prediction_free(one[k]);
    bnn_prediction_free(p);
    bnn_run_free(run);
}

START_TEST(an_ensemble_is_the_mixture_of_its_members) {
    test_rows real = test_rows_new(ROWS, IN, 0), classes = test_rows_new(ROWS, IN, 3);
    for (int i = 0; i < KINDS; i++) is_its_members(inner[i], real.data), is_its_members(inner[i], classes.data);
    test_rows_free(&real), test_rows_free(&classes);
}
END_TEST

/* In closed form the density is a sum of Gaussians with the members' means and variances. */
START_TEST(laplace_members_mix_their_gaussians) {
    test_rows r = test_rows_new(ROWS, IN, 0);
    bnn_run *run = fit_ensemble(inner[LAPLACE], r.data);
    bnn_prediction *p = predict(run->engine, r.data, 10, SEED);
    double density[ROWS] = {0};
    ck_assert_int_eq(p->samples, 0);
    for (int k = 0; k < MEMBERS; k++) {
        bnn_prediction *one = predict(bnn_engine_member(run->engine, k), r.data, 10, 0);
        for (int i = 0; i < ROWS; i++) {
            double var = bnn_var_total(one, i), y = (double)r.data->y[i] * r.data->scaling.y_sd[0] + r.data->scaling.y_mean[0];
            density[i] += exp(-0.5 * (y - one->mean[i]) * (y - one->mean[i]) / var) / sqrt(2 * M_PI * var) / MEMBERS;
        }
        bnn_prediction_free(one);
    }
    for (int i = 0; i < ROWS; i++) ck_assert_double_eq_tol(p->logp[i], log(density[i]), 10 * ROUNDING);
    bnn_prediction_free(p);
    bnn_run_free(run);
    test_rows_free(&r);
}
END_TEST

/* ---------------------------------------------------------------- files */

static void assert_same_prediction(const char *of, const bnn_engine *a, const bnn_engine *b, const bnn_data *data) {
    bnn_prediction *x = predict(a, data, SAMPLES, SEED), *y = predict(b, data, SAMPLES, SEED);
    size_t bytes = (size_t)(x->n * x->mean_dim) * sizeof *x->mean;
    ck_assert_msg(memcmp(x->mean, y->mean, bytes) == 0 && memcmp(x->var_epistemic, y->var_epistemic, bytes) == 0 &&
                      memcmp(x->logp, y->logp, (size_t)x->n * sizeof *x->logp) == 0,
                  "%s: predicts something else after it was read back", of);
    bnn_prediction_free(x), bnn_prediction_free(y);
}

static void comes_back(const char *of, const bnn_data *data) {
    bnn_run *run = fit_ensemble(of, data), *back;
    bnn_lint *lint;
    bool same;
    char where[512];
    OK(bnn_run_save(run, NULL, &(bnn_provenance){.split = -1}, files_path("a.h5")));
    OK(bnn_run_load(files_path("a.h5"), &back, NULL));
    assert_same_prediction(of, run->engine, back->engine, data);
    OK(bnn_run_save(back, NULL, &(bnn_provenance){.split = -1}, files_path("b.h5")));
    OK(bnn_file_diff(files_path("a.h5"), files_path("b.h5"), &same, where, sizeof where));
    ck_assert_msg(same, "%s: %s", of, where);
    OK(bnn_file_lint(files_path("a.h5"), &lint));
    ck_assert_msg(lint->n_findings == 0, "%s: %s", of, lint->n_findings ? lint->finding[0] : "");
    bnn_lint_free(lint);
    bnn_run_free(run), bnn_run_free(back);
}

START_TEST(a_file_has_all_members) {
    test_rows r = test_rows_new(ROWS, IN, 0);
    for (int i = 0; i < KINDS; i++) comes_back(inner[i], r.data);
    comes_back("ensemble{engine=map{epochs=3},members=2}", r.data);
    comes_back("grid_search{engine=map{epochs=3},grid={dense_1.units=2|4}}", r.data);
    test_rows_free(&r);
    files_remove();
}
END_TEST

/* Asked for more draws than its members have stored, an ensemble gives them again. */
START_TEST(stored_draws_come_again) {
    test_rows r = test_rows_new(ROWS, IN, 0);
    bnn_run *run = fit_ensemble(inner[SGLD], r.data);
    size_t n = (size_t)run->engine->model->n_theta;
    bnn_real *first = reals_new(n), *again = reals_new(n), *own = reals_new(n);
    for (int s = 0; s < MEMBERS * 10; s++) {
        OK(bnn_engine_draw(run->engine, s, bnn_rng_seed(0), first));
        OK(bnn_engine_draw(run->engine, s + MEMBERS * 10, bnn_rng_seed(0), again));
        OK(bnn_engine_draw(bnn_engine_member(run->engine, s % MEMBERS), s / MEMBERS, bnn_rng_seed(0), own));
        ck_assert_msg(memcmp(first, own, n * sizeof *own) == 0 && memcmp(again, own, n * sizeof *own) == 0, "draw %d", s);
    }
    reals_free(first), reals_free(again), reals_free(own);
    bnn_run_free(run);
    test_rows_free(&r);
}
END_TEST

/* Draws come out numbered member after member, each once. */
enum { DRAWS = SAMPLES / MEMBERS * MEMBERS };
typedef struct {
    const bnn_engine *e;
    int per_member, seen[DRAWS];
} register_of;

static bnn_status take(void *context, const bnn_drawn *drawn) {
    register_of *r = context;
    ck_assert_int_lt(drawn->s, DRAWS);
    const bnn_engine *member = bnn_engine_member(r->e, drawn->s / r->per_member);
    bnn_real *theta = reals_new((size_t)r->e->model->n_theta);
    OK(bnn_engine_draw(member, bnn_predict_stored(r->e, drawn->s, r->per_member * MEMBERS), bnn_rng_seed(0), theta));
    ck_assert_msg(memcmp(theta, drawn->theta, (size_t)r->e->model->n_theta * sizeof *theta) == 0, "draw %d is another", drawn->s);
    reals_free(theta);
#pragma omp atomic
    r->seen[drawn->s]++;
    return BNN_OK;
}

START_TEST(draws_are_numbered_member_after_member) {
    static const int kinds[] = {MAP, SGLD}, per_member[] = {1, SAMPLES / MEMBERS};
    test_rows r = test_rows_new(ROWS, IN, 0);
    for (int i = 0; i < 2; i++) {
        bnn_run *run = fit_ensemble(inner[kinds[i]], r.data);
        register_of seen = {.e = run->engine, .per_member = per_member[i]};
        bnn_sink sink = {take, &seen};
        bnn_prediction *p;
        ck_assert_int_eq(bnn_predict_samples(run->engine, SAMPLES), per_member[i] * MEMBERS);
        OK(bnn_predict(run->engine, r.data, &(bnn_predict_options){.samples = SAMPLES, .sink = &sink}, &p));
        for (int s = 0; s < DRAWS; s++) ck_assert_int_eq(seen.seen[s], s < per_member[i] * MEMBERS);
        bnn_prediction_free(p);
        bnn_run_free(run);
    }
    test_rows_free(&r);
}
END_TEST

static bnn_status keep(const bnn_run *run, const bnn_data *data, bnn_prediction **p) {
    bnn_predict_options how = {.samples = SAMPLES};
    bnn_results results = {.data = data};
    BNN_TRY(bnn_draws_open(files_path("kept.h5"), BNN_KEEP_POSTERIOR | BNN_KEEP_PREDICTIVE, run->engine, data, &how, &results.draws));
    how.sink = bnn_draws_sink(results.draws);
    OK(bnn_predict(run->engine, data, &how, p));
    results.prediction = *p;
    OK(bnn_run_save(run, &results, &(bnn_provenance){.split = -1}, files_path("kept.h5")));
    return BNN_OK;
}

START_TEST(members_are_the_chains_of_kept_draws) {
    test_rows r = test_rows_new(ROWS, IN, 0);
    bnn_prediction *p;
    bnn_lint *lint;
    for (int i = 0; i < LAPLACE; i++) {
        bnn_run *run = fit_ensemble(inner[i], r.data);
        OK(keep(run, r.data, &p));
        OK(bnn_file_lint(files_path("kept.h5"), &lint));
        ck_assert_msg(lint->n_findings == 0, "%s: %s", inner[i], lint->n_findings ? lint->finding[0] : "");
        bnn_lint_free(lint);
        bnn_prediction_free(p);
        bnn_run_free(run);
    }
    bnn_run *run = fit_ensemble(inner[LAPLACE], r.data);
    SAYS(keep(run, r.data, &p), "engine 'laplace' as it is set predicts without draws of parameters: there are none to keep");
    bnn_run_free(run);
    run = fit_ensemble("grid_search{engine=map{epochs=3},grid={dense_1.units=2|4}}", r.data);
    SAYS(keep(run, r.data, &p), "member 1 has chosen another network: there is no one posterior to keep");
    bnn_run_free(run);
    test_rows_free(&r);
    files_remove();
}
END_TEST

/* ---------------------------------------------------------------- refusals */

START_TEST(what_an_ensemble_cannot_do_is_refused) {
    test_rows r = test_rows_new(ROWS, IN, 0);
    bnn_run *run, *ensemble = fit_ensemble(inner[MAP], r.data);
    bnn_prediction *p;
    SAYS(bnn_predict(ensemble->engine, r.data, &(bnn_predict_options){0}, &p), "0 samples were asked for: at least 1 is needed");
    OK(bnn_run_new(&(bnn_config){.net = NET, .engine = "laplace"}, r.data, &run));
    SAYS(bnn_run_begin(run, ensemble), "engine 'ensemble' predicts with several parameter vectors: none of them is the one to begin with");
    bnn_run_free(run);
    SAYS(bnn_fit(&(bnn_config){.net = NET, .engine = "laplace:engine=ensemble"}, r.data, &run),
         "engine 'ensemble' has no one mode: put it around laplace, not inside it");
    SAYS(bnn_fit(&(bnn_config){.net = NET, .engine = "ensemble:engine=map{lr=1e9,optimizer=sgd}"}, r.data, &run),
         "engine 'ensemble': member 1: engine 'map': the objective is not finite in epoch ");
    SAYS(bnn_fit(&(bnn_config){.net = "dropout; dense", .engine = "ensemble:engine=hmc"}, r.data, &run),
         "no layer may have noise of its own: leave out 'dropout_1'");
    SAYS(bnn_fit(&(bnn_config){.net = NET, .engine = "ensemble:engine=ensemble{engine=map,members=100000},members=100000"}, r.data, &run),
         "engine 'ensemble': engine 'ensemble': 10000000000 engines would be open together, at most 100000 are allowed: ask for fewer "
         "members");
    SAYS(bnn_fit(&(bnn_config){.net = NET, .engine = "ensemble:engine=grid_search{engine=map,grid={lr=0.1|0.2}},members=60000"}, r.data,
                 &run),
         "120000 engines would be open together");
    SAYS(bnn_fit(&(bnn_config){.net = "dense:100000; tanh; dense", .engine = "ensemble:engine=map,members=100000"}, r.data, &run),
         "engine 'ensemble': engine 'map': training of 100000 engines together needs ");
    bnn_run_free(ensemble);
    test_rows_free(&r);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {an_ensemble_is_the_mixture_of_its_members,
                                  laplace_members_mix_their_gaussians,
                                  a_file_has_all_members,
                                  stored_draws_come_again,
                                  draws_are_numbered_member_after_member,
                                  members_are_the_chains_of_kept_draws,
                                  what_an_ensemble_cannot_do_is_refused,
                                  NULL};
    return run_tests("ensemble", tests);
}
