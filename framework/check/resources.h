/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * resources.h (private): the rules that hold of types of every kind.
 */
#ifndef BNN_CHECK_RESOURCES_H
#define BNN_CHECK_RESOURCES_H

#include "checker.h"

/* Rule i of these; NULL behind the last. */
const bnn_rule *bnn_resource_rule(int i);
/* Runs them on each check spec. */
bnn_status bnn_resources_run(bnn_checker *c, const bnn_suite *suite);

#endif
