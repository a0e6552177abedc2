/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * categorical: one of C classes, from C logits (Bishop 2006, eq. 4.104).
 *
 *   -log p(y | f) = logsumexp(f) - f_y                    f [n,C,sites]; y [n,sites] class indices 0 .. C-1, or -1: void
 *   df_c = exp(f_c - logsumexp(f)) - [c = y]              df = 0 where y is void
 *
 * With weights of classes -log p(y | f) and df count w_y times in the objective, as if each row or pixel of class c were w_c of them.
 * Scores and predictions know no weights. The curvature is its mean over y, (sum_c p_c w_c) (diag(p) - p p^T).
 *
 * A row with a map of classes [H,W] has H W sites, and the network ends with [C,H,W].
 */
#include <bnn/kernels.h>
#include <bnn/likelihood.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    char *weights;
} conf;

static const bnn_option options[] = {
    BNN_OPT_TEXT(conf, weights, "none",
                 "of the classes in the fit, with / between them; balanced: all classes weigh the same, by the rows or pixels of the fit"),
    {0}};

static bool is_weights(const bnn_likelihood *l, const char *text) { return strcmp(((const conf *)l->object.conf)->weights, text) == 0; }

/* "0.5/2/8": one number from 0 on for each class. */
static bnn_status read_weights(bnn_likelihood *l) {
    const char *text = ((const conf *)l->object.conf)->weights;
    double *weight = calloc((size_t)l->n_classes, sizeof *weight);
    if (!(l->own = weight)) return bnn_oom("weights of classes");
    const char *at = text;
    for (int c = 0; c < l->n_classes; c++) {
        char *end;
        weight[c] = bnn_number_read(at, &end);
        if (end == at || !(weight[c] >= 0 && isfinite(weight[c])) || *end != (c + 1 < l->n_classes ? '/' : '\0'))
            return bnn_fail(BNN_ERR_OPTION, "weights: '%s' is neither none nor balanced, nor %d numbers from 0 on with / between them",
                            text, l->n_classes);
        at = end + 1;
    }
    return BNN_OK;
}

static void close(bnn_likelihood *l) { free(l->own); }

/* Text of the weights n / (classes that there are x n_c), whose mean over all n rows or pixels is 1; void ones are none of them. */
static char *print_balanced(int classes, const double *count) {
    double all = 0, there = 0;
    for (int c = 0; c < classes; c++) all += count[c], there += count[c] > 0;
    char *text = malloc((size_t)classes * BNN_NUMBER_TEXT), *to = text;
    for (int c = 0; text && c < classes; c++)
        to += bnn_print(to, BNN_NUMBER_TEXT, "%s%.6g", c > 0 ? "/" : "", count[c] > 0 ? all / (there * count[c]) : 1);
    return text;
}

static bnn_status settle(bnn_likelihood *l, int n, const bnn_real *y, const double *weight) {
    if (l->n_classes == 0 || !is_weights(l, "balanced")) return BNN_OK;
    double *count = calloc((size_t)l->n_classes, sizeof *count);
    for (size_t i = 0; count && i < (size_t)n * (size_t)l->y_dim; i++)
        if (y[i] >= 0) count[(int)y[i]] += weight ? weight[i / (size_t)l->y_dim] : 1;
    char *text = count ? print_balanced(l->n_classes, count) : NULL;
    free(count);
    if (!text) return bnn_oom("weights of classes");
    conf *c = l->object.conf;
    free(c->weights);
    c->weights = text;
    return BNN_OK;
}

static bnn_status bind(bnn_likelihood *l) {
    if (l->n_classes < 2) return bnn_fail(BNN_ERR_SHAPE, "needs class indices as targets, but the data have real ones: use gaussian");
    l->sites = l->y_dim;
    l->out_dim = l->mean_dim = l->n_classes * l->sites;
    if (!is_weights(l, "none")) BNN_TRY(read_weights(l));
    if (l->sites == 1) return BNN_OK;
    l->out = (bnn_shape){.rank = l->y_shape.rank + 1, .d = {l->n_classes}};
    if (l->y_shape.rank > 3) return bnn_fail(BNN_ERR_SHAPE, "takes maps of classes of three dimensions at most, not %d", l->y_shape.rank);
    for (int k = 0; k < l->y_shape.rank; k++) l->out.d[k + 1] = l->y_shape.d[k];
    return BNN_OK;
}

/* Some sites side by side, its lanes: class c of lane i stands at f[i lane + c step]. */
typedef struct {
    size_t lane, step;
    int n, classes;
} sites;

enum { LANES = 128 };

/* The sites from number `from` of all sites of all rows on, as many as are evenly spaced and no more than LANES: of rows of one site
 * several rows, of maps those of one row. place: where the first one stands. */
static sites sites_at(const bnn_likelihood *l, int from, int all, size_t *place) {
    const size_t classes = (size_t)l->n_classes;
    int left = l->sites == 1 ? all - from : l->sites - from % l->sites;
    *place = (size_t)(from / l->sites) * (size_t)l->out_dim + (size_t)(from % l->sites);
    sites s = {.lane = l->sites == 1 ? classes : 1, .step = (size_t)l->sites, .classes = l->n_classes};
    s.n = left < LANES ? left : LANES;
    return s;
}

BNN_LOOP static void raise_top(size_t n, size_t lane, const bnn_real *restrict f, bnn_real *restrict top) {
    if (lane == 1)
        for (size_t i = 0; i < n; i++) top[i] = f[i] > top[i] ? f[i] : top[i];
    else
        for (size_t i = 0; i < n; i++) top[i] = f[i * lane] > top[i] ? f[i * lane] : top[i];
}

BNN_LOOP static void below_top(size_t n, size_t lane, const bnn_real *restrict f, const bnn_real *restrict top, bnn_real *restrict to) {
    if (lane == 1)
        for (size_t i = 0; i < n; i++) to[i] = f[i] - top[i];
    else
        for (size_t i = 0; i < n; i++) to[i] = f[i * lane] - top[i];
}

BNN_LOOP static void add_terms(size_t n, const bnn_real *restrict term, double *restrict sum) {
    for (size_t i = 0; i < n; i++) sum[i] += (double)term[i];
}

BNN_LOOP static void put_terms(size_t n, size_t lane, const bnn_real *restrict term, bnn_real *restrict to) {
    if (lane == 1)
        for (size_t i = 0; i < n; i++) to[i] = term[i];
    else
        for (size_t i = 0; i < n; i++) to[i * lane] = term[i];
}

BNN_LOOP static void take_share(size_t n, size_t lane, const bnn_real *restrict share, bnn_real *restrict e) {
    if (lane == 1)
        for (size_t i = 0; i < n; i++) e[i] *= share[i];
    else
        for (size_t i = 0; i < n; i++) e[i * lane] *= share[i];
}

/* all[n] = logsumexp of the classes of each lane; e (NULL: not wanted), laid out as f, = scale softmax(f). Terms are added in double, so
 * that log p of a sure class is exact where it is next to 0. */
static void softmax(const sites *s, const bnn_real *f, double scale, bnn_real *e, double *all) {
    const size_t n = (size_t)s->n, classes = (size_t)s->classes;
    bnn_real top[LANES], term[LANES];
    double sum[LANES] = {0};
    for (size_t i = 0; i < n; i++) top[i] = f[i * s->lane];
    for (size_t c = 1; c < classes; c++) raise_top(n, s->lane, f + c * s->step, top);
    for (size_t c = 0; c < classes; c++) {
        below_top(n, s->lane, f + c * s->step, top, term);
        bnn_vec_exp(n, term, term);
        add_terms(n, term, sum);
        if (e) put_terms(n, s->lane, term, e + c * s->step);
    }
    for (size_t i = 0; i < n; i++) all[i] = (double)top[i] + log(sum[i]);
    for (size_t i = 0; i < n; i++) term[i] = (bnn_real)(scale / sum[i]);
    for (size_t c = 0; e && c < classes; c++) take_share(n, s->lane, term, e + c * s->step);
}

static bool is_void(bnn_real y) { return y < 0; }

/* Class c of a site, from its place on. */
static size_t at(const bnn_likelihood *l, int c) { return (size_t)c * (size_t)l->sites; }

/* The site that is number i of all sites of all rows: its row's outputs and its place among them. */
static size_t place_of(const bnn_likelihood *l, int i) { return (size_t)(i / l->sites) * (size_t)l->out_dim + (size_t)(i % l->sites); }

/* Sum of -log p of some sites, whose logsumexp is all[n], by the weights of their classes (NULL: 1); df holds scale times the softmax. */
static double against(const sites *s, const double *weight, const bnn_real *f, const bnn_real *y, const double *all, double scale,
                      bnn_real *df) {
    double total = 0;
    for (int i = 0; i < s->n; i++) {
        const size_t here = (size_t)i * s->lane;
        if (is_void(y[i])) {
            for (size_t c = 0; df && c < (size_t)s->classes; c++) df[here + c * s->step] = 0;
            continue;
        }
        const size_t target = here + (size_t)(int)y[i] * s->step;
        const double times = weight ? weight[(int)y[i]] : 1;
        total += times * (all[i] - (double)f[target]);
        for (size_t c = 0; df && weight && c < (size_t)s->classes; c++) df[here + c * s->step] *= (bnn_real)times;
        if (df) df[target] -= (bnn_real)(scale * times);
    }
    return total;
}

static double nll(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta, double scale, bnn_real *df,
                  bnn_real *dtheta) {
    const int end = n * l->sites;
    double total = 0, all[LANES];
    (void)theta, (void)dtheta;
    for (int from = 0; from < end;) {
        size_t place;
        sites s = sites_at(l, from, end, &place);
        softmax(&s, f + place, scale, df ? df + place : NULL, all);
        total += against(&s, l->own, f + place, y + from, all, scale, df ? df + place : NULL);
        from += s.n;
    }
    return total;
}

static void observe(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta,
                    const bnn_observation *out) {
    const int end = n * l->sites;
    double all[LANES];
    (void)theta;
    for (int from = 0; from < end;) {
        size_t place;
        sites s = sites_at(l, from, end, &place);
        softmax(&s, f + place, 1, out->mean ? out->mean + place : NULL, all);
        for (int i = 0; out->logp && i < s.n; i++) {
            const bnn_real of = y[from + i];
            out->logp[from + i] = is_void(of) ? NAN : (double)f[place + (size_t)i * s.lane + (size_t)(int)of * s.step] - all[i];
        }
        from += s.n;
    }
    if (out->var) memset(out->var, 0, (size_t)n * (size_t)l->mean_dim * sizeof *out->var);
}

/* The largest of f + Gumbel noise is a draw from softmax(f) (Gumbel 1954): no probabilities are needed. */
static void draw(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *theta, bnn_rng rng, uint64_t row0, bnn_real *y) {
    const uint64_t first = row0 * (uint64_t)l->sites;
    (void)theta;
    for (int i = 0; i < n * l->sites; i++) {
        double best = -INFINITY;
        for (int c = 0; c < l->n_classes; c++) {
            bnn_real u;
            bnn_rng_uniform(rng, (first + (uint64_t)i) * (uint64_t)l->n_classes + (uint64_t)c, 1, 1, &u);
            double score = (double)f[place_of(l, i) + at(l, c)] - log(-log((double)u));
            if (score > best) best = score, y[i] = (bnn_real)c;
        }
    }
}

/* Mean weight of a site's class, which is drawn from p. */
static double mean_weight(const bnn_likelihood *l, const bnn_real *p) {
    const double *weight = l->own;
    double sum = 0;
    for (int c = 0; weight && c < l->n_classes; c++) sum += weight[c] * (double)p[at(l, c)];
    return weight ? sum : 1;
}

/* Each site has diag(p) - p p^T = sum_c p_c (e_c - p) (e_c - p)^T; sites have nothing to do with each other. */
static void curvature(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *theta, bnn_real *root) {
    const sites one = {.lane = 1, .step = (size_t)l->sites, .n = 1, .classes = l->n_classes};
    size_t out = (size_t)l->out_dim;
    double all;
    (void)theta;
    if (l->sites > 1) memset(root, 0, (size_t)n * out * out * sizeof *root);
    for (int i = 0; i < n * l->sites; i++) {
        bnn_real *mine = root + (size_t)(i / l->sites) * out * out, *p = mine + at(l, 0) * out + (size_t)(i % l->sites) * (out + 1);
        softmax(&one, f + place_of(l, i), 1, p, &all); /* in the first row, which is overwritten last */
        const double times = mean_weight(l, p);
        for (int c = l->n_classes - 1; c >= 0; c--) {
            double share = sqrt(times * (double)p[at(l, c)]);
            for (int k = l->n_classes - 1; k >= 0; k--) p[at(l, c) * out + at(l, k)] = (bnn_real)(share * ((c == k) - (double)p[at(l, k)]));
        }
    }
}

/* log p_c of one site, up to a constant; mean and cov from its place on. Every pair of classes as in two-class probit (MacKay 1992b), with
 * the variance of the difference of their logits (Lu, Ie & Sha 2020): p_c is proportional to 1 / sum_k exp(-(m_c - m_k) / sqrt(1 + pi
 * Var(f_c - f_k) / 8)) */
static double log_odds(const bnn_likelihood *l, int c, const double *mean, const double *cov) {
    const size_t out = (size_t)l->out_dim, a = at(l, c);
    double sum = 0, top = 0;
    for (int k = 0; k < l->n_classes; k++) {
        const size_t b = at(l, k);
        double var = cov[a * out + a] + cov[b * out + b] - 2 * cov[a * out + b];
        double z = (mean[b] - mean[a]) / sqrt(1 + M_PI / 8 * fmax(var, 0));
        if (z > top) sum *= exp(top - z), top = z;
        sum += exp(z - top);
    }
    return -top - log(sum);
}

static void marginal(const bnn_likelihood *l, int n, double *mean, double *cov, const bnn_real *y, const bnn_real *theta,
                     const bnn_marginal *out) {
    const size_t size = (size_t)l->out_dim;
    (void)theta;
    for (int i = 0; i < n * l->sites; i++) {
        const size_t place = place_of(l, i), site = (size_t)(i % l->sites);
        const double *here = cov + (size_t)(i / l->sites) * size * size + site * (size + 1);
        double *p = out->mean + place, top = -INFINITY, sum = 0;
        for (int c = 0; c < l->n_classes; c++) p[at(l, c)] = log_odds(l, c, mean + place, here), top = fmax(top, p[at(l, c)]);
        for (int c = 0; c < l->n_classes; c++) sum += exp(p[at(l, c)] - top);
        double all = top + log(sum);
        if (out->logp) out->logp[i] = is_void(y[i]) ? NAN : p[at(l, (int)y[i])] - all;
        for (int c = 0; c < l->n_classes; c++) p[at(l, c)] = exp(p[at(l, c)] - all);
    }
}

static const char *const checks[] = {"categorical", NULL};

const bnn_likelihood_type bnn_likelihood_categorical = {
    .type = {BNN_TYPE(bnn_likelihood_type), .name = "categorical", .summary = "one of several classes, from logits; or a map of them",
             .reference = "Bishop 2006, eq. 4.104", .conf_size = sizeof(conf), .options = options, .checks = checks},
    .settle = settle,
    .bind = bind,
    .nll = nll,
    .observe = observe,
    .curvature = curvature,
    .marginal = marginal,
    .draw = draw,
    .close = close,
};
