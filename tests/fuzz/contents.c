/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * contents.c: files of every kind whose contents were changed by HDF5, as a user of h5py can.
 * Input: a byte (the kind of file), then changes, each a place (two bytes), what becomes of it (a byte), and bytes up to a form feed that
 * may overwrite it.
 */
#include "files.h"
#include "kinds.h"
#include "places.h"
#include "target.h"

#include <stdlib.h>
#include <string.h>

enum { FIXED = 32 }; /* changes that places_change lists; others overwrite */

typedef struct {
    char *bytes;
    size_t n;
    places places;
} content;

static content content_of(const char *path) {
    content c = {.places = places_find(path)};
    FILE *f = fopen(path, "rb");
    fseek(f, 0, SEEK_END);
    c.n = (size_t)ftell(f), c.bytes = malloc(c.n);
    rewind(f);
    if (fread(c.bytes, 1, c.n, f) != c.n) abort();
    fclose(f);
    return c;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    static basis b;
    static content of[N_KINDS];
    target_input in = {bytes, n};
    if (!b.rows) {
        b = kinds_open();
        for (int k = 0; k < N_KINDS; k++) of[k] = content_of(files_path(kinds[k]));
        H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    }
    unsigned kind = target_byte(&in) % N_KINDS;
    const content *c = &of[kind];
    const char *path = files_write_bytes("bad.h5", c->bytes, c->n);
    while (in.n > 0) {
        const place *p = &c->places.at[(target_byte(&in) << 8 | target_byte(&in)) % (unsigned)c->places.n];
        int which = (int)target_byte(&in);
        target_input value = target_part(&in);
        if (which < FIXED)
            places_change(path, p, which);
        else
            places_overwrite(path, p, value.at, value.n);
    }
    kinds_try(path, (int)kind, &b);
    return 0;
}
