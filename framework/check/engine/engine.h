/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * engine.h (private): the rules of engines, and what they share. One file for each theme; engine.c has the table.
 *
 * A rule that comes back with a failure other than of memory is broken, with its sentence: an engine that fails where it should not.
 */
#ifndef BNN_CHECK_ENGINE_H
#define BNN_CHECK_ENGINE_H

#include "check/checker.h"

#include <bnn/engine.h>

/* Subject of one run of a rule. Rules of a whole type have the type only. */
typedef struct {
    const bnn_engine_type *type;
    const char *spec;       /* a check spec, or that of the claim */
    const bnn_claim *claim; /* NULL: the spec is a check spec */
} bnn_engine_case;

typedef bnn_status bnn_engine_rule(bnn_checker *c, const bnn_engine_case *k);

/* claims.c: what the vtable says of the engine */
bnn_engine_rule bnn_rule_engine_metadata, bnn_rule_engine_options, bnn_rule_engine_print, bnn_rule_adapt;
/* calls.c: one run against others */
bnn_engine_rule bnn_rule_progress, bnn_rule_repeat, bnn_rule_engine_threads, bnn_rule_draws, bnn_rule_numeric, bnn_rule_units;
/* resume.c: its state, taken out and put back */
bnn_engine_rule bnn_rule_resume, bnn_rule_load;
/* kept.c: draws, step by step */
bnn_engine_rule bnn_rule_kept, bnn_rule_tuning;
/* hooks.c: hooks that some have, what is counted, a noise that is learned */
bnn_engine_rule bnn_rule_cost, bnn_rule_begin, bnn_rule_place, bnn_rule_learned_noise;
/* linear.c: linear regression, in closed form */
bnn_engine_rule bnn_rule_linear, bnn_rule_correlated, bnn_rule_objective, bnn_rule_prior, bnn_rule_evidence;
/* spread.c: the same in many draws, and chains against each other */
bnn_engine_rule bnn_rule_spread, bnn_rule_chains;
/* shapes.c: posteriors of other shapes, by quadrature */
bnn_engine_rule bnn_rule_funnel, bnn_rule_two_modes, bnn_rule_tiny;
/* identities.c: any posterior, by the gradient of U */
bnn_engine_rule bnn_rule_identities;

/* exercise.c: for the rules of every kind */
bnn_exercise bnn_exercise_engine;
bnn_share bnn_share_engine;

/* ---- what they are run on (fit.c) ---- */

enum { BNN_CASE_IN = 3 };

/* Rows of normal x [n, IN] of unit variances, of which the first two have this correlation; y = 10 + 3 (x_0 - x_1/2 + x_2/3 + 0.8 e). The
 * whole stands there `copies` times. */
typedef struct {
    bnn_table *table;
    bnn_data *data;
} bnn_case_rows;
bnn_status bnn_case_rows_open(int n, int copies, double correlation, bnn_case_rows *out);
/* The same x, but `targets` real ones of unlike sd, each in a unit `unit` times as small as the one before it, or labels of `classes`
 * classes. */
bnn_status bnn_case_targets_open(int n, int targets, int classes, double unit, bnn_case_rows *out);
void bnn_case_rows_close(bnn_case_rows *rows);

/* Network of the rules on runs, bound with the presets of likelihood and prior; larger: with products that threads cut, and, unless the
 * engine is EXACT, with noise. */
bnn_texts bnn_case_texts(const bnn_engine_type *type, bool larger);

/* Steps an opened engine to its end, or fails: it does not end, or has nothing to predict with then. */
bnn_status bnn_case_finish(bnn_engine *engine, const bnn_data *data);
/* Opened and stepped to its end. *out is set on success alone. */
bnn_status bnn_case_fit(const char *spec, const bnn_texts *texts, const bnn_data *data, uint64_t seed, bnn_engine **out);

/* The block that tells of the log evidence, NULL if there is none. */
const double *bnn_case_evidence(bnn_engine *e);

/* Draws that may be asked for: those that are stored, else `most`; 1 of a point. */
int bnn_case_draws(const bnn_engine *engine, int most);
/* The stream of draw s. */
static inline bnn_rng bnn_case_stream(int s) { return bnn_rng_split(bnn_rng_split(bnn_rng_seed(77), BNN_STREAM_DRAW), (uint64_t)s); }

/* Chains of equal length that stored draws fall into; 1 of draws that are not stored. */
int bnn_case_chains(const bnn_engine *engine);

/* The mean of values[draws] of some number over the draws, its standard error by the spread of the means of independent chains, or of
 * twenty stretches if there are fewer, and how far a right mean may be off by chance: more happens once in ten million times (Student's t).
 * Both 0 of a single draw. */
typedef struct {
    double mean, error, chance;
} bnn_case_estimate;
bnn_case_estimate bnn_case_mean(int chains, int draws, const double *values);

/* Draws of several fits of one spec with seeds of their own, fit after fit. */
typedef struct {
    int chains, draws, n; /* of all fits; parameters */
    bnn_real *theta;      /* [draws, n] */
    bnn_engine *e;        /* the last fit, of whose model they are */
} bnn_case_sample;
bnn_status bnn_case_sample_open(const char *spec, const bnn_texts *texts, const bnn_data *data, int fits, int most, bnn_case_sample *out);
void bnn_case_sample_close(bnn_case_sample *sample);

/* Puts the state of an engine into a new one of the same spec, as files do it: holder first, then what it holds, in order; counts go along.
 */
bnn_status bnn_case_copy_state(bnn_engine *from, bnn_engine *to, const bnn_data *data);

/* The first number in which the states of two engines of the same type differ, those that they hold included, such as "block 'theta'[3] is
 * 1 and 2"; "" if none does. */
enum { BNN_DIFFERENCE_TEXT = 192 };
void bnn_case_difference(bnn_engine *a, bnn_engine *b, char text[BNN_DIFFERENCE_TEXT]);

#endif
