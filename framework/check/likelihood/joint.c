/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * joint.c: draws of many rows at once, several targets together, and other numbers of rows than five.
 */
#include "likelihood.h"

#include <stdlib.h>
#include <string.h>

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* n times the outputs of row 0. NULL: no memory. */
static bnn_real *equal_outputs(const bnn_likelihood_case *k, int n) {
    bnn_real *f = bnn_guarded_new((size_t)n * (size_t)k->out);
    for (int i = 0; f && i < n * k->out; i++) f[i] = k->f[i % k->out];
    return f;
}

bnn_status bnn_case_draw_many(const bnn_likelihood_case *k, uint64_t stream, int n, bnn_real *y) {
    bnn_real *f = equal_outputs(k, n);
    if (!f) return bnn_oom("a rule");
    k->type->draw(&k->l, n, f, k->theta, bnn_rng_split(bnn_rng_seed(6), stream), 0, y);
    bnn_guarded_free(f);
    return BNN_OK;
}

void bnn_case_place(const bnn_likelihood_case *k, int d, int n, const bnn_real *y, double *a, double *centre, double *scale) {
    for (int i = 0; i < n; i++) a[i] = (double)y[i * k->l.y_dim + d];
    qsort(a, (size_t)n, sizeof *a, ascending);
    *centre = a[n / 2];
    *scale = fmax((a[3 * n / 4] - a[n / 4]) / 2, 1e-6 * (1 + fabs(a[n / 2])));
}

/* ---------------------------------------------------------------- neighbours */

/* Rows of equal outputs, and of two streams. a[3 n]: room. */
static void compare_target(bnn_checker *c, const bnn_likelihood_case *k, int d, int n, const bnn_real *y, const bnn_real *other,
                           double *a) {
    double *b = a + n, *squares = b + n, centre, scale;
    bnn_case_place(k, d, n, y, a, &centre, &scale);
    for (int i = 0; i < n; i++) {
        a[i] = tanh(((double)y[i * k->l.y_dim + d] - centre) / scale / 2);
        b[i] = tanh(((double)other[i * k->l.y_dim + d] - centre) / scale / 2);
    }
    bnn_check_neighbours(c, "draws of rows", n, a, squares);
    bnn_neighbours streams = bnn_correlation_of(n, a, b);
    if (fabs(streams.z) > bnn_most_z(1))
        bnn_checker_break(c, "draws of two streams have the correlation %.3g (standard error %.2g): is rng used?", streams.correlation,
                          1 / sqrt(n));
}

bnn_status bnn_likelihood_neighbours(bnn_checker *c, void *of) {
    enum { N = 16384 };
    bnn_likelihood_case *k = of;
    size_t size = (size_t)N * (size_t)k->l.y_dim;
    bnn_real *y = bnn_guarded_new(size), *other = bnn_guarded_new(size);
    double *a = malloc(3 * N * sizeof *a);
    bnn_status s = y && other && a ? BNN_OK : bnn_oom("a rule");
    if (s == BNN_OK) s = bnn_case_draw_many(k, 1, N, y);
    if (s == BNN_OK) s = bnn_case_draw_many(k, 2, N, other);
    for (int d = 0; s == BNN_OK && d < k->l.y_dim; d++) compare_target(c, k, d, N, y, other, a);
    bnn_guarded_free(y), bnn_guarded_free(other), free(a);
    return s;
}

/* ---------------------------------------------------------------- several targets */

/* Bounded functions of the targets t = tanh((y - centre) / scale): 1, t_a, t_a^2, and products of pairs, plain and squared. */
enum { MOST_FUNCTIONS = 1 + 2 * BNN_MOST_TARGETS + BNN_MOST_TARGETS * (BNN_MOST_TARGETS - 1) };

static int functions_of(int d, const double *t, double *g) {
    int n = 0;
    g[n++] = 1;
    for (int a = 0; a < d; a++) {
        g[n++] = t[a], g[n++] = t[a] * t[a];
        for (int b = 0; b < a; b++) g[n++] = t[a] * t[b], g[n++] = t[a] * t[a] * t[b] * t[b];
    }
    return n;
}

typedef struct {
    double centre[BNN_MOST_TARGETS], scale[BNN_MOST_TARGETS];
} places;

static int at_targets(const bnn_likelihood_case *k, const places *at, const bnn_real *y, double *g) {
    double t[BNN_MOST_TARGETS];
    for (int d = 0; d < k->l.y_dim; d++) t[d] = tanh(((double)y[d] - at->centre[d]) / at->scale[d]);
    return functions_of(k->l.y_dim, t, g);
}

/* The functions, weighed with exp(-nll) over the density of n places from Cauchy's distribution: means over the likelihood's density. */
static int weigh_places(const bnn_likelihood_case *k, const places *at, int n, moments m[MOST_FUNCTIONS]) {
    double g[MOST_FUNCTIONS];
    bnn_real u[BNN_MOST_TARGETS], y[BNN_MOST_TARGETS];
    int functions = 0;
    for (int i = 0; i < n; i++) {
        double log_q = 0;
        bnn_rng_uniform(bnn_rng_seed(160), (uint64_t)i, 1, k->l.y_dim, u);
        for (int d = 0; d < k->l.y_dim; d++) {
            double z = tan(3.14159265358979323846 * ((double)u[d] - 0.5));
            y[d] = (bnn_real)(at->centre[d] + at->scale[d] * z);
            log_q -= log(3.14159265358979323846 * at->scale[d] * (1 + z * z));
        }
        double weight = exp(bnn_case_logp(k, 0, y) - log_q);
        functions = at_targets(k, at, y, g);
        for (int j = 0; j < functions; j++) moments_add(&m[j], weight * g[j]);
    }
    return functions;
}

static void compare_functions(bnn_checker *c, const bnn_likelihood_case *k, const places *at, int n, const bnn_real *y) {
    enum { PLACES = 40000 };
    moments drawn[MOST_FUNCTIONS] = {{0}}, weighed[MOST_FUNCTIONS] = {{0}};
    double g[MOST_FUNCTIONS];
    int functions = weigh_places(k, at, PLACES, weighed);
    for (int i = 0; i < n; i++) {
        at_targets(k, at, y + i * k->l.y_dim, g);
        for (int j = 0; j < functions; j++) moments_add(&drawn[j], g[j]);
    }
    double error = sqrt(moments_var(&weighed[0]) / PLACES);
    if (!(fabs(weighed[0].mean - 1) <= MOST_Z * error))
        bnn_checker_break(c, "exp(-nll) integrates over %d targets to %.4g (standard error %.2g)", k->l.y_dim, weighed[0].mean, error);
    for (int j = 1; j < functions; j++)
        if (!(fabs(bnn_moments_z_between(&drawn[j], &weighed[j])) <= bnn_most_z(MOST_FUNCTIONS)))
            bnn_checker_break(
                c,
                "draws of %d targets are not those of their density together: a mean of tanh, or of its product for two targets, is %.4g "
                "over draws, %.4g over the density, %.1f standard errors away",
                k->l.y_dim, drawn[j].mean, weighed[j].mean, fabs(bnn_moments_z_between(&drawn[j], &weighed[j])));
}

/* Far out in one target the density is nearly 0. */
static void check_decay(bnn_checker *c, const bnn_likelihood_case *k, const places *at) {
    for (int d = 0; d < k->l.y_dim; d++) {
        bnn_real y[BNN_MOST_TARGETS];
        for (int e = 0; e < k->l.y_dim; e++) y[e] = (bnn_real)at->centre[e];
        double here = bnn_case_logp(k, 0, y);
        y[d] = (bnn_real)(at->centre[d] + 1e4 * at->scale[d]);
        double away = bnn_case_logp(k, 0, y);
        if (!(here - away > 3)) bnn_checker_break(c, "log p is %.6g, and %.6g where target %d is far away: is it left out?", here, away, d);
    }
}

bnn_status bnn_likelihood_together(bnn_checker *c, void *of) {
    enum { N = 40000 };
    bnn_likelihood_case *k = of;
    places at;
    if (k->is_class || k->l.y_dim < 2) {
        bnn_checker_skip(c, "there is one target");
        return BNN_OK;
    }
    bnn_real *y = bnn_guarded_new((size_t)N * (size_t)k->l.y_dim);
    double *a = malloc(N * sizeof *a);
    bnn_status s = y && a ? bnn_case_draw_many(k, 3, N, y) : bnn_oom("a rule");
    for (int d = 0; s == BNN_OK && d < k->l.y_dim; d++) bnn_case_place(k, d, N, y, a, &at.centre[d], &at.scale[d]);
    if (s == BNN_OK) check_decay(c, k, &at);
    if (s == BNN_OK && !bnn_checker_broken(c)) compare_functions(c, k, &at, N, y);
    bnn_guarded_free(y), free(a);
    return s;
}

/* ---------------------------------------------------------------- numbers of rows */

/* Rows in arrays that have no room for more, and what the hooks make of them. */
typedef struct {
    int n;
    bnn_real *f, *y, *df, *dtheta, *mean, *var, *drawn;
    double *logp; /* [n + 1]: the last is a sentinel */
} sized;

static bnn_status sized_new(const bnn_likelihood_case *k, int n, sized *b) {
    size_t rows = (size_t)n, out = rows * (size_t)k->out, dim = rows * (size_t)k->dim, y = rows * (size_t)k->l.y_dim;
    *b = (sized){n,
                 bnn_guarded_new(out),
                 bnn_guarded_new(y),
                 bnn_guarded_new(out),
                 bnn_guarded_new((size_t)k->l.n_theta),
                 bnn_guarded_new(dim),
                 bnn_guarded_new(dim),
                 bnn_guarded_new(y),
                 malloc((rows + 1) * sizeof(double))};
    if (!b->f || !b->y || !b->df || !b->dtheta || !b->mean || !b->var || !b->drawn || !b->logp) return bnn_oom("a rule");
    bnn_rng_normal(bnn_rng_seed(161), 0, n, k->out, b->f);
    for (int i = 0; i < n * k->l.y_dim; i++) b->y[i] = k->is_class ? (bnn_real)(i % k->l.n_classes) : k->y[i % (k->n * k->l.y_dim)];
    b->logp[n] = 12345;
    return BNN_OK;
}

static void sized_free(sized *b) {
    bnn_real *const a[] = {b->f, b->y, b->df, b->dtheta, b->mean, b->var, b->drawn};
    for (size_t i = 0; i < sizeof a / sizeof *a; i++) bnn_guarded_free(a[i]);
    free(b->logp);
}

static void check_guards(bnn_checker *c, const sized *b) {
    const struct {
        const char *name;
        const bnn_real *at;
    } a[] = {{"nll writes outside df", b->df},
             {"nll writes outside dtheta", b->dtheta},
             {"observe writes outside mean", b->mean},
             {"observe writes outside var", b->var},
             {"draw writes outside y", b->drawn}};
    for (size_t i = 0; i < sizeof a / sizeof *a; i++)
        if (!bnn_guarded_intact(a[i].at)) bnn_checker_break(c, "%s of %d rows", a[i].name, b->n);
    if (b->logp[b->n] != 12345) bnn_checker_break(c, "observe writes outside logp of %d rows", b->n);
}

/* Row i alone against the same row of many. Returns its nll. */
static double compare_row(bnn_checker *c, const bnn_likelihood_case *k, const sized *b, int i) {
    const bnn_real *f = b->f + i * k->out, *y = b->y + i * k->l.y_dim;
    size_t real = sizeof(bnn_real);
    double nll = k->type->nll(&k->l, 1, f, y, k->theta, 1, k->df, NULL), logp;
    k->type->observe(&k->l, 1, f, y, k->theta, &(bnn_observation){.mean = k->mean, .var = k->var, .logp = &logp});
    k->type->draw(&k->l, 1, f, k->theta, bnn_rng_seed(7), (uint64_t)i, k->drawn);
    const char *what = memcmp(k->df, b->df + i * k->out, (size_t)k->out * real) != 0            ? "df"
                       : memcmp(k->mean, b->mean + i * k->dim, (size_t)k->dim * real) != 0      ? "mean"
                       : memcmp(k->var, b->var + i * k->dim, (size_t)k->dim * real) != 0        ? "var"
                       : memcmp(&logp, b->logp + i, sizeof logp) != 0                           ? "logp"
                       : memcmp(k->drawn, b->drawn + i * k->l.y_dim, (size_t)k->l.y_dim * real) ? "the draw"
                                                                                                : NULL;
    if (what) bnn_checker_break(c, "%s of row %d of %d is another than that of the row alone", what, i, b->n);
    return nll;
}

static void compare_sized(bnn_checker *c, const bnn_likelihood_case *k, const sized *b) {
    double whole = k->type->nll(&k->l, b->n, b->f, b->y, k->theta, 1, b->df, b->dtheta), sum = 0, size = 0;
    char guess[BNN_GUESS_TEXT];
    k->type->observe(&k->l, b->n, b->f, b->y, k->theta, &(bnn_observation){.mean = b->mean, .var = b->var, .logp = b->logp});
    k->type->draw(&k->l, b->n, b->f, k->theta, bnn_rng_seed(7), 0, b->drawn);
    check_guards(c, b);
    for (int i = 0; i < b->n; i++) {
        double one = compare_row(c, k, b, i);
        sum += one, size += fabs(one);
    }
    if (!(fabs(whole - sum) <= (BNN_REAL_IS_DOUBLE ? 1e-11 : 2e-6) * (1 + size)))
        bnn_checker_break(c, "nll of %d rows is %.9g, of each alone they sum up to %.9g%s", b->n, whole, sum,
                          bnn_ratio_guess(whole, sum, NAN, b->n, guess));
}

bnn_status bnn_likelihood_sizes(bnn_checker *c, void *of) {
    static const int numbers[] = {1, 2, 7, 257, 4097, 100000};
    const bnn_likelihood_case *k = of;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers && !bnn_checker_broken(c); i++) {
        sized b;
        bnn_status s = sized_new(k, numbers[i], &b);
        if (s == BNN_OK) compare_sized(c, k, &b);
        sized_free(&b);
        if (s < 0) return s;
    }
    return BNN_OK;
}
