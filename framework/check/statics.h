/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * statics.h (private): the static memory of the shared object that a type is from, before and after its hooks. Who writes there writes for
 * all threads at once, which shows on one thread, too, however threads are scheduled.
 */
#ifndef BNN_CHECK_STATICS_H
#define BNN_CHECK_STATICS_H

#include "checker.h"

enum { BNN_MOST_STATICS = 8, BNN_STATICS_TAKEN = 3 };

/* The writable segments of a shared object, and what they held each time that they were taken. */
typedef struct {
    char path[512];
    uintptr_t base; /* where the object is loaded */
    int n;
    struct {
        const unsigned char *at;
        size_t size;
        unsigned char *held[BNN_STATICS_TAKEN];
    } segment[BNN_MOST_STATICS];
} bnn_statics;

/* false: the type is the program's own, whose memory others write to. */
bool bnn_statics_find(const bnn_type *type, bnn_statics *out);
/* Takes what they hold now, the time-th time. */
bnn_status bnn_statics_take(bnn_statics *s, int time);
void bnn_statics_free(bnn_statics *s);

/* The bytes that differ from the first time to the second; not counted are numbers that went up by one step from the first time to the
 * second and from there to the third: they count calls. *name: of the variable that the first is in, or where it stands in the file. */
size_t bnn_statics_changed(const bnn_statics *s, char *name, size_t size);

/* ---- memory of an object, which its hooks share as they do static memory ---- */

typedef struct {
    const bnn_check_options *options;
    int n;
    struct {
        const unsigned char *at;
        size_t size;
        unsigned char *held[BNN_STATICS_TAKEN];
    } * block; /* [n] */
} bnn_owned;

/* What is allocated from here on, up to bnn_owned_made, and is live then, is the object's. */
void bnn_owned_begin(const bnn_checker *c);
bnn_status bnn_owned_made(const bnn_checker *c, bnn_owned *out);
void bnn_owned_leave(bnn_owned *o, const void *within); /* the block around this address is not the object's */
void bnn_owned_free(bnn_owned *o);
/* Calls hooks on other inputs at each turn, and breaks the verdict where what is owned has changed; what the first call sets up may stay.
 */
bnn_status bnn_owned_watch(bnn_checker *c, bnn_owned *o, bnn_status (*call)(void *of, int turn), void *of);

#endif
