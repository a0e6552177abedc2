/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * picture.h: pictures and maps of labels out of PNG and JPEG files.
 */
#ifndef BNN_PICTURE_H
#define BNN_PICTURE_H

#include <bnn/status.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* A picture, or a map of labels, as it stands in a file, upright. */
typedef struct {
    int width, height;
    int channels;    /* 1: grey, or labels; 3: red, green, blue */
    bool deep;       /* has 16 bits a number, of which the upper ones are read, rounded */
    int orientation; /* 1 to 8 (EXIF): how it was turned from what is stored; 1: not at all */
    uint8_t *v;      /* [height, width, channels] owned, by malloc; NULL: the head alone was read */
} bnn_picture;

/* Parts of a file that are wanted. */
typedef enum {
    BNN_PICTURE_HEAD,   /* all but v */
    BNN_PICTURE_PIXELS, /* colours from 0 to 255 */
    BNN_PICTURE_LABELS  /* the numbers of a grey PNG, or of the entries in its palette */
} bnn_picture_part;

/* Reads a file, told by its content. Refuses, by name, what is neither PNG nor JPEG or is damaged, pictures in CMYK or with transparent
 * pixels, and as a map of labels what has colours or was compressed with losses. */
bnn_status bnn_picture_read(const char *path, bnn_picture_part part, bnn_picture *out);
/* The orientation that a block of EXIF tells (tag 0x112 of its first directory); 1 where it tells none. */
int bnn_picture_orientation(const uint8_t *block, unsigned size);
/* Turns what was read as it is stored. */
bnn_status bnn_picture_turn(const char *path, bnn_picture *picture);
/* Makes room for v, and says so where there is none. */
bnn_status bnn_picture_room(const char *path, bnn_picture *out);
/* The same of a file that stands at its beginning, as it is stored. */
bnn_status bnn_picture_read_png(const char *path, FILE *file, bnn_picture_part part, bnn_picture *out);
bnn_status bnn_picture_read_jpeg(const char *path, FILE *file, bnn_picture_part part, bnn_picture *out);

/* Puts a picture into a frame of C x H x W bytes: brought to `channels` (grey: .299 red + .587 green + .114 blue), and to width x height by
 * the mean of the area that a pixel covers, where there are fewer of them, and by straight lines between their centres, where there are
 * more. Works in double and rounds once. */
typedef struct {
    int width, height;             /* of the picture in the frame */
    int frame_width, frame_height; /* of the frame, in whose middle it is; black around it */
    int channels;
} bnn_picture_frame;
bnn_status bnn_picture_fit(const bnn_picture *picture, const bnn_picture_frame *frame, uint8_t *to);
/* The same of a map of labels, by the nearest pixel: y[H, W], -1 where the label is void_label and around it. */
void bnn_picture_fit_labels(const bnn_picture *labels, const bnn_picture_frame *frame, int void_label, double *y);

#endif
