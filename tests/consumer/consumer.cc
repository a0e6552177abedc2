/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * consumer.cc: consumer.c in C++17, built by `c++ consumer.cc $(pkg-config --cflags --libs bnn)`. Handles become pointers that free them.
 */
#include <bnn/bnn.h>
#include <cstdio>
#include <memory>

template <typename T, void (*release)(T *)> struct releaser {
    void operator()(T *handle) const { release(handle); }
};
template <typename T, void (*release)(T *)> using owned = std::unique_ptr<T, releaser<T, release>>;

static bnn_status run() {
    const double x[] = {0, 1, 2, 3}, y[] = {0, 2, 4, 6};
    bnn_arrays arrays{};
    arrays.size = sizeof arrays, arrays.n = 4, arrays.x_size = 1, arrays.y_dim = 1, arrays.x = x, arrays.y = y;
    bnn_config config{};
    config.size = sizeof config, config.net = "dense", config.engine = "mc_dropout:p=0.01,epochs=2000,lr=0.01", config.seed = 1;
    bnn_predict_options how{};
    how.size = sizeof how, how.samples = 200, how.seed = 1;
    bnn_table *table;
    bnn_data *data;
    bnn_run *fit;
    bnn_prediction *prediction;
    BNN_TRY(bnn_table_from(&arrays, &table));
    owned<bnn_table, bnn_table_free> keep_table(table);
    BNN_TRY(bnn_data_split(table, -1, BNN_TRAIN, nullptr, &data));
    owned<bnn_data, bnn_data_free> keep_data(data);
    BNN_TRY(bnn_fit(&config, data, &fit));
    owned<bnn_run, bnn_run_free> keep_fit(fit);
    BNN_TRY(bnn_run_predict(fit, data, &how, &prediction));
    owned<bnn_prediction, bnn_prediction_free> keep_prediction(prediction);
    for (int i = 0; i < bnn_prediction_rows(prediction); i++) std::printf("%g %.2f\n", x[i], bnn_prediction_mean(prediction)[i]);
    return BNN_OK;
}

int main() {
    if (run() == BNN_OK) return 0;
    std::fprintf(stderr, "%s\n", bnn_error());
    return 1;
}
