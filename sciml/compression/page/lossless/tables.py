"""Without loss, and within bounds: sizes beside other codecs by the same bound."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sciml.compression.page.style import picture_words, title_of
from sciml.compression.study.results import ExactFile, ExactRow
from sciml.report.reportlets import Column, Reportlet, Table, Value

OWN = "nic"
PHOTO = "photo"
# of a codec that takes no such samples, and of times of other pictures
APART = "does not apply"
PICTURE_PIXELS = 768 * 512
TITLE = "Without loss and within bounds"
SIDES = {PHOTO: "photographs, 8 bits", "mr": "MR slices, 16 bits", "ct": "CT slices, 16 bits", "field": "fields, float32"}


def lossless_reportlets(found: ExactFile | None) -> Iterator[Reportlet]:
    """Yield the means by domain and bound, and photographs one by one."""
    if found is None:
        return
    yield bound_table(found)
    yield picture_table(found)


def bound_table(found: ExactFile) -> Table:
    """Return the mean bits of a sample by domain and bound, one column a codec."""
    codecs = _codecs(found)
    rows: list[dict[str, Value]] = []
    keys = list(dict.fromkeys((row.domain, _bound_words(row)) for row in found.rows))
    for domain, bound in keys:
        chosen = [row for row in found.rows if (row.domain, _bound_words(row)) == (domain, bound)]
        own = [row for row in chosen if row.codec == OWN]
        row: dict[str, Value] = {"kind": SIDES.get(domain, domain), "bound": bound, "n": len(own)}
        for codec in codecs:
            bits = [8 * one.bytes / one.samples for one in chosen if one.codec == codec]
            row[codec] = float(np.mean(bits)) if bits else "not run" if codec in found.missing else APART
        timed = domain == PHOTO
        row["encode"] = _seconds([(one.encode_s, one.samples) for one in own]) if timed else APART
        row["decode"] = _seconds([(one.decode_s, one.samples) for one in own]) if timed else APART
        rows.append(row)
    columns = [
        Column("kind", "pictures"), Column("bound", "largest error"), Column("n", "n", digits=0),
        *(Column(name, title_of(name), "bits a sample", digits=3) for name in codecs),
        Column("encode", "768 x 512 x 3, encoding", "CPU s", digits=2),
        Column("decode", "768 x 512 x 3, decoding", "CPU s", digits=2),
    ]  # fmt: skip
    settings = "; ".join(f"{title_of(name)}: {words}" for name, words in found.settings.items() if name in codecs)
    absent = "".join(f" {title_of(name)} was not run: {reason}." for name, reason in found.missing.items())
    return Table(
        TITLE,
        columns,
        rows,
        "Means over test pictures of whole files; fewer bits are better. Every file was decoded and kept its bound; 0: no loss. "
        "Bounds of fields are "
        f"shares of the field's range. {settings}.{absent}",
    )


def picture_table(found: ExactFile) -> Table:
    """Return the files without loss picture by picture, in bits of a sample."""
    rows: list[dict[str, Value]] = []
    exact = [row for row in found.rows if row.bound == 0]
    codecs = [name for name in _codecs(found) if any(row.codec == name for row in exact)]
    for domain, picture in dict.fromkeys((row.domain, row.picture) for row in exact):
        row: dict[str, Value] = {"picture": picture_words(picture), "kind": SIDES.get(domain, domain)}
        sizes = {one.codec: 8 * one.bytes / one.samples for one in exact if (one.domain, one.picture) == (domain, picture)}
        rows.append(row | {name: sizes.get(name, APART) for name in codecs})
    columns = [
        Column("picture", "picture"), Column("kind", "pictures"),
        *(Column(name, title_of(name), "bits a sample", digits=3) for name in codecs),
    ]  # fmt: skip
    return Table(f"{TITLE}: by picture", columns, rows, "Files without loss.")


def _seconds(times: list[tuple[float | None, int]]) -> float:
    """Return the mean time of a picture of 768 x 512 in colours."""
    return float(np.mean([(seconds or 0) / samples * 3 * PICTURE_PIXELS for seconds, samples in times]))


def _codecs(found: ExactFile) -> list[str]:
    there = [OWN, *(name for name in found.settings if name != OWN)]
    return [name for name in there if name in found.missing or any(row.codec == name for row in found.rows)]


def _bound_words(row: ExactRow) -> str:
    if row.bound == 0:
        return "0"
    return f"{row.share:g} of the range" if row.share else f"{row.bound:g} level{'s' * (row.bound > 1)}"
