/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "png.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { CHUNK = 12 }; /* bytes of a chunk beside its data: length, name, checksum */

static void put_big(unsigned char *to, uint32_t v) {
    for (int i = 0; i < 4; i++) to[i] = (unsigned char)(v >> 8 * (3 - i));
}

/* Completes a chunk whose n bytes of data stand behind the first eight; returns its length. */
static size_t seal(unsigned char *chunk, const char name[5], size_t n) {
    put_big(chunk, (uint32_t)n);
    memcpy(chunk + 4, name, 4);
    put_big(chunk + 8 + n, (uint32_t)crc32(0, chunk + 4, (uInt)n + 4));
    return n + CHUNK;
}

/* A picture in PNG (ISO 15948), owned; NULL: out of memory. */
static unsigned char *encode(int height, int width, const unsigned char *rgb, size_t *length) {
    static const unsigned char signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    const size_t line = 3 * (size_t)width + 1, raw = (size_t)height * line;
    uLongf packed = compressBound((uLong)raw);
    unsigned char *lines = malloc(raw), *png = malloc(sizeof signature + 3 * CHUNK + 13 + packed), *at = png;
    bool ok = lines && png;
    for (int i = 0; ok && i < height; i++) {
        lines[(size_t)i * line] = 0; /* no filter */
        memcpy(lines + (size_t)i * line + 1, rgb + (size_t)i * (line - 1), line - 1);
    }
    if (ok) {
        memcpy(at, signature, sizeof signature), at += sizeof signature;
        put_big(at + 8, (uint32_t)width), put_big(at + 12, (uint32_t)height);
        memcpy(at + 16, (const unsigned char[5]){8, 2, 0, 0, 0}, 5); /* 8 bits a sample, RGB */
        at += seal(at, "IHDR", 13);
        ok = compress2(at + 8, &packed, lines, (uLong)raw, Z_BEST_COMPRESSION) == Z_OK;
        at += seal(at, "IDAT", ok ? packed : 0);
        at += seal(at, "IEND", 0);
    }
    free(lines);
    *length = (size_t)(at - png);
    if (ok) return png;
    free(png);
    return NULL;
}

static void write_base64(FILE *out, const unsigned char *bytes, size_t n) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        const size_t left = n - i;
        uint32_t v = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) | (left > 2 ? bytes[i + 2] : 0);
        for (size_t k = 0; k < 4; k++) fputc(k > left ? '=' : digits[v >> 6 * (3 - k) & 63], out);
    }
}

bnn_status report_png(FILE *html, int height, int width, const unsigned char *rgb) {
    size_t n;
    unsigned char *png = encode(height, width, rgb, &n);
    if (!png) return bnn_oom("a picture");
    fputs("data:image/png;base64,", html);
    write_base64(html, png, n);
    free(png);
    return BNN_OK;
}
