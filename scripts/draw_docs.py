"""Draw the pictures of docs/ from fixed seeds.

python scripts/draw_docs.py
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from sklearn.datasets import load_digits, make_moons

from gail import Demonstrations
from gail.drawing import image_grid, save, trajectories
from generative import (
    Autoencoder,
    BayesClassifier,
    DropConstant,
    GaussianMixture,
    Mixture,
    Standardise,
    Training,
    VariationalMixture,
)
from generative.binarise import DynamicBinarise
from generative.coders import Dense
from generative.hyperspherical import Hypersphere
from generative.inverse_autoregressive import InverseAutoregressive
from generative.latents import DiagonalGaussian, Latent
from generative.sequence_vae import SequenceVAE
from generative.vae import VAE
from generative.windows import cut_windows


@dataclass(frozen=True)
class Draw:
    """Draw all pictures."""

    out: Path = Path("docs/pictures")
    """The folder."""

    def run(self) -> None:
        """Draw and write."""
        torch.set_num_threads(1)
        pictures = {
            "moons.png": moons(),
            "blur.png": blur(),
            "steps.png": steps(),
            "clusters.png": clusters(),
            "classes.png": classes(),
            "completed.png": completed(),
            "vae.png": autoencoded(),
            "draws.png": draws(),
            "windows.png": windows(),
        }
        for name, figure in pictures.items():
            save(figure, self.out / name)
            print(f"{self.out / name}")


def seeded(seed: int = 0) -> torch.Generator:
    """A source of randomness."""
    return torch.Generator().manual_seed(seed)


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    """Pixels (1797, 64) from 0 to 16 and labels."""
    loaded: Any = load_digits()
    return torch.tensor(loaded.data, dtype=torch.float32), torch.tensor(loaded.target)


def two_moons() -> torch.Tensor:
    """Points (1000, 2) on two interleaved half circles."""
    return torch.tensor(make_moons(1000, noise=0.08, random_state=0)[0], dtype=torch.float32)


def panels(count: int) -> tuple[Figure, Any]:
    """A row of square plots."""
    figure = Figure(figsize=(3.2 * count, 2.4), layout="constrained")
    axes = figure.subplots(1, count, squeeze=False)[0]
    for each in axes:
        each.set_aspect("equal")
        each.tick_params(labelsize=6)
    return figure, axes


def density(axes: Any, model: Mixture, x: torch.Tensor, title: str) -> None:
    """Shade a density beneath points."""
    low, high = x.min(0).values - 0.7, x.max(0).values + 0.7
    first = torch.linspace(float(low[0]), float(high[0]), 200)
    second = torch.linspace(float(low[1]), float(high[1]), 200)
    grid = torch.cartesian_prod(first, second)
    heights = model.log_prob(grid).exp().reshape(200, 200).T
    axes.pcolormesh(first, second, heights, cmap="Blues", shading="auto")
    axes.plot(*x[:300].T, ".", markersize=1, color="black", alpha=0.5)
    axes.set_title(title, fontsize=9)


def ellipses(axes: Any, model: Mixture, x: torch.Tensor, title: str) -> None:
    """Draw each component at two standard deviations, darker with its weight."""
    axes.plot(*x.T, ".", markersize=1, color="grey")
    low, high = x.min(0).values, x.max(0).values
    room = 0.1 * (high - low)
    axes.set_xlim(float(low[0] - room[0]), float(high[0] + room[0]))
    axes.set_ylim(float(low[1] - room[1]), float(high[1] + room[1]))
    for weight, mean, covariance in zip(
        model.weights, model.means, model.covariances(), strict=True
    ):
        values, vectors = np.linalg.eigh(covariance.numpy())
        angle = float(np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1])))
        shade = min(1.0, 0.25 + 3 * float(weight))
        axes.add_patch(
            Ellipse(mean.tolist(), *(4 * values[::-1] ** 0.5), angle=angle, fill=False, alpha=shade)
        )
    axes.set_title(title, fontsize=9)


def moons() -> Figure:
    """One Gaussian and a mixture on the same data."""
    x = two_moons()
    figure, axes = panels(2)
    for each, k in zip(axes, (1, 12), strict=True):
        model = GaussianMixture(k, restarts=5).fit(x, generator=seeded())
        held = f"{model.log_prob(x).mean():.2f} nats a point"
        density(each, model, x, f"{k} Gaussian{'s' if k > 1 else ''}: {held}")
    return figure


def blur() -> Figure:
    """Digits, draws of one Gaussian, draws of a mixture."""
    x, _ = digits()
    rows = [x[:12]]
    for k in (1, 60):
        model = GaussianMixture(k, "full", preprocessing=DropConstant(), regularisation=0.1)
        rows.append(model.fit(x, generator=seeded()).sample(12, seeded(1)))
    title = "data; one Gaussian; 60 Gaussians"
    return image_grid(torch.cat(rows).reshape(-1, 8, 8).numpy(), title, 12, (0.0, 16.0))


def steps() -> Figure:
    """EM from wide Gaussians on random points."""
    x = two_moons()
    figure, axes = panels(4)
    chosen = torch.randperm(len(x), generator=seeded(3))[:8]
    model = Mixture.of(torch.ones(8), x[chosen], 0.3 * torch.eye(2).repeat(8, 1, 1))
    done = 0
    for each, until in zip(axes, (0, 5, 20, 100), strict=True):
        if until > done:
            further = GaussianMixture(8, iterations=until - done, tolerance=0.0)
            model = further.fit(x, start=model)
            done = until
        title = f"{until} steps: {model.log_prob(x).mean():.2f} nats a point"
        ellipses(each, model, x, title)
    return figure


def clusters() -> Figure:
    """EM and variational inference from 20 components, where 5 are true."""
    g = seeded(1)
    means = 9 * torch.randn(5, 2, generator=g)
    shapes = torch.randn(5, 2, 2, generator=g)
    which = torch.arange(800) % 5
    x = means[which] + torch.einsum("ni,nij->nj", torch.randn(800, 2, generator=g), shapes[which])
    figure, axes = panels(2)
    by_em = GaussianMixture(20, regularisation=1e-3).fit(x, generator=seeded())
    ellipses(axes[0], by_em, x, "EM: 20 components")
    found = VariationalMixture(20).fit(x, generator=seeded())
    ellipses(axes[1], found, x, f"variational, from 20: {found.alive} components")
    return figure


def classes() -> Figure:
    """Draws of p(x|y) for each digit."""
    x, y = digits()
    model = BayesClassifier(
        GaussianMixture(1, regularisation=0.3), 10, preprocessing=DropConstant()
    ).fit(x, y, generator=seeded())
    drawn = torch.cat([model.sample_class(label, 5, seeded(label)) for label in range(10)])
    images = drawn.reshape(10, 5, 8, 8).transpose(0, 1).reshape(-1, 8, 8)
    return image_grid(images.numpy(), "p(x | y) for y = 0 to 9", 10, (0.0, 16.0))


def completed() -> Figure:
    """Digits, their upper halves, and completions."""
    x, _ = digits()
    seen, rest = x[:1500], x[1500:1512]
    model = GaussianMixture(60, preprocessing=DropConstant(), regularisation=0.3)
    model.fit(seen, generator=seeded())
    mask = (torch.arange(64) < 32).expand_as(rest)
    rows = [rest, torch.where(mask, rest, 0.0), model.impute(rest, mask)]
    rows += [model.impute(rest, mask, draw=True, generator=seeded(1))]
    title = "data; what is observed; conditional mean; one draw"
    return image_grid(torch.cat(rows).reshape(-1, 8, 8).numpy(), title, 12, (0.0, 16.0))


def autoencoded() -> Figure:
    """Digits, a VAE's reconstructions and draws, and a walk between two codes."""
    x, _ = digits()
    rest = x[1500:1512]
    torch.manual_seed(0)
    model = VAE(64, 8, network=Dense((128,)), preprocessing=DynamicBinarise(16))
    model.fit(x[:1500], training=Training(60, 64, 3e-3, "cosine"), generator=seeded())
    first, last = model.encode(rest[:2], generator=seeded()).mean
    walk = torch.lerp(first, last, torch.linspace(0, 1, 12)[:, None])
    rows = [
        rest,
        model.reconstruct(rest, generator=seeded()),
        model.sample(12, seeded(2), means=True),
    ]
    rows += [16 * model.decode(walk).mean]
    title = "data; reconstructions; draws; from the first to the second"
    return image_grid(torch.cat(rows).reshape(-1, 8, 8).numpy(), title, 12, (0.0, 16.0))


def draws() -> Figure:
    """Digits, and draws of an autoencoder and of VAEs with three kinds of posteriors."""
    x, _ = digits()
    rows = [x[1500:1512], autoencoder_draws(x)]
    kinds: list[Latent] = [DiagonalGaussian(8), InverseAutoregressive(8), Hypersphere(9)]
    for latent in kinds:
        torch.manual_seed(0)
        model = VAE(
            64, latent, network=Dense((128,)), warm_up=20, preprocessing=DynamicBinarise(16)
        )
        model.fit(x, training=Training(100, 64, 3e-3, "cosine"), generator=seeded())
        rows.append(model.sample(12, seeded(2), means=True))
    title = (
        "data; draws of an autoencoder, a VAE, one with autoregressive posteriors, one on a sphere"
    )
    return image_grid(torch.cat(rows).reshape(-1, 8, 8).numpy(), title, 12, (0.0, 16.0))


def autoencoder_draws(x: torch.Tensor) -> torch.Tensor:
    """Rows (12, 64) from a mixture over the codes of a plain autoencoder."""
    torch.manual_seed(0)
    model = Autoencoder(64, 8, network=Dense((128,)))
    model.fit(x / 16, training=Training(100, 64, 3e-3, "cosine"), generator=seeded())
    return 16 * model.sample(12, seeded(2))


def windows() -> Figure:
    """Windows of Ant's joint angles, and draws of a sequence VAE."""
    demos = Demonstrations.shipped("Ant-v5")
    joints = [torch.tensor(each.observations[:, 5:13]) for each in demos.episodes()]
    x, _ = cut_windows(joints[:12], 32, 4)
    torch.manual_seed(0)
    model = SequenceVAE(8, 32, latent=16, hidden=64, preprocessing=Standardise())
    model.fit(x, training=Training(10, 32, 2e-3, "cosine"), generator=seeded())
    drawn = model.sample(3, seeded(1))
    return trajectories(x[::700, :, :3][:3].numpy(), drawn[..., :3].numpy(), label="draw")


if __name__ == "__main__":
    tyro.cli(Draw).run()
