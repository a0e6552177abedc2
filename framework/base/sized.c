/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/sized.h"

#include <string.h>

bnn_status bnn_sized_read(const char *what, void *to, size_t known, size_t edition, const void *from) {
    size_t size = known;
    memset(to, 0, known);
    if (from) {
        memcpy(&size, from, sizeof size);
        if (size == 0) size = edition;
        if (size < edition)
            return bnn_fail(BNN_ERR_OPTION, "%s has a size of %zu bytes: sizeof(%s) is at least %zu", what, size, what, edition);
        for (size_t i = known; i < size; i++)
            if (((const char *)from)[i])
                return bnn_fail(BNN_ERR_OPTION, "%s sets an option behind its first %zu bytes, which this library does not know", what,
                                known);
        memcpy(to, from, size < known ? size : known);
    }
    memcpy(to, &known, sizeof known);
    return BNN_OK;
}
