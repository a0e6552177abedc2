/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * number.c: numbers of files of arrays, byte by byte, whatever the processor's own order of bytes.
 */
#include "weights.h"

#include <stdint.h>
#include <string.h>

static double half(unsigned bits) {
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double sign = bits >> 15 ? -1 : 1;
    if (exponent == 31) return sign * (fraction ? __builtin_nan("") : __builtin_inf());
    return sign * __builtin_ldexp(exponent ? 1024 + fraction : fraction, (exponent ? exponent : 1) - 25);
}

double bnn_weights_number_at(bnn_weights_number type, const unsigned char *at) {
    uint64_t bits = 0;
    for (int i = 0; i < type.bytes; i++) bits |= (uint64_t)at[type.big ? type.bytes - 1 - i : i] << 8 * i;
    int unused = 64 - 8 * type.bytes;
    double wide;
    float narrow;
    uint32_t lower = (uint32_t)bits << (type.kind == 'b' ? 16 : 0);
    if (type.kind == 'u') return (double)bits;
    if (type.kind == 'i') return (double)((int64_t)(bits << unused) >> unused);
    memcpy(&wide, &bits, sizeof wide), memcpy(&narrow, &lower, sizeof narrow);
    if (type.kind == 'b') return (double)narrow;
    return type.bytes == 2 ? half((unsigned)bits) : type.bytes == 4 ? (double)narrow : wide;
}
