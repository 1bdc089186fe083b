"""The methods text of the study: one paragraph a stage, with the parameters of what really ran."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sciml.compression.coding.symbol_choice import LAMBDA
from sciml.compression.page.published import CITED
from sciml.compression.settings.models import NETWORK_RATE
from sciml.compression.study.inspection_checks import DAMAGES
from sciml.report.methods import Paragraph
from sciml.report.words import counted, sequence

CODEC = "compression.codec"


def _codec_text(parameters: Mapping[str, Any]) -> str:
    return (
        "A picture is rotated to the principal axes of its training colours, filtered across the borders of its blocks of 16 x "
        "16 (lapping in the time domain [@tran2003]) and transformed by the DCT; every step is orthonormal. The 256 planes a "
        "channel, sorted by their energy in training, are coded one after the other, each in interlaced passes. Linear rules "
        "over what is decoded already predict the mean of the first 24 planes and, for all, the magnitude of the next symbol; "
        "later planes of chroma follow the same wave of luma by the slope that earlier waves have in the block and around it. "
        "The logarithm of the magnitude is the symbol's class; each class has its own probability table, and a range coder "
        "[@martin1979; @bamler2022] writes the symbols. Weights, sums and tables are whole numbers, so that codes do not depend "
        "on the machine. Among "
        f"zero and the two nearest whole numbers the encoder chooses the symbol of least squared error plus {LAMBDA:g} squared "
        "steps a bit. One factor of the step covers all rates. The idea to quantise what remains of a prediction, with "
        "probabilities by component, is that of a Gaussian mixture [@zhu2022]; its networks before the coder are those of the "
        "neural preset alone, and its codebooks of vectors are that preset's and those of the comparison with scalar symbols. "
        f"Published numbers of other learned codecs are from {CITED}."
    )


def _fit_text(parameters: Mapping[str, Any]) -> str:
    cut = {
        "pictures": f"of each training picture crops of {parameters['crop_size']} pixels were taken",
        "slices": f"slices became 16 bits over a window of their values, {parameters['channels']} neighbours the channels of one "
        f"picture; crops of {parameters['crop_size']} pixels were taken",
        "fields": f"each field was put in deviations from its mean; parts of {parameters['crop_size']} pixels, at random, "
        f"mirrored and turned{', over the periodic border too' if parameters['periodic'] else ''}",
    }[parameters["kind"]]
    kept = "" if parameters["kind"] == "fields" else ", those with the largest gradients of half as many more"
    crops = sequence([f"{count} at {_reduction(reduction)}" for reduction, count in parameters["crops"].items()])
    steps = ", ".join(f"{step:g}" for step in parameters["steps"])
    return (
        f"Model {parameters['domain']}: {cut} ({crops}){kept}. Colour axes and the order of the planes come from "
        "their covariances; rules by least squares and tables by counting, without any gradient step, at each of the steps "
        f"{steps} ({'a deviation' if parameters['kind'] == 'fields' else 'the range of the values'} is 1)."
    )


def _reduction(reduction: Any) -> str:
    # JSON knows keys as text alone
    return "full size" if float(reduction) == 1 else f"1/{float(reduction):g} of the size"


def _train_text(parameters: Mapping[str, Any]) -> str:
    at = ", ".join(f"{step:g}" for step in parameters["coded_at"])
    limit = parameters["cpu_minutes"]
    return (
        f"Network behind the decoder: two 3 x 3 convolutions around {counted(parameters['depth'], 'residual block')} of "
        f"{parameters['width']} channels on parts of 4 x 4 pixels, with the logarithm of the step as an input; its "
        f"output, which starts at 0, is added to the decoded picture in units of the step. It learned from crops coded at steps "
        f"around {at}, in batches of {parameters['batch']} parts of {parameters['crop_size']} pixels, in bfloat16 where the "
        "processor has matrix units for it, by Adam [@kingma2015] "
        f"at a rate of {parameters.get('rate', NETWORK_RATE):g} for up to "
        f"{parameters['steps']} steps{'' if limit is None else f' or {limit:g} CPU minutes'}; "
        "the loss is the squared error over that of the linear path, so that every rate counts alike."
    )


def _neural_text(parameters: Mapping[str, Any]) -> str:
    cascade = parameters["cascade"]
    words = ", ".join(map(str, cascade["words"]))
    if cascade["preset"] == "published":
        networks = f"the published networks with {cascade['width']} channels and {cascade['groups']} codebooks a level"
    else:
        networks = (
            "a linear path over the principal axes of blocks of 16 x 16, with branches of convolutions of "
            f"{cascade['width']} channels that start at 0, and groups of channels by variance"
        )
    rate = f" plus {LAMBDA:g} times {parameters['step']:g} squared a bit" if parameters["step"] else ""
    limit = parameters["cpu_minutes"]
    return (
        f"Neural preset, after [@zhu2022]: {networks}; codebooks of {words} words at strides 64, 32 and 16, each with one static "
        f"table of probabilities. It learned end to end on the squared error{rate}, with gradients through the choice of words "
        f"by {'Gumbel noise' if parameters['estimator'] == 'gumbel' else 'straight-through'}, by Adam [@kingma2015] at a rate of "
        f"{parameters['rate']:g} in batches of {parameters['batch']} parts of {parameters['part']} pixels for up to "
        f"{parameters['steps']} steps{'' if limit is None else f' or {limit:g} CPU minutes'}; tables were counted on the "
        "training crops at the end."
    )


def _evaluate_text(parameters: Mapping[str, Any]) -> str:
    qualities = ", ".join(f"{quality:g}" for quality in parameters["qualities"])
    if parameters["kind"] != "pictures":
        return (
            f"Every {parameters['role']} picture of {parameters['domain']} went through its model and the photo model, as grey "
            f"over its range, at the qualities {qualities}, and through JPEG 2000 in 16 bits"
            f"{', quantised over its range,' if parameters['kind'] == 'fields' else ''} at every setting"
            f"{', these two slice by slice' if parameters['channels'] > 1 else ''}. PSNR is over "
            f"{'the range of each field' if parameters['kind'] == 'fields' else '65535'}. Rates and BD-rates as for photographs."
        )
    return (
        f"Every {parameters['role']} picture of {parameters['domain']} went through every codec at every setting; ours at the "
        f"qualities {qualities}. A rate is eight times the bytes of the whole file over the pixels. PSNR is of RGB in 8 bits, "
        "all channels together; MS-SSIM [@wang2003] of R, G and B, averaged, five scales. BD-rates [@bjontegaard2001] are "
        "means over pictures, PCHIP through log rate over quality, nothing extrapolated, with a bootstrap interval "
        "[@efron1979]. Anchors are those of Pillow, every setting that changes bytes given. Times are processor seconds."
    )


def _judge_text(parameters: Mapping[str, Any]) -> str:
    measured = (
        "They were measured when the model was made; some files were made again in this run"
        if parameters["measured"] == "again"
        else "They were measured in this run, or in an earlier one with the same versions"
    )
    return (
        "Claims about quality beside other codecs are made on crops of photographs that nothing was learned from: every "
        "photograph of the list `photo-crops`, halved by means over 2 x 2 pixels in linear light, cut into disjoint parts of 768 "
        "x 512 in its middle, at most four of each, drawn by a seed. Every codec coded every crop at its settings from the last "
        "below 0.15 to the first above 1 bit a pixel. Qualities at equal rate are read from each crop's own curve, PCHIP over "
        "the logarithm of the rate; a codec whose best setting needs fewer bits stays at that one. BD-rates [@bjontegaard2001] "
        "are means over crops. Intervals are bootstraps over whole "
        f"photographs [@efron1979]. {measured}."
    )


def _compare_vectors_text(parameters: Mapping[str, Any]) -> str:
    qualities = ", ".join(f"{quality:g}" for quality in parameters["qualities"])
    return (
        "For the comparison with vectors the later planes of the scalar model were replaced by groups, each coded as a word of a "
        "codebook with entropy constraint [@chou1989]: a vector takes the word of least squared error plus the same price a bit, "
        "its class comes from a linear rule as that of a scalar symbol. Words were trained by alternating between this choice "
        "and means, from expensive bits down to their price, with mirrored vectors as further data; words that nobody chose "
        f"took half of the cell of largest error. Both kinds of models coded all {parameters['role']} pictures at the qualities "
        f"{qualities}; BD-rates are against the scalar model."
    )


def _fit_lossless_text(parameters: Mapping[str, Any]) -> str:
    crops = sequence([f"{count} at {_reduction(reduction)}" for reduction, count in parameters["crops"].items()])
    return (
        "Without loss samples are coded from a coarse lattice down in interlaced passes, each predicted from all sides by "
        "a weighted sum of differences, in whole numbers. Weights are fitted to each tile by least squares and sent where "
        "that pays. The expected size of a residual is a weighted sum of errors and differences around, by the likelihood "
        "of a Laplace distribution, and its class chooses a table of counts that goes on with the picture's own symbols. "
        f"Weights and counts to begin with come from crops of {parameters['crop_size']} pixels of the training photographs "
        f"({crops} of each). Within a bound e residuals take steps of 2 e + 1 in a closed loop."
    )


def _compare_lossless_text(parameters: Mapping[str, Any]) -> str:
    pictures = parameters["pictures"]
    which = f"up to {counted(pictures, 'picture')} of" if pictures else "every picture of"
    return (
        f"For the comparison without loss {which} each domain ({parameters['role']} data) went through ours and the others at "
        "every bound, whole files were decoded, and a file that left its bound would have ended the run. Bounds of fields are "
        "absolute, a share of the range of each. Times are processor seconds of one process."
    )


def _inspect_text(parameters: Mapping[str, Any]) -> str:
    qualities = ", ".join(f"{quality:g}" for quality in parameters["qualities"])
    return (
        f"Bits were counted at the qualities {qualities}, and every file was decoded after each of its layers. For pictures at "
        f"equal bytes, near {parameters['rate_bpp']:g} bpp, the setting of JPEG was taken to whose size those of WebP "
        "and AVIF come nearest; ours met it from below. Files were decoded again in fresh processes with one thread, with two, "
        f"and with the vector extensions of NumPy, PyTorch and the matrix library turned off. {DAMAGES} single bytes of a file "
        "were changed, one at a time."
    )


def _ablate_text(parameters: Mapping[str, Any]) -> str:
    steps, between = (", ".join(f"{step:g}" for step in parameters[key]) for key in ("steps", "between"))
    crops = sequence([f"{count} at {_reduction(reduction)}" for reduction, count in parameters["crops"].items()])
    return (
        f"Every variant was fitted at the steps {steps} to the same crops of {parameters['crop_size']} pixels of the training "
        f"pictures ({crops} of each), and coded the validation pictures at its own steps. Tables of other steps were compared "
        f"with own ones at the steps {between}, which lie between those. BD-rates are means over pictures, by monotone cubics."
    )


def _volumes_and_fields_text(parameters: Mapping[str, Any]) -> str:
    text = (
        f"Of {parameters['domain']}, {counted(parameters['pictures'], 'picture')} were coded by JPEG 2000 near "
        f"{parameters['rate_bpp']:g} bpp and by the models into as many bytes, and decoded again in fresh processes."
    )
    if parameters["kind"] == "fields":
        sizes = sequence([f"{ratio:g}" for ratio in parameters["ratios"]])
        text += (
            f" Vorticity was coded {sizes} times smaller than float32. Its enstrophy spectrum is half the sum of squared Fourier "
            "coefficients over shells of whole wavenumbers; errors are relative, up to the shell below which 99 % lies. The "
            "codec treats the border of a periodic field as that of a picture."
        )
    return text


PARAGRAPHS: dict[str, Paragraph] = {
    CODEC: _codec_text,
    "compression.fit": _fit_text,
    "compression.train": _train_text,
    "compression.train_neural": _neural_text,
    "compression.evaluate": _evaluate_text,
    "compression.judge": _judge_text,
    "compression.compare_vectors": _compare_vectors_text,
    "compression.fit_lossless": _fit_lossless_text,
    "compression.compare_lossless": _compare_lossless_text,
    "compression.inspect": _inspect_text,
    "compression.ablate": _ablate_text,
    "compression.volumes_and_fields": _volumes_and_fields_text,
    # its name in results of earlier versions
    "compression.apart": _volumes_and_fields_text,
}
