"""GANs in ``gail generate``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gail.cli.generate_family import Trained, chain, shape_behind

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Generator

    from generative import Batch, NeuralModel

FPS = 5.0  # of the film of a training
DENSE = 256  # width of a layer that sees all of a row at once (dcgan)

Loss = Literal["plain", "least_squares", "hinge", "wasserstein"]
Nets = Literal["dense", "dcgan"]


@dataclass(frozen=True)
class GAN(Trained):
    """Generative adversarial network, for vectors, images and windows of sequences."""

    takes = ("vectors", "images", "sequences")

    loss: Loss = "plain"
    """Plain, least squares, hinge with spectral norm, or Wasserstein with a gradient penalty."""
    latent: int = 64
    """Width of the codes."""
    network: Nets = "dense"
    """Of all players; dcgan: convolutions for images and windows."""
    hidden: tuple[int, ...] = (256, 256)
    """Widths of the hidden layers (dense)."""
    channels: int = 32
    """Of the largest feature maps (dcgan)."""
    feature_matching: float = 0.0
    """Weight of the distance between the critic's mean features of data and of samples."""
    minibatch_discrimination: int = 0
    """Kernels by which the critic sees how alike the rows of a batch are."""
    label_smoothing: float = 0.0
    """Data have the label 1 minus this (plain)."""
    historical_averaging: float = 0.0
    """Weight of the distance of weights from their mean so far."""
    average: float = 0.999
    """What the moving average of the generator, which samples, keeps at each step."""
    batch_size: int = 64
    """Rows a step, at most."""
    learning_rate: float = 2e-4
    """Of Adam, for all players."""
    validation: float = 0.0
    """Share of the fitted rows on which the critic's loss is watched; 0 for none."""

    def build(self, data: Batch) -> NeuralModel:
        """The model."""
        from generative.gan import GAN as Model

        return Model(**self.parts(data))

    def parts(self, data: Batch) -> dict[str, Any]:
        """What all GANs are made of, for the rows as they are after preprocessing."""
        from generative import games
        from generative.coders import Dense
        from generative.dcgan import DCGAN as Convolutions
        from generative.pixels import Rescale

        game = getattr(games, self.loss.upper())
        normed = not (game.by_row or game.spectral_norm)
        convolutions = Convolutions(
            self.channels, critic_norm=normed, hidden=0 if game.spectral_norm else DENSE
        )
        dense = Dense(self.hidden, "leaky_relu")
        images, windows = data.x.dim() == 4, data.x.dim() == 3
        if images:
            preprocessing: Any = Rescale(float(data.x.min()), float(data.x.max()))
        else:
            preprocessing = chain("standardise")
        shape = shape_behind(preprocessing, data)
        return {
            "shape": (data.x.shape[1], *shape) if windows else shape,
            "latent": self.latent,
            "network": convolutions if self.network == "dcgan" else dense,
            "game": game,
            "techniques": games.Techniques(
                self.feature_matching,
                self.minibatch_discrimination,
                self.label_smoothing,
                self.historical_averaging,
                self.average,
            ),
            "preprocessing": preprocessing,
        }

    def fit(
        self,
        model: Any,
        data: Batch,
        generator: Generator,
        out: Path,
        report: Callable[[int, dict[str, float]], None] | None = None,
    ) -> None:
        """Train, and film what samples look like after each epoch."""
        from gail import movies
        from gail.gan_pictures import TrainingFilm

        film = TrainingFilm(model, data.x)
        super().fit(model, data, generator, out, film.add)
        if film.pictures:
            movies.write(iter(film.pictures), [out / "training.gif"], FPS)

    def pictures(
        self, model: Any, data: Batch, generator: Generator, shape: tuple[int, ...]
    ) -> dict[str, Figure]:
        """Of images, walks between codes."""
        from gail.latent_pictures import WALKS, interpolations

        if data.x.dim() != 4:
            return {}
        codes = model.codes_drawn(2 * WALKS, generator)
        return {"interpolations": interpolations(model.generate, codes)}


@dataclass(frozen=True)
class DCGAN(GAN):
    """GAN with convolutions, for images and windows of sizes 4 to 7 times a power of two."""

    network: Nets = "dcgan"
    """Of all players; dcgan: convolutions for images and windows."""


@dataclass(frozen=True)
class WGAN(GAN):
    """Wasserstein GAN with gradient penalty."""

    loss: Loss = "wasserstein"
    """Plain, least squares, hinge with spectral norm, or Wasserstein with a gradient penalty."""


@dataclass(frozen=True)
class Coded(GAN):
    """GANs with an encoder."""

    fidelity: float | None = None
    """Weight of what reconstructions lack, against the critic; by default the model's own."""

    def parts(self, data: Batch) -> dict[str, Any]:
        """What they are made of."""
        return {**super().parts(data), "fidelity": self.fidelity}

    def pictures(
        self, model: Any, data: Batch, generator: Generator, shape: tuple[int, ...]
    ) -> dict[str, Figure]:
        """Codes; of images also reconstructions, and walks between codes."""
        from gail.latent_pictures import latent_pictures

        return latent_pictures(model, data.x, generator)


@dataclass(frozen=True)
class VAEGAN(Coded):
    """VAE that measures errors by a critic's features."""

    def build(self, data: Batch) -> NeuralModel:
        """The model."""
        from generative.vae_gan import VAEGAN as Model

        return Model(**self.parts(data))


@dataclass(frozen=True)
class AlphaGAN(Coded):
    """GAN with an encoder and a critic of codes."""

    def build(self, data: Batch) -> NeuralModel:
        """The model."""
        from generative.alpha_gan import AlphaGAN as Model

        return Model(**self.parts(data))
