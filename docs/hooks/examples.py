"""Examples in docstrings: code in the site, whether they are doctests or plain lines."""

from __future__ import annotations

import re
from textwrap import dedent, indent
from typing import Any

from griffe import Extension, Object

EXAMPLE = re.compile(r"^Example:\n((?:[ \t]+\S.*\n?|\n)+)", re.MULTILINE)


def _fenced(match: re.Match[str]) -> str:
    language = "pycon" if ">>>" in match[1] else "python"
    code = f"```{language}\n{dedent(match[1]).strip()}\n```"
    return f"Examples:\n{indent(code, '    ')}\n\n"


class Examples(Extension):
    """Turns each section `Example:` into one of fenced code."""

    def on_object(self, *, obj: Object, **kwargs: Any) -> None:
        """Rewrite the docstring of what was just read."""
        if obj.docstring:
            obj.docstring.value = EXAMPLE.sub(_fenced, obj.docstring.value)
