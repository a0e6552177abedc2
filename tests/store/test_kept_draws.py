#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether draws that were kept are those that the predictions are made of. Call: test_kept_draws.py PROGRAM BOSTON_CSV.

Without h5py and NumPy a line that begins with 'skipped' is printed and the exit status is 77, which meson counts as skipped.
"""
import importlib.util
import math
import re
import sys
import tempfile
import time

sys.dont_write_bytecode = True
try:
    import h5py
    import numpy as np
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)
from program import Program

DRAWS, P = 400, 0.2
NET = "dense:6; relu; dense"
CHAINS, STORED = 2, 300  # of hmc, of which DRAWS are taken
ENGINES = {
    "mc_dropout": f"mc_dropout:p={P},epochs=60",
    "bayes_by_backprop": "bayes_by_backprop:epochs=60,lr=0.01",
    "hmc": f"hmc:steps=5,chains={CHAINS},samples={STORED},warmup=50",
    "swag": "swag:epochs=60,rank=5",
    "laplace": "laplace:engine=map{epochs=60},predictive=sampling",
    "ensemble": "ensemble:members=4,engine=swag{epochs=30}",
}


def tree(path):
    """{group: {dataset: numbers}}, with one chain after the other of what has chains."""
    found = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            group, leaf = name.rsplit("/", 1)
            of_draws = group in ("posterior", "posterior_predictive", "log_likelihood") and item.ndim > 1
            found.setdefault(group, {})[leaf] = item[()].reshape(-1, *item.shape[2:]) if of_draws else item[()]

    with h5py.File(path) as file:
        file.visititems(visit)
    return found


def z_score(x, expected):
    """Of a mean of independent numbers."""
    return (np.mean(x) - expected) / (np.std(x, ddof=1) / np.sqrt(np.size(x)))


def check_moments(f, is_class):
    """The predictions are the moments of the draws."""
    mean, p, y = f["posterior_predictive"]["mean"], f["prediction"], f["observed_data"]["y"]
    assert len(mean) == DRAWS
    assert np.allclose(mean.mean(axis=0), p["mean"], rtol=1e-5)
    assert np.allclose(mean.var(axis=0), p["var_epistemic"], rtol=1e-3, atol=1e-9)
    assert np.array_equal(y, p["y"])
    logp = f["log_likelihood"]["y"]
    top = logp.max(axis=0)
    assert np.allclose(top + np.log(np.mean(np.exp(logp - top), axis=0)), p["logp"], rtol=1e-5)
    if is_class:
        assert np.allclose(np.take_along_axis(mean, np.broadcast_to(y[:, None], (DRAWS, len(y), 1)), axis=2)[..., 0], np.exp(logp), rtol=1e-4)
        assert np.allclose(mean.sum(axis=2), 1, rtol=1e-5)
        entropy = -np.sum(mean * np.log(mean), axis=2)
        assert np.allclose(entropy.mean(axis=0), p["expected_entropy"], rtol=1e-4)


def check_observations(f, is_class):
    """y is drawn around the mean of its draw, with the noise that the predictions tell of; log_likelihood is the density of that."""
    mean, y = f["posterior_predictive"]["mean"], f["posterior_predictive"]["y"]
    if is_class:
        for k in range(mean.shape[2]):
            z = z_score((y == k) - mean[..., k], 0)
            assert abs(z) < 4.5, f"class {k} is drawn with z = {z}"
        return
    variance = f["prediction"]["var_aleatoric"]
    for name, z in (("mean", z_score((y - mean) / np.sqrt(variance), 0)), ("variance", z_score((y - mean) ** 2 / variance, 1))):
        assert abs(z) < 4.5, f"the {name} of the noise has z = {z}"
    if np.ptp(variance) < 1e-6 * variance.mean():  # the noise is the same for all rows
        hyper = f["posterior"]["likelihood_hyper"] if "likelihood_hyper" in f["posterior"] else f["model_weights/likelihood"]["hyper"]
        variance = np.exp(hyper.reshape(-1, 1, 1)) * f["scaling"]["y_sd"] ** 2
        density = -0.5 * ((f["observed_data"]["y"] - mean) ** 2 / variance + np.log(2 * np.pi * variance))
        assert np.allclose(density[..., 0], f["log_likelihood"]["y"], rtol=1e-3, atol=1e-4)


def forward(f, layers, kernels, biases):
    """Output of the network for each draw, [draw, row, output]: kernels [draw, in, out], biases [draw or 1, out]."""
    s = f["scaling"]
    h = (f["constant_data"]["x"] - s["x_mean"]) / s["x_sd"]
    h = np.broadcast_to(h, (DRAWS, *h.shape))
    for i, layer in enumerate(layers):
        h = (np.maximum(h, 0) if i else h) @ kernels[layer] + biases[layer][:, None, :]
    return h


def check_forward(f, engine, is_class):
    """The network with the weights of draw s predicts what is kept of draw s."""
    node = "gaussian_dense" if engine == "bayes_by_backprop" else "dense"
    layers = [f"{node}_1", f"{node}_2"]
    posterior = f["posterior"]
    kernels = {layer: posterior[f"{layer}_kernel"] for layer in layers}
    shared = {layer: f.get("model_weights/" + layer, {}).get("bias", np.empty(0))[None] for layer in layers}
    biases = {layer: posterior.get(f"{layer}_bias", shared[layer]) for layer in layers}
    h = forward(f, layers, kernels, biases)
    if is_class:
        h = np.exp(h - h.max(axis=2, keepdims=True))
        h /= h.sum(axis=2, keepdims=True)
    else:
        h = h[..., :1] * f["scaling"]["y_sd"] + f["scaling"]["y_mean"]
    worst = np.abs(h - f["posterior_predictive"]["mean"]).max() / np.std(f["posterior_predictive"]["mean"])
    assert worst < 1e-4, f"{engine}: the mean differs from that of the weights by {worst} of its standard deviation"


def check_gates(f):
    """W = diag(z) M with z = 0 or 1 / (1-p): whole rows are out, their share is p, and rows are out independently."""
    out = []
    for layer in ("dense_1", "dense_2"):
        kernel, draws = f["model_weights/" + layer]["kernel"], f["posterior"][layer + "_kernel"]
        zero = (draws == 0).all(axis=2)
        kept = np.where(zero[..., None], 0, kernel / (1 - P))
        assert np.allclose(draws, kept, rtol=1e-5), f"{layer}: neither 0 nor kernel / (1-p)"
        out.append(zero)
    out = np.concatenate(out, axis=1)
    assert abs(z_score(out, P)) < 4.5, f"{out.mean()} of the rows are out, p is {P}"
    correlation = np.corrcoef(out.T) - np.eye(out.shape[1])
    assert np.abs(correlation).max() * np.sqrt(DRAWS) < 5, "rows are out together"


def check_gaussians(f):
    """Weights are N(mu, log(1 + e^rho)^2), independently."""
    z = []
    for layer in ("gaussian_dense_1", "gaussian_dense_2"):
        for name in ("kernel", "bias"):
            mu, rho = (f["model_weights/" + layer][f"{name}_{what}"] for what in ("mu", "rho"))
            z.append(((f["posterior"][f"{layer}_{name}"] - mu) / np.log1p(np.exp(rho))).reshape(DRAWS, -1))
    z = np.concatenate(z, axis=1)
    assert abs(z_score(z, 0)) < 4.5 and abs(z_score(z ** 2, 1)) < 4.5, (z.mean(), (z ** 2).mean())
    assert np.abs(np.corrcoef(z.T) - np.eye(z.shape[1])).max() * np.sqrt(DRAWS) < 5, "weights are drawn together"


def check_stored(f):
    """Draws that were stored: each chain's evenly spaced ones, by their numbers."""
    number = f["posterior"]["draw"]
    assert np.array_equal(number, np.arange(DRAWS // CHAINS) * STORED // (DRAWS // CHAINS))
    of_all = (np.arange(CHAINS)[:, None] * STORED + number).ravel()
    for layer in ("dense_1", "dense_2"):
        for name in ("kernel", "bias"):
            assert np.array_equal(f["posterior"][f"{layer}_{name}"], f["model_weights/" + layer][name][of_all]), f"{layer}_{name}"
    statistics = f["engine_state"]["statistics"].reshape(-1, CHAINS, STORED)  # of all stored draws; lp is the first
    assert np.array_equal(f["sample_stats"]["draw"], number) and np.array_equal(f["sample_stats"]["lp"], statistics[0][:, number])
    assert np.array_equal(f["sample_stats"]["diverging"], statistics[3][:, number] != 0)


def check_made(f):
    """Draws that are made for the prediction: every parameter has its own in each of them, the noise, too."""
    for layer in ("dense_1", "dense_2"):
        for name in ("kernel", "bias"):
            draws = f["posterior"][f"{layer}_{name}"]
            assert (np.ptp(draws, axis=0) > 0).mean() > 0.9 and len(np.unique(draws.reshape(DRAWS, -1), axis=0)) == DRAWS, f"{layer}_{name}"


# ---------------------------------------------------------------- networks of every layer, from the text and the weights alone

def by_channel(w, x):
    """w [draw or 1, channel] as a factor or a summand of x [draw, row, channel, ...]."""
    return w.reshape(len(w), 1, -1, *[1] * (x.ndim - 3))


def biased(w, y):
    return y + by_channel(w["bias"], y) if "bias" in w else y


def scaled(w, h):
    return h * by_channel(w["scale"], h) + by_channel(w["shift"], h)


def dense(w, o, x):
    return biased(w, x @ w["kernel"])


def windows(x, size, stride, padding, beyond):
    """[draw, row, channel, v, u, i, j]: pixel (i, j) of window (v, u), or `beyond` where there is none."""
    x = np.pad(x, [(0, 0)] * 3 + [(padding, padding)] * 2, constant_values=beyond)
    return np.lib.stride_tricks.sliding_window_view(x, size, axis=(3, 4))[:, :, :, ::stride, ::stride]


def conv2d(w, o, x):
    size = o["kernel"]
    kernel = w["kernel"].reshape(len(w["kernel"]), x.shape[2], size, size, -1)
    return biased(w, np.einsum("...rcvuij,...cijo->...rovu", windows(x, (size, size), o["stride"], o["padding"], 0), kernel))


def conv_transpose2d(w, o, x):
    """Each pixel of x adds a square to y, `stride` pixels from the next one's; `padding` pixels of each border are cut off in the end."""
    size, stride, padding = o["kernel"], o["stride"], o["padding"]
    kernel = w["kernel"].reshape(len(w["kernel"]), x.shape[2], -1, size, size)
    tall, wide = ((n - 1) * stride for n in x.shape[3:])
    y = np.zeros((*x.shape[:2], kernel.shape[2], tall + size, wide + size))
    for i, j in np.ndindex(size, size):
        y[..., i:i + tall + 1:stride, j:j + wide + 1:stride] += np.einsum("...rcvu,...co->...rovu", x, kernel[..., i, j])
    return biased(w, y[..., padding:y.shape[3] - padding, padding:y.shape[4] - padding])


def pool(of, o, x, beyond):
    size = (o["size"], o["size"]) if o["size"] else x.shape[3:]
    return of(windows(x, size, o["stride"] or o["size"] or 1, o["padding"], beyond), axis=(5, 6))


def stretch(n, o):
    """[factor n, n]: the share of each of n rows, or columns, in those that they become."""
    at = np.arange(o["factor"] * n)
    at = np.clip((at + 0.5) / o["factor"] - 0.5, 0, n - 1) if o["kind"] == "bilinear" else at // o["factor"]
    return np.maximum(0, 1 - np.abs(at[:, None] - np.arange(n)))


def upsample2d(w, o, x):
    return stretch(x.shape[3], o) @ x @ stretch(x.shape[4], o).T


def norm2d(w, o, x):
    h = x.reshape(*x.shape[:2], o["groups"] or x.shape[2], -1)
    h = h - (h.mean(axis=3, keepdims=True) if o["centre"] == "yes" else 0)
    return scaled(w, (h / np.sqrt((h ** 2).mean(axis=3, keepdims=True) + o["eps"])).reshape(x.shape))


def batchnorm2d(w, o, x):
    return scaled(w, (x - by_channel(w["mean"], x)) / np.sqrt(by_channel(w["var"], x) + o["eps"]))


def itself(w, o, x):
    """What a gate does is in its draws, and the data are no function of anything."""
    return x


LAYERS = {  # functions of weights {name: [draw or 1, ...]}, options {name: value} and inputs [draw, row, ...]; images have their channels first
    "input": itself, "dropout": itself, "concrete_dropout": itself, "gaussian_dropout": itself, "spatial_dropout": itself, "spatial_concrete_dropout": itself,
    "relu": lambda w, o, x: np.maximum(x, 0), "tanh": lambda w, o, x: np.tanh(x), "softplus": lambda w, o, x: np.logaddexp(x, 0),
    "sigmoid": lambda w, o, x: 1 / (1 + np.exp(-x)), "gelu": lambda w, o, x: x * np.vectorize(math.erfc)(-x / math.sqrt(2)) / 2,
    "flatten": lambda w, o, x: x.reshape(*x.shape[:2], -1), "concat": lambda w, o, *x: np.concatenate(x, axis=2), "add": lambda w, o, *x: sum(x),
    "dense": dense, "gaussian_dense": dense, "conv2d": conv2d, "gaussian_conv2d": conv2d,
    "conv_transpose2d": conv_transpose2d, "gaussian_conv_transpose2d": conv_transpose2d,
    "maxpool2d": lambda w, o, x: pool(np.max, o, x, -np.inf), "avgpool2d": lambda w, o, x: pool(np.nanmean, o, x, np.nan),
    "upsample2d": upsample2d, "norm2d": norm2d, "batchnorm2d": batchnorm2d, "channel_affine": lambda w, o, x: scaled(w, x),
}


def value_of(word):
    try:
        return float(word) if re.search(r"[.e]", word) else int(word)
    except ValueError:
        return word


def nodes(text):
    """(label, type, options, inputs) of each statement; without a label of its own a node is called by its type and the first number that is free."""
    found, named = [], {part.split("=")[0].strip() for part in text.split(";") if re.match(r" *\w+ = ", part)}
    for part in text.split(";"):
        label, kind, options, inputs = re.fullmatch(r" *(?:(\w+) = )?(\w+)(?::([^()]*))?(?:\((.*)\))?", part).groups()
        taken = named | {node[0] for node in found}
        label = label or next(name for k in range(1, 99) if (name := f"{kind}_{k}") not in taken)
        options = {name: value_of(word) for name, word in re.findall(r"(\w+)=([^,]*)", options or "")}
        found.append((label, kind, options, re.split(", *", inputs) if inputs else [found[-1][0]] if found else []))
    return found


def standardised(f):
    """The data, the same for each draw."""
    x, s = f["constant_data"]["x"], f["scaling"]
    x = (x - s["x_mean"].reshape(x.shape[1:])) / s["x_sd"].reshape(x.shape[1:])
    return np.broadcast_to(x, (len(f["posterior_predictive"]["mean"]), *x.shape))


def weights_of(f, label):
    """{name: [draw, ...]} of what each draw has its own of, {name: [1, ...]} of all else."""
    shared = {name: value[None] for name, value in f.get("model_weights/" + label, {}).items()}
    return shared | {name.removeprefix(label + "_"): value for name, value in f["posterior"].items() if name.startswith(label + "_")}


def gated(gate, h):
    """A gate may be that of a number, or of a whole channel."""
    return h * np.repeat(gate, h[0, 0].size // gate.shape[1], axis=1).reshape(len(gate), 1, *h.shape[2:])


def walk(f, text):
    """Output of the network for each draw. Weights by layer_names and weight_names as in Keras's older files, unless each draw has its own."""
    values = {}
    for label, kind, options, inputs in nodes(text):
        w = weights_of(f, label)
        h = LAYERS[kind](w, options, *([values[name] for name in inputs] if kind != "input" else [standardised(f)]))
        values[label] = gated(w["gate"], h) if "gate" in w else h
    return values[label]


GRAPH = "a = input; b = dense:5(a); c = tanh; d = dense:5; e = add(b, d); f = softplus; g = concat(a, f); dense:6,bias=no; relu; dense"
GATES = "dense:6; dropout:p=0.3; relu; concrete_dropout; tanh; gaussian_dropout:alpha=0.2; add_in = dense:6; softplus; dense"
IMAGES = "a = input; channels = spatial_dropout:p=0.3; b = flatten; c = tanh(b); d = concat(b, c); dense:4; relu; dense"
PIXELS = ("conv2d:4,padding=1; spatial_concrete_dropout:p=0.3; norm2d:groups=2; gelu; maxpool2d:3,stride=2,padding=1; upsample2d:kind=bilinear; "
          "conv2d:3,stride=2,padding=1,bias=no; batchnorm2d; conv_transpose2d:2,kernel=3,padding=1; channel_affine; sigmoid; avgpool2d:2,stride=1,padding=1; "
          "flatten; dense")
DRAWN = "gaussian_conv2d:3,kernel=2; gelu; gaussian_conv_transpose2d:2; batchnorm2d; upsample2d:3; tanh; avgpool2d:0; flatten; dense"
STORED_PIXELS = "conv2d:3,kernel=2; norm2d:centre=no; conv_transpose2d:2,stride=3; channel_affine; maxpool2d; flatten; dense"
NETS = [  # network, engine, data; all layers are in one of them
    (GRAPH, "map:epochs=5", "boston.h5"), (GRAPH, "mc_dropout:epochs=5", "boston.h5"), (GRAPH, "bayes_by_backprop:epochs=5", "boston.h5"),
    (GRAPH, "hmc:steps=3,chains=2,samples=20,warmup=5", "kinds.h5"), (GATES, "mc_dropout:epochs=5", "boston.h5"),
    (IMAGES, "mc_dropout:gates=concrete,epochs=5", "images.h5"), ("gaussian_dense:5; relu; dense", "bayes_by_backprop:epochs=5", "kinds.h5"),
    (PIXELS, "mc_dropout:p=0.2,epochs=20", "images.h5"), (DRAWN, "bayes_by_backprop:epochs=20", "images.h5"),
    (STORED_PIXELS, "hmc:steps=3,chains=2,samples=20,warmup=5", "images.h5"),
]


def check_layers(bnn):
    seen = set()
    for net, engine, data in NETS:
        bnn("fit", "-d", data, "--net", net, "--engine", engine, "--samples", 40, "--keep", "posterior,predictive", "-o", "net.h5")
        f = tree(bnn.at("net.h5"))
        with h5py.File(bnn.at("net.h5")) as file:
            text, weights = file.attrs["net"], file["model_weights"]
            with_weights = {layer: sorted(weights[layer].attrs["weight_names"]) for layer in weights.attrs["layer_names"]}
        parsed = nodes(text)
        for layer, names in with_weights.items():
            assert names == sorted(name for name in f["model_weights/" + layer] if not re.search("(^|_)(in|out|draw)$", name)), (layer, names)
        assert [node[0] for node in parsed if node[0] in with_weights] == list(with_weights), "layer_names are not in the order of the text"
        seen |= {node[1] for node in parsed}
        h, mean = walk(f, text), f["posterior_predictive"]["mean"]
        h = np.exp(h - np.logaddexp.reduce(h, axis=2, keepdims=True)) if data != "boston.h5" else h * f["scaling"]["y_sd"] + f["scaling"]["y_mean"]
        worst = np.abs(h - mean).max() / np.std(mean)
        assert worst < 1e-4, f"{engine} of {net}: off by {worst} of a standard deviation"
    said = bnn("list", "layers").split("\n")[1:]
    known = {line.split()[0] for line in said if line.strip()}
    assert seen == known, f"layers that no network here has: {known - seen}"


CHECKS = {"mc_dropout": check_gates, "bayes_by_backprop": check_gaussians, "hmc": check_stored, "swag": check_made, "laplace": check_made, "ensemble": check_made}


def check_truth(bnn):
    for engine, spec in ENGINES.items():
        for data, is_class, more in (("boston.h5", False, []), ("kinds.h5", True, []), ("boston.h5", False, ["--likelihood", "heteroscedastic"])):
            what = f"{engine} {data} {' '.join(more)}"
            bnn("fit", "-d", data, "--net", NET, "--engine", spec, "--samples", DRAWS, *more, "--keep", "posterior,predictive", "-o", "kept.h5")
            f = tree(bnn.at("kept.h5"))
            try:
                check_moments(f, is_class)
                check_observations(f, is_class)
                check_forward(f, engine, is_class)
                CHECKS[engine](f)
            except AssertionError as error:
                raise AssertionError(f"{what}: {error}") from error
            bnn("predict", "kept.h5", "--samples", DRAWS, "--keep", "posterior,predictive", "-o", "again.h5")
            again = tree(bnn.at("again.h5"))
            for group in ("posterior", "posterior_predictive", "log_likelihood", "constant_data", "observed_data"):
                assert all(np.array_equal(f[group][name], again[group][name]) for name in f[group]), f"{what}: {group} of bnn predict"


def check_many(bnn):
    """10,000 draws of a 13-50-1 network open at once; what is not read costs nothing."""
    bnn("fit", "-d", "boston.h5", "--net", "dense:50; relu; dense", "--engine", "mc_dropout:epochs=40", "--samples", 10000,
        "--keep", "posterior,predictive", "-o", "many.h5")
    if not importlib.util.find_spec("xarray"):
        print("skipped: opening 10,000 draws, for want of xarray")
        return
    import xarray
    with h5py.File(bnn.at("many.h5")) as file:
        names = [name for name in file]
    seconds = {}
    for engine in ("h5netcdf", "netcdf4"):
        if not importlib.util.find_spec(engine.replace("netcdf4", "netCDF4")):
            continue
        for _ in range(3):  # the best of three, and time of the processor, on a machine that may be busy
            start = time.process_time()
            groups = {name: xarray.open_dataset(bnn.at("many.h5"), group=name, engine=engine) for name in names}
            kernel = groups["posterior"]["dense_1_kernel"].mean(["chain", "draw"])
            seconds[engine] = min(time.process_time() - start, seconds.get(engine, np.inf))
            assert kernel.shape == (13, 50) and groups["posterior"].sizes["draw"] == 10000
        assert seconds[engine] < 2, f"{engine} takes {seconds[engine]:.2f} s to open 10,000 draws"
    print("10,000 draws, all groups opened and the mean of a kernel taken: " + ", ".join(f"{engine} {s:.2f} s" for engine, s in seconds.items()))


def main(program, table):
    with tempfile.TemporaryDirectory() as folder:
        bnn = Program(program, folder)
        bnn.boston(table)
        bnn.kinds()
        bnn.images()
        check_truth(bnn)
        check_layers(bnn)
        check_many(bnn)
        print(f"{len(ENGINES)} engines, regression, classes and noise by row: kept draws are true")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
