/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * log.c: a log of an older process, which a fit goes on with or refuses.
 * Input: the log.
 */
#include "helpers.h"
#include "target.h"
#include "tool/tool.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    static tool_course course;
    target_input in = {bytes, n};
    if (!course.run) {
        bnn_table *table = table_new(8, 2, 0, 1);
        bnn_data *rows = data_new(table);
        if (bnn_run_new(&(bnn_config){.net = "dense", .engine = "map:epochs=2"}, rows, &course.run) < 0) abort();
        bnn_data_free(rows);
        strcpy(table->sha256, "0");
        course.table = table;
    }
    course.log = target_file("log", &in);
    (void)target_told(tool_course_check_log(&course));
    return 0;
}
