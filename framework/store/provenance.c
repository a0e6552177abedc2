/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * provenance.c: who made a file, by what program, on what machine, when. What equal work does not share stands in this group alone.
 */
#include "parts.h"

#include "kernels/simd.h"
#include "run/json.h"

#include <bnn/kernels.h>
#include <gnu/libc-version.h>
#include <gsl/gsl_version.h>
#include <jansson.h>
#include <nettle/version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <zlib.h>

static void cpu_model(char *text, size_t size) {
    char line[256];
    snprintf(text, size, "unknown");
    FILE *f = fopen("/proc/cpuinfo", "r");
    while (f && fgets(line, sizeof line, f)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon) continue;
        snprintf(text, size, "%.*s", (int)strcspn(colon + 1 + strspn(colon + 1, " "), "\n"), colon + 1 + strspn(colon + 1, " "));
        break;
    }
    if (f) fclose(f);
}

/* {"hdf5": "1.10.8", ...}: of those that are loaded, where they say so, else of those it was built with; caller frees. */
static char *libraries_json(void) {
    unsigned major, minor, release;
    char hdf5[32], nettle[32], gemm[32];
    H5get_libversion(&major, &minor, &release);
    snprintf(hdf5, sizeof hdf5, "%u.%u.%u", major, minor, release);
    snprintf(nettle, sizeof nettle, "%d.%d", nettle_version_major(), nettle_version_minor());
    json_t *list =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "hdf5", hdf5, "gsl", gsl_version, "jansson", jansson_version_str(), "zlib",
                  zlibVersion(), "nettle", nettle, "sleef", BNN_SLEEF, "libc", gnu_get_libc_version(), BNN_GEMM, bnn_gemm_version(gemm));
    char *text = list ? bnn_json_text(list, JSON_COMPACT) : NULL;
    json_decref(list);
    return text;
}

/* Facts of a program and its machine in the group. Where two files differ in what makes the bits, they do not go together. */
static const struct {
    const char *name;
    bool makes_bits;
} made[] = {{"version", true}, {"git_commit", true},   {"compiler", true}, {"cflags", true},     {"library_versions_json", true},
            {"cpu", false},    {"instructions", true}, {"os", false},      {"os_release", false}};
enum { N_MADE = sizeof made / sizeof *made };

struct bnn_makers {
    char *text[N_MADE];                 /* of what may differ, all there are, with "; " between them */
    char *command, *started_at, *first; /* first: the path of the file that was added first */
};

void bnn_makers_free(bnn_makers *m) {
    if (!m) return;
    for (int i = 0; i < N_MADE; i++) free(m->text[i]);
    free(m->command), free(m->started_at), free(m->first);
    free(m);
}

const char *bnn_makers_command(const bnn_makers *m) { return m->command && *m->command ? m->command : NULL; }
const char *bnn_makers_started(const bnn_makers *m) { return m->started_at; }

/* This program on this machine; false: out of memory. */
static bool describe_own(bnn_makers *m) {
    char cpu[256];
    struct utsname system;
    bool known = uname(&system) == 0;
    cpu_model(cpu, sizeof cpu);
#ifdef __clang__
    const char *compiler = __VERSION__;
#else
    const char *compiler = "gcc " __VERSION__;
#endif
    const char *const texts[N_MADE] = {bnn_version(),
                                       bnn_commit(),
                                       compiler,
                                       BNN_FLAGS,
                                       NULL,
                                       cpu,
                                       bnn_simd_names[bnn_simd_level()],
                                       known ? system.sysname : "",
                                       known ? system.release : ""};
    bool all = true;
    for (int i = 0; i < N_MADE; i++) all &= (m->text[i] = texts[i] ? strdup(texts[i]) : libraries_json()) != NULL;
    return all;
}

bnn_status bnn_store_must_agree(const char *path, const char *other, const char *what, const char *a, const char *b) {
    if (strcmp(a ? a : "", b ? b : "") == 0) return BNN_OK;
    return bnn_fail(BNN_ERR_STATE, "%s and %s do not go together: %s is '%s' and '%s'", path, other, what, a ? a : "", b ? b : "");
}

/* Appends a text that is not among those there; false: out of memory. */
static bool add_text(char **all, const char *text) {
    char *more;
    if (strstr(*all, text)) return true;
    if (asprintf(&more, "%s; %s", *all, text) < 0) return false;
    free(*all);
    *all = more;
    return true;
}

static bnn_status begin_makers(const char *path, bnn_makers **makers) {
    *makers = calloc(1, sizeof **makers);
    return *makers && ((*makers)->first = strdup(path)) ? BNN_OK : bnn_oom("who made a file");
}

/* The earliest begin stays: texts of ISO 8601 in one zone are in order. */
static void keep_start(bnn_makers *m, char *started_at) {
    bool earlier = !m->started_at || (started_at && strcmp(started_at, m->started_at) < 0);
    free(earlier ? m->started_at : started_at);
    if (earlier) m->started_at = started_at;
}

void bnn_store_add_maker(bnn_h5_reader *r, bnn_makers **makers) {
    static const char group[] = "/provenance";
    bool begins = !*makers;
    if (r->status == BNN_OK && begins) r->status = begin_makers(r->path, makers);
    for (int i = 0; r->status == BNN_OK && i < N_MADE; i++) {
        char *text = bnn_h5_get_text(r, group, made[i].name), **all = &(*makers)->text[i];
        if (r->status == BNN_OK && begins) {
            *all = text;
            continue;
        }
        if (r->status == BNN_OK && made[i].makes_bits)
            r->status = bnn_store_must_agree((*makers)->first, r->path, made[i].name, *all, text);
        if (r->status == BNN_OK && !made[i].makes_bits && !add_text(all, text)) r->status = bnn_oom("who made a file");
        free(text);
    }
    if (r->status == BNN_OK && begins) (*makers)->command = bnn_h5_get_text(r, group, "command");
    if (r->status == BNN_OK) keep_start(*makers, bnn_h5_get_text(r, group, "started_at"));
}

static void put_makers(bnn_h5_writer *w, const char *group, const bnn_makers *known) {
    bnn_makers own = {0};
    if (!known && !describe_own(&own)) bnn_h5_refuse(w, bnn_fail(BNN_ERR_MEMORY, "%s: out of memory", w->path));
    for (int i = 0; i < N_MADE; i++) bnn_h5_text(w, group, made[i].name, known ? known->text[i] : own.text[i]);
    for (int i = 0; i < N_MADE; i++) free(own.text[i]);
}

void bnn_store_put_provenance(bnn_h5_writer *w, const bnn_provenance *p) {
    static const bnn_provenance none = {.split = -1};
    static const char group[] = "/provenance";
    if (!p) p = &none;
    bnn_h5_group(w, group);
    bnn_h5_text(w, group, "command", p->command);
    bnn_h5_text(w, group, "data_path", p->data_path);
    bnn_h5_text(w, group, "data_sha256", p->data_sha256);
    if (p->weights_path) bnn_h5_text(w, group, "weights_path", p->weights_path);
    if (p->weights_sha256) bnn_h5_text(w, group, "weights_sha256", p->weights_sha256);
    if (p->run_path) bnn_h5_text(w, group, "run_path", p->run_path);
    if (p->run_sha256) bnn_h5_text(w, group, "run_sha256", p->run_sha256);
    bnn_h5_text(w, group, "started_at", p->started_at);
    bnn_h5_text(w, group, "finished_at", p->finished_at);
    bnn_h5_ints(w, group, "threads", 1, &p->threads);
    put_makers(w, group, p->makers);
}
