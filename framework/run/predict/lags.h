/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * lags.h (private): sums of products of numbers and the ones so much later, for every lag at once.
 */
#ifndef BNN_LAGS_H
#define BNN_LAGS_H

#include <gsl/gsl_fft_halfcomplex.h>
#include <gsl/gsl_fft_real.h>

/* x[m] becomes sum_i x_i x_(i+lag), indices going round, by the theorem of Wiener and Khinchin; m is a power of 2. */
static inline void bnn_lag_products(size_t m, double *x) {
    gsl_fft_real_radix2_transform(x, 1, m);
    x[0] *= x[0];
    x[m / 2] *= x[m / 2];
    for (size_t k = 1; k < m / 2; k++) { /* real part at k, imaginary part at m - k */
        double *re = &x[k], *im = &x[m - k];
        *re = *re * *re + *im * *im;
        *im = 0;
    }
    gsl_fft_halfcomplex_radix2_inverse(x, 1, m);
}

#endif
