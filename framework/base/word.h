/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * word.h (private): characters of texts that have a grammar, in ASCII whatever the locale; lists of texts.
 */
#ifndef BNN_WORD_H
#define BNN_WORD_H

#include <stdbool.h>

bool bnn_is_letter(char c);  /* a letter or _ */
bool bnn_is_of_word(char c); /* a letter, a digit or _ */
bool bnn_is_blank(char c);   /* a blank, a tab or the end of a line */

char **bnn_texts_copy(const char *const *texts, int n); /* owned; NULL: out of memory, or texts are NULL */
void bnn_texts_free(char **texts, int n);               /* the list and its n texts; NULLs are allowed */

#endif
