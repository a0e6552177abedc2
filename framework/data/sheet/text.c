/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * text.c: the bytes of a file -> one text in UTF-8 whose lines end with '\n'.
 */
#include "data/import.h"

#include <bnn/escape.h>
#include <bnn/remark.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum { PIECE = 1 << 16 };

typedef struct {
    const char *path;
    bnn_remarks *remarks;
    uint8_t *at; /* owned; NUL behind its end */
    size_t size;
} bytes;

/* ---- file -> bytes ---- */

static bnn_status cannot_read(const char *path, gzFile file) {
    int code;
    const char *why = gzerror(file, &code), *colon = strrchr(why, ':'); /* zlib names the file before it */
    if (code == Z_ERRNO) return bnn_fail(BNN_ERR_FILE, "%s: %s", path, strerror(errno));
    return bnn_fail(BNN_ERR_FILE, "%s: its compressed bytes are damaged:%s", path, colon ? colon + 1 : why);
}

static bnn_status read_all(bytes *b, gzFile file) {
    for (size_t room = 0;;) {
        if (room - b->size < PIECE) {
            room = 2 * room + 2 * PIECE;
            uint8_t *more = realloc(b->at, room + 1);
            if (!more) return bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for its %zu bytes", b->path, room);
            b->at = more;
        }
        int n = gzread(file, b->at + b->size, PIECE);
        if (n < 0) return cannot_read(b->path, file);
        if (n == 0) break;
        b->size += (size_t)n;
    }
    b->at[b->size] = '\0';
    return b->size > 0 ? BNN_OK : bnn_fail(BNN_ERR_FORMAT, "%s: is empty", b->path);
}

static bnn_status read_file(bytes *b, const char *path) {
    bool standard_input = strcmp(path, "-") == 0;
    int input = standard_input ? dup(STDIN_FILENO) : -1;
    errno = ENOMEM;                                                           /* what zlib does not set */
    gzFile file = standard_input ? gzdopen(input, "rb") : gzopen(path, "rb"); /* reads plain files too */
    if (!file) {
        if (input >= 0) close(input);
        return bnn_fail(BNN_ERR_FILE, "%s: %s", b->path, strerror(errno));
    }
    gzbuffer(file, PIECE);
    bnn_status s = read_all(b, file);
    if (gzclose_r(file) == Z_BUF_ERROR && s == BNN_OK)
        s = bnn_fail(BNN_ERR_FORMAT, "%s: is truncated: it ends in the midst of its compressed bytes", b->path);
    return s;
}

/* ---- encodings -> UTF-8 ---- */

static uint8_t *put(uint8_t *to, uint32_t c) {
    if (c < 0x80) return *to = (uint8_t)c, to + 1;
    if (c < 0x800) return to[0] = (uint8_t)(0xC0 | c >> 6), to[1] = (uint8_t)(0x80 | (c & 0x3F)), to + 2;
    if (c < 0x10000)
        to[0] = (uint8_t)(0xE0 | c >> 12);
    else
        *to++ = (uint8_t)(0xF0 | c >> 18), to[0] = (uint8_t)(0x80 | (c >> 12 & 0x3F));
    to[1] = (uint8_t)(0x80 | (c >> 6 & 0x3F)), to[2] = (uint8_t)(0x80 | (c & 0x3F));
    return to + 3;
}

/* Takes over what the bytes are in UTF-8. */
static void become(bytes *b, uint8_t *text, const uint8_t *end) {
    free(b->at);
    b->at = text, b->size = (size_t)(end - text);
    text[b->size] = '\0';
}

static bnn_status from_utf16(bytes *b, bool big_endian) {
    uint8_t *text = malloc(3 * (b->size / 2) + 1), *to = text;
    if (!text) return bnn_fail(BNN_ERR_MEMORY, "%s: out of memory", b->path);
    uint32_t high = 0;
    bool broken = b->size % 2;
    for (size_t i = 0; !broken && i < b->size; i += 2) {
        uint32_t c = (uint32_t)b->at[i + !big_endian] << 8 | b->at[i + big_endian];
        broken = (c >= 0xDC00 && c < 0xE000) != (high != 0); /* halves come in pairs */
        if (c >= 0xD800 && c < 0xDC00)
            high = c;
        else
            to = put(to, high ? 0x10000 + ((high - 0xD800) << 10) + (c - 0xDC00) : c), high = 0;
    }
    if (broken || high) {
        free(text);
        return bnn_fail(BNN_ERR_FORMAT, "%s: begins as UTF-16, but does not go on as such", b->path);
    }
    become(b, text, to);
    return bnn_remarks_add(b->remarks, BNN_REMARK_NOTE, "encoding", "encoding: UTF-16");
}

/* Windows-1252, which is Latin-1 with characters in place of the controls 0x80..0x9F. */
static bnn_status from_latin1(bytes *b) {
    static const uint16_t windows[32] = {0x20AC, 0x81,   0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
                                         0x2039, 0x0152, 0x8D,   0x017D, 0x8F,   0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
                                         0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D,   0x017E, 0x0178};
    uint8_t *text = malloc(3 * b->size + 1), *to = text;
    if (!text) return bnn_fail(BNN_ERR_MEMORY, "%s: out of memory", b->path);
    for (size_t i = 0; i < b->size; i++) to = put(to, b->at[i] >= 0x80 && b->at[i] < 0xA0 ? windows[b->at[i] - 0x80] : b->at[i]);
    become(b, text, to);
    return bnn_remarks_add(b->remarks, BNN_REMARK_NOTE, "encoding", "encoding: no UTF-8, read as Latin-1 (Windows-1252)");
}

static void skip(bytes *b, size_t n) {
    b->size -= n;
    memmove(b->at, b->at + n, b->size + 1);
}

/* Files that other programs may have written in the place of a table. */
typedef struct {
    const char *begin;
    size_t size;
    const char *sentence;
} kind;

#define KIND(begin, sentence) \
    { begin, sizeof begin - 1, sentence }

/* The sentence on bytes that begin like one of n kinds; NULL: none does. */
static const char *find_kind(const kind *kinds, size_t n, const void *from, size_t size) {
    for (size_t i = 0; i < n; i++)
        if (size >= kinds[i].size && memcmp(from, kinds[i].begin, kinds[i].size) == 0) return kinds[i].sentence;
    return NULL;
}

/* Known by the first bytes. */
static const char *kind_of_bytes(const bytes *b) {
    static const char pickle[] = "is a pickle of Python: write its table as CSV first",
                      r[] = "is a file of R: write its table by write.csv first",
                      idx[] = "is an IDX file: `bnn import idx` reads it, with the file of its labels",
                      matlab[] = "is a file of MATLAB: write its table by writetable or csvwrite first",
                      spss[] = "is a file of SPSS: save it as CSV first";
    static const kind kinds[] = {
        KIND("PK\3\4", "is a zip archive, such as a workbook of Excel or arrays of NumPy: save it as CSV first"),
        KIND("\x93NUMPY", "is an array of NumPy: write it by numpy.savetxt first"),
        KIND("\x80\2", pickle),
        KIND("\x80\3", pickle),
        KIND("\x80\4", pickle),
        KIND("\x80\5", pickle),
        KIND("\0\0\x08", idx),
        KIND("\0\0\x0D", idx),
        KIND("\0\0\x0E", idx),
        KIND("MATLAB 5.0 MAT-file", matlab),
        KIND("MATLAB 7.3 MAT-file", matlab),
        KIND("RDX2\n", r),
        KIND("RDX3\n", r),
        KIND("X\n\0\0\0", r),
        KIND("$FL2@(#)", spss),
        KIND("$FL3@(#)", spss),
        KIND("<stata_dta>", "is a file of Stata: write it by export delimited first"),
        KIND("\0\0\0\0\0\0\0\0\0\0\0\0\xC2\xEA\x81\x60", "is a file of SAS: write it by proc export first"),
        KIND("ARROW1\0", "is a Feather file: write it as CSV first"),
        KIND("SQLite format 3\0", "is a database of SQLite: write its table as CSV first"),
        KIND("\x89HDF", "is an HDF5 file, not a text"),
        KIND("\x89PNG", "is a picture: name the folder that it is in"),
        KIND("\xFF\xD8\xFF", "is a picture: name the folder that it is in"),
        KIND("PAR1\x15", "is a Parquet file: write it as CSV first"),
        KIND("\xD0\xCF\x11\xE0", "is a workbook of Excel: save it as CSV first"),
        KIND("BZh91AY", "is compressed by bzip2: only gzip is read"),
        KIND("\xFD"
             "7zXZ",
             "is compressed by xz: only gzip is read"),
        KIND("\x28\xB5\x2F\xFD", "is compressed by zstd: only gzip is read"),
        KIND("\xFF\xFE\0\0", "is UTF-32: save it as UTF-8"),
    };
    return find_kind(kinds, sizeof kinds / sizeof *kinds, b->at, b->size);
}

/* Texts that are no tables: known by their first letters, small or large, with blanks between them or without. */
static const char *kind_of_text(const bytes *b) {
    static const char html[] = "is a page of HTML: save its table as CSV first", json[] = "is JSON: write it as CSV first";
    static const kind kinds[] = {KIND("{\"", json),
                                 KIND("[{", json),
                                 KIND("[[", json),
                                 KIND("@relation", "is an ARFF file of Weka: write it as CSV first"),
                                 KIND("<html", html),
                                 KIND("<!doctype", html),
                                 KIND("<table", html),
                                 KIND("<?xml", "is XML: write it as CSV first"),
                                 KIND("%pdf", "is a PDF: write its table as CSV first")};
    char head[16] = "";
    size_t n = 0;
    for (size_t i = 0; i < b->size && n < sizeof head; i++)
        if (!strchr(" \t\r\n", b->at[i])) head[n++] = (char)(b->at[i] >= 'A' && b->at[i] <= 'Z' ? b->at[i] - 'A' + 'a' : b->at[i]);
    return find_kind(kinds, sizeof kinds / sizeof *kinds, head, n);
}
#undef KIND

static bnn_status refuse(const bytes *b, const char *sentence) {
    return sentence ? bnn_fail(BNN_ERR_FORMAT, "%s: %s", b->path, sentence) : BNN_OK;
}

/* Says whether bytes without a mark are UTF-16, whose letters of ASCII, of which a table has many, have a 0 at this place of the two. */
static bool has_wide_letters(const bytes *b, int place) {
    enum { LOOKED_AT = 4096, MOST_PER_LETTER = 4 };
    size_t pairs = b->size % 2 ? 0 : (b->size < LOOKED_AT ? b->size : LOOKED_AT) / 2, zeros = 0;
    for (size_t i = 0; i < pairs; i++) {
        if (!b->at[2 * i + (size_t)!place]) return false;
        zeros += !b->at[2 * i + (size_t)place];
    }
    return zeros > 1 && MOST_PER_LETTER * zeros >= pairs;
}

static bnn_status decode(bytes *b) {
    const uint8_t *p = b->at;
    BNN_TRY(refuse(b, kind_of_bytes(b)));
    bool little = b->size >= 2 && p[0] == 0xFF && p[1] == 0xFE, big = b->size >= 2 && p[0] == 0xFE && p[1] == 0xFF;
    if (little || big) return skip(b, 2), from_utf16(b, big);
    if (has_wide_letters(b, 1)) return from_utf16(b, false);
    if (has_wide_letters(b, 0)) return from_utf16(b, true);
    if (b->size >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0) skip(b, 3);
    return bnn_is_utf8((const char *)b->at) ? BNN_OK : from_latin1(b);
}

/* Ctrl-Z, with which DOS ends a text. */
static void take_off_end(bytes *b) {
    if (b->size > 1 && b->at[b->size - 1] == 0x1A) b->at[--b->size] = '\0';
}

/* ---- ends of lines ---- */

/* "\r\n" and "\r" -> "\n", in place. */
static void unify_lines(bytes *b) {
    uint8_t *from = memchr(b->at, '\r', b->size), *to = from;
    for (; from && *from; from++) {
        if (*from == '\r' && from[1] == '\n') continue;
        *to++ = *from == '\r' ? '\n' : *from;
    }
    if (to) *to = '\0';
}

const char *bnn_text_name(const char *path) { return strcmp(path, "-") == 0 ? "standard input" : path; }

bnn_status bnn_text_read(const char *path, bnn_remarks *remarks, char **text) {
    bytes b = {.path = bnn_text_name(path), .remarks = remarks};
    *text = NULL;
    bnn_status s = read_file(&b, path);
    if (s == BNN_OK) s = decode(&b);
    if (s == BNN_OK) s = refuse(&b, kind_of_text(&b));
    if (s == BNN_OK) take_off_end(&b);
    if (s == BNN_OK && memchr(b.at, '\0', b.size)) s = bnn_fail(BNN_ERR_FORMAT, "%s: is not a text file", b.path);
    if (s == BNN_OK) unify_lines(&b);
    if (s < 0)
        free(b.at);
    else
        *text = (char *)b.at;
    return s;
}
