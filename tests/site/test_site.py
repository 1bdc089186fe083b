"""The built documentation (`SITE` names its folder): nothing public is missing, and it works from files, without a network."""

from __future__ import annotations

import html
import importlib
import json
import os
import pkgutil
import re
from functools import cache
from pathlib import Path
from unittest.mock import patch

import pytest
from browser import browser, faults
from command_line import root_command

import sciml
from sciml.families import families
from sciml.settings import schema

pytestmark = pytest.mark.skipif("SITE" not in os.environ, reason="SITE names no built site: make docs")

SITE = Path(os.environ.get("SITE", "site")).resolve()
PUBLIC = [package.name for package in pkgutil.iter_modules(sciml.__path__) if package.ispkg]


@cache
def text_of(folder: str) -> str:
    """Return the source of all pages of a folder."""
    return "\n".join(path.read_text() for path in sorted((SITE / folder).glob("*.html")))


def anchors(folder: str) -> set[str]:
    return {html.unescape(name) for name in re.findall(r' id="([^"]+)"', text_of(folder))}


def test_every_public_name_has_a_place():
    modules = [importlib.import_module(f"sciml.{name}") for name in PUBLIC]
    names = {f"{module.__name__}.{name}" for module in modules for name in getattr(module, "__all__", ())}
    assert len(names) > 80
    assert not names - anchors("reference/api")


def test_every_command_that_help_shows_has_a_place_with_its_options():
    missing = []

    def look(command, words: list[str], parent=None) -> None:
        if "-".join(words) not in anchors("reference/commands"):
            missing.append(" ".join(words))
        options = [option for one in command.params if not getattr(one, "hidden", False) for option in one.opts]
        missing.extend(one for one in options if one.startswith("--") and f"<code>{one}" not in text_of("reference/commands"))
        context = command.make_context(words[-1], [], parent=parent, resilient_parsing=True)
        for word in command.list_commands(context) if hasattr(command, "commands") else ():
            if not (below := command.get_command(context, word)).hidden:
                look(below, [*words, word], context)

    look(root_command(tuple(families())), ["sciml"])
    assert not missing


def test_every_setting_has_a_place():
    told = set(re.sub(r"[^\w.]+", " ", re.sub(r"<[^>]+>", "", text_of("reference/settings"))).replace(".", " ").split())
    document = schema()
    settings = {name for model in (document, *document["$defs"].values()) for name in model.get("properties", {})}
    assert len(settings) > 200
    assert not settings - told


def test_docstrings_describe_what_is_there():
    import griffe

    loader = griffe.GriffeLoader(
        search_paths=[Path(sciml.__file__).parents[1]], docstring_parser=griffe.Parser.google, allow_inspection=False
    )

    def read(place) -> int:
        below = [one for one in place.members.values() if not one.is_alias]
        parsed = [one.docstring.parsed for one in below if one.docstring]
        return len(parsed) + sum(read(one) for one in below if one.is_module or one.is_class)

    with patch.object(griffe.logger, "warning") as warning:
        assert read(loader.load("sciml")) > 2000
    assert not [str(call.args) for call in warning.call_args_list]


def test_no_page_asks_a_network():
    pages = list(SITE.rglob("*.html"))
    assert len(pages) > 40
    asked = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*\b(?:src|href)=[\"']?(?:https?:)?//[^>]*>")
    assert not [(page.name, found) for page in pages for found in asked.findall(page.read_text())]
    styles = [path.read_text() for path in SITE.rglob("*.css")]
    assert styles and not [found for style in styles for found in re.findall(r"url\([\"']?(?:https?:)?//[^)]*\)", style)]


@pytest.mark.browser
def test_search_and_equations_work_from_files():
    from selenium.webdriver.support.ui import WebDriverWait

    with browser() as driver:
        driver.get((SITE / "progression.html").as_uri())
        WebDriverWait(driver, 20).until(lambda d: d.find_elements("css selector", ".katex-html"))
        assert len(driver.find_elements("css selector", ".arithmatex")) == len(driver.find_elements("css selector", ".katex"))
        assert not driver.find_elements("css selector", ".katex-error")
        driver.find_element("css selector", "input.md-search__input").send_keys("hippocampus")
        result = WebDriverWait(driver, 20).until(lambda d: d.find_elements("css selector", ".md-search-result__link"))
        assert any("progression" in one.get_attribute("href") for one in result)
        assert not [entry for entry in driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
        messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
        sent = {m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"}
        assert not {url for url in sent if not url.startswith(("file:", "data:", "blob:", "about:", "chrome:"))}
        # blocks that scroll are reached by Tab where there is a pointer that hovers, which this browser lacks
        found = [fault for fault in faults(driver) if "scrollable-region-focusable" not in fault]
        assert not [fault for fault in found if fault.startswith(("serious", "critical"))]
