"""Bits that a model of photographs saves against another on validation photographs: by its rules, by its network, by both.

    python benchmarks/compression_models.py [NEW] [OLD]

NEW and OLD are shipped models or model files, by default `photo` and `photo-1`. Rates are those of whole files; a row is the mean
BD-rate in PSNR over one crop of 768 x 512 of each photograph. Nothing here reads a test photograph.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np

from sciml.compression.codecs.codec import Codec
from sciml.compression.codecs.model_files import load_model
from sciml.compression.coding.model import CodecModel
from sciml.compression.study.curves import Curve, bd_rate, curve
from sciml.compression.study.quality import psnr
from sciml.datasets.crops import first_crops, load_crops, photo_crops
from sciml.runtime.devices import set_threads

QUALITIES = (10, 30, 50, 70, 90)
LEAST_SHARE = 0.2


def curves_of(model: CodecModel, pictures: dict[str, np.ndarray]) -> dict[str, Curve]:
    """Return the curve of each picture."""
    codec, found = Codec(model), {}
    for name, picture in pictures.items():
        pixels = picture.shape[0] * picture.shape[1]
        files = [codec.encode(picture, quality=quality) for quality in QUALITIES]
        found[name] = curve((8 * len(file) / pixels, psnr(codec.decode(file), picture)) for file in files)
    return found


def main() -> None:
    """Print a row for each exchange."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("new", nargs="?", default="photo")
    parser.add_argument("old", nargs="?", default="photo-1")
    options = parser.parse_args()
    set_threads(1)
    new, old = load_model(options.new), load_model(options.old)
    pictures = load_crops(first_crops(photo_crops("validation")))
    models = {
        "rules": (replace(new, network=None), replace(old, network=None)),
        "network": (new, replace(new, network=old.network)),
        "both": (new, old),
    }
    known: dict[int, dict[str, Curve]] = {}
    print("| part | BD-rate, % | by photograph |\n|--|--|--|")
    for part, pair in models.items():
        for model in pair:
            if id(model) not in known:
                known[id(model)] = curves_of(model, pictures)
        ours, base = (known[id(model)] for model in pair)
        rates = [bd_rate(base[name], ours[name], LEAST_SHARE).percent or np.nan for name in pictures]
        print(f"| {part} | {np.mean(rates):+.2f} | {', '.join(f'{rate:+.1f}' for rate in rates)} |", flush=True)


if __name__ == "__main__":
    main()
