"""Drawings of a page that no reportlet makes itself: panels of axes in one look, signed pictures, enlarged ones.

A drawing is SVG inside the page: its lines and words have the colours of the page's scheme, light or dark, and its numbers can be
had as CSV.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sciml.report.graphics.palette import COLOURS, TOKENS
from sciml.runtime.files import digest_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, SOFT, GRID = "#000000", "#444444", "#dddddd"
# the colours that follow the scheme; a colour that must not, such as of words on a map, differs from all of these
SCHEME = {INK: "--ink", SOFT: "--soft", GRID: "--line", **dict(zip(COLOURS, TOKENS, strict=True))}
# words on light and on dark fields of a map
ON_LIGHT, ON_DARK = "#111111", "#fefefe"
# fields of a map whose numbers are data; a map of more is a picture
MOST_FIELDS = 400
# points of a series in the CSV, evenly chosen, and beyond which its marks become pixels
MOST_POINTS, MOST_MARKS = 200, 2000


@dataclass(frozen=True)
class Drawing:
    """A figure of axes.

    Attributes:
        svg: the `<svg>` element, in the colours of the style sheet.
        width: in pixels.
        height: in pixels.
        rows: the numbers that are drawn: `panel`, `series`, `x`, `y` and, on a map, `value`; of longer series 200 points.
    """

    svg: str
    width: int
    height: int
    rows: Sequence[dict[str, Any]]


def panels(
    count: int, size: tuple[float, float], draw: Callable[[Sequence[Axes], Figure], None], rows: int = 1, dpi: int = 110
) -> Drawing:
    """Return the drawing of `count` axes a row.

    Args:
        count: axes in a row.
        size: width and height in inches.
        draw: draws on the axes, row after row.
        rows: rows of axes.
        dpi: pixels an inch.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    # text stays text; the salt makes equal drawings equal bytes
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "sciml", "axes.facecolor": "none", "figure.facecolor": "none"}):
        figure = Figure(figsize=size, dpi=dpi, layout="constrained")
        axes = list(figure.subplots(rows, count, squeeze=False).ravel())
        draw(axes, figure)
        for artist in (artist for panel in axes for artist in [*panel.get_lines(), *panel.collections]):
            artist.set_rasterized(len(_points(artist)) > MOST_MARKS and not _is_line(artist))
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    return Drawing(_inline(buffer.getvalue()), round(size[0] * dpi), round(size[1] * dpi), list(_numbers(axes)))


def _inline(text: str) -> str:
    """Return matplotlib's SVG as an element of a page, with names of its own and the scheme's colours."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>|<style.*?</style>", "", text, flags=re.DOTALL)
    # the page gives the size
    text = re.sub(
        r'(<svg[^>]*?) (?:width|height)="[^"]*"', r"\1", re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1), count=1
    )
    text = re.sub(r'href="(data:image/png;base64,)([^"]+)"', lambda found: f'href="{_small(found[2])}"', text)
    prefix = "d" + digest_bytes(text.encode())[:8]
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', text))
    text = re.sub(r' id="([^"]*)"', lambda found: f' id="{prefix}{found[1]}"' if found[1] in used else "", text)
    text = re.sub(r'(url\(#|href="#)', rf"\1{prefix}", text)
    for colour, token in SCHEME.items():
        text = text.replace(f": {colour}", f": var({token})")
    # what is filled without a colour is black
    return re.sub(r"\n\s*", "\n", text.replace("<svg", '<svg style="fill: var(--ink)"', 1)).strip()


def _numbers(axes: Sequence[Axes]) -> Iterator[dict[str, Any]]:
    """Yield every number that stands on the axes; guides over a whole axis are none."""
    from matplotlib.collections import PathCollection

    for place, panel in enumerate(axes, start=1):
        name = panel.get_title() or panel.get_ylabel() or f"panel {place}"

        def row(series: str, x: float, y: float, name: str = name, **more: float) -> dict[str, Any]:
            numbers = {key: float(f"{value:.6g}") for key, value in {"x": x, "y": y, **more}.items()}
            return {"panel": name, "series": series, **numbers}

        for number, artist in enumerate([*panel.get_lines(), *panel.collections], start=1):
            if artist.get_transform() == panel.transData or isinstance(artist, PathCollection):
                points = _points(artist)
                chosen = np.unique(np.linspace(0, len(points) - 1, min(len(points), MOST_POINTS)).round().astype(int))
                for x, y in points[chosen]:
                    yield row(_label(artist, f"series {number}"), x, y)
        for container in panel.containers:
            for patch in getattr(container, "patches", ()):
                yield row(_label(container, "bars"), patch.get_x() + patch.get_width() / 2, patch.get_y() + patch.get_height())
        for image in panel.images:
            values = np.ma.filled(np.ma.asarray(image.get_array(), float), np.nan)
            if values.ndim == 2 and values.size <= MOST_FIELDS:
                for (y, x), value in np.ndenumerate(values):
                    yield row("map", x, y, value=value)


def _is_line(artist: Any) -> bool:
    return getattr(artist, "get_linestyle", lambda: "-")() not in ("None", "none", " ", "") and not hasattr(artist, "get_offsets")


def _points(artist: Any) -> np.ndarray:
    """Return the places (point, 2) of a line, of dots or of segments; areas have none."""
    from matplotlib.collections import LineCollection, PathCollection

    if isinstance(artist, PathCollection):
        found = artist.get_offsets()
    elif isinstance(artist, LineCollection):
        found = np.concatenate([np.zeros((0, 2)), *artist.get_segments()])
    else:
        found = artist.get_xydata() if hasattr(artist, "get_xydata") else np.zeros((0, 2))
    return np.ma.filled(np.ma.asarray(found, float), np.nan)


def _small(content: str) -> str:
    from sciml.report.pictures import encode

    return encode(base64.b64decode(content)).uri


def _label(artist: Any, otherwise: str) -> str:
    label = str(artist.get_label())
    return otherwise if label.startswith("_") or not label else label


def plain(axes: Axes, x_title: str = "", y_title: str = "", title: str = "") -> None:
    """Give axes the look of the page's curves."""
    axes.set_xlabel(x_title, fontsize=9)
    axes.set_ylabel(y_title, fontsize=9)
    axes.set_title(title, fontsize=10)
    axes.grid(True, color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)


def signed_picture(image: np.ndarray, limit: float | None = None) -> np.ndarray:
    """Return signed numbers as RGB on [-limit, limit], zero white; by default up to their largest size."""
    from matplotlib import colormaps

    top = max(float(np.abs(image).max()), 1e-12) if limit is None else limit
    return np.asarray(colormaps["PuOr"](np.clip(0.5 + 0.5 * image / top, 0, 1))[..., :3] * 255).round().astype(np.uint8)


def enlarged(image: np.ndarray, least: int = 192) -> np.ndarray:
    """Return an image with every pixel repeated until its shorter side has about `least` pixels."""
    factor = max(1, round(least / min(image.shape[:2])))
    return image.repeat(factor, 0).repeat(factor, 1)
