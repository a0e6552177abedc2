/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * spec_json.h: an engine and its model as JSON, for programs that would rather not parse spec texts.
 */
#ifndef BNN_SPEC_JSON_H
#define BNN_SPEC_JSON_H

#include <bnn/engine.h>

#ifdef __cplusplus
extern "C" {
#endif

/* {"engine": OBJECT, "likelihood": OBJECT, "prior": OBJECT, "n_parameters": N, "network": [OBJECT with label, inputs, shape (of one row)
 * and parameters, ...]}, where OBJECT is {"type": NAME, "options": {...}}. Numbers to 15 digits: the texts have them exactly. Caller frees;
 * NULL when out of memory. */
char *bnn_spec_json(const bnn_engine *engine);

#ifdef __cplusplus
}
#endif

#endif
