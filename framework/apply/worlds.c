/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * worlds.c: environments to act in.
 */
#include <bnn/bandit.h>
#include <bnn/data.h>

#include <math.h>
#include <string.h>

static double uniform(uint64_t stream) {
    bnn_real u;
    bnn_rng_uniform((bnn_rng){stream}, 0, 1, 1, &u);
    return (double)u;
}

static int draw_row(const bnn_table *t, uint64_t stream, double *context) {
    size_t D = (size_t)bnn_shape_size(t->x_shape);
    uint32_t word;
    bnn_rng_words((bnn_rng){stream}, 0, 1, 1, &word);
    int row = (int)(((uint64_t)word * (uint64_t)t->n) >> 32);
    for (size_t k = 0; k < D; k++) context[k] = bnn_table_value(t, (size_t)row * D + k);
    return row;
}

/* ---- mushrooms ---- */

static const double eaten = 5, poisoned = -35;

static int mushroom_context(const void *of, uint64_t stream, double *context) {
    return draw_row(((const bnn_mushrooms *)of)->table, stream, context);
}

static bool is_good(const bnn_mushrooms *m, int row) { return (int)m->table->y[row] == m->good; }

static double mushroom_expected(const void *of, int row, const double *context, int action) {
    (void)context;
    return action == 0 ? 0 : is_good(of, row) ? eaten : 0.5 * (eaten + poisoned);
}

static double mushroom_reward(const void *of, int row, const double *context, int action, uint64_t stream) {
    (void)context;
    if (action == 0) return 0;
    return is_good(of, row) || uniform(stream) < 0.5 ? eaten : poisoned;
}

static bnn_status check_classes(const bnn_table *t, int least, int most) {
    if (!t->y || t->n_classes < least || t->n_classes > most || t->n < 1)
        return bnn_fail(BNN_ERR_DATA, "a table with %s classes is needed, not one with %d", most == least ? "two" : "two or more",
                        t->n_classes);
    return BNN_OK;
}

bnn_status bnn_mushrooms_open(const bnn_mushrooms *m, bnn_environment *out) {
    BNN_TRY(check_classes(m->table, 2, 2));
    if (m->good != 0 && m->good != 1) return bnn_fail(BNN_ERR_OPTION, "%d is no class that could be eaten: there are 0 and 1", m->good);
    *out = (bnn_environment){bnn_shape_size(m->table->x_shape), 2, 0, 10, NULL, m, mushroom_context, mushroom_expected, mushroom_reward};
    return BNN_OK;
}

/* ---- guesses ---- */

static int guess_context(const void *of, uint64_t stream, double *context) { return draw_row(of, stream, context); }

static double guess_expected(const void *of, int row, const double *context, int action) {
    (void)context;
    return (int)((const bnn_table *)of)->y[row] == action;
}

static double guess_reward(const void *of, int row, const double *context, int action, uint64_t stream) {
    (void)stream;
    return guess_expected(of, row, context, action);
}

bnn_status bnn_guesses_open(const bnn_table *t, bnn_environment *out) {
    BNN_TRY(check_classes(t, 2, BNN_MOST_CLASSES));
    *out = (bnn_environment){bnn_shape_size(t->x_shape), t->n_classes, 0, 1, NULL, t, guess_context, guess_expected, guess_reward};
    return BNN_OK;
}

/* ---- the wheel ---- */

enum { SAFE, SPOKES = 4 };
static const double safe_reward = 1.2, small_reward = 1, large_reward = 50, wheel_sd = 0.01;

static int wheel_context(const void *of, uint64_t stream, double *context) {
    bnn_real u[2];
    (void)of;
    bnn_rng_uniform((bnn_rng){stream}, 0, 1, 2, u);
    double radius = sqrt((double)u[0]), angle = 2 * M_PI * (double)u[1];
    context[0] = radius * cos(angle), context[1] = radius * sin(angle);
    return 0;
}

static double wheel_expected(const void *of, int situation, const double *x, int action) {
    (void)situation;
    if (action == SAFE) return safe_reward;
    int spoke = 1 + (x[0] < 0) + 2 * (x[1] < 0);
    return hypot(x[0], x[1]) > ((const bnn_wheel *)of)->delta && action == spoke ? large_reward : small_reward;
}

static double wheel_reward(const void *of, int situation, const double *x, int action, uint64_t stream) {
    bnn_real e;
    bnn_rng_normal((bnn_rng){stream}, 0, 1, 1, &e);
    return wheel_expected(of, situation, x, action) + wheel_sd * (double)e;
}

bnn_status bnn_wheel_open(const bnn_wheel *wheel, bnn_environment *out) {
    if (!(wheel->delta > 0 && wheel->delta < 1))
        return bnn_fail(BNN_ERR_OPTION, "the wheel has a radius delta between 0 and 1, not %g", wheel->delta);
    *out = (bnn_environment){2, 1 + SPOKES, 1, 10, NULL, wheel, wheel_context, wheel_expected, wheel_reward};
    return BNN_OK;
}
