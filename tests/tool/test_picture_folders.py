#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders of pictures in the place of a data file: bnn fit, predict and evaluate read what bnn import images would. Call: test_picture_folders.py PROGRAM."""
import csv
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
from pictures import write_png

CLASSES = ("dark", "light", "middle")


def png(path, width, height, value):
    """A grey picture around a value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_png(path, [[max(0, min(255, value + random.randint(-9, 9))) for _ in range(width)] for _ in range(height)])


class Folder:
    def __init__(self, program, folder):
        self.program, self.folder = str(Path(program).resolve()), Path(folder)

    def bnn(self, *words):
        done = subprocess.run([self.program, *map(str, words)], cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(map(str, words))}: {done.returncode}, {done.stderr}"
        return done.stdout + done.stderr

    def refuses(self, sentence, *words):
        done = subprocess.run([self.program, *map(str, words)], cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 2 and sentence in done.stderr, f"{' '.join(map(str, words))}: {done.returncode}, {done.stderr}"

    def gif(self, name):
        (self.folder / name).write_bytes(b"GIF89a\6\0\4\0")
        return name

    def predicted(self, *words):
        lines = subprocess.run([self.program, "predict", *map(str, words)], cwd=self.folder, capture_output=True, text=True, check=True).stdout
        return {row["path"]: row for row in csv.DictReader(lines.splitlines())}


def main(program):
    random.seed(1)
    with tempfile.TemporaryDirectory() as folder:
        f = Folder(program, folder)
        for name, value in zip(CLASSES, (30, 220, 120)):
            for i in range(20):
                png(f.folder / "train" / name / f"{i}.png", 6, 4, value)
            png(f.folder / "new" / f"{name}.png", 6, 4, value)
            png(f.folder / "large" / f"{name}.png", 12, 8, value)
            png(f.folder / "bent" / f"{name}.png", 4, 9, value)
        for i in range(5):  # of one class alone, which is not the first
            png(f.folder / "test" / "light" / f"{i}.png", 6, 4, 220)
        fit = ("--net", "flatten; dense:6; tanh; dense", "-e", "map:epochs=300,lr=0.02", "-S", "1")
        f.bnn("import", "images", "train", "--test", "test", "-o", "data.h5")
        f.bnn("fit", "-d", "data.h5", "--split", "0", *fit, "-o", "run.h5")
        assert "accuracy             1.0000" in f.bnn("evaluate", "run.h5", "-d", "test")
        f.bnn("shift", "data.h5", "--roll", "2", "-o", "rolled.h5")  # who changes rows, or goes over them alone
        assert "accuracy             1.0000" in f.bnn("evaluate", "run.h5", "-d", "rolled.h5")
        f.bnn("acquire", "run.h5", "-d", "new", "--by", "batchbald", "-n", "2")
        f.bnn("ood", "run.h5", "--in", "data.h5", "--out", "rolled.h5")
        f.bnn("attack", "run.h5", "-d", "data.h5", "--eps", "0.1", "-o", "attacked.h5")
        f.bnn("predict", "run.h5", "-d", "data.h5", "--keep", "predictive", "-o", "kept.h5")
        assert "60 rows" in f.bnn("fit", "-d", "train", *fit, "-o", "folder.h5")
        for run in "run.h5", "folder.h5":
            for where in "new", "large", "bent":
                got = f.predicted(run, "-d", where)
                assert {path: row["class"] for path, row in got.items()} == {f"{name}.png": name for name in CLASSES}, got
        assert f.predicted("run.h5", "-d", "new/light.png")["light.png"]["class"] == "light"  # one alone
        assert "classes: none" not in f.bnn("predict", "run.h5", "-d", "new")  # new pictures are not expected to tell their class
        f.refuses("table.gif: is a GIF picture, and PNG and JPEG are read: convert it", "predict", "run.h5", "-d", f.gif("table.gif"))
        assert "bent/dark.png is 4x9 and becomes 6x4, which changes its shape" in f.bnn("predict", "run.h5", "-d", "bent", "-o", "bent.csv")
        said = f.bnn("import", "images", "train", "--test", "test", "--balance", "--size", "3x2", "--range", "-o", "even.h5")
        assert "features [1x2x3]" in said, said
        assert json.loads(f.bnn("info", "--json", "even.h5"))["weight"] == 65  # as many training rows of each class: 1 each
        png(f.folder / "others" / "pink" / "1.png", 6, 4, 90)
        f.refuses("others/pink: is of a class that the fit does not know", "predict", "run.h5", "-d", "others")
        assert "out: 1 rows of others" in f.bnn("ood", "run.h5", "--in", "data.h5", "--out", "others")
        (f.folder / "table.csv").write_text("a,b,y\n" + "".join(f"{i},{i * i % 7},{i % 2}\n" for i in range(20)))
        f.bnn("fit", "-d", "table.csv", "--net", "dense", "-e", "map:epochs=2", "-o", "table.h5")
        f.refuses("new/dark.png: is a picture, and the run was fitted to rows of shape [2], not to pictures", "predict", "table.h5", "-d", "new/dark.png")
        f.refuses("new: has no data.txt, as folders of the UCI layout have, and the run was fitted to rows of shape [2], not to pictures", "predict", "table.h5", "-d", "new")


if __name__ == "__main__":
    main(sys.argv[1])
