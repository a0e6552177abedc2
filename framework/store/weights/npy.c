/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * npy.c: one array of NumPy: "\x93NUMPY", the version, the length of a head, and the head, a Python dict
 * {'descr': '<f4', 'fortran_order': False, 'shape': (3, 8), }; then the numbers (numpy.lib.format, versions 1 to 3).
 */
#include "weights.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *file, *name;
    bnn_weights_number type;
    bool turned; /* the first index runs fastest */
    bnn_shape shape;
} head;

/* Behind 'KEY': in the head, which ends with 0; NULL: not there. */
static const char *find_key(const char *text, const char *key) {
    size_t n = strlen(key);
    for (const char *at = text; (at = strstr(at, key)); at += n) {
        if (at == text || (at[-1] != '\'' && at[-1] != '"') || at[n] != at[-1]) continue;
        const char *colon = at + n + 1 + strspn(at + n + 1, " ");
        if (*colon == ':') return colon + 1 + strspn(colon + 1, " ");
    }
    return NULL;
}

static bnn_status refuse(const head *h, const char *why) { return bnn_fail(BNN_ERR_FORMAT, "%s: array %s %s", h->file, h->name, why); }

static bnn_status parse_type(const char *at, head *h) {
    if (!at || (*at != '\'' && *at != '"')) return refuse(h, "does not hold plain numbers: expected a type such as '<f4'");
    int n = (int)strcspn(at + 1, "'\"");
    char order = at[1], kind = n == 3 ? at[2] : '\0';
    int bytes = n == 3 ? at[3] - '0' : 0;
    bool size = bytes == 2 || bytes == 4 || bytes == 8 || (bytes == 1 && kind != 'f');
    h->type = (bnn_weights_number){kind, bytes, order == '>'};
    if (strchr("<>|=", order) && strchr("fiu", kind) && kind && size) return BNN_OK;
    return bnn_fail(BNN_ERR_FORMAT, "%s: array %s has the type '%.*s', which is not known: save it as float32", h->file, h->name,
                    n < 16 ? n : 16, at + 1);
}

/* "(3, 8)", "(8,)", "()" */
static bnn_status parse_shape(const char *at, head *h) {
    if (!at || *at++ != '(') return refuse(h, "is damaged: its head has no shape");
    for (at += strspn(at, " "); *at && *at != ')'; at += strspn(at, ", ")) {
        long long extent = 0;
        size_t digits = strspn(at, "0123456789");
        if (digits == 0 || digits > 10) return refuse(h, "is damaged: its shape has an entry that is no number");
        for (size_t i = 0; i < digits; i++) extent = 10 * extent + (at[i] - '0');
        if (extent > INT32_MAX) return refuse(h, "is too long");
        if (h->shape.rank == BNN_MAX_RANK) return refuse(h, "has more dimensions than are known");
        h->shape.d[h->shape.rank++] = (int)extent;
        at += digits;
    }
    return *at ? BNN_OK : refuse(h, "is damaged: its shape has no end");
}

/* Where entry i, counted with the last index fastest, stands when the first one is. */
static size_t turned_place(const bnn_shape *s, size_t i) {
    size_t place = 0, stride = 1, index[BNN_MAX_RANK];
    for (int k = s->rank - 1; k >= 0; k--) index[k] = i % (size_t)s->d[k], i /= (size_t)s->d[k];
    for (int k = 0; k < s->rank; k++) place += index[k] * stride, stride *= (size_t)s->d[k];
    return place;
}

/* The head's text, owned, and where the numbers begin. */
static bnn_status get_head(const head *h, const unsigned char *bytes, size_t size, char **text, size_t *begin) {
    bool known = size >= 12 && memcmp(bytes, "\x93NUMPY", 6) == 0 && bytes[6] >= 1 && bytes[6] <= 3;
    size_t first = known && bytes[6] == 1 ? 10 : 12, length = 0;
    for (size_t i = 8; known && i < first; i++) length |= (size_t)bytes[i] << 8 * (i - 8);
    *text = NULL;
    if (!known || length > size - first) return refuse(h, "is damaged: its head is not that of NumPy");
    *begin = first + length;
    return (*text = strndup((const char *)bytes + first, length)) ? BNN_OK : bnn_oom("array %s", h->name);
}

static bnn_status parse_head(const char *text, head *h) {
    const char *turned = find_key(text, "fortran_order");
    h->turned = turned && strncmp(turned, "True", 4) == 0;
    BNN_TRY(parse_type(find_key(text, "descr"), h));
    return parse_shape(find_key(text, "shape"), h);
}

bnn_status bnn_weights_read_npy(bnn_weights *w, const char *name, const unsigned char *bytes, size_t size) {
    head h = {.file = w->path, .name = name};
    char *text;
    size_t begin = 0;
    double count = 1;
    BNN_TRY(get_head(&h, bytes, size, &text, &begin));
    bnn_status s = parse_head(text, &h);
    free(text);
    for (int i = 0; i < h.shape.rank; i++) count *= h.shape.d[i];
    size_t width = (size_t)h.type.bytes;
    if (s == BNN_OK && count * (double)width > (double)(size - begin)) s = refuse(&h, "is cut off: it lacks numbers of its shape");
    bnn_weight array = {.shape = h.shape};
    if (s == BNN_OK) s = bnn_weights_room(name, &array);
    for (size_t i = 0; s == BNN_OK && i < (size_t)count; i++)
        array.value[i] = bnn_weights_number_at(h.type, bytes + begin + (h.turned ? turned_place(&h.shape, i) : i) * width);
    return s == BNN_OK ? bnn_weights_add_path(w, name, &array) : (free(array.value), s);
}
