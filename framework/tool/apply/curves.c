/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool/apply/curves.h"

#include "tool/report/report.h"
#include "tool/tool.h"

#include <stdio.h>
#include <stdlib.h>

static bnn_status draw(const tool_curve *c, FILE *html) {
    const report_frame frame = {.id = c->name, .x = c->x, .y = c->name, .alt = c->name, .from_zero = c->from_zero};
    report_plot plot;
    BNN_TRY(report_plot_open(&plot));
    report_plot_curve(&plot, 0, 0, REPORT_LINE, "");
    for (int i = 0; i < c->n; i++) report_plot_point(&plot, c->at[i], c->value[i], 0);
    bnn_status s = report_plot_empty(&plot) ? BNN_OK : report_plot_draw(&plot, &frame, html);
    report_plot_close(&plot);
    return s;
}

bnn_status tool_curves_page(const char *title, const char *heading, int n, const tool_curve *curve, const char *path) {
    char *text = NULL;
    size_t size = 0;
    bnn_status s = BNN_OK;
    FILE *html = bnn_text_open(&text, &size);
    if (!html) return bnn_fail(BNN_ERR_MEMORY, "out of memory");
    fprintf(html, "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>%s</title>\n<h1>", title);
    report_text(html, heading);
    fputs("</h1>\n", html);
    for (int k = 0; s == BNN_OK && k < n; k++) {
        fprintf(html, "<h2>%s</h2>\n", curve[k].name);
        s = draw(&curve[k], html);
    }
    fputs("</html>\n", html);
    if (!bnn_text_close(html, &text) && s == BNN_OK) s = bnn_fail(BNN_ERR_MEMORY, "out of memory");
    if (s == BNN_OK) s = tool_save(text, size, path);
    free(text);
    return s;
}
