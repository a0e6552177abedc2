#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of bnn in stock readers: the numbers and texts that they find are those that the program printed. Call: test_readers.py PROGRAM BOSTON_CSV.

Readers that are not installed are skipped by name, and so are, unless BNN_READERS=all stands in the environment, those that tests/run.sh does not install. Without h5py and NumPy a line that begins with 'skipped' is printed and the exit status is 77,
which meson counts as skipped.
"""
import csv
import importlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections import namedtuple
from functools import lru_cache
from pathlib import Path

sys.dont_write_bytecode = True
try:
    import h5py
    import numpy as np
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)
from program import Program

HERE = Path(__file__).resolve().parent
DRAWS = 60
NET = "dense:6; relu; dense"
NOT_INSTALLED = () if os.environ.get("BNN_READERS") == "all" else ("GDAL", "silx")  # by tests/run.sh: they are large


# ---------------------------------------------------------------- what readers shall find

# Numbers of a dataset at flat positions (None: all), to a relative tolerance; dims are names, from the slowest on.
Value = namedtuple("Value", "file name dims shape at numbers tolerance")
# The texts of an attribute of "/" or another object.
Text = namedtuple("Text", "file object attribute texts")


def printed(file, name, dims, numbers, digits=9, at=None, shape=None):
    numbers = np.asarray(numbers, float)
    return Value(file, name, dims.split(), numbers.shape if shape is None else shape, at, numbers.ravel(), 10.0 ** (1 - digits))


def printed_predictions(file, text, is_class):
    rows = list(csv.reader(io.StringIO(text)))
    columns = {name: column for name, *column in zip(*rows) if name != "class" and not name.startswith("y_")}
    columns = {name: np.array(column, float) for name, column in columns.items()}
    yield printed(file, "prediction/obs_id", "obs_id", columns.pop("row"))
    if is_class:
        names = [name for name in columns if name.startswith("p_")]
        yield printed(file, "prediction/mean", "obs_id class_id", np.transpose([columns[name] for name in names]))
        yield Text(file, "/prediction/class_id", "labels", [name[2:] for name in names])
    else:
        for kind, name in (("mean", "mean"), ("var_epistemic", "var_epistemic"), ("var_aleatoric", "var_aleatoric"), ("mcse", "mean_mcse")):
            yield printed(file, "prediction/" + name, "obs_id output", columns[kind + "_medv"][:, None])
        yield Text(file, "/prediction/output", "labels", ["medv"])


def printed_scores(file, text):
    o = json.loads(text)
    names = ["ll", "ll_se", "rmse", "crps", "calibration_error", "sd_epistemic", "sd_aleatoric"]
    if "accuracy" in o:
        o.update(ll=-o["nll"], ll_se=o["nll_se"])
        names = ["ll", "ll_se", "accuracy", "brier", "ece", "mean_entropy", "mean_mutual_information"]
    yield printed(file, "summary/rows", "", o["n"])
    for name in names:
        yield printed(file, "summary/" + name, "", o[name])
    if "rmse" in o:
        yield printed(file, "summary/coverage", "level", [o["coverage_50"], o["coverage_90"], o["coverage_95"]], at=[9, 17, 18], shape=(19,))


def printed_fit(file, text):
    """What `bnn fit` and `bnn info` say of the texts."""
    for name in ("engine", "likelihood", "prior"):
        yield Text(file, "/", name, [re.search(rf"^ *{name} +(.*)$", text, re.M)[1]])
    yield Text(file, "/", "net", [re.search(r"^ *net(?:work)? +(.*)$", text, re.M)[1]])


def printed_course(bnn, file, text):
    """The end of the course of a run, as `bnn info` says."""
    found = re.search(r"history +(\d+) epochs; at the end nll (\S+), -log prior (\S+), kl ([^,\s]+)", text)
    epochs = datasets(bnn.at(file))["metrics/epoch"][1]
    n = len(epochs)
    assert epochs[-1] == int(found[1]), file
    for name, number in zip(("nll", "prior", "kl"), found.groups()[1:]):
        yield printed(file, "metrics/" + name, "epoch", float(number), 6, at=[n - 1], shape=(n,))


def fitted(bnn, out, data, net, engine, *words):
    """A run, and what the program printed of it."""
    said = bnn("fit", "-d", data, "--net", net, "--engine", engine, "--samples", DRAWS, *words, "-o", out)
    yield from printed_fit(out, said)
    yield from printed_predictions(out, bnn("predict", out, "--samples", DRAWS), "accuracy" in said)
    yield from printed_scores(out, bnn("evaluate", out, "--samples", DRAWS, "--json"))
    info = bnn("info", out)
    yield from printed_course(bnn, out, info)
    yield from printed_fit(out, info)


def runs(bnn):
    yield from fitted(bnn, "run.h5", "boston.h5", "dense:50; relu; dense", "mc_dropout:epochs=200")
    yield from fitted(bnn, "map.h5", "boston.h5", NET, "map:epochs=3")
    yield from fitted(bnn, "grid.h5", "boston.h5", NET, "grid_search:engine=mc_dropout{epochs=4},grid={p=0.01|0.1|0.3},samples=10")
    yield from fitted(bnn, "kept.h5", "boston.h5", NET, "mc_dropout:epochs=20", "--keep", "posterior,predictive")
    yield from fitted(bnn, "kept_kinds.h5", "kinds.h5", NET, "bayes_by_backprop:epochs=20", "--keep", "posterior,predictive")
    yield from fitted(bnn, "kept_images.h5", "images.h5", "flatten; dense:4; relu; dense", "mc_dropout:gates=concrete,epochs=5", "--keep", "predictive")
    yield from fitted(bnn, "hmc.h5", "boston.h5", NET, "hmc:steps=5,chains=2,samples=50,warmup=30", "--keep", "posterior,predictive")
    yield from fitted(bnn, "laplace.h5", "boston.h5", NET, "laplace:engine=map{epochs=5}")
    with h5py.File(bnn.at("run.h5")) as file:
        double = file.attrs["precision"] == "double"  # weights and moments of 752 parameters are twice as long
    size, most = Path(bnn.at("run.h5")).stat().st_size, 112_000 if double else 100_000
    assert size < most, f"a run of 50 units has {size} bytes, {most} are allowed"


def more_runs(bnn, table):
    """What has other layouts: two targets, noise by row, scales of the prior, layers in a graph. Their numbers are compared between readers alone."""
    bnn("import", "csv", Path(table).resolve(), "--target", "medv,lstat", "-o", "two.h5")
    bnn("split", "two.h5", "--kind", "pbp", "--count", 1)
    keep = ["--keep", "posterior,predictive"]
    graph = "a = input; b = dense:5(a); c = tanh; d = dense:5; e = add(b, d); f = concat(a, e); dense"
    fit = ["fit", "-d", "two.h5", "--samples", 20]
    bnn(*fit, "--net", graph, "--engine", "bayes_by_backprop:epochs=3", *keep, "-o", "graph.h5")
    bnn(*fit, "--net", NET, "--likelihood", "heteroscedastic", "--engine", "mc_dropout:epochs=3", *keep, "-o", "noise.h5")
    bnn(*fit, "--net", NET, "--prior", "hierarchical", "--engine", "nuts:max_depth=4,chains=2,samples=20,warmup=25", *keep, "-o", "nuts.h5")
    bnn(*fit, "--net", NET, "--engine", "early_stopping:engine=mc_dropout{epochs=8},every=2", *keep, "-o", "early.h5")
    bnn("predict", "nuts.h5", "--noise", "rows", "--keep", "predictive", "-o", "prediction_rows.h5")


def checkpoints(bnn):
    bnn.stop("stopped.h5", "fit", "-d", "boston.h5", "--net", NET, "--engine", "map:epochs=1000000")
    info = bnn("info", "stopped.h5")
    assert re.search(r"checkpoint after step \d+", info), info
    yield from printed_course(bnn, "stopped.h5", info)
    yield from printed_fit("stopped.h5", info)
    bnn.stop("stopped_grid.h5", "fit", "-d", "boston.h5", "--net", NET, "--engine", "grid_search:engine=mc_dropout{epochs=1000000},grid={p=0.01|0.1}")
    info = bnn("info", "stopped_grid.h5")
    assert "before anything was fitted that predicts" in info, info
    yield from printed_fit("stopped_grid.h5", info)
    yield printed("stopped_grid.h5", "engine_columns/p", "cell", [0.01, 0.1], 15)
    yield printed("stopped_grid.h5", "engine_columns/validation_ll", "cell", [np.nan, np.nan])


def predictions(bnn):
    for run, out, words in (("run.h5", "prediction.h5", ["--keep", "posterior,predictive"]), ("kept_kinds.h5", "prediction_kinds.h5", [])):
        bnn("predict", run, "--samples", DRAWS, *words, "-o", out)
        yield from printed_predictions(out, bnn("predict", run, "--samples", DRAWS), out == "prediction_kinds.h5")
        assert f"with {DRAWS} draws" in bnn("info", out)
    bnn("import", "csv", "kinds.csv", "--drop", "kind", "--target", "none", "-o", "new.h5")
    words = ["predict", "kept_kinds.h5", "--data", "new.h5", "--samples", DRAWS]
    bnn(*words, "-o", "prediction_new.h5")
    for value in printed_predictions("prediction_new.h5", bnn(*words), True):
        if isinstance(value, Value):  # a file of rows without targets does not know the classes' names
            yield value


def comparisons(bnn):
    for data, out in (("boston.h5", "comparison.h5"), ("kinds.h5", "comparison_kinds.h5")):
        engines = ["map:epochs=3", "mc_dropout:epochs=3", "bayes_by_backprop:epochs=3"]
        words = [word for engine in engines for word in ("--engine", engine)]
        said = bnn("compare", "-d", data, "--net", NET, "--samples", DRAWS, *words, "--splits", "0-1", "-o", out)
        yield Text(out, "/scores/engine", "labels", re.findall(r"^[A-C]   (\S+)$", said, re.M))
        gradients = np.array(re.findall(r"^[A-C] .*?(\d+) +\S+$", said.split("\n\n")[1], re.M), int)
        yield printed(out, "cost/gradients", "engine split", np.repeat(gradients, 2).reshape(3, 2))
        with h5py.File(bnn.at(out)) as file:
            scores = [file["scores"][name][()].mean(axis=1) for name in ("rmse" if data == "boston.h5" else "accuracy", "ll")]
        table = np.array([line.split()[:2] for line in bnn("info", out).splitlines()[-3:]], float)
        assert np.allclose(np.transpose(scores), table, rtol=1e-4), (scores, table)


def choices(bnn):
    said = json.loads(bnn("bandit", "--game", "wheel", "--policy", "random", "--steps", 40, "--runs", 2, "--json", "-o", "regret.h5"))
    yield printed("regret.h5", "regret/step", "step", said["step"])
    yield printed("regret.h5", "regret/regret", "run step", said["regret_of_runs"])
    yield printed("regret.h5", "regret/mean", "step", said["regret"])
    yield printed("regret.h5", "regret/se", "step", said["regret_se"])
    yield printed("regret.h5", "regret/reward", "run", said["reward_of_runs"])
    said = json.loads(bnn("acquire", "run.h5", "--split", "all", "-n", 5, "--samples", DRAWS, "--json", "--scores", "chosen.h5"))
    yield printed("chosen.h5", "chosen/obs_id", "obs_id", np.subtract(said["rows"], 1))
    yield printed("chosen.h5", "chosen/score", "obs_id", said["scores"])


def data(bnn, table):
    bnn.boston(table)
    bnn.kinds()
    pixels, kind = bnn.images()
    rows = list(csv.reader(open(table)))
    values = np.array(rows[1:], float)
    yield printed("boston.h5", "x", "obs_id feature", values[:, :-1], 15)
    yield printed("boston.h5", "y", "obs_id output", values[:, -1:], 15)
    yield Text("boston.h5", "/feature", "labels", rows[0][:-1])
    yield Text("boston.h5", "/output", "labels", rows[0][-1:])
    permutations = np.random.RandomState(1)  # the published splits
    order = np.array([permutations.choice(len(values), len(values), replace=False) for _ in range(3)])
    role = np.zeros_like(order)
    for k in range(3):
        role[k, order[k][round(0.9 * len(values)):]] = 2
    yield printed("boston.h5", "splits/order", "split obs_id", order)
    yield printed("boston.h5", "splits/role", "split obs_id", role)
    names = [row[-1] for row in csv.reader(open(bnn.at("kinds.csv"), encoding="utf-8"))][1:]
    yield printed("kinds.h5", "y", "obs_id output", [[sorted(set(names)).index(name)] for name in names])
    yield Text("kinds.h5", "/y", "labels", sorted(set(names)))
    yield printed("images.h5", "x", "obs_id channel row column", pixels[:, None])
    yield printed("images.h5", "y", "obs_id output", kind[:, None])


@lru_cache(maxsize=None)
def datasets(path):
    """Every dataset by h5py: {name: (names of its dimensions, numbers)}."""
    found = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            scale = h5py.h5ds.is_scale(item.id)
            found[name] = [Path(name).name] if scale else [Path(axis[0].name).name for axis in item.dims], item[()]

    with h5py.File(path) as file:
        file.visititems(visit)
    return found


def stored(bnn, file):
    """Some numbers of every dataset, for readers in other languages."""
    for name, (dims, numbers) in datasets(bnn.at(file)).items():
        at = np.unique(np.linspace(0, numbers.size - 1, 12).astype(int))
        yield Value(file, name, dims, numbers.shape, at, numbers.reshape(-1)[at], 1e-14)


# ---------------------------------------------------------------- the layout

def check_layout(path):
    """A scale of the own or a higher group on every axis, or a scalar; plain types; texts as variable-length UTF-8 attributes."""
    with h5py.File(path) as file:
        schema = file.attrs["schema"]

        def check(name, item):
            for key, value in item.attrs.items():
                assert key in ("CLASS", "NAME") or not isinstance(value, bytes), f"{name}: {key} is a fixed-length text"
            if not isinstance(item, h5py.Dataset):
                return
            assert item.dtype.kind in "fiu" and item.dtype.byteorder in "<=|", f"{name}: {item.dtype}"
            if h5py.h5ds.is_scale(item.id):
                assert item.ndim == 1, name
                assert schema == "bnn-data" or "/" in name, f"{name}: a dimension in the root of a {schema} file"
                return
            for axis in item.dims:
                assert len(axis) == 1, f"{name}: an axis has {len(axis)} scales"
                assert item.parent.name.startswith(axis[0].parent.name), f"{name}: scale {axis[0].name}"
            assert item.shape == tuple(axis[0].size for axis in item.dims), name
            assert len({axis[0].name for axis in item.dims}) == item.ndim, f"{name}: one scale twice"

        file.visititems(check)


# ---------------------------------------------------------------- readers in Python and shell

class Missing(Exception):
    """The reader is not installed."""


def module(name):
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name != name and not name.startswith(f"{missing.name}."):
            raise  # it is there, and lacks something of its own
        raise Missing from missing


def tool(*words):
    if not shutil.which(words[0]):
        raise Missing
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr[-1000:]}"
    return done.stdout


# A reader of one file: value(name) -> (names of the dimensions or None, numbers), text(object, attribute) -> text or texts.

class ByH5py:
    def __init__(self, path):
        self.path, self.file = path, h5py.File(path)

    def value(self, name):
        return datasets(self.path)[name]

    def text(self, object, attribute):
        return self.file[object].attrs[attribute]


class ByNetCDF4:
    def __init__(self, path):
        self.file = module("netCDF4").Dataset(path)
        self.file.set_auto_mask(False)

    def value(self, name):
        return self.file[name].dimensions, self.file[name][...]

    def text(self, object, attribute):
        return (self.file if object == "/" else self.file[object]).getncattr(attribute)


class ByH5netcdf:
    def __init__(self, path):
        self.file = module("h5netcdf").File(path, "r")

    def value(self, name):
        return self.file[name].dimensions, self.file[name][...]

    def text(self, object, attribute):
        return (self.file if object == "/" else self.file[object]).attrs[attribute]


class ByXarray:
    engine = "h5netcdf"

    def __init__(self, path):
        self.xarray = module("xarray")
        module(self.engine.replace("netcdf4", "netCDF4"))
        self.path, self.open = path, {}

    def group(self, name):
        if name not in self.open:
            self.open[name] = self.xarray.open_dataset(self.path, group=name, engine=self.engine)
        return self.open[name]

    def array(self, name):
        return self.group(str(Path("/" + name).parent))[Path(name).name]

    def value(self, name):
        return self.array(name).dims, self.array(name).values

    def text(self, object, attribute):
        return (self.array(object[1:]) if object in {"/" + name for name in datasets(self.path)} else self.group(object)).attrs[attribute]


class ByXarrayNetCDF4(ByXarray):
    engine = "netcdf4"


class ByPandas(ByXarray):
    def __init__(self, path):
        module("pandas")
        super().__init__(path)

    def value(self, name):
        array = self.array(name)
        if array.ndim == 0:
            return [], array.to_dataset().expand_dims("one").to_dataframe()[array.name].to_numpy().reshape(())
        frame = array.drop_vars(array.name, errors="ignore").to_dataframe("value")
        return frame.index.names, frame["value"].to_numpy().reshape(array.shape)


class ByH5dump:
    """One dump of the whole file: {path of a dataset or "object@attribute": (shape, lines of its data)}."""

    def __init__(self, path):
        self.found, inside, shape = {}, [], None
        for line in map(str.strip, tool("h5dump", "-y", "-w", "0", "-m", "%.17g", path).splitlines()):
            if line.startswith("DATASPACE"):
                shape = [int(n) for n in re.findall(r"\d+", line.split("/")[0])]
            if line.endswith("{"):
                kind, name = line.split()[0], line.split('"')[1] if '"' in line else ""
                label = {"ATTRIBUTE": "@" + name, "GROUP": "/" + name, "DATASET": "/" + name, "DATA": "data"}.get(kind, "")
                inside.append("" if label == "//" else label)
            elif line in ("}", "},"):
                inside.pop()
            elif inside[-1] == "data":
                self.found.setdefault("".join(inside[:-1]), (shape, []))[1].append(line)

    def value(self, name):
        shape, lines = self.found["/" + name]
        return None, np.array(" ".join(lines).replace(",", " ").split(), float).reshape(shape)

    def text(self, object, attribute):
        found = re.findall(r'"(.*?)"', " ".join(self.found[f"{object.rstrip('/')}@{attribute}"][1]))
        # bytes beyond ASCII come as octal numbers with their sign extended
        return [re.sub(r"\\3777777(\d{4})", lambda byte: chr(int(byte[1], 8) & 255), text).encode("latin-1").decode() for text in found]


class ByNcdump:
    """One dump of the whole file: the lines of each group, those of groups inside apart."""

    def __init__(self, path):
        self.lines, inside = {"": []}, [""]
        for line in tool("ncdump", "-p", "9,17", path).splitlines():
            entered = re.match(r" *group: (\S+) \{", line)
            if entered:
                inside.append(f"{inside[-1]}/{entered[1]}")
            elif re.match(r" *\} // group", line):
                inside.pop()
            self.lines.setdefault(inside[-1], []).append(line.strip())

    def value(self, name):
        group, leaf = self.lines[("/" + name).rpartition("/")[0]], name.rpartition("/")[2]
        numbers = re.search(rf"^{leaf} =\s(.*?) ;$", "\n".join(group[group.index("data:"):]), re.S | re.M)[1].replace(",", " ").split()
        dims = next(found[2] for found in (re.match(rf"\w+ {leaf}(\((.*)\))? ;", line) for line in group) if found)
        return dims.split(", ") if dims else [], np.array([np.nan if n == "_" else float(n) for n in numbers])

    def text(self, object, attribute):
        group, owner = (object.rstrip("/"), "") if object.rstrip("/") in self.lines else object.rsplit("/", 1)
        return re.findall(r'"(.*?)(?<!\\)"', next(line for line in self.lines[group] if line.startswith(f"string {owner}:{attribute} = ")))


class ByGDAL:
    """Multidimensional arrays with their dimensions, by gdalmdiminfo as JSON."""

    def __init__(self, path):
        self.root = json.loads(tool("gdalmdiminfo", "-detailed", path))

    def find(self, name):
        group = self.root
        for part in Path("/" + name).parent.parts[1:]:
            group = group["groups"][part]
        return group.get("arrays", {}).get(Path(name).name) or group["groups"][Path(name).name]

    def value(self, name):
        array = self.find(name)
        return [Path(dim).name for dim in array.get("dimensions", [])], np.array(array["values"], float)

    def text(self, object, attribute):
        return (self.root if object == "/" else self.find(object[1:]))["attributes"][attribute]["value"]


class BySilx:
    def __init__(self, path):
        self.file = module("silx.io").open(path)

    def value(self, name):
        return None, np.asarray(self.file[name][()])

    def text(self, object, attribute):
        return self.file[object].attrs[attribute]


class ByPyTables:
    """Of PyTables what it reads: no dimensions, at whose lists of references it fails."""

    def __init__(self, path):
        warnings.simplefilter("ignore")  # it tells of each of those
        with module("tables").open_file(path) as file:
            names = [name for name, (dims, _) in datasets(path).items() if dims != [Path(name).name]]
            self.found = {name: np.asarray(file.get_node("/" + name).read()) for name in names}
        self.path = path

    def value(self, name):
        return None, self.found[name] if name in self.found else datasets(self.path)[name][1]


class ByH5ls:
    """The sizes of everything."""

    def __init__(self, path):
        said = tool("h5ls", "-r", path)
        shapes = {name: shape for name, shape in re.findall(r"^/(\S+) +Dataset \{(.*)\}$", said, re.M)}
        expected = {name: ", ".join(map(str, numbers.shape)) or "SCALAR" for name, (_, numbers) in datasets(path).items()}
        assert shapes == expected, f"{path}: h5ls finds {set(shapes.items()) ^ set(expected.items())}"


def check_values(reader, path, values, texts):
    of = reader(path)
    for v in values:
        dims, numbers = of.value(v.name)
        where = f"{reader.__name__} {v.file} {v.name}"
        assert dims is None or list(dims) == list(v.dims), f"{where}: dimensions {dims}, expected {v.dims}"
        assert numbers.size == np.prod(v.shape, dtype=int) and (reader is ByNcdump or numbers.shape == tuple(v.shape)), f"{where}: shape {numbers.shape}"
        found = np.asarray(numbers, float).reshape(-1)[slice(None) if v.at is None else v.at]
        same = np.isclose(found, v.numbers, rtol=v.tolerance, atol=0, equal_nan=True)
        assert same.all(), f"{where}: {found[~same][0]!r} instead of {v.numbers[~same][0]!r}"
    for t in texts:
        found = of.text(t.object, t.attribute)
        found = [str(text) for text in np.atleast_1d(found)]
        assert found == list(t.texts), f"{reader.__name__} {t.file} {t.object} {t.attribute}: {found}, expected {t.texts}"


# ---------------------------------------------------------------- more than reading

def check_inference_data(path):
    """The calls of from_netcdf of ArviZ 0.x, with both engines of xarray, and the rules of its schema for the groups that it knows."""
    xarray, netcdf = module("xarray"), module("netCDF4")
    module("h5netcdf")
    with netcdf.Dataset(path) as file:
        names = list(file.groups)
    for engine in ("h5netcdf", "netcdf4"):
        if xarray.load_dataset(path, engine=engine).attrs["schema"] == "bnn-data":
            return  # its dimensions stand in the root
        groups = {name: xarray.open_dataset(path, group=name, engine=engine) for name in names}
        for name, group in groups.items():
            assert set(group.dims) <= set(group.coords), f"{path} {name}: a dimension without coordinates"
            assert not set(group.data_vars) & set(group.dims), f"{path} {name}: a variable is called like a dimension"
            for array in group.data_vars.values():
                if name in ("posterior", "posterior_predictive", "log_likelihood", "sample_stats"):
                    assert array.dims[:2] == ("chain", "draw"), f"{path} {name}: {array.dims}"
        of_draws = [group for group in groups.values() if "draw" in group.dims]
        of_rows = [group for group in groups.values() if "obs_id" in group.dims]
        for same, dim in ((of_draws, "chain"), (of_draws, "draw"), (of_rows, "obs_id")):
            assert all(np.array_equal(group[dim], same[0][dim]) for group in same), f"{path}: {dim} differs between groups"
        if "sample_stats" in groups:
            assert groups["sample_stats"]["diverging"].dtype == bool, path
        if "posterior_predictive" in groups and "prediction/y" in datasets(path):
            assert all("y" in groups[name] for name in ("posterior_predictive", "log_likelihood", "observed_data")), path


def check_append(bnn, path, copy):
    """A variable that netCDF appends does not disturb what was there."""
    shutil.copy(path, copy)
    with module("netCDF4").Dataset(copy, "a") as file:
        group = file["prediction"]
        sd = group.createVariable("sd", "f8", group["mean"].dimensions)
        sd[...] = np.sqrt(group["var_epistemic"][...] + group["var_aleatoric"][...])
    with h5py.File(copy) as file:
        group = file["prediction"]
        assert np.array_equal(group["sd"][()] ** 2, np.sqrt(group["var_epistemic"][()] + group["var_aleatoric"][()]) ** 2), copy
        del file
    told = subprocess.run([bnn.path, "diff", path, copy], capture_output=True, text=True)
    assert told.returncode == 1 and "/prediction/sd: only in the second file" in told.stdout, told
    assert bnn("predict", Path(copy).name, "--samples", DRAWS) == bnn("predict", Path(path).name, "--samples", DRAWS)


def check_copy(bnn, path, copy, said, *words):
    """A copy by another tool holds the same, for the program and for other readers."""
    tool(*words, path, copy)
    assert "are equal, provenance apart" in bnn("diff", path, copy)
    assert datasets(copy).keys() == datasets(path).keys()
    check_values(ByH5netcdf if importlib.util.find_spec("h5netcdf") else ByH5py, copy, said.get(Path(path).name, []), [])
    if Path(path).name == "kept.h5":
        assert bnn("predict", copy, "--samples", DRAWS) == bnn("predict", path, "--samples", DRAWS)


def check_forward(bnn, run, predicted):
    """Weights as a Keras-style walk finds them: a forward pass in NumPy gives what the program predicts."""
    with h5py.File(bnn.at("boston.h5")) as file:
        x = file["x"][()]
    with h5py.File(bnn.at(run)) as file:
        scaling = {name: item[()] for name, item in file["scaling"].items()}
        rows = list(csv.reader(io.StringIO(predicted)))[1:]
        h = (x[[int(row[0]) for row in rows]] - scaling["x_mean"]) / scaling["x_sd"]
        weights = file["model_weights"]
        for i, layer in enumerate(weights.attrs["layer_names"]):
            kernel, bias = (weights[layer][name][()] for name in weights[layer].attrs["weight_names"])
            h = (np.maximum(h, 0) if i else h) @ kernel + bias
    mean = h * scaling["y_sd"] + scaling["y_mean"]
    assert np.allclose(mean[:, 0], [float(row[1]) for row in rows], rtol=1e-4), run


# ---------------------------------------------------------------- readers in other languages

def write_tables(bnn, values, texts):
    def line(*fields):
        return "\t".join(" ".join(map(str, field)) if isinstance(field, (list, tuple, np.ndarray)) else str(field) for field in fields) + "\n"

    with open(bnn.at("values.txt"), "w") as file:
        file.write(line("file", "name", "dims", "shape", "at", "numbers", "tolerance", "printed"))
        for v, was_printed in values:
            at = np.arange(len(v.numbers)) if v.at is None else v.at
            few = np.unique(np.linspace(0, len(at) - 1, 100).astype(int))
            numbers = [f"{n:.17g}".replace("nan", "NaN").replace("inf", "Inf") for n in np.asarray(v.numbers, float)[few]]
            file.write(line(v.file, v.name, v.dims, v.shape, np.asarray(at)[few], numbers, v.tolerance, int(was_printed)))
    with open(bnn.at("texts.txt"), "w", encoding="utf-8") as file:
        file.write(line("file", "object", "attribute", "texts"))
        for t in texts:
            file.write(line(t.file, t.object, t.attribute, " // ".join(t.texts)))


def other_language(bnn, names, *words):
    """{name of the reader: whether it ran}: the script prints a line for each."""
    if not shutil.which(words[0]):
        return dict.fromkeys(names, False)
    done = subprocess.run(words, cwd=bnn.folder, capture_output=True, text=True)
    assert done.returncode == 0, f"{words[0]}: {done.stdout[-500:]} {done.stderr[-2000:]}"
    said = [line.split() for line in done.stdout.splitlines()]
    assert [line[1] for line in said] == [name.split()[1] for name in names], said
    return {name: line[0] == "ran" for name, line in zip(names, said)}


# ---------------------------------------------------------------- ids

def by_xarray(path, engine):
    group = module("xarray").open_dataset(path, group="prediction", engine=engine)
    assert set(group.coords) >= {"id_0", "id_1"}, group
    by_id = group.swap_dims(obs_id="id_1")["mean"]
    return group.id_0.attrs["long_name"], group.id_0.values, by_id.sel(id_1="row 7").item()


def by_netcdf4(path):
    with module("netCDF4").Dataset(path) as file:
        group = file["prediction"]
        return group["id_0"].long_name, group["id_0"][:], group["mean"][list(group["id_1"][:]).index("row 7"), 0]


def by_h5py(path):
    with h5py.File(path) as file:
        group = file["prediction"]
        return group["id_0"].attrs["long_name"], group["id_0"].asstr()[()], group["mean"][list(group["id_1"].asstr()[()]).index("row 7"), 0]


def by_ncdump(path):
    text = tool("ncdump", "-v", "/prediction/id_0,/prediction/id_1,/prediction/mean", "-p", "9,17", path)
    texts = {name: re.findall(r'"(.*?)"|_', re.search(rf"^ *{name} =(.*?) ;$", text, re.S | re.M)[1]) for name in ("id_0", "id_1")}
    means = re.search(r"^ *mean =(.*?) ;$", text, re.S | re.M)[1].replace(",", " ").split()
    return re.search(r'id_0:long_name = "(.*?)"', text)[1], texts["id_0"], float(means[texts["id_1"].index("row 7")])


def check_ids(bnn):
    """Ids, some of them twice, one empty, one not ASCII, are a coordinate of the rows. Returns the readers that ran."""
    towns = ["Zürich", "", "T 1", "a,b", "T 1", "Zürich", "007", "x", "y", "z"]
    with open(bnn.at("towns.csv"), "w", encoding="utf-8") as file:
        print("the town,key,a,y", file=file)
        for i, town in enumerate(towns):
            print(f'"{town}",row {i},{i},{i * i % 7}', file=file)
    bnn("fit", "-d", "towns.csv", "--target", "y", "--id", "the town,key", "--net", "dense", "--engine", "map:epochs=3", "-o", "towns.nc")
    bnn("predict", "towns.nc", "-d", "towns.csv", "-o", "ids.nc")
    bnn("info", "--lint", "ids.nc")
    printed_mean = list(csv.reader(io.StringIO(bnn("predict", "towns.nc", "-d", "towns.csv"))))[8][2]
    readers = {"h5py": by_h5py, "netCDF4": by_netcdf4, "ncdump": by_ncdump, "xarray h5netcdf": lambda path: by_xarray(path, "h5netcdf"),
               "xarray netcdf4": lambda path: by_xarray(path, "netcdf4")}
    ran = []
    for name, read in readers.items():
        try:
            column, texts, mean = read(bnn.at("ids.nc"))
        except Missing:
            continue
        assert column == "the town" and list(texts) == towns and np.isclose(mean, float(printed_mean), rtol=1e-14), (name, column, texts, mean)
        ran.append(name)
    return ran


# ---------------------------------------------------------------- all of it

def by_file(entries):
    found = {}
    for entry in entries:
        found.setdefault(entry.file, []).append(entry)
    return found


def check_files(bnn, values, texts):
    """{name of the reader: whether it ran}"""
    said = by_file(values)
    of_texts = by_file(texts)
    files = sorted(Path(bnn.folder).glob("*.h5"))
    everything = {path.name: list(stored(bnn, path.name)) for path in files}
    bnn("info", "--lint", *files)
    for path in files:
        check_layout(path)
    write_tables(bnn, [(v, entries is said) for path in files for entries in (said, everything) for v in entries.get(path.name, [])], texts)

    def read_by(reader, full):
        def check(path):
            check_values(reader, str(path), said.get(path.name, []) + (everything[path.name] if full else []), of_texts.get(path.name, []))
        return check

    checks = {
        "h5ls": lambda path: ByH5ls(str(path)), "h5dump": read_by(ByH5dump, False), "ncdump": read_by(ByNcdump, False), "h5py": read_by(ByH5py, True),
        "netCDF4": read_by(ByNetCDF4, True), "h5netcdf": read_by(ByH5netcdf, True), "xarray h5netcdf": read_by(ByXarray, True),
        "xarray netcdf4": read_by(ByXarrayNetCDF4, True), "pandas": read_by(ByPandas, False), "GDAL": read_by(ByGDAL, False), "silx": read_by(BySilx, True),
        "PyTables": lambda path: check_values(ByPyTables, str(path), everything[path.name], []),
        "ArviZ's calls": lambda path: check_inference_data(str(path)),
        "netCDF4 append": lambda path: path.name != "kept.h5" or check_append(bnn, str(path), bnn.at("appended.h5.copy")),
        "nccopy": lambda path: check_copy(bnn, str(path), bnn.at("nccopy.h5.copy"), said, "nccopy"),
        "h5repack": lambda path: check_copy(bnn, str(path), bnn.at("h5repack.h5.copy"), said, "h5repack", "-f", "GZIP=4"),
    }
    ran = {}
    for name, check in checks.items():
        try:
            if name in NOT_INSTALLED:
                raise Missing
            for path in files:
                check(path)
                datasets.cache_clear()
            ran[name] = True
        except Missing:
            ran[name] = False
    ran |= other_language(bnn, ["R ncdf4", "R rhdf5", "R hdf5r"], "Rscript", str(HERE / "readers.R"), "values.txt", "texts.txt")
    ran |= other_language(bnn, ["Octave load", "Octave netcdf"], "octave-cli", "--no-init-file", "--no-gui", str(HERE / "readers.m"), "values.txt")
    return ran, files


def main(program, table):
    with tempfile.TemporaryDirectory() as folder:
        bnn = Program(program, folder)
        entries = [*data(bnn, table), *runs(bnn), *checkpoints(bnn), *predictions(bnn), *comparisons(bnn), *choices(bnn)]
        values, texts = ([e for e in entries if isinstance(e, kind)] for kind in (Value, Text))
        more_runs(bnn, table)
        bnn("import-weights", "map.h5", "-d", "boston.h5", "--net", NET, "-o", "imported.h5")
        for run in ("map.h5", "stopped.h5", "imported.h5"):
            check_forward(bnn, run, bnn("predict", run))
        ran, files = check_files(bnn, values, texts)
        print(f"ids: {', '.join(check_ids(bnn))}")
        skipped = [name for name in ran if not ran[name]]
        print(f"{len(files)} files, {len(values)} printed arrays, {len(texts)} printed texts")
        print(f"readers: {sum(ran.values())} of {len(ran)} ran" + ("; skipped: " + ", ".join(skipped) if skipped else ""))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
