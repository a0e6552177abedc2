/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "traces.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bnn_status bnn_traces_new(int chains, int draws, int n, bnn_traces **out) {
    bnn_traces *t = calloc(1, sizeof *t);
    bnn_real *x = calloc((size_t)n * (size_t)chains * (size_t)draws + 1, sizeof *x);
    if (!t || !x) {
        free(t), free(x);
        return bnn_oom("traces");
    }
    *t = (bnn_traces){.chains = chains, .draws = draws, .x = x};
    *out = t;
    return BNN_OK;
}

void bnn_traces_free(bnn_traces *t) {
    if (!t) return;
    free(t->x);
    free(t);
}

static size_t length(const bnn_traces *t) { return (size_t)t->chains * (size_t)t->draws; }

/* Puts a quantity at a place; those from there on move by one, and of a full list the last goes. */
static void insert(bnn_traces *t, int at, const bnn_quantity *q, const double *x) {
    size_t S = length(t);
    bnn_real *place = t->x + (size_t)at * S;
    if (t->n < BNN_TRACED) t->n++;
    size_t behind = (size_t)(t->n - 1 - at);
    memmove(t->quantity + at + 1, t->quantity + at, behind * sizeof *q);
    memmove(place + S, place, behind * S * sizeof *place);
    t->quantity[at] = *q;
    for (size_t i = 0; i < S; i++) place[i] = (bnn_real)x[i];
}

void bnn_traces_offer(bnn_traces *t, const bnn_quantity *q, const double *x) {
    if (!t) return;
    int at = t->n;
    t->of++;
    if (isnan(q->is.rhat)) return; /* the same in every draw: there is nothing to see */
    while (at > 0 && q->is.rhat > t->quantity[at - 1].is.rhat) at--;
    if (at < BNN_TRACED) insert(t, at, q, x);
}

void bnn_traces_lead(bnn_traces *t, const bnn_quantity *q, const double *x) {
    if (!t) return;
    t->of++;
    insert(t, 0, q, x);
}
