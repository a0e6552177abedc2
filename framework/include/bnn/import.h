/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * import.h: tables from the files that data come in. Every value is checked: what is missing or no number is refused by row (counted from
 * 1, a header not counted) and column.
 */
#ifndef BNN_IMPORT_H
#define BNN_IMPORT_H

#include <bnn/data.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Images and labels in IDX (MNIST's format), plain or gzipped: a label for each image, or for each pixel. The second pair (both NULL: none)
 * are test rows and make one split. */
typedef struct {
    const char *images, *labels;           /* paths */
    const char *test_images, *test_labels; /* paths, or NULL */
    int void_label;                        /* label of pixels that nobody knows the class of */
    bool has_void;                         /* there is one; not of images with one label */
    bnn_remarks *remarks;                  /* takes what is odd about labels; NULL: nobody asks */
} bnn_idx_files;
/* Pixels are features 0..255, scaled by BNN_SCALE_RANGE. */
bnn_status bnn_import_idx(const bnn_idx_files *files, const bnn_import_about *about, bnn_table **out);

/* Folders of pictures. All zeros beside `folder` read it as it is. */
typedef struct {
    size_t size;                        /* of this struct */
    const char *folder;                 /* folders with the pictures of a class; or, with annotations, pictures; or pictures to predict,
                                         * which may be one file */
    const char *annotations;            /* a folder of PNGs that are called like the pictures, with a label for each pixel; NULL: none */
    const char *validation, *test;      /* further folders like it, whose pictures have these roles in one split; NULL: none */
    const char *validation_annotations; /* their maps of labels */
    const char *test_annotations;       /* likewise */
    int width, height;                  /* that pictures are brought to; 0: all are of one size */
    int frame_width, frame_height;      /* of a black frame, void in maps, in whose middle they are put; 0: none */
    int channels;                       /* 1: grey, 3: colour; 0: colour if any picture has colours */
    int void_label;                     /* label of pixels that nobody knows the class of */
    bool has_void;                      /* there is one */
    const char *class_names;            /* of maps, with commas between them; NULL: "0", "1", ... */
    int n_classes;                      /* of a fit that the pictures are for; 0: the folders say which there are */
    const char *const *classes;         /* [n_classes] their names, in their order; a folder of another name is refused */
    bool range;                         /* scaled by BNN_SCALE_RANGE, as v / 255 */
    bnn_remarks *remarks;               /* takes what was guessed and what is odd; NULL: nobody asks */
} bnn_picture_folders;

/* Says whether a file begins like a picture, also of a kind that is not read: bnn_import_pictures refuses those by the name of their kind.
 */
bool bnn_import_is_picture(const char *path);
/* PNG and JPEG, as bytes in the order of their paths, which become their ids; classes are called like the folders, sorted by bytes.
 * Scaled by BNN_SCALE_CHANNEL unless `range` is set. Refuses by name what is damaged, transparent or in CMYK, and pictures of several sizes
 * without one to bring them to. raw_sha256 is that of the lines that sha256sum prints of the pictures. */
bnn_status bnn_import_pictures(const bnn_picture_folders *folders, const bnn_import_about *about, bnn_table **out);

#ifdef __cplusplus
}
#endif

#endif
