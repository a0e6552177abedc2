/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "helpers.h"

#include <gsl/gsl_errno.h>
#include <gsl/gsl_integration.h>
#include <gsl/gsl_linalg.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int run_tests(const char *name, const TTest *const tests[]) {
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, 120);
    for (int i = 0; tests[i]; i++) tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}

/* ---------------------------------------------------------------- arrays */

enum { GUARD = 16 };
typedef union {
    size_t n;
    char line[64];
} guarded;
static const bnn_real sentinel = (bnn_real)1234567;

bnn_real *reals_new(size_t n) {
    guarded *g = calloc(1, sizeof *g + (n + GUARD) * sizeof(bnn_real));
    ck_assert_ptr_nonnull(g);
    g->n = n;
    bnn_real *a = (bnn_real *)(g + 1);
    for (size_t i = 0; i < GUARD; i++) a[n + i] = sentinel;
    return a;
}

void reals_free(bnn_real *a) {
    guarded *g = (guarded *)a - 1;
    for (size_t i = 0; i < GUARD; i++) ck_assert_msg(a[g->n + i] == sentinel, "something wrote behind an array of %zu reals", g->n);
    free(g);
}

/* ---------------------------------------------------------------- numbers */

static double at(double (*f)(void *), void *of, bnn_real *x, bnn_real here, double offset) {
    *x = here + (bnn_real)offset;
    double value = f(of);
    *x = here;
    return value;
}

double difference(double (*f)(void *of), void *of, bnn_real *x, bool *kinked) {
    const bnn_real here = *x;
    const double h = DIFFERENCE_STEP;
    double up = at(f, of, x, here, h), down = at(f, of, x, here, -h), middle = f(of);
    double far_up = at(f, of, x, here, 2 * h), far_down = at(f, of, x, here, -2 * h);
    double slope = (8 * (up - down) - (far_up - far_down)) / (12 * h);
    if (kinked) *kinked = fabs(far_up - 2 * middle + far_down) > 0.01 * h * (1 + fabs(slope));
    return slope;
}

void moments_add(moments *m, double x) {
    double from_old = x - m->mean;
    m->mean += from_old / ++m->n;
    m->squares += from_old * (x - m->mean);
}

double moments_var(const moments *m) { return m->squares / (m->n - 1); }
double moments_z(const moments *m, double expected) { return (m->mean - expected) / sqrt(moments_var(m) / m->n); }
double moments_var_z(const moments *m, double expected) { return (moments_var(m) / expected - 1) / sqrt(2 / (m->n - 1)); }

enum { INTERVALS = 1000 };
static const double ends[] = {0, 1e-3, 1e-2, 0.1, 0.5, 1, 2, 4, 8, 16, 64};

double integral(double (*f)(double x, void *of), void *of, double from, double to) {
    gsl_integration_workspace *ws = gsl_integration_workspace_alloc(INTERVALS);
    gsl_error_handler_t *handler = gsl_set_error_handler_off(); /* float data end the refinement with a code: the value is as good as they
                                                                   are */
    double total = 0, part, error;
    for (int side = -1; side <= 1; side += 2)
        for (size_t i = 0; i + 1 < sizeof ends / sizeof *ends; i++) {
            double low = fmax(from, fmin(side * ends[i], side * ends[i + 1])), high = fmin(to, fmax(side * ends[i], side * ends[i + 1]));
            if (low >= high) continue;
            gsl_integration_qag(&(gsl_function){f, of}, low, high, 1e-3 * ROUNDING, 1e-2 * ROUNDING, INTERVALS, GSL_INTEG_GAUSS21, ws,
                                &part, &error);
            total += part;
        }
    gsl_set_error_handler(handler);
    gsl_integration_workspace_free(ws);
    return total;
}

/* ---------------------------------------------------------------- data */

static double class_of(double y, int n_classes) { return fmin(fmax(floor(n_classes * (0.5 + (y - 10) / 15)), 0), n_classes - 1); }

bnn_table *table_new(int n, int d, int n_classes, uint64_t seed) {
    bnn_table *t;
    bnn_real *noise = reals_new((size_t)n * (size_t)(d + 1));
    ck_assert_msg(bnn_table_new(n, bnn_shape_vector(d), 1, n_classes, &t) == BNN_OK, "%s", bnn_error());
    bnn_rng_normal(bnn_rng_seed(seed), 0, n, d + 1, noise);
    for (int i = 0; i < n; i++) {
        const bnn_real *e = noise + (size_t)i * (size_t)(d + 1);
        double sum = 0.4 * (double)e[d];
        for (int k = 0; k < d; k++) {
            t->x[i * d + k] = (double)e[k];
            sum += (k % 2 ? -1 : 1) * (double)e[k] / (k + 1);
        }
        t->y[i] = n_classes > 0 ? class_of(10 + 3 * sum, n_classes) : 10 + 3 * sum;
    }
    reals_free(noise);
    return t;
}

bnn_data *data_new(const bnn_table *table) {
    bnn_data *d;
    ck_assert_msg(bnn_data_split(table, -1, BNN_TRAIN, NULL, &d) == BNN_OK, "%s", bnn_error());
    return d;
}

void linear_posterior_of(const bnn_data *data, double tau, double weight, double bias, double more, linear_posterior *out) {
    enum { W = LINEAR, IN = W - 1 };
    double *factor = out->cov;
    *out = (linear_posterior){.precision = {0}};
    for (int i = 0; i < W; i++) out->precision[i * W + i] = i < IN ? weight : bias;
    for (int r = 0; r < data->n; r++)
        for (int i = 0; i < W; i++) {
            double xi = i < IN ? (double)data->x[r * IN + i] : 1;
            out->mean[i] += tau * xi * (double)data->y[r];
            for (int j = 0; j < W; j++) out->precision[i * W + j] += tau * xi * (j < IN ? (double)data->x[r * IN + j] : 1);
            if (i < IN) out->precision[i * W + i] += more * tau * xi * xi;
        }
    memcpy(factor, out->precision, sizeof out->cov);
    gsl_matrix_view a = gsl_matrix_view_array(factor, W, W);
    gsl_vector_view x = gsl_vector_view_array(out->mean, W);
    ck_assert_int_eq(gsl_linalg_cholesky_decomp1(&a.matrix), 0);
    gsl_linalg_cholesky_svx(&a.matrix, &x.vector);
    gsl_linalg_cholesky_invert(&a.matrix);
}

/* ---------------------------------------------------------------- nets */

static bnn_shape input_shape(const char *text) {
    bnn_netspec spec;
    const bnn_type *type;
    ck_assert_msg(bnn_netspec_parse(text, &spec) == BNN_OK, "%s: %s", text, bnn_error());
    ck_assert_msg(strcmp(spec.s[0].type, "input") == 0, "'%s' does not begin with an input", text);
    ck_assert_int_eq(bnn_type_find(BNN_LAYER, "input", &type), BNN_OK);
    char *conf = calloc(1, type->conf_size);
    ck_assert_msg(bnn_options_parse(type->options, spec.s[0].options, conf) == BNN_OK, "%s: %s", text, bnn_error());
    bnn_shape shape;
    memcpy(&shape, conf + bnn_options_find(type->options, "shape")->offset, sizeof shape);
    free(conf);
    bnn_netspec_free(&spec);
    return shape;
}

static bnn_status open_net(const char *text, test_net *out) {
    ck_assert_int_eq(bnn_prior_new("gauss", &out->prior), BNN_OK);
    return bnn_net_new(text, &(bnn_net_env){.x_shape = input_shape(text), .prior = &out->prior}, &out->net);
}

void test_net_open(const char *text, test_net *out) { ck_assert_msg(open_net(text, out) == BNN_OK, "%s: %s", text, bnn_error()); }

void test_net_close(test_net *t) {
    bnn_net_free(t->net);
    bnn_prior_free(&t->prior);
}

bnn_status test_net_refused(const char *text) {
    test_net t;
    bnn_status s = open_net(text, &t);
    ck_assert_msg(s < 0, "'%s' is taken", text);
    bnn_prior_free(&t.prior);
    return s;
}

/* ---------------------------------------------------------------- one layer */

static void fill_theta(const bnn_net *net, int node, bnn_rng rng, layer_pass *p) {
    bnn_real *all = reals_new((size_t)net->n_theta), *noise = reals_new((size_t)p->l->n_theta);
    bnn_net_init(net, rng, all);
    bnn_rng_normal(bnn_rng_split(rng, 100), 0, 1, p->l->n_theta, noise);
    for (int i = 0; i < p->l->n_theta; i++) p->theta[i] = all[net->node[node].theta + (size_t)i] + (bnn_real)0.3 * noise[i];
    reals_free(all);
    reals_free(noise);
}

static size_t scratch_length(const layer_pass *p) { return (size_t)p->l->plan.scratch_pass + (size_t)p->n * p->l->plan.scratch_row; }

void layer_pass_open(const bnn_net *net, int node, int n, bnn_mode mode, bnn_rng rng, layer_pass *p) {
    const bnn_layer *l = &net->node[node].layer;
    *p = (layer_pass){.l = l, .n = n, .d_out = (size_t)bnn_layer_size_out(l), .scale = 0.7};
    for (int k = 0; k < l->n_in; k++) {
        p->d_in[k] = (size_t)bnn_shape_size(l->in[k]);
        p->x[k] = reals_new((size_t)n * p->d_in[k]);
        p->dx[k] = reals_new((size_t)n * p->d_in[k]);
        bnn_rng_normal(bnn_rng_split(rng, (uint64_t)k), 0, n, (int)p->d_in[k], p->x[k]);
    }
    p->theta = reals_new((size_t)l->n_theta);
    p->dtheta = reals_new((size_t)l->n_theta);
    p->y = reals_new((size_t)n * p->d_out);
    p->c = reals_new((size_t)n * p->d_out);
    p->pass = reals_new((size_t)l->plan.pass);
    p->dpass = reals_new((size_t)l->plan.dpass);
    p->cache = reals_new((size_t)n * l->plan.cache_row);
    p->scratch = reals_new(scratch_length(p));
    fill_theta(net, node, rng, p);
    bnn_rng_normal(bnn_rng_split(rng, 101), 0, n, (int)p->d_out, p->c);
    p->io = (bnn_io){
        .mode = mode, .train = true, .rng = rng, .theta = p->theta, .dy = p->c, .pass = p->pass, .dpass = p->dpass, .scratch = p->scratch};
}

void layer_pass_close(layer_pass *p) {
    for (int k = 0; k < p->l->n_in; k++) reals_free(p->x[k]), reals_free(p->dx[k]);
    bnn_real *const arrays[] = {p->theta, p->dtheta, p->y, p->c, p->pass, p->dpass, p->cache, p->scratch};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) reals_free(arrays[i]);
}

/* What a hook does not write it must not read. */
static void soil(layer_pass *p) {
    for (size_t i = 0, n = scratch_length(p); i < n; i++) p->scratch[i] = (bnn_real)NAN;
}

static void run_rows(layer_pass *p, int from, int to, void (*hook)(const bnn_layer *, bnn_io *)) {
    const bnn_real *x[16];
    bnn_real *dx[16];
    size_t row = (size_t)from;
    for (int k = 0; k < p->l->n_in; k++) {
        x[k] = p->x[k] + row * p->d_in[k];
        dx[k] = p->dx[k] ? p->dx[k] + row * p->d_in[k] : NULL;
    }
    p->io.x = x;
    p->io.dx = dx;
    p->io.n = to - from;
    p->io.row0 = (uint64_t)from;
    p->io.y = p->y + row * p->d_out;
    p->io.dy = p->c + row * p->d_out;
    p->io.cache = p->cache + row * (size_t)p->l->plan.cache_row;
    soil(p);
    hook(p->l, &p->io);
}

static void start(layer_pass *p) {
    soil(p);
    if (bnn_layer_vtable(p->l)->prepare) bnn_layer_vtable(p->l)->prepare(p->l, &p->io);
}

static void add_penalty(layer_pass *p) {
    soil(p);
    p->penalty = bnn_layer_vtable(p->l)->penalty ? bnn_layer_vtable(p->l)->penalty(p->l, &p->io, p->scale) : 0;
}

double layer_pass_forward(layer_pass *p, int cut) {
    p->io.dtheta = NULL;
    start(p);
    run_rows(p, 0, cut, bnn_layer_vtable(p->l)->forward);
    run_rows(p, cut, p->n, bnn_layer_vtable(p->l)->forward);
    add_penalty(p);
    double j = p->scale * p->penalty;
    for (size_t i = 0; i < (size_t)p->n * p->d_out; i++) j += (double)p->c[i] * (double)p->y[i];
    return j;
}

double layer_pass_value(void *of) {
    layer_pass *p = of;
    return layer_pass_forward(p, p->n);
}

void layer_pass_zero_gradients(layer_pass *p) {
    for (int k = 0; k < p->l->n_in; k++) memset(p->dx[k], 0, (size_t)p->n * p->d_in[k] * sizeof(bnn_real));
    memset(p->dtheta, 0, (size_t)p->l->n_theta * sizeof(bnn_real));
    memset(p->dpass, 0, (size_t)p->l->plan.dpass * sizeof(bnn_real));
}

void layer_pass_gradient(layer_pass *p) {
    p->io.dtheta = p->l->n_theta ? p->dtheta : NULL;
    start(p);
    run_rows(p, 0, p->n, bnn_layer_vtable(p->l)->forward);
    run_rows(p, 0, p->n, bnn_layer_vtable(p->l)->backward);
    soil(p);
    if (bnn_layer_vtable(p->l)->finish && p->io.dtheta) bnn_layer_vtable(p->l)->finish(p->l, &p->io);
    add_penalty(p);
}
