/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * kron.c: one Kronecker product for each affine node.
 *
 * The kernel [D,U] and the bias [U] behind it are one matrix W of D' rows, so in the order of w its block of H is A (x) B. A prior with the
 * precisions p_r of the rows r is taken into A (the bias may have another one than the kernel):
 *
 *   A (x) B / var + diag(p) (x) I = P^1/2 (X diag(a) X^T (x) Y diag(b) Y^T / var + I) P^1/2,      P^-1/2 A P^-1/2 = X diag(a) X^T
 *   S^1/2 Z = F (Z o sqrt(t)) Y^T        F = P^-1/2 X [D',D'],  t_ij = 1 / (1 + a_i b_j / var) [D',U]
 *
 *   h:      A, B, then room: X, a (both with the kernel's precision taken out), Y, b, and the ratio of precisions that X belongs to
 *   factor: F, Y, t
 */
#include "curvature_parts.h"

#include <gsl/gsl_blas.h>
#include <gsl/gsl_eigen.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct bnn_kron {
    int node;
    size_t D, rows, U; /* inputs; with the bias; outputs */
    int kernel, bias;  /* numbers of the blocks; bias -1: none */
    size_t at;         /* in w */
    size_t h, factor;  /* where its arrays begin */
};

/* The arrays of one node. */
typedef struct {
    double *A, *B, *X, *a, *Y, *b, *ratio; /* of h */
    double *F, *V, *t;                     /* of factor; V: Y as kept for prediction */
} arrays;

static arrays arrays_of(const bnn_curvature *c, const struct bnn_kron *k) {
    size_t rows = k->rows, U = k->U;
    arrays x = {.F = c->factor + k->factor};
    x.V = x.F + rows * rows;
    x.t = x.V + U * U;
    if (!c->h) return x;
    x.A = c->h + k->h;
    x.B = x.A + rows * rows;
    x.X = x.B + U * U;
    x.a = x.X + rows * rows;
    x.Y = x.a + rows;
    x.b = x.Y + U * U;
    x.ratio = x.b + U;
    return x;
}

static gsl_matrix_view matrix(double *a, size_t rows, size_t cols) { return gsl_matrix_view_array(a, rows, cols); }

/* c = a b, either of them transposed. */
static void product(CBLAS_TRANSPOSE_t ta, gsl_matrix_view a, CBLAS_TRANSPOSE_t tb, gsl_matrix_view b, gsl_matrix_view c) {
    gsl_blas_dgemm(ta, tb, 1, &a.matrix, &b.matrix, 0, &c.matrix);
}

static int n_nodes(const bnn_curvature *c) {
    int n = 0;
    for (int b = 0; b < c->n_blocks; b++) n += b == 0 || c->block[b].info.index != c->block[b - 1].info.index;
    return n;
}

static bnn_status open(bnn_curvature *c) {
    c->kron = calloc((size_t)n_nodes(c) + 1, sizeof *c->kron);
    if (!c->kron) return bnn_oom("the curvature");
    c->n_h = c->n_factor = 0;
    struct bnn_kron *k = c->kron;
    for (int b = 0; b < c->n_blocks; b++, k++) {
        const bnn_block_info *info = &c->block[b].info;
        const bnn_layer *l = &c->model->net->node[info->index].layer;
        if (!(l->object.type->caps & BNN_AFFINE))
            return bnn_fail(BNN_ERR_OPTION, "structure=kron is for affine layers, but node '%s' is '%s': use diag or full", info->node,
                            l->object.type->name);
        bool bias = b + 1 < c->n_blocks && c->block[b + 1].info.index == info->index;
        size_t D = (size_t)info->rows, rows = D + bias, U = (size_t)info->cols;
        *k = (struct bnn_kron){
            .node = info->index, .D = D, .rows = rows, .U = U, .kernel = b, .bias = bias ? b + 1 : -1, .at = c->block[b].at};
        k->h = c->n_h, k->factor = c->n_factor;
        b += bias;
        c->n_h += 2 * rows * rows + rows + 2 * U * U + U + 1;
        c->n_factor += rows * rows + U * U + rows * U;
    }
    return BNN_OK;
}

/* ---------------------------------------------------------------- what a pass shows */

/* Buffers of one pass over some rows; all have room for the widest node. */
typedef struct {
    const bnn_curvature *c;
    int n, pass;          /* rows; number of the backward pass over them: the inputs are the same in all */
    const double *weight; /* [n] of the rows, or NULL */
    double *x, *g;        /* [n, rows] inputs, with 1 for the bias; [n, U] gradients of the outputs */
    double *turned;       /* [n, rows] inputs times F */
    double *s, *seen;     /* by node [n, U] = (x F)^2 t; by node and pass [n, U] = g Y: see outputs */
} collector;

static void close_collector(collector *t) { free(t->x), free(t->g), free(t->turned), free(t->s), free(t->seen); }

/* passes > 0: with what outputs needs for so many. */
static bnn_status open_collector(const bnn_curvature *c, int n, int passes, collector *t) {
    size_t rows = 1, U = 1, all = 1, m = (size_t)n;
    for (const struct bnn_kron *k = c->kron; k->U > 0; k++) {
        rows = k->rows > rows ? k->rows : rows;
        U = k->U > U ? k->U : U;
        all += k->U;
    }
    *t = (collector){.c = c, .n = n};
    t->x = malloc(m * rows * sizeof *t->x);
    t->g = malloc(m * U * sizeof *t->g);
    t->turned = malloc((passes ? m * rows : 1) * sizeof *t->turned);
    t->s = malloc((passes ? m * all : 1) * sizeof *t->s);
    t->seen = malloc(((size_t)passes * m * all + 1) * sizeof *t->seen);
    return t->x && t->g && t->turned && t->s && t->seen ? BNN_OK : bnn_oom("the curvature");
}

/* Copies the node's rows into x and g; NULL: the node is not covered. *before: units of the covered nodes before it. */
static const struct bnn_kron *collect(collector *t, int node, const bnn_io *io, size_t *before) {
    const struct bnn_kron *k = t->c->kron;
    for (*before = 0; k->U > 0 && k->node != node; k++) *before += k->U;
    if (k->U == 0) return NULL;
    for (size_t i = 0; i < (size_t)io->n; i++) {
        for (size_t d = 0; d < k->D; d++) t->x[i * k->rows + d] = (double)io->x[0][i * k->D + d];
        if (k->bias >= 0) t->x[i * k->rows + k->D] = 1;
    }
    for (size_t i = 0; i < (size_t)io->n * k->U; i++) t->g[i] = (double)io->dy[i];
    t->n = io->n;
    return k;
}

/* ---------------------------------------------------------------- H */

static void add_squares(double *rows, size_t n, size_t width, double *sum) {
    gsl_matrix_view x = matrix(rows, n, width), to = matrix(sum, width, width);
    gsl_blas_dsyrk(CblasLower, CblasTrans, 1, &x.matrix, 1, &to.matrix);
}

static void tap_build(void *context, int node, const bnn_io *io) {
    collector *t = context;
    size_t before;
    const struct bnn_kron *k = collect(t, node, io, &before);
    if (!k) return;
    arrays a = arrays_of(t->c, k);
    for (size_t i = 0; t->weight && i < (size_t)t->n * k->rows; i++) t->x[i] *= sqrt(t->weight[i / k->rows]);
    if (t->pass == 0) add_squares(t->x, (size_t)t->n, k->rows, a.A);
    add_squares(t->g, (size_t)t->n, k->U, a.B);
}

/* Eigenvectors to X, values, which rounding may have made negative, to a. m, its lower half, is used up. */
static bnn_status decompose(double *m, size_t n, double *X, double *a) {
    gsl_eigen_symmv_workspace *room = gsl_eigen_symmv_alloc(n);
    if (!room) return bnn_oom("the curvature");
    gsl_matrix_view from = matrix(m, n, n), to = matrix(X, n, n);
    gsl_vector_view values = gsl_vector_view_array(a, n);
    int code = gsl_eigen_symmv(&from.matrix, &values.vector, &to.matrix, room);
    gsl_eigen_symmv_free(room);
    if (code != GSL_SUCCESS) return bnn_fail(BNN_ERR_NUMERIC, "a factor of the curvature has no eigenvectors: %s", gsl_strerror(code));
    for (size_t i = 0; i < n; i++) a[i] = fmax(a[i], 0);
    return BNN_OK;
}

/* A becomes a mean over rows of this weight; B, which stays, is decomposed once and for all. */
static bnn_status finish(bnn_curvature *c, double n) {
    for (const struct bnn_kron *k = c->kron; k->U > 0; k++) {
        arrays a = arrays_of(c, k);
        double *B = malloc(k->U * k->U * sizeof *B);
        if (!B) return bnn_oom("the curvature");
        memcpy(B, a.B, k->U * k->U * sizeof *B);
        for (size_t i = 0; n > 0 && i < k->rows * k->rows; i++) a.A[i] /= n;
        bnn_status s = decompose(B, k->U, a.Y, a.b);
        free(B);
        BNN_TRY(s);
    }
    return BNN_OK;
}

/* dy of the rows' backward pass number k: the k-th rows of their roots. */
static void seed(bnn_real *df, const bnn_real *root, int n, size_t out, size_t k) {
    for (size_t i = 0; i < (size_t)n; i++) memcpy(df + i * out, root + (i * out + k) * out, out * sizeof *df);
}

static bnn_status build(bnn_curvature *c, bnn_workspace *ws, const bnn_real *theta, const bnn_data *data) {
    const bnn_net *net = c->model->net;
    const bnn_likelihood *l = &c->model->likelihood;
    size_t out = (size_t)l->out_dim, in = (size_t)bnn_shape_size(c->model->x_shape);
    collector t;
    bnn_status s = open_collector(c, BNN_CURVATURE_ROWS, 0, &t);
    bnn_real *root = malloc(BNN_CURVATURE_ROWS * out * out * sizeof *root);
    if (s == BNN_OK && !root) s = bnn_oom("the curvature");
    bnn_workspace_tap(ws, tap_build, &t);
    for (int i = 0; s == BNN_OK && i < data->n; i += BNN_CURVATURE_ROWS) {
        int n = data->n - i < BNN_CURVATURE_ROWS ? data->n - i : BNN_CURVATURE_ROWS;
        const bnn_real *f = bnn_net_forward(net, ws, n, (uint64_t)i, data->x + (size_t)i * in);
        t.weight = data->weight ? data->weight + i : NULL;
        bnn_likelihood_roots(l, n, t.weight, f, bnn_model_noise(c->model, theta), root);
        for (t.pass = 0; t.pass < l->out_dim; t.pass++) {
            seed(bnn_net_df(net, ws), root, n, out, (size_t)t.pass);
            bnn_net_backward(net, ws, NULL);
        }
    }
    free(root);
    close_collector(&t);
    return s == BNN_OK ? finish(c, bnn_data_weight(data)) : s;
}

/* ---------------------------------------------------------------- S */

/* X and a of the precisions' ratio; they stay while it does. */
static bnn_status decompose_inputs(const struct bnn_kron *k, arrays *a, double ratio) {
    if (*a->ratio == ratio) return BNN_OK;
    size_t n = k->rows;
    double *A = malloc(n * n * sizeof *A), last = sqrt(ratio);
    if (!A) return bnn_oom("the curvature");
    memcpy(A, a->A, n * n * sizeof *A);
    for (size_t d = k->D; d < n; d++) { /* the row of the bias, if there is one */
        for (size_t i = 0; i < n; i++) A[d * n + i] *= last;
        A[d * n + d] *= last;
    }
    bnn_status s = decompose(A, n, a->X, a->a);
    *a->ratio = ratio;
    free(A);
    return s;
}

/* The block's share of log det and the number of well-determined parameters: 1 - p S_jj, summed over the outputs of one row r, is
 * sum_i X_ri^2 sum_j (1 - t_ij). */
static double node_posterior(const struct bnn_kron *k, const arrays *a, double var, double kernel, double bias, double *determined) {
    size_t n = k->rows, U = k->U;
    double log_det = (double)(k->D * U) * log(kernel) + (double)((n - k->D) * U) * log(bias);
    for (size_t i = 0; i < n; i++) {
        double known = 0;
        for (size_t j = 0; j < U; j++) {
            double h = a->a[i] * a->b[j] / (kernel * var);
            a->t[i * U + j] = 1 / (1 + h);
            log_det += log1p(h);
            known += h / (1 + h);
        }
        for (size_t r = 0; r < n; r++) {
            double x = a->X[r * n + i];
            a->F[r * n + i] = x / sqrt(r < k->D ? kernel : bias);
            if (determined) determined[r < k->D ? k->kernel : k->bias] += x * x * known;
        }
    }
    memcpy(a->V, a->Y, U * U * sizeof *a->V);
    return log_det;
}

static bnn_status posterior(bnn_curvature *c, double var, double *log_det, double *determined) {
    *log_det = 0;
    for (int b = 0; determined && b < c->n_blocks; b++) determined[b] = 0;
    for (const struct bnn_kron *k = c->kron; k->U > 0; k++) {
        arrays a = arrays_of(c, k);
        double kernel = c->block[k->kernel].prec, bias = k->bias >= 0 ? c->block[k->bias].prec : kernel;
        BNN_TRY(decompose_inputs(k, &a, kernel / bias));
        *log_det += node_posterior(k, &a, var, kernel, bias, determined);
    }
    return BNN_OK;
}

static bnn_status draw(const bnn_curvature *c, double *z) {
    double *room = malloc((c->n + 1) * sizeof *room);
    if (!room) return bnn_oom("the curvature");
    for (const struct bnn_kron *k = c->kron; k->U > 0; k++) {
        arrays a = arrays_of(c, k);
        double *w = z + k->at;
        for (size_t i = 0; i < k->rows * k->U; i++) w[i] *= sqrt(a.t[i]);
        product(CblasNoTrans, matrix(a.F, k->rows, k->rows), CblasNoTrans, matrix(w, k->rows, k->U), matrix(room, k->rows, k->U));
        product(CblasNoTrans, matrix(room, k->rows, k->U), CblasTrans, matrix(a.V, k->U, k->U), matrix(w, k->rows, k->U));
    }
    free(room);
    return BNN_OK;
}

/* ---------------------------------------------------------------- outputs
 *
 * The Jacobian of one row in W is x g_c^T, so J S J^T has the entries sum_ij (x F)_i^2 t_ij (g_c Y)_j (g_d Y)_j. */

static void tap_outputs(void *context, int node, const bnn_io *io) {
    collector *t = context;
    size_t before, m, all = 0;
    const struct bnn_kron *k = collect(t, node, io, &before);
    if (!k) return;
    for (const struct bnn_kron *other = t->c->kron; other->U > 0; other++) all += other->U;
    arrays a = arrays_of(t->c, k);
    m = (size_t)t->n;
    product(CblasNoTrans, matrix(t->g, m, k->U), CblasNoTrans, matrix(a.V, k->U, k->U),
            matrix(t->seen + ((size_t)t->pass * all + before) * m, m, k->U));
    if (t->pass > 0) return;
    product(CblasNoTrans, matrix(t->x, m, k->rows), CblasNoTrans, matrix(a.F, k->rows, k->rows), matrix(t->turned, m, k->rows));
    for (size_t i = 0; i < m * k->rows; i++) t->turned[i] *= t->turned[i];
    product(CblasNoTrans, matrix(t->turned, m, k->rows), CblasNoTrans, matrix(a.t, k->rows, k->U), matrix(t->s + before * m, m, k->U));
}

/* cov of row i of n. */
static void add_up(const collector *t, size_t i, size_t out, double *cov) {
    size_t all = 0, m = (size_t)t->n;
    memset(cov, 0, out * out * sizeof *cov);
    for (const struct bnn_kron *k = t->c->kron; k->U > 0; k++) all += k->U;
    for (size_t p = 0; p < out; p++)
        for (size_t q = 0; q <= p; q++) {
            double sum = 0;
            size_t before = 0;
            for (const struct bnn_kron *k = t->c->kron; k->U > 0; before += (k++)->U) {
                const double *s = t->s + before * m + i * k->U, *gp = t->seen + (p * all + before) * m + i * k->U,
                             *gq = t->seen + (q * all + before) * m + i * k->U;
                for (size_t j = 0; j < k->U; j++) sum += s[j] * gp[j] * gq[j];
            }
            cov[p * out + q] = cov[q * out + p] = sum;
        }
}

static bnn_status outputs(const bnn_curvature *c, bnn_workspace *ws, int n, const bnn_real *x, double *mean, double *cov) {
    const bnn_net *net = c->model->net;
    size_t out = (size_t)c->model->likelihood.out_dim, in = (size_t)bnn_shape_size(c->model->x_shape);
    collector t;
    bnn_status s = open_collector(c, BNN_CURVATURE_ROWS, (int)out, &t);
    bnn_workspace_tap(ws, tap_outputs, &t);
    for (int i = 0; s == BNN_OK && i < n; i += BNN_CURVATURE_ROWS) {
        size_t m = (size_t)(n - i < BNN_CURVATURE_ROWS ? n - i : BNN_CURVATURE_ROWS);
        const bnn_real *f = bnn_net_forward(net, ws, (int)m, (uint64_t)i, x + (size_t)i * in);
        for (size_t k = 0; k < m * out; k++) mean[k] = (double)f[k];
        for (size_t p = 0; p < out; p++) {
            bnn_real *df = bnn_net_df(net, ws);
            memset(df, 0, m * out * sizeof *df);
            for (size_t k = 0; k < m; k++) df[k * out + p] = 1;
            t.pass = (int)p;
            bnn_net_backward(net, ws, NULL);
        }
        for (size_t k = 0; k < m; k++) add_up(&t, k, out, cov + k * out * out);
        mean += m * out, cov += m * out * out;
    }
    bnn_workspace_tap(ws, NULL, NULL);
    close_collector(&t);
    return s;
}

const bnn_structure_type bnn_structure_kron = {open, build, posterior, draw, outputs};
