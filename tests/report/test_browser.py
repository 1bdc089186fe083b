from dataclasses import replace

import pytest
from browser import DRAWN, SCREENS, assert_page_is_sound, browser, faults, open_page, open_sized
from demo_page import HOSTILE, demo_page, reportlets

from sciml.report import Curve, Slider, record_failure, write_index, write_page

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


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: f"{screen[0]} px")
def test_axe_finds_nothing(driver, tmp_path, screen):
    page = write_page(demo_page(), tmp_path / "demo.html")
    for path, scheme in ((page, "light"), (page, "dark"), (write_index(tmp_path), "light")):
        open_sized(driver, path, screen, scheme)
        assert faults(driver) == [], (path.name, scheme)


def test_filters_of_a_matrix_hide_rows_and_empty_columns_and_dim_fields(driver, tmp_path):
    from selenium.webdriver.support.ui import Select

    open_sized(driver, write_page(demo_page(), tmp_path / "demo.html"), SCREENS[0])
    matrix = driver.find_element("css selector", "[data-matrix]")

    def shown() -> tuple[list[str], list[str], list[str]]:
        found = [matrix.find_elements("css selector", one) for one in ("tbody th", "thead th", ".field:not(.dim) strong")]
        rows, heads, fields = ([one.text.split("\n")[0] for one in part if one.is_displayed()] for part in found)
        return rows, heads, fields

    everything = shown()
    assert everything == (["Denoising", "CT"], ["TV", "learned", "FBP"], ["31.5", "33.0", "29.1", "24.0"])
    operator, proved = (Select(one) for one in matrix.find_elements("css selector", "select"))
    operator.select_by_visible_text("exact")
    assert shown() == (["Denoising"], ["TV", "learned"], ["31.5", "33.0"])
    proved.select_by_visible_text("yes")
    assert shown() == (["Denoising"], ["learned"], ["33.0"])
    for select in (operator, proved):
        select.select_by_index(0)
    assert shown() == everything


CURRENT = "return [...document.querySelectorAll('nav a[aria-current]')].map((link) => link.hash)"
GROUPS = "return [...document.querySelectorAll('nav li > ol')].map((group) => group.getClientRects().length > 0)"


def test_the_contents_follow_the_reader(driver, tmp_path):
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    open_sized(driver, write_page(demo_page(), tmp_path / "demo.html"), SCREENS[0])

    def marked(hash):
        WebDriverWait(driver, 5).until(lambda d: d.execute_script(CURRENT) == [hash], f"{hash} is not marked")
        return driver.execute_script(GROUPS)

    assert not any(marked("#answer"))
    for place in ("#claims", "#results", "#checks", "#limits"):
        driver.find_element("css selector", f"nav a[href='{place}']").send_keys(Keys.ENTER)
        assert any(marked(place)) == (place == "#results"), place
    curves = driver.find_element("css selector", ".panel:nth-of-type(2) .part[id]").get_attribute("id")
    driver.execute_script("location.hash = arguments[0]", curves)
    # the group of the open tab alone
    assert marked(f"#{curves}") == [True, False, True]
    driver.execute_script("dispatchEvent(new Event('wheel')); scrollTo(0, 0)")
    marked("#answer")


def test_a_claim_is_read_on_a_telephone(driver, tmp_path):
    open_sized(driver, write_page(demo_page(), tmp_path / "demo.html"), SCREENS[1])
    driver.execute_script("document.querySelector('.more')?.setAttribute('open', '')")
    for part in ("th[scope=row]", "td strong", ".badge"):
        boxes = [one.rect for one in driver.find_elements("css selector", f".claims tbody {part}")]
        assert len(boxes) == 4 and all(box["x"] >= 0 and box["x"] + box["width"] <= SCREENS[1][0] for box in boxes), part


def test_several_sliders_share_one_place(driver, tmp_path):
    from selenium.webdriver.common.keys import Keys

    slider = next(item for item in reportlets() if isinstance(item, Slider))
    others = [replace(slider, title=f"Scan {letter}") for letter in "AB"]
    open_sized(driver, write_page(demo_page(extra=others), tmp_path / "demo.html"), SCREENS[0])
    driver.execute_script("document.querySelectorAll('[role=tab]')[1].click()")
    shown = "return [...document.querySelectorAll('.case')].map((one) => one.getClientRects().length > 0)"
    assert driver.execute_script(shown) == [True, False]
    driver.find_element("css selector", "[data-menu] > .tools select").send_keys(Keys.ARROW_DOWN)
    assert driver.execute_script(shown) == [False, True]
    driver.execute_script("location.hash = document.querySelector('.case .part').id")
    assert driver.execute_script(shown) == [True, False]
    names = [one.get_attribute("aria-label") for one in driver.find_elements("css selector", "[data-role=wipe]")]
    assert len(set(names)) == 3 and all(title in " ".join(names) for title in (slider.title, "Scan A", "Scan B"))


INSIDE = """
return [...document.querySelectorAll("[data-curve]")].filter((box) => box.clientWidth).flatMap((box) => {
  const frame = box.getBoundingClientRect();
  const inside = [...box.querySelectorAll("text")].every((text) => {
    const place = text.getBoundingClientRect();
    return place.left >= frame.left - 1 && place.right <= frame.right + 1;
  });
  const labels = [...box.querySelectorAll(".role-axis-label text")].filter((text) => text.getAttribute("opacity") !== "0")
    .map((text) => text.getBoundingClientRect());
  const apart = labels.every((a, i) => labels.every((b, j) =>
    i >= j || a.right < b.left || b.right < a.left || a.bottom < b.top || b.bottom < a.top));
  return [[inside, apart]];
});
"""


def test_curves_on_a_telephone(driver, tmp_path):
    from selenium.webdriver.support.ui import WebDriverWait

    rows = [
        {"rate": 0.01 * 1.3**k, "psnr": 1e4 * k, "codec": f"{name} with a name of many words"}
        for k in range(14)
        for name in ("ours", "AVIF", "JPEG XL")
    ]
    extra = Curve("Rate", rows, "rate", "psnr", "codec", "rate (bits a pixel)", "PSNR (dB)", "c", "a", log_x=True)
    open_sized(driver, write_page(demo_page(extra=[extra]), tmp_path / "demo.html"), SCREENS[1])
    driver.execute_script("document.querySelectorAll('[role=tab]')[1].click()")
    WebDriverWait(driver, 20).until(lambda d: d.execute_script(DRAWN))
    assert driver.execute_script(INSIDE) == [[True, True]] * 3


def test_without_scripts_and_on_paper_everything_is_shown(driver, tmp_path):
    import re

    slider = next(item for item in reportlets() if isinstance(item, Slider))
    page = write_page(demo_page(extra=[replace(slider, title=f"Scan {letter}") for letter in "AB"]), tmp_path / "demo.html")
    parts = "return [...document.querySelectorAll('.panel .part')].every((one) => one.getClientRects().length > 0)"
    plain = tmp_path / "plain.html"
    plain.write_text(re.sub(r"<script>.*?</script>", "", page.read_text(), flags=re.DOTALL))
    driver.get(plain.as_uri())
    assert driver.execute_script(parts) and driver.execute_script("return document.querySelectorAll('.drawing svg').length >= 2")
    open_sized(driver, page, SCREENS[0])
    assert not driver.execute_script(parts)
    driver.print_page()
    assert driver.execute_script("return [...document.querySelectorAll('details.fold')].every((one) => one.open)")
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert driver.execute_script(parts)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
