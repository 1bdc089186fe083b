"""The error budget of the chain from the volumes at its ends.

Volumes are compared by logarithms: what moves a volume from V to V' moves it by 100 ln(V'/V) percent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product

import numpy as np

from sciml.progression import REGIONS
from sciml.runtime.bootstrap import bootstrap_interval
from sciml.runtime.seeds import Seeds
from sciml.studies.budget import variance_shares
from sciml.studies.scan_to_forecast.chain.records import Answer, Case
from sciml.studies.scan_to_forecast.config import REFERENCE, UNTOUCHED, HeadConfig, LinksConfig, SubjectsConfig
from sciml.studies.scan_to_forecast.study.results import Chain, Chains, Coverage, Move, Quality, RegionBudget, SubjectMove

NORMAL_90 = 1.6449
FEWEST = 4
"""Subjects below which a bootstrap says nothing: the interval of a share is from 0 to 1, a mean has none."""
TISSUES = [region for region in REGIONS if region != "csf"]
LINKS = ("acquisition", "reconstruction", "archive")
# (acquisition, method, archive)
Key = tuple[str, str, str]
BASE: Key = (REFERENCE, "zero-filled", "lossless")


def by_key(files: Iterable[Chains]) -> dict[Key, dict[str, Chain]]:
    """Return the chains by acquisition, method and archive, then by case."""
    found: dict[Key, dict[str, Chain]] = {}
    for file in files:
        for chain in file.chains:
            found.setdefault((file.acquisition, chain.method, chain.archive), {})[chain.case] = chain
    return found


def changes(links: LinksConfig) -> Iterator[tuple[str, str, Key, Key]]:
    """Yield what one link alone changes, then all together: link, level, the chain, and the chain it is compared with.

    A reconstruction is compared on the same k-space with zeros for what is missing: of k-space without noise or gap all methods
    make the same.
    """
    for name in links.acquisitions:
        yield "acquisition", name, (name, "zero-filled", "lossless"), BASE
        for method in links.reconstructions:
            if method != "zero-filled":
                yield "reconstruction", f"{method} of {name}", (name, method, "lossless"), (name, "zero-filled", "lossless")
    for archive in links.archives:
        if archive != "lossless":
            yield "archive", archive, (REFERENCE, "zero-filled", archive), BASE
    for name, method, archive in product(links.acquisitions, links.reconstructions, links.archives):
        yield "all", f"{name}, {method}, {archive}", (name, method, archive), BASE


def refusals(group: str, chains: Mapping[Key, Mapping[str, Chain]]) -> list[str]:
    """Return which chains ended in no forecast, and why."""
    return [
        f"{group}: {', '.join(key)}, {case}: {one.refused}"
        for key, cases in chains.items()
        for case, one in cases.items()
        if one.refused is not None
    ]


def qualities(group: str, chains: Mapping[Key, Mapping[str, Chain]]) -> list[Quality]:
    """Return the mean quality of every chain of a group."""
    found = []
    for (acquisition, method, archive), cases in chains.items():
        known = [one.psnr_db for one in cases.values() if one.psnr_db is not None]
        found.append(
            Quality(
                group=group,
                acquisition=acquisition,
                method=method,
                archive=archive,
                psnr_db=float(np.mean(known)) if known else None,
                bits_per_voxel=float(np.mean([one.bits_per_voxel for one in cases.values()])),
                refused=sum(one.refused is not None for one in cases.values()),
                subjects=len(cases),
            )
        )
    return found


def untouched_percent(chains: Mapping[Key, Mapping[str, Chain]]) -> float | None:
    """Return the largest difference, in percent, between volumes of the reference and of scans that went through no link."""
    pairs = [
        (one.volumes_ml, chains[BASE][case].volumes_ml)
        for case, one in chains.get((REFERENCE, "zero-filled", UNTOUCHED), {}).items()
    ]
    whole = [(np.array(a), np.array(b)) for a, b in pairs if a and b]
    return max((float(np.abs(100 * np.log(a / b)).max()) for a, b in whole), default=None)


def whole_grid(config: LinksConfig, chains: Mapping[Key, Mapping[str, Chain]]) -> tuple[list[list[str]], list[str]]:
    """Return the levels of each link that make a grid without a refused chain, and the levels that were left out for it.

    As long as there is a hole, the level goes whose chains have the largest share of them.

    Args:
        config: the levels of the links.
        chains: of one case.
    """
    kept: list[list[str]] = [list(config.acquisitions), list(config.reconstructions), list(config.archives)]
    left_out: list[str] = []

    def hole(key: tuple[str, ...]) -> bool:
        return not any(one.answers for one in chains.get((key[0], key[1], key[2]), {}).values())

    while any(hole(key) for key in product(*kept)):
        shares = {
            (axis, level): float(np.mean([hole(key) for key in product(*kept) if key[axis] == level]))
            for axis, levels in enumerate(kept)
            for level in levels
        }
        axis, level = max(shares, key=shares.__getitem__)
        kept[axis].remove(level)
        left_out.append(f"{LINKS[axis]} {level}")
    return kept, left_out


def head_budget(config: HeadConfig, chains: Mapping[Key, Mapping[str, Chain]]) -> tuple[list[RegionBudget], list[Move]]:
    """Return what each link moves the forecast of the judged year by, for each region and diagnosis; empty without a reference.

    Args:
        config: the levels of the links.
        chains: of the head.
    """
    volumes = {
        key: {one.diagnosis: one for one in cases["head"].answers if one.years == config.judged_years}
        for key, cases in chains.items()
    }
    regions: list[RegionBudget] = []
    moves: list[Move] = []
    if not volumes.get(BASE):
        return regions, moves
    levels, _ = whole_grid(config, chains)
    for diagnosis in config.diagnoses:
        base, (other,) = volumes[BASE][diagnosis], [one for one in config.diagnoses if one != diagnosis] or [diagnosis]
        for region in TISSUES:
            at = REGIONS.index(region)
            deviation = _deviation_percent(base, at)
            grid = [volumes[x, y, z][diagnosis].volumes_ml[at] for x, y, z in product(*levels)]
            logs = 100 * np.log(np.reshape(grid, [len(level) for level in levels])) if grid else np.zeros(())
            shares = variance_shares(logs, LINKS) if grid else {}
            regions.append(
                RegionBudget(
                    region=region,
                    diagnosis=diagnosis,
                    reference_ml=base.volumes_ml[at],
                    deviation_percent=deviation,
                    difference_percent=_percent(volumes[BASE][other], base, at),
                    grid_percent=float(logs.std()),
                    shares={" x ".join(links): share for links, share in shares.items()},
                )
            )
            for link, level, key, against in changes(config):
                if (end := volumes.get(key, {}).get(diagnosis)) and (start := volumes.get(against, {}).get(diagnosis)):
                    percent = _percent(end, start, at)
                    moves.append(
                        Move(
                            link=link,
                            level=level,
                            region=region,
                            diagnosis=diagnosis,
                            percent=percent,
                            deviations=abs(percent) / deviation,
                        )
                    )
    return regions, moves


def _percent(one: Answer, other: Answer, region: int) -> float:
    return float(100 * np.log(one.volumes_ml[region] / other.volumes_ml[region]))


def _deviation_percent(one: Answer, region: int) -> float:
    """Return the standard deviation of ln V that a 90 % interval stands for, in percent."""
    return float(100 * np.log(one.high_ml[region] / one.low_ml[region]) / (2 * NORMAL_90))


def subject_moves(
    config: SubjectsConfig, cases: Mapping[str, Case], chains: Mapping[Key, Mapping[str, Chain]], seed: int
) -> list[SubjectMove]:
    """Return how far each change of the chain moves what is measured in test subjects.

    Args:
        config: the levels of the links.
        cases: with their true volumes.
        chains: of the subjects.
        seed: of the bootstrap.
    """
    found = []
    tests = [name for name, case in cases.items() if case.split == "test"]
    rows = [("none", "reference", BASE, BASE), *changes(config)]
    for link, level, key, against in rows:
        if key not in chains or against not in chains:
            continue
        both = [(chains[key][one], chains[against][one], cases[one]) for one in tests]
        whole = [(end, start, case) for end, start, case in both if end.refused is None and start.refused is None]
        if not whole:
            continue
        moved = np.array([100 * np.log(np.array(end.volumes_ml) / start.volumes_ml) for end, start, _ in whole])
        error = np.array([100 * np.log(np.array(end.volumes_ml) / (case.truth_ml or [])) for end, _, case in whole])
        rates = np.array([_rate(end) - _rate(start) for end, start, _ in whole])
        for region in TISSUES:
            at = REGIONS.index(region)
            many = len(whole) >= FEWEST
            low, high = bootstrap_interval(moved[:, at] ** 2, Seeds(seed)("budget", region)) if many else (None, None)
            found.append(
                SubjectMove(
                    link=link,
                    level=level,
                    region=region,
                    error_percent=float(np.sqrt(np.mean(error[:, at] ** 2))),
                    moved_percent=float(np.sqrt(np.mean(moved[:, at] ** 2))),
                    low_percent=None if low is None else low**0.5,
                    high_percent=None if high is None else high**0.5,
                    rate_percent=float(np.sqrt(np.mean(rates[:, at] ** 2))),
                )
            )
    return found


def _rate(chain: Chain) -> np.ndarray:
    """Return the forecast change to the last time that was asked for, in % a year, (regions,)."""
    last = chain.answers[-1]
    return 100 * np.log(np.array(last.volumes_ml) / chain.volumes_ml) / last.years


def coverages(cases: Mapping[str, Case], chains: Mapping[Key, Mapping[str, Chain]], seed: int) -> list[Coverage]:
    """Return how often intervals hold the true later volumes of test subjects, as they are and with the chain's error added.

    The error of a chain is measured on validation subjects, region by region, s^2 = mean of ln(measured / truth)^2; independent
    of what the course does not know, it widens an interval in the logarithm of the volume, z = 1.645:

        ln(high / V)  ->  sqrt(ln(high / V)^2 + (z s)^2),     ln(V / low) alike
    """
    found = []
    for key, scanned in chains.items():
        usable = {name: one for name, one in scanned.items() if one.refused is None and cases[name].truth_ml}
        errors = [
            np.log(np.array(one.volumes_ml) / (cases[name].truth_ml or []))
            for name, one in usable.items()
            if cases[name].split == "validation"
        ]
        tests = [name for name in usable if cases[name].split == "test"]
        if not errors or not tests:
            continue
        own = np.sqrt(np.mean(np.square(errors), axis=0))
        for carried, std in ((False, np.zeros_like(own)), (True, own)):
            inside, widths = zip(*(_held(usable[name].answers, cases[name], std) for name in tests), strict=True)
            shares = np.array([one.mean() for one in inside])
            many = len(shares) >= FEWEST
            low, high = bootstrap_interval(shares, Seeds(seed)("budget", "coverage")) if many else (0.0, 1.0)
            found.append(
                Coverage(
                    acquisition=key[0],
                    method=key[1],
                    archive=key[2],
                    carried=carried,
                    held=int(sum(one.sum() for one in inside)),
                    asked=int(sum(one.size for one in inside)),
                    share=float(shares.mean()),
                    low=low,
                    high=high,
                    width_percent=float(np.mean(widths)),
                )
            )
    return found


def _held(answers: Sequence[Answer], case: Case, std: np.ndarray) -> tuple[np.ndarray, float]:
    """Return which intervals of a subject hold the truth, (times, regions), and their mean width in percent."""
    tissues = [REGIONS.index(region) for region in TISSUES]
    expected, low, high = (np.array([getattr(one, name) for one in answers]) for name in ("volumes_ml", "low_ml", "high_ml"))
    truth = np.array([one.truth_ml for one in case.questions], dtype=float)
    up = np.hypot(np.log(high / expected), NORMAL_90 * std)
    down = np.hypot(np.log(expected / low), NORMAL_90 * std)
    miss = np.log(truth / expected)
    inside = (-down <= miss) & (miss <= up)
    return inside[:, tissues], float(100 * (up + down)[:, tissues].mean())
