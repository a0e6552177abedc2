/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * status.h: how every call of bnn says that it failed.
 *
 * A call that can fail returns a bnn_status: 0, or a negative code together with one sentence in the calling thread that names
 * what failed, where, and what was expected. The library never prints and never exits. Where it is loaded, it
 * turns GSL's error handler off for the whole process, which would abort: what GSL returns becomes a status, and so it has to in plugins.
 */
#ifndef BNN_STATUS_H
#define BNN_STATUS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Every code: X(name, value, what it means in general words). */
#define BNN_STATUS_LIST(X)                                                 \
    X(BNN_OK, 0, "no error")                                               \
    X(BNN_ERR_SYNTAX, -1, "a text does not follow its grammar")            \
    X(BNN_ERR_OPTION, -2, "an option is unknown, missing or out of range") \
    X(BNN_ERR_NAME, -3, "a name is not registered or not defined")         \
    X(BNN_ERR_SHAPE, -4, "shapes do not fit together")                     \
    X(BNN_ERR_DATA, -5, "data are missing, not finite or out of range")    \
    X(BNN_ERR_FILE, -6, "a file cannot be read or written")                \
    X(BNN_ERR_FORMAT, -7, "a file has another format than expected")       \
    X(BNN_ERR_MEMORY, -8, "memory does not suffice")                       \
    X(BNN_ERR_NUMERIC, -9, "a computation left the finite numbers")        \
    X(BNN_ERR_STATE, -10, "a call is not possible in this state")          \
    X(BNN_ERR_ABI, -11, "a plugin was built against another interface")    \
    X(BNN_ERR_PLUGIN, -12, "a run needs a plugin that is not loaded")

/* Result of a call: BNN_OK, or why it failed. New codes are only ever appended. */
typedef enum {
#define BNN_STATUS_ENUM(name, value, text) name = value,
    BNN_STATUS_LIST(BNN_STATUS_ENUM)
#undef BNN_STATUS_ENUM
} bnn_status;

/* The library that is at work; static storage: */
const char *bnn_version(void); /* its version, "0.1.0" */
const char *bnn_commit(void);  /* the commit it was built from, with "-dirty" behind it if files were changed; "unknown" outside git */

/* Describes a code in general words; static storage. */
const char *bnn_status_text(bnn_status s);

/* The sentence of the last failure in this thread ("" if none); valid until the next failure in this thread. */
const char *bnn_error(void);

/* Sets the thread's sentence (printf format) and returns code, which must be negative. */
bnn_status bnn_fail(bnn_status code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Sets the sentence "out of memory for WHAT" (printf format) and returns BNN_ERR_MEMORY. */
bnn_status bnn_oom(const char *what, ...) __attribute__((format(printf, 1, 2)));

/* Puts "CONTEXT: " before the thread's sentence and returns code: for callers that know where a callee failed. */
bnn_status bnn_note(bnn_status code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends ", ITEM" to a list for a sentence, or, once, ", ..." where that does not fit into list[size]; size is at least 8. */
void bnn_list_add(char *list, size_t size, const char *item);

/* Leaves the function with the callee's status if that is a failure. */
#define BNN_TRY(call)                      \
    do {                                   \
        bnn_status bnn_try_ = (call);      \
        if (bnn_try_ < 0) return bnn_try_; \
    } while (0)

#ifdef __cplusplus
}
#endif

#endif
