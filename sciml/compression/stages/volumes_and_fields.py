"""Stage `volumes-and-fields`: slices or fields at equal bytes, the physics that decoded fields keep, equality in processes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from sciml.compression.codecs.codec import Codec
from sciml.compression.codecs.model_files import load_model
from sciml.compression.coding.picture_codec import PictureCodec
from sciml.compression.fitting.pools import Sample, check_inputs, samples, spread
from sciml.compression.settings.stages import VolumesAndFieldsConfig
from sciml.compression.study.anchors import Codec as Anchor
from sciml.compression.study.anchors_deep import BySlice, DeepJpeg2000
from sciml.compression.study.enstrophy import enstrophy_spectrum, spectrum_error
from sciml.compression.study.inspection_checks import fresh_processes
from sciml.compression.study.inspection_results import Border, EqualSamples, Spectrum, VolumesAndFieldsFile
from sciml.compression.study.quality import peak, psnr
from sciml.runtime.errors import DataError
from sciml.runtime.files import save_tensors
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import write_result

log = logging.getLogger(__name__)

BYTES_OF_FLOAT32 = 4
VORTICITY = "vorticity"
# sizes of JPEG 2000 lie near what is asked for; a few trials bring them within 2 %
TRIALS = 6
# vorticity fields whose spectra are judged, evenly spread over all
SPECTRA = 12
# rows and columns at the border: a block of the transform
BORDER = 16


def run(config: VolumesAndFieldsConfig, weights: Path, photo: Path, output: Path, runs: Path | None = None) -> list[Path]:
    """Write `apart.json` (numbers) and `apart.safetensors` (pictures over their range, spectra).

    Args:
        config: pictures and rates.
        weights: model file, with or without a network.
        photo: model file of photographs, which is shown beside.
        output: output folder.
        runs: folder of simulated runs, for fields that come from them.

    Raises:
        DataError: a test picture was trained on, or there is none.
    """
    recorder = Recorder("compression.volumes_and_fields", config.model_dump(mode="json"), [weights, photo])
    found = list(samples(config, config.role, config.data_tier, runs))
    if not found:
        raise DataError(f"there is no {config.role} picture of {config.domain}")
    check_inputs(weights, config, found)
    own, of_photographs = Codec(load_model(weights)), Codec(load_model(photo))
    equal: list[EqualSamples] = []
    arrays: dict[str, np.ndarray] = {}
    files: dict[str, bytes] = {}
    for sample in spread(found, config.pictures):
        original = sample.array if sample.array.shape[2] > 1 else sample.array[..., 0]
        arrays[f"{sample.name}/original"] = _display(original, original)
        for name, data, decoded in _equal_bytes(own, of_photographs, original, config.rate_bpp):
            arrays[f"{sample.name}/{name}"] = _display(decoded, original)
            equal.append(
                EqualSamples(
                    picture=sample.name,
                    codec=name,
                    bytes=len(data),
                    pixels=original.size,
                    psnr_db=psnr(decoded, original),
                    range=peak(original)[1],
                    unit=sample.unit,
                )
            )
            if name == "nic":
                files[f"{len(files)}"] = data
        log.info("%s", sample.name)
    vorticity = spread([one for one in found if VORTICITY in one.name], SPECTRA) if config.kind == "fields" else []
    numbers = VolumesAndFieldsFile(
        kind=config.kind,
        equal=equal,
        spectra=list(_spectra(own, vorticity, config, arrays)),
        borders=list(_borders(own, vorticity, config)),
        processes=list(fresh_processes(own, weights, files)),
    )
    paths = [output / "apart.json", output / "apart.safetensors"]
    write_result(paths[0], numbers)
    save_tensors(paths[1], arrays)
    recorder.write(output / "provenance.json", paths)
    return paths


def _equal_bytes(
    own: Codec, photo: PictureCodec, original: Shaped[np.ndarray, "*picture"], rate_bpp: float
) -> Iterator[tuple[str, bytes, Shaped[np.ndarray, "*picture"]]]:
    """Yield name, file and picture or neighbouring slices: JPEG 2000 near the wanted rate, then the others at its size."""
    jpeg: Anchor = DeepJpeg2000() if original.ndim == 2 else BySlice(DeepJpeg2000())
    data = jpeg_2000_near(jpeg, original, rate_bpp * original.size / 8)
    yield "jpeg2000", data, jpeg.decode(data)
    slices = [original] if original.ndim == 2 else list(np.moveaxis(original, 2, 0))
    files = [photo.encode(np.ascontiguousarray(one), max_bytes=len(data) // len(slices)) for one in slices]
    decoded = [photo.decode(file) for file in files]
    yield "photo", b"".join(files), decoded[0] if original.ndim == 2 else np.stack(decoded, -1)
    coded = own.encode(original, max_bytes=len(data))
    yield "nic", coded, own.decode(coded)


def jpeg_2000_near(jpeg: Anchor, original: Shaped[np.ndarray, "*picture"], wanted: float) -> bytes:
    """Return the JPEG 2000 file whose size is nearest to the wanted bytes, of a few trials."""
    ask = 8 * wanted / original.size
    best = jpeg.encode(original, ask)
    data = best
    for _ in range(TRIALS):
        ask *= wanted / len(data)
        data = jpeg.encode(original, ask)
        if abs(len(data) - wanted) < abs(len(best) - wanted):
            best = data
    return best


def _display(values: Shaped[np.ndarray, "*picture"], original: Shaped[np.ndarray, "*picture"]) -> np.ndarray:
    """Return values over the original's range, 0 to 1; float32; of several slices the first."""
    if values.ndim == 3:
        values, original = values[..., 0], original[..., 0]
    if original.dtype.kind == "f":
        low, span = peak(original)
    else:
        low, span = float(original.min()), float(original.max() - original.min()) or 1.0
    return ((values.astype(np.float64) - low) / span).astype(np.float32)


def _spectra(
    own: Codec, vorticity: list[Sample], config: VolumesAndFieldsConfig, arrays: dict[str, np.ndarray]
) -> Iterator[Spectrum]:
    """Yield the errors of the enstrophy spectrum of each vorticity field, by codec and size; keep the first field's spectra."""
    jpeg = DeepJpeg2000()
    for sample in vorticity:
        original = sample.array[..., 0]
        if original.shape[0] != original.shape[1]:
            raise DataError(f"{sample.name} has shape {original.shape}: enstrophy spectra are of square fields")
        if sample is vorticity[0]:
            arrays["spectrum/original"] = enstrophy_spectrum(original)
        for ratio in config.ratios:
            most = int(original.size * BYTES_OF_FLOAT32 / ratio)
            jpeg_data = jpeg_2000_near(jpeg, original, most)
            coded = {"jpeg2000": (len(jpeg_data), jpeg.decode(jpeg_data))}
            # of a field so smooth that the finest step needs less, the file is smaller still
            data = own.encode(original, quality=100)
            data = own.encode(original, max_bytes=most) if len(data) > most else data
            coded["nic"] = (len(data), own.decode(data))
            for name, (size, decoded) in coded.items():
                found = spectrum_error(decoded, original)
                yield Spectrum(
                    picture=sample.name,
                    run=sample.source,
                    codec=name,
                    ratio=ratio,
                    bytes=size,
                    largest=found.largest,
                    at=found.at,
                    last=found.last,
                    total=found.total,
                    rms_over_deviation=float(np.std(decoded.astype(np.float64) - original) / original.std(dtype=np.float64)),
                )
                if sample is vorticity[0]:
                    arrays[f"spectrum/{name}/{ratio:g}"] = enstrophy_spectrum(decoded)


def _borders(own: Codec, vorticity: list[Sample], config: VolumesAndFieldsConfig) -> Iterator[Border]:
    """Yield the error within a block of the border over that inside: the codec does not know that fields are periodic."""
    for sample in vorticity:
        original = sample.array[..., 0]
        data = own.encode(original, bpp=config.rate_bpp)
        squares = np.square(own.decode(data).astype(np.float64) - original)
        inside = squares[BORDER:-BORDER, BORDER:-BORDER]
        border = (squares.sum() - inside.sum()) / (squares.size - inside.size)
        yield Border(picture=sample.name, ratio=float(np.sqrt(border / inside.mean())))
