"""Fitting a generative model to the steps or windows of demonstrations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gail.demonstrations import Demonstrations
from gail.errors import GailError
from gail.feature_model import FeatureModel, Kind, rows_of
from gail.features import Features, Inputs
from generative.denoisers import Mixer
from generative.diffusion import Diffusion
from generative.mixture import GaussianMixture
from generative.model import GenerativeModel
from generative.sequence_vae import SequenceVAE
from generative.training import Monitor, Training

Report = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class FitSettings:
    """What is fitted."""

    kind: Kind = "mixture"
    """A Gaussian mixture (exact and fast), or a sequence VAE or diffusion (slower)."""
    inputs: Inputs = "s"
    """What a step is: observation (s), with action (sa) or with next observation (ss)."""
    window: int | None = None
    """Steps of a window; by default 4 of a mixture and 16 of a sequence model."""
    components: int = 64
    """Gaussians of the mixture, which share one covariance."""
    rows: int = 50_000
    """Steps or windows at most, spread evenly."""
    epochs: int = 6
    """Passes of a sequence model over the windows."""
    width: int = 128
    """Hidden units of a sequence model."""
    seed: int = 0
    """Of weights and batches."""


def fit_model(
    demonstrations: Demonstrations | Sequence[Demonstrations],
    settings: FitSettings | None = None,
    report: Report | None = None,
) -> FeatureModel:
    """Fit a model, with the statistics of its features.

    Args:
        demonstrations: to learn from, or several of one task.
        settings: by default those of :class:`FitSettings`.
        report: called after each epoch of a sequence model.

    Raises:
        GailError: if the demonstrations are too few or too short, or not of one task.

    >>> demos = Demonstrations.shipped("toy/PointMass-v0")
    >>> fit_model(demos, FitSettings(components=4)).env_id
    'toy/PointMass-v0'
    """
    settings = settings or FitSettings()
    window = settings.window or (4 if settings.kind == "mixture" else 16)
    if window < 1 or (settings.kind != "mixture" and window < 2):
        raise GailError(
            f"window is {window}; give 1 or more steps, and 2 or more for a sequence model."
        )
    given = [demonstrations] if isinstance(demonstrations, Demonstrations) else demonstrations
    rows = [row for each in of_one_task(given) for row in rows_of(each, settings.inputs)]
    features = Features(settings.inputs, window=window).fit(rows)
    x = features.stacked(rows, settings.rows)
    if settings.kind == "mixture":
        model: GenerativeModel = _mixture(x.flatten(1), settings)
    else:
        model = _sequence_model(x, settings, report)
    return FeatureModel(features, model, given[0].env_id)


def of_one_task(demonstrations: Sequence[Demonstrations]) -> Sequence[Demonstrations]:
    """The same.

    Raises:
        GailError: if there are none, or their tasks or widths differ.
    """
    if not demonstrations:
        raise GailError("No demonstrations were given; name one file or more.")
    first = demonstrations[0]
    for other in demonstrations[1:]:
        if _task(other) != _task(first):
            raise GailError(
                f"{other.name} is of {_task(other)} and {first.name} of {_task(first)} (task, "
                "widths of observation and action); give demonstrations of one task."
            )
    return demonstrations


def _task(demonstrations: Demonstrations) -> tuple[str | None, int, int]:
    return (demonstrations.env_id, demonstrations.observation_dim, demonstrations.action_dim)


def _mixture(x: Tensor, settings: FitSettings) -> GaussianMixture:
    return GaussianMixture(
        min(settings.components, max(1, len(x) // 20)),
        "tied",
        regularisation=3e-3,
        iterations=30,
        tolerance=0.02,
    ).fit(x, generator=torch.Generator().manual_seed(settings.seed))


def _sequence_model(
    x: Tensor, settings: FitSettings, report: Report | None
) -> SequenceVAE | Diffusion:
    steps, width = int(x.shape[1]), int(x.shape[2])
    training = Training(settings.epochs, 64, 1e-3, "cosine")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)  # of the first weights
        if settings.kind == "seqvae":
            model: SequenceVAE | Diffusion = SequenceVAE(width, steps, hidden=settings.width)
        else:
            model = Diffusion((steps, width), network=Mixer(settings.width, 4), parts=0.5)
    monitor = Monitor(report=report)
    generator = torch.Generator().manual_seed(settings.seed)
    return model.fit(x, training=training, monitor=monitor, generator=generator)
