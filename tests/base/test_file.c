/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_file.c: files that are whole, whoever else writes beside them.
 */
#include "files.h"

#include <bnn/file.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void holds(const char *path, const char *text) {
    char found[64] = "";
    FILE *f = fopen(path, "r");
    ck_assert_msg(f != NULL, "%s is not there", path);
    size_t n = fread(found, 1, sizeof found - 1, f);
    fclose(f);
    found[n] = '\0';
    ck_assert_str_eq(found, text);
}

static void save(const char *path, const char *text) { OK(bnn_file_save(path, text, strlen(text))); }

/* The files in the tests' folder whose names begin so. */
static int count(const char *start) {
    char path[4096];
    snprintf(path, sizeof path, "%s", files_path(start));
    *strrchr(path, '/') = '\0';
    DIR *folder = opendir(path);
    int n = 0;
    for (struct dirent *entry; (entry = readdir(folder));) n += strncmp(entry->d_name, start, strlen(start)) == 0;
    closedir(folder);
    return n;
}

/* A process that does something, says that it is done, and lives until it is killed. */
static pid_t other(bool (*act)(const char *path), const char *path) {
    int done[2];
    char ok = 0;
    ck_assert_int_eq(pipe(done), 0);
    pid_t child = fork();
    if (child == 0) {
        ok = act(path);
        if (write(done[1], &ok, 1) != 1) _exit(1);
        for (;;) pause();
    }
    close(done[1]);
    ck_assert_int_eq(read(done[0], &ok, 1), 1);
    close(done[0]);
    ck_assert(ok);
    return child;
}

static void end(pid_t child) {
    kill(child, SIGKILL);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
}

static bool begins(const char *path) {
    bnn_draft *draft;
    return bnn_draft_open(path, false, &draft) == BNN_OK;
}

static bool begins_folder(const char *path) {
    bnn_draft *draft;
    char inside[4200];
    if (bnn_draft_open(path, true, &draft) < 0) return false;
    snprintf(inside, sizeof inside, "%s/file", bnn_draft_name(draft));
    return bnn_file_save(inside, "x", 1) == BNN_OK;
}

static bool claims(const char *path) { return bnn_file_claim(path) == BNN_OK; }

START_TEST(drafts_of_the_living_stay_and_those_of_the_dead_go) {
    const char *const path = files_path("drafted");
    pid_t living = other(begins, path), dead = other(begins, path), dead_too = other(begins_folder, path);
    ck_assert_int_eq(count("drafted.tmp."), 3);
    end(dead), end(dead_too);
    save(path, "new");
    ck_assert_int_eq(count("drafted.tmp."), 1);
    end(living);
    save(path, "newer");
    ck_assert_int_eq(count("drafted.tmp."), 0);
    holds(path, "newer");
    files_remove();
}
END_TEST

/* A file that only looks like a draft, and one of another machine, of whose processes no lock tells. */
START_TEST(what_is_no_draft_of_this_machine_stays) {
    const char *const path = files_path("kept");
    static const char *const others[] = {"kept.tmp.00000000.12345678", "kept.tmp.1234", "kept.tmp.", "kept.tmp.notes.txt"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) save(files_path(others[i]), "x");
    save(path, "new");
    ck_assert_int_eq(count("kept.tmp."), 4);
    files_remove();
}
END_TEST

START_TEST(a_draft_that_is_dropped_leaves_nothing) {
    bnn_draft *draft;
    OK(bnn_draft_open(files_path("dropped"), true, &draft));
    char inside[4200];
    snprintf(inside, sizeof inside, "%s/file", bnn_draft_name(draft));
    save(inside, "x");
    bnn_draft_drop(draft);
    bnn_draft_drop(NULL);
    ck_assert_int_eq(count("dropped"), 0);
    files_remove();
}
END_TEST

START_TEST(one_process_claims_a_path) {
    const char *const path = files_path("claimed");
    pid_t child = other(claims, path);
    SAYS(bnn_file_claim(path), "claimed: another process is writing it");
    end(child); /* its lock ends with it, the file that was locked is still there */
    ck_assert_int_eq(count("claimed.lock"), 1);
    OK(bnn_file_claim(path));
    OK(bnn_file_claim(path));
    save(path, "mine");
    bnn_file_release(path);
    bnn_file_release(path);
    ck_assert_int_eq(count("claimed"), 1);
    holds(path, "mine");
    files_remove();
}
END_TEST

/* Writes as one does whom locks do not reach. */
static void write_from_afar(const char *path, const char *text) {
    FILE *f = fopen(files_path("afar"), "w");
    fputs(text, f);
    fclose(f);
    ck_assert_int_eq(renameat(AT_FDCWD, files_path("afar"), AT_FDCWD, path), 0);
}

static const char *quicker; /* what another one writes as soon as a file has its name; NULL: nobody does */

/* Stands before the C library's, for the library, too. */
int rename(const char *from, const char *to) {
    int status = renameat(AT_FDCWD, from, AT_FDCWD, to);
    if (quicker) write_from_afar(to, quicker);
    quicker = NULL;
    return status;
}

START_TEST(what_another_machine_wrote_stays) {
    const char *const path = files_path("shared.h5");
    OK(bnn_file_claim(path));
    save(path, "first");
    save(path, "second");
    write_from_afar(path, "theirs");
    for (int i = 0; i < 2; i++) {
        const char *text = i ? "fourth" : "third!";
        SAYS(bnn_file_save(path, text, 6),
             "shared.h5: another process has written it since this one began, and that stays: what this one made is ");
        char beside[4096];
        snprintf(beside, sizeof beside, "%s", strstr(bnn_error(), "made is ") + strlen("made is "));
        ck_assert_str_eq(beside + strlen(beside) - 3, ".h5");
        holds(beside, text);
    }
    holds(path, "theirs");
    ck_assert_int_eq(count("shared"), 3); /* with the lock */
    bnn_file_release(path);
    save(path, "last");
    holds(path, "last");
    files_remove();
}
END_TEST

/* Where nothing was, too. */
START_TEST(what_came_since_the_claim_stays) {
    const char *const path = files_path("came");
    OK(bnn_file_claim(path));
    write_from_afar(path, "theirs");
    SAYS(bnn_file_save(path, "mine", 4), "came: another process has written it since this one began");
    holds(path, "theirs");
    bnn_file_release(path);
    files_remove();
}
END_TEST

/* A file that comes right behind this one's is not taken for it. */
START_TEST(what_came_right_after_stays) {
    const char *const path = files_path("quick");
    OK(bnn_file_claim(path));
    quicker = "theirs";
    save(path, "first");
    ck_assert_ptr_null(quicker);
    SAYS(bnn_file_save(path, "second", 6), "quick: another process has written it since this one began");
    holds(path, "theirs");
    bnn_file_release(path);
    files_remove();
}
END_TEST

int main(void) {
    const TTest *const tests[] = {drafts_of_the_living_stay_and_those_of_the_dead_go,
                                  what_is_no_draft_of_this_machine_stays,
                                  a_draft_that_is_dropped_leaves_nothing,
                                  one_process_claims_a_path,
                                  what_another_machine_wrote_stays,
                                  what_came_since_the_claim_stays,
                                  what_came_right_after_stays,
                                  NULL};
    return run_tests("file", tests);
}
