/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "types/vtable.h"

#include <bnn/layer.h>

static const bnn_hook hooks[] = {
    BNN_HOOK(bnn_layer_type, bind), BNN_HOOK(bnn_layer_type, forward), BNN_HOOK(bnn_layer_type, backward), {0}};

const bnn_contract bnn_contract_layer = {.name = "layer", .size = sizeof(bnn_layer_type), .required = hooks};

bnn_status bnn_layer_needs_vector(const bnn_layer *l) {
    char shape[BNN_SHAPE_TEXT];
    if (l->in[0].rank == 1) return BNN_OK;
    return bnn_fail(BNN_ERR_SHAPE, "takes a vector, but its input has shape %s: put 'flatten' before it", bnn_shape_print(l->in[0], shape));
}

bnn_status bnn_layer_needs_image(const bnn_layer *l) {
    char shape[BNN_SHAPE_TEXT];
    if (l->in[0].rank == 3) return BNN_OK;
    return bnn_fail(BNN_ERR_SHAPE, "takes images [channels x height x width], but its input has shape %s",
                    bnn_shape_print(l->in[0], shape));
}
