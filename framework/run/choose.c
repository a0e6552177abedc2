/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * choose.c: the most exact engine whose predicted cost is within the budget.
 */
#include <bnn/choose.h>

#include <bnn/cost.h>
#include <bnn/number.h>
#include <math.h>

#define FLOPS_OF_PIXELS 28e9 /* in convolutions and what stands between them */
#define SECONDS_A_ROW 1.1e-6 /* of an update of Kronecker factors, beside their products */
#define SECONDS_A_CUBE 8e-9  /* of the eigenvalues of such a factor, times its order cubed */
enum {
    HIDDEN = 50,
    WIDE = 400,
    MOST_TABLE_FEATURES = 400,
    LARGE = 5000 /* rows */,
    UPDATES = 200 /* of a curvature in a fit of laplace, one an epoch at most */,
    LEAST_SIDE = 12 /* pixels that two poolings leave something of */
};
enum { FIRST = 16, SECOND = 32, LAST = 64 /* channels and units of the network of pictures */ };

/* An engine at a length, the best first. Its fit takes so many gradients, and no fewer than so many epochs of them. */
typedef struct {
    const char *engine, *net, *prior, *likelihood; /* likelihood: of real targets */
    int laplaces;                                  /* fits of laplace, whose updates come on top of the gradients */
    double gradients, epochs;
    int batch; /* rows of a gradient; 0: all */
    const char *because;
} candidate;

#define SAMPLED(lengths) \
    "hmc:" lengths ",scales=noncentred,target_accept=0.9", "dense:50; tanh; dense", "hierarchical", "gaussian:sd=0.05,shape=0.25", 0
#define DESCENDED(engine, net) engine, net, "gauss", NULL, 0
#define TABLE_NET "dense:50; relu; dense"
#define WIDE_NET "flatten; dense:400; relu; dense:400; relu; dense"
#define PICTURE_NET "conv2d:16,padding=1; relu; maxpool2d; conv2d:32,padding=1; relu; maxpool2d; flatten; dense:64; relu; dense"

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

#define MODE "laplace{engine=map{lr=0.005,steps=50000}}"
#define LAPLACES(fits, engine, because) \
    { engine, TABLE_NET, "gauss", NULL, fits, (fits)*5e4, (fits)*20, 128, because }

/* On thousands of rows short chains do not arrive, and chains on minibatches run hot. Long descents do arrive, also where there is next to
 * no noise, and the evidence keeps them from too little of it. Of dropout, passes over the rows held out count as gradients here. */
static const candidate of_large_tables[] = {
    LONG_CHAINS,
    CHAINS,
    LAPLACES(5, "ensemble:engine=" MODE, "chains that arrive are beyond the budget, an ensemble of five long fits of laplace is not"),
    LAPLACES(3, "ensemble:members=3,engine=" MODE, "chains that arrive are beyond the budget, three long fits of laplace are not"),
    LAPLACES(1, "laplace:engine=map{lr=0.005,steps=50000}", "chains and ensembles are beyond the budget, a long fit of laplace is not"),
    {DESCENDED("held_out_dropout:steps=40000", TABLE_NET), 8e4, 8, 128,
     "chains and laplace are beyond the budget, a long fit of dropout that is learned on rows held out is not"},
    DROPOUT,
};

static const candidate of_many_features[] = {
    {DESCENDED("ensemble:engine=mc_dropout", WIDE_NET), 1e5, 100, 128,
     "many features: an ensemble of dropout networks is within the budget"},
    {DESCENDED("mc_dropout", WIDE_NET), 2e4, 20, 128, "many features: dropout is what the budget allows"},
};

#define CONVOLVED(length, gradients, epochs, batch) \
    { DESCENDED("mc_dropout:" length, PICTURE_NET), gradients, epochs, batch, "pictures: dropout in a network of convolutions" }

/* A number of steps is one of 20 epochs at least. Few rows have few minibatches of 128 in an epoch, so theirs are smaller where time is. */
static const candidate of_pictures[] = {
    CONVOLVED("steps=20000", 2e4, 20, 128),
    CONVOLVED("steps=3000", 3e3, 20, 128),
    CONVOLVED("steps=1000", 1e3, 20, 128),
    CONVOLVED("steps=1000,batch=32", 1e3, 20, 32),
    CONVOLVED("steps=300,batch=32", 300, 20, 32),
    CONVOLVED("steps=100,batch=32", 100, 20, 32),
    CONVOLVED("epochs=10", 0, 10, 128),
    CONVOLVED("epochs=4", 0, 4, 128),
    CONVOLVED("epochs=1", 0, 1, 128),
};

typedef enum { TABLE, MANY_FEATURES, PICTURES } kind;

static kind kind_of(const bnn_data *d) {
    const bnn_shape *x = &d->x_shape;
    if (x->rank == 3 && x->d[1] >= LEAST_SIDE && x->d[2] >= LEAST_SIDE) return PICTURES;
    return x->rank != 3 && bnn_shape_size(*x) <= MOST_TABLE_FEATURES ? TABLE : MANY_FEATURES;
}

const char *bnn_choose_net(const bnn_data *d) {
    if (kind_of(d) == PICTURES) return PICTURE_NET;
    return d->x_shape.rank == 3 ? "flatten; " TABLE_NET : TABLE_NET;
}

/* Multiplications of a forward pass of a row. */
static double products(const bnn_data *d, kind k) {
    double in = bnn_shape_size(d->x_shape), out = d->n_classes > 0 ? d->n_classes : d->y_dim;
    if (k == TABLE) return (in + out) * HIDDEN;
    if (k == MANY_FEATURES) return (in + WIDE + out) * WIDE;
    double pixels = (double)d->x_shape.d[1] * d->x_shape.d[2];
    return 9 * in * FIRST + 9 * FIRST * SECOND * pixels / 4 + SECOND * pixels / 16 * LAST + LAST * out;
}

/* The updates of one fit of laplace on a table, for each output a pass over all rows: what a row takes, its squares, and the eigenvalues
 * of all factors. */
static double seconds_of_updates(double epochs, const bnn_data *d) {
    double in = bnn_shape_size(d->x_shape), out = d->n_classes > 0 ? d->n_classes : d->y_dim;
    double squares = 2 * (in * in + HIDDEN * HIDDEN + out * out), cubes = in * in * in + 2.0 * HIDDEN * HIDDEN * HIDDEN;
    return fmin(UPDATES, epochs) * (d->n * out * (SECONDS_A_ROW + squares / BNN_FLOPS_A_SECOND) + SECONDS_A_CUBE * cubes);
}

/* A gradient is three products (forward, of the weights, of the inputs) of two operations. */
static double seconds_of(const candidate *c, const bnn_data *d, kind k) {
    double rows = c->batch > 0 && c->batch < d->n ? c->batch : d->n;
    double gradients = fmax(c->gradients, c->epochs * d->n / rows);
    double seconds = gradients * (6 * products(d, k) * rows / (k == PICTURES ? FLOPS_OF_PIXELS : BNN_FLOPS_A_SECOND) + BNN_SECONDS_A_PASS);
    return c->laplaces > 0 ? seconds + c->laplaces * seconds_of_updates(gradients / c->laplaces * rows / d->n, d) : seconds;
}

#define LIST(c) (*n = (int)(sizeof(c) / sizeof *(c)), (c))

/* Those by dropout, the last ones of those of tables, do not know weights of rows. */
static const candidate *candidates_of(const bnn_data *d, kind k, int *n) {
    if (k == PICTURES) return LIST(of_pictures);
    if (k == MANY_FEATURES) return LIST(of_many_features);
    const candidate *c = d->n > LARGE ? LIST(of_large_tables) : LIST(of_tables);
    if (d->weight) *n -= d->n > LARGE ? 2 : 1;
    return c;
}

bnn_status bnn_choose(const bnn_data *d, double budget, bnn_choice *out) {
    const kind k = kind_of(d);
    int n;
    const candidate *c = candidates_of(d, k, &n), *last = c + n - 1;
    if (!(budget > 0)) return bnn_fail(BNN_ERR_OPTION, "a budget of %g seconds is not above 0", budget);
    while (c < last && seconds_of(c, d, k) > budget) c++;
    *out = (bnn_choice){.net = c->net,
                        .engine = c->engine,
                        .prior = c->prior,
                        .likelihood = d->n_classes > 0 ? NULL : c->likelihood,
                        .seconds = seconds_of(c, d, k)};
    bnn_print(out->reason, sizeof out->reason, "%d rows of %d features: %s (about %.2g s on one core%s)", d->n, bnn_shape_size(d->x_shape),
              c->because, out->seconds, out->seconds > budget ? ", more than the budget" : "");
    return BNN_OK;
}
