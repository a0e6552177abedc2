/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * gallery.h: which files the pictures of some folders are, and what they belong to; not yet what is in them.
 */
#ifndef BNN_GALLERY_H
#define BNN_GALLERY_H

#include <bnn/import.h>

typedef struct {
    char *path;          /* of the file */
    char *id;            /* what it is known by: its path below the folder that was named */
    char *map;           /* of its labels; NULL: there are none */
    int class;           /* of a folder of a class, else -1 */
    bnn_split_role role; /* that its folder has */
} bnn_exhibit;

/* Pictures by role, those of a role in the order of their ids by bytes. */
typedef struct {
    int n, room;
    bnn_exhibit *picture; /* [n] */
    int n_classes;        /* folders of classes; 0: there are none */
    char **class_names;   /* [n_classes] */
    bool known;           /* they were given: no other may come */
    int skipped;          /* files that do not say that they are pictures, and */
    char *a_skipped;      /* one of them; NULL: there are none */
    int spare;            /* maps of labels of no picture, and */
    char *a_spare;        /* one of them; NULL: there are none */
} bnn_gallery;

/* Finds the pictures of all folders. Refuses, by name, what is in a place where it has none. */
bnn_status bnn_gallery_open(const bnn_picture_folders *folders, bnn_gallery *out);
void bnn_gallery_close(bnn_gallery *gallery); /* what is inside; also after an opening that failed */

#endif
