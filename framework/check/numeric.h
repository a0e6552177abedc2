/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * numeric.h (private): what the suites and the tests measure with: finite differences, quadrature, z-scores, guarded arrays.
 */
#ifndef BNN_CHECK_NUMERIC_H
#define BNN_CHECK_NUMERIC_H

#include <bnn/real.h>
#include <float.h>
#include <math.h>

#if BNN_REAL_IS_DOUBLE
#define GRADIENT_TOLERANCE 1e-7 /* relative to the largest entry */
#define ENTRY_TOLERANCE 1e-6    /* of one entry, ... */
#define BLOCK_TOLERANCE 1e-7    /* ... and of the largest of its block */
#define SLOPE_TOLERANCE 1e-7    /* of a value that comes as a double */
#define DIFFERENCE_STEP 0x1p-12
#define KINK_TOLERANCE 3e-7 /* of the slope: a kink that moves it less is none */
#define ROUNDING 1e-12
#define REAL_EPSILON DBL_EPSILON
#else
#define GRADIENT_TOLERANCE 2e-2
#define ENTRY_TOLERANCE 3e-3
#define BLOCK_TOLERANCE 5e-4
#define SLOPE_TOLERANCE 3e-3
#define DIFFERENCE_STEP 0x1p-7
#define KINK_TOLERANCE 1e-2
#define ROUNDING 2e-5
#define REAL_EPSILON ((double)FLT_EPSILON)
#endif

#define MOST_Z 5.0 /* of a deterministic stream: a correct program passes for ever */

/* df/dx by central differences of fourth order; *x is moved and put back. *kinked (may be NULL): the one-sided slopes differ. */
double bnn_difference(double (*f)(void *of), void *of, bnn_real *x, bool *kinked);

/* Integrates f from .. to, within [-64, 64]; the interval is cut at powers of ten and two around 0, where densities have their scales. Good
 * to about ROUNDING. */
double bnn_integral(double (*f)(double x, void *of), void *of, double from, double to);

/* The same without that limit, by x = sinh(u): densities with heavy tails, and all of the line. */
double bnn_integral_line(double (*f)(double x, void *of), void *of, double from, double to);

/* Zeroed reals between two sentinels that are NaN, so that to read one is seen, too; NULL when out of memory. */
bnn_real *bnn_guarded_new(size_t n);
bool bnn_guarded_intact(const bnn_real *a); /* NULL is intact */
void bnn_guarded_free(bnn_real *a);         /* NULL is allowed */

/* Guesses the cause of a wrong gradient or density from the ratio of found to expected: " (ratio 0.5: a factor 2 is missing?)",
 * or
 * "" if it looks like nothing known. p is a probability that may have been forgotten, n a number of rows; NaN and 0 where there is none. */
#define BNN_GUESS_TEXT 96
const char *bnn_ratio_guess(double is, double should, double p, int n, char text[BNN_GUESS_TEXT]);

/* The same of the mass of a density, which should be 1: " (log(2 pi)/2 is missing?)". */
const char *bnn_mass_guess(double mass, int dimensions, char text[BNN_GUESS_TEXT]);

/* The same of a spread: " (the variance for the sd?)" where `is` is near a function of `should` that mistakes have; fan_in: of the weights,
 * 0 where there is none. tolerance is relative. */
const char *bnn_spread_guess(double is, double should, int fan_in, double tolerance, char text[BNN_GUESS_TEXT]);

/* How draws follow a density: counts in bins between the normal quantiles -3 .. 3 of the first few, which are left out of the counts,
 * against the density's mass there. shift, in sd, and spread are what the draws have more and as wide, by their normal scores; tails: the
 * share of draws in the outermost bins, over that of the density. x[n] is sorted in its two parts. */
typedef struct {
    double value, error; /* its standard error */
    double z;            /* how many of them it is from what it should be */
} bnn_measured;
typedef struct {
    int first; /* draws that made the bins, sorted apart */
    double chi_square, p;
    bnn_measured shift, spread, tails;
} bnn_fit_of_draws;
bnn_fit_of_draws bnn_draws_fit(double (*density)(double x, void *of), void *of, int n, double *x);
/* The place below which the density has the share q, by bisection: to about four digits. */
double bnn_density_quantile(double (*density)(double x, void *of), void *of, double q);

/* The same number for the same bytes, begun with BNN_DIGEST (FNV-1a of 64 bits). */
#define BNN_DIGEST UINT64_C(14695981039346656037)
static inline void bnn_digest_add(uint64_t *digest, const void *bytes, size_t n) {
    for (size_t i = 0; i < n; i++) *digest = (*digest ^ ((const unsigned char *)bytes)[i]) * UINT64_C(1099511628211);
}

/* Streaming mean and variance (Welford 1962). */
typedef struct {
    double n, mean, squares;
} moments;

static inline void moments_add(moments *m, double x) {
    double from_old = x - m->mean;
    m->mean += from_old / ++m->n;
    m->squares += from_old * (x - m->mean);
}

static inline double moments_var(const moments *m) { return m->squares / (m->n - 1); }
/* z-score of the mean of m. */
static inline double moments_z(const moments *m, double expected) { return (m->mean - expected) / sqrt(moments_var(m) / m->n); }
/* z-score of the variance of m, for normal data. */
static inline double moments_var_z(const moments *m, double expected) { return (moments_var(m) / expected - 1) / sqrt(2 / (m->n - 1)); }
/* z-score of the difference of two means; 0 if both are of constants that agree. */
double bnn_moments_z_between(const moments *a, const moments *b);
/* The lag at which numbers a[n] and the ones so much later are most alike, of 1 to a quarter of them; 0 without memory. */
typedef struct {
    int lag;
    double correlation, z;
} bnn_neighbours;
bnn_neighbours bnn_neighbours_of(int n, const double *a);
/* The correlation of a[n] and b[n], lag 0. */
bnn_neighbours bnn_correlation_of(int n, const double *a, const double *b);
/* |z| of n comparisons stays below this with a probability of 1 - 1e-6. */
double bnn_most_z(size_t n);

#endif
