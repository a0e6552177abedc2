#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""bnn import-weights on files as Keras and h5py write them: a forward pass in NumPy gives what `bnn predict` says. Call: test_import_weights.py PROGRAM.

Without the modules a line that begins with 'skipped' is printed and the exit status is 77, which meson counts as skipped.
"""
import csv
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import h5py
    import numpy as np
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

N, D, H = 60, 3, 8
NET = "dense:8; tanh; dense"
rng = np.random.default_rng(7)
x = rng.normal(size=(N, D)) * [2, 0.5, 10] + [1, -3, 20]


def dense(inputs, units):
    return rng.normal(size=(inputs, units)) / np.sqrt(inputs), rng.normal(size=units) / 4


def forward(layers, values, gate=lambda h: h):
    """layers: (kernel, bias or None); tanh between them; gate: applied to the input of each."""
    for i, (kernel, bias) in enumerate(layers):
        values = gate(np.tanh(values) if i else values) @ kernel + (0 if bias is None else bias)
    return values


# ---------------------------------------------------------------- files

def put_list(group, name, texts, how):
    """An attribute of texts: fixed-length ones (NumPy's), variable-length ones, or fixed ones cut over several attributes as Keras does beyond 64512 bytes."""
    fixed = np.array([t.encode() for t in texts], dtype=None if texts else "S1")
    if not texts:
        group.attrs[name] = []  # which h5py writes as no numbers, and so does Keras
    elif how == "variable":
        group.attrs.create(name, texts, dtype=h5py.string_dtype())
    elif how == "bytes":
        group.attrs.create(name, [t.encode() for t in texts], dtype=h5py.string_dtype("ascii"))
    elif fixed.nbytes > 64512:
        parts = np.array_split(fixed, -(-fixed.nbytes // 64512))
        for k, part in enumerate(parts):
            group.attrs[f"{name}{k}"] = part
    else:
        group.attrs.create(name, fixed)


def keras_file(path, layers, top="/", how="fixed", dtype="f4", prefix="", suffix=":0", names=None, idle=("input_1", "activation"), **options):
    """Keras's older layout (model.save_weights, model.save); `idle` layers have no weights; groups are made in the order of their names."""
    names = names or ["dense" + (f"_{i}" if i else "") for i in range(len(layers))]
    with h5py.File(path, "w", **options) as file:
        group = file.require_group(top)
        put_list(group, "layer_names", [idle[0], *names, *idle[1:]], how)
        group.attrs["backend"], group.attrs["keras_version"] = b"tensorflow", b"2.12.0"
        weights = dict(zip(names, layers))
        for name in sorted([*names, *idle, "top_level_model_weights"]):
            here = group.create_group(name)
            arrays = [(f"{prefix}{name}/{w}{suffix}", a) for w, a in zip(("kernel", "bias"), weights.get(name, ())) if a is not None]
            put_list(here, "weight_names", [path for path, _ in arrays], how)
            for inside, array in arrays:
                here.create_dataset(inside, data=array.astype(dtype))


def keras3_file(path, layers, top="layers"):
    """model.save_weights("x.weights.h5") of Keras 3."""
    with h5py.File(path, "w") as file:
        for name in ("dropout", "re_lu"):
            file.create_group(f"{top}/{name}/vars")
        for i, arrays in enumerate(layers):
            for k, array in enumerate(a for a in arrays if a is not None):
                file[f"{top}/dense{f'_{i}' if i else ''}/vars/{k}"] = array.astype("f4")
        file.create_group("optimizer/vars")["0"] = np.int64(3)


def plain_file(path, layers, names, top="/", **options):
    with h5py.File(path, "w") as file:
        group = file.require_group(top) if top != "/" else file
        if options:
            group = file.create_group("model_weights", **options)
        for name, (kernel, bias) in zip(names, layers):
            group.create_group(name)["kernel"] = kernel
            if bias is not None:
                group[name]["bias"] = bias


# ---------------------------------------------------------------- runs

class Folder:
    def __init__(self, program, folder):
        self.program, self.folder, self.checks = program, Path(folder), 0

    def at(self, name):
        return str(self.folder / name)

    def bnn(self, *words):
        done = subprocess.run([self.program, *map(str, words)], cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(map(str, words))}: {done.stderr}"
        return done.stdout

    def table(self, name, target, *words):
        with open(self.at(f"{name}.csv"), "w", newline="") as file:
            csv.writer(file).writerows([["a", "b", "c", "y"], *([*row, y] for row, y in zip(x.tolist(), target))])
        self.bnn("import", "csv", f"{name}.csv", *words, "-o", f"{name}.h5")
        self.bnn("split", f"{name}.h5", "--kind", "holdout", "--count", 2)

    def training_rows(self, name, split):
        with h5py.File(self.at(f"{name}.h5")) as file:
            return np.flatnonzero(file["splits/role"][split] == 0)

    def predict(self, run, data, *words):
        """Columns of CSV by their names, rows in the order of the table."""
        rows = list(csv.DictReader(self.bnn("predict", run, "--data", data, "--split", "all", *words).splitlines()))
        rows.sort(key=lambda row: int(row["row"]))
        return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}

    def close(self, what, got, expected, tolerance=2e-6):
        self.checks += 1
        off = np.max(np.abs(np.asarray(got) - expected)) / np.max(np.abs(expected))
        assert off < tolerance, f"{what}: off by {off:.3g} of the largest"


def check_layouts(f):
    """Every layout, kind of text and type of number gives the same run."""
    layers = [dense(D, H), dense(H, 1)]
    short = [(k.astype("f2").astype(float), b.astype("f2").astype(float)) for k, b in layers]
    flat = [(layers[0][0], None), layers[1]]
    many = [f"idle_{'x' * 90}_{i:04d}" for i in range(900)]
    cases = {
        "fixed": (keras_file, layers, {}),
        "variable": (keras_file, layers, {"how": "variable", "dtype": "f8"}),
        "bytes": (keras_file, layers, {"how": "bytes"}),
        "model": (keras_file, layers, {"top": "/model_weights"}),
        "keras3": (keras_file, layers, {"top": "/model_weights", "prefix": "sequential/", "suffix": ""}),
        "split": (keras_file, layers, {"idle": many}),
        "half": (keras_file, short, {"dtype": "f2"}),
        "big_endian": (keras_file, layers, {"dtype": ">f8"}),
        "latest": (keras_file, layers, {"libver": "latest"}),
        "no_bias": (keras_file, flat, {}),
        "ten": (keras_file, layers, {"names": ["dense_9", "dense_10"]}),
        "weights": (keras3_file, layers, {}),
        "checkpoint": (keras3_file, flat, {"top": "_layer_checkpoint_dependencies"}),
        "plain": (plain_file, layers, {"names": ["dense_2", "dense_10"]}),
        "plain_model": (plain_file, flat, {"names": ["0", "2"], "top": "/model_weights"}),
        "tracked": (plain_file, layers, {"names": ["z", "a"], "track_order": True}),
    }
    for name, (write, weights, options) in cases.items():
        path = f"{name}.weights.h5"
        write(f.at(path), weights, **options)
        f.bnn("import-weights", path, "--net", NET, "-o", f"{name}.h5")
        f.close(name, f.predict(f"{name}.h5", "r.h5")["mean_y"], forward(weights, x)[:, 0])


def check_scaling(f, y):
    layers = [dense(D, H), dense(H, 1)]
    for split in 0, 1:
        rows = f.training_rows("r", split)
        mean, sd, y_mean, y_sd = x[rows].mean(0), x[rows].std(0), y[rows].mean(), y[rows].std()
        keras_file(f.at("w.h5"), layers)
        expected = {"none": forward(layers, x), "x": forward(layers, (x - mean) / sd), "xy": forward(layers, (x - mean) / sd) * y_sd + y_mean}
        for scaling, mean_y in expected.items():
            f.bnn("import-weights", "w.h5", "-d", "r.h5", "--split", split, "--scaling", scaling, "--net", NET, "-o", "run.h5")
            got = f.predict("run.h5", "r.h5")
            f.close(f"scaling {scaling}", got["mean_y"], mean_y[:, 0])
            f.close(f"noise of {scaling}", got["var_aleatoric_y"], np.mean((mean_y[rows, 0] - y[rows]) ** 2), 1e-4)
    f.bnn("import-weights", "w.h5", "-d", "r.h5", "--scaling", "none", "--net", NET, "-o", "default.h5")
    f.close("the file's own split", len(f.bnn("predict", "default.h5").splitlines()) - 1, N - len(f.training_rows("r", 0)), 1e-9)
    for with_y in False, True:
        if with_y:
            plain_file(f.at("w.h5"), layers, ["hidden", "out"])
        else:
            keras_file(f.at("w.h5"), layers)
        with h5py.File(f.at("w.h5"), "a") as file:
            file["scaling/x_mean"], file["scaling/x_sd"] = [1.0, 2, 3], [4.0, 5, 6]
            if with_y:
                file["scaling/y_mean"], file["scaling/y_sd"] = [7.0], [8.0]
        mean_y = forward(layers, (x - [1, 2, 3]) / [4, 5, 6])[:, 0]
        f.bnn("import-weights", "w.h5", "--net", NET, "-o", "run.h5")
        f.close("scaling of the file", f.predict("run.h5", "r.h5")["mean_y"], mean_y * 8 + 7 if with_y else mean_y)
        f.bnn("import-weights", "w.h5", "--scaling", "none", "--net", NET, "-o", "run.h5")
        f.close("scaling of the file, not wanted", f.predict("run.h5", "r.h5")["mean_y"], forward(layers, x)[:, 0])


def check_classes(f, kinds):
    layers = [dense(D, H), dense(H, 3)]
    keras_file(f.at("w.h5"), layers)
    rows = f.training_rows("c", 0)
    for scaling, values in ("none", x), ("x", (x - x[rows].mean(0)) / x[rows].std(0)):
        f.bnn("import-weights", "w.h5", "-d", "c.h5", "--scaling", scaling, "--net", NET, "-o", "run.h5")
        p = np.exp(forward(layers, values))
        p /= p.sum(1, keepdims=True)
        got = f.predict("run.h5", "c.h5")
        for k, kind in enumerate(kinds):
            f.close(f"classes, scaling {scaling}", got[f"p_{kind}"], p[:, k])
    f.bnn("import-weights", "w.h5", "--likelihood", "categorical", "--net", NET, "-o", "blind.h5")
    f.bnn("import", "csv", "c.csv", "--drop", "y", "--target", "none", "-o", "new.h5")
    got = f.predict("blind.h5", "new.h5")
    p = np.exp(forward(layers, x))
    f.close("classes without data", np.stack([got[f"p_{k}"] for k in range(3)], 1), p / p.sum(1, keepdims=True))
    keras_file(f.at("w.h5"), layers[:1] + [dense(H, 1)])
    with h5py.File(f.at("w.h5")) as file:
        logit = forward([layers[0], (file["dense_1/dense_1/kernel:0"][()], file["dense_1/dense_1/bias:0"][()])], x)[:, 0]
    f.bnn("import-weights", "w.h5", "--likelihood", "bernoulli", "--net", NET, "-o", "run.h5")
    f.close("two classes", f.predict("run.h5", "new.h5")["p_1"], 1 / (1 + np.exp(-logit)))


def check_dropout(f):
    """Gates on imported weights: mean and variance of draws against as many in NumPy."""
    draws, p = 20000, 0.2
    layers = [dense(D, H), dense(H, 1)]
    keras_file(f.at("w.h5"), layers)
    f.bnn("import-weights", "w.h5", "-d", "r.h5", "--scaling", "x", "--engine", f"mc_dropout:p={p}", "--net", NET, "--samples", 10, "-o", "run.h5")
    got = f.predict("run.h5", "r.h5", "--samples", draws)
    rows = f.training_rows("r", 0)
    values = (x - x[rows].mean(0)) / x[rows].std(0)

    def gate(h):
        return h * (rng.random(h.shape[-1]) >= p) / (1 - p)

    sampled = np.stack([forward(layers, values, gate)[:, 0] for _ in range(draws)])
    mean, var = sampled.mean(0), sampled.var(0)
    fourth = ((sampled - mean) ** 4).mean(0)
    z_mean = (got["mean_y"] - mean) / np.sqrt(2 * var / draws)
    z_var = (got["var_epistemic_y"] - var) / np.sqrt(2 * (fourth - var ** 2) / draws)
    assert np.all(var > 1e-3)
    f.checks += 2
    for what, z in ("mean", z_mean), ("variance", z_var):
        assert np.all(np.abs(z) < 5), f"mc_dropout, {what}: z up to {np.abs(z).max():.2f}"
    return np.abs(z_mean).max(), np.abs(z_var).max()


def main(program):
    with tempfile.TemporaryDirectory() as folder:
        f = Folder(program, folder)
        y = np.round(5 + 3 * np.tanh(x[:, 0]) + 0.3 * rng.normal(size=N), 6)
        kinds = ["u", "v", "w"]
        f.table("r", y.tolist())
        f.table("c", [kinds[i % 3] for i in range(N)], "--target", "y")
        check_layouts(f)
        check_scaling(f, y)
        check_classes(f, kinds)
        z = check_dropout(f)
        print(f"{f.checks} checks; dropout: z at most {z[0]:.2f} for means, {z[1]:.2f} for variances")


if __name__ == "__main__":
    main(str(Path(sys.argv[1]).resolve()))
