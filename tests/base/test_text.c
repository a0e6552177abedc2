/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_text.c: text is the configuration: options, registered types, the network language, and the texts that engines make of it.
 */
#include "files.h"

#include <bnn/engine.h>
#include <bnn/escape.h>
#include <bnn/remark.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- options */

typedef struct {
    int whole, choice;
    double real;
    char *text;
    bnn_shape shape;
} settings;

static const char *const colours[] = {"red", "green", NULL};
static const bnn_option table[] = {
    {.name = "whole", .kind = BNN_OPTION_INT, .offset = offsetof(settings, whole), .preset = "3", .min = -5, .max = 10},
    {.name = "real", .kind = BNN_OPTION_REAL, .offset = offsetof(settings, real), .preset = "0.1"},
    {.name = "choice", .kind = BNN_OPTION_CHOICE, .offset = offsetof(settings, choice), .preset = "green", .choices = colours},
    {.name = "text", .kind = BNN_OPTION_TEXT, .offset = offsetof(settings, text), .preset = "none"},
    {.name = "shape", .kind = BNN_OPTION_SHAPE, .offset = offsetof(settings, shape), .preset = ""},
    {0}};

START_TEST(options_are_read_by_position_and_by_name) {
    static const struct {
        const char *text, *printed;
    } read[] = {
        {"", "whole=3,real=0.1,choice=green,text=none"},
        {"-5", "whole=-5,real=0.1,choice=green,text=none"},
        {"10,1e-300,red,gauss{sd=2,bias_sd=1},3x32x32", "whole=10,real=1e-300,choice=red,text=gauss{sd=2,bias_sd=1},shape=3x32x32"},
        {" 4 ,\t-inf ", "whole=4,real=-inf,choice=green,text=none"},
        {"7,shape=5,real=-2.5e3", "whole=7,real=-2500,choice=green,text=none,shape=5"},
        {"text=a{b={c,d},e=f},choice=red", "whole=3,real=0.1,choice=red,text=a{b={c,d},e=f}"},
        {"text={p=1|2},whole=1", "whole=1,real=0.1,choice=green,text={p=1|2}"},
        {" whole = 1 , real =\t2", "whole=1,real=2,choice=green,text=none"},
        {"whole=1,whole=2,text=", "whole=2,real=0.1,choice=green,text="},
        {"real=123456789,shape=1x2x3x4", "whole=3,real=123456789,choice=green,text=none,shape=1x2x3x4"},
    };
    for (size_t i = 0; i < sizeof read / sizeof *read; i++) {
        settings once, twice;
        OK(bnn_options_parse(table, read[i].text, &once));
        char *printed = bnn_options_print(table, &once);
        ck_assert_str_eq(printed, read[i].printed);
        OK(bnn_options_parse(table, printed, &twice));
        char *again = bnn_options_print(table, &twice);
        ck_assert_str_eq(again, printed);
        free(printed), free(again);
        bnn_options_free(table, &once), bnn_options_free(table, &twice);
    }
}
END_TEST

/* Words may go on behind commas as long as they are words of the option. */
START_TEST(words_are_read_with_braces_and_without) {
    static const bnn_option words[] = {
        {.name = "words", .kind = BNN_OPTION_TEXT, .offset = offsetof(settings, text), .preset = "red", .choices = colours},
        {.name = "whole", .kind = BNN_OPTION_INT, .offset = offsetof(settings, whole), .preset = "3"},
        {0}};
    static const struct {
        const char *text, *printed;
    } read[] = {{"", "words=red,whole=3"},
                {"words=green", "words=green,whole=3"},
                {"words={red,green},whole=1", "words={red,green},whole=1"},
                {"words=green,red, green ,whole=2", "words={green,red,green},whole=2"},
                {"words={green}", "words=green,whole=3"},
                {"{red,green},7", "words={red,green},whole=7"}};
    static const struct {
        const char *text, *sentence;
    } refused[] = {{"words=blue", "option 'words': 'blue' is not one of red, green"},
                   {"words={red,blue}", "option 'words': 'blue' is not one of red, green"},
                   {"words=red,blue", "option value 'blue' has no name, but comes after a named one"},
                   {"whole=1,red", "option value 'red' has no name, but comes after a named one"},
                   {"words=", "option 'words': '' is not one of red, green"}};
    for (size_t i = 0; i < sizeof read / sizeof *read; i++) {
        settings s;
        OK(bnn_options_parse(words, read[i].text, &s));
        char *printed = bnn_options_print(words, &s);
        ck_assert_str_eq(printed, read[i].printed);
        free(printed);
        bnn_options_free(words, &s);
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        settings s;
        SAYS(bnn_options_parse(words, refused[i].text, &s), refused[i].sentence);
    }
}
END_TEST

START_TEST(options_are_refused_with_what_there_is) {
    static const struct {
        const char *text, *sentence;
    } refused[] = {
        {"hole=1", "unknown option 'hole': there are whole, real, choice, text, shape"},
        {"11", "option 'whole': '11' is not a whole number from -5 to 10"},
        {"whole=2.5", "option 'whole': '2.5' is not a whole number from -5 to 10"},
        {"whole=", "option 'whole': '' is not a whole number from -5 to 10"},
        {"whole=inf", "option 'whole': 'inf' is not a whole number from -5 to 10"},
        {"1,", "option 'real': '' is not a number"},
        {"real=1e999", "option 'real': '1e999' is not a number"},
        {"real=nan", "option 'real': 'nan' is not a number"},
        {"real=1 2", "option 'real': '1 2' is not a number"},
        {"choice=blue", "option 'choice': 'blue' is not one of red, green"},
        {"shape=3x", "option 'shape': '3x' is not a shape such as 13 or 3x32x32"},
        {"shape=0", "option 'shape': '0' is not a shape such as 13 or 3x32x32"},
        {"shape=1x1x1x1x1", "option 'shape': '1x1x1x1x1' is not a shape such as 13 or 3x32x32"},
        {"whole=1,2", "option value '2' has no name, but comes after a named one"},
        {"1,2,red,a,5,6", "option value '6' is one too many"},
        {"text=a{b", "braces do not match in the options"},
        {"text=a}b{", "braces do not match in the options"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        settings s;
        REFUSED(bnn_options_parse(table, refused[i].text, &s), refused[i].sentence);
        ck_assert_ptr_null(s.text);
    }
    OK(bnn_options_parse(NULL, "", NULL));
    REFUSED(bnn_options_parse(NULL, "p=1", NULL), "unknown option 'p': there are none");
    REFUSED(bnn_options_parse(NULL, "1", NULL), "option value '1' is one too many");
}
END_TEST

START_TEST(an_option_that_cannot_be_set_stays) {
    settings s;
    OK(bnn_options_parse(table, "whole=1,real=2,choice=red,text=a,shape=3", &s));
    static const char *const bad[][2] = {{"whole", "x"}, {"real", "x"}, {"choice", "x"}, {"shape", "x"}, {"other", "1"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) ck_assert_int_lt(bnn_options_set(table, &s, bad[i][0], bad[i][1]), 0);
    char *printed = bnn_options_print(table, &s);
    ck_assert_str_eq(printed, "whole=1,real=2,choice=red,text=a,shape=3");
    free(printed);
    bnn_options_free(table, &s);
}
END_TEST

/* ---------------------------------------------------------------- nested specs and groups */

typedef struct {
    bnn_object engine;
    bnn_prior prior;
    settings own;
} nested;

static const bnn_option inner_table[] = {BNN_OPT_INT(settings, whole, "3", -5, 10, ""),
                                         BNN_OPT_REAL(settings, real, "0.1", 0, 0, ""),
                                         BNN_OPT_TEXT(settings, text, "none", ""),
                                         {0}};
static const bnn_option outer_table[] = {BNN_OPT_SPEC(nested, engine, BNN_ENGINE, "ensemble", ""),
                                         BNN_OPT_GROUP(nested, own, inner_table, BNN_PRESETS("real", "7", "text", "other")),
                                         BNN_OPT_SPEC(nested, prior, BNN_PRIOR, "", ""),
                                         {0}};

#define ADAM "adam{beta1=0.9,beta2=0.999,eps=1e-08}"

START_TEST(nested_specs_are_printed_in_full) {
    static const char *const read[][2] = {
        {"", "engine=ensemble{engine=held_out_dropout{p=0.01,temperature=0.1,steps=6000,batch=128,lr=0.02,lr_hyper=0.4,delta=0.5,cycle=20,"
             "draws=16,optimizer=adam{beta1=0.9,beta2=0.999,eps=1e-08},validation=shuffled,share=0.2},members=5},whole=3,real=7,text=other,"
             "prior="},
        {"svgd{lr=1,optimizer=sgd,epochs=2},4,2,prior=gauss{2}",
         "engine=svgd{particles=20,epochs=2,steps=4000,batch=128,lr=1,lr_hyper=0.01,bandwidth=2,schedule=cosine,"
         "optimizer=sgd{momentum=0.9}},whole=4,"
         "real=2,text=other,"
         "prior=gauss{sd=2,bias_sd=1,scale=none}"},
        {"prior=gauss{bias_sd=1,sd=2},engine=svgd{epochs=2,optimizer=sgd{momentum=0.9},lr=1},real=2,whole=4",
         "engine=svgd{particles=20,epochs=2,steps=4000,batch=128,lr=1,lr_hyper=0.01,bandwidth=2,schedule=cosine,"
         "optimizer=sgd{momentum=0.9}},whole=4,"
         "real=2,text=other,"
         "prior=gauss{sd=2,bias_sd=1,scale=none}"},
        {"engine=hmc{},prior=gauss,prior=", "engine=hmc{steps=100,chains=4,samples=250,warmup=250,thin=1,target_accept=0.8,step=0.01,"
                                            "jitter=0.2,metric=diagonal,scales=joint},whole=3,real=7,text=other,prior="},
    };
    for (size_t i = 0; i < sizeof read / sizeof *read; i++) {
        nested once, twice;
        OK(bnn_options_parse(outer_table, read[i][0], &once));
        char *printed = bnn_options_print(outer_table, &once);
        ck_assert_str_eq(printed, read[i][1]);
        OK(bnn_options_parse(outer_table, printed, &twice));
        char *again = bnn_options_print(outer_table, &twice);
        ck_assert_str_eq(again, printed);
        free(printed), free(again);
        bnn_options_free(outer_table, &once), bnn_options_free(outer_table, &twice);
    }
}
END_TEST

START_TEST(nested_specs_are_refused_at_once) {
    static const char *const refused[][2] = {
        {"engine=mapp", "option 'engine': unknown engine 'mapp': there are "},
        {"engine=", "option 'engine': unknown engine '': there are "},
        {"engine=gauss", "option 'engine': unknown engine 'gauss': there are "},
        {"engine=ensemble{engine=map{epochs=-1}}",
         "option 'engine': engine 'ensemble': option 'engine': engine 'map': option 'epochs': '-1' is not a whole number from 0 to 1e+09"},
        {"prior=gauss{tilt=1}", "option 'prior': prior 'gauss': unknown option 'tilt': there are sd, bias_sd, scale"},
        {"own=1", "unknown option 'own': there are engine, whole, real, text, prior"},
    };
    nested n;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        SAYS(bnn_options_parse(outer_table, refused[i][0], &n), refused[i][1]);
        ck_assert(!n.engine.type && !n.engine.conf && !n.prior.object.type && !n.own.text);
    }
    OK(bnn_options_parse(outer_table, "engine=hmc", &n));
    ck_assert_int_lt(bnn_options_set(outer_table, &n, "engine", "mapp"), 0);
    ck_assert_str_eq(n.engine.type->name, "hmc");
    bnn_options_free(outer_table, &n);
}
END_TEST

START_TEST(specs_are_nested_only_so_deep) {
    char text[1024] = "";
    for (int i = 0; i < 20; i++) strcat(text, "ensemble{engine=");
    strcat(text, "map");
    for (int i = 0; i < 20; i++) strcat(text, "}");
    bnn_object o;
    SAYS(bnn_object_parse(BNN_ENGINE, text, &o), "': specs are nested more than 16 deep");
}
END_TEST

START_TEST(options_of_groups_are_counted_through) {
    bnn_option o;
    static const struct {
        const char *name, *preset;
        size_t offset;
    } flat[] = {{"engine", "ensemble", offsetof(nested, engine)},
                {"whole", "3", offsetof(nested, own.whole)},
                {"real", "7", offsetof(nested, own.real)},
                {"text", "other", offsetof(nested, own.text)},
                {"prior", "", offsetof(nested, prior)}};
    for (int i = 0; i < 5; i++) {
        ck_assert(bnn_options_at(outer_table, i, &o));
        ck_assert_str_eq(o.name, flat[i].name);
        ck_assert_str_eq(o.preset, flat[i].preset);
        ck_assert_uint_eq(o.offset, flat[i].offset);
        ck_assert(bnn_options_find(outer_table, flat[i].name, &o) && o.offset == flat[i].offset);
    }
    ck_assert(!bnn_options_at(outer_table, 5, &o) && !bnn_options_find(outer_table, "own", &o) && !bnn_options_at(NULL, 0, &o));
}
END_TEST

static void reads_back(double x) {
    char text[BNN_NUMBER_TEXT], shorter[512];
    double back;
    bnn_number_print(x, text);
    ck_assert_msg(bnn_number_parse(text, &back) && back == x, "%.17g is printed as %s", x, text);
    int digits = 0;
    for (const char *p = text; *p && *p != 'e'; p++) digits += *p >= '0' && *p <= '9';
    if (digits < 2 || !isfinite(x) || fabs(x) < 1 || fabs(x) >= 10) return; /* only there are the digits the significant ones */
    snprintf(shorter, sizeof shorter, "%.*g", digits - 1, x);
    ck_assert_msg(strtod(shorter, NULL) != x, "%s would do for %s", shorter, text);
}

START_TEST(numbers_are_printed_shortest_and_read_back) {
    static const struct {
        double x;
        const char *text;
    } numbers[] = {{0.1, "0.1"},
                   {1e-300, "1e-300"},
                   {INFINITY, "inf"},
                   {-INFINITY, "-inf"},
                   {123456789, "123456789"},
                   {10, "10"},
                   {999999, "999999"},
                   {1e6, "1e+06"},
                   {0, "0"},
                   {-2.5, "-2.5"},
                   {1.0 / 3, "0.3333333333333333"},
                   {0.1 + 0.2, "0.30000000000000004"},
                   {DBL_TRUE_MIN, "5e-324"},
                   {DBL_MAX, "1.7976931348623157e+308"},
                   {1e22, "1e+22"},
                   {0.05, "0.05"}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char text[BNN_NUMBER_TEXT];
        ck_assert_str_eq(bnn_number_print(numbers[i].x, text), numbers[i].text);
        reads_back(numbers[i].x);
    }
    uint32_t words[2000];
    bnn_rng_words(bnn_rng_seed(1), 0, 1, 2000, words);
    for (int i = 0; i < 1000; i++) {
        reads_back(ldexp((double)words[2 * i] + (double)words[2 * i + 1] / 4294967296, (int)(words[i] % 600) - 300));
        reads_back(1 + words[i] / 4294967296.0 * 8);
    }
}
END_TEST

/* ---------------------------------------------------------------- types and objects */

static const char *const no_checks[] = {NULL};

static double flat(const bnn_prior *p, const bnn_prior_block *block, int n, const bnn_real *w, bnn_real *dw) {
    (void)p, (void)block, (void)w;
    for (int i = 0; dw && i < n; i++) dw[i] = 0;
    return 0;
}

static void zero(const bnn_prior *p, const bnn_prior_block *block, bnn_rng rng, int n, bnn_real *out) {
    (void)p, (void)block, (void)rng;
    for (int i = 0; i < n; i++) out[i] = 0;
}

/* All other ways of being refused: test_plugins.c. */
START_TEST(types_are_refused_with_the_reason) {
    bnn_prior_type prior = {
        .type = {BNN_TYPE(bnn_prior_type), .name = "gauss", .summary = "another one", .checks = no_checks}, .logp = flat, .draw = zero};
    REFUSED(bnn_type_add(BNN_PRIOR, &prior.type), "prior 'gauss' exists already");
    prior.type.name = "";
    REFUSED(bnn_type_add(BNN_PRIOR, &prior.type), "a prior without a name cannot be added");
    REFUSED(bnn_type_add(BNN_PRIOR, NULL), "a prior without a vtable cannot be added");
    const bnn_type *found;
    SAYS(bnn_type_find(BNN_PRIOR, "fresh", &found), "unknown prior 'fresh': there are gauss, hierarchical, scale_mixture");
    SAYS(bnn_type_find(BNN_OPTIMIZER, "", &found), "unknown optimizer '': there are adam, sgd");
}
END_TEST

START_TEST(an_added_type_is_found_and_walked_to) {
    static const bnn_prior_type fresh = {
        .type = {BNN_TYPE(bnn_prior_type), .name = "fresh", .summary = "new", .checks = no_checks}, .logp = flat, .draw = zero};
    const bnn_type *found, *last = NULL;
    OK(bnn_type_add(BNN_PRIOR, &fresh.type));
    OK(bnn_type_find(BNN_PRIOR, "fresh", &found));
    ck_assert_ptr_eq(found, &fresh.type);
    for (const bnn_type *t = NULL; (t = bnn_type_next(BNN_PRIOR, t));) last = t;
    ck_assert_ptr_eq(last, &fresh.type);
    REFUSED(bnn_type_add(BNN_PRIOR, &fresh.type), "prior 'fresh' exists already");
}
END_TEST

START_TEST(objects_are_read_in_both_forms) {
    static const char *const same[][2] = {{"gauss:sd=2,bias_sd=inf", "gauss{sd=2,bias_sd=inf}"},
                                          {"gauss", " gauss{}\n"},
                                          {"gauss:", "gauss{sd=1}"},
                                          {"gauss:0.25", "\tgauss{0.25} "}};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        bnn_object a, b;
        OK(bnn_object_parse(BNN_PRIOR, same[i][0], &a));
        OK(bnn_object_parse(BNN_PRIOR, same[i][1], &b));
        char *printed_a = bnn_object_print(&a, false), *printed_b = bnn_object_print(&b, false);
        ck_assert_str_eq(printed_a, printed_b);
        free(printed_a), free(printed_b);
        bnn_object_free(&a), bnn_object_free(&b);
    }
    bnn_object o;
    REFUSED(bnn_object_parse(BNN_PRIOR, "gauss{sd=2", &o), "'gauss{sd=2' lacks the closing brace");
    REFUSED(bnn_object_parse(BNN_PRIOR, "gauss:mean=2", &o), "prior 'gauss': unknown option 'mean': there are sd, bias_sd, scale");
    SAYS(bnn_object_parse(BNN_PRIOR, NULL, &o), "unknown prior '': there are gauss, hierarchical, scale_mixture");
}
END_TEST

/* Layers are checked by nets, in test_layers.c. */
START_TEST(check_specs_print_to_themselves) {
    for (int kind = BNN_ENGINE; kind < BNN_N_KINDS; kind++)
        for (const bnn_type *t = NULL; (t = bnn_type_next((bnn_kind)kind, t));)
            for (int s = 0; t->checks[s]; s++)
                for (int braces = 0; braces <= 1; braces++) {
                    bnn_object once, twice;
                    OK(bnn_object_parse((bnn_kind)kind, t->checks[s], &once));
                    char *printed = bnn_object_print(&once, braces), *again;
                    OK(bnn_object_parse((bnn_kind)kind, printed, &twice));
                    ck_assert_str_eq(again = bnn_object_print(&twice, braces), printed);
                    free(printed), free(again);
                    bnn_object_free(&once), bnn_object_free(&twice);
                }
}
END_TEST

/* ---------------------------------------------------------------- statements */

START_TEST(statements_are_read) {
    static const char *const read[][2] = {
        {"dense:50; relu; dense", "dense:50; relu; dense"},
        {"\n a=input:3 \n\n# a comment; dense:{\n b\t=\tdense:4,bias=no # and ; another\n ;; c = concat ( a ,b )",
         "a = input:3; b = dense:4,bias=no; c = concat(a, b)"},
        {"gaussian_dense:3,prior=gauss{sd=1,bias_sd=2}; _x9 = tanh", "gaussian_dense:3,prior=gauss{sd=1,bias_sd=2}; _x9 = tanh"},
    };
    for (size_t i = 0; i < sizeof read / sizeof *read; i++) {
        bnn_netspec spec;
        OK(bnn_netspec_parse(read[i][0], &spec));
        char *printed = bnn_netspec_print(&spec);
        ck_assert_str_eq(printed, read[i][1]);
        free(printed);
        bnn_netspec_free(&spec);
    }
}
END_TEST

START_TEST(statements_are_refused) {
    static const char *const refused[][2] = {
        {"", "the network text is empty: expected something like 'dense:50; relu; dense'"},
        {" ;\n# nothing", "the network text is empty: expected something like 'dense:50; relu; dense'"},
        {"relu; dense:3(a", "statement 2 of the network: the list of inputs lacks its closing parenthesis"},
        {"dense:3(a) b", "statement 1 of the network: 'b' stands behind the list of inputs"},
        {"add()", "statement 1 of the network: '' in the list of inputs is not a label"},
        {"add(a,,b)", "statement 1 of the network: '' in the list of inputs is not a label"},
        {"3d = relu", "statement 1 of the network: '3d' before '=' is not a label: letters, digits and _"},
        {"a = b = relu", "statement 1 of the network: 'b = relu' is not the name of a layer"},
        {"a =", "statement 1 of the network: '' is not the name of a layer"},
        {"de-nse:3", "statement 1 of the network: 'de-nse' is not the name of a layer"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        bnn_netspec spec;
        REFUSED(bnn_netspec_parse(refused[i][0], &spec), refused[i][1]);
    }
}
END_TEST

static char *inserted_before(const char *net, int i) {
    bnn_netspec spec;
    OK(bnn_netspec_parse(net, &spec));
    OK(bnn_netspec_insert(&spec, i, "dropout", "p=0.5"));
    char *printed = bnn_netspec_print(&spec);
    bnn_netspec_free(&spec);
    return printed;
}

START_TEST(a_statement_goes_between_another_and_its_input) {
    static const struct {
        const char *net;
        int i;
        const char *after;
    } cases[] = {{"dense:3; dense", 0, "dropout:p=0.5; dense:3; dense"},
                 {"dense:3; dense", 1, "dense:3; dropout:p=0.5; dense"},
                 {"a = input; dense:3; b = dense(a)", 2, "a = input; dense:3; dropout:p=0.5(a); b = dense"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *printed = inserted_before(cases[i].net, cases[i].i);
        ck_assert_str_eq(printed, cases[i].after);
        free(printed);
    }
}
END_TEST

START_TEST(a_converted_layer_keeps_what_both_have) {
    bnn_netspec spec;
    OK(bnn_netspec_parse("a = dense:7,bias=no,init=glorot(x)", &spec));
    OK(bnn_netspec_convert(&spec, 0, "gaussian_dense", "sd0=0.2"));
    char *printed = bnn_netspec_print(&spec);
    ck_assert_str_eq(printed, "a = gaussian_dense:units=7,bias=no,sd0=0.2(x)");
    SAYS(bnn_netspec_convert(&spec, 0, "gaussian_dance", ""), "unknown layer 'gaussian_dance': there are input, dense, ");
    free(printed);
    printed = bnn_netspec_print(&spec);
    ck_assert_str_eq(printed, "a = gaussian_dense:units=7,bias=no,sd0=0.2(x)");
    free(printed);
    bnn_netspec_free(&spec);
}
END_TEST

START_TEST(affine_and_gated_statements_are_known) {
    bnn_netspec spec;
    OK(bnn_netspec_parse(
        "a = input:2x3; d = dropout; flatten; dense:2; e = dense:2(a); unheard(d); dense(d); gaussian_dense; concrete_dropout; dense",
        &spec));
    static const bool affine[] = {0, 0, 0, 1, 1, 0, 1, 0, 0, 1}, gated[] = {0, 0, 1, 1, 0, 1, 1, 0, 0, 1};
    for (int i = 0; i < spec.n; i++) {
        ck_assert_msg(bnn_netspec_affine(&spec, i) == affine[i], "statement %d, %s", i, spec.s[i].type);
        ck_assert_msg(bnn_netspec_gated(&spec, i) == gated[i], "statement %d, %s", i, spec.s[i].type);
    }
    bnn_netspec_free(&spec);
}
END_TEST

/* Dense layers have gates of units, convolutions those of channels. */
START_TEST(gates_go_before_their_kind) {
    bnn_netspec spec;
    OK(bnn_netspec_parse("conv2d:4; relu; spatial_dropout; conv2d:4; conv_transpose2d:2; flatten; dense", &spec));
    OK(bnn_netspec_gate(&spec, "dropout", "p=0.5"));
    OK(bnn_netspec_gate_images(&spec, "spatial_dropout", "p=0.2"));
    char *printed = bnn_netspec_print(&spec);
    ck_assert_str_eq(printed,
                     "spatial_dropout:p=0.2; conv2d:4; relu; spatial_dropout; conv2d:4; spatial_dropout:p=0.2; conv_transpose2d:2; "
                     "flatten; dropout:p=0.5; dense");
    free(printed);
    bnn_netspec_free(&spec);
}
END_TEST

/* ---------------------------------------------------------------- nets */

static void same_nets(const bnn_net *a, const bnn_net *b) {
    ck_assert_int_eq(a->n_nodes, b->n_nodes);
    ck_assert_int_eq(a->n_theta, b->n_theta);
    for (int i = 0; i < a->n_nodes; i++) {
        const bnn_node *m = &a->node[i], *n = &b->node[i];
        ck_assert_str_eq(m->layer.label, n->layer.label);
        ck_assert_ptr_eq(m->layer.object.type, n->layer.object.type);
        ck_assert_int_eq(m->layer.n_in, n->layer.n_in);
        ck_assert_mem_eq(m->in, n->in, (size_t)m->layer.n_in * sizeof *m->in);
        ck_assert_int_eq(m->gate, n->gate);
    }
}

START_TEST(printed_nets_are_the_same_nets) {
    static const char *const nets[] = {
        "input:3; dense:50; relu; dense:1",
        "x = input:4; a = dense:4; r = relu; b = add(r, x); c = concat(x, a, b); dense:2(c)",
        "x = input:3; dense_2 = dense:3; dense_1 = dense:3; e = add(dense_2, x); d = dense:3(x); add(d, dense_2, dense_1, e)",
        "x = input:3; dense:3; dense_1 = dense:3; add_7 = add(x, dense_1); dense:2",
        "input_1 = input:2x3; flatten; dropout:0.3; gaussian_dense:4,prior=gauss{sd=0.1,bias_sd=inf}; concrete_dropout; dense:2",
    };
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        bnn_spec_net first, second;
        test_net_open(nets[i], &first);
        char *printed = bnn_net_print(first.net);
        test_net_open(printed, &second);
        same_nets(first.net, second.net);
        char *again = bnn_net_print(second.net);
        ck_assert_str_eq(again, printed);
        free(printed), free(again);
        bnn_spec_net_close(&first), bnn_spec_net_close(&second);
    }
}
END_TEST

static void assert_labels(const bnn_net *net, const char *labels) {
    char text[256] = "";
    for (int i = 0; i < net->n_nodes; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "", net->node[i].layer.label);
    ck_assert_str_eq(text, labels);
}

START_TEST(labels_are_made_up_where_the_text_has_none) {
    static const char *const nets[][2] = {
        {"input:3; dense:4; relu; dense:4; relu", "input_1 dense_1 relu_1 dense_2 relu_2"},
        {"input:3; dense:4; dense_1 = relu; dense:4; dense_3 = tanh; dense:2", "input_1 dense_2 dense_1 dense_4 dense_3 dense_5"},
    };
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        bnn_spec_net t;
        test_net_open(nets[i][0], &t);
        assert_labels(t.net, nets[i][1]);
        bnn_spec_net_close(&t);
    }
}
END_TEST

START_TEST(a_list_that_is_too_long_says_so) {
    char list[16] = "";
    static const char *const item[] = {"one", "two", "three", "x"}, *const after[] = {"one", "one, two", "one, two, ...", "one, two, ..."};
    for (int i = 0; i < 4; i++) {
        bnn_list_add(list, sizeof list, item[i]);
        ck_assert_str_eq(list, after[i]);
    }
}
END_TEST

START_TEST(nets_are_refused_with_node_and_reason) {
    static const char *const refused[][2] = {
        {"input:3; a = relu; b = add(a, c); c = relu", "node 'b' (add): input 'c' is not the label of an earlier statement"},
        {"input:3; a = add(a, a)", "node 'a' (add): input 'a' is not the label of an earlier statement"},
        {"input:3; relu; tanh(relu_1)", "node 'tanh_1' (tanh): input 'relu_1' is not the label of an earlier statement"},
        {"a = input:3; relu; a = tanh", "label 'a' is given twice in the network"},
        {"input:3; likelihood = tanh", "label 'likelihood' is taken: files have the parameters of the likelihood under it"},
        {"input:3; prior = tanh", "label 'prior' is taken: files have the parameters of the prior under it"},
        {"input:3; aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa = tanh",
         "label 'aaaaaaaaaa...' has 65 letters, at most 64 are allowed"},
        {"a = input:3; b = relu; tanh(a)", "node 'b' leads nowhere: no later statement reads it"},
        {"input:3; relu; input:3", "'input' must be the first statement of the network"},
        {"input:3(a)", "node 'input_1' (input): input 'a' is not the label of an earlier statement"},
        {"a = input:3; b = relu(a, a)", "node 'b' (relu): takes 1 input, not 2"},
        {"input:3; dense:4; dense:3,yes,he,1", "node 'dense_2' (dense): option value '1' is one too many"},
        {"input:3; dense:20000; dense:100000", "node 'dense_2' (dense): has more than 2^30 parameters or units: use a smaller network"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        test_net_refused(refused[i][0]);
        ck_assert_str_eq(bnn_error(), refused[i][1]);
    }
}
END_TEST

START_TEST(nets_fit_data_and_likelihood) {
    bnn_prior prior;
    bnn_net *net;
    OK(bnn_prior_new("gauss", &prior));
    bnn_net_env env = {.x_shape = bnn_shape_vector(5), .out = bnn_shape_vector(2), .prior = &prior};
    OK(bnn_net_new("dense:3; relu; dense", &env, &net));
    ck_assert_int_eq(net->n_theta, 5 * 3 + 3 + 3 * 2 + 2);
    bnn_net_free(net);
    SAYS(bnn_net_new("dense:3", &env, &net),
         "the network ends with shape [3], but the likelihood needs [2]: end with 'dense', without a number");
    SAYS(bnn_net_new("input:4; dense", &env, &net), "node 'input_1' (input): the text says [4], but a row of the data has shape [5]");
    bnn_net_env map = {.x_shape = {.rank = 3, .d = {2, 3, 4}}, .out = {.rank = 3, .d = {2, 3, 4}}, .prior = &prior};
    OK(bnn_net_new("relu", &map, &net));
    bnn_net_free(net);
    map.out.d[0] = 5;
    SAYS(bnn_net_new("relu", &map, &net), "the network ends with shape [2x3x4], but the likelihood needs [5x3x4]");
    SAYS(bnn_net_new("dense; relu; dense", &env, &net),
         "node 'dense_1' (dense): option 'units' may be left out only at the end of a network");
    bnn_prior_free(&prior);
}
END_TEST

/* ---------------------------------------------------------------- what engines make of a net */

static char *adapted(const char *engine, const char *net) {
    bnn_object o;
    bnn_netspec spec;
    OK(bnn_object_parse(BNN_ENGINE, engine, &o));
    OK(bnn_netspec_parse(net, &spec));
    const bnn_engine_type *type = (const bnn_engine_type *)o.type;
    if (type->adapt) OK(type->adapt(o.conf, &spec));
    char *text = bnn_netspec_print(&spec);
    bnn_netspec_free(&spec);
    bnn_object_free(&o);
    return text;
}

/* After, and after that no more. */
START_TEST(engines_adapt_a_net_once) {
    static const char *const cases[][3] = {
        {"map", "dense:5; relu; dense", "dense:5; relu; dense"},
        {"mc_dropout", "dense:5; relu; dense", "dropout:p=0.01; dense:5; relu; dropout:p=0.01; dense"},
        {"mc_dropout:p=0.2,gates=concrete,temperature=0.5", "dense:5; dense",
         "concrete_dropout:p=0.2,temperature=0.5; dense:5; concrete_dropout:p=0.2,temperature=0.5; dense"},
        {"mc_dropout", "dropout:0.3; dense:5; concrete_dropout:0.2; flatten; dense:4; gaussian_dropout; dense",
         "dropout:0.3; dense:5; concrete_dropout:0.2; flatten; dense:4; gaussian_dropout; dense"},
        {"mc_dropout", "x = input:2x3; flatten; dense", "x = input:2x3; flatten; dropout:p=0.01; dense"},
        {"mc_dropout", "a = input; b = dense:4(a); c = dense:4(a); add(b, c)",
         "a = input; dropout:p=0.01(a); b = dense:4; dropout:p=0.01(a); c = dense:4; add(b, c)"},
        {"mc_dropout", "d = dropout:0.4; b = dense:4(d); c = dense:4(d); add(b, c)",
         "d = dropout:0.4; b = dense:4(d); c = dense:4(d); add(b, c)"},
        {"mc_dropout", "gaussian_dense:4; relu; gaussian_dense", "gaussian_dense:4; relu; gaussian_dense"},
        {"bayes_by_backprop", "h = dense:5; relu; dense:bias=no",
         "h = gaussian_dense:units=5,bias=yes,estimator=local; relu; gaussian_dense:units=0,bias=no,estimator=local"},
        {"bayes_by_backprop:flipout", "dropout:0.3; dense:5; gaussian_dense:2,weight",
         "dropout:0.3; gaussian_dense:units=5,bias=yes,estimator=flipout; gaussian_dense:2,weight"},
        {"grid_search:engine=mc_dropout{p=0.1}", "dense", "dropout:p=0.1; dense"},
        {"early_stopping:engine=grid_search{engine=mc_dropout}", "dense", "dropout:p=0.01; dense"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *once = adapted(cases[i][0], cases[i][1]), *twice = adapted(cases[i][0], once);
        ck_assert_str_eq(once, cases[i][2]);
        ck_assert_str_eq(twice, once);
        free(once), free(twice);
    }
}
END_TEST

START_TEST(texts_of_others_are_shown_in_one_line) {
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"", ""},
        {"medv", "medv"},
        {"Größe in €, 数", "Größe in €, 数"},
        {"a\nb\r\tc", "a\\nb\\r\\tc"},
        {"\x1b[31mred\x7f", "\\x1b[31mred\\x7f"},
        {"back\\slash", "back\\slash"},
        {"\xff\xfe", "\\xff\\xfe"},                                     /* never in UTF-8 */
        {"\xe9t\xe9", "\\xe9t\\xe9"},                                   /* ISO 8859-1 */
        {"\xc2", "\\xc2"},                                              /* cut off */
        {"\xc0\xaf", "\\xc0\\xaf"},                                     /* overlong */
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},                            /* a surrogate */
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},                   /* beyond Unicode */
        {"\xc2\x9b\x33\x31m", "\\xc2\\x9b31m"},                         /* the other ESC [ */
        {"\xe2\x80\xaetxt", "\\xe2\\x80\\xaetxt"},                      /* right to left */
        {"\xe2\x80\xa8\xef\xbb\xbf", "\\xe2\\x80\\xa8\\xef\\xbb\\xbf"}, /* a separator of lines, a byte order mark */
    };
    char line[64], again[64];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_str_eq(bnn_escape(cases[i].text, line, sizeof line), cases[i].shown);
        ck_assert_str_eq(bnn_escape(line, again, sizeof again), line);
        ck_assert(bnn_is_utf8(line));
    }
    ck_assert(bnn_is_utf8("€\n") && !bnn_is_utf8("\xe9"));
    ck_assert_str_eq(bnn_escape("ab\ncd", line, 4), "ab");
    ck_assert_str_eq(bnn_escape("ab\ncd", line, 5), "ab\\n");
    ck_assert_str_eq(bnn_escape("a€", line, 4), "a");
    ck_assert_str_eq(bnn_escape("a", line, 1), "");
}
END_TEST

START_TEST(sentences_are_one_line) {
    REFUSED(bnn_fail(BNN_ERR_DATA, "column '%s' is constant", "a\nb\x1b"), "column 'a\\nb\\x1b' is constant");
    REFUSED(bnn_note(BNN_ERR_DATA, "%s", "x\n.csv"), "x\\n.csv: column 'a\\nb\\x1b' is constant");
    bnn_remarks *remarks;
    OK(bnn_remarks_new(&remarks));
    OK(bnn_remarks_add(remarks, BNN_REMARK_NOTE, "guessed", "column '%s'", "\xff\n"));
    ck_assert_str_eq(bnn_remark_sentence(remarks, 0), "column '\\xff\\n'");
    bnn_remarks_free(remarks);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {options_are_read_by_position_and_by_name,
                                  words_are_read_with_braces_and_without,
                                  options_are_refused_with_what_there_is,
                                  an_option_that_cannot_be_set_stays,
                                  nested_specs_are_printed_in_full,
                                  nested_specs_are_refused_at_once,
                                  specs_are_nested_only_so_deep,
                                  options_of_groups_are_counted_through,
                                  texts_of_others_are_shown_in_one_line,
                                  sentences_are_one_line,
                                  numbers_are_printed_shortest_and_read_back,
                                  types_are_refused_with_the_reason,
                                  an_added_type_is_found_and_walked_to,
                                  objects_are_read_in_both_forms,
                                  check_specs_print_to_themselves,
                                  statements_are_read,
                                  statements_are_refused,
                                  a_statement_goes_between_another_and_its_input,
                                  a_converted_layer_keeps_what_both_have,
                                  affine_and_gated_statements_are_known,
                                  gates_go_before_their_kind,
                                  printed_nets_are_the_same_nets,
                                  labels_are_made_up_where_the_text_has_none,
                                  a_list_that_is_too_long_says_so,
                                  nets_are_refused_with_node_and_reason,
                                  nets_fit_data_and_likelihood,
                                  engines_adapt_a_net_once,
                                  NULL};
    return run_tests("text", tests);
}
