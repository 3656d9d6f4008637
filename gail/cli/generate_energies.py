"""Energy-based models and diffusion in ``gail generate``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from gail.cli.generate_family import Gradient, chain, shape_behind

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Generator

    from gail.movies import Picture
    from generative import Batch, NeuralModel


@dataclass(frozen=True)
class EBM(Gradient):
    """Energy-based model, for vectors, and for images and windows as vectors."""

    hidden: tuple[int, ...] = (128, 128)
    """Widths of the hidden layers."""
    objective: Literal["nce", "cd", "pcd", "score"] = "nce"
    """Noise contrast, contrastive divergence (from data, or persistent), or score matching."""
    temperatures: int = 100
    """Of annealed importance sampling, for the log-normaliser."""

    def build(self, data: Batch) -> NeuralModel:
        """The model."""
        from generative import EnergyModel
        from generative.coders import Dense
        from generative.objectives import (
            ContrastiveDivergence,
            NoiseContrast,
            Objective,
            ScoreMatching,
        )

        objectives: dict[str, Objective] = {
            "nce": NoiseContrast(),
            "cd": ContrastiveDivergence(),
            "pcd": ContrastiveDivergence(persistent=1024),
            "score": ScoreMatching(),
        }
        preprocessing = chain("standardise")
        return EnergyModel(
            shape_behind(preprocessing, data),
            objective=objectives[self.objective],
            network=Dense(self.hidden, "silu"),
            least=0.01,
            temperatures=self.temperatures,
            preprocessing=preprocessing,
        )

    def facts(self, model: Any) -> dict[str, Any]:
        """Its size, and the log-normaliser."""
        return {**super().facts(model), "log_normaliser": float(model.log_normaliser)}

    def pictures(
        self, model: Any, data: Batch, generator: Generator, shape: tuple[int, ...]
    ) -> dict[str, Figure]:
        """A map of the energy in the plane; completed images."""
        from gail.energy_pictures import completions, energy_map

        if data.x.shape[1] == 2:
            return {"energy": energy_map(model, data.x)}
        if len(shape) == 3:
            return {"completed": completions(model.impute, data.x, shape)}
        return {}

    def films(
        self, model: Any, data: Batch, generator: Generator, shape: tuple[int, ...]
    ) -> dict[str, Iterator[Picture]]:
        """Langevin chains."""
        from gail.energy_pictures import langevin_film

        shape = shape if len(shape) == 3 else tuple(data.x.shape[1:])
        return {"chains": langevin_film(model, data.x.float(), shape, generator)}


@dataclass(frozen=True)
class Diffuse(Gradient):
    """Denoising diffusion, for vectors and windows of sequences, and for images as vectors."""

    takes = ("vectors", "sequences")

    hidden: tuple[int, ...] = (256, 256, 256)
    """Widths of the hidden layers (vectors)."""
    width: int = 192
    """Numbers kept of each step (windows)."""
    blocks: int = 4
    """Layers that mix steps, and that mix features (windows)."""
    parts: float = 0.25
    """Share of rows that show a part of themselves in training, to learn to complete rows."""
    steps: int = 20
    """From noise to data."""

    def build(self, data: Batch) -> NeuralModel:
        """The model, for windows as long as these."""
        from generative import Diffusion
        from generative.denoisers import Mixer, Perceptron

        preprocessing = chain("standardise")
        shape = shape_behind(preprocessing, data)
        windows = data.x.dim() == 3
        return Diffusion(
            (data.x.shape[1], *shape) if windows else shape,
            network=Mixer(self.width, self.blocks) if windows else Perceptron(self.hidden),
            parts=self.parts,
            preprocessing=preprocessing,
        )

    def sample(self, model: Any, n: int, generator: Generator) -> Any:
        """Rows, in as many steps as asked for."""
        return model.sample(n, generator, steps=self.steps)

    def pictures(
        self, model: Any, data: Batch, generator: Generator, shape: tuple[int, ...]
    ) -> dict[str, Figure]:
        """Completed images."""
        from gail.energy_pictures import completions

        if len(shape) == 3 and self.parts:
            return {"completed": completions(model.impute, data.x, shape)}
        return {}

    def films(
        self, model: Any, data: Batch, generator: Generator, shape: tuple[int, ...]
    ) -> dict[str, Iterator[Picture]]:
        """From noise to data."""
        from gail.energy_pictures import diffusion_film

        shape = shape if len(shape) == 3 else tuple(data.x.shape[1:])
        return {"chains": diffusion_film(model, data.x.float(), shape, generator)}
