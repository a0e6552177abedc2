/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <bnn/data.h>

#include <gsl/gsl_rng.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    int n, count;
    int *order;   /* [count, n] */
    int8_t *role; /* [count, n] */
} plan;

/* The last n_test entries of a split's order are its test rows. */
static void set_roles(plan *p, int split, int n_test) {
    const int *order = p->order + (size_t)split * (size_t)p->n;
    int8_t *role = p->role + (size_t)split * (size_t)p->n;
    for (int i = 0; i < p->n; i++) role[order[i]] = i < p->n - n_test ? BNN_TRAIN : BNN_TEST;
}

static void holdout(plan *p, uint64_t seed) {
    int n_test = (int)lround(0.1 * p->n);
    for (int k = 0; k < p->count; k++) {
        bnn_rng_permutation(bnn_rng_split(bnn_rng_seed(seed), (uint64_t)k), p->n, p->order + (size_t)k * (size_t)p->n);
        set_roles(p, k, n_test > 0 ? n_test : 1);
    }
}

/* Fold k is the k-th piece of the permutation; the pieces differ by at most one row. */
static bnn_status kfold(plan *p, uint64_t seed) {
    int *permutation = malloc((size_t)p->n * sizeof(int));
    if (!permutation) return bnn_oom("%d folds", p->count);
    bnn_rng_permutation(bnn_rng_split(bnn_rng_seed(seed), 0), p->n, permutation);
    for (int k = 0; k < p->count; k++) {
        int from = (int)((int64_t)k * p->n / p->count), to = (int)((int64_t)(k + 1) * p->n / p->count);
        int *order = p->order + (size_t)k * (size_t)p->n;
        memcpy(order, permutation, (size_t)from * sizeof(int));
        memcpy(order + from, permutation + to, (size_t)(p->n - to) * sizeof(int));
        memcpy(order + p->n - (to - from), permutation + from, (size_t)(to - from) * sizeof(int));
        set_roles(p, k, to - from);
    }
    free(permutation);
    return BNN_OK;
}

/* A number from 0 to max as NumPy's legacy generator draws it: the low bits of a word, again while they exceed max. */
static int masked(gsl_rng *rng, int max) {
    uint32_t mask = (uint32_t)max, value;
    for (int shift = 1; shift < 32; shift *= 2) mask |= mask >> shift;
    while ((value = (uint32_t)gsl_rng_get(rng) & mask) > (uint32_t)max) {
    }
    return (int)value;
}

/* RandomState(1), then choice(n, n, replace=False) for each split: a shuffle of 0..n-1 from the end. */
static bnn_status pbp(plan *p) {
    gsl_rng *rng = gsl_rng_alloc(gsl_rng_mt19937);
    if (!rng) return bnn_oom("a random number generator");
    gsl_rng_set(rng, 1);
    for (int k = 0; k < p->count; k++) {
        int *order = p->order + (size_t)k * (size_t)p->n;
        for (int i = 0; i < p->n; i++) order[i] = i;
        for (int i = p->n - 1; i > 0; i--) {
            int j = masked(rng, i), held = order[i];
            order[i] = order[j], order[j] = held;
        }
        set_roles(p, k, p->n - (int)lround(p->n * 9.0 / 10));
    }
    gsl_rng_free(rng);
    return BNN_OK;
}

static bnn_status check_split(const bnn_table *t, int split, const int *order, const int8_t *role, char *seen) {
    memset(seen, 0, (size_t)t->n);
    for (int i = 0; i < t->n; i++) {
        int row = order[i];
        if (row < 0 || row >= t->n) return bnn_fail(BNN_ERR_DATA, "split %d: row number %d is not from 0 to %d", split, row, t->n - 1);
        if (seen[row]++) return bnn_fail(BNN_ERR_DATA, "split %d: row %d is listed twice", split, row);
        if (role[row] < BNN_TRAIN || role[row] > BNN_TEST)
            return bnn_fail(BNN_ERR_DATA, "split %d: row %d has role %d, not 0, 1 or 2", split, row, role[row]);
        if (i > 0 && role[row] < role[order[i - 1]]) return bnn_fail(BNN_ERR_DATA, "split %d: its order is not sorted by role", split);
    }
    return BNN_OK;
}

bnn_status bnn_table_set_splits(bnn_table *t, int count, int *order, int8_t *role, const char *origin) {
    char *seen = malloc((size_t)t->n + 1), *text = strdup(origin);
    bnn_status s = seen && text ? BNN_OK : bnn_oom("splits");
    for (int k = 0; s == BNN_OK && k < count; k++)
        s = check_split(t, k, order + (size_t)k * (size_t)t->n, role + (size_t)k * (size_t)t->n, seen);
    free(seen);
    if (s < 0) {
        free(text);
        return s;
    }
    free(t->order), free(t->role), free(t->split_origin);
    t->n_splits = count, t->order = order, t->role = role, t->split_origin = text;
    return BNN_OK;
}

static void describe(bnn_split_kind kind, int count, uint64_t seed, char *text, size_t size) {
    switch (kind) {
    case BNN_SPLIT_HOLDOUT: snprintf(text, size, "holdout: %d times 10 %% test rows, seed %llu", count, (unsigned long long)seed); break;
    case BNN_SPLIT_KFOLD: snprintf(text, size, "kfold: %d folds, seed %llu", count, (unsigned long long)seed); break;
    case BNN_SPLIT_PBP:
        snprintf(text, size, "pbp: %d permutations of NumPy's RandomState(1), 90 %% train (Hernandez-Lobato & Adams 2015)", count);
        break;
    }
}

static bnn_status make(plan *p, bnn_split_kind kind, uint64_t seed) {
    size_t cells = (size_t)p->count * (size_t)p->n;
    p->order = malloc(cells * sizeof *p->order), p->role = malloc(cells);
    if (!p->order || !p->role) return bnn_oom("%d splits of %d rows", p->count, p->n);
    if (kind == BNN_SPLIT_KFOLD) return kfold(p, seed);
    if (kind == BNN_SPLIT_PBP) return pbp(p);
    holdout(p, seed);
    return BNN_OK;
}

bnn_status bnn_table_split(bnn_table *table, bnn_split_kind kind, int count, uint64_t seed) {
    if (table->y_dim == 0) return bnn_fail(BNN_ERR_DATA, "the table has no targets: there is nothing to train on or to test");
    if (table->n < 2) return bnn_fail(BNN_ERR_DATA, "a split needs at least 2 rows, the table has %d", table->n);
    if (kind == BNN_SPLIT_KFOLD && (count < 2 || count > table->n))
        return bnn_fail(BNN_ERR_DATA, "%d folds: there can be 2 to %d, the number of rows", count, table->n);
    if (kind == BNN_SPLIT_PBP && table->n < 6)
        return bnn_fail(BNN_ERR_DATA, "pbp leaves no test row of %d: it needs at least 6 rows", table->n);
    if (count < 1) return bnn_fail(BNN_ERR_DATA, "%d splits: there must be at least 1", count);
    char origin[160];
    describe(kind, count, seed, origin, sizeof origin);
    plan p = {.n = table->n, .count = count};
    bnn_status s = make(&p, kind, seed);
    if (s == BNN_OK) s = bnn_table_set_splits(table, count, p.order, p.role, origin);
    if (s < 0) free(p.order), free(p.role);
    return s;
}

/* ---- classes that weigh the same ---- */

static bool is_counted(const bnn_table *t, int row) { return t->n_splits == 0 || t->role[row] == BNN_TRAIN; }

static bnn_status check_balance(const bnn_table *t) {
    if (t->n_classes == 0) return bnn_fail(BNN_ERR_DATA, "the targets are no classes, which could weigh the same");
    if (bnn_is_map(t->y_shape))
        return bnn_fail(BNN_ERR_DATA, "rows have weights, and pixels have none: let classes of maps weigh the same in the fit "
                                      "(--likelihood categorical:weights=balanced)");
    return t->weight ? bnn_fail(BNN_ERR_DATA, "the rows have weights already") : BNN_OK;
}

bnn_status bnn_table_balance(bnn_table *t) {
    BNN_TRY(check_balance(t));
    double *rows = calloc((size_t)t->n_classes, sizeof *rows), *weight = calloc((size_t)t->n + 1, sizeof *weight), all = 0;
    bnn_status s = rows && weight ? BNN_OK : bnn_oom("weights of %d rows", t->n);
    for (int i = 0; s == BNN_OK && i < t->n; i++)
        if (is_counted(t, i)) rows[(int)t->y[i]]++, all++;
    for (int c = 0; s == BNN_OK && c < t->n_classes; c++)
        if (rows[c] == 0)
            s = bnn_fail(BNN_ERR_DATA, "class %d (%s) has no training rows, which could weigh as much as those of another", c,
                         t->class_names ? t->class_names[c] : "without a name");
    for (int i = 0; s == BNN_OK && i < t->n; i++) weight[i] = all / (t->n_classes * rows[(int)t->y[i]]);
    free(rows);
    if (s < 0) return free(weight), s;
    t->weight = weight;
    return BNN_OK;
}
