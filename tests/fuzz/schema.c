/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * schema.c: rows by what the columns of another table mean.
 * Input: a byte of options, then that table and the rows, both texts, with a form feed between them.
 */
#include "files.h"
#include "target.h"

#include <bnn/import.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    target_input in = {bytes, n};
    bnn_table *known = NULL, *t = NULL;
    unsigned how = target_byte(&in);
    target_input first = target_part(&in);
    bnn_csv_options of_known = {
        .size = sizeof of_known, .missing = (bnn_missing)(how % 3), .classes = how >> 2 & 1, .levels = how >> 3 & 1 ? "code" : NULL};
    const char *path = target_file("known.csv", &first);
    if (bnn_import_csv(path, &of_known, NULL, &known) < 0) return 0;
    bnn_csv_options of_rows = {
        .size = sizeof of_rows, .header = (bnn_header)((how >> 4) % 3), .other = how >> 6 & 1 ? "red" : NULL, .id = how >> 7 ? "a" : NULL};
    path = target_file("t.csv", &in);
    target_table(bnn_import_like(path, known->schema, &of_rows, NULL, &t), t);
    bnn_table_free(known);
    return 0;
}
