/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * facade.c DATA.h5 PLUGIN: calls what bnn.h declares, one after the other, for test_armour.py: reads run.h5, too, writes facade.h5 and
 * prints what it predicts, or ends with one sentence.
 */
#include <bnn/bnn.h>
#include <signal.h>
#include <stdio.h>

typedef struct {
    bnn_table *table, *plain;
    bnn_data *train, *test, *rows;
    bnn_run *run, *again;
    bnn_prediction *prediction;
    bnn_remarks *verdicts;
} objects;

static bnn_status fit(objects *o, const char *data) {
    const bnn_config config = {sizeof config, .net = "dense:3; swish; dense", .engine = "mc_dropout:epochs=2", .seed = 1};
    BNN_TRY(bnn_table_load(data, &o->table));
    BNN_TRY(bnn_data_split(o->table, 0, BNN_TRAIN, NULL, &o->train));
    BNN_TRY(bnn_data_split(o->table, 0, BNN_TEST, bnn_data_scaling(o->train), &o->test));
    BNN_TRY(bnn_fit(&config, o->train, &o->run));
    return bnn_run_load("run.h5", &o->again, NULL);
}

static bnn_status predict(objects *o, double *ll) {
    const bnn_predict_options how = {sizeof how, .samples = 5, .seed = 1, .crps = true};
    BNN_TRY(bnn_run_predict(o->again, o->test, &how, &o->prediction));
    BNN_TRY(bnn_remarks_new(&o->verdicts));
    BNN_TRY(bnn_run_judge(o->again, o->train, 20, o->prediction, o->test, o->verdicts));
    BNN_TRY(bnn_prediction_score(o->prediction, o->test, "ll", ll));
    BNN_TRY(bnn_data_table(o->test, &o->plain));
    BNN_TRY(bnn_data_slice(o->test, 0, 3, bnn_data_scaling(o->train), &o->rows));
    return bnn_run_save(o->run, NULL, NULL, "facade.h5");
}

static void release(objects *o) {
    bnn_remarks_free(o->verdicts), bnn_prediction_free(o->prediction);
    bnn_run_free(o->again), bnn_run_free(o->run);
    bnn_data_free(o->rows), bnn_data_free(o->test), bnn_data_free(o->train);
    bnn_table_free(o->plain), bnn_table_free(o->table);
}

int main(int argc, char **argv) {
    objects o = {0};
    double ll = 0;
    signal(SIGXFSZ, SIG_IGN); /* of the process, which the library does not change: a limit is a failed write */
    bnn_status s = argc == 3 ? bnn_plugin_load(argv[2], NULL) : bnn_fail(BNN_ERR_OPTION, "facade DATA.h5 PLUGIN");
    if (s == BNN_OK) s = fit(&o, argv[1]);
    if (s == BNN_OK) s = predict(&o, &ll);
    if (s == BNN_OK)
        printf("%.17g, %d remarks\n", ll, bnn_remarks_count(o.verdicts));
    else
        fprintf(stderr, "bnn: %s\n", bnn_error());
    release(&o);
    return s < 0 ? 2 : 0;
}
