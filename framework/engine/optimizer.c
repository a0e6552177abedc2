/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "types/vtable.h"

#include <bnn/optimizer.h>

static const bnn_hook hooks[] = {BNN_HOOK(bnn_optimizer_type, step), {0}};

const bnn_contract bnn_contract_optimizer = {.name = "optimizer", .size = sizeof(bnn_optimizer_type), .required = hooks};

bnn_status bnn_optimizer_new(const char *spec, bnn_optimizer *out) { return bnn_object_parse(BNN_OPTIMIZER, spec, &out->object); }

void bnn_optimizer_free(bnn_optimizer *optimizer) { bnn_object_free(&optimizer->object); }
