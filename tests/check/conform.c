/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * conform.c PLUGIN.so...: the conformance suites (bnn/check.h) over every registered type, those of the plugins included. A new type is
 * tested here without a test written by hand.
 */
#include "helpers.h"
#include "tool/allocations.h"

#include <bnn/check.h>
#include <bnn/plugin.h>
#include <stdio.h>

/* All types of the kinds that have rules. */
static bool find_type(int i, bnn_entry *out) {
    for (int kind = 0; kind < BNN_N_KINDS; kind++)
        for (const bnn_type *t = NULL; bnn_check_rule((bnn_kind)kind, 0) && (t = bnn_type_next((bnn_kind)kind, t));)
            if (i-- == 0) {
                *out = (bnn_entry){(bnn_kind)kind, t};
                return true;
            }
    return false;
}

/* Every rule is asked of every type, answered, and kept. */
START_TEST(keeps_all_rules) {
    bnn_entry r;
    bnn_verdicts verdicts;
    ck_assert(find_type(_i, &r));
    ck_assert_msg(
        bnn_check(r.kind, r.type,
                  &(bnn_check_options){
                      .allocations = tool_allocations, .live = tool_live, .poison = tool_poison, .list = tool_list, .listed = tool_listed},
                  &verdicts) == BNN_OK,
        "%s", bnn_error());
    ck_assert_int_gt(verdicts.n, 0);
    for (int i = 0; i < verdicts.n; i++) {
        const bnn_verdict *v = &verdicts.v[i];
        ck_assert_msg(v->outcome != BNN_BROKEN, "%s %s, '%s' %s: %s: %s", bnn_kind_name(r.kind), r.type->name, v->spec, v->mode,
                      v->rule->name, v->sentence);
    }
    for (int i = 0; bnn_check_rule(r.kind, i); i++) ck_assert_ptr_nonnull(bnn_verdicts_of(&verdicts, bnn_check_rule(r.kind, i)));
    bnn_verdicts_free(&verdicts);
}
END_TEST

START_TEST(misuse_is_refused) {
    bnn_entry r;
    bnn_verdicts verdicts;
    ck_assert(find_type(0, &r));
    bnn_type stranger = *r.type;
    SAYS(bnn_check(r.kind, r.type, &(bnn_check_options){.rule = "beauty"}, &verdicts),
         "unknown rule 'beauty' for layers: there are metadata, ");
    SAYS(bnn_check(r.kind, &stranger, NULL, &verdicts), "is not registered");
}
END_TEST

int main(int argc, char **argv) {
    bnn_entry r;
    int n = 0;
    tool_watch_allocations();
    for (int i = 1; i < argc; i++)
        if (bnn_plugin_load(argv[i], NULL) < 0) return fprintf(stderr, "%s\n", bnn_error()), 2;
    while (find_type(n, &r)) n++;
    Suite *suite = suite_create("conform");
    TCase *types = tcase_create("types"), *calls = tcase_create("calls");
    tcase_set_timeout(types, 120);
    tcase_add_loop_test(types, keeps_all_rules, 0, n);
    tcase_add_test(calls, misuse_is_refused);
    suite_add_tcase(suite, types);
    suite_add_tcase(suite, calls);
    return run_suite(suite);
}
