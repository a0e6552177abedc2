/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Daxberger, Kristiadi, Immer, Eschenhagen, Bauer & Hennig 2021, Laplace Redux, and the regression example of its library:
 *
 *   y = sin x + e,   e ~ N(0, 0.3^2),   150 x in [0, 8]
 *
 * A network of 50 tanh units is fitted without weight decay. Then the evidence (MacKay 1992) finds the noise and the precision of the prior,
 * given nothing but the mode: published are 0.28 and 0.10. Beyond the data the linearised bands open; draws of the weights are put into the
 * network instead of its linearisation, and fit the data worse.
 *
 * usage: daxberger2021_sine [--smoke | CURVE.csv]      CURVE.csv: x, mean and the two sds over [-5, 13]
 */
#include <bnn/bnn.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_TRAIN = 150, N_CURVE = 181 };

/* Training rows first, then the curve's grid without noise. */
static bnn_status make_table(bnn_table **out) {
    bnn_real x[N_TRAIN], e[N_TRAIN];
    BNN_TRY(bnn_table_new(N_TRAIN + N_CURVE, bnn_shape_vector(1), 1, 0, out));
    bnn_rng_uniform(bnn_rng_split(bnn_rng_seed(2021), 0), 0, 1, N_TRAIN, x);
    bnn_rng_normal(bnn_rng_split(bnn_rng_seed(2021), 1), 0, 1, N_TRAIN, e);
    for (int i = 0; i < N_TRAIN + N_CURVE; i++) {
        bool train = i < N_TRAIN;
        (*out)->x[i] = train ? 8 * (double)x[i] : -5 + 0.1 * (i - N_TRAIN);
        (*out)->y[i] = sin((*out)->x[i]) + (train ? 0.3 * (double)e[i] : 0);
    }
    return BNN_OK;
}

/* The rows as they are: the published precision is that of weights for x and y in their own units. */
static bnn_status take_rows(const bnn_table *t, int from, int n, bnn_data **out) {
    static double zero[] = {0}, one[] = {1};
    const bnn_scaling as_it_is = {.x_size = 1, .y_dim = 1, .x_mean = zero, .x_sd = one, .y_mean = zero, .y_sd = one};
    int rows[N_CURVE];
    for (int i = 0; i < n; i++) rows[i] = from + i;
    return bnn_data_new(t, n, rows, &as_it_is, out);
}

typedef struct {
    double sd_noise, prec, log_evidence, ll; /* ll: of the training rows, mean */
    bnn_prediction *curve;
} outcome;

static bnn_status fit(const char *options, int epochs, const bnn_data *train, const bnn_data *grid, outcome *out) {
    char engine[160];
    bnn_run *run;
    bnn_prediction *inside = NULL;
    snprintf(engine, sizeof engine, "laplace:engine=map{epochs=%d,batch=150,lr=0.01},%s", epochs, options);
    bnn_config config = {.net = "dense:50; tanh; dense", .engine = engine, .prior = "gauss:sd=1000,bias_sd=1000", .seed = 1};
    BNN_TRY(bnn_fit(&config, train, &run));
    bnn_status s = bnn_predict(run->engine, grid, &(bnn_predict_options){.samples = 500, .seed = 1}, &out->curve);
    if (s == BNN_OK) s = bnn_predict(run->engine, train, &(bnn_predict_options){.samples = 500, .seed = 1}, &inside);
    bnn_block block[BNN_MAX_BLOCKS];
    int n = bnn_engine_vtable(run->engine)->blocks(run->engine, block);
    for (int i = 0; i < n; i++) {
        if (strcmp(block[i].name, "log_evidence") == 0) out->log_evidence = *(const double *)block[i].data;
        if (strcmp(block[i].name, "prior_prec") == 0) out->prec = *(const double *)block[i].data;
    }
    out->sd_noise = s == BNN_OK ? sqrt(inside->var_aleatoric[0]) : 0;
    for (int i = 0; s == BNN_OK && i < N_TRAIN; i++) out->ll += inside->logp[i] / N_TRAIN;
    bnn_prediction_free(inside);
    bnn_run_free(run);
    return s;
}

static double sd_at(const bnn_prediction *p, double x) { return sqrt(p->var_epistemic[(int)lround((x + 5) / 0.1)]); }

static bnn_status write_curve(const char *path, const bnn_table *t, const bnn_prediction *p) {
    FILE *out = fopen(path, "w");
    if (!out) return bnn_fail(BNN_ERR_FILE, "%s: cannot be written", path);
    fputs("x,truth,mean,sd_epistemic,sd_total\n", out);
    for (int i = 0; i < N_CURVE; i++)
        fprintf(out, "%g,%g,%g,%g,%g\n", t->x[N_TRAIN + i], t->y[N_TRAIN + i], p->mean[i], sqrt(p->var_epistemic[i]),
                sqrt(bnn_var_total(p, i)));
    return fclose(out) == 0 ? BNN_OK : bnn_fail(BNN_ERR_FILE, "%s: cannot be written", path);
}

static bnn_status experiment(const char *path) {
    static const char *const options[] = {"structure=full", "structure=kron", "structure=diag", "structure=full,predictive=sampling"};
    static const char *const names[] = {"full", "kron", "diag", "sampling"};
    bnn_table *t;
    bnn_data *train, *grid;
    outcome o[4] = {{0}};
    BNN_TRY(make_table(&t));
    BNN_TRY(take_rows(t, 0, N_TRAIN, &train));
    BNN_TRY(take_rows(t, N_TRAIN, N_CURVE, &grid));
    for (int k = 0; k < 4; k++) BNN_TRY(fit(options[k], 1000, train, grid, &o[k]));
    printf("sd_noise %.4f\nprior_precision %.4f\n", o[0].sd_noise, o[0].prec);
    for (int k = 0; k < 3; k++) printf("log_evidence_%s %.2f\n", names[k], o[k].log_evidence);
    printf("ll_linear %.4f\nll_sampling %.4f\n", o[0].ll, o[3].ll);
    printf("sd_inside %.4f\nsd_left %.4f\nsd_right %.4f\n", sd_at(o[0].curve, 4), sd_at(o[0].curve, -4), sd_at(o[0].curve, 12));
    if (path) BNN_TRY(write_curve(path, t, o[0].curve));
    for (int k = 0; k < 4; k++) bnn_prediction_free(o[k].curve);
    bnn_data_free(grid);
    bnn_data_free(train);
    bnn_table_free(t);
    return BNN_OK;
}

int main(int argc, char **argv) {
    bool smoke = argc > 1 && strcmp(argv[1], "--smoke") == 0;
    if (experiment(argc > 1 && !smoke ? argv[1] : NULL) == BNN_OK) return 0;
    fprintf(stderr, "%s\n", bnn_error());
    return 2;
}
