/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * netspec.h: the network language as a list of statements, for the builder of nets and for engines that adapt a plain text.
 *
 *   net       = { statement (';' | newline) }          '#' starts a comment
 *   statement = [label '='] type [':' options] ['(' label {',' label} ')']
 *
 * A statement without inputs takes the previous one. A label must exist before it is used: text order is execution order, and there are no
 * cycles.
 */
#ifndef BNN_NETSPEC_H
#define BNN_NETSPEC_H

#include <bnn/status.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One statement. Owns its texts. */
typedef struct {
    char *label;   /* NULL: none */
    char *type;    /* name of a layer, as written */
    char *options; /* "" if none */
    int n_in;      /* 0: takes the previous statement */
    char **in;     /* [n_in] labels */
} bnn_statement;

/* A network text, statement by statement. Owns everything. */
typedef struct {
    int n;            /* statements */
    bnn_statement *s; /* [n] */
} bnn_netspec;

/* Checks the grammar and the labels, not the types; the sentence of a failure names the statement. Free out with bnn_netspec_free. */
bnn_status bnn_netspec_parse(const char *text, bnn_netspec *out);
/* One line, statements joined by "; "; caller frees; NULL when out of memory. */
char *bnn_netspec_print(const bnn_netspec *spec);
void bnn_netspec_free(bnn_netspec *spec); /* frees what is inside */

/* Puts a statement before statement i, between it and its input: the new one takes i's inputs, i takes the new one. A failure leaves the
 * spec as it was. */
bnn_status bnn_netspec_insert(bnn_netspec *spec, int i, const char *type, const char *options);

/* Puts such a statement before every affine layer that has its own weights and no gate yet. */
bnn_status bnn_netspec_gate(bnn_netspec *spec, const char *type, const char *options);
/* The same before every convolution: a gate of channels. */
bnn_status bnn_netspec_gate_images(bnn_netspec *spec, const char *type, const char *options);

/* Makes statement i a layer of another type: options that both types have keep their values, `options` ("key=value,...") come on top. */
bnn_status bnn_netspec_convert(bnn_netspec *spec, int i, const char *type, const char *options);

/* Questions to statement i; false where a type is unknown: */
bool bnn_netspec_affine(const bnn_netspec *spec, int i); /* it is an affine layer with its own weights (BNN_AFFINE) */
bool bnn_netspec_convolution(const bnn_netspec *spec, int i); /* it convolves images with its own weights (BNN_CONV) */
bool bnn_netspec_gated(const bnn_netspec *spec, int i);  /* its input is gated: the layer before it, looking through changes of shape, has a
                                                            keep hook */

#ifdef __cplusplus
}
#endif

#endif
