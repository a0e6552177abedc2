/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_shards.c: U of more rows than a shard has: the sum of its shards over a tree that is written out here, the same as one sum within
 * rounding and the same bits at any number of threads and of processes; of fewer rows the bits of one sum.
 */
#include "files.h"
#include "model/shards.h"
#include "net/workspace.h"

#include <bnn/engine.h>
#include <bnn/ranks.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { IN = 5, SHARD = BNN_SHARD_ROWS };

/* Numbers of rows, and what shards all of them have but the last: multiples of 192. */
static const struct { int rows, length; } cuts[] = {{SHARD + 1, 2304}, {2 * SHARD, SHARD}, {3 * SHARD - 1, SHARD}, {6 * SHARD + 1, 3648}};

/* Rows, a model of them, and both kinds of workspaces. */
typedef struct {
    bnn_table *table;
    bnn_data *data;
    bnn_model *model;
    bnn_workspace *cut, *whole;
    int rows, length; /* length: of shards */
    double *weight;   /* [rows] or NULL */
    bnn_real *theta, *grad, *expected;
} problem;

static void problem_open(int rows, int in, const char *net, const char *prior, problem *p) {
    *p = (problem){.table = table_new(rows, in, 0, 1), .rows = rows};
    p->data = data_new(p->table);
    OK(bnn_model_new(&(bnn_texts){net, "gaussian:shape=0", prior}, p->data, &p->model));
    OK(bnn_model_workspace_new(p->model, rows, &p->cut));
    OK(bnn_workspace_new(p->model->net, rows, BNN_TO_THETA, &p->whole));
    const size_t n = (size_t)p->model->n_theta;
    p->theta = reals_new(n), p->grad = reals_new(n), p->expected = reals_new(n);
    bnn_model_init(p->model, bnn_rng_seed(3), p->theta);
}

static void problem_close(problem *p) {
    reals_free(p->theta), reals_free(p->grad), reals_free(p->expected);
    bnn_workspace_free(p->cut), bnn_workspace_free(p->whole);
    bnn_model_free(p->model);
    bnn_data_free(p->data);
    bnn_table_free(p->table);
}

static double nll(const problem *p, bnn_workspace *ws, int from, int n, bnn_real *grad) {
    const bnn_objective objective = {
        .n_total = n, .scale = 1, .kl_weight = 1, .mode = BNN_ROWS, .weight = p->weight ? p->weight + from : NULL};
    const size_t in = (size_t)bnn_shape_size(p->model->x_shape);
    return bnn_model_u(p->model, ws, &objective, bnn_rng_seed(4), p->theta, n, p->data->x + (size_t)from * in, p->data->y + from, grad).nll;
}

/* The longest stretch of twice as many shards as the one before it that leaves any, and the rest. */
static double tree(const problem *p, int first, int n, double *grad) {
    const int length = p->length, size = p->model->n_theta;
    int left = 1;
    if (n == 1) {
        const int from = first * length, rows = p->rows - from < length ? p->rows - from : length;
        const double sum = nll(p, p->whole, from, rows, p->expected);
        for (int i = 0; i < size; i++) grad[i] = (double)p->expected[i];
        return sum;
    }
    while (2 * left < n) left *= 2;
    double *rest = malloc((size_t)size * sizeof *rest);
    const double a = tree(p, first, left, grad), b = tree(p, first + left, n - left, rest);
    for (int i = 0; i < size; i++) grad[i] += rest[i];
    free(rest);
    return a + b;
}

/* The weights of the first shard leave so few digits to the others that it shows in which order these are added. */
START_TEST(the_sum_is_a_tree_of_shards) {
    problem p;
    problem_open(cuts[_i].rows, IN, "dense:3; tanh; dense", "gauss:sd=1e12,bias_sd=1e12", &p);
    p.length = cuts[_i].length;
    const int n = p.model->n_theta;
    double *expected = malloc((size_t)n * sizeof *expected);
    p.weight = malloc((size_t)p.rows * sizeof *p.weight);
    for (int i = 0; i < p.rows; i++) p.weight[i] = i < p.length ? 1e16 : 1;
    const double sum = tree(&p, 0, (p.rows - 1) / p.length + 1, expected);
    ck_assert(nll(&p, p.cut, 0, p.rows, p.grad) == sum);
    for (int i = 0; i < n; i++)
        ck_assert_msg(p.grad[i] == (bnn_real)expected[i], "%d is %.17g, not %.17g", i, (double)p.grad[i], expected[i]);
    ck_assert(nll(&p, p.cut, 0, p.rows, NULL) == sum);
    free(expected), free(p.weight);
    problem_close(&p);
}
END_TEST

static const char *const nets[] = {"dense:3; tanh; dense", "dropout:0.2; dense:3; relu; concrete_dropout:0.1,0.5; dense",
                                   "gaussian_dense:3,estimator=weight; tanh; gaussian_dense:estimator=flipout"};

static void compare(problem *p, double tolerance) {
    double most = 0;
    const double a = nll(p, p->cut, 0, p->rows, p->grad), b = nll(p, p->whole, 0, p->rows, p->expected);
    ck_assert_msg(fabs(a - b) <= tolerance * b, "the nll is %.17g, not %.17g", a, b);
    for (int i = 0; i < p->model->n_theta; i++) most = fmax(most, fabs((double)p->expected[i]));
    for (int i = 0; i < p->model->n_theta; i++)
        ck_assert_msg(fabs((double)p->grad[i] - (double)p->expected[i]) <= tolerance * most, "%d is %.17g, not %.17g", i,
                      (double)p->grad[i], (double)p->expected[i]);
}

/* One sum rounds with each row, so the tolerance is of it. */
START_TEST(shards_are_one_sum_within_rounding) {
    problem p;
    problem_open(2 * SHARD + 5, IN, nets[_i], "gauss", &p);
    compare(&p, 300 * ROUNDING);
    problem_close(&p);
}
END_TEST

START_TEST(one_shard_has_the_bits_of_one_sum) {
    problem p;
    problem_open(SHARD, IN, nets[_i], "gauss", &p);
    compare(&p, 0);
    problem_close(&p);
}
END_TEST

/* Memory tells: all rows are in it where layers see several of them. */
START_TEST(rows_that_see_each_other_are_not_cut) {
    bnn_table *table;
    bnn_data *data;
    bnn_model *model[2];
    const int rows[] = {0, 1};
    OK(bnn_table_new_images(2, (bnn_shape){3, {1, 2, 2}}, (bnn_shape){2, {2, 2}}, 2, &table));
    OK(bnn_data_new(table, 2, rows, NULL, &data));
    OK(bnn_model_new(&(bnn_texts){"conv2d:2,kernel=1; relu; conv2d:kernel=1", "categorical", "gauss"}, data, &model[0]));
    OK(bnn_model_new(&(bnn_texts){"conv2d:2,kernel=1; batchnorm2d; relu; conv2d:kernel=1", "categorical", "gauss"}, data, &model[1]));
    for (int k = 0; k < 2; k++) {
        const size_t few = bnn_model_workspace_bytes(model[k], SHARD), many = bnn_model_workspace_bytes(model[k], 3 * SHARD);
        ck_assert_msg(k == 0 ? many < 2 * few : many > 2 * few, "%d: %zu bytes, then %zu", k, few, many);
        bnn_model_free(model[k]);
    }
    bnn_data_free(data);
    bnn_table_free(table);
}
END_TEST

START_TEST(threads_do_not_change_bits) {
    problem p;
    problem_open(SHARD + 1, 7, "dense:3700; relu; dense", "gauss", &p); /* a gradient that is added in two parts */
    const size_t bytes = (size_t)p.model->n_theta * sizeof *p.grad;
    omp_set_num_threads(1);
    const double alone = nll(&p, p.cut, 0, p.rows, p.expected);
    for (int threads = 2; threads <= 4; threads++) {
        omp_set_num_threads(threads);
        ck_assert(nll(&p, p.cut, 0, p.rows, p.grad) == alone);
        ck_assert_mem_eq(p.grad, p.expected, bytes);
    }
    ck_assert(bnn_model_workspace_bytes(p.model, 100 * p.rows) < 2 * bnn_model_workspace_bytes(p.model, p.rows));
    problem_close(&p);
}
END_TEST

/* Weights of rows that leave few digits to one another tell another order of the sum. */
static double *uneven_weights(int rows) {
    double *weight = malloc((size_t)rows * sizeof *weight);
    for (int i = 0; i < rows; i++) weight[i] = pow(10, i * 37 % 9);
    return weight;
}

/* Rounds of 2 to 7 of seven narrow shards, whose passes leave something for finish. Eight threads have none each. */
START_TEST(narrow_shards_go_side_by_side) {
    problem p;
    problem_open(7 * SHARD - 1, IN, nets[2], "gauss", &p);
    p.weight = uneven_weights(p.rows);
    const size_t bytes = (size_t)p.model->n_theta * sizeof *p.grad;
    omp_set_num_threads(1);
    const double alone = nll(&p, p.cut, 0, p.rows, p.expected);
    for (int threads = 2; threads <= 8; threads++) {
        omp_set_num_threads(threads);
        ck_assert(nll(&p, p.cut, 0, p.rows, p.grad) == alone && nll(&p, p.cut, 0, p.rows, NULL) == alone);
        ck_assert_mem_eq(p.grad, p.expected, bytes);
        ck_assert_int_eq(p.cut->n_beside, threads < 8 ? threads - 1 : 6);
    }
    free(p.weight);
    problem_close(&p);
}
END_TEST

/* Ranks that talk through sockets, a pair of them for two ranks. */
enum { MOST_RANKS = 9 };
typedef struct {
    bnn_ranks ranks;
    int end[MOST_RANKS][MOST_RANKS]; /* end[a][b] of a, on the way to b */
} talk;

static void talk_open(int n, talk *t) {
    t->ranks.n = n;
    for (int a = 0; a < n; a++)
        for (int b = 0, pair[2]; b < a; b++) {
            ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
            t->end[a][b] = pair[0], t->end[b][a] = pair[1];
        }
}

static void send_to(void *context, int to, const double *number, size_t length) {
    const talk *t = context;
    if (write(t->end[t->ranks.rank][to], number, length * sizeof *number) != (ssize_t)(length * sizeof *number)) _exit(2);
}

static void receive_from(void *context, int from, double *number, size_t length) {
    const talk *t = context;
    if (recv(t->end[t->ranks.rank][from], number, length * sizeof *number, MSG_WAITALL) != (ssize_t)(length * sizeof *number)) _exit(3);
}

static void broadcast(void *context, double *number, size_t length) {
    const talk *t = context;
    for (int rank = 1; rank < t->ranks.n && t->ranks.rank == 0; rank++) send_to(context, rank, number, length);
    if (t->ranks.rank > 0) receive_from(context, 0, number, length);
}

static _Noreturn void be_rank(int rank, talk *t, const problem *alone, double sum) {
    problem p;
    t->ranks = (bnn_ranks){sizeof t->ranks, t->ranks.n, rank, t, send_to, receive_from, broadcast};
    bnn_ranks_use(&t->ranks);
    problem_open(alone->rows, IN, "dense:3; tanh; dense", "gauss", &p);
    p.weight = alone->weight;
    bool same = nll(&p, p.cut, 0, p.rows, p.grad) == sum && nll(&p, p.cut, 0, p.rows, NULL) == sum;
    _exit(same && memcmp(p.grad, alone->grad, (size_t)p.model->n_theta * sizeof *p.grad) == 0 ? 0 : 1);
}

/* Shards, and ranks that have several of them each, one, and some none. */
static const struct { int shards, ranks; } jobs[] = {{2, 2}, {2, 5}, {5, 2}, {7, 3}, {13, 2}, {13, 3}, {13, 5}, {13, 7}, {16, 4}, {7, 9}};

START_TEST(ranks_do_not_change_bits) {
    problem alone;
    talk t;
    talk_open(jobs[_i].ranks, &t);
    problem_open(jobs[_i].shards * SHARD - 1, IN, "dense:3; tanh; dense", "gauss", &alone);
    alone.weight = uneven_weights(alone.rows);
    const double sum = nll(&alone, alone.cut, 0, alone.rows, alone.grad);
    for (int rank = 0; rank < jobs[_i].ranks; rank++)
        if (fork() == 0) be_rank(rank, &t, &alone, sum);
    for (int rank = 0, status; rank < jobs[_i].ranks; rank++) {
        wait(&status);
        ck_assert_msg(status == 0, "a rank ended with status %x", (unsigned)status);
    }
    free(alone.weight);
    problem_close(&alone);
}
END_TEST

/* Weighted rows, shuffled in a split: the first of them weigh nothing, and those of a rank are all over the file. */
static bnn_table *scattered_table(int rows) {
    bnn_table *t = table_new(rows, IN, 0, 1);
    t->weight = uneven_weights(rows);
    OK(bnn_table_split(t, BNN_SPLIT_HOLDOUT, 1, 7));
    for (int i = 0; i < 5000; i++) t->weight[t->order[i]] = 0;
    t->y_names = calloc(1, sizeof *t->y_names), t->y_names[0] = strdup("y");
    return t;
}

/* U and its gradient of all rows, weights apart. */
static double u_of(problem *p, const bnn_data *data, bnn_real *grad) {
    const bnn_objective objective = {.n_total = data->n, .scale = 1, .kl_weight = 1, .mode = BNN_MEAN};
    return bnn_terms_u(bnn_model_u_data(p->model, p->cut, &objective, bnn_rng_seed(4), p->theta, data, grad));
}

/* Whether an engine leaves x in the file, beyond the stretch that is here. */
static bool leaves_x(const char *engine, const char *net, const bnn_data *data) {
    bnn_engine *e;
    if (bnn_engine_new(engine, &(bnn_texts){net, "gaussian", "gauss"}, data, bnn_rng_seed(1), &e) < 0) return false;
    bnn_engine_free(e);
    return data->x == NULL;
}

static _Noreturn void hold_stretch(int rank, talk *t, int split, problem *alone, double u) {
    bnn_table *table;
    bnn_data *data;
    const bnn_data *whole = alone->data;
    const size_t row = IN * sizeof(bnn_real), n_theta = (size_t)alone->model->n_theta * sizeof(bnn_real);
    t->ranks = (bnn_ranks){sizeof t->ranks, t->ranks.n, rank, t, send_to, receive_from, broadcast};
    bnn_ranks_use(&t->ranks);
    if (bnn_table_open(files_path("rows.h5"), &table) < 0 || bnn_data_spread(table, split, NULL, &data) < 0) _exit(4);
    if (table->x || data->x || data->n != whole->n || data->n_stretch > whole->n / 2) _exit(5);
    if (memcmp(data->scaling.x_mean, whole->scaling.x_mean, 2 * (IN + 1) * sizeof(double)) != 0) _exit(6); /* all of one block */
    if (memcmp(data->stretch, whole->x + (size_t)data->first * IN, (size_t)data->n_stretch * row) != 0) _exit(7);
    if (u_of(alone, data, alone->grad) != u || memcmp(alone->grad, alone->expected, n_theta) != 0) _exit(8);
    if (!leaves_x("hmc:chains=1", "dense:3; tanh; dense", data) || leaves_x("map", "dense:3; tanh; dense", data)) _exit(9);
    _exit(memcmp(data->x, whole->x, (size_t)data->n * row) == 0 ? 0 : 10);
}

/* Of all rows in the order of the file, and of a split. */
START_TEST(ranks_hold_the_rows_that_they_add) {
    enum { RANKS = 3, ROWS = 3 * SHARD };
    problem p;
    talk t;
    talk_open(RANKS, &t);
    bnn_table *table = scattered_table(ROWS);
    OK(bnn_table_save(table, files_path("rows.h5")));
    problem_open(ROWS, IN, "dense:3; tanh; dense", "gauss", &p);
    bnn_data_free(p.data);
    OK(bnn_data_split(table, _i - 1, BNN_TRAIN, NULL, &p.data));
    const double u = u_of(&p, p.data, p.expected);
    for (int rank = 0; rank < RANKS; rank++)
        if (fork() == 0) hold_stretch(rank, &t, _i - 1, &p, u);
    for (int rank = 0, status; rank < RANKS; rank++) {
        wait(&status);
        ck_assert_msg(status == 0, "a rank ended with status %x", (unsigned)status);
    }
    bnn_table_free(table);
    problem_close(&p);
    files_remove();
}
END_TEST

/* All state of a run of hmc on few rows, transition after transition: [steps, numbers of all blocks]. */
static double *course_of(const bnn_data *data, int chains, int *n) {
    char text[80];
    bnn_engine *e;
    bnn_step step = {0};
    bnn_block block[BNN_MAX_BLOCKS];
    double *all = NULL;
    *n = 0;
    snprintf(text, sizeof text, "hmc:chains=%d,steps=2,samples=4,warmup=10,thin=2", chains);
    if (bnn_engine_new(text, &(bnn_texts){"dense:3; tanh; dense", "gaussian", "gauss"}, data, bnn_rng_seed(1), &e) < 0) _exit(4);
    while (!step.done) {
        if (bnn_engine_step(e, data, &step) < 0) _exit(5);
        const int blocks = bnn_engine_vtable(e)->blocks(e, block);
        for (int b = 0; b < blocks; b++) {
            all = realloc(all, ((size_t)*n + block[b].length + 2) * sizeof *all);
            for (size_t i = 0; i < block[b].length; i++)
                all[(*n)++] = block[b].kind == BNN_BLOCK_REAL     ? (double)((bnn_real *)block[b].data)[i]
                              : block[b].kind == BNN_BLOCK_DOUBLE ? ((double *)block[b].data)[i]
                                                                  : (double)((uint64_t *)block[b].data)[i];
        }
        all[(*n)++] = bnn_terms_u(step.terms), all[(*n)++] = (double)e->cost.gradients;
    }
    bnn_engine_free(e);
    return all;
}

static int received;

static void count_received(void *context, int from, double *number, size_t length) {
    received++;
    receive_from(context, from, number, length);
}

/* Each rank has the whole course; the first one has received a chain of another at each transition. */
static _Noreturn void be_rank_of_chains(int rank, talk *t, const bnn_data *data, int chains, const double *expected, int length) {
    int n;
    t->ranks = (bnn_ranks){sizeof t->ranks, t->ranks.n, rank, t, send_to, count_received, broadcast};
    bnn_ranks_use(&t->ranks);
    const double *course = course_of(data, chains, &n);
    if (n != length || memcmp(course, expected, (size_t)n * sizeof *course) != 0) _exit(6);
    _exit(rank > 0 || received >= 18 ? 0 : 7);
}

static const struct { int chains, ranks; } groups[] = {{3, 2}, {2, 3}, {4, 4}};

START_TEST(ranks_divide_chains_where_rows_are_few) {
    talk t;
    int n;
    talk_open(groups[_i].ranks, &t);
    bnn_table *table = table_new(40, IN, 0, 1);
    bnn_data *data = data_new(table);
    double *expected = course_of(data, groups[_i].chains, &n);
    for (int rank = 0; rank < groups[_i].ranks; rank++)
        if (fork() == 0) be_rank_of_chains(rank, &t, data, groups[_i].chains, expected, n);
    for (int rank = 0, status; rank < groups[_i].ranks; rank++) {
        wait(&status);
        ck_assert_msg(status == 0, "a rank ended with status %x", (unsigned)status);
    }
    free(expected);
    bnn_data_free(data);
    bnn_table_free(table);
}
END_TEST

/* Residuals of the rows of the second shard are ten times as large: a noise that is drawn given all of them tells. */
START_TEST(noise_is_drawn_given_the_rows_of_all_shards) {
    enum { ROWS = SHARD + 1, LENGTH = 2304 };
    const bnn_texts texts = {"dense", "gaussian", "gauss"};
    bnn_engine *e;
    bnn_step step = {0};
    bnn_table *table = table_new(ROWS, 1, 0, 1);
    bnn_data *data = data_new(table);
    bnn_real theta[3];
    for (int i = 0; i < ROWS; i++) data->y[i] = i < LENGTH ? 0 : 10 * data->x[i];
    OK(bnn_engine_new("hmc:scales=gibbs,steps=1,step=1e-9,chains=1,samples=1,warmup=0", &texts, data, bnn_rng_seed(1), &e));
    while (!step.done) OK(bnn_engine_step(e, data, &step));
    OK(bnn_engine_draw(e, 0, bnn_rng_seed(1), theta));
    double squares = 0;
    for (int i = 0; i < ROWS; i++) squares += pow((double)(data->y[i] - theta[0] * data->x[i] - theta[1]), 2);
    ck_assert_double_eq_tol(exp((double)theta[2]), squares / ROWS, 0.1 * squares / ROWS);
    bnn_engine_free(e);
    bnn_data_free(data);
    bnn_table_free(table);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("shards");
    TCase *rows = tcase_create("rows");
    tcase_add_loop_test(rows, the_sum_is_a_tree_of_shards, 0, 4);
    tcase_add_loop_test(rows, shards_are_one_sum_within_rounding, 0, 3);
    tcase_add_loop_test(rows, one_shard_has_the_bits_of_one_sum, 0, 3);
    tcase_add_test(rows, rows_that_see_each_other_are_not_cut);
    tcase_add_test(rows, threads_do_not_change_bits);
    tcase_add_test(rows, narrow_shards_go_side_by_side);
    tcase_add_loop_test(rows, ranks_do_not_change_bits, 0, sizeof jobs / sizeof *jobs);
    tcase_add_loop_test(rows, ranks_hold_the_rows_that_they_add, 0, 2);
    tcase_add_loop_test(rows, ranks_divide_chains_where_rows_are_few, 0, sizeof groups / sizeof *groups);
    tcase_add_test(rows, noise_is_drawn_given_the_rows_of_all_shards);
    tcase_set_timeout(rows, 120);
    suite_add_tcase(suite, rows);
    return run_suite(suite);
}
