/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * places.h: contents of a file, changed by HDF5 itself, so that no seal tells of them.
 */
#ifndef PLACES_H
#define PLACES_H

#include <hdf5.h>
#include <stdbool.h>

/* One place of a file: an attribute (name) of an object, or, with name "", the object. */
typedef struct {
    char object[128], name[64];
} place;

typedef struct {
    place *at; /* [n], to be freed */
    int n;
} places;
places places_find(const char *path);

/* Makes change number `which`, from 0, of those that are listed for a place of its kind; false: there are no more, or an earlier change
 * took the place away. */
bool places_change(const char *path, const place *p, int which);

/* Puts these bytes at the beginning of what stands there, whatever its type; a text becomes them. */
void places_overwrite(const char *path, const place *p, const void *value, size_t n);

#endif
