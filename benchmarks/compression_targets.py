"""What a file of a wanted size costs: processor time of `bpp=` over that of one encoding at the step that it ends at.

    python benchmarks/compression_targets.py [--model photo] [--bpp 0.15 0.5 1.0]

One crop of 768 x 512 of each validation photograph, the default effort, one thread.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from sciml.compression.codecs.codec import Codec
from sciml.compression.coding.encoding import RDO_PASSES, EncodeOptions
from sciml.compression.coding.samples import samples_of
from sciml.compression.container.file import read_container
from sciml.datasets.crops import first_crops, load_crops, photo_crops
from sciml.runtime.devices import set_threads
from sciml.runtime.errors import ConfigError


def seconds(work: Callable[[], object]) -> float:
    """Return the processor time of a piece of work."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def main() -> None:
    """Print a row for each crop and target, and their mean."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="photo")
    parser.add_argument("--bpp", type=float, nargs="+", default=[0.15, 0.5, 1.0])
    options = parser.parse_args()
    set_threads(1)
    codec, ratios = Codec.load(options.model), []
    print("| crop | bits a pixel, wanted | met | times one encoding |\n|--|--|--|--|")
    for name, picture in load_crops(first_crops(photo_crops("validation"))).items():
        samples = samples_of(picture, codec.model)
        codec.encode_samples(samples, 256, EncodeOptions(rdo_passes=RDO_PASSES))  # memory and libraries are warm
        for bpp in options.bpp:
            files: list[bytes] = []
            try:
                whole = seconds(lambda picture=picture, bpp=bpp, files=files: files.append(codec.encode(picture, bpp=bpp)))
            except ConfigError as error:
                print(f"| {name} | {bpp:g} | {error} | |")
                continue
            code = read_container(files[0]).header.quantiser_code
            once = EncodeOptions(rdo_passes=RDO_PASSES)
            plain = seconds(lambda samples=samples, code=code, once=once: codec.encode_samples(samples, code, once))
            ratios.append(whole / plain)
            met = 8 * len(files[0]) / picture[..., 0].size
            print(f"| {name} | {bpp:g} | {met:.4f} | {ratios[-1]:.2f} |", flush=True)
    print(f"| mean of {len(ratios)} | | | {np.mean(ratios):.2f} |")


if __name__ == "__main__":
    main()
