/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * gsl_rng.h: our streams as a random number generator of GSL, so that every gsl_ran_* draws from them.
 *
 *   gsl_rng *g = gsl_rng_alloc(bnn_gsl_rng_type);
 *   bnn_gsl_rng_init(g, bnn_rng_split(stream, tag));
 *   double x = gsl_ran_gamma(g, 2, 1);
 *
 * Number j of the generator is the word at (row j / 256, index j mod 256) of the stream.
 */
#ifndef BNN_GSL_RNG_H
#define BNN_GSL_RNG_H

#include <bnn/rng.h>
#include <gsl/gsl_rng.h>

#ifdef __cplusplus
extern "C" {
#endif

/* gsl_rng_set(g, seed) starts bnn_rng_seed(seed). */
extern const gsl_rng_type *const bnn_gsl_rng_type;

/* Starts g, which must be of bnn_gsl_rng_type, at the beginning of a stream. */
void bnn_gsl_rng_init(gsl_rng *g, bnn_rng stream);

#ifdef __cplusplus
}
#endif

#endif
