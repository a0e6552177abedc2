#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""bnn import-weights on convolutional networks as Keras and PyTorch save them: a forward pass in NumPy, in the layout of theirs, gives what `bnn predict`
says. Call: test_import_conv.py PROGRAM.

Without the modules a line that begins with 'skipped' is printed and the exit status is 77, which meson counts as skipped.
"""
import csv
import struct
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

N, C, H, W, CLASSES = 7, 3, 8, 6, 4
NET = "conv2d:5,padding=1; {norm}; relu; maxpool2d:2; conv2d:{last}; relu; flatten; dense:9; tanh; dense"
rng = np.random.default_rng(5)
images = rng.integers(0, 256, (N, C, H, W), dtype=np.uint8)
labels = np.arange(N, dtype=np.uint8) % CLASSES


def weights(*shape):
    return rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))


# The parameters, channels first as PyTorch has them: kernels [out, in, rows, columns], matrices [out, in].
LAST = 6
net = {
    "conv1": (weights(5, C, 3, 3), weights(5)), "bn": (rng.uniform(0.5, 2, 5), weights(5), weights(5), rng.uniform(0.1, 2, 5)),
    "conv2": (weights(LAST, 5, 3, 3), weights(LAST)), "fc1": (weights(9, LAST * 2 * 1), weights(9)), "fc2": (weights(CLASSES, 9), weights(CLASSES)),
}


def conv(x, kernel, bias, padding):
    """x [n,c,h,w], kernel [o,c,k,k]"""
    k = kernel.shape[-1]
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(2, 3))
    return np.einsum("nchwij,ocij->nohw", windows, kernel) + bias[:, None, None]


def conv_transpose(x, kernel, bias):
    """x [n,c,h,w], kernel [c,o,2,2], step 2: each pixel becomes a square"""
    n, _, h, w = x.shape
    return np.einsum("nchw,coij->nohiwj", x, kernel).reshape(n, -1, 2 * h, 2 * w) + bias[:, None, None]


def softmax(f):
    p = np.exp(f - f.max(1, keepdims=True))
    return p / p.sum(1, keepdims=True)


def forward(x, eps):
    gamma, beta, mean, var = net["bn"]
    h = conv(x, *net["conv1"], 1)
    h = (h - mean[:, None, None]) / np.sqrt(var[:, None, None] + eps) * gamma[:, None, None] + beta[:, None, None]
    h = np.maximum(h, 0)
    h = h.reshape(N, 5, H // 2, 2, W // 2, 2).max((3, 5))
    h = np.maximum(conv(h, *net["conv2"], 0), 0).reshape(N, -1)
    return softmax(np.tanh(h @ net["fc1"][0].T + net["fc1"][1]) @ net["fc2"][0].T + net["fc2"][1])


# ---------------------------------------------------------------- files

def keras():
    """The layers, with kernels [rows, columns, in, out] and the rows of the first dense kernel in the order (row, column, channel)."""
    def turned(kernel):
        return kernel.transpose(2, 3, 1, 0)
    first = net["fc1"][0].reshape(9, LAST, 2, 1).transpose(2, 3, 1, 0).reshape(-1, 9)
    return {
        "conv2d": (turned(net["conv1"][0]), net["conv1"][1]), "batch_normalization": net["bn"], "conv2d_1": (turned(net["conv2"][0]), net["conv2"][1]),
        "dense": (first, net["fc1"][1]), "dense_1": (net["fc2"][0].T, net["fc2"][1]),
    }


def names_of(layer):
    return ("gamma", "beta", "moving_mean", "moving_variance") if "norm" in layer else ("kernel", "bias")


def legacy(path):
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array([b"input_1", *(name.encode() for name in keras()), b"activation"])
        for name in ("input_1", "activation"):
            file.create_group(name).attrs["weight_names"] = []
        for name, arrays in keras().items():
            inside = [f"{name}/{array}:0" for array in names_of(name)]
            file.create_group(name).attrs["weight_names"] = np.array([i.encode() for i in inside])
            for i, array in zip(inside, arrays):
                file[name][i] = array.astype("f4")


def numbered(path):
    with h5py.File(path, "w") as file:
        for name, arrays in keras().items():
            for k, array in enumerate(arrays):
                file[f"layers/{name}/vars/{k}"] = array.astype("f4")


def state_dict(path, **more):
    arrays = {f"{name}.{array}": value for name in ("conv1", "bn", "conv2", "fc1", "fc2") for array, value in
              zip(("weight", "bias", "running_mean", "running_var"), net[name])}
    np.savez(path, **{**arrays, "bn.num_batches_tracked": np.int64(3), **more})


# ---------------------------------------------------------------- runs

class Folder:
    def __init__(self, program, folder):
        self.program, self.folder = program, Path(folder)

    def bnn(self, *words):
        done = subprocess.run([self.program, *map(str, words)], cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(map(str, words))}: {done.stderr}"
        return done.stdout

    def refuses(self, sentence, *words):
        done = subprocess.run([self.program, *map(str, words)], cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 2 and sentence in done.stderr, f"{' '.join(map(str, words))}: {done.returncode}, {done.stderr}"

    def imports(self, path, text, expected, says):
        said = self.bnn("import-weights", path, "-d", "images.h5", "--split", "all", "--scaling", "none", "--likelihood", "categorical", "--net", text,
                        "-f", "-o", "run.h5")
        rows = list(csv.DictReader(self.bnn("predict", "run.h5", "--data", "images.h5", "--split", "all").splitlines()))
        got = np.array([[float(row[f"p_{k}"]) for k in range(CLASSES)] for row in sorted(rows, key=lambda row: int(row["row"]))])
        off = np.max(np.abs(got - expected))
        assert off < 1e-5, f"{path}, {text}: off by {off:.3g}"
        assert says in said, said

    def imports_net(self, path, norm, eps, says):
        self.imports(path, NET.format(norm=norm, last=LAST), forward(images.astype(float), eps), says)


def check_transposed(f):
    """A transposed convolution has [in, out, rows, columns] in PyTorch, [rows, columns, out, in] in Keras; as many channels come out as go in."""
    up, head = (weights(C, C, 2, 2) / 50, weights(C)), (weights(CLASSES, C), weights(CLASSES))
    expected = softmax(np.tanh(conv_transpose(images.astype(float), *up)).mean((2, 3)) @ head[0].T + head[1])
    text = "conv_transpose2d:3; tanh; avgpool2d:0; flatten; dense"
    np.savez(f.folder / "up.npz", **{"up.weight": up[0], "up.bias": up[1], "head.weight": head[0], "head.bias": head[1]})
    f.imports("up.npz", text, expected, "conv_transpose2d_1 from 'up'")
    with h5py.File(f.folder / "up.weights.h5", "w") as file:
        for name, arrays in ("conv2d_transpose", (up[0].transpose(2, 3, 1, 0), up[1])), ("dense", (head[0].T, head[1])):
            for k, array in enumerate(arrays):
                file[f"layers/{name}/vars/{k}"] = array
    f.imports("up.weights.h5", text, expected, "conv_transpose2d_1 from 'conv2d_transpose' (turned: channels first)")


def main(program):
    with tempfile.TemporaryDirectory() as folder:
        f = Folder(program, folder)
        f.folder.joinpath("images").write_bytes(struct.pack(">5i", 0x804, *images.shape) + images.tobytes())
        f.folder.joinpath("labels").write_bytes(struct.pack(">2i", 0x801, N) + labels.tobytes())
        f.bnn("import", "idx", "images", "labels", "-o", "images.h5")
        for write, path in (legacy, "legacy.h5"), (numbered, "net.weights.h5"):
            write(f.folder / path)
            f.imports_net(path, "channel_affine", 1e-3, "channel_affine_1 from 'batch_normalization' (statistics frozen, with eps=1e-3)")
            f.imports_net(path, "batchnorm2d:eps=1e-3", 1e-3, "conv2d_2 from 'conv2d_1' (turned: channels first)")
            f.imports_net(path, "batchnorm2d", 1e-5, "(whose eps is that of the network; 1e-3 is the preset of its maker)")
        state_dict(f.folder / "net.npz")
        f.imports_net("net.npz", "channel_affine", 1e-5, "channel_affine_1 from 'bn' (statistics frozen, with eps=1e-5)")
        f.imports_net("net.npz", "batchnorm2d", 1e-5, "dense_1 from 'fc1', dense_2 from 'fc2'")
        f.refuses("dataset conv2.weight (turned) has shape [45x6], but node 'conv2d_2' (conv2d) takes [45x7]", "import-weights", "net.npz", "-d", "images.h5", "--split",
                  "all", "--likelihood", "categorical", "--net", NET.format(norm="channel_affine", last=7), "-o", "no.h5")
        f.refuses("layer 'conv1' is a convolution, which does not say how large images are: name some (--data)", "import-weights", "net.npz", "--net", "dense", "-o", "no.h5")
        state_dict(f.folder / "wide.npz", **{"conv2.weight": weights(LAST, 5, 9, 1)})
        f.refuses("layer 'conv2' holds kernel [6x5x9x1], bias [6]: no node of the network takes that", "import-weights", "wide.npz", "-d", "images.h5", "--split", "all", "--likelihood", "categorical", "--net",
                  NET.format(norm="channel_affine", last=LAST), "-o", "no.h5")
        check_transposed(f)
        state_dict(f.folder / "plain.npz")
        with np.load(f.folder / "plain.npz") as all_arrays:  # a batch norm without factor and shift
            np.savez(f.folder / "plain.npz", **{k: v for k, v in all_arrays.items() if k not in ("bn.weight", "bn.bias")})
        net["bn"] = (np.ones(5), np.zeros(5), *net["bn"][2:])
        f.imports_net("plain.npz", "channel_affine", 1e-5, "statistics frozen")
        # A run that came in so is read again as it is.
        f.bnn("import-weights", "run.h5", "-d", "images.h5", "--split", "all", "--scaling", "none", "--net", NET.format(norm="channel_affine", last=LAST), "-o", "again.h5")
        assert f.bnn("predict", "run.h5", "--data", "images.h5", "--split", "all") == f.bnn("predict", "again.h5", "--data", "images.h5", "--split", "all")


if __name__ == "__main__":
    main(str(Path(sys.argv[1]).resolve()))
