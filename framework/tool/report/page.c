/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report.h"
#include "tool/tool.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void report_text(FILE *html, const char *text) {
    for (text = tool_line(text); *text; text++) {
        switch (*text) {
        case '&': fputs("&amp;", html); break;
        case '<': fputs("&lt;", html); break;
        case '>': fputs("&gt;", html); break;
        case '"': fputs("&quot;", html); break;
        case '\'': fputs("&#39;", html); break;
        default: fputc(*text, html);
        }
    }
}

const char *report_letter(int engine, char letter[8]) {
    snprintf(letter, 8, engine < 26 ? "%c" : "%c%d", 'A' + engine % 26, engine / 26 % 1000);
    return letter;
}

/* ---------------------------------------------------------------- head of the page */

/* The page is whole without it. With it the chips of the key switch engines off and on, and a click on a column sorts the table by it. */
static const char script[] =
    "document.querySelectorAll('section').forEach(s=>{\n"
    "s.querySelectorAll('.key li').forEach(li=>{const c=li.querySelector('.chip'),b=document.createElement('button'),e=li.dataset.engine;"
    "b.className=c.className;b.textContent=c.textContent;b.type='button';b.ariaPressed='true';b.title='show or hide in the figures';"
    "b.onclick=()=>{const on=b.ariaPressed==='false';b.ariaPressed=String(on);"
    "s.querySelectorAll('.plot .'+e+',.of.'+e).forEach(g=>g.style.display=on?'':'none')};c.replaceWith(b)});\n"
    "s.querySelectorAll('table:has(tbody tr[data-engine])').forEach(t=>{t.querySelectorAll('thead tr:last-child th').forEach((h,i)=>{"
    "const b=document.createElement('button');b.type='button';b.append(...h.childNodes);h.append(b);let up=false;"
    "b.onclick=()=>{up=!up;t.querySelectorAll('[aria-sort]').forEach(o=>o.removeAttribute('aria-sort'));"
    "h.setAttribute('aria-sort',up?'ascending':'descending');const "
    "of=r=>i?Number(r.cells[i].dataset.value):Number(r.dataset.engine.slice(1));"
    "t.tBodies[0].append(...[...t.rows].filter(r=>r.dataset.engine).sort((p,q)=>up?of(p)-of(q):of(q)-of(p)))}})})});\n";

void report_foot(FILE *html) {
    fprintf(html, "</main>\n<script>\n%s</script>\n" REPORT_MADE_BY BNN_VERSION "</footer>\n</body>\n</html>\n", script);
}

/* In pieces: a compiler need not take texts of more than 4095 characters. */
static const char *const style[] = {
    ":root{color-scheme:light dark;--paper:#fff;--ink:#1b1f24;--soft:#5a626c;--line:#dfe3e8;--grid:#e6e9ed;--axis:#6b737d}\n"
    "*{box-sizing:border-box}\n"
    "html{-webkit-text-size-adjust:100%;text-size-adjust:100%}\n"
    "body{margin:0 auto;padding:2.5rem clamp(1rem,4vw,3rem) 3rem;max-width:80rem;background:var(--paper);color:var(--ink);"
    "font:16px/1.55 system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans','DejaVu Sans',sans-serif}\n"
    "h1,h2{font-size:clamp(1.5rem,1.2rem + 1.5vw,2.1rem);line-height:1.2;letter-spacing:-.015em;margin:0 0 "
    "1.25rem;overflow-wrap:anywhere;text-wrap:balance}\n"
    ".long{font-size:1.2rem;line-height:1.4;letter-spacing:0}\n"
    "h3{font-size:1.05rem;line-height:1.3;margin:0 0 .5rem}.wide+h3,.figures+h3,.figures+.of,div.of+div.of{margin-top:2.25rem}\n"
    "code{font:.88em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;overflow-wrap:anywhere}\n"
    "nav ol{margin:0 0 2rem;padding-left:1.5rem;overflow-wrap:anywhere}\n"
    "a{color:inherit;text-underline-offset:.2em;text-decoration-color:var(--axis)}\n"
    "section+section{margin-top:4rem;padding-top:3rem;border-top:1px solid var(--line)}\n"
    "footer{margin-top:3rem;padding-top:1rem;border-top:1px solid var(--line);color:var(--soft);font-size:.85rem}\n",
    ".facts{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1.5rem;margin:0 0 2.25rem}\n"
    ".facts dt,.meaning dt{color:var(--soft)}\n"
    ".facts dd,.meaning dd{margin:0;min-width:0;overflow-wrap:anywhere}\n"
    ".facts i{font-style:normal;color:var(--soft)}\n"
    ".key{list-style:none;margin:0 0 2.25rem;padding:0;display:grid;gap:.55rem}\n"
    ".key li{display:grid;grid-template-columns:auto 1fr;gap:0 .75rem;align-items:start}\n"
    ".key p{margin:0;color:var(--soft);font-size:.9rem;overflow-wrap:anywhere}\n"
    ".key div{min-width:0}\n"
    ".chip{display:inline-block;min-width:1.75rem;padding:0 "
    ".35rem;text-align:center;font-weight:650;font-size:.85rem;line-height:1.5rem;border-radius:.4rem;"
    "border:2px solid var(--c);background:color-mix(in srgb,var(--c) 16%,transparent)}\n"
    ".wide{overflow-x:auto;margin:0 0 .5rem;border:1px solid var(--line);border-radius:.6rem}\n"
    "table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums lining-nums;font-size:.92rem}\n"
    "th,td{padding:.5rem .6rem;text-align:right;white-space:nowrap;vertical-align:top}\n"
    "thead th{font-weight:600;font-size:.85rem}.groups+tr th{padding-top:.1rem}\n"
    "thead .groups th{color:var(--soft);font-weight:400;text-align:left;padding-top:.55rem;padding-bottom:0}\n"
    "tbody tr{border-top:1px solid var(--line)}\n"
    ".first{border-left:1px solid var(--line)}\n"
    "th.who{text-align:left}\n"
    "th[scope=row]{text-align:left;font-weight:500;position:sticky;left:0;background:var(--paper)}\n"
    "th[scope=row] .chip{margin-right:.6rem}\n"
    "td small{display:block;color:var(--soft);font-size:.8rem;line-height:1.3}\n"
    "td b{font-weight:700}.confusion td{background:color-mix(in srgb,var(--c0) var(--v),transparent)}\n"
    ".note{color:var(--soft);font-size:.88rem;margin:0 0 .4rem}\n"
    "details{font-size:.92rem;margin:0 0 2.5rem}\n"
    "summary{cursor:pointer;color:var(--soft);font-size:.88rem}\n"
    ".meaning{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1.25rem;margin:.75rem 0 0}\n",
    ".verdicts{list-style:none;margin:0 0 2.25rem;padding:0;display:grid;gap:.55rem}\n"
    ".verdicts li{display:flex;gap:.75rem;align-items:start;padding:.55rem .8rem;border-left:.35rem solid var(--line);border-radius:.3rem;"
    "background:color-mix(in srgb,var(--s) 10%,transparent);border-color:var(--s)}\n"
    ".verdicts p{margin:0;min-width:0;overflow-wrap:anywhere}.verdicts .note{--s:var(--axis);color:inherit;font-size:inherit;margin:0}"
    ".verdicts .warning{--s:#c98a00}.verdicts .bad{--s:#d0342c}.good{margin:0 0 2.25rem}\n"
    "th button{all:unset;cursor:pointer}th button:focus-visible{outline:2px solid var(--axis)}th[aria-sort] "
    "button{text-decoration:underline}\n"
    ".chip[aria-pressed]{font:inherit;font-size:.85rem;font-weight:650;color:inherit;cursor:pointer}.chip[aria-pressed=false]{opacity:.35}"
    "\n",
    ".figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,29rem),1fr));gap:1.5rem}\n"
    "figure{margin:0;padding:1.1rem 1.2rem 1.2rem;border:1px solid "
    "var(--line);border-radius:.6rem;display:flex;flex-direction:column;min-width:0}\n"
    "figcaption{color:var(--soft);font-size:.88rem;line-height:1.5;margin-top:.75rem}\n"
    ".plot{display:block;width:100%;max-width:38rem;height:auto;margin:auto}\n"
    ".plot [font-family]{font-family:inherit}\n"
    ".plot [color=black]{color:var(--ink)}.plot [color=white]{color:var(--paper)}.plot [fill=black]{fill:var(--ink)}\n"
    ".maps{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:.6rem;margin:0 0 1.75rem}\n"
    ".maps img{display:block;width:100%;height:auto;image-rendering:pixelated;border-radius:.3rem}\n"
    ".maps p{margin:.25rem 0 0;color:var(--soft);font-size:.85rem}\n"
    ".classes{list-style:none;margin:0 0 1.25rem;padding:0;display:flex;flex-wrap:wrap;gap:.3rem 1.1rem;font-size:.9rem}\n"
    ".classes span{display:inline-block;width:1em;height:1em;margin-right:.4rem;vertical-align:-.1em;border-radius:.2rem;"
    "print-color-adjust:exact}\n"
    "@media(max-width:40rem){.facts{column-gap:1rem;font-size:.95rem}.meaning{grid-template-columns:1fr;gap:0}.meaning "
    "dd{margin-bottom:.6rem}th[scope=row] .name{display:none}"
    "th[scope=row] .chip{margin:0}figure{padding:.9rem .6rem}figure h3,figcaption{padding:0 .3rem}.plot text{font-size:16px}}\n"
    "@media print{body{padding:0}figure,tr{break-inside:avoid}.wide{overflow:visible}table{font-size:7px}td small,thead "
    "th,.chip{font-size:inherit}th,td{padding:.1rem .15rem}th[scope=row] .chip{margin-right:.2rem}.chip{min-width:0;padding:0 "
    ".15rem;line-height:1.3}}\n"};

/* gnuplot writes lines as rgb(  7,  94, 169) and texts as rgb(7,94,169). */
static void put_in_place(FILE *html, int rgb, const char *name) {
    int r = rgb >> 16, g = rgb >> 8 & 255, b = rgb & 255;
    fprintf(html,
            ".plot [stroke=\"rgb(%3d, %3d, %3d)\"]{stroke:var(--%s)}.plot [color=\"rgb(%3d, %3d, %3d)\"]{color:var(--%s)}.plot "
            "[fill=\"rgb(%d,%d,%d)\"]{fill:var(--%s)}\n",
            r, g, b, name, r, g, b, name, r, g, b, name);
}

static void write_style(FILE *html) {
    char name[16];
    for (size_t i = 0; i < sizeof style / sizeof *style; i++) fputs(style[i], html);
    put_in_place(html, REPORT_AXIS, "axis");
    put_in_place(html, REPORT_GRID, "grid");
    for (int i = 0; i < REPORT_COLOURS; i++) {
        snprintf(name, sizeof name, "c%d", i);
        put_in_place(html, report_colours[i].light, name);
        fprintf(html, ".chip.c%d{--c:var(--c%d)}:root{--c%d:#%06x}\n", i, i, i, (unsigned)report_colours[i].light);
    }
    fputs(
        "@media(prefers-color-scheme:dark){:root{--paper:#15181c;--ink:#e7eaee;--soft:#a3acb7;--line:#30363d;--grid:#2a3037;--axis:#8a939e",
        html);
    for (int i = 0; i < REPORT_COLOURS; i++) fprintf(html, ";--c%d:#%06x", i, (unsigned)report_colours[i].dark);
    fputs("}}\n", html);
}

const char *report_title(const bnn_comparison *c) { return *c->title ? c->title : *c->data_path ? c->data_path : "Report"; }

void report_head(FILE *html, const char *const *titles, int n) {
    fputs("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
          "content=\"width=device-width,initial-scale=1\">\n<title>",
          html);
    report_text(html, n == 1 ? titles[0] : "Comparisons of bnn");
    fputs("</title>\n<style>\n", html);
    write_style(html);
    fputs("</style>\n</head>\n<body>\n<main>\n", html);
    if (n == 1) return;
    fputs("<h1>Comparisons</h1>\n<nav><ol>\n", html);
    for (int i = 0; i < n; i++) {
        fprintf(html, "<li><a href=\"#file-%d\">", i + 1);
        report_text(html, titles[i]);
        fputs("</a></li>\n", html);
    }
    fputs("</ol></nav>\n", html);
}

/* ---------------------------------------------------------------- facts and key */

static void fact(FILE *html, const char *name, const char *text, const char *if_empty) {
    fprintf(html, "<dt>%s</dt><dd>", name);
    if (*text) {
        fputs("<code>", html);
        report_text(html, text);
        fputs("</code>", html);
    } else
        fprintf(html, "<i>%s</i>", if_empty);
    fputs("</dd>\n", html);
}

/* "0–4", or "0, 2, 5" where they do not follow on each other. */
static void write_splits(FILE *html, const bnn_comparison *c) {
    int first = c->split[0], last = c->split[c->n_splits - 1];
    bool in_a_row = last - first + 1 == c->n_splits;
    fputs("<dt>Splits</dt><dd>", html);
    if (first < 0)
        fputs("none", html);
    else if (in_a_row)
        fprintf(html, first == last ? "%d" : "%d–%d", first, last);
    else
        for (int k = 0; k < c->n_splits; k++) fprintf(html, "%s%d", k ? ", " : "", c->split[k]);
    fputs("</dd>\n", html);
}

static void write_facts(FILE *html, const bnn_comparison *c) {
    fputs("<dl class=\"facts\">\n", html);
    fact(html, "Network", c->net, "not known");
    fact(html, "Likelihood", c->likelihood, c->is_class ? "categorical (default)" : "gaussian (default)");
    fact(html, "Prior", c->prior, "gauss (default)");
    fact(html, "Data", c->data_path, "not known");
    write_splits(html, c);
    fprintf(html, "<dt>Seed</dt><dd>%llu</dd>\n</dl>\n", (unsigned long long)c->seed);
}

void report_chip(FILE *html, int engine) {
    char letter[8];
    fprintf(html, "<span class=\"chip c%d\">%s</span>", engine % REPORT_COLOURS, report_letter(engine, letter));
}

/* ---------------------------------------------------------------- verdicts */

static void write_verdict(FILE *html, const bnn_comparison *c, int e, int i) {
    const bnn_remarks *verdicts = c->engine[e].verdicts;
    const char *name = bnn_severity_name(bnn_remark_severity(verdicts, i));
    fprintf(html, "<li class=\"%s\">", name);
    if (c->n_engines > 1) report_chip(html, e);
    fprintf(html, "<p><b>%s</b> ", name);
    report_text(html, bnn_remark_sentence(verdicts, i));
    fputs("</p></li>\n", html);
}

/* Says what speaks against the answers, the worst first, before any number of them. */
static void write_verdicts(FILE *html, const bnn_comparison *c) {
    int n = 0, judged = 0;
    for (int e = 0; e < c->n_engines; e++) judged += c->engine[e].verdicts != NULL, n += bnn_remarks_count(c->engine[e].verdicts);
    if (judged == 0) return;
    fprintf(html, "<h3>Verdicts%s</h3>\n", c->n_splits > 1 ? " on the first split" : "");
    if (n == 0) fputs("<p class=\"good\">Nothing speaks against what was found.</p>\n", html);
    fputs("<ul class=\"verdicts\">\n", html);
    for (int severity = BNN_REMARK_BAD; severity >= BNN_REMARK_NOTE; severity--)
        for (int e = 0; e < c->n_engines; e++)
            for (int i = 0; i < bnn_remarks_count(c->engine[e].verdicts); i++)
                if ((int)bnn_remark_severity(c->engine[e].verdicts, i) == severity) write_verdict(html, c, e, i);
    fputs("</ul>\n", html);
}

static void write_key(FILE *html, const bnn_comparison *c) {
    fputs("<h3>Engines</h3>\n<ul class=\"key\">\n", html);
    for (int e = 0; e < c->n_engines; e++) {
        fprintf(html, "<li data-engine=\"e%d\">", e);
        report_chip(html, e);
        fputs("<div><code>", html);
        report_text(html, c->engine[e].label);
        fputs("</code>", html);
        if (*c->engine[e].remark) {
            fprintf(html, "<p>split %d: ", c->split[0]);
            report_text(html, c->engine[e].remark);
            fputs("</p>", html);
        }
        fputs("</div></li>\n", html);
    }
    fputs("</ul>\n", html);
}

/* ---------------------------------------------------------------- table */

static double value(const bnn_comparison *c, const bnn_contestant *who, int split, report_quantity what) {
    const bnn_metrics *m = what.target ? &who->target[split * c->n_targets + what.target - 1] : &who->metrics[split];
    switch (what.of) {
    case REPORT_GRADIENTS: return (double)who->cost[split].gradients;
    case REPORT_SECONDS: return who->cost[split].seconds_cpu;
    case REPORT_DISTANCE: return *(const double *)((const char *)&who->distance[split] + what.offset);
    default: return *(const double *)((const char *)m + what.offset);
    }
}

/* The excess of an engine over the other one in a split; without the other (NULL) all of it. */
static double excess(const bnn_comparison *c, const bnn_contestant *who, const bnn_contestant *other, int split, report_quantity what) {
    return value(c, who, split, what) - (other ? value(c, other, split, what) : 0);
}

static double mean_excess(const bnn_comparison *c, const bnn_contestant *who, const bnn_contestant *other, report_quantity what,
                          double *se) {
    double mean = 0, squares = 0;
    for (int k = 0; k < c->n_splits; k++) mean += excess(c, who, other, k, what) / c->n_splits;
    for (int k = 0; k < c->n_splits; k++) squares += pow(excess(c, who, other, k, what) - mean, 2);
    if (se) *se = c->n_splits > 1 ? sqrt(squares / (c->n_splits - 1) / c->n_splits) : NAN;
    return mean;
}

double report_mean(const bnn_comparison *c, int engine, report_quantity what, double *se) {
    return mean_excess(c, &c->engine[engine], NULL, what, se);
}

double report_difference(const bnn_comparison *c, int engine, int other, report_quantity what, double *se) {
    return mean_excess(c, &c->engine[engine], &c->engine[other], what, se);
}

int report_best(const bnn_comparison *c) {
    const report_quantity ll = {REPORT_METRIC, offsetof(bnn_metrics, ll), 0};
    int best = 0;
    for (int e = 1; e < c->n_engines; e++)
        if (!(report_mean(c, e, ll, NULL) <= report_mean(c, best, ll, NULL))) best = e;
    return best;
}

enum { FOUR_DIGITS = -1 }; /* ways to write numbers, beside fixed decimals */

typedef struct {
    const char *group, *name, *meaning;
    report_quantity of;
    int decimals;
    int better;            /* +1: more, -1: less, 0: neither */
    bool has_se, relative; /* relative: over the mean of grid_search */
} column;

#define METRIC(field) \
    { REPORT_METRIC, offsetof(bnn_metrics, field), 0 }
#define COST(kind) \
    { kind, 0, 0 }

static const column target_columns[] = {
    {"score", "rmse", "root mean squared error, in the units of the target", METRIC(rmse), FOUR_DIGITS, -1, true, false},
    {"score", "ll", "mean log predictive density of a row, in nats and the units of the target", METRIC(ll), FOUR_DIGITS, 1, true, false},
    {"score", "mae", "mean absolute error, in the units of the target", METRIC(mae), FOUR_DIGITS, -1, true, false},
    {"score", "r2", "1 - mean squared error / variance of the target", METRIC(r2), 4, 1, true, false},
    {"score", "crps", "continuous ranked probability score, in the units of the target", METRIC(crps), FOUR_DIGITS, -1, true, false},
    {"coverage", "50 %", "share of rows inside the central 50 % predictive interval; 0.5 is right", METRIC(coverage[9]), 3, 0, true, false},
    {"coverage", "90 %", "the same of 90 %; 0.9 is right", METRIC(coverage[17]), 3, 0, true, false},
    {"coverage", "95 %", "the same of 95 %; 0.95 is right", METRIC(coverage[18]), 3, 0, true, false},
    {"coverage", "error", "calibration error: mean distance of coverage from what was promised, over 19 levels", METRIC(calibration_error),
     3, -1, true, false},
    {"coverage", "over", "mean of coverage less what was promised: below 0 intervals are too narrow, above 0 too wide",
     METRIC(coverage_error), 3, 0, true, false},
    {"predictive sd", "epistemic", "part of the predictive sd that comes from not knowing the weights, root mean square over rows",
     METRIC(sd_epistemic), FOUR_DIGITS, 0, true, false},
    {"predictive sd", "aleatoric", "part of the predictive sd that is noise of the target", METRIC(sd_aleatoric), FOUR_DIGITS, 0, true,
     false},
};

static const column class_columns[] = {
    {"score", "iou", "pixels of a class that are called so, over those of it or called so, mean over classes", METRIC(iou), 4, 1, true,
     false},
    {"score", "accuracy", "share of rows whose most probable class is right", METRIC(accuracy), 4, 1, true, false},
    {"score", "ll", "mean log probability of the right class, in nats", METRIC(ll), FOUR_DIGITS, 1, true, false},
    {"score", "balanced", "mean over classes of the share of its rows that are called so", METRIC(balanced_accuracy), 4, 1, true, false},
    {"score", "auc", "area under the curve of one class against the others, mean over classes", METRIC(auc), 4, 1, true, false},
    {"score", "f1", "harmonic mean of precision and recall, mean over classes", METRIC(f1), 4, 1, true, false},
    {"score", "brier", "squared distance of the class probabilities from the right class, sum over classes", METRIC(brier), 4, -1, true,
     false},
    {"score", "ece", "expected calibration error: mean distance of confidence from accuracy, over 15 bins", METRIC(ece), 4, -1, true,
     false},
    {"score", "debiased", "root of the mean square of that distance, less what chance adds to it; below 0: nothing beyond chance",
     METRIC(ece_debiased), 4, -1, true, false},
    {"pixels, certain below the mean entropy", "right of certain", "p(accurate|certain): share of the certain pixels that are right",
     METRIC(p_accurate_certain), 4, 1, true, false},
    {"pixels, certain below the mean entropy", "uncertain of wrong",
     "p(uncertain|inaccurate): share of the wrong pixels that are uncertain", METRIC(p_uncertain_inaccurate), 4, 1, true, false},
    {"pixels, certain below the mean entropy", "pavpu", "share of pixels that are right and certain, or wrong and uncertain", METRIC(pavpu),
     4, 1, true, false},
    {"uncertainty, nats", "entropy", "mean entropy of the predictive distribution", METRIC(mean_entropy), FOUR_DIGITS, 0, true, false},
    {"uncertainty, nats", "mutual inf.", "mutual information: part of the entropy that comes from not knowing the weights",
     METRIC(mean_mutual_information), FOUR_DIGITS, 0, true, false},
};

#define DISTANCE(field) \
    { REPORT_DISTANCE, offsetof(bnn_distance, field), 0 }

static const column target_distance[] = {
    {"distance from the reference", "W1",
     "Wasserstein's distance of order 1 of the predictive distributions of a row's target, in its units; of several targets in sd of each",
     DISTANCE(wasserstein), FOUR_DIGITS, 0, true, false},
};

static const column class_distance[] = {
    {"distance from the reference", "agreement", "share of rows in which both name the same class", DISTANCE(agreement), 4, 0, true, false},
    {"distance from the reference", "total variation", "half the sum of the differences of the class probabilities",
     DISTANCE(total_variation), 4, 0, true, false},
};

static const column cost_columns[] = {
    {"cost of a split", "gradients", "gradients of one batch each, of fit and prediction", COST(REPORT_GRADIENTS), REPORT_THOUSANDS, 0,
     false, false},
    {"cost of a split", "cpu, s", "seconds of cpu, of fit and prediction", COST(REPORT_SECONDS), FOUR_DIGITS, 0, false, false},
    {"cost of a split", "÷ grid", "gradients over those of grid_search", COST(REPORT_GRADIENTS), 3, 0, false, true},
};

enum { MOST_COLUMNS = 20 };

typedef struct {
    const bnn_comparison *c;
    int target; /* whose scores it shows, counted from 1; 0: those of all together */
    const column *column[MOST_COLUMNS];
    int n;
    double grid; /* gradients of grid_search; 0 where there is none */
    double best[MOST_COLUMNS];
    int decimals[MOST_COLUMNS];
} table;

static double mean_of(const table *t, int engine, const column *col, double *se) {
    report_quantity what = col->of;
    if (what.of == REPORT_METRIC) what.target = t->target;
    double mean = report_mean(t->c, engine, what, se);
    return col->relative ? mean / t->grid : mean;
}

/* Finds the best of a column, and how many decimals give its largest number four digits. False: there are no numbers, as of a run that has
 * predicted nothing. */
static bool survey(table *t, int at) {
    const column *col = t->column[at];
    double largest = 0, best = NAN;
    bool any = false;
    for (int e = 0; e < t->c->n_engines; e++) {
        double mean = mean_of(t, e, col, NULL);
        any = any || !isnan(mean);
        if (!isfinite(mean)) continue;
        largest = fmax(largest, fabs(mean));
        if (isnan(best) || mean * col->better > best * col->better) best = mean;
    }
    t->best[at] = col->better && t->c->n_engines > 1 ? best : NAN;
    t->decimals[at] = col->decimals;
    if (col->decimals == FOUR_DIGITS) t->decimals[at] = report_decimals(largest);
    return any;
}

/* Several targets together have no score with a unit, and one of them has no log-likelihood. */
static bool applies(const table *t, const column *col) {
    const bnn_score *score;
    const bnn_metrics *m = t->target ? t->c->engine[0].target : t->c->engine[0].metrics;
    for (int i = 0; col->of.of == REPORT_METRIC && (score = bnn_score_at(i)); i++)
        if (score->offset == col->of.offset) return score->of & m->of;
    return !col->relative || t->grid > 0;
}

static void add_columns(table *t, const column *columns, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (!applies(t, &columns[i])) continue;
        t->column[t->n] = &columns[i];
        if (survey(t, t->n)) t->n++;
    }
}

static void plan_table(table *t, const bnn_comparison *c, int target) {
    *t = (table){.c = c, .target = target};
    for (int e = c->n_engines - 1; e >= 0; e--)
        if (strncmp(c->engine[e].label, "grid_search", 11) == 0) t->grid = report_mean(c, e, cost_columns[0].of, NULL);
    if (c->is_class)
        add_columns(t, class_columns, sizeof class_columns / sizeof *class_columns);
    else
        add_columns(t, target_columns, sizeof target_columns / sizeof *target_columns);
    if (target) return;
    if (c->engine[0].distance && c->is_class)
        add_columns(t, class_distance, sizeof class_distance / sizeof *class_distance);
    else if (c->engine[0].distance)
        add_columns(t, target_distance, sizeof target_distance / sizeof *target_distance);
    add_columns(t, cost_columns, sizeof cost_columns / sizeof *cost_columns);
}

int report_decimals(double x) { return x > 0 && isfinite(x) ? (int)fmin(9, fmax(0, 3 - floor(log10(x)))) : 3; }

void report_number(FILE *html, double x, int decimals) {
    char digits[400]; /* the largest double has 309 */
    if (isnan(x)) {
        fputs("–", html);
        return;
    }
    int n = snprintf(digits, sizeof digits, "%.*f", decimals < 0 ? 0 : decimals, fabs(x));
    if (isinf(x)) n = snprintf(digits, sizeof digits, "∞");
    if (x < 0 && (isinf(x) || strpbrk(digits, "123456789"))) fputs("−", html);
    for (int i = 0; i < n; i++)
        fprintf(html, "%s%c", decimals == REPORT_THOUSANDS && i > 0 && (n - i) % 3 == 0 ? "&#8239;" : "", digits[i]);
}

/* The first of a group has a line at its left. */
static bool starts_group(const table *t, int at) { return at == 0 || strcmp(t->column[at]->group, t->column[at - 1]->group) != 0; }

static void write_table_head(FILE *html, const table *t) {
    static const char *const arrows[] = {" ↓", "", " ↑"};
    fputs("<thead>\n<tr class=\"groups\"><td></td>", html);
    for (int i = 0, next; i < t->n; i = next) {
        for (next = i + 1; next < t->n && !starts_group(t, next);) next++;
        fprintf(html, "<th class=\"first\" scope=\"colgroup\" colspan=\"%d\">%s</th>", next - i, t->column[i]->group);
    }
    fputs("</tr>\n<tr><th scope=\"col\" class=\"who\">engine</th>", html);
    for (int i = 0; i < t->n; i++)
        fprintf(html, "<th scope=\"col\"%s>%s%s</th>", starts_group(t, i) ? " class=\"first\"" : "", t->column[i]->name,
                arrows[t->column[i]->better + 1]);
    fputs("</tr>\n</thead>\n", html);
}

static void write_cell(FILE *html, const table *t, int engine, int at) {
    const column *col = t->column[at];
    double se, mean = mean_of(t, engine, col, &se);
    bool best = mean == t->best[at];
    fprintf(html, "<td data-value=\"%.17g\"%s>%s", mean, starts_group(t, at) ? " class=\"first\"" : "", best ? "<b>" : "");
    report_number(html, mean, t->decimals[at]);
    if (best) fputs("</b>", html);
    if (col->has_se && isfinite(se)) {
        fputs("<small>± ", html);
        report_number(html, se, t->decimals[at]);
        fputs("</small>", html);
    }
    fputs("</td>", html);
}

static void write_row(FILE *html, const table *t, int engine) {
    char name[24];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(t->c->engine[engine].label, ":"), t->c->engine[engine].label);
    fprintf(html, "<tr data-engine=\"e%d\"><th scope=\"row\">", engine);
    report_chip(html, engine);
    fputs("<span class=\"name\">", html);
    report_text(html, name);
    fputs("</span></th>", html);
    for (int i = 0; i < t->n; i++) write_cell(html, t, engine, i);
    fputs("</tr>\n", html);
}

static void write_meanings(FILE *html, const table *t) {
    if (t->c->n_splits > 1)
        fputs("<p class=\"note\">Mean over splits ± its standard error.", html);
    else
        fputs("<p class=\"note\">One split, hence no standard errors.", html);
    if (t->c->n_engines > 1)
        fputs(" Arrows point to the better side, and the best mean is bold; hold differences against the standard errors.", html);
    if (t->c->engine[0].distance) {
        fputs(" Distances are from ", html);
        report_chip(html, t->c->reference);
        fputs(".", html);
    }
    fputs("</p>\n<details><summary>What the columns mean</summary>\n<dl class=\"meaning\">\n", html);
    for (int i = 0; i < t->n; i++) {
        bool coverage = strcmp(t->column[i]->group, "coverage") == 0;
        fprintf(html, "<dt>%s%s</dt><dd>%s</dd>\n", coverage ? "coverage " : "", t->column[i]->name, t->column[i]->meaning);
    }
    fputs("</dl></details>\n", html);
}

/* The table of all targets, or of one of several. */
static void write_table(FILE *html, const table *t) {
    fputs("<div class=\"wide\"><table>\n", html);
    write_table_head(html, t);
    fputs("<tbody>\n", html);
    for (int e = 0; e < t->c->n_engines; e++) write_row(html, t, e);
    fputs("</tbody></table></div>\n", html);
}

static void write_targets(FILE *html, const bnn_comparison *c) {
    for (int k = 0; !c->is_class && k < c->n_targets; k++) {
        table t;
        plan_table(&t, c, k + 1);
        fputs("<h3>Target ", html);
        if (c->target)
            report_text(html, c->target[k]);
        else
            fprintf(html, "%d", k + 1);
        fputs("</h3>\n", html);
        write_table(html, &t);
        if (k == c->n_targets - 1) write_meanings(html, &t);
    }
}

void report_section(FILE *html, const bnn_comparison *c, int number, int heading) {
    table t;
    plan_table(&t, c, 0);
    bool is_long = strlen(report_title(c)) > 60; /* runs are titled by their engine */
    fprintf(html, "<section id=\"file-%d\">\n<h%d%s>", number, heading, is_long ? " class=\"long\"" : "");
    report_text(html, report_title(c));
    fprintf(html, "</h%d>\n", heading);
    write_verdicts(html, c);
    write_facts(html, c);
    write_key(html, c);
    write_table(html, &t);
    write_meanings(html, &t);
    write_targets(html, c);
}

bnn_status report_sections(FILE *html, const char *title, char *const *file, int n,
                           bnn_status (*section)(FILE *html, const char *path, int number)) {
    bnn_status s = BNN_OK;
    report_head(html, &title, 1);
    fprintf(html, "<h1>%s</h1>\n", title);
    for (int i = 0; s == BNN_OK && i < n; i++) s = section(html, file[i], i + 1);
    report_foot(html);
    return s;
}
