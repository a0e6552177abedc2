/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * holder.h: what engines that hold another engine share: validation rows, scoring, and counting what the inner engine spends.
 */
#ifndef BNN_HOLDER_H
#define BNN_HOLDER_H

#include <bnn/engine.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How training rows are cut into a part to fit and one to score, read by BNN_HOLDOUT_OPTIONS. */
typedef struct {
    int validation; /* BNN_VALIDATION_... */
    double share;   /* of the rows, to score */
} bnn_holdout_conf;

/* bnn_holdout_conf.validation */
enum {
    BNN_VALIDATION_SHUFFLED, /* rows drawn by a stream, of each class its share, to one row */
    BNN_VALIDATION_LAST      /* the last ones, as listed (Gal & Ghahramani's published UCI protocol) */
};

extern const bnn_option bnn_holdout_options[]; /* the table of a bnn_holdout_conf */

/* The entry of an option table for the bnn_holdout_conf `field` of a conf. */
#define BNN_HOLDOUT_OPTIONS(conf, field) BNN_OPT_GROUP(conf, field, bnn_holdout_options, NULL)

/* The training rows cut in two, each part in the order in which they are listed. Both are scaled by the first. */
typedef struct {
    bnn_data *fit;   /* 1 - share of the rows, to fit */
    bnn_data *score; /* the rest, to score; scaled by fit */
} bnn_holdout;
/* order[n] is set to the numbers of the rows of data: first *kept to fit, then those to score, each part as listed. The rows that are drawn
 * follow from rng alone. Fails where a part would have no rows. */
bnn_status bnn_holdout_order(const bnn_data *data, const bnn_holdout_conf *conf, bnn_rng rng, int *kept, int *order);
/* Cuts data, whose table is borrowed; the rows that are drawn follow from rng alone. Fails where a part would have no rows. */
bnn_status bnn_holdout_open(const bnn_data *data, const bnn_holdout_conf *conf, bnn_rng rng, bnn_holdout *out);
void bnn_holdout_close(bnn_holdout *holdout); /* frees what is inside */

/* Steps inner and adds what it counted to outer's cost (the outer step is timed as a whole). */
bnn_status bnn_holder_step(bnn_engine *outer, bnn_engine *inner, const bnn_data *data, bnn_step *out);
/* Adds to outer's cost what inner has counted since its cost was `before`. */
void bnn_holder_count(bnn_engine *outer, const bnn_engine *inner, const bnn_cost *before);

/* Mean predictive log-likelihood per row in nats; what it takes is counted on inner. */
bnn_status bnn_holder_score(bnn_engine *inner, const bnn_data *rows, int samples, uint64_t seed, double *ll);

/* The mode that inner has found, where its model is that of outer: to[n_theta] is theta, its state at its end. Fails where it has none, or
 * where a search inside has changed the network or the likelihood. */
bnn_status bnn_holder_mode(const bnn_engine *outer, const bnn_engine *inner, const bnn_real *theta, bnn_real *to);
/* Reports theta[n_theta] on all rows, as the last step of an engine that has come there would have. */
bnn_status bnn_holder_look(const bnn_engine *outer, const bnn_data *data, const bnn_real *theta, bnn_step *out);

/* Hands an inner engine's adapt through: for the adapt hook of the outer one. inner: an option of kind SPEC. */
bnn_status bnn_holder_adapt(const bnn_object *inner, bnn_netspec *net);
/* Opens an inner engine on the outer one's plain network, likelihood and prior; free it with bnn_engine_free. `together` engines like it
 * will be open at once, this one the first of them: there has to be memory for all before it is made. 0: one of those that were asked for
 * with the first. Holders in holders multiply, up to 100,000 engines. */
bnn_status bnn_holder_open(const bnn_engine *outer, const bnn_object *inner, const bnn_data *data, bnn_rng rng, int together,
                           bnn_engine **out);
/* The same of an engine that a text says, on other texts. */
bnn_status bnn_holder_open_text(const char *spec, const bnn_texts *texts, const bnn_data *data, bnn_rng rng, int together,
                                bnn_engine **out);

#ifdef __cplusplus
}
#endif

#endif
