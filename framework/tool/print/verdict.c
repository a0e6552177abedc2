/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool/tool.h"

#include <stdio.h>

int tool_count_bad(const bnn_remarks *verdicts) {
    int bad = 0;
    for (int i = 0; i < bnn_remarks_count(verdicts); i++) bad += bnn_remark_severity(verdicts, i) == BNN_REMARK_BAD;
    return bad;
}

void tool_print_verdicts(const bnn_remarks *verdicts) {
    if (verdicts && bnn_remarks_count(verdicts) == 0) printf("verdict: nothing speaks against it\n");
    for (int severity = BNN_REMARK_BAD; severity >= BNN_REMARK_NOTE; severity--)
        for (int i = 0; i < bnn_remarks_count(verdicts); i++)
            if ((int)bnn_remark_severity(verdicts, i) == severity)
                printf("%s: %s: %s\n", bnn_severity_name((bnn_severity)severity), bnn_remark_code(verdicts, i),
                       bnn_remark_sentence(verdicts, i));
}
