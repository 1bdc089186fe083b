"""A pretended GPU: its tensors lie on the device `meta` and have values all the same; one left on the processor is an error.

Every operation is computed on the processor by what a tensor of the pretended device wraps, so whole solvers and training steps
run to their end and give the processor's numbers. What a GPU refuses is refused: operands on two devices, a generator of the
other device, NumPy arrays of its tensors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

DEVICE = torch.device("meta")
ATEN = torch.ops.aten
MAKERS = (torch.tensor, torch.as_tensor)
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

    @property
    def device(self) -> torch.device:
        """Where it is said to be."""
        return DEVICE


class Making(TorchFunctionMode):
    """Looks at whose generator draws, and makes tensors like another of numbers."""

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Do what is asked."""
        kwargs = dict(kwargs or {})
        if func is Tensor.new_tensor and isinstance(args[0], OnDevice):
            return func(args[0].inner, *args[1:], **kwargs).to(DEVICE)
        if (drawn := kwargs.get("generator")) is not None:
            lies = args[0].device if args and isinstance(args[0], Tensor) else torch.device(kwargs.get("device") or "cpu")
            if (lies == DEVICE) != isinstance(drawn, DeviceGenerator):
                raise AssertionError(f"{func} on device {lies} with a generator of another device")
        return func(*args, **kwargs)


def brought_over(make: Any) -> Any:
    """Return `torch.tensor` or `torch.as_tensor` for the pretended device too: torch makes none of numbers on `meta`."""

    def made(data: Any, *args: Any, device: Any = None, **kwargs: Any) -> Tensor:
        if device is None or torch.device(device) != DEVICE:
            return make(data, *args, device=device, **kwargs)
        return data.to(DEVICE, *args, **kwargs) if isinstance(data, Tensor) else make(data, *args, **kwargs).to(DEVICE)

    return made


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
        with Making(), Pretending(), patch.multiple(torch, **{make.__name__: brought_over(make) for make in MAKERS}):
            yield DEVICE
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(before)


def plain(item: Any, found: list[Tensor]) -> Any:
    """Return what is computed with on the processor; notes the tensors among it."""
    if isinstance(item, Tensor):
        found.append(item)
        return item.inner if isinstance(item, OnDevice) else item
    # the arguments of an operation are nested in lists alone
    return type(item)(plain(one, found) for one in item) if type(item) in (list, tuple) else item


def computed(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Return what an operation gives, on the pretended device where its operands or its `device` are."""
    tensors: list[Tensor] = []
    plain_args = [plain(one, tensors) for one in args]
    plain_kwargs = {name: plain(one, tensors) for name, one in kwargs.items()}
    here = [item for item in tensors if isinstance(item, OnDevice)]
    # a number of the processor may stand beside tensors of a GPU
    if here and func not in APART and any(not isinstance(item, OnDevice) and item.ndim for item in tensors):
        places = ", ".join(f"{tuple(item.shape)} on {item.device}" for item in tensors)
        raise AssertionError(f"{func} of tensors on several devices: {places}")
    asked = kwargs.get("device")
    there = torch.device(asked) == DEVICE if asked is not None else bool(here)
    if asked is not None:
        plain_kwargs["device"] = torch.device("cpu")
    result = EAGER.get(func, func)(*plain_args, **plain_kwargs)
    own = {id(item.inner): item for item in here}

    def placed(item: Any) -> Any:
        if not isinstance(item, Tensor):
            return type(item)(map(placed, item)) if type(item) in (list, tuple) else item
        # what an operation changed in place is what it was given
        return own[id(item)] if id(item) in own else OnDevice(item) if there else item

    return placed(result)
