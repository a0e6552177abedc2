/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * absorb.c: what a layer remembers of batches: STATE blocks, and the hook that moves them.
 */
#include "layer.h"

#include <string.h>

static bool has_state(const bnn_plan *plan) {
    for (int b = 0; b < plan->n_params; b++)
        if (plan->param[b].role == BNN_STATE) return true;
    return false;
}

/* Of a pass of training and of its gradient: a state gets none. */
static void check_gradient(bnn_checker *c, const bnn_layer_pass *p) {
    for (int b = 0, i = 0; b < p->l->plan.n_params; b++)
        for (int end = i + bnn_param_size(&p->l->plan.param[b]); i < end; i++)
            if (p->l->plan.param[b].role == BNN_STATE && p->dtheta[i] != 0)
                bnn_checker_break(c, "theta[%d] \"%s\" is a STATE, and gets a gradient of %.6g", i, p->l->plan.param[b].name,
                                  (double)p->dtheta[i]);
}

/* kept: theta before the hook. */
static void check_moves(bnn_checker *c, const bnn_layer_pass *p, const bnn_real *kept) {
    bool moved = false;
    for (int b = 0, i = 0; b < p->l->plan.n_params; b++)
        for (int end = i + bnn_param_size(&p->l->plan.param[b]); i < end; i++) {
            bool state = p->l->plan.param[b].role == BNN_STATE;
            if (!state && p->theta[i] != kept[i])
                bnn_checker_break(c, "absorb moves theta[%d] \"%s\", which is no STATE", i, p->l->plan.param[b].name);
            if (!isfinite((double)p->theta[i])) bnn_checker_break(c, "absorb makes theta[%d] %g", i, (double)p->theta[i]);
            moved |= p->theta[i] != kept[i];
        }
    if (!moved) bnn_checker_break(c, "absorb leaves every STATE as it was");
    if (!bnn_guarded_intact(p->theta)) bnn_checker_break(c, "absorb writes outside theta [%d]", p->l->n_theta);
}

static void run(bnn_checker *c, bnn_layer_pass *p, bnn_real *kept) {
    size_t bytes = (size_t)p->l->n_theta * sizeof *kept;
    bnn_layer_pass_gradient(p);
    check_gradient(c, p);
    memcpy(kept, p->theta, bytes);
    bnn_layer_pass_absorb(p, 0);
    if (memcmp(kept, p->theta, bytes) != 0) bnn_checker_break(c, "absorb of no rows moves theta");
    memcpy(p->theta, kept, bytes);
    bnn_layer_pass_absorb(p, p->n);
    check_moves(c, p, kept);
}

bnn_status bnn_rule_absorb(bnn_checker *c, const bnn_layer_case *k) {
    bool state = has_state(&bnn_case_layer(k)->plan);
    bnn_layer_pass p;
    if (!state && !k->type->absorb) {
        bnn_checker_skip(c, "there are no STATE blocks");
        return BNN_OK;
    }
    if (!state || !k->type->absorb) {
        bnn_checker_break(c, state ? "there are STATE blocks, but no absorb hook to move them"
                                   : "there is an absorb hook, but no STATE block");
        return BNN_OK;
    }
    BNN_TRY(bnn_case_open(k, BNN_CASE_ROWS, 30, &p));
    bnn_real *kept = bnn_guarded_new((size_t)p.l->n_theta);
    if (kept) run(c, &p, kept);
    bnn_status s = kept ? BNN_OK : bnn_oom("a rule");
    bnn_guarded_free(kept);
    bnn_layer_pass_close(&p);
    return s;
}
