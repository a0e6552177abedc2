/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "vtable.h"

#include <ctype.h>

const char *bnn_kind_name(bnn_kind kind) { return bnn_contracts[kind]->name; }

bool bnn_is_word(const char *text) {
    if (!isalpha((unsigned char)*text) && *text != '_') return false;
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && *text != '_') return false;
    return true;
}
