/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * png.h: pictures inside a page.
 */
#ifndef BNN_REPORT_PNG_H
#define BNN_REPORT_PNG_H

#include <bnn/status.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Writes rgb[height, width, 3] as a data URI of a PNG. */
bnn_status report_png(FILE *html, int height, int width, const unsigned char *rgb);

#endif
