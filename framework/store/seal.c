/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * seal.c: what is looked at before the content of a file is read: a checksum behind its end, and whether it leads out of itself.
 *
 * HDF5 does not look for damage in what it reads: one wrong byte among its addresses can crash it. So what is damaged is found before HDF5
 * sees it: behind the last byte that belongs to HDF5 stands one line, "bnn-crc32=" and the CRC-32 of all before it. Readers of HDF5 do not
 * look there, and a program that changes the file by HDF5 cuts it off: a file without a seal is read unchecked.
 */
#include "hdf5.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define TAG "bnn-crc32="
enum { TAG_SIZE = sizeof TAG - 1, SEAL_SIZE = TAG_SIZE + 8 + 1 };

/* Makes the seal of the first `size` bytes. */
static bool make_seal(int fd, off_t size, char seal[SEAL_SIZE + 1]) {
    unsigned char buffer[1 << 16];
    unsigned long crc = crc32(0, NULL, 0);
    for (off_t at = 0; at < size;) {
        ssize_t n = pread(fd, buffer, size - at < (off_t)sizeof buffer ? (size_t)(size - at) : sizeof buffer, at);
        if (n <= 0) return false;
        crc = crc32(crc, buffer, (unsigned)n);
        at += n;
    }
    snprintf(seal, SEAL_SIZE + 1, TAG "%08lx\n", crc);
    return true;
}

static bool append_seal(int fd) {
    struct stat about;
    char seal[SEAL_SIZE + 1];
    if (fstat(fd, &about) < 0 || !make_seal(fd, about.st_size, seal)) return false;
    ssize_t n = pwrite(fd, seal, SEAL_SIZE, about.st_size);
    if (n >= 0 && n < SEAL_SIZE) errno = ENOSPC;
    return n == SEAL_SIZE;
}

int bnn_h5_seal(const char *path) {
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return -1;
    bool sealed = append_seal(fd);
    return close(fd) == 0 && sealed ? 0 : -1;
}

/* Where HDF5's own bytes end, by superblock 0, which bnn writes (HDF5 File Format Specification, II.A); -1: another one, or none. */
static long long hdf5_end(int fd) {
    static const unsigned char start[9] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n', 0};
    unsigned char head[48];
    if (pread(fd, head, sizeof head, 0) != sizeof head || memcmp(head, start, sizeof start) != 0 || head[13] != 8) return -1;
    unsigned long long end = 0;
    for (int i = 0; i < 8; i++) end |= (unsigned long long)head[40 + i] << 8 * i;
    return (long long)(end & INT64_MAX);
}

static bnn_status check(int fd, const char *path) {
    struct stat about;
    char seal[SEAL_SIZE + 1] = "", right[SEAL_SIZE + 1];
    if (fstat(fd, &about) < 0) return bnn_fail(BNN_ERR_FILE, "%s: %s", path, strerror(errno));
    if (!S_ISREG(about.st_mode)) return bnn_fail(BNN_ERR_FILE, "%s: is not a plain file", path);
    off_t body = about.st_size - SEAL_SIZE;
    if (body >= 0 && pread(fd, seal, SEAL_SIZE, body) == SEAL_SIZE && strncmp(seal, TAG, TAG_SIZE) == 0) {
        if (!make_seal(fd, body, right)) return bnn_fail(BNN_ERR_FILE, "%s: cannot be read: %s", path, strerror(errno));
        return strcmp(seal, right) == 0
                   ? BNN_OK
                   : bnn_fail(BNN_ERR_FORMAT, "%s: is damaged: its bytes do not have the checksum that stands at its end", path);
    }
    long long end = hdf5_end(fd);
    if (end < 0 || end == about.st_size) return BNN_OK;
    return bnn_fail(BNN_ERR_FORMAT, "%s: is truncated, damaged or being written: it has %lld bytes, by its head %lld belong to HDF5", path,
                    (long long)about.st_size, end);
}

bnn_status bnn_h5_check_seal(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe is no file: it is not waited for */
    if (fd < 0) return bnn_fail(BNN_ERR_FILE, "%s: %s", path, strerror(errno));
    bnn_status s = check(fd, path);
    close(fd);
    return s;
}

/* ---- what leads out of a file ---- */

/* The file that is looked through, and its first offence. */
typedef struct {
    const char *path;
    bnn_status status;
} guard;

static const char *wrong_with(hid_t list) {
    unsigned flags;
    if (H5Pget_layout(list) == H5D_VIRTUAL)
        return "is put together of datasets elsewhere, which are not followed: write its numbers themselves";
    if (H5Pget_external_count(list) > 0) return "keeps its numbers in another file, which is not followed: write them into this one";
    for (int i = 0; i < H5Pget_nfilters(list); i++)
        if (H5Pget_filter2(list, (unsigned)i, &flags, NULL, NULL, 0, NULL, NULL) >= H5Z_FILTER_RESERVED)
            return "is compressed by a filter that HDF5 would load as a plugin, which it may not: compress it with gzip";
    return NULL;
}

const char *bnn_h5_leads_out(hid_t dataset) {
    hid_t list = H5Dget_create_plist(dataset);
    const char *wrong = list < 0 ? NULL : wrong_with(list);
    if (list >= 0) H5Pclose(list);
    return wrong;
}

/* An object that cannot be opened is told of by who wants it. */
static herr_t check_object(guard *g, hid_t root, const char *name) {
    hid_t id = H5Oopen(root, name, H5P_DEFAULT);
    const char *wrong = id >= 0 && H5Iget_type(id) == H5I_DATASET ? bnn_h5_leads_out(id) : NULL;
    if (wrong) g->status = bnn_fail(BNN_ERR_FORMAT, "%s: dataset /%s %s", g->path, name, wrong);
    if (id >= 0) H5Oclose(id);
    return wrong ? -1 : 0;
}

/* A soft link is a path in its file: it leads no further than the others. */
static herr_t check_link(hid_t root, const char *name, const H5L_info_t *about, void *context) {
    guard *g = context;
    if (about->type == H5L_TYPE_HARD) return check_object(g, root, name);
    if (about->type == H5L_TYPE_SOFT) return 0;
    g->status = bnn_fail(BNN_ERR_FORMAT, "%s: /%s is a link to another file, which is not followed: put what it leads to into this one",
                         g->path, name);
    return -1;
}

/* In any order: to sort the links of a large group HDF5 makes a table of them, and where a read fails 1.10 frees what it has not filled. */
bnn_status bnn_h5_check_inside(hid_t file, const char *path) {
    guard g = {.path = path};
    if (H5Lvisit(file, H5_INDEX_NAME, H5_ITER_NATIVE, check_link, &g) < 0 && g.status == BNN_OK)
        g.status = bnn_fail(BNN_ERR_FORMAT, "%s: is damaged: HDF5 cannot list what is in it", path);
    return g.status;
}
