/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "picture.h"

#include <jerror.h>
#include <jpeglib.h>
#include <setjmp.h>
#include <string.h>

/* All that is alive while libjpeg may jump back; the manager stands first, where libjpeg points. */
typedef struct {
    struct jpeg_error_mgr manager;
    jmp_buf back;
    struct jpeg_decompress_struct jpeg;
    const char *path;
    bnn_picture_part part;
    bnn_picture *out;
    bnn_status status;
    char message[JMSG_LENGTH_MAX];
} reader;

static void on_error(j_common_ptr jpeg) {
    reader *r = (reader *)jpeg->err;
    jpeg->err->format_message(jpeg, r->message);
    longjmp(r->back, 1);
}

/* A warning (level -1) is a file that breaks off, or bits that cannot be, where libjpeg makes up what is missing; some are about bytes that
 * it can do without. */
static void on_message(j_common_ptr jpeg, int level) {
    const int code = jpeg->err->msg_code;
    if (level < 0 && code != JWRN_EXTRANEOUS_DATA && code != JWRN_ADOBE_XFORM && code != JWRN_JFIF_MAJOR) on_error(jpeg);
}

/* The orientation that a marker tells; 1, upright, where it is not of EXIF. */
static int orientation_of(jpeg_saved_marker_ptr marker) {
    enum { HEAD = 6 };
    if (marker->data_length < HEAD || memcmp(marker->data, "Exif\0\0", HEAD) != 0) return 1;
    return bnn_picture_orientation(marker->data + HEAD, marker->data_length - HEAD);
}

static bnn_status check_kind(const reader *r) {
    if (r->part == BNN_PICTURE_LABELS)
        return bnn_fail(BNN_ERR_FORMAT, "%s: is a JPEG, which changes numbers, and a map of labels is a PNG", r->path);
    if (r->jpeg.num_components == 1 || r->jpeg.num_components == 3) return BNN_OK;
    return bnn_fail(BNN_ERR_FORMAT, "%s: is a JPEG in CMYK: convert it to RGB", r->path);
}

static void read_all(reader *r, FILE *file) {
    jpeg_create_decompress(&r->jpeg);
    jpeg_stdio_src(&r->jpeg, file);
    jpeg_save_markers(&r->jpeg, JPEG_APP0 + 1, 0xFFFF);
    jpeg_read_header(&r->jpeg, TRUE);
    if ((r->status = check_kind(r)) < 0) return;
    r->out->width = (int)r->jpeg.image_width, r->out->height = (int)r->jpeg.image_height, r->out->channels = r->jpeg.num_components;
    for (jpeg_saved_marker_ptr m = r->jpeg.marker_list; m && r->out->orientation == 1; m = m->next) r->out->orientation = orientation_of(m);
    if (r->part == BNN_PICTURE_HEAD || (r->status = bnn_picture_room(r->path, r->out)) < 0) return;
    r->jpeg.out_color_space = r->out->channels == 3 ? JCS_RGB : JCS_GRAYSCALE;
    r->jpeg.dct_method = JDCT_ISLOW; /* the same bits on every processor */
    jpeg_start_decompress(&r->jpeg);
    while (r->jpeg.output_scanline < r->jpeg.output_height) {
        JSAMPROW row = r->out->v + (size_t)r->jpeg.output_scanline * (size_t)(r->out->width * r->out->channels);
        jpeg_read_scanlines(&r->jpeg, &row, 1);
    }
    jpeg_finish_decompress(&r->jpeg);
}

bnn_status bnn_picture_read_jpeg(const char *path, FILE *file, bnn_picture_part part, bnn_picture *out) {
    reader r = {.path = path, .part = part, .out = out};
    r.jpeg.err = jpeg_std_error(&r.manager);
    r.manager.error_exit = on_error, r.manager.emit_message = on_message;
    if (setjmp(r.back) == 0)
        read_all(&r, file);
    else
        r.status = bnn_fail(BNN_ERR_FORMAT, "%s: is a damaged JPEG, or of a kind that is not read: %s", path, r.message);
    jpeg_destroy_decompress(&r.jpeg);
    return r.status;
}
