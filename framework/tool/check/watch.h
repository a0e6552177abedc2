/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * watch.h: what `bnn check` makes of types in children of its own process, so that a plugin that crashes, ends its process or does not
 * end takes no more than the rule with it that was run. The parent never loads a plugin.
 */
#ifndef BNN_TOOL_WATCH_H
#define BNN_TOOL_WATCH_H

#include "tool/tool.h"

#include <bnn/check.h>

/* Types that are to be checked. */
typedef struct {
    const tool_plugins *plugins; /* loaded first */
    const char *name, *rule;     /* of a type, or the file of a plugin, all of whose types are meant; NULL: all types. NULL: all rules */
    int kind;                    /* -1: any */
    double limit;                /* seconds for one rule on one spec in one mode */
} tool_request;

/* No name of a type has a dot or a slash. */
bool tool_is_file(const char *name);

/* A type that was checked. Its texts are owned by it. */
typedef struct {
    bnn_kind kind;
    char *name;
    bnn_verdicts verdicts; /* texts of specs and modes are owned, too */
    int ended;             /* verdicts on the end of a child, ... */
    int costly;            /* ... and those of them that came of too much time or memory */
} tool_checked;

typedef struct {
    int n;
    tool_checked *type;                                /* [n] */
    char printed[160];                                 /* beginning of the first line that plugins have printed; "" if none */
    char clash[sizeof((bnn_verdict *)NULL)->sentence]; /* why the file is no plugin beside the types that there are, in whose place its own
                                                          were checked; "": it is */
    char unloaded[256];                                /* how it went wrong to unload a plugin, once all was checked; "": it did not */
} tool_findings;

/* Checks all types that were asked for. Fails where nothing can be checked: a plugin cannot be loaded, or there is no such type or rule. */
bnn_status tool_watch(const tool_request *request, tool_findings *out);
void tool_findings_free(tool_findings *findings);

/* Hooks of the type that is traced. */
typedef struct {
    const char *now;  /* that runs; NULL outside of hooks */
    const char *last; /* that was called last; NULL: none was */
} tool_hooks;

/* Lets a vtable stand in for a type from now on that passes every call on, and keeps *hooks, which is borrowed. Returns it. */
const bnn_type *tool_trace(bnn_kind kind, const bnn_type *type, tool_hooks *hooks);

#endif
