# SPDX-License-Identifier: GPL-3.0-or-later
"""The program and the tables it is fed, for the tests in Python."""
import signal
import struct
import subprocess
import time
from pathlib import Path

import numpy as np


class Program:
    """bnn in a folder of its own: program("info", "run.h5") is what it prints."""

    def __init__(self, path, folder):
        self.path, self.folder = str(Path(path).resolve()), Path(folder)

    def __call__(self, *words):
        if "-o" in words and "--resume" not in words:  # each call writes a file of its own
            (self.folder / words[words.index("-o") + 1]).unlink(missing_ok=True)
        done = subprocess.run([self.path, *map(str, words)], cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 0, f"bnn {' '.join(map(str, words))}: exit status {done.returncode}: {done.stderr}"
        return done.stdout

    def at(self, name):
        return str(self.folder / name)

    def stop(self, out, *words):
        """A fit that is asked to end once it has written its first checkpoint."""

        def stands():
            about = (self.folder / out).stat() if (self.folder / out).exists() else None
            return about and (about.st_ino, about.st_mtime_ns)

        before = stands()
        fit = subprocess.Popen([self.path, *map(str, words), "--checkpoint-every", "0.1s", "-o", out], cwd=self.folder, stderr=subprocess.PIPE, text=True)
        until = time.monotonic() + 60
        while stands() == before and fit.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        fit.send_signal(signal.SIGTERM)
        said = fit.communicate()[1]
        assert fit.returncode == -signal.SIGTERM and "(partial)" in said, f"{out}: exit status {fit.returncode}: {said}"

    def boston(self, table, splits=3):
        self("import", "csv", Path(table).resolve(), "--target", "medv", "-o", "boston.h5")
        self("split", "boston.h5", "--kind", "pbp", "--count", splits)

    def kinds(self, n=150):
        """Three classes, one with a name that is neither ASCII nor a word."""
        random = np.random.default_rng(3)
        x = random.normal(size=(n, 4))
        kind = np.argmax(x @ random.normal(size=(4, 3)) + 0.5 * random.normal(size=(n, 3)), axis=1)
        with open(self.folder / "kinds.csv", "w", encoding="utf-8") as file:
            print("a,b,c,d,kind", file=file)
            for row, k in zip(x, kind):
                print(*(f"{v:.5f}" for v in row), ("hi", "low", "ä x")[k], sep=",", file=file)
        self("import", "csv", "kinds.csv", "--target", "kind", "-o", "kinds.h5")
        self("split", "kinds.h5", "--kind", "kfold", "--count", 5)

    def images(self, n=30, rows=5, columns=4):
        """Bytes in the format of MNIST, half of them test images; returned as (n, rows, columns), with their classes."""
        random = np.random.default_rng(4)
        pixels = random.integers(0, 256, (n, rows, columns), dtype=np.uint8)
        kind = np.arange(n, dtype=np.uint8) % 2
        halves = {"train": slice(0, n // 2), "test": slice(n // 2, n)}
        for half, of in halves.items():
            (self.folder / f"{half}.images").write_bytes(struct.pack(">4i", 0x803, len(kind[of]), rows, columns) + pixels[of].tobytes())
            (self.folder / f"{half}.labels").write_bytes(struct.pack(">2i", 0x801, len(kind[of])) + kind[of].tobytes())
        self("import", "idx", "train.images", "train.labels", "test.images", "test.labels", "-o", "images.h5")
        return pixels, kind
