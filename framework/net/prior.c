/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <bnn/prior.h>

#include "types/vtable.h"
#include "kernels/rng_reader.h"
#include <bnn/gsl_rng.h>
#include <gsl/gsl_randist.h>
#include <gsl/gsl_sf_gamma.h>
#include <math.h>

static const char *lacks(const bnn_type *type) {
    bool scales = bnn_vtable_has(type, offsetof(bnn_prior_type, n_scales)), density = bnn_vtable_has(type, offsetof(bnn_prior_type, logp_scale));
    if (scales && !density) return "logp_scale (beside n_scales)";
    if (density && !scales) return "n_scales (beside logp_scale)";
    if (bnn_vtable_has(type, offsetof(bnn_prior_type, draw_scale_given)) && !density) return "logp_scale (beside draw_scale_given)";
    return NULL;
}

static const bnn_hook hooks[] = {BNN_HOOK(bnn_prior_type, logp), BNN_HOOK(bnn_prior_type, draw), {0}};

const bnn_contract bnn_contract_prior = {.name = "prior", .size = sizeof(bnn_prior_type), .required = hooks, .lacks = lacks};

bnn_status bnn_prior_new(const char *spec, bnn_prior *out) { return bnn_object_parse(BNN_PRIOR, spec, &out->object); }

void bnn_prior_free(bnn_prior *prior) { bnn_object_free(&prior->object); }

double bnn_log_var_logp(double sd, double shape, double s, double *ds) {
    double rate = shape * sd * sd, precision = exp(-s);
    *ds = rate * precision - shape;
    return shape * (log(rate) - s) - gsl_sf_lngamma(shape) - rate * precision;
}

double bnn_log_var_draw(double sd, double shape, bnn_rng rng) { return bnn_log_var_draw_given(sd, shape, 0, 0, rng); }

/* Gamma(a) is Gamma(a + 1) U^(1/a): its logarithm is finite also where a small shape lets it vanish. */
double bnn_log_var_draw_given(double sd, double shape, double n, double squares, bnn_rng rng) {
    rng_reader reader;
    gsl_rng words = {.type = bnn_gsl_rng_type, .state = &reader};
    bnn_gsl_rng_init(&words, rng);
    double a = shape + 0.5 * n, rate = shape * sd * sd + 0.5 * squares;
    double u = gsl_rng_uniform_pos(&words), gamma = gsl_ran_gamma_mt(&words, a + 1, 1);
    return log(rate) - log(gamma) - log(u) / a;
}
