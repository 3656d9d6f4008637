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


class ModelRepair(Repair):
    """What repairs by models share: they remember the last steps of each environment, scaled.

    Before an episode is as long as a window, its first observation stands for what was before.

    Args:
        num_envs: N.
        fitted: a model of observations (s), or of windows of them.

    Raises:
        GailError: if the model is of other features.
    """

    def __init__(self, num_envs: int, fitted: FeatureModel) -> None:
        self.features = fitted.features
        super().__init__(num_envs, _check(fitted))
        live = self.features.live
        shape = (num_envs, self.features.window, int(live.sum()))
        self.past = torch.zeros(shape, device=live.device)  # (N, W, live)
        self.seen = torch.ones(shape, dtype=torch.bool, device=live.device)  # (N, W, live)
        self.young = torch.ones(num_envs, dtype=torch.bool, device=live.device)  # (N,)

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
        scaled = self.features.scaled(torch.where(missing, 0.0, obs))
        self._remember(scaled, ~missing[:, self.features.live], rows)
        told = self.tell(rows) if self.always or missing.any() else None
        if told is None:
            return obs
        whole = self.features.transform.inverse(told)
        return whole if self.always else torch.where(missing, whole, obs)

    always = False  # whether sensors that are there are told anew too

    @abstractmethod
    def tell(self, rows: Rows) -> Tensor:
        """The last step (M, live) of these environments, scaled, from what was seen of it."""

    def _remember(self, scaled: Tensor, seen: Tensor, rows: Rows) -> None:
        """Put steps (M, live) behind the others."""
        empty = (~seen.any(1)).nonzero()
        if len(empty):
            raise GailError(
                f"All sensors are missing in environment {int(empty[0])}; at least one that varies "
                "is needed to fill in the others."
            )
        young = self.young[rows][:, None, None]
        for memory, new in ((self.past, scaled), (self.seen, seen)):
            moved = torch.cat([memory[rows][:, 1:], new[:, None]], 1)
            memory[rows] = torch.where(young, new[:, None], moved)
        self.young[rows] = False


class MixtureRepair(ModelRepair):
    """Missing sensors read their mean given all others, exactly, under a Gaussian mixture.

    Given are the sensors that were there through the whole window. The matrices are made when the
    set of these changes, usually once an episode.

    Args:
        num_envs: N.
        fitted: a mixture of observations (s), or of windows of them.
        noise: of the sensors that are there, in their standard deviations over the data; above 0
            they are denoised too.

    Raises:
        GailError: if the model is none of these.

    >>> from gail import Demonstrations
    >>> from gail.fitting import FitSettings, fit_model
    >>> demos = Demonstrations.shipped("toy/PointMass-v0")
    >>> repair = MixtureRepair(1, fit_model(demos, FitSettings(components=2)))
    >>> repair.fill(torch.tensor([[0.5, 0.1, float("nan"), 0.0]])).isfinite().all()
    tensor(True)
    """

    def __init__(self, num_envs: int, fitted: FeatureModel, noise: float = 0.0) -> None:
        super().__init__(num_envs, fitted)
        if not noise >= 0:
            raise GailError(f"The noise of the sensors is {noise}; give 0 or more.")
        assert isinstance(fitted.model, GaussianMixture)
        self.mixture, self.always = fitted.model.gaussians, noise > 0
        self.noise = torch.full((self.mixture.means.shape[1],), noise) if noise else None
        self.known = self.seen.all(1)  # (N, live)
        self.regression = self._prepared(self.known)

    def tell(self, rows: Rows) -> Tensor:
        """See :meth:`ModelRepair.tell`."""
        self._update(rows)
        regression = self.regression if rows is ALL else self.regression.some(rows)
        return regression(self.past[rows].flatten(1))[:, -self.known.shape[1] :]

    def _update(self, rows: Rows) -> None:
        """New matrices for environments whose mask has changed."""
        known = self.seen[rows].all(1)
        changed = (known != self.known[rows]).any(1)
        if not changed.any():
            return
        numbers = torch.arange(self.num_envs, device=known.device)[rows][changed]
        self.known[numbers] = known[changed]
        new = self._prepared(known[changed])
        self.regression = (
            new if len(numbers) == self.num_envs else self.regression.put(numbers, new)
        )

    def _prepared(self, known: Tensor) -> Regression:
        """Matrices for masks (M, live) that hold through the window."""
        observed = known.repeat(1, self.features.window)
        ask = torch.zeros_like(observed)
        ask[:, -known.shape[1] :] = True if self.always else ~known
        return prepare(self.mixture, observed, ask, self.noise)


class WindowRepair(ModelRepair):
    """Missing sensors read what a sequence VAE or a diffusion of windows tells.

    Args:
        num_envs: N.
        fitted: a model of windows of observations (s).

    Raises:
        GailError: if it is none.
    """

    def __init__(self, num_envs: int, fitted: FeatureModel) -> None:
        super().__init__(num_envs, fitted)
        assert isinstance(fitted.model, SequenceVAE | Diffusion)
        self.model = fitted.model

    def tell(self, rows: Rows) -> Tensor:
        """See :meth:`ModelRepair.tell`."""
        return self.model.impute(self.past[rows], self.seen[rows])[:, -1]


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


def _check(fitted: FeatureModel) -> int:
    """O of a model of observations or of windows of them.

    Raises:
        GailError: if it is of other features, or whitened.
    """
    if fitted.features.whiten:
        raise GailError("A model of whitened features cannot fill in sensors; fit another one.")
    width = len(fitted.features.live)
    fitted.check_for(None, "s", width)
    return width
