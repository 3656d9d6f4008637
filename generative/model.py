"""What all generative models share: one base class, one file format."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Self

import torch
from torch import Tensor, nn

from generative import archive
from generative.archive import ArchiveError
from generative.data import Data

FORMAT = 1


class Stateful(nn.Module, ABC):
    """A module whose buffers get their shapes from data.

    Subclasses register empty buffers, give them values in ``fit``, and return from
    :meth:`settings` the arguments that make an equal, unfitted module.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_load_state_dict_pre_hook(_grow_buffers)  # type: ignore[no-untyped-call]

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON."""

    def new_buffer(self, name: str) -> None:
        """Register a buffer that has no values yet."""
        self.register_buffer(name, torch.empty(0))

    def extra_repr(self) -> str:
        """The settings, for ``repr``."""
        shown = (f"{k}={v!r}" for k, v in self.settings().items() if not isinstance(v, dict | list))
        return ", ".join(shown)


class GenerativeModel(Stateful):
    """The verbs of every family; a family adds those that apply to it, and no others.

    ``fit(x)`` learns and returns the model; ``sample(n, generator=None)`` draws; ``log_prob(x)``
    is an exact log-density in the units of the data; ``elbo(x)`` is a bound on one and never
    called a density; ``impute(x, mask)`` completes rows (mask True = observed); ``energy(x)`` is a
    log-density up to sign and a constant; ``encode``, ``decode`` and ``reconstruct`` go through
    latent variables. Data are tensors or numpy arrays; randomness comes from explicit generators.
    """

    def fit(self, x: Data, *, generator: torch.Generator | None = None) -> Self:
        """Learn from rows, with a source of randomness; families add arguments.

        Raises:
            ValueError: if there is nothing to fit, or the data cannot be used.
        """
        raise ValueError(f"A {type(self).__name__} has nothing to fit; use a family that has.")

    @property
    @abstractmethod
    def fitted(self) -> bool:
        """Whether the model has learnt from data."""

    @abstractmethod
    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw ``n`` rows (n, D)."""

    def check_fitted(self) -> None:
        """Refuse to work before ``fit``.

        Raises:
            ValueError: if the model has learnt nothing.
        """
        if not self.fitted:
            raise ValueError(f"This {type(self).__name__} was not fitted; call fit(x) first.")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write settings and values to one file, whole or not at all.

        Raises:
            ValueError: if the model was not fitted or the folder cannot be written to.
        """
        self.check_fitted()
        metadata = {
            "format": FORMAT,
            "model": type(self).__name__,
            "settings": self.settings(),
            "versions": {name: _version(name) for name in ("generative-imitation", "torch")},
        }
        archive.write(path, metadata, {"state": dict(self.state_dict())})

    @classmethod
    def load(cls, path: str | os.PathLike[str], device: torch.device | str = "cpu") -> Self:
        """Read a model that :meth:`save` wrote. Nothing in the file can run code.

        Args:
            path: the file.
            device: where to put the model.

        Raises:
            ArchiveError: if the file is missing or damaged, or holds another model or version.
        """
        metadata, state = cls._read(path)
        return cls._restore(path, cls.from_settings, metadata["settings"], state).to(device).eval()

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Self:
        """An unfitted model from what :meth:`settings` returned."""
        return cls(**settings)

    @classmethod
    def _read(cls, path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Metadata and values of a file that holds a model of this class."""
        metadata, sections = archive.read(path)
        if metadata.get("format") != FORMAT:
            raise ArchiveError(
                f"{path} has file format {metadata.get('format')!r} and this version reads "
                f"{FORMAT}; install the version that wrote it."
            )
        if metadata.get("model") != cls.__name__:
            name = metadata.get("model")
            raise ArchiveError(
                f"{path} holds a {name} and not a {cls.__name__}; load it with {name}.load."
            )
        return metadata, sections.get("state", {})

    @classmethod
    def _restore(
        cls,
        path: str | os.PathLike[str],
        make: Any,
        settings: dict[str, Any],
        state: dict[str, Tensor],
    ) -> Self:
        """The model that ``make`` builds from the settings, with the values of the file."""
        try:
            model: Self = make(settings)
            model.load_state_dict(state)
        except (TypeError, ValueError, KeyError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise ArchiveError(
                f"{path} does not fit {cls.__name__} ({reason}); fit the model again."
            ) from error
        return model


class DensityModel(GenerativeModel):
    """A model with an exact density."""

    @property
    @abstractmethod
    def width(self) -> int:
        """Over how many dimensions the density is, fewer than the data have if some are dropped."""

    @abstractmethod
    def log_prob(self, x: Data) -> Tensor:
        """Log-density (B,) of rows, in nats and in units of the data."""

    def energy(self, x: Data) -> Tensor:
        """Minus the log-density (B,)."""
        return -self.log_prob(x)


def _grow_buffers(
    module: nn.Module, state: dict[str, Tensor], prefix: str, *_: Any, **__: Any
) -> None:
    """Make room for buffers whose shape or precision the module cannot know before."""
    for name, buffer in list(module.named_buffers(recurse=False)):
        saved = state.get(prefix + name)
        if saved is not None and (saved.shape, saved.dtype) != (buffer.shape, buffer.dtype):
            setattr(module, name, torch.empty_like(saved, device=buffer.device))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # a checkout that was not installed
        return "unknown"
