"""Drawing the present state of an environment, without a screen."""

from __future__ import annotations

from typing import Any, Protocol

import gymnasium as gym
import mujoco
import numpy as np
from numpy.typing import NDArray

from gail import gl
from gail.gl import RenderingError
from gail.movies import Picture, fit
from gail.playing import make, uses_mujoco


class Painter(Protocol):
    """Draws the present state of an environment."""

    def paint(self, env: gym.Env[Any, Any]) -> Picture:
        """A square picture."""

    def close(self) -> None:
        """Free what drawing needs."""


class MujocoPainter:
    """Draws any environment that holds a MuJoCo ``model`` and ``data``.

    Args:
        env: one of the environments to draw; all must be of the same task.
        size: width and height in pixels.

    Raises:
        RenderingError: if no OpenGL works.
    """

    def __init__(self, env: gym.Env[Any, Any], size: int) -> None:
        bare: Any = env.unwrapped
        self.model = bare.model
        self.model.vis.global_.offwidth = max(self.model.vis.global_.offwidth, size)
        self.model.vis.global_.offheight = max(self.model.vis.global_.offheight, size)
        self.gl = gl.context(size)
        try:
            self.context = mujoco.MjrContext(self.model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
        except mujoco.FatalError as error:
            raise RenderingError(f"OpenGL cannot draw {size} x {size} pixels: {error}.") from error
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self.context)
        self.scene = mujoco.MjvScene(self.model, maxgeom=2000)
        for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION):
            self.scene.flags[flag.value] = 0
        self.camera = _camera(bare)
        self.floors = _floors(self.model) if self.camera.fixedcamid >= 0 else {}
        self.view = mujoco.MjrRect(0, 0, size, size)
        self.size = size

    def paint(self, env: gym.Env[Any, Any]) -> Picture:
        """Draw the environment's state, seen from the task's tracking camera."""
        bare: Any = env.unwrapped
        self.gl.make_current()  # another painter may have drawn in between
        mujoco.mjv_updateScene(
            self.model,
            bare.data,
            mujoco.MjvOption(),
            mujoco.MjvPerturb(),
            self.camera,
            mujoco.mjtCatBit.mjCAT_ALL.value,
            self.scene,
        )
        self._bring_floor(bare.data.xpos[1, :2])
        mujoco.mjr_render(self.view, self.scene, self.context)
        pixels: Picture = np.empty((self.size, self.size, 3), np.uint8)
        mujoco.mjr_readPixels(pixels, None, self.view, self.context)
        return pixels[::-1]  # OpenGL counts rows from below

    def _bring_floor(self, place: NDArray[np.float64]) -> None:
        """Shift the drawn floor by whole tiles to where the robot is: it would run off its edge."""
        for geom in self.scene.geoms[: self.scene.ngeom]:
            if geom.objtype == mujoco.mjtObj.mjOBJ_GEOM.value and geom.objid in self.floors:
                tile = self.floors[geom.objid]
                geom.pos[:2] += np.round(place / tile) * tile

    def close(self) -> None:
        """Free the OpenGL context."""
        self.gl.make_current()
        self.context.free()
        self.gl.free()


class GymnasiumPainter:
    """Draws with the environment's own ``render``, scaled to a square.

    Args:
        size: width and height in pixels.
    """

    def __init__(self, size: int) -> None:
        self.size = size

    def paint(self, env: gym.Env[Any, Any]) -> Picture:
        """Draw the environment's state.

        Raises:
            RenderingError: if the environment cannot draw itself.
        """
        try:
            pixels: Any = env.render()
        except (gym.error.Error, ImportError, RuntimeError) as error:
            raise RenderingError(f"{env.unwrapped} cannot draw itself: {error}") from error
        return fit(np.asarray(pixels, np.uint8), self.size)

    def close(self) -> None:
        """Nothing to free: the environment owns its window."""


def stage(env_id: str, size: int) -> tuple[gym.Env[Any, Any], Painter]:
    """An official environment and what draws it.

    Raises:
        RenderingError: if nothing can be drawn here, or the task has no pictures.
        ValueError: if the environment is unknown.
    """
    env = make(env_id)
    if uses_mujoco(env):
        return env, MujocoPainter(env, size)
    env.close()
    if "rgb_array" not in env.metadata.get("render_modes", ()):
        raise RenderingError(
            f"{env_id} offers no render mode 'rgb_array'; a picture of it cannot be made."
        )
    return make(env_id, "rgb_array"), GymnasiumPainter(size)


def _floors(model: Any) -> dict[int, NDArray[np.float64]]:
    """Width and depth (2,) in metres of a tile of every floor's texture, by geom."""
    planes = model.geom_type == mujoco.mjtGeom.mjGEOM_PLANE.value
    finite = (model.geom_size[:, :2] > 0).all(axis=1)
    tiles = {}
    for geom in np.flatnonzero(planes & finite):
        material = model.geom_matid[geom]
        repeats = model.mat_texrepeat[material] if material >= 0 else np.ones(2)
        tiles[int(geom)] = 2 * model.geom_size[geom, :2] / repeats
    return tiles


def _camera(bare: Any) -> Any:
    """The model's camera ``track``, or a free one with the task's settings."""
    camera = mujoco.MjvCamera()
    fixed = mujoco.mj_name2id(bare.model, mujoco.mjtObj.mjOBJ_CAMERA.value, "track")
    if fixed >= 0:
        camera.type = mujoco.mjtCamera.mjCAMERA_FIXED.value
        camera.fixedcamid = fixed
        return camera
    mujoco.mjv_defaultFreeCamera(bare.model, camera)
    renderer = getattr(bare, "mujoco_renderer", None)
    for name, value in (getattr(renderer, "default_cam_config", None) or {}).items():
        if name == "lookat":
            camera.lookat[:] = value
        else:
            setattr(camera, name, value)
    return camera
