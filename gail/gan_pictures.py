"""A film of what a GAN samples while it is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from gail.energy_pictures import frame
from gail.movies import captioned

if TYPE_CHECKING:
    from torch import Tensor

    from gail.movies import Picture
    from generative.gan import GAN

ROWS = 300  # drawn of each epoch; of images a part
MOST = 60  # pictures, at most; of longer trainings every second, fourth … epoch is kept


class TrainingFilm:
    """The rows of the same codes after each epoch.

    Args:
        model: being trained.
        x: data, for the limits of the pictures.

    Attributes:
        pictures: so far.
    """

    def __init__(self, model: GAN, x: Tensor) -> None:
        self.model, self.x = model, x.float()
        self.pictures: list[Picture] = []
        self.codes = model.codes_drawn(ROWS, torch.Generator(model.device).manual_seed(0))
        self.stride = 1

    def add(self, epoch: int, metrics: dict[str, float]) -> None:
        """Take a picture, of those epochs that are kept."""
        if epoch % self.stride:
            return
        rows = self.model.generate(self.codes)
        picture = frame(rows, self.x, tuple(self.x.shape[1:]))
        self.pictures.append(captioned(picture, f"epoch {epoch}"))
        if len(self.pictures) > MOST:
            self.pictures, self.stride = self.pictures[1::2], 2 * self.stride
