/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * pictures.c: a folder with a picture, PNG or JPEG, and a map of its labels. The checksums in a PNG, which no change would survive, are put
 * right. Input: a byte (1: the map is the file, else the picture; 2: pictures are brought to another size; 4: checksums stay), then the
 * file.
 */
#include "files.h"
#include "target.h"

#include <bnn/import.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

static uint32_t big_endian(const uint8_t *at) { return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]; }

/* A chunk is its length, 4 letters, content, and the checksum of letters and content. */
static void mend(uint8_t *v, size_t n) {
    for (size_t at = 8; at + 12 <= n;) {
        size_t length = big_endian(v + at);
        if (length > n - at - 12) return;
        uint32_t sum = (uint32_t)crc32(0, v + at + 4, (unsigned)length + 4);
        for (size_t i = 0; i < 4; i++) v[at + 8 + length + i] = (uint8_t)(sum >> (24 - 8 * i));
        at += 12 + length;
    }
}

/* A grey PNG of one pixel, for the one of the two that is not the input. */
static const uint8_t pixel[] = {137, 80, 78, 71, 13, 10, 26,  10,  0,   0,  0, 13, 73, 72, 68, 82, 0,  0,   0,   1,   0,  0,  0,
                                1,   8,  0,  0,  0,  0,  58,  126, 155, 85, 0, 0,  0,  10, 73, 68, 65, 84,  120, 156, 99, 96, 0,
                                0,   0,  2,  0,  1,  72, 175, 164, 113, 0,  0, 0,  0,  73, 69, 78, 68, 174, 66,  96,  130};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    target_input in = {bytes, n}, other = {pixel, sizeof pixel};
    bnn_table *t = NULL;
    unsigned how = target_byte(&in);
    uint8_t *copy = malloc(in.n + 1);
    memcpy(copy, in.at, in.n);
    if (!(how & 4)) mend(copy, in.n);
    in.at = copy;
    mkdir(files_path("p"), 0777), mkdir(files_path("q"), 0777);
    target_file("p/a.png", how & 1 ? &other : &in), target_file("q/a.png", how & 1 ? &in : &other);
    bnn_picture_folders folders = {.size = sizeof folders, .folder = files_path("p"), .annotations = files_path("q")};
    if (how & 2) folders.width = 3, folders.height = 2;
    target_table(bnn_import_pictures(&folders, NULL, &t), t);
    free(copy);
    return 0;
}
