/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * parts.h (private): the parts of a prediction. A range of rows is predicted at a time: all, unless outputs are kept; within it a stretch
 * of rows under all draws; within that a piece of rows under one draw.
 */
#ifndef BNN_PREDICT_PARTS_H
#define BNN_PREDICT_PARTS_H

#include <bnn/predict.h>
#include <pthread.h>

/* ---- predictions (prediction.c) ---- */

/* Makes a prediction of n rows, all zeros. asked: what is wanted beside moments; NULL: nothing. */
bnn_status bnn_prediction_new(const bnn_model *model, int n, bool has_target, const bnn_predict_options *asked, bnn_prediction **out);
/* Copies the rows of one to those of p from row `at` on, where p has any, and counts its cost. */
void bnn_prediction_place(bnn_prediction *p, int at, const bnn_prediction *one);
size_t bnn_prediction_numbers(const bnn_prediction *p); /* of one row, in all arrays */
/* Difference that standardising makes to a log density. */
double bnn_prediction_log_unit(const bnn_prediction *p, const bnn_scaling *scaling);

/* ---- sums over draws (tally.c) ---- */

/* Sums of one block of draws over one stretch of rows. k = mean_dim, i = sites. */
typedef struct {
    int draws;
    double *mean;      /* [rows, k] of the predictive means: running mean (Welford 1962) */
    double *m2;        /* [rows, k] and sum of squared deviations; NULL: these are maps of classes */
    double *var;       /* [rows, k] sum of noise variances; NULL: these are classes */
    double *pit;       /* [rows, k] sum; NULL likewise */
    double *top, *sum; /* [rows, i] log p(y | f_s): largest, and sum of exp(. - largest) */
    double *entropy;   /* [rows, i] sum of H[p_s] */
    double *memory;
} bnn_tally;

size_t bnn_tally_numbers(const bnn_likelihood *likelihood); /* of one row */
bnn_status bnn_tally_open(bnn_tally *tally, const bnn_likelihood *likelihood, size_t rows);
/* Adds what the tally's latest draw says of the rows [from, from+n). seen: NULL entries are not wanted. */
void bnn_tally_add(bnn_tally *tally, size_t from, int n, const bnn_likelihood *likelihood, const bnn_observation *seen);
void bnn_tally_merge(bnn_tally *a, const bnn_tally *b, const bnn_likelihood *likelihood, size_t rows); /* a += b */
/* From sums over draws of standardised y to averages in the units of y, in the rows of p from row `at` on. */
void bnn_tally_finish(const bnn_tally *tally, const bnn_scaling *scaling, size_t rows, size_t at, bnn_prediction *p);

/* ---- outputs that are kept (kept.c) ---- */

/* Outputs of one engine that predicts, in all rows of a range: of each of S draws; S = 0: Gaussian ones. Of standardised y. */
typedef struct {
    const bnn_engine *engine;
    double weight;      /* of all its draws together, within the mixture */
    int rows, S;        /* of the range; draws */
    bnn_real *f;        /* [S, rows, out] */
    bnn_real *noise;    /* [S, n_theta of the likelihood], one of them where S is 0 */
    double *mean, *cov; /* [rows, out], [rows, out, out], where S is 0 */
} bnn_kept_part;

typedef struct {
    int n;
    bnn_kept_part *part; /* [n] their weights sum to 1 */
} bnn_kept;

/* Bytes of one row under so many draws. */
double bnn_kept_bytes(const bnn_engine *engine, int S);
bnn_status bnn_kept_part_open(const bnn_engine *engine, int S, int rows, double weight, bnn_kept_part *out);
void bnn_kept_part_close(bnn_kept_part *part);
/* Takes the outputs f[n, out] of draw s in the rows [at, at+n) of the range, and the likelihood's parameters in it. */
void bnn_kept_take(const bnn_kept_part *part, int s, int at, int n, const bnn_real *f, const bnn_real *noise);
/* Takes Gaussian outputs likewise: mean[n, out], cov[n, out, out]. */
void bnn_kept_take_gaussian(const bnn_kept_part *part, int at, int n, const double *mean, const double *cov, const bnn_real *noise);
/* Says whether the draws of an engine depend on each other, so many that they tell how. */
bool bnn_kept_is_chains(const bnn_engine *engine, int S);
/* Monte Carlo errors of the means of an engine with chains, in p, which is of the range. */
bnn_status bnn_kept_mcse(const bnn_kept_part *part, bnn_prediction *p);
/* Room to ask for distribution functions of n rows. */
typedef struct {
    bnn_real *pit;                /* [n, k] */
    double *mean, *cov, *p, *sum; /* [n, out], [n, out, out], [n, k], [n, k] */
} bnn_kept_room;
bnn_status bnn_kept_room_open(const bnn_kept *kept, int n, bnn_kept_room *out);
void bnn_kept_room_close(bnn_kept_room *room);
/* F[n, k] = P(Y <= y) in the rows [at, at+n) of the range, y[n, k] standardised; real y alone. */
void bnn_kept_cdf(const bnn_kept *kept, const bnn_kept_room *room, int at, int n, const bnn_real *y, double *F);
/* Lower triangle root[n,n] of a covariance that may be singular: a variance that rounding cannot tell from 0 is 0. */
void bnn_covariance_root(size_t n, const double *cov, double *root);
/* Draws of y into p, whose row `base` is the first one of the range. */
bnn_status bnn_kept_draw(const bnn_kept *kept, uint64_t seed, int base, bnn_prediction *p);

/* ---- what a distribution function tells (curve.c) ---- */

/* Quantiles and scores that p has room for, from row `base` on, the first one of the range; y[rows, k] standardised: NULL where it is not
 * known. */
bnn_status bnn_curve_answer(const bnn_kept *kept, const bnn_real *y, int base, bnn_prediction *p);

/* ---- how many draws (samples.c) ---- */

/* The predictive of an engine, as far as its likelihood goes along. */
bnn_predictive bnn_predict_how(const bnn_engine *engine);
/* Says whether there are no draws at all: of classes they are still wanted for the entropies. */
bool bnn_predict_is_closed(const bnn_engine *engine);
int bnn_predict_share(const bnn_engine *engine, int samples); /* draws of each member of a mixture */

/* ---- progress ---- */

/* The draws of a whole prediction, times their rows. */
typedef struct {
    _Atomic int64_t done;
    double all;
    void (*progress)(void *context, double share); /* NULL: nobody asks */
    void *context;
} bnn_pace;

/* ---- passes (draws.c, outputs.c) ---- */

/* The buffers of one piece of rows under one draw. */
typedef struct bnn_desk {
    struct bnn_desk *next; /* where nobody sits at it */
    bnn_workspace *ws;
    bnn_real *theta, *mean, *var, *pit, *y; /* var and pit: NULL of classes */
    bnn_real *z, *f;                        /* [rows, out] where outputs are drawn */
    bnn_real *x;                            /* [rows, in] where rows are bytes */
    double *logp;
} bnn_desk;

/* Buffers are large where rows are: those that a job leaves are for the next one, so that there are as many as threads. */
typedef struct {
    pthread_mutex_t lock;
    bnn_desk *free;
} bnn_desks;

/* One engine that predicts a range of rows. */
typedef struct {
    const bnn_engine *engine;
    const bnn_data *data;
    bnn_prediction *p;
    int base;                      /* row of the data that is the first one of p */
    bnn_rng noise, draws, targets; /* of the layers, of the engine's draws, of y given f: split by draw */
    const bnn_sink *sink;
    bnn_pace *pace;
    const bnn_kept_part *kept; /* NULL: outputs are not kept */
    int blocks, piece;         /* of draws; rows of a piece */
    int from, rows;            /* the stretch, in rows of the data */
    bnn_desks desks;
    bnn_tally *block; /* [blocks] */
    size_t prefix_size;
    bnn_real *prefix; /* [rows, prefix_size] of the stretch: what does not depend on the draw; NULL: there is nothing to keep */
    bnn_predictive how;
    double *f, *cov, *root; /* where outputs are Gaussian: [rows, out], [rows, out, out]; root root^T = cov, for draws */
} bnn_work;

int bnn_work_rows(const bnn_work *w, int at); /* of the piece that begins there */
int bnn_work_pieces(const bnn_work *w);       /* of the stretch */
bnn_status bnn_work_run_draws(bnn_work *w);   /* the stretch, by draws */
void bnn_work_close(bnn_work *w);             /* frees the buffers */
bnn_status bnn_work_run_outputs(bnn_work *w); /* the stretch, of Gaussian outputs */

/* ---- whole engines (predict.c, mixture.c) ---- */

/* The rows of a range. */
typedef struct {
    int from, end;
    bnn_kept *kept; /* takes the outputs, if they are wanted, as parts that weigh `weight` together; else NULL */
    double weight;
    bnn_pace *pace;
} bnn_predict_part;

bnn_status bnn_predict_range(const bnn_engine *fitted, const bnn_data *data, const bnn_predict_options *options,
                             const bnn_predict_part *range, bnn_prediction **out);
bnn_status bnn_predict_mixture(const bnn_engine *fitted, const bnn_data *data, const bnn_predict_options *options,
                               const bnn_predict_part *range, bnn_prediction **out);

#endif
