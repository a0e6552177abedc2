/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Gal & Ghahramani 2016, Dropout as a Bayesian Approximation, section 5.2 and figure 4: a digit 1 that is turned bit by bit. LeNet with
 * dropout (p = .5) before its last layer alone, 100 passes: the classes change from 1 to 5 to 7, and where they change passes do not agree,
 * though the softmax of each of them may be sure.
 *
 *   convolution to 20 by 5 x 5, pooling; to 50, pooling; 500 units, relu, dropout; 10 classes
 *   weight decay 5e-4 as in Caffe's LeNet: p(w) = N(0, 1/30) for 60000 rows; Adam 1e-3, 64 rows, 12 epochs in place of 10^6 steps of SGD
 *
 * published: classes 1 1 1 1 1 5 5 7 7 7 7 7 of 12 images, no other figures. Here the first 1 of the test rows is turned in steps of 10
 * degrees counterclockwise: for each angle class, entropy and mutual information (nats), mean and sd over passes of p(1), p(5) and p(7).
 * ours: classes 1 1 1 1 1 1 1 7 7 7 7 7, p(7) .51 (sd .19 over passes) at 70 degrees; accuracy .9921 on the test rows with 50 draws, 216 s
 * on two cores. After 1 epoch (28 s of cpu, `MNIST.h5 1`) 1 1 1 1 1 1 3 2 5 5 5 4, accuracy .984.
 *
 * usage: gal2016_mnist_rotated [--smoke | MNIST.h5 [EPOCHS]]
 *        MNIST.h5: bnn import idx TRAIN_IMAGES TRAIN_LABELS TEST_IMAGES TEST_LABELS -o MNIST.h5
 *        --smoke: three classes of bars that differ in their angle, and a bar that is turned through them
 */
#include <bnn/bnn.h>
#include <bnn/fit.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 28, PIXELS = SIDE * SIDE, TURNS = 12, STEP = 10, DRAWS = 100, SMOKE_ROWS = 300 };

/* Turns an image about its centre, counterclockwise, by straight lines between pixels. */
static void turn(const double *image, double degrees, double *out) {
    const double c = cos(degrees * M_PI / 180), s = sin(degrees * M_PI / 180), middle = (SIDE - 1) / 2.0;
    for (int i = 0; i < PIXELS; i++) {
        double down = i / SIDE - middle, right = i % SIDE - middle;
        double row = middle + c * down + s * right, column = middle - s * down + c * right;
        out[i] = 0;
        for (int k = 0; k < 4; k++) {
            double r = floor(row) + k / 2, q = floor(column) + k % 2;
            if (r < 0 || r >= SIDE || q < 0 || q >= SIDE) continue;
            out[i] += (1 - fabs(row - r)) * (1 - fabs(column - q)) * image[(int)r * SIDE + (int)q];
        }
    }
}

static void draw_bar(double image[PIXELS]) {
    for (int i = 0; i < PIXELS; i++) image[i] = abs(i % SIDE - SIDE / 2) < 2 && abs(i / SIDE - SIDE / 2) < 10 ? 255 : 0;
}

/* Bars at 60 degrees times their class, less or more up to 12. */
static bnn_status make_bars(bnn_table **out) {
    double bar[PIXELS], off[SMOKE_ROWS];
    BNN_TRY(bnn_table_new(SMOKE_ROWS, bnn_shape_image(1, SIDE, SIDE), 1, 3, out));
    (*out)->scale = BNN_SCALE_RANGE, (*out)->range = 255;
    BNN_TRY(bnn_stream_uniform(bnn_stream_seed(2016), SMOKE_ROWS, 1, off));
    draw_bar(bar);
    for (int r = 0; r < SMOKE_ROWS; r++) {
        (*out)->y[r] = r % 3;
        turn(bar, 60 * (r % 3) + 24 * off[r] - 12, (*out)->x + r * PIXELS);
    }
    return BNN_OK;
}

/* The first 1 behind the training rows. */
static bnn_status find_one(const bnn_table *table, double image[PIXELS]) {
    const uint8_t *pixels = bnn_table_pixels(table);
    int r = bnn_table_splits(table) > 0 ? bnn_table_count(table, 0, BNN_TRAIN) : 0, rows = bnn_table_rows(table);
    if (!pixels || bnn_table_features(table) != PIXELS || bnn_table_splits(table) < 1)
        return bnn_fail(BNN_ERR_SHAPE, "holds no images of %d x %d bytes with test rows", SIDE, SIDE);
    while (r < rows && bnn_table_y(table)[r] != 1) r++;
    if (r == rows) return bnn_fail(BNN_ERR_SHAPE, "holds no 1 among its test rows");
    for (int i = 0; i < PIXELS; i++) image[i] = pixels[(size_t)r * PIXELS + (size_t)i];
    return BNN_OK;
}

static bnn_status predict_turned(const bnn_run *run, const double image[PIXELS], const int shown[3]) {
    bnn_predict_options how = {sizeof how, .samples = DRAWS, .seed = 1};
    bnn_table *table;
    bnn_data *turned;
    bnn_prediction *p;
    BNN_TRY(bnn_table_new(TURNS, bnn_shape_image(1, SIDE, SIDE), 0, 0, &table));
    for (int t = 0; t < TURNS; t++) turn(image, STEP * t, table->x + t * PIXELS);
    BNN_TRY(bnn_data_range(table, 0, TURNS, bnn_run_scaling(run), &turned));
    BNN_TRY(bnn_run_predict(run, turned, &how, &p));
    int classes = bnn_prediction_dim(p);
    for (int t = 0; t < TURNS; t++) {
        const double *mean = bnn_prediction_mean(p) + t * classes, *var = bnn_prediction_var_epistemic(p) + t * classes;
        int best = 0;
        for (int k = 1; k < classes; k++) best = mean[k] > mean[best] ? k : best;
        printf("class_%d %d\nentropy_%d %.4f\nmutual_information_%d %.4f\n", STEP * t, best, STEP * t, bnn_prediction_entropy(p, t),
               STEP * t, bnn_prediction_mutual_information(p, t));
        for (int k = 0; k < 3; k++)
            printf("p%d_%d %.3f\np%d_%d_sd %.3f\n", shown[k], STEP * t, mean[shown[k]], shown[k], STEP * t, sqrt(var[shown[k]]));
    }
    bnn_prediction_free(p), bnn_data_free(turned), bnn_table_free(table);
    return BNN_OK;
}

static bnn_status predict_test(const bnn_run *run, const bnn_data *test) {
    bnn_prediction *p;
    double accuracy, ll;
    BNN_TRY(bnn_run_predict(run, test, &(bnn_predict_options){sizeof(bnn_predict_options), .samples = 50, .seed = 1}, &p));
    BNN_TRY(bnn_prediction_score(p, test, "accuracy", &accuracy));
    BNN_TRY(bnn_prediction_score(p, test, "ll", &ll));
    printf("accuracy %.4f\nll %.4f\n", accuracy, ll);
    bnn_prediction_free(p);
    return BNN_OK;
}

static bnn_status experiment(const char *path, int epochs) {
    char engine[96], net[256];
    double image[PIXELS];
    bnn_table *table;
    bnn_data *train, *test = NULL;
    bnn_run *run;
    snprintf(engine, sizeof engine, "mc_dropout:epochs=%d,batch=%d,lr=0.001", epochs, path ? 64 : 20);
    snprintf(
        net, sizeof net,
        "spatial_dropout:0; conv2d:%d,kernel=5; maxpool2d; spatial_dropout:0; conv2d:%d,kernel=5; maxpool2d; dropout:0; flatten; dense:%d; "
        "relu; dropout:0.5; dense",
        path ? 20 : 6, path ? 50 : 12, path ? 500 : 60);
    BNN_TRY(path ? bnn_table_load(path, &table) : make_bars(&table));
    if (path) BNN_TRY(find_one(table, image));
    if (!path) draw_bar(image);
    BNN_TRY(bnn_data_split(table, path ? 0 : -1, BNN_TRAIN, NULL, &train));
    if (path) BNN_TRY(bnn_data_split(table, 0, BNN_TEST, bnn_data_scaling(train), &test));
    bnn_config config = {sizeof config, .net = net, .engine = engine, .prior = path ? "gauss:sd=0.18257,bias_sd=inf" : "gauss", .seed = 1};
    BNN_TRY(bnn_fit(&config, train, &run));
    if (test) BNN_TRY(predict_test(run, test));
    BNN_TRY(predict_turned(run, image, path ? (const int[]){1, 5, 7} : (const int[]){0, 1, 2}));
    printf("seconds %.1f\n", bnn_run_cost(run, BNN_COST_SECONDS_WALL));
    bnn_run_free(run), bnn_data_free(test), bnn_data_free(train), bnn_table_free(table);
    return BNN_OK;
}

int main(int argc, char **argv) {
    const char usage[] = "usage: gal2016_mnist_rotated [--smoke | MNIST.h5 [EPOCHS]]";
    bool smoke = argc == 2 && strcmp(argv[1], "--smoke") == 0;
    int epochs = argc > 2 ? atoi(argv[2]) : 12;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) return puts(usage), 0;
    if (argc < 2 || argc > 3 || epochs < 1) return fprintf(stderr, "%s\n", usage), 2;
    if (experiment(smoke ? NULL : argv[1], epochs) == BNN_OK) return 0;
    fprintf(stderr, "%s\n", bnn_error());
    return 2;
}
