"""Parts of a page that several studies show alike, from plain numbers and records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sciml.report.reportlets import Check, Gallery, Spread


def spread(numbers: Mapping[str, Any]) -> Spread | str:
    """Return a metric's numbers as the table shows them; a mean that is no number stands for exact reconstructions."""
    if numbers["mean"] is None:
        return "exact"
    return Spread(numbers["mean"], numbers["std"] if numbers["n"] > 1 else None, numbers["n"])


def range_check(name: str, open_ended: Sequence[str]) -> Check:
    """Return the check that every tuned value has worse ones on both sides, so that no range cut a method short.

    Args:
        name: of the task.
        open_ended: what has none, in words.
    """
    text = "tuned parameters with no worse value on one side" + (f": {', '.join(open_ended)}" if open_ended else "")
    return Check(f"{name}: tuning", len(open_ended), 0, not open_ended, "", text)


def used_data(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the data sets that provenance records name, each once, in alphabetical order."""
    return sorted({name for record in records for name in record["notes"].get("data", [])})


def data_gallery(cards: Sequence[Mapping[str, Any]]) -> Gallery:
    """Return a thumbnail of every data set that has one, with package, licence and author.

    Args:
        cards: what `sciml.datasets.card.card` says of each.
    """
    shown = [item for item in cards if item["thumbnail"]]
    notes = {item["id"]: " · ".join(str(item[key]) for key in ("package", "licence", "author") if item[key]) for item in shown}
    pictures = {item["id"]: item["thumbnail"] for item in shown}
    return Gallery("Data of this run", pictures, "Sources and licences of all pictures shown or tuned on.", "data set", notes)


def stage_parameters(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the methods text needs of a provenance record."""
    return {**record["config"], "data": record["notes"].get("data", [])}
