/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "picture.h"

#include <bnn/import.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The first bytes of a file of the kinds that people have pictures in. */
typedef struct {
    const char *begin;
    size_t from, length;
    const char *name;
    bnn_status (*read)(const char *path, FILE *file, bnn_picture_part part, bnn_picture *out); /* NULL: is not read */
} kind;
static const kind kinds[] = {{"\211PNG\r\n\032\n", 0, 8, "a PNG", bnn_picture_read_png},
                             {"\xFF\xD8\xFF", 0, 3, "a JPEG", bnn_picture_read_jpeg},
                             {"GIF8", 0, 4, "a GIF", NULL},
                             {"BM", 0, 2, "a BMP", NULL},
                             {"II*\0", 0, 4, "a TIFF", NULL},
                             {"MM\0*", 0, 4, "a TIFF", NULL},
                             {"WEBP", 8, 4, "a WebP", NULL},
                             {"ftyp", 4, 4, "a HEIC or AVIF", NULL},
                             {"\0\0\0\014jP  ", 0, 8, "a JPEG 2000", NULL}};

enum { LONGEST = 12 };

/* The kind of a file that begins with these bytes; NULL: of none. */
static const kind *find_kind(const char *begin, size_t n) {
    for (const kind *k = kinds; k < kinds + sizeof kinds / sizeof *kinds; k++)
        if (n >= k->from + k->length && memcmp(begin + k->from, k->begin, k->length) == 0) return k;
    return NULL;
}

/* A text may begin with BM or GIF8, too, but has no zero byte there. */
bool bnn_import_is_picture(const char *path) {
    char begin[LONGEST];
    struct stat about;
    FILE *file = stat(path, &about) == 0 && S_ISREG(about.st_mode) ? fopen(path, "rb") : NULL;
    size_t n = file ? fread(begin, 1, sizeof begin, file) : 0;
    if (file) fclose(file);
    return find_kind(begin, n) && memchr(begin, 0, n);
}

static bnn_status read_open(const char *path, FILE *file, bnn_picture_part part, bnn_picture *out) {
    char begin[LONGEST] = {0};
    size_t n = fread(begin, 1, sizeof begin, file);
    if (ferror(file)) return bnn_fail(BNN_ERR_FILE, "%s: %s", path, strerror(errno));
    rewind(file);
    const kind *k = find_kind(begin, n);
    if (!k) return bnn_fail(BNN_ERR_FORMAT, "%s: is neither PNG nor JPEG%s", path, n == 0 ? ": it is empty" : "");
    if (!k->read) return bnn_fail(BNN_ERR_FORMAT, "%s: is %s picture, and PNG and JPEG are read: convert it", path, k->name);
    return k->read(path, file, part, out);
}

bnn_status bnn_picture_read(const char *path, bnn_picture_part part, bnn_picture *out) {
    *out = (bnn_picture){.orientation = 1};
    FILE *file = fopen(path, "rb");
    if (!file) return bnn_fail(BNN_ERR_FILE, "%s: %s", path, strerror(errno));
    bnn_status s = read_open(path, file, part, out);
    fclose(file);
    if (s == BNN_OK) s = bnn_picture_turn(path, out);
    if (s < 0) free(out->v), out->v = NULL;
    return s;
}
