/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * plugin.c: descriptors of plugins, with vtables and tables of options of every kind: all refused, since the last type of each is there
 * already. Input: bytes that say, in the order in which fields stand, what each of them holds.
 */
#include "target.h"

#include <bnn/plugin.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

enum { TYPES = 4, OPTIONS = 4, ROOM = 512 };

static const char *const words[] = {NULL, "", "x", "dense", "map", "a b", "\xff", "1x", "size", "0", "none|both", "{"};
enum { WORDS = sizeof words / sizeof *words };

static const char *word(target_input *in) { return words[target_byte(in) % WORDS]; }

/* A number that is right, if usual is, or one that is not. */
static uint32_t number(target_input *in, uint32_t usual) {
    unsigned how = target_byte(in);
    return how < 160 ? usual : how < 240 ? how - 160 : UINT32_MAX - (how - 240);
}

typedef union { /* of any kind */
    bnn_type type;
    void (*hooks[ROOM / sizeof(void *)])(void);
} vtable;

static void hook(void) { abort(); }

static void fill_options(target_input *in, bnn_option *o) {
    static const char *const choices[] = {"a", "b", NULL};
    memset(o, 0, (OPTIONS + 1) * sizeof *o);
    for (int i = 0; i < OPTIONS; i++) {
        unsigned how = target_byte(in);
        o[i] = (bnn_option){.name = word(in),
                            .kind = (bnn_option_kind)(how % 9),
                            .offset = number(in, 8 * (unsigned)i),
                            .preset = word(in),
                            .of = (bnn_kind)number(in, 1)};
        if (how & 64) o[i].choices = choices;
        if (how & 128) o[i].group = o + target_byte(in) % OPTIONS;
    }
}

static void fill_type(target_input *in, bnn_kind kind, vtable *v, bnn_option *o) {
    static const char *const checks[] = {"", NULL};
    const bnn_type *whole = bnn_type_next((unsigned)kind < BNN_N_KINDS ? kind : BNN_LAYER, NULL);
    memset(v, 0, sizeof *v);
    for (size_t i = sizeof v->type / sizeof *v->hooks; i < whole->size / sizeof *v->hooks; i++)
        if (target_byte(in) < 224) v->hooks[i] = hook;
    fill_options(in, o);
    v->type = (bnn_type){.abi = number(in, BNN_ABI),
                         .size = number(in, whole->size),
                         .name = word(in),
                         .summary = word(in),
                         .conf_size = number(in, 64),
                         .options = target_byte(in) & 1 ? o : NULL,
                         .checks = target_byte(in) & 7 ? checks : NULL};
    if (v->type.size > ROOM) v->type.size = ROOM; /* what is behind is no vtable's */
}

/* What the plugin, DESCRIBED, says of itself. */
static const bnn_plugin_descriptor **described(void) {
    static void *handle;
    if (!handle && !(handle = dlopen(DESCRIBED, RTLD_NOW))) abort();
    return dlsym(handle, "described");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    static vtable vtables[TYPES];
    static bnn_option options[TYPES][OPTIONS + 1];
    bnn_entry entries[TYPES + 1];
    target_input in = {bytes, n};
    int count = (int)(target_byte(&in) % (TYPES + 1));
    for (int i = 0; i < count; i++) {
        entries[i].kind = (bnn_kind)(target_byte(&in) % (BNN_N_KINDS + 1));
        fill_type(&in, entries[i].kind, &vtables[i], options[i]);
        entries[i].type = target_byte(&in) ? &vtables[i].type : NULL;
    }
    entries[count] = (bnn_entry){BNN_LAYER, bnn_type_next(BNN_LAYER, NULL)};
    bnn_plugin_descriptor d = {number(&in, BNN_ABI),
                               number(&in, sizeof(bnn_real)),
                               number(&in, sizeof d),
                               (int)number(&in, (uint32_t)count + 1),
                               target_byte(&in) ? entries : NULL,
                               word(&in),
                               word(&in)};
    if (d.n > count + 1) d.n = count + 1; /* a plugin that lies about its own arrays is trusted */
    *described() = target_byte(&in) ? &d : NULL;
    if (target_told(bnn_plugin_load(DESCRIBED, NULL))) abort();
    return 0;
}
