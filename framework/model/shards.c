/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "shards.h"
#include "net/workspace.h"

#include <bnn/jobs.h>
#include <bnn/kernels.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_NODES = 64,  /* that wait: no more than two ints have bits */
    MOST_AT_ONCE = 64 /* shards that go side by side */
};

/* Leaves of a tree: `size` of them, a power of two, from a multiple of it on. What of them is behind the last shard is not there. */
typedef struct {
    int first, size;
} branch;

/* A tree that is added up from left to right: two branches that are the halves of one become one as soon as the second is there. */
struct bnn_shards {
    int shards;                /* leaves of the whole tree */
    size_t length;             /* numbers in a node: of a gradient, of what its pass leaves, and an nll */
    int n;                     /* nodes that wait */
    branch branch[MOST_NODES]; /* of each */
    double *node;              /* [nodes that may wait, length] */
    bnn_real *leaf;            /* [length - 1] of one shard, without its nll */
};

/* ---- the tree ---- */

/* Numbers that a sum takes in: of a node, or of a leaf where node is NULL. */
typedef struct {
    double *to;
    const double *node;
    const bnn_real *leaf;
} addition;

BNN_LOOP static void add_node(size_t n, const double *restrict from, double *restrict to) {
    for (size_t i = 0; i < n; i++) to[i] += from[i];
}

BNN_LOOP static void add_leaf(size_t n, const bnn_real *restrict from, double *restrict to) {
    for (size_t i = 0; i < n; i++) to[i] += (double)from[i];
}

static void add_part(void *context, int from, int n) {
    const addition *a = context;
    if (a->node)
        add_node((size_t)n, a->node + from, a->to + from);
    else
        add_leaf((size_t)n, a->leaf + from, a->to + from);
}

static void add(size_t n, addition a) {
    enum { PART = 1 << 15 };
    bnn_parts_run((int)n, PART, add_part, &a);
}

static double *last_node(const bnn_shards *t) { return t->node + (size_t)(t->n - 1) * t->length; }

/* A place for a node behind those that wait. */
static double *push(bnn_shards *t, branch of) {
    t->branch[t->n++] = of;
    return last_node(t);
}

/* Says whether the branch is the first half of one with twice as many leaves. */
static bool is_left(branch b) { return b.first % (2 * b.size) == 0; }

/* The last node becomes as large a branch as there is: on its own where no shard is behind it, else with the other half. */
static void grow(bnn_shards *t) {
    for (;;) {
        branch *last = &t->branch[t->n - 1];
        if (is_left(*last)) {
            if (last->first == 0 || last->first + last->size < t->shards) return;
        } else {
            if (t->n == 1 || last[-1].size != last->size) return;
            add(t->length, (addition){.to = last_node(t) - t->length, .node = last_node(t)});
            t->n--;
            last--;
        }
        last->size *= 2;
    }
}

/* Takes in a leaf, and its nll. Beside a node that is a leaf, too, it needs none of its own. */
static void add_shard(bnn_shards *t, int k, const bnn_real *leaf, double nll) {
    bool beside = k % 2 == 1 && t->n > 0 && t->branch[t->n - 1].size == 1;
    if (!beside) memset(push(t, (branch){k, 1}), 0, t->length * sizeof *t->node);
    add(t->length - 1, (addition){.to = last_node(t), .leaf = leaf});
    last_node(t)[t->length - 1] += nll;
    if (beside) t->branch[t->n - 1].size = 2;
    grow(t);
}

/* ---- the ranks ---- */

static int first_of(const bnn_shards *t, const bnn_ranks *ranks, int rank) { return bnn_shards_first(t->shards, ranks, rank); }

/* The largest branch that begins with shard k and ends before `end`. */
static branch largest(const bnn_shards *t, int k, int end) {
    branch b = {k, 1};
    while (is_left(b) && (k + 2 * b.size <= end || (k > 0 && end == t->shards))) b.size *= 2;
    return b;
}

/* Takes in the nodes of shards k..end-1, which have grown where they come from. */
static void receive(bnn_shards *t, const bnn_ranks *ranks, int from, int k, int end) {
    while (k < end) {
        branch b = largest(t, k, end);
        ranks->receive(ranks->context, from, push(t, b), t->length);
        grow(t);
        k += b.size;
    }
}

/* Makes the nodes of all ranks one, which all of them have in the end. Ranks hand theirs on in pairs: 1 to 0 and 3 to 2, then 2 to 0. */
static void gather(bnn_shards *t, const bnn_ranks *ranks) {
    const int rank = ranks->rank;
    int step = 1;
    for (; step < ranks->n && rank % (2 * step) == 0; step *= 2) {
        const int from = rank + step, behind = from + step < ranks->n ? from + step : ranks->n;
        if (from < ranks->n) receive(t, ranks, from, first_of(t, ranks, from), first_of(t, ranks, behind));
    }
    for (int i = 0; rank > 0 && i < t->n; i++) ranks->send(ranks->context, rank - step, t->node + (size_t)i * t->length, t->length);
    if (ranks->n > 1) ranks->broadcast(ranks->context, t->node, t->length);
}

/* ---- room ---- */

bool bnn_shards_may_cut(const bnn_net *net) {
    for (int i = 0; i < net->n_nodes; i++)
        if (net->node[i].layer.object.type->caps & BNN_COUPLED) return false;
    return bnn_net_stateful(net) < 0;
}

static size_t numbers_of_a_shard(const bnn_model *m) {
    size_t n = (size_t)m->n_theta;
    for (int i = 0; i < m->net->n_nodes; i++) n += (size_t)m->net->node[i].layer.plan.dpass;
    return n;
}

/* Nodes that wait, at most, while the shards of so many rows are added: those of a stretch that begins at the first one, or anywhere, and
 * there one on its way. */
static size_t most_nodes(int rows) {
    size_t bits = 0;
    for (int shards = bnn_shards_most(rows); shards > 0; shards /= 2) bits++;
    return bnn_ranks_used()->n > 1 ? 2 * bits + 1 : bits;
}

int bnn_shards_stretch(const bnn_net *net, int m) { return bnn_shards_may_cut(net) ? bnn_shards_length(m) : m; }

size_t bnn_shards_bytes(const bnn_model *model, int rows) {
    size_t n = numbers_of_a_shard(model);
    if (rows <= BNN_SHARD_ROWS || !bnn_shards_may_cut(model->net)) return 0;
    return sizeof(bnn_shards) + most_nodes(rows) * (n + 1) * sizeof(double) + n * sizeof(bnn_real);
}

bnn_status bnn_shards_open(const bnn_model *model, int rows, bnn_workspace **ws) {
    size_t bytes = bnn_shards_bytes(model, rows);
    if (bytes == 0) return BNN_OK;
    bnn_shards *t = calloc(1, bytes);
    if (!t) {
        bnn_workspace_free(*ws);
        return bnn_oom("sums over %d rows take %.1f MB", rows, (double)bytes / 1e6);
    }
    t->node = (double *)(t + 1);
    t->leaf = (bnn_real *)(t->node + most_nodes(rows) * (numbers_of_a_shard(model) + 1));
    (*ws)->shards = t;
    return BNN_OK;
}

static int rows_at_once(const bnn_model *m, int rows) {
    return rows > BNN_SHARD_ROWS && bnn_shards_may_cut(m->net) ? BNN_SHARD_ROWS : rows;
}

bnn_status bnn_shards_workspace_new(const bnn_model *model, int rows, bnn_workspace **out) {
    bnn_workspace *ws;
    BNN_TRY(bnn_workspace_new(model->net, rows_at_once(model, rows), BNN_TO_THETA, &ws));
    BNN_TRY(bnn_shards_open(model, rows, &ws));
    *out = ws;
    return BNN_OK;
}

size_t bnn_shards_workspace_bytes(const bnn_model *model, int rows) {
    return bnn_workspace_bytes(model->net, rows_at_once(model, rows), BNN_TO_THETA) + bnn_shards_bytes(model, rows);
}

/* ---- the sum ---- */

bool bnn_shards_cut(const bnn_workspace *ws, int m) { return ws->shards && m > BNN_SHARD_ROWS; }

/* Moves what the pass of a shard leaves for finish behind its gradient. */
static void take_pass(const bnn_net *net, bnn_workspace *ws, bnn_real *to) {
    for (int i = 0; i < net->n_nodes; i++) {
        size_t n = (size_t)net->node[i].layer.plan.dpass;
        if (n == 0) continue;
        memcpy(to, ws->io[i].dpass, n * sizeof *to);
        memset(ws->io[i].dpass, 0, n * sizeof *to);
        to += n;
    }
}

/* Hands out the sum: to the gradient, and to finish. */
static void give(const bnn_model *m, bnn_workspace *ws, bnn_real *grad) {
    const double *from = ws->shards->node;
    for (int i = 0; i < m->n_theta; i++) grad[i] = (bnn_real)((double)grad[i] + from[i]);
    from += m->n_theta;
    for (int i = 0; i < m->net->n_nodes; i++)
        for (int k = 0; k < m->net->node[i].layer.plan.dpass; k++) ws->io[i].dpass[k] = (bnn_real)*from++;
}

/* Makes one more workspace beside this one; false: there is no memory for it. */
static bool open_beside(const bnn_model *model, bnn_workspace *ws) {
    bnn_workspace **more = realloc(ws->beside, (size_t)(ws->n_beside + 1) * sizeof(bnn_workspace *)), *one;
    if (!more) return false;
    ws->beside = more;
    if (bnn_workspace_new(model->net, BNN_SHARD_ROWS, BNN_TO_THETA, &one) < 0) return false;
    more[ws->n_beside++] = one;
    one->row_grad = malloc((numbers_of_a_shard(model) + 1) * sizeof *one->row_grad);
    if (one->row_grad) return true;
    bnn_workspace_free(one);
    ws->n_beside--;
    return false;
}

/* Shards of so many that go side by side. Rows that are wide keep all threads busy on their own. */
static int shards_at_once(const bnn_model *model, bnn_workspace *ws, int shards) {
    enum { NARROW = 32 << 20 }; /* bytes */
    const int threads = bnn_jobs_threads() < MOST_AT_ONCE ? bnn_jobs_threads() : MOST_AT_ONCE;
    const size_t each = bnn_workspace_bytes(model->net, BNN_SHARD_ROWS, BNN_TO_THETA) + numbers_of_a_shard(model) * sizeof(bnn_real);
    if (threads < 2 || shards < threads || each > NARROW || bnn_workspace_lanes(ws) > 0) return 1;
    if (ws->n_beside + 1 < threads &&
        bnn_memory_check((double)each * (threads - 1 - ws->n_beside), "shards side by side", "take fewer threads") < 0)
        return ws->n_beside + 1;
    while (ws->n_beside + 1 < threads && open_beside(model, ws)) {
    }
    return ws->n_beside + 1 < threads ? ws->n_beside + 1 : threads;
}

/* Shards k..k+n-1 of a sum over m rows. */
typedef struct {
    const bnn_model *model;
    bnn_workspace *ws;
    bnn_rows_nll *nll;
    const void *context;
    int m, length, k;
    bool wanted;              /* gradients are */
    double own[MOST_AT_ONCE]; /* nll of each */
} few_shards;

static bnn_workspace *workspace_of(const few_shards *r, int i) { return i == 0 ? r->ws : r->ws->beside[i - 1]; }
static bnn_real *leaf_of(const few_shards *r, int i) { return i == 0 ? r->ws->shards->leaf : r->ws->beside[i - 1]->row_grad; }

static void pass_shards(void *context, int first, int n) {
    few_shards *r = context;
    for (int i = first; i < first + n; i++) {
        const int from = (r->k + i) * r->length;
        bnn_workspace *ws = workspace_of(r, i);
        bnn_real *leaf = leaf_of(r, i);
        if (r->wanted) memset(leaf, 0, (size_t)r->model->n_theta * sizeof *leaf);
        r->own[i] = r->nll(r->context, ws, from, r->m - from < r->length ? r->m - from : r->length, r->wanted ? leaf : NULL);
        if (r->wanted) take_pass(r->model->net, ws, leaf + r->model->n_theta);
    }
}

double bnn_shards_sum(const bnn_model *model, bnn_workspace *ws, int m, bnn_rows_nll *nll, const void *context, bnn_real *grad) {
    bnn_shards *t = ws->shards;
    const bnn_ranks *ranks = bnn_ranks_used();
    few_shards r = {.model = model, .ws = ws, .nll = nll, .context = context, .m = m, .length = bnn_shards_length(m), .wanted = grad};
    t->n = 0;
    t->shards = (m - 1) / r.length + 1;
    t->length = (grad ? numbers_of_a_shard(model) : 0) + 1;
    const int first = first_of(t, ranks, ranks->rank), end = first_of(t, ranks, ranks->rank + 1);
    const int most = shards_at_once(model, ws, end - first);
    for (int i = 1; i < most; i++) bnn_workspace_follow(model->net, ws, workspace_of(&r, i));
    for (r.k = first; r.k < end; r.k += most) {
        const int n = end - r.k < most ? end - r.k : most;
        bnn_parts_run(n, 1, pass_shards, &r);
        for (int i = 0; i < n; i++) add_shard(t, r.k + i, leaf_of(&r, i), r.own[i]);
    }
    gather(t, ranks);
    if (grad) give(model, ws, grad);
    return t->node[t->length - 1];
}
