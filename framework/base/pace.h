/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * pace.h (private): about how fast one core is: what predicted times are made of.
 */
#ifndef BNN_PACE_H
#define BNN_PACE_H

#define BNN_FLOPS_A_SECOND 20e9 /* in the products of small networks */
#define BNN_SECONDS_A_PASS 4e-6 /* of a gradient on no rows */

#endif
