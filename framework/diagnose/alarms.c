/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * alarms.c: verdicts on fits to worlds of the engine's own model, where nothing is wrong but what the engine does (sbc.h).
 */
#include "simulate.h"
#include <bnn/diagnose.h>
#include <bnn/jobs.h>
#include <bnn/predict.h>

#include <stdlib.h>
#include <string.h>

typedef struct {
    bnn_simulator s;
    bnn_remarks **verdicts; /* [replications] */
} work;

/* ---------------------------------------------------------------- one world */

/* The rows of a world with targets that are drawn for all of them, in a table of their own: fits standardise it as any other. */
static bnn_status table_of(const bnn_simulator *s, bnn_world *world, bnn_rng rng, bnn_table **out) {
    const bnn_table *from = s->table;
    BNN_TRY(bnn_table_new(from->n, from->x_shape, from->y_dim, from->n_classes, out));
    bnn_world_draw_all(s, world, rng);
    memcpy((*out)->x, from->x, (size_t)from->n * (size_t)s->config->inputs * sizeof *from->x);
    for (int i = 0; i < from->n * from->y_dim; i++) (*out)->y[i] = (double)world->all->y[i];
    return BNN_OK;
}

static bnn_status judge(const work *w, bnn_run *run, const bnn_data *train, const bnn_data *test, bnn_rng rng, int i) {
    const bnn_predict_options how = {.size = sizeof how, .samples = w->s.config->draws, .seed = bnn_rng_split(rng, BNN_WORLD_PREDICT).key};
    bnn_prediction *p;
    BNN_TRY(bnn_predict(run->engine, test, &how, &p));
    bnn_status s = bnn_run_judge(run, train, train->n, p, test, w->verdicts[i]);
    bnn_prediction_free(p);
    return s;
}

static bnn_status fit_and_judge(const work *w, const bnn_table *table, bnn_rng rng, int i) {
    const bnn_sbc_config *c = w->s.config;
    const bnn_config how = {.size = sizeof how,
                            .net = c->net,
                            .engine = c->engine,
                            .likelihood = w->s.texts.likelihood,
                            .prior = w->s.texts.prior,
                            .seed = bnn_rng_split(rng, BNN_WORLD_ENGINE).key};
    bnn_data *train = NULL, *test = NULL;
    bnn_run *run = NULL;
    bnn_status s = bnn_data_range(table, 0, c->rows, NULL, &train);
    if (s == BNN_OK) s = bnn_data_range(table, c->rows, table->n, bnn_data_scaling(train), &test);
    if (s == BNN_OK) s = bnn_fit(&how, train, &run);
    if (s == BNN_OK) s = judge(w, run, train, test, rng, i);
    bnn_run_free(run), bnn_data_free(train), bnn_data_free(test);
    if (c->progress) c->progress(c->context, i, 1);
    return s;
}

static bnn_status replicate(void *context, int i) {
    const work *w = context;
    bnn_rng rng = bnn_rng_split(bnn_rng_split(w->s.rng, BNN_SIMULATE_WORLD), (uint64_t)i);
    bnn_world world;
    bnn_table *table = NULL;
    bnn_status s = bnn_world_open(&w->s, &world);
    if (s == BNN_OK) s = bnn_remarks_new(&w->verdicts[i]);
    if (s == BNN_OK) s = bnn_world_draw_theta(&w->s, &world, bnn_rng_split(rng, BNN_WORLD_THETA));
    if (s == BNN_OK) s = table_of(&w->s, &world, bnn_rng_split(rng, BNN_WORLD_Y), &table);
    if (s == BNN_OK) s = fit_and_judge(w, table, rng, i);
    bnn_table_free(table);
    bnn_world_close(&world);
    return s < 0 ? bnn_note(s, "replication %d", i + 1) : BNN_OK;
}

/* ---------------------------------------------------------------- all of them */

static bnn_alarm *alarm_of(bnn_alarms *a, const char *code) {
    int i = 0;
    while (i < a->n && strcmp(a->alarm[i].code, code) != 0) i++;
    if (i == BNN_MOST_ALARMS) return NULL;
    if (i == a->n) snprintf(a->alarm[a->n++].code, sizeof a->alarm[i].code, "%s", code);
    return &a->alarm[i];
}

/* A code counts once in a world, by its worst. */
static void count(bnn_alarms *a, const bnn_remarks *verdicts) {
    int worst = -1;
    for (int i = 0; i < bnn_remarks_count(verdicts); i++) {
        const char *code = bnn_remark_code(verdicts, i);
        int severity = (int)bnn_remark_severity(verdicts, i);
        bool first = true, is_worst = true;
        for (int k = 0; k < bnn_remarks_count(verdicts); k++) {
            if (strcmp(bnn_remark_code(verdicts, k), code) != 0) continue;
            first = first && (k >= i || (int)bnn_remark_severity(verdicts, k) != severity);
            is_worst = is_worst && (int)bnn_remark_severity(verdicts, k) <= severity;
        }
        bnn_alarm *alarm = first && is_worst ? alarm_of(a, code) : NULL;
        if (alarm) alarm->count[severity]++;
        if (severity > worst) worst = severity;
    }
    a->alarmed += worst >= (int)BNN_REMARK_WARNING;
}

bnn_status bnn_alarms_run(const bnn_sbc_config *config, bnn_alarms *out) {
    work w = {.verdicts = calloc((size_t)config->replications + 1, sizeof *w.verdicts)};
    *out = (bnn_alarms){.replications = config->replications};
    if (!w.verdicts) return bnn_oom("verdicts");
    bnn_status s = config->points > 0 ? BNN_OK : bnn_fail(BNN_ERR_OPTION, "verdicts need new rows to judge by (--points)");
    if (s == BNN_OK) s = bnn_simulator_open(config, &w.s);
    if (s == BNN_OK) s = bnn_jobs_run(config->replications, replicate, &w);
    for (int i = 0; s == BNN_OK && i < config->replications; i++) count(out, w.verdicts[i]);
    for (int i = 0; i < config->replications; i++) bnn_remarks_free(w.verdicts[i]);
    free(w.verdicts);
    bnn_simulator_close(&w.s);
    return s;
}
