/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_sbc.c: draws from the prior have its moments; simulation-based calibration and Geweke's test pass exact samplers and catch wrong
 * ones.
 *
 * With BNN_LONG every engine with a transition that keeps the posterior is tested on networks with learned noise, hierarchical scales and
 * classes.
 */
#include "files.h"

#include <bnn/sampler.h>
#include <bnn/sbc.h>
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

/* ---------------------------------------------------------------- draws from the prior */

static bnn_model *model_of(const char *net, const char *prior, const char *likelihood) {
    bnn_table *table = table_new(10, 4, 0, 1);
    bnn_data *data = data_new(table);
    bnn_model *m;
    OK(bnn_model_new(&(bnn_texts){.net = net, .prior = prior, .likelihood = likelihood}, data, &m));
    bnn_data_free(data), bnn_table_free(table);
    return m;
}

static bnn_block_info block(const bnn_model *m, const char *node, const char *name) {
    bnn_block_info b;
    for (int i = 0; bnn_model_block(m, i, &b); i++)
        if (strcmp(b.node, node) == 0 && strcmp(b.name, name) == 0) return b;
    ck_abort_msg("there is no block %s %s", node, name);
    return b;
}

enum { DRAWS = 4000 };

/* Mean and variance of a block's entries, each divided by its sd: e^(s/2) of its scale, if it has one. */
static void has_sd(const bnn_model *m, const char *node, const char *name, double sd) {
    bnn_block_info b = block(m, node, name);
    bnn_real *theta = reals_new((size_t)m->n_theta);
    moments of = {0};
    for (int d = 0; d < DRAWS; d++) {
        OK(bnn_model_draw(m, bnn_rng_split(bnn_rng_seed(7), (uint64_t)d), theta));
        for (int k = 0; k < m->n_scaled; k++)
            if (strstr(m->scaled[k].name, node) && strstr(m->scaled[k].name, name)) sd = exp(0.5 * (double)theta[m->scaled[k].offset]);
        for (size_t i = 0; i < b.length; i++) moments_add(&of, (double)theta[b.offset + i] / sd);
    }
    ck_assert_msg(fabs(moments_z(&of, 0)) < MOST_Z && fabs(moments_var_z(&of, 1)) < MOST_Z, "%s %s: z of the mean %g, of the variance %g",
                  node, name, moments_z(&of, 0), moments_var_z(&of, 1));
    reals_free(theta);
}

/* The precision e^-s has the mean 1/sd^2, and its variance is that squared over the shape. */
static void has_precision(const bnn_model *m, size_t at, double sd, double shape) {
    bnn_real *theta = reals_new((size_t)m->n_theta);
    moments of = {0}, squares = {0};
    for (int d = 0; d < DRAWS; d++) {
        OK(bnn_model_draw(m, bnn_rng_split(bnn_rng_seed(8), (uint64_t)d), theta));
        double precision = exp(-(double)theta[at]) * sd * sd;
        moments_add(&of, precision), moments_add(&squares, (precision - 1) * (precision - 1));
    }
    ck_assert_msg(fabs(moments_z(&of, 1)) < MOST_Z && fabs(moments_z(&squares, 1 / shape)) < MOST_Z,
                  "z of the mean precision %g, of its variance %g", moments_z(&of, 1), moments_z(&squares, 1 / shape));
    reals_free(theta);
}

START_TEST(draws_of_theta_follow_the_prior) {
    bnn_model *m = model_of("dense:3; tanh; dense", "gauss:sd=2,bias_sd=0.5,scale=fan_in", "gaussian:sd=0.3,shape=3");
    has_sd(m, "dense_1", "kernel", 1), has_sd(m, "dense_1", "bias", 0.5);
    has_sd(m, "dense_2", "kernel", 2 / sqrt(3)), has_sd(m, "dense_2", "bias", 0.5);
    has_precision(m, (size_t)m->net->n_theta, 0.3, 3);
    bnn_model_free(m);
    m = model_of("dense:3; tanh; dense", "hierarchical:sd=0.5,bias_sd=2,shape=3,scale=none", "gaussian:tau=1");
    has_sd(m, "dense_1", "kernel", 0), has_sd(m, "dense_2", "kernel", 0), has_sd(m, "dense_2", "bias", 0);
    for (int k = 0; k < m->n_scaled; k++) has_precision(m, m->scaled[k].offset, m->scaled[k].param->role == BNN_BIAS ? 2 : 0.5, 3);
    bnn_model_free(m);
    m = model_of("dense:3; tanh; dense", "hierarchical:groups=inputs,shape=3,scale=none,sd=0.5", "gaussian:tau=1");
    ck_assert_int_eq(m->scaled[0].n, 4);
    bnn_real *theta = reals_new((size_t)m->n_theta);
    moments of = {0};
    for (int d = 0; d < DRAWS; d++) { /* the weights of the third input by the third scale */
        OK(bnn_model_draw(m, bnn_rng_split(bnn_rng_seed(9), (uint64_t)d), theta));
        for (size_t i = 6; i < 9; i++) moments_add(&of, (double)theta[i] / exp(0.5 * (double)theta[m->scaled[0].offset + 2]));
    }
    ck_assert(fabs(moments_var_z(&of, 1)) < MOST_Z);
    reals_free(theta);
    bnn_model_free(m);
}
END_TEST

START_TEST(what_has_no_density_is_refused) {
    static const struct {
        const char *net, *prior, *likelihood, *sentence;
    } cases[] = {
        {"dense", "gauss:bias_sd=inf", "gaussian:tau=1", "prior 'gauss' of dense_1 bias is flat: nothing can be drawn from it"},
        {"dense", "gauss", "gaussian:shape=0", "likelihood 'gaussian': the noise has a flat density, from which nothing can be drawn"},
        {"dropout; dense", "gauss", "gaussian:tau=1", "layer 'dropout_1' has noise of its own"},
        {"gaussian_dense", "gauss", "gaussian:tau=1", "layer 'gaussian_dense_1' has noise of its own"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bnn_model *m = model_of(cases[i].net, cases[i].prior, cases[i].likelihood);
        bnn_real *theta = reals_new((size_t)m->n_theta);
        SAYS(bnn_model_draw(m, bnn_rng_seed(1), theta), cases[i].sentence);
        reals_free(theta);
        bnn_model_free(m);
    }
}
END_TEST

/* ---------------------------------------------------------------- wrong samplers */

/* The log likelihood counts 1.3 times: a wrong temperature, or a wrong N/M. */
static double hot(void *context, const bnn_real *theta, bnn_real *grad) {
    bnn_posterior *p = context;
    const bnn_objective objective = {.n_total = p->data->n * 13 / 10, .scale = 1, .kl_weight = 1, .mode = BNN_MEAN};
    p->terms = bnn_model_u(p->model, p->ws, &objective, (bnn_rng){0}, theta, p->data->n, p->data->x, p->data->y, grad);
    return bnn_terms_u(p->terms);
}

/* No Metropolis step: the error of the energy stays. */
static void accept_all(const void *of, bnn_hamiltonian *h, double step, bnn_rng rng, bnn_phase *z, double *room, bnn_transition *out) {
    (void)of, (void)room;
    bnn_phase_momentum(h, rng, z);
    *out = (bnn_transition){.accept = 1, .leapfrogs = 10};
    for (int i = 0; i < 10; i++) bnn_leapfrog(h, step, z);
    out->energy = bnn_phase_energy(h, z);
}

/* Momenta of twice the variance. */
static void shake(const void *of, bnn_hamiltonian *h, double step, bnn_rng rng, bnn_phase *z, double *room, bnn_transition *out) {
    (void)of;
    bnn_phase_momentum(h, rng, z);
    for (int i = 0; i < h->n; i++) z->p[i] *= M_SQRT2;
    double before = bnn_phase_energy(h, z);
    memcpy(room, z->q, (size_t)h->n * sizeof *room);
    for (int i = 0; i < 10; i++) bnn_leapfrog(h, step, z);
    *out = (bnn_transition){.leapfrogs = 10, .energy = bnn_phase_energy(h, z)};
    out->accept = fmin(1, exp(before - out->energy));
    bnn_real u;
    bnn_rng_uniform(bnn_rng_split(rng, 1), 0, 1, 1, &u);
    if ((double)u >= out->accept) memcpy(z->q, room, (size_t)h->n * sizeof *room);
}

static void hmc(const void *of, bnn_hamiltonian *h, double step, bnn_rng rng, bnn_phase *z, double *room, bnn_transition *out) {
    (void)of;
    bnn_hmc_transition(h, step, 10, rng, z, room, out);
}

typedef struct {
    bnn_sampler_conf sampler;
} conf;

static const bnn_option options[] = {BNN_SAMPLER_OPTIONS(conf, sampler, "300", "100", "0.2"), {0}};

static bnn_status open_with(bnn_engine *e, const bnn_data *data, bnn_transition_rule rule) {
    rule.room = (size_t)e->model->n_theta;
    return bnn_sampler_open(e, &((const conf *)e->object.conf)->sampler, rule, data);
}
static bnn_status open_right(bnn_engine *e, const bnn_data *data) { return open_with(e, data, (bnn_transition_rule){.transition = hmc}); }
static bnn_status open_hot(bnn_engine *e, const bnn_data *data) {
    BNN_TRY(open_right(e, data));
    bnn_chains *c = &((bnn_sampler *)e->state)->chains;
    for (int k = 0; k < c->conf->chains; k++) c->h[k].u = hot;
    return BNN_OK;
}
static bnn_status open_accept(bnn_engine *e, const bnn_data *data) {
    return open_with(e, data, (bnn_transition_rule){.transition = accept_all});
}
static bnn_status open_shake(bnn_engine *e, const bnn_data *data) { return open_with(e, data, (bnn_transition_rule){.transition = shake}); }

static const char *const checks[] = {"right", NULL};
#define SAMPLER(called, opened)                                                                                                   \
    {                                                                                                                             \
        .type = {BNN_TYPE(bnn_engine_type), .name = called,    .summary = "a sampler of this test",                               \
                 .reference = "none",       .caps = BNN_EXACT, .conf_size = sizeof(conf),                                         \
                 .options = options,        .checks = checks},                                                                    \
        .state_size = sizeof(bnn_sampler), .open = opened, .step = bnn_sampler_step, .close = bnn_sampler_close,                  \
        .blocks = bnn_sampler_blocks, .draw = bnn_sampler_draw, .n_draws = bnn_sampler_n_draws, .n_chains = bnn_sampler_n_chains, \
        .place = bnn_sampler_place                                                                                                \
    }
static const bnn_engine_type samplers[] = {SAMPLER("right", open_right), SAMPLER("hot", open_hot), SAMPLER("accept_all", open_accept),
                                           SAMPLER("shake", open_shake)};

static void add_samplers(void) {
    for (size_t i = 0; i < sizeof samplers / sizeof *samplers; i++) OK(bnn_type_add(BNN_ENGINE, &samplers[i].type));
}

/* ---------------------------------------------------------------- Geweke's test */

static bnn_sbc_config linear(const char *engine) {
    bnn_sbc_config c = bnn_sbc_preset();
    c.net = "dense", c.engine = engine, c.likelihood = "gaussian:tau=1", c.rows = 5, c.draws = 19;
    return c;
}

/* p of all quantities; prints those that are off. */
static double geweke_p(const bnn_sbc_config *c) {
    bnn_geweke *g;
    OK(bnn_geweke_run(c, &g));
    double p = g->p;
    for (int i = 0; i < g->n; i++)
        if (g->quantity[i].p * g->n < BNN_SBC_LEVEL)
            printf("%s, %s: %s has z %.2f and %.2f\n", c->net, g->engine, g->quantity[i].name, g->quantity[i].z_mean,
                   g->quantity[i].z_square);
    bnn_geweke_free(g);
    return p;
}

/* Few chains are enough to tell: the suite runs in every build. */
static double quick_geweke_p(const char *engine) {
    bnn_sbc_config c = linear(engine);
    c.replications = 100, c.transitions = 60;
    return geweke_p(&c);
}

START_TEST(right_transitions_pass_and_wrong_ones_do_not) {
    static const char *const right[] = {"right:step=0.3", "hmc:steps=5,step=0.2", "nuts:step=0.2"}, *const wrong[] = {"hot:step=0.1",
                                                                                                                      "accept_all:step=0.5",
                                                                                                                      "shake:step=0.1"};
    add_samplers();
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        double p = quick_geweke_p(right[i]);
        ck_assert_msg(p > BNN_SBC_LEVEL, "%s: p is %g", right[i], p);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        double p = quick_geweke_p(wrong[i]);
        ck_assert_msg(p < 1e-4, "%s: p is %g", wrong[i], p);
    }
}
END_TEST

/* Learned noise and scales, whose transitions see their prior's slopes. */
START_TEST(transitions_of_scales_and_noise_pass) {
    static const char *const ways[] = {"hmc:steps=20,step=0.05", "hmc:steps=5,step=0.2,scales=gibbs",
                                       "hmc:steps=5,step=0.2,scales=noncentred", "nuts:step=0.2,max_depth=4,scales=noncentred"};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        bnn_sbc_config c = linear(ways[i]);
        c.likelihood = "gaussian:sd=0.5,shape=3", c.prior = "hierarchical:sd=1,bias_sd=1,shape=3,scale=none", c.replications = 100,
        c.transitions = 50;
        double p = geweke_p(&c);
        ck_assert_msg(p > BNN_SBC_LEVEL, "%s: p is %g", ways[i], p);
    }
}
END_TEST

/* ---------------------------------------------------------------- calibration */

static bnn_sbc *sbc_of(const bnn_sbc_config *c) {
    bnn_sbc *s;
    OK(bnn_sbc_run(c, &s));
    return s;
}

static const bnn_sbc_quantity *quantity_of(const bnn_sbc *s, const char *name) {
    for (int i = 0; i < s->n; i++)
        if (strcmp(s->quantity[i].name, name) == 0) return &s->quantity[i];
    ck_abort_msg("there is no quantity '%s'", name);
    return NULL;
}

static double sbc_p(const char *engine, int replications) {
    bnn_sbc_config c = linear(engine);
    c.replications = replications;
    bnn_sbc *s = sbc_of(&c);
    double p = s->p;
    bnn_sbc_free(s);
    return p;
}

START_TEST(ranks_of_right_samplers_are_uniform) {
    static const char *const right[] = {
        "hmc:steps=5,chains=1,samples=200,warmup=100", "nuts:chains=1,samples=150,warmup=100",
        "laplace:engine=map{epochs=300,lr=0.03},structure=full,precision=prior,evidence=none,predictive=sampling"};
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        double p = sbc_p(right[i], 200);
        ck_assert_msg(p > BNN_SBC_LEVEL, "%s: p is %g", right[i], p);
    }
}
END_TEST

/* Where the unit is off the mean of y is 0 in many draws and in the truth: the rank among equals is drawn. */
START_TEST(equals_are_ranked_by_chance) {
    bnn_sbc_config c = linear("hmc:steps=5,chains=1,samples=200,warmup=50");
    c.net = "dense:1; relu; dense:bias=no", c.likelihood = "gaussian:tau=0.01", c.replications = 200;
    bnn_sbc *s = sbc_of(&c);
    const bnn_sbc_quantity *mean = quantity_of(s, "mean of y at new row 1");
    ck_assert_msg(mean->p > BNN_SBC_LEVEL, "p is %g", mean->p);
    bnn_sbc_free(s);
}
END_TEST

START_TEST(ranks_of_wrong_samplers_are_not) {
    add_samplers();
    double hot = sbc_p("hot:chains=1,samples=60,warmup=40,thin=1", 1000),
           accept_all = sbc_p("accept_all:chains=1,samples=60,warmup=0,step=0.5", 500);
    ck_assert_msg(hot < BNN_SBC_LEVEL && accept_all < BNN_SBC_LEVEL, "p is %g and %g", hot, accept_all);
}
END_TEST

/* Ranks, and what follows from them. */
START_TEST(numbers_are_those_of_the_ranks) {
    bnn_sbc_config c = linear("hmc:steps=5,chains=2,samples=50,warmup=30");
    c.replications = 60, c.bins = 5, c.points = 2;
    bnn_sbc *s = sbc_of(&c);
    ck_assert(s->n == 2 + 1 + 2 && s->replications == 60 && s->draws == 19 && s->bins == 5);
    double least = 1;
    for (int i = 0; i < s->n; i++) {
        const bnn_sbc_quantity *q = &s->quantity[i];
        int count[5] = {0};
        double chi2 = 0, mean = 0, var = 0;
        for (int k = 0; k < 60; k++) {
            ck_assert(q->rank[k] >= 0 && q->rank[k] <= 19);
            count[q->rank[k] / 4]++;
            mean += q->rank[k] / 60.0;
        }
        for (int k = 0; k < 60; k++) var += (q->rank[k] - mean) * (q->rank[k] - mean) / 59;
        for (int b = 0; b < 5; b++) {
            ck_assert_int_eq(count[b], q->count[b]);
            chi2 += (count[b] - 12) * (count[b] - 12) / 12.0;
        }
        ck_assert_double_eq_tol(q->chi2, chi2, 1e-9);
        ck_assert_double_eq_tol(q->p, gsl_cdf_chisq_Q(chi2, 4), 1e-12);
        ck_assert_double_eq_tol(q->low, (mean - 9.5) / sqrt(399.0 / 12 / 60), 1e-9); /* (20^2 - 1) / 12 */
        ck_assert_double_eq_tol(q->spread, var / (399.0 / 12), 1e-9);
        least = fmin(least, q->p);
    }
    ck_assert_double_eq_tol(s->p, fmin(1, 5 * least), 1e-12);
    quantity_of(s, "mean of y at new row 2"), quantity_of(s, "log likelihood");
    quantity_of(s, "dense_1 kernel (norm)"), quantity_of(s, "dense_1 bias");
    bnn_sbc_free(s);
}
END_TEST

START_TEST(the_same_bits_at_any_number_of_threads) {
    bnn_sbc *s[3];
    bnn_geweke *g[3];
    bnn_sbc_config c = linear("hmc:steps=5,chains=2,samples=50,warmup=30,step=0.1");
    c.replications = 12, c.transitions = 5;
    for (int i = 0; i < 3; i++) {
        omp_set_num_threads(1 << i);
        s[i] = sbc_of(&c);
        OK(bnn_geweke_run(&c, &g[i]));
    }
    omp_set_num_threads(1);
    for (int i = 1; i < 3; i++)
        for (int q = 0; q < s[0]->n; q++) {
            ck_assert(memcmp(s[0]->quantity[q].rank, s[i]->quantity[q].rank, 12 * sizeof(int)) == 0);
            ck_assert(g[0]->quantity[q].z_mean == g[i]->quantity[q].z_mean && g[0]->quantity[q].z_square == g[i]->quantity[q].z_square);
        }
    for (int i = 0; i < 3; i++) bnn_sbc_free(s[i]), bnn_geweke_free(g[i]);
}
END_TEST

/* Chains that hardly move are seen to be no independent draws. */
START_TEST(dependent_draws_are_counted) {
    bnn_sbc_config c = linear("hmc:steps=1,chains=1,samples=100,warmup=0,step=0.01");
    c.replications = 10;
    bnn_sbc *s = sbc_of(&c);
    ck_assert_int_eq(s->dependent, 10);
    bnn_sbc_free(s);
    c.engine = "hmc:steps=8,chains=1,samples=1000,warmup=100", c.draws = 9;
    s = sbc_of(&c);
    ck_assert_int_eq(s->dependent, 0);
    bnn_sbc_free(s);
}
END_TEST

/* Approximations are asked about what they predict. */
START_TEST(other_engines_are_ranked_by_their_predictions) {
    bnn_sbc_config c = linear("mc_dropout:p=0.3,epochs=20");
    c.replications = 20;
    bnn_sbc *s = sbc_of(&c);
    ck_assert_int_eq(s->n, 3 + 1);
    bnn_sbc_free(s);
    c.engine = "laplace:engine=map{epochs=5},structure=full,predictive=sampling";
    s = sbc_of(&c);
    ck_assert_int_eq(s->n, 3);
    bnn_sbc_free(s);
    c.engine = "hmc:steps=3,chains=1,samples=30,warmup=10", c.classes = 3, c.likelihood = NULL;
    s = sbc_of(&c);
    ck_assert_int_eq(s->n, 3 * 2 + 1 + 2);
    quantity_of(s, "p of class 1 at new row 3"), quantity_of(s, "dense_1 bias (norm)");
    bnn_sbc_free(s);
}
END_TEST

START_TEST(what_cannot_be_tested_is_refused) {
    static const struct {
        const char *engine, *likelihood, *prior, *sentence;
    } cases[] = {
        {"map:epochs=1", "gaussian:tau=1", NULL, "engine 'map' has one parameter vector and no draws to rank among"},
        {"hmc:samples=8,chains=2,warmup=0,steps=1", "gaussian:tau=1", NULL,
         "replication 1: engine 'hmc' makes 16 draws, and ranks are asked for among 19: let it make more, or ask for fewer (--draws)"},
        {"hmc", "gaussian:shape=0", NULL, "likelihood 'gaussian': the noise has a flat density"},
        {"hmc", "gaussian:tau=1", "gauss:bias_sd=inf", "is flat: nothing can be drawn from it"},
        {"hmx", "gaussian:tau=1", NULL, "unknown engine 'hmx'"}};
    bnn_sbc *s;
    bnn_geweke *g;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bnn_sbc_config c = linear(cases[i].engine);
        c.likelihood = cases[i].likelihood, c.prior = cases[i].prior;
        SAYS(bnn_sbc_run(&c, &s), cases[i].sentence);
    }
    bnn_sbc_config c = linear("mc_dropout");
    SAYS(bnn_geweke_run(&c, &g), "engine 'mc_dropout' has no transition that could be tested");
    c.engine = "hmc", c.bins = 7, c.draws = 99;
    SAYS(bnn_sbc_run(&c, &s), "100 ranks (0 to 99) cannot be put into 7 equal bins");
    c.bins = 10, c.replications = 1;
    SAYS(bnn_sbc_run(&c, &s), "a simulation needs a row, an input and two replications");
    c.replications = 2, c.likelihood = NULL, c.prior = "gauss:bias_sd=inf";
    SAYS(bnn_geweke_run(&c, &g), "is flat: nothing can be drawn from it");
}
END_TEST

/* ---------------------------------------------------------------- every exact engine */

/* A model, and how an engine of the registry is run on it. */
typedef struct {
    const char *net, *likelihood, *prior;
    int classes;
} model_case;

static const model_case models[] = {
    {"dense", "gaussian:tau=4", "gauss", 0},
    {"dense:3; tanh; dense", "gaussian:sd=0.3,shape=3", "gauss", 0},
    {"dense:3; tanh; dense", "gaussian:sd=0.3,shape=3", "hierarchical:sd=1,bias_sd=1,shape=3,scale=none", 0},
    {"dense:3; tanh; dense", "heteroscedastic", "gauss:sd=0.5,bias_sd=0.5", 0},
    {"dense:3; tanh; dense", "categorical", "hierarchical:groups=inputs,sd=1,bias_sd=1,shape=3", 3},
    {"dense:3; relu; dense", "bernoulli", "scale_mixture:sd1=1,sd2=0.2", 2}};
static const struct {
    const char *name, *fit, *transition;
} engines[] = {
    {"hmc", "hmc:steps=30,chains=2,samples=400,warmup=300", "hmc:steps=20,step=0.05"},
    {"hmc", "hmc:steps=30,chains=2,samples=800,warmup=300,scales=gibbs", "hmc:steps=20,step=0.05,scales=gibbs"},
    {"hmc", "hmc:steps=30,chains=2,samples=800,warmup=300,scales=noncentred", "hmc:steps=20,step=0.05,scales=noncentred"},
    {"nuts", "nuts:chains=2,samples=400,warmup=300", "nuts:step=0.05,max_depth=6"},
    {"nuts", "nuts:chains=2,samples=800,warmup=300,scales=noncentred", "nuts:step=0.05,max_depth=6,scales=noncentred"},
};

static void test_engine(const char *fit, const char *transition, const model_case *m) {
    bnn_sbc_config c = bnn_sbc_preset();
    c.net = m->net, c.likelihood = m->likelihood, c.prior = m->prior, c.classes = m->classes, c.rows = 10, c.engine = fit;
    bnn_sbc *s = sbc_of(&c);
    ck_assert_msg(s->p > BNN_SBC_LEVEL, "%s, %s, %s, %s: p of the ranks is %g", fit, m->net, m->likelihood, m->prior, s->p);
    bnn_sbc_free(s);
    c.engine = transition, c.replications = 400;
    double p = geweke_p(&c);
    ck_assert_msg(p > BNN_SBC_LEVEL, "%s, %s, %s, %s: p of Geweke's test is %g", transition, m->net, m->likelihood, m->prior, p);
}

START_TEST(exact_engines_are_exact) {
    for (const bnn_type *t = NULL; getenv("BNN_LONG") && (t = bnn_type_next(BNN_ENGINE, t));) {
        int ways = 0;
        if (!((const bnn_engine_type *)t)->place) continue;
        for (size_t i = 0; i < sizeof engines / sizeof *engines; i++) {
            if (strcmp(engines[i].name, t->name) != 0) continue;
            for (size_t k = 0; k < sizeof models / sizeof *models; k++) test_engine(engines[i].fit, engines[i].transition, &models[k]);
            ways++;
        }
        ck_assert_msg(ways > 0, "engine '%s' has a transition, but this test does not know how to run it", t->name);
    }
}
END_TEST

/* Steps of finite size put these off by less than ranks can tell where they are small; all rows are in the batch. */
START_TEST(small_steps_are_as_good_as_exact) {
    static const struct {
        const char *engine;
        const model_case *model;
    } cases[] = {{"sgld:chains=1,samples=200,burnin=500,thin=50,lr=0.02,preconditioner=none", &models[0]},
                 {"sghmc:chains=1,samples=200,burnin=300,thin=20,lr=0.003,preconditioner=none", &models[0]},
                 {"sghmc:chains=2,samples=200,burnin=500,thin=100,lr=0.003,preconditioner=none", &models[1]}};
    for (size_t i = 0; getenv("BNN_LONG") && i < sizeof cases / sizeof *cases; i++) {
        const model_case *m = cases[i].model;
        bnn_sbc_config c = bnn_sbc_preset();
        c.engine = cases[i].engine, c.net = m->net, c.likelihood = m->likelihood, c.prior = m->prior, c.rows = 10, c.draws = 19;
        bnn_sbc *s = sbc_of(&c);
        ck_assert_msg(s->p > BNN_SBC_LEVEL, "%s, %s: p of the ranks is %g", c.engine, c.net, s->p);
        bnn_sbc_free(s);
    }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {draws_of_theta_follow_the_prior,
                                  what_has_no_density_is_refused,
                                  right_transitions_pass_and_wrong_ones_do_not,
                                  transitions_of_scales_and_noise_pass,
                                  ranks_of_right_samplers_are_uniform,
                                  equals_are_ranked_by_chance,
                                  ranks_of_wrong_samplers_are_not,
                                  numbers_are_those_of_the_ranks,
                                  the_same_bits_at_any_number_of_threads,
                                  dependent_draws_are_counted,
                                  other_engines_are_ranked_by_their_predictions,
                                  what_cannot_be_tested_is_refused,
                                  exact_engines_are_exact,
                                  small_steps_are_as_good_as_exact,
                                  NULL};
    if (!getenv("BNN_LONG")) omp_set_num_threads(1); /* on models this small threads would wait for each other, not work */
    return run_tests("sbc", tests);
}
