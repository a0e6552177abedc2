/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * map: the maximum a posteriori parameters, the point estimate that every other engine is compared with.
 *
 *   theta* = argmin U(theta), by stochastic gradient descent on U/N, without noise in training and prediction
 *
 * Gates and random weights that the text has stand at their means.
 */
#include <bnn/descent.h>

typedef struct {
    bnn_descent_conf descent;
} conf;

static const bnn_option options[] = {BNN_DESCENT_OPTIONS(conf, descent, "20000"), {0}};

static bnn_status open(bnn_engine *e, const bnn_data *data) {
    return bnn_descent_open(e, &((const conf *)e->object.conf)->descent, data, BNN_MEAN);
}

static const char *const checks[] = {"map:epochs=20,batch=16", "map:epochs=40,batch=16,level=10", NULL};

static const bnn_claim claims[] = {{"map:epochs=2000,lr=0.05,optimizer=sgd{momentum=0.9}", BNN_FINDS_MODE, 0.002},
                                   {"map:epochs=8000,batch=8,lr=0.02,schedule=cosine", BNN_FINDS_MODE, 0.02},
                                   {NULL, 0, 0}};

const bnn_engine_type bnn_engine_map = {
    .type = {BNN_TYPE(bnn_engine_type), .name = "map", .summary = "maximum a posteriori: one point, no epistemic uncertainty",
             .reference = "MacKay 1992", .caps = BNN_POINT | BNN_ABSORBS | BNN_WEIGHS | BNN_TAKES, .conf_size = sizeof(conf),
             .options = options, .checks = checks},
    BNN_DESCENT_HOOKS,
    .open = open,
    .claims = claims,
    .fails = "one point has no doubt about itself and takes the residuals of its training rows for the noise: intervals are too "
             "narrow, most of all on few rows with many columns. Seen as: overconfident, noise_collapsed.",
};
