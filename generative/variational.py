"""Gaussian mixtures by variational inference: they find the number of clusters themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from generative.allocation import Allocation, Weights
from generative.data import Data, check_positive, wide
from generative.em import Prepared, Report
from generative.gaussians import Gaussians, inverse_triangular
from generative.merging import merge, ordered, pair_entropies
from generative.mixture_base import Mixture
from generative.moments import Moments
from generative.transform import Transform
from generative.wishart import Posterior, Prior, Sums

_MERGE_EVERY = 5  # steps; a merge costs about as much as one


@dataclass(frozen=True)
class Scores(Gaussians):
    """Expected log-densities under beliefs: like Gaussians, with constants of their own."""

    constants: Tensor

    def offsets(self) -> Tensor:
        """What an expected log-density has besides its squared distance (K,)."""
        return self.constants


class VariationalMixture(Mixture):
    """A Gaussian mixture with beliefs about its parameters, of which only needed components live.

    Weights have a Dirichlet-process or Dirichlet prior, means and covariances a normal-Wishart
    one (Bishop 2006, §10.2; Blei & Jordan 2006). From more components than needed, variational
    inference alone leaves clusters split in many dimensions; merge moves (Hughes & Sudderth 2013)
    join two components wherever that raises the bound.

    ``log_prob``, ``sample``, ``impute`` and ``condition`` are those of the mixture with the
    expected weights, means and covariances.

    Attributes:
        history: the evidence lower bound, divided by the number of rows, after each step of the
            last ``fit``; after preprocessing, not saved.

    >>> g = torch.Generator().manual_seed(0)
    >>> x = torch.randn(300, 2, generator=g) + 8 * torch.randint(3, (300, 1), generator=g)
    >>> VariationalMixture(10).fit(x, generator=g).alive
    3
    """

    def __init__(
        self,
        components: int = 32,
        prior: Allocation = "dirichlet process",
        *,
        preprocessing: Transform | None = None,
        concentration: float | None = None,
        mean_precision: float = 0.01,
        covariance_scale: float = 0.1,
        iterations: int = 200,
        tolerance: float = 1e-4,
    ) -> None:
        """Choose priors and how the mixture is fitted.

        Args:
            components: to start from; as many as could be needed.
            prior: of the weights, ``"dirichlet process"`` or ``"dirichlet"``.
            preprocessing: fitted with the mixture, applied before it.
            concentration: of the weights; the larger, the more components. By default 1 for the
                process, and 1 / components for each component of a Dirichlet.
            mean_precision: how many rows the prior mean, that of the data, counts for.
            covariance_scale: prior variance of a component in each dimension, as a part of the
                variance of the data; it counts for about as many rows as there are dimensions.
            iterations: at most.
            tolerance: the fit ends once the bound gains less a row and nothing can be merged.

        Raises:
            ValueError: if a setting is out of its range.
        """
        super().__init__(components, "full", preprocessing=preprocessing)
        check_positive(
            "VariationalMixture",
            concentration=concentration,
            mean_precision=mean_precision,
            covariance_scale=covariance_scale,
            iterations=iterations,
            tolerance=tolerance,
        )
        self.prior: Allocation = prior
        self.concentration = concentration
        self.mean_precision = mean_precision
        self.covariance_scale = covariance_scale
        self.iterations = iterations
        self.tolerance = tolerance
        self.history: list[float] = []
        self._weights_prior()

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON."""
        settings = super().settings() | {
            "prior": self.prior,
            "concentration": self.concentration,
            "mean_precision": self.mean_precision,
            "covariance_scale": self.covariance_scale,
            "iterations": self.iterations,
            "tolerance": self.tolerance,
        }
        del settings["covariance"]
        return settings

    @property
    def alive(self) -> int:
        """How many components are left."""
        self.check_fitted()
        return len(self.weights)

    @torch.no_grad()
    def fit(
        self,
        x: Data,
        *,
        weights: Data | None = None,
        generator: torch.Generator | None = None,
        report: Report | None = None,
    ) -> Self:
        """Fit by coordinate ascent on the bound, with merges.

        Args:
            x: rows (N, D).
            weights: how often each row counts (N,).
            generator: source of the seeds of k-means.
            report: called after each step with its number and the bound a row.

        Returns:
            The model. Wrong input leaves it as it was.

        Raises:
            ValueError: if the data cannot be used, or are fewer rows than components.
        """
        data = Prepared.of(
            x, None, weights, self.preprocessing, fit=True, components=self.components
        )
        ascent = Ascent(data, self._gaussian_prior(data), self._weights_prior())
        sums = ascent.start(self.components, generator)
        history: list[float] = []
        waiting = 0  # steps since merges were tried
        for step in range(self.iterations):
            sums, bound = ascent.step(sums)
            history.append(bound)
            if report is not None:
                report(step, bound)
            waiting += 1
            settled = step > 0 and history[-1] - history[-2] < self.tolerance
            if settled or waiting == _MERGE_EVERY:
                merged, waiting = ascent.merge(sums), 0
                if merged is None and settled:
                    break
                sums = sums if merged is None else merged
        self.preprocessing, self.history = data.preprocessing, history
        self._take(ascent.expected(sums))
        return self

    def _weights_prior(self) -> Weights:
        usual = 1.0 if self.prior == "dirichlet process" else 1 / self.components
        return Weights(self.prior, self.concentration or usual, self.components)

    def _gaussian_prior(self, data: Prepared) -> Prior:
        share = wide(data.weights) / wide(data.weights).sum()
        x = wide(data.x)
        mean = share @ x
        variance = share @ (x - mean).square()
        if not (variance > 0).all():
            raise ValueError(
                f"Column {int((variance <= 0).nonzero()[0])} after preprocessing never varies; "
                "preprocess with DropConstant()."
            )
        scale = torch.diag(self.covariance_scale * variance)
        return Prior(mean, self.mean_precision, x.shape[1] + 2.0, scale)


@dataclass(frozen=True)
class Ascent:
    """Coordinate ascent on the bound; its state is the sums that components hold."""

    data: Prepared
    prior: Prior
    weights: Weights

    def start(self, k: int, generator: torch.Generator | None) -> Sums:
        """Sums of the clusters that k-means finds."""
        return ordered(Sums.of(self.data.kmeans(k, "full", generator), self.prior.origin))

    def scores(self, sums: Sums) -> Scores:
        """Expected log-densities under the best beliefs for the sums."""
        beliefs = self.prior.posterior(sums)
        constants = beliefs.expected_constants() + self.weights.expected_logs(sums.count)
        x = self.data.x
        return Scores(
            self.weights.expected(sums.count).to(x),
            beliefs.means.to(x),
            beliefs.expected_whiteners().to(x),
            "full",
            constants.to(x),
        )

    def step(self, sums: Sums) -> tuple[Sums, float]:
        """One E-step and the beliefs after it; components left with less than a row go."""
        scores = self.scores(sums)
        moments, mean_evidence = self.data.expect(scores)
        rows = float(wide(self.data.weights).sum())
        entropy = mean_evidence * rows - _expected_score(scores, moments)
        sums = ordered(Sums.of(moments, self.prior.origin))
        bound = self.prior.evidence(sums).sum() + self.weights.evidence(sums.count) + entropy
        least = sums.count[0].clamp(max=1)  # the largest stays, however little weight it holds
        return sums[sums.count >= least], float(bound) / rows

    def merge(self, sums: Sums) -> Sums | None:
        """Sums after the merges that raise the bound, if there are any."""
        scores = self.scores(sums)
        entropies = pair_entropies(self.data.x, self.data.weights, scores)
        fresh = Sums.of(self.data.expect(scores)[0], self.prior.origin)
        return merge(fresh, entropies, self.prior, self.weights)

    def expected(self, sums: Sums) -> Gaussians:
        """The mixture with expected weights, means and covariances."""
        beliefs: Posterior = self.prior.posterior(sums)
        spread = (beliefs.freedom - len(self.prior.origin) - 1).sqrt()
        whiteners = inverse_triangular(beliefs.factors) * spread[:, None, None]
        weights = self.weights.expected(sums.count)
        return Gaussians(weights, beliefs.means, whiteners, "full").to(self.data.x)


def _expected_score(scores: Scores, moments: Moments) -> float:
    """Sum over rows and components of share times log-score, from moments about the means."""
    whiteners = wide(scores.whiteners)
    distances = torch.einsum("kij,kjl,kil->k", whiteners, moments.second, whiteners)
    return float(moments.count @ wide(scores.constants) - distances.sum() / 2)
