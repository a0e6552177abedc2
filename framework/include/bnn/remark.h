/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * remark.h: what a caller should be told beside a result: guesses that were made, limits that were reached, answers that should not be
 * believed. Each has a code that programs can ask for, and one sentence for people that ends in what to do.
 */
#ifndef BNN_REMARK_H
#define BNN_REMARK_H

#include <bnn/bnn.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Adds a remark; code is a lower-case word, such as "not_converged". Texts are copied. remarks may be NULL: nobody asks. */
bnn_status bnn_remarks_add(bnn_remarks *remarks, bnn_severity severity, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#ifdef __cplusplus
}
#endif

#endif
