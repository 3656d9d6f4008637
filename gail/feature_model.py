"""A generative model of steps or windows, with the statistics of its features in the same file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, Self

from torch import Tensor

from gail.demonstrations import Demonstrations
from gail.episodes import AnyPath
from gail.errors import GailError
from gail.features import Features, Inputs, episode_rows
from gail.task_checks import own_id
from generative import archive
from generative.archive import ArchiveError
from generative.diffusion import Diffusion
from generative.mixture import GaussianMixture
from generative.model import GenerativeModel
from generative.sequence_vae import SequenceVAE

Kind = Literal["mixture", "seqvae", "diffusion"]
KINDS: dict[str, type[GenerativeModel]] = {
    each.__name__: each for each in (GaussianMixture, SequenceVAE, Diffusion)
}


@dataclass(frozen=True)
class FeatureModel:
    """A fitted model, what its rows are made of, and the task that they are of.

    The file that :meth:`save` writes is the model's own, with the features beside: the class of
    the model reads it too, and then speaks in scaled units.

    Args:
        features: fitted.
        model: fitted to what the features make of rows.
        env_id: Gymnasium id of the task, or None where unknown.

    >>> import tempfile
    >>> demos = Demonstrations.shipped("toy/PointMass-v0")
    >>> features = Features("sa").fit(rows_of(demos, "sa"))
    >>> x = features.stacked(rows_of(demos, "sa"))
    >>> fitted = FeatureModel(features, GaussianMixture(2).fit(x), demos.env_id)
    >>> path = Path(tempfile.mkdtemp()) / "model.zip"
    >>> fitted.save(path)
    >>> FeatureModel.load(path).env_id
    'toy/PointMass-v0'
    """

    features: Features
    model: GenerativeModel
    env_id: str | None

    def save(self, path: AnyPath) -> None:
        """Write model and statistics to one file, whole or not at all.

        Raises:
            FileError: if the folder cannot be written to.
        """
        with TemporaryDirectory() as folder:
            own = Path(folder) / "model.zip"
            self.model.save(own)
            metadata, sections = archive.read(own)
        features = {"env_id": self.env_id, "settings": self.features.settings()}
        sections["features"] = dict(self.features.state_dict())
        archive.write(path, metadata | {"features": features}, sections)

    @classmethod
    def load(cls, path: AnyPath, device: str = "cpu") -> Self:
        """Read what :meth:`save` wrote. Nothing in the file can run code.

        Raises:
            ArchiveError: if the file is missing, damaged or holds no model of features.
        """
        metadata, sections = archive.read(path)
        kind, about = metadata.get("model"), metadata.get("features")
        if kind not in KINDS or not isinstance(about, dict) or "features" not in sections:
            raise ArchiveError(
                f"{path} holds no model of observations; make one with gail data fit."
            )
        try:
            features = Features(**about["settings"])
            features.load_state_dict(sections["features"])
            env_id = about["env_id"]
        except (TypeError, ValueError, KeyError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise ArchiveError(f"{path} was written by another version ({reason}).") from error
        return cls(features.to(device), KINDS[kind].load(path, device), env_id)

    def check_for(self, env_id: str | None, inputs: Inputs, width: int) -> None:
        """Make sure that the model is of a task and of the features that it is to be used for.

        Args:
            env_id: Gymnasium id, or None where unknown.
            inputs: what rows have to be made of.
            width: D of the rows, before any dimension is dropped.

        Raises:
            GailError: if it is not.
        """
        mine = self.env_id
        if env_id is not None and mine is not None and own_id(env_id) != own_id(mine):
            raise GailError(
                f"The model was fitted to {mine} and this is {env_id}; give one of the same task."
            )
        if self.features.inputs != inputs:
            raise GailError(
                f"The model was fitted to rows of {WORDS[self.features.inputs]} and this needs "
                f"{WORDS[inputs]}; fit one with --inputs {inputs}."
            )
        if len(self.features.live) != width:
            raise GailError(
                f"The model was fitted to rows {len(self.features.live)} wide and these are "
                f"{width} wide; give one of the same task."
            )


WORDS: dict[Inputs, str] = {
    "s": "observations (s)",
    "sa": "observations and actions (sa)",
    "ss": "observations and next observations (ss)",
}


def rows_of(demonstrations: Demonstrations, inputs: Inputs) -> list[Tensor]:
    """Rows (T, D) of each episode."""
    return [episode_rows(episode, inputs) for episode in demonstrations.episodes()]
