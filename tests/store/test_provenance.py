#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What files say of where they came from, held against what is so: the machine, the build, the libraries that are loaded, the command, which is run
again, and the data. Call: test_provenance.py PROGRAM BOSTON_CSV.

Without h5py a line that begins with 'skipped' is printed and the exit status is 77, which meson counts as skipped.
"""
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path

sys.dont_write_bytecode = True
try:
    import h5py
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)
from program import Program

TOP = Path(__file__).resolve().parent.parent
NET = "dense:6; relu; dense"
SEED = 2**63 - 1


def attributes(path, group="provenance"):
    with h5py.File(path) as file:
        return dict(file[group].attrs)


def said(*words):
    done = subprocess.run(words, cwd=TOP, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def check_build(p, build):
    commit = said("git", "-c", f"safe.directory={TOP}", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?" if commit else "unknown", p["git_commit"]), p["git_commit"]
    options = {option["name"]: option["value"] for option in json.loads(said("meson", "introspect", "--buildoptions", str(build)) or "[]")}
    for name, flag in (("c_std", "-std={}"), ("optimization", "-O{}")) if options else ():
        assert flag.format(options[name]) in p["cflags"].split(), p["cflags"]
    for flag in options.get("c_args", []):
        assert flag in p["cflags"].split(), (flag, p["cflags"])
    assert ("-fsanitize=" in p["cflags"]) == (options.get("b_sanitize", "none") != "none"), p["cflags"]
    assert "-ffp-contract=off" in p["cflags"] and re.search(r"\d+\.\d+", p["compiler"]), p
    assert p["version"] == said(str(build / "bnn"), "--version").split()[1]


def check_libraries(p, program):
    """The versions are those of the files that the loader takes, where their names tell them."""
    versions = json.loads(p["library_versions_json"])
    assert {"hdf5", "gsl", "jansson", "zlib", "nettle", "sleef", "libc"} < set(versions) and {"onednn", "reference"} & set(versions), versions
    assert all(re.match(r"\d+\.\d+", version) for version in versions.values()), versions
    loaded = dict(re.findall(r"lib(\w+)\.so\S* => (\S+)", said("ldd", program.path)))
    for library, name in (("zlib", "z"), ("sleef", "sleef")):
        found = re.search(r"\.so\.(\d+\.\d+\.\d+)$", os.path.realpath(loaded[name]))
        assert not found or found[1] == versions[library], (library, found[1], versions)
    assert versions["libc"] == os.confstr("CS_GNU_LIBC_VERSION").split()[1], versions


def check_machine(p):
    about = Path("/proc/cpuinfo").read_text()
    cpu = re.search(r"^model name\s*: (.*)$", about, re.M)
    assert p["cpu"] == (cpu[1] if cpu else "unknown"), p["cpu"]
    assert (p["os"], p["os_release"]) == (os.uname().sysname, os.uname().release)
    assert p["instructions"] == ("avx512" if "avx512vl" in about else "avx2" if "avx2" in about else "base"), p["instructions"]


def check_times(p, before):
    start, end = (datetime.strptime(p[name], "%Y-%m-%dT%H:%M:%S%z") for name in ("started_at", "finished_at"))
    assert before - timedelta(seconds=1) <= start <= end <= datetime.now(timezone.utc) + timedelta(seconds=1), p


def check_data(p, bnn):
    assert p["data_path"] == "boston.h5"
    assert p["data_sha256"] == hashlib.sha256(Path(bnn.at("boston.h5")).read_bytes()).hexdigest()


def check_run(bnn):
    before = datetime.now(timezone.utc)
    odd = "it's $HOME & \"so\".h5"
    words = ["fit", "-d", "boston.h5", "--net", NET, "--engine", "mc_dropout:epochs=5", "--seed", SEED, "--threads", 1, "--samples", 7, "-o", odd]
    bnn(*words)
    p, root = attributes(bnn.at(odd)), attributes(bnn.at(odd), "/")
    assert shlex.split(p["command"]) == ["bnn", *map(str, words)], p["command"]
    assert p["threads"] == 1 and root["seed"] == SEED and root["seed_text"] == str(SEED) and root["status"] == "complete"
    assert root["net"] == "input; dropout:p=0.01; dense:units=6,bias=yes,init=he; relu; dropout:p=0.01; dense:units=0,bias=yes,init=he"
    assert root["engine"].startswith("mc_dropout:p=0.01,gates=bernoulli,") and root["likelihood"] and root["prior"]
    assert json.loads(root["model_spec_json"])
    check_build(p, Path(bnn.path).parent)
    check_libraries(p, bnn)
    check_machine(p)
    check_times(p, before)
    check_data(p, bnn)
    with h5py.File(bnn.at(odd)) as file:
        assert file["cost/gradients"][()] == 20 and file["cost/flops"][()] > 0 and file["provenance/seconds_wall"][()] > 0
        assert file["provenance/peak_bytes"][()] > 1e6
    os.rename(bnn.at(odd), bnn.at("first.h5"))
    subprocess.run(p["command"].replace("bnn", shlex.quote(bnn.path), 1), shell=True, cwd=bnn.folder, check=True, capture_output=True)
    assert "are equal, provenance apart" in bnn("diff", "first.h5", odd), "the command, run again by a shell"


def check_long_command(bnn):
    """Also a command of many kilobytes is there to its last letter."""
    words = ["predict", "first.h5", "--samples", *["7", "--samples"] * 1000, 7, "-o", "p.h5"]
    bnn(*words)
    assert shlex.split(attributes(bnn.at("p.h5"))["command"]) == ["bnn", *map(str, words)]


def check_prediction(bnn):
    """Predictions name the run that made them, by its bytes, and what it is; and their own seed and cost."""
    bnn("predict", "first.h5", "--samples", 7, "--seed", 5, "-o", "p.h5")
    p, root, group = (attributes(bnn.at("p.h5"), name) for name in ("provenance", "/", "prediction"))
    of_run = attributes(bnn.at("first.h5"), "/")
    assert p["run_path"] == "first.h5" and p["run_sha256"] == hashlib.sha256(Path(bnn.at("first.h5")).read_bytes()).hexdigest()
    for name in ("engine", "engine_fitted", "net", "net_plain", "likelihood", "prior", "seed_text", "split", "model_spec_json", "precision"):
        assert root[name] == of_run[name], name
    assert (group["samples"], group["noise"], group["seed"], group["seed_text"]) == (7, "draw", 5, "5")
    with h5py.File(bnn.at("p.h5")) as file:
        assert file["cost/forwards"][()] == 7 and file["provenance/seconds_wall"][()] >= 0
    check_data(p, bnn)


def check_comparison(bnn):
    engines = ["map:epochs=3", "grid_search:engine=mc_dropout{epochs=3},grid={p=0.01|0.1},samples=5"]
    bnn("compare", "-d", "boston.h5", "--net", NET, "--seed", 9, "--samples", 7, *(w for e in engines for w in ("-e", e)), "--splits", "0", "-o", "c.h5")
    root = attributes(bnn.at("c.h5"), "/")
    assert (root["seed"], root["seed_text"]) == (9, "9")
    check_data(attributes(bnn.at("c.h5")), bnn)
    for k, engine in enumerate(engines):
        bnn("fit", "-d", "boston.h5", "--net", NET, "--seed", 9, "--samples", 7, "-e", engine, "-o", "one.h5")
        assert attributes(bnn.at("c.h5"), f"engine_{k}")["model_spec_json"] == attributes(bnn.at("one.h5"), "/")["model_spec_json"], engine


def check_resumed(bnn):
    """A run that goes on began when its first process did."""
    bnn.stop("part.h5", "fit", "-d", "boston.h5", "--net", NET, "--engine", "map:epochs=300000")
    with h5py.File(bnn.at("part.h5"), "a") as file:
        assert file.attrs["status"] == "partial"
        file["provenance"].attrs["started_at"] = "2001-02-03T04:05:06Z"
    bnn.stop("part.h5", "fit", "-d", "boston.h5", "--net", NET, "--engine", "map:epochs=300000", "--resume")
    p = attributes(bnn.at("part.h5"))
    assert p["started_at"] == "2001-02-03T04:05:06Z" and p["finished_at"] > "2001-02-03T04:05:06Z", p


def main(program, table):
    with tempfile.TemporaryDirectory() as folder:
        bnn = Program(program, folder)
        bnn.boston(table)
        check_run(bnn)
        check_long_command(bnn)
        check_prediction(bnn)
        check_comparison(bnn)
        check_resumed(bnn)
        print("run, prediction, comparison, resumed run: they came from where they say")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
