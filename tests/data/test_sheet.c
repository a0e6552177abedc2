/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_sheet.c: tables of texts as programs and people write them: the right numbers, or the right sentence; and what is said beside.
 */
#include "files.h"

#include <bnn/import.h>
#include <bnn/remark.h>
#include <fcntl.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define HOW(...) ((bnn_csv_options){.size = sizeof(bnn_csv_options), __VA_ARGS__})

/* The table of a file with the remarks on it, each as "code: sentence" in a line. */
typedef struct {
    bnn_table *table;
    char remarks[4096];
} reading;

static reading read_file(const char *path, bnn_csv_options how) {
    reading r = {.remarks = ""};
    bnn_remarks *remarks;
    OK(bnn_remarks_new(&remarks));
    how.remarks = remarks;
    OK(bnn_import_csv(path, &how, NULL, &r.table));
    OK(bnn_table_check(r.table));
    for (int i = 0; i < bnn_remarks_count(remarks); i++)
        sprintf(r.remarks + strlen(r.remarks), "%s%s: %s\n", bnn_remark_severity(remarks, i) == BNN_REMARK_WARNING ? "!" : "",
                bnn_remark_code(remarks, i), bnn_remark_sentence(remarks, i));
    bnn_remarks_free(remarks);
    return r;
}

/* n rows of a, b and y: 1 2 3, 4 5 6, ... */
static void assert_counting(reading r, int n) {
    ck_assert_int_eq(r.table->n, n);
    ck_assert_int_eq(bnn_shape_size(r.table->x_shape), 2);
    for (int i = 0; i < n; i++) {
        ck_assert_double_eq(r.table->x[2 * i], 3 * i + 1);
        ck_assert_double_eq(r.table->x[2 * i + 1], 3 * i + 2);
        ck_assert_double_eq(r.table->y[i], 3 * i + 3);
    }
    bnn_table_free(r.table);
    files_remove();
}

static reading read_text(const char *text, bnn_csv_options how) { return read_file(files_write("t.csv", text), how); }

static void says(reading r, const char *remark) { ck_assert_msg(strstr(r.remarks, remark), "'%s' is not in:\n%s", remark, r.remarks); }

static void is_silent(reading r, const char *code) { ck_assert_msg(!strstr(r.remarks, code), "'%s' is in:\n%s", code, r.remarks); }

static void done(reading r) {
    bnn_table_free(r.table);
    files_remove();
}

static void refused(const char *text, bnn_csv_options how, const char *sentence) {
    bnn_table *t;
    REFUSED(bnn_import_csv(files_write("t.csv", text), &how, NULL, &t), sentence);
    ck_assert_ptr_null(t);
    files_remove();
}

/* ---- encodings ---- */

START_TEST(lines_end_in_any_way) {
    static const char *const texts[] = {"a,b,y\n1,2,3\n4,5,6\n", "a,b,y\r\n1,2,3\r\n4,5,6\r\n", "a,b,y\r1,2,3\r4,5,6",
                                        "a,b,y\r1,2,3\n4,5,6\r\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) assert_counting(read_text(texts[i], HOW(0)), 2);
}
END_TEST

START_TEST(utf16_is_read) {
    static const char text[] = "a,b,y\n1,2,3\n4,5,6\n";
    for (int big = 0; big < 2; big++)
        for (int mark = 0; mark < 2; mark++) {
            unsigned char wide[2 * sizeof text];
            size_t n = 0;
            if (mark) wide[n + (size_t)big] = 0xFF, wide[n + (size_t)!big] = 0xFE, n += 2;
            for (const char *p = text; *p; p++, n += 2) wide[n + (size_t)!big] = 0, wide[n + (size_t)big] = (unsigned char)*p;
            reading r = read_file(files_write_bytes("t.csv", wide, n), HOW(0));
            says(r, "encoding: encoding: UTF-16\n");
            assert_counting(r, 2);
        }
    for (int big = 0; big < 2; big++) { /* without a mark, letters of another script first */
        static const unsigned short letters[] = {0x433, 0x43E, 0x434, ',', 'y', '\n', '1', ',', '2', '\n', '3', ',', '4', '\n'};
        enum { N = sizeof letters / sizeof *letters };
        unsigned char wide[2 * N];
        for (int i = 0; i < N; i++) wide[2 * i + !big] = (unsigned char)(letters[i] >> 8), wide[2 * i + big] = (unsigned char)letters[i];
        reading r = read_file(files_write_bytes("t.csv", wide, sizeof wide), HOW(0));
        ck_assert_str_eq(r.table->x_names[0], "\u0433\u043E\u0434");
        done(r);
    }
    static const unsigned char note[] = {0xFE, 0xFF, 0,   'a', 0,   ',', 0,    'y', 0,   '\n', 0xD8, 0x34, 0xDD,
                                         0x1E, 0,    ',', 0,   '1', 0,   '\n', 0,   'b', 0,    ',',  0,    '2'};
    reading r = read_file(files_write_bytes("t.csv", note, sizeof note), HOW(0));
    ck_assert_str_eq(r.table->x_names[1], "a=\U0001D11E"); /* two halves */
    done(r);
    bnn_table *t;
    REFUSED(bnn_import_csv(files_write_bytes("t.csv", note, 12), NULL, NULL, &t), "t.csv: begins as UTF-16, but does not go on as such");
    REFUSED(bnn_import_csv(files_write_bytes("t.csv", note, 13), NULL, NULL, &t), "t.csv: begins as UTF-16, but does not go on as such");
    files_remove();
}
END_TEST

START_TEST(latin_1_is_read) {
    reading r = read_text("gr\xF6\xDF"
                          "e,y\nk\xFChl \x80,1\nwarm,2\n",
                          HOW(0));
    says(r, "encoding: encoding: no UTF-8, read as Latin-1 (Windows-1252)\n");
    ck_assert_str_eq(r.table->x_names[0], "gr\u00F6\u00DFe=k\u00FChl \u20AC");
    done(r);
    r = read_text("gr\u00F6\u00DFe,y\nk\u00FChl,1\nwarm,2\n", HOW(0));
    is_silent(r, "encoding");
    done(r);
}
END_TEST

START_TEST(gzip_and_standard_input_are_read) {
    gzFile gz = gzopen(files_path("t.csv.gz"), "wb");
    gzputs(gz, "a,b,y\n1,2,3\n4,5,6\n");
    gzclose(gz);
    assert_counting(read_file(files_path("t.csv.gz"), HOW(0)), 2);
    int input = open(files_write("t.csv", "a,b,y\n1,2,3\n4,5,6\n"), O_RDONLY);
    ck_assert_int_eq(dup2(input, STDIN_FILENO), STDIN_FILENO);
    reading r = read_file("-", HOW(0));
    ck_assert_str_eq(r.table->title, "standard input");
    ck_assert_str_eq(r.table->raw_sha256, "");
    assert_counting(r, 2);
    close(input);
}
END_TEST

START_TEST(other_files_are_refused_by_what_they_are) {
    bnn_table *t;
    refused("PK\3\4 and so on", HOW(0), "t.csv: is a zip archive, such as a workbook of Excel or arrays of NumPy: save it as CSV first");
    refused("\x89HDF\r\n", HOW(0), "t.csv: is an HDF5 file, not a text");
    refused("{\"a\": 1}\n", HOW(0), "t.csv: is JSON: write it as CSV first");
    refused("[{\"a\": 1}]\n", HOW(0), "t.csv: is JSON: write it as CSV first");
    refused("[\n  {\n    \"a\": 1\n  }\n]\n", HOW(0), "t.csv: is JSON: write it as CSV first");
    refused("\xEF\xBB\xBF\n<Table border=1><tr>\n", HOW(0), "t.csv: is a page of HTML: save its table as CSV first");
    refused("\x89PNG\r\n\x1a\n", HOW(0), "t.csv: is a picture: name the folder that it is in");
    refused("\xFF\xD8\xFF\xE0", HOW(0), "t.csv: is a picture: name the folder that it is in");
    refused("@relation x\n@data\n1,2\n", HOW(0), "t.csv: is an ARFF file of Weka: write it as CSV first");
    refused("\x93NUMPY\1", HOW(0), "t.csv: is an array of NumPy: write it by numpy.savetxt first");
    refused("\x80\4\x95", HOW(0), "t.csv: is a pickle of Python: write its table as CSV first");
    refused("RDX3\nX\n", HOW(0), "t.csv: is a file of R: write its table by write.csv first");
    refused("MATLAB 5.0 MAT-file, Platform\n", HOW(0), "t.csv: is a file of MATLAB: write its table by writetable or csvwrite first");
    refused("$FL2@(#) SPSS\n", HOW(0), "t.csv: is a file of SPSS: save it as CSV first");
    refused("<stata_dta><header>\n", HOW(0), "t.csv: is a file of Stata: write it by export delimited first");
    REFUSED(bnn_import_csv(files_write_bytes("t.csv", "\0\0\x08\3\0\0", 6), &HOW(0), NULL, &t),
            "t.csv: is an IDX file: `bnn import idx` reads it, with the file of its labels");
    refused("<!DOCTYPE html>\n<table>\n", HOW(0), "t.csv: is a page of HTML: save its table as CSV first");
    gzFile gz = gzopen(files_path("t.csv.gz"), "wb");
    for (int i = 0; i < 2000; i++) gzprintf(gz, "%d,%d\n", i, i * i);
    gzclose(gz);
    ck_assert_int_eq(truncate(files_path("t.csv.gz"), 500), 0);
    ck_assert_int_lt(bnn_import_csv(files_path("t.csv.gz"), NULL, NULL, &t), 0);
    files_remove();
}
END_TEST

/* ---- layout ---- */

START_TEST(layouts_of_programs_are_read) {
    static const struct {
        const char *text;
        bnn_csv_options how;
        const char *remark;
    } cases[] = {
        {"sep=;\na;b;y\n1;2;3\n4;5;6\n", {0}, ""},
        {"sep=,\r\na,b,y\r\n1,2,3\r\n4,5,6\r\n", {0}, ""},
        {"\"sep=;\"\na;b;y\n1;2;3\n4;5;6\n", {0}, ""},
        {"a|b|y\n1|2|3\n4|5|6\n", {0}, "delimiter: delimiter: '|' (guessed)\n"},
        {"a b y\n\"r 1\" 1 2 3\n\"r 2\" 4 5 6\n", {0}, "row_names: "},
        {"a,b,y\nr1,1,2,3\nr2,4,5,6\n", {0}, "row_names: "},
        {"a,b,y,\n1,2,3,\n4,5,6,\n", {0}, "trailing_delimiter: "},
        {"a,b,y\n1,2,3,\n4,5,6,\n", {0}, "trailing_delimiter: "},
        {"a,b,y\n1,2,3\n4,5,6\n,,\n,,\n", {0}, "blank_rows: blank rows: 2 left out\n"},
        {"# made by x\n# y\na,b,y\n1,2,3\n# Adaptation, ended\n4,5,6\n", {0}, "comments: comments: 3 lines that begin with '#' left out\n"},
        {"a,b,y\n1,2,3\n// no\n4,5,6\n", {.comment = "//"}, "comments: comments: 1 line that begins with '//' left out\n"},
        {"2019,2020,2021\n1,2,3\n4,5,6\n", {0}, "!header_of_numbers: "},
        {"1,2,3\n4,5,6\n", {0}, "header: header: none"},
        {"\"a\",\"b\",\"y\"\n\" 1\",\" 2 \",\"3\"\n4,5,\" 6\"\n", {0}, "header: header: the first line names the columns (guessed)\n"},
        {"a,b;,y\n1,2,3\n4,5,6\n", {0}, "delimiter: delimiter: ',' (guessed)\n"},
        {"1/2/3\n4/5/6\n", {.delimiter = '/', .header = BNN_HEADER_NO}, ""},
        {"a;b;y\n1,0;2;3,0\n4;5,0;6\n", {.decimal = ','}, "marked_numbers: marks: 1 number of column 'a'"},
        {"1,0;2,0;3,0\n4,0;5,0;6,0\n", {.decimal = ','}, "delimiter: delimiter: ';' (guessed)\n"},
        {"\"a\",\"b\",\"y\"\n\"1,0\",\"2\",\"3,0\"\n4,5,6\n", {.decimal = ','}, "delimiter: delimiter: ',' (guessed)\n"},
        {"a,b,y\n\"1,0\",2,\"3,0\"\n4,\"5,0\",6\n", {.decimal = ','}, "delimiter: delimiter: ',' (guessed)\n"},
        {"a,b,y\n1,2,3\n4,5,6\n\x1A", {0}, "delimiter: delimiter: ',' (guessed)\n"},
        {"a b y\n1,0 2,0 3,0\n4,0 5,0 6\n", {.decimal = ','}, "delimiter: delimiter: blanks (guessed)\n"},
        {"a\u00A0,b,y\n1,2\u00A0,3\n4,5,6\n", {0}, ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bnn_csv_options how = cases[i].how;
        how.size = sizeof how;
        reading r = read_text(cases[i].text, how);
        says(r, cases[i].remark);
        assert_counting(r, 2);
    }
}
END_TEST

START_TEST(a_header_of_numbers_is_the_word_of_the_caller) {
    reading r = read_text("2019,2020\n.5,.25\n", HOW(.header = BNN_HEADER_NO));
    ck_assert_int_eq(r.table->n, 2);
    done(r);
    r = read_text("0,1,2\n.5,.25,1\n", HOW(0)); /* of pandas */
    ck_assert_int_eq(r.table->n, 1);
    ck_assert_str_eq(r.table->y_names[0], "2");
    done(r);
    r = read_text("400,410,420,430\n.5,.25,1,2\n", HOW(0)); /* wavelengths */
    ck_assert_int_eq(r.table->n, 1);
    done(r);
    r = read_text("1,2,3\n1.5,2.5,4\n2,3,5\n4,5,7.5\n", HOW(.header = BNN_HEADER_NO));
    ck_assert_int_eq(r.table->n, 4);
    done(r);
    r = read_text("4,5,6\n1.5,2.5,4\n", HOW(0)); /* too few to be sure */
    ck_assert_int_eq(r.table->n, 2);
    done(r);
    r = read_text("1,2\n1.5,2.5\n2,3\n", HOW(0)); /* a grid */
    ck_assert_int_eq(r.table->n, 3);
    done(r);
}
END_TEST

START_TEST(ragged_rows_are_refused) {
    refused("Report of 2020,,,\n,,,\na,b,c,y\n1,2,3,4\n5,6,7,8\n", HOW(0),
            "t.csv: line 1 holds nothing but 'Report of 2020': if it is a title, take it away, else say --header yes or no");
    refused("My table\na,b,y\n1,2,3\n", HOW(0),
            "t.csv: line 2 has 1 field, the lines before have 2; if the first line is a title, take it away");
    refused("a,b,y\n1,2,3\n# note\n4,5,6\n", HOW(0),
            "t.csv: line 3 has 1 field, the lines before have 3; if lines that begin with '#' are comments, say --comment '#'");
    refused("a,b,y\n1,2,3\n4,5,6,7\n", HOW(0), "t.csv: line 3 has 4 fields, the lines before have 3");
    refused("a,b\n1,2,3\n", HOW(.header = BNN_HEADER_NO),
            "t.csv: line 2 has 3 fields, the lines before have 2; if the first line is a title, take it away");
}
END_TEST

START_TEST(names_are_told_apart) {
    reading r = read_text("a,a,a.2,y\n1,2,3,4\n2,1,0,9\n", HOW(0));
    says(r, "!same_name: columns 1 and 2 have the same name 'a'");
    ck_assert_str_ne(r.table->x_names[1], r.table->x_names[2]);
    done(r);
    refused("a,y,y\n1,2,3\n", HOW(0),
            "t.csv: columns 2 and 3 are both called 'y': name one by its number, and leave the other out by --drop");
    refused("a,y,y\n1,2,3\n", HOW(.targets = "y"),
            "t.csv: columns 2 and 3 are both called 'y': name one by its number, and leave the other out by --drop");
    r = read_text("a,y,y\n1,2,3\n", HOW(.targets = "3", .drop = "2"));
    ck_assert_double_eq(r.table->y[0], 3);
    done(r);
    r = read_text("a,\"y, \"\"z\"\"\",b\n1,2,3\n", HOW(.targets = "y, \"z\"")); /* one name, commas and all */
    ck_assert_double_eq(r.table->y[0], 2);
    done(r);
    r = read_text("a,\"y, \"\"z\"\"\",b\n1,2,3\n", HOW(.targets = "b,\"y, \"\"z\"\"\""));
    ck_assert_double_eq(r.table->y[1], 2);
    done(r);
}
END_TEST

/* ---- sparse rows ---- */

START_TEST(rows_of_libsvm_are_read) {
    reading r = read_text("# made by x\n+1 1:0.5 3:7 # first\n\n-1 2:1e1\n2 \n", HOW(0));
    says(r, "libsvm: format: rows of libsvm");
    ck_assert_int_eq(r.table->n, 3);
    ck_assert_int_eq(bnn_shape_size(r.table->x_shape), 3);
    const double x[] = {.5, 0, 7, 0, 10, 0, 0, 0, 0}, y[] = {1, -1, 2};
    for (int i = 0; i < 9; i++) ck_assert_double_eq(r.table->x[i], x[i]);
    for (int i = 0; i < 3; i++) ck_assert_double_eq(r.table->y[i], y[i]);
    ck_assert_str_eq(r.table->x_names[2], "x3");
    done(r);
    r = read_text("-1 0:2 5:1\n+1 5:3\n", HOW(.classes = true)); /* counted from 0, the last line without an end */
    ck_assert_int_eq(bnn_shape_size(r.table->x_shape), 6);
    ck_assert_str_eq(r.table->class_names[0], "-1");
    done(r);
    refused("1 1:2\nx 1:2\n", HOW(0), "t.csv: line 2: the label 'x' is not a number");
    refused("1 1:2\n1 1:a\n", HOW(0), "t.csv: line 2: '1:a' is no index:value");
    refused("1 1:2\n1 qid:1\n", HOW(0), "t.csv: line 2: 'qid:1' is the query of a ranking, which is not read: take it away");
    refused("1 qid:1 1:2\n1 qid:1 1:3\n", HOW(0), "t.csv: line 1: 'qid:1' is the query of a ranking, which is not read: take it away");
    refused("1 1:2 2:inf\n1 2:1\n", HOW(0), "t.csv: line 1: '2:inf' is no index:value");
    refused("yes 1:2 2:1\nno 2:1\n", HOW(0), "t.csv: line 1: the label 'yes' is not a number");
    refused("1 1:2\n1 2:1 2:3\n", HOW(0), "t.csv: line 2: index 2 stands behind 2: indices are to grow");
    r = read_text("a b\n1 2:3\n4 5:6\n", HOW(.targets = "a")); /* texts with a colon */
    is_silent(r, "libsvm");
    done(r);
    r = read_text("1 2:3\n4 5:6\n", HOW(.targets = "1", .format = BNN_TEXT_CSV)); /* the word of the caller */
    is_silent(r, "libsvm");
    ck_assert_str_eq(r.table->x_names[0], "column2=2:3");
    done(r);
    r = read_text("7\n8 1:2\n9\n", HOW(.format = BNN_TEXT_LIBSVM)); /* begins with no row that it could be told by */
    is_silent(r, "libsvm");
    ck_assert_int_eq(r.table->n, 3);
    ck_assert_double_eq(r.table->x[1], 2);
    done(r);
    refused("a,b\n1,2\n", HOW(.format = BNN_TEXT_LIBSVM), "t.csv: line 1: the label 'a,b' is not a number");
    refused("# nothing\n", HOW(.format = BNN_TEXT_LIBSVM), "t.csv: holds no data");
    refused("1 1:2\n", HOW(.format = BNN_TEXT_LIBSVM, .delimiter = ' '),
            "format: rows of libsvm have no delimiter, header, comment or "
            "decimal mark to choose");
}
END_TEST

/* ---- numbers ---- */

START_TEST(numbers_are_read_exactly) {
    static const char *const texts[] = {"+5",
                                        ".5",
                                        "5.",
                                        "-0",
                                        "1e3",
                                        "-2E-2",
                                        "0.1",
                                        "123456789012345678901234567890",
                                        "9007199254740993",
                                        "1e22",
                                        "1e23",
                                        "4.9e-324",
                                        "1.7976931348623157e308",
                                        "0.30000000000000004",
                                        "1E+05",
                                        "00012",
                                        "3.14159265358979323846",
                                        "8.5e-23",
                                        "60740051180751.846"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char text[128];
        snprintf(text, sizeof text, "a,y\n%s,1\n", texts[i]);
        reading r = read_text(text, HOW(0));
        ck_assert_double_eq(r.table->x[0], strtod(texts[i], NULL));
        done(r);
    }
}
END_TEST

START_TEST(marks_are_read_where_they_are_asked_for) {
    static const struct {
        const char *text;
        char decimal, thousands;
        double first, second;
    } cases[] = {{"a;y\n1,234;1\n1,000,000.5;2\n", 0, ',', 1234, 1000000.5},
                 {"a;y\n1.234,5;1\n-2,5;2\n", ',', '.', 1234.5, -2.5},
                 {"a;y\n1 234;1\n1\u00A0234\u202F567;2\n", 0, ' ', 1234, 1234567},
                 {"a;y\n1'234.5;1\n12;2\n", 0, '\'', 1234.5, 12},
                 {"a;y\n0,5e3;1\n,25;2\n", ',', 0, 500, .25}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        reading r = read_text(cases[i].text, HOW(.decimal = cases[i].decimal, .thousands = cases[i].thousands, .delimiter = ';'));
        ck_assert_double_eq(r.table->x[0], cases[i].first);
        ck_assert_double_eq(r.table->x[1], cases[i].second);
        says(r, "marked_numbers: ");
        done(r);
    }
    refused("a;y\n1;2\n", HOW(.delimiter = '"'), "delimiter: '\"' cannot end a field");
    refused("a;y\n1;2\n", HOW(.decimal = ';'), "decimal: ';' is neither . nor ,");
    refused("a;y\n1;2\n", HOW(.thousands = '.'), "thousands: '.' cannot stand between thousands");
    refused("a;y\n1;2\n", HOW(.decimal = ',', .thousands = '0'), "thousands: '0' cannot stand between thousands");
    refused("a;y\n1,23;1\n2;2\n", HOW(.thousands = ','), "t.csv: row 1, column 'a': '1,23' is 1.23 with --decimal ,");
    refused("a;y\n1.5;1\n2,5;2\n", HOW(.decimal = ','),
            "t.csv: row 1, column 'a': '1.5' has a decimal point, but numbers are to have a decimal comma: --decimal . reads it");
}
END_TEST

static const struct {
    const char *first, *second, *sentence;
} marked[] = {{"1,234", "2,345", "'1,234' is no number as it stands: with --thousands , it is 1234, with --decimal , it is 1.234"},
              {"1,234", "0,5", "row 2"},
              {"0,17", "2,3", "'0,17' is 0.17 with --decimal ,"},
              {"1.234,5", "2,3", "'1.234,5' is 1234.5 with --decimal , --thousands ."},
              {"1.234.567", "2,3", "'1.234.567' is 1234567 with --decimal , --thousands ."},
              {"1 234", "2", "'1 234' is 1234 with --thousands ' '"},
              {"12%", "15%", "'12%' is a percentage"},
              {"=\"012\"", "=A1+2", "'=\"012\"' is a formula"},
              {"5\u00B11", "6 +/- 2", "'5\u00B11' is a number with its error"},
              {"48\u00B051\u2032N", "49\u00B0N", "is a number in parts"},
              {"5'11\"", "6'2\"", "'5'11\"' is a number in parts"},
              {"PT1H30M", "P2DT5S", "'PT1H30M' is a date or a time"},
              {"$12", "$1,300.50", "'$12' has a mark of currency"},
              {"12 \u20AC", "13 \u20AC", "has a mark of currency"},
              {"1.0D+02", "7.0D-01", "'1.0D+02' has an exponent of Fortran, which is no number here: write E for D"},
              {"12 kg", "13 kg", "'12 kg' is a number with a unit"},
              {"12kg", "500g", "'12kg' is a number with a unit"},
              {"(12)", "13", "'(12)' is a number in brackets"},
              {"($1,300.00)", "$1,250.00", "'($1,300.00)' is a number in brackets"},
              {"R$ 1.250,00", "R$ 13", "has a mark of currency"},
              {"12 kr", "13 kr", "has a mark of currency"},
              {"'12'", "'1.5'", "''12'' is a number in single quotes: take them away"},
              {"\u221212", "13", "has another minus"},
              {"\u2212$12", "$13", "has another minus"},
              {"0x1F", "0x2F", "'0x1F' is a hexadecimal number"},
              {"2020-01-31", "2020-02-01",
               "'2020-01-31' is a date or a time: leave the column out (--drop), carry it through (--id), or split it into numbers"},
              {"31.1.2020", "1.2.2020", "is a date or a time"},
              {"1/31/20", "2/1/20", "is a date or a time"},
              {"2020-01", "2020-02", "is a date or a time"},
              {"2020-01-31T10:00:00+01:00", "2020-02-01T10:00:00Z", "is a date or a time"},
              {"9:30", "10:15:30.5", "is a date or a time"},
              {"9:30 pm", "10:15 AM", "is a date or a time"},
              {"Jan 31 2020", "Feb 1 2020", "is a date or a time"},
              {"5. Januar 2020", "6. M\u00E4rz 2020", "is a date or a time"},
              {"31-Jan-20", "01-Feb-20", "is a date or a time"},
              {"3 f\u00E9vrier 2021", "14 ao\u00FBt 2019", "is a date or a time"},
              {"31 de enero de 2020", "1 de mayo de 2020, 9:30", "is a date or a time"},
              {"31 \u044F\u043D\u0432\u0430\u0440\u044F 2020", "1 \u043C\u0430\u044F 2020 \u0433.", "is a date or a time"},
              {"2020\u5E741\u670831\u65E5", "2021\u5E742\u67083\u65E5", "is a date or a time"},
              {"20200131T120000Z", "20200201T0930", "is a date or a time"},
              {"2020-W05", "2020W06", "is a date or a time"},
              {"2020-Q1", "Q2 2021", "is a date or a time"},
              {"2020-01-31 12:00 CET", "2020-01-31 12:00 +2", "is a date or a time"},
              {"9 am", "5:45 p.m.", "is a date or a time"},
              {"1h30m", "2 h 5 min", "is a date or a time"},
              {"1,23,456.5", "12,34,567.0", "'1,23,456.5' is 123456.5 with --thousands ,"},
              {"1\u2009234.5", "12\u2009345.0", "is 1234.5 with --thousands ' '"},
              {"\u0661\u0662", "\u0663,\u0664", "is a number in other digits than 0 to 9"},
              {"\uFF11\uFF12.\uFF15", "-\uFF13", "is a number in other digits than 0 to 9"}};

START_TEST(numbers_with_marks_are_refused_with_the_way_out) {
    for (size_t i = 0; i < sizeof marked / sizeof *marked; i++)
        for (int target = 0; target < 2; target++) {
            char text[200];
            bnn_table *t;
            snprintf(text, sizeof text, target ? "a;y\n1;%s\n2;%s\n" : "a;y\n%s;1\n%s;2\n", marked[i].first, marked[i].second);
            ck_assert_int_lt(bnn_import_csv(files_write("t.csv", text), &HOW(.delimiter = ';'), NULL, &t), 0);
            ck_assert_msg(strstr(bnn_error(), target ? ", column 'y': '" : ", column 'a': '") && strstr(bnn_error(), marked[i].sentence),
                          "%s", bnn_error());
            files_remove();
        }
}
END_TEST

START_TEST(a_mark_among_numbers_is_refused) {
    refused("a,y\n1,1\n2,2\n3,3\n12%,4\n", HOW(0),
            "t.csv: row 4, column 'a': '12%' is a percentage, which is no number here: take the % away, or leave the column out (--drop)");
    refused("a,y\ncm,s\n2,2\n3,3\n5,4\n", HOW(0),
            "t.csv: row 1, column 'a': 'cm' is not a number; if its line is one more header, such as that of units, take it away");
    refused("a,y\n1,1\n2,2\n3,3\n5o,4\n", HOW(0), "t.csv: row 4, column 'a': '5o' is not a number");
    refused("a,y\n1,1\n2,2\n3,3\nlow,4\nhigh,4\n", HOW(0),
            "t.csv: row 4, column 'a': 'low' is not a number; if the column holds categories, name it in --levels");
    refused("a,y\n1,1\n2,2\n3,3\n4,low\n5,high\n", HOW(0),
            "t.csv: row 4, column 'y': 'low' is not a number; if the column holds classes, say --classes");
    refused("a,y\n1,1\n2,2\n3,3\n-,4\n", HOW(0),
            "t.csv: row 4, column 'a': '-' is not a number; if it stands for a missing value, say --na -");
    refused("a,y\n1,1\n2,2\n3,3\n\\N,4\n", HOW(0),
            "t.csv: row 4, column 'a': '\\N' is not a number; if it stands for a missing value, say --na \\N");
    refused("a,y\n1,1\n2,2\n3,3\n<0.5,4\n", HOW(0),
            "t.csv: row 4, column 'a': '<0.5' is a bound, which is no number here: put a value in its place, or say --na for what is not "
            "known");
    refused("# made\na,y\n1,1\n\n2,2\n3,x\n", HOW(0), "t.csv: row 3 (line 6), column 'y': 'x' is not a number");
}
END_TEST

START_TEST(words_stay_categories) {
    static const char *const words[][2] = {{"10-19", "20-29"},
                                           {"1st", "2nd"},
                                           {"4A", "5B"},
                                           {"1/2", "3/4"},
                                           {"V8", "V6"},
                                           {"1.10.2x", "2"},
                                           {"<5", ">5"},
                                           {"Jan", "Feb"},
                                           {"Mon", "Tue"},
                                           {"-", "x"},
                                           {"100k+", "5"},
                                           {"3 x 4", "5"},
                                           {"may", "must"},

                                           {"2020-031", "2020-032"},
                                           {"12 rue Haute 1000 X", "3 rue 2020 Y"},
                                           {"Q1", "Q2"},
                                           {"32 de x 2020", "2"},
                                           {"7 up 3000", "2"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        char text[100];
        snprintf(text, sizeof text, "a,y\n%s,1\n%s,2.5\n", words[i][0], words[i][1]);
        reading r = read_text(text, HOW(0));
        says(r, "categories: categories: 'a' holds 2: ");
        done(r);
    }
    reading r = read_text("a,y\n1,12%\n2,15%\n", HOW(.classes = true)); /* asked for */
    ck_assert_int_eq(r.table->n_classes, 2);
    done(r);
}
END_TEST

/* ---- roles and missing values ---- */

START_TEST(ids_and_weights_are_no_features) {
    reading r = read_text("id,w,a,y\nx1,1,5,3\nx2,0.5,6,4\n", HOW(.id = "id", .weight = "w"));
    ck_assert_int_eq(bnn_shape_size(r.table->x_shape), 1);
    ck_assert_int_eq(r.table->n_ids, 1);
    ck_assert_str_eq(r.table->id_names[0], "id");
    ck_assert_str_eq(r.table->ids[1], "x2");
    ck_assert_double_eq(r.table->weight[1], .5);
    is_silent(r, "repeated_id");
    done(r);
    r = read_text("id,a,y\nx1,5,3\nx2,5.5,4\nx1,6,4\n", HOW(.id = "id"));
    says(r, "repeated_id: ids: column 'id' names several rows alike, the first of them 'x1' in row 3\n");
    done(r);
    refused("w,a,y\n1,1,2\n-1,2,3\n", HOW(.weight = "w"), "t.csv: row 2, column 'w': '-1' is no weight, which is 0 or more");
    refused("w,a,y\n1,1,2\nx,2,3\n", HOW(.weight = "w"), "t.csv: row 2, column 'w': 'x' is not a number");
    refused("w,a,y\n0,1,2\n0,2,3\n", HOW(.weight = "w"), "t.csv: column 'w': every weight is 0");
    refused("a,b,y\n1,1,2\n", HOW(.id = "a", .drop = "a"), "t.csv: column 'a' is named twice: among left-out and id columns");
}
END_TEST

START_TEST(missing_values_are_refused_left_out_or_told) {
    static const char text[] = "a,c,y\n1,red,1\nNA,blue,2\n3,,4\nn/a,red,5\n";
    refused(
        text, HOW(0),
        "t.csv: row 2, column 'a': value is missing (NA): its row can be left out (--missing drop) or the mean put there (--missing mean)");
    reading r = read_text(text, HOW(.missing = BNN_MISSING_DROP));
    says(r, "rows_left_out: rows left out: 3 of 4, for a missing value\n");
    ck_assert_int_eq(r.table->n, 1);
    ck_assert_int_eq(bnn_shape_size(r.table->x_shape), 2);
    done(r);
    r = read_text(text, HOW(.missing = BNN_MISSING_MEAN));
    ck_assert_int_eq(bnn_shape_size(r.table->x_shape), 5);
    const double expected[] = {1, 0, 0, 1, 0, 2, 1, 1, 0, 0, 3, 0, 0, 0, 1, 2, 1, 0, 1, 0};
    for (int i = 0; i < 20; i++) ck_assert_double_eq(r.table->x[i], expected[i]);
    ck_assert_str_eq(r.table->x_names[1], "a=missing");
    ck_assert_str_eq(r.table->x_names[4], "c=missing");
    done(r);
    r = read_text("a,y\n1,1\n-9,2\nnone,3\n4,4\n", HOW(.na = "-9,none", .missing = BNN_MISSING_DROP));
    ck_assert_int_eq(r.table->n, 2);
    done(r);
    r = read_text("a,b,y\n1,5,1.5\n2,5,7\n4,6,?\n", HOW(.missing = BNN_MISSING_DROP));
    says(r, "!constant: constant columns, of which nothing can be learned: b"); /* in the rows that are left */
    done(r);
    r = read_text("a,y\n1,1\n-999,2\n4,4\n", HOW(.na = "-999", .missing = BNN_MISSING_MEAN));
    const double told[] = {1, 0, 2.5, 1, 4, 0};
    for (int i = 0; i < 6; i++) ck_assert_double_eq(r.table->x[i], told[i]);
    done(r);
    refused("a,y\n1,1\n2,\n", HOW(.missing = BNN_MISSING_MEAN),
            "t.csv: row 2, column 'y': value is missing: its row can be left out (--missing drop)");
    refused("a,b,y\n1,,1\n2,,2\n", HOW(.missing = BNN_MISSING_MEAN), "t.csv: column 'b' has no values: leave it out (--drop)");
    refused("a,b,y\n1,,1\n,2,2\n", HOW(.missing = BNN_MISSING_DROP), "t.csv: a value is missing in every row");
}
END_TEST

START_TEST(units_stand_behind_names) {
    reading r = read_text("area [m2],speed (km/h),n,y (),k [1]\n1.5,2,x,4,z\n2,3,w,9,z\n", HOW(.targets = "4", .drop = "k [1]"));
    const bnn_schema *s = r.table->schema;
    ck_assert_int_eq(s->n, 4);
    ck_assert_str_eq(s->column[0].unit, "m2");
    ck_assert_str_eq(s->column[1].unit, "km/h");
    ck_assert_ptr_null(s->column[2].unit);
    ck_assert_ptr_null(s->column[3].unit);
    done(r);
}
END_TEST

/* ---- what is said ---- */

START_TEST(what_looks_wrong_is_said) {
    static const struct {
        const char *text, *remark;
    } cases[] = {{",a,y\n0,.5,3\n1,.7,4\n2,.1,9\n", "!looks_like_index: column 'column1' looks like an index"},
                 {"id,a,y\n7,.5,3\n3,.7,4\n9,.1,9\n", "!looks_like_index: column 'id'"},
                 {"k,y\n3,1\n1,2\n2,4\n4,5\n6,7\n5,8\n7,9\n10,1\n9,3\n8,4\n", "!looks_like_index: column 'k'"},
                 {"d,a,y\n20200131,1,2\n20200201,7,4\n", "!looks_like_date: column 'd' looks like dates, such as 20200131"},
                 {"d,a,y\n202001,1,2\n202112,7,4\n", "!looks_like_date: column 'd' looks like dates, such as 202001"},
                 {"d,a,y\n1580428800,1,2\n1580515200,7,4\n", "!looks_like_date: column 'd' looks like times in seconds since 1970"},
                 {"d,a,y\n1580428800123,1,2\n1580515200456,7,4\n", "!looks_like_date: column 'd' looks like times in milliseconds"},
                 {"a,y\n1.5,2\n-999,7\n0,3\n-999,4\n", "!looks_missing: column 'a' holds -999 beside numbers from 0 on: if it stands for a "
                                                       "missing value, say --na -999\n"},
                 {"a,y\n1,-99\n3,7.5\n0.5,3\n", "!looks_missing: column 'y' holds -99 beside numbers from 3 on"},
                 {"a,b,c,y\n1,5,x,2\n3,5,x,4\n", "!constant: constant columns, of which nothing can be learned: b, c"},
                 {"a,b,y\n1,1.0,3\n7,7.0,4\n3,3.0,9\n", "!duplicate_columns: columns that hold the same values: 'a' and 'b'"},
                 {"a,y\n.1,1\n.2,0\n.7,1\n.6,0\n", "!few_values: the target 'y' holds only the whole numbers 0, 1"},
                 {"a,y\n.1,yes\n.2,\"Yes \"\n.7,no\n", "!levels_differ_in_case: column 'y': 'Yes' and 'yes'"},
                 {"a,y\n1,5\n7,5\n3,5\n", "!constant_target: the target 'y' is constant"},
                 {"a,y\n1,5\n", "!one_row: the table has one row"},
                 {"a,b,c,y\n1,5,2,3\n7,3,3,4\n", "!few_rows: the table has 2 rows, fewer than its 3 features"},
                 {"n,y\na,1\nb,2\nc,3\nd,4\ne,5\nf,6\ng,7\nh,8\ni,9\nj,10\n", "!looks_like_id: column 'n' looks like a name or an id"},
                 {"a,n\n0,a\n1,b\n2,c\n3,d\n4,e\n5,f\n6,g\n7,h\n8,i\n9,i\n",
                  "!many_classes: the target 'n' has 9 classes in 10 rows: too few of each to learn from\n"},
                 {"a,y\n1,5\ntwo,7\n3,8\n2,9\nfour,1\nsix,2\n",
                  "!numbers_among_texts: column 'a' holds 3 numbers among texts such as 'two': all are categories\n"},
                 {"a,y\n.1,yes\n.2,no\n", "classes: classes: 'y' holds 2: no, yes\n"},
                 {"a,y\n1,5\n7,8\n", "target: target: 'y', the last column (guessed)\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        reading r = read_text(cases[i].text, HOW(0));
        says(r, cases[i].remark);
        done(r);
    }
}
END_TEST

START_TEST(codes_that_lose_digits_are_said) {
    static const char text[] = "zip,account,size,y\n01234,90071992547409931,100000000000000000000,.5\n90210,1,3,1.5\n00501,2,1,2.5\n";
    reading r = read_text(text, HOW(0));
    says(r,
         "!looks_like_code: column 'zip' holds codes such as '01234', which is read as the number 1234: make categories of it (--levels), "
         "leave it out (--drop) or carry it through (--id)\n");
    says(r, "!looks_like_code: column 'account' holds codes such as '90071992547409931', which is read as the number 90071992547409936");
    is_silent(r, "'size'"); /* 10^20 is a double */
    done(r);
    r = read_text("k,y\n90071992547409931,1\n90071992547409932,2\n90071992547409933,4\n", HOW(0));
    says(r, "!looks_like_code: column 'k' holds codes such as '90071992547409931'");
    is_silent(r, "looks_like_index");
    is_silent(r, "constant");
    done(r);
    r = read_text(text, HOW(.id = "account", .levels = "zip"));
    is_silent(r, "looks_like_code");
    says(r, "categories: categories: 'zip' holds 3: 00501, 01234, 90210\n");
    ck_assert_str_eq(r.table->x_names[1], "zip=01234");
    ck_assert_str_eq(r.table->ids[0], "90071992547409931");
    done(r);
    r = read_text("x,y\n1,01\n2,02\n3.5,10\n4,01\n", HOW(0));
    says(r, "!looks_like_code: the target 'y' holds codes such as '01', which is read as the number 1: for classes say --classes\n");
    done(r);
    r = read_text("x,y\n1,01\n2,02\n3.5,10\n4,01\n", HOW(.classes = true));
    is_silent(r, "looks_like_code");
    ck_assert_str_eq(r.table->class_names[0], "01");
    done(r);
    r = read_text("x,y\n0,0.5\n-0,00.5\n10,1e5\n", HOW(0));
    is_silent(r, "looks_like_code");
    done(r);
}
END_TEST

START_TEST(numbers_are_categories_if_asked) {
    reading r = read_text("a,k,y\n.5,10,1\n.25,9.0,3\n.75,10.0,2\n", HOW(.levels = "k"));
    says(r, "categories: categories: 'k' holds 2: 9, 10\n");
    ck_assert_int_eq(bnn_shape_size(r.table->x_shape), 3);
    ck_assert_double_eq(r.table->x[2], 1);
    ck_assert_double_eq(r.table->x[4], 1);
    ck_assert_double_eq(r.table->x[8], 1);
    done(r);
    r = read_text("a,k,y\n.5,10%,1\n.25,9,3\n.75,inf,2\n", HOW(.levels = "k")); /* whatever they are */
    ck_assert_str_eq(r.table->x_names[3], "k=inf");
    done(r);
    refused("a,k,y\n1,2,3\n", HOW(.levels = "y"),
            "t.csv: column 'y' is no feature: levels are asked for of features, --classes of the target");
    refused("a,k,y\n1,2,3\n", HOW(.levels = "k", .id = "k"), "t.csv: column 'k' is no feature: levels are asked for of features");
    refused("a,k,y\n1,2,3\n", HOW(.levels = "z"), "t.csv: has no column 'z': there are a, k, y");
}
END_TEST

START_TEST(what_is_right_is_not_doubted) {
    reading years = read_text("d,k,y\n2019,190013,1.5\n2020,-999,3\n2022,-1,-99\n2023,7,-98\n", HOW(0));
    is_silent(years, "!");
    done(years);
    reading r = read_text("a,b,y\n.5,7,1.25\n.25,7.5,3\n.75,8,2\n.1,7,9\n", HOW(0));
    is_silent(r, "!");
    done(r);
    r = read_text("a,b,y\n.5,7,0\n.25,7.5,1\n.75,8,0\n.1,7,1\n", HOW(.classes = true));
    is_silent(r, "!");
    done(r);
}
END_TEST

START_TEST(a_target_among_the_features_is_refused) {
    refused("a,b,y\n1,7,7\n3,8,8.0\n5,5,5\n", HOW(0),
            "t.csv: the target is among the features: columns 'b' and 'y' hold the same values: leave one out (--drop)");
    refused("a,b,y\n1,x,x\n3,z,z\n5,x,x\n", HOW(0),
            "t.csv: the target is among the features: columns 'b' and 'y' hold the same values: leave one out (--drop)");
}
END_TEST

int main(void) {
    return run_tests("sheet", (const TTest *const[]){lines_end_in_any_way,
                                                     utf16_is_read,
                                                     latin_1_is_read,
                                                     gzip_and_standard_input_are_read,
                                                     other_files_are_refused_by_what_they_are,
                                                     layouts_of_programs_are_read,
                                                     a_header_of_numbers_is_the_word_of_the_caller,
                                                     ragged_rows_are_refused,
                                                     names_are_told_apart,
                                                     rows_of_libsvm_are_read,
                                                     numbers_are_read_exactly,
                                                     marks_are_read_where_they_are_asked_for,
                                                     numbers_with_marks_are_refused_with_the_way_out,
                                                     a_mark_among_numbers_is_refused,
                                                     words_stay_categories,
                                                     ids_and_weights_are_no_features,
                                                     missing_values_are_refused_left_out_or_told,
                                                     units_stand_behind_names,
                                                     what_looks_wrong_is_said,
                                                     codes_that_lose_digits_are_said,
                                                     numbers_are_categories_if_asked,
                                                     what_is_right_is_not_doubted,
                                                     a_target_among_the_features_is_refused,
                                                     NULL});
}
