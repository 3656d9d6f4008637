"""Gaussian mixtures by expectation-maximisation."""

from __future__ import annotations

from typing import Any, Self

import torch

from generative.data import Data, check_positive
from generative.em import Climb, Prepared, Report
from generative.gaussians import Covariance, Gaussians
from generative.mixture_base import Mixture
from generative.transform import Transform


class GaussianMixture(Mixture):
    """A weighted sum of Gaussians, p(x) = Σ_k w_k N(x; μ_k, Σ_k), fitted by EM.

    The precision is that of the data it is fitted to: float32 or float64.

    Attributes:
        history: mean log-likelihood of a row before each step of the last ``fit``, after
            preprocessing; not saved.

    >>> g = torch.Generator().manual_seed(0)
    >>> x = torch.randn(300, 2, generator=g) + 8 * torch.randint(2, (300, 1), generator=g)
    >>> model = GaussianMixture(2).fit(x, generator=g)
    >>> model.weights.sum(), model.log_prob(x).shape, model.sample(5, g).shape
    (tensor(1.), torch.Size([300]), torch.Size([5, 2]))
    """

    def __init__(
        self,
        components: int = 1,
        covariance: Covariance = "full",
        *,
        preprocessing: Transform | None = None,
        regularisation: float = 1e-6,
        iterations: int = 100,
        tolerance: float = 1e-3,
        restarts: int = 1,
    ) -> None:
        """Choose the shape of the mixture and how it is fitted.

        Args:
            components: K.
            covariance: of each component: any matrix (full), one matrix for all (tied), one
                variance a dimension (diagonal) or one alone (spherical).
            preprocessing: fitted with the mixture, applied before it.
            regularisation: added to variances, in squared units after preprocessing.
            iterations: of EM, at most.
            tolerance: EM ends once the mean log-likelihood gains less in a step.
            restarts: starts from different seeds, of which the best is kept.

        Raises:
            ValueError: if a setting is out of its range.
        """
        super().__init__(components, covariance, preprocessing=preprocessing)
        check_positive("GaussianMixture", iterations=iterations, restarts=restarts)
        if not (regularisation >= 0 and tolerance >= 0):
            raise ValueError(
                f"GaussianMixture was given regularisation={regularisation} and "
                f"tolerance={tolerance}; neither may be negative."
            )
        self.regularisation = regularisation
        self.iterations = iterations
        self.tolerance = tolerance
        self.restarts = restarts
        self.history: list[float] = []

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON."""
        return super().settings() | {
            "regularisation": self.regularisation,
            "iterations": self.iterations,
            "tolerance": self.tolerance,
            "restarts": self.restarts,
        }

    @torch.no_grad()
    def fit(
        self,
        x: Data,
        *,
        mask: Data | None = None,
        weights: Data | None = None,
        start: Mixture | None = None,
        generator: torch.Generator | None = None,
        report: Report | None = None,
    ) -> Self:
        """Fit by EM (Dempster et al. 1977; with missing values, Ghahramani & Jordan 1994).

        Args:
            x: rows (N, D).
            mask: (N, D), True where a value is observed; the rest counts as missing at random.
            weights: how often each row counts (N,).
            start: continue from this fitted mixture, itself or another, with its preprocessing,
                instead of k-means.
            generator: source of the seeds of k-means.
            report: called after each step with its number and the mean log-likelihood before it.

        Returns:
            The model. Wrong input leaves it as it was.

        Raises:
            ValueError: if the data cannot be used, or are fewer rows than components.
        """
        before = self.preprocessing if start is None else start.preprocessing
        data = Prepared.of(x, mask, weights, before, fit=start is None, components=self.components)
        climb = Climb(self.regularisation, self.iterations, self.tolerance)
        if start is not None:
            best, history = climb.run(data, self._as_start(start, data), report)
        else:
            best, history = max(
                (
                    climb.run(data, self._start(data, generator), report)
                    for _ in range(self.restarts)
                ),
                key=lambda result: result[1][-1],
            )
        self.preprocessing, self.history = data.preprocessing, history
        self._take(best)
        return self

    def _start(self, data: Prepared, generator: torch.Generator | None) -> Gaussians:
        moments = data.kmeans(self.components, self.covariance, generator)
        return moments.maximise(self.regularisation)

    def _as_start(self, start: Mixture, data: Prepared) -> Gaussians:
        given, width = start.gaussians.to(data.x), data.x.shape[1]
        if given.kind != self.covariance or given.means.shape != (self.components, width):
            raise ValueError(
                f"The start has {given.kind} covariances and means of the shape "
                f"{tuple(given.means.shape)}; expected {self.covariance} and "
                f"{(self.components, width)}."
            )
        return given
