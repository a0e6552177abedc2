/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * manual.h: what the commands say of themselves, for the page of the manual and for completion in shells.
 */
#ifndef BNN_TOOL_MANUAL_H
#define BNN_TOOL_MANUAL_H

#include "tool/tool.h"

/* Option i of a command, counted through its children, without hidden ones and headings; NULL: there are not that many. */
const struct argp_option *manual_option(const struct argp *argp, int i);

/* Hands a command's argp to tell, which does not return. */
_Noreturn void manual_ask(const command *c, void (*tell)(const struct argp *argp));

#endif
