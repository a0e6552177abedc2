/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_row_weights.c: a row of weight w is as w equal rows: in the scaling, in U and its gradient, and in what every engine finds.
 */
#include "files.h"

#include <bnn/fit.h>
#include <bnn/minibatch.h>
#include <bnn/predict.h>
#include <bnn/registry.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 12, IN = 2, NEW = 5 };
static const double whole[ROWS] = {1, 2, 1, 3, 1, 1, 0, 4, 1, 2, 1, 1};

/* Rows with weights, and the same with each row as often as it weighs. */
typedef struct {
    bnn_table *few_table, *many_table;
    bnn_data *few, *many;
} pair;

static pair pair_new(int y_dim, int n_classes) {
    static double x[ROWS * IN], y[ROWS * 2], xs[64 * IN], ys[64 * 2];
    bnn_real *u = reals_new(ROWS * (IN + 2));
    pair p;
    int n = 0;
    bnn_rng_normal(bnn_rng_seed(5), 0, 1, ROWS * (IN + 2), u);
    for (int i = 0; i < ROWS; i++) {
        for (int k = 0; k < IN; k++) x[i * IN + k] = (double)u[i * (IN + 2) + k];
        for (int k = 0; k < y_dim; k++)
            y[i * y_dim + k] = n_classes ? (i * 7) % n_classes : 2 + x[i * IN] - x[i * IN + 1] + 0.3 * (double)u[i * (IN + 2) + IN + k];
        for (int w = 0; w < (int)whole[i]; w++, n++) {
            memcpy(xs + n * IN, x + i * IN, IN * sizeof *x);
            memcpy(ys + n * y_dim, y + i * y_dim, (size_t)y_dim * sizeof *y);
        }
    }
    bnn_arrays few = {sizeof few, .n = ROWS, .x_size = IN, .y_dim = y_dim, .n_classes = n_classes, .x = x, .y = y, .weight = whole},
               many = {sizeof many, .n = n, .x_size = IN, .y_dim = y_dim, .n_classes = n_classes, .x = xs, .y = ys};
    OK(bnn_table_from(&few, &p.few_table)), OK(bnn_table_from(&many, &p.many_table));
    OK(bnn_data_split(p.few_table, -1, BNN_TRAIN, NULL, &p.few)), OK(bnn_data_split(p.many_table, -1, BNN_TRAIN, NULL, &p.many));
    reals_free(u);
    return p;
}

static void pair_free(pair *p) {
    bnn_data_free(p->few), bnn_data_free(p->many), bnn_table_free(p->few_table), bnn_table_free(p->many_table);
}

static void assert_near(const char *what, double a, double b, double tolerance) {
    ck_assert_msg(fabs(a - b) <= tolerance * fmax(1, fabs(b)), "%s: %.9g with weights, %.9g with equal rows", what, a, b);
}

/* ---------------------------------------------------------------- rows */

START_TEST(scaling_and_rows_have_the_weights) {
    pair p = pair_new(1, 0);
    for (int k = 0; k < IN; k++) {
        assert_near("mean", p.few->scaling.x_mean[k], p.many->scaling.x_mean[k], 1e-12);
        assert_near("sd", p.few->scaling.x_sd[k], p.many->scaling.x_sd[k], 1e-12);
    }
    assert_near("sd of y", p.few->scaling.y_sd[0], p.many->scaling.y_sd[0], 1e-12);
    ck_assert(bnn_data_weight(p.few) == p.many->n && bnn_data_weight(p.many) == p.many->n);
    bnn_data *part;
    OK(bnn_data_slice(p.few, 3, 6, &p.few->scaling, &part));
    ck_assert(part->weight[0] == 3 && bnn_data_weight(part) == 5);
    bnn_data_free(part);
    SAYS(bnn_data_slice(p.few, 6, 7, NULL, &part), "no row has a weight above 0");
    pair_free(&p);
}
END_TEST

START_TEST(minibatches_bring_weights_along) {
    pair p = pair_new(1, 0);
    bnn_minibatch b;
    double all = 0;
    OK(bnn_minibatch_open(p.few, 5, &b));
    bnn_minibatch_shuffle(&b, p.few, bnn_rng_seed(2));
    for (int i = 0; i < bnn_minibatch_count(&b, p.few); i++) {
        int m = bnn_minibatch_take(&b, p.few, i);
        for (int k = 0; k < m; k++) {
            ck_assert(b.weight[k] == whole[b.order[i * 5 + k]]);
            all += b.weight[k];
        }
    }
    ck_assert(all == b.total);
    bnn_minibatch_close(&b);
    pair_free(&p);
}
END_TEST

START_TEST(weights_below_zero_are_refused) {
    static const double x[] = {1, 2}, weight[] = {1, -0.5};
    bnn_table *t;
    SAYS(bnn_table_from(&(bnn_arrays){sizeof(bnn_arrays), .n = 2, .x_size = 1, .y_dim = 1, .x = x, .y = x, .weight = weight}, &t),
         "row 2: the weight -0.5 is not a finite number from 0 on");
}
END_TEST

/* ---------------------------------------------------------------- U */

static void same_u(const char *likelihood, int y_dim, int n_classes) {
    pair p = pair_new(y_dim, n_classes);
    bnn_model *m;
    bnn_workspace *ws;
    OK(bnn_model_new(&(bnn_texts){"dense:4; tanh; dense", likelihood, "gauss"}, p.few, &m));
    OK(bnn_workspace_new(m->net, p.many->n, BNN_TO_THETA, &ws));
    bnn_real *theta = reals_new((size_t)m->n_theta), *g = reals_new((size_t)m->n_theta), *h = reals_new((size_t)m->n_theta);
    bnn_rng_normal(bnn_rng_seed(3), 0, 1, m->n_theta, theta);
    bnn_objective few = {.n_total = p.few->n, .scale = 1, .kl_weight = 1, .mode = BNN_MEAN, .weight = p.few->weight},
                  many = {.n_total = p.many->n, .scale = 1, .kl_weight = 1, .mode = BNN_MEAN};
    double a = bnn_terms_u(bnn_model_u(m, ws, &few, bnn_rng_seed(0), theta, p.few->n, p.few->x, p.few->y, g)),
           b = bnn_terms_u(bnn_model_u(m, ws, &many, bnn_rng_seed(0), theta, p.many->n, p.many->x, p.many->y, h));
    assert_near(likelihood, a, b, 10 * ROUNDING);
    double largest = 0;
    for (int i = 0; i < m->n_theta; i++) largest = fmax(largest, fabs((double)h[i]));
    for (int i = 0; i < m->n_theta; i++) assert_near(likelihood, (double)g[i] / largest, (double)h[i] / largest, 10 * ROUNDING);
    reals_free(theta), reals_free(g), reals_free(h);
    bnn_workspace_free(ws), bnn_model_free(m);
    pair_free(&p);
}

START_TEST(u_and_its_gradient_are_those_of_equal_rows) {
    same_u("gaussian", 1, 0);
    same_u("gaussian:shape=2", 2, 0);
    same_u("heteroscedastic", 2, 0);
    same_u("categorical", 1, 3);
    same_u("bernoulli", 1, 2);
}
END_TEST

/* ---------------------------------------------------------------- engines */

static bnn_prediction *fit_and_predict(const char *net, const char *engine, const char *likelihood, const bnn_data *data, bnn_run **run) {
    static const double x[NEW * IN] = {0, 0, 1, -1, -0.5, 2, 3, 1, 0.25, 0.5};
    bnn_table *t;
    bnn_data *new_rows;
    bnn_prediction *p;
    OK(bnn_fit(&(bnn_config){.net = net, .engine = engine, .likelihood = likelihood, .prior = "gauss:sd=0.7", .seed = 4}, data, run));
    OK(bnn_table_from(&(bnn_arrays){sizeof(bnn_arrays), .n = NEW, .x_size = IN, .x = x}, &t));
    OK(bnn_data_split(t, -1, BNN_TRAIN, &data->scaling, &new_rows));
    OK(bnn_run_predict(*run, new_rows, &(bnn_predict_options){.samples = 20, .seed = 1}, &p));
    bnn_data_free(new_rows), bnn_table_free(t);
    return p;
}

/* course: that of nll is the same, too. */
static void same_fit(const char *net, const char *engine, const char *likelihood, int n_classes, double tolerance, bool course) {
    pair p = pair_new(1, n_classes);
    bnn_run *few_run, *many_run;
    bnn_prediction *a = fit_and_predict(net, engine, likelihood, p.few, &few_run),
                   *b = fit_and_predict(net, engine, likelihood, p.many, &many_run);
    for (int i = 0; i < NEW * a->mean_dim; i++) {
        assert_near(engine, a->mean[i], b->mean[i], tolerance);
        assert_near(engine, a->var_epistemic[i], b->var_epistemic[i], tolerance);
        assert_near(engine, a->var_aleatoric[i], b->var_aleatoric[i], tolerance);
    }
    double evidence[2] = {0, 0};
    bnn_run_state(few_run, "log_evidence", 1, &evidence[0]), bnn_run_state(many_run, "log_evidence", 1, &evidence[1]);
    assert_near(engine, evidence[0], evidence[1], tolerance);
    for (int i = 0; course && i < few_run->history.n; i++)
        assert_near(engine, few_run->history.nll[i], many_run->history.nll[i], tolerance);
    bnn_prediction_free(a), bnn_prediction_free(b), bnn_run_free(few_run), bnn_run_free(many_run);
    pair_free(&p);
}

static const struct {
    const char *engine, *likelihood;
    int n_classes;
} fits[] = {{"map:epochs=40,batch=100", "gaussian", 0},
            {"map:epochs=40,batch=100,lr=0.1,optimizer=sgd", "categorical", 3},
            {"laplace:engine=map{epochs=40,batch=100},structure=full", "gaussian", 0},
            {"laplace:engine=map{epochs=40,batch=100},structure=full", "heteroscedastic", 0},
            {"laplace:engine=map{epochs=40,batch=100},structure=diag", "bernoulli", 2},
            {"laplace:engine=map{epochs=40,batch=100},structure=kron", "gaussian:shape=2", 0},
            {"laplace:engine=map{epochs=40,batch=100},structure=kron", "categorical", 3},
            {"last_layer:engine=map{epochs=40,batch=100},noise=evidence", "gaussian", 0},
            {"swag:epochs=20,batch=100", "gaussian", 0},
            {"svgd:epochs=100,batch=100,particles=5,lr=0.05", "gaussian", 0},
            {"sgld:burnin=2,thin=2,batch=100,samples=5", "gaussian", 0},
            {"sghmc:burnin=2,thin=2,batch=100,samples=5", "gaussian", 0},
            {"hmc:steps=4,step=0.01,samples=4,warmup=0,chains=2", "gaussian:shape=2", 0},
            {"hmc:steps=4,step=0.01,samples=4,warmup=0,chains=2,scales=gibbs", "gaussian:shape=2", 0},
            {"nuts:step=0.01,samples=3,warmup=0,chains=1", "gaussian:shape=2", 0},
            {"ensemble:engine=map{epochs=40,batch=100},members=2", "gaussian", 0}};
enum { FITS = sizeof fits / sizeof *fits };

/* Each sees all rows at once, and its noise is not of rows: what it does differs by rounding alone, which few steps do not let grow. */
START_TEST(engines_find_what_they_find_in_equal_rows) {
    for (int i = 0; i < FITS; i++)
        same_fit("dense:3; tanh; dense", fits[i].engine, fits[i].likelihood, fits[i].n_classes, 100 * ROUNDING, true);
}
END_TEST

/* Engines that draw noise for rows have other noise for more rows: a linear network without hidden units, whose answer they share. */
START_TEST(engines_with_noise_of_rows_count_by_weights) {
    same_fit("dense", "mc_dropout:p=1e-9,epochs=1000,batch=100,lr=0.05,schedule=cosine", "gaussian:tau=5", 0, 1e-3, false);
    same_fit("dense", "bayes_by_backprop:epochs=3000,batch=100,lr=0.01,schedule=cosine", "gaussian:tau=5", 0, 0.05, false);
}
END_TEST

/* Halves of rows, each there twice, are the rows: weights need not be whole. */
START_TEST(two_rows_of_half_a_weight_are_one) {
    static double x[2 * ROWS * IN], y[2 * ROWS], weight[2 * ROWS];
    pair p = pair_new(1, 0);
    bnn_table *halves;
    bnn_data *data;
    bnn_run *run[2];
    for (int i = 0; i < 2 * ROWS; i++) {
        memcpy(x + i * IN, p.few_table->x + i / 2 * IN, IN * sizeof *x);
        y[i] = p.few_table->y[i / 2], weight[i] = 0.5 * whole[i / 2];
    }
    OK(bnn_table_from(&(bnn_arrays){sizeof(bnn_arrays), .n = 2 * ROWS, .x_size = IN, .y_dim = 1, .x = x, .y = y, .weight = weight},
                      &halves));
    OK(bnn_data_split(halves, -1, BNN_TRAIN, NULL, &data));
    bnn_prediction *a = fit_and_predict("dense", "laplace:engine=map{epochs=500,batch=100,lr=0.05,optimizer=sgd},structure=full", "gaussian:tau=3", data,
                                        &run[0]),
                   *b = fit_and_predict("dense", "laplace:engine=map{epochs=500,batch=100,lr=0.05,optimizer=sgd},structure=full", "gaussian:tau=3",
                                        p.many, &run[1]);
    for (int i = 0; i < NEW; i++) {
        assert_near("mean", a->mean[i], b->mean[i], 100 * ROUNDING);
        assert_near("variance", a->var_epistemic[i], b->var_epistemic[i], 100 * ROUNDING);
    }
    for (int i = 0; i < 2; i++) bnn_run_free(run[i]);
    bnn_prediction_free(a), bnn_prediction_free(b), bnn_data_free(data), bnn_table_free(halves);
    pair_free(&p);
}
END_TEST

/* Posterior of a line through the origin, y ~ N(w x, s^2), in closed form with weights: hmc's draws against it. */
START_TEST(draws_are_those_of_the_weighted_posterior) {
    enum { N = 6 };
    static const double x[N] = {1, -1, 2, -2, 0.5, -0.5}, y[N] = {1.2, -0.5, 1.7, -2.6, 0.1, -1}, weight[N] = {0.5, 2, 1.5, 0.25, 3, 1};
    bnn_table *t;
    bnn_data *data;
    bnn_run *run;
    OK(bnn_table_from(&(bnn_arrays){sizeof(bnn_arrays), .n = N, .x_size = 1, .y_dim = 1, .x = x, .y = y, .weight = weight}, &t));
    OK(bnn_data_unscaled(t, 0, N, &data));
    OK(bnn_fit(&(bnn_config){.net = "dense:bias=no",
                             .engine = "hmc:steps=10,samples=5000,warmup=500,chains=1",
                             .likelihood = "gaussian:tau=2",
                             .prior = "gauss:sd=1",
                             .seed = 1},
               data, &run));
    double xx = 1, xy = 0, mean = 0, squares = 0; /* precision of the prior 1, of the noise 2 */
    for (int i = 0; i < N; i++) xx += 2 * weight[i] * x[i] * x[i], xy += 2 * weight[i] * x[i] * y[i];
    int n = bnn_run_n_draws(run);
    for (int s = 0; s < n; s++) {
        double w;
        OK(bnn_run_draw(run, s, 1, &w));
        mean += w / n, squares += w * w / n;
    }
    double sd = sqrt(1 / xx);
    ck_assert_msg(fabs(mean - xy / xx) < MOST_Z * sd * sqrt(2.0 / n), "mean %g, not %g", mean, xy / xx);
    ck_assert_msg(fabs(sqrt(squares - mean * mean) / sd - 1) < 0.06, "sd %g, not %g", sqrt(squares - mean * mean), sd);
    bnn_run_free(run), bnn_data_free(data), bnn_table_free(t);
}
END_TEST

/* An engine that does not say that it counts weights is refused by name; what it does without them is as ever. */
START_TEST(engines_that_know_no_weights_are_refused) {
    const bnn_type *map;
    pair p = pair_new(1, 0);
    bnn_run *run;
    OK(bnn_type_find(BNN_ENGINE, "map", &map));
    static bnn_engine_type other;
    memcpy(&other, map, sizeof other);
    other.type.name = "unaware", other.type.caps &= ~(uint32_t)BNN_WEIGHS;
    OK(bnn_type_add(BNN_ENGINE, &other.type));
    bnn_config config = {.net = "dense", .engine = "unaware:epochs=2", .seed = 1}, inner = config;
    SAYS(bnn_fit(&config, p.few, &run), "engine 'unaware' does not know weights of rows: fit another engine, or data without weights");
    inner.engine = "ensemble:engine=unaware{epochs=2}";
    SAYS(bnn_fit(&inner, p.few, &run), "engine 'unaware' does not know weights of rows");
    OK(bnn_fit(&config, p.many, &run));
    bnn_run_free(run);
    pair_free(&p);
}
END_TEST

/* A search scores and refits by weights: it ends, and scores are those of the rows held out. */
START_TEST(searches_take_weights_along) {
    pair p = pair_new(1, 0);
    bnn_run *run;
    OK(bnn_fit(
        &(bnn_config){.net = "dense", .engine = "grid_search:engine=map{epochs=5},grid={lr=0.01|0.1},share=0.3,samples=1", .seed = 1},
        p.few, &run));
    bnn_run_free(run);
    OK(bnn_fit(&(bnn_config){.net = "dense", .engine = "early_stopping:engine=map{epochs=5},share=0.3", .seed = 1}, p.few, &run));
    bnn_run_free(run);
    pair_free(&p);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {scaling_and_rows_have_the_weights,
                                  minibatches_bring_weights_along,
                                  weights_below_zero_are_refused,
                                  u_and_its_gradient_are_those_of_equal_rows,
                                  engines_find_what_they_find_in_equal_rows,
                                  engines_with_noise_of_rows_count_by_weights,
                                  two_rows_of_half_a_weight_are_one,
                                  draws_are_those_of_the_weighted_posterior,
                                  engines_that_know_no_weights_are_refused,
                                  searches_take_weights_along,
                                  NULL};
    return run_tests("row_weights", tests);
}
