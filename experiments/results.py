#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Experiments, their claims and the records of their runs; docs/results.md is made of them.

    results.py page [--check]       writes the page; --check: exit status 1 if it differs from what the files give
    results.py list [NAME[:RUN]...]     the runs there are, their minutes on two cores
    results.py data [NAME[:RUN]...]     names of the prepared data files that they need
    results.py run NAME:RUN... --data FOLDER --out FOLDER [--programs FOLDER] [--again]

A run's record is OUT/NAME/RUN.json, what it printed OUT/NAME/RUN.txt. One of the same commit is not run again unless --again says so. experiments/reproduce.sh
calls this after it has built the programs and prepared the data. The league's part of the page: league.py. What a claims file says: docs/results.md, at its end.
"""
import argparse
import json
import math
import os
import re
import resource
import shlex
import subprocess
import sys
import time
from pathlib import Path

import league
from records import RECORDS, TREE, commit, date, machine

CLAIMS, PAGE = TREE / "experiments/claims", TREE / "docs/results.md"
KINDS = {"published", "at_least", "at_most"}
KNOWN = KINDS | {"run", "value", "text", "published_se", "where", "better", "within", "not_comparable"}


# ---------------------------------------------------------------- claims

def fail(sentence):
    sys.exit(f"results.py: {sentence}")


def read_claims():
    """{name: claims file}, each looked through."""
    found = {}
    for path in sorted(CLAIMS.glob("*.json")):
        try:
            claims = json.loads(path.read_text())
        except json.JSONDecodeError as error:
            fail(f"{path.name}: is no JSON: {error}")
        runs = [run["name"] for run in claims["runs"]]
        if claims["experiment"] != path.stem or len(set(runs)) < len(runs):
            fail(f"{path.name}: its experiment is called like the file, and each run has a name of its own")
        for claim in claims["claims"]:
            what = f"{path.name}: claim on '{claim.get('value')}' of run '{claim.get('run')}'"
            if claim["run"] not in runs:
                fail(f"{what}: there is no such run")
            if set(claim) - KNOWN or len(KINDS & set(claim)) != 1 or not {"text", "where"} <= set(claim):
                fail(f"{what}: takes run, value, text, where and one of published, at_least, at_most; with published: published_se, better, within, not_comparable")
        found[path.stem] = claims
    return found


def chosen(claims, wanted):
    """(name, run) of each NAME or NAME:RUN; all where none is named."""
    picked = []
    for text in wanted or claims:
        name, _, only = text.partition(":")
        runs = [run for run in claims.get(name, {"runs": []})["runs"] if only in ("", run["name"])]
        if not runs:
            fail(f"no run '{text}': `sh experiments/reproduce.sh --list` names them")
        picked += [(name, run) for run in runs]
    return picked


# ---------------------------------------------------------------- runs

def parse(text):
    """{name: number} of lines "name number"; those that begin with # are comments."""
    values = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            try:
                name, number = line.split()
                values[name] = float(number)
            except ValueError:
                fail(f"'{line}' is neither a comment nor a name with a number")
    return values


def run_one(name, run, options):
    folder = Path(options.out).resolve() / name
    record = folder / f"{run['name']}.json"
    of = commit()
    if record.exists() and not options.again and json.loads(record.read_text())["commit"] == of:
        print(f"{name}:{run['name']}: there already, of this commit")
        return True
    folder.mkdir(parents=True, exist_ok=True)
    places = {"{data}": str(Path(options.data).resolve()), "{out}": str(folder), "{tree}": str(TREE)}
    arguments = [re.sub(r"\{\w+\}", lambda place: places[place[0]], word) for word in shlex.split(run["arguments"])]
    print(f"{name}:{run['name']}: about {run['minutes']} minutes on two cores", flush=True)
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run([Path(options.programs).resolve() / name, *arguments], stdout=subprocess.PIPE, text=True)
    after, seconds = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - start
    if done.returncode != 0:
        print(f"{name}:{run['name']}: failed, exit status {done.returncode}", file=sys.stderr)
        return False
    (folder / f"{run['name']}.txt").write_text(done.stdout)
    written = {"experiment": name, "run": run["name"], "command": f"build/experiments/{name} {run['arguments']}".strip(), "values": parse(done.stdout),
               "seconds": round(seconds, 1), "cpu_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1),
               "commit": of, "date": date(), "machine": machine(), "cores": len(os.sched_getaffinity(0))}
    record.with_suffix(".new").write_text(json.dumps(written, indent=1) + "\n")
    record.with_suffix(".new").rename(record)
    return True


# ---------------------------------------------------------------- verdicts

def verdict(claim, values):
    """In words, by rule; (word, whether the claim is met: None where that cannot be said)."""
    ours = values.get(claim["value"])
    if ours is None:
        return "not run", None
    if "not_comparable" in claim:
        return f"not comparable: {claim['not_comparable']}", None
    if "at_least" in claim or "at_most" in claim:
        holds = claim.get("at_least", -math.inf) <= ours <= claim.get("at_most", math.inf)
        return ("holds" if holds else "fails"), holds
    distance = ours - claim["published"]
    if "within" in claim:
        inside = abs(distance) <= claim["within"] + 1e-12
        return f"{'within' if inside else 'outside'} {number(claim['within'])}", inside
    se = math.hypot(claim.get("published_se", 0), values.get(claim["value"] + "_se", 0))
    if abs(distance) <= 2 * se:
        return "within 2 se", True
    if "better" not in claim:
        return ("outside 2 se", False) if se else ("no error is known", None)
    better = (distance > 0) == (claim["better"] == "higher")
    return ("better" if better else "worse"), better


def number(x):
    if x == int(x) and abs(x) < 1e15:
        return f"{x:.0f}"
    return f"{x:.0f}" if abs(x) >= 1000 else f"{x:.4g}"


def with_error(x, se):
    return number(x) + (f" ({se:.2g})" if se else "")


# ---------------------------------------------------------------- the page

def read_records(claims):
    """{(name, run): record} of docs/results, each with claims on it."""
    records = {}
    for path in sorted(RECORDS.glob("*/*.json")):
        if path.parent.name == "league":
            continue
        record = json.loads(path.read_text())
        name, run = path.parent.name, path.stem
        if (record["experiment"], record["run"]) != (name, run) or run not in [run["name"] for run in claims.get(name, {"runs": []})["runs"]]:
            fail(f"{path.relative_to(TREE)}: no claims file has this run")
        for claim in claims[name]["claims"]:
            if claim["run"] == run and claim["value"] not in record["values"]:
                fail(f"{path.relative_to(TREE)}: has no value '{claim['value']}', of which experiments/claims/{name}.json has a claim")
        records[name, run] = record
    return records


def bound(claim):
    if "published" in claim:
        return with_error(claim["published"], claim.get("published_se"))
    return f"at least {number(claim['at_least'])}" if "at_least" in claim else f"at most {number(claim['at_most'])}"


def section(name, claims, records):
    lines = [f"## {name}", "", f"{claims['source']}.", "", claims["protocol"], "", "| claim | published | ours (se) | verdict | where it is published |", "|---|---|---|---|---|"]
    for claim in claims["claims"]:
        values = records.get((name, claim["run"]), {"values": {}})["values"]
        ours = with_error(values[claim["value"]], values.get(claim["value"] + "_se")) if claim["value"] in values else ""
        lines.append(f"| {claim['text']} | {bound(claim)} | {ours} | {verdict(claim, values)[0]} | {claim['where']} |")
    lines += ["", "| run | command | minutes | of cpu | gradients | commit | machine |", "|---|---|---|---|---|---|---|"]
    for run in claims["runs"]:
        record = records.get((name, run["name"]))
        command = f"build/experiments/{name} {run['arguments']}".strip().replace("|", "\\|")
        if record is None:
            lines.append(f"| {run['name']} | `{command}` | about {number(run['minutes'])} | | | not run | |")
            continue
        gradients = record["values"].get("gradients")
        lines.append(f"| [{run['name']}](results/{name}/{run['name']}.json) | `{record['command'].replace('|', chr(92) + '|')}` | {record['seconds'] / 60:.1f} | {record['cpu_seconds'] / 60:.1f} "
                     f"| {number(gradients) if gradients else ''} | {record['commit']}, {record['date']} | {record['machine']}, {record['cores']} core{'s' if record['cores'] > 1 else ''} |")
    lines.append("")
    for picture in sorted((RECORDS / name).glob("*.svg")):
        lines += [f"![{name}: {picture.stem}](results/{name}/{picture.name})", ""]
    return lines


HEAD = """# Results

Made by `python3 experiments/results.py page` of the claims in [experiments/claims](../experiments/claims) and the records in [results](results); no figure is typed here, and the test `results` fails if the page differs from what the files give.
`sh experiments/reproduce.sh NAME:RUN` runs one again, `sh experiments/reproduce.sh all --keep` everything, and renews records and page. `{data}` is the folder of prepared data files that it makes.

Verdicts, by rule: *within 2 se* of the difference, whose error is that of both figures, as far as they are known; *better* or *worse* beyond, *no error is known* where that is not to be said; *within* or *outside* a tolerance that the paper or the issue gives; *holds* or *fails*, of a bound; *not comparable*, and why; *not run*.
"""

TAIL = """## What a claims file says

One for each experiment, `experiments/claims/NAME.json`: `experiment`, `source`, `protocol`; `runs`, each with `name`, `arguments` (`{data}`, `{out}`, `{tree}` are folders) and about how many `minutes` it takes on two cores; `claims`, each with the `run`
and the `value` that it is about (what the experiment prints as `value NUMBER`; its standard error is the line `value_se NUMBER`), a `text`, `where` it is published, and `published` with `published_se`, `within` or `better`, or `at_least`, or `at_most`; `not_comparable` says why not.
"""


def make_page():
    claims = read_claims()
    records = read_records(claims)
    table, short = [], []
    for name, one in claims.items():
        said = [(claim, *verdict(claim, records.get((name, claim["run"]), {"values": {}})["values"])) for claim in one["claims"]]
        count = [sum(met is True for *_, met in said), sum(met is False for *_, met in said), sum(word.startswith("not comp") for _, word, _ in said), sum(word == "not run" for _, word, _ in said)]
        table.append(f"| {name} | {len(said)} | " + " | ".join(str(n or "") for n in count) + " |")
        short += [f"- {name}, {claim['text']}: {word}" for claim, word, met in said if met is False]
    lines = [HEAD, "| experiment | claims | met | not met | not comparable | not run |", "|---|---|---|---|---|---|", *table, ""]
    lines += (["Not met:", "", *short, ""] if short else [])
    for name, one in claims.items():
        lines += section(name, one, records)
    return "\n".join(lines + league.section() + [TAIL])


def page(check):
    text = make_page()
    if not check:
        PAGE.write_text(text)
    elif not PAGE.exists() or PAGE.read_text() != text:
        fail("docs/results.md is not what the files give: `python3 experiments/results.py page` renews it")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["page", "list", "data", "run"])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--data", default=TREE / "build/results/data")
    parser.add_argument("--out", default=TREE / "build/results")
    parser.add_argument("--programs", default=TREE / "build/experiments")
    options = parser.parse_args()
    if options.what == "page":
        return page(options.check)
    runs = chosen(read_claims(), options.names)
    if options.what == "list":
        print("\n".join(f"{name}:{run['name']}\t{number(run['minutes'])}" for name, run in runs))
    elif options.what == "data":
        print("\n".join(sorted({file for _, run in runs for file in re.findall(r"\{data\}/(\w+)\.h5", run["arguments"])})))
    else:
        return not all([run_one(name, run, options) for name, run in runs])


if __name__ == "__main__":
    sys.exit(main())
