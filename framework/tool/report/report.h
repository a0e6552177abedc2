/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * report.h: the parts of `bnn report`. report.c reads the files and writes the page, page.c its words and numbers, figures.c
 * says what is drawn, plot.c has gnuplot draw it.
 */
#ifndef BNN_REPORT_H
#define BNN_REPORT_H

#include <bnn/diagnose.h>
#include <bnn/store.h>
#include <stdio.h>

/* One colour per engine, in turn; told apart by eyes without red or green cones, and at least 3:1 on their ground. Plots are drawn in the
 * light ones: the style sheet of the page puts the dark ones in their place. */
enum { REPORT_COLOURS = 8, REPORT_INK = 0x000000, REPORT_AXIS = 0x6b6b6c, REPORT_GRID = 0xe4e4e5 };
typedef struct {
    int light, dark; /* 0xRRGGBB */
} report_colour;
extern const report_colour report_colours[REPORT_COLOURS];

/* A number that every engine has once for each split. */
typedef struct {
    enum { REPORT_METRIC, REPORT_DISTANCE, REPORT_GRADIENTS, REPORT_SECONDS } of;
    size_t offset; /* of a double in bnn_metrics, or in bnn_distance */
} report_quantity;

/* Its mean over splits; *se (may be NULL) its standard error, NaN for one split. */
double report_mean(const bnn_comparison *c, int engine, report_quantity what, double *se);

/* "A" ... "Z", "A1" ...: how tables and figures call an engine. */
const char *report_letter(int engine, char letter[8]);

/* Writes text so that HTML shows it as it is. */
void report_text(FILE *html, const char *text);

/* From <!doctype> to the list of contents, which is left out for one file. */
void report_head(FILE *html, bnn_comparison *const *files, int n);
/* Title (heading: 1 for <h1>), facts, key of the engines and table of one file, counted from 1. Opens a <section> that the caller closes.
 */
void report_section(FILE *html, const bnn_comparison *c, int number, int heading);
/* Its figures. Fails where gnuplot does. */
bnn_status report_figures(FILE *html, const bnn_comparison *c, int number);

/* ---------------------------------------------------------------- a plot */

/* Curves, put in point by point. Failures stick and come out at the end. */
typedef struct {
    FILE *script, *clauses; /* the data, and what comes after "plot" */
    char *clause_text;
    size_t clause_size;
    int n_curves, n_points; /* curves with points; points of the last curve */
    int engine, variant;    /* of the last curve */
    bool bars;
    char title[64];
    int n_titles, longest_title; /* of all curves so far, with points; in bytes */
    double x0, x1, y0, y1;       /* the range of all points */
} report_plot;

typedef struct {
    const char *id, *x, *y, *alt; /* a prefix for names inside the page; labels of the axes; what a reader who cannot see it is told */
    bool log_x, diagonal;         /* diagonal: both axes have the same range, and a line where y = x */
    bool from_zero;               /* the y axis starts at 0 */
} report_frame;

bnn_status report_plot_open(report_plot *plot);
/* Starts a curve: engine gives the colour, and with variant (0: the engine's own) the marker and the dashes. title may be "". bars: markers
 * with error bars, no line. */
void report_plot_curve(report_plot *plot, int engine, int variant, bool bars, const char *title);
/* Points that are not finite are left out. */
void report_plot_point(report_plot *plot, double x, double y, double se);
bool report_plot_empty(report_plot *plot);
/* Writes the plot as an <svg>. */
bnn_status report_plot_draw(report_plot *plot, const report_frame *frame, FILE *html);
void report_plot_close(report_plot *plot);

#endif
