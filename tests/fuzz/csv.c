/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * csv.c: tables out of texts.
 * Input: two bytes from which the options are drawn, then the file.
 */
#include "fuzz.h"
#include "target.h"

#include <bnn/import.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    target_input in = {bytes, n};
    bnn_table *t = NULL;
    fuzz_begin(target_byte(&in) << 8 | target_byte(&in));
    bnn_csv_options how = fuzz_csv_options();
    const char *path = target_file("t.csv", &in);
    target_table(bnn_import_csv(path, &how, NULL, &t), t);
    return 0;
}
