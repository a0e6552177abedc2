/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "parts.h"

#include <bnn/jobs.h>
#include <stdlib.h>

/* Outputs of one piece of the stretch. */
static bnn_status run_outputs(void *context, int piece) {
    const bnn_work *w = context;
    const bnn_model *m = w->engine->model;
    size_t out = (size_t)m->likelihood.out_dim, at = (size_t)(piece * w->piece), row = (size_t)w->from + at;
    int n = bnn_work_rows(w, (int)at);
    bnn_workspace *ws;
    BNN_TRY(bnn_workspace_new(m->net, n, BNN_TO_THETA, &ws));
    bnn_real *room = bnn_reals_new(bnn_data_room(w->data, n));
    bnn_status s = room ? BNN_OK : bnn_oom("prediction");
    if (s == BNN_OK)
        s = bnn_engine_vtable(w->engine)->outputs(w->engine, ws, n, bnn_data_take(w->data, (int)row, n, room), w->f + at * out,
                                                  w->cov + at * out * out);
    for (size_t i = at; s == BNN_OK && w->root && i < at + (size_t)n; i++)
        bnn_covariance_root(out, w->cov + i * out * out, w->root + i * out * out);
    bnn_workspace_free(ws);
    free(room);
    return s;
}

/* The likelihood's marginal takes the place of what draws have said of the mean and of log p, of real y of everything. */
static void run_marginal(const bnn_work *w) {
    const bnn_likelihood *l = &w->engine->model->likelihood;
    const bnn_scaling *scaling = &w->engine->model->scaling;
    bnn_prediction *p = w->p;
    double log_unit = bnn_prediction_log_unit(p, scaling);
    size_t k = (size_t)p->mean_dim, row = (size_t)(w->from - w->base);
    bnn_marginal to = {.mean = p->mean + row * k,
                       .var_epistemic = p->is_class ? NULL : p->var_epistemic + row * k,
                       .var_aleatoric = p->is_class ? NULL : p->var_aleatoric + row * k,
                       .logp = p->logp ? p->logp + row * (size_t)p->sites : NULL,
                       .pit = p->pit ? p->pit + row * k : NULL};
    const bnn_real *y = p->has_target ? w->data->y + (size_t)w->from * (size_t)w->data->y_dim : NULL;
    bnn_likelihood_vtable(l)->marginal(l, w->rows, w->f, w->cov, y, bnn_model_noise(w->engine->model, w->how.theta), &to);
    for (size_t i = 0; i < (size_t)w->rows * k; i++) {
        if (p->mean_mcse) p->mean_mcse[row * k + i] = 0;
        if (p->is_class) continue;
        double sd = scaling->y_sd[i % k];
        to.mean[i] = to.mean[i] * sd + scaling->y_mean[i % k];
        to.var_epistemic[i] *= sd * sd;
        to.var_aleatoric[i] *= sd * sd;
    }
    for (int i = 0; to.logp && i < w->rows * p->sites; i++) to.logp[i] -= log_unit;
}

bnn_status bnn_work_run_outputs(bnn_work *w) {
    size_t out = (size_t)w->engine->model->likelihood.out_dim, rows = (size_t)w->rows;
    w->f = malloc(rows * out * sizeof *w->f);
    w->cov = malloc(rows * out * out * sizeof *w->cov);
    w->root = w->p->samples > 0 ? malloc(rows * out * out * sizeof *w->root) : NULL;
    bnn_status s = w->f && w->cov && (w->root || w->p->samples == 0) ? BNN_OK : bnn_oom("prediction");
    if (s == BNN_OK) s = bnn_jobs_run(bnn_work_pieces(w), run_outputs, w);
    if (s == BNN_OK && w->p->samples > 0) s = bnn_work_run_draws(w);
    if (s == BNN_OK && w->p->samples == 0 && w->kept)
        bnn_kept_take_gaussian(w->kept, w->from - w->base, w->rows, w->f, w->cov, bnn_model_noise(w->engine->model, w->how.theta));
    if (s == BNN_OK && w->how.by == BNN_BY_MARGINAL) run_marginal(w);
    free(w->f), free(w->cov), free(w->root);
    return s;
}
