/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_optimizers.c: adam and sgd against their algorithms in double. What every optimiser has to keep is asked of it by conform.c.
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

int main(void) {
    const TTest *const tests[] = {adam_is_algorithm_1, sgd_has_a_velocity, NULL};
    return run_tests("optimizers", tests);
}
