/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * convolution.c: what the capability CONV says. Images with one pixel of 1 show the kernel, wherever the layer puts it.
 */
#include "layer.h"

#include <stdio.h>
#include <string.h>

enum { MOST_PIXELS = 48 };

/* One way to read the kernel. x [C,H,W], y [O,V,U]; y_ovu = b_o + sum W_cklo x_cij with i = v stride + k - padding, or, transposed, the
 * W_cokl with v = i stride + k - padding. */
typedef struct {
    const bnn_layer_pass *p;
    int size, stride, padding; /* K */
    bool transposed;
} reading;

static int channels_out(const reading *w) { return w->p->l->plan.out.d[0]; }

/* Row k of the kernel for row i of x and row v of y, or likewise its column; beyond 0 .. K-1: none. */
static int tap_of(const reading *w, int i, int v) {
    return w->transposed ? v - i * w->stride + w->padding : i - v * w->stride + w->padding;
}

/* What number `from` of x gives to number `to` of y. */
static double share_of(const reading *w, int from, int to) {
    const int *x = w->p->l->in[0].d, *y = w->p->l->plan.out.d, size = w->size;
    int c = from / (x[1] * x[2]), o = to / (y[1] * y[2]);
    int k = tap_of(w, from / x[2] % x[1], to / y[2] % y[1]), l = tap_of(w, from % x[2], to % y[2]);
    if (k < 0 || k >= size || l < 0 || l >= size) return 0;
    int at = w->transposed ? ((c * channels_out(w) + o) * size + k) * size + l : ((c * size + k) * size + l) * channels_out(w) + o;
    return w->p->theta[at];
}

/* Rows 0 .. m-1 of the pass are images with one pixel, row m is empty. */
static bool reads(const reading *w, int m) {
    const bnn_layer_pass *p = w->p;
    const bnn_real *empty = p->y + (size_t)m * p->d_out;
    for (int r = 0; r < m; r++) {
        int from = bnn_case_pick(r, m, (int)p->d_in[0]);
        for (int to = 0; to < (int)p->d_out; to++) {
            double is = (double)p->y[(size_t)r * p->d_out + to] - (double)empty[to], should = share_of(w, from, to);
            if (!(fabs(is - should) <= ROUNDING * (1 + fabs(should) + fabs((double)empty[to])))) return false;
        }
    }
    return true;
}

/* Looks for a stride and a padding with which the kernel is read as it stands. */
static bool is_read(reading *w, int m) {
    const int *x = w->p->l->in[0].d, *y = w->p->l->plan.out.d;
    int most = x[1] + x[2] + y[1] + y[2];
    for (int transposed = 0; transposed < 2; transposed++)
        for (w->stride = 1; w->stride <= most; w->stride++)
            for (w->padding = 0; w->padding < w->size; w->padding++) {
                w->transposed = transposed;
                if (reads(w, m)) return true;
            }
    return false;
}

static void check_bias(bnn_checker *c, const bnn_layer_pass *p, const bnn_real *empty, const bnn_real *bias) {
    size_t plane = p->d_out / (size_t)p->l->plan.out.d[0];
    for (size_t i = 0; i < p->d_out; i++) {
        double should = bias ? bias[i / plane] : 0;
        if (!((double)empty[i] == should))
            bnn_checker_break(c, "CONV, but of an image of zeros y[%zu] is %.6g where the bias of its channel is %.6g", i, (double)empty[i],
                              should);
    }
}

/* K of a kernel [C K K, O] and perhaps bias [O] for images; 0: the blocks are others. */
static int size_of_kernel(const bnn_layer *l) {
    const bnn_plan *plan = &l->plan;
    if (l->n_in != 1 || l->in[0].rank != 3 || plan->out.rank != 3 || plan->n_params < 1 || plan->n_params > 2) return 0;
    int pairs = l->in[0].d[0] * plan->out.d[0], size = (int)lround(sqrt(bnn_param_size(&plan->param[0]) / (double)pairs));
    bool kernel = strcmp(plan->param[0].name, "kernel") == 0 && bnn_param_size(&plan->param[0]) == pairs * size * size;
    bool bias = plan->n_params == 1 || (strcmp(plan->param[1].name, "bias") == 0 && bnn_param_size(&plan->param[1]) == plan->out.d[0]);
    return kernel && bias ? size : 0;
}

bnn_status bnn_check_convolution(bnn_checker *c, const bnn_layer_case *k) {
    const bnn_layer *l = bnn_case_layer(k);
    bnn_layer_pass p;
    reading w = {.p = &p, .size = size_of_kernel(l)};
    int d = bnn_layer_size_in(l), m = d < MOST_PIXELS ? d : MOST_PIXELS;
    if (w.size == 0) {
        bnn_checker_break(c, "CONV, but its blocks are not a kernel of C K K O numbers, for images of C channels and outputs of O, and "
                             "perhaps a bias [O]");
        return BNN_OK;
    }
    BNN_TRY(bnn_layer_pass_open(k->net->net, k->node, m + 1, BNN_MEAN, bnn_rng_seed(25), &p));
    memset(p.x[0], 0, (size_t)(m + 1) * p.d_in[0] * sizeof(bnn_real));
    for (int r = 0; r < m; r++) p.x[0][(size_t)r * p.d_in[0] + (size_t)bnn_case_pick(r, m, d)] = 1;
    bnn_layer_pass_forward(&p, m + 1);
    check_bias(c, &p, p.y + (size_t)m * p.d_out, l->plan.n_params > 1 ? p.theta + bnn_param_size(&l->plan.param[0]) : NULL);
    if (!is_read(&w, m))
        bnn_checker_break(c, "CONV, but images of one pixel do not show the %dx%d kernel at any stride and padding", w.size, w.size);
    bnn_layer_pass_close(&p);
    return BNN_OK;
}
