"""What the stages of a task write as JSON and pages read.

PSNR is in dB, SSIM at most 1. A number that is infinite or undefined, such as the PSNR of an exact reconstruction, is None.
"""

from __future__ import annotations

from sciml.runtime.results import Result


class Quality(Result):
    """A metric over pictures: mean, sample standard deviation, number of pictures."""

    mean: float | None
    std: float | None
    n: int


class Scores(Quality):
    """A metric of a method: over the test pictures and of each, with its unit; `direction` is `up` where more is better."""

    unit: str
    direction: str
    values: list[float | None]


class ScoreRow(Result):
    """A method on a variant of a task, in `metrics.json`.

    Attributes:
        task: registered name.
        variant: label of the variant.
        order: index of the variant.
        method: name of the classical method or of the network.
        cases: names of the test pictures, in the order of the values.
        psnr, ssim: the two metrics.
    """

    task: str
    variant: str
    order: int
    method: str
    cases: list[str]
    psnr: Scores
    ssim: Scores


class CurvePoint(Result):
    """A value of a method's parameter and the mean PSNR that it gives on validation pictures."""

    value: float
    psnr_db: float | None


class TunedParameter(Result):
    """The parameter of a method on a variant, in `parameters.json`.

    Attributes:
        value: the best on validation pictures.
        parameter: what it is, in words.
        bracketed: whether lower and higher values were worse.
        curve: every value that was tried, ascending.
        cases: names of the validation pictures.
    """

    value: float
    parameter: str
    bracketed: bool
    curve: list[CurvePoint]
    cases: list[str]


Parameters = dict[str, dict[str, TunedParameter]]
"""By variant and method."""


class Part(Result):
    """Names of the pictures of one role, and the place of each slice along its volume in mm; None for a picture."""

    cases: list[str]
    positions_mm: list[float | None]


class Variant(Result):
    """A variant of a task, in the metadata of `measurements.safetensors`.

    Attributes:
        label: name in tables.
        name: of the task.
        options: options of the task.
        seed: of everything random in its physics.
        size: height and width of the pictures, in pixels.
        validation, test: which pictures.
    """

    label: str
    name: str
    options: dict[str, float | int | str]
    seed: int
    size: tuple[int, int]
    validation: Part
    test: Part


class OperatorCheck(Result):
    """A certificate of an operator: it holds where the value is at most the tolerance."""

    name: str
    value: float | None
    tolerance: float
    passed: bool
    explanation: str


class BackProjection(Result):
    """PSNR of noiseless filtered back-projection of a real slice, by scikit-image and by this package."""

    views: int
    scikit_image_db: float | None
    ours_db: float | None


class Denoised(Result):
    """PSNR on nine test crops at sigma 0.1: total variation with the truth's best weight, non-local means as it is."""

    tv: Quality
    nlm: Quality


class Checks(Result):
    """What `checks.json` holds.

    Attributes:
        checks: certificates of all operators.
        fbp_reference: one a number of views; None where the slice is not in the data tier.
        fbp_reference_data: the slice.
        denoise_reference: None where the data tier or the size of the check has not the nine crops.
    """

    checks: list[OperatorCheck]
    fbp_reference: list[BackProjection] | None
    fbp_reference_data: str
    denoise_reference: Denoised | None
