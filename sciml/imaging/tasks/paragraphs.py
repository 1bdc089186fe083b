"""The methods text of what every study of a task does: one paragraph a stage, with the parameters of what really ran."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sciml.imaging.tasks.catalogue import BUILT_IN, METHODS, TASKS, is_installed


def _measure_text(parameters: Mapping[str, Any]) -> str:
    task, size = parameters["task"], parameters["size"]
    options = {key: _values(parameters["variants"], key, default) for key, default in TASKS[task].defaults.items()}
    sentence = _PHYSICS[task].format(**options)
    where = f"{TASKS[task].title} ({size[0]} x {size[1]} pixels; data {', '.join(parameters['data'])})"
    variants = "; ".join(
        f"{label} ({', '.join(f'{key} {_plain(value)}' for key, value in chosen.items()) or 'as it stands'})"
        for label, chosen in parameters["variants"].items()
    )
    return f"{where}: {sentence} Variants: {variants}. Operators follow the conventions of deepinv [@tachella2025]."


_PROJECTOR = (
    "slices in the window [-1000, 1000] HU were projected along parallel beams, {views} views over {range_degrees} degrees, by "
    "Joseph's method [@joseph1982] as a matrix of unit norm; Gaussian noise of {noise} of the sinogram's maximum was added."
)
_PHYSICS = {
    "denoise": "white Gaussian noise of standard deviation {sigma} was added to grey photographs.",
    "deblur": "photographs were convolved with a known kernel ({kernel}, {kernel_size} pixels), only pixels whose whole "
    "neighbourhood was inside the picture were kept [@almeida2013], and noise of {sigma} was added; camera-shake kernels follow "
    "a random smooth path [@boracchi2012].",
    "ct-sparse": _PROJECTOR,
    "ct-limited": _PROJECTOR,
    "mri-cs": "magnitude slices were given a smooth random phase, Fourier transformed and sampled on fixed random Cartesian "
    "lines, acceleration {acceleration}, a fraction of {centre_fraction} at the centre [@lustig2007]; complex Gaussian noise of "
    "{noise} of the largest magnitude was added.",
    "inpaint": "a random fraction of {keep} of the pixels was kept and Gaussian noise of {sigma} added to them.",
}


def _values(variants: Mapping[str, Mapping[str, Any]], key: str, default: Any) -> str:
    """Return the values of an option over the variants, each once, as text."""
    values = dict.fromkeys(options.get(key, default) for options in variants.values())
    return ", ".join(_plain(value) for value in values)


def _plain(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _tune_text(parameters: Mapping[str, Any]) -> str:
    return (
        "The one parameter of every method was chosen on validation data: from the middle of a fixed grid the best neighbour by "
        "mean PSNR was followed until none was better; the value found was refined once by a parabola in the logarithm."
    )


def _solve_text(parameters: Mapping[str, Any]) -> str:
    names = [name for name in parameters["methods"] or METHODS if name in METHODS and is_installed(METHODS[name])]
    extras = [BUILT_IN[name] for name in names if name in BUILT_IN and BUILT_IN[name].package]
    plugins = [METHODS[name] for name in names if name not in BUILT_IN]
    told = [f" {one.title} [@{one.citation}] is that of the package {one.package}." for one in extras]
    told += [f" {one.title}{one.citation and f' ({one.citation})'} is a plugin's." for one in plugins]
    return (
        "Total variation [@rudin1992] was solved by ADMM [@boyd2011] with a preconditioned inner solve, for denoising by fast "
        "dual projection [@beck2009tv]; wavelet sparsity [@donoho1995] by FISTA with restart [@beck2009]. Wiener [@wiener1949] "
        "and Richardson-Lucy [@richardson1972; @lucy1974] deconvolution and non-local means [@buades2005] are scikit-image's "
        "[@vanderwalt2014]; filtered back-projection uses the band-limited ramp [@kak1988]; zero filling is the adjoint "
        f"[@lustig2007].{''.join(told)}"
    )


def _evaluate_text(parameters: Mapping[str, Any]) -> str:
    return f"Quality is PSNR and SSIM [@wang2004] with a data range of {parameters['data_range']:g}."


PARAGRAPHS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "imaging.measure": _measure_text,
    "imaging.tune": _tune_text,
    "imaging.solve": _solve_text,
    "imaging.evaluate": _evaluate_text,
}
"""Writers of a stage's paragraph by its name; a page that shows these stages registers them."""
