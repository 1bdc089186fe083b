"""The stages of the study: settings and inputs of each."""

from __future__ import annotations

from sciml.proximal.config import (
    AblateConfig,
    CertifyConfig,
    ColourConfig,
    DigitsConfig,
    EvaluateConfig,
    PageConfig,
    PriorConfig,
    RestoreConfig,
    TheoryConfig,
    ToyConfig,
)
from sciml.proximal.settings.models import TrainConfig
from sciml.stages import File, Files, declare

MEASUREMENTS = File("measurements.safetensors of the measure stage of imaging.")
WEIGHTS = Files("Weight file of a network, in the order of the settings.")

STAGES = {
    "train": declare(
        "Learn one network; a stopped run goes on.",
        TrainConfig,
        gpu=True,
        start=File("Weight file that the network goes on from, where its settings name one.", required=False),
    ),
    "restore": declare(
        "Reconstruct the test data of one task with learned networks.",
        RestoreConfig,
        gpu=True,
        measurements=MEASUREMENTS,
        weights=WEIGHTS,
    ),
    "evaluate": declare(
        "Compute PSNR and SSIM of learned and classical reconstructions of every task.",
        EvaluateConfig,
        results=File("Results folder of the study, that measurements and reconstructions lie in."),
    ),
    "certify": declare("Check the invariants of every network.", CertifyConfig, weights=WEIGHTS),
    "theory": declare("Study small networks on priors that are known or can be seen: toy, then digits.", TheoryConfig),
    "toy": declare("Learn analytic priors in one and two dimensions and compare with quadrature.", ToyConfig),
    "digits": declare("Learn a prior of handwritten digits and follow it along noise, blur and mixing.", DigitsConfig),
    "prior": declare(
        "Study trained priors: R on test pictures, detection, posterior covariance, a wrong noise level.",
        PriorConfig,
        gpu=True,
        photo=File("Weight file of the network for photographs."),
        ct=File("Weight file of the network for CT."),
    ),
    "colour": declare(
        "Denoise test photographs in colour, beside a grey network on each channel and tuned classical methods.",
        ColourConfig,
        gpu=True,
        colour=File("Weight file of the network for colour photographs."),
        grey=File("Weight file of the network for grey ones, which takes each channel alone."),
    ),
    "report": declare("Write the page of the study.", PageConfig, page=True, results=File("Results folder of the study.")),
    "ablate": declare("Compare networks of other designs on validation data.", AblateConfig, gpu=True, weights=WEIGHTS),
    "ablate_report": declare(
        "Write the page of the comparison of design choices.",
        PageConfig,
        page=True,
        table=File("ablations.json of the ablate stage, with its provenance.json beside it."),
    ),
    "publish": declare(
        "Copy finished networks into the package, each with its model card.",
        None,
        weights=Files("Weight file of a network, from the folder of its training."),
    ),
}
