/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <bnn/store.h>

#include <errno.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>

bnn_status bnn_file_sha256(const char *path, char hex[65]) {
    hex[0] = '\0';
    FILE *f = fopen(path, "rb");
    if (!f) return bnn_fail(BNN_ERR_FILE, "%s: %s", path, strerror(errno));
    struct sha256_ctx context;
    uint8_t buffer[1 << 16], digest[SHA256_DIGEST_SIZE];
    sha256_init(&context);
    for (size_t n; (n = fread(buffer, 1, sizeof buffer, f)) > 0;) sha256_update(&context, n, buffer);
    bool failed = ferror(f);
    int code = errno;
    fclose(f);
    if (failed) return bnn_fail(BNN_ERR_FILE, "%s: %s", path, strerror(code));
    sha256_digest(&context, sizeof digest, digest);
    for (int i = 0; i < SHA256_DIGEST_SIZE; i++) snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    return BNN_OK;
}
