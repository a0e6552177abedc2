/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * sbc.h: whether an engine samples the posterior it claims to, tested on worlds drawn from the prior.
 *
 *   theta ~ prior,   y_i ~ p(y | f(x_i; theta)),   x_i ~ N(0, I) once for all
 *
 * Simulation-based calibration (Talts, Betancourt, Simpson, Vehtari & Gelman 2018): fitted to such a y, theta and the draws of an exact
 * engine come from one distribution, so the rank of a quantity of theta among those of R draws is uniform on 0..R. Quantities are the mean
 * of y at new rows; the log likelihood, which sees engines that do not look at the data (Modrak et al. 2023); and, where the engine's draws
 * are parameters of the same network, norms of the weights by layers, scales and noise. Any engine with draws can be asked, approximations,
 * too.
 *
 * Geweke's joint-distribution test (2004): of a transition that leaves the posterior as it is, theta' ~ K(theta' | theta, y) and y' ~
 * p(y | theta') leave the joint distribution as it is. Every chain begins in it, so nothing has to be thrown away, and chains that do not
 * know of each other are the batches of the mean. Moments are those of u, the share of prior draws with a smaller value: hierarchical
 * priors have no others.
 *
 * All is in the units of the standardised y: the scaling is the identity.
 */
#ifndef BNN_SBC_H
#define BNN_SBC_H

#include <bnn/engine.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Worlds that are simulated, and tests on them. */
typedef struct {
    const char *net, *engine, *likelihood, *prior; /* likelihood NULL: gaussian, or categorical where there are classes; prior NULL: gauss
                                                    */
    int rows, inputs, classes;                     /* of the data; classes 0: real y */
    int points;                                    /* new rows */
    int replications;                              /* worlds; of Geweke's test chains */
    int draws, bins;                               /* R; bins of the ranks, which divide R + 1 */
    int transitions;                               /* of each chain of Geweke's test */
    uint64_t seed;                                 /* of all */
    /* Called from the threads that work; may be NULL. share: of replication i, 0..1. */
    void (*progress)(void *context, int i, double share);
    void *context; /* handed to progress */
} bnn_sbc_config;
/* 20 rows of 2 inputs, 3 points, 200 replications, 99 draws, 10 bins, 100 transitions, seed 1; engine and net are left open. */
bnn_sbc_config bnn_sbc_preset(void);

enum { BNN_SBC_NAME = 128 }; /* bytes of the name of a quantity */

/* Ranks of the true value of one quantity. */
typedef struct {
    char name[BNN_SBC_NAME]; /* "mean of y at new row 1", "log likelihood", "dense_1 kernel (norm)" */
    int *rank;               /* [replications] */
    int *count;              /* [bins] of the ranks */
    double chi2, p;          /* against uniform bins; its tail probability with bins - 1 degrees of freedom */
    double low;              /* mean rank / R - 1/2, in standard errors of a uniform one: above 0 the draws lie below the truth */
    double spread;           /* variance of the ranks over that of uniform ones: above 1 the draws are too narrow */
} bnn_sbc_quantity;

/* The outcome of simulation-based calibration. */
typedef struct {
    int replications, draws, bins; /* of the config */
    int n;                         /* quantities */
    bnn_sbc_quantity *quantity;    /* [n] */
    int dependent;                 /* replications in which some quantity's bulk ESS was below the number of draws that were ranked among */
    double p;                      /* of all: the least p times n (Bonferroni), at most 1 */
} bnn_sbc;

/* Refuses by name a prior that has no draws, an engine that has none or too few. Parallel over replications; the same bits at any number of
 * threads. */
bnn_status bnn_sbc_run(const bnn_sbc_config *config, bnn_sbc **out);
void bnn_sbc_free(bnn_sbc *sbc); /* NULL is allowed */

/* Moments of one quantity. */
typedef struct {
    char name[BNN_SBC_NAME]; /* as of simulation-based calibration */
    double z_mean, z_square; /* of u, and of (u - 1/2)^2: differences from the prior's in standard errors */
    double p;                /* of both: twice the smaller one, t with chains - 1 degrees of freedom */
} bnn_geweke_quantity;

/* The outcome of Geweke's test. */
typedef struct {
    char *engine;                  /* as it was run: one chain, no warm-up */
    int chains, transitions;       /* of each; of the config */
    int n;                         /* quantities */
    bnn_geweke_quantity *quantity; /* [n] */
    double p;                      /* of all: the least p times n, at most 1 */
} bnn_geweke;

/* Runs Geweke's test of an engine that can be placed (engine.h). Warm-up is left out: the step size is that of the engine's text. */
bnn_status bnn_geweke_run(const bnn_sbc_config *config, bnn_geweke **out);
void bnn_geweke_free(bnn_geweke *geweke); /* NULL is allowed */

/* A verdict (diagnose.h) and how often it was said, by its severity. */
typedef struct {
    char code[32]; /* "overconfident" */
    int count[3];  /* of worlds, by the severity of the worst one of that code: [BNN_REMARK_BAD], ... */
} bnn_alarm;

enum { BNN_MOST_ALARMS = 24 }; /* codes */

/* Verdicts on good fits are false alarms: the worlds are drawn from the model that is fitted, so an engine that finds its posterior, and
 * converges, is right. */
typedef struct {
    int replications;                 /* worlds */
    int alarmed;                      /* of them, those with a warning or worse */
    int n;                            /* codes that were said */
    bnn_alarm alarm[BNN_MOST_ALARMS]; /* [n] in the order in which they came */
} bnn_alarms;

/* Fits the rows of each world as bnn_fit does, standardised, predicts the points by `draws` draws and judges. Parallel over worlds; the
 * same bits at any number of threads. */
bnn_status bnn_alarms_run(const bnn_sbc_config *config, bnn_alarms *out);

#define BNN_FALSE_ALARMS 0.05 /* share of good worlds that may be alarmed */
#define BNN_SBC_LEVEL 0.01    /* below this p the draws are not those of the posterior */

#ifdef __cplusplus
}
#endif

#endif
