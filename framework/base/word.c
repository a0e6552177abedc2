/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "word.h"

#include <bnn/escape.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool bnn_is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

bool bnn_is_of_word(char c) { return bnn_is_letter(c) || (c >= '0' && c <= '9'); }

bool bnn_is_blank(char c) { return c && strchr(" \t\n\v\f\r", c); }

char **bnn_texts_copy(const char *const *texts, int n) {
    char **copy = texts ? calloc((size_t)n + 1, sizeof *copy) : NULL;
    for (int i = 0; copy && i < n; i++)
        if (!(copy[i] = strdup(texts[i]))) return bnn_texts_free(copy, n), NULL;
    return copy;
}

void bnn_texts_free(char **texts, int n) {
    for (int i = 0; texts && i < n; i++) free(texts[i]);
    free(texts);
}

/* Length in bytes of the UTF-8 character at text, with its code; 0: there is none. */
static size_t character(const char *text, uint32_t *code) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000}; /* that takes so many bytes */
    unsigned char first = (unsigned char)*text;
    size_t length = first < 0x80 ? 1 : first < 0xC0 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF8 ? 4 : 0;
    *code = length > 1 ? first & (0x7Fu >> length) : first;
    for (size_t i = 1; i < length; i++) {
        if (((unsigned char)text[i] & 0xC0) != 0x80) return 0;
        *code = *code << 6 | ((unsigned char)text[i] & 0x3F);
    }
    bool fits = length > 0 && *code >= least[length] && *code <= 0x10FFFF && (*code < 0xD800 || *code > 0xDFFF);
    return fits ? length : 0;
}

bool bnn_is_utf8(const char *text) {
    uint32_t code;
    for (size_t n; *text; text += n)
        if ((n = character(text, &code)) == 0) return false;
    return true;
}

/* Says whether a character can be shown inside a line: no control, no separator of lines, no mark that turns the direction. */
static bool is_shown(uint32_t code) {
    static const uint32_t hidden[][2] = {{0, 0x1F}, {0x7F, 0x9F}, {0x200E, 0x200F}, {0x2028, 0x202E}, {0x2066, 0x2069}, {0xFEFF, 0xFEFF}};
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        if (code >= hidden[i][0] && code <= hidden[i][1]) return false;
    return true;
}

/* Writes one byte as \n, \r, \t or \xNN; returns how many characters that took. */
static size_t spell(char c, char spelled[5]) {
    const char *letter = strchr("\nn\rr\tt", c);
    return (size_t)(letter ? snprintf(spelled, 5, "\\%c", letter[1]) : snprintf(spelled, 5, "\\x%02x", (unsigned char)c));
}

const char *bnn_escape(const char *text, char *out, size_t size) {
    uint32_t code;
    size_t used = 0;
    while (*text) {
        char spelled[4 * 4 + 1];
        size_t n = character(text, &code), length = 0;
        bool shown = n > 0 && is_shown(code);
        if (n == 0) n = 1;
        for (size_t i = 0; !shown && i < n; i++) length += spell(text[i], spelled + length);
        if (shown) length = n;
        if (used + length >= size) break;
        memcpy(out + used, shown ? text : spelled, length);
        used += length, text += n;
    }
    out[used] = '\0';
    return out;
}
