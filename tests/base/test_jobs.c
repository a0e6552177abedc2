/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_jobs.c: work is cut by its size, shared by threads that come, and waited for without a processor.
 */
#include "helpers.h"

#include <bnn/jobs.h>
#include <bnn/ranks.h>
#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void rest(int milliseconds) {
    nanosleep(&(struct timespec){.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000L}, NULL);
}

/* Seconds of the processor. */
static double spent(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---------------------------------------------------------------- the cut */

enum { MOST = 300 };
typedef struct {
    int n, length;
    atomic_int times[MOST];
} counted;

static void count(void *context, int from, int n) {
    counted *c = context;
    ck_assert_int_eq(from % c->length, 0);
    ck_assert_int_eq(n, c->n - from < c->length ? c->n - from : c->length);
    for (int i = from; i < from + n; i++) atomic_fetch_add(&c->times[i], 1);
}

static void count_once(int n, int length) {
    counted c = {.n = n, .length = length};
    bnn_parts_run(n, length, count, &c);
    for (int i = 0; i < MOST; i++) ck_assert_int_eq(c.times[i], i < n);
}

START_TEST(parts_cover_all_once) {
    const int sizes[] = {0, 1, 2, 7, 64, MOST}, lengths[] = {1, 2, 7, MOST, 1 << 30};
    for (int round = 0; round < 50; round++) {
        omp_set_num_threads(1 + round % 5); /* more and fewer from round to round */
        for (int i = 0; i < 6; i++)
            for (int k = 0; k < 5; k++) count_once(sizes[i], lengths[k]);
    }
}
END_TEST

static void *call_often(void *nothing) {
    omp_set_num_threads(3);
    for (int round = 0; round < 200; round++) count_once(MOST, 1 + round % 7);
    return nothing;
}

START_TEST(two_callers_at_once_both_get_all) {
    pthread_t other;
    ck_assert_int_eq(pthread_create(&other, NULL, call_often, NULL), 0);
    call_often(NULL);
    ck_assert_int_eq(pthread_join(other, NULL), 0);
}
END_TEST

/* ---------------------------------------------------------------- the outermost cut wins */

static void same_thread(void *context, int from, int n) {
    (void)from, (void)n;
    ck_assert(pthread_equal(*(pthread_t *)context, pthread_self()));
}

static bnn_status same_thread_job(void *context, int i) {
    same_thread(context, i, 1);
    return BNN_OK;
}

static void nested(void *context, int from, int n) {
    pthread_t self = pthread_self();
    (void)context, (void)from, (void)n;
    ck_assert(bnn_jobs_inside());
    bnn_parts_run(20, 1, same_thread, &self);
    ck_assert_int_eq(bnn_jobs_run(20, same_thread_job, &self), BNN_OK);
    ck_assert(bnn_jobs_inside());
}

static bnn_status nested_job(void *context, int i) {
    nested(context, i, 1);
    return BNN_OK;
}

START_TEST(calls_from_inside_run_serially) {
    omp_set_num_threads(3);
    ck_assert(!bnn_jobs_inside());
    bnn_parts_run(20, 1, nested, NULL);
    ck_assert_int_eq(bnn_jobs_run(20, nested_job, NULL), BNN_OK);
    ck_assert(!bnn_jobs_inside());
}
END_TEST

static bnn_status next_job(void *context, int i) {
    ck_assert(!bnn_jobs_inside()); /* so that threads help with its parts */
    ck_assert_int_eq((*(int *)context)++, i);
    return BNN_OK;
}

START_TEST(ranks_run_jobs_one_after_another) {
    const bnn_ranks two = {.size = sizeof two, .n = 2};
    int next = 0;
    omp_set_num_threads(3);
    bnn_ranks_use(&two);
    ck_assert_int_eq(bnn_jobs_run(20, next_job, &next), BNN_OK);
    bnn_ranks_use(NULL);
    ck_assert_int_eq(next, 20);
    ck_assert_int_eq(bnn_ranks_used()->n, 1);
}
END_TEST

/* ---------------------------------------------------------------- waiting */

typedef struct {
    pthread_t caller;
    atomic_bool met, over;
    int hold;     /* milliseconds */
    double since; /* seconds of the processor when the helper begins */
} meeting;

/* The caller's part waits until a helper has the other one, which then takes its time. */
static void meet(void *context, int from, int n) {
    meeting *m = context;
    (void)from, (void)n;
    if (!pthread_equal(m->caller, pthread_self())) {
        m->since = spent(CLOCK_PROCESS_CPUTIME_ID);
        m->met = true;
        rest(m->hold);
        m->over = true;
    }
    for (int i = 0; !m->met && i < 30000; i++) rest(1);
}

START_TEST(who_waits_sleeps) {
    omp_set_num_threads(2);
    meeting m = {.caller = pthread_self(), .hold = 1000};
    bnn_parts_run(2, 1, meet, &m);
    ck_assert_msg(m.met, "no helper came in half a minute");
    ck_assert_msg(m.over, "the call came back before its last part");
    rest(1000); /* in which the helper waits for more */
    double waiting = spent(CLOCK_PROCESS_CPUTIME_ID) - m.since;
    ck_assert_msg(waiting < 0.05, "%g s of the processor for two seconds of waiting", waiting);
    m.met = false;
    m.hold = 0;
    bnn_parts_run(2, 1, meet, &m);
    ck_assert_msg(m.met, "a helper that sleeps is not called");
}
END_TEST

/* A child has no helper, as a machine with company may have none that gets a processor. */
START_TEST(nobody_waits_for_a_helper_that_does_not_come) {
    omp_set_num_threads(3);
    count_once(MOST, 1);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        alarm(20);
        for (int round = 0; round < 100; round++) count_once(MOST, 1);
        _exit(0);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the parts of a child are not done");
}
END_TEST

int main(void) {
    const TTest *const tests[] = {parts_cover_all_once,
                                  two_callers_at_once_both_get_all,
                                  calls_from_inside_run_serially,
                                  ranks_run_jobs_one_after_another,
                                  who_waits_sleeps,
                                  nobody_waits_for_a_helper_that_does_not_come,
                                  NULL};
    return run_tests("jobs", tests);
}
