/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * uci.c: folders of the benchmark of UCI.
 * Input: the six files, with form feeds between them.
 */
#include "files.h"
#include "target.h"

#include <bnn/import.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    static const char *const names[] = {"uci/data.txt",          "uci/index_features.txt", "uci/index_target.txt",
                                        "uci/index_train_0.txt", "uci/index_test_0.txt",   "uci/n_splits.txt"};
    target_input in = {bytes, n};
    bnn_table *t = NULL;
    mkdir(files_path("uci"), 0777);
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        target_input part = target_part(&in);
        target_file(names[k], &part);
    }
    target_table(bnn_import_uci(files_path("uci"), NULL, &t), t);
    return 0;
}
