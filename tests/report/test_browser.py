import pytest
from browser import assert_page_is_sound, browser, open_page
from demo_page import HOSTILE, demo_page

from sciml.report import record_failure, write_index, write_page

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def driver():
    with browser() as driver:
        yield driver


def test_demo_page_is_sound(driver, tmp_path):
    assert_page_is_sound(driver, write_page(demo_page(), tmp_path / "demo.html"))


def test_hostile_page_is_inert(driver, tmp_path):
    path = write_page(demo_page(HOSTILE), tmp_path / "hostile.html")
    assert_page_is_sound(driver, path)


def test_index_is_sound(driver, tmp_path):
    record_failure(tmp_path, "imaging.solve", f"do {HOSTILE}", HOSTILE)
    write_page(demo_page(HOSTILE), tmp_path / "demo.html")
    assert_page_is_sound(driver, write_index(tmp_path))


def test_toggle_changes_the_scheme(driver, tmp_path):
    path = write_page(demo_page(), tmp_path / "demo.html")
    open_page(driver, path)
    ground = "return getComputedStyle(document.body).backgroundColor"
    before = driver.execute_script(ground)
    driver.find_element("css selector", "[data-theme-toggle]").click()
    assert driver.execute_script(ground) != before
    driver.execute_script("localStorage.clear()")
