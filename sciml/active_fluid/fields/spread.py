"""Fields over several devices, along x or along their moments, without a device that holds them whole.

XLA gathers an array before it transforms it. Here each device transforms what it has. Moments are apart from each other in a
transform. Along x a transform is one along y, an exchange of all with all after which each device has all x of some waves, and
one along x, so that coefficients lie over the devices along their waves of y:

    (..., x/D, y)  --F_y-->  (..., x/D, k_y)  --all to all-->  (..., x, k_y/D)  --F_x-->  (..., k_x, k_y/D)

The mesh is that of JAX's context, `jax.set_mesh`, and its axis has the name `x` or `moment`. The solvers' pure functions set it
by what they are given.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, NamedTuple, TypeVar

import jax
import numpy as np
from jax import Array
from jax.core import Tracer
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Complex

from sciml.runtime.errors import ConfigError

SPACE, MOMENTS = "x", "moment"
Method = TypeVar("Method", bound=Callable[..., Any])
Stack = Complex[Array, "*stack points points"]


class Placed(NamedTuple):
    """Where an array lies.

    Attributes:
        sharding: over a mesh whose axis has one of the names above.
        given: the sharding that it came with.
    """

    sharding: NamedSharding
    given: NamedSharding


def place_of(tree: Any) -> Placed | None:
    """Return where the first array of a tree lies, or None where it is on one device or traced.

    Raises:
        ConfigError: it lies over devices along more than one axis, or along one that is neither x, y nor the moments; or it is
            traced on a mesh whose axes are explicit.
    """
    leaf = next(iter(jax.tree.leaves(tree)), None)
    if (
        isinstance(leaf, Tracer)
        and leaf.to_concrete_value() is None
        and any(part is not None for part in jax.typeof(leaf).sharding.spec)
    ):
        raise ConfigError(
            "moments over the devices of a mesh with explicit axes, traced: make the mesh with "
            f"axis_types=(jax.sharding.AxisType.Auto,) and the axis {SPACE!r} or {MOMENTS!r}, and set it by jax.set_mesh"
        )
    # what jax.grad differentiates has a value beneath, what jax.jit compiles has none
    value = leaf.to_concrete_value() if isinstance(leaf, Tracer) else leaf
    if not isinstance(value, Array) or not isinstance(value.sharding, NamedSharding):
        return None
    given = value.sharding
    along = {at - value.ndim: name for at, name in enumerate(given.spec) if name not in (None, ())}
    if given.is_fully_replicated or not along:
        return None
    (at, name), *others = along.items()
    if others or not isinstance(name, str) or at < -3:
        raise ConfigError(f"moments over devices as {given.spec}: one axis of the mesh goes along x, or along the moments")
    new = MOMENTS if at == -3 else SPACE
    names = tuple(new if one == name else f"other {one}" if one == new else one for one in given.mesh.axis_names)
    mesh = Mesh(np.asarray(given.mesh.devices), names, axis_types=(AxisType.Auto,) * len(names))
    spec = PartitionSpec(*(new if one == name else None for one in given.spec))
    return Placed(NamedSharding(mesh, spec), given)


def spread(method: Method) -> Method:
    """Return a method of a solver that keeps moments over the devices that they come on, and so an array that it returns.

    It raises what `place_of` does, and ConfigError where a shear or strain moves the box.
    What `jax.jit` compiles does not say where it lies: there the mesh of the context counts.
    """

    @wraps(method)
    def placed(self: Any, moments: Any, *rest: Any, **more: Any) -> Any:
        place = place_of(moments)
        if place is None:
            return method(self, moments, *rest, **more)
        if getattr(getattr(self, "forcing", None), "moves", False):
            raise ConfigError("the box of an imposed shear or strain moves: its moments have to lie on one device")
        # a state of the stepper lies there already
        here = jax.device_put(moments, place.sharding) if isinstance(moments, Array) else moments
        with jax.sharding.use_abstract_mesh(place.sharding.mesh.abstract_mesh):
            found = method(self, here, *rest, **more)
        if not (isinstance(moments, Array) and isinstance(found, Array)):
            return found
        spec = [*place.given.spec, *[None] * (moments.ndim - len(place.given.spec))]
        return jax.device_put(found, NamedSharding(place.given.mesh, PartitionSpec(*[None] * (found.ndim - moments.ndim), *spec)))

    return placed  # pyright: ignore[reportReturnType]


def transformed(field: Stack, along: Callable[..., Array], whole: Callable[[Array], Array], forward: bool) -> Stack:
    """Return a transform over the last two axes of fields that may lie over devices.

    Args:
        field: fields, or coefficients.
        along: transform along one axis.
        whole: the same over both axes, of what is on one device.
        forward: whether fields become coefficients.
    """
    mesh = jax.sharding.get_abstract_mesh()
    axes = dict(zip(mesh.axis_names, mesh.axis_types, strict=True))
    if axes.get(SPACE) == AxisType.Auto:
        return _pencils(field, along, forward)
    if axes.get(MOMENTS) == AxisType.Auto and field.ndim > 2:
        return _apart(field, whole)
    return whole(field)


@partial(jax.jit, static_argnames=("along", "forward"))
def _pencils(field: Stack, along: Callable[..., Array], forward: bool) -> Stack:
    x, y = field.ndim - 2, field.ndim - 1
    first, last = (y, x) if forward else (x, y)

    def local(part: Array) -> Array:
        exchanged = jax.lax.all_to_all(along(part, axis=first), SPACE, split_axis=first, concat_axis=last, tiled=True)
        return along(exchanged, axis=last)

    return jax.shard_map(local, in_specs=_spec(field.ndim, last, SPACE), out_specs=_spec(field.ndim, first, SPACE))(field)


@partial(jax.jit, static_argnames="whole")
def _apart(field: Stack, whole: Callable[[Array], Array]) -> Stack:
    spec = _spec(field.ndim, field.ndim - 3, MOMENTS)
    return jax.shard_map(whole, in_specs=spec, out_specs=spec)(field)


def _spec(count: int, at: int, name: str) -> PartitionSpec:
    return PartitionSpec(*(name if axis == at else None for axis in range(count)))
