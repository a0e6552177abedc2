/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * engine.c: the suite of engines: its rules, and the specs that each of them is run on.
 */
#include "engine.h"

#include <omp.h>

enum { TYPE, SPEC, CLAIM };

static const struct {
    bnn_rule rule;
    int on; /* once for the type, for each check spec, or for each claim */
    bnn_engine_rule *run;
} rules[] = {
    {{"metadata", "name, summary, hooks, capabilities, check specs, claims and blocks are there, and those that are possible"},
     TYPE,
     bnn_rule_engine_metadata},
    {{"options", "every option takes its preset and its ends, refuses what is beyond them by name, and leaves the others alone"},
     TYPE,
     bnn_rule_engine_options},
    {{"print", "the printed engine parses to the same engine"}, SPEC, bnn_rule_engine_print},
    {{"adapt", "what adapt makes of a network is a network, and adapting it again changes nothing more"}, SPEC, bnn_rule_adapt},
    {{"progress",
      "progress rises to 1, where the engine is done; every step tells of a finite U and a finite theta, and counts what it cost"},
     SPEC,
     bnn_rule_progress},
    {{"repeat", "the seed decides every bit: the same one again, or in turns with another run, gives the same; the data stay as they are"},
     SPEC,
     bnn_rule_repeat},
    {{"threads", "fit and prediction give the same bits with 1, 2 and 4 threads"}, SPEC, bnn_rule_engine_threads},
    {{"draws", "a draw is finite and follows from its number and stream, in any order and thread; there are as many as is said"},
     SPEC,
     bnn_rule_draws},
    {{"resume", "stopped after any step and gone on with from its blocks alone it ends with the same bits"}, SPEC, bnn_rule_resume},
    {{"load", "opened without rows and given its blocks it predicts the same bits"}, SPEC, bnn_rule_load},
    {{"numeric", "an objective that is not finite is an error, and no result"}, SPEC, bnn_rule_numeric},
    {{"units", "three targets in other units give the same draws, and an evidence in those"}, SPEC, bnn_rule_units},
    {{"kept", "draws and columns are as many as is said after every step, stay as they are, and every chain keeps where it stands"},
     SPEC,
     bnn_rule_kept},
    {{"tuning", "what the warm-up tunes stands still once draws are kept"}, SPEC, bnn_rule_tuning},
    {{"cost", "gradients, forward passes and operations are counted as the likelihood is asked for them"}, SPEC, bnn_rule_cost},
    {{"begin", "begun where another run has ended it takes all that is given, and goes on with it from its blocks"}, SPEC, bnn_rule_begin},
    {{"place", "placed chains make a transition from there, every one, wherever and on whatever rows they were before"},
     SPEC,
     bnn_rule_place},
    {{"linear", "on linear regression the draws have the mean and the covariance that it claims"}, CLAIM, bnn_rule_linear},
    {{"correlated", "the same where the parameters are strongly correlated"}, CLAIM, bnn_rule_correlated},
    {{"objective", "on every row three times the answer is that of three times the likelihood and one prior, under WEIGHS by weights, too; "
                   "the reported U is the model's"},
     CLAIM,
     bnn_rule_objective},
    {{"prior", "on rows that say nothing the answer is that of the prior alone"}, CLAIM, bnn_rule_prior},
    {{"spread", "in many draws the distance from the mean is right on average, to a few percent, and in its tails"},
     CLAIM,
     bnn_rule_spread},
    {{"chains", "chains are independent of each other, and so are draws that are not stored"}, CLAIM, bnn_rule_chains},
    {{"evidence", "the log evidence of linear regression, where it is told, is that in closed form"}, CLAIM, bnn_rule_evidence},
    {{"funnel", "weights and their own scale, on rows that say nothing, have the moments of their joint prior"}, CLAIM, bnn_rule_funnel},
    {{"two_modes", "a posterior with two modes has the moments of its integrals, and as much on one side as on the other"},
     CLAIM,
     bnn_rule_two_modes},
    {{"tiny", "a network of three parameters has the moments of its integrals"}, CLAIM, bnn_rule_tiny},
    {{"noise", "a noise that is learned is where E[U] is least"}, CLAIM, bnn_rule_learned_noise},
    {{"identities", "with a noise and scales that are learned, on unlike targets and on classes the draws agree with the gradient of U"},
     CLAIM,
     bnn_rule_identities},
};

enum { N_RULES = sizeof rules / sizeof *rules };

static const bnn_rule *rule_at(int i) { return i >= 0 && i < N_RULES ? &rules[i].rule : NULL; }

static bnn_status run_case(bnn_checker *c, int i, const bnn_engine_case *k) {
    bnn_checker_begin(c, &rules[i].rule, k->spec ? k->spec : "", "");
    bnn_status s = rules[i].run(c, k);
    if (s == BNN_ERR_MEMORY) return s;
    if (s < 0) bnn_checker_break(c, "%s", bnn_error());
    return bnn_checker_end(c);
}

static bnn_status run_rule(bnn_checker *c, int i) {
    const bnn_engine_type *type = (const bnn_engine_type *)c->type;
    const bnn_claim *claims = type->claims;
    if (rules[i].on == TYPE) return run_case(c, i, &(bnn_engine_case){.type = type});
    for (int s = 0; rules[i].on == SPEC && type->type.checks[s]; s++)
        BNN_TRY(run_case(c, i, &(bnn_engine_case){.type = type, .spec = type->type.checks[s]}));
    for (int k = 0; rules[i].on == CLAIM && claims && claims[k].spec; k++)
        BNN_TRY(run_case(c, i, &(bnn_engine_case){.type = type, .spec = claims[k].spec, .claim = &claims[k]}));
    return BNN_OK;
}

static bnn_status run_metadata(bnn_checker *c) { return run_rule(c, 0); }

/* With specs that are refused only metadata can be looked at. */
static bnn_status run_rules(bnn_checker *c) {
    bool holds;
    BNN_TRY(bnn_checker_holds(c, &rules[0].rule, run_metadata, &holds));
    c->left = holds ? "it makes no claims (bnn_claim in engine.h), so there is no known answer to hold it to"
                    : "not run, since metadata is broken";
    c->stopped = !holds;
    for (int i = 0; i < (holds ? N_RULES : 1); i++)
        if (bnn_checker_wants(c, &rules[i].rule)) BNN_TRY(run_rule(c, i));
    return BNN_OK;
}

/* On one thread, where no rule asks for more: on networks as small as these threads would wait for each other, not work. */
static bnn_status run(bnn_checker *c) {
    int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    bnn_status s = run_rules(c);
    omp_set_num_threads(threads);
    return s;
}

const bnn_suite bnn_suite_engine = {.rule = rule_at, .run = run, .exercise = bnn_exercise_engine, .share = bnn_share_engine};
