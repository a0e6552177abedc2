/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * diagnose.h: whether Markov chains have met, and what the mean of their draws is worth.
 *
 * After Vehtari, Gelman, Simpson, Carpenter & Buerkner 2021; every chain is cut in two halves first, so one that still drifts is seen:
 *
 *   z          normal scores of the ranks of all draws: Phi^-1((rank - 3/8) / (S + 1/4)), equal draws sharing their mean rank
 *   R-hat      sqrt(((n - 1)/n W + B/n) / W) of z, W the mean variance within the halves of n draws, B/n the variance of their means; the
 *              larger one of that and of the same of |x - median|, which sees chains of equal place and different spread
 *   ESS        S / (1 + 2 sum_t rho_t), autocorrelations of all chains joined, up to where Geyer's initial monotone sequence ends; bulk: of
 *              z; tail: the smaller one of the indicators x <= its 5 % and its 95 % quantile
 *   MCSE       of the mean: sd / sqrt(ESS of x)
 *   E-BFMI     of the energies (bnn_chain_bfmi)
 *
 * The weights of a network are a poor quantity to ask: units may be swapped and signs flipped without a change of the function, so chains
 * that agree about the function need not agree about a weight. What is looked at are predictions and, by layers, the norms of weights.
 */
#ifndef BNN_DIAGNOSE_H
#define BNN_DIAGNOSE_H

#include <bnn/fit.h>
#include <bnn/metrics.h>
#include <bnn/remark.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Summary of one quantity. NAN where it is not defined: for draws that are all equal, or not finite. */
typedef struct {
    double mean, sd;           /* of all draws; divisor S - 1 */
    double rhat;               /* R-hat: 1 where the chains have met */
    double ess_bulk, ess_tail; /* effective numbers of draws */
    double mcse_mean;          /* Monte Carlo standard error of mean */
} bnn_convergence;

enum { BNN_FEWEST_DRAWS = 16 }; /* of each chain */

/* draws[chains, n], chain after chain, n >= BNN_FEWEST_DRAWS. */
bnn_status bnn_convergence_of(int chains, int n, const double *draws, bnn_convergence *out);
/* Effective number of draws for the mean of x[chains, n], from autocorrelations within the chains as they are, not cut; NAN of constants.
 */
bnn_status bnn_ess(int chains, int n, const double *x, double *out);

/* Sources of a quantity; BNN_N_OF counts. */
typedef enum { BNN_OF_PREDICTIONS, BNN_OF_PARAMETERS, BNN_OF_WEIGHTS, BNN_N_OF } bnn_quantity_of;

/* One number of every draw, and what its chains say. */
typedef struct {
    bnn_quantity_of of; /* what it is taken of */
    char name[128];     /* "row 17", "dense_1 kernel (norm)", "log density" */
    bnn_convergence is; /* of its draws */
} bnn_quantity;

enum { BNN_MOST_FINDINGS = 16, BNN_FINDING_TEXT = 400, BNN_TRACED = 6 };

/* Some quantities draw by draw, for pictures: first the log density, where the engine keeps it, then predictions, those of
 * the largest R-hat. */
typedef struct {
    int chains, draws;                 /* of each chain */
    int of;                            /* quantities that they were chosen from */
    int n;                             /* chosen ones */
    bnn_quantity quantity[BNN_TRACED]; /* [n] */
    bnn_real *x;                       /* [n, chains, draws] */
} bnn_traces;

/* Diagnosis of the chains of a run by its draws. */
typedef struct {
    int chains, draws;      /* of each chain */
    int rows;               /* whose predictions were looked at */
    int n;                  /* quantities */
    bnn_quantity *quantity; /* [n] predictions, then parameters, then weights if they were asked for */
    /* Figures of Hamiltonian trajectories, all NAN where the engine tells nothing of them: */
    double divergences;                                /* of all transitions behind the warm-up */
    double least_e_bfmi;                               /* of the chains */
    double saturated;                                  /* share of the draws whose trajectory had as many doublings as are allowed */
    int n_findings;                                    /* 0: nothing speaks against the draws */
    char finding[BNN_MOST_FINDINGS][BNN_FINDING_TEXT]; /* sentences: what was found; and what to do */
    const char *code[BNN_MOST_FINDINGS];               /* of each: "chains_apart", "few_draws", ... */
    bnn_severity severity[BNN_MOST_FINDINGS];          /* of each */
    bnn_traces *traces;                                /* owned; NULL: not asked for */
} bnn_diagnosis;

/* Rows and parameters that a diagnosis looks at. */
typedef struct {
    int rows;     /* at most, evenly spaced; 0: all */
    bool weights; /* single weights, too */
    bool traces;  /* some quantities draw by draw, too */
} bnn_diagnose_options;

/* Says whether the engine's draws come from Markov chains. */
bool bnn_has_chains(const bnn_engine *engine);

/* From the stored draws of a fitted engine that has chains, complete or not. Predictions are E[y | f], in the units of y, in the rows of
 * data, which are scaled by the model's scaling; parameters are the norm of each block of weights, each number of the likelihood and of the
 * prior's scales (of a block with several scales their mean), and the log density. Refuses engines without chains, and chains that are too
 * short. Parallel over draws and quantities; the same bits at any number of threads. */
bnn_status bnn_diagnose(const bnn_engine *engine, const bnn_data *data, const bnn_diagnose_options *options, bnn_diagnosis **out);
void bnn_diagnosis_free(bnn_diagnosis *diagnosis); /* NULL is allowed */

/* The traces alone, by BNN_JUDGED_ROWS rows of data; *out is NULL for an engine without chains, and where they are too short. Owned. */
bnn_status bnn_traces_take(const bnn_engine *engine, const bnn_data *data, bnn_traces **out);
/* Room for n quantities. */
bnn_status bnn_traces_new(int chains, int draws, int n, bnn_traces **out);
void bnn_traces_free(bnn_traces *traces); /* NULL is allowed */

#define BNN_MOST_RHAT 1.01   /* above it chains have not met (Vehtari et al. 2021, section 4) */
#define BNN_CHANCE 0.01      /* share of quantities that may lie above it: of many some do by chance */
#define BNN_WORST_RHAT 1.05  /* but none above this */
#define BNN_APART 1.1        /* half of the predictions above it: the chains differ by a good part of their width (Gelman & Rubin 1992) */
#define BNN_LEAST_ESS 100    /* for each chain: below it the diagnostics themselves are shaky (ibid.); of all a mean to a tenth of its sd */
#define BNN_LEAST_E_BFMI 0.3 /* Betancourt 2017, section 6.1 */
#define BNN_MOST_SATURATED 0.01 /* share of the draws */

/* A column of numbers over the quantities of one kind: by its offset in bnn_convergence. NANs are left out. */
typedef struct {
    int n, constant;            /* quantities with a number, and without */
    double least, median, most; /* of those with a number; NAN: there are none */
    int at_least, at_most;      /* which they are; -1: there are none */
} bnn_spread;
/* Spread of the field at this offset over all quantities. */
bnn_status bnn_diagnosis_spread(const bnn_diagnosis *diagnosis, bnn_quantity_of of, size_t offset, bnn_spread *out);

/* ---- verdicts ----
 *
 * Whether an answer should be believed, as remarks (remark.h), by one rule for all engines. Thresholds and their sources: docs/verdicts.md.
 *
 *   not_converged    U still fell over the last third of the fit, or a descent had few steps and was not level at half of them
 *   diverged         U or a log-likelihood is not finite, or far below that of an answer that does not look at x
 *   worse_than_mean  the log-likelihood is below that of the mean and sd of the training rows, or of the shares of the classes
 *   overconfident, underconfident    90 % intervals hold too few, too many of the targets; classes are wrong more, less often than called
 *   noise_collapsed  the learned noise is far below what the mean is off by, and intervals hold too little
 *   improper         there is no posterior: a flat noise with more weights than rows, or more weights with a flat prior than rows
 *   noise_small      it is far below what the targets vary by, with more parameters than rows
 *   chains_apart, few_draws, divergent, slow_energy, saturated    what bnn_diagnose finds
 *   temperature_off, cap_reached    what engines say of themselves
 *   few_rows         too few rows were fitted, in all or of a class, or scored, to say much
 *
 * What an engine alone knows it adds itself (hook doubts, engine.h). Each function adds to out what speaks against the run, and nothing
 * where nothing does; bnn_run_judge (bnn.h) calls them all. */
#define BNN_MOST_FALL 0.1       /* nats a row that U may fall */
#define BNN_FALL_FROM 0.7       /* from the tenth that begins at this share of a fit to its last tenth */
#define BNN_LEAST_NOISE 0.01    /* of the sd of the targets */
#define BNN_FAR_BELOW 1         /* nats a row below an answer that does not look at x */
#define BNN_COVERAGE_ERRORS 3.3 /* standard errors: a thousandth of the good fits lies outside */
#define BNN_LEAST_INSIDE 0.85   /* share of the targets that 90 % intervals of a good answer hold, */
#define BNN_MOST_INSIDE 0.97    /* and the most: beyond, a note says so where chance explains it */
#define BNN_COLLAPSE 5          /* times the noise that a mean may be off by */
enum {
    BNN_FEW_ROWS = 30,   /* fitted or scored */
    BNN_FEW_STEPS = 100, /* of a descent */
    BNN_JUDGED_ROWS = 30 /* whose predictions are asked whether chains have met */
};

bnn_status bnn_judge_fit(const bnn_run *run, const bnn_data *train, bnn_remarks *out);   /* by the course of its fit */
bnn_status bnn_judge_chains(const bnn_run *run, const bnn_data *data, bnn_remarks *out); /* by the predictions of these rows, draw by draw
                                                                                          */
/* By a prediction of rows that were not fitted; nothing is said where their targets are not known. training: number of rows that were
 * fitted, 0 where it is not known. */
bnn_status bnn_judge_prediction(const bnn_run *run, const bnn_prediction *prediction, const bnn_data *data, int training, bnn_remarks *out);

#ifdef __cplusplus
}
#endif

#endif
