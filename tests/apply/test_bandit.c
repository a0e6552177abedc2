/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_bandit.c: environments against their expectations, choices against the posterior that they are drawn from, and regret that ends.
 */
#include "files.h"

#include <bnn/bandit.h>
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <omp.h>
#include <stdatomic.h>
#include <stdlib.h>

/* ---------------------------------------------------------------- environments */

static bnn_table *mushrooms(int n, int good) {
    bnn_table *t;
    OK(bnn_table_new(n, bnn_shape_vector(3), 1, 2, &t));
    for (int i = 0; i < n; i++) {
        t->y[i] = i < good;
        for (int j = 0; j < 3; j++) t->x[3 * i + j] = (i * 7 + j) % 3 == 0;
        t->x[3 * i] = i < good;
    }
    return t;
}

static bnn_regret *act(const bnn_environment *world, bnn_bandit_config how) {
    bnn_regret *r;
    how.size = sizeof how;
    OK(bnn_bandit(world, &how, &r));
    return r;
}

/* Of 8124 mushrooms 4208 can be eaten: whoever guesses loses 4.910 a step, who eats nothing 2.590, and who eats all 7.230. */
START_TEST(chance_loses_what_is_published) {
    bnn_table *t = mushrooms(8124, 4208);
    const bnn_mushrooms m = {t, 1};
    bnn_environment world;
    double se, all = 0, none = 0;
    OK(bnn_mushrooms_open(&m, &world));
    bnn_regret *r = act(&world, (bnn_bandit_config){.policy = BNN_POLICY_RANDOM, .steps = 50000, .runs = 4, .seed = 1});
    double mean = bnn_regret_mean(r, r->n_points - 1, &se);
    ck_assert_int_eq(r->step[r->n_points - 1], 50000);
    ck_assert_msg(fabs(mean - 2.455e5) < 4 * 1.5e3 / 2 && se > 0, "random choice loses %g (%g) in 50000 steps", mean, se);
    for (int i = 0; i < t->n; i++) {
        double eat = world.expected(world.of, i, t->x + 3 * i, 1), leave = world.expected(world.of, i, t->x + 3 * i, 0);
        none += fmax(eat, leave) - leave, all += fmax(eat, leave) - eat;
    }
    ck_assert_double_eq_tol(none / t->n, 2.590, 1e-3);
    ck_assert_double_eq_tol(all / t->n, 7.230, 1e-3);
    bnn_regret_free(r);
    bnn_table_free(t);
}
END_TEST

/* Whatever is paid has the expectation that regret is counted by. */
START_TEST(rewards_are_what_is_expected) {
    enum { DRAWS = 20000 };
    bnn_table *t = mushrooms(2, 1);
    const bnn_mushrooms m = {t, 1};
    const bnn_wheel w = {0.5};
    bnn_environment world[2];
    double context[3];
    OK(bnn_mushrooms_open(&m, &world[0])), OK(bnn_wheel_open(&w, &world[1]));
    for (int k = 0; k < 2; k++)
        for (int action = 0; action < world[k].n_actions; action++) {
            moments paid = {0};
            int situation = world[k].context(world[k].of, 5, context);
            double want = world[k].expected(world[k].of, situation, context, action);
            for (uint64_t s = 0; s < DRAWS; s++)
                moments_add(&paid, world[k].reward(world[k].of, situation, context, action, bnn_stream_split(7, s)));
            if (k == 0 && action == 0)
                ck_assert(want == 0);
            else if (k == 0 && m.good == (int)t->y[situation])
                ck_assert(want == 5);
            else
                ck_assert_double_lt(fabs(moments_z(&paid, want)), MOST_Z);
        }
    bnn_table_free(t);
}
END_TEST

START_TEST(the_wheel_pays_beyond_its_radius) {
    enum { DRAWS = 20000 };
    const bnn_wheel w = {0.8};
    bnn_environment world;
    int beyond = 0, spokes[5] = {0};
    double context[2];
    OK(bnn_wheel_open(&w, &world));
    for (uint64_t s = 0; s < DRAWS; s++) {
        world.context(world.of, bnn_stream_split(3, s), context);
        ck_assert_double_le(hypot(context[0], context[1]), 1);
        bool out = hypot(context[0], context[1]) > 0.8;
        beyond += out;
        ck_assert_double_eq(world.expected(world.of, 0, context, 0), 1.2);
        int large = 0;
        for (int a = 1; a < 5; a++) {
            double is = world.expected(world.of, 0, context, a);
            ck_assert(is == 1 || is == 50);
            large += is == 50, spokes[a] += is == 50;
        }
        ck_assert_int_eq(large, out);
    }
    ck_assert_double_eq_tol((double)beyond / DRAWS, 1 - 0.8 * 0.8, 4 * sqrt(0.36 * 0.64 / DRAWS));
    for (int a = 1; a < 5; a++) ck_assert_double_eq_tol((double)spokes[a] / beyond, 0.25, 4 * sqrt(0.25 * 0.75 / beyond));
}
END_TEST

/* ---------------------------------------------------------------- choices */

/* Two actions and nothing to see; counts what is chosen. */
typedef struct {
    atomic_int taken[2];
    double mean[2];
} arms;

static int no_context(const void *of, uint64_t stream, double *context) {
    (void)of, (void)stream;
    context[0] = 1;
    return 0;
}

static double arm_mean(const void *of, int situation, const double *context, int action) {
    (void)situation, (void)context;
    return ((const arms *)of)->mean[action];
}

/* The noise is that of the step alone, so that a test can have it again. */
static double arm_reward(const void *of, int situation, const double *context, int action, uint64_t stream) {
    double e;
    OK(bnn_stream_normal(stream, 1, 1, &e));
    ((arms *)of)->taken[action]++;
    return arm_mean(of, situation, context, action) + e;
}

static bnn_environment arms_of(arms *a) { return (bnn_environment){1, 2, 0, 1, NULL, a, no_context, arm_mean, arm_reward}; }

/* Rewards of the first steps, as run 0 of seed 4 has them. */
static double paid(const arms *a, int step) {
    double e;
    uint64_t stream = bnn_stream_split(bnn_stream_split(bnn_stream_split(bnn_stream_seed(4), 0), 1), (uint64_t)step);
    OK(bnn_stream_normal(stream, 1, 1, &e));
    return a->mean[step % 2] + e;
}

enum { FIRST = 4000, THEN = FIRST - 1 }; /* until experience has doubled, nothing is fitted again */

/* Probability that action 1 is the better one, 'dense' without a bias: f_k = w_0 + w_k, w ~ N(0, 1/prec), noise of variance 1. */
static double better(const arms *a, double prec) {
    double b[2] = {0}, det = 3 / (prec * prec), n = FIRST / 2;
    for (int i = 0; i < FIRST; i++) b[i % 2] += paid(a, i);
    double on = 2 / prec / det + n, off = -1 / prec / det, d = on * on - off * off; /* posterior precision of f */
    double mean = ((on * b[1] - off * b[0]) - (on * b[0] - off * b[1])) / d;
    return gsl_cdf_ugaussian_P(mean / sqrt(2 * (on + off) / d));
}

/* An action is taken as often as it is the best under the posterior. */
START_TEST(thompson_takes_an_action_as_often_as_it_is_the_best) {
    arms a = {.mean = {0.1, 0.12}};
    bnn_environment world = arms_of(&a);
    bnn_regret_free(act(&world, (bnn_bandit_config){.net = "dense:bias=no",
                                                    .engine = "last_layer:engine=map{epochs=1},precision=prior",
                                                    .likelihood = "gaussian:tau=1",
                                                    .prior = "gauss:sd=0.8",
                                                    .steps = FIRST + THEN,
                                                    .first = FIRST,
                                                    .every = 2 * FIRST,
                                                    .seed = 4}));
    double want = better(&a, 1 / 0.64), is = (double)(a.taken[1] - FIRST / 2) / THEN;
    ck_assert(want > 0.05 && want < 0.95);
    ck_assert_double_eq_tol(is, want, MOST_Z * sqrt(want * (1 - want) / THEN));
}
END_TEST

static double share_of_second(bnn_policy policy, double epsilon) {
    enum { TRIES = 12 };
    arms a = {.mean = {-3, 3}};
    bnn_environment world = arms_of(&a);
    bnn_regret_free(act(&world, (bnn_bandit_config){.policy = policy,
                                                    .epsilon = epsilon,
                                                    .net = "dense",
                                                    .engine = "map:lr=0.05",
                                                    .steps = TRIES + 4000,
                                                    .first = TRIES,
                                                    .every = 500,
                                                    .seed = 4}));
    return (double)(a.taken[1] - TRIES / 2) / 4000;
}

START_TEST(epsilon_is_the_share_of_chance) {
    ck_assert_double_eq(share_of_second(BNN_POLICY_GREEDY, 0), 1);
    ck_assert_double_eq_tol(share_of_second(BNN_POLICY_EPSILON, 1), 0.5, MOST_Z * sqrt(0.25 / 4000));
    ck_assert_double_eq_tol(share_of_second(BNN_POLICY_EPSILON, 0.2), 0.9, MOST_Z * sqrt(0.09 / 4000));
}
END_TEST

/* ---------------------------------------------------------------- learning */

START_TEST(agents_learn_what_can_be_eaten) {
    static const struct {
        bnn_bandit_config how;
    } cases[] = {{{.engine = "bayes_by_backprop:lr=0.01"}},
                 {{.engine = "map:lr=0.01", .head = "last_layer:noise=evidence"}},
                 {{.engine = "map:lr=0.01", .policy = BNN_POLICY_EPSILON, .epsilon = 0.05}},
                 {{.engine = "mc_dropout:lr=0.01,p=0.1"}},
                 {{.engine = "last_layer:engine=map{steps=200}", .every = 200}}};
    bnn_table *t = mushrooms(60, 30);
    const bnn_mushrooms m = {t, 1};
    bnn_environment world;
    OK(bnn_mushrooms_open(&m, &world));
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        bnn_bandit_config how = cases[k].how;
        double se;
        how.net = "dense:10; relu; dense", how.steps = 2000, how.runs = 2, how.seed = 2;
        bnn_regret *r = act(&world, how);
        double half = bnn_regret_mean(r, r->n_points / 2 - 1, &se), end = bnn_regret_mean(r, r->n_points - 1, &se);
        ck_assert_msg(end - half < 0.25 * 1000 * 5, "%s: %g of regret in the second half", how.engine, end - half);
        for (int i = 1; i < r->n_points; i++) ck_assert_double_ge(r->regret[i], r->regret[i - 1]);
        ck_assert(r->gradients[0] > 0 && r->regret[r->n_points - 1] != r->regret[2 * r->n_points - 1]);
        bnn_regret_free(r);
    }
    bnn_table_free(t);
}
END_TEST

/* Fits take the minibatches that the budget has, whatever an epoch takes; those of few rows, as experience doubles, come on top. */
START_TEST(fits_keep_the_budget) {
    bnn_table *t = mushrooms(60, 30);
    bnn_environment world;
    OK(bnn_guesses_open(t, &world));
    for (int budget = 1; budget <= 4; budget *= 4) {
        bnn_regret *r =
            act(&world, (bnn_bandit_config){.engine = "map:batch=2", .net = "dense", .steps = 2000, .every = 10, .budget = budget});
        ck_assert_msg(r->gradients[0] > 0.5 * budget * 2000 && r->gradients[0] < 1.5 * budget * 2000,
                      "%g gradients for a budget of %d a step", r->gradients[0], budget);
        bnn_regret_free(r);
    }
    /* unless the engine asks for less: 26 fits to 8 minibatches of 13 rows at most */
    bnn_regret *r =
        act(&world,
            (bnn_bandit_config){.engine = "map:batch=13,epochs=1", .settle = true, .net = "dense", .steps = 104, .every = 4, .budget = 99});
    ck_assert_double_le(r->gradients[0], 26 * 8);
    bnn_regret_free(r);
    bnn_table_free(t);
}
END_TEST

/* Steps as large as those of the beginning leave the mean of noisy rewards where the last ones were, and the worse arm looks better after
 * some fits: a schedule that ends with each of them counts all rewards. */
START_TEST(fits_that_settle_end_with_small_steps) {
    arms a = {.mean = {0, 0.4}};
    bnn_environment world = arms_of(&a);
    bnn_regret_free(act(&world, (bnn_bandit_config){.policy = BNN_POLICY_GREEDY,
                                                    .net = "dense",
                                                    .engine = "map:lr=0.1,batch=16",
                                                    .settle = true,
                                                    .steps = 2000,
                                                    .first = 400,
                                                    .every = 20,
                                                    .budget = 5,
                                                    .seed = 4}));
    ck_assert_int_eq(a.taken[0], 200);
}
END_TEST

START_TEST(any_number_of_threads_gives_the_same_regret) {
    bnn_table *t = mushrooms(60, 30);
    bnn_environment world;
    const bnn_bandit_config how = {.engine = "bayes_by_backprop", .net = "dense:10; relu; dense", .steps = 300, .runs = 3, .seed = 2};
    OK(bnn_guesses_open(t, &world));
    omp_set_num_threads(1);
    bnn_regret *one = act(&world, how);
    omp_set_num_threads(4);
    bnn_regret *four = act(&world, how);
    ck_assert_mem_eq(one->regret, four->regret, (size_t)(one->runs * one->n_points) * sizeof *one->regret);
    bnn_regret_free(one), bnn_regret_free(four);
    bnn_table_free(t);
}
END_TEST

START_TEST(what_makes_no_sense_is_refused) {
    bnn_table *three = table_new(10, 2, 3, 1), *real = table_new(10, 2, 0, 1), *two = mushrooms(4, 2);
    bnn_environment world;
    bnn_regret *r;
    SAYS(bnn_mushrooms_open(&(bnn_mushrooms){three, 0}, &world), "a table with two classes is needed, not one with 3");
    SAYS(bnn_mushrooms_open(&(bnn_mushrooms){two, 2}, &world), "2 is no class that could be eaten");
    SAYS(bnn_guesses_open(real, &world), "a table with two or more classes is needed");
    SAYS(bnn_wheel_open(&(bnn_wheel){1}, &world), "the wheel has a radius delta between 0 and 1, not 1");
    OK(bnn_guesses_open(three, &world));
    SAYS(bnn_bandit(&world, &(bnn_bandit_config){sizeof(bnn_bandit_config), .epsilon = 2}, &r), "epsilon is a probability, not 2");
    SAYS(bnn_bandit(&world, &(bnn_bandit_config){sizeof(bnn_bandit_config), .steps = -1}, &r), "are 0 or more");
    SAYS(bnn_bandit(&world, &(bnn_bandit_config){sizeof(bnn_bandit_config), .engine = "no_such", .steps = 20}, &r), "no_such");
    SAYS(bnn_bandit(&world, &(bnn_bandit_config){sizeof(bnn_bandit_config), .engine = "map", .head = "hmc", .steps = 20, .net = "dense"},
                    &r),
         "engine 'hmc' cannot begin with the parameters of another run");
    bnn_table_free(three), bnn_table_free(real), bnn_table_free(two);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {chance_loses_what_is_published,
                                  rewards_are_what_is_expected,
                                  the_wheel_pays_beyond_its_radius,
                                  thompson_takes_an_action_as_often_as_it_is_the_best,
                                  epsilon_is_the_share_of_chance,
                                  agents_learn_what_can_be_eaten,
                                  fits_keep_the_budget,
                                  fits_that_settle_end_with_small_steps,
                                  any_number_of_threads_gives_the_same_regret,
                                  what_makes_no_sense_is_refused,
                                  NULL};
    return run_tests("bandit", tests);
}
