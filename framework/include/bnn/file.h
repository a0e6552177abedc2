/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * file.h: files that are whole: an old one is lost only to a whole new one.
 */
#ifndef BNN_FILE_H
#define BNN_FILE_H

#include <bnn/status.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Replaces the file at path, or makes it: write makes a new one under the name `temporary`, which is synced and renamed, and removed where
 * anything fails; what stood at path before stays then. */
bnn_status bnn_file_replace(const char *path, bnn_status (*write)(void *context, const char *temporary), void *context);

/* The same of size bytes of data. */
bnn_status bnn_file_save(const char *path, const void *data, size_t size);

/* For who writes a file in pieces: the name under which the one at path is written, PATH.tmp.PID; owned, NULL if there is no memory for it.
 * What processes that are no more have left under such names is removed. */
char *bnn_file_temporary(const char *path);
/* Syncs the file, renames it to path, and syncs the folder. On failure both files stay. */
bnn_status bnn_file_commit(const char *temporary, const char *path);

/* SHA-256 of a file in lower-case hex. */
bnn_status bnn_file_sha256(const char *path, char hex[65]);

#ifdef __cplusplus
}
#endif

#endif
