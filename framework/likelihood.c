/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <bnn/likelihood.h>

bnn_status bnn_likelihood_new(const char *spec, int y_dim, int n_classes, const double *y_sd, bnn_likelihood *out) {
    bnn_likelihood l = {.y_dim = y_dim, .n_classes = n_classes, .y_sd = y_sd};
    BNN_TRY(bnn_object_parse(BNN_LIKELIHOOD, spec, &l.object));
    bnn_status s = bnn_likelihood_vtable(&l)->bind(&l);
    if (s < 0) {
        bnn_note(s, "likelihood '%s'", l.object.type->name);
        bnn_likelihood_free(&l);
        return s;
    }
    *out = l;
    return BNN_OK;
}

void bnn_likelihood_free(bnn_likelihood *likelihood) { bnn_object_free(&likelihood->object); }
