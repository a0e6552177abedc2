/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * bell: a Gaussian around the mode, with the inverse Hessian of U as its covariance. MUTANT 0 is right, each other one has one fault.
 *
 *   theta ~ N(theta*, H^-1),  H = L L^T by differences of the gradient;    theta* + L^-T e is a draw,  e ~ N(0, 1)
 *   log p(D) = -U(theta*) + n/2 log 2 pi - sum log L_ii - N sum log y_sd
 *
 * Where H is not positive definite, far from the targets of the suite, its diagonal takes its place.
 */
#include <bnn/engine.h>

#include <gsl/gsl_blas.h>
#include <gsl/gsl_errno.h>
#include <gsl/gsl_linalg.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    int epochs;
    double lr;
} conf;

static const bnn_option options[] = {{.name = "epochs",
                                      .kind = BNN_OPTION_INT,
                                      .offset = offsetof(conf, epochs),
                                      .preset = "100",
                                      .min = 1,
                                      .max = 1e9,
                                      .help = "gradients"},
                                     {.name = "lr",
                                      .kind = BNN_OPTION_REAL,
                                      .offset = offsetof(conf, lr),
                                      .preset = "0.05",
                                      .min = 0,
                                      .max = 10,
                                      .help = "step size on U/N"},
                                     {0}};

typedef struct {
    bnn_workspace *ws;
    bnn_real *theta, *grad, *velocity; /* [n] */
    double *factor;                    /* [n, n] L */
    double log_evidence;
    uint64_t epochs;
} state;

static bnn_status open(bnn_engine *e, const bnn_data *data) {
    state *s = e->state;
    size_t n = (size_t)e->model->n_theta;
    s->theta = calloc(n, sizeof *s->theta);
    s->grad = calloc(n, sizeof *s->grad);
    s->velocity = calloc(n, sizeof *s->velocity);
    s->factor = calloc(n * n, sizeof *s->factor);
    if (!s->theta || !s->grad || !s->velocity || !s->factor) return bnn_fail(BNN_ERR_MEMORY, "out of memory");
    bnn_model_init(e->model, bnn_rng_split(e->rng, BNN_STREAM_INIT), s->theta);
    return data->n > 0 ? bnn_workspace_new(e->model->net, data->n, BNN_TO_THETA, &s->ws) : BNN_OK;
}

static bnn_terms gradient(bnn_engine *e, const bnn_data *data, double scale, double kl_weight) {
    state *s = e->state;
    const bnn_objective u = {.n_total = data->n, .scale = scale, .kl_weight = kl_weight, .mode = BNN_MEAN};
    e->cost.gradients++;
    e->cost.flops += bnn_model_gradient_flops(e->model, data->n);
    return bnn_model_u(e->model, s->ws, &u, (bnn_rng){0}, s->theta, data->n, data->x, data->y, s->grad);
}

/* Row i of H, by central differences. */
static void differ(bnn_engine *e, const bnn_data *data, size_t i) {
    state *s = e->state;
    size_t n = (size_t)e->model->n_theta;
    const bnn_real here = s->theta[i], h = (bnn_real)0.0625;
    double kl_weight = 1, scale = 1;
#if MUTANT == 5
    kl_weight = 0;
#elif MUTANT == 6
    scale = 1.0 / data->n;
#endif
    for (int side = -1; side <= 1; side += 2) {
        s->theta[i] = here + (bnn_real)side * h;
        gradient(e, data, scale, kl_weight);
        for (size_t j = 0; j < n; j++) s->factor[i * n + j] += side * (double)s->grad[j] / (2 * (double)h);
    }
    s->theta[i] = here;
}

static void keep_diagonal(size_t n, double *h) {
    for (size_t i = 0; i < n * n; i++) h[i] = i % (n + 1) == 0 ? fabs(h[i]) + 1e-3 : 0;
}

static void factorise(bnn_engine *e, const bnn_data *data, double u) {
    state *s = e->state;
    size_t n = (size_t)e->model->n_theta;
    memset(s->factor, 0, n * n * sizeof *s->factor);
    for (size_t i = 0; i < n; i++) differ(e, data, i);
    gsl_error_handler_t *handler = gsl_set_error_handler_off();
    gsl_matrix_view l = gsl_matrix_view_array(s->factor, n, n);
    double *kept = malloc(n * sizeof *kept);
    for (size_t i = 0; kept && i < n; i++) kept[i] = s->factor[i * n + i];
#if MUTANT == 4
    keep_diagonal(n, s->factor);
#endif
    if (kept && gsl_linalg_cholesky_decomp1(&l.matrix) != 0) {
        for (size_t i = 0; i < n; i++) s->factor[i * n + i] = kept[i];
        keep_diagonal(n, s->factor);
        gsl_linalg_cholesky_decomp1(&l.matrix);
    }
    free(kept);
    gsl_set_error_handler(handler);
    s->log_evidence = -u;
    for (int t = 0; t < (MUTANT == 8 ? 1 : data->y_dim); t++) s->log_evidence -= data->n * log(data->scaling.y_sd[t]);
#if MUTANT != 3
    s->log_evidence += 0.5 * (double)n * log(2 * M_PI);
#endif
    for (size_t i = 0; i < n; i++) s->log_evidence -= log(s->factor[i * n + i]);
}

static bnn_status step(bnn_engine *e, const bnn_data *data, bnn_step *out) {
    const conf *c = e->object.conf;
    state *s = e->state;
    out->terms = gradient(e, data, 1.0 / data->n, 1);
    if (!isfinite(bnn_terms_u(out->terms))) return bnn_fail(BNN_ERR_NUMERIC, "the objective is not finite");
    for (int i = 0; i < e->model->n_theta; i++) {
        s->velocity[i] = (bnn_real)(0.9 * (double)s->velocity[i] - c->lr * (double)s->grad[i]);
        s->theta[i] += s->velocity[i];
    }
    s->epochs++;
    out->theta = s->theta;
    out->progress = (double)s->epochs / c->epochs;
    out->done = s->epochs >= (uint64_t)c->epochs;
    if (out->done) factorise(e, data, bnn_terms_u(gradient(e, data, 1, 1)));
    return BNN_OK;
}

static bnn_status draw(const bnn_engine *e, int i, bnn_rng rng, bnn_real *theta) {
    const state *s = e->state;
    size_t n = (size_t)e->model->n_theta;
    (void)i;
#if MUTANT == 11
    rng = bnn_rng_split(bnn_rng_split(e->rng, BNN_STREAM_DRAW), (uint64_t)i / 2);
#endif
#if MUTANT == 2
    static uint64_t calls;
    rng = bnn_rng_split(rng, calls++);
#endif
    double *noise = malloc(n * sizeof *noise);
    if (!noise) return bnn_fail(BNN_ERR_MEMORY, "out of memory");
    bnn_rng_normal(rng, 0, 1, (int)n, theta);
    for (size_t k = 0; k < n; k++) noise[k] = (double)theta[k];
    gsl_matrix_const_view l = gsl_matrix_const_view_array(s->factor, n, n);
    gsl_vector_view x = gsl_vector_view_array(noise, n);
#if MUTANT == 1
    gsl_blas_dtrsv(CblasLower, CblasNoTrans, CblasNonUnit, &l.matrix, &x.vector);
#endif
    gsl_blas_dtrsv(CblasLower, CblasTrans, CblasNonUnit, &l.matrix, &x.vector);
    for (size_t k = 0; k < n; k++) theta[k] = s->theta[k] + (bnn_real)noise[k];
    free(noise);
    return BNN_OK;
}

static int blocks(bnn_engine *e, bnn_block *out) {
    state *s = e->state;
    size_t n = (size_t)e->model->n_theta;
    out[0] = (bnn_block){.name = "theta", .kind = BNN_BLOCK_REAL, .data = s->theta, .length = n, .theta = true};
    out[1] = (bnn_block){.name = "velocity", .kind = BNN_BLOCK_REAL, .data = s->velocity, .length = n};
    out[2] = (bnn_block){.name = "epochs", .kind = BNN_BLOCK_U64, .data = &s->epochs, .length = 1};
    out[3] = (bnn_block){.name = "log_evidence", .kind = BNN_BLOCK_DOUBLE, .data = &s->log_evidence, .length = 1};
#if MUTANT == 7
    return 4;
#else
    out[4] = (bnn_block){.name = "factor", .kind = BNN_BLOCK_DOUBLE, .data = s->factor, .length = n * n};
    return 5;
#endif
}

static void close(bnn_engine *e) {
    state *s = e->state;
    bnn_workspace_free(s->ws);
    free(s->theta);
    free(s->grad);
    free(s->velocity);
    free(s->factor);
}

static bnn_status begin(bnn_engine *e, const bnn_real *theta) {
    size_t n = (size_t)(e->model->net->n_theta + e->model->likelihood.n_theta);
#if MUTANT == 9
    n = (size_t)e->model->net->n_theta;
#elif MUTANT == 10
    n = 0;
#endif
    memcpy(((state *)e->state)->theta, theta, n * sizeof *theta);
    return BNN_OK;
}

static const char *const checks[] = {MUTANT_NAME ":epochs=20", NULL};

static const bnn_claim claims[] = {{MUTANT_NAME ":epochs=2000", BNN_FINDS_GAUSSIAN, 0.01}, {NULL, 0, 0}};

static const bnn_engine_type mutant = {
    .type = {BNN_TYPE(bnn_engine_type), .name = MUTANT_NAME, .summary = "a Gaussian around the mode", .conf_size = sizeof(conf),
             .options = options, .checks = checks},
    .state_size = sizeof(state),
    .open = open,
    .step = step,
    .close = close,
    .draw = draw,
    .blocks = blocks,
    .begin = begin,
    .claims = claims,
};

BNN_ENGINE_PLUGIN(mutant)
