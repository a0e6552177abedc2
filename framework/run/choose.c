/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * choose.c: the most exact engine whose predicted cost is within the budget.
 */
#include <bnn/choose.h>

#include <bnn/number.h>

#define FLOPS_A_SECOND 20e9 /* of one core in the products of small networks */
#define SECONDS_A_PASS 4e-6 /* of a gradient on no rows */
enum { HIDDEN = 50, WIDE = 400, MOST_TABLE_FEATURES = 400 };

/* An engine at a length, the best first. */
typedef struct {
    const char *engine, *net, *prior, *likelihood; /* likelihood: of real targets */
    double gradients;                              /* of its whole fit */
    int batch;                                     /* rows of one; 0: all */
    double steps_of_rows;                          /* epochs of its whole fit, where these are counted in place of gradients; else 0 */
    const char *because;
} candidate;

#define TABLE_NET "dense:50; tanh; dense"
#define SAMPLED(lengths) "hmc:" lengths ",scales=noncentred,target_accept=0.9", TABLE_NET, "hierarchical", "gaussian:sd=0.05,shape=0.25"

static const candidate of_tables[] = {
    {SAMPLED("steps=500,samples=400,warmup=200"), 1.2e6, 0, 0, "hmc samples the posterior itself; the budget allows long chains"},
    {SAMPLED("steps=250,samples=200,warmup=100"), 3e5, 0, 0, "hmc samples the posterior itself, and is within the budget"},
    {SAMPLED("steps=150,samples=100,warmup=60"), 9.6e4, 0, 0, "hmc samples the posterior itself; its chains are shortened to the budget"},
    {SAMPLED("steps=100,samples=60,warmup=40"), 4e4, 0, 0, "hmc samples the posterior itself; its chains are as short as they may be"},
    {"sghmc", "dense:50; relu; dense", "gauss", NULL, 0, 128, 12000, "hmc is beyond the budget, chains on minibatches are within it"},
    {"ensemble:engine=swag", "dense:50; relu; dense", "gauss", NULL, 1e5, 128, 0,
     "chains are beyond the budget, an ensemble of SWAG is within it"},
    {"mc_dropout", "dense:50; relu; dense", "gauss", NULL, 2e4, 128, 0, "nothing longer is within the budget"},
};

static const candidate of_images[] = {
    {"ensemble:engine=mc_dropout", "flatten; dense:400; relu; dense:400; relu; dense", "gauss", NULL, 1e5, 128, 0,
     "many features: an ensemble of dropout networks is within the budget"},
    {"mc_dropout", "flatten; dense:400; relu; dense:400; relu; dense", "gauss", NULL, 2e4, 128, 0,
     "many features: dropout is what the budget allows"},
};

/* Weights of a network of these layers on the data. */
static double weights(const bnn_data *d, bool table) {
    double in = bnn_shape_size(d->x_shape), out = d->n_classes > 0 ? d->n_classes : d->y_dim;
    return table ? (in + out) * HIDDEN : (in + WIDE + out) * WIDE;
}

/* A gradient is three products (forward, of the weights, of the inputs) of two operations. */
static double seconds_of(const candidate *c, const bnn_data *d, bool table) {
    double rows = c->batch > 0 && c->batch < d->n ? c->batch : d->n;
    double gradients = c->steps_of_rows > 0 ? c->steps_of_rows * d->n / rows : c->gradients;
    return gradients * (6 * weights(d, table) * rows / FLOPS_A_SECOND + SECONDS_A_PASS);
}

bnn_status bnn_choose(const bnn_data *d, double budget, bnn_choice *out) {
    bool table = d->x_shape.rank != 3 && bnn_shape_size(d->x_shape) <= MOST_TABLE_FEATURES;
    const candidate *c = table ? of_tables : of_images;
    const candidate *last = c + (table ? sizeof of_tables / sizeof *of_tables : sizeof of_images / sizeof *of_images) - 1;
    if (!(budget > 0)) return bnn_fail(BNN_ERR_OPTION, "a budget of %g seconds is not above 0", budget);
    while (c < last && seconds_of(c, d, table) > budget) c++;
    *out = (bnn_choice){.net = c->net,
                        .engine = c->engine,
                        .prior = c->prior,
                        .likelihood = d->n_classes > 0 ? NULL : c->likelihood,
                        .seconds = seconds_of(c, d, table)};
    bnn_print(out->reason, sizeof out->reason, "%d rows of %d features: %s (about %.2g s on one core%s)", d->n, bnn_shape_size(d->x_shape),
              c->because, out->seconds, out->seconds > budget ? ", more than the budget" : "");
    return BNN_OK;
}
