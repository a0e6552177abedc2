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

static void put_build(bnn_h5_writer *w, const char *group) {
    char *libraries = libraries_json();
    bnn_h5_text(w, group, "version", bnn_version());
    bnn_h5_text(w, group, "git_commit", bnn_commit());
#ifdef __clang__
    bnn_h5_text(w, group, "compiler", __VERSION__);
#else
    bnn_h5_text(w, group, "compiler", "gcc " __VERSION__);
#endif
    bnn_h5_text(w, group, "cflags", BNN_FLAGS);
    bnn_h5_text(w, group, "library_versions_json", libraries);
    if (!libraries) bnn_h5_refuse(w, bnn_fail(BNN_ERR_MEMORY, "%s: out of memory", w->path));
    free(libraries);
}

static void put_machine(bnn_h5_writer *w, const char *group) {
    char cpu[256];
    struct utsname system;
    bool known = uname(&system) == 0;
    cpu_model(cpu, sizeof cpu);
    bnn_h5_text(w, group, "cpu", cpu);
    bnn_h5_text(w, group, "instructions", bnn_simd_names[bnn_simd_level()]);
    bnn_h5_text(w, group, "os", known ? system.sysname : "");
    bnn_h5_text(w, group, "os_release", known ? system.release : "");
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
    put_build(w, group);
    put_machine(w, group);
}
