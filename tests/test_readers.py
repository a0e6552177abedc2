#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of bnn in stock readers: h5py, xarray with its engines h5netcdf and (where there) netcdf4, ncdump. Call: test_readers.py PROGRAM BOSTON_CSV.

Without the modules a line that begins with 'skipped' is printed and the exit status is 77, which meson counts as skipped.
"""
import csv
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import h5py
    import h5netcdf  # noqa: F401 (engine of xarray)
    import numpy as np
    import xarray as xr
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

ENGINES = ["h5netcdf"] + ["netcdf4"] * bool(importlib.util.find_spec("netCDF4"))
NET = "dense:6; relu; dense"


def groups(file):
    found = ["/"]
    file.visititems(lambda name, item: found.append("/" + name) if isinstance(item, h5py.Group) else None)
    return found


def check_layout(path):
    """The rules of files.md: scalars or a scale of the own or a higher group on every axis, plain types, texts as variable-length UTF-8 attributes."""
    with h5py.File(path, "r") as file:
        schema = file.attrs["schema"]
        assert schema.startswith("bnn-"), schema

        def check(name, item):
            for key, value in item.attrs.items():
                assert key in ("CLASS", "NAME") or not isinstance(value, bytes), f"{name}: {key} is a fixed-length text"
            if not isinstance(item, h5py.Dataset):
                return
            assert item.dtype.kind in "fiu", f"{name}: {item.dtype}"
            assert item.dtype.byteorder in "<=|", f"{name}: {item.dtype}"
            if h5py.h5ds.is_scale(item.id):
                assert item.ndim == 1, name
                assert schema == "bnn-data" or "/" in name, f"{name}: a dimension in the root of a {schema} file"
                return
            used = []
            for axis in range(item.ndim):
                assert len(item.dims[axis]) == 1, f"{name}: axis {axis} has {len(item.dims[axis])} scales"
                scale = item.dims[axis][0]
                assert scale.shape == (item.shape[axis],), name
                assert item.parent.name.startswith(scale.parent.name), f"{name}: scale {scale.name}"
                used.append(scale.name)
            assert len(set(used)) == len(used), f"{name}: one scale twice"

        file.visititems(check)
        return groups(file)


def check_readers(path):
    for group in check_layout(path):
        with h5py.File(path, "r") as file:
            members = {k: v[()] for k, v in file[group].items() if isinstance(v, h5py.Dataset) and not h5py.h5ds.is_scale(v.id)}
        for engine in ENGINES:
            with xr.open_dataset(path, group=group, engine=engine) as ds:
                assert set(members) == set(ds.data_vars), f"{path} {group} {engine}: {set(members) ^ set(ds.data_vars)}"
                for name, value in members.items():
                    assert np.array_equal(ds[name].values, value, equal_nan=value.dtype.kind == "f"), f"{path} {group} {name} {engine}"
    if shutil.which("ncdump"):
        subprocess.run(["ncdump", path], check=True, stdout=subprocess.DEVNULL)


def check_data(path, table):
    with h5py.File(path, "r") as file:
        rows = list(csv.reader(open(table)))
        values = np.array(rows[1:], float)
        assert np.array_equal(file["x"][()], values[:, :-1])
        assert np.array_equal(file["y"][()], values[:, -1:])
        assert list(file["feature"].attrs["labels"]) == rows[0][:-1]
        role, order = file["splits/role"][()], file["splits/order"][()]
        permutations = np.random.RandomState(1)
        for k in range(len(order)):
            assert np.array_equal(order[k], permutations.choice(len(values), len(values), replace=False))
            assert np.array_equal(np.flatnonzero(role[k] == 2), np.sort(order[k][round(0.9 * len(values)):]))


def check_forward(data, run):
    """Weights as a Keras-style walk finds them: a forward pass in NumPy gives the predictions of the file."""
    with h5py.File(data, "r") as file:
        x_all, y_all = file["x"][()], file["y"][()]
    with h5py.File(run, "r") as file:
        rows = file["predictions/obs_id"][()]
        scaling = {k: v[()] for k, v in file["scaling"].items()}
        h = (x_all[rows] - scaling["x_mean"]) / scaling["x_sd"]
        weights = file["model_weights"]
        for i, layer in enumerate(weights.attrs["layer_names"]):
            kernel, bias = (weights[layer][name][()] for name in weights[layer].attrs["weight_names"])
            h = (np.maximum(h, 0) if i else h) @ kernel + bias
        mean = h * scaling["y_sd"] + scaling["y_mean"]
        assert np.allclose(mean, file["predictions/mean"][()], rtol=1e-4), abs(mean - file["predictions/mean"][()]).max()
        assert np.array_equal(y_all[rows], file["predictions/y"][()])
        rmse = np.sqrt(np.mean((file["predictions/mean"][()] - y_all[rows]) ** 2))
        assert np.isclose(rmse, file["summary/rmse"][()])


def main(program, table):
    with tempfile.TemporaryDirectory() as folder:
        def bnn(*words):
            subprocess.run([program, *map(str, words)], check=True, stdout=subprocess.DEVNULL, cwd=folder)

        def at(name):
            return str(Path(folder) / name)

        table = str(Path(table).resolve())
        bnn("import", "csv", table, "--target", "medv", "-o", "boston.h5")
        bnn("split", "boston.h5", "--kind", "pbp", "--count", 3)
        check_data(at("boston.h5"), table)
        fit = ["fit", "-d", "boston.h5", "--net", NET, "--samples", 10]
        bnn(*fit, "--engine", "map:epochs=3", "-o", "map.h5")
        bnn(*fit, "--engine", "mc_dropout:gates=concrete,epochs=3", "-o", "mc_dropout.h5")
        bnn("predict", "mc_dropout.h5", "--samples", 10, "-o", "prediction.h5")
        bnn("compare", "-d", "boston.h5", "--net", NET, "--samples", 10, "--engine", "map:epochs=3", "--engine", "mc_dropout:epochs=3", "-o", "comparison.h5")
        bnn("import-weights", "map.h5", "-d", "boston.h5", "--net", NET, "-o", "imported.h5")
        for run in "map.h5", "imported.h5":
            check_forward(at("boston.h5"), at(run))
        files = sorted(Path(folder).glob("*.h5"))
        assert len(files) == 6, files
        lint = subprocess.run([program, "info", "--lint", *files], stdout=subprocess.PIPE, text=True)
        assert lint.returncode == 0, lint.stdout
        for path in files:
            check_readers(str(path))
        print(f"{len(files)} files open in h5py, xarray ({', '.join(ENGINES)}){' and ncdump' if shutil.which('ncdump') else ''}")


if __name__ == "__main__":
    main(str(Path(sys.argv[1]).resolve()), sys.argv[2])
