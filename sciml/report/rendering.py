"""Templates, inline assets and the content security policy that every page carries."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from sciml.report.reportlets import VERDICTS

FOLDER = Path(__file__).parent
VEGA_FILES = ("vega.min.js", "vega-lite.min.js", "vega-interpreter.js")
TIERS = {
    "ci": "Tiny settings that prove the machinery works; the numbers say nothing about the methods.",
    "demo": "Sizes and budgets that two cores manage within minutes.",
    "cpu": "Trained from scratch on two cores, within a stated budget.",
    "gpu": "The papers' sizes on one data-centre GPU.",
}


@lru_cache(maxsize=1)
def environment() -> jinja2.Environment:
    """Return the template environment: autoescape on, an unknown name is an error."""
    result = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    result.filters["minimal"] = minimal_markup
    result.globals["verdicts"] = VERDICTS
    return result


def minimal_markup(text: str) -> Markup:
    """Return plain text as HTML: paragraphs, `- ` lists, `**bold**` and backticks; all else escaped."""
    blocks = []
    for block in re.split(r"\n\s*\n", text.strip()):
        lines = [line.strip() for line in block.splitlines()]
        if lines and all(line.startswith("- ") for line in lines):
            blocks.append("<ul>" + "".join(f"<li>{_inline(line[2:])}</li>" for line in lines) + "</ul>")
        else:
            blocks.append(f"<p>{_inline(' '.join(lines))}</p>")
    return Markup("\n".join(blocks))


def _inline(text: str) -> str:
    safe = str(escape(text))
    safe = re.sub(r"`([^`]+)`", r"<code>\1</code>", safe)
    return re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", safe)


def script(name: str) -> str:
    """Return one of our scripts, ready to stand inside a `<script>` element."""
    folder = "vendor" if name in VEGA_FILES else "templates"
    text = (FOLDER / folder / name).read_text(encoding="utf-8")
    # the only two sequences that change how HTML reads a script element
    return text.replace("</script", "<\\/script").replace("<!--", "<\\!--").strip()


def script_hash(text: str) -> str:
    """Return a script's source expression for the policy: only scripts listed by hash may run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def render(template: str, scripts: tuple[str, ...], **values: Any) -> str:
    """Return a whole HTML document with its style, its scripts and a policy that allows just these."""
    texts = [script(name) for name in ("early.js", *scripts)]
    allowed = " ".join(f"'{script_hash(text)}'" for text in texts)
    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {allowed}; "
        "connect-src 'none'; form-action 'none'; base-uri 'none'"
    )
    style = (FOLDER / "templates" / "style.css").read_text(encoding="utf-8")
    return (
        environment()
        .get_template(template)
        .render(
            policy=policy,
            style=Markup(style),
            early=Markup(texts[0]),
            late=[Markup(text) for text in texts[1:]],
            tiers=TIERS,
            **values,
        )
    )
