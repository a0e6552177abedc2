/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * word.h (private): characters of texts that have a grammar, in ASCII whatever the locale; lists of texts.
 */
#ifndef BNN_WORD_H
#define BNN_WORD_H

#include <stdbool.h>
#include <string.h>

bool bnn_is_letter(char c);  /* a letter or _ */
bool bnn_is_of_word(char c); /* a letter, a digit or _ */
bool bnn_is_blank(char c);   /* a blank, a tab or the end of a line */

/* Says whether a text has this end, and something before it. */
static inline bool bnn_ends_with(const char *text, const char *end) {
    size_t n = strlen(text), k = strlen(end);
    return n > k && strcmp(text + n - k, end) == 0;
}

/* The ending of the last name of a path, from its point on, also where it is the whole name; the end of the path where there is none. */
static inline const char *bnn_ending(const char *path) {
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
    return dot ? dot : path + strlen(path);
}

char **bnn_texts_copy(const char *const *texts, int n); /* owned; NULL: out of memory, or texts are NULL */
void bnn_texts_free(char **texts, int n);               /* the list and its n texts; NULLs are allowed */

#endif
