/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * maps.c: a section of predicted maps of classes: picture, truth, prediction, aleatoric and epistemic part of the entropy side by side, of
 * the images that are least and most certain.
 */
#include "maps.h"
#include "png.h"
#include "report.h"
#include "tool/tool.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 3 /* of each kind */, RGB = 3 };

/* The maps of one image. */
typedef struct {
    int height, width, n, n_classes;
    int *class, *truth;                        /* [n] */
    double *entropy, *information, *aleatoric; /* [n] */
    unsigned char *rgb;                        /* [n, 3] scratch */
} image;

static bnn_status image_open(const bnn_maps *m, image *out) {
    size_t n = (size_t)m->height * (size_t)m->width;
    *out = (image){.height = m->height, .width = m->width, .n = (int)n, .n_classes = m->n_classes};
    out->class = malloc(2 * n * sizeof *out->class), out->entropy = malloc(3 * n * sizeof *out->entropy), out->rgb = malloc(n * RGB);
    if (!out->class || !out->entropy || !out->rgb) return bnn_oom("maps of a report");
    out->truth = out->class + n, out->information = out->entropy + n, out->aleatoric = out->information + n;
    return BNN_OK;
}

static void image_close(image *i) { free(i->class), free(i->entropy), free(i->rgb); }

static bnn_status image_load(const char *path, const bnn_maps *m, int k, image *i) {
    BNN_TRY(bnn_maps_image(path, m, k, i->class, i->entropy, i->information, i->truth));
    for (int p = 0; p < i->n; p++) i->aleatoric[p] = fmax(0, i->entropy[p] - i->information[p]);
    return BNN_OK;
}

/* ---- colours ---- */

/* Classes go round the circle of hues by the golden angle, so that neighbours differ however many there are. */
static void class_colour(int class, unsigned char rgb[RGB]) {
    const double hue = fmod(class * 137.508 / 60, 6), value = class % 2 ? 0.72 : 0.93, chroma = 0.62 * value;
    for (int k = 0; k < RGB; k++) {
        double at = fmod(hue + 6 - 2 * k, 6), distance = fmin(at, 6 - at); /* from the hue of this primary */
        double share = fmin(fmax(2 - distance, 0), 1);
        rgb[k] = class < 0 ? 0 : (unsigned char)(255 * (value - chroma * (1 - share)));
    }
}

/* From dark to light, 0..1. */
static void shade(double x, unsigned char rgb[RGB]) {
    static const double stop[][RGB] = {{13, 8, 45}, {87, 16, 110}, {188, 55, 84}, {249, 142, 9}, {252, 255, 164}};
    const int last = sizeof stop / sizeof *stop - 1;
    double at = fmin(fmax(x, 0), 1) * last;
    int from = (int)fmin(at, last - 1);
    for (int k = 0; k < RGB; k++) rgb[k] = (unsigned char)(stop[from][k] + (at - from) * (stop[from + 1][k] - stop[from][k]));
}

static void paint_classes(const image *i, const int *class) {
    for (int p = 0; p < i->n; p++) class_colour(class[p], i -> rgb + RGB * p);
}

static void paint_shades(const image *i, const double *v, double most) {
    for (int p = 0; p < i->n; p++) shade(v[p] / most, i->rgb + RGB * p);
}

/* ---- pictures ---- */

/* The table of the pictures, where it still is what was predicted; NULL otherwise, and `why`. */
static bnn_table *find_pictures(const bnn_maps *m, const bnn_outline *o, const char **why) {
    bnn_table *t = NULL;
    const char *path = o->origin.data_path;
    *why = "the file of the data is not known";
    if (!path || strcmp(path, "-") == 0) return NULL;
    *why = bnn_table_load(path, &t) < 0 ? "the file of the data cannot be read as it was" : "the file of the data has changed";
    const bool same = t && o->origin.data_sha256 && strcmp(t->sha256, o->origin.data_sha256) == 0;
    if (same && t->x_shape.rank == 3 && t->x_shape.d[1] == m->height && t->x_shape.d[2] == m->width) return t;
    if (same) *why = "the rows are no pictures";
    bnn_table_free(t);
    return NULL;
}

/* The first three channels, or the only one as grey; numbers that are no bytes from their least to their largest. */
static void paint_picture(const bnn_table *t, int row, const image *i) {
    const size_t all = (size_t)bnn_shape_size(t->x_shape), from = (size_t)row * all;
    double least = t->pixels ? 0 : INFINITY, most = t->pixels ? 255 : -INFINITY;
    for (size_t k = 0; !t->pixels && k < all; k++) least = fmin(least, t->x[from + k]), most = fmax(most, t->x[from + k]);
    for (int p = 0; p < i->n; p++)
        for (int c = 0; c < RGB; c++) {
            size_t at = from + (size_t)(t->x_shape.d[0] < RGB ? 0 : c) * (size_t)i->n + (size_t)p;
            double v = t->pixels ? t->pixels[at] : t->x[at];
            i->rgb[RGB * p + c] = (unsigned char)(255 * (v - least) / (most > least ? most - least : 1));
        }
}

/* ---- the section ---- */

static bnn_status write_map(FILE *html, const image *i, const char *name) {
    fputs("<div><img src=\"", html);
    BNN_TRY(report_png(html, i->height, i->width, i->rgb));
    fprintf(html, "\" alt=\"%s\"><p>%s</p></div>\n", name, name);
    return BNN_OK;
}

static bnn_status write_image(FILE *html, const bnn_maps *m, int k, const image *i, const bnn_table *pictures, double most) {
    fprintf(html, "<p class=\"note\">Row %d: mean entropy %.3f nats</p>\n<div class=\"maps\">\n", m->row[k], m->entropy[k]);
    if (pictures) paint_picture(pictures, m->row[k], i);
    if (pictures) BNN_TRY(write_map(html, i, "picture"));
    if (m->has_truth) paint_classes(i, i->truth);
    if (m->has_truth) BNN_TRY(write_map(html, i, "truth"));
    paint_classes(i, i->class);
    BNN_TRY(write_map(html, i, "prediction"));
    paint_shades(i, i->aleatoric, log(i->n_classes));
    BNN_TRY(write_map(html, i, "aleatoric"));
    paint_shades(i, i->information, most);
    BNN_TRY(write_map(html, i, "epistemic"));
    fputs("</div>\n", html);
    return BNN_OK;
}

static void write_legend(FILE *html, const bnn_maps *m) {
    unsigned char rgb[RGB];
    fputs("<ul class=\"classes\">\n", html);
    for (int c = m->has_truth ? -1 : 0; c < m->n_classes; c++) {
        class_colour(c, rgb);
        fprintf(html, "<li><span style=\"background:#%02x%02x%02x\"></span>", rgb[0], rgb[1], rgb[2]);
        if (c >= 0 && m->class_names)
            report_text(html, m->class_names[c]);
        else
            fprintf(html, c < 0 ? "void" : "%d", c);
        fputs("</li>\n", html);
    }
    fputs("</ul>\n", html);
}

static void write_note(FILE *html, const bnn_maps *m, const char *missing, double most) {
    fprintf(html,
            "<p class=\"note\">Aleatoric: mean entropy of the draws, dark 0 to light %.2f nats, that of classes alike. Epistemic: mutual "
            "information of class and parameters, in which the draws disagree, dark 0 to light %.3f nats.",
            log(m->n_classes), most);
    if (missing) fprintf(html, " The pictures are not shown: %s.", missing);
    fputs("</p>\n", html);
}

/* Images by their mean entropy, ties by their place. */
static void sort_images(const bnn_maps *m, int *order) {
    for (int i = 0; i < m->n; i++) {
        int at = i;
        while (at > 0 && m->entropy[order[at - 1]] > m->entropy[i]) order[at] = order[at - 1], at--;
        order[at] = i;
    }
}

static bnn_status write_images(FILE *html, const char *path, const bnn_maps *m, const int *order, image *i, const bnn_outline *o) {
    const int shown = m->n < 2 * SHOWN ? m->n : 2 * SHOWN;
    const char *why;
    bnn_table *pictures = find_pictures(m, o, &why);
    double most = 1e-3; /* nats: less is no shade */
    bnn_status s = BNN_OK;
    for (int pass = 0; pass < 2; pass++)
        for (int k = 0; s == BNN_OK && k < shown; k++) {
            const int rank = m->n - 1 - k, at = order[k < (shown + 1) / 2 ? rank : shown - 1 - k];
            s = image_load(path, m, at, i);
            for (int p = 0; s == BNN_OK && pass == 0 && p < i->n; p++) most = fmax(most, i->information[p]);
            if (s == BNN_OK && pass == 1 && k == 0)
                write_note(html, m, pictures ? NULL : why, most), fputs("<h3>Least certain</h3>\n", html);
            if (s == BNN_OK && pass == 1 && k == (shown + 1) / 2) fputs("<h3>Most certain</h3>\n", html);
            if (s == BNN_OK && pass == 1) s = write_image(html, m, at, i, pictures, most);
        }
    bnn_table_free(pictures);
    return s;
}

static void write_fact(FILE *html, const char *name, const char *text) {
    fprintf(html, "<dt>%s</dt><dd><code>", name);
    report_text(html, text);
    fputs("</code></dd>\n", html);
}

static void write_facts(FILE *html, const bnn_outline *o, const bnn_maps *m) {
    fputs("<dl class=\"facts\">\n", html);
    write_fact(html, "Engine", o->engine);
    write_fact(html, "Data", o->origin.data_path ? o->origin.data_path : "not known");
    fprintf(html, "<dt>Images</dt><dd>%d of %dx%d pixels, %d draws</dd>\n</dl>\n", m->n, m->height, m->width, o->samples);
    fputs("<details><summary>Network</summary><code>", html);
    report_text(html, o->net);
    fputs("</code></details>\n", html);
}

bnn_status report_maps(FILE *html, const char *path, const bnn_maps *m, int number, int heading) {
    bnn_outline o;
    image i = {0};
    int *order = malloc(((size_t)m->n + 1) * sizeof *order);
    bnn_status s = order ? bnn_outline_load(path, &o) : bnn_oom("maps of a report");
    if (s < 0) return free(order), s;
    sort_images(m, order);
    fprintf(html, "<section id=\"file-%d\">\n<h%d>", number, heading);
    report_text(html, path);
    fprintf(html, "</h%d>\n", heading);
    write_facts(html, &o, m);
    write_legend(html, m);
    s = image_open(m, &i);
    if (s == BNN_OK) s = write_images(html, path, m, order, &i, &o);
    fputs("</section>\n", html);
    image_close(&i), bnn_outline_free(&o), free(order);
    return s;
}
