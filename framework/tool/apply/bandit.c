/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool/print/json.h"
#include "tool/tool.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    tool_job job;
    tool_reading reading;
    bnn_bandit_config how;
    const char *path, *good; /* of the table, NULL: none; a class by name, NULL: the usual one */
    const char *out;         /* NULL: none */
    int game;
    double delta;
    bool json;
    bnn_table *table;
    bnn_data *rows;
    bnn_mushrooms mushrooms;
    bnn_wheel wheel;
    bnn_environment world;
    bnn_regret *regret;
    tool_progress progress;
} request;

enum { MUSHROOMS, GUESSES, WHEEL };
static const char *const games[] = {"mushrooms", "guesses", "wheel", NULL};

enum { GAME = 256, GOOD, DELTA, POLICY, EPSILON, HEAD, DRAWS, STEPS, FIRST, EVERY, BUDGET, BUFFER, ANEW, SETTLE, RUNS, JSON };

static const struct argp_option options[] = {
    {"game", GAME, "NAME", 0, "mushrooms (two classes: eat or leave), guesses (name the class) or wheel (no table)", 0},
    {"good", GOOD, "CLASS", 0, "of mushrooms: the class that can be eaten (default: e, or edible)", 0},
    {"delta", DELTA, "R", 0, "of the wheel: the radius beyond which an action brings much (default: 0.95)", 0},
    {"policy", POLICY, "NAME", 0, "thompson (default), greedy, epsilon or random", 0},
    {"epsilon", EPSILON, "P", 0, "of epsilon: the probability of an action at random (default: 0.05)", 0},
    {"engine", 'e', "TEXT", 0, "how the agent is fitted (default: bayes_by_backprop)", 0},
    {"head", HEAD, "TEXT", 0, "last_layer or laplace, with options, around the parameters that the engine has found (default: none)", 0},
    {"net", 'n', "TEXT", 0, "of the agent; reads context and action (default: dense:50; relu; dense)", 0},
    {"likelihood", 'l', "TEXT", 0, "of the reward (default: gaussian)", 0},
    {"prior", 'p', "TEXT", 0, "over weights (default: gauss)", 0},
    {"draws", DRAWS, "N", 0, "that the value of an action is a mean of (default: 1 of thompson, else 20)", 0},
    {"steps", STEPS, "N", 0, "of each run (default: 50000)", 0},
    {"first", FIRST, "N", 0, "steps that try actions in turn (default: 3 for each)", 0},
    {"every", EVERY, "N", 0, "steps from fit to fit, where the budget allows that (default: 64)", 0},
    {"budget", BUDGET, "N", 0, "minibatches a step, of engines that go on (default: 1)", 0},
    {"buffer", BUFFER, "N", 0, "rows of experience that are fitted, the last ones (default: all)", 0},
    {"anew", ANEW, NULL, 0, "every fit begins anew and goes to its end", 0},
    {"settle", SETTLE, NULL, 0, "fits that go on end with small steps, as the schedule of the engine has them", 0},
    {"runs", RUNS, "N", 0, "runs that do not know of each other (default: 1)", 0},
    {"seed", 's', "N", 0, "seed (default: 1); contexts and rewards are the same for every agent", 0},
    {"threads", 't', "N", 0, "threads (default: all cores); the same seed gives the same bits at any number", 0},
    {"json", JSON, NULL, 0, "print one JSON object, with the curve of each run", 0},
    {"output", 'o', "FILE.h5", 0, "write the curves; `bnn report` draws several agents into one figure", 0},
    {0}};

static double number(const struct argp_state *state, const char *option, const char *text, double most) {
    double x;
    if (!bnn_number_parse(text, &x) || !(x >= 0 && x <= most))
        tool_misuse(state, "--%s: '%s' is no number from 0 to %g", option, text, most);
    return x;
}

static int one_of(const struct argp_state *state, const char *option, const char *text, const char *const *names) {
    for (int i = 0; names[i]; i++)
        if (strcmp(text, names[i]) == 0) return i;
    tool_misuse(state, "--%s: there is no '%s'", option, text);
}

static int count(const char *option, const char *text, int most) { return (int)tool_number(option, text, 1, most); }

static error_t parse_agent(int key, char *arg, const struct argp_state *state, bnn_bandit_config *how) {
    switch (key) {
    case POLICY: how->policy = (bnn_policy)one_of(state, "policy", arg, bnn_policy_names); return 0;
    case EPSILON: how->epsilon = number(state, "epsilon", arg, 1); return 0;
    case 'e': how->engine = arg; return 0;
    case HEAD: how->head = arg; return 0;
    case DRAWS: how->draws = count("--draws", arg, 1000000); return 0;
    case STEPS: how->steps = count("--steps", arg, 100000000); return 0;
    case FIRST: how->first = count("--first", arg, 100000000); return 0;
    case EVERY: how->every = count("--every", arg, 100000000); return 0;
    case BUDGET: how->budget = number(state, "budget", arg, 1e9); return 0;
    case BUFFER: how->buffer = count("--buffer", arg, 100000000); return 0;
    case ANEW: how->anew = true; return 0;
    case SETTLE: how->settle = true; return 0;
    case RUNS: how->runs = count("--runs", arg, 100000); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    request *r = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &r->reading; return 0;
    case GAME: r->game = one_of(state, "game", arg, games); return 0;
    case GOOD: r->good = arg; return 0;
    case DELTA: r->delta = number(state, "delta", arg, 1); return 0;
    case JSON: r->json = true; return 0;
    case 'o': r->out = arg; return 0;
    case 'n':
    case 'l':
    case 'p':
    case 's':
    case 't': return tool_job_argp.parser(key, arg, &(struct argp_state){.input = &r->job});
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) return ARGP_ERR_UNKNOWN;
        r->path = r->job.data = arg;
        return 0;
    case ARGP_KEY_END:
        if (r->game != WHEEL && !r->path) tool_misuse(state, "which table? Its rows are the contexts");
        if (r->game == WHEEL && r->path) tool_misuse(state, "the wheel has no table, but '%s' is given", r->path);
        return 0;
    default: return parse_agent(key, arg, state, &r->how);
    }
}

/* ---- the world ---- */

static bnn_status find_good(request *r) {
    static const char *const usual[] = {"e", "edible", NULL};
    const bnn_table *t = r->table;
    for (int c = 0; c < t->n_classes; c++) {
        const char *name = t->class_names ? t->class_names[c] : "";
        for (int k = 0; r->good ? k < 1 : usual[k] != NULL; k++)
            if (strcmp(name, r->good ? r->good : usual[k]) == 0) return r->mushrooms.good = c, BNN_OK;
    }
    if (r->good) return bnn_fail(BNN_ERR_OPTION, "--good: '%s' is none of the classes of %s", r->good, r->path);
    return bnn_fail(BNN_ERR_OPTION, "--good: which class of %s can be eaten? None is called e or edible", r->path);
}

static bnn_status open_world(request *r) {
    if (r->game == WHEEL) {
        r->wheel.delta = r->delta;
        return bnn_wheel_open(&r->wheel, &r->world);
    }
    BNN_TRY(tool_table(r->path, NULL, &r->reading, &r->table));
    if (r->game == MUSHROOMS) {
        r->mushrooms.table = r->table;
        bnn_status s = find_good(r);
        if (s == BNN_OK) s = bnn_mushrooms_open(&r->mushrooms, &r->world);
        return s < 0 ? bnn_note(s, "%s", r->path) : BNN_OK;
    }
    bnn_status s = bnn_guesses_open(r->table, &r->world);
    if (s == BNN_OK) s = bnn_data_range(r->table, 0, r->table->n, NULL, &r->rows);
    if (s < 0) return bnn_note(s, "%s", r->path);
    r->world.scaling = bnn_data_scaling(r->rows);
    return BNN_OK;
}

/* ---- the answer ---- */

/* Texts stay those of the request. */
static bnn_played played_of(const request *r) {
    const bnn_bandit_config *how = &r->how;
    const bool fits = how->policy != BNN_POLICY_RANDOM;
    return (bnn_played){.game = (char *)games[r->game],
                        .policy = (char *)bnn_policy_names[how->policy],
                        .epsilon = how->policy == BNN_POLICY_EPSILON ? how->epsilon : NAN,
                        .engine = (char *)(fits ? how->engine : ""),
                        .head = (char *)(fits && how->head ? how->head : ""),
                        .seed = how->seed,
                        .regret = r->regret};
}

static bnn_status print_json(const request *r, const bnn_played *played) {
    json_t *o = json_object();
    tool_json_set(o, "data", tool_json_text(r->path));
    tool_json_played(o, played);
    return tool_json_answer(o);
}

static bnn_status save(const request *r, const bnn_played *played) {
    bnn_provenance provenance = tool_provenance(&r->job, r->table, -1);
    return bnn_played_save(played, &provenance, r->out);
}

static bnn_status check_output(const request *r) {
    if (!r->out) return BNN_OK;
    BNN_TRY(tool_output_hdf5(r->out));
    BNN_TRY(tool_output_apart(r->out, r->path, "the data file"));
    return tool_output_claim(r->out, NULL, NULL, NULL);
}

/* Runs go at about the same pace: the first one stands for all. */
static void show(void *context, int run, double share) {
    if (run == 0) tool_progress_show(context, share);
}

static bnn_status act(request *r) {
    BNN_TRY(check_output(r));
    BNN_TRY(open_world(r));
    r->how.net = r->job.net, r->how.likelihood = r->job.likelihood, r->how.prior = r->job.prior, r->how.seed = r->job.seed;
    r->progress = tool_progress_start("acting");
    r->how.progress = show, r->how.context = &r->progress;
    bnn_status s = bnn_bandit(&r->world, &r->how, &r->regret);
    tool_progress_end(&r->progress);
    BNN_TRY(s);
    const bnn_played played = played_of(r);
    tool_reading_say(&r->reading, NULL, r->json ? stderr : stdout);
    if (r->json) BNN_TRY(print_json(r, &played)); /* what can fail comes before the file */
    if (r->out) BNN_TRY(save(r, &played));
    if (r->json) return BNN_OK;
    tool_print_played(&played);
    tool_print_wrote(r->out);
    return BNN_OK;
}

static int run(int argc, char **argv) {
    static const struct argp_child children[] = {{&tool_reading_argp, 0, NULL, 0}, {&tool_output_argp, 0, NULL, 0}, {0}};
    const struct argp argp = {
        .options = options,
        .parser = parse,
        .children = children,
        .args_doc = "[TABLE]",
        .doc =
            "Lets an agent act that learns from what its actions bring: a network reads a context and an action and predicts the reward, "
            "and the agent takes the best action under a draw of the posterior (Thompson sampling) or under the mean. Says what that "
            "costs against the best actions: the regret, with its standard error over runs.\v"
            "mushrooms (Blundell et al. 2015): to eat one that is good brings 5; one that is not 5 or -35, each half of the time; to leave "
            "it brings nothing. guesses: 1 for the right class. wheel (Riquelme et al. 2018): much for one action in a corner that is "
            "seldom seen.\n\n"
            "Examples:\n  bnn bandit mushrooms.csv --target class --runs 10\n  "
            "bnn bandit mushrooms.csv --target class -e map --policy epsilon --epsilon 0.05 -o epsilon.h5\n  "
            "bnn bandit --game wheel -e map --head last_layer:noise=evidence"};
    request r = {.how = {.size = sizeof r.how, .epsilon = 0.05, .engine = "bayes_by_backprop"}, .delta = 0.95};
    tool_job_open(&r.job, argc, argv);
    tool_parse(&argp, argc, argv, &r);
    bnn_status s = act(&r);
    bnn_regret_free(r.regret);
    bnn_data_free(r.rows);
    bnn_remarks_free(r.reading.csv.remarks);
    bnn_table_free(r.table);
    return s < 0 ? tool_fail() : 0;
}

const command command_bandit = {.name = "bandit", .summary = "let an agent act that learns from what its actions bring", .run = run};
