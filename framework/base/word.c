/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "word.h"

#include <string.h>

bool bnn_is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

bool bnn_is_of_word(char c) { return bnn_is_letter(c) || (c >= '0' && c <= '9'); }

bool bnn_is_blank(char c) { return c && strchr(" \t\n\v\f\r", c); }
