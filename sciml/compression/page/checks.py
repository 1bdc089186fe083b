"""The certificates of the codec: what has to hold whatever the quality."""

from __future__ import annotations

from collections.abc import Iterator

from sciml.compression.page.claims import overhead, progressive_steps
from sciml.compression.page.goals import EQUAL_BYTES, EXACT_BITS, GREY_LEVELS, SEAM
from sciml.compression.page.pictures import rows_of, spread_of_bytes
from sciml.compression.page.results import DomainResults, Inspection
from sciml.report.reportlets import Check, Checks, Reportlet
from sciml.report.words import counted

KINDS = {
    "mean": "predicted means",
    "spread_first": "predicted magnitudes, first planes",
    "spread_rest": "predicted magnitudes, other planes",
    "chroma": "predicted chroma",
}


def check_reportlets(domain: DomainResults) -> Iterator[Reportlet]:
    """Yield the checks, or a sentence where nothing was inspected."""
    found = list(bench_checks(domain))
    if domain.inspection is not None:
        found += [*sum_checks(domain.inspection), *process_checks(domain.inspection), *file_checks(domain.inspection)]
    if found:
        yield Checks(found)


def bench_checks(domain: DomainResults) -> Iterator[Check]:
    """Yield whether every picture went through every codec."""
    lost, every = len(domain.bench.failures), len(domain.bench.failures) + len(domain.bench.rows)
    yield Check("points of the bench that failed", lost, 0, lost == 0, "", f"of {every}: pictures at settings of codecs")


def sum_checks(inspection: Inspection) -> Iterator[Check]:
    """Yield how large the sums of the rules can become."""
    for key, bits in inspection.numbers.sums.items():
        text = (
            "the largest sum that any picture can lead to; below 2^53 sums of whole numbers in float64 are exact in every order"
        )
        yield Check(f"whole sums, {KINDS[key]}", round(bits, 1), EXACT_BITS, bits < EXACT_BITS, "bits", text)


def process_checks(inspection: Inspection) -> Iterator[Check]:
    """Yield whether other processes find the same codes and the same pixels."""
    rows = inspection.numbers.processes
    for words in dict.fromkeys(row.environment for row in rows):
        mine = [row for row in rows if row.environment == words]
        equal = sum(row.codes_equal for row in mine)
        text = "pictures whose codes are those of the process that wrote the file; the file carries their checksum"
        yield Check(f"equal codes: {words}", equal, len(mine), equal == len(mine), "pictures", text)
    if rows:
        worst = max(row.largest_pixel_difference for row in rows)
        text = "over all these processes; the last steps of the decoder compute in floats"
        yield Check("largest difference of a pixel", worst, GREY_LEVELS, worst <= GREY_LEVELS, "grey levels", text)


def file_checks(inspection: Inspection) -> Iterator[Check]:
    """Yield what holds for files: damage, overhead, layers, seams, equal bytes."""
    numbers = inspection.numbers
    if (damage := numbers.damage) is not None:
        found, tried = damage.found, damage.tried
        text = "single bytes of one file changed at random: headers and layers carry checksums"
        yield Check("damage that a reader finds", found, tried, found == tried, "changes", text)
    worst = max(overhead(layer, row.tiles) for row in inspection.rows for layer in row.layers)
    text = "bits of the worst layer beyond its ideal length, as a share of 0.4 % and 8 bytes"
    yield Check("payload overhead", round(worst, 2), 1, worst <= 1, "", text)
    growing, every = progressive_steps(inspection)
    yield Check("layers that raise the PSNR", growing, every, growing == every, "layers")
    if seams := numbers.seams:
        ratio = float(sum(row.step_tiled for row in seams) / sum(row.step_whole for row in seams))
        more = sum(row.bytes_tiled for row in seams) / sum(row.bytes_whole for row in seams) - 1
        text = (
            "step of the error over borders of tiles of 256 pixels, over that at the same places of a file without tiles, "
            f"{counted(len(seams), 'picture')}; tiles took {100 * more:.1f} % more bytes"
        )
        yield Check("seams of tiles", round(ratio, 3), SEAM, ratio <= SEAM, "", text)
    for name in inspection.views:
        spread = spread_of_bytes(list(rows_of(inspection, name).values()))
        text = "largest difference in bytes between the files that are shown beside each other"
        yield Check(f"equal bytes, {name}", round(100 * spread, 2), 100 * EQUAL_BYTES, spread <= EQUAL_BYTES, "%", text)
