#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages whose commands are run: test_pages.py BUILD REAL PAGE...

Of each page every command of its ```sh blocks ("$ command", then what it prints) is run in one shell, in an empty home. A page that walks through
a plugin begins with `meson install`; the pieces of C between its commands are put together to the file that it has the reader write, up to the line that makes it a plugin, and
are those of the same file in tests/plugins. On every other page `bnn` is the program of the build, and a piece of C is the file that the next command compiles. What a command prints is that of the page: "..." stands for any lines, numbers with a decimal point or five
digits, and all numbers of what a fit cost or of a broken rule, may be others (in a build with REAL = double all numbers), as may hashes and verdicts. A command ends with status 0; with 124 where `timeout` ends it, else with 2 where the
page has a sentence that begins with "bnn: ". After pages of plugins the same of both templates, with the commands of their README. Exit status 77 is a skipped test, as meson has it.
"""
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
BUILD, REAL = Path(sys.argv[1]).resolve(), sys.argv[2]
TREE = Path(__file__).resolve().parent.parent
MARK = "@@status "
# Sends the signal once the program listens to all that a fit does (SIGALRM is the last) and has had a moment for its first steps: a second is none to a slow machine, and all that a fast one needs.
TIMEOUT = """timeout() {
    shift 2
    "$@" &
    until grep -q '^SigCgt:.*[2367abef]...$' /proc/$!/status; do sleep 0.01; done
    sleep 0.1
    kill -INT $!
    wait $!
    [ $? = 130 ] && return 124
}"""


def fences(page):
    """(language, text) of each block of a page."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", page, re.M | re.S)


def steps(page):
    """(command, expected lines) and (file, text) in the order of the page."""
    found, name, code, program = [], None, "", None
    for language, text in fences(page):
        if language == "sh":
            for line in text.splitlines():
                compiled = re.match(r"\$ cc (\w+\.c) ", line)
                if compiled and program:
                    found.append((compiled[1], program))
                if line.startswith("$ "):
                    found.append((line[2:], []))
                else:
                    found[-1][1].append(line)
        else:
            assert not re.search(r"^\$ ", text, re.M), f"a command outside of ```sh: {text.splitlines()[0]}"
        starts = re.match(r"/\* SPDX.*\n \*\n \* (\w+): ", text)
        if language == "c" and "int main(" in text:
            program = text
        if language == "c" and (name or (starts and not code)):
            name, code = name or starts[1], code + ("\n" if code else "") + text
            if "_PLUGIN(" in text:
                found.append((f"{name}.c", code))
                name = None
    return found


def script(walk):
    lines = ["meson() { if [ \"$1\" = install ]; then command meson \"$@\" --no-rebuild --quiet; else command meson \"$@\"; fi; }", TIMEOUT]
    for what, text in walk:
        if isinstance(text, str):
            lines.append(f"cat >{what} <<'END_OF_FILE'\n{text}END_OF_FILE")
        else:
            lines.append(f"{what}\necho '{MARK}'$?")
    return "\n".join(lines) + "\n"


def masked(line):
    cost = re.match(r"(fit|prediction|network|engine): |\d+ rows, ", line) or " MB" in line or " FAIL  '" in line or " after step " in line
    number = r"[-+]?\b\d+(\.\d+)?(e[-+]?\d+)?\b" if REAL == "double" or cost else r"[-+]?\b(\d+\.\d+(e[-+]?\d+)?|\d{5,})\b"
    return " ".join(re.sub(number, "#", re.sub(r"\b[0-9a-f]{12,64}\b", "#", line)).split())


def is_verdict(line):
    """A verdict rests on digits that differ between processors and builds, so whether it is said may, too."""
    return re.match(r"(    split \d+: )?(note|warning|bad): |verdict: |the chains of ", line) is not None


def matches(printed, expected):
    """Whether the lines are those of the page, but for verdicts."""
    pattern = "".join(r"(.*\n)*" if line == "..." else re.escape(masked(line)) + "\n" for line in expected if not is_verdict(line))
    return re.fullmatch(pattern, "".join(masked(line) + "\n" for line in printed if not is_verdict(line))) is not None


def run(walk, home, installs):
    """The shell's output by commands: (lines, status). `bnn` is that of the build unless the commands install it."""
    path = os.environ["PATH"] if installs else f"{BUILD}:{os.environ['PATH']}"
    uninstalled = {} if installs else {"PKG_CONFIG_PATH": str(BUILD / "meson-uninstalled"), "LD_LIBRARY_PATH": str(BUILD / "framework")}
    environment = {**uninstalled, "HOME": str(home), "PATH": path, "LC_ALL": "C", "OPENBLAS_CORETYPE": os.environ.get("OPENBLAS_CORETYPE", "Haswell"),
                   "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    for name in ("CC", "LD_PRELOAD", "BNN_SIMD"):
        if name in os.environ:
            environment[name] = os.environ[name]
    (home / "bnn.tree").mkdir()
    for name, target in (("build", BUILD), ("experiments", TREE / "experiments")):
        (home / "bnn.tree" / name).symlink_to(target)
    done = subprocess.run(["sh", "-c", script(walk)], cwd=home / "bnn.tree", env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    parts = re.split(rf"^{MARK}(\d+)\n", done.stdout, flags=re.M)
    return [(parts[i].splitlines(), int(parts[i + 1])) for i in range(0, len(parts) - 1, 2)]


def walk_through(name, walk, installs=True):
    """Runs it and counts what is not as the page says."""
    wrong = 0
    with tempfile.TemporaryDirectory() as home:
        outcome = run(walk, Path(home), installs)
    commands = [(what, text) for what, text in walk if not isinstance(text, str)]
    assert len(outcome) == len(commands), f"{name}: {len(outcome)} of {len(commands)} commands were run"
    for (command, expected), (printed, status) in zip(commands, outcome):
        ends = 124 if command.startswith("timeout ") else 2 if any(line.startswith("bnn: ") for line in expected) else 0
        if status != ends:
            print(f"{name}: `{command}` ended with status {status}:", *printed[-8:], sep="\n    ")
            wrong += 1
        elif expected and not matches(printed, expected):
            print(f"{name}: `{command}` printed", *printed, "in place of", *expected, sep="\n    ")
            wrong += 1
    print(f"{name}: {len(commands)} commands, {wrong} not as they should be")
    return wrong


def plugin_steps(path):
    page = Path(path).read_text()
    walk = steps(page)
    files = [(what, text) for what, text in walk if isinstance(text, str)]
    assert len(files) == 1, f"{path} has {len(files)} files to write"
    assert files[0][1] == (TREE / "tests/plugins" / files[0][0]).read_text(), f"{path}: {files[0][0]} is not that of tests/plugins"
    outside = [line for line in re.sub(r"^```.*?^```$", "", page, flags=re.M | re.S).splitlines() if re.match(r"    +(\$|bnn|ninja|meson|make|sed) ", line)]
    assert not outside, f"{path}: a command that is not run: {outside[0]}"
    return walk


def template_steps(kind, install):
    """The README of a template, in the folder that is written: a name that meson has for itself. Warnings are errors."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([BUILD / "bnn", f"new-{kind}", "test", "-o", folder + "/test"], check=True, stdout=subprocess.DEVNULL)
        readme = Path(folder, "test/README.md").read_text()
    commands = [line for language, text in fences(readme) for line in text.splitlines()]
    assert len(commands) > 8
    first = [f"bnn new-{kind} test", "cd test", "make -s CFLAGS='-O2 -Wall -Wextra -Wconversion -Wno-sign-conversion -Wshadow -Wpedantic -Werror'", "make clean"]
    last = ["test $(wc -l <answer.csv) = 13", "bnn info --lint fit.h5 --plugin ./test.so"]
    return install + [(command, []) for command in first + commands + last]


def main():
    if b"__asan_init" in (BUILD / "framework/libbnn.so").read_bytes():
        print("skipped: a library with sanitizers is not for others")
        return 77
    for tool in ("meson", "make", "pkg-config", shlex.split(os.environ.get("CC", "cc"))[0]):
        if not shutil.which(tool):
            print(f"skipped: no {tool}")
            return 77
    wrong, install = 0, None
    for path in sys.argv[3:]:
        walk = steps(Path(path).read_text())
        installs = walk[0][0].startswith("meson install")
        if installs:
            walk = plugin_steps(path)
            install = walk[:next(i for i, (what, _) in enumerate(walk) if what.startswith("bnn "))]
        wrong += walk_through(Path(path).name, walk, installs)
    for kind in ("layer", "engine") if install else ("likelihood", "prior", "optimizer"):
        wrong += walk_through(f"README of a new {kind}", template_steps(kind, install or []), bool(install))
    return wrong > 0


sys.exit(main())
