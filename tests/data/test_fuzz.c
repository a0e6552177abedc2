/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_fuzz.c: readers of files of others, on files with mistakes of every kind: each is a table without a fault, or a sentence.
 */
#include "files.h"
#include "fuzz.h"

#include <bnn/import.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILES = 300 };

static const char *const words[] = {",",
                                    ";",
                                    "\t",
                                    "\n",
                                    "\r",
                                    "\"",
                                    "\"\"",
                                    " ",
                                    "#",
                                    "-",
                                    "NA",
                                    "1e999",
                                    "-0",
                                    "0x",
                                    "1:2",
                                    "1,234",
                                    "12%",
                                    "\xC2\xA0",
                                    "\xFF",
                                    "\xFF\xFE",
                                    "\xEF\xBB\xBF",
                                    "sep=;",
                                    "2020-01-31",
                                    "(1)",
                                    "nan",
                                    "inf",
                                    "\"a\nb\"",
                                    "1e-400",
                                    "99999999:1",
                                    "12 kg",
                                    ("\xE2\x88\x92"
                                     "1"),
                                    "1.0D+02",
                                    "0.1",
                                    "1 234",
                                    "1h30m",
                                    "2020-Q1",
                                    "31 de enero de 2020",
                                    "20200131T1200",
                                    "p.m.",
                                    "\xE5\xB9\xB4",
                                    "\xD9\xA1",
                                    "1,23,456",
                                    "-999",
                                    "\xC3",
                                    "''",
                                    "e",
                                    "|"};

static void make_mistakes(fuzz_content *c) { fuzz_mistakes(c, words, sizeof words / sizeof *words); }

/* ---- readers ---- */

/* A call has made a table without a fault, or says what is wrong. */
static void check_result(uint64_t i, bnn_status status, bnn_table *t) {
    if (status == BNN_OK)
        ck_assert_msg(t && bnn_table_check(t) == BNN_OK, "file %llu: %s", (unsigned long long)i, bnn_error());
    else
        ck_assert_msg(!t && *bnn_error(), "file %llu: fails without a sentence", (unsigned long long)i);
    bnn_table_free(t);
}

static const char *const texts[] = {"a,b,y\n1,2,3\n4,5,6\n7,8,9.5\n",
                                    "a;b;y\n1,5;2;3,25\n-2,5;\"x\";4\n",
                                    "\"a\"\t\"b c\"\t\"y\"\r\n\"1\"\t\"red\"\tyes\r\n2\tblue\tno\r\n",
                                    "a b y\n\"1\" 1.5 2 3\n\"2\" 2.5 3 4\n",
                                    "# made by hand\nlp__,a,y\n-1.5,1,2\n# ended\n-1.2,2,3\n",
                                    "+1 1:0.5 3:7 # first\n-1 2:1e1\n2\n",
                                    "2019,2020,2021\n.5,.25,1\n.1,.2,.3\n",
                                    "a,code,y\n1,00123,2\n2,12345678901234567890,01\n3,7,10\n",
                                    "1:2 3:4\n5 2:1\n",
                                    "a,b,y\nNA,1,2\n3,?,4\n5,6,7\n\n,,\n",
                                    "\xFF\xFE"
                                    "a\0,\0y\0\n\0"
                                    "1\0,\0"
                                    "2\0\n\0"
                                    "3\0,\0"
                                    "4\0"};
enum { LAST = sizeof texts / sizeof *texts - 1, BYTES_OF_LAST = 24 };

static fuzz_content any_text(void) {
    uint64_t which = fuzz_draw(LAST + 1);
    fuzz_content c = {.n = which == LAST ? BYTES_OF_LAST : strlen(texts[which])};
    memcpy(c.bytes, texts[which], c.n);
    return c;
}

START_TEST(tables_of_texts) {
    for (fuzz_loop l = fuzz_start(FILES); fuzz_next(&l);) {
        fuzz_content c = any_text();
        make_mistakes(&c);
        bnn_csv_options how = fuzz_csv_options();
        bnn_table *t = NULL;
        bnn_status s = bnn_import_csv(files_write_bytes("t.csv", c.bytes, c.n), &how, NULL, &t);
        check_result(l.i - 1, s, t);
    }
    files_remove();
}
END_TEST

/* Rows with mistakes, and rows of others, by what the columns of a table without mistakes mean. */
START_TEST(new_rows) {
    for (fuzz_loop l = fuzz_start(FILES); fuzz_next(&l);) {
        fuzz_content c = any_text();
        bnn_csv_options how = {.size = sizeof how,
                               .missing = (bnn_missing)(1 + fuzz_draw(2)),
                               .classes = fuzz_draw(2),
                               .decimal = "\0,"[fuzz_draw(2)],
                               .levels = fuzz_draw(3) ? NULL : "code"};
        bnn_table *known = NULL, *t = NULL;
        if (bnn_import_csv(files_write_bytes("known.csv", c.bytes, c.n), &how, NULL, &known) < 0) continue;
        if (fuzz_draw(4) == 0) c = any_text();
        make_mistakes(&c);
        how = (bnn_csv_options){.size = sizeof how,
                                .header = (bnn_header)fuzz_draw(3),
                                .other = fuzz_draw(2) ? NULL : "red",
                                .id = fuzz_draw(4) ? NULL : "a",
                                .format = fuzz_draw(4) ? BNN_TEXT_GUESS : (bnn_text_format)fuzz_draw(3)};
        bnn_status s = bnn_import_like(files_write_bytes("t.csv", c.bytes, c.n), known->schema, &how, NULL, &t);
        check_result(l.i - 1, s, t);
        bnn_table_free(known);
    }
    files_remove();
}
END_TEST

START_TEST(images) {
    static const char pixels[] = "\0\0\10\3\0\0\0\2\0\0\0\1\0\0\0\2\12\24\36\377", labels[] = "\0\0\10\1\0\0\0\2\1\0";
    for (fuzz_loop l = fuzz_start(FILES); fuzz_next(&l);) {
        fuzz_content a = {.n = sizeof pixels - 1}, b = {.n = sizeof labels - 1};
        memcpy(a.bytes, pixels, a.n), memcpy(b.bytes, labels, b.n);
        make_mistakes(fuzz_draw(2) ? &a : &b);
        bnn_table *t = NULL;
        bnn_idx_files files = {.images = files_write_bytes("images", a.bytes, a.n), .labels = files_write_bytes("labels", b.bytes, b.n)};
        if (fuzz_draw(2)) files.test_images = files.images, files.test_labels = files.labels;
        bnn_status s = bnn_import_idx(&files, NULL, &t);
        check_result(l.i - 1, s, t);
    }
    files_remove();
}
END_TEST

START_TEST(folders) {
    static const char *const names[] = {"data.txt",          "index_features.txt", "index_target.txt",
                                        "index_train_0.txt", "index_test_0.txt",   "n_splits.txt"};
    static const char *const contents[] = {"1 2 3\n4 5 6\n7 8 9\n", "0\n2\n", "1\n", "2\n0\n", "1\n", "1\n"};
    char folder[256];
    snprintf(folder, sizeof folder, "%s", files_path(""));
    folder[strlen(folder) - 1] = '\0';
    for (fuzz_loop l = fuzz_start(FILES); fuzz_next(&l);) {
        uint64_t which = fuzz_draw(6);
        for (uint64_t k = 0; k < 6; k++) {
            fuzz_content c = {.n = strlen(contents[k])};
            memcpy(c.bytes, contents[k], c.n);
            if (k == which) make_mistakes(&c);
            files_write_bytes(names[k], c.bytes, c.n);
        }
        bnn_table *t = NULL;
        bnn_status s = bnn_import_uci(folder, NULL, &t);
        check_result(l.i - 1, s, t);
    }
    files_remove();
}
END_TEST

int main(void) { return run_tests("fuzz", (const TTest *const[]){tables_of_texts, new_rows, images, folders, NULL}); }
