"""How far a policy is from demonstrations while it learns, without any reward."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from stable_baselines3.common.callbacks import BaseCallback
from torch import Tensor

from gail.curves import STEP, drop_rows_beyond
from gail.demonstrations import Demonstrations
from gail.errors import GailError
from gail.feature_model import rows_of
from gail.features import Features, Inputs, rollout_rows
from generative.mixture import GaussianMixture

COLUMNS = (STEP, "distance", "strangeness", "coverage")


@dataclass(frozen=True)
class DistanceSettings:
    """How the distance is measured."""

    inputs: Inputs = "s"
    """What is compared: observations (s), with actions (sa) or with next observations (ss)."""
    components: int = 8
    """Gaussians of each mixture."""
    rows: int = 8192
    """Steps of demonstrations, and of a rollout, at most."""
    smoothing: float = 0.7
    """Weight of the past in the running mean that the best policy is chosen by."""
    patience: int | None = None
    """Stop after so many environment steps without a better one; None never stops."""
    seed: int = 0
    """Of the mixture's start."""


class Divergence:
    """Between rows of a rollout and of demonstrations, from mixtures of either.

    One mixture is fitted to half of the demonstrations. A rollout's own mixture starts from it and
    is fitted to half of the rollout. On the other halves, of the two densities p (demonstrations)
    and q (rollout),

    - strangeness is the median of log q - log p over the rollout: it does what the expert does not;
    - coverage is the median of log p - log q over the demonstrations: it leaves out what the
      expert does.

    Their means would be the two Kullback-Leibler divergences, and their sum Jeffreys'; medians
    are not ruled by a few steps in which the robot falls. Both are taken for one dimension.

    Args:
        rows: (T_i, D) of each demonstration.
        settings: of the mixtures.
    """

    def __init__(self, rows: Sequence[Tensor], settings: DistanceSettings) -> None:
        self.settings = settings
        self.features = Features(settings.inputs).fit(rows)
        fit_on, self.demonstrations = self._halves(rows)
        components = min(settings.components, max(1, len(fit_on) // (4 * fit_on.shape[1])))
        generator = torch.Generator().manual_seed(settings.seed)
        self.expert = _mixture(components, 30).fit(fit_on, generator=generator)
        self._own = self.expert.log_prob(self.demonstrations)

    def __call__(self, rows: Sequence[Tensor]) -> tuple[float, float]:
        """Strangeness and coverage of a rollout's rows (T_i, D), in nats a dimension."""
        fit_on, rollout = self._halves([each.cpu() for each in rows])
        policy = _mixture(self.expert.components, 5).fit(fit_on, start=self.expert)
        strange = policy.log_prob(rollout) - self.expert.log_prob(rollout)
        covered = self._own - policy.log_prob(self.demonstrations)
        width = rollout.shape[1]
        return float(strange.median()) / width, float(covered.median()) / width

    def _halves(self, rows: Sequence[Tensor]) -> list[Tensor]:
        """What a mixture is fitted to and what it is asked about, of different episodes."""
        if len(rows) == 1:
            rows = rows[0].tensor_split(2)
        most = self.settings.rows
        return [self.features.stacked(half, most) for half in (rows[0::2], rows[1::2])]


def _mixture(components: int, iterations: int) -> GaussianMixture:
    return GaussianMixture(components, regularisation=0.01, iterations=iterations, tolerance=0.02)


class PolicyDistance(BaseCallback):
    """Measures the distance of each rollout, keeps the nearest policy, and can stop early.

    The sum of strangeness and coverage is ``expert/distance`` in the log. No reward is looked at.
    The policy that is kept is the one that played the rollout with the lowest running mean.
    Training is not touched: a run with it ends with the same weights as a run without.

    Args:
        demonstrations: of the task.
        settings: by default those of :class:`DistanceSettings`.
        folder: where ``policy_distance.csv`` and ``nearest.zip`` are written; None writes nothing.

    Raises:
        GailError: if a setting is out of its range.

    Attributes:
        nearest: environment steps and running mean of the nearest policy so far.
    """

    def __init__(
        self,
        demonstrations: Demonstrations,
        settings: DistanceSettings | None = None,
        folder: Path | None = None,
    ) -> None:
        super().__init__()
        self.settings = settings or DistanceSettings()
        if not 0 <= self.settings.smoothing < 1:
            raise GailError(
                f"smoothing is {self.settings.smoothing}; give at least 0 and less than 1."
            )
        if self.settings.patience is not None and self.settings.patience < 1:
            raise GailError(f"patience is {self.settings.patience} steps; give 1 or more.")
        self.demonstrations, self.folder = demonstrations, folder
        self.nearest: tuple[int, float] = (0, math.inf)
        self.mean: float | None = None
        self.stopping = False
        self._divergence: Divergence | None = None

    def _on_training_start(self) -> None:
        space = (self.model.observation_space, self.model.action_space)
        learner: Any = self.model  # a TorchPPO, which SB3's base class does not promise
        self.demonstrations.check_for(learner.env_id, *space)
        rows = rows_of(self.demonstrations, self.settings.inputs)
        self._divergence = Divergence(rows, self.settings)
        self.nearest, self.mean, self.stopping = (0, math.inf), None, False
        if self.folder is None:
            return
        path = self.folder / "policy_distance.csv"
        if not path.is_file() or self.model.num_timesteps == 0:
            path.write_text(",".join(COLUMNS) + "\n")
        drop_rows_beyond(path, self.model.num_timesteps)
        for step, distance in read_distances(path):
            self._take(step, distance)

    def _on_rollout_end(self) -> None:
        assert self._divergence is not None
        learner: Any = self.model
        rows = rollout_rows(learner.rollout_buffer, self.settings.inputs)
        strangeness, coverage = self._divergence(rows)
        distance, step = strangeness + coverage, learner.num_timesteps
        nearer = self._take(step, distance)
        for name, value in (
            ("distance", distance),
            ("strangeness", strangeness),
            ("coverage", coverage),
        ):
            self.logger.record(f"expert/{name}", value)
        if self.folder is not None:
            with (self.folder / "policy_distance.csv").open("a", newline="") as file:
                csv.writer(file).writerow([step, distance, strangeness, coverage])
            if nearer:
                learner.save(self.folder / "nearest.zip")
        patience = self.settings.patience
        self.stopping = patience is not None and step - self.nearest[0] >= patience

    def _on_step(self) -> bool:
        return not self.stopping

    def _take(self, step: int, distance: float) -> bool:
        """Whether the policy of this step is the nearest so far."""
        share = self.settings.smoothing
        self.mean = distance if self.mean is None else share * self.mean + (1 - share) * distance
        nearer = self.mean < self.nearest[1]
        if nearer:
            self.nearest = (step, self.mean)
        return nearer


def read_distances(path: Path) -> list[tuple[int, float]]:
    """Steps and distance, a row a rollout; none without a file."""
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return [(int(row[STEP]), float(row["distance"])) for row in csv.DictReader(file)]
