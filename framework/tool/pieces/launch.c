/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool/pieces/launch.h"

#include "base/word.h"
#include "tool/pieces/part.h"
#include "tool/tool.h"

#include <bnn/file.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const without[] = {"--part=", "--output=", "--slurm=", "--submit", "--parallel=", NULL};

/* The parts that the texts of a job are made of. */
typedef struct {
    const char *command; /* behind the program's name */
    const char *stem;    /* of the output, without its ending */
    const char *ending;
    int threads, parts;
    char program[PATH_MAX], folder[PATH_MAX];
} job;

static bnn_status open_job(job *j, const char *line, const char *out) {
    ssize_t n = readlink("/proc/self/exe", j->program, sizeof j->program - 1);
    if (n < 0 || !getcwd(j->folder, sizeof j->folder))
        return bnn_fail(BNN_ERR_FILE, "the program, or the folder that it runs in, cannot be named to other machines");
    j->program[n] = '\0';
    j->command = line + strlen("bnn");
    j->ending = bnn_ending(out);
    if (!(j->stem = strndup(out, (size_t)(j->ending - out)))) return bnn_fail(BNN_ERR_MEMORY, "out of memory");
    return BNN_OK;
}

/* The command of one part, of the number that a shell finds in `number`. */
static void write_part(FILE *out, const job *j, const char *number) {
    tool_argument_write(out, j->program);
    tool_part_command(out, j->command, without);
    fprintf(out, " --part %s/%d --resume -o ", number, j->parts);
    tool_argument_write(out, j->stem);
    fprintf(out, ".%s%s", number, j->ending);
}

static void write_merge(FILE *out, const job *j) {
    tool_argument_write(out, j->program);
    fputs(" merge ", out);
    tool_argument_write(out, j->stem);
    fprintf(out, ".[0-9]*%s --force -o ", j->ending);
    tool_argument_write(out, j->stem);
    fputs(j->ending, out);
}

/* ---------------------------------------------------------------- Slurm */

/* The shell of a task stays awake for Slurm's warning before the time limit, which it passes on: fits that are done are written. A task
 * that a signal has ended, this one or that of a full memory, is queued again and goes on where its file stands. */
static void write_task(FILE *out, const job *j) {
    fputs("#!/bin/sh\ntrap 'kill -TERM $task' USR1\n", out);
    write_part(out, j, "$SLURM_ARRAY_TASK_ID");
    fputs(" -t ${SLURM_CPUS_PER_TASK:-1} &\n"
          "task=$!\n"
          "wait $task\n"
          "status=$?\n"
          "for second in $(seq 60); do kill -0 $task 2>/dev/null && sleep 1 || break; done\n"
          "if [ $status -gt 128 ] && [ ${SLURM_RESTART_COUNT:-0} -lt 20 ]; then scontrol requeue $SLURM_JOB_ID; fi\n"
          "exit $status\n",
          out);
}

static void write_script(FILE *out, const job *j) {
    fprintf(out,
            "#!/bin/sh\n# An array of %d tasks, one for each part of the work, and a job that joins them when all have ended. Time, memory "
            "and partition: by\n"
            "# SBATCH_TIMELIMIT, SBATCH_MEM_PER_NODE, SBATCH_PARTITION, or as words behind this script's name.\ncd ",
            j->parts);
    tool_argument_write(out, j->folder);
    fprintf(out,
            " || exit\nparts=$(sbatch --parsable --job-name=bnn --array=1-%d --cpus-per-task=%d --signal=B:USR1@120 --requeue "
            "--open-mode=append --output ",
            j->parts, j->threads > 0 ? j->threads : 1);
    tool_argument_write(out, j->stem);
    fputs(".%a.log \"$@\" <<'END'\n", out);
    write_task(out, j);
    fputs("END\n) || exit\njoin=$(sbatch --parsable --job-name=bnn-merge --dependency=afterany:${parts%%;*} --requeue --output ", out);
    tool_argument_write(out, j->stem);
    fputs(".merge.log \"$@\" <<'END'\n#!/bin/sh\n", out);
    write_merge(out, j);
    fputs("\nEND\n) || exit\necho \"submitted array $parts and $join, which joins its files\"\n", out);
}

static bnn_status submit(const char *script) {
    char *line;
    FILE *out = bnn_text_open(&line, NULL);
    if (!out) return bnn_fail(BNN_ERR_MEMORY, "out of memory");
    fputs("sh ", out);
    tool_argument_write(out, script);
    if (!bnn_text_close(out, &line)) return bnn_fail(BNN_ERR_MEMORY, "out of memory");
    fflush(stdout);
    int status = system(line);
    free(line);
    if (status == 0) return BNN_OK;
    return bnn_fail(BNN_ERR_STATE, "%s: could not be submitted: sbatch is to be there and to take it (status %d)", script,
                    WIFEXITED(status) ? WEXITSTATUS(status) : status);
}

/* A script that somebody has changed stays. */
static bnn_status is_equal(const void *text, const char *path) {
    const char *at = text;
    FILE *in = fopen(path, "r");
    int c = in ? fgetc(in) : 0;
    while (c != EOF && c == *at) c = fgetc(in), at++;
    if (in) fclose(in);
    return c == EOF && !*at ? BNN_OK : bnn_fail(BNN_ERR_STATE, "%s: holds another script", path);
}

static bnn_status start_slurm(const job *j, bool at_once) {
    char *text = NULL, *path = NULL;
    size_t size;
    FILE *out = bnn_text_open(&text, &size);
    if (!out) return bnn_fail(BNN_ERR_MEMORY, "out of memory");
    write_script(out, j);
    if (!bnn_text_close(out, &text) || asprintf(&path, "%s.slurm", j->stem) < 0) {
        free(text);
        return bnn_fail(BNN_ERR_MEMORY, "out of memory");
    }
    bnn_status s = tool_output_ready(path);
    if (s == BNN_OK) s = tool_output_claim(path, NULL, is_equal, text);
    if (s == BNN_OK) s = tool_save(text, size, path);
    if (s == BNN_OK) printf("wrote %s: an array of %d parts%s", tool_line(path), j->parts, at_once ? "\n" : "; submit it by: sh ");
    if (s == BNN_OK && !at_once) tool_argument_write(stdout, path), putchar('\n');
    if (s == BNN_OK && at_once) s = submit(path);
    tool_output_release(); /* while its name is there */
    free(text), free(path);
    return s;
}

/* ---------------------------------------------------------------- GNU parallel */

/* GNU parallel would replace {1} or {#} in a command: behind each brace of it stands an empty word, which the shell takes away. */
static char *shield(const char *line) {
    char *text;
    FILE *out = bnn_text_open(&text, NULL);
    if (!out) return NULL;
    for (; *line; line++) {
        fputc(*line, out);
        if (*line == '{') fputs("''", out);
    }
    return bnn_text_close(out, &text);
}

static bnn_status print_parallel(const job *j, const char *hosts) {
    char *text = NULL, *line = shield(j->command);
    FILE *out = line ? bnn_text_open(&text, NULL) : NULL;
    job shielded = *j;
    shielded.command = line;
    if (out) write_part(out, &shielded, "{}");
    if (!out || !bnn_text_close(out, &text)) {
        free(line);
        return bnn_fail(BNN_ERR_MEMORY, "out of memory");
    }
    printf("seq %d | parallel --sshloginfile ", j->parts);
    tool_argument_write(stdout, hosts);
    fputs(" --workdir ", stdout);
    tool_argument_write(stdout, j->folder);
    fputs(" --retries 5 --joblog ", stdout);
    tool_argument_write(stdout, j->stem);
    fputs(".joblog ", stdout);
    tool_argument_write(stdout, text);
    fputs(" && ", stdout);
    write_merge(stdout, j);
    putchar('\n');
    free(text), free(line);
    return BNN_OK;
}

bnn_status tool_launch_start(const tool_launch *launch, const char *line, const char *out, int threads, int pieces) {
    job j = {.threads = threads, .parts = launch->hosts ? pieces : launch->slurm};
    if (j.parts > pieces) return bnn_fail(BNN_ERR_OPTION, "--slurm: %d parts of %d fits cannot be made", j.parts, pieces);
    BNN_TRY(open_job(&j, line, out));
    bnn_status s = launch->hosts ? print_parallel(&j, launch->hosts) : start_slurm(&j, launch->submit);
    free((char *)j.stem);
    return s;
}
