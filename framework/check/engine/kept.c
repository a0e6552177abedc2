/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * kept.c: what a sampler keeps, step by step: draws, their number, and what tuning leaves behind.
 */
#include "engine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 24, MOST_STEPS = 100000 };

/* ---------------------------------------------------------------- states, taken out */

/* Copies of the blocks of an engine. */
typedef struct {
    int n;
    bnn_block block[BNN_MAX_BLOCKS]; /* data: owned */
} copies;

static size_t size_of(const bnn_block *b) { return b->kind == BNN_BLOCK_REAL ? sizeof(bnn_real) : sizeof(double); }

static void copies_free(copies *s) {
    for (int i = 0; i < s->n; i++) free(s->block[i].data);
    s->n = 0;
}

static bnn_status copies_take(bnn_engine *e, copies *out) {
    bnn_block block[BNN_MAX_BLOCKS];
    int n = bnn_engine_vtable(e)->blocks(e, block);
    copies_free(out);
    for (; out->n < n; out->n++) {
        bnn_block *b = &out->block[out->n];
        *b = block[out->n];
        if (!(b->data = malloc(b->length * size_of(b) + 1))) return bnn_oom("a rule");
        if (b->length > 0) memcpy(b->data, block[out->n].data, b->length * size_of(b));
    }
    return BNN_OK;
}

static bnn_real entry(const bnn_block *b, size_t i) {
    return b->kind == BNN_BLOCK_REAL ? ((const bnn_real *)b->data)[i] : (bnn_real)((const double *)b->data)[i];
}

/* ---------------------------------------------------------------- draws */

/* A run, watched. */
typedef struct {
    bnn_engine *e;
    const bnn_engine_type *type;
    size_t n;                       /* parameters */
    int draws, chains, steps;       /* draws now, and in how many chains */
    bnn_real *theta, *before, *one; /* [draws, n] all of now and of the step before; [n] */
    int draws_before, astray;       /* astray: number of the first step that tells of another place, 0: none */
    copies now, then;               /* states after this step and after the one before */
    bool *found, *late;             /* [chains] the newest draw stood in a block; in one of the step before, and in none of now */
} watched;

static const bnn_real *draw_at(const bnn_real *theta, const watched *w, int draws, int chain, int i) {
    return theta + (size_t)(chain * (draws / w->chains) + i) * w->n;
}

/* Says whether a parameter vector stands in some block, the draws themselves apart. */
static bool stands_in(const copies *s, size_t n, const bnn_real *theta) {
    for (int k = 0; k < s->n; k++) {
        const bnn_block *b = &s->block[k];
        if (b->theta || b->kind == BNN_BLOCK_U64 || b->length % n != 0) continue;
        for (size_t at = 0; at < b->length; at += n) {
            size_t same = 0;
            while (same < n && entry(b, at + same) == theta[same]) same++;
            if (same == n) return true;
        }
    }
    return false;
}

static bnn_status take_draws(watched *w) {
    bnn_real *spare = w->before;
    w->before = w->theta, w->draws_before = w->draws;
    w->draws = w->type->n_draws(w->e), w->chains = bnn_engine_chains(w->e);
    free(spare);
    w->theta = calloc((size_t)(w->draws > 0 ? w->draws : 0) * w->n + 1, sizeof *w->theta);
    if (!w->theta) return bnn_oom("a rule");
    for (int i = 0; i < w->draws; i++) BNN_TRY(w->type->draw(w->e, i, bnn_case_stream(i), w->theta + (size_t)i * w->n));
    return BNN_OK;
}

/* Draws that were there stay as they are. */
static void compare_old(bnn_checker *c, const watched *w) {
    for (int k = 0; k < w->chains; k++)
        for (int i = 0; i < w->draws_before / w->chains; i++)
            if (memcmp(draw_at(w->before, w, w->draws_before, k, i), draw_at(w->theta, w, w->draws, k, i), w->n * sizeof *w->theta) != 0)
                bnn_checker_break(c, "step %d changes draw %d of chain %d, which was there before it", w->steps, i + 1, k + 1);
}

static void look_at_newest(bnn_checker *c, watched *w) {
    for (int k = 0; k < w->chains; k++) {
        const bnn_real *newest = draw_at(w->theta, w, w->draws, k, w->draws / w->chains - 1);
        size_t zeros = 0;
        while (zeros < w->n && newest[zeros] == 0) zeros++;
        if (zeros == w->n) bnn_checker_break(c, "draw %d of chain %d is 0 everywhere: is it kept?", w->draws / w->chains, k + 1);
        bool here = stands_in(&w->now, w->n, newest);
        w->found[k] |= here;
        w->late[k] |= !here && stands_in(&w->then, w->n, newest);
    }
}

/* Where the step says that it stands some chain does. */
static void look_at_step(watched *w, const bnn_step *step) {
    bool found = !step->theta || !(w->type->type.caps & BNN_EXACT) || w->draws == w->draws_before;
    for (int k = 0; k < w->chains && !found; k++)
        found = memcmp(draw_at(w->theta, w, w->draws, k, w->draws / w->chains - 1), step->theta, w->n * sizeof *w->theta) == 0;
    if (!found && w->astray == 0) w->astray = w->steps;
}

static void look(bnn_checker *c, watched *w) {
    if (w->draws < w->draws_before) bnn_checker_break(c, "step %d leaves %d of %d draws", w->steps, w->draws, w->draws_before);
    if (w->chains < 1 || w->draws % w->chains != 0)
        bnn_checker_break(c, "after step %d %d draws do not fall into %d chains of equal length", w->steps, w->draws, w->chains);
    if (bnn_checker_broken(c) || w->draws == w->draws_before) return;
    if (w->draws_before > 0) compare_old(c, w);
    look_at_newest(c, w);
}

/* As many columns and numbers as there are draws and chains, at every time. */
static void look_at_columns(bnn_checker *c, const watched *w) {
    bnn_column column[BNN_MAX_COLUMNS];
    int n = w->type->columns ? w->type->columns(w->e, column) : 0;
    for (int i = 0; i < n && i < BNN_MAX_COLUMNS; i++) {
        int should = column[i].on == BNN_DRAWS ? w->draws : column[i].on == BNN_CHAINS ? w->chains : column[i].length;
        if (column[i].length != should)
            bnn_checker_break(c, "after step %d column '%s' has %d numbers for %d %s", w->steps, column[i].name, column[i].length, should,
                              column[i].on == BNN_DRAWS ? "draws" : "chains");
        for (int j = 0; j < column[i].length && !bnn_checker_broken(c); j++)
            if (column[i].truth && column[i].data[j] != 0 && column[i].data[j] != 1)
                bnn_checker_break(c, "column '%s' of truths holds %g", column[i].name, column[i].data[j]);
    }
}

static void judge_late(bnn_checker *c, const watched *w) {
    for (int a = 0; a < w->chains; a++)
        for (int b = 0; b < w->chains; b++)
            if (w->found[a] && !w->late[a] && w->late[b])
                bnn_checker_break(c, "the draws that chain %d keeps are where it stands, those of chain %d where it stood a step before",
                                  a + 1, b + 1);
}

/* A block that begins with the first draw holds as many as there are. */
static void judge_number(bnn_checker *c, const watched *w) {
    for (int k = 0; k < w->now.n; k++) {
        const bnn_block *b = &w->now.block[k];
        size_t vectors = b->length / w->n, set = 0;
        if (!b->theta || b->kind != BNN_BLOCK_REAL || memcmp(b->data, w->theta, w->n * sizeof *w->theta) != 0) continue;
        for (size_t i = 0; i < vectors; i++) {
            size_t zeros = 0;
            while (zeros < w->n && entry(b, i * w->n + zeros) == 0) zeros++;
            set += zeros < w->n;
        }
        if (set > (size_t)w->draws)
            bnn_checker_break(c, "block '%s' holds %zu draws at the end, but there are to be %d", b->name, set, w->draws);
    }
}

static bnn_status watch(bnn_checker *c, watched *w, const bnn_data *data) {
    bnn_step step = {0};
    BNN_TRY(take_draws(w));
    w->found = calloc((size_t)w->chains + 1, sizeof *w->found), w->late = calloc((size_t)w->chains + 1, sizeof *w->late);
    if (!w->found || !w->late) return bnn_oom("a rule");
    while (!step.done && w->steps < MOST_STEPS && !bnn_checker_broken(c)) {
        copies spare = w->then;
        w->then = w->now, w->now = spare;
        BNN_TRY(bnn_engine_step(w->e, data, &step));
        w->steps++;
        BNN_TRY(copies_take(w->e, &w->now));
        BNN_TRY(take_draws(w));
        look(c, w);
        if (!bnn_checker_broken(c)) look_at_step(w, &step);
        if (!bnn_checker_broken(c)) look_at_columns(c, w);
    }
    if (bnn_checker_broken(c)) return BNN_OK;
    judge_late(c, w);
    judge_number(c, w);
    if (w->astray > 0)
        bnn_checker_break(c, "step %d tells of a theta that none of its chains has kept: is it where one stands now?", w->astray);
    return BNN_OK;
}

static void watched_close(watched *w) {
    bnn_engine_free(w->e);
    copies_free(&w->now), copies_free(&w->then);
    free(w->theta), free(w->before), free(w->found), free(w->late);
}

bnn_status bnn_rule_kept(bnn_checker *c, const bnn_engine_case *k) {
    bnn_case_rows rows;
    bnn_texts texts = bnn_case_texts(k->type, false);
    if (!k->type->n_draws) {
        bnn_checker_skip(c, "it keeps no draws");
        return BNN_OK;
    }
    BNN_TRY(bnn_case_rows_open(ROWS, 1, 0, &rows));
    watched w = {.type = k->type};
    bnn_status s = bnn_engine_new(k->spec, &texts, rows.data, bnn_rng_seed(5), &w.e);
    if (s == BNN_OK) {
        w.n = (size_t)w.e->model->n_theta;
        s = watch(c, &w, rows.data);
    }
    watched_close(&w);
    bnn_case_rows_close(&rows);
    return s;
}

/* ---------------------------------------------------------------- tuning */

/* A sampler behind its warm-up: its state where the first draw is kept, and some steps later. */
typedef struct {
    const bnn_engine_case *k;
    bnn_texts texts;
    const bnn_data *data;
    bnn_engine *e;
    copies first, later;
    double known[64]; /* numbers of where the chains stand that an engine may hold: parts of U */
    int n_known;
} tuned;

enum { STEPS_BEHIND = 2, MOST_ENTRIES = 100 };

/* Steps until there are more draws than `draws`; false: it is done before. */
static bnn_status step_on(bnn_engine *e, const bnn_data *data, int draws, bool *more) {
    bnn_step step = {0};
    *more = false;
    while (!step.done && !*more) {
        BNN_TRY(bnn_engine_step(e, data, &step));
        *more = bnn_engine_vtable(e)->n_draws(e) > draws && !step.done;
    }
    return BNN_OK;
}

/* A new engine with the later state, of which some entries are those of the first. *e may be set, too, where it fails. */
static bnn_status rebuild(const tuned *t, int block, size_t at, size_t length, bnn_engine **e) {
    bnn_block target[BNN_MAX_BLOCKS];
    BNN_TRY(bnn_engine_new(t->k->spec, &t->texts, t->data, bnn_rng_seed(5), e));
    BNN_TRY(bnn_case_copy_state(t->e, *e, t->data));
    if (block < 0) return BNN_OK;
    bnn_engine_vtable(*e)->blocks(*e, target);
    size_t size = size_of(&target[block]);
    memcpy((char *)target[block].data + at * size, (const char *)t->first.block[block].data + at * size, length * size);
    return BNN_OK;
}

/* The newest draw of every chain after one more of them. */
static bnn_status next_draws(const tuned *t, int block, size_t at, size_t length, bnn_real **out) {
    const bnn_engine_type *type = t->k->type;
    bnn_engine *e = NULL;
    bool more;
    bnn_status s = rebuild(t, block, at, length, &e);
    size_t n = s == BNN_OK ? (size_t)e->model->n_theta : 0;
    if (s == BNN_OK) s = step_on(e, t->data, type->n_draws(e), &more);
    int chains = s == BNN_OK ? bnn_engine_chains(e) : 1, kept = s == BNN_OK ? type->n_draws(e) / chains : 0;
    *out = calloc((size_t)chains * n + 1, sizeof **out);
    if (s == BNN_OK && !*out) s = bnn_oom("a rule");
    for (int i = 0; s == BNN_OK && i < chains; i++) s = type->draw(e, (i + 1) * kept - 1, bnn_case_stream(i), *out + (size_t)i * n);
    bnn_engine_free(e);
    return s;
}

/* An entry that is a part of U where a chain stands, or a number of its parameters, is no tuning. */
static bool is_known(const tuned *t, double value) {
    for (int i = 0; i < t->n_known; i++)
        if (fabs(fabs(value) - fabs(t->known[i])) <= 1e-4 * fabs(value)) return true;
    return false;
}

static bnn_status know(tuned *t) {
    const bnn_model *m = t->e->model;
    const bnn_engine_type *type = t->k->type;
    const bnn_objective u = {.n_total = t->data->n, .scale = 1, .kl_weight = 1, .mode = BNN_MEAN};
    int chains = bnn_engine_chains(t->e), length = type->n_draws(t->e) / chains;
    bnn_workspace *ws;
    bnn_real *theta = calloc((size_t)m->n_theta + 1, sizeof *theta);
    bnn_status s = theta ? bnn_workspace_new(m->net, t->data->n, BNN_TO_THETA, &ws) : bnn_oom("a rule");
    if (s == BNN_OK) {
        for (int k = 0; k < chains && k < 12 && s == BNN_OK; k++) {
            s = type->draw(t->e, (k + 1) * length - 1, bnn_case_stream(0), theta);
            bnn_terms terms = bnn_model_u(m, ws, &u, bnn_rng_seed(0), theta, t->data->n, t->data->x, t->data->y, NULL);
            const double parts[] = {bnn_terms_u(terms), terms.nll, terms.prior, bnn_terms_u(terms) / t->data->n, terms.nll / t->data->n};
            for (int i = 0; i < 5; i++) t->known[t->n_known++] = parts[i];
        }
        bnn_workspace_free(ws);
    }
    free(theta);
    return s;
}

/* Numbers above 0, one for each parameter, of which none has moved by a third: masses or variances on their way, not what a chain draws. */
static bool is_scale(const bnn_block *now, const bnn_block *then, size_t at, size_t n) {
    bool moved = false;
    for (size_t i = at; i < at + n; i++) {
        double a = (double)entry(then, i), b = (double)entry(now, i);
        if (!(a > 0 && b > 0 && fabs(log(b / a)) < 0.3)) return false;
        moved |= a != b;
    }
    return moved && n >= 8;
}

/* What the tuned engine draws next, and what it is compared with. */
typedef struct {
    const tuned *t;
    bnn_real *plain;
    size_t bytes;
    bool exact; /* the type claims the posterior without an error */
} trial;

/* Entries of a block put back to what they were behind the first kept draw. */
static bnn_status try_stretch(bnn_checker *c, const trial *r, int block, size_t at, size_t length) {
    const bnn_block *now = &r->t->later.block[block], *then = &r->t->first.block[block];
    bnn_real *other = NULL;
    bnn_status s = next_draws(r->t, block, at, length, &other);
    if (s == BNN_OK && memcmp(r->plain, other, r->bytes) != 0)
        bnn_checker_break(
            c,
            "block '%s'[%zu]%s from %.6g to %.6g after the first draw is kept, and the next draw depends on it: does tuning go "
            "on behind the warm-up?",
            now->name, at, length > 1 ? ", one of many, goes" : " goes", (double)entry(then, at), (double)entry(now, at));
    free(other);
    return s;
}

/* Numbers that are not one for each parameter, since those hold positions, velocities; and, of exact samplers, scales of parameters. */
static bnn_status try_block(bnn_checker *c, const trial *r, int block, int *tried) {
    const bnn_block *now = &r->t->later.block[block], *then = &r->t->first.block[block];
    size_t n = (size_t)r->t->e->model->n_theta, length = now->length % n == 0 ? n : 1;
    bnn_status s = BNN_OK;
    if (now->theta || now->kind == BNN_BLOCK_U64 || now->length != then->length) return BNN_OK;
    for (size_t i = 0; i < now->length && s == BNN_OK && *tried < MOST_ENTRIES && !bnn_checker_broken(c); i += length) {
        bool vector = length > 1;
        if (vector ? !(r->exact && is_scale(now, then, i, n)) : entry(now, i) == entry(then, i) || is_known(r->t, (double)entry(now, i)))
            continue;
        ++*tried;
        s = try_stretch(c, r, block, i, length);
    }
    return s;
}

static bnn_status try_entries(bnn_checker *c, const tuned *t) {
    trial r = {.t = t, .bytes = (size_t)bnn_engine_chains(t->e) * (size_t)t->e->model->n_theta * sizeof(bnn_real)};
    const bnn_claim *claims = t->k->type->claims;
    int tried = 0;
    for (int i = 0; claims && claims[i].spec; i++) r.exact |= claims[i].finds == BNN_FINDS_POSTERIOR && claims[i].error == 0;
    BNN_TRY(next_draws(t, -1, 0, 0, &r.plain));
    bnn_status s = BNN_OK;
    for (int b = 0; b < t->later.n && s == BNN_OK; b++) s = try_block(c, &r, b, &tried);
    free(r.plain);
    return s;
}

static bnn_status try_tuning(bnn_checker *c, tuned *t) {
    bool more;
    if (t->k->type->n_draws(t->e) == 0)
        BNN_TRY(step_on(t->e, t->data, 0, &more));
    else
        more = false;
    for (int i = 0; i < STEPS_BEHIND && more; i++) {
        if (i == 0) BNN_TRY(copies_take(t->e, &t->first));
        if (i == STEPS_BEHIND - 1) break;
        BNN_TRY(step_on(t->e, t->data, t->k->type->n_draws(t->e), &more));
    }
    if (!more) {
        bnn_checker_skip(c, "this spec keeps no %d draws behind a warm-up", STEPS_BEHIND + 1);
        return BNN_OK;
    }
    BNN_TRY(copies_take(t->e, &t->later));
    BNN_TRY(know(t));
    return try_entries(c, t);
}

bnn_status bnn_rule_tuning(bnn_checker *c, const bnn_engine_case *k) {
    bnn_case_rows rows;
    if (!k->type->n_draws || k->type->held || !(k->type->type.caps & BNN_EXACT)) {
        bnn_checker_skip(c, "it keeps no draws of a sampler of its own");
        return BNN_OK;
    }
    BNN_TRY(bnn_case_rows_open(ROWS, 1, 0, &rows));
    tuned t = {.k = k, .texts = bnn_case_texts(k->type, false), .data = rows.data};
    bnn_status s = bnn_engine_new(k->spec, &t.texts, rows.data, bnn_rng_seed(5), &t.e);
    if (s == BNN_OK) s = try_tuning(c, &t);
    copies_free(&t.first), copies_free(&t.later);
    bnn_engine_free(t.e);
    bnn_case_rows_close(&rows);
    return s;
}
