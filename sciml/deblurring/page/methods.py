"""The methods text of the study: one paragraph a stage, with the parameters of what really ran."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sciml.deblurring.page.numbers import error_words, kernel_words
from sciml.deblurring.settings.grid import RIDGE_MARGIN, WARP_MARGIN
from sciml.report.methods import Paragraph
from sciml.report.words import percent, sequence

PRIORS = {
    "tv": "total variation [@rudin1992] with the valid boundary, by alternating directions [@almeida2013]",
    "hyper-laplacian": "hyper-Laplacian gradients [@krishnan2009], valid boundary",
    "richardson-lucy": "the iteration of Richardson and Lucy [@richardson1972; @lucy1974] with unknown boundary",
    "tv-circular": "total variation as if the picture went on from its other side",
}
# errors whose size is drawn from a normal distribution
DRAWN = {
    "rotation": "a turn with deviation {} degrees",
    "scale": "a scale whose logarithm has deviation {}",
    "smoothing": "a smoothing with deviation {} px, taken positive",
}


def _simulate_text(parameters: Mapping[str, Any]) -> str:
    role = "validation" if parameters["role"] == "validation" else "test"
    boundary = (
        "valid: what lies beyond the picture blurs into it"
        if parameters["boundary"] == "valid"
        else "circular, as in the literature: an inverse crime"
    )
    noise = f"Gaussian noise of standard deviation {parameters['noise']:g}" if parameters["noise"] else "rounding to 8 bits"
    photographs, kernels, size = parameters["photographs"], parameters["kernels"], parameters["size"]
    shakes = any(kernel.startswith("shake") for kernel in kernels)
    return (
        f"Pairs {parameters['name']}: {role} photographs ({', '.join(photographs)}), {size} x {size} pixels, luminance in linear "
        f"light, were blurred with {sequence([kernel_words(kernel) for kernel in kernels], '; ')} (boundary {boundary}) and got "
        f"{noise}. Given kernels: {sequence([error_words(error) for error in parameters['errors']], '; ')}."
        f"{' Camera shakes follow a random smooth path [@boracchi2012].' if shakes else ''}"
    )


def _correct_text(parameters: Mapping[str, Any]) -> str:
    return (
        "A given kernel k\u0302 was corrected without any look at the truth. Warp: a turn, a scale and a width, three numbers, "
        "minimise the misfit of held-out pixels, 15 % in blocks of 3 x 3, that the restoration by total variation has not seen; "
        f"the kernel is kept unless the misfit falls by {percent(WARP_MARGIN, 0)}, and made no more than 1.2 times as large "
        "where it leaves hardly more than the noise unexplained, more than twice as large only for 10 % less. Kernel: ridge "
        "regression near k\u0302 on derivative images of the current restoration [@cho2009], "
        f"taken if held-out pixels are predicted {percent(RIDGE_MARGIN, 1)} better. Both: "
        "one after the other. Misfit and objective alone prefer wrong kernels [@levin2009]."
    )


def _tune_text(parameters: Mapping[str, Any]) -> str:
    tried = parameters["weights"]
    return (
        f"The weight of {parameters['prior']} was chosen for every error model out of {len(tried)} from {min(tried):.3g} to "
        f"{max(tried):.3g}, by the mean PSNR over at most {parameters['pairs']} validation pairs."
    )


def _restore_text(parameters: Mapping[str, Any]) -> str:
    named = [f"{name}: {PRIORS[name]}" for name in parameters["priors"] if name in PRIORS]
    learned = [name for name in parameters["priors"] if name not in PRIORS]
    if learned:
        named.append(
            f"{sequence(learned)}: a learned weakly convex regulariser [@goujon2024] whose prox is a network's output, by a "
            "quasi-Newton method on the same data term"
        )
    return (
        "Pictures were restored on a canvas larger than the picture by the kernel, so that nothing beyond the frame is made up: "
        f"the data term is 1/2 ||A x - y||^2 with A the valid part of the convolution. Image priors: {'; '.join(named)}. Cells "
        "named true were given the true kernel."
    )


def _evaluate_text(parameters: Mapping[str, Any]) -> str:
    return (
        "Quality is PSNR and SSIM [@wang2004] of display values with a data range of 1. At the best shift: the largest PSNR over "
        "displacements within 5 pixels in steps of a quarter, a border of 8 pixels left out, after [@nan2020]. Intervals of "
        "means are percentile bootstrap intervals of 95 % [@efron1979], 10,000 draws of pairs."
    )


def _spread_text(parameters: Mapping[str, Any]) -> str:
    parts = [part.partition(":~") for part in parameters["error"].split("+")]
    words = [DRAWN[name].format(number) if name in DRAWN else f"{name} {number}" for name, _, number in parts]
    return (
        f"Maps of spreads: {parameters['count']} kernels were drawn around that of the error model {parameters['model']} with a "
        f"stated error ({sequence(words)}), the picture was restored with each by total variation, and the standard deviation "
        "of display values was taken pixel by pixel."
    )


def _calibrate_text(parameters: Mapping[str, Any]) -> str:
    return (
        "One factor and one floor for all maps were fitted on validation pairs, so that "
        f"{percent(parameters['level'], 0)} of the pixels lie within "
        "plus or minus two spreads. Rank correlations are Spearman's, of spread and absolute error on blocks of 7 x 7 pixels."
    )


def _dip_text(parameters: Mapping[str, Any]) -> str:
    count, seeds = len(parameters["pairs"]), parameters["seeds"]
    return (
        f"On {count} test pairs, fixed beforehand, with up to {seeds} seeds: untrained networks, the published method "
        "[@tang2023]: one network makes the picture, a second one the residual that the given kernel leaves, on the same canvas "
        "and data term as all other cells."
    )


def _photo_text(parameters: Mapping[str, Any]) -> str:
    return (
        f"The photograph {parameters['photograph']} has a motion blur that nobody knows. A kernel of {parameters['kernel_size']} "
        "pixels was estimated from it, coarse to fine on strong edges [@cho2009; @xu2013], and then corrected as any given "
        "kernel. The blur index is that of Crete et al. [@crete2007]. A second photograph was resampled along a path of a camera "
        "that also turned; of it the camera's poses were estimated, from tiles all over the picture [@whyte2012; @hirsch2011]."
    )


PARAGRAPHS: dict[str, Paragraph] = {
    "deblurring.simulate": _simulate_text,
    "deblurring.correct": _correct_text,
    "deblurring.tune": _tune_text,
    "deblurring.restore": _restore_text,
    "deblurring.evaluate": _evaluate_text,
    "deblurring.spread": _spread_text,
    "deblurring.calibrate": _calibrate_text,
    "deblurring.dip": _dip_text,
    "deblurring.photo": _photo_text,
}
