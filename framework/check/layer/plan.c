/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * plan.c: what the plan says of the blocks of a layer and of its noise: roles, what is drawn, and whether anything is.
 */
#include "layer.h"

#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- names of blocks */

static bool ends_with(const char *name, const char *ending) {
    size_t length = strlen(name), end = strlen(ending);
    return length > end && strcmp(name + length - end, ending) == 0;
}

/* The block whose name is that of `from` with another ending, NULL if there is none. */
static const bnn_param *partner_of(const bnn_plan *plan, const bnn_param *from, const char *ending, const char *others) {
    size_t stem = strlen(from->name) - strlen(ending);
    for (int b = 0; b < plan->n_params; b++)
        if (strncmp(plan->param[b].name, from->name, stem) == 0 && strcmp(plan->param[b].name + stem, others) == 0) return &plan->param[b];
    return NULL;
}

/* NAME_mu and NAME_rho are a Gaussian posterior: both are there, VARIATIONAL, and of one size. */
static void check_posterior(bnn_checker *c, const bnn_plan *plan, const bnn_param *block) {
    const char *ending = ends_with(block->name, "_mu") ? "_mu" : "_rho", *others = ends_with(block->name, "_mu") ? "_rho" : "_mu";
    const bnn_param *partner = partner_of(plan, block, ending, others);
    if (block->role != BNN_VARIATIONAL)
        bnn_checker_break(c, "block '%s' has the name of a Gaussian posterior, but its role is not VARIATIONAL", block->name);
    else if (!partner)
        bnn_checker_break(c, "block '%s' has the name of a Gaussian posterior, but there is no block '%.*s%s'", block->name,
                          (int)(strlen(block->name) - strlen(ending)), block->name, others);
    else if (bnn_param_size(partner) != bnn_param_size(block))
        bnn_checker_break(c, "blocks '%s' and '%s' are a Gaussian posterior, but have %d and %d reals", block->name, partner->name,
                          bnn_param_size(block), bnn_param_size(partner));
    else if (partner->fan_in != block->fan_in)
        bnn_checker_break(c, "blocks '%s' and '%s' are a Gaussian posterior, but have the fan_in %d and %d", block->name, partner->name,
                          block->fan_in, partner->fan_in);
}

static void check_names(bnn_checker *c, const bnn_plan *plan) {
    for (int b = 0; b < plan->n_params; b++) {
        const bnn_param *block = &plan->param[b];
        bool bias = strcmp(block->name, "bias") == 0, kernel = strcmp(block->name, "kernel") == 0;
        if (ends_with(block->name, "_mu") || ends_with(block->name, "_rho")) check_posterior(c, plan, block);
        if ((bias && block->role == BNN_WEIGHT) || (kernel && block->role == BNN_BIAS))
            bnn_checker_break(c, "block '%s' has the role of a %s: its prior is that of the others", block->name, bias ? "WEIGHT" : "BIAS");
    }
}

/* ---------------------------------------------------------------- who owns a prior */

static double penalty_of(bnn_layer_pass *p) {
    bnn_layer_pass_zero_gradients(p);
    bnn_layer_pass_start(p, true);
    bnn_layer_pass_rows(p, 0, p->n, false);
    bnn_layer_pass_penalty(p);
    return p->penalty;
}

/* Says whether the penalty depends on block b, which begins at `at`, by its value or by its gradient. */
static bool depends_on_block(bnn_layer_pass *p, int b, int at) {
    int n = bnn_param_size(&p->l->plan.param[b]);
    double before = penalty_of(p), size = 0, moved = 0;
    for (int i = at; i < at + n; i++) size = fmax(size, fabs((double)p->dtheta[i])), p->theta[i] += (bnn_real)0.5;
    moved = fabs(penalty_of(p) - before);
    for (int i = at; i < at + n; i++) p->theta[i] -= (bnn_real)0.5;
    return size > 10 * ROUNDING || moved > 10 * ROUNDING * (1 + fabs(before));
}

/* The prior of WEIGHT and BIAS is the model's, so that the penalty would count it twice; that of VARIATIONAL is the penalty. */
static void check_owners(bnn_checker *c, bnn_layer_pass *p) {
    const bnn_plan *plan = &p->l->plan;
    bool variational = false, penalized = false;
    for (int b = 0, at = 0; b < plan->n_params; at += bnn_param_size(&plan->param[b++])) {
        bnn_role role = plan->param[b].role;
        bool model = role == BNN_WEIGHT || role == BNN_BIAS, depends = bnn_layer_vtable(p->l)->penalty && depends_on_block(p, b, at);
        if (model && depends)
            bnn_checker_break(c, "the penalty depends on block '%s', whose prior is the model's: is it counted twice?",
                              plan->param[b].name);
        variational |= role == BNN_VARIATIONAL;
        penalized |= role == BNN_VARIATIONAL && depends;
    }
    if (variational && !penalized)
        bnn_checker_break(c, "there are VARIATIONAL blocks, but %s: their KL is the layer's",
                          bnn_layer_vtable(p->l)->penalty ? "the penalty depends on none of them" : "no penalty hook");
}

bnn_status bnn_rule_roles(bnn_checker *c, const bnn_layer_case *k) {
    bnn_layer_pass p;
    BNN_TRY(bnn_case_open(k, 1, 110, &p));
    check_names(c, &p.l->plan);
    check_owners(c, &p);
    bnn_layer_pass_close(&p);
    return BNN_OK;
}

/* ---------------------------------------------------------------- how many weights an output is a sum of */

enum { MOST_OUTPUTS = 24 };

/* The most weights of the block that one output depends on; of outputs that stand for all. */
static int weights_of_output(bnn_layer_pass *p, int at, int n) {
    int most = 0, m = p->d_out < MOST_OUTPUTS ? (int)p->d_out : MOST_OUTPUTS;
    for (int j = 0; j < m; j++) {
        int count = 0;
        for (size_t u = 0; u < p->d_out; u++) p->c[u] = u == (size_t)bnn_case_pick(j, m, (int)p->d_out);
        bnn_layer_pass_zero_gradients(p);
        bnn_layer_pass_start(p, true);
        bnn_layer_pass_rows(p, 0, 1, false);
        bnn_layer_pass_rows(p, 0, 1, true);
        bnn_layer_pass_finish(p);
        for (int i = at; i < at + n; i++) count += p->dtheta[i] != 0;
        most = count > most ? count : most;
    }
    return most;
}

/* A bilinear form may count its rows, and of a small image borders cut kernels. */
static bool may_be_fan_in(const bnn_layer *l, const bnn_param *block, int most) {
    const int whole = bnn_param_size(block) / l->plan.out.d[0];
    const bool image = l->in[0].rank > 1 && block->fan_in >= most && block->fan_in <= whole;
    return most == 0 || block->fan_in == most || block->fan_in == block->rows || image;
}

/* Of matrices alone: of a vector it is said who is scaled by what. */
static void check_fan_in(bnn_checker *c, bnn_layer_pass *p, double *spread, bnn_real *kept) {
    const bnn_plan *plan = &p->l->plan;
    for (int b = 0, at = 0; b < plan->n_params; at += bnn_param_size(&plan->param[b++])) {
        const bnn_param *block = &plan->param[b];
        int n = bnn_param_size(block);
        if (block->rows == 0 || !(block->role == BNN_WEIGHT || bnn_rho_of(p->l, b) >= 0)) continue;
        for (int i = 0; i < p->l->n_theta; i++) spread[i] = i >= at && i < at + n;
        if (!bnn_is_linear(p, spread, kept)) continue;
        int most = weights_of_output(p, at, n);
        if (!may_be_fan_in(p->l, block, most))
            bnn_checker_break(c, "block '%s' says fan_in %d, but an output is a sum over %d of its weights", block->name, block->fan_in,
                              most);
    }
}

bnn_status bnn_rule_fan_in(bnn_checker *c, const bnn_layer_case *k) {
    bnn_layer_pass p;
    BNN_TRY(bnn_layer_pass_open(k->net->net, k->node, 1, BNN_MEAN, bnn_rng_seed(115), &p));
    double *spread = calloc((size_t)p.l->n_theta + 1, sizeof *spread);
    bnn_real *kept = calloc((size_t)p.l->n_theta + 1, sizeof *kept);
    if (spread && kept) check_fan_in(c, &p, spread, kept);
    bnn_status s = spread && kept ? BNN_OK : bnn_oom("a rule");
    free(spread), free(kept);
    bnn_layer_pass_close(&p);
    return s;
}

/* ---------------------------------------------------------------- quiet */

/* y, dx, dtheta and the penalty of all streams are those of the first. */
static void compare_streams(bnn_checker *c, bnn_layer_pass *first, bnn_layer_pass *other) {
    enum { STREAMS = 16 };
    const char *what;
    bnn_layer_pass_gradient(first);
    for (uint64_t s = 0; s < STREAMS && !bnn_checker_broken(c); s++) {
        other->io.rng = bnn_rng_split(bnn_rng_seed(111), s);
        bnn_layer_pass_zero_gradients(other);
        bnn_layer_pass_gradient(other);
        if ((what = bnn_difference_of_passes(first, other))) bnn_checker_break(c, "the plan says quiet, but %s depends on the noise", what);
    }
}

bnn_status bnn_rule_quiet(bnn_checker *c, const bnn_layer_case *k) {
    enum { N = 64 };
    bnn_layer_pass first, other;
    if (!bnn_case_layer(k)->plan.quiet) {
        bnn_checker_skip(c, "the plan does not say quiet");
        return BNN_OK;
    }
    BNN_TRY(bnn_case_open_both(k, N, 112, &first, &other));
    compare_streams(c, &first, &other);
    bnn_layer_pass_close(&other), bnn_layer_pass_close(&first);
    return BNN_OK;
}

/* ---------------------------------------------------------------- what is drawn */

static void check_places(bnn_checker *c, const bnn_plan *plan) {
    if (plan->n_drawn < 0 || plan->n_drawn > BNN_MAX_PARAMS) {
        bnn_checker_break(c, "%d drawn blocks are planned, 0 to %d are possible", plan->n_drawn, BNN_MAX_PARAMS);
        return;
    }
    for (int b = 0; b < plan->n_drawn; b++) {
        int from = plan->drawn_at[b], to = from + bnn_param_size(&plan->drawn[b]);
        if (from < 0 || to > plan->pass)
            bnn_checker_break(c, "drawn block '%s' stands at %d to %d of pass, which has %d reals", plan->drawn[b].name, from, to - 1,
                              plan->pass);
        for (int a = 0; a < b; a++)
            if (from < plan->drawn_at[a] + bnn_param_size(&plan->drawn[a]) && plan->drawn_at[a] < to)
                bnn_checker_break(c, "drawn blocks '%s' and '%s' overlap in pass", plan->drawn[a].name, plan->drawn[b].name);
    }
}

static void start_with(bnn_layer_pass *p, uint64_t stream) {
    p->io.rng = bnn_rng_split(bnn_rng_seed(113), stream);
    bnn_layer_pass_start(p, false);
}

/* Gates drop rarely: the first stream after 0 whose drawn block b is another. false: there is none among many. */
static bool find_other(bnn_layer_pass *p, int b, const bnn_real *drawn, uint64_t *stream) {
    enum { STREAMS = 200 };
    size_t bytes = (size_t)bnn_param_size(&p->l->plan.drawn[b]) * sizeof *drawn;
    for (*stream = 1; *stream < STREAMS; ++*stream) {
        start_with(p, *stream);
        if (memcmp(p->pass + p->l->plan.drawn_at[b], drawn, bytes) != 0) return true;
    }
    return false;
}

/* y of the case's rows with the pass as it stands, all blocks or one (only >= 0) taken from `pass`. */
static void forward_with(bnn_layer_pass *p, const bnn_real *pass, int only) {
    const bnn_plan *plan = &p->l->plan;
    for (int b = 0; b < plan->n_drawn; b++)
        if (only < 0 || only == b)
            memcpy(p->pass + plan->drawn_at[b], pass + plan->drawn_at[b], (size_t)bnn_param_size(&plan->drawn[b]) * sizeof *pass);
    bnn_layer_pass_rows(p, 0, p->n, false);
}

/* With one block of another draw y is another, with all of them it is that of the other draw. */
static void check_drawn(bnn_checker *c, bnn_layer_pass *p, int b, bnn_real *y, bnn_real *pass) {
    size_t n = (size_t)p->n * p->d_out;
    uint64_t other;
    start_with(p, 0);
    memcpy(pass, p->pass, (size_t)p->l->plan.pass * sizeof *pass);
    if (!find_other(p, b, pass + p->l->plan.drawn_at[b], &other)) return;
    bnn_layer_pass_rows(p, 0, p->n, false);
    memcpy(y, p->y, n * sizeof *y);
    forward_with(p, pass, b);
    if (memcmp(y, p->y, n * sizeof *y) == 0)
        bnn_checker_break(c, "y does not depend on the drawn block '%s': is drawn_at where the draw is?", p->l->plan.drawn[b].name);
    start_with(p, 0);
    bnn_layer_pass_rows(p, 0, p->n, false);
    memcpy(y, p->y, n * sizeof *y);
    start_with(p, other);
    forward_with(p, pass, -1);
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)p->y[i] - (double)y[i]) <= 10 * ROUNDING * (1 + fabs((double)y[i]))))
            bnn_checker_break(
                c, "y[%zu] is %.6g where all drawn blocks are those of a draw of which it is %.6g: is some block of pass not told?", i,
                (double)p->y[i], (double)y[i]);
}

/* Gaussian weights as they are drawn, in the place of their means: MEAN is then the layer of that draw. */
static void compare_with_mean(bnn_checker *c, bnn_layer_pass *p, bnn_real *y) {
    const bnn_plan *plan = &p->l->plan;
    size_t n = (size_t)p->n * p->d_out;
    bool all = false;
    start_with(p, 0);
    bnn_layer_pass_rows(p, 0, p->n, false);
    memcpy(y, p->y, n * sizeof *y);
    for (int b = 0, at = 0; b < plan->n_params; at += bnn_param_size(&plan->param[b++])) {
        const bnn_real *w = bnn_rho_of(p->l, b) >= 0 ? bnn_drawn_of(p, &plan->param[b]) : NULL;
        if (bnn_rho_of(p->l, b) >= 0 && !w) return;
        for (int i = 0; w && i < bnn_param_size(&plan->param[b]); i++) p->theta[at + i] = w[i];
        all |= w != NULL;
    }
    if (!all) return;
    p->io.mode = BNN_MEAN;
    bnn_layer_pass_forward(p, p->n);
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)p->y[i] - (double)y[i]) <= 10 * ROUNDING * (1 + fabs((double)y[i]))))
            bnn_checker_break(c, "y[%zu] is %.6g, and %.6g in MEAN where the means are the drawn weights: are these what is drawn?", i,
                              (double)y[i], (double)p->y[i]);
}

bnn_status bnn_rule_drawn(bnn_checker *c, const bnn_layer_case *k) {
    bnn_layer_pass p;
    if (bnn_case_layer(k)->plan.n_drawn == 0) {
        bnn_checker_skip(c, "the plan tells of no drawn block");
        return BNN_OK;
    }
    check_places(c, &bnn_case_layer(k)->plan);
    if (bnn_checker_broken(c)) return BNN_OK;
    BNN_TRY(bnn_case_open(k, BNN_CASE_ROWS, 114, &p));
    bnn_real *y = malloc((size_t)p.n * p.d_out * sizeof *y), *pass = malloc((size_t)p.l->plan.pass * sizeof *pass);
    p.io.mode = BNN_DRAW;
    for (int b = 0; y && pass && b < p.l->plan.n_drawn; b++) check_drawn(c, &p, b, y, pass);
    if (y && pass) compare_with_mean(c, &p, y);
    bnn_status s = y && pass ? BNN_OK : bnn_oom("a rule");
    free(y), free(pass);
    bnn_layer_pass_close(&p);
    return s;
}
