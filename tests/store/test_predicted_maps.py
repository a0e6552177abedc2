#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps of classes through the program: whether the files of predictions say what their probabilities say, in any company and at any number of threads, and whether scores are
those that NumPy computes of them. Call: test_predicted_maps.py PROGRAM.

Without h5py, NumPy and xarray a line that begins with 'skipped' is printed and the exit status is 77, which meson counts as skipped.
"""
import base64
import json
import re
import struct
import subprocess
import sys
import tempfile
import zlib

sys.dont_write_bytecode = True
try:
    import h5py
    import numpy as np
    import xarray
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)
from program import Program

NAMES, TRAIN, ROWS, COLUMNS, BINS = ["sky", "road", "a car"], 24, 20, 24, 15
NET = "conv2d:6,padding=1; relu; spatial_dropout:0.3; conv2d:kernel=1"


def pictures(path, n, only=None, truth=True):
    """Noisy pictures of three grounds, whose last column nobody knows; those behind the first TRAIN are test rows."""
    random = np.random.default_rng(5)
    y = np.zeros((n, ROWS, COLUMNS), np.int8)
    for image in y:
        image[random.integers(4, 9):] = 1
        top, left = random.integers(2, 8), random.integers(0, 10)
        image[top : top + 5, left : left + 6] = 2
    x = np.array([[40, 60, 200], [90, 90, 90], [200, 30, 30]])[y].transpose(0, 3, 1, 2) + random.normal(0, 60, (n, 3, ROWS, COLUMNS))
    y[:, :, -1] = -1
    keep = np.arange(n) if only is None else only
    x, y = np.clip(x, 0, 255).astype(np.uint8)[keep], y[keep]
    with h5py.File(path, "w") as f:
        f.attrs.update(schema="bnn-data", title="", source="", license="", task="classification", raw_sha256="", scale_rule="channel", scale_range=1.0, schema_version=np.int32(1))
        for name, size in zip(("obs_id", "channel", "row", "column"), x.shape):
            f[name] = np.arange(size)
            f[name].make_scale(name)
        f["x"] = x
        if truth:
            f["y"] = y
            f["y"].attrs.update(n_classes=np.int32(3), labels=np.array(NAMES, h5py.string_dtype()))
        if only is None:
            splits = f.create_group("splits")
            splits.attrs["origin"] = "given"
            splits["order"] = np.arange(n, dtype=np.int32)[None]
            splits["role"] = (2 * (np.arange(n) >= TRAIN)).astype(np.int8)[None]


def answer(path):
    with h5py.File(path) as f:
        return {name: f["prediction"][name][()] for name in f["prediction"]}


def refused(bnn, words, sentence):
    done = subprocess.run([bnn.path, *words], cwd=bnn.folder, capture_output=True, text=True)
    assert done.returncode == 2 and sentence in done.stderr, f"{words}: {done.returncode}: {done.stderr}"


def check_pixels(a):
    p = a["probability"]
    entropy = -np.sum(p * np.log(np.maximum(p, 1e-30)), axis=1)
    assert np.allclose(p.sum(axis=1), 1, atol=1e-5) and np.array_equal(p.argmax(axis=1), a["class"])
    assert np.allclose(entropy, a["entropy"], atol=1e-5) and (a["mutual_information"] >= 0).all() and (a["mutual_information"] <= a["entropy"] + 1e-6).all()
    assert a["mutual_information"].max() > 0.01, "gates make no draws differ"
    assert (a["y"][:, :, -1] == -1).all() and (a["y"][:, :, :-1] >= 0).all()


def scores(a, keep):
    """Of some of the images, by NumPy."""
    p, y = a["probability"][keep].transpose(0, 2, 3, 1), a["y"][keep]
    known = y >= 0
    p, y, called, h = p[known], y[known], a["class"][keep][known], a["entropy"][keep][known]
    confusion = np.zeros((3, 3))
    np.add.at(confusion, (y, called), 1)
    both = np.diag(confusion)
    iou = both / (confusion.sum(0) + confusion.sum(1) - both)
    top, right = p.max(axis=1), called == y
    bin = np.minimum((top * BINS).astype(int), BINS - 1)
    ece = sum(abs(top[bin == b].sum() - right[bin == b].sum()) for b in range(BINS)) / len(y)
    return {
        "iou": np.nanmean(iou),
        "accuracy": right.mean(),
        "nll": -np.log(p[np.arange(len(y)), y]).mean(),
        "brier": ((p - np.eye(3)[y]) ** 2).sum(axis=1).mean(),
        "ece": ece,
        "mean_entropy": h.mean(),
    }, iou, (h, right)


def check_scores(said, a):
    n = len(a["class"])
    all, iou, (h, right) = scores(a, np.arange(n))
    left_out = [scores(a, np.delete(np.arange(n), i))[0] for i in range(n)]
    for name, value in all.items():
        assert abs(said[name] - value) < 2e-5, f"{name}: {said[name]}, NumPy has {value}"
        if name == "mean_entropy":
            continue
        jackknife = np.array([one[name] for one in left_out])
        error = np.sqrt((n - 1) / n * ((jackknife - jackknife.mean()) ** 2).sum())
        assert abs(said[name + "_se"] - error) < 2e-5 + 1e-2 * error, f"{name}_se: {said[name + '_se']}, NumPy has {error}"
    assert [c["name"] for c in said["classes"]] == NAMES
    assert np.allclose([c["iou"] for c in said["classes"]], iou, atol=1e-6)
    width = np.log(3) / 256  # certain: below the mean, to one of 256 levels
    certain = [h < h.mean() - width, h < h.mean() + width]
    for name, ends in (("p_accurate_certain", [right[c].mean() for c in certain]), ("pavpu", [(right == c).mean() for c in certain])):
        assert min(ends) - 0.03 <= said[name] <= max(ends) + 0.03, f"{name}: {said[name]}, NumPy has {ends}"


def check_tools(bnn):
    """xarray has the names and the shapes; the file has no findings; the run file has scores of images in place of maps."""
    with xarray.open_dataset(bnn.at("answer.h5"), group="prediction", engine="h5netcdf") as p:
        assert p["entropy"].dims == ("obs_id", "row", "column") and p["probability"].dims == ("obs_id", "class_id", "row", "column")
        assert np.isnan(p["y"].values[:, :, -1]).all() and list(p["class_id"].attrs["labels"]) == NAMES
    with h5py.File(bnn.at("answer.h5")) as f:
        assert f["prediction/entropy"].compression == "gzip" and f["prediction/entropy"].dtype == np.float32 and f["prediction/class"].dtype == np.int8
    assert "no findings" in bnn("info", "--lint", "answer.h5")
    with h5py.File(bnn.at("run.h5")) as f:
        assert "class" not in f["prediction"] and len(f["prediction/accuracy"]) == 12 and "iou" in f["class_scores"]
    assert "iou" in json.loads(bnn("info", "--json", "run.h5"))["scores"]


def decode(uri):
    """[row, column, rgb] of a PNG without filters, each of whose chunks must have its checksum."""
    png = base64.b64decode(uri)
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(png):
        (n,), name = struct.unpack(">I", png[at : at + 4]), png[at + 4 : at + 8]
        chunks[name] = png[at + 8 : at + 8 + n]
        assert struct.unpack(">I", png[at + 8 + n : at + 12 + n])[0] == zlib.crc32(name + chunks[name])
        at += 12 + n
    width, height = struct.unpack(">II", chunks[b"IHDR"][:8])
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, 3 * width + 1)
    return lines[:, 1:].reshape(height, width, 3)


def check_page(bnn, a):
    """The images that are least and most certain, each as picture, truth, prediction and both uncertainties, in the colours of the legend."""
    bnn("report", "answer.h5", "-o", "page.html")
    page = (bnn.folder / "page.html").read_text()
    shown = re.findall(r'data:image/png;base64,([^"]*)" alt="(\w+)"', page)
    assert [name for _, name in shown] == ["picture", "truth", "prediction", "aleatoric", "epistemic"] * 6 and "http" not in page.replace("http://www.w3.org", "")
    rows = [int(row) - TRAIN for row in re.findall(r"Row (\d+): mean entropy", page)]
    order = np.argsort(a["entropy"].mean(axis=(1, 2)), kind="stable")
    assert rows == [*order[::-1][:3], *order[:3][::-1]], f"{rows} are shown, least certain are {order[::-1][:3]}, most certain {order[:3]}"
    colours = [bytes.fromhex(c) for c in re.findall(r"background:#(\w{6})", page)]
    assert len(set(colours)) == 4  # void and three classes
    with h5py.File(bnn.at("maps.h5")) as f:
        x = f["x"][()]
    for i, row in enumerate(rows):
        maps = [decode(uri) for uri, _ in shown[5 * i : 5 * i + 5]]
        assert np.array_equal(maps[0], x[TRAIN + row].transpose(1, 2, 0))
        for picture, of in ((maps[1], a["y"][row]), (maps[2], a["class"][row])):
            assert np.array_equal(picture, np.array([list(c) for c in colours], np.uint8)[of + 1])
        lightness = maps[3].astype(int).sum(axis=2)
        aleatoric = a["entropy"][row] - a["mutual_information"][row]
        assert lightness.flat[aleatoric.argmax()] == lightness.max() and lightness.flat[aleatoric.argmin()] == lightness.min()
    data = bnn.folder / "maps.h5"
    kept = data.read_bytes()
    pictures(bnn.at("maps.h5"), 37)
    bnn("report", "answer.h5", "-o", "page.html")
    page = (bnn.folder / "page.html").read_text()
    assert "The pictures are not shown: the file of the data has changed" in page and 'alt="picture"' not in page
    data.write_bytes(kept)


def check_comparison(bnn, a):
    """An image is a point: the mean square of its error is its share of wrong pixels."""
    bnn("compare", "-d", "maps.h5", "-n", NET, "-k", 0, "-e", "mc_dropout:epochs=60,batch=4", "-e", "map:epochs=20,batch=4", "-S", 30, "-o", "compared.h5")
    with h5py.File(bnn.at("compared.h5")) as f:
        error, iou, of_class = f["engine_0/error"][()], f["scores/iou"][()], f["class_scores/iou"][()]
    assert np.allclose(error**2, 1 - a["accuracy"]), "points are no images"
    assert iou.shape == (2, 1) and np.allclose(np.nanmean(of_class, axis=2), iou)
    bnn("report", "compared.h5", "-o", "compared.html")
    page = (bnn.folder / "compared.html").read_text()
    assert "Reliability" in page and "Confusion" not in page and ">nan<" not in page


def check_parts(bnn):
    """Maps in parts, of a comparison and of a prediction, are those of one process."""
    words = "compare", "-d", "maps.h5", "-n", NET, "-k", 0, "-e", "mc_dropout:epochs=2,batch=4", "-e", "map:epochs=2,batch=4", "-r", "mc_dropout", "-S", 3
    asked = "predict", "run.h5", "-d", "maps.h5", "-k", 0, "-S", 3, "--probabilities"
    for words in words, asked:
        bnn(*words, "-o", "whole.h5", "--force")
        for i in 1, 2:
            bnn(*words, "--part", f"{i}/2", "-o", f"part.{i}.h5", "--force")
        bnn("merge", "part.2.h5", "part.1.h5", "-o", "joined.h5", "--force")
        bnn("diff", "whole.h5", "joined.h5")


def check_pictures(bnn):
    """Scores of a picture are means over its pixels: over all of them where it is told from others, over those whose class is known where it is referred."""
    bnn("predict", "run.h5", "-d", "maps.h5", "-k", 0, "-S", 3, "-o", "pictures.h5")
    bnn("shift", "maps.h5", "--noise", "0.5", "-o", "strange.h5")
    found = json.loads(bnn("ood", "run.h5", "-S", 3, "--out", "strange.h5", "--json", "-o", "told.h5"))
    assert [s["score"] for s in found["scores"]] == ["max_probability", "entropy", "mutual_information", "expected_entropy"], found
    refused(bnn, ["ood", "run.h5", "-S", "3", "--out", "strange.h5", "--score", "distance"], "'distance' is not defined for this run")
    asked = "evaluate", "run.h5", "-S", 3, "--json", "--referral"
    with h5py.File(bnn.at("pictures.h5")) as file, h5py.File(bnn.at("told.h5")) as told:
        maps = {name: file["prediction"][name][()] for name in ("entropy", "mutual_information", "accuracy", "confidence", "mean_entropy")}
        for name in "entropy", "mutual_information":
            assert np.allclose(told["in"][name][()], maps[name].mean(axis=(1, 2)), rtol=1e-5), name
    for by, uncertainty in ("max_probability", 1 - maps["confidence"]), ("entropy", maps["mean_entropy"]):
        referral = json.loads(bnn(*asked, 0.5, "--referral-by", by))["referral"]
        kept = np.argsort(uncertainty)[: len(uncertainty) - len(uncertainty) // 2]
        assert referral["kept"] == len(kept) and abs(referral["accuracy"] - maps["accuracy"][kept].mean()) < 1e-6, referral
        assert abs(referral["accuracy_of_all"] - maps["accuracy"].mean()) < 1e-6, referral
    refused(bnn, ["evaluate", "run.h5", "-S", "3", "--referral", "0.2", "--referral-by", "energy"], "'energy' cannot be told of a prediction of maps of classes")
    refused(bnn, ["evaluate", "run.h5", "-S", "3", "--referral-risk", "0.2"], "losses that are 0 or 1")


def check_others(bnn):
    """What is made for rows of one class refuses maps in a sentence, or takes their pixels, and takes classes of images that are kept as bytes."""
    for method in "isotonic", "lac", "aps", "raps":
        refused(bnn, ["calibrate", "run.h5", "-S", "3", "--method", method, "-o", "x.h5"], "for rows with one class or real targets, not for maps of classes")
    found = json.loads(bnn("calibrate", "run.h5", "-S", 3, "--method", "temperature", "-o", "cooled.h5", "--json"))
    for run in "run", "cooled":
        bnn("predict", run + ".h5", "-S", 3, "--probabilities", "-o", run + ".answer.h5")
    warm, cooled = (answer(bnn.at(run + ".answer.h5"))["probability"] for run in ("run", "cooled"))
    sharper = warm ** (1 / found["calibration"]["values"][0])
    assert found["calibration"]["values"][0] < 0.9 and np.allclose(cooled, sharper / sharper.sum(axis=1, keepdims=True), atol=1e-5), found
    bnn("attack", "run.h5", "-S", 3, "--eps", "0.1", "-o", "moved.h5")
    assert "moved.h5" in bnn("evaluate", "run.h5", "-S", 3, "--also", "moved.h5")
    refused(bnn, ["shift", "maps.h5", "--rotate", "20", "-o", "x.h5"], "rotate would leave the maps of classes where they are")
    bnn("shift", "maps.h5", "--noise", "0.05", "-o", "noisy.h5")
    assert "noisy.h5" in bnn("evaluate", "run.h5", "-S", 3, "--also", "noisy.h5")
    bnn.images()
    bnn("fit", "-d", "images.h5", "-n", "conv2d:3; relu; flatten; dense", "-e", "mc_dropout:epochs=5", "-S", 3, "-o", "class.h5")
    bnn("ood", "class.h5", "-S", 3, "--out", "images.h5")
    bnn("shift", "images.h5", "--rotate", "30", "-o", "turned.h5")
    bnn("attack", "class.h5", "-S", 3, "--eps", "0.1", "-o", "attacked.h5")
    bnn("fit", "-d", "images.h5", "--from", "class.h5", "-e", "laplace:evidence=none,structure=diag", "-S", 3, "-o", "around.h5")
    with h5py.File(bnn.at("images.h5")) as before, h5py.File(bnn.at("turned.h5")) as turned, h5py.File(bnn.at("attacked.h5")) as after:
        x, moved = before["x"][()].astype(float), after["x"][()]
        assert turned["x"].shape == x.shape and not np.array_equal(turned["x"][()], x)
        assert 0 < np.abs(moved - x[len(x) - len(moved) :]).max() <= 0.1 * 255 + 1e-3


def main():
    with tempfile.TemporaryDirectory() as folder:
        bnn = Program(sys.argv[1], folder)
        pictures(bnn.at("maps.h5"), 36)
        bnn("fit", "-d", "maps.h5", "-n", NET, "-e", "mc_dropout:epochs=60,batch=4", "-S", 30, "-o", "run.h5")
        bnn("predict", "run.h5", "-S", 30, "--probabilities", "-t", 2, "-o", "answer.h5")
        a = answer(bnn.at("answer.h5"))
        check_pixels(a)
        check_scores(json.loads(bnn("evaluate", "run.h5", "-S", 30, "--json")), a)
        check_tools(bnn)
        check_page(bnn, a)
        check_comparison(bnn, a)
        check_parts(bnn)
        check_pictures(bnn)
        check_others(bnn)
        parts = []
        for i, rows in enumerate((range(24, 29), range(29, 36))):
            pictures(bnn.at(f"part{i}.h5"), 36, list(rows), truth=i == 0)
            bnn("predict", "run.h5", "-d", f"part{i}.h5", "-S", 30, "-t", 1 + 3 * i, "-o", f"answer{i}.h5")
            parts.append(answer(bnn.at(f"answer{i}.h5")))
        for name in ("class", "entropy", "mutual_information"):
            assert np.array_equal(a[name], np.concatenate([p[name] for p in parts])), f"{name} depends on the company of rows, or on threads"
        assert "probability" not in parts[0] and "y" in parts[0] and "y" not in parts[1]
        refused(bnn, ["predict", "run.h5"], "maps of classes do not fit into a CSV: name an HDF5 file with -o FILE.h5")
        refused(bnn, ["predict", "run.h5", "-o", "x.csv"], "maps of classes do not fit into a CSV")
        refused(bnn, ["predict", "run.h5", "--keep", "predictive", "-o", "x.h5"], "keep the posterior alone")
        bnn("predict", "run.h5", "-S", 30, "--keep", "posterior", "-o", "kept.h5")
        kept = answer(bnn.at("kept.h5"))
        assert np.array_equal(kept["entropy"], a["entropy"])


if __name__ == "__main__":
    main()
