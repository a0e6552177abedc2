/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * hamiltonian.h: Hamiltonian dynamics on any smooth density exp(-U), and the two Markov transitions made of it.
 *
 *   H(q, p) = U(q) + sum_i var_i p_i^2 / 2          var: inverse masses, best near the variances of q
 *   leapfrog:  p -= (e/2) dU/dq;   q += e var p;   p -= (e/2) dU/dq                         (Neal 2011, eq. 5.18-5.20)
 *
 * Positions and momenta are double; U sees positions rounded to bnn_real. Whatever U returns there, each of the three lines adds to one
 * half of (q, p) a function of the other half: leapfrog stays reversible and keeps volumes also where bnn_real is float, and sums of
 * energies have no float in them.
 */
#ifndef BNN_HAMILTONIAN_H
#define BNN_HAMILTONIAN_H

#include <bnn/rng.h>

#ifdef __cplusplus
extern "C" {
#endif

/* U(theta) in nats; grad[n] is set to its gradient. A value that is not finite: theta is outside the support. */
typedef double (*bnn_potential)(void *context, const bnn_real *theta, bnn_real *grad);

/* A density exp(-U) and a metric. */
typedef struct {
    int n;                  /* parameters */
    bnn_potential u;        /* U and its gradient */
    void *context;          /* handed to u */
    const double *var;      /* [n] inverse masses; 0: held */
    bnn_real *theta, *grad; /* [n] what u reads and writes */
    uint64_t evaluations;   /* of u, counted up */
} bnn_hamiltonian;

/* A point of phase space; the memory is the caller's. */
typedef struct {
    double *q, *p, *g; /* [n] position, momentum, dU/dq at q */
    double u;          /* U(q) */
} bnn_phase;

void bnn_phase_update(bnn_hamiltonian *h, bnn_phase *z);                      /* u and g at q */
void bnn_phase_momentum(const bnn_hamiltonian *h, bnn_rng rng, bnn_phase *z); /* p_i ~ N(0, 1/var_i), 0 where held */
double bnn_phase_energy(const bnn_hamiltonian *h, const bnn_phase *z);        /* H; infinity outside the support */
void bnn_leapfrog(bnn_hamiltonian *h, double step, bnn_phase *z);             /* one step from an updated phase; step < 0: backwards */

/* A step whose energy lies this many nats above the first is a divergence (Betancourt 2017, section 6.2). */
#define BNN_MOST_ENERGY_ERROR 1000.0

/* Report of one transition. */
typedef struct {
    double energy;  /* H of the state that was chosen */
    double accept;  /* probability of acceptance; nuts: its mean over the trajectory */
    int leapfrogs;  /* steps taken */
    int depth;      /* nuts: doublings */
    bool diverging; /* the trajectory ended in a divergence */
} bnn_transition;

/* One transition of Hamiltonian Monte Carlo: `steps` leapfrogs, then Metropolis (Neal 2011, section 5.3). z is updated before; after, z->q
 * is the next state and the rest of z is anything. room has bnn_hmc_room(n) doubles. */
void bnn_hmc_transition(bnn_hamiltonian *h, double step, int steps, bnn_rng rng, bnn_phase *z, double *room, bnn_transition *out);

/* One transition of the no-U-turn sampler: doublings forwards and backwards in time until the trajectory turns back, the next state drawn
 * from it by its weight exp(-H) (Hoffman & Gelman 2014; multinomial weights and the turning of sums of momenta by Betancourt 2017, appendix
 * A). room: bnn_nuts_room(n, most_depth) doubles. */
void bnn_nuts_transition(bnn_hamiltonian *h, double step, int most_depth, bnn_rng rng, bnn_phase *z, double *room, bnn_transition *out);

/* Doubles that the transitions work in: */
size_t bnn_hmc_room(int n);                  /* Hamiltonian Monte Carlo */
size_t bnn_nuts_room(int n, int most_depth); /* no-U-turn sampler */

#ifdef __cplusplus
}
#endif

#endif
