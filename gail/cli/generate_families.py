"""The models of ``gail generate``: the flags of each and how it is made from them.

To add one, write a dataclass below :class:`EM` or :class:`Gradient` whose fields are its flags and
whose ``build`` makes it, and give it a name in :data:`FAMILIES`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from gail.cli.console import notices
from gail.errors import GailError

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Generator, Tensor

    from generative import Batch, Mixture, NeuralModel, Transform

Covariance = Literal["full", "tied", "diagonal", "spherical"]
Preprocessing = Literal["none", "standardise", "whiten"]
CHECKPOINT = "checkpoint.zip"


@dataclass(frozen=True)
class Family(ABC):
    """The flags of one family.

    Attributes:
        takes: the kinds of rows that it models as they are; others are made vectors.
    """

    takes: ClassVar[tuple[str, ...]] = ("vectors",)

    @abstractmethod
    def build(self, x: Tensor) -> Any:
        """An unfitted model for such rows."""

    @abstractmethod
    def fit(self, model: Any, data: Batch, generator: Generator, out: Path) -> None:
        """Fit it and show how it goes."""

    def sample(self, model: Any, n: int, generator: Generator) -> Tensor:
        """Rows as they are drawn and kept."""
        rows: Tensor = model.sample(n, generator)
        return rows

    def facts(self, model: Any) -> dict[str, Any]:
        """What the result tells of the fitted model."""
        return {}

    def pictures(self, model: Any, x: Tensor, generator: Generator) -> dict[str, Figure]:
        """Further pictures, by name, of rows that it was not fitted to where there are such."""
        return {}


@dataclass(frozen=True)
class EM(Family):
    """Mixtures."""

    components: int = 32
    """Of the mixture."""
    preprocessing: Preprocessing = "standardise"
    """Constant dimensions are always dropped; then none, standardise or whiten."""

    def fit(self, model: Any, data: Batch, generator: Generator, out: Path) -> None:
        """Fit by its own iterations."""
        with notices().status("fitting") as status:
            model.fit(
                data.x,
                generator=generator,
                report=lambda step, value: status.update(
                    f"step {step}: {value:.3f} nats a row after preprocessing"
                ),
            )

    def facts(self, model: Any) -> dict[str, Any]:
        """How large the mixture is and how long it took."""
        return {
            "live_dimensions": model.means.shape[1],
            "components": len(model.weights),
            "steps": len(model.history),
        }


@dataclass(frozen=True)
class GMM(EM):
    """Gaussian mixture by expectation-maximisation."""

    covariance: Covariance = "full"
    """Kind of the covariances."""
    regularisation: float = 0.1
    """Added to variances after preprocessing."""

    def build(self, x: Tensor) -> Mixture:
        """The mixture."""
        from generative import GaussianMixture

        return GaussianMixture(
            self.components,
            self.covariance,
            preprocessing=chain(self.preprocessing),
            regularisation=self.regularisation,
        )


@dataclass(frozen=True)
class VGMM(EM):
    """Variational Gaussian mixture, which finds how many of --components it needs."""

    def build(self, x: Tensor) -> Mixture:
        """The mixture."""
        from generative import VariationalMixture

        return VariationalMixture(self.components, preprocessing=chain(self.preprocessing))


@dataclass(frozen=True)
class Gradient(Family):
    """Models that are trained by gradients."""

    epochs: int = 100
    """Passes over the rows."""
    batch_size: int = 128
    """Rows a step, at most."""
    learning_rate: float = 1e-3
    """Of Adam."""
    validation: float = 0.1
    """Share of the fitted rows on which the loss is watched; 0 for none."""
    patience: int | None = None
    """Epochs without a better validation loss before it stops; the best weights are kept."""
    tensorboard: bool = False
    """Write TensorBoard events to the folder."""
    resume: bool = False
    """Go on with a training in --out that was cut off; give all flags as they were."""

    def fit(self, model: NeuralModel, data: Batch, generator: Generator, out: Path) -> None:
        """Train with a progress bar and a checkpoint, which is neither lost nor made up.

        Raises:
            GailError: if there is a checkpoint and --resume is not given, or the other way round.
        """
        from generative import Monitor

        checkpoint = out / CHECKPOINT
        if self.resume and not checkpoint.exists():
            raise GailError(f"There is no {checkpoint} to go on with; leave out --resume.")
        if checkpoint.exists() and not self.resume:
            raise GailError(
                f"{checkpoint} holds a training; go on with --resume, or choose another --out."
            )
        training = replace(
            model.training_defaults,
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            patience=self.patience,
        )
        events = out / "tensorboard" if self.tensorboard else None
        try:
            model.fit(
                data.x,
                lengths=data.lengths,
                validation=self.validation or None,
                training=training,
                monitor=Monitor(progress=True, log_dir=events, checkpoint=checkpoint),
                generator=generator,
            )
        except KeyboardInterrupt:
            told = "go on with --resume" if checkpoint.exists() else "nothing was written yet"
            raise KeyboardInterrupt(f"stopped by SIGINT; {told}") from None

    def facts(self, model: NeuralModel) -> dict[str, Any]:
        """How large the model is and how long it was trained."""
        parameters = sum(each.numel() for each in model.parameters())
        return {"parameters": parameters, "epochs": int(model.epochs_trained)}


@dataclass(frozen=True)
class Coder(Gradient):
    """Autoencoders."""

    takes = ("vectors", "images")

    latent: int = 20
    """Width of the latent space."""
    hidden: tuple[int, ...] = (400, 400)
    """Widths of the hidden layers (dense)."""
    network: Literal["dense", "convolutional"] = "dense"
    """Of encoder and decoder; convolutional for images."""
    likelihood: Literal["auto", "bernoulli", "gaussian"] = "auto"
    """Bits drawn from shades of grey, or Gaussian; auto: bits for images."""

    def parts(self, x: Tensor) -> dict[str, Any]:
        """What all autoencoders are made of, for the rows as they are after preprocessing."""
        from generative.binarise import DynamicBinarise
        from generative.coders import Convolutional, Dense
        from generative.likelihoods import Bernoulli, Gaussian

        bits = self.likelihood == "bernoulli" or (self.likelihood == "auto" and x.dim() == 4)
        preprocessing = DynamicBinarise(float(x.max())) if bits else chain("standardise")
        return {
            "shape": shape_behind(preprocessing, x),
            "likelihood": Bernoulli() if bits else Gaussian("learned"),
            "network": Dense(self.hidden) if self.network == "dense" else Convolutional(),
            "preprocessing": preprocessing,
        }

    def pictures(self, model: Any, x: Tensor, generator: Generator) -> dict[str, Figure]:
        """Codes; of images also reconstructions, and walks between codes."""
        from gail.latent_pictures import latent_pictures

        return latent_pictures(model, x, generator)


@dataclass(frozen=True)
class AE(Coder):
    """Autoencoder."""

    noise: float = 0.0
    """Standard deviation of noise on what is encoded, after preprocessing (denoising)."""
    masked: float = 0.0
    """Share of values that are encoded as 0 (denoising)."""

    def build(self, x: Tensor) -> NeuralModel:
        """The model."""
        from generative.autoencoder import Autoencoder, Corruption

        corruption = Corruption(self.noise, self.masked)
        return Autoencoder(width=self.latent, corruption=corruption, **self.parts(x))


@dataclass(frozen=True)
class VAE(Coder):
    """Variational autoencoder."""

    posterior: Literal["gaussian", "autoregressive", "sphere"] = "gaussian"
    """Gaussian, by inverse autoregressive flow, or von Mises-Fisher on a sphere."""
    beta: float = 1.0
    """Weight of the KL divergence."""
    warm_up: int = 0
    """Epochs in which that weight rises from 0."""

    def build(self, x: Tensor) -> NeuralModel:
        """The model."""
        from generative.hyperspherical import Hypersphere
        from generative.inverse_autoregressive import InverseAutoregressive
        from generative.latents import DiagonalGaussian
        from generative.vae import VAE

        kinds = {
            "gaussian": DiagonalGaussian,
            "autoregressive": InverseAutoregressive,
            "sphere": Hypersphere,
        }
        latent = kinds[self.posterior](self.latent)
        return VAE(latent=latent, beta=self.beta, warm_up=self.warm_up, **self.parts(x))

    def sample(self, model: Any, n: int, generator: Generator) -> Tensor:
        """Rows; of bits their probabilities, which is what pictures of them show."""
        from generative.likelihoods import Bernoulli

        means = isinstance(model.likelihood, Bernoulli)
        rows: Tensor = model.sample(n, generator, means=means)
        return rows


FAMILIES: dict[str, type[Family]] = {"gmm": GMM, "vgmm": VGMM, "ae": AE, "vae": VAE}


def chain(preprocessing: Preprocessing) -> Transform:
    """The preprocessing of a flag."""
    from generative import Chain, DropConstant, Standardise, Whiten

    match preprocessing:
        case "none":
            return Chain(DropConstant())
        case "standardise":
            return Chain(DropConstant(), Standardise())
        case "whiten":
            return Chain(DropConstant(), Whiten())


def shape_behind(preprocessing: Transform, x: Tensor) -> tuple[int, ...]:
    """The shape of a row once the preprocessing is fitted to such rows."""
    import copy

    rows = x.float()
    y, _ = copy.deepcopy(preprocessing).fit(rows)(rows[:1])
    return tuple(y.shape[1:])
