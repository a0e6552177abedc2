/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * unusual: types that are right and out of the ordinary, so that the rules let them pass.
 *
 *   vardrop_0    y = x (1 + sqrt(alpha) e), alpha learned for each unit (Kingma, Salimans & Welling 2015), KL of Molchanov et al. 2017,
 * (14) attention_0  y = D w x, w = softmax(q x), over the units of a row recurrent_0  h_t = tanh(x_t W + v h_(t-1)), y = h_T; x [T,F]
 *   mixture_0    a likelihood of two Gaussians, all of which the network predicts
 *   poisson_0    counts below the number of classes, of the rate exposure e^f
 *   horseshoe_0  Cauchy weights whose common sd is half-Cauchy
 */
#include <bnn/layer.h>
#include <bnn/likelihood.h>

#include <math.h>
#include <string.h>

/* ---------------------------------------------------------------- variational dropout */

static bnn_status vardrop_bind(bnn_layer *l) {
    BNN_TRY(bnn_layer_needs_vector(l));
    int d = bnn_layer_size_in(l);
    l->plan = (bnn_plan){.out = l->in[0],
                         .n_params = 1,
                         .param = {{.name = "log_alpha", .role = BNN_VARIATIONAL, .cols = d, .fan_in = 1}},
                         .pass = d,
                         .n_drawn = 1,
                         .drawn = {{.name = "noise", .cols = d}},
                         .cache_row = d,
                         .flops_row = 8.0 * d,
                         .flops_pass = 8.0 * d,
                         .back_flops_row = 8.0 * d,
                         .back_flops_pass = 8.0 * d};
    return BNN_OK;
}

static void vardrop_prepare(const bnn_layer *l, bnn_io *io) {
    int d = bnn_layer_size_in(l);
    if (io->mode == BNN_DRAW) bnn_rng_normal(bnn_rng_split(io->rng, 0), 0, 1, d, io->pass);
}

static double alpha_sd(bnn_real log_alpha) { return exp(0.5 * fmin((double)log_alpha, 4)); }

static const bnn_real *vardrop_noise(const bnn_layer *l, const bnn_io *io, int r) {
    return io->mode == BNN_DRAW ? io->pass : io->cache + (size_t)r * (size_t)bnn_layer_size_in(l);
}

static void vardrop_forward(const bnn_layer *l, bnn_io *io) {
    int d = bnn_layer_size_in(l);
    if (io->mode == BNN_ROWS) bnn_rng_normal(bnn_rng_split(io->rng, 1), io->row0, io->n, d, io->cache);
    for (int i = 0; i < io->n * d; i++) {
        double e = io->mode == BNN_MEAN ? 0 : (double)vardrop_noise(l, io, i / d)[i % d];
        io->y[i] = (bnn_real)((double)io->x[0][i] * (1 + alpha_sd(io->theta[i % d]) * e));
    }
}

static void vardrop_backward(const bnn_layer *l, bnn_io *io) {
    int d = bnn_layer_size_in(l);
    for (int i = 0; i < io->n * d; i++) {
        double e = io->mode == BNN_MEAN ? 0 : (double)vardrop_noise(l, io, i / d)[i % d], sd = alpha_sd(io->theta[i % d]);
        if (io->dx[0]) io->dx[0][i] += (bnn_real)((double)io->dy[i] * (1 + sd * e));
        if (io->dtheta && io->theta[i % d] < 4) io->dtheta[i % d] += (bnn_real)((double)io->dy[i] * (double)io->x[0][i] * 0.5 * sd * e);
    }
}

static double vardrop_penalty(const bnn_layer *l, bnn_io *io, double scale) {
    static const double k1 = 0.63576, k2 = 1.87320, k3 = 1.48695;
    double kl = 0;
    for (int i = 0; i < l->n_theta; i++) {
        double a = (double)io->theta[i], s = bnn_sigmoid(k2 + k3 * a);
        kl += k1 - k1 * s + 0.5 * bnn_softplus(-a);
        if (io->dtheta) io->dtheta[i] += (bnn_real)(scale * (-k1 * k3 * s * (1 - s) - 0.5 * bnn_sigmoid(-a)));
    }
    return kl;
}

static void vardrop_init(const bnn_layer *l, bnn_rng rng, bnn_real *theta) {
    (void)rng;
    for (int i = 0; i < l->n_theta; i++) theta[i] = -2;
}

/* ---------------------------------------------------------------- attention over units */

enum { MOST_UNITS = 2048 };

static bnn_status attention_bind(bnn_layer *l) {
    BNN_TRY(bnn_layer_needs_vector(l));
    int d = bnn_layer_size_in(l);
    if (d > MOST_UNITS) return bnn_fail(BNN_ERR_SHAPE, "takes at most [%d]", MOST_UNITS);
    l->plan = (bnn_plan){.out = l->in[0],
                         .n_params = 1,
                         .param = {{.name = "query", .role = BNN_WEIGHT, .cols = d, .fan_in = 1}},
                         .cache_row = d,
                         .flops_row = 12.0 * d,
                         .back_flops_row = 12.0 * d};
    return BNN_OK;
}

static void attention_forward(const bnn_layer *l, bnn_io *io) {
    int d = bnn_layer_size_in(l);
    for (int r = 0; r < io->n; r++) {
        const bnn_real *x = io->x[0] + r * d;
        bnn_real *w = io->cache + r * d;
        double most = -INFINITY, sum = 0;
        for (int i = 0; i < d; i++) most = fmax(most, (double)io->theta[i] * (double)x[i]);
        for (int i = 0; i < d; i++) sum += exp((double)io->theta[i] * (double)x[i] - most);
        for (int i = 0; i < d; i++) {
            w[i] = (bnn_real)(exp((double)io->theta[i] * (double)x[i] - most) / sum);
            io->y[r * d + i] = (bnn_real)d * w[i] * x[i];
        }
    }
}

static void attention_backward(const bnn_layer *l, bnn_io *io) {
    int d = bnn_layer_size_in(l);
    for (int r = 0; r < io->n; r++) {
        const bnn_real *x = io->x[0] + r * d, *w = io->cache + r * d, *dy = io->dy + r * d;
        double mean = 0;
        for (int i = 0; i < d; i++) mean += (double)w[i] * d * (double)dy[i] * (double)x[i];
        for (int i = 0; i < d; i++) {
            double score = (double)w[i] * (d * (double)dy[i] * (double)x[i] - mean);
            if (io->dx[0]) io->dx[0][r * d + i] += (bnn_real)(d * (double)dy[i] * (double)w[i] + score * (double)io->theta[i]);
            if (io->dtheta) io->dtheta[i] += (bnn_real)(score * (double)x[i]);
        }
    }
}

/* ---------------------------------------------------------------- a recurrent cell, unrolled */

enum { UNITS = 3 };

static bnn_status recurrent_bind(bnn_layer *l) {
    char shape[BNN_SHAPE_TEXT];
    if (l->in[0].rank != 2) return bnn_fail(BNN_ERR_SHAPE, "needs [steps x features], not %s", bnn_shape_print(l->in[0], shape));
    int steps = l->in[0].d[0], features = l->in[0].d[1];
    double weights = (double)steps * (features + 1) * UNITS;
    l->plan = (bnn_plan){.out = bnn_shape_vector(UNITS),
                         .n_params = 2,
                         .param = {{.name = "kernel", .role = BNN_WEIGHT, .rows = features, .cols = UNITS, .fan_in = features},
                                   {.name = "recurrent", .role = BNN_WEIGHT, .cols = UNITS, .fan_in = 1}},
                         .cache_row = steps * UNITS,
                         .flops_row = 2 * weights,
                         .back_flops_row = 4 * weights};
    return BNN_OK;
}

static void recurrent_forward(const bnn_layer *l, bnn_io *io) {
    int steps = l->in[0].d[0], features = l->in[0].d[1];
    const bnn_real *v = io->theta + features * UNITS;
    for (int r = 0; r < io->n; r++)
        for (int t = 0; t < steps; t++)
            for (int u = 0; u < UNITS; u++) {
                bnn_real *h = io->cache + (r * steps + t) * UNITS + u;
                double sum = t > 0 ? (double)v[u] * (double)h[-UNITS] : 0;
                for (int f = 0; f < features; f++)
                    sum += (double)io->x[0][(r * steps + t) * features + f] * (double)io->theta[f * UNITS + u];
                *h = (bnn_real)tanh(sum);
                if (t == steps - 1) io->y[r * UNITS + u] = *h;
            }
}

static void recurrent_backward(const bnn_layer *l, bnn_io *io) {
    int steps = l->in[0].d[0], features = l->in[0].d[1];
    const bnn_real *v = io->theta + features * UNITS;
    for (int r = 0; r < io->n; r++)
        for (int u = 0; u < UNITS; u++) {
            double dh = (double)io->dy[r * UNITS + u];
            for (int t = steps - 1; t >= 0; t--) {
                const bnn_real *h = io->cache + (r * steps + t) * UNITS + u;
                double da = dh * (1 - (double)*h * (double)*h);
                for (int f = 0; f < features; f++) {
                    int at = (r * steps + t) * features + f;
                    if (io->dx[0]) io->dx[0][at] += (bnn_real)(da * (double)io->theta[f * UNITS + u]);
                    if (io->dtheta) io->dtheta[f * UNITS + u] += (bnn_real)(da * (double)io->x[0][at]);
                }
                if (io->dtheta && t > 0) io->dtheta[features * UNITS + u] += (bnn_real)(da * (double)h[-UNITS]);
                dh = da * (double)v[u];
            }
        }
}

/* ---------------------------------------------------------------- a mixture of two Gaussians */

typedef struct {
    double share[2], mean[2], sd[2], slope[2]; /* slope: d log sd / df */
} parts;

/* f = [logit of the second, means, raw log sd]. */
static parts parts_of(const bnn_real *f) {
    parts p = {.share = {bnn_sigmoid(-(double)f[0]), bnn_sigmoid((double)f[0])}, .mean = {(double)f[1], (double)f[2]}};
    for (int j = 0; j < 2; j++) {
        double t = tanh((double)f[3 + j] / 2);
        p.sd[j] = exp(2 * t), p.slope[j] = 1 - t * t;
    }
    return p;
}

static bnn_status mixture_bind(bnn_likelihood *l) {
    if (l->n_classes > 0 || l->y_dim != 1) return bnn_fail(BNN_ERR_SHAPE, "needs one real target");
    l->out_dim = 5, l->mean_dim = l->pit_dim = 1;
    return BNN_OK;
}

/* log p, and the share that each Gaussian has in it. */
static double mixture_logp(const parts *p, double y, double share[2]) {
    double part[2];
    for (int j = 0; j < 2; j++) {
        double z = (y - p->mean[j]) / p->sd[j];
        part[j] = log(fmax(p->share[j], 1e-300)) - z * z / 2 - log(p->sd[j]) - 0.91893853320467274178;
    }
    double most = fmax(part[0], part[1]), sum = most + log(exp(part[0] - most) + exp(part[1] - most));
    for (int j = 0; j < 2; j++) share[j] = exp(part[j] - sum);
    return sum;
}

static double mixture_nll(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta, double scale,
                          bnn_real *df, bnn_real *dtheta) {
    double sum = 0, share[2];
    (void)l, (void)theta, (void)dtheta;
    for (int i = 0; i < n; i++) {
        parts p = parts_of(f + 5 * i);
        sum -= mixture_logp(&p, (double)y[i], share);
        if (!df) continue;
        df[5 * i] = (bnn_real)(scale * (p.share[1] - share[1]));
        for (int j = 0; j < 2; j++) {
            double z = ((double)y[i] - p.mean[j]) / p.sd[j];
            df[5 * i + 1 + j] = (bnn_real)(-scale * share[j] * z / p.sd[j]);
            df[5 * i + 3 + j] = (bnn_real)(scale * share[j] * (1 - z * z) * p.slope[j]);
        }
    }
    return sum;
}

static void mixture_observe(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta,
                            const bnn_observation *out) {
    double share[2];
    (void)l, (void)theta;
    for (int i = 0; i < n; i++) {
        parts p = parts_of(f + 5 * i);
        double mean = p.share[0] * p.mean[0] + p.share[1] * p.mean[1], away = p.mean[0] - p.mean[1], pit = 0;
        if (out->mean) out->mean[i] = (bnn_real)mean;
        if (out->var)
            out->var[i] =
                (bnn_real)(p.share[0] * p.sd[0] * p.sd[0] + p.share[1] * p.sd[1] * p.sd[1] + p.share[0] * p.share[1] * away * away);
        if (out->logp) out->logp[i] = mixture_logp(&p, (double)y[i], share);
        for (int j = 0; out->pit && j < 2; j++) pit += p.share[j] * 0.5 * erfc((p.mean[j] - (double)y[i]) / p.sd[j] / sqrt(2));
        if (out->pit) out->pit[i] = (bnn_real)pit;
    }
}

static void mixture_draw(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *theta, bnn_rng rng, uint64_t row0,
                         bnn_real *y) {
    (void)l, (void)theta;
    for (int i = 0; i < n; i++) {
        parts p = parts_of(f + 5 * i);
        bnn_real e, u;
        bnn_rng_normal(bnn_rng_split(rng, 0), row0 + (uint64_t)i, 1, 1, &e);
        bnn_rng_uniform(bnn_rng_split(rng, 1), row0 + (uint64_t)i, 1, 1, &u);
        int j = (double)u < p.share[1];
        y[i] = (bnn_real)(p.mean[j] + p.sd[j] * (double)e);
    }
}

/* ---------------------------------------------------------------- counts with an exposure */

typedef struct {
    double exposure;
} poisson_conf;
static const bnn_option poisson_options[] = {BNN_OPT_REAL(poisson_conf, exposure, "1", 1e-3, 1e3, "factor of the rate"), {0}};

enum { MOST_COUNTS = 64 };

static bnn_status poisson_bind(bnn_likelihood *l) {
    if (l->n_classes < 2 || l->n_classes > MOST_COUNTS || l->y_dim != 1)
        return bnn_fail(BNN_ERR_SHAPE, "needs counts as 2 to %d classes", MOST_COUNTS);
    l->out_dim = 1, l->mean_dim = l->n_classes;
    return BNN_OK;
}

/* p[C] and the mean count; returns log rate's slope. */
static double poisson_of(const bnn_likelihood *l, bnn_real f, double *p, double *mean) {
    double t = tanh((double)f / 4), rate = 4 * t + log(((const poisson_conf *)l->object.conf)->exposure), sum = 0;
    *mean = 0;
    for (int k = 0; k < l->n_classes; k++) sum += p[k] = exp(k * rate - lgamma(k + 1));
    for (int k = 0; k < l->n_classes; k++) p[k] /= sum, *mean += k * p[k];
    return 1 - t * t;
}

static double poisson_nll(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta, double scale,
                          bnn_real *df, bnn_real *dtheta) {
    double sum = 0, p[MOST_COUNTS], mean;
    (void)theta, (void)dtheta;
    for (int i = 0; i < n; i++) {
        if (y[i] < 0) {
            if (df) df[i] = 0;
            continue;
        }
        double slope = poisson_of(l, f[i], p, &mean);
        sum -= log(p[(int)y[i]]);
        if (df) df[i] = (bnn_real)(scale * (mean - (double)y[i]) * slope);
    }
    return sum;
}

static void poisson_observe(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta,
                            const bnn_observation *out) {
    double p[MOST_COUNTS], mean;
    int c = l->n_classes;
    (void)theta;
    for (int i = 0; i < n; i++) {
        poisson_of(l, f[i], p, &mean);
        for (int k = 0; out->mean && k < c; k++) out->mean[i * c + k] = (bnn_real)p[k];
        for (int k = 0; out->var && k < c; k++) out->var[i * c + k] = 0;
        if (out->logp) out->logp[i] = y[i] < 0 ? NAN : log(p[(int)y[i]]);
    }
}

static void poisson_draw(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *theta, bnn_rng rng, uint64_t row0,
                         bnn_real *y) {
    double p[MOST_COUNTS], mean;
    (void)theta;
    bnn_rng_uniform(rng, row0, n, 1, y);
    for (int i = 0; i < n; i++) {
        double u = (double)y[i];
        int k = 0;
        poisson_of(l, f[i], p, &mean);
        while (k < l->n_classes - 1 && u >= p[k]) u -= p[k++];
        y[i] = (bnn_real)k;
    }
}

/* ---------------------------------------------------------------- heavy tails with a common scale */

static const double pi = 3.14159265358979323846;

static double horseshoe_logp(const bnn_prior *p, const bnn_prior_block *block, int n, const bnn_real *w, bnn_real *dw) {
    double sum = 0;
    (void)p, (void)block;
    for (int i = 0; i < n; i++) {
        double x = (double)w[i];
        sum -= log(pi) + log1p(x * x);
        if (dw) dw[i] = (bnn_real)(-2 * x / (1 + x * x));
    }
    return sum;
}

static void horseshoe_draw(const bnn_prior *p, const bnn_prior_block *block, bnn_rng rng, int n, bnn_real *out) {
    (void)p, (void)block;
    bnn_rng_uniform(rng, 0, 1, n, out);
    for (int i = 0; i < n; i++) out[i] = (bnn_real)tan(pi * ((double)out[i] - 0.5));
}

static int horseshoe_n_scales(const bnn_prior *p, const bnn_prior_block *block) { return (void)p, (void)block, 1; }

/* sd = e^(s/2) is half-Cauchy. */
static double horseshoe_logp_scale(const bnn_prior *p, const bnn_prior_block *block, double s, double *ds) {
    (void)p, (void)block;
    *ds = 0.5 - bnn_sigmoid(s);
    return -log(pi) + s / 2 - bnn_softplus(s);
}

/* ---------------------------------------------------------------- the types */

static const char *const vardrop_checks[] = {"input:5; vardrop_0", NULL}, *const attention_checks[] = {"input:5; attention_0", NULL},
                         *const recurrent_checks[] = {"input:4x3; recurrent_0", NULL}, *const mixture_checks[] = {"mixture_0", NULL},
                         *const poisson_checks[] = {"poisson_0", "poisson_0:2.5", NULL}, *const horseshoe_checks[] = {"horseshoe_0", NULL};

static const bnn_layer_type vardrop = {.type = {BNN_TYPE(bnn_layer_type), .name = "vardrop_0", .summary = "variational dropout",
                                                .caps = BNN_STOCHASTIC, .checks = vardrop_checks},
                                       .min_in = 1,
                                       .max_in = 1,
                                       .bind = vardrop_bind,
                                       .forward = vardrop_forward,
                                       .backward = vardrop_backward,
                                       .init = vardrop_init,
                                       .prepare = vardrop_prepare,
                                       .penalty = vardrop_penalty};
static const bnn_layer_type attention = {
    .type = {BNN_TYPE(bnn_layer_type), .name = "attention_0", .summary = "attention over units", .checks = attention_checks},
    .min_in = 1,
    .max_in = 1,
    .bind = attention_bind,
    .forward = attention_forward,
    .backward = attention_backward};
static const bnn_layer_type recurrent = {
    .type = {BNN_TYPE(bnn_layer_type), .name = "recurrent_0", .summary = "an unrolled recurrent cell", .checks = recurrent_checks},
    .min_in = 1,
    .max_in = 1,
    .bind = recurrent_bind,
    .forward = recurrent_forward,
    .backward = recurrent_backward};
static const bnn_likelihood_type mixture = {
    .type = {BNN_TYPE(bnn_likelihood_type), .name = "mixture_0", .summary = "two Gaussians", .checks = mixture_checks},
    .bind = mixture_bind,
    .nll = mixture_nll,
    .observe = mixture_observe,
    .draw = mixture_draw};
static const bnn_likelihood_type poisson = {.type = {BNN_TYPE(bnn_likelihood_type), .name = "poisson_0", .summary = "counts",
                                                     .conf_size = sizeof(poisson_conf), .options = poisson_options,
                                                     .checks = poisson_checks},
                                            .bind = poisson_bind,
                                            .nll = poisson_nll,
                                            .observe = poisson_observe,
                                            .draw = poisson_draw};
static const bnn_prior_type horseshoe = {
    .type = {BNN_TYPE(bnn_prior_type), .name = "horseshoe_0", .summary = "heavy tails with a common scale", .checks = horseshoe_checks},
    .logp = horseshoe_logp,
    .draw = horseshoe_draw,
    .n_scales = horseshoe_n_scales,
    .logp_scale = horseshoe_logp_scale};

BNN_PLUGIN("unusual", BNN_LAYER_ENTRY(vardrop), BNN_LAYER_ENTRY(attention), BNN_LAYER_ENTRY(recurrent), BNN_LIKELIHOOD_ENTRY(mixture),
           BNN_LIKELIHOOD_ENTRY(poisson), BNN_PRIOR_ENTRY(horseshoe))
