/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * attack.h: rows that are moved a little so that a run predicts them badly.
 *
 * A row x with target y moves within |x' - x| <= eps, in the maximum norm or the Euclidean one, and within the range of its columns, where
 * the mean slope over draws s of the run
 *
 *   g = E_s d(-log p(y | f_s(x))) / dx
 *
 * leads uphill. dir(g) is sign(g), or g / |g|; step a, iterations T:
 *   fgm    x + eps dir(g)                                                              (Goodfellow et al. 2015)
 *   bim    T times x <- x + a dir(g), back into the ball and the range                 (Kurakin et al. 2017)
 *   pgd    likewise, from a place in the ball that is drawn evenly                     (Madry et al. 2018)
 *   mim    likewise with m <- momentum m + g / |g|_1 for g, from m = 0                 (Dong et al. 2018)
 *   noise  a way of length eps that is drawn: every sign, or every direction, alike; what an attack has to be better than
 * With a target of its own, one that rows are led to, the way is downhill on -log p of that.
 *
 * Lengths are shares of the range of a column: of images their range (255), of a table the largest value of a column less the smallest one
 * in it; or as measured. A column that has one value is not moved.
 *
 * A row that is a map of classes is moved as a picture: its -log p is the sum over the pixels whose class is known.
 *
 * Draws are those of BNN_DRAW, noise of layers included, the same in all iterations. An engine that predicts in closed form (laplace,
 * last_layer) and a point engine are one point without noise; a mixture has the draws of its members in equal parts.
 */
#ifndef BNN_ATTACK_H
#define BNN_ATTACK_H

#include <bnn/bnn.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Ways to attack. */
typedef enum { BNN_ATTACK_FGM, BNN_ATTACK_BIM, BNN_ATTACK_PGD, BNN_ATTACK_MIM, BNN_ATTACK_NOISE } bnn_attack_method;
extern const char *const bnn_attack_method_names[]; /* fgm, bim, pgd, mim, noise, NULL */

/* How rows are attacked. */
typedef struct {
    size_t size;              /* of this struct */
    bnn_attack_method method; /* BNN_ATTACK_FGM where 0 */
    bool euclidean;           /* the norm; false: the maximum norm */
    bool as_measured;         /* lengths are in the units of each column; false: shares of its range */
    double eps;               /* length of the way, at most; >= 0 */
    int iterations;           /* 0: 10 */
    double step;              /* 0: eps of fgm, eps / iterations of bim and mim, 2.5 times that of pgd */
    double momentum;          /* of mim; 0: 1 */
    bool targeted;            /* rows are led to `towards`; false: away from their own targets, which they need then */
    double towards;           /* a class, counted from 0, or, of one real target, a value in its units */
    bool point;               /* one draw (of each member) without noise; false: the mean over `samples` */
    int samples;              /* draws; 0: 20 */
    uint64_t seed;            /* of draws, and of what pgd and noise draw */
} bnn_attack_options;

/* The rows as a table of their own (bnn_data_table), x attacked. rows must be scaled by the run's scaling. Parallel over rows; the same
 * bits at any number of threads. Refuses options that make no sense, rows without targets where these are needed, and slopes that are not
 * finite, naming the row. */
bnn_status bnn_attack(const bnn_run *run, const bnn_data *rows, const bnn_attack_options *options, bnn_table **out);

/* The effect of an attack, on rows with targets. */
typedef struct {
    int tried;      /* rows, or of maps pixels whose class is known, that could be lost: predicted right before; of targeted attacks, those
                       that are not of the class and were not predicted as it */
    double success; /* share of them that are predicted wrong now, or as the class; NaN of none, and of real targets */
    double before, after; /* accuracy, or, of real targets, the root of the mean squared error over all of them, in sd of each in training
                           */
    double moved;         /* mean |x' - x| over rows, in the attack's norm and unit */
} bnn_attack_effect;
/* before, after: predictions of the rows, and of the attacked ones. */
bnn_status bnn_attack_measure(const bnn_data *rows, const bnn_table *attacked, const bnn_prediction *before, const bnn_prediction *after,
                              const bnn_attack_options *options, bnn_attack_effect *out);

#ifdef __cplusplus
}
#endif

#endif
