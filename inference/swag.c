/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * swag: a Gaussian of the parameters that descent with a constant step size passes after a warm-up (Maddox et al. 2019).
 *
 *   theta_k at the end of every `every` epochs from share `start` on, k = 1..n;   m = mean, V = mean square - m^2,   D = columns theta_k -
 * m_k, m_k the mean so far, of the last K = min(rank, n) draw = m + sqrt(scale) ( sqrt(V / 2) z_1 + D z_2 / sqrt(2 (K - 1)) ),   z ~ N(0,
 * I): covariance scale (V + D D' / (K - 1)) / 2 rank = 0: draw = m + sqrt(scale V) z_1
 *
 * The step size is lr (or falls along a cosine from there) until share `start` of the steps is done, and swa_lr from then on; that of the
 * other roles in the same proportion. The width of the Gaussian is that of the noise of the minibatches at swa_lr, not of the posterior: it
 * grows with swa_lr / batch, and whole batches have none.
 *
 * Noise of layers is there in training and in prediction. V is summed about the mean as it goes (Welford 1962), not as a difference of
 * squares.
 */
#include <bnn/descent.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    int rank, every;
    double start, swa_lr, scale;
    bnn_descent_conf descent;
} conf;

static const bnn_option options[] = {
    BNN_OPT_INT(conf, rank, "20", 0, 1e6, "deviations that are kept, at least 2; 0: variances alone"),
    BNN_OPT_REAL(conf, start, "0.5", 0, 0.999999, "share of the epochs before the first parameters that count"),
    BNN_OPT_INT(conf, every, "1", 1, 1e9, "epochs between those that count"),
    BNN_OPT_REAL(conf, swa_lr, "0.01", 0, 1e9, "step size on U/N from there on"),
    BNN_OPT_REAL(conf, scale, "1", 0, 1e9, "factor on the covariance"),
    BNN_OPT_GROUP(conf, descent, bnn_descent_options, BNN_PRESETS("steps", "6000", "batch", "32")),
    {0}};

typedef struct {
    bnn_descent descent; /* first: the hooks of descent.h take the state for one */
    bnn_real *mean;      /* [n_theta] */
    bnn_real *squares;   /* [n_theta] sum of squared deviations from the mean */
    bnn_real *deviation; /* [rank, n_theta] the latest; number k stands at k % rank */
    uint64_t taken;      /* parameters that count */
} state;

/* Epochs before the first that count. */
static uint64_t warm_up(const conf *c, const state *s) { return (uint64_t)(c->start * s->descent.epochs); }

static size_t columns_of(const conf *c, const state *s) { return s->taken < (uint64_t)c->rank ? s->taken : (size_t)c->rank; }

static bnn_status check(const conf *c, const state *s) {
    uint64_t all = ((uint64_t)s->descent.epochs - warm_up(c, s)) / (uint64_t)c->every;
    if (c->rank == 1) return bnn_fail(BNN_ERR_OPTION, "rank is 1: a covariance takes at least 2 deviations (0: variances alone)");
    if (c->descent.level > 0) return bnn_fail(BNN_ERR_OPTION, "option 'level': a Gaussian takes the parameters of all epochs: leave it out");
    if (c->descent.lr == 0) return bnn_fail(BNN_ERR_OPTION, "lr is 0: step sizes from start on are in proportion to it");
    if (all >= 2) return BNN_OK;
    return bnn_fail(BNN_ERR_OPTION, "start, every and epochs leave %d parameters that count, at least 2 are needed", (int)all);
}

static bnn_status open(bnn_engine *e, const bnn_data *data) {
    const conf *c = e->object.conf;
    state *s = e->state;
    size_t n = (size_t)e->model->n_theta, reals = n * (size_t)(2 + c->rank);
    BNN_TRY(bnn_memory_check((double)reals * sizeof(bnn_real), "the Gaussian", "keep a lower rank"));
    s->mean = bnn_reals_new(n);
    s->squares = bnn_reals_new(n);
    s->deviation = bnn_reals_new(n * (size_t)c->rank);
    if (!s->mean || !s->squares || !s->deviation) return bnn_oom("the Gaussian");
    BNN_TRY(bnn_descent_open(e, &c->descent, data, BNN_ROWS));
    if (data->n > 0) BNN_TRY(check(c, s));
    s->descent.span = (double)warm_up(c, s) / s->descent.epochs;
    s->descent.end = c->swa_lr / c->descent.lr;
    return BNN_OK;
}

/* Counts theta as it stands. */
static void take(const conf *c, state *s, size_t n) {
    bnn_real *column = c->rank > 0 ? s->deviation + s->taken % (uint64_t)c->rank * n : NULL;
    double k = (double)++s->taken;
    for (size_t i = 0; i < n; i++) {
        double theta = (double)s->descent.theta[i], before = theta - (double)s->mean[i], mean = (double)s->mean[i] + before / k;
        s->mean[i] = (bnn_real)mean;
        s->squares[i] += (bnn_real)(before * (theta - mean));
        if (column) column[i] = (bnn_real)(theta - mean);
    }
}

static bnn_status step(bnn_engine *e, const bnn_data *data, bnn_step *out) {
    const conf *c = e->object.conf;
    state *s = e->state;
    BNN_TRY(bnn_descent_step(e, data, out));
    uint64_t epochs = s->descent.counter[0], first = warm_up(c, s);
    if (epochs > first && (epochs - first) % (uint64_t)c->every == 0) take(c, s, (size_t)e->model->n_theta);
    return BNN_OK;
}

static bnn_status draw(const bnn_engine *e, int i, bnn_rng rng, bnn_real *theta) {
    const conf *c = e->object.conf;
    const state *s = e->state;
    size_t n = (size_t)e->model->n_theta, columns = columns_of(c, s);
    (void)i;
    if (s->taken < 2) return bnn_fail(BNN_ERR_STATE, "engine 'swag' has no Gaussian before two parameters count");
    double half = columns > 0 ? 0.5 : 1, sd = sqrt(c->scale * half / (double)s->taken);
    bnn_real *z = bnn_reals_new(columns);
    if (!z) return bnn_oom("a draw");
    bnn_rng_normal(rng, 0, 1, (int)n, theta);
    bnn_rng_normal(rng, 1, 1, (int)columns, z);
    for (size_t k = 0; k < n; k++) theta[k] = s->mean[k] + (bnn_real)(sd * sqrt((double)s->squares[k]) * (double)theta[k]);
    for (size_t j = 0; j < columns; j++) {
        bnn_real weight = (bnn_real)(sqrt(c->scale / (2 * ((double)columns - 1))) * (double)z[j]);
        for (size_t k = 0; k < n; k++) theta[k] += weight * s->deviation[j * n + k];
    }
    free(z);
    return BNN_OK;
}

/* The mean first: files show it as /model_weights. */
static int blocks(bnn_engine *e, bnn_block *out) {
    const conf *c = e->object.conf;
    state *s = e->state;
    size_t n = (size_t)e->model->n_theta;
    out[0] = (bnn_block){.name = "mean", .kind = BNN_BLOCK_REAL, .data = s->mean, .length = n, .theta = true};
    out[1] = (bnn_block){.name = "taken", .kind = BNN_BLOCK_U64, .data = &s->taken, .length = 1};
    out[2] = (bnn_block){.name = "squares", .kind = BNN_BLOCK_REAL, .data = s->squares, .length = n, .theta = true};
    out[3] = (bnn_block){.name = "deviation", .kind = BNN_BLOCK_REAL, .data = s->deviation, .length = columns_of(c, s) * n, .theta = true};
    return 4 + bnn_descent_blocks(e, out + 4);
}

static void close(bnn_engine *e) {
    state *s = e->state;
    free(s->mean);
    free(s->squares);
    free(s->deviation);
    bnn_descent_close(e);
}

static const char *const checks[] = {"swag:epochs=20,batch=16,rank=4", "swag:epochs=20,batch=16,rank=0,every=2,schedule=cosine", NULL};

const bnn_engine_type bnn_engine_swag = {
    .type = {BNN_TYPE(bnn_engine_type), .name = "swag", .summary = "a Gaussian of the parameters that descent passes after a warm-up",
             .reference = "Maddox et al. 2019", .caps = BNN_WEIGHS | BNN_TAKES, .conf_size = sizeof(conf), .options = options,
             .checks = checks},
    .state_size = sizeof(state),
    .open = open,
    .step = step,
    .close = close,
    .blocks = blocks,
    .draw = draw,
    .fails = "the width comes from the step size, not from the data (swa_lr). Seen as: coverage off to either side.",
};
