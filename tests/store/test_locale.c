/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_locale.c: a host that writes 1,5 for 1.5 gets the same bits and the same texts, and keeps its locale.
 */
#include "files.h"

#include <bnn/import.h>
#include <bnn/spec_json.h>
#include <bnn/store.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What localedef of the GNU C library (little-endian) makes of: LC_NUMERIC, decimal_point ",", thousands_sep ".", grouping 3;3. */
static const unsigned char comma_numeric[] = {0x14, 0x11, 0x03, 0x20, 6,   0,   0,   0,   32,  0,   0,   0,   34,  0,   0, 0,
                                              36,   0,    0,    0,    40,  0,   0,   0,   44,  0,   0,   0,   48,  0,   0, 0,
                                              ',',  0,    '.',  0,    3,   3,   0,   0,   ',', 0,   0,   0,   '.', 0,   0, 0,
                                              'A',  'N',  'S',  'I',  '_', 'X', '3', '.', '4', '-', '1', '9', '6', '8', 0};

/* Makes the locale "comma" and puts the process into it. */
static void speak_comma(void) {
    char text[32];
    ck_assert_int_eq(mkdir(files_path("comma"), 0700), 0);
    files_write_bytes("comma/LC_NUMERIC", comma_numeric, sizeof comma_numeric);
    ck_assert_int_eq(setenv("LOCPATH", files_path(""), 1), 0);
    ck_assert_ptr_nonnull(setlocale(LC_NUMERIC, "comma"));
    snprintf(text, sizeof text, "%.1f %g", 1.5, strtod("2,5", NULL));
    ck_assert_str_eq(text, "1,5 2,5");
}

static void speak_plain(void) {
    setlocale(LC_NUMERIC, "C");
    unlink(files_path("comma/LC_NUMERIC"));
    rmdir(files_path("comma"));
}

static void keeps_comma(void) {
    char text[32];
    snprintf(text, sizeof text, "%.1f", 1.5);
    ck_assert_str_eq(text, "1,5");
}

static const char *const engines[] = {
    "map:epochs=2,lr=0.0125,optimizer=sgd{momentum=0.25}",
    "mc_dropout:p=0.15,epochs=2",
    "early_stopping:engine=map{epochs=4},every=1,validation=last,share=0.25",
    "grid_search:engine=mc_dropout{epochs=1},grid={p=0.125|0.25}",
    "laplace:engine=map{epochs=2}",
    "sgld:samples=2,burnin=2,thin=1",
    "hmc:chains=2,samples=2,warmup=2",
};
enum { ENGINES = sizeof engines / sizeof *engines };

/* Everything that is made of a fit: files of data and run, and texts, which the caller frees. */
static char *live(const char *engine, const char *data_path, const char *run_path) {
    bnn_table *made, *t;
    bnn_data *d;
    bnn_run *run, *back;
    bnn_prediction *p;
    char *text, number[BNN_NUMBER_TEXT];
    const char *csv = files_write("numbers.csv",
                                  "a,b,y\n1.5,2.5,10.25\n2.25,1e-3,20\n-3,7.75,0.1\n4,2.5,40.5\n5,2.5,50\n6,0.125,61\n7,7.75,3\n8,1,8.5\n");
    OK(bnn_import_csv(csv, &(bnn_csv_options){0}, &(bnn_import_about){.title = "numbers"}, &made));
    OK(bnn_table_save(made, data_path));
    OK(bnn_table_load(data_path, &t));
    d = data_new(t);
    OK(bnn_fit(&(bnn_config){.net = "dense:3; relu; dense", .engine = engine, .prior = "gauss:sd=0.75", .seed = 3}, d, &run));
    OK(bnn_run_save(run, NULL, NULL, run_path));
    OK(bnn_run_load(run_path, &back, NULL));
    OK(bnn_predict(back->engine, d, &(bnn_predict_options){.samples = 4, .seed = 1}, &p));
    char *json = bnn_spec_json(back->engine);
    const char *remark = bnn_run_remark(run);
    bnn_fail(BNN_ERR_NUMERIC, "%g is not finite", 0.5);
    ck_assert_int_ge(asprintf(&text, "%s\n%s\n%s\n%s\n%s\n%s", back->engine_text, back->engine->texts.prior, json, remark ? remark : "",
                              bnn_error(), bnn_number_print(p->mean[0], number)),
                     0);
    free(json), bnn_prediction_free(p), bnn_run_free(run), bnn_run_free(back), bnn_data_free(d), bnn_table_free(t), bnn_table_free(made);
    return text;
}

START_TEST(a_decimal_comma_changes_nothing) {
    const char *data = strdup(files_path("plain.h5")), *data_comma = strdup(files_path("comma.h5"));
    const char *run = strdup(files_path("run.h5")), *run_comma = strdup(files_path("run_comma.h5"));
    for (int i = 0; i < ENGINES; i++) {
        char where[256];
        bool same;
        char *plain = live(engines[i], data, run);
        speak_comma();
        char *comma = live(engines[i], data_comma, run_comma);
        keeps_comma();
        ck_assert_str_eq(plain, comma);
        ck_assert(files_equal(data, data_comma));
        OK(bnn_file_diff(run, run_comma, &same, where, sizeof where));
        ck_assert_msg(same, "%s: %s", engines[i], where);
        free(plain), free(comma);
        speak_plain();
    }
    files_remove();
    free((char *)data), free((char *)data_comma), free((char *)run), free((char *)run_comma);
}
END_TEST

/* Where the numbers differ, and what a value is, is told with a point. */
START_TEST(sentences_have_a_point) {
    bnn_table *t, *u;
    char where[256];
    bool same;
    OK(bnn_import_csv(files_write("t.csv", "a,y\n1.5,1\n2,2\n"), &(bnn_csv_options){0}, &(bnn_import_about){.title = "t"}, &t));
    speak_comma();
    OK(bnn_table_save(t, files_path("t.h5")));
    OK(bnn_import_csv(files_write("t.csv", "a,y\n1.5,1\n2.25,2\n"), &(bnn_csv_options){0}, &(bnn_import_about){.title = "t"}, &u));
    memcpy(u->raw_sha256, t->raw_sha256, sizeof u->raw_sha256);
    OK(bnn_table_save(u, files_path("u.h5")));
    OK(bnn_file_diff(files_path("t.h5"), files_path("u.h5"), &same, where, sizeof where));
    ck_assert(!same);
    ck_assert_msg(strstr(where, "2.25") != NULL, "%s", where);
    bnn_table_free(t), bnn_table_free(u);
    keeps_comma();
    speak_plain();
    files_remove();
}
END_TEST

int main(void) {
    const TTest *const tests[] = {a_decimal_comma_changes_nothing, sentences_have_a_point, NULL};
    return run_tests("locale", tests);
}
