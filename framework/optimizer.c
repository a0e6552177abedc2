/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <bnn/optimizer.h>

bnn_status bnn_optimizer_new(const char *spec, bnn_optimizer *out) { return bnn_object_parse(BNN_OPTIMIZER, spec, &out->object); }

void bnn_optimizer_free(bnn_optimizer *optimizer) { bnn_object_free(&optimizer->object); }
