"""The stages of the study: settings and inputs of each."""

from __future__ import annotations

from sciml.stages import File, declare
from sciml.studies.flow_from_images.config import (
    ArchiveConfig,
    InferConfig,
    OrientConfig,
    RenderConfig,
    ReportConfig,
    SharpenConfig,
    SimulateConfig,
)

FLOWS = File("flows.safetensors of the simulate stage.")

STAGES = {
    "simulate": declare("Simulate the flows by the kinetic theory.", SimulateConfig),
    "render": declare(
        "Render the flows as a microscope would, and read the user's movie.",
        RenderConfig,
        flows=FLOWS,
        frames=File("TIFF stack of the user's.", required=False),
    ),
    "archive": declare(
        "Send every frame through the codec and back.", ArchiveConfig, frames=File("frames.safetensors of the render stage.")
    ),
    "sharpen": declare(
        "Take the blur out of the frames.",
        SharpenConfig,
        frames=File("frames.safetensors of the archive stage."),
        kernels=File("kernels.safetensors of the render stage."),
    ),
    "orient": declare(
        "Read the order of the rods from the frames.",
        OrientConfig,
        frames=File("frames.safetensors of the sharpen stage."),
        flows=FLOWS,
    ),
    "infer": declare(
        "Infer activity and alignment, and forecast.",
        InferConfig,
        flows=FLOWS,
        weights=File("Weight file of the closure."),
        order=File("order.safetensors of the orient stage; none for the true frames.", required=False),
    ),
    "report": declare("Write the page of the study.", ReportConfig, page=True, results=File("Results folder of the study.")),
}
