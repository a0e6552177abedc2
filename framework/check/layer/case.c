/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const bnn_mode_names[] = {"MEAN", "ROWS", "DRAW"};

int bnn_case_times(const bnn_layer *l, int rows, int least, int most) {
    const double budget = 1e8; /* operations */
    double times = budget / (1 + l->plan.flops_pass + rows * (l->plan.flops_row + bnn_layer_size_out(l)));
    return times >= most || most <= least ? most : times <= least ? least : (int)times;
}

int bnn_case_pick(int j, int m, int n) {
    double place = j + fmod(j * 0.6180339887498949, 1); /* steps of the golden ratio: no width of an image divides them */
    return m == n ? j : j == m - 1 ? n - 1 : (int)(place * n / m);
}

int bnn_first_node(const bnn_net *net, const bnn_layer_type *t) {
    for (int i = 0; i < net->n_nodes; i++)
        if (bnn_layer_vtable(&net->node[i].layer) == t && net->node[i].layer.n_in > 0) return i;
    return -1;
}

bnn_status bnn_case_ask(bnn_checker *c, const bnn_layer_case *k, bnn_layer_rule *rule) {
    bnn_checker within = *c;
    within.now.outcome = BNN_HOLDS;
    BNN_TRY(rule(&within, k));
    if (within.now.outcome == BNN_BROKEN) c->now = within.now;
    return BNN_OK;
}

bnn_status bnn_spec_with_option(const bnn_type *type, const char *spec, const char *key, const char *value, char **out) {
    bnn_netspec net;
    char *options;
    int i = 0;
    *out = NULL;
    BNN_TRY(bnn_netspec_parse(spec, &net));
    while (i < net.n - 1 && strcmp(net.s[i].type, type->name) != 0) i++;
    if (asprintf(&options, "%s%s%s=%s", net.s[i].options, *net.s[i].options ? "," : "", key, value) >= 0) {
        free(net.s[i].options);
        net.s[i].options = options;
        *out = bnn_netspec_print(&net);
    }
    bnn_netspec_free(&net);
    return *out ? BNN_OK : bnn_oom("a network");
}
