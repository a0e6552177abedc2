/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * report.h: the parts of `bnn report`. report.c reads the files and writes the page, page.c its words and numbers, figures.c
 * says what is drawn, plot.c has gnuplot draw it; rows.c has what every test row has a part in, chains.c Markov chains, pairs.c what
 * engines differ by, maps.c maps of classes; detection.c and choices.c have pages of their own.
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
    int target;    /* of metrics: one of several targets, counted from 1; 0: of all together */
} report_quantity;

/* Its mean over splits; *se (may be NULL) its standard error, NaN for one split. */
double report_mean(const bnn_comparison *c, int engine, report_quantity what, double *se);
/* The same of what one engine has more of than another in each split. */
double report_difference(const bnn_comparison *c, int engine, int other, report_quantity what, double *se);

/* "A" ... "Z", "A1" ...: how tables and figures call an engine. */
const char *report_letter(int engine, char letter[8]);

/* Writes text so that HTML shows it as it is. */
void report_text(FILE *html, const char *text);

/* From <!doctype> to the list of contents, which is left out for one file; titles[n] of the files. */
void report_head(FILE *html, const char *const *titles, int n);
const char *report_title(const bnn_comparison *c);
#define REPORT_MADE_BY "<footer>made by bnn " /* by which a page of bnn is known, near its end */
void report_foot(FILE *html);                 /* the rest of the page */
/* Title (heading: 1 for <h1>), verdicts, facts, key of the engines and table of one file, counted from 1. Opens a <section> that the caller
 * closes.
 */
void report_section(FILE *html, const bnn_comparison *c, int number, int heading);
/* "A" on its ground of colour; and a number with so many decimals, or as a whole one with its thousands apart. */
enum { REPORT_THOUSANDS = -2 };
void report_chip(FILE *html, int engine);
void report_number(FILE *html, double x, int decimals);
/* How many decimals give x four digits. */
int report_decimals(double x);
/* Differences of the engines from split to split, where there are several of both. */
bnn_status report_pairs(FILE *html, const bnn_comparison *c);
/* Test rows that the best engine was furthest off in, and of classes which are taken for which. */
bnn_status report_rows(FILE *html, const bnn_comparison *c);
/* Chains of each engine that has them: a table, traces and ranks. */
bnn_status report_chains(FILE *html, const bnn_comparison *c, int number);
/* The engine of the largest mean log-likelihood. */
int report_best(const bnn_comparison *c);
/* Its figures. Fails where gnuplot does. */
bnn_status report_figures(FILE *html, const bnn_comparison *c, int number);

/* Pages of n files of one kind: what `bnn ood`, `bnn bandit` and `bnn acquire` wrote. */
bnn_status report_detections(FILE *html, char *const *file, int n);
bnn_status report_regrets(FILE *html, char *const *file, int n);
bnn_status report_acquisitions(FILE *html, char *const *file, int n);
/* A page with a section for each file, which is written by its path and its number from 1. */
bnn_status report_sections(FILE *html, const char *title, char *const *file, int n,
                           bnn_status (*section)(FILE *html, const char *path, int number));

/* ---------------------------------------------------------------- a plot */

typedef enum {
    REPORT_LINE,   /* markers joined by a line */
    REPORT_BARS,   /* markers with error bars */
    REPORT_POINTS, /* error bars and markers that tell their name to who hovers over them */
    REPORT_PLAIN,  /* a line alone */
    REPORT_BELOW,  /* arrows down, of points that lie below the axes */
    REPORT_STEPS   /* of a histogram: from each x to the next */
} report_curve_kind;

/* Curves, put in point by point. Failures stick and come out at the end. */
typedef struct {
    FILE *script, *clauses; /* the data, and what comes after "plot" */
    char *clause_text;
    bool lost; /* there was no memory for something */
    int n_curves, n_data, n_points; /* curves, and tables of points, so far; points of the last one */
    int engine, variant;            /* of the last curve */
    int owner;                      /* whose all curves are, where colours tell something else than engines; -1: each has its own */
    report_curve_kind kind;         /* of the last curve */
    char title[64];
    char *owners;                /* [n_curves] engines, for who switches them off */
    int n_titles, longest_title; /* of all curves so far, with points; in bytes */
    double x0, x1, y0, y1;       /* the range of all points */
    double least_y;              /* the axis begins here at the earliest: bars may reach below it */
} report_plot;

typedef struct {
    const char *id, *x, *y, *alt; /* a prefix for names inside the page; labels of the axes; what a reader who cannot see it is told */
    bool log_x, diagonal;         /* diagonal: both axes have the same range, and a line where y = x */
    bool from_zero;               /* the y axis starts at 0 */
} report_frame;

bnn_status report_plot_open(report_plot *plot);
/* Starts a curve: engine gives the colour, and with variant (0: the engine's own) the marker and the dashes. title may be "". */
void report_plot_curve(report_plot *plot, int engine, int variant, report_curve_kind kind, const char *title);
/* Points that are not finite are left out. */
void report_plot_point(report_plot *plot, double x, double y, double se);
/* Likewise, with a name for REPORT_POINTS. */
void report_plot_named(report_plot *plot, double x, double y, double reach, const char *name);
bool report_plot_empty(report_plot *plot);
/* Writes the plot as an <svg>. */
bnn_status report_plot_draw(report_plot *plot, const report_frame *frame, FILE *html);
void report_plot_close(report_plot *plot);

/* Writes a <figure>; what has no points is left out. draw puts the curves in. */
typedef bnn_status report_draw(const void *context, report_plot *plot);
bnn_status report_figure(FILE *html, const char *title, const report_frame *frame, report_draw *draw, const void *context);

/* Rows of one file as they were predicted, drawn by figures.c. */
bnn_status report_draw_measured(const void *comparison, report_plot *plot);  /* predicted against measured */
bnn_status report_draw_residuals(const void *comparison, report_plot *plot); /* error in predictive sd against predicted */
bnn_status report_draw_pit(const void *comparison, report_plot *plot);       /* histogram of P(Y <= y) */

#endif
