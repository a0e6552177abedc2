/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * mc_dropout: dropout left on at prediction, as approximate variational inference (Gal & Ghahramani 2016).
 *
 *   q(W_i) = M_i diag(z_i);   U = -(N/M) sum log p(y | f(x; z)) + KL of prior and gates;   predict by averaging over draws of z
 *
 * A plain network gets a gate before every dense layer that has none: Bernoulli with a fixed p, or concrete gates (Gal, Hron & Kendall
 * 2017), whose p is learned layer by layer through the relaxation. Before convolutions they are spatial ones, which drop whole channels. On
 * few rows this bound has p fall to 0, and a learned noise with it: held_out_dropout learns both on rows held out.
 */
#include <bnn/descent.h>

#include <stdio.h>

typedef struct {
    int gates;
    double p, temperature;
    bnn_descent_conf descent;
} conf;

enum { BERNOULLI, CONCRETE };
static const char *const gate_names[] = {"bernoulli", "concrete", NULL};

static const bnn_option options[] = {
    BNN_OPT_REAL(conf, p, "0.01", 0, 0.999, "probability of dropping a unit; where it is learned, its initial value"),
    BNN_OPT_CHOICE(conf, gates, "bernoulli", gate_names, "bernoulli: p is fixed; concrete: p is learned for every layer"),
    BNN_OPT_REAL(conf, temperature, "0.1", 1e-3, 10, "of the relaxation of concrete gates; spatial ones have their own preset"),
    BNN_DESCENT_OPTIONS(conf, descent, "20000"),
    {0}};

static bnn_status adapt(const void *options_set, bnn_netspec *net) {
    const conf *c = options_set;
    char number[BNN_NUMBER_TEXT], p[64], relaxed[128];
    snprintf(p, sizeof p, "p=%s", bnn_number_print(c->p, number));
    snprintf(relaxed, sizeof relaxed, "%s,temperature=%s", p, bnn_number_print(c->temperature, number));
    const bool learned = c->gates == CONCRETE;
    BNN_TRY(bnn_netspec_gate(net, learned ? "concrete_dropout" : "dropout", learned ? relaxed : p));
    return bnn_netspec_gate_images(net, learned ? "spatial_concrete_dropout" : "spatial_dropout", p);
}

static bnn_status open(bnn_engine *e, const bnn_data *data) {
    return bnn_descent_open(e, &((const conf *)e->object.conf)->descent, data, BNN_ROWS);
}

static const char *const checks[] = {"mc_dropout:epochs=20,batch=16", "mc_dropout:gates=concrete,epochs=20,batch=16", NULL};

static const bnn_claim claims[] = {{"mc_dropout:p=0.3,epochs=6000,batch=8,lr=0.02,schedule=cosine", BNN_FINDS_GATED, 0.1}, {NULL, 0, 0}};

const bnn_engine_type bnn_engine_mc_dropout = {
    .type = {BNN_TYPE(bnn_engine_type), .name = "mc_dropout",
             .summary = "dropout left on at prediction; p fixed, or learned by concrete gates",
             .reference = "Gal & Ghahramani 2016; Gal, Hron & Kendall 2017", .caps = BNN_ONE_THETA | BNN_ABSORBS | BNN_WEIGHS | BNN_TAKES,
             .conf_size = sizeof(conf), .options = options, .checks = checks},
    BNN_DESCENT_HOOKS,
    .open = open,
    .adapt = adapt,
    .claims = claims,
    .fails = "p is a setting, not learned: too large a p makes intervals wide and the fit coarse, too small a one makes it map. The "
             "preset .01 is too much where there is little noise (energy: all of the 90 % intervals hold). With gates=concrete on "
             "few rows p goes to 0 and a learned noise with it (decision 5). Seen as: overconfident, noise_collapsed, noise_small.",
};
