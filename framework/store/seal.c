/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * seal.c: a checksum behind the end of each file.
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
