/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_mutants.c: layers with one fault each are rejected by the rule, and with the sentence, that docs/conformance.md tells; the same
 * layers without the fault pass. The tables of that page are what is read here, so they cannot go stale.
 */
#include "helpers.h"
#include "tool/allocations.h"

#include <bnn/check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const bnn_type *const mutants[]; /* NULL-terminated; those named ..._0 have no fault */

static bool is_right(const bnn_type *t) { return strcmp(strrchr(t->name, '_'), "_0") == 0; }

enum { COLUMNS = 4, CELL = 256 };

/* The cells of a table's line without blanks and backquotes; their number, 0 if it is none. */
static int read_row(const char *line, char cell[COLUMNS][CELL]) {
    int n = 0;
    if (*line != '|') return 0;
    for (const char *at = line + 1, *end; n < COLUMNS && (end = strchr(at, '|')); at = end + 1, n++) {
        while (at < end && strchr(" `", *at)) at++;
        const char *last = end;
        while (last > at && strchr(" `", last[-1])) last--;
        snprintf(cell[n], CELL, "%.*s", (int)(last - at), at);
    }
    return n;
}

/* The next row of `columns` cells whose first cell is this one (NULL: any); from is moved behind it. */
static bool next_row(FILE *page, int columns, const char *first, char cell[COLUMNS][CELL]) {
    char line[1024];
    while (fgets(line, sizeof line, page))
        if (read_row(line, cell) == columns && (!first || strcmp(cell[0], first) == 0)) return true;
    return false;
}

static FILE *open_page(void) {
    FILE *page = fopen(TABLE, "r");
    ck_assert_msg(page != NULL, "%s cannot be read", TABLE);
    return page;
}

static void run(const bnn_type *type, bnn_verdicts *verdicts) {
    ck_assert_msg(bnn_type_add(BNN_LAYER, type) == BNN_OK, "%s", bnn_error());
    ck_assert_msg(bnn_check(BNN_LAYER, type, &(bnn_check_options){.allocations = tool_allocations}, verdicts) == BNN_OK, "%s", bnn_error());
}

/* One of the verdicts of this rule is broken and its sentence has this part. */
static void is_rejected(const bnn_type *type, const bnn_verdicts *verdicts, const char *rule, const char *part) {
    const char *said = "nothing";
    for (int i = 0; i < verdicts->n; i++) {
        const bnn_verdict *v = &verdicts->v[i];
        if (strcmp(v->rule->name, rule) != 0 || v->outcome != BNN_BROKEN) continue;
        if (strstr(v->sentence, part)) return;
        said = v->sentence;
    }
    ck_abort_msg("%s: rule '%s' does not say '%s', but: %s", type->name, rule, part, said);
}

START_TEST(verdicts_are_as_told) {
    const bnn_type *type = mutants[_i];
    bnn_verdicts verdicts;
    char cell[COLUMNS][CELL];
    int rows = 0;
    run(type, &verdicts);
    FILE *page = open_page();
    for (; next_row(page, 4, type->name, cell); rows++)
        if (tool_allocations || strcmp(cell[2], "allocations") != 0) is_rejected(type, &verdicts, cell[2], cell[3]);
    fclose(page);
    for (int i = 0; is_right(type) && i < verdicts.n; i++)
        ck_assert_msg(verdicts.v[i].outcome != BNN_BROKEN, "%s, '%s' %s: %s: %s", type->name, verdicts.v[i].spec, verdicts.v[i].mode,
                      verdicts.v[i].rule->name, verdicts.v[i].sentence);
    ck_assert_msg(is_right(type) == (rows == 0), "%s has %d rows in the table", type->name, rows);
    bnn_verdicts_free(&verdicts);
}
END_TEST

static bool is_mutant(const char *name) {
    for (int i = 0; mutants[i]; i++)
        if (strcmp(mutants[i]->name, name) == 0) return true;
    return false;
}

/* Every rule is told as it demands, and seen broken by some mutant; every mutant of the table is there. */
START_TEST(table_is_complete) {
    char cell[COLUMNS][CELL];
    for (int i = 0; bnn_check_rule(BNN_LAYER, i); i++) {
        const bnn_rule *rule = bnn_check_rule(BNN_LAYER, i);
        FILE *page = open_page();
        ck_assert_msg(next_row(page, 2, rule->name, cell), "the page does not tell of rule '%s'", rule->name);
        ck_assert_str_eq(cell[1], rule->demand);
        bool seen = false;
        for (rewind(page); !seen && next_row(page, 4, NULL, cell);) seen = strcmp(cell[2], rule->name) == 0;
        ck_assert_msg(seen, "no mutant breaks rule '%s'", rule->name);
        fclose(page);
    }
    FILE *page = open_page();
    while (next_row(page, 4, NULL, cell))
        ck_assert_msg(is_mutant(cell[0]) || strcmp(cell[0], "mutant") == 0 || cell[0][0] == '-', "there is no mutant '%s'", cell[0]);
    fclose(page);
}
END_TEST

int main(void) {
    int n = 0;
    while (mutants[n]) n++;
    Suite *suite = suite_create("mutants");
    TCase *layers = tcase_create("layers"), *table = tcase_create("table");
    tcase_set_timeout(layers, 120);
    tcase_add_loop_test(layers, verdicts_are_as_told, 0, n);
    tcase_add_test(table, table_is_complete);
    suite_add_tcase(suite, layers);
    suite_add_tcase(suite, table);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
