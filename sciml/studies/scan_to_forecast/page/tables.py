"""Tables and pictures of the page."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sciml.report.pictures import error_map
from sciml.report.reportlets import Column, Reportlet, Scrubber, Slider, Table
from sciml.studies.scan_to_forecast.config import HEIGHTS, REFERENCE, UNTOUCHED
from sciml.studies.scan_to_forecast.page.results import Study, hard_one
from sciml.studies.scan_to_forecast.page.words import METHODS, region_words, scan_words
from sciml.studies.scan_to_forecast.study.budget import LINKS

ERROR_LIMIT = 0.2
FEW = "too few subjects"
LARGEST = "largest"


def share_table(study: Study) -> Iterator[Reportlet]:
    """Yield the error budget: a row for each region. A course changes all volumes by one factor: diagnoses have one budget."""
    if study.head is None:
        return
    first, other = study.head.diagnoses
    rows = [
        {
            "region": region_words(one.region), "reference": one.reference_ml, "own": one.deviation_percent,
            "difference": one.difference_percent, "grid": one.grid_percent,
            **{link: 100 * one.shares[link] if one.shares else "a chain was refused" for link in LINKS},
            "interplay": 100 * (1 - sum(one.shares[link] for link in LINKS)) if one.shares else "a chain was refused",
        }
        for one in study.budget.regions
        if one.diagnosis == first
    ]  # fmt: skip
    if rows:
        yield Table(
            "Error budget",
            [
                Column("region", "Region"), Column("reference", f"{first}, +{study.head.judged_years:g} years", "ml"),
                Column("own", "own std", "%", digits=1), Column("difference", f"as {other} instead", "%", digits=1),
                Column("grid", "std over chains", "%", digits=1),
                *(Column(link, link, "%", digits=0) for link in (*LINKS, "interplay")),
            ],
            rows,
            caption="Forecast of the scan without noise or gap; its own uncertainty and what the other diagnosis would change; "
            "then how much the chains differ, and which share of that variance each link explains alone, and links together.",
        )  # fmt: skip


def move_table(study: Study) -> Iterator[Reportlet]:
    """Yield how far each change moves the forecasts of the head: one link at a time, then all together."""
    found: dict[tuple[str, str], list[float]] = {}
    for one in study.budget.moves:
        found.setdefault((one.link, one.level), []).append(one.deviations)
    worst = {key: max((m for m in study.moves(link=key[0], level=key[1])), key=lambda one: one.deviations) for key in found}
    rows = [
        {
            "link": link, "level": level, "mean": float(np.mean(values)), LARGEST: max(values),
            "percent": worst[link, level].percent,
            "where": f"{region_words(worst[link, level].region)}, {worst[link, level].diagnosis}",
        }
        for (link, level), values in found.items()
    ]  # fmt: skip
    if rows:
        yield Table(
            "One link at a time, and all together",
            [
                Column("link", "Link"), Column("level", "Changed to"), Column("mean", "mean move", "std", "down", 2),
                Column(LARGEST, "largest", "std", "down", 2), Column("percent", "that is", "%", digits=1), Column("where", "of"),
            ],
            rows,
            caption="Moves of the forecast, in standard deviations of the forecast itself; mean and largest over six regions and "
            "two diagnoses. Acquisitions are read zero-filled, archives hold the full scan; a reconstruction is compared with "
            "zero-filled on the same k-space.",
            group="link",
        )  # fmt: skip


def quality_table(study: Study, group: str) -> Iterator[Reportlet]:
    """Yield the quality of the pictures at the end of every chain of a group."""
    seconds = {(one, acquisition, method): value for one, acquisition, method, value in study.cpu_seconds()}
    rows = [
        {
            "acquisition": one.acquisition, "method": one.method, "archive": one.archive,
            "psnr": "no difference" if one.psnr_db is None else one.psnr_db,
            "bits": one.bits_per_voxel, "seconds": seconds.get((group, one.acquisition, one.method), "not noted"),
            "refused": f"{one.refused} of {one.subjects}",
        }
        for one in study.budget.quality
        if one.group == group and one.archive != UNTOUCHED
    ]  # fmt: skip
    if rows:
        yield Table(
            f"Pictures at the end of each chain: {group}",
            [
                Column("acquisition", "Acquisition"), Column("method", "Reconstruction"), Column("archive", "Archive"),
                Column("psnr", "PSNR in the head", "dB", "up", 2), Column("bits", "size", "bit/voxel", "down", 2),
                Column("seconds", "reconstruction", "CPU s", digits=0), Column("refused", "refused"),
            ],
            rows,
            caption="Means over the subjects, against the true scan.",
            group="acquisition",
        )  # fmt: skip


def archived_table(study: Study) -> Iterator[Reportlet]:
    """Yield what an archive costs a forecast image: bytes, PSNR and the volumes measured in it again."""
    found = study.budget.archived
    whole = next((one for one in found if one.archive == "lossless" and one.volumes_ml), None)
    rows = []
    for one in found:
        logs = np.log(np.array(one.volumes_ml) / whole.volumes_ml)[:-1] if whole and one.volumes_ml else None
        rows.append(
            {
                "archive": one.archive,
                "bytes": one.bytes / 1e6,
                "psnr": "no difference" if one.psnr_db is None else one.psnr_db,
                "moved": one.refused or "not measured" if logs is None else 100 * float(np.abs(logs).max()),
            }
        )
    if rows:
        yield Table(
            "The forecast image in the archive",
            [
                Column("archive", "Archive"), Column("bytes", "size", "MB", "down", 2), Column("psnr", "PSNR", "dB", "up", 2),
                Column("moved", "largest move of a region", "%", "down", 2),
            ],
            rows,
            caption="The forecast image of the reference, stored and measured again; moves are against the same image stored "
            "without loss.",
        )  # fmt: skip


def subject_tables(study: Study) -> Iterator[Reportlet]:
    """Yield the moves of the simulated subjects, and how often intervals hold."""
    rows = [
        {
            "link": one.link, "level": one.level, "region": region_words(one.region), "error": one.error_percent,
            "moved": one.moved_percent, "low": FEW if one.low_percent is None else one.low_percent,
            "high": FEW if one.high_percent is None else one.high_percent, "rate": one.rate_percent,
        }
        for one in study.budget.subject_moves
    ]  # fmt: skip
    if rows:
        yield Table(
            "Measured volumes of simulated subjects",
            [
                Column("link", "Link"), Column("level", "Changed to"), Column("region", "Region"),
                Column("error", "error", "%", "down", 1), Column("moved", "moved by", "%", "down", 1),
                Column("low", "from", "%", digits=1), Column("high", "to", "%", digits=1),
                Column("rate", "rate", "%/year", "down", 2),
            ],
            rows,
            caption="Root mean squares over test subjects: error against the true volume; by how much the change moves what the "
            "reference measures, with its 95 % interval; and the forecast rate of change.",
            group="region",
        )  # fmt: skip
    rows = [
        {
            "acquisition": one.acquisition, "method": one.method, "archive": one.archive,
            "carried": "added" if one.carried else "left out", "share": 100 * one.share, "low": 100 * one.low,
            "high": 100 * one.high, "held": f"{one.held} of {one.asked}", "width": one.width_percent,
        }
        for one in study.budget.coverage
    ]  # fmt: skip
    if rows:
        yield Table(
            "How often 90 % intervals hold the true later volume",
            [
                Column("acquisition", "Acquisition"), Column("method", "Reconstruction"), Column("archive", "Archive"),
                Column("carried", "Chain's own error"), Column("share", "held", "%", digits=0),
                Column("low", "from", "%", digits=0), Column("high", "to", "%", digits=0), Column("held", "intervals"),
                Column("width", "mean width", "%", digits=0),
            ],
            rows,
            caption="Intervals of the forecast as they are, and with the error of the chain, measured on validation subjects, "
            "added. The interval of the share is of a bootstrap over subjects.",
        )  # fmt: skip


def first_picture(study: Study) -> Slider | None:
    """Return the reconstructions of the hardest scan beside the truth."""
    group, links = ("head", study.head) if study.head else ("subjects", study.subjects)
    if links is None:
        return None
    acquisition = hard_one(study) if group == "head" else list(links.acquisitions)[-1]
    truth = study.slices(group, REFERENCE, "zero-filled")
    case = next((name.partition("/")[2] for name in truth if name.startswith("lossless/")), None)
    if case is None:
        return None
    shown = len(HEIGHTS) // 2
    found = {METHODS[one]: study.slices(group, acquisition, one) for one in links.reconstructions}
    pictures = {name: one[f"lossless/{case}"][shown] for name, one in found.items() if one}
    real = truth[f"lossless/{case}"][shown]
    maps = {name: error_map(one, real, ERROR_LIMIT) for name, one in pictures.items()}
    return Slider(
        f"{scan_words(acquisition)}: what a reconstruction leaves for the forecast",
        {**pictures, "full scan": real},
        "An axial slice through the ventricles, one window for all.",
        f"axial slice of {case}",
        error_maps=maps,
        error_limit=ERROR_LIMIT,
    )


def scrubber(study: Study) -> Iterator[Reportlet]:
    """Yield slices of scans and forecasts, side by side with one window."""
    if study.head is None:
        return
    acquisition = hard_one(study)
    series: dict[str, list[np.ndarray]] = {}
    full = study.slices("head", REFERENCE, "zero-filled")
    for label, found, key in (
        ("full scan", full, "lossless/head"),
        *(
            (f"{acquisition}, {METHODS[one]}", study.slices("head", acquisition, one), "lossless/head")
            for one in study.head.reconstructions
        ),
        ("forecast of the full scan", full, "forecast/head"),
        *(
            (f"forecast of {acquisition}, {METHODS[one]}", study.slices("head", acquisition, one), "forecast/head")
            for one in study.head.reconstructions
        ),
    ):
        if key in found:
            series[label] = list(found[key])
    if series:
        years = f"+{study.head.judged_years:g} years as {study.head.diagnoses[-1]}"
        yield Scrubber(
            "Slices",
            series,
            [f"{100 * height:g} % of the height" for height in HEIGHTS],
            f"Scans and their forecasts ({years}), one window for all.",
            "axial slices of a head",
        )
