/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * simulate.h (private): worlds drawn from the prior of a model, and the numbers that are compared in them. Quantities stand in this order:
 * means of y at the points, the log likelihood of the rows, summaries of theta (summary.h).
 */
#ifndef BNN_SIMULATE_H
#define BNN_SIMULATE_H

#include "summary.h"
#include <bnn/sbc.h>

typedef struct {
    const bnn_sbc_config *config;
    bnn_texts texts; /* defaults filled in */
    bnn_rng rng;
    bnn_table *table; /* the rows, then the points */
    bnn_scaling scaling;
    bnn_model *model; /* of the plain network */
    int per_point;    /* means of y that say something: of K classes K - 1 */
    int n;            /* quantities */
} bnn_simulator;

bnn_status bnn_simulator_open(const bnn_sbc_config *config, bnn_simulator *out);
void bnn_simulator_close(bnn_simulator *s);
void bnn_simulator_name(const bnn_simulator *s, int i, char name[BNN_SBC_NAME]);

/* One world; a thread has its own. */
typedef struct {
    bnn_data *rows, *all; /* rows alone, and with the points; y of the points is 0 */
    bnn_workspace *ws;
    bnn_real *theta; /* [n_theta] */
    bnn_real *mean;  /* [rows + points, mean_dim] */
    double *logp;    /* [rows + points] */
} bnn_world;

bnn_status bnn_world_open(const bnn_simulator *s, bnn_world *out);
void bnn_world_close(bnn_world *w);
bnn_status bnn_world_draw_theta(const bnn_simulator *s, bnn_world *w, bnn_rng rng);
void bnn_world_draw_y(const bnn_simulator *s, bnn_world *w, bnn_rng rng);  /* given theta */
void bnn_world_draw_all(const bnn_simulator *s, bnn_world *w, bnn_rng rng); /* those of the points, too: into all->y alone */
void bnn_world_measure(const bnn_simulator *s, bnn_world *w, double *out); /* out[n] of theta and y */

/* Streams of a simulator, and of one world. */
enum { BNN_SIMULATE_X, BNN_SIMULATE_WORLD, BNN_SIMULATE_PRIOR };
enum { BNN_WORLD_THETA, BNN_WORLD_Y, BNN_WORLD_ENGINE, BNN_WORLD_TIES, BNN_WORLD_PREDICT };

#endif
