/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Gal & Ghahramani 2016, Dropout as a Bayesian Approximation, section 5.1, figures 2 and 3: carbon dioxide over Mauna Loa. Far from the
 * data a network with dropout, its weights averaged, is as sure of itself as among them. Draws of the same network are not.
 *
 *   every second month of 1959 to 1997, 234 in all; the first 182 train, up to March 1989
 *   four hidden layers, gates with probability p of dropping before each layer but the first; relu or tanh; p = 0.1 or 0.2
 *   loss = mean squared error / 2 + 1e-6/2 ||W||^2, whole data in each step, momentum 0.9; uncertainty: sd over 1000 draws of the network
 *
 * Claimed are shapes: far away plain dropout has a value and no doubt; the sd of relu units grows with distance, that of tanh units stays
 * bounded; p = 0.1 begins with the smaller sd and ends with about that of 0.2. Scaled down for two cores: 256 units in place of 1024, and
 * Adam (1e-3, down to 0) for 10,000 steps in place of 1,000,000 of plain descent. Sds in ppm, 129 s of cpu:
 *
 *               plain, 2055   1980   1995   2015   2035   2055   early, 1980 (ratio of p = 0.2 to 0.1)
 *   relu, 0.1       0         0.33   1.49   3.13   4.78   6.43
 *   relu, 0.2       0         0.57   2.41   4.92   7.43   9.94   1.59, at the end 1.74
 *   tanh, 0.1       0         0.51   0.50   0.50   0.50   0.50
 *   tanh, 0.2       0         0.72   0.58   0.58   0.58   0.58   1.29, at the end 1.41
 *
 * All hold but the last: both ratios stay near the 1.5 that sqrt(p/(1-p)) of equal weights has. Plain dropout of relu is 30 ppm below the
 * mean of its draws in 2055: it is not their centre either.
 *
 * usage: gal2016_co2 [--smoke] CO2.csv      (experiments/data/co2.csv: year, ppm)
 */
#include <bnn/bnn.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EVERY = 2, TRAIN = 182, YEARS = 5, ARMS = 4, INSIDE = 0 };
static const double years[YEARS] = {1980, 1995, 2015, 2035, 2055}; /* one among the data, the others beyond them */

typedef struct {
    const char *units;
    double p;
    double early;                  /* sd inside after a twentieth of the steps, ppm */
    double mean[YEARS], sd[YEARS]; /* of draws, ppm */
    double plain[YEARS], plain_sd; /* of averaged weights, ppm; sd: the largest */
    double gradients;
} arm;

typedef struct {
    bool smoke;
    const bnn_data *train, *ahead;
    arm arm[ARMS];
} study;

/* Training rows first, then the years to look at, whose y is not known. */
static bnn_status make_table(const char *path, bnn_table **out) {
    bnn_table *all;
    double x[TRAIN + YEARS], y[TRAIN + YEARS] = {0};
    BNN_TRY(bnn_import_csv(path, NULL, NULL, &all));
    if (bnn_table_features(all) != 1 || bnn_table_rows(all) < EVERY * TRAIN)
        return bnn_fail(BNN_ERR_SHAPE, "%s: wants a year and ppm in each row, and at least %d rows", path, EVERY * TRAIN);
    for (int i = 0; i < TRAIN; i++) x[i] = bnn_table_x(all)[EVERY * i], y[i] = bnn_table_y(all)[EVERY * i];
    for (int i = 0; i < YEARS; i++) x[TRAIN + i] = years[i];
    bnn_table_free(all);
    return bnn_table_from(&(bnn_arrays){sizeof(bnn_arrays), .n = TRAIN + YEARS, .x_size = 1, .y_dim = 1, .x = x, .y = y}, out);
}

static bnn_status draws(const study *s, const bnn_run *run, double mean[YEARS], double sd[YEARS]) {
    bnn_prediction *p;
    BNN_TRY(bnn_run_predict(run, s->ahead, &(bnn_predict_options){sizeof(bnn_predict_options), .samples = 1000, .seed = 1}, &p));
    for (int i = 0; i < YEARS; i++) mean[i] = bnn_prediction_mean(p)[i], sd[i] = sqrt(bnn_prediction_var_epistemic(p)[i]);
    bnn_prediction_free(p);
    return BNN_OK;
}

/* The same weights without noise: what is called dropout where nobody thinks of Bayes. */
static bnn_status averaged(const study *s, bnn_config config, const bnn_run *run, arm *a) {
    double *theta = malloc((size_t)bnn_run_n_theta(run) * sizeof *theta), sd[YEARS];
    bnn_run *plain;
    if (!theta) return bnn_fail(BNN_ERR_MEMORY, "out of memory");
    config.net = bnn_run_net(run), config.engine = "map";
    BNN_TRY(bnn_run_draw(run, 0, 0, theta));
    BNN_TRY(bnn_run_new(&config, s->train, &plain));
    BNN_TRY(bnn_run_set_theta(plain, theta));
    BNN_TRY(draws(s, plain, a->plain, sd));
    for (int i = 0; i < YEARS; i++) a->plain_sd = fmax(a->plain_sd, sd[i]);
    bnn_run_free(plain);
    free(theta);
    return BNN_OK;
}

static bnn_status run_arm(void *context, int k) {
    study *s = context;
    arm *a = &s->arm[k];
    char net[256], engine[160], prior[64], likelihood[64];
    int units = s->smoke ? 32 : 256;
    double sd_y = bnn_scaling_y_sd(bnn_data_scaling(s->train))[0], unused[YEARS], early[YEARS];
    snprintf(net, sizeof net, "dropout:0; dense:%d; %s; dense:%d; %s; dense:%d; %s; dense:%d; %s; dense", units, a->units, units, a->units,
             units, a->units, units, a->units);
    snprintf(engine, sizeof engine, "mc_dropout:p=%g,epochs=%d,batch=%d,lr=0.001", a->p, s->smoke ? 600 : 10000, TRAIN);
    snprintf(likelihood, sizeof likelihood, "gaussian:tau=%.17g", 1 / (sd_y * sd_y)); /* one in standardised y: U/N is the loss */
    snprintf(prior, sizeof prior, "gauss:sd=%.17g,bias_sd=inf", sqrt(1e6 / TRAIN / (1 - a->p)));
    bnn_config config = {sizeof config, .net = net, .engine = engine, .likelihood = likelihood, .prior = prior, .seed = 1};
    bnn_run *run;
    BNN_TRY(bnn_run_new(&config, s->train, &run));
    for (double share = 0; !bnn_run_complete(run);) {
        BNN_TRY(bnn_run_step(run, s->train, &share));
        if (a->early > 0 || share < 0.05) continue;
        BNN_TRY(draws(s, run, unused, early));
        a->early = early[INSIDE];
    }
    BNN_TRY(draws(s, run, a->mean, a->sd));
    BNN_TRY(averaged(s, config, run, a));
    a->gradients = bnn_run_cost(run, BNN_COST_GRADIENTS);
    bnn_run_free(run);
    return BNN_OK;
}

static void print(const arm *a) {
    char name[16];
    snprintf(name, sizeof name, "%s_%g", a->units, a->p);
    for (int i = 0; i < YEARS; i++)
        printf("%s_mean_%g %.2f\n%s_sd_%g %.3f\n%s_plain_%g %.2f\n", name, years[i], a->mean[i], name, years[i], a->sd[i], name, years[i],
               a->plain[i]);
    printf("%s_plain_sd %g\n%s_far_over_inside %.2f\n%s_far_over_near %.3f\n", name, a->plain_sd, name, a->sd[YEARS - 1] / a->sd[INSIDE],
           name, a->sd[YEARS - 1] / a->sd[YEARS - 2]);
}

int main(int argc, char **argv) {
    const char usage[] = "usage: gal2016_co2 [--smoke] CO2.csv";
    bool smoke = argc > 1 && strcmp(argv[1], "--smoke") == 0;
    study s = {smoke,
               NULL,
               NULL,
               {{.units = "relu", .p = 0.1}, {.units = "relu", .p = 0.2}, {.units = "tanh", .p = 0.1}, {.units = "tanh", .p = 0.2}}};
    bnn_table *table = NULL;
    bnn_data *train = NULL, *ahead = NULL;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) return puts(usage), 0;
    if (argc != 2 + smoke) return fprintf(stderr, "%s\n", usage), 2;
    bnn_status status = make_table(argv[argc - 1], &table);
    if (status == BNN_OK) status = bnn_data_range(table, 0, TRAIN, NULL, &train);
    if (status == BNN_OK) status = bnn_data_range(table, TRAIN, TRAIN + YEARS, bnn_data_scaling(train), &ahead);
    s.train = train, s.ahead = ahead;
    if (status == BNN_OK) status = bnn_jobs_run(ARMS, run_arm, &s);
    if (status < 0) return fprintf(stderr, "%s\n", bnn_error()), 2;
    for (int k = 0; k < ARMS; k++) print(&s.arm[k]);
    for (int k = 0; k < ARMS; k += 2)
        printf("%s_p_ratio_early %.3f\n%s_p_ratio %.3f\n", s.arm[k].units, s.arm[k + 1].early / s.arm[k].early, s.arm[k].units,
               s.arm[k + 1].sd[INSIDE] / s.arm[k].sd[INSIDE]);
    printf("gradients %.0f\n", s.arm[0].gradients + s.arm[1].gradients + s.arm[2].gradients + s.arm[3].gradients);
    bnn_data_free(ahead), bnn_data_free(train), bnn_table_free(table);
    return 0;
}
