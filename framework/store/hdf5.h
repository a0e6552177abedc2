/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * hdf5.h: the little of HDF5 that the files of bnn need, so that a writer reads like the list of what is in its file.
 *
 * Failures stick: after the first one every further call does nothing, and the closing call returns it. Groups and objects are named by
 * their path from the root, "/metrics"; the root group is "/". A dataset takes its extents from its dimensions, which are 1-D datasets
 * (HDF5 dimension scales, netCDF coordinate variables) in its own group or in one above it. HDF5 is used by one thread at a time: a lock is
 * held from create to commit and from open to close. A file that is written over several calls of the library gives the lock back at the
 * end of each (bnn_h5_end), and takes it again (bnn_h5_begin).
 */
#ifndef BNN_STORE_HDF5_H
#define BNN_STORE_HDF5_H

#include <bnn/file.h>
#include <bnn/status.h>
#include <hdf5.h>

/* Types of numbers: in memory -> in the file. */
typedef enum {
    BNN_H5_DOUBLE,  /* double -> f64 */
    BNN_H5_REAL,    /* bnn_real -> f32 or f64 */
    BNN_H5_INT,     /* int -> i32; i64 in dimensions */
    BNN_H5_CODE,    /* int8_t -> i8 */
    BNN_H5_U64,     /* uint64_t -> u64 */
    BNN_H5_COUNT,   /* uint64_t -> i64, which every reader has */
    BNN_H5_BYTES,   /* double holding whole numbers 0..255 -> u8 */
    BNN_H5_PIXELS,  /* uint8_t -> u8 */
    BNN_H5_CLASSES, /* double holding whole numbers -> i32 */
    BNN_H5_MAP,     /* double holding whole numbers -128..127 -> i8 */
    BNN_H5_SINGLE   /* double -> f32 */
} bnn_h5_kind;

#define BNN_H5_PATH 256
#define BNN_H5_CONTIGUOUS_BYTES (16 * 1024) /* smaller arrays are not chunked: chunk indices would outweigh them */
#define BNN_H5_CHUNK_BYTES (1024 * 1024)

typedef struct {
    const char *path;
    bnn_draft *draft; /* the file until it is whole */
    hid_t file;
    int n_dims;
    bnn_status status;
} bnn_h5_writer;

/* Begins a draft of path. */
void bnn_h5_create(bnn_h5_writer *w, const char *path);
/* The root attributes schema, schema_version, creation_library and creation_library_version. */
void bnn_h5_schema(bnn_h5_writer *w, const char *schema);
void bnn_h5_group(bnn_h5_writer *w, const char *group);
/* A dimension; values NULL: 0..n-1. */
void bnn_h5_dim(bnn_h5_writer *w, const char *group, const char *name, int n, bnn_h5_kind kind, const void *values);
int bnn_h5_dim_size(const bnn_h5_writer *w, const char *group, const char *name); /* -1: the group has no such dimension */
/* A dataset on dimensions separated by blanks, "obs_id output"; "" for a scalar. data NULL: room for it, to be filled by bnn_h5_put_part.
 */
void bnn_h5_put(bnn_h5_writer *w, const char *group, const char *name, bnn_h5_kind kind, const void *data, const char *dims);
/* Room for a dataset that parts of whole rows will fill, in their order: each row has chunks of its own, deflated. */
void bnn_h5_put_maps(bnn_h5_writer *w, const char *group, const char *name, bnn_h5_kind kind, const char *dims);
/* A dataset of texts on one dimension, with the character set and the length of those of attributes. Octave's `load` gives up at it. */
void bnn_h5_put_texts(bnn_h5_writer *w, const char *group, const char *name, int n, char *const *texts, const char *dim);
/* The part of a dataset that begins at start[rank] and extends over count[rank]. */
void bnn_h5_put_part(bnn_h5_writer *w, const char *group, const char *name, bnn_h5_kind kind, int rank, const int *start, const int *count,
                     const void *data);
/* Attributes of a group or dataset. Texts are UTF-8; others are taken for ISO 8859-1 and converted. NULL is written as "". */
void bnn_h5_text(bnn_h5_writer *w, const char *object, const char *name, const char *text);
void bnn_h5_texts(bnn_h5_writer *w, const char *object, const char *name, int n, char *const *texts);
void bnn_h5_ints(bnn_h5_writer *w, const char *object, const char *name, int n, const int *values);
void bnn_h5_codes(bnn_h5_writer *w, const char *object, const char *name, int n, const int8_t *values);
void bnn_h5_number(bnn_h5_writer *w, const char *object, const char *name, double value);
/* And <name>_text in decimal, for readers without 64 unsigned bits. */
void bnn_h5_u64(bnn_h5_writer *w, const char *object, const char *name, uint64_t value);
/* A failure of the writer's own. */
void bnn_h5_refuse(bnn_h5_writer *w, bnn_status status);
/* Closes and seals the draft and commits it; after a failure drops it. */
bnn_status bnn_h5_commit(bnn_h5_writer *w);
/* Appends the checksum of a closed file to it, and syncs it; -1 with errno after a failure. */
int bnn_h5_seal(const char *path);
/* Refuses what is no plain file, one that is shorter or longer than its head says, and one that does not have its checksum. */
bnn_status bnn_h5_check_seal(const char *path);
/* Refuses an open file that leads out of itself: links to other files, numbers in other files, datasets put together of others, and filters
 * that HDF5 would load. */
bnn_status bnn_h5_check_inside(hid_t file, const char *path);
const char *bnn_h5_leads_out(hid_t dataset); /* what is wrong with one in that way; NULL: nothing */

typedef struct {
    const char *path;
    hid_t file;
    bnn_status status;
} bnn_h5_reader;

/* schema NULL: any of bnn's; several are separated by '|'. */
bnn_status bnn_h5_open(bnn_h5_reader *r, const char *path, const char *schema);
bnn_status bnn_h5_open_any(bnn_h5_reader *r, const char *path); /* whoever wrote it */
/* Likewise, to be looked at, not to be read: also a file that leads out of itself. */
bnn_status bnn_h5_open_unchecked(bnn_h5_reader *r, const char *path);
/* Bytes in memory that stay until the file is closed; path is for sentences. */
bnn_status bnn_h5_open_image(bnn_h5_reader *r, const char *path, const void *bytes, size_t size);
bnn_status bnn_h5_close(bnn_h5_reader *r); /* returns the reader's status */
bool bnn_h5_has(bnn_h5_reader *r, const char *object);
bool bnn_h5_has_attribute(bnn_h5_reader *r, const char *object, const char *name);
bool bnn_h5_is_group(bnn_h5_reader *r, const char *object);
bool bnn_h5_is_ordered(const bnn_h5_reader *r, const char *group); /* the file keeps the order in which its members were made */
/* Names of what is in a group, in the order it was made where the file keeps that, else by name, dense_2 before dense_10. Owned, name by
 * name. */
char **bnn_h5_members(bnn_h5_reader *r, const char *group, int *n);
int bnn_h5_rank(bnn_h5_reader *r, const char *object);       /* number of dimensions of a dataset */
bool bnn_h5_has_bytes(bnn_h5_reader *r, const char *object); /* a dataset holds whole numbers 0..255 by its type */
/* Extents of a dataset that must have this rank; 0 after a failure. */
void bnn_h5_extents(bnn_h5_reader *r, const char *object, int rank, int *extents);
int bnn_h5_length(bnn_h5_reader *r, const char *object); /* of a 1-D dataset */
/* Reads a dataset of count numbers. */
void bnn_h5_get(bnn_h5_reader *r, const char *object, bnn_h5_kind kind, size_t count, void *out);
/* Reads the part that begins at start[rank] and extends over count[rank]. */
void bnn_h5_get_part(bnn_h5_reader *r, const char *object, bnn_h5_kind kind, int rank, const int *start, const int *count, void *out);
/* The n texts of a dataset; owned, NULL after a failure. */
char **bnn_h5_read_texts(bnn_h5_reader *r, const char *object, int n);
/* Bytes of an entry of a dataset whose type says no more than how many they are; 0: it has another type. */
size_t bnn_h5_opaque_bytes(bnn_h5_reader *r, const char *object);
void bnn_h5_get_bytes(bnn_h5_reader *r, const char *object, size_t count, size_t size, void *out); /* of such a dataset */
/* Texts of a fixed or a variable length. */
char *bnn_h5_get_text(bnn_h5_reader *r, const char *object, const char *name);          /* owned; NULL after a failure */
char **bnn_h5_get_texts(bnn_h5_reader *r, const char *object, const char *name, int n); /* owned; NULL after a failure */
int bnn_h5_count_attribute(bnn_h5_reader *r, const char *object, const char *name);     /* its number of entries */
void bnn_h5_get_ints(bnn_h5_reader *r, const char *object, const char *name, int n, int *out);
int bnn_h5_get_int(bnn_h5_reader *r, const char *object, const char *name);
double bnn_h5_get_number(bnn_h5_reader *r, const char *object, const char *name);
uint64_t bnn_h5_get_u64(bnn_h5_reader *r, const char *object, const char *name);
/* Calls each(context, axis, scale) for every dimension scale of a dataset, scale < 0 where its reference leads nowhere; false: what the
 * dataset says of its scales cannot be read. */
bool bnn_h5_scales(hid_t dataset, int rank, void (*each)(void *context, int axis, hid_t scale), void *context);
/* An attribute that HDF5 or netCDF keeps for itself, of dimensions and their scales. */
bool bnn_h5_is_bookkeeping(const char *attribute);
/* Room that a reader fills: NULL, and the failure sticks, when there is none. */
void *bnn_h5_room(bnn_h5_reader *r, size_t count, size_t size);

/* "<group>/<name>" into path; returns path. */
const char *bnn_h5_join(char path[BNN_H5_PATH], const char *group, const char *name);

/* Takes the lock (again) and silences HDF5 in this thread, which loads no plugins until bnn_h5_end. Fails where HDF5 has not started; the
 * lock is held then, too. path is for the sentence. */
bnn_status bnn_h5_begin(const char *path);
void bnn_h5_end(void); /* gives it back, and the host its printer of errors, and its plugins */

#endif
