"""``gail generate``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gail.cli.console import notices, notify, results, table, wrong_input

if TYPE_CHECKING:
    from torch import Tensor

    from gail.tables import Table
    from generative import GaussianMixture, Transform, VariationalMixture

Model = Literal["gmm", "vgmm"]
Covariance = Literal["full", "tied", "diagonal", "spherical"]
Preprocessing = Literal["none", "standardise", "whiten"]


@dataclass(frozen=True)
class Generate:
    """Fit a generative model to data, sample from it and draw the samples.

    Writes model.zip, samples.npz, samples.png and result.json. The result tells the mean
    log-density of a row, in nats and in units of the data, for what the model was fitted to and
    for rows held out.
    """

    out: Path
    """The folder to write to; files of an earlier run in it are replaced."""
    model: Model = "gmm"
    """gmm (Gaussian mixture by EM) or vgmm (variational, finds the number of components)."""
    data: str = "digits"
    """The word digits, or an .npy or .npz file of rows or images."""
    key: str | None = None
    """The array in an .npz file; may be left out where it holds one."""
    components: int = 32
    """Of the mixture; for vgmm how many it starts from."""
    covariance: Covariance = "full"
    """Kind of the covariances (gmm)."""
    regularisation: float = 0.1
    """Added to variances after preprocessing (gmm)."""
    preprocessing: Preprocessing = "standardise"
    """Constant dimensions are always dropped; then none, standardise or whiten."""
    held_out: float = 0.1
    """Share of the rows that the model does not see and is scored on; 0 for none."""
    samples: int = 100
    """Rows drawn."""
    seed: int = 0
    """Of the split, the start and the samples."""
    device: str = "cpu"
    """Where everything is computed: cpu or cuda."""

    def run(self) -> None:
        """Fit, sample, draw, write."""
        import torch

        from gail.tables import load_table

        with wrong_input():
            self._check()
            source = load_table(self.data, self.key)
            generator = torch.Generator(self.device).manual_seed(self.seed)
            x = torch.as_tensor(source.x).to(self.device)
            order = torch.randperm(len(x), generator=generator, device=self.device)
            held = int(self.held_out * len(x))
            fit_on, rest = x[order[held:]], x[order[:held]]
            model = self._model()
            with notices().status("fitting") as status:
                model.fit(
                    fit_on,
                    generator=generator,
                    report=lambda step, value: status.update(
                        f"step {step}: {value:.3f} nats a row after preprocessing"
                    ),
                )
        drawn = model.sample(self.samples, generator)
        scores = score(model, fit_on, rest)
        self._write(model, source, drawn, scores)
        results().print(table(f"{self.model} on {source.name}", shown(scores)))
        notify(f"Wrote {self.out}.")

    def _check(self) -> None:
        if not 0 <= self.held_out < 1:
            raise ValueError(f"--held-out is {self.held_out}; expected at least 0 and below 1.")
        if self.samples < 1:
            raise ValueError(f"--samples is {self.samples}; expected at least 1.")

    def _model(self) -> GaussianMixture | VariationalMixture:
        from generative import GaussianMixture, VariationalMixture

        if self.model == "vgmm":
            return VariationalMixture(self.components, preprocessing=self._transform())
        return GaussianMixture(
            self.components,
            self.covariance,
            preprocessing=self._transform(),
            regularisation=self.regularisation,
        )

    def _transform(self) -> Transform:
        from generative import Chain, DropConstant, Standardise, Whiten

        match self.preprocessing:
            case "none":
                return Chain(DropConstant())
            case "standardise":
                return Chain(DropConstant(), Standardise())
            case "whiten":
                return Chain(DropConstant(), Whiten())

    def _write(
        self,
        model: GaussianMixture | VariationalMixture,
        source: Table,
        drawn: Tensor,
        scores: dict[str, Any],
    ) -> None:
        import numpy as np

        from gail import drawing
        from generative.files import replacing_file

        rows = drawn.cpu().numpy()
        model.save(self.out / "model.zip")
        with replacing_file(self.out / "samples.npz") as handle:
            np.savez(handle, samples=rows)
        if source.image is not None:
            limits = float(source.x.min()), float(source.x.max())
            figure = drawing.image_grid(rows.reshape(-1, *source.image), limits=limits)
        else:
            figure = drawing.pair_plot(source.x, rows)
        drawing.save(figure, self.out / "samples.png")
        flags = {name: str(v) if isinstance(v, Path) else v for name, v in asdict(self).items()}
        with replacing_file(self.out / "result.json") as handle:
            handle.write((json.dumps({"flags": flags, **scores}, indent=2) + "\n").encode())


def score(
    model: GaussianMixture | VariationalMixture, fitted_on: Tensor, held_out: Tensor
) -> dict[str, Any]:
    """What is told of a fitted mixture."""
    return {
        "rows": len(fitted_on),
        "held_out_rows": len(held_out),
        "live_dimensions": model.means.shape[1],
        "components": len(model.weights),
        "steps": len(model.history),
        "log_prob": float(model.log_prob(fitted_on).double().mean()),
        "held_out_log_prob": float(model.log_prob(held_out).double().mean())
        if len(held_out)
        else None,
    }


def shown(scores: dict[str, Any]) -> dict[str, str]:
    """The scores as people read them."""
    held_out = scores["held_out_log_prob"]
    return {
        "rows": f"{scores['rows']}, {scores['live_dimensions']} dimensions that vary",
        "components": f"{scores['components']} after {scores['steps']} steps",
        "log-density": f"{scores['log_prob']:.2f} nats a row",
        "held out": "none" if held_out is None else f"{held_out:.2f} nats a row",
    }
