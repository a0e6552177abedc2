/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "features.h"

#include "net/workspace.h"
#include <bnn/detect.h>
#include <gsl/gsl_blas.h>
#include <gsl/gsl_linalg.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 256 };

/* Where features stand: in the first input of the last node with parameters, or, where none has any, in the input of the network. */
static int feature_node(const bnn_net *net) {
    int i = net->n_nodes - 1;
    while (i > 0 && net->node[i].layer.plan.n_params == 0) i--;
    return i > 0 ? net->node[i].in[0] : 0;
}

/* Features f[n, D] of n rows: number i is row floor(i rows / n). */
static bnn_status look(const bnn_model *m, bnn_workspace *ws, int node, const bnn_data *data, int n, bnn_real *f) {
    size_t in = (size_t)bnn_shape_size(m->x_shape), D = (size_t)bnn_shape_size(m->net->node[node].layer.plan.out);
    bnn_real *x = malloc(PIECE * in * sizeof *x);
    if (!x) return bnn_oom("features");
    for (int at = 0; at < n; at += PIECE) {
        int rows = n - at < PIECE ? n - at : PIECE;
        for (int i = 0; i < rows; i++) {
            bnn_real *to = x + (size_t)i * in;
            const bnn_real *row = bnn_data_take(data, (int)((int64_t)(at + i) * data->n / n), 1, to);
            if (row != to) memcpy(to, row, in * sizeof *to);
        }
        bnn_net_forward(m->net, ws, rows, (uint64_t)at, x);
        memcpy(f + (size_t)at * D, ws->io[node].y, (size_t)rows * D * sizeof *f);
    }
    free(x);
    return BNN_OK;
}

/* Where training rows lie in the space of features. */
typedef struct {
    int D, groups; /* features; classes, or 1 */
    double *mean;  /* [groups, D]; NaN of a class without rows */
    double *root;  /* [D, D] lower triangle L of the covariance L L^T */
} space;

static int group_of(const space *s, const bnn_data *train, int i, int n) {
    return s->groups > 1 ? (int)train->y[(int64_t)i * train->n / n] : 0;
}

static void take_means(const space *s, const bnn_data *train, int n, const bnn_real *f, int *count) {
    size_t D = (size_t)s->D;
    for (int i = 0; i < n; i++) {
        size_t g = (size_t)group_of(s, train, i, n);
        count[g]++;
        for (size_t d = 0; d < D; d++) s->mean[g * D + d] += (double)f[(size_t)i * D + d];
    }
    for (size_t g = 0; g < (size_t)s->groups; g++)
        for (size_t d = 0; d < D; d++) s->mean[g * D + d] /= count[g];
}

/* Centres f[n, D] and takes its covariance. */
static bnn_status take_covariance(const space *s, const bnn_data *train, int n, bnn_real *f, bnn_real *product) {
    enum { RIDGE = 1000 };
    size_t D = (size_t)s->D;
    double trace = 0;
    for (int i = 0; i < n; i++) {
        size_t g = (size_t)group_of(s, train, i, n);
        for (size_t d = 0; d < D; d++) f[(size_t)i * D + d] -= (bnn_real)s->mean[g * D + d];
    }
    bnn_affine_dw(n, s->D, s->D, f, f, product, NULL);
    for (size_t d = 0; d < D; d++) trace += (double)product[d * D + d] / n;
    for (size_t k = 0; k < D * D; k++) s->root[k] = (double)product[k] / n;
    for (size_t d = 0; d < D; d++) s->root[d * D + d] += trace > 0 ? trace / s->D / RIDGE : 1;
    gsl_matrix_view root = gsl_matrix_view_array(s->root, D, D);
    if (isfinite(trace) && gsl_linalg_cholesky_decomp1(&root.matrix) == GSL_SUCCESS) return BNN_OK;
    return bnn_fail(BNN_ERR_NUMERIC, "the covariance of %d features of the training rows cannot be factored: they are not finite", s->D);
}

/* Adds weight times the squared distance of f[n, D] to the nearest mean. z[D] is scratch. */
static void add_distances(const space *s, int n, const bnn_real *f, double weight, double *z, double *distance) {
    size_t D = (size_t)s->D;
    gsl_matrix_const_view root = gsl_matrix_const_view_array(s->root, D, D);
    gsl_vector_view solved = gsl_vector_view_array(z, D);
    for (int i = 0; i < n; i++) {
        double nearest = INFINITY;
        for (size_t g = 0; g < (size_t)s->groups; g++) {
            double squares;
            if (isnan(s->mean[g * D])) continue;
            for (size_t d = 0; d < D; d++) z[d] = (double)f[(size_t)i * D + d] - s->mean[g * D + d];
            gsl_blas_dtrsv(CblasLower, CblasNoTrans, CblasNonUnit, &root.matrix, &solved.vector);
            gsl_blas_ddot(&solved.vector, &solved.vector, &squares);
            nearest = squares < nearest ? squares : nearest;
        }
        distance[i] += weight * nearest;
    }
}

/* One network, and the rows. */
typedef struct {
    const bnn_model *model;
    const bnn_data *rows, *train;
    int node, trained; /* training rows that are looked at */
    space space;
    bnn_workspace *ws;
    bnn_real *theta, *f, *product; /* [n_theta], [rows or trained, D], [D, D] */
    double *z;                     /* [D] */
    int *count;                    /* [groups] */
} survey;

static void survey_close(survey *s) {
    bnn_workspace_free(s->ws);
    free(s->theta), free(s->f), free(s->product), free(s->z), free(s->count), free(s->space.mean), free(s->space.root);
}

static bnn_status survey_open(const bnn_model *m, const bnn_data *rows, const bnn_data *train, survey *s) {
    *s = (survey){.model = m, .rows = rows, .train = train, .node = feature_node(m->net)};
    s->trained = train->n < BNN_DISTANCE_ROWS ? train->n : BNN_DISTANCE_ROWS;
    s->space.D = bnn_shape_size(m->net->node[s->node].layer.plan.out);
    s->space.groups = m->likelihood.n_classes > 0 ? m->likelihood.n_classes : 1;
    size_t D = (size_t)s->space.D, groups = (size_t)s->space.groups, most = (size_t)(rows->n > s->trained ? rows->n : s->trained);
    double bytes = (double)(D * D + most * D) * sizeof(bnn_real) + (double)(D * D + groups * D) * sizeof(double);
    BNN_TRY(bnn_memory_check(bytes, "the distance in features", "leave the score 'distance' out"));
    s->theta = malloc(((size_t)m->n_theta + 1) * sizeof *s->theta);
    s->f = malloc((most * D + 1) * sizeof *s->f);
    s->product = malloc(D * D * sizeof *s->product);
    s->z = malloc(D * sizeof *s->z);
    s->count = malloc(groups * sizeof *s->count);
    s->space.mean = malloc(groups * D * sizeof *s->space.mean);
    s->space.root = malloc(D * D * sizeof *s->space.root);
    if (!s->theta || !s->f || !s->product || !s->z || !s->count || !s->space.mean || !s->space.root) return bnn_oom("features");
    return bnn_workspace_new(m->net, PIECE, BNN_FORWARD, &s->ws);
}

/* Adds weight times the distances in the network with the parameters theta. */
static bnn_status survey_add(survey *s, double weight, double *distance) {
    space *all = &s->space;
    size_t D = (size_t)all->D, groups = (size_t)all->groups;
    memset(all->mean, 0, groups * D * sizeof *all->mean);
    memset(s->product, 0, D * D * sizeof *s->product);
    memset(s->count, 0, groups * sizeof *s->count);
    bnn_net_prepare(s->model->net, s->ws, s->theta, BNN_MEAN, false, bnn_rng_seed(0));
    BNN_TRY(look(s->model, s->ws, s->node, s->train, s->trained, s->f));
    take_means(all, s->train, s->trained, s->f, s->count);
    BNN_TRY(take_covariance(all, s->train, s->trained, s->f, s->product));
    BNN_TRY(look(s->model, s->ws, s->node, s->rows, s->rows->n, s->f));
    add_distances(all, s->rows->n, s->f, weight, s->z, distance);
    return BNN_OK;
}

/* Adds the distances of an engine that predicts, which weigh `weight` together. */
static bnn_status add_engine(const bnn_engine *fitted, const bnn_data *rows, const bnn_data *train, bnn_rng rng, double weight,
                             double *distance) {
    const bnn_engine_type *type = bnn_engine_vtable(fitted);
    int members = 0, stored = type->n_draws ? type->n_draws(fitted) : 0;
    while (bnn_engine_member(fitted, members)) members++;
    for (int k = 0; k < members; k++)
        BNN_TRY(add_engine(bnn_engine_member(fitted, k), rows, train, bnn_rng_split(rng, (uint64_t)k), weight / members, distance));
    if (members > 0) return BNN_OK;
    bool one = type->type.caps & (BNN_POINT | BNN_ONE_THETA);
    int draws = one ? 1 : stored > 0 && stored < BNN_DISTANCE_DRAWS ? stored : BNN_DISTANCE_DRAWS;
    survey s;
    bnn_status status = survey_open(fitted->model, rows, train, &s);
    for (int k = 0; status == BNN_OK && k < draws; k++) {
        int draw = stored > 0 ? (int)((int64_t)k * stored / draws) : k;
        status = bnn_engine_draw(fitted, draw, bnn_rng_split(rng, (uint64_t)k), s.theta);
        if (status == BNN_OK) status = survey_add(&s, weight / draws, distance);
    }
    survey_close(&s);
    return status;
}

bnn_status bnn_features_distance(const bnn_engine *fitted, const bnn_data *rows, const bnn_data *train, uint64_t seed, double *distance) {
    if (train->n < 1) return bnn_fail(BNN_ERR_DATA, "the distance to training rows needs at least one of them");
    if (fitted->model->likelihood.n_classes > 0 && !train->y)
        return bnn_fail(BNN_ERR_DATA, "the distance to training rows of each class needs their targets");
    memset(distance, 0, (size_t)rows->n * sizeof *distance);
    return add_engine(fitted, rows, train, bnn_rng_split(bnn_rng_seed(seed), BNN_STREAM_DRAW), 1, distance);
}
