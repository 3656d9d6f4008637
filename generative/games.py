"""What generator and critic play for, and what steadies them: descriptions without parameters."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import get_args

from generative.adversarial import AdversarialLoss
from generative.data import check_positive


@dataclass(frozen=True)
class Game:
    """A loss, what keeps the critic smooth, and who moves how often.

    >>> Game("wasserstein")
    Traceback (most recent call last):
    ValueError: The wasserstein loss needs a critic of bounded slope; give gradient_penalty=10, ...
    """

    loss: AdversarialLoss = "bce"
    """Of critic and generator, see :mod:`generative.adversarial`."""
    gradient_penalty: float = 0.0
    """Weight of (slope - 1)² between data and what is generated (Gulrajani et al. 2017)."""
    r1_penalty: float = 0.0
    """Weight of slope² at data (Mescheder et al. 2018: gamma / 2)."""
    spectral_norm: bool = False
    """Divide the critic's weights by their largest singular values (Miyato et al. 2018)."""
    critic_steps: int = 1
    """Of the critic for each step of the generator."""
    betas: tuple[float, float] = (0.5, 0.999)
    """Of Adam, for all players."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "betas", tuple(self.betas))  # JSON has lists
        if self.loss not in get_args(AdversarialLoss):
            choices = ", ".join(get_args(AdversarialLoss))
            raise ValueError(f"The loss of a Game is {self.loss!r}; expected one of {choices}.")
        for name in ("gradient_penalty", "r1_penalty"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(
                    f"A Game was given {name}={getattr(self, name)}; expected at least 0."
                )
        check_positive("A Game", critic_steps=self.critic_steps)
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(
                f"A Game was given betas={self.betas}; expected two numbers, at least 0 and below "
                "1 each."
            )
        if self.loss == "wasserstein" and not (self.gradient_penalty or self.spectral_norm):
            raise ValueError(
                "The wasserstein loss needs a critic of bounded slope; give gradient_penalty=10, "
                "say, or spectral_norm=True."
            )

    @property
    def by_row(self) -> bool:
        """Whether the critic has to judge each row by itself, as penalties of slopes ask."""
        return self.gradient_penalty > 0 or self.r1_penalty > 0


PLAIN = Game()
"""The non-saturating game of Goodfellow et al. (2014)."""
LEAST_SQUARES = Game("least_squares")
"""LSGAN (Mao et al. 2017)."""
HINGE = Game("hinge", spectral_norm=True, betas=(0.0, 0.9))
"""The hinge loss with spectral norm (Miyato et al. 2018)."""
WASSERSTEIN = Game("wasserstein", gradient_penalty=10.0, critic_steps=5, betas=(0.0, 0.9))
"""WGAN-GP (Gulrajani et al. 2017)."""


@dataclass(frozen=True)
class Techniques:
    """What else steadies training: the last of these always, the others if asked for.

    All but the average of the generator are of Salimans et al. (2016), §3.
    """

    feature_matching: float = 0.0
    """Weight, in the generator's loss, of the squared distance between the critic's mean features
    of data and of what is generated (§3.1, where it is the whole loss)."""
    minibatch_discrimination: int = 0
    """Kernels by which the critic sees how alike the rows of a batch are (§3.2); 0 for none."""
    label_smoothing: float = 0.0
    """Data have the label 1 minus this (§3.4); only for the loss "bce"."""
    historical_averaging: float = 0.0
    """Weight of the squared distance of each player's weights from their mean so far (§3.3)."""
    average: float = 0.999
    """What an exponential moving average of the generator's weights keeps at each step; it is the
    average that samples (Yazıcı et al. 2019). 0 keeps nothing: the last weights sample."""

    def __post_init__(self) -> None:
        for name in ("feature_matching", "historical_averaging", "minibatch_discrimination"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(
                    f"Techniques was given {name}={getattr(self, name)}; expected at least 0."
                )
        if not 0 <= self.label_smoothing < 0.5:
            raise ValueError(
                f"Techniques was given label_smoothing={self.label_smoothing}; expected at least 0 "
                "and below 0.5."
            )
        if not 0 <= self.average < 1:
            raise ValueError(
                f"Techniques was given average={self.average}; expected at least 0 and below 1."
            )
