/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_optimizers.c: every registered optimiser on a quadratic; adam and sgd against their algorithms in double.
 */
#include "helpers.h"

#include <bnn/optimizer.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 7, STRIDE = 16, STEPS = 50 };

typedef struct {
    bnn_optimizer o;
    bnn_real theta[N], g[N], *state;
} run;

static void open_run(const char *spec, run *r) {
    ck_assert_msg(bnn_optimizer_new(spec, &r->o) == BNN_OK, "%s: %s", spec, bnn_error());
    r->state = reals_new((size_t)bnn_optimizer_vtable(&r->o)->state_per_theta * STRIDE);
    bnn_rng_normal(bnn_rng_seed(1), 0, 1, N, r->theta);
}

static void close_run(run *r) {
    reals_free(r->state);
    bnn_optimizer_free(&r->o);
}

static void step(run *r, double lr, uint64_t t) { bnn_optimizer_vtable(&r->o)->step(&r->o, lr, t, N, r->theta, r->g, r->state, STRIDE); }

/* U = sum a_i (theta_i - i)^2 / 2, a_i from 0.5 to 2; the step size falls, so every method comes to rest. */
START_TEST(quadratics_are_minimised) {
    for (const bnn_type *type = NULL; (type = bnn_type_next(BNN_OPTIMIZER, type));)
        for (int s = 0; type->checks[s]; s++) {
            run r;
            open_run(type->checks[s], &r);
            for (uint64_t t = 1; t <= 4000; t++) {
                for (int i = 0; i < N; i++) r.g[i] = (bnn_real)(0.5 + 0.25 * i) * (r.theta[i] - (bnn_real)i);
                step(&r, 0.1 / (1 + 1e-2 * (double)t), t);
            }
            for (int i = 0; i < N; i++)
                ck_assert_msg(fabs((double)r.theta[i] - i) < 1e-3, "%s: theta[%d] ends at %g", type->checks[s], i, (double)r.theta[i]);
            close_run(&r);
        }
}
END_TEST

static void random_gradient(run *r, uint64_t t) {
    bnn_rng_normal(bnn_rng_seed(2), t, 1, N, r->g);
    r->g[0] *= (bnn_real)1e-9; /* below eps: shows where eps stands */
}

static void assert_near(const run *r, const double *theta, uint64_t t) {
    for (int i = 0; i < N; i++)
        ck_assert_msg(fabs((double)r->theta[i] - theta[i]) < ROUNDING * (1 + fabs(theta[i])), "step %d: theta[%d] is %.9g, not %.9g",
                      (int)t, i, (double)r->theta[i], theta[i]);
}

static void start_at(const run *r, double *theta) {
    for (int i = 0; i < N; i++) theta[i] = (double)r->theta[i];
}

/* Kingma & Ba 2015, algorithm 1, line by line. */
START_TEST(adam_is_algorithm_1) {
    const double lr = 0.02, b1 = 0.5, b2 = 0.99, eps = 1e-7;
    double theta[N], m[N] = {0}, v[N] = {0};
    run r;
    open_run("adam:beta1=0.5,beta2=0.99,eps=1e-7", &r);
    start_at(&r, theta);
    for (uint64_t t = 1; t <= STEPS; t++) {
        random_gradient(&r, t);
        step(&r, lr, t);
        for (int i = 0; i < N; i++) {
            double g = (double)r.g[i];
            m[i] = b1 * m[i] + (1 - b1) * g;
            v[i] = b2 * v[i] + (1 - b2) * g * g;
            theta[i] -= lr * (m[i] / (1 - pow(b1, (double)t))) / (sqrt(v[i] / (1 - pow(b2, (double)t))) + eps);
        }
        assert_near(&r, theta, t);
    }
    close_run(&r);
}
END_TEST

START_TEST(sgd_has_a_velocity) {
    const double lr = 0.02;
    double theta[N], v[N] = {0};
    run r;
    open_run("sgd:momentum=0.8", &r);
    start_at(&r, theta);
    for (uint64_t t = 1; t <= STEPS; t++) {
        random_gradient(&r, t);
        step(&r, lr, t);
        for (int i = 0; i < N; i++) {
            v[i] = 0.8 * v[i] + (double)r.g[i];
            theta[i] -= lr * v[i];
        }
        assert_near(&r, theta, t);
    }
    close_run(&r);
}
END_TEST

/* One sweep over all, or over parts with the same stride: the same bits. */
START_TEST(parts_are_stepped_as_the_whole) {
    for (const bnn_type *type = NULL; (type = bnn_type_next(BNN_OPTIMIZER, type));) {
        run whole, parts;
        open_run(type->checks[0], &whole);
        open_run(type->checks[0], &parts);
        for (uint64_t t = 1; t <= STEPS; t++) {
            random_gradient(&whole, t);
            step(&whole, 0.1, t);
            const bnn_optimizer_type *o = bnn_optimizer_vtable(&parts.o);
            o->step(&parts.o, 0.1, t, 3, parts.theta, whole.g, parts.state, STRIDE);
            o->step(&parts.o, 0.1, t, N - 3, parts.theta + 3, whole.g + 3, parts.state + 3, STRIDE);
        }
        ck_assert_mem_eq(whole.theta, parts.theta, sizeof whole.theta);
        close_run(&whole);
        close_run(&parts);
    }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {quadratics_are_minimised, adam_is_algorithm_1, sgd_has_a_velocity, parts_are_stepped_as_the_whole, NULL};
    return run_tests("optimizers", tests);
}
