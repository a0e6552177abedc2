/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_tool.c: the program's commands for files, by their exit status and what they print. BNN_PROGRAM names the program; without it
 * nothing is run.
 */
#include "files.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <string.h>
#include <sys/wait.h>

static char printed[1 << 16];

/* Runs "bnn <arguments>" in the test's folder; standard output and error, without the folder's name, go to `printed`. Returns the exit
 * status. */
static int bnn(const char *arguments) {
    char line[2048];
    snprintf(line, sizeof line, "cd %s && %s 2>&1 %s", files_path(""), getenv("BNN_PROGRAM"), arguments);
    FILE *f = popen(line, "r");
    ck_assert_ptr_nonnull(f);
    printed[fread(printed, 1, sizeof printed - 1, f)] = '\0';
    return WEXITSTATUS(pclose(f));
}

static void says(const char *arguments, int status, const char *text) {
    int found = bnn(arguments);
    ck_assert_msg(found == status && strstr(printed, text), "bnn %s: exit status %d, printed '%s', expected %d and '%s'", arguments, found,
                  printed, status, text);
}

/* Exit status 2, and nothing but this sentence. */
static void refuses(const char *arguments, const char *sentence) {
    char line[1024];
    int found = bnn(arguments);
    snprintf(line, sizeof line, "bnn: %s\n", sentence);
    ck_assert_msg(found == 2 && strcmp(printed, line) == 0, "bnn %s: exit status %d, printed '%s', expected '%s'", arguments, found,
                  printed, line);
}

/* Mistakes that argp sees: the sentence, then how to ask for help. */
static void misuses(const char *arguments, const char *sentence) { says(arguments, 2, sentence); }

static void write_files(void) {
    files_write("a.csv", "x,kind,y\n1,u,2\n3,v,4\n5,u,7\n7,v,8\n9,u,10\n11,v,12\n");
    files_write("gap.csv", "x,y\n1,2\n,4\n");
}

START_TEST(data_files_are_made_and_shown) {
    write_files();
    says("import csv a.csv -o a.h5", 0, "wrote a.h5: 6 rows, features [3], target y, 0 splits\n");
    says("import csv a.csv -t kind --title T --source S --license CC0-1.0 -o k.h5", 0,
         "wrote k.h5: 6 rows, features [2], target kind with 2 classes, 0 splits\n");
    says("split a.h5 --kind pbp --count 2", 0,
         "wrote a.h5: 2 splits of 6 rows, 5 train and 1 test in the first (pbp: 2 permutations of NumPy's RandomState(1)");
    says("split a.h5 --kind kfold --count 3 --seed 4 -o b.h5", 0,
         "wrote b.h5: 3 splits of 6 rows, 4 train and 2 test in the first (kfold: 3 folds, seed 4)\n");
    says("split a.h5 -o b.h5 --force", 0,
         "wrote b.h5: 1 splits of 6 rows, 5 train and 1 test in the first (holdout: 1 times 10 % test rows, seed 0)\n");
    says("info a.h5", 0, "a.h5: data, 6 rows, features [3], regression\n");
    says("info k.h5", 0, "class 1     v                        3 rows\n");
    says("info k.h5 a.h5", 0, "  license     CC0-1.0\n");
    says("info --lint k.h5", 0, "k.h5: 16 objects, ");
    says("info a.h5 k.h5 --lint", 0, " rules, no findings\nk.h5: 16 objects, ");
    says("diff a.h5 a.h5", 0, "a.h5 and a.h5 are equal, provenance apart\n");
    says("diff a.h5 k.h5", 1, "a.h5 and k.h5 differ: ");
    files_remove();
}
END_TEST

START_TEST(runs_are_shown) {
    write_files();
    says("import csv a.csv -o a.h5", 0, "");
    says("fit -d a.h5 --split all --net 'dense:3; relu; dense' --engine map:epochs=2 -o run.h5", 0, "");
    says("info run.h5", 0, "run.h5: run, ");
    says("info run.h5", 0, "  history     2 epochs; at the end nll ");
    says("predict run.h5 --data a.h5 --split all -o p.h5", 0, "");
    says("info p.h5", 0, "p.h5: predictions of 6 rows with 1 draw\n  engine      map:epochs=2,");
    says("info p.h5", 0, "  data        a.h5\n");
    says("predict run.h5 --split all -o p.h5 --force", 0, "");
    says("info p.h5", 0, "  data        a.h5\n");
    files_remove();
}
END_TEST

/* A run is not lost with the draws that could not be kept. */
START_TEST(a_run_outlives_its_predictions) {
    write_files();
    says("import csv a.csv -o a.h5", 0, "");
    says("split a.h5 --kind kfold --count 2", 0, "");
    struct rlimit whole, little = {.rlim_cur = 300000}; /* bytes of a file: enough for the run, not for its draws */
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &whole), 0);
    little.rlim_max = whole.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &little), 0);
    says("fit -d a.h5 --net dense --engine mc_dropout:epochs=2 --keep predictive -S 100000 -o run.h5", 2,
         "bnn: run.h5 was written without predictions: run.h5: cannot write ");
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &whole), 0);
    says("info run.h5", 0, "run.h5: run, 5 parameters\n");
    says("predict run.h5 -o p.h5", 0, "");
    files_remove();
}
END_TEST

START_TEST(mistakes_get_one_sentence) {
    write_files();
    says("import csv a.csv -o a.h5", 0, "");
    refuses("frobnicate", "unknown command 'frobnicate': there are import, split, info, list, show, fit, import-weights, predict, "
                          "evaluate, calibrate, ood, attack, shift, acquire, bandit, diagnose, compare, report, merge, diff, bench, sbc, "
                          "check, new-layer, new-engine, new-likelihood, new-prior, new-optimizer, man, complete");
    refuses("import csv none.csv -o b.h5", "none.csv: No such file or directory");
    refuses("import csv gap.csv -o b.h5",
            "gap.csv: row 2, column 'x': value is missing: its row can be left out (--missing drop) or the mean "
            "put there (--missing mean)");
    refuses("import csv a.csv -o none/b.h5", "none/b.h5: cannot be written: No such file or directory");
    refuses("import uci none -o b.h5", "none/data.txt: No such file or directory");
    refuses("import idx a.csv a.csv -o b.h5", "a.csv: is not an IDX file: it does not begin with two zero bytes");
    refuses("split a.csv", "a.csv: is not an HDF5 file");
    refuses("split a.h5 --kind kfold --count 7", "a.h5: 7 folds: there can be 2 to 6, the number of rows");
    refuses("split a.h5 --count 0", "--count: '0' is not a whole number from 1 to 100000");
    refuses("split a.h5 --seed x", "--seed: 'x' is not a whole number from 0 to 9223372036854775807");
    refuses("info none.h5", "none.h5: No such file or directory");
    refuses("info a.csv", "a.csv: is not an HDF5 file");
    refuses("info --lint none.h5", "none.h5: No such file or directory");
    says("info --lint a.csv a.h5", 2, "bnn: a.csv: is not an HDF5 file\na.h5: ");
    refuses("diff a.h5 none.h5", "none.h5: No such file or directory");
    misuses("import", "bnn import: which format: csv, libsvm, uci, idx or images?\n");
    misuses("import xml a.csv -o b.h5", "bnn import: 'xml' is none of the formats csv, libsvm, uci, idx, images\n");
    misuses("import csv -o b.h5", "bnn import: csv takes one file\n");
    misuses("import idx a.csv -o b.h5", "bnn import: idx takes two files, or four\n");
    misuses("import uci a b -o b.h5", "bnn import: uci takes one folder\n");
    misuses("import uci a --classes -o b.h5", "bnn import: --classes is for csv, not for uci\n");
    misuses("import csv a.csv --header maybe -o b.h5", "bnn import: --header: 'maybe' is neither yes nor no\n");
    misuses("import csv a.csv", "bnn import: --output: where shall the data file go?\n");
    misuses("split", "bnn split: which data file?\n");
    misuses("split a.h5 --kind x", "bnn split: --kind: 'x' is none of holdout, kfold, pbp\n");
    misuses("split a.h5 --kind pbp --seed 1", "bnn split: --seed: the splits of pbp are fixed, they have no seed\n");
    misuses("info", "bnn info: which file?\n");
    misuses("diff a.h5", "bnn diff: which two files?\n");
    misuses("info --frob", "unrecognized option '--frob'\n");
    ck_assert_int_eq(files_count(), 3); /* a.csv, gap.csv, a.h5 */
    files_remove();
}
END_TEST

START_TEST(help_is_there) {
    static const char *const names[] = {"import", "split", "info", "diff"};
    says("--help", 0, "Usage: bnn COMMAND [OPTION...]\n");
    says("", 2, "Usage: bnn COMMAND [OPTION...]\n");
    says("--version", 0, "bnn " BNN_VERSION " (");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char line[64];
        snprintf(line, sizeof line, "%s --help", names[i]);
        says(line, 0, "Examples:\n  bnn ");
    }
    says("--help > /dev/full", 2, "bnn: standard output cannot be written: No space left on device\n");
    files_remove();
}
END_TEST

int main(void) {
    if (!getenv("BNN_PROGRAM")) return puts("skipped: BNN_PROGRAM does not name the program"), 77;
    return run_tests("tool", (const TTest *const[]){data_files_are_made_and_shown, runs_are_shown, a_run_outlives_its_predictions,
                                                    mistakes_get_one_sentence, help_is_there, NULL});
}
