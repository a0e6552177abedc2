/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * choose.c: the most exact engine whose predicted cost is within the budget.
 */
#include <bnn/choose.h>

#include <bnn/number.h>
#include <math.h>

#define FLOPS_A_SECOND 20e9 /* of one core in the products of small networks */
#define SECONDS_A_PASS 4e-6 /* of a gradient on no rows */
enum { HIDDEN = 50, WIDE = 400, MOST_TABLE_FEATURES = 400, LARGE = 5000 /* rows */ };

/* An engine at a length, the best first. Its fit takes so many gradients, and no fewer than so many epochs of them. */
typedef struct {
    const char *engine, *net, *prior, *likelihood; /* likelihood: of real targets */
    double gradients, epochs;
    int batch; /* rows of a gradient; 0: all */
    const char *because;
} candidate;

#define SAMPLED(lengths) \
    "hmc:" lengths ",scales=noncentred,target_accept=0.9", "dense:50; tanh; dense", "hierarchical", "gaussian:sd=0.05,shape=0.25"
#define DESCENDED(engine, net) engine, net, "gauss", NULL
#define TABLE_NET "dense:50; relu; dense"
#define IMAGE_NET "flatten; dense:400; relu; dense:400; relu; dense"

#define LONG_CHAINS \
    { SAMPLED("steps=500,samples=400,warmup=200"), 1.2e6, 0, 0, "hmc samples the posterior itself; the budget allows long chains" }
#define CHAINS \
    { SAMPLED("steps=250,samples=200,warmup=100"), 3e5, 0, 0, "hmc samples the posterior itself, and is within the budget" }
#define DROPOUT                                                                             \
    {                                                                                       \
        DESCENDED("held_out_dropout", TABLE_NET), 8e3, 8, 128,                              \
            "chains are beyond the budget, dropout that is learned on rows held out is not" \
    }

static const candidate of_tables[] = {
    LONG_CHAINS,
    CHAINS,
    {SAMPLED("steps=150,samples=100,warmup=60"), 9.6e4, 0, 0, "hmc samples the posterior itself; its chains are shortened to the budget"},
    {SAMPLED("steps=100,samples=60,warmup=40"), 4e4, 0, 0, "hmc samples the posterior itself; its chains are as short as they may be"},
    {DESCENDED("sghmc", TABLE_NET), 8e4, 480, 128, "hmc is beyond the budget, chains on minibatches are within it"},
    DROPOUT,
};

/* On thousands of rows short chains do not arrive, and chains on minibatches run hot; rows held out are many. Passes over these count as
 * gradients here. */
static const candidate of_large_tables[] = {
    LONG_CHAINS,
    CHAINS,
    {DESCENDED("held_out_dropout:steps=40000", TABLE_NET), 8e4, 8, 128,
     "chains that arrive are beyond the budget, a long fit of dropout that is learned on rows held out is not"},
    DROPOUT,
};

static const candidate of_images[] = {
    {DESCENDED("ensemble:engine=mc_dropout", IMAGE_NET), 1e5, 100, 128,
     "many features: an ensemble of dropout networks is within the budget"},
    {DESCENDED("mc_dropout", IMAGE_NET), 2e4, 20, 128, "many features: dropout is what the budget allows"},
};

/* Weights of a network of these layers on the data. */
static double weights(const bnn_data *d, bool table) {
    double in = bnn_shape_size(d->x_shape), out = d->n_classes > 0 ? d->n_classes : d->y_dim;
    return table ? (in + out) * HIDDEN : (in + WIDE + out) * WIDE;
}

/* A gradient is three products (forward, of the weights, of the inputs) of two operations. */
static double seconds_of(const candidate *c, const bnn_data *d, bool table) {
    double rows = c->batch > 0 && c->batch < d->n ? c->batch : d->n;
    double gradients = fmax(c->gradients, c->epochs * d->n / rows);
    return gradients * (6 * weights(d, table) * rows / FLOPS_A_SECOND + SECONDS_A_PASS);
}

/* The last one of those of tables, dropout, does not know weights of rows. */
static const candidate *candidates_of(const bnn_data *d, bool table, int *n) {
    bool large = table && !d->weight && d->n > LARGE;
    *n = (int)((table ? sizeof of_tables : sizeof of_images) / sizeof(candidate));
    if (table && d->weight) --*n;
    if (large) *n = (int)(sizeof of_large_tables / sizeof(candidate));
    return large ? of_large_tables : table ? of_tables : of_images;
}

bnn_status bnn_choose(const bnn_data *d, double budget, bnn_choice *out) {
    bool table = d->x_shape.rank != 3 && bnn_shape_size(d->x_shape) <= MOST_TABLE_FEATURES;
    int n;
    const candidate *c = candidates_of(d, table, &n), *last = c + n - 1;
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
