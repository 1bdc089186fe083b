"""A very large picture, coded once and decoded to its end: time, and memory beside the picture's own pixels.

python benchmarks/compression_large.py [--model photo] [--width 12288] [--height 8320] [--quality 50] [--effort 0] [--alpha]

The picture is a test photograph side by side, 102 megapixels by default. Encoder and decoder run in processes of their own, on
one thread; peaks of the resident size are sampled, less what the process held with the program loaded and a small picture
decoded.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sciml.compression.codecs.codec import Codec
from sciml.datasets.loaders import load

PICTURE = "kodim23"
SECONDS_A_SAMPLE = 0.005
PAGE = 4096


def picture(width: int, height: int, alpha: bool) -> np.ndarray:
    """Return the photograph side by side, uint8."""
    tile = np.rint(np.asarray(load(PICTURE).array) * 255).astype(np.uint8)
    rows, columns = -(-height // tile.shape[0]), -(-width // tile.shape[1])
    pixels = np.tile(tile, (rows, columns, 1))[:height, :width]
    return np.dstack([pixels, pixels[..., 0]]) if alpha else np.ascontiguousarray(pixels)


def resident() -> int:
    """Return the resident size of this process in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def measured(run: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """Return the result, seconds and MB above what was held before."""
    before, peaks, ended = resident(), [0], threading.Event()

    def watch() -> None:
        while not ended.wait(SECONDS_A_SAMPLE):
            peaks[0] = max(peaks[0], resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    wall, processor = time.perf_counter(), time.process_time()
    result = run()
    seconds = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - processor}
    ended.set()
    watcher.join()
    return result, seconds | {"rise_mb": (peaks[0] - before) / 1e6}


def child(options: argparse.Namespace) -> dict[str, float]:
    """Encode or decode, in a process of its own."""
    import torch

    torch.set_num_threads(1)
    codec = Codec.load(options.model)
    codec.decode(codec.encode(picture(768, 512, alpha=False), quality=options.quality))
    file = Path(options.file)
    pixels = picture(options.width, options.height, options.alpha) if options.part == "encode" else None
    if pixels is not None:
        data, found = measured(lambda: codec.encode(pixels, quality=options.quality, rdo_passes=options.effort))
        file.write_bytes(data)
        return found | {"bytes": len(data)}
    data = file.read_bytes()
    decoded, found = measured(lambda: codec.decode(data))
    wanted = picture(options.width, options.height, options.alpha)
    if decoded.shape != wanted.shape:
        raise SystemExit(f"decoded {decoded.shape} of {wanted.shape}")
    error = np.mean([np.square(row.astype(float) - other).mean() for row, other in zip(decoded, wanted, strict=True)])
    beside = found["rise_mb"] - decoded.nbytes / 1e6
    return found | {"own_mb": decoded.nbytes / 1e6, "beside_mb": beside, "psnr_db": float(20 * np.log10(255 / error**0.5))}


def main() -> None:
    """Print what encoding and decoding took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="photo", help="shipped model or model file")
    parser.add_argument("--width", type=int, default=12288)
    parser.add_argument("--height", type=int, default=8320)
    parser.add_argument("--quality", type=float, default=50)
    parser.add_argument("--effort", type=int, default=0)
    parser.add_argument("--alpha", action="store_true")
    parser.add_argument("--part", choices=("encode", "decode"), help=argparse.SUPPRESS)
    parser.add_argument("--file", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        print(json.dumps(child(options)))
        return
    megapixels = options.width * options.height / 1e6
    print(f"{options.width} x {options.height} = {megapixels:.1f} megapixels, model {options.model}, quality {options.quality:g}")
    with tempfile.TemporaryDirectory() as folder:
        for part in ("encode", "decode"):
            command = [sys.executable, __file__, *sys.argv[1:], "--part", part, "--file", str(Path(folder, "large.nic"))]
            found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
            print(f"{part}: {', '.join(f'{name} {value:.1f}' for name, value in found.items())}", flush=True)


if __name__ == "__main__":
    main()
