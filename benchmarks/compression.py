"""Time the codec beside those of Pillow, on one thread: encoding and decoding, its parts, and memory against size.

python benchmarks/compression.py [--model photo] [--bpp 0.25] [--repeat 3] [--sizes 1 4 16] [--markdown]

* Codecs: a 768 x 512 test photograph at about the same size of file; processor seconds, least of the repetitions after
  one to warm up.
* Parts: transform, choice of symbols with range coding, decoding of symbols, inverse transform, network.
* Memory: pictures of so many megapixels, made of the photograph side by side, each in a process of its own: processor seconds a
  megapixel, and how far the peak of the process rises above the picture's own bytes and the imported program.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from sciml.compression.codecs.codec import Codec
from sciml.compression.codecs.model_files import load_model
from sciml.compression.coding.model import step_of
from sciml.compression.coding.tile_coding import decode_planes, encode_planes, tile_blocks, tile_planes
from sciml.compression.coding.transform import lap
from sciml.compression.container.file import read_header
from sciml.compression.study.anchors import ANCHORS, Own, missing_reason
from sciml.compression.study.quality import psnr
from sciml.datasets.loaders import load

PICTURE = "kodim23"
CHILD = "SCIML_BENCHMARK_MEGAPIXELS"
Row = tuple[str, ...]


def picture() -> np.ndarray:
    """Return the photograph, uint8."""
    return np.rint(np.asarray(load(PICTURE).array) * 255).astype(np.uint8)


def timed(run: Callable[[], Any], repeat: int) -> tuple[Any, float]:
    """Return the result and the least processor seconds of some runs, after one to warm up."""
    result, seconds = run(), []
    for _ in range(repeat):
        begin = time.process_time()
        result = run()
        seconds.append(time.process_time() - begin)
    return result, min(seconds)


def codecs(model: str, bpp: float, repeat: int) -> list[Row]:
    """Return a row of every codec at the quality whose file is nearest to `bpp`."""
    pixels = picture()
    wanted = bpp * pixels.shape[0] * pixels.shape[1] / 8
    linear = Own("sciml, without network", "", model, tuple(range(2, 100, 2)), refine=False)
    rows = []
    for codec in (Own("sciml", "", model, linear.qualities), linear, *ANCHORS.values()):
        if reason := missing_reason(codec):
            rows.append((codec.name, "", "", "", "", reason))
            continue
        quality = min(codec.qualities, key=lambda value: abs(len(codec.encode(pixels, value)) - wanted))
        data, encoding = timed(partial(codec.encode, pixels, quality), repeat)
        decoded, decoding = timed(partial(codec.decode, data), repeat)
        megapixels = pixels.shape[0] * pixels.shape[1] / 1e6
        rate = f"{8 * len(data) / megapixels / 1e6:.3f}"
        rows.append((codec.name, rate, f"{psnr(decoded, pixels):.2f}", f"{encoding:.3f}", f"{decoding:.3f}",
                     f"{megapixels / encoding:.2f} / {megapixels / decoding:.2f}"))  # fmt: skip
    return rows


def parts(model: str, bpp: float, repeat: int) -> list[Row]:
    """Return the seconds of each part of encoding and decoding."""
    codec = Codec(load_model(model))
    pixels = picture()
    header = read_header(codec.encode(pixels, bpp=bpp))
    step, quality = step_of(header.quantiser_code), header.quality
    height, width = pixels.shape[:2]
    numbers = pixels.astype(np.float32)
    planes, forward = timed(lambda: tile_planes(codec.model, numbers, 0, 0, height, width), repeat)
    coded, choosing = timed(lambda: encode_planes(codec.model, quality, step, planes), repeat)
    rows16, columns16 = planes.shape[1:]
    values, reading = timed(lambda: decode_planes(codec.model, quality, coded.layers, rows16, columns16, lambda _: None), repeat)

    def inverse() -> np.ndarray:
        return codec.model.transform.unrotate(lap(tile_blocks(codec.model, step, values), inverse=True))

    linear, backward = timed(inverse, repeat)
    rows = [
        ("transform", f"{forward:.3f}"),
        ("choice of symbols and range coding", f"{choosing:.3f}"),
        ("decoding of symbols", f"{reading:.3f}"),
        ("inverse transform", f"{backward:.3f}"),
    ]
    if codec.model.network is not None:
        network = codec.model.network
        rows.append(("network", f"{timed(lambda: network.apply_to(linear, step), repeat)[1]:.3f}"))
    return rows


def peak_mib() -> float:
    """Return the largest resident size so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def one_size(model: str, megapixels: float, bpp: float) -> dict[str, float]:
    """Return seconds and memory of one size; runs in a process of its own."""
    tile = picture()
    codec = Codec.load(model)
    warm = codec.encode(tile, quality=40)
    codec.decode(warm)
    times = max(1, round(megapixels * 1e6 / (tile.shape[0] * tile.shape[1])))
    across = max(1, round(times**0.5))
    pixels = np.tile(tile, (-(-times // across), across, 1))
    size = pixels.shape[0] * pixels.shape[1] / 1e6
    before = peak_mib()
    begin = time.process_time()
    data = codec.encode(pixels, quality=40)
    middle, top = time.process_time(), peak_mib()
    decoded = codec.decode(data)
    end = time.process_time()
    if decoded.shape != pixels.shape:
        raise SystemExit(f"decoded {decoded.shape} of {pixels.shape}")
    return {
        "megapixels": size,
        "encode": (middle - begin) / size,
        "decode": (end - middle) / size,
        "encode_mib": top - before,
        "peak_mib": peak_mib(),
        "bpp": 8 * len(data) / size / 1e6,
    }


def memory(model: str, sizes: Sequence[float], bpp: float) -> list[Row]:
    """Return a row of every size."""
    rows = []
    for size in sizes:
        command = [sys.executable, __file__, "--model", model, "--bpp", str(bpp)]
        run = subprocess.run(command, env=os.environ | {CHILD: str(size)}, capture_output=True, text=True, check=True)
        found = json.loads(run.stdout.splitlines()[-1])
        rows.append((f"{found['megapixels']:.1f}", f"{found['encode']:.2f}", f"{found['decode']:.2f}",
                     f"{found['encode_mib']:.0f}", f"{found['peak_mib']:.0f}"))  # fmt: skip
    return rows


def show(title: str, columns: Sequence[str], rows: Sequence[Row], markdown: bool) -> None:
    """Print a table."""
    if markdown:
        print(f"| {' | '.join(columns)} |\n|{'--|' * len(columns)}")
        print("\n".join(f"| {' | '.join(row)} |" for row in rows), end="\n\n")
        return
    table = Table(*columns, title=title)
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="photo", help="shipped model or model file")
    parser.add_argument("--bpp", type=float, default=0.25)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--sizes", type=float, nargs="*", default=[1, 4, 16], help="megapixels")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    if size := os.environ.get(CHILD):
        print(json.dumps(one_size(options.model, float(size), options.bpp)))
        return
    columns = ("codec", "bits per pixel", "PSNR, dB", "encode, s", "decode, s", "Mpx/s, encode / decode")
    show("codecs, 768 x 512", columns, codecs(options.model, options.bpp, options.repeat), options.markdown)
    show("parts, 768 x 512", ("part", "CPU s"), parts(options.model, options.bpp, options.repeat), options.markdown)
    columns = ("megapixels", "encode, s/Mpx", "decode, s/Mpx", "encoding adds, MiB", "peak of the process, MiB")
    show("memory", columns, memory(options.model, options.sizes, options.bpp), options.markdown)


if __name__ == "__main__":
    main()
