/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report.h"

#include <errno.h>
#include <math.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Greatest smallest distance in OKLab under normal, deuteranope and protanope sight; the later ones also differ by marker and dashes. */
const report_colour report_colours[REPORT_COLOURS] = {{0x075ea9, 0x3a94f5}, {0x2f9e36, 0xb2ee62}, {0x8f2200, 0xe0763a},
                                                      {0x9588e9, 0xb4bfff}, {0x098777, 0x2a9d9d}, {0x68305c, 0xf0a3c6},
                                                      {0xb8560a, 0xffb56b}, {0x333333, 0xe8e8e8}};

/* Numbers of colours, markers and dashes have no common divisor: 280 engines look different. */
static const int markers[] = {7, 5, 9, 13, 11, 15, 6};
static const char *const dashes[] = {"solid", "(8,4)", "(2,3)", "(10,3,2,3)", "(5,2)"};
enum { N_MARKERS = sizeof markers / sizeof *markers, N_DASHES = sizeof dashes / sizeof *dashes, MARKERS_A_CURVE = 8 };

/* ---------------------------------------------------------------- curves */

/* Memory files in place of pipes: nothing blocks, and a gnuplot that dies early does not take us along by a signal. */
static int memory_file(void) { return memfd_create("bnn report", MFD_CLOEXEC); }

bnn_status report_plot_open(report_plot *p) {
    *p = (report_plot){.owner = -1, .least_y = -INFINITY, .x0 = INFINITY, .x1 = -INFINITY, .y0 = INFINITY, .y1 = -INFINITY};
    int fd = memory_file();
    p->script = fd < 0 ? NULL : fdopen(fd, "w");
    p->clauses = bnn_text_open(&p->clause_text, NULL);
    if (p->script && p->clauses) return BNN_OK;
    if (!p->script && fd >= 0) close(fd);
    report_plot_close(p);
    return bnn_oom("a plot");
}

void report_plot_close(report_plot *p) {
    if (p->script) fclose(p->script);
    if (p->clauses) fclose(p->clauses);
    free(p->clause_text);
    free(p->owners);
}

/* Between apostrophes gnuplot takes everything as it is; an apostrophe is doubled. */
static void quote(FILE *out, const char *text) {
    fputc('\'', out);
    for (; *text; text++) fprintf(out, *text == '\'' ? "''" : "%c", (unsigned char)*text < ' ' ? ' ' : *text);
    fputc('\'', out);
}

/* Remembers whose curve it is; a byte will do for the engines that a comparison takes. */
static void own_curve(report_plot *p) {
    char *more = realloc(p->owners, (size_t)p->n_curves + 1);
    if (!more) {
        p->lost = true;
        return;
    }
    p->owners = more;
    p->owners[p->n_curves++] = (char)(p->owner < 0 ? p->engine : p->owner);
}

/* A clause of a plot: how these columns of the last data are drawn, in the engine's colour. */
static void add_clause(report_plot *p, const char *how) {
    fprintf(p->clauses, "%s$d%d using %s lw 1.8 lc rgb '#%06x' ", p->n_curves ? ", " : "", p->n_data, how,
            (unsigned)report_colours[p->engine % REPORT_COLOURS].light);
}

static void add_title(report_plot *p) {
    fputs(*p->title ? "title " : "notitle", p->clauses);
    if (!*p->title) return;
    quote(p->clauses, p->title);
    p->n_titles++;
    p->longest_title = (int)fmax(p->longest_title, (double)strlen(p->title));
}

/* Says how the last curve is drawn, now that its length is known. */
static void end_curve(report_plot *p) {
    static const char *const how[] = {[REPORT_LINE] = "1:2 with linespoints",
                                      [REPORT_BARS] = "1:2:3 with yerrorbars",
                                      [REPORT_POINTS] = "1:2:4 with labels hypertext point",
                                      [REPORT_PLAIN] = "1:2 with lines",
                                      [REPORT_BELOW] = "1:2 with points",
                                      [REPORT_STEPS] = "1:2 with steps"};
    if (p->n_points == 0) return;
    int shape = p->engine + p->variant, every = p->n_points > MARKERS_A_CURVE ? p->n_points / MARKERS_A_CURVE : 1;
    fprintf(p->script, "EOD\n");
    if (p->kind == REPORT_POINTS) {
        add_clause(p, "1:2:3 with yerrorbars pt 0");
        fputs("notitle ", p->clauses);
        own_curve(p);
    }
    add_clause(p, how[p->kind]);
    if (p->kind == REPORT_BELOW)
        fputs("pt 11 ps 1.6 ", p->clauses);
    else if (p->kind != REPORT_STEPS && p->kind != REPORT_PLAIN)
        fprintf(p->clauses, "pt %d ", markers[shape % N_MARKERS]);
    if (p->kind == REPORT_LINE) fprintf(p->clauses, "dt %s pi %d ", dashes[shape % N_DASHES], every);
    add_title(p);
    own_curve(p);
    p->n_data++;
    p->n_points = 0;
}

void report_plot_curve(report_plot *p, int engine, int variant, report_curve_kind kind, const char *title) {
    end_curve(p);
    p->engine = engine;
    p->variant = variant;
    p->kind = kind;
    snprintf(p->title, sizeof p->title, "%s", title);
}

void report_plot_named(report_plot *p, double x, double y, double reach, const char *name) {
    if (!isfinite(reach)) reach = 0;
    if (!isfinite(x) || !isfinite(y)) return;
    if (p->n_points++ == 0) fprintf(p->script, "$d%d << EOD\n", p->n_data);
    fprintf(p->script, "%.8g %.8g %.8g \"%s\"\n", x, y, reach, name);
    p->x0 = fmin(p->x0, x);
    p->x1 = fmax(p->x1, x);
    p->y0 = fmin(p->y0, y - reach);
    p->y1 = fmax(p->y1, y + reach);
}

void report_plot_point(report_plot *p, double x, double y, double se) { report_plot_named(p, x, y, se, ""); }

bool report_plot_empty(report_plot *p) {
    end_curve(p);
    return p->n_curves == 0 && !p->lost; /* what is lost is not empty: drawing it fails */
}

/* ---------------------------------------------------------------- gnuplot */

/* A little air around the points, and something to show where all are equal. */
static void widen(double *low, double *high) {
    double air = 0.04 * (*high - *low);
    if (air <= 1e-9 * fabs(*high)) air = fmax(0.05 * fabs(*high), 1e-6);
    *low -= air;
    *high += air;
}

static void set_ranges(report_plot *p, const report_frame *f) {
    if (f->diagonal) {
        p->x0 = p->y0 = fmin(p->x0, p->y0);
        p->x1 = p->y1 = fmax(p->x1, p->y1);
    }
    p->y0 = fmax(p->y0, p->least_y);
    widen(&p->y0, &p->y1);
    if (f->from_zero) p->y0 = 0;
    if (!f->log_x)
        widen(&p->x0, &p->x1);
    else { /* whole decades: two labelled tics at least */
        p->x0 = pow(10, floor(log10(p->x0 / 1.2)));
        p->x1 = pow(10, ceil(log10(p->x1 * 1.2)));
    }
    fprintf(p->script, "set xrange [%.8g:%.8g]\nset yrange [%.8g:%.8g]\n", p->x0, p->x1, p->y0, p->y1);
}

/* The plot proper keeps its height however many rows the legend has. */
static void set_size(report_plot *p) {
    int fit = 410 / (46 + (int)(7.5 * p->longest_title)), columns = (int)fmax(1, fmin(6, fit)),
        rows = (p->n_titles + columns - 1) / columns;
    fprintf(p->script, "set terminal svg size 480,%d dynamic noenhanced rounded font 'sans-serif,14'\n", 360 + 18 * rows);
    fprintf(p->script, "set key outside top center horizontal Left reverse samplen 1.8 maxcols %d\n", columns);
}

static void write_settings(report_plot *p, const report_frame *f) {
    set_size(p);
    fprintf(p->script,
            "set encoding utf8\nset border 3 lw 1 lc rgb '#%06x'\nset tics out nomirror scale 0.6,0.3 tc rgb '#%06x'\n"
            "set xtics offset 0,0.3\nset grid lt 1 lw 1 lc rgb '#%06x'\nset pointsize 0.8\nset errorbars 0.6\nset rmargin 2\n",
            (unsigned)REPORT_AXIS, (unsigned)REPORT_AXIS, (unsigned)REPORT_GRID);
    if (f->diagonal)
        fprintf(p->script, "set arrow from graph 0,0 to graph 1,1 nohead lw 1.5 dt (4,4) lc rgb '#%06x' back\n", (unsigned)REPORT_AXIS);
    if (f->log_x) fputs("set logscale x\nset mxtics 10\nset format x '%.0s%c'\n", p->script);
    fputs("set xlabel offset 0,0.8 ", p->script);
    quote(p->script, f->x);
    fputs("\nset ylabel offset 0.8,0 ", p->script);
    quote(p->script, f->y);
    fputc('\n', p->script);
}

/* Reads all that was written to a memory file; owned. */
static char *contents(int fd) {
    struct stat about;
    if (fstat(fd, &about) < 0) return NULL;
    char *text = calloc((size_t)about.st_size + 1, 1);
    for (off_t at = 0; text && at < about.st_size;) {
        ssize_t n = pread(fd, text + at, (size_t)(about.st_size - at), at);
        if (n <= 0) return free(text), NULL;
        at += n;
    }
    return text;
}

/* Runs gnuplot from one memory file to two others. */
static bnn_status spawn(int in, int out, int err) {
    static char *const argv[] = {"gnuplot", "--default-settings", NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int exit_code = 0;
    if (lseek(in, 0, SEEK_SET) < 0 || posix_spawn_file_actions_init(&actions) != 0) return bnn_oom("gnuplot");
    int failed = 0;
    for (int to = STDIN_FILENO; !failed && to <= STDERR_FILENO; to++)
        failed = posix_spawn_file_actions_adddup2(&actions, (const int[]){in, out, err}[to], to);
    if (!failed) failed = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed == ENOENT)
        return bnn_fail(BNN_ERR_FILE,
                        "the program gnuplot, which draws the figures, is not in the PATH: `apt install gnuplot-nox` installs it");
    if (failed) return bnn_fail(BNN_ERR_FILE, "gnuplot cannot be started: %s", strerror(failed));
    while (waitpid(pid, &exit_code, 0) < 0 && errno == EINTR) continue;
    if (exit_code == 0) return BNN_OK;
    char *said = contents(err);
    bnn_fail(BNN_ERR_FILE, "gnuplot failed: %.400s", said ? said + strspn(said, " \n") : "");
    free(said);
    return BNN_ERR_FILE;
}

/* Length of what comes before a name, where text starts with that; 0 elsewhere. */
static size_t before_name(const char *text) {
    static const char *const before[] = {"id=\"", "id='", "href='#"};
    for (size_t i = 0; i < sizeof before / sizeof *before; i++)
        if (strncmp(text, before[i], strlen(before[i])) == 0) return strlen(before[i]);
    return 0;
}

/* A named point calls a script that is not there: its name becomes the title of the point, which browsers show to who hovers over it.
 * Returns what is behind, NULL elsewhere. */
static const char *name_point(FILE *html, const char *svg) {
    static const char call[] = " onmousemove=\"gnuplot_svg.showHypertext(evt,'";
    const char *name = svg + strlen(call), *end, *behind;
    if (strncmp(svg, call, strlen(call)) != 0 || !(end = strchr(name, '\'')) || !(behind = strstr(end, "</title>"))) return NULL;
    fprintf(html, "><title>%.*s</title>", (int)(end - name), name);
    return behind + strlen("</title>");
}

/* gnuplot's own titles would show as meaningless tooltips. Returns what is behind one, NULL elsewhere. */
static const char *skip_title(const char *svg) {
    const char *end = strncmp(svg, "<title>", 7) == 0 ? strstr(svg, "</title>") : NULL;
    return end ? end + strlen("</title>") : NULL;
}

/* A curve gets the class of its engine. Its number is read from where it stands: sscanf measures all that is left of the plot each time. */
static void write_class(const report_plot *p, FILE *html, const char *svg) {
    static const char id[] = "id=\"gnuplot_plot_";
    if (strncmp(svg, id, strlen(id)) != 0) return;
    long curve = strtol(svg + strlen(id), NULL, 10);
    if (curve > 0 && curve <= p->n_curves) fprintf(html, "class=\"e%d\" ", p->owners[curve - 1]);
}

/* gnuplot names its parts alike in every plot, which one page cannot have: they get a prefix, and curves the class of their engine. */
static void write_svg(const report_plot *p, FILE *html, const char *svg, const report_frame *f) {
    fputs("<svg class=\"plot\" role=\"img\" aria-label=\"", html);
    report_text(html, f->alt);
    fputc('"', html);
    for (svg += strlen("<svg"); *svg;) {
        const char *behind = skip_title(svg);
        if (!behind) behind = name_point(html, svg);
        size_t n = behind ? 0 : before_name(svg);
        write_class(p, html, svg);
        if (behind)
            svg = behind;
        else if (n == 0)
            fputc(*svg++, html);
        else {
            fprintf(html, "%.*s%s-", (int)n, svg, f->id);
            svg += n;
        }
    }
}

bnn_status report_plot_draw(report_plot *p, const report_frame *f, FILE *html) {
    end_curve(p);
    write_settings(p, f);
    set_ranges(p, f);
    if (fflush(p->clauses) != 0 || ferror(p->clauses) || p->lost) return bnn_oom("a plot");
    fprintf(p->script, "plot %s\n", p->clause_text);
    if (fflush(p->script) != 0 || ferror(p->script)) return bnn_oom("a plot");
    int out = memory_file(), err = memory_file();
    bnn_status s = out < 0 || err < 0 ? bnn_oom("a plot") : spawn(fileno(p->script), out, err);
    char *svg = s == BNN_OK ? contents(out) : NULL, *start = svg ? strstr(svg, "<svg") : NULL;
    if (start)
        write_svg(p, html, start, f);
    else if (s == BNN_OK && !svg)
        s = bnn_oom("a plot");
    else if (s == BNN_OK)
        s = bnn_fail(BNN_ERR_FILE, "gnuplot drew nothing: its svg terminal is needed");
    free(svg);
    if (out >= 0) close(out);
    if (err >= 0) close(err);
    return s;
}
