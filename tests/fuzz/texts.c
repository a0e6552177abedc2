/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * texts.c: texts of networks and of objects: what is read and printed is read again and printed the same.
 * Input: a byte (a kind of types, or BNN_N_KINDS for a network), then the text.
 */
#include "target.h"

#include <bnn/netspec.h>
#include <bnn/registry.h>
#include <stdlib.h>
#include <string.h>

static void same(char *first, char *second) {
    if (!first || !second || strcmp(first, second) != 0) abort();
    free(first), free(second);
}

static void try_net(const char *text) {
    bnn_netspec spec, again;
    if (!target_told(bnn_netspec_parse(text, &spec))) return;
    char *printed = bnn_netspec_print(&spec);
    if (bnn_netspec_parse(printed, &again) < 0) abort();
    same(printed, bnn_netspec_print(&again));
    bnn_netspec_free(&spec), bnn_netspec_free(&again);
}

static void try_object(bnn_kind kind, const char *text) {
    bnn_object object, again;
    if (!target_told(bnn_object_parse(kind, text, &object))) return;
    char *printed = bnn_object_print(&object, false);
    if (bnn_object_parse(kind, printed, &again) < 0) abort();
    same(printed, bnn_object_print(&again, false));
    bnn_object_free(&object), bnn_object_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    target_input in = {bytes, n};
    unsigned kind = target_byte(&in) % (BNN_N_KINDS + 1);
    char *text = target_text(&in);
    kind == BNN_N_KINDS ? try_net(text) : try_object((bnn_kind)kind, text);
    free(text);
    return 0;
}
