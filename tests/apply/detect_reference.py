#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scores of rows of two kinds, and what scikit-learn 1.9.1 and the R package pROC 1.18.0 (Debian: r-cran-proc) say of them: the reference values of test_detect.c.

    python3 tests/apply/detect_reference.py tests/apply

writes detect_scores.csv (case, 0 in or 1 out, score) and detect_reference.csv (case, area and its standard error of DeLong by pROC, average precision and the least false positive rate at 95 % of
the rows out by scikit-learn).
"""
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score, roc_curve

FOLDER = Path(sys.argv[1])
BY_PROC = """suppressMessages(library(pROC))
d <- read.csv(commandArgs(TRUE)[1], header = FALSE)
for (case in unique(d$V1)) {
  x <- d[d$V1 == case, ]
  r <- roc(x$V2, x$V3, direction = "<", quiet = TRUE)
  cat(sprintf("%s,%.15g,%.15g\\n", case, as.numeric(auc(r)), sqrt(var(r, method = "delong"))))
}
"""
rng = np.random.default_rng(11)
CASES = {
    "apart": (rng.normal(0, 1, 40), rng.normal(1.5, 1, 30)),
    "alike": (rng.normal(0, 1, 25), rng.normal(0, 1, 60)),
    "wrong_way": (rng.normal(1, 1, 30), rng.normal(0, 2, 20)),
    "ties": (rng.poisson(2, 80).astype(float), rng.poisson(3, 50).astype(float)),
    "few_values": (rng.integers(0, 2, 30).astype(float), rng.integers(0, 3, 40).astype(float)),
    "perfect": (rng.uniform(0, 1, 20), rng.uniform(2, 3, 21)),
    "all_equal": (np.ones(12), np.ones(9)),
    "two_and_two": (np.array([0.1, 0.4]), np.array([0.35, 0.8])),
}
lines = [f"{case},{k},{score:.6g}" for case, kinds in CASES.items() for k in (0, 1) for score in kinds[k]]
(FOLDER / "detect_scores.csv").write_text("\n".join(lines) + "\n")
with tempfile.NamedTemporaryFile("w", suffix=".R") as program:
    program.write(BY_PROC)
    program.flush()
    areas = subprocess.run(["Rscript", program.name, FOLDER / "detect_scores.csv"], check=True, capture_output=True, text=True).stdout.split()
out = ["case,auroc,auroc_se,average_precision,fpr_95"]
for area in areas:
    rows = [line.split(",") for line in lines if line.startswith(area.split(",")[0] + ",")]
    y, score = np.array([int(r[1]) for r in rows]), np.array([float(r[2]) for r in rows])
    fpr, tpr, _ = roc_curve(y, score, drop_intermediate=False)
    out.append(f"{area},{average_precision_score(y, score):.15g},{fpr[tpr >= 0.95][0]:.15g}")
(FOLDER / "detect_reference.csv").write_text("\n".join(out) + "\n")
