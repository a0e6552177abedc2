/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * claims.c: what the vtable and the plan say of the layer, held against what it does.
 */
#include "layer.h"
#include "check/type.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- metadata */

static void check_head(bnn_checker *c, const bnn_layer_type *t) {
    bnn_check_head(c, BNN_STOCHASTIC | BNN_COUPLED | BNN_KINKED | BNN_AFFINE | BNN_RESHAPE | BNN_ELEMENTWISE | BNN_CONV);
    if (t->min_in < 0 || t->max_in < t->min_in || t->max_in > BNN_MOST_INPUTS)
        bnn_checker_break(c, "takes from %d to %d inputs: 0 <= min_in <= max_in <= %d is possible", t->min_in, t->max_in, BNN_MOST_INPUTS);
}

static void check_params(bnn_checker *c, const bnn_plan *plan) {
    if (plan->n_params < 0 || plan->n_params > BNN_MAX_PARAMS) {
        bnn_checker_break(c, "%d blocks of parameters are planned, 0 to %d are possible", plan->n_params, BNN_MAX_PARAMS);
        return;
    }
    for (int b = 0; b < plan->n_params; b++) {
        const bnn_param *p = &plan->param[b];
        if (!p->name || !bnn_is_name(p->name))
            bnn_checker_break(c, "block %d has the name '%s', not one of small letters, digits and _", b, p->name ? p->name : "");
        else if (p->rows < 0 || p->cols < 1 || p->fan_in < 1)
            bnn_checker_break(c, "block '%s' has rows %d, cols %d, fan_in %d: rows >= 0 and the others >= 1 are possible", p->name, p->rows,
                              p->cols, p->fan_in);
        for (int a = 0; a < b && !bnn_checker_broken(c); a++)
            if (strcmp(plan->param[a].name, p->name) == 0) bnn_checker_break(c, "two blocks of parameters have the name '%s'", p->name);
    }
}

static void check_plan(bnn_checker *c, const bnn_layer_type *t, const bnn_plan *plan) {
    const struct {
        const char *name;
        double value;
    } sizes[] = {{"pass", plan->pass},
                 {"dpass", plan->dpass},
                 {"cache_row", plan->cache_row},
                 {"scratch_row", plan->scratch_row},
                 {"scratch_pass", plan->scratch_pass},
                 {"flops_row", plan->flops_row},
                 {"flops_pass", plan->flops_pass},
                 {"back_flops_row", plan->back_flops_row},
                 {"back_flops_pass", plan->back_flops_pass}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (!(sizes[i].value >= 0 && sizes[i].value < INFINITY)) bnn_checker_break(c, "%s is planned as %g", sizes[i].name, sizes[i].value);
    if (plan->out.rank < 1 || plan->out.rank > BNN_MAX_RANK || bnn_shape_size(plan->out) < 1)
        bnn_checker_break(c, "the planned output has rank %d and %d reals", plan->out.rank, bnn_shape_size(plan->out));
    if (plan->pass > 0 && !t->prepare) bnn_checker_break(c, "pass is planned, but there is no prepare hook to make it");
    if (plan->dpass > 0 && !t->finish) bnn_checker_break(c, "dpass is planned, but there is no finish hook to read it");
    check_params(c, plan);
}

bnn_status bnn_rule_metadata(bnn_checker *c, const bnn_layer_case *k) {
    check_head(c, k->type);
    for (int s = 0; k->type->type.checks[s] && !bnn_checker_broken(c); s++) {
        const char *spec = c->now.spec = k->type->type.checks[s];
        bnn_spec_net net;
        bool found = false;
        bnn_status status = bnn_spec_net_open(spec, &net);
        if (status == BNN_ERR_MEMORY) return status;
        if (status < 0) {
            bnn_checker_break(c, "the check spec is refused: %s", bnn_error());
            break;
        }
        for (int i = 0; i < net.net->n_nodes; i++) {
            const bnn_layer *l = &net.net->node[i].layer;
            if (bnn_layer_vtable(l) != k->type) continue;
            found = true;
            check_plan(c, k->type, &l->plan);
        }
        if (!found) bnn_checker_break(c, "the check spec has no node of this type");
        bnn_spec_net_close(&net);
    }
    return BNN_OK;
}

/* ---------------------------------------------------------------- options */

/* A net with a wrong option is refused with node and option named. */
static bnn_status is_named_with_node(bnn_checker *c, const char *key, const char *value) {
    bnn_spec_net net;
    char *text, node[96], option[96];
    bool source = ((const bnn_layer_type *)c->type)->max_in == 0; /* its options are read to find the shape, before there is a node */
    snprintf(node, sizeof node, "(%s)", c->type->name);
    snprintf(option, sizeof option, "option '%s'", key);
    BNN_TRY(bnn_spec_with_option(c->type, c->type->checks[0], key, value, &text));
    c->now.spec = c->type->checks[0];
    if (bnn_spec_net_open(text, &net) == BNN_OK) {
        bnn_checker_break(c, "'%s' is taken", text);
        bnn_spec_net_close(&net);
    } else if (!source && (!strstr(bnn_error(), node) || !strstr(bnn_error(), option))) {
        bnn_checker_break(c, "'%s' is refused without node and option: %s", text, bnn_error());
    }
    free(text);
    return BNN_OK;
}

bnn_status bnn_rule_options(bnn_checker *c, const bnn_layer_case *k) {
    (void)k;
    return bnn_check_option_table(c, is_named_with_node);
}

/* ---------------------------------------------------------------- initial values and capabilities */

/* Says whether numbers look like draws: all are different, and about two thirds of them above or below both their neighbours, which of a
 * grid or a wave few are. */
static bool look_drawn(const bnn_real *a, int n) {
    enum { FEWEST = 10 };
    int turns = 0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i && n < 256; j++)
            if (a[i] == a[j]) return false;
    for (int i = 1; i + 1 < n; i++) turns += (a[i] > a[i - 1]) == (a[i] > a[i + 1]);
    return n >= FEWEST && turns > 0.45 * (n - 2) && turns < 0.9 * (n - 2);
}

/* Two columns of a matrix [rows, cols] that are drawn alike, and so stay for ever; -1: there are none. */
static int twin_of(const bnn_real *a, const bnn_param *block, int column) {
    for (int other = 0; other < column; other++) {
        bool same = true, constant = true;
        for (int i = 0; i < block->rows && same; i++) {
            same = a[i * block->cols + column] == a[i * block->cols + other];
            constant &= a[i * block->cols + column] == a[column];
        }
        if (same && !constant) return other;
    }
    return -1;
}

/* theta and what another stream made. What no stream moves may be set as it likes, unless it looks like draws. */
static void check_draws(bnn_checker *c, const bnn_layer *l, const bnn_real *theta, const bnn_real *other) {
    enum { MOST_COLUMNS = 16 };
    const bnn_plan *plan = &l->plan;
    if (memcmp(theta, other, (size_t)l->n_theta * sizeof *theta) == 0 && look_drawn(theta, l->n_theta))
        bnn_checker_break(c, "the initial parameters look drawn, but are the same in two streams: is rng used?");
    for (int b = 0; b < plan->n_params; theta += bnn_param_size(&plan->param[b]), other += bnn_param_size(&plan->param[b]), b++) {
        const bnn_param *block = &plan->param[b];
        int n = bnn_param_size(block), columns = block->rows > 1 && block->cols < MOST_COLUMNS ? block->cols : 0;
        bool moves = memcmp(theta, other, (size_t)n * sizeof *theta) != 0;
        for (int j = 1; moves && j < columns && block->role != BNN_STATE; j++)
            if (twin_of(theta, block, j) >= 0)
                bnn_checker_break(c, "columns %d and %d of block '%s' are drawn alike, so that their units stay one",
                                  twin_of(theta, block, j), j, block->name);
    }
}

bnn_status bnn_rule_init(bnn_checker *c, const bnn_layer_case *k) {
    const bnn_layer *l = bnn_case_layer(k);
    size_t n = (size_t)l->n_theta;
    if (!k->type->init) {
        bnn_checker_skip(c, "there is no init hook");
        return BNN_OK;
    }
    bnn_real *theta = bnn_guarded_new(n), *again = bnn_guarded_new(n);
    if (theta && again) {
        for (size_t i = 0; i < n; i++) theta[i] = again[i] = (bnn_real)NAN;
        k->type->init(l, bnn_rng_seed(20), theta);
        k->type->init(l, bnn_rng_seed(21), again);
        check_draws(c, l, theta, again);
        k->type->init(l, bnn_rng_seed(20), again);
        for (size_t i = 0; i < n; i++)
            if (!isfinite(theta[i])) bnn_checker_break(c, "theta[%zu] is initially %g: is it set?", i, (double)theta[i]);
        if (memcmp(theta, again, n * sizeof *theta) != 0) bnn_checker_break(c, "the same stream gives other initial parameters");
        if (!bnn_guarded_intact(theta)) bnn_checker_break(c, "init writes outside theta [%zu]", n);
    }
    bool ok = theta && again;
    bnn_guarded_free(theta);
    bnn_guarded_free(again);
    return ok ? BNN_OK : bnn_oom("parameters");
}

static void check_affine(bnn_checker *c, const bnn_layer_pass *p) {
    const bnn_plan *plan = &p->l->plan;
    int d = (int)p->d_in[0], u = (int)p->d_out;
    const bnn_param *kernel = &plan->param[0], *bias = &plan->param[1];
    bool named = plan->n_params > 0 && strcmp(kernel->name, "kernel") == 0 && kernel->rows == d && kernel->cols == u;
    bool with_bias = plan->n_params > 1 && strcmp(bias->name, "bias") == 0 && bnn_param_size(bias) == u;
    if (!named || plan->n_params > 2 || (plan->n_params == 2 && !with_bias)) {
        bnn_checker_break(c, "AFFINE, but its blocks are not kernel [%d,%d] and perhaps bias [%d]", d, u, u);
        return;
    }
    for (int r = 0; r < p->n; r++)
        for (int j = 0; j < u; j++) {
            double y = with_bias ? p->theta[d * u + j] : 0, size = fabs(y);
            for (int i = 0; i < d; i++) {
                double part = (double)p->x[0][r * d + i] * (double)p->theta[i * u + j];
                y += part, size += fabs(part);
            }
            double is = p->y[r * u + j];
            if (!(fabs(is - y) <= ROUNDING * size))
                bnn_checker_break(c, "AFFINE, but y[%d][%d] is %.6g where x kernel + bias is %.6g", r, j, is, y);
        }
}

static void reverse(size_t n, bnn_real *v) {
    for (size_t i = 0; i < n / 2; i++) {
        bnn_real kept = v[i];
        v[i] = v[n - 1 - i], v[n - 1 - i] = kept;
    }
}

/* The same function of every element: numbers in the reverse order give results in the reverse order. */
static void check_elementwise(bnn_checker *c, bnn_layer_pass *p) {
    size_t n = BNN_CASE_ROWS * p->d_in[0];
    bnn_real *before = bnn_guarded_new(n);
    if (p->l->n_theta > 0 || p->l->object.type->caps & BNN_STOCHASTIC)
        bnn_checker_break(c, "ELEMENTWISE, but there %s", p->l->n_theta > 0 ? "are parameters" : "is noise");
    if (!before || p->d_in[0] != p->d_out) {
        bnn_checker_break(c, "ELEMENTWISE, but a row of %zu numbers gives %zu", p->d_in[0], p->d_out);
        bnn_guarded_free(before);
        return;
    }
    memcpy(before, p->y, n * sizeof *before);
    reverse(n, p->x[0]);
    bnn_layer_pass_forward(p, BNN_CASE_ROWS);
    reverse(n, before);
    if (memcmp(before, p->y, n * sizeof *before) != 0) bnn_checker_break(c, "ELEMENTWISE, but numbers in another order give other results");
    bnn_guarded_free(before);
}

bnn_status bnn_rule_capabilities(bnn_checker *c, const bnn_layer_case *k) {
    bnn_layer_pass p;
    if (!bnn_case_has_cap(k, BNN_AFFINE | BNN_RESHAPE | BNN_ELEMENTWISE | BNN_CONV)) {
        bnn_checker_skip(c, "neither AFFINE nor RESHAPE nor ELEMENTWISE nor CONV");
        return BNN_OK;
    }
    BNN_TRY(bnn_layer_pass_open(k->net->net, k->node, BNN_CASE_ROWS, BNN_MEAN, bnn_rng_seed(22), &p));
    bnn_layer_pass_forward(&p, BNN_CASE_ROWS);
    if (bnn_case_has_cap(k, BNN_AFFINE)) check_affine(c, &p);
    if (bnn_case_has_cap(k, BNN_RESHAPE) && (p.d_in[0] != p.d_out || memcmp(p.x[0], p.y, BNN_CASE_ROWS * p.d_out * sizeof(bnn_real)) != 0))
        bnn_checker_break(c, "RESHAPE, but y does not hold the numbers of x in their order");
    if (bnn_case_has_cap(k, BNN_ELEMENTWISE)) check_elementwise(c, &p);
    bnn_layer_pass_close(&p);
    return bnn_case_has_cap(k, BNN_CONV) ? bnn_check_convolution(c, k) : BNN_OK;
}

/* ---------------------------------------------------------------- memory */

/* Entries of one declared array that some mode used. */
typedef struct {
    const char *name;
    size_t n;
    bool *used; /* [n] */
} usage;

enum { PASS, DPASS, CACHE, SCRATCH, N_ARRAYS };

static void note_changes(const bnn_real *a, bnn_real untouched, usage *u) {
    for (size_t i = 0; i < u->n; i++) u->used[i] |= memcmp(&a[i], &untouched, sizeof untouched) != 0;
}

static bnn_status note_usage(const bnn_layer_case *k, bnn_mode mode, usage u[N_ARRAYS]) {
    bnn_layer_pass p;
    BNN_TRY(bnn_layer_pass_open(k->net->net, k->node, BNN_CASE_ROWS, mode, bnn_rng_seed(23), &p));
    p.touched = u[SCRATCH].used;
    bnn_layer_pass_gradient(&p);
    note_changes(p.pass, p.undefined, &u[PASS]);
    note_changes(p.dpass, 0, &u[DPASS]);
    note_changes(p.cache, p.undefined, &u[CACHE]);
    bnn_layer_pass_close(&p);
    return BNN_OK;
}

bnn_status bnn_rule_memory(bnn_checker *c, const bnn_layer_case *k) {
    const bnn_plan *plan = &bnn_case_layer(k)->plan;
    usage u[N_ARRAYS] = {[PASS] = {.name = "pass", .n = (size_t)plan->pass},
                         [DPASS] = {.name = "dpass", .n = (size_t)plan->dpass},
                         [CACHE] = {.name = "cache", .n = (size_t)plan->cache_row * BNN_CASE_ROWS},
                         [SCRATCH] = {.name = "scratch", .n = (size_t)plan->scratch_pass + (size_t)plan->scratch_row * BNN_CASE_ROWS}};
    bnn_status s = BNN_OK;
    for (int a = 0; a < N_ARRAYS; a++)
        if (!(u[a].used = calloc(u[a].n + 1, sizeof *u[a].used))) s = bnn_oom("a rule");
    for (bnn_mode mode = BNN_MEAN; mode <= BNN_DRAW && s == BNN_OK; mode++) s = note_usage(k, mode, u);
    for (int a = 0; a < N_ARRAYS; a++) {
        size_t used = 0;
        for (size_t i = 0; s == BNN_OK && i < u[a].n; i++) used += u[a].used[i];
        if (s == BNN_OK && (double)used < 0.9 * (double)u[a].n)
            bnn_checker_break(c, "%zu reals of %s are planned for %d rows, %zu are used in some mode", u[a].n, u[a].name, BNN_CASE_ROWS,
                              used);
        free(u[a].used);
    }
    return s;
}

/* ---------------------------------------------------------------- operations */

/* Says whether every output is one of the inputs, bit for bit: such a layer may declare no operations. */
static bool only_copies(const bnn_layer_pass *p) {
    for (size_t i = 0; i < (size_t)p->n * p->d_out; i++) {
        bool found = false;
        for (int k = 0; k < p->l->n_in && !found; k++)
            for (size_t j = 0; j < (size_t)p->n * p->d_in[k] && !found; j++) found = memcmp(&p->y[i], &p->x[k][j], sizeof p->y[i]) == 0;
        if (!found) return false;
    }
    return true;
}

static void within(bnn_checker *c, const char *what, double declared, double low, double high) {
    if (declared < low || declared > high)
        bnn_checker_break(c, "%s is declared as %.6g, where %.6g to %.6g is plausible%s", what, declared, low, high,
                          declared == 0 ? " (is it declared at all?)" : "");
}

/* There is no counter, so: 2 D U for a product and twice that for its gradients, within a tenth; else from one operation for each output
 * (and each weight) up to 32 for each unit, and 64 and two for each output for every weight. */
bnn_status bnn_rule_flops(bnn_checker *c, const bnn_layer_case *k) {
    bnn_layer_pass p;
    const bnn_layer *l = bnn_case_layer(k);
    const bnn_plan *plan = &l->plan;
    double in = 0, weights = 0, out = bnn_layer_size_out(l);
    BNN_TRY(bnn_layer_pass_open(k->net->net, k->node, BNN_CASE_ROWS, BNN_ROWS, bnn_rng_seed(24), &p));
    bnn_layer_pass_forward(&p, BNN_CASE_ROWS);
    bool copies = only_copies(&p);
    for (int i = 0; i < l->n_in; i++) in += (double)p.d_in[i];
    bnn_layer_pass_close(&p);
    for (int b = 0; b < plan->n_params; b++)
        weights += plan->param[b].role == BNN_HYPER || plan->param[b].role == BNN_STATE ? 0 : bnn_param_size(&plan->param[b]);
    double forward = plan->flops_row + plan->flops_pass, back = plan->back_flops_row + plan->back_flops_pass;
    if (bnn_case_has_cap(k, BNN_AFFINE)) {
        double product = 2 * in * out;
        within(c, "flops of a row", forward, 0.9 * product, 1.1 * (product + out));
        within(c, "back_flops of a row", back, 1.8 * product, 2.2 * (product + out));
        return BNN_OK;
    }
    if (bnn_case_has_cap(k, BNN_CONV)) {
        double pixels_in = in / l->in[0].d[0], pixels_out = out / plan->out.d[0], product = 2 * (double)bnn_param_size(&plan->param[0]);
        double low = 0.4 * product * fmin(pixels_in, pixels_out), high = 1.1 * (product * fmax(pixels_in, pixels_out) + out);
        within(c, "flops of a row", forward, low, high);
        within(c, "back_flops of a row", back, 2 * low, 2 * high);
        return BNN_OK;
    }
    double most = 32 * (fmax(in, out) + 1) + weights * (64 + 4 * out);
    within(c, "flops of a row and a pass", forward, copies ? 0 : fmax(out, weights), most);
    within(c, "back_flops of a row and a pass", back, copies ? 0 : fmax(1, weights), 3 * most);
    return BNN_OK;
}
