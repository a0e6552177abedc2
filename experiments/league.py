#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The league of engines: records of its pieces, tables for docs/results.md, plots. experiments/league.sh calls it.

    league.py splits LIST INFO.json                                 the splits that A-B, K or all names, of what `bnn info --json` prints
    league.py record KIND SET ENTRY FOLDER RECORD.json              what `bnn compare --json` printed for each split, FOLDER/K.json, condensed
    league.py line RECORD.json                                      one line on it
    league.py draw                                                  docs/results/league/KIND.svg of the records there

Engines are compared on the splits that they share: the difference of two is the mean over splits of the difference of their log-likelihoods, and its standard error that of these differences.
An engine's rank on a set is 1 + the number of engines that are better by more than two standard errors, so that equals share a rank.
"""
import json
import math
import sys
from pathlib import Path

import pictures
from records import RECORDS as ALL_RECORDS, TREE, commit, date, machine

RECORDS = ALL_RECORDS / "league"
KINDS = {"standard": "Standard splits", "gap": "Gap splits", "airfoil": "Airfoil"}
FAILED = -20  # nats a row: below it an engine has failed, and something has to have said so
WIDTH, HEIGHT = 1050, 330
FAR = 2  # nats a row below the best published figure, and no point of a plot


# ---------------------------------------------------------------- records

def mean_error(x):
    mean = sum(x) / len(x)
    return mean, math.sqrt(sum((v - mean) ** 2 for v in x) / (len(x) - 1) / len(x)) if len(x) > 1 else 0


def splits(which, info):
    count = len(json.loads(Path(info).read_text())["splits"])
    first, _, last = which.partition("-")
    print("\n".join(map(str, range(count) if which == "all" else range(int(first), min(int(last or first) + 1, count)))))


def record(kind, data, entry, folder, path):
    compared = [json.loads(file.read_text()) for file in sorted(Path(folder).glob("*.json"), key=lambda file: int(file.stem))]
    engines = [one["engines"][0] for one in compared]
    fits = [engine["fits"][0] for engine in engines]
    spoken = [[f"{verdict['severity']}: {verdict['code']}" for verdict in engine["verdicts"] if verdict["severity"] != "note"] for engine in engines]
    written = {"kind": kind, "set": data, "entry": entry, "engine": engines[0]["engine"], "net": compared[0]["net"], "likelihood": compared[0]["likelihood"], "prior": compared[0]["prior"],
               "splits": [fit["split"] for fit in fits], "ll": [fit["ll"] for fit in fits], "rmse": [fit["rmse"] for fit in fits], "coverage_90": [fit["coverage_90"] for fit in fits], "verdicts": spoken,
               "gradients": sum(fit["cost"]["gradients"] for fit in fits) / len(fits), "cpu_seconds": sum(fit["cost"]["seconds_cpu"] for fit in fits) / len(fits),
               "commit": commit(), "date": date(), "machine": machine()}
    Path(path).write_text(json.dumps(written, indent=1) + "\n")


def line(path):
    one = json.loads(Path(path).read_text())
    (ll, ll_se), (rmse, _) = mean_error(one["ll"]), mean_error(one["rmse"])
    print(f"{one['kind']} {one['set']} {one['entry']}: ll {ll:.3f} ({ll_se:.3f}), rmse {rmse:.4g}, {len(one['splits'])} splits, {one['cpu_seconds']:.3g} s of cpu each"
          + (f"; {', '.join(said)}" if (said := sorted({code for codes in one["verdicts"] for code in codes})) else ""), flush=True)


def read(kind):
    """{set: {entry: record}}, sets in the order of the published table, entries from the cheapest on."""
    found = {data: {} for data in published()[kind]["best"]}
    for path in sorted(RECORDS.glob(f"{kind}-*.json")):
        one = json.loads(path.read_text())
        found[one["set"]][one["entry"]] = one
    return found


def published():
    return json.loads((TREE / "experiments/league.json").read_text())


# ---------------------------------------------------------------- ranks

def gain(a, b):
    """Mean and standard error of what a's log-likelihood is above b's on the splits that both have."""
    theirs = dict(zip(b["splits"], b["ll"]))
    shared = [ll - theirs[split] for split, ll in zip(a["splits"], a["ll"]) if split in theirs]
    return mean_error(shared) if len(shared) > 1 else (0, math.inf)


def beats(a, b):
    mean, se = gain(a, b)
    return mean > 2 * se


def ranks(entries):
    return {name: 1 + sum(beats(other, one) for other in entries.values()) for name, one in entries.items()}


# ---------------------------------------------------------------- the page

def cell(one, rank, best):
    mean, se = mean_error(one["ll"])
    text = f"{mean:.3f} ({se:.3f})" if mean > -100 else f"{mean:.0f} ({se:.0f})"
    text = f"**{text}**" if rank == 1 else text
    if min(one["ll"]) < FAILED:
        text += " fails, and says so" if failed_are_said(one) else " fails, unsaid"
    return text + (" >" if mean > best else "")


def failed_are_said(one):
    return all(codes for codes, ll in zip(one["verdicts"], one["ll"]) if ll < FAILED)


def standing(found):
    """{entry: (mean rank, mean seconds of cpu)} over the sets that have it, the best first."""
    names = sorted({name for entries in found.values() for name in entries})
    rank = {data: ranks(entries) for data, entries in found.items()}
    said = {name: tuple(mean_error(x)[0] for x in zip(*((rank[data][name], found[data][name]["cpu_seconds"]) for data in found if name in rank[data]))) for name in names}
    return dict(sorted(said.items(), key=lambda item: item[1]))


def table(found, theirs):
    lines = ["| | engine | " + " | ".join(found) + " | mean rank | s of cpu a split |", "|---|---|" + "---|" * (len(found) + 2)]
    rank = {data: ranks(entries) for data, entries in found.items()}
    for row, (name, (mean_rank, seconds)) in enumerate(standing(found).items(), 1):
        cells = [cell(found[data][name], rank[data][name], theirs["best"][data]) if name in found[data] else "" for data in found]
        lines.append(f"| {row} | `{name}` | " + " | ".join(cells) + f" | {mean_rank:.1f} | {seconds:.3g} |")
    for row in theirs["rows"]:
        cells = ["" if data not in row["ll"] else f"{row['ll'][data][0]:.3f}" + (f" ({row['ll'][data][1]:.3f})" if len(row["ll"][data]) > 1 else "") for data in found]
        lines.append(f"| | published: {row['name']} | " + " | ".join(cells) + " | | |")
    return lines


def commits(found):
    every = sorted({f"{one['commit']}, {one['date']}, {one['machine']}" for entries in found.values() for one in entries.values()})
    splits = sorted({len(one["splits"]) for entries in found.values() for one in entries.values()})
    return f"Of {splits[0]}" + (f" to {splits[-1]}" if len(splits) > 1 else "") + f" splits. Commit and machine: {'; '.join(every)}."


def section():
    """Lines of the page, none where there are no records."""
    if not any(RECORDS.glob("*.json")):
        return []
    lines = ["## League", "", "Test log-likelihood, nats a row in the units of the target, mean over splits (its standard error), of engines in `sh experiments/league.sh`, which has their settings; the entries without one are presets. **Bold**: no engine is better by more than two",
             "standard errors of the paired difference, split by split; rank: 1 + how many are. `>`: above the best figure that is published. A mean over few splits decides little. Below -20 nats a row an engine has failed; whether a verdict said so stands there.",
             f"Points of the plots have the numbers of the table; what is {FAR} nats and more below the best published figure, the dashed line, is left out.", ""]
    for kind, title in KINDS.items():
        found = {data: entries for data, entries in read(kind).items() if entries}
        if found:
            lines += [f"### {title}", "", f"{published()[kind]['text'][0].upper()}{published()[kind]['text'][1:]}.", "", *table(found, published()[kind]), "", commits(found), ""]
        if (RECORDS / f"{kind}.svg").exists():
            lines += [f"![{title}: log-likelihood against cost, set by set](results/league/{kind}.svg)", ""]
    return lines


# ---------------------------------------------------------------- plots

def panel(data, entries, best, number):
    """Commands of gnuplot: a point for each engine that is not far below the best published figure, its error bar, its number in the table; that figure as a line."""
    rows = [(one["cpu_seconds"], *mean_error(one["ll"]), number[name]) for name, one in entries.items()]
    shown = [row for row in rows if row[1] > best - FAR]
    low, high = (edge([best, *(mean + sign * se for _, mean, se, _ in shown)]) for edge, sign in ((min, -1), (max, 1)))
    room = 0.05 * max(high - low, 0.1)
    text = ["$d << END", *(f'{x} {y} {se} "{name}"' for x, y, se, name in shown), "END", f"set title '{data}'", f"set yrange [{low - room}:{high + room}]",
            f"set arrow 1 from graph 0, first {best} to graph 1, first {best} nohead lc rgb '#b8560a' dt 2",
            "plot $d using 1:2:3 with yerrorbars pt 7 ps .5 lc rgb '#075ea9' notitle, "
            "$d using 1:2:(strcol(4)) with labels left offset .4,.4 font ',10' tc rgb '#8f2200' notitle"]
    return text


def draw():
    for kind in KINDS:
        found = {data: entries for data, entries in read(kind).items() if entries}
        if not found:
            continue
        across = min(3, len(found))
        down = -(-len(found) // across)
        script = ["set logscale x", "set xlabel 's of cpu a split' offset 0,.5", "set ylabel 'log-likelihood' offset 1", "set offsets graph 0.05, graph 0.1, graph 0.05, graph 0", f"set multiplot layout {down},{across}"]
        number = {name: row for row, name in enumerate(standing(found), 1)}
        for data, entries in found.items():
            script += panel(data, entries, published()[kind]["best"][data], number)
        pictures.draw(RECORDS / f"{kind}.svg", [*script, "unset multiplot"], f"{WIDTH * across // 3},{HEIGHT * down}")


if __name__ == "__main__":
    sys.exit({"splits": splits, "record": record, "line": line, "draw": draw}[sys.argv[1]](*sys.argv[2:]))
