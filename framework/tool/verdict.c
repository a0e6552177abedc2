/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool.h"

#include <stdio.h>

bnn_status tool_judge(const bnn_run *run, const bnn_data *train, const bnn_prediction *prediction, const bnn_data *rows, int training,
                      bnn_remarks **out) {
    BNN_TRY(bnn_remarks_new(out));
    bnn_status s = train ? bnn_judge_fit(run, train, *out) : BNN_OK;
    if (s == BNN_OK && (rows || train)) s = bnn_judge_chains(run, rows ? rows : train, *out);
    if (s == BNN_OK && prediction) s = bnn_judge_prediction(run, prediction, rows, training, *out);
    if (s == BNN_OK) return s;
    bnn_remarks_free(*out);
    *out = NULL;
    return s;
}

void tool_print_verdicts(const bnn_remarks *verdicts) {
    static const char *const name[] = {[BNN_REMARK_NOTE] = "note", [BNN_REMARK_WARNING] = "warning", [BNN_REMARK_BAD] = "bad"};
    if (verdicts && bnn_remarks_count(verdicts) == 0) printf("verdict: nothing speaks against it\n");
    for (bnn_severity severity = BNN_REMARK_BAD; (int)severity >= BNN_REMARK_NOTE; severity--)
        for (int i = 0; i < bnn_remarks_count(verdicts); i++)
            if (bnn_remark_severity(verdicts, i) == severity)
                printf("%s: %s: %s\n", name[severity], bnn_remark_code(verdicts, i), bnn_remark_sentence(verdicts, i));
}
