/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * team.c: threads that help a caller with its parts.
 *
 * A caller opens a round, works on its parts itself, and closes the round when none is left. Helpers come in while it is open. The caller
 * waits for those that are at work on a part, never for one that has yet to come: on a machine with company that one may be without a
 * processor for milliseconds, in which the caller does its parts. So no round needs a helper; where none could be started, or none has
 * survived a fork, the caller does all. Whoever waits looks for a moment, then sleeps, and leaves its processor to those it waits for.
 */
#include "team.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>

/* Bits of team.state, one word so that nobody comes in after the end: helpers at work, two flags, and the number of the round. */
#define AT_WORK 0xffffu
#define OPEN (1u << 16)
#define CALLER_SLEEPS (1u << 17)
#define ROUND ((uint64_t)1 << 32)

static struct {
    _Alignas(64) atomic_bool taken; /* some caller has the team: between rounds it may write what follows, down to context */
    bool ready;                     /* the semaphores are */
    int helpers;                    /* threads started */
    int parts;
    void (*part)(void *context, int i);
    void *context;
    _Alignas(64) atomic_int next; /* part that nobody has begun */
    _Alignas(64) _Atomic(uint64_t) state;
    _Alignas(64) atomic_int wanted; /* helpers that may be at work in the round */
    atomic_int sleepers;            /* helpers that nobody has called yet */
    sem_t wake, done;               /* what helpers, and the caller, sleep on */
} team;

static _Thread_local bool at_work;

bool bnn_team_at_work(void) { return at_work; }

/* Looks before sleep, each of some tens of nanoseconds. A helper that sleeps soon does not take the processor from a caller between two
 * rounds; a caller that sleeps soon loses its own to the company (docs/decisions/0007-company.md). */
enum { HELPER_LOOKS = 1000, CALLER_LOOKS = 10000 };

static void pause_a_moment(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void sleep_on(sem_t *s) {
    while (sem_wait(s) < 0 && errno == EINTR) {
    }
}

static void work(void) {
    at_work = true;
    for (int i; (i = atomic_fetch_add(&team.next, 1)) < team.parts;) team.part(team.context, i);
    at_work = false;
}

/* ---------------------------------------------------------------- helpers */

/* Takes one helper off the list of sleepers, if there is one: whoever does so for another one has to wake it. */
static bool call_sleeper(void) {
    int n = atomic_load(&team.sleepers);
    while (n > 0)
        if (atomic_compare_exchange_weak(&team.sleepers, &n, n - 1)) return true;
    return false;
}

static bool is_news(uint64_t state, uint64_t last) { return state & OPEN && state / ROUND != last; }

/* Waits for a round other than the last; its number. */
static uint64_t next_round(uint64_t last) {
    for (;;) {
        for (int i = 0; i < HELPER_LOOKS; i++) {
            uint64_t state = atomic_load(&team.state);
            if (is_news(state, last)) return state / ROUND;
            pause_a_moment();
        }
        atomic_fetch_add(&team.sleepers, 1);
        if (is_news(atomic_load(&team.state), last) && call_sleeper()) continue;
        sleep_on(&team.wake);
    }
}

/* A helper comes in, unless the round is over or has enough of them. */
static bool enter(uint64_t round) {
    uint64_t state = atomic_load(&team.state);
    while (state & OPEN && state / ROUND == round && (int)(state & AT_WORK) < atomic_load(&team.wanted))
        if (atomic_compare_exchange_weak(&team.state, &state, state + 1)) return true;
    return false;
}

static void leave(void) {
    uint64_t before = atomic_fetch_sub(&team.state, 1);
    if (before & CALLER_SLEEPS && (before & AT_WORK) == 1) sem_post(&team.done);
}

static void *help(void *nothing) {
    for (uint64_t round = 0;;) {
        round = next_round(round);
        if (!enter(round)) continue;
        work();
        leave();
    }
    return nothing;
}

/* Starts helpers until there are so many; signals are for the threads of the program. */
static void start(int helpers) {
    if (!team.ready) team.ready = sem_init(&team.wake, 0, 0) == 0 && sem_init(&team.done, 0, 0) == 0;
    pthread_attr_t detached;
    if (!team.ready || team.helpers >= helpers || pthread_attr_init(&detached) != 0) return;
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (pthread_t thread; team.helpers < helpers && pthread_create(&thread, &detached, help, NULL) == 0;) team.helpers++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&detached);
}

/* ---------------------------------------------------------------- the caller */

static void open_round(int wanted) {
    atomic_store(&team.next, 0);
    atomic_store(&team.wanted, wanted);
    atomic_store(&team.state, (atomic_load(&team.state) / ROUND + 1) * ROUND | OPEN);
    for (int awake = team.helpers - atomic_load(&team.sleepers); awake < wanted && call_sleeper(); awake++) sem_post(&team.wake);
}

/* Nobody comes in any more; waits for those that are at work. */
static void close_round(void) {
    uint64_t state = atomic_fetch_and(&team.state, ~(uint64_t)OPEN);
    for (int i = 0; state & AT_WORK && i < CALLER_LOOKS; i++) {
        pause_a_moment();
        state = atomic_load(&team.state);
    }
    if (state & AT_WORK && atomic_fetch_or(&team.state, CALLER_SLEEPS) & AT_WORK) sleep_on(&team.done);
}

void bnn_team_run(int n, int threads, void (*part)(void *context, int i), void *context) {
    if (n < 2 || threads < 2 || at_work || atomic_exchange(&team.taken, true)) {
        for (int i = 0; i < n; i++) part(context, i);
        return;
    }
    const int most = threads < n ? threads : n;
    start(most - 1);
    team.parts = n;
    team.part = part;
    team.context = context;
    open_round(most - 1);
    work();
    close_round();
    atomic_store(&team.taken, false);
}
