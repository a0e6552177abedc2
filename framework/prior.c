/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <bnn/prior.h>

#include <gsl/gsl_sf_gamma.h>
#include <math.h>

bnn_status bnn_prior_new(const char *spec, bnn_prior *out) { return bnn_object_parse(BNN_PRIOR, spec, &out->object); }

void bnn_prior_free(bnn_prior *prior) { bnn_object_free(&prior->object); }

double bnn_log_var_logp(double sd, double shape, double s, double *ds) {
    double rate = shape * sd * sd, precision = exp(-s);
    *ds = rate * precision - shape;
    return shape * (log(rate) - s) - gsl_sf_lngamma(shape) - rate * precision;
}
