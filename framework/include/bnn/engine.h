/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * engine.h: the contract of an inference engine; all that an engine author includes.
 *
 * An engine sees a flat theta, U(theta) and its gradient (model.h), never a layer. For prediction it answers one question: draw(s) ->
 * theta. The framework steps it, saves and restores its blocks, and runs one predict loop for all engines.
 */
#ifndef BNN_ENGINE_H
#define BNN_ENGINE_H

#include <bnn/cost.h>
#include <bnn/model.h>
#include <bnn/remark.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {                    /* bnn_type.caps of an engine */
       BNN_POINT = 1,     /* one parameter vector and no noise: prediction is a single pass in BNN_MEAN */
       BNN_ONE_THETA = 2, /* every draw gives the same parameter vector: the noise is made by the layers */
       BNN_EXACT = 4,     /* samples exp(-U) itself: no layer may be stochastic */
       BNN_ABSORBS = 8,   /* has layers fold batches into their state (bnn_net_absorb); others are refused where there are such layers */
       BNN_WEIGHS = 16,   /* counts rows by their weights (bnn_data.weight); others are refused where rows have some */
       BNN_TAKES = 32,    /* takes rows (bnn_minibatch_take, bnn_data_take); for others images are standardised all at once */
       BNN_SPREADS = 64   /* of x it asks bnn_model_u_data alone: ranks may hold a stretch of it each; for others all is read */
};

/* An inference engine at work on one model. */
typedef struct bnn_engine {
    bnn_object object; /* type and options */
    bnn_texts texts;   /* owned copies; texts.net as adapted */
    char *plain_net;   /* the network text before adapt */
    bnn_model *model;  /* owned */
    bnn_rng rng;       /* the engine's root stream; split it by the purposes below */
    bnn_cost cost;     /* counts are added by the engine, times by the framework */
    void *state;       /* state_size zeroed bytes, owned by the framework; what hangs on it by the engine */
    double seconds;    /* of one core that the whole fit takes at most, held engines apart (bnn_engine_expect); 0: it does not say */
} bnn_engine;

/* Purposes: the first split of an engine's root stream. Never renumbered: seeds would give other results. */
enum {
    BNN_STREAM_INIT = 1, /* initial theta */
    BNN_STREAM_SHUFFLE,  /* order of the rows */
    BNN_STREAM_STEP,     /* noise of a step */
    BNN_STREAM_DRAW,     /* theta of a draw */
    BNN_STREAM_PREDICT,  /* noise of the layers in a draw */
    BNN_STREAM_INNER,    /* engines that are held */
    BNN_STREAM_TARGET,   /* draws of y */
    BNN_STREAM_HOLDOUT,  /* rows that are held out */
    BNN_STREAM_SETS,     /* classes at the end of conformal sets */
    BNN_STREAM_AUGMENT   /* changes of images */
};

/* Report of one step. */
typedef struct {
    bnn_terms terms;       /* mean over the batches of this step */
    const bnn_real *theta; /* where it stands now; NULL: nowhere yet, as where `fitted` gives no engine */
    double progress;       /* share of the whole work done, 0..1 */
    bool done;             /* it was the last */
} bnn_step;

/* A piece of an engine's state, as files keep it. The memory is the engine's. */
typedef struct {
    const char *name; /* unique within the engine; static storage */
    enum {
        BNN_BLOCK_REAL,   /* bnn_real */
        BNN_BLOCK_DOUBLE, /* double */
        BNN_BLOCK_U64     /* uint64_t */
    } kind;               /* of the numbers */
    void *data;           /* [length] of this kind */
    size_t length;        /* in numbers */
    bool theta;           /* a parameter vector: files show it by layers */
} bnn_block;
#define BNN_MAX_BLOCKS 16 /* blocks of an engine, at most */

#define BNN_MAX_COLUMNS 16 /* columns of an engine, at most */

/* A column of numbers that an engine wants kept beside the run. All columns on the same thing have equal length. */
typedef struct {
    const char *name; /* also the name in files; static storage */
    enum {
        BNN_CELLS,      /* cells of a search */
        BNN_DRAWS,      /* stored draws, in their order */
        BNN_CHAINS      /* Markov chains */
    } on;               /* what each number belongs to */
    bool truth;         /* its numbers are 0 and 1, for false and true */
    const double *data; /* [length] the engine's */
    int length;         /* in numbers */
} bnn_column;

/* How an engine predicts: by draws of theta; or, where it knows the outputs of the network in a row to be Gaussian, f ~ N(mean, cov), by
 * draws of those, or by the likelihood's marginal (by draws, too, where it has none). */
typedef struct {
    enum {
        BNN_BY_THETA,      /* draws of theta */
        BNN_BY_OUTPUTS,    /* draws of f */
        BNN_BY_MARGINAL    /* p(y) in closed form */
    } by;                  /* how */
    const bnn_real *theta; /* [n_theta] whose noise parameters hold; not needed BNN_BY_THETA */
} bnn_predictive;

/* Claim of an engine where the answer is known: the conformance suite fits `spec` to targets in closed form, or in integrals, and holds
 * the draws to it. Gaussian: of linear regression with a Gaussian prior, where exp(-U) = N(m, L^-1). */
typedef struct {
    const char *spec; /* with the time that it needs on 24 rows of a few features, and on 72; NULL ends a list */
    enum {
        BNN_FINDS_POSTERIOR,  /* draws of theta follow exp(-U), whatever its shape */
        BNN_FINDS_GAUSSIAN,   /* they do where exp(-U) is Gaussian */
        BNN_FINDS_MEAN_FIELD, /* there they follow prod_i N(m_i, 1/L_ii), the independent Gaussians that are nearest in KL(q || exp(-U)) */
        BNN_FINDS_GATED,      /* there the weights behind the gates that adapt has put in are those where E[U] over the gates is least */
        BNN_FINDS_MODE        /* theta is where U is least, whatever its shape */
    } finds;                  /* what */
    double error; /* beside Monte Carlo error: of a mean in sd, of a variance as a share of it; of what has no spread, in sd of exp(-U) */
} bnn_claim;

/* Vtable of an engine. Hooks are called from one thread, unless they say that they are thread-safe; NULL: the optional hook is not there.
 */
typedef struct bnn_engine_type {
    bnn_type type;     /* name, options, capabilities, check specs */
    size_t state_size; /* bytes of bnn_engine.state */

    /* REQUIRED: */
    /* Allocates and initialises. data may have no rows: then the engine is only to be restored from its blocks and to predict. */
    bnn_status (*open)(bnn_engine *, const bnn_data *data);
    bnn_status (*step)(bnn_engine *, const bnn_data *data, bnn_step *out); /* one epoch or transition */
    void (*close)(bnn_engine *); /* frees what hangs on the state; also called after an open that failed */
    /* All state of its own, the theta that predicts first; returns the number of blocks. While a state is read back it is asked again
     * before each block: a length may depend on the blocks before it, and memory for it is made here (data NULL: there was none). A block
     * "log_evidence" of one double is log p(D) in nats, of targets in their own units. */
    int (*blocks)(bnn_engine *, bnn_block *out);

    /* REQUIRED, unless fitted or member is there: */
    bnn_status (*draw)(const bnn_engine *, int s, bnn_rng rng, bnn_real *theta); /* theta of draw s; thread-safe */

    /* OPTIONAL: */
    bnn_status (*adapt)(const void *conf, bnn_netspec *net); /* plain network -> the one this engine needs; adapting twice changes nothing
                                                                more */
    int (*n_draws)(const bnn_engine *);                      /* stored draws, chain after chain; without it, unlimited */
    int (*n_chains)(const bnn_engine *);                     /* of equal length, into which the stored draws fall; without it, 1 */
    const bnn_engine *(*fitted)(const bnn_engine *); /* of an engine that holds another: the one that predicts, NULL before there is one */
    int (*columns)(const bnn_engine *, bnn_column *out); /* at most BNN_MAX_COLUMNS; returns their number */
    const char *(*remark)(const bnn_engine *);           /* a sentence for people about what was done, or NULL */
    /* For an engine that holds others: the i-th one that it holds now, NULL behind the last; *rows, the holder's training rows, becomes
     * those of the held one. Their states are kept with its own. */
    bnn_engine *(*held)(bnn_engine *, int i, const bnn_data **rows);
    /* After its blocks were read back, to go on where they were written: rebuilds what they imply, opens the engines that it held. */
    bnn_status (*resume)(bnn_engine *, const bnn_data *data);
    /* For an engine that can begin where another has ended: before its first step, takes the parameters of the network and of the
     * likelihood that some run predicts with. */
    bnn_status (*begin)(bnn_engine *, const bnn_real *theta);
    bnn_predictive (*predictive)(const bnn_engine *); /* without it, BNN_BY_THETA */
    /* With predictive: mean[n, out_dim] and cov[n, out_dim, out_dim] of the outputs in n rows x[n, in], in standardised units; ws has room
     * for them, with gradients. Thread-safe. */
    bnn_status (*outputs)(const bnn_engine *, bnn_workspace *ws, int n, const bnn_real *x, double *mean, double *cov);
    const bnn_claim *claims; /* without it, the engine is not held against known answers */
    /* For an engine whose predictive distribution is the mixture, in equal parts, of those of others: the place of the k-th one, NULL
     * behind the last. Files keep what its members predict with; reading one puts members into places that hold NULL, those of an engine
     * that was opened without rows. */
    bnn_engine **(*member)(const bnn_engine *, int k);
    /* For Markov chains whose transition keeps exp(-U): every chain stands at theta[n_theta] now. Its next step is a transition from there
     * on the rows it is given, whatever the rows before were. */
    bnn_status (*place)(bnn_engine *, const bnn_real *theta);
    /* Adds what the engine alone knows and speaks against its fit, such as a limit that was reached, to the verdicts (diagnose.h). */
    bnn_status (*doubts)(const bnn_engine *, bnn_remarks *);
    const char *fails; /* where it is known to fail, and how that shows: sentences without marks, for `bnn show`; may be NULL */
} bnn_engine_type;

/* The vtable of an engine. */
static inline const bnn_engine_type *bnn_engine_vtable(const bnn_engine *e) { return (const bnn_engine_type *)e->object.type; }

/* Chains into which its draws fall: 1 without the hook. */
static inline int bnn_engine_chains(const bnn_engine *e) {
    const bnn_engine_type *type = bnn_engine_vtable(e);
    return type->n_chains ? type->n_chains(e) : 1;
}

/* Parses the spec, adapts the network, builds the model for the data and opens the engine. The streams follow from rng alone. */
bnn_status bnn_engine_new(const char *spec, const bnn_texts *texts, const bnn_data *data, bnn_rng rng, bnn_engine **out);
bnn_status bnn_engine_step(bnn_engine *engine, const bnn_data *data, bnn_step *out); /* one step, timed */
void bnn_engine_free(bnn_engine *engine);                                            /* frees it with all it owns; NULL is allowed */
/* For engines, when they are opened: the whole fit takes at most so many gradients on so many rows each, and flops beside them. Who would
 * take more than a century is refused, with all that it holds (bnn_time_check). */
void bnn_engine_expect(bnn_engine *engine, double gradients, int rows, double flops);
double bnn_engine_seconds(const bnn_engine *engine); /* of one core, as it has said, and those of the engines that it holds */
/* The innermost engine: the one that predicts; NULL before there is one. Of a mixture itself, once all its members predict. */
const bnn_engine *bnn_engine_fitted(const bnn_engine *engine);
/* The k-th member of a mixture, as it predicts; NULL behind the last, and of any other engine. */
const bnn_engine *bnn_engine_member(const bnn_engine *engine, int k);
/* theta[n_theta] of the fitted engine. The draws of a mixture fall on its members in turn, stored ones again and again. Thread-safe. */
bnn_status bnn_engine_draw(const bnn_engine *engine, int s, bnn_rng rng, bnn_real *theta);

#ifdef __cplusplus
}
#endif

#endif
