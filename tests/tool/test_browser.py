#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""test_browser.py BNN: the report in a real browser. No error on its console, nothing cut off at three widths, light, dark and on paper,
points that name their row, chips that switch an engine off and on, columns that sort; classes, chains, and a run without test rows. Skipped (77) where chromium, its driver or selenium is not installed."""
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


def run(folder, *words):
    subprocess.run([bnn, *words], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def make_reports(folder):
    """Pages of a comparison with chains, of one of classes, and of a run without test rows."""
    with open(f"{folder}/t.csv", "w", encoding="utf-8") as table, open(f"{folder}/k.csv", "w", encoding="utf-8") as classes:
        table.write("a,b,y\n")
        classes.write("a,b,kind\n")
        for i in range(60):
            a, b = (i * 37 % 60) / 30 - 1, (i * 17 % 60) / 30 - 1
            y = a - a * b + (i * 7 % 11) / 40
            table.write(f"{a:.4f},{b:.4f},{y:.4f}\n")
            classes.write(f"{a:.4f},{b:.4f},{'high' if y > .5 else 'low' if y < -.2 else 'an astonishingly long name of a class'}\n")
    net, hmc = ["-n", "dense:5; tanh; dense"], "hmc:samples=60,warmup=60,steps=5"
    for name in "tk":
        run(folder, "import", "csv", f"{name}.csv", "-o", f"{name}.h5")
        run(folder, "split", f"{name}.h5", "--kind", "holdout", "--count", "2")
        run(folder, "compare", "-d", f"{name}.h5", *net, "-e", "map:epochs=200", "-e", "mc_dropout:epochs=200", "-e", hmc, "-e",
            "map:epochs=1,lr=9", "-o", f"{name}_cmp.h5")
        run(folder, "report", f"{name}_cmp.h5", "-o", f"{name}.html")
    run(folder, "fit", "-d", "t.h5", "--split", "all", *net, "-e", hmc, "-o", "alone.h5")
    run(folder, "report", "alone.h5", "t_cmp.h5", "-o", "alone.html")


def open_browser(folder):
    options = webdriver.ChromeOptions()
    for word in ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))


def check_widths(browser, what):
    """Nothing sticks out of the page at any width, light, dark or on paper of A4, upright or not."""
    light, dark = ({"media": "screen", "features": [{"name": "prefers-color-scheme", "value": name}]} for name in ("light", "dark"))
    for media, widths in ((light, (390, 1200, 1920)), (dark, (390, 1200, 1920)), ({"media": "print"}, (700, 1000))):
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        for width in widths:
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                    {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": False})
            wide = browser.execute_script("return document.documentElement.scrollWidth")
            assert wide <= width, f"{what}, {media}: at {width} px the page is {wide} px wide"
            cut = browser.execute_script("""return [...document.querySelectorAll('svg text')].filter(t => {
                const r = t.getBoundingClientRect(), s = t.closest('svg').getBoundingClientRect();
                return r.left < s.left - 2 || r.right > s.right + 2}).map(t => t.textContent)""")
            assert not cut, f"{what}: at {width} px these texts of figures are cut off: {cut}"
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", light)


def headings(browser):
    return browser.execute_script("return [...document.querySelectorAll('h3')].map(h => h.textContent)")


def open_page(browser, folder, name):
    browser.get(f"file://{folder}/{name}.html")
    check_widths(browser, name)
    complaints = [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    assert not complaints, json.dumps(complaints)
    return headings(browser)


def check_numbers(browser, folder):
    found = open_page(browser, folder, "t")
    for wanted in ("Differences in log-likelihood", "Trace: log density", "Ranks: log density", "Risk against coverage", "Score against cost"):
        assert wanted in found, (wanted, found)
    names = browser.execute_script("return [...document.querySelectorAll('.plot title')].map(t => t.textContent)")
    assert any("test row 3: measured" in name for name in names), names[:3]
    assert browser.find_elements(By.CSS_SELECTOR, ".verdicts li, .good"), "there are no verdicts"
    below = browser.execute_script("return [...document.querySelectorAll('.plot text')].map(t => t.textContent.trim())")
    assert any(text.startswith("D (-") for text in below), "an engine far below the others has no arrow"

    chip = browser.find_elements(By.CSS_SELECTOR, ".key button")[0]
    shown = "return [...document.querySelectorAll('.plot .e0')].filter(g => g.style.display !== 'none').length"
    before = browser.execute_script(shown)
    chip.click()
    assert browser.execute_script(shown) == 0 < before, "the chip does not switch its engine off"
    chip.click()
    assert browser.execute_script(shown) == before, "nor on again"
    browser.find_elements(By.CSS_SELECTOR, ".key button")[2].click()
    assert not browser.find_element(By.XPATH, "//h3[.='Trace: log density']").is_displayed(), "chains stay when their engine goes"

    values = "return [...document.querySelector('table').querySelectorAll('tbody tr')].map(r => Number(r.cells[1].dataset.value))"
    header = browser.find_elements(By.CSS_SELECTOR, "thead tr:last-child th button")[1]
    header.click()
    up = browser.execute_script(values)
    header.click()
    assert up == sorted(up) and browser.execute_script(values) == up[::-1], up


def check_classes(browser, folder):
    found = open_page(browser, folder, "k")
    assert sum(heading.startswith("Confusion") for heading in found) == 4 and "Reliability" in found and "Risk against coverage" in found, found
    rows = browser.execute_script("""return [...document.querySelectorAll('.confusion')].map(t =>
        [...t.querySelectorAll('td')].reduce((sum, cell) => sum + Number(cell.textContent), 0))""")
    assert rows == [12] * 4, f"of 12 test rows {rows} are counted"


def check_alone(browser, folder):
    found = open_page(browser, folder, "alone")
    assert "Training" in found and "Trace: log density" in found, found
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    browser.get(f"file://{folder}/alone.html")
    shown = len(browser.find_elements(By.CSS_SELECTOR, "figure svg")), browser.find_element(By.CSS_SELECTOR, ".verdicts, .good").is_displayed()
    assert shown[0] > 10 and shown[1], f"without scripts there are {shown}"


with tempfile.TemporaryDirectory() as scratch:
    make_reports(scratch)
    driver = open_browser(scratch)
    try:
        check_numbers(driver, scratch)
        check_classes(driver, scratch)
        check_alone(driver, scratch)
    finally:
        driver.quit()
