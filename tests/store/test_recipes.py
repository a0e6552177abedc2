#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recipes of a page: every block of shell, Python, R and Octave is run, in order, in one folder. Call: test_recipes.py PROGRAM BOSTON_CSV PAGE REAL.

A block of ```text is what the one before it prints in a build with REAL = float. Words must be the same, numbers nearly so (another processor rounds
differently; a double build draws other numbers, so its Monte Carlo errors are others). A block whose tool is not installed is skipped
by name. Without NumPy a line that begins with 'skipped' is printed and the exit status is 77, which meson counts as skipped.
"""
import importlib.util
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

sys.dont_write_bytecode = True
if not importlib.util.find_spec("numpy"):
    print("skipped: No module named 'numpy'")
    sys.exit(77)
import numpy as np

RUNNERS = {
    "sh": (["sh", "-e"], "sh"),
    "python": ([sys.executable], "py"),
    "r": (["Rscript"], "R"),
    "octave": (["octave-cli", "--no-init-file", "--no-gui"], "m"),
}


def blocks(page):
    """(language, line of the page, code, expected output or None)"""
    found, lines, start = [], page.splitlines(), None
    for number, line in enumerate(lines, 1):
        if start is None and line.startswith("```"):
            start, language = number, line[3:]
        elif start is not None and line == "```":
            code = "\n".join(lines[start:number - 1]) + "\n"
            if language == "text":
                found[-1][3] = code
            else:
                found.append([language, start, code, None])
            start = None
    assert start is None, f"line {start}: a block that does not end"
    return found


def needs(language, code):
    """What a block is made with and is not installed."""
    if language == "python":
        return [name for name in re.findall(r"^import (\w+)", code, re.M) if not importlib.util.find_spec(name)]
    if language == "r":
        return [name for name in re.findall(r"^library\((\w+)\)", code, re.M)
                if subprocess.run(["Rscript", "-e", f"quit(status = !requireNamespace('{name}', quietly = TRUE))"], capture_output=True).returncode]
    if language == "octave" and "gnuplot" in code and not shutil.which("gnuplot"):
        return ["gnuplot"]
    if language == "sh":
        return [name for name in ("ncdump", "h5dump", "h5ls") if re.search(rf"^{name}\b", code, re.M) and not shutil.which(name)]
    return []


TOLERANCE = {"float": 0.02, "double": 0.05}


def same_output(found, expected, tolerance):
    number = re.compile(r"[-+]?\d+\.?\d*(?:e[-+]?\d+)?")
    if number.sub("#", found).split() != number.sub("#", expected).split():
        return False
    a, b = (np.array(number.findall(text), float) for text in (found, expected))
    return bool(np.all((np.abs(a - b) <= tolerance * np.abs(b)) | (np.maximum(np.abs(a), np.abs(b)) < 1e-4)))


def pixels(path):
    """The numbers of colours of a PNG with 8 bits a channel, by the bytes of its rows; proof that something was drawn."""
    data, at, packed = path.read_bytes(), 8, b""
    assert data[:8] == b"\x89PNG\r\n\x1a\n", f"{path.name} is no PNG"
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"IHDR":
            width, height = struct.unpack(">II", data[at + 8:at + 16])
        packed += data[at + 8:at + 8 + length] if kind == b"IDAT" else b""
        at += 12 + length
    return width, height, len(set(zlib.decompress(packed)))


def run(language, code, folder, environment):
    words, ending = RUNNERS[language]
    script = folder / f"recipe.{ending}"
    script.write_text(code)
    done = subprocess.run([*words, script.name], cwd=folder, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def check_block(block, folder, environment, tolerance):
    """None, or why it was skipped."""
    language, line, code, expected = block
    missing = needs(language, code) if shutil.which(RUNNERS[language][0][0]) else [RUNNERS[language][0][0]]
    if missing:
        return ", ".join(missing)
    status, out, err = run(language, code, folder, environment)
    where = f"recipe in {language} at line {line}"
    assert status == 0, f"{where}: exit status {status}\n{out}{err[-2000:]}"
    assert expected is None or same_output(out, expected, tolerance), f"{where} prints\n{out}, the page says\n{expected}"
    for picture in re.findall(r'"(\w+\.png)"', code):
        width, height, colours = pixels(folder / picture)
        assert width > 400 and height > 300 and colours > 10, f"{where}: {picture} is {width} x {height} with {colours} values"
    return None


def main(program, table, page, real):
    environment = dict(os.environ, PATH=f"{Path(program).resolve().parent}:{os.environ['PATH']}", MPLBACKEND="Agg")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "experiments/data").mkdir(parents=True)
        shutil.copy(table, folder / "experiments/data")
        ran, skipped = 0, []
        for block in blocks(Path(page).read_text()):
            if block[0] not in RUNNERS:
                continue
            missing = check_block(block, folder, environment, TOLERANCE[real])
            ran += missing is None
            skipped += [f"line {block[1]} ({block[0]}: no {missing})"] * (missing is not None)
    print(f"recipes: {ran} of {ran + len(skipped)} ran" + ("; skipped: " + ", ".join(skipped) if skipped else ""))


if __name__ == "__main__":
    main(*sys.argv[1:])
