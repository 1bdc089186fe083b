"""What trains and solves on a GPU: on another device it gives the processor's numbers, and leaves no tensor behind."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import torch
from device_cases import CASES, PICTURE, Computed
from other_device import OnDevice, other_device
from torch import Tensor, nn

import sciml

for family in ("imaging", "proximal", "deblurring", "progression", "compression"):
    import_module(f"device_cases.{family}")


def found(compute: Computed, device: torch.device) -> list[Tensor]:
    """Return the results of a computation."""
    results = compute(device)
    return [one.detach() for one in ([results] if isinstance(results, Tensor) else results)]


def test_a_tensor_that_was_left_behind_is_found():
    picture = PICTURE.clone()
    with other_device() as device:
        there = picture.to(device)
        assert float(there.sum()) == float(picture.sum()) and torch.equal((there * 2).cpu(), picture * 2)
        for wrong in (
            lambda: there + picture,
            lambda: nn.functional.conv2d(there, torch.ones(1, 1, 3, 3)),
            lambda: nn.Conv2d(1, 1, 3)(there),
            lambda: torch.randn(3, device=device, generator=torch.Generator()),
        ):
            with pytest.raises(AssertionError, match="device"):
                wrong()
        with pytest.raises(RuntimeError, match="numpy"):
            there.numpy()


SLOW = {"photograph_and_kernel", "learned_prior_of_an_image_step", "kernels", "scaled_operator", "explicit_frame"}


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in CASES])
def test_the_other_device_gives_the_numbers_of_the_processor(name):
    here = found(CASES[name], torch.device("cpu"))
    with other_device() as device:
        there = found(CASES[name], device)
        assert all(isinstance(one, OnDevice) for one in there)
        for one, other in zip(there, here, strict=True):
            assert torch.equal(one.cpu(), other)


ROOMS = (
    *("imaging/operators", "imaging/solvers", "imaging/priors.py"),
    *(f"proximal/{room}" for room in ("networks", "potentials", "optimise", "reconstruction", "learning", "plugins")),
    *(f"deblurring/{room}" for room in ("solvers", "correction", "dip")),
    *("progression/networks", "progression/forecasting", "compression/coding", "compression/fitting", "compression/neural"),
)
TENSORS = re.compile(r"\b(Tensor|Images|Volume|Latent|Points|Picture|Canvas|CanvasImage)\b")
# what starts, reads or checks networks and kernels on the processor, wherever they go then
HERE = (
    "compression/neural/start.py:",
    "deblurring/correction/blind_steps.py:",
    "deblurring/correction/coarse_to_fine.py:",
    "deblurring/correction/estimate.py:",
    "deblurring/dip/objective.py:unsaturated",
    "progression/networks/convert.py:",
    "progression/networks/self_check.py:",
)
# other runs of these: a schedule of trainings, a fit that goes on from its checkpoint, a package that is not installed, and what
# takes no number of its tensors
LEFT = {
    "deblurring/dip/state.py:_part",
    "deblurring/dip/stopping.py:CombinedRule.restore",
    "imaging/solvers/classical.py:bm3d",
    "progression/forecasting/pair_predictions.py:predict_pairs",
    "proximal/learning/curriculum.py:as_given",
    "proximal/networks/loading.py:parts",
}


def takes_tensors(of: ast.FunctionDef) -> bool:
    """Say whether a function computes with tensors that it is given: what only declares a method has nothing to run."""
    body = [line for line in of.body if not (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))]
    if (
        not body
        or isinstance(body[0], ast.Raise)
        or of.name == "__init__"
        or any("abstractmethod" in ast.unparse(one) for one in of.decorator_list)
    ):
        return False
    given = [ast.unparse(one.annotation) for one in (*of.args.args, *of.args.kwonlyargs) if one.annotation]
    return any(TENSORS.search(text) and not text.startswith("Callable") for text in given)


def functions(tree: ast.AST, within: str = "") -> Iterator[tuple[str, ast.FunctionDef]]:
    """Yield the functions of a module with their qualified names, those of classes and of functions too."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef):
            yield within + node.name, node
            yield from functions(node, f"{within}{node.name}.<locals>.")
        else:
            yield from functions(node, f"{within}{node.name}." if isinstance(node, ast.ClassDef) else within)


@pytest.mark.slow
def test_every_network_loss_operator_and_solver_step_runs_on_the_other_device():
    package = Path(sciml.__file__).parent
    wanted = set()
    for room in ROOMS:
        place = package / room
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            found = {name for name, one in functions(ast.parse(path.read_text())) if takes_tensors(one)}
            wanted |= {f"{path.relative_to(package)}:{name}" for name in found}
    ran: set[str] = set()

    def holds(value: Any) -> bool:
        if isinstance(value, list | tuple | dict):
            return any(map(holds, value.values() if isinstance(value, dict) else value))
        return isinstance(value, OnDevice) or any(isinstance(one, OnDevice) for one in getattr(value, "__dict__", {}).values())

    def note(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(str(package)):
            name = f"{Path(code.co_filename).relative_to(package)}:{code.co_qualname}"
            if name in wanted and name not in ran and any(map(holds, frame.f_locals.values())):
                ran.add(name)

    with other_device() as device:
        sys.settrace(note)
        try:
            for compute in CASES.values():
                compute(device)
        finally:
            sys.settrace(None)
    assert wanted >= LEFT
    assert not ran & LEFT
    left = {name for name in wanted - ran - LEFT if not name.startswith(HERE)}
    assert not left, "\n".join(sorted(left))
