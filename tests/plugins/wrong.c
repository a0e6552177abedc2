/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * wrong: a prior that a program cannot load, or only just. WRONG, one of the words below, says what is special about it.
 */
#include <bnn/prior.h>

enum {
    no_entry,
    other_abi,        /* of the plugin */
    other_abi_inside, /* of one type */
    other_precision,
    no_descriptor,
    short_descriptor,
    no_types,
    no_list,
    name_of_plugin,
    version_of_plugin,
    unknown_kind,
    no_vtable,
    no_size,
    odd_size,
    no_name,
    name_of_type,
    no_summary,
    no_checks,
    option_outside,
    option_kind,
    option_shared,
    option_endless, /* a group that holds itself */
    no_hook,
    half_of_a_pair,
    draw_alone, /* of scales that have no density */
    duplicate,  /* of a type in the library */
    twins,      /* two types with one name */
    half_bad,   /* a good type, then one without a hook */
    needs_more, /* a symbol that nobody has */
    newer_used, /* a vtable with one hook that this library does not know */
    newer,      /* the same without that hook: right */
    older       /* a vtable that ends behind the required hooks; what lies behind it is no hook: right */
};

#define IS(word) (WRONG == word)

static double logp(const bnn_prior *p, const bnn_prior_block *block, int n, const bnn_real *w, bnn_real *dw) {
    double sum = 0;
    (void)p, (void)block;
    for (int i = 0; i < n; i++) {
        sum -= (double)w[i] * (double)w[i] / 2 + 0.91893853320467274178;
        if (dw) dw[i] = -w[i];
    }
    return sum;
}

static void draw(const bnn_prior *p, const bnn_prior_block *block, bnn_rng rng, int n, bnn_real *out) {
    (void)p, (void)block;
    bnn_rng_normal(rng, 0, 1, n, out);
}

/* Nobody may call this. */
static int n_scales(const bnn_prior *p, const bnn_prior_block *param) {
    (void)p, (void)param;
    __builtin_trap();
}

static double draw_scale_given(const bnn_prior *p, const bnn_prior_block *param, int n, const bnn_real *w, bnn_rng rng) {
    (void)p, (void)param, (void)n, (void)w, (void)rng;
    __builtin_trap();
}

void nobody_has_this(void);
#ifdef WRONG_needs_more
void (*const bnn_needed)(void) = nobody_has_this;
#endif

static const bnn_option options[4];
static const bnn_option options[4] = {
    {.name = "sd", .kind = IS(option_kind) ? 99 : BNN_OPTION_REAL, .offset = IS(option_outside) ? 4 : 0, .preset = "1", .help = "unused"},
    {.name = IS(option_shared) || IS(option_endless) ? "mean" : NULL, .kind = BNN_OPTION_INT, .offset = 4, .preset = "1", .help = "unused"},
    {.name = IS(option_endless) ? "more" : NULL, .kind = BNN_OPTION_GROUP, .group = options},
    {0}};
static const char *const checks[] = {"wrong", NULL};

/* The head and the hooks of a vtable, and more behind them than this library's have. */
typedef struct {
    bnn_prior_type known;
    void *more;
} vtable;

static int one_more;

#define HEAD(name_)                                                                        \
    .type = {.abi = IS(other_abi_inside) ? BNN_ABI + 7 : BNN_ABI,                          \
             .size = IS(no_size)                   ? 0                                     \
                     : IS(odd_size)                ? sizeof(bnn_prior_type) - 1            \
                     : IS(older)                   ? offsetof(bnn_prior_type, kl_gaussian) \
                     : IS(newer) || IS(newer_used) ? sizeof(vtable)                        \
                                                   : sizeof(bnn_prior_type),               \
             .name = IS(no_name)        ? ""                                               \
                     : IS(name_of_type) ? "so-so"                                          \
                     : IS(duplicate)    ? "gauss"                                          \
                                        : name_,                                              \
             .summary = IS(no_summary) ? NULL : "standard normal weights",                 \
             .conf_size = sizeof(double),                                                  \
             .options = options,                                                           \
             .checks = IS(no_checks) ? NULL : checks}

static const vtable first = {.known = {HEAD("wrong"), .logp = logp, .draw = IS(no_hook) ? NULL : draw,
                                       .n_scales = IS(half_of_a_pair) || IS(older) ? n_scales : NULL,
                                       .draw_scale_given = IS(draw_alone) ? draw_scale_given : NULL},
                             .more = IS(newer_used) ? (void *)&one_more : NULL};

static const vtable second = {.known = {HEAD(IS(twins) ? "wrong" : "second"), .logp = IS(half_bad) ? NULL : logp, .draw = draw}};

static const bnn_entry types[] = {{IS(unknown_kind) ? (bnn_kind)17 : BNN_PRIOR, IS(no_vtable) ? NULL : &first.known.type},
                                  {BNN_PRIOR, &second.known.type}};

static const bnn_plugin_descriptor descriptor = {.abi = IS(other_abi) ? BNN_ABI + 7 : BNN_ABI,
                                                 .real_size = IS(other_precision) ? sizeof(double) + sizeof(float) - sizeof(bnn_real)
                                                                                  : sizeof(bnn_real),
                                                 .size = IS(short_descriptor) ? 16 : sizeof(bnn_plugin_descriptor),
                                                 .n = IS(no_types)                ? 0
                                                      : IS(twins) || IS(half_bad) ? 2
                                                                                  : 1,
                                                 .types = IS(no_list) ? NULL : types,
                                                 .name = IS(name_of_plugin) ? "so-so" : NULL,
                                                 .version = IS(version_of_plugin) ? "1 or 2" : NULL};

#ifdef WRONG_no_entry
#define bnn_plugin_describe describe_something_else
#endif
const bnn_plugin_descriptor *bnn_plugin_describe(void);
const bnn_plugin_descriptor *bnn_plugin_describe(void) { return IS(no_descriptor) ? NULL : &descriptor; }
