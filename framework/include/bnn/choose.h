/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * choose.h: network, prior and engine for who names none.
 *
 * The choice is a function of the data's size and kind and of the budget alone, not of the machine or its load, so that it is the same
 * everywhere. docs/engines.md has what it rests on.
 */
#ifndef BNN_CHOOSE_H
#define BNN_CHOOSE_H

#include <bnn/data.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BNN_BUDGET 60 /* seconds where none are said */

/* Texts as bnn_config takes them, and why. */
typedef struct {
    const char *net, *engine, *prior, *likelihood; /* static; likelihood NULL: the usual one of the kind of target */
    char reason[256];                              /* a sentence, with the predicted cost */
    double seconds;                                /* predicted for one core at 20 GFLOP/s, of convolutions at 28 */
} bnn_choice;

/* budget: seconds that a fit may take on one such core, above 0. Who gives a text of
 * its own puts it in the place of the one that was chosen. */
bnn_status bnn_choose(const bnn_data *train, double budget, bnn_choice *out);

/* A network for who names an engine alone: of pictures of 12x12 pixels and more one of convolutions. Static. */
const char *bnn_choose_net(const bnn_data *train);

#ifdef __cplusplus
}
#endif

#endif
