/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <bnn/hamiltonian.h>

#include <math.h>
#include <string.h>

/* Streams of a transition. */
enum { MOMENTUM, CHOICE };

void bnn_phase_update(bnn_hamiltonian *h, bnn_phase *z) {
    for (int i = 0; i < h->n; i++) h->theta[i] = (bnn_real)z->q[i];
    z->u = h->u(h->context, h->theta, h->grad);
    for (int i = 0; i < h->n; i++) z->g[i] = (double)h->grad[i];
    h->evaluations++;
}

void bnn_phase_momentum(const bnn_hamiltonian *h, bnn_rng rng, bnn_phase *z) {
    bnn_rng_normal(rng, 0, 1, h->n, h->theta);
    for (int i = 0; i < h->n; i++) z->p[i] = h->var[i] > 0 ? (double)h->theta[i] / sqrt(h->var[i]) : 0;
}

double bnn_phase_energy(const bnn_hamiltonian *h, const bnn_phase *z) {
    double kinetic = 0;
    for (int i = 0; i < h->n; i++) kinetic += h->var[i] * z->p[i] * z->p[i];
    double energy = z->u + 0.5 * kinetic;
    return isnan(energy) ? INFINITY : energy;
}

void bnn_leapfrog(bnn_hamiltonian *h, double step, bnn_phase *z) {
    for (int i = 0; i < h->n; i++) {
        z->p[i] -= 0.5 * step * z->g[i];
        z->q[i] += step * h->var[i] * z->p[i];
    }
    bnn_phase_update(h, z);
    for (int i = 0; i < h->n; i++) z->p[i] -= 0.5 * step * z->g[i];
}

/* Number k of a stream, uniform on (0, 1), of 53 bits. */
static double uniform(bnn_rng rng, uint64_t k) {
    uint32_t word[2];
    bnn_rng_words(rng, k, 1, 2, word);
    return ((double)(((uint64_t)word[0] << 32 | word[1]) >> 12) + 0.5) * 0x1p-52;
}

static void copy(int n, double *to, const double *from) { memcpy(to, from, (size_t)n * sizeof *to); }

/* ---------------------------------------------------------------- one long trajectory */

size_t bnn_hmc_room(int n) { return (size_t)n; }

void bnn_hmc_transition(bnn_hamiltonian *h, double step, int steps, bnn_rng rng, bnn_phase *z, double *room, bnn_transition *out) {
    bnn_phase_momentum(h, bnn_rng_split(rng, MOMENTUM), z);
    double before = bnn_phase_energy(h, z), after = before;
    copy(h->n, room, z->q);
    *out = (bnn_transition){0};
    while (out->leapfrogs < steps && !out->diverging) {
        bnn_leapfrog(h, step, z);
        out->leapfrogs++;
        after = bnn_phase_energy(h, z);
        out->diverging = !(after - before <= BNN_MOST_ENERGY_ERROR);
    }
    out->accept = out->diverging ? 0 : fmin(1, exp(before - after));
    bool accepted = uniform(bnn_rng_split(rng, CHOICE), 0) < out->accept;
    out->energy = accepted ? after : before;
    if (!accepted) copy(h->n, z->q, room);
}

/* ---------------------------------------------------------------- doublings */

/* A stretch of a trajectory; first and last in the order in which it was walked. */
typedef struct {
    double *q, *rho, *first, *last; /* [n] the state drawn from it; sum of its momenta; momenta at its ends */
    double log_weight;              /* log sum exp(H of the start - H) */
    double energy;                  /* H of the drawn state */
} stretch;

typedef struct {
    bnn_hamiltonian *h;
    double step, before; /* H of the start */
    bnn_rng choices;
    uint64_t n_choices;
    double *room; /* of the stretches that wait in the recursion */
    bnn_transition *out;
} walk;

static stretch open_stretch(double **room, int n) {
    double *at = *room;
    *room += 4 * (size_t)n;
    return (stretch){.q = at, .rho = at + n, .first = at + 2 * (size_t)n, .last = at + 3 * (size_t)n};
}

static double log_sum(double a, double b) { return fmax(a, b) + log1p(exp(-fabs(a - b))); }

/* Says whether a stretch that begins with momentum first and ends with last still goes apart, rho = a + b being the sum of its momenta. */
static bool goes_apart(const bnn_hamiltonian *h, const double *a, const double *b, const double *first, const double *last) {
    double at_first = 0, at_last = 0;
    for (int i = 0; i < h->n; i++) {
        double rho = h->var[i] * (a[i] + b[i]);
        at_first += rho * first[i];
        at_last += rho * last[i];
    }
    return at_first > 0 && at_last > 0;
}

/* The same of two stretches that follow each other, of the whole and of each with the next momentum of the other: a turn may lie between
 * two stretches of which none has one (as in Stan since 2.21). The known one has momentum far at its far end, near where the next begins.
 */
static bool join_apart(const bnn_hamiltonian *h, const double *rho, const double *far, const double *near, const stretch *next) {
    return goes_apart(h, rho, next->rho, far, next->last) && goes_apart(h, rho, next->first, far, next->first) &&
           goes_apart(h, next->rho, near, near, next->last);
}

static bool one_step(walk *w, bnn_phase *z, stretch *s) {
    int n = w->h->n;
    bnn_leapfrog(w->h, w->step, z);
    s->energy = bnn_phase_energy(w->h, z);
    s->log_weight = w->before - s->energy;
    copy(n, s->q, z->q), copy(n, s->rho, z->p), copy(n, s->first, z->p), copy(n, s->last, z->p);
    w->out->leapfrogs++;
    w->out->accept += fmin(1, exp(s->log_weight));
    w->out->diverging = !(s->energy - w->before <= BNN_MOST_ENERGY_ERROR);
    return !w->out->diverging;
}

/* 2^depth steps on from z; false if the stretch or any of its halves, quarters, ... turns back or diverges. */
static bool walk_on(walk *w, int depth, bnn_phase *z, stretch *s) {
    if (depth == 0) return one_step(w, z, s);
    int n = w->h->n;
    double *room = w->room;
    stretch next = open_stretch(&w->room, n);
    bool apart = walk_on(w, depth - 1, z, s) && walk_on(w, depth - 1, z, &next);
    w->room = room;
    if (!apart || !join_apart(w->h, s->rho, s->first, s->last, &next)) return false;
    s->log_weight = log_sum(s->log_weight, next.log_weight);
    if (uniform(w->choices, w->n_choices++) < exp(next.log_weight - s->log_weight)) {
        copy(n, s->q, next.q);
        s->energy = next.energy;
    }
    for (int i = 0; i < n; i++) s->rho[i] += next.rho[i];
    copy(n, s->last, next.last);
    return true;
}

/* Takes the new half in. The draw leaves the old half with probability min(1, new weight / old weight), which keeps the distribution and
 * prefers states far from the start. */
static void take_in(walk *w, stretch *whole, const stretch *half, bool forwards) {
    int n = w->h->n;
    if (uniform(w->choices, w->n_choices++) < exp(half->log_weight - whole->log_weight)) {
        copy(n, whole->q, half->q);
        whole->energy = half->energy;
    }
    whole->log_weight = log_sum(whole->log_weight, half->log_weight);
    for (int i = 0; i < n; i++) whole->rho[i] += half->rho[i];
    copy(n, forwards ? whole->last : whole->first, half->last);
}

/* Both ends' phases, the whole, the new half, and one stretch for each level of the recursion. */
size_t bnn_nuts_room(int n, int most_depth) { return (size_t)n * (size_t)(3 + 4 + 4 + 4 * most_depth); }

void bnn_nuts_transition(bnn_hamiltonian *h, double step, int most_depth, bnn_rng rng, bnn_phase *z, double *room, bnn_transition *out) {
    int n = h->n;
    bnn_phase other = {.q = room, .p = room + n, .g = room + 2 * (size_t)n}, *end[2] = {&other, z};
    *out = (bnn_transition){0};
    bnn_phase_momentum(h, bnn_rng_split(rng, MOMENTUM), z);
    walk w = {.h = h, .before = bnn_phase_energy(h, z), .choices = bnn_rng_split(rng, CHOICE), .room = room + 3 * (size_t)n, .out = out};
    stretch whole = open_stretch(&w.room, n), half = open_stretch(&w.room, n);
    copy(n, other.q, z->q), copy(n, other.p, z->p), copy(n, other.g, z->g);
    other.u = z->u;
    copy(n, whole.q, z->q), copy(n, whole.rho, z->p), copy(n, whole.first, z->p), copy(n, whole.last, z->p);
    whole.energy = w.before;
    for (bool apart = true; apart && out->depth < most_depth;) {
        bool forwards = uniform(w.choices, w.n_choices++) < 0.5;
        w.step = forwards ? step : -step;
        if (!walk_on(&w, out->depth, end[forwards], &half)) break;
        out->depth++;
        const double *near = forwards ? whole.last : whole.first, *far = forwards ? whole.first : whole.last;
        apart = join_apart(h, whole.rho, far, near, &half);
        take_in(&w, &whole, &half, forwards);
    }
    copy(n, z->q, whole.q);
    out->energy = whole.energy;
    out->accept /= out->leapfrogs;
}
