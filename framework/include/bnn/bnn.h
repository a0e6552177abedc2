/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * bnn.h: everything, for experiments and for programs that embed the library.
 */
#ifndef BNN_BNN_H
#define BNN_BNN_H

#include <bnn/descent.h>
#include <bnn/diagnose.h>
#include <bnn/evidence.h>
#include <bnn/gate.h>
#include <bnn/gaussian.h>
#include <bnn/gsl_rng.h>
#include <bnn/holder.h>
#include <bnn/import.h>
#include <bnn/jobs.h>
#include <bnn/sampler.h>
#include <bnn/sgmcmc.h>
#include <bnn/sbc.h>
#include <bnn/spec_json.h>
#include <bnn/store.h>

#endif
