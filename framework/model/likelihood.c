/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "types/vtable.h"

#include <bnn/likelihood.h>

#include <gsl/gsl_errno.h>
#include <gsl/gsl_multimin.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const bnn_hook hooks[] = {BNN_HOOK(bnn_likelihood_type, bind),
                                 BNN_HOOK(bnn_likelihood_type, nll),
                                 BNN_HOOK(bnn_likelihood_type, observe),
                                 BNN_HOOK(bnn_likelihood_type, draw),
                                 {0}};

const bnn_contract bnn_contract_likelihood = {.name = "likelihood", .size = sizeof(bnn_likelihood_type), .required = hooks};

/* Targets with sites are for those alone that say that they take them. */
static bnn_status bind(bnn_likelihood *l) {
    BNN_TRY(bnn_likelihood_vtable(l)->bind(l));
    if (l->out.rank == 0) l->out = bnn_shape_vector(l->out_dim);
    if (l->n_classes == 0 || l->y_dim == l->sites) return BNN_OK;
    return bnn_fail(BNN_ERR_SHAPE, "takes one class a row, but the data have %d", l->y_dim);
}

bnn_status bnn_likelihood_new(const char *spec, const bnn_targets *y, bnn_likelihood *out) {
    return bnn_likelihood_new_for(spec, y, 0, NULL, NULL, out);
}

bnn_status bnn_likelihood_new_for(const char *spec, const bnn_targets *targets, int n, const bnn_real *y, const double *weight,
                                  bnn_likelihood *out) {
    bnn_likelihood l = {
        .y_shape = targets->shape, .n_classes = targets->n_classes, .y_mean = targets->mean, .y_sd = targets->sd, .sites = 1};
    l.y_dim = bnn_shape_size(targets->shape);
    BNN_TRY(bnn_object_parse(BNN_LIKELIHOOD, spec, &l.object));
    const bnn_likelihood_type *type = bnn_likelihood_vtable(&l);
    bnn_status s = n > 0 && type->settle ? type->settle(&l, n, y, weight) : BNN_OK;
    if (s == BNN_OK) s = bind(&l);
    if (s < 0) {
        bnn_note(s, "likelihood '%s'", l.object.type->name);
        bnn_likelihood_free(&l);
        return s;
    }
    *out = l;
    return BNN_OK;
}

bnn_status bnn_refuse_maps(int sites, const char *what) {
    if (sites <= 1) return BNN_OK;
    return bnn_fail(BNN_ERR_OPTION, "%s for rows with one class or real targets, not for maps of classes", what);
}

void bnn_likelihood_free(bnn_likelihood *likelihood) {
    const bnn_likelihood_type *type = bnn_likelihood_vtable(likelihood);
    if (type && type->close) type->close(likelihood);
    bnn_object_free(&likelihood->object);
}

/* ---------------------------------------------------------------- weights of rows
 *
 * Hooks know no weights. nll takes a scale of the gradients: asked row by row, with the weight in the scale, it gives what weights mean,
 * also for its own parameters. */

double bnn_likelihood_nll(const bnn_likelihood *l, int n, const double *weight, const bnn_real *f, const bnn_real *y, const bnn_real *theta,
                          double scale, bnn_real *df, bnn_real *dtheta) {
    const bnn_likelihood_type *type = bnn_likelihood_vtable(l);
    size_t out = (size_t)l->out_dim, y_dim = (size_t)l->y_dim;
    double total = 0;
    if (!weight) return type->nll(l, n, f, y, theta, scale, df, dtheta);
    for (size_t i = 0; i < (size_t)n; i++) {
        bnn_real *slope = df ? df + i * out : NULL;
        if (weight[i] > 0)
            total += weight[i] * type->nll(l, 1, f + i * out, y + i * y_dim, theta, scale * weight[i], slope, dtheta);
        else if (slope)
            memset(slope, 0, out * sizeof *slope);
    }
    return total;
}

void bnn_likelihood_roots(const bnn_likelihood *l, int n, const double *weight, const bnn_real *f, const bnn_real *theta, bnn_real *root) {
    size_t size = (size_t)l->out_dim * (size_t)l->out_dim;
    bnn_likelihood_vtable(l)->curvature(l, n, f, theta, root);
    for (int i = 0; weight && i < n; i++)
        for (size_t k = 0; k < size; k++) root[(size_t)i * size + k] *= (bnn_real)sqrt(weight[i]);
}

/* ---------------------------------------------------------------- its own parameters */

typedef struct {
    const bnn_likelihood *likelihood;
    int n;
    const double *weight; /* [n], or NULL */
    double total;         /* of them */
    const bnn_real *f, *y;
    bnn_real *theta, *grad; /* [n_theta] */
} rows;

/* nll - log prior, per row, at x, and its gradient (NULL: not wanted). */
static double value_and_gradient(const gsl_vector *x, const rows *r, gsl_vector *gradient) {
    const bnn_likelihood_type *type = bnn_likelihood_vtable(r->likelihood);
    bnn_real *grad = gradient ? r->grad : NULL;
    size_t p = (size_t)r->likelihood->n_theta;
    for (size_t i = 0; i < p; i++) r->theta[i] = (bnn_real)gsl_vector_get(x, i);
    memset(r->grad, 0, p * sizeof *r->grad);
    double u = bnn_likelihood_nll(r->likelihood, r->n, r->weight, r->f, r->y, r->theta, 1.0 / r->total, NULL, grad);
    if (type->logp) u -= type->logp(r->likelihood, r->theta, -1.0 / r->total, grad);
    for (size_t i = 0; gradient && i < p; i++) gsl_vector_set(gradient, i, (double)r->grad[i]);
    return u / r->total;
}

static double value(const gsl_vector *x, void *of) { return value_and_gradient(x, of, NULL); }
static void slope(const gsl_vector *x, void *of, gsl_vector *gradient) { value_and_gradient(x, of, gradient); }
static void both(const gsl_vector *x, void *of, double *u, gsl_vector *gradient) { *u = value_and_gradient(x, of, gradient); }

/* Says whether BFGS from x found where the gradient vanishes; the minimiser keeps that place. */
static bool descend(gsl_multimin_fdfminimizer *m, rows *r, const gsl_vector *x) {
    enum { STEPS = 1000 };
    static const double flat = 1e-5; /* nats per row and unit of theta */
    gsl_multimin_function_fdf f = {.f = value, .df = slope, .fdf = both, .n = x->size, .params = r};
    int s = gsl_multimin_fdfminimizer_set(m, &f, x, 1, 0.1);
    for (int i = 0; i < STEPS && s == GSL_SUCCESS && gsl_multimin_test_gradient(m->gradient, flat) == GSL_CONTINUE; i++)
        s = gsl_multimin_fdfminimizer_iterate(m);
    return isfinite(m->f) && gsl_multimin_test_gradient(m->gradient, flat) == GSL_SUCCESS;
}

static bnn_status minimise(rows *r) {
    size_t p = (size_t)r->likelihood->n_theta;
    gsl_vector *x = gsl_vector_calloc(p);
    gsl_multimin_fdfminimizer *m = gsl_multimin_fdfminimizer_alloc(gsl_multimin_fdfminimizer_vector_bfgs2, p);
    bnn_status s = x && m ? BNN_OK : bnn_oom("the likelihood's parameters");
    for (size_t i = 0; s == BNN_OK && i < p; i++) gsl_vector_set(x, i, (double)r->theta[i]);
    if (s == BNN_OK && !descend(m, r, x))
        s = bnn_fail(BNN_ERR_NUMERIC,
                     "likelihood '%s': %d rows do not tell its noise, as where the network fits them without error: fix it",
                     r->likelihood->object.type->name, r->n);
    for (size_t i = 0; s == BNN_OK && i < p; i++) r->theta[i] = (bnn_real)gsl_vector_get(m->x, i);
    if (m) gsl_multimin_fdfminimizer_free(m);
    gsl_vector_free(x);
    return s;
}

bnn_status bnn_likelihood_fit(const bnn_likelihood *likelihood, int n, const double *weight, const bnn_real *f, const bnn_real *y,
                              bnn_real *theta) {
    const bnn_likelihood_type *type = bnn_likelihood_vtable(likelihood);
    size_t p = (size_t)likelihood->n_theta;
    if (p == 0) return BNN_OK;
    bnn_real *grad = malloc(p * sizeof *grad);
    if (!grad) return bnn_oom("the likelihood's parameters");
    memset(theta, 0, p * sizeof *theta);
    if (type->init) type->init(likelihood, theta);
    rows r = {.likelihood = likelihood, .n = n, .weight = weight, .total = weight ? 0 : n, .f = f, .y = y, .theta = theta, .grad = grad};
    for (int i = 0; weight && i < n; i++) r.total += weight[i];
    bnn_status s = minimise(&r);
    free(grad);
    return s;
}
