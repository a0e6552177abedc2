#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""test_browser.py BNN: the report in a real browser. No error on its console, nothing cut off at three widths, points that name their row,
chips that switch an engine off and on, columns that sort. Skipped (77) where chromium, its driver or selenium is not installed."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

try:
    from selenium import webdriver
    from selenium.webdriver.common.by import By
    from selenium.webdriver.chrome.service import Service
except ImportError:
    print("selenium is not installed (python3-selenium)")
    sys.exit(77)
if not shutil.which("chromium") or not shutil.which("chromedriver"):
    print("chromium and its driver are not installed (chromium, chromium-driver)")
    sys.exit(77)

bnn = os.path.abspath(sys.argv[1])


def make_report(folder):
    """A comparison of two engines on 60 rows, and the page of it."""
    with open(f"{folder}/t.csv", "w", encoding="utf-8") as table:
        table.write("a,b,y\n")
        for i in range(60):
            a, b = (i * 37 % 60) / 30 - 1, (i * 17 % 60) / 30 - 1
            table.write(f"{a:.4f},{b:.4f},{a - a * b + (i * 7 % 11) / 40:.4f}\n")
    for words in (["import", "csv", "t.csv", "-o", "t.h5"], ["split", "t.h5", "--kind", "holdout", "--count", "2"],
                  ["compare", "-d", "t.h5", "-n", "dense:5; tanh; dense", "-e", "map:epochs=200", "-e", "mc_dropout:epochs=200", "-o", "c.h5"],
                  ["report", "c.h5", "-o", "c.html"]):
        subprocess.run([bnn, *words], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return f"file://{folder}/c.html"


def open_browser(folder):
    options = webdriver.ChromeOptions()
    for word in ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))


def check(browser):
    complaints = [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    assert not complaints, json.dumps(complaints)
    for width in (390, 1200, 1920):
        browser.set_window_size(width, 1000)
        wide = browser.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
        assert wide[0] <= wide[1], f"at {width} px the page is {wide[0]} px wide"
    names = browser.execute_script("return [...document.querySelectorAll('.plot title')].map(t => t.textContent)")
    assert any("test row 3: measured" in name for name in names), names[:3]
    assert browser.find_elements(By.CSS_SELECTOR, ".verdicts li, .good"), "there are no verdicts"

    chip = browser.find_elements(By.CSS_SELECTOR, ".key button")[0]
    shown = "return [...document.querySelectorAll('.plot .e0')].filter(g => g.style.display !== 'none').length"
    before = browser.execute_script(shown)
    chip.click()
    assert browser.execute_script(shown) == 0 < before, "the chip does not switch its engine off"
    chip.click()
    assert browser.execute_script(shown) == before, "nor on again"

    values = "return [...document.querySelectorAll('tbody tr')].map(r => Number(r.cells[1].dataset.value))"
    header = browser.find_elements(By.CSS_SELECTOR, "thead tr:last-child th button")[1]
    header.click()
    up = browser.execute_script(values)
    header.click()
    assert up == sorted(up) and browser.execute_script(values) == up[::-1], up


with tempfile.TemporaryDirectory() as scratch:
    page = make_report(scratch)
    driver = open_browser(scratch)
    try:
        driver.get(page)
        check(driver)
    finally:
        driver.quit()
