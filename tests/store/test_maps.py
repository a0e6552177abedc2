#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps of classes in a data file, as stock tools see them: void pixels are missing. Call: test_maps.py PROGRAM.

A reader that is not installed is skipped by name. Without NumPy the exit status is 77, which meson counts as skipped.
"""
import importlib.util
import struct
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
if not importlib.util.find_spec("numpy"):
    print("skipped: No module named 'numpy'")
    sys.exit(77)
import numpy as np
from program import Program

N, ROWS, COLUMNS, VOID = 6, 4, 5, 7


def write_idx(path, array):
    path.write_bytes(struct.pack(f">i{array.ndim}i", 0x800 + array.ndim, *array.shape) + array.tobytes())


def by_xarray(path, engine):
    import xarray
    with xarray.open_dataset(path, engine=engine) as d:
        assert d.y.dims == ("obs_id", "row", "column") and d.x.dtype == np.uint8, d
        return d.x.values, np.nan_to_num(d.y.values, nan=-1)


def by_netcdf4(path):
    import netCDF4
    with netCDF4.Dataset(path) as d:
        return np.asarray(d["x"][:]), d["y"][:].filled(-1)


def by_h5py(path):
    import h5py
    with h5py.File(path) as d:
        assert d["y"].dtype == np.int8 and d["y"].attrs["_FillValue"] == -1 and [s.keys()[0] for s in d["y"].dims] == ["obs_id", "row", "column"]
        return d["x"][()], d["y"][()]


READERS = {"h5py": by_h5py, "netCDF4": by_netcdf4, "xarray": lambda path: by_xarray(path, "netcdf4"), "h5netcdf": lambda path: by_xarray(path, "h5netcdf")}


def main(program):
    random = np.random.default_rng(1)
    pixels = random.integers(0, 256, (N, ROWS, COLUMNS), dtype=np.uint8)
    labels = random.integers(0, 3, (N, ROWS, COLUMNS), dtype=np.uint8)
    labels[random.random(labels.shape) < 0.2] = VOID
    known = np.where(labels == VOID, -1, labels.astype(int))
    with tempfile.TemporaryDirectory() as folder:
        bnn = Program(program, folder)
        write_idx(Path(folder) / "images", pixels), write_idx(Path(folder) / "labels", labels)
        said = bnn("import", "idx", "images", "labels", "--void", VOID, "-o", "maps.h5")
        assert f"{N} rows, features [1x{ROWS}x{COLUMNS}], maps of 3 classes" in said, said
        bnn("info", "--lint", "maps.h5")
        about = bnn("info", "maps.h5")
        for c in range(3):
            assert f"{np.sum(known == c)} pixels" in about, about
        for name, read in READERS.items():
            if not importlib.util.find_spec(name):
                print(f"skipped: {name}")
                continue
            x, y = read(bnn.at("maps.h5"))
            assert np.array_equal(x[:, 0], pixels) and np.array_equal(y, known), name


if __name__ == "__main__":
    main(sys.argv[1])
