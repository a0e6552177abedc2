/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_attack.c: attacks on linear models, where the worst case is known; balls, boxes and draws of any.
 */
#include "files.h"

#include <bnn/attack.h>
#include <bnn/fit.h>
#include <bnn/predict.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>

enum { ROWS = 150, IN = 3 }; /* more than two pieces of rows */

typedef struct {
    bnn_table *table;
    bnn_data *data;
    bnn_run *run;
} fitted;

static fitted fit(const char *engine, const char *net, int n_classes) {
    fitted f = {.table = table_new(ROWS, IN, n_classes, 1)};
    f.data = data_new(f.table);
    OK(bnn_fit(&(bnn_config){.net = net, .engine = engine, .likelihood = n_classes ? NULL : "gaussian:tau=0.5", .seed = 1}, f.data,
               &f.run));
    return f;
}

static void fitted_free(fitted *f) {
    bnn_run_free(f->run);
    bnn_data_free(f->data);
    bnn_table_free(f->table);
}

static bnn_table *attacked(const fitted *f, bnn_attack_options how) {
    bnn_table *t;
    how.size = sizeof how;
    OK(bnn_attack(f->run, f->data, &how, &t));
    return t;
}

static double unit_of(const bnn_table *t, int j) {
    double low = INFINITY, high = -INFINITY;
    for (int i = 0; i < ROWS; i++) low = fmin(low, t->x[i * IN + j]), high = fmax(high, t->x[i * IN + j]);
    return high - low;
}

/* [ROWS] of the outputs at a table, without noise. */
static void outputs(const fitted *f, const bnn_table *t, bnn_real *out) {
    const bnn_model *m = bnn_engine_fitted(f->run->engine)->model;
    size_t width = (size_t)m->likelihood.out_dim;
    bnn_real *theta = reals_new((size_t)m->n_theta);
    bnn_workspace *ws;
    bnn_data *d;
    OK(bnn_data_range(t, 0, ROWS, bnn_run_scaling(f->run), &d));
    OK(bnn_engine_draw(f->run->engine, 0, bnn_rng_seed(0), theta));
    OK(bnn_workspace_new(m->net, ROWS, BNN_FORWARD, &ws));
    bnn_net_prepare(m->net, ws, theta, BNN_MEAN, false, bnn_rng_seed(0));
    memcpy(out, bnn_net_forward(m->net, ws, ROWS, 0, d->x), ROWS * width * sizeof *out);
    bnn_workspace_free(ws);
    bnn_data_free(d);
    reals_free(theta);
}

/* Weights of 'dense' with one output, for columns in their units. */
static void weights(const fitted *f, bool measured, double w[IN]) {
    double theta[IN + 2];
    OK(bnn_run_draw(f->run, 0, 0, theta));
    for (int j = 0; j < IN; j++) w[j] = theta[j] / bnn_run_scaling(f->run)->x_sd[j] * (measured ? 1 : unit_of(f->table, j));
}

/* A row far from the ends of every column's range, as the box would cut its way short. */
static bool is_inside(const bnn_table *t, int row, double eps) {
    bool inside = true;
    for (int j = 0; j < IN; j++) {
        double low = INFINITY, high = -INFINITY;
        for (int i = 0; i < ROWS; i++) low = fmin(low, t->x[i * IN + j]), high = fmax(high, t->x[i * IN + j]);
        inside = inside && t->x[row * IN + j] - low > eps * (high - low) && high - t->x[row * IN + j] > eps * (high - low);
    }
    return inside;
}

/* The error of a linear model grows by eps |w|_1, or eps |w|_2, and no more: every method finds that. */
START_TEST(a_linear_model_is_moved_to_its_worst_case) {
    fitted f = fit("map:epochs=300", "dense", 0);
    for (int method = BNN_ATTACK_FGM; method <= BNN_ATTACK_MIM; method++)
        for (int k = 0; k < 4; k++) {
            bool euclidean = k % 2, measured = k / 2;
            double eps = measured ? 0.2 : 0.03, w[IN], worst = 0;
            bnn_table *t = attacked(
                &f, (bnn_attack_options){.method = (bnn_attack_method)method, .eps = eps, .euclidean = euclidean, .as_measured = measured});
            bnn_real before[ROWS], after[ROWS];
            int seen = 0;
            weights(&f, measured, w);
            for (int j = 0; j < IN; j++) worst += euclidean ? w[j] * w[j] : fabs(w[j]);
            worst = eps * (euclidean ? sqrt(worst) : worst);
            outputs(&f, f.table, before), outputs(&f, t, after);
            for (int r = 0; r < ROWS; r++) {
                double y = (double)f.data->y[r], more = fabs((double)after[r] - y) - fabs((double)before[r] - y);
                ck_assert_double_lt(more, worst + 1e-4);
                /* from its random place pgd may see the target on the other side */
                if (!is_inside(f.table, r, measured ? 0.1 : eps) || (method == BNN_ATTACK_PGD && fabs((double)before[r] - y) < worst))
                    continue;
                seen++;
                if (method != BNN_ATTACK_PGD || !euclidean) /* whose last steps are longer than the way that is left */
                    ck_assert_msg(fabs(more - worst) < 1e-3 * worst + 1e-4, "%s, norm %d, unit %d, row %d: the error grows by %g, not %g",
                                  bnn_attack_method_names[method], euclidean, measured, r, more, worst);
                else
                    ck_assert_double_gt(more, 0.95 * worst);
            }
            ck_assert_int_gt(seen, ROWS / 4);
            bnn_table_free(t);
        }
    fitted_free(&f);
}
END_TEST

/* The margin of a class falls by eps |w|_1, so that what is lost is known beforehand. */
START_TEST(a_linear_classifier_loses_the_rows_within_reach) {
    fitted f = fit("map:epochs=300", "dense", 2);
    const bnn_attack_options how = {.size = sizeof how, .method = BNN_ATTACK_BIM, .eps = 0.02};
    bnn_real out[ROWS * 2], moved[ROWS * 2];
    bnn_table *t = attacked(&f, how);
    double theta[IN * 2 + 2], reach = 0;
    int lost = 0, right = 0;
    OK(bnn_run_draw(f.run, 0, 0, theta));
    for (int j = 0; j < IN; j++)
        reach += how.eps * fabs(theta[2 * j] - theta[2 * j + 1]) * unit_of(f.table, j) / bnn_run_scaling(f.run)->x_sd[j];
    outputs(&f, f.table, out), outputs(&f, t, moved);
    for (int r = 0; r < ROWS; r++) {
        int y = (int)f.data->y[r];
        double margin = (double)(out[2 * r + y] - out[2 * r + 1 - y]), is = (double)(moved[2 * r + y] - moved[2 * r + 1 - y]);
        ck_assert_double_lt(margin - reach, is + 1e-3);
        right += margin > 0, lost += margin > 0 && is < 0;
        if (margin > 0 && margin < reach && is_inside(f.table, r, how.eps)) ck_assert_double_lt(is, 1e-3);
    }
    bnn_data *rows;
    bnn_prediction *before, *after;
    bnn_attack_effect effect;
    OK(bnn_data_range(t, 0, ROWS, bnn_run_scaling(f.run), &rows));
    OK(bnn_run_predict(f.run, f.data, &(bnn_predict_options){sizeof(bnn_predict_options), .samples = 1}, &before));
    OK(bnn_run_predict(f.run, rows, &(bnn_predict_options){sizeof(bnn_predict_options), .samples = 1}, &after));
    OK(bnn_attack_measure(f.data, t, before, after, &how, &effect));
    ck_assert_int_eq(effect.tried, right);
    ck_assert_double_eq_tol(effect.success, (double)lost / right, 1e-12);
    ck_assert_double_eq_tol(effect.before - effect.after, (double)lost / ROWS, 1e-12);
    ck_assert(lost > 0 && effect.moved > 0.9 * how.eps && effect.moved <= how.eps * (1 + 1e-9));
    bnn_prediction_free(before), bnn_prediction_free(after), bnn_data_free(rows), bnn_table_free(t);
    fitted_free(&f);
}
END_TEST

/* Led to one class, the others grow less probable there. */
START_TEST(rows_are_led_to_a_class) {
    fitted f = fit("map:epochs=300", "dense:6; tanh; dense", 3);
    bnn_real out[ROWS * 3], moved[ROWS * 3];
    bnn_table *t = attacked(&f, (bnn_attack_options){.method = BNN_ATTACK_MIM, .eps = 0.05, .targeted = true, .towards = 2});
    outputs(&f, f.table, out), outputs(&f, t, moved);
    for (int r = 0; r < ROWS; r++) {
        double was = (double)out[3 * r + 2] - log(exp((double)out[3 * r]) + exp((double)out[3 * r + 1]) + exp((double)out[3 * r + 2]));
        double is =
            (double)moved[3 * r + 2] - log(exp((double)moved[3 * r]) + exp((double)moved[3 * r + 1]) + exp((double)moved[3 * r + 2]));
        ck_assert_double_gt(is, was - 1e-4);
    }
    bnn_table_free(t);
    fitted_free(&f);
}
END_TEST

/* Whatever the method: no way is longer than eps, none leaves the columns' ranges, and the rest of a row stays. */
START_TEST(ways_stay_in_the_ball_and_in_the_box) {
    fitted f = fit("mc_dropout:p=0.2,epochs=50", "dense:6; tanh; dense", 3);
    for (int method = BNN_ATTACK_FGM; method <= BNN_ATTACK_NOISE; method++)
        for (int euclidean = 0; euclidean < 2; euclidean++) {
            const double eps = 0.3;
            bnn_table *t =
                attacked(&f, (bnn_attack_options){.method = (bnn_attack_method)method, .eps = eps, .euclidean = euclidean, .seed = 3});
            ck_assert_mem_eq(t->y, f.table->y, ROWS * sizeof *t->y);
            for (int r = 0; r < ROWS; r++) {
                double squares = 0, most = 0;
                for (int j = 0; j < IN; j++) {
                    double way = (t->x[r * IN + j] - f.table->x[r * IN + j]) / unit_of(f.table, j);
                    squares += way * way, most = fmax(most, fabs(way));
                }
                ck_assert_double_le(euclidean ? sqrt(squares) : most, eps * (1 + 1e-9));
            }
            for (int j = 0; j < IN; j++) ck_assert_double_le(unit_of(t, j), unit_of(f.table, j));
            bnn_table_free(t);
        }
    fitted_free(&f);
}
END_TEST

/* The slope of one draw of a linear model has the signs of its weights; the mean over draws those of the mean. */
START_TEST(slopes_are_means_over_draws) {
    fitted f = fit("sghmc:burnin=20,thin=1,samples=30,chains=1,batch=100", "dense", 0);
    const bnn_model *m = f.run->engine->model;
    bnn_real *theta = reals_new((size_t)m->n_theta), *dx = reals_new(ROWS * IN);
    double *mean = calloc(ROWS * IN, sizeof *mean);
    bnn_workspace *ws;
    OK(bnn_workspace_new(m->net, ROWS, BNN_TO_X, &ws));
    for (int s = 0; s < 30; s++) {
        OK(bnn_engine_draw(f.run->engine, s, bnn_rng_seed(0), theta));
        bnn_model_input_gradient(m, ws, BNN_DRAW, bnn_rng_seed(0), theta, ROWS, f.data->x, f.data->y, dx);
        for (int i = 0; i < ROWS * IN; i++) mean[i] += (double)dx[i];
    }
    bnn_table *t = attacked(&f, (bnn_attack_options){.eps = 0.02, .samples = 30});
    for (int r = 0; r < ROWS; r++)
        for (int j = 0; j < IN; j++) {
            double way = t->x[r * IN + j] - f.table->x[r * IN + j];
            if (way != 0 && fabs(mean[r * IN + j]) > 1e-3)
                ck_assert_msg((way > 0) == (mean[r * IN + j] > 0), "row %d, column %d: slope %g, way %g", r, j, mean[r * IN + j], way);
        }
    bnn_table_free(t);
    bnn_workspace_free(ws);
    reals_free(theta), reals_free(dx), free(mean);
    fitted_free(&f);
}
END_TEST

/* Three steps with momentum by hand, of a network whose slopes turn; units are those of the data. */
START_TEST(momentum_gathers_slopes) {
    enum { STEPS = 3 };
    const double eps = 1, step = 0.4, mu = 0.7;
    fitted f = fit("map:epochs=100", "dense:6; tanh; dense", 0);
    const bnn_model *m = f.run->engine->model;
    const double *x_sd = bnn_run_scaling(f.run)->x_sd;
    bnn_real *theta = reals_new((size_t)m->n_theta), *x = reals_new(ROWS * IN), *dx = reals_new(ROWS * IN);
    double *gathered = calloc(ROWS * IN, sizeof *gathered), *way = calloc(ROWS * IN, sizeof *way);
    bnn_workspace *ws;
    OK(bnn_workspace_new(m->net, ROWS, BNN_TO_X, &ws));
    OK(bnn_engine_draw(f.run->engine, 0, bnn_rng_seed(0), theta));
    for (int k = 0; k < STEPS; k++) {
        for (int i = 0; i < ROWS * IN; i++) x[i] = f.data->x[i] + (bnn_real)(way[i] / x_sd[i % IN]);
        bnn_model_input_gradient(m, ws, BNN_MEAN, bnn_rng_seed(0), theta, ROWS, x, f.data->y, dx);
        for (int r = 0; r < ROWS; r++) {
            double sum = 0, squares = 0, length = 0;
            for (int i = r * IN; i < (r + 1) * IN; i++) sum += fabs((double)dx[i] / x_sd[i % IN]);
            for (int i = r * IN; i < (r + 1) * IN; i++) {
                gathered[i] = mu * gathered[i] + (double)dx[i] / x_sd[i % IN] / sum;
                squares += gathered[i] * gathered[i];
            }
            for (int i = r * IN; i < (r + 1) * IN; i++) {
                way[i] += step * gathered[i] / sqrt(squares);
                length += way[i] * way[i];
            }
            for (int i = r * IN; length > eps * eps && i < (r + 1) * IN; i++) way[i] *= eps / sqrt(length);
        }
    }
    bnn_table *t = attacked(&f, (bnn_attack_options){.method = BNN_ATTACK_MIM,
                                                     .euclidean = true,
                                                     .as_measured = true,
                                                     .eps = eps,
                                                     .step = step,
                                                     .momentum = mu,
                                                     .iterations = STEPS});
    int seen = 0;
    for (int r = 0; r < ROWS; r++) {
        if (!is_inside(f.table, r, 0.25)) continue; /* where the box may cut a way short */
        seen++;
        for (int i = r * IN; i < (r + 1) * IN; i++)
            ck_assert_msg(fabs(t->x[i] - f.table->x[i] - way[i]) < 1e-3, "row %d goes %g, not %g", r, t->x[i] - f.table->x[i], way[i]);
    }
    ck_assert_int_gt(seen, 5);
    bnn_table_free(t);
    bnn_workspace_free(ws);
    reals_free(theta), reals_free(x), reals_free(dx), free(gathered), free(way);
    fitted_free(&f);
}
END_TEST

START_TEST(any_number_of_threads_gives_the_same_bits) {
    static const char *const engines[] = {"mc_dropout:p=0.2,epochs=20", "ensemble:engine=map{epochs=20},members=2",
                                          "last_layer:engine=map{epochs=20}", "ensemble:engine=laplace{engine=map{epochs=20}},members=2",
                                          "bayes_by_backprop:epochs=20"};
    for (size_t k = 0; k < sizeof engines / sizeof *engines; k++) {
        fitted f = fit(engines[k], "dense:6; tanh; dense", 0);
        const bnn_attack_options how = {.method = BNN_ATTACK_PGD, .eps = 0.1, .seed = 2};
        omp_set_num_threads(1);
        bnn_table *one = attacked(&f, how);
        omp_set_num_threads(4);
        bnn_table *four = attacked(&f, how);
        ck_assert_mem_eq(one->x, four->x, ROWS * IN * sizeof *one->x);
        ck_assert_mem_ne(one->x, f.table->x, ROWS * IN * sizeof *one->x);
        bnn_table_free(one), bnn_table_free(four);
        fitted_free(&f);
    }
}
END_TEST

/* A column with one value, and an image's greys. */
START_TEST(constant_columns_stay_and_images_have_their_own_range) {
    bnn_table *t = table_new(ROWS, IN, 0, 1);
    for (int i = 0; i < ROWS; i++) t->x[i * IN + 1] = 7;
    fitted f = {.table = t, .data = data_new(t)};
    OK(bnn_fit(&(bnn_config){.net = "dense", .engine = "map:epochs=20", .likelihood = "gaussian:tau=0.5"}, f.data, &f.run));
    bnn_table *a = attacked(&f, (bnn_attack_options){.eps = 0.1});
    for (int i = 0; i < ROWS; i++) ck_assert(a->x[i * IN + 1] == 7 && a->x[i * IN] != t->x[i * IN]);
    bnn_table_free(a);
    t->scale = BNN_SCALE_RANGE, t->range = 50;
    a = attacked(&f, (bnn_attack_options){.eps = 0.01});
    int moved = 0;
    for (int i = 0; i < ROWS; i++) moved += fabs(fabs(a->x[i * IN] - t->x[i * IN]) - 0.5) < 1e-6;
    ck_assert_int_gt(moved, ROWS / 2);
    bnn_table_free(a);
    fitted_free(&f);
}
END_TEST

enum { MAPS = 9, PIXELS = 12, VOID = 5 }; /* more than two pieces; the pixel of each map that nobody knows */

/* Grey pictures whose dark pixels are of class 0 and bright ones of class 1, by a network that sees pixels one by one. */
static fitted fit_maps(void) {
    fitted f;
    OK(bnn_table_new_images(MAPS, (bnn_shape){.rank = 3, .d = {1, 3, 4}}, (bnn_shape){.rank = 2, .d = {3, 4}}, 2, &f.table));
    for (int i = 0; i < MAPS * PIXELS; i++) {
        f.table->pixels[i] = (uint8_t)(20 + i * 37 % 200);
        f.table->y[i] = i % PIXELS == VOID ? -1 : f.table->pixels[i] + i % 3 * 10 > 130;
    }
    f.table->scale = BNN_SCALE_RANGE, f.table->range = 255;
    OK(bnn_data_range(f.table, 0, MAPS, NULL, &f.data));
    OK(bnn_fit(&(bnn_config){.net = "conv2d:kernel=1", .engine = "map:epochs=200,lr=0.05", .seed = 1}, f.data, &f.run));
    return f;
}

/* Each pixel goes the whole way that its own class asks for, and one without a class stays; what is lost is counted by pixels. */
START_TEST(pixels_of_maps_are_moved_by_their_own_class) {
    enum { KNOWN = MAPS * (PIXELS - 1) };
    fitted f = fit_maps();
    const bnn_predict_options once = {sizeof once, .samples = 1};
    for (int targeted = 0; targeted < 2; targeted++) {
        const bnn_attack_options how = {
            .size = sizeof how, .method = BNN_ATTACK_BIM, .eps = 0.04, .targeted = targeted, .towards = targeted};
        bnn_table *t = attacked(&f, how);
        bnn_data *rows;
        bnn_prediction *before, *after;
        bnn_attack_effect effect;
        int right = 0, others = 0;
        double lost = 0;
        OK(bnn_data_range(t, 0, MAPS, bnn_run_scaling(f.run), &rows));
        OK(bnn_run_predict(f.run, f.data, &once, &before));
        OK(bnn_run_predict(f.run, rows, &once, &after));
        for (int i = 0; i < MAPS * PIXELS; i++) {
            int y = (int)f.table->y[i], at = i / PIXELS * 2 * PIXELS + i % PIXELS, was = before->mean[at] < before->mean[at + PIXELS],
                is = after->mean[at] < after->mean[at + PIXELS];
            bool tried = targeted ? y == 0 && was == 0 : y == was;
            double way = y < 0 ? 0 : 255 * how.eps * (targeted || y == 0 ? 1 : -1);
            ck_assert_double_eq_tol(t->x[i] - f.table->pixels[i], way, 1e-9);
            right += y >= 0 && y == was, others += y >= 0 && tried, lost += y >= 0 && tried && is != was;
        }
        OK(bnn_attack_measure(f.data, t, before, after, &how, &effect));
        ck_assert_int_eq(effect.tried, others);
        ck_assert_double_eq_tol(effect.before, (double)right / KNOWN, 1e-12);
        ck_assert(lost > 0 && fabs(effect.success - lost / others) < 1e-12 && fabs(effect.moved - how.eps) < 1e-9);
        bnn_prediction_free(before), bnn_prediction_free(after), bnn_data_free(rows), bnn_table_free(t);
    }
    fitted_free(&f);
}
END_TEST

START_TEST(what_makes_no_sense_is_refused) {
    static const struct {
        bnn_attack_options how;
        const char *sentence;
    } refused[] = {{{.eps = -1}, "an attack needs a length eps of 0 or more, not -1"},
                   {{.eps = NAN}, "an attack needs a length eps of 0 or more"},
                   {{.eps = 1, .step = -2}, "an attack needs a step of 0 or more, not -2"},
                   {{.eps = 1, .targeted = true, .towards = 3}, "3 is no class to be led to: there are 3, counted from 0"},
                   {{.eps = 1, .targeted = true, .towards = 0.5}, "0.5 is no class to be led to"},
                   {{.eps = 1, .iterations = -1}, "iterations and samples of an attack are 0 or more"}};
    fitted f = fit("map:epochs=2", "dense", 3);
    bnn_table *t;
    for (size_t k = 0; k < sizeof refused / sizeof *refused; k++) {
        bnn_attack_options how = refused[k].how;
        how.size = sizeof how;
        SAYS(bnn_attack(f.run, f.data, &how, &t), refused[k].sentence);
    }
    bnn_data bare = *f.data;
    bare.y = NULL;
    SAYS(bnn_attack(f.run, &bare, &(bnn_attack_options){sizeof(bnn_attack_options), .eps = 1}, &t),
         "rows without targets can only be led to one");
    fitted_free(&f);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {a_linear_model_is_moved_to_its_worst_case,
                                  a_linear_classifier_loses_the_rows_within_reach,
                                  rows_are_led_to_a_class,
                                  ways_stay_in_the_ball_and_in_the_box,
                                  slopes_are_means_over_draws,
                                  momentum_gathers_slopes,
                                  any_number_of_threads_gives_the_same_bits,
                                  constant_columns_stay_and_images_have_their_own_range,
                                  pixels_of_maps_are_moved_by_their_own_class,
                                  what_makes_no_sense_is_refused,
                                  NULL};
    return run_tests("attack", tests);
}
