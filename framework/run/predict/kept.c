/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ess.h"
#include "parts.h"

#include <bnn/jobs.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rows that a job of the draws of y takes; bytes that the draws of some means may take in one of the Monte Carlo errors. */
enum { PIECE = 64, MOST_SERIES_BYTES = 1 << 23 };

static const bnn_likelihood *likelihood_of(const bnn_kept_part *part) { return &part->engine->model->likelihood; }

double bnn_kept_bytes(const bnn_engine *engine, int S) {
    double out = engine->model->likelihood.out_dim;
    return S > 0 ? S * out * sizeof(bnn_real) : out * (out + 1) * sizeof(double);
}

bnn_status bnn_kept_part_open(const bnn_engine *engine, int S, int rows, double weight, bnn_kept_part *part) {
    const bnn_likelihood *l = &engine->model->likelihood;
    size_t n = (size_t)rows, out = (size_t)l->out_dim, draws = (size_t)(S > 0 ? S : 1);
    *part = (bnn_kept_part){.engine = engine, .weight = weight, .rows = rows, .S = S};
    BNN_TRY(bnn_memory_check((double)n * bnn_kept_bytes(engine, S), "outputs of all draws of a row", "take fewer draws"));
    part->noise = malloc((draws * (size_t)l->n_theta + 1) * sizeof *part->noise);
    if (S > 0) part->f = malloc((draws * n * out + 1) * sizeof *part->f);
    if (S == 0) part->mean = malloc((n * out + 1) * sizeof *part->mean), part->cov = malloc((n * out * out + 1) * sizeof *part->cov);
    if (part->noise && (S > 0 ? part->f != NULL : part->mean && part->cov)) return BNN_OK;
    bnn_kept_part_close(part);
    return bnn_oom("prediction");
}

void bnn_kept_part_close(bnn_kept_part *part) {
    free(part->f), free(part->noise), free(part->mean), free(part->cov);
    *part = (bnn_kept_part){0};
}

/* Outputs of draw s from row `at` on. */
static bnn_real *outputs_at(const bnn_kept_part *part, int s, int at) {
    return part->f + ((size_t)s * (size_t)part->rows + (size_t)at) * (size_t)likelihood_of(part)->out_dim;
}

static bnn_real *noise_at(const bnn_kept_part *part, int s) { return part->noise + (size_t)s * (size_t)likelihood_of(part)->n_theta; }

void bnn_kept_take(const bnn_kept_part *part, int s, int at, int n, const bnn_real *f, const bnn_real *noise) {
    const bnn_likelihood *l = likelihood_of(part);
    memcpy(outputs_at(part, s, at), f, (size_t)n * (size_t)l->out_dim * sizeof *f);
    if (at == 0) memcpy(noise_at(part, s), noise, (size_t)l->n_theta * sizeof *noise);
}

void bnn_kept_take_gaussian(const bnn_kept_part *part, int at, int n, const double *mean, const double *cov, const bnn_real *noise) {
    const bnn_likelihood *l = likelihood_of(part);
    size_t out = (size_t)l->out_dim;
    memcpy(part->mean + (size_t)at * out, mean, (size_t)n * out * sizeof *mean);
    memcpy(part->cov + (size_t)at * out * out, cov, (size_t)n * out * out * sizeof *cov);
    memcpy(part->noise, noise, (size_t)l->n_theta * sizeof *noise);
}

/* ---- Monte Carlo errors of chains ---- */

bool bnn_kept_is_chains(const bnn_engine *engine, int S) {
    const bnn_engine_type *type = bnn_engine_vtable(engine);
    return type->n_chains && engine->model->likelihood.sites == 1 && S / type->n_chains(engine) >= BNN_ESS_FEWEST;
}

typedef struct {
    const bnn_kept_part *part;
    bnn_prediction *p;
    int chains, piece; /* rows of a piece */
} errors;

/* Means of y of all draws, in its units: x[n, k, S]. */
static void gather_means(const errors *e, int at, int n, bnn_real *mean, double *x) {
    const bnn_likelihood *l = likelihood_of(e->part);
    const bnn_scaling *scaling = &e->part->engine->model->scaling;
    const bnn_observation seen = {.mean = mean};
    int k = l->mean_dim, S = e->part->S;
    for (int s = 0; s < S; s++) {
        bnn_likelihood_vtable(l)->observe(l, n, outputs_at(e->part, s, at), NULL, noise_at(e->part, s), &seen);
        for (int i = 0; i < n * k; i++)
            x[(size_t)i * (size_t)S + (size_t)s] =
                e->p->is_class ? (double)mean[i] : (double)mean[i] * scaling->y_sd[i % k] + scaling->y_mean[i % k];
    }
}

static bnn_status measure_piece(void *context, int piece) {
    const errors *e = context;
    int at = piece * e->piece, n = e->part->rows - at < e->piece ? e->part->rows - at : e->piece;
    size_t S = (size_t)e->part->S, chains = (size_t)e->chains, cells = (size_t)n * (size_t)e->p->mean_dim;
    bnn_ess_room room = {0};
    bnn_real *mean = malloc(cells * sizeof *mean);
    double *x = malloc((cells + 1) * S * sizeof *x), *halves = x + cells * S;
    bnn_status s = mean && x ? bnn_ess_room_open(2 * chains, S / chains / 2 + 1, &room) : bnn_oom("Monte Carlo errors");
    if (s == BNN_OK) gather_means(e, at, n, mean, x);
    for (size_t i = 0; s == BNN_OK && i < cells; i++)
        if (bnn_ess_is_finite(S, x + i * S) && !bnn_ess_is_constant(S, x + i * S))
            e->p->mean_mcse[(size_t)at * (size_t)e->p->mean_dim + i] = bnn_ess_mcse(&room, chains, S / chains, x + i * S, halves);
    bnn_ess_room_close(&room);
    free(mean), free(x);
    return s;
}

bnn_status bnn_kept_mcse(const bnn_kept_part *part, bnn_prediction *p) {
    size_t row = (size_t)part->S * (size_t)p->mean_dim * sizeof(double), most = MOST_SERIES_BYTES / row;
    errors e = {.part = part, .p = p, .chains = bnn_engine_vtable(part->engine)->n_chains(part->engine)};
    e.piece = most < 1 ? 1 : most > PIECE ? PIECE : (int)most;
    return bnn_jobs_run((part->rows + e.piece - 1) / e.piece, measure_piece, &e);
}

/* ---- distribution functions ---- */

bnn_status bnn_kept_room_open(const bnn_kept *kept, int n, bnn_kept_room *room) {
    size_t out = 0, k = (size_t)likelihood_of(&kept->part[0])->y_dim, rows = (size_t)n;
    for (int i = 0; i < kept->n; i++)
        if ((size_t)likelihood_of(&kept->part[i])->out_dim > out) out = (size_t)likelihood_of(&kept->part[i])->out_dim;
    *room = (bnn_kept_room){.pit = malloc(rows * k * sizeof *room->pit),
                            .mean = malloc(rows * out * sizeof *room->mean),
                            .cov = malloc(rows * out * out * sizeof *room->cov),
                            .p = malloc(rows * k * sizeof *room->p),
                            .sum = malloc(rows * k * sizeof *room->sum)};
    if (room->pit && room->mean && room->cov && room->p && room->sum) return BNN_OK;
    bnn_kept_room_close(room);
    return bnn_oom("prediction");
}

void bnn_kept_room_close(bnn_kept_room *room) {
    free(room->pit), free(room->mean), free(room->cov), free(room->p), free(room->sum);
    *room = (bnn_kept_room){0};
}

BNN_LOOP static void add(size_t n, const bnn_real *restrict x, double *restrict sum) {
    for (size_t i = 0; i < n; i++) sum[i] += (double)x[i];
}

static void sum_draws(const bnn_kept_part *part, const bnn_kept_room *room, int at, int n, const bnn_real *y) {
    const bnn_likelihood *l = likelihood_of(part);
    const bnn_observation seen = {.pit = room->pit};
    size_t cells = (size_t)n * (size_t)l->y_dim;
    memset(room->sum, 0, cells * sizeof *room->sum);
    for (int s = 0; s < part->S; s++) {
        bnn_likelihood_vtable(l)->observe(l, n, outputs_at(part, s, at), y, noise_at(part, s), &seen);
        add(cells, room->pit, room->sum);
    }
}

static void ask_marginal(const bnn_kept_part *part, const bnn_kept_room *room, int at, int n, const bnn_real *y) {
    const bnn_likelihood *l = likelihood_of(part);
    const bnn_marginal seen = {.mean = room->p, .pit = room->sum};
    size_t out = (size_t)l->out_dim, rows = (size_t)n, row = (size_t)at;
    memcpy(room->mean, part->mean + row * out, rows * out * sizeof *room->mean);
    memcpy(room->cov, part->cov + row * out * out, rows * out * out * sizeof *room->cov);
    bnn_likelihood_vtable(l)->marginal(l, n, room->mean, room->cov, y, part->noise, &seen);
}

void bnn_kept_cdf(const bnn_kept *kept, const bnn_kept_room *room, int at, int n, const bnn_real *y, double *F) {
    size_t cells = (size_t)n * (size_t)likelihood_of(&kept->part[0])->y_dim;
    memset(F, 0, cells * sizeof *F);
    for (int i = 0; i < kept->n; i++) {
        const bnn_kept_part *part = &kept->part[i];
        if (part->S > 0)
            sum_draws(part, room, at, n, y);
        else
            ask_marginal(part, room, at, n, y);
        for (size_t c = 0; c < cells; c++) F[c] += part->weight / (part->S > 0 ? part->S : 1) * room->sum[c];
    }
}

/* ---- draws of y ---- */

typedef struct {
    const bnn_kept *kept;
    bnn_prediction *p;
    int base;
    bnn_rng outputs, targets; /* of Gaussian outputs, of y given f: split by the number of the draw */
} drawing;

/* Finds the part that the share u of all draws of the mixture falls into, and the draw of that part. */
static const bnn_kept_part *find_draw(const bnn_kept *kept, double u, int *s) {
    int i = 0;
    while (i < kept->n - 1 && u >= kept->part[i].weight) u -= kept->part[i++].weight;
    const bnn_kept_part *part = &kept->part[i];
    int draw = (int)(u / part->weight * part->S);
    *s = draw < part->S ? draw : part->S - 1;
    return part;
}

void bnn_covariance_root(size_t n, const double *cov, double *root) {
    memset(root, 0, n * n * sizeof *root);
    for (size_t j = 0; j < n; j++)
        for (size_t i = j; i < n; i++) {
            double left = cov[i * n + j];
            for (size_t k = 0; k < j; k++) left -= root[i * n + k] * root[j * n + k];
            if (i == j)
                root[j * n + j] = left > 1e-14 * cov[j * n + j] ? sqrt(left) : 0;
            else if (root[j * n + j] > 0)
                root[i * n + j] = left / root[j * n + j];
        }
}

/* f[n, out] ~ N(mean, cov) */
static void draw_gaussian(const bnn_kept_part *part, bnn_rng rng, uint64_t row0, int at, int n, const bnn_kept_room *room, bnn_real *f) {
    size_t out = (size_t)likelihood_of(part)->out_dim;
    bnn_rng_normal(rng, row0, n, (int)out, f);
    for (size_t i = 0; i < (size_t)n; i++) {
        const double *mean = part->mean + ((size_t)at + i) * out;
        bnn_covariance_root(out, part->cov + ((size_t)at + i) * out * out, room->cov);
        for (size_t k = out; k-- > 0;) { /* in place: what stands before k is needed, what stands behind is not */
            double sum = mean[k];
            for (size_t j = 0; j <= k; j++) sum += room->cov[k * out + j] * (double)f[i * out + j];
            f[i * out + k] = (bnn_real)sum;
        }
    }
}

static void draw_once(const drawing *d, int j, int at, int n, const bnn_kept_room *room, bnn_real *f, bnn_real *y) {
    bnn_prediction *p = d->p;
    int s;
    const bnn_kept_part *part = find_draw(d->kept, (j + 0.5) / p->drawn, &s);
    const bnn_likelihood *l = likelihood_of(part);
    const bnn_scaling *scaling = &part->engine->model->scaling;
    uint64_t row = (uint64_t)(d->base + at);
    if (part->S == 0) draw_gaussian(part, bnn_rng_split(d->outputs, (uint64_t)j), row, at, n, room, f);
    bnn_likelihood_vtable(l)->draw(l, n, part->S > 0 ? outputs_at(part, s, at) : f, part->S > 0 ? noise_at(part, s) : part->noise,
                                   bnn_rng_split(d->targets, (uint64_t)j), row, y);
    for (int i = 0; i < n * l->y_dim; i++) {
        double value = (double)y[i];
        if (!p->is_class) value = value * scaling->y_sd[i % l->y_dim] + scaling->y_mean[i % l->y_dim];
        p->y_drawn[((size_t)row * (size_t)l->y_dim + (size_t)i) * (size_t)p->drawn + (size_t)j] = value;
    }
}

static bnn_status draw_piece(void *context, int piece) {
    const drawing *d = context;
    const bnn_kept_part *first = &d->kept->part[0];
    int at = piece * PIECE, n = first->rows - at < PIECE ? first->rows - at : PIECE;
    size_t out = 0, y_dim = (size_t)likelihood_of(first)->y_dim;
    for (int i = 0; i < d->kept->n; i++)
        if ((size_t)likelihood_of(&d->kept->part[i])->out_dim > out) out = (size_t)likelihood_of(&d->kept->part[i])->out_dim;
    bnn_kept_room room = {0};
    bnn_real *f = malloc((size_t)n * (out + y_dim) * sizeof *f);
    bnn_status s = f ? bnn_kept_room_open(d->kept, n, &room) : bnn_oom("draws of y");
    for (int j = 0; s == BNN_OK && j < d->p->drawn; j++) draw_once(d, j, at, n, &room, f, f + (size_t)n * out);
    bnn_kept_room_close(&room);
    free(f);
    return s;
}

bnn_status bnn_kept_draw(const bnn_kept *kept, uint64_t seed, int base, bnn_prediction *p) {
    bnn_rng root = bnn_rng_seed(seed);
    drawing d = {.kept = kept,
                 .p = p,
                 .base = base,
                 .outputs = bnn_rng_split(root, BNN_STREAM_DRAW),
                 .targets = bnn_rng_split(root, BNN_STREAM_TARGET)};
    return bnn_jobs_run((kept->part[0].rows + PIECE - 1) / PIECE, draw_piece, &d);
}
