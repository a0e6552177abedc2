/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "manual.h"

#include <stdio.h>
#include <stdlib.h>

/* Counts *i down; the option at which it is 0. */
static const struct argp_option *find(const struct argp *argp, int *i) {
    for (const struct argp_option *o = argp->options; o && (o->name || o->key || o->doc); o++)
        if (o->name && !(o->flags & (OPTION_HIDDEN | OPTION_DOC)) && (*i)-- == 0) return o;
    for (const struct argp_child *c = argp->children; c && c->argp; c++) {
        const struct argp_option *found = find(c->argp, i);
        if (found) return found;
    }
    return NULL;
}

const struct argp_option *manual_option(const struct argp *argp, int i) { return find(argp, &i); }

void manual_ask(const command *c, void (*tell)(const struct argp *argp)) {
    char name[64], *argv[] = {name, NULL};
    snprintf(name, sizeof name, "bnn %s", c->name);
    tool_listen(tell);
    tool_leave(c->run(1, argv)); /* every command calls tool_parse first, but where memory is out */
}
