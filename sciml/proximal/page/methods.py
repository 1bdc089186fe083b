"""The methods text of the study: one paragraph a stage, with the parameters of what really ran."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sciml.imaging.tasks.paragraphs import PARAGRAPHS as TASK_PARAGRAPHS
from sciml.report.methods import Paragraph
from sciml.report.words import sequence

DOMAINS = {"photo-grey": "grey photographs", "photo-colour": "colour photographs", "ct": "CT slices", "mri": "MR slices"}
TASKS = {"denoise": "to remove noise", "deblur": "to deblur", "ct": "to reconstruct CT", "mri": "to reconstruct MR"}
FORMS = {
    "weakly-convex": "a weakly convex regulariser [@goujon2024] of grouped filter responses [@charbonnier1997]; its prox is "
    "solved for",
    "guide": "a residual convolutional network that chooses the thresholds of a trained regulariser position by position",
    "frame": "a convex potential that attenuates grouped frame coefficients",
    "convolutional": "a convolutional input-convex potential [@amos2017]",
    "published": "the published input-convex potential [@fang2024; @amos2017]",
    "residual": "a plain residual network [@zhang2017], no prox",
    "gradient_step": "a gradient-step network [@hurault2022], no prox",
}


def _train_text(parameters: Mapping[str, Any]) -> str:
    kind, task = parameters["network"]["kind"], parameters["task"]
    low, high = parameters["sigma_range"]
    words = ", for the fixed network" if kind == "guide" else ", from the weights of"
    start = f"{words} {parameters['start_from']}" if parameters.get("start_from") else ""
    through = ""
    if kind in ("weakly-convex", "guide"):
        through = (
            " The gradient is that of the solution, by implicit differentiation [@chen2014]: one linear system by conjugate "
            f"gradients, after {sequence(parameters['schedule']['solver_steps'])} gradients of the solver in the phases of the "
            "training."
        )
    return (
        f"{parameters['name']}: {FORMS[kind]}, trained {TASKS[task]} of {DOMAINS[parameters['domain']]}{start}, "
        f"noise {low:g} to {high:g}, {parameters['steps']} steps at most of {parameters['batch_size']} crops of "
        f"{parameters['crop_size']} pixels, squared error, Adam [@kingma2015] with a cosine, averaged weights.{through}"
    )


def _restore_text(parameters: Mapping[str, Any]) -> str:
    guided = (
        " With a guide the thresholds were read off a first, rough solution and fixed for the second, which is the one reported."
        if any(name.endswith("-guided") for name in parameters["networks"])
        else ""
    )
    further = " Three times the gradients were added to see what they change." if parameters["drift"] else ""
    return (
        "Networks that are a prox minimised F(x) = 1/2 ||A x - y||^2 + w (sigma_n / sigma)^2 R_sigma(x): "
        "the implicit form by preconditioned quasi-Newton steps with a safeguard that never lets F rise [@absil2005], the "
        "explicit form by proximal gradients with step below 1 / ||A||^2 [@fang2024; @attouch2013], "
        f"to a relative residual of {parameters['tolerance']:g} or {parameters['iterations']} gradients. The last iterate is "
        f"reported.{guided}{further}"
    )


def _evaluate_text(parameters: Mapping[str, Any]) -> str:
    return f"Quality is PSNR and SSIM [@wang2004] with a data range of {parameters['data_range']:g}."


def _certify_text(parameters: Mapping[str, Any]) -> str:
    size = parameters["size"]
    return (
        f"Invariants of every network were measured in double precision on images of {size} x {size} pixels: a map is a prox if "
        "and only if it is the gradient of a convex function [@gribonval2020], so its Jacobian must be symmetric and positive, "
        "no competitor may have a lower prox objective [@moreau1965], and proximal gradients must descend."
    )


def _toy_text(parameters: Mapping[str, Any]) -> str:
    return (
        f"Networks of one and two dimensions learned priors with a known answer: {_stages(parameters['schedule'])}, "
        f"{parameters['batch_size']} Sobol samples a step, {len(parameters['seeds'])} networks of different seeds on the "
        "Laplace prior. The exact minimiser of the matching loss at gamma is the mode of the posterior smoothed by a Gaussian "
        "of standard deviation gamma sqrt(n / 2) in n dimensions, computed by quadrature."
    )


def _digits_text(parameters: Mapping[str, Any]) -> str:
    return (
        f"The published network [@fang2024] with {parameters['width']} channels learned {parameters['digits']} [@alpaydin1998] "
        f"at sigma {parameters['sigma']:g}: {_stages(parameters['schedule'])}. R of {parameters['test_digits']} test digits at "
        "most was found by inverting the network, that is by minimising psi(y) - <x, y> with Newton's method in double precision."
    )


def _prior_text(parameters: Mapping[str, Any]) -> str:
    return (
        f"R at sigma {parameters['sigma']:g} was followed on {parameters['photographs']} test photographs at most, and CT slices "
        "were told from those of a head by R. The posterior covariance is sigma^2 times the Jacobian of a network trained on the "
        "squared error [@efron2011]: leading directions by Lanczos' method, pixel variances by random probes on sparse grids."
    )


def _colour_text(parameters: Mapping[str, Any]) -> str:
    levels = sequence([f"{sigma:g}" for sigma in parameters["sigmas"]])
    return (
        f"The centres ({parameters['size']} x {parameters['size']} pixels) of at most {parameters['photographs']} colour test "
        f"photographs were denoised at sigma {levels}: by the colour network, by the grey network on each channel alone, by "
        "total variation of each channel [@chambolle2004] and of all channels together [@bresson2008; @beck2009tv], and by "
        "non-local means [@buades2005] on colour patches. The classical parameters are those with the best mean PSNR on "
        "validation photographs, sought for each level in steps of sqrt(2) and refined by a parabola."
    )


def _stages(schedule: Sequence[Mapping[str, Any]]) -> str:
    """Return a schedule in words."""
    names = {"l1": "absolute error", "mse": "squared error"}
    words = []
    for stage in schedule:
        name = f"matching at gamma {stage['gamma']:g}" if stage["gamma"] is not None else names[stage["loss"]]
        words.append(f"{name} for {stage['steps']} steps")
    return sequence(words)


PARAGRAPHS: dict[str, Paragraph] = {
    # measurements and classical methods are those of every study of a task
    **TASK_PARAGRAPHS,
    "proximal.train": _train_text,
    "proximal.restore": _restore_text,
    "proximal.evaluate": _evaluate_text,
    "proximal.certify": _certify_text,
    "proximal.toy": _toy_text,
    "proximal.digits": _digits_text,
    "proximal.prior": _prior_text,
    "proximal.colour": _colour_text,
}
