/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "spread.h"

#include <stdlib.h>
#include <string.h>

/* ---- shards ---- */

enum { UNIT = 192 }; /* rows: a multiple of 24 and of 64, tiles and panels */

int bnn_shards_most(int m) { return m / BNN_SHARD_ROWS + (m % BNN_SHARD_ROWS > 0); }

int bnn_shards_length(int m) { return m > BNN_SHARD_ROWS ? (m - 1) / bnn_shards_most(m) / UNIT * UNIT + UNIT : m; }

int bnn_shards_first(int shards, const bnn_ranks *ranks, int rank) { return (int)((int64_t)shards * rank / ranks->n); }

void bnn_shards_own(int m, const bnn_ranks *ranks, int *from, int *to) {
    const int length = bnn_shards_length(m), shards = (m - 1) / length + 1, last = bnn_shards_first(shards, ranks, ranks->rank + 1);
    *from = bnn_shards_first(shards, ranks, ranks->rank) * length;
    *to = last < shards ? last * length : m;
}

/* ---- features that stay in a file ---- */

/* A row of the table, and its place among those that are asked for. */
typedef struct {
    int row, at;
} place;

static int by_row(const void *a, const void *b) {
    const place *p = a, *q = b;
    return (p->row > q->row) - (p->row < q->row);
}

/* The file gives stretches of neighbouring rows; those of them that are asked for go to their places. */
static bnn_status read_places(const bnn_table *t, int n, const place *places, int most, double *room, double *x) {
    const size_t width = (size_t)bnn_shape_size(t->x_shape);
    for (int i = 0, end = 0; i < n;) {
        const int from = places[i].row;
        while (end < n && places[end].row - from < most) end++;
        BNN_TRY(t->x_file.read(t->x_file.context, from, places[end - 1].row + 1 - from, room));
        for (; i < end; i++) memcpy(x + (size_t)places[i].at * width, room + (size_t)(places[i].row - from) * width, width * sizeof *x);
    }
    return BNN_OK;
}

bnn_status bnn_x_file_read(const bnn_table *t, int n, const int *rows, double *x) {
    enum { BYTES = 4 << 20 };
    const size_t row = (size_t)bnn_shape_size(t->x_shape) * sizeof *x;
    const int most = row < BYTES ? (int)(BYTES / row) : 1;
    place *places = malloc(((size_t)n + 1) * sizeof *places);
    double *room = malloc((size_t)most * row);
    for (int i = 0; places && i < n; i++) places[i] = (place){rows[i], i};
    if (places) qsort(places, (size_t)n, sizeof *places, by_row);
    bnn_status s = places && room ? read_places(t, n, places, most, room, x) : bnn_oom("reading %d rows", n);
    free(places), free(room);
    return s;
}

/* ---- sums that go on from rank to rank ---- */

void bnn_sums_receive(int n, double *sums) {
    const bnn_ranks *ranks = bnn_ranks_used();
    if (ranks->rank > 0) ranks->receive(ranks->context, ranks->rank - 1, sums, (size_t)n);
}

void bnn_sums_hand_on(int n, double *sums) {
    const bnn_ranks *ranks = bnn_ranks_used();
    if (ranks->n == 1) return;
    ranks->send(ranks->context, (ranks->rank + 1) % ranks->n, sums, (size_t)n);
    if (ranks->rank == 0) ranks->receive(ranks->context, ranks->n - 1, sums, (size_t)n);
    ranks->broadcast(ranks->context, sums, (size_t)n);
}
