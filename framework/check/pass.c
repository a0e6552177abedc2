/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "pass.h"

#include "numeric.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- nets of check specs */

static bnn_status input_shape(const char *text, bnn_shape *out) {
    bnn_netspec spec;
    bnn_object input;
    bnn_option shape;
    BNN_TRY(bnn_netspec_parse(text, &spec));
    bool given = strcmp(spec.s[0].type, "input") == 0;
    char *source = NULL;
    bnn_status s = given ? BNN_OK : bnn_fail(BNN_ERR_SYNTAX, "a check spec begins with 'input:SHAPE'");
    if (given && asprintf(&source, "input:%s", spec.s[0].options) < 0) s = bnn_oom("a check spec");
    bnn_netspec_free(&spec);
    if (s == BNN_OK) s = bnn_object_parse(BNN_LAYER, source, &input);
    free(source);
    if (s < 0) return s;
    if (bnn_options_find(input.type->options, "shape", &shape)) memcpy(out, (const char *)input.conf + shape.offset, sizeof *out);
    bnn_object_free(&input);
    return out->rank > 0 ? BNN_OK : bnn_fail(BNN_ERR_SHAPE, "a check spec begins with 'input:SHAPE'");
}

bnn_status bnn_spec_net_open(const char *text, bnn_spec_net *out) { return bnn_spec_net_open_with(text, "gauss", out); }

bnn_status bnn_spec_net_open_with(const char *text, const char *prior, bnn_spec_net *out) {
    bnn_shape shape;
    BNN_TRY(input_shape(text, &shape));
    BNN_TRY(bnn_prior_new(prior, &out->prior));
    bnn_status s = bnn_net_new(text, &(bnn_net_env){.x_shape = shape, .prior = &out->prior}, &out->net);
    if (s < 0) bnn_prior_free(&out->prior);
    return s;
}

void bnn_spec_net_close(bnn_spec_net *t) {
    bnn_net_free(t->net);
    bnn_prior_free(&t->prior);
}

/* ---------------------------------------------------------------- memory */

size_t bnn_layer_pass_scratch(const bnn_layer_pass *p) {
    return (size_t)p->l->plan.scratch_pass + (size_t)p->n * (size_t)p->l->plan.scratch_row;
}

static size_t cache_length(const bnn_layer_pass *p) { return (size_t)p->n * (size_t)p->l->plan.cache_row; }

static void fill(bnn_real *a, size_t n, bnn_real value) {
    for (size_t i = 0; i < n; i++) a[i] = value;
}

static bool make_arrays(bnn_layer_pass *p) {
    const bnn_plan *plan = &p->l->plan;
    size_t n = (size_t)p->n;
    bool ok = true;
    for (int k = 0; k < p->l->n_in; k++) {
        p->d_in[k] = (size_t)bnn_shape_size(p->l->in[k]);
        ok &= (p->x[k] = bnn_guarded_new(n * p->d_in[k])) != NULL;
        ok &= (p->dx[k] = bnn_guarded_new(n * p->d_in[k])) != NULL;
    }
    ok &= (p->theta = bnn_guarded_new((size_t)p->l->n_theta)) != NULL;
    ok &= (p->dtheta = bnn_guarded_new((size_t)p->l->n_theta)) != NULL;
    ok &= (p->y = bnn_guarded_new(n * p->d_out)) != NULL;
    ok &= (p->c = bnn_guarded_new(n * p->d_out)) != NULL;
    ok &= (p->pass = bnn_guarded_new((size_t)plan->pass)) != NULL;
    ok &= (p->dpass = bnn_guarded_new((size_t)plan->dpass)) != NULL;
    ok &= (p->cache = bnn_guarded_new(cache_length(p))) != NULL;
    ok &= (p->scratch = bnn_guarded_new(bnn_layer_pass_scratch(p))) != NULL;
    return ok;
}

void bnn_layer_pass_close(bnn_layer_pass *p) {
    for (int k = 0; k < p->l->n_in; k++) bnn_guarded_free(p->x[k]), bnn_guarded_free(p->dx[k]);
    bnn_real *const arrays[] = {p->theta, p->dtheta, p->y, p->c, p->pass, p->dpass, p->cache, p->scratch};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) bnn_guarded_free(arrays[i]);
}

static bool fill_theta(const bnn_net *net, int node, bnn_rng rng, bnn_layer_pass *p) {
    size_t n = (size_t)p->l->n_theta;
    bnn_real *all = bnn_guarded_new((size_t)net->n_theta), *noise = bnn_guarded_new(n);
    bool ok = all && noise;
    if (ok) {
        bnn_net_init(net, rng, all);
        bnn_rng_normal(bnn_rng_split(rng, 100), 0, 1, (int)n, noise);
        for (size_t i = 0; i < n; i++) p->theta[i] = all[net->node[node].theta + i] + (bnn_real)0.3 * noise[i];
    }
    bnn_guarded_free(all);
    bnn_guarded_free(noise);
    return ok;
}

bnn_status bnn_layer_pass_open(const bnn_net *net, int node, int n, bnn_mode mode, bnn_rng rng, bnn_layer_pass *p) {
    const bnn_layer *l = &net->node[node].layer;
    *p = (bnn_layer_pass){.l = l, .n = n, .d_out = (size_t)bnn_layer_size_out(l), .scale = 0.7, .undefined = (bnn_real)NAN};
    if (l->n_in > BNN_MOST_INPUTS) return bnn_fail(BNN_ERR_SHAPE, "node '%s' has more than %d inputs", l->label, BNN_MOST_INPUTS);
    if (!make_arrays(p) || !fill_theta(net, node, rng, p)) {
        bnn_layer_pass_close(p);
        return bnn_oom("a pass over %d rows", n);
    }
    for (int k = 0; k < l->n_in; k++) bnn_rng_normal(bnn_rng_split(rng, (uint64_t)k), 0, n, (int)p->d_in[k], p->x[k]);
    bnn_rng_normal(bnn_rng_split(rng, 101), 0, n, (int)p->d_out, p->c);
    p->io = (bnn_io){
        .mode = mode, .train = true, .rng = rng, .theta = p->theta, .dy = p->c, .pass = p->pass, .dpass = p->dpass, .scratch = p->scratch};
    return BNN_OK;
}

/* ---------------------------------------------------------------- hooks */

static void before(bnn_layer_pass *p) {
    size_t n = bnn_layer_pass_scratch(p);
    fill(p->scratch, n, p->undefined); /* what a hook has not written it must not read */
    if (p->allocations) p->allocated -= p->allocations();
}

static void note_overrun(bnn_layer_pass *p, const char *hook, const char *array, const bnn_real *a, size_t length) {
    if (*p->overrun || bnn_guarded_intact(a)) return;
    snprintf(p->overrun, sizeof p->overrun, "%s writes outside %s [%zu]", hook, array, length);
}

static void look_for_overruns(bnn_layer_pass *p, const char *hook) {
    const bnn_plan *plan = &p->l->plan;
    size_t n = (size_t)p->n, n_theta = (size_t)p->l->n_theta;
    for (int k = 0; k < p->l->n_in; k++) {
        note_overrun(p, hook, "x", p->x[k], n * p->d_in[k]);
        note_overrun(p, hook, "dx", p->dx[k], n * p->d_in[k]);
    }
    note_overrun(p, hook, "theta", p->theta, n_theta);
    note_overrun(p, hook, "dtheta", p->dtheta, n_theta);
    note_overrun(p, hook, "y", p->y, n * p->d_out);
    note_overrun(p, hook, "dy", p->c, n * p->d_out);
    note_overrun(p, hook, "pass", p->pass, (size_t)plan->pass);
    note_overrun(p, hook, "dpass", p->dpass, (size_t)plan->dpass);
    note_overrun(p, hook, "cache", p->cache, cache_length(p));
    note_overrun(p, hook, "scratch", p->scratch, bnn_layer_pass_scratch(p));
}

static void after(bnn_layer_pass *p, const char *hook) {
    if (p->allocations) p->allocated += p->allocations();
    if (p->allocations && p->allocated > 0 && !p->allocator) p->allocator = hook;
    if (p->guarded) look_for_overruns(p, hook);
    for (size_t i = 0, n = bnn_layer_pass_scratch(p); p->touched && i < n; i++)
        p->touched[i] |= memcmp(&p->scratch[i], &p->undefined, sizeof p->undefined) != 0;
}

void bnn_layer_pass_start(bnn_layer_pass *p, bool gradient) {
    const bnn_layer_type *type = bnn_layer_vtable(p->l);
    p->io.dtheta = gradient && p->l->n_theta ? p->dtheta : NULL;
    fill(p->pass, (size_t)p->l->plan.pass, p->undefined);
    fill(p->cache, cache_length(p), p->undefined);
    fill(p->y, (size_t)p->n * p->d_out, p->undefined);
    if (!type->prepare) return;
    before(p);
    type->prepare(p->l, &p->io);
    after(p, "prepare");
}

void bnn_layer_pass_rows(bnn_layer_pass *p, int from, int to, bool backward) {
    const bnn_layer_type *type = bnn_layer_vtable(p->l);
    const bnn_real *x[BNN_MOST_INPUTS];
    bnn_real *dx[BNN_MOST_INPUTS];
    size_t row = (size_t)from;
    for (int k = 0; k < p->l->n_in; k++) {
        x[k] = p->x[k] + row * p->d_in[k];
        dx[k] = p->dx[k] ? p->dx[k] + row * p->d_in[k] : NULL;
    }
    p->io.x = x;
    p->io.dx = dx;
    p->io.n = to - from;
    p->io.row0 = p->row0 + (uint64_t)from;
    p->io.y = p->y + row * p->d_out;
    p->io.dy = p->c + row * p->d_out;
    p->io.cache = p->cache + row * (size_t)p->l->plan.cache_row;
    before(p);
    (backward ? type->backward : type->forward)(p->l, &p->io);
    after(p, backward ? "backward" : "forward");
}

void bnn_layer_pass_finish(bnn_layer_pass *p) {
    const bnn_layer_type *type = bnn_layer_vtable(p->l);
    if (!type->finish || !p->io.dtheta) return;
    before(p);
    type->finish(p->l, &p->io);
    after(p, "finish");
}

void bnn_layer_pass_penalty(bnn_layer_pass *p) {
    const bnn_layer_type *type = bnn_layer_vtable(p->l);
    p->penalty = 0;
    if (!type->penalty) return;
    before(p);
    p->penalty = type->penalty(p->l, &p->io, p->scale);
    after(p, "penalty");
}

void bnn_layer_pass_score(bnn_layer_pass *p, double weight) {
    p->io.dtheta = p->dtheta;
    before(p);
    bnn_layer_vtable(p->l)->score(p->l, &p->io, weight);
    after(p, "score");
}

void bnn_layer_pass_absorb(bnn_layer_pass *p, int n) {
    const bnn_real *x[BNN_MOST_INPUTS];
    memcpy(x, p->x, sizeof x);
    p->io.x = x, p->io.n = n, p->io.y = p->y, p->io.cache = p->cache;
    bnn_layer_vtable(p->l)->absorb(p->l, &p->io, p->theta);
}

double bnn_layer_pass_forward(bnn_layer_pass *p, int cut) {
    bnn_layer_pass_start(p, false);
    bnn_layer_pass_rows(p, 0, cut, false);
    bnn_layer_pass_rows(p, cut, p->n, false);
    bnn_layer_pass_penalty(p);
    double j = p->scale * p->penalty;
    for (size_t i = 0; i < (size_t)p->n * p->d_out; i++) j += (double)p->c[i] * (double)p->y[i];
    return j;
}

void bnn_layer_pass_zero_gradients(bnn_layer_pass *p) {
    for (int k = 0; k < p->l->n_in; k++) fill(p->dx[k], (size_t)p->n * p->d_in[k], 0);
    fill(p->dtheta, (size_t)p->l->n_theta, 0);
    fill(p->dpass, (size_t)p->l->plan.dpass, 0);
}

void bnn_layer_pass_gradient(bnn_layer_pass *p) {
    bnn_layer_pass_start(p, true);
    bnn_layer_pass_rows(p, 0, p->n, false);
    bnn_layer_pass_rows(p, 0, p->n, true);
    bnn_layer_pass_finish(p);
    bnn_layer_pass_penalty(p);
}

void bnn_digest_pass(uint64_t *digest, const bnn_layer_pass *p) {
    size_t n = (size_t)p->n;
    bnn_digest_add(digest, p->y, n * p->d_out * sizeof *p->y);
    for (int i = 0; i < p->l->n_in; i++) bnn_digest_add(digest, p->dx[i], n * p->d_in[i] * sizeof *p->dx[i]);
    bnn_digest_add(digest, p->dtheta, (size_t)p->l->n_theta * sizeof *p->dtheta);
    bnn_digest_add(digest, &p->penalty, sizeof p->penalty);
}
