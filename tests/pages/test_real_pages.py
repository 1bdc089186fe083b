"""The pages of a finished run in headless Chromium without a network; `REPORTS` names their folder."""

import os
from pathlib import Path

import pytest
from browser import SCREENS, assert_page_is_sound, browser, faults, open_sized

pytestmark = pytest.mark.browser

FOLDER = Path(os.environ.get("REPORTS", "reports"))


@pytest.fixture(scope="module")
def driver():
    with browser() as found:
        yield found


def pages() -> list[Path]:
    found = sorted(FOLDER.glob("*.html"))
    if not found and "REPORTS" in os.environ:
        pytest.fail(f"{FOLDER} holds no pages")
    if not found:
        pytest.skip("no finished run here: make demo")
    return found


def test_every_page_of_the_run_is_sound(driver):
    names = [path.name for path in pages()]
    assert "index.html" in names
    for path in pages():
        assert_page_is_sound(driver, path)


def test_the_index_leads_to_every_page_and_shows_no_failure(driver):
    index = (FOLDER / "index.html").resolve() if pages() else None
    driver.get(index.as_uri())
    links = {link.get_attribute("href").rpartition("/")[2] for link in driver.find_elements("css selector", "a[href$='.html']")}
    assert links >= {path.name for path in pages()} - {"index.html"}
    assert not list((FOLDER / "failures").glob("*.json"))


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: f"{screen[0]} px")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(driver, screen, scheme):
    wrong = {}
    for path in pages():
        open_sized(driver, path, screen, scheme)
        wrong[path.name] = faults(driver)
    assert not any(wrong.values()), wrong
