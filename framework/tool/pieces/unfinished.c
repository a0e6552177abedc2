/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool/pieces/unfinished.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

/* Names the file; false: nothing is kept. */
static bool name_file(const tool_unfinished *u, char path[PATH_MAX]) {
    return u->out && snprintf(path, PATH_MAX, "%s.fit.%d.%d", u->out, u->engine, u->split) < PATH_MAX;
}

bnn_status tool_unfinished_open(const tool_unfinished *u, bool goes_on, const bnn_config *config, const bnn_data *train, bnn_run **run) {
    char path[PATH_MAX];
    if (!goes_on || !name_file(u, path) || access(path, F_OK) < 0) return bnn_run_new(config, train, run);
    bnn_origin origin = {.data_sha256 = (char *)u->table->sha256, .split = u->split};
    bnn_status s = bnn_run_resume(path, config, train, &origin, run);
    if (s == BNN_OK && (*run)->complete) {
        bnn_run_free(*run);
        s = bnn_fail(BNN_ERR_STATE, "%s: holds no fit on its way", path);
    }
    if (s == BNN_OK || s == BNN_ERR_MEMORY) return s;
    fprintf(stderr, "bnn: a fit begins anew: %s\n", bnn_error());
    return bnn_run_new(config, train, run);
}

void tool_unfinished_save(const tool_unfinished *u, const bnn_run *run) {
    char path[PATH_MAX];
    if (!name_file(u, path)) return;
    bnn_provenance provenance = tool_provenance(u->job, u->table, u->split);
    if (bnn_run_save(run, NULL, &provenance, path) < 0) tool_checkpoint_failed("fit");
}

void tool_unfinished_clear(tool_unfinished u) {
    char path[PATH_MAX];
    if (name_file(&u, path)) unlink(path);
}
