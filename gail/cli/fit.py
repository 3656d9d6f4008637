"""``gail data fit``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from gail.cli.console import notify, require_free, wrong_input
from gail.errors import GailError


@dataclass(frozen=True)
class Fit:
    """Fit a model of observations to demonstrations, for gail evaluate --repair."""

    files: Positional[tuple[str, ...]]
    """Demonstrations in any known format: files, folders, or ids of local Minari datasets."""
    out: Path
    """The model's file (.zip)."""
    kind: Literal["mixture", "seqvae", "diffusion"] = "mixture"
    """A Gaussian mixture (exact and fast), or a sequence VAE or diffusion (slower)."""
    inputs: Literal["s", "sa", "ss"] = "s"
    """What a step is: observation (s), with action (sa) or with next observation (ss)."""
    window: int | None = None
    """Steps of a window; by default 4 of a mixture and 16 of a sequence model."""
    components: int = 64
    """Gaussians of the mixture, which share one covariance."""
    epochs: int = 6
    """Passes of a sequence model over the windows."""
    seed: int = 0
    """Of weights and batches."""
    env: str | None = None
    """Gymnasium id of the task, for files that do not name theirs."""
    overwrite: bool = False
    """Replace the file if it exists."""

    def run(self) -> int:
        """Fit and write.

        Raises:
            GailError: if the demonstrations cannot be used, or the file cannot be written or has
                another ending.
        """
        from gail.demonstrations import Demonstrations
        from gail.fitting import FitSettings, fit_model

        if self.out.suffix != ".zip":
            raise GailError(f"--out is {self.out}; give a name that ends in .zip.")
        require_free(self.out, self.overwrite)
        demos = [Demonstrations.load(file, env_id=self.env) for file in self.files]
        settings = FitSettings(
            kind=self.kind,
            inputs=self.inputs,
            window=self.window,
            components=self.components,
            epochs=self.epochs,
            seed=self.seed,
        )
        with wrong_input():
            fitted = fit_model(demos, settings, _tell)
        fitted.save(self.out)
        live = int(fitted.features.live.sum())
        notify(f"Wrote {self.out}: {type(fitted.model).__name__} of {live} dimensions that vary.")
        return 0


def _tell(epoch: int, metrics: dict[str, float]) -> None:
    shown = ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
    notify(f"epoch {epoch}: {shown}")
