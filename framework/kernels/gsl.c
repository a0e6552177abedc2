/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * gsl.c: GSL's error handler, which ends the process, is turned off once and for good, before any call: it is one for the whole process, so
 * that putting the host's back after a call would let another thread's failure abort. What GSL returns is looked at instead.
 */
#include <gsl/gsl_errno.h>

__attribute__((constructor)) static void turn_off(void) { gsl_set_error_handler_off(); }
