/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <bnn/stored.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>

double bnn_stored_bytes(int chains, int samples, int n, int n_stats) {
    return (double)chains * samples * ((double)n * sizeof(bnn_real) + n_stats * sizeof(double));
}

bnn_status bnn_stored_open(bnn_stored *s, int chains, int samples, int n, int n_stats) {
    size_t draws = (size_t)chains * (size_t)samples;
    if (draws > INT_MAX)
        return bnn_fail(BNN_ERR_OPTION, "%d chains of %d draws are more than %d draws: keep fewer", chains, samples, INT_MAX);
    *s = (bnn_stored){.chains = chains, .samples = samples, .n = n, .n_stats = n_stats};
    s->theta = calloc(draws * (size_t)n + 1, sizeof *s->theta);
    s->stat = calloc(draws * (size_t)n_stats + 1, sizeof *s->stat);
    return s->theta && s->stat ? BNN_OK : bnn_oom("draws");
}

void bnn_stored_close(bnn_stored *s) {
    free(s->theta);
    free(s->stat);
}

static size_t number(const bnn_stored *s, int chain, int draw) { return (size_t)chain * (size_t)s->samples + (size_t)draw; }

bnn_real *bnn_stored_at(const bnn_stored *s, int chain, int draw) { return s->theta + number(s, chain, draw) * (size_t)s->n; }

void bnn_stored_note(bnn_stored *s, int chain, int draw, const double *value) {
    size_t draws = (size_t)s->chains * (size_t)s->samples;
    for (size_t i = 0; i < (size_t)s->n_stats; i++) s->stat[i * draws + number(s, chain, draw)] = value[i];
}

void bnn_stored_draw(const bnn_stored *s, int kept, int i, bnn_real *theta) {
    memcpy(theta, bnn_stored_at(s, i / kept, i % kept), (size_t)s->n * sizeof *theta);
}

int bnn_stored_blocks(bnn_stored *s, bnn_block *out) {
    size_t draws = (size_t)s->chains * (size_t)s->samples;
    out[0] = (bnn_block){.name = "draws", .kind = BNN_BLOCK_REAL, .data = s->theta, .length = draws * (size_t)s->n, .theta = true};
    out[1] = (bnn_block){.name = "statistics", .kind = BNN_BLOCK_DOUBLE, .data = s->stat, .length = draws * (size_t)s->n_stats};
    return 2;
}

int bnn_stored_columns(const bnn_stored *s, const char *const names[], bnn_column *out) {
    int draws = s->chains * s->samples;
    for (int i = 0; i < s->n_stats; i++)
        out[i] = (bnn_column){.name = names[i], .on = BNN_DRAWS, .data = s->stat + (size_t)i * (size_t)draws, .length = draws};
    return s->n_stats;
}
