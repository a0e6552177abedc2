/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * number.h: numbers as texts and back, with a decimal point whatever locale the host has set. Neither the locale of the process nor that of
 * the calling thread is another one after a call.
 */
#ifndef BNN_NUMBER_H
#define BNN_NUMBER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BNN_NUMBER_TEXT 32 /* bytes that hold any number as text */
/* The shortest decimal that reads back as x; returns text. */
const char *bnn_number_print(double x, char text[BNN_NUMBER_TEXT]);

/* A whole text as one finite number or "inf"; false if it is none. */
bool bnn_number_parse(const char *text, double *x);

double bnn_number_read(const char *text, char **end); /* strtod with a decimal point */

int bnn_print(char *text, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4))); /* snprintf with a decimal point */
int bnn_print_list(char *text, size_t size, const char *format, va_list list) __attribute__((format(printf, 3, 0))); /* vsnprintf, likewise
                                                                                                                      */
int bnn_print_to(FILE *out, const char *format, ...) __attribute__((format(printf, 2, 3)));                          /* fprintf, likewise */

#ifdef __cplusplus
}
#endif

#endif
