/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/word.h"
#include "report.h"
#include "maps.h"
#include "tool/tool.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    char **file;
    int n_files;
    const char *out;
} request;

static const struct argp_option options[] = {{"output", 'o', "FILE", 0, "page to write; - is standard output (default: report.html)", 0},
                                             {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
    request *r = state->input;
    switch (key) {
    case 'o': r->out = arg; return 0;
    case ARGP_KEY_ARGS:
        r->file = state->argv + state->next;
        r->n_files = state->argc - state->next;
        return 0;
    case ARGP_KEY_NO_ARGS:
        tool_misuse(state, "a file is missing: `bnn compare -o FILE.h5` and `bnn fit -o FILE.h5` write those that can be shown");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* ---------------------------------------------------------------- work */

/* A file that is shown: a comparison, a run as one, or maps of classes. */
typedef struct {
    bnn_comparison *comparison;
    bnn_maps *maps;
} shown;

static bnn_status load(const request *r, shown *of) {
    for (int i = 0; i < r->n_files; i++) {
        char schema[32];
        BNN_TRY(bnn_file_schema(r->file[i], schema));
        if (strcmp(schema, "bnn-prediction") == 0) {
            BNN_TRY(bnn_maps_load(r->file[i], &of[i].maps));
            continue;
        }
        BNN_TRY(bnn_comparison_load(r->file[i], &of[i].comparison));
        if (of[i].comparison->partial)
            return bnn_fail(BNN_ERR_STATE, "%s: was stopped before all fits were done: `bnn compare --resume` goes on with it", r->file[i]);
    }
    return BNN_OK;
}

static bnn_status write_section(FILE *html, const request *r, const shown *of, int i) {
    const int heading = r->n_files == 1 ? 1 : 2;
    if (of->maps) return report_maps(html, r->file[i], of->maps, i + 1, heading);
    report_section(html, of->comparison, i + 1, heading);
    BNN_TRY(report_pairs(html, of->comparison));
    BNN_TRY(report_figures(html, of->comparison, i + 1));
    BNN_TRY(report_rows(html, of->comparison));
    BNN_TRY(report_chains(html, of->comparison, i + 1));
    fputs("</section>\n", html);
    return BNN_OK;
}

static bnn_status write_page(FILE *html, const request *r, const shown *of) {
    const char **title = calloc((size_t)r->n_files, sizeof *title);
    if (!title) return bnn_oom("a report");
    for (int i = 0; i < r->n_files; i++) title[i] = of[i].maps ? r->file[i] : report_title(of[i].comparison);
    report_head(html, title, r->n_files);
    free(title);
    for (int i = 0; i < r->n_files; i++) BNN_TRY(write_section(html, r, &of[i], i));
    report_foot(html);
    return BNN_OK;
}

/* A page made by bnn may go: what it was made of stays. */
static bnn_status is_page(const void *context, const char *path) {
    (void)context;
    char end[256] = "";
    FILE *f = fopen(path, "rb");
    size_t n = f && fseek(f, -(long)(sizeof end - 1), SEEK_END) == 0 ? fread(end, 1, sizeof end - 1, f) : 0;
    if (f) fclose(f);
    end[n] = '\0';
    return strstr(end, REPORT_MADE_BY) ? BNN_OK : bnn_fail(BNN_ERR_STATE, "%s: is there already, and is no page of bnn", path);
}

static bnn_status write_out(const char *page, size_t size, const char *path) {
    if (strcmp(path, "-") == 0) return fwrite(page, 1, size, stdout), BNN_OK; /* main looks whether it has arrived */
    BNN_TRY(tool_output_claim(path, NULL, is_page, NULL));
    BNN_TRY(tool_save(page, size, path));
    tool_print_wrote(path);
    return BNN_OK;
}

typedef bnn_status page_of_files(FILE *html, char *const *file, int n);

/* The page that files of the first one's kind have to themselves; NULL: they have none. */
static page_of_files *own_page(const char *path) {
    static const struct {
        const char *schema;
        page_of_files *write;
    } pages[] = {{"bnn-detection", report_detections}, {"bnn-regret", report_regrets}, {"bnn-acquisition", report_acquisitions}};
    char schema[32];
    if (bnn_file_schema(path, schema) < 0) return NULL;
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
        if (strcmp(schema, pages[i].schema) == 0) return pages[i].write;
    return NULL;
}

/* The whole page is made in memory, so that a failure writes nothing. */
static bnn_status report(const request *r, shown *of) {
    char *page = NULL;
    size_t size = 0;
    page_of_files *own = own_page(r->file[0]);
    if (!own) BNN_TRY(load(r, of));
    FILE *html = bnn_text_open(&page, &size);
    if (!html) return bnn_oom("a report");
    bnn_status s = own ? own(html, r->file, r->n_files) : write_page(html, r, of);
    if (!bnn_text_close(html, &page) && s == BNN_OK) s = bnn_oom("a report");
    if (s == BNN_OK) s = write_out(page, size, r->out);
    free(page);
    return s;
}

/* Numbers of HTML and gnuplot have a point, whatever the user's language has. */
static bnn_status report_with_points(const request *r) {
    locale_t c_numbers = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0), before = uselocale(c_numbers);
    shown *of = calloc((size_t)r->n_files, sizeof *of);
    bnn_status s = of ? report(r, of) : bnn_oom("a report");
    for (int i = 0; of && i < r->n_files; i++) bnn_comparison_free(of[i].comparison), bnn_maps_free(of[i].maps);
    free(of);
    uselocale(before);
    freelocale(c_numbers);
    return s;
}

static bnn_status check_output(const request *r) {
    if (strcmp(r->out, "-") == 0) return BNN_OK;
    for (int i = 0; i < r->n_files; i++) BNN_TRY(tool_output_apart(r->out, r->file[i], "a file to be shown"));
    BNN_TRY(tool_output_ready(r->out));
    if (!bnn_ends_with(r->out, ".html") && !bnn_ends_with(r->out, ".htm"))
        return bnn_fail(BNN_ERR_OPTION, "%s: is written as HTML, and is to be named so: FILE.html, or - for standard output", r->out);
    return BNN_OK;
}

static int run(int argc, char **argv) {
    const struct argp argp = {
        .options = options,
        .parser = parse,
        .children = tool_output_children,
        .args_doc = "FILE.h5...",
        .doc = "Writes one HTML page that shows what comparisons found: a table of scores and costs, and figures of calibration, of the "
               "predictive sd against the errors made, of the course of training and of the cost. A run with predictions is shown as a "
               "comparison of one engine. Of predicted maps of classes it shows picture, truth, prediction, aleatoric and epistemic "
               "uncertainty side by side, for the images that are least and most certain; what `bnn ood -o`, `bnn bandit -o` and "
               "`bnn acquire --scores` wrote has a page of its own.\v"
               "The page holds everything it needs, follows the light or dark setting of its reader, and can be mailed or printed. The "
               "figures are drawn by gnuplot, which must be in the PATH (`apt install gnuplot-nox`).\n\n"
               "Examples:\n"
               "  bnn compare -d boston.h5 --net 'dense:50; relu; dense' --engine map --engine mc_dropout --splits 0-4 -o cmp.h5\n"
               "  bnn report cmp.h5\n"
               "  bnn report boston.h5 concrete.h5 energy.h5 -o uci.html\n"
               "  bnn report run.h5 -o run.html\n"
               "  bnn report thompson.h5 epsilon.h5 -o regret.html\n"
               "  bnn predict maps_run.h5 -d new.h5 -o answer.h5 && bnn report answer.h5 -o answer.html"};
    request r = {.out = "report.html"};
    tool_parse(&argp, argc, argv, &r);
    if (check_output(&r) < 0 || report_with_points(&r) < 0) return tool_fail();
    return 0;
}

const command command_report = {.name = "report", .summary = "show comparisons and runs on one HTML page with figures", .run = run};
