/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * stored.h: draws that an engine stores, chain after chain, with statistics of each: what all samplers of parameters share.
 */
#ifndef BNN_STORED_H
#define BNN_STORED_H

#include <bnn/engine.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Draws and their statistics. */
typedef struct {
    int chains, samples; /* draws of each chain */
    int n, n_stats;      /* parameters; statistics of a draw, at most BNN_MAX_COLUMNS */
    bnn_real *theta;     /* [chains, samples, n] */
    double *stat;        /* [n_stats, chains, samples] */
} bnn_stored;

/* Room for draws that are still to be made. On failure what was opened is closed as after success. */
bnn_status bnn_stored_open(bnn_stored *s, int chains, int samples, int n, int n_stats);
void bnn_stored_close(bnn_stored *s); /* frees what is inside */
/* Bytes that so many draws take. */
double bnn_stored_bytes(int chains, int samples, int n, int n_stats);

/* Where the parameters of one draw are, [n]. */
bnn_real *bnn_stored_at(const bnn_stored *s, int chain, int draw);
/* Writes the statistics value[n_stats] of one draw. */
void bnn_stored_note(bnn_stored *s, int chain, int draw, const double *value);

/* theta[n] = draw i of those that there are, `kept` of each chain, chain after chain. */
void bnn_stored_draw(const bnn_stored *s, int kept, int i, bnn_real *theta);

/* Blocks "draws" and "statistics"; returns their number. */
int bnn_stored_blocks(bnn_stored *s, bnn_block *out);
/* The statistics as columns on the draws, for when all of these are there; names[n_stats]; returns their number. */
int bnn_stored_columns(const bnn_stored *s, const char *const names[], bnn_column *out);

#ifdef __cplusplus
}
#endif

#endif
