"""Look at a finished page: nothing is loaded, nothing foreign runs, every picture is described; a screenshot of it."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from html.parser import HTMLParser
from pathlib import Path

from sciml.report import rendering
from sciml.report.bibliography.references import EXTERNAL
from sciml.runtime.errors import DataError, ScimlError
from sciml.runtime.files import atomic_path

BUDGET_BYTES = 5_000_000

_LOADING = {"src", "srcset", "poster", "data", "action", "formaction", "background", "cite", "manifest", "ping", "xlink:href"}
_FORBIDDEN_TAGS = {"iframe", "frame", "object", "embed", "base", "form", "portal"}
_SAFE_DATA = re.compile(r"data:(image/(png|webp|jpeg|x-icon)|text/csv|application/json)[;,]|data:,$")
_PAGE_LINK = re.compile(r"[\w.-]+\.html(#[\w-]*)?$")
_CSS_LOAD = re.compile(r"url\(\s*['\"]?(?!data:image/|#)[^)]*\)|@import", re.IGNORECASE)
_DATA_TYPES = {"application/json"}

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    # containers seldom offer the namespaces that Chromium's sandbox needs; the pages are our own
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)


def check_page(path: Path | str, budget_bytes: int = BUDGET_BYTES) -> list[str]:
    """Return what is wrong with a page or an index, one line a problem; empty when it is sound.

    It may load nothing but data URIs, link to nothing but itself, pages beside it and what its references name, run no script
    but the workbench's own, carry the content security policy, stay within its budget, and describe
    every picture.

    Args:
        path: the HTML file.
        budget_bytes: largest file allowed.

    Raises:
        DataError: the file cannot be read as text.
    """
    try:
        content = Path(path).read_bytes()
        text = content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read the page {path}: {error}") from error
    reader = _Reader()
    reader.feed(text)
    reader.close()
    problems = reader.problems
    if len(content) > budget_bytes:
        problems.insert(0, f"the file has {len(content) / 1e6:.2f} MB; the budget is {budget_bytes / 1e6:.2f} MB")
    if "default-src 'none'" not in reader.policy:
        problems.append("the content security policy `default-src 'none'` is missing")
    return problems


class _Reader(HTMLParser):
    """Collect problems while the page is read; our own scripts are known by their text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.problems: list[str] = []
        self.policy = ""
        self._own = {rendering.script(name) for name in ("early.js", "page.js", "curves.js", *rendering.VEGA_FILES)}
        self._script: list[str] | None = None
        self._in_style = False

    def _problem(self, text: str) -> None:
        self.problems.append(f"line {self.getpos()[0]}: {text}")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag in _FORBIDDEN_TAGS:
            self._problem(f"the element <{tag}> is not allowed")
        for name, value in values.items():
            if name.startswith("on"):
                self._problem(f"<{tag}> carries the script attribute {name}")
            elif name in _LOADING and not (_SAFE_DATA.match(value) or value.startswith("#")):
                self._problem(f"<{tag} {name}> loads {value[:80]!r}")
            elif name == "href":
                self._check_link(tag, value, values.get("rel", ""))
            elif name == "style" and _CSS_LOAD.search(value):
                self._problem(f"the style of <{tag}> loads something: {value[:80]!r}")
        if tag == "img":
            if not values.get("alt", "").strip():
                self._problem("a picture has no description (alt)")
            if "src" not in values:
                self._problem("a picture has no source")
        elif tag == "meta":
            self._check_meta(values)
        elif tag == "script" and values.get("type", "").lower() not in _DATA_TYPES:
            self._script = []
        elif tag == "style":
            self._in_style = True

    def _check_link(self, tag: str, value: str, rel: str) -> None:
        is_page = tag == "a" and _PAGE_LINK.fullmatch(value)
        is_reference = tag == "a" and rel == EXTERNAL and value.startswith(("https://", "http://"))
        if not (value.startswith("#") or is_page or is_reference or _SAFE_DATA.match(value)):
            self._problem(f"<{tag} href> leads to {value[:80]!r}")

    def _check_meta(self, values: dict[str, str]) -> None:
        kind = values.get("http-equiv", "").lower()
        if kind == "content-security-policy":
            self.policy += values.get("content", "")
        elif kind == "refresh":
            self._problem("a meta element sends the reader to another page")

    def handle_data(self, data: str) -> None:
        if self._script is not None:
            self._script.append(data)
        elif self._in_style and (found := _CSS_LOAD.search(data)):
            self._problem(f"the style sheet loads something: {found[0][:80]!r}")

    def handle_endtag(self, tag: str) -> None:
        if tag == "script" and self._script is not None:
            text = "".join(self._script)
            if text not in self._own:
                self._problem(f"a script that is not the workbench's own: {text.strip()[:60]!r}")
            self._script = None
        elif tag == "style":
            self._in_style = False


def take_screenshot(page: Path | str, picture: Path | str, width: int = 1300, height: int = 900, dark: bool = False) -> None:
    """Write a PNG of a page as Chromium shows it.

    Args:
        page: HTML file.
        picture: PNG file to write.
        width: window width in pixels.
        height: window height in pixels.
        dark: use the dark colour scheme.

    Raises:
        DataError: the page does not exist.
        ScimlError: there is no Chromium, or it wrote no picture.
    """
    page = Path(page).resolve()
    if not page.is_file():
        raise DataError(f"no such page: {page}")
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise ScimlError(
            f"no browser found (looked for {', '.join(BROWSERS)}); install one, for instance `apt-get install chromium`"
        )
    with tempfile.TemporaryDirectory() as profile, atomic_path(picture) as target:
        command = [browser, *FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}", "--hide-scrollbars"]
        command += ["--blink-settings=preferredColorScheme=0"] if dark else ["--blink-settings=preferredColorScheme=1"]
        command += ["--virtual-time-budget=3000", f"--screenshot={target}", page.as_uri()]
        try:
            result = subprocess.run(command, capture_output=True, text=True, timeout=120)
        except subprocess.TimeoutExpired as error:
            raise ScimlError("the browser took more than two minutes for the screenshot") from error
        if result.returncode != 0 or not target.stat().st_size:
            lines = result.stderr.strip().splitlines() or ["it said nothing"]
            raise ScimlError(f"the browser wrote no picture: {lines[-1]}")
