/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_pictures.c: pictures and maps of labels out of PNG and JPEG files, of every kind that these have: read rightly, or refused by name.
 */
#include "files.h"

#include <bnn/import.h>
#include <bnn/remark.h>
#include <jpeglib.h>
#include <math.h>
#include <png.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- files ---- */

static const char *folder(const char *name) {
    ck_assert_int_eq(mkdir(files_path(name), 0777), 0);
    return files_path(name);
}

/* rows[h, bytes of a row] as a PNG of this kind, with a palette where it has one. */
static const char *png(const char *name, int w, int h, int depth, int color, bool interlaced, const uint8_t *rows, size_t bytes) {
    static const png_color palette[] = {{1, 2, 3}, {40, 50, 60}, {255, 0, 128}, {9, 9, 9}};
    FILE *f = fopen(files_path(name), "wb");
    png_structp p = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(p);
    png_bytep row[64];
    for (int i = 0; i < h; i++) row[i] = (png_bytep)rows + (size_t)i * bytes;
    png_init_io(p, f);
    png_set_IHDR(p, info, (png_uint_32)w, (png_uint_32)h, depth, color, interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, 0, 0);
    if (color == PNG_COLOR_TYPE_PALETTE) png_set_PLTE(p, info, palette, 4);
    png_write_info(p, info);
    png_write_image(p, row);
    png_write_end(p, NULL);
    png_destroy_write_struct(&p, &info);
    fclose(f);
    return files_path(name);
}

static const char *jpeg(const char *name, int w, int h, int channels, const uint8_t *v, const uint8_t *exif, unsigned exif_size) {
    struct jpeg_compress_struct j;
    struct jpeg_error_mgr errors;
    FILE *f = fopen(files_path(name), "wb");
    j.err = jpeg_std_error(&errors);
    jpeg_create_compress(&j);
    jpeg_stdio_dest(&j, f);
    j.image_width = (JDIMENSION)w, j.image_height = (JDIMENSION)h, j.input_components = channels;
    j.in_color_space = channels == 1 ? JCS_GRAYSCALE : channels == 3 ? JCS_RGB : JCS_CMYK;
    jpeg_set_defaults(&j);
    jpeg_set_quality(&j, 100, TRUE);
    jpeg_start_compress(&j, TRUE);
    if (exif) jpeg_write_marker(&j, JPEG_APP0 + 1, exif, exif_size);
    while (j.next_scanline < j.image_height) {
        JSAMPROW row = (JSAMPROW)v + (size_t)j.next_scanline * (size_t)(w * channels);
        jpeg_write_scanlines(&j, &row, 1);
    }
    jpeg_finish_compress(&j);
    jpeg_destroy_compress(&j);
    fclose(f);
    return files_path(name);
}

/* A colour picture of one value. */
static const char *plain(const char *name, int w, int h, uint8_t value) {
    static uint8_t v[64 * 64 * 3];
    memset(v, value, sizeof v);
    return png(name, w, h, 8, PNG_COLOR_TYPE_RGB, false, v, (size_t)w * 3);
}

static void keep_bytes(const char *name, long n) { ck_assert_int_eq(truncate(files_path(name), n), 0); }

/* ---- folders ---- */

static const bnn_import_about nothing = {0};

static bnn_table *import(bnn_picture_folders how, bnn_remarks **remarks) {
    bnn_table *t;
    OK(bnn_remarks_new(remarks));
    how.size = sizeof how, how.remarks = *remarks;
    ck_assert_msg(bnn_import_pictures(&how, &nothing, &t) == BNN_OK, "%s", bnn_error());
    return t;
}

/* Whether some remark has this code and holds this text. */
static bool says(const bnn_remarks *r, const char *code, const char *text) {
    for (int i = 0; i < bnn_remarks_count(r); i++)
        if (strcmp(bnn_remark_code(r, i), code) == 0 && strstr(bnn_remark_sentence(r, i), text)) return true;
    return false;
}

static void refused(bnn_picture_folders how, const char *sentence) {
    bnn_table *t;
    how.size = sizeof how;
    SAYS(bnn_import_pictures(&how, &nothing, &t), sentence);
    ck_assert_ptr_null(t);
}

/* ---- one file ---- */

/* The only picture in the folder "one", with channels last. */
static void reads(int channels, int n, const uint8_t *expected) {
    bnn_remarks *r;
    bnn_table *t = import((bnn_picture_folders){.folder = files_path("one")}, &r);
    ck_assert_int_eq(t->x_shape.d[0], channels);
    ck_assert_int_eq(bnn_shape_size(t->x_shape), n);
    for (int i = 0; i < n; i++) {
        int at = i % channels * (n / channels) + i / channels;
        ck_assert_msg(t->pixels[at] == expected[i], "%s: %d at %d, expected %d", t->ids[0], t->pixels[at], i, expected[i]);
    }
    ck_assert_int_eq(remove(files_path("one/x.png")), 0);
    bnn_table_free(t), bnn_remarks_free(r);
}

static void refuses(const char *sentence) { refused((bnn_picture_folders){.folder = files_path("one")}, sentence); }

START_TEST(png_of_every_kind_is_read) {
    const uint8_t bits[] = {0xB0, 0x40}, /* 1 0 1 1; 0 1 0 0 */ pairs[] = {0x1B}, indices[] = {2, 0, 3, 1}, grey[] = {7, 200, 0, 255};
    const uint8_t deep[] = {0x12, 0x34, 0xFF, 0xFF, 0x00, 0x90, 0x80, 0x00}, rgb[] = {1, 2, 3, 4, 5, 6};
    const uint8_t opaque[] = {1, 2, 3, 255, 4, 5, 6, 255}, clear[] = {1, 2, 3, 255, 4, 5, 6, 254}, grey_alpha[] = {9, 255, 8, 255};
    folder("one");
    png("one/x.png", 4, 2, 1, PNG_COLOR_TYPE_GRAY, false, bits, 1), reads(1, 8, (uint8_t[]){255, 0, 255, 255, 0, 255, 0, 0});
    png("one/x.png", 4, 1, 2, PNG_COLOR_TYPE_GRAY, false, pairs, 1), reads(1, 4, (uint8_t[]){0, 85, 170, 255});
    png("one/x.png", 4, 1, 8, PNG_COLOR_TYPE_PALETTE, false, indices, 4);
    reads(3, 12, (uint8_t[]){255, 0, 128, 1, 2, 3, 9, 9, 9, 40, 50, 60});
    png("one/x.png", 2, 2, 8, PNG_COLOR_TYPE_GRAY, true, grey, 2), reads(1, 4, grey);
    png("one/x.png", 4, 1, 16, PNG_COLOR_TYPE_GRAY, false, deep, 8), reads(1, 4, (uint8_t[]){0x12, 255, 1, 128});
    png("one/x.png", 2, 1, 8, PNG_COLOR_TYPE_RGB, false, rgb, 6), reads(3, 6, rgb);
    png("one/x.png", 2, 1, 8, PNG_COLOR_TYPE_RGB_ALPHA, false, opaque, 8), reads(3, 6, rgb);
    png("one/x.png", 2, 1, 8, PNG_COLOR_TYPE_GRAY_ALPHA, false, grey_alpha, 4), reads(1, 2, (uint8_t[]){9, 8});
    png("one/x.png", 2, 1, 8, PNG_COLOR_TYPE_RGB_ALPHA, false, clear, 8);
    refuses("one/x.png: has transparent pixels: put it on a background");
    files_remove();
}
END_TEST

static bnn_picture_folders one_map(void) { return (bnn_picture_folders){.folder = files_path("one"), .annotations = files_path("map")}; }

/* Labels are what the file holds, not the colours that it is shown in. */
START_TEST(labels_of_every_kind_are_read) {
    const uint8_t bits[] = {0xB0}, indices[] = {2, 0, 3, 1}, deep[] = {0, 5, 0, 1, 0, 0, 0, 7}, large[] = {0, 5, 1, 0, 0, 0, 0, 7};
    const double expected[3][4] = {{1, 0, 1, 1}, {2, 0, 3, 1}, {5, 1, 0, 7}};
    folder("one"), folder("map"), plain("one/x.png", 4, 1, 0);
    for (int k = 0; k < 3; k++) {
        bnn_remarks *r;
        if (k == 0) png("map/x.png", 4, 1, 1, PNG_COLOR_TYPE_GRAY, false, bits, 1);
        if (k == 1) png("map/x.png", 4, 1, 8, PNG_COLOR_TYPE_PALETTE, false, indices, 4);
        if (k == 2) png("map/x.png", 4, 1, 16, PNG_COLOR_TYPE_GRAY, false, deep, 8);
        bnn_table *t = import(one_map(), &r);
        for (int i = 0; i < 4; i++) ck_assert_double_eq(t->y[i], expected[k][i]);
        bnn_table_free(t), bnn_remarks_free(r);
    }
    png("map/x.png", 4, 1, 16, PNG_COLOR_TYPE_GRAY, false, large, 8);
    refused(one_map(), "map/x.png: has label 256, and labels end at 255");
    plain("map/x.png", 4, 1, 1);
    refused(one_map(), "map/x.png: has colours, and a map of labels has one number a pixel");
    jpeg("map/x.png", 4, 1, 1, bits, NULL, 0);
    refused(one_map(), "map/x.png: is a JPEG, which changes numbers, and a map of labels is a PNG");
    files_remove();
}
END_TEST

/* Blocks of one colour pass JPEG at quality 100 nearly as they are. A file called .png is told by its content. */
START_TEST(jpeg_is_read) {
    uint8_t v[16 * 8 * 4];
    bnn_remarks *r;
    for (int i = 0; i < 16 * 8; i++) v[3 * i] = i % 16 < 8 ? 200 : 20, v[3 * i + 1] = 100, v[3 * i + 2] = 50;
    folder("one"), jpeg("one/x.png", 16, 8, 3, v, NULL, 0);
    bnn_table *t = import((bnn_picture_folders){.folder = files_path("one")}, &r);
    ck_assert(bnn_shape_equal(t->x_shape, (bnn_shape){.rank = 3, .d = {3, 8, 16}}));
    for (int i = 0; i < 16 * 8; i += 7)
        for (int c = 0; c < 3; c++) ck_assert_int_le(abs(t->pixels[c * 128 + i] - v[3 * i + c]), i % 16 > 5 && i % 16 < 10 ? 90 : 3);
    ck_assert(!says(r, "pictures_turned", ""));
    bnn_table_free(t), bnn_remarks_free(r);
    jpeg("one/x.png", 16, 8, 4, v, NULL, 0);
    refuses("one/x.png: is a JPEG in CMYK: convert it to RGB");
    files_remove();
}
END_TEST

/* A dark picture whose stored first row and column meet in a light block: where the standard of EXIF (4.6.4) says that this corner is. */
START_TEST(orientation_is_followed) {
    static const struct {
        bool below, right, tall;
    } corner[] = {{0, 0, 0}, {0, 1, 0}, {1, 1, 0}, {1, 0, 0}, {0, 0, 1}, {0, 1, 1}, {1, 1, 1}, {1, 0, 1}};
    uint8_t v[16 * 8], exif[] = {'E', 'x', 'i', 'f', 0, 0, 'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 1, 0, 0};
    for (int i = 0; i < 16 * 8; i++) v[i] = i % 16 < 8 && i < 64 ? 200 : 20;
    folder("one");
    for (int k = 0; k < 8; k++) {
        bnn_remarks *r;
        exif[25] = (uint8_t)(k + 1);
        jpeg("one/x.jpg", 16, 8, 1, v, exif, sizeof exif);
        bnn_table *t = import((bnn_picture_folders){.folder = files_path("one")}, &r);
        const int height = corner[k].tall ? 16 : 8, width = 24 - height;
        ck_assert(bnn_shape_equal(t->x_shape, (bnn_shape){.rank = 3, .d = {1, height, width}}));
        for (int i = 0; i < 128; i++) {
            const bool light = (i / width >= height / 2) == corner[k].below && (i % width >= width / 2) == corner[k].right;
            ck_assert_msg(abs(t->pixels[i] - (light ? 200 : 20)) < 20, "orientation %d, pixel %d: %d", k + 1, i, t->pixels[i]);
        }
        ck_assert(says(r, "pictures_turned", "one/x.jpg") == (k > 0));
        bnn_table_free(t), bnn_remarks_free(r);
    }
    files_remove();
}
END_TEST

/* A map of labels must be as large as the picture that is looked at; who turned it by hand has one that fits. */
START_TEST(labels_are_of_the_turned_picture) {
    const uint8_t exif[] = {'E', 'x', 'i', 'f', 0, 0, 'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0};
    uint8_t v[16 * 8] = {0};
    bnn_remarks *r;
    folder("one"), folder("map");
    jpeg("one/x.jpg", 16, 8, 1, v, exif, sizeof exif);
    v[1] = 1, png("map/x.png", 16, 8, 8, PNG_COLOR_TYPE_GRAY, false, v, 16);
    refused(one_map(), "map/x.png: is 16x8, and the picture that it labels, ");
    png("map/x.png", 8, 16, 8, PNG_COLOR_TYPE_GRAY, false, v, 8);
    bnn_table *t = import(one_map(), &r);
    ck_assert_double_eq(t->y[1], 1);
    ck_assert(says(r, "pictures_turned", "one/x.jpg: 1; their labels are taken for those of what is turned"));
    bnn_table_free(t), bnn_remarks_free(r);
    files_remove();
}
END_TEST

/* One file in the place of a folder is the only row. */
START_TEST(one_picture_is_read_alone) {
    bnn_remarks *r;
    folder("one"), plain("one/x.png", 4, 2, 77), plain("one/y.png", 4, 2, 7);
    ck_assert(bnn_import_is_picture(files_path("one/x.png")) && !bnn_import_is_picture(files_path("one")));
    bnn_table *t = import((bnn_picture_folders){.folder = files_path("one/x.png")}, &r);
    ck_assert_int_eq(t->n, 1);
    ck_assert_int_eq(t->y_dim, 0);
    ck_assert_int_eq(t->pixels[23], 77);
    ck_assert_str_eq(t->ids[0], "x.png");
    bnn_table_free(t), bnn_remarks_free(r);
    refused((bnn_picture_folders){.folder = files_path("one/x.png"), .annotations = files_path("one")}, "one/x.png: Not a directory");
    files_remove();
}
END_TEST

START_TEST(what_is_no_picture_is_refused_by_name) {
    uint8_t v[64 * 64 * 3];
    for (size_t i = 0; i < sizeof v; i++) v[i] = (uint8_t)(i * i * 2654435761 >> 13);
    folder("one"), png("one/x.png", 64, 64, 8, PNG_COLOR_TYPE_RGB, false, v, 192), keep_bytes("one/x.png", 5000);
    refuses("one/x.png: is a damaged PNG: ");
    keep_bytes("one/x.png", 20);
    refuses("one/x.png: is a damaged PNG: ");
    jpeg("one/x.png", 64, 64, 3, v, NULL, 0), keep_bytes("one/x.png", 2000);
    refuses("one/x.png: is a damaged JPEG, or of a kind that is not read: ");
    keep_bytes("one/x.png", 0);
    refuses("one/x.png: is neither PNG nor JPEG: it is empty");
    files_write("one/x.png", "GIF89a...");
    refuses("one/x.png: is a GIF picture, and PNG and JPEG are read: convert it");
    files_remove();
}
END_TEST

/* ---- sizes ---- */

/* The grey picture v[h, w] in a frame: to[H, W]. */
static void framed(const uint8_t *v, int w, int h, bnn_picture_folders how, int n, const uint8_t *to) {
    bnn_remarks *r;
    png("one/x.png", w, h, 8, PNG_COLOR_TYPE_GRAY, false, v, (size_t)w);
    how.folder = files_path("one");
    bnn_table *t = import(how, &r);
    ck_assert_int_eq(bnn_shape_size(t->x_shape), n);
    ck_assert_mem_eq(t->pixels, to, (size_t)n);
    bnn_table_free(t), bnn_remarks_free(r);
}

START_TEST(sizes_are_means_of_areas_and_lines_between_centres) {
    const uint8_t v[] = {10, 20, 30, 40, 50, 60}, ends[] = {0, 100};
    folder("one");
    framed(v, 3, 2, (bnn_picture_folders){.width = 3, .height = 2}, 6, v);
    /* of columns 1 and half of 2: (10 + 20/2 + 40 + 50/2) / 3 = 28.33, and (20/2 + 30 + 50/2 + 60) / 3 = 41.67 */
    framed(v, 3, 2, (bnn_picture_folders){.width = 2, .height = 1}, 2, (uint8_t[]){28, 42});
    framed(v, 3, 2, (bnn_picture_folders){.width = 2, .height = 1, .frame_width = 4, .frame_height = 2}, 8,
           (uint8_t[]){0, 28, 42, 0, 0, 0, 0, 0});
    framed(ends, 2, 1, (bnn_picture_folders){.width = 4, .height = 1}, 4, (uint8_t[]){0, 25, 75, 100});
    framed(ends, 2, 1, (bnn_picture_folders){.channels = 3}, 6, (uint8_t[]){0, 100, 0, 100, 0, 100});
    files_remove();
}
END_TEST

START_TEST(colours_become_grey) {
    bnn_remarks *r;
    const uint8_t rgb[] = {100, 200, 50};
    folder("one"), png("one/x.png", 1, 1, 8, PNG_COLOR_TYPE_RGB, false, rgb, 3);
    bnn_table *t = import((bnn_picture_folders){.folder = files_path("one"), .channels = 1}, &r);
    ck_assert(t->x_shape.d[0] == 1 && t->pixels[0] == 153); /* 29.9 + 117.4 + 5.7 */
    bnn_table_free(t), bnn_remarks_free(r);
    files_remove();
}
END_TEST

START_TEST(labels_are_those_of_the_nearest_pixel) {
    const uint8_t v[] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
    const double expected[] = {0, 2, 6, -1, -1, -1}; /* 8 is void, and the row below is of the frame */
    bnn_remarks *r;
    bnn_picture_folders how = {.folder = folder("one"),
                               .annotations = folder("map"),
                               .width = 2,
                               .height = 2,
                               .frame_width = 2,
                               .frame_height = 3,
                               .has_void = true,
                               .void_label = 8};
    plain("one/x.png", 3, 3, 0), png("map/x.png", 3, 3, 8, PNG_COLOR_TYPE_GRAY, false, v, 3);
    bnn_table *t = import(how, &r);
    for (int i = 0; i < 6; i++) ck_assert_double_eq(t->y[i], expected[i]);
    bnn_table_free(t), bnn_remarks_free(r);
    files_remove();
}
END_TEST

/* ---- sets ---- */

/* Two folders of classes. */
static const char *zoo(void) {
    folder("zoo"), folder("zoo/b"), folder("zoo/a-c");
    plain("zoo/b/2.png", 4, 4, 20), plain("zoo/b/10.PNG", 4, 4, 100), plain("zoo/a-c/x.png", 4, 4, 7);
    files_write("zoo/README.txt", "about"), files_write("zoo/b/.hidden.png", "no picture");
    return files_path("zoo");
}

START_TEST(folders_are_classes) {
    bnn_remarks *r;
    bnn_table *t = import((bnn_picture_folders){.folder = zoo()}, &r);
    ck_assert(t->n == 3 && t->n_classes == 2 && t->n_splits == 0 && t->scale == BNN_SCALE_CHANNEL);
    ck_assert(bnn_shape_equal(t->x_shape, (bnn_shape){.rank = 3, .d = {3, 4, 4}}));
    ck_assert_str_eq(t->class_names[0], "a-c");
    ck_assert_str_eq(t->class_names[1], "b");
    ck_assert(t->y[0] == 0 && t->y[1] == 1 && t->y[2] == 1);
    ck_assert_str_eq(t->ids[0], "a-c/x.png");
    ck_assert_str_eq(t->ids[1], "b/10.PNG");
    ck_assert_str_eq(t->ids[2], "b/2.png");
    ck_assert(t->pixels[0] == 7 && t->pixels[48] == 100 && t->pixels[2 * 48 + 47] == 20);
    ck_assert(says(r, "files_skipped", "zoo/README.txt"));
    ck_assert_str_eq(t->title, "zoo");
    ck_assert_int_eq((int)strlen(t->raw_sha256), 64);
    bnn_table_free(t), bnn_remarks_free(r);
    files_remove();
}
END_TEST

START_TEST(further_folders_are_a_split) {
    bnn_remarks *r;
    zoo(), folder("val"), folder("val/b"), folder("test"), folder("test/a-c");
    plain("val/b/2.png", 4, 4, 1), plain("test/a-c/9.png", 4, 4, 2);
    bnn_table *t =
        import((bnn_picture_folders){.folder = files_path("zoo/"), .validation = files_path("val"), .test = files_path("test")}, &r);
    ck_assert(t->n == 5 && t->n_splits == 1 && t->role[2] == BNN_TRAIN && t->role[3] == BNN_VALIDATION && t->role[4] == BNN_TEST);
    ck_assert(t->y[3] == 1 && t->y[4] == 0);
    ck_assert_str_eq(t->ids[0], "zoo/a-c/x.png");
    ck_assert_str_eq(t->ids[3], "val/b/2.png");
    bnn_table_free(t), bnn_remarks_free(r);
    folder("test/new"), plain("test/new/1.png", 4, 4, 3);
    refused((bnn_picture_folders){.folder = files_path("zoo"), .test = files_path("test")},
            "test/new: is of a class that the first folder does not have");
    refused((bnn_picture_folders){.folder = files_path("zoo"), .test = files_path("val/b")}, "val/b: holds no folders of classes");
    files_remove();
}
END_TEST

START_TEST(pictures_of_several_sizes_want_one) {
    bnn_remarks *r;
    uint8_t grey[] = {50, 50, 50, 50};
    zoo(), plain("zoo/b/3.png", 8, 2, 200), png("zoo/b/grey.png", 2, 2, 8, PNG_COLOR_TYPE_GRAY, false, grey, 2);
    refused((bnn_picture_folders){.folder = files_path("zoo")}, "zoo/b/3.png: is 8x2, and ");
    refused((bnn_picture_folders){.folder = files_path("zoo")}, "zoo/a-c/x.png is 4x4: a size to bring all to has to be said (bnn import images --size 4x4)");
    bnn_table *t = import((bnn_picture_folders){.folder = files_path("zoo"), .width = 3, .height = 2}, &r);
    ck_assert(bnn_shape_equal(t->x_shape, (bnn_shape){.rank = 3, .d = {3, 2, 3}}));
    ck_assert(t->pixels[3 * 18] == 200 && t->pixels[4 * 18 + 17] == 50);
    ck_assert(says(r, "picture_sizes", "sizes: from 2x2 to 4x4, all brought to 3x2"));
    ck_assert(says(r, "picture_bent", "b/3.png is 8x2 and becomes 3x2, which changes its shape"));
    ck_assert(says(r, "pictures_grey", "colours: pictures in grey, with the same in each channel: 1 of 5"));
    bnn_table_free(t), bnn_remarks_free(r);
    t = import((bnn_picture_folders){.folder = files_path("zoo"), .width = 3, .height = 2, .channels = 1}, &r);
    ck_assert(t->x_shape.d[0] == 1 && t->pixels[3 * 6] == 200);
    bnn_table_free(t), bnn_remarks_free(r);
    refused((bnn_picture_folders){.folder = files_path("zoo"), .width = 3, .height = 2, .frame_width = 2, .frame_height = 2},
            "pictures of 3x2 do not fit into a frame of 2x2");
    files_remove();
}
END_TEST

/* Pictures for a fit have its classes, and as many. */
START_TEST(classes_may_be_given) {
    static const char *const names[] = {"x", "b", "a-c"};
    bnn_remarks *r;
    zoo();
    bnn_table *t = import((bnn_picture_folders){.folder = files_path("zoo"), .classes = names, .n_classes = 3, .range = true}, &r);
    ck_assert(t->n_classes == 3 && t->y[0] == 2 && t->y[1] == 1 && t->scale == BNN_SCALE_RANGE && t->range == 255);
    ck_assert_str_eq(t->class_names[0], "x");
    bnn_table_free(t), bnn_remarks_free(r);
    refused((bnn_picture_folders){.folder = files_path("zoo"), .classes = names, .n_classes = 2},
            "zoo/a-c: is of a class that the fit does not know");
    t = import((bnn_picture_folders){.folder = files_path("zoo/b"), .classes = names, .n_classes = 3}, &r);
    ck_assert(t->n == 2 && t->y_dim == 0 && t->n_classes == 0 && !says(r, "no_classes", ""));
    bnn_table_free(t), bnn_remarks_free(r);
    files_remove();
}
END_TEST

START_TEST(places_of_pictures_are_checked) {
    zoo(), folder("zoo/b/more");
    refused((bnn_picture_folders){.folder = files_path("zoo")}, "zoo/b/more: is a folder in the folder of a class, 'b'");
    rmdir(files_path("zoo/b/more")), plain("zoo/here.png", 4, 4, 1);
    refused((bnn_picture_folders){.folder = files_path("zoo")}, "zoo/here.png: is a picture beside the folders of classes");
    remove(files_path("zoo/here.png")), files_write("zoo/b/bad.jpg", "x");
    refused((bnn_picture_folders){.folder = files_path("zoo")}, "zoo/b/bad.jpg: is neither PNG nor JPEG");
    refused((bnn_picture_folders){.folder = files_path("nowhere")}, "nowhere: No such file or directory");
    folder("none");
    refused((bnn_picture_folders){.folder = files_path("none")},
            "none: holds no PNG or JPEG, and no data.txt as folders of the UCI layout do");
    files_remove();
}
END_TEST

START_TEST(parts_of_a_set_are_no_classes) {
    bnn_remarks *r;
    folder("set"), folder("set/train"), folder("set/val");
    plain("set/train/1.png", 2, 2, 1), plain("set/val/1.png", 2, 2, 2);
    bnn_table *t = import((bnn_picture_folders){.folder = files_path("set")}, &r);
    ck_assert(says(r, "class_is_part", "'train'"));
    bnn_table_free(t), bnn_remarks_free(r);
    t = import((bnn_picture_folders){.folder = files_path("set/val")}, &r);
    ck_assert(t->y_dim == 0 && t->n_classes == 0 && says(r, "no_classes", "none"));
    bnn_table_free(t), bnn_remarks_free(r);
    files_remove();
}
END_TEST

static bnn_picture_folders scenes(void) {
    return (bnn_picture_folders){.folder = files_path("scenes"), .annotations = files_path("labels"), .void_label = 9, .has_void = true};
}

/* Two pictures of 2x2 and the labels of their pixels, of which 9 is void. */
static void make_scenes(void) {
    const uint8_t one[] = {0, 2, 9, 0}, other[] = {2, 2, 0, 9};
    folder("scenes"), folder("labels");
    plain("scenes/b.png", 2, 2, 1), plain("scenes/a.jpg.png", 2, 2, 2);
    png("labels/b.png", 2, 2, 8, PNG_COLOR_TYPE_GRAY, false, one, 2);
    png("labels/a.jpg.PNG", 2, 2, 8, PNG_COLOR_TYPE_GRAY, false, other, 2);
}

START_TEST(pictures_have_maps_of_labels) {
    bnn_remarks *r;
    make_scenes(), plain("labels/c.png", 2, 2, 1);
    bnn_picture_folders how = scenes();
    how.class_names = "sky,road,car,tram";
    bnn_table *t = import(how, &r);
    ck_assert(bnn_shape_equal(t->y_shape, (bnn_shape){.rank = 2, .d = {2, 2}}));
    ck_assert(t->n == 2 && t->n_classes == 4 && t->y_dim == 4);
    const double y[] = {2, 2, 0, -1, 0, 2, -1, 0};
    for (int i = 0; i < 8; i++) ck_assert_double_eq(t->y[i], y[i]);
    ck_assert_str_eq(t->class_names[3], "tram");
    ck_assert(says(r, "labels_missing", "no pixel has 1"));
    ck_assert(says(r, "maps_without_picture", "labels/c.png"));
    bnn_table_free(t), bnn_remarks_free(r);
    how.class_names = "sky,road";
    refused(how, "there are labels 0 to 2, and names of 2 classes");
    files_remove();
}
END_TEST

START_TEST(maps_that_do_not_fit_are_refused) {
    const uint8_t far[] = {0, 255, 0, 0}, voids[] = {9, 9, 9, 9};
    make_scenes();
    png("labels/b.png", 2, 2, 8, PNG_COLOR_TYPE_GRAY, false, far, 2);
    refused(scenes(), "labels/b.png: has label 255, and classes are 0 to 127: if it stands for pixels that nobody knows, --void 255");
    png("labels/b.png", 2, 1, 8, PNG_COLOR_TYPE_GRAY, false, voids, 2);
    refused(scenes(), "labels/b.png: is 2x1, and the picture that it labels, ");
    png("labels/b.png", 2, 2, 8, PNG_COLOR_TYPE_GRAY, false, voids, 2);
    png("labels/a.jpg.PNG", 2, 2, 8, PNG_COLOR_TYPE_GRAY, false, voids, 2);
    refused(scenes(), "labels: all pixels are void");
    plain("scenes/b.jpg", 2, 2, 3);
    refused(scenes(), "another picture beside it is called so, with another ending");
    remove(files_path("scenes/b.jpg")), remove(files_path("labels/b.png"));
    refused(scenes(), "scenes/b.png: has no map of labels called b.png in ");
    plain("labels/b.png", 2, 2, 1), plain("labels/b.jpg", 2, 2, 1);
    refused(scenes(), "labels: holds b.");
    bnn_picture_folders how = scenes();
    how.test_annotations = files_path("labels");
    refused(how, "are annotations of no pictures");
    how.test_annotations = NULL, how.test = files_path("scenes");
    refused(how, "scenes: all folders have annotations, or none");
    files_remove();
}
END_TEST

int main(void) {
    return run_tests("pictures", (const TTest *const[]){
                                     png_of_every_kind_is_read, labels_of_every_kind_are_read, jpeg_is_read, orientation_is_followed,
                                     labels_are_of_the_turned_picture, one_picture_is_read_alone, what_is_no_picture_is_refused_by_name,
                                     sizes_are_means_of_areas_and_lines_between_centres, colours_become_grey,
                                     labels_are_those_of_the_nearest_pixel, folders_are_classes, further_folders_are_a_split,
                                     pictures_of_several_sizes_want_one, classes_may_be_given, places_of_pictures_are_checked,
                                     parts_of_a_set_are_no_classes, pictures_have_maps_of_labels, maps_that_do_not_fit_are_refused, NULL});
}
