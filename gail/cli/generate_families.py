"""The models of ``gail generate``: the flags of each and how it is made from them.

To add one, write a dataclass below :class:`EM` or
:class:`~gail.cli.generate_family.Gradient` whose fields are its flags and whose ``build`` makes
it, and give it a name in :data:`FAMILIES`. A picture or film with a new name is also named in
:mod:`gail.cli.generate_folder`.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gail.cli.console import notices
from gail.cli.generate_energies import EBM, Diffuse
from gail.cli.generate_family import Family, Gradient, Preprocessing, chain, shape_behind
from gail.cli.generate_gans import DCGAN, GAN, VAEGAN, WGAN, AlphaGAN
from gail.cli.generate_pixels import CNN, RNN

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Generator, Tensor

    from generative import Batch, Mixture, NeuralModel
    from generative.latents import Latent

Covariance = Literal["full", "tied", "diagonal", "spherical"]


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

    def build(self, data: Batch) -> Mixture:
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

    def build(self, data: Batch) -> Mixture:
        """The mixture."""
        from generative import VariationalMixture

        return VariationalMixture(self.components, preprocessing=chain(self.preprocessing))


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

    def parts(self, data: Batch) -> dict[str, Any]:
        """What all autoencoders are made of, for the rows as they are after preprocessing."""
        from generative.binarise import DynamicBinarise
        from generative.coders import Convolutional, Dense
        from generative.likelihoods import Bernoulli, Gaussian

        bits = self.likelihood == "bernoulli" or (self.likelihood == "auto" and data.x.dim() == 4)
        preprocessing = DynamicBinarise(float(data.x.max())) if bits else chain("standardise")
        return {
            "shape": shape_behind(preprocessing, data),
            "likelihood": Bernoulli() if bits else Gaussian("learned"),
            "network": Dense(self.hidden) if self.network == "dense" else Convolutional(),
            "preprocessing": preprocessing,
        }

    def pictures(
        self, model: Any, data: Batch, generator: Generator, shape: tuple[int, ...]
    ) -> dict[str, Figure]:
        """Codes; of images also reconstructions, and walks between codes."""
        from gail.latent_pictures import latent_pictures

        return latent_pictures(model, data.x, generator)


@dataclass(frozen=True)
class AE(Coder):
    """Autoencoder."""

    noise: float = 0.0
    """Standard deviation of noise on what is encoded, after preprocessing (denoising)."""
    masked: float = 0.0
    """Share of values that are encoded as 0 (denoising)."""

    def build(self, data: Batch) -> NeuralModel:
        """The model."""
        from generative.autoencoder import Autoencoder, Corruption

        corruption = Corruption(self.noise, self.masked)
        return Autoencoder(width=self.latent, corruption=corruption, **self.parts(data))


@dataclass(frozen=True)
class Variational(Coder):
    """Variational autoencoders."""

    beta: float = 1.0
    """Weight of the KL divergence."""
    warm_up: int = 0
    """Epochs in which that weight rises from 0."""

    @abstractmethod
    def latent_variable(self) -> Latent:
        """Prior and posteriors."""

    def build(self, data: Batch) -> NeuralModel:
        """The model."""
        from generative.vae import VAE

        latent = self.latent_variable()
        return VAE(latent=latent, beta=self.beta, warm_up=self.warm_up, **self.parts(data))

    def sample(self, model: Any, n: int, generator: Generator) -> Tensor:
        """Rows; of bits their probabilities, which is what pictures of them show."""
        from generative.likelihoods import Bernoulli

        means = isinstance(model.likelihood, Bernoulli)
        rows: Tensor = model.sample(n, generator, means=means)
        return rows


@dataclass(frozen=True)
class VAE(Variational):
    """Variational autoencoder."""

    posterior: Literal["gaussian", "autoregressive"] = "gaussian"
    """Diagonal Gaussian, or made more flexible by inverse autoregressive flow."""

    def latent_variable(self) -> Latent:
        """Prior and posteriors."""
        from generative.inverse_autoregressive import InverseAutoregressive
        from generative.latents import DiagonalGaussian

        if self.posterior == "autoregressive":
            return InverseAutoregressive(self.latent)
        return DiagonalGaussian(self.latent)


@dataclass(frozen=True)
class SVAE(Variational):
    """Variational autoencoder on a sphere, with von Mises-Fisher posteriors."""

    latent: int = 10
    """Dimensions of the sphere."""

    def latent_variable(self) -> Latent:
        """Prior and posteriors."""
        from generative.hyperspherical import Hypersphere

        return Hypersphere(self.latent + 1)


@dataclass(frozen=True)
class SeqVAE(Gradient):
    """Sequence variational autoencoder, with LSTMs, for sequences or windows of them."""

    takes = ("sequences",)

    latent: int = 32
    """Width of the latent space."""
    hidden: int = 128
    """Units of the LSTMs."""
    components: int = 16
    """Gaussians of the prior; 0 for one standard normal."""

    def build(self, data: Batch) -> NeuralModel:
        """The model, for sequences as long as these.

        Raises:
            ValueError: if rows are no sequences.
        """
        from generative.sequence_vae import SequenceVAE

        if data.x.dim() != 3:
            raise ValueError(
                f"--model seqvae models sequences (N, T, D) and was given rows of the shape "
                f"{tuple(data.x.shape[1:])}; choose another model, or --kind sequences."
            )
        preprocessing = chain("standardise")
        return SequenceVAE(
            shape_behind(preprocessing, data)[0],
            data.x.shape[1],
            self.latent,
            hidden=self.hidden,
            components=self.components,
            preprocessing=preprocessing,
        )

    def pictures(
        self, model: Any, data: Batch, generator: Generator, shape: tuple[int, ...]
    ) -> dict[str, Figure]:
        """Codes, and what is forecast from the first half of windows."""
        from gail.sequence_pictures import sequence_pictures

        return sequence_pictures(model, data)


FAMILIES: dict[str, type[Family]] = {
    "gmm": GMM,
    "vgmm": VGMM,
    "ae": AE,
    "vae": VAE,
    "svae": SVAE,
    "seqvae": SeqVAE,
    "ebm": EBM,
    "diffusion": Diffuse,
    "pixelcnn": CNN,
    "pixelrnn": RNN,
    "gan": GAN,
    "dcgan": DCGAN,
    "wgan": WGAN,
    "vaegan": VAEGAN,
    "alphagan": AlphaGAN,
}
