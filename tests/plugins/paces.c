/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * paces: a plugin with optimisers whose steps are short, long or uneven by design.
 *
 *   adadelta        d = sqrt((D + eps) / (v + eps)) g    theta -= lr d                 D, v decaying means of d^2, g^2 (Zeiler 2012)
 *   adagrad         theta -= lr g / (sqrt(sum of g^2) + eps)                           (Duchi et al. 2011)
 *   rmsprop         theta -= lr g / (sqrt(v) + eps)                                    v as it is, begun with 0 (Hinton 2012)
 *   rmsprop_heavy   u = m u + g / (sqrt(v) + eps)    theta -= lr u                     (PyTorch's with momentum)
 *   nadam           as adam, with the mean of the next step                            (Dozat 2016)
 *   lookahead       sgd; each fifth step goes half the way back to where it was then   (Zhang et al. 2019)
 */
#include <bnn/optimizer.h>

#include <math.h>

#define ARGUMENTS const bnn_optimizer *o, double lr, uint64_t t, int n, bnn_real *theta, const bnn_real *g, bnn_real *state, size_t stride

/* A decaying mean of squares is moved on. */
static double mean_square(bnn_real *v, double x, double decay) {
    *v = (bnn_real)(decay * (double)*v + (1 - decay) * x * x);
    return (double)*v;
}

static void adadelta(ARGUMENTS) {
    (void)o, (void)t;
    for (int i = 0; i < n; i++) {
        double of_moves = (double)state[stride + (size_t)i] + 1e-6, v = mean_square(&state[i], (double)g[i], 0.95) + 1e-6;
        double d = sqrt(of_moves / v) * (double)g[i];
        mean_square(&state[stride + (size_t)i], d, 0.95);
        theta[i] -= (bnn_real)(lr * d);
    }
}

static void adagrad(ARGUMENTS) {
    (void)o, (void)t, (void)stride;
    for (int i = 0; i < n; i++) {
        state[i] += g[i] * g[i];
        theta[i] -= (bnn_real)(lr * (double)g[i] / (sqrt((double)state[i]) + 1e-10));
    }
}

static void rmsprop(ARGUMENTS) {
    (void)o, (void)t, (void)stride;
    for (int i = 0; i < n; i++) theta[i] -= (bnn_real)(lr * (double)g[i] / (sqrt(mean_square(&state[i], (double)g[i], 0.99)) + 1e-8));
}

static void rmsprop_heavy(ARGUMENTS) {
    (void)o, (void)t;
    for (int i = 0; i < n; i++) {
        bnn_real *u = &state[stride + (size_t)i];
        *u = (bnn_real)(0.9 * (double)*u + (double)g[i] / (sqrt(mean_square(&state[i], (double)g[i], 0.99)) + 1e-8));
        theta[i] -= (bnn_real)(lr * (double)*u);
    }
}

static void nadam(ARGUMENTS) {
    (void)o;
    for (int i = 0; i < n; i++) {
        bnn_real *m = &state[stride + (size_t)i];
        *m = (bnn_real)(0.9 * (double)*m + 0.1 * (double)g[i]);
        double v = mean_square(&state[i], (double)g[i], 0.999) / (1 - pow(0.999, (double)t));
        double mean = 0.9 * (double)*m / (1 - pow(0.9, (double)t + 1)) + 0.1 * (double)g[i] / (1 - pow(0.9, (double)t));
        theta[i] -= (bnn_real)(lr * mean / (sqrt(v) + 1e-8));
    }
}

static void lookahead(ARGUMENTS) {
    (void)o, (void)stride;
    for (int i = 0; i < n; i++) {
        if (t % 5 == 1) state[i] = theta[i];
        theta[i] -= (bnn_real)(lr * (double)g[i]);
        if (t % 5 == 0) theta[i] = (theta[i] + state[i]) / 2;
    }
}

#define OPTIMIZER(step_hook, planes, capabilities, text)                                                                                   \
    static const char *const step_hook##_checks[] = {#step_hook, NULL};                                                                    \
    static const bnn_optimizer_type type_of_##step_hook = {                                                                                \
        .type = {BNN_TYPE(bnn_optimizer_type), .name = #step_hook, .summary = text, .caps = (capabilities), .checks = step_hook##_checks}, \
        .state_per_theta = (planes),                                                                                                       \
        .step = step_hook}

OPTIMIZER(adadelta, 2, 0, "steps as long as those before");
OPTIMIZER(adagrad, 1, 0, "steps over the root of all squares");
OPTIMIZER(rmsprop, 1, 0, "steps over the root of a mean square");
OPTIMIZER(rmsprop_heavy, 2, BNN_OPTIMIZER_UNEVEN, "the same with momentum");
OPTIMIZER(nadam, 2, 0, "adaptive moments, one step ahead");
OPTIMIZER(lookahead, 1, BNN_OPTIMIZER_UNEVEN, "descent that looks back");

BNN_PLUGIN("paces", BNN_OPTIMIZER_ENTRY(type_of_adadelta), BNN_OPTIMIZER_ENTRY(type_of_adagrad), BNN_OPTIMIZER_ENTRY(type_of_rmsprop),
           BNN_OPTIMIZER_ENTRY(type_of_rmsprop_heavy), BNN_OPTIMIZER_ENTRY(type_of_nadam), BNN_OPTIMIZER_ENTRY(type_of_lookahead))
