/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/sized.h"
#include <bnn/bandit.h>
#include <bnn/fit.h>
#include <bnn/metrics.h>
#include <bnn/number.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const bnn_policy_names[] = {"thompson", "greedy", "epsilon", "random", NULL};

enum { MOST_POINTS = 100, TRIES_OF_AN_ACTION = 3 };

/* Splits of a run's stream, then by step. */
enum { OF_CONTEXT, OF_REWARD, OF_CHOICE, OF_DRAW, OF_FIT };

/* One run. */
typedef struct {
    const bnn_environment *world;
    const bnn_bandit_config *how;
    bnn_rng root;
    bnn_table *known; /* [steps] rows of experience, of which `rows` are there */
    bnn_scaling scaling;
    int rows, fitted_rows;
    bnn_run *run, *head; /* NULL before the first fit; of an agent without a head */
    bnn_workspace *ws;   /* of what predicts, for a row of each action */
    bnn_real *theta, *x; /* [n_theta], [n_actions, D] */
    bnn_real *seen;      /* [n_actions] E[y | f] under a draw */
    double *value;       /* [n_actions] */
    double gradients, reward;
    double pause; /* steps to the next fit, at least, so that the budget holds */
} agent;

static bnn_rng stream_of(const agent *a, int purpose, int step) {
    return bnn_rng_split(bnn_rng_split(a->root, (uint64_t)purpose), (uint64_t)step);
}

static double uniform(bnn_rng rng, uint64_t row) {
    bnn_real u;
    bnn_rng_uniform(rng, row, 1, 1, &u);
    return (double)u;
}

static size_t width_of(const agent *a) { return (size_t)(a->world->context_dim + a->world->n_actions); }

/* ---------------------------------------------------------------- learning */

static const bnn_engine *predicting(const agent *a) {
    const bnn_run *run = a->head ? a->head : a->run;
    return run ? bnn_engine_fitted(run->engine) : NULL;
}

/* Lets a run go on where another one stands. */
static bnn_status go_on(bnn_run *run, const bnn_run *from) {
    double *theta = malloc(((size_t)bnn_run_n_theta(from) + 1) * sizeof *theta);
    bnn_status s = theta ? bnn_run_draw(from, 0, 0, theta) : bnn_oom("an agent");
    if (s == BNN_OK) s = bnn_run_set_theta(run, theta);
    free(theta);
    return s;
}

/* Engines that do not work on one parameter vector cannot go on. */
static bool begins_anew(const agent *a, const bnn_object *engine) {
    return a->how->anew || !(engine->type->caps & (BNN_POINT | BNN_ONE_THETA));
}

static double minibatches_due(const bnn_bandit_config *how) { return how->budget * how->every; }

/* The epochs are those that are due, or fewer that were asked for: the schedule of step sizes ends with them. */
static bnn_status shorten(const bnn_bandit_config *how, int n, bnn_object *engine) {
    const bnn_option *table = engine->type->options;
    bnn_option epochs, batch;
    char text[16];
    if (!bnn_options_find(table, "epochs", &epochs) || !bnn_options_find(table, "batch", &batch)) return BNN_OK;
    const int asked = *(const int *)((const char *)engine->conf + epochs.offset),
              rows = *(const int *)((const char *)engine->conf + batch.offset);
    double due = ceil(minibatches_due(how) / ceil((double)n / rows));
    bnn_print(text, sizeof text, "%.0f", fmin(due, asked > 0 ? asked : 1e9));
    return bnn_options_set(table, engine->conf, "epochs", text);
}

/* The engine of one fit to n rows, as text; caller frees. What is chosen by the data stays open. */
static bnn_status engine_of(const agent *a, int n, char **out) {
    bnn_object engine = {0};
    bnn_status s = BNN_OK;
    if (!a->how->settle || strcmp(a->how->engine, "auto") == 0) {
        *out = strdup(a->how->engine);
    } else {
        BNN_TRY(bnn_object_parse(BNN_ENGINE, a->how->engine, &engine));
        if (!begins_anew(a, &engine)) s = shorten(a->how, n, &engine);
        *out = s == BNN_OK ? bnn_object_print(&engine, false) : NULL;
        bnn_object_free(&engine);
    }
    return s < 0 || *out ? s : bnn_oom("an agent");
}

/* Fits an engine to data: to its end where it begins anew, else for the minibatches that are due. */
static bnn_status fit_engine(agent *a, const bnn_data *data, uint64_t seed, bnn_run **out) {
    const bnn_bandit_config *how = a->how;
    bnn_config config = {sizeof config, .net = how->net, .likelihood = how->likelihood, .prior = how->prior, .seed = seed};
    char *engine;
    double share, due = minibatches_due(how);
    BNN_TRY(engine_of(a, data->n, &engine));
    config.engine = engine;
    bnn_status s = bnn_run_new(&config, data, out);
    free(engine);
    BNN_TRY(s);
    bool anew = begins_anew(a, &(*out)->engine->object);
    if (a->run && !anew) s = go_on(*out, a->run);
    while (s == BNN_OK && !bnn_run_complete(*out) && (anew || (double)(*out)->cost.gradients < due)) s = bnn_run_step(*out, data, &share);
    a->gradients += (double)(*out)->cost.gradients;
    a->pause = anew ? 0 : (double)(*out)->cost.gradients / how->budget;
    return s;
}

static bnn_status fit_head(agent *a, const bnn_data *data, uint64_t seed, const bnn_run *around, bnn_run **out) {
    const bnn_bandit_config *how = a->how;
    const bnn_config config = {sizeof config,       .net = how->net, .engine = how->head, .likelihood = how->likelihood,
                               .prior = how->prior, .seed = seed};
    double share;
    if (!how->head) return BNN_OK;
    BNN_TRY(bnn_run_new(&config, data, out));
    bnn_status s = bnn_run_begin(*out, around);
    while (s == BNN_OK && !bnn_run_complete(*out)) s = bnn_run_step(*out, data, &share);
    a->gradients += (double)(*out)->cost.gradients;
    return s;
}

/* What was fitted takes the place of what was there. */
static bnn_status take(agent *a, bnn_run *run, bnn_run *head) {
    bnn_run_free(a->run), bnn_run_free(a->head);
    bnn_workspace_free(a->ws), free(a->theta);
    a->run = run, a->head = head, a->ws = NULL, a->theta = NULL;
    a->fitted_rows = a->rows;
    const bnn_engine *e = predicting(a);
    if (!e) return bnn_fail(BNN_ERR_STATE, "engine '%s' has fitted nothing in so few steps: fit it anew, to its end", a->how->engine);
    a->theta = malloc(((size_t)e->model->n_theta + 1) * sizeof *a->theta);
    return a->theta ? bnn_workspace_new(e->model->net, a->world->n_actions, BNN_FORWARD, &a->ws) : bnn_oom("an agent");
}

static bnn_status learn(agent *a) {
    int n = a->rows < a->how->buffer ? a->rows : a->how->buffer, *rows = malloc((size_t)n * sizeof *rows);
    uint64_t seed = stream_of(a, OF_FIT, a->rows).key;
    bnn_data *data = NULL;
    bnn_run *run = NULL, *head = NULL;
    if (!rows) return bnn_oom("an agent");
    for (int i = 0; i < n; i++) rows[i] = a->rows - n + i;
    bnn_status s = bnn_data_new(a->known, n, rows, &a->scaling, &data);
    if (s == BNN_OK) s = fit_engine(a, data, seed, &run);
    if (s == BNN_OK) s = fit_head(a, data, seed, run, &head);
    bnn_data_free(data), free(rows);
    if (s == BNN_OK) return take(a, run, head);
    bnn_run_free(run), bnn_run_free(head);
    return s;
}

static bool is_due(const agent *a) {
    if (a->how->policy == BNN_POLICY_RANDOM || a->rows < a->how->first) return false;
    int since = a->rows - a->fitted_rows;
    return !a->run || since >= fmax(a->how->every, a->pause) || since >= a->fitted_rows;
}

/* ---------------------------------------------------------------- acting */

/* value[n_actions]: mean over draws of the reward that is expected under each. */
static bnn_status look(agent *a, const double *context, int step) {
    const bnn_engine *e = predicting(a);
    const bnn_engine_type *type = bnn_engine_vtable(e);
    const bnn_model *m = e->model;
    int K = a->world->n_actions, C = a->world->context_dim, stored = type->n_draws ? type->n_draws(e) : 0;
    bool point = type->type.caps & BNN_POINT;
    for (int k = 0; k < K; k++) {
        bnn_real *x = a->x + (size_t)k * width_of(a);
        for (int j = 0; j < C; j++) x[j] = (bnn_real)((context[j] - a->scaling.x_mean[j]) / a->scaling.x_sd[j]);
        for (int j = 0; j < K; j++) x[C + j] = j == k;
        a->value[k] = 0;
    }
    /* greedy agents look at the same draws until they are fitted again */
    bnn_rng rng = stream_of(a, OF_DRAW, a->how->policy == BNN_POLICY_THOMPSON ? step : -a->fitted_rows);
    for (int d = 0; d < a->how->draws && (d == 0 || !point); d++) {
        bnn_rng one = bnn_rng_split(rng, (uint64_t)d);
        int s = (int)(uniform(one, 0) * (stored > 0 ? stored : 1 << 20));
        BNN_TRY(bnn_engine_draw(e, s, bnn_rng_split(one, 0), a->theta));
        bnn_net_prepare(m->net, a->ws, a->theta, point ? BNN_MEAN : BNN_DRAW, false, bnn_rng_split(one, 1));
        const bnn_real *f = bnn_net_forward(m->net, a->ws, K, 0, a->x);
        bnn_likelihood_vtable(&m->likelihood)
            ->observe(&m->likelihood, K, f, NULL, bnn_model_noise(m, a->theta), &(bnn_observation){.mean = a->seen});
        for (int k = 0; k < K; k++) a->value[k] += (double)a->seen[k];
    }
    return BNN_OK;
}

static bnn_status choose(agent *a, const double *context, int step, int *action) {
    const bnn_bandit_config *how = a->how;
    bnn_rng rng = stream_of(a, OF_CHOICE, step);
    int K = a->world->n_actions;
    bool by_chance = how->policy == BNN_POLICY_RANDOM || (how->policy == BNN_POLICY_EPSILON && uniform(rng, 0) < how->epsilon);
    *action = step < how->first && how->policy != BNN_POLICY_RANDOM ? step % K : (int)(uniform(rng, 1) * K);
    if (by_chance || !predicting(a)) return BNN_OK;
    BNN_TRY(look(a, context, step));
    *action = bnn_prediction_class(a->value, K);
    return BNN_OK;
}

static void remember(agent *a, const double *context, int action, double reward) {
    double *x = a->known->x + (size_t)a->rows * width_of(a);
    memcpy(x, context, (size_t)a->world->context_dim * sizeof *x);
    x[a->world->context_dim + action] = 1;
    a->known->y[a->rows++] = reward;
    a->reward += reward;
}

/* One step; what it costs against the best action. */
static bnn_status act(agent *a, int step, double *context, double *regret) {
    const bnn_environment *w = a->world;
    int action, situation = w->context(w->of, stream_of(a, OF_CONTEXT, step).key, context);
    double best = -INFINITY;
    if (is_due(a)) BNN_TRY(learn(a));
    BNN_TRY(choose(a, context, step, &action));
    for (int k = 0; k < w->n_actions; k++) best = fmax(best, w->expected(w->of, situation, context, k));
    *regret += best - w->expected(w->of, situation, context, action);
    remember(a, context, action, w->reward(w->of, situation, context, action, stream_of(a, OF_REWARD, step).key));
    return BNN_OK;
}

/* ---------------------------------------------------------------- runs */

static bnn_status agent_open(const bnn_environment *world, const bnn_bandit_config *how, int run, agent *a) {
    *a = (agent){.world = world, .how = how, .root = bnn_rng_split(bnn_rng_seed(how->seed), (uint64_t)run)};
    size_t K = (size_t)world->n_actions;
    int D = (int)width_of(a);
    BNN_TRY(bnn_table_new(how->steps, bnn_shape_vector(D), 1, 0, &a->known));
    BNN_TRY(bnn_scaling_identity(D, 1, &a->scaling));
    for (int j = 0; world->scaling && j < world->context_dim; j++)
        a->scaling.x_mean[j] = world->scaling->x_mean[j], a->scaling.x_sd[j] = world->scaling->x_sd[j];
    a->scaling.y_mean[0] = world->reward_mean, a->scaling.y_sd[0] = world->reward_sd;
    a->x = malloc(K * (size_t)D * sizeof *a->x);
    a->seen = malloc(K * sizeof *a->seen), a->value = malloc(K * sizeof *a->value);
    return a->x && a->seen && a->value ? BNN_OK : bnn_oom("an agent");
}

static void agent_close(agent *a) {
    bnn_run_free(a->run), bnn_run_free(a->head);
    bnn_workspace_free(a->ws);
    bnn_table_free(a->known);
    bnn_scaling_free(&a->scaling);
    free(a->theta), free(a->x), free(a->seen), free(a->value);
}

typedef struct {
    const bnn_environment *world;
    bnn_bandit_config how;
    bnn_regret *out;
} bandit;

static bnn_status act_all(agent *a, const bandit *b, int run, double *context) {
    double regret = 0;
    bnn_regret *out = b->out;
    for (int step = 0, point = 0; step < b->how.steps; step++) {
        BNN_TRY(act(a, step, context, &regret));
        if (step + 1 < out->step[point]) continue;
        out->regret[run * out->n_points + point++] = regret;
        if (b->how.progress) b->how.progress(b->how.context, run, (step + 1.0) / b->how.steps);
    }
    out->reward[run] = a->reward;
    out->gradients[run] = a->gradients;
    return BNN_OK;
}

static bnn_status run_one(void *context, int run) {
    const bandit *b = context;
    agent a;
    double *x = malloc((size_t)b->world->context_dim * sizeof *x + 1);
    bnn_status s = agent_open(b->world, &b->how, run, &a);
    if (s == BNN_OK && !x) s = bnn_oom("an agent");
    if (s == BNN_OK) s = act_all(&a, b, run, x);
    agent_close(&a);
    free(x);
    return s;
}

static bnn_status read_config(const bnn_environment *world, const bnn_bandit_config *config, bnn_bandit_config *how) {
    BNN_TRY(bnn_sized_read("bnn_bandit_config", how, sizeof *how, BNN_UP_TO(bnn_bandit_config, context), config));
    if ((int)how->policy < BNN_POLICY_THOMPSON || how->policy > BNN_POLICY_RANDOM)
        return bnn_fail(BNN_ERR_OPTION, "there is no such policy");
    if (!(how->epsilon >= 0 && how->epsilon <= 1)) return bnn_fail(BNN_ERR_OPTION, "epsilon is a probability, not %g", how->epsilon);
    if (how->draws < 0 || how->steps < 0 || how->first < 0 || how->every < 0 || how->buffer < 0 || how->runs < 0 || !(how->budget >= 0))
        return bnn_fail(BNN_ERR_OPTION, "draws, steps, rows, runs and minibatches of an agent are 0 or more");
    if (world->n_actions < 2 || world->context_dim < 0 || !(world->reward_sd > 0))
        return bnn_fail(BNN_ERR_OPTION, "an environment needs two actions or more, and an sd of its rewards above 0");
    if (!how->net) how->net = "dense:50; relu; dense";
    if (!how->engine) how->engine = "bayes_by_backprop";
    if (how->draws == 0) how->draws = how->policy == BNN_POLICY_THOMPSON ? 1 : 20;
    if (how->steps == 0) how->steps = 50000;
    if (how->first == 0) how->first = TRIES_OF_AN_ACTION * world->n_actions;
    if (how->every == 0) how->every = 64;
    if (how->budget == 0) how->budget = 1;
    if (how->buffer == 0) how->buffer = how->steps;
    if (how->runs == 0) how->runs = 1;
    return BNN_OK;
}

static bnn_status regret_new(const bnn_bandit_config *how, bnn_regret **out) {
    bnn_regret *r = calloc(1, sizeof *r);
    if (!r) return bnn_oom("regret");
    *out = r;
    r->runs = how->runs, r->n_points = how->steps < MOST_POINTS ? how->steps : MOST_POINTS;
    size_t runs = (size_t)r->runs, points = (size_t)r->n_points;
    r->step = malloc(points * sizeof *r->step), r->regret = calloc(runs * points, sizeof *r->regret);
    r->reward = calloc(runs, sizeof *r->reward), r->gradients = calloc(runs, sizeof *r->gradients);
    if (!r->step || !r->regret || !r->reward || !r->gradients) return bnn_oom("regret");
    for (int k = 0; k < r->n_points; k++) r->step[k] = (int)((int64_t)how->steps * (k + 1) / r->n_points);
    return BNN_OK;
}

bnn_status bnn_bandit(const bnn_environment *environment, const bnn_bandit_config *config, bnn_regret **out) {
    bandit b = {.world = environment};
    *out = NULL;
    BNN_TRY(read_config(environment, config, &b.how));
    bnn_status s = regret_new(&b.how, &b.out);
    if (s == BNN_OK) s = bnn_jobs_run(b.how.runs, run_one, &b);
    if (s == BNN_OK)
        *out = b.out;
    else
        bnn_regret_free(b.out);
    return s;
}

double bnn_regret_mean(const bnn_regret *r, int point, double *se) {
    double mean = 0, squares = 0;
    const double *at = r->regret + point;
    const size_t apart = (size_t)r->n_points;
    for (int i = 0; i < r->runs; i++) mean += at[(size_t)i * apart] / r->runs;
    for (int i = 0; i < r->runs; i++) squares += pow(at[(size_t)i * apart] - mean, 2);
    *se = r->runs > 1 ? sqrt(squares / (r->runs - 1.0) / r->runs) : NAN;
    return mean;
}

void bnn_regret_free(bnn_regret *r) {
    if (!r) return;
    free(r->step), free(r->regret), free(r->reward), free(r->gradients);
    free(r);
}
