/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * bend: one unit bent by another. bend_0 is right, each other type has one fault: has(l, k) in its hooks.
 *
 *   y = w f(a) + b v,   f(a) = 2^power log(1 + exp(a))            a, b, y: any shape of D units; w, v [D]
 *   da += dy w 2^power sigmoid(a)    db += dy v    dw += dy f(a)    dv += dy b
 *
 * With an input alone, b = a. Parameters: scale [D] WEIGHT, slope [D] WEIGHT.
 */
#include <bnn/layer.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    double power; /* of 2, that f is multiplied by */
} conf;

static const bnn_option options[] = {BNN_OPT_REAL(conf, power, "0", -4, 4, "of 2, that the bent unit is multiplied by"), {0}};

static bool has(const bnn_layer *l, int fault) { return atoi(strrchr(l->object.type->name, '_') + 1) == fault; }

static double factor(const bnn_layer *l) { return *(const double *)l->derived; }

static bnn_status bind(bnn_layer *l) {
    char first[BNN_SHAPE_TEXT], second[BNN_SHAPE_TEXT];
    const conf *c = l->object.conf;
    int d = bnn_layer_size_in(l);
    double *made = malloc(sizeof *made);
    if (!made) return bnn_oom("a layer");
    if (!has(l, 3)) l->derived = made;
    if (l->n_in > 1 && !bnn_shape_equal(l->in[0], l->in[1]))
        return bnn_fail(BNN_ERR_SHAPE, "input 1 has shape %s, input 0 has %s", bnn_shape_print(l->in[1], second),
                        bnn_shape_print(l->in[0], first));
    if (c->power > 3 && !has(l, 4)) return bnn_fail(BNN_ERR_OPTION, "option 'power' is above 3");
    if (c->power > 3) return l->derived = NULL, bnn_fail(BNN_ERR_OPTION, "option 'power' is above 3");
    *made = exp2(c->power);
    l->derived = made;
    l->plan = (bnn_plan){.out = l->in[0],
                         .n_params = 2,
                         .param = {{.name = "scale", .role = BNN_WEIGHT, .cols = d, .fan_in = 1},
                                   {.name = "slope", .role = BNN_WEIGHT, .cols = d, .fan_in = 1}},
                         .flops_row = 15.0 * d,
                         .back_flops_row = 15.0 * d};
    return BNN_OK;
}

static void close(bnn_layer *l) { free(l->derived); }

/* Where the parameters of number i of y stand; of bend_7 all have one. */
static int place_of(const bnn_layer *l, int i) { return has(l, 7) ? 0 : i % bnn_layer_size_in(l); }

/* The unit whose f stands in unit i; of bend_6 the larger one of a pair. */
static int unit_of(const bnn_layer *l, const bnn_real *a, int i) {
    int d = bnn_layer_size_in(l), other = i / d * d + ((i % d) ^ 1);
    return has(l, 6) && other < (i / d + 1) * d && a[other] > a[i] ? other : i;
}

static void forward(const bnn_layer *l, bnn_io *io) {
    int d = bnn_layer_size_in(l);
    const bnn_real *a = io->x[0], *b = io->x[l->n_in - 1];
    for (int i = 0; i < io->n * d; i++)
        io->y[i] = io->theta[place_of(l, i)] * (bnn_real)(factor(l) * bnn_softplus((double)a[unit_of(l, a, i)])) +
                   b[i] * io->theta[d + place_of(l, i)];
}

/* Slope of f. */
static double slope(const bnn_layer *l, double a) {
    if (has(l, 1) && a > 6) return 0;
    return factor(l) * bnn_sigmoid(a);
}

static void backward(const bnn_layer *l, bnn_io *io) {
    int d = bnn_layer_size_in(l), last = l->n_in - 1;
    for (int i = 0; i < io->n * d; i++) {
        int of = unit_of(l, io->x[0], i);
        double a = (double)io->x[0][of];
        if (io->dx[0]) io->dx[0][of] += io->dy[i] * io->theta[place_of(l, i)] * (bnn_real)slope(l, a);
        if (io->dx[last]) io->dx[last][i] += io->dy[i] * io->theta[d + place_of(l, i)];
        if (!io->dtheta || (has(l, 2) && !io->dx[last] && io->dx[0])) continue;
        io->dtheta[place_of(l, i)] += io->dy[i] * (bnn_real)(factor(l) * bnn_softplus(a));
        io->dtheta[d + place_of(l, i)] += io->dy[i] * io->x[last][i];
    }
}

/* N(1, 1/4) */
static void init(const bnn_layer *l, bnn_rng rng, bnn_real *theta) {
    bnn_rng_normal(has(l, 5) ? bnn_rng_seed(1) : rng, 0, 1, l->n_theta, theta);
    for (int i = 0; i < l->n_theta; i++) theta[i] = 1 + theta[i] / 2;
}

#define MUTANT_OF(k, said, first)                                                                                                         \
    static const char *const checks_##k[] = {first, "input:2x3; bend_" #k ":1; flatten", NULL};                                           \
    static const bnn_layer_type bend_##k = {.type = {BNN_TYPE(bnn_layer_type), .name = "bend_" #k, .summary = "one unit bent by another", \
                                                     .caps = said, .conf_size = sizeof(conf), .options = options, .checks = checks_##k},  \
                                            .min_in = 1,                                                                                  \
                                            .max_in = 2,                                                                                  \
                                            .bind = bind,                                                                                 \
                                            .forward = forward,                                                                           \
                                            .backward = backward,                                                                         \
                                            .init = init,                                                                                 \
                                            .close = close};
#define MUTANT(k) MUTANT_OF(k, 0, "a = input:6; b = tanh(a); bend_" #k "(a, b)")

MUTANT(0)
MUTANT(1)
MUTANT(2)
MUTANT(3) MUTANT(4) MUTANT(5) MUTANT(6) MUTANT_OF(7, BNN_ELEMENTWISE, "input:6; bend_7")

#define ENTRY(k) BNN_LAYER_ENTRY(bend_##k)
    BNN_PLUGIN("bend", ENTRY(0), ENTRY(1), ENTRY(2), ENTRY(3), ENTRY(4), ENTRY(5), ENTRY(6), ENTRY(7))
