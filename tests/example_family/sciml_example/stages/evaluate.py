"""Stage `evaluate`: PSNR of noisy and filtered test pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from sciml.runtime.files import save_tensors, write_json
from sciml.runtime.provenance import Recorder
from sciml.runtime.seeds import Seeds
from sciml.training import load_weights, read_weights_metadata
from sciml_example.config import EvaluateConfig
from sciml_example.filters.network import LinearFilter
from sciml_example.filters.pictures import waves


def run(config: EvaluateConfig, weights: Path, output: Path) -> list[Path]:
    """Write `metrics.json` and `pictures.safetensors` (truth, noisy, filtered).

    Args:
        config: which test pictures.
        weights: file of the `train` stage; size, noise and filter are read from its metadata.
        output: output folder.
    """
    recorder = Recorder("example.evaluate", config.model_dump(mode="json"), [weights])
    trained = read_weights_metadata(weights)["config"]
    model = LinearFilter(trained["filter_size"])
    load_weights(weights, model)
    seeds = Seeds(config.seed)
    truth = torch.from_numpy(waves(config.pictures, trained["size"], config.seed, "test"))[:, None]
    noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(seeds("noise", "test")))
    noisy = truth + trained["sigma"] * noise
    with torch.no_grad():
        filtered = model(noisy)
        gain = float(model.convolution.weight.sum())
    rows = [{"method": name, "psnr": psnr(estimate, truth)} for name, estimate in (("noisy", noisy), ("filter", filtered))]
    metrics, pictures = output / "metrics.json", output / "pictures.safetensors"
    save_tensors(pictures, {"truth": truth.numpy(), "noisy": noisy.numpy(), "filtered": filtered.numpy()})
    write_json(metrics, {"rows": rows, "checks": {"gain": gain}})
    recorder.seeds = seeds.used
    recorder.write(output / "provenance.json", [metrics, pictures])
    return [metrics, pictures]


def psnr(estimate: torch.Tensor, truth: torch.Tensor) -> dict[str, object]:
    """Return the PSNR in dB of each picture, 10 log10(1 / mean squared error), with mean and spread."""
    values = (-10 * (estimate - truth).square().mean((1, 2, 3)).log10()).tolist()
    std = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return {"unit": "dB", "direction": "up", "mean": float(np.mean(values)), "std": std, "n": len(values), "values": values}
