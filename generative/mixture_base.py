"""What can be asked of a mixture of Gaussians, however it was fitted."""

from __future__ import annotations

import math
from typing import Any, Self, get_args

import torch
from torch import Tensor

from generative.chain import describe, from_description
from generative.data import Data, as_tensor, check_mask, check_positive, rows, wide
from generative.gaussians import Covariance, Gaussians, log_joint, whiteners_of
from generative.missing import complete, hidden_part
from generative.model import DensityModel
from generative.transform import Transform


class Mixture(DensityModel):
    """A weighted sum of Gaussians, p(x) = Σ_k w_k N(x; μ_k, Σ_k), behind a preprocessing.

    Where preprocessing is given, ``log_prob``, ``sample``, ``impute`` and ``condition`` speak in
    units of the data.

    Attributes:
        weights: (K,), of sum 1; empty before ``fit``.
        means: (K, D), after preprocessing.
        whiteners: inverse Cholesky factors of the covariances; see
            :class:`~generative.gaussians.Gaussians`.
    """

    weights: Tensor
    means: Tensor
    whiteners: Tensor

    def __init__(
        self,
        components: int = 1,
        covariance: Covariance = "full",
        *,
        preprocessing: Transform | None = None,
    ) -> None:
        super().__init__()
        check_positive(type(self).__name__, components=components)
        if covariance not in get_args(Covariance):
            choices = ", ".join(get_args(Covariance))
            raise ValueError(f"The covariance is {covariance!r}; expected one of {choices}.")
        self.components = components
        self.covariance: Covariance = covariance
        self.preprocessing = Transform() if preprocessing is None else preprocessing
        for name in ("weights", "means", "whiteners"):
            self.new_buffer(name)

    @staticmethod
    def of(
        weights: Tensor,
        means: Tensor,
        covariances: Tensor,
        covariance: Covariance = "full",
        preprocessing: Transform | None = None,
    ) -> Mixture:
        """A mixture with given parameters.

        Args:
            weights: (K,), positive; divided by their sum.
            means: (K, D).
            covariances: (K, D, D) if full, (D, D) if tied, (K, D) if diagonal, (K,) if spherical.
            covariance: which of these.
            preprocessing: fitted; the parameters apply after it.

        Raises:
            ValueError: if a shape does not fit or a covariance is not positive definite.

        >>> from generative import Mixture
        >>> Mixture.of(torch.ones(1), torch.zeros(1, 2), torch.eye(2)[None]).log_prob(
        ...     torch.zeros(1, 2))
        tensor([-1.8379])
        """
        k, d = means.shape
        shapes = {"full": (k, d, d), "tied": (d, d), "diagonal": (k, d), "spherical": (k,)}
        if weights.shape != (k,) or covariances.shape != shapes[covariance]:
            raise ValueError(
                f"A mixture was given weights {tuple(weights.shape)}, means {(k, d)} and "
                f"covariances {tuple(covariances.shape)}; expected ({k},), (K, D) and "
                f"{shapes[covariance]}."
            )
        model = Mixture(k, covariance, preprocessing=preprocessing)
        whiteners = whiteners_of(wide(covariances), covariance, 0.0).to(means)
        model._take(Gaussians(weights / weights.sum(), means, whiteners, covariance))
        return model

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON."""
        return {
            "components": self.components,
            "covariance": self.covariance,
            "preprocessing": describe(self.preprocessing),
        }

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Self:
        """An unfitted mixture from what :meth:`settings` returned."""
        return cls(**{**settings, "preprocessing": from_description(settings["preprocessing"])})

    @property
    def fitted(self) -> bool:
        """Whether there are parameters."""
        return self.weights.numel() > 0

    @property
    def width(self) -> int:
        """Over how many dimensions the density is."""
        return self.gaussians.means.shape[1]

    @property
    def gaussians(self) -> Gaussians:
        """The present components, after preprocessing."""
        self.check_fitted()
        return Gaussians(self.weights, self.means, self.whiteners, self.covariance)

    def _take(self, mixture: Gaussians) -> None:
        """Hold these; in plain memory order, as a file does, to round alike when loaded."""
        self.weights = mixture.weights.contiguous()
        self.means = mixture.means.contiguous()
        self.whiteners = mixture.whiteners.contiguous()

    def log_prob(self, x: Data) -> Tensor:
        """Log-density (B,) of rows (B, D), in nats and in units of the data."""
        y, log_det = self.preprocessing(self._rows(x))
        density: Tensor = log_joint(self.gaussians, y).logsumexp(1) + log_det
        return density

    def responsibilities(self, x: Data) -> Tensor:
        """Probability of each component given each row (B, K)."""
        return log_joint(self.gaussians, self.preprocessing(self._rows(x))[0]).softmax(1)

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw rows (n, D)."""
        return self.preprocessing.inverse(self.gaussians.sample(n, generator))

    @torch.no_grad()
    def impute(
        self,
        x: Data,
        mask: Data,
        *,
        draw: bool = False,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Complete rows (B, D): hidden values become their mean given the observed ones.

        Exact for preprocessing that is linear in each dimension; a curved one (Logit) gives the
        value that it maps to the mean.

        Args:
            x: rows; hidden values may be anything.
            mask: (B, D), True where a value is observed.
            draw: draw the hidden values from their distribution instead.
            generator: source of the draws.

        Raises:
            ValueError: if a mask or row cannot be used, or the preprocessing mixes dimensions.
        """
        observed = check_mask(mask, x)
        self.preprocessing.check_elementwise("impute")
        data = self._rows(x, observed)
        observed = observed.to(data.device)
        y, _ = self.preprocessing(data, generator)
        here = self.preprocessing.kept(observed)
        whole = complete(self.gaussians, y, here, draw, generator)
        return torch.where(observed, data, self.preprocessing.inverse(whole))

    @torch.no_grad()
    def condition(self, x: Data, mask: Data) -> Mixture:
        """The mixture p(hidden | observed) of the dimensions where the mask is False.

        Args:
            x: one row (D,); hidden values may be anything.
            mask: (D,), True where a dimension is observed.

        Returns:
            A mixture of the hidden dimensions, in their order and units.

        Raises:
            ValueError: if nothing is hidden or observed, or the preprocessing mixes dimensions.

        >>> from generative import Mixture
        >>> joint = Mixture.of(
        ...     torch.ones(1), torch.zeros(1, 2), torch.tensor([[[1.0, 0.8], [0.8, 1.0]]]))
        >>> given = joint.condition(torch.tensor([2.0, 0.0]), torch.tensor([True, False]))
        >>> given.means, given.covariances()
        (tensor([[1.6000]]), tensor([[[0.3600]]]))
        """
        row, seen = as_tensor(x)[None], as_tensor(mask)[None]
        observed = check_mask(seen, row)
        self.preprocessing.check_elementwise("condition")
        y, _ = self.preprocessing(self._rows(row, observed))
        observed = observed.to(y.device)[0]
        here = self.preprocessing.kept(observed)
        if here.all():
            raise ValueError("condition was given a mask that hides nothing that varies.")
        weights, means, covariances = hidden_part(self.gaussians, y, here)
        rest = self.preprocessing.restrict(~observed)
        return Mixture.of(weights, means, covariances, preprocessing=rest)

    def covariances(self) -> Tensor:
        """Covariance matrices (K, D, D) after preprocessing, whatever their kind."""
        return self.gaussians.covariances()

    def bic(self, x: Data) -> float:
        """The Bayesian information criterion (Schwarz 1978): lower is better."""
        y = self._rows(x)
        return math.log(len(y)) * self.gaussians.free_parameters() - 2 * float(
            wide(self.log_prob(y)).sum()
        )

    def aic(self, x: Data) -> float:
        """Akaike's information criterion (1974): lower is better."""
        return 2 * self.gaussians.free_parameters() - 2 * float(wide(self.log_prob(x)).sum())

    def _rows(self, x: Data, mask: Tensor | None = None) -> Tensor:
        self.check_fitted()
        width = self.preprocessing.inverse(self.means[:1]).shape[1]
        return rows(x, features=width, like=self.means, mask=mask)
