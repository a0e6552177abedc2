/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * maps.c: the rule of maps of classes: what a likelihood says of a map is what it says of each pixel as a row of its own, and a pixel that
 * is void counts nowhere.
 */
#include "likelihood.h"

#include <math.h>

enum {
    CLASSES = 3,
    HEIGHT = 2,
    WIDTH = 3,
    MAPS = 3,
    MOST_SITES = HEIGHT * WIDTH,
    OUT = CLASSES * MOST_SITES,
    VOID = 4 /* every which pixel */
};
static const double no_mean[MOST_SITES], no_sd[MOST_SITES] = {1, 1, 1, 1, 1, 1};

/* A likelihood on maps, and on rows of one class; outputs, targets, and what is made of them: of maps, and of pixel i as a row. */
typedef struct {
    bnn_likelihood map, pixel;
    int sites;
    bnn_real f[MAPS * OUT], y[MAPS * MOST_SITES], df[MAPS * OUT], mean[MAPS * OUT], drawn[MAPS * MOST_SITES];
    double logp[MAPS * MOST_SITES];
} atlas;

static const bnn_likelihood_type *vtable(const atlas *a) { return bnn_likelihood_vtable(&a->map); }

/* Class c of pixel i of all pixels. */
static int at(const atlas *a, int i, int c) { return (i / a->sites * CLASSES + c) * a->sites + i % a->sites; }

static double run(atlas *a) {
    vtable(a)->observe(&a->map, MAPS, a->f, a->y, NULL, &(bnn_observation){.mean = a->mean, .logp = a->logp});
    vtable(a)->draw(&a->map, MAPS, a->f, NULL, bnn_rng_seed(7), 0, a->drawn);
    return vtable(a)->nll(&a->map, MAPS, a->f, a->y, NULL, 0.7, a->df, NULL);
}

static bool differ(double x, double y) { return !(fabs(x - y) <= 10 * ROUNDING * (1 + fabs(y))); }

/* Compares pixel i with the row that it would be; returns the row's nll. */
static double compare_pixel(bnn_checker *c, const atlas *a, int i) {
    bnn_real f[CLASSES], df[CLASSES], mean[CLASSES], y = a->y[i];
    double logp;
    for (int k = 0; k < CLASSES; k++) f[k] = a->f[at(a, i, k)];
    vtable(a)->observe(&a->pixel, 1, f, &y, NULL, &(bnn_observation){.mean = mean, .logp = &logp});
    double nll = vtable(a)->nll(&a->pixel, 1, f, &y, NULL, 0.7, df, NULL);
    for (int k = 0; k < CLASSES; k++) {
        double of_map = (double)a->df[at(a, i, k)], p = (double)a->mean[at(a, i, k)];
        if (differ(of_map, (double)df[k]))
            bnn_checker_break(c, "df of pixel %d, class %d is %.6g, and %.6g where the pixel is a row: is f [C, sites]?", i, k, of_map,
                              (double)df[k]);
        if (differ(p, (double)mean[k]))
            bnn_checker_break(c, "the probability of pixel %d, class %d is %.6g, and %.6g where the pixel is a row: is it [C, sites]?", i,
                              k, p, (double)mean[k]);
    }
    if (differ(a->logp[i], logp)) bnn_checker_break(c, "logp of pixel %d is %.6g, and %.6g where the pixel is a row", i, a->logp[i], logp);
    return nll;
}

static void check_void(bnn_checker *c, const atlas *a, int i) {
    for (int k = 0; k < CLASSES; k++)
        if (a->df[at(a, i, k)] != 0) bnn_checker_break(c, "df of pixel %d, which is void, is %.6g, not 0", i, (double)a->df[at(a, i, k)]);
    if (!isnan(a->logp[i])) bnn_checker_break(c, "logp of pixel %d, which is void, is %.6g, not NaN", i, a->logp[i]);
}

static void check_pixels(bnn_checker *c, atlas *a) {
    double nll = run(a), sum = 0;
    for (int i = 0; i < MAPS * a->sites && !bnn_checker_broken(c); i++) {
        if (a->y[i] < 0)
            check_void(c, a, i);
        else
            sum += compare_pixel(c, a, i);
        if (!(a->drawn[i] >= 0 && a->drawn[i] < CLASSES))
            bnn_checker_break(c, "the draw of pixel %d is %g, no class", i, (double)a->drawn[i]);
    }
    if (!bnn_checker_broken(c) && differ(nll, sum))
        bnn_checker_break(c, "nll of the maps is %.6g, and %.6g summed over the pixels that are not void", nll, sum);
}

static void check_shape(bnn_checker *c, const atlas *a, bnn_shape y) {
    char have[BNN_SHAPE_TEXT], want[BNN_SHAPE_TEXT];
    const bnn_shape out = {.rank = 3, .d = {CLASSES, y.d[0], y.d[1]}};
    if (a->map.sites != a->sites || a->map.out_dim != CLASSES * a->sites || a->map.mean_dim != a->map.out_dim)
        bnn_checker_break(c, "bind makes sites %d, out_dim %d and mean_dim %d of maps of %d pixels and %d classes", a->map.sites,
                          a->map.out_dim, a->map.mean_dim, a->sites, CLASSES);
    if (a->sites > 1 && !bnn_shape_equal(a->map.out, out))
        bnn_checker_break(c, "bind makes the network end with %s, where %s is meant: classes first, then the map's own shape",
                          bnn_shape_print(a->map.out, have), bnn_shape_print(out, want));
}

/* A map of one pixel, taken as a row of one class by a likelihood that has no output for each class. */
static bool is_row(const atlas *a) { return a->sites == 1 && a->map.out_dim == a->pixel.out_dim && a->map.out_dim != CLASSES; }

static void check_map(bnn_checker *c, const char *spec, bnn_shape shape, bool *taken) {
    atlas a = {.sites = bnn_shape_size(shape)};
    bnn_targets of_map = {shape, CLASSES, no_mean, no_sd}, of_pixel = {bnn_shape_vector(1), CLASSES, no_mean, no_sd};
    if (bnn_likelihood_new(spec, &of_pixel, &a.pixel) < 0) return;
    bool made = bnn_likelihood_new(spec, &of_map, &a.map) == BNN_OK;
    if (made && !is_row(&a)) {
        *taken = true;
        c->now.spec = spec, c->now.mode = a.sites > 1 ? "maps" : "maps of one pixel";
        bnn_rng_normal(bnn_rng_seed(5), 0, MAPS, CLASSES * a.sites, a.f);
        for (int i = 0; i < MAPS * a.sites; i++) a.y[i] = (bnn_real)(a.sites > 1 && i % VOID == 1 ? -1 : i * 2 % CLASSES);
        check_shape(c, &a, shape);
        if (!bnn_checker_broken(c)) check_pixels(c, &a);
    }
    if (made) bnn_likelihood_free(&a.map);
    bnn_likelihood_free(&a.pixel);
}

bnn_status bnn_likelihood_maps(bnn_checker *c) {
    bool taken = false;
    for (int s = 0; c->type->checks[s] && !bnn_checker_broken(c); s++) {
        check_map(c, c->type->checks[s], (bnn_shape){.rank = 2, .d = {HEIGHT, WIDTH}}, &taken);
        if (!bnn_checker_broken(c)) check_map(c, c->type->checks[s], (bnn_shape){.rank = 2, .d = {1, 1}}, &taken);
    }
    if (!taken) bnn_checker_skip(c, "it takes no maps of classes");
    if (!bnn_checker_broken(c)) c->now.spec = c->now.mode = "";
    return BNN_OK;
}
