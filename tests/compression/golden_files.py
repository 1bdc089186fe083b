"""Six files and a model whose codes must never change.

`python golden_files.py` decodes them and prints a line of JSON: the CRC32 of each file's codes by name. With the
environment variable SCIML_REGENERATE_GOLDEN=1 `test_golden.py` writes all anew: only for a new version of the format.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent / "golden"
MODEL = FOLDER / "model.safetensors"
CODES = FOLDER / "codes.json"


def codes_digest(codes: list[np.ndarray]) -> str:
    """Return the CRC32 of all tiles' codes as little-endian int32, planes first."""
    checksum = 0
    for tile in codes:
        checksum = zlib.crc32(np.ascontiguousarray(tile, "<i4").tobytes(), checksum)
    return f"{checksum:08x}"


def decoded() -> dict[str, str]:
    """Return the digest of every file's codes, decoded here and now."""
    from sciml.compression.codec import Codec

    codec = Codec.load(MODEL)
    return {path.name: codes_digest(codec.codes(path.read_bytes())) for path in sorted(FOLDER.glob("*.nic"))}


def regenerate() -> None:
    """Write model, files and digests."""
    from tiny_models import make_model, texture

    from sciml.compression.codec import Codec
    from sciml.compression.container import Channel
    from sciml.compression.model_files import save_model

    FOLDER.mkdir(exist_ok=True)
    facts = {"config": {}, "seed": 0, "inputs": {}, "source_digest": "", "cpu_minutes": 0.0}
    save_model(MODEL, make_model(3, steps=(0.2,), name="golden"), **facts)
    codec = Codec.load(MODEL)
    colour = np.rint(texture(63, 65, seed=1)).astype(np.uint8)
    alpha = (np.arange(40)[:, None] * np.arange(50) % 256).astype(np.uint8)
    floats = texture(33, 1, seed=4) * np.float32(0.01) - 1
    noise = np.random.default_rng(0).standard_normal((48, 40, 3)).astype(np.float32)
    files = {
        "colour": codec.encode(colour, quality=40),
        "tiles": codec.encode(colour[:50, :60], quality=70, tile_log2=5, strong=True),
        "alpha": codec.encode(np.dstack([texture(40, 50, 1, 2).astype(np.uint8), alpha]), quality=50),
        "sixteen": codec.encode(np.rint(257 * texture(64, 64, seed=3)).astype(np.uint16), quality=100),
        "floats": codec.encode(floats, quality=20, profile=b"profile"),
        # numbers far beyond the model's range: remainders, and sums near their bounds
        "extreme": codec.encode(noise, quality=90, scale=(Channel(0.0, 1e-4, "K"),) * 3),
    }
    for name, data in files.items():
        (FOLDER / f"{name}.nic").write_bytes(data)
    CODES.write_text(json.dumps(decoded(), indent=2) + "\n")


if __name__ == "__main__":
    print(json.dumps(decoded()))
