/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_calibrate.c: calibration after the fit: in worlds whose truth is known, by hand, in runs and in files.
 */
#include "files.h"

#include <bnn/calibrate.h>
#include <bnn/metrics.h>
#include <bnn/store.h>
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>

/* ---------------------------------------------------------------- predictions that are made up */

enum { FEW = 40, LEVELS = 2 };
static const double ends[LEVELS] = {0.5 * (1 - 0.9), 0.5 * (1 + 0.9)};

/* n rows with targets y[n], and a prediction of them whose numbers a test fills in. */
typedef struct {
    bnn_table *table;
    bnn_data *data;
    bnn_prediction p;
} forecast;

static void forecast_open(int n, int n_classes, const double *y, forecast *f) {
    size_t k = (size_t)(n_classes ? n_classes : 1), all = (size_t)n * k;
    *f = (forecast){.p = {.n = n, .samples = 2, .mean_dim = (int)k, .has_target = true, .is_class = n_classes > 0}};
    OK(bnn_table_new(n, bnn_shape_vector(1), 1, n_classes, &f->table));
    for (int i = 0; i < n; i++) f->table->y[i] = y[i];
    OK(bnn_data_unscaled(f->table, 0, n, &f->data));
    f->p.mean = calloc(all, sizeof(double)), f->p.var_epistemic = calloc(all, sizeof(double));
    f->p.var_aleatoric = calloc(all, sizeof(double)), f->p.mean_mcse = calloc(all, sizeof(double));
    f->p.logp = calloc((size_t)n, sizeof(double));
    f->p.expected_entropy = calloc((size_t)n, sizeof(double));
    if (n_classes) return;
    f->p.n_levels = LEVELS, f->p.levels = (double *)ends;
    f->p.quantile = calloc(all * LEVELS, sizeof(double));
}

static void forecast_close(forecast *f) {
    free(f->p.mean), free(f->p.expected_entropy), free(f->p.var_epistemic), free(f->p.var_aleatoric), free(f->p.mean_mcse), free(f->p.logp),
        free(f->p.quantile), free(f->p.set);
    bnn_data_free(f->data);
    bnn_table_free(f->table);
}

static bnn_calibrate_options by(bnn_calibration_method method) {
    return (bnn_calibrate_options){sizeof(bnn_calibrate_options), .method = method, .seed = 7, .penalty = 0.1, .rank = 1};
}

static bnn_calibration *calibrated(const forecast *f, bnn_calibration_method method) {
    bnn_calibrate_options o = by(method);
    bnn_calibration *c;
    OK(bnn_calibration_fit(&f->p, f->data, &o, &c));
    OK(bnn_calibration_check(c));
    return c;
}

/* A skewed y around x, whose spread the forecast sees, though not its size: (E - 1) (1 + u) against a Gaussian of sd 0.3 (1 + u). */
static void skewed_world(uint64_t seed, forecast *f) {
    double y[FEW];
    bnn_real z[3 * FEW];
    bnn_rng_uniform(bnn_rng_seed(seed), 0, FEW, 3, z);
    for (int i = 0; i < FEW; i++) y[i] = (double)z[3 * i] + (-log((double)z[3 * i + 1]) - 1) * (1 + (double)z[3 * i + 2]);
    forecast_open(FEW, 0, y, f);
    for (int i = 0; i < FEW; i++) {
        double sd = 0.3 * (1 + (double)z[3 * i + 2]);
        f->p.mean[i] = (double)z[3 * i], f->p.var_aleatoric[i] = sd * sd;
        for (int l = 0; l < LEVELS; l++) f->p.quantile[LEVELS * i + l] = f->p.mean[i] + sd * gsl_cdf_ugaussian_Pinv(ends[l]);
    }
}

enum { K = 5 };

/* Classes by probabilities q ~ u^3, of which the forecast knows q^2. */
static void class_world(uint64_t seed, forecast *f) {
    double y[FEW], p[FEW * K];
    bnn_real z[(K + 1) * FEW];
    bnn_rng_uniform(bnn_rng_seed(seed), 0, FEW, K + 1, z);
    for (int i = 0; i < FEW; i++) {
        const bnn_real *u = z + (K + 1) * i;
        double sum = 0, squares = 0, left;
        for (int c = 0; c < K; c++) p[K * i + c] = pow((double)u[c], 3), sum += p[K * i + c], squares += pow(p[K * i + c], 2);
        left = (double)u[K] * sum, y[i] = 0;
        for (int c = 0; c < K - 1 && left > p[K * i + c]; c++) left -= p[K * i + c], y[i] = c + 1;
        for (int c = 0; c < K; c++) p[K * i + c] *= p[K * i + c] / squares;
    }
    forecast_open(FEW, K, y, f);
    memcpy(f->p.mean, p, sizeof p);
}

/* ---------------------------------------------------------------- guarantees */

/* Mean coverage of new rows over worlds lies between the level and 1/(n+1) more. */
static void holds(bnn_calibration_method method, void (*world)(uint64_t seed, forecast *f)) {
    enum { WORLDS = 1000 };
    double sum = 0, squares = 0;
    for (int w = 0; w < WORLDS; w++) {
        forecast on, fresh;
        bnn_conformity c;
        world(2 * (uint64_t)w, &on), world(2 * (uint64_t)w + 1, &fresh);
        bnn_calibration *calibration = calibrated(&on, method);
        OK(bnn_calibration_apply(calibration, fresh.data, &fresh.p));
        OK(bnn_calibration_measure(calibration, &fresh.p, fresh.data, &c));
        sum += c.coverage / WORLDS, squares += c.coverage * c.coverage / WORLDS;
        free(calibration);
        forecast_close(&on), forecast_close(&fresh);
    }
    double se = sqrt((squares - sum * sum) / WORLDS);
    ck_assert_msg(sum > 0.9 - MOST_Z * se && sum < 0.9 + 1.0 / (FEW + 1) + MOST_Z * se, "%s covers %.4f (se %.4f), not 0.9 to %.4f",
                  bnn_calibration_name(method), sum, se, 0.9 + 1.0 / (FEW + 1));
}

START_TEST(intervals_hold_their_level_in_a_thousand_worlds) {
    holds(BNN_CALIBRATE_SPLIT, skewed_world);
    holds(BNN_CALIBRATE_NORMALISED, skewed_world);
    holds(BNN_CALIBRATE_CQR, skewed_world);
}
END_TEST

START_TEST(sets_hold_their_level_in_a_thousand_worlds) {
    holds(BNN_CALIBRATE_LAC, class_world);
    holds(BNN_CALIBRATE_APS, class_world);
    holds(BNN_CALIBRATE_RAPS, class_world);
}
END_TEST

/* ---------------------------------------------------------------- conformal, by hand */

/* Scores 1..9 on nine rows: the ninth is ceil(10 * 0.9). */
START_TEST(a_quantile_counts_the_new_row) {
    double y[] = {1, -2, 3, -4, 5, -6, 7, -8, 9};
    forecast f;
    forecast_open(9, 0, y, &f);
    bnn_calibration *c = calibrated(&f, BNN_CALIBRATE_SPLIT);
    ck_assert(c->n == 1 && c->value[0] == 9 && c->rows == 9);
    for (int i = 0; i < 9; i++) f.p.mean[i] = i;
    OK(bnn_calibration_apply(c, f.data, &f.p));
    ck_assert(f.p.quantile[2] == 1 - 9 && f.p.quantile[3] == 1 + 9);
    free(c);
    forecast_close(&f);
}
END_TEST

START_TEST(a_monte_carlo_error_widens_intervals) {
    static const bnn_calibration_method methods[] = {BNN_CALIBRATE_SPLIT, BNN_CALIBRATE_NORMALISED, BNN_CALIBRATE_CQR};
    double z = gsl_cdf_ugaussian_Pinv(0.95);
    for (int m = 0; m < 3; m++) {
        forecast exact, rough;
        skewed_world(1, &exact), skewed_world(1, &rough);
        bnn_calibration *c = calibrated(&exact, methods[m]);
        for (int i = 0; i < FEW; i++) rough.p.mean_mcse[i] = 0.01 * i;
        OK(bnn_calibration_apply(c, exact.data, &exact.p));
        OK(bnn_calibration_apply(c, rough.data, &rough.p));
        for (int i = 0; i < FEW * LEVELS; i++) {
            double mean = rough.p.mean[i / LEVELS], d = exact.p.quantile[i] - mean, error = z * 0.01 * (i / LEVELS);
            ck_assert_double_eq_tol(rough.p.quantile[i] - mean, copysign(sqrt(d * d + error * error), d), 1e-12);
        }
        free(c);
        forecast_close(&exact), forecast_close(&rough);
    }
}
END_TEST

START_TEST(sets_hold_what_the_threshold_says) {
    double y[FEW] = {0}, p[] = {0.5, 0.3, 0.15, 0.05};
    forecast f;
    forecast_open(FEW, 4, y, &f);
    for (int i = 0; i < FEW; i++) memcpy(f.p.mean + 4 * i, p, sizeof p);
    bnn_calibration *c = calibrated(&f, BNN_CALIBRATE_LAC);
    ck_assert(c->value[0] == 0.5);
    OK(bnn_calibration_apply(c, f.data, &f.p));
    ck_assert(f.p.set[0] == 1 && f.p.set[1] == 0 && f.p.set[3] == 0);
    c->value[0] = 0.86; /* p >= 0.14 */
    OK(bnn_calibration_apply(c, f.data, &f.p));
    ck_assert(f.p.set[0] == 1 && f.p.set[1] == 1 && f.p.set[2] == 1 && f.p.set[3] == 0);
    bnn_conformity does;
    OK(bnn_calibration_measure(c, &f.p, f.data, &does));
    ck_assert(does.empty == 0);
    ck_assert_double_eq_tol(does.coverage, 1, 1e-12);
    ck_assert_double_eq_tol(does.width, 3, 1e-12);
    c->method = BNN_CALIBRATE_APS, c->value[0] = 0.8; /* 0.5 + 0.3 u always, 0.8 + 0.15 u never */
    OK(bnn_calibration_apply(c, f.data, &f.p));
    for (int i = 0; i < FEW; i++) ck_assert(f.p.set[4 * i] == 1 && f.p.set[4 * i + 1] == 1 && f.p.set[4 * i + 2] == 0);
    c->method = BNN_CALIBRATE_RAPS, c->penalty = 1, c->rank = 1; /* 0.5 + 0.3 u + 1 never */
    OK(bnn_calibration_apply(c, f.data, &f.p));
    for (int i = 0; i < FEW; i++) ck_assert(f.p.set[4 * i] == 1 && f.p.set[4 * i + 1] == 0);
    free(c);
    forecast_close(&f);
}
END_TEST

START_TEST(random_ends_are_those_of_the_seed) {
    forecast a, b;
    class_world(3, &a), class_world(3, &b);
    bnn_calibration *c = calibrated(&a, BNN_CALIBRATE_APS);
    OK(bnn_calibration_apply(c, a.data, &a.p));
    OK(bnn_calibration_apply(c, b.data, &b.p));
    ck_assert_mem_eq(a.p.set, b.p.set, FEW * K);
    int held = 0; /* 37 scores are up to the quantile: with the same numbers as many own classes would be held */
    for (int i = 0; i < FEW; i++) held += a.p.set[K * i + (int)a.data->y[i]];
    ck_assert_int_ne(held, 37);
    c->seed++;
    OK(bnn_calibration_apply(c, b.data, &b.p));
    ck_assert(memcmp(a.p.set, b.p.set, FEW * K) != 0);
    free(c);
    forecast_close(&a), forecast_close(&b);
}
END_TEST

/* ---------------------------------------------------------------- scaling */

enum { MANY = 4000 };

/* y ~ softmax(f), which the forecast has as softmax(3 f), with more for class 0 in all rows. */
static void sharp_world(double more, forecast *f) {
    static double y[MANY], p[3 * MANY];
    static bnn_real z[4 * MANY], u[MANY];
    bnn_rng_normal(bnn_rng_seed(5), 0, MANY, 3, z), bnn_rng_uniform(bnn_rng_seed(6), 0, MANY, 1, u);
    for (int i = 0; i < MANY; i++) {
        double sum = 0, sharp = 0, left;
        for (int c = 0; c < 3; c++) sum += exp((double)z[3 * i + c]), sharp += exp(3 * (double)z[3 * i + c] + (c == 0) * more);
        left = (double)u[i] * sum, y[i] = 0;
        for (int c = 0; c < 2 && left > exp((double)z[3 * i + c]); c++) left -= exp((double)z[3 * i + c]), y[i] = c + 1;
        for (int c = 0; c < 3; c++) p[3 * i + c] = exp(3 * (double)z[3 * i + c] + (c == 0) * more) / sharp;
    }
    forecast_open(MANY, 3, y, f);
    memcpy(f->p.mean, p, sizeof p);
}

static double mean_logp(const forecast *f) {
    double sum = 0;
    for (int i = 0; i < f->p.n; i++) sum += f->p.logp[i] / f->p.n;
    return sum;
}

/* The sharp world's mean log probability after calibration. */
static double after(double more, bnn_calibration_method method, double *value) {
    forecast f;
    sharp_world(more, &f);
    bnn_calibration *c = calibrated(&f, method);
    memcpy(value, c->value, (size_t)(c->n < 6 ? c->n : 6) * sizeof *value);
    OK(bnn_calibration_apply(c, f.data, &f.p));
    for (int i = 0; i < MANY; i++) ck_assert_double_eq_tol(f.p.mean[3 * i] + f.p.mean[3 * i + 1] + f.p.mean[3 * i + 2], 1, 1e-12);
    double ll = mean_logp(&f);
    free(c);
    forecast_close(&f);
    return ll;
}

START_TEST(scaling_finds_what_was_done) {
    double v[6], T;
    double plain = after(0, BNN_CALIBRATE_TEMPERATURE, &T);
    ck_assert_msg(fabs(T - 3) < 0.2, "temperature %g, not 3", T);
    double biased = after(2, BNN_CALIBRATE_TEMPERATURE, &T), vector = after(2, BNN_CALIBRATE_VECTOR, v);
    ck_assert_msg(fabs(vector - plain) < 2e-3 && biased < vector - 0.02, "log probabilities %g, %g, %g", plain, biased, vector);
    for (int c = 0; c < 3; c++) ck_assert_msg(fabs(v[c] - 1.0 / 3) < 0.1, "w of class %d is %g, not 1/3", c, v[c]);
    ck_assert_msg(fabs(v[3] - v[4] + 2.0 / 3) < 0.2, "b differs by %g, not -2/3", v[3] - v[4]);
    ck_assert_msg(after(2, BNN_CALIBRATE_ISOTONIC, v) > biased, "isotonic regression knows of a bias");
}
END_TEST

/* The same observations as pixels of maps, some void among them: channels first. */
static void maps_of(const forecast *f, int sites, bnn_table *table, bnn_data *data, bnn_prediction *p) {
    size_t n = (size_t)(f->p.n / (sites - 1)), k = (size_t)f->p.mean_dim, all = n * (size_t)sites;
    *table = (bnn_table){.n = (int)n};
    *data = (bnn_data){.table = table, .n = (int)n, .y_dim = sites, .n_classes = (int)k, .y = reals_new(all)};
    *p = (bnn_prediction){.n = (int)n, .samples = 2, .mean_dim = (int)k * sites, .sites = sites, .has_target = true, .is_class = true};
    p->mean = calloc(all * k, sizeof(double)), p->logp = calloc(all, sizeof(double)), p->expected_entropy = calloc(all, sizeof(double));
    for (size_t i = 0, of = 0; i < all; i++) {
        size_t row = i / (size_t)sites, site = i % (size_t)sites;
        bool is_void = site == 1;
        data->y[i] = is_void ? -1 : f->data->y[of];
        for (size_t c = 0; c < k; c++) p->mean[(row * k + c) * (size_t)sites + site] = is_void ? 1.0 / (double)k : f->p.mean[of * k + c];
        of += !is_void;
    }
}

/* Pixels whose class is known are calibrated as rows are; void ones have no part in it, and no score. */
START_TEST(pixels_of_maps_are_calibrated_as_rows_are) {
    enum { SITES = 5, CLASSES = 3 };
    const bnn_calibration_method methods[] = {BNN_CALIBRATE_TEMPERATURE, BNN_CALIBRATE_VECTOR};
    for (int m = 0; m < 2; m++) {
        forecast f;
        bnn_table table;
        bnn_data data;
        bnn_prediction p;
        bnn_calibrate_options o = by(methods[m]);
        bnn_calibration *c, *of_maps;
        sharp_world(2, &f);
        maps_of(&f, SITES, &table, &data, &p);
        c = calibrated(&f, methods[m]);
        OK(bnn_calibration_fit(&p, &data, &o, &of_maps));
        ck_assert_int_eq(of_maps->dim, CLASSES);
        ck_assert_mem_eq(c->value, of_maps->value, (size_t)c->n * sizeof(double));
        OK(bnn_calibration_apply(c, f.data, &f.p));
        OK(bnn_calibration_apply(of_maps, &data, &p));
        for (int i = 0, row = 0; i < p.n * SITES; i++) {
            if (i % SITES == 1) continue;
            for (int k = 0; k < CLASSES; k++)
                ck_assert_double_eq(p.mean[(i / SITES * CLASSES + k) * SITES + i % SITES], f.p.mean[row * CLASSES + k]);
            ck_assert_double_eq(p.logp[i], f.p.logp[row++]);
        }
        ck_assert_double_eq(p.logp[1], 0);
        o.method = BNN_CALIBRATE_APS, free(of_maps);
        REFUSED(bnn_calibration_fit(&p, &data, &o, &of_maps),
                "calibration by 'aps' is for rows with one class or real targets, not for maps of classes");
        for (int i = 0; i < p.n * SITES; i++) data.y[i] = -1;
        o.method = methods[m];
        REFUSED(bnn_calibration_fit(&p, &data, &o, &of_maps), "calibration needs pixels whose class is known, and there is none");
        free(p.mean), free(p.logp), free(p.expected_entropy), reals_free(data.y), free(c);
        forecast_close(&f);
    }
}
END_TEST

/* Of 0, 1, 0, 1 in rising order the middle two are pooled; less than 1/10 four rows do not tell. */
START_TEST(isotonic_steps_are_those_by_hand) {
    double y[] = {0, 1, 0, 1}, x[] = {0.1, 0.2, 0.3, 0.4}, new[] = {0.15, 0.25, 0.05, 0.9}, is[] = {0.3, 0.5, 0.1, 0.9};
    forecast f;
    forecast_open(4, 2, y, &f);
    for (int i = 0; i < 4; i++) f.p.mean[2 * i] = 1 - x[i], f.p.mean[2 * i + 1] = x[i];
    bnn_calibration *c = calibrated(&f, BNN_CALIBRATE_ISOTONIC);
    for (int i = 0; i < 4; i++) f.p.mean[2 * i] = 1 - new[i], f.p.mean[2 * i + 1] = new[i];
    OK(bnn_calibration_apply(c, f.data, &f.p));
    for (int i = 0; i < 4; i++) ck_assert_double_eq_tol(f.p.mean[2 * i + 1], is[i], 1e-12);
    c->value[0] = 1e9;
    SAYS(bnn_calibration_check(c), "its numbers cannot be those of the calibration 'isotonic'");
    free(c);
    forecast_close(&f);
}
END_TEST

/* ---------------------------------------------------------------- what is refused */

START_TEST(what_cannot_be_calibrated_is_refused) {
    forecast real, classes;
    bnn_calibrate_options o = by(BNN_CALIBRATE_TEMPERATURE);
    bnn_calibration *c;
    skewed_world(1, &real), class_world(1, &classes);
    REFUSED(bnn_calibration_fit(&real.p, real.data, &o, &c), "'temperature' calibrates classes, and these are real targets");
    o.method = BNN_CALIBRATE_SPLIT;
    REFUSED(bnn_calibration_fit(&classes.p, classes.data, &o, &c), "'split' calibrates real targets, and these are classes");
    o.level = 0.99;
    REFUSED(bnn_calibration_fit(&real.p, real.data, &o, &c),
            "40 rows are too few for conformal intervals or sets of level 0.99: 99 are needed");
    o.level = 1;
    REFUSED(bnn_calibration_fit(&real.p, real.data, &o, &c), "a level of 1: it is between 0 and 1");
    o.level = 0.8, o.method = BNN_CALIBRATE_CQR;
    REFUSED(bnn_calibration_fit(&real.p, real.data, &o, &c), "cqr needs predictive quantiles at the ends of the interval of level 0.8");
    real.p.has_target = false;
    REFUSED(bnn_calibration_fit(&real.p, real.data, &o, &c), "rows to calibrate on need their targets");
    forecast_close(&real), forecast_close(&classes);
}
END_TEST

/* ---------------------------------------------------------------- runs */

enum { N = 120 };

typedef struct {
    bnn_table *table;
    bnn_data *train, *on;
    bnn_run *run;
} world;

static void world_open(const char *engine, int classes, world *w) {
    w->table = table_new(N, 3, classes, 3);
    OK(bnn_data_range(w->table, 0, N / 2, NULL, &w->train));
    OK(bnn_fit(&(bnn_config){sizeof(bnn_config), .net = "dense", .engine = engine, .seed = 1}, w->train, &w->run));
    OK(bnn_data_range(w->table, N / 2, N, bnn_run_scaling(w->run), &w->on));
}

static void world_close(world *w) {
    bnn_run_free(w->run);
    bnn_data_free(w->on), bnn_data_free(w->train);
    bnn_table_free(w->table);
}

static void calibrate(const world *w, bnn_calibration_method method) {
    bnn_calibrate_options o = by(method);
    bnn_calibration *c;
    o.samples = 50;
    OK(bnn_calibrate(w->run, w->on, &o, &c));
    bnn_run_set_calibration(w->run, c);
}

static bnn_prediction *predicted(const world *w) {
    bnn_prediction *p;
    OK(bnn_run_predict(
        w->run, w->on,
        &(bnn_predict_options){sizeof(bnn_predict_options), .samples = 50, .seed = 7, .n_levels = LEVELS, .levels = ends, .crps = true},
        &p));
    return p;
}

/* The predictive distribution of a point engine is a Gaussian, and stays one that is stretched. */
START_TEST(a_stretched_distribution_has_its_scores) {
    world w;
    world_open("map:steps=50", 0, &w);
    bnn_prediction *before = predicted(&w);
    calibrate(&w, BNN_CALIBRATE_VARIANCE);
    bnn_prediction *p = predicted(&w);
    double s = bnn_run_calibration(w.run)->value[0], squares = 0;
    ck_assert(fabs(s - 1) > 0.01);
    for (int i = 0; i < p->n; i++) {
        double y = w.table->y[N / 2 + i], sd = sqrt(bnn_var_total(p, i)), z = (y - p->mean[i]) / sd;
        squares += z * z / p->n;
        ck_assert_double_eq(p->mean[i], before->mean[i]);
        ck_assert_double_eq_tol(sd, s * sqrt(bnn_var_total(before, i)), 1e-9 * sd);
        ck_assert_double_eq_tol(p->logp[i], -0.5 * z * z - log(sd) - 0.5 * log(2 * M_PI), 1e-4 * (1 + z * z));
        ck_assert_double_eq_tol(p->pit[i], gsl_cdf_ugaussian_P(z), 1e-5);
        ck_assert_double_eq_tol(p->crps[i], bnn_crps_gaussian(y, p->mean[i], sd), 1e-3 * sd);
        ck_assert_double_eq_tol(p->quantile[2 * i + 1], p->mean[i] + sd * gsl_cdf_ugaussian_Pinv(0.95), 1e-3 * sd);
    }
    ck_assert_double_eq_tol(squares, 1, 1e-5);
    bnn_prediction_free(before), bnn_prediction_free(p);
    world_close(&w);
}
END_TEST

START_TEST(a_calibrated_run_is_not_calibrated_again) {
    world w;
    bnn_calibrate_options o = by(BNN_CALIBRATE_LAC);
    bnn_calibration *c;
    world_open("map:steps=50", 3, &w);
    calibrate(&w, BNN_CALIBRATE_LAC);
    REFUSED(bnn_calibrate(w.run, w.on, &o, &c),
            "the run is calibrated already (lac at level 0.9 on 60 rows): calibrate the one that it was made of");
    bnn_run_set_calibration(w.run, NULL);
    OK(bnn_calibrate(w.run, w.on, &o, &c));
    free(c);
    world_close(&w);
}
END_TEST

/* Every method by a run, by two threads, and by the run that was read back from a file. */
START_TEST(calibrations_are_kept_in_files_and_by_any_threads) {
    for (int m = 0; m < BNN_CALIBRATIONS; m++) {
        bnn_calibration_method method = (bnn_calibration_method)m;
        bool classes = method <= BNN_CALIBRATE_ISOTONIC || method >= BNN_CALIBRATE_LAC;
        const char *path = files_path("run.h5");
        world w;
        bnn_lint *lint;
        world_open("mc_dropout:p=0.2,steps=50", classes ? 3 : 0, &w);
        bnn_prediction *plain = predicted(&w);
        double information[N / 2] = {0};
        for (int i = 0; classes && i < plain->n; i++) information[i] = bnn_prediction_mutual_information(plain, i);
        omp_set_num_threads(1);
        calibrate(&w, method);
        bnn_prediction *one = predicted(&w);
        double s = method == BNN_CALIBRATE_VARIANCE ? bnn_run_calibration(w.run)->value[0] : 1;
        ck_assert_double_eq_tol(one->var_epistemic[0], s * s * plain->var_epistemic[0], 1e-12);
        omp_set_num_threads(2);
        bnn_run_set_calibration(w.run, NULL);
        calibrate(&w, method);
        OK(bnn_run_save(w.run, &(bnn_results){.data = w.on, .prediction = one}, NULL, path));
        bnn_run_free(w.run);
        OK(bnn_run_load(path, &w.run, NULL));
        bnn_prediction *two = predicted(&w);
        ck_assert_mem_eq(one->mean, two->mean, (size_t)(one->n * one->mean_dim) * sizeof(double));
        ck_assert_mem_eq(one->logp, two->logp, (size_t)one->n * sizeof(double));
        for (int i = 0; classes && i < one->n; i++)
            ck_assert_double_eq_tol(bnn_prediction_mutual_information(one, i), fmin(information[i], bnn_prediction_entropy(one, i)), 1e-12);
        if (!classes) ck_assert_mem_eq(one->quantile, two->quantile, (size_t)one->n * LEVELS * sizeof(double));
        ck_assert((bnn_prediction_set(one) != NULL) == (method >= BNN_CALIBRATE_LAC));
        if (one->set) ck_assert_mem_eq(bnn_prediction_set(one), bnn_prediction_set(two), (size_t)(one->n * one->mean_dim));
        OK(bnn_file_lint(path, &lint));
        ck_assert_msg(lint->n_findings == 0, "%s", lint->n_findings ? lint->finding[0] : "");
        bnn_lint_free(lint);
        bnn_prediction_free(plain), bnn_prediction_free(one), bnn_prediction_free(two);
        world_close(&w);
    }
    files_remove();
}
END_TEST

typedef struct {
    int rows;
    double mean[2 * 2 * 6]; /* of the first two maps */
} taken;

static bnn_status take_maps(void *context, int from, const bnn_prediction *rows) {
    taken *t = context;
    ck_assert_int_eq(from, t->rows);
    t->rows += rows->n;
    if (from == 0) memcpy(t->mean, rows->mean, sizeof t->mean);
    return BNN_OK;
}

/* A network that sees bright pixels as class 1, and too surely so: scores of calibrated maps are those of the calibrated probabilities,
 * which a taker has, too. */
START_TEST(calibrated_maps_are_scored_as_they_are_predicted) {
    enum { MAPS = 8, PIXELS = 6, CLASSES = 2 };
    bnn_table *table;
    bnn_data *data;
    bnn_run *run;
    bnn_calibration *c;
    bnn_prediction *plain, *whole, *parts;
    bnn_metrics before, after;
    bnn_calibrate_options o = by(BNN_CALIBRATE_TEMPERATURE);
    taken maps = {0};
    bnn_taker taker = {take_maps, &maps};
    bnn_predict_options how = {sizeof how, .samples = 4, .seed = 3};
    o.samples = how.samples, o.seed = how.seed;
    OK(bnn_table_new_images(MAPS, (bnn_shape){.rank = 3, .d = {1, 2, 3}}, (bnn_shape){.rank = 2, .d = {2, 3}}, CLASSES, &table));
    for (int i = 0; i < MAPS * PIXELS; i++) {
        table->pixels[i] = (uint8_t)(i * 37 % 250);
        table->y[i] = i % 11 == 4 ? -1 : (table->pixels[i] > 120) != (i % 5 == 0);
    }
    OK(bnn_data_range(table, 0, MAPS, NULL, &data));
    OK(bnn_fit(&(bnn_config){.net = "conv2d:kernel=1", .engine = "map:epochs=60,lr=0.1", .seed = 1}, data, &run));
    OK(bnn_run_predict(run, data, &how, &plain));
    OK(bnn_calibrate(run, data, &o, &c));
    c->value[0] *= 2;
    bnn_run_set_calibration(run, c);
    OK(bnn_run_predict(run, data, &how, &whole));
    how.taker = &taker;
    OK(bnn_run_predict(run, data, &how, &parts));
    ck_assert_int_eq(maps.rows, MAPS);
    ck_assert_mem_eq(maps.mean, whole->mean, sizeof maps.mean);
    double ll = 0, known = 0;
    for (int i = 0; i < MAPS * PIXELS; i++) {
        const double *p = plain->mean + i / PIXELS * CLASSES * PIXELS + i % PIXELS, odds = pow(p[PIXELS] / p[0], 1 / c->value[0]);
        ck_assert_double_eq_tol(whole->mean[i / PIXELS * CLASSES * PIXELS + PIXELS + i % PIXELS], odds / (1 + odds), 1e-9);
        ck_assert_int_eq(isnan(whole->logp[i]), table->y[i] < 0);
        if (table->y[i] >= 0) ll += log((table->y[i] > 0 ? odds : 1) / (1 + odds)), known++;
    }
    OK(bnn_metrics_compute(plain, data, &before));
    OK(bnn_metrics_compute(parts, data, &after));
    ck_assert_double_eq_tol(after.ll, ll / known, 1e-9);
    ck_assert(after.accuracy == before.accuracy && after.mean_entropy > before.mean_entropy);
    bnn_prediction_free(plain), bnn_prediction_free(whole), bnn_prediction_free(parts);
    bnn_run_free(run), bnn_data_free(data), bnn_table_free(table);
}
END_TEST

START_TEST(names_lead_to_methods) {
    bnn_calibration_method method;
    for (int m = 0; m < BNN_CALIBRATIONS; m++)
        ck_assert(bnn_calibration_find(bnn_calibration_name((bnn_calibration_method)m), &method) && (int)method == m);
    ck_assert(!bnn_calibration_find("platt", &method));
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        intervals_hold_their_level_in_a_thousand_worlds,
        sets_hold_their_level_in_a_thousand_worlds,
        a_quantile_counts_the_new_row,
        a_monte_carlo_error_widens_intervals,
        sets_hold_what_the_threshold_says,
        random_ends_are_those_of_the_seed,
        scaling_finds_what_was_done,
        pixels_of_maps_are_calibrated_as_rows_are,
        isotonic_steps_are_those_by_hand,
        what_cannot_be_calibrated_is_refused,
        a_stretched_distribution_has_its_scores,
        a_calibrated_run_is_not_calibrated_again,
        calibrations_are_kept_in_files_and_by_any_threads,
        calibrated_maps_are_scored_as_they_are_predicted,
        names_lead_to_methods,
        NULL,
    };
    return run_tests("calibrate", tests);
}
