/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool/tool.h"

#include <stdio.h>

void tool_print_verdicts(const bnn_remarks *verdicts) {
    static const char *const name[] = {[BNN_REMARK_NOTE] = "note", [BNN_REMARK_WARNING] = "warning", [BNN_REMARK_BAD] = "bad"};
    if (verdicts && bnn_remarks_count(verdicts) == 0) printf("verdict: nothing speaks against it\n");
    for (bnn_severity severity = BNN_REMARK_BAD; (int)severity >= BNN_REMARK_NOTE; severity--)
        for (int i = 0; i < bnn_remarks_count(verdicts); i++)
            if (bnn_remark_severity(verdicts, i) == severity)
                printf("%s: %s: %s\n", name[severity], bnn_remark_code(verdicts, i), bnn_remark_sentence(verdicts, i));
}
