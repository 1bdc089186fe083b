"""Headless Chromium for page tests: one driver, and the checks that every page must pass."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from sciml.report import check_page
from sciml.report.check import FLAGS

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
SCREENS = ((1600, 1000), (360, 740))
BROWSER = "/usr/bin/chromium"
DRIVER = "/usr/bin/chromedriver"

COLOURS = """
const parse = (text) => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
const style = getComputedStyle(document.body);
return [parse(style.color), parse(style.backgroundColor)];
"""
# a chart in a tab that is not open waits for it
DRAWN = """
const shown = [...document.querySelectorAll("[data-curve]")].filter((box) => box.clientWidth);
return shown.every((box) => box.classList.contains("drawn"));
"""


@contextmanager
def browser():
    """Yield a driver without network; a missing browser is a failure under CI and a skip elsewhere."""
    if not (shutil.which(BROWSER) and shutil.which(DRIVER)):
        reason = f"needs {BROWSER} and {DRIVER} (apt-get install chromium chromium-driver)"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    with tempfile.TemporaryDirectory() as profile:
        for flag in (*FLAGS, f"--user-data-dir={profile}", "--window-size=1300,900"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
        driver = webdriver.Chrome(options=options, service=Service(DRIVER))
        try:
            driver.execute_cdp_cmd("Network.enable", {})
            offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
            driver.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
            yield driver
        finally:
            driver.quit()


def open_page(driver, path: Path | str, scheme: str = "light") -> None:
    """Open a page in a colour scheme and wait until its parts are ready."""
    from selenium.webdriver.support.ui import WebDriverWait

    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    driver.get(Path(path).resolve().as_uri())
    ready = "return [...document.querySelectorAll('[data-slider], [data-scrubber]')].every(e => e.dataset.ready === 'true')"
    WebDriverWait(driver, 20).until(lambda d: d.execute_script(ready) and d.execute_script(DRAWN))


def open_sized(driver, path: Path | str, screen: tuple[int, int], scheme: str = "light") -> None:
    """Open a page in a window of a width and a height in pixels."""
    size = {"width": screen[0], "height": screen[1], "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    open_page(driver, path, scheme)


def faults(driver) -> list[str]:
    """Return what axe finds on the open page, its folds and the tab that is shown; one line a rule."""
    folds = "details:not(.record)"
    driver.execute_script(f"for (const one of document.querySelectorAll('{folds}')) one.open = true")
    driver.execute_script(AXE.read_text(encoding="utf-8"))
    found = driver.execute_async_script("const done = arguments[0]; axe.run().then((result) => done(result.violations))")
    return [f"{one['impact']} {one['id']}: {one['nodes'][0]['html'][:120]} ({len(one['nodes'])})" for one in found]


def contrast(one, other) -> float:
    """Return the contrast ratio of two sRGB colours in 0..255, as WCAG 2 defines it."""

    def luminance(colour):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in colour)]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def assert_page_is_sound(driver, path: Path | str) -> None:
    """Assert that a real page renders: no console error, no request, pictures, keys in every tab, both schemes."""
    from selenium.webdriver.support.ui import WebDriverWait

    path = Path(path).resolve()
    assert check_page(path) == []
    driver.get("about:blank")  # what the page before was still doing is none of this page's
    driver.get_log("performance"), driver.get_log("browser")
    grounds = []
    for scheme in ("dark", "light"):
        open_page(driver, path, scheme)
        ink, ground = driver.execute_script(COLOURS)
        assert contrast(ink, ground) >= 4.5, (scheme, ink, ground)
        grounds.append(ground)
    assert grounds[0] != grounds[1]
    blank = driver.execute_script("return [...document.images].filter(i => !i.naturalWidth).map(i => i.alt)")
    assert blank == []
    for part in driver.find_elements("css selector", ".opening, .panel"):
        driver.execute_script("document.getElementById(arguments[0] + '-tab')?.click()", part.get_attribute("id"))
        WebDriverWait(driver, 20).until(lambda d: d.execute_script(DRAWN))
        assert_parts_work(part)
    errors = [entry for entry in driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    assert not errors, errors
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    sent = [m["params"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    urls = {request["request"]["url"] for request in sent if request["documentURL"] == path.as_uri()}
    assert path.as_uri() in urls
    foreign = {url for url in urls if not url.startswith(("data:", "blob:", "about:"))} - {path.as_uri()}
    assert not foreign, foreign


def show_case(figure) -> None:
    """Choose a slider by the keys of the menu that it may stand behind."""
    from selenium.webdriver.common.keys import Keys

    for case in figure.find_elements("xpath", "ancestor::*[@data-case]"):
        menu = case.find_element("xpath", "..").find_element("css selector", ".tools select")
        menu.send_keys(Keys.HOME, Keys.ARROW_DOWN * int(case.get_attribute("data-case")))


def assert_parts_work(part) -> None:
    """Assert that the curves, sliders and scrubbers of a displayed part of a page are drawn and follow the keys."""
    from selenium.webdriver.common.keys import Keys

    for box in part.find_elements("css selector", "[data-curve]"):
        assert box.find_elements("css selector", "svg path")
    for figure in part.find_elements("css selector", "[data-slider]"):
        show_case(figure)
        above = figure.find_element("css selector", ".above")
        before = above.value_of_css_property("clip-path")
        figure.find_element("css selector", "[data-role=wipe]").send_keys(Keys.ARROW_RIGHT * 5)
        assert above.value_of_css_property("clip-path") != before
        stage = figure.find_element("css selector", "[data-role=stage]")
        place = stage.get_attribute("data-place")
        stage.send_keys(Keys.ARROW_LEFT, Keys.ARROW_UP)
        assert stage.get_attribute("data-place") != place
    for figure in part.find_elements("css selector", "[data-scrubber]"):
        pictures = figure.find_elements("css selector", "img")
        control = figure.find_element("css selector", "[data-role=position]")
        if control.get_attribute("max") == "0":
            continue
        # some may be the same at two positions, such as one measurement of several reconstructions
        before, position = [one.get_attribute("src") for one in pictures], figure.find_element("css selector", "output").text
        control.send_keys(Keys.ARROW_LEFT)
        assert [one.get_attribute("src") for one in pictures] != before
        assert figure.find_element("css selector", "output").text != position
