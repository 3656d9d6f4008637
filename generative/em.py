"""Expectation-maximisation for mixtures: preparation, start and the climb."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from generative.data import Data, as_tensor, check_mask, check_weights, rows, wide
from generative.gaussians import Covariance, Gaussians, chunks
from generative.missing import expect_missing
from generative.moments import Moments, expect
from generative.start import kmeans
from generative.transform import Transform

Report = Callable[[int, float], None]


@dataclass(frozen=True)
class Prepared:
    """Data as a mixture sees them.

    Attributes:
        x: rows (N, D), after preprocessing.
        mask: (N, D), True where observed, or nothing if all are.
        weights: of the rows (N,).
        preprocessing: what was applied.
    """

    x: Tensor
    mask: Tensor | None
    weights: Tensor
    preprocessing: Transform

    @classmethod
    def of(
        cls,
        x: Data,
        mask: Data | None,
        weights: Data | None,
        preprocessing: Transform,
        *,
        fit: bool,
        components: int,
    ) -> Prepared:
        """Check data and preprocess them with a copy of a transform, fitted if asked.

        Raises:
            ValueError: if the data cannot be used, or are fewer rows than components.
        """
        data = rows(x, mask=None if mask is None else check_mask(mask, x))
        observed = None if mask is None else as_tensor(mask).to(data.device)
        share = check_weights(weights, data)
        count = int((share > 0).sum())
        if count < components:
            raise ValueError(
                f"{count} rows were given for {components} components; "
                "give at least one row for each, or use fewer components."
            )
        if observed is not None:
            preprocessing.check_elementwise("fitting with missing values")
        preprocessing = copy.deepcopy(preprocessing).to(data.device)
        if fit:
            preprocessing.fit(data, observed)
        y, _ = preprocessing(data)
        kept = None if observed is None else preprocessing.kept(observed)
        return cls(y, kept, share, preprocessing)

    def kmeans(self, k: int, kind: Covariance, generator: torch.Generator | None) -> Moments:
        """Statistics of the clusters that k-means finds; holes are filled with means for it."""
        x = self.x
        if self.mask is not None:
            observed = self.mask.to(x)
            mean = (x * observed).sum(0) / observed.sum(0).clamp(min=1)
            x = torch.where(self.mask, x, mean)
        centres, labels = kmeans(x, k, self.weights, generator)
        moments = Moments.zero(centres, kind)
        for part in chunks(x):
            hard = F.one_hot(labels[part], k).to(x)
            moments.add(x[part], hard * self.weights[part, None])
        return moments

    def expect(self, mixture: Gaussians) -> tuple[Moments, float]:
        """The E-step: statistics, and the mean log-likelihood of a row."""
        if self.mask is None:
            moments, total = expect(self.x, self.weights, mixture)
        else:
            moments, total = expect_missing(self.x, self.mask, self.weights, mixture)
        return moments, total / float(wide(self.weights).sum())


@dataclass(frozen=True)
class Climb:
    """When EM stops, and how it is kept from collapsing.

    Attributes:
        regularisation: added to variances.
        iterations: at most.
        tolerance: the smallest gain in mean log-likelihood that is worth another step.
    """

    regularisation: float
    iterations: int
    tolerance: float

    def run(
        self, data: Prepared, mixture: Gaussians, report: Report | None
    ) -> tuple[Gaussians, list[float]]:
        """Alternate E and M; also returns the mean log-likelihood before each step."""
        history: list[float] = []
        for step in range(self.iterations):
            moments, likelihood = data.expect(mixture)
            history.append(likelihood)
            if report is not None:
                report(step, likelihood)
            mixture = moments.maximise(self.regularisation)
            if step and history[-1] - history[-2] < self.tolerance:
                break
        return mixture, history
