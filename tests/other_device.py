"""A pretended GPU: its tensors lie on the device `meta` and have values all the same; one left on the processor is an error.

Every operation is computed on the processor by what a tensor of the pretended device wraps, so whole solvers and training steps
run to their end and give the processor's numbers. What a GPU refuses is refused: operands on two devices, a generator of the
other device, NumPy arrays of its tensors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

DEVICE = torch.device("meta")
ATEN = torch.ops.aten
# operands may lie apart here: copies, and whole numbers of the processor that choose places
APART = {ATEN.copy_.default, ATEN._to_copy.default, ATEN.index.Tensor, ATEN.index_put_.default, ATEN.index_put.default}

# views that are turned into numbers later, by a step of torch that lies above this one
EAGER: dict[Any, Any] = {ATEN._conj.default: ATEN.conj_physical.default, ATEN._neg_view.default: ATEN.neg.default}


class OnDevice(Tensor):
    """A tensor of the pretended device around one of the processor."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> OnDevice:
        """Return a tensor like `inner` that lies elsewhere."""
        strided = {"strides": inner.stride(), "storage_offset": inner.storage_offset()} if inner.layout == torch.strided else {}
        made = torch.Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype, device=DEVICE, **strided)
        made.inner = inner
        return made

    def item(self) -> Any:
        """Return its only number."""
        return self.inner.item()

    def tolist(self) -> Any:
        """Return its numbers."""
        return self.inner.tolist()

    def __bool__(self) -> bool:
        """Return its only number as a truth."""
        return bool(self.inner)

    def __float__(self) -> float:
        """Return its only number."""
        return float(self.inner)

    def __int__(self) -> int:
        """Return its only number as a whole one."""
        return int(self.inner)

    def __format__(self, form: str) -> str:
        """Return its only number as text."""
        return format(self.inner, form)

    __index__ = __int__

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run one operation."""
        return computed(func, args, dict(kwargs or {}))


class Pretending(TorchDispatchMode):
    """Makes new tensors of the pretended device, and looks at every operation."""

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run one operation."""
        return computed(func, args, dict(kwargs or {}))


class DeviceGenerator(torch.Generator):
    """A generator of the pretended device, with the draws of one of the processor."""


class Making(TorchFunctionMode):
    """Makes tensors of numbers, which torch does without an operation on `meta`; looks at whose generator draws."""

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Make a tensor on the processor and bring it over, or do what is asked."""
        kwargs = dict(kwargs or {})
        if func is Tensor.new_tensor:
            return func(args[0].inner, *args[1:], **kwargs).to(DEVICE) if isinstance(args[0], OnDevice) else func(*args, **kwargs)
        device = kwargs.get("device")
        drawn = kwargs.get("generator")
        if drawn is not None and device is not None and (torch.device(device) == DEVICE) != isinstance(drawn, DeviceGenerator):
            raise AssertionError(f"{func} on {device} with a generator of another device")
        if func not in (torch.tensor, torch.as_tensor) or device is None or torch.device(device) != DEVICE:
            return func(*args, **kwargs)
        if isinstance(args[0], Tensor):
            return args[0].to(DEVICE, kwargs.get("dtype"))
        return func(*args, **{**kwargs, "device": "cpu"}).to(DEVICE)


@contextmanager
def other_device() -> Iterator[torch.device]:
    """Give the pretended device while it is there.

    Example:
        with other_device() as device:
            network.to(device)(picture.to(device)).cpu()
    """
    before = torch.__future__.get_overwrite_module_params_on_conversion()
    # a module of another type gets new weights: those that are there cannot change what they wrap
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        with Making(), Pretending():
            yield DEVICE
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(before)


def computed(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Return what an operation gives, on the pretended device where its operands or its `device` are."""
    tensors = [item for item in tree_leaves((args, kwargs)) if isinstance(item, Tensor)]
    here = [item for item in tensors if isinstance(item, OnDevice)]
    # a number of the processor may stand beside tensors of a GPU
    apart = [item for item in tensors if not isinstance(item, OnDevice) and item.ndim]
    if here and apart and func not in APART:
        places = ", ".join(f"{tuple(item.shape)} on {item.device}" for item in tensors)
        raise AssertionError(f"{func} of tensors on several devices: {places}")
    asked = kwargs.get("device")
    there = torch.device(asked) == DEVICE if asked is not None else bool(here)
    if asked is not None:
        kwargs["device"] = torch.device("cpu")
    plain_args, plain_kwargs = tree_map_only(OnDevice, lambda item: item.inner, (tuple(args), kwargs))
    result = EAGER.get(func, func)(*plain_args, **plain_kwargs)
    own = {id(item.inner): item for item in here}

    def placed(item: Tensor) -> Tensor:
        # what an operation changed in place is what it was given
        return own[id(item)] if id(item) in own else OnDevice(item) if there else item

    return tree_map_only(Tensor, placed, result)
