/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <bnn/cost.h>
#include <bnn/jobs.h>
#include <bnn/minibatch.h>

#include <stdlib.h>
#include <string.h>

double bnn_minibatch_bytes(const bnn_data *data, int rows) {
    double reals = (double)(rows < data->n ? rows : data->n) * (bnn_shape_size(data->x_shape) + data->y_dim);
    return reals * sizeof(bnn_real) + (double)data->n * sizeof(int);
}

bnn_status bnn_minibatch_open(const bnn_data *data, int rows, bnn_minibatch *out) {
    *out =
        (bnn_minibatch){.rows = rows < data->n ? rows : data->n, .in = (size_t)bnn_shape_size(data->x_shape), .y_dim = (size_t)data->y_dim};
    out->order = calloc((size_t)data->n + 1, sizeof *out->order);
    out->x = bnn_reals_new((size_t)out->rows * out->in);
    out->y = bnn_reals_new((size_t)out->rows * out->y_dim);
    out->weight = data->weight ? calloc((size_t)out->rows + 1, sizeof *out->weight) : NULL;
    out->total = bnn_data_weight(data);
    return out->order && out->x && out->y && (out->weight || !data->weight) ? BNN_OK : bnn_oom("minibatches");
}

void bnn_minibatch_close(bnn_minibatch *b) {
    free(b->order);
    free(b->x);
    free(b->y);
    free(b->weight);
    free(b->plain_x);
    free(b->plain_y);
}

int bnn_minibatch_count(const bnn_minibatch *b, const bnn_data *data) { return (data->n + b->rows - 1) / b->rows; }

int bnn_minibatch_epochs(const bnn_minibatch *b, const bnn_data *data, int steps) {
    if (data->n == 0) return 1;
    int batches = bnn_minibatch_count(b, data), epochs = steps / batches + (steps % batches > 0);
    return epochs > BNN_LEAST_EPOCHS ? epochs : BNN_LEAST_EPOCHS;
}

void bnn_minibatch_shuffle(bnn_minibatch *b, const bnn_data *data, bnn_rng rng) { bnn_rng_permutation(rng, data->n, b->order); }

/* Rows from .. of the minibatch: many are copied in parallel. */
enum { PIECE = 1 << 14 }; /* reals at a time */
typedef struct {
    const bnn_minibatch *b;
    const bnn_data *data;
    int from;
} copied;

static void copy_rows(void *context, int first, int n) {
    const copied *c = context;
    const bnn_minibatch *b = c->b;
    for (int k = first; k < first + n; k++) {
        size_t row = (size_t)b->order[c->from + k];
        bnn_real *to = b->x + (size_t)k * b->in;
        const bnn_real *x = bnn_data_take(c->data, (int)row, 1, to);
        if (x != to) memcpy(to, x, b->in * sizeof *to);
        memcpy(b->y + (size_t)k * b->y_dim, c->data->y + row * b->y_dim, b->y_dim * sizeof *b->y);
        if (b->weight) b->weight[k] = c->data->weight[row];
    }
}

int bnn_minibatch_take(bnn_minibatch *b, const bnn_data *data, int i) {
    int from = i * b->rows, m = data->n - from < b->rows ? data->n - from : b->rows;
    bnn_parts_run(m, b->in < PIECE ? PIECE / (int)b->in : 1, copy_rows, &(copied){.b = b, .data = data, .from = from});
    return m;
}
