/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * settle.c: options that the rows of a fit decide. Rows have no order, a weight of two is a row that is there twice, and what is settled
 * stays so.
 */
#include "likelihood.h"

#include <stdlib.h>
#include <string.h>

enum { ROWS = 48 };

/* y[2 ROWS, y_dim] as written, in an order of no meaning, the second half being the first; weight[2 ROWS] of 1 and 2 in turns. */
typedef struct {
    const bnn_likelihood_case *k;
    size_t d;
    bnn_real *y, *turned; /* turned: rows ROWS-1 .. 0, then each second one of them */
    double *weight, *other;
} fit;

static bnn_real as_written(const bnn_likelihood_case *k, int row, int d, bnn_real normal) {
    if (k->is_class) return (bnn_real)(row * row % 7 % k->data->n_classes);
    return (bnn_real)(k->y_mean[d] + k->y_sd[d] * (double)normal);
}

/* Rows of weights 1 and 2 in turns, and the same in the other order with each that weighs 2 there twice. */
static void fill(fit *of) {
    size_t n = ROWS;
    bnn_rng_normal(bnn_rng_seed(160), 0, ROWS, (int)of->d, of->y);
    for (size_t i = 0; i < n * of->d; i++) of->y[i] = as_written(of->k, (int)(i / of->d), (int)(i % of->d), of->y[i]);
    for (size_t r = 0; r < n; r++) {
        of->weight[r] = 1 + (double)(r % 2), of->other[r] = 1;
        memcpy(of->turned + (n - 1 - r) * of->d, of->y + r * of->d, of->d * sizeof *of->y);
        if (r % 2) memcpy(of->turned + (n + r / 2) * of->d, of->y + r * of->d, of->d * sizeof *of->y);
    }
    for (size_t r = n; r < n + n / 2; r++) of->other[r] = 1;
}

/* nll of the case's rows with the likelihood that these rows of a fit settle. *text: its options; the caller frees. */
static bnn_status settled(const fit *of, const char *spec, int n, const bnn_real *y, const double *weight, double *value, char **text) {
    bnn_likelihood_case with = *of->k;
    const bnn_targets targets = bnn_data_targets(of->k->data, of->k->y_mean, of->k->y_sd);
    *text = NULL;
    BNN_TRY(bnn_likelihood_new_for(spec, &targets, n, y, weight, &with.l));
    bnn_likelihood_call(&with, BNN_NLL);
    *value = with.hooks.value;
    *text = bnn_object_print(&with.l.object, false);
    bnn_likelihood_free(&with.l);
    return *text ? BNN_OK : bnn_oom("a rule");
}

/* The same, held against what `should` says. */
static bnn_status compare(bnn_checker *c, const fit *of, const char *spec, int n, const bnn_real *y, const double *weight, const char *how,
                          double should) {
    char *text;
    double is;
    bnn_status s = settled(of, spec, n, y, weight, &is, &text);
    if (s < 0 && s != BNN_ERR_MEMORY) bnn_checker_break(c, "%s settle refuses: %s", how, bnn_error());
    if (s == BNN_OK && !(fabs(is - should) <= 10 * ROUNDING * (1 + fabs(should))))
        bnn_checker_break(c, "%s settle makes nll %.6g, of the rows as they are %.6g ('%s')", how, is, should, text);
    free(text);
    return s == BNN_ERR_MEMORY ? s : BNN_OK;
}

static bnn_status compare_all(bnn_checker *c, const fit *of) {
    const char *spec = of->k->spec;
    const int twice = ROWS + ROWS / 2;
    double plain, weighed;
    char *text, *unused;
    BNN_TRY(settled(of, spec, ROWS, of->y, NULL, &plain, &text));
    bnn_status s = settled(of, spec, ROWS, of->y, of->weight, &weighed, &unused);
    free(unused);
    if (s == BNN_OK) s = compare(c, of, spec, ROWS, of->y, of->other, "of rows of weight 1", plain);
    if (s == BNN_OK) s = compare(c, of, spec, ROWS, of->turned, NULL, "of the rows in another order", plain);
    if (s == BNN_OK) s = compare(c, of, spec, twice, of->turned, NULL, "of rows that are there as often as they weigh", weighed);
    if (s == BNN_OK) s = compare(c, of, text, twice, of->turned, of->other, "of what is settled, saved and opened with other rows", plain);
    if (s == BNN_OK) s = compare(c, of, text, 0, NULL, NULL, "of what is settled, saved and opened without rows", plain);
    free(text);
    return s;
}

bnn_status bnn_likelihood_settle(bnn_checker *c, void *k) {
    fit of = {.k = k, .d = (size_t)((const bnn_likelihood_case *)k)->data->y_dim};
    const size_t n = 2 * ROWS;
    if (!of.k->type->settle) {
        bnn_checker_skip(c, "there is no settle hook");
        return BNN_OK;
    }
    of.y = calloc(2 * n * of.d, sizeof *of.y), of.weight = calloc(2 * n, sizeof *of.weight);
    bnn_status s = of.y && of.weight ? BNN_OK : bnn_oom("a rule");
    if (s == BNN_OK) {
        of.turned = of.y + n * of.d, of.other = of.weight + n;
        fill(&of);
        s = compare_all(c, &of);
        if (s < 0 && s != BNN_ERR_MEMORY) bnn_checker_break(c, "settle refuses rows: %s", bnn_error()), s = BNN_OK;
    }
    free(of.y), free(of.weight);
    return s;
}
