/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * file.h: files that are whole: an old one is lost only to a whole new one; texts that are whole, or none.
 */
#ifndef BNN_FILE_H
#define BNN_FILE_H

#include <bnn/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Replaces the file at path, or makes it: write fills a new one, which is there and empty, under the name `temporary`; it is synced and
 * renamed, and removed where anything fails; what stood at path before stays then. */
bnn_status bnn_file_replace(const char *path, bnn_status (*write)(void *context, const char *temporary), void *context);

/* The same of size bytes of data. */
bnn_status bnn_file_save(const char *path, const void *data, size_t size);

/* Opens a stream that writes to memory: as open_memstream, whose lost bytes no call of the C library tells. *text, and *size if size is not
 * NULL, are what was written up to the last fflush, NUL behind it. NULL: out of memory. */
FILE *bnn_text_open(char **text, size_t *size);
/* Closes it: *text, the caller's to free, where it holds all that was written; else that is freed and *text is NULL. */
char *bnn_text_close(FILE *out, char **text);

/* ---- for who writes a file in pieces ---- */

/* A file or a folder on its way to a path: it stands beside that under a name that nobody else has, PATH.tmp.MACHINE.RANDOM, and is locked
 * for as long as this process works on it. */
typedef struct bnn_draft bnn_draft;

/* Makes an empty file, or a folder. Drafts of path that nobody works on any more are removed, where they are of this machine since it
 * started: of others no lock tells. */
bnn_status bnn_draft_open(const char *path, bool folder, bnn_draft **out);
const char *bnn_draft_name(const bnn_draft *draft); /* where to write; borrowed */
/* Syncs the draft, renames it to its path, syncs the folder and frees the draft, which is removed where that fails. Of a path that this
 * process has claimed: see there. */
bnn_status bnn_draft_commit(bnn_draft *draft);
void bnn_draft_drop(bnn_draft *draft); /* removes and frees it: a folder with the files in it; NULL is allowed */

/* ---- for who writes a path more than once ---- */

/* Claims a path for this process until bnn_file_release: fails where another process has claimed it (by a lock of PATH.lock, which ends
 * with the process, however it ends). Where locks do not reach, as between machines, what stands at the path is looked at before each
 * commit: if another process has put it there since, it stays, this one's goes to a name of its own beside it, and the commit fails with a
 * sentence that names both. A second claim of a path by the same process does nothing. */
bnn_status bnn_file_claim(const char *path);
void bnn_file_release(const char *path); /* one that is not claimed is allowed */

/* SHA-256 of a file in lower-case hex. */
bnn_status bnn_file_sha256(const char *path, char hex[65]);
/* Sums several files: the SHA-256 of the lines that sha256sum prints of them, under these names. */
bnn_status bnn_files_sha256(int n, const char *const *paths, const char *const *names, char hex[65]);

#ifdef __cplusplus
}
#endif

#endif
