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

size_t bnn_statics_changed(const bnn_statics *s, char *name, size_t size) {
    size_t n = 0;
    for (int i = 0; i < s->n; i++) {
        unsigned char *const *held = s->segment[i].held;
        size_t all = s->segment[i].size;
        for (size_t k = 0; k < all; k++) {
            if (held[0][k] == held[1][k] || counts(held, all, k, 4) || counts(held, all, k, 8)) continue;
            if (n++ == 0) name_of(s, s->segment[i].at + k, name, size);
        }
    }
    return n;
}
