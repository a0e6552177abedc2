/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * gaussian.c: the hooks of gaussian.h.
 *
 * pass = [sd | eps | work], each [P]; work is what the linear map takes for w besides mu, and dpass [P] its gradient:
 *
 *   sampled  work = mu + sd eps     dsd = dwork eps       (dmu = dwork)
 *   local    work = sd^2            dsd = dwork 2 sd
 *   flipout  work = sd eps          dsd = dwork eps
 */
#include <bnn/gaussian.h>
#include <bnn/jobs.h>

#include <limits.h>
#include <math.h>
#include <string.h>

static const char *const estimators[] = {"weight", "local", "flipout", NULL}, *const no_yes[] = {"no", "yes", NULL};

const bnn_option bnn_gaussian_noise_options[] = {
    BNN_OPT_CHOICE(bnn_gaussian_conf, estimator, "local", estimators,
                   "where the noise of training enters: weight, local (activations) or flipout"),
    BNN_OPT_SPEC(bnn_gaussian_conf, prior, BNN_PRIOR, "", "prior of these weights, such as gauss{sd=1}; left out: the model's"),
    BNN_OPT_REAL(bnn_gaussian_conf, sd0, "0.1", 1e-9, 1e3, "initial standard deviation of a weight times sqrt(fan_in)"),
    BNN_OPT_CHOICE(bnn_gaussian_conf, bias, "yes", no_yes, "add a bias"),
    {0}};

const bnn_option bnn_gaussian_options[] = {
    BNN_OPT_INT(bnn_gaussian_conf, units, "0", 0, 1 << 24, "outputs; 0 at the end of a network: as many as the likelihood needs"),
    {.name = "noise", .kind = BNN_OPTION_GROUP, .group = bnn_gaussian_noise_options},
    {0}};

typedef enum { SAMPLED, LOCAL, FLIPOUT, AT_MEAN } method; /* the first three are the estimators in their order */

static method method_of(const bnn_layer *l, const bnn_io *io) {
    const bnn_gaussian_conf *c = l->object.conf;
    return io->mode == BNN_MEAN ? AT_MEAN : io->mode == BNN_DRAW ? SAMPLED : (method)c->estimator;
}

enum { STREAM_WEIGHTS, STREAM_ROWS_IN, STREAM_ROWS_OUT };

static const bnn_prior *prior_of(const bnn_layer *l) {
    const bnn_gaussian_conf *c = l->object.conf;
    return c->prior.object.type ? &c->prior : l->prior;
}

static int n_kernel(const bnn_layer *l) { return bnn_param_size(&l->plan.param[0]); }
static int n_weights(const bnn_layer *l) { return l->n_theta / 2; } /* P */

/* The bias in an array [P], or NULL. */
static bnn_real *bias(const bnn_layer *l, const bnn_real *w) {
    const bnn_gaussian_conf *c = l->object.conf;
    return c->bias ? (bnn_real *)w + n_kernel(l) : NULL;
}

bnn_status bnn_gaussian_bind(bnn_layer *l, bnn_shape out, int rows, int cols, double flops) {
    return bnn_gaussian_bind_kernel(l, out, &(bnn_param){.rows = rows, .cols = cols, .fan_in = rows}, cols, flops);
}

bnn_status bnn_gaussian_bind_kernel(bnn_layer *l, bnn_shape out, const bnn_param *of, int biases, double flops) {
    const bnn_gaussian_conf *c = l->object.conf;
    const int rows = of->rows, cols = of->cols;
    double weights = (double)rows * cols + biases;
    if (weights > INT_MAX / 4) return bnn_fail(BNN_ERR_MEMORY, "has %.3g weights: too many", weights);
    int in = bnn_layer_size_in(l), units = bnn_shape_size(out), p = rows * cols + (c->bias ? biases : 0);
    bool local = c->estimator == LOCAL, flipout = c->estimator == FLIPOUT;
    if (!prior_of(l)) return bnn_fail(BNN_ERR_STATE, "option 'prior' is left out, but there is no model to take it from");
    if (bnn_prior_vtable(prior_of(l))->n_scales)
        return bnn_fail(BNN_ERR_OPTION, "random weights have no place for the scales of prior '%s': give them another by option 'prior'",
                        prior_of(l)->object.type->name);
    l->plan = (bnn_plan){
        .out = out,
        .pass = 3 * p,
        .dpass = p,
        .n_drawn = c->bias ? 2 : 1,
        .drawn = {{.name = "kernel", .rows = rows, .cols = cols}, {.name = "bias", .cols = biases}},
        .drawn_at = {2 * p, 2 * p + rows * cols},
        .cache_row = local     ? units
                     : flipout ? in + units
                               : 0,
        .scratch_row = local || flipout ? in + units : 0,
        .flops_row = (local || flipout ? 2 : 1) * flops,
        .flops_pass = 40.0 * p,
        .back_flops_row = (local || flipout ? 4 : 2) * flops,
        .back_flops_pass = 60.0 * p,
    };
    bnn_param kernel = {.role = BNN_VARIATIONAL, .rows = rows, .cols = cols, .fan_in = of->fan_in},
              offset = {.role = BNN_VARIATIONAL, .cols = biases, .fan_in = of->fan_in};
    static const char *const names[] = {"kernel_mu", "kernel_rho", "bias_mu", "bias_rho"};
    for (int k = 0; k < 2; k++) {
        bnn_param *at = l->plan.param + l->plan.n_params;
        kernel.name = names[k], offset.name = names[2 + k];
        at[0] = kernel;
        if (c->bias) at[1] = offset;
        l->plan.n_params += c->bias ? 2 : 1;
    }
    return BNN_OK;
}

void bnn_gaussian_init(const bnn_layer *l, bnn_rng rng, bnn_real *theta) {
    const bnn_gaussian_conf *c = l->object.conf;
    int p = n_weights(l), k = n_kernel(l), fan_in = l->plan.param[0].fan_in;
    const bnn_real sd_mu = (bnn_real)sqrt(2.0 / fan_in), rho = (bnn_real)bnn_softplus_inverse(c->sd0 / sqrt(fan_in));
    bnn_rng_normal(rng, 0, 1, k, theta);
    for (int i = 0; i < p; i++) {
        theta[i] = i < k ? sd_mu * theta[i] : 0;
        theta[p + i] = rho;
    }
}

/* Weights are worked on in parts of a length that follows from their number: those of a large layer in parallel. */
enum { PIECE = 512, MOST_PARTS = 64, SHORTEST_PART = 64 * PIECE }; /* PIECE: weights at a time, on the stack */
typedef struct {
    const bnn_layer *l;
    bnn_io *io;
    double scale, kl[MOST_PARTS];
    int length;
} parts;

static void run_parts(parts *w, void (*part)(void *context, int first, int n)) {
    int p = n_weights(w->l), least = (p + MOST_PARTS - 1) / MOST_PARTS;
    w->length = least < SHORTEST_PART ? SHORTEST_PART : least;
    bnn_parts_run(p, w->length, part, w);
}

static void prepare_part(void *context, int first, int n) {
    const parts *w = context;
    int p = n_weights(w->l), end = first + n;
    method m = method_of(w->l, w->io);
    const bnn_real *restrict mu = w->io->theta, floor = (bnn_real)BNN_GAUSSIAN_SD_FLOOR;
    bnn_real *restrict sd = w->io->pass, *restrict eps = sd + p, *restrict work = eps + p;
    bnn_vec_softplus((size_t)n, mu + p + first, sd + first);
    for (int i = first; i < end; i++) sd[i] += floor;
    if (m == SAMPLED)
        for (int i = first; i < end; i++) work[i] = mu[i] + sd[i] * eps[i];
    else if (m == LOCAL)
        for (int i = first; i < end; i++) work[i] = sd[i] * sd[i];
    else if (m == FLIPOUT)
        for (int i = first; i < end; i++) work[i] = sd[i] * eps[i];
}

void bnn_gaussian_prepare(const bnn_layer *l, bnn_io *io) {
    int p = n_weights(l);
    method m = method_of(l, io);
    bool kl_sampled = !bnn_prior_vtable(prior_of(l))->kl_gaussian;
    if (m == SAMPLED || m == FLIPOUT || kl_sampled) bnn_rng_normal(bnn_rng_split(io->rng, STREAM_WEIGHTS), 0, 1, p, io->pass + p);
    run_parts(&(parts){.l = l, .io = io}, prepare_part);
}

static void square(size_t n, const bnn_real *restrict x, bnn_real *restrict y) {
    for (size_t i = 0; i < n; i++) y[i] = x[i] * x[i];
}

static void multiply(size_t n, const bnn_real *restrict a, const bnn_real *restrict b, bnn_real *restrict y) {
    for (size_t i = 0; i < n; i++) y[i] = a[i] * b[i];
}

static void multiply_add(size_t n, const bnn_real *restrict a, const bnn_real *restrict b, bnn_real *restrict y) {
    for (size_t i = 0; i < n; i++) y[i] += a[i] * b[i];
}

/* y += sqrt(v) e; half[n], in: e, out: dy/dv = e / (2 sqrt v). v is 0 only where all inputs are: tiny keeps the quotient finite, and it is
 * multiplied by them. */
static void add_noise(size_t n, const bnn_real *restrict v, bnn_real *restrict half, bnn_real *restrict y) {
    const bnn_real tiny = (bnn_real)1e-20;
    for (size_t i = 0; i < n; i++) {
        const bnn_real sd = (bnn_real)sqrt(v[i]);
        y[i] += sd * half[i];
        half[i] /= 2 * sd + tiny;
    }
}

static void forward_local(const bnn_layer *l, bnn_io *io, const bnn_gaussian_map *map) {
    size_t in = (size_t)io->n * bnn_layer_size_in(l), out = (size_t)io->n * bnn_layer_size_out(l);
    const bnn_real *var = io->pass + 2 * n_weights(l);
    bnn_real *x2 = io->scratch, *v = x2 + in;
    square(in, io->x[0], x2);
    map->y(l, io->n, x2, var, bias(l, var), v);
    bnn_rng_normal(bnn_rng_split(io->rng, STREAM_ROWS_OUT), io->row0, io->n, bnn_layer_size_out(l), io->cache);
    add_noise(out, v, io->cache, io->y);
}

/* dv = dy e / (2 sqrt v);  dvar += (x^2)^T dv;  dx += 2 x (dv var^T) */
static void backward_local(const bnn_layer *l, bnn_io *io, const bnn_gaussian_map *map) {
    size_t in = (size_t)io->n * bnn_layer_size_in(l), out = (size_t)io->n * bnn_layer_size_out(l);
    const bnn_real *x = io->x[0];
    bnn_real *part = io->scratch, *dv = part + in, *dx = io->dx[0];
    multiply(out, io->dy, io->cache, dv);
    square(in, x, part);
    if (io->dtheta) map->dw(l, io->n, part, dv, io->dpass, bias(l, io->dpass));
    if (!dx) return;
    memset(part, 0, in * sizeof *part);
    map->dx(l, io->n, dv, io->pass + 2 * n_weights(l), part);
    for (size_t i = 0; i < in; i++) dx[i] += 2 * x[i] * part[i];
}

/* s[n, size of shape] of -1 and 1: one for each number of a vector, one for all pixels of a channel of an image. */
static void draw_signs(const bnn_io *io, uint64_t stream, bnn_shape shape, bnn_real *s) {
    size_t repeat = shape.rank == 3 ? (size_t)shape.d[1] * (size_t)shape.d[2] : 1, width = (size_t)bnn_shape_size(shape) / repeat;
    bnn_rng_mask(bnn_rng_split(io->rng, stream), io->row0, io->n, (int)width, 0.5, 2, s);
    for (size_t i = (size_t)io->n * width; i-- > 0;) {
        const bnn_real sign = s[i] - 1;
        for (size_t k = 0; k < repeat; k++) s[i * repeat + k] = sign;
    }
}

static void forward_flipout(const bnn_layer *l, bnn_io *io, const bnn_gaussian_map *map) {
    size_t in = (size_t)io->n * bnn_layer_size_in(l), out = (size_t)io->n * bnn_layer_size_out(l);
    const bnn_real *delta = io->pass + 2 * n_weights(l);
    bnn_real *s = io->cache, *r = s + in, *xs = io->scratch, *noise = xs + in;
    draw_signs(io, STREAM_ROWS_IN, l->in[0], s);
    draw_signs(io, STREAM_ROWS_OUT, l->plan.out, r);
    multiply(in, io->x[0], s, xs);
    map->y(l, io->n, xs, delta, bias(l, delta), noise);
    multiply_add(out, noise, r, io->y);
}

/* ddelta += (x s)^T (dy r);  dx += s ((dy r) delta^T) */
static void backward_flipout(const bnn_layer *l, bnn_io *io, const bnn_gaussian_map *map) {
    size_t in = (size_t)io->n * bnn_layer_size_in(l), out = (size_t)io->n * bnn_layer_size_out(l);
    bnn_real *s = io->cache, *r = s + in, *part = io->scratch, *dnoise = part + in;
    multiply(out, io->dy, r, dnoise);
    multiply(in, io->x[0], s, part);
    if (io->dtheta) map->dw(l, io->n, part, dnoise, io->dpass, bias(l, io->dpass));
    if (!io->dx[0]) return;
    memset(part, 0, in * sizeof *part);
    map->dx(l, io->n, dnoise, io->pass + 2 * n_weights(l), part);
    multiply_add(in, part, s, io->dx[0]);
}

void bnn_gaussian_forward(const bnn_layer *l, bnn_io *io, const bnn_gaussian_map *map) {
    method m = method_of(l, io);
    const bnn_real *w = m == SAMPLED ? io->pass + 2 * n_weights(l) : io->theta;
    map->y(l, io->n, io->x[0], w, bias(l, w), io->y);
    if (m == LOCAL) forward_local(l, io, map);
    if (m == FLIPOUT) forward_flipout(l, io, map);
}

void bnn_gaussian_backward(const bnn_layer *l, bnn_io *io, const bnn_gaussian_map *map) {
    method m = method_of(l, io);
    const bnn_real *w = m == SAMPLED ? io->pass + 2 * n_weights(l) : io->theta;
    bnn_real *dw = m == SAMPLED ? io->dpass : io->dtheta;
    if (io->dx[0]) map->dx(l, io->n, io->dy, w, io->dx[0]);
    if (io->dtheta) map->dw(l, io->n, io->x[0], io->dy, dw, bias(l, dw));
    if (m == LOCAL) backward_local(l, io, map);
    if (m == FLIPOUT) backward_flipout(l, io, map);
}

BNN_LOOP static void add_product(size_t n, bnn_real scale, const bnn_real *restrict a, const bnn_real *restrict b, bnn_real *restrict out) {
    for (size_t i = 0; i < n; i++) out[i] += scale * a[i] * b[i];
}

/* drho += dsd d sd / d rho */
static void add_drho(int n, const bnn_real *rho, const bnn_real *dsd, bnn_real scale, bnn_real *drho) {
    bnn_real slope[PIECE];
    bnn_vec_sigmoid((size_t)n, rho, slope);
    add_product((size_t)n, scale, dsd, slope, drho);
}

static void finish_part(void *context, int first, int n) {
    const parts *w = context;
    bnn_io *io = w->io;
    int p = n_weights(w->l), end = first + n;
    method m = method_of(w->l, io);
    const bnn_real *sd = io->pass, *eps = sd + p, *dwork = io->dpass;
    bnn_real dsd[PIECE];
    for (int i = first; m == SAMPLED && i < end; i++) io->dtheta[i] += dwork[i];
    for (int from = first; from < end; from += PIECE) {
        int piece = end - from < PIECE ? end - from : PIECE;
        multiply((size_t)piece, dwork + from, (m == LOCAL ? sd : eps) + from, dsd);
        add_drho(piece, io->theta + p + from, dsd, m == LOCAL ? 2 : 1, io->dtheta + p + from);
    }
}

void bnn_gaussian_finish(const bnn_layer *l, bnn_io *io) {
    if (method_of(l, io) != AT_MEAN) run_parts(&(parts){.l = l, .io = io}, finish_part);
}

void bnn_gaussian_score(const bnn_layer *l, bnn_io *io, double scale) {
    int p = n_weights(l);
    const bnn_real *sd = io->pass, *eps = sd + p;
    bnn_real dsd[PIECE];
    for (int i = 0; i < p; i++) io->dtheta[i] += (bnn_real)scale * eps[i] / sd[i];
    for (int from = 0; from < p; from += PIECE) {
        int n = p - from < PIECE ? p - from : PIECE;
        for (int i = 0; i < n; i++) dsd[i] = (eps[from + i] * eps[from + i] - 1) / sd[from + i];
        add_drho(n, io->theta + p + from, dsd, (bnn_real)scale, io->dtheta + p + from);
    }
}

/* log q(w) - log p(w) at w = mu + sd eps, and its gradient along the path: dmu = -(log p)', dsd = -(log p)' eps - 1/sd. */
static double kl_sampled(const bnn_prior *prior, const bnn_prior_block *block, int n, const bnn_real *mu, const bnn_real *sd,
                         const bnn_real *eps, bnn_real *dmu, bnn_real *dsd) {
    const double half_log_2pi = 0.91893853320467274178;
    bnn_real w[PIECE], log_sd[PIECE];
    for (int i = 0; i < n; i++) w[i] = mu[i] + sd[i] * eps[i];
    bnn_vec_log((size_t)n, sd, log_sd);
    double kl = -bnn_prior_vtable(prior)->logp(prior, block, n, w, dmu) - n * half_log_2pi;
    for (int i = 0; i < n; i++) {
        kl -= (double)log_sd[i] + 0.5 * (double)eps[i] * (double)eps[i];
        dsd[i] = -dmu[i] * eps[i] - 1 / sd[i];
        dmu[i] = -dmu[i];
    }
    return kl;
}

/* The kernel or the bias as the prior sees it: what the means and spreads are of. */
static bnn_prior_block weights_of(const bnn_layer *l, bool weight) {
    bnn_param block = l->plan.param[0];
    block.name = weight ? "kernel" : "bias", block.role = weight ? BNN_WEIGHT : BNN_BIAS;
    if (!weight) block.rows = 0;
    return bnn_layer_prior_block(l, &block);
}

/* KL of weights from .. from+n (at most PIECE), all of the kernel or all of the bias. */
static double penalty_piece(const bnn_layer *l, bnn_io *io, double scale, bool weight, int from, int n) {
    int p = n_weights(l);
    const bnn_prior *prior = prior_of(l);
    const bnn_prior_type *type = bnn_prior_vtable(prior);
    const bnn_prior_block block = weights_of(l, weight);
    const bnn_real *mu = io->theta + from, *sd = io->pass + from;
    bnn_real dmu[PIECE], dsd[PIECE];
    double kl =
        type->kl_gaussian ? type->kl_gaussian(prior, &block, n, mu, sd, dmu, dsd) : kl_sampled(prior, &block, n, mu, sd, sd + p, dmu, dsd);
    if (!io->dtheta) return kl;
    for (int i = 0; i < n; i++) io->dtheta[from + i] += (bnn_real)scale * dmu[i];
    add_drho(n, mu + p, dsd, (bnn_real)scale, io->dtheta + p + from);
    return kl;
}

static void penalty_part(void *context, int first, int n) {
    parts *w = context;
    int k = n_kernel(w->l), last = first + n;
    double *kl = &w->kl[first / w->length];
    *kl = 0;
    for (int from = first; from < last;) {
        int end = from < k && k < last ? k : last, piece = end - from < PIECE ? end - from : PIECE;
        *kl += penalty_piece(w->l, w->io, w->scale, from < k, from, piece);
        from += piece;
    }
}

double bnn_gaussian_penalty(const bnn_layer *l, bnn_io *io, double scale) {
    parts w = {.l = l, .io = io, .scale = scale};
    double kl = 0;
    run_parts(&w, penalty_part);
    for (int i = 0; i * w.length < n_weights(l); i++) kl += w.kl[i];
    return kl;
}
