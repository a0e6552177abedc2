/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * bayes_by_backprop: mean-field Gaussian weights by stochastic variational inference (Blundell et al. 2015).
 *
 *   q(w) = prod N(w_i; mu_i, softplus(rho_i)^2);   U = E_q[-log p(D | w)] + KL(q || prior), its gradient by reparameterisation;   predict
 * by averaging over draws of w
 *
 * A plain network's dense layers become gaussian_dense, its convolutions gaussian_conv2d. The estimator of the gradient is the layers':
 * weight (one w per pass, as in the paper), local (Kingma, Salimans & Welling 2015; of convolutions flipout, for which local would be an
 * approximation), flipout (Wen et al. 2018); all three predict alike. A fourth needs no derivative of the
 * network in w, and shows what that costs: score, (nll - baseline) d log q(w) (Williams 1992), one w per pass; its baseline is the running
 * mean of nll, or 0. Its variance asks for small steps: lr 0.001 is far too much for more than a few dozen weights.
 */
#include <bnn/descent.h>

#include <stdio.h>

typedef struct {
    int estimator, kl, baseline;
    bnn_descent_conf descent;
} conf;

enum { UNIFORM, GEOMETRIC };
enum { WEIGHT, LOCAL, FLIPOUT, SCORE };
enum { NO_BASELINE, RUNNING_MEAN };
static const char *const estimators[] = {"weight", "local", "flipout", "score", NULL}, *const kl_names[] = {"uniform", "geometric", NULL},
                         *const baselines[] = {"none", "mean", NULL};

static const bnn_option options[] = {
    BNN_OPT_CHOICE(conf, estimator, "local", estimators,
                   "of the gradient: weight, local (of convolutions flipout) or flipout, along the path of the noise; score function"),
    BNN_OPT_CHOICE(conf, kl, "uniform", kl_names, "share of KL in minibatch i of B: uniform 1/B, geometric 2^(B-i)/(2^B-1)"),
    BNN_OPT_CHOICE(conf, baseline, "mean", baselines, "of the score function: none, or the running mean of nll"),
    BNN_DESCENT_OPTIONS(conf, descent, "20000"),
    {0}};

/* The estimator of a layer. Noise of its own for every pixel, as of every unit of a dense layer, would be another distribution: of
 * convolutions flipout is what differs from row to row. */
static const char *estimator_of(const conf *c, bool convolution) {
    return estimators[c->estimator == SCORE ? WEIGHT : c->estimator == LOCAL && convolution ? FLIPOUT : c->estimator];
}

static bnn_status adapt(const void *options_set, bnn_netspec *net) {
    char estimator[32], type[128];
    for (int i = 0; i < net->n; i++) {
        const bool convolution = bnn_netspec_convolution(net, i);
        if (!convolution && !bnn_netspec_affine(net, i)) continue;
        snprintf(estimator, sizeof estimator, "estimator=%s", estimator_of(options_set, convolution));
        snprintf(type, sizeof type, "gaussian_%s", net->s[i].type);
        BNN_TRY(bnn_netspec_convert(net, i, type, estimator));
    }
    return BNN_OK;
}

static bnn_status open(bnn_engine *e, const bnn_data *data) {
    const conf *c = e->object.conf;
    bnn_descent *d = e->state;
    bool score = c->estimator == SCORE;
    d->geometric_kl = c->kl == GEOMETRIC;
    d->estimator = score ? BNN_SCORE_FUNCTION : BNN_PATHWISE;
    d->has_baseline = score && c->baseline == RUNNING_MEAN;
    return bnn_descent_open(e, &c->descent, data, score ? BNN_DRAW : BNN_ROWS);
}

static const char *const checks[] = {
    "bayes_by_backprop:epochs=20,batch=16", "bayes_by_backprop:estimator=weight,kl=geometric,epochs=20,batch=16",
    "bayes_by_backprop:estimator=flipout,epochs=20,batch=16", "bayes_by_backprop:estimator=score,epochs=20,batch=16,lr=1e-5", NULL};

static const bnn_claim claims[] = {
    {"bayes_by_backprop:epochs=3000,batch=8,lr=0.02,schedule=cosine", BNN_FINDS_MEAN_FIELD, 0.1},
    {"bayes_by_backprop:estimator=weight,kl=geometric,epochs=3000,batch=8,lr=0.02,schedule=cosine", BNN_FINDS_MEAN_FIELD, 0.1},
    {"bayes_by_backprop:estimator=flipout,epochs=3000,lr=0.02,schedule=cosine", BNN_FINDS_MEAN_FIELD, 0.1},
    {NULL, 0, 0}};

const bnn_engine_type bnn_engine_bayes_by_backprop = {
    .type = {BNN_TYPE(bnn_engine_type), .name = "bayes_by_backprop", .summary = "mean-field Gaussian weights by variational inference",
             .reference = "Blundell et al. 2015, eq. 1-9", .caps = BNN_ONE_THETA | BNN_ABSORBS | BNN_WEIGHS | BNN_TAKES,
             .conf_size = sizeof(conf), .options = options, .checks = checks},
    BNN_DESCENT_HOOKS,
    .open = open,
    .adapt = adapt,
    .claims = claims,
    .fails = "weights are independent: the spread of the outputs is too small between the data, and wide networks are shrunk to less"
             " than they could do; converges slowly. Seen as: not_converged; rmse above map's.",
};
