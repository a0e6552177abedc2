/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Blundell, Cornebise, Kavukcuoglu & Wierstra 2015, Weight Uncertainty in Neural Networks, section 5.2: the regression curve.
 *
 *   y = x + 0.3 sin(2 pi (x + e)) + 0.3 sin(4 pi (x + e)) + e,   e ~ N(0, 0.02^2),   x in [0, 0.5]
 *
 * Fitted by Bayes by Backprop with the scale-mixture prior, and by plain maximum a posteriori. Away from the data the Bayesian bands open;
 * the point estimate stays equally sure of itself everywhere.
 *
 * usage: blundell2015_regression [--smoke | CURVE.csv]      CURVE.csv: x, mean and the two sds over [-0.2, 1.2]
 */
#include <bnn/bnn.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_TRAIN = 1000, N_CURVE = 141 };

static double curve(double x, double e) { return x + 0.3 * sin(2 * M_PI * (x + e)) + 0.3 * sin(4 * M_PI * (x + e)) + e; }

/* Training rows first, then the curve's grid without noise. */
static bnn_status make_table(bnn_table **out) {
    double x[N_TRAIN + N_CURVE], y[N_TRAIN + N_CURVE], e[N_TRAIN];
    BNN_TRY(bnn_stream_uniform(bnn_stream_split(bnn_stream_seed(2015), 0), 1, N_TRAIN, x));
    BNN_TRY(bnn_stream_normal(bnn_stream_split(bnn_stream_seed(2015), 1), 1, N_TRAIN, e));
    for (int i = 0; i < N_TRAIN + N_CURVE; i++) {
        bool train = i < N_TRAIN;
        x[i] = train ? 0.5 * x[i] : -0.2 + 0.01 * (i - N_TRAIN);
        y[i] = curve(x[i], train ? 0.02 * e[i] : 0);
    }
    return bnn_table_from(&(bnn_arrays){sizeof(bnn_arrays), .n = N_TRAIN + N_CURVE, .x_size = 1, .y_dim = 1, .x = x, .y = y}, out);
}

static bnn_status fit(const char *engine, const char *prior, const bnn_data *train, const bnn_data *grid, bnn_prediction **out) {
    bnn_config config = {sizeof config,    .net = "dense:100; relu; dense:100; relu; dense",
                         .engine = engine, .likelihood = "gaussian:shape=0",
                         .prior = prior,   .seed = 1};
    bnn_run *run;
    BNN_TRY(bnn_fit(&config, train, &run));
    bnn_status s = bnn_run_predict(run, grid, &(bnn_predict_options){sizeof(bnn_predict_options), .samples = 500, .seed = 1}, out);
    bnn_run_free(run);
    return s;
}

/* Root mean epistemic variance over [low, high]. */
static double sd_between(const bnn_table *t, const bnn_prediction *p, double low, double high) {
    double sum = 0;
    int n = 0;
    for (int i = 0; i < N_CURVE; i++) {
        double x = bnn_table_x(t)[N_TRAIN + i];
        if (x < low || x > high) continue;
        sum += bnn_prediction_var_epistemic(p)[i];
        n++;
    }
    return sqrt(sum / n);
}

static double rmse_inside(const bnn_table *t, const bnn_prediction *p) {
    double sum = 0;
    for (int i = 20; i <= 70; i++) sum += pow(bnn_prediction_mean(p)[i] - bnn_table_y(t)[N_TRAIN + i], 2) / 51; /* x = 0 ... 0.5 */
    return sqrt(sum);
}

static double sd_total(const bnn_prediction *p, int i) {
    return sqrt(bnn_prediction_var_epistemic(p)[i] + bnn_prediction_var_aleatoric(p)[i]);
}

static bnn_status write_curve(const char *path, const bnn_table *t, const bnn_prediction *bayes, const bnn_prediction *point) {
    FILE *out = fopen(path, "w");
    if (!out) return bnn_fail(BNN_ERR_FILE, "%s: cannot be written", path);
    fputs("x,truth,mean,sd_epistemic,sd_total,map,sd_map\n", out);
    for (int i = 0; i < N_CURVE; i++)
        fprintf(out, "%g,%g,%g,%g,%g,%g,%g\n", bnn_table_x(t)[N_TRAIN + i], bnn_table_y(t)[N_TRAIN + i], bnn_prediction_mean(bayes)[i],
                sqrt(bnn_prediction_var_epistemic(bayes)[i]), sd_total(bayes, i), bnn_prediction_mean(point)[i], sd_total(point, i));
    return fclose(out) == 0 ? BNN_OK : bnn_fail(BNN_ERR_FILE, "%s: cannot be written", path);
}

static bnn_status experiment(bool smoke, const char *path) {
    char engine[96], map[48];
    bnn_table *t;
    bnn_data *train, *grid;
    bnn_prediction *bayes, *point;
    BNN_TRY(make_table(&t));
    BNN_TRY(bnn_data_range(t, 0, N_TRAIN, NULL, &train));
    BNN_TRY(bnn_data_range(t, N_TRAIN, N_TRAIN + N_CURVE, bnn_data_scaling(train), &grid));
    snprintf(engine, sizeof engine, "bayes_by_backprop:epochs=%d,lr=0.001,schedule=cosine", smoke ? 150 : 1500);
    snprintf(map, sizeof map, "map:epochs=%d,lr=0.001,schedule=constant", smoke ? 150 : 1500);
    BNN_TRY(fit(engine, "scale_mixture:pi=0.5,sd1=1,sd2=0.1", train, grid, &bayes));
    BNN_TRY(fit(map, "gauss", train, grid, &point));
    printf("rmse_inside %.4f\nsd_inside %.4f\nsd_left %.4f\nsd_right %.4f\nsd_map %.4f\n", rmse_inside(t, bayes),
           sd_between(t, bayes, 0, 0.5), sd_between(t, bayes, -0.2, -0.1), sd_between(t, bayes, 0.8, 1.2), sd_between(t, point, -0.2, 1.2));
    if (path) BNN_TRY(write_curve(path, t, bayes, point));
    bnn_prediction_free(bayes);
    bnn_prediction_free(point);
    bnn_data_free(grid);
    bnn_data_free(train);
    bnn_table_free(t);
    return BNN_OK;
}

int main(int argc, char **argv) {
    const char usage[] = "usage: blundell2015_regression [--smoke | CURVE.csv]";
    bool smoke = argc > 1 && strcmp(argv[1], "--smoke") == 0;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) return puts(usage), 0;
    if (argc > 2 || (argc == 2 && !smoke && argv[1][0] == '-')) return fprintf(stderr, "%s\n", usage), 2;
    if (experiment(smoke, argc > 1 && !smoke ? argv[1] : NULL) == BNN_OK) return 0;
    fprintf(stderr, "%s\n", bnn_error());
    return 2;
}
