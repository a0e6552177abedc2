/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * sizes.c: other numbers of rows than the few that the other rules take, and other widths than those of the check specs.
 */
#include "check/layer/layer.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- many rows against pieces */

static bool same_rows(const bnn_real *a, const bnn_real *b, size_t n) { return n == 0 || memcmp(a, b, n * sizeof *a) == 0; }

static void copy_rows(const bnn_layer_pass *whole, bnn_layer_pass *piece, size_t from) {
    size_t n = (size_t)piece->n;
    for (int i = 0; i < whole->l->n_in; i++)
        memcpy(piece->x[i], whole->x[i] + from * whole->d_in[i], n * whole->d_in[i] * sizeof(bnn_real));
    memcpy(piece->c, whole->c + from * whole->d_out, n * whole->d_out * sizeof(bnn_real));
}

/* The rows from .. of the whole in arrays that have room for them alone. */
static void compare_piece(bnn_checker *c, const bnn_layer_pass *whole, bnn_layer_pass *piece, size_t from) {
    size_t n = (size_t)piece->n;
    copy_rows(whole, piece, from);
    for (int i = 0; i < whole->l->n_in; i++) memset(piece->dx[i], 0, n * piece->d_in[i] * sizeof(bnn_real));
    piece->row0 = from;
    bnn_layer_pass_rows(piece, 0, piece->n, false);
    bnn_layer_pass_rows(piece, 0, piece->n, true);
    if (*piece->overrun) bnn_checker_break(c, "in arrays of %d rows %s", piece->n, piece->overrun);
    if (!same_rows(whole->y + from * whole->d_out, piece->y, n * whole->d_out))
        bnn_checker_break(c, "rows %zu to %zu are others alone than in a call of %d rows", from, from + n - 1, whole->n);
    for (int i = 0; i < whole->l->n_in; i++)
        if (!same_rows(whole->dx[i] + from * whole->d_in[i], piece->dx[i], n * whole->d_in[i]))
            bnn_checker_break(c, "dx of rows %zu to %zu is another alone than in a call of %d rows", from, from + n - 1, whole->n);
}

/* Sums over rows, to rounding: pieces are added one by one. */
static void compare_sums(bnn_checker *c, const bnn_layer_pass *whole, const bnn_layer_pass *piece, double tolerance) {
    double largest = 0;
    for (int i = 0; i < whole->l->n_theta; i++) largest = fmax(largest, fabs((double)whole->dtheta[i]));
    for (int i = 0; i < whole->l->n_theta; i++) {
        double is = whole->dtheta[i], should = piece->dtheta[i];
        char guess[BNN_GUESS_TEXT];
        if (!(fabs(is - should) <= tolerance * (1 + largest)))
            bnn_checker_break(c, "%d rows at once make dtheta[%d] %.6g, in pieces of %d rows %.6g%s", whole->n, i, is, piece->n, should,
                              bnn_ratio_guess(is, should, NAN, whole->n, guess));
    }
}

/* All whole pieces of m rows, one after the other, in the same small arrays. */
static bnn_status in_pieces(bnn_checker *c, const bnn_layer_case *k, const bnn_layer_pass *whole, int m, uint64_t seed) {
    bnn_layer_pass piece;
    BNN_TRY(bnn_case_open(k, m, seed, &piece));
    piece.guarded = true;
    bnn_layer_pass_start(&piece, true);
    for (int from = 0; from + m <= whole->n && !bnn_checker_broken(c); from += m) compare_piece(c, whole, &piece, (size_t)from);
    bnn_layer_pass_finish(&piece), bnn_layer_pass_penalty(&piece);
    if (*piece.overrun) bnn_checker_break(c, "in arrays of %d rows %s", m, piece.overrun);
    if (whole->n % m == 0 && !bnn_checker_broken(c)) compare_sums(c, whole, &piece, 1e3 * ROUNDING);
    bnn_layer_pass_close(&piece);
    return BNN_OK;
}

/* n rows at once against pieces of them. Reading past an array of m rows meets NaN, writing there is seen. */
static bnn_status at_once(bnn_checker *c, const bnn_layer_case *k, int n, int n_pieces, const int pieces[]) {
    enum { SEED = 130 };
    bnn_layer_pass whole;
    BNN_TRY(bnn_case_open(k, n, SEED, &whole));
    whole.guarded = true;
    bnn_layer_pass_gradient(&whole);
    if (*whole.overrun) bnn_checker_break(c, "in arrays of %d rows %s", n, whole.overrun);
    bnn_status s = BNN_OK;
    for (int i = 0; i < n_pieces && s == BNN_OK && !bnn_checker_broken(c); i++) s = in_pieces(c, k, &whole, pieces[i], SEED);
    bnn_layer_pass_close(&whole);
    return s;
}

/* Rows that interact are no sum: gradients of many are those of differences. Gradients to y of one sign leave sums over rows large. */
static bnn_status coupled_rows(bnn_checker *c, const bnn_layer_case *k) {
    enum { ROWS = 130, LEAST = 12 };
    bnn_layer_pass p;
    bnn_layer_case some = *k;
    char note[32];
    some.most_entries = LEAST;
    BNN_TRY(bnn_case_open(k, bnn_case_times(bnn_case_layer(k), 10 * LEAST, LEAST, ROWS), 131, &p));
    for (size_t i = 0; i < (size_t)p.n * p.d_out; i++) p.c[i] = (bnn_real)fabs((double)p.c[i]);
    p.guarded = true;
    snprintf(note, sizeof note, "with %d rows", p.n);
    c->note = note;
    bnn_layer_pass_gradient(&p);
    if (*p.overrun) bnn_checker_break(c, "%s", p.overrun);
    bnn_status s = bnn_checker_broken(c) ? BNN_OK : bnn_check_differences(c, &some, &p);
    c->note = NULL;
    bnn_layer_pass_close(&p);
    return s;
}

bnn_status bnn_rule_sizes(bnn_checker *c, const bnn_layer_case *k) {
    static const int numbers[] = {19, 257, 4097, 100000};
    static const int pieces[][3] = {{1, 5, 7}, {1, 5, 7}, {17, 241}, {1000}};
    static const int n_pieces[] = {3, 3, 2, 1};
    if (bnn_case_is_coupled(k)) return coupled_rows(c, k);
    for (int i = 0; i < 4 && !bnn_checker_broken(c); i++)
        if (i == 0 || bnn_case_times(bnn_case_layer(k), 6, 0, numbers[i]) == numbers[i])
            BNN_TRY(at_once(c, k, numbers[i], n_pieces[i], pieces[i]));
    return BNN_OK;
}

/* ---------------------------------------------------------------- wide inputs */

/* The check spec with another input, of so many numbers or so many channels of 3x3; NULL: its input is no vector and no image, or there is
 * no memory. */
static char *with_input(const char *spec, int width) {
    bnn_netspec net;
    char *text = NULL, *input, *options;
    if (bnn_netspec_parse(spec, &net) < 0) return NULL;
    options = net.s[0].options;
    size_t digits = strspn(options, "0123456789");
    bool image = options[digits] == 'x' && strchr(options + digits + 1, 'x');
    if ((options[digits] == '\0' || image) && asprintf(&input, image ? "%dx3x3" : "%d", width) >= 0) {
        free(options);
        net.s[0].options = input;
        text = bnn_netspec_print(&net);
    }
    bnn_netspec_free(&net);
    return text;
}

static bnn_status few_rows(bnn_checker *c, const bnn_layer_case *k) {
    static const int pieces[] = {1, 5};
    return bnn_case_is_coupled(k) ? BNN_OK : at_once(c, k, 15, 2, pieces);
}

/* What holds of a layer of any width, in this mode, by some entries of each array. */
static bnn_status works(bnn_checker *c, const bnn_layer_case *k) {
    static bnn_layer_rule *const rules[] = {bnn_rule_bounds, bnn_rule_undefined, bnn_rule_gradient,
                                            bnn_rule_adds,   bnn_rule_penalty,   few_rows};
    for (size_t i = 0; i < sizeof rules / sizeof *rules && !bnn_checker_broken(c); i++) BNN_TRY(bnn_case_ask(c, k, rules[i]));
    return BNN_OK;
}

/* The node in a network of this text, if it is larger there: values and gradients, and where that is quick the joint law of the noise. */
static bnn_status at_text(bnn_checker *c, const bnn_layer_case *k, const char *text, const char *note, bool *found) {
    bnn_spec_net net;
    bnn_status s = text ? bnn_spec_net_open(text, &net) : BNN_ERR_SHAPE;
    if (s < 0) return s == BNN_ERR_MEMORY ? s : BNN_OK;
    bnn_layer_case wide = *k;
    wide.net = &net;
    wide.most_entries = bnn_case_times(bnn_case_layer(&wide), 20 * BNN_CASE_ROWS, 6, 32);
    const bnn_layer *there = bnn_case_layer(&wide), *here = bnn_case_layer(k);
    if (bnn_layer_size_in(there) > bnn_layer_size_in(here) || bnn_layer_size_out(there) > bnn_layer_size_out(here)) {
        const bool quick = bnn_case_times(there, 1, 0, 8192) == 8192;
        c->note = note;
        *found = true;
        s = works(c, &wide);
        if (s == BNN_OK && !bnn_checker_broken(c) && there->n_theta > 0 && k->mode == BNN_MEAN) s = bnn_check_kl_by_quadrature(c, &wide);
        if (s == BNN_OK && !bnn_checker_broken(c) && quick && k->mode == BNN_DRAW) s = bnn_case_ask(c, &wide, bnn_rule_joint);
        if (s == BNN_OK && !bnn_checker_broken(c) && quick && k->mode == BNN_DRAW) s = bnn_case_ask(c, &wide, bnn_rule_entropy);
        c->note = NULL;
    }
    bnn_spec_net_close(&net);
    return s;
}

static bnn_status at_width(bnn_checker *c, const bnn_layer_case *k, int width, bool *found) {
    char note[48], *text = with_input(k->spec, width);
    snprintf(note, sizeof note, "with %d inputs", width);
    bnn_status s = at_text(c, k, text, note, found);
    free(text);
    return s;
}

/* With options that make more units than the check specs have. */
static bnn_status at_units(bnn_checker *c, const bnn_layer_case *k, bool *found) {
    enum { UNITS = 70 };
    bnn_option o;
    bnn_status s = BNN_OK;
    for (int i = 0; bnn_options_at(k->type->type.options, i, &o) && s == BNN_OK && !bnn_checker_broken(c); i++) {
        char value[BNN_NUMBER_TEXT], note[96], *text;
        if (o.kind != BNN_OPTION_INT) continue;
        BNN_TRY(bnn_spec_with_option(&k->type->type, k->spec, o.name, bnn_number_print(UNITS, value), &text));
        snprintf(note, sizeof note, "with option '%s' at %d", o.name, UNITS);
        s = at_text(c, k, text, note, found);
        free(text);
    }
    return s;
}

bnn_status bnn_rule_wide(bnn_checker *c, const bnn_layer_case *k) {
    bool found = false, image = bnn_case_layer(k)->in[0].rank > 1;
    if (k->mode != BNN_MEAN && !bnn_case_has_cap(k, BNN_STOCHASTIC)) {
        bnn_checker_skip(c, "not STOCHASTIC: the modes are one");
        return BNN_OK;
    }
    BNN_TRY(at_width(c, k, 131, &found));
    if (!image && !bnn_checker_broken(c)) BNN_TRY(at_width(c, k, 1027, &found));
    if (!image && !bnn_checker_broken(c)) BNN_TRY(at_units(c, k, &found));
    if (!found) bnn_checker_skip(c, "a wider input makes no wider layer of this node, or is refused");
    return BNN_OK;
}
