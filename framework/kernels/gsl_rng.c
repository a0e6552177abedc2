/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * gsl_rng.c: our streams as a generator type of GSL.
 */
#include <bnn/gsl_rng.h>

#include "rng_reader.h"
#include <assert.h>

static void set(void *state, unsigned long seed) { rng_open(state, bnn_rng_seed(seed)); }

static unsigned long get(void *state) { return rng_next(state); }

static double get_double(void *state) { return rng_next(state) * 0x1p-32; } /* [0,1), as GSL wants it */

static const gsl_rng_type type = {
    .name = "bnn_philox4x32", .max = UINT32_MAX, .min = 0, .size = sizeof(rng_reader), .set = set, .get = get, .get_double = get_double};

const gsl_rng_type *const bnn_gsl_rng_type = &type;

void bnn_gsl_rng_init(gsl_rng *g, bnn_rng stream) {
    assert(g->type == &type);
    rng_open(g->state, stream);
}
