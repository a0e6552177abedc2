/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "picture.h"

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

/* All that is alive while libpng may jump back. */
typedef struct {
    const char *path;
    FILE *file;
    bnn_picture_part part;
    bnn_picture *out;
    png_structp png;
    png_infop info;
    uint8_t *pixels; /* as libpng gives them */
    png_bytep *row;  /* [height] into pixels */
    bnn_status status;
    char message[128];
} reader;

static void on_error(png_structp png, png_const_charp message) {
    reader *r = png_get_error_ptr(png);
    snprintf(r->message, sizeof r->message, "%s", message);
    png_longjmp(png, 1);
}

/* Nothing depends on a damaged text or date in a file. */
static void on_warning(png_structp png, png_const_charp message) { (void)png, (void)message; }

static bnn_status check_labels(const char *path, int color) {
    if (color == PNG_COLOR_TYPE_GRAY || color == PNG_COLOR_TYPE_PALETTE) return BNN_OK;
    return bnn_fail(BNN_ERR_FORMAT, "%s: has colours, and a map of labels has one number a pixel: a grey PNG, or one with a palette", path);
}

/* Asks for 8 bits a number, and of a picture for its colours. */
static void ask(reader *r, int color) {
    const int depth = png_get_bit_depth(r->png, r->info);
    if (r->part == BNN_PICTURE_LABELS) {
        if (depth < 8) png_set_packing(r->png);
    } else {
        png_set_expand(r->png);
        if (depth == 16) png_set_scale_16(r->png);
    }
    if (color == PNG_COLOR_TYPE_PALETTE && r->part == BNN_PICTURE_PIXELS) png_set_palette_to_rgb(r->png);
    png_set_interlace_handling(r->png);
    png_read_update_info(r->png, r->info);
}

static bool make_room(reader *r) {
    const size_t bytes = png_get_rowbytes(r->png, r->info), height = (size_t)r->out->height;
    r->status = bnn_picture_room(r->path, r->out);
    if (r->status < 0) return false;
    r->pixels = malloc(bytes * height + 1), r->row = malloc(height * sizeof *r->row);
    if (!r->pixels || !r->row) {
        r->status = bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for its pixels", r->path);
        return false;
    }
    for (size_t i = 0; i < height; i++) r->row[i] = r->pixels + i * bytes;
    return true;
}

/* Labels of 16 bits stand with the upper ones first. */
static bnn_status take_labels(const reader *r) {
    const size_t n = (size_t)r->out->width * (size_t)r->out->height, bytes = r->out->deep ? 2 : 1;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *label = r->pixels + i * bytes;
        if (bytes == 2 && label[0] > 0)
            return bnn_fail(BNN_ERR_DATA, "%s: has label %d, and labels end at 255", r->path, 256 * label[0] + label[1]);
        r->out->v[i] = label[bytes - 1];
    }
    return BNN_OK;
}

/* Colours without the alpha that may stand behind them. */
static bnn_status take_pixels(const reader *r, int channels) {
    const size_t n = (size_t)r->out->width * (size_t)r->out->height, wanted = (size_t)r->out->channels, given = (size_t)channels;
    for (size_t i = 0; i < n; i++) {
        if (given > wanted && r->pixels[i * given + wanted] != 255)
            return bnn_fail(BNN_ERR_DATA, "%s: has transparent pixels: put it on a background", r->path);
        memcpy(r->out->v + i * wanted, r->pixels + i * given, wanted);
    }
    return BNN_OK;
}

/* A block of EXIF that stands behind the pixels is not seen. */
static void find_orientation(reader *r) {
    png_uint_32 size;
    png_bytep exif;
    if (png_get_eXIf_1(r->png, r->info, &size, &exif)) r->out->orientation = bnn_picture_orientation(exif, size);
}

static void read_all(reader *r) {
    png_init_io(r->png, r->file);
    png_read_info(r->png, r->info);
    const int color = png_get_color_type(r->png, r->info);
    r->out->width = (int)png_get_image_width(r->png, r->info), r->out->height = (int)png_get_image_height(r->png, r->info);
    r->out->channels = color & PNG_COLOR_MASK_COLOR && r->part != BNN_PICTURE_LABELS ? 3 : 1;
    r->out->deep = png_get_bit_depth(r->png, r->info) == 16;
    find_orientation(r);
    if (r->part == BNN_PICTURE_HEAD) return;
    if (r->part == BNN_PICTURE_LABELS && (r->status = check_labels(r->path, color)) < 0) return;
    ask(r, color);
    if (!make_room(r)) return;
    png_read_image(r->png, r->row);
    png_read_end(r->png, NULL);
    r->status = r->part == BNN_PICTURE_LABELS ? take_labels(r) : take_pixels(r, png_get_channels(r->png, r->info));
}

bnn_status bnn_picture_read_png(const char *path, FILE *file, bnn_picture_part part, bnn_picture *out) {
    reader r = {.path = path, .file = file, .part = part, .out = out};
    r.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r, on_error, on_warning);
    r.info = r.png ? png_create_info_struct(r.png) : NULL;
    if (!r.info)
        r.status = bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for a reader of PNG", path);
    else if (setjmp(png_jmpbuf(r.png)) == 0)
        read_all(&r);
    else
        r.status = bnn_fail(BNN_ERR_FORMAT, "%s: is a damaged PNG: %s", path, r.message);
    png_destroy_read_struct(&r.png, &r.info, NULL);
    free(r.pixels), free(r.row);
    return r.status;
}
