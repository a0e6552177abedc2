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
bnn_engine_rule bnn_rule_progress, bnn_rule_repeat, bnn_rule_engine_threads, bnn_rule_draws, bnn_rule_numeric;
/* resume.c: its state, taken out and put back */
bnn_engine_rule bnn_rule_resume, bnn_rule_load;
/* linear.c: linear regression, in closed form */
bnn_engine_rule bnn_rule_linear, bnn_rule_correlated, bnn_rule_objective, bnn_rule_prior, bnn_rule_evidence;
/* shapes.c: posteriors of other shapes, by quadrature */
bnn_engine_rule bnn_rule_funnel, bnn_rule_two_modes, bnn_rule_tiny;

/* ---- what they are run on (fit.c) ---- */

enum { BNN_CASE_IN = 3 };

/* Rows of normal x [n, IN] of unit variances, of which the first two have this correlation; y = 10 + 3 (x_0 - x_1/2 + x_2/3 + 0.8 e). The
 * whole stands there `copies` times. */
typedef struct {
    bnn_table *table;
    bnn_data *data;
} bnn_case_rows;
bnn_status bnn_case_rows_open(int n, int copies, double correlation, bnn_case_rows *out);
void bnn_case_rows_close(bnn_case_rows *rows);

/* Network of the rules on runs, bound with the presets of likelihood and prior; larger: with products that threads cut, and, unless the
 * engine is EXACT, with noise. */
bnn_texts bnn_case_texts(const bnn_engine_type *type, bool larger);

/* Steps an opened engine to its end, or fails: it does not end, or has nothing to predict with then. */
bnn_status bnn_case_finish(bnn_engine *engine, const bnn_data *data);
/* Opened and stepped to its end. *out is set on success alone. */
bnn_status bnn_case_fit(const char *spec, const bnn_texts *texts, const bnn_data *data, uint64_t seed, bnn_engine **out);

/* Draws that may be asked for: those that are stored, else `most`; 1 of a point. */
int bnn_case_draws(const bnn_engine *engine, int most);
/* The stream of draw s. */
static inline bnn_rng bnn_case_stream(int s) { return bnn_rng_split(bnn_rng_split(bnn_rng_seed(77), BNN_STREAM_DRAW), (uint64_t)s); }

/* The mean of values[draws] of some number over the draws, its standard error by the spread of the means of independent chains, or of
 * twenty stretches if there are fewer, and how far a right mean may be off by chance: more happens once in ten million times (Student's t).
 * Both 0 of a single draw. */
typedef struct {
    double mean, error, chance;
} bnn_case_estimate;
bnn_case_estimate bnn_case_mean(const bnn_engine *engine, int draws, const double *values);

/* The first number in which the states of two engines of the same type differ, those that they hold included, such as "block 'theta'[3] is
 * 1 and 2"; "" if none does. */
enum { BNN_DIFFERENCE_TEXT = 192 };
void bnn_case_difference(bnn_engine *a, bnn_engine *b, char text[BNN_DIFFERENCE_TEXT]);

#endif
