/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool/tool.h"

#include <stdio.h>

const char *tool_severity_name(bnn_severity severity) {
    static const char *const name[] = {[BNN_REMARK_NOTE] = "note", [BNN_REMARK_WARNING] = "warning", [BNN_REMARK_BAD] = "bad"};
    return name[severity];
}

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
                printf("%s: %s: %s\n", tool_severity_name((bnn_severity)severity), bnn_remark_code(verdicts, i),
                       bnn_remark_sentence(verdicts, i));
}
