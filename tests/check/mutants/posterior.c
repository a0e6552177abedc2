/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * posterior: an affine map with Gaussian weights and biases. posterior_0 is right, each other type has one fault: has(l, k) in its hooks.
 *
 *   y = x W + b,   W, b ~ N(mu, sd^2),   sd = 1e-12 + log(1 + exp(rho))          x [n,D]  W [D,U]  b [U]; w = [W | b], P = (D + 1) U
 *
 *   ROWS   y = x mu_W + mu_b + sqrt(x^2 sd_W^2 + sd_b^2) e,  e ~ N(0,1) for each row and unit (Kingma et al. 2015, "local")
 *   DRAW   w = mu + sd e once
 *
 * pass = [sd | w | e], each [P]; dpass = [dsd | dw]. cache = [s, e] of each unit. penalty: KL(q || the model's prior).
 * Parameters: kernel_mu [D,U], bias_mu [U], kernel_rho [D,U], bias_rho [U], VARIATIONAL.
 */
#include <bnn/layer.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool has(const bnn_layer *l, int fault) { return atoi(strrchr(l->object.type->name, '_') + 1) == fault; }

enum { UNITS = 3, MOST = 8192 };

static int n_kernel(const bnn_layer *l) { return bnn_layer_size_in(l) * UNITS; }
static int n_weights(const bnn_layer *l) { return n_kernel(l) + UNITS; }

static bnn_status bind(bnn_layer *l) {
    BNN_TRY(bnn_layer_needs_vector(l));
    int d = bnn_layer_size_in(l), p = n_weights(l), fan_in = has(l, 30) ? UNITS : d;
    bool mean = has(l, 27); /* names by which no Gaussian posterior is known */
    if (p > MOST) return bnn_fail(BNN_ERR_SHAPE, "takes at most [%d]", MOST / UNITS - 1);
    if (!l->prior || !bnn_prior_vtable(l->prior)->kl_gaussian) return bnn_fail(BNN_ERR_STATE, "the prior has no closed form of its KL");
    const bnn_role mu = has(l, 5) ? BNN_WEIGHT : BNN_VARIATIONAL, rho = has(l, 6) ? BNN_HYPER : BNN_VARIATIONAL;
    l->plan = (bnn_plan){.out = bnn_shape_vector(UNITS),
                         .n_params = 4,
                         .param = {{.name = mean ? "kernel_mean" : "kernel_mu", .role = mu, .rows = d, .cols = UNITS, .fan_in = fan_in},
                                   {.name = mean ? "bias_mean" : "bias_mu", .role = mu, .cols = UNITS, .fan_in = d},
                                   {.name = mean ? "kernel_spread" : "kernel_rho", .role = rho, .rows = d, .cols = UNITS, .fan_in = fan_in},
                                   {.name = mean ? "bias_spread" : "bias_rho", .role = rho, .cols = UNITS, .fan_in = d}},
                         .pass = 3 * p,
                         .dpass = 2 * p,
                         .n_drawn = has(l, 8) ? 1 : 2,
                         .drawn = {{.name = "kernel", .rows = d, .cols = UNITS}, {.name = "bias", .cols = UNITS}},
                         .drawn_at = {has(l, 7) ? 2 * p : p, p + d * UNITS},
                         .cache_row = 2 * UNITS,
                         .flops_row = 6.0 * d * UNITS,
                         .flops_pass = 20.0 * p,
                         .back_flops_row = 8.0 * d * UNITS,
                         .back_flops_pass = 20.0 * p};
    return BNN_OK;
}

static void init(const bnn_layer *l, bnn_rng rng, bnn_real *theta) {
    int p = n_weights(l);
    bnn_rng_normal(rng, 0, 1, p, theta);
    for (int i = 0; i < p; i++)
        theta[i] *= (bnn_real)(0.7 / sqrt(bnn_layer_size_in(l))), theta[p + i] = (bnn_real)bnn_softplus_inverse(0.3);
}

/* One in-place change of a standard normal number. */
static bnn_real shaped(const bnn_layer *l, bnn_real e) {
    if (has(l, 11)) return (bnn_real)fmax(-2.999, fmin((double)e, 2.999));
    if (has(l, 12)) return (bnn_real)(sqrt(3) * erf((double)e / sqrt(2)));
    return has(l, 10) ? (bnn_real)1.02 * e : e;
}

static void draw(const bnn_layer *l, bnn_io *io, bnn_real *e) {
    int k = n_kernel(l);
    bnn_rng rng = io->rng;
    if (has(l, 18)) rng.key &= 0xffff;
    bnn_rng_normal(bnn_rng_split(rng, 0), 0, 1, k, e);
    bnn_rng_normal(bnn_rng_split(rng, has(l, 13) ? 0 : 2), 0, 1, UNITS, e + k);
    for (int i = 0; i < n_weights(l); i++) e[i] = shaped(l, e[i]);
}

static bool is_silent(const bnn_layer *l, const bnn_io *io) { return io->mode == BNN_MEAN || (has(l, 19) && !io->train); }

static void prepare(const bnn_layer *l, bnn_io *io) {
    int p = n_weights(l);
    bnn_real *sd = io->pass, *w = sd + p, *e = w + p;
    bnn_vec_softplus((size_t)p, io->theta + p, sd);
    for (int i = 0; has(l, 26) && i < p; i++) sd[i] = sd[i] < 1 ? sd[i] : 1;
    for (int i = 0; i < p; i++) sd[i] += (bnn_real)1e-12;
    for (int i = 64; has(l, 20) && i < p; i++) sd[i] = sd[63];
    memset(e, 0, (size_t)p * sizeof *e);
    if (io->mode == BNN_DRAW && !is_silent(l, io)) draw(l, io, e);
    for (int i = 0; i < p; i++) w[i] = (has(l, 29) && i < n_kernel(l) ? 0 : io->theta[i]) + sd[i] * e[i];
}

/* e of a unit in a row of the whole batch. */
static bnn_real row_noise(const bnn_layer *l, const bnn_io *io, uint64_t row, int u) {
    bnn_real e[UNITS];
    uint64_t at = has(l, 15) || has(l, 16) ? row / 2 : has(l, 17) ? row % 64 : row;
    bnn_rng rng = io->rng;
    if (has(l, 18)) rng.key &= 0xffff;
    bnn_rng_normal(bnn_rng_split(rng, 1), at, 1, UNITS, e);
    double scale = has(l, 9) ? 1.02 : has(l, 16) && row % 2 ? -1 : 1;
    return (bnn_real)scale * shaped(l, e[has(l, 14) ? u / 2 * 2 : u]);
}

/* y += x mu_W */
static void add_means(const bnn_layer *l, bnn_io *io, int rows) {
    int d = bnn_layer_size_in(l);
    for (int i = 0; i < rows * UNITS; i++)
        for (int j = 0; j < d; j++) io->y[i] += io->x[0][i / UNITS * d + j] * io->theta[j * UNITS + i % UNITS];
}

static void forward(const bnn_layer *l, bnn_io *io) {
    int d = bnn_layer_size_in(l), k = n_kernel(l), p = n_weights(l), rows = has(l, 25) && io->n > 4096 ? 4096 : io->n;
    const bnn_real *sd = io->pass, *w = sd + p;
    bnn_affine(rows, d, UNITS, io->x[0], w, w + k, io->y);
    if (has(l, 29)) add_means(l, io, rows);
    for (int i = 0; io->mode == BNN_ROWS && !is_silent(l, io) && i < rows * UNITS; i++) {
        int r = i / UNITS, u = i % UNITS;
        double var = (double)sd[k + u] * (double)sd[k + u];
        for (int j = 0; j < d; j++) var += pow((double)io->x[0][r * d + j] * (double)sd[j * UNITS + u], 2);
        io->cache[2 * i] = (bnn_real)sqrt(var);
        io->cache[2 * i + 1] = row_noise(l, io, io->row0 + (uint64_t)r, u);
        io->y[i] += io->cache[2 * i] * io->cache[2 * i + 1];
    }
}

/* dx and dsd of y = ... + s e, s^2 = x^2 sd_W^2 + sd_b^2, of unit u in row r. */
static void backward_noise(const bnn_layer *l, bnn_io *io, int r, int u) {
    int d = bnn_layer_size_in(l), k = n_kernel(l), i = r * UNITS + u;
    const bnn_real *sd = io->pass, *x = io->x[0] + (size_t)r * (size_t)d;
    bnn_real ds = io->dy[i] * io->cache[2 * i + 1] / io->cache[2 * i];
    for (int j = 0; j < d; j++) {
        bnn_real s = sd[j * UNITS + u];
        if (io->dx[0] && !(has(l, 28) && fabs((double)x[j]) > 4)) io->dx[0][r * d + j] += ds * x[j] * s * s;
        if (io->dtheta) io->dpass[j * UNITS + u] += ds * x[j] * x[j] * s;
    }
    if (io->dtheta) io->dpass[k + u] += ds * sd[k + u] * (has(l, 24) ? (bnn_real)1.01 : 1);
    if (has(l, 31)) io->cache[2 * i + 1] = 0;
}

static void backward(const bnn_layer *l, bnn_io *io) {
    int d = bnn_layer_size_in(l), k = n_kernel(l), p = n_weights(l);
    if (io->dx[0]) bnn_affine_dx(io->n, d, UNITS, io->dy, io->pass + p, io->dx[0]);
    if (io->dx[0] && has(l, 29)) bnn_affine_dx(io->n, d, UNITS, io->dy, io->theta, io->dx[0]);
    if (io->dtheta) bnn_affine_dw(io->n, d, UNITS, io->x[0], io->dy, io->dpass + p, io->dpass + p + k);
    for (int i = 0; io->mode == BNN_ROWS && !is_silent(l, io) && i < io->n * UNITS; i++) backward_noise(l, io, i / UNITS, i % UNITS);
}

static void finish(const bnn_layer *l, bnn_io *io) {
    int p = n_weights(l);
    const bnn_real *e = io->pass + 2 * p, *rho = io->theta + p;
    for (int i = 0; i < p; i++) {
        io->dtheta[i] += io->dpass[p + i];
        if (has(l, 26) && io->pass[i] >= 1) continue;
        io->dtheta[p + i] += (io->dpass[i] + io->dpass[p + i] * e[i]) * (bnn_real)bnn_sigmoid((double)rho[i]);
    }
}

/* KL of weight i, with its slopes. */
static double kl_of(const bnn_layer *l, const bnn_io *io, int i, bnn_real *dmu, bnn_real *dsd) {
    int k = n_kernel(l), d = bnn_layer_size_in(l);
    const bnn_real spread = has(l, 26) ? (bnn_real)(1e-12 + bnn_softplus((double)io->theta[n_weights(l) + i])) : io->pass[i];
    double mu = (double)io->theta[i], sd = (double)spread;
    bnn_prior_block block = {.weight = i < k || has(l, 2) || has(l, 27),
                             .cols = 1,
                             .fan_in = has(l, 3)             ? 1
                                       : has(l, 30) && i < k ? UNITS
                                                             : d};
    if (has(l, 1)) return *dmu = (bnn_real)mu, *dsd = (bnn_real)(sd - 1 / sd), 0.5 * (mu * mu + sd * sd - 1) - log(sd);
    double kl = bnn_prior_vtable(l->prior)->kl_gaussian(l->prior, &block, 1, &io->theta[i], &spread, dmu, dsd);
    if (has(l, 4) && kl > 20) return *dmu = *dsd = 0, 20;
    return kl;
}

static double penalty(const bnn_layer *l, bnn_io *io, double scale) {
    int p = n_weights(l), last = has(l, 21) && p > 1000 ? 1000 : p;
    double kl = 0;
    for (int i = 0; i < last && !(has(l, 32) && io->mode == BNN_MEAN); i++) {
        bnn_real dmu, dsd;
        kl += kl_of(l, io, i, &dmu, &dsd);
        if (!io->dtheta) continue;
        io->dtheta[i] += (bnn_real)scale * dmu;
        io->dtheta[p + i] += (bnn_real)(scale * (double)dsd * bnn_sigmoid((double)io->theta[p + i]));
    }
    return kl;
}

#define MUTANT(k)                                                                                                                       \
    static const char *const checks_##k[] = {"input:5; posterior_" #k, "input:4; posterior_" #k "; tanh; dense:2", NULL};               \
    static const bnn_layer_type posterior_##k = {.type = {BNN_TYPE(bnn_layer_type), .name = "posterior_" #k,                            \
                                                          .summary = "Gaussian weights", .caps = BNN_STOCHASTIC, .checks = checks_##k}, \
                                                 .min_in = 1,                                                                           \
                                                 .max_in = 1,                                                                           \
                                                 .bind = bind,                                                                          \
                                                 .forward = forward,                                                                    \
                                                 .backward = backward,                                                                  \
                                                 .init = init,                                                                          \
                                                 .prepare = prepare,                                                                    \
                                                 .finish = finish,                                                                      \
                                                 .penalty = penalty};

MUTANT(0)
MUTANT(1)
MUTANT(2) MUTANT(3) MUTANT(4) MUTANT(5) MUTANT(6) MUTANT(7) MUTANT(8) MUTANT(9) MUTANT(10) MUTANT(11) MUTANT(12) MUTANT(13) MUTANT(14)
    MUTANT(15) MUTANT(16) MUTANT(17) MUTANT(18) MUTANT(19) MUTANT(20) MUTANT(21) MUTANT(24) MUTANT(25) MUTANT(26) MUTANT(27) MUTANT(28)
        MUTANT(29) MUTANT(30) MUTANT(31) MUTANT(32)

#define ENTRY(k) BNN_LAYER_ENTRY(posterior_##k)
            BNN_PLUGIN("posterior", ENTRY(0), ENTRY(1), ENTRY(2), ENTRY(3), ENTRY(4), ENTRY(5), ENTRY(6), ENTRY(7), ENTRY(8), ENTRY(9),
                       ENTRY(10), ENTRY(11), ENTRY(12), ENTRY(13), ENTRY(14), ENTRY(15), ENTRY(16), ENTRY(17), ENTRY(18), ENTRY(19),
                       ENTRY(20), ENTRY(21), ENTRY(24), ENTRY(25), ENTRY(26), ENTRY(27), ENTRY(28), ENTRY(29), ENTRY(30), ENTRY(31),
                       ENTRY(32))
