/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "data/picture.h"

#include <bnn/cost.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What a file begins with, of the kinds that people have pictures in. */
static const struct {
    const char *begin;
    size_t from, length;
    const char *name; /* NULL: PNG */
} kinds[] = {{"\211PNG\r\n\032\n", 0, 8, NULL},
             {"GIF8", 0, 4, "a GIF"},
             {"BM", 0, 2, "a BMP"},
             {"II*\0", 0, 4, "a TIFF"},
             {"MM\0*", 0, 4, "a TIFF"},
             {"WEBP", 8, 4, "a WebP"},
             {"ftyp", 4, 4, "a HEIC or AVIF"},
             {"\0\0\0\014jP  ", 0, 8, "a JPEG 2000"}};

enum { LONGEST = 12 };

bnn_status bnn_picture_room(const char *path, bnn_picture *out) {
    double bytes = (double)out->width * out->height * out->channels;
    BNN_TRY(bnn_memory_check(bytes, path, "take a smaller picture"));
    out->v = malloc((size_t)bytes + 1);
    return out->v ? BNN_OK : bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for its pixels", path);
}

static bnn_status read_open(const char *path, FILE *file, bnn_picture_part part, bnn_picture *out) {
    char begin[LONGEST] = {0};
    size_t n = fread(begin, 1, sizeof begin, file);
    if (ferror(file)) return bnn_fail(BNN_ERR_FILE, "%s: %s", path, strerror(errno));
    rewind(file);
    if (n >= 3 && memcmp(begin, "\xFF\xD8\xFF", 3) == 0) return bnn_picture_read_jpeg(path, file, part, out);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (n < kinds[i].from + kinds[i].length || memcmp(begin + kinds[i].from, kinds[i].begin, kinds[i].length) != 0) continue;
        if (!kinds[i].name) return bnn_picture_read_png(path, file, part, out);
        return bnn_fail(BNN_ERR_FORMAT, "%s: is %s picture, and PNG and JPEG are read: convert it", path, kinds[i].name);
    }
    return bnn_fail(BNN_ERR_FORMAT, "%s: is neither PNG nor JPEG%s", path, n == 0 ? ": it is empty" : "");
}

bnn_status bnn_picture_read(const char *path, bnn_picture_part part, bnn_picture *out) {
    *out = (bnn_picture){.width = 0};
    FILE *file = fopen(path, "rb");
    if (!file) return bnn_fail(BNN_ERR_FILE, "%s: %s", path, strerror(errno));
    bnn_status s = read_open(path, file, part, out);
    fclose(file);
    if (s < 0) free(out->v), out->v = NULL;
    return s;
}
