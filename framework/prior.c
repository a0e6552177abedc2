/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <bnn/prior.h>

bnn_status bnn_prior_new(const char *spec, bnn_prior *out) { return bnn_object_parse(BNN_PRIOR, spec, &out->object); }

void bnn_prior_free(bnn_prior *prior) { bnn_object_free(&prior->object); }
