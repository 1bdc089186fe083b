"""What a reader meets when a page opens, folds closed and first tab: the answer at once, and no more than can be read."""

import pytest
from browser import browser, open_sized
from test_real_pages import pages

from sciml.runtime.files import read_json

pytestmark = pytest.mark.browser

MOST_HEIGHT, MOST_WORDS = 12_000, 5_000
# width and height of the window; the parts that have to end above its lower edge
SCREENS = {(1600, 1000): (".question", ".answer", ".picture .part", ".numbers"), (360, 740): (".question", ".answer")}
BOTTOM = "return arguments[0].getBoundingClientRect().bottom"


@pytest.fixture(scope="module")
def driver():
    with browser() as found:
        yield found


def studies():
    return [path for path in pages() if path.name != "index.html"]


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: f"{screen[0]} px")
def test_the_answer_is_on_the_first_screen(driver, screen):
    wrong = []
    for path in studies():
        open_sized(driver, path, screen)
        for part in SCREENS[screen]:
            found = driver.find_elements("css selector", f".opening {part}")
            # a page may have no picture or no numbers, but always a question and an answer
            if not found and part in (".question", ".answer"):
                wrong.append(f"{path.name} has no {part}")
            wrong += [
                f"{path.name}: {part} ends at {bottom:.0f} px"
                for one in found
                if (bottom := driver.execute_script(BOTTOM, one)) > screen[1]
            ]
        if driver.execute_script("return document.documentElement.scrollWidth > innerWidth"):
            wrong.append(f"{path.name} is wider than {screen[0]} px")
    assert not wrong


def test_a_page_is_no_longer_than_can_be_read(driver):
    wrong = []
    for path in studies():
        open_sized(driver, path, (1600, 1000))
        height = driver.execute_script("return document.documentElement.scrollHeight")
        words = len(driver.execute_script("return document.body.innerText").split())
        wrong += [f"{path.name}: {height} px"] if height > MOST_HEIGHT else []
        wrong += [f"{path.name}: {words} words"] if words > MOST_WORDS else []
    assert not wrong


def test_the_answer_is_made_from_the_numbers(driver):
    """Every page answers, its record holds the same answer, and its numbers are at most six."""
    for path in studies():
        record = read_json(path.with_suffix(".report.json"))
        open_sized(driver, path, (1600, 1000))
        assert driver.find_element("css selector", ".answer").text == record["answer"]
        shown = driver.find_elements("css selector", ".numbers li")
        assert len(shown) == len(record["numbers"]) <= 6, path.name


def test_tabs_follow_the_keys_and_links_open_what_they_point_at(driver):
    from selenium.webdriver.common.keys import Keys

    for path in studies():
        open_sized(driver, path, (1600, 1000))
        tabs = driver.find_elements("css selector", "[role=tab]")
        for before, after in zip(tabs, [*tabs[1:], *tabs[:1]], strict=True):
            before.send_keys(Keys.ARROW_RIGHT)
            assert after.get_attribute("aria-selected") == "true" and before.get_attribute("aria-selected") == "false"
            panels = driver.find_elements("css selector", "[role=tabpanel]")
            assert [panel.is_displayed() for panel in panels].count(True) == 1
        for link in driver.find_elements("css selector", "nav > ol > li > a"):
            link.send_keys(Keys.ENTER)
            target = driver.find_element("css selector", link.get_attribute("href").rpartition("#")[2].join(("#", "")))
            assert not target.find_elements("css selector", ":scope > details:not([open])"), link.text
