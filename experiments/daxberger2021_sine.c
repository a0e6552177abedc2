/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Daxberger, Kristiadi, Immer, Eschenhagen, Bauer & Hennig 2021, Laplace Redux, and the regression example of its library:
 *
 *   y = sin x + e,   e ~ N(0, 0.3^2),   150 x in [0, 8]
 *
 * A network of 50 tanh units, whose parameters begin at U(-a, a) with a^2 = 1/inputs as in PyTorch, is fitted without weight decay. Then
 * the evidence (MacKay 1992) finds noise and prior precision for this mode. Published, of one data set: 0.28 and 0.10; here the means over
 * ten. Beyond the data the linearised bands open. Draws of the weights, put into the network and not into its linearisation, fit the data
 * worse.
 *
 * usage: daxberger2021_sine [--smoke | CURVE.csv]      CURVE.csv: x, mean and the two sds over [-5, 13], of the first data set
 */
#include <bnn/bnn.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { N_TRAIN = 150, N_CURVE = 181, DATA_SETS = 10, UNITS = 50 };

/* Training rows first, then the curve's grid without noise. */
static bnn_status make_table(uint64_t set, bnn_table **out) {
    double x[N_TRAIN + N_CURVE], y[N_TRAIN + N_CURVE], e[N_TRAIN];
    uint64_t stream = bnn_stream_split(bnn_stream_seed(2021), set);
    BNN_TRY(bnn_stream_uniform(bnn_stream_split(stream, 0), 1, N_TRAIN, x));
    BNN_TRY(bnn_stream_normal(bnn_stream_split(stream, 1), 1, N_TRAIN, e));
    for (int i = 0; i < N_TRAIN + N_CURVE; i++) {
        bool train = i < N_TRAIN;
        x[i] = train ? 8 * x[i] : -5 + 0.1 * (i - N_TRAIN);
        y[i] = sin(x[i]) + (train ? 0.3 * e[i] : 0);
    }
    return bnn_table_from(&(bnn_arrays){sizeof(bnn_arrays), .n = N_TRAIN + N_CURVE, .x_size = 1, .y_dim = 1, .x = x, .y = y}, out);
}

static bnn_status finish(bnn_run *run, const bnn_data *train) {
    for (double share; !bnn_run_complete(run);) BNN_TRY(bnn_run_step(run, train, &share));
    return BNN_OK;
}

static const char net[] = "dense:50; tanh; dense", prior[] = "gauss:sd=1000,bias_sd=1000", noise[] = "gaussian:shape=0";

static bnn_status fit_mode(uint64_t set, const bnn_data *train, bnn_run **out) {
    bnn_config config = {sizeof config,       .net = net,     .engine = "map:epochs=1000,batch=150,lr=0.01,schedule=constant",
                         .likelihood = noise, .prior = prior, .seed = set};
    double theta[3 * UNITS + 2]; /* kernel and bias of one input, then of UNITS, then the noise, which keeps its initial value */
    BNN_TRY(bnn_run_new(&config, train, out));
    BNN_TRY(bnn_run_draw(*out, 0, 0, theta));
    BNN_TRY(bnn_stream_uniform(bnn_stream_split(bnn_stream_seed(1), set), 1, 3 * UNITS + 1, theta));
    for (int i = 0; i < 3 * UNITS + 1; i++) theta[i] = (2 * theta[i] - 1) / (i < 2 * UNITS ? 1 : sqrt(UNITS));
    BNN_TRY(bnn_run_set_theta(*out, theta));
    return finish(*out, train);
}

typedef struct {
    double sd_noise, prec, log_evidence, ll; /* ll: of the training rows, mean */
    bnn_prediction *curve;
} outcome;

static bnn_status fit(const char *engine, const bnn_run *mode, const bnn_data *train, const bnn_data *grid, outcome *out) {
    bnn_predict_options how = {sizeof how, .samples = 500, .seed = 1};
    bnn_prediction *inside;
    bnn_run *run;
    BNN_TRY(bnn_run_new(&(bnn_config){sizeof(bnn_config), .net = net, .engine = engine, .likelihood = noise, .prior = prior}, train, &run));
    BNN_TRY(bnn_run_begin(run, mode));
    BNN_TRY(finish(run, train));
    BNN_TRY(bnn_run_predict(run, grid, &how, &out->curve));
    BNN_TRY(bnn_run_predict(run, train, &how, &inside));
    bnn_run_state(run, "log_evidence", 1, &out->log_evidence);
    bnn_run_state(run, "prior_prec", 1, &out->prec);
    out->sd_noise = sqrt(bnn_prediction_var_aleatoric(inside)[0]);
    for (int i = 0; i < N_TRAIN; i++) out->ll += bnn_prediction_logp(inside)[i] / N_TRAIN;
    bnn_prediction_free(inside);
    bnn_run_free(run);
    return BNN_OK;
}

static double sd_at(const bnn_prediction *p, double x) { return sqrt(bnn_prediction_var_epistemic(p)[lround((x + 5) / 0.1)]); }

static bnn_status write_curve(const char *path, const bnn_table *t, const bnn_prediction *p) {
    FILE *out = fopen(path, "w");
    if (!out) return bnn_fail(BNN_ERR_FILE, "%s: cannot be written", path);
    fputs("x,truth,mean,sd_epistemic,sd_total\n", out);
    for (int i = 0; i < N_CURVE; i++) {
        double epistemic = bnn_prediction_var_epistemic(p)[i], aleatoric = bnn_prediction_var_aleatoric(p)[i];
        fprintf(out, "%g,%g,%g,%g,%g\n", bnn_table_x(t)[N_TRAIN + i], bnn_table_y(t)[N_TRAIN + i], bnn_prediction_mean(p)[i],
                sqrt(epistemic), sqrt(epistemic + aleatoric));
    }
    return fclose(out) == 0 ? BNN_OK : bnn_fail(BNN_ERR_FILE, "%s: cannot be written", path);
}

enum { FULL, KRON, DIAG, SAMPLING, WAYS };

static bnn_status data_set(uint64_t set, const char *path, outcome sum[WAYS], double sd[3]) {
    static const char *const ways[] = {"structure=full", "structure=kron", "structure=diag", "structure=full,predictive=sampling"};
    bnn_table *t;
    bnn_data *train, *grid;
    bnn_run *mode;
    BNN_TRY(make_table(set, &t));
    BNN_TRY(bnn_data_unscaled(t, 0, N_TRAIN, &train)); /* published is the precision of weights for x and y in their units */
    BNN_TRY(bnn_data_unscaled(t, N_TRAIN, N_TRAIN + N_CURVE, &grid));
    BNN_TRY(fit_mode(set, train, &mode));
    for (int k = 0; k < WAYS; k++) {
        char engine[64];
        outcome o = {0};
        snprintf(engine, sizeof engine, "laplace:%s", ways[k]);
        BNN_TRY(fit(engine, mode, train, grid, &o));
        sum[k].sd_noise += o.sd_noise / DATA_SETS, sum[k].prec += o.prec / DATA_SETS;
        sum[k].log_evidence += o.log_evidence / DATA_SETS, sum[k].ll += o.ll / DATA_SETS;
        for (int i = 0; k == FULL && i < 3; i++) sd[i] += sd_at(o.curve, -4 + 8 * i) / DATA_SETS;
        if (k == FULL && path && set == 0) BNN_TRY(write_curve(path, t, o.curve));
        bnn_prediction_free(o.curve);
    }
    bnn_run_free(mode), bnn_data_free(grid), bnn_data_free(train), bnn_table_free(t);
    return BNN_OK;
}

int main(int argc, char **argv) {
    const char usage[] = "usage: daxberger2021_sine [--smoke | CURVE.csv]";
    const char *path = argc > 1 && strcmp(argv[1], "--smoke") != 0 ? argv[1] : NULL;
    outcome o[WAYS] = {{0}};
    double sd[3] = {0};
    if (argc == 2 && strcmp(argv[1], "--help") == 0) return puts(usage), 0;
    if (argc > 2 || (path && path[0] == '-')) return fprintf(stderr, "%s\n", usage), 2;
    for (uint64_t set = 0; set < DATA_SETS; set++)
        if (data_set(set, path, o, sd) < 0) return fprintf(stderr, "%s\n", bnn_error()), 2;
    printf("sd_noise %.4f\nprior_precision %.4f\n", o[FULL].sd_noise, o[FULL].prec);
    printf("log_evidence_full %.2f\nlog_evidence_kron %.2f\nlog_evidence_diag %.2f\n", o[FULL].log_evidence, o[KRON].log_evidence,
           o[DIAG].log_evidence);
    printf("ll_linear %.4f\nll_sampling %.4f\n", o[FULL].ll, o[SAMPLING].ll);
    printf("sd_left %.4f\nsd_inside %.4f\nsd_right %.4f\n", sd[0], sd[1], sd[2]);
    return 0;
}
