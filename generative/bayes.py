"""Classification by Bayes' rule, with any density model for the classes."""

from __future__ import annotations

import copy
import os
from typing import Any, Self

import torch
from torch import Tensor, nn

from generative.archive import ArchiveError
from generative.chain import describe, from_description
from generative.data import Data, as_tensor, check_positive, observations, rows
from generative.energy import EnergyModel
from generative.mixture import GaussianMixture
from generative.model import DensityModel
from generative.transform import Transform

Family = DensityModel | EnergyModel  # the latter with its log-normaliser


class BayesClassifier(DensityModel):
    """Learns p(y) and p(x|y), and classifies by p(y|x) = p(y) p(x|y) / p(x).

    Attributes:
        prior: p(y) (C,); empty before ``fit``.

    >>> g = torch.Generator().manual_seed(0)
    >>> y = torch.randint(2, (200,), generator=g)
    >>> x = torch.randn(200, 2, generator=g) + 6 * y[:, None]
    >>> model = BayesClassifier(GaussianMixture(1), classes=2).fit(x, y, generator=g)
    >>> model.predict(torch.tensor([[0.0, 0.0], [6.0, 6.0]]))
    tensor([0, 1])
    >>> model.sample_class(1, 3, g).shape
    torch.Size([3, 2])
    """

    prior: Tensor

    def __init__(
        self, family: Family, classes: int, *, preprocessing: Transform | None = None
    ) -> None:
        """Choose the family.

        Args:
            family: an unfitted model, of which each class gets a copy. Energies of classes are
                only comparable once they are normalised: give an ``EnergyModel`` temperatures.
            classes: C; labels are 0 to C - 1.
            preprocessing: fitted to all rows and applied before any class. What drops dimensions
                belongs here: classes that dropped different ones could not be compared.

        Raises:
            ValueError: if the family has no density, or an energy that will not be normalised,
                or ``classes`` is not positive.
        """
        super().__init__()
        check_positive("BayesClassifier", classes=classes)
        if isinstance(family, EnergyModel) and not family.temperatures:
            raise ValueError(
                "Energies of classes cannot be compared unless they are normalised; make the "
                "EnergyModel with temperatures=100, say."
            )
        if not isinstance(family, Family):
            raise ValueError(
                f"BayesClassifier was given a {type(family).__name__}, which has no exact "
                "density; give a model with log_prob, such as GaussianMixture()."
            )
        self.classes = classes
        self.preprocessing = Transform() if preprocessing is None else preprocessing
        self.models = nn.ModuleList(copy.deepcopy(family) for _ in range(classes))
        self.new_buffer("prior")

    def settings(self) -> dict[str, Any]:
        """Classes, and kind and settings of the family, as JSON."""
        family = self._each()[0]
        return {
            "classes": self.classes,
            "family": type(family).__name__,
            "family_settings": family.settings(),
            "preprocessing": describe(self.preprocessing),
        }

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        device: torch.device | str = "cpu",
        family: type[Family] = GaussianMixture,
    ) -> Self:
        """Read a classifier that ``save`` wrote.

        Args:
            path: the file.
            device: where to put the model.
            family: class of the models inside.

        Raises:
            ArchiveError: if the file is missing or damaged, or holds something else.
        """
        metadata, state = cls._read(path)
        settings = metadata["settings"]
        if settings.get("family") != family.__name__:
            raise ArchiveError(
                f"{path} holds a classifier of {settings.get('family')} and not of "
                f"{family.__name__}; give its class as family."
            )

        def make(settings: dict[str, Any]) -> BayesClassifier:
            return cls(
                family.from_settings(settings["family_settings"]),
                settings["classes"],
                preprocessing=from_description(settings["preprocessing"]),
            )

        return cls._restore(path, make, settings, state).to(device)

    @property
    def fitted(self) -> bool:
        """Whether the classes were learnt."""
        return self.prior.numel() > 0

    @torch.no_grad()
    def fit(
        self, x: Data, labels: Data | None = None, *, generator: torch.Generator | None = None
    ) -> Self:
        """Fit a model to the rows of each class, and p(y) to their numbers.

        Args:
            x: rows (N, D), or images (N, C, H, W) where the family takes them.
            labels: (N,), whole numbers from 0 to C - 1, each at least once.
            generator: source of randomness.

        Returns:
            The model. Wrong input leaves it as it was.

        Raises:
            ValueError: if labels are wrong, or a class cannot be fitted, which is named.
        """
        data = _rows(x)
        which = self._labels(labels, data)
        count = which.bincount(minlength=self.classes)
        if (count == 0).any():
            raise ValueError(f"Class {int(count.argmin())} has no rows; each class needs some.")
        preprocessing = copy.deepcopy(self.preprocessing).to(data.device).fit(data)
        y, _ = preprocessing(data, generator)
        fitted = []
        for label, model in enumerate(self._each()):
            part = y[which == label]
            fitted.append(_fit_class(label, copy.deepcopy(model), part, generator))
        self.models, self.preprocessing = nn.ModuleList(fitted), preprocessing
        self.prior = (count / count.sum()).to(data)
        return self

    @property
    def width(self) -> int:
        """Over how many dimensions the density is."""
        return self._each()[0].width

    def log_joint(self, x: Data) -> Tensor:
        """log p(x, y) for each class (B, C)."""
        self.check_fitted()
        y, log_det = self.preprocessing(self._rows(x))
        columns = [model.log_prob(y) + log_det for model in self._each()]
        return torch.stack(columns, 1) + self.prior.log()

    def log_prob(self, x: Data) -> Tensor:
        """log p(x) (B,), the classes summed over."""
        return self.log_joint(x).logsumexp(1)

    def predict_proba(self, x: Data) -> Tensor:
        """p(y|x) (B, C)."""
        return self.log_joint(x).softmax(1)

    def predict(self, x: Data) -> Tensor:
        """The most probable class (B,)."""
        return self.log_joint(x).argmax(1)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw rows (n, D) from p(x)."""
        return self.sample_labelled(n, generator)[0]

    @torch.no_grad()
    def sample_labelled(
        self, n: int, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Draw labels (n,) from p(y), then rows (n, D) from p(x|y); rows come first."""
        self.check_fitted()
        y = torch.multinomial(self.prior, n, replacement=True, generator=generator)
        places, parts = [], []
        for label in torch.unique(y).tolist():
            places.append((y == label).nonzero()[:, 0])
            parts.append(self.sample_class(label, len(places[-1]), generator))
        order = torch.cat(places).argsort()
        return torch.cat(parts)[order], y

    @torch.no_grad()
    def sample_class(self, label: int, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw rows (n, D) from p(x|y) of one class.

        Raises:
            ValueError: if there is no such class.
        """
        self.check_fitted()
        if not 0 <= label < self.classes:
            raise ValueError(f"There is no class {label}; expected 0 to {self.classes - 1}.")
        return self.preprocessing.inverse(self._each()[label].sample(n, generator))

    def _labels(self, y: Data | None, data: Tensor) -> Tensor:
        if y is None:
            raise ValueError("BayesClassifier was given no labels; call fit(x, labels).")
        labels = as_tensor(y, "The array of labels").to(data.device)
        if labels.shape != (len(data),) or labels.is_floating_point():
            raise ValueError(
                f"The labels have the shape {tuple(labels.shape)} and hold {labels.dtype}; "
                f"expected ({len(data)},) whole numbers, one for each row."
            )
        if labels.min() < 0 or labels.max() >= self.classes:
            raise ValueError(
                f"The labels go from {int(labels.min())} to {int(labels.max())}; "
                f"expected 0 to {self.classes - 1}."
            )
        return labels.long()

    def _rows(self, x: Data) -> Tensor:
        if as_tensor(x).dim() == 2:
            features = self.preprocessing.inverse(self.prior.new_zeros(1, self.width)).shape[1]
            return rows(x, features=features, like=self.prior)
        return _rows(x).to(self.prior)

    def _each(self) -> list[Family]:
        return [model for model in self.models if isinstance(model, Family)]


def _rows(x: Data) -> Tensor:
    """Vectors or images as a floating tensor, checked."""
    if as_tensor(x).dim() == 2:
        return rows(x)
    data = observations(x)
    return data if data.is_floating_point() else data.to(torch.get_default_dtype())


def _fit_class(label: int, model: Family, x: Tensor, generator: torch.Generator | None) -> Family:
    """The model of one class.

    Raises:
        ValueError: if it cannot be fitted, or drops dimensions.
    """
    try:
        model.fit(x, generator=generator)
    except ValueError as error:
        raise ValueError(f"Class {label} cannot be fitted to its {len(x)} rows: {error}") from error
    if model.width != x[0].numel():
        raise ValueError(
            f"The model of class {label} keeps {model.width} of {x[0].numel()} dimensions, so its "
            "density cannot be compared with other classes'; give what drops dimensions to "
            "BayesClassifier as preprocessing."
        )
    return model
