"""What must hold for every file: the same codes in every process, damage found, tiles without seams."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8

from sciml.compression.codecs.codec import Codec
from sciml.compression.coding.encoding import EncodeOptions
from sciml.compression.coding.picture_codec import PictureCodec
from sciml.compression.coding.rate_control import quality_code
from sciml.compression.coding.samples import samples_of
from sciml.compression.coding.tile_coding import codes_checksum
from sciml.compression.container.file import read_container
from sciml.compression.study.inspection_results import Damage, FreshProcess, Seams
from sciml.runtime.errors import FormatError, ScimlError
from sciml.runtime.files import write_bytes, write_json
from sciml.runtime.seeds import Seeds

DAMAGES = 500
# tiles of the seam test: small enough for several in a photograph
TILE_LOG2 = 8
SECONDS = 300
CHILD = "from sciml.compression.study.inspection_checks import answer; answer()"

Pixels = UInt8[np.ndarray, "rows columns *channels"]


def environments() -> dict[str, dict[str, str]]:
    """Return settings of processes in which decoders must agree, in words."""
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])  # pyright: ignore[reportOptionalSubscript, reportIndexIssue]
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    plain = {"OPENBLAS_CORETYPE": "Prescott", "NPY_DISABLE_CPU_FEATURES": " ".join(found), "ATEN_CPU_CAPABILITY": "default"}
    return {
        "a fresh process, one thread": dict.fromkeys(threads, "1"),
        "two threads": dict.fromkeys(threads, "2"),
        "without vector extensions": dict.fromkeys(threads, "1") | plain,
    }


def fresh_processes(codec: PictureCodec, model: Path, files: Mapping[str, bytes]) -> Iterator[FreshProcess]:
    """Yield for each environment and file whether a fresh process finds the codes and the pixels that this one finds.

    Args:
        codec: codec of this process.
        model: file that the other process loads.
        files: `.nic` files by name.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        expected = {}
        for picture, data in files.items():
            write_bytes(folder / f"{picture}.nic", data)
            np.save(folder / f"{picture}.npy", codec.decode(data))
            expected[picture] = _checksum(codec.codes(data))
        for words, settings in environments().items():
            command = [sys.executable, "-W", "ignore", "-c", CHILD, str(model.resolve()), str(folder)]
            done = subprocess.run(
                command, env=os.environ | settings, capture_output=True, text=True, timeout=SECONDS, check=False, cwd=folder
            )
            if done.returncode:
                raise ScimlError(f"a process that decodes {', '.join(files)} ({words}) failed: {done.stderr.strip()[-300:]}")
            answers = json.loads((folder / "answer.json").read_text(encoding="utf-8"))
            for picture, checksum in expected.items():
                answer = answers[picture]
                yield FreshProcess(
                    environment=words,
                    picture=picture,
                    codes_equal=answer["codes"] == checksum,
                    largest_pixel_difference=answer["pixels"],
                    share_of_range=answer["share"],
                )


def answer() -> None:
    """Decode the files of a folder, in a process of its own; command line: model file, folder."""
    codec, folder = Codec.load(Path(sys.argv[1])), Path(sys.argv[2])
    answers = {}
    for path in sorted(folder.glob("*.nic")):
        data = path.read_bytes()
        before = np.load(path.with_suffix(".npy"), allow_pickle=False)
        difference = float(np.abs(codec.decode(data).astype(np.float64) - before.astype(np.float64)).max())
        whole = before.dtype.kind == "u"
        span = float(np.iinfo(before.dtype).max) if whole else float(before.max() - before.min()) or 1.0
        pixels = int(difference) if whole else difference
        answers[path.stem] = {"codes": _checksum(codec.codes(data)), "pixels": pixels, "share": difference / span}
    write_json(folder / "answer.json", answers)


def _checksum(tiles: Sequence[Int[np.ndarray, "planes rows columns"]]) -> int:
    checksum = 0
    for codes in tiles:
        checksum = codes_checksum(codes, checksum)
    return checksum


def damage(data: bytes, seed: int) -> Damage:
    """Return how many of some changes to single bytes of a file a reader finds."""
    generator = np.random.default_rng(Seeds(seed)("damage"))
    found = 0
    for place, change in zip(generator.integers(len(data), size=DAMAGES), generator.integers(1, 256, size=DAMAGES), strict=True):
        changed = bytearray(data)
        changed[place] ^= int(change)
        try:
            read_container(changed)
        except FormatError:
            found += 1
    return Damage(tried=DAMAGES, found=found)


def seam_steps(codec: PictureCodec, picture: str, pixels: Pixels, quality: float) -> Seams | None:
    """Return the mean steps of the error over borders of tiles, with tiles and at the same places without, and the bytes.

    A step is the size of the difference between the errors of two neighbours on either side of a border. None for pictures
    without such borders.
    """
    side = 2**TILE_LOG2
    samples = samples_of(pixels, codec.model)
    found = []
    for log2 in (TILE_LOG2, 0):
        data = codec.encode_samples(samples, quality_code(quality), EncodeOptions(tile_log2=log2)).data
        error = codec.decode(data).astype(np.float64) - pixels
        steps = [
            np.abs(turned[border] - turned[border - 1]).ravel()
            for turned in (error, error.swapaxes(0, 1))
            for border in range(side, len(turned), side)
        ]
        if not steps:
            return None
        found += [float(np.concatenate(steps).mean()), float(len(data))]
    return Seams(picture=picture, step_tiled=found[0], bytes_tiled=found[1], step_whole=found[2], bytes_whole=found[3])
