/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * bandit.h: decisions one after the other, by a network that learns what they bring: contextual bandits.
 *
 * At each step an environment shows a context, an agent acts, and the environment pays for that action alone. The agent's network reads the
 * context and, one-hot, an action, and predicts the reward (Blundell et al. 2015). Regret is the expected reward of the best action in the
 * context less that of the one that was taken, summed over steps.
 *
 *   thompson  the best action under a draw of the posterior (the mean of `draws` draws)
 *   greedy    the best action under the mean of `draws` draws, which does not change until the next fit
 *   epsilon   greedy, but with this probability an action at random
 *   random    an action at random
 *
 * The first steps try the actions in turn. Then the agent is fitted: every so many steps, and while it knows few rows as soon as it knows
 * twice as many, to the last rows of its experience. Engines that descend go on from the parameters that they had, for so many minibatches
 * a step of the agent (whole epochs), in steps as large as those that a fit begins with; or they settle, in steps that end small. Large
 * steps get further where the budget is small, and their jitter is a choice by chance of its own, for greedy agents, too. Engines that have
 * to reach their end are fitted anew. With a head (laplace, last_layer) the engine finds the features, and the head what is uncertain
 * around them.
 */
#ifndef BNN_BANDIT_H
#define BNN_BANDIT_H

#include <bnn/bnn.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A world to act in. Its functions are called from several threads at once; streams are numbers of bnn_stream_split. */
typedef struct bnn_environment {
    int context_dim;               /* numbers in a context */
    int n_actions;                 /* 2 or more */
    double reward_mean, reward_sd; /* roughly: what the network predicts is (reward - mean) / sd */
    const bnn_scaling *scaling;    /* of contexts, as of a table's features; NULL: they stay as they are */
    const void *of;                /* handed to the functions */
    /* Fills context[context_dim] and returns a number that stands for the situation, for the other two. */
    int (*context)(const void *of, uint64_t stream, double *context);
    double (*expected)(const void *of, int situation, const double *context, int action);                /* reward, on the mean */
    double (*reward)(const void *of, int situation, const double *context, int action, uint64_t stream); /* as it is paid */
} bnn_environment;

/* Mushrooms (Guez 2015; Blundell et al. 2015): a row of a table of two classes is the context; action 1 eats it, which brings 5 of the good
 * class, and of the other 5 or -35, each half of the time; action 0 leaves it, for nothing. */
typedef struct {
    const bnn_table *table; /* borrowed */
    int good;               /* the class that can be eaten */
} bnn_mushrooms;
bnn_status bnn_mushrooms_open(const bnn_mushrooms *mushrooms, bnn_environment *out); /* borrows mushrooms */

/* Guesses: a row of a table of classes is the context, each class an action, which brings 1 where it is right. Borrows the table; where its
 * columns have units, scaling is the caller's to set. */
bnn_status bnn_guesses_open(const bnn_table *table, bnn_environment *out);

/* The wheel (Riquelme, Tucker & Snoek 2018): a context in the unit circle, evenly; action 0 brings 1.2, the others 1, but beyond the radius
 * delta the one of its quadrant 50; with noise of sd 0.01. */
typedef struct {
    double delta; /* 0 < delta < 1 */
} bnn_wheel;
bnn_status bnn_wheel_open(const bnn_wheel *wheel, bnn_environment *out); /* borrows wheel */

/* Rules of choice. */
typedef enum { BNN_POLICY_THOMPSON, BNN_POLICY_GREEDY, BNN_POLICY_EPSILON, BNN_POLICY_RANDOM } bnn_policy;
extern const char *const bnn_policy_names[]; /* thompson, greedy, epsilon, random, NULL */

/* An agent, and how long it acts. */
typedef struct {
    size_t size;            /* of this struct */
    bnn_policy policy;      /* BNN_POLICY_THOMPSON where 0 */
    double epsilon;         /* of BNN_POLICY_EPSILON: 0..1 */
    const char *net;        /* NULL: dense:50; relu; dense */
    const char *engine;     /* NULL: bayes_by_backprop */
    const char *head;       /* laplace or last_layer with options, around the parameters that the engine ends with; NULL: none */
    const char *likelihood; /* NULL: gaussian */
    const char *prior;      /* NULL: gauss */
    int draws;              /* 0: 1 of thompson and of point engines, else 20 */
    int steps;              /* of acting; 0: 50000 */
    int first;              /* steps that try the actions in turn; 0: 3 for each action */
    int every;              /* steps from fit to fit, where the budget allows that; 0: 64 */
    double budget;          /* minibatches a step, of engines that go on; 0: 1 */
    int buffer;             /* rows that are fitted, the last ones; 0: all */
    bool anew;              /* every fit begins anew and goes to its end */
    int runs;               /* that do not know of each other; 0: 1 */
    uint64_t seed;          /* of all; contexts and rewards of run r are the same for every agent */
    /* Called from the threads that work; may be NULL. share: of run r, 0..1. */
    void (*progress)(void *context, int r, double share);
    void *context; /* handed to progress */
    bool settle;   /* a fit that goes on takes its engine's whole schedule of step sizes, not its beginning */
} bnn_bandit_config;

/* How runs went. Owns its arrays. */
typedef struct {
    int runs, n_points; /* points: at most 100, evenly spaced, the last at the end */
    int *step;          /* [n_points] steps until then */
    double *regret;     /* [runs, n_points] until then */
    double *reward;     /* [runs] in all, as it was paid */
    double *gradients;  /* [runs] that fits took */
} bnn_regret;

/* Acts, runs in parallel; the same bits at any number of threads. Refuses what engines refuse. */
bnn_status bnn_bandit(const bnn_environment *environment, const bnn_bandit_config *config, bnn_regret **out);
/* Mean over runs at a point and its standard error, NaN of one run. */
double bnn_regret_mean(const bnn_regret *regret, int point, double *se);
void bnn_regret_free(bnn_regret *regret); /* with all it owns; NULL is allowed */

#ifdef __cplusplus
}
#endif

#endif
