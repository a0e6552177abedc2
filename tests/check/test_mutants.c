/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_mutants.c PAGE MUTANT.so...: plugins with one fault each are rejected by the rule, and with the sentence, that PAGE
 * (docs/conformance.md) tells; the same types without the fault, named ..._0, pass. The tables of that page are what is read here, so they
 * cannot go stale.
 */
#include "helpers.h"
#include "tool/allocations.h"

#include <bnn/check.h>
#include <bnn/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *page_path;

/* Type i of all plugins; NULL behind the last. */
static const bnn_entry *mutant_at(int i) {
    const bnn_plugin *p;
    for (int k = 0; (p = bnn_plugin_at(k)); i -= p->n, k++)
        if (i < p->n) return &p->types[i];
    return NULL;
}

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
    FILE *page = fopen(page_path, "r");
    ck_assert_msg(page != NULL, "%s cannot be read", page_path);
    return page;
}

/* One rule, or all of them (NULL). */
static void run(const bnn_entry *m, const char *rule, bnn_verdicts *verdicts) {
    const bnn_check_options how = {
        .rule = rule, .allocations = tool_allocations, .live = tool_live, .poison = tool_poison, .list = tool_list, .listed = tool_listed};
    ck_assert_msg(bnn_check(m->kind, m->type, &how, verdicts) == BNN_OK, "%s", bnn_error());
}

/* One of the verdicts of this rule is broken and its sentence has this part. */
static void is_rejected(const bnn_entry *m, const char *rule, const char *part) {
    const char *said = "nothing";
    bnn_verdicts verdicts;
    bool found = false;
    run(m, rule, &verdicts);
    for (int i = 0; i < verdicts.n && !found; i++) {
        if (verdicts.v[i].outcome != BNN_BROKEN) continue;
        said = verdicts.v[i].sentence;
        found = strstr(said, part) != NULL;
    }
    ck_assert_msg(found, "%s: rule '%s' does not say '%s', but: %s", m->type->name, rule, part, said);
    bnn_verdicts_free(&verdicts);
}

static void passes(const bnn_entry *m) {
    bnn_verdicts verdicts;
    run(m, NULL, &verdicts);
    for (int i = 0; i < verdicts.n; i++)
        ck_assert_msg(verdicts.v[i].outcome != BNN_BROKEN, "%s, '%s' %s: %s: %s", m->type->name, verdicts.v[i].spec, verdicts.v[i].mode,
                      verdicts.v[i].rule->name, verdicts.v[i].sentence);
    bnn_verdicts_free(&verdicts);
}

START_TEST(verdicts_are_as_told) {
    const bnn_entry *m = mutant_at(_i);
    char cell[COLUMNS][CELL];
    int rows = 0;
    FILE *page = open_page();
    for (; next_row(page, 4, m->type->name, cell); rows++)
        if (tool_allocations || strcmp(cell[2], "allocations") != 0) is_rejected(m, cell[2], cell[3]);
    fclose(page);
    if (is_right(m->type)) passes(m);
    ck_assert_msg(is_right(m->type) == (rows == 0), "%s has %d rows in the table", m->type->name, rows);
}
END_TEST

/* The mutant of this name, NULL if there is none. */
static const bnn_entry *find(const char *name) {
    for (int i = 0; mutant_at(i); i++)
        if (strcmp(mutant_at(i)->type->name, name) == 0) return mutant_at(i);
    return NULL;
}

/* A rule stands on the page with its demand, and some mutant of its kind breaks it; or, of a rule of every kind, a deed of hostile.c, which
 * test_hostile.sh asks for. */
static void is_told(bnn_kind kind, const bnn_rule *rule) {
    char cell[COLUMNS][CELL];
    bool told = false, seen = false;
    FILE *page = open_page();
    while (!told && next_row(page, 2, rule->name, cell)) told = strcmp(cell[1], rule->demand) == 0;
    ck_assert_msg(told, "the page does not tell of rule '%s' of %ss as it demands: %s", rule->name, bnn_kind_name(kind), rule->demand);
    for (rewind(page); !seen && next_row(page, 4, NULL, cell);) {
        const bnn_entry *m = strcmp(cell[2], rule->name) == 0 ? find(cell[0]) : NULL;
        seen = m && m->kind == kind;
    }
    for (rewind(page); !seen && next_row(page, 3, NULL, cell);) seen = strcmp(cell[1], rule->name) == 0;
    ck_assert_msg(seen, "no mutant breaks rule '%s' of %ss", rule->name, bnn_kind_name(kind));
    fclose(page);
}

static bool has_mutants(bnn_kind kind) {
    for (int i = 0; mutant_at(i); i++)
        if (mutant_at(i)->kind == kind) return true;
    return false;
}

/* Every rule of the kinds that have mutants is told as it demands, and seen broken by some mutant; every mutant of the table is there. */
START_TEST(table_is_complete) {
    char cell[COLUMNS][CELL];
    for (int kind = 0; kind < BNN_N_KINDS; kind++)
        for (int i = 0; has_mutants((bnn_kind)kind) && bnn_check_rule((bnn_kind)kind, i); i++)
            is_told((bnn_kind)kind, bnn_check_rule((bnn_kind)kind, i));
    FILE *page = open_page();
    while (next_row(page, 4, NULL, cell))
        ck_assert_msg(find(cell[0]) || strcmp(cell[0], "mutant") == 0 || cell[0][0] == '-', "there is no mutant '%s'", cell[0]);
    fclose(page);
}
END_TEST

int main(int argc, char **argv) {
    int n = 0;
    tool_watch_allocations();
    if (argc < 3) return 2;
    page_path = argv[1];
    for (int i = 2; i < argc; i++)
        if (bnn_plugin_load(argv[i], NULL) < 0) return fprintf(stderr, "%s\n", bnn_error()), 2;
    while (mutant_at(n)) n++;
    Suite *suite = suite_create("mutants");
    TCase *types = tcase_create("types"), *table = tcase_create("table");
    tcase_set_timeout(types, 120);
    tcase_add_loop_test(types, verdicts_are_as_told, 0, n);
    tcase_add_test(table, table_is_complete);
    suite_add_tcase(suite, types);
    suite_add_tcase(suite, table);
    return run_suite(suite);
}
