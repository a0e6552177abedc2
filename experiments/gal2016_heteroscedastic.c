/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Gal & Ghahramani 2016, the authors' demonstration of dropout with a noise that depends on x (HeteroscedasticDropoutUncertainty): 20
 * points of x sin x without noise, and four that no smooth curve goes through. A network that predicts its own noise sees where they are.
 *
 *   x in [-5, 5], y = x sin x, 20 rows, and (7,-7), (8.5,7), (10,-7), (11.5,7); 20 relu units, gates, 20 sigmoid units, gates, output
 *   one noise:  p = 0.005, 1/tau = 1, l^2 = 10;   loss = squared error / 2 + l^2 (1-p) / (4 N tau) ||W||^2;   descent at 0.001
 *   its noise:  p = 0.05, l^2 = 0.1;              loss = -log p(y | x)     + l^2 (1-p) / (4 N) ||W||^2;       descent at 0.01
 *
 * Claimed is the shape: the predictive sd over [7, 11.5] is far above that over [-5, 5] where the noise is the network's, and is not where
 * it is one number. Minibatches of 12 rows as there; 100 passes. A demonstration has no end: 20,000 epochs here.
 *
 * usage: gal2016_heteroscedastic [--smoke]
 */
#include <bnn/bnn.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SMOOTH = 20, ROWS = 24, GRID = 71 }; /* the grid: -6, -5.75, ..., 11.5 */

static bnn_status make_table(bnn_table **out) {
    static const double rough_x[] = {7, 8.5, 10, 11.5}, rough_y[] = {-7, 7, -7, 7};
    double x[ROWS + GRID], y[ROWS + GRID] = {0};
    for (int i = 0; i < SMOOTH; i++) x[i] = -5 + 10.0 * i / (SMOOTH - 1), y[i] = x[i] * sin(x[i]);
    for (int i = SMOOTH; i < ROWS; i++) x[i] = rough_x[i - SMOOTH], y[i] = rough_y[i - SMOOTH];
    for (int i = 0; i < GRID; i++) x[ROWS + i] = -6 + 0.25 * i;
    return bnn_table_from(&(bnn_arrays){sizeof(bnn_arrays), .n = ROWS + GRID, .x_size = 1, .y_dim = 1, .x = x, .y = y}, out);
}

/* Root mean square over the grid between low and high. */
static double sd_between(const double *var, double low, double high) {
    double sum = 0;
    int n = 0;
    for (int i = 0; i < GRID; i++)
        if (-6 + 0.25 * i >= low && -6 + 0.25 * i <= high) sum += var[i], n++;
    return sqrt(sum / n);
}

static void print(const char *name, const bnn_prediction *p) {
    double total[GRID];
    const double *epistemic = bnn_prediction_var_epistemic(p), *aleatoric = bnn_prediction_var_aleatoric(p);
    for (int i = 0; i < GRID; i++) total[i] = epistemic[i] + aleatoric[i];
    printf("%s_sd_smooth %.3f\n%s_sd_rough %.3f\n", name, sd_between(total, -5, 5), name, sd_between(total, 7, 11.5));
    printf("%s_epistemic_smooth %.3f\n%s_epistemic_rough %.3f\n", name, sd_between(epistemic, -5, 5), name, sd_between(epistemic, 7, 11.5));
    printf("%s_ratio %.2f\n", name, sd_between(total, 7, 11.5) / sd_between(total, -5, 5));
}

static bnn_status arm(const char *name, const char *likelihood, double p, double lr, double length2, int epochs, const bnn_data *train,
                      const bnn_data *grid) {
    char engine[160], prior[64];
    snprintf(engine, sizeof engine, "mc_dropout:p=%g,epochs=%d,batch=12,lr=%g,schedule=constant,optimizer=sgd{momentum=0}", p, epochs, lr);
    snprintf(prior, sizeof prior, "gauss:sd=%.17g,bias_sd=inf", sqrt(2 / length2) / (1 - p)); /* behind a gate the decay is 1/((1-p) sd^2)
                                                                                               */
    bnn_config config = {sizeof config,    .net = "dropout:0; dense:20; relu; dense:20; sigmoid; dense",
                         .engine = engine, .likelihood = likelihood,
                         .prior = prior,   .seed = 1};
    bnn_run *run;
    bnn_prediction *prediction;
    BNN_TRY(bnn_fit(&config, train, &run));
    BNN_TRY(bnn_run_predict(run, grid, &(bnn_predict_options){sizeof(bnn_predict_options), .samples = 100, .seed = 1}, &prediction));
    print(name, prediction);
    bnn_prediction_free(prediction), bnn_run_free(run);
    return BNN_OK;
}

static bnn_status experiment(int epochs) {
    bnn_table *table;
    bnn_data *train, *grid;
    BNN_TRY(make_table(&table));
    BNN_TRY(bnn_data_unscaled(table, 0, ROWS, &train));
    BNN_TRY(bnn_data_unscaled(table, ROWS, ROWS + GRID, &grid));
    BNN_TRY(arm("one_noise", "gaussian:tau=1", 0.005, 0.001, 10, epochs, train, grid));
    BNN_TRY(arm("own_noise", "heteroscedastic", 0.05, 0.01, 0.1, epochs, train, grid));
    printf("gradients %d\n", 2 * epochs * 2); /* two minibatches an epoch, two arms */
    bnn_data_free(grid), bnn_data_free(train), bnn_table_free(table);
    return BNN_OK;
}

int main(int argc, char **argv) {
    const char usage[] = "usage: gal2016_heteroscedastic [--smoke]";
    bool smoke = argc == 2 && strcmp(argv[1], "--smoke") == 0;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) return puts(usage), 0;
    if (argc != 1 + smoke) return fprintf(stderr, "%s\n", usage), 2;
    if (experiment(smoke ? 4000 : 20000) == BNN_OK) return 0;
    fprintf(stderr, "%s\n", bnn_error());
    return 2;
}
