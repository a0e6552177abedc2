/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * detection.c: the page of what `bnn ood` found: a table of measures and two figures for each file.
 */
#include "report.h"
#include "tool/tool.h"

enum { MOST_POINTS = 200 };

typedef struct {
    const char *path;
    bnn_detection *of[BNN_ROW_SCORES];
} found;

static void write_table(FILE *html, const found *f) {
    fputs("<div class=\"wide\"><table>\n<thead><tr><th scope=\"col\" class=\"who\">score</th><th scope=\"col\">auroc</th><th "
          "scope=\"col\">standard error</th><th scope=\"col\">average precision</th><th scope=\"col\">fpr at 95 "
          "%</th></tr></thead>\n<tbody>\n",
          html);
    for (int k = 0; k < BNN_ROW_SCORES; k++) {
        const bnn_detection *d = f->of[k];
        if (d)
            fprintf(html, "<tr><th scope=\"row\">%s</th><td>%.4f</td><td>%.4f</td><td>%.4f</td><td>%.4f</td></tr>\n",
                    bnn_row_score_name((bnn_row_score)k), d->auroc, d->auroc_se, d->average_precision, d->fpr_95);
    }
    fputs("</tbody>\n</table></div>\n", html);
}

/* Each curve has at most so many points, evenly spaced, its ends among them. */
static void draw(const found *f, bool precision, report_plot *plot) {
    for (int k = 0; k < BNN_ROW_SCORES; k++) {
        const bnn_detection *d = f->of[k];
        if (!d) continue;
        int n = d->n_points < MOST_POINTS ? d->n_points : MOST_POINTS;
        report_plot_curve(plot, k, 0, REPORT_LINE, bnn_row_score_name((bnn_row_score)k));
        for (int i = 0; i < n; i++) {
            int at = n > 1 ? (int)((int64_t)i * (d->n_points - 1) / (n - 1)) : 0;
            report_plot_point(plot, precision ? d->tpr[at] : d->fpr[at], precision ? d->precision[at] : d->tpr[at], 0);
        }
    }
}

static bnn_status write_figure(FILE *html, const found *f, int number, bool precision) {
    char id[32];
    snprintf(id, sizeof id, "d%d-%d", number, precision);
    const report_frame frame = {.id = id,
                                .x = precision ? "share of the rows out that are called out" : "share of the rows in that are called out",
                                .y = precision ? "share of rows out among those called out" : "share of the rows out that are called out",
                                .alt = precision ? "Precision against recall, rows out being positive."
                                                 : "Higher is better; the diagonal is chance.",
                                .diagonal = !precision,
                                .from_zero = true};
    report_plot plot;
    BNN_TRY(report_plot_open(&plot));
    draw(f, precision, &plot);
    fprintf(html, "<figure>\n<h3>%s</h3>\n", precision ? "Precision against recall" : "Receiver operating characteristic");
    bnn_status s = report_plot_draw(&plot, &frame, html);
    fprintf(html, "<figcaption>%s</figcaption>\n</figure>\n", frame.alt);
    report_plot_close(&plot);
    return s;
}

static bnn_status write_section(FILE *html, const found *f, int number) {
    int k = 0;
    while (!f->of[k]) k++; /* a file has one at least */
    fprintf(html, "<section id=\"file-%d\">\n<h2>", number);
    report_text(html, f->path);
    fprintf(html, "</h2>\n<p>%d rows out among %d rows in; larger scores say out.</p>\n", f->of[k]->n_out, f->of[k]->n_in);
    write_table(html, f);
    fputs("<div class=\"figures\">\n", html);
    BNN_TRY(write_figure(html, f, number, false));
    BNN_TRY(write_figure(html, f, number, true));
    fputs("</div>\n</section>\n", html);
    return BNN_OK;
}

static bnn_status write_detections(FILE *html, const char *path, int number) {
    found f = {.path = path};
    bnn_status s = bnn_detections_load(path, f.of);
    if (s == BNN_OK) s = write_section(html, &f, number);
    for (int k = 0; k < BNN_ROW_SCORES; k++) bnn_detection_free(f.of[k]);
    return s;
}

bnn_status report_detections(FILE *html, char *const *file, int n) {
    return report_sections(html, "Rows of another kind", file, n, write_detections);
}
