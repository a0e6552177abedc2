/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * exif.c: how a picture is to be turned when it is looked at, and its turning.
 */
#include "picture.h"

#include <stdlib.h>
#include <string.h>

/* A number of `bytes` bytes in a block of EXIF; 0 behind its end. */
static unsigned number_at(const uint8_t *block, unsigned size, bool large_first, unsigned at, unsigned bytes) {
    unsigned value = 0;
    if (at > size || bytes > size - at) return 0;
    for (unsigned i = 0; i < bytes; i++) value |= (unsigned)block[at + i] << 8 * (large_first ? bytes - 1 - i : i);
    return value;
}

int bnn_picture_orientation(const uint8_t *block, unsigned size) {
    enum { ENTRY = 12, ORIENTATION = 0x112, LONG = 4 };
    const bool large_first = size > 0 && block[0] == 'M';
    const unsigned directory = number_at(block, size, large_first, 4, 4), n = number_at(block, size, large_first, directory, 2);
    for (unsigned i = 0; i < n && directory < size; i++) {
        const unsigned at = directory + 2 + ENTRY * i;
        if (number_at(block, size, large_first, at, 2) != ORIENTATION) continue;
        const unsigned bytes = number_at(block, size, large_first, at + 2, 2) == LONG ? 4 : 2,
                       value = number_at(block, size, large_first, at + 8, bytes);
        return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}

/* Row r, column c of the picture as it is looked at is row i, column j of what is stored: orientations from 5 on exchange rows and columns,
 * and half of all count each of them from its end. */
static void put_pixels(const bnn_picture *p, int height, int width, const uint8_t *from, uint8_t *to) {
    const int o = p->orientation;
    const bool from_below = o == 3 || o == 4 || o == 6 || o == 7, from_right = o == 2 || o == 3 || o == 7 || o == 8;
    const size_t bytes = (size_t)p->channels;
    for (int r = 0; r < p->height; r++)
        for (int c = 0; c < p->width; c++, to += bytes) {
            const int down = o > 4 ? c : r, across = o > 4 ? r : c;
            const int i = from_below ? height - 1 - down : down, j = from_right ? width - 1 - across : across;
            memcpy(to, from + ((size_t)i * (size_t)width + (size_t)j) * bytes, bytes);
        }
}

bnn_status bnn_picture_turn(const char *path, bnn_picture *p) {
    const int height = p->height, width = p->width;
    uint8_t *stored = p->v;
    if (p->orientation > 4) p->height = width, p->width = height;
    if (p->orientation == 1 || !stored) return BNN_OK;
    p->v = NULL;
    bnn_status s = bnn_picture_room(path, p);
    if (s == BNN_OK) put_pixels(p, height, width, stored, p->v);
    free(stored);
    return s;
}
