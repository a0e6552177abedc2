/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_plugins.c: shared libraries that are loaded as plugins, right ones and each way of being wrong, all of them real files. Every test
 * has a process of its own, and so a registry of its own.
 */
#include "files.h"

#include <bnn/store.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH = 512 };

static const char *in_folder(const char *name, char path[PATH]) {
    snprintf(path, PATH, "%s/%s.so", PLUGINS, name);
    return path;
}

static int count(bnn_kind kind) {
    int n = 0;
    for (const bnn_type *t = NULL; (t = bnn_type_next(kind, t));) n++;
    return n;
}

static int count_plugins(void) {
    int n = 0;
    while (bnn_plugin_at(n)) n++;
    return n;
}

/* ---------------------------------------------------------------- wrong ones */

/* What the sentence says behind the path. %d: this library's ABI. */
static const struct {
    const char *name, *sentence;
} wrong[] = {
    {"no_entry", "is a shared library, but no plugin: it has no bnn_plugin_describe, which BNN_PLUGIN and its like make"},
    {"other_abi", "has ABI 9, this library has ABI 2: build it with this library's headers"},
    {"other_abi_inside", "a prior has ABI 9, this library has ABI 2: build it with this library's headers"},
    {"other_precision", sizeof(bnn_real) == sizeof(float)
                            ? "computes in double, this library in float: build it with this library's headers"
                            : "computes in float, this library in double: build it with this library's headers"},
    {"short_descriptor", "has a descriptor of 16 bytes, expected 40: is it made by BNN_PLUGIN?"},
    {"no_descriptor", "describes nothing: is its bnn_plugin_describe made by BNN_PLUGIN?"},
    {"no_types", "is a plugin without a type"},
    {"no_list", "is a plugin without a type"},
    {"name_of_plugin", "'so-so' cannot be the name of a plugin: it takes letters, digits and _"},
    {"version_of_plugin", "'1 or 2' cannot be a version: it takes printable characters without blanks"},
    {"unknown_kind", "there is no kind 17 of types: 0 to 4 are known"},
    {"no_vtable", "a prior without a vtable cannot be added"},
    {"no_size", "a prior says that its vtable has 0 bytes, which cannot be: does its head begin with BNN_TYPE(bnn_prior_type)?"},
    {"odd_size", "bytes, which cannot be: does its head begin with BNN_TYPE(bnn_prior_type)?"},
    {"no_name", "a prior without a name cannot be added"},
    {"name_of_type", "'so-so' cannot be the name of a prior: it takes letters, digits and _"},
    {"no_summary", "prior 'wrong' lacks a summary"},
    {"no_checks", "prior 'wrong' lacks checks"},
    {"option_outside", "prior 'wrong': option 'sd' has its field outside of conf: is conf_size set?"},
    {"option_kind", "prior 'wrong': option 'sd' has an unknown kind"},
    {"option_shared", "prior 'wrong': option 'mean' has a part of the field of 'sd' in conf"},
    {"option_endless", "prior 'wrong': groups of options hold each other, or over 6 are in one another"},
    {"no_hook", "prior 'wrong' lacks the hook draw"},
    {"half_of_a_pair", "prior 'wrong' lacks the hook logp_scale (beside n_scales)"},
    {"draw_alone", "prior 'wrong' lacks the hook logp_scale (beside draw_scale_given)"},
    {"duplicate", "prior 'gauss' exists already"},
    {"twins", "prior 'wrong' exists already"},
    {"half_bad", "prior 'second' lacks the hook logp"},
    {"needs_more", "cannot be loaded: undefined symbol: nobody_has_this"},
    {"newer_used", "prior 'wrong' has hooks that this library, version " BNN_VERSION ", does not know: it needs a newer one"},
};
enum { N_WRONG = sizeof wrong / sizeof *wrong };

/* Nothing is registered, whatever came first in the list; and the same again. */
START_TEST(wrong_ones_are_refused_with_the_reason) {
    char path[PATH], start[2 * PATH];
    const bnn_type *found;
    int before = count(BNN_PRIOR);
    snprintf(start, sizeof start, "%s: ", in_folder(wrong[_i].name, path));
    for (int again = 0; again < 2; again++) {
        SAYS(bnn_plugin_load(path, NULL), wrong[_i].sentence);
        ck_assert_msg(strncmp(bnn_error(), start, strlen(start)) == 0, "the sentence is: %s", bnn_error());
        ck_assert_int_eq(count(BNN_PRIOR), before);
        ck_assert_int_lt(bnn_type_find(BNN_PRIOR, "wrong", &found), 0);
        ck_assert_ptr_null(bnn_plugin_at(0));
    }
}
END_TEST

START_TEST(files_that_are_no_libraries_are_refused) {
    REFUSED(bnn_plugin_load("none.so", NULL), "none.so: No such file or directory");
    REFUSED(bnn_plugin_load("", NULL), ": No such file or directory");
    REFUSED(bnn_plugin_load(files_write("text.so", "a text\n"), NULL), "text.so: is not a shared library");
    REFUSED(bnn_plugin_load(files_write("empty.so", ""), NULL), "empty.so: is not a shared library");
    REFUSED(bnn_plugin_load(files_write("cut.so", "\177ELF"), NULL), "cut.so: cannot be loaded: file too short");
    SAYS(bnn_plugin_load(PLUGINS, NULL), ": is a folder, not a shared library");
    ck_assert_ptr_null(bnn_plugin_at(0));
    files_remove();
}
END_TEST

/* ---------------------------------------------------------------- right ones */

static const bnn_plugin *load(const char *name) {
    char path[PATH];
    const bnn_plugin *p = NULL;
    OK(bnn_plugin_load(in_folder(name, path), &p));
    ck_assert_str_eq(p->path, path);
    return p;
}

START_TEST(a_loaded_plugin_says_what_it_is) {
    const bnn_plugin *swish = load("swish"), *laplace = load("double_exponential");
    const bnn_type *type, *builtin;
    char sha256[65];
    ck_assert_str_eq(swish->name, "swish"); /* that of its type */
    ck_assert_int_eq(strlen(swish->version), 12);
    ck_assert_int_eq(strncmp(swish->version, swish->sha256, 12), 0);
    OK(bnn_file_sha256(swish->path, sha256));
    ck_assert_str_eq(swish->sha256, sha256);
    ck_assert_str_eq(laplace->name, "laplace_1774");
    ck_assert_str_eq(laplace->version, "2.1-rc1");
    ck_assert_int_eq(laplace->n, 3);
    for (int i = 0; i < laplace->n; i++) ck_assert_ptr_eq(bnn_plugin_of(laplace->types[i].type), laplace);
    OK(bnn_type_find(BNN_LIKELIHOOD, "double_exponential", &type)); /* a name is unique within a kind */
    ck_assert_ptr_eq(type, laplace->types[1].type);
    OK(bnn_type_find(BNN_PRIOR, "gauss", &builtin));
    ck_assert_ptr_null(bnn_plugin_of(builtin));
    ck_assert_ptr_eq(bnn_plugin_at(0), swish);
    ck_assert_ptr_eq(bnn_plugin_at(1), laplace);
    ck_assert_ptr_null(bnn_plugin_at(2));
}
END_TEST

/* The same file by another name is not loaded twice; another file with the same type is refused, and the first one named. */
START_TEST(a_plugin_is_loaded_once) {
    const bnn_plugin *first = load("swish"), *again;
    char path[PATH], sentence[2 * PATH];
    snprintf(path, sizeof path, "%s/../tests/swish.so", PLUGINS);
    OK(bnn_plugin_load(path, &again));
    ck_assert_ptr_eq(again, first);
    ck_assert_int_eq(count_plugins(), 1);
    snprintf(sentence, sizeof sentence, "swish_twin.so: layer 'swish' exists already, in %s", first->path);
    SAYS(bnn_plugin_load(in_folder("swish_twin", path), NULL), sentence);
}
END_TEST

/* A file of the test with the bytes of a plugin: the same file, where it is there already. */
static const char *copy_of(const char *plugin, const char *name) {
    char path[PATH], bytes[1 << 16];
    FILE *from = fopen(in_folder(plugin, path), "rb"), *to = fopen(files_path(name), "wb");
    ck_assert(from && to);
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, from)) > 0;) ck_assert_uint_eq(fwrite(bytes, 1, n, to), n);
    fclose(from), fclose(to);
    return files_path(name);
}

START_TEST(a_name_without_a_folder_is_a_file_here) {
    const char *path = copy_of("swish", "here_only.so");
    char folder[PATH];
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    ck_assert_int_eq(chdir(folder), 0);
    OK(bnn_plugin_load("here_only.so", NULL));
    files_remove();
}
END_TEST

/* A wrong one is not kept, so that the right one can take its place. */
START_TEST(a_refused_file_can_be_built_again) {
    SAYS(bnn_plugin_load(copy_of("no_hook", "mine.so"), NULL), "lacks the hook draw");
    OK(bnn_plugin_load(copy_of("swish", "mine.so"), NULL));
    files_remove();
}
END_TEST

static double fit_and_score(const char *net, const char *engine, const char *likelihood, const char *prior) {
    bnn_table *table = table_new(60, 3, 0, 1);
    bnn_data *data = data_new(table);
    bnn_run *run;
    bnn_prediction *p;
    bnn_metrics m;
    OK(bnn_fit(&(bnn_config){.net = net, .engine = engine, .likelihood = likelihood, .prior = prior, .seed = 3}, data, &run));
    OK(bnn_predict(run->engine, data, &(bnn_predict_options){.samples = 20, .seed = 1}, &p));
    OK(bnn_metrics_compute(p, data, &m));
    bnn_prediction_free(p);
    bnn_run_free(run);
    bnn_data_free(data);
    bnn_table_free(table);
    return m.rmse;
}

/* All five kinds at once, in a fit that finds the line that is in the data: its targets have a standard deviation above 3. */
START_TEST(types_of_every_kind_work_from_plugins) {
    load("swish"), load("double_exponential"), load("restarts");
    double rmse = fit_and_score("dense:8; swish:beta=1.5; dense", "restarts:engine=map{optimizer=sign,epochs=300,lr=0.01},count=2",
                                "double_exponential", "double_exponential:b=1");
    ck_assert_double_lt(rmse, 2);
}
END_TEST

/* Hooks behind the end of an older vtable are absent, though there is something in memory. */
START_TEST(an_older_and_shorter_vtable_works) {
    const bnn_plugin *p = load("older");
    const bnn_prior_type *t = (const bnn_prior_type *)p->types[0].type;
    ck_assert_uint_lt(t->type.size, sizeof *t);
    ck_assert(!t->kl_gaussian && !t->n_scales && !t->logp_scale && !t->sd);
    ck_assert_double_eq(fit_and_score("dense:4; tanh; dense", "map:epochs=20", NULL, "wrong"),
                        fit_and_score("dense:4; tanh; dense", "map:epochs=20", NULL, "gauss"));
}
END_TEST

START_TEST(a_newer_and_longer_vtable_works_without_newer_hooks) {
    const bnn_plugin *p = load("newer");
    ck_assert_uint_gt(p->types[0].type->size, sizeof(bnn_prior_type));
    ck_assert_double_eq(fit_and_score("dense:4; tanh; dense", "map:epochs=20", NULL, "wrong"),
                        fit_and_score("dense:4; tanh; dense", "map:epochs=20", NULL, "gauss"));
}
END_TEST

/* A run that is stopped after every step goes on with the same bits. */
static void stop_and_go_on(const bnn_config *config) {
    bnn_table *table = table_new(40, 3, 0, 1);
    bnn_data *data = data_new(table);
    bnn_run *whole, *part;
    const char *path = files_path("part.h5"), *other = files_path("whole.h5");
    char where[256];
    bool same;
    double share;
    OK(bnn_fit(config, data, &whole));
    OK(bnn_run_new(config, data, &part));
    while (!part->complete) {
        OK(bnn_run_step(part, data, &share));
        OK(bnn_run_save(part, NULL, NULL, path));
        if (part->complete) break;
        bnn_run_free(part);
        OK(bnn_run_resume(path, config, data, &(bnn_origin){.split = -1}, &part));
    }
    OK(bnn_run_save(whole, NULL, NULL, other));
    OK(bnn_file_diff(path, other, &same, where, sizeof where));
    ck_assert_msg(same, "%s", where);
    bnn_run_free(part), bnn_run_free(whole);
    bnn_data_free(data);
    bnn_table_free(table);
    files_remove();
}

/* In the midst of an engine that holds another. */
START_TEST(a_stopped_run_goes_on) {
    load("swish"), load("double_exponential"), load("restarts");
    stop_and_go_on(&(bnn_config){
        .net = "dense:4; swish; dense", .engine = "restarts:engine=map{epochs=7,optimizer=sign,batch=16},count=3", .seed = 3});
}
END_TEST

/* ---------------------------------------------------------------- a layer that remembers batches */

START_TEST(what_a_layer_remembers_is_kept_with_the_run) {
    load("batchnorm"), load("layerwise");
    stop_and_go_on(
        &(bnn_config){.net = "dense:4; batchnorm; tanh; dense", .engine = "mc_dropout:epochs=5,batch=16,optimizer=adamw", .seed = 3});
}
END_TEST

/* On standardised features in one batch the mean is 0, the variance n/(n-1): a tenth of them after one step, and nothing else moves them.
 */
START_TEST(a_state_follows_the_batches) {
    enum { N = 40, D = 3 };
    load("batchnorm"), load("layerwise");
    for (const char *const *optimizer = (const char *const[]){"sgd", "adamw{decay=1}", "lamb{decay=1}", NULL}; *optimizer; optimizer++) {
        bnn_table *table = table_new(N, D, 0, 1);
        bnn_data *data = data_new(table);
        bnn_run *run;
        char engine[64];
        bnn_real theta[2 * D + D + 2];
        snprintf(engine, sizeof engine, "map:epochs=1,batch=%d,lr=0.1,optimizer=%s", N, *optimizer);
        OK(bnn_fit(&(bnn_config){.net = "batchnorm; dense", .engine = engine, .seed = 3}, data, &run));
        OK(bnn_engine_draw(run->engine, 0, bnn_rng_seed(1), theta));
        for (int i = 0; i < D; i++) {
            ck_assert_double_eq_tol((double)theta[i], 0, 10 * ROUNDING);
            ck_assert_double_eq_tol((double)theta[D + i], 0.9 + 0.1 * N / (N - 1), 10 * ROUNDING);
        }
        bnn_run_free(run);
        bnn_data_free(data);
        bnn_table_free(table);
    }
}
END_TEST

START_TEST(samplers_refuse_layers_that_remember) {
    bnn_table *table = table_new(40, 3, 0, 1);
    bnn_data *data = data_new(table);
    bnn_run *run;
    load("batchnorm");
    SAYS(bnn_fit(&(bnn_config){.net = "dense:4; batchnorm; dense", .engine = "hmc", .seed = 3}, data, &run),
         "engine 'hmc' does not train layers that remember batches: leave out 'batchnorm_1' (batchnorm)");
    bnn_data_free(data);
    bnn_table_free(table);
}
END_TEST

/* Without decay a step of lamb moves every block by lr of its length; in the first one biases have none. */
START_TEST(an_optimiser_may_see_blocks) {
    enum { N = 40, P = 3 * 50 + 50 + 50 + 1 + 1 };
    static const int block[] = {0, 150, 200, 250, 251};
    bnn_real before[P], after[P];
    bnn_table *table = table_new(N, 3, 0, 1);
    bnn_data *data = data_new(table);
    bnn_run *run;
    load("layerwise");
    for (int epochs = 1; epochs <= 2; epochs++) {
        char engine[96];
        snprintf(engine, sizeof engine, "map:epochs=%d,batch=%d,lr=0.01,schedule=constant,optimizer=lamb{decay=0}", epochs, N);
        OK(bnn_fit(&(bnn_config){.net = "dense:50; tanh; dense", .engine = engine, .seed = 3}, data, &run));
        OK(bnn_engine_draw(run->engine, 0, bnn_rng_seed(1), epochs == 1 ? before : after));
        bnn_run_free(run);
    }
    for (int b = 0; b < 4; b++) {
        double moved = 0, length = 0;
        for (int i = block[b]; i < block[b + 1]; i++) {
            moved += pow((double)after[i] - (double)before[i], 2);
            length += pow((double)before[i], 2);
        }
        ck_assert_msg(fabs(sqrt(moved / length) / 0.01 - 1) < 2e-3, "block %d moves by %g of its length, not 0.01", b,
                      sqrt(moved / length));
    }
    bnn_data_free(data);
    bnn_table_free(table);
}
END_TEST

START_TEST(an_outline_tells_the_plugins) {
    const bnn_plugin *swish = load("swish");
    load("double_exponential"), load("restarts");
    bnn_table *table = table_new(40, 3, 0, 1);
    bnn_data *data = data_new(table);
    bnn_run *run;
    bnn_outline o;
    const char *path = files_path("run.h5");
    OK(bnn_fit(&(bnn_config){.net = "dense:4; swish; dense", .engine = "restarts:engine=map{epochs=2},count=2", .seed = 3}, data, &run));
    OK(bnn_run_save(run, NULL, NULL, path));
    OK(bnn_outline_load(path, &o));
    ck_assert_int_eq(o.n_plugins, 2);
    ck_assert_str_eq(o.plugin[0].name, "swish");
    ck_assert_str_eq(o.plugin[0].version, swish->version);
    ck_assert_str_eq(o.plugin[0].path, swish->path);
    ck_assert_str_eq(o.plugin[0].sha256, swish->sha256);
    ck_assert_str_eq(o.plugin[1].types, "engine restarts");
    bnn_outline_free(&o);
    bnn_run_free(run);
    bnn_data_free(data);
    bnn_table_free(table);
    files_remove();
}
END_TEST

/* ---------------------------------------------------------------- radial, the layer of docs/write_a_layer.md */

/* Surface of the unit sphere in p dimensions, two points in one. */
static double log_surface(int p) { return p < 3 ? log(p == 1 ? 2 : 2 * M_PI) : log_surface(p - 2) + log(2 * M_PI / (p - 2)); }

/* log q(w) - log prior(w) of weights that were drawn, and what is known of w = mean + sd u: E[u_i^2] = 1/p, E |u| = sqrt(2/pi). */
static double log_ratio(int p, const bnn_real *theta, const bnn_real *w, moments *square, moments *length) {
    double ratio = 0, squares = 0;
    for (int i = 0; i < p; i++) {
        double sd = bnn_softplus((double)theta[p + i]), u = (double)(w[i] - theta[i]) / sd, s = i < p - 1 ? 0.7 : 3;
        ratio += log(s / sd) + log(2 * M_PI) / 2 + (double)(w[i] * w[i]) / (2 * s * s);
        squares += u * u;
        if (i == 0) moments_add(square, u * u);
    }
    moments_add(length, sqrt(squares));
    return ratio + log(2 / M_PI) / 2 - squares / 2 - log_surface(p) - (p - 1) * log(squares) / 2;
}

static const int radial_inputs[] = {1, 3, 60};

START_TEST(radial_has_its_density_and_its_kl) {
    enum { N = 5, DRAWS = 20000 };
    int d = radial_inputs[_i], p = d + 1;
    bnn_table *table = table_new(N, d, 0, 1);
    bnn_data *data = data_new(table);
    bnn_model *model;
    bnn_workspace *ws;
    moments kl = {0}, square = {0}, length = {0};
    load("radial");
    OK(bnn_model_new(&(bnn_texts){"radial:sd0=0.5", "gaussian:tau=1", "gauss:sd=0.7,bias_sd=3"}, data, &model));
    OK(bnn_workspace_new(model->net, N, BNN_TO_THETA, &ws));
    bnn_real *theta = reals_new((size_t)model->n_theta);
    bnn_model_init(model, bnn_rng_seed(1), theta);
    theta[2 * p - 1] += 1; /* the bias has another sd */
    const bnn_objective objective = {.n_total = N, .scale = 1, .kl_weight = 1, .mode = BNN_DRAW};
    double told = NAN;
    for (uint64_t s = 0; s < DRAWS; s++) {
        told = bnn_model_u(model, ws, &objective, bnn_rng_split(bnn_rng_seed(2), s), theta, N, data->x, data->y, NULL).kl;
        moments_add(&kl, log_ratio(p, theta, bnn_workspace_pass(ws, 1) + 2 * p, &square, &length));
    }
    ck_assert_msg(fabs(moments_z(&kl, told)) < MOST_Z, "KL is told as %g, sampled %g: z %g", told, kl.mean, moments_z(&kl, told));
    ck_assert_double_lt(fabs(moments_z(&square, 1.0 / p)), MOST_Z);
    ck_assert_double_lt(fabs(moments_z(&length, sqrt(2 / M_PI))), MOST_Z);
    reals_free(theta);
    bnn_workspace_free(ws);
    bnn_model_free(model);
    bnn_data_free(data);
    bnn_table_free(table);
}
END_TEST

/* ---------------------------------------------------------------- lists of files and folders */

/* A folder of the test with links to plugins. */
static const char *folder_with(const char *const *names) {
    const char *folder = files_path("folder");
    char from[PATH], to[2 * PATH];
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    for (; *names; names++) {
        snprintf(to, sizeof to, "%s/%s.so", folder, *names);
        ck_assert_int_eq(symlink(in_folder(*names, from), to), 0);
    }
    return folder;
}

static void remove_folder(const char *folder) {
    char command[PATH];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    ck_assert_int_eq(system(command), 0);
    files_remove();
}

START_TEST(a_list_names_files_and_folders) {
    const char *folder = folder_with((const char *const[]){"swish", "restarts", "double_exponential", NULL});
    char list[4 * PATH], file[PATH];
    snprintf(list, sizeof list, "%s/notes.txt", folder);
    ck_assert_int_eq(symlink(__FILE__, list), 0); /* not an .so: passed over */
    snprintf(list, sizeof list, ":%s::%s:%s:", in_folder("older", file), folder, file);
    OK(bnn_plugin_load_path(list, NULL));
    ck_assert_str_eq(bnn_plugin_at(0)->name, "wrong");
    ck_assert_str_eq(bnn_plugin_at(1)->name, "laplace_1774"); /* by the names of the files */
    ck_assert_str_eq(bnn_plugin_at(2)->name, "restarts");
    ck_assert_str_eq(bnn_plugin_at(3)->name, "swish");
    ck_assert_int_eq(count_plugins(), 4);
    OK(bnn_plugin_load_path("", NULL));
    remove_folder(folder);
}
END_TEST

START_TEST(the_first_failure_ends_a_list) {
    const char *folder = folder_with((const char *const[]){"double_exponential", "no_hook", "swish", NULL});
    char list[2 * PATH];
    SAYS(bnn_plugin_load_path(folder, NULL), "/no_hook.so: prior 'wrong' lacks the hook draw");
    ck_assert_int_eq(count_plugins(), 1);
    snprintf(list, sizeof list, "/nowhere/at/all:%s", folder);
    SAYS(bnn_plugin_load_path(list, NULL), "/nowhere/at/all: No such file or directory");
    remove_folder(folder);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("plugins");
    TCase *refused = tcase_create("refused"), *taken = tcase_create("taken");
    tcase_add_loop_test(refused, wrong_ones_are_refused_with_the_reason, 0, N_WRONG);
    tcase_add_test(refused, files_that_are_no_libraries_are_refused);
    tcase_add_test(taken, a_loaded_plugin_says_what_it_is);
    tcase_add_test(taken, a_plugin_is_loaded_once);
    tcase_add_test(taken, a_name_without_a_folder_is_a_file_here);
    tcase_add_test(taken, a_refused_file_can_be_built_again);
    tcase_add_test(taken, types_of_every_kind_work_from_plugins);
    tcase_add_test(taken, an_older_and_shorter_vtable_works);
    tcase_add_test(taken, a_newer_and_longer_vtable_works_without_newer_hooks);
    tcase_add_test(taken, a_stopped_run_goes_on);
    tcase_add_test(taken, what_a_layer_remembers_is_kept_with_the_run);
    tcase_add_test(taken, a_state_follows_the_batches);
    tcase_add_test(taken, samplers_refuse_layers_that_remember);
    tcase_add_test(taken, an_optimiser_may_see_blocks);
    tcase_add_test(taken, an_outline_tells_the_plugins);
    tcase_add_loop_test(taken, radial_has_its_density_and_its_kl, 0, sizeof radial_inputs / sizeof *radial_inputs);
    tcase_add_test(taken, a_list_names_files_and_folders);
    tcase_add_test(taken, the_first_failure_ends_a_list);
    suite_add_tcase(suite, refused);
    suite_add_tcase(suite, taken);
    return run_suite(suite);
}
