"""One photograph of the user's own: its kernel found, read or estimated, the photograph restored, all results written."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from sciml.deblurring.commands.job import JobSpec, Outputs, estimate_size
from sciml.deblurring.correction.estimate import Estimate, estimate_kernel
from sciml.deblurring.correction.estimate import noise_std as estimated_noise
from sciml.deblurring.correction.kernel_step import busiest
from sciml.deblurring.correction.orientation import Fit, compare_orientations, table, turned
from sciml.deblurring.files.outputs import check_outputs, write_kernel, write_map
from sciml.deblurring.files.photos import Photo, read_photo, write_photo
from sciml.deblurring.files.picture import read_picture
from sciml.deblurring.files.progress import Progress, Say, check_size, seconds_of, words
from sciml.deblurring.kernels.canonical import Canonical, read_kernel
from sciml.deblurring.kernels.shake import Shake, is_shake, read_shake, write_shake
from sciml.deblurring.restoration.deblur import Deblurred, deblur
from sciml.deblurring.restoration.steps import LEAST_NOISE
from sciml.formats.write import write_image
from sciml.imaging.operators.kernels import Kernel
from sciml.imaging.tasks.problems import read_mask
from sciml.runtime.errors import ConfigError
from sciml.runtime.files import write_json

ESTIMATED_ON = 640


@dataclass(frozen=True)
class Done:
    """A restored photograph.

    Attributes:
        line: what was written, in one line.
        interrupted: whether it is what there was when it was interrupted.
        record: everything in numbers and sentences, as JSON values.
    """

    line: str
    interrupted: bool
    record: dict[str, Any]


def restore_file(path: Path, outputs: Outputs, spec: JobSpec, device: str, say: Say, compare: bool = False) -> Done:
    """Restore one photograph and write what was asked for.

    Args:
        path: photograph.
        outputs: files to write, refused before any work where that cannot be.
        spec: what is to be done; checked.
        device: `cpu` or `cuda`.
        say: is told what is going on.
        compare: compare the orientations of the kernel first, and tell.

    Raises:
        ScimlError: something given is wrong; nothing is written then.
    """
    begun = time.monotonic()
    if compare and spec.varies:
        raise ConfigError(
            "--check-orientation compares one kernel for all of the photograph, not the poses of a camera that turned"
        )
    check_outputs(
        outputs.by_option(),
        [path, *(each for each in (spec.mask, Path(spec.kernel)) if each is not None)],
        "--kernel-out" * spec.varies,
    )
    photo = read_photo(path, spec.gamma, spec.value_range)
    mask = None if spec.mask is None else torch.from_numpy(read_mask(spec.mask, photo.size))
    say(f"{path.name}: {photo.size[0]} x {photo.size[1]} pixels, taken as {photo.meaning()}")
    check_size(photo, spec.prior, spec.dip)
    kernel = kernel_for(photo, spec, mask, say)
    fits = orientations_of(photo, kernel, spec, mask, say) if compare and isinstance(kernel, Canonical) else []
    if outputs.out is None:
        return Done(f"{path}: compared, nothing was restored", False, {"sentences": table(fits)})
    seconds = seconds_of(photo, spec.prior, spec.error, spec.dip, spec.spread)
    expected = "how long it takes is told after some parts" if spec.varies else f"expected time on one core: {words(seconds)}"
    say("computing on the GPU" if device != "cpu" else expected)
    image = photo.values.to(device)
    partial = partial_of(outputs.out)
    found = deblur(
        image,
        kernel,
        spec.noise_std,
        prior=spec.prior,
        error=spec.error,  # pyright: ignore[reportArgumentType]
        weight=spec.weight,
        mask=mask,
        gamma=photo.gamma,
        seed=spec.seed,
        spread=spec.spread,
        kernel_error=spec.kernel_error,
        dip=spec.dip,
        on_progress=Progress(photo, outputs.progress, say),
        checkpoint=partial,
    )
    seconds = time.monotonic() - begun
    line = _write(outputs, photo, spec, found, kernel if isinstance(kernel, Shake) else None, seconds)
    if not found.interrupted:
        shutil.rmtree(partial, ignore_errors=True)
    record = _record(path, photo, spec, found, seconds, device)
    if fits:
        record |= {"orientations": [vars(fit) for fit in fits], "sentences": table(fits) + record["sentences"]}
    if outputs.summary is not None:
        write_json(outputs.summary, record)
    return Done(line, found.interrupted, record)


def partial_of(out: Path) -> Path:
    """Return the folder beside a result from which an interrupted restoration goes on."""
    return Path(f"{out}.partial")


def kernel_for(photo: Photo, spec: JobSpec, mask: torch.Tensor | None, say: Say) -> Canonical | Shake:
    """Return the kernel of a job for one photograph, or the poses of a camera that turned."""
    size = estimate_size(spec.kernel)
    if size is not None:
        estimate = estimated(photo, size, spec.noise_std, say, mask, spec.varies)
        if estimate.shake is not None:
            return replace(estimate.shake, notes=estimate.notes)
        found = Canonical(estimate.kernel, notes=estimate.notes)
    elif spec.varies:
        return read_shake(Path(spec.kernel))
    else:
        found = read_kernel(spec.kernel, photo.size, spec.strict)
    return turned(found, spec.orientation)


def estimated(
    photo: Photo, size: int, noise_std: float | None, say: Say, mask: torch.Tensor | None = None, rotation: bool = False
) -> Estimate:
    """Return a kernel estimated from a photograph, from its part with the strongest edges where it is large; or its poses."""
    picture = read_picture(photo.values, mask, photo.gamma)
    light, share = picture.luminance()
    if not rotation:
        light = light[(..., *busiest(light, picture.mask, max(ESTIMATED_ON, 8 * size)))]
    what = "kernels of a camera that turned," if rotation else "a kernel of"
    say(f"estimating {what} {size} x {size} pixels, from {light.shape[-2]} x {light.shape[-1]} pixels of the photograph")
    level = None if noise_std is None else share * noise_std
    told = lambda level, levels, _: say(f"estimating the kernel: scale {level} of {levels}")  # noqa: E731
    return estimate_kernel(light, size, level, told, rotation)


def write_blur(path: Path, kernel: Kernel, shake: Shake | None, size: tuple[int, int]) -> None:
    """Write a kernel; of a camera that turned the poses as CSV, or the kernels at 3 x 3 places of a photograph of that size."""
    if shake is not None and is_shake(path):
        write_shake(path, shake)
    else:
        write_kernel(path, kernel if shake is None else shake.grid(size, len(kernel)))


def orientations_of(photo: Photo, kernel: Canonical, spec: JobSpec, mask: torch.Tensor | None, say: Say) -> list[Fit]:
    """Return and tell how each orientation of the kernel explains a photograph."""
    say("comparing the orientations of the kernel")
    picture = read_picture(photo.values, mask, photo.gamma)
    light, share = picture.luminance()
    sigma = spec.noise_std
    if sigma is None:
        sigma = max(float(estimated_noise(picture.y)), LEAST_NOISE)
    return compare_orientations(light, kernel.kernel, share * sigma, picture.mask, spec.seed)


def _write(outputs: Outputs, photo: Photo, spec: JobSpec, found: Deblurred, shake: Shake | None, seconds: float) -> str:
    assert outputs.out is not None
    notes = write_photo(outputs.out, torch.as_tensor(found.image), photo)
    more = []
    if outputs.kernel is not None:
        write_blur(outputs.kernel, found.kernel, shake, photo.size)
    if outputs.residual is not None:
        more.append("residual in linear light: " + write_map(outputs.residual, torch.as_tensor(found.residual), signed=True))
    if outputs.spread is not None and found.spread is not None:
        more.append("spread: " + write_map(outputs.spread, torch.as_tensor(found.spread), signed=False))
    if outputs.mask is not None:
        trusted = torch.ones(photo.size) if found.mask is None else torch.as_tensor(found.mask)
        write_image(outputs.mask, trusted.cpu().numpy())
    noise = f"noise {found.noise_std:.4f} {'given' if spec.noise_std is not None else 'estimated'}"
    kernel = "" if found.step is None else f" (kernel {found.step.verdict})"
    what = (
        f"prior {spec.prior}, error {spec.error}{kernel}, {noise}, misfit {found.misfit:.2f}, {photo.meaning()}, {seconds:.1f} s"
    )
    return " | ".join((f"{outputs.out}: {what}", *notes, *more))


def _record(path: Path, photo: Photo, spec: JobSpec, found: Deblurred, seconds: float, device: str) -> dict[str, Any]:
    step = found.step
    warp = None
    if step is not None and step.warp is not None:
        warp = {name: getattr(step.warp, name) for name in ("angle_degrees", "scale", "variance", "gain", "kept", "tried")}
        warp = {name: value if isinstance(value, bool) else float(value) for name, value in warp.items()}
    return {
        "photo": str(path),
        "height": photo.size[0],
        "width": photo.size[1],
        "channels": photo.channels,
        "values": photo.meaning(),
        "value_range": list(photo.value_range),
        "kernel": {"given": spec.kernel, "size": len(found.kernel)},
        "shift_rows_columns": list(found.shift),
        "prior": spec.prior,
        "error": spec.error,
        "weight": spec.weight,
        "noise_std": found.noise_std,
        "noise_given": spec.noise_std is not None,
        "misfit_over_noise": found.misfit,
        "pixels_left_out": 0 if found.mask is None else int((torch.as_tensor(found.mask) == 0).sum()),
        "warp": warp,
        "verdict": "unchanged" if step is None else step.verdict,
        "corrected_by": [] if step is None else list(step.corrected_by),
        "held_out": {} if step is None else step.held_out,
        "curves": {name: [[int(at), float(value)] for at, value in curve] for name, curve in found.curves.items()},
        "stop_reason": found.stop_reason,
        "interrupted": found.interrupted,
        "sentences": [*photo.notes, *found.sentences],
        "warnings": list(found.warnings),
        "seed": spec.seed,
        "device": device,
        "seconds": seconds,
    }
