/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "numeric.h"
#include "run/predict/lags.h"
#include <bnn/number.h>

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_integration.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- slopes and areas */

static double at(double (*f)(void *), void *of, bnn_real *x, bnn_real here, double offset) {
    *x = here + (bnn_real)offset;
    double value = f(of);
    *x = here;
    return value;
}

/* Kinked: what is left of the differences when a polynomial of third degree is taken away; a kink leaves about its jump times h. */
double bnn_difference(double (*f)(void *of), void *of, bnn_real *x, bool *kinked) {
    const bnn_real here = *x;
    const double h = DIFFERENCE_STEP;
    double up = at(f, of, x, here, h), down = at(f, of, x, here, -h), middle = f(of);
    double far_up = at(f, of, x, here, 2 * h), far_down = at(f, of, x, here, -2 * h);
    double slope = (8 * (up - down) - (far_up - far_down)) / (12 * h);
    double even = (far_up - 2 * middle + far_down) - 4 * (up - 2 * middle + down), odd = (far_up - far_down) - 2 * (up - down);
    if (kinked) *kinked = fabs(even) + fabs(odd) > KINK_TOLERANCE * h * (1 + fabs(slope));
    return slope;
}

enum { INTERVALS = 1000 };

/* Cut at +-ends[0 .. n-1], beyond which nothing is. Float data end the refinement with a code: the value is as good as they are. NaN
 * without memory. */
static double integrate(double (*f)(double x, void *of), void *of, double from, double to, size_t n, const double ends[]) {
    gsl_integration_workspace *ws = gsl_integration_workspace_alloc(INTERVALS);
    if (!ws) return NAN;
    double total = 0, part, error;
    for (int side = -1; side <= 1; side += 2)
        for (size_t i = 0; i + 1 < n; i++) {
            double low = fmax(from, fmin(side * ends[i], side * ends[i + 1])), high = fmin(to, fmax(side * ends[i], side * ends[i + 1]));
            if (low >= high) continue;
            gsl_integration_qag(&(gsl_function){f, of}, low, high, 1e-3 * ROUNDING, 1e-2 * ROUNDING, INTERVALS, GSL_INTEG_GAUSS21, ws,
                                &part, &error);
            total += part;
        }
    gsl_integration_workspace_free(ws);
    return total;
}

double bnn_integral(double (*f)(double x, void *of), void *of, double from, double to) {
    static const double ends[] = {0, 1e-3, 1e-2, 0.1, 0.5, 1, 2, 4, 8, 16, 64};
    return integrate(f, of, from, to, sizeof ends / sizeof *ends, ends);
}

typedef struct {
    double (*f)(double x, void *of);
    void *of;
} stretched;

static double at_sinh(double u, void *of) {
    const stretched *s = of;
    return s->f(sinh(u), s->of) * cosh(u);
}

double bnn_integral_line(double (*f)(double x, void *of), void *of, double from, double to) {
    static const double ends[] = {0, 0.02, 0.2, 1, 2, 4, BNN_REAL_IS_DOUBLE ? 64 : 40}; /* a float still holds the square of e^40 */
    return integrate(at_sinh, &(stretched){f, of}, asinh(from), asinh(to), sizeof ends / sizeof *ends, ends);
}

/* ---------------------------------------------------------------- draws */

double bnn_most_z(size_t n) { return gsl_cdf_ugaussian_Qinv(0.5e-6 / (double)(n + 1)); }

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

enum { BINS = 40, LEAST_EXPECTED = 5, FIRST = 4000 };

/* Draws x[n], sorted, in bins below edge[0], between the edges, and above the last; the mass of the density there. */
typedef struct {
    double edge[BINS - 1], count[BINS], mass[BINS];
} bins;

static void fill_bins(double (*density)(double x, void *of), void *of, int n, const double *x, bins *b) {
    for (int i = 0, at = 0; i < BINS; i++) {
        double low = i == 0 ? -INFINITY : b->edge[i - 1], high = i == BINS - 1 ? INFINITY : b->edge[i];
        int from = at;
        while (at < n && x[at] < high) at++;
        b->count[i] = at - from;
        b->mass[i] = bnn_integral_line(density, of, low, high);
    }
}

static void set_chi_square(const bins *b, double n, bnn_fit_of_draws *fit) {
    double expected = 0, seen = 0;
    int degrees = -1;
    for (int i = 0; i < BINS; i++) {
        expected += n * b->mass[i], seen += b->count[i];
        if (expected < LEAST_EXPECTED && i < BINS - 1) continue;
        fit->chi_square += pow(seen - expected, 2) / fmax(expected, 1);
        degrees++;
        expected = seen = 0;
    }
    fit->p = gsl_cdf_chisq_Q(fit->chi_square, fmax(degrees, 1));
}

/* The mean of score h over the draws against that over the density, in units of what a shift or a stretch of all draws by one would change:
 * the variance of h. none: what the measure is where nothing is wrong. */
static bnn_measured measure(const bins *b, double n, const double h[BINS], double none) {
    double sum = 0, mean = 0, square = 0;
    for (int i = 0; i < BINS; i++) sum += b->count[i] * h[i] / n, mean += b->mass[i] * h[i], square += b->mass[i] * h[i] * h[i];
    double var = square - mean * mean;
    return (bnn_measured){none + (sum - mean) / var, 1 / sqrt(n * var), var > 0 ? (sum - mean) / sqrt(var / n) : 0};
}

static void set_measures(const bins *b, double n, bnn_fit_of_draws *fit) {
    double score[BINS], square[BINS], outside = b->mass[0] + b->mass[BINS - 1], below = 0;
    for (int i = 0; i < BINS; below += b->mass[i++]) {
        score[i] = gsl_cdf_ugaussian_Pinv(fmin(fmax(below + 0.5 * b->mass[i], 1e-12), 1 - 1e-12));
        square[i] = score[i] * score[i];
    }
    fit->shift = measure(b, n, score, 0);
    fit->spread = measure(b, n, square, 1);
    double share = (b->count[0] + b->count[BINS - 1]) / n, error = sqrt(outside * (1 - outside) / n);
    fit->tails = (bnn_measured){share / outside, error / outside, error > 0 ? (share - outside) / error : 0};
}

bnn_fit_of_draws bnn_draws_fit(double (*density)(double x, void *of), void *of, int n, double *x) {
    int first = FIRST < n / 2 ? FIRST : n / 2;
    bnn_fit_of_draws fit = {.first = first};
    bins b;
    qsort(x, (size_t)first, sizeof *x, ascending);
    qsort(x + first, (size_t)(n - first), sizeof *x, ascending);
    for (int i = 0; i < BINS - 1; i++) b.edge[i] = x[(int)(first * gsl_cdf_ugaussian_P(-3 + 6.0 * i / (BINS - 2)))];
    /* Cut tails end at one place, where they must not lie upon the edge. */
    const double median = x[first / 2], beyond = 3.25 / 3;
    b.edge[0] = median + beyond * (b.edge[0] - median);
    b.edge[BINS - 2] = median + beyond * (b.edge[BINS - 2] - median);
    fill_bins(density, of, n - first, x + first, &b);
    set_chi_square(&b, n - first, &fit);
    set_measures(&b, n - first, &fit);
    return fit;
}

double bnn_density_quantile(double (*density)(double x, void *of), void *of, double q) {
    double low = -20, high = 20, below = 0; /* of asinh x; the mass below `low` */
    for (int i = 0; i < 20; i++) {
        double middle = 0.5 * (low + high), more = bnn_integral_line(density, of, sinh(low), sinh(middle));
        if (below + more < q)
            low = middle, below += more;
        else
            high = middle;
    }
    return sinh(0.5 * (low + high));
}

bnn_neighbours bnn_correlation_of(int n, const double *a, const double *b) {
    double ma = 0, mb = 0, aa = 0, bb = 0, ab = 0;
    for (int i = 0; i < n; i++) ma += a[i] / n, mb += b[i] / n;
    for (int i = 0; i < n; i++) {
        double x = a[i] - ma, y = b[i] - mb;
        aa += x * x, bb += y * y, ab += x * y;
    }
    const bool constant = aa <= 1e-20 * n * ma * ma || bb <= 1e-20 * n * mb * mb; /* to rounding */
    double correlation = constant ? 0 : ab / sqrt(aa * bb);
    return (bnn_neighbours){0, correlation, correlation * sqrt(n)};
}

bnn_neighbours bnn_neighbours_of(int n, const double *a) {
    bnn_neighbours most = {0};
    double mean = 0;
    size_t m = 4;
    while (m < (size_t)n + (size_t)n / 4 + 1) m *= 2;
    double *x = calloc(m, sizeof *x);
    if (!x) return most;
    for (int i = 0; i < n; i++) mean += a[i] / n;
    for (int i = 0; i < n; i++) x[i] = a[i] - mean;
    bnn_lag_products(m, x);
    const bool constant = x[0] <= 1e-20 * n * mean * mean; /* to rounding */
    for (int lag = 1; lag <= n / 4 && !constant; lag++) {
        double correlation = x[lag] / x[0] * n / (n - lag), z = correlation * sqrt(n - lag);
        if (fabs(z) > fabs(most.z)) most = (bnn_neighbours){lag, correlation, z};
    }
    free(x);
    return most;
}

double bnn_moments_z_between(const moments *a, const moments *b) {
    double away = a->mean - b->mean, var = moments_var(a) / a->n + moments_var(b) / b->n;
    double rounding = 10 * ROUNDING * (fabs(a->mean) + fabs(b->mean));
    return fabs(away) <= rounding ? 0 : away / sqrt(var);
}

/* ---------------------------------------------------------------- guarded arrays */

/* Reals before an array. Behind it stand many more, and its length again, so that a hook that takes it for longer than it is spoils nothing
 * else. */
enum { GUARD = 16, BEHIND = 1024 };
typedef union {
    size_t n;
    char line[64];
} guarded;

static guarded *head_of(const bnn_real *a) { return (guarded *)(a - GUARD) - 1; }

/* A NaN with a payload of its own: what a hook makes of other NaN differs from it. */
static bnn_real sentinel(void) { return BNN_REAL_IS_DOUBLE ? (bnn_real)nan("0x1234") : (bnn_real)nanf("0x1234"); }

static void set_guard(bnn_real *guard, size_t n) {
    for (size_t i = 0; i < n; i++) guard[i] = sentinel();
}

/* The first one is the sentinel, and each is equal to the next. */
static bool guard_intact(const bnn_real *guard, size_t n) {
    const bnn_real whole = sentinel();
    return memcmp(guard, &whole, sizeof whole) == 0 && memcmp(guard, guard + 1, (n - 1) * sizeof whole) == 0;
}

bnn_real *bnn_guarded_new(size_t n) {
    guarded *g = calloc(1, sizeof *g + (GUARD + n + n + BEHIND) * sizeof(bnn_real));
    if (!g) return NULL;
    g->n = n;
    bnn_real *a = (bnn_real *)(g + 1) + GUARD;
    set_guard(a - GUARD, GUARD);
    set_guard(a + n, n + BEHIND);
    return a;
}

bool bnn_guarded_intact(const bnn_real *a) {
    return !a || (guard_intact(a - GUARD, GUARD) && guard_intact(a + head_of(a)->n, head_of(a)->n + BEHIND));
}

void bnn_guarded_free(bnn_real *a) {
    if (a) free(head_of(a));
}

/* ---------------------------------------------------------------- guesses */

const char *bnn_ratio_guess(double is, double should, double p, int n, char text[BNN_GUESS_TEXT]) {
    const struct {
        double ratio;
        const char *guess;
    } table[] = {{0, "is it added at all?"},
                 {-1, "the sign?"},
                 {0.5, "a factor 2 is missing, or a 1/2 too many?"},
                 {2, "a factor 1/2 is missing, or a 2 too many?"},
                 {1.1, "times 1.1?"},
                 {1 - p, "1/(1-p) is missing?"},
                 {1 / (1 - p), "1/(1-p) is one too many?"},
                 {(1 - p) / p, "drop for keep?"},
                 {p / (1 - p), "drop for keep?"},
                 {1.0 / n, "a mean over rows in place of their sum?"},
                 {n, "added once for each row?"}};
    double ratio = is / should + 0.0; /* no -0 */
    *text = '\0';
    if (should == 0 || !isfinite(ratio)) return text;
    int used = bnn_print(text, BNN_GUESS_TEXT, " (ratio %.4g", ratio);
    const char *guess = "";
    for (size_t i = 0; i < sizeof table / sizeof *table && !*guess; i++)
        if (isfinite(table[i].ratio) && fabs(ratio - table[i].ratio) <= 0.02 * fmax(fabs(table[i].ratio), 0.05)) guess = table[i].guess;
    snprintf(text + used, BNN_GUESS_TEXT - (size_t)used, *guess ? ": %s)" : ")", guess);
    return text;
}

const char *bnn_mass_guess(double mass, int dimensions, char text[BNN_GUESS_TEXT]) {
    static const double half_log_2pi = 0.91893853320467274178;
    double off = log(mass) / dimensions / half_log_2pi;
    const char *guess = fabs(off - 1) < 1e-3 ? "log(2 pi)/2 is missing?" : fabs(off + 1) < 1e-3 ? "log(2 pi)/2 is one too many?" : NULL;
    if (!guess) return bnn_ratio_guess(mass, 1, NAN, 0, text);
    snprintf(text, BNN_GUESS_TEXT, " (%s)", guess);
    return text;
}

const char *bnn_spread_guess(double is, double should, int fan_in, double tolerance, char text[BNN_GUESS_TEXT]) {
    const struct {
        double value;
        const char *guess;
    } table[] = {{should * should, "the variance for the sd?"},
                 {sqrt(should), "the sd for the variance?"},
                 {1 / should, "the precision for the variance?"},
                 {should * sqrt(fan_in), "is fan_in used?"},
                 {should / sqrt(fan_in), "is fan_in used twice?"}};
    *text = '\0';
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        bool telling = fabs(table[i].value / should - 1) > 4 * tolerance;
        if (!telling || !(fabs(is / table[i].value - 1) <= tolerance)) continue;
        bnn_print(text, BNN_GUESS_TEXT, " (ratio %.4g: %s)", is / should, table[i].guess);
        return text;
    }
    return is == 0 ? text : bnn_ratio_guess(is, should, NAN, 0, text);
}
