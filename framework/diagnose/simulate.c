/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "simulate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int all_rows(const bnn_simulator *s) { return s->config->rows + s->config->points; }

/* ---------------------------------------------------------------- the simulator */

static bnn_status make_table(bnn_simulator *s) {
    const bnn_sbc_config *c = s->config;
    size_t n = (size_t)all_rows(s) * (size_t)c->inputs;
    BNN_TRY(bnn_table_new(all_rows(s), bnn_shape_vector(c->inputs), 1, c->classes, &s->table));
    bnn_real *x = malloc(n * sizeof *x);
    if (!x) return bnn_oom("simulated data");
    bnn_rng_normal(bnn_rng_split(s->rng, BNN_SIMULATE_X), 0, all_rows(s), c->inputs, x);
    for (size_t i = 0; i < n; i++) s->table->x[i] = (double)x[i];
    free(x);
    return bnn_scaling_identity(c->inputs, 1, &s->scaling);
}

static bnn_status take_rows(const bnn_simulator *s, int n, bnn_data **out) {
    int *rows = malloc((size_t)n * sizeof *rows);
    if (!rows) return bnn_oom("simulated data");
    for (int i = 0; i < n; i++) rows[i] = i;
    bnn_status status = bnn_data_new(s->table, n, rows, &s->scaling, out);
    free(rows);
    return status;
}

static bnn_status make_model(bnn_simulator *s) {
    bnn_data *data;
    BNN_TRY(take_rows(s, s->config->rows, &data));
    bnn_status status = bnn_model_new(&s->texts, data, &s->model);
    bnn_data_free(data);
    return status;
}

static bnn_status check_sizes(const bnn_sbc_config *c) {
    if (c->rows < 1 || c->inputs < 1 || c->points < 0 || c->replications < 2)
        return bnn_fail(BNN_ERR_OPTION, "a simulation needs a row, an input and two replications");
    return BNN_OK;
}

bnn_status bnn_simulator_open(const bnn_sbc_config *c, bnn_simulator *out) {
    *out = (bnn_simulator){.config = c, .rng = bnn_rng_seed(c->seed)};
    out->texts = (bnn_texts){.net = c->net,
                             .likelihood = c->likelihood    ? c->likelihood
                                           : c->classes > 0 ? "categorical"
                                                            : "gaussian",
                             .prior = c->prior ? c->prior : "gauss"};
    BNN_TRY(check_sizes(c));
    BNN_TRY(make_table(out));
    BNN_TRY(make_model(out));
    out->per_point = out->model->likelihood.mean_dim - (c->classes > 0);
    out->n = c->points * out->per_point + 1 + bnn_summary_count(out->model);
    return BNN_OK;
}

void bnn_simulator_close(bnn_simulator *s) {
    bnn_model_free(s->model);
    bnn_table_free(s->table);
    bnn_scaling_free(&s->scaling);
}

void bnn_simulator_name(const bnn_simulator *s, int i, char name[BNN_SBC_NAME]) {
    int means = s->config->points * s->per_point, point = i / (s->per_point > 0 ? s->per_point : 1) + 1,
        k = i % (s->per_point > 0 ? s->per_point : 1);
    if (i < means && s->config->classes > 0)
        snprintf(name, BNN_SBC_NAME, "p of class %d at new row %d", k, point);
    else if (i < means)
        snprintf(name, BNN_SBC_NAME, "mean of y at new row %d", point);
    else if (i == means)
        snprintf(name, BNN_SBC_NAME, "log likelihood");
    else
        bnn_summary_name(s->model, i - means - 1, name);
}

/* ---------------------------------------------------------------- worlds */

bnn_status bnn_world_open(const bnn_simulator *s, bnn_world *out) {
    size_t n = (size_t)all_rows(s);
    *out = (bnn_world){.theta = calloc((size_t)s->model->n_theta + 1, sizeof(bnn_real)),
                       .mean = calloc(n * (size_t)s->model->likelihood.mean_dim, sizeof(bnn_real)),
                       .logp = calloc(n, sizeof(double))};
    if (!out->theta || !out->mean || !out->logp) return bnn_oom("simulated data");
    BNN_TRY(take_rows(s, s->config->rows, &out->rows));
    BNN_TRY(take_rows(s, all_rows(s), &out->all));
    return bnn_workspace_new(s->model->net, all_rows(s), BNN_FORWARD, &out->ws);
}

void bnn_world_close(bnn_world *w) {
    bnn_workspace_free(w->ws);
    bnn_data_free(w->all);
    bnn_data_free(w->rows);
    free(w->theta), free(w->mean), free(w->logp);
}

bnn_status bnn_world_draw_theta(const bnn_simulator *s, bnn_world *w, bnn_rng rng) { return bnn_model_draw(s->model, rng, w->theta); }

static const bnn_real *outputs(const bnn_simulator *s, const bnn_world *w) {
    bnn_net_prepare(s->model->net, w->ws, w->theta, BNN_MEAN, false, (bnn_rng){0});
    return bnn_net_forward(s->model->net, w->ws, w->all->n, 0, w->all->x);
}

void bnn_world_draw_y(const bnn_simulator *s, bnn_world *w, bnn_rng rng) {
    const bnn_likelihood *l = &s->model->likelihood;
    bnn_likelihood_vtable(l)->draw(l, w->rows->n, outputs(s, w), bnn_model_noise(s->model, w->theta), rng, 0, w->rows->y);
    memcpy(w->all->y, w->rows->y, (size_t)w->rows->n * (size_t)w->rows->y_dim * sizeof *w->rows->y);
}

void bnn_world_draw_all(const bnn_simulator *s, bnn_world *w, bnn_rng rng) {
    const bnn_likelihood *l = &s->model->likelihood;
    bnn_likelihood_vtable(l)->draw(l, w->all->n, outputs(s, w), bnn_model_noise(s->model, w->theta), rng, 0, w->all->y);
}

void bnn_world_measure(const bnn_simulator *s, bnn_world *w, double *out) {
    const bnn_likelihood *l = &s->model->likelihood;
    const bnn_observation seen = {.mean = w->mean, .logp = w->logp};
    bnn_likelihood_vtable(l)->observe(l, w->all->n, outputs(s, w), w->all->y, bnn_model_noise(s->model, w->theta), &seen);
    for (int i = 0; i < s->config->points; i++)
        for (int k = 0; k < s->per_point; k++) *out++ = (double)w->mean[(s->config->rows + i) * l->mean_dim + k];
    *out = 0;
    for (int i = 0; i < s->config->rows; i++) *out += w->logp[i];
    bnn_summary_take(s->model, w->theta, out + 1, 1);
}
