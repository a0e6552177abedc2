/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * tool.h: what the subcommands of the program `bnn` share. One file per subcommand, one const struct at its end; commands.c is the list.
 */
#ifndef BNN_TOOL_H
#define BNN_TOOL_H

#include <argp.h>
#include <bnn/acquire.h>
#include <bnn/attack.h>
#include <bnn/bandit.h>
#include <bnn/calibrate.h>
#include <bnn/descent.h>
#include <bnn/diagnose.h>
#include <bnn/evidence.h>
#include <bnn/gaussian.h>
#include <bnn/holder.h>
#include <bnn/import.h>
#include <bnn/remark.h>
#include <bnn/sampler.h>
#include <bnn/sbc.h>
#include <bnn/selective.h>
#include <bnn/sgmcmc.h>
#include <bnn/shift.h>
#include <bnn/spec_json.h>
#include <bnn/store.h>

typedef struct {
    const char *name, *summary;
    int (*run)(int argc, char **argv); /* argv[0] is "bnn NAME"; returns the exit status: 0, 1 (a difference or a finding), 2 (failure) */
    bool over_ranks;                   /* several processes may run it together, as mpirun starts them */
} command;

extern const command *const commands[]; /* NULL-terminated */

/* The text of others, such as a name in a data file, as one line that can be printed (bnn_escape): itself where nothing needs it, else a
 * copy that lives as long as the program. NULL is "". */
const char *tool_line(const char *text);

/* Prints "bnn: <sentence of the last failure>" to stderr and returns 2. */
int tool_fail(void);

/* Sets the sentence, prints it and returns 2: for mistakes in the arguments. */
int tool_refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* As argp_parse, but a mistake is one sentence and the end of the program with status 2. Adds the option --plugin and loads the plugins: no
 * name of a type may be looked up before. */
void tool_parse(const struct argp *argp, int argc, char **argv, void *input);
/* The same, but loads no plugin: those that were asked for become the caller's, their list to be freed. */
typedef struct tool_plugins tool_plugins;
void tool_parse_alone(const struct argp *argp, int argc, char **argv, void *input, tool_plugins *plugins);

/* From now on tool_parse hands the argp to listener, which does not return, and parses nothing: for those who ask what a command takes. */
void tool_listen(void (*listener)(const struct argp *argp));

/* Ends the program with the status, or with 2 where the printed text has not arrived. */
_Noreturn void tool_leave(int status);

/* For parsers, in place of argp_error: prints "bnn NAME: sentence" and leaves the program with status 2. */
_Noreturn void tool_misuse(const struct argp_state *state, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The files of --plugin, in their order. */
struct tool_plugins {
    const char **file;
    int n;
};
extern const struct argp tool_plugins_argp;
/* Loads those of BNN_PLUGIN_PATH, then these, and calls `loads` with the path of each before, and with NULL after it. */
bnn_status tool_plugins_load(const tool_plugins *plugins, void (*loads)(const char *path));
/* Warns where a run was made with a plugin of the same version as one that is loaded, but of other bytes. */
void tool_plugins_compare(const char *path);
void tool_plugins_say(void); /* warns of files in BNN_PLUGIN_PATH that are passed over */
/* From now on this plugin is being loaded (NULL: none is): should it end the program, or not come back, it is named and the exit status
 * is 2. */
void tool_plugins_guard(const char *path);

/* Whole numbers with a range, for options; prints the sentence and leaves the program with status 2 where text is none: "--seed: 'x' is not
 * a whole number from 0 to 9". */
long long tool_number(const char *option, const char *text, long long min, long long max);

/* How a table of texts is read: options that commands with such an input share. Put tool_reading_argp among an argp's children, with a
 * tool_reading as its input, all 0. */
typedef struct {
    bnn_csv_options csv; /* its remarks are the caller's to set, or those of tool_reading_table */
    const char *used;    /* the first of the options that was given, such as "--target"; NULL: none was */
    const char *text;    /* set by tool_reading_table: the path of a table of texts; NULL: there was none */
    bool any_class;      /* folders of pictures may be of classes that the run does not know: nobody looks at them */
    bool stays;          /* features stay in their data file (bnn_table_open): ranks read what they add */
} tool_reading;
extern const struct argp tool_reading_argp;

/* Prints remarks, one a line: notes to a stream, what is worse to standard error. */
void tool_print_remarks(const bnn_remarks *remarks, FILE *notes);
/* Prints "wrote data.h5: 60 rows, features [2], target y, 0 splits", or what else was done with it. */
void tool_print_table(FILE *out, const char *did, const char *path, const bnn_table *table);

/* The rows that a command works on: a data file or a picture, which are told by their content, a folder of the UCI layout or of pictures,
 * or a table of texts ("-" is standard input). Columns are matched by name to those that `like` was fitted to, and stand in their order
 * where those had no names; NULL: nothing was fitted. Remarks wait for tool_reading_say. */
bnn_status tool_reading_table(const char *path, const bnn_run *like, tool_reading *reading, bnn_table **out);
bool tool_is_hdf5(const char *path); /* false of a pipe: looking at it would take from it */
/* Says what was found, once it is clear that the command does its work, and frees the remarks: notes, and of a table of texts that is new
 * (NULL: it is not) what came in, to a stream. */
void tool_reading_say(tool_reading *reading, const bnn_table *table, FILE *notes);
/* Gives rows that have just been read from text the first splits that `bnn split` makes, up to this one. -1: none. */
bnn_status tool_reading_split(const tool_reading *reading, bnn_table *table, int split);

/* Options that several subcommands ask for. Put tool_job_argp among an argp's children, with a tool_job as its input. */
typedef struct {
    const char *data, *net, *likelihood, *prior;
    uint64_t seed;
    int threads, samples;
    bool threads_given;
    const char *started_at, *command; /* set by tool_job_open */
    const bnn_weights *weights;       /* of a run that is imported, not fitted: for the provenance; else NULL */
} tool_job;
extern const struct argp tool_job_argp;
extern const struct argp_child tool_job_children[]; /* of an argp: this, tool_reading_argp and tool_output_argp */
/* Writes one argument as a shell reads it. */
void tool_argument_write(FILE *out, const char *text);
void tool_job_open(tool_job *job, int argc, char **argv); /* defaults; remembers command line and time */

/* Who made a file: command line, data, machine and the time from tool_job_open to now. Texts are borrowed. */
bnn_provenance tool_provenance(const tool_job *job, const bnn_table *table, int split);

/* "--split" as a number: "all" is -1. */
int tool_split(const char *text);

/* A table to learn from: refuses one without targets, naming the file. */
bnn_status tool_table(const char *path, const bnn_run *like, tool_reading *reading, bnn_table **table);

/* A column of features over all rows, sd with the divisor n; the rows, or pixels, of a class; and what all rows weigh. */
typedef struct {
    double mean, sd, min, max;
} tool_column;
tool_column tool_column_describe(const bnn_table *table, int column);
const char *tool_column_role(bnn_column_role role); /* "feature", "target", "id" or "weight" */
long long tool_class_count(const bnn_table *table, int class);
double tool_table_weight(const bnn_table *table);

/* Training and test rows of a split; split -1: all rows train, and *test is NULL. A split with no test rows gives NULL, too. scaling NULL:
 * that of the training rows. Ranks that share a fit call it together; test rows are for the first one. */
bnn_status tool_rows(const bnn_table *table, int split, const bnn_scaling *scaling, bnn_data **train, bnn_data **test);

/* Predicts and scores the test rows, if any, with the draws that are to be kept, writes the run and prints what it is. *bad
 * counts the verdicts of that severity. */
bnn_status tool_finish(const tool_job *job, const bnn_table *table, int split, const bnn_run *run, const bnn_data *train,
                       const bnn_data *test, unsigned keep, const char *path, int *bad);

/* A fitted run and the rows to predict: those of another data file (all of them, or the test rows of a split), or the test rows that the
 * run itself was made beside. */
typedef struct {
    tool_job job;                        /* samples, seed and threads are used */
    tool_reading reading;                /* of the rows */
    const char *run_path, *data, *split; /* as given; data and split may be NULL */
    char run_sha256[65];
    bnn_run *run;
    bnn_table *table;
    bnn_data *rows;
    const char *data_used;
    int split_used;   /* -1: all rows */
    int fitted;       /* rows that the run was fitted to */
    const char *kind; /* of the rows: "training" where any was fitted; "test": others of the same file; "new": of another file */
} tool_rerun;
extern const struct argp tool_rerun_argp;             /* for an argp's children, with a tool_rerun as its input */
extern const struct argp_child tool_rerun_children[]; /* of an argp: this and tool_output_argp */
bnn_status tool_rerun_open(tool_rerun *rerun);
/* The rows that the run was fitted to, in the units that it knows, and the table that they are of; both owned. Fails where the data have
 * gone or changed. */
bnn_status tool_rerun_training(const tool_rerun *rerun, bnn_table **table, bnn_data **train);
void tool_rerun_say(const tool_rerun *rerun, FILE *notes); /* what is to be said of the rows, once the command has done its work */
/* Drops rows of maps of classes once they are scored, so that no map is kept; NULL of any other y. */
const bnn_taker *tool_taker(const bnn_engine *engine);
/* Refuses an output (NULL: none) that is the run file or the data file, of which after tool_rerun_open is known which it is. */
bnn_status tool_rerun_apart(const tool_rerun *rerun, const char *output);
/* Who made a file of what the run says of the rows. Texts are borrowed. */
bnn_provenance tool_rerun_provenance(const tool_rerun *rerun);
/* Predicts and scores the rows; fails where they have no targets. A failure names the data file. *out is to be freed also after one. */
bnn_status tool_rerun_score(const tool_rerun *rerun, bnn_prediction **out, bnn_metrics *metrics);
/* With what `asked` asks for; samples and seed are the job's. */
bnn_status tool_rerun_ask(const tool_rerun *rerun, const bnn_predict_options *asked, bnn_prediction **out);
void tool_rerun_close(tool_rerun *rerun);

/* A prediction on its way to CSV. Its quantiles are the two ends of each interval, then those at single levels. */
typedef struct {
    const tool_rerun *rerun;
    const bnn_prediction *p;
    int n_intervals, n_quantiles;      /* 0 of classes */
    const double *interval, *quantile; /* probability within an interval; level of a quantile */
} tool_answer;
bnn_status tool_answer_write(const tool_answer *answer, const char *path); /* path NULL: to standard output */

/* Refuses a place where a file cannot be written, before the work that is to go there; and anything there but a plain file, since a rename
 * would replace it. */
bnn_status tool_output_ready(const char *path);
/* The same of an HDF5 file: refuses standard output, and a name that ends in neither .h5, .hdf5 nor .nc. */
bnn_status tool_output_hdf5(const char *path);
bool tool_output_is_hdf5(const char *path); /* the name ends so */
/* Refuses a place where lines cannot be appended to a file, or to what else is there. */
bnn_status tool_output_appends(const char *path);
/* Refuses an output that is also `other`, which is called `what`: the data would be lost to what was made of them. NULLs are apart. */
bnn_status tool_output_apart(const char *path, const char *other, const char *what);
extern const struct argp tool_output_argp;             /* --force, for an argp's children; it has no input */
extern const struct argp_child tool_output_children[]; /* of an argp: this alone */
bool tool_output_forced(void);
/* Takes an output for this process, after tool_output_ready and once it is known what goes there; until tool_output_release or the end.
 * Refuses one that another process is writing or has written since, and without --force one that is there, unless it is of one of these
 * schemas, separated by '|', and same(context, path) is BNN_OK: the same work made it, and nothing is lost. schemas NULL: same says all;
 * same NULL: any file stays. */
bnn_status tool_output_claim(const char *path, const char *schemas, bnn_status (*same)(const void *context, const char *path),
                             const void *context);
/* Takes a log for this process, after its output: refuses one that another process is writing. Terminals and pipes are for all. */
bnn_status tool_output_claim_log(const char *path);
/* For `same`: what is there was written by the same command line out of the same files, those of a bnn_provenance. */
bnn_status tool_output_same_command(const void *provenance, const char *path);
void tool_output_release(void); /* for who dies of a signal; elsewhere the end of the program does it */
/* Takes an output for a table, as tool_output_claim: a data file with the same rows, which has no splits or the same ones, may go. */
bnn_status tool_output_claim_table(const char *path, const bnn_table *table);
/* Writes a whole file under a temporary name and renames it: an old one is lost only to a whole new one. */
bnn_status tool_save(const char *bytes, size_t size, const char *path);
void tool_print_wrote(const char *path); /* "wrote FILE"; nothing where path is NULL */

/* The progress line on a terminal, "what  45 %  0:12 left"; elsewhere a sentence, once, where an hour or more is left. Thread-safe. */
typedef struct {
    const char *what;
    double started, shown;
    int length;
    bool announced;
} tool_progress;
tool_progress tool_progress_start(const char *what);
void tool_progress_expect(tool_progress *progress, double seconds); /* of one core, before there is anything to show */
void tool_progress_show(tool_progress *progress, double share);
void tool_progress_take(void *progress, double share); /* the same, for calls of the library that report their share */
void tool_progress_left(tool_progress *progress, double share, double seconds); /* where more is known than the share */
void tool_progress_end(tool_progress *progress);                                /* wipes the line */

int tool_threads(int n);   /* sets the number of threads; returns what it was */
double tool_seconds(void); /* of a clock that only goes forward */

/* Every so many seconds, or epochs (steps of the engine: those of a search are of another length); never, where both are 0. */
typedef struct {
    double seconds;
    int epochs;
} tool_interval;
/* "30s", "5min", "2h", "10epochs"; prints the sentence and leaves the program where text is none. */
tool_interval tool_interval_parse(const char *option, const char *text);
/* So long a time from now, in tool_seconds, likewise. */
double tool_deadline_parse(const char *option, const char *text);

/* The course of a fit: progress, a log of JSON lines (NULL: none), checkpoints to path, also where SIGUSR1 asks for one; SIGINT and SIGTERM
 * end it after a step, and a deadline, in tool_seconds (0: none), before one that would not be in time. */
typedef struct {
    const tool_job *job;
    const bnn_table *table;
    int split;
    const char *path, *log;
    tool_interval every;
    double deadline;
    bnn_run *run;
} tool_course;
/* Refuses, without --force, a log that holds anything but lines of this run. */
bnn_status tool_course_check_log(const tool_course *course);
/* Steps the run to its end, or until a signal or the deadline: then it is not complete. */
bnn_status tool_course_run(const tool_course *course, const bnn_data *train);
bnn_status tool_course_stop(const tool_course *course); /* writes a run that was stopped, and says how to go on */

/* Says why a checkpoint was not written, once for each reason, and that the work ("fit") goes on. */
void tool_checkpoint_failed(const char *what);

/* Signals of commands that write what there is: the first SIGINT or SIGTERM is remembered, a second one of either kind ends the program at
 * once, and so does a step that is on its way and does not end; SIGUSR1 asks for a checkpoint. */
void tool_signals_listen(void);
void tool_signals_wait(double longest); /* seconds that the longest step took: twice as long is waited for one; INFINITY: for ever */
bool tool_signals_caught(void);
bool tool_signals_asked(void); /* since the last call */
void tool_signals_obey(void);  /* does what the signal would have done, if there was one */
/* Signals of all other commands, from now on: SIGUSR1 has them say how far they are, and SIGTERM, too, which ends them. command: "bnn
 * NAME". */
void tool_signals_tell(const char *command);

/* The ranks of a command that mpirun has started several times (bnn/ranks.h); without MPI there is one, and all of these say so. To be
 * called first of all: from then on all ranks but the first are silent, and one that fails ends the job. */
void tool_ranks_open(void);
int tool_ranks_count(void);
bool tool_ranks_first(void);          /* this one writes and prints */
void tool_ranks_share(bool together); /* fits are made together, or by each rank for itself */
void tool_ranks_meet(void);           /* waits until all have come to this */
enum { TOOL_RANKS_STATE = 8 };        /* numbers of a state, at most */
/* Of several ranks: fails on one whose state is not that of the first one; what that decides holds for all. */
bnn_status tool_ranks_agree(int n, const double *state, bool *decision);
/* Fails on all ranks where one of them has read other data than the first, as they would wait for one another. */
bnn_status tool_ranks_agree_on_data(const bnn_table *table);
/* Warns, after the first step of an engine, where ranks had nothing to share. */
void tool_ranks_doubt(const char *engine);

/* "posterior,predictive" as BNN_KEEP_ bits. */
unsigned tool_keep_parse(const char *text);

int tool_count_bad(const bnn_remarks *verdicts);       /* those of severity bad, for --strict */
void tool_print_verdicts(const bnn_remarks *verdicts); /* the worst ones first; one line where there are none */

/* How the run is calibrated, NULL: it is not, and what that does on rows with targets. */
bnn_status tool_calibration_print(const bnn_calibration *c, const bnn_prediction *p, const bnn_data *rows);

/* Rows to be referred, as evaluate is asked for them. */
typedef struct {
    bool wanted;              /* by one of the options */
    double share, risk;       /* of the rows that is referred; the risk of the others that is to be promised, 0: none is */
    const char *by;           /* the name of a score, or NULL */
    bnn_row_score score;      /* of that name */
    bnn_selection *selection; /* set by tool_referral_open, and to be freed */
    bnn_referral found;       /* likewise */
} tool_referral;
bnn_status tool_referral_open(tool_referral *asked, const bnn_prediction *p, const bnn_data *data);
/* Each of these does nothing where it is not wanted. */
void tool_referral_print(const tool_referral *asked, const bnn_prediction *p);

/* A table of what is there; NULL: not measured. */
void tool_print_detections(bnn_detection *const of[BNN_ROW_SCORES]);
void tool_print_played(const bnn_played *played); /* the regret at ten steps, and at the end */

void tool_print_cost(const char *what, const bnn_cost *cost);

#endif
