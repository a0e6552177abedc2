/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * idx.c: images and labels of MNIST's format, plain or gzipped.
 * Input: two bytes (the length of the file of labels), the labels, the images.
 */
#include "target.h"

#include <bnn/import.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    target_input in = {bytes, n};
    bnn_table *t = NULL;
    size_t length = target_byte(&in) << 8 | target_byte(&in);
    target_input labels = {in.at, length < in.n ? length : in.n}, images = {in.at + labels.n, in.n - labels.n};
    bnn_idx_files files = {.labels = target_file("labels", &labels), .images = target_file("images", &images)};
    target_table(bnn_import_idx(&files, NULL, &t), t);
    return 0;
}
