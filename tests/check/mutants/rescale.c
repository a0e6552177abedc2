/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * rescale: softplus units with a gain and a shift of their own. MUTANT 0 is right, each other one has one fault.
 *
 *   y = w s + b + tilt max(x, 0),   s = gain factor log(1 + exp(x))            any shape of D units; w, b [D]
 *   dx += dy (w gain factor sigmoid(x) + tilt [x > 0])    dw += dy s    db += dy
 *
 * gain is 1. Parameters: scale [D] WEIGHT, shift [D] BIAS.
 */
#include <bnn/layer.h>

#include <math.h>
#include <stdlib.h>

typedef struct {
    double factor, tilt, gain; /* gain is set by bind */
} conf;

static const bnn_option options[] = {{.name = "factor",
                                      .kind = BNN_OPTION_REAL,
                                      .offset = offsetof(conf, factor),
                                      .preset = "1",
                                      .min = 0.01,
                                      .max = 100,
                                      .help = "of the softplus"},
#if MUTANT == 11
                                     {.name = "tilt",
                                      .kind = BNN_OPTION_REAL,
                                      .offset = offsetof(conf, factor),
                                      .preset = "1",
                                      .min = 0.01,
                                      .max = 10,
                                      .help = "slope above 0"},
#else
                                     {.name = "tilt",
                                      .kind = BNN_OPTION_REAL,
                                      .offset = offsetof(conf, tilt),
                                      .preset = "0",
                                      .min = 0,
                                      .max = 10,
                                      .help = "slope above 0"},
#endif
                                     {0}};

static bnn_status bind(bnn_layer *l) {
    conf *c = l->object.conf;
    int d = bnn_layer_size_in(l);
#if MUTANT == 12
    c->factor *= 1.5;
#endif
#if MUTANT == 13
    static int bound;
    c->gain = 1 + bound++;
#else
    c->gain = 1;
#endif
    l->plan = (bnn_plan) {
        .out = l->in[0], .n_params = 2,
#if MUTANT == 15
        .param = {{.name = "scale", .role = BNN_WEIGHT, .cols = d, .fan_in = 1},
                  {.name = "scale", .role = BNN_BIAS, .cols = d, .fan_in = 1}},
#else
        .param = {{.name = "scale", .role = BNN_WEIGHT, .cols = d, .fan_in = 1},
                  {.name = "shift", .role = BNN_BIAS, .cols = d, .fan_in = 1}},
#endif
        .cache_row = d,
#if MUTANT == 10
        .scratch_row = 4 * d,
#else
        .scratch_row = d,
#endif
#if MUTANT != 9
        .flops_row = 24.0 * d,
#endif
        .back_flops_row = 20.0 * d,
    };
    return BNN_OK;
}

#if MUTANT == 21
static bnn_real shared[1 << 16];
#endif

/* s[n D] */
static void softplus(const conf *c, size_t n, const bnn_real *x, bnn_real *s) {
    const bnn_real factor = (bnn_real)(c->gain * c->factor);
#if MUTANT == 19
    for (size_t i = 0; i < n; i++) s[i] = (bnn_real)log1p(exp((double)x[i]));
#elif MUTANT == 8
    bnn_vec_softplus(n > 0 ? n - 1 : 0, x, s);
#else
    bnn_vec_softplus(n, x, s);
#endif
    for (size_t i = 0; i < n; i++) s[i] *= factor;
}

static void forward(const bnn_layer *l, bnn_io *io) {
    const conf *c = l->object.conf;
    size_t d = (size_t)bnn_layer_size_in(l), n = (size_t)io->n;
    const bnn_real *x = io->x[0], *w = io->theta, *b = w + d, tilt = (bnn_real)c->tilt;
    bnn_real *s = io->cache;
#if MUTANT == 5
    void *volatile extra = malloc(d * sizeof *s);
    free(extra);
#elif MUTANT == 18
    if (n > 0) ((bnn_real *)io->x[0])[0] = 0;
#elif MUTANT == 21
    s = shared;
#endif
    softplus(c, n * d, x, s);
    for (size_t i = 0; i < n * d; i++) io->y[i] = w[i % d] * s[i] + b[i % d] + tilt * (x[i] > 0 ? x[i] : 0);
#if MUTANT == 6
    static int calls;
    if (n > 0) io->y[0] += (bnn_real)(1e-3 * calls++);
#endif
}

static void backward_theta(size_t d, const bnn_io *io, const bnn_real *s) {
    bnn_real *dw = io->dtheta, *db = dw + d;
#if MUTANT == 20
    for (size_t r = 0; r < (size_t)io->n || r == 0; r++)
#else
    for (size_t r = 0; r < (size_t)io->n; r++)
#endif
        for (size_t i = 0; i < d; i++) {
            const bnn_real dy = io->dy[r * d + i];
#if MUTANT == 1
            dw[i] += 2 * dy * s[r * d + i];
#elif MUTANT == 3
            dw[i] = dy * s[r * d + i];
#else
        dw[i] += dy * s[r * d + i];
#endif
#if MUTANT == 4
            (void)db;
#elif MUTANT == 23
            db[i] += dy / (bnn_real)io->n;
#else
        db[i] += dy;
#endif
        }
}

static void backward(const bnn_layer *l, bnn_io *io) {
    const conf *c = l->object.conf;
    size_t d = (size_t)bnn_layer_size_in(l), n = (size_t)io->n * d;
    const bnn_real *x = io->x[0], *w = io->theta, *dy = io->dy, factor = (bnn_real)(c->gain * c->factor), tilt = (bnn_real)c->tilt;
    bnn_real *dx = io->dx[0], *slope = io->scratch;
    const bnn_real *s = io->cache;
#if MUTANT == 21
    s = shared;
#endif
#if MUTANT == 22
    if (!io->dtheta) return;
#endif
    if (io->dtheta) backward_theta(d, io, s);
    if (!dx) return;
    bnn_vec_sigmoid(n, x, slope);
#if MUTANT == 7
    slope[n] = 0;
#endif
    for (size_t i = 0; i < n; i++)
#if MUTANT == 2
        dx[i] = dy[i] * (w[i % d] * factor * slope[i] + (x[i] > 0 ? tilt : 0));
#elif MUTANT == 17
        dx[i] += dy[i] * (w[i % d] * slope[i] + (x[i] > 0 ? tilt : 0));
#else
        dx[i] += dy[i] * (w[i % d] * factor * slope[i] + (x[i] > 0 ? tilt : 0));
#endif
    (void)factor;
}

static void init(const bnn_layer *l, bnn_rng rng, bnn_real *theta) {
    int d = bnn_layer_size_in(l);
    bnn_rng_normal(rng, 0, 1, d, theta);
#if MUTANT != 14
    for (int i = 0; i < d; i++) theta[d + i] = 0;
#endif
}

static const char *const checks[] = {"input:5; " MUTANT_NAME, "input:2x3; " MUTANT_NAME ":tilt=0.5", "input:4; " MUTANT_NAME ":2; dense:3",
                                     NULL};

#if MUTANT == 16
#define CAPS 0
#else
#define CAPS BNN_KINKED
#endif

static const bnn_layer_type mutant = {
    .type = {BNN_TYPE(bnn_layer_type), .name = MUTANT_NAME, .summary = "softplus units with gain and shift", .caps = CAPS,
             .conf_size = sizeof(conf), .options = options, .checks = checks},
    .min_in = 1,
    .max_in = 1,
    .bind = bind,
    .forward = forward,
    .backward = backward,
    .init = init,
};

BNN_LAYER_PLUGIN(mutant)
