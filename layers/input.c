/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * input: the data, one row at a time.
 *
 *   y = x                                   shape: as the data say; a shape in the text must agree
 *
 * The framework lends the rows as y, so neither pass is ever run.
 */
#include <bnn/layer.h>

typedef struct {
    bnn_shape shape;
} conf;

static const bnn_option options[] = {BNN_OPT_SHAPE(conf, shape, "", "of one row, such as 13 or 3x32x32; left out: as the data say"), {0}};

static bnn_status bind(bnn_layer *l) {
    const conf *c = l->object.conf;
    char want[BNN_SHAPE_TEXT], have[BNN_SHAPE_TEXT];
    if (c->shape.rank == 0 || bnn_shape_equal(c->shape, l->plan.out)) return BNN_OK;
    return bnn_fail(BNN_ERR_SHAPE, "the text says %s, but a row of the data has shape %s", bnn_shape_print(c->shape, want),
                    bnn_shape_print(l->plan.out, have));
}

static void nothing(const bnn_layer *l, bnn_io *io) { (void)l, (void)io; }

static const char *const checks[] = {"input:5; dense:3", "input:2x3; flatten; dense:3", NULL};

const bnn_layer_type bnn_layer_input = {
    .type = {BNN_TYPE(bnn_layer_type), .name = "input", .summary = "the data; may be left out", .conf_size = sizeof(conf),
             .options = options, .checks = checks},
    .bind = bind,
    .forward = nothing,
    .backward = nothing,
};
