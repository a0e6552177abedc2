/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "vtable.h"
#include "word.h"

#include <string.h>

const char *bnn_kind_name(bnn_kind kind) { return bnn_contracts[kind]->name; }

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

bool bnn_is_of_word(char c) { return is_letter(c) || (c >= '0' && c <= '9'); }

bool bnn_is_blank(char c) { return c && strchr(" \t\n\v\f\r", c); }

bool bnn_is_word(const char *text) {
    if (!is_letter(*text)) return false;
    while (bnn_is_of_word(*text)) text++;
    return !*text;
}
