/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hdf5.h"

#include "base/word.h"

#include <bnn/escape.h>
#include <bnn/store.h>
#include <errno.h>
#include <fcntl.h>
#include <hdf5_hl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_RANK 4

static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool works; /* HDF5 has started */

/* Number of times that the lock is held, and who prints HDF5's errors otherwise: the host may use HDF5 too. */
static int depth;
static H5E_auto2_t printer;
static void *printer_context;
static unsigned loads; /* kinds of plugins that HDF5 may load otherwise: what a file asks for is no reason to run code */

/* Without H5dont_atexit a full disk ends in a crash when HDF5 cleans up at exit; a second start after one that failed is a crash too. */
static void start(void) {
    H5dont_atexit(); /* refuses where the host has said so already */
    works = H5open() >= 0;
}

bnn_status bnn_h5_begin(const char *path) {
    pthread_once(&once, start);
    pthread_mutex_lock(&lock);
    if (!works) return bnn_fail(BNN_ERR_MEMORY, "%s: HDF5 could not start: out of memory", path);
    if (depth++ > 0) return BNN_OK;
    H5Eget_auto2(H5E_DEFAULT, &printer, &printer_context);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    H5PLget_loading_state(&loads);
    H5PLset_loading_state(0);
    return BNN_OK;
}

void bnn_h5_end(void) {
    if (works && --depth == 0) {
        H5Eset_auto2(H5E_DEFAULT, printer, printer_context);
        H5PLset_loading_state(loads);
    }
    pthread_mutex_unlock(&lock);
}

const char *bnn_h5_join(char path[BNN_H5_PATH], const char *group, const char *name) {
    snprintf(path, BNN_H5_PATH, "%s/%s", strcmp(group, "/") == 0 ? "" : group, name);
    return path;
}

static hid_t memory_type(bnn_h5_kind kind) {
    switch (kind) {
    case BNN_H5_REAL: return sizeof(bnn_real) == sizeof(double) ? H5T_NATIVE_DOUBLE : H5T_NATIVE_FLOAT;
    case BNN_H5_INT: return H5T_NATIVE_INT;
    case BNN_H5_CODE: return H5T_NATIVE_INT8;
    case BNN_H5_PIXELS: return H5T_NATIVE_UINT8;
    case BNN_H5_U64:
    case BNN_H5_COUNT: return H5T_NATIVE_UINT64;
    case BNN_H5_DOUBLE:
    case BNN_H5_BYTES:
    case BNN_H5_CLASSES:
    case BNN_H5_MAP:
    case BNN_H5_SINGLE: break;
    }
    return H5T_NATIVE_DOUBLE;
}

static hid_t file_type(bnn_h5_kind kind) {
    switch (kind) {
    case BNN_H5_REAL: return sizeof(bnn_real) == sizeof(double) ? H5T_IEEE_F64LE : H5T_IEEE_F32LE;
    case BNN_H5_INT:
    case BNN_H5_CLASSES: return H5T_STD_I32LE;
    case BNN_H5_CODE:
    case BNN_H5_MAP: return H5T_STD_I8LE;
    case BNN_H5_SINGLE: return H5T_IEEE_F32LE;
    case BNN_H5_U64: return H5T_STD_U64LE;
    case BNN_H5_COUNT: return H5T_STD_I64LE;
    case BNN_H5_BYTES:
    case BNN_H5_PIXELS: return H5T_STD_U8LE;
    case BNN_H5_DOUBLE: break;
    }
    return H5T_IEEE_F64LE;
}

/* Calls that return < 0 on failure, and closing of what may not have been opened. */
static void close_space(hid_t id) {
    if (id >= 0) H5Sclose(id);
}
static void close_list(hid_t id) {
    if (id >= 0) H5Pclose(id);
}
static void close_object(hid_t id) {
    if (id >= 0) H5Oclose(id);
}

static herr_t find_cause(unsigned n, const H5E_error2_t *error, void *broken) {
    (void)n;
    if (error->maj_num == H5E_RESOURCE || error->maj_num == H5E_IO || error->min_num == H5E_CANTALLOC || error->min_num == H5E_READERROR)
        *(bool *)broken = true;
    return 0;
}

/* Says whether the last call failed for want of memory or by the disk, and not because what it looked for is not there. */
static bool is_broken(void) {
    bool broken = false;
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, find_cause, &broken);
    return broken;
}

/* ---- writing ---- */

static void fail_write(bnn_h5_writer *w, const char *what, const char *object) {
    if (w->status < 0) return;
    if (errno)
        w->status = bnn_fail(BNN_ERR_FILE, "%s: cannot write %s%s: %s", w->path, what, object, strerror(errno));
    else
        w->status = bnn_fail(BNN_ERR_FILE, "%s: HDF5 cannot write %s%s", w->path, what, object);
}

/* Closes what was written: only now do its last bytes go to the file, and only here is told where they do not arrive. */
static void close_written(bnn_h5_writer *w, const char *what, const char *object, hid_t id) {
    errno = 0;
    if (id >= 0 && H5Oclose(id) < 0) fail_write(w, what, object);
}

void bnn_h5_refuse(bnn_h5_writer *w, bnn_status status) {
    if (w->status == BNN_OK) w->status = status;
}

/* HDF5's own locks stay away: what is written has one already, what stands at a path is whole, and not every file system has them. */
static hid_t file_access(void) {
    hid_t list = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_file_locking(list, false, true);
    H5Pset_fclose_degree(list, H5F_CLOSE_SEMI); /* a leaked handle becomes an error, not an unfinished file */
    return list;
}

/* Creation order lets netCDF append; no times, so that equal content is equal bytes. */
static hid_t ordered(hid_t class) {
    hid_t list = H5Pcreate(class);
    if (class != H5P_DATASET_CREATE) H5Pset_link_creation_order(list, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
    H5Pset_attr_creation_order(list, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
    H5Pset_obj_track_times(list, false);
    return list;
}

void bnn_h5_create(bnn_h5_writer *w, const char *path) {
    struct stat about;
    *w = (bnn_h5_writer){.path = path, .file = -1};
    w->status = bnn_h5_begin(path);
    if (w->status < 0) return;
    if (lstat(path, &about) == 0 && !S_ISREG(about.st_mode)) { /* a rename would put the file in its place */
        w->status = bnn_fail(BNN_ERR_FILE, "%s: is not a plain file, and stays", path);
        return;
    }
    if ((w->status = bnn_draft_open(path, false, &w->draft)) < 0) return;
    hid_t creation = ordered(H5P_FILE_CREATE), access = file_access();
    H5Pset_libver_bounds(access, H5F_LIBVER_EARLIEST, H5F_LIBVER_V18); /* what most readers know */
    errno = 0;
    w->file = H5Fcreate(bnn_draft_name(w->draft), H5F_ACC_TRUNC, creation, access);
    if (w->file < 0)
        w->status = bnn_fail(BNN_ERR_FILE, "%s: cannot be written: %s", path, errno ? strerror(errno) : "HDF5 cannot create it");
    H5Pclose(creation), H5Pclose(access);
}

void bnn_h5_schema(bnn_h5_writer *w, const char *schema) {
    bnn_h5_text(w, "/", "schema", schema);
    bnn_h5_ints(w, "/", "schema_version", 1, (const int[]){1});
    bnn_h5_text(w, "/", "creation_library", "bnn");
    bnn_h5_text(w, "/", "creation_library_version", BNN_VERSION);
}

void bnn_h5_group(bnn_h5_writer *w, const char *group) {
    if (w->status < 0) return;
    errno = 0;
    hid_t list = ordered(H5P_GROUP_CREATE), id = H5Gcreate2(w->file, group, H5P_DEFAULT, list, H5P_DEFAULT);
    if (id < 0) fail_write(w, "group ", group);
    close_written(w, "group ", group, id);
    close_list(list);
}

/* Storage in chunks of this size, which is cut to what a chunk may have, deflated. */
static hid_t deflated(hid_t type, int rank, hsize_t *chunk) {
    hid_t list = ordered(H5P_DATASET_CREATE);
    hsize_t row = H5Tget_size(type);
    for (int i = 1; i < rank; i++) row *= chunk[i];
    if (row * chunk[0] > BNN_H5_CHUNK_BYTES) chunk[0] = row < BNN_H5_CHUNK_BYTES ? BNN_H5_CHUNK_BYTES / row : 1;
    for (int i = 1; i < rank && row > BNN_H5_CHUNK_BYTES; i++) {
        row /= chunk[i];
        chunk[i] = row < BNN_H5_CHUNK_BYTES ? BNN_H5_CHUNK_BYTES / row : 1;
        row *= chunk[i];
    }
    H5Pset_chunk(list, rank, chunk);
    H5Pset_shuffle(list);
    H5Pset_deflate(list, 4);
    return list;
}

static hsize_t bytes_of(hid_t type, int rank, const hsize_t *extent) {
    hsize_t bytes = H5Tget_size(type);
    for (int i = 0; i < rank; i++) bytes *= extent[i];
    return bytes;
}

/* Storage: contiguous, except larger arrays of whole numbers, which deflate well (draws and weights do not). */
static hid_t storage(hid_t type, int rank, const hsize_t *extent) {
    hsize_t chunk[MAX_RANK];
    if (H5Tget_class(type) != H5T_INTEGER || bytes_of(type, rank, extent) < BNN_H5_CONTIGUOUS_BYTES) return ordered(H5P_DATASET_CREATE);
    memcpy(chunk, extent, (size_t)rank * sizeof *chunk);
    return deflated(type, rank, chunk);
}

/* Storage of maps: deflated by rows, except small arrays. */
static hid_t storage_of_maps(hid_t type, int rank, const hsize_t *extent) {
    hsize_t chunk[MAX_RANK];
    if (bytes_of(type, rank, extent) < BNN_H5_CONTIGUOUS_BYTES) return ordered(H5P_DATASET_CREATE);
    memcpy(chunk, extent, (size_t)rank * sizeof *chunk);
    chunk[0] = 1;
    return deflated(type, rank, chunk);
}

/* Storage of what is written in parts: contiguous, and laid out at once, so that the file does not depend on the order of the parts. */
static hid_t reserved(void) {
    hid_t list = ordered(H5P_DATASET_CREATE);
    H5Pset_alloc_time(list, H5D_ALLOC_TIME_EARLY);
    return list;
}

/* A new dataset with its numbers (data NULL: without), stored as list says, which is closed; < 0 after a failure. */
static hid_t dataset_in(bnn_h5_writer *w, const char *object, hid_t in_file, hid_t in_memory, const void *data, int rank,
                        const hsize_t *extent, hid_t list) {
    errno = 0;
    hid_t space = rank ? H5Screate_simple(rank, extent, NULL) : H5Screate(H5S_SCALAR);
    hid_t id = H5Dcreate2(w->file, object, in_file, space, H5P_DEFAULT, list, H5P_DEFAULT);
    if (id < 0 || (data && H5Dwrite(id, in_memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)) fail_write(w, "dataset ", object);
    close_list(list), close_space(space);
    return id;
}

static hid_t dataset(bnn_h5_writer *w, const char *object, hid_t in_file, hid_t in_memory, const void *data, int rank,
                     const hsize_t *extent) {
    return dataset_in(w, object, in_file, in_memory, data, rank, extent, data ? storage(in_file, rank, extent) : reserved());
}

static void attribute(bnn_h5_writer *w, const char *object, const char *name, hid_t in_file, hid_t in_memory, const hsize_t *n,
                      const void *data) {
    if (w->status < 0) return;
    errno = 0;
    hid_t space = n ? H5Screate_simple(1, n, NULL) : H5Screate(H5S_SCALAR);
    hid_t id = H5Acreate_by_name(w->file, object, name, in_file, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (id < 0 || H5Awrite(id, in_memory, data) < 0) fail_write(w, "an attribute of ", object);
    if (id >= 0 && H5Aclose(id) < 0) fail_write(w, "an attribute of ", object);
    close_space(space);
}

void bnn_h5_dim(bnn_h5_writer *w, const char *group, const char *name, int n, bnn_h5_kind kind, const void *values) {
    if (w->status < 0) return;
    char path[BNN_H5_PATH];
    bnn_h5_join(path, group, name);
    int *count = NULL;
    if (!values) {
        values = count = malloc(((size_t)n + 1) * sizeof(int));
        if (!count) {
            w->status = bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for dimension %s", w->path, path);
            return;
        }
        for (int i = 0; i < n; i++) count[i] = i;
    }
    hid_t id =
        dataset(w, path, kind == BNN_H5_INT ? H5T_STD_I64LE : file_type(kind), memory_type(kind), values, 1, (const hsize_t[]){(hsize_t)n});
    if (w->status == BNN_OK && H5DSset_scale(id, name) < 0) fail_write(w, "dimension ", path);
    close_written(w, "dimension ", path, id);
    free(count);
    attribute(w, path, "_Netcdf4Dimid", H5T_STD_I32LE, H5T_NATIVE_INT, NULL, &w->n_dims);
    w->n_dims++;
}

/* The dimension of this name (length characters) in the group or the nearest one above it. */
static hid_t find_dim(const bnn_h5_writer *w, const char *group, const char *name, int length) {
    char path[2 * BNN_H5_PATH], above[BNN_H5_PATH];
    snprintf(above, sizeof above, "%s", strcmp(group, "/") == 0 ? "" : group);
    for (;;) {
        snprintf(path, sizeof path, "%s/%.*s", above, length, name);
        hid_t id = H5Dopen2(w->file, path, H5P_DEFAULT);
        if (id >= 0 || !*above || is_broken()) return id;
        *strrchr(above, '/') = '\0';
    }
}

static hsize_t extent_of(hid_t scale) {
    hid_t space = H5Dget_space(scale);
    hssize_t n = H5Sget_simple_extent_npoints(space);
    close_space(space);
    return n > 0 ? (hsize_t)n : 0;
}

/* Opens the dimensions of a list; returns their number, < 0 if one is missing. */
static int open_dims(const bnn_h5_writer *w, const char *group, const char *dims, hid_t scale[MAX_RANK], hsize_t extent[MAX_RANK]) {
    int rank = 0;
    for (const char *d = dims; *d; d += strspn(d, " ")) {
        int length = (int)strcspn(d, " ");
        hid_t id = rank < MAX_RANK ? find_dim(w, group, d, length) : -1;
        if (id < 0) {
            while (rank > 0) close_object(scale[--rank]);
            return -1;
        }
        scale[rank] = id, extent[rank++] = extent_of(id);
        d += length;
    }
    return rank;
}

static void put(bnn_h5_writer *w, const char *group, const char *name, hid_t type, hid_t memory, const void *data, const char *dims,
                bool maps) {
    if (w->status < 0) return;
    char path[BNN_H5_PATH];
    bnn_h5_join(path, group, name);
    hid_t scale[MAX_RANK];
    hsize_t extent[MAX_RANK];
    int rank = open_dims(w, group, dims, scale, extent);
    if (rank < 0) {
        w->status = bnn_fail(BNN_ERR_FILE, "%s: dataset %s lacks one of its dimensions '%s'", w->path, path, dims);
        return;
    }
    hid_t id = maps ? dataset_in(w, path, type, memory, data, rank, extent, storage_of_maps(type, rank, extent))
                    : dataset(w, path, type, memory, data, rank, extent);
    for (int i = 0; i < rank; i++) {
        if (w->status == BNN_OK && H5DSattach_scale(id, scale[i], (unsigned)i) < 0) fail_write(w, "the dimensions of ", path);
        close_written(w, "the dimensions of ", path, scale[i]);
    }
    close_written(w, "dataset ", path, id);
}

void bnn_h5_put(bnn_h5_writer *w, const char *group, const char *name, bnn_h5_kind kind, const void *data, const char *dims) {
    put(w, group, name, file_type(kind), memory_type(kind), data, dims, false);
}

void bnn_h5_put_maps(bnn_h5_writer *w, const char *group, const char *name, bnn_h5_kind kind, const char *dims) {
    put(w, group, name, file_type(kind), memory_type(kind), NULL, dims, true);
}

int bnn_h5_dim_size(const bnn_h5_writer *w, const char *group, const char *name) {
    char path[BNN_H5_PATH];
    if (w->status < 0 || H5Lexists(w->file, bnn_h5_join(path, group, name), H5P_DEFAULT) <= 0) return -1;
    hid_t id = H5Dopen2(w->file, path, H5P_DEFAULT);
    int size = id < 0 ? -1 : (int)extent_of(id);
    close_object(id);
    return size;
}

void bnn_h5_put_part(bnn_h5_writer *w, const char *group, const char *name, bnn_h5_kind kind, int rank, const int *start, const int *count,
                     const void *data) {
    if (w->status < 0) return;
    char path[BNN_H5_PATH];
    hsize_t from[MAX_RANK], extent[MAX_RANK];
    for (int i = 0; i < rank; i++) from[i] = (hsize_t)start[i], extent[i] = (hsize_t)count[i];
    errno = 0;
    hid_t id = H5Dopen2(w->file, bnn_h5_join(path, group, name), H5P_DEFAULT), room = id < 0 ? -1 : H5Dget_space(id);
    hid_t part = H5Screate_simple(rank, extent, NULL);
    if (room < 0 || H5Sselect_hyperslab(room, H5S_SELECT_SET, from, NULL, extent, NULL) < 0 ||
        H5Dwrite(id, memory_type(kind), part, room, H5P_DEFAULT, data) < 0)
        fail_write(w, "dataset ", path);
    close_space(part), close_space(room);
    close_written(w, "dataset ", path, id);
}

static hid_t text_type(void) {
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

/* A copy; what is not UTF-8 is taken for ISO 8859-1, as older tables are. NULL: out of memory. */
static char *as_utf8(const char *text) {
    if (!text || bnn_is_utf8(text)) return strdup(text ? text : "");
    char *copy = malloc(2 * strlen(text) + 1), *to = copy;
    for (; copy && *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c >= 128) *to++ = (char)(0xC0 | c >> 6), c = 0x80 | (c & 0x3F);
        *to++ = (char)c;
    }
    if (copy) *to = '\0';
    return copy;
}

/* Owned, text by text; NULL, and the failure sticks, where there is no memory. */
static char **copy_texts(bnn_h5_writer *w, size_t n, const char *const *texts) {
    char **copy = calloc(n + 1, sizeof *copy);
    bool made = copy;
    for (size_t i = 0; made && i < n; i++) made = (copy[i] = as_utf8(texts[i]));
    if (made) return copy;
    bnn_h5_refuse(w, bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for texts", w->path));
    bnn_texts_free(copy, (int)n);
    return NULL;
}

/* extent NULL: one text. */
static void put_texts(bnn_h5_writer *w, const char *object, const char *name, const hsize_t *extent, const char *const *texts) {
    size_t n = extent ? *extent : 1;
    hid_t type = text_type();
    char **copy = copy_texts(w, n, texts);
    if (copy) attribute(w, object, name, type, type, extent, copy);
    bnn_texts_free(copy, (int)n);
    H5Tclose(type);
}

void bnn_h5_text(bnn_h5_writer *w, const char *object, const char *name, const char *text) { put_texts(w, object, name, NULL, &text); }

void bnn_h5_texts(bnn_h5_writer *w, const char *object, const char *name, int n, char *const *texts) {
    put_texts(w, object, name, (const hsize_t[]){(hsize_t)n}, (const char *const *)texts);
}

void bnn_h5_put_texts(bnn_h5_writer *w, const char *group, const char *name, int n, char *const *texts, const char *dim) {
    if (w->status < 0) return;
    hid_t type = text_type();
    char **copy = copy_texts(w, (size_t)n, (const char *const *)texts);
    if (copy) put(w, group, name, type, type, copy, dim, false);
    bnn_texts_free(copy, n);
    H5Tclose(type);
}

void bnn_h5_ints(bnn_h5_writer *w, const char *object, const char *name, int n, const int *values) {
    hsize_t count = (hsize_t)n;
    attribute(w, object, name, H5T_STD_I32LE, H5T_NATIVE_INT, n > 1 ? &count : NULL, values);
}

void bnn_h5_codes(bnn_h5_writer *w, const char *object, const char *name, int n, const int8_t *values) {
    hsize_t count = (hsize_t)n;
    attribute(w, object, name, H5T_STD_I8LE, H5T_NATIVE_INT8, n > 1 ? &count : NULL, values);
}

void bnn_h5_number(bnn_h5_writer *w, const char *object, const char *name, double value) {
    attribute(w, object, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, NULL, &value);
}

void bnn_h5_u64(bnn_h5_writer *w, const char *object, const char *name, uint64_t value) {
    char text[24], text_name[64];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    snprintf(text_name, sizeof text_name, "%s_text", name);
    attribute(w, object, name, H5T_STD_U64LE, H5T_NATIVE_UINT64, NULL, &value);
    bnn_h5_text(w, object, text_name, text);
}

bnn_status bnn_h5_commit(bnn_h5_writer *w) {
    errno = 0;
    if (w->file >= 0 && H5Fclose(w->file) < 0) fail_write(w, "the end of the file", "");
    errno = 0;
    if (w->status == BNN_OK && bnn_h5_seal(bnn_draft_name(w->draft)) < 0) fail_write(w, "the file", "");
    if (w->status == BNN_OK)
        w->status = bnn_draft_commit(w->draft);
    else
        bnn_draft_drop(w->draft);
    bnn_h5_end();
    return w->status;
}

/* ---- reading ---- */

static bnn_status open_file(bnn_h5_reader *r) {
    BNN_TRY(bnn_h5_check_seal(r->path));
    if (H5Fis_hdf5(r->path) <= 0) return bnn_fail(BNN_ERR_FORMAT, "%s: is not an HDF5 file", r->path);
    hid_t access = file_access();
    r->file = H5Fopen(r->path, H5F_ACC_RDONLY, access);
    H5Pclose(access);
    if (r->file < 0) return bnn_fail(BNN_ERR_FILE, "%s: HDF5 cannot open it: truncated, damaged, or being written", r->path);
    return BNN_OK;
}

/* Says whether name is one of those in list, separated by '|'. */
static bool is_listed(const char *name, const char *list) {
    size_t length = strlen(name);
    for (const char *at = list; *at; at += strspn(at, "|")) {
        size_t here = strcspn(at, "|");
        if (here == length && strncmp(at, name, length) == 0) return true;
        at += here;
    }
    return false;
}

static bnn_status check_schema(bnn_h5_reader *r, const char *schema) {
    if (!bnn_h5_has_attribute(r, "/", "schema"))
        return bnn_fail(BNN_ERR_FORMAT,
                        "%s: is an HDF5 file, but not one of bnn: it has no attribute 'schema'; tables come as CSV, "
                        "weights by `bnn import-weights`",
                        r->path);
    char *found = bnn_h5_get_text(r, "/", "schema");
    if (!found) return r->status;
    if (schema && !is_listed(found, schema)) {
        int first = (int)strcspn(schema, "|");
        bnn_fail(r->status = BNN_ERR_FORMAT, "%s: holds '%s', expected '%.*s'", r->path, found, first, schema);
    }
    free(found);
    int version = bnn_h5_get_int(r, "/", "schema_version");
    if (r->status == BNN_OK && version != 1)
        r->status = bnn_fail(BNN_ERR_FORMAT, "%s: has schema_version %d, this bnn reads 1", r->path, version);
    return r->status;
}

bnn_status bnn_h5_open_unchecked(bnn_h5_reader *r, const char *path) {
    *r = (bnn_h5_reader){.path = path, .file = -1};
    r->status = bnn_h5_begin(path);
    if (r->status == BNN_OK) r->status = open_file(r);
    return r->status < 0 ? bnn_h5_close(r) : BNN_OK;
}

bnn_status bnn_h5_open_any(bnn_h5_reader *r, const char *path) {
    BNN_TRY(bnn_h5_open_unchecked(r, path));
    r->status = bnn_h5_check_inside(r->file, path);
    return r->status < 0 ? bnn_h5_close(r) : BNN_OK;
}

bnn_status bnn_h5_open_image(bnn_h5_reader *r, const char *path, const void *bytes, size_t size) {
    *r = (bnn_h5_reader){.path = path, .file = -1};
    r->status = bnn_h5_begin(path);
    if (r->status == BNN_OK) { /* HDF5 does not change what it is told not to copy and opens for reading */
        r->file = H5LTopen_file_image((void *)bytes, size, H5LT_FILE_IMAGE_DONT_COPY | H5LT_FILE_IMAGE_DONT_RELEASE);
        r->status =
            r->file < 0 ? bnn_fail(BNN_ERR_FORMAT, "%s: is not an HDF5 file, or a damaged one", path) : bnn_h5_check_inside(r->file, path);
    }
    return r->status < 0 ? bnn_h5_close(r) : BNN_OK;
}

bnn_status bnn_h5_open(bnn_h5_reader *r, const char *path, const char *schema) {
    BNN_TRY(bnn_h5_open_any(r, path));
    r->status = check_schema(r, schema);
    return r->status < 0 ? bnn_h5_close(r) : BNN_OK;
}

bnn_status bnn_h5_close(bnn_h5_reader *r) {
    if (r->file >= 0) H5Fclose(r->file);
    r->file = -1;
    bnn_h5_end();
    return r->status;
}

/* Takes what HDF5 says of something: that it is there, that it is not, or that this could not be told, which is a failure. */
static bool is_there(bnn_h5_reader *r, htri_t answer, const char *object) {
    if (answer < 0 && r->status == BNN_OK && is_broken()) r->status = bnn_fail(BNN_ERR_FILE, "%s: %s cannot be read", r->path, object);
    return answer > 0;
}

bool bnn_h5_has(bnn_h5_reader *r, const char *object) {
    return r->file >= 0 && is_there(r, H5Oexists_by_name(r->file, object, H5P_DEFAULT), object);
}

bool bnn_h5_has_attribute(bnn_h5_reader *r, const char *object, const char *name) {
    return bnn_h5_has(r, object) && is_there(r, H5Aexists_by_name(r->file, object, name, H5P_DEFAULT), object);
}

bool bnn_h5_is_group(bnn_h5_reader *r, const char *object) {
    hid_t id = bnn_h5_has(r, object) ? H5Oopen(r->file, object, H5P_DEFAULT) : -1;
    bool group = id >= 0 && H5Iget_type(id) == H5I_GROUP;
    close_object(id);
    return group;
}

static int by_number(const void *a, const void *b) { return strverscmp(*(char *const *)a, *(char *const *)b); }

bool bnn_h5_is_ordered(const bnn_h5_reader *r, const char *group) {
    unsigned flags = 0;
    hid_t id = r->status < 0 ? -1 : H5Gopen2(r->file, group, H5P_DEFAULT), list = id < 0 ? -1 : H5Gget_create_plist(id);
    if (list >= 0) H5Pget_link_creation_order(list, &flags);
    close_list(list), close_object(id);
    return flags & H5P_CRT_ORDER_TRACKED;
}

char **bnn_h5_members(bnn_h5_reader *r, const char *group, int *n) {
    H5G_info_t about;
    hid_t id = r->status < 0 ? -1 : H5Gopen2(r->file, group, H5P_DEFAULT);
    *n = 0;
    if (r->status == BNN_OK && (id < 0 || H5Gget_info(id, &about) < 0))
        r->status = bnn_fail(BNN_ERR_FORMAT, "%s: %s is not a group", r->path, group);
    bool ordered = bnn_h5_is_ordered(r, group);
    char **names = bnn_h5_room(r, r->status < 0 ? 0 : (size_t)about.nlinks, sizeof *names);
    for (hsize_t i = 0; names && i < about.nlinks; i++) {
        H5_index_t by = ordered ? H5_INDEX_CRT_ORDER : H5_INDEX_NAME;
        ssize_t length = H5Lget_name_by_idx(id, ".", by, H5_ITER_INC, i, NULL, 0, H5P_DEFAULT);
        char *name = bnn_h5_room(r, length < 0 ? 0 : (size_t)length, 1);
        if (!name) break;
        H5Lget_name_by_idx(id, ".", by, H5_ITER_INC, i, name, (size_t)length + 1, H5P_DEFAULT);
        names[(*n)++] = name;
    }
    if (names && !ordered) qsort(names, (size_t)*n, sizeof *names, by_number);
    close_object(id);
    return names;
}

void *bnn_h5_room(bnn_h5_reader *r, size_t count, size_t size) {
    if (r->status < 0) return NULL;
    void *room = calloc(count + 1, size);
    if (!room) r->status = bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for %zu numbers", r->path, count);
    return room;
}

/* An open dataset and its extents; < 0 after a failure. */
static hid_t open_dataset(bnn_h5_reader *r, const char *object, int *rank, hsize_t extent[H5S_MAX_RANK]) {
    hid_t id = r->status < 0 ? -1 : H5Dopen2(r->file, object, H5P_DEFAULT);
    if (r->status < 0) return -1;
    hid_t space = id < 0 ? -1 : H5Dget_space(id);
    *rank = space < 0 ? -1 : H5Sget_simple_extent_dims(space, extent, NULL);
    close_space(space);
    if (*rank >= 0) return id;
    r->status = bnn_fail(BNN_ERR_FORMAT, "%s: lacks dataset %s", r->path, object);
    close_object(id);
    return -1;
}

int bnn_h5_rank(bnn_h5_reader *r, const char *object) {
    hsize_t extent[H5S_MAX_RANK];
    int rank = 0;
    close_object(open_dataset(r, object, &rank, extent));
    return r->status < 0 ? 0 : rank;
}

bool bnn_h5_has_bytes(bnn_h5_reader *r, const char *object) {
    hsize_t extent[H5S_MAX_RANK];
    int rank;
    hid_t id = open_dataset(r, object, &rank, extent), type = id < 0 ? -1 : H5Dget_type(id);
    bool bytes = type >= 0 && H5Tget_class(type) == H5T_INTEGER && H5Tget_size(type) == 1 && H5Tget_sign(type) == H5T_SGN_NONE;
    if (type >= 0) H5Tclose(type);
    close_object(id);
    return bytes;
}

/* Says whether so many numbers can be stored in the bytes that the file has for them: memory is asked for on the word of these extents. */
static bool is_stored(hid_t dataset_id, int rank, const hsize_t *extent) {
    enum { DEFLATE_MOST = 1032 }; /* times smaller (zlib's documentation) */
    hid_t type = H5Dget_type(dataset_id);
    double bytes = (double)H5Tget_size(type);
    for (int i = 0; i < rank; i++) bytes *= (double)extent[i];
    H5Tclose(type);
    return bytes <= DEFLATE_MOST * (double)H5Dget_storage_size(dataset_id);
}

static bnn_status check_extents(const bnn_h5_reader *r, hid_t id, const char *object, int rank, int found, const hsize_t *extent) {
    if (found != rank) return bnn_fail(BNN_ERR_FORMAT, "%s: dataset %s has %d dimensions, expected %d", r->path, object, found, rank);
    for (int i = 0; i < rank; i++)
        if (extent[i] > INT32_MAX) return bnn_fail(BNN_ERR_FORMAT, "%s: dataset %s is too long", r->path, object);
    if (is_stored(id, rank, extent)) return BNN_OK;
    return bnn_fail(BNN_ERR_FORMAT, "%s: dataset %s claims more numbers than its bytes can hold", r->path, object);
}

void bnn_h5_extents(bnn_h5_reader *r, const char *object, int rank, int *extents) {
    hsize_t extent[H5S_MAX_RANK];
    int found;
    memset(extents, 0, (size_t)rank * sizeof *extents);
    hid_t id = open_dataset(r, object, &found, extent);
    if (id < 0) return;
    r->status = check_extents(r, id, object, rank, found, extent);
    for (int i = 0; r->status == BNN_OK && i < rank; i++) extents[i] = (int)extent[i];
    close_object(id);
}

int bnn_h5_length(bnn_h5_reader *r, const char *object) {
    int n;
    bnn_h5_extents(r, object, 1, &n);
    return n;
}

static bool is_number(hid_t dataset_id) {
    hid_t type = H5Dget_type(dataset_id);
    H5T_class_t class = H5Tget_class(type);
    H5Tclose(type);
    return class == H5T_INTEGER || class == H5T_FLOAT;
}

void bnn_h5_get(bnn_h5_reader *r, const char *object, bnn_h5_kind kind, size_t count, void *out) {
    hsize_t extent[H5S_MAX_RANK], found = 1;
    int rank;
    hid_t id = open_dataset(r, object, &rank, extent);
    if (id < 0) return;
    for (int i = 0; i < rank; i++)
        if (__builtin_mul_overflow(found, extent[i], &found)) found = ULLONG_MAX;
    if (found != count)
        r->status =
            bnn_fail(BNN_ERR_FORMAT, "%s: dataset %s holds %llu numbers, expected %zu", r->path, object, (unsigned long long)found, count);
    else if (!is_number(id))
        r->status = bnn_fail(BNN_ERR_FORMAT, "%s: dataset %s does not hold numbers", r->path, object);
    else if (H5Dread(id, memory_type(kind), H5S_ALL, H5S_ALL, H5P_DEFAULT, out) < 0)
        r->status = bnn_fail(BNN_ERR_FILE, "%s: dataset %s cannot be read: the file is damaged", r->path, object);
    close_object(id);
}

void bnn_h5_get_part(bnn_h5_reader *r, const char *object, bnn_h5_kind kind, int rank, const int *start, const int *count, void *out) {
    hsize_t extent[H5S_MAX_RANK], from[MAX_RANK], many[MAX_RANK];
    int found;
    hid_t id = open_dataset(r, object, &found, extent);
    if (id < 0) return;
    bool inside = found == rank && is_number(id);
    for (int i = 0; inside && i < rank; i++) {
        from[i] = (hsize_t)start[i], many[i] = (hsize_t)count[i];
        inside = from[i] + many[i] <= extent[i];
    }
    hid_t room = inside ? H5Dget_space(id) : -1, part = inside ? H5Screate_simple(rank, many, NULL) : -1;
    if (!inside)
        r->status = bnn_fail(BNN_ERR_FORMAT, "%s: dataset %s does not hold the numbers that are looked for", r->path, object);
    else if (H5Sselect_hyperslab(room, H5S_SELECT_SET, from, NULL, many, NULL) < 0 ||
             H5Dread(id, memory_type(kind), part, room, H5P_DEFAULT, out) < 0)
        r->status = bnn_fail(BNN_ERR_FILE, "%s: dataset %s cannot be read: the file is damaged", r->path, object);
    close_space(part), close_space(room), close_object(id);
}

size_t bnn_h5_opaque_bytes(bnn_h5_reader *r, const char *object) {
    hsize_t extent[H5S_MAX_RANK];
    int rank;
    hid_t id = open_dataset(r, object, &rank, extent), type = id < 0 ? -1 : H5Dget_type(id);
    size_t bytes = type >= 0 && H5Tget_class(type) == H5T_OPAQUE ? H5Tget_size(type) : 0;
    if (type >= 0) H5Tclose(type);
    close_object(id);
    return bytes;
}

void bnn_h5_get_bytes(bnn_h5_reader *r, const char *object, size_t count, size_t size, void *out) {
    hsize_t extent[H5S_MAX_RANK], found = 1;
    int rank;
    hid_t id = open_dataset(r, object, &rank, extent), type = id < 0 ? -1 : H5Dget_type(id);
    if (id < 0) return;
    for (int i = 0; i < rank; i++)
        if (__builtin_mul_overflow(found, extent[i], &found)) found = ULLONG_MAX;
    if (found != count || H5Tget_class(type) != H5T_OPAQUE || H5Tget_size(type) != size)
        r->status = bnn_fail(BNN_ERR_FORMAT, "%s: dataset %s does not hold %zu times %zu bytes", r->path, object, count, size);
    else if (H5Dread(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) < 0)
        r->status = bnn_fail(BNN_ERR_FILE, "%s: dataset %s cannot be read: the file is damaged", r->path, object);
    if (type >= 0) H5Tclose(type);
    close_object(id);
}

/* The n texts of an attribute of this type; HDF5 changes neither the character set nor a fixed length into a variable one. */
static bool read_texts(hid_t id, hid_t type, int n, char **texts) {
    bool variable = H5Tis_variable_str(type) > 0;
    size_t size = variable ? 0 : H5Tget_size(type) + 1; /* with the 0 at the end that the file may do without */
    char *block = variable ? NULL : calloc((size_t)n + 1, size);
    if (!variable && !block) return false;
    hid_t in_memory = H5Tcopy(H5T_C_S1);
    H5Tset_size(in_memory, variable ? H5T_VARIABLE : size);
    H5Tset_cset(in_memory, H5Tget_cset(type));
    bool ok = H5Aread(id, in_memory, variable ? (void *)texts : block) >= 0;
    for (int i = 0; ok && !variable && i < n; i++) texts[i] = strdup(block + (size_t)i * size);
    H5Tclose(in_memory);
    free(block);
    return ok;
}

/* An open attribute; < 0 after a failure. */
static hid_t open_attribute(bnn_h5_reader *r, const char *object, const char *name) {
    hid_t id = r->status < 0 ? -1 : H5Aopen_by_name(r->file, object, name, H5P_DEFAULT, H5P_DEFAULT);
    if (id < 0 && r->status == BNN_OK) r->status = bnn_fail(BNN_ERR_FORMAT, "%s: %s lacks attribute '%s'", r->path, object, name);
    return id;
}

int bnn_h5_count_attribute(bnn_h5_reader *r, const char *object, const char *name) {
    hid_t id = open_attribute(r, object, name);
    if (id < 0) return 0;
    hid_t space = H5Aget_space(id);
    hssize_t n = H5Sget_simple_extent_npoints(space);
    H5Sclose(space), H5Aclose(id);
    return n >= 0 && n <= INT32_MAX ? (int)n : 0;
}

/* Reads an attribute of n entries of a class of types. */
static void read_attribute(bnn_h5_reader *r, const char *object, const char *name, H5T_class_t class, hid_t in_memory, int n, void *out) {
    int found = bnn_h5_count_attribute(r, object, name);
    hid_t id = open_attribute(r, object, name);
    if (id < 0) return;
    hid_t type = H5Aget_type(id);
    bool fits = H5Tget_class(type) == class && found == n;
    if (!(fits && (class == H5T_STRING ? read_texts(id, type, n, out) : H5Aread(id, in_memory, out) >= 0)))
        r->status = bnn_fail(BNN_ERR_FORMAT, "%s: attribute '%s' of %s does not hold %d %s", r->path, name, object, n,
                             class == H5T_STRING ? "text(s)" : "number(s)");
    H5Tclose(type), H5Aclose(id);
}

/* HDF5 allocates texts with malloc, so they are ours; one that was never written is NULL. Frees all after a failure. */
static char **finish_texts(bnn_h5_reader *r, int n, char **texts) {
    for (int i = 0; i < n; i++)
        if (r->status == BNN_OK && !texts[i] && !(texts[i] = strdup("")))
            r->status = bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for texts", r->path);
    if (r->status == BNN_OK) return texts;
    bnn_texts_free(texts, n);
    return NULL;
}

char **bnn_h5_read_texts(bnn_h5_reader *r, const char *object, int n) {
    hsize_t extent[H5S_MAX_RANK];
    int rank;
    hid_t id = open_dataset(r, object, &rank, extent), type = id < 0 ? -1 : H5Dget_type(id);
    if (id < 0) return NULL;
    hid_t in_memory = text_type();
    H5Tset_cset(in_memory, H5Tget_cset(type));
    if (rank != 1 || extent[0] != (hsize_t)n || H5Tis_variable_str(type) <= 0)
        r->status = bnn_fail(BNN_ERR_FORMAT, "%s: dataset %s does not hold %d texts", r->path, object, n);
    char **texts = bnn_h5_room(r, (size_t)n, sizeof *texts);
    if (texts && H5Dread(id, in_memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, texts) < 0)
        r->status = bnn_fail(BNN_ERR_FILE, "%s: dataset %s cannot be read: the file is damaged", r->path, object);
    H5Tclose(in_memory), H5Tclose(type), close_object(id);
    return texts ? finish_texts(r, n, texts) : NULL;
}

char **bnn_h5_get_texts(bnn_h5_reader *r, const char *object, const char *name, int n) {
    int found = bnn_h5_count_attribute(r, object, name); /* before there is room for n, which another part of the file says */
    if (r->status == BNN_OK && found != n)
        r->status = bnn_fail(BNN_ERR_FORMAT, "%s: attribute '%s' of %s has %d entries, expected %d texts", r->path, name, object, found, n);
    char **texts = bnn_h5_room(r, (size_t)n, sizeof *texts);
    if (!texts) return NULL;
    read_attribute(r, object, name, H5T_STRING, -1, n, texts);
    return finish_texts(r, n, texts);
}

char *bnn_h5_get_text(bnn_h5_reader *r, const char *object, const char *name) {
    char **texts = bnn_h5_get_texts(r, object, name, 1), *text = texts ? texts[0] : NULL;
    free(texts);
    return text;
}

void bnn_h5_get_ints(bnn_h5_reader *r, const char *object, const char *name, int n, int *out) {
    memset(out, 0, (size_t)n * sizeof *out);
    read_attribute(r, object, name, H5T_INTEGER, H5T_NATIVE_INT, n, out);
}

int bnn_h5_get_int(bnn_h5_reader *r, const char *object, const char *name) {
    int value;
    bnn_h5_get_ints(r, object, name, 1, &value);
    return value;
}

double bnn_h5_get_number(bnn_h5_reader *r, const char *object, const char *name) {
    double value = 0;
    read_attribute(r, object, name, H5T_FLOAT, H5T_NATIVE_DOUBLE, 1, &value);
    return value;
}

uint64_t bnn_h5_get_u64(bnn_h5_reader *r, const char *object, const char *name) {
    uint64_t value = 0;
    read_attribute(r, object, name, H5T_INTEGER, H5T_NATIVE_UINT64, 1, &value);
    return value;
}

/* ---- dimensions of a dataset ---- */

/* One list of references for each axis. */
static bool are_lists(hid_t type, hid_t space, int rank) {
    if (H5Tget_class(type) != H5T_VLEN || H5Sget_simple_extent_npoints(space) != rank) return false;
    hid_t entry = H5Tget_super(type);
    bool fits = H5Tequal(entry, H5T_STD_REF_OBJ) > 0;
    H5Tclose(entry);
    return fits;
}

/* Reads DIMENSION_LIST itself, since H5DSiterate_scales takes its length on trust. */
bool bnn_h5_is_bookkeeping(const char *attribute) {
    static const char *const names[] = {"CLASS",        "NAME", "REFERENCE_LIST", "DIMENSION_LIST", "_Netcdf4Dimid", "_Netcdf4Coordinates",
                                        "_NCProperties"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(attribute, names[i]) == 0) return true;
    return false;
}

bool bnn_h5_scales(hid_t dataset_id, int rank, void (*each)(void *context, int axis, hid_t scale), void *context) {
    hid_t id = rank > 0 && H5Aexists(dataset_id, "DIMENSION_LIST") > 0 ? H5Aopen(dataset_id, "DIMENSION_LIST", H5P_DEFAULT) : -1;
    if (id < 0) return true;
    hid_t type = H5Aget_type(id), space = H5Aget_space(id);
    hvl_t list[H5S_MAX_RANK] = {0};
    bool read = are_lists(type, space, rank) && H5Aread(id, type, list) >= 0;
    for (int i = 0; read && i < rank; i++)
        for (size_t k = 0; k < list[i].len; k++) {
            hid_t scale = H5Rdereference2(dataset_id, H5P_DEFAULT, H5R_OBJECT, (const hobj_ref_t *)list[i].p + k);
            each(context, i, scale);
            close_object(scale);
        }
    if (read) H5Dvlen_reclaim(type, space, H5P_DEFAULT, list);
    H5Tclose(type), H5Sclose(space), H5Aclose(id);
    return read;
}
