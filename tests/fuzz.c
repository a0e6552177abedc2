/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

static uint64_t state;

uint64_t fuzz_draw(uint64_t below) { /* splitmix64 */
    uint64_t z = state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return (z ^ z >> 31) % below;
}

void fuzz_begin(uint64_t i) { state = i * UINT64_C(0x2545F4914F6CDD1D); }

fuzz_loop fuzz_start(int files) {
    const char *from = getenv("BNN_FUZZ_FROM"), *seconds = getenv("BNN_FUZZ_SECONDS");
    fuzz_loop l = {.i = from ? strtoull(from, NULL, 10) : 0, .stop = seconds ? time(NULL) + atol(seconds) : 0};
    l.end = l.i + (uint64_t)files;
    return l;
}

bool fuzz_next(fuzz_loop *l) {
    if (l->stop ? time(NULL) >= l->stop : l->i >= l->end) return false;
    fuzz_begin(l->i++);
    return true;
}

void fuzz_set(fuzz_content *c, const void *bytes, size_t n) { c->n = 0, fuzz_append(c, bytes, n); }

static void insert(fuzz_content *c, size_t at, const void *bytes, size_t n) {
    if (c->n + n > FUZZ_ROOM) return;
    memmove(c->bytes + at + n, c->bytes + at, c->n - at);
    memcpy(c->bytes + at, bytes, n);
    c->n += n;
}

void fuzz_append(fuzz_content *c, const void *bytes, size_t n) { insert(c, c->n, bytes, n); }

static void make_mistake(fuzz_content *c, const char *const *words, size_t n_words) {
    size_t at = fuzz_draw(c->n + 1), n = fuzz_draw(1 + (c->n - at < 40 ? c->n - at : 40));
    char byte = (char)fuzz_draw(256), copy[40];
    const char *word = words[fuzz_draw(n_words)];
    switch (fuzz_draw(6)) {
    case 0: insert(c, at, word, strlen(word)); break;
    case 1: insert(c, at, &byte, 1); break;
    case 2:
        if (at < c->n) c->bytes[at] = byte;
        break;
    case 3: memmove(c->bytes + at, c->bytes + at + n, c->n - at - n), c->n -= n; break;
    case 4: memcpy(copy, c->bytes + at, n), insert(c, fuzz_draw(c->n + 1), copy, n); break;
    default:
        if (fuzz_draw(4) == 0) c->n = at;
    }
}

void fuzz_mistakes(fuzz_content *c, const char *const *words, size_t n_words) {
    for (uint64_t k = fuzz_draw(8); k > 0; k--) make_mistake(c, words, n_words);
}

bnn_csv_options fuzz_csv_options(void) {
    static const char *const columns[] = {NULL, NULL, NULL, "a", "y", "1", "2,3", "none", "\"a", ",", "y,a"};
    enum { N = sizeof columns / sizeof *columns };
    return (bnn_csv_options){.size = sizeof(bnn_csv_options),
                             .targets = columns[fuzz_draw(N)],
                             .drop = fuzz_draw(4) ? NULL : columns[fuzz_draw(N)],
                             .classes = fuzz_draw(4) == 0,
                             .header = (bnn_header)fuzz_draw(3),
                             .id = fuzz_draw(4) ? NULL : columns[fuzz_draw(N)],
                             .weight = fuzz_draw(4) ? NULL : columns[fuzz_draw(N)],
                             .delimiter = fuzz_draw(3) ? '\0' : ",; \t|"[fuzz_draw(5)],
                             .decimal = "\0.,"[fuzz_draw(3)],
                             .thousands = fuzz_draw(3) ? '\0' : ", '"[fuzz_draw(3)],
                             .comment = fuzz_draw(4) ? NULL : "#",
                             .na = fuzz_draw(4) ? NULL : "-,1",
                             .missing = (bnn_missing)fuzz_draw(3),
                             .levels = fuzz_draw(4) ? NULL : columns[fuzz_draw(N)],
                             .format = fuzz_draw(4) ? BNN_TEXT_GUESS : (bnn_text_format)fuzz_draw(3)};
}
