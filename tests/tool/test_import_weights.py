#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""bnn import-weights on files as Keras and h5py write them: a forward pass in NumPy gives what `bnn predict` says. Call: test_import_weights.py PROGRAM.

Without the modules a line that begins with 'skipped' is printed and the exit status is 77, which meson counts as skipped.
"""
import csv
import io
import json
import subprocess
import sys
import tempfile
import zipfile
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


def numbered(file, path, arrays, given=None):
    """A layer of Keras 3: PATH/vars/0, 1, ...; bfloat16, which HDF5 does not have, as two bytes with an attribute."""
    group = file.require_group(f"{path}/vars")
    if given:
        group.attrs["name"] = given
    for k, array in enumerate(a for a in arrays if a is not None):
        group[str(k)] = array
        if array.dtype.kind == "V":
            group[str(k)].attrs["dtype"] = "bfloat16"


def bfloat16(array):
    """The nearest numbers above or below with 8 bits, and their bytes."""
    upper = (array.astype("f4").view("u4") >> 16).astype("u2")
    return (upper.astype("u4") << 16).view("f4").astype(float), upper.view("V2")


def tensors_file(path, arrays, head=None):
    """safetensors.numpy.save_file({name: array}): the widest numbers first, then by name; head: changes the head."""
    types = {"f2": "F16", "f4": "F32", "f8": "F64", "i8": "I64", "V2": "BF16"}
    about, at, ordered = {"__metadata__": {"format": "pt"}}, 0, sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))
    for name in ordered:
        array = arrays[name]
        about[name] = {"dtype": types[array.dtype.str[1:]], "shape": array.shape, "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
    if head:
        head(about)
    text = json.dumps(about).encode()
    text += b" " * (-len(text) % 8)
    Path(path).write_bytes(len(text).to_bytes(8, "little") + text + b"".join(np.ascontiguousarray(arrays[name]).tobytes() for name in ordered))


def keras_zip(path, layers, groups, config, compress=zipfile.ZIP_STORED):
    """model.save("net.keras"): weights in groups, and the description of the model, which has their order."""
    with io.BytesIO() as memory:
        with h5py.File(memory, "w") as file:
            for group, arrays in zip(groups, layers):
                numbered(file, group, [a.astype("f4") for a in arrays])
            file.create_group("optimizer/vars")["0"] = np.int64(3)
        with zipfile.ZipFile(path, "w", compress) as archive:
            archive.writestr("metadata.json", "{}")
            archive.writestr("config.json", json.dumps(config))
            archive.writestr("model.weights.h5", memory.getvalue())


def described(name, *layers):
    return {"class_name": name, "config": {"layers": list(layers)}}


# ---------------------------------------------------------------- runs

class Folder:
    def __init__(self, program, folder):
        self.program, self.folder, self.checks = program, Path(folder), 0

    def at(self, name):
        return str(self.folder / name)

    def bnn(self, *words):
        if "-o" in words:  # each call writes a file of its own
            (self.folder / words[words.index("-o") + 1]).unlink(missing_ok=True)
        done = subprocess.run([self.program, *map(str, words)], cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(map(str, words))}: {done.stderr}"
        return done.stdout

    def refuses(self, sentence, *words):
        done = subprocess.run([self.program, *map(str, words)], cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 2 and sentence in done.stderr, f"{' '.join(map(str, words))}: {done.returncode}, {done.stderr}"
        self.checks += 1

    def imports(self, path, layers, tolerance=2e-6, options=()):
        """The run made of the file predicts as NumPy does; tanh between the layers."""
        net = "; tanh; ".join([f"dense:{kernel.shape[1]}" for kernel, _ in layers[:-1]] + ["dense"])
        said = self.bnn("import-weights", path, "--net", net, "-o", f"{path}.run.h5", *options)
        self.close(path, self.predict(f"{path}.run.h5", "r.h5")["mean_y"], forward(layers, x)[:, 0], tolerance)
        return said

    def table(self, name, target, *words):
        with open(self.at(f"{name}.csv"), "w", newline="") as file:
            csv.writer(file).writerows([["a", "b", "c", "y"], *([*row, y] for row, y in zip(x.tolist(), target))])
        self.bnn("import", "csv", f"{name}.csv", *words, "-o", f"{name}.h5")
        self.bnn("split", f"{name}.h5", "--kind", "holdout", "--count", 2)

    def training_rows(self, name, split):
        with h5py.File(self.at(f"{name}.h5")) as file:
            return np.flatnonzero(file["splits/role"][split] == 0)

    def predict(self, run, data, *words):
        """Columns of CSV by their names, rows in the order of the table; those that name classes are left out."""
        rows = list(csv.DictReader(self.bnn("predict", run, "--data", data, "--split", "all", *words).splitlines()))
        rows.sort(key=lambda row: int(row["row"]))
        return {name: np.array([float(row[name]) for row in rows]) for name in rows[0] if name not in ("class", "y_y")}

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


def check_models(f):
    """What Keras 3 nests, numbers, names and leaves out; numbers of 16 bits."""
    layers = [dense(D, H), dense(H, H), dense(H, H), dense(H, 1)]
    groups = ["layers/sequential/layers/dense", "layers/sequential/layers/dense_1", "layers/dense", "layers/dense_1"]
    with h5py.File(f.at("nested.weights.h5"), "w") as file:
        for group, arrays in zip(groups, layers):
            numbered(file, group, arrays)
        file["layers/dropout/seed_generator/vars/0"] = np.zeros(2, "u4")
        file["optimizer/vars/0"] = np.int64(3)
    assert "the only order that fits" in f.imports("nested.weights.h5", layers)
    with h5py.File(f.at("subclass.weights.h5"), "w") as file:
        for group, given, arrays in zip(("hidden", "layers/dense_1", "layers/dense_2", "out"), ("dense", "dense_1", "dense_2", "dense_3"), layers):
            numbered(file, group, arrays, given)
    f.imports("subclass.weights.h5", layers)
    exact = [bfloat16(a) for pair in layers for a in pair]
    with h5py.File(f.at("bf16.weights.h5"), "w") as file:
        for i in range(4):
            numbered(file, f"layers/dense{f'_{i}' if i else ''}", [exact[2 * i][1], exact[2 * i + 1][1]])
    f.imports("bf16.weights.h5", [(exact[2 * i][0], exact[2 * i + 1][0]) for i in range(4)])
    with h5py.File(f.at("opaque.weights.h5"), "w") as file:
        file["layers/dense/vars/0"] = exact[0][1]
    f.refuses("dataset /layers/dense/vars/0 does not hold numbers", "import-weights", "opaque.weights.h5", "--net", "dense", "-o", "no.h5")
    keras_file(f.at("legacy.h5"), layers[:1], names=["backbone"])
    with h5py.File(f.at("legacy.h5"), "a") as file:  # a model in a model: its arrays stand in one list
        inner = [(f"backbone/{name}/{array}:0", value) for name, pair in zip(("dense", "dense_1", "dense_2", "dense_3"), layers) for array, value in zip(("kernel", "bias"), pair)]
        del file["backbone"]
        put_list(file.create_group("backbone"), "weight_names", [path for path, _ in inner], "fixed")
        for path, value in inner:
            file["backbone"][path] = value
    f.imports("legacy.h5", layers)
    with h5py.File(f.at("loop.h5"), "w") as file:
        file["a/a"] = file.create_group("a")
    f.refuses("group /a/a", "import-weights", "loop.h5", "--net", "dense", "-o", "no.h5")


def check_orders(f):
    """Layers of equal width: the order is in the file, or named, or refused."""
    layers = [dense(D, H), dense(H, H), dense(H, H), dense(H, 1)]
    groups, given = ["dense", "my_dense", "dense_1", "my_dense_1"], ["first", "second", "third", "last"]
    net = "dense:8; tanh; dense:8; tanh; dense:8; tanh; dense"
    with h5py.File(f.at("mixed.weights.h5"), "w") as file:
        for name, own, arrays in zip(groups, given, layers):
            numbered(file, f"layers/{name}", arrays, own)
    sentence = "the order of its layers dense (first), dense_1 (third), my_dense (second), my_dense_1 (last) is not in the file, and the network takes several: name it, such as --order dense,dense_1,my_dense,my_dense_1"
    f.refuses(sentence, "import-weights", "mixed.weights.h5", "--net", net, "-o", "no.h5")
    for order in ",".join(groups), "first,second,third,last", "dense, my_dense,third,last":
        f.imports("mixed.weights.h5", layers, options=("--order", order))
        (f.folder / "mixed.weights.h5.run.h5").unlink()
    for sentence, order in {
        "the order does not name layer 'my_dense_1'": "dense,my_dense,dense_1",
        "the order names 'fourth', which is no layer with weights": "dense,my_dense,dense_1,fourth",
        "the order names 'dense' twice": "dense,my_dense,dense_1,first",
    }.items():
        f.refuses(sentence, "import-weights", "mixed.weights.h5", "--net", net, "-o", "no.h5", "--order", order)
    config = described("Sequential", {"class_name": "InputLayer"}, *({"class_name": name} for name in ("Dense", "MyDense", "Dense", "Dropout", "MyDense")))
    keras_zip(f.at("mixed.keras"), layers, [f"layers/{name}" for name in groups], config)
    f.imports("mixed.keras", layers)
    inner = described("Functional", {"class_name": "Dense"}, {"class_name": "MyDense"})
    keras_zip(f.at("inner.keras"), layers, ["layers/functional/layers/dense", "layers/functional/layers/my_dense", "layers/dense", "layers/dense_1"],
              described("Functional", inner, {"class_name": "Dense"}, {"class_name": "Dense"}), zipfile.ZIP_DEFLATED)
    f.imports("inner.keras", layers)
    keras_zip(f.at("subclass.keras"), layers, [f"layers/{name}" for name in groups], {"class_name": "Mine", "config": {}})
    f.refuses("is not in the file, and the network takes several", "import-weights", "subclass.keras", "--net", net, "-o", "no.h5")
    keras_zip(f.at("partly.keras"), layers, [f"layers/{name}" for name in groups], described("Sequential", {"class_name": "Dense"}, {"class_name": "Dense"}))
    f.refuses("is not in the file, and the network takes several", "import-weights", "partly.keras", "--net", net, "-o", "no.h5")
    with h5py.File(f.at("attributes.weights.h5"), "w") as file:
        for name, arrays in zip(("a", "d", "c", "b"), layers):
            numbered(file, name, arrays)
    f.refuses("layer 'a' holds arrays that the file only numbers (0 [3x8], 1 [8]), and is not dense by its name: if it is, name the layers in their order (--order)", "import-weights", "attributes.weights.h5", "--net", net, "-o", "no.h5")
    f.imports("attributes.weights.h5", layers, options=("--order", "a,d,c,b"))
    for name, arrays, sentence in (("lstm/cell", [np.zeros((D, 32)), np.zeros((8, 32)), np.zeros(32)], "layer 'lstm/cell' holds arrays that the file only numbers (0 [3x32], 1 [8x32], 2 [32])"),
                                   ("batch_normalization", [np.zeros(8)] * 4, "layer 'batch_normalization' holds scale [8], shift [8], mean [8], var [8]: no node of the network takes that"),
                                   ("einsum_dense", [np.zeros((D, 8)), np.zeros(8)], "layer 'einsum_dense' holds arrays that the file only numbers")):
        with h5py.File(f.at("other.weights.h5"), "w") as file:
            numbered(file, f"layers/{name}", arrays)
            numbered(file, "layers/dense", layers[3])
        f.refuses(sentence, "import-weights", "other.weights.h5", "--net", "dense:8; tanh; dense", "-o", "no.h5")


def check_normalization(f):
    """The layer Normalization on the inputs, as Keras 3 numbers its arrays and as Keras 2 names them, for each column or for all."""
    layers = [dense(D, H), dense(H, 1)]
    mean, variance, count = x.mean(0).astype("f4"), x.var(0).astype("f4"), np.int64(N)

    def folded(mean, variance):
        sd = np.maximum(np.sqrt(variance.astype(float)), 1e-7)
        first = layers[0][0] / np.broadcast_to(sd, D)[:, None]
        return [(first, layers[0][1] - np.broadcast_to(mean, D) @ first), layers[1]]

    config = described("Sequential", {"class_name": "InputLayer"}, {"class_name": "Normalization"}, {"class_name": "Dense"}, {"class_name": "Dense"})
    for name, m, v in (("column", mean, variance), ("all", mean[:1], variance[:1]), ("one", mean[0], variance[0])):
        with h5py.File(f.at(f"{name}.weights.h5"), "w") as file:
            for layer, arrays in zip(("dense", "dense_1"), layers):
                numbered(file, f"layers/{layer}", arrays)
            numbered(file, "layers/normalization", [np.asarray(m), np.asarray(v), count])
        assert "inputs scaled by 'normalization'" in f.imports(f"{name}.weights.h5", folded(m, v))
    groups = ["layers/normalization", "layers/dense", "layers/dense_1"]
    keras_zip(f.at("normal.keras"), [(mean, variance, np.asarray(count)), *layers], groups, config)
    f.imports("normal.keras", folded(mean, variance))
    with h5py.File(f.at("old.h5"), "w") as file:
        put_list(file, "layer_names", ["scale", "dense", "dense_1"], "fixed")
        for name, arrays in (("scale", {"mean:0": mean, "variance:0": variance, "count:0": count}), ("dense", dict(zip(("kernel:0", "bias:0"), layers[0]))), ("dense_1", dict(zip(("kernel:0", "bias:0"), layers[1])))):
            put_list(file.create_group(name), "weight_names", [f"{name}/{array}" for array in arrays], "fixed")
            for array, value in arrays.items():
                file[name][f"{name}/{array}"] = value
    f.imports("old.h5", folded(mean, variance))
    f.refuses("--scaling x: old.h5 scales the inputs by its layer 'scale': leave --scaling out", "import-weights", "old.h5", "--net", NET, "--scaling", "x", "-d", "r.h5", "-o", "no.h5")
    wide = described("Sequential", {"class_name": "Dense"}, {"class_name": "Normalization"}, {"class_name": "Dense"})
    keras_zip(f.at("inside.keras"), [layers[0], (np.zeros(H, "f4"), np.ones(H, "f4"), np.asarray(count)), layers[1]], ["layers/dense", "layers/normalization", "layers/dense_1"], wide)
    f.refuses("layer 'normalization' normalises what comes from 'dense': only that of the inputs can be read; put it into the weights of the layer behind it", "import-weights", "inside.keras", "--net", NET, "-o", "no.h5")
    for sentence, m, v in (("mean nan and variance 1 of column 1 cannot scale it", np.float32("nan"), np.float32(1)), ("normalises 2 columns, the data have 3", np.zeros(2), np.ones(2))):
        with h5py.File(f.at("column.weights.h5"), "a") as file:
            del file["layers/normalization"]
            numbered(file, "layers/normalization", [np.asarray(m), np.asarray(v), count])
        f.refuses(sentence, "import-weights", "column.weights.h5", "--net", NET, "-d", "r.h5", "-o", "no.h5")


def check_shards(f):
    """model.save_weights("net.weights.json", max_shard_size=...): a layer may lie in two of them."""
    layers = [dense(D, H), dense(H, 1)]
    for i, (path, array) in enumerate([("dense/vars/0", layers[0][0]), ("dense/vars/1", layers[0][1]), ("dense_1/vars/0", layers[1][0]), ("dense_1/vars/1", layers[1][1])]):
        with h5py.File(f.at(f"net_{i // 3:05d}.weights.h5"), "a") as file:
            file[f"layers/{path}"] = array
    shards = [f"net_{i:05d}.weights.h5" for i in range(2)]
    for index in ({"weight_map": {"/layers/dense/vars": shards[0], "/layers/dense_1/vars": shards}}, {"metadata": {}, "weight_map": {}}):
        (f.folder / "net.weights.json").write_text(json.dumps(index))
        f.imports("net.weights.json", layers)
        (f.folder / "net.weights.json.run.h5").unlink()
    for index, sentence in (({"weight_map": {"/layers": "../net_00000.weights.h5"}}, "names the shard '../net_00000.weights.h5', expected a file beside it"), ({"weights": 1}, "is JSON, but no list of weights"),
                            ({"weight_map": {"/layers": "none.h5"}}, "none.h5: No such file")):
        (f.folder / "net.weights.json").write_text(json.dumps(index))
        f.refuses(sentence, "import-weights", "net.weights.json", "--net", "dense:8; tanh; dense", "-o", "no.h5")


def check_torch(f):
    """A state_dict in .npz and HDF5: weight is [out, in], also where it is square."""
    layers = [dense(D, H), dense(H, H), dense(H, 1)]
    state = {f"net.{name}.{array}": value for name, (kernel, bias) in zip("zya", layers) for array, value in (("weight", kernel.T), ("bias", bias))}
    np.savez(f.at("f8.npz"), **state)
    np.savez_compressed(f.at("f4.npz"), **{name: np.asfortranarray(value).astype("f4") for name, value in state.items()})
    np.savez(f.at("big.npz"), **{name: np.ascontiguousarray(value).astype(">f8") for name, value in state.items()})
    for name in "f8.npz", "f4.npz", "big.npz":
        assert "dense_1 from 'net.z', dense_2 from 'net.y', dense_3 from 'net.a', matrices [out, in] transposed" in f.imports(name, layers)
    short = [(k.astype("f2"), b.astype("f2")) for k, b in layers]
    short[0][0][0, :3] = np.array([6e-8, -65504, 0], "f2")  # one without a leading bit, and the largest
    np.savez(f.at("f2.npz"), **{f"{name}.{array}": value for name, (kernel, bias) in zip(("fc1", "fc2", "fc3"), short) for array, value in (("weight", kernel.T), ("bias", bias))})
    f.imports("f2.npz", [(k.astype(float), b.astype(float)) for k, b in short])
    np.savez(f.at("list.npz"), *state.values())
    np.savez(f.at("letters.npz"), **{f"{letter}{i}": value for i, pair in enumerate(layers) for letter, value in zip("Wb", pair)})
    f.imports("list.npz", layers), f.imports("letters.npz", layers)
    for at in 0, 1:  # scikit-learn's coefs_ and intercepts_, of three layers and of two
        some = [layers[0], layers[2]] if at else layers
        np.savez(f.at(f"halves{at}.npz"), *(pair[0] for pair in some), *(pair[1] for pair in some))
        f.imports(f"halves{at}.npz", some)
    square = [dense(D, D), dense(D, D)]
    np.savez(f.at("square.npz"), *(value for pair in square for value in pair))
    f.refuses("nothing says whether array 'arr_0' and those like it are [in, out] or [out, in]: name them", "import-weights", "square.npz", "--net", "dense:3; dense", "-o", "no.h5")
    with h5py.File(f.at("state.h5"), "w") as flat, h5py.File(f.at("groups.h5"), "w") as groups:
        for i, (kernel, bias) in enumerate(layers):
            flat[f"fc{i}.weight"], flat[f"fc{i}.bias"] = kernel.T, bias
            groups[f"fc{i}/weight"], groups[f"fc{i}/bias"] = kernel.T, bias
    f.imports("state.h5", layers), f.imports("groups.h5", layers)
    np.savez(f.at("norm.npz"), **{"fc1.weight": layers[0][0].T, "fc1.bias": layers[0][1], "bn.weight": np.ones(H), "bn.bias": np.ones(H), "bn.num_batches_tracked": np.int64(3), "fc2.weight": layers[2][0].T})
    np.savez(f.at("kernel.npz"), **{"fc1.weight": layers[0][0], "fc2.weight": layers[2][0].T})
    with zipfile.ZipFile(f.at("net.pt"), "w") as archive:
        archive.writestr("net/data.pkl", b"")
    (f.folder / "old.pt").write_bytes(b"\x80\x02}q\x00.")
    np.save(f.at("one.npy"), layers[0][0])
    np.savez(f.at("empty.npz"), **{"fc.weight": np.zeros((0, 3))})
    f.refuses("empty.npz: fc.weight: holds no number, as one of its dimensions is 0", "import-weights", "empty.npz", "--net", "dense", "-o", "no.h5")
    with h5py.File(f.at("empty.weights.h5"), "w") as file:
        file["layers/dense/vars/0"] = np.zeros((3, 0))
    f.refuses("/layers/dense/vars/0: holds no number, as one of its dimensions is 0", "import-weights", "empty.weights.h5", "--net", "dense", "-o", "no.h5")
    np.savez(f.at("inner.npz"), first_W=layers[0][0], first_b=layers[0][1], first_g=layers[0][1])
    np.savez(f.at("object.npz"), **{"fc.weight": np.array([{}])})
    (f.folder / "saved_model").mkdir()
    (f.folder / "broken.json").write_text('{"weight_map": ')
    (f.folder / "net.onnx").write_bytes(b"\x08\x07\x12\x07pytorch")
    (f.folder / "cut.npz").write_bytes((f.folder / "f8.npz").read_bytes()[:-40])
    damaged = bytearray((f.folder / "f8.npz").read_bytes())
    damaged[damaged.index(b"NUMPY") + 200] ^= 1
    (f.folder / "damaged.npz").write_bytes(damaged)
    for path, sentence in {
        "norm.npz": "layer 'bn' holds scale [8], shift [8]: no node of the network takes that",
        "kernel.npz": "dataset fc1.weight (transposed) has shape [8x3], but node 'dense_1' (dense) takes [3x8]: as it is it would fit, under the name kernel",
        "inner.npz": "layer '/' holds first_W [3x8], first_b [8], first_g [8]: no node of the network takes that; 'dense_1' (dense) takes kernel [3x8], bias [8]: name the arrays by their layers, such as fc1.weight [out, in] or fc1.kernel [in, out], and fc1.bias",
        "net.pt": "is a file of torch.save, which only Python reads: save the arrays by name: np.savez(",
        "old.pt": "is a pickle of Python: save the arrays by name",
        "one.npy": "is one array of NumPy without a name",
        "object.npz": "array fc.weight has the type '|O', which is not known",
        "saved_model": "is a folder, such as TensorFlow's: save the model in one file",
        "broken.json": "is no file of weights: it begins as JSON",
        "net.onnx": "is a file of ONNX: save the arrays by name",
        "cut.npz": "is truncated or damaged",
        "damaged.npz": "entry net.z.weight.npy of the archive cannot be read: it is damaged",
    }.items():
        f.refuses(sentence, "import-weights", path, "-d", "r.h5", "--scaling", "none", "--net", "dense:8; tanh; dense", "-o", "no.h5")


def check_tensors(f):
    """Safetensors hold arrays by the width of their numbers and by name: layers are in the order of their numbers, or of --order."""
    layers = [dense(D, H), dense(H, H), dense(H, 1)]
    net = "dense:8; tanh; dense:8; tanh; dense"

    def state(names, layers):
        return {f"{name}.{array}": value for name, (kernel, bias) in zip(names, layers) for array, value in (("weight", kernel.T), ("bias", bias))}

    tensors_file(f.at("f8.safetensors"), state("024", layers))
    tensors_file(f.at("mixed.safetensors"), {name: value.astype("f4" if "bias" in name else "f8") for name, value in state(["net.2", "net.9", "net.10"], layers).items()})
    short = [(k.astype("f2"), b.astype("f2")) for k, b in layers]
    tensors_file(f.at("f2.safetensors"), state(["fc1", "fc2", "fc3"], short))
    f.imports("f8.safetensors", layers), f.imports("mixed.safetensors", layers), f.imports("f2.safetensors", [(k.astype(float), b.astype(float)) for k, b in short])
    exact = [tuple(bfloat16(np.ascontiguousarray(a.T)) for a in pair) for pair in layers]
    tensors_file(f.at("bf16.safetensors"), {f"{i}.{name}": given for i, pair in enumerate(exact) for name, (_, given) in zip(("weight", "bias"), pair)})
    f.imports("bf16.safetensors", [(kernel[0].T, bias[0]) for kernel, bias in exact])
    square = [layers[0], layers[1], layers[1], layers[2]]
    tensors_file(f.at("named.safetensors"), state("cabd", square))
    f.refuses("is not in the file, and the network takes several", "import-weights", "named.safetensors", "--net", "dense:8; tanh; dense:8; tanh; dense:8; tanh; dense", "-o", "no.h5")
    f.imports("named.safetensors", square, options=("--order", "c,a,b,d"))
    names, arrays = ("net-00001-of-00002.safetensors", "net-00002-of-00002.safetensors"), state("012", layers)
    for i, name in enumerate(names):
        tensors_file(f.at(name), {key: value for key, value in arrays.items() if (key[0] == "2") == i})
    (f.folder / "net.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": {key: names[key[0] == "2"] for key in arrays}}))
    f.imports("net.safetensors.index.json", layers)
    whole = (f.folder / "f8.safetensors").read_bytes()
    (f.folder / "cut.safetensors").write_bytes(whole[:-4])
    (f.folder / "head.safetensors").write_bytes(whole[:60])
    (f.folder / "text.safetensors").write_bytes(b"\x08" + bytes(7) + b'{"fc": 1')
    (f.folder / "none.safetensors").write_bytes(b"\x02" + bytes(7) + b"{}")
    tensors_file(f.at("eight.safetensors"), arrays, lambda head: head["0.bias"].update(dtype="F8_E4M3"))
    tensors_file(f.at("place.safetensors"), arrays, lambda head: head["0.bias"].update(shape=[7]))
    tensors_file(f.at("shape.safetensors"), arrays, lambda head: head["0.bias"].update(shape=[-8]))
    for path, sentence in {
        "cut": "cut.safetensors: array 4.weight is cut off",
        "head": "head.safetensors: is a file of safetensors that is cut off or damaged",
        "text": "text.safetensors: is no file of weights: it begins as safetensors, but its head cannot be read as JSON",
        "none": "none.safetensors: holds no weights",
        "eight": "array 0.bias has the type 'F8_E4M3', which is not known: save it as float32",
        "place": "array 0.bias is damaged: its place in the file is not one of its shape and type",
        "shape": "array 0.bias is damaged: its shape has an entry that is no number, or too large",
    }.items():
        f.refuses(sentence, "import-weights", f"{path}.safetensors", "--net", net, "-o", "no.h5")


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
            half_row = 0.5 * (0.05 * (y_sd if scaling == "xy" else 1)) ** 2  # of the noise's prior
            squares = np.sum((mean_y[rows, 0] - y[rows]) ** 2)
            f.close(f"noise of {scaling}", got["var_aleatoric_y"], (squares + half_row) / (len(rows) + 0.5), 1e-4)
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
        check_models(f)
        check_orders(f)
        check_normalization(f)
        check_shards(f)
        check_torch(f)
        check_tensors(f)
        check_scaling(f, y)
        check_classes(f, kinds)
        z = check_dropout(f)
        print(f"{f.checks} checks; dropout: z at most {z[0]:.2f} for means, {z[1]:.2f} for variances")


if __name__ == "__main__":
    main(str(Path(sys.argv[1]).resolve()))
