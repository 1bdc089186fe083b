"""Quality and processor time of both forms of the learned prior on six slices of the head of the chain from scan to forecast.

Run it in the environment of the project, after `sciml data fetch mr_colin27_t1`:

    OMP_NUM_THREADS=1 python benchmarks/scan_to_forecast.py
"""

from __future__ import annotations

import time

import numpy as np
import torch

from sciml.studies.scan_to_forecast import AcquisitionConfig, acquire, reconstruct_volume
from sciml.studies.scan_to_forecast.chain.cases import head_case
from sciml.studies.scan_to_forecast.chain.measuring import psnr_in_head
from sciml.studies.scan_to_forecast.config import HEIGHTS, Reconstruction, WhoConfig

SEED = 20240901
TRIED: tuple[tuple[Reconstruction, str, float], ...] = (
    ("tv", "", 0.0),
    ("lpn", "mr-t1", 1e-2),
    ("lpn", "mr-t1", 1e-3),
    ("lpn", "mr-t1-explicit", 1e-2),
    ("lpn", "mr-t1-explicit", 1e-3),
)
"""Method, network and relative residual that ends it."""


def main() -> None:
    """Print a table: PSNR within the head, processor seconds a slice."""
    torch.set_num_threads(1)
    head = head_case(WhoConfig(), None)[1]["head"]
    volume = head[(np.array(HEIGHTS) * len(head)).astype(int)]
    print("| acquisition | prior | relative residual | PSNR (dB) | CPU s a slice |\n|--|--|--|--|--|")
    for coils in (1, 8):
        for acceleration in (4, 8):
            measured = acquire(volume, AcquisitionConfig(acceleration=acceleration, coils=coils), SEED)
            for method, network, tolerance in TRIED:
                begun = time.process_time()
                found = reconstruct_volume(measured, method, network or "mr-t1", tolerance)
                seconds = (time.process_time() - begun) / len(volume)
                quality = [psnr_in_head(*pair) or np.inf for pair in zip(found, volume, strict=True)]
                mean, spread = np.mean(quality), np.std(quality, ddof=1)
                print(
                    f"| {acceleration}x, {coils} coil{'s' if coils > 1 else ''} | {network or method} | {tolerance or '-'} "
                    f"| {mean:.2f} ± {spread:.2f} | {seconds:.1f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
