/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_detect.c: detection against other implementations, and scores of rows against their definitions.
 */
#include "files.h"

#include <bnn/detect.h>
#include <bnn/predict.h>
#include <bnn/store.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

/* ---------------------------------------------------------------- other implementations */

enum { MOST_ROWS = 200 };

/* The scores of one case by kind; n[2] are their numbers. */
static void read_case(const char *name, double score[2][MOST_ROWS], int n[2]) {
    char line[256], of[32];
    FILE *f = files_beside("detect_scores.csv");
    n[0] = n[1] = 0;
    while (fgets(line, sizeof line, f)) {
        int kind;
        double value;
        ck_assert_int_eq(sscanf(line, "%31[^,],%d,%lf", of, &kind, &value), 3);
        if (strcmp(of, name) == 0) score[kind][n[kind]++] = value;
    }
    fclose(f);
}

/* tests/apply/detect_reference.py made both files. */
START_TEST(numbers_are_those_of_proc_and_scikit_learn) {
    char line[256];
    FILE *f = files_beside("detect_reference.csv");
    int cases = 0;
    ck_assert(fgets(line, sizeof line, f) != NULL);
    for (; fgets(line, sizeof line, f); cases++) {
        char name[32];
        double score[2][MOST_ROWS], r[4];
        int n[2];
        bnn_detection *d;
        ck_assert_int_eq(sscanf(line, "%31[^,],%lf,%lf,%lf,%lf", name, r, r + 1, r + 2, r + 3), 5);
        read_case(name, score, n);
        OK(bnn_detect(n[0], score[0], n[1], score[1], &d));
        const double is[] = {d->auroc, d->auroc_se, d->average_precision, d->fpr_95};
        for (int k = 0; k < 4; k++)
            ck_assert_msg(fabs(is[k] - r[k]) < 1e-12, "number %d of '%s' is %.15g, not %.15g", k, name, is[k], r[k]);
        bnn_detection_free(d);
    }
    fclose(f);
    ck_assert_int_eq(cases, 8);
}
END_TEST

START_TEST(curves_rise_from_none_to_all) {
    double in[] = {0, 1, 1, 2}, out[] = {1, 3, INFINITY};
    bnn_detection *d;
    OK(bnn_detect(4, in, 3, out, &d));
    ck_assert_int_eq(d->n_points, 6);
    ck_assert(isinf(d->threshold[0]) && d->fpr[0] == 0 && d->tpr[0] == 0 && d->precision[0] == 1);
    ck_assert(d->threshold[4] == 1 && d->fpr[4] == 0.75 && d->tpr[4] == 1 && d->precision[4] == 0.5);
    ck_assert(d->fpr[5] == 1 && d->tpr[5] == 1);
    ck_assert(d->fpr_95 == 0.75);
    bnn_detection_free(d);
}
END_TEST

START_TEST(one_row_of_a_kind_has_no_standard_error) {
    double in[] = {0, 1}, out[] = {0.5};
    bnn_detection *d;
    OK(bnn_detect(2, in, 1, out, &d));
    ck_assert(d->auroc == 0.5 && isnan(d->auroc_se));
    bnn_detection_free(d);
}
END_TEST

START_TEST(what_cannot_be_detected_is_refused) {
    double in[] = {0, 1}, out[] = {NAN, 0.5};
    bnn_detection *d;
    REFUSED(bnn_detect(2, in, 0, out, &d), "2 rows in and 0 rows out: detection is measured on rows of both kinds");
    REFUSED(bnn_detect(0, in, 2, out, &d), "0 rows in and 2 rows out: detection is measured on rows of both kinds");
    REFUSED(bnn_detect(2, in, 2, out, &d), "the score of row 0 of those out is not a number");
    REFUSED(bnn_detect(2, out, 2, in, &d), "the score of row 0 of those in is not a number");
    ck_assert(d == NULL);
}
END_TEST

/* ---------------------------------------------------------------- scores of rows */

enum { N = 90, D = 3 };

/* A run on a table of this kind, with rows of its own scaling that lie elsewhere. */
typedef struct {
    bnn_table *table, *elsewhere;
    bnn_data *train, *rows;
    bnn_run *run;
} world;

static void world_open(const char *net, const char *engine, int n_classes, world *w) {
    w->table = table_new(N, D, n_classes, 3), w->elsewhere = table_new(N, D, n_classes, 4);
    for (int i = 0; i < N * D; i++) w->elsewhere->x[i] = 2 * w->elsewhere->x[i] + 1;
    w->train = data_new(w->table);
    OK(bnn_fit(&(bnn_config){sizeof(bnn_config), .net = net, .engine = engine, .seed = 1}, w->train, &w->run));
    OK(bnn_data_range(w->elsewhere, 0, N, bnn_run_scaling(w->run), &w->rows));
}

static void world_close(world *w) {
    bnn_run_free(w->run);
    bnn_data_free(w->rows), bnn_data_free(w->train);
    bnn_table_free(w->elsewhere), bnn_table_free(w->table);
}

static const bnn_predict_options how = {sizeof how, .samples = 20, .seed = 5};

static void scores_of(const world *w, bool distance, bnn_row_scores **out) {
    OK(bnn_row_scores_new(w->run, w->rows, distance ? w->train : NULL, &how, out));
}

START_TEST(scores_of_classes_are_what_they_are_called) {
    world w;
    bnn_row_scores *s;
    bnn_prediction *p;
    world_open("dense:5; relu; dense", "mc_dropout:steps=60", 3, &w);
    scores_of(&w, false, &s);
    OK(bnn_run_predict(w.run, w.rows, &how, &p));
    ck_assert(s->n == N && !s->of[BNN_ROW_EPISTEMIC_VARIANCE] && !s->of[BNN_ROW_DISTANCE]);
    for (int i = 0; i < N; i++) {
        const double *q = p->mean + 3 * i, *v = p->var_epistemic + 3 * i;
        ck_assert_double_eq(s->of[BNN_ROW_MAX_PROBABILITY][i], 1 - fmax(q[0], fmax(q[1], q[2])));
        ck_assert_double_eq(s->of[BNN_ROW_ENTROPY][i], bnn_prediction_entropy(p, i));
        ck_assert_double_eq(s->of[BNN_ROW_MUTUAL_INFORMATION][i], bnn_prediction_mutual_information(p, i));
        ck_assert_double_eq(s->of[BNN_ROW_EXPECTED_ENTROPY][i], p->expected_entropy[i]);
        ck_assert_double_eq_tol(s->of[BNN_ROW_VARIANCE][i], v[0] + v[1] + v[2], 1e-15);
    }
    bnn_prediction_free(p);
    bnn_row_scores_free(s);
    world_close(&w);
}
END_TEST

/* One affine layer: its outputs are known from theta, kernel [D, 3] and bias. */
START_TEST(energy_is_that_of_the_outputs) {
    world w;
    bnn_row_scores *s;
    double theta[(D + 1) * 3];
    world_open("dense", "map:steps=50", 3, &w);
    scores_of(&w, false, &s);
    OK(bnn_run_draw(w.run, 0, 0, theta));
    for (int i = 0; i < N; i++) {
        double sum = 0;
        for (int c = 0; c < 3; c++) {
            double f = theta[3 * D + c];
            for (int d = 0; d < D; d++) f += (double)w.rows->x[i * D + d] * theta[d * 3 + c];
            sum += exp(f);
        }
        ck_assert_double_eq_tol(s->of[BNN_ROW_ENERGY][i], -log(sum), 1e-5);
    }
    bnn_row_scores_free(s);
    world_close(&w);
}
END_TEST

START_TEST(variances_of_real_targets_are_in_units_of_their_own) {
    world w;
    bnn_row_scores *s;
    bnn_prediction *p;
    world_open("dense:5; relu; dense", "mc_dropout:steps=60", 0, &w);
    scores_of(&w, false, &s);
    OK(bnn_run_predict(w.run, w.rows, &how, &p));
    double unit = pow(bnn_scaling_y_sd(bnn_run_scaling(w.run))[0], 2);
    for (int k = 0; k < BNN_ROW_SCORES; k++) ck_assert((s->of[k] != NULL) == (k == BNN_ROW_VARIANCE || k == BNN_ROW_EPISTEMIC_VARIANCE));
    for (int i = 0; i < N; i++) {
        ck_assert_double_eq_tol(s->of[BNN_ROW_EPISTEMIC_VARIANCE][i], p->var_epistemic[i] / unit, 1e-12);
        ck_assert_double_eq_tol(s->of[BNN_ROW_VARIANCE][i], bnn_var_total(p, i) / unit, 1e-12);
    }
    bnn_prediction_free(p);
    bnn_row_scores_free(s);
    world_close(&w);
}
END_TEST

/* (x - m)^T (C + ridge I)^-1 (x - m) of standardised x by Cramer's rule, m and C of the training rows of class g (or all, g < 0), less the
 * means of their classes in C. */
static double defined_distance(const world *w, double mean[][D], int g, int row) {
    double c[D][D] = {{0}}, v[D], trace = 0;
    for (int i = 0; i < N; i++) {
        int of = g < 0 ? 0 : (int)w->train->y[i];
        for (int a = 0; a < D; a++)
            for (int b = 0; b < D; b++)
                c[a][b] += ((double)w->train->x[i * D + a] - mean[of][a]) * ((double)w->train->x[i * D + b] - mean[of][b]) / N;
    }
    for (int a = 0; a < D; a++) trace += c[a][a], v[a] = (double)w->rows->x[row * D + a] - mean[g < 0 ? 0 : g][a];
    for (int a = 0; a < D; a++) c[a][a] += trace / D / 1000;
    double det = 0, sum = 0;
    for (int a = 0; a < D; a++) {
        int a1 = (a + 1) % D, a2 = (a + 2) % D;
        det += c[0][a] * (c[1][a1] * c[2][a2] - c[1][a2] * c[2][a1]);
        for (int b = 0; b < D; b++) {
            int b1 = (b + 1) % D, b2 = (b + 2) % D;
            sum += v[a] * v[b] * (c[a1][b1] * c[a2][b2] - c[a1][b2] * c[a2][b1]);
        }
    }
    return sum / det;
}

static void take_means(const world *w, int groups, double mean[][D]) {
    for (int g = 0; g < groups; g++) {
        int n = 0;
        for (int d = 0; d < D; d++) mean[g][d] = 0;
        for (int i = 0; i < N; i++)
            if (groups == 1 || (int)w->train->y[i] == g) {
                n++;
                for (int d = 0; d < D; d++) mean[g][d] += (double)w->train->x[i * D + d];
            }
        for (int d = 0; d < D; d++) mean[g][d] /= n;
    }
}

/* The last layer of "dense" sees the standardised x. */
START_TEST(distance_is_that_of_mahalanobis) {
    for (int groups = 1; groups <= 3; groups += 2) {
        world w;
        bnn_row_scores *s;
        double mean[3][D];
        world_open("dense", "map:steps=5", groups > 1 ? groups : 0, &w);
        scores_of(&w, true, &s);
        take_means(&w, groups, mean);
        for (int i = 0; i < N; i++) {
            double least = INFINITY;
            for (int g = 0; g < groups; g++) least = fmin(least, defined_distance(&w, mean, groups > 1 ? g : -1, i));
            ck_assert_msg(fabs(s->of[BNN_ROW_DISTANCE][i] / least - 1) < 1e-4, "row %d: %g, defined %g", i, s->of[BNN_ROW_DISTANCE][i],
                          least);
        }
        bnn_row_scores_free(s);
        world_close(&w);
    }
}
END_TEST

/* A hidden layer that is the identity shows the last one x itself. */
START_TEST(distance_is_measured_in_the_last_hidden_layer) {
    world plain, hidden;
    bnn_row_scores *a, *b;
    double theta[D * D + D + D + 1 + 1] = {0}; /* the last one is of the noise */
    world_open("dense", "map:steps=5", 0, &plain);
    world_open("dense:3; dropout:p=0.5; dense", "mc_dropout:steps=5", 0, &hidden);
    bnn_run_free(hidden.run);
    OK(bnn_run_new(&(bnn_config){sizeof(bnn_config), .net = "dense:3; dropout:p=0.5; dense", .engine = "map", .seed = 1}, hidden.train,
                   &hidden.run));
    for (int d = 0; d < D; d++) theta[d * D + d] = 1;
    OK(bnn_run_set_theta(hidden.run, theta));
    scores_of(&plain, true, &a), scores_of(&hidden, true, &b);
    for (int i = 0; i < N; i++)
        ck_assert_double_eq_tol(a->of[BNN_ROW_DISTANCE][i], b->of[BNN_ROW_DISTANCE][i], 1e-4 * a->of[BNN_ROW_DISTANCE][i]);
    bnn_row_scores_free(a), bnn_row_scores_free(b);
    world_close(&plain), world_close(&hidden);
}
END_TEST

START_TEST(scores_are_the_same_bits_at_any_number_of_threads) {
    static const char *const engines[] = {"mc_dropout:steps=20", "ensemble:members=3,engine=map{steps=10}",
                                          "sghmc:chains=2,samples=20,burnin=20"};
    for (int e = 0; e < 3; e++) {
        world w;
        bnn_row_scores *one, *two;
        world_open("dense:5; relu; dense", engines[e], 3, &w);
        omp_set_num_threads(1);
        scores_of(&w, true, &one);
        omp_set_num_threads(2);
        scores_of(&w, true, &two);
        for (int k = 0; k < BNN_ROW_SCORES; k++)
            if (one->of[k]) ck_assert_mem_eq(one->of[k], two->of[k], N * sizeof(double));
        bnn_row_scores_free(one), bnn_row_scores_free(two);
        world_close(&w);
    }
}
END_TEST

START_TEST(rows_of_unknown_classes_have_scores_too) {
    world w;
    bnn_row_scores *s, *again;
    world_open("dense:5; relu; dense", "map:steps=20", 3, &w);
    scores_of(&w, true, &s);
    bnn_table *other = table_new(N, D, 7, 4);
    bnn_data *rows;
    for (int i = 0; i < N * D; i++) other->x[i] = w.elsewhere->x[i];
    OK(bnn_data_range(other, 0, N, bnn_run_scaling(w.run), &rows));
    OK(bnn_row_scores_new(w.run, rows, w.train, &how, &again));
    ck_assert_mem_eq(s->of[BNN_ROW_ENTROPY], again->of[BNN_ROW_ENTROPY], N * sizeof(double));
    bnn_data_free(rows);
    bnn_table_free(other);
    bnn_row_scores_free(s), bnn_row_scores_free(again);
    world_close(&w);
}
END_TEST

START_TEST(a_file_gives_back_what_was_measured) {
    world w;
    bnn_row_scores *in, *out;
    bnn_detection *back[BNN_ROW_SCORES];
    bnn_detections all = {0};
    bnn_lint *lint;
    const char *path = files_path("found.h5");
    world_open("dense:5; relu; dense", "map:steps=20", 3, &w);
    scores_of(&w, true, &out);
    OK(bnn_row_scores_new(w.run, w.train, w.train, &how, &in));
    all = (bnn_detections){.in = w.train, .out = w.rows, .in_scores = in, .out_scores = out};
    for (int k = BNN_ROW_ENERGY; k <= BNN_ROW_DISTANCE; k++) OK(bnn_detect(N, in->of[k], N, out->of[k], &all.of[k]));
    OK(bnn_detections_save(&all, NULL, path));
    OK(bnn_file_lint(path, &lint));
    ck_assert_int_eq(lint->n_findings, 0);
    OK(bnn_detections_load(path, back));
    for (int k = 0; k < BNN_ROW_SCORES; k++) {
        const bnn_detection *a = all.of[k], *b = back[k];
        ck_assert((a != NULL) == (b != NULL));
        if (!a) continue;
        ck_assert(a->n_in == b->n_in && a->n_out == b->n_out && a->n_points == b->n_points && a->auroc == b->auroc);
        ck_assert(a->auroc_se == b->auroc_se && a->average_precision == b->average_precision && a->fpr_95 == b->fpr_95);
        ck_assert_mem_eq(a->threshold, b->threshold, (size_t)a->n_points * sizeof(double));
        ck_assert_mem_eq(a->precision, b->precision, (size_t)a->n_points * sizeof(double));
        bnn_detection_free(all.of[k]), bnn_detection_free(back[k]);
    }
    bnn_lint_free(lint);
    bnn_row_scores_free(in), bnn_row_scores_free(out);
    world_close(&w);
    files_remove();
}
END_TEST

START_TEST(scores_that_are_no_numbers_are_refused) {
    static const char *const says[] = {"score 'variance' of row 1 is not a number: its prediction is not finite",
                                       "score 'max_probability' of row 1 is not a number: its prediction is not finite"};
    for (int k = 0; k < 2; k++) {
        world w;
        bnn_row_scores *s;
        double theta[100];
        world_open("dense", "map:steps=1", k ? 3 : 0, &w);
        bnn_run_free(w.run);
        OK(bnn_run_new(&(bnn_config){sizeof(bnn_config), .net = "dense", .engine = "map", .seed = 1}, w.train, &w.run));
        for (int i = 0; i < bnn_run_n_theta(w.run); i++) theta[i] = NAN;
        OK(bnn_run_set_theta(w.run, theta));
        REFUSED(bnn_row_scores_new(w.run, w.rows, NULL, &how, &s), says[k]);
        ck_assert(s == NULL);
        world_close(&w);
    }
}
END_TEST

START_TEST(names_lead_to_scores) {
    bnn_row_score score;
    for (int k = 0; k < BNN_ROW_SCORES; k++)
        ck_assert(bnn_row_score_find(bnn_row_score_name((bnn_row_score)k), &score) && score == (bnn_row_score)k);
    ck_assert(!bnn_row_score_find("entropie", &score));
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        numbers_are_those_of_proc_and_scikit_learn,
        curves_rise_from_none_to_all,
        one_row_of_a_kind_has_no_standard_error,
        what_cannot_be_detected_is_refused,
        scores_of_classes_are_what_they_are_called,
        energy_is_that_of_the_outputs,
        variances_of_real_targets_are_in_units_of_their_own,
        distance_is_that_of_mahalanobis,
        distance_is_measured_in_the_last_hidden_layer,
        scores_are_the_same_bits_at_any_number_of_threads,
        rows_of_unknown_classes_have_scores_too,
        a_file_gives_back_what_was_measured,
        scores_that_are_no_numbers_are_refused,
        names_lead_to_scores,
        NULL,
    };
    return run_tests("detect", tests);
}
