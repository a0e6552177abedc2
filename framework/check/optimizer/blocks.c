/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * blocks.c: the rule of optimisers that take norms of whole blocks, whose steps no other block is like: a step is compared with that on the
 * same block in another order, of another size, at another distance from 0.
 */
#include "optimizer.h"

#include <stdlib.h>
#include <string.h>

enum { N = BNN_OPTIMIZER_CASE, MOST = 1031, COPIES = 100 };

/* A block, and where its first step takes it. */
typedef struct {
    int n;
    bnn_real theta[MOST], g[MOST];
    double move[MOST];
} block;

static void fill(block *b, int n) {
    b->n = n;
    bnn_rng_normal(bnn_rng_seed(21), 0, 1, n, b->theta);
    bnn_rng_normal(bnn_rng_seed(22), 0, 1, n, b->g);
}

static void multiply(block *b, double theta, double g) {
    for (int i = 0; i < b->n; i++) b->theta[i] *= (bnn_real)theta, b->g[i] *= (bnn_real)g;
}

static bnn_status take_step(bnn_checker *c, const bnn_optimizer_type *type, block *b) {
    bnn_optimizer_case k;
    BNN_TRY(bnn_optimizer_case_sized(type, c->now.spec, b->n, b->n, &k));
    size_t bytes = (size_t)b->n * sizeof *k.theta;
    memcpy(k.theta, b->theta, bytes), memcpy(k.g, b->g, bytes);
    k.lr = 1e-3;
    bnn_optimizer_case_step(&k);
    for (int i = 0; i < b->n; i++) b->move[i] = (double)k.theta[i] - (double)b->theta[i];
    bnn_optimizer_case_close(&k);
    return BNN_OK;
}

static double length_of(const block *b) {
    double sum = 0;
    for (int i = 0; i < b->n; i++) sum += b->move[i] * b->move[i];
    return sqrt(sum / b->n);
}

/* From the other end to the front: each entry moves as before. */
static bnn_status turn_round(bnn_checker *c, const bnn_optimizer_type *type, int n, block *a, block *b) {
    fill(a, n);
    b->n = n;
    for (int i = 0; i < n; i++) b->theta[i] = a->theta[n - 1 - i], b->g[i] = a->g[n - 1 - i];
    BNN_TRY(take_step(c, type, a));
    BNN_TRY(take_step(c, type, b));
    for (int i = 0; i < n; i++)
        if (!(fabs(a->move[i] - b->move[n - 1 - i]) <= 1e-3 * length_of(a) + ROUNDING * fabs((double)a->theta[i])))
            bnn_checker_break(
                c, "of a block of %d theta[%d] moves by %.6g, and by %.6g where the block is in the opposite order: are all in the norm?",
                n, i, a->move[i], b->move[n - 1 - i]);
    return BNN_OK;
}

/* What a step becomes, as a power of what is multiplied by 4. */
static bnn_status power_of(bnn_checker *c, const bnn_optimizer_type *type, const block *a, double theta, double g, double *power) {
    block b = *a;
    multiply(&b, theta, g);
    BNN_TRY(take_step(c, type, &b));
    *power = log(length_of(&b) / length_of(a)) / log(4);
    return BNN_OK;
}

/* Steps as long as the block grow with it; others do not. None grows faster, or shrinks. */
static bnn_status sizes(bnn_checker *c, const bnn_optimizer_type *type, block *a, block *b) {
    double by_theta, by_g;
    fill(a, N);
    BNN_TRY(take_step(c, type, a));
    BNN_TRY(power_of(c, type, a, 4, 1, &by_theta));
    BNN_TRY(power_of(c, type, a, 1, 4, &by_g));
    b->n = N * COPIES;
    for (int i = 0; i < b->n; i++) b->theta[i] = a->theta[i % N], b->g[i] = a->g[i % N];
    BNN_TRY(take_step(c, type, b));
    double copies = length_of(b) / length_of(a), least = by_theta > 0.5 ? 1 : 1 / sqrt(COPIES);
    if (!(by_theta >= -0.1 && by_theta <= 1.1))
        bnn_checker_break(c, "the step on a block grows as the power %.3g of the block: 0 or 1 is meant", by_theta);
    if (!(by_g >= -0.1 && by_g <= 1.1))
        bnn_checker_break(c, "the step on a block grows as the power %.3g of its gradient: between 0 and 1 is meant", by_g);
    if (!(copies >= 0.99 * least && copies <= 1.01))
        bnn_checker_break(c, "in a block of %d copies each moves %.4g times as far as in one: are both norms of all?", COPIES, copies);
    return BNN_OK;
}

/* Biases begin at 0. */
static bnn_status from_0(bnn_checker *c, const bnn_optimizer_type *type, block *a) {
    fill(a, N);
    multiply(a, 0, 1);
    BNN_TRY(take_step(c, type, a));
    for (int i = 0; i < N; i++)
        if (!(a->move[i] * (double)a->g[i] < 0))
            bnn_checker_break(c, "a block of zeros moves by %.6g with the gradient %.6g: is it multiplied by its own norm?", a->move[i],
                              (double)a->g[i]);
    return BNN_OK;
}

bnn_status bnn_rule_blocks(bnn_checker *c, void *of) {
    const bnn_optimizer_case *k = of;
    if (!bnn_optimizer_case_says(k, BNN_OPTIMIZER_BY_BLOCKS)) {
        bnn_checker_skip(c, "it does not take whole blocks");
        return BNN_OK;
    }
    block *room = malloc(2 * sizeof *room);
    bnn_status s = room ? from_0(c, k->type, room) : bnn_oom("a rule");
    if (s == BNN_OK) s = turn_round(c, k->type, N, room, room + 1);
    if (s == BNN_OK) s = turn_round(c, k->type, MOST, room, room + 1);
    if (s == BNN_OK) s = sizes(c, k->type, room, room + 1);
    free(room);
    return s;
}
