/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * training.c: passes without training, as predictions make them.
 */
#include "check/layer/layer.h"

/* One pass in training, one without, of some streams: gates drop rarely. */
static void compare_streams(bnn_checker *c, bnn_layer_pass *in, bnn_layer_pass *out) {
    enum { STREAMS = 4 };
    const char *what;
    out->io.train = false;
    for (uint64_t s = 0; s < STREAMS && !bnn_checker_broken(c); s++) {
        in->io.rng = out->io.rng = bnn_rng_split(bnn_rng_seed(120), s);
        bnn_layer_pass_zero_gradients(in), bnn_layer_pass_zero_gradients(out);
        bnn_layer_pass_gradient(in), bnn_layer_pass_gradient(out);
        if ((what = bnn_difference_of_passes(in, out)))
            bnn_checker_break(c, "without training (io->train is false) %s is another, but the layer does not say COUPLED", what);
    }
}

bnn_status bnn_rule_training(bnn_checker *c, const bnn_layer_case *k) {
    bnn_layer_pass in, out;
    if (bnn_case_has_cap(k, BNN_COUPLED)) {
        bnn_checker_skip(c, "COUPLED: what it does without training is asked apart");
        return BNN_OK;
    }
    BNN_TRY(bnn_case_open_both(k, BNN_CASE_ROWS, 121, &in, &out));
    compare_streams(c, &in, &out);
    bnn_layer_pass_close(&out), bnn_layer_pass_close(&in);
    return BNN_OK;
}
