/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "summary.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static double norm(size_t n, const bnn_real *w) {
    double squares = 0;
    for (size_t i = 0; i < n; i++) squares += (double)w[i] * (double)w[i];
    return sqrt(squares);
}

static double mean(size_t n, const bnn_real *w) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)w[i];
    return sum / (double)n;
}

/* Numbers of a block. */
static size_t numbers(const bnn_block_info *b) { return strcmp(b->node, "likelihood") == 0 ? b->length : 1; }

int bnn_summary_count(const bnn_model *model) {
    bnn_block_info b;
    int n = 0;
    for (int i = 0; bnn_model_block(model, i, &b); i++) n += (int)numbers(&b);
    return n;
}

void bnn_summary_name(const bnn_model *model, int i, char name[BNN_SUMMARY_NAME]) {
    bnn_block_info b;
    for (int k = 0; bnn_model_block(model, k, &b) && i >= (int)numbers(&b); k++) i -= (int)numbers(&b);
    if (strcmp(b.node, "likelihood") == 0)
        snprintf(name, BNN_SUMMARY_NAME, "noise: log variance %d", i + 1);
    else if (b.role == BNN_HYPER && b.index < 0)
        snprintf(name, BNN_SUMMARY_NAME, "prior: log variance of %.50s%s", b.name, b.length > 1 ? " (mean)" : "");
    else
        snprintf(name, BNN_SUMMARY_NAME, "%.40s %.40s%s", b.node, b.name, b.length > 1 ? " (norm)" : "");
}

void bnn_summary_take(const bnn_model *model, const bnn_real *theta, double *out, size_t stride) {
    bnn_block_info b;
    for (int i = 0; bnn_model_block(model, i, &b); i++)
        for (size_t k = 0; k < numbers(&b); k++, out += stride)
            *out = numbers(&b) == b.length              ? (double)theta[b.offset + k]
                   : b.role == BNN_HYPER && b.index < 0 ? mean(b.length, theta + b.offset)
                                                        : norm(b.length, theta + b.offset);
}
