/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * laplace: a Gaussian around the mode that another engine finds (MacKay 1992; Daxberger et al. 2021).
 *
 *   theta ~ N(theta*, S),   S = (H + diag(prec))^-1,   H = sum_i J_i^T L_i J_i            J_i = df(x_i)/dtheta, L_i = d2(-log p)/df2
 *
 * H is the generalised Gauss-Newton matrix over all training rows: full, diag or kron (bnn/curvature.h), of all weights and biases or of
 * those of the last layer. Parameters of other roles (noise, drop probabilities, random weights) stand at the mode, noise of layers at its
 * mean.
 *
 * Prior precisions and Gaussian noise maximise log p(D) and the density of the noise (bnn/evidence.h): at the mode, which is that of the
 * model's own prior and is not moved (evidence=post); or on the way there, every so many epochs, which go on with what was found
 * (evidence=online, Immer et al. 2021; between two updates noise follows its own gradient, lr_noise of the engine), and once more at the
 * end. A mode with a noise of its own collapses where parameters are many, and no curvature at it mends that: its evidence asks for too
 * much noise, that of kron and diag, which leave out correlations, for far too much. So updates on the way are the preset. They are many,
 * hence by Kronecker factors; the Gaussian at the end is full where P and the rows are few enough for a second of work.
 *
 * Prediction: the network is linearised at theta*, f ~ N(f(x; theta*), J S J^T) (linear, probit), or theta is drawn from the Gaussian
 * (sampling), where the network is not linear and the draws fit worse. Of real targets the first is a closed form; of classes it is drawn
 * f by f, or, with probit, the mean probabilities and their logarithms are MacKay's (1992b) approximation.
 *
 * Where rows are sure of their classes L is next to 0 and S far wider than the posterior, which falls steeply to the side where rows would
 * be wrong. So of classes S comes with the factor, 1 at most, under which rows of the fit are predicted best when each is left out
 * (scale=0; engine/left_out.c); 1/1024, the least, leaves all but the mode.
 */
#include <bnn/curvature.h>
#include <bnn/evidence.h>
#include <bnn/file.h>
#include <bnn/holder.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    bnn_object engine;
    int structure, updates, subset, precision, evidence, every, predictive;
    double scale;
} conf;

enum { AUTO = BNN_FULL + 1 }; /* conf.structure: one of bnn_structure, or this */
enum { BY_KRON, AS_STRUCTURE };
enum { ALL, LAST_LAYER };
enum { NONE, POST, ONLINE };
enum { LINEAR, PROBIT, SAMPLING };
static const char *const structures[] = {"diag", "kron", "full", "auto", NULL}, *const updates[] = {"kron", "structure", NULL};
static const char *const subsets[] = {"all", "last_layer", NULL}, *const evidences[] = {"none", "post", "online", NULL},
                         *const predictives[] = {"linear", "probit", "sampling", NULL};

static const bnn_option options[] = {
    BNN_OPT_SPEC(conf, engine, BNN_ENGINE, "map{lr=0.005}", "the engine that finds the mode, as name or name{options}"),
    BNN_OPT_CHOICE(
        conf, structure, "auto", structures,
        "of the curvature: full, its diagonal, or Kronecker factors by layer; auto: full where that is quick, else kron, or diag where "
        "a layer has no such factors"),
    BNN_OPT_CHOICE(conf, updates, "kron", updates, "of the curvature on the way there, for evidence=online: kron, or `structure`"),
    BNN_OPT_CHOICE(conf, subset, "all", subsets, "weights that are uncertain: all, or those of the last layer"),
    BNN_OPT_CHOICE(conf, precision, "global", bnn_prec_sharing_names,
                   "prior precisions: of the model's prior, or by the evidence: one, one for each layer, or for each kernel and bias"),
    BNN_OPT_CHOICE(conf, evidence, "online", evidences,
                   "when it chooses precisions and noise: never (the model's prior holds), after the fit, or during it"),
    BNN_OPT_INT(conf, every, "0", 0, 1e9,
                "steps of the engine (epochs) between updates, for evidence=online; 0: as many as a 200th of its work takes"),
    BNN_OPT_CHOICE(
        conf, predictive, "linear", predictives,
        "linear: of the linearised network; probit: likewise, classes by the probit approximation; sampling: draws of the weights"),
    BNN_OPT_REAL(conf, scale, "0", 0, 1e9, "factor on the covariance; 0: 1, of classes by rows left out, at most 1"),
    {0}};

enum {
    BUILT,
    STEPS,
    UPDATES,
    GIVEN,
    STRUCTURE,
    N_COUNTERS
}; /* state.counter: whether the Gaussian is there; steps and updates before it; whether the
      mode was given; which bnn_structure the Gaussian has */

typedef struct {
    bnn_engine *inner; /* NULL without rows, and where the mode was given */
    bnn_curvature curvature;
    bnn_curvature on_the_way; /* of updates; not opened where they take the other */
    bnn_real *theta;          /* the mode, with the noise that the evidence chose */
    uint64_t counter[N_COUNTERS];
    double share;                       /* of the engine's work, done before its last step */
    double *prec, *determined, *length; /* [n_blocks] of the blocks of the curvature */
    double log_evidence;
    double scale; /* of the covariance, in the fit that made it */
    char *remark;
} state;

static bnn_status out_of_memory(void) { return bnn_fail(BNN_ERR_MEMORY, "out of memory"); }

static bnn_prec_sharing sharing_of(const conf *c) { return c->evidence == NONE ? BNN_PREC_PRIOR : (bnn_prec_sharing)c->precision; }

/* ---------------------------------------------------------------- the Gaussian */

/* One number of all blocks that share it. */
static void print_precs(FILE *out, const state *s, bnn_prec_sharing sharing) {
    const bnn_curvature *c = &s->curvature;
    fputs(sharing == BNN_PREC_GLOBAL ? "; prior precision" : "; prior precisions", out);
    for (int b = 0; b < c->n_blocks; b++) {
        const bnn_block_info *info = &c->block[b].info;
        bool same = b > 0 && (sharing == BNN_PREC_GLOBAL || (sharing == BNN_PREC_LAYER && c->block[b - 1].info.index == info->index));
        if (same) continue;
        fputs(b > 0 ? ", " : " ", out);
        if (sharing != BNN_PREC_GLOBAL)
            fprintf(out, "%s%s%s ", info->node, sharing == BNN_PREC_LAYER ? "" : "/", sharing == BNN_PREC_LAYER ? "" : info->name);
        bnn_print_to(out, "%.4g", s->prec[b]);
    }
}

static bnn_status write_remark(const bnn_engine *e, state *s) {
    const bnn_likelihood *l = &e->model->likelihood;
    const bool least = ((const conf *)e->object.conf)->scale == 0 && s->scale == ldexp(1, -BNN_MOST_HALVINGS);
    double determined = 0;
    free(s->remark);
    s->remark = NULL;
    FILE *out = bnn_text_open(&s->remark, NULL);
    if (!out) return out_of_memory();
    for (int b = 0; b < s->curvature.n_blocks; b++) determined += s->determined[b];
    bnn_print_to(out, "log evidence %.4f; %.1f of %zu parameters determined by the data", s->log_evidence, determined, s->curvature.n);
    print_precs(out, s, sharing_of(e->object.conf));
    if (bnn_likelihood_vtable(l)->noise_sd && l->y_dim == 1)
        bnn_print_to(out, "; noise sd %.4g", bnn_likelihood_vtable(l)->noise_sd(l, bnn_model_noise(e->model, s->theta)) * l->y_sd[0]);
    if (s->scale != 1) bnn_print_to(out, "; covariance times %.4g", s->scale);
    if (least)
        bnn_print_to(out, "%s",
                     ", the least: rows left out are predicted best by the mode alone, which is as sure far from the data as map is "
                     "(scale=1 takes the whole Gaussian)");
    return bnn_text_close(out, &s->remark) ? BNN_OK : out_of_memory();
}

/* Takes the scale that is asked for, or that rows left out prefer: scale S is the S of scale var and prec / scale. */
static bnn_status rescale(bnn_engine *e, const bnn_data *data, double var) {
    const conf *c = e->object.conf;
    const bnn_likelihood *l = &e->model->likelihood;
    state *s = e->state;
    double log_det, *prec;
    s->scale = c->scale > 0 ? c->scale : 1;
    if (c->scale == 0 && l->n_classes > 0 && bnn_likelihood_vtable(l)->marginal)
        BNN_TRY(bnn_curvature_left_out(&s->curvature, s->theta, data, &s->scale));
    if (s->scale == 1) return BNN_OK;
    if (!(prec = malloc(((size_t)s->curvature.n_blocks + 1) * sizeof *prec))) return out_of_memory();
    for (int b = 0; b < s->curvature.n_blocks; b++) prec[b] = s->prec[b] / s->scale;
    bnn_status status = bnn_curvature_posterior(&s->curvature, var * s->scale, prec, &log_det, NULL);
    free(prec);
    return status;
}

/* S at theta by one of the curvatures, and what the evidence says of it; last: predictions will be made by it. */
static bnn_status build(bnn_engine *e, bnn_curvature *curvature, const bnn_data *data, bool last) {
    const conf *c = e->object.conf;
    state *s = e->state;
    bnn_evidence evidence;
    size_t n = (size_t)curvature->n_blocks;
    BNN_TRY(bnn_curvature_build(curvature, s->theta, data, &e->cost));
    BNN_TRY(bnn_evidence_open(curvature, s->theta, data, sharing_of(c), &evidence));
    bnn_status status = c->evidence == NONE ? bnn_evidence_evaluate(&evidence) : bnn_evidence_maximise(&evidence);
    s->log_evidence = evidence.value;
    memcpy(s->prec, evidence.prec, n * sizeof *s->prec);
    memcpy(s->determined, evidence.determined, n * sizeof *s->determined);
    for (int k = 0; evidence.noisy > 0 && k < e->model->likelihood.n_theta; k++)
        s->theta[e->model->net->n_theta + k] += (bnn_real)log(evidence.var);
    double var = evidence.var;
    bnn_evidence_close(&evidence);
    if (status == BNN_OK && last) status = rescale(e, data, var);
    return status < 0 ? status : write_remark(e, s);
}

static bnn_status take_mode(bnn_engine *e, const bnn_real *theta) {
    state *s = e->state;
    return bnn_holder_mode(e, s->inner, theta, s->theta);
}

/* Both models, this engine's and the inner one's, take the priors that the evidence chose. */
static bnn_status take_priors(bnn_engine *e) {
    state *s = e->state;
    for (int b = 0; b < s->curvature.n_blocks; b++) {
        int number = s->curvature.block[b].number;
        BNN_TRY(bnn_model_set_prior_prec(e->model, number, s->theta, s->prec[b]));
        BNN_TRY(bnn_model_set_prior_prec(s->inner->model, number, s->theta, s->prec[b]));
    }
    return BNN_OK;
}

/* The inner engine goes on with the noise that the evidence chose; its first block is the theta that it is at. */
static void give_noise(bnn_engine *e) {
    state *s = e->state;
    size_t net = (size_t)e->model->net->n_theta, noise = (size_t)e->model->likelihood.n_theta;
    bnn_block block[BNN_MAX_BLOCKS];
    bnn_engine_vtable(s->inner)->blocks(s->inner, block);
    memcpy((bnn_real *)block[0].data + net, s->theta + net, noise * sizeof *s->theta);
}

static bnn_status update(bnn_engine *e, const bnn_data *data, const bnn_step *out) {
    state *s = e->state;
    BNN_TRY(take_mode(e, out->theta));
    BNN_TRY(build(e, s->on_the_way.model ? &s->on_the_way : &s->curvature, data, false));
    s->counter[UPDATES]++;
    give_noise(e);
    return take_priors(e);
}

/* ---------------------------------------------------------------- hooks */

static bnn_status adapt(const void *options_set, bnn_netspec *net) { return bnn_holder_adapt(&((const conf *)options_set)->engine, net); }

/* Full takes work of rows P^2 and P^3, once and in double: about a second each, at most. */
static bnn_structure quick(const bnn_engine *e, const bnn_data *data) {
    const double most_parameters = 800, most_work = 1e9;
    double n = (double)e->model->net->n_theta, rows = (double)data->n * e->model->likelihood.out_dim;
    return n <= most_parameters && rows * n * n <= most_work ? BNN_FULL : BNN_KRON;
}

static bnn_status allocate(bnn_engine *e, const bnn_data *data) {
    const conf *c = e->object.conf;
    state *s = e->state;
    bnn_structure structure = c->structure == AUTO ? quick(e, data) : (bnn_structure)c->structure;
    bool last_layer = c->subset == LAST_LAYER, apart = c->evidence == ONLINE && c->updates == BY_KRON && structure != BNN_KRON;
    bnn_status opened = bnn_curvature_open(e->model, structure, last_layer, &s->curvature);
    if (opened == BNN_ERR_OPTION && c->structure == AUTO && structure == BNN_KRON) { /* a layer has no factors */
        bnn_curvature_close(&s->curvature);
        structure = BNN_DIAG;
        opened = bnn_curvature_open(e->model, structure, last_layer, &s->curvature);
    }
    BNN_TRY(opened);
    s->counter[STRUCTURE] = structure;
    s->scale = 1;
    if (apart && bnn_curvature_open(e->model, BNN_KRON, last_layer, &s->on_the_way) < 0) { /* a layer has no factors */
        bnn_curvature_close(&s->on_the_way);
        s->on_the_way = (bnn_curvature){0};
    }
    size_t n = (size_t)s->curvature.n_blocks + 1;
    s->theta = malloc(((size_t)e->model->n_theta + 1) * sizeof *s->theta);
    s->prec = calloc(n, sizeof *s->prec);
    s->determined = calloc(n, sizeof *s->determined);
    s->length = calloc(n, sizeof *s->length);
    if (!s->theta || !s->prec || !s->determined || !s->length) return out_of_memory();
    for (int b = 0; b < s->curvature.n_blocks; b++) s->length[b] = (double)s->curvature.block[b].info.length;
    return BNN_OK;
}

static bnn_status check_inner(const conf *c) {
    const bnn_engine_type *type = (const bnn_engine_type *)c->engine.type;
    if (type->member) return bnn_fail(BNN_ERR_OPTION, "engine '%s' has no one mode: put it around laplace, not inside it", type->type.name);
    if (c->evidence != ONLINE || !type->fitted) return BNN_OK;
    return bnn_fail(BNN_ERR_OPTION, "evidence=online needs an engine that fits from its first step, not '%s'", type->type.name);
}

static bnn_status open(bnn_engine *e, const bnn_data *data) {
    const conf *c = e->object.conf;
    state *s = e->state;
    BNN_TRY(allocate(e, data));
    bnn_model_init(e->model, bnn_rng_split(e->rng, BNN_STREAM_INIT), s->theta);
    BNN_TRY(bnn_evidence_check(&s->curvature, s->theta, sharing_of(c)));
    BNN_TRY(check_inner(c));
    return data->n > 0 ? bnn_holder_open(e, &c->engine, data, bnn_rng_split(e->rng, BNN_STREAM_INNER), 1, &s->inner) : BNN_OK;
}

/* What is given needs no fit. */
static void leave_inner(state *s) {
    bnn_engine_free(s->inner);
    s->inner = NULL;
}

static bnn_status begin(bnn_engine *e, const bnn_real *theta) {
    state *s = e->state;
    memcpy(s->theta, theta, (size_t)(e->model->net->n_theta + e->model->likelihood.n_theta) * sizeof *theta);
    s->counter[GIVEN] = 1;
    leave_inner(s);
    return BNN_OK;
}

static bool is_due(const conf *c, state *s, double progress) {
    const double updates_at_most = 200;
    double before = s->share;
    s->share = progress;
    if (c->evidence != ONLINE || s->curvature.n == 0) return false;
    return c->every > 0 ? s->counter[STEPS] % (uint64_t)c->every == 0 : floor(progress * updates_at_most) > floor(before * updates_at_most);
}

static bnn_status step(bnn_engine *e, const bnn_data *data, bnn_step *out) {
    const conf *c = e->object.conf;
    state *s = e->state;
    bool given = s->counter[GIVEN];
    if (!given) BNN_TRY(bnn_holder_step(e, s->inner, data, out));
    s->counter[STEPS]++;
    if (!given && !out->done) return is_due(c, s, out->progress) ? update(e, data, out) : BNN_OK;
    if (!given) BNN_TRY(take_mode(e, out->theta));
    BNN_TRY(build(e, &s->curvature, data, true));
    if (given) BNN_TRY(bnn_holder_look(e, data, s->theta, out));
    s->counter[BUILT] = 1;
    out->theta = s->theta;
    return BNN_OK;
}

static void close(bnn_engine *e) {
    state *s = e->state;
    bnn_engine_free(s->inner);
    bnn_curvature_close(&s->curvature);
    bnn_curvature_close(&s->on_the_way);
    free(s->theta);
    free(s->prec);
    free(s->determined);
    free(s->length);
    free(s->remark);
}

static bnn_status check_built(const state *s) {
    return s->counter[BUILT] ? BNN_OK : bnn_fail(BNN_ERR_STATE, "engine 'laplace' has no Gaussian before its fit is over");
}

static bnn_status draw(const bnn_engine *e, int i, bnn_rng rng, bnn_real *theta) {
    const state *s = e->state;
    (void)i;
    BNN_TRY(check_built(s));
    memcpy(theta, s->theta, (size_t)e->model->n_theta * sizeof *theta);
    return bnn_curvature_draw(&s->curvature, rng, theta);
}

static bnn_predictive predictive(const bnn_engine *e) {
    const conf *c = e->object.conf;
    bnn_predictive how = {.by = BNN_BY_MARGINAL, .theta = ((const state *)e->state)->theta};
    if (c->predictive == LINEAR && e->model->likelihood.n_classes > 0) how.by = BNN_BY_OUTPUTS;
    if (c->predictive == SAMPLING) how.by = BNN_BY_THETA;
    return how;
}

static bnn_status outputs(const bnn_engine *e, bnn_workspace *ws, int n, const bnn_real *x, double *mean, double *cov) {
    const state *s = e->state;
    BNN_TRY(check_built(s));
    return bnn_curvature_outputs(&s->curvature, ws, s->theta, n, x, mean, cov);
}

/* An engine that was opened without rows takes the structure that its file says: auto depends on the rows. */
static void take_structure(bnn_engine *e) {
    const conf *c = e->object.conf;
    state *s = e->state;
    if (c->structure != AUTO || s->counter[STRUCTURE] == s->curvature.structure || s->counter[STRUCTURE] > BNN_FULL) return;
    bnn_curvature_close(&s->curvature);
    if (bnn_curvature_open(e->model, (bnn_structure)s->counter[STRUCTURE], c->subset == LAST_LAYER, &s->curvature) == BNN_OK) return;
    bnn_curvature_close(&s->curvature);
    s->curvature = (bnn_curvature){0};
}

static int blocks(bnn_engine *e, bnn_block *out) {
    state *s = e->state;
    take_structure(e);
    size_t n = (size_t)s->curvature.n_blocks, built = s->counter[BUILT] ? s->curvature.n_factor : 0;
    out[0] = (bnn_block){.name = "theta", .kind = BNN_BLOCK_REAL, .data = s->theta, .length = (size_t)e->model->n_theta, .theta = true};
    out[1] = (bnn_block){.name = "counter", .kind = BNN_BLOCK_U64, .data = s->counter, .length = N_COUNTERS};
    out[2] = (bnn_block){.name = "log_evidence", .kind = BNN_BLOCK_DOUBLE, .data = &s->log_evidence, .length = 1};
    out[3] = (bnn_block){.name = "prior_prec", .kind = BNN_BLOCK_DOUBLE, .data = s->prec, .length = n};
    out[5] = (bnn_block){.name = "share", .kind = BNN_BLOCK_DOUBLE, .data = &s->share, .length = 1};
    out[4] = (bnn_block){.name = "factor", .kind = BNN_BLOCK_DOUBLE, .data = s->curvature.factor, .length = built};
    return 6;
}

static bnn_engine *held(bnn_engine *e, int i, const bnn_data **rows) {
    (void)rows; /* the same */
    return i == 0 ? ((state *)e->state)->inner : NULL;
}

static bnn_status resume(bnn_engine *e, const bnn_data *data) {
    state *s = e->state;
    (void)data;
    if (s->counter[GIVEN]) leave_inner(s);
    return s->counter[UPDATES] > 0 ? take_priors(e) : BNN_OK;
}

static int columns(const bnn_engine *e, bnn_column *out) {
    const state *s = e->state;
    int n = s->counter[BUILT] ? s->curvature.n_blocks : 0;
    out[0] = (bnn_column){.name = "parameters", .data = s->length, .length = n};
    out[1] = (bnn_column){.name = "determined", .data = s->determined, .length = n};
    out[2] = (bnn_column){.name = "prior_prec", .data = s->prec, .length = n};
    return 3;
}

static const char *remark(const bnn_engine *e) { return ((const state *)e->state)->remark; }

static const char *const checks[] = {"laplace:engine=map{epochs=20,batch=16}",
                                     "laplace:engine=map{epochs=20,batch=16},structure=full",
                                     "laplace:engine=map{epochs=20,batch=16},structure=diag,subset=last_layer,precision=group",
                                     "laplace:engine=map{epochs=20,batch=16,lr_hyper=0},evidence=online,every=3",
                                     "laplace:engine=map{epochs=20,batch=16},structure=full,updates=structure,every=7",
                                     NULL};

static const bnn_claim claims[] = {
    {"laplace:engine=map{epochs=2000,lr=0.05,optimizer=sgd{momentum=0.9}},structure=full,evidence=none", BNN_FINDS_GAUSSIAN, 0.002},
    {"laplace:engine=map{epochs=2000,lr=0.05,optimizer=sgd{momentum=0.9}},structure=kron,evidence=none", BNN_FINDS_GAUSSIAN, 0.002},
    {"laplace:engine=map{epochs=2000,lr=0.05,optimizer=sgd{momentum=0.9}},structure=diag,evidence=none", BNN_FINDS_MEAN_FIELD, 0.002},
    {NULL, 0, 0}};

const bnn_engine_type bnn_engine_laplace = {
    .type = {BNN_TYPE(bnn_engine_type), .name = "laplace", .summary = "a Gaussian around the mode, its prior chosen by the evidence",
             .reference = "MacKay 1992; Daxberger et al. 2021", .caps = BNN_WEIGHS, .conf_size = sizeof(conf), .options = options,
             .checks = checks},
    .state_size = sizeof(state),
    .open = open,
    .step = step,
    .close = close,
    .blocks = blocks,
    .draw = draw,
    .adapt = adapt,
    .columns = columns,
    .remark = remark,
    .held = held,
    .resume = resume,
    .begin = begin,
    .predictive = predictive,
    .outputs = outputs,
    .claims = claims,
    .fails = "one mode only, and a straight line around it: far from the data the network is not linear. Needs a mode, so a fit that"
             " has ended. Seen as: not_converged; intervals that are wide where the data are dense (boston: .97 of .90).",
};
