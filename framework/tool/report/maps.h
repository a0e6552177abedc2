/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * maps.h: predicted maps of classes on a page.
 */
#ifndef BNN_REPORT_MAPS_H
#define BNN_REPORT_MAPS_H

#include <bnn/store.h>
#include <stdio.h>

/* The whole section of a file, counted from 1 (heading: 1 for <h1>). */
bnn_status report_maps(FILE *html, const char *path, const bnn_maps *maps, int number, int heading);

#endif
