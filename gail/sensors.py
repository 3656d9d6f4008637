"""Sensors that fail, and a policy that plays on with what a repair makes of the others."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gail.errors import GailError
from gail.playing import ROWS, Policy
from gail.repair import Repair


class SensorFaults:
    """Which sensors of an episode fail: a fixed number, chosen anew for each.

    Args:
        width: O.
        share: of the sensors; at least one is left.
        seed: of the choice.

    Raises:
        GailError: if the share is none, or leaves no sensor.

    >>> SensorFaults(10, 0.3).missing(0).sum(), SensorFaults(10, 0.3).missing(1).sum()
    (np.int64(3), np.int64(3))
    """

    def __init__(self, width: int, share: float, seed: int = 0) -> None:
        self.count = round(share * width) if 0 <= share <= 1 else -1
        if not 0 <= self.count < width:
            raise GailError(
                f"{share} of the {width} sensors should fail; give a share of at least 0 that "
                "leaves one sensor or more."
            )
        self.width, self.seed = width, seed

    def missing(self, episode: int) -> NDArray[np.bool_]:
        """Which sensors (O,) fail in an episode, by its number."""
        order = np.random.default_rng([self.seed, episode]).permutation(self.width)
        mask = np.zeros(self.width, dtype=np.bool_)
        mask[order[: self.count]] = True
        return mask


class FaultyPolicy:
    """A policy some of whose sensors fail after the first observation of each episode.

    It is to be played by :func:`gail.playing.play`, which tells where episodes start. The
    environment stays the official one; what fails is between it and the policy.

    Args:
        policy: what acts.
        faults: which sensors fail.
        repair: fills them in, one row for each of those that ``play`` has side by side.
    """

    def __init__(self, policy: Policy, faults: SensorFaults, repair: Repair) -> None:
        if repair.num_envs != ROWS or repair.width != faults.width:
            raise GailError(
                f"The repair is one of {repair.num_envs} rows of {repair.width} sensors; make one "
                f"of {ROWS} rows of {faults.width}."
            )
        self.policy, self.faults, self.repair = policy, faults, repair
        self.missing = np.zeros((ROWS, faults.width), dtype=np.bool_)
        self.episodes = 0

    def predict(
        self,
        observation: NDArray[Any],
        state: tuple[NDArray[Any], ...] | None = None,
        episode_start: NDArray[Any] | None = None,
        deterministic: bool = False,
    ) -> tuple[NDArray[Any], Any]:
        """Actions (B, A) for whole observations (B, O), of which the policy sees a part."""
        starts = np.zeros(len(observation), np.bool_) if episode_start is None else episode_start
        rows = np.flatnonzero(starts)
        self.missing[rows] = False  # the first observation is whole
        faulty = np.where(self.missing, np.nan, observation).astype(np.float32)
        self.repair.forget(torch.from_numpy(rows))
        whole = self.repair.fill(torch.from_numpy(faulty)).numpy()
        for row in rows:
            self.missing[row] = self.faults.missing(self.episodes)
            self.episodes += 1
        return self.policy.predict(whole, deterministic=deterministic)
