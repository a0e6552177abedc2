#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that is read in a loop while it is written, by stock tools: every reading finds a whole file, and that of a later step than the one before; and
a log that is followed as `tail -f` does, also through a stop and a resumed fit. Call: test_live.py PROGRAM BOSTON_CSV.

Readers that are not installed are skipped by name. Without h5py and NumPy a line that begins with 'skipped' is printed and the exit status is 77,
which meson counts as skipped.
"""
import atexit
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
try:
    import h5py
    import numpy as np
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)
from program import Program

READINGS = 60
FIT = ["fit", "-d", "boston.h5", "--net", "dense:6; relu; dense", "--threads", 1]


def by_h5py(path):
    with h5py.File(path) as file:
        numbers = [item[()] for item in file["metrics"].values()]
        assert all(np.isfinite(n).all() for n in numbers) and file["model_weights/dense_1/kernel"][()].any()
        return file.attrs["steps"]


def by_tool(*words):
    def read(path):
        done = subprocess.run([*words, path], capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(words)}: {done.stderr[-500:]}"
        return int(re.search(r"steps = (\d+)", done.stdout)[1]) if words[0] == "ncdump" else 0
    return read


READERS = {"h5py": by_h5py, "ncdump": by_tool("ncdump"), "h5dump": by_tool("h5dump"), "h5ls": by_tool("h5ls", "-r")}


def start(bnn, out, *words):
    fit = subprocess.Popen([bnn.path, *map(str, (*FIT, *words)), "-o", out], cwd=bnn.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    atexit.register(fit.kill)  # it does not end by itself where a check fails
    until = time.monotonic() + 60
    while not Path(bnn.at(out)).exists() and fit.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    return fit


def check_readers(bnn):
    """Checkpoints after every epoch, so that each reading meets several."""
    ran, skipped = [], []
    fit = start(bnn, "live.h5", "--engine", "map:epochs=1000000000", "--checkpoint-every", "1epochs")
    for name, read in READERS.items():
        if name != "h5py" and not shutil.which(name):
            skipped.append(name)
            continue
        steps, until = [read(bnn.at("live.h5")) for _ in range(READINGS)], time.monotonic() + 60
        while name not in ("h5dump", "h5ls") and steps[-1] == steps[0] and time.monotonic() < until:  # a fit that is kept from its processor or its disk
            steps.append(read(bnn.at("live.h5")))
        assert name in ("h5dump", "h5ls") or steps == sorted(steps) and steps[-1] > steps[0], f"{name}: steps {steps}"
        ran.append(name)
    with h5py.File(bnn.at("live.h5")) as file:  # who keeps it open keeps a whole one, and does not hinder the fit
        step, kernel = file.attrs["steps"], file["model_weights/dense_1/kernel"]
        before = kernel[()]
        until = time.monotonic() + 60
        while by_h5py(bnn.at("live.h5")) <= step + 3 and time.monotonic() < until:
            pass
        assert np.array_equal(kernel[()], before) and by_h5py(bnn.at("live.h5")) > step + 3
    assert fit.poll() is None, "the fit ended while it was read"
    fit.kill()
    hindered = [line for line in fit.communicate()[1].splitlines() if " of one core, by the count of its operations" not in line]
    assert not hindered, hindered
    return ran, skipped


def check_log(bnn):
    """Lines as they come; what a resumed fit does again is cut off in the same file."""
    words = ["--engine", "mc_dropout:epochs=3000", "--log", "log", "--checkpoint-every", "100epochs", "--resume"]
    fit = start(bnn, "logged.h5", *words)
    with open(bnn.at("log")) as log:
        first = json.loads(log.readline())
        assert first["step"] == 1 and first["nll"] > 0, first
        fit.kill()
        fit.communicate()
        at = len(log.read().splitlines()) + 1
        with open(bnn.at("log"), "a") as torn:
            torn.write('{"step":2}')  # a line without its end, and one of a step that is done again, is no line
        inode = Path(bnn.at("log")).stat().st_ino
        bnn(*FIT, *words, "-o", "logged.h5")
        assert Path(bnn.at("log")).stat().st_ino == inode, "the log is another file: who follows it is left behind"
        log.seek(0)
        steps = [json.loads(line)["step"] for line in log]
    assert steps == list(range(1, 3001)), f"steps from {steps[0]} to {steps[-1]}, {len(steps)} of them; killed after {at}"


def main(program, table):
    with tempfile.TemporaryDirectory() as folder:
        bnn = Program(program, folder)
        bnn.boston(table)
        ran, skipped = check_readers(bnn)
        check_log(bnn)
        print(f"{READINGS} readings each while it is written: {', '.join(ran)}" + ("; skipped: " + ", ".join(skipped) if skipped else ""))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
