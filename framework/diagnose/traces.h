/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * traces.h: the few quantities of a diagnosis that are kept draw by draw.
 */
#ifndef BNN_TRACES_H
#define BNN_TRACES_H

#include <bnn/diagnose.h>

/* Offers a quantity with its draws x[chains, draws]: it is kept while it is among those of the largest R-hat. traces NULL: nobody asks. */
void bnn_traces_offer(bnn_traces *traces, const bnn_quantity *quantity, const double *x);
/* The same of one that is kept before all others; it is offered last. */
void bnn_traces_lead(bnn_traces *traces, const bnn_quantity *quantity, const double *x);

#endif
