#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws docs/results/NAME/*.svg of the records and curves that are kept there, by gnuplot: pictures.py"""
import json
import subprocess

from records import RECORDS

COLOURS = ["#075ea9", "#8f2200", "#2f9e36", "#b8560a"]


def draw(picture, lines, size="640,400"):
    head = [f"set terminal svg noenhanced size {size} font 'sans,11' background rgb 'white'", "set grid lc rgb '#dddddd'"]
    drawn = subprocess.run(["gnuplot"], input="\n".join(head + lines + [""]), text=True, check=True, capture_output=True).stdout
    picture.write_text("".join(line.expandtabs(1).rstrip() + "\n" for line in drawn.splitlines()))


def grid_cost(folder):
    """Gradients of each way to choose the p's, against the number of gates."""
    values = json.loads((folder / "boston.json").read_text())["values"]
    ways = {"grid": "grid, 4 p a gate", "shared": "grid, one p for all", "concrete": "concrete gates, stopped early", "held_out": "held_out_dropout"}
    lines = ["set logscale y", "set xrange [0.8:4.2]", "set xtics 1", "set xlabel 'gates'", "set ylabel 'gradients of a split'", "set key left top", "set format y '10^%T'"]
    for way in ways:
        lines += [f"${way} << END", *(f"{gates} {values[f'gradients_{way}_{gates}']}" for gates in range(1, 5)), "END"]
    lines.append("plot " + ", ".join(f"${way} with linespoints pt 7 ps .6 lw 2 lc rgb '{colour}' title '{title}'" for (way, title), colour in zip(ways.items(), COLOURS)))
    draw(folder / "cost.svg", lines)


def band(folder, name, mean, sd, title, limits):
    """A curve with the bands of one and two standard deviations, and the truth, its second column."""
    curve = folder / name
    lines = ["set datafile separator ','", "set key left top", f"set yrange [{limits}]", "set style fill transparent solid .25 noborder",
             "plot " + ", ".join(f"'{curve}' every ::1 using 1:(column({mean})-{k}*column({sd})):(column({mean})+{k}*column({sd})) with filledcurves lc rgb '{COLOURS[0]}' notitle" for k in (2, 1))
             + f", '{curve}' every ::1 using 1:2 with lines dt 2 lc rgb '#333333' title 'without noise', '{curve}' every ::1 using 1:{mean} with lines lw 2 lc rgb '{COLOURS[0]}' title '{title}'"]
    draw(curve.with_suffix(".svg"), lines)


def main():
    if (RECORDS / "gal2017_grid_cost/boston.json").exists():
        grid_cost(RECORDS / "gal2017_grid_cost")
    if (RECORDS / "blundell2015_regression/curve.csv").exists():
        band(RECORDS / "blundell2015_regression", "curve.csv", 3, 4, "Bayes by Backprop, 1 and 2 sd of the mean", "-1:2")
    if (RECORDS / "daxberger2021_sine/sine.csv").exists():
        band(RECORDS / "daxberger2021_sine", "sine.csv", 3, 4, "linearised Laplace, 1 and 2 sd of the mean", "-4:4")


if __name__ == "__main__":
    main()
