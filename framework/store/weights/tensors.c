/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * tensors.c: safetensors: eight bytes, the length of a head, the lowest first; the head, a JSON object
 * {"fc1.weight": {"dtype": "F32", "shape": [8, 3], "data_offsets": [0, 96]}, ...}; then the numbers, to which the offsets count from the
 * head's end. The arrays stand by the width of their numbers and by their names, so the order of the layers is that of their names.
 */
#include "weights.h"

#include "run/order.h"
#include <bnn/cost.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *path;
    FILE *file;
    uint64_t begin, size; /* of the numbers */
} tensors;

static bnn_status refuse(const tensors *t, const char *name, const char *why) {
    return bnn_fail(BNN_ERR_FORMAT, "%s: array %s %s", t->path, name, why);
}

static bnn_status parse_type(const tensors *t, const char *name, const char *text, bnn_weights_number *out) {
    static const struct {
        const char *name;
        bnn_weights_number is;
    } known[] = {{"F64", {'f', 8, false}}, {"F32", {'f', 4, false}}, {"F16", {'f', 2, false}}, {"BF16", {'b', 2, false}},
                 {"I64", {'i', 8, false}}, {"I32", {'i', 4, false}}, {"I16", {'i', 2, false}}, {"I8", {'i', 1, false}},
                 {"U64", {'u', 8, false}}, {"U32", {'u', 4, false}}, {"U16", {'u', 2, false}}, {"U8", {'u', 1, false}},
                 {"BOOL", {'u', 1, false}}};
    for (size_t i = 0; text && i < sizeof known / sizeof *known; i++)
        if (strcmp(text, known[i].name) == 0) return *out = known[i].is, BNN_OK;
    return bnn_fail(BNN_ERR_FORMAT, "%s: array %s has the type '%.16s', which is not known: save it as float32", t->path, name,
                    text ? text : "");
}

static bnn_status parse_shape(const tensors *t, const char *name, const json_t *list, bnn_shape *out) {
    size_t rank = json_array_size(list);
    if (!json_is_array(list)) return refuse(t, name, "is damaged: it has no shape");
    if (rank > BNN_MAX_RANK) return refuse(t, name, "has more dimensions than are known");
    for (size_t i = 0; i < rank; i++) {
        const json_t *extent = json_array_get(list, i);
        if (!json_is_integer(extent) || json_integer_value(extent) < 0 || json_integer_value(extent) > INT32_MAX)
            return refuse(t, name, "is damaged: its shape has an entry that is no number, or too large");
        out->d[out->rank++] = (int)json_integer_value(extent);
    }
    return BNN_OK;
}

/* Finds where the numbers of an array stand, which are `bytes` long. */
static bnn_status find_numbers(const tensors *t, const char *name, const json_t *offsets, double bytes, uint64_t *from) {
    json_int_t begin = json_integer_value(json_array_get(offsets, 0)), end = json_integer_value(json_array_get(offsets, 1));
    if (json_array_size(offsets) != 2 || begin < 0 || end < begin || (double)(end - begin) != bytes)
        return refuse(t, name, "is damaged: its place in the file is not one of its shape and type");
    if ((uint64_t)end > t->size) return refuse(t, name, "is cut off: the file ends before its numbers do");
    *from = t->begin + (uint64_t)begin;
    return BNN_OK;
}

static bnn_status read_bytes(const tensors *t, uint64_t from, size_t n, const char *what, unsigned char **out) {
    if (!(*out = malloc(n + 1))) return bnn_oom("%s of %s", what, t->path);
    if (fseeko(t->file, (off_t)from, SEEK_SET) == 0 && fread(*out, 1, n, t->file) == n) return BNN_OK;
    free(*out), *out = NULL;
    return bnn_fail(BNN_ERR_FILE, "%s: cannot read %s: %s", t->path, what, ferror(t->file) ? strerror(errno) : "the file ends before");
}

static bnn_status read_array(const tensors *t, bnn_weights *w, const char *name, const json_t *about) {
    bnn_weights_number type;
    bnn_weight array = {0};
    double count = 1;
    uint64_t from = 0;
    unsigned char *bytes = NULL;
    BNN_TRY(parse_type(t, name, json_string_value(json_object_get(about, "dtype")), &type));
    BNN_TRY(parse_shape(t, name, json_object_get(about, "shape"), &array.shape));
    for (int i = 0; i < array.shape.rank; i++) count *= array.shape.d[i];
    BNN_TRY(find_numbers(t, name, json_object_get(about, "data_offsets"), count * type.bytes, &from));
    BNN_TRY(bnn_weights_room(name, &array));
    size_t n = (size_t)count, width = (size_t)type.bytes;
    bnn_status s = read_bytes(t, from, n * width, name, &bytes);
    for (size_t i = 0; bytes && i < n; i++) array.value[i] = bnn_weights_number_at(type, bytes + i * width);
    free(bytes);
    return s == BNN_OK ? bnn_weights_add_path(w, name, &array) : (free(array.value), s);
}

static bnn_status read_head(tensors *t, json_t **head) {
    unsigned char *bytes;
    uint64_t length = 0;
    if (fseeko(t->file, 0, SEEK_END) != 0 || ftello(t->file) < 8) return bnn_fail(BNN_ERR_FORMAT, "%s: has no head", t->path);
    uint64_t size = (uint64_t)ftello(t->file);
    BNN_TRY(read_bytes(t, 0, 8, "the length of the head", &bytes));
    for (int i = 0; i < 8; i++) length |= (uint64_t)bytes[i] << 8 * i;
    free(bytes);
    if (length > size - 8)
        return bnn_fail(BNN_ERR_FORMAT, "%s: is a file of safetensors that is cut off or damaged: it ends before its head does", t->path);
    t->begin = 8 + length, t->size = size - t->begin;
    bnn_status s = bnn_memory_check((double)length, "the head", "it is too large");
    if (s < 0) return bnn_note(s, "%s", t->path);
    BNN_TRY(read_bytes(t, 8, (size_t)length, "the head", &bytes));
    *head = json_loadb((const char *)bytes, (size_t)length, JSON_REJECT_DUPLICATES, NULL);
    free(bytes);
    if (json_is_object(*head)) return BNN_OK;
    return bnn_fail(BNN_ERR_FORMAT, "%s: is no file of weights: it begins as safetensors, but its head cannot be read as JSON", t->path);
}

bnn_status bnn_weights_read_tensors(bnn_weights *w, const char *path) {
    tensors t = {.path = path, .file = fopen(path, "rb")};
    json_t *head = NULL, *about;
    const char *name;
    if (!t.file) return bnn_fail(BNN_ERR_FILE, "%s: %s", path, strerror(errno));
    bnn_status s = read_head(&t, &head);
    json_object_foreach(head, name, about) {
        if (s == BNN_OK && strcmp(name, "__metadata__") != 0) s = read_array(&t, w, name, about);
    }
    json_decref(head);
    fclose(t.file);
    w->by_name = true;
    return s;
}
