"""How strange the steps and episodes of demonstrations are to a mixture fitted to others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from gail.features import Features
from generative.gaussians import Gaussians, log_joint
from generative.mixture import GaussianMixture

PARTS = 4  # of an episode, so that what goes wrong late is seen too
SHORTEST = 25  # steps of a part
FLOOR = 0.2  # medians of squared residuals below say nothing (0.45 is that of a normal one)


@dataclass(frozen=True)
class ScoringSettings:
    """The mixture that scores steps."""

    components: int = 8
    """Gaussians; fewer where there are few rows."""
    rows: int = 10_000
    """It is fitted to about so many rows at most, spread evenly."""
    regularisation: float = 0.01
    """Added to variances, which are 1 on average over a file."""
    iterations: int = 25
    """Of EM, at most."""
    seed: int = 0
    """Of its start."""


class Scorer:
    """A mixture of the steps of some episodes, and how usual these episodes are themselves.

    Args:
        features: fitted, of single rows that were not whitened.
        model: fitted to what they make of rows.
        centre: (1 + live,) mean of the channels of the episodes fitted to.
        spread: (1 + live,) their standard deviation.
    """

    def __init__(
        self, features: Features, model: GaussianMixture, centre: Tensor, spread: Tensor
    ) -> None:
        self.features, self.model = features, model
        self.centre, self.spread = centre, spread
        self.mixture = model.gaussians
        self.precisions = precisions(self.mixture)  # (K, live, live)

    @classmethod
    def fit(cls, features: Features, episodes: Sequence[Tensor], settings: ScoringSettings) -> Self:
        """Fit to rows (T_i, D) of episodes.

        Args:
            features: fitted; their statistics may be those of other episodes.
            episodes: those that the mixture learns.
            settings: of the mixture.
        """
        x = features.stacked(episodes, settings.rows)
        model = GaussianMixture(
            min(settings.components, max(1, len(x) // (4 * x.shape[1]))),
            regularisation=settings.regularisation,
            iterations=settings.iterations,
            tolerance=0.05,
        ).fit(x, generator=torch.Generator().manual_seed(settings.seed))
        scorer = cls(features, model, torch.zeros(1), torch.ones(1))
        own = torch.stack([scorer.channels(each) for each in episodes])
        scorer.centre = own.mean(0)
        scorer.spread = own.std(0, correction=0) + 0.1  # nats; log residuals: a tenth
        return scorer

    def surprise(self, rows: Tensor) -> Tensor:
        """Minus the log-density (T,) of rows (T, D), in nats, of scaled rows."""
        return -self.model.log_prob(self.features.scaled(rows))

    def channels(self, rows: Tensor) -> Tensor:
        """What an episode is judged by (1 + live,): its surprise, and each dimension's residuals.

        Each is a median over the strangest quarter of the episode; residuals are logarithms.
        """
        x = self.features.scaled(rows)
        joint = log_joint(self.mixture, x)
        surprise = -joint.logsumexp(1)
        squared = residuals(self.mixture, self.precisions, x, joint.softmax(1))
        return torch.cat([_late(surprise[:, None]), _late(squared).clamp(min=FLOOR).log()]).double()

    def judge(self, rows: Tensor) -> tuple[float, int]:
        """The score of an episode's rows (T, D), and the channel it comes from.

        The largest channel in standard deviations of the episodes fitted to; channel 0 is the
        surprise, channel i the i-th dimension that varies.
        """
        z = (self.channels(rows) - self.centre) / self.spread
        return float(z.max()), int(z.argmax())


def precisions(mixture: Gaussians) -> Tensor:
    """Inverse covariances (K, D, D)."""
    whiteners = mixture.whiteners
    return whiteners.mT @ whiteners


def residuals(mixture: Gaussians, precisions: Tensor, x: Tensor, shares: Tensor) -> Tensor:
    """How far each value is from what all others tell of it, squared, in variances (B, D).

    Within a Gaussian of precision P, x_i given the others has variance 1 / P_ii and is off by
    [P (x - m)]_i / P_ii (Bishop 2006, eq. 2.73); components count by their responsibilities.

    Args:
        mixture: K components with full covariances.
        precisions: (K, D, D).
        x: rows (B, D).
        shares: responsibilities (B, K).
    """
    total = torch.zeros_like(x)
    for k, precision in enumerate(precisions):
        gap = (x - mixture.means[k]) @ precision
        total += shares[:, k : k + 1] * gap.square() / precision.diagonal()
    return total


def _late(values: Tensor) -> Tensor:
    """The largest median (C,) of the parts of an episode's values (T, C)."""
    parts = max(1, min(PARTS, len(values) // SHORTEST))
    return torch.stack([part.median(0).values for part in values.tensor_split(parts)]).amax(0)


def folds(count: int, most: int) -> list[list[int]]:
    """Numbers 0 to count - 1 in at most so many groups, taken in turn.

    >>> folds(5, 2)
    [[0, 2, 4], [1, 3]]
    """
    groups = min(count, most)
    return [list(range(first, count, groups)) for first in range(groups)]
