"""Files without loss and within bounds beside others: the claims."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sciml.compression.page.goals import AT_MOST, LOSSLESS_PNG, LOSSLESS_WEBP, PHOTOGRAPHS
from sciml.compression.page.lossless.tables import OWN, PHOTO
from sciml.compression.page.style import title_of
from sciml.compression.study.results import ExactFile
from sciml.report.goals import UNKNOWN, Goal, judge
from sciml.report.reportlets import Claim
from sciml.report.words import counted
from sciml.runtime.bootstrap import grouped_interval

SEED = 0


def lossless_claims(found: ExactFile | None) -> Iterator[Claim]:
    """Yield how large files without loss are beside PNG and WebP, and files of fields beside SZ3."""
    for peer, bar in (("png", LOSSLESS_PNG), ("webp", LOSSLESS_WEBP)):
        text = f"Photographs without loss beside {title_of(peer)}: difference in bytes"
        goal = Goal(text, AT_MOST, "%", at_most=bar)
        yield _compared(goal, _pairs(found, PHOTO, peer, exact=True), PHOTOGRAPHS)
    goal = Goal("Fields by the same bound beside SZ3: difference in bytes", AT_MOST, "%", at_most=0.0)
    yield _compared(goal, _pairs(found, "field", "sz3", exact=False))


def _compared(goal: Goal, pairs: list[tuple[str, float]], least: int = 1) -> Claim:
    """Return the mean difference with its interval over pictures, of which a verdict needs so many."""
    if not pairs:
        return judge(goal, None)
    groups, values = zip(*pairs, strict=True)
    mean = float(np.mean(values))
    interval = grouped_interval(values, groups, SEED) if len(set(groups)) > 1 else UNKNOWN
    lost = sum(one > 0 for one in values)
    details = f" (mean over {counted(len(values), 'file')} of {counted(len(set(groups)), 'picture')}, {lost} files larger)"
    return judge(goal, mean, interval, len(set(groups)) >= least, details, round(mean, 1))


def _pairs(found: ExactFile | None, domain: str, peer: str, exact: bool) -> list[tuple[str, float]]:
    """Return pictures, and by how many per cent our files are larger than a peer's, picture by picture and bound by bound."""
    rows = [] if found is None else [row for row in found.rows if row.domain == domain and (row.bound == 0) == exact]
    sizes = {(row.picture, row.bound, row.codec): row.bytes for row in rows}
    return [
        (picture, 100 * (size / sizes[picture, bound, peer] - 1))
        for (picture, bound, codec), size in sizes.items()
        if codec == OWN and (picture, bound, peer) in sizes
    ]
