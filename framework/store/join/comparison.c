/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * comparison.c: files that hold parts of one comparison, joined. A fit is taken from the file that has it, its distance measured as soon as
 * the marginals of both sides are there: in whatever order files come, the same numbers come out.
 */
#include "store/parts.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    int n;
    char *const *path;
    bnn_comparison **piece; /* [n] */
    int engines, splits;
    int *owner; /* [engines, splits] the piece that a fit is taken from; -1: none has it */
} merger;

/* ---- what a piece has ---- */

static bool has(const bnn_comparison *c, int e, int k) { return c->engine[e].metrics[k].n > 0; }

enum { COLUMNS = 5 };

/* The columns of points, of which one of the last two is not there. */
static double **column_of(bnn_contestant *who, int i) {
    double **const column[COLUMNS] = {&who->sd, &who->error, &who->y, &who->pit, &who->called};
    return column[i];
}

/* Where the points of a split begin: those of the splits before it that the piece has stand before them. */
static size_t first_point(const bnn_contestant *who, int k) {
    size_t at = 0;
    for (int i = 0; i < k; i++) at += (size_t)who->metrics[i].n;
    return at;
}

/* The points of all splits that a file has of an engine are as many as its metrics say, and its scores by target of as many targets as
 * those of the first file. */
static bnn_status check_sizes(const merger *m, int i) {
    for (int e = 0; e < m->engines; e++) {
        bnn_contestant *who = &m->piece[i]->engine[e];
        if (who->target && m->piece[0]->engine[e].target && m->piece[i]->n_targets != m->piece[0]->n_targets)
            return bnn_fail(BNN_ERR_STATE, "%s and %s do not go together: scores of %d targets and of %d", m->path[0], m->path[i],
                            m->piece[0]->n_targets, m->piece[i]->n_targets);
        if (first_point(who, m->splits) != (size_t)who->n_points)
            return bnn_fail(BNN_ERR_FORMAT, "%s: has %d points of engine %d, its scores are of %zu", m->path[i], who->n_points, e,
                            first_point(who, m->splits));
    }
    return BNN_OK;
}

/* ---- who owns a fit ---- */

static bool equal_points(const merger *m, int a, int b, int e, int k) {
    bnn_contestant *x = &m->piece[a]->engine[e], *y = &m->piece[b]->engine[e];
    size_t n = (size_t)x->metrics[k].n;
    bool equal = x->metrics[k].n == y->metrics[k].n;
    for (int i = 0; equal && i < COLUMNS; i++) {
        const double *u = *column_of(x, i), *v = *column_of(y, i);
        if (u && v) equal = memcmp(u + first_point(x, k), v + first_point(y, k), n * sizeof *u) == 0;
    }
    return equal;
}

/* The file that knows the distance of an engine is better, and, of the reference, the one that still has the marginals. */
static bool is_better(const merger *m, int i, int e, int k) {
    const bnn_comparison *c = m->piece[i];
    return c->engine[e].marginals && !c->engine[e].marginals[k] == (e != c->reference);
}

static bnn_status find_owners(merger *m) {
    for (int e = 0; e < m->engines; e++)
        for (int k = 0; k < m->splits; k++) {
            int *owner = &m->owner[e * m->splits + k];
            *owner = -1;
            for (int i = 0; i < m->n; i++) {
                if (!has(m->piece[i], e, k)) continue;
                if (*owner >= 0 && !equal_points(m, *owner, i, e, k))
                    return bnn_fail(BNN_ERR_STATE, "%s and %s do not go together: engine '%s' predicts split %d otherwise", m->path[*owner],
                                    m->path[i], m->piece[i]->engine[e].label, m->piece[i]->split[k]);
                if (*owner < 0 || is_better(m, i, e, k)) *owner = i;
            }
        }
    return BNN_OK;
}

/* ---- joining ---- */

#define SWAP(a, b)                   \
    do {                             \
        __typeof__(a) swapped = (a); \
        (a) = (b), (b) = swapped;    \
    } while (0)

/* Moves what is known of the first split alone. */
static void move_first(bnn_contestant *to, bnn_contestant *from) {
    if (to == from) return;
    SWAP(to->history, from->history);
    SWAP(to->remark, from->remark);
    SWAP(to->verdicts, from->verdicts);
    SWAP(to->spec_json, from->spec_json);
    SWAP(to->traces, from->traces);
}

/* Moves what is known of split k, points apart. */
static void move_split(bnn_contestant *to, bnn_contestant *from, int k, int n_targets) {
    if (to == from) return;
    size_t targets = (size_t)n_targets;
    to->metrics[k] = from->metrics[k], to->cost[k] = from->cost[k];
    if (to->target && from->target)
        memcpy(to->target + (size_t)k * targets, from->target + (size_t)k * targets, targets * sizeof *to->target);
    if (!to->distance) return;
    to->distance[k] = from->distance[k];
    SWAP(to->marginals[k], from->marginals[k]);
}

/* Points of all splits, in their order, out of the pieces that own them; where they stand follows from the metrics, which are still those
 * of the files. */
static bnn_status join_column(const merger *m, int e, int i, size_t n, double **out) {
    const int *owner = &m->owner[e * m->splits];
    size_t at = 0;
    if (!(*out = malloc((n + 1) * sizeof **out))) return bnn_oom("points");
    for (int k = 0; k < m->splits; k++) {
        if (owner[k] < 0) continue;
        bnn_contestant *from = &m->piece[owner[k]]->engine[e];
        const double *v = *column_of(from, i);
        size_t rows = (size_t)from->metrics[k].n;
        if (!v) { /* a column that these targets do not have */
            free(*out);
            *out = NULL;
            return BNN_OK;
        }
        memcpy(*out + at, v + first_point(from, k), rows * sizeof *v);
        at += rows;
    }
    return BNN_OK;
}

/* Joins engine e in the first piece. */
static bnn_status join_engine(const merger *m, int e) {
    const int *owner = &m->owner[e * m->splits];
    bnn_contestant *to = &m->piece[0]->engine[e];
    double *column[COLUMNS] = {NULL};
    bnn_status s = BNN_OK;
    size_t n = 0;
    for (int k = 0; k < m->splits; k++) n += owner[k] >= 0 ? (size_t)m->piece[owner[k]]->engine[e].metrics[k].n : 0;
    for (int i = 0; s == BNN_OK && i < COLUMNS; i++) s = join_column(m, e, i, n, &column[i]);
    for (int i = 0; i < COLUMNS; i++) {
        if (s == BNN_OK) SWAP(*column_of(to, i), column[i]);
        free(column[i]);
    }
    if (s < 0) return s;
    to->n_points = (int)n;
    if (owner[0] >= 0) move_first(to, &m->piece[owner[0]]->engine[e]);
    for (int k = 0; k < m->splits; k++)
        if (owner[k] >= 0) move_split(to, &m->piece[owner[k]]->engine[e], k, m->piece[0]->n_targets);
    return BNN_OK;
}

static bnn_status join(merger *m) {
    bnn_comparison *to = m->piece[0];
    BNN_TRY(find_owners(m));
    for (int e = 0; e < m->engines; e++) BNN_TRY(join_engine(m, e));
    to->partial = false;
    for (int i = 0; i < m->engines * m->splits; i++) to->partial |= m->owner[i] < 0;
    for (int k = 0; k < m->splits; k++) bnn_comparison_settle(to, k);
    to->part[0] = to->part[1] = 0;
    return BNN_OK;
}

/* ---- the files ---- */

static bnn_status load(merger *m, int i, bnn_makers **makers) {
    bnn_h5_reader r;
    BNN_TRY(bnn_h5_open(&r, m->path[i], "bnn-comparison"));
    bnn_store_add_maker(&r, makers);
    BNN_TRY(bnn_h5_close(&r));
    BNN_TRY(bnn_comparison_load(m->path[i], &m->piece[i]));
    if (i == 0) m->engines = m->piece[0]->n_engines, m->splits = m->piece[0]->n_splits;
    if (i > 0) BNN_TRY(bnn_comparison_go_together(m->path[0], m->piece[0], m->path[i], m->piece[i]));
    return check_sizes(m, i);
}

bnn_status bnn_comparison_merge(int n, char *const *paths, bnn_comparison **out, bnn_makers **makers) {
    merger m = {.n = n, .path = paths, .piece = calloc((size_t)n, sizeof *m.piece)};
    bnn_status s = m.piece ? BNN_OK : bnn_oom("a comparison");
    *out = NULL, *makers = NULL;
    for (int i = 0; s == BNN_OK && i < n; i++) s = load(&m, i, makers);
    if (s == BNN_OK && !(m.owner = calloc((size_t)m.engines * (size_t)m.splits, sizeof *m.owner))) s = bnn_oom("a comparison");
    if (s == BNN_OK) s = join(&m);
    if (s == BNN_OK) *out = m.piece[0], m.piece[0] = NULL;
    for (int i = 0; m.piece && i < n; i++) bnn_comparison_free(m.piece[i]);
    free(m.piece), free(m.owner);
    if (s < 0) bnn_makers_free(*makers), *makers = NULL;
    return s;
}
