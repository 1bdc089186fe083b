"""A real photograph, whose truth nobody knows, and one of a camera that turned, whose truth is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from sciml.deblurring.page.numbers import cell_title
from sciml.deblurring.page.results import Extra
from sciml.deblurring.settings.grid import DEFAULT
from sciml.deblurring.study.results import PhotoResult, TurnedResult
from sciml.report.graphics.drawing import enlarged
from sciml.report.reportlets import Column, Gallery, Reportlet, Slider, Table, Value

NO_TRUTH = "The true picture and the true kernel are unknown: nothing here says which picture is right."
# the page has a budget: larger photographs are shown by their middle
LARGEST = 400
# the pictures of the camera that turned, in the slider's order: first and last are shown at the start
TURNED = {
    "blurred": "blurred",
    "one kernel": "one kernel for all of it, from the picture",
    "true poses": "the true poses",
    "poses": "poses from the picture",
}


def photo_reportlets(photo: Extra[PhotoResult]) -> Iterator[Reportlet]:
    """Yield the pictures before and after, the kernels, and the table."""
    numbers, arrays = photo.numbers, photo.arrays
    name = numbers.photograph
    cells = [row.cell for row in numbers.rows if f"image.{row.cell}" in arrays]
    pictures = {"blurred": _middle(arrays["blurred"]), **{cell: _middle(arrays[f"image.{cell}"]) for cell in cells}}
    # the default last: first and last are shown at the start
    if DEFAULT in pictures:
        pictures[DEFAULT] = pictures.pop(DEFAULT)
    if len(pictures) > 1:
        yield Slider(
            f"A real photograph: {name}",
            pictures,
            f"The kernel was estimated from the photograph itself, then corrected where held-out pixels asked for it. {NO_TRUTH}",
            f"a photograph with motion blur, {name}",
            notes={row.cell: f"blur index {row.blur_index:.3f}" for row in numbers.rows},
        )
    kernels = {"estimated": arrays["kernel.estimated"], **{cell: arrays[f"kernel.{cell}"] for cell in cells}}
    yield Gallery(
        f"Kernels of the real photograph {name}",
        {words: enlarged(kernel / kernel.max()) for words, kernel in kernels.items()},
        " ".join(["Each on its own scale of grey.", *numbers.notes]),
        "a blur kernel that was estimated from a photograph, enlarged",
    )
    yield photo_table(photo)
    yield from _turned_reportlets(numbers.turned, arrays)


def _turned_reportlets(turned: TurnedResult, arrays: Mapping[str, np.ndarray]) -> Iterator[Reportlet]:
    """Yield the camera that turned: its pictures, the kernels found and true, and what each is worth."""
    scores = turned.psnr_db
    agree = "" if turned.agreement is None else f" Poses of every other tile and of the others agree by {turned.agreement:.2f}."
    yield Slider(
        f"A camera that turned while it moved: {turned.photograph}",
        {words: arrays[f"turned.{name}"] for name, words in TURNED.items()},
        f"A sharp photograph, resampled along a path that also turns by {turned.turn_degrees:.2f} degrees (standard deviation; "
        f"{turned.found_degrees:.2f} were found), with 1 % noise. One example, not a measurement.{agree}",
        f"{turned.photograph}, shaken by a camera that turned",
        notes={words: f"{scores[name]:.2f} dB" for name, words in TURNED.items()},
    )
    yield Gallery(
        "Kernels of the camera that turned, at 3 x 3 places of the picture",
        {name: enlarged(arrays[f"turned.kernels.{name}"] / arrays[f"turned.kernels.{name}"].max()) for name in ("found", "true")},
        "Found from the picture alone, and true. They may lie elsewhere: the picture's place cannot be known.",
        "nine blur kernels that turn around the middle, enlarged",
    )
    rows = [{"kernel": words, "psnr": scores[name], "gain": scores[name] - scores["blurred"]} for name, words in TURNED.items()]
    columns = [
        Column("kernel", "kernel"),
        Column("psnr", "PSNR at the best shift", "dB", None, 2),
        Column("gain", "gain", "dB", None, 2),
    ]
    yield Table("What poses are worth where the camera turned", columns, rows, "Restored by total variation, one example.")


def photo_table(photo: Extra[PhotoResult]) -> Table:
    """Return the measures that need no truth."""
    rows: list[dict[str, Value]] = []
    for row in photo.numbers.rows:
        blurred = row.misfit is None
        rows.append(
            {
                "cell": "blurred photograph" if blurred else cell_title(row.cell),
                "blur": row.blur_index,
                "misfit": "is the data" if blurred else row.misfit,
                "held": "is the data" if blurred else row.held_out,
                "seconds": "" if blurred else row.seconds,
                "kernel": "" if blurred else _of_kernel(row.sentences),
            }
        )
    noise = next((row.noise for row in photo.numbers.rows if row.noise is not None), None)
    columns = [
        Column("cell", "image prior / error model"), Column("blur", "blur index, 0 sharp to 1", "", None, 3),
        Column("misfit", "misfit", "\u03c3", None, 2), Column("held", "held-out misfit, estimated kernel = 1", "", None, 3),
        Column("seconds", "time", "s", None, 1), Column("kernel", "what became of the kernel"),
    ]  # fmt: skip
    estimated = "" if noise is None else f" \u03c3 was estimated from the photograph: {noise:.4f} in linear light."
    note = f"A low blur index can also come from ripples.{estimated} {NO_TRUTH}"
    return Table("The real photograph without a truth", columns, rows, "Measures that need no true picture.", note)


def _of_kernel(sentences: Sequence[str]) -> str:
    found = [sentence for sentence in sentences if "kernel was" in sentence]
    return found[-1] if found else "as estimated"


def _middle(image: np.ndarray) -> np.ndarray:
    top, left = (max(0, (length - LARGEST) // 2) for length in image.shape)
    return image[top : top + LARGEST, left : left + LARGEST]
