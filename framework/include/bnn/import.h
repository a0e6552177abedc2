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

/* Images and labels in IDX (MNIST's format), plain or gzipped. The second pair (both NULL: none) are test rows and make one split. */
typedef struct {
    const char *images, *labels;           /* paths */
    const char *test_images, *test_labels; /* paths, or NULL */
} bnn_idx_files;
/* Pixels are features 0..255, scaled by BNN_SCALE_RANGE. */
bnn_status bnn_import_idx(const bnn_idx_files *files, const bnn_import_about *about, bnn_table **out);

#ifdef __cplusplus
}
#endif

#endif
