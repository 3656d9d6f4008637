"""MuJoCo's own contact frames for capsules on a plane, in MuJoCo Warp.

MuJoCo points the first tangent of such a contact along the capsule, however steep it stands. Warp
takes another one for capsules steeper than 60 degrees (google-deepmind/mujoco issue 2774), one
that is not even orthogonal to every normal. Friction depends on the tangents, because its cone is
a pyramid on them, so after one environment step velocities differ from MuJoCo's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import Any

import warp
from mujoco_warp import GeomType
from mujoco_warp._src import collision_primitive
from mujoco_warp._src.collision_primitive import plane_capsule as stock
from mujoco_warp._src.collision_primitive_core import mat23f


@warp.func  # type: ignore[untyped-decorator]
def along_the_capsule(
    plane_normal: warp.vec3,
    plane_pos: warp.vec3,
    capsule_pos: warp.vec3,
    capsule_axis: warp.vec3,
    capsule_radius: float,
    capsule_half_length: float,
) -> tuple[warp.vec2, mat23f, warp.mat33]:
    """Distances, positions and frame of the two contacts of a capsule with a plane."""
    dist, pos, _ = stock(
        plane_normal, plane_pos, capsule_pos, capsule_axis, capsule_radius, capsule_half_length
    )
    n = plane_normal
    tangent = capsule_axis - n * warp.dot(n, capsule_axis)
    length = warp.length(tangent)
    # MuJoCo's x axis where the capsule is upright to the last bit and points nowhere.
    tangent = warp.where(length > 1e-6, tangent / length, warp.vec3(1.0, 0.0, 0.0))
    # Once more, because the difference of two nearly equal vectors keeps few digits.
    tangent = warp.normalize(tangent - n * warp.dot(n, tangent))
    return dist, pos, warp.matrix_from_rows(n, tangent, warp.cross(n, tangent))


def _wrapper() -> Any:
    """Warp's function for this pair of shapes, where it calls ours instead of its own."""
    theirs = collision_primitive.plane_capsule_wrapper.func
    names = theirs.__globals__ | {"plane_capsule": along_the_capsule}
    own = FunctionType(theirs.__code__, names, theirs.__name__)
    own.__annotations__ = theirs.__annotations__
    own.__module__ = __name__
    return warp.func(own)


_CORRECTED = _wrapper()


@contextmanager
def as_mujoco_has_them() -> Iterator[None]:
    """Whatever MuJoCo Warp simulates or captures meanwhile has MuJoCo's contact frames."""
    table, pair = collision_primitive._PRIMITIVE_COLLISIONS, _pair()
    theirs, table[pair] = table[pair], _CORRECTED
    try:
        yield
    finally:
        table[pair] = theirs


def _pair() -> tuple[GeomType, GeomType]:
    return GeomType.PLANE, GeomType.CAPSULE
