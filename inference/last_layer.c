/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * last_layer: features that another engine finds, and exact Bayesian linear regression on them (Lazaro-Gredilla & Figueiras-Vidal 2010;
 * Snoek et al. 2015; the strongest engine of Riquelme, Tucker & Snoek 2018).
 *
 *   y = phi(x) w + b + noise,   w ~ N(0, 1/prec),   [w, b] | D ~ N(m, S)
 *   S = (H / var + diag(prec))^-1,   m = S H/var w_LS         H = sum_i phi_i phi_i^T over the noise's variance, phi_i = [phi(x_i), 1]
 *
 * phi are the inputs of the last layer, an affine map without noise, at the parameters that the engine inside ends with; they are known,
 * not uncertain. U is quadratic in [w, b], so m is one Newton step from where that engine has left them, and log p(D) of the linear model
 * is exact (bnn/evidence.h). Prior precisions go to its maximum, in turn with m, which raises the same value, until a turn wins less than a
 * ten-thousandth of a nat; precision=prior leaves those of the model. So does noise that is learned with noise=evidence, by the density
 * that the likelihood has for it, too; but features that have seen the rows fit them better than they will fit others, and to the linear
 * model that looks like little noise. With noise=engine it stays where the engine inside has it, which has counted the other layers, too,
 * where that is laplace, the preset. Noise that the likelihood fixes stays.
 *
 * Prediction is the closed form, f ~ N(phi m, phi S phi^T); draws of theta are exact.
 *
 * Deviations: Riquelme et al. integrate over the noise, with an inverse-gamma prior that scales that of the weights, too; here it is one
 * value. Noises of several targets keep the ratios that the engine inside has found.
 * Of classes there is no closed form, so they are refused: laplace:subset=last_layer approximates it.
 */
#include <bnn/curvature.h>
#include <bnn/evidence.h>
#include <bnn/holder.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    bnn_object engine;
    int precision, noise;
} conf;

enum { BY_EVIDENCE, AS_FOUND };
static const char *const noises[] = {"evidence", "engine", NULL};

static const bnn_option options[] = {
    BNN_OPT_SPEC(conf, engine, BNN_ENGINE, "laplace{structure=kron}", "the engine that finds the features, as name or name{options}"),
    BNN_OPT_CHOICE(conf, precision, "global", bnn_prec_sharing_names,
                   "prior precisions of the last layer: of the model's prior, or by the evidence: one, or for its kernel and bias (group)"),
    BNN_OPT_CHOICE(conf, noise, "engine", noises, "where it is learned: as the engine has found it, or by the evidence of the last layer"),
    {0}};

enum { BUILT, GIVEN, N_COUNTERS }; /* state.counter: whether the Gaussian is there; whether the features were given */

typedef struct {
    bnn_engine *inner; /* NULL without rows, and where the features were given */
    bnn_curvature curvature;
    bnn_real *theta; /* features as found, m, noise as chosen */
    uint64_t counter[N_COUNTERS];
    double *prec, *determined; /* [n_blocks] of the last layer */
    double log_evidence;
    char remark[256];
} state;

/* ---------------------------------------------------------------- the linear model */

enum { PIECE = 256 }; /* rows at a time */

/* slope[n] of the nll in w, at theta. */
static bnn_status measure_slope(const bnn_engine *e, const bnn_data *data, double *slope) {
    const bnn_model *m = e->model;
    const state *s = e->state;
    const bnn_curvature *c = &s->curvature;
    size_t in = (size_t)bnn_shape_size(m->x_shape), y_dim = (size_t)data->y_dim;
    bnn_workspace *ws;
    bnn_real *grad = malloc((size_t)m->n_theta * sizeof *grad);
    bnn_status status = grad ? bnn_workspace_new(m->net, PIECE, BNN_TO_THETA, &ws) : bnn_oom("the last layer");
    memset(slope, 0, c->n * sizeof *slope);
    for (int i = 0; status == BNN_OK && i < data->n; i += PIECE) {
        int n = data->n - i < PIECE ? data->n - i : PIECE;
        bnn_objective u = {.n_total = n, .scale = 1, .mode = BNN_MEAN, .weight = data->weight ? data->weight + i : NULL};
        bnn_model_u(m, ws, &u, e->rng, s->theta, n, data->x + (size_t)i * in, data->y + (size_t)i * y_dim, grad);
        for (int b = 0; b < c->n_blocks; b++)
            for (size_t k = 0; k < c->block[b].info.length; k++) slope[c->block[b].at + k] += (double)grad[c->block[b].info.offset + k];
    }
    if (status == BNN_OK) bnn_workspace_free(ws);
    free(grad);
    return status;
}

/* w[n] and its entries of theta: one is set to the other. */
static void take_w(state *s, double *w) {
    for (int b = 0; b < s->curvature.n_blocks; b++)
        for (size_t k = 0; k < s->curvature.block[b].info.length; k++)
            w[s->curvature.block[b].at + k] = (double)s->theta[s->curvature.block[b].info.offset + k];
}

static void give_w(state *s, const double *w) {
    for (int b = 0; b < s->curvature.n_blocks; b++)
        for (size_t k = 0; k < s->curvature.block[b].info.length; k++)
            s->theta[s->curvature.block[b].info.offset + k] = (bnn_real)w[s->curvature.block[b].at + k];
}

/* Turns between m and the rest, up to the maximum. */
static bnn_status climb(bnn_evidence *e, bool free_prec, double *w, double *slope) {
    enum { MOST_TURNS = 200 };
    const double enough = 1e-4; /* nats that a turn wins */
    double before = -INFINITY;
    BNN_TRY(bnn_evidence_evaluate(e));
    BNN_TRY(bnn_evidence_settle(e, w, slope));
    for (int k = 0; k < MOST_TURNS && (free_prec || e->noisy > 0) && e->value + e->log_noise - before > enough; k++) {
        before = e->value + e->log_noise;
        BNN_TRY(bnn_evidence_maximise(e));
        BNN_TRY(bnn_evidence_settle(e, w, slope));
    }
    return BNN_OK;
}

/* One climb from sums over the rows at theta; var and prec go on from where they are, where they were found before. */
static bnn_status solve(bnn_engine *e, const bnn_data *data, bool again, double *var, double *w, double *slope) {
    state *s = e->state;
    bnn_evidence evidence;
    const conf *c = e->object.conf;
    size_t n = (size_t)s->curvature.n_blocks;
    take_w(s, w);
    BNN_TRY(measure_slope(e, data, slope));
    BNN_TRY(bnn_evidence_open(&s->curvature, s->theta, data, (bnn_prec_sharing)c->precision, &evidence));
    if (c->noise == AS_FOUND) evidence.noisy = evidence.squares = 0;
    if (again) memcpy(evidence.prec, s->prec, n * sizeof *s->prec), evidence.var = *var;
    bnn_status status = climb(&evidence, c->precision != BNN_PREC_PRIOR, w, slope);
    *var = evidence.noisy > 0 ? evidence.var : 1;
    s->log_evidence = evidence.value;
    memcpy(s->prec, evidence.prec, n * sizeof *s->prec);
    memcpy(s->determined, evidence.determined, n * sizeof *s->determined);
    give_w(s, w);
    bnn_evidence_close(&evidence);
    return status;
}

static void write_remark(const bnn_engine *e, state *s) {
    const bnn_likelihood *l = &e->model->likelihood;
    double determined = 0, sd = bnn_likelihood_vtable(l)->noise_sd(l, bnn_model_noise(e->model, s->theta)) * l->y_sd[0];
    char noise[48] = "";
    for (int b = 0; b < s->curvature.n_blocks; b++) determined += s->determined[b];
    if (l->y_dim == 1) bnn_print(noise, sizeof noise, "; noise sd %.4g", sd);
    bnn_print(s->remark, sizeof s->remark, "log evidence %.4f of the last layer; %.1f of its %zu parameters determined by the data%s",
              s->log_evidence, determined, s->curvature.n, noise);
}

/* The second time, sums over the rows are taken where w is all but m: what rounding has left of the first is gone. */
static bnn_status build(bnn_engine *e, const bnn_data *data) {
    state *s = e->state;
    double var = 1, *w = malloc(s->curvature.n * sizeof *w), *slope = malloc(s->curvature.n * sizeof *slope);
    bnn_status status = w && slope ? bnn_curvature_build(&s->curvature, s->theta, data, &e->cost) : bnn_oom("the last layer");
    for (int k = 0; status == BNN_OK && k < 2; k++) status = solve(e, data, k > 0, &var, w, slope);
    free(w), free(slope);
    e->cost.gradients += 2;
    e->cost.flops += 2 * bnn_model_gradient_flops(e->model, data->n);
    for (int k = 0; k < e->model->likelihood.n_theta; k++) s->theta[e->model->net->n_theta + k] += (bnn_real)log(var);
    if (status == BNN_OK) write_remark(e, s);
    return status;
}

/* ---------------------------------------------------------------- hooks */

/* The last layer is a plain one: what its weights may be is this engine's to say. */
static bnn_status adapt(const void *options_set, bnn_netspec *net) {
    static const char random[] = "gaussian_";
    BNN_TRY(bnn_holder_adapt(&((const conf *)options_set)->engine, net));
    const char *last = net->s[net->n - 1].type;
    return strncmp(last, random, strlen(random)) == 0 ? bnn_netspec_convert(net, net->n - 1, last + strlen(random), "") : BNN_OK;
}

static bnn_status check(const bnn_engine *e) {
    const conf *c = e->object.conf;
    const bnn_type *likelihood = e->model->likelihood.object.type;
    if (!(likelihood->caps & BNN_LOG_VARIANCE))
        return bnn_fail(BNN_ERR_OPTION, "engine 'last_layer' is for real targets with Gaussian noise, not for likelihood '%s': %s",
                        likelihood->name, "laplace:subset=last_layer approximates the last layer's posterior");
    if (((const bnn_engine_type *)c->engine.type)->member)
        return bnn_fail(BNN_ERR_OPTION, "engine '%s' has no one set of features: put it around last_layer, not inside it",
                        c->engine.type->name);
    return BNN_OK;
}

/* On the network as it is adapted here, which it has to leave alone. */
static bnn_status open_inner(bnn_engine *e, const bnn_data *data) {
    const conf *c = e->object.conf;
    state *s = e->state;
    char *spec = bnn_object_print(&c->engine, false);
    if (!spec) return bnn_oom("an engine");
    bnn_status status = bnn_holder_open_text(spec, &e->texts, data, bnn_rng_split(e->rng, BNN_STREAM_INNER), 1, &s->inner);
    free(spec);
    if (status < 0 || strcmp(s->inner->texts.net, e->texts.net) == 0) return status;
    return bnn_fail(BNN_ERR_OPTION, "engine '%s' makes the weights of the last layer random: last_layer needs their values",
                    c->engine.type->name);
}

static bnn_status open(bnn_engine *e, const bnn_data *data) {
    const conf *c = e->object.conf;
    state *s = e->state;
    BNN_TRY(bnn_curvature_open(e->model, BNN_FULL, true, &s->curvature));
    BNN_TRY(check(e));
    s->theta = malloc(((size_t)e->model->n_theta + 1) * sizeof *s->theta);
    s->prec = calloc((size_t)s->curvature.n_blocks, sizeof *s->prec);
    s->determined = calloc((size_t)s->curvature.n_blocks, sizeof *s->determined);
    if (!s->theta || !s->prec || !s->determined) return bnn_oom("the last layer");
    bnn_model_init(e->model, bnn_rng_split(e->rng, BNN_STREAM_INIT), s->theta);
    BNN_TRY(bnn_evidence_check(&s->curvature, s->theta, (bnn_prec_sharing)c->precision));
    return data->n > 0 ? open_inner(e, data) : BNN_OK;
}

/* What is given needs no fit. */
static bnn_status resume(bnn_engine *e, const bnn_data *data) {
    state *s = e->state;
    (void)data;
    if (!s->counter[GIVEN]) return BNN_OK;
    bnn_engine_free(s->inner);
    s->inner = NULL;
    return BNN_OK;
}

static bnn_status begin(bnn_engine *e, const bnn_real *theta) {
    state *s = e->state;
    memcpy(s->theta, theta, (size_t)(e->model->net->n_theta + e->model->likelihood.n_theta) * sizeof *theta);
    s->counter[GIVEN] = 1;
    return resume(e, NULL);
}

static bnn_status step(bnn_engine *e, const bnn_data *data, bnn_step *out) {
    state *s = e->state;
    if (!bnn_curvature_linear(&s->curvature))
        return bnn_fail(BNN_ERR_STATE, "engine 'last_layer' needs a network that ends with an affine layer without noise, such as 'dense'");
    if (s->counter[GIVEN]) {
        BNN_TRY(build(e, data));
        BNN_TRY(bnn_holder_look(e, data, s->theta, out));
    } else {
        BNN_TRY(bnn_holder_step(e, s->inner, data, out));
        if (!out->done) return BNN_OK;
        BNN_TRY(bnn_holder_mode(e, s->inner, out->theta, s->theta));
        BNN_TRY(build(e, data));
    }
    s->counter[BUILT] = 1;
    out->theta = s->theta;
    return BNN_OK;
}

static void close(bnn_engine *e) {
    state *s = e->state;
    bnn_engine_free(s->inner);
    bnn_curvature_close(&s->curvature);
    free(s->theta);
    free(s->prec);
    free(s->determined);
}

static bnn_status check_built(const state *s) {
    return s->counter[BUILT] ? BNN_OK : bnn_fail(BNN_ERR_STATE, "engine 'last_layer' has no Gaussian before its fit is over");
}

static bnn_status draw(const bnn_engine *e, int i, bnn_rng rng, bnn_real *theta) {
    const state *s = e->state;
    (void)i;
    BNN_TRY(check_built(s));
    memcpy(theta, s->theta, (size_t)e->model->n_theta * sizeof *theta);
    return bnn_curvature_draw(&s->curvature, rng, theta);
}

static bnn_predictive predictive(const bnn_engine *e) {
    return (bnn_predictive){.by = BNN_BY_MARGINAL, .theta = ((const state *)e->state)->theta};
}

static bnn_status outputs(const bnn_engine *e, bnn_workspace *ws, int n, const bnn_real *x, double *mean, double *cov) {
    const state *s = e->state;
    BNN_TRY(check_built(s));
    return bnn_curvature_outputs(&s->curvature, ws, s->theta, n, x, mean, cov);
}

static int blocks(bnn_engine *e, bnn_block *out) {
    state *s = e->state;
    size_t n = (size_t)s->curvature.n_blocks, built = s->counter[BUILT] ? s->curvature.n_factor : 0;
    out[0] = (bnn_block){.name = "theta", .kind = BNN_BLOCK_REAL, .data = s->theta, .length = (size_t)e->model->n_theta, .theta = true};
    out[1] = (bnn_block){.name = "counter", .kind = BNN_BLOCK_U64, .data = s->counter, .length = N_COUNTERS};
    out[2] = (bnn_block){.name = "log_evidence", .kind = BNN_BLOCK_DOUBLE, .data = &s->log_evidence, .length = 1};
    out[3] = (bnn_block){.name = "prior_prec", .kind = BNN_BLOCK_DOUBLE, .data = s->prec, .length = n};
    out[4] = (bnn_block){.name = "factor", .kind = BNN_BLOCK_DOUBLE, .data = s->curvature.factor, .length = built};
    return 5;
}

static bnn_engine *held(bnn_engine *e, int i, const bnn_data **rows) {
    (void)rows; /* the same */
    return i == 0 ? ((state *)e->state)->inner : NULL;
}

static const char *remark(const bnn_engine *e) {
    const state *s = e->state;
    return *s->remark ? s->remark : NULL;
}

static const char *const checks[] = {"last_layer:engine=map{epochs=20,batch=16}",
                                     "last_layer:engine=map{epochs=20,batch=16},precision=prior",
                                     "last_layer:engine=map{epochs=20,batch=16},precision=group,noise=evidence", NULL};

static const bnn_claim claims[] = {{"last_layer:engine=map{epochs=20},precision=prior", BNN_FINDS_GAUSSIAN, 0.0002}, {NULL, 0, 0}};

const bnn_engine_type bnn_engine_last_layer = {
    .type = {BNN_TYPE(bnn_engine_type), .name = "last_layer",
             .summary = "exact Bayesian linear regression on the features of another engine",
             .reference = "Snoek et al. 2015; Riquelme et al. 2018", .caps = BNN_WEIGHS, .conf_size = sizeof(conf), .options = options,
             .checks = checks},
    .state_size = sizeof(state),
    .open = open,
    .step = step,
    .close = close,
    .blocks = blocks,
    .draw = draw,
    .adapt = adapt,
    .remark = remark,
    .held = held,
    .resume = resume,
    .begin = begin,
    .predictive = predictive,
    .outputs = outputs,
    .claims = claims,
    .fails = "features are taken for known: far from the data the interval is that of the last layer alone. They have seen the rows, so"
             " noise by the evidence of the last layer (noise=evidence) is too small where they are many. Real targets only. Seen as:"
             " overconfident, noise_collapsed.",
};
