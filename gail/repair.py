"""Filling in the sensors that an observation misses, before a policy sees it.

A missing value is NaN. A :class:`Repair` looks after N environments side by side: :meth:`fill`
completes their observations, :meth:`forget` begins new episodes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from gail.errors import GailError
from gail.feature_model import FeatureModel
from gail.regression import Regression, prepare
from generative.diffusion import Diffusion
from generative.mixture import GaussianMixture
from generative.sequence_vae import SequenceVAE

Rows = Tensor | slice
ALL = slice(None)


class Repair(ABC):
    """Fills what is missing in observations of N environments.

    Args:
        num_envs: N.
        width: O.
    """

    def __init__(self, num_envs: int, width: int) -> None:
        self.num_envs, self.width = num_envs, width

    @abstractmethod
    def fill(self, obs: Tensor, rows: Rows = ALL) -> Tensor:
        """Observations with nothing missing.

        Args:
            obs: (M, O), NaN where a value is missing.
            rows: which M of the environments these are of; all by default.
        """

    def forget(self, rows: Rows = ALL) -> None:
        """New episodes begin in these environments; their next observations are the first."""
        return None


class FillValues(Repair):
    """Missing sensors read fixed values, such as 0 or their means.

    Args:
        num_envs: N.
        values: (O,).

    >>> FillValues(1, torch.tensor([5.0, 6.0])).fill(torch.tensor([[1.0, float("nan")]]))
    tensor([[1., 6.]])
    """

    def __init__(self, num_envs: int, values: Tensor) -> None:
        super().__init__(num_envs, len(values))
        self.values = values.float()

    def fill(self, obs: Tensor, rows: Rows = ALL) -> Tensor:
        """See :meth:`Repair.fill`."""
        return torch.where(obs.isnan(), self.values.to(obs.device), obs)


class LastValue(Repair):
    """Missing sensors read what they read last in the episode, or a fixed value before that.

    Args:
        num_envs: N.
        values: (O,) for sensors that were not seen yet.
    """

    def __init__(self, num_envs: int, values: Tensor) -> None:
        super().__init__(num_envs, len(values))
        self.values = values.float()
        self.last = self.values.repeat(num_envs, 1)  # (N, O)

    def forget(self, rows: Rows = ALL) -> None:
        """See :meth:`Repair.forget`."""
        self.last[rows] = self.values.to(self.last.device)

    def fill(self, obs: Tensor, rows: Rows = ALL) -> Tensor:
        """See :meth:`Repair.fill`."""
        self.last = self.last.to(obs.device)
        filled = torch.where(obs.isnan(), self.last[rows], obs)
        self.last[rows] = filled
        return filled


class MixtureRepair(Repair):
    """Missing sensors read their mean given all others, exactly, under a Gaussian mixture.

    The matrices are made when the set of missing sensors changes, usually once an episode.

    Args:
        num_envs: N.
        fitted: a mixture of single observations (s).
        noise: of the sensors that are there, in their standard deviations over the data; above 0
            they are denoised too.

    Raises:
        GailError: if the model is none of these.

    >>> from gail import Demonstrations
    >>> from gail.feature_model import rows_of
    >>> from gail.features import Features
    >>> rows = rows_of(Demonstrations.shipped("toy/PointMass-v0"), "s")
    >>> features = Features("s").fit(rows)
    >>> mixture = GaussianMixture(2).fit(features.stacked(rows))
    >>> repair = MixtureRepair(1, FeatureModel(features, mixture, None))
    >>> repair.fill(torch.tensor([[0.5, 0.1, float("nan"), 0.0]])).isfinite().all()
    tensor(True)
    """

    def __init__(self, num_envs: int, fitted: FeatureModel, noise: float = 0.0) -> None:
        width = _check(fitted, window=False)
        if not noise >= 0:
            raise GailError(f"The noise of the sensors is {noise}; give 0 or more.")
        super().__init__(num_envs, width)
        assert isinstance(fitted.model, GaussianMixture)
        self.features, self.mixture = fitted.features, fitted.model.gaussians
        live = int(self.features.live.sum())
        self.noise = torch.full((live,), noise) if noise else None
        self.observed = torch.ones(num_envs, live, dtype=torch.bool)  # (N, live)
        self.regression: Regression = prepare(self.mixture, self.observed, self.noise)

    @torch.no_grad()
    def fill(self, obs: Tensor, rows: Rows = ALL) -> Tensor:
        """See :meth:`Repair.fill`.

        Raises:
            GailError: if all sensors of an environment are missing.
        """
        missing = obs.isnan()
        seen = ~missing[:, self.features.live.to(obs.device)]
        self._prepare(seen, rows)
        if self.noise is None and not missing.any():
            return obs
        scaled = self.features.scaled(torch.where(missing, 0.0, obs))
        regression = self.regression if rows is ALL else self.regression.some(rows)
        told = self.features.transform.inverse(regression(scaled))
        return torch.where(missing, told, obs) if self.noise is None else told

    def _prepare(self, seen: Tensor, rows: Rows) -> None:
        """Matrices for the environments whose mask has changed."""
        numbers = torch.arange(self.num_envs)[rows]
        changed = (seen.cpu() != self.observed[rows]).any(1)
        if not changed.any():
            return
        _refuse_nothing(seen)
        new = prepare(self.mixture, seen[changed], self.noise)
        self.observed[numbers[changed]] = seen[changed].cpu()
        where = numbers[changed].to(new.seen.device)
        self.regression = self.regression.put(where, new) if len(where) < self.num_envs else new


class WindowRepair(Repair):
    """Missing sensors read what a model of windows tells from the last steps of all others.

    Before an episode is as long as a window, its first observation stands for what was before.

    Args:
        num_envs: N.
        fitted: a sequence VAE or a diffusion of windows of observations (s).

    Raises:
        GailError: if the model is none of these.
    """

    def __init__(self, num_envs: int, fitted: FeatureModel) -> None:
        super().__init__(num_envs, _check(fitted, window=True))
        assert isinstance(fitted.model, SequenceVAE | Diffusion)
        self.features, self.model = fitted.features, fitted.model
        shape = (num_envs, self.features.window, int(self.features.live.sum()))
        like = self.features.live
        self.past = torch.zeros(shape, device=like.device)  # (N, W, live), scaled
        self.seen = torch.zeros(shape, dtype=torch.bool, device=like.device)
        self.young = torch.ones(num_envs, dtype=torch.bool, device=like.device)  # (N,)

    def forget(self, rows: Rows = ALL) -> None:
        """See :meth:`Repair.forget`."""
        self.young[rows] = True

    @torch.no_grad()
    def fill(self, obs: Tensor, rows: Rows = ALL) -> Tensor:
        """See :meth:`Repair.fill`.

        Raises:
            GailError: if all sensors of an environment are missing.
        """
        missing = obs.isnan()
        seen = ~missing[:, self.features.live]
        _refuse_nothing(seen)
        past = self._remember(self.features.scaled(torch.where(missing, 0.0, obs)), seen, rows)
        if not missing.any():
            return obs
        told = self.model.impute(past, self.seen[rows])[:, -1]
        return torch.where(missing, self.features.transform.inverse(told), obs)

    def _remember(self, scaled: Tensor, seen: Tensor, rows: Rows) -> Tensor:
        """The last steps (M, W, live) with this one behind."""
        young = self.young[rows][:, None, None]
        for memory, new in ((self.past, scaled), (self.seen, seen)):
            moved = torch.cat([memory[rows][:, 1:], new[:, None]], 1)
            memory[rows] = torch.where(young, new[:, None], moved)
        self.young[rows] = False
        return self.past[rows]


def repair_with(fitted: FeatureModel, num_envs: int, noise: float = 0.0) -> Repair:
    """The repair that a fitted model can do.

    Raises:
        GailError: if it can do none.
    """
    if isinstance(fitted.model, GaussianMixture):
        return MixtureRepair(num_envs, fitted, noise)
    if noise:
        raise GailError("Only a mixture removes noise; fit one with gail data fit --kind mixture.")
    return WindowRepair(num_envs, fitted)


def named(how: str, num_envs: int, env_id: str | None, means: Tensor) -> Repair:
    """A repair by its name: zero, mean, last, or the file of a fitted model.

    Args:
        how: the name.
        num_envs: N.
        env_id: the task, which a model must be of.
        means: (O,) of the sensors.

    Raises:
        GailError: if a model is of another task or other features.
        ArchiveError: if there is no such file, or it holds no such model.
    """
    match how:
        case "zero":
            return FillValues(num_envs, torch.zeros_like(means))
        case "mean":
            return FillValues(num_envs, means)
        case "last":
            return LastValue(num_envs, means)
    fitted = FeatureModel.load(how)
    fitted.check_for(env_id, "s", len(means))
    return repair_with(fitted, num_envs)


def _check(fitted: FeatureModel, window: bool) -> int:
    """O of a model of single observations or of windows of them.

    Raises:
        GailError: if it is of other features, or whitened.
    """
    features = fitted.features
    if features.whiten or (features.window > 1) != window:
        raise GailError(
            f"A {type(fitted.model).__name__} of windows of {features.window} "
            f"{'whitened ' if features.whiten else ''}steps cannot fill in sensors; fit one with "
            "gail data fit --inputs s."
        )
    fitted.check_for(None, "s", len(features.live))
    return len(features.live)


def _refuse_nothing(seen: Tensor) -> None:
    empty = (~seen.any(1)).nonzero()
    if len(empty):
        raise GailError(
            f"All sensors are missing in environment {int(empty[0])}; at least one that varies is "
            "needed to fill in the others."
        )
