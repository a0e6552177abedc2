/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "curvature_parts.h"

#include <assert.h>
#include <float.h>
#include <gsl/gsl_blas.h>
#include <gsl/gsl_linalg.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const bnn_structure_names[] = {"diag", "kron", "full", NULL};

/* ---------------------------------------------------------------- gradients of single rows, for diag and full */

/* One row at a time: the backward pass of one row is its Jacobian, or a product with it. */
typedef struct {
    const bnn_curvature *c;
    bnn_workspace *ws;
    int out;
    bnn_real *grad; /* [n_theta] of the net */
} prober;

static bnn_status open_prober(const bnn_curvature *c, bnn_workspace *ws, prober *p) {
    const bnn_net *net = c->model->net;
    *p = (prober){.c = c, .ws = ws, .out = c->model->likelihood.out_dim};
    p->grad = malloc(((size_t)net->n_theta + 1) * sizeof *p->grad);
    return p->grad ? BNN_OK : bnn_oom("the curvature");
}

/* v[n] = J^T df, of the row that went forward last. */
static void probe(const prober *p, const bnn_real *df, double *v) {
    const bnn_net *net = p->c->model->net;
    memset(p->grad, 0, (size_t)net->n_theta * sizeof *p->grad);
    memcpy(bnn_net_df(net, p->ws), df, (size_t)p->out * sizeof *df);
    bnn_net_backward(net, p->ws, p->grad);
    for (int b = 0; b < p->c->n_blocks; b++) {
        const bnn_curvature_block *block = &p->c->block[b];
        for (size_t i = 0; i < block->info.length; i++) v[block->at + i] = (double)p->grad[block->info.offset + i];
    }
}

/* h += the squares of some rows v[m, n]. */
typedef void (*add_rows)(bnn_curvature *c, int m, double *v);

/* Row i of the data makes out_dim rows J_i^T L_i^1/2. */
static bnn_status add_data(bnn_curvature *c, bnn_workspace *ws, const bnn_real *theta, const bnn_data *data, add_rows add) {
    const bnn_likelihood *l = &c->model->likelihood;
    prober p;
    int filled = 0;
    BNN_TRY(open_prober(c, ws, &p));
    size_t out = (size_t)p.out, in = (size_t)bnn_shape_size(c->model->x_shape);
    double *v = malloc(BNN_CURVATURE_ROWS * c->n * sizeof *v);
    bnn_real *root = malloc(out * out * sizeof *root);
    for (int i = 0; v && root && i < data->n; i++) {
        const bnn_real *f = bnn_net_forward(c->model->net, ws, 1, (uint64_t)i, data->x + (size_t)i * in);
        bnn_likelihood_roots(l, 1, data->weight ? data->weight + i : NULL, f, bnn_model_noise(c->model, theta), root);
        for (size_t k = 0; k < out; k++) {
            probe(&p, root + k * out, v + (size_t)filled++ * c->n);
            if (filled == BNN_CURVATURE_ROWS) add(c, filled, v), filled = 0;
        }
    }
    if (v && root && filled > 0) add(c, filled, v);
    bnn_status s = v && root ? BNN_OK : bnn_oom("the curvature");
    free(v), free(root), free(p.grad);
    return s;
}

/* cov = V V^T of the rows v of V[out, n], which half has multiplied with S^1/2. */
static bnn_status row_outputs(const bnn_curvature *c, bnn_workspace *ws, int n, const bnn_real *x, double *mean, double *cov,
                              void (*half)(const bnn_curvature *c, double *v)) {
    prober p;
    BNN_TRY(open_prober(c, ws, &p));
    size_t out = (size_t)p.out, in = (size_t)bnn_shape_size(c->model->x_shape);
    double *v = malloc(out * c->n * sizeof *v);
    bnn_real *df = calloc(out, sizeof *df);
    for (int i = 0; v && df && i < n; i++, mean += out, cov += out * out) {
        const bnn_real *f = bnn_net_forward(c->model->net, ws, 1, (uint64_t)i, x + (size_t)i * in);
        for (size_t k = 0; k < out; k++) mean[k] = (double)f[k];
        for (size_t k = 0; k < out; k++) {
            df[k] = 1;
            probe(&p, df, v + k * c->n);
            df[k] = 0;
            half(c, v + k * c->n);
        }
        gsl_matrix_view rows = gsl_matrix_view_array(v, out, c->n), square = gsl_matrix_view_array(cov, out, out);
        gsl_blas_dgemm(CblasNoTrans, CblasTrans, 1, &rows.matrix, &rows.matrix, 0, &square.matrix);
    }
    bnn_status s = v && df ? BNN_OK : bnn_oom("the curvature");
    free(v), free(df), free(p.grad);
    return s;
}

/* Raises precisions to the least that matters beside the trace of H/var: with it in every entry a Cholesky decomposition cannot fail
 * (Higham 2002, theorem 10.7). */
static void raise_precs(bnn_curvature *c, double trace) {
    double least = fmax(4 * DBL_EPSILON * (double)c->n * trace, 1e-300);
    for (int b = 0; b < c->n_blocks; b++) c->block[b].prec = fmax(c->block[b].prec, least);
}

/* ---------------------------------------------------------------- diag: h [n] diagonal of H; factor [n] sd */

static bnn_status diag_open(bnn_curvature *c) {
    c->n_factor = c->n_h = c->n;
    return BNN_OK;
}

static void diag_add(bnn_curvature *c, int m, double *v) {
    for (int i = 0; i < m; i++, v += c->n)
        for (size_t k = 0; k < c->n; k++) c->h[k] += v[k] * v[k];
}

static bnn_status diag_build(bnn_curvature *c, bnn_workspace *ws, const bnn_real *theta, const bnn_data *data) {
    return add_data(c, ws, theta, data, diag_add);
}

static bnn_status diag_posterior(bnn_curvature *c, double var, double *log_det, double *determined) {
    double trace = 0;
    *log_det = 0;
    for (size_t k = 0; k < c->n; k++) trace += c->h[k] / var;
    raise_precs(c, trace);
    for (int b = 0; b < c->n_blocks; b++) {
        double sum = 0, prior = c->block[b].prec;
        for (size_t i = 0, k = c->block[b].at; i < c->block[b].info.length; i++, k++) {
            double h = c->h[k] / var;
            c->factor[k] = 1 / sqrt(h + prior);
            *log_det += log(h + prior);
            sum += h / (h + prior);
        }
        if (determined) determined[b] = sum;
    }
    return BNN_OK;
}

static void diag_half(const bnn_curvature *c, double *v) {
    for (size_t k = 0; k < c->n; k++) v[k] *= c->factor[k];
}

static bnn_status diag_draw(const bnn_curvature *c, double *z) {
    diag_half(c, z);
    return BNN_OK;
}

static bnn_status diag_outputs(const bnn_curvature *c, bnn_workspace *ws, int n, const bnn_real *x, double *mean, double *cov) {
    return row_outputs(c, ws, n, x, mean, cov, diag_half);
}

static const bnn_structure_type diag = {diag_open, diag_build, diag_posterior, diag_draw, diag_outputs};

/* ---------------------------------------------------------------- full: h [2, n, n] H, and room; factor [n, n] Cholesky factor of S^-1 */

static bnn_status full_open(bnn_curvature *c) {
    c->n_factor = c->n * c->n;
    c->n_h = 2 * c->n_factor;
    return BNN_OK;
}

static void full_add(bnn_curvature *c, int m, double *v) {
    gsl_matrix_view rows = gsl_matrix_view_array(v, (size_t)m, c->n), h = gsl_matrix_view_array(c->h, c->n, c->n);
    gsl_blas_dsyrk(CblasLower, CblasTrans, 1, &rows.matrix, 1, &h.matrix);
}

static bnn_status full_build(bnn_curvature *c, bnn_workspace *ws, const bnn_real *theta, const bnn_data *data) {
    return add_data(c, ws, theta, data, full_add);
}

/* S_jj = sum of squares of column j of the inverse factor, which goes to the room behind H. */
static void full_determined(bnn_curvature *c, double *determined) {
    double *inverse = c->h + c->n * c->n;
    memcpy(inverse, c->factor, c->n * c->n * sizeof *inverse);
    gsl_matrix_view m = gsl_matrix_view_array(inverse, c->n, c->n);
    gsl_linalg_tri_invert(CblasLower, CblasNonUnit, &m.matrix);
    for (int b = 0; b < c->n_blocks; b++) determined[b] = (double)c->block[b].info.length;
    for (size_t i = 0; i < c->n; i++)
        for (int b = 0; b < c->n_blocks; b++) {
            size_t from = c->block[b].at, to = from + c->block[b].info.length;
            double squares = 0;
            for (size_t j = from; j < to && j <= i; j++) squares += inverse[i * c->n + j] * inverse[i * c->n + j];
            determined[b] -= c->block[b].prec * squares;
        }
}

static bnn_status full_posterior(bnn_curvature *c, double var, double *log_det, double *determined) {
    double trace = 0;
    *log_det = 0;
    size_t n = c->n;
    for (size_t i = 0; i < n; i++) trace += c->h[i * n + i] / var;
    raise_precs(c, trace);
    for (size_t i = 0; i < n * n; i++) c->factor[i] = c->h[i] / var;
    for (int b = 0; b < c->n_blocks; b++)
        for (size_t i = 0, k = c->block[b].at; i < c->block[b].info.length; i++, k++) c->factor[k * n + k] += c->block[b].prec;
    gsl_matrix_view m = gsl_matrix_view_array(c->factor, n, n);
    if (gsl_linalg_cholesky_decomp1(&m.matrix) != GSL_SUCCESS)
        return bnn_fail(BNN_ERR_NUMERIC, "the curvature of %zu parameters is not positive definite", n);
    for (size_t i = 0; i < n; i++) {
        *log_det += 2 * log(c->factor[i * n + i]);
        memset(c->factor + i * n + i + 1, 0, (n - i - 1) * sizeof *c->factor);
    }
    if (determined) full_determined(c, determined);
    return BNN_OK;
}

/* S = (L L^T)^-1: rows are multiplied with L^-1, normal numbers with L^-T. */
static void full_half(const bnn_curvature *c, double *v) {
    gsl_matrix_const_view m = gsl_matrix_const_view_array(c->factor, c->n, c->n);
    gsl_vector_view x = gsl_vector_view_array(v, c->n);
    gsl_blas_dtrsv(CblasLower, CblasNoTrans, CblasNonUnit, &m.matrix, &x.vector);
}

static bnn_status full_draw(const bnn_curvature *c, double *z) {
    gsl_matrix_const_view m = gsl_matrix_const_view_array(c->factor, c->n, c->n);
    gsl_vector_view x = gsl_vector_view_array(z, c->n);
    gsl_blas_dtrsv(CblasLower, CblasTrans, CblasNonUnit, &m.matrix, &x.vector);
    return BNN_OK;
}

static bnn_status full_outputs(const bnn_curvature *c, bnn_workspace *ws, int n, const bnn_real *x, double *mean, double *cov) {
    return row_outputs(c, ws, n, x, mean, cov, full_half);
}

static const bnn_structure_type full = {full_open, full_build, full_posterior, full_draw, full_outputs};

/* ---------------------------------------------------------------- all structures */

static const bnn_structure_type *const types[] = {[BNN_DIAG] = &diag, [BNN_KRON] = &bnn_structure_kron, [BNN_FULL] = &full};

static const bnn_structure_type *type_of(const bnn_curvature *c) { return types[c->structure]; }

static bool has_prior(bnn_role role) { return role == BNN_WEIGHT || role == BNN_BIAS; }

static bnn_status find_blocks(bnn_curvature *c, bool last_layer) {
    bnn_block_info info;
    int last = -1, most = 0;
    for (; bnn_model_block(c->model, most, &info); most++)
        if (last_layer && has_prior(info.role)) last = info.index;
    c->block = calloc((size_t)most + 1, sizeof *c->block);
    if (!c->block) return bnn_oom("the curvature");
    for (int b = 0; b < most; b++) {
        bnn_model_block(c->model, b, &info);
        if (!has_prior(info.role) || info.index < last) continue;
        c->block[c->n_blocks++] = (bnn_curvature_block){.number = b, .info = info, .at = c->n};
        c->n += info.length;
    }
    return BNN_OK;
}

static double bytes_of(const bnn_curvature *c) { return (double)(c->n_factor + c->n_h) * sizeof(double); }

/* Bytes that another structure would need, for the sentence. */
static double bytes_as(const bnn_curvature *c, bnn_structure structure) {
    bnn_curvature other = *c;
    other.structure = structure;
    other.kron = NULL;
    double bytes = types[structure]->open(&other) == BNN_OK ? bytes_of(&other) : INFINITY;
    free(other.kron);
    return bytes;
}

static bnn_status check_memory(const bnn_curvature *c) {
    char what[32], way_out[128] = "use a smaller network";
    double kron = bytes_as(c, BNN_KRON), diag_bytes = bytes_as(c, BNN_DIAG);
    snprintf(what, sizeof what, "structure=%s", bnn_structure_names[c->structure]);
    if (c->structure == BNN_FULL && isfinite(kron))
        bnn_print(way_out, sizeof way_out, "structure=kron needs %.3g GB, structure=diag %.3g GB", kron / 1e9, diag_bytes / 1e9);
    else if (c->structure != BNN_DIAG)
        bnn_print(way_out, sizeof way_out, "structure=diag needs %.3g GB", diag_bytes / 1e9);
    return bnn_memory_check(bytes_of(c), what, way_out);
}

bnn_status bnn_curvature_open(const bnn_model *model, bnn_structure structure, bool last_layer, bnn_curvature *out) {
    *out = (bnn_curvature){.model = model, .structure = structure};
    if (model->likelihood.sites > 1)
        return bnn_fail(BNN_ERR_OPTION,
                        "the curvature of maps of classes takes a backward pass for each of the %d outputs of a row: for maps take "
                        "swag, mc_dropout or an ensemble",
                        model->likelihood.out_dim);
    BNN_TRY(find_blocks(out, last_layer));
    BNN_TRY(type_of(out)->open(out));
    BNN_TRY(check_memory(out));
    out->factor = calloc(out->n_factor + 1, sizeof *out->factor);
    return out->factor ? BNN_OK : bnn_oom("the curvature");
}

void bnn_curvature_close(bnn_curvature *c) {
    free(c->block);
    free(c->kron);
    free(c->factor);
    free(c->h);
}

static bnn_status check_model(const bnn_curvature *c) {
    const bnn_model *m = c->model;
    if (c->n == 0) return bnn_fail(BNN_ERR_STATE, "the network has no weights with a prior of the model's: nothing to put a Gaussian on");
    if (bnn_likelihood_vtable(&m->likelihood)->curvature) return BNN_OK;
    return bnn_fail(BNN_ERR_STATE, "likelihood '%s' has no hook 'curvature'", m->likelihood.object.type->name);
}

static void prepare(const bnn_curvature *c, bnn_workspace *ws, const bnn_real *theta) {
    bnn_net_prepare(c->model->net, ws, theta, BNN_MEAN, false, (bnn_rng){0});
}

bnn_status bnn_curvature_build(bnn_curvature *c, const bnn_real *theta, const bnn_data *data, bnn_cost *cost) {
    bnn_workspace *ws;
    uint64_t passes = (uint64_t)c->model->likelihood.out_dim;
    BNN_TRY(check_model(c));
    if (!c->h) c->h = malloc(c->n_h * sizeof *c->h);
    if (!c->h) return bnn_oom("the curvature");
    memset(c->h, 0, c->n_h * sizeof *c->h);
    BNN_TRY(bnn_workspace_new(c->model->net, BNN_CURVATURE_ROWS, BNN_TO_THETA, &ws));
    prepare(c, ws, theta);
    bnn_status s = type_of(c)->build(c, ws, theta, data);
    bnn_workspace_free(ws);
    cost->gradients += passes;
    cost->flops += (double)passes * bnn_model_gradient_flops(c->model, data->n);
    for (size_t i = 0; s == BNN_OK && i < c->n_h; i++)
        if (!isfinite(c->h[i])) s = bnn_fail(BNN_ERR_NUMERIC, "the curvature is not finite");
    return s;
}

bnn_status bnn_curvature_posterior(bnn_curvature *c, double var, const double *prec, double *log_det, double *determined) {
    for (int b = 0; b < c->n_blocks; b++) c->block[b].prec = prec[b];
    BNN_TRY(type_of(c)->posterior(c, var, log_det, determined));
    return isfinite(*log_det) ? BNN_OK : bnn_fail(BNN_ERR_NUMERIC, "the posterior covariance is not finite");
}

void bnn_curvature_solve(const bnn_curvature *c, double *v) {
    assert(c->structure == BNN_FULL);
    full_half(c, v);
    full_draw(c, v);
}

bool bnn_curvature_linear(const bnn_curvature *c) {
    const bnn_net *net = c->model->net;
    const bnn_node *end = &net->node[net->n_nodes - 1];
    int caps = (int)end->layer.object.type->caps;
    return c->n_blocks > 0 && c->block[0].info.index == net->n_nodes - 1 && caps & BNN_AFFINE && !(caps & BNN_STOCHASTIC);
}

bnn_status bnn_curvature_draw(const bnn_curvature *c, bnn_rng rng, bnn_real *theta) {
    double *z = malloc((c->n + 1) * sizeof *z);
    bnn_real *normal = malloc((c->n + 1) * sizeof *normal);
    bnn_status s = z && normal ? BNN_OK : bnn_oom("the curvature");
    if (s == BNN_OK) {
        bnn_rng_normal(rng, 0, 1, (int)c->n, normal);
        for (size_t i = 0; i < c->n; i++) z[i] = (double)normal[i];
        s = type_of(c)->draw(c, z);
    }
    for (int b = 0; s == BNN_OK && b < c->n_blocks; b++) {
        const bnn_curvature_block *block = &c->block[b];
        for (size_t i = 0; i < block->info.length; i++) {
            bnn_real *to = &theta[block->info.offset + i];
            *to = (bnn_real)((double)*to + z[block->at + i]);
        }
    }
    free(z), free(normal);
    return s;
}

bnn_status bnn_curvature_outputs(const bnn_curvature *c, bnn_workspace *ws, const bnn_real *theta, int n, const bnn_real *x, double *mean,
                                 double *cov) {
    prepare(c, ws, theta);
    return type_of(c)->outputs(c, ws, n, x, mean, cov);
}
