#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts of the house, and limits that hold: counts.py [BUILD], a build folder (default: build) whose object files are up to date.

The order of rooms is that of the one table in tests/lint.sh. A file's room is the longest folder of the table that it is in, a public header's is the one that owns it; inside
framework/ a folder without a line of its own, or of one type a file, belongs to the room around it. layers/ and inference/ stand above the highest room of which they may include a header.
An arrow up goes from a file to one of a higher room: by #include, or because the object file of the one asks for a name bnn_... that the object file of the other defines.
Two places are a pair where six or more lines in a row are equal; blanks, comments, #include and lines of punctuation alone are left out. A longer run is one pair, three equal
places are three. Lines have the same shape that become equal when each name is `x`, each number and string `0`; of those, what is counted is shapes of six lines in a row, inside
framework/, that are there more than once.
Exit status 1: a limit is broken.
"""
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent
ALIKE = 6
KEYWORDS = set("""auto bool break case char const continue default do double else enum extern float for goto if inline int long return short signed sizeof static
    struct switch typedef union unsigned void while""".split())


# ---------------------------------------------------------------- rooms

def read_rooms():
    """{folder: its place from the ground up}, {public header: folder}, of the table in tests/lint.sh."""
    table = re.search(r"^rooms='\n(.*?)^'$", (TREE / "tests/lint.sh").read_text(), re.M | re.S)[1]
    rank, owner = {}, {}
    for line in table.splitlines():
        folder, own, may, _ = (part.strip() for part in line.split("|"))
        if own != "-":
            rank[folder] = len(rank)
            owner.update({header: folder for header in own.split()})
        elif not folder.startswith(("framework/", "tests/")):
            rank[folder] = 0.5 + max(rank[owner[header.removesuffix(".h")]] for header in may.split() if header.removesuffix(".h") in owner)
    return rank, owner


RANK, OWNER = read_rooms()


def room(file):
    if file.startswith("framework/include/bnn/"):
        return OWNER.get(Path(file).stem)
    return next((str(folder) for folder in Path(file).parents if str(folder) in RANK), None)


def upward(arrows):
    """Those of the pairs of files that go to a higher room."""
    return sorted((a, b) for a, b in arrows if room(a) and room(b) and RANK[room(b)] > RANK[room(a)])


def circles(arrows):
    """Sets of files of which each is reached from each."""
    after = defaultdict(set)
    for a, b in arrows:
        after[a].add(b)

    def reached(start):
        found, open_ = set(), [start]
        while open_:
            new = after[open_.pop()] - found
            found |= new
            open_ += new
        return found

    reach = {a: reached(a) for a in list(after)}
    return {frozenset(b for b in reach[a] if a in reach.get(b, ())) for a in reach if a in reach[a]}


# ---------------------------------------------------------------- arrows

def sources():
    return sorted(str(path.relative_to(TREE)) for top in ("framework", "layers", "inference") for path in (TREE / top).rglob("*.[ch]"))


def included(files):
    known = set(files)
    for file in files:
        for kind, name in re.findall(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)', (TREE / file).read_text(), re.M):
            beside = [f"framework/include/{name}"] if kind == "<" else [str(Path(file).parent / name), f"framework/{name}"]
            yield from ((file, other) for other in beside if other in known)


def called(build):
    """(file that asks for a symbol, file that defines it) of the object files of the library, the suites and the program."""
    defines, asks = defaultdict(set), []
    for command in json.loads((build / "compile_commands.json").read_text()):
        file = (Path(command["directory"]) / command["file"]).resolve()
        if not file.is_relative_to(TREE) or not room(str(file.relative_to(TREE))) or command["output"].startswith(("tests/", "experiments/")):
            continue
        file = str(file.relative_to(TREE))
        for line in subprocess.run(["nm", "-P", build / command["output"]], check=True, capture_output=True, text=True).stdout.splitlines():
            name, kind = line.split()[:2]
            if kind == "U":
                asks.append((file, name))
            elif kind.isupper() and name.startswith("bnn_"):
                defines[name].add(file)
    return {(file, other) for file, name in asks for other in defines[name] if other != file}


# ---------------------------------------------------------------- places that are alike

def lines_of(file, shape):
    """The lines that count."""
    for line in re.sub(r"/\*.*?\*/|//[^\n]*", "", (TREE / file).read_text(), flags=re.S).splitlines():
        if shape:
            line = re.sub(r'"(\\.|[^"\\])*"|\'(\\.|[^\'\\])*\'|\b\d[\w.]*', "0", line)
            line = re.sub(r"\b[A-Za-z_]\w*", lambda name: name[0] if name[0] in KEYWORDS else "x", line)
        line = re.sub(r"\s+", "", line)
        if re.search(r"\w", line) and not line.startswith("#include"):
            yield line


def runs(files, shape=False):
    """{six lines in a row: their places (file, number of the line that counts)}"""
    places = defaultdict(list)
    for file in files:
        lines = list(lines_of(file, shape))
        for i in range(len(lines) - ALIKE + 1):
            places[tuple(lines[i:i + ALIKE])].append((file, i))
    return places


def pairs(places):
    """Pairs of places where equal lines begin."""
    equal = {pair for same in places.values() for pair in combinations(same, 2)}
    return sum(((a, i - 1), (b, k - 1)) not in equal for (a, i), (b, k) in equal)


# ---------------------------------------------------------------- all of it

def stripped(library):
    with tempfile.NamedTemporaryFile() as out:
        subprocess.run(["strip", "-o", out.name, library], check=True)
        return Path(out.name).stat().st_size


def rooms_of_library(build):
    """Bytes of code and data in the object files of libbnn, by room; those of the inner loops by instruction set."""
    sizes = Counter()
    for command in json.loads((build / "compile_commands.json").read_text()):
        target = re.match(r"framework/(?:lib(?:bnn|cold)|kernels/libkernels_?(\w*))\.", command["output"])
        if target:
            file = (Path(command["directory"]) / command["file"]).resolve()
            inside = room(str(file.relative_to(TREE))) if file.is_relative_to(TREE) else None
            code, data = subprocess.run(["size", build / command["output"]], check=True, capture_output=True, text=True).stdout.splitlines()[1].split()[:2]
            sizes[" ".join(filter(None, (inside or "framework/types", target[1])))] += int(code) + int(data)
    return sizes


def main(build):
    files = sources()
    framework = [file for file in files if file.startswith("framework/")]
    folders = Counter(str(path.parent.relative_to(TREE)) for path in (TREE / "framework").rglob("*") if path.is_file())
    del folders["framework/include/bnn"]
    direct = folders.pop("framework")
    largest, most = folders.most_common(1)[0]
    includes, calls = set(included(files)), called(build)
    broken = []

    def say(what, number, limit=None, which=()):
        print(f"{what:<66}{number:>9}" + ("" if limit is None else f"   at most {limit}"))
        for one in which:
            print("    " + one)
        if limit is not None and number > limit:
            broken.append(what)

    in_circles = circles(includes)
    by_include, by_call = upward(includes), upward(calls)
    say("files directly in framework/", direct, 4)
    say(f"files in the largest folder: {largest}", most, 16)
    say("circles of files by includes", len(in_circles), 0, [" ".join(sorted(circle)) for circle in in_circles])
    say("arrows up by includes", len(by_include), 0, [f"{a} -> {b}" for a, b in by_include])
    say("arrows up by calls", len(by_call), 0, [f"{a} -> {b}" for a, b in by_call])
    by_calls = circles(calls)
    say("circles of files by calls", len(by_calls))
    say("    files in them", sum(map(len, by_calls)))
    for name in ("libbnn.so", "libbnn_check.so"):
        for library in build.rglob(name):
            say(f"stripped {name}, kB", round(stripped(library) / 1000))
    print("code and data of libbnn by room, kB:", ", ".join(f"{name} {round(size / 1000)}" for name, size in rooms_of_library(build).most_common()))
    say("lines of framework/, *.c and *.h", sum(len((TREE / file).read_text().splitlines()) for file in framework))
    say("public headers", sum(file.startswith("framework/include/bnn/") for file in files))
    say("pairs of places with six equal lines", pairs(runs(files)))
    say("shapes of six lines that are there more than once", sum(len(same) > 1 for same in runs(framework, shape=True).values()))
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else TREE / "build").resolve()))
