/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Gal, Hron & Kendall 2017, Concrete Dropout, on CamVid (section 4.4): are learned dropout probabilities as good as tuned ones in a
 * DenseNet that makes maps of classes? Here a slim FC-DenseNet (Jegou et al. 2017): growth 12, stem 24, 2, 3, 3 | 4 | 3, 3, 2 layers,
 * instance norm. Pictures are flipped by chance. Arms, and published IoU (Table 1): none 65.8; spatial dropout of probability P, 67.2 at P
 * = 0.2; concrete, its p learned, 67.4. Reported: scores, means over seeds, standard errors over frames; ll less that of the first arm,
 * frame by frame; the p's that were learned. Pixels of a frame depend on each other: it counts as WEIGHT times its pixels, as .01 N H
 * W in the entropies of the authors' code. By the bound for independent pixels p would vanish. Ours, `24 1`, 101 frames of 120x96: IoU,
 * ll, ECE: none .544, -.324, .022; concrete .502, -.327, .013; by WEIGHT .001 .526, -.337, .027; .446, -.397, .017; 0.2 .434, -.449, .008.
 *
 * usage: gal2017_camvid DATA.h5 [EPOCHS SEEDS ARM,ARM... WEIGHT]     preset: 60 3 none,0.2,concrete 0.01; rows that validate are scored
 *        gal2017_camvid --smoke                                      on pictures that it makes
 */
#include <bnn/data.h>
#include <bnn/metrics.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEM = 24, GROWTH = 12, DOWN = 3, MIDDLE = 4, HEIGHT = 16, WIDTH = 24, PIXELS = HEIGHT * WIDTH, PICTURES = 24, SCORES = 10 };
static const int depth[DOWN] = {2, 3, 3};
static const char *const scores[SCORES] = {
    "iou", "iou_se", "ll", "ll_se", "ece", "ece_se", "accuracy", "pavpu", "p_accurate_certain", "p_uncertain_inaccurate"};

typedef struct {
    FILE *out;
    const char *gate;
    int label; /* of the latest x */
} text;

static int layer(text *t, int in, int channels, int kernel) {
    fprintf(t->out, "norm2d(x%d); relu; %sx%d = conv2d:%d,kernel=%d,padding=%d; ", in, t->gate, t->label + 1, channels, kernel, kernel / 2);
    return ++t->label;
}

static int join(text *t, int n, const int *part) {
    fprintf(t->out, "x%d = concat(x%d", t->label + 1, part[0]);
    for (int i = 1; i < n; i++) fprintf(t->out, ", x%d", part[i]);
    fputs("); ", t->out);
    return ++t->label;
}

/* Each layer sees all before it, and adds maps of its own. Returns the label of all, if it is wanted. */
static int block(text *t, int in, int layers, int *added, bool wanted) {
    for (int i = 0; i < layers; i++) {
        added[i] = layer(t, in, GROWTH, 3);
        if (wanted || i < layers - 1) in = join(t, 2, (int[]){in, added[i]});
    }
    return in;
}

/* Other convolutions have gates that drop nothing, so that no engine puts one there. */
static char *network(const char *gate) {
    static const char none[] = "spatial_dropout:0";
    char *made = NULL;
    size_t size;
    text t = {open_memstream(&made, &size), gate, 0};
    int all = 0, channels = STEM, skip[DOWN], added[MIDDLE], layers = MIDDLE;
    fprintf(t.out, "%s; x0 = conv2d:%d,padding=1; ", none, STEM);
    for (int d = 0; d < DOWN; d++) {
        skip[d] = block(&t, all, depth[d], added, true);
        all = layer(&t, skip[d], channels += GROWTH * depth[d], 1);
        fprintf(t.out, "x%d = maxpool2d(x%d); ", t.label + 1, all);
        all = ++t.label;
    }
    block(&t, all, MIDDLE, added, false);
    for (int d = DOWN - 1; d >= 0; layers = depth[d--]) {
        int fresh = join(&t, layers, added), up = ++t.label;
        fprintf(t.out, "%s(x%d); x%d = conv_transpose2d:%d; ", none, fresh, up, GROWTH * layers);
        all = block(&t, join(&t, 2, (int[]){up, skip[d]}), depth[d], added, d == 0);
    }
    fprintf(t.out, "%s(x%d); conv2d:kernel=1", none, all);
    fclose(t.out);
    return made;
}

/* Adds a seed's share of the scores of an arm, and of the frames' log-likelihoods; the last seed says which p were learned. */
static bnn_status fit(const bnn_config *config, const bnn_data *train, const bnn_data *test, int seeds, double *sum, double *frames) {
    const bnn_predict_options how = {sizeof how, .samples = 50, .seed = 1, .taker = &(bnn_taker){0}}; /* maps are scored and dropped */
    bnn_run *run;
    bnn_prediction *p = NULL;
    BNN_TRY(bnn_fit(config, train, &run));
    bnn_status s = bnn_run_predict(run, test, &how, &p);
    double score;
    for (int i = 0; s == BNN_OK && i < SCORES; i++)
        if ((s = bnn_prediction_score(p, test, scores[i], &score)) == BNN_OK) sum[i] += score / seeds;
    for (int row = 0; s == BNN_OK && row < test->n; row++) {
        bnn_image_scores frame;
        bnn_metrics_image(p, row, &frame);
        frames[row] += frame.ll / seeds;
    }
    for (int g = 0; config->seed == (uint64_t)seeds && g < bnn_run_gates(run); g++)
        printf("p_%s %.4f\n", bnn_run_gate(run, g), bnn_run_gate_p(run)[(bnn_run_history_rows(run) - 1) * bnn_run_gates(run) + g]);
    bnn_prediction_free(p), bnn_run_free(run);
    return s;
}

/* first[rows]: of the frames under the first arm, which leaves its own there. */
static bnn_status run_arm(const char *arm, int epochs, int seeds, const bnn_data *train, const bnn_data *test, double *first,
                          bool is_first) {
    char gate[64] = "", engine[96];
    if (strcmp(arm, "none") != 0) snprintf(gate, sizeof gate, *arm == 'c' ? "spatial_concrete_dropout; " : "spatial_dropout:%.20s; ", arm);
    snprintf(engine, sizeof engine, "%s:epochs=%d,batch=4,lr=0.002,augment=flip", *gate ? "mc_dropout" : "map", epochs);
    double sum[SCORES] = {0}, *frames = calloc((size_t)test->n, sizeof *frames), gain = 0, squares = 0;
    bnn_config config = {sizeof config, .net = network(gate), .engine = engine};
    bnn_status s = BNN_OK;
    while (s == BNN_OK && config.seed < (uint64_t)seeds) config.seed++, s = fit(&config, train, test, seeds, sum, frames);
    for (int i = 0; s == BNN_OK && i < SCORES; i++) printf("%s_%s %.4f\n", arm, scores[i], sum[i]);
    for (int i = 0; is_first && i < test->n; i++) first[i] = frames[i];
    for (int i = 0; i < test->n; i++) gain += (frames[i] - first[i]) / test->n;
    for (int i = 0; i < test->n; i++) squares += pow(frames[i] - first[i] - gain, 2);
    if (s == BNN_OK) printf("%s_ll_gain %.4f\n%s_ll_gain_se %.4f\n", arm, gain, arm, sqrt(squares / (test->n - 1) / test->n));
    fflush(stdout);
    free((char *)config.net), free(frames);
    return s;
}

/* Noisy skies over grounds, with a box on each. */
static bnn_status make_pictures(bnn_table **out) {
    BNN_TRY(bnn_table_new_images(PICTURES, (bnn_shape){3, {3, HEIGHT, WIDTH}}, (bnn_shape){2, {HEIGHT, WIDTH}}, 3, out));
    (*out)->scale = BNN_SCALE_CHANNEL;
    for (int i = 0; i < PICTURES * PIXELS; i++) {
        int image = i / PIXELS, row = i % PIXELS / WIDTH, left = i % WIDTH - image % 18;
        int class = row > 6 && row < 12 && left >= 0 && left < 6 ? 2 : row > 4 + image % 5;
        uint8_t *pixel = (*out)->pixels + image * 3 * PIXELS + i % PIXELS;
        (*out)->y[i] = row == 0 ? -1 : class; /* void */
        for (int c = 0; c < 3; c++) pixel[c * PIXELS] = (uint8_t)(60 + 70 * (c == class) + (i * 7919 + c * 101) % 103);
    }
    return BNN_OK;
}

int main(int argc, char **argv) {
    bool smoke = argc == 2 && strcmp(argv[1], "--smoke") == 0;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) return puts("usage: gal2017_camvid --smoke | DATA.h5 [EPOCHS SEEDS ARMS WEIGHT]"), 0;
    int epochs = argc > 2 ? atoi(argv[2]) : smoke ? 8 : 60, seeds = argc > 3 ? atoi(argv[3]) : smoke ? 1 : 3, n = 0;
    char preset[] = "none,0.2,concrete", *arms = argc > 4 ? argv[4] : preset, *arm;
    double *first = NULL;
    bnn_table *t = NULL;
    bnn_data *train = NULL, *test = NULL;
    bnn_status s = smoke ? make_pictures(&t) : bnn_table_load(argc > 1 ? argv[1] : "", &t);
    if (s == BNN_OK) s = smoke ? bnn_data_range(t, 0, 16, NULL, &train) : bnn_data_split(t, 0, BNN_TRAIN, NULL, &train);
    const bnn_scaling *by = train ? &train->scaling : NULL;
    if (s == BNN_OK) s = smoke ? bnn_data_range(t, 16, 24, by, &test) : bnn_data_split(t, 0, BNN_VALIDATION, by, &test);
    if (s == BNN_OK) train->weight = calloc((size_t)train->n, sizeof(double)), first = calloc((size_t)test->n, sizeof(double));
    for (int i = 0; s == BNN_OK && i < train->n; i++) train->weight[i] = argc > 5 ? atof(argv[5]) : 0.01;
    while (s == BNN_OK && (arm = strsep(&arms, ","))) s = run_arm(arm, epochs, seeds, train, test, first, n++ == 0);
    free(first), bnn_data_free(train), bnn_data_free(test), bnn_table_free(t);
    return s < 0 ? fprintf(stderr, "%s\n", bnn_error()), 2 : 0;
}
