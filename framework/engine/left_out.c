/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * left_out.c: how well the rows of a fit are predicted when each is left out of it, without a fit for each (Opper & Winther 2000).
 *
 * A row has the outputs f ~ N(m, V), and there the curvature R^T R and the slope g = d(-log p)/df. Without it they are, to first order,
 * N(m + V' g, V'),
 *
 *   V' = (V^-1 - R^T R)^-1 = V + W (I - B)^-1 W^T        W = V R^T,  B = R V R^T
 *
 * The eigenvalues of B are below 1 where S is that of the whole curvature. Its parts, kron and diag, leave correlations out, so that V is
 * too wide: there V itself stands for V', brought down to where no eigenvalue of B is above 1.
 */
#include <bnn/evidence.h>

#include <gsl/gsl_blas.h>
#include <gsl/gsl_eigen.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SCALES = BNN_MOST_HALVINGS + 1 /* 1, 1/2, ... */, MOST_ROWS = 1000, LEAST_ROWS = 100 };
static const double most_work = 2e8;         /* rows times outputs cubed */
static const double most_determined = 0.999; /* of the variance of an output, by one row */

typedef struct {
    const bnn_curvature *c;
    const bnn_data *data;
    const bnn_real *theta;
    bnn_workspace *ws;
    gsl_matrix *V, *R, *W, *B, *Q, *scaled; /* [out, out] */
    gsl_vector *m, *b, *moved;              /* [out] */
    gsl_eigen_symmv_workspace *room;
    double *mean;       /* [mean_dim] */
    bnn_real *f, *root; /* [2, out] outputs and slope; [out, out] */
} work;

static bnn_status open(work *w, size_t out) {
    gsl_matrix **const matrix[] = {&w->V, &w->R, &w->W, &w->B, &w->Q, &w->scaled};
    gsl_vector **const vector[] = {&w->m, &w->b, &w->moved};
    bool there = true;
    for (int i = 0; i < 6; i++) there &= (*matrix[i] = gsl_matrix_alloc(out, out)) != NULL;
    for (int i = 0; i < 3; i++) there &= (*vector[i] = gsl_vector_alloc(out)) != NULL;
    w->room = gsl_eigen_symmv_alloc(out);
    w->mean = malloc((size_t)w->c->model->likelihood.mean_dim * sizeof *w->mean);
    w->f = malloc(2 * out * sizeof *w->f);
    w->root = malloc(out * out * sizeof *w->root);
    if (!there || !w->room || !w->mean || !w->f || !w->root) return bnn_oom("rows left out");
    return bnn_workspace_new(w->c->model->net, 1, BNN_TO_THETA, &w->ws);
}

static void close(work *w) {
    gsl_matrix *const matrix[] = {w->V, w->R, w->W, w->B, w->Q, w->scaled};
    for (int i = 0; i < 6; i++) gsl_matrix_free(matrix[i]);
    gsl_vector_free(w->m), gsl_vector_free(w->b), gsl_vector_free(w->moved);
    gsl_eigen_symmv_free(w->room);
    bnn_workspace_free(w->ws);
    free(w->mean), free(w->f), free(w->root);
}

/* m and V of row i with it; R and g. */
static bnn_status look(work *w, int i) {
    const bnn_model *model = w->c->model;
    const bnn_likelihood *l = &model->likelihood;
    size_t out = w->m->size, in = (size_t)bnn_shape_size(model->x_shape);
    const double *weight = w->data->weight ? w->data->weight + i : NULL;
    const bnn_real *noise = bnn_model_noise(model, w->theta);
    BNN_TRY(bnn_curvature_outputs(w->c, w->ws, w->theta, 1, w->data->x + (size_t)i * in, w->m->data, w->V->data));
    for (size_t k = 0; k < out; k++) w->f[k] = (bnn_real)w->m->data[k];
    bnn_likelihood_nll(l, 1, weight, w->f, w->data->y + (size_t)i * (size_t)w->data->y_dim, noise, 1, w->f + out, NULL);
    bnn_likelihood_roots(l, 1, weight, w->f, noise, w->root);
    for (size_t k = 0; k < out * out; k++) w->R->data[k] = (double)w->root[k];
    return BNN_OK;
}

/* V of the whole curvature becomes V'. */
static void widen(work *w) {
    gsl_blas_dgemm(CblasNoTrans, CblasNoTrans, 1, w->W, w->Q, 0, w->scaled);
    for (size_t k = 0; k < w->b->size; k++) {
        gsl_vector_view column = gsl_matrix_column(w->scaled, k);
        gsl_vector_scale(&column.vector, 1 / sqrt(1 - fmin(gsl_vector_get(w->b, k), most_determined)));
    }
    gsl_blas_dgemm(CblasNoTrans, CblasTrans, 1, w->scaled, w->scaled, 1, w->V);
}

/* m and V become those without the row. */
static bnn_status leave_out(work *w) {
    gsl_blas_dgemm(CblasNoTrans, CblasTrans, 1, w->V, w->R, 0, w->W);
    gsl_blas_dgemm(CblasNoTrans, CblasNoTrans, 1, w->R, w->W, 0, w->B);
    if (gsl_eigen_symmv(w->B, w->b, w->Q, w->room) != GSL_SUCCESS)
        return bnn_fail(BNN_ERR_NUMERIC, "the curvature of a row has no eigenvectors");
    if (w->c->structure == BNN_FULL)
        widen(w);
    else
        gsl_matrix_scale(w->V, 1 / fmax(1, gsl_vector_max(w->b)));
    for (size_t k = 0; k < w->b->size; k++) gsl_vector_set(w->b, k, (double)w->f[w->b->size + k]);
    gsl_blas_dgemv(CblasNoTrans, 1, w->V, w->b, 1, w->m);
    return BNN_OK;
}

/* log p(y) of row i under N(m, scale V). */
static double score(work *w, int i, double scale) {
    const bnn_model *model = w->c->model;
    double logp;
    gsl_vector_memcpy(w->moved, w->m);
    gsl_matrix_memcpy(w->scaled, w->V);
    gsl_matrix_scale(w->scaled, scale);
    bnn_likelihood_vtable(&model->likelihood)
        ->marginal(&model->likelihood, 1, w->moved->data, w->scaled->data, w->data->y + (size_t)i * (size_t)w->data->y_dim,
                   bnn_model_noise(model, w->theta), &(bnn_marginal){.mean = w->mean, .logp = &logp});
    return isnan(logp) ? 0 : logp; /* the target is void */
}

static bnn_status add_rows(work *w, double *sum) {
    double cube = pow((double)w->m->size, 3), all = w->data->n;
    int n = (int)fmin(all, fmax(LEAST_ROWS, fmin(MOST_ROWS, most_work / cube)));
    for (int k = 0; k < n; k++) {
        int i = (int)(all * k / n);
        BNN_TRY(look(w, i));
        BNN_TRY(leave_out(w));
        for (int s = 0; s < SCALES; s++) sum[s] += (w->data->weight ? w->data->weight[i] : 1) * score(w, i, ldexp(1, -s));
    }
    return BNN_OK;
}

bnn_status bnn_curvature_left_out(const bnn_curvature *c, const bnn_real *theta, const bnn_data *data, double *scale) {
    work w = {.c = c, .data = data, .theta = theta};
    double sum[SCALES] = {0};
    int best = 0;
    bnn_status status = open(&w, (size_t)c->model->likelihood.out_dim);
    if (status == BNN_OK) status = add_rows(&w, sum);
    close(&w);
    for (int s = 1; s < SCALES; s++) best = sum[s] > sum[best] ? s : best;
    *scale = ldexp(1, -best);
    return status;
}
