/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "statics.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---------------------------------------------------------------- where it is */

typedef struct {
    uintptr_t within; /* an address in the object */
    bnn_statics *out;
} search;

static bool holds(const struct dl_phdr_info *object, uintptr_t address) {
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &object->dlpi_phdr[i];
        if (p->p_type == PT_LOAD && address - object->dlpi_addr - p->p_vaddr < p->p_memsz) return true;
    }
    return false;
}

/* The program itself has no name. */
static int look_at(struct dl_phdr_info *object, size_t size, void *of) {
    const search *s = of;
    bnn_statics *out = s->out;
    (void)size;
    if (!holds(object, s->within)) return 0;
    if (!*object->dlpi_name) return 1;
    snprintf(out->path, sizeof out->path, "%s", object->dlpi_name);
    out->base = object->dlpi_addr;
    for (int i = 0; i < object->dlpi_phnum && out->n < BNN_MOST_STATICS; i++) {
        const ElfW(Phdr) *p = &object->dlpi_phdr[i];
        if (p->p_type != PT_LOAD || !(p->p_flags & PF_W)) continue;
        out->segment[out->n].at = (const unsigned char *)(object->dlpi_addr + p->p_vaddr); /* NOLINT */
        out->segment[out->n++].size = p->p_memsz;
    }
    return 1;
}

/* A stand-in for a type has its name, which lies where the type does. */
bool bnn_statics_find(const bnn_type *type, bnn_statics *out) {
    *out = (bnn_statics){0};
    dl_iterate_phdr(look_at, &(search){(uintptr_t)type->name, out});
    return *out->path;
}

/* Byte by byte and past what sanitizers put between variables, where memcpy would be a fault of its own. */
__attribute__((no_sanitize("address"))) static void copy_segment(size_t n, const volatile unsigned char *from, unsigned char *to) {
    for (size_t i = 0; i < n; i++) to[i] = from[i];
}

bnn_status bnn_statics_take(bnn_statics *s, int time) {
    for (int i = 0; i < s->n; i++) {
        unsigned char **held = &s->segment[i].held[time];
        if (!*held) *held = malloc(s->segment[i].size + 1);
        if (!*held) return bnn_oom("%zu bytes of static memory", s->segment[i].size);
        copy_segment(s->segment[i].size, s->segment[i].at, *held);
    }
    return BNN_OK;
}

void bnn_statics_free(bnn_statics *s) {
    for (int i = 0; i < s->n; i++)
        for (int t = 0; t < BNN_STATICS_TAKEN; t++) free(s->segment[i].held[t]);
    *s = (bnn_statics){0};
}

/* ---------------------------------------------------------------- whose it is */

/* The variable that an address of the file is in, by its table of symbols: dladdr knows those alone that others may see. */
static void find_variable(const char *file, size_t bytes, uintptr_t address, char *name, size_t size) {
    const ElfW(Ehdr) *head = (const void *)file;
    if (bytes < sizeof *head || head->e_shoff == 0 || head->e_shoff + (size_t)head->e_shnum * sizeof(ElfW(Shdr)) > bytes) return;
    const ElfW(Shdr) *section = (const void *)(file + head->e_shoff);
    for (int i = 0; i < head->e_shnum; i++) {
        if (section[i].sh_type != SHT_SYMTAB || section[i].sh_offset + section[i].sh_size > bytes) continue;
        const ElfW(Sym) *symbol = (const void *)(file + section[i].sh_offset);
        const ElfW(Shdr) *text = &section[section[i].sh_link];
        for (size_t k = 0; k < section[i].sh_size / sizeof *symbol; k++)
            if (ELF64_ST_TYPE(symbol[k].st_info) == STT_OBJECT && address - symbol[k].st_value < symbol[k].st_size &&
                text->sh_offset + symbol[k].st_name < bytes)
                snprintf(name, size, "'%.60s'", file + text->sh_offset + symbol[k].st_name);
    }
}

static void name_of(const bnn_statics *s, const unsigned char *byte, char *name, size_t size) {
    uintptr_t address = (uintptr_t)byte - s->base;
    struct stat about;
    snprintf(name, size, "a variable at %#zx of the file", (size_t)address);
    int f = open(s->path, O_RDONLY | O_CLOEXEC);
    void *file = f >= 0 && fstat(f, &about) == 0 ? mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, f, 0) : MAP_FAILED;
    if (file != MAP_FAILED) {
        find_variable(file, (size_t)about.st_size, address, name, size);
        munmap(file, (size_t)about.st_size);
    }
    if (f >= 0) close(f);
}

/* ---------------------------------------------------------------- what has changed */

/* A number of `bytes` bytes that holds byte `at` went up by the same step twice. */
static bool counts(unsigned char *const held[BNN_STATICS_TAKEN], size_t size, size_t at, size_t bytes) {
    uint64_t number[BNN_STATICS_TAKEN] = {0};
    size_t from = at - at % bytes;
    if (from + bytes > size) return false;
    for (int t = 0; t < BNN_STATICS_TAKEN; t++) memcpy(&number[t], held[t] + from, bytes);
    return number[1] > number[0] && number[1] - number[0] == number[2] - number[1];
}

static bool differs(unsigned char *const held[BNN_STATICS_TAKEN], size_t size, size_t at) {
    return held[0][at] != held[1][at] && !counts(held, size, at, 4) && !counts(held, size, at, 8);
}

size_t bnn_statics_changed(const bnn_statics *s, char *name, size_t size) {
    size_t n = 0;
    for (int i = 0; i < s->n; i++) {
        unsigned char *const *held = s->segment[i].held;
        size_t all = s->segment[i].size;
        for (size_t k = 0; k < all; k++) {
            if (!differs(held, all, k)) continue;
            if (n++ == 0) name_of(s, s->segment[i].at + k, name, size);
        }
    }
    return n;
}

/* ---------------------------------------------------------------- memory of an object */

void bnn_owned_begin(const bnn_checker *c) { c->options->list(true); }

bnn_status bnn_owned_made(const bnn_checker *c, bnn_owned *out) {
    const void *at;
    size_t size;
    int n = 0;
    c->options->list(false);
    while (c->options->listed(n, &at, &size)) n++;
    *out = (bnn_owned){.options = c->options, .block = calloc((size_t)n + 1, sizeof *out->block)};
    if (!out->block) return bnn_oom("a rule");
    for (; out->n < n; out->n++) {
        c->options->listed(out->n, &at, &size);
        out->block[out->n].at = at, out->block[out->n].size = size;
    }
    return BNN_OK;
}

void bnn_owned_leave(bnn_owned *o, const void *within) {
    for (int i = 0; i < o->n; i++)
        if ((uintptr_t)within - (uintptr_t)o->block[i].at < o->block[i].size) o->block[i].size = 0;
}

static bool is_live(const bnn_owned *o, const void *block) {
    const void *at;
    size_t size;
    for (int i = 0; o->options->listed(i, &at, &size); i++)
        if (at == block) return true;
    return false;
}

/* What a hook has freed is not the object's any more. */
static bnn_status owned_take(bnn_owned *o, int time) {
    for (int i = 0; i < o->n; i++) {
        if (!is_live(o, o->block[i].at)) o->block[i].size = 0;
        unsigned char **held = &o->block[i].held[time];
        if (!*held) *held = malloc(o->block[i].size + 1);
        if (!*held) return bnn_oom("%zu bytes of an object", o->block[i].size);
        memcpy(*held, o->block[i].at, o->block[i].size);
    }
    return BNN_OK;
}

/* Bytes, as bnn_statics_changed counts them. */
static size_t owned_changed(const bnn_owned *o) {
    size_t n = 0;
    for (int i = 0; i < o->n; i++)
        for (size_t k = 0; k < o->block[i].size; k++) n += differs(o->block[i].held, o->block[i].size, k);
    return n;
}

void bnn_owned_free(bnn_owned *o) {
    for (int i = 0; i < o->n; i++)
        for (int t = 0; t < BNN_STATICS_TAKEN; t++) free(o->block[i].held[t]);
    free(o->block);
    *o = (bnn_owned){0};
}

bnn_status bnn_owned_watch(bnn_checker *c, bnn_owned *o, bnn_status (*call)(void *of, int turn), void *of) {
    for (int turn = 0; turn <= BNN_STATICS_TAKEN; turn++) {
        BNN_TRY(call(of, turn));
        if (turn > 0) BNN_TRY(owned_take(o, turn - 1));
    }
    size_t n = owned_changed(o);
    if (n > 0)
        bnn_checker_break(
            c,
            "%zu byte%s of its object hold other numbers after other inputs: hooks that run at once in two threads write there "
            "over each other",
            n, n == 1 ? "" : "s");
    return BNN_OK;
}
