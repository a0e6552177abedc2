/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_shift.c: shifts of images against permutations of their pixels and integrals, and of columns against their moments.
 */
#include "files.h"

#include <bnn/shift.h>
#include <math.h>
#include <stdlib.h>

enum { ROWS = 3, CHANNELS = 2, SIDE = 5, PLANE = SIDE * SIDE };

static bnn_table *images(int height, int width) {
    bnn_table *t;
    OK(bnn_table_new(ROWS, (bnn_shape){3, {CHANNELS, height, width}}, 0, 0, &t));
    t->scale = BNN_SCALE_RANGE, t->range = 255;
    for (int i = 0; i < ROWS * CHANNELS * height * width; i++) t->x[i] = (i * 37) % 256;
    return t;
}

static void shift(bnn_table *t, bnn_shift_kind kind, double strength) {
    OK(bnn_table_shift(t, &(bnn_shift){sizeof(bnn_shift), .kind = kind, .strength = strength, .seed = 1}));
}

START_TEST(quarters_and_rolls_are_permutations) {
    bnn_table *from = images(SIDE, SIDE), *turned = images(SIDE, SIDE), *half = images(SIDE, SIDE), *back = images(SIDE, SIDE),
              *rolled = images(SIDE, SIDE);
    shift(turned, BNN_SHIFT_ROTATE, 90), shift(half, BNN_SHIFT_ROTATE, -180), shift(back, BNN_SHIFT_ROTATE, 720),
        shift(rolled, BNN_SHIFT_ROLL, -7);
    for (int i = 0; i < ROWS * CHANNELS; i++)
        for (int r = 0; r < SIDE; r++)
            for (int k = 0; k < SIDE; k++) {
                const double *x = from->x + i * PLANE;
                int at = i * PLANE + r * SIDE + k;
                ck_assert_double_eq(turned->x[at], x[k * SIDE + SIDE - 1 - r]); /* what was on the right is on top */
                ck_assert_double_eq(half->x[at], x[(SIDE - 1 - r) * SIDE + SIDE - 1 - k]);
                ck_assert_double_eq(back->x[at], x[r * SIDE + k]);
                ck_assert_double_eq(rolled->x[at], x[r * SIDE + (k + 7) % SIDE]);
            }
    bnn_table_free(from), bnn_table_free(turned), bnn_table_free(half), bnn_table_free(back), bnn_table_free(rolled);
}
END_TEST

/* A plane of grey, which is linear, stays one under interpolation, away from the edges. */
START_TEST(turns_between_quarters_interpolate) {
    enum { LARGE = 21 };
    bnn_table *t = images(LARGE, LARGE);
    double angle = 30 * M_PI / 180;
    for (int i = 0; i < ROWS * CHANNELS * LARGE * LARGE; i++) t->x[i] = 100 + 3 * (i % LARGE) + 2 * (i / LARGE % LARGE);
    shift(t, BNN_SHIFT_ROTATE, 30);
    for (int r = 6; r < 15; r++)
        for (int k = 6; k < 15; k++) {
            double down = r - 10, right = k - 10;
            double want = 150 + 3 * (cos(angle) * right - sin(angle) * down) + 2 * (cos(angle) * down + sin(angle) * right);
            ck_assert_double_eq_tol(t->x[r * LARGE + k], want, 1e-9);
        }
    ck_assert_double_eq(t->x[0], 0); /* from outside */
    bnn_table_free(t);
}
END_TEST

/* A point becomes a Gaussian, whose sum stays and whose sd is that of the blur; a plain image stays as it is. */
START_TEST(a_point_is_blurred_to_a_gaussian) {
    enum { LARGE = 31 };
    const double sd = 2;
    bnn_table *t = images(LARGE, LARGE);
    memset(t->x, 0, ROWS * CHANNELS * LARGE * LARGE * sizeof *t->x);
    t->x[15 * LARGE + 15] = 100;
    for (int i = LARGE * LARGE; i < 2 * LARGE * LARGE; i++) t->x[i] = 7;
    shift(t, BNN_SHIFT_BLUR, sd);
    double sum = 0, across = 0, down = 0;
    for (int i = 0; i < LARGE * LARGE; i++) {
        sum += t->x[i];
        across += t->x[i] * pow(i % LARGE - 15, 2), down += t->x[i] * pow(i / LARGE - 15, 2);
        ck_assert_double_eq_tol(t->x[LARGE * LARGE + i], 7, 1e-12);
    }
    ck_assert_double_eq_tol(sum, 100, 1e-9);
    ck_assert_double_eq_tol(across / sum, sd * sd, 0.15); /* cut at three sd */
    ck_assert_double_eq_tol(down / sum, across / sum, 1e-9);
    bnn_table_free(t);
}
END_TEST

START_TEST(noise_has_the_sd_of_its_column) {
    enum { MANY = 4000 };
    bnn_table *t = table_new(MANY, 3, 0, 1), *from = table_new(MANY, 3, 0, 1);
    for (int i = 0; i < MANY; i++) t->x[3 * i] *= 50, from->x[3 * i] *= 50, t->x[3 * i + 2] = from->x[3 * i + 2] = i % 2;
    shift(t, BNN_SHIFT_NOISE, 0.5);
    for (int j = 0; j < 2; j++) {
        double squares = 0, spread = 0;
        for (int i = 0; i < MANY; i++)
            squares += pow(t->x[3 * i + j] - from->x[3 * i + j], 2) / MANY, spread += pow(from->x[3 * i + j], 2) / MANY;
        ck_assert_double_eq_tol(sqrt(squares / spread), 0.5, 0.02);
    }
    for (int i = 0; i < MANY; i++) ck_assert_double_eq(t->x[3 * i + 2], i % 2);
    bnn_table *image = images(SIDE, SIDE);
    shift(image, BNN_SHIFT_NOISE, 2);
    for (int i = 0; i < ROWS * CHANNELS * PLANE; i++) ck_assert(image->x[i] >= 0 && image->x[i] <= 255);
    bnn_table_free(t), bnn_table_free(from), bnn_table_free(image);
}
END_TEST

static bnn_table *named(void) {
    static const char *const names[] = {"age", "kind=a", "kind=b", "kind=missing", "age=missing", "agent"};
    const double x[] = {20, 1, 0, 0, 0, 5, 40, 0, 1, 0, 0, 6, 60, 1, 0, 0, 0, 7, 0, 0, 0, 0, 0, 8};
    bnn_table *t;
    OK(bnn_table_from(&(bnn_arrays){sizeof(bnn_arrays), .n = 4, .x_size = 6, .x = x, .x_names = names, .title = "people"}, &t));
    return t;
}

START_TEST(missing_columns_look_as_those_that_were_not_measured) {
    bnn_table *t = named();
    OK(bnn_table_shift(t, &(bnn_shift){sizeof(bnn_shift), .kind = BNN_SHIFT_MISSING, .strength = 1, .column = "age"}));
    for (int i = 0; i < 4; i++) ck_assert(t->x[6 * i] == 30 && t->x[6 * i + 4] == 1 && t->x[6 * i + 5] == 5 + i);
    OK(bnn_table_shift(t, &(bnn_shift){sizeof(bnn_shift), .kind = BNN_SHIFT_MISSING, .strength = 1, .column = "kind"}));
    for (int i = 0; i < 4; i++) ck_assert(t->x[6 * i + 1] == 0 && t->x[6 * i + 2] == 0 && t->x[6 * i + 3] == 1 && t->x[6 * i] == 30);
    ck_assert_str_eq(bnn_table_title(t), "people, shifted by missing 1 of age, shifted by missing 1 of kind");
    bnn_table_free(t);
    t = table_new(1000, 2, 0, 1);
    static char *names[] = {"a", "b"};
    t->x_names = names;
    OK(bnn_table_shift(t, &(bnn_shift){sizeof(bnn_shift), .kind = BNN_SHIFT_MISSING, .strength = 0.25, .column = "b", .seed = 3}));
    int same = 0;
    for (int i = 1; i < 1000; i++) same += t->x[2 * i + 1] == t->x[2 * ((i + 1) % 1000) + 1];
    ck_assert(same > 30 && same < 100); /* a sixteenth of the neighbours */
    t->x_names = NULL;
    bnn_table_free(t);
}
END_TEST

START_TEST(titles_tell_the_last_shift) {
    bnn_table *t = images(SIDE, SIDE);
    bnn_shift_kind kind;
    double strength;
    ck_assert(!bnn_shift_of(bnn_table_title(t), &kind, &strength));
    shift(t, BNN_SHIFT_NOISE, 0.1), shift(t, BNN_SHIFT_ROTATE, -22.5);
    ck_assert(bnn_shift_of(bnn_table_title(t), &kind, &strength) && kind == BNN_SHIFT_ROTATE && strength == -22.5);
    ck_assert(!bnn_shift_of("x, shifted by rotation 5", &kind, &strength));
    bnn_table_free(t);
}
END_TEST

START_TEST(what_a_table_cannot_have_is_refused) {
    static const struct {
        bnn_shift how;
        const char *sentence;
    } refused[] = {
        {{.kind = BNN_SHIFT_ROTATE, .strength = 5}, "rotate is of images, but a row of the table is a vector of features"},
        {{.kind = BNN_SHIFT_NOISE, .strength = -1}, "noise takes a strength of 0 or more, not -1"},
        {{.kind = BNN_SHIFT_NOISE, .strength = INFINITY}, "noise takes a strength of 0 or more"},
        {{.kind = BNN_SHIFT_MISSING, .strength = 1}, "which column is missing?"},
        {{.kind = BNN_SHIFT_MISSING, .strength = 1, .column = "ag"}, "there is no feature 'ag' that could be missing"},
        {{.kind = BNN_SHIFT_MISSING, .strength = 2, .column = "age"}, "the share of rows that lack a column is 1 at most, not 2"}};
    bnn_table *t = named(), *i = images(SIDE, SIDE);
    for (size_t k = 0; k < sizeof refused / sizeof *refused; k++) {
        bnn_shift how = refused[k].how;
        how.size = sizeof how;
        SAYS(bnn_table_shift(t, &how), refused[k].sentence);
    }
    ck_assert_str_eq(bnn_table_title(t), "people");
    SAYS(bnn_table_shift(i, &(bnn_shift){sizeof(bnn_shift), .kind = BNN_SHIFT_ROLL, .strength = 0.5}),
         "roll is by a whole number of pixels");
    SAYS(bnn_table_shift(i, &(bnn_shift){sizeof(bnn_shift), .kind = BNN_SHIFT_MISSING, .strength = 1, .column = "a"}),
         "there is no feature 'a'");
    bnn_table_free(t), bnn_table_free(i);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {quarters_and_rolls_are_permutations,
                                  turns_between_quarters_interpolate,
                                  a_point_is_blurred_to_a_gaussian,
                                  noise_has_the_sd_of_its_column,
                                  missing_columns_look_as_those_that_were_not_measured,
                                  titles_tell_the_last_shift,
                                  what_a_table_cannot_have_is_refused,
                                  NULL};
    return run_tests("shift", tests);
}
